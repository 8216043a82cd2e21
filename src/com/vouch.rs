//! The promise that a runtime's tasks may change their OS threads.
//!
//! It is part of the hosting contract: what a runtime runs on a task of ours says by `BeginThreadAffinity` and
//! `LeaveRuntime` when it depends on the thread. So only tasks that run a [`Work`](super::Work) are mobile.
//!
//! Room for unsafe code: that promise.

use fiberhost_scheduler::{TaskBuilder, TaskRef};

use super::Hresult;
use super::argument::Promise;

/// Spawns a task that may move, to run functions of a runtime. `body` is what this crate does around them.
///
/// `E_OUTOFMEMORY` for whatever refuses it, the end of the scheduler included: to a runtime that is all one.
pub(crate) fn spawn<C: Send + 'static>(
    builder: TaskBuilder,
    _promise: Promise,
    context: C,
    body: fn(C),
) -> Result<TaskRef, Hresult> {
    let closure = move || body(context);
    // SAFETY: a runtime's functions keep the contract above, as whoever made the `Work` has promised, and the bodies of this
    // crate keep nothing of the thread across a wait.
    let spawned = unsafe { builder.spawn_mobile(closure) }.map_err(|_| Hresult::E_OUTOFMEMORY)?;
    let task = spawned.task().clone();
    // One that has ended so soon never ran: the scheduler takes no more tasks.
    if spawned.is_finished() && spawned.join().is_err_and(|error| error.is_cancelled()) {
        return Err(Hresult::E_OUTOFMEMORY);
    }
    Ok(task)
}
