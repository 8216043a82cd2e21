//! Tasks that others wait for, whatever their priority: marked for a while, so that they run next.
//!
//! A marked task is queued as one of high priority, and before those of its class that are not marked, up to three times
//! in a row. So it keeps nobody from running for good: the fairness pick serves the classes below as ever, and the cap the
//! unmarked of its own class. A mark counts from the next time the task is queued; one that was woken from outside the
//! workers also calls the worker that ran it last, which would otherwise look there only now and then.
#![forbid(unsafe_code)]

use std::fmt;

use crate::join::TaskRef;

/// Until it is dropped, a task is urgent; see [`TaskRef::urge`].
#[must_use = "it ends when the mark is dropped"]
pub struct Urgent {
    task: TaskRef,
}

impl Urgent {
    /// The task that is marked.
    pub fn task(&self) -> &TaskRef {
        &self.task
    }
}

impl Drop for Urgent {
    fn drop(&mut self) {
        self.task.record().calm();
    }
}

impl fmt::Debug for Urgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Urgent").field(&self.task).finish()
    }
}

impl TaskRef {
    /// Marks the task as urgent, since others cannot go on before it has: until the mark is dropped, it is queued before all
    /// that are not. Its priority stays what it is. Marks count; one beyond 60 has no effect (`None`).
    ///
    /// ```
    /// use fiberhost_scheduler::{current, run};
    ///
    /// run(|| {
    ///     let mark = current().urge();
    ///     assert!(current().is_urgent());
    ///     drop(mark);
    ///     assert!(!current().is_urgent());
    /// });
    /// ```
    pub fn urge(&self) -> Option<Urgent> {
        self.record().urge().then(|| Urgent { task: self.clone() })
    }

    /// Whether it is marked at this moment.
    pub fn is_urgent(&self) -> bool {
        self.record().is_urgent()
    }
}
