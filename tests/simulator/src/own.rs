//! What the runtime of a script does by itself, beyond single calls: managed code with its collector and its domains, races,
//! exceptions, and looks at what the scheduler and the interface are.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fiberhost::com::clr::ClrInterface;
use fiberhost::com::describe::Interface;
use fiberhost::com::table::{MDAInfo, StackOverflowInfo};
use fiberhost::com::{Guid, Hresult, INFINITE};
use fiberhost::scheduler::stats::ThreadState;
use fiberhost::{Abort, HostTask};

use crate::call::{Answer, Memory, World, number, os_thread, state};
use crate::further;
use crate::managed::{Outcome, Thread, Thrown};
use crate::object::{Object, com, given};

const ALERTABLE: u32 = 2;

fn yes(yes: bool) -> Answer {
    Answer {
        result: Hresult::S_OK,
        value: Some(yes.into()),
    }
}

/// Whether it was aborted.
pub(crate) fn aborted(outcome: Outcome) -> Answer {
    yes(outcome == Err(Thrown::Abort))
}

/// A call of managed code, of a task that is a thread of the runtime's.
pub(crate) fn managed(
    world: &World,
    memory: &Memory,
    call: &str,
    arguments: &[&str],
) -> Option<Answer> {
    let first = arguments.first().copied();
    let thread = || memory.managed.expect("it is a thread of managed code");
    let done = || Some(Hresult::S_OK.into());
    let figure = |value: u64| {
        Some(Answer {
            result: Hresult::S_OK,
            value: i64::try_from(value).ok(),
        })
    };
    match call {
        "Cooperate" => {
            thread().go_cooperative();
            done()
        }
        "Preempt" => {
            thread().go_preemptive();
            done()
        }
        "SafePoint" => Some(aborted(thread().safe_point())),
        "Suspend" => {
            thread().suspend();
            done()
        }
        "LetGoOn" => {
            thread().resume(number(first));
            done()
        }
        "Collect" => {
            let generation = number(first);
            let code = |thread: Thread| {
                thread.collect(generation);
                Ok(())
            };
            assert_eq!(thread().managed(code), Ok(()));
            done()
        }
        "HeapCollections" => figure(world.heap().figures().0),
        "WaitsForCollections" => figure(world.heap().figures().1),
        "InDomain" => {
            let me = world.host.current_task().expect("a task");
            world
                .domains
                .lock()
                .unwrap()
                .push((number::<u32>(first), me));
            done()
        }
        "Unload" => {
            unload(world, thread(), number(first));
            done()
        }
        _ => None,
    }
}

/// All tasks of a domain are aborted, and waited for.
fn unload(world: &World, thread: Thread, domain: u32) {
    let tasks = world.managers.tasks;
    let code = |thread: Thread| {
        loop {
            let of_domain = |(number, task): &(u32, HostTask)| {
                let left = *number == domain && !task.has_ended();
                left.then(|| task.clone())
            };
            let left: Vec<HostTask> = world
                .domains
                .lock()
                .unwrap()
                .iter()
                .filter_map(of_domain)
                .collect();
            if left.is_empty() {
                return Ok(());
            }
            thread.away(|| {
                for task in &left {
                    // One that is just ending has nothing to be aborted any more.
                    let told = task.abort(Abort::Orderly);
                    let right = [Ok(()), Err(Hresult::HOST_E_INVALIDOPERATION)];
                    assert!(right.contains(&told), "{told:?}");
                }
                com!(tasks, IHostTaskManagerVtbl, Sleep, 1, ALERTABLE);
            });
        }
    };
    assert_eq!(thread.managed(code), Ok(()));
}

/// An event, with what comes with it: the number that is given, a structure, or nothing.
fn raise(event: u32, given: Option<&&str>) {
    let text = |text: &str| text.encode_utf16().chain([0]).collect::<Vec<u16>>();
    let (caption, message) = (text("caption"), text("message"));
    let mut mistake = MDAInfo {
        lpMDACaption: caption.as_ptr(),
        lpMDAMessage: message.as_ptr(),
        lpStackTrace: std::ptr::null(),
    };
    let number = || number::<u32>(given.copied());
    let data = match event {
        0 => std::ptr::without_provenance_mut(usize::try_from(number()).expect("it fits")),
        2 => (&raw mut mistake).cast(),
        3 => {
            let mut overflow = StackOverflowInfo {
                soType: number(),
                pExceptionInfo: std::ptr::null_mut(),
            };
            return further::raise(event, (&raw mut overflow).cast());
        }
        _ => std::ptr::null_mut(),
    };
    further::raise(event, data);
}

/// A look at the caller and at the interface.
pub(crate) fn look(world: &World, call: &str, arguments: &[&str]) -> Option<Answer> {
    Some(match call {
        // That a thread in a native section still has the right to its slot counts as not having it.
        "HasSlot" => yes(facts(world).0 == ThreadState::Driving),
        "CountsMe" => yes(counts_me(world)),
        "SetCLRTaskAgain" => set_again(world).into(),
        "Panics" => yes(hooks_of(world, true) == hooks_of(world, false)),
        "RaiseEvent" => {
            raise(number(arguments.first().copied()), arguments.get(1));
            Hresult::S_OK.into()
        }
        "CompareTables" => {
            let slots = compare_tables(world);
            Answer {
                result: Hresult::S_OK,
                value: i64::try_from(slots).ok(),
            }
        }
        "SetAll" => {
            for name in arguments {
                let (_, event) = world.objects.lock().unwrap()[*name];
                assert_eq!(com!(event, IHostAutoEventVtbl, Set), Hresult::S_OK);
            }
            Hresult::S_OK.into()
        }
        "TakeAll" => {
            let [name, count] = arguments else {
                panic!("a semaphore, and how many permits");
            };
            take_all(world, name, number(Some(count)));
            Hresult::S_OK.into()
        }
        "GiveAll" => {
            let [name, count, alerted @ ..] = arguments else {
                panic!("a semaphore, how many permits, and whom to alert in between");
            };
            give_all(world, name, number(Some(count)), alerted);
            Hresult::S_OK.into()
        }
        "Unhandled" => unhandled(world, number(arguments.first().copied())),
        _ => return None,
    })
}

/// What the caller's thread does, and how often a task was switched in there or waited there with its thread.
fn facts(world: &World) -> (ThreadState, u64) {
    let me = os_thread();
    let threads = world.host.scheduler().snapshot().threads;
    let thread = threads.into_iter().find(|thread| thread.os_id == me);
    let thread = thread.expect("a thread of the scheduler's");
    (thread.state, thread.switches + thread.settled_in_place)
}

/// The call neither gives the caller's thread away nor waits with it.
pub(crate) fn quickly(world: &World, call: impl FnOnce() -> Answer) -> Answer {
    let (state, _) = state(world);
    assert!(
        matches!(state, 'B' | 'M'),
        "elsewhere the scheduler does not see waits"
    );
    let (thread, before) = (os_thread(), facts(world).1);
    let answer = call();
    assert_eq!(
        (os_thread(), facts(world).1),
        (thread, before),
        "it has waited"
    );
    answer
}

/// The call takes so many milliseconds, or more.
pub(crate) fn lasting(milliseconds: u64, call: impl FnOnce() -> Answer) -> Answer {
    let began = Instant::now();
    let answer = call();
    let lasted = began.elapsed();
    assert!(
        lasted >= Duration::from_millis(milliseconds),
        "it was over after {lasted:?}"
    );
    answer
}

/// Each answer about the caller is a reference of its own, to the same object.
fn counts_me(world: &World) -> bool {
    let tasks = world.managers.tasks;
    let ask = || given(|out| com!(tasks, IHostTaskManagerVtbl, GetCurrentTask, out));
    let (Ok(first), Ok(second)) = (ask(), ask()) else {
        return false;
    };
    let left = second.release();
    let after = first.release();
    first == second && after + 1 == left && after > 0
}

/// As a runtime whose task is used again does.
fn set_again(world: &World) -> Hresult {
    let tasks = world.managers.tasks;
    let me = given(|out| com!(tasks, IHostTaskManagerVtbl, GetCurrentTask, out));
    let me = me.expect("a task");
    let own = world.host.current_task().expect("the host knows it");
    let side = own.clr_task().expect("it has a side in the runtime");
    let result = com!(me, IHostTaskVtbl, SetCLRTask, side.as_ptr());
    me.release();
    result
}

/// The states in which code finds itself behind each hook while three transitions end, by a panic or by returns.
fn hooks_of(world: &World, panics: bool) -> Vec<(char, u64)> {
    struct Note<'a>(&'a World, &'a RefCell<Vec<(char, u64)>>);
    impl Drop for Note<'_> {
        fn drop(&mut self) {
            self.1.borrow_mut().push(state(self.0));
        }
    }
    let seen = RefCell::new(Vec::new());
    let host = &world.host;
    let inner = || {
        let _note = Note(world, &seen);
        if panics {
            resume_unwind(Box::new("a script's"));
        }
    };
    let managed = || {
        let _note = Note(world, &seen);
        host.leave(2, inner).expect("it is let out");
    };
    let native = || {
        let _note = Note(world, &seen);
        host.callback(managed).expect("it is let in");
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let _note = Note(world, &seen);
        host.leave(1, native).expect("it is let out");
    }));
    assert_eq!(outcome.is_err(), panics);
    let seen = seen.into_inner();
    assert_eq!(seen.len(), 4);
    seen
}

/// Slots, identifiers and sizes are those of the source of the binary interface, and the managers answer to its identifiers.
/// Says how many slots there are.
fn compare_tables(world: &World) -> usize {
    let source = include_str!("../../../src/com/hosting-abi.json");
    let source: serde_json::Value = serde_json::from_str(source).expect("the source is JSON");
    let interfaces = source["interfaces"].as_array().expect("a list");
    let mut slots = 0;
    for wanted in interfaces {
        let name = wanted["name"].as_str().expect("a name");
        let Some(made) = Interface::named(name) else {
            continue;
        };
        assert_eq!(wanted["iid"], made.iid.to_string(), "{name}");
        let count = made.methods.len();
        assert_eq!(made.size, count * size_of::<usize>(), "{name}");
        // The three that every object has are named there once.
        if name != "IUnknown" {
            assert_eq!(wanted["slot_count"], count, "{name}");
        }
        for method in wanted["methods"].as_array().expect("a list") {
            let slot = method["slot"].as_u64().expect("a number");
            let slot = usize::try_from(slot).expect("it fits");
            let found = &made.methods[slot];
            assert_eq!(method["name"], found.name, "{name}");
            assert_eq!(
                found.offset,
                slot * size_of::<usize>(),
                "{name}/{}",
                found.name
            );
            slots += 1;
        }
    }
    let managers = world.managers;
    for (name, manager) in [
        ("IHostTaskManager", managers.tasks),
        ("IHostThreadpoolManager", managers.pool),
        ("IHostSyncManager", managers.sync),
        ("IHostGCManager", managers.gc),
        ("IHostPolicyManager", managers.policy),
    ] {
        answers_to(interfaces, name, manager);
    }
    slots
}

fn answers_to(interfaces: &[serde_json::Value], name: &str, object: Object) {
    for interface in interfaces {
        let text = interface["iid"].as_str().expect("an identifier");
        let digits = text.replace('-', "");
        let iid = Guid::from_u128(u128::from_str_radix(&digits, 16).expect("digits"));
        let found = given(|out| com!(object, IUnknownVtbl, QueryInterface, &raw const iid, out));
        let right = interface["name"] == name || interface["name"] == "IUnknown";
        assert_eq!(found.is_ok(), right, "{name} as {}", interface["name"]);
        if let Ok(found) = found {
            found.release();
        }
    }
}

/// Takes so many permits, in waits that time out, are alerted, or take one.
fn take_all(world: &World, name: &str, count: u32) {
    let (_, semaphore) = world.objects.lock().unwrap()[name];
    let mut taken = 0;
    for round in 0_u32.. {
        if taken == count {
            return;
        }
        let limit = [0, 1, INFINITE, 2][round as usize % 4];
        match com!(semaphore, IHostSemaphoreVtbl, Wait, limit, ALERTABLE) {
            Hresult::S_OK => taken += 1,
            Hresult::HOST_E_TIMEOUT => assert!(limit != INFINITE),
            Hresult::HOST_E_INTERRUPTED => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Gives so many permits, one at a time, and alerts these in between.
fn give_all(world: &World, name: &str, count: u32, alerted: &[&str]) {
    let object = |name: &str| world.objects.lock().unwrap()[name].1;
    let semaphore = object(name);
    for at in 0..count {
        let before = std::ptr::null_mut();
        let given = com!(semaphore, IHostSemaphoreVtbl, ReleaseSemaphore, 1, before);
        assert_eq!(given, Hresult::S_OK);
        if !alerted.is_empty() {
            let task = object(alerted[at as usize % alerted.len()]);
            assert_eq!(com!(task, IHostTaskVtbl, Alert), Hresult::S_OK);
        }
        if at % 3 == 0 {
            com!(world.managers.tasks, IHostTaskManagerVtbl, SwitchToTask, 0);
        }
    }
}

/// Hooks that were sent.
static HOOKS: AtomicU64 = AtomicU64::new(0);
/// What is looked at when the process ends: the task that nothing has handled the exception of, and the hooks until then.
static ENDS: Mutex<Option<(HostTask, u64)>> = Mutex::new(None);

pub(crate) fn note_hook() {
    HOOKS.fetch_add(1, Ordering::SeqCst);
}

/// An exception that nobody handles: the process ends where it is.
fn unhandled(world: &World, code: i32) -> ! {
    extern "C" fn at_exit() {
        let (task, hooks) = ENDS.lock().unwrap().take().expect("it is set before");
        let (state, depth) = task.transition();
        let more = HOOKS.load(Ordering::SeqCst) - hooks;
        println!("ends in {state:?} at {depth} after {more} hooks");
    }
    let task = world.host.current_task().expect("a task");
    *ENDS.lock().unwrap() = Some((task, HOOKS.load(Ordering::SeqCst)));
    // SAFETY: it is a function that may be called when the process ends.
    assert_eq!(unsafe { libc::atexit(at_exit) }, 0);
    std::process::exit(code)
}
