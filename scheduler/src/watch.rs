//! Tasks that are looked at more closely, without a cost to the others: times of waits and turns, and events of the trace.
//!
//! The paths of a switch have no instruction to spare. But they ask some questions anyhow, and a task that is watched answers
//! them so that it takes the other way, which is there for rare cases already:
//!
//! | the path asks | and if the task is watched |
//! |---|---|
//! | before a wait: is any flag raised? (`park.rs`) | `flag::SAMPLED`, for some waits, or `flag::WATCHED` |
//! | in a wake: is it a plain thread's record, or may it move? (`runnable.rs`) | `unusual::TIMED`, during a wait, or `unusual::WATCHED` |
//! | before and after a resume, and when it is queued: is it unlike most? | `unusual::WATCHED` |
//! | in a spawn and an end: is there a limit on tasks? (`scheduler.rs`) | the scheduler is *special* |
//!
//! # Samples
//!
//! By default one wait in about 60 is timed. The choice is made by a fairness pick, which comes after 61 resumes: it raises
//! `SAMPLED` on the task that is to run next, so it falls on a resume, whoever's it is. What is timed so is in the trace as
//! well: it has a stamp already.
//!
//! A wait that is timed alone costs some 460 instructions more, four time-stamps and four locked instructions among them, and the
//! code for it is not at hand. So a task's next waits are timed in a row, [`IN_A_ROW`] of them: then the locked
//! instructions are shared, the end of one wait is the beginning of the next turn, and the code is there.
//! A worker has *credit*: one more for each pick, which it is given with every fourth, and one less with each wait that is
//! timed. It is a task's turn to be chosen while there is some; so those that wait seldom, or end before, leave the rest to
//! others. It is not saved up.
//!
//! That fourth pick chooses the next native section on that worker, if none of a watched task comes before.
//!
//! With [`Accounting::Exact`] all tasks are watched, all waits timed, and each task has a ledger (`stats/ledger.rs`). A task
//! can ask for that alone: from the first that does, spawns and ends take the other way.
//!
//! # Times of a wait
//!
//! 1. *begin*, by the task before the wait: the stamp from which the wait counts;
//! 2. *woken*, by whoever ended the wait, before it queues the task: a stamp in the record;
//! 3. *end*, by the task when it goes on: the wait is over. From 2 to 3 it was runnable.
//!
//! The waker has the task from the moment in which it ended the wait until it has queued it, so the stamp has one writer.
#![forbid(unsafe_code)]

use std::sync::OnceLock;

use crate::current;
use crate::fiber::{DONE, Word, YIELD};
use crate::native::Target;
use crate::primitive::{AtomicBool, AtomicU8, AtomicU64, Ordering, Plain, ticks};
use crate::scheduler::Core;
use crate::stats::histogram::{Histogram, Recorder};
use crate::stats::ledger::{self, Ledger, Meter, State};
use crate::stats::sections;
use crate::task::{Task, flag, unusual};
use crate::thread::Thread;
use crate::timer::Timer;
use crate::trace::{Recording, Stop, What, record, record_at};
use crate::wait::{WaitReason, Wake};

/// How exact the times are that a scheduler keeps of its tasks' waits and turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Accounting {
    /// None are taken.
    Off,
    /// One wait in about 60 is timed: some of a task in a row, then those of another one.
    #[default]
    Sampled,
    /// All waits and turns are timed, and each task has a ledger of where its time went
    /// ([`TaskRef::ledger`](crate::TaskRef::ledger)): a wait costs some hundreds of nanoseconds more.
    Exact,
}

/// What a scheduler watches.
pub(crate) struct Watching {
    /// Whether spawns and ends take the other way: the scheduler itself is unlike most, or tasks are watched.
    special: AtomicBool,
    /// There is a limit on tasks, they have threads by default, this is the part for reserved ones, or the barrier needs fences.
    unusual: bool,
    accounting: Accounting,
    recording: AtomicU8,
    /// Some task has asked for a ledger of its own.
    asked: AtomicBool,
}

impl Watching {
    pub(crate) fn new(unusual: bool, accounting: Accounting, recording: Recording) -> Watching {
        let watching = Watching {
            special: AtomicBool::new(false),
            unusual,
            accounting,
            recording: AtomicU8::new(recording as u8),
            asked: AtomicBool::new(false),
        };
        watching.set_recording(recording);
        watching
    }

    /// Relaxed throughout: what is watched a moment longer or shorter does no harm.
    #[inline(always)]
    pub(crate) fn is_special(&self) -> bool {
        if cfg!(any(loom, shuttle)) {
            // A model watches nobody, and the load would be one more step to try.
            return self.unusual;
        }
        self.special.load(Ordering::Relaxed)
    }

    pub(crate) fn accounting(&self) -> Accounting {
        self.accounting
    }

    /// Whether all tasks are to be watched.
    pub(crate) fn all(&self) -> bool {
        let is_wanted = self.accounting == Accounting::Exact || self.records(Recording::Tasks);
        is_wanted && !cfg!(any(loom, shuttle))
    }

    pub(crate) fn recording(&self) -> Recording {
        let all = [Recording::Rare, Recording::Tasks, Recording::Switches];
        let now = self.recording.load(Ordering::Relaxed);
        let found = all.into_iter().find(|recording| *recording as u8 == now);
        found.expect("only these are stored")
    }

    fn records(&self, at_least: Recording) -> bool {
        self.recording.load(Ordering::Relaxed) >= at_least as u8
    }

    pub(crate) fn set_recording(&self, recording: Recording) {
        self.recording.store(recording as u8, Ordering::Relaxed);
        self.special.store(
            self.unusual || self.all() || self.asked.load(Ordering::Relaxed),
            Ordering::Relaxed,
        );
    }

    /// A task wants to be watched that is about to be spawned. It may be one that is recorded from now on, or no longer, at the same
    /// moment: so this comes first, and `special` is set again after.
    pub(crate) fn ask(&self) {
        if !self.asked.swap(true, Ordering::SeqCst) {
            self.special.store(true, Ordering::SeqCst);
        }
    }
}

/// What a thread has measured. Written by this thread.
pub(crate) struct Times {
    /// The resume in which a wait that was timed has ended, and when. Owner: the thread.
    went_on: Plain<(u64, u64)>,
    /// How many waits may be timed: negative if more were than ought to have been. Owner: the thread.
    credit: Plain<i32>,
    /// When the turn began that is under way, if its task is watched. Owner: the thread.
    turn: Plain<u64>,
    /// The ledger of the task that runs here, if it has one. Owner: the thread.
    pub(crate) ledger: Plain<Option<&'static Ledger>>,
    /// Whether native sections of the task that runs here are noted, or the next one is. Owner: the thread.
    notes_sections: Plain<bool>,
    /// When the section that is noted was left for; 0 if none is. Owner: the thread.
    left_at: Plain<u64>,
    /// Whether one that has a ledger ever ran here. Owner: the thread.
    pub(crate) has_ledgers: Plain<bool>,
    pub(crate) meter: Meter,
    kept: OnceLock<Box<Kept>>,
}

/// One for each number of a reason, and some to spare.
const REASONS: usize = 32;

#[derive(Default)]
struct Kept {
    waits: [Recorder; REASONS],
    /// From the wake to the end of the wait, by reason.
    runnable: [AtomicU64; REASONS],
    dispatch: Recorder,
    turns: Recorder,
}

impl Times {
    pub(crate) fn new() -> Times {
        Times {
            went_on: Plain::new((u64::MAX, 0)),
            credit: Plain::new(0),
            turn: Plain::new(0),
            ledger: Plain::new(None),
            notes_sections: Plain::new(false),
            left_at: Plain::new(0),
            has_ledgers: Plain::new(false),
            meter: Meter::new(),
            kept: OnceLock::new(),
        }
    }

    pub(crate) fn notes_sections(&self) -> bool {
        self.notes_sections.get()
    }

    /// The thread has slept: what the kernel had counted before says nothing of what comes.
    pub(crate) fn forget_reading(&self) {
        // Only one that has run such a task has asked the kernel.
        if self.has_ledgers.get() {
            self.meter.forget();
        }
    }

    fn kept(&self) -> &Kept {
        self.kept.get_or_init(Box::default)
    }

    /// Adds what this thread has measured of waits for this reason; returns ticks in which their tasks were runnable.
    pub(crate) fn add_waits(&self, reason: WaitReason, to: &mut Histogram) -> u64 {
        let Some(kept) = self.kept.get() else {
            return 0;
        };
        kept.waits[reason as usize].add_to(to);
        kept.runnable[reason as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn add_dispatch(&self, to: &mut Histogram) {
        if let Some(kept) = self.kept.get() {
            kept.dispatch.add_to(to);
        }
    }

    pub(crate) fn add_turns(&self, to: &mut Histogram) {
        if let Some(kept) = self.kept.get() {
            kept.turns.add_to(to);
        }
    }
}

/// So many waits of a task are timed in a row, unless it ends before.
const IN_A_ROW: u8 = 8;

/// So often the fairness pick comes here for nothing else.
const PICKS: i32 = 4;

/// A fairness pick: the next waits of the task that runs next are to be timed, if it is time for some, and the next native section.
#[inline(always)]
pub(crate) fn sample(thread: &Thread) {
    // Picks are 61 resumes apart, so that this is true of every fourth.
    if !cfg!(any(loom, shuttle)) && thread.switches() & (64 * (PICKS as u64 - 1)) == 0 {
        sample_now(thread);
    }
}

fn sample_now(thread: &Thread) {
    if thread.core().watching.accounting != Accounting::Sampled {
        return;
    }
    thread.note_sections(true);
    let credit = thread.times.credit.get();
    thread
        .times
        .credit
        .set((credit + PICKS).min(IN_A_ROW.into()));
    if let Some(task) = thread.woken.get().or_else(|| thread.bound.next()) {
        mark(thread, task);
    }
}

/// The same for a task that the pick has found and that has started.
pub(crate) fn sample_found(thread: &Thread, task: &Task) {
    if !cfg!(any(loom, shuttle)) && task.sp.get() != 0 {
        mark(thread, task);
    }
}

fn mark(thread: &Thread, task: &Task) {
    // One that only yields is marked already. Without samples there is no credit.
    if thread.times.credit.get() > 0 && task.flags.load(Ordering::Relaxed) & flag::SAMPLED == 0 {
        task.samples.set(IN_A_ROW);
        task.raise(flag::SAMPLED);
    }
}

/// A wait that is timed.
#[derive(Clone, Copy)]
pub(crate) struct Begun {
    at: u64,
    reason: WaitReason,
}

/// Step 1. On the task's own stack; the caller has seen that a flag for it is raised.
#[cold]
pub(crate) fn begin(thread: &Thread, task: &Task, reason: WaitReason) -> Begun {
    let at = ticks::now();
    task.woken_at.store(0, Ordering::Relaxed);
    // Of some in a row the first sets it, and the last clears it.
    if !task.is_timed() {
        task.set_unusual(unusual::TIMED);
    }
    if task.flags.load(Ordering::Relaxed) & flag::SAMPLED != 0 {
        begin_sample(thread, task, at);
    }
    let core = thread.core();
    if let Some(ledger) = task.ledger() {
        thread.close_run(ledger, State::Suspended(reason), core.now());
    }
    thread.ring.record(at, task.id.get(), What::Park { reason });
    Begun { at, reason }
}

fn begin_sample(thread: &Thread, task: &Task, at: u64) {
    let times = &thread.times;
    times.credit.set(times.credit.get() - 1);
    let left = task.samples.get() - 1;
    task.samples.set(left);
    if left == 0 {
        task.lower(flag::SAMPLED);
    }
    // The turn that ends now has begun with the end of a wait, if it is still the same resume. That of a watched task is
    // known from its switches.
    let (resume, began) = times.went_on.get();
    if thread.switches() == resume && !task.is_watched() {
        times.kept().turns.record(at.saturating_sub(began));
    }
}

/// Step 3. On the task's own stack, perhaps on another thread. `Again`: it did not stop in the end.
#[cold]
pub(crate) fn end(task: &Task, begun: Begun, wake: Wake) {
    let Some(thread) = current::thread() else {
        return;
    };
    let now = ticks::now();
    if task.flags.load(Ordering::Relaxed) & flag::SAMPLED == 0 {
        task.clear_unusual(unusual::TIMED);
    }
    thread.times.went_on.set((thread.switches(), now));
    // It was not resumed, if it did not leave its stack.
    if let Some(ledger) = task.ledger()
        && ledger.state() != State::Running
    {
        thread.times.meter.forget();
        thread.open_run(ledger, thread.core().now());
        note_sections(thread, task);
    }
    let woken = task.woken_at.load(Ordering::Relaxed);
    let kept = thread.times.kept();
    let reason = begun.reason as usize;
    kept.waits[reason].record(now.saturating_sub(begun.at));
    if woken != 0 {
        let runnable = now.saturating_sub(woken);
        kept.dispatch.record(runnable);
        let sum = &kept.runnable[reason];
        // Relaxed: one writer.
        sum.store(sum.load(Ordering::Relaxed) + runnable, Ordering::Relaxed);
    }
    thread
        .ring
        .record(now, task.id.get(), What::Resume { wake });
}

/// Step 2. `here` is the worker that the caller is, if it is one.
#[cold]
pub(crate) fn woken(here: Option<&'static Thread>, task: &'static Task) {
    if cfg!(any(loom, shuttle)) {
        return;
    }
    let now = ticks::now();
    // Relaxed: queueing the task releases it.
    task.woken_at.store(now, Ordering::Relaxed);
    if let (Some(ledger), Some(core)) = (task.ledger(), task.scheduler()) {
        ledger.turn_to(State::Runnable, core.now());
    }
    match here {
        Some(thread) if thread.belongs_to(task.core.get()) => {
            let what = wake_of(task, thread.task.get());
            thread.ring.record(now, task.id.get(), what);
        }
        _ => outside(task),
    }
}

fn wake_of(task: &Task, by: Option<&Task>) -> What {
    match task.ended().wake {
        Wake::TimedOut => What::Timer,
        Wake::Signalled | Wake::Alerted | Wake::Aborted => What::Wake {
            by: by.map_or(0, |by| by.id.get()),
        },
    }
}

/// A wake by a thread that is no worker of the task's scheduler.
fn outside(task: &'static Task) {
    let Some(core) = task.scheduler() else {
        return;
    };
    let by = current::within().map(|(_, task)| task);
    record(core, None, task.id.get(), wake_of(task, by));
}

/// Ends the wait of this timer, if it is still on. `here` is the caller, if it is a worker of this scheduler.
pub(crate) fn fire(core: &Core, here: Option<&Thread>, timer: &Timer) {
    // Of this wait, if it is still on: then the task has not ended. Stamped before, since the task may go on at once.
    let (id, is_timed) = (timer.task.id.get(), timer.task.is_timed());
    let at = ticks::now();
    // A wait that is timed is recorded by `woken`.
    if timer.task.wake(timer.epoch, Wake::TimedOut, 0) && !is_timed {
        record_at(core, here, at, id, What::Timer);
    }
}

/// A task was spawned and is not queued yet. It may want more, or less, than what its scheduler does for all.
#[cold]
pub(crate) fn spawned(core: &Core, here: Option<&'static Thread>, task: &Task) {
    let is_recorded = core.watching.records(Recording::Tasks);
    if task.ledger().is_none() && !is_recorded || cfg!(any(loom, shuttle)) {
        return;
    }
    watch(task);
    if is_recorded {
        let by = current::within().map_or(0, |(_, task)| task.id.get());
        record(core, here, task.id.get(), What::Spawn { by });
    }
}

/// Gives a task that is to have one its ledger, before it is spawned. `false`: memory was refused.
pub(crate) fn book(core: &Core, task: &Task, wanted: Option<Accounting>) -> bool {
    let is_exact = wanted.unwrap_or(core.watching.accounting) == Accounting::Exact;
    if !is_exact || cfg!(any(loom, shuttle)) {
        return true;
    }
    task.set_ledger(Ledger::new(core.began(), core.now()))
}

/// From now on this task is watched.
pub(crate) fn watch(task: &Task) {
    task.raise(flag::WATCHED);
    task.set_unusual(unusual::WATCHED);
}

/// And no longer, unless it has a ledger.
pub(crate) fn unwatch(task: &Task) {
    if task.ledger().is_some() {
        return;
    }
    task.lower(flag::WATCHED);
    task.clear_unusual(unusual::WATCHED);
}

/// A watched task has ended. `here` is the worker, if it ran on one.
#[cold]
pub(crate) fn ended(core: &Core, here: Option<&'static Thread>, task: &Task) {
    ledger::ended(core, here, task);
    if core.watching.records(Recording::Tasks) {
        record(core, here, task.id.get(), What::Exit);
    }
}

/// A watched task starts on a thread of its own, which nobody resumes.
#[cold]
pub(crate) fn started_on_thread(thread: &Thread, task: &Task) {
    if let Some(ledger) = task.ledger() {
        thread.open_run(ledger, thread.core().now());
    }
    note_sections(thread, task);
    started(thread, task);
}

/// From now on those of this task, which runs here, are noted, or no longer.
fn note_sections(thread: &Thread, task: &Task) {
    let is_recorded = task.is_watched() && thread.core().watching.records(Recording::Tasks);
    let noted = is_recorded || task.ledger().is_some();
    thread.note_sections(noted);
}

impl Thread {
    /// Those of the task that runs here are noted from now on, or the next one is; or no longer.
    pub(crate) fn note_sections(&self, noted: bool) {
        self.times.notes_sections.set(noted);
        if noted {
            self.calls.ask();
        }
    }
}

/// A task whose sections are noted has left, or any task with the one section that is noted.
#[cold]
pub(crate) fn left(thread: &'static Thread) {
    ledger::left(thread);
    let Some(task) = thread.task.get() else {
        return;
    };
    if !task.is_watched() {
        // A sample: the next one comes with a fairness pick.
        thread.note_sections(false);
    }
    let now = ticks::now();
    thread.times.left_at.set(now);
    if records_sections(thread, task) {
        let target = Target::stored(thread.target.load(Ordering::Relaxed));
        thread
            .ring
            .record(now, task.id.get(), What::Leave { target });
    }
}

/// It comes back.
#[cold]
pub(crate) fn entered(thread: &'static Thread) {
    ledger::entered(thread);
    let Some(task) = thread.task.get() else {
        return;
    };
    let now = ticks::now();
    let left = thread.times.left_at.replace(0);
    if left != 0 {
        sections::note(thread, now.saturating_sub(left));
    }
    if records_sections(thread, task) {
        thread.ring.record(now, task.id.get(), What::Enter);
    }
}

/// Whether a section that is noted is in the trace as well: a sample is, whoever's it is.
fn records_sections(thread: &Thread, task: &Task) -> bool {
    !task.is_watched() || thread.core().watching.records(Recording::Tasks)
}

/// A watched task starts on this thread.
#[cold]
pub(crate) fn started(thread: &Thread, task: &Task) {
    if task.is_watched() && thread.core().watching.records(Recording::Tasks) {
        thread.ring.record(ticks::now(), task.id.get(), What::Start);
    }
}

/// A watched task is resumed.
pub(crate) fn run(thread: &Thread, task: &Task) {
    let now = ticks::now();
    thread.times.turn.set(now);
    note_sections(thread, task);
    if let Some(ledger) = task.ledger() {
        thread.open_run(ledger, thread.core().now());
    }
    if thread.core().watching.records(Recording::Switches) {
        thread.ring.record(now, task.id.get(), What::Run);
    }
}

/// It has given the thread back.
pub(crate) fn ran(thread: &Thread, task: &Task, word: Word) {
    let now = ticks::now();
    let core = thread.core();
    thread.note_sections(false);
    if let Some(ledger) = task.ledger() {
        // A wait was booked when it began, and an end is when it is counted.
        if word == YIELD {
            thread.close_run(ledger, State::Runnable, core.now());
        }
        if word != DONE {
            thread.times.ledger.set(None);
        }
    }
    if core.watching.accounting == Accounting::Exact {
        let turn = now.saturating_sub(thread.times.turn.get());
        thread.times.kept().turns.record(turn);
    }
    if core.watching.records(Recording::Switches) {
        let why = match word {
            YIELD => Stop::Yield,
            DONE => Stop::Done,
            _ => Stop::Wait,
        };
        thread.ring.record(now, task.id.get(), What::Stop { why });
    }
}
