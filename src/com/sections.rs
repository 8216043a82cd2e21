//! Transitions in the scheduler's words: native sections and callbacks whose begin and end are two calls.
//!
//! The promise of pairs is kept by the stack of transitions (`transition`), and by `current`, which tells each edge of it once,
//! in the order in which it was found, on the task itself; at the end of a task it takes back what is left.
//! The runtime's frames that lie between the halves of a pair keep the thread: in a section nobody switches the task, and in
//! a callback it owns its thread.
//!
//! Room for unsafe code: the promise of pairs.

use std::time::Duration;

use fiberhost_scheduler::LocalKey;
use fiberhost_scheduler::native::{self, Begun, Target};

#[inline]
pub(crate) fn leave(target: &'static Target) {
    // SAFETY: the module docs.
    unsafe { native::leave(target) };
}

/// Leaves, if that is found to be in order.
#[inline(always)]
pub(crate) fn leave_if<T: 'static>(
    key: &'static LocalKey<T>,
    agree: impl FnOnce(&T) -> Option<&'static Target>,
) -> bool {
    // SAFETY: the module docs; `agree` only notes the transition.
    unsafe { native::leave_if(key, agree) }
}

/// Enters, if that is found to be in order.
#[inline(always)]
pub(crate) fn enter_if<T: 'static>(
    key: &'static LocalKey<T>,
    agree: impl FnOnce(&T) -> bool,
) -> bool {
    // SAFETY: as above.
    unsafe { native::enter_if(key, agree) }
}

#[inline]
pub(crate) fn enter() {
    // SAFETY: the module docs.
    unsafe { native::enter() };
}

/// A call from unmanaged code goes on without a slot if there is none after this time.
pub(crate) fn call(patience: Duration) -> Begun {
    // SAFETY: the module docs.
    unsafe { native::callback_begin_within(patience) }
}

pub(crate) fn end_call(begun: Begun) {
    // SAFETY: the module docs.
    unsafe { native::callback_end(begun) };
}
