//! The runtime's side of a session's task (`ICLRTask`), by which the host asks for its end.
//!
//! | the host calls | the session |
//! |---|---|
//! | `Abort` | its statement ends, as after a cancel request |
//! | `RudeAbort` | it ends, as after `KILL` |
//! | `YieldTask` | nothing: its guest gives way at the end of each quantum anyway |
//! | `SwitchOut`, `SwitchIn` | nothing: between two polls of a guest no part of the runtime is on the thread |
//!
//! Room for unsafe code: the object, its count and its table.

use std::ffi::c_void;
use std::sync::atomic::{AtomicU32, Ordering, fence};

use fiberhost::Abort;
use fiberhost::com::table::{COR_GC_THREAD_STATS, ICLRTaskVtbl, IID_ICLRTask, IID_IUnknown};
use fiberhost::com::{Guid, Hresult};

/// Who ends the session.
type Ender = Box<dyn Fn(Abort) + Send + Sync>;

#[repr(C)]
struct ClrTask {
    table: &'static ICLRTaskVtbl,
    references: AtomicU32,
    ender: Ender,
}

static TABLE: ICLRTaskVtbl = ICLRTaskVtbl {
    QueryInterface: query_interface,
    AddRef: add_ref,
    Release: release,
    SwitchIn: switch_in,
    SwitchOut: nothing,
    GetMemStats: memory_figures,
    Reset: reset,
    ExitTask: nothing,
    Abort: abort,
    RudeAbort: rude_abort,
    NeedsPriorityScheduling: needs_priority,
    YieldTask: nothing,
    LocksHeld: locks_held,
    SetTaskIdentifier: set_identifier,
};

/// An object with one reference, which is the caller's.
pub(crate) fn object(ender: Ender) -> *mut c_void {
    let task = ClrTask {
        table: &TABLE,
        references: AtomicU32::new(1),
        ender,
    };
    Box::into_raw(Box::new(task)).cast()
}

/// # Safety
/// `this` is one of ours, and lives as long as the call.
unsafe fn task<'a>(this: *mut c_void) -> &'a ClrTask {
    // SAFETY: the caller's promise.
    unsafe { &*this.cast::<ClrTask>() }
}

unsafe extern "system" fn query_interface(
    this: *mut c_void,
    iid: *const Guid,
    out: *mut *mut c_void,
) -> Hresult {
    if iid.is_null() || out.is_null() {
        return Hresult::E_POINTER;
    }
    // SAFETY: it is there.
    let known = [IID_IUnknown, IID_ICLRTask].contains(unsafe { &*iid });
    let (object, answer) = if known {
        // SAFETY: it is called through the object's table.
        unsafe { add_ref(this) };
        (this, Hresult::S_OK)
    } else {
        (std::ptr::null_mut(), Hresult::E_NOINTERFACE)
    };
    // SAFETY: the place is there.
    unsafe { out.write(object) };
    answer
}

unsafe extern "system" fn add_ref(this: *mut c_void) -> u32 {
    // SAFETY: it is called through the object's table.
    let task = unsafe { task(this) };
    // Relaxed: who counts has a reference already.
    task.references.fetch_add(1, Ordering::Relaxed) + 1
}

unsafe extern "system" fn release(this: *mut c_void) -> u32 {
    // SAFETY: as above.
    let task = unsafe { task(this) };
    // Release: pairs with the fence of the last one, which sees what the others did with the object.
    let left = task.references.fetch_sub(1, Ordering::Release) - 1;
    if left == 0 {
        fence(Ordering::Acquire);
        // SAFETY: it is the box from above, and this was its last reference.
        drop(unsafe { Box::from_raw(this.cast::<ClrTask>()) });
    }
    left
}

unsafe extern "system" fn nothing(_this: *mut c_void) -> Hresult {
    Hresult::S_OK
}

unsafe extern "system" fn switch_in(_this: *mut c_void, _thread: *mut c_void) -> Hresult {
    Hresult::S_OK
}

unsafe extern "system" fn memory_figures(
    _this: *mut c_void,
    _figures: *mut COR_GC_THREAD_STATS,
) -> Hresult {
    Hresult::E_NOTIMPL
}

/// A session's task is not used for another one.
unsafe extern "system" fn reset(_this: *mut c_void, _full: i32) -> Hresult {
    Hresult::E_NOTIMPL
}

unsafe extern "system" fn abort(this: *mut c_void) -> Hresult {
    // SAFETY: it is called through the object's table.
    (unsafe { task(this) }.ender)(Abort::Orderly);
    Hresult::S_OK
}

unsafe extern "system" fn rude_abort(this: *mut c_void) -> Hresult {
    // SAFETY: as above.
    (unsafe { task(this) }.ender)(Abort::Rude);
    Hresult::S_OK
}

/// There is no collector that would wait for it.
unsafe extern "system" fn needs_priority(_this: *mut c_void, needs: *mut i32) -> Hresult {
    if needs.is_null() {
        return Hresult::E_POINTER;
    }
    // SAFETY: the place is there.
    unsafe { needs.write(0) };
    Hresult::S_OK
}

unsafe extern "system" fn locks_held(_this: *mut c_void, count: *mut usize) -> Hresult {
    if count.is_null() {
        return Hresult::E_POINTER;
    }
    // SAFETY: the place is there.
    unsafe { count.write(0) };
    Hresult::S_OK
}

unsafe extern "system" fn set_identifier(_this: *mut c_void, _asked: u64) -> Hresult {
    Hresult::S_OK
}
