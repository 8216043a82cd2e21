//! The latch of one task, and which thread its alerts have to wake.
//!
//! 1. Who waits, and blocks its thread: takes the latch, or else says which thread that is; both under the lock. Then it
//!    waits, and afterwards it takes back what it said.
//! 2. Who alerts: sets the latch and looks which thread that is, both under the lock. Then it wakes the task and that thread.
//!
//! An alert just before 1 is taken there; one during it has the lock before or after; one after it finds the thread, whose
//! wait ends, or its next one, which looks again.
#![forbid(unsafe_code)]

use fiberhost_scheduler::{TaskRef, ThreadAlerts};

use crate::primitive::Mutex;

/// The latch of one task.
#[derive(Debug)]
pub(crate) struct Alerts {
    state: Mutex<Latch>,
}

#[derive(Debug, Default)]
struct Latch {
    set: bool,
    /// The thread that the task blocks in an alertable wait in unmanaged code.
    thread: Option<TaskRef>,
}

impl Alerts {
    pub(crate) fn new() -> Alerts {
        Alerts {
            state: Mutex::new(Latch::default()),
        }
    }

    /// From any thread. It neither blocks nor allocates.
    pub(crate) fn raise(&self, task: Option<&TaskRef>) {
        let thread = {
            let mut state = self.state.lock();
            // The twin that a model must catch: who is woken looks before it is set.
            state.set |= !cfg!(feature = "bug_alert_first");
            state.thread.clone()
        };
        for who in [task, thread.as_ref()].into_iter().flatten() {
            who.alert();
        }
        if cfg!(feature = "bug_alert_first") {
            self.put_back();
        }
    }

    /// Takes the latch, if it is set.
    pub(crate) fn take(&self) -> bool {
        std::mem::take(&mut self.state.lock().set)
    }

    /// The wait that took it has ended by a signal after all.
    pub(crate) fn put_back(&self) {
        self.state.lock().set = true;
    }

    /// Takes the latch, or says whom to wake from now on.
    pub(super) fn take_or_block(&self, thread: Option<&ThreadAlerts>) -> bool {
        let mut state = self.state.lock();
        if std::mem::take(&mut state.set) {
            return true;
        }
        // The twin that a model must catch: the latch is set in between, and nobody is woken.
        if cfg!(feature = "bug_alert_block") {
            drop(state);
            state = self.state.lock();
        }
        state.thread = thread.map(|alerts| alerts.thread().clone());
        false
    }

    pub(super) fn unblock(&self) {
        let thread = self.state.lock().thread.take();
        drop(thread);
    }
}
