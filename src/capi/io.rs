//! A runtime's transfers. The functions are there without the feature `net` too, and say that there are none.

use std::ffi::c_void;

use super::code::Code;
use super::guard;
use super::host::fiberhost_host;
use crate::com::Direction;

#[cfg(not(feature = "net"))]
#[path = "io/without.rs"]
mod engine;
#[cfg(feature = "net")]
#[path = "io/with.rs"]
mod engine;

/// The buffer goes with the calling task: the task does not end before the transfer lets go of it, which is cancelled then.
pub const FIBERHOST_IO_OF_TASK: u32 = 1;

/// Begins to read from a descriptor that was bound (`IHostIoCompletionManager_Bind`). The runtime is told of the end, once, by
/// `OnComplete` on a task at its base, also if it was there at once. A refused one is not told of. Of a file it reads from the
/// structure's `Offset` on. A host or a library without transfers answers `FIBERHOST_E_STATE`.
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
    let wanted = Wanted {
        descriptor,
        buffer,
        length,
        overlapped,
        flags,
    };
    // SAFETY: the caller's promise.
    guard(|| unsafe { engine::submit(host, Direction::Read, wanted) })
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
    let wanted = Wanted {
        descriptor,
        buffer: buffer.cast_mut(),
        length,
        overlapped,
        flags,
    };
    // SAFETY: the caller's promise; a write only reads the buffer.
    guard(|| unsafe { engine::submit(host, Direction::Write, wanted) })
}

/// What is to be moved, as a C program says it.
#[cfg_attr(not(feature = "net"), expect(dead_code, reason = "refused unseen"))]
struct Wanted {
    descriptor: i32,
    buffer: *mut c_void,
    length: u32,
    overlapped: *mut c_void,
    flags: u32,
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
    // SAFETY: the caller's promise.
    guard(|| unsafe { engine::cancel(host, descriptor, overlapped) })
}

/// A descriptor is about to be closed: it is not bound any more, and what waits for it is cancelled.
///
/// # Safety
/// The host comes from `fiberhost_host_create`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_io_unbind(host: *const fiberhost_host, descriptor: i32) -> Code {
    // SAFETY: the caller's promise.
    guard(|| unsafe { engine::unbind(host, descriptor) })
}
