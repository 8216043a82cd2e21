//! A condition variable: wait until somebody who had the mutex says that something changed.
//!
//! # The other side just before, during, just after
//!
//! A waiter's publish holds the list's lock while it unlocks the mutex and links the waiter, so both happen at once:
//! who changes the condition with the mutex in hand and then notifies finds the waiter in the list.
//! A notification before that finds the mutex with the waiter, who has not looked at the condition for the last time.
//! One after it claims the wait; if a time limit or an interruption has claimed it, the next waiter is taken instead.
//! The mutex's next owner, whom the unlock may have to wake, is made runnable when the list's lock is free again.
//!
//! The mutex is locked again in a wait that nothing interrupts: the guard is on the waiter's stack, also if it is unwound.
#![forbid(unsafe_code)]

use std::fmt;
use std::time::Duration;

use crate::park::{self, Limit};
use crate::primitive::{For, SpinLock};
use crate::runnable::make_runnable;
use crate::suspend::Arm;
use crate::sync::mutex::MutexGuard;
use crate::sync::raw_mutex::RawMutex;
use crate::sync::until::Until;
use crate::sync::wait_list::WaitList;
use crate::task::Task;
use crate::wait::{Interrupt, WaitReason, Wake};

/// A condition variable for [`Mutex`](crate::sync::Mutex), with parking_lot's signatures.
///
/// Waits without a limit end by a notification or, if the task was [aborted](crate::TaskRef::abort), by unwinding, with
/// the mutex locked on the way. Waits with a limit end also by an alert or a cancel, and say so.
/// They do not end for no reason; but others may come between the notification and the lock, so look again.
///
/// ```
/// use std::sync::Arc;
/// use fiberhost_scheduler::sync::{Condvar, Mutex};
/// fiberhost_scheduler::run(|| {
///     let pair = Arc::new((Mutex::new(false), Condvar::new()));
///     let other = Arc::clone(&pair);
///     fiberhost_scheduler::spawn(move || {
///         *other.0.lock() = true;
///         other.1.notify_one();
///     });
///     let mut ready = pair.0.lock();
///     pair.1.wait_while(&mut ready, |ready| !*ready);
///     assert!(*ready);
/// });
/// ```
pub struct Condvar {
    waiters: SpinLock<WaitList>,
}

/// How a wait with a limit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct WaitTimeoutResult(Wake);

impl WaitTimeoutResult {
    /// Whether it makes no sense to wait on: the limit passed, or the task was cancelled, which ends each further wait too.
    pub fn timed_out(self) -> bool {
        matches!(self.0, Wake::TimedOut | Wake::Aborted)
    }

    /// What ended the wait.
    pub fn wake(self) -> Wake {
        self.0
    }
}

impl Condvar {
    crate::sync::const_in_a_build! {
        /// A condition variable on which nobody waits.
        pub const fn new() -> Self {
            Condvar {
                waiters: SpinLock::new(For::Condvar, WaitList::new()),
            }
        }
    }

    /// Unlocks the mutex and waits for a notification, both at once, and locks it again.
    pub fn wait<T: ?Sized>(&self, guard: &mut MutexGuard<'_, T>) {
        while self.wait_limited(guard.raw(), Limit::Never, Interrupt::Unwind) != Wake::Signalled {}
    }

    /// The same with a time limit; it also ends when the task is alerted or cancelled.
    /// Locking the mutex again has no limit.
    pub fn wait_for<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        limit: Duration,
    ) -> WaitTimeoutResult {
        WaitTimeoutResult(self.wait_limited(guard.raw(), Limit::After(limit), Interrupt::Alert))
    }

    /// Waits until the condition is false, looking again after each notification.
    pub fn wait_while<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) {
        while condition(&mut **guard) {
            self.wait(guard);
        }
    }

    /// The same with a time limit for all the waits together. The answer is [`Wake::Signalled`] if the condition is false
    /// at the end; otherwise it says what ended the wait.
    pub fn wait_while_for<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        mut condition: impl FnMut(&mut T) -> bool,
        limit: Duration,
    ) -> WaitTimeoutResult {
        let mut until = Until::new(Limit::After(limit));
        let mut wake = Wake::Signalled;
        while condition(&mut **guard) {
            if wake != Wake::Signalled {
                return WaitTimeoutResult(wake);
            }
            wake = self.wait_limited(guard.raw(), until.left(), Interrupt::Alert);
        }
        WaitTimeoutResult(Wake::Signalled)
    }

    fn wait_limited(&self, mutex: &RawMutex, limit: Limit, allow: Interrupt) -> Wake {
        let publish = |task: &'static Task, arm: Arm| {
            let mut waiters = self.waiters.lock();
            let next = mutex.release_quietly();
            let epoch = arm.arm(task);
            waiters.push(&task.node, task, epoch, 0);
            drop(waiters);
            // The wait is published: only what is on the worker's stack is touched.
            if let Some(next) = next {
                make_runnable(next);
            }
            Some(epoch)
        };
        let waited = park::wait_listed(WaitReason::Condvar, limit, allow, publish, |task| {
            self.waiters.lock().remove(&task.node)
        });
        // A wait that was interrupted before it began has not unlocked.
        if !mutex.is_mine() {
            let wake = mutex.acquire(Limit::Never, Interrupt::Never);
            assert!(
                wake == Wake::Signalled,
                "nothing ends this wait but the lock"
            );
        }
        park::check(waited.wake)
    }

    /// Wakes the one who has waited longest. Returns whether somebody waited.
    pub fn notify_one(&self) -> bool {
        let woken = self.waiters.lock().claim_first();
        if let Some(task) = woken {
            make_runnable(task);
        }
        woken.is_some()
    }

    /// Wakes all who wait.
    pub fn notify_all(&self) {
        let woken = self.waiters.lock().claim_all();
        woken.for_each(make_runnable);
    }
}

impl Condvar {
    /// How many wait for a notification at this moment.
    pub fn waiters(&self) -> usize {
        self.waiters.lock().len()
    }
}

impl Default for Condvar {
    fn default() -> Self {
        Condvar::new()
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").finish_non_exhaustive()
    }
}
