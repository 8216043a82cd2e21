//! Where a task's time goes, from its spawn to its end: a ledger for each task of which one is asked for.
//!
//! At each moment a ledger is in one *state*, and what passes is booked to that when the state changes, so the parts add up
//! to the time that the task has lived. Who may change it has the task, as for the record: the task while it runs, its worker
//! before and after, who ends its wait until that one has queued it.
//!
//! | state | from | until |
//! |---|---|---|
//! | runnable | its spawn; a yield; the end of a wait; the end of a section that has lost its slot | a worker resumes it |
//! | running | that | it waits, yields, ends, or leaves |
//! | suspended, by reason | it begins to wait | somebody ends the wait |
//! | native | it leaves | it enters |
//!
//! # What the thread did meanwhile
//!
//! A stretch of running, or of native code, is split by what the kernel has counted for the thread: how long it ran, how long
//! it could have but did not, and how often it went to sleep: if it never did, all that it lost was taken from it, by a
//! hypervisor too, of which the kernel counts nothing. That is some system calls, so it is not asked at each switch. A thread
//! that has lost the processor has a stretch that is long; so short ones are taken for run, native ones are left unsplit, and
//! the kernel is asked at the end of a long one. What it said last, at most some milliseconds ago, is compared with that: in between there
//! were beginnings of stretches, none of them long after the one before, so the thread has run. Where there were none for long
//! it may have lost the processor or slept, and the kernel is asked again at the beginning.
//!
//! # Reading
//!
//! *version* is odd while a change is booked. A reader takes what it has read if the version was even and is the same
//! afterwards, and otherwise tries again, a few times: who changes states that often has parts that are off by one of the changes.
//!
//! 1. The writer makes the version odd, and behind a release fence books the change; then it makes the version even (release).
//! 2. The reader reads the version (acquire), then all else, and behind an acquire fence the version again.
//!
//! What is booked before the version that the reader finds first it sees, by that store and that load. If it sees anything of
//! a later change, the two fences meet, and the second look finds that change's version at least.
#![forbid(unsafe_code)]

use std::array;
use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use crate::primitive::{
    AtomicBool, AtomicU8, AtomicU64, Instant, Mutex, Ordering, clock, fence, ticks,
};
use crate::scheduler::Core;
use crate::task::Task;
use crate::thread::Thread;
use crate::wait::WaitReason;

/// Where a task's time went.
///
/// The parts add up to [`elapsed`](LedgerFacts::elapsed).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LedgerFacts {
    /// The task's number.
    pub task: u64,
    /// Its name, if it was given one.
    pub name: Option<Arc<str>>,
    /// It has ended, and nothing changes any more.
    pub is_ended: bool,
    /// When it was spawned, counted from the scheduler's start.
    pub spawned: Duration,
    /// From its spawn to its end, or until now.
    pub elapsed: Duration,
    /// It had a processor.
    pub on_processor: Duration,
    /// It could have run, and waited for a worker; before it started, too.
    pub runnable: Duration,
    /// It waited, by reason. Reasons without a wait are left out.
    pub suspended: Vec<(WaitReason, Duration)>,
    /// It blocked its thread, outside of native sections.
    pub blocked: Duration,
    /// It was in native sections, and had a processor.
    pub native_on_processor: Duration,
    /// It was in native sections, and blocked its thread there.
    pub native_blocked: Duration,
    /// It was in native sections that were shorter than a tick of the monitor: they are not split.
    pub native_short: Duration,
    /// Its thread could have run, and the system, or a hypervisor below it, gave the processor to others.
    pub stolen: Duration,
}

impl LedgerFacts {
    /// All waits together.
    pub fn suspended_total(&self) -> Duration {
        self.suspended.iter().map(|(_, time)| *time).sum()
    }

    /// All parts together.
    pub fn total(&self) -> Duration {
        let parts = [
            self.on_processor,
            self.runnable,
            self.blocked,
            self.native_on_processor,
            self.native_blocked,
            self.native_short,
            self.stolen,
        ];
        parts.iter().sum::<Duration>() + self.suspended_total()
    }
}

/// What a task's time is booked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Runnable,
    Running,
    Native,
    Suspended(WaitReason),
}

const RUNNABLE: u8 = 0x80;
const RUNNING: u8 = 0x81;
const NATIVE: u8 = 0x82;

impl State {
    /// Reasons are below 0x80.
    fn bits(self) -> u8 {
        match self {
            State::Runnable => RUNNABLE,
            State::Running => RUNNING,
            State::Native => NATIVE,
            State::Suspended(reason) => reason as u8,
        }
    }

    fn from_bits(bits: u8) -> State {
        match bits {
            RUNNABLE => State::Runnable,
            RUNNING => State::Running,
            NATIVE => State::Native,
            reason => State::Suspended(WaitReason::from_bits(reason)),
        }
    }
}

/// The parts but for the waits.
#[derive(Clone, Copy)]
enum Part {
    Processor,
    Runnable,
    Blocked,
    NativeProcessor,
    NativeBlocked,
    NativeShort,
    Stolen,
}

const PARTS: usize = Part::Stolen as usize + 1;
const REASONS: usize = 32;

/// All times are nanoseconds of the scheduler's clock.
pub(crate) struct Ledger {
    version: AtomicU64,
    /// From which the scheduler's clock counts.
    origin: Instant,
    spawned: u64,
    state: AtomicU8,
    /// From when the state counts; the end of the task, once it has ended.
    since: AtomicU64,
    ended: AtomicBool,
    parts: [AtomicU64; PARTS],
    waits: [AtomicU64; REASONS],
}

/// What the kernel has said of a stretch: how long the thread did not run though the stretch went on, and how much of that it
/// could have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Lost {
    all: u64,
    stolen: u64,
}

impl Ledger {
    pub(crate) fn new(origin: Instant, now: u64) -> Ledger {
        Ledger {
            version: AtomicU64::new(0),
            origin,
            spawned: now,
            state: AtomicU8::new(RUNNABLE),
            since: AtomicU64::new(now),
            ended: AtomicBool::new(false),
            parts: array::from_fn(|_| AtomicU64::new(0)),
            waits: array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Relaxed, as all that follows: whoever has the task got it from the one who had it before.
    pub(crate) fn state(&self) -> State {
        State::from_bits(self.state.load(Ordering::Relaxed))
    }

    /// How long it has been in its state.
    fn lasted(&self, now: u64) -> u64 {
        now.saturating_sub(self.since.load(Ordering::Relaxed))
    }

    /// From now on it is in this state.
    pub(crate) fn turn_to(&self, next: State, now: u64) {
        self.change(next, now, Lost::default(), false);
    }

    fn change(&self, next: State, now: u64, lost: Lost, split: bool) {
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version + 1, Ordering::Relaxed);
        // Release: who finds what is written behind it finds the version odd, or a later one.
        if !cfg!(feature = "bug_ledger_odd") {
            fence(Ordering::Release);
        }
        let time = self.lasted(now);
        let all = lost.all.min(time);
        let stolen = lost.stolen.min(all);
        match self.state() {
            State::Runnable => self.add(Part::Runnable, time),
            State::Suspended(reason) => add(&self.waits[reason as usize], time),
            State::Running => {
                self.add(Part::Processor, time - all);
                self.add(Part::Stolen, stolen);
                self.add(Part::Blocked, all - stolen);
            }
            State::Native if split => {
                self.add(Part::NativeProcessor, time - all);
                self.add(Part::Stolen, stolen);
                self.add(Part::NativeBlocked, all - stolen);
            }
            State::Native => self.add(Part::NativeShort, time),
        }
        self.state.store(next.bits(), Ordering::Relaxed);
        // Never back: who reads the clock first may come second.
        let since = self.since.load(Ordering::Relaxed).max(now);
        self.since.store(since, Ordering::Relaxed);
        let order = if cfg!(feature = "bug_ledger_even") {
            Ordering::Relaxed
        } else {
            Ordering::Release
        };
        // Release: who finds this version finds all of the change.
        self.version.store(version + 2, order);
    }

    /// It changes no more.
    pub(crate) fn close(&self) {
        // Relaxed: who finds it set finds the last change begun, by the fence in that, and so another version.
        self.ended.store(true, Ordering::Relaxed);
    }

    fn add(&self, part: Part, time: u64) {
        add(&self.parts[part as usize], time);
    }

    /// What it says now. The task's scheduler may be gone.
    pub(crate) fn of(&self, task: u64, name: Option<Arc<str>>) -> LedgerFacts {
        self.facts(task, name, (clock::now() - self.origin).as_nanos() as u64)
    }

    fn facts(&self, task: u64, name: Option<Arc<str>>, now: u64) -> LedgerFacts {
        const TRIES: usize = 16;
        let mut read = self.read(now);
        for _ in 0..TRIES {
            if read.0 {
                break;
            }
            std::hint::spin_loop();
            read = self.read(now);
        }
        let (_, facts) = read;
        LedgerFacts {
            task,
            name,
            ..facts
        }
    }

    /// Whether nothing was changed meanwhile, and what was read.
    pub(crate) fn read(&self, now: u64) -> (bool, LedgerFacts) {
        // Acquire: what the change wrote that has this version is seen.
        let version = self.version.load(Ordering::Acquire);
        let mut parts = self
            .parts
            .each_ref()
            .map(|part| part.load(Ordering::Relaxed));
        let mut waits = self
            .waits
            .each_ref()
            .map(|wait| wait.load(Ordering::Relaxed));
        let since = self.since.load(Ordering::Relaxed);
        let is_ended = self.ended.load(Ordering::Relaxed);
        let state = self.state();
        // Acquire: if anything of that was of a later change, the version is seen to be another.
        if !cfg!(feature = "bug_ledger_look") {
            fence(Ordering::Acquire);
        }
        let is_whole = version.is_multiple_of(2) && self.version.load(Ordering::Relaxed) == version;
        let until = if is_ended { since } else { now.max(since) };
        // What the state that lasts will come to; how it is split is not known yet.
        let open = until - since;
        match state {
            State::Runnable => parts[Part::Runnable as usize] += open,
            State::Running => parts[Part::Processor as usize] += open,
            State::Native => parts[Part::NativeShort as usize] += open,
            State::Suspended(reason) => waits[reason as usize] += open,
        }
        let time = |part: Part| Duration::from_nanos(parts[part as usize]);
        let suspended = WaitReason::all()
            .map(|reason| (reason, Duration::from_nanos(waits[reason as usize])))
            .filter(|(_, time)| !time.is_zero());
        let facts = LedgerFacts {
            task: 0,
            name: None,
            is_ended,
            spawned: Duration::from_nanos(self.spawned),
            elapsed: Duration::from_nanos(until.saturating_sub(self.spawned)),
            on_processor: time(Part::Processor),
            runnable: time(Part::Runnable),
            suspended: suspended.collect(),
            blocked: time(Part::Blocked),
            native_on_processor: time(Part::NativeProcessor),
            native_blocked: time(Part::NativeBlocked),
            native_short: time(Part::NativeShort),
            stolen: time(Part::Stolen),
        };
        (is_whole, facts)
    }
}

/// Relaxed, and no read-modify-write: one writer.
fn add(sum: &AtomicU64, time: u64) {
    sum.store(sum.load(Ordering::Relaxed) + time, Ordering::Relaxed);
}

/// What the kernel had counted for a thread at some moment.
#[derive(Clone, Copy, Debug)]
struct Reading {
    /// Of the OS thread with this number: a record may have another one later.
    os_id: i32,
    at: u64,
    /// Up to when the thread has run since, but for less than is told apart.
    until: u64,
    /// Nanoseconds that it ran, and could have but did not.
    ran: u64,
    waited: u64,
    /// How often it went to sleep, where the kernel counts it.
    slept: Option<u64>,
}

/// The kernel's counts of a thread, asked by the thread itself.
pub(crate) struct Meter(Mutex<Asked>);

#[derive(Default)]
struct Asked {
    /// With the number of the OS thread.
    file: Option<(i32, File)>,
    last: Option<Reading>,
}

/// A stretch that is as long may have lost the processor, and is worth the price of asking.
const LONG_NS: u64 = 200_000;
/// A reading is no older when a stretch begins.
const FRESH_NS: u64 = 2_000_000;

impl Meter {
    pub(crate) fn new() -> Meter {
        Meter(Mutex::new(Asked::default()))
    }

    /// The thread has slept, or will: what was read says nothing about what comes.
    pub(crate) fn forget(&self) {
        self.0.lock().last = None;
    }

    /// A stretch begins.
    fn begin(&self, os_id: i32, now: u64) {
        let mut asked = self.0.lock();
        match &mut asked.last {
            Some(last) if last.is_fresh(os_id, now) => last.until = now,
            _ => asked.last = asked.read(os_id, now),
        }
    }

    /// A stretch that began so long ago ends.
    fn end(&self, os_id: i32, now: u64) -> Lost {
        let mut asked = self.0.lock();
        let before = asked.last.take().filter(|last| last.os_id == os_id);
        asked.last = asked.read(os_id, now);
        let (Some(before), Some(after)) = (before, asked.last) else {
            return Lost::default();
        };
        let time = after.at.saturating_sub(before.at);
        let all = time.saturating_sub(after.ran - before.ran.min(after.ran));
        let stolen = if after.has_slept_since(&before) {
            after.waited.saturating_sub(before.waited)
        } else {
            // Then it was never blocked. A hypervisor does not say what it takes.
            all
        };
        Lost { all, stolen }
    }
}

impl Reading {
    fn has_slept_since(&self, before: &Reading) -> bool {
        self.slept.is_none() || self.slept != before.slept
    }

    fn is_fresh(&self, os_id: i32, now: u64) -> bool {
        self.os_id == os_id
            && now.saturating_sub(self.at) < FRESH_NS
            && now.saturating_sub(self.until) < LONG_NS
    }
}

impl Asked {
    fn read(&mut self, os_id: i32, now: u64) -> Option<Reading> {
        if self.file.as_ref().is_none_or(|(id, _)| *id != os_id) {
            let file = File::open(format!("/proc/self/task/{os_id}/schedstat"));
            self.file = file.ok().map(|file| (os_id, file));
        }
        let mut bytes = [0; 96];
        // Where the kernel does not count that, all that is lost is taken for blocked.
        let waited = self.file.as_ref().and_then(|(_, file)| {
            let read = file.read_at(&mut bytes, 0).ok()?;
            let text = std::str::from_utf8(&bytes[..read]).ok()?;
            text.split_ascii_whitespace().nth(1)?.parse().ok()
        });
        Some(Reading {
            os_id,
            at: now,
            until: now,
            ran: ticks::thread_time()?,
            waited: waited.unwrap_or(0),
            slept: ticks::thread_sleeps(),
        })
    }
}

impl Thread {
    /// The ledger of a task that runs here goes to this state, from running.
    pub(crate) fn close_run(&self, ledger: &Ledger, next: State, now: u64) {
        let lost = if ledger.lasted(now) >= LONG_NS && !self.is_simulated() {
            self.times
                .meter
                .end(self.os_id.load(Ordering::Relaxed), now)
        } else {
            Lost::default()
        };
        ledger.change(next, now, lost, false);
    }

    /// In a simulation time is another than the kernel counts.
    fn is_simulated(&self) -> bool {
        self.core().simulation.is_some()
    }

    /// It runs here from now on.
    pub(crate) fn open_run(&self, ledger: &'static Ledger, now: u64) {
        self.times.ledger.set(Some(ledger));
        self.times.has_ledgers.set(true);
        if !self.is_simulated() {
            self.times
                .meter
                .begin(self.os_id.load(Ordering::Relaxed), now);
        }
        ledger.turn_to(State::Running, now);
    }

    /// Its native section is over.
    fn close_section(&self, ledger: &Ledger, now: u64) {
        let tick = self.core().monitor.tick_time().as_nanos() as u64;
        let split = ledger.lasted(now) >= tick;
        let os_id = self.os_id.load(Ordering::Relaxed);
        let lost = if split && !self.is_simulated() {
            self.times.meter.end(os_id, now)
        } else {
            Lost::default()
        };
        ledger.change(State::Running, now, lost, split);
        if !self.is_simulated() {
            // What was lost in one that is not split is none of what comes.
            self.times.meter.begin(os_id, now);
        }
    }
}

/// The task that runs on this thread has left for a native section.
pub(crate) fn left(thread: &Thread) {
    if let Some(ledger) = thread.times.ledger.get() {
        let now = thread.core().now();
        thread.close_run(ledger, State::Native, now);
        if thread.is_simulated() {
            return;
        }
        let os_id = thread.os_id.load(Ordering::Relaxed);
        thread.times.meter.begin(os_id, now);
    }
}

/// A thread that was just adopted is a task in a section.
pub(crate) fn adopted(thread: &Thread, task: &'static Task) -> bool {
    let Some(ledger) = task.ledger() else {
        return false;
    };
    thread.open_run(ledger, thread.core().now());
    thread.note_sections(true);
    left(thread);
    true
}

/// It comes back.
pub(crate) fn entered(thread: &Thread) {
    if let Some(ledger) = thread.times.ledger.get() {
        thread.close_section(ledger, thread.core().now());
    }
}

/// The thread waits for a slot, in `work`, to go on with the task that it runs.
pub(crate) fn around_claim<R>(thread: &'static Thread, work: impl FnOnce() -> R) -> R {
    let Some(ledger) = thread.times.ledger.get() else {
        return work();
    };
    thread.close_run(ledger, State::Runnable, thread.core().now());
    let result = work();
    thread.times.meter.forget();
    thread.open_run(ledger, thread.core().now());
    result
}

/// The ledgers of tasks that have ended, as many as are kept.
pub(crate) struct History {
    newest: Mutex<VecDeque<LedgerFacts>>,
    kept: usize,
}

impl History {
    pub(crate) fn new(kept: usize) -> History {
        History {
            newest: Mutex::new(VecDeque::new()),
            kept,
        }
    }

    pub(crate) fn read(&self) -> Vec<LedgerFacts> {
        self.newest.lock().iter().cloned().collect()
    }

    fn keep(&self, facts: LedgerFacts) {
        if self.kept == 0 {
            return;
        }
        let mut newest = self.newest.lock();
        if newest.len() == self.kept {
            newest.pop_front();
        }
        newest.push_back(facts);
    }
}

/// The task has ended. `here` is the worker, if it ran on one.
pub(crate) fn ended(core: &Core, here: Option<&'static Thread>, task: &Task) {
    let Some(ledger) = task.ledger() else { return };
    let now = core.now();
    match here {
        Some(thread) if ledger.state() == State::Running => {
            thread.close_run(ledger, State::Running, now);
            thread.times.ledger.set(None);
            thread.note_sections(false);
        }
        _ => ledger.turn_to(ledger.state(), now),
    }
    ledger.close();
    core.history
        .keep(ledger.facts(task.id.get(), task.name(), now));
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn each_state_is_booked_and_the_parts_add_up() {
        let ledger = Ledger::new(Instant::now(), 1000);
        ledger.turn_to(State::Running, 1010);
        ledger.turn_to(State::Suspended(WaitReason::Mutex), 1030);
        ledger.turn_to(State::Runnable, 1130);
        ledger.turn_to(State::Running, 1135);
        ledger.turn_to(State::Native, 1140);
        ledger.turn_to(State::Running, 1147);
        let lost = |all, stolen| Lost { all, stolen };
        ledger.change(State::Native, 1247, lost(50, 20), false);
        ledger.change(State::Running, 2247, lost(700, 100), true);
        let facts = ledger.facts(7, None, 2250);
        let ns = Duration::from_nanos;
        assert_eq!(facts.suspended, [(WaitReason::Mutex, ns(100))]);
        assert_eq!(facts.runnable, ns(10 + 5));
        assert_eq!(facts.on_processor, ns(20 + 5 + 50 + 3));
        assert_eq!((facts.blocked, facts.native_short), (ns(30), ns(7)));
        assert_eq!(facts.native_on_processor, ns(300));
        assert_eq!((facts.native_blocked, facts.stolen), (ns(600), ns(120)));
        assert_eq!(facts.elapsed, ns(1250));
        assert_eq!(facts.total(), facts.elapsed);
        // More than the stretch itself cannot be lost in it, and a clock that is read too early books nothing.
        ledger.change(State::Runnable, 2260, lost(700, 800), false);
        ledger.turn_to(State::Running, 2000);
        let facts = ledger.facts(7, None, 2260);
        assert_eq!(facts.stolen, ns(120 + 13));
        assert_eq!(facts.total(), facts.elapsed);
    }

    #[test]
    fn what_is_read_while_it_changes_adds_up() {
        let ledger = Ledger::new(Instant::now(), 0);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let states = [
                    State::Running,
                    State::Native,
                    State::Suspended(WaitReason::Event),
                ];
                for now in 0..300_000_u64 {
                    // Breath between changes, as between those of a task.
                    for _ in 0..32 {
                        std::hint::spin_loop();
                    }
                    ledger.turn_to(states[now as usize % 3], now * 10);
                }
                done.store(true, Ordering::Release);
            });
            let mut whole = 0_u64;
            while !done.load(Ordering::Acquire) {
                let (is_whole, facts) = ledger.read(0);
                if is_whole {
                    whole += 1;
                    assert_eq!(facts.total(), facts.elapsed);
                }
            }
            assert!(whole > 0, "it was read between changes");
        });
    }
}
