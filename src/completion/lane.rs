//! The transfers of a stream in one direction, in their order, and whether it is worth while to attempt the first of them.
//!
//! An attempt that would have to wait is a call of the kernel for nothing, since the kernel's ring makes the same attempt before
//! it waits. One that succeeds is cheaper than the way through the ring. What comes next is presumably like what came
//! last: a lane whose transfers have had to wait a few times in a row leaves most attempts out, until one succeeds.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::{Mutex, MutexGuard};

/// After so many that had to wait...
const FEW: u32 = 4;
/// ... one of so many is attempted.
const SELDOM: u32 = 16;

/// See the module docs.
#[derive(Debug)]
pub(super) struct Lane<T> {
    queue: Mutex<VecDeque<T>>,
    /// How often it was asked whether an attempt is worth while since the last one that succeeded.
    without_success: AtomicU32,
}

impl<T> Default for Lane<T> {
    fn default() -> Lane<T> {
        Lane {
            queue: Mutex::default(),
            without_success: AtomicU32::new(0),
        }
    }
}

impl<T> Lane<T> {
    /// Its transfers. Only the first is attempted, or with the engine.
    pub(super) fn queue(&self) -> MutexGuard<'_, VecDeque<T>> {
        self.queue.lock()
    }

    /// Once for each attempt that there might be. By who has the first of the lane.
    pub(super) fn is_worth_an_attempt(&self) -> bool {
        // Relaxed, and no read-modify-write: whoever has the first is alone. If it were not so, one attempt more or less.
        let count = self.without_success.load(Ordering::Relaxed);
        self.without_success
            .store(count.wrapping_add(1), Ordering::Relaxed);
        count < FEW || count.is_multiple_of(SELDOM)
    }

    /// An attempt has moved something without waiting.
    pub(super) fn note_success(&self) {
        self.without_success.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_become_rare_without_success_and_usual_with_the_first() {
        let lane: Lane<()> = Lane::default();
        let made = |count: u32| (0..count).filter(|_| lane.is_worth_an_attempt()).count();
        assert_eq!(made(4), 4);
        assert_eq!(made(160), 10);
        lane.note_success();
        assert_eq!(made(4), 4);
    }
}
