//! The codes that functions of the interface answer, with their texts.

use std::ffi::{CStr, c_char};
use std::io;

use super::FIBERHOST_VERSION;

/// What every function answers.
pub type Code = i32;

/// It was done; a wait ended because what it waited for has happened.
pub const FIBERHOST_OK: i32 = 0;
/// The time limit of a wait passed first.
pub const FIBERHOST_TIMED_OUT: i32 = 1;
/// Somebody alerted the task.
pub const FIBERHOST_ALERTED: i32 = 2;
/// The task was cancelled, or its host shuts down: its function should clean up and return.
pub const FIBERHOST_CANCELLED: i32 = 3;

/// An argument that makes no sense.
pub const FIBERHOST_E_INVALID: i32 = -1;
/// A null object, one of another kind, or one that was destroyed.
pub const FIBERHOST_E_HANDLE: i32 = -2;
/// The program was compiled with a header that does not fit the library.
pub const FIBERHOST_E_VERSION: i32 = -3;
/// No memory.
pub const FIBERHOST_E_MEMORY: i32 = -4;
/// The operating system refused something; `fiberhost_last_error` has its words.
pub const FIBERHOST_E_SYSTEM: i32 = -5;
/// As many tasks live as may.
pub const FIBERHOST_E_LIMIT: i32 = -6;
/// The host shuts down or has done so.
pub const FIBERHOST_E_SHUT_DOWN: i32 = -7;
/// The caller would wait for itself.
pub const FIBERHOST_E_DEADLOCK: i32 = -8;
/// The caller does not have the lock.
pub const FIBERHOST_E_NOT_OWNER: i32 = -9;
/// Not from here, or not at this time: for instance a shutdown from inside a task, or an adoption of a task.
pub const FIBERHOST_E_STATE: i32 = -10;
/// Tasks are left after the time limit of a shutdown.
pub const FIBERHOST_E_SURVIVORS: i32 = -11;
/// A fault in the library. The object that was used must not be used any more.
pub const FIBERHOST_E_PANIC: i32 = -12;

/// Nothing of the kind is there.
pub const FIBERHOST_E_NOT_FOUND: i32 = -13;

/// What a code means, in a few words; never null.
#[unsafe(no_mangle)]
pub extern "C" fn fiberhost_code_text(code: i32) -> *const c_char {
    let text: &CStr = match code {
        FIBERHOST_OK => c"done",
        FIBERHOST_TIMED_OUT => c"the time limit passed",
        FIBERHOST_ALERTED => c"the task was alerted",
        FIBERHOST_CANCELLED => c"the task was cancelled",
        FIBERHOST_E_INVALID => c"an argument that makes no sense",
        FIBERHOST_E_HANDLE => c"no such object",
        FIBERHOST_E_VERSION => c"the header does not fit the library",
        FIBERHOST_E_MEMORY => c"no memory",
        FIBERHOST_E_SYSTEM => c"the operating system refused",
        FIBERHOST_E_LIMIT => c"too many tasks",
        FIBERHOST_E_SHUT_DOWN => c"the host shuts down",
        FIBERHOST_E_DEADLOCK => c"the caller would wait for itself",
        FIBERHOST_E_NOT_OWNER => c"the caller does not have the lock",
        FIBERHOST_E_STATE => c"not from here, or not now",
        FIBERHOST_E_SURVIVORS => c"tasks are left",
        FIBERHOST_E_PANIC => c"a fault in the library",
        FIBERHOST_E_NOT_FOUND => c"nothing of the kind is there",
        _ => c"an unknown code",
    };
    text.as_ptr()
}

/// An error on its way to C.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) code: Code,
    pub(super) text: String,
}

pub(super) fn failure(code: Code, text: impl Into<String>) -> Failure {
    Failure {
        code,
        text: text.into(),
    }
}

pub(super) fn invalid(text: &str) -> Failure {
    failure(FIBERHOST_E_INVALID, text)
}

pub(super) fn handle(text: &str) -> Failure {
    failure(FIBERHOST_E_HANDLE, text)
}

/// The feature `net` was left out.
#[cfg(not(feature = "net"))]
pub(super) fn without_transfers() -> Failure {
    failure(
        FIBERHOST_E_STATE,
        "a library that was built without transfers",
    )
}

pub(super) fn panicked() -> Failure {
    failure(FIBERHOST_E_PANIC, "a fault in the library: it panicked")
}

/// The same major version, and of a version 0 the same minor one; otherwise no newer minor version than the library's.
pub(super) fn version(header: u32) -> Result<(), Failure> {
    let parts = |version: u32| (version >> 24, (version >> 12) & 0xfff);
    let ((major, minor), (our_major, our_minor)) = (parts(header), parts(FIBERHOST_VERSION));
    let fits = major == our_major && (minor == our_minor || (major > 0 && minor < our_minor));
    if fits {
        return Ok(());
    }
    Err(failure(
        FIBERHOST_E_VERSION,
        format!(
            "a header of version {major}.{minor} and a library of version {our_major}.{our_minor}"
        ),
    ))
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let code = match error.kind() {
            io::ErrorKind::InvalidInput => FIBERHOST_E_INVALID,
            io::ErrorKind::OutOfMemory => FIBERHOST_E_MEMORY,
            io::ErrorKind::AlreadyExists => FIBERHOST_E_STATE,
            _ => FIBERHOST_E_SYSTEM,
        };
        failure(code, error.to_string())
    }
}
