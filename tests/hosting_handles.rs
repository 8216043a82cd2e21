//! The handles by which a host calls its runtime: each method calls its slot with its words, and counts what it gets.

mod common;
#[macro_use]
mod hosting;

use std::collections::BTreeSet;
use std::ffi::c_void;
use std::ptr::NonNull;
use std::time::Duration;

use fiberhost::Host;
use fiberhost::com::clr::{
    ClrInterface, Handed, ICLRControl, ICLRGCManager, ICLRPolicyManager, ICLRProbingAssemblyEnum,
    ICLRRuntimeHost, ICLRSyncManager, ICLRTask, ICLRTaskManager, IUnknown, Lent, Wide,
};
use fiberhost::com::describe::Interface;
use fiberhost::com::{
    EClrFailure, EClrOperation, EClrUnhandledException, EPolicyAction, ETaskType, Hresult,
    ThreadHandle,
};
use fiberhost::policy::Policy;
use hosting::fake::{ClrTask, Plain, Recorder, WORDS};
use hosting::given;

/// A handle to a recorder that owns the recorder's first reference.
fn handle<I: ClrInterface>(recorder: &'static Recorder) -> I {
    let pointer = NonNull::new(recorder.object().get()).expect("an object");
    // SAFETY: the recorder has all slots of the interfaces here, and its first reference is given away.
    unsafe { I::from_owned(pointer) }
}

/// Writes through the word at this place.
fn write<T>(words: &[usize; WORDS], at: usize, value: T) {
    write_at(words, at, 0, value);
}

/// The same, so many values behind where it points to.
fn write_at<T>(words: &[usize; WORDS], at: usize, behind: usize, value: T) {
    // SAFETY: the handles give pointers to results of this type there, which the tests below see, and room for as many.
    unsafe { (words[at] as *mut T).add(behind).write(value) };
}

/// The only call since the last look, by name, with as many words as the interface has.
#[track_caller]
fn called(recorder: &Recorder, interface: &str) -> (&'static str, Vec<usize>) {
    let calls = recorder.take_calls();
    let [(slot, words)] = calls[..] else {
        panic!("{calls:?}")
    };
    let method = &Interface::named(interface).expect("an interface").methods[slot];
    let given = words
        .iter()
        .zip(method.parameters)
        .map(|(word, parameter)| match parameter.ctype {
            // What is narrower than a word has anything above it.
            "DWORD"
            | "BOOL"
            | "LCID"
            | "LONG"
            | "EClrOperation"
            | "EPolicyAction"
            | "EClrFailure"
            | "EClrUnhandledException" => *word as u32 as usize,
            _ => *word,
        });
    (method.name, given.collect())
}

/// The slots that were seen are all that the interface has of its own.
#[track_caller]
fn all_seen(interface: &str, seen: &BTreeSet<&'static str>) {
    let methods = Interface::named(interface).expect("an interface").methods;
    let all: BTreeSet<_> = methods[3..].iter().map(|method| method.name).collect();
    assert_eq!(*seen, all, "{interface}");
}

#[test]
fn policies() {
    let recorder = Recorder::new(|_, _| Hresult::S_OK);
    let manager: ICLRPolicyManager = handle(recorder);
    let (operation, action) = (
        EClrOperation::OPR_AppDomainUnload,
        EPolicyAction::eExitProcess,
    );
    let mut seen = BTreeSet::new();
    let mut expect = |result: Result<Hresult, Hresult>, method, words: &[usize]| {
        assert_eq!(result, Ok(Hresult::S_OK));
        let (name, given) = called(recorder, "ICLRPolicyManager");
        assert_eq!((name, &given[..]), (method, words));
        seen.insert(name);
    };
    expect(
        manager.set_default_action(operation, action),
        "SetDefaultAction",
        &[3, 6],
    );
    expect(manager.set_timeout(operation, 77), "SetTimeout", &[3, 77]);
    expect(
        manager.set_action_on_timeout(operation, action),
        "SetActionOnTimeout",
        &[3, 6],
    );
    expect(
        manager.set_timeout_and_action(operation, 78, action),
        "SetTimeoutAndAction",
        &[3, 78, 6],
    );
    let failure = EClrFailure::FAIL_OrphanedLock;
    expect(
        manager.set_action_on_failure(failure, action),
        "SetActionOnFailure",
        &[3, 6],
    );
    let unhandled = EClrUnhandledException::eHostDeterminedPolicy;
    expect(
        manager.set_unhandled_exception_policy(unhandled),
        "SetUnhandledExceptionPolicy",
        &[1],
    );
    all_seen("ICLRPolicyManager", &seen);
    drop(manager);
    assert_eq!(recorder.references(), 0);
}

#[test]
fn a_policy_is_given_to_the_runtime_as_it_was_made() {
    let recorder = Recorder::new(|_, _| Hresult::S_OK);
    let manager: ICLRPolicyManager = handle(recorder);
    let mut policy = Policy::new();
    policy
        .set_action(
            EClrOperation::OPR_ThreadAbort,
            EPolicyAction::eRudeAbortThread,
        )
        .unwrap();
    policy
        .set_timeout(
            EClrOperation::OPR_ProcessExit,
            9,
            EPolicyAction::eFastExitProcess,
        )
        .unwrap();
    let lock = EClrFailure::FAIL_OrphanedLock;
    policy
        .set_action_on_failure(lock, EPolicyAction::eUnloadAppDomain)
        .unwrap();
    policy
        .set_action_on_failure(lock, EPolicyAction::eExitProcess)
        .unwrap();
    policy.set_unhandled(EClrUnhandledException::eHostDeterminedPolicy);
    let wrong = policy.set_action(EClrOperation::OPR_ProcessExit, EPolicyAction::eNoAction);
    assert_eq!(wrong, Err(Hresult::E_INVALIDARG));
    assert_eq!(policy.apply(&manager), Ok(()));
    let methods = Interface::named("ICLRPolicyManager").unwrap().methods;
    let calls: Vec<_> = recorder
        .take_calls()
        .into_iter()
        .map(|(slot, [first, second, third, ..])| {
            (
                methods[slot].name,
                [first, second, third].map(|word| word as u32),
            )
        })
        .collect();
    let [action, timeout, failure, unhandled] = calls[..] else {
        panic!("{calls:?}")
    };
    assert_eq!(
        (action.0, &action.1[..2]),
        ("SetDefaultAction", &[0, 3][..])
    );
    assert_eq!(
        (timeout.0, &timeout.1[..]),
        ("SetTimeoutAndAction", &[5, 9, 7][..])
    );
    assert_eq!(
        (failure.0, &failure.1[..2]),
        ("SetActionOnFailure", &[3, 6][..])
    );
    assert_eq!(
        (unhandled.0, unhandled.1[0]),
        ("SetUnhandledExceptionPolicy", 1)
    );
}

#[test]
fn collections() {
    let recorder = Recorder::new(|slot, words| {
        if slot == 4 {
            // SAFETY: the structure of the call below.
            let stats = unsafe { &mut *(words[0] as *mut fiberhost::com::table::COR_GC_STATS) };
            assert_eq!(stats.Flags, 3, "what is wanted");
            stats.GenCollectionsTaken = [5, 6, 7];
            stats.KBytesPromotedFromGen1 = 8;
        }
        Hresult::S_OK
    });
    let manager: ICLRGCManager = handle(recorder);
    let mut seen = BTreeSet::new();
    assert_eq!(manager.collect(-1), Ok(Hresult::S_OK));
    let (name, words) = called(recorder, "ICLRGCManager");
    assert_eq!((name, words[0] as i32), ("Collect", -1));
    seen.insert(name);
    let stats = manager.stats(3).expect("figures");
    assert_eq!(
        (stats.GenCollectionsTaken, stats.KBytesPromotedFromGen1),
        ([5, 6, 7], 8)
    );
    seen.insert(called(recorder, "ICLRGCManager").0);
    assert_eq!(manager.set_startup_limits(4, 5), Ok(Hresult::S_OK));
    let (name, words) = called(recorder, "ICLRGCManager");
    assert_eq!((name, &words[..]), ("SetGCStartupLimits", &[4, 5][..]));
    seen.insert(name);
    all_seen("ICLRGCManager", &seen);
}

#[test]
fn tasks() {
    let task = ClrTask::new(Hresult::S_OK);
    let pointer = task.object();
    let recorder = Recorder::new(move |slot, words| {
        match slot {
            3 => {
                // The new one comes with a reference.
                com!(pointer, IUnknownVtbl, AddRef);
                write(words, 0, pointer.get());
            }
            4 => write(words, 0, pointer.get()),
            7 => write(
                words,
                0,
                ETaskType::TT_FINALIZER.0 | ETaskType::TT_UNKNOWN.0,
            ),
            _ => {}
        }
        Hresult::S_OK
    });
    let manager: ICLRTaskManager = handle(recorder);
    let mut seen = BTreeSet::new();
    let Handed(made) = manager.create_task().expect("a task");
    seen.insert(called(recorder, "ICLRTaskManager").0);
    assert_eq!(task.references(), 2);
    drop(made);
    assert_eq!(task.references(), 1);
    let Lent(current) = manager.current_task().expect("a task");
    seen.insert(called(recorder, "ICLRTaskManager").0);
    assert_eq!(task.references(), 2, "the handle counts for itself");
    assert_eq!(current.expect("there is one").as_ptr(), pointer.get());
    assert_eq!(task.references(), 1);
    assert_eq!(manager.set_ui_locale(1031), Ok(Hresult::S_OK));
    let (name, words) = called(recorder, "ICLRTaskManager");
    assert_eq!((name, words[0]), ("SetUILocale", 1031));
    seen.insert(name);
    assert_eq!(manager.set_locale(1033), Ok(Hresult::S_OK));
    let (name, words) = called(recorder, "ICLRTaskManager");
    assert_eq!((name, words[0]), ("SetLocale", 1033));
    seen.insert(name);
    assert_eq!(manager.current_task_type(), Ok(ETaskType(0x8000_0004)));
    seen.insert(called(recorder, "ICLRTaskManager").0);
    all_seen("ICLRTaskManager", &seen);
}

#[test]
fn one_task() {
    let recorder = Recorder::new(|slot, words| {
        match slot {
            10 => write(words, 0, 1_i32),
            12 => write(words, 0, 3_usize),
            11 => return Hresult::S_FALSE,
            _ => {}
        }
        Hresult::S_OK
    });
    // The recorder ends with slot 11, so those beyond are those of `ClrTask` (`hosting_tasks.rs`).
    let task: ICLRTask = handle(recorder);
    let thread = ThreadHandle::current();
    let mut seen = Vec::new();
    assert_eq!(task.switch_in(thread), Ok(Hresult::S_OK));
    let (name, words) = called(recorder, "ICLRTask");
    assert_ne!(words[0], 0, "the thread's handle");
    seen.push(name);
    for (result, twist) in [
        (task.switch_out(), Hresult::S_OK),
        (task.reset(false), Hresult::S_OK),
        (task.exit_task(), Hresult::S_OK),
        (task.abort(), Hresult::S_OK),
        (task.rude_abort(), Hresult::S_OK),
        (task.yield_task(), Hresult::S_FALSE),
    ] {
        assert_eq!(result, Ok(twist));
    }
    assert_eq!(task.needs_priority_scheduling(), Ok(true));
    let methods = Interface::named("ICLRTask").unwrap().methods;
    seen.extend(
        recorder
            .take_calls()
            .iter()
            .map(|(slot, _)| methods[*slot].name),
    );
    assert_eq!(
        seen,
        [
            "SwitchIn",
            "SwitchOut",
            "Reset",
            "ExitTask",
            "Abort",
            "RudeAbort",
            "YieldTask",
            "NeedsPriorityScheduling"
        ]
    );
}

#[test]
fn owners_of_locks() {
    let host = Host::builder().build().expect("a host");
    let control = hosting::Object::new(host.control().as_ptr());
    let iid = fiberhost::com::table::IID_IHostTaskManager;
    let manager = given(|out| {
        com!(
            control,
            IHostControlVtbl,
            GetHostManager,
            &raw const iid,
            out
        )
    });
    let owner = given(|out| com!(manager, IHostTaskManagerVtbl, GetCurrentTask, out));
    manager.release();
    let stranger = Plain::new();
    let recorder = Recorder::new(move |slot, words| {
        match (slot, words[0]) {
            (3 | 5, 1) => {
                com!(owner, IUnknownVtbl, AddRef);
                write(words, 1, owner.get());
            }
            (3, 2) => {
                com!(stranger.object(), IUnknownVtbl, AddRef);
                write(words, 1, stranger.object().get());
            }
            (3 | 5, _) => write(words, 1, std::ptr::null_mut::<c_void>()),
            (4, _) => write(words, 1, 1_usize),
            _ => {}
        }
        Hresult::S_OK
    });
    let sync: ICLRSyncManager = handle(recorder);
    let mut seen = BTreeSet::new();
    let before = owner.references();
    let found = sync.monitor_owner(1).expect("an answer").expect("an owner");
    seen.insert(called(recorder, "ICLRSyncManager").0);
    assert_eq!(
        (found.as_ptr(), owner.references()),
        (owner.get(), before + 1)
    );
    drop(found);
    assert_eq!(owner.references(), before);
    assert!(
        sync.monitor_owner(2).expect("an answer").is_none(),
        "one that is not ours"
    );
    assert_eq!(stranger.references(), 1);
    assert!(sync.monitor_owner(3).expect("an answer").is_none());
    recorder.take_calls();
    let iterator = sync.create_rwlock_owner_iterator(9).expect("an iterator");
    seen.insert(called(recorder, "ICLRSyncManager").0);
    assert!(
        sync.rwlock_owner_next(iterator)
            .expect("an answer")
            .is_some()
    );
    seen.insert(called(recorder, "ICLRSyncManager").0);
    assert_eq!(
        sync.delete_rwlock_owner_iterator(iterator),
        Ok(Hresult::S_OK)
    );
    seen.insert(called(recorder, "ICLRSyncManager").0);
    all_seen("ICLRSyncManager", &seen);
    assert_eq!(owner.references(), before);
    owner.release();
    host.release_thread();
    host.shutdown(Duration::from_secs(10))
        .expect("nothing is left");
}

/// The text behind a word.
fn text(word: usize) -> String {
    let mut units = Vec::new();
    // SAFETY: the handles give texts with a zero behind them.
    while let unit @ 1.. = unsafe { *(word as *const u16).add(units.len()) } {
        units.push(unit);
    }
    String::from_utf16(&units).expect("a text")
}

#[test]
fn a_runtime_and_its_control() {
    let manager = Plain::new();
    let pointer = manager.object();
    let control = Recorder::new(move |slot, words| {
        if slot == 4 {
            assert_eq!(
                (text(words[0]), text(words[1])),
                ("Assembly".into(), "Täg".into())
            );
            return Hresult::HOST_E_INVALIDOPERATION;
        }
        // SAFETY: the handle gives an identifier.
        let iid = unsafe { *(words[0] as *const fiberhost::com::Guid) };
        if iid != ICLRPolicyManager::IID {
            write(words, 1, std::ptr::null_mut::<c_void>());
            return Hresult::E_NOINTERFACE;
        }
        write(words, 1, pointer.get());
        Hresult::S_OK
    });
    let control_object = control.object();
    let runtime = Recorder::new(move |slot, words| {
        match slot {
            4 => return Hresult::S_FALSE,
            6 => write(words, 0, control_object.get()),
            8 => {
                assert_eq!(words[0] as u32, 3);
                // SAFETY: the handle gives a function and its argument.
                let run: unsafe extern "system" fn(usize) -> Hresult =
                    unsafe { std::mem::transmute(words[1]) };
                // SAFETY: as above.
                return unsafe { run(words[2]) };
            }
            9 => write(words, 0, 42_u32),
            11 => {
                let texts = words[..4]
                    .iter()
                    .map(|word| text(*word))
                    .collect::<Vec<_>>();
                assert_eq!(texts, ["a.dll", "C", "M", "x"]);
            }
            _ => {}
        }
        Hresult::S_OK
    });
    let host: ICLRRuntimeHost = handle(runtime);
    let ours = Host::builder().build().expect("a host");
    let mut seen = BTreeSet::new();
    let mut note = || {
        let (name, words) = called(runtime, "ICLRRuntimeHost");
        seen.insert(name);
        words
    };
    assert_eq!(host.start(), Ok(Hresult::S_OK));
    note();
    assert_eq!(host.stop(), Ok(Hresult::S_FALSE));
    note();
    assert_eq!(ours.attach(&host), Ok(()));
    assert_eq!(note()[0], ours.control().as_ptr() as usize);
    let Lent(found) = host.control().expect("a control");
    note();
    let found: ICLRControl = found.expect("there is one");
    assert_eq!(control.references(), 2);
    assert_eq!(host.unload_app_domain(3, true), Ok(Hresult::S_OK));
    assert_eq!(note(), [3, 1]);
    let mut ran = false;
    let answer = host.execute_in_app_domain(3, || {
        ran = true;
        Hresult::COR_E_APPDOMAINUNLOADED
    });
    assert_eq!((answer, ran), (Err(Hresult::COR_E_APPDOMAINUNLOADED), true));
    note();
    assert_eq!(host.current_app_domain_id(), Ok(42));
    note();
    let wide = |text: &str| Wide::from(text);
    let run =
        host.execute_in_default_app_domain(&wide("a.dll"), &wide("C"), &wide("M"), &wide("x"));
    assert_eq!(run, Ok(0));
    note();
    assert_eq!(
        host.execute_application(&wide("full"), &[wide("m")], &[]),
        Ok(0)
    );
    assert_eq!(note()[1], 1, "one path");
    all_seen("ICLRRuntimeHost", &seen);

    assert!(found.manager::<ICLRPolicyManager>().is_ok());
    assert_eq!(manager.references(), 1);
    assert_eq!(
        found.manager::<ICLRGCManager>().map(drop),
        Err(Hresult::E_NOINTERFACE)
    );
    let typed = found.set_app_domain_manager_type(&wide("Assembly"), &wide("Täg"));
    assert_eq!(typed, Err(Hresult::HOST_E_INVALIDOPERATION));
    drop((found, host));
    assert_eq!(control.references(), 1);
    assert_eq!(
        runtime.references(),
        1,
        "the host may have to unload domains"
    );
    ours.shutdown(common::LONG).expect("nothing runs");
    assert_eq!(runtime.references(), 0);
}

#[test]
fn a_panic_in_a_domain_goes_on_behind_the_runtime() {
    common::expect_panics();
    let runtime = Recorder::new(|_, words| {
        // SAFETY: the handle gives a function and its argument.
        let run: unsafe extern "system" fn(usize) -> Hresult =
            unsafe { std::mem::transmute(words[1]) };
        // SAFETY: as above.
        let answer = unsafe { run(words[2]) };
        assert_eq!(answer, Hresult::E_FAIL, "what the runtime sees");
        answer
    });
    let host: ICLRRuntimeHost = handle(runtime);
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        host.execute_in_app_domain(1, || panic!("expected: in a domain"))
    }));
    assert!(panic.is_err());
}

#[test]
fn any_object_knows_others_of_itself() {
    let recorder = Recorder::new(|_, _| Hresult::S_OK);
    let unknown: IUnknown = handle(recorder);
    assert_eq!(
        unknown.query::<ICLRTask>().map(drop),
        Err(Hresult::E_NOINTERFACE)
    );
    assert!(format!("{unknown:?}").starts_with("IUnknown"));
}

/// A text is asked for again with as much room as the runtime says, within reason; what it says of lengths is not relied on.
#[test]
fn lengths_of_a_runtime_are_not_believed() {
    const FULL: Hresult = Hresult::E_NOT_SUFFICIENT_BUFFER;
    let recorder = Recorder::new(|_, words| {
        // SAFETY: the handle gives the length of its room.
        let room = unsafe { *(words[2] as *const u32) };
        let (answer, says) = match words[0] as u32 {
            // It wants no more than there is, or more than there can be, or always more.
            0 => (FULL, room),
            1 => (FULL, u32::MAX),
            2 => (FULL, 2 * room),
            3 => (Hresult::HRESULT_FROM_WIN32_ERROR_NO_MORE_ITEMS, 0),
            // It has filled all there is, with no zero, and says that it was more.
            4 => {
                (0..room as usize).for_each(|at| write_at(words, 1, at, u16::from(b'a')));
                (Hresult::S_OK, u32::MAX)
            }
            // Half a character.
            _ => {
                write(words, 1, 0xd800_u16);
                (Hresult::S_OK, 1)
            }
        };
        write(words, 2, says);
        answer
    });
    let all: ICLRProbingAssemblyEnum = handle(recorder);
    for (index, calls, expected) in [
        (0, 1, Err(FULL)),
        (1, 1, Err(FULL)),
        // From 256 units to the 2^20 that are given at most, and once more than that is not given.
        (2, 13, Err(FULL)),
        (3, 1, Ok(None)),
        (4, 1, Ok(Some("a".repeat(256)))),
        (5, 1, Err(Hresult::E_UNEXPECTED)),
    ] {
        assert_eq!(all.get(index), expected, "{index}");
        assert_eq!(recorder.take_calls().len(), calls, "{index}");
    }
}
