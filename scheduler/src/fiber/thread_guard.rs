//! The guard of a task that has an OS thread of its own: as large as a fiber's, and known to the overflow report.
//!
//! The C library's guard is one page, and below it may lie anything. So such a thread's stack is made larger by one of
//! our guards, and its low end becomes that guard for the time in which it runs the task. It is taken away again at the
//! end: the C library keeps stacks for later threads, which know nothing of it.
//!
//! An adopted thread's stack is not ours: it was made with the room that its owner wanted, so nothing is taken from it, and
//! its guard stays the C library's, as large as that made it. The report is only told where it is. The first thread of a
//! process has no such guard, since its stack grows; an overflow there ends as in any program.
//!
//! Room for unsafe code: asking for the thread's stack, and protecting a part of it.

use std::marker::PhantomData;

use super::depth;
use super::overflow::ranges::{Range, Registered, Whose};
use super::stack::{self, GUARD, PAGE};
use crate::primitive::simulated;
use crate::task::Task;

/// Bytes that a thread's stack is made larger by.
pub(super) const EXTRA: usize = GUARD + PAGE;

/// The guard, until this is dropped, on the same thread.
pub(super) struct ThreadGuard {
    low: usize,
    top: usize,
    not_send: PhantomData<*const ()>,
    registered: Option<Registered>,
}

impl ThreadGuard {
    /// For the calling thread, which runs this task. `None`: the system refused, and the C library's guard has to do.
    pub(super) fn new(task: &'static Task) -> Option<ThreadGuard> {
        // The threads of a model or a simulation are no threads of the system, and have not its stacks.
        if cfg!(any(loom, shuttle)) || simulated::here().is_some() {
            return None;
        }
        let (low, bytes) = own_stack()?.pages();
        let here = std::hint::black_box(&raw const bytes).addr();
        let is_free = here
            .checked_sub(low)
            .is_some_and(|room| room >= EXTRA + PAGE);
        if !is_free || !stack::guard(low) {
            return None;
        }
        let registered = Registered::new(&Range {
            low,
            bytes,
            stride: bytes,
            guard: GUARD,
            whose: Whose::Task(task),
        });
        Some(ThreadGuard {
            low,
            top: low + bytes,
            not_send: PhantomData,
            registered: registered.ok(),
        })
    }

    /// What the thread has used of its stack so far is not counted.
    pub(super) fn forget_use(&self) {
        // SAFETY: the guard stays on the thread that made it, so this is that stack, and its guard is there.
        unsafe { depth::clean(self.low + GUARD) }
    }

    /// How much was used since then.
    pub(super) fn use_of_stack(&self) -> usize {
        // SAFETY: as above.
        unsafe { depth::measure(self.low + GUARD, self.top) }
    }
}

impl Drop for ThreadGuard {
    fn drop(&mut self) {
        // Not to name a task that is over.
        self.registered = None;
        // SAFETY: the guard was put there by `new`, below everything in use.
        unsafe { stack::unguard(self.low) };
    }
}

/// The lowest address of the calling thread's stack, on a page's boundary, and the bytes from there to its top.
pub(crate) fn own_pages() -> Option<(usize, usize)> {
    own_stack().map(|stack| stack.pages())
}

/// That the report knows the C library's guard of a thread that runs a task, until this is dropped, on the same thread.
pub(crate) struct KnownGuard {
    not_send: PhantomData<*const ()>,
    _registered: Registered,
}

impl KnownGuard {
    /// For the calling thread, which becomes this task. `None`: it has no guard, or the system does not say.
    pub(crate) fn new(task: &'static Task) -> Option<KnownGuard> {
        // As above.
        if cfg!(any(loom, shuttle)) {
            return None;
        }
        let stack = own_stack()?;
        if stack.guard == 0 {
            return None;
        }
        let bytes = stack.guard + stack.bytes;
        let registered = Registered::new(&Range {
            low: stack.low - stack.guard,
            bytes,
            stride: bytes,
            guard: stack.guard,
            whose: Whose::Task(task),
        });
        Some(KnownGuard {
            not_send: PhantomData,
            _registered: registered.ok()?,
        })
    }
}

/// The calling thread's stack: its lowest address, the bytes from there to its top, and the bytes of guard below.
struct Stack {
    low: usize,
    bytes: usize,
    guard: usize,
}

impl Stack {
    /// From the first page's boundary on.
    fn pages(&self) -> (usize, usize) {
        let low = self.low.next_multiple_of(PAGE);
        (low, self.low + self.bytes - low)
    }
}

fn own_stack() -> Option<Stack> {
    let mut attributes = std::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
    let (mut low, mut bytes, mut guard) = (std::ptr::null_mut(), 0, 0);
    // SAFETY: the attributes are made by the first call, read by those in the middle and freed by the last.
    unsafe {
        if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
            return None;
        }
        let asked = libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut low, &raw mut bytes);
        if libc::pthread_attr_getguardsize(attributes.as_ptr(), &raw mut guard) != 0 {
            guard = 0;
        }
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        if asked != 0 {
            return None;
        }
    }
    let low = low.addr();
    Some(Stack { low, bytes, guard })
}
