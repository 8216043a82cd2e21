//! `IHostTask::Alert`: the latch, and the alertable waits that take it.
//!
//! The latch is the host's own. An alert of the scheduler only wakes: it may come too late for the wait that it was meant for
//! and meet another one, which then looks at the latch, finds nothing, and waits for what is left of its time.
//!
//! In unmanaged code (state native) a wait blocks the thread, so it is the thread that has to be woken. Who waits says which
//! one before it looks at the latch for the last time; who alerts sets the latch before it looks whom to wake. Both do so
//! under one lock: so either the latch is seen, or the thread is. The same thread is woken by a shutdown (`blocked`).
//!
//! A wait that is broken to end a deadlock (`deadlock`) is ended by the scheduler, and heeds more of it than the wait's own
//! option says: whatever else it is woken for it looks up, and goes on.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use fiberhost_scheduler::{Heed, TaskRef, ThreadAlerts, Wake, thread_alerts};
use parking_lot::Mutex;

use crate::clock;
use crate::current::{self, Current};
use crate::deadlock::{self, Broken, Edge};
use crate::host::Shared;
use crate::task::Kind;

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
#[inline]
pub(crate) fn wait(
    host: &Shared,
    limit: Option<Duration>,
    heed: Heed,
    wait: impl Fn(Option<Duration>, Heed) -> Wake,
) -> Wake {
    if heed != Heed::Alert && current::waits_quietly(host) {
        return wait(limit, heed);
    }
    let caller = current::known(host);
    let Some(caller) = caller.filter(|_| heed != Heed::Nothing) else {
        return host.switching.around(|| wait(limit, without_alerts(heed)));
    };
    let blocks = blocks(&caller);
    if heed == Heed::Cancel && !blocks {
        return host.switching.around(|| wait(limit, heed));
    }
    let thread = blocks.then(thread_alerts);
    let looking = Looking {
        host,
        caller: &caller,
        heed,
        thread: thread.as_ref(),
        broken: &Cell::new(false),
    };
    // Nobody breaks it.
    looking.wait(limit, wait).unwrap_or(Wake::Aborted)
}

/// A wait without a limit for what others have. It stands among those in which circles are looked for, and may end by being
/// [`Broken`], if that is allowed.
///
/// It stands while it cannot run, and no longer: the runtime is told that its task is out before, and that it is in after that.
pub(crate) fn wait_for_owner(
    host: &Arc<Shared>,
    heed: Heed,
    edge: Edge,
    breakable: bool,
    wait: impl Fn(Option<Duration>, Heed) -> Wake,
) -> Result<Wake, Broken> {
    let Some(caller) = current::known(host) else {
        let wait = || self::wait(host, None, heed, &wait);
        return deadlock::wait(host, None, edge, false, wait);
    };
    let thread = blocks(&caller).then(thread_alerts);
    let broken = Cell::new(false);
    let standing = |limit, heed| {
        // One that heeds nothing could not be told.
        let breakable = breakable && heed != Heed::Nothing;
        let wait = || wait(limit, heed);
        let waited = deadlock::wait(host, Some(&caller), edge.clone(), breakable, wait);
        waited.unwrap_or_else(|Broken| {
            broken.set(true);
            Wake::Aborted
        })
    };
    if !breakable {
        return Ok(self::wait(host, None, heed, standing));
    }
    let looking = Looking {
        host,
        caller: &caller,
        heed,
        thread: thread.as_ref(),
        broken: &broken,
    };
    looking.wait(None, standing)
}

/// Whether a wait of this task blocks its thread.
fn blocks(caller: &Current) -> bool {
    is_adopted(caller) || caller.blocks_thread()
}

/// It is alerted as the thread that it is.
fn is_adopted(caller: &Current) -> bool {
    caller.task().kind() == Kind::Adopted
}

/// Nobody can alert one that the runtime does not know.
fn without_alerts(heed: Heed) -> Heed {
    match heed {
        Heed::Alert | Heed::Cancel => Heed::Cancel,
        Heed::Nothing => Heed::Nothing,
    }
}

/// A wait that is woken to look whether there is a reason to end it.
struct Looking<'a> {
    host: &'a Shared,
    caller: &'a Current,
    /// What may end it, besides its being broken.
    heed: Heed,
    /// That it blocks.
    thread: Option<&'a ThreadAlerts>,
    /// Said by the wait itself.
    broken: &'a Cell<bool>,
}

impl Looking<'_> {
    fn wait(
        &self,
        limit: Option<Duration>,
        wait: impl Fn(Option<Duration>, Heed) -> Wake,
    ) -> Result<Wake, Broken> {
        let host = self.host;
        let alerts = (self.heed == Heed::Alert).then(|| self.caller.task().alerts());
        // Too far away to be a time: never.
        let until = limit.and_then(|limit| clock::now().checked_add(limit));
        let mut left = limit;
        loop {
            let to_wake = self.thread.filter(|_| !is_adopted(self.caller));
            if alerts.is_some_and(|alerts| alerts.take_or_block(to_wake)) {
                return Ok(Wake::Alerted);
            }
            let entered = self.thread.map(|thread| host.blocked.enter(thread));
            let wake = match entered {
                Some(None) => Wake::Aborted,
                // What it is woken for is looked up below.
                Some(Some(_)) | None => host.switching.around(|| wait(left, Heed::Alert)),
            };
            if let Some(alerts) = alerts {
                alerts.unblock();
            }
            if self.broken.get() {
                return Err(Broken);
            }
            if wake == Wake::Aborted && self.heed == Heed::Nothing {
                return Ok(host.switching.around(|| wait(left, Heed::Nothing)));
            }
            if wake != Wake::Alerted || alerts.is_some_and(Alerts::take) {
                return Ok(wake);
            }
            if self.thread.is_some() && host.blocked.is_ending() && self.heed != Heed::Nothing {
                return Ok(Wake::Aborted);
            }
            if let Some(until) = until {
                left = Some(until.saturating_duration_since(clock::now()));
            }
        }
    }
}

/// For a wait that was alerted and signalled: the signal counts, and the alert stays.
pub(crate) fn put_back(host: &Shared) {
    if let Some(caller) = current::known(host) {
        caller.task().alerts().put_back();
    }
}
