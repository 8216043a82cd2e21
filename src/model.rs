//! What the models in `tests/models` need from inside. It exists only under `--cfg loom` and `--cfg shuttle`.
//!
//! Here are the protocols of the hosting layer that are more than a lock, behind thin wrappers and without the kernel, the
//! runtime and the tasks: a model's threads stand in for these.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "thin wrappers around what is documented")]

use std::cell::Cell;
use std::time::Duration;

use fiberhost_scheduler::{Heed, TaskRef, Wake, thread_alerts};

use crate::alert;
use crate::alert::looking::Looking;
use crate::blocked;
use crate::lent;
use crate::workers::roll;

// Of the transfers this alone: their engines are made of the kernel.
#[path = "completion/cancel.rs"]
mod cancel;

/// Memory of a task that somebody else still uses.
pub struct Lent(lent::Lent);

impl std::fmt::Debug for Lent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lent")
    }
}

impl Default for Lent {
    fn default() -> Self {
        Lent(lent::Lent::new())
    }
}

impl Lent {
    pub fn lend(&self) {
        self.0.lend();
    }

    pub fn give_back(&self) {
        self.0.give_back();
    }

    pub fn wait(&self) {
        self.0.wait();
    }
}

/// A cancellation that meets the giving of a transfer.
pub struct Cancel(cancel::Cancel);

impl std::fmt::Debug for Cancel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cancel")
    }
}

impl Default for Cancel {
    fn default() -> Self {
        Cancel(cancel::Cancel::new())
    }
}

impl Cancel {
    pub fn mark(&self) {
        self.0.mark();
    }

    pub fn name(&self) -> Option<u64> {
        self.0.name()
    }

    pub fn note_name(&self, name: u64) {
        self.0.note_name(name);
    }

    pub fn is_marked(&self) -> bool {
        self.0.is_marked()
    }
}

/// Who there is to work. Nobody in a model fails to start.
pub struct Roll(roll::Roll<u32>);

impl std::fmt::Debug for Roll {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Roll")
    }
}

impl Roll {
    pub fn new(least: u32, most: u32, floor: u32) -> Roll {
        Roll(roll::Roll::new((least, most), floor))
    }

    /// Whether the job was taken. `start` makes a worker, or says that it could not, after `note_stillborn`.
    pub fn queue(&self, job: u32, start: impl FnOnce() -> Result<(), ()>) -> bool {
        self.0.queue(job, start).is_ok()
    }

    pub fn next(&self, patience: Duration) -> Option<u32> {
        self.0.next(patience, |wait: &dyn Fn() -> Wake| wait())
    }

    pub fn note_end(&self) {
        self.0.note_end();
    }

    pub fn note_stillborn(&self) {
        self.0.note_stillborn();
    }

    /// Waits until all have ended.
    pub fn close(&self) {
        assert!(self.0.close(None), "the wait has no limit");
    }

    /// What nobody has come to.
    pub fn left(&self) -> usize {
        self.0.take_left().len()
    }
}

/// A task whose waits block its thread, one of the model's, and the host that ends.
pub struct Unmanaged {
    alerts: alert::Alerts,
    blocked: blocked::Blocked,
}

impl std::fmt::Debug for Unmanaged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unmanaged")
    }
}

impl Default for Unmanaged {
    fn default() -> Self {
        Unmanaged {
            alerts: alert::Alerts::new(),
            blocked: blocked::Blocked::new(),
        }
    }
}

impl Unmanaged {
    /// `adopted`: the task is this thread.
    pub fn alert(&self, adopted: Option<&TaskRef>) {
        self.alerts.raise(adopted);
    }

    /// The host ends.
    pub fn end(&self) {
        self.blocked.end();
    }

    /// A wait of the task, in unmanaged code or, `adopted`, of a thread that is one.
    pub fn wait(&self, heed: Heed, adopted: bool, wait: impl Fn(Heed) -> Wake) -> Wake {
        let thread = thread_alerts();
        let broken = Cell::new(false);
        let looking = Looking {
            blocked: &self.blocked,
            alerts: &self.alerts,
            heed,
            thread: Some(&thread),
            is_adopted: adopted,
            broken: &broken,
        };
        let waited = looking.wait(None, |_, heed| wait(heed));
        waited.unwrap_or_else(|_| unreachable!("nobody breaks it"))
    }
}
