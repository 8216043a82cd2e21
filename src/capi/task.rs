//! Tasks: spawned by whoever likes, joined by whoever likes.

use std::ffi::{c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::time::Duration;

use fiberhost_scheduler::sync::ManualResetEvent;
use fiberhost_scheduler::{
    Backing, Heed, Priority, SpawnError, TaskRef, Wake, check_quantum, sleep_heeding, try_current,
    yield_now,
};

use super::code::{self, Code, Failure};
use super::host::{fiberhost_host, text};
use super::{Held, Object, answer, ended, guard, limit};

/// What a task does. What it returns goes to those who join it.
pub type fiberhost_work = Option<unsafe extern "C-unwind" fn(argument: *mut c_void) -> *mut c_void>;

/// A task. It goes on whether or not somebody refers to it.
pub enum fiberhost_task {}

struct Known {
    task: TaskRef,
    outcome: Arc<Outcome>,
}

impl Object for Known {
    const KIND: u64 = u64::from_le_bytes(*b"fh: task");
}

impl fiberhost_task {
    /// # Safety
    /// As for [`Held::look`].
    unsafe fn look<'a>(task: *const fiberhost_task) -> Result<&'a Known, Failure> {
        // SAFETY: the same.
        unsafe { Held::look(task.cast()) }
    }
}

/// How a task ended.
struct Outcome {
    over: ManualResetEvent,
    /// Whether the function has returned, and what.
    returned: AtomicBool,
    result: AtomicPtr<c_void>,
}

/// Says that a task is over, whether it has run or not.
struct Ending(Arc<Outcome>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.over.set();
    }
}

/// An argument that goes to whichever thread runs the task: the C program's affair.
struct Argument(*mut c_void);

// SAFETY: `fiberhost_spawn` asks its caller for one that may go to another thread.
unsafe impl Send for Argument {}

impl Argument {
    /// A method, so that a closure takes the whole of it.
    fn into_inner(self) -> *mut c_void {
        self.0
    }
}

/// The task runs when nothing else is to do, but it runs.
pub const FIBERHOST_PRIORITY_LOW: i32 = -1;
/// As most tasks.
pub const FIBERHOST_PRIORITY_NORMAL: i32 = 0;
/// The task runs before others.
pub const FIBERHOST_PRIORITY_HIGH: i32 = 1;

/// What a task is to be. All zeroes are the defaults.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct fiberhost_task_options {
    /// A name for reports, or null.
    pub name: *const c_char,
    /// Bytes of stack.
    pub stack_size: usize,
    /// `FIBERHOST_PRIORITY_NORMAL` and its like.
    pub priority: i32,
    /// Not 0: the task gets an OS thread of its own.
    pub thread: i32,
}

/// Spawns a task, from any thread or task. It may start on any worker, and then stays on that worker's thread.
/// With null for `task` nobody refers to it. A host that was shut down does not run it: whoever joins is told.
///
/// # Safety
/// The host comes from `fiberhost_host_create`; the options are null or there, with a name that ends in a zero; the work may
/// be done with this argument on any thread, and throws no C++ exception; `task` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_spawn(
    host: *const fiberhost_host,
    options: *const fiberhost_task_options,
    work: fiberhost_work,
    argument: *mut c_void,
    task: *mut *mut fiberhost_task,
) -> Code {
    guard(|| {
        if !task.is_null() {
            // SAFETY: the caller's promise.
            *unsafe { answer(task) }? = std::ptr::null_mut();
        }
        // SAFETY: the caller's promise.
        let scheduler = unsafe { fiberhost_host::scheduler(host) }?;
        let work = work.ok_or_else(|| code::invalid("no work"))?;
        // SAFETY: the caller's promise.
        let builder = unsafe { planned(scheduler.task(), options) }?;
        let outcome = Arc::new(Outcome {
            over: ManualResetEvent::new(false),
            returned: AtomicBool::new(false),
            result: AtomicPtr::default(),
        });
        let (argument, ending) = (Argument(argument), Ending(Arc::clone(&outcome)));
        let spawned = builder.spawn(move || {
            let ending = ending;
            let argument = argument.into_inner();
            // SAFETY: the caller's promise. What it throws ends the process with words.
            let result = catch_unwind(AssertUnwindSafe(|| unsafe { work(argument) }));
            if let Ok(result) = result {
                ending.0.result.store(result, Ordering::Relaxed);
                // Release: pairs with the acquire of whoever joins.
                ending.0.returned.store(true, Ordering::Release);
            }
        });
        let handle = spawned.map_err(refused)?;
        if !task.is_null() {
            let known = Known {
                task: handle.task().clone(),
                outcome,
            };
            // SAFETY: the caller's promise.
            *unsafe { answer(task) }? = Held::give(known).cast();
        }
        Ok(code::FIBERHOST_OK)
    })
}

/// # Safety
/// The options are null or there, with a name that ends in a zero.
unsafe fn planned(
    mut builder: fiberhost_scheduler::TaskBuilder,
    options: *const fiberhost_task_options,
) -> Result<fiberhost_scheduler::TaskBuilder, Failure> {
    if !options.is_aligned() {
        return Err(code::invalid("misaligned options"));
    }
    // SAFETY: the caller's promise.
    let Some(options) = (unsafe { options.as_ref() }) else {
        return Ok(builder);
    };
    // SAFETY: the caller's promise.
    if let Some(name) = unsafe { text(options.name) }? {
        builder = builder.name(name);
    }
    if options.stack_size != 0 {
        builder = builder.stack_size(options.stack_size);
    }
    if options.thread != 0 {
        builder = builder.backing(Backing::Thread);
    }
    Ok(builder.priority(priority(options.priority)?))
}

fn priority(number: i32) -> Result<Priority, Failure> {
    match number {
        FIBERHOST_PRIORITY_LOW => Ok(Priority::Low),
        FIBERHOST_PRIORITY_NORMAL => Ok(Priority::Normal),
        FIBERHOST_PRIORITY_HIGH => Ok(Priority::High),
        _ => Err(code::invalid("an unknown priority")),
    }
}

fn refused(error: SpawnError) -> Failure {
    let code = if error.is_limit() {
        code::FIBERHOST_E_LIMIT
    } else if error.is_cancelled() {
        code::FIBERHOST_E_SHUT_DOWN
    } else if error.is_out_of_memory() {
        code::FIBERHOST_E_MEMORY
    } else if error.is_invalid_stack_size() {
        code::FIBERHOST_E_INVALID
    } else {
        code::FIBERHOST_E_SYSTEM
    };
    code::failure(code, error.to_string())
}

/// Waits until a task has ended, and answers what its function returned. Several may do so, as often as they like.
/// `FIBERHOST_CANCELLED` if it was the caller who was cancelled, and the task has not ended; `FIBERHOST_E_SHUT_DOWN` if the
/// task never ran, because its host was shut down; `FIBERHOST_E_DEADLOCK` for the caller itself. Times are in nanoseconds.
///
/// # Safety
/// The task comes from `fiberhost_spawn`; `result` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_task_join(
    task: *const fiberhost_task,
    time: u64,
    result: *mut *mut c_void,
) -> Code {
    guard(|| {
        // SAFETY: the caller's promise.
        let known = unsafe { fiberhost_task::look(task) }?;
        if try_current().is_some_and(|me| me == known.task) {
            return Err(code::failure(
                code::FIBERHOST_E_DEADLOCK,
                "a task that waits for its own end",
            ));
        }
        // First: who was cancelled has to see that what it waits for on its way out has come about.
        if !known.outcome.over.is_set() {
            let wake = known.outcome.over.wait_heeding(limit(time), Heed::Alert);
            if wake != Wake::Signalled {
                return Ok(ended(wake));
            }
        }
        // Acquire: pairs with the release in the task.
        if !known.outcome.returned.load(Ordering::Acquire) {
            return Err(code::failure(
                code::FIBERHOST_E_SHUT_DOWN,
                "the task did not run to its end",
            ));
        }
        if !result.is_null() {
            // SAFETY: the caller's promise.
            *unsafe { answer(result) }? = known.outcome.result.load(Ordering::Relaxed);
        }
        Ok(code::FIBERHOST_OK)
    })
}

/// Asks a task to end: its wait, or its next one, answers `FIBERHOST_CANCELLED`, and all waits after that.
///
/// # Safety
/// The task comes from `fiberhost_spawn`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_task_cancel(task: *const fiberhost_task) -> Code {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe { fiberhost_task::look(task) }?.task.cancel();
        Ok(code::FIBERHOST_OK)
    })
}

/// Ends the wait of a task, or its next one: it answers `FIBERHOST_ALERTED`.
///
/// # Safety
/// The task comes from `fiberhost_spawn`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_task_alert(task: *const fiberhost_task) -> Code {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe { fiberhost_task::look(task) }?.task.alert();
        Ok(code::FIBERHOST_OK)
    })
}

/// Changes the priority of a task.
///
/// # Safety
/// The task comes from `fiberhost_spawn`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_task_set_priority(
    task: *const fiberhost_task,
    number: i32,
) -> Code {
    guard(|| {
        // SAFETY: the caller's promise.
        let known = unsafe { fiberhost_task::look(task) }?;
        known.task.set_priority(priority(number)?);
        Ok(code::FIBERHOST_OK)
    })
}

/// The number of a task, by which reports name it; 0 for what is no task.
///
/// # Safety
/// The task comes from `fiberhost_spawn`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_task_id(task: *const fiberhost_task) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { fiberhost_task::look(task) }.map_or(0, |known| known.task.id())
}

/// The number of the calling task; 0 on a thread that runs none.
#[unsafe(no_mangle)]
pub extern "C" fn fiberhost_current_task_id() -> u64 {
    catch_unwind(|| try_current().map_or(0, |task| task.id())).unwrap_or(0)
}

/// Lets go of a task, which goes on. Null is fine.
///
/// # Safety
/// The task comes from `fiberhost_spawn`, and is not used through this pointer any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_task_release(task: *mut fiberhost_task) -> Code {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe { Held::<Known>::take(task.cast()) }?;
        Ok(code::FIBERHOST_OK)
    })
}

/// Lets others run; on a thread that runs no task, other threads. `FIBERHOST_CANCELLED` if the host shuts down.
#[unsafe(no_mangle)]
pub extern "C" fn fiberhost_yield() -> Code {
    guard(|| {
        yield_now();
        Ok(code::FIBERHOST_OK)
    })
}

/// Lets others run if the task's quantum is over. Cheap: for long computations. `FIBERHOST_CANCELLED` if the host shuts
/// down.
#[unsafe(no_mangle)]
pub extern "C" fn fiberhost_check_quantum() -> Code {
    guard(|| {
        check_quantum();
        Ok(code::FIBERHOST_OK)
    })
}

/// Waits for a time, in nanoseconds. Its usual end is `FIBERHOST_OK`.
#[unsafe(no_mangle)]
pub extern "C" fn fiberhost_sleep(time: u64) -> Code {
    guard(|| {
        if try_current().is_none() {
            std::thread::sleep(Duration::from_nanos(time));
            return Ok(code::FIBERHOST_OK);
        }
        Ok(match sleep_heeding(limit(time), Heed::Alert) {
            Wake::TimedOut | Wake::Signalled => code::FIBERHOST_OK,
            wake => ended(wake),
        })
    })
}
