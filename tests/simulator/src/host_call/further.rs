//! Calls of the host to the runtime's managers of assemblies, domains, debuggers and reports.

use std::sync::{Arc, Mutex};

use fiberhost::com::clr::{
    ClrInterface, ICLRAppDomainResourceMonitor, ICLRAssemblyIdentityManager, ICLRControl,
    ICLRDebugManager, ICLRDomainManager, ICLRErrorReportingManager, ICLRGCManager2,
    ICLRHostBindingPolicyManager, ICLRHostProtectionManager, ICLROnEventManager, IUnknown, Wide,
};
use fiberhost::com::host::{IActionOnCLREvent, IStream};
use fiberhost::com::table::CustomDumpItem;
use fiberhost::com::{
    ClrEvent, ComRef, EApiCategories, ECLRAssemblyIdentityFlags, EClrEvent, ECustomDumpFlavor,
    EHostBindingPolicyModifyFlags, EInitializeNewDomainFlags, ESymbolReadingPolicy, Hresult,
    Origin,
};

use super::{answer, plain};
use crate::call::{Answer, World};
use crate::slots::told;

/// Notes what it is told.
struct Listener;

impl IActionOnCLREvent for Listener {
    fn on_event(&self, event: ClrEvent) -> Result<(), Hresult> {
        let words = match event {
            ClrEvent::DomainUnload(domain) => [0, i64::try_from(domain).expect("it fits")],
            ClrEvent::ClrDisabled => [1, 0],
            ClrEvent::MdaFired {
                caption,
                message,
                stack,
            } => {
                assert_eq!((message.as_deref(), stack), (Some("message"), None));
                [
                    2,
                    i64::try_from(caption.map_or(0, |text| text.len())).expect("it fits"),
                ]
            }
            ClrEvent::StackOverflow(kind) => [3, kind.0.into()],
        };
        told("IActionOnCLREvent", "OnEvent", &words).ok()
    }
}

/// Who is registered, by the event: to be taken back with the same object.
static LISTENERS: Mutex<Vec<(u32, ComRef<dyn IActionOnCLREvent>)>> = Mutex::new(Vec::new());

fn count(length: usize) -> Option<i64> {
    Some(i64::try_from(length).expect("it fits"))
}

/// Makes the call, if it is one of these.
pub(super) fn execute(
    world: &World,
    control: &ICLRControl,
    call: &str,
    at: &dyn Fn(usize) -> u32,
) -> Option<Answer> {
    events(world, control, call, at)
        .or_else(|| assemblies(world, control, call, at))
        .or_else(|| domains(world, control, call, at))
}

fn one<I: ClrInterface>(control: &ICLRControl) -> I {
    control.manager().expect("it has one")
}

fn events(
    world: &World,
    control: &ICLRControl,
    call: &str,
    at: &dyn Fn(usize) -> u32,
) -> Option<Answer> {
    let events = || one::<ICLROnEventManager>(control);
    Some(match call {
        "RegisterActionOnEvent" => {
            let listener: Arc<dyn IActionOnCLREvent> = Arc::new(Listener);
            let listener = ComRef::new(world.host.gate(), Origin::User, listener);
            let result = events().register(EClrEvent(at(0)), &listener);
            if result.is_ok() {
                LISTENERS.lock().unwrap().push((at(0), listener));
            }
            plain(result)
        }
        "UnregisterActionOnEvent" => {
            let mut listeners = LISTENERS.lock().unwrap();
            let place = listeners.iter().position(|(event, _)| *event == at(0));
            let (_, listener) = listeners.remove(place.expect("it is registered"));
            drop(listeners);
            let events = events();
            let result = events.unregister(EClrEvent(at(0)), &listener);
            let again = events.unregister(EClrEvent(at(0)), &listener);
            assert_eq!(again, Err(Hresult::HOST_E_INVALIDOPERATION));
            assert_eq!(listener.references(), 1, "the runtime gave its own back");
            plain(result)
        }
        "SetGCStartupLimitsEx" => {
            let wide = |position| usize::try_from(at(position)).expect("it fits") << 32;
            plain(one::<ICLRGCManager2>(control).set_startup_limits(wide(0), wide(1)))
        }
        _ => return None,
    })
}

const PLAIN: ECLRAssemblyIdentityFlags =
    ECLRAssemblyIdentityFlags::CLR_ASSEMBLY_IDENTITY_FLAGS_DEFAULT;

/// The stream of this name that a task of the script has.
fn stream(world: &World) -> ComRef<dyn IStream> {
    let (_, object) = world.objects.lock().unwrap()["image"];
    // SAFETY: an object of the host's, which the script refers to.
    unsafe { ComRef::from_counted(object.get()) }.expect("a stream")
}

fn assemblies(
    world: &World,
    control: &ICLRControl,
    call: &str,
    at: &dyn Fn(usize) -> u32,
) -> Option<Answer> {
    let identities = || one::<ICLRAssemblyIdentityManager>(control);
    let binding = || one::<ICLRHostBindingPolicyManager>(control);
    let file = Wide::from("app.dll");
    let listed = [Wide::from("first"), Wide::from("second")];
    Some(match call {
        "GetCLRAssemblyReferenceList" => answer(identities().reference_list(&listed), |list| {
            let names = ["first", "second", "third"].map(Wide::from);
            let found = |name: &&Wide| list.contains(name).expect("an answer");
            count(names.iter().filter(found).count())
        }),
        "IsAssemblyReferenceInList" => {
            let list = identities().reference_list(&listed).expect("a list");
            // SAFETY: every object is one of this interface, and the first handle keeps it.
            let itself = unsafe { IUnknown::from_owned(ptr(list.clone().into_raw())) };
            answer(list.contains_name(&itself), |is| Some(is.into()))
        }
        "GetBindingIdentityFromFile" => {
            let identity = identities().identity_of_file(&file, PLAIN);
            answer(identity, |identity| {
                assert!(identity.starts_with("app.dllxx") && identity.ends_with("xxx"));
                count(identity.len())
            })
        }
        "GetBindingIdentityFromStream" => {
            let identity = identities().identity_of_stream(&stream(world), PLAIN);
            answer(identity, |identity| {
                let (bytes, _) = identity.split_once(' ').expect("a length");
                bytes.parse().ok()
            })
        }
        "GetReferencedAssembliesFromFile" => {
            let list = identities().reference_list(&listed).expect("a list");
            let found = identities().references_of_file(&file, PLAIN, Some(&list));
            answer(found, |found| {
                let all = found.0.expect("one");
                let names = (0..).map_while(|at| all.get(at).expect("an answer"));
                count(names.count())
            })
        }
        "GetReferencedAssembliesFromStream" => {
            let found = identities().references_of_stream(&stream(world), PLAIN, None);
            answer(found, |found| {
                let all = found.0.expect("one");
                assert_eq!(all.get(1), Ok(Some("1".to_owned())));
                Some(i64::from(all.get(2) == Ok(None)))
            })
        }
        "GetProbingAssembliesFromReference" => {
            let found = identities().probed_for(at(0), PLAIN, &file);
            answer(found, |found| {
                let all = found.0.expect("one");
                let names = (0..).map_while(|at| all.get(at).expect("an answer"));
                count(names.count())
            })
        }
        "IsStronglyNamed" => {
            let is = |text| identities().is_strongly_named(&Wide::from(text));
            assert_eq!(is("app, Version=1.0.0.0"), Ok(false));
            answer(is("app, PublicKeyToken=1234"), |is| Some(is.into()))
        }
        "ModifyApplicationPolicy" => {
            let flags = EHostBindingPolicyModifyFlags(at(0));
            let made = binding().modify(&listed[0], &listed[1], &[1, 2, 3], flags);
            answer(made, |made| {
                assert_eq!((&made[..4], made.last()), (&[1, 2, 3, 7][..], Some(&7)));
                count(made.len())
            })
        }
        "EvaluatePolicy" => {
            let found = binding().evaluate(&listed[0], &[0; 16]);
            answer(found, |(identity, applied)| {
                assert_eq!(identity, "first");
                Some(applied.into())
            })
        }
        _ => return None,
    })
}

fn ptr(object: *mut std::ffi::c_void) -> std::ptr::NonNull<std::ffi::c_void> {
    std::ptr::NonNull::new(object).expect("an object")
}

fn domains(
    world: &World,
    control: &ICLRControl,
    call: &str,
    at: &dyn Fn(usize) -> u32,
) -> Option<Answer> {
    let debug = || one::<ICLRDebugManager>(control);
    let reports = || one::<ICLRErrorReportingManager>(control);
    let resources = || one::<ICLRAppDomainResourceMonitor>(control);
    let protection = || one::<ICLRHostProtectionManager>(control);
    let domains = || one::<ICLRDomainManager>(control);
    let figure = |result| answer(result, |figure: u64| i64::try_from(figure).ok());
    let (abc, de) = (Wide::from("abc"), Wide::from("de"));
    Some(match call {
        "SetProtectedCategories" => {
            plain(protection().set_protected_categories(EApiCategories(at(0))))
        }
        "SetEagerSerializeGrantSets" => plain(protection().set_eager_serialize_grant_sets()),
        "SetAppDomainManagerTypeWith" => {
            let flags = EInitializeNewDomainFlags(at(0));
            plain(domains().set_app_domain_manager_type(&abc, &de, flags))
        }
        "SetPropertiesForDefaultAppDomain" => {
            plain(domains().set_properties(&[(abc.clone(), de), (abc.clone(), abc)]))
        }
        "BeginConnection" => plain(debug().begin_connection(at(0), &abc)),
        "SetConnectionTasks" => {
            let task = world.clr_task("a").expect("the runtime's task");
            plain(debug().set_connection_tasks(at(0), &[task.clone(), task]))
        }
        "EndConnection" => plain(debug().end_connection(at(0))),
        // SAFETY: null is no list.
        "SetDacl" => plain(unsafe { debug().set_dacl(std::ptr::null_mut()) }),
        "GetDacl" => plain(debug().dacl()),
        "IsDebuggerAttached" => answer(debug().is_debugger_attached(), |is| Some(is.into())),
        "SetSymbolReadingPolicy" => {
            plain(debug().set_symbol_reading_policy(ESymbolReadingPolicy(at(0))))
        }
        "GetBucketParameters" => answer(reports().bucket_parameters(), |parameters| {
            Some((parameters.fInited + i32::from(parameters.pszParams[9][254])).into())
        }),
        "BeginCustomDump" => {
            let item = |kind| CustomDumpItem {
                itemKind: kind,
                pReserved: 0,
            };
            let flavor = ECustomDumpFlavor(at(0));
            plain(reports().begin_custom_dump(flavor, &[item(0), item(5)]))
        }
        "EndCustomDump" => plain(reports().end_custom_dump()),
        "GetCurrentAllocated" => figure(resources().allocated(at(0))),
        "GetCurrentSurvived" => figure(resources().survived(at(0)).map(|(own, all)| own + all)),
        "GetCurrentCpuTime" => figure(resources().cpu_time(at(0))),
        _ => return None,
    })
}
