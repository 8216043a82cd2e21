//! The door to a host and its smaller managers: control, thread pool, collections, policy; and managers of an embedder's.

mod common;
#[macro_use]
mod hosting;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use common::{LONG, SHORT, eventually, expect_panics, os_thread};
use fiberhost::com::host::{IHostGCManager, IHostPolicyManager, IHostThreadpoolManager};
use fiberhost::com::table::INTERFACES;
use fiberhost::com::{
    EClrFailure, EClrOperation, EPolicyAction, Hresult, QueueFlags, SUSPENSION_ENDING_NOT_A_GC,
    Work,
};
use fiberhost::policy::PolicyEvent;
use fiberhost::scheduler::{current, yield_now};
use fiberhost::{Host, Kind, TaskMode};
use hosting::fake::{ClrTask, Plain};
use hosting::{Bench, Object, at, at_workers, builder, given, routine, with};

const OFFERED: [&str; 5] = [
    "IHostTaskManager",
    "IHostSyncManager",
    "IHostThreadpoolManager",
    "IHostGCManager",
    "IHostPolicyManager",
];

/// The managers that a control gives out, by asking for every interface there is.
fn offered(control: Object) -> Vec<(&'static str, Object)> {
    let mut offered = Vec::new();
    for interface in INTERFACES {
        let mut out = std::ptr::dangling_mut();
        match com!(
            control,
            IHostControlVtbl,
            GetHostManager,
            &raw const interface.iid,
            &raw mut out
        ) {
            Hresult::S_OK => {
                let manager = Object::new(out);
                manager.release();
                offered.push((interface.name, manager));
            }
            other => {
                assert_eq!(other, Hresult::E_NOINTERFACE, "{}", interface.name);
                assert!(out.is_null(), "{}", interface.name);
            }
        }
    }
    offered
}

#[test]
fn the_same_managers_every_time() {
    at(1, TaskMode::Fiber, |bench| {
        let first = offered(bench.control);
        assert_eq!(
            first.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
            OFFERED
        );
        assert_eq!(offered(bench.control), first);
        // SAFETY: the task has ended before this returns.
        let borrowed: &'static Bench = unsafe { &*std::ptr::from_ref(bench) };
        assert_eq!(bench.run(move || offered(borrowed.control)), first);
    });
}

#[test]
fn a_host_without_a_pool_offers_none() {
    let host = Host::builder()
        .without_threadpool()
        .build()
        .expect("a host");
    let names: Vec<_> = offered(Object::new(host.control().as_ptr()))
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        names,
        OFFERED
            .into_iter()
            .filter(|name| *name != "IHostThreadpoolManager")
            .collect::<Vec<_>>()
    );
}

#[test]
fn objects_know_their_interface_and_themselves() {
    at(1, TaskMode::Fiber, |bench| {
        for (name, object) in offered(bench.control) {
            for interface in INTERFACES {
                let mut out = std::ptr::dangling_mut();
                let answer = com!(
                    object,
                    IUnknownVtbl,
                    QueryInterface,
                    &raw const interface.iid,
                    &raw mut out
                );
                if interface.name == name || interface.name == "IUnknown" {
                    assert_eq!(
                        (answer, out),
                        (Hresult::S_OK, object.get()),
                        "{name} {}",
                        interface.name
                    );
                    assert_eq!(object.references(), 2);
                    assert_eq!(object.release(), 1);
                } else {
                    assert_eq!(answer, Hresult::E_NOINTERFACE, "{name} {}", interface.name);
                    assert!(out.is_null());
                }
            }
        }
    });
}

#[test]
fn a_domain_has_one_manager() {
    let (first, second) = (Plain::new(), Plain::new());
    at(1, TaskMode::Fiber, |bench| {
        let set = |domain, object: &'static Plain| {
            com!(
                bench.control,
                IHostControlVtbl,
                SetAppDomainManager,
                domain,
                object.object().get()
            )
        };
        assert_eq!(set(1, first), Hresult::S_OK);
        assert_eq!(set(1, second), Hresult::E_UNEXPECTED);
        assert_eq!(set(2, second), Hresult::S_OK);
        assert_eq!((first.references(), second.references()), (2, 2));
        assert!(
            bench.host.app_domain_manager(1).is_some()
                && bench.host.app_domain_manager(3).is_none()
        );
    });
    assert_eq!(
        (first.references(), second.references()),
        (1, 1),
        "a shutdown gives them back"
    );
}

#[test]
fn what_the_runtime_gives_once_is_kept_once() {
    let (tasks, sync, other) = (Plain::new(), Plain::new(), Plain::new());
    at(1, TaskMode::Fiber, |bench| {
        let set_tasks = |object: &'static Plain| {
            com!(
                bench.tasks,
                IHostTaskManagerVtbl,
                SetCLRTaskManager,
                object.object().get()
            )
        };
        let set_sync = |object: &'static Plain| {
            com!(
                bench.sync,
                IHostSyncManagerVtbl,
                SetCLRSyncManager,
                object.object().get()
            )
        };
        assert!(bench.host.clr_task_manager().is_none() && bench.host.clr_sync_manager().is_none());
        assert_eq!(
            (set_tasks(tasks), set_tasks(other)),
            (Hresult::S_OK, Hresult::E_UNEXPECTED)
        );
        assert_eq!(
            (set_sync(sync), set_sync(other)),
            (Hresult::S_OK, Hresult::E_UNEXPECTED)
        );
        assert!(bench.host.clr_task_manager().is_some() && bench.host.clr_sync_manager().is_some());
        assert_eq!(
            (tasks.references(), sync.references(), other.references()),
            (2, 2, 1)
        );
    });
    assert_eq!((tasks.references(), sync.references()), (1, 1));
}

fn queue<F: FnOnce() + Send + 'static>(bench: &Bench, flags: u32, work: F) -> Hresult {
    let (function, context) = routine(work);
    com!(
        bench.pool,
        IHostThreadpoolManagerVtbl,
        QueueUserWorkItem,
        Some(function),
        context,
        flags
    )
}

fn number(bench: &Bench, get: &str) -> u32 {
    let mut number = u32::MAX;
    let out = &raw mut number;
    let answer = match get {
        "max" => com!(bench.pool, IHostThreadpoolManagerVtbl, GetMaxThreads, out),
        "min" => com!(bench.pool, IHostThreadpoolManagerVtbl, GetMinThreads, out),
        _ => com!(
            bench.pool,
            IHostThreadpoolManagerVtbl,
            GetAvailableThreads,
            out
        ),
    };
    assert_eq!(answer, Hresult::S_OK);
    number
}

#[test]
fn work_that_is_queued_runs_once() {
    const ITEMS: u32 = 500;
    at_workers(|bench| {
        let ran = Arc::new(AtomicU32::new(0));
        for item in 0..ITEMS {
            let ran = Arc::clone(&ran);
            let queued = queue(bench, item % 2, move || {
                if item % 16 == 0 {
                    yield_now();
                }
                ran.fetch_add(1, Ordering::SeqCst);
            });
            assert_eq!(queued, Hresult::S_OK);
        }
        eventually("all of it ran", || ran.load(Ordering::SeqCst) == ITEMS);
    });
}

#[test]
fn a_shutdown_finishes_what_was_queued_and_takes_no_more() {
    with(
        builder(2).tasks(TaskMode::Fiber).pool_threads(0, 2),
        |bench| {
            let ran = Arc::new(AtomicU32::new(0));
            for _ in 0..50 {
                let ran = Arc::clone(&ran);
                assert_eq!(
                    queue(bench, 0, move || {
                        yield_now();
                        ran.fetch_add(1, Ordering::SeqCst);
                    }),
                    Hresult::S_OK
                );
            }
            bench.host.shutdown(LONG).expect("all of it ends");
            assert_eq!(ran.load(Ordering::SeqCst), 50);
            assert_eq!(
                queue(bench, 0, || unreachable!()),
                Hresult::HOST_E_CLRNOTAVAILABLE
            );
        },
    );
}

#[test]
fn no_more_run_at_once_than_allowed() {
    with(
        builder(4).tasks(TaskMode::Fiber).pool_threads(0, 3),
        |bench| {
            let (inside, most, ran) = (
                Arc::new(AtomicU32::new(0)),
                Arc::new(AtomicU32::new(0)),
                Arc::new(AtomicU32::new(0)),
            );
            for _ in 0..100 {
                let (inside, most, ran) =
                    (Arc::clone(&inside), Arc::clone(&most), Arc::clone(&ran));
                let queued = queue(bench, 0, move || {
                    let now = inside.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(now, Ordering::SeqCst);
                    yield_now();
                    inside.fetch_sub(1, Ordering::SeqCst);
                    ran.fetch_add(1, Ordering::SeqCst);
                });
                assert_eq!(queued, Hresult::S_OK);
            }
            eventually("all of it ran", || ran.load(Ordering::SeqCst) == 100);
            assert!(most.load(Ordering::SeqCst) <= 3);
            eventually("all are free again", || number(bench, "available") == 3);
        },
    );
}

#[test]
fn the_limits_of_the_pool_hold_each_other() {
    with(
        builder(1).tasks(TaskMode::Fiber).pool_threads(1, 4),
        |bench| {
            let set = |most| com!(bench.pool, IHostThreadpoolManagerVtbl, SetMaxThreads, most);
            let set_least =
                |least| com!(bench.pool, IHostThreadpoolManagerVtbl, SetMinThreads, least);
            assert_eq!(
                (
                    number(bench, "min"),
                    number(bench, "max"),
                    number(bench, "available")
                ),
                (1, 4, 4)
            );
            assert_eq!(set_least(5), Hresult::E_INVALIDARG);
            assert_eq!(set_least(3), Hresult::S_OK);
            assert_eq!(
                (set(0), set(2)),
                (Hresult::E_INVALIDARG, Hresult::E_INVALIDARG)
            );
            assert_eq!((set(3), number(bench, "max")), (Hresult::S_OK, 3));
            assert_eq!((set_least(0), set(1)), (Hresult::S_OK, Hresult::S_OK));
            assert_eq!((number(bench, "min"), number(bench, "max")), (0, 1));
        },
    );
}

#[test]
fn raising_the_most_starts_more() {
    with(
        builder(2).tasks(TaskMode::Fiber).pool_threads(0, 1),
        |bench| {
            let (open, ran) = (
                Arc::new(AtomicBool::new(false)),
                Arc::new(AtomicU32::new(0)),
            );
            for _ in 0..4 {
                let (open, ran) = (Arc::clone(&open), Arc::clone(&ran));
                let queued = queue(bench, 0, move || {
                    ran.fetch_add(1, Ordering::SeqCst);
                    while !open.load(Ordering::SeqCst) {
                        yield_now();
                    }
                });
                assert_eq!(queued, Hresult::S_OK);
            }
            eventually("one runs", || ran.load(Ordering::SeqCst) == 1);
            thread::sleep(SHORT);
            assert_eq!(ran.load(Ordering::SeqCst), 1);
            assert_eq!(number(bench, "available"), 0);
            assert_eq!(
                com!(bench.pool, IHostThreadpoolManagerVtbl, SetMaxThreads, 4),
                Hresult::S_OK
            );
            eventually("all of them run at once", || {
                ran.load(Ordering::SeqCst) == 4
            });
            open.store(true, Ordering::SeqCst);
        },
    );
}

/// The scheduler has no room for another task: what nobody can run is not taken, and what was taken runs.
#[test]
fn work_is_refused_if_there_is_nobody_to_run_it() {
    let settings = fiberhost::scheduler::Scheduler::builder()
        .workers(2)
        .max_tasks(1);
    let builder = Host::builder()
        .scheduler_settings(settings)
        .tasks(TaskMode::Fiber)
        .pool_threads(0, 8);
    with(builder, |bench| {
        let (open, ran) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU32::new(0)),
        );
        let blocker = {
            let open = Arc::clone(&open);
            bench.start(move || {
                while !open.load(Ordering::SeqCst) {
                    yield_now();
                }
            })
        };
        assert_eq!(queue(bench, 0, || unreachable!()), Hresult::E_OUTOFMEMORY);
        let mut out = std::ptr::dangling_mut();
        let (function, context) = routine(|| unreachable!());
        let created = com!(
            bench.tasks,
            IHostTaskManagerVtbl,
            CreateTask,
            0,
            Some(function),
            context,
            &raw mut out
        );
        assert_eq!((created, out.is_null()), (Hresult::E_OUTOFMEMORY, true));
        open.store(true, Ordering::SeqCst);
        hosting::join(blocker);
        eventually("there is room again", || {
            bench.host.scheduler().stats().live() == 0
        });
        // One worker takes the place, and the others' work goes to it.
        for _ in 0..20 {
            let ran = Arc::clone(&ran);
            let queued = queue(bench, 0, move || {
                yield_now();
                ran.fetch_add(1, Ordering::SeqCst);
            });
            assert_eq!(queued, Hresult::S_OK);
        }
        eventually("all of it ran", || ran.load(Ordering::SeqCst) == 20);
    });
}

/// Work comes just when workers give up waiting for it.
#[test]
fn work_that_meets_a_worker_on_its_way_out_runs() {
    const ROUNDS: u32 = 400;
    for least in [0, 1] {
        let builder = builder(2)
            .tasks(TaskMode::Fiber)
            .pool_threads(least, 4)
            .pool_patience(Duration::from_micros(200));
        with(builder, |bench| {
            let ran = Arc::new(AtomicU32::new(0));
            for round in 0..ROUNDS {
                for _ in 0..1 + round % 3 {
                    let ran = Arc::clone(&ran);
                    let queued = queue(bench, 0, move || {
                        ran.fetch_add(1, Ordering::SeqCst);
                    });
                    assert_eq!(queued, Hresult::S_OK);
                }
                let all = (0..=round).map(|round| 1 + round % 3).sum();
                eventually("all of it ran, once", || ran.load(Ordering::SeqCst) == all);
                thread::sleep(Duration::from_micros(u64::from(round * 37 % 500)));
            }
            eventually("only the least are left", || {
                bench.host.scheduler().stats().live() == u64::from(least)
            });
            assert_eq!(number(bench, "available"), 4);
        });
    }
}

/// The runtime attaches itself to a worker once, and is told of its end once.
#[test]
fn a_worker_is_one_task_for_many_pieces() {
    with(
        builder(2).tasks(TaskMode::Fiber).pool_threads(0, 1),
        |bench| {
            // SAFETY: the shutdown below has waited for all work before this returns.
            let borrowed: &'static Bench = unsafe { &*std::ptr::from_ref(bench) };
            let clr_task = ClrTask::new(Hresult::S_OK);
            let (tell, told) = channel();
            for item in 0..10 {
                let tell = tell.clone();
                let queued = queue(bench, 0, move || {
                    let me = given(|out| {
                        com!(borrowed.tasks, IHostTaskManagerVtbl, GetCurrentTask, out)
                    });
                    if item == 0 {
                        assert_eq!(
                            com!(me, IHostTaskVtbl, SetCLRTask, clr_task.object().get()),
                            Hresult::S_OK
                        );
                    }
                    assert_eq!(
                        borrowed.host.current_task().expect("a task").kind(),
                        Kind::Worker
                    );
                    me.release();
                    tell.send(me).expect("the test waits for it");
                });
                assert_eq!(queued, Hresult::S_OK);
            }
            let first = told.recv().expect("it has told");
            for _ in 1..10 {
                assert_eq!(told.recv().expect("it has told"), first);
            }
            bench.host.shutdown(LONG).expect("the worker ends");
            let calls: Vec<_> = clr_task
                .calls()
                .into_iter()
                .filter(|call| !call.starts_with("Switch"))
                .collect();
            assert_eq!(calls, ["ExitTask"]);
            assert_eq!(clr_task.references(), 1);
        },
    );
}

#[test]
fn collections_are_told_and_kept() {
    at_workers(|bench| {
        let starting = || com!(bench.gc, IHostGCManagerVtbl, SuspensionStarting);
        let ending = |generation| com!(bench.gc, IHostGCManagerVtbl, SuspensionEnding, generation);
        assert_eq!(starting(), Hresult::S_OK);
        assert_eq!(bench.host.gc_figures().suspender, Some(current()));
        for _ in 0..2 {
            assert_eq!(
                com!(bench.gc, IHostGCManagerVtbl, ThreadIsBlockingForSuspension),
                Hresult::S_OK
            );
        }
        assert_eq!(ending(2), Hresult::S_OK);
        assert_eq!(
            (starting(), ending(SUSPENSION_ENDING_NOT_A_GC)),
            (Hresult::S_OK, Hresult::S_OK)
        );
        let figures = bench.host.gc_figures();
        assert_eq!(
            (figures.suspensions, figures.collections, figures.other_ends),
            (2, 1, 1)
        );
        assert_eq!(
            (figures.last_generation, figures.blocked, figures.suspender),
            (Some(2), 2, None)
        );
    });
}

#[test]
fn trouble_is_told_and_kept() {
    at(1, TaskMode::Fiber, |bench| {
        assert_eq!(
            com!(bench.policy, IHostPolicyManagerVtbl, OnDefaultAction, 0, 2),
            Hresult::S_OK
        );
        assert_eq!(
            com!(bench.policy, IHostPolicyManagerVtbl, OnTimeout, 5, 8),
            Hresult::S_OK
        );
        assert_eq!(
            com!(bench.policy, IHostPolicyManagerVtbl, OnFailure, 3, 4),
            Hresult::S_OK
        );
        let expected = vec![
            PolicyEvent::Action(EClrOperation::OPR_ThreadAbort, EPolicyAction::eAbortThread),
            PolicyEvent::Timeout(
                EClrOperation::OPR_ProcessExit,
                EPolicyAction::eRudeExitProcess,
            ),
            PolicyEvent::Failure(
                EClrFailure::FAIL_OrphanedLock,
                EPolicyAction::eUnloadAppDomain,
            ),
        ];
        assert_eq!(bench.host.policy_events(), (expected, 3));
    });
}

/// An embedder's manager: it may wait, and its task stays on its thread meanwhile.
#[derive(Default)]
struct Mine {
    told: AtomicU32,
    moved: AtomicBool,
}

impl IHostGCManager for Mine {
    fn thread_is_blocking_for_suspension(&self) -> Result<(), Hresult> {
        let thread = os_thread();
        for _ in 0..20 {
            yield_now();
            self.moved.fetch_or(os_thread() != thread, Ordering::SeqCst);
        }
        self.told.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn suspension_starting(&self) -> Result<(), Hresult> {
        Err(Hresult::E_ABORT)
    }

    fn suspension_ending(&self, generation: u32) -> Result<(), Hresult> {
        panic!("expected: generation {generation}");
    }
}

#[test]
fn managers_of_an_embedders() {
    expect_panics();
    let mine = Arc::new(Mine::default());
    let gc: Arc<dyn IHostGCManager> = mine.clone();
    with(builder(4).tasks(TaskMode::Fiber).gc_manager(gc), |bench| {
        // SAFETY: the task has ended before this returns.
        let borrowed: &'static Bench = unsafe { &*std::ptr::from_ref(bench) };
        bench.run(move || {
            let blocking = || {
                com!(
                    borrowed.gc,
                    IHostGCManagerVtbl,
                    ThreadIsBlockingForSuspension
                )
            };
            assert_eq!(blocking(), Hresult::S_OK);
        });
        assert_eq!(mine.told.load(Ordering::SeqCst), 1);
        assert!(
            !mine.moved.load(Ordering::SeqCst),
            "it stays while the embedder's code runs"
        );
        assert_eq!(
            com!(bench.gc, IHostGCManagerVtbl, SuspensionStarting),
            Hresult::E_ABORT
        );
        assert_eq!(
            bench.host.gc_figures().suspensions,
            0,
            "somebody else was told"
        );
    });
}

#[test]
fn a_panic_does_not_cross_the_boundary_and_the_latch_falls() {
    expect_panics();
    let gc: Arc<dyn IHostGCManager> = Arc::new(Mine::default());
    let _watchdog = common::Watchdog::new("a panic".into());
    let bench = Bench::new(builder(1).tasks(TaskMode::Fiber).gc_manager(gc));
    let me = given(|out| com!(bench.tasks, IHostTaskManagerVtbl, GetCurrentTask, out));
    assert_eq!(
        com!(bench.tasks, IHostTaskManagerVtbl, LeaveRuntime, 0),
        Hresult::S_OK
    );
    assert_eq!(
        com!(bench.gc, IHostGCManagerVtbl, SuspensionEnding, 2),
        Hresult::E_FAIL
    );
    assert!(bench.host.gate().has_failed());
    // Everything is over, but what was begun can be ended.
    assert_eq!(
        com!(bench.gc, IHostGCManagerVtbl, SuspensionStarting),
        Hresult::HOST_E_CLRNOTAVAILABLE
    );
    let mut out = std::ptr::dangling_mut();
    let created = com!(bench.sync, IHostSyncManagerVtbl, CreateCrst, &raw mut out);
    assert_eq!(
        (created, out.is_null()),
        (Hresult::HOST_E_CLRNOTAVAILABLE, true)
    );
    assert_eq!(
        com!(bench.tasks, IHostTaskManagerVtbl, EnterRuntime),
        Hresult::S_OK
    );
    me.release();
    bench.host.shutdown(LONG).expect("nothing is left");
    assert!(bench.host.gate().has_failed(), "for good");
}

/// An embedder's manager that waits for ever.
struct Forever;

impl IHostGCManager for Forever {
    fn thread_is_blocking_for_suspension(&self) -> Result<(), Hresult> {
        fiberhost::scheduler::park();
        unreachable!("nobody unparks it");
    }

    fn suspension_starting(&self) -> Result<(), Hresult> {
        Ok(())
    }

    fn suspension_ending(&self, _: u32) -> Result<(), Hresult> {
        Ok(())
    }
}

#[test]
fn an_embedders_wait_that_a_shutdown_ends_is_no_failure() {
    let _watchdog = common::Watchdog::new("a shutdown".into());
    let builder = builder(1)
        .tasks(TaskMode::Fiber)
        .gc_manager(Arc::new(Forever));
    let bench = Bench::new(builder);
    let (tell, told) = channel();
    let gc = bench.gc;
    let task = bench.start(move || {
        tell.send(None).expect("the test waits for it");
        let answer = com!(gc, IHostGCManagerVtbl, ThreadIsBlockingForSuspension);
        tell.send(Some(answer)).expect("the test waits for it");
    });
    assert_eq!(told.recv(), Ok(None));
    thread::sleep(SHORT);
    bench.host.shutdown(LONG).expect("it ends");
    assert_eq!(told.recv(), Ok(Some(Hresult::HOST_E_ABANDONED)));
    assert!(!bench.host.gate().has_failed());
    task.release();
}

/// A pool that runs everything at once, where it is queued.
struct AtOnce;

impl IHostThreadpoolManager for AtOnce {
    fn queue_user_work_item(&self, work: Work, flags: QueueFlags) -> Result<(), Hresult> {
        if !flags.may_run_here {
            return Err(Hresult::E_FAIL);
        }
        let _ = work.run();
        Ok(())
    }
}

struct Silent;

impl IHostPolicyManager for Silent {
    fn on_default_action(&self, _: EClrOperation, _: EPolicyAction) -> Result<(), Hresult> {
        Ok(())
    }

    fn on_timeout(&self, _: EClrOperation, _: EPolicyAction) -> Result<(), Hresult> {
        Ok(())
    }

    fn on_failure(&self, _: EClrFailure, _: EPolicyAction) -> Result<(), Hresult> {
        Ok(())
    }
}

#[test]
fn what_an_embedder_leaves_out_is_not_implemented() {
    let builder = builder(1)
        .threadpool_manager(Arc::new(AtOnce))
        .policy_manager(Arc::new(Silent));
    with(builder, |bench| {
        let (tell, told) = channel();
        assert_eq!(
            queue(bench, 1, move || tell.send(7).expect("the test waits")),
            Hresult::S_OK
        );
        assert_eq!(told.recv(), Ok(7));
        let mut threads = 5;
        let get = com!(
            bench.pool,
            IHostThreadpoolManagerVtbl,
            GetMaxThreads,
            &raw mut threads
        );
        assert_eq!((get, threads), (Hresult::E_NOTIMPL, 0));
        assert_eq!(
            com!(bench.pool, IHostThreadpoolManagerVtbl, SetMinThreads, 1),
            Hresult::E_NOTIMPL
        );
        assert_eq!(
            com!(bench.policy, IHostPolicyManagerVtbl, OnFailure, 0, 0),
            Hresult::S_OK
        );
        assert_eq!(bench.host.policy_events(), (Vec::new(), 0));
    });
}

#[test]
fn a_host_on_a_scheduler_of_somebody_elses_leaves_it_running() {
    let scheduler = fiberhost::scheduler::Scheduler::new().expect("a scheduler");
    {
        let host = Host::builder()
            .scheduler(scheduler.clone())
            .build()
            .expect("a host");
        assert_eq!(host.scheduler().workers(), scheduler.workers());
    }
    assert_eq!(scheduler.run(|| 6 * 7), 42);
    scheduler
        .shutdown(Duration::from_secs(10))
        .expect("nothing is left");
}

/// Nobody is left waiting for what a scheduler that has ended never runs.
#[test]
fn a_scheduler_that_has_ended_refuses_tasks_and_work() {
    let _watchdog = common::Watchdog::new("an ended scheduler".into());
    let scheduler = fiberhost::scheduler::Scheduler::new().expect("a scheduler");
    let bench = Bench::new(Host::builder().scheduler(scheduler.clone()));
    let unstarted = bench.create(|| unreachable!());
    scheduler
        .shutdown(LONG)
        .expect("the task that has not begun ends");
    assert_eq!(
        com!(unstarted, IHostTaskVtbl, Start),
        Hresult::S_OK,
        "never refused"
    );
    hosting::join(unstarted);
    assert_eq!(queue(&bench, 0, || unreachable!()), Hresult::E_OUTOFMEMORY);
    let mut out = std::ptr::dangling_mut();
    let (function, context) = routine(|| unreachable!());
    let created = com!(
        bench.tasks,
        IHostTaskManagerVtbl,
        CreateTask,
        0,
        Some(function),
        context,
        &raw mut out
    );
    assert_eq!((created, out.is_null()), (Hresult::E_OUTOFMEMORY, true));
    bench.host.shutdown(LONG).expect("nothing is left");
    assert_eq!(bench.host.figures().objects, hosting::OWN_OBJECTS);
}

#[test]
fn impossible_settings_are_refused() {
    for (least, most) in [(0, 0), (3, 2)] {
        let refused = Host::builder().pool_threads(least, most).build();
        assert_eq!(
            refused.map(drop).unwrap_err().kind(),
            std::io::ErrorKind::InvalidInput
        );
    }
}
