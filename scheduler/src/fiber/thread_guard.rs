//! The guard of a task that has an OS thread of its own: as large as a fiber's, and known to the overflow report.
//!
//! The C library's guard is one page, and below it may lie anything. So such a thread's stack is made larger by one of
//! our guards, and its low end becomes that guard for the time in which it runs the task. It is taken away again at the
//! end: the C library keeps stacks for later threads, which know nothing of it.
//!
//! Room for unsafe code: asking for the thread's stack, and protecting a part of it.

use std::marker::PhantomData;

use super::depth;
use super::overflow::ranges::{Range, Registered, Whose};
use super::stack::{self, GUARD, PAGE};
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
        // A model's threads are no threads of the system, and have not its stacks.
        if cfg!(any(loom, shuttle)) {
            return None;
        }
        let (low, bytes) = own_stack()?;
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
pub(crate) fn own_stack() -> Option<(usize, usize)> {
    let mut attributes = std::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
    let (mut low, mut bytes) = (std::ptr::null_mut(), 0);
    // SAFETY: the attributes are made by the first call, read by the second and freed by the third.
    unsafe {
        if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
            return None;
        }
        let asked = libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut low, &raw mut bytes);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        if asked != 0 {
            return None;
        }
    }
    let top = low.addr() + bytes;
    let low = low.addr().next_multiple_of(PAGE);
    Some((low, top - low))
}
