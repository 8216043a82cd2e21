//! The last thing on a task's stack: a result that nobody can take any more goes, and its locals.
#![forbid(unsafe_code)]

use crate::local;
use crate::task::payload::{Left, contain};
use crate::task::{Task, flag};

/// The last thing on a task's stack: a result that nobody can take any more goes, and its locals.
///
/// The destructors are the user's and may wait, which they could not do on a worker's stack.
#[inline(always)]
pub(crate) fn finish(task: &'static Task, result: Left) {
    if result == Left::Drops && task.life.is_forgotten() {
        finish_result(task);
    }
    if task.has_extra() {
        finish_extra(task);
    }
}

#[cold]
fn finish_result(task: &'static Task) {
    // An abort does not unwind destructors half-way.
    task.raise(flag::UNWINDING);
    task.payload.discard();
}

#[cold]
fn finish_extra(task: &'static Task) {
    task.raise(flag::UNWINDING);
    // No borrow is held while a destructor runs: it may use, and make, other values.
    while let Some(value) = local::pop(task) {
        // One that panics has printed its message, and does not keep the others from going.
        contain(|| drop(value));
    }
}
