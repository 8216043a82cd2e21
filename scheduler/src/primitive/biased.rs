//! A lock that costs its owner two plain stores and a load, and a taker a process-wide barrier.
//!
//! The owner of a slot works on its private queue at every switch; others want it once in a while:
//! a thief that found nothing else, a monitor that rescues what stands behind a hog.
//!
//! Protocol, with the names the code uses:
//!
//! 1. Owner: *busy* := 1; light barrier; read *asked*. Not asked: work; *busy* := 0 (release).
//! 2. Owner, asked: *busy* := 0, then take the takers' lock like anybody else. While it holds that lock there is no taker.
//! 3. Taker: take the takers' lock (one at a time); *asked* := 1; heavy barrier; wait a bounded time for *busy* = 0.
//! 4. Taker, not busy: it has the value until it stores *asked* := 0 (release). Still busy: *asked* := 0, nothing was touched.
//!
//! Store buffering is the race to exclude: the owner stores *busy* and loads *asked*, the taker the other way round.
//! The barrier pair makes at least one see the other's store. If the owner misses *asked*, the taker sees *busy*
//! and waits; if the taker misses *busy*, the owner sees *asked* and steps back (2).
//! Where the barrier is not asymmetric the owner is asked always, and takes the lock each time, which orders both sides.
//! The taker's acquire of *busy* = 0 pairs with the owner's release, and the owner's acquire of *asked* = 0 with the taker's.

use std::cell::UnsafeCell;

use crate::primitive::barrier::{assumed, heavy, needs_fence};
use crate::primitive::collisions::{self, For};
use crate::primitive::{AtomicU32, Mutex, Ordering};

/// How often a taker looks whether the owner is done before it withdraws.
#[cfg(not(any(loom, shuttle)))]
const LOOKS: u32 = 2_000;
#[cfg(any(loom, shuttle))]
const LOOKS: u32 = 1;

/// In *asked*.
const ASKED: u32 = 1;
/// The owner is to take the lock always.
const ALWAYS: u32 = 2;

pub(crate) struct Biased<T> {
    busy: AtomicU32,
    asked: AtomicU32,
    takers: Mutex<()>,
    value: UnsafeCell<T>,
}

/// *Asked* while nobody asks.
fn unasked() -> u32 {
    if needs_fence() { ALWAYS } else { 0 }
}

// SAFETY: the protocol in the module docs lets one thread at a time reach the value.
unsafe impl<T: Send> Sync for Biased<T> {}
// SAFETY: the lock owns its value.
unsafe impl<T: Send> Send for Biased<T> {}

impl<T> Biased<T> {
    pub(crate) fn new(value: T) -> Self {
        Biased {
            busy: AtomicU32::new(0),
            asked: AtomicU32::new(unasked()),
            takers: Mutex::new(()),
            value: UnsafeCell::new(value),
        }
    }

    /// Steps 1 and 2. Only the thread that drives the slot calls this, and not from inside `work`.
    #[inline(always)]
    pub(crate) fn own<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        self.busy.store(1, Ordering::Relaxed);
        assumed();
        // Acquire: pairs with the taker's release of `asked`; what it did to the value is visible.
        if self.asked.load(Ordering::Acquire) != 0 && !cfg!(feature = "bug_biased_asked") {
            return self.own_slow(work);
        }
        // SAFETY: we are the owner and `busy` is set; a taker that asked before was seen just now,
        // one that asks later sees `busy` (module docs) and does not touch the value.
        let result = work(unsafe { &mut *self.value.get() });
        let order = if cfg!(feature = "bug_biased_release") {
            Ordering::Relaxed
        } else {
            Ordering::Release
        };
        // Release: pairs with the taker's acquire of `busy`.
        self.busy.store(0, order);
        result
    }

    #[cold]
    fn own_slow<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        self.busy.store(0, Ordering::Release);
        // Relaxed: only to be counted.
        if self.asked.load(Ordering::Relaxed) == ASKED {
            collisions::begin(For::Slot);
        }
        let _no_taker = self.takers.lock();
        // SAFETY: the takers' lock is ours, so there is no taker, and the owner is this thread.
        work(unsafe { &mut *self.value.get() })
    }

    /// Steps 3 and 4, for any other thread. `None`: the owner stayed busy, nothing was touched.
    pub(crate) fn take<R>(&self, work: impl FnOnce(&mut T) -> R) -> Option<R> {
        let _one_taker = self.takers.lock();
        self.asked.store(ASKED, Ordering::Relaxed);
        heavy();
        if !self.owner_is_out() {
            self.asked.store(unasked(), Ordering::Release);
            return None;
        }
        // SAFETY: `asked` was visible before `busy` was read as 0 (heavy barrier), so the owner, at its next step 1,
        // sees it and waits for the takers' lock, which is ours.
        let result = work(unsafe { &mut *self.value.get() });
        // Release: pairs with the owner's acquire of `asked`.
        self.asked.store(unasked(), Ordering::Release);
        Some(result)
    }

    fn owner_is_out(&self) -> bool {
        for look in 0..LOOKS {
            // Acquire: pairs with the owner's release of `busy`.
            if self.busy.load(Ordering::Acquire) == 0 {
                if look > 0 {
                    collisions::begin(For::Slot);
                    collisions::end(For::Slot, u64::from(look), 0);
                }
                return true;
            }
            std::hint::spin_loop();
        }
        collisions::begin(For::Slot);
        collisions::end(For::Slot, u64::from(LOOKS), 1);
        false
    }
}
