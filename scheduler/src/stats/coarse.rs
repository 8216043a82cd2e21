//! The time, roughly, for paths on which no clock may be read: a word of each thread that others keep up to date.
//!
//! The monitor writes it at each of its ticks, for each thread that drives a slot; a thread writes it when it comes back
//! from a sleep, in which the monitor may have slept as well. So it is late by a tick of the monitor at most, which is a
//! millisecond unless the scheduler is set up otherwise.
//!
//! Its unit is 2²⁰ ns, so that 32 bits hold 52 days; ages are differences, and are right up to that.
#![forbid(unsafe_code)]

use std::time::Duration;

use crate::primitive::{AtomicU32, Ordering};
use crate::scheduler::Core;
use crate::thread::Thread;

const SHIFT: u32 = 20;

/// A time of the scheduler's clock in this unit.
pub(crate) fn ticks(now: u64) -> u32 {
    (now >> SHIFT) as u32
}

/// How long before `now` that was; never negative, since a stamp may be newer than what `now` was read from.
pub(crate) fn age(now: u64, stamp: u32) -> Duration {
    let age = ticks(now).wrapping_sub(stamp);
    let age = if age > u32::MAX / 2 { 0 } else { age };
    Duration::from_nanos(u64::from(age) << SHIFT)
}

/// Notes a time with a task. In a model nobody looks at it, and the store would be one more step to try.
#[inline(always)]
pub(crate) fn stamp(place: &AtomicU32, now: u32) {
    if !cfg!(any(loom, shuttle)) {
        // Relaxed: others only show it.
        place.store(now, Ordering::Relaxed);
    }
}

/// A thread's word.
pub(crate) struct Coarse(AtomicU32);

impl Coarse {
    pub(crate) fn new() -> Coarse {
        Coarse(AtomicU32::new(0))
    }

    #[inline(always)]
    pub(crate) fn now(&self) -> u32 {
        if cfg!(any(loom, shuttle)) {
            return 0;
        }
        self.0.load(Ordering::Relaxed)
    }

    /// For whoever has read the clock.
    pub(crate) fn set(&self, now: u64) {
        stamp(&self.0, ticks(now));
    }
}

impl Thread {
    /// Reads the clock, after a sleep.
    pub(crate) fn refresh_coarse(&self) {
        if !cfg!(any(loom, shuttle)) {
            self.coarse.set(self.core().now());
            self.times.forget_reading();
        }
    }
}

/// For the monitor, whenever it is awake: all that drive a slot.
pub(crate) fn refresh(core: &'static Core) {
    let now = core.now();
    for slot in &core.slots {
        core.driver(slot).coarse.set(now);
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn ages_are_right_across_the_end_of_the_word_and_never_negative() {
        let before = u64::from(u32::MAX) << SHIFT;
        let after = before + (5 << SHIFT);
        assert_eq!(
            age(after, ticks(before)),
            Duration::from_nanos(5 << SHIFT),
            "the word began anew in between"
        );
        assert_eq!(age(before, ticks(after)), Duration::ZERO);
        assert_eq!(age(7 << SHIFT, 7), Duration::ZERO);
    }
}
