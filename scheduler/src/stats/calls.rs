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
//! Of a target that was not in *now* the reader finds kept what the last of its calls had made it before that *now*: step 2
//! of whatever came after them is visible. So each count is exact for some moment during the reading, and never falls. Between
//! different targets there is no common moment.
#![forbid(unsafe_code)]

#[cfg(not(any(loom, shuttle)))]
mod numbers;
#[cfg(any(loom, shuttle))]
mod without;

use std::sync::OnceLock;

use crate::native::Target;
use crate::primitive::{AtomicU64, Ordering};
use crate::scheduler::Core;
#[cfg(not(any(loom, shuttle)))]
pub(crate) use numbers::{Calls, Number};
#[cfg(any(loom, shuttle))]
pub(crate) use without::{Calls, Number};

/// Of *now*: above this the number, below it the count.
const SHIFT: u32 = 54;
const COUNT: u64 = (1 << SHIFT) - 1;
/// So many numbers there are; 0 is for who has none. A model has no use for more than a few.
const NUMBERS: usize = if cfg!(any(loom, shuttle)) {
    4
} else {
    1 << (u64::BITS - SHIFT)
};

/// What a thread has called, by number. Written by this thread.
pub(crate) struct Counts {
    now: AtomicU64,
    /// 8 KiB, of threads that have called something.
    kept: OnceLock<Box<[AtomicU64; NUMBERS]>>,
}

impl Counts {
    pub(crate) fn new() -> Counts {
        Counts {
            now: AtomicU64::new(0),
            kept: OnceLock::new(),
        }
    }

    /// Step 1.
    #[inline(always)]
    pub(crate) fn again(&self) {
        let now = self.now.load(Ordering::Relaxed);
        self.now.store(now + 1, Ordering::Release);
    }

    /// Step 2, and the first calls. `false`: there has to be [room](Counts::make_room) before.
    #[inline(always)]
    pub(crate) fn turn_to(&self, number: usize, calls: u64) -> bool {
        let Some(kept) = self.kept.get() else {
            return false;
        };
        let now = self.now.load(Ordering::Relaxed);
        // Relaxed: the release below is behind it.
        kept[(now >> SHIFT) as usize].store(now & COUNT, Ordering::Relaxed);
        let count = kept[number].load(Ordering::Relaxed) + calls;
        let order = if cfg!(feature = "bug_calls_release") {
            Ordering::Relaxed
        } else {
            Ordering::Release
        };
        self.now.store((number as u64) << SHIFT | count, order);
        true
    }

    #[cold]
    pub(crate) fn make_room(&self) {
        self.kept.get_or_init(|| {
            let kept: Box<[AtomicU64]> = (0..NUMBERS).map(|_| AtomicU64::new(0)).collect();
            kept.try_into().expect("it has so many")
        });
    }

    /// Step 3: adds to the sums, which are by number.
    pub(crate) fn add_to(&self, sums: &mut [u64]) {
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

/// How often the threads of a scheduler have called each target, if they have.
pub(super) fn all(core: &Core) -> Vec<(&'static Target, u64)> {
    #[cfg(not(any(loom, shuttle)))]
    return numbers::sums(core.threads.iter());
    #[cfg(any(loom, shuttle))]
    return without::sums(core);
}
