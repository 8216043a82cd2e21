//! The thread-local where it is not written out: std's.
#![forbid(unsafe_code)]

use super::{Here, launder};
use crate::primitive::thread_local;
use crate::thread::Thread;

pub(super) const IS_NEW_EACH_TIME: bool = false;

#[cfg(not(loom))]
thread_local! {
    static HERE: Here = const { Here::new() };
}
#[cfg(loom)]
thread_local! {
    static HERE: Here = Here::new();
}

#[inline(always)]
pub(super) fn with<R>(work: impl FnOnce(&Here) -> R) -> R {
    HERE.with(work)
}

/// The worker that it names. Never inlined: see the module that this one stands in for.
#[inline(never)]
pub(super) fn thread() -> *const Thread {
    launder(with(|here| here.thread.get()))
}
