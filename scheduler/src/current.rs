//! The one thread-local: which worker this thread is, and so which task runs here.
//!
//! A task may go on on another thread after a switch, and compilers keep the address of a thread-local across calls;
//! two calls of an accessor that returned such an address were seen to be merged across a switch.
//! So the accessors here return a *value*, and either are never inlined and pass it through an empty `asm!` that the compiler
//! must assume to compute something new each time, or read it in an `asm!` of their own, where the compiler sees no thread-local
//! (`place.rs`). Nobody keeps their answer across a suspend.
//!
//! In a native section the thread is a stranger to its scheduler: [`thread`] and [`running`] answer nothing, so that every
//! wake, spawn, timer and cache goes the way of plain threads. [`within`] still knows the task.
//!
//! Room for unsafe code: turning the value into a reference.

use std::cell::Cell;

use crate::primitive::leaning::STRANGER;
use crate::task::Task;
use crate::thread::Thread;

#[cfg(all(
    target_arch = "x86_64",
    target_os = "linux",
    target_env = "gnu",
    not(any(loom, shuttle))
))]
mod place;
#[cfg(not(all(
    target_arch = "x86_64",
    target_os = "linux",
    target_env = "gnu",
    not(any(loom, shuttle))
)))]
#[path = "current/place/std.rs"]
mod place;
mod plain;

#[cfg(fiberhost_simulate)]
pub(crate) use plain::end_plain;
pub(crate) use plain::plain;

/// What the thread-local holds.
struct Here {
    /// The worker that this thread is, unless it is in a native section.
    thread: Cell<*const Thread>,
    /// The worker that this thread is, while it is in a native section.
    left: Cell<*const Thread>,
    /// Sections opened inside that one; and `MARKED`, if its end is to be noted.
    depth: Cell<u32>,
    /// The record of a simulated thread, for when it is no worker: those have none of their own from the system.
    #[cfg(fiberhost_simulate)]
    plain: Cell<Option<&'static Task>>,
}

/// In `Here::depth`: whoever ends the outer section has something to do before.
const MARKED: u32 = 1 << 31;
/// Instead of that: the outer section ends now, and that has not been done yet.
const ENDING: u32 = 1 << 30;

impl Here {
    #[cfg_attr(
        not(any(loom, shuttle)),
        allow(
            dead_code,
            reason = "where the place is written out it begins as zeros"
        )
    )]
    const fn new() -> Here {
        Here {
            thread: Cell::new(std::ptr::null()),
            left: Cell::new(std::ptr::null()),
            depth: Cell::new(0),
            #[cfg(fiberhost_simulate)]
            plain: Cell::new(None),
        }
    }
}

impl Here {
    /// One of the inner sections ends; or an outer one that is marked, which ends in the second step, after `take_mark`.
    ///
    /// Apart, since the compiler would make one longer comparison of both on the way of the outer ones.
    #[cold]
    #[inline(never)]
    extern "C" fn end_inner(&self) {
        self.depth.set(match self.depth.get() {
            MARKED => ENDING,
            depth => depth - 1,
        });
    }

    #[cold]
    #[inline(never)]
    extern "C" fn end_inner_and(&self, then: extern "C" fn()) {
        self.end_inner();
        then();
    }

    #[inline(always)]
    fn step_in(&self) -> *const Thread {
        let thread = self.left.replace(std::ptr::null());
        self.thread.set(thread);
        thread
    }
}

/// What the thread-local holds for a simulated thread while another one has its turn.
#[cfg(fiberhost_simulate)]
#[derive(Clone, Copy)]
pub(crate) struct Saved {
    thread: *const Thread,
    left: *const Thread,
    depth: u32,
    plain: Option<&'static Task>,
}

#[cfg(fiberhost_simulate)]
impl Saved {
    /// That of a thread which has not begun.
    pub(crate) const NEW: Saved = Saved {
        thread: std::ptr::null(),
        left: std::ptr::null(),
        depth: 0,
        plain: None,
    };
}

/// The turn of another simulated thread: this is what it is to find, and the answer what the one before is to find again.
#[cfg(fiberhost_simulate)]
#[inline(never)]
pub(crate) fn exchange(saved: Saved) -> Saved {
    place::with(|here| Saved {
        thread: here.thread.replace(saved.thread),
        left: here.left.replace(saved.left),
        depth: here.depth.replace(saved.depth),
        plain: here.plain.replace(saved.plain),
    })
}

/// Makes a value new to the compiler, wherever it came from (see the module docs).
#[inline(always)]
fn launder(value: *const Thread) -> *const Thread {
    if place::IS_NEW_EACH_TIME {
        return value;
    }
    let mut value = value;
    // SAFETY: no instruction. Neither `pure` nor `nomem`: two of these are never merged.
    unsafe { std::arch::asm!("/* {0} */", inout(reg) value, options(nostack, preserves_flags)) };
    value
}

#[inline(never)]
fn read_within() -> *const Thread {
    launder(place::with(|here| {
        if here.thread.get().is_null() {
            here.left.get()
        } else {
            here.thread.get()
        }
    }))
}

/// The worker that this thread is, if it is one. Not to be kept across a suspend.
#[inline(always)]
pub(crate) fn thread() -> Option<&'static Thread> {
    // SAFETY: set by the worker itself for the time it runs, and the core that owns the record lives that long.
    // `'static` says too much: the module docs say for how long the answer may be used.
    unsafe { place::thread().as_ref() }
}

/// Who this thread is to a lock that leans: see `primitive/leaning.rs`.
#[inline(always)]
pub(crate) fn leans_as() -> usize {
    leans_as_of(thread())
}

/// The same, for a caller who knows which worker this thread is.
#[inline(always)]
pub(crate) fn leans_as_of(thread: Option<&Thread>) -> usize {
    thread.map_or(STRANGER, |thread| std::ptr::from_ref(thread).addr())
}

/// Says which worker this thread is.
#[inline(never)]
pub(crate) fn set_thread(thread: *const Thread) {
    place::with(|here| here.thread.set(thread));
}

/// From now on this thread is a stranger to its scheduler. Answers who it was, if it was no stranger already.
#[inline(never)]
pub(crate) fn step_out() -> Option<&'static Thread> {
    step_out_here()
}

/// The same, for a function that is never inlined itself and looks at no thread-local besides.
#[inline(always)]
pub(crate) fn step_out_here() -> Option<&'static Thread> {
    let thread = place::with(|here| {
        let thread = here.thread.get();
        if !thread.is_null() {
            here.thread.set(std::ptr::null());
            here.left.set(thread);
        } else if !here.left.get().is_null() {
            here.depth.set(here.depth.get() + 1);
        }
        thread
    });
    // SAFETY: as in `thread`.
    unsafe { launder(thread).as_ref() }
}

/// Takes the last [`step_out`] back. Answers who this thread is again, if that was not one of the inner ones.
#[inline(never)]
pub(crate) fn step_in() -> Option<&'static Thread> {
    let thread = place::with(|here| {
        if here.depth.get() > 0 {
            here.end_inner();
            return std::ptr::null();
        }
        here.step_in()
    });
    // SAFETY: as in `thread`.
    unsafe { launder(thread).as_ref() }
}

/// The same for a function as [`step_out_here`] is for. Of one of the inner ones `inner` is told afterwards, and the answer is
/// `None`: so there is nothing more to be done.
#[inline(always)]
pub(crate) fn step_in_here(inner: extern "C" fn()) -> Option<Option<&'static Thread>> {
    let thread = place::with(|here| {
        if here.depth.get() > 0 {
            here.end_inner_and(inner);
            return None;
        }
        Some(here.step_in())
    })?;
    // SAFETY: as in `thread`.
    Some(unsafe { launder(thread).as_ref() })
}

/// As [`step_out`], but only from outside of any section; otherwise nothing changes.
#[inline(never)]
pub(crate) fn step_out_first() -> Option<&'static Thread> {
    let thread = place::with(|here| {
        let thread = here.thread.get();
        if !thread.is_null() {
            here.thread.set(std::ptr::null());
            here.left.set(thread);
        }
        thread
    });
    // SAFETY: as in `thread`.
    unsafe { launder(thread).as_ref() }
}

/// As [`step_in`], but only to the outside of all sections; otherwise nothing changes.
#[inline(never)]
pub(crate) fn step_in_last() -> Option<&'static Thread> {
    let thread = place::with(|here| {
        let left = here.left.get();
        if left.is_null() || here.depth.get() > 0 {
            return std::ptr::null();
        }
        here.left.set(std::ptr::null());
        here.thread.set(left);
        left
    });
    // SAFETY: as in `thread`.
    unsafe { launder(thread).as_ref() }
}

/// The end of the section that has just been opened is to be noted: its [`step_in`] answers nothing, [`take_mark`] does then,
/// and the next `step_in` is the one that ends it.
#[inline(never)]
pub(crate) fn mark() {
    place::with(|here| here.depth.set(here.depth.get() | MARKED));
}

/// After a [`step_in`] that answered nothing: whether it was for an outer section that is marked. It is not any more. Answers
/// whose thread it is.
pub(crate) fn take_mark() -> Option<&'static Thread> {
    take_mark_as(ENDING)
}

/// The same before a step: whether an outer section is open that is marked, with none in it.
pub(crate) fn take_mark_of_last() -> Option<&'static Thread> {
    take_mark_as(MARKED)
}

#[inline(never)]
fn take_mark_as(mark: u32) -> Option<&'static Thread> {
    let thread = place::with(|here| {
        if here.depth.get() != mark {
            return std::ptr::null();
        }
        here.depth.set(0);
        here.left.get()
    });
    // SAFETY: as in `thread`.
    unsafe { launder(thread).as_ref() }
}

/// How many sections are open inside the outer one, if one is.
#[inline(never)]
pub(crate) fn depth() -> Option<u32> {
    place::with(|here| (!here.left.get().is_null()).then(|| here.depth.get() & !MARKED))
}

/// Sets that, for code that is called back from inside sections and for the return from it.
#[inline(never)]
pub(crate) fn set_depth(depth: u32) {
    place::with(|here| here.depth.set((here.depth.get() & MARKED) | depth));
}

/// In the answer of [`around`]: no section is open.
const OUTSIDE: u32 = u32::MAX;

/// For a callback that begins: the worker that this thread is, its task, and how many sections are open inside the outer one, if
/// one is. What a mark adds to that is left in it.
#[inline(always)]
pub(crate) fn around() -> Option<(&'static Thread, &'static Task, Option<Around>)> {
    let (thread, depth) = read_around();
    // SAFETY: as in `thread`.
    let thread = unsafe { launder(thread).as_ref() }?;
    let around = (depth != OUTSIDE).then_some(Around(depth));
    Some((thread, thread.task.get()?, around))
}

#[inline(never)]
fn read_around() -> (*const Thread, u32) {
    place::with(|here| {
        let left = here.left.get();
        if left.is_null() {
            (here.thread.get(), OUTSIDE)
        } else {
            (left, here.depth.get())
        }
    })
}

/// The sections that are open around a callback.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Around(u32);

impl Around {
    /// How many there are inside the outer one.
    pub(crate) fn depth(self) -> u32 {
        self.0 & !MARKED
    }

    /// Whether the outer one is marked: then it has to be ended as such.
    pub(crate) fn is_marked(self) -> bool {
        self.0 & MARKED != 0
    }
}

/// As [`step_in`], from all sections at once, of which none is marked.
#[inline(never)]
pub(crate) fn step_in_from_all() {
    place::with(|here| {
        here.depth.set(0);
        here.step_in();
    });
}

/// As [`step_out`] from outside of any section, into so many inside an outer one: takes that back.
#[inline(never)]
pub(crate) fn step_out_into(depth: u32) {
    place::with(|here| {
        let thread = here.thread.replace(std::ptr::null());
        here.left.set(thread);
        here.depth.set(depth);
    });
}

/// A thread that comes to a scheduler from outside: a worker in a native section from now on; nothing at the end.
#[inline(never)]
pub(crate) fn set_left(thread: *const Thread) {
    place::with(|here| {
        here.left.set(thread);
        here.depth.set(0);
    });
}

/// The worker that this thread is, in a native section too. Not to be kept across a suspend.
#[inline(always)]
pub(crate) fn within() -> Option<(&'static Thread, &'static Task)> {
    // SAFETY: as in `thread`.
    let thread = unsafe { read_within().as_ref() }?;
    Some((thread, thread.task.get()?))
}

/// The task that calls this, if it is one that may wait as one.
#[inline(always)]
pub(crate) fn running() -> Option<(&'static Thread, &'static Task)> {
    let thread = thread()?;
    Some((thread, thread.task.get()?))
}

/// The caller's record: the task, in a native section too, or the plain thread's own.
#[inline(always)]
pub(crate) fn any() -> &'static Task {
    match within() {
        Some((_, task)) => task,
        None => plain(),
    }
}
