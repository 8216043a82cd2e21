//! The runtime's managers that only note what the host tells them, and its answers about owners of locks.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use fiberhost::com::table::{
    self, COR_GC_STATS, ICLRControlVtbl, ICLRGCManagerVtbl, ICLRPolicyManagerVtbl,
    ICLRSyncManagerVtbl,
};
use fiberhost::com::{Guid, Hresult};

use crate::object::{Object, com};
use crate::runtime::{Head, add_ref, query, release};
use crate::slots::{note, told};
use crate::transfers;
use crate::{further, memory};

/// Owners by the number of their lock, each with a reference.
static OWNERS: Mutex<BTreeMap<usize, Vec<Object>>> = Mutex::new(BTreeMap::new());
/// Iterators over owners: those that are still to be handed out.
static ITERATORS: Mutex<BTreeMap<usize, Vec<Object>>> = Mutex::new(BTreeMap::new());
static COLLECTIONS: AtomicU64 = AtomicU64::new(0);

/// The managers of a runtime; they live as long as the process.
#[derive(Clone, Copy)]
pub struct Others {
    /// `ICLRControl`.
    pub control: &'static Head,
    /// `ICLRSyncManager`.
    pub sync: &'static Head,
    /// `ICLRMemoryNotificationCallback`.
    pub memory_callback: &'static Head,
    /// `ICLRIoCompletionManager`.
    pub io: &'static Head,
}

static CONTROL: ICLRControlVtbl = ICLRControlVtbl {
    QueryInterface: query,
    AddRef: add_ref,
    Release: release,
    GetCLRManager: manager,
    SetAppDomainManagerType: manager_type,
};

static SYNC: ICLRSyncManagerVtbl = ICLRSyncManagerVtbl {
    QueryInterface: query,
    AddRef: add_ref,
    Release: release,
    GetMonitorOwner: monitor_owner,
    CreateRWLockOwnerIterator: create_iterator,
    GetRWLockOwnerNext: next_owner,
    DeleteRWLockOwnerIterator: delete_iterator,
};

static GC: ICLRGCManagerVtbl = ICLRGCManagerVtbl {
    QueryInterface: query,
    AddRef: add_ref,
    Release: release,
    Collect: collect,
    GetStats: stats,
    SetGCStartupLimits: limits,
};

static POLICY: ICLRPolicyManagerVtbl = ICLRPolicyManagerVtbl {
    QueryInterface: query,
    AddRef: add_ref,
    Release: release,
    SetDefaultAction: default_action,
    SetTimeout: timeout,
    SetActionOnTimeout: action_on_timeout,
    SetTimeoutAndAction: timeout_and_action,
    SetActionOnFailure: action_on_failure,
    SetUnhandledExceptionPolicy: unhandled,
};

impl Others {
    /// Those of a new runtime.
    pub fn of_a_runtime() -> Others {
        Others {
            control: Box::leak(Box::new(Head::new(&CONTROL))),
            sync: Box::leak(Box::new(Head::new(&SYNC))),
            memory_callback: Box::leak(Box::new(Head::new(&memory::CALLBACK))),
            io: Box::leak(Box::new(Head::new(&transfers::IO))),
        }
    }
}

/// This task owns the lock of this number, until [`disown`].
pub fn own(number: usize, task: Object) {
    com!(task, IUnknownVtbl, AddRef);
    OWNERS.lock().unwrap().entry(number).or_default().push(task);
}

/// Nobody owns the lock of this number.
pub fn disown(number: usize) {
    let owners = OWNERS.lock().unwrap().remove(&number);
    for owner in owners.into_iter().flatten() {
        owner.release();
    }
}

unsafe extern "system" fn manager(
    _: *mut c_void,
    iid: *const Guid,
    out: *mut *mut c_void,
) -> Hresult {
    note("ICLRControl", "GetCLRManager");
    // SAFETY: as the interface says.
    let iid = unsafe { *iid };
    let head: Option<Head> = if iid == table::IID_ICLRGCManager {
        Some(Head::new(&GC))
    } else if iid == table::IID_ICLRPolicyManager {
        Some(Head::new(&POLICY))
    } else {
        further::manager(iid)
    };
    let found = head.map_or(std::ptr::null_mut(), |head| {
        (&raw mut *Box::leak(Box::new(head))).cast()
    });
    // SAFETY: as the interface says.
    unsafe { out.write(found) };
    if found.is_null() {
        Hresult::E_NOINTERFACE
    } else {
        Hresult::S_OK
    }
}

/// How many units a text has.
pub(crate) fn length(text: *const u16) -> i64 {
    // SAFETY: the texts of the interface end with a zero.
    let end = (0..).find(|at| unsafe { *text.add(*at) } == 0);
    i64::try_from(end.expect("an end")).expect("it fits")
}

unsafe extern "system" fn manager_type(
    _: *mut c_void,
    assembly: *const u16,
    class: *const u16,
) -> Hresult {
    let texts = [length(assembly), length(class)];
    told("ICLRControl", "SetAppDomainManagerType", &texts)
}

fn give(owner: Option<Object>, out: *mut *mut c_void) -> Hresult {
    let pointer = owner.map_or(std::ptr::null_mut(), |owner| {
        com!(owner, IUnknownVtbl, AddRef);
        owner.get()
    });
    // SAFETY: as the interface says.
    unsafe { out.write(pointer) };
    Hresult::S_OK
}

unsafe extern "system" fn monitor_owner(
    _: *mut c_void,
    number: usize,
    out: *mut *mut c_void,
) -> Hresult {
    note("ICLRSyncManager", "GetMonitorOwner");
    let owners = OWNERS.lock().unwrap();
    give(
        owners.get(&number).and_then(|all| all.first().copied()),
        out,
    )
}

unsafe extern "system" fn create_iterator(
    _: *mut c_void,
    number: usize,
    out: *mut usize,
) -> Hresult {
    note("ICLRSyncManager", "CreateRWLockOwnerIterator");
    let owners = OWNERS.lock().unwrap().get(&number).cloned();
    let mut iterators = ITERATORS.lock().unwrap();
    let name = iterators.last_key_value().map_or(1, |(last, _)| last + 1);
    iterators.insert(name, owners.unwrap_or_default());
    // SAFETY: as the interface says.
    unsafe { out.write(name) };
    Hresult::S_OK
}

unsafe extern "system" fn next_owner(
    _: *mut c_void,
    iterator: usize,
    out: *mut *mut c_void,
) -> Hresult {
    note("ICLRSyncManager", "GetRWLockOwnerNext");
    let mut iterators = ITERATORS.lock().unwrap();
    give(iterators.get_mut(&iterator).and_then(Vec::pop), out)
}

unsafe extern "system" fn delete_iterator(_: *mut c_void, iterator: usize) -> Hresult {
    note("ICLRSyncManager", "DeleteRWLockOwnerIterator");
    match ITERATORS.lock().unwrap().remove(&iterator) {
        Some(_) => Hresult::S_OK,
        None => Hresult::E_INVALIDARG,
    }
}

pub(crate) unsafe extern "system" fn collect(_: *mut c_void, generation: i32) -> Hresult {
    COLLECTIONS.fetch_add(1, Ordering::SeqCst);
    told("ICLRGCManager", "Collect", &[generation.into()])
}

pub(crate) unsafe extern "system" fn stats(_: *mut c_void, out: *mut COR_GC_STATS) -> Hresult {
    note("ICLRGCManager", "GetStats");
    let count = COLLECTIONS.swap(0, Ordering::SeqCst);
    // SAFETY: as the interface says.
    unsafe { (*out).ExplicitGCCount = usize::try_from(count).expect("it fits") };
    Hresult::S_OK
}

pub(crate) unsafe extern "system" fn limits(
    _: *mut c_void,
    segment: u32,
    generation_0: u32,
) -> Hresult {
    let limits = [segment.into(), generation_0.into()];
    told("ICLRGCManager", "SetGCStartupLimits", &limits)
}

unsafe extern "system" fn default_action(_: *mut c_void, what: u32, how: u32) -> Hresult {
    told(
        "ICLRPolicyManager",
        "SetDefaultAction",
        &[what.into(), how.into()],
    )
}

unsafe extern "system" fn timeout(_: *mut c_void, what: u32, time: u32) -> Hresult {
    told(
        "ICLRPolicyManager",
        "SetTimeout",
        &[what.into(), time.into()],
    )
}

unsafe extern "system" fn action_on_timeout(_: *mut c_void, what: u32, how: u32) -> Hresult {
    told(
        "ICLRPolicyManager",
        "SetActionOnTimeout",
        &[what.into(), how.into()],
    )
}

unsafe extern "system" fn timeout_and_action(
    _: *mut c_void,
    what: u32,
    time: u32,
    how: u32,
) -> Hresult {
    let arguments = [what.into(), time.into(), how.into()];
    told("ICLRPolicyManager", "SetTimeoutAndAction", &arguments)
}

unsafe extern "system" fn action_on_failure(_: *mut c_void, what: u32, how: u32) -> Hresult {
    told(
        "ICLRPolicyManager",
        "SetActionOnFailure",
        &[what.into(), how.into()],
    )
}

unsafe extern "system" fn unhandled(_: *mut c_void, policy: u32) -> Hresult {
    told(
        "ICLRPolicyManager",
        "SetUnhandledExceptionPolicy",
        &[policy.into()],
    )
}
