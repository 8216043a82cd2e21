//! The end of a scheduler.
//!
//! 1. *closing*: from now on a spawn drops its closure on the caller and answers with a cancelled task.
//!    A spawn counts its task before it looks for *closing*, and the shutdown sets *closing* before it reads the counts,
//!    with the barrier pair in between: so no task slips through uncounted.
//! 2. Every live task is aborted: a parked one wakes aborted on its own thread, a running one unwinds at its next wait.
//!    Tasks that have not started are taken out of the queues; their closures are dropped by the caller of the shutdown.
//! 3. The caller waits until no task is left, or until the time limit.
//! 4. *stopping*: when no task is left the workers end; the caller joins their threads.
//!
//! A scheduler with a reservation (`reservation.rs`) does each step for both parts before the next one begins: tasks of the one
//! may keep what those of the other need to end.
//!
//! Survivors of step 3 keep the workers, their stacks and the scheduler's memory; nothing of theirs is freed under them.
//! The workers stay because a survivor may still need any of them: a mobile one to go on, a bound one for what it waits for.
#![forbid(unsafe_code)]

use std::fmt;
use std::time::Duration;

use super::{Core, Phase};
use crate::current;
use crate::join::{self, TaskRef};
#[cfg(not(any(loom, shuttle)))]
use crate::primitive::simulated;
use crate::primitive::{Instant, Ordering, barrier, clock, fence};
use crate::simulation;
use crate::task::{Kind, Task, flag, pool, release};
use crate::wait::{Interrupt, Wake};

/// Why a shutdown did not finish.
#[derive(Debug)]
pub struct ShutdownError {
    inside: bool,
    elsewhere: bool,
    survivors: Vec<TaskRef>,
}

impl ShutdownError {
    /// The tasks that are left; none if the shutdown was called from inside the scheduler.
    pub fn survivors(&self) -> &[TaskRef] {
        &self.survivors
    }

    /// Whether it was called from one of the scheduler's own tasks.
    pub fn is_from_inside(&self) -> bool {
        self.inside
    }

    /// Whether the scheduler is simulated (feature `simulate`), and it was called from another thread than the one that built
    /// it.
    pub fn is_elsewhere(&self) -> bool {
        self.elsewhere
    }
}

impl fmt::Display for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.survivors.len() {
            _ if self.elsewhere => {
                f.write_str("a simulated scheduler is shut down by the thread that built it")
            }
            _ if self.inside => {
                f.write_str("a scheduler cannot be shut down from inside one of its tasks")
            }
            0 => f.write_str("somebody else's shutdown has not finished within the time limit"),
            count => write!(f, "{count} tasks are left after the time limit"),
        }
    }
}

impl std::error::Error for ShutdownError {}

impl Core {
    /// A task ended while the scheduler shuts down.
    #[cold]
    pub(crate) fn note_end(&self) {
        fence(Ordering::SeqCst);
        if self.live() == 0 {
            self.shutdown.call();
            if self.phase() == Phase::Stopping {
                // A survivor has ended after all, and it was the last one: the workers have nothing left to wait for.
                self.call_all();
            }
        }
    }

    /// A worker found a task that has not started after the shutdown began.
    #[cold]
    pub(crate) fn cancel_fresh(&self, task: &'static Task) {
        self.cancelled.lock().push(task);
        self.shutdown.call();
        if self.phase() == Phase::Stopping {
            // The caller of the shutdown has given up waiting, perhaps before it could see this one.
            self.drop_cancelled();
            self.note_end();
        }
    }

    /// Whether the caller is one of this scheduler's threads, or a task of it.
    pub(super) fn is_here(&self) -> bool {
        let here = current::within().map(|(thread, _)| thread);
        here.or_else(current::thread)
            .is_some_and(|thread| self.parts().any(|part| thread.belongs_to(part)))
    }

    pub(super) fn shut_down(&self, limit: Duration) -> Result<(), ShutdownError> {
        let began = clock::now();
        self.shut_workers_down(limit)?;
        let lane = self.emergency.get();
        if let Some(lane) = lane.filter(|_| !cfg!(feature = "bug_lane_left")) {
            lane.shutdown(limit.saturating_sub(clock::now() - began))?;
        }
        self.observers.end();
        Ok(())
    }

    fn shut_workers_down(&self, limit: Duration) -> Result<(), ShutdownError> {
        let (inside, elsewhere) = (self.is_here(), simulation::is_elsewhere(self));
        if inside || elsewhere {
            return Err(ShutdownError {
                inside,
                elsewhere,
                survivors: Vec::new(),
            });
        }
        let until = clock::now().checked_add(limit);
        let Some(_one_at_a_time) = self.begin_shutdown(limit) else {
            return Err(ShutdownError {
                inside: false,
                elsewhere: false,
                survivors: self.survivors(),
            });
        };
        tracing::debug!("the scheduler shuts down");
        // Step 1.
        let parts = self.parts();
        let closed = if cfg!(feature = "bug_reserve_close") {
            1
        } else {
            2
        };
        for part in parts.clone().take(closed) {
            part.phase.fetch_max(Phase::Closing as u8, Ordering::SeqCst);
        }
        barrier::heavy();
        // Step 2.
        for part in parts.clone() {
            part.abort_all();
            part.call_all();
        }
        // Step 3.
        let survivors = self.wait_for_tasks(until);
        // Step 4.
        for part in parts.clone() {
            part.phase.store(Phase::Stopping as u8, Ordering::SeqCst);
        }
        // The phase, then the counts, which the workers read when they are called; an end counts, then looks at the phase.
        fence(Ordering::SeqCst);
        for part in parts.clone() {
            // One that came after step 3: either it is seen here, or its worker sees the phase.
            part.drop_cancelled();
            part.call_all();
            part.monitor.stop();
        }
        if survivors.is_empty() {
            parts.for_each(Core::join_threads);
            simulation::note_stop(self);
            tracing::debug!("the scheduler has ended");
            return Ok(());
        }
        tracing::warn!(
            survivors = survivors.len(),
            "tasks are left after the shutdown's time limit"
        );
        Err(ShutdownError {
            inside: false,
            elsewhere: false,
            survivors,
        })
    }

    /// Step 3: who is left.
    fn wait_for_tasks(&self, until: Option<Instant>) -> Vec<TaskRef> {
        loop {
            self.parts().for_each(Core::drop_cancelled);
            // What ended here is counted, then the others' counts are read; they do the same in `note_end`.
            fence(Ordering::SeqCst);
            if self.parts().all(|part| part.live() == 0) {
                // A spawn that is being refused at this moment has a record, but no survivor will come of it.
                return Vec::new();
            }
            if until.is_some_and(|until| clock::now() >= until) {
                return self.survivors();
            }
            self.shutdown.sleep(until);
        }
    }

    /// One caller at a time; `None` if the other one took too long.
    #[cfg(not(any(loom, shuttle)))]
    fn begin_shutdown(&self, limit: Duration) -> Option<impl Drop + '_> {
        const LOOK_AGAIN: Duration = Duration::from_millis(1);
        let Some(world) = simulated::here() else {
            return self.shutting.try_lock_for(limit);
        };
        // The other one is a thread of the simulation, and needs turns to come to its end.
        let began = clock::now();
        loop {
            let locked = self.shutting.try_lock();
            if locked.is_some() || clock::now() - began >= limit {
                return locked;
            }
            world.pass(LOOK_AGAIN);
        }
    }

    /// Time does not pass in a model.
    #[cfg(any(loom, shuttle))]
    fn begin_shutdown(&self, _limit: Duration) -> Option<impl Sized + '_> {
        Some(self.shutting.lock())
    }

    fn call_all(&self) {
        // The twin that a model must catch: those that stand by are to end as well.
        if cfg!(feature = "bug_stop_call") {
            return self.forever().call_drivers();
        }
        for thread in self.threads.iter() {
            thread.sleeper.call();
        }
    }

    /// Calls `each` for every live task of this scheduler. A reference is held meanwhile: otherwise the record could become
    /// somebody else's task between the look and the deed.
    pub(crate) fn mine(&self, mut each: impl FnMut(&'static Task)) {
        let look = |task: &'static Task| {
            if !task.life.try_keep() {
                return;
            }
            let live = matches!(task.kind(), Kind::Fresh | Kind::Started);
            if live && std::ptr::eq(task.core.get(), self) {
                each(task);
            }
            release(task);
        };
        // Where records lie is chance: in a simulation it must not decide anything.
        match simulation::tasks(self) {
            Some(tasks) => tasks.into_iter().for_each(look),
            None => pool::for_each(look),
        }
    }

    /// Parked tasks wake aborted, running ones find the flag at their next wait.
    fn abort_all(&self) {
        self.mine(|task| {
            if task.kind() == Kind::Started {
                task.interrupt(flag::ABORT, Interrupt::Unwind, Wake::Aborted);
            }
        });
        // What stands in the queues behind tasks that do not come back to the loop.
        for _ in 0..self.injector.len() {
            let Some(task) = self.injector.pop() else {
                break;
            };
            self.take_out(task);
        }
        for slot in &self.slots {
            while let Some(task) = slot.take_shared() {
                self.take_out(task);
            }
            while slot.waiting() > 0 {
                let taken = slot.take_half(|task| self.take_out(task));
                if taken.is_none_or(|count| count == 0) {
                    break;
                }
            }
        }
    }

    /// A task taken from a queue by the shutdown: one that has not started is given up, another one goes where it may run.
    fn take_out(&self, task: &'static Task) {
        if task.sp.get() == 0 {
            self.cancelled.lock().push(task);
        } else {
            self.injector.push(task);
        }
    }

    fn drop_cancelled(&self) {
        loop {
            let Some(task) = self.cancelled.lock().pop() else {
                return;
            };
            task.payload.fail(join::JoinError::cancelled());
            self.end_outside(task);
        }
    }

    fn survivors(&self) -> Vec<TaskRef> {
        let mut survivors = Vec::new();
        for part in self.parts() {
            part.mine(|task| survivors.push(TaskRef::keep(task)));
        }
        survivors
    }
}
