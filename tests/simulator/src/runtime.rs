//! The runtime's objects: `ICLRRuntimeHost`, `ICLRTaskManager` and `ICLRTask`.

use std::ffi::c_void;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

use fiberhost::com::table::{
    self, COR_GC_THREAD_STATS, ExecuteInAppDomainCallback, ICLRRuntimeHostVtbl, ICLRTask2Vtbl,
    ICLRTaskManagerVtbl,
};
use fiberhost::com::{Guid, Hresult};

use crate::managed::Managed;
use crate::managers::Others;
use crate::object::{Object, com, given};
use crate::slots::{note, told};

/// What every task is to the host: an ordinary one.
const TT_USER: u32 = 0x100;

/// The beginning of each object: they have that in common.
#[repr(C)]
pub struct Head {
    table: *const c_void,
    references: AtomicU32,
}

// SAFETY: the tables are constant.
unsafe impl Send for Head {}
// SAFETY: as above.
unsafe impl Sync for Head {}

impl Head {
    /// Of an object with this table, and its owner's reference.
    pub fn new<T>(table: &'static T) -> Head {
        Head {
            table: (&raw const *table).cast(),
            references: AtomicU32::new(1),
        }
    }
}

/// The host's managers, as far as it has them, in the order in which a runtime asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Managers {
    /// `IHostMemoryManager`, if the host has memory for the runtime.
    pub memory: Option<Object>,
    /// `IHostTaskManager`.
    pub tasks: Object,
    /// `IHostThreadpoolManager`.
    pub pool: Object,
    /// `IHostSyncManager`.
    pub sync: Object,
    /// `IHostGCManager`.
    pub gc: Object,
    /// `IHostPolicyManager`.
    pub policy: Object,
}

/// The runtime. It lives as long as the process; what it refers to is given back by [`Runtime::let_go`].
#[repr(C)]
pub struct Runtime {
    head: Head,
    task_manager: &'static TaskManager,
    others: Others,
    managers: Mutex<Option<Managers>>,
}

/// Its `ICLRTaskManager`.
#[repr(C)]
struct TaskManager {
    head: Head,
}

/// One of its tasks, which counts what it is told.
#[repr(C)]
pub struct Task {
    head: Head,
    can_switch: bool,
    ins: AtomicU32,
    outs: AtomicU32,
    exits: AtomicU32,
    /// Looks, when it is told of its end, who says so and from where.
    at_exit: OnceLock<Box<dyn Fn() + Send + Sync>>,
    /// What it is in the runtime, if it runs managed code of a [`Heap`](crate::managed::Heap).
    managed: Option<Managed>,
}

static RUNTIME: ICLRRuntimeHostVtbl = ICLRRuntimeHostVtbl {
    QueryInterface: query,
    AddRef: add_ref,
    Release: release,
    Start: start,
    Stop: stop,
    SetHostControl: set_host_control,
    GetCLRControl: control,
    UnloadAppDomain: unload,
    ExecuteInAppDomain: callback,
    GetCurrentAppDomainId: first_domain,
    ExecuteApplication: application,
    ExecuteInDefaultAppDomain: method,
};

static TASK_MANAGER: ICLRTaskManagerVtbl = ICLRTaskManagerVtbl {
    QueryInterface: query,
    AddRef: add_ref,
    Release: release,
    CreateTask: create_task,
    GetCurrentTask: no_current_task,
    SetUILocale: ui_locale,
    SetLocale: locale,
    GetCurrentTaskType: task_type,
};

static TASK: ICLRTask2Vtbl = ICLRTask2Vtbl {
    QueryInterface: query_task,
    AddRef: add_ref,
    Release: release,
    SwitchIn: switch_in,
    SwitchOut: switch_out,
    GetMemStats: figures,
    Reset: reset,
    ExitTask: exit_task,
    Abort: abort,
    RudeAbort: rude_abort,
    NeedsPriorityScheduling: needs_priority,
    YieldTask: yield_task,
    LocksHeld: locks_held,
    SetTaskIdentifier: identifier,
    BeginPreventAsyncAbort: begin_prevent,
    EndPreventAsyncAbort: end_prevent,
};

impl Runtime {
    /// One that is not started.
    pub fn new() -> &'static Runtime {
        Box::leak(Box::new(Runtime {
            head: Head::new(&RUNTIME),
            task_manager: Box::leak(Box::new(TaskManager {
                head: Head::new(&TASK_MANAGER),
            })),
            others: Others::of_a_runtime(),
            managers: Mutex::new(None),
        }))
    }

    /// Its `ICLRRuntimeHost`.
    pub fn object(&'static self) -> Object {
        Object::new((&raw const *self).cast_mut().cast())
    }

    /// Its `ICLRMemoryNotificationCallback`.
    pub fn memory_callback(&self) -> &'static Head {
        self.others.memory_callback
    }

    /// What it has found.
    pub fn managers(&self) -> Managers {
        self.managers.lock().unwrap().expect("a host was set")
    }

    /// Gives the managers back, when nothing of the runtime runs any more.
    pub fn let_go(&self) {
        let managers = self.managers.lock().unwrap().take();
        let managers = managers.expect("a host was set");
        for manager in managers.all() {
            manager.release();
        }
    }

    /// One more reference, for a handle of the host's.
    pub fn add_reference(&'static self) {
        com!(self.object(), IUnknownVtbl, AddRef);
    }

    /// References to it and to its manager of tasks that others have.
    pub fn references_of_others(&self) -> u32 {
        let count = |head: &Head| head.references.load(Ordering::SeqCst) - 1;
        let others = [
            self.others.control,
            self.others.sync,
            self.others.memory_callback,
        ];
        let others: u32 = others.into_iter().map(count).sum();
        count(&self.head) + count(&self.task_manager.head) + others
    }

    fn take_host(&self, control: Object) -> Hresult {
        let mine = (&raw const *self.task_manager).cast_mut().cast();
        let sync = (&raw const *self.others.sync).cast_mut().cast();
        let managers = discover(
            control,
            |tasks| {
                let told = com!(tasks, IHostTaskManagerVtbl, SetCLRTaskManager, mine);
                assert_eq!(told, Hresult::S_OK);
            },
            |manager| {
                let told = com!(manager, IHostSyncManagerVtbl, SetCLRSyncManager, sync);
                assert_eq!(told, Hresult::S_OK);
            },
        );
        for manager in managers.all() {
            com!(manager, IUnknownVtbl, AddRef);
        }
        *self.managers.lock().unwrap() = Some(managers);
        Hresult::S_OK
    }
}

impl Managers {
    /// Each of them.
    pub fn all(&self) -> impl Iterator<Item = Object> {
        let always = [self.tasks, self.pool, self.sync, self.gc, self.policy];
        self.memory.into_iter().chain(always)
    }
}

/// The discovery: every manager is asked for once, in the order of a real runtime. The answers count nothing.
/// `tell` is called with the manager of tasks before the next one is asked for, and `tell_of_owners` with that of locks.
///
/// # Panics
/// If the host offers others than it should.
pub fn discover(
    control: Object,
    tell: impl FnOnce(Object),
    tell_of_owners: impl FnOnce(Object),
) -> Managers {
    let ask = |iid: Guid| {
        given(|out| {
            com!(
                control,
                IHostControlVtbl,
                GetHostManager,
                &raw const iid,
                out
            )
        })
    };
    let there = |iid| {
        let manager = ask(iid).expect("it is offered");
        // The host has it too.
        assert!(manager.release() > 0);
        manager
    };
    let absent = |iid| assert_eq!(ask(iid), Err(Hresult::E_NOINTERFACE));
    // The only one of these that a host of a script has or has not.
    let memory = ask(table::IID_IHostMemoryManager)
        .inspect(|manager| assert!(manager.release() > 0))
        .ok();
    let tasks = there(table::IID_IHostTaskManager);
    tell(tasks);
    let pool = there(table::IID_IHostThreadpoolManager);
    absent(table::IID_IHostIoCompletionManager);
    let sync = there(table::IID_IHostSyncManager);
    tell_of_owners(sync);
    absent(table::IID_IHostAssemblyManager);
    let gc = there(table::IID_IHostGCManager);
    absent(table::IID_IHostSecurityManager);
    let policy = there(table::IID_IHostPolicyManager);
    Managers {
        memory,
        tasks,
        pool,
        sync,
        gc,
        policy,
    }
}

impl Task {
    /// One that can be switched, or not.
    pub fn new(can_switch: bool) -> &'static Task {
        let count = || AtomicU32::new(0);
        Box::leak(Box::new(Task {
            head: Head::new(&TASK),
            can_switch,
            ins: count(),
            outs: count(),
            exits: count(),
            at_exit: OnceLock::new(),
            managed: None,
        }))
    }

    /// One that runs managed code.
    pub fn managed(can_switch: bool, managed: Managed) -> &'static Task {
        let mut task = Box::new(Task {
            head: Head::new(&TASK),
            can_switch,
            ins: AtomicU32::new(0),
            outs: AtomicU32::new(0),
            exits: AtomicU32::new(0),
            at_exit: OnceLock::new(),
            managed: None,
        });
        task.managed = Some(managed);
        Box::leak(task)
    }

    /// What it is in the runtime.
    ///
    /// # Panics
    /// If it runs no managed code.
    pub fn thread(&self) -> &Managed {
        self.managed.as_ref().expect("it runs managed code")
    }

    /// Its `ICLRTask`.
    pub fn object(&'static self) -> Object {
        Object::new((&raw const *self).cast_mut().cast())
    }

    /// What is looked at when it is told of its end, on whatever tells it.
    ///
    /// # Panics
    /// If something is looked at already.
    pub fn look_at_exit(&self, look: impl Fn() + Send + Sync + 'static) {
        assert!(self.at_exit.set(Box::new(look)).is_ok(), "once");
    }

    /// How often it was told of its end.
    pub fn exits(&self) -> u32 {
        self.exits.load(Ordering::SeqCst)
    }

    /// How often it was switched out and in.
    pub fn switches(&self) -> (u32, u32) {
        let load = |count: &AtomicU32| count.load(Ordering::SeqCst);
        (load(&self.outs), load(&self.ins))
    }

    /// References that others have.
    pub fn references_of_others(&self) -> u32 {
        self.head.references.load(Ordering::SeqCst) - 1
    }
}

fn head<'a>(this: *mut c_void) -> &'a Head {
    // SAFETY: the objects of this module are never freed, and begin with it.
    unsafe { &*this.cast::<Head>() }
}

fn task<'a>(this: *mut c_void) -> &'a Task {
    // SAFETY: as above; these functions stand in no other table.
    unsafe { &*this.cast::<Task>() }
}

/// Nobody asks these objects for another interface.
pub(crate) unsafe extern "system" fn query(
    _: *mut c_void,
    _: *const Guid,
    out: *mut *mut c_void,
) -> Hresult {
    // SAFETY: as the interface says.
    unsafe { out.write(std::ptr::null_mut()) };
    Hresult::E_NOINTERFACE
}

pub(crate) unsafe extern "system" fn add_ref(this: *mut c_void) -> u32 {
    head(this).references.fetch_add(1, Ordering::SeqCst) + 1
}

pub(crate) unsafe extern "system" fn release(this: *mut c_void) -> u32 {
    let before = head(this).references.fetch_sub(1, Ordering::SeqCst);
    assert!(before > 1, "the runtime's own reference was released");
    before - 1
}

unsafe extern "system" fn start(_: *mut c_void) -> Hresult {
    told("ICLRRuntimeHost", "Start", &[])
}

unsafe extern "system" fn stop(_: *mut c_void) -> Hresult {
    told("ICLRRuntimeHost", "Stop", &[])
}

unsafe extern "system" fn set_host_control(this: *mut c_void, control: *mut c_void) -> Hresult {
    note("ICLRRuntimeHost", "SetHostControl");
    // SAFETY: this function stands in no other table.
    let runtime = unsafe { &*this.cast::<Runtime>() };
    runtime.take_host(Object::new(control))
}

unsafe extern "system" fn control(this: *mut c_void, out: *mut *mut c_void) -> Hresult {
    note("ICLRRuntimeHost", "GetCLRControl");
    // SAFETY: this function stands in no other table.
    let runtime = unsafe { &*this.cast::<Runtime>() };
    // SAFETY: as the interface says.
    unsafe { out.write((&raw const *runtime.others.control).cast_mut().cast()) };
    Hresult::S_OK
}

/// Its tasks come about by the host's.
unsafe extern "system" fn create_task(_: *mut c_void, out: *mut *mut c_void) -> Hresult {
    // SAFETY: as the interface says.
    unsafe { out.write(std::ptr::null_mut()) };
    told("ICLRTaskManager", "CreateTask", &[]);
    Hresult::E_NOTIMPL
}

/// It is asked by a thread that has none.
unsafe extern "system" fn no_current_task(_: *mut c_void, out: *mut *mut c_void) -> Hresult {
    // SAFETY: as the interface says.
    unsafe { out.write(std::ptr::null_mut()) };
    told("ICLRTaskManager", "GetCurrentTask", &[])
}

unsafe extern "system" fn unload(_: *mut c_void, domain: u32, wait: i32) -> Hresult {
    let arguments = [domain.into(), wait.into()];
    told("ICLRRuntimeHost", "UnloadAppDomain", &arguments)
}

/// Domain 1 is the only one.
unsafe extern "system" fn callback(
    _: *mut c_void,
    domain: u32,
    callback: Option<ExecuteInAppDomainCallback>,
    cookie: *mut c_void,
) -> Hresult {
    told("ICLRRuntimeHost", "ExecuteInAppDomain", &[domain.into()]);
    if domain != 1 {
        return Hresult::COR_E_APPDOMAINUNLOADED;
    }
    let callback = callback.expect("a function");
    // SAFETY: the host says that they fit.
    unsafe { callback(cookie) }
}

unsafe extern "system" fn first_domain(_: *mut c_void, out: *mut u32) -> Hresult {
    note("ICLRRuntimeHost", "GetCurrentAppDomainId");
    // SAFETY: as the interface says.
    unsafe { out.write(1) };
    Hresult::S_OK
}

unsafe extern "system" fn application(
    _: *mut c_void,
    _: *const u16,
    paths: u32,
    _: *mut *const u16,
    data: u32,
    _: *mut *const u16,
    out: *mut i32,
) -> Hresult {
    // SAFETY: as the interface says.
    unsafe { out.write(17) };
    let arguments = [paths.into(), data.into()];
    told("ICLRRuntimeHost", "ExecuteApplication", &arguments)
}

unsafe extern "system" fn method(
    _: *mut c_void,
    _: *const u16,
    _: *const u16,
    _: *const u16,
    _: *const u16,
    out: *mut u32,
) -> Hresult {
    // SAFETY: as the interface says.
    unsafe { out.write(19) };
    told("ICLRRuntimeHost", "ExecuteInDefaultAppDomain", &[])
}

unsafe extern "system" fn locale(_: *mut c_void, locale: u32) -> Hresult {
    told("ICLRTaskManager", "SetLocale", &[locale.into()])
}

unsafe extern "system" fn ui_locale(_: *mut c_void, locale: u32) -> Hresult {
    told("ICLRTaskManager", "SetUILocale", &[locale.into()])
}

unsafe extern "system" fn task_type(_: *mut c_void, out: *mut u32) -> Hresult {
    note("ICLRTaskManager", "GetCurrentTaskType");
    // SAFETY: as the interface says.
    unsafe { out.write(TT_USER) };
    Hresult::S_OK
}

unsafe extern "system" fn switch_in(this: *mut c_void, thread: *mut c_void) -> Hresult {
    note("ICLRTask", "SwitchIn");
    assert!(!thread.is_null(), "switched in on no thread");
    task(this).ins.fetch_add(1, Ordering::SeqCst);
    Hresult::S_OK
}

unsafe extern "system" fn switch_out(this: *mut c_void) -> Hresult {
    note("ICLRTask", "SwitchOut");
    if !task(this).can_switch {
        return Hresult::E_NOTIMPL;
    }
    task(this).outs.fetch_add(1, Ordering::SeqCst);
    Hresult::S_OK
}

unsafe extern "system" fn figures(_: *mut c_void, out: *mut COR_GC_THREAD_STATS) -> Hresult {
    note("ICLRTask", "GetMemStats");
    // SAFETY: as the interface says.
    unsafe { (*out).PerThreadAllocation = 23 };
    Hresult::S_OK
}

/// It is used again: until it is switched in it is nobody's.
unsafe extern "system" fn reset(this: *mut c_void, full: i32) -> Hresult {
    task(this).outs.fetch_add(1, Ordering::SeqCst);
    told("ICLRTask", "Reset", &[full.into()])
}

unsafe extern "system" fn exit_task(this: *mut c_void) -> Hresult {
    note("ICLRTask", "ExitTask");
    let task = task(this);
    task.exits.fetch_add(1, Ordering::SeqCst);
    if let Some(look) = task.at_exit.get() {
        look();
    }
    if let Some(managed) = &task.managed {
        managed.ended();
    }
    Hresult::S_OK
}

unsafe extern "system" fn abort(this: *mut c_void) -> Hresult {
    if let Some(managed) = &task(this).managed {
        managed.abort(false);
    }
    told("ICLRTask", "Abort", &[])
}

unsafe extern "system" fn rude_abort(this: *mut c_void) -> Hresult {
    if let Some(managed) = &task(this).managed {
        managed.abort(true);
    }
    told("ICLRTask", "RudeAbort", &[])
}

unsafe extern "system" fn needs_priority(this: *mut c_void, out: *mut i32) -> Hresult {
    note("ICLRTask", "NeedsPriorityScheduling");
    let needs = task(this).managed.as_ref().is_some_and(Managed::is_urgent);
    // SAFETY: as the interface says.
    unsafe { out.write(needs.into()) };
    Hresult::S_OK
}

unsafe extern "system" fn yield_task(this: *mut c_void) -> Hresult {
    told("ICLRTask", "YieldTask", &[]);
    let managed = task(this).managed.as_ref();
    managed.map_or(Hresult::S_OK, Managed::ask_to_yield)
}

unsafe extern "system" fn locks_held(this: *mut c_void, out: *mut usize) -> Hresult {
    note("ICLRTask", "LocksHeld");
    let locks = task(this).managed.as_ref().map_or(0, Managed::locks);
    // SAFETY: as the interface says.
    unsafe { out.write(locks) };
    Hresult::S_OK
}

unsafe extern "system" fn identifier(_: *mut c_void, asked: u64) -> Hresult {
    let asked = i64::try_from(asked).expect("it fits");
    told("ICLRTask", "SetTaskIdentifier", &[asked])
}

/// A task is both `ICLRTask` and `ICLRTask2`.
unsafe extern "system" fn query_task(
    this: *mut c_void,
    iid: *const Guid,
    out: *mut *mut c_void,
) -> Hresult {
    note("ICLRTask", "QueryInterface");
    // SAFETY: as the interface says.
    let iid = unsafe { *iid };
    if iid != table::IID_ICLRTask && iid != table::IID_ICLRTask2 {
        // SAFETY: as above.
        return unsafe { query(this, &raw const iid, out) };
    }
    head(this).references.fetch_add(1, Ordering::SeqCst);
    // SAFETY: as above.
    unsafe { out.write(this) };
    Hresult::S_OK
}

unsafe extern "system" fn begin_prevent(_: *mut c_void) -> Hresult {
    told("ICLRTask2", "BeginPreventAsyncAbort", &[])
}

unsafe extern "system" fn end_prevent(_: *mut c_void) -> Hresult {
    told("ICLRTask2", "EndPreventAsyncAbort", &[])
}
