//! Whether all slots are kept by threads that do not come back to the loop, while work waits that nobody picks up.
//!
//! A slot is kept if its thread has a stretch that was found to be a stall, or sleeps with a task that waits and could not
//! give the slot to anybody. One report is made when it is so for all of them, and the next one only after it was not so for
//! a while. What most of them have in common is named, with how many they are: a lock, a call, a function of the kernel.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::time::Duration;

use super::report::{Stall, StallKind};
use super::{Stage, Stretch, calls};
use crate::native::Target;
use crate::primitive::Ordering;
use crate::scheduler::Core;
use crate::stats::coarse;
use crate::thread::Thread;
use crate::trace::{self, What};

/// Owner: the monitor.
#[derive(Default)]
pub(super) struct Stuck {
    reported: bool,
}

impl Stuck {
    /// After the threads were looked at.
    pub(super) fn look(&mut self, core: &'static Core, after: u64, now: u64) {
        let mut drivers = drivers(core);
        if !drivers.all(|driver| kept_for(driver, after, now).is_some()) {
            self.reported = false;
            return;
        }
        if !self.reported && core.has_waiting_work() {
            self.reported = true;
            report(core, after, now);
        }
    }
}

/// Who has a slot, or had it last.
fn drivers(core: &'static Core) -> impl Iterator<Item = &'static Thread> {
    let active = core.slots.iter().filter(|slot| !slot.rests());
    active.map(|slot| core.driver(slot))
}

/// How long this thread has kept its slot, if that is too long.
fn kept_for(driver: &Thread, after: u64, now: u64) -> Option<u64> {
    let watch = driver.watch.get();
    if watch.stretch != Stretch::Nothing {
        return matches!(watch.stage, Stage::Reported(..)).then(|| now - watch.since);
    }
    let task = driver.sleeps_with()?;
    let since = task.since.load(Ordering::Relaxed);
    let waited = coarse::age(now, since).as_nanos() as u64;
    (task.wait.is_armed() && waited >= after).then_some(waited)
}

/// What keeps it, in words that are the same for threads that are kept by the same.
fn by_what(driver: &Thread) -> String {
    let watch = driver.watch.get();
    match (watch.stretch, watch.stage) {
        (Stretch::Section(_), _) => {
            let target = Target::stored(driver.target.load(Ordering::Relaxed));
            let target = target.map_or("unknown code", Target::name);
            format!("native section {target}")
        }
        (Stretch::Resume(_), Stage::Reported(StallKind::Sleeping, Some(call))) => {
            match calls::name(call) {
                Some(name) => format!("system call {name}"),
                None => format!("system call {call}"),
            }
        }
        (Stretch::Resume(_), Stage::Reported(kind, _)) => format!("a task {kind}"),
        _ => match driver.sleeps_with() {
            Some(task) => format!("wait for {}", task.last_reason()),
            None => "nothing any more".to_owned(),
        },
    }
}

fn report(core: &'static Core, after: u64, now: u64) {
    let mut counts = HashMap::<String, usize>::new();
    let mut lasted = u64::MAX;
    for driver in drivers(core) {
        lasted = lasted.min(kept_for(driver, after, now).unwrap_or(0));
        *counts.entry(by_what(driver)).or_default() += 1;
    }
    let all: usize = counts.values().sum();
    let most = counts
        .into_iter()
        .max_by(|(one, a), (other, b)| a.cmp(b).then_with(|| other.cmp(one)));
    let detail = most.map(|(what, count)| format!("{count} of {all}: {what}"));
    let stall = Stall {
        lasted: Duration::from_nanos(lasted),
        detail,
        ..Stall::new(core, StallKind::AllWorkers)
    };
    trace::record(core, None, 0, What::Stall);
    stall.deliver(core);
}
