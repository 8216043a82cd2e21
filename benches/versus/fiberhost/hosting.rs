//! The hosting interfaces, called through their tables as a runtime calls them.

use std::ffi::c_void;
use std::sync::Arc;
use std::time::Instant;

use fiberhost::Host;
use fiberhost::com::Hresult;
use fiberhost::com::table::{
    IHostControlVtbl, IHostTaskManagerVtbl, IID_IHostTaskManager, IUnknownVtbl,
};
use fiberhost_scheduler::Scheduler;

use super::super::contender::Measured;
use super::super::witness;

/// A host, and its manager of tasks.
#[derive(Clone)]
pub(super) struct Hosted {
    /// It has the manager.
    _host: Arc<Host>,
    tasks: *mut c_void,
    table: &'static IHostTaskManagerVtbl,
}

// SAFETY: the objects of a host may be called from any thread.
unsafe impl Send for Hosted {}

impl Hosted {
    pub(super) fn on(scheduler: &Scheduler) -> Hosted {
        let host = Host::builder().scheduler(scheduler.clone()).build();
        let host = host.expect("a host");
        let control = host.control().as_ptr();
        let mut tasks = std::ptr::null_mut();
        // SAFETY: the object is there and has this table. The host has the manager too, so the reference goes back at
        // once; its table is constant.
        let table = unsafe {
            let table = *control.cast::<*const IHostControlVtbl>();
            let iid = &IID_IHostTaskManager;
            let found = ((*table).GetHostManager)(control, iid, &raw mut tasks);
            assert_eq!(found, Hresult::S_OK);
            ((**tasks.cast::<*const IUnknownVtbl>()).Release)(tasks);
            &**tasks.cast::<*const IHostTaskManagerVtbl>()
        };
        Hosted {
            _host: Arc::new(host),
            tasks,
            table,
        }
    }

    pub(super) fn hook_pairs(&self, pairs: u64) -> Measured {
        let _noted = witness::task();
        let start = Instant::now();
        for pair in 0..pairs {
            // SAFETY: the manager is there, and the address of the target is only a number to it.
            let (left, entered) = unsafe {
                let left = (self.table.LeaveRuntime)(self.tasks, 0x1000 + pair as usize % 8);
                (left, (self.table.EnterRuntime)(self.tasks))
            };
            assert!(left == Hresult::S_OK && entered == Hresult::S_OK);
        }
        Measured::each(start.elapsed(), pairs)
    }

    pub(super) fn current_tasks(&self, answers: u64) -> Measured {
        let _noted = witness::task();
        let start = Instant::now();
        for _ in 0..answers {
            let mut task = std::ptr::null_mut();
            // SAFETY: the manager is there, and the reference that it gives is given back.
            unsafe {
                let found = (self.table.GetCurrentTask)(self.tasks, &raw mut task);
                assert_eq!(found, Hresult::S_OK);
                ((**task.cast::<*const IUnknownVtbl>()).Release)(task);
            }
        }
        Measured::each(start.elapsed(), answers)
    }
}
