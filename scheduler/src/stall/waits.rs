//! Waits that have lasted for longer than they may, where somebody has said how long that is.
//!
//! Nothing is remembered of a wait, and each is reported once all the same: it is due when its limit has passed since it began,
//! and a scan reports those that have become due since the scan before. Times are those of the coarse clock, so a report may
//! come a tick of the monitor too early or too late beside the time between two scans.
#![forbid(unsafe_code)]

use std::time::Duration;

use super::report::{About, Stall, StallKind, Whose};
use crate::primitive::Ordering;
use crate::scheduler::Core;
use crate::stats::{coarse, snapshot};
use crate::task::{Kind, Task, pool};
use crate::trace::{self, What};
use crate::wait::WaitReason;

const MS: u64 = 1_000_000;
/// Between two scans: an eighth of the shortest limit, within these.
const PERIOD_MIN: u64 = 2 * MS;
const PERIOD_MAX: u64 = 1000 * MS;
/// How many are reported of one scan; of the others the last report says how many they are.
const REPORTS_MAX: usize = 32;

/// Owner: the monitor.
pub(super) struct LongWaits {
    /// In coarse ticks, by the number of the reason.
    limits: [Option<u32>; REASONS],
    period: u64,
    /// When the next scan is; far away if nobody wants one.
    next: u64,
    /// Up to when what was due was reported.
    done: Option<u32>,
}

const REASONS: usize = 32;

impl LongWaits {
    pub(super) fn new(wanted: &[(WaitReason, Duration)]) -> LongWaits {
        let nanos = |time: &Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let mut limits = [None; REASONS];
        for (reason, limit) in wanted {
            // At most half of what the clock can tell apart: 26 days.
            limits[*reason as usize] = Some(coarse::ticks(nanos(limit)).clamp(1, u32::MAX / 2));
        }
        let shortest = wanted.iter().map(|(_, limit)| nanos(limit)).min();
        LongWaits {
            limits,
            period: shortest.map_or(0, |limit| (limit / 8).clamp(PERIOD_MIN, PERIOD_MAX)),
            next: shortest.map_or(u64::MAX, |_| 0),
            done: None,
        }
    }

    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// When there is something to see though all workers sleep.
    pub(super) fn next_scan(&self, core: &Core) -> Option<u64> {
        (self.next != u64::MAX && core.live() > 0).then_some(self.next)
    }

    pub(super) fn tick(&mut self, core: &'static Core, now: u64) {
        if now < self.next {
            return;
        }
        self.next = now + self.period;
        let until = coarse::ticks(now);
        let from = self.done.replace(until).unwrap_or(until);
        let mut due = Vec::new();
        let mut more = 0_usize;
        pool::for_each(|task| {
            let Some(stall) = self.is_due(core, task, from, until) else {
                return;
            };
            if due.len() < REPORTS_MAX {
                due.extend(stall(now));
            } else {
                more += 1;
            }
        });
        if let Some(last) = due.last_mut().filter(|_| more > 0) {
            last.detail = Some(format!(
                "and {more} more waits that became too long with it"
            ));
        }
        for stall in due {
            trace::record(core, None, stall.task_id(), What::Stall);
            stall.deliver(core);
        }
    }

    /// Whether a wait of this record became due in that time: what makes the report of it, unless it has just ended.
    fn is_due(
        &self,
        core: &'static Core,
        task: &'static Task,
        from: u32,
        until: u32,
    ) -> Option<impl FnOnce(u64) -> Option<Stall>> {
        if task.life.is_done() || task.kind() != Kind::Started || !task.belongs_to(core) {
            return None;
        }
        let (id, epoch) = (task.id.get(), task.wait.armed_epoch()?);
        let reason = task.reason();
        let limit = self.limits[reason as usize]?;
        let since = task.since.load(Ordering::Relaxed);
        let due = since.wrapping_add(limit);
        // Differences, so that the end of the word does not matter.
        let is_due = due.wrapping_sub(from).wrapping_sub(1) < until.wrapping_sub(from);
        is_due.then_some(move |now| {
            let blocker = snapshot::blocker_in_wait(task);
            let whose = Whose::of(task)?;
            // The same task, in the same wait: all that was read is of it.
            let is_same = whose.id == id && task.wait.armed_epoch() == Some(epoch);
            is_same.then(|| Stall {
                task: Some(whose),
                lasted: coarse::age(now, since),
                wait: Some(reason),
                blocker: blocker.map(|(blocker, _)| blocker),
                about: About::Wait(task, epoch),
                ..Stall::new(core, StallKind::LongWait)
            })
        })
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn limits_are_kept_by_reason_and_scans_come_eight_times_in_the_shortest() {
        let waits = LongWaits::new(&[
            (WaitReason::Mutex, Duration::from_secs(4)),
            (WaitReason::Join, Duration::from_millis(80)),
        ]);
        assert_eq!(waits.period, 10 * MS);
        let tick = |time: Duration| coarse::ticks(time.as_nanos() as u64);
        let limit = |reason: WaitReason| waits.limits[reason as usize];
        assert_eq!(limit(WaitReason::Mutex), Some(tick(Duration::from_secs(4))));
        assert_eq!(limit(WaitReason::Event), None);
        assert_eq!(LongWaits::new(&[]).next(), u64::MAX);
    }
}
