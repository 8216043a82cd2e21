//! How an interruption ends a wait that signals claim without a locked instruction.
//!
//! A signal that takes a waiter out of its list, under the list's lock, is the only signal that can: it needs no
//! compare-and-swap to end the wait, if nobody but signals ends it. Interruptions are rare, so they pay for both sides.
//!
//! # Protocol
//!
//! The waiter (`park::wait_listed`):
//!
//! 1. W1 its settle arms the wait as *exclusive* and links it, under the lock; then it looks for flags, as for every wait;
//! 2. W2 after it was resumed, and before it touches anything or returns: light barrier, look for *frozen*. Also if its
//!    settle has taken the wait back because nothing was left to wait for: it had been armed, and perhaps been seen (`join`);
//! 3. W3 if it is frozen, it waits until the interrupter is done with it (the freezer's lock).
//!
//! A signal: under the list's lock it takes the node out and ends the wait with a plain store.
//!
//! The interrupter, one at a time for each task (the freezer's lock):
//!
//! 1. I1 sees an exclusive wait;
//! 2. I2 *frozen* := 1, heavy barrier;
//! 3. I3 if the very same wait is still on, it withdraws it: it takes the node out of its list, under the list's lock;
//! 4. I4 if the node was there, no signal has it or will have it: the wait is the interrupter's to end;
//! 5. I5 *frozen* := 0, and only then the task is made runnable.
//!
//! # Why what the interrupter touches is there
//!
//! I3 goes to the list through a closure on the waiter's stack. If I3 sees the wait on, the waiter has not passed W2, or
//! will find *frozen* there: had it passed W2 without seeing *frozen*, then its light barrier came before the heavy one,
//! and the end of the wait, which happened before W2, would be visible at I3. So the stack, and what the wait borrows,
//! stays until I5.
//!
//! # Why the wait ends once
//!
//! A node leaves its list once, under the lock: to a signal or to the interrupter. The one who has it ends the wait.
//!
//! # Why no interruption is lost
//!
//! The interrupter raises its flag and passes a heavy barrier before I1. If it finds no wait, or a wait that is not linked
//! yet, the settle of that wait comes to its look for flags later, sees it, and does the same as the interrupter would.
#![forbid(unsafe_code)]

use crate::primitive::{Ordering, barrier};
use crate::suspend;
use crate::task::state::Epoch;
use crate::task::{Task, flag};
use crate::wait::{Interrupt, Wake};

/// I1 to I5. `true`: the wait was ended, the caller makes the task runnable.
///
/// `by` names the strength of the interruption once the wait was seen; `only` the wait meant, if it is not any.
#[cold]
#[must_use]
pub(crate) fn break_exclusive(
    task: &'static Task,
    wake: Wake,
    only: Option<Epoch>,
    by: impl Fn() -> Interrupt,
) -> bool {
    let freezer = task.freezer.lock();
    let Some(wait) = task.wait.exclusive(only, by) else {
        return false;
    };
    task.raise(flag::FROZEN);
    barrier::heavy();
    // The twin that a model must catch: it ends the wait, though a signal has the node.
    let ended =
        task.wait.is_still(wait) && (suspend::withdraw(task) || cfg!(feature = "bug_freeze_both"));
    if ended {
        task.wait.end_exclusive(wait, wake);
    }
    task.lower(flag::FROZEN);
    drop(freezer);
    ended
}

/// W2 and W3. `at_once`: its settle has taken the wait back, or did not arm it.
#[inline(always)]
pub(crate) fn pass(task: &'static Task, at_once: bool) {
    // The twins that a model must catch: the waiter goes on while somebody is at its wait.
    if cfg!(feature = "bug_freeze_pass") || cfg!(feature = "bug_freeze_at_once") && at_once {
        return;
    }
    barrier::assumed();
    // Acquire: pairs with the release by which *frozen* was taken back; what the interrupter touched, it has touched.
    if task.flags.load(Ordering::Acquire) & (flag::FROZEN | flag::FENCED) != 0 {
        thaw(task);
    }
}

#[cold]
fn thaw(task: &'static Task) {
    barrier::light();
    while task.flags.load(Ordering::Acquire) & flag::FROZEN != 0 {
        // Whoever froze the task holds this lock until it is done.
        drop(task.freezer.lock());
    }
}
