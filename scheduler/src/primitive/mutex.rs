//! A model's mutex with parking_lot's signature, whose guards are counted.
#![forbid(unsafe_code)]

use std::ops::{Deref, DerefMut};

#[cfg(loom)]
use loom::sync;
#[cfg(shuttle)]
use shuttle::sync;

use crate::primitive::held::Held;

#[derive(Debug)]
pub(crate) struct Mutex<T>(sync::Mutex<T>);

#[derive(Debug)]
pub(crate) struct MutexGuard<'a, T> {
    guard: sync::MutexGuard<'a, T>,
    _held: Held,
}

impl<T> Mutex<T> {
    #[cfg(loom)]
    pub(crate) fn new(value: T) -> Self {
        Mutex(sync::Mutex::new(value))
    }

    #[cfg(shuttle)]
    pub(crate) const fn new(value: T) -> Self {
        Mutex(sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        let locked = self.0.lock();
        MutexGuard {
            guard: locked.unwrap_or_else(std::sync::PoisonError::into_inner),
            _held: Held::new(),
        }
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}
