//! The wait that every primitive uses: how a task stops until it is told.
//!
//! What ends it otherwise than by a signal is in `interrupt.rs`, the same wait of a thread that is no task in `plain.rs`.
//! The other ways off a stack are a yield (`turn.rs`), a permit (`permit.rs`) and a time (`time.rs`).
//!
//! Room for unsafe code: the one door off a stack.

use std::time::Duration;

use crate::check::check_locks;
use crate::current;
use crate::fiber;
use crate::freeze;
use crate::native;
use crate::pinned;
use crate::primitive::{Ordering, simulated};
use crate::scheduler::Core;
use crate::stats::waits;
use crate::suspend::{AT_ONCE, Arm, FOREVER, Listed, Settled, Wait, settle_word};
use crate::task::state::{Ended, Epoch};
use crate::task::{Task, flag};
use crate::thread::Thread;
use crate::wait::{Interrupt, WaitReason, Wake};
use crate::watch;

mod interrupt;
mod permit;
mod plain;
mod time;
mod turn;

pub use interrupt::is_interruption;
use interrupt::{after, interrupted};
pub(crate) use interrupt::{check, ended_by, is_abort, is_interrupted};
pub(crate) use permit::unpark;
pub use permit::{park, park_for};
use plain::wait_plainly;
pub use plain::{ThreadAlerts, thread_alerts};
pub use time::{Elapsed, sleep, sleep_heeding, timeout};
pub use turn::{check_quantum, linger, yield_now, yield_to_others};

/// When a wait gives up.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    Never,
    After(Duration),
}

/// How a wait ended, and whose it was: the task's, or the record of the thread that had to block instead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waited {
    pub(crate) wake: Wake,
    pub(crate) who: &'static Task,
}

impl Waited {
    #[inline(always)]
    fn new(who: &'static Task, ended: Ended) -> Self {
        Waited {
            wake: ended.wake,
            who,
        }
    }

    #[inline(always)]
    fn at_once(who: &'static Task) -> Self {
        Waited {
            wake: Wake::Signalled,
            who,
        }
    }
}

/// Waits until `publish` finds that what is waited for has happened, or until the wait it armed is ended.
///
/// `publish` runs on the worker's stack (for a plain thread: on its own). It looks under its lock; `None` means that it has
/// happened, otherwise it arms the task's wait, makes it findable, and returns its epoch.
/// It must neither panic nor call anything of the user's.
#[inline(always)]
pub(crate) fn wait<P>(reason: WaitReason, limit: Limit, allow: Interrupt, publish: P) -> Waited
where
    P: Fn(&'static Task, Interrupt) -> Option<Epoch>,
{
    let Some((thread, task)) = current::running() else {
        return wait_plainly(reason, limit, allow, &publish);
    };
    if is_panicking() {
        return native::unseen(|| wait_plainly(reason, limit, allow, &publish));
    }
    let owns = task.owns_its_thread();
    let allow = if owns {
        pinned::allowed(task, allow)
    } else {
        allow
    };
    let limit = match limit {
        // What nothing may interrupt, no enclosing `timeout` ends: a scope's children borrow from this stack.
        Limit::Never if allow == Interrupt::Never || task.deadline.get() == FOREVER => FOREVER,
        limit => deadline(thread.core(), task, limit),
    };
    let flags = task.flags.load(Ordering::Relaxed);
    if flags != 0 {
        if let Some(ended) = stopped(task, flags, allow) {
            return Waited::new(task, ended);
        }
        if flags & WATCHES != 0 {
            return wait_watched(thread, task, reason, limit, allow, &publish);
        }
    }
    wait_until(thread, task, reason, limit, allow, &publish)
}

/// What watches a task's wait.
const WATCHES: u32 = flag::SAMPLED | flag::WATCHED;

/// A wait that does not begin. `flags` are the task's as they were just now.
#[inline(always)]
fn stopped(task: &'static Task, flags: u32, allow: Interrupt) -> Option<Ended> {
    if flags & !WATCHES == 0 {
        return None;
    }
    simulated::point();
    interrupted(task, allow)
}

/// A wait of which the times are taken.
#[cold]
fn wait_watched<P>(
    thread: &'static Thread,
    task: &'static Task,
    reason: WaitReason,
    limit: u64,
    allow: Interrupt,
    publish: &P,
) -> Waited
where
    P: Fn(&'static Task, Interrupt) -> Option<Epoch>,
{
    let begun = watch::begin(thread, task, reason);
    let waited = wait_until(thread, task, reason, limit, allow, publish);
    watch::end(task, begun, waited.wake);
    waited
}

/// The wait itself. `limit` is a time of the scheduler's clock.
#[inline(always)]
fn wait_until<P>(
    thread: &'static Thread,
    task: &'static Task,
    reason: WaitReason,
    limit: u64,
    allow: Interrupt,
    publish: &P,
) -> Waited
where
    P: Fn(&'static Task, Interrupt) -> Option<Epoch>,
{
    waits::begin(thread, task, reason);
    let wait = Wait::new(publish, limit, allow);
    if keeps_thread(task) {
        // SAFETY: as below.
        unsafe { settle_here(thread, task, wait.word()) };
    } else {
        // SAFETY: `running` says that we are on this task's stack and this thread runs it; the wait stays until we return.
        unsafe { fiber::suspend(thread, task, wait.word()) };
    }
    task.set_past_reason(reason);
    if wait.immediate.get() {
        return Waited::at_once(task);
    }
    let ended = task.ended();
    if limit != FOREVER || ended.wake != Wake::Signalled {
        after(task, ended, limit);
    }
    Waited::new(task, ended)
}

/// A wait of a task that does not leave its thread: settled here, and slept through with the thread (`pinned.rs`).
///
/// # Safety
/// `word` is the address of a wait on this stack, which is that of `task`; `task` runs on `thread`, which is the caller's.
#[cold]
unsafe fn settle_here(thread: &'static Thread, task: &'static Task, word: fiber::Word) {
    #[cfg(feature = "bug_lock_slept")]
    let _kept = thread.core().lasting.keep();
    check_locks(task, "waits with its thread");
    thread.look_before_wait();
    thread.bound.leave(task);
    Thread::count(&thread.settled_here);
    // SAFETY: the caller's promise; the task runs on only when it was woken.
    match unsafe { settle_word(word, thread, task) } {
        Settled::Parked => thread.sleep_with(task),
        Settled::Again => thread.went_on.set(true),
    }
}

/// As [`wait`], for what signals find in a list: without a time limit such a wait costs a signal no locked instruction of
/// its own (`freeze.rs`).
///
/// `publish` arms by what it is given. `take_back` takes the wait out of the list again, under its lock, and says whether it
/// was there; it is called for every wait that ended otherwise than by a signal, by an interrupter or by the waiter.
#[inline(always)]
pub(crate) fn wait_listed<P, W>(
    reason: WaitReason,
    limit: Limit,
    allow: Interrupt,
    publish: P,
    take_back: W,
) -> Waited
where
    P: Fn(&'static Task, Arm) -> Option<Epoch>,
    W: Fn(&'static Task) -> bool,
{
    wait_listed_as(current::running(), reason, limit, allow, publish, take_back)
}

/// The same for a caller who has asked who runs here, with nothing in between that could suspend.
#[inline(always)]
pub(crate) fn wait_listed_as<P, W>(
    here: Option<(&'static Thread, &'static Task)>,
    reason: WaitReason,
    limit: Limit,
    allow: Interrupt,
    publish: P,
    take_back: W,
) -> Waited
where
    P: Fn(&'static Task, Arm) -> Option<Epoch>,
    W: Fn(&'static Task) -> bool,
{
    match here {
        Some((thread, task))
            if matches!(limit, Limit::Never)
                && task.deadline.get() == FOREVER
                && !must_block(task) =>
        {
            let flags = task.flags.load(Ordering::Relaxed);
            if flags != 0 {
                if let Some(ended) = stopped(task, flags, allow) {
                    return Waited::new(task, ended);
                }
                if flags & WATCHES != 0 {
                    let begun = watch::begin(thread, task, reason);
                    let waited = wait_linked(thread, task, reason, allow, publish, take_back);
                    watch::end(task, begun, waited.wake);
                    return waited;
                }
            }
            wait_linked(thread, task, reason, allow, publish, take_back)
        }
        _ => wait_contended(reason, limit, allow, publish, take_back),
    }
}

/// The wait itself, of a task that may leave its thread.
#[inline(always)]
fn wait_linked<P, W>(
    thread: &'static Thread,
    task: &'static Task,
    reason: WaitReason,
    allow: Interrupt,
    publish: P,
    take_back: W,
) -> Waited
where
    P: Fn(&'static Task, Arm) -> Option<Epoch>,
    W: Fn(&'static Task) -> bool,
{
    waits::begin(thread, task, reason);
    let wait = Listed::new(publish, take_back, allow);
    // SAFETY: `running` says that we are on this task's stack and this thread runs it; the wait stays until we
    // return, and `pass` keeps us here while an interrupter is at it.
    unsafe { fiber::suspend(thread, task, wait.word()) };
    task.set_past_reason(reason);
    let at_once = wait.immediate.get();
    freeze::pass(task, at_once);
    if at_once {
        return Waited::at_once(task);
    }
    let ended = task.ended();
    if ended.wake != Wake::Signalled {
        after(task, ended, FOREVER);
    }
    Waited::new(task, ended)
}

#[cold]
fn wait_contended<P, W>(
    reason: WaitReason,
    limit: Limit,
    allow: Interrupt,
    publish: P,
    take_back: W,
) -> Waited
where
    P: Fn(&'static Task, Arm) -> Option<Epoch>,
    W: Fn(&'static Task) -> bool,
{
    let waited = wait(reason, limit, allow, |task, allow| {
        publish(task, Arm::contended(allow))
    });
    if waited.wake != Wake::Signalled {
        take_back(waited.who);
    }
    waited
}

/// Whether the task must not give its thread away now.
///
/// While it is panicking: suspending would carry the thread's panic count away, so it blocks. While it owns its thread:
/// nobody else may run there.
#[inline(always)]
fn must_block(task: &Task) -> bool {
    is_panicking() || keeps_thread(task)
}

#[inline(always)]
fn keeps_thread(task: &Task) -> bool {
    task.owns_its_thread() && !cfg!(feature = "bug_own_switch")
}

#[inline(always)]
fn is_panicking() -> bool {
    simulated::panicking() && !cfg!(feature = "bug_panic_switch")
}

/// The earlier of the wait's own limit and the enclosing `timeout`'s.
#[cold]
fn deadline(core: &Core, task: &Task, limit: Limit) -> u64 {
    let own = match limit {
        Limit::Never => FOREVER,
        Limit::After(Duration::ZERO) => return AT_ONCE,
        Limit::After(limit) => core.after(limit),
    };
    own.min(task.deadline.get())
}
