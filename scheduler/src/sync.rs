//! What tasks and plain threads wait for together.
//!
//! Everything here works between tasks of any worker, between tasks of different schedulers, and between tasks and plain
//! threads: a task parks, a plain thread blocks.

/// A `const fn` in a build; the checkers' atomics cannot be made at compile time.
macro_rules! const_in_a_build {
    ($(#[$attribute:meta])* $visibility:vis const fn $($rest:tt)*) => {
        #[cfg(not(any(loom, shuttle)))]
        $(#[$attribute])*
        $visibility const fn $($rest)*
        #[cfg(any(loom, shuttle))]
        $(#[$attribute])*
        $visibility fn $($rest)*
    };
}
use const_in_a_build;

mod barrier;
pub mod channel;
mod condvar;
mod event;
pub(crate) mod lock_waits;
mod mutex;
mod once;
mod once_lock;
mod raw_mutex;
mod raw_rwlock;
mod rwlock;
mod semaphore;
pub(crate) mod until;
pub(crate) mod wait_list;

pub use barrier::{Barrier, BarrierWaitResult};
pub use condvar::{Condvar, WaitTimeoutResult};
pub use event::{AutoResetEvent, ManualResetEvent};
pub use mutex::{Mutex, MutexGuard};
pub use once::{Once, OnceState};
pub use once_lock::OnceLock;
pub use raw_mutex::{NotOwner, RawMutex};
pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use semaphore::{Semaphore, SemaphoreGuard};
