//! Who waits for whom: a wait that could never end is refused when it begins.
//!
//! Edges, as far as the scheduler knows them:
//!
//! - *join*: a task that waits without a limit for another one's end waits for that one;
//! - *thread*: a task that has started on a thread waits for the task that sleeps with that thread (`pinned.rs`), whatever
//!   else it waits for, since nobody else runs there.
//!
//! A join looks for a way back to the caller before it waits. It follows waits that are on; each was seen with its epoch,
//! and the whole way is looked at once more, so that all its edges existed at one moment. So there is no false alarm.
//! Two joins that close a cycle at the same moment may both miss it.
//!
//! Tasks that wait for each other's mutexes are found by those (`sync/lock_waits.rs`). A circle in which some wait for a mutex
//! and others for an end or a thread is not found.
//!
//! What an event, a semaphore or a channel waits for is nobody in particular, so it has no edge.
#![forbid(unsafe_code)]

use std::fmt;

use crate::current::Thread;
use crate::join::TaskRef;
use crate::scheduler::Core;
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
    edge: Edge,
}

/// Whom a task waits for, why, and in which wait: for a join its own, for a thread that of the one who sleeps with it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Edge {
    to: usize,
    epoch: Epoch,
    why: Blocker,
}

impl Edge {
    fn new(to: &'static Task, epoch: Epoch, why: Blocker) -> Edge {
        Edge {
            to: to.address(),
            epoch,
            why,
        }
    }
}

/// Whether a join of this task by that one would close a circle.
#[cold]
pub(crate) fn closed_by_join(
    thread: &'static Thread,
    me: &'static Task,
    target: &'static Task,
) -> Option<Deadlock> {
    // While the caller sleeps with its thread, nobody else runs there.
    thread.set_sleeps_with(me.owns_its_thread().then_some(me));
    let found = look(thread.core(), me, target);
    thread.set_sleeps_with(None);
    found
}

fn look(core: &Core, me: &'static Task, target: &'static Task) -> Option<Deadlock> {
    let mut way = [None; LENGTH_MAX];
    let length = find(core, me, target, &mut way, 0)?;
    // Once more: what was on then and is on still was on all the time.
    let steps = || way[..length].iter().flatten();
    let still = steps().all(|step| edges(core, me, step.task).any(|(edge, _)| edge == step.edge));
    if !still {
        return None;
    }
    let mut tasks = vec![(TaskRef::keep(me), Blocker::Join)];
    for step in steps() {
        // One that has ended meanwhile was no part of a circle.
        tasks.push((TaskRef::find(step.task)?, step.edge.why));
    }
    let deadlock = Deadlock { tasks };
    tracing::error!(%deadlock, "a join that could never end is refused");
    Some(deadlock)
}

/// Looks for a way from `from` to `me`; its length.
fn find(
    core: &Core,
    me: &'static Task,
    from: &'static Task,
    way: &mut [Option<Step>; LENGTH_MAX],
    depth: usize,
) -> Option<usize> {
    if depth == LENGTH_MAX {
        return None;
    }
    for (edge, next) in edges(core, me, from) {
        way[depth] = Some(Step { task: from, edge });
        if std::ptr::eq(next, me) {
            return Some(depth + 1);
        }
        if let Some(length) = find(core, me, next, way, depth + 1) {
            return Some(length);
        }
    }
    None
}

fn edges(
    core: &Core,
    me: &'static Task,
    task: &'static Task,
) -> impl Iterator<Item = (Edge, &'static Task)> {
    [by_thread(core, me, task), by_join(task)]
        .into_iter()
        .flatten()
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
    same.then_some((Edge::new(next, epoch, Blocker::Join), next))
}

/// Who sleeps with the thread that this task needs.
fn by_thread(core: &Core, me: &'static Task, task: &'static Task) -> Option<(Edge, &'static Task)> {
    if task.kind() != Kind::Started {
        return None;
    }
    let owner = task.waits_for_thread(core)?;
    // The caller's own wait is not on yet.
    let epoch = if std::ptr::eq(owner, me) {
        me.wait.last_epoch()
    } else {
        owner.wait.armed_epoch()?
    };
    Some((Edge::new(owner, epoch, Blocker::Thread), owner))
}
