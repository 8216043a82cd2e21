//! A ring of events with one writer, read while it is written.
//!
//! An event is a *unit* of two words, stamp and content, or two units, of which the second has what else there is to say.
//! *head* counts the units ever written.
//!
//! 1. The writer stores the units of an event at *head* (release), then the *head* behind them (release).
//! 2. The reader reads *head* (acquire) and then the units before it, as many as the ring has.
//! 3. Behind a fence it reads *head* again. The writer may by then have written over every unit whose number plus the
//!    size of the ring is below the new *head*, and is perhaps at the event after that: these are thrown away, and counted as
//!    lost.
//!
//! If step 2 read a unit of a later round, the writer had stored the *head* before that unit's event before (release and
//! acquire by way of the unit itself), so step 3 sees it.
#![forbid(unsafe_code)]

use std::sync::OnceLock;

use crate::primitive::{AtomicU64, Ordering, fence};

/// Units in a ring: 128 KiB of memory, and that only where something was recorded.
pub(crate) const UNITS: usize = 8192;
const MASK: u64 = UNITS as u64 - 1;

type Unit = [AtomicU64; 2];
/// The most units of an event.
const EVENT: u64 = 2;

pub(crate) struct Ring {
    head: AtomicU64,
    units: OnceLock<Box<[Unit; UNITS]>>,
}

/// What was found in a ring.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Units in the order in which they were written.
    pub(crate) units: Vec<[u64; 2]>,
    /// How many were written over before they could be read.
    pub(crate) lost: u64,
}

impl Ring {
    pub(crate) fn new() -> Ring {
        Ring {
            head: AtomicU64::new(0),
            units: OnceLock::new(),
        }
    }

    /// Appends the units of an event. One writer.
    #[inline(always)]
    pub(crate) fn push<const N: usize>(&self, event: [[u64; 2]; N]) {
        const { assert!(N as u64 <= EVENT) };
        let units = self.units.get_or_init(make);
        let mut head = self.head.load(Ordering::Relaxed);
        // Step 1.
        for [stamp, content] in event {
            let unit = &units[(head & MASK) as usize];
            unit[0].store(stamp, Ordering::Release);
            unit[1].store(content, Ordering::Release);
            head += 1;
        }
        self.head.store(head, Ordering::Release);
    }

    /// Reads what is there.
    pub(crate) fn read(&self) -> Found {
        let Some(units) = self.units.get() else {
            return Found::default();
        };
        // Step 2.
        let head = self.head.load(Ordering::Acquire);
        let first = head.saturating_sub(UNITS as u64);
        let read = |number: u64| {
            let unit = &units[(number & MASK) as usize];
            [
                unit[0].load(Ordering::Acquire),
                unit[1].load(Ordering::Acquire),
            ]
        };
        let mut found: Vec<_> = (first..head).map(read).collect();
        // Step 3.
        fence(Ordering::Acquire);
        let now = self.head.load(Ordering::Acquire);
        let kept_from = (now + EVENT).saturating_sub(UNITS as u64).max(first);
        found.drain(..((kept_from - first) as usize).min(found.len()));
        Found {
            units: found,
            lost: kept_from.min(head),
        }
    }
}

#[cold]
fn make() -> Box<[Unit; UNITS]> {
    let units: Box<[Unit]> = (0..UNITS)
        .map(|_| [AtomicU64::new(0), AtomicU64::new(0)])
        .collect();
    units.try_into().expect("it has so many")
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    /// A writer that is never behind: what is read is whole, in order, and the newest.
    #[test]
    fn what_is_read_while_the_ring_is_written_over_is_whole() {
        const ROUNDS: u64 = 200;
        let ring = Ring::new();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..ROUNDS * UNITS as u64 {
                    ring.push([[number, !number]]);
                }
                done.store(true, Ordering::Release);
            });
            let mut wrapped = 0;
            loop {
                let last = done.load(Ordering::Acquire);
                let found = ring.read();
                for (index, unit) in found.units.iter().enumerate() {
                    let number = found.lost + index as u64;
                    assert_eq!(*unit, [number, !number]);
                }
                wrapped += u64::from(found.lost > 0);
                if last {
                    assert_eq!(found.lost, (ROUNDS - 1) * UNITS as u64 + EVENT);
                    break;
                }
            }
            assert!(wrapped > 0, "the ring was never read after it had wrapped");
        });
    }
}
