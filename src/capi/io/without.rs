//! What stands in `with.rs`'s place without the feature `net`.

use std::ffi::c_void;

use super::super::code::{self, Code, Failure};
use super::super::host::fiberhost_host;
use super::Wanted;
use crate::com::Direction;

/// # Safety
/// The host comes from `fiberhost_host_create`.
unsafe fn refuse(host: *const fiberhost_host) -> Result<Code, Failure> {
    // SAFETY: the caller's promise.
    unsafe { fiberhost_host::look(host) }?;
    Err(code::without_transfers())
}

/// # Safety
/// As for [`refuse`].
pub(super) unsafe fn submit(
    host: *const fiberhost_host,
    _: Direction,
    _: Wanted,
) -> Result<Code, Failure> {
    // SAFETY: the caller's promise.
    unsafe { refuse(host) }
}

/// # Safety
/// As for [`refuse`].
pub(super) unsafe fn cancel(
    host: *const fiberhost_host,
    _: i32,
    _: *const c_void,
) -> Result<Code, Failure> {
    // SAFETY: the caller's promise.
    unsafe { refuse(host) }
}

/// # Safety
/// As for [`refuse`].
pub(super) unsafe fn unbind(host: *const fiberhost_host, _: i32) -> Result<Code, Failure> {
    // SAFETY: the caller's promise.
    unsafe { refuse(host) }
}
