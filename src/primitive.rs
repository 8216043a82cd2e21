//! One door to atomics, fences and locks for what is modelled (`src/model.rs`), so that checkers can replace them.
//!
//! In a build this is std and parking_lot; under `--cfg loom` and `--cfg shuttle` it is the model checker's, as in the
//! scheduler's own `primitive`. Waits are the scheduler's everywhere.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(feature = "net"),
    allow(unused_imports, reason = "without transfers some of it is not needed")
)]

#[cfg(not(any(loom, shuttle)))]
mod world {
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};

    pub(crate) use parking_lot::{Mutex, MutexGuard};
}

#[cfg(any(loom, shuttle))]
mod world {
    #[cfg(loom)]
    use loom::sync as checked;
    #[cfg(shuttle)]
    use shuttle::sync as checked;

    pub(crate) use checked::MutexGuard;
    pub(crate) use checked::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};

    /// The checker's mutex with parking_lot's signature.
    #[derive(Debug)]
    pub(crate) struct Mutex<T>(checked::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Mutex(checked::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
        }
    }
}

pub(crate) use world::*;
