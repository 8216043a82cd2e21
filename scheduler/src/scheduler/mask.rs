//! The signals that the threads of a scheduler block: those that the thread which built it blocked, whoever starts them.
//!
//! A thread begins with the mask of the one that starts it. Mostly that is one of the scheduler's own, but a change of the number
//! of workers or the end of an adopted task may start one from anywhere, a native section included.
//!
//! Room for unsafe code: the calls of the C library about masks.

/// A set of signals.
#[derive(Clone, Copy)]
pub(super) struct Mask(libc::sigset_t);

impl Mask {
    /// What the calling thread blocks.
    pub(super) fn of_this_thread() -> Mask {
        // SAFETY: a structure of numbers, of which all zeros are a value.
        let mut mask = unsafe { std::mem::zeroed() };
        // SAFETY: without a set the call only tells, to a place that is ours.
        let told =
            unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &raw mut mask) };
        debug_assert_eq!(told, 0, "nothing is wrong with it");
        Mask(mask)
    }

    /// From now on the calling thread blocks these.
    pub(super) fn set(&self) {
        // SAFETY: the set is one that the C library has filled in.
        let done = unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut())
        };
        debug_assert_eq!(done, 0, "nothing is wrong with it");
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::sync::OnceLock;

    use super::*;
    use crate::scheduler::Scheduler;
    use crate::thread::Thread;
    use crate::worker;

    /// Every signal.
    fn full() -> Mask {
        let mut mask = Mask::of_this_thread();
        // SAFETY: the set is ours.
        assert_eq!(unsafe { libc::sigfillset(&raw mut mask.0) }, 0);
        mask
    }

    fn blocks(signal: libc::c_int) -> bool {
        let mask = Mask::of_this_thread();
        // SAFETY: the set is ours, and filled in.
        unsafe { libc::sigismember(&raw const mask.0, signal) == 1 }
    }

    static BLOCKS: OnceLock<bool> = OnceLock::new();

    /// The life of a worker that begins with a look at its mask.
    fn life(thread: &'static Thread) {
        let first = BLOCKS.set(blocks(libc::SIGWINCH));
        first.expect("one thread has this life");
        worker::run(thread);
    }

    #[test]
    fn a_thread_blocks_what_the_builder_of_the_scheduler_did() {
        let scheduler = Scheduler::builder().workers(1).build().expect("threads");
        let before = Mask::of_this_thread();
        assert!(!blocks(libc::SIGWINCH));
        full().set();
        assert!(blocks(libc::SIGWINCH));
        let started = scheduler.core().add_thread(None, life, |_| {});
        before.set();
        started.expect("there can be one more");
        assert!(!BLOCKS.wait(), "it has the mask of the one that started it");
    }
}
