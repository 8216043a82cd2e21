//! Mobile tasks: the voucher that a started task may change threads.
//!
//! Room for unsafe code: the promise itself.

use crate::builder::TaskBuilder;
use crate::join::{self, JoinHandle};
use crate::scheduler::SpawnError;

impl TaskBuilder {
    /// Spawns a task that may go on on another thread after every suspension.
    ///
    /// # Errors
    /// As for [`spawn`](TaskBuilder::spawn).
    ///
    /// # Safety
    /// Whatever lies on the task's stack at a suspension may be used on another thread afterwards, and the compiler does
    /// not check that. In the closure and all it calls, no suspension happens while one of these is alive:
    /// - a value that is not `Send`, or a guard of a thread's lock (std's, parking_lot's);
    /// - the address of a thread-local, or a reference into one; this includes the time inside `LocalKey::with`;
    /// - anything that foreign code keeps by thread: a recursive OS lock, `errno`, a COM apartment.
    ///
    /// And no code that is inlined into the function that suspends reads a thread-local both before and after.
    pub unsafe fn spawn_mobile<F, T>(self, closure: F) -> Result<JoinHandle<T>, SpawnError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let (scheduler, mut plan) = self.into_parts();
        plan.mobile = true;
        join::handle(scheduler.core().spawn(&plan, closure))
    }
}
