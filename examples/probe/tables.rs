//! A host, called through its tables as a runtime calls it. The bench `versus` uses it as well.
//!
//! Room for unsafe code: calls through tables.

use std::ffi::c_void;
use std::sync::Arc;

use fiberhost::com::table::{
    IHostAutoEventVtbl, IHostControlVtbl, IHostCrstVtbl, IHostMallocVtbl, IHostMemoryManagerVtbl,
    IHostSyncManagerVtbl, IHostTaskManagerVtbl, IID_IHostMemoryManager, IID_IHostSyncManager,
    IID_IHostTaskManager, IUnknownVtbl,
};
use fiberhost::com::{Guid, Hresult, INFINITE};
use fiberhost::{Host, MemoryLimits};
use fiberhost_scheduler::Scheduler;

/// An object with the table of its interface, and a reference to it.
struct Called<T: 'static> {
    object: *mut c_void,
    table: &'static T,
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
    unsafe fn given(call: impl FnOnce(*mut *mut c_void) -> Hresult) -> Called<T> {
        let mut object = std::ptr::null_mut();
        assert_eq!(call(&raw mut object), Hresult::S_OK);
        // SAFETY: as the caller says; tables are constants.
        let table = unsafe { &**object.cast::<*const T>() };
        Called { object, table }
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
fn done(answer: Hresult) {
    assert!(answer == Hresult::S_OK);
}

/// A host, and its managers of tasks and locks.
#[derive(Clone)]
pub(crate) struct Tables {
    tasks: Arc<Called<IHostTaskManagerVtbl>>,
    sync: Arc<Called<IHostSyncManagerVtbl>>,
    memory: Arc<Called<IHostMemoryManagerVtbl>>,
    /// Last: the managers are released before it ends.
    _host: Arc<Host>,
}

impl Tables {
    pub(crate) fn on(scheduler: &Scheduler) -> Tables {
        let builder = Host::builder().scheduler(scheduler.clone());
        let host = builder.memory(MemoryLimits::default()).build();
        let host = host.expect("a host");
        let control = host.control().as_ptr();
        let ask = |iid: &Guid, out| {
            // SAFETY: the object is there and has this table.
            unsafe {
                ((**control.cast::<*const IHostControlVtbl>()).GetHostManager)(control, iid, out)
            }
        };
        // SAFETY: the identifiers are those of the tables.
        unsafe {
            Tables {
                tasks: Arc::new(Called::given(|out| ask(&IID_IHostTaskManager, out))),
                sync: Arc::new(Called::given(|out| ask(&IID_IHostSyncManager, out))),
                memory: Arc::new(Called::given(|out| ask(&IID_IHostMemoryManager, out))),
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

impl Tables {
    #[allow(dead_code, reason = "the bench has no heap")]
    pub(crate) fn heap(&self) -> Heap {
        let Called { object, table } = *self.memory;
        // SAFETY: the manager is there, and gives an object with this table.
        Heap(unsafe { Called::given(|out| (table.CreateMalloc)(object, 1, out)) })
    }
}

/// A heap.
pub(crate) struct Heap(Called<IHostMallocVtbl>);

impl Heap {
    /// A block of so many bytes, and back.
    #[allow(dead_code, reason = "as above")]
    #[inline(always)]
    pub(crate) fn pair(&self, size: usize) {
        let Called { object, table } = self.0;
        let mut block = std::ptr::null_mut();
        // SAFETY: the heap is there; what it gives goes back.
        unsafe {
            done((table.Alloc)(object, size, 0, &raw mut block));
            done((table.Free)(object, std::hint::black_box(block)));
        }
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
