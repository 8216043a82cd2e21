//! How often tasks wait, and for what: a counter for each reason in each thread, summed on reading.
//!
//! A wait is counted when it begins, also if what it waits for turns out to be there already; and on the thread where it
//! begins, so that a counter has one writer. Waits that block a plain thread, or the thread of a task in a native section,
//! are not a task's, and are not counted.
#![forbid(unsafe_code)]

use crate::stats::coarse;
use crate::task::Task;
use crate::thread::Thread;
use crate::wait::WaitReason;

pub(crate) use counters::Waits;

#[cfg(not(any(loom, shuttle)))]
mod counters {
    use crate::primitive::{AtomicU64, Ordering};
    use crate::thread::Thread;
    use crate::wait::WaitReason;

    /// One for each number that a reason could have, so that no index has to be checked.
    const REASONS: usize = 256;

    pub(crate) struct Waits(Box<[AtomicU64; REASONS]>);

    impl Waits {
        pub(crate) fn new() -> Waits {
            Waits(Box::new([const { AtomicU64::new(0) }; REASONS]))
        }

        #[inline(always)]
        pub(super) fn count(&self, reason: WaitReason) {
            Thread::count(&self.0[reason as u8 as usize]);
        }

        /// All of them, by the number of the reason, at one go (`stats/snapshot.rs`).
        pub(crate) fn all(&self) -> [u64; WaitReason::COUNT] {
            // Relaxed: each counter is exact for some moment.
            std::array::from_fn(|reason| self.0[reason].load(Ordering::Relaxed))
        }
    }
}

/// A model has no use for them.
#[cfg(any(loom, shuttle))]
mod counters {
    use crate::wait::WaitReason;

    pub(crate) struct Waits;

    impl Waits {
        pub(crate) fn new() -> Waits {
            Waits
        }

        pub(super) fn count(&self, _: WaitReason) {}

        pub(crate) fn all(&self) -> [u64; WaitReason::COUNT] {
            [0; WaitReason::COUNT]
        }
    }
}

/// A task begins to wait. It runs on this thread, which is the caller's.
#[inline(always)]
pub(crate) fn begin(thread: &Thread, task: &Task, reason: WaitReason) {
    task.set_reason(reason);
    coarse::stamp(&task.since, thread.coarse.now());
    thread.waits.count(reason);
}
