//! Who there is to work, who of them is idle, and what waits for them: the part of [`Workers`](super::Workers) that knows no
//! tasks, so that it can be modelled.
//!
//! # The protocol
//!
//! All is under one lock but the waits. Idle workers wait for permits (`calls`).
//!
//! | | who | does, under the lock | and then |
//! |---|---|---|---|
//! | N1 | a worker that looks for work | takes the first job and is done | |
//! | N2 | one that finds none | idle + 1 | waits for a permit, for a while if there are more than the least |
//! | Q1 | who queues a job | appends it; idle > 0: idle - 1 | gives a permit |
//! | Q2 | otherwise, with room for one more | workers + 1 | starts it |
//! | G1 | a worker whose wait ended without a permit | idle > 0: idle - 1, and it ends or stays | |
//! | G2 | one that finds idle = 0 there | | takes the permit, which is there or about to be, and looks again |
//! | C | who closes | closed; idle := 0 | gives as many permits as were idle |
//!
//! Each idle worker either is counted in `idle`, or somebody has taken one off that number and gives a permit for it: so there
//! are never more permits than workers that wait for one. At G1 a worker takes itself off; if all have been taken off, its
//! permit is on its way (G2). Permits belong to nobody: it does not matter which worker gets which.
//!
//! So no job is forgotten: when one is appended, somebody who is idle is called for it, or a worker that is not idle will pass
//! N1, or a new one is started; only with the most workers, all of them busy, it waits for one of these.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::time::Duration;

use fiberhost_scheduler::sync::{ManualResetEvent, Semaphore};
use fiberhost_scheduler::{Heed, Wake};

use crate::primitive::{Mutex, MutexGuard};

pub(crate) struct Roll<J> {
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

/// Why work was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused<E> {
    Closed,
    NoMemory,
    /// There is nobody to do it, since none could be started.
    NoWorker(E),
}

/// Numbers that do not fit together.
#[derive(Debug)]
pub(crate) struct Wrong;

impl<J> Roll<J> {
    pub(crate) fn new((least, most): (u32, u32), floor: u32) -> Roll<J> {
        Roll {
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
        }
    }

    /// C. No more work is taken. Returns whether all that was taken was done, and all workers are gone, within the limit.
    pub(crate) fn close(&self, limit: Option<Duration>) -> bool {
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
        self.gone.wait_heeding(limit, Heed::Nothing) == Wake::Signalled
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
    pub(crate) fn ensure_one<E>(
        &self,
        start: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), Refused<E>> {
        let state = self.state.lock();
        if state.closed {
            return Err(Refused::Closed);
        }
        if state.workers > 0 {
            return Ok(());
        }
        self.add_worker(state, start).1.map_err(Refused::NoWorker)
    }

    /// One more worker. The lock is not held while it is made.
    fn add_worker<'a, E>(
        &'a self,
        mut state: MutexGuard<'a, State<J>>,
        start: impl FnOnce() -> Result<(), E>,
    ) -> (MutexGuard<'a, State<J>>, Result<(), E>) {
        state.workers += 1;
        state.present += 1;
        state.starting += 1;
        drop(state);
        let started = start();
        let mut state = self.state.lock();
        // One that will not run has been taken off the other numbers already.
        state.starting -= 1;
        (state, started)
    }

    /// A worker that was added never runs. Before its `start` returns, or instead of its first `next`.
    pub(crate) fn note_stillborn(&self) {
        let mut state = self.state.lock();
        state.workers -= 1;
        self.gone_one(&mut state);
    }

    /// A worker that was told by `next` to end has ended.
    pub(crate) fn note_end(&self) {
        self.gone_one(&mut self.state.lock());
    }

    fn gone_one(&self, state: &mut State<J>) {
        state.present -= 1;
        if state.closed && state.present == 0 {
            self.gone.set();
        }
    }

    /// How many stay without work.
    fn least(&self, state: &State<J>) -> u32 {
        state.least.max(self.floor)
    }

    /// What a worker does next; `None`: it ends. `patience`: for how long one beyond the least waits.
    pub(crate) fn next(
        &self,
        patience: Duration,
        around: impl Fn(&dyn Fn() -> Wake) -> Wake,
    ) -> Option<J> {
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
            let limit = (state.workers > self.least(&state)).then_some(patience);
            drop(state);
            let wake = around(&|| self.calls.wait_heeding(limit, Heed::Cancel));
            if wake != Wake::Signalled && !self.stays(wake) {
                return None;
            }
        }
    }

    /// G1 and G2. A worker's wait has ended without a permit.
    fn stays(&self, wake: Wake) -> bool {
        let mut state = self.state.lock();
        if state.idle == 0 && !cfg!(feature = "bug_workers_permit") {
            // All who were idle were called, this one too: the permit is there or about to be.
            drop(state);
            let called = self.calls.wait_heeding(None, Heed::Nothing);
            debug_assert!(called == Wake::Signalled, "nothing else ends it");
            return true;
        }
        state.idle = state.idle.saturating_sub(1);
        let stays = wake == Wake::TimedOut && state.workers <= self.least(&state);
        if !stays {
            state.workers -= 1;
        }
        stays
    }

    /// Q1 and Q2. Work to be done once. What is refused comes back.
    pub(crate) fn queue<E>(
        &self,
        job: J,
        start: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), (Refused<E>, J)> {
        let mut state = self.state.lock();
        if state.closed && !cfg!(feature = "bug_workers_closed") {
            return Err((Refused::Closed, job));
        }
        if state.queue.try_reserve(1).is_err() {
            return Err((Refused::NoMemory, job));
        }
        let number = state.next;
        state.next += 1;
        state.queue.push_back((number, job));
        if state.idle > 0 {
            if !cfg!(feature = "bug_workers_idle") {
                state.idle -= 1;
            }
            drop(state);
            self.calls.add(1);
            return Ok(());
        }
        if state.workers >= state.most {
            return Ok(());
        }
        let (mut state, started) = self.add_worker(state, start);
        // Somebody who runs will come to it; one who only starts may never run.
        let Err(error) = started else { return Ok(()) };
        if state.workers > state.starting {
            return Ok(());
        }
        // Otherwise it was not taken, unless somebody has been there meanwhile.
        let at = state.queue.iter().position(|(other, _)| *other == number);
        match at.and_then(|at| state.queue.remove(at)) {
            Some((_, job)) => Err((Refused::NoWorker(error), job)),
            None => Ok(()),
        }
    }

    /// More or fewer may work from now on. For what waits although somebody new may take it now, `prepare` makes a promise
    /// of the first that waits, and `start` one more worker with it.
    pub(crate) fn set_most<P, E>(
        &self,
        threads: u32,
        prepare: impl Fn(&J) -> P,
        start: impl Fn(P) -> Result<(), E>,
    ) -> Result<(), Wrong> {
        let mut state = self.state.lock();
        if threads == 0 || threads < state.least {
            return Err(Wrong);
        }
        state.most = threads;
        let waiting = u32::try_from(state.queue.len()).unwrap_or(u32::MAX);
        let wanted = waiting.saturating_sub(state.idle);
        for _ in 0..wanted.min(threads.saturating_sub(state.workers)) {
            let Some(promise) = state.queue.front().map(|(_, job)| prepare(job)) else {
                break;
            };
            let started;
            (state, started) = self.add_worker(state, || start(promise));
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

    pub(crate) fn set_least(&self, threads: u32) -> Result<(), Wrong> {
        let mut state = self.state.lock();
        if threads > state.most {
            return Err(Wrong);
        }
        state.least = threads;
        Ok(())
    }

    pub(crate) fn least_set(&self) -> u32 {
        self.state.lock().least
    }
}
