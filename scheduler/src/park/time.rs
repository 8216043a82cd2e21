//! Waits for nothing but the time, and limits on the time of many waits together.
#![forbid(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use super::interrupt::Elapsing;
use super::{Limit, check, wait, yield_now};
use crate::current;
use crate::primitive::simulated;
use crate::simulation;
use crate::suspend::FOREVER;
use crate::task::Task;
use crate::wait::{Heed, Interrupt, WaitReason, Wake};

/// Parks for a time. Ends early when the task is alerted or aborted, and says so; its normal end is [`Wake::TimedOut`].
///
/// On a thread that is no task it is [`std::thread::sleep`].
pub fn sleep(time: Duration) -> Wake {
    if current::running().is_none() {
        match simulated::here() {
            Some(world) => world.pass(time),
            None => std::thread::sleep(time),
        }
        return Wake::TimedOut;
    }
    if time.is_zero() {
        yield_now();
        return Wake::TimedOut;
    }
    let ended = wait(
        WaitReason::Sleep,
        Limit::After(time),
        Interrupt::Alert,
        |task, allow| Some(task.wait.arm(allow)),
    );
    if ended.wake != Wake::TimedOut || current::any().deadline.get() != FOREVER {
        return check(ended.wake);
    }
    ended.wake
}

/// Waits for nothing but the time limit and what is heeded, without unwinding. No limit: for ever.
pub fn sleep_heeding(limit: Option<Duration>, heed: Heed) -> Wake {
    let limit = limit.map_or(Limit::Never, Limit::After);
    let publish = |task: &'static Task, allow| Some(task.wait.arm(allow));
    wait(WaitReason::Sleep, limit, heed.interrupt(), publish).wake
}

/// The time limit of [`timeout`] passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed(());

impl Elapsed {
    pub(crate) fn new() -> Self {
        Elapsed(())
    }
}

impl std::fmt::Display for Elapsed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the time limit passed")
    }
}

impl std::error::Error for Elapsed {}

/// Runs `work` in the calling task with a time limit on all its waits together.
///
/// When the limit passes, the wait that is on, or the next one, unwinds `work` up to here; its destructors run.
/// Code that does not wait is not interrupted, and what it returns is returned even if it is late.
/// Limits nest: the earliest counts. A scope's wait for its children is not cut short.
///
/// # Errors
/// [`Elapsed`] if the limit passed and `work` was unwound.
///
/// # Panics
/// If `work` panics, and outside a task.
pub fn timeout<T>(limit: Duration, work: impl FnOnce() -> T) -> Result<T, Elapsed> {
    let (thread, task) = current::within().expect("timeout is for tasks");
    let outer = task.deadline.get();
    let mine = thread.core().after(limit).min(outer);
    task.deadline.set(mine);
    let result = catch_unwind(AssertUnwindSafe(work));
    if result.is_err() {
        simulation::note_panicking(false);
    }
    task.deadline.set(outer);
    match result {
        Ok(value) => Ok(value),
        Err(panic) if panic.is::<Elapsing>() => {
            let over = current::within().is_some_and(|(thread, _)| outer <= thread.core().now());
            if over {
                resume_unwind(panic)
            } else {
                Err(Elapsed(()))
            }
        }
        Err(panic) => resume_unwind(panic),
    }
}
