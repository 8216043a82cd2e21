//! Tasks that are kept for the next piece of work: what the thread pool and the completions of transfers run on.
//!
//! Work that comes goes to an idle worker, or to a new one as long as there are fewer than the most, or waits. A worker
//! without work stays for a while; as many as the least stay for good. Each is one task of the runtime from its first piece
//! of work to its end, so the runtime attaches itself to it once.
//!
//! Who is there and who is called is the business of the [`Roll`]; here are the tasks.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(feature = "net"),
    allow(dead_code, reason = "without transfers nothing needs it")
)]

pub(crate) mod roll;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::com::host::IHostTask;
use crate::com::{ComRef, Hresult, Promise, vouch};
use crate::current;
use crate::host::Shared;
use crate::task::{Kind, Task};
use roll::{Refused, Roll};

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
    roll: Roll<J>,
}

impl<J> fmt::Debug for Workers<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").finish_non_exhaustive()
    }
}

impl Refused<Hresult> {
    fn code(self) -> Hresult {
        match self {
            Refused::Closed => Hresult::HOST_E_CLRNOTAVAILABLE,
            Refused::NoMemory => Hresult::E_OUTOFMEMORY,
            Refused::NoWorker(error) => error,
        }
    }
}

impl<J: Job> Workers<J> {
    /// `floor`: there are never fewer than this, once there was one.
    pub(crate) fn new(
        host: Arc<Shared>,
        bounds: (u32, u32),
        floor: u32,
        patience: Duration,
    ) -> Arc<Workers<J>> {
        Arc::new(Workers {
            host,
            patience,
            roll: Roll::new(bounds, floor),
        })
    }

    /// No more work is taken. Returns whether all that was taken was done, and all workers are gone, within the limit.
    pub(crate) fn close(&self, limit: Duration) -> bool {
        self.roll.close(Some(limit))
    }

    /// What nobody has come to, if nobody will any more.
    pub(crate) fn take_left(&self) -> VecDeque<J> {
        self.roll.take_left()
    }

    /// Makes sure that there is somebody for work that will come.
    pub(crate) fn ensure_one(self: &Arc<Self>, promise: Promise) -> Result<(), Hresult> {
        let ensured = self.roll.ensure_one(|| self.start(promise));
        ensured.map_err(Refused::code)
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

    /// Work to be done once. What is refused comes back.
    pub(crate) fn queue(self: &Arc<Self>, job: J) -> Result<(), (Hresult, J)> {
        let promise = job.promise();
        let queued = self.roll.queue(job, || self.start(promise));
        queued.map_err(|(refused, job)| (refused.code(), job))
    }

    pub(crate) fn set_most(self: &Arc<Self>, threads: u32) -> Result<(), Hresult> {
        let set = self
            .roll
            .set_most(threads, J::promise, |promise| self.start(promise));
        set.map_err(|_| Hresult::E_INVALIDARG)
    }

    pub(crate) fn most(&self) -> u32 {
        self.roll.most()
    }

    pub(crate) fn available(&self) -> u32 {
        self.roll.available()
    }

    pub(crate) fn set_least(&self, threads: u32) -> Result<(), Hresult> {
        let set = self.roll.set_least(threads);
        set.map_err(|_| Hresult::E_INVALIDARG)
    }

    pub(crate) fn least_set(&self) -> u32 {
        self.roll.least_set()
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
        self.workers.roll.note_stillborn();
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
    let (roll, patience) = (&workers.roll, workers.patience);
    while let Some(job) = roll.next(patience, |wait| workers.host.switching.around(wait)) {
        job.run();
    }
    current::end(&workers.host);
    roll.note_end();
}
