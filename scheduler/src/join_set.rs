//! A set of tasks whose results are taken in the order in which they end.
//!
//! Each task's closure carries a [`Notice`], which goes with it however it ends: run, panicked, aborted, or dropped without
//! having run. The notice puts the task's number into the queue from which [`JoinSet::join_next`] takes; what is left then is
//! the end of the task itself, which is waited for as by a join.
//!
//! Notice before the wait: the queue is not empty. During: the lock decides. After: the notice claims the armed wait.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, VecDeque};
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
    tasks: BTreeMap<u64, JoinHandle<T>>,
    next_number: u64,
    ended: Arc<Ended>,
}

/// Where the tasks say that they have ended.
struct Ended {
    state: Mutex<State>,
}

struct State {
    numbers: VecDeque<u64>,
    waiters: WaitList,
}

/// See the module docs.
struct Notice {
    ended: Arc<Ended>,
    number: u64,
}

impl Drop for Notice {
    fn drop(&mut self) {
        let mut state = self.ended.state.lock();
        state.numbers.push_back(self.number);
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
            numbers: VecDeque::new(),
            waiters: WaitList::new(),
        };
        JoinSet {
            tasks: BTreeMap::new(),
            next_number: 0,
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
        let body = self.body(closure);
        let number = body.notice.number;
        let spawned = thread.core().spawn_usual(move || body.run());
        self.add(number, join::handle(spawned))
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
        let body = self.body(closure);
        let number = body.notice.number;
        self.add(number, task.spawn(move || body.run()))
    }

    fn body<F>(&mut self, closure: F) -> Body<F> {
        let number = self.next_number;
        self.next_number += 1;
        let ended = Arc::clone(&self.ended);
        Body {
            closure,
            notice: Notice { ended, number },
        }
    }

    fn add(
        &mut self,
        number: u64,
        spawned: Result<JoinHandle<T>, SpawnError>,
    ) -> Result<TaskRef, SpawnError> {
        let handle = spawned?;
        let task = handle.task().clone();
        self.tasks.insert(number, handle);
        Ok(task)
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
        while !self.tasks.is_empty() {
            let number = match self.ended.next(left(until), allow) {
                Ok(number) => number,
                Err(wake) => return Some(Err(wake)),
            };
            // Not there: its spawn failed.
            let Some(handle) = self.tasks.get(&number) else {
                continue;
            };
            let task = handle.task().record();
            let wake = join::wait_for_end(task, left(until), allow);
            if wake != Wake::Signalled {
                self.ended.state.lock().numbers.push_front(number);
                return Some(Err(park::check(wake)));
            }
            let handle = self.tasks.remove(&number).expect("it was there just now");
            return Some(Ok(handle.join()));
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
    /// Waits for the next number.
    fn next(&self, limit: Limit, allow: Interrupt) -> Result<u64, Wake> {
        loop {
            if let Some(number) = self.state.lock().numbers.pop_front() {
                return Ok(number);
            }
            let waited = park::wait(WaitReason::Join, limit, allow, |task, allow| {
                let mut state = self.state.lock();
                if !state.numbers.is_empty() {
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
        self.tasks.len()
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Aborts all tasks of the set, see [`TaskRef::abort`]; they stay in it until they are joined.
    pub fn abort_all(&self) {
        let tasks = || self.tasks.values().map(|handle| handle.task().record());
        tasks().for_each(|task| task.raise(flag::ABORT));
        // One barrier for all of them.
        barrier::heavy();
        tasks().for_each(|task| task.break_wait(flag::ABORT, Interrupt::Unwind, Wake::Aborted));
    }
}

impl<T> Drop for JoinSet<T> {
    fn drop(&mut self) {
        if !self.tasks.is_empty() {
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
