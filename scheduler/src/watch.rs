//! Tasks that are looked at more closely, without a cost to the others: times of waits and turns, and events of the trace.
//!
//! The paths of a switch have no instruction to spare. But they ask some questions anyhow, and a task that is watched answers
//! them so that it takes the other way, which is there for rare cases already:
//!
//! | the path asks | and if the task is watched |
//! |---|---|
//! | before a wait: is any flag raised? (`park.rs`) | `flag::SAMPLED`, for one wait, or `flag::WATCHED` |
//! | in a wake: is it a plain thread's record, or may it move? (`worker.rs`) | `unusual::TIMED`, during a wait, or `unusual::WATCHED` |
//! | before and after a resume, and when it is queued: is it unlike most? | `unusual::WATCHED` |
//! | in a spawn and an end: is there a limit on tasks? (`scheduler.rs`) | the scheduler is *special* |
//!
//! # Samples
//!
//! By default one wait in about 120 is timed: every second fairness pick, which comes after 61 resumes, raises `SAMPLED` on the task
//! that is to run next. So the choice falls on a resume, whoever's it is, and a task is timed as often as it runs. What is
//! timed so is in the trace as well: it has a stamp already.
//!
//! A wait that is timed and recorded costs some 460 instructions more, four time-stamps and four locked instructions among
//! them. One in 61 would be 7.5 for each wait, and more time than the operator's view may cost it; one in 122 is half.
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

use crate::current::{self, Thread};
use crate::fiber::{DONE, Word, YIELD};
use crate::native::Target;
use crate::primitive::{AtomicBool, AtomicU8, AtomicU64, Ordering, Plain, ticks};
use crate::scheduler::Core;
use crate::stats::histogram::{Histogram, Recorder};
use crate::stats::ledger::{self, Ledger, Meter, State};
use crate::task::{Task, flag, unusual};
use crate::trace::{Recording, Stop, What, record};
use crate::wait::{WaitReason, Wake};

/// How exact the times are that a scheduler keeps of its tasks' waits and turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Accounting {
    /// None are taken.
    Off,
    /// One wait in about 120 is timed.
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
    /// There is a limit on tasks, they have threads by default, or this is the part for reserved ones.
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
    /// The resume before the one that is sampled, and when that was about to begin. Owner: the thread.
    sampled: Plain<(u64, u64)>,
    /// When the turn began that is under way, if its task is watched. Owner: the thread.
    turn: Plain<u64>,
    /// The ledger of the task that runs here, if it has one. Owner: the thread.
    pub(crate) ledger: Plain<Option<&'static Ledger>>,
    /// Whether native sections of the task that runs here are noted. Owner: the thread.
    pub(crate) notes_sections: Plain<bool>,
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
            sampled: Plain::new((0, 0)),
            turn: Plain::new(0),
            ledger: Plain::new(None),
            notes_sections: Plain::new(false),
            has_ledgers: Plain::new(false),
            meter: Meter::new(),
            kept: OnceLock::new(),
        }
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

/// Every second fairness pick: the wait of the task that runs next is to be timed.
pub(crate) fn sample(thread: &Thread) {
    // A pick comes every 61 resumes.
    if cfg!(any(loom, shuttle)) || thread.switches() & 64 == 0 {
        return;
    }
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
    // One that only yields is marked already.
    if task.flags.load(Ordering::Relaxed) & flag::SAMPLED == 0
        && thread.core().watching.accounting == Accounting::Sampled
    {
        task.raise(flag::SAMPLED);
        thread.times.sampled.set((thread.switches(), ticks::now()));
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
    task.set_unusual(unusual::TIMED);
    if task.flags.load(Ordering::Relaxed) & flag::SAMPLED != 0 {
        task.lower(flag::SAMPLED);
        let (before, began) = thread.times.sampled.get();
        if thread.switches() == before + 1 {
            thread.times.kept().turns.record(at.saturating_sub(began));
        }
    }
    let core = thread.core();
    if let Some(ledger) = task.ledger() {
        thread.close_run(ledger, State::Suspended(reason), core.now());
    }
    thread.ring.record(at, task.id.get(), What::Park { reason });
    Begun { at, reason }
}

/// Step 3. On the task's own stack, perhaps on another thread. `Again`: it did not stop in the end.
#[cold]
pub(crate) fn end(task: &Task, begun: Begun, wake: Wake) {
    let Some(thread) = current::thread() else {
        return;
    };
    let now = ticks::now();
    task.clear_unusual(unusual::TIMED);
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
    // The waker has the task, so its scheduler is there.
    let own = |core: &&Core| std::ptr::eq(*core, task.core.get());
    let Some(core) = here.map(|thread| thread.core()).filter(own) else {
        return outside(task);
    };
    let by = here.and_then(|thread| thread.task.get());
    record(core, here, task.id.get(), wake_of(task, by));
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

/// A timer has ended the wait of this task, which may run already.
pub(crate) fn timed_out(thread: &Thread, id: u64, at: u64) {
    if !cfg!(any(loom, shuttle)) {
        thread.ring.record(at, id, What::Timer);
    }
}

/// A stamp for that: taken before, since the task may go on at once.
pub(crate) fn stamp() -> u64 {
    ticks::now()
}

/// A task was spawned and is not queued yet. It may want more, or less, than what its scheduler does for all.
#[cold]
pub(crate) fn spawned(
    core: &Core,
    here: Option<&'static Thread>,
    task: &Task,
    wanted: Option<Accounting>,
) {
    let is_exact = wanted.unwrap_or(core.watching.accounting) == Accounting::Exact;
    let is_recorded = core.watching.records(Recording::Tasks);
    if !(is_exact || is_recorded) || cfg!(any(loom, shuttle)) {
        return;
    }
    if is_exact {
        task.set_ledger(Ledger::new(core.began(), core.now()));
    }
    watch(task);
    if core.watching.records(Recording::Tasks) {
        let by = current::within().map_or(0, |(_, task)| task.id.get());
        record(core, here, task.id.get(), What::Spawn { by });
    }
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
    thread.times.notes_sections.set(noted);
}

/// A task whose sections are noted has left.
#[cold]
pub(crate) fn left(thread: &'static Thread) {
    ledger::left(thread);
    if let Some(task) = thread.task.get().filter(|task| task.is_watched())
        && thread.core().watching.records(Recording::Tasks)
    {
        let target = Target::stored(thread.target.load(Ordering::Relaxed));
        let what = What::Leave { target };
        thread.ring.record(ticks::now(), task.id.get(), what);
    }
}

/// It comes back.
#[cold]
pub(crate) fn entered(thread: &'static Thread) {
    ledger::entered(thread);
    if let Some(task) = thread.task.get().filter(|task| task.is_watched())
        && thread.core().watching.records(Recording::Tasks)
    {
        thread.ring.record(ticks::now(), task.id.get(), What::Enter);
    }
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
    thread.times.notes_sections.set(false);
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
