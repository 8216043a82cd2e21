//! A fiber: a stack with a coroutine on it that runs one task after the other.
//!
//! This is the only file that names corosensei. The coroutine is created and entered once per stack, not per task:
//! between two tasks it stands in [`serve`], so a warm stack costs a task two switches and nothing else.
//!
//! Where the jump is written ([`switch`]) a stack looks like this:
//!
//! ```text
//!   top ->  | Fiber            |   this record
//!           | Root             |   link to the worker's frames
//!           | porch            |   here runs `porch_main`, which calls `Coroutine::resume` once
//!   base -> | coroutine ...    |   serve -> the task's closure -> whatever it calls
//!           v                  v
//! ```
//!
//! The worker jumps to the porch once; from then on every wait jumps from inside the coroutine straight to the worker
//! and back. To corosensei that is one uninterrupted resume: it keeps creation, the root of unwinding and `on_stack`.
//! Elsewhere (other targets, loom, Shuttle, the sanitizers) the same function uses corosensei's resume and suspend.
//!
//! On the porch runs nothing but that resume: no thread-local is read and no panic arrives there, because
//! the task's result and its panics are kept inside the coroutine.
//!
//! Room for unsafe code.

mod depth;
pub(crate) mod overflow;
pub(crate) mod sanitizer;
#[cfg(fiberhost_simulate)]
pub(crate) mod simulated;
pub(crate) mod stack;
#[cfg(any(fiberhost_jump, fiberhost_simulate))]
pub(crate) mod switch;
pub(crate) mod thread;
mod thread_guard;

pub(crate) use thread_guard::{KnownGuard, own_pages};

use std::cell::Cell;

use corosensei::Coroutine;
use corosensei::stack::{Stack, StackPointer};

use crate::task::Task;
use crate::thread::Thread;
use stack::Memory;

/// The word that a task gives the worker with its stack: see `worker::settle`.
pub(crate) type Word = usize;
/// It yields.
pub(crate) const YIELD: Word = 0;
/// It is done; the stack is free.
pub(crate) const DONE: Word = 1;

/// `Task::sp` of a task that runs on an OS thread of its own.
pub(crate) const ON_THREAD: usize = 1;

/// Enough for `porch_main` and corosensei's resume: `porch_is_large_enough` measures it.
#[cfg(not(debug_assertions))]
const PORCH: usize = 256;
#[cfg(debug_assertions)]
const PORCH: usize = 2048;

/// No more than this, and the porch, is in use at the top of a stack between two tasks: the record and `serve`'s frames.
#[cfg(not(feature = "asan"))]
pub(crate) const HEAD_MAX: usize = 3072;
/// With the sanitizer's red zones.
#[cfg(feature = "asan")]
pub(crate) const HEAD_MAX: usize = 16 * 1024;

/// The record at the top of a stack. Owner: the worker that runs it, or the list it is in.
#[repr(C, align(64))]
pub(crate) struct Fiber {
    pub(crate) next: Cell<*const Fiber>,
    /// Where this stack goes on: saved here between two tasks.
    sp: Cell<usize>,
    task: Cell<Option<&'static Task>>,
    memory: Memory,
    #[cfg_attr(
        fiberhost_jump,
        allow(dead_code, reason = "the jump is not for sanitizers")
    )]
    context: sanitizer::Context,
    #[cfg(fiberhost_jump)]
    root: *mut switch::Root,
    #[cfg(not(fiberhost_jump))]
    coroutine: corosensei_switch::Slot,
}

/// The part of a slot below a fiber's record, as corosensei sees it.
struct StackPart {
    base: StackPointer,
    limit: StackPointer,
}

// SAFETY: the slot has a guard below `limit`, at least 32 KiB between the two (checked when the class is made),
// and lives as long as the pool, which outlives every coroutine on it.
unsafe impl Stack for StackPart {
    fn base(&self) -> StackPointer {
        self.base
    }
    fn limit(&self) -> StackPointer {
        self.limit
    }
}

impl Fiber {
    /// Where the record of a stack with this top is, or will be.
    fn at(top: usize) -> *const Fiber {
        ((top - size_of::<Fiber>()) & !(align_of::<Fiber>() - 1)) as *const Fiber
    }

    /// Lays a fiber out in a slot.
    ///
    /// # Safety
    /// The memory is ours, writable and unused.
    pub(crate) unsafe fn create(memory: Memory, context: sanitizer::Context) -> *const Fiber {
        let fiber = Fiber::at(memory.top).cast_mut();
        #[cfg(fiberhost_jump)]
        let at = fiber.addr();
        #[cfg(fiberhost_jump)]
        let root = (at - size_of::<switch::Root>()) as *mut switch::Root;
        // SAFETY: the slot's top has room for the record and the root.
        unsafe {
            fiber.write(Fiber {
                next: Cell::new(std::ptr::null()),
                sp: Cell::new(0),
                task: Cell::new(None),
                memory,
                context,
                #[cfg(fiberhost_jump)]
                root,
                #[cfg(not(fiberhost_jump))]
                coroutine: corosensei_switch::Slot::new(),
            });
            #[cfg(fiberhost_jump)]
            {
                root.write(switch::Root {
                    frame: [0; 2],
                    argument: at,
                    _pad: 0,
                });
                (*fiber).sp.set(switch::prepare(root));
            }
            #[cfg(not(fiberhost_jump))]
            corosensei_switch::create(&*fiber);
        }
        fiber
    }

    pub(crate) fn memory(&self) -> Memory {
        self.memory
    }
}

/// Gives a task that never ran its stack.
#[inline(always)]
pub(crate) fn bind(task: &'static Task, fiber: *const Fiber) {
    // SAFETY: the fiber was just taken from a list, so it is the caller's.
    let fiber_ref = unsafe { &*fiber };
    fiber_ref.task.set(Some(task));
    task.fiber.set(fiber);
    task.sp.set(fiber_ref.sp.get());
}

/// Takes the stack of a task that is done.
#[inline(always)]
pub(crate) fn unbind(task: &'static Task) -> *const Fiber {
    let fiber = task.fiber.get();
    // SAFETY: the task's own stack; the task is done and off it.
    let fiber_ref = unsafe { &*fiber };
    fiber_ref.sp.set(task.sp.get());
    task.fiber.set(std::ptr::null());
    fiber
}

/// The usable stack of a task, if it has one: for the handler of a signal, on the thread that runs the task.
pub(crate) fn stack_of(task: &Task) -> Option<(usize, usize)> {
    // SAFETY: a fiber's record lives as long as its pool, which this thread's scheduler owns.
    let fiber = unsafe { task.fiber.get().as_ref() }?;
    Some((fiber.memory.limit, fiber.memory.top))
}

/// Runs a task until it gives the thread back. The caller is a worker, on its own stack, and has the task.
#[inline(always)]
pub(crate) fn resume(thread: &Thread, task: &'static Task) -> Word {
    debug_assert!(
        !task.is_on_thread(),
        "a task with a thread of its own is not resumed"
    );
    #[cfg(fiberhost_jump)]
    {
        // SAFETY: the task is ours, so nobody else runs on its stack, and its `sp` is where that stack was left;
        // the word is the thread, which the other side expects.
        unsafe {
            switch::switch(
                thread.sp.as_ptr(),
                task.sp.get(),
                std::ptr::from_ref(thread).addr(),
            )
        }
    }
    #[cfg(not(fiberhost_jump))]
    corosensei_switch::resume(thread, task)
}

/// Lets profilers walk from the task's frames to those of the worker that runs it. At the start and after a move.
#[inline(always)]
pub(crate) fn link(thread: &Thread, task: &'static Task) {
    // SAFETY: the root lies in the task's own stack, above everything that runs there.
    #[cfg(fiberhost_jump)]
    unsafe {
        (*(*task.fiber.get()).root).frame = thread.frame.get();
    }
    #[cfg(not(fiberhost_jump))]
    let _ = (thread, task);
}

/// Gives the thread back from inside a task, with a word for the settle; returns when the task is resumed.
///
/// The caller must not keep anything of the old thread across this call.
///
/// # Safety
/// `thread` is the calling thread, `task` is what it runs, and the caller is on that task's stack.
/// If `word` is an address, what it points to stays until the settle is over.
#[inline(always)]
pub(crate) unsafe fn suspend(thread: &Thread, task: &'static Task, word: Word) {
    #[cfg(fiberhost_jump)]
    // SAFETY: the worker left its own stack in `resume`, at `thread.sp`; ours is saved in the task, which the settle
    // owns until somebody claims it.
    unsafe {
        switch::switch(task.sp.as_ptr(), thread.sp.get(), word);
    }
    #[cfg(not(fiberhost_jump))]
    {
        let _ = thread;
        corosensei_switch::suspend(task, word);
    }
}

/// What a coroutine does for ever: run the task that was bound to its stack, and give the thread back.
fn serve<const MEASURED: bool>(fiber: *const Fiber) -> ! {
    loop {
        // SAFETY: the record at the top of the stack we are on.
        let task = unsafe { (*fiber).task.get() }.expect("a fiber is resumed with a task");
        let left = task.payload.run();
        crate::finish::finish(task, left);
        if MEASURED {
            // SAFETY: as above, and this is that stack.
            unsafe { measure(&(*fiber).memory, task) };
        }
        let thread = crate::current::thread().expect("a task runs on a worker");
        // SAFETY: we are on the task's stack and `thread` was read just now; the word is no address.
        unsafe { suspend(thread, task, DONE) };
    }
}

/// Notes how deep the task has used its stack, when it is over, and makes the stack clean for the next one.
///
/// # Safety
/// The memory is that of the stack we are on.
#[inline(never)]
unsafe fn measure(memory: &Memory, task: &'static Task) {
    // SAFETY: the caller's promise.
    note_use(task, unsafe { depth::measure(memory.limit, memory.top) });
    // Last: the note itself uses the stack.
    // SAFETY: as above.
    unsafe { depth::clean(memory.limit) };
}

/// On the task's own stack, at its end.
fn note_use(task: &'static Task, used: usize) {
    task.extra_mut().stack_used = Some(used);
    let thread = crate::current::thread().expect("a task runs on a worker");
    let pool = &thread.core().stacks;
    pool.note_use(task.stack_class.get(), used);
}

/// The first function on a stack: enters the coroutine, once.
#[cfg(fiberhost_jump)]
extern "C" fn porch_main(fiber: *const Fiber) -> ! {
    // SAFETY: the record at the top of the stack we are on.
    let memory = unsafe { (*fiber).memory };
    let base = (fiber.addr() - size_of::<switch::Root>() - memory.porch) & !15;
    let limit = memory.limit;
    let part = StackPart {
        base: StackPointer::new(base).expect("a stack is not at 0"),
        limit: StackPointer::new(limit).expect("a stack is not at 0"),
    };
    let mut coroutine = Coroutine::<(), (), (), StackPart>::with_stack(part, move |_, ()| {
        if memory.measured {
            serve::<true>(fiber)
        } else {
            serve::<false>(fiber)
        }
    });
    coroutine.resume(());
    // `serve` does not return: a stack's memory is unmapped while its coroutine waits for a task that never comes.
    std::process::abort()
}

/// The same two functions on corosensei's own switch.
#[cfg(not(fiberhost_jump))]
mod corosensei_switch {
    use std::cell::UnsafeCell;
    use std::mem::ManuallyDrop;

    use corosensei::{CoroutineResult, Yielder};

    use super::*;

    type Inner = Coroutine<(), Word, (), StackPart>;

    /// The coroutine, which is never dropped: `serve` holds nothing between two tasks.
    pub(super) struct Slot {
        coroutine: UnsafeCell<Option<ManuallyDrop<Inner>>>,
        yielder: Cell<*const Yielder<(), Word>>,
    }

    impl Slot {
        pub(super) fn new() -> Self {
            Slot {
                coroutine: UnsafeCell::new(None),
                yielder: Cell::new(std::ptr::null()),
            }
        }
    }

    pub(super) fn create(fiber: &Fiber) {
        let at = std::ptr::from_ref(fiber);
        let part = StackPart {
            base: StackPointer::new(at.addr() & !15).expect("a stack is not at 0"),
            limit: StackPointer::new(fiber.memory.limit).expect("a stack is not at 0"),
        };
        let coroutine = Inner::with_stack(part, move |yielder, ()| {
            // SAFETY: the record at the top of the stack we are on.
            unsafe { (*at).coroutine.yielder.set(yielder) };
            // SAFETY: as above.
            if unsafe { (*at).memory.measured } {
                serve::<true>(at)
            } else {
                serve::<false>(at)
            }
        });
        // SAFETY: the fiber is new and the caller's.
        unsafe { *fiber.coroutine.coroutine.get() = Some(ManuallyDrop::new(coroutine)) };
        fiber.sp.set(usize::MAX);
    }

    pub(super) fn resume(_thread: &Thread, task: &'static Task) -> Word {
        // SAFETY: the task is the caller's, and with it its stack; nobody else resumes it.
        let (coroutine, context) = unsafe {
            let fiber = &*task.fiber.get();
            (&mut *fiber.coroutine.coroutine.get(), fiber.context)
        };
        let coroutine = coroutine.as_mut().expect("made with the fiber");
        match context.enter(|| coroutine.resume(())) {
            CoroutineResult::Yield(word) => word,
            CoroutineResult::Return(()) => unreachable!("serve does not return"),
        }
    }

    pub(super) fn suspend(task: &'static Task, word: Word) {
        // SAFETY: the yielder lives at the base of the stack we are on.
        unsafe { (*(*task.fiber.get()).coroutine.yielder.get()).suspend(word) }
    }
}

#[cfg(all(test, fiberhost_jump))]
mod tests {
    use crate::Scheduler;

    /// Bytes of the calling task's porch that were ever written, and its size.
    fn porch_used() -> (usize, usize) {
        let (_, task) = crate::current::running().expect("called from a task");
        let fiber = task.fiber.get();
        // SAFETY: the record at the top of the stack we are on.
        let (memory, root) = unsafe { ((*fiber).memory, (*fiber).root as usize) };
        let lowest = (root - memory.porch..root).step_by(8).find(|&at| {
            // SAFETY: within the porch of the stack we are on, which nobody writes now.
            unsafe { (at as *const u64).read_volatile() != 0 }
        });
        (
            root - lowest.expect("the frames of porch_main are there"),
            memory.porch,
        )
    }

    #[test]
    fn porch_is_large_enough() {
        let scheduler = Scheduler::builder().workers(1).build().expect("one thread");
        let panicked = scheduler
            .spawn(|| panic!("unwinds on the coroutine, not on the porch"))
            .join();
        assert!(panicked.expect_err("it panicked").is_panic());
        // The same stack again: it was the last to be put away.
        let (used, size) = scheduler.run(porch_used);
        println!("{used} of {size} bytes of the porch are used");
        assert!(
            used + 128 <= size,
            "{used} of {size} bytes of the porch are used"
        );
    }

    #[test]
    fn porch_has_room_for_handlers_if_asked() {
        let scheduler = Scheduler::builder()
            .workers(1)
            .handlers_on_task_stacks(true)
            .build()
            .expect("one thread");
        let (used, size) = scheduler.run(porch_used);
        assert!(
            size - used >= 4096,
            "room for a signal frame below {used} bytes"
        );
    }
}
