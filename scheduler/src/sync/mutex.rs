//! A mutex with the value it guards.
//!
//! The protocol is [`RawMutex`]'s. Room for unsafe code: reaching the value.

use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use crate::deadlock::Deadlock;
use crate::park::Limit;
use crate::primitive::simulated;
use crate::sync::raw_mutex::{RawMutex, caller};
use crate::wait::{Interrupt, Wake};

/// A value for one task or thread at a time, as [`std::sync::Mutex`], without poisoning.
///
/// A task that waits for it parks, a plain thread blocks. It knows its owner: locking it again without having unlocked it
/// panics instead of waiting for ever, and the lock stays as it was. If its owner panics it is unlocked on the way.
///
/// [`lock`](Mutex::lock) ends only with the lock or, if the task was [aborted](crate::TaskRef::abort), by unwinding.
/// [`try_lock_for`](Mutex::try_lock_for) ends also when the task was [cancelled](crate::TaskRef::cancel). An
/// [alert](crate::TaskRef::alert) waits for a wait that can say so, as [`RawMutex::lock`] can.
///
/// ```
/// use std::sync::Arc;
/// use fiberhost_scheduler::sync::Mutex;
/// let sum = fiberhost_scheduler::run(|| {
///     let sum = Arc::new(Mutex::new(0));
///     let tasks: Vec<_> = (1..=4)
///         .map(|number| {
///             let sum = Arc::clone(&sum);
///             fiberhost_scheduler::spawn(move || *sum.lock() += number)
///         })
///         .collect();
///     tasks.into_iter().for_each(|task| task.join().unwrap());
///     *sum.lock()
/// });
/// assert_eq!(sum, 10);
/// ```
pub struct Mutex<T: ?Sized> {
    raw: RawMutex,
    value: UnsafeCell<T>,
}

// SAFETY: the lock gives the value to one owner at a time, so it is moved between threads but not shared.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}
// SAFETY: the mutex owns the value.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}

/// The right to a mutex's value, until it is dropped.
///
/// It belongs to the task (the plain thread) that locked, so it is not `Send`; but the owner is the task, not the thread it
/// runs on: a [mobile](crate::TaskBuilder::spawn_mobile) task may keep it over a wait.
///
/// ```compile_fail
/// let mutex = fiberhost_scheduler::sync::Mutex::new(());
/// std::thread::scope(|scope| {
///     let guard = mutex.lock();
///     scope.spawn(move || drop(guard));
/// });
/// ```
#[must_use = "the mutex is unlocked at once if the guard is not kept"]
pub struct MutexGuard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    not_send: PhantomData<*const ()>,
}

// SAFETY: through a shared guard there is only shared access to the value.
unsafe impl<T: ?Sized + Sync> Sync for MutexGuard<'_, T> {}

impl<T> Mutex<T> {
    crate::sync::const_in_a_build! {
        /// A mutex that may be taken by who comes when it is free, also before those who wait: the fastest.
        /// Nobody is passed over twice.
        pub const fn new(value: T) -> Self {
            Mutex {
                raw: RawMutex::new(),
                value: UnsafeCell::new(value),
            }
        }
    }

    crate::sync::const_in_a_build! {
        /// A mutex that goes to those who wait in the order in which they came. Under contention each unlock is a switch.
        pub const fn new_fair(value: T) -> Self {
            Mutex {
                raw: RawMutex::new_fair(),
                value: UnsafeCell::new(value),
            }
        }
    }

    /// The value, without the mutex.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits until the caller has the lock.
    ///
    /// # Panics
    /// If the caller has it already; it keeps it.
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        simulated::point();
        // What else ends a wait of this kind unwinds the task.
        while self.raw.acquire(Limit::Never, Interrupt::Unwind) != Wake::Signalled {}
        self.guard()
    }

    /// As [`lock`](Mutex::lock), but a wait in a circle of tasks that wait for each other may be refused, when it begins, or
    /// be broken later, when another one closes the circle: [`Deadlock::victim`] says which one is. The others go on as soon
    /// as the caller unlocks what they wait for.
    ///
    /// Each circle is an event of `tracing`, and told to [`Builder::on_deadlock`](crate::Builder::on_deadlock). If no wait of it
    /// can be broken, as when all called [`lock`](Mutex::lock), its tasks wait on.
    ///
    /// # Errors
    /// The circle. A task that has the lock already is a circle of one.
    ///
    /// # Panics
    /// If the caller is a plain thread that has the lock already; it keeps it.
    #[inline]
    pub fn lock_or_deadlock(&self) -> Result<MutexGuard<'_, T>, Deadlock> {
        simulated::point();
        while self.raw.acquire_or_deadlock(Interrupt::Unwind)? != Wake::Signalled {}
        Ok(self.guard())
    }

    /// Locks if it is free. A mutex that the caller has itself is not.
    #[inline]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.raw.try_lock().then(|| self.guard())
    }

    /// Waits for the lock as long as the limit says. `None`: the limit passed, or the task was cancelled.
    ///
    /// # Panics
    /// If the caller has it already; it keeps it.
    #[inline]
    pub fn try_lock_for(&self, limit: Duration) -> Option<MutexGuard<'_, T>> {
        simulated::point();
        let wake = self.raw.acquire(Limit::After(limit), Interrupt::Abort);
        (wake == Wake::Signalled).then(|| self.guard())
    }

    /// Whether somebody has the lock at this moment.
    pub fn is_locked(&self) -> bool {
        self.raw.is_locked()
    }

    /// The [number](crate::TaskRef::id) of the task or plain thread that has the lock at this moment.
    pub fn owner(&self) -> Option<u64> {
        self.raw.owner()
    }

    /// How many wait for the lock at this moment.
    pub fn waiters(&self) -> usize {
        self.raw.waiters()
    }

    /// The value, which nobody else can reach: nothing is locked.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// The caller has the lock.
    #[inline(always)]
    fn guard(&self) -> MutexGuard<'_, T> {
        debug_assert!(
            self.raw.owner() == Some(caller()),
            "a guard is made for the owner"
        );
        MutexGuard {
            mutex: self,
            not_send: PhantomData,
        }
    }
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// Unlocks, and hands over to the longest waiter also if the mutex is not fair.
    pub fn unlock_fair(guard: Self) {
        let mutex = guard.mutex;
        std::mem::forget(guard);
        mutex.raw.release_fair();
    }

    pub(crate) fn raw(&self) -> &'a RawMutex {
        &self.mutex.raw
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the guard exists only while its maker has the lock (`Condvar::wait` has the guard borrowed while it has not).
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as for `deref`, and the guard is borrowed mutably.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.raw.release();
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Self {
        Mutex::new(value)
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Mutex::new(T::default())
    }
}

impl<T: ?Sized> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the value: that would need the lock.
        f.debug_struct("Mutex")
            .field("owner", &self.owner())
            .finish_non_exhaustive()
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
