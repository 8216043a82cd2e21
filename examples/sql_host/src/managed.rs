//! The runtime's side of the binary interface: its tasks are made through it, and its hooks are sent through it.
//!
//! `GetHostManager`, `CreateTask` and `Start` are called through the objects' tables, and so are the transition hooks. What a
//! task runs may change its OS thread at every wait, and says with hooks when it depends on it: a session calls SQLite between
//! `LeaveRuntime` and `EnterRuntime`, and keeps nothing else of its thread.
//!
//! Room for unsafe code: calls through tables of functions, and the closure behind a task's argument.

use std::ffi::c_void;

use fiberhost::com::Hresult;
use fiberhost::com::table::{
    IHostControlVtbl, IHostTaskManagerVtbl, IHostTaskVtbl, IID_IHostTaskManager, IUnknownVtbl,
};
use fiberhost::{Abort, Host};

use crate::clr_task;

/// Bytes of stack of a session: SQLite's parser and ours are recursive, and so are statements whose functions run statements.
/// What is not used costs addresses alone.
pub const STACK_SIZE: u32 = 1024 * 1024;

/// A counted pointer to an object of the host's.
#[derive(Debug)]
struct Object(*mut c_void);

/// The table of an object.
///
/// # Safety
/// It is an object with this table.
unsafe fn table<T>(object: *mut c_void) -> &'static T {
    // SAFETY: an object begins with a pointer to its table, which is constant.
    unsafe { &**object.cast::<*const T>() }
}

impl Object {
    /// What a call gives through its last pointer.
    fn given(call: impl FnOnce(*mut *mut c_void) -> Hresult) -> Result<Object, Hresult> {
        let mut object = std::ptr::null_mut();
        match call(&raw mut object) {
            Hresult::S_OK => Ok(Object(object)),
            refused => Err(refused),
        }
    }
}

fn answer(answer: Hresult) -> Result<(), Hresult> {
    match answer {
        Hresult::S_OK => Ok(()),
        refused => Err(refused),
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        // SAFETY: every object has these three first, and the reference is ours to give back.
        unsafe { (table::<IUnknownVtbl>(self.0).Release)(self.0) };
    }
}

/// The host's manager of tasks, as a runtime has it.
#[derive(Debug)]
pub struct Tasks(Object);

// SAFETY: objects of the host may be called from any thread.
unsafe impl Send for Tasks {}
// SAFETY: as above.
unsafe impl Sync for Tasks {}

impl Tasks {
    /// Asks the host for it.
    ///
    /// # Errors
    /// What the host answers.
    pub fn of(host: &Host) -> Result<Tasks, Hresult> {
        let control = host.control().as_ptr();
        // SAFETY: the host's control has this table, and lives as long as the host does.
        let ask = unsafe { table::<IHostControlVtbl>(control) }.GetHostManager;
        let iid = IID_IHostTaskManager;
        // SAFETY: all pointers are valid for the call.
        let manager = Object::given(|out| unsafe { ask(control, &raw const iid, out) })?;
        Ok(Tasks(manager))
    }

    /// What stands in front of the host's manager, and hands on what it is told.
    ///
    /// # Safety
    /// It has the table of an `IHostTaskManager`, may be called from any thread, and one reference to it is given away here.
    pub unsafe fn from_raw(manager: *mut c_void) -> Tasks {
        Tasks(Object(manager))
    }

    /// The object's table.
    pub fn table(&self) -> &'static IHostTaskManagerVtbl {
        // SAFETY: the manager has this table.
        unsafe { table(self.0.0) }
    }

    /// `LeaveRuntime`: the calling task goes into unmanaged code at this address.
    ///
    /// # Errors
    /// What the host answers; nothing has happened.
    pub fn leave(&self, target: usize) -> Result<(), Hresult> {
        // SAFETY: the manager is there. The hooks themselves want nothing: the host refuses what does not fit.
        answer(unsafe { (self.table().LeaveRuntime)(self.0.0, target) })
    }

    /// `EnterRuntime`: it comes back.
    ///
    /// # Errors
    /// If it was not away.
    pub fn enter(&self) -> Result<(), Hresult> {
        // SAFETY: as above.
        answer(unsafe { (self.table().EnterRuntime)(self.0.0) })
    }

    /// `ReverseEnterRuntime`: unmanaged code calls managed code.
    ///
    /// # Errors
    /// As for [`leave`](Tasks::leave).
    pub fn reverse_enter(&self) -> Result<(), Hresult> {
        // SAFETY: as above.
        answer(unsafe { (self.table().ReverseEnterRuntime)(self.0.0) })
    }

    /// `ReverseLeaveRuntime`: that call returns.
    ///
    /// # Errors
    /// If there is none.
    pub fn reverse_leave(&self) -> Result<(), Hresult> {
        // SAFETY: as above.
        answer(unsafe { (self.table().ReverseLeaveRuntime)(self.0.0) })
    }

    /// `SwitchToTask`: the calling task has run long enough. Whether another one ran. A task below which unmanaged code lies
    /// stays on its thread, which sleeps meanwhile.
    pub fn switch_to_task(&self) -> bool {
        // SAFETY: as above.
        unsafe { (self.table().SwitchToTask)(self.0.0, 0) == Hresult::S_OK }
    }

    /// `GetCurrentTask`, and its `SetCLRTask`: from now on the host can ask for the end of the calling task, which comes to
    /// `ender`, on any thread.
    ///
    /// # Errors
    /// What the host answers.
    pub fn tie(&self, ender: impl Fn(Abort) + Send + Sync + 'static) -> Result<(), Hresult> {
        let current = self.table().GetCurrentTask;
        // SAFETY: the manager is there, and so is the place for the answer.
        let task = Object::given(|out| unsafe { current(self.0.0, out) })?;
        let ours = Object(clr_task::object(Box::new(ender)));
        // SAFETY: the task has this table.
        let tie = unsafe { table::<IHostTaskVtbl>(task.0) }.SetCLRTask;
        // SAFETY: both objects are there. The host counts a reference of its own.
        answer(unsafe { tie(task.0, ours.0) })
    }

    /// Runs `body` as a task of the runtime.
    ///
    /// # Safety
    /// `body` may go on another OS thread after each wait: what it keeps across one is not tied to a thread, whatever the types
    /// on its stack are.
    ///
    /// # Errors
    /// What the host answers; `body` was dropped.
    pub unsafe fn spawn<F: FnOnce() + Send + 'static>(&self, body: F) -> Result<(), Hresult> {
        unsafe extern "system" fn run<F: FnOnce()>(body: *mut c_void) -> u32 {
            // SAFETY: it is the box from below, and the function is called once.
            let body = unsafe { Box::from_raw(body.cast::<F>()) };
            // The end of the scheduler unwinds a task that waits; no unwinding goes through the binary interface.
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
            u32::from(ended.is_err())
        }
        let body = Box::into_raw(Box::new(body));
        let create = self.table().CreateTask;
        let created = Object::given(|out| {
            // SAFETY: the pointers are valid; the function may be called with this argument on any thread, as the caller
            // promises.
            unsafe { create(self.0.0, STACK_SIZE, Some(run::<F>), body.cast(), out) }
        });
        let started = created.and_then(|task| {
            // SAFETY: the task has this table.
            let start = unsafe { table::<IHostTaskVtbl>(task.0) }.Start;
            // SAFETY: the task is there.
            match unsafe { start(task.0) } {
                Hresult::S_OK => Ok(()),
                refused => Err(refused),
            }
        });
        if started.is_err() {
            // SAFETY: a task that was not started never calls its function, so the box is still ours.
            drop(unsafe { Box::from_raw(body) });
        }
        started
    }
}
