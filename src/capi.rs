//! The interface for C: `include/fiberhost.h`, which is made from these files and from the table of the binary interface.
//!
//! What a function here answers is a code ([`code`]): 0, or how a wait ended (above 0), or an error (below 0).
//! Each goes through `guard`, which lets no panic out.
//! What it is given is checked as far as that is possible: no null, and the object is of the kind that the function is for,
//! and has not been destroyed as far as its memory still says so.
//!
//! A task's function is C code, so nothing here unwinds it: waits say how they ended (`Heed`), also to a task of a host that
//! shuts down, and it is for the function to return then.
//!
//! Names are those of the header, in the manner of C.
#![allow(
    non_camel_case_types,
    reason = "the names of the header, in the manner of C"
)]

pub mod code;
pub mod host;
pub mod io;
pub mod native;
pub mod security;
pub mod sync;
pub mod task;

use std::cell::RefCell;
use std::ffi::c_char;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use fiberhost_scheduler::{Wake, is_interruption};

use code::{Code, Failure};

/// "No limit" where a time is asked for.
pub const FIBERHOST_FOREVER: u64 = u64::MAX;

/// The version that this header belongs to: major, minor and patch in 8, 12 and 12 bits.
pub const FIBERHOST_VERSION: u32 = 0x0000_1000;

/// The kinds of objects, each with a word by which it is known.
trait Object {
    const KIND: u64;
}

/// An object as C holds it: its kind in front, which is wiped when the object is destroyed.
#[repr(C)]
struct Held<T> {
    kind: u64,
    object: T,
}

impl<T: Object> Held<T> {
    /// Gives the object to C.
    fn give(object: T) -> *mut Held<T> {
        Box::into_raw(Box::new(Held {
            kind: T::KIND,
            object,
        }))
    }

    /// Looks at an object of C's.
    ///
    /// # Safety
    /// It is null, or points to an object of this interface (of whatever kind) that is not destroyed during the call.
    unsafe fn look<'a>(held: *const Held<T>) -> Result<&'a T, Failure> {
        // SAFETY: each object begins with its kind.
        unsafe { check(held) }?;
        // SAFETY: it is of this kind.
        Ok(unsafe { &(*held).object })
    }

    /// Takes an object back from C. Null is none.
    ///
    /// # Safety
    /// As for [`look`](Held::look), and nobody uses it any more.
    unsafe fn take(held: *mut Held<T>) -> Result<Option<T>, Failure> {
        if held.is_null() {
            return Ok(None);
        }
        // SAFETY: as in `look`.
        unsafe { check(held) }?;
        // SAFETY: it was given by `give`, and is taken once: its kind is wiped, as far as that is seen later.
        let mut held = unsafe { Box::from_raw(held) };
        // Volatile: nobody but a mistaken caller reads it.
        // SAFETY: a place of ours.
        unsafe { std::ptr::write_volatile(&raw mut held.kind, 0) };
        Ok(Some(held.object))
    }
}

/// # Safety
/// As for [`Held::look`].
unsafe fn check<T: Object>(held: *const Held<T>) -> Result<(), Failure> {
    if held.is_null() || !held.is_aligned() {
        return Err(code::handle("a null or misaligned object"));
    }
    // SAFETY: the caller's promise; every object begins with its kind.
    if unsafe { (*held).kind } != T::KIND && !cfg!(feature = "bug_handle_kind") {
        return Err(code::handle(
            "an object of another kind, or a destroyed one",
        ));
    }
    Ok(())
}

thread_local! {
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs what a function of the interface does, and makes a code of how it went. A failure's text is kept for
/// [`fiberhost_last_error`].
fn guard(work: impl FnOnce() -> Result<Code, Failure>) -> Code {
    let done = if cfg!(feature = "bug_guard_unwinds") {
        Ok(work())
    } else {
        catch_unwind(AssertUnwindSafe(work))
    };
    let failure = match done {
        Ok(Ok(code)) => return code,
        Ok(Err(failure)) => failure,
        // A yield in a task that is to end: unwinding is not for C, so it is said instead.
        Err(caught) if is_interruption(&*caught) => return code::FIBERHOST_CANCELLED,
        Err(_) => code::panicked(),
    };
    // A thread that ends has none any more.
    let _ = LAST.try_with(|last| *last.borrow_mut() = failure.text);
    failure.code
}

/// The text of the last failed call on this OS thread, cut to `size` bytes with its closing zero. Answers how long the whole
/// text is, without the zero. To be asked right after the call: a task may be on another thread later.
///
/// # Safety
/// `buffer` is null, or has room for `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_last_error(buffer: *mut c_char, size: usize) -> usize {
    LAST.try_with(|last| {
        let last = last.borrow();
        if !buffer.is_null() && size > 0 {
            let length = last.len().min(size - 1);
            // SAFETY: the caller's promise.
            unsafe {
                std::ptr::copy_nonoverlapping(last.as_ptr(), buffer.cast(), length);
                buffer.add(length).write(0);
            }
        }
        last.len()
    })
    .unwrap_or(0)
}

/// Whether a program that was compiled with this version of the header can use the library that it finds: 0, or
/// `FIBERHOST_E_VERSION`.
#[unsafe(no_mangle)]
pub extern "C" fn fiberhost_check_version(version: u32) -> Code {
    guard(|| code::version(version).map(|()| code::FIBERHOST_OK))
}

/// The version of the library.
#[unsafe(no_mangle)]
pub extern "C" fn fiberhost_version() -> u32 {
    FIBERHOST_VERSION
}

/// A limit as C gives it.
fn limit(nanoseconds: u64) -> Option<Duration> {
    (nanoseconds != FIBERHOST_FOREVER).then(|| Duration::from_nanos(nanoseconds))
}

/// How a wait ended, as a code.
fn ended(wake: Wake) -> Code {
    match wake {
        Wake::Signalled => code::FIBERHOST_OK,
        Wake::TimedOut => code::FIBERHOST_TIMED_OUT,
        Wake::Alerted => code::FIBERHOST_ALERTED,
        Wake::Aborted => code::FIBERHOST_CANCELLED,
    }
}

/// Where an answer goes.
///
/// # Safety
/// It is null, or a place that may be written.
unsafe fn answer<'a, T>(place: *mut T) -> Result<&'a mut T, Failure> {
    if !place.is_aligned() {
        return Err(code::invalid("a misaligned place for the answer"));
    }
    // SAFETY: the caller's promise.
    unsafe { place.as_mut() }.ok_or_else(|| code::invalid("no place for the answer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_code_to_c() {
        extern "C" fn panics() -> Code {
            guard(|| panic!("expected: it goes no further"))
        }
        assert_eq!(panics(), code::FIBERHOST_E_PANIC);
    }

    #[derive(Debug)]
    struct Apple;
    impl Object for Apple {
        const KIND: u64 = 1;
    }

    #[derive(Debug)]
    struct Pear;
    impl Object for Pear {
        const KIND: u64 = 2;
    }

    #[test]
    fn an_object_of_another_kind_is_refused_and_stays() {
        let held = Held::give(Apple);
        for wrong in [std::ptr::null_mut(), held.wrapping_byte_add(4), held] {
            // SAFETY: null, misaligned, or an object of this interface.
            let refused = unsafe { Held::<Pear>::look(wrong.cast()) };
            assert_eq!(refused.unwrap_err().code, code::FIBERHOST_E_HANDLE);
        }
        // SAFETY: as above; nobody else has it.
        let refused = unsafe { Held::<Pear>::take(held.cast()) };
        assert_eq!(refused.unwrap_err().code, code::FIBERHOST_E_HANDLE);
        // SAFETY: as above.
        assert!(unsafe { Held::take(held) }.is_ok_and(|apple| apple.is_some()));
    }
}
