//! What the functions do.

use std::ffi::c_void;

use super::super::code::{self, Code, Failure};
use super::super::host::fiberhost_host;
use super::{FIBERHOST_IO_OF_TASK, Wanted};
use crate::Transfers;
use crate::com::{Address, Direction, Handle, Hresult, Transfer};

/// A result of the hosting interfaces as a failure of this one.
fn failure(result: Hresult) -> Failure {
    let code = match result {
        Hresult::E_HANDLE => code::FIBERHOST_E_HANDLE,
        Hresult::E_OUTOFMEMORY => code::FIBERHOST_E_MEMORY,
        Hresult::HOST_E_CLRNOTAVAILABLE => code::FIBERHOST_E_SHUT_DOWN,
        Hresult::HOST_E_INVALIDOPERATION => code::FIBERHOST_E_STATE,
        Hresult::HRESULT_FROM_WIN32_ERROR_NOT_FOUND => code::FIBERHOST_E_NOT_FOUND,
        _ => code::FIBERHOST_E_INVALID,
    };
    code::failure(code, result.to_string())
}

/// # Safety
/// The host comes from `fiberhost_host_create`.
unsafe fn transfers(host: *const fiberhost_host) -> Result<Transfers, Failure> {
    // SAFETY: the caller's promise.
    let whole = unsafe { fiberhost_host::look(host) }?;
    whole.host.transfers().ok_or_else(|| {
        let text = "a host without transfers: FIBERHOST_IO_COMPLETION was not given";
        code::failure(code::FIBERHOST_E_STATE, text)
    })
}

fn handle(descriptor: i32) -> Result<Handle, Failure> {
    usize::try_from(descriptor)
        .map(Handle)
        .map_err(|_| code::handle("a descriptor below 0"))
}

/// # Safety
/// As for `fiberhost_io_read`.
pub(super) unsafe fn submit(
    host: *const fiberhost_host,
    direction: Direction,
    wanted: Wanted,
) -> Result<Code, Failure> {
    // SAFETY: the caller's promise.
    let transfers = unsafe { transfers(host) }?;
    let Wanted {
        descriptor,
        buffer,
        length,
        overlapped,
        flags,
    } = wanted;
    if flags & !FIBERHOST_IO_OF_TASK != 0 {
        return Err(code::invalid("an unknown flag"));
    }
    let handle = handle(descriptor)?;
    // SAFETY: the caller's promise.
    let transfer = unsafe { Transfer::new(direction, handle, buffer, length, overlapped) };
    let transfer = transfer.map_err(failure)?;
    let transfer = match flags & FIBERHOST_IO_OF_TASK {
        0 => transfer,
        _ => transfer.of_task(),
    };
    transfers.submit(transfer).map_err(failure)?;
    Ok(code::FIBERHOST_OK)
}

/// # Safety
/// As for `fiberhost_io_cancel`.
pub(super) unsafe fn cancel(
    host: *const fiberhost_host,
    descriptor: i32,
    overlapped: *const c_void,
) -> Result<Code, Failure> {
    // SAFETY: the caller's promise.
    let transfers = unsafe { transfers(host) }?;
    let one = (!overlapped.is_null()).then(|| Address(overlapped.addr()));
    transfers
        .cancel(handle(descriptor)?, one)
        .map_err(failure)?;
    Ok(code::FIBERHOST_OK)
}

/// # Safety
/// As for `fiberhost_io_unbind`.
pub(super) unsafe fn unbind(host: *const fiberhost_host, descriptor: i32) -> Result<Code, Failure> {
    // SAFETY: the caller's promise.
    let transfers = unsafe { transfers(host) }?;
    transfers.unbind(handle(descriptor)?).map_err(failure)?;
    Ok(code::FIBERHOST_OK)
}
