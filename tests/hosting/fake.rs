//! Objects of a runtime that note how they are called.

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

use fiberhost::com::table::{COR_GC_THREAD_STATS, ICLRTaskVtbl, IID_ICLRTask, IUnknownVtbl};
use fiberhost::com::{Guid, Hresult};

use super::Object;

/// The objects here live as long as the process: one of them may be released late.
fn kept<T: Send + Sync>(object: Box<T>) -> &'static T {
    static KEPT: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    let object: &'static T = Box::leak(object);
    KEPT.lock().unwrap().push(&raw const *object as usize);
    object
}

/// A runtime's task.
#[repr(C)]
pub(crate) struct ClrTask {
    table: *const ICLRTaskVtbl,
    references: AtomicU32,
    switch_out: Hresult,
    at_exit: OnceLock<Box<dyn Fn() + Send + Sync>>,
    calls: Mutex<Vec<&'static str>>,
    /// What it says of being urgent, how often it was asked that, and how often to yield: whenever the host likes.
    pub(crate) urgent: AtomicBool,
    pub(crate) asked: AtomicU32,
    pub(crate) yields: AtomicU32,
}

// SAFETY: the table is constant.
unsafe impl Send for ClrTask {}
// SAFETY: as above.
unsafe impl Sync for ClrTask {}

static TASK: ICLRTaskVtbl = ICLRTaskVtbl {
    QueryInterface: query,
    AddRef: add_ref,
    Release: release,
    SwitchIn: switch_in,
    SwitchOut: switch_out,
    GetMemStats: stats,
    Reset: reset,
    ExitTask: exit_task,
    Abort: abort,
    RudeAbort: rude_abort,
    NeedsPriorityScheduling: needs_priority,
    YieldTask: yield_task,
    LocksHeld: locks_held,
    SetTaskIdentifier: set_identifier,
};

impl ClrTask {
    /// One that answers like this when it is switched out.
    pub(crate) fn new(switch_out: Hresult) -> &'static ClrTask {
        kept(Box::new(ClrTask {
            table: &raw const TASK,
            references: AtomicU32::new(1),
            switch_out,
            at_exit: OnceLock::new(),
            calls: Mutex::default(),
            urgent: AtomicBool::new(false),
            asked: AtomicU32::new(0),
            yields: AtomicU32::new(0),
        }))
    }

    /// What it does when it is told to end.
    pub(crate) fn at_exit(&self, work: impl Fn() + Send + Sync + 'static) {
        assert!(self.at_exit.set(Box::new(work)).is_ok(), "once");
    }

    pub(crate) fn object(&'static self) -> Object {
        Object::new(std::ptr::from_ref(self).cast_mut().cast())
    }

    pub(crate) fn references(&self) -> u32 {
        self.references.load(Ordering::SeqCst)
    }

    pub(crate) fn calls(&self) -> Vec<&'static str> {
        self.calls.lock().unwrap().clone()
    }

    fn note(this: *mut c_void, call: &'static str) -> Hresult {
        task(this).calls.lock().unwrap().push(call);
        Hresult::S_OK
    }
}

fn task(this: *mut c_void) -> &'static ClrTask {
    // SAFETY: these functions stand in no other table.
    unsafe { &*this.cast::<ClrTask>() }
}

unsafe extern "system" fn query(
    this: *mut c_void,
    iid: *const Guid,
    out: *mut *mut c_void,
) -> Hresult {
    // SAFETY: as the interface says.
    unsafe {
        *out = std::ptr::null_mut();
        if *iid != IID_ICLRTask {
            return Hresult::E_NOINTERFACE;
        }
        *out = this;
    }
    task(this).references.fetch_add(1, Ordering::SeqCst);
    Hresult::S_OK
}

unsafe extern "system" fn add_ref(this: *mut c_void) -> u32 {
    task(this).references.fetch_add(1, Ordering::SeqCst) + 1
}

unsafe extern "system" fn release(this: *mut c_void) -> u32 {
    let before = task(this).references.fetch_sub(1, Ordering::SeqCst);
    assert!(before > 0, "released more often than counted");
    before - 1
}

unsafe extern "system" fn switch_in(this: *mut c_void, thread: *mut c_void) -> Hresult {
    assert!(!thread.is_null());
    ClrTask::note(this, "SwitchIn")
}

unsafe extern "system" fn switch_out(this: *mut c_void) -> Hresult {
    let _ = ClrTask::note(this, "SwitchOut");
    task(this).switch_out
}

unsafe extern "system" fn stats(this: *mut c_void, out: *mut COR_GC_THREAD_STATS) -> Hresult {
    // SAFETY: as the interface says.
    unsafe { (*out).PerThreadAllocation = 123 };
    ClrTask::note(this, "GetMemStats")
}

unsafe extern "system" fn reset(this: *mut c_void, full: i32) -> Hresult {
    ClrTask::note(this, if full != 0 { "Reset full" } else { "Reset" })
}

unsafe extern "system" fn exit_task(this: *mut c_void) -> Hresult {
    if let Some(work) = task(this).at_exit.get() {
        work();
    }
    ClrTask::note(this, "ExitTask")
}

unsafe extern "system" fn abort(this: *mut c_void) -> Hresult {
    ClrTask::note(this, "Abort")
}

unsafe extern "system" fn rude_abort(this: *mut c_void) -> Hresult {
    ClrTask::note(this, "RudeAbort")
}

unsafe extern "system" fn needs_priority(this: *mut c_void, out: *mut i32) -> Hresult {
    // SAFETY: as the interface says.
    unsafe { *out = i32::from(task(this).urgent.load(Ordering::SeqCst)) };
    task(this).asked.fetch_add(1, Ordering::SeqCst);
    Hresult::S_OK
}

unsafe extern "system" fn yield_task(this: *mut c_void) -> Hresult {
    task(this).yields.fetch_add(1, Ordering::SeqCst);
    Hresult::S_FALSE
}

unsafe extern "system" fn locks_held(this: *mut c_void, out: *mut usize) -> Hresult {
    // SAFETY: as the interface says.
    unsafe { *out = 7 };
    ClrTask::note(this, "LocksHeld")
}

unsafe extern "system" fn set_identifier(this: *mut c_void, identifier: u64) -> Hresult {
    assert_eq!(identifier >> 32, 9, "all 64 bits arrive");
    ClrTask::note(this, "SetTaskIdentifier")
}

/// Any other object of a runtime: only its count is looked at.
#[repr(C)]
pub(crate) struct Plain {
    table: *const IUnknownVtbl,
    references: AtomicU32,
}

// SAFETY: the table is constant.
unsafe impl Send for Plain {}
// SAFETY: as above.
unsafe impl Sync for Plain {}

static PLAIN: IUnknownVtbl = IUnknownVtbl {
    QueryInterface: plain_query,
    AddRef: plain_add_ref,
    Release: plain_release,
};

impl Plain {
    pub(crate) fn new() -> &'static Plain {
        kept(Box::new(Plain {
            table: &raw const PLAIN,
            references: AtomicU32::new(1),
        }))
    }

    pub(crate) fn object(&'static self) -> Object {
        Object::new(std::ptr::from_ref(self).cast_mut().cast())
    }

    pub(crate) fn references(&self) -> u32 {
        self.references.load(Ordering::SeqCst)
    }
}

fn plain(this: *mut c_void) -> &'static Plain {
    // SAFETY: these functions stand in no other table.
    unsafe { &*this.cast::<Plain>() }
}

unsafe extern "system" fn plain_query(
    _: *mut c_void,
    _: *const Guid,
    out: *mut *mut c_void,
) -> Hresult {
    // SAFETY: as the interface says.
    unsafe { *out = std::ptr::null_mut() };
    Hresult::E_NOINTERFACE
}

unsafe extern "system" fn plain_add_ref(this: *mut c_void) -> u32 {
    plain(this).references.fetch_add(1, Ordering::SeqCst) + 1
}

unsafe extern "system" fn plain_release(this: *mut c_void) -> u32 {
    let before = plain(this).references.fetch_sub(1, Ordering::SeqCst);
    assert!(before > 0, "released more often than counted");
    before - 1
}

/// An object of any interface of a runtime: it notes slot and words of each call, and answers as it is told.
#[repr(C)]
pub(crate) struct Recorder {
    table: *const Slots,
    references: AtomicU32,
    answer: Box<dyn Fn(usize, &[usize; WORDS]) -> Hresult + Send + Sync>,
    calls: Mutex<Vec<(usize, [usize; WORDS])>>,
}

pub(crate) const WORDS: usize = 7;
type Slot = unsafe extern "system" fn(
    *mut c_void,
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
) -> Hresult;

#[repr(C)]
struct Slots {
    query: unsafe extern "system" fn(*mut c_void, *const Guid, *mut *mut c_void) -> Hresult,
    add_ref: unsafe extern "system" fn(*mut c_void) -> u32,
    release: unsafe extern "system" fn(*mut c_void) -> u32,
    others: [Slot; 9],
}

static SLOTS: Slots = Slots {
    query: plain_query,
    add_ref: recorder_add_ref,
    release: recorder_release,
    others: [
        recorded::<3>,
        recorded::<4>,
        recorded::<5>,
        recorded::<6>,
        recorded::<7>,
        recorded::<8>,
        recorded::<9>,
        recorded::<10>,
        recorded::<11>,
    ],
};

// SAFETY: the table is constant.
unsafe impl Send for Recorder {}
// SAFETY: as above.
unsafe impl Sync for Recorder {}

impl Recorder {
    pub(crate) fn new(
        answer: impl Fn(usize, &[usize; WORDS]) -> Hresult + Send + Sync + 'static,
    ) -> &'static Recorder {
        kept(Box::new(Recorder {
            table: &raw const SLOTS,
            references: AtomicU32::new(1),
            answer: Box::new(answer),
            calls: Mutex::default(),
        }))
    }

    pub(crate) fn object(&'static self) -> Object {
        Object::new(std::ptr::from_ref(self).cast_mut().cast())
    }

    pub(crate) fn references(&self) -> u32 {
        self.references.load(Ordering::SeqCst)
    }

    pub(crate) fn take_calls(&self) -> Vec<(usize, [usize; WORDS])> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }
}

fn recorder(this: *mut c_void) -> &'static Recorder {
    // SAFETY: these functions stand in no other table.
    unsafe { &*this.cast::<Recorder>() }
}

unsafe extern "system" fn recorder_add_ref(this: *mut c_void) -> u32 {
    recorder(this).references.fetch_add(1, Ordering::SeqCst) + 1
}

unsafe extern "system" fn recorder_release(this: *mut c_void) -> u32 {
    let before = recorder(this).references.fetch_sub(1, Ordering::SeqCst);
    assert!(before > 0, "released more often than counted");
    before - 1
}

/// On x86-64 every argument of these interfaces is one word, and those that are not given are whatever was there.
unsafe extern "system" fn recorded<const SLOT: usize>(
    this: *mut c_void,
    first: usize,
    second: usize,
    third: usize,
    fourth: usize,
    fifth: usize,
    sixth: usize,
    seventh: usize,
) -> Hresult {
    let words = [first, second, third, fourth, fifth, sixth, seventh];
    recorder(this).calls.lock().unwrap().push((SLOT, words));
    (recorder(this).answer)(SLOT, &words)
}
