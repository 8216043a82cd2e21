//! The runtime's managers of assemblies, domains, debuggers and reports, which note what the host tells them, and its events.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::Mutex;

use fiberhost::com::table::{
    self, BucketParameters, CustomDumpItem, ICLRAppDomainResourceMonitorVtbl,
    ICLRAssemblyIdentityManagerVtbl, ICLRAssemblyReferenceListVtbl, ICLRDebugManagerVtbl,
    ICLRDomainManagerVtbl, ICLRErrorReportingManagerVtbl, ICLRGCManager2Vtbl,
    ICLRHostBindingPolicyManagerVtbl, ICLRHostProtectionManagerVtbl, ICLROnEventManagerVtbl,
    ICLRProbingAssemblyEnumVtbl, ICLRReferenceAssemblyEnumVtbl,
};
use fiberhost::com::{Guid, Hresult};

use crate::managers::{collect, length, limits, stats};
use crate::object::{Object, com};
use crate::runtime::{Head, add_ref, query, release};
use crate::slots::{note, told};

/// More units than anybody has room for before he was told how many there are.
const LONG: usize = 300;

/// Connections of debuggers by their numbers, with the length of their names.
static CONNECTIONS: Mutex<BTreeMap<u32, i64>> = Mutex::new(BTreeMap::new());
/// Who is told of which event, with a reference.
static LISTENERS: Mutex<Vec<(u32, Object)>> = Mutex::new(Vec::new());

/// The manager of this identifier, if it is one of these.
pub(crate) fn manager(iid: Guid) -> Option<Head> {
    Some(match iid {
        table::IID_ICLRGCManager2 => Head::new(&GC2),
        table::IID_ICLROnEventManager => Head::new(&EVENTS),
        table::IID_ICLRAssemblyIdentityManager => Head::new(&IDENTITIES),
        table::IID_ICLRHostBindingPolicyManager => Head::new(&BINDING),
        table::IID_ICLRHostProtectionManager => Head::new(&PROTECTION),
        table::IID_ICLRDomainManager => Head::new(&DOMAINS),
        table::IID_ICLRDebugManager => Head::new(&DEBUG),
        table::IID_ICLRErrorReportingManager => Head::new(&REPORTS),
        table::IID_ICLRAppDomainResourceMonitor => Head::new(&RESOURCES),
        _ => return None,
    })
}

/// All that are registered for an event are told of it.
///
/// # Panics
/// If one of them answers with an error.
pub(crate) fn raise(event: u32, data: *mut c_void) {
    let listeners: Vec<Object> = {
        let all = LISTENERS.lock().unwrap();
        let of_event = all.iter().filter(|(kind, _)| *kind == event);
        of_event.map(|(_, listener)| *listener).collect()
    };
    for listener in listeners {
        let answer = com!(listener, IActionOnCLREventVtbl, OnEvent, event, data);
        assert_eq!(answer, Hresult::S_OK);
    }
}

static EVENTS: ICLROnEventManagerVtbl = ICLROnEventManagerVtbl {
    QueryInterface: query,
    AddRef: add_ref,
    Release: release,
    RegisterActionOnEvent: register,
    UnregisterActionOnEvent: unregister,
};

unsafe extern "system" fn register(_: *mut c_void, event: u32, action: *mut c_void) -> Hresult {
    if event > 3 || action.is_null() {
        return Hresult::E_INVALIDARG;
    }
    let action = Object::new(action);
    com!(action, IUnknownVtbl, AddRef);
    LISTENERS.lock().unwrap().push((event, action));
    told(
        "ICLROnEventManager",
        "RegisterActionOnEvent",
        &[event.into()],
    )
}

unsafe extern "system" fn unregister(_: *mut c_void, event: u32, action: *mut c_void) -> Hresult {
    let wanted = (event, Object::new(action));
    let mut listeners = LISTENERS.lock().unwrap();
    let place = listeners.iter().position(|listener| *listener == wanted);
    let gone = place.map(|place| listeners.remove(place));
    drop(listeners);
    let arguments = [event.into()];
    told("ICLROnEventManager", "UnregisterActionOnEvent", &arguments);
    match gone {
        Some((_, action)) => {
            action.release();
            Hresult::S_OK
        }
        None => Hresult::HOST_E_INVALIDOPERATION,
    }
}

static GC2: ICLRGCManager2Vtbl = ICLRGCManager2Vtbl {
    QueryInterface: query,
    AddRef: add_ref,
    Release: release,
    Collect: collect,
    GetStats: stats,
    SetGCStartupLimits: limits,
    SetGCStartupLimitsEx: wide_limits,
};

unsafe extern "system" fn wide_limits(_: *mut c_void, segment: usize, first: usize) -> Hresult {
    let limits = [segment, first].map(|size| i64::try_from(size).expect("it fits"));
    told("ICLRGCManager2", "SetGCStartupLimitsEx", &limits)
}

/// A list of assemblies.
#[repr(C)]
struct List {
    head: Head,
    names: Vec<Vec<u16>>,
}

static LIST: ICLRAssemblyReferenceListVtbl = ICLRAssemblyReferenceListVtbl {
    QueryInterface: query,
    AddRef: add_ref,
    Release: release,
    IsStringAssemblyReferenceInList: is_in_list,
    IsAssemblyReferenceInList: is_name_in_list,
};

/// # Safety
/// The text ends with a zero.
unsafe fn units(text: *const u16) -> Vec<u16> {
    let length = usize::try_from(length(text)).expect("it fits");
    // SAFETY: so many were found before the zero.
    unsafe { std::slice::from_raw_parts(text, length) }.to_vec()
}

unsafe extern "system" fn is_in_list(this: *mut c_void, name: *const u16) -> Hresult {
    note(
        "ICLRAssemblyReferenceList",
        "IsStringAssemblyReferenceInList",
    );
    // SAFETY: this function stands in no other table, and the text is what the interface says.
    let (list, name) = unsafe { (&*this.cast::<List>(), units(name)) };
    if list.names.contains(&name) {
        Hresult::S_OK
    } else {
        Hresult::S_FALSE
    }
}

/// The only name that it knows as an object is its own.
unsafe extern "system" fn is_name_in_list(this: *mut c_void, name: *mut c_void) -> Hresult {
    note("ICLRAssemblyReferenceList", "IsAssemblyReferenceInList");
    if name == this {
        Hresult::S_OK
    } else {
        Hresult::S_FALSE
    }
}

/// Gives a new object, with a reference besides the runtime's own.
fn hand_over<T>(object: T, out: *mut *mut c_void) -> Hresult {
    let object: *mut T = Box::leak(Box::new(object));
    // SAFETY: all that are handed over begin with a head, and the place is what the interface says.
    unsafe {
        add_ref(object.cast());
        out.write(object.cast());
    }
    Hresult::S_OK
}

/// Gives so many units, if there is room for them and says how many they are in any case.
fn fill<T: Copy>(all: &[T], buffer: *mut T, room: *mut u32) -> Hresult {
    let length = u32::try_from(all.len()).expect("it fits");
    // SAFETY: as the interface says.
    let there = unsafe { room.replace(length) };
    if there < length {
        return Hresult::E_NOT_SUFFICIENT_BUFFER;
    }
    // SAFETY: as the interface says, there is room for as many.
    unsafe { std::ptr::copy_nonoverlapping(all.as_ptr(), buffer, all.len()) };
    Hresult::S_OK
}

/// A text as it is given: with its zero.
fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

static IDENTITIES: ICLRAssemblyIdentityManagerVtbl = ICLRAssemblyIdentityManagerVtbl {
    QueryInterface: query,
    AddRef: add_ref,
    Release: release,
    GetCLRAssemblyReferenceList: reference_list,
    GetBindingIdentityFromFile: identity_of_file,
    GetBindingIdentityFromStream: identity_of_stream,
    GetReferencedAssembliesFromFile: references_of_file,
    GetReferencedAssembliesFromStream: references_of_stream,
    GetProbingAssembliesFromReference: probed,
    IsStronglyNamed: is_strongly_named,
};

unsafe extern "system" fn reference_list(
    _: *mut c_void,
    names: *mut *const u16,
    count: u32,
    out: *mut *mut c_void,
) -> Hresult {
    note("ICLRAssemblyIdentityManager", "GetCLRAssemblyReferenceList");
    let count = usize::try_from(count).expect("it fits");
    // SAFETY: as the interface says.
    let names = unsafe { std::slice::from_raw_parts(names, count) };
    // SAFETY: as above.
    let names = names.iter().map(|name| unsafe { units(*name) }).collect();
    let head = Head::new(&LIST);
    hand_over(List { head, names }, out)
}

/// The name of the file, followed by more than anybody has room for at first.
unsafe extern "system" fn identity_of_file(
    _: *mut c_void,
    path: *const u16,
    flags: u32,
    buffer: *mut u16,
    room: *mut u32,
) -> Hresult {
    note("ICLRAssemblyIdentityManager", "GetBindingIdentityFromFile");
    assert_eq!(flags, 0);
    // SAFETY: as the interface says.
    let mut identity = unsafe { units(path) };
    identity.resize(identity.len() + LONG, u16::from(b'x'));
    identity.push(0);
    fill(&identity, buffer, room)
}

/// It reads the image, and takes its length for an identity.
unsafe extern "system" fn identity_of_stream(
    _: *mut c_void,
    image: *mut c_void,
    flags: u32,
    buffer: *mut u16,
    room: *mut u32,
) -> Hresult {
    note(
        "ICLRAssemblyIdentityManager",
        "GetBindingIdentityFromStream",
    );
    assert_eq!(flags, 0);
    let (mut bytes, mut count) = ([0_u8; 1000], 0);
    let place = bytes.as_mut_ptr().cast();
    let answer = com!(
        Object::new(image),
        IStreamVtbl,
        Read,
        place,
        1000,
        &raw mut count
    );
    assert_eq!(answer, Hresult::S_OK);
    fill(&wide(&format!("{count} bytes")), buffer, room)
}

static REFERENCES: ICLRReferenceAssemblyEnumVtbl = ICLRReferenceAssemblyEnumVtbl {
    QueryInterface: query,
    AddRef: add_ref,
    Release: release,
    Get: reference,
};

static PROBED: ICLRProbingAssemblyEnumVtbl = ICLRProbingAssemblyEnumVtbl {
    QueryInterface: query,
    AddRef: add_ref,
    Release: release,
    Get: probed_one,
};

unsafe extern "system" fn reference(
    _: *mut c_void,
    index: u32,
    buffer: *mut u16,
    room: *mut u32,
) -> Hresult {
    note("ICLRReferenceAssemblyEnum", "Get");
    one_of(2, index, buffer, room)
}

unsafe extern "system" fn probed_one(
    _: *mut c_void,
    index: u32,
    buffer: *mut u16,
    room: *mut u32,
) -> Hresult {
    note("ICLRProbingAssemblyEnum", "Get");
    one_of(3, index, buffer, room)
}

fn one_of(count: u32, index: u32, buffer: *mut u16, room: *mut u32) -> Hresult {
    if index >= count {
        return Hresult::HRESULT_FROM_WIN32_ERROR_NO_MORE_ITEMS;
    }
    fill(&wide(&format!("{index}")), buffer, room)
}

unsafe extern "system" fn references_of_file(
    _: *mut c_void,
    path: *const u16,
    _: u32,
    except: *mut c_void,
    out: *mut *mut c_void,
) -> Hresult {
    let arguments = [length(path), i64::from(!except.is_null())];
    told(
        "ICLRAssemblyIdentityManager",
        "GetReferencedAssembliesFromFile",
        &arguments,
    );
    hand_over(Head::new(&REFERENCES), out)
}

unsafe extern "system" fn references_of_stream(
    _: *mut c_void,
    image: *mut c_void,
    _: u32,
    except: *mut c_void,
    out: *mut *mut c_void,
) -> Hresult {
    let arguments = [!image.is_null(), !except.is_null()].map(i64::from);
    told(
        "ICLRAssemblyIdentityManager",
        "GetReferencedAssembliesFromStream",
        &arguments,
    );
    hand_over(Head::new(&REFERENCES), out)
}

unsafe extern "system" fn probed(
    _: *mut c_void,
    machine: u32,
    _: u32,
    reference: *const u16,
    out: *mut *mut c_void,
) -> Hresult {
    told(
        "ICLRAssemblyIdentityManager",
        "GetProbingAssembliesFromReference",
        &[machine.into(), length(reference)],
    );
    hand_over(Head::new(&PROBED), out)
}

unsafe extern "system" fn is_strongly_named(
    _: *mut c_void,
    identity: *const u16,
    out: *mut i32,
) -> Hresult {
    note("ICLRAssemblyIdentityManager", "IsStronglyNamed");
    // SAFETY: as the interface says; likewise below.
    let identity = String::from_utf16(&unsafe { units(identity) }).expect("a text");
    // SAFETY: as above.
    unsafe { out.write(identity.contains("PublicKeyToken=").into()) };
    Hresult::S_OK
}

static BINDING: ICLRHostBindingPolicyManagerVtbl = ICLRHostBindingPolicyManagerVtbl {
    QueryInterface: query,
    AddRef: add_ref,
    Release: release,
    ModifyApplicationPolicy: modify_policy,
    EvaluatePolicy: evaluate_policy,
};

/// The policy, with more behind it than anybody has room for at first.
unsafe extern "system" fn modify_policy(
    _: *mut c_void,
    from: *const u16,
    to: *const u16,
    policy: *mut u8,
    size: u32,
    flags: u32,
    buffer: *mut u8,
    room: *mut u32,
) -> Hresult {
    let size = usize::try_from(size).expect("it fits");
    // SAFETY: as the interface says.
    let mut policy = unsafe { std::slice::from_raw_parts(policy, size) }.to_vec();
    policy.resize(policy.len() + LONG, 7);
    let answer = fill(&policy, buffer, room);
    if answer == Hresult::S_OK {
        told(
            "ICLRHostBindingPolicyManager",
            "ModifyApplicationPolicy",
            &[length(from), length(to), flags.into()],
        );
    }
    answer
}

unsafe extern "system" fn evaluate_policy(
    _: *mut c_void,
    reference: *const u16,
    _: *mut u8,
    size: u32,
    buffer: *mut u16,
    room: *mut u32,
    applied: *mut u32,
) -> Hresult {
    note("ICLRHostBindingPolicyManager", "EvaluatePolicy");
    // SAFETY: as the interface says; likewise below.
    let mut identity = unsafe { units(reference) };
    identity.push(0);
    // SAFETY: as above.
    unsafe { applied.write(size) };
    fill(&identity, buffer, room)
}

static PROTECTION: ICLRHostProtectionManagerVtbl = ICLRHostProtectionManagerVtbl {
    QueryInterface: query,
    AddRef: add_ref,
    Release: release,
    SetProtectedCategories: protect,
    SetEagerSerializeGrantSets: serialize,
};

unsafe extern "system" fn protect(_: *mut c_void, categories: u32) -> Hresult {
    let categories = [categories.into()];
    told(
        "ICLRHostProtectionManager",
        "SetProtectedCategories",
        &categories,
    )
}

unsafe extern "system" fn serialize(_: *mut c_void) -> Hresult {
    told(
        "ICLRHostProtectionManager",
        "SetEagerSerializeGrantSets",
        &[],
    )
}

static DOMAINS: ICLRDomainManagerVtbl = ICLRDomainManagerVtbl {
    QueryInterface: query,
    AddRef: add_ref,
    Release: release,
    SetAppDomainManagerType: manager_type,
    SetPropertiesForDefaultAppDomain: properties,
};

unsafe extern "system" fn manager_type(
    _: *mut c_void,
    assembly: *const u16,
    class: *const u16,
    flags: u32,
) -> Hresult {
    let arguments = [length(assembly), length(class), flags.into()];
    told("ICLRDomainManager", "SetAppDomainManagerType", &arguments)
}

unsafe extern "system" fn properties(
    _: *mut c_void,
    count: u32,
    names: *mut *const u16,
    values: *mut *const u16,
) -> Hresult {
    let sum = |texts: *mut *const u16| -> i64 {
        // SAFETY: as the interface says.
        (0..count as usize)
            .map(|at| length(unsafe { *texts.add(at) }))
            .sum()
    };
    told(
        "ICLRDomainManager",
        "SetPropertiesForDefaultAppDomain",
        &[count.into(), sum(names), sum(values)],
    )
}

static DEBUG: ICLRDebugManagerVtbl = ICLRDebugManagerVtbl {
    QueryInterface: query,
    AddRef: add_ref,
    Release: release,
    BeginConnection: begin_connection,
    SetConnectionTasks: connection_tasks,
    EndConnection: end_connection,
    SetDacl: set_dacl,
    GetDacl: dacl,
    IsDebuggerAttached: is_attached,
    SetSymbolReadingPolicy: symbols,
};

unsafe extern "system" fn begin_connection(
    _: *mut c_void,
    connection: u32,
    name: *mut u16,
) -> Hresult {
    let mut connections = CONNECTIONS.lock().unwrap();
    if connection == 0 || connections.contains_key(&connection) {
        return Hresult::E_INVALIDARG;
    }
    let name = length(name);
    connections.insert(connection, name);
    told(
        "ICLRDebugManager",
        "BeginConnection",
        &[connection.into(), name],
    )
}

unsafe extern "system" fn connection_tasks(
    _: *mut c_void,
    connection: u32,
    count: u32,
    tasks: *mut *mut c_void,
) -> Hresult {
    if !CONNECTIONS.lock().unwrap().contains_key(&connection) {
        return Hresult::E_INVALIDARG;
    }
    for at in 0..count as usize {
        // SAFETY: as the interface says.
        let task = Object::new(unsafe { *tasks.add(at) });
        com!(task, IUnknownVtbl, AddRef);
        task.release();
    }
    told(
        "ICLRDebugManager",
        "SetConnectionTasks",
        &[connection.into(), count.into()],
    )
}

unsafe extern "system" fn end_connection(_: *mut c_void, connection: u32) -> Hresult {
    if CONNECTIONS.lock().unwrap().remove(&connection).is_none() {
        return Hresult::E_INVALIDARG;
    }
    told("ICLRDebugManager", "EndConnection", &[connection.into()])
}

unsafe extern "system" fn set_dacl(_: *mut c_void, _: *mut c_void) -> Hresult {
    note("ICLRDebugManager", "SetDacl");
    Hresult::E_NOTIMPL
}

unsafe extern "system" fn dacl(_: *mut c_void, _: *mut *mut c_void) -> Hresult {
    note("ICLRDebugManager", "GetDacl");
    Hresult::E_NOTIMPL
}

unsafe extern "system" fn is_attached(_: *mut c_void, out: *mut i32) -> Hresult {
    note("ICLRDebugManager", "IsDebuggerAttached");
    // SAFETY: as the interface says.
    unsafe { out.write(1) };
    Hresult::S_OK
}

unsafe extern "system" fn symbols(_: *mut c_void, policy: u32) -> Hresult {
    told(
        "ICLRDebugManager",
        "SetSymbolReadingPolicy",
        &[policy.into()],
    )
}

static REPORTS: ICLRErrorReportingManagerVtbl = ICLRErrorReportingManagerVtbl {
    QueryInterface: query,
    AddRef: add_ref,
    Release: release,
    GetBucketParametersForCurrentException: bucket,
    BeginCustomDump: begin_dump,
    EndCustomDump: end_dump,
};

unsafe extern "system" fn bucket(_: *mut c_void, out: *mut BucketParameters) -> Hresult {
    note(
        "ICLRErrorReportingManager",
        "GetBucketParametersForCurrentException",
    );
    // SAFETY: as the interface says.
    let parameters = unsafe { &mut *out };
    parameters.fInited = 1;
    parameters.pszParams[9][254] = 77;
    Hresult::S_OK
}

unsafe extern "system" fn begin_dump(
    _: *mut c_void,
    flavor: u32,
    count: u32,
    items: *mut CustomDumpItem,
    reserved: u32,
) -> Hresult {
    // SAFETY: as the interface says.
    let last = unsafe { *items.add(count as usize - 1) };
    let arguments = [flavor, count, last.itemKind, reserved].map(i64::from);
    told("ICLRErrorReportingManager", "BeginCustomDump", &arguments)
}

unsafe extern "system" fn end_dump(_: *mut c_void) -> Hresult {
    told("ICLRErrorReportingManager", "EndCustomDump", &[])
}

static RESOURCES: ICLRAppDomainResourceMonitorVtbl = ICLRAppDomainResourceMonitorVtbl {
    QueryInterface: query,
    AddRef: add_ref,
    Release: release,
    GetCurrentAllocated: allocated,
    GetCurrentSurvived: survived,
    GetCurrentCpuTime: cpu_time,
};

/// Domain 1 is the only one; its figures are past what a word of 32 bits holds.
fn of_domain(slot: &str, domain: u32, figures: &[(*mut u64, u64)]) -> Hresult {
    note("ICLRAppDomainResourceMonitor", slot);
    if domain != 1 {
        return Hresult::COR_E_APPDOMAINUNLOADED;
    }
    for (place, figure) in figures {
        // SAFETY: as the interface says.
        unsafe { place.write(*figure) };
    }
    Hresult::S_OK
}

unsafe extern "system" fn allocated(_: *mut c_void, domain: u32, out: *mut u64) -> Hresult {
    of_domain("GetCurrentAllocated", domain, &[(out, 5_000_000_000)])
}

unsafe extern "system" fn survived(
    _: *mut c_void,
    domain: u32,
    own: *mut u64,
    all: *mut u64,
) -> Hresult {
    let figures = [(own, 6_000_000_000), (all, 1_000_000_000)];
    of_domain("GetCurrentSurvived", domain, &figures)
}

unsafe extern "system" fn cpu_time(_: *mut c_void, domain: u32, out: *mut u64) -> Hresult {
    of_domain("GetCurrentCpuTime", domain, &[(out, 8_000_000_000)])
}
