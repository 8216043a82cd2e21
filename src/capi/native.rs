//! Native sections, callbacks from them, and threads that become tasks.

use std::ffi::{c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use fiberhost_scheduler::native::{self, Target};
use fiberhost_scheduler::{Adopted, blocking};
use parking_lot::Mutex;

use super::code::{self, Code};
use super::host::{fiberhost_host, text};
use super::{Held, Object, answer, guard};

/// What a native section is called in reports.
pub enum fiberhost_target {}

/// Still referred to, for those who look for memory that was forgotten.
static MADE: Mutex<Vec<&'static Target>> = Mutex::new(Vec::new());

/// Makes a name for native sections, which is there for as long as the process: for a static variable.
///
/// # Safety
/// The name ends in a zero; `target` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_target_create(
    name: *const c_char,
    target: *mut *const fiberhost_target,
) -> Code {
    guard(|| {
        // SAFETY: the caller's promise.
        let place = unsafe { answer(target) }?;
        // SAFETY: the caller's promise.
        let name = unsafe { text(name) }?.ok_or_else(|| code::invalid("no name"))?;
        let target: &'static Target = Box::leak(Box::new(Target::new(name.leak())));
        MADE.lock().push(target);
        *place = std::ptr::from_ref(target).cast();
        Ok(code::FIBERHOST_OK)
    })
}

static UNNAMED: Target = Target::new("C code");

/// The calling task goes where the scheduler does not see it: it may block, and hold locks of its thread. It keeps its
/// thread; when this lasts, its right to run goes to another task. Nests. On a thread that runs no task it does nothing.
/// Costs a few instructions.
///
/// # Safety
/// The target is null or comes from `fiberhost_target_create`. Each call is paired with one of `fiberhost_enter`, by the
/// same task.
#[unsafe(no_mangle)]
// Never inlined, here and in `fiberhost_enter`: what it finds of its thread is not kept for a later call.
#[inline(never)]
pub unsafe extern "C" fn fiberhost_leave(target: *const fiberhost_target) {
    // SAFETY: the caller's promise: these are not freed.
    match unsafe { target.cast::<Target>().as_ref() } {
        // SAFETY: the caller's promise; this function is not inlined.
        Some(target) => unsafe { native::leave_here(target) },
        None => leave_unnamed(),
    }
}

#[cold]
#[inline(never)]
extern "C" fn leave_unnamed() {
    // SAFETY: the promise of who called `fiberhost_leave`.
    unsafe { native::leave(&UNNAMED) };
}

/// And comes back: waits until it may run, if it had lost the right to.
///
/// # Safety
/// As for `fiberhost_leave`.
#[unsafe(no_mangle)]
#[inline(never)]
pub unsafe extern "C" fn fiberhost_enter() {
    // SAFETY: the caller's promise; this function is not inlined.
    unsafe { native::enter_here() };
}

/// Runs work that a native section calls back: a task's code, which may wait and yield. The task keeps its thread, on which
/// nobody else runs meanwhile.
///
/// # Safety
/// The work may be done with this argument, and throws no C++ exception.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_callback(
    work: Option<unsafe extern "C-unwind" fn(argument: *mut c_void)>,
    argument: *mut c_void,
) -> Code {
    guard(|| {
        let work = work.ok_or_else(|| code::invalid("no work"))?;
        // SAFETY: the caller's promise. What it throws ends the process with words.
        native::callback(|| unsafe { work(argument) });
        Ok(code::FIBERHOST_OK)
    })
}

/// Runs work that is known to block: the right to run goes to another task at once, if one waits.
///
/// # Safety
/// As for `fiberhost_callback`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_blocking(
    work: Option<unsafe extern "C-unwind" fn(argument: *mut c_void)>,
    argument: *mut c_void,
) -> Code {
    guard(|| {
        let work = work.ok_or_else(|| code::invalid("no work"))?;
        // SAFETY: the caller's promise.
        blocking(|| drop(catch_unwind(AssertUnwindSafe(|| unsafe { work(argument) }))));
        Ok(code::FIBERHOST_OK)
    })
}

/// A thread that has become a task.
pub enum fiberhost_adopted {}

struct Guest(Adopted);

impl Object for Guest {
    const KIND: u64 = u64::from_le_bytes(*b"fh:guest");
}

/// Makes the calling thread a task of the host, in a native section: what it does there is its own affair, and it runs as a
/// task between `fiberhost_enter` and `fiberhost_leave`, or in `fiberhost_callback`. `FIBERHOST_E_STATE` if it runs a task.
///
/// # Safety
/// The host comes from `fiberhost_host_create`; `adopted` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_adopt(
    host: *const fiberhost_host,
    adopted: *mut *mut fiberhost_adopted,
) -> Code {
    guard(|| {
        // SAFETY: the caller's promise.
        let place = unsafe { answer(adopted) }?;
        *place = std::ptr::null_mut();
        // SAFETY: the caller's promise.
        let guest = unsafe { fiberhost_host::scheduler(host) }?.adopt()?;
        *place = Held::give(Guest(guest)).cast();
        Ok(code::FIBERHOST_OK)
    })
}

/// The calling thread is a plain one again. Null is fine.
///
/// # Safety
/// It was adopted by the call that answered this, and is in no callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_adopted_release(adopted: *mut fiberhost_adopted) -> Code {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe { Held::<Guest>::take(adopted.cast()) }?;
        Ok(code::FIBERHOST_OK)
    })
}

/// The calling thread stays a task until it exits.
///
/// # Safety
/// As for `fiberhost_adopted_release`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_adopted_until_exit(adopted: *mut fiberhost_adopted) -> Code {
    guard(|| {
        // SAFETY: the caller's promise.
        match unsafe { Held::<Guest>::take(adopted.cast()) }? {
            Some(guest) => {
                guest.0.until_exit();
                Ok(code::FIBERHOST_OK)
            }
            None => Err(code::handle("a null object")),
        }
    })
}
