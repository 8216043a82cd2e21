//! A set of tasks whose results are taken in the order in which they end.
//!
//! Each task's closure carries a [`Notice`], which goes with it however it ends: run, panicked, aborted, or dropped without
//! having run. The notice puts the task's place in the set into the queue from which [`JoinSet::join_next`] takes; what is left
//! then is the end of the task itself, which is waited for as by a join.
//!
//! Room in the set and in the queue is made before a task is spawned, and the spawn fails where memory is refused.
//!
//! Notice before the wait: the queue is not empty. During: the lock decides. After: the notice claims the armed wait.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::builder::TaskBuilder;
use crate::current;
use crate::join::{self, JoinError, JoinHandle, TaskRef};
use crate::park::{self, Elapsed, Limit};
use crate::primitive::{Instant, Mutex, barrier, clock};
use crate::runnable::make_runnable;
use crate::scheduler::{Scheduler, SpawnError};
use crate::sync::wait_list::WaitList;
use crate::task::flag;
use crate::wait::{Interrupt, WaitReason, Wake};

/// Tasks that belong together: their results come in the order in which they end, and dropping the set aborts what is left.
///
/// ```
/// use fiberhost_scheduler::{JoinSet, run};
/// let sum: u64 = run(|| {
///     let mut squares = JoinSet::new();
///     for number in 1..=10_u64 {
///         squares.spawn(move || number * number);
///     }
///     std::iter::from_fn(|| squares.join_next()).map(Result::unwrap).sum()
/// });
/// assert_eq!(sum, 385);
/// ```
pub struct JoinSet<T> {
    places: Vec<Place<T>>,
    /// The first that nobody has.
    unused: Option<usize>,
    len: usize,
    ended: Arc<Ended>,
}

enum Place<T> {
    Task(JoinHandle<T>),
    /// And the next of these.
    Unused(Option<usize>),
}

/// Where the tasks say that they have ended.
struct Ended {
    state: Mutex<State>,
}

struct State {
    /// Of tasks of the set, each once: so they are never more than the set has.
    places: VecDeque<usize>,
    waiters: WaitList,
}

/// See the module docs.
struct Notice {
    ended: Arc<Ended>,
    place: usize,
}

impl Drop for Notice {
    fn drop(&mut self) {
        let mut state = self.ended.state.lock();
        state.places.push_back(self.place);
        let woken = state.waiters.claim_first();
        drop(state);
        if let Some(task) = woken {
            make_runnable(task);
        }
    }
}

/// What a task of the set is made of. If it never runs, the closure goes before the notice.
struct Body<F> {
    closure: F,
    notice: Notice,
}

impl<F> Body<F> {
    fn run<T>(self) -> T
    where
        F: FnOnce() -> T,
    {
        let Body { closure, notice } = self;
        // However the closure ends, all that it owned is gone before the notice goes.
        let result = closure();
        drop(notice);
        result
    }
}

impl<T: Send + 'static> JoinSet<T> {
    /// An empty set.
    pub fn new() -> Self {
        let state = State {
            places: VecDeque::new(),
            waiters: WaitList::new(),
        };
        JoinSet {
            places: Vec::new(),
            unused: None,
            len: 0,
            ended: Arc::new(Ended {
                state: Mutex::new(state),
            }),
        }
    }

    /// Spawns a task of the set on the scheduler of the calling task.
    ///
    /// # Panics
    /// Outside a task, if memory is refused, or if the limit on live tasks is reached.
    pub fn spawn<F>(&mut self, closure: F) -> TaskRef
    where
        F: FnOnce() -> T + Send + 'static,
    {
        let (thread, _) =
            current::within().expect("JoinSet::spawn is for tasks; elsewhere use spawn_on");
        let spawn = |body: Body<F>| join::handle(thread.core().spawn_usual(move || body.run()));
        self.add(closure, spawn)
            .unwrap_or_else(|error| panic!("spawn: {error}"))
    }

    /// Spawns a task of the set on this scheduler.
    ///
    /// # Panics
    /// If memory is refused, or if the limit on live tasks is reached.
    pub fn spawn_on<F>(&mut self, scheduler: &Scheduler, closure: F) -> TaskRef
    where
        F: FnOnce() -> T + Send + 'static,
    {
        self.spawn_with(scheduler.task(), closure)
            .unwrap_or_else(|error| panic!("spawn: {error}"))
    }

    /// Spawns a task of the set with settings of its own.
    ///
    /// # Errors
    /// As for [`TaskBuilder::spawn`]; the closure is dropped, and the set is as before.
    pub fn spawn_with<F>(&mut self, task: TaskBuilder, closure: F) -> Result<TaskRef, SpawnError>
    where
        F: FnOnce() -> T + Send + 'static,
    {
        self.add(closure, |body: Body<F>| task.spawn(move || body.run()))
    }

    fn add<F>(
        &mut self,
        closure: F,
        spawn: impl FnOnce(Body<F>) -> Result<JoinHandle<T>, SpawnError>,
    ) -> Result<TaskRef, SpawnError> {
        let place = self.make_room().ok_or_else(SpawnError::no_memory)?;
        let ended = Arc::clone(&self.ended);
        let notice = Notice { ended, place };
        let handle = spawn(Body { closure, notice }).inspect_err(|_| self.ended.forget(place))?;
        let task = handle.task().clone();
        let used = std::mem::replace(&mut self.places[place], Place::Task(handle));
        let Place::Unused(next) = used else {
            unreachable!("the place was nobody's")
        };
        self.unused = next;
        self.len += 1;
        Ok(task)
    }

    /// The place for one task more, which is still nobody's, and room in the queue for all. `None`: memory was refused.
    fn make_room(&mut self) -> Option<usize> {
        let mut state = self.ended.state.lock();
        let more = (self.len + 1).saturating_sub(state.places.len());
        state.places.try_reserve(more).ok()?;
        drop(state);
        if self.unused.is_none() {
            self.places.try_reserve(1).ok()?;
            self.places.push(Place::Unused(None));
            self.unused = Some(self.places.len() - 1);
        }
        self.unused
    }

    /// The end of a task was seen.
    fn take(&mut self, place: usize) -> JoinHandle<T> {
        let used = std::mem::replace(&mut self.places[place], Place::Unused(self.unused));
        let Place::Task(handle) = used else {
            unreachable!("a task's place is its own until it is joined")
        };
        self.unused = Some(place);
        self.len -= 1;
        handle
    }

    /// Waits for the next task to end and takes its result. `None`: the set is empty.
    ///
    /// # Errors
    /// As for [`JoinHandle::join`]. With [`JoinError::is_interrupted`] the caller's wait was alerted or cancelled,
    /// and all tasks are still in the set.
    pub fn join_next(&mut self) -> Option<Result<T, JoinError>> {
        match self.next(Limit::Never, Interrupt::Alert)? {
            Ok(result) => Some(result),
            Err(wake) => Some(Err(JoinError::interrupted(wake))),
        }
    }

    /// The same with a time limit.
    ///
    /// # Errors
    /// [`Elapsed`] if no task ended in time. Inside, as for [`join_next`](JoinSet::join_next).
    pub fn join_next_for(
        &mut self,
        limit: Duration,
    ) -> Result<Option<Result<T, JoinError>>, Elapsed> {
        match self.next(Limit::After(limit), Interrupt::Alert) {
            None => Ok(None),
            Some(Ok(result)) => Ok(Some(result)),
            Some(Err(Wake::TimedOut)) => Err(Elapsed::new()),
            Some(Err(wake)) => Ok(Some(Err(JoinError::interrupted(wake)))),
        }
    }

    /// Aborts all tasks and waits until they have ended; their results are dropped. The set is empty then.
    ///
    /// The wait is neither alerted nor cancelled. If it is unwound the tasks that are left stay in the set.
    pub fn shutdown(&mut self) {
        self.abort_all();
        while let Some(result) = self.next(Limit::Never, Interrupt::Unwind) {
            drop(result);
        }
    }

    /// The next result, or how the wait for it ended instead. `None`: the set is empty.
    fn next(
        &mut self,
        limit: Limit,
        allow: Interrupt,
    ) -> Option<Result<Result<T, JoinError>, Wake>> {
        let until = match limit {
            Limit::Never => None,
            Limit::After(limit) => clock::now().checked_add(limit),
        };
        while !self.is_empty() {
            let place = match self.ended.next(left(until), allow) {
                Ok(place) => place,
                Err(wake) => return Some(Err(wake)),
            };
            // Not there: a destructor has panicked when its spawn had failed.
            let Place::Task(handle) = &self.places[place] else {
                continue;
            };
            let wake = join::wait_for_end(handle.task().record(), left(until), allow);
            if wake != Wake::Signalled {
                self.ended.state.lock().places.push_front(place);
                return Some(Err(park::check(wake)));
            }
            return Some(Ok(self.take(place).join()));
        }
        None
    }
}

fn left(until: Option<Instant>) -> Limit {
    until.map_or(Limit::Never, |until| {
        Limit::After(until.saturating_duration_since(clock::now()))
    })
}

impl Ended {
    /// The notice was that of a task whose spawn has failed.
    fn forget(&self, place: usize) {
        self.state.lock().places.retain(|&other| other != place);
    }

    /// Waits for the next place.
    fn next(&self, limit: Limit, allow: Interrupt) -> Result<usize, Wake> {
        loop {
            if let Some(place) = self.state.lock().places.pop_front() {
                return Ok(place);
            }
            let waited = park::wait(WaitReason::Join, limit, allow, |task, allow| {
                let mut state = self.state.lock();
                if !state.places.is_empty() {
                    return None;
                }
                // Whichever ends first.
                task.joins_nobody();
                let epoch = task.wait.arm(allow);
                state.waiters.push(&task.node, task, epoch, 0);
                Some(epoch)
            });
            if waited.wake != Wake::Signalled {
                self.state.lock().waiters.remove(&waited.who.node);
                return Err(park::check(waited.wake));
            }
        }
    }
}

impl<T> JoinSet<T> {
    /// How many tasks are in the set: those whose results were not taken.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Aborts all tasks of the set, see [`TaskRef::abort`]; they stay in it until they are joined.
    pub fn abort_all(&self) {
        let tasks = || {
            self.places.iter().filter_map(|place| match place {
                Place::Task(handle) => Some(handle.task().record()),
                Place::Unused(_) => None,
            })
        };
        tasks().for_each(|task| task.raise(flag::ABORT));
        // One barrier for all of them.
        barrier::heavy();
        tasks().for_each(|task| task.break_wait(flag::ABORT, Interrupt::Unwind, Wake::Aborted));
    }
}

impl<T> Drop for JoinSet<T> {
    fn drop(&mut self) {
        if !self.is_empty() {
            self.abort_all();
        }
    }
}

impl<T: Send + 'static> Default for JoinSet<T> {
    fn default() -> Self {
        JoinSet::new()
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinSet")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
