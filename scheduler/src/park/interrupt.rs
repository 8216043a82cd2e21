//! How a wait ends otherwise than by a signal, and what that does to the task: it is told, or unwound.
#![forbid(unsafe_code)]

use std::any::Any;
use std::panic::resume_unwind;

use crate::current;
use crate::join::JoinError;
use crate::pinned;
use crate::primitive::{Ordering, simulated};
use crate::simulation;
use crate::suspend::{AT_ONCE, FOREVER};
use crate::sync::lock_waits;
use crate::task::state::Ended;
use crate::task::{Task, flag};
use crate::wait::{Interrupt, Wake};

/// Whether a wait of this task that allows this is about to end, or would not begin, since somebody has interrupted it.
pub(crate) fn is_interrupted(task: &Task, allow: Interrupt) -> bool {
    stop_of(task.flags.load(Ordering::Acquire), allow).is_some()
}

/// How such flags end a wait that allows this.
fn stop_of(flags: u32, allow: Interrupt) -> Option<Wake> {
    let aborts = flags & flag::ABORT != 0 && flags & flag::UNWINDING == 0;
    match allow {
        Interrupt::Never => None,
        _ if aborts => Some(Wake::Aborted),
        Interrupt::Unwind => None,
        _ if flags & flag::CANCELS != 0 => Some(Wake::Aborted),
        Interrupt::Alert if flags & flag::ALERT != 0 => Some(Wake::Alerted),
        _ => None,
    }
}

/// Flags raised before the wait began.
#[cold]
pub(super) fn interrupted(task: &'static Task, allow: Interrupt) -> Option<Ended> {
    let flags = task.flags.load(Ordering::Acquire);
    let broken = flags & flag::BREAK != 0 && allow != Interrupt::Never;
    let wake = if broken {
        Wake::Aborted
    } else {
        stop_of(flags, allow)?
    };
    if wake == Wake::Alerted {
        take_back_alert(task);
    }
    Some(Ended { wake, token: 0 })
}

/// The alert that has ended a wait, of the task itself.
#[cold]
pub(super) fn take_back_alert(task: &'static Task) {
    lock_waits::ends_by_alert(task);
    task.lower(flag::ALERT);
}

/// What is left to do when a wait had a limit or ended otherwise than by a signal.
#[cold]
pub(super) fn after(task: &'static Task, ended: Ended, limit: u64) {
    if limit != FOREVER
        && limit != AT_ONCE
        && ended.wake != Wake::TimedOut
        && let Some(thread) = current::thread()
    {
        thread.slot().cancel_timer(task);
    }
    if ended.wake == Wake::Alerted {
        take_back_alert(task);
    }
}

/// To be called by a primitive after it has undone what it published: unwinds if the wait's end asks for it.
#[inline(always)]
pub(crate) fn check(wake: Wake) -> Wake {
    if wake != Wake::Signalled {
        raise(wake);
    }
    wake
}

/// What an unwinding task carries: no panic, so no message is printed.
struct Aborted;
pub(super) struct Elapsing;

#[cold]
pub(super) fn raise(wake: Wake) {
    let Some((thread, task)) = current::running() else {
        if let Some(world) = simulated::here() {
            world.raise_verdict();
        }
        return;
    };
    if simulated::panicking() {
        return;
    }
    let flags = task.flags.load(Ordering::Acquire);
    if wake == Wake::Aborted && flags & flag::ABORT != 0 && pinned::may_unwind(task, flags) {
        simulation::note_panicking(true);
        resume_unwind(Box::new(Aborted));
    }
    if wake == Wake::TimedOut && task.deadline.get() <= thread.core().now() {
        simulation::note_panicking(true);
        resume_unwind(Box::new(Elapsing));
    }
}

/// Whether an unwinding is an abort's, not a panic.
pub(crate) fn is_abort(panic: &(dyn Any + Send)) -> bool {
    panic.is::<Aborted>()
}

/// Whether what [`catch_unwind`](std::panic::catch_unwind) has caught is no panic, but the unwinding of a task that was
/// [aborted](crate::TaskRef::abort) or whose [`timeout`](crate::timeout) has passed.
///
/// For code at a boundary that nothing may unwind across. The task is unwound again at its next wait.
pub fn is_interruption(caught: &(dyn Any + Send)) -> bool {
    caught.is::<Aborted>() || caught.is::<Elapsing>()
}

/// What a task's closure ended by when it did not return.
pub(crate) fn ended_by(panic: Box<dyn Any + Send>) -> JoinError {
    if panic.is::<Aborted>() {
        JoinError::cancelled()
    } else {
        JoinError::panic(panic)
    }
}
