//! Workers that have not settled for long: found by the monitor, and reported once each.
//!
//! What is looked at is a *stretch* of one thread: a resume, from the moment in which its task was last seen to settle; or
//! one native section, once it has lasted from one look to the next. Steps, for each thread with a task that does not wait
//! inside the scheduler:
//!
//! 1. *See*: as long as nothing changes, the stretch goes on. How often the thread settled, and the mark of its lease, say
//!    that; the worker counts both anyhow.
//! 2. *First look*, some time before the limit: what the kernel has counted for the thread.
//! 3. *Second look*, at the limit: the difference says what the thread does.
//! 4. *Sample*: a signal asks where it stands (`stall/sample.rs`). Native code is not disturbed in that way. Where the second
//!    look is not sure whether the thread runs in the program or in the kernel, this says it.
//! 5. *Report*, unless the stretch has ended meanwhile: an event, and the callback.
//!
//! A process that was stopped has not stalled: if a pass comes late, all stretches begin anew that were not
//! reported yet.
//!
//! Beside the stretches of single threads there are two more things to see: that all slots are kept (`stall/stuck.rs`), and
//! waits that last (`stall/waits.rs`).
//!
//! The monitor waits for nobody: what is not there yet is there at a later tick. Before the report nothing is allocated, but
//! for the list of records in which waits that last are looked for, where that is asked for.

mod calls;
mod finding;
mod kernel;
mod report;
pub(crate) mod sample;
mod stuck;
mod waits;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::join::TaskRef;
use crate::native::Target;
use crate::primitive::{Instant, Ordering};
use crate::scheduler::Core;
use crate::task::payload::contain;
use crate::thread::Thread;
use crate::trace::{self, What};
use crate::wait::WaitReason;
use finding::{Finding, look};
use kernel::Look;
pub(crate) use report::Reports;
use report::{About, Where, Whose};
pub use report::{Stall, StallKind, StallTimes};
use sample::{Ask, Frames, Question};
use stuck::Stuck;
use waits::LongWaits;

/// Who is told of stalls.
#[derive(Clone)]
pub(crate) struct OnStall(pub(crate) Arc<dyn Fn(&Stall) + Send + Sync>);

impl fmt::Debug for OnStall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnStall(..)")
    }
}

/// Who is told of quanta that are over.
#[derive(Clone)]
pub(crate) struct OnQuantum(pub(crate) Arc<dyn Fn(&TaskRef) + Send + Sync>);

impl fmt::Debug for OnQuantum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnQuantum(..)")
    }
}

impl OnQuantum {
    /// Their panics end here, as for stalls.
    pub(crate) fn tell(&self, thread: &Thread) {
        if let Some(task) = thread.task.get().and_then(TaskRef::find) {
            contain(|| (self.0)(&task));
        }
    }
}

/// What the monitor is to do about stalls.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    pub(crate) after: Duration,
    pub(crate) tell: Option<OnStall>,
    pub(crate) signal: Option<i32>,
    /// Which waits are reported when they have lasted for so long.
    pub(crate) waits: Vec<(WaitReason, Duration)>,
    /// Who is told of quanta that are over.
    pub(crate) tell_quantum: Option<OnQuantum>,
}

/// What is seen of one thread. Owner: the monitor.
#[derive(Clone, Copy)]
pub(crate) struct Watch {
    stretch: Stretch,
    since: u64,
    stage: Stage,
    /// The mark of its lease at the last look, and when that was.
    mark: Option<u64>,
    looked_at: u64,
}

/// What lasts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stretch {
    Nothing,
    /// By how often it had settled.
    Resume(u64),
    /// By the mark of the lease.
    Section(u64),
}

impl Stretch {
    fn goes_on(self, thread: &Thread) -> bool {
        match self {
            Stretch::Nothing => false,
            Stretch::Resume(settled) => thread.settled() == settled,
            Stretch::Section(mark) => thread.lease.out() == Some(mark),
        }
    }
}

#[derive(Clone, Copy)]
enum Stage {
    Seen,
    Looked(Option<Look>),
    /// As this, with the system call in which it was blocked.
    Reported(StallKind, Option<u64>),
}

impl Watch {
    pub(crate) const fn new() -> Self {
        Watch {
            stretch: Stretch::Nothing,
            since: 0,
            stage: Stage::Seen,
            mark: None,
            looked_at: 0,
        }
    }

    /// Step 1.
    fn see(&mut self, thread: &Thread, now: u64) {
        // A thread that sleeps by the scheduler's own means waits with its task, or for one.
        let is_busy = thread.task.get().is_some() && !thread.sleeper.is_asleep();
        let mark = thread.lease.out();
        let lasts = mark.is_some() && mark == self.mark;
        let (stretch, since) = match mark {
            _ if !is_busy => (Stretch::Nothing, now),
            Some(mark) if lasts => (Stretch::Section(mark), self.looked_at),
            _ => (Stretch::Resume(thread.settled()), now),
        };
        if stretch != self.stretch {
            self.stretch = stretch;
            self.since = since;
            self.stage = Stage::Seen;
        }
        self.mark = mark;
        self.looked_at = now;
    }

    /// Then it is not reported again, however long this pass was in coming.
    fn is_reported(&self) -> bool {
        matches!(self.stage, Stage::Reported(..))
    }
}

const MS: u64 = 1_000_000;
/// Between the two looks, at least and at most: the kernel counts by its own ticks of up to 10 ms, and a thread that is kept
/// waiting gets a processor now and then.
const WINDOW_MIN: u64 = 20 * MS;
const WINDOW_MAX: u64 = 1000 * MS;
/// Between two passes: at most half of what separates the first look from the limit.
const PERIOD_MIN: u64 = MS / 2;
const PERIOD_MAX: u64 = 250 * MS;
/// How long a thread has for its answer. One that is not scheduled may get a processor meanwhile.
const ANSWER_MAX: u64 = 200 * MS;
/// How long a report waits for its turn to ask.
const TURN_MAX: u64 = 2000 * MS;
/// How soon somebody looks for an answer.
const ANSWER_LOOK: u64 = MS;

/// The monitor's part.
pub(crate) struct Stalls {
    after: u64,
    window: u64,
    period: u64,
    next_pass: u64,
    last_pass: Option<u64>,
    asked: Option<Asked>,
    stuck: Stuck,
    waits: LongWaits,
}

/// A thread that was asked where it stands.
struct Asked {
    index: usize,
    question: Question,
    until: u64,
    finding: Finding,
    signal: i32,
}

impl Stalls {
    /// With this limit in nanoseconds; `u64::MAX` is never.
    pub(crate) fn new(after: u64, orders: &Orders) -> Self {
        let mut stalls = Stalls {
            after: 0,
            window: 0,
            period: 0,
            next_pass: 0,
            last_pass: None,
            asked: None,
            stuck: Stuck::default(),
            waits: LongWaits::new(&orders.waits),
        };
        stalls.limit_to(after);
        stalls
    }

    fn limit_to(&mut self, after: u64) {
        self.after = after;
        self.window = (after / 2).clamp(WINDOW_MIN, WINDOW_MAX);
        self.period = (after / 8).clamp(PERIOD_MIN, PERIOD_MAX);
    }

    /// At each tick of the monitor.
    pub(crate) fn tick(&mut self, core: &'static Core) {
        let after = core.monitor.stall_ns();
        if after != self.after {
            // The limit was changed. What was asked is still answered.
            self.limit_to(after);
            self.next_pass = 0;
        }
        let now = core.now();
        self.collect(core, now);
        self.waits.tick(core, now);
        if now < self.next_pass {
            return;
        }
        let is_late = self
            .last_pass
            .is_some_and(|last| now - last > self.after / 2);
        for thread in core.threads.iter() {
            if is_late && !thread.watch.get().is_reported() {
                thread.watch.set(Watch::new());
            }
            self.pass(core, thread, now);
        }
        self.stuck.look(core, self.after, now);
        self.last_pass = Some(now);
        self.next_pass = now.saturating_add(self.period);
    }

    fn pass(&mut self, core: &'static Core, thread: &'static Thread, now: u64) {
        let mut watch = thread.watch.get();
        watch.see(thread, now);
        let age = now - watch.since;
        match watch.stage {
            _ if watch.stretch == Stretch::Nothing => {}
            Stage::Seen if age >= self.after.saturating_sub(self.window) => {
                watch.stage = Stage::Looked(look(core, thread));
            }
            Stage::Looked(first) if age >= self.after => {
                if first.is_none() && !matches!(watch.stretch, Stretch::Section(_)) {
                    // Nothing was to be seen of it, as of a thread that is about to start. If something is now, it is looked
                    // at twice from here on: one look says nothing.
                    let look = look(core, thread);
                    if look.is_some() {
                        watch.stage = Stage::Looked(look);
                        thread.watch.set(watch);
                        return;
                    }
                }
                let is_early =
                    first.is_some_and(|first| now.saturating_sub(first.at) < self.window);
                if !is_early
                    && let Some((kind, call)) = self.found(core, thread, &watch, first, now)
                {
                    watch.stage = Stage::Reported(kind, call);
                }
            }
            Stage::Seen | Stage::Looked(_) | Stage::Reported(..) => {}
        }
        thread.watch.set(watch);
    }

    /// Steps 3 and 4: what it does, and the call in which it is blocked. `None`: not yet.
    fn found(
        &mut self,
        core: &'static Core,
        thread: &'static Thread,
        watch: &Watch,
        first: Option<Look>,
        now: u64,
    ) -> Option<(StallKind, Option<u64>)> {
        let finding = Finding::of(core, thread, watch.stretch, first);
        let found = (finding.kind, finding.blocked.call);
        let signal = core.monitor.orders.signal;
        let Some(signal) = signal.filter(|_| finding.kind != StallKind::NativeSection) else {
            report(core, thread, finding, Frames::default());
            return Some(found);
        };
        let ask = match self.asked {
            Some(_) => Ask::Busy,
            None => sample::ask(thread, signal),
        };
        match ask {
            Ask::Asked(question) => {
                self.asked = Some(Asked {
                    index: thread.index,
                    question,
                    until: now.saturating_add(ANSWER_MAX),
                    finding,
                    signal,
                });
            }
            Ask::Busy if now - watch.since < self.after.saturating_add(TURN_MAX) => return None,
            Ask::Busy | Ask::Refused => report(core, thread, finding, Frames::default()),
        }
        Some(found)
    }

    /// Takes the answer, if it is there.
    fn collect(&mut self, core: &'static Core, now: u64) {
        let Some(asked) = self.asked.take() else {
            return;
        };
        let thread = core.threads.get(asked.index);
        let mut watch = thread.watch.get();
        let mut finding = asked.finding;
        let frames = if asked.question.is_answered() {
            let sample = asked.question.take();
            if watch.stretch == Stretch::Resume(sample.settled) {
                finding.learn(&sample);
                watch.stage = Stage::Reported(finding.kind, finding.blocked.call);
                thread.watch.set(watch);
                sample.frames
            } else {
                Frames::default()
            }
        } else if now < asked.until {
            self.asked = Some(asked);
            return;
        } else {
            tracing::debug!(
                signal = asked.signal,
                thread = thread.os_id.load(Ordering::Relaxed),
                "a stalled thread does not answer"
            );
            asked.question.give_up();
            Frames::default()
        };
        report(core, thread, finding, frames);
    }

    /// When it is to be called again.
    pub(crate) fn next_tick(&self, core: &Core) -> Instant {
        match &self.asked {
            Some(_) => core.instant(core.now() + ANSWER_LOOK),
            None => core.instant(self.next_pass.min(self.waits.next())),
        }
    }

    /// When there is something to see though all workers sleep: sections whose slots were taken. The monitor sleeps now.
    pub(crate) fn next_look(&mut self, core: &'static Core) -> Option<Instant> {
        // A section that was opened since the last pass is not known yet.
        let now = core.now();
        for thread in core.threads.iter() {
            self.pass(core, thread, now);
        }
        self.last_pass = None;
        if let Some(asked) = self.asked.take() {
            // A thread that was asked has a slot; since all sleep, it has settled.
            asked.question.give_up();
        }
        let due = |thread: &Thread| {
            let watch = thread.watch.get();
            let at = match (watch.stretch, watch.stage) {
                (Stretch::Nothing, _) | (_, Stage::Reported(..)) => return None,
                (_, Stage::Seen) => self.after.saturating_sub(self.window),
                (_, Stage::Looked(_)) => self.after,
            };
            Some(watch.since.saturating_add(at))
        };
        let due = core.threads.iter().filter_map(due).min();
        let due = due.map(|due| due.max(self.next_pass));
        let due = due.into_iter().chain(self.waits.next_scan(core)).min()?;
        Some(core.instant(due))
    }
}

impl Drop for Stalls {
    fn drop(&mut self) {
        if let Some(asked) = self.asked.take() {
            asked.question.give_up();
        }
    }
}

/// Step 5.
fn report(core: &'static Core, thread: &'static Thread, finding: Finding, frames: Frames) {
    let watch = thread.watch.get();
    let Some(task) = thread.task.get().and_then(Whose::of) else {
        return;
    };
    let target = matches!(watch.stretch, Stretch::Section(_))
        .then(|| Target::stored(thread.target.load(Ordering::Relaxed)))
        .flatten();
    let id = task.id;
    let stall = Stall {
        task: Some(task),
        thread: Some(Where {
            worker: thread.index,
            os_id: thread.os_id.load(Ordering::Relaxed),
        }),
        lasted: Duration::from_nanos(core.now().saturating_sub(watch.since)),
        target,
        blocked: finding.blocked,
        times: finding.times,
        frames,
        about: About::Stretch(thread.index, watch.stretch),
        ..Stall::new(core, finding.kind)
    };
    // What was read is of this stretch, unless that has just ended: then there is nothing to report.
    if watch.stretch.goes_on(thread) {
        trace::record(core, None, id, What::Stall);
        stall.deliver(core);
    }
}
