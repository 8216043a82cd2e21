//! Tasks that are kept for the next piece of work: what the thread pool and the completions of transfers run on.
//!
//! Work that comes goes to an idle worker, or to a new one as long as there are fewer than the most, or waits. A worker
//! without work stays for a while; as many as the least stay for good. Each is one task of the runtime from its first piece
//! of work to its end, so the runtime attaches itself to it once.
//!
//! Who waits is counted under the lock: every idle worker either is still counted as *idle*, or somebody has taken it off
//! that number and given a permit for it. So a worker whose wait has ended otherwise knows whether a permit is for it.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(feature = "net"),
    allow(dead_code, reason = "without transfers nothing needs it")
)]

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fiberhost_scheduler::sync::{ManualResetEvent, Semaphore};
use fiberhost_scheduler::{Heed, Wake};
use parking_lot::{Mutex, MutexGuard};

use crate::com::host::IHostTask;
use crate::com::{ComRef, Hresult, Promise, vouch};
use crate::current;
use crate::host::Shared;
use crate::task::{Kind, Task};

/// A piece of work.
pub(crate) trait Job: Send + 'static {
    /// That it may run anywhere.
    fn promise(&self) -> Promise;

    /// Runs it, on a task at its base.
    fn run(self);
}

/// The workers of one kind of work, and what waits for them.
pub(crate) struct Workers<J> {
    host: Arc<Shared>,
    /// How long a worker beyond the least waits for work before it ends.
    patience: Duration,
    /// There are never fewer than this, once there was one: whoever has started one knows that work will be done.
    floor: u32,
    state: Mutex<State<J>>,
    /// One for each idle worker that is to look again.
    calls: Semaphore,
    /// Set when the last worker has gone from closed ones.
    gone: ManualResetEvent,
}

struct State<J> {
    /// Each with a number, by which whoever queued it finds it again.
    queue: VecDeque<(u64, J)>,
    next: u64,
    /// Workers that will look at the queue again, and those whose tasks have not ended yet.
    workers: u32,
    present: u32,
    /// Those of them that do not run yet, and may never.
    starting: u32,
    idle: u32,
    most: u32,
    least: u32,
    closed: bool,
}

impl<J> fmt::Debug for Workers<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").finish_non_exhaustive()
    }
}

impl<J: Job> Workers<J> {
    pub(crate) fn new(
        host: Arc<Shared>,
        (least, most): (u32, u32),
        floor: u32,
        patience: Duration,
    ) -> Arc<Workers<J>> {
        Arc::new(Workers {
            host,
            patience,
            floor,
            state: Mutex::new(State {
                queue: VecDeque::new(),
                next: 0,
                workers: 0,
                present: 0,
                starting: 0,
                idle: 0,
                most,
                least,
                closed: false,
            }),
            calls: Semaphore::new(0),
            gone: ManualResetEvent::new(false),
        })
    }

    /// No more work is taken. Returns whether all that was taken was done, and all workers are gone, within the limit.
    pub(crate) fn close(&self, limit: Duration) -> bool {
        let mut state = self.state.lock();
        state.closed = true;
        let idle = std::mem::take(&mut state.idle);
        if state.present == 0 {
            self.gone.set();
        }
        drop(state);
        if idle > 0 {
            self.calls.add(idle as usize);
        }
        self.gone.wait_heeding(Some(limit), Heed::Nothing) == Wake::Signalled
    }

    /// What nobody has come to, if nobody will any more.
    pub(crate) fn take_left(&self) -> VecDeque<J> {
        let mut state = self.state.lock();
        if state.workers > 0 {
            return VecDeque::new();
        }
        let left = std::mem::take(&mut state.queue);
        left.into_iter().map(|(_, job)| job).collect()
    }

    /// Makes sure that there is somebody for work that will come.
    pub(crate) fn ensure_one(self: &Arc<Self>, promise: Promise) -> Result<(), Hresult> {
        let state = self.state.lock();
        if state.closed {
            return Err(Hresult::HOST_E_CLRNOTAVAILABLE);
        }
        if state.workers > 0 {
            return Ok(());
        }
        self.add_worker(state, promise).1
    }

    /// One more worker. The lock is not held while it is made.
    fn add_worker<'a>(
        self: &'a Arc<Self>,
        mut state: MutexGuard<'a, State<J>>,
        promise: Promise,
    ) -> (MutexGuard<'a, State<J>>, Result<(), Hresult>) {
        state.workers += 1;
        state.present += 1;
        state.starting += 1;
        drop(state);
        let started = self.start(promise);
        let mut state = self.state.lock();
        // One that will not run has been taken off the other numbers already.
        state.starting -= 1;
        (state, started)
    }

    fn gone_one(&self, state: &mut State<J>) {
        state.present -= 1;
        if state.closed && state.present == 0 {
            self.gone.set();
        }
    }

    fn start(self: &Arc<Self>, promise: Promise) -> Result<(), Hresult> {
        let host = &self.host;
        let backing = host.switching.backing();
        let has_thread = backing == fiberhost_scheduler::Backing::Thread;
        let (stack_size, reserve) = host.stack(0);
        let (task, object) = Task::new(host, Kind::Worker, reserve, has_thread);
        let builder = host
            .scheduler
            .task()
            .backing(backing)
            .stack_size(stack_size);
        let beginning = Beginning {
            workers: Arc::clone(self),
            task: Arc::clone(&task),
            object: Some(object),
        };
        let spawned = vouch::spawn(builder, promise, beginning, run)?;
        task.runs_as(spawned);
        Ok(())
    }

    /// How many stay without work.
    fn least(&self, state: &State<J>) -> u32 {
        state.least.max(self.floor)
    }

    /// What a worker does next; `None`: it ends.
    fn next(&self) -> Option<J> {
        loop {
            let mut state = self.state.lock();
            if state.workers > state.most {
                state.workers -= 1;
                return None;
            }
            if let Some((_, job)) = state.queue.pop_front() {
                return Some(job);
            }
            if state.closed {
                state.workers -= 1;
                return None;
            }
            state.idle += 1;
            let limit = (state.workers > self.least(&state)).then_some(self.patience);
            drop(state);
            let wait = || self.calls.wait_heeding(limit, Heed::Cancel);
            let wake = self.host.switching.around(wait);
            if wake != Wake::Signalled && !self.stays(wake) {
                return None;
            }
        }
    }

    /// A worker's wait has ended without a permit.
    fn stays(&self, wake: Wake) -> bool {
        let mut state = self.state.lock();
        if state.idle == 0 {
            // All who were idle were called, this one too: the permit is there or about to be.
            drop(state);
            let called = self.calls.wait_heeding(None, Heed::Nothing);
            debug_assert!(called == Wake::Signalled, "nothing else ends it");
            return true;
        }
        state.idle -= 1;
        let stays = wake == Wake::TimedOut && state.workers <= self.least(&state);
        if !stays {
            state.workers -= 1;
        }
        stays
    }

    /// Work to be done once. What is refused comes back.
    pub(crate) fn queue(self: &Arc<Self>, job: J) -> Result<(), (Hresult, J)> {
        let promise = job.promise();
        let mut state = self.state.lock();
        if state.closed {
            return Err((Hresult::HOST_E_CLRNOTAVAILABLE, job));
        }
        if state.queue.try_reserve(1).is_err() {
            return Err((Hresult::E_OUTOFMEMORY, job));
        }
        let number = state.next;
        state.next += 1;
        state.queue.push_back((number, job));
        if state.idle > 0 {
            state.idle -= 1;
            drop(state);
            self.calls.add(1);
            return Ok(());
        }
        if state.workers >= state.most {
            return Ok(());
        }
        let (mut state, started) = self.add_worker(state, promise);
        // Somebody who runs will come to it; one who only starts may never run.
        let Err(error) = started else { return Ok(()) };
        if state.workers > state.starting {
            return Ok(());
        }
        // Otherwise it was not taken, unless somebody has been there meanwhile.
        let at = state.queue.iter().position(|(other, _)| *other == number);
        match at.and_then(|at| state.queue.remove(at)) {
            Some((_, job)) => Err((error, job)),
            None => Ok(()),
        }
    }

    pub(crate) fn set_most(self: &Arc<Self>, threads: u32) -> Result<(), Hresult> {
        let mut state = self.state.lock();
        if threads == 0 || threads < state.least {
            return Err(Hresult::E_INVALIDARG);
        }
        state.most = threads;
        // What waits although somebody new may take it now.
        let waiting = u32::try_from(state.queue.len()).unwrap_or(u32::MAX);
        let wanted = waiting.saturating_sub(state.idle);
        for _ in 0..wanted.min(threads.saturating_sub(state.workers)) {
            let Some(promise) = state.queue.front().map(|(_, job)| job.promise()) else {
                break;
            };
            let started;
            (state, started) = self.add_worker(state, promise);
            if started.is_err() {
                // The others will come to it: something was queued, so there are some.
                break;
            }
        }
        Ok(())
    }

    pub(crate) fn most(&self) -> u32 {
        self.state.lock().most
    }

    pub(crate) fn available(&self) -> u32 {
        let state = self.state.lock();
        let busy = state.workers - state.idle;
        state.most.saturating_sub(busy)
    }

    pub(crate) fn set_least(&self, threads: u32) -> Result<(), Hresult> {
        let mut state = self.state.lock();
        if threads > state.most {
            return Err(Hresult::E_INVALIDARG);
        }
        state.least = threads;
        Ok(())
    }

    pub(crate) fn least_set(&self) -> u32 {
        self.state.lock().least
    }
}

/// What a worker begins with.
struct Beginning<J: Job> {
    workers: Arc<Workers<J>>,
    task: Arc<Task>,
    object: Option<ComRef<dyn IHostTask>>,
}

impl<J: Job> Drop for Beginning<J> {
    fn drop(&mut self) {
        if self.object.take().is_none() {
            return;
        }
        // The scheduler has ended, or the system refused the stack: it never runs.
        self.task.finish();
        let mut state = self.workers.state.lock();
        state.workers -= 1;
        self.workers.gone_one(&mut state);
    }
}

/// A worker from its first instruction to its last.
fn run<J: Job>(mut beginning: Beginning<J>) {
    let workers = Arc::clone(&beginning.workers);
    let Some(object) = beginning.object.take() else {
        return;
    };
    // The answer is only of use to those who are not called from here.
    drop(current::become_current(Arc::clone(&beginning.task), object));
    while let Some(job) = workers.next() {
        job.run();
    }
    current::end(&workers.host);
    let mut state = workers.state.lock();
    workers.gone_one(&mut state);
}
