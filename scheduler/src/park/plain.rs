//! The wait of a thread that is no task, or that may not suspend now: it sleeps in the kernel.
#![forbid(unsafe_code)]

use std::marker::PhantomData;

use super::{Limit, Waited};
use crate::check::check_locks;
use crate::current;
use crate::join::TaskRef;
use crate::primitive::{Ordering, clock};
use crate::sync::lock_waits;
use crate::task::state::{Ended, Epoch};
use crate::task::{Task, flag};
use crate::wait::{Interrupt, WaitReason, Wake};

/// The same wait on a thread that is no task, or that may not suspend now: the thread sleeps in the kernel.
#[cold]
pub(super) fn wait_plainly<P>(
    reason: WaitReason,
    limit: Limit,
    allow: Interrupt,
    publish: &P,
) -> Waited
where
    P: Fn(&'static Task, Interrupt) -> Option<Epoch>,
{
    let me = current::plain();
    check_locks(me, "blocks its thread");
    // In a model a plain thread stands in for a task without a stack: it settles, and can be interrupted, like one.
    // So can one that has asked for it.
    let stands_in = cfg!(any(loom, shuttle)) || me.heeds();
    let allow = if stands_in { allow } else { Interrupt::Never };
    me.set_reason(reason);
    let waited = match publish(me, allow) {
        None => Waited::at_once(me),
        Some(epoch) if stands_in && me.missed_interrupt(epoch) => Waited::new(me, me.ended()),
        Some(epoch) => Waited::new(me, sleep_plainly(me, epoch, limit)),
    };
    if stands_in && waited.wake == Wake::Alerted {
        lock_waits::ends_by_alert(current::any());
        me.lower(flag::ALERT);
    }
    me.set_past_reason(reason);
    waited
}

fn sleep_plainly(me: &'static Task, epoch: Epoch, limit: Limit) -> Ended {
    sleep_until_called(me, limit, || me.wait.claim(epoch, Wake::TimedOut, 0));
    me.ended()
}

/// Sleeps in the kernel until called, or until the limit has passed and `give_up` makes sure that nobody will call.
/// Returns whether it was called.
///
/// Whoever ends such a sleep calls exactly once, and that call is always waited for, also when the end is visible before:
/// until then the record is still in that one's hands, linked among those to be called or about to be called.
pub(super) fn sleep_until_called(
    me: &'static Task,
    limit: Limit,
    give_up: impl Fn() -> bool,
) -> bool {
    let mut until = match limit {
        Limit::Never => None,
        Limit::After(limit) => clock::now().checked_add(limit),
    };
    while !me.sleeper.sleep(until) {
        if give_up() {
            return false;
        }
        until = None;
    }
    true
}

/// Until this is dropped the calling OS thread's own waits heed alerts; see [`thread_alerts`].
#[derive(Debug)]
#[must_use = "it ends when it is dropped"]
pub struct ThreadAlerts {
    thread: TaskRef,
    /// It counts for the thread that made it.
    not_send: PhantomData<*const ()>,
}

/// Makes the calling OS thread's own waits heed alerts, as a task's do: for a plain thread that stands for a task, and for a
/// task in a native section ([`native::section`](crate::native::section)), which blocks its thread when it waits.
///
/// A task must not keep it longer than the section. An alert that no wait has taken goes with the last of these.
///
/// # Panics
/// At 65,535 of them on one thread.
pub fn thread_alerts() -> ThreadAlerts {
    let thread = current::plain();
    let before = thread.flags.fetch_add(flag::HEEDS, Ordering::AcqRel);
    assert!(
        before & flag::HEEDS_ALL != flag::HEEDS_ALL,
        "too many ThreadAlerts on one thread"
    );
    ThreadAlerts {
        thread: TaskRef::keep(thread),
        not_send: PhantomData,
    }
}

impl ThreadAlerts {
    /// By which others alert the thread.
    pub fn thread(&self) -> &TaskRef {
        &self.thread
    }
}

impl Drop for ThreadAlerts {
    fn drop(&mut self) {
        let thread = self.thread.record();
        let before = thread.flags.fetch_sub(flag::HEEDS, Ordering::AcqRel);
        if before & flag::HEEDS_ALL == flag::HEEDS {
            thread.lower(flag::ALERT);
        }
    }
}
