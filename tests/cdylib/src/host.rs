//! A scheduler as a C program sees one: started, given tasks by any thread, waited for, stopped.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::time::Duration;

use fiberhost_scheduler::{Backing, JoinHandle, Scheduler, current_worker, yield_now};

/// What a task calls.
pub type Work = extern "C" fn(*mut c_void);

/// How a wait for a task ended.
const OK: c_int = 0;
const FAILED: c_int = 1;

/// What a task is to be, beside its work. `thread`: on an OS thread of its own.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Plan {
    /// A name for reports, or null.
    pub name: *const c_char,
    /// Bytes of stack, or 0 for the default.
    pub stack_size: usize,
    /// Whether it gets an OS thread of its own.
    pub thread: c_int,
}

/// An argument that goes to whichever thread runs the task: the C program's affair.
struct Argument(*mut c_void);

// SAFETY: `fiberhost_cdylib_spawn` asks its caller for one that may go to another thread.
unsafe impl Send for Argument {}

impl Argument {
    /// A method, so that a closure takes the whole of it.
    fn into_inner(self) -> *mut c_void {
        self.0
    }
}

/// Starts a scheduler. Null if the system refused.
#[unsafe(no_mangle)]
pub extern "C" fn fiberhost_cdylib_start(workers: usize) -> *mut Scheduler {
    match Scheduler::builder().workers(workers).build() {
        Ok(scheduler) => Box::into_raw(Box::new(scheduler)),
        Err(error) => {
            eprintln!("no scheduler: {error}");
            std::ptr::null_mut()
        }
    }
}

/// Spawns a task, from any thread. Null if it was refused.
///
/// # Safety
/// The scheduler comes from [`fiberhost_cdylib_start`] and has not been stopped; the plan is null or points to one, whose
/// name ends in a zero; the work may be done with this argument on any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_cdylib_spawn(
    scheduler: *const Scheduler,
    plan: *const Plan,
    work: Work,
    argument: *mut c_void,
) -> *mut JoinHandle<()> {
    // SAFETY: the caller's promise.
    let (scheduler, plan) = unsafe { (&*scheduler, plan.as_ref()) };
    let mut task = scheduler.task();
    if let Some(plan) = plan {
        if !plan.name.is_null() {
            // SAFETY: the caller's promise.
            let name = unsafe { CStr::from_ptr(plan.name) };
            task = task.name(name.to_string_lossy());
        }
        if plan.stack_size != 0 {
            task = task.stack_size(plan.stack_size);
        }
        if plan.thread != 0 {
            task = task.backing(Backing::Thread);
        }
    }
    let argument = Argument(argument);
    match task.spawn(move || work(argument.into_inner())) {
        Ok(handle) => Box::into_raw(Box::new(handle)),
        Err(error) => {
            eprintln!("no task: {error}");
            std::ptr::null_mut()
        }
    }
}

/// Waits for a task, from any thread or task. The handle is gone afterwards.
///
/// # Safety
/// The handle comes from [`fiberhost_cdylib_spawn`] and was not waited for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_cdylib_wait(task: *mut JoinHandle<()>) -> c_int {
    // SAFETY: the caller's promise.
    let task = unsafe { Box::from_raw(task) };
    match task.join() {
        Ok(()) => OK,
        Err(error) => {
            eprintln!("a task failed: {error}");
            FAILED
        }
    }
}

/// Lets others run; on a thread that is no worker's, other threads.
#[unsafe(no_mangle)]
pub extern "C" fn fiberhost_cdylib_yield() {
    yield_now();
}

/// The worker that runs the calling task; -1 for a caller that is no task.
#[unsafe(no_mangle)]
pub extern "C" fn fiberhost_cdylib_worker() -> c_int {
    let worker = current_worker().and_then(|worker| c_int::try_from(worker).ok());
    worker.unwrap_or(-1)
}

/// Stops a scheduler that has nothing left to do, and waits for its threads.
///
/// # Safety
/// The scheduler comes from [`fiberhost_cdylib_start`] and is not used afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_cdylib_stop(scheduler: *mut Scheduler) -> c_int {
    // SAFETY: the caller's promise.
    let scheduler = unsafe { Box::from_raw(scheduler) };
    match scheduler.shutdown(Duration::from_secs(30)) {
        Ok(()) => OK,
        Err(error) => {
            eprintln!("the scheduler does not stop: {error}");
            FAILED
        }
    }
}
