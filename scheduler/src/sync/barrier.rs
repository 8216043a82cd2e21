//! A barrier: so many come, then all go on.
//!
//! Who arrives is counted at once, in the round that is on. The last one to come ends the round, under the lock: it starts
//! the next and claims the waits of all in the list. One that has arrived and is not in the list yet sees in its publish
//! that its round is over. One whose wait was ended otherwise takes its arrival back, unless its round was ended before it
//! could: then it has passed.
#![forbid(unsafe_code)]

use std::fmt;
use std::time::Duration;

use crate::current;
use crate::park::{self, Limit};
use crate::primitive::{For, SpinLock};
use crate::runnable::make_runnable;
use crate::suspend::Arm;
use crate::sync::wait_list::WaitList;
use crate::task::{Task, flag};
use crate::wait::{Interrupt, WaitReason, Wake};

/// Lets a number of tasks and threads wait until all have come, as [`std::sync::Barrier`]; again and again.
///
/// ```
/// use std::sync::Arc;
/// use fiberhost_scheduler::sync::Barrier;
/// fiberhost_scheduler::run(|| {
///     let barrier = Arc::new(Barrier::new(3));
///     let tasks: Vec<_> = (0..3)
///         .map(|_| {
///             let barrier = Arc::clone(&barrier);
///             fiberhost_scheduler::spawn(move || barrier.wait().is_leader())
///         })
///         .collect();
///     let leaders = tasks.into_iter().map(|task| task.join().unwrap());
///     assert_eq!(leaders.filter(|leader| *leader).count(), 1);
/// });
/// ```
pub struct Barrier {
    size: usize,
    state: SpinLock<State>,
}

struct State {
    arrived: usize,
    round: u64,
    waiters: WaitList,
}

/// Says whether the caller was the one of its round that came last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarrierWaitResult(bool);

impl BarrierWaitResult {
    /// True for one of each round.
    pub fn is_leader(self) -> bool {
        self.0
    }
}

impl Barrier {
    crate::sync::const_in_a_build! {
        /// A barrier for so many; for one or none it lets everybody through.
        pub const fn new(size: usize) -> Self {
            Barrier {
                size,
                state: SpinLock::new(For::Barrier, State {
                    arrived: 0,
                    round: 0,
                    waiters: WaitList::new(),
                }),
            }
        }
    }

    /// Waits until all have come. Only an [abort](crate::TaskRef::abort) ends it otherwise, by unwinding; then it is as if
    /// the task had not come.
    pub fn wait(&self) -> BarrierWaitResult {
        loop {
            if let Ok(passed) = self.wait_limited(Limit::Never, Interrupt::Unwind) {
                return passed;
            }
        }
    }

    /// The same with a time limit; it also ends when the task is alerted or cancelled.
    ///
    /// # Errors
    /// What ended the wait before all had come. It is as if the caller had not come.
    pub fn wait_for(&self, limit: Duration) -> Result<BarrierWaitResult, Wake> {
        self.wait_limited(Limit::After(limit), Interrupt::Alert)
    }

    /// How many have come in the round that is on.
    pub fn arrived(&self) -> usize {
        self.state.lock().arrived
    }

    fn wait_limited(&self, limit: Limit, allow: Interrupt) -> Result<BarrierWaitResult, Wake> {
        let mut state = self.state.lock();
        let round = state.round;
        state.arrived += 1;
        if state.arrived >= self.size {
            state.arrived = 0;
            state.round += 1;
            let woken = state.waiters.claim_all();
            drop(state);
            woken.for_each(make_runnable);
            return Ok(BarrierWaitResult(true));
        }
        // As a seeded fault it is held while the task waits.
        let _kept = cfg!(feature = "bug_lock_kept").then_some(state);
        let publish = |task: &'static Task, arm: Arm| {
            let mut state = self.state.lock();
            if state.round != round {
                return None;
            }
            let epoch = arm.arm(task);
            state.waiters.push(&task.node, task, epoch, 0);
            Some(epoch)
        };
        let waited = park::wait_listed(WaitReason::Barrier, limit, allow, publish, |task| {
            self.state.lock().waiters.remove(&task.node)
        });
        if waited.wake == Wake::Signalled || self.has_passed(waited.wake, round) {
            return Ok(BarrierWaitResult(false));
        }
        Err(park::check(waited.wake))
    }

    /// The wait ended otherwise: takes the arrival back if the round is still on.
    #[cold]
    fn has_passed(&self, wake: Wake, round: u64) -> bool {
        let mut state = self.state.lock();
        let passed = state.round != round;
        if !passed {
            state.arrived -= 1;
        }
        drop(state);
        if passed && wake == Wake::Alerted {
            // Nobody is told of the alert here, so it stays for the next wait.
            current::any().raise(flag::ALERT);
        }
        if passed {
            park::check(wake);
        }
        passed
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}
