//! The two counts that keep a task on its thread: *stay* and *own*.
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
        let task = current::within().map(|(_, task)| task);
        if let Some(task) = task {
            raise(task, hold);
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
            lower(task, self.hold);
        }
    }
}

/// Raises a count of the calling task. Its thread must not end as long as it cannot go on elsewhere.
pub(super) fn raise(task: &Task, hold: Hold) {
    if task.is_mobile() && !task.is_held() {
        count_live(1);
    }
    task.raise_hold(hold);
}

/// Lowers it again.
pub(super) fn lower(task: &Task, hold: Hold) {
    task.lower_hold(hold);
    if task.is_mobile() && !task.is_held() {
        count_live(-1);
    }
}

fn count_live(change: i32) {
    if let Some((thread, _)) = current::within() {
        let live = thread.bound_live.get().saturating_add_signed(change);
        thread.bound_live.set(live);
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
/// A wait puts the thread to sleep with the task, and the slot goes to another thread; it ends as every wait does.
/// A yield returns at once, unless the slot is needed. Other tasks that have started on this thread wait meanwhile.
/// On a plain thread the guard does nothing.
///
/// # Panics
/// At 65,535 guards in one task.
pub fn own() -> Own {
    Own {
        _guard: Guard::new(Hold::Own),
    }
}
