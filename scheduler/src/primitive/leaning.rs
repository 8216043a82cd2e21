//! A spin lock that leans towards the worker that uses it all the time: to that one, taking it is two plain stores and
//! two loads.
//!
//! What tasks of one worker do with each other needs no locked instruction (an event that they signal each other by, say),
//! but which threads will come is not known before. So the lock watches, and is wrong at a price.
//!
//! Protocol, with the names the code uses:
//!
//! 1. Anybody: take the *shared* lock, a [`SpinLock`]. If the lock leans towards nobody, that is all.
//! 2. Under the shared lock it is noted who came. Whoever came so often in a row that nobody else did has it lean towards
//!    itself: *towards* := the worker.
//! 3. The worker it leans towards: *busy* := 1; light barrier; look at *towards* again. Still itself: it has the value until
//!    it stores *busy* := 0 (release). Otherwise *busy* := 0, and step 1.
//! 4. Anybody else, with the shared lock, finds that it leans: *towards* := nobody; heavy barrier; wait for *busy* = 0
//!    (acquire). From then on the shared lock is all there is, until somebody has come even more often in a row.
//!
//! *Towards* is written only under the shared lock; the worker's own look without it can miss nothing but step 4.
//!
//! Store buffering is the race to exclude: in step 3 the worker stores *busy* and loads *towards*, in step 4 the other one
//! the other way round. The barrier pair makes at least one see the other's store: if the worker misses that the lock no
//! longer leans, the other one sees *busy* and waits; if that one misses *busy*, the worker sees *towards* and steps back.
//! The acquire of *busy* = 0 pairs with the worker's release; what was done under the shared lock the worker sees by taking
//! that, as it does before the lock can lean towards it again.
//!
//! A worker is named by the address of its record. Another one may have that address later; by then the first is over, and
//! the later one begins where it ended, like any successor in memory.
//!
//! The price of being wrong is one heavy barrier, some microseconds. Each time it takes so many more in a row before the
//! lock leans again that the barriers cost less than the locked instructions that were saved.
//! Where the heavy barrier is not asymmetric nothing could be saved, and the lock never leans.

use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};

use super::spin::{SpinGuard, SpinLock};
use crate::primitive::barrier::{assumed, heavy, needs_fence};
use crate::primitive::collisions::{self, For};
use crate::primitive::held::Held;
use crate::primitive::{AtomicBool, AtomicUsize, Ordering};

/// Leans towards nobody.
const NOBODY: usize = 0;
/// Who is no worker: the lock never leans towards such a one.
pub(crate) const STRANGER: usize = 1;

/// How often in a row it takes at first, and how many times as often after each time that was wrong.
#[cfg(not(any(loom, shuttle)))]
const ENOUGH: u32 = 128;
#[cfg(any(loom, shuttle))]
const ENOUGH: u32 = 1;
const MORE: u32 = 8;

pub(crate) struct Leaning<T> {
    /// Written under the shared lock.
    towards: AtomicUsize,
    /// Written by the one it leans towards.
    busy: AtomicBool,
    shared: SpinLock<Habit>,
    value: UnsafeCell<T>,
}

/// Who came last, how often in a row, and how often is enough.
struct Habit {
    last: usize,
    times: u32,
    enough: u32,
}

// SAFETY: the protocol in the module docs lets one thread at a time reach the value.
unsafe impl<T: Send> Sync for Leaning<T> {}
// SAFETY: the lock owns its value.
unsafe impl<T: Send> Send for Leaning<T> {}

pub(crate) struct LeaningGuard<'a, T> {
    lock: &'a Leaning<T>,
    /// Nothing for the worker it leans towards.
    shared: Option<SpinGuard<'a, Habit>>,
    _held: Held,
}

impl<T> Leaning<T> {
    pub(crate) fn new(value: T) -> Self {
        Leaning {
            towards: AtomicUsize::new(NOBODY),
            busy: AtomicBool::new(false),
            shared: SpinLock::new(
                For::Event,
                Habit {
                    last: NOBODY,
                    times: 0,
                    enough: ENOUGH,
                },
            ),
            value: UnsafeCell::new(value),
        }
    }

    /// `me` is the calling worker, by the address of its record, or [`STRANGER`].
    #[inline(always)]
    pub(crate) fn lock(&self, me: usize) -> LeaningGuard<'_, T> {
        // Relaxed: that it leans towards the caller is the caller's own store.
        if self.towards.load(Ordering::Relaxed) == me && self.lock_leaning(me) {
            return self.guard(None);
        }
        self.guard(Some(self.lock_shared(me)))
    }

    /// Does something with the value. The way of the worker it leans towards has no call in it, so that whoever inlines this
    /// needs no register saved.
    #[inline(always)]
    pub(crate) fn with<R>(&self, me: usize, work: impl FnOnce(&mut T) -> R) -> R {
        // Relaxed: as in `lock`.
        if self.towards.load(Ordering::Relaxed) == me && self.lock_leaning(me) {
            return work(&mut self.guard(None));
        }
        self.with_shared(me, work)
    }

    #[cold]
    #[inline(never)]
    fn with_shared<R>(&self, me: usize, work: impl FnOnce(&mut T) -> R) -> R {
        work(&mut self.guard(Some(self.lock_shared(me))))
    }

    /// The lock is the caller's, by `busy` or by this.
    #[inline(always)]
    fn guard<'a>(&'a self, shared: Option<SpinGuard<'a, Habit>>) -> LeaningGuard<'a, T> {
        LeaningGuard {
            lock: self,
            shared,
            _held: Held::new(),
        }
    }

    /// Step 3.
    #[inline(always)]
    fn lock_leaning(&self, me: usize) -> bool {
        self.busy.store(true, Ordering::Relaxed);
        // It would lean towards nobody if the barrier were not asymmetric.
        assumed();
        if self.towards.load(Ordering::Relaxed) == me || cfg!(feature = "bug_leaning_look") {
            return true;
        }
        self.busy.store(false, Ordering::Release);
        false
    }

    /// Steps 1, 2 and 4.
    #[inline(never)]
    fn lock_shared(&self, me: usize) -> SpinGuard<'_, Habit> {
        let mut habit = self.shared.lock();
        // Relaxed: written under this lock.
        if self.towards.load(Ordering::Relaxed) != NOBODY {
            self.straighten();
            habit.enough = habit.enough.saturating_mul(MORE);
        }
        if habit.last != me {
            habit.last = me;
            habit.times = 0;
        } else if me != STRANGER {
            habit.times += 1;
            if habit.times >= habit.enough && !needs_fence() {
                habit.times = 0;
                self.towards.store(me, Ordering::Relaxed);
            }
        }
        habit
    }

    /// Step 4.
    #[cold]
    fn straighten(&self) {
        self.towards.store(NOBODY, Ordering::Relaxed);
        heavy();
        let mut looks = 0_u32;
        collisions::begin(For::Event);
        // Acquire: pairs with the release of the one it leant towards; what that one wrote is visible.
        while self.busy.load(Ordering::Acquire) && !cfg!(feature = "bug_leaning_wait") {
            looks += 1;
            pause(looks);
        }
        collisions::end(For::Event, u64::from(looks), 1);
    }
}

/// The one who is waited for is done within a handful of instructions, unless it has lost its processor; then ours is the
/// one it may need.
fn pause(looks: u32) {
    if cfg!(any(loom, shuttle)) || looks.is_multiple_of(64) {
        crate::primitive::thread::yield_now();
    } else {
        std::hint::spin_loop();
    }
}

impl<T> Deref for LeaningGuard<'_, T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the guard exists only while the lock is ours, by `busy` or by the shared lock (module docs).
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for LeaningGuard<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and the guard is borrowed mutably.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for LeaningGuard<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.shared.is_none() {
            let order = if cfg!(feature = "bug_leaning_release") {
                Ordering::Relaxed
            } else {
                Ordering::Release
            };
            // Release: pairs with the acquire in `straighten`.
            self.lock.busy.store(false, order);
        }
    }
}
