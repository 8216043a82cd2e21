//! `IHostTask::Alert`: the latch, and the alertable waits that take it.
//!
//! The latch is the host's own. An alert of the scheduler only wakes: it may come too late for the wait that it was meant for
//! and meet another one, which then looks at the latch, finds nothing, and waits for what is left of its time.
//!
//! In unmanaged code (state native) a wait blocks the thread, so it is the thread that has to be woken. Who waits says which
//! one before it looks at the latch for the last time; who alerts sets the latch before it looks whom to wake. Both do so
//! under one lock: so either the latch is seen, or the thread is. The same thread is woken by a shutdown (`blocked`).
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use fiberhost_scheduler::{Heed, TaskRef, ThreadAlerts, Wake, thread_alerts};
use parking_lot::Mutex;

use crate::current;
use crate::host::Shared;
use crate::task::Kind;
use crate::transition::State;

/// The latch of one task.
#[derive(Debug, Default)]
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
    /// From any thread. It neither blocks nor allocates.
    pub(crate) fn raise(&self, task: Option<&TaskRef>) {
        let thread = {
            let mut state = self.state.lock();
            state.set = true;
            state.thread.clone()
        };
        for who in [task, thread.as_ref()].into_iter().flatten() {
            who.alert();
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
    fn take_or_block(&self, thread: Option<&ThreadAlerts>) -> bool {
        let mut state = self.state.lock();
        if std::mem::take(&mut state.set) {
            return true;
        }
        state.thread = thread.map(|alerts| alerts.thread().clone());
        false
    }

    fn unblock(&self) {
        let thread = self.state.lock().thread.take();
        drop(thread);
    }
}

/// A wait of the caller, which may give its thread away meanwhile. [`Wake::Alerted`] has taken the latch; [`Wake::Aborted`]
/// is a shutdown, where the wait heeds that.
pub(crate) fn wait(
    host: &Shared,
    limit: Option<Duration>,
    heed: Heed,
    wait: impl Fn(Option<Duration>, Heed) -> Wake,
) -> Wake {
    let caller = current::known(host);
    let Some(caller) = caller.filter(|_| heed != Heed::Nothing) else {
        // Nobody can alert one that the runtime does not know.
        let heed = if heed == Heed::Alert {
            Heed::Cancel
        } else {
            heed
        };
        return host.switching.around(|| wait(limit, heed));
    };
    let adopted = caller.task().kind() == Kind::Adopted;
    let blocks = adopted || caller.state() == State::Native;
    if heed == Heed::Cancel && !blocks {
        return host.switching.around(|| wait(limit, heed));
    }
    let alerts = (heed == Heed::Alert).then(|| caller.task().alerts());
    let thread = blocks.then(thread_alerts);
    // Too far away to be a time: never.
    let until = limit.and_then(|limit| Instant::now().checked_add(limit));
    let mut left = limit;
    loop {
        // An adopted thread is alerted as itself.
        let to_wake = thread.as_ref().filter(|_| !adopted);
        if alerts.is_some_and(|alerts| alerts.take_or_block(to_wake)) {
            return Wake::Alerted;
        }
        let entered = thread.as_ref().map(|thread| host.blocked.enter(thread));
        let wake = match entered {
            Some(None) => Wake::Aborted,
            // What it is woken for is looked up below.
            Some(Some(_)) | None => host.switching.around(|| wait(left, Heed::Alert)),
        };
        if let Some(alerts) = alerts {
            alerts.unblock();
        }
        if wake != Wake::Alerted || alerts.is_some_and(Alerts::take) {
            return wake;
        }
        if blocks && host.blocked.is_ending() {
            return Wake::Aborted;
        }
        if let Some(until) = until {
            left = Some(until.saturating_duration_since(Instant::now()));
        }
    }
}

/// For a wait that was alerted and signalled: the signal counts, and the alert stays.
pub(crate) fn put_back(host: &Shared) {
    if let Some(caller) = current::known(host) {
        caller.task().alerts().put_back();
    }
}
