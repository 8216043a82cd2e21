//! All tasks with what they are at and where they stand: for an operator who wants to know why nothing goes on.
//!
//! Nothing is stopped for it. A task's frames come from one of two places:
//!
//! - a *parked* or a *queued* one left its registers on its stack, which is copied (`dump/stack.rs`);
//! - a *running* one, and one that sleeps with its thread, is asked by the signal that asks stalled threads
//!   (`stall/sample.rs`), one after the other.
//!
//! Frames are found by the tables that unwinding uses (`dump/unwind.rs`), so each is right, or the rest is missing.
//! A task that goes on or ends while it is looked at is without frames, and the dump says so.

#[cfg(not(any(loom, shuttle)))]
pub(crate) mod signal;
mod stack;
mod unwind;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use crate::scheduler::Core;
use crate::stall::sample::{self, Ask, Captured};
use crate::stats::{Snapshot, TaskFacts, TaskState, ThreadState};
use crate::symbol::{self, Frame};
use crate::task::{Task, pool};
use unwind::Tables;

/// What [`Scheduler::dump`](crate::Scheduler::dump) answers.
///
/// Printed it is a paragraph for each task, with a line for each of its functions. Names are looked up when it is printed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Dump {
    /// What all tasks, threads and slots were at.
    pub snapshot: Snapshot,
    /// Where each task of the snapshot stood, in the same order.
    pub stacks: Vec<Stack>,
    /// How long it took.
    pub took: Duration,
}

/// Where a task stood.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stack {
    /// The task's number.
    pub task: u64,
    /// Addresses of code, innermost first: the first is where it goes on, the others are those to which calls return.
    pub frames: Vec<usize>,
    /// Why there are none.
    pub missing: Option<Missing>,
}

/// Why a task's frames are not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missing {
    /// It has not started.
    NotStarted,
    /// It went on, or ended, while it was looked at.
    GoesOn,
    /// It is in a native section, which is not disturbed.
    Native,
    /// Its thread did not answer in time, or is not to be asked: see [`Builder::stall_signal`](crate::Builder::stall_signal).
    NoAnswer,
    /// Its stack is switched in a way that does not tell where it stands.
    Unknown,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Missing::NotStarted => "it has not started",
            Missing::GoesOn => "it went on while it was looked at",
            Missing::Native => "it is in a native section",
            Missing::NoAnswer => "its thread does not answer",
            Missing::Unknown => "the switch does not tell",
        })
    }
}

/// How long a thread has for its answer.
const ANSWER_MAX: Duration = Duration::from_millis(200);
const ANSWER_LOOK: Duration = Duration::from_micros(100);

impl Dump {
    pub(crate) fn of(core: &Core) -> Dump {
        let core = core.forever();
        let began = Instant::now();
        let snapshot = Snapshot::of(core);
        let tables = Tables::read();
        let records = records(&snapshot);
        let stacks = snapshot
            .tasks
            .iter()
            .map(|facts| {
                let found = match records.get(&facts.id) {
                    Some(task) => look(core, &snapshot, &tables, facts, task),
                    None => Err(Missing::GoesOn),
                };
                let missing = found.as_ref().err().copied();
                Stack {
                    task: facts.id,
                    frames: found.unwrap_or_default(),
                    missing,
                }
            })
            .collect();
        Dump {
            stacks,
            took: began.elapsed(),
            snapshot,
        }
    }

    /// Prints it.
    ///
    /// # Errors
    /// What writing answered; some of it may have been written.
    pub fn write_to(&self, to: &mut dyn io::Write) -> io::Result<()> {
        let mut names = Names::default();
        write!(to, "{}", Head(self))?;
        for (facts, stack) in self.snapshot.tasks.iter().zip(&self.stacks) {
            write!(to, "\n{}", Paragraph(facts, &self.snapshot))?;
            if let Some(missing) = stack.missing {
                writeln!(to, "    no frames: {missing}")?;
            }
            for (place, &address) in stack.frames.iter().enumerate() {
                for frame in names.of(place == 0, address) {
                    writeln!(to, "    {place:2}: {frame}")?;
                }
            }
        }
        to.flush()
    }
}

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::new();
        self.write_to(&mut bytes).map_err(|_| fmt::Error)?;
        f.write_str(&String::from_utf8_lossy(&bytes))
    }
}

/// The records of the snapshot's tasks. One may be another's by now; whoever looks makes sure.
fn records(snapshot: &Snapshot) -> HashMap<u64, &'static Task> {
    let mut records: HashMap<u64, Option<&'static Task>> = snapshot
        .tasks
        .iter()
        .map(|facts| (facts.id, None))
        .collect();
    pool::for_each(|task| {
        if let Some(place) = records.get_mut(&task.id.get()) {
            *place = Some(task);
        }
    });
    let known = records.into_iter();
    known.filter_map(|(id, task)| Some((id, task?))).collect()
}

fn look(
    core: &'static Core,
    snapshot: &Snapshot,
    tables: &Tables,
    facts: &TaskFacts,
    task: &'static Task,
) -> Result<Vec<usize>, Missing> {
    if facts.section.is_some() {
        return Err(Missing::Native);
    }
    let thread = snapshot
        .threads
        .iter()
        .find(|thread| thread.task == Some(facts.id));
    let on_thread = thread.filter(|thread| {
        facts.state == TaskState::Running || thread.state == ThreadState::WithTask
    });
    let captured = match (facts.state, on_thread) {
        (TaskState::Pending, _) => return Err(Missing::NotStarted),
        (_, Some(thread)) => ask(core, thread.index, facts.id)?,
        (TaskState::Suspended | TaskState::Runnable, None) => stack::of(task, facts.id)?,
        (TaskState::Running, None) => return Err(Missing::GoesOn),
    };
    Ok(tables.unwind(&captured))
}

/// Asks the thread with this number, which runs this task.
fn ask(core: &'static Core, thread: usize, task: u64) -> Result<Captured, Missing> {
    let signal = core.monitor.orders.signal.ok_or(Missing::NoAnswer)?;
    let thread = core.threads.get(thread);
    let until = Instant::now() + ANSWER_MAX;
    let wait = |missing| {
        if Instant::now() >= until {
            return Err(missing);
        }
        std::thread::sleep(ANSWER_LOOK);
        Ok(())
    };
    let question = loop {
        match sample::ask(thread, signal) {
            Ask::Asked(question) => break question,
            Ask::Refused => return Err(Missing::NoAnswer),
            // The monitor's, or another dump's.
            Ask::Busy => wait(Missing::NoAnswer)?,
        }
    };
    while !question.is_answered() {
        if let Err(missing) = wait(Missing::NoAnswer) {
            question.give_up();
            return Err(missing);
        }
    }
    let sample = question.take();
    if sample.task == task {
        Ok(sample.captured)
    } else {
        Err(Missing::GoesOn)
    }
}

/// The names of addresses, each looked up once.
#[derive(Default)]
struct Names(HashMap<(bool, usize), Vec<Frame>>);

impl Names {
    fn of(&mut self, is_first: bool, address: usize) -> &[Frame] {
        self.0
            .entry((is_first, address))
            .or_insert_with(|| symbol::frames_at(is_first, address))
    }
}

struct Head<'a>(&'a Dump);

impl fmt::Display for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Dump { snapshot, took, .. } = self.0;
        let count = |state| {
            let tasks = snapshot.tasks.iter();
            tasks.filter(|task| task.state == state).count()
        };
        writeln!(
            f,
            "dump of the scheduler {:?} of process {}, {:.3} s after its start, in {:.3} ms",
            snapshot.system.name,
            std::process::id(),
            snapshot.at.as_secs_f64(),
            took.as_secs_f64() * 1e3,
        )?;
        writeln!(
            f,
            "{} tasks: {} pending, {} runnable, {} running, {} suspended; {} ended meanwhile",
            snapshot.tasks.len(),
            count(TaskState::Pending),
            count(TaskState::Runnable),
            count(TaskState::Running),
            count(TaskState::Suspended),
            snapshot.missed,
        )
    }
}

struct Paragraph<'a>(&'a TaskFacts, &'a Snapshot);

impl fmt::Display for Paragraph<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Paragraph(task, snapshot) = self;
        write!(f, "task {}", task.id)?;
        if let Some(name) = &task.name {
            write!(f, " {name:?}")?;
        }
        let state = match task.state {
            TaskState::Pending => "pending",
            TaskState::Runnable => "runnable",
            TaskState::Running => "running",
            TaskState::Suspended => "suspended",
        };
        write!(f, ": {state}")?;
        if let Some((reason, since)) = task.wait {
            write!(f, " for {reason} since {:.0} ms", since.as_secs_f64() * 1e3)?;
        }
        if let Some((blocker, why)) = task.blocked_by {
            write!(f, ", blocked by task {blocker} ({why:?})")?;
        }
        if let Some(section) = &task.section {
            write!(f, ", in native section {:?}", section.target.name())?;
        }
        if let Some(thread) = task.thread {
            write!(f, ", worker {thread}")?;
            let mut threads = snapshot.threads.iter();
            if let Some(facts) = threads.find(|facts| facts.index == thread) {
                write!(f, " (thread {})", facts.os_id)?;
            }
        }
        writeln!(f, ", age {:.0} ms", task.age.as_secs_f64() * 1e3)
    }
}
