//! Permits, given out in the order in which they were asked for.
//!
//! # The other side just before, during, just after
//!
//! A permit that comes back before a waiter is published is found by the publish, under the lock. During: the lock decides.
//! After: whoever brings it finds the waiter in the list, takes the permits for it and claims its wait.
//! A waiter whose wait ended otherwise was given nothing; it leaves the list, and since it may have held up others who want
//! less, it gives out what is there.
#![forbid(unsafe_code)]

use std::fmt;
use std::time::Duration;

use crate::park::{self, Limit};
use crate::primitive::{For, SpinLock, simulated};
use crate::runnable::make_runnable;
use crate::suspend::Arm;
use crate::sync::wait_list::{Claimed, WaitList};
use crate::task::Task;
use crate::wait::{Heed, Interrupt, WaitReason, Wake};

/// A number of permits. Fair: who comes later does not get one before who waits, not even if it wants fewer.
///
/// Permits belong to nobody: whoever likes may [add](Semaphore::add) some.
///
/// [`acquire`](Semaphore::acquire) ends only with the permit or, if the task was [aborted](crate::TaskRef::abort), by
/// unwinding. [`acquire_for`](Semaphore::acquire_for) ends also when the task was [cancelled](crate::TaskRef::cancel),
/// [`wait`](Semaphore::wait) and [`wait_for`](Semaphore::wait_for) also by an [alert](crate::TaskRef::alert).
///
/// ```
/// use std::sync::Arc;
/// use fiberhost_scheduler::sync::Semaphore;
/// fiberhost_scheduler::run(|| {
///     let two_at_a_time = Arc::new(Semaphore::new(2));
///     let tasks: Vec<_> = (0..8)
///         .map(|_| {
///             let permits = Arc::clone(&two_at_a_time);
///             fiberhost_scheduler::spawn(move || {
///                 let _permit = permits.acquire();
///                 fiberhost_scheduler::yield_now();
///             })
///         })
///         .collect();
///     tasks.into_iter().for_each(|task| task.join().unwrap());
///     assert_eq!(two_at_a_time.available(), 2);
/// });
/// ```
pub struct Semaphore {
    state: SpinLock<State>,
}

struct State {
    permits: usize,
    waiters: WaitList,
}

impl State {
    fn take(&mut self, wanted: usize) -> bool {
        let free = self.waiters.is_empty() && self.permits >= wanted;
        if free {
            self.permits -= wanted;
        }
        free
    }

    /// To those who have waited longest, as far as the permits go.
    #[must_use]
    fn give_out(&mut self) -> Claimed {
        let claimed = Claimed::new();
        loop {
            let permits = self.permits as u64;
            let Some((task, wanted)) = self.waiters.claim_first_if(|wanted| wanted <= permits)
            else {
                return claimed;
            };
            self.permits = (permits - wanted) as usize;
            claimed.push(task);
        }
    }
}

/// Permits that go back when this is dropped.
#[derive(Debug)]
#[must_use = "the permits go back at once if the guard is not kept"]
pub struct SemaphoreGuard<'a> {
    semaphore: &'a Semaphore,
    permits: usize,
}

impl SemaphoreGuard<'_> {
    /// How many permits these are.
    pub fn permits(&self) -> usize {
        self.permits
    }

    /// Keeps the permits for good.
    pub fn forget(mut self) {
        self.permits = 0;
    }
}

impl Drop for SemaphoreGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.permits > 0 {
            self.semaphore.add(self.permits);
        }
    }
}

impl Semaphore {
    crate::sync::const_in_a_build! {
        /// A semaphore with so many permits.
        pub const fn new(permits: usize) -> Self {
            Semaphore {
                state: SpinLock::new(For::Semaphore, State {
                    permits,
                    waiters: WaitList::new(),
                }),
            }
        }
    }

    /// Waits for a permit.
    #[inline]
    pub fn acquire(&self) -> SemaphoreGuard<'_> {
        self.acquire_many(1)
    }

    /// Waits until it has so many permits at once. If there are never so many, that is for ever, for all who come later too.
    #[inline]
    pub fn acquire_many(&self, permits: usize) -> SemaphoreGuard<'_> {
        // What else ends a wait of this kind unwinds the task.
        while self.take(permits, Limit::Never, Interrupt::Unwind) != Wake::Signalled {}
        self.guard(permits)
    }

    /// Takes a permit if there is one that nobody waits for.
    #[inline]
    pub fn try_acquire(&self) -> Option<SemaphoreGuard<'_>> {
        self.try_acquire_many(1)
    }

    /// Takes so many permits if they are there and nobody waits.
    #[inline]
    pub fn try_acquire_many(&self, permits: usize) -> Option<SemaphoreGuard<'_>> {
        let taken = self.state.lock().take(permits);
        taken.then(|| self.guard(permits))
    }

    /// Waits for a permit as long as the limit says. `None`: the limit passed, or the task was cancelled.
    #[inline]
    pub fn acquire_for(&self, limit: Duration) -> Option<SemaphoreGuard<'_>> {
        let wake = self.take(1, Limit::After(limit), Interrupt::Abort);
        (wake == Wake::Signalled).then(|| self.guard(1))
    }

    /// Waits for a permit and keeps it: a signal that each [`add`](Semaphore::add) of one gives to one waiter.
    /// Ends early, without a permit, if the task is alerted or cancelled, and says so.
    #[inline]
    pub fn wait(&self) -> Wake {
        self.take(1, Limit::Never, Interrupt::Alert)
    }

    /// The same with a time limit.
    #[inline]
    pub fn wait_for(&self, limit: Duration) -> Wake {
        self.take(1, Limit::After(limit), Interrupt::Alert)
    }

    /// The same for code that must not be unwound: see [`Heed`]. No limit: for ever.
    pub fn wait_heeding(&self, limit: Option<Duration>, heed: Heed) -> Wake {
        if self.state.lock().take(1) {
            return Wake::Signalled;
        }
        self.stand(
            1,
            limit.map_or(Limit::Never, Limit::After),
            heed.interrupt(),
        )
    }

    /// Brings permits if there are no more than `most` afterwards, and says how many there were before.
    ///
    /// # Errors
    /// How many there are, if they would be too many. Nothing was changed.
    pub fn add_within(&self, permits: usize, most: usize) -> Result<usize, usize> {
        let mut state = self.state.lock();
        let before = state.permits;
        match before.checked_add(permits) {
            Some(sum) if sum <= most => state.permits = sum,
            _ => return Err(before),
        }
        let woken = state.give_out();
        drop(state);
        woken.for_each(make_runnable);
        Ok(before)
    }

    /// Brings permits, new ones or some that were kept.
    ///
    /// # Panics
    /// If there are more than `usize` can count.
    #[inline]
    pub fn add(&self, permits: usize) {
        let mut state = self.state.lock();
        let sum = state.permits.checked_add(permits);
        state.permits = sum.expect("a semaphore's permits can be counted");
        if state.waiters.is_empty() {
            return;
        }
        let woken = state.give_out();
        drop(state);
        woken.for_each(make_runnable);
    }

    /// How many permits are there at this moment.
    pub fn available(&self) -> usize {
        self.state.lock().permits
    }

    /// How many wait for permits at this moment.
    pub fn waiters(&self) -> usize {
        self.state.lock().waiters.len()
    }

    #[inline(always)]
    fn guard(&self, permits: usize) -> SemaphoreGuard<'_> {
        SemaphoreGuard {
            semaphore: self,
            permits,
        }
    }

    #[inline]
    fn take(&self, permits: usize, limit: Limit, allow: Interrupt) -> Wake {
        simulated::point();
        if self.state.lock().take(permits) {
            return Wake::Signalled;
        }
        self.take_slow(permits, limit, allow)
    }

    #[cold]
    fn take_slow(&self, permits: usize, limit: Limit, allow: Interrupt) -> Wake {
        park::check(self.stand(permits, limit, allow))
    }

    fn stand(&self, permits: usize, limit: Limit, allow: Interrupt) -> Wake {
        let publish = |task: &'static Task, arm: Arm| {
            let mut state = self.state.lock();
            if state.take(permits) {
                return None;
            }
            let epoch = arm.arm(task);
            task.node.word.set(permits as u64);
            state.waiters.push(&task.node, task, epoch, 0);
            Some(epoch)
        };
        let take_back = |task| self.take_back(task);
        park::wait_listed(WaitReason::Semaphore, limit, allow, publish, take_back).wake
    }

    #[cold]
    fn take_back(&self, who: &'static Task) -> bool {
        let mut state = self.state.lock();
        let was_there = state.waiters.remove(&who.node);
        let woken = state.give_out();
        drop(state);
        woken.for_each(make_runnable);
        was_there
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore").finish_non_exhaustive()
    }
}
