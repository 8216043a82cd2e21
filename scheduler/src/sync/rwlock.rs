//! A lock for one writer or many readers, with the value it guards.
//!
//! The protocol is in [`raw_rwlock`](super::raw_rwlock). Room for unsafe code: reaching the value.

use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use crate::deadlock::Deadlock;
use crate::park::Limit;
use crate::primitive::simulated;
use crate::sync::raw_rwlock::RawRwLock;
use crate::task::reads::Note;
use crate::wait::{Interrupt, Wake};

/// A value that many may read or one may change, as [`std::sync::RwLock`], without poisoning.
///
/// Who comes while somebody waits waits too, so a writer waits only for the readers that were there before it.
/// Therefore a task that reads, and reads again while a writer waits, deadlocks with that writer.
/// Taking the lock in any way while writing panics instead of waiting for ever; writing while reading waits for oneself.
/// Both deadlocks are told, as all circles of tasks that wait for each other, to
/// [`Builder::on_deadlock`](crate::Builder::on_deadlock).
///
/// [`read`](RwLock::read) and [`write`](RwLock::write) end only with the lock or, if the task was
/// [aborted](crate::TaskRef::abort), by unwinding; those with a limit end also when the task was
/// [cancelled](crate::TaskRef::cancel).
///
/// ```
/// use fiberhost_scheduler::sync::RwLock;
/// let lock = RwLock::new(1);
/// {
///     let (first, second) = (lock.read(), lock.read());
///     assert_eq!(*first + *second, 2);
/// }
/// *lock.write() += 1;
/// assert_eq!(lock.into_inner(), 2);
/// ```
pub struct RwLock<T: ?Sized> {
    raw: RawRwLock,
    value: UnsafeCell<T>,
}

// SAFETY: readers on several threads share the value, and a writer on any thread may move it.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}
// SAFETY: the lock owns the value.
unsafe impl<T: ?Sized + Send> Send for RwLock<T> {}

/// The right to read, until it is dropped.
///
/// ```compile_fail
/// let lock = fiberhost_scheduler::sync::RwLock::new(());
/// std::thread::scope(|scope| {
///     let guard = lock.read();
///     scope.spawn(move || drop(guard));
/// });
/// ```
#[must_use = "the lock is unlocked at once if the guard is not kept"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    /// Where its task has noted the lock.
    note: Option<Note>,
    not_send: PhantomData<*const ()>,
}

/// The right to change the value, until it is dropped. It belongs to the task that locked, as
/// [`MutexGuard`](crate::sync::MutexGuard) does.
///
/// ```compile_fail
/// let lock = fiberhost_scheduler::sync::RwLock::new(());
/// std::thread::scope(|scope| {
///     let guard = lock.write();
///     scope.spawn(move || drop(guard));
/// });
/// ```
#[must_use = "the lock is unlocked at once if the guard is not kept"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    not_send: PhantomData<*const ()>,
}

// SAFETY: through a shared guard there is only shared access to the value.
unsafe impl<T: ?Sized + Sync> Sync for RwLockReadGuard<'_, T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Sync> Sync for RwLockWriteGuard<'_, T> {}

impl<T> RwLock<T> {
    crate::sync::const_in_a_build! {
        /// A lock that nobody has.
        pub const fn new(value: T) -> Self {
            RwLock {
                raw: RawRwLock::new(),
                value: UnsafeCell::new(value),
            }
        }
    }

    /// The value, without the lock.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Waits until the caller may read.
    ///
    /// # Panics
    /// If the caller writes; it goes on doing so.
    #[inline]
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        simulated::point();
        // What else ends a wait of this kind unwinds the task.
        while self.raw.read(Limit::Never, Interrupt::Unwind) != Wake::Signalled {}
        self.read_guard()
    }

    /// As [`read`](RwLock::read), but a wait in a circle of tasks that wait for each other may be refused, when it begins, or
    /// be broken later: see [`Mutex::lock_or_deadlock`](crate::sync::Mutex::lock_or_deadlock).
    ///
    /// # Errors
    /// The circle. A task that writes is a circle of one.
    ///
    /// # Panics
    /// If the caller is a plain thread that writes; it goes on doing so.
    pub fn read_or_deadlock(&self) -> Result<RwLockReadGuard<'_, T>, Deadlock> {
        while self.raw.read_or_deadlock(Interrupt::Unwind)? != Wake::Signalled {}
        Ok(self.read_guard())
    }

    /// Waits until the caller may write.
    ///
    /// # Panics
    /// If the caller writes already; it goes on doing so.
    #[inline]
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        simulated::point();
        // What else ends a wait of this kind unwinds the task.
        while self.raw.write(Limit::Never, Interrupt::Unwind) != Wake::Signalled {}
        self.write_guard()
    }

    /// As [`write`](RwLock::write), but a wait in a circle of tasks that wait for each other may be refused, when it begins,
    /// or be broken later: see [`Mutex::lock_or_deadlock`](crate::sync::Mutex::lock_or_deadlock).
    ///
    /// # Errors
    /// The circle. A task that writes, or reads, already is a circle of one.
    ///
    /// # Panics
    /// If the caller is a plain thread that writes already; it goes on doing so.
    pub fn write_or_deadlock(&self) -> Result<RwLockWriteGuard<'_, T>, Deadlock> {
        while self.raw.write_or_deadlock(Interrupt::Unwind)? != Wake::Signalled {}
        Ok(self.write_guard())
    }

    /// Takes the lock for reading if nobody writes and nobody waits.
    #[inline]
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
        self.raw.try_read().then(|| self.read_guard())
    }

    /// Takes the lock for writing if nobody has it.
    #[inline]
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        self.raw.try_write().then(|| self.write_guard())
    }

    /// Waits as long as the limit says until the caller may read. `None`: the limit passed, or the task was cancelled.
    ///
    /// # Panics
    /// If the caller writes; it goes on doing so.
    pub fn try_read_for(&self, limit: Duration) -> Option<RwLockReadGuard<'_, T>> {
        simulated::point();
        let wake = self.raw.read(Limit::After(limit), Interrupt::Abort);
        (wake == Wake::Signalled).then(|| self.read_guard())
    }

    /// Waits as long as the limit says until the caller may write. `None`: the limit passed, or the task was cancelled.
    ///
    /// # Panics
    /// If the caller writes already; it goes on doing so.
    pub fn try_write_for(&self, limit: Duration) -> Option<RwLockWriteGuard<'_, T>> {
        simulated::point();
        let wake = self.raw.write(Limit::After(limit), Interrupt::Abort);
        (wake == Wake::Signalled).then(|| self.write_guard())
    }

    /// Whether somebody reads or writes at this moment.
    pub fn is_locked(&self) -> bool {
        self.raw.is_locked()
    }

    /// The [number](crate::TaskRef::id) of the task or plain thread that writes at this moment.
    pub fn writer(&self) -> Option<u64> {
        self.raw.writer()
    }

    /// How many wait for the lock at this moment.
    pub fn waiters(&self) -> usize {
        self.raw.waiters()
    }

    /// The value, which nobody else can reach: nothing is locked.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    #[inline]
    fn read_guard(&self) -> RwLockReadGuard<'_, T> {
        RwLockReadGuard {
            lock: self,
            note: self.raw.note_read(),
            not_send: PhantomData,
        }
    }

    fn write_guard(&self) -> RwLockWriteGuard<'_, T> {
        RwLockWriteGuard {
            lock: self,
            not_send: PhantomData,
        }
    }
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: while the guard exists nobody writes.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: while the guard exists nobody else has the lock.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: while the guard exists nobody else has the lock, and the guard is borrowed mutably.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for RwLockReadGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.raw.release_read(self.note);
    }
}

impl<T: ?Sized> Drop for RwLockWriteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.raw.release_write();
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> Self {
        RwLock::new(value)
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        RwLock::new(T::default())
    }
}

impl<T: ?Sized> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the value: that would need the lock.
        f.debug_struct("RwLock")
            .field("locked", &self.is_locked())
            .field("writer", &self.writer())
            .finish_non_exhaustive()
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
