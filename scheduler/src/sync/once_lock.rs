//! A value that is made once, by the first who wants it.
//!
//! Room for unsafe code: reaching the value.

use std::cell::UnsafeCell;
use std::fmt;

use crate::deadlock::Deadlock;
use crate::sync::once::Once;

/// A value that is set once, as [`std::sync::OnceLock`]. Who comes while somebody makes it waits, a task by parking.
///
/// If the one who makes it panics or is aborted, it stays empty, as std's, and the next one who wants it makes it.
///
/// ```
/// use fiberhost_scheduler::sync::OnceLock;
/// static PORT: OnceLock<u16> = OnceLock::new();
/// assert_eq!(PORT.get(), None);
/// assert_eq!(*PORT.get_or_init(|| 1433), 1433);
/// assert_eq!(PORT.set(1434), Err(1434));
/// ```
pub struct OnceLock<T> {
    once: Once,
    /// Written by the one initialiser that completes; from then on only read.
    value: UnsafeCell<Option<T>>,
}

// SAFETY: the value is made on one thread, read by reference on many, and dropped on any.
unsafe impl<T: Send + Sync> Sync for OnceLock<T> {}
// SAFETY: the lock owns the value.
unsafe impl<T: Send> Send for OnceLock<T> {}

impl<T> OnceLock<T> {
    crate::sync::const_in_a_build! {
        /// An empty one.
        pub const fn new() -> Self {
            OnceLock {
                once: Once::new(),
                value: UnsafeCell::new(None),
            }
        }
    }

    /// The value, if it was made.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        if !self.once.is_completed() {
            return None;
        }
        // SAFETY: the initialiser has completed, so nobody writes any more but through `&mut self`.
        unsafe { (*self.value.get()).as_ref() }
    }

    /// The value; if there is none, the caller makes it, or waits for the one who makes it.
    ///
    /// # Panics
    /// With the panic of `make`, and if `make` itself asks for the value.
    #[inline]
    pub fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        if !self.once.is_completed() {
            self.once.call_once_force(|_| self.initialise(make));
        }
        self.get().expect("an initialiser has completed")
    }

    /// As [`get_or_init`](OnceLock::get_or_init), but a wait in a circle of tasks that wait for each other may be refused, when
    /// it begins, or be broken later: see [`Mutex::lock_or_deadlock`](crate::sync::Mutex::lock_or_deadlock).
    ///
    /// # Errors
    /// The circle; `make` of the caller was not called. A task whose `make` asks for the value is a circle of one.
    ///
    /// # Panics
    /// With the panic of `make`, and if `make` of a plain thread asks for the value.
    #[inline]
    pub fn get_or_init_or_deadlock(&self, make: impl FnOnce() -> T) -> Result<&T, Deadlock> {
        if !self.once.is_completed() {
            self.once.call_force_or_deadlock(|| self.initialise(make))?;
        }
        Ok(self.get().expect("an initialiser has completed"))
    }

    /// The one initialiser that runs.
    #[inline]
    fn initialise(&self, make: impl FnOnce() -> T) {
        let value = make();
        // SAFETY: one initialiser runs at a time, none has completed, and before that nobody reads.
        unsafe { *self.value.get() = Some(value) };
    }

    /// Sets the value, unless it was made already; waits if somebody is making it.
    ///
    /// # Errors
    /// The value is given back: there is another one.
    pub fn set(&self, value: T) -> Result<(), T> {
        let mut value = Some(value);
        self.get_or_init(|| value.take().expect("an initialiser is called once"));
        value.map_or(Ok(()), Err)
    }

    /// The value, if it was made, to change it: nobody else can reach it.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.get_mut().as_mut()
    }

    /// Takes the value out; it can be made anew.
    pub fn take(&mut self) -> Option<T> {
        std::mem::take(self).into_inner()
    }

    /// The value, without the lock.
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }
}

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        OnceLock::new()
    }
}

impl<T> From<T> for OnceLock<T> {
    fn from(value: T) -> Self {
        let lock = OnceLock::new();
        lock.get_or_init(|| value);
        lock
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnceLock").field(&self.get()).finish()
    }
}
