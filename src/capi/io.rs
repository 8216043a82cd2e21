//! A runtime's transfers, and for whom a task acts.

use std::ffi::c_void;

use super::code::{self, Code, Failure};
use super::host::fiberhost_host;
use super::{answer, guard};
use crate::Transfers;
use crate::com::{Address, Direction, Handle, Hresult, Transfer};

/// The buffer goes with the calling task: the task does not end before the transfer lets go of it, which is cancelled then.
pub const FIBERHOST_IO_OF_TASK: u32 = 1;

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

/// Begins to read from a descriptor that was bound (`IHostIoCompletionManager_Bind`). The runtime is told of the end, once, by
/// `OnComplete` on a task at its base, also if it was there at once. A refused one is not told of. Of a file it reads from the
/// structure's `Offset` on.
///
/// # Safety
/// The host comes from `fiberhost_host_create`. Until the end was told of, or the transfer was refused: `overlapped` is null,
/// misaligned, or an `OVERLAPPED` with the host's bytes behind it; `buffer` has `length` bytes; nobody else uses them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_io_read(
    host: *const fiberhost_host,
    descriptor: i32,
    buffer: *mut c_void,
    length: u32,
    overlapped: *mut c_void,
    flags: u32,
) -> Code {
    let what = (descriptor, buffer, length, overlapped, flags);
    // SAFETY: the caller's promise.
    guard(|| unsafe { submit(host, Direction::Read, what) })
}

/// Begins to write to such a descriptor. To a pipe or a socket it is over when all was written.
///
/// # Safety
/// As for `fiberhost_io_read`, but the buffer may be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_io_write(
    host: *const fiberhost_host,
    descriptor: i32,
    buffer: *const c_void,
    length: u32,
    overlapped: *mut c_void,
    flags: u32,
) -> Code {
    let what = (descriptor, buffer.cast_mut(), length, overlapped, flags);
    // SAFETY: the caller's promise; a write only reads the buffer.
    guard(|| unsafe { submit(host, Direction::Write, what) })
}

/// # Safety
/// As for `fiberhost_io_read`.
unsafe fn submit(
    host: *const fiberhost_host,
    direction: Direction,
    (descriptor, buffer, length, overlapped, flags): (i32, *mut c_void, u32, *mut c_void, u32),
) -> Result<Code, Failure> {
    // SAFETY: the caller's promise.
    let transfers = unsafe { transfers(host) }?;
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

/// Cancels what waits for a descriptor, or only the transfer with this structure. Each is told of with error 995, unless its
/// end comes first. Answers without waiting for that; `FIBERHOST_E_NOT_FOUND` if there is none.
///
/// # Safety
/// The host comes from `fiberhost_host_create`. The structure is only compared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_io_cancel(
    host: *const fiberhost_host,
    descriptor: i32,
    overlapped: *const c_void,
) -> Code {
    guard(|| {
        // SAFETY: the caller's promise.
        let transfers = unsafe { transfers(host) }?;
        let one = (!overlapped.is_null()).then(|| Address(overlapped.addr()));
        transfers
            .cancel(handle(descriptor)?, one)
            .map_err(failure)?;
        Ok(code::FIBERHOST_OK)
    })
}

/// A descriptor is about to be closed: it is not bound any more, and what waits for it is cancelled.
///
/// # Safety
/// The host comes from `fiberhost_host_create`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_io_unbind(host: *const fiberhost_host, descriptor: i32) -> Code {
    guard(|| {
        // SAFETY: the caller's promise.
        let transfers = unsafe { transfers(host) }?;
        transfers.unbind(handle(descriptor)?).map_err(failure)?;
        Ok(code::FIBERHOST_OK)
    })
}

/// Answers the token by which the caller acts, or 0 for nobody in particular.
///
/// # Safety
/// The host comes from `fiberhost_host_create`; `token` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_token(host: *const fiberhost_host, token: *mut usize) -> Code {
    guard(|| {
        // SAFETY: the caller's promise.
        let place = unsafe { answer(token) }?;
        *place = 0;
        // SAFETY: the caller's promise.
        let whole = unsafe { fiberhost_host::look(host) }?;
        *place = whole.host.token().map_or(0, |token| token.0);
        Ok(code::FIBERHOST_OK)
    })
}
