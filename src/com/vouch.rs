//! The promise that a runtime's tasks may change their OS threads.
//!
//! It is part of the hosting contract: what a runtime runs on a task of ours says by `BeginThreadAffinity` and
//! `LeaveRuntime` when it depends on the thread. So only tasks that run a [`Work`](super::Work) are mobile.
//!
//! Room for unsafe code: that promise.

use fiberhost_scheduler::{JoinHandle, SpawnError, TaskBuilder};

use super::argument::Promise;

/// Spawns a task that may move, to run functions of a runtime. `body` is what this crate does around them.
pub(crate) fn spawn<C: Send + 'static>(
    builder: TaskBuilder,
    _promise: Promise,
    context: C,
    body: fn(C),
) -> Result<JoinHandle<()>, SpawnError> {
    let closure = move || body(context);
    // SAFETY: a runtime's functions keep the contract above, as whoever made the `Work` has promised, and the bodies of this
    // crate keep nothing of the thread across a wait.
    unsafe { builder.spawn_mobile(closure) }
}
