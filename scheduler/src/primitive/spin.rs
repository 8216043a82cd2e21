//! A lock for a handful of instructions: taking it is one locked instruction, giving it back none.
//!
//! parking_lot's lock pays a second locked instruction to learn whether somebody sleeps.
//! The sections under this lock are a few loads and stores, never a switch, a system call or an allocation,
//! so nobody needs to sleep: a waiter spins shortly and then gives the processor away. That it had to is counted.
//! Under loom and Shuttle it is the checker's own mutex (a model must not spin).

#[cfg(not(any(loom, shuttle)))]
mod imp {
    use std::cell::UnsafeCell;
    use std::ops::{Deref, DerefMut};
    use std::sync::atomic::{AtomicBool, Ordering};

    use crate::primitive::collisions::{self, For};

    pub(crate) struct SpinLock<T> {
        held: AtomicBool,
        of: For,
        value: UnsafeCell<T>,
    }

    // SAFETY: `held` lets one thread at a time reach the value.
    unsafe impl<T: Send> Sync for SpinLock<T> {}
    // SAFETY: the lock owns its value.
    unsafe impl<T: Send> Send for SpinLock<T> {}

    pub(crate) struct SpinGuard<'a, T>(&'a SpinLock<T>);

    impl<T> SpinLock<T> {
        pub(crate) const fn new(of: For, value: T) -> Self {
            SpinLock {
                held: AtomicBool::new(false),
                of,
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
            collisions::begin(self.of);
            let (mut spins, mut backoffs) = (0, 0);
            loop {
                for _ in 0..64 {
                    std::hint::spin_loop();
                    spins += 1;
                    if !self.held.load(Ordering::Relaxed)
                        && !self.held.swap(true, Ordering::Acquire)
                    {
                        return collisions::end(self.of, spins, backoffs);
                    }
                }
                // The holder has lost its processor; ours is the one it may need.
                std::thread::yield_now();
                backoffs += 1;
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
    use crate::primitive::Mutex;
    use crate::primitive::collisions::For;
    pub(crate) use crate::primitive::mutex::MutexGuard as SpinGuard;

    pub(crate) struct SpinLock<T>(Mutex<T>);

    impl<T> SpinLock<T> {
        pub(crate) fn new(_: For, value: T) -> Self {
            SpinLock(Mutex::new(value))
        }
        pub(crate) fn lock(&self) -> SpinGuard<'_, T> {
            self.0.lock()
        }
    }
}

pub(crate) use imp::{SpinGuard, SpinLock};

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use crate::primitive::collisions::{For, of_tests};

    /// The only test with locks of this kind, so the counts are its own.
    #[test]
    fn collisions_are_counted_one_for_each_and_nothing_else() {
        let lock = SpinLock::new(For::Test, 0);
        for _ in 0..1000 {
            *lock.lock() += 1;
        }
        assert_eq!(of_tests(), [0; 3], "nobody had to wait");
        for number in 1..=10 {
            let guard = lock.lock();
            std::thread::scope(|scope| {
                scope.spawn(|| *lock.lock() += 1);
                while of_tests()[0] < number {
                    std::thread::yield_now();
                }
                drop(guard);
            });
            assert_eq!(of_tests()[0], number);
        }
        let [collisions, spins, _] = of_tests();
        assert!(spins >= collisions, "{spins}");
        assert_eq!(*lock.lock(), 1010);
    }
}
