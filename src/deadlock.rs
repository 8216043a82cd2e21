//! Who waits for whom behind the runtime's locks; and the wait that is broken when these close a circle.
//!
//! | wait, without a limit | for whom | known from |
//! |---|---|---|
//! | for a critical section | its owner | the section |
//! | for the end of another task | that task | the call |
//! | for the event of a monitor | the monitor's owner | the runtime: `GetMonitorOwner` |
//! | for an event of a reader-writer lock | each of its owners | the runtime: the iterator over them |
//!
//! Only a task of the runtime's stands here. A wait with a limit ends by itself, and what a plain event or a semaphore waits
//! for is nobody in particular. The scheduler finds circles of its own locks and joins itself; a circle that goes through both
//! kinds is found if those of its waits that are not here are for sections' locks.
//!
//! # The protocol
//!
//! 1. Who begins such a wait *enters* it into the table and, if any wait there may be broken, calls the seeker.
//! 2. The *seeker*, a thread that is no task, goes from each wait that is new to those it waits for, to the waits of those, and
//!    so on, until it comes back or there is no way on. It asks the runtime with no lock held but the wait's own *asked*: the
//!    runtime calls back, and may wait for a collection.
//! 3. It goes round the circle that it has found once more, asks everything once more, and looks under the table's lock
//!    whether all the waits still stand.
//! 4. Of the members that may be broken the least urgent one is the *victim*; of several the one that came last. Under the same
//!    hold of the lock it is marked, and then it is woken.
//! 5. Whoever is woken without what it waited for looks whether it was marked. The one who waits *leaves* the table however
//!    its wait ends, and not while the runtime is asked about its lock, which must stay until the answer is there.
//!
//! *No circle is missed.* The last step that closes one is the beginning of a wait of one of its members: who becomes the owner
//! of something runs. That wait is new, and the seeker begins with it.
//!
//! *No alarm is false.* Who stands in the table does not run, so what it owns it keeps. (The runtime is told that its task is
//! out before the wait stands, and in after it has left: what it does then is no part of the wait.) A wait that stood before it was asked
//! who owns something, and that stands at the end, stood all the time; so in step 3 all edges exist at one moment. A member whose
//! wait was just ended by a signal stands until it runs; it then has what the signal brought, and the mark goes with the wait.
//!
//! *One victim.* A wait that was marked leads nowhere from then on, so no other member of its circle is marked for it.
//!
//! In a simulation there is no seeker: who begins the wait looks before it waits.
//!
//! The seeker sleeps while nobody calls it, and rests for a moment after each look, in which calls only add up.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use fiberhost_scheduler::TaskRef;
use fiberhost_scheduler::sync::RawMutex;
use parking_lot::{Condvar, Mutex};

use crate::com::ComRef;
use crate::com::clr::ICLRSyncManager;
use crate::com::host::IHostTask;
use crate::current::Current;
use crate::host::Shared;
use crate::task::Task;

/// How long the seeker rests between two looks.
const REST: Duration = Duration::from_millis(5);
/// How many waits a look goes through at most.
const LOOK_MAX: usize = 1024;
/// How many owners of one lock are asked for at most.
const OWNERS_MAX: usize = 4096;

/// Something that has one owner, by the number that the scheduler gives tasks.
pub(crate) trait Owned: Send + Sync {
    fn owner(&self) -> Option<u64>;
}

/// What is waited for.
#[derive(Clone)]
pub(crate) enum Edge {
    Section(Arc<dyn Owned>),
    /// The end of the task of this number.
    End(u64),
    /// The monitor of this cookie.
    Monitor(usize),
    /// The reader-writer lock of this cookie.
    Owners(usize),
}

impl Edge {
    fn cookie(&self) -> Option<usize> {
        match self {
            Edge::Monitor(cookie) | Edge::Owners(cookie) => Some(*cookie),
            Edge::Section(_) | Edge::End(_) => None,
        }
    }
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Edge::Section(_) => f.write_str("waits for a section of"),
            Edge::End(_) => f.write_str("joins"),
            Edge::Monitor(cookie) => write!(f, "waits for monitor {cookie:#x} of"),
            Edge::Owners(cookie) => write!(f, "waits for reader-writer lock {cookie:#x} of"),
        }
    }
}

/// The wait was broken: what was waited for would never have come.
#[derive(Debug)]
pub(crate) struct Broken;

/// A wait in the table.
struct Standing {
    /// No other wait has it or had it.
    number: u64,
    task: Arc<Task>,
    /// The scheduler's number of the task, and the address of its object.
    id: u64,
    object: usize,
    edge: Edge,
    breakable: bool,
    /// The task, or the thread that it blocks.
    wakes: TaskRef,
    marked: AtomicBool,
    /// Held while the runtime is asked about the lock.
    asked: RawMutex,
}

/// See the module docs. One for each host.
pub(crate) struct Deadlocks {
    state: Mutex<State>,
    called: Condvar,
    broken: AtomicU64,
}

#[derive(Default)]
struct State {
    numbers: u64,
    /// By the task's number.
    standing: BTreeMap<u64, Arc<Standing>>,
    /// From the address of a task's object to the task's number.
    objects: BTreeMap<usize, u64>,
    breakable: usize,
    /// What the seeker has not looked at.
    fresh: Vec<Arc<Standing>>,
    seeker: Option<thread::JoinHandle<()>>,
    /// It looks, and may be in the runtime.
    looks: bool,
    closed: bool,
}

impl State {
    fn by_object(&self, object: usize) -> Option<&Arc<Standing>> {
        self.standing.get(self.objects.get(&object)?)
    }

    fn stands(&self, wait: &Standing) -> bool {
        let stands = self.standing.get(&wait.id);
        stands.is_some_and(|one| one.number == wait.number) && !wait.is_marked()
    }
}

impl Default for Deadlocks {
    fn default() -> Deadlocks {
        Deadlocks {
            state: Mutex::default(),
            called: Condvar::new(),
            broken: AtomicU64::new(0),
        }
    }
}

/// The caller's wait stands in the table until this is dropped.
pub(crate) struct Entered<'a> {
    deadlocks: &'a Deadlocks,
    wait: Arc<Standing>,
}

impl Entered<'_> {
    pub(crate) fn is_broken(&self) -> bool {
        self.wait.is_marked()
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let wait = &self.wait;
        let mut state = self.deadlocks.state.lock();
        if wait.breakable {
            state.breakable -= 1;
        }
        state.objects.remove(&wait.object);
        let left = state.standing.remove(&wait.id);
        drop(state);
        drop(left);
        if wait.edge.cookie().is_some() {
            // The task gives its thread away, if it has to wait: the runtime may need it for the answer.
            wait.asked.lock_through();
            let unlocked = wait.asked.unlock();
            debug_assert!(unlocked.is_ok(), "it was locked just now");
        }
    }
}

impl Standing {
    fn is_marked(&self) -> bool {
        // Acquire: pairs with the release of the one who marked it.
        self.marked.load(Ordering::Acquire)
    }

    /// Who breaks sooner: the least urgent, of several the last one.
    fn order(&self) -> (i32, std::cmp::Reverse<u64>) {
        (self.task.priority_number(), std::cmp::Reverse(self.number))
    }
}

impl Deadlocks {
    /// How many waits were broken.
    pub(crate) fn broken(&self) -> u64 {
        self.broken.load(Ordering::Relaxed)
    }

    /// Step 1. `None`: a task that is not known to the scheduler yet, or not any more, stands nowhere.
    pub(crate) fn enter<'a>(
        &'a self,
        caller: &Current,
        wakes: TaskRef,
        edge: Edge,
        breakable: bool,
    ) -> Option<Entered<'a>> {
        let task = Arc::clone(caller.record());
        let id = task.scheduler_task()?.id();
        let object = caller.object()?.as_ptr().addr();
        let mut state = self.state.lock();
        state.numbers += 1;
        let wait = Arc::new(Standing {
            number: state.numbers,
            task,
            id,
            object,
            edge,
            breakable,
            wakes,
            marked: AtomicBool::new(false),
            asked: RawMutex::new(),
        });
        state.breakable += usize::from(breakable);
        state.objects.insert(object, id);
        let before = state.standing.insert(id, Arc::clone(&wait));
        debug_assert!(before.is_none(), "a task waits once at a time");
        if wait.task.host.is_simulated {
            let looks = state.breakable > 0 && !state.closed;
            drop(state);
            if looks {
                // No thread of the system's may do it, and in a simulation nobody else runs meanwhile.
                self.resolve(&wait, wait.task.host.clr_sync_manager().as_ref());
            }
        } else if state.breakable > 0 && !state.closed {
            state.fresh.push(Arc::clone(&wait));
            if state.seeker.is_none() {
                state.seeker = start(Arc::clone(&wait.task.host));
            }
            if state.seeker.is_none() {
                // Nobody looks: until there is a thread again no wait is broken.
                state.fresh.clear();
            }
            drop(state);
            self.called.notify_one();
        }
        Some(Entered {
            deadlocks: self,
            wait,
        })
    }

    /// Nothing is looked for any more. A seeker that is in the runtime ends when it comes back.
    pub(crate) fn close(&self) {
        let (seeker, looks) = {
            let mut state = self.state.lock();
            state.closed = true;
            (state.seeker.take(), state.looks)
        };
        self.called.notify_all();
        if let Some(seeker) = seeker
            && !looks
        {
            // It does not panic; if it has, there is nobody to tell.
            let _ = seeker.join();
        }
    }

    /// The thread.
    fn seek(&self, host: &Shared) {
        let mut state = self.state.lock();
        loop {
            while state.fresh.is_empty() && !state.closed {
                self.called.wait(&mut state);
            }
            if state.closed {
                let fresh = std::mem::take(&mut state.fresh);
                drop(state);
                return drop(fresh);
            }
            let fresh = std::mem::take(&mut state.fresh);
            state.looks = true;
            drop(state);
            let runtime = host.clr_sync_manager();
            for wait in &fresh {
                self.resolve(wait, runtime.as_ref());
            }
            drop((runtime, fresh));
            state = self.state.lock();
            state.looks = false;
            if !state.closed {
                self.rest(&mut state);
            }
        }
    }

    /// Calls do not end it, the end of the host does.
    fn rest(&self, state: &mut parking_lot::MutexGuard<'_, State>) {
        let until = std::time::Instant::now() + REST;
        while !state.closed && !self.called.wait_until(state, until).timed_out() {}
    }

    /// As long as the wait closes a circle, one of its waits is broken.
    fn resolve(&self, wait: &Arc<Standing>, runtime: Option<&ICLRSyncManager>) {
        let mut look = Look {
            deadlocks: self,
            runtime,
            way: Vec::new(),
            seen: Vec::new(),
        };
        while look.find(wait) && look.is_still_so() {
            let Some(victim) = self.mark(&look.way) else {
                return;
            };
            // Relaxed: a figure.
            self.broken.fetch_add(1, Ordering::Relaxed);
            victim.wakes.alert();
            tracing::warn!(
                circle = %Circle(&look.way),
                victim = victim.id,
                "tasks of the runtime wait for each other: a wait is broken"
            );
            if victim.number == wait.number {
                return;
            }
        }
    }

    /// Step 4. `None`: it is no circle any more, or one that nobody may break.
    fn mark(&self, circle: &[Arc<Standing>]) -> Option<Arc<Standing>> {
        let state = self.state.lock();
        if !circle.iter().all(|wait| state.stands(wait)) {
            return None;
        }
        let breakable = circle.iter().filter(|wait| wait.breakable);
        let Some(victim) = breakable.min_by_key(|wait| wait.order()) else {
            drop(state);
            tracing::error!(
                circle = %Circle(circle),
                "tasks of the runtime wait for each other, and none of these waits may be broken"
            );
            return None;
        };
        // Release: pairs with the acquire of the one who waits.
        victim.marked.store(true, Ordering::Release);
        Some(Arc::clone(victim))
    }
}

fn start(host: Arc<Shared>) -> Option<thread::JoinHandle<()>> {
    let thread = thread::Builder::new().name("fiberhost-seeker".to_owned());
    let started = thread.spawn(move || host.deadlocks.seek(&host));
    started
        .inspect_err(|error| tracing::error!(%error, "no thread to look for deadlocks"))
        .ok()
}

/// One look for a way back to a wait.
struct Look<'a> {
    deadlocks: &'a Deadlocks,
    runtime: Option<&'a ICLRSyncManager>,
    /// From the wait that is looked at to one that waits for it.
    way: Vec<Arc<Standing>>,
    seen: Vec<u64>,
}

/// Whom somebody waits for.
enum Who {
    Number(u64),
    Task(ComRef<dyn IHostTask>),
}

impl Look<'_> {
    /// Step 2.
    fn find(&mut self, from: &Arc<Standing>) -> bool {
        self.way.clear();
        self.seen.clear();
        if !self.deadlocks.state.lock().stands(from) {
            return false;
        }
        self.go(from, from.id)
    }

    /// A way from here to the wait of that task, which is left in `way`.
    fn go(&mut self, from: &Arc<Standing>, back: u64) -> bool {
        self.way.push(Arc::clone(from));
        self.seen.push(from.id);
        for next in self.next(from) {
            let found = next.id == back
                || (!self.seen.contains(&next.id)
                    && self.seen.len() < LOOK_MAX
                    && self.go(&next, back));
            if found {
                return true;
            }
        }
        self.way.pop();
        false
    }

    /// The waits of those whom this one waits for.
    fn next(&self, wait: &Arc<Standing>) -> Vec<Arc<Standing>> {
        let who = self.owners(wait);
        let state = self.deadlocks.state.lock();
        let standing = |who: &Who| match who {
            Who::Number(id) => state.standing.get(id),
            Who::Task(task) => state.by_object(task.as_ptr().addr()),
        };
        let stand = who.iter().filter_map(standing).filter(|next| {
            // One that owns what it waits for has just been given it.
            next.id != wait.id && !next.is_marked()
        });
        let next = stand.cloned().collect();
        drop(state);
        // The tasks are released without the lock: the last reference takes what it likes with it.
        drop(who);
        next
    }

    fn owners(&self, wait: &Arc<Standing>) -> Vec<Who> {
        match &wait.edge {
            Edge::Section(section) => section.owner().map(Who::Number).into_iter().collect(),
            Edge::End(task) => vec![Who::Number(*task)],
            Edge::Monitor(cookie) => {
                let ask = |runtime: &ICLRSyncManager| runtime.monitor_owner(*cookie).ok().flatten();
                self.ask(wait, |runtime| ask(runtime).into_iter().collect())
            }
            Edge::Owners(cookie) => self.ask(wait, |runtime| owners_of(runtime, *cookie)),
        }
    }

    /// Asks the runtime, which has the lock of this wait as long as that stands.
    fn ask(
        &self,
        wait: &Standing,
        ask: impl FnOnce(&ICLRSyncManager) -> Vec<ComRef<dyn IHostTask>>,
    ) -> Vec<Who> {
        let Some(runtime) = self.runtime else {
            return Vec::new();
        };
        wait.asked.lock_through();
        // Either this is seen, or the one who leaves waits.
        let stands = self.deadlocks.state.lock().stands(wait);
        let owners = if stands { ask(runtime) } else { Vec::new() };
        let unlocked = wait.asked.unlock();
        debug_assert!(unlocked.is_ok(), "it was locked above");
        owners.into_iter().map(Who::Task).collect()
    }

    /// Step 3, but for the last look.
    fn is_still_so(&self) -> bool {
        let (first, rest) = self.way.split_first().expect("a circle has a wait");
        let follow = rest.iter().chain([first]);
        self.way.iter().zip(follow).all(|(wait, after)| {
            let mut next = self.next(wait).into_iter();
            next.any(|next| next.number == after.number)
        })
    }
}

/// All owners of a reader-writer lock; the iterator is given back whatever it answers.
fn owners_of(runtime: &ICLRSyncManager, cookie: usize) -> Vec<ComRef<dyn IHostTask>> {
    let Ok(iterator) = runtime.create_rwlock_owner_iterator(cookie) else {
        return Vec::new();
    };
    let next = || runtime.rwlock_owner_next(iterator).ok().flatten();
    let owners = std::iter::from_fn(next).take(OWNERS_MAX).collect();
    // There is nothing to be done about one that it keeps.
    let _ = runtime.delete_rwlock_owner_iterator(iterator);
    owners
}

/// For reports.
struct Circle<'a>(&'a [Arc<Standing>]);

impl fmt::Display for Circle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for wait in self.0 {
            write!(f, "task {} {} ", wait.id, wait.edge)?;
        }
        f.write_str("the first")
    }
}

impl fmt::Debug for Deadlocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deadlocks")
            .field("broken", &self.broken())
            .finish_non_exhaustive()
    }
}
