//! What the tests of the hosting layer share: a host whose objects are called as a runtime calls them, through their tables.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::ffi::c_void;
use std::sync::mpsc::channel;

use fiberhost::com::table::{self, ThreadStartRoutine};
use fiberhost::com::{Guid, Hresult, INFINITE};
use fiberhost::scheduler::Scheduler;
use fiberhost::{Builder, Host, TaskMode};

use crate::common::{LONG, Watchdog, eventually};

/// Calls a slot of an object, named by the type of its table.
macro_rules! com {
    ($object:expr, $table:ident, $slot:ident $(, $argument:expr)* $(,)?) => {{
        let object: $crate::hosting::Object = $object;
        // SAFETY: the object is there and has this table; the test vouches for what it gives.
        unsafe {
            let table = *object.get().cast::<*const fiberhost::com::table::$table>();
            ((*table).$slot)(object.get() $(, $argument)*)
        }
    }};
}

// Behind the macro, which they use.
pub(crate) mod actor;
pub(crate) mod fake;
pub(crate) mod locks;

/// The objects that a host has by itself: its control and five managers.
pub(crate) const OWN_OBJECTS: usize = 6;

/// A pointer to an object, as a runtime has it: it counts nothing by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Object(*mut c_void);

// SAFETY: the objects may be called from any thread.
unsafe impl Send for Object {}
// SAFETY: as above.
unsafe impl Sync for Object {}

impl Object {
    pub(crate) fn new(pointer: *mut c_void) -> Object {
        Object(pointer)
    }

    pub(crate) fn get(self) -> *mut c_void {
        self.0
    }

    pub(crate) fn is_null(self) -> bool {
        self.0.is_null()
    }

    pub(crate) fn release(self) -> u32 {
        com!(self, IUnknownVtbl, Release)
    }

    /// How many refer to it.
    pub(crate) fn references(self) -> u32 {
        com!(self, IUnknownVtbl, AddRef);
        self.release()
    }
}

/// What a call gives through its last pointer.
#[track_caller]
pub(crate) fn given(call: impl FnOnce(*mut *mut c_void) -> Hresult) -> Object {
    let mut object = std::ptr::null_mut();
    assert_eq!(call(&raw mut object), Hresult::S_OK);
    assert!(!object.is_null());
    Object(object)
}

/// A closure as a function with its argument.
pub(crate) fn routine<F: FnOnce() + Send + 'static>(work: F) -> (ThreadStartRoutine, *mut c_void) {
    unsafe extern "system" fn run<F: FnOnce()>(context: *mut c_void) -> u32 {
        // SAFETY: the context is the box below, and each function is called once.
        let work = unsafe { Box::from_raw(context.cast::<F>()) };
        // As a runtime's function it must not unwind.
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err() {
            std::process::abort();
        }
        0
    }
    (run::<F>, Box::into_raw(Box::new(work)).cast())
}

pub(crate) fn release_all<const N: usize>(objects: [Object; N]) {
    for object in objects {
        object.release();
    }
}

/// A host, called from outside.
pub(crate) struct Bench {
    pub(crate) host: Host,
    pub(crate) control: Object,
    pub(crate) tasks: Object,
    pub(crate) sync: Object,
    pub(crate) pool: Object,
    pub(crate) gc: Object,
    pub(crate) policy: Object,
    /// The objects that the host has by itself.
    pub(crate) own: usize,
}

impl Bench {
    #[track_caller]
    pub(crate) fn new(builder: Builder) -> Bench {
        let host = builder.build().expect("a host");
        let control = Object(host.control().as_ptr());
        let manager = |iid: Guid| {
            let object = given(|out| {
                com!(
                    control,
                    IHostControlVtbl,
                    GetHostManager,
                    &raw const iid,
                    out
                )
            });
            // The host has them too.
            object.release();
            object
        };
        Bench {
            control,
            tasks: manager(table::IID_IHostTaskManager),
            sync: manager(table::IID_IHostSyncManager),
            pool: manager(table::IID_IHostThreadpoolManager),
            gc: manager(table::IID_IHostGCManager),
            policy: manager(table::IID_IHostPolicyManager),
            own: host.figures().objects,
            host,
        }
    }

    /// A created task that is not started.
    #[track_caller]
    pub(crate) fn create<F: FnOnce() + Send + 'static>(&self, work: F) -> Object {
        let (function, context) = routine(work);
        given(|out| {
            com!(
                self.tasks,
                IHostTaskManagerVtbl,
                CreateTask,
                0,
                Some(function),
                context,
                out
            )
        })
    }

    /// A created task that was started.
    #[track_caller]
    pub(crate) fn start<F: FnOnce() + Send + 'static>(&self, work: F) -> Object {
        let task = self.create(work);
        assert_eq!(com!(task, IHostTaskVtbl, Start), Hresult::S_OK);
        task
    }

    /// Runs a closure as a created task, and waits for it.
    #[track_caller]
    pub(crate) fn run<F, T>(&self, work: F) -> T
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let (tell, told) = channel();
        let task = self.start(move || tell.send(work()).expect("the test waits for it"));
        join(task);
        told.recv().expect("it has told")
    }
}

/// Waits for a task and releases it.
#[track_caller]
pub(crate) fn join(task: Object) {
    assert_eq!(com!(task, IHostTaskVtbl, Join, INFINITE, 0), Hresult::S_OK);
    task.release();
}

/// Runs a test on hosts of one, two and four workers whose tasks are fibers that move at every wait, and on one whose tasks
/// are threads. At the end nothing may be left but the host's own objects.
#[track_caller]
pub(crate) fn at_workers(test: impl Fn(&Bench)) {
    for workers in [1, 2, 4] {
        at(workers, TaskMode::Fiber, &test);
    }
    at(2, TaskMode::Thread, &test);
}

#[track_caller]
pub(crate) fn at(workers: usize, mode: TaskMode, test: impl Fn(&Bench)) {
    with(builder(workers).tasks(mode), test);
}

pub(crate) fn builder(workers: usize) -> Builder {
    let settings = Scheduler::builder()
        .workers(workers)
        .check_invariants(true)
        .force_migration(true);
    // The machine may be loaded: only what tests that has callbacks go on without a slot.
    Host::builder()
        .scheduler_settings(settings)
        .callback_patience(LONG)
}

#[track_caller]
pub(crate) fn with(builder: Builder, test: impl Fn(&Bench)) {
    let _watchdog = Watchdog::new(std::panic::Location::caller().to_string());
    let bench = Bench::new(builder);
    test(&bench);
    bench.host.release_thread();
    bench
        .host
        .shutdown(LONG)
        .expect("nothing is left to wait for");
    eventually("only the host's own objects are left", || {
        bench.host.figures().objects == bench.own
    });
    for object in [
        bench.control,
        bench.tasks,
        bench.sync,
        bench.pool,
        bench.gc,
        bench.policy,
    ] {
        assert_eq!(object.references(), 1, "the host's own reference");
    }
}

/// The same in a task and on a plain thread.
#[track_caller]
pub(crate) fn everywhere(bench: &Bench, work: fn(&'static Bench)) {
    // SAFETY: what gets the reference has ended before this returns.
    let bench: &'static Bench = unsafe { &*std::ptr::from_ref(bench) };
    work(bench);
    bench.run(move || work(bench));
}
