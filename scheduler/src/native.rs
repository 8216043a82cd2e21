//! What keeps a task on its OS thread while native code depends on that thread.
//!
//! Two counts, because they mean different things:
//!
//! - [`stay`]: the task must not move, others may run on its thread meanwhile. For thread-local state that others respect,
//!   and for critical regions of a mobile task.
//! - [`own`]: the thread belongs to the task alone. For native frames that may hold native locks, which are recursive by
//!   thread, and for thread affinity: another task on that thread would enter a lock that its neighbour holds.
//!
//! A task that owns its thread blocks it when it waits; the thread's other bound tasks wait until it gives the thread up.
//! So an owner that waits for one of those never ends.
#![forbid(unsafe_code)]

use std::fmt;
use std::marker::PhantomData;

use crate::current;
use crate::task::{Hold, Task};

/// Keeps the calling task on its thread; see [`stay`].
#[must_use = "it ends when the guard is dropped"]
pub struct Stay {
    _guard: Guard,
}

/// Keeps the calling task's thread for it alone; see [`own`].
#[must_use = "it ends when the guard is dropped"]
pub struct Own {
    _guard: Guard,
}

struct Guard {
    task: Option<&'static Task>,
    hold: Hold,
    /// It counts for the task that made it.
    not_send: PhantomData<*const ()>,
}

impl Guard {
    fn new(hold: Hold) -> Self {
        let task = current::running().map(|(_, task)| task);
        if let Some(task) = task {
            task.raise_hold(hold);
        }
        Guard {
            task,
            hold,
            not_send: PhantomData,
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(task) = self.task {
            task.lower_hold(self.hold);
        }
    }
}

impl fmt::Debug for Stay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stay")
    }
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Own")
    }
}

/// Until the guard is dropped, the calling task does not change its thread. Guards nest.
///
/// A bound task does not move anyway; on a plain thread the guard does nothing.
/// A guard that is leaked keeps the task on its thread until the task ends.
///
/// ```compile_fail
/// fn send<T: Send>(_: T) {}
/// send(fiberhost_scheduler::native::stay());
/// ```
///
/// # Panics
/// At 65,535 guards in one task.
pub fn stay() -> Stay {
    Stay {
        _guard: Guard::new(Hold::Stay),
    }
}

/// Until the guard is dropped, no other task runs on the calling task's thread. Guards nest.
///
/// A wait blocks the thread meanwhile, and is neither alerted nor aborted; a yield returns at once.
/// On a plain thread the guard does nothing.
///
/// # Panics
/// At 65,535 guards in one task.
pub fn own() -> Own {
    Own {
        _guard: Guard::new(Hold::Own),
    }
}
