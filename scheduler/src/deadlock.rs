//! Who waits for whom: a wait that could never end is refused when it begins.
//!
//! Edges, as far as the scheduler knows them:
//!
//! - *join*: a task that waits without a limit for another one's end waits for that one;
//! - *thread*: a task that has started on a thread waits for the task that sleeps with that thread (`pinned.rs`), whatever
//!   else it waits for, since nobody else runs there;
//! - *lock*: a task that waits without a limit for a mutex waits for the one that has it.
//!
//! A wait for an end or a mutex looks for a way back to the caller before it begins, under the lock of the table in which such
//! waits stand (`sync/lock_waits.rs`): two that close a circle at the same moment cannot both miss it. Joins of a task that has
//! not started do not stand there, and are followed where they are met; like the edges by threads they were seen with their
//! epochs, and the whole way is looked at once more, so that all its edges existed at one moment. So there is no false alarm.
//!
//! A mutex names its owner by its number. So a way goes on behind a mutex if its owner stands in the table, or if the caller
//! sleeps with its thread and looks for the owner among all tasks. An owner that joined a task before that one had started, and
//! one that another's sleep keeps from its thread while it waits for nothing, are not found behind a mutex.
//!
//! What an event, a semaphore or a channel waits for is nobody in particular, so it has no edge.
#![forbid(unsafe_code)]

use std::fmt;
use std::ptr;

use crate::current::Thread;
use crate::join::TaskRef;
use crate::scheduler::Core;
use crate::sync::lock_waits::Table;
use crate::task::state::Epoch;
use crate::task::{Kind, Task};
use crate::wait::WaitReason;

/// Why a task of a cycle cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Blocker {
    /// It waits for the end of the next one.
    Join,
    /// The next one sleeps with the thread on which it has started.
    Thread,
    /// It waits for a mutex that the next one has.
    Lock,
}

/// Tasks that wait for each other in a circle.
pub struct Deadlock {
    tasks: Vec<(TaskRef, Blocker)>,
}

impl Deadlock {
    pub(crate) fn new(tasks: Vec<(TaskRef, Blocker)>) -> Deadlock {
        Deadlock { tasks }
    }

    /// The numbers of its tasks, in order.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.tasks.iter().map(|(task, _)| task.id()).collect()
    }

    /// The tasks of the circle, beginning with the one whose wait closes it, each with why it waits for the next.
    pub fn tasks(&self) -> &[(TaskRef, Blocker)] {
        &self.tasks
    }
}

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (task, blocker) in &self.tasks {
            let name = task.name().unwrap_or_else(|| "unnamed".into());
            let why = match blocker {
                Blocker::Join => "joins",
                Blocker::Thread => "needs the thread of",
                Blocker::Lock => "waits for a mutex of",
            };
            write!(f, "task {} ({name}) {why} ", task.id())?;
        }
        f.write_str("the first")
    }
}

impl std::error::Error for Deadlock {}

impl fmt::Debug for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Deadlock({self})")
    }
}

/// How long a circle may be.
const LENGTH_MAX: usize = 64;

/// One step of the way.
#[derive(Clone, Copy)]
struct Step {
    task: &'static Task,
    id: Option<u64>,
    edge: Edge,
}

/// Whom a task waits for, why, and in which wait: for a join its own, for a thread that of the one who sleeps with it. None
/// for what stands in the table, which does not change while we look.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Edge {
    to: usize,
    epoch: Option<Epoch>,
    why: Blocker,
}

impl Edge {
    fn new(to: &'static Task, epoch: Option<Epoch>, why: Blocker) -> Edge {
        Edge {
            to: to.address(),
            epoch,
            why,
        }
    }
}

/// A look for a way back to the caller.
pub(crate) struct Search<'a> {
    core: &'a Core,
    me: &'static Task,
    /// None in a model.
    table: Option<&'a Table>,
    /// Where it was.
    seen: Vec<&'static Task>,
    way: Vec<Step>,
}

/// Whether the caller's wait for `first` would close a circle.
#[cold]
pub(crate) fn closed(
    thread: &'static Thread,
    me: &'static Task,
    table: Option<&Table>,
    (first, why): (&'static Task, Blocker),
) -> Option<Deadlock> {
    // While the caller sleeps with its thread, nobody else runs there.
    thread.set_sleeps_with(me.owns_its_thread().then_some(me));
    let mut search = Search {
        core: thread.core(),
        me,
        table,
        seen: Vec::new(),
        way: Vec::new(),
    };
    let found = search.find(first, Some(first.id.get())) && search.is_still_so();
    thread.set_sleeps_with(None);
    if found { search.deadlock(why) } else { None }
}

impl Search<'_> {
    /// Looks for a way from `from` to the caller, and leaves it in `way`. The number of `from` is known if it cannot have ended.
    fn find(&mut self, from: &'static Task, id: Option<u64>) -> bool {
        let was_here = self.seen.iter().any(|task| ptr::eq(*task, from));
        if was_here || self.seen.len() == LENGTH_MAX {
            return false;
        }
        self.seen.push(from);
        for (edge, next) in self.edges(from, id).into_iter().flatten() {
            let task = from;
            self.way.push(Step { task, id, edge });
            // Who stands in the table waits for one that is there.
            let number = || edge.epoch.is_none().then(|| next.id.get());
            if ptr::eq(next, self.me) || self.find(next, number()) {
                return true;
            }
            self.way.pop();
        }
        false
    }

    /// Once more: what was on then and is on still was on all the time.
    fn is_still_so(&self) -> bool {
        self.way.iter().all(|step| {
            let mut edges = self.edges(step.task, step.id).into_iter().flatten();
            edges.any(|(edge, _)| edge == step.edge)
        })
    }

    fn deadlock(&self, why: Blocker) -> Option<Deadlock> {
        let mut tasks = vec![(TaskRef::keep(self.me), why)];
        for step in &self.way {
            // One that has ended meanwhile was no part of a circle.
            tasks.push((TaskRef::find(step.task)?, step.edge.why));
        }
        Some(Deadlock { tasks })
    }

    fn edges(&self, task: &'static Task, id: Option<u64>) -> [Option<(Edge, &'static Task)>; 3] {
        let stands = self.table.and_then(|table| table.next(task, id));
        [
            by_thread(self.core, self.me, task),
            by_join(task),
            stands.map(|(next, why)| (Edge::new(next, None, why), next)),
        ]
    }
}

/// Whose end this task waits for.
fn by_join(task: &'static Task) -> Option<(Edge, &'static Task)> {
    let epoch = task.wait.armed_epoch()?;
    if task.reason() != WaitReason::Join {
        return None;
    }
    // Stored before the wait was armed. The epoch, once more, says that it is this wait's.
    let next = task.joins()?;
    let same = task.wait.armed_epoch() == Some(epoch);
    same.then_some((Edge::new(next, Some(epoch), Blocker::Join), next))
}

/// Who sleeps with the thread that this task needs.
fn by_thread(core: &Core, me: &'static Task, task: &'static Task) -> Option<(Edge, &'static Task)> {
    if task.kind() != Kind::Started {
        return None;
    }
    let owner = task.waits_for_thread(core)?;
    // The caller's own wait is not on yet.
    let epoch = if ptr::eq(owner, me) {
        me.wait.last_epoch()
    } else {
        owner.wait.armed_epoch()?
    };
    Some((Edge::new(owner, Some(epoch), Blocker::Thread), owner))
}
