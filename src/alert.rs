//! `IHostTask::Alert`: the alertable waits, which take the latch.
//!
//! The latch is the host's own. An alert of the scheduler only wakes: it may come too late for the wait that it was meant for
//! and meet another one, which then looks at the latch, finds nothing, and waits for what is left of its time.
//!
//! In unmanaged code (state native) a wait blocks the thread, so it is the thread that has to be woken: by an alert (`latch`), and
//! by a shutdown (`blocked`).
//!
//! A wait that is broken to end a deadlock (`deadlock`) is ended by the scheduler, and heeds more of it than the wait's own
//! option says: whatever else it is woken for it looks up, and goes on.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use fiberhost_scheduler::{Heed, ThreadAlerts, Wake, thread_alerts};

use crate::current::{self, Current};
use crate::deadlock::{self, Broken, Edge};
use crate::host::Shared;
use crate::task::Kind;

mod latch;
pub(crate) mod looking;

pub(crate) use latch::Alerts;
use looking::Looking;

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
    let broken = Cell::new(false);
    let looking = looking(host, &caller, heed, thread.as_ref(), &broken);
    let wait = |limit, heed| host.switching.around(|| wait(limit, heed));
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
    let looking = looking(host, &caller, heed, thread.as_ref(), &broken);
    looking.wait(None, |limit, heed| {
        host.switching.around(|| standing(limit, heed))
    })
}

/// `thread`: it blocks that one. `broken`: what the wait says of itself.
fn looking<'a>(
    host: &'a Shared,
    caller: &'a Current,
    heed: Heed,
    thread: Option<&'a ThreadAlerts>,
    broken: &'a Cell<bool>,
) -> Looking<'a> {
    Looking {
        blocked: &host.blocked,
        alerts: caller.task().alerts(),
        heed,
        thread,
        is_adopted: is_adopted(caller),
        broken,
    }
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

/// For a wait that was alerted and signalled: the signal counts, and the alert stays.
pub(crate) fn put_back(host: &Shared) {
    if let Some(caller) = current::known(host) {
        caller.task().alerts().put_back();
    }
}
