//! Tasks that have run for a quantum are asked to yield (`ICLRTask::YieldTask`).
//!
//! The scheduler's monitor says who has. The runtime lets that task call `SwitchToTask` at its next safe point, and may stop
//! its thread for a moment to do so. What the monitor cannot have at once it does without, since a lock's holder may have
//! lost its processor; there is a next quantum. During the call it holds one lock, which a task takes only at its end, and
//! only to wait until it is no longer being asked: after its end a runtime's task may only be released.
//!
//! A task is not asked while it is in unmanaged code, which would not hear it, nor while it is urgent: others wait for it.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fiberhost_scheduler::TaskRef;
use parking_lot::Mutex;

use crate::com::clr::ICLRTask;

/// The runtime's tasks by the numbers of the scheduler's. It refers to no host, so the scheduler may keep it.
#[derive(Debug, Default)]
pub(crate) struct Quanta {
    tasks: Mutex<BTreeMap<u64, ICLRTask>>,
    /// Held while a task is asked.
    asking: Mutex<()>,
    asked: AtomicU64,
}

impl Quanta {
    pub(crate) fn insert(&self, task: &TaskRef, clr_task: &ICLRTask) {
        let clr_task = clr_task.clone();
        let before = self.tasks.lock().insert(task.id(), clr_task);
        // Released without the lock: the runtime may call back.
        drop(before);
    }

    pub(crate) fn remove(&self, task: &TaskRef) {
        let removed = self.tasks.lock().remove(&task.id());
        if removed.is_some() {
            drop(self.asking.lock());
        }
        drop(removed);
    }

    /// This task has run for a quantum. On a thread that is no task of the runtime.
    pub(crate) fn over(&self, task: &TaskRef) {
        if task.is_urgent() {
            return;
        }
        let Some(_asking) = self.asking.try_lock() else {
            return;
        };
        let clr_task = self
            .tasks
            .try_lock()
            .and_then(|tasks| tasks.get(&task.id()).cloned());
        if let Some(clr_task) = clr_task {
            // Relaxed: a figure.
            self.asked.fetch_add(1, Ordering::Relaxed);
            // Whatever it answers: the task may have ended or yielded meanwhile.
            let _ = clr_task.yield_task();
        }
    }

    /// How often a task was asked.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// What the scheduler is told to call.
    pub(crate) fn listener(self: &Arc<Self>) -> impl Fn(&TaskRef) + Send + Sync + 'static {
        let quanta = Arc::clone(self);
        move |task| quanta.over(task)
    }
}
