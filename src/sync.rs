//! What tasks wait for: critical sections, events and semaphores of the interface, on those of the scheduler.
//!
//! | result | when |
//! |---|---|
//! | `HOST_E_TIMEOUT` | the time is over; for a time of 0 at once |
//! | `HOST_E_INTERRUPTED` | alertable only: an alert came before what was waited for. If both came, the signal counts, and the alert stays for the next wait |
//! | `HOST_E_ABANDONED` | an event only: the scheduler is shut down under its waiter |
//! | `HOST_E_NOT_OWNER` | a section that is not the caller's is left |
//! | `HOST_E_DEADLOCK` | a wait without a limit for a section, or for an event that [may be broken](Breakable): it was broken, since tasks wait for each other (`deadlock`) |
//!
//! A task waits by giving its thread away, a thread that is no task by sleeping. Nothing here unwinds: runtimes' frames lie
//! on the stack.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fiberhost_scheduler::sync::{AutoResetEvent, ManualResetEvent, Semaphore};
use fiberhost_scheduler::{Heed, Wake};

use crate::alert;
use crate::com::host::{IHostAutoEvent, IHostCrst, IHostManualEvent, IHostSemaphore};
use crate::com::recursive::Recursive;
use crate::com::{Hresult, INFINITE, Optional, WAIT_OPTION};
use crate::current;
use crate::deadlock::{Broken, Edge, Owned};
use crate::host::Shared;

/// A time of the interface: none means for ever.
pub(crate) fn limit(milliseconds: u32) -> Option<Duration> {
    (milliseconds != INFINITE).then(|| Duration::from_millis(milliseconds.into()))
}

/// What the runtime has said of an event when it was made: which waits on it may be broken to end a deadlock, and by which
/// cookie the runtime knows its owners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breakable {
    /// An event of the runtime's own: its waits cannot cope with being broken.
    No,
    /// The event behind a monitor.
    Monitor(usize),
    /// The writers' event of a reader-writer lock.
    Writers(usize),
    /// The readers' event of a reader-writer lock.
    Readers(usize),
}

impl Breakable {
    /// For whom a wait waits, which may be broken if its option does not forbid that.
    fn edge(self) -> Option<Edge> {
        match self {
            Breakable::No => None,
            Breakable::Monitor(cookie) => Some(Edge::Monitor(cookie)),
            Breakable::Writers(cookie) | Breakable::Readers(cookie) => Some(Edge::Owners(cookie)),
        }
    }
}

/// A wait for what can be tried first. Without a limit it stands among those that may be waits for each other, if it is
/// known for whom it waits.
///
/// The order decides who wins: a signal that is there counts before the alert, and once more after it.
fn wait(
    host: &Arc<Shared>,
    (milliseconds, option): (u32, WAIT_OPTION),
    heed: Heed,
    edge: Option<Edge>,
    try_take: impl Fn() -> bool,
    take: impl Fn(Option<Duration>, Heed) -> Wake,
) -> Result<(), Hresult> {
    if try_take() {
        return Ok(());
    }
    if milliseconds == 0 {
        return Err(Hresult::HOST_E_TIMEOUT);
    }
    let waited = match edge.filter(|_| milliseconds == INFINITE) {
        Some(edge) => alert::wait_for_owner(host, heed, edge, option.may_be_broken(), take),
        None => Ok(alert::wait(host, limit(milliseconds), heed, take)),
    };
    match waited {
        Ok(Wake::Signalled) => Ok(()),
        Ok(Wake::TimedOut) => Err(Hresult::HOST_E_TIMEOUT),
        Ok(Wake::Alerted) if try_take() => {
            // The alert was taken by this wait: it goes back.
            alert::put_back(host);
            Ok(())
        }
        Ok(Wake::Alerted) => Err(Hresult::HOST_E_INTERRUPTED),
        Ok(Wake::Aborted) => Err(Hresult::HOST_E_ABANDONED),
        Err(Broken) if try_take() => Ok(()),
        Err(Broken) => Err(Hresult::HOST_E_DEADLOCK),
    }
}

/// What a wait on an event heeds: a shutdown always, for there is a result that says so.
fn heed_of_event(option: WAIT_OPTION) -> Heed {
    if option.is_alertable() {
        Heed::Alert
    } else {
        Heed::Cancel
    }
}

/// The event of `CreateAutoEvent` and its kin.
#[derive(Debug)]
pub(crate) struct AutoEvent {
    event: AutoResetEvent,
    breakable: Breakable,
    host: Arc<Shared>,
}

impl AutoEvent {
    pub(crate) fn new(host: Arc<Shared>, breakable: Breakable) -> AutoEvent {
        AutoEvent {
            event: AutoResetEvent::new(false),
            breakable,
            host,
        }
    }
}

impl AutoEvent {
    #[inline(never)]
    fn wait_otherwise(&self, milliseconds: u32, option: WAIT_OPTION) -> Result<(), Hresult> {
        let heed = heed_of_event(option);
        let take = |limit, heed| self.event.wait_heeding(limit, heed);
        let edge = self.breakable.edge();
        let how = (milliseconds, option);
        wait(&self.host, how, heed, edge, || self.event.reset(), take)
    }
}

impl IHostAutoEvent for AutoEvent {
    fn wait(&self, milliseconds: u32, option: WAIT_OPTION) -> Result<(), Hresult> {
        // The usual one, for which nobody has to be told or asked anything.
        let is_usual = milliseconds == INFINITE
            && !option.is_alertable()
            && self.breakable == Breakable::No
            && current::waits_quietly(&self.host);
        if !is_usual {
            return self.wait_otherwise(milliseconds, option);
        }
        match self.event.take_or_wait(Heed::Cancel) {
            Wake::Signalled => Ok(()),
            _ => Err(Hresult::HOST_E_ABANDONED),
        }
    }

    fn set(&self) -> Result<(), Hresult> {
        self.event.set();
        Ok(())
    }
}

/// The event of `CreateManualEvent` and its kin.
#[derive(Debug)]
pub(crate) struct ManualEvent {
    event: ManualResetEvent,
    breakable: Breakable,
    host: Arc<Shared>,
}

impl ManualEvent {
    pub(crate) fn new(host: Arc<Shared>, set: bool, breakable: Breakable) -> ManualEvent {
        ManualEvent {
            event: ManualResetEvent::new(set),
            breakable,
            host,
        }
    }
}

impl IHostManualEvent for ManualEvent {
    fn wait(&self, milliseconds: u32, option: WAIT_OPTION) -> Result<(), Hresult> {
        let heed = heed_of_event(option);
        let take = |limit, heed| self.event.wait_heeding(limit, heed);
        let edge = self.breakable.edge();
        let how = (milliseconds, option);
        wait(&self.host, how, heed, edge, || self.event.is_set(), take)
    }

    fn reset(&self) -> Result<(), Hresult> {
        self.event.reset();
        Ok(())
    }

    fn set(&self) -> Result<(), Hresult> {
        self.event.set();
        Ok(())
    }
}

/// The semaphore of `CreateSemaphore`.
#[derive(Debug)]
pub(crate) struct HostSemaphore {
    permits: Semaphore,
    most: usize,
    host: Arc<Shared>,
}

impl HostSemaphore {
    /// `E_INVALIDARG` unless 0 ≤ initial ≤ most, most > 0, and both are numbers that `ReleaseSemaphore` can give.
    pub(crate) fn new(host: Arc<Shared>, initial: u32, most: u32) -> Result<Self, Hresult> {
        if most == 0 || initial > most || i32::try_from(most).is_err() {
            return Err(Hresult::E_INVALIDARG);
        }
        Ok(HostSemaphore {
            permits: Semaphore::new(initial as usize),
            most: most as usize,
            host,
        })
    }
}

impl IHostSemaphore for HostSemaphore {
    /// Neither broken nor abandoned: runtimes expect neither of a semaphore. So a shutdown does not end the wait, but for an
    /// alertable one, which it interrupts.
    fn wait(&self, milliseconds: u32, option: WAIT_OPTION) -> Result<(), Hresult> {
        let try_take = || {
            let permit = self.permits.try_acquire();
            permit.map(|permit| permit.forget()).is_some()
        };
        let take = |limit, heed| self.permits.wait_heeding(limit, heed);
        let waited = wait(
            &self.host,
            (milliseconds, option),
            heed_alerts_alone(option),
            None,
            try_take,
            take,
        );
        waited.map_err(interrupted)
    }

    fn release(&self, count: i32) -> Result<Optional<i32>, Hresult> {
        let count = usize::try_from(count).map_err(|_| Hresult::E_INVALIDARG)?;
        if count == 0 {
            return Err(Hresult::E_INVALIDARG);
        }
        let before = self
            .permits
            .add_within(count, self.most)
            .map_err(|_| Hresult::E_INVALIDARG)?;
        Ok(Optional(
            i32::try_from(before).expect("the most fits, as the making saw to"),
        ))
    }
}

/// What a wait heeds that has no result for a shutdown.
pub(crate) fn heed_alerts_alone(option: WAIT_OPTION) -> Heed {
    if option.is_alertable() {
        Heed::Alert
    } else {
        Heed::Nothing
    }
}

/// Of a wait that has no result for a shutdown: to an alertable one it is an alert without a reason.
pub(crate) fn interrupted(result: Hresult) -> Hresult {
    if result == Hresult::HOST_E_ABANDONED {
        Hresult::HOST_E_INTERRUPTED
    } else {
        result
    }
}

/// The critical section of `CreateCrst`: recursive, owned by the task, or by the thread where there is none.
///
/// The owner is whom the scheduler knows the caller as. That does not change when a thread is adopted as a task, so what was
/// entered before can be left afterwards.
#[derive(Debug)]
pub(crate) struct Crst {
    section: Arc<Section>,
}

#[derive(Debug)]
struct Section {
    lock: Arc<Recursive>,
    spins: AtomicU32,
    host: Arc<Shared>,
}

/// More looks than this only cost time.
const SPINS_MAX: u32 = 4000;

impl Crst {
    pub(crate) fn new(host: Arc<Shared>, spins: u32) -> Crst {
        Crst {
            section: Arc::new(Section {
                lock: Arc::new(Recursive::new()),
                spins: AtomicU32::new(spins),
                host,
            }),
        }
    }

    /// What its calls may go by while nobody waits.
    pub(crate) fn quick(&self) -> Arc<Recursive> {
        Arc::clone(&self.section.lock)
    }
}

impl Drop for Crst {
    fn drop(&mut self) {
        // The last reference went while somebody has the section: a fault of the runtime. Nothing is freed under the owner,
        // nor under those who wait.
        if self.section.lock.raw().is_locked() {
            std::mem::forget(Arc::clone(&self.section));
        }
    }
}

impl Section {
    /// Ends with the section, whatever happens, unless the wait may be broken and is.
    fn enter(self: &Arc<Self>, option: WAIT_OPTION) -> Result<(), Hresult> {
        if self.lock.try_enter() || self.spin() {
            return Ok(());
        }
        let edge = Edge::Section(Arc::clone(self) as _);
        let take = |_: Option<Duration>, heed| self.lock.raw().lock_heeding(heed);
        let heed = Heed::Nothing;
        let breakable = option.may_be_broken();
        match alert::wait_for_owner(&self.host, heed, edge, breakable, take) {
            Ok(wake) => {
                debug_assert!(wake == Wake::Signalled, "nothing else is heeded");
                Ok(())
            }
            Err(Broken) => Err(Hresult::HOST_E_DEADLOCK),
        }
    }

    fn spin(&self) -> bool {
        let spins = self.spins.load(Ordering::Relaxed).min(SPINS_MAX);
        (0..spins).any(|_| {
            std::hint::spin_loop();
            !self.lock.raw().is_locked() && self.lock.raw().try_lock()
        })
    }
}

impl Owned for Section {
    fn owner(&self) -> Option<u64> {
        self.lock.raw().owner()
    }
}

impl IHostCrst for Crst {
    fn enter(&self, option: WAIT_OPTION) -> Result<(), Hresult> {
        self.section.enter(option)
    }

    fn leave(&self) -> Result<(), Hresult> {
        self.section.lock.leave()
    }

    fn try_enter(&self, _option: WAIT_OPTION) -> Result<bool, Hresult> {
        Ok(self.section.lock.try_enter())
    }

    fn set_spin_count(&self, spins: u32) -> Result<(), Hresult> {
        self.section.spins.store(spins, Ordering::Relaxed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Host;

    #[test]
    fn a_section_is_not_freed_while_somebody_has_it() {
        let host = Host::builder().build().expect("a host");
        let option = WAIT_OPTION::default();
        for entered in [false, true] {
            let crst = Crst::new(Arc::clone(host.shared()), 0);
            let section = Arc::downgrade(&crst.section);
            if entered {
                crst.enter(option).unwrap();
            }
            drop(crst);
            assert_eq!(section.upgrade().is_some(), entered);
        }
    }

    #[test]
    fn a_plain_event_waits_for_nobody_in_particular() {
        assert!(Breakable::No.edge().is_none());
        for breakable in [
            Breakable::Monitor(5),
            Breakable::Writers(5),
            Breakable::Readers(5),
        ] {
            assert!(breakable.edge().is_some());
        }
    }
}
