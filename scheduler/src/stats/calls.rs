//! How often native sections were opened, by what they call: exact, and for who calls the same again at no more than the
//! price of a store.
//!
//! A thread counts in one word, *now*: the number of a target in its upper bits, and how often the thread has called
//! it in the others. What it has called of other targets is *kept* by number. One writer for all of it, the thread.
//!
//! 1. A call of the target that *now* is about adds one to *now* (release).
//! 2. Before another one is called, the count of *now* is kept under its number, and then *now* is set to the other's number
//!    and what is kept of that (release).
//! 3. A reader reads *now* (acquire) and then what is kept. Of the target that it found in *now* it takes the larger count.
//!
//! What the reader finds kept of a target that was not in *now* is at least what its last call before had made it: step 2 of
//! whatever came after is visible. So each count is exact for some moment during the reading, and never falls.
#![forbid(unsafe_code)]

pub(crate) use counters::{Calls, Number};

use crate::native::Target;
use crate::scheduler::Core;

/// The targets beyond those that have numbers.
static OTHERS: Target = Target::new("code without a number of its own");

#[cfg(not(any(loom, shuttle)))]
mod counters {
    use std::sync::OnceLock;

    use super::OTHERS;
    use crate::native::Target;
    use crate::primitive::{AtomicU32, AtomicU64, Mutex, Ordering, Plain};
    use crate::thread::Thread;

    /// Of `now`: above this the number, below it the count.
    const SHIFT: u32 = 54;
    const COUNT: u64 = (1 << SHIFT) - 1;
    /// So many numbers there are; 0 is for who has none.
    const NUMBERS: usize = 1 << (u64::BITS - SHIFT);

    /// The targets with numbers, from 1 on.
    static NUMBERED: Mutex<Vec<&'static Target>> = Mutex::new(Vec::new());

    /// A target's number in the process, which it gets when it is first called.
    pub(crate) struct Number(AtomicU32);

    impl Number {
        pub(crate) const fn none() -> Number {
            Number(AtomicU32::new(0))
        }

        /// The number of a target that has been called before.
        #[inline(always)]
        fn known(target: &'static Target) -> Option<usize> {
            match target.number.0.load(Ordering::Relaxed) {
                0 => None,
                number => Some(number as usize % NUMBERS),
            }
        }

        fn of(target: &'static Target) -> usize {
            Number::known(target).unwrap_or_else(|| Number::give(target, &mut NUMBERED.lock()))
        }

        #[cold]
        fn give(target: &'static Target, numbered: &mut Vec<&'static Target>) -> usize {
            let number = &target.number.0;
            // Somebody else may have been faster.
            if number.load(Ordering::Relaxed) == 0 {
                numbered.push(target);
                number.store(numbered.len() as u32, Ordering::Relaxed);
                if numbered.len() == NUMBERS {
                    // This number stands for none: it is the same for all who come from now on.
                    numbered.pop();
                }
            }
            number.load(Ordering::Relaxed) as usize % NUMBERS
        }
    }

    /// What a thread has called. Written by this thread.
    pub(crate) struct Calls {
        /// The address of the target that `now` is about; 0: the next leave is to take the other way. Owner: the thread.
        of: Plain<usize>,
        now: AtomicU64,
        /// By number: 8 KiB, of threads that have called something.
        kept: OnceLock<Box<[AtomicU64; NUMBERS]>>,
    }

    impl Calls {
        pub(crate) fn new() -> Calls {
            Calls {
                of: Plain::new(0),
                now: AtomicU64::new(0),
                kept: OnceLock::new(),
            }
        }

        /// Step 1. `false`: it is not known to be the same target, and nothing was counted.
        #[inline(always)]
        pub(crate) fn again(&self, target: &'static Target) -> bool {
            let is_same = self.is_of(target);
            if is_same {
                let now = self.now.load(Ordering::Relaxed);
                self.now.store(now + 1, Ordering::Release);
            }
            is_same
        }

        /// Whether *now* is known to be about this target.
        #[inline(always)]
        pub(crate) fn is_of(&self, target: &'static Target) -> bool {
            self.of.get() == std::ptr::from_ref(target).addr()
        }

        /// The next leave is to take the other way.
        pub(crate) fn ask(&self) {
            self.of.set(0);
        }

        /// Step 2, and whether the next call of this target may be counted by step 1. `false`: there has to be
        /// [room](Calls::make_room) for it first, and nothing was done.
        #[inline(always)]
        pub(crate) fn turn_to(
            &self,
            target: &'static Target,
            calls: u64,
            may_repeat: bool,
        ) -> bool {
            let (Some(kept), Some(number)) = (self.kept.get(), Number::known(target)) else {
                return false;
            };
            let now = self.now.load(Ordering::Relaxed);
            // Relaxed: the release below is behind it.
            kept[(now >> SHIFT) as usize].store(now & COUNT, Ordering::Relaxed);
            let count = kept[number].load(Ordering::Relaxed) + calls;
            self.now
                .store((number as u64) << SHIFT | count, Ordering::Release);
            let address = std::ptr::from_ref(target).addr();
            self.of.set(if may_repeat { address } else { 0 });
            true
        }

        /// Room for the calls of a target that was not called before, or not here.
        #[cold]
        pub(crate) fn make_room(&self, target: &'static Target) {
            Number::of(target);
            self.kept
                .get_or_init(|| Box::new([const { AtomicU64::new(0) }; NUMBERS]));
        }

        /// Step 3: adds to the sums, which are by number.
        fn add_to(&self, sums: &mut [u64]) {
            let now = self.now.load(Ordering::Acquire);
            let Some(all) = self.kept.get() else {
                return;
            };
            for (number, (sum, kept)) in sums.iter_mut().zip(all.iter()).enumerate() {
                let kept = kept.load(Ordering::Relaxed);
                let is_now = (now >> SHIFT) as usize == number;
                *sum += if is_now { kept.max(now & COUNT) } else { kept };
            }
        }
    }

    /// How often these threads have called each target, if they have.
    pub(super) fn sums<'a>(
        threads: impl Iterator<Item = &'a Thread>,
    ) -> Vec<(&'static Target, u64)> {
        let numbered = NUMBERED.lock().clone();
        let targets = std::iter::once(&OTHERS).chain(numbered);
        let mut sums = vec![0; targets.size_hint().0];
        for thread in threads {
            thread.calls.add_to(&mut sums);
        }
        targets.zip(sums).filter(|&(_, sum)| sum > 0).collect()
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn turn(calls: &Calls, target: &'static Target, count: u64, may_repeat: bool) {
            while !calls.turn_to(target, count, may_repeat) {
                calls.make_room(target);
            }
        }

        fn sum(calls: &Calls, target: &'static Target) -> u64 {
            let mut sums = vec![0; NUMBERS];
            calls.add_to(&mut sums);
            sums[Number::of(target)]
        }

        #[test]
        fn each_call_is_counted_whatever_is_called_in_between() {
            static ONE: Target = Target::new("one");
            static OTHER: Target = Target::new("other");
            let calls = Calls::new();
            let call = |target| {
                if !calls.again(target) {
                    turn(&calls, target, 1, true);
                }
            };
            for round in 1..=100 {
                call(&ONE);
                call(&ONE);
                call(&OTHER);
                // It goes on, after a callback.
                turn(&calls, &ONE, 0, true);
                calls.ask();
                assert_eq!((sum(&calls, &ONE), sum(&calls, &OTHER)), (2 * round, round));
            }
        }

        /// Readers while one thread calls two targets in turn: what is read never falls, and in the end is all.
        #[test]
        fn what_is_read_meanwhile_never_falls() {
            static ONE: Target = Target::new("one");
            static OTHER: Target = Target::new("other");
            const CALLS: u64 = 300_000;
            let calls = Calls::new();
            let both = || [&ONE, &OTHER].map(|target| sum(&calls, target));
            std::thread::scope(|scope| {
                let writer = scope.spawn(|| {
                    for call in 0..CALLS {
                        // In runs of one to three.
                        let target = if call % 5 < 3 { &ONE } else { &OTHER };
                        if !calls.again(target) {
                            turn(&calls, target, 1, call % 7 > 0);
                        }
                    }
                });
                let mut last = [0; 2];
                while !writer.is_finished() {
                    let now = both();
                    assert!(now[0] >= last[0] && now[1] >= last[1], "{last:?} {now:?}");
                    last = now;
                }
            });
            assert_eq!(both(), [CALLS / 5 * 3, CALLS / 5 * 2]);
        }

        #[test]
        fn who_comes_when_all_numbers_are_given_has_none() {
            let mut numbered: Vec<&'static Target> = Vec::new();
            let numbers: Vec<usize> = (0..NUMBERS + 2)
                .map(|_| {
                    Number::give(
                        Box::leak(Box::new(Target::new("one of many"))),
                        &mut numbered,
                    )
                })
                .collect();
            assert!(numbers[..NUMBERS - 1].iter().copied().eq(1..NUMBERS));
            assert_eq!(numbers[NUMBERS - 1..], [0; 3]);
            assert_eq!(numbered.len(), NUMBERS - 1);
        }
    }
}

/// A model has no use for them.
#[cfg(any(loom, shuttle))]
mod counters {
    use crate::native::Target;
    use crate::thread::Thread;

    pub(crate) struct Number;

    impl Number {
        pub(crate) const fn none() -> Number {
            Number
        }
    }

    pub(crate) struct Calls;

    impl Calls {
        pub(crate) fn new() -> Calls {
            Calls
        }

        pub(crate) fn again(&self, _: &'static Target) -> bool {
            false
        }

        pub(crate) fn is_of(&self, _: &'static Target) -> bool {
            false
        }

        pub(crate) fn ask(&self) {}

        pub(crate) fn turn_to(&self, _: &'static Target, _: u64, _: bool) -> bool {
            true
        }

        pub(crate) fn make_room(&self, _: &'static Target) {}
    }

    pub(super) fn sums<'a>(_: impl Iterator<Item = &'a Thread>) -> Vec<(&'static Target, u64)> {
        Vec::new()
    }
}

/// How often the threads of a scheduler have called each target, if they have.
pub(super) fn all(core: &Core) -> Vec<(&'static Target, u64)> {
    counters::sums(core.threads.iter())
}
