//! A host, called through its tables as a runtime calls it. The bench `versus` uses it as well.
//!
//! Room for unsafe code: calls through tables.

use std::ffi::c_void;
use std::sync::Arc;

use fiberhost::Host;
use fiberhost::com::table::{
    IHostAutoEventVtbl, IHostControlVtbl, IHostCrstVtbl, IHostSyncManagerVtbl,
    IHostTaskManagerVtbl, IID_IHostSyncManager, IID_IHostTaskManager, IUnknownVtbl,
};
use fiberhost::com::{Guid, Hresult, INFINITE};
use fiberhost_scheduler::Scheduler;

/// An object with the table of its interface, and a reference to it.
pub(crate) struct Called<T: 'static> {
    pub(crate) object: *mut c_void,
    pub(crate) table: &'static T,
}

// SAFETY: the objects of a host may be called from any thread.
unsafe impl<T> Send for Called<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Called<T> {}

impl<T> Called<T> {
    /// What a call gives through its last pointer.
    ///
    /// # Safety
    /// It is an object whose table this is, with a reference.
    pub(crate) unsafe fn given(call: impl FnOnce(*mut *mut c_void) -> Hresult) -> Called<T> {
        let mut object = std::ptr::null_mut();
        assert_eq!(call(&raw mut object), Hresult::S_OK);
        // SAFETY: as the caller says; tables are constants.
        let table = unsafe { &**object.cast::<*const T>() };
        Called { object, table }
    }

    /// A manager of this host.
    ///
    /// # Safety
    /// The identifier is that of the table.
    pub(crate) unsafe fn manager(host: &Host, iid: &Guid) -> Called<T> {
        let control = host.control().as_ptr();
        let ask = |out| {
            // SAFETY: the object is there and has this table.
            unsafe {
                ((**control.cast::<*const IHostControlVtbl>()).GetHostManager)(control, iid, out)
            }
        };
        // SAFETY: as the caller says; what is given has a reference.
        unsafe { Called::given(ask) }
    }
}

impl<T> Drop for Called<T> {
    fn drop(&mut self) {
        release(self.object);
    }
}

fn release(object: *mut c_void) {
    // SAFETY: whoever calls this has a reference, and every table begins like this.
    unsafe { ((**object.cast::<*const IUnknownVtbl>()).Release)(object) };
}

#[track_caller]
#[inline(always)]
pub(crate) fn done(answer: Hresult) {
    assert!(answer == Hresult::S_OK);
}

/// A host, and its managers of tasks and locks.
#[derive(Clone)]
pub(crate) struct Tables {
    tasks: Arc<Called<IHostTaskManagerVtbl>>,
    sync: Arc<Called<IHostSyncManagerVtbl>>,
    /// Last: the managers are released before it ends.
    _host: Arc<Host>,
}

impl Tables {
    pub(crate) fn on(scheduler: &Scheduler) -> Tables {
        let host = Host::builder().scheduler(scheduler.clone()).build();
        let host = host.expect("a host");
        // SAFETY: the identifiers are those of the tables.
        unsafe {
            Tables {
                tasks: Arc::new(Called::manager(&host, &IID_IHostTaskManager)),
                sync: Arc::new(Called::manager(&host, &IID_IHostSyncManager)),
                _host: Arc::new(host),
            }
        }
    }

    #[inline(always)]
    pub(crate) fn leave(&self, target: usize) {
        let Called { object, table } = *self.tasks;
        // SAFETY: the manager is there, and the address of the target is only a number to it.
        done(unsafe { (table.LeaveRuntime)(object, target) });
    }

    #[inline(always)]
    pub(crate) fn enter(&self) {
        let Called { object, table } = *self.tasks;
        // SAFETY: the manager is there.
        done(unsafe { (table.EnterRuntime)(object) });
    }

    #[inline(always)]
    pub(crate) fn call(&self) {
        let Called { object, table } = *self.tasks;
        // SAFETY: the manager is there.
        done(unsafe { (table.ReverseEnterRuntime)(object) });
    }

    #[inline(always)]
    pub(crate) fn end_call(&self) {
        let Called { object, table } = *self.tasks;
        // SAFETY: the manager is there.
        done(unsafe { (table.ReverseLeaveRuntime)(object) });
    }

    /// Asks for the calling task, and releases it.
    #[inline(always)]
    pub(crate) fn current_task(&self) {
        let Called { object, table } = *self.tasks;
        let mut task = std::ptr::null_mut();
        // SAFETY: the manager is there, and the result has a place.
        done(unsafe { (table.GetCurrentTask)(object, &raw mut task) });
        release(task);
    }

    pub(crate) fn section(&self) -> Section {
        let Called { object, table } = *self.sync;
        // SAFETY: the manager is there, and gives an object with this table.
        Section(unsafe { Called::given(|out| (table.CreateCrst)(object, out)) })
    }

    pub(crate) fn event(&self) -> Event {
        let Called { object, table } = *self.sync;
        // SAFETY: the manager is there, and gives an object with this table.
        Event(unsafe { Called::given(|out| (table.CreateAutoEvent)(object, out)) })
    }
}

/// A critical section.
pub(crate) struct Section(Called<IHostCrstVtbl>);

impl Section {
    #[inline(always)]
    pub(crate) fn enter(&self) {
        // SAFETY: the object is there.
        done(unsafe { (self.0.table.Enter)(self.0.object, 0) });
    }

    #[inline(always)]
    pub(crate) fn leave(&self) {
        // SAFETY: the object is there.
        done(unsafe { (self.0.table.Leave)(self.0.object) });
    }
}

/// An event that lets one through for each set.
pub(crate) struct Event(Called<IHostAutoEventVtbl>);

impl Event {
    #[inline(always)]
    pub(crate) fn wait(&self) {
        // SAFETY: the object is there.
        done(unsafe { (self.0.table.Wait)(self.0.object, INFINITE, 0) });
    }

    #[inline(always)]
    pub(crate) fn set(&self) {
        // SAFETY: the object is there.
        done(unsafe { (self.0.table.Set)(self.0.object) });
    }
}
