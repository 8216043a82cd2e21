//! Targets by number, and which of them a thread called last.
#![forbid(unsafe_code)]

use super::{Counts, NUMBERS};
use crate::native::Target;
use crate::primitive::{AtomicU32, Mutex, Ordering, Plain};
use crate::thread::Thread;

/// The targets with numbers, from 1 on.
static NUMBERED: Mutex<Vec<&'static Target>> = Mutex::new(Vec::new());
/// The targets beyond those that have numbers.
static OTHERS: Target = Target::new("code without a number of its own");

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
    /// The address of the target that is counted now; 0: the next leave is to take the other way. Owner: the thread.
    of: Plain<usize>,
    counts: Counts,
}

impl Calls {
    pub(crate) fn new() -> Calls {
        Calls {
            of: Plain::new(0),
            counts: Counts::new(),
        }
    }

    /// Step 1. `false`: it is not known to be the same target, and nothing was counted.
    #[inline(always)]
    pub(crate) fn again(&self, target: &'static Target) -> bool {
        let is_same = self.is_of(target);
        if is_same {
            self.counts.again();
        }
        is_same
    }

    /// Whether this target is known to be counted now.
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
    pub(crate) fn turn_to(&self, target: &'static Target, calls: u64, may_repeat: bool) -> bool {
        let number = Number::known(target);
        if !number.is_some_and(|number| self.counts.turn_to(number, calls)) {
            return false;
        }
        let address = std::ptr::from_ref(target).addr();
        self.of.set(if may_repeat { address } else { 0 });
        true
    }

    /// Room for the calls of a target that was not called before, or not here.
    #[cold]
    pub(crate) fn make_room(&self, target: &'static Target) {
        Number::of(target);
        self.counts.make_room();
    }
}

/// How often these threads have called each target, if they have.
pub(super) fn sums<'a>(threads: impl Iterator<Item = &'a Thread>) -> Vec<(&'static Target, u64)> {
    let numbered = NUMBERED.lock().clone();
    let mut sums = vec![0; numbered.len() + 1];
    for thread in threads {
        thread.calls.counts.add_to(&mut sums);
    }
    let targets = std::iter::once(&OTHERS).chain(numbered);
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
        calls.counts.add_to(&mut sums);
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

    #[test]
    fn who_comes_when_all_numbers_are_given_has_none() {
        static MANY: [Target; NUMBERS + 2] = [const { Target::new("one of many") }; NUMBERS + 2];
        let mut numbered: Vec<&'static Target> = Vec::new();
        let numbers = MANY
            .iter()
            .map(|target| Number::give(target, &mut numbered));
        let numbers: Vec<usize> = numbers.collect();
        assert!(numbers[..NUMBERS - 1].iter().copied().eq(1..NUMBERS));
        assert_eq!(numbers[NUMBERS - 1..], [0; 3]);
        assert_eq!(numbered.len(), NUMBERS - 1);
    }
}
