//! A scheduler as a C program sees one: started, given tasks by any thread, waited for, stopped.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::time::Duration;

use fiberhost_scheduler::native::{self, Target};
use fiberhost_scheduler::sync::AutoResetEvent;
use fiberhost_scheduler::{
    Adopted, Backing, JoinHandle, Scheduler, Wake, current_worker, yield_now,
};

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

/// Spawns a task that panics. Null if it was refused.
///
/// # Safety
/// The scheduler comes from [`fiberhost_cdylib_start`] and has not been stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_cdylib_spawn_panic(
    scheduler: *const Scheduler,
) -> *mut JoinHandle<()> {
    // SAFETY: the caller's promise.
    let task = unsafe { &*scheduler }.task();
    match task.spawn(|| panic!("inside the library")) {
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

/// Makes the calling thread a task, until [`fiberhost_cdylib_let_go`]. Null if it was refused.
///
/// # Safety
/// The scheduler comes from [`fiberhost_cdylib_start`] and has not been stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_cdylib_adopt(scheduler: *const Scheduler) -> *mut Adopted {
    // SAFETY: the caller's promise.
    match unsafe { &*scheduler }.adopt() {
        Ok(adopted) => Box::into_raw(Box::new(adopted)),
        Err(_) => std::ptr::null_mut(),
    }
}

/// The calling thread is a plain one again.
///
/// # Safety
/// It was adopted, by the call that returned this, and is in no callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_cdylib_let_go(adopted: *mut Adopted) {
    // SAFETY: the caller's promise.
    drop(unsafe { Box::from_raw(adopted) });
}

/// The calling thread stays a task until it exits.
///
/// # Safety
/// As for [`fiberhost_cdylib_let_go`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_cdylib_until_exit(adopted: *mut Adopted) {
    // SAFETY: the caller's promise.
    unsafe { Box::from_raw(adopted) }.until_exit();
}

static CALL: Target = Target::new("the C program");

/// The calling task goes where the scheduler does not see it.
///
/// # Safety
/// Each call is paired with one of [`fiberhost_cdylib_enter`], on the same thread and by the same task.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_cdylib_leave() {
    // SAFETY: the caller's promise.
    unsafe { native::leave(&CALL) };
}

/// And comes back.
///
/// # Safety
/// As for [`fiberhost_cdylib_leave`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_cdylib_enter() {
    // SAFETY: the caller's promise.
    unsafe { native::enter() };
}

/// Calls back from where the scheduler does not see the task: the work may wait and yield.
#[unsafe(no_mangle)]
pub extern "C" fn fiberhost_cdylib_callback(work: Work, argument: *mut c_void) {
    native::callback(|| work(argument));
}

/// An event that lets one waiter go on.
#[unsafe(no_mangle)]
pub extern "C" fn fiberhost_cdylib_event() -> *mut AutoResetEvent {
    Box::into_raw(Box::new(AutoResetEvent::new(false)))
}

/// Sets it, from anywhere.
///
/// # Safety
/// The event comes from [`fiberhost_cdylib_event`] and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_cdylib_set(event: *const AutoResetEvent) {
    // SAFETY: the caller's promise.
    unsafe { &*event }.set();
}

/// Waits for it, in a task, in native code or on a plain thread.
///
/// # Safety
/// As for [`fiberhost_cdylib_set`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_cdylib_wait_event(event: *const AutoResetEvent) -> c_int {
    // SAFETY: the caller's promise.
    match unsafe { &*event }.wait() {
        Wake::Signalled => OK,
        _ => FAILED,
    }
}

/// Frees it.
///
/// # Safety
/// As for [`fiberhost_cdylib_set`], and nobody uses it afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_cdylib_free_event(event: *mut AutoResetEvent) {
    // SAFETY: the caller's promise.
    drop(unsafe { Box::from_raw(event) });
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
