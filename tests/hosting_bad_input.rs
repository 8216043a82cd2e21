//! What bad input gets: cases made from the description of the interfaces, each with its documented result, its results
//! cleared, and nothing changed.

mod common;
#[macro_use]
mod hosting;
#[path = "hosting_bad_input/parameters.rs"]
mod parameters;
#[path = "hosting_bad_input/world.rs"]
mod world;
#[path = "hosting_bad_input/wrong.rs"]
mod wrong;

use std::cell::Cell;
use std::sync::Arc;

use common::LONG;
use fiberhost::com::Hresult;
use fiberhost::com::describe::Interface;
use fiberhost::com::host::{IHostGCManager, IMPLEMENTED};
use fiberhost::{State, Strangers, TaskMode};
use hosting::fake::ClrTask;
use hosting::{Bench, builder, routine, with};
use parameters::{Kind, kind, places};
use world::{World, whole};
use wrong::{all_wrong, call};

/// From a thread that is no task, from a task, and from a task in each state of its transitions.
#[test]
fn bad_input_gets_its_documented_result_and_changes_nothing() {
    let cases = Cell::new(0);
    with(whole(2), |bench| {
        let world = World::new(bench);
        all_wrong(&world);
        assert!(
            bench.host.current_task().is_none(),
            "nobody has become a task"
        );
        world.release();
        cases.set(cases.get() + world.cases.get());
    });
    for hooks in [0, 1, 2] {
        with(whole(2), |bench| {
            // SAFETY: the task has ended before this returns.
            let bench: &'static Bench = unsafe { &*std::ptr::from_ref(bench) };
            let more = bench.run(move || {
                let world = World::new(bench);
                if hooks > 0 {
                    assert_eq!(
                        com!(bench.tasks, IHostTaskManagerVtbl, LeaveRuntime, 1),
                        Hresult::S_OK
                    );
                }
                if hooks > 1 {
                    assert_eq!(
                        com!(bench.tasks, IHostTaskManagerVtbl, ReverseEnterRuntime),
                        Hresult::S_OK
                    );
                }
                all_wrong(&world);
                let state = [State::Base, State::Native, State::Managed][hooks];
                let task = bench.host.current_task().expect("a task");
                assert_eq!(task.transition(), (state, hooks as u64));
                if hooks > 1 {
                    assert_eq!(
                        com!(bench.tasks, IHostTaskManagerVtbl, ReverseLeaveRuntime),
                        Hresult::S_OK
                    );
                }
                if hooks > 0 {
                    assert_eq!(
                        com!(bench.tasks, IHostTaskManagerVtbl, EnterRuntime),
                        Hresult::S_OK
                    );
                }
                world.release();
                world.cases.get()
            });
            cases.set(cases.get() + more);
        });
    }
    let cases = cases.get();
    println!("{cases} cases of bad input");
    assert!(
        cases >= 4 * 2000,
        "{cases} cases: the table of interfaces was not gone through"
    );
}

/// Slots that end what others began, or must not be refused: a host that is shut lets them in.
const ALWAYS: [&str; 14] = [
    "QueryInterface",
    "CallNeedsHostHook",
    "LeaveRuntime",
    "EnterRuntime",
    "ReverseLeaveRuntime",
    "EndDelayAbort",
    "BeginThreadAffinity",
    "EndThreadAffinity",
    "Leave",
    "VirtualFree",
    "ReleasedVirtualAddressSpace",
    "Free",
    "CloseIoCompletionPort",
    "RevertToSelf",
];

#[test]
fn a_host_that_was_shut_down_refuses_all_but_ends() {
    let _watchdog = common::Watchdog::new("after a shutdown".into());
    let bench = Bench::new(whole(1));
    let world = World::new(&bench);
    bench.host.shutdown(LONG).expect("nothing is left");
    assert!(!bench.host.gate().has_failed());
    all_but_ends_are_refused(&bench, &world);
}

/// An embedder's manager in which something goes wrong that nobody can repair.
struct Catastrophe;

impl IHostGCManager for Catastrophe {
    fn thread_is_blocking_for_suspension(&self) -> Result<(), Hresult> {
        panic!("expected: a catastrophe")
    }

    fn suspension_starting(&self) -> Result<(), Hresult> {
        unreachable!("it is refused")
    }

    fn suspension_ending(&self, _: u32) -> Result<(), Hresult> {
        unreachable!("it is refused")
    }
}

#[test]
fn the_latch_falls_for_every_slot() {
    common::expect_panics();
    let _watchdog = common::Watchdog::new("after a catastrophe".into());
    let bench = Bench::new(whole(1).gc_manager(Arc::new(Catastrophe)));
    let world = World::new(&bench);
    let failed = com!(bench.gc, IHostGCManagerVtbl, ThreadIsBlockingForSuspension);
    assert_eq!(failed, Hresult::E_FAIL);
    assert!(bench.host.gate().has_failed());
    all_but_ends_are_refused(&bench, &world);
    bench.host.shutdown(LONG).expect("nothing is left");
    assert!(bench.host.gate().has_failed(), "for good");
}

fn all_but_ends_are_refused(bench: &Bench, world: &World<'_>) {
    let mut refused = 0;
    world.each(|interface, object, slot, method| {
        if ALWAYS.contains(&method.name) {
            return;
        }
        // Also with what would be wrong otherwise: the gate comes before the arguments.
        for wrong in [false, true] {
            let places = places();
            let mut words = world.right_words(method, &places);
            for (at, parameter) in method.parameters.iter().enumerate() {
                let kind = kind(method, parameter);
                if wrong && !matches!(kind, Kind::Result(_) | Kind::OptionalResult(_)) {
                    words[at] = 0xffff_fff1;
                }
            }
            let answer = call(object, slot, object.get(), words);
            let name = format!("{}::{}", interface.name, method.name);
            assert_eq!(answer, Hresult::HOST_E_CLRNOTAVAILABLE, "{name}");
            for (at, parameter) in method.parameters.iter().enumerate() {
                match kind(method, parameter) {
                    Kind::Result(width) => assert!(places[at].is_cleared(width), "{name}"),
                    Kind::OptionalResult(width) => assert!(places[at].is_cleared(width), "{name}"),
                    _ => assert!(places[at].is_untouched(), "{name}"),
                }
            }
            refused += 1;
        }
    });
    assert_eq!(
        refused,
        2 * (IMPLEMENTED.iter().copied().map(methods).sum::<usize>() - (ALWAYS.len() - 1))
    );
    let manager = bench.tasks;
    assert_eq!(
        com!(manager, IHostTaskManagerVtbl, LeaveRuntime, 1),
        Hresult::HOST_E_CLRNOTAVAILABLE
    );
    assert_eq!(
        com!(manager, IHostTaskManagerVtbl, EnterRuntime),
        Hresult::HOST_E_INVALIDOPERATION
    );
    assert_eq!(
        com!(manager, IHostTaskManagerVtbl, ReverseLeaveRuntime),
        Hresult::HOST_E_INVALIDOPERATION
    );
    assert_eq!(
        com!(manager, IHostTaskManagerVtbl, EndThreadAffinity),
        Hresult::E_UNEXPECTED
    );
    assert_eq!(
        com!(manager, IHostTaskManagerVtbl, BeginThreadAffinity),
        Hresult::S_OK
    );
    assert_eq!(
        com!(manager, IHostTaskManagerVtbl, EndThreadAffinity),
        Hresult::S_OK
    );
    assert_eq!(
        com!(world.object("IHostCrst"), IHostCrstVtbl, Leave),
        Hresult::HOST_E_NOT_OWNER
    );
    let mut needs = -1;
    assert_eq!(
        com!(
            manager,
            IHostTaskManagerVtbl,
            CallNeedsHostHook,
            1,
            &raw mut needs
        ),
        Hresult::S_OK
    );
    assert_eq!(needs, 1);
    world.release();
    assert_eq!(bench.host.figures().objects, bench.own);
}

/// How many methods an interface has of its own.
fn methods(name: &str) -> usize {
    Interface::named(name).expect("an interface").methods.len() - 3
}

/// What needs a task, on a thread that is kept out.
#[test]
fn a_thread_without_a_task_is_told_so() {
    with(whole(1).strangers(Strangers::Deny), |bench| {
        let world = World::new(bench);
        let before = world.state();
        let manager = bench.tasks;
        let task = world.object("IHostTask");
        let foreign = world.foreign.object().get();
        let mut out = std::ptr::dangling_mut();
        let mut bytes = 7;
        for (what, answer, expected) in [
            (
                "GetCurrentTask",
                com!(manager, IHostTaskManagerVtbl, GetCurrentTask, &raw mut out),
                Hresult::HOST_E_INVALIDOPERATION,
            ),
            (
                "SetLocale",
                com!(manager, IHostTaskManagerVtbl, SetLocale, 1),
                Hresult::E_NOTIMPL,
            ),
            (
                "SetUILocale",
                com!(manager, IHostTaskManagerVtbl, SetUILocale, 1),
                Hresult::E_NOTIMPL,
            ),
            (
                "SetStackGuarantee",
                com!(manager, IHostTaskManagerVtbl, SetStackGuarantee, 1),
                Hresult::E_NOTIMPL,
            ),
            (
                "GetStackGuarantee",
                com!(
                    manager,
                    IHostTaskManagerVtbl,
                    GetStackGuarantee,
                    &raw mut bytes
                ),
                Hresult::E_NOTIMPL,
            ),
            (
                "BeginDelayAbort",
                com!(manager, IHostTaskManagerVtbl, BeginDelayAbort),
                Hresult::HOST_E_INVALIDOPERATION,
            ),
            (
                "EndDelayAbort",
                com!(manager, IHostTaskManagerVtbl, EndDelayAbort),
                Hresult::HOST_E_INVALIDOPERATION,
            ),
            (
                "EndThreadAffinity",
                com!(manager, IHostTaskManagerVtbl, EndThreadAffinity),
                Hresult::E_UNEXPECTED,
            ),
            (
                "SwitchToTask",
                com!(manager, IHostTaskManagerVtbl, SwitchToTask, 0),
                Hresult::S_FALSE,
            ),
            (
                "SetCLRTask",
                com!(task, IHostTaskVtbl, SetCLRTask, foreign),
                Hresult::HOST_E_INVALIDOPERATION,
            ),
        ] {
            assert_eq!(answer, expected, "{what}");
        }
        assert!(out.is_null());
        assert_eq!(bytes, 0);
        assert_eq!(world.state(), before);
        for answer in [
            com!(manager, IHostTaskManagerVtbl, LeaveRuntime, 1),
            com!(manager, IHostTaskManagerVtbl, EnterRuntime),
            com!(manager, IHostTaskManagerVtbl, ReverseEnterRuntime),
            com!(manager, IHostTaskManagerVtbl, ReverseLeaveRuntime),
        ] {
            assert_eq!(answer, Hresult::HOST_E_INVALIDOPERATION);
        }
        assert_eq!(bench.host.figures().stray_hooks, 4);
        world.release();
    });
}

/// Calls in the wrong state: what began is not begun twice, what ended does not end twice.
#[test]
fn calls_out_of_order_change_nothing() {
    with(builder(2).tasks(TaskMode::Fiber), |bench| {
        let ended = bench.start(|| {});
        assert_eq!(com!(ended, IHostTaskVtbl, Join, u32::MAX, 0), Hresult::S_OK);
        let foreign = ClrTask::new(Hresult::E_NOTIMPL);
        for _ in 0..3 {
            assert_eq!(
                com!(ended, IHostTaskVtbl, Start),
                Hresult::HOST_E_INVALIDOPERATION
            );
            let set = com!(ended, IHostTaskVtbl, SetCLRTask, foreign.object().get());
            assert_eq!(set, Hresult::HOST_E_INVALIDOPERATION);
            assert_eq!(com!(ended, IHostTaskVtbl, Alert), Hresult::S_OK);
            assert_eq!(com!(ended, IHostTaskVtbl, SetPriority, 2), Hresult::S_OK);
            assert_eq!(com!(ended, IHostTaskVtbl, Join, 0, 0), Hresult::S_OK);
        }
        assert_eq!((foreign.references(), ended.release()), (1, 0));
        // Sizes that no stack can have.
        let (function, context) = routine(|| unreachable!());
        let mut out = std::ptr::dangling_mut();
        let created = com!(
            bench.tasks,
            IHostTaskManagerVtbl,
            CreateTask,
            u32::MAX,
            Some(function),
            context,
            &raw mut out
        );
        assert_eq!((created, out.is_null()), (Hresult::E_OUTOFMEMORY, true));
    });
}
