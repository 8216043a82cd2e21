//! One door to atomics, locks, cells and threads, so that checkers can replace them.
//!
//! In a build this is std and parking_lot; under `--cfg loom` and `--cfg shuttle` it is the model checker's.
//! Nothing else in this crate names std's atomics or parking_lot.
//!
//! Room for unsafe code: [`Plain`], [`SpinLock`], [`biased`], [`leaning`], the futex calls in [`sleeper`] and the barrier in [`barrier`].

pub(crate) mod barrier;
pub(crate) mod biased;
pub(crate) mod clock;
pub(crate) mod collisions;
pub(crate) mod held;
pub(crate) mod leaning;
#[cfg(any(loom, shuttle))]
mod mutex;
mod plain;
pub(crate) mod simulated;
pub(crate) mod sleeper;
mod spin;
pub(crate) mod ticks;

pub(crate) use clock::Instant;
pub(crate) use collisions::For;
pub(crate) use plain::{Plain, Shown, ShownAddress, ShownWord};
pub(crate) use spin::SpinLock;

#[cfg(not(any(loom, shuttle)))]
mod world {
    pub(crate) use std::sync::atomic::{
        AtomicBool, AtomicI32, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };
    pub(crate) use std::thread;
    pub(crate) use std::thread_local;
    pub(crate) type Mutex<T> = parking_lot::Mutex<T>;
}

#[cfg(loom)]
mod world {
    pub(crate) use super::mutex::Mutex;
    pub(crate) use loom::sync::atomic::{
        AtomicBool, AtomicI32, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };
    pub(crate) use loom::thread;
    pub(crate) use loom::thread_local;
}

#[cfg(shuttle)]
mod world {
    pub(crate) use super::mutex::Mutex;
    pub(crate) use shuttle::sync::atomic::{
        AtomicBool, AtomicI32, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };
    pub(crate) use shuttle::thread;
    pub(crate) use shuttle::thread_local;
}

pub(crate) use world::*;
