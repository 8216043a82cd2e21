//! The usual block from `IHostMalloc` and back, and a critical section that nobody waits for, in the functions of the tables
//! themselves: what such a call comes to is a few dozen instructions, and the way through a trait's method as many again.
//!
//! Each answers `None`, and has changed nothing, for whatever is not usual: the call goes the long way then, which checks all of
//! it anew. Nothing here waits or panics.
//!
//! Room for unsafe code: the pointers of a call.

use std::ffi::c_void;

use super::argument::Argument;
use super::host::{IHostCrst, IHostMalloc};
use super::hresult::Hresult;
use super::object::{self, Manner};
use super::{EMemoryCriticalLevel, WAIT_OPTION};

/// # Safety
/// As for `object::call`; `memory` is null, misaligned, or valid for writes.
#[inline(always)]
pub(super) unsafe fn alloc(
    this: *mut c_void,
    bytes: usize,
    critical: u32,
    memory: *mut *mut c_void,
) -> Option<Hresult> {
    // SAFETY: as the caller promises.
    let quick = unsafe { object::quick::<dyn IHostMalloc>(this, Manner::Usual) }?;
    if critical != EMemoryCriticalLevel::eTaskCritical.0 || memory.is_null() || !memory.is_aligned()
    {
        return None;
    }
    let block = quick.as_ref()?.take(bytes)?;
    // SAFETY: neither null nor misaligned, so valid, as the caller promises.
    unsafe { memory.write(block.pointer()) };
    Some(Hresult::S_OK)
}

/// # Safety
/// As for `object::call`; `memory` leads to memory, unless it is null or misaligned.
#[inline(always)]
pub(super) unsafe fn free(this: *mut c_void, memory: *mut c_void) -> Option<Hresult> {
    // SAFETY: as the caller promises.
    let quick = unsafe { object::quick::<dyn IHostMalloc>(this, Manner::Always) }?;
    // SAFETY: as the caller promises.
    let kept = unsafe { quick.as_ref()?.put(memory) };
    kept.then_some(Hresult::S_OK)
}

/// # Safety
/// As for `object::call`.
#[inline(always)]
pub(super) unsafe fn enter(this: *mut c_void, flags: u32) -> Option<Hresult> {
    // SAFETY: as the caller promises.
    let quick = unsafe { object::quick::<dyn IHostCrst>(this, Manner::Usual) }?;
    // SAFETY: it is a number.
    let known = unsafe { <WAIT_OPTION as Argument>::check((flags,)) }.is_ok();
    let entered = known && quick.as_ref()?.enter_idle();
    entered.then_some(Hresult::S_OK)
}

/// # Safety
/// As for `object::call`.
#[inline(always)]
pub(super) unsafe fn leave(this: *mut c_void) -> Option<Hresult> {
    // SAFETY: as the caller promises.
    let quick = unsafe { object::quick::<dyn IHostCrst>(this, Manner::Always) }?;
    // Nothing of the object after that: whoever enters next may release it.
    let left = quick.as_ref()?.leave_idle();
    left.then_some(Hresult::S_OK)
}
