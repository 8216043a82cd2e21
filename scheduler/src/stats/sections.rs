//! What is known of native sections without a cost to them: what the monitor sees at its ticks.
//!
//! Leaving and entering are two stores, so nothing of theirs is counted by target, and no clock is read. The monitor looks at
//! every driver at each tick anyhow; a section that it sees is stamped with that time, so its age is known to a tick, and
//! one that comes and goes between two ticks is too young to be of interest.
#![forbid(unsafe_code)]

use std::time::Duration;

use crate::current::Thread;
use crate::native::Target;
use crate::primitive::{AtomicU32, AtomicU64, Ordering};
use crate::stats::coarse;

/// The section in which a thread was seen last, by the mark of its lease, and when it was first seen there.
pub(crate) struct SeenSection {
    mark: AtomicU64,
    since: AtomicU32,
}

impl SeenSection {
    pub(crate) fn new() -> SeenSection {
        SeenSection {
            mark: AtomicU64::new(0),
            since: AtomicU32::new(0),
        }
    }

    /// The monitor finds the thread out with this mark, which is odd.
    pub(crate) fn see(&self, mark: u64, now: u64) {
        // Relaxed: one writer.
        if self.mark.load(Ordering::Relaxed) != mark {
            self.since.store(coarse::ticks(now), Ordering::Relaxed);
            // Release: who finds this mark finds its time, or a newer one.
            self.mark.store(mark, Ordering::Release);
        }
    }

    /// How long the section with this mark has been seen; nothing if it is younger than a tick.
    fn age(&self, mark: u64, now: u64) -> Duration {
        // Acquire: pairs with the release above.
        if self.mark.load(Ordering::Acquire) == mark {
            coarse::age(now, self.since.load(Ordering::Relaxed))
        } else {
            Duration::ZERO
        }
    }
}

/// The section that is open on a thread: what it calls, and its age.
pub(crate) fn open(thread: &Thread, now: u64) -> Option<(&'static Target, Duration)> {
    let mark = thread.lease.out()?;
    // A thread that sleeps with its task is out as well, and so is one that was adopted and is in no section yet.
    if thread.sleeps_with().is_some() {
        return None;
    }
    let target = Target::stored(thread.target.load(Ordering::Relaxed))?;
    let age = thread.section.age(mark, now);
    // What was read is of one section.
    (thread.lease.out() == Some(mark)).then_some((target, age))
}

/// How many sections were opened on a thread so far, a sleep with its task counted as one.
pub(crate) fn opened(thread: &Thread) -> u64 {
    thread.lease.left()
}
