//! `park` and `unpark`: one permit, in one byte.
#![forbid(unsafe_code)]

use std::time::Duration;

use super::plain::sleep_until_called;
use super::{Limit, check, is_panicking, wait};
use crate::check::check_locks;
use crate::current;
use crate::native;
use crate::primitive::Ordering;
use crate::runnable::make_runnable;
use crate::task::Task;
use crate::wait::{Interrupt, WaitReason, Wake};

const EMPTY: u8 = 0;
const PERMIT: u8 = 1;
const WAITING: u8 = 2;
const BLOCKED: u8 = 3;

/// Parks until [`TaskRef::unpark`](crate::TaskRef::unpark) is called for this task, as in [`std::thread::park`].
///
/// A permit given before makes it return at once; permits do not add up. Also for plain threads, through their
/// [`TaskRef`](crate::TaskRef). It does not wake spuriously.
pub fn park() -> Wake {
    park_limited(Limit::Never)
}

/// The same with a time limit.
pub fn park_for(limit: Duration) -> Wake {
    park_limited(Limit::After(limit))
}

/// The permit is one byte: *empty*, *permit*, *waiting* with an armed wait whose target is the byte, or *blocked* with
/// the thread asleep in the kernel.
///
/// Unpark before: the exchange to *waiting* finds the permit. During: it finds *waiting* and claims the wait.
/// After: *permit* stays for the next park.
fn park_limited(limit: Limit) -> Wake {
    let me = current::any();
    if me.permit.load(Ordering::Relaxed) == PERMIT && me.flags.load(Ordering::Relaxed) == 0 {
        // Acquire: what the one who gave it did before is visible.
        me.permit.swap(EMPTY, Ordering::Acquire);
        return Wake::Signalled;
    }
    if current::running().is_none() && current::within().is_some() {
        // In a native section: its thread is a stranger's, but the permit is the task's.
        return park_blocking(me, limit);
    }
    if is_panicking() && current::running().is_some() {
        return native::unseen(|| park_blocking(me, limit));
    }
    loop {
        let waited = wait(WaitReason::Park, limit, Interrupt::Alert, |task, allow| {
            let permit = &task.permit;
            task.target
                .store(std::ptr::from_ref(permit).addr(), Ordering::Relaxed);
            let epoch = task.wait.arm(allow);
            let before = if cfg!(feature = "bug_park_store") {
                let before = permit.load(Ordering::Acquire);
                permit.store(WAITING, Ordering::Release);
                before
            } else {
                permit.swap(WAITING, Ordering::AcqRel)
            };
            if before == PERMIT {
                if task.wait.disarm(epoch) {
                    // Acquire: one more permit given meanwhile is used up with this one, and what was done before is seen.
                    permit.swap(EMPTY, Ordering::Acquire);
                    return None;
                }
                // Somebody else ended the wait: the permit is not used up.
                permit.store(PERMIT, Ordering::Release);
            }
            Some(epoch)
        });
        // A waker that is late must not take another wait for this one.
        me.target.store(0, Ordering::Relaxed);
        if waited.wake != Wake::Signalled {
            let _ = me
                .permit
                .compare_exchange(WAITING, EMPTY, Ordering::AcqRel, Ordering::Relaxed);
        } else if me.permit.swap(EMPTY, Ordering::Acquire) == WAITING
            && !cfg!(feature = "bug_park_late")
        {
            // No permit was given: somebody was late with one that an earlier park has used.
            continue;
        }
        return check(waited.wake);
    }
}

/// A task that is panicking blocks its thread instead. Its wait word stays out of it: nobody is to queue the task.
#[cold]
fn park_blocking(me: &'static Task, limit: Limit) -> Wake {
    check_locks(me, "blocks its thread");
    let swap = |from, to| {
        let swapped = me
            .permit
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed);
        swapped.is_ok()
    };
    if swap(EMPTY, BLOCKED) && !sleep_until_called(me, limit, || swap(BLOCKED, EMPTY)) {
        return Wake::TimedOut;
    }
    // Acquire: what the one who gave it did before is visible.
    me.permit.swap(EMPTY, Ordering::Acquire);
    Wake::Signalled
}

/// Gives the permit, and wakes the one who waits for it.
pub(crate) fn unpark(task: &'static Task) {
    match task.permit.swap(PERMIT, Ordering::AcqRel) {
        WAITING => {}
        BLOCKED => return task.sleeper.call(),
        _ => return,
    }
    let target = std::ptr::from_ref(&task.permit).addr();
    if task.wait.claim_if(Wake::Signalled, || {
        task.target.load(Ordering::Relaxed) == target
    }) {
        make_runnable(task);
    }
}
