//! A lock for a handful of instructions: taking it is one locked instruction, giving it back none.
//!
//! parking_lot's lock pays a second locked instruction to learn whether somebody sleeps.
//! The sections under this lock are a few loads and stores, never a switch, a system call or an allocation,
//! so nobody needs to sleep: a waiter spins shortly and then gives the processor away.
//! Under loom and Shuttle it is the checker's own mutex (a model must not spin).

#[cfg(not(any(loom, shuttle)))]
mod imp {
    use std::cell::UnsafeCell;
    use std::ops::{Deref, DerefMut};
    use std::sync::atomic::{AtomicBool, Ordering};

    pub(crate) struct SpinLock<T> {
        held: AtomicBool,
        value: UnsafeCell<T>,
    }

    // SAFETY: `held` lets one thread at a time reach the value.
    unsafe impl<T: Send> Sync for SpinLock<T> {}
    // SAFETY: the lock owns its value.
    unsafe impl<T: Send> Send for SpinLock<T> {}

    pub(crate) struct SpinGuard<'a, T>(&'a SpinLock<T>);

    impl<T> SpinLock<T> {
        pub(crate) const fn new(value: T) -> Self {
            SpinLock {
                held: AtomicBool::new(false),
                value: UnsafeCell::new(value),
            }
        }

        #[inline(always)]
        pub(crate) fn lock(&self) -> SpinGuard<'_, T> {
            // Acquire: pairs with the release in `drop`; what the last holder wrote is visible.
            if self.held.swap(true, Ordering::Acquire) {
                self.lock_slow();
            }
            SpinGuard(self)
        }

        #[cold]
        fn lock_slow(&self) {
            loop {
                for _ in 0..64 {
                    std::hint::spin_loop();
                    if !self.held.load(Ordering::Relaxed)
                        && !self.held.swap(true, Ordering::Acquire)
                    {
                        return;
                    }
                }
                // The holder has lost its processor; ours is the one it may need.
                std::thread::yield_now();
            }
        }
    }

    impl<T> Deref for SpinGuard<'_, T> {
        type Target = T;
        #[inline(always)]
        fn deref(&self) -> &T {
            // SAFETY: the guard exists only while `held` is ours.
            unsafe { &*self.0.value.get() }
        }
    }

    impl<T> DerefMut for SpinGuard<'_, T> {
        #[inline(always)]
        fn deref_mut(&mut self) -> &mut T {
            // SAFETY: the guard exists only while `held` is ours, and it is borrowed mutably.
            unsafe { &mut *self.0.value.get() }
        }
    }

    impl<T> Drop for SpinGuard<'_, T> {
        #[inline(always)]
        fn drop(&mut self) {
            // Release: pairs with the acquire in `lock`.
            self.0.held.store(false, Ordering::Release);
        }
    }
}

#[cfg(any(loom, shuttle))]
mod imp {
    use std::ops::{Deref, DerefMut};

    #[cfg(loom)]
    use loom::sync::{Mutex, MutexGuard};
    #[cfg(shuttle)]
    use shuttle::sync::{Mutex, MutexGuard};

    pub(crate) struct SpinLock<T>(Mutex<T>);
    pub(crate) struct SpinGuard<'a, T>(MutexGuard<'a, T>);

    impl<T> SpinLock<T> {
        pub(crate) fn new(value: T) -> Self {
            SpinLock(Mutex::new(value))
        }
        pub(crate) fn lock(&self) -> SpinGuard<'_, T> {
            SpinGuard(
                self.0
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner),
            )
        }
    }
    impl<T> Deref for SpinGuard<'_, T> {
        type Target = T;
        fn deref(&self) -> &T {
            &self.0
        }
    }
    impl<T> DerefMut for SpinGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            &mut self.0
        }
    }
}

pub(crate) use imp::{SpinGuard, SpinLock};
