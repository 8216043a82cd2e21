//! A wait that is woken to look whether there is a reason to end it.
//!
//! Nothing of the host is here but what the wait looks at, so that it can be modelled with threads alone.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::time::Duration;

use fiberhost_scheduler::{Heed, ThreadAlerts, Wake};

use super::latch::Alerts;
use crate::blocked::Blocked;
use crate::clock;
use crate::deadlock::Broken;

pub(crate) struct Looking<'a> {
    /// Those who are woken when the host ends.
    pub(crate) blocked: &'a Blocked,
    /// The caller's latch.
    pub(crate) alerts: &'a Alerts,
    /// What may end it, besides its being broken.
    pub(crate) heed: Heed,
    /// The thread that it blocks, if it does.
    pub(crate) thread: Option<&'a ThreadAlerts>,
    /// The thread is alerted as the task that it is, so the latch need not know it.
    pub(crate) is_adopted: bool,
    /// Said by the wait itself.
    pub(crate) broken: &'a Cell<bool>,
}

impl Looking<'_> {
    /// [`Wake::Alerted`] has taken the latch.
    pub(crate) fn wait(
        &self,
        limit: Option<Duration>,
        wait: impl Fn(Option<Duration>, Heed) -> Wake,
    ) -> Result<Wake, Broken> {
        let alerts = (self.heed == Heed::Alert).then_some(self.alerts);
        // Too far away to be a time: never.
        let until = limit.and_then(|limit| clock::now().checked_add(limit));
        let mut left = limit;
        loop {
            let to_wake = self.thread.filter(|_| !self.is_adopted);
            if alerts.is_some_and(|alerts| alerts.take_or_block(to_wake)) {
                return Ok(Wake::Alerted);
            }
            let entered = self.thread.map(|thread| self.blocked.enter(thread));
            let wake = match entered {
                Some(None) => Wake::Aborted,
                // What it is woken for is looked up below.
                Some(Some(_)) | None => wait(left, Heed::Alert),
            };
            if let Some(alerts) = alerts {
                alerts.unblock();
            }
            if self.broken.get() {
                return Err(Broken);
            }
            if wake == Wake::Aborted && self.heed == Heed::Nothing {
                return Ok(wait(left, Heed::Nothing));
            }
            // The twin that a model must catch takes an alert that came late for one of its own.
            let is_told = |alerts: &Alerts| alerts.take() || cfg!(feature = "bug_alert_late");
            if wake != Wake::Alerted || alerts.is_some_and(is_told) {
                return Ok(wake);
            }
            if self.thread.is_some() && self.blocked.is_ending() && self.heed != Heed::Nothing {
                return Ok(Wake::Aborted);
            }
            if let Some(until) = until {
                left = Some(until.saturating_duration_since(clock::now()));
            }
        }
    }
}
