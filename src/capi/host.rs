//! A host: how it is made, what it is asked, and its end.

use std::ffi::{CStr, c_char, c_void};
use std::time::Duration;

use fiberhost_scheduler::Scheduler;

use super::code::{self, Code, Failure};
use super::{FIBERHOST_FOREVER, Held, Object, answer, guard};
use crate::{Assemblies, Host, MemoryLimits, Security, Strangers, TaskMode};

/// A scheduler with the managers of the hosting interfaces on it.
pub enum fiberhost_host {}

pub(super) struct Whole {
    pub(super) host: Host,
}

impl Object for Whole {
    const KIND: u64 = u64::from_le_bytes(*b"fh: host");
}

impl fiberhost_host {
    /// # Safety
    /// As for [`Held::look`].
    pub(super) unsafe fn look<'a>(host: *const fiberhost_host) -> Result<&'a Whole, Failure> {
        // SAFETY: the same.
        unsafe { Held::look(host.cast()) }
    }

    /// # Safety
    /// As for [`Held::look`].
    pub(super) unsafe fn scheduler<'a>(
        host: *const fiberhost_host,
    ) -> Result<&'a Scheduler, Failure> {
        // SAFETY: as above.
        Ok(unsafe { fiberhost_host::look(host) }?.host.scheduler())
    }
}

/// Every task gets an OS thread of its own: for a runtime whose stacks cannot be switched.
pub const FIBERHOST_THREAD_MODE: u32 = 1;
/// OS threads that the scheduler does not know are kept out when the runtime asks for their task, instead of adopted.
pub const FIBERHOST_DENY_STRANGERS: u32 = 2;
/// The host has no thread pool: the runtime uses its own.
pub const FIBERHOST_NO_THREADPOOL: u32 = 4;
/// The runtime's transfers of files, pipes and sockets are the host's (`IHostIoCompletionManager`, `fiberhost_io_read`). A
/// library that was built without them answers `FIBERHOST_E_STATE`.
pub const FIBERHOST_IO_COMPLETION: u32 = 8;
/// Those that wait are left to helper threads, also where the kernel has a ring. With `FIBERHOST_IO_COMPLETION`.
pub const FIBERHOST_IO_HELPERS: u32 = 16;
/// The runtime has memory of the host's (`IHostMemoryManager`), within the limits below.
pub const FIBERHOST_MEMORY: u32 = 32;
/// The host keeps for whom a task acts (`IHostSecurityManager`, `fiberhost_token`). Every token but null is one.
pub const FIBERHOST_SECURITY: u32 = 64;

/// Settings of a host. Begin with `FIBERHOST_OPTIONS_INIT`; a zero means the default.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct fiberhost_options {
    /// Bytes of this structure, as the program was compiled.
    pub size: usize,
    /// `FIBERHOST_VERSION`, as the program was compiled.
    pub version: u32,
    /// A sum of `FIBERHOST_THREAD_MODE` and its like.
    pub flags: u32,
    /// A name for threads and reports, or null.
    pub name: *const c_char,
    /// How many tasks run at once. Default: as many as the process may use processors.
    pub workers: usize,
    /// The most OS threads. Default: 10,000.
    pub max_threads: usize,
    /// The most tasks that live at once. Default: no limit.
    pub max_tasks: usize,
    /// Bytes of stack for a task that asks for no size.
    pub stack_size: usize,
    /// Nanoseconds after which a task that asks gives its worker away. Default: 4,000,000.
    pub quantum: u64,
    /// The folder in which the runtime finds its assemblies (`IHostAssemblyManager`), or null: it finds them itself.
    pub assemblies: *const c_char,
    /// Bytes in use up to which requests for memory are granted whose refusal costs a task. Default: no limit.
    pub memory_task: usize,
    /// The same for those whose refusal costs a domain.
    pub memory_app_domain: usize,
    /// The same for those whose refusal costs the process.
    pub memory_process: usize,
}

/// What a program of the first version knows of the options.
const OPTIONS_LEAST: usize = std::mem::offset_of!(fiberhost_options, assemblies);

/// Makes a host. With null for the options, all settings have their defaults.
///
/// # Safety
/// The options are null, or as many readable bytes as they say; `host` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_host_create(
    options: *const fiberhost_options,
    host: *mut *mut fiberhost_host,
) -> Code {
    guard(|| {
        // SAFETY: the caller's promise.
        let place = unsafe { answer(host) }?;
        *place = std::ptr::null_mut();
        let made = if options.is_null() {
            Host::builder().build()?
        } else {
            // SAFETY: the caller's promise.
            unsafe { read(options) }?.build()?
        };
        *place = Held::give(Whole { host: made }).cast();
        Ok(code::FIBERHOST_OK)
    })
}

/// # Safety
/// As many readable bytes as they say, and a name that ends in a zero.
unsafe fn read(options: *const fiberhost_options) -> Result<crate::Builder, Failure> {
    if !options.is_aligned() {
        return Err(code::invalid("misaligned options"));
    }
    // SAFETY: aligned; the size is there in any case.
    let size = unsafe { (&raw const (*options).size).read() };
    if size < OPTIONS_LEAST {
        return Err(code::invalid(
            "options that are too small: FIBERHOST_OPTIONS_INIT was not used",
        ));
    }
    // SAFETY: all zeros are a value of it: what a program does not know has its default.
    let mut known: fiberhost_options = unsafe { std::mem::zeroed() };
    let common = size.min(size_of::<fiberhost_options>());
    // SAFETY: as many bytes are there, and there is room for them.
    unsafe {
        let place = (&raw mut known).cast::<u8>();
        place.copy_from_nonoverlapping(options.cast(), common);
    }
    code::version(known.version)?;
    // SAFETY: as many bytes are there.
    let beyond =
        unsafe { std::slice::from_raw_parts(options.cast::<u8>().add(common), size - common) };
    if beyond.iter().any(|byte| *byte != 0) {
        return Err(code::failure(
            code::FIBERHOST_E_VERSION,
            "options that this version of the library does not know",
        ));
    }
    let all = FIBERHOST_THREAD_MODE
        | FIBERHOST_DENY_STRANGERS
        | FIBERHOST_NO_THREADPOOL
        | FIBERHOST_IO_COMPLETION
        | FIBERHOST_IO_HELPERS
        | FIBERHOST_MEMORY
        | FIBERHOST_SECURITY;
    if known.flags & !all != 0 {
        return Err(code::invalid("an unknown flag"));
    }
    // SAFETY: the caller's promise.
    let name = unsafe { text(known.name) }?;
    // SAFETY: the caller's promise.
    let assemblies = unsafe { text(known.assemblies) }?;
    managers(settings(&known, name), &known, assemblies)
}

/// The managers that a host has on request.
fn managers(
    mut host: crate::Builder,
    known: &fiberhost_options,
    assemblies: Option<String>,
) -> Result<crate::Builder, Failure> {
    let is = |flag: u32| known.flags & flag != 0;
    if is(FIBERHOST_IO_HELPERS) && !is(FIBERHOST_IO_COMPLETION) {
        return Err(code::invalid("helper threads without transfers"));
    }
    if is(FIBERHOST_IO_COMPLETION) {
        host = with_transfers(host, is(FIBERHOST_IO_HELPERS))?;
    }
    let limits = [
        known.memory_task,
        known.memory_app_domain,
        known.memory_process,
    ];
    if is(FIBERHOST_MEMORY) {
        let [task, app_domain, process] = limits.map(|limit| match limit {
            0 => usize::MAX,
            limit => limit,
        });
        host = host.memory(MemoryLimits {
            task,
            app_domain,
            process,
            ..MemoryLimits::default()
        });
    } else if limits != [0; 3] {
        return Err(code::invalid("limits of memory without FIBERHOST_MEMORY"));
    }
    if is(FIBERHOST_SECURITY) {
        host = host.security(Security::new());
    }
    if let Some(folder) = assemblies {
        host = host.assemblies(Assemblies::new().folder(folder)?);
    }
    Ok(host)
}

#[cfg(feature = "net")]
fn with_transfers(host: crate::Builder, helpers: bool) -> Result<crate::Builder, Failure> {
    use crate::IoEngine;
    Ok(host.io_completion(match helpers {
        true => IoEngine::Helpers,
        false => IoEngine::Detect,
    }))
}

#[cfg(not(feature = "net"))]
fn with_transfers(_: crate::Builder, _: bool) -> Result<crate::Builder, Failure> {
    Err(code::without_transfers())
}

fn settings(known: &fiberhost_options, name: Option<String>) -> crate::Builder {
    let mut scheduler = Scheduler::builder();
    if let Some(name) = name {
        scheduler = scheduler.name(name);
    }
    if known.workers != 0 {
        scheduler = scheduler.workers(known.workers);
    }
    if known.max_threads != 0 {
        scheduler = scheduler.max_threads(known.max_threads);
    }
    if known.max_tasks != 0 {
        scheduler = scheduler.max_tasks(known.max_tasks);
    }
    if known.stack_size != 0 {
        scheduler = scheduler.stack_size(known.stack_size);
    }
    if known.quantum != 0 {
        scheduler = scheduler.quantum(Duration::from_nanos(known.quantum));
    }
    let is = |flag: u32| known.flags & flag != 0;
    let mut host = Host::builder().scheduler_settings(scheduler);
    if known.stack_size != 0 {
        host = host.stack_size(known.stack_size);
    }
    if is(FIBERHOST_THREAD_MODE) {
        host = host.tasks(TaskMode::Thread);
    }
    if is(FIBERHOST_DENY_STRANGERS) {
        host = host.strangers(Strangers::Deny);
    }
    if is(FIBERHOST_NO_THREADPOOL) {
        host = host.without_threadpool();
    }
    host
}

/// A text of C's; null is none.
///
/// # Safety
/// It is null, or ends in a zero.
pub(super) unsafe fn text(text: *const c_char) -> Result<Option<String>, Failure> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    let text = unsafe { CStr::from_ptr(text) };
    match text.to_str() {
        Ok(text) => Ok(Some(text.to_owned())),
        Err(_) => Err(code::invalid("a name that is no UTF-8")),
    }
}

/// The door by which a runtime finds the managers, as the hosting interfaces know it.
pub enum IHostControl {}

/// Answers the host's `IHostControl`, with a reference that the caller releases.
///
/// # Safety
/// The host comes from `fiberhost_host_create`; `control` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_host_control(
    host: *const fiberhost_host,
    control: *mut *mut IHostControl,
) -> Code {
    guard(|| {
        // SAFETY: the caller's promise.
        let place = unsafe { answer(control) }?;
        *place = std::ptr::null_mut();
        // SAFETY: the caller's promise.
        let whole = unsafe { fiberhost_host::look(host) }?;
        let pointer: *mut c_void = whole.host.control().clone().into_raw();
        *place = pointer.cast();
        Ok(code::FIBERHOST_OK)
    })
}

/// Figures of a host. Give `size` before the call.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct fiberhost_figures {
    /// Bytes of this structure, as the program was compiled.
    pub size: usize,
    /// How often a worker went to a task.
    pub switches: u64,
    /// Tasks spawned.
    pub spawned: u64,
    /// Tasks ended.
    pub ended: u64,
    /// Tasks that an idle worker found with another one.
    pub steals: u64,
    /// Workers that sleep.
    pub idle_workers: u64,
    /// OS threads.
    pub threads: u64,
    /// Slots that were taken from threads in native sections that lasted.
    pub handovers: u64,
    /// Bytes of address space for stacks.
    pub stack_bytes_mapped: u64,
    /// Objects of the hosting interfaces that somebody refers to.
    pub objects: u64,
}

/// Answers figures, without stopping anything.
///
/// # Safety
/// The host comes from `fiberhost_host_create`; the figures are null or as many bytes as they say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_host_figures(
    host: *const fiberhost_host,
    figures: *mut fiberhost_figures,
) -> Code {
    guard(|| {
        // SAFETY: the caller's promise.
        let place = unsafe { answer(figures) }?;
        if place.size < size_of::<fiberhost_figures>() {
            return Err(code::invalid("figures whose size was not given"));
        }
        // SAFETY: the caller's promise.
        let whole = unsafe { fiberhost_host::look(host) }?;
        let stats = whole.host.scheduler().stats();
        *place = fiberhost_figures {
            size: place.size,
            switches: stats.switches,
            spawned: stats.spawned,
            ended: stats.ended,
            steals: stats.steals,
            idle_workers: stats.idle_workers as u64,
            threads: stats.threads as u64,
            handovers: stats.handovers,
            stack_bytes_mapped: stats.stack_bytes_mapped as u64,
            objects: whole.host.figures().objects as u64,
        };
        Ok(code::FIBERHOST_OK)
    })
}

/// Ends a host: no more tasks, every wait of a task ends as cancelled, and the caller waits until all have returned.
/// `FIBERHOST_E_SURVIVORS` if some have not within the limit (nanoseconds): it may be called again.
/// `FIBERHOST_E_STATE` from inside one of its tasks.
///
/// # Safety
/// The host comes from `fiberhost_host_create`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_host_shutdown(host: *const fiberhost_host, limit: u64) -> Code {
    guard(|| {
        // SAFETY: the caller's promise.
        let whole = unsafe { fiberhost_host::look(host) }?;
        end(&whole.host, limit)
    })
}

fn end(host: &Host, limit: u64) -> Result<Code, Failure> {
    // "For ever" as a time that is none, but can be added to a moment.
    const LONG: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    let limit = match limit {
        FIBERHOST_FOREVER => LONG,
        nanoseconds => Duration::from_nanos(nanoseconds),
    };
    host.shutdown(limit).map_err(|error| {
        let code = if error.is_from_inside() {
            code::FIBERHOST_E_STATE
        } else {
            code::FIBERHOST_E_SURVIVORS
        };
        code::failure(code, error.to_string())
    })?;
    Ok(code::FIBERHOST_OK)
}

/// Shuts a host down (within ten seconds), and frees it if nothing is left. Otherwise it answers as `fiberhost_host_shutdown`,
/// and the host is still there. Null is fine.
///
/// # Safety
/// The host comes from `fiberhost_host_create`, and nobody uses it any more. Tasks, locks and references to its objects may
/// go later.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_host_destroy(host: *mut fiberhost_host) -> Code {
    const LIMIT: u64 = 10_000_000_000;
    guard(|| {
        if host.is_null() {
            return Ok(code::FIBERHOST_OK);
        }
        // SAFETY: the caller's promise.
        end(&unsafe { fiberhost_host::look(host) }?.host, LIMIT)?;
        // SAFETY: as above.
        unsafe { Held::<Whole>::take(host.cast()) }?;
        Ok(code::FIBERHOST_OK)
    })
}
