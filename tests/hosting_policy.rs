//! What a host does by itself: whom it lets go first, whom it asks to yield, whom it ends, and what it ends with.

mod common;
#[macro_use]
mod hosting;

use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::{LONG, eventually, until_waits};
use fiberhost::com::clr::{ClrInterface, ICLRRuntimeHost, Raw};
use fiberhost::com::{EClrOperation, EPolicyAction, Hresult, INFINITE};
use fiberhost::policy::Policy;
use fiberhost::scheduler::{Scheduler, WaitReason, current};
use fiberhost::{Host, HostTask, TaskMode};
use hosting::fake::{ClrTask, Recorder};
use hosting::{Bench, Object, at, builder, given, join, with};

const ALERTABLE: u32 = 2;

/// For what runs in tasks and threads that have ended before the test does.
fn borrowed(bench: &Bench) -> &'static Bench {
    // SAFETY: as above.
    unsafe { &*std::ptr::from_ref(bench) }
}

/// The calling task has this task of the runtime's from now on.
fn attach(bench: &Bench, clr_task: &'static ClrTask) -> HostTask {
    let me = given(|out| com!(bench.tasks, IHostTaskManagerVtbl, GetCurrentTask, out));
    let tied = com!(me, IHostTaskVtbl, SetCLRTask, clr_task.object().get());
    assert_eq!(tied, Hresult::S_OK);
    me.release();
    bench.host.current_task().expect("a task")
}

fn auto_event(bench: &Bench) -> Object {
    given(|out| com!(bench.sync, IHostSyncManagerVtbl, CreateAutoEvent, out))
}

fn wait(event: Object, option: u32) -> Hresult {
    com!(event, IHostAutoEventVtbl, Wait, INFINITE, option)
}

fn switch_to_task(bench: &Bench) -> Hresult {
    com!(bench.tasks, IHostTaskManagerVtbl, SwitchToTask, 0)
}

/// A task that is waited for by a collection goes on before twenty others that only switch; asked is at each wait, and not
/// when a task lets others run or is in unmanaged code.
#[test]
fn what_needs_priority_goes_on_first() {
    for mode in [TaskMode::Fiber, TaskMode::Thread] {
        at(1, mode, |bench| {
            let bench = borrowed(bench);
            let event = auto_event(bench);
            let clr_task = ClrTask::new(Hresult::S_OK);
            clr_task.urgent.store(true, Ordering::SeqCst);
            let (woken, turns) = (
                Arc::new(AtomicBool::new(false)),
                Arc::new(AtomicU32::new(0)),
            );
            let (tell, told) = channel();
            let waiter = {
                let (woken, turns) = (Arc::clone(&woken), Arc::clone(&turns));
                bench.start(move || {
                    let me = attach(bench, clr_task);
                    let me = me.scheduler_task().unwrap().clone();
                    switch_to_task(bench);
                    assert_eq!(clr_task.asked.load(Ordering::SeqCst), 0);
                    tell.send(me.clone()).unwrap();
                    assert_eq!(wait(event, 0), Hresult::S_OK);
                    woken.store(true, Ordering::SeqCst);
                    assert_eq!(clr_task.asked.load(Ordering::SeqCst), 1);
                    assert!(!me.is_urgent(), "only until it goes on");
                    // Until the kernel has woken a thread, others may have any number of turns.
                    let turns = turns.load(Ordering::SeqCst);
                    let is_next = turns <= 3 || mode == TaskMode::Thread;
                    assert!(is_next, "{turns} turns of others in between");
                    clr_task.urgent.store(false, Ordering::SeqCst);
                    com!(bench.tasks, IHostTaskManagerVtbl, Sleep, 1, 0);
                    assert_eq!(clr_task.asked.load(Ordering::SeqCst), 2);
                    com!(bench.tasks, IHostTaskManagerVtbl, LeaveRuntime, 0x10);
                    com!(bench.tasks, IHostTaskManagerVtbl, Sleep, 1, 0);
                    com!(bench.tasks, IHostTaskManagerVtbl, EnterRuntime);
                    assert_eq!(clr_task.asked.load(Ordering::SeqCst), 2);
                })
            };
            let task = told.recv().unwrap();
            until_waits(&task, WaitReason::Event);
            assert!(task.is_urgent());
            let set = Arc::new(AtomicBool::new(false));
            let others: Vec<_> = (0..20)
                .map(|_| {
                    let (woken, turns) = (Arc::clone(&woken), Arc::clone(&turns));
                    let set = Arc::clone(&set);
                    bench.start(move || {
                        while !woken.load(Ordering::SeqCst) {
                            if set.load(Ordering::SeqCst) {
                                turns.fetch_add(1, Ordering::SeqCst);
                            }
                            switch_to_task(bench);
                        }
                    })
                })
                .collect();
            let setter = bench.start(move || {
                assert_eq!(com!(event, IHostAutoEventVtbl, Set), Hresult::S_OK);
                set.store(true, Ordering::SeqCst);
            });
            for task in others.into_iter().chain([setter, waiter]) {
                join(task);
            }
            event.release();
        });
    }
}

#[test]
fn who_suspends_the_others_is_urgent() {
    at(1, TaskMode::Fiber, |bench| {
        let bench = borrowed(bench);
        bench.run(move || {
            for _ in 0..2 {
                com!(bench.gc, IHostGCManagerVtbl, SuspensionStarting);
                assert!(current().is_urgent());
                assert_eq!(bench.host.gc_figures().suspender, Some(current()));
                switch_to_task(bench);
                assert!(current().is_urgent());
                com!(bench.gc, IHostGCManagerVtbl, SuspensionEnding, 1);
                assert!(!current().is_urgent());
            }
        });
    });
}

const QUANTUM: Duration = Duration::from_millis(5);

fn spin_until(done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < LONG, "it never comes");
        std::hint::spin_loop();
    }
}

/// A task that is past its quantum is asked to yield, by whichever way the host is told; one that is in unmanaged code, or that
/// others wait for, is not.
#[test]
fn a_task_past_its_quantum_is_asked_to_yield() {
    let work = |bench: &Bench| {
        let bench = borrowed(bench);
        let clr_task = ClrTask::new(Hresult::S_OK);
        let yields = move || clr_task.yields.load(Ordering::SeqCst);
        let task = bench.start(move || {
            attach(bench, clr_task);
            spin_until(|| yields() >= 2);
            com!(bench.gc, IHostGCManagerVtbl, SuspensionStarting);
            // One may be under way.
            thread::sleep(QUANTUM);
            let before = yields();
            let until = Instant::now() + 10 * QUANTUM;
            spin_until(|| Instant::now() > until);
            assert_eq!(yields(), before, "the suspender is left alone");
            com!(bench.gc, IHostGCManagerVtbl, SuspensionEnding, 1);
            com!(bench.tasks, IHostTaskManagerVtbl, LeaveRuntime, 0x10);
            thread::sleep(QUANTUM);
            let before = yields();
            let until = Instant::now() + 10 * QUANTUM;
            spin_until(|| Instant::now() > until);
            assert_eq!(yields(), before, "unmanaged code would not hear it");
            com!(bench.tasks, IHostTaskManagerVtbl, EnterRuntime);
        });
        join(task);
        assert!(bench.host.figures().yields_asked >= 2);
        assert_eq!(clr_task.references(), 1);
    };
    let settings = || Scheduler::builder().workers(1).quantum(QUANTUM);
    with(
        Host::builder()
            .scheduler_settings(settings())
            .tasks(TaskMode::Fiber),
        work,
    );
    // A scheduler of the embedder's, who tells the host.
    static HOST: Mutex<Option<&Host>> = Mutex::new(None);
    let settings = settings().on_quantum(|task| {
        if let Some(host) = *HOST.lock().unwrap() {
            host.quantum_over(task);
        }
    });
    let scheduler = settings.build().unwrap();
    let bench = Bench::new(
        Host::builder()
            .scheduler(scheduler.clone())
            .tasks(TaskMode::Fiber),
    );
    *HOST.lock().unwrap() = Some(&borrowed(&bench).host);
    work(&bench);
    *HOST.lock().unwrap() = None;
    bench.host.shutdown(LONG).unwrap();
    scheduler.shutdown(LONG).unwrap();
}

/// A wait in unmanaged code, and one of an adopted thread, blocks a thread: a shutdown ends it all the same.
#[test]
fn waits_that_block_a_thread_end_with_the_host() {
    for option in [0, ALERTABLE] {
        with(builder(2).tasks(TaskMode::Fiber), |bench| {
            let bench = borrowed(bench);
            let event = auto_event(bench);
            let (tell, told) = channel();
            let mine = tell.clone();
            let task = bench.start(move || {
                com!(bench.tasks, IHostTaskManagerVtbl, LeaveRuntime, 0x10);
                mine.send(current()).unwrap();
                let ended = wait(event, option);
                com!(bench.tasks, IHostTaskManagerVtbl, EnterRuntime);
                assert_eq!(ended, Hresult::HOST_E_ABANDONED);
            });
            let adopted = thread::spawn(move || {
                let me = given(|out| com!(bench.tasks, IHostTaskManagerVtbl, GetCurrentTask, out));
                tell.send(current()).unwrap();
                let ended = wait(event, option);
                me.release();
                ended
            });
            let waiting = [told.recv().unwrap(), told.recv().unwrap()];
            // Both are about to wait, or wait.
            thread::sleep(Duration::from_millis(5));
            drop(waiting);
            bench.host.shutdown(LONG).expect("nobody is left");
            assert_eq!(adopted.join().unwrap(), Hresult::HOST_E_ABANDONED);
            let ended = bench.host.scheduler().stats().live();
            assert_eq!(ended, 0);
            task.release();
            event.release();
        });
    }
}

/// A policy whose time limits are all so long.
fn ladder(steps: &[(EClrOperation, EPolicyAction)]) -> Policy {
    let mut policy = Policy::new();
    for (operation, action) in steps {
        policy.set_timeout(*operation, LIMIT_MS, *action).unwrap();
    }
    policy
}

const LIMIT_MS: u32 = 20;

fn rude() -> Policy {
    ladder(&[
        (
            EClrOperation::OPR_ThreadAbort,
            EPolicyAction::eRudeAbortThread,
        ),
        (
            EClrOperation::OPR_ThreadRudeAbortInNonCriticalRegion,
            EPolicyAction::eDisableRuntime,
        ),
    ])
}

/// A task that does not end: each step comes, in its order and not before its time, and only those that are the embedder's are
/// not taken by the host. The last one lets the latch fall.
#[test]
fn a_task_that_does_not_end_is_ended_step_by_step() {
    use EPolicyAction as Action;
    let unloading = ladder(&[
        (EClrOperation::OPR_ThreadAbort, Action::eUnloadAppDomain),
        (
            EClrOperation::OPR_AppDomainUnload,
            Action::eRudeUnloadAppDomain,
        ),
        (EClrOperation::OPR_AppDomainRudeUnload, Action::eExitProcess),
        (EClrOperation::OPR_ProcessExit, Action::eDisableRuntime),
    ]);
    let unloads = [
        Action::eUnloadAppDomain,
        Action::eRudeUnloadAppDomain,
        Action::eExitProcess,
        Action::eDisableRuntime,
    ];
    let rudely = [Action::eRudeAbortThread, Action::eDisableRuntime];
    step_by_step(unloading, &unloads, &["SwitchOut", "Abort"], 2);
    step_by_step(rude(), &rudely, &["SwitchOut", "Abort", "RudeAbort"], 0);
}

fn step_by_step(policy: Policy, wanted: &[EPolicyAction], asked: &[&str], unloads: usize) {
    let _watchdog = common::Watchdog::new("a ladder".into());
    let steps = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&steps);
    let builder = builder(1)
        .tasks(TaskMode::Fiber)
        .policy(policy)
        .on_escalation(move |task, action| {
            assert!(!task.has_ended());
            notes.lock().unwrap().push((action, Instant::now()));
            action == EPolicyAction::eExitProcess
        });
    let bench = Bench::new(builder);
    let runtime = Recorder::new(|_, _| Hresult::S_OK);
    let pointer = NonNull::new(runtime.object().get()).unwrap();
    // SAFETY: the recorder has all slots that are called, and its first reference is given away.
    let handle = ICLRRuntimeHost::from_handle(unsafe { Raw::owned(pointer) });
    bench.host.attach(&handle).unwrap();
    drop(handle);
    let clr_task = ClrTask::new(Hresult::S_OK);
    let event = auto_event(&bench);
    let (tell, told) = channel();
    let here = borrowed(&bench);
    let task = bench.start(move || {
        tell.send(attach(here, clr_task)).unwrap();
        wait(event, 0);
    });
    let victim = told.recv().unwrap();
    until_waits(victim.scheduler_task().unwrap(), WaitReason::Event);
    runtime.take_calls();
    let start = Instant::now();
    victim.end(Some(77)).unwrap();
    assert_eq!(clr_task.calls(), ["SwitchOut", "Abort"]);
    eventually("the last step", || bench.host.gate().has_failed());
    let steps = steps.lock().unwrap().clone();
    let actions: Vec<_> = steps.iter().map(|(action, _)| *action).collect();
    assert_eq!(actions, wanted);
    for (number, (action, when)) in (1..).zip(&steps) {
        let limit = Duration::from_millis((LIMIT_MS * number).into());
        assert!(
            when.duration_since(start) >= limit,
            "{action:?} came too early"
        );
    }
    assert_eq!(clr_task.calls(), asked);
    let calls = runtime.take_calls();
    assert_eq!(calls.len(), unloads, "{calls:?}");
    for (_, words) in calls {
        assert_eq!((words[0] as u32, words[1] as i32), (77, 0));
    }
    assert_eq!(bench.host.figures().escalations, wanted.len() as u64);
    let refused = com!(event, IHostAutoEventVtbl, Set);
    assert_eq!(refused, Hresult::HOST_E_CLRNOTAVAILABLE);
    bench.host.shutdown(LONG).expect("the wait is ended");
    task.release();
    event.release();
    assert_eq!((runtime.references(), clr_task.references()), (0, 1));
}

/// No step follows for tasks that end in time, also if that is after the first of them, nor after a shutdown; and what panics in
/// between does no harm.
#[test]
fn a_task_that_ends_in_time_is_left_alone() {
    common::expect_panics();
    for ends_after in [0, 1] {
        let asked = Arc::new(AtomicU32::new(0));
        let asks = Arc::clone(&asked);
        let builder = builder(2)
            .tasks(TaskMode::Fiber)
            .policy(rude())
            .on_escalation(move |_, _| {
                asks.fetch_add(1, Ordering::SeqCst);
                panic!("expected: the host goes on by itself");
            });
        with(builder, |bench| {
            let bench = borrowed(bench);
            let event = auto_event(bench);
            let tasks: Vec<_> = (0..5)
                .map(|_| {
                    let clr_task = ClrTask::new(Hresult::S_OK);
                    let (tell, told) = channel();
                    let task = bench.start(move || {
                        tell.send(attach(bench, clr_task)).unwrap();
                        let calls = |name| clr_task.calls().contains(&name);
                        let until = if ends_after == 0 {
                            "Abort"
                        } else {
                            "RudeAbort"
                        };
                        while !calls(until) {
                            assert_ne!(wait_a_little(event), Hresult::S_OK);
                        }
                    });
                    (task, told.recv().unwrap())
                })
                .collect();
            for (_, victim) in &tasks {
                victim.end(None).unwrap();
            }
            for (task, victim) in tasks {
                join(task);
                assert!(victim.has_ended());
                assert_eq!(victim.end(None), Err(Hresult::HOST_E_INVALIDOPERATION));
            }
            // The time of all the other steps.
            thread::sleep(Duration::from_millis(100));
            event.release();
        });
        assert_eq!(asked.load(Ordering::SeqCst), 5 * ends_after);
    }
    // Nobody is watched after a shutdown, though the time is not over.
    let bench = Bench::new(builder(1).tasks(TaskMode::Fiber).policy(rude()));
    let here = borrowed(&bench);
    let clr_task = ClrTask::new(Hresult::S_OK);
    let event = auto_event(&bench);
    let (tell, told) = channel();
    let task = bench.start(move || {
        tell.send(attach(here, clr_task)).unwrap();
        wait(event, 0);
    });
    told.recv().unwrap().end(None).unwrap();
    bench.host.shutdown(LONG).unwrap();
    assert_eq!(bench.host.figures().escalations, 0);
    task.release();
    event.release();
}

fn wait_a_little(event: Object) -> Hresult {
    com!(event, IHostAutoEventVtbl, Wait, 1, 0)
}
