//! Which calls of unmanaged functions a runtime has to announce (`CallNeedsHostHook`).
//!
//! *Learned* goes by what announced calls do. A function that has returned quickly so many times in a row without calling back
//! is *trusted*, and its calls are not announced any more, but for one of many, by which its trust is checked. One that is
//! slow some times in a row loses the trust, and one that calls back never gets it again.
//!
//! Each answer is for one call. A runtime that asks only once for a function keeps the answer that it got, which is *announce*
//! unless the function was trusted by then.
//!
//! The table has a fixed size and no lock. Functions that find no place in it are announced. Beside what was learned it keeps
//! counts and times of the announced calls, for the operator.
#![forbid(unsafe_code)]

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// Which calls of unmanaged functions a runtime has to announce.
#[derive(Clone, Default)]
pub enum Hooks {
    /// All.
    #[default]
    Always,
    /// None: for unmanaged code that neither blocks, nor takes locks, nor calls back.
    Never,
    /// Those for whose address this says so. It must be quick, and say the same each time.
    Ask(Arc<dyn Fn(usize) -> bool + Send + Sync>),
    /// Those that have not shown that they return quickly.
    Learned(Learning),
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Hooks::Always => "Always",
            Hooks::Never => "Never",
            Hooks::Ask(_) => "Ask",
            Hooks::Learned(_) => "Learned",
        })
    }
}

/// When a function is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Learning {
    /// A call that takes longer is slow.
    pub slow: Duration,
    /// So many quick calls in a row make a function trusted.
    pub quick_calls: u32,
    /// So many slow ones in a row make a trusted function lose that.
    pub slow_calls: u32,
    /// One of so many calls of a trusted function is announced.
    pub check_every: u32,
}

impl Default for Learning {
    fn default() -> Self {
        Learning {
            slow: Duration::from_micros(50),
            quick_calls: 1000,
            slow_calls: 3,
            check_every: 256,
        }
    }
}

const PLACES: usize = 1024;
/// How many places are looked at for one function.
const PROBES: usize = 8;

const TRUSTED: u32 = 1 << 31;
/// It has called back.
const BARRED: u32 = 1 << 30;
/// Below those: quick calls in a row, or slow ones if it is trusted.
const COUNT: u32 = BARRED - 1;

#[derive(Debug, Default)]
struct Place {
    /// The function's address; 0: free. It never changes again.
    target: AtomicUsize,
    word: AtomicU32,
    /// How often it was asked about while it was trusted.
    asked: AtomicU64,
    /// How often of those it was to be announced.
    checked: AtomicU64,
    /// Announced calls that have returned, and how long they took, in nanoseconds.
    returned: AtomicU64,
    time: AtomicU64,
    longest: AtomicU64,
    called_back: AtomicU64,
}

/// What is thought of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opinion {
    /// It has not shown that it returns quickly, or not of late.
    Unknown,
    /// It returns quickly: one of many calls is announced.
    Trusted,
    /// It has called back.
    Barred,
}

/// What is known of a function. Each figure stands for itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FunctionFacts {
    pub(crate) address: usize,
    pub(crate) opinion: Opinion,
    pub(crate) returned: u64,
    pub(crate) called_back: u64,
    pub(crate) unannounced: u64,
    pub(crate) time: Duration,
    pub(crate) longest: Duration,
}

impl Place {
    fn facts(&self) -> Option<FunctionFacts> {
        let address = self.target.load(Ordering::Relaxed);
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let word = self.word.load(Ordering::Relaxed);
        let opinion = match (word & BARRED != 0, word & TRUSTED != 0) {
            (true, _) => Opinion::Barred,
            (false, true) => Opinion::Trusted,
            (false, false) => Opinion::Unknown,
        };
        (address != 0).then(|| FunctionFacts {
            address,
            opinion,
            returned: load(&self.returned),
            called_back: load(&self.called_back),
            // Of two counts that change meanwhile.
            unannounced: load(&self.asked).saturating_sub(load(&self.checked)),
            time: Duration::from_nanos(load(&self.time)),
            longest: Duration::from_nanos(load(&self.longest)),
        })
    }
}

/// What was learned of each function.
#[derive(Debug)]
pub(crate) struct Learned {
    learning: Learning,
    places: Box<[Place]>,
}

impl Learned {
    pub(crate) fn new(learning: Learning) -> Learned {
        Learned {
            learning,
            places: (0..PLACES).map(|_| Place::default()).collect(),
        }
    }

    fn probes(&self, target: usize) -> impl Iterator<Item = &Place> {
        // Functions begin at multiples of 16.
        let first = (target >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (usize::BITS - 10);
        (0..PROBES).map(move |probe| &self.places[(first + probe) % PLACES])
    }

    fn find(&self, target: usize) -> Option<&Place> {
        // Relaxed: a place is never given up, and what its words say is not exact.
        self.probes(target)
            .find(|place| place.target.load(Ordering::Relaxed) == target)
    }

    fn find_or_take(&self, target: usize) -> Option<&Place> {
        self.probes(target).find(|place| {
            let there = place.target.load(Ordering::Relaxed);
            there == target
                || there == 0
                    && match place.target.compare_exchange(
                        0,
                        target,
                        Ordering::Relaxed,
                        Ordering::Relaxed,
                    ) {
                        Ok(_) => true,
                        Err(other) => other == target,
                    }
        })
    }

    /// Whether this call is to be announced.
    pub(crate) fn needs_hook(&self, target: usize) -> bool {
        let Some(place) = self.find(target).filter(|_| target != 0) else {
            return true;
        };
        if place.word.load(Ordering::Relaxed) & TRUSTED == 0 {
            return true;
        }
        let asked = place.asked.fetch_add(1, Ordering::Relaxed);
        let is_checked = asked.is_multiple_of(u64::from(self.learning.check_every.max(1)));
        if is_checked {
            place.checked.fetch_add(1, Ordering::Relaxed);
        }
        is_checked
    }

    /// An announced call has returned after this time.
    pub(crate) fn note_return(&self, target: usize, time: Duration) {
        let Some(place) = self.place_for(target) else {
            return;
        };
        let ns = time.as_nanos() as u64;
        place.returned.fetch_add(1, Ordering::Relaxed);
        place.time.fetch_add(ns, Ordering::Relaxed);
        place.longest.fetch_max(ns, Ordering::Relaxed);
        let slow = time > self.learning.slow;
        let _ = place
            .word
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
                Some(self.after(word, slow))
            });
    }

    fn after(&self, word: u32, slow: bool) -> u32 {
        let count = (word & COUNT) + 1;
        match (word & TRUSTED != 0, slow) {
            _ if word & BARRED != 0 => BARRED,
            (false, false) if count >= self.learning.quick_calls => TRUSTED,
            (false, false) => count,
            (false, true) => 0,
            (true, true) if count >= self.learning.slow_calls => 0,
            (true, true) => TRUSTED | count,
            (true, false) => TRUSTED,
        }
    }

    /// A call of it has called back.
    pub(crate) fn note_callback(&self, target: usize) {
        if let Some(place) = self.place_for(target) {
            place.word.store(BARRED, Ordering::Relaxed);
            place.called_back.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// All functions that have a place.
    pub(crate) fn facts(&self) -> Vec<FunctionFacts> {
        let known = self.places.iter().filter_map(Place::facts);
        known.collect()
    }

    /// 0 stands for no function in particular.
    fn place_for(&self, target: usize) -> Option<&Place> {
        self.find_or_take(target).filter(|_| target != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_micros(1);
    const SLOW: Duration = Duration::from_millis(1);
    const TARGET: usize = 0x7f00_1230;

    fn learned() -> Learned {
        Learned::new(Learning {
            slow: Duration::from_micros(100),
            quick_calls: 5,
            slow_calls: 2,
            check_every: 4,
        })
    }

    fn answers(learned: &Learned) -> Vec<bool> {
        (0..8).map(|_| learned.needs_hook(TARGET)).collect()
    }

    fn note(learned: &Learned, times: &[Duration]) {
        for time in times {
            learned.note_return(TARGET, *time);
        }
    }

    const CHECKED: [bool; 8] = [true, false, false, false, true, false, false, false];

    #[test]
    fn trust_is_earned_by_quick_calls_in_a_row_and_checked() {
        let learned = learned();
        assert_eq!(answers(&learned), [true; 8], "unknown");
        note(
            &learned,
            &[QUICK, QUICK, QUICK, QUICK, SLOW, QUICK, QUICK, QUICK, QUICK],
        );
        assert_eq!(answers(&learned), [true; 8], "not in a row");
        note(&learned, &[QUICK]);
        assert_eq!(answers(&learned), CHECKED);
    }

    #[test]
    fn trust_is_lost_by_slow_calls_in_a_row() {
        let learned = learned();
        note(&learned, &[QUICK; 5]);
        note(&learned, &[SLOW, QUICK, SLOW]);
        assert_eq!(answers(&learned), CHECKED, "not in a row");
        note(&learned, &[SLOW]);
        assert_eq!(answers(&learned), [true; 8]);
        note(&learned, &[QUICK; 5]);
        assert_eq!(
            answers(&learned).iter().filter(|hook| **hook).count(),
            2,
            "earned again"
        );
    }

    #[test]
    fn who_calls_back_is_never_trusted() {
        let learned = learned();
        note(&learned, &[QUICK; 5]);
        learned.note_callback(TARGET);
        note(&learned, &[QUICK; 50]);
        assert_eq!(answers(&learned), [true; 8]);
    }

    #[test]
    fn calls_are_counted_and_timed_by_function() {
        let learned = learned();
        let facts = || {
            let all = learned.facts();
            assert!(all.len() <= 1, "{all:?}");
            all.first().copied()
        };
        assert!(!answers(&learned).contains(&false) && facts().is_none());
        note(&learned, &[QUICK, SLOW, QUICK]);
        let known = facts().expect("it has a place");
        assert_eq!((known.address, known.opinion), (TARGET, Opinion::Unknown));
        assert_eq!((known.returned, known.called_back), (3, 0));
        assert_eq!((known.time, known.longest), (2 * QUICK + SLOW, SLOW));
        note(&learned, &[QUICK; 5]);
        assert_eq!(answers(&learned), CHECKED);
        let known = facts().expect("it has a place");
        assert_eq!((known.opinion, known.unannounced), (Opinion::Trusted, 6));
        learned.note_callback(TARGET);
        let known = facts().expect("it has a place");
        assert_eq!((known.opinion, known.called_back), (Opinion::Barred, 1));
    }

    #[test]
    fn functions_without_a_place_are_announced() {
        let learned = learned();
        for target in 1..=100_000 {
            for _ in 0..5 {
                learned.note_return(target << 4, QUICK);
            }
        }
        let trusted = (1..=100_000_usize)
            .filter(|target| learned.find(target << 4).is_some())
            .inspect(|target| {
                let answers = [0; 4].map(|_| learned.needs_hook(target << 4));
                assert_eq!(answers.iter().filter(|hook| **hook).count(), 1);
            })
            .count();
        assert!(trusted > PLACES / 2 && trusted <= PLACES, "{trusted}");
        assert!(learned.needs_hook(0));
        learned.note_return(0, QUICK);
        learned.note_callback(0);
        assert!((0..8).all(|_| learned.needs_hook(0)));
    }
}
