//! What all tasks, threads and slots are at, read without stopping anything.
//!
//! # How a task is read
//!
//! The reader takes no reference: a task that ends meanwhile must not find one more, and 100,000 of them would be 200,000
//! locked instructions on other threads' cache lines. Instead it makes sure that all it read is of one life:
//!
//! 1. the life word says that the task has not ended (acquire: the number and the scheduler were written before it began);
//! 2. number, scheduler, kind, wait word and the rest are read, each for itself;
//! 3. behind a fence: the number is the same, and the task has still not ended. Otherwise what was read may be of two
//!    lives, and is thrown away: that task ended while it was read.
//!
//! A record is filled anew only after its last life has ended, and gets its new number before its new life begins. So what
//! step 2 reads of a later life is noticed by step 3.
//!
//! Only the name lies elsewhere, in memory that goes with the record's use: for tasks that have such memory a reference is
//! taken, for as long as it takes to copy the name.
//!
//! # What a look costs those who are looked at
//!
//! Nothing is locked that a worker takes, and no barrier is asked for. What is left is that a worker loses a cache line with
//! each look at what it writes at every switch, and has it back some hundred nanoseconds later, in the middle of a switch.
//! So what lies on one line is read at one go, once in a look: of a thread what others may see while it switches
//! (`thread.rs`), how often its tasks have waited, and the first line of each task. What else there is to
//! ask, of the table of locks and by the numbers of threads, is asked afterwards.
//!
//! # What holds together
//!
//! Each task is read once and is in one state, so in a snapshot the states add up to the tasks. A task that lives from
//! before the snapshot began until after its end is in it, once. Which task a thread runs is read before the tasks: a
//! thread runs one at most. Between different tasks there is no common moment: one of two that swap places may be seen
//! before and the other after.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::deadlock::Blocker;
use crate::native::Target;
use crate::primitive::collisions::{self, SpinFacts};
use crate::primitive::{Ordering, fence};
use crate::scheduler::Core;
use crate::stats::histogram::Histogram;
use crate::stats::ledger::LedgerFacts;
use crate::stats::sections::TargetFacts;
use crate::stats::{Stats, coarse, sections};
use crate::sync::lock_waits;
use crate::task::payload::contain;
use crate::task::state::Epoch;
use crate::task::{Backing, Kind, Priority, Task, flag, pool, release};
use crate::thread::Thread;
use crate::wait::WaitReason;
use crate::watch::Accounting;

/// What [`Scheduler::snapshot`](crate::Scheduler::snapshot) answers.
///
/// Times that are noted with tasks and sections are those of a coarse clock, which is late by a tick of the monitor at most:
/// a millisecond by default.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Snapshot {
    /// When it was begun, counted from the scheduler's start.
    pub at: Duration,
    /// How long it took.
    pub took: Duration,
    /// How the scheduler is set up.
    pub system: SystemFacts,
    /// One for each slot.
    pub slots: Vec<SlotFacts>,
    /// One for each OS thread that is there.
    pub threads: Vec<ThreadFacts>,
    /// One for each task that has not ended, in no order.
    pub tasks: Vec<TaskFacts>,
    /// One for each reason for which a task has ever waited.
    pub waits: Vec<WaitFacts>,
    /// One for each target that native sections have called.
    pub targets: Vec<TargetFacts>,
    /// One for each kind of the scheduler's own short locks.
    pub spins: Vec<SpinFacts>,
    /// How exact the times in [`waits`](Snapshot::waits) are.
    pub accounting: Accounting,
    /// Tasks in the common queue, from which every worker takes.
    pub injected: usize,
    /// Tasks that ended while they were read, and are not in [`tasks`](Snapshot::tasks).
    pub missed: usize,
    /// Figures of the whole, read at the beginning.
    pub figures: Stats,
}

/// How a scheduler is set up.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SystemFacts {
    /// By which its threads are called.
    pub name: String,
    /// How many tasks may run at once, now.
    pub workers: usize,
    /// The most OS threads.
    pub max_threads: usize,
    /// The most live tasks, if there is a limit.
    pub max_tasks: Option<usize>,
    /// The time after which a polite task yields.
    pub quantum: Duration,
    /// Bytes of stack of a task that does not ask for its own size.
    pub stack_size: usize,
}

/// A slot: the right to run tasks.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SlotFacts {
    /// Its number, from 0.
    pub index: usize,
    /// The thread that has it, or had it last, by its [number](ThreadFacts::index).
    pub driver: usize,
    /// That thread sleeps for want of work, or the slot rests.
    pub is_idle: bool,
    /// Nobody has it, since [fewer tasks](crate::Scheduler::set_workers) are to run at once than there are slots.
    pub rests: bool,
    /// Tasks in its private queues: those that have not started, and mobile ones.
    pub queued: usize,
    /// Tasks in the part that other workers take from.
    pub shared: usize,
    /// When its next timer is due, counted from now: nothing if it is due already.
    pub next_timer: Option<Duration>,
}

/// What a thread of the scheduler does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ThreadState {
    /// It has a slot and is awake: it runs a task or looks for one.
    Driving,
    /// It sleeps, with a slot, for want of work.
    Idle,
    /// Its task is in a native section.
    Native,
    /// It sleeps with its task, which waits and has the thread for itself.
    WithTask,
    /// It has no slot: it stands by, or waits for a slot.
    Waiting,
}

/// An OS thread of the scheduler.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ThreadFacts {
    /// Its number among those of the scheduler, which is part of its name. A later thread may get it again.
    pub index: usize,
    /// The number by which the system knows it.
    pub os_id: i32,
    /// What it does.
    pub state: ThreadState,
    /// The slot that it has, or had last if nobody has it now.
    pub slot: Option<usize>,
    /// The task that it runs.
    pub task: Option<u64>,
    /// How often a task was resumed here.
    pub switches: u64,
    /// How often a task waited or yielded here without leaving its stack, since it has its thread for itself.
    pub settled_in_place: u64,
    /// Tasks spawned and ended here.
    pub spawned: u64,
    /// See [`spawned`](ThreadFacts::spawned).
    pub ended: u64,
    /// Tasks that it found elsewhere than in its own queues.
    pub steals: u64,
    /// Native sections opened here, the sleeps of tasks that have their thread for themselves included.
    pub sections: u64,
    /// The section that is open.
    pub section: Option<SectionFacts>,
    /// The lowest address of its own stack, and the one behind its highest; 0 if they are not known.
    pub stack: (usize, usize),
}

/// A native section that is open.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SectionFacts {
    /// What it calls.
    pub target: &'static Target,
    /// How long the monitor has seen it: less than a tick too little, and nothing for one that is younger.
    pub age: Duration,
}

/// Where a task is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskState {
    /// It has not started, and stands in a queue.
    Pending,
    /// It could go on, and waits for a worker.
    Runnable,
    /// A thread runs it, perhaps in a native section.
    Running,
    /// It waits.
    Suspended,
}

/// A task that has not ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskFacts {
    /// Its number, as [`TaskRef::id`](crate::TaskRef::id).
    pub id: u64,
    /// Its name, if it was given one.
    pub name: Option<Arc<str>>,
    /// Where it is in its life.
    pub state: TaskState,
    /// How urgently it wants to run.
    pub priority: Priority,
    /// What it runs on.
    pub backing: Backing,
    /// Its creator vouched that it may change threads.
    pub is_mobile: bool,
    /// It was cancelled or aborted.
    pub is_cancelled: bool,
    /// The thread that runs it, or on which it has to go on.
    pub thread: Option<usize>,
    /// How long ago it was spawned.
    pub age: Duration,
    /// What it waits for, and since when.
    pub wait: Option<(WaitReason, Duration)>,
    /// What it waited for last, or waits for now; `WaitReason::None` if it has never waited.
    pub last_wait: WaitReason,
    /// The task without which it cannot go on, as far as that is known, and why.
    pub blocked_by: Option<(u64, Blocker)>,
    /// The native section in which it is.
    pub section: Option<SectionFacts>,
    /// Where its time has gone, if [that is booked](crate::TaskBuilder::accounting).
    pub ledger: Option<Box<LedgerFacts>>,
}

/// How often tasks waited for one reason, and how long those waits lasted that were timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaitFacts {
    /// For what.
    pub reason: WaitReason,
    /// How many waits were begun.
    pub count: u64,
    /// How many tasks wait so now.
    pub waiting: usize,
    /// How many waits were timed, of those that have ended.
    pub timed: u64,
    /// How long those lasted together, until their tasks went on.
    pub time: Duration,
    /// The longest of them.
    pub max: Duration,
    /// The part of [`time`](WaitFacts::time) in which what was waited for had happened already, and the tasks waited to go on.
    pub runnable: Duration,
}

/// What the threads were at, read before the tasks.
struct Threads {
    facts: Vec<ThreadFacts>,
    /// From the address of a thread's record to its place in `facts`; sorted. It is asked for each task, and they are few.
    by_address: Vec<(usize, usize)>,
    /// From the number of a task that runs to that place, and whether its thread only waits for a slot; sorted.
    running: Vec<(u64, (usize, bool))>,
    /// The task that sleeps with the thread, by that place.
    owners: Vec<Option<u64>>,
}

impl Snapshot {
    pub(crate) fn of(core: &Core) -> Snapshot {
        let core = core.forever();
        let began = core.now();
        let figures = Stats::of(core);
        let mut threads = Threads::read(core, began);
        let mut missed = 0;
        // One at a time it would grow, and be copied, again and again.
        let mut tasks = Vec::with_capacity(figures.live() as usize + SOME_MORE);
        pool::for_each(|task| match read(core, task, &threads, began) {
            Read::Is(facts) => tasks.push(facts),
            Read::IsNot => {}
            Read::Ended => missed += 1,
        });
        threads.forget_ended(&tasks);
        Snapshot {
            at: Duration::from_nanos(began),
            system: core.system_facts(),
            slots: core
                .slots
                .iter()
                .map(|slot| SlotFacts::of(slot, &threads, began))
                .collect(),
            threads: threads.facts,
            waits: waits(core, &tasks),
            tasks,
            targets: TargetFacts::all(core),
            spins: collisions::facts(),
            accounting: core.watching.accounting(),
            injected: core.injector.len(),
            missed,
            figures,
            took: Duration::from_nanos(core.now() - began),
        }
    }
}

impl SlotFacts {
    fn of(slot: &crate::slot::Slot, threads: &Threads, now: u64) -> SlotFacts {
        let (due, driver) = (slot.due(), slot.driver.load(Ordering::Relaxed));
        let is_idle =
            |thread: &ThreadFacts| thread.index == driver && thread.state == ThreadState::Idle;
        SlotFacts {
            index: slot.index,
            driver,
            is_idle: slot.rests() || threads.facts.iter().any(is_idle),
            rests: slot.rests(),
            queued: slot.waiting(),
            shared: slot.shared(),
            next_timer: (due != u64::MAX).then(|| Duration::from_nanos(due.saturating_sub(now))),
        }
    }
}

/// What a thread writes at its switches, and others may see.
struct Glance {
    task: Option<&'static Task>,
    switches: u64,
    is_away: bool,
}

impl Glance {
    fn at(thread: &Thread) -> Glance {
        Glance {
            task: thread.task.get(),
            switches: thread.switches(),
            is_away: thread.sleeper.is_away(),
        }
    }
}

impl Threads {
    fn read(core: &'static Core, now: u64) -> Threads {
        let mut slots = HashMap::new();
        for slot in core.slots.iter().filter(|slot| !slot.rests()) {
            slots.insert(slot.driver.load(Ordering::Relaxed), slot.index);
        }
        let mut threads = Threads {
            facts: Vec::new(),
            by_address: Vec::new(),
            running: Vec::new(),
            owners: Vec::new(),
        };
        for thread in core.threads.iter() {
            let os_id = thread.os_id.load(Ordering::Relaxed);
            if os_id == 0 {
                // Not there yet, or there no more.
                continue;
            }
            let place = threads.facts.len();
            let glance = Glance::at(thread);
            let owner = thread.sleeps_with();
            let slot = slots.get(&thread.index).copied();
            let facts = ThreadFacts::of(thread, &glance, os_id, slot, now);
            if let Some(task) = facts.task {
                // Asleep, but not with its task: it waits for a slot in which to go on.
                let is_kept = glance.is_away && facts.section.is_none();
                threads.running.push((task, (place, is_kept)));
            }
            let address = std::ptr::from_ref(thread).addr();
            threads.by_address.push((address, place));
            threads.owners.push(owner.map(|task| task.id.get()));
            threads.facts.push(facts);
        }
        threads.by_address.sort_unstable();
        // One that has moved while this was read runs where it was seen last.
        threads.running.reverse();
        threads.running.sort_by_key(|&(task, _)| task);
        threads.running.dedup_by_key(|&mut (task, _)| task);
        threads
    }

    /// Which thread runs this task, and whether that only waits for a slot.
    fn runner(&self, task: u64) -> Option<(usize, bool)> {
        let place = self.running.binary_search_by_key(&task, |&(task, _)| task);
        place.ok().map(|place| self.running[place].1)
    }

    /// The thread with this address.
    fn at(&self, address: usize) -> Option<usize> {
        let place = self
            .by_address
            .binary_search_by_key(&address, |&(at, _)| at);
        place.ok().map(|place| self.by_address[place].1)
    }

    /// A task that a thread ran, and that has ended before it was read itself, is not there.
    fn forget_ended(&mut self, tasks: &[TaskFacts]) {
        let mut there: Vec<u64> = Vec::new();
        for task in tasks {
            if self.runner(task.id).is_some() {
                there.push(task.id);
            }
        }
        for facts in &mut self.facts {
            facts.task = facts.task.filter(|id| there.contains(id));
        }
    }
}

impl ThreadFacts {
    fn of(
        thread: &Thread,
        glance: &Glance,
        os_id: i32,
        slot: Option<usize>,
        now: u64,
    ) -> ThreadFacts {
        let task = glance.task;
        let section = sections::open(thread, now).filter(|_| task.is_some());
        let section = section.map(|(target, age)| SectionFacts { target, age });
        let state = if thread.sleeps_with().is_some() {
            ThreadState::WithTask
        } else if section.is_some() {
            ThreadState::Native
        } else if glance.is_away {
            if slot.is_some() && task.is_none() {
                ThreadState::Idle
            } else {
                ThreadState::Waiting
            }
        } else if slot.is_some() {
            ThreadState::Driving
        } else {
            ThreadState::Waiting
        };
        ThreadFacts {
            index: thread.index,
            os_id,
            state,
            slot,
            task: task.map(|task| task.id.get()),
            switches: glance.switches,
            settled_in_place: thread.settled_here.load(Ordering::Relaxed),
            spawned: thread.spawned.load(Ordering::Relaxed),
            ended: thread.ended.load(Ordering::Relaxed),
            steals: thread.steals.load(Ordering::Relaxed),
            sections: sections::opened(thread),
            section,
            stack: (
                thread.stack_low.load(Ordering::Relaxed),
                thread.stack_top.load(Ordering::Relaxed),
            ),
        }
    }
}

/// Room for tasks that are spawned after their number was read.
const SOME_MORE: usize = 64;

/// What came of reading a record.
enum Read {
    Is(TaskFacts),
    /// It holds no task of this scheduler.
    IsNot,
    /// It held one when the reading began.
    Ended,
}

/// The first line of a record, which is written at every switch of its task.
struct Line {
    kind: Kind,
    /// The wait that is on.
    epoch: Option<Epoch>,
    reason: WaitReason,
    last_wait: WaitReason,
    since: u32,
    flags: u32,
    priority: Priority,
    is_mobile: bool,
    is_on_thread: bool,
}

impl Line {
    fn of(task: &Task) -> Line {
        Line {
            kind: task.kind(),
            epoch: task.wait.armed_epoch(),
            reason: task.reason(),
            last_wait: task.last_reason(),
            since: task.since.load(Ordering::Relaxed),
            flags: task.flags.load(Ordering::Relaxed),
            priority: task.priority(),
            is_mobile: task.is_mobile(),
            is_on_thread: task.is_on_thread(),
        }
    }
}

fn read(core: &'static Core, task: &'static Task, threads: &Threads, now: u64) -> Read {
    // Step 1.
    if task.life.is_done() {
        return Read::IsNot;
    }
    // Step 2.
    if !task.belongs_to(core) {
        return Read::IsNot;
    }
    let id = task.id.get();
    let line = Line::of(task);
    if !matches!(line.kind, Kind::Fresh | Kind::Started) {
        return Read::IsNot;
    }
    let facts = facts(task, id, &line, threads, now);
    // Step 3.
    fence(Ordering::Acquire);
    if task.id.get() != id || task.life.is_done() {
        return Read::Ended;
    }
    let (name, ledger) = kept(task, id);
    Read::Is(TaskFacts {
        name,
        ledger,
        ..facts
    })
}

fn facts(task: &'static Task, id: u64, line: &Line, threads: &Threads, now: u64) -> TaskFacts {
    let running = threads.runner(id);
    let home = task.bound_to.load(Ordering::Acquire);
    let thread = running.map(|(place, _)| place);
    let thread = thread.or_else(|| threads.at(home));
    let state = match running {
        _ if line.kind == Kind::Fresh => TaskState::Pending,
        _ if line.epoch.is_some() => TaskState::Suspended,
        Some((_, false)) => TaskState::Running,
        Some((_, true)) | None => TaskState::Runnable,
    };
    let since = coarse::age(now, line.since);
    TaskFacts {
        id,
        name: None,
        ledger: None,
        state,
        priority: line.priority,
        backing: if line.is_on_thread {
            Backing::Thread
        } else {
            Backing::Fiber
        },
        is_mobile: line.is_mobile,
        is_cancelled: line.flags & (flag::CANCEL | flag::ABORT) != 0,
        thread: thread.map(|place| threads.facts[place].index),
        age: coarse::age(now, task.spawned.load(Ordering::Relaxed)),
        wait: (state == TaskState::Suspended).then_some((line.last_wait, since)),
        last_wait: line.last_wait,
        blocked_by: blocker(
            task,
            id,
            line,
            thread.and_then(|place| threads.owners[place]),
        ),
        section: running.and_then(|(place, _)| threads.facts[place].section),
    }
}

/// Whom it waits for: whoever it is that its wait is for, or the one who sleeps with its thread.
fn blocker(
    task: &'static Task,
    id: u64,
    line: &Line,
    owner: Option<u64>,
) -> Option<(u64, Blocker)> {
    let in_wait = line.epoch;
    let in_wait = in_wait.and_then(|epoch| blocker_in(task, id, epoch, line.reason));
    if in_wait.is_some() {
        return in_wait;
    }
    let owner = owner.filter(|&owner| line.kind == Kind::Started && owner != id)?;
    Some((owner, Blocker::Thread))
}

/// Whose end the wait is for that is on, or who has the mutex that it is for.
pub(crate) fn blocker_in_wait(task: &'static Task) -> Option<(u64, Blocker)> {
    let epoch = task.wait.armed_epoch()?;
    blocker_in(task, task.id.get(), epoch, task.reason())
}

/// The same of this wait, if it is still on.
fn blocker_in(
    task: &'static Task,
    id: u64,
    epoch: Epoch,
    reason: WaitReason,
) -> Option<(u64, Blocker)> {
    let blocker = match reason {
        WaitReason::Join => (task.joins()?.id.get(), Blocker::Join),
        // An event is what a layer above waits for, which may know the owner.
        WaitReason::Mutex
        | WaitReason::RwLockRead
        | WaitReason::RwLockWrite
        | WaitReason::Once
        | WaitReason::Event => lock_waits::holder(id)?,
        _ => return None,
    };
    // It is what that wait waits for if the wait is still on.
    (task.wait.armed_epoch() == Some(epoch)).then_some(blocker)
}

/// What lies elsewhere of the task with this number, if it has not ended: its name and its ledger.
fn kept(task: &'static Task, id: u64) -> (Option<Arc<str>>, Option<Box<LedgerFacts>>) {
    if !task.has_extra() || !task.life.try_keep() {
        return (None, None);
    }
    let (mut name, mut facts) = (None, None);
    if task.id.get() == id {
        name = task.name();
        let ledger = task.ledger();
        facts = ledger.map(|ledger| Box::new(ledger.of(id, name.clone())));
    }
    // The last reference takes what is left of the task with it.
    contain(|| release(task));
    (name, facts)
}

fn waits(core: &Core, tasks: &[TaskFacts]) -> Vec<WaitFacts> {
    let mut waiting = [0; WaitReason::COUNT];
    for (reason, _) in tasks.iter().filter_map(|task| task.wait) {
        waiting[reason as usize] += 1;
    }
    let rate = core.origin.rate();
    let mut counts = [0; WaitReason::COUNT];
    for thread in core.threads.iter() {
        for (sum, count) in counts.iter_mut().zip(thread.waits.all()) {
            *sum += count;
        }
    }
    let facts = WaitReason::all().map(|reason| {
        let mut timed = Histogram::new(rate);
        let mut runnable = 0;
        for thread in core.threads.iter() {
            runnable += thread.times.add_waits(reason, &mut timed);
        }
        WaitFacts {
            reason,
            count: counts[reason as usize],
            waiting: waiting[reason as usize],
            timed: timed.count(),
            time: timed.total(),
            max: timed.max(),
            runnable: Duration::from_nanos(rate.ns(runnable)),
        }
    });
    facts.filter(|facts| facts.count > 0).collect()
}
