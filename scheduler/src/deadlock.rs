//! Who waits for whom: a circle of waits that could never end is found when the last of them begins, and told; and one of
//! them is broken, if one can be.
//!
//! Edges, as far as the scheduler knows them:
//!
//! - *join*: a task that waits without a limit for another one's end waits for that one;
//! - *thread*: a task that has started on a thread waits for the task that sleeps with that thread (`pinned.rs`), or blocks it
//!   in a native section with one of these waits, whatever else it waits for, since nobody else runs there;
//! - *lock*: a task that waits without a limit for a mutex, a read-write lock or a once waits for those that have it.
//!
//! A wait for an end or a lock looks for a way back to the caller when it begins, under the lock of the table in which such
//! waits stand (`sync/lock_waits.rs`): two that close a circle at the same moment cannot both miss it. Joins of a task that has
//! not started stand there only as notes, and only when that task waits itself (`sync/lock_waits/notes.rs`); otherwise they
//! are followed where they are met. Like the edges by threads they were seen with their epochs, and the whole way is looked at
//! once more, so that all its edges existed at one moment. So there is no false alarm.
//!
//! A lock names its owner by its number, if at all. So a way goes on behind a lock if its owner stands in the table, or is kept
//! from its thread by one who stands there: that one has said whom it keeps when it entered, unless there are so many tasks
//! that it did not look (`lock_waits::RECORDS_MAX`).
//!
//! A layer above the scheduler says for whom its own waits wait, at once or when it is asked (`sync/lock_waits/outer.rs`); with
//! those it is one graph.
//!
//! What an event, a semaphore or a channel waits for is nobody in particular, so it has no edge.
#![forbid(unsafe_code)]

use std::fmt;
use std::ptr;
use std::sync::Arc;

use crate::join::TaskRef;
use crate::scheduler::Core;
use crate::sync::lock_waits::{Look, Table};
use crate::task::payload::contain;
use crate::task::state::Epoch;
use crate::task::{Kind, Task};
use crate::thread::Thread;

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
    /// It waits for a read-write lock that the next one has, to read or to write.
    RwLock,
    /// It waits to read, and the next one waits to write and is first.
    Turn,
    /// It waits for a [`Once`](crate::sync::Once) that the next one runs.
    Once,
    /// It waits for something of a layer above that the next one has; the text is that layer's.
    Outer(&'static str),
}

impl Blocker {
    /// Why a task waits, to be followed by the next one.
    fn text(self) -> &'static str {
        match self {
            Blocker::Join => "joins",
            Blocker::Thread => "needs the thread of",
            Blocker::Lock => "waits for a mutex of",
            Blocker::RwLock => "waits for a read-write lock of",
            Blocker::Turn => "waits to read behind",
            Blocker::Once => "waits for the initialiser that is run by",
            Blocker::Outer(text) => text,
        }
    }
}

/// Tasks that wait for each other in a circle.
#[derive(Clone)]
pub struct Deadlock {
    tasks: Vec<(TaskRef, Blocker)>,
    victim: Option<usize>,
}

impl Deadlock {
    pub(crate) fn new(tasks: Vec<(TaskRef, Blocker)>) -> Deadlock {
        Deadlock {
            tasks,
            victim: None,
        }
    }

    /// A task that waits for what it has itself, which is refused.
    pub(crate) fn with_itself(task: &'static Task, why: Blocker) -> Deadlock {
        Deadlock {
            tasks: vec![(TaskRef::keep(task), why)],
            victim: Some(0),
        }
    }

    /// Whose wait is broken: the place among the tasks.
    pub(crate) fn set_victim(&mut self, place: usize) {
        self.victim = Some(place);
    }

    /// Whether that is the one whose wait closes the circle.
    pub(crate) fn is_first_victim(&self) -> bool {
        self.victim == Some(0)
    }

    /// The numbers of its tasks, in order.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.tasks.iter().map(|(task, _)| task.id()).collect()
    }

    /// The tasks of the circle, beginning with the one whose wait closes it, each with why it waits for the next.
    pub fn tasks(&self) -> &[(TaskRef, Blocker)] {
        &self.tasks
    }

    /// The task whose wait is broken, so that the others can go on: of those whose waits can tell their callers about it (joins,
    /// and locks taken with the functions that say so), the one of the lowest [priority](TaskRef::priority), and
    /// between equals the one whose wait closes the circle, if it is among them. `None`: no wait of the circle can be broken,
    /// and its tasks wait until one of them is aborted.
    pub fn victim(&self) -> Option<&TaskRef> {
        self.victim.map(|place| &self.tasks[place].0)
    }
}

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (task, blocker) in &self.tasks {
            let name = task.name().unwrap_or_else(|| "unnamed".into());
            write!(f, "task {} ({name}) {} ", task.id(), blocker.text())?;
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

/// Who is told of circles.
#[derive(Clone)]
pub(crate) struct OnDeadlock(pub(crate) Arc<dyn Fn(&Deadlock) + Send + Sync>);

impl fmt::Debug for OnDeadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnDeadlock(..)")
    }
}

/// Tells whoever wants to know, on the stack of the one that found it. `core`: the scheduler of one of them.
#[cold]
pub(crate) fn tell(deadlock: &Deadlock, core: Option<&Core>) {
    match deadlock.victim() {
        Some(victim) => {
            let victim = victim.id();
            tracing::error!(%deadlock, victim, "tasks wait for each other, and one wait is broken");
        }
        None => tracing::error!(%deadlock, "tasks wait for each other and cannot go on"),
    }
    if let Some(core) = core {
        core.reports.deadlock(core, deadlock);
    }
    if let Some(OnDeadlock(tell)) = core.and_then(Core::on_deadlock) {
        contain(|| tell(deadlock));
    }
}

/// How many tasks are looked at, beyond those whose waits stand in the table and lead nowhere else.
const LOOKS_MAX: usize = 256;

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

/// A look for a way back to the one whose wait begins.
pub(crate) struct Search<'a> {
    /// None on an inquirer's thread.
    core: Option<&'a Core>,
    me: &'static Task,
    /// None in a model.
    table: Option<(&'a Table, &'a Look)>,
    /// Where it was.
    seen: Vec<&'static Task>,
    way: Vec<Step>,
}

/// Whether the wait of this task for these would close a circle. `thread`: its own, if it is the caller; else somebody looks
/// for it later, while it stands in the table, and goes only where those lead who stand there.
#[cold]
pub(crate) fn closed(
    thread: Option<&'static Thread>,
    me: &'static Task,
    table: Option<(&Table, &Look)>,
    firsts: &[(&'static Task, Blocker)],
) -> Option<Deadlock> {
    // While the caller sleeps with its thread, nobody else runs there. In the table it says so itself.
    let says = thread.filter(|_| table.is_none());
    if let Some(thread) = says {
        thread.set_sleeps_with(me.owns_its_thread().then_some(me));
    }
    let mut search = Search {
        core: thread.map(Thread::core),
        me,
        table,
        seen: Vec::new(),
        way: Vec::new(),
    };
    let found = firsts.iter().find_map(|&(first, why)| {
        let found = search.find(first) && search.is_still_so();
        found.then_some(why)
    });
    if let Some(thread) = says {
        thread.set_sleeps_with(None);
    }
    search.deadlock(found?)
}

/// A step that the search has still to try, and how long the way is before it.
struct Open {
    length: usize,
    step: Step,
    next: &'static Task,
}

impl Search<'_> {
    /// Looks for a way from `first`, which has not ended, to the caller, and leaves it in `way`.
    fn find(&mut self, first: &'static Task) -> bool {
        let mut open = Vec::new();
        self.look(first, Some(first.id.get()), 0, &mut open);
        while let Some(Open { length, step, next }) = open.pop() {
            self.way.truncate(length);
            self.way.push(step);
            if ptr::eq(next, self.me) {
                return true;
            }
            // Who stands in the table waits for one that is there.
            let number = step.edge.epoch.is_none().then(|| next.id.get());
            self.look(next, number, length + 1, &mut open);
        }
        false
    }

    /// Comes to a task. Its number is known if it cannot have ended.
    fn look(&mut self, task: &'static Task, id: Option<u64>, length: usize, open: &mut Vec<Open>) {
        let was_here = self.seen.iter().any(|seen| ptr::eq(*seen, task));
        if was_here || self.seen.len() == LOOKS_MAX {
            return;
        }
        self.seen.push(task);
        open.extend(self.edges(task, id).map(|(edge, next)| Open {
            length,
            step: Step { task, id, edge },
            next,
        }));
    }

    /// Once more: what was on then and is on still was on all the time.
    fn is_still_so(&self) -> bool {
        self.way.iter().all(|step| {
            let mut edges = self.edges(step.task, step.id);
            edges.any(|(edge, _)| edge == step.edge)
        })
    }

    fn deadlock(&self, why: Blocker) -> Option<Deadlock> {
        let mut tasks = vec![(TaskRef::keep(self.me), why)];
        for step in &self.way {
            // One that has ended meanwhile was no part of a circle.
            tasks.push((TaskRef::find(step.task)?, step.edge.why));
        }
        Some(Deadlock::new(tasks))
    }

    fn edges(
        &self,
        task: &'static Task,
        id: Option<u64>,
    ) -> impl Iterator<Item = (Edge, &'static Task)> + use<> {
        let stands = self
            .table
            .and_then(|(table, look)| table.next(task, id, look));
        // One that stands in the table waits for what stands there; one whose wait is being broken for nobody.
        let join = stands.is_none() && self.core.is_some();
        let join = join.then(|| by_join(task)).flatten();
        let kept = self
            .table
            .and_then(|(table, look)| by_thread_of(table, look, task));
        let thread = kept.or_else(|| by_thread(self.core?, self.me, task));
        let other = [thread, join];
        let stands = stands.into_iter().flatten();
        let stands = stands.map(|(next, why)| (Edge::new(next, None, why), next));
        other.into_iter().flatten().chain(stands)
    }
}

/// Whose end this task waits for.
fn by_join(task: &'static Task) -> Option<(Edge, &'static Task)> {
    let (next, epoch) = task.joins_now()?;
    Some((Edge::new(next, Some(epoch), Blocker::Join), next))
}

/// Who sleeps with the thread that this task needs, without standing in the table.
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

/// Who keeps it from that thread, of those who stand in the table and came before.
fn by_thread_of(table: &Table, look: &Look, task: &Task) -> Option<(Edge, &'static Task)> {
    if task.kind() != Kind::Started {
        return None;
    }
    let owner = table.next_by_thread(task, look)?;
    Some((Edge::new(owner, None, Blocker::Thread), owner))
}
