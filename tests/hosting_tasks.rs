//! Tasks of the hosting interface: their life, what they are told of the runtime, and what the runtime is told of them.

mod common;
#[macro_use]
mod hosting;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use common::{LONG, eventually, os_thread};
use fiberhost::com::{Hresult, INFINITE};
use fiberhost::scheduler::{Priority, yield_now};
use fiberhost::{Abort, Hooks, Kind, Strangers, TaskMode};
use hosting::fake::ClrTask;
use hosting::{Bench, Object, at, at_workers, builder, everywhere, given, join, routine, with};

const ALERTABLE: u32 = 2;
const ABOVE: i32 = 1;

fn start(task: Object) -> Hresult {
    com!(task, IHostTaskVtbl, Start)
}

fn join_for(task: Object, milliseconds: u32, option: u32) -> Hresult {
    com!(task, IHostTaskVtbl, Join, milliseconds, option)
}

/// The calling task's object, without a reference.
fn me(bench: &Bench) -> Object {
    let me = given(|out| com!(bench.tasks, IHostTaskManagerVtbl, GetCurrentTask, out));
    me.release();
    me
}

fn counted() -> (Arc<AtomicU32>, Arc<AtomicU32>) {
    let count = Arc::new(AtomicU32::new(0));
    (Arc::clone(&count), count)
}

fn count_one(count: &AtomicU32) {
    count.fetch_add(1, Ordering::SeqCst);
}

#[test]
fn nothing_of_a_task_runs_before_its_start() {
    at_workers(|bench| {
        let (count, ran) = counted();
        let task = bench.create(move || count_one(&count));
        assert_eq!(
            join_for(task, 2, 0),
            Hresult::HOST_E_TIMEOUT,
            "it has not ended"
        );
        assert_eq!(join_for(task, 0, 0), Hresult::HOST_E_TIMEOUT);
        assert_eq!(ran.load(Ordering::SeqCst), 0);
        assert_eq!(start(task), Hresult::S_OK);
        assert_eq!(start(task), Hresult::HOST_E_INVALIDOPERATION, "once");
        for _ in 0..3 {
            assert_eq!(join_for(task, INFINITE, 0), Hresult::S_OK);
        }
        assert_eq!(start(task), Hresult::HOST_E_INVALIDOPERATION);
        assert_eq!(ran.load(Ordering::SeqCst), 1);
        task.release();
    });
}

#[test]
fn a_task_that_is_released_unstarted_never_runs() {
    at_workers(|bench| {
        // Closures without memory of their own, which nobody would give back.
        let tasks: Vec<_> = (0..20).map(|_| bench.create(|| unreachable!())).collect();
        for task in tasks {
            assert_eq!(task.release(), 0);
        }
        eventually("they have given up", || {
            bench.host.scheduler().stats().live() == 0
        });
    });
}

/// Whoever starts, joins and releases at the same time as the task ends: everything goes, once.
#[test]
fn starts_joins_and_releases_meet_the_end() {
    at_workers(|bench| {
        let (count, ran) = counted();
        for _ in 0..200 {
            let count = Arc::clone(&count);
            let task = bench.create(move || count_one(&count));
            for _ in 0..2 {
                com!(task, IUnknownVtbl, AddRef);
            }
            let starter = thread::spawn(move || {
                let first = start(task);
                task.release();
                first
            });
            let joiner = bench.start(move || {
                assert_eq!(join_for(task, INFINITE, 0), Hresult::S_OK);
                task.release();
            });
            let second = start(task);
            let first = starter.join().expect("no panic");
            let mut answers = [first, second];
            answers.sort_by_key(|answer| answer.bits());
            assert_eq!(answers, [Hresult::S_OK, Hresult::HOST_E_INVALIDOPERATION]);
            join(task);
            join(joiner);
        }
        assert_eq!(ran.load(Ordering::SeqCst), 200);
    });
}

#[test]
fn a_task_goes_on_when_everybody_has_released_it() {
    at_workers(|bench| {
        let (tell, told) = channel();
        let task = bench.start(move || {
            for _ in 0..10 {
                yield_now();
            }
            tell.send(()).expect("the test waits for it");
        });
        task.release();
        told.recv().expect("it ran to its end");
    });
}

#[test]
fn a_priority_is_remembered_and_reaches_the_scheduler() {
    at_workers(|bench| {
        let (tell, told) = channel();
        let task = bench.create(move || {
            let priority = fiberhost::scheduler::current().priority();
            tell.send(priority).expect("the test waits for it");
        });
        let priority = || {
            let mut priority = i32::MIN;
            assert_eq!(
                com!(task, IHostTaskVtbl, GetPriority, &raw mut priority),
                Hresult::S_OK
            );
            priority
        };
        assert_eq!(priority(), 0);
        for (set, read) in [(-2, -2), (100, 15), (i32::MIN, -15), (ABOVE, ABOVE)] {
            assert_eq!(com!(task, IHostTaskVtbl, SetPriority, set), Hresult::S_OK);
            assert_eq!(priority(), read);
        }
        assert_eq!(start(task), Hresult::S_OK);
        assert_eq!(told.recv().expect("it runs"), Priority::High);
        join(task);
    });
}

fn joins_itself(bench: &'static Bench) {
    let me = me(bench);
    let began = Instant::now();
    assert_eq!(join_for(me, 5, 0), Hresult::HOST_E_TIMEOUT);
    assert_eq!(join_for(me, 5, ALERTABLE), Hresult::HOST_E_TIMEOUT);
    assert!(began.elapsed() >= Duration::from_millis(10));
    assert_eq!(com!(me, IHostTaskVtbl, Alert), Hresult::S_OK);
    assert_eq!(join_for(me, 1, 0), Hresult::HOST_E_TIMEOUT, "not alertable");
    assert_eq!(
        join_for(me, INFINITE, ALERTABLE),
        Hresult::HOST_E_INTERRUPTED
    );
}

#[test]
fn a_task_that_joins_itself_waits_as_it_asked_to() {
    at_workers(|bench| everywhere(bench, joins_itself));
}

#[test]
fn many_join_one() {
    at_workers(|bench| {
        let task = bench.start(|| {
            fiberhost::scheduler::sleep(Duration::from_millis(5));
        });
        let joiner = move || assert_eq!(join_for(task, INFINITE, ALERTABLE), Hresult::S_OK);
        let tasks: Vec<_> = (0..4).map(|_| bench.start(joiner)).collect();
        let threads: Vec<_> = (0..2).map(|_| thread::spawn(joiner)).collect();
        tasks.into_iter().for_each(join);
        threads
            .into_iter()
            .for_each(|thread| thread.join().expect("no panic"));
        task.release();
    });
}

fn sleeps(bench: &'static Bench) {
    let sleep = |milliseconds, option| {
        com!(
            bench.tasks,
            IHostTaskManagerVtbl,
            Sleep,
            milliseconds,
            option
        )
    };
    let began = Instant::now();
    assert_eq!(sleep(3, 0), Hresult::S_OK);
    assert_eq!(sleep(3, ALERTABLE), Hresult::S_OK);
    assert!(began.elapsed() >= Duration::from_millis(6));
    assert_eq!(sleep(0, 0), Hresult::S_OK);
    assert_eq!(com!(me(bench), IHostTaskVtbl, Alert), Hresult::S_OK);
    assert_eq!(sleep(1, 0), Hresult::S_OK, "not alertable");
    assert_eq!(sleep(0, ALERTABLE), Hresult::S_OK, "it only yields");
    assert_eq!(sleep(INFINITE, ALERTABLE), Hresult::HOST_E_INTERRUPTED);
}

#[test]
fn a_sleep_ends_by_its_time_or_by_an_alert() {
    at_workers(|bench| everywhere(bench, sleeps));
}

#[test]
fn a_task_is_the_same_object_wherever_it_runs() {
    at_workers(|bench| {
        // SAFETY: the task has ended before this returns.
        let borrowed: &'static Bench = unsafe { &*std::ptr::from_ref(bench) };
        let (tell, told) = channel();
        let task = bench.start(move || {
            let first = me(borrowed);
            for _ in 0..50 {
                yield_now();
                let again =
                    given(|out| com!(borrowed.tasks, IHostTaskManagerVtbl, GetCurrentTask, out));
                assert_eq!(again, first);
                again.release();
            }
            tell.send(first).expect("the test waits for it");
        });
        assert_eq!(
            told.recv().expect("it has told"),
            task,
            "and the one that its creator has"
        );
        join(task);
    });
}

#[test]
fn somebody_who_is_waited_for_in_a_loop_gets_to_run() {
    for workers in [1, 2] {
        at(workers, TaskMode::Fiber, |bench| {
            // SAFETY: the tasks have ended before this returns.
            let borrowed: &'static Bench = unsafe { &*std::ptr::from_ref(bench) };
            for (waiter, other) in [(0, 0), (2, 0), (2, -2), (0, -15)] {
                bench.run(move || {
                    assert_eq!(
                        com!(me(borrowed), IHostTaskVtbl, SetPriority, waiter),
                        Hresult::S_OK
                    );
                    let (count, ran) = counted();
                    let task = borrowed.create(move || count_one(&count));
                    assert_eq!(com!(task, IHostTaskVtbl, SetPriority, other), Hresult::S_OK);
                    assert_eq!(start(task), Hresult::S_OK);
                    let began = Instant::now();
                    while ran.load(Ordering::SeqCst) == 0 {
                        let switched = com!(borrowed.tasks, IHostTaskManagerVtbl, SwitchToTask, 0);
                        assert!(switched == Hresult::S_OK || switched == Hresult::S_FALSE);
                        assert!(began.elapsed() < LONG, "{waiter} never lets {other} run");
                    }
                    join(task);
                });
            }
        });
    }
}

#[test]
fn a_thread_and_a_task_that_is_alone_switch_to_nobody() {
    with(builder(1).tasks(TaskMode::Fiber), |bench| {
        assert_eq!(
            com!(bench.tasks, IHostTaskManagerVtbl, SwitchToTask, 0),
            Hresult::S_FALSE
        );
        // SAFETY: the task has ended before this returns.
        let borrowed: &'static Bench = unsafe { &*std::ptr::from_ref(bench) };
        bench.run(move || {
            let switch = || com!(borrowed.tasks, IHostTaskManagerVtbl, SwitchToTask, 0);
            eventually("nobody else is there", || switch() == Hresult::S_FALSE);
        });
    });
}

#[test]
fn culture_and_stack_belong_to_the_task() {
    at_workers(|bench| {
        let manager = bench.tasks;
        let mut bytes = 77;
        // A thread without a task keeps neither.
        assert_eq!(
            com!(manager, IHostTaskManagerVtbl, SetLocale, 1033),
            Hresult::E_NOTIMPL
        );
        assert_eq!(
            com!(manager, IHostTaskManagerVtbl, SetUILocale, 1033),
            Hresult::E_NOTIMPL
        );
        assert_eq!(
            com!(
                manager,
                IHostTaskManagerVtbl,
                GetStackGuarantee,
                &raw mut bytes
            ),
            Hresult::E_NOTIMPL
        );
        assert_eq!(bytes, 0);
        assert_eq!(
            com!(manager, IHostTaskManagerVtbl, SetStackGuarantee, 1),
            Hresult::E_NOTIMPL
        );
        // SAFETY: the task has ended before this returns.
        let borrowed: &'static Bench = unsafe { &*std::ptr::from_ref(bench) };
        bench.run(move || {
            assert_eq!(
                com!(manager, IHostTaskManagerVtbl, SetLocale, 1033),
                Hresult::S_OK
            );
            assert_eq!(
                com!(manager, IHostTaskManagerVtbl, SetUILocale, 1031),
                Hresult::S_OK
            );
            yield_now();
            let task = borrowed.host.current_task().expect("a task");
            assert_eq!((task.kind(), task.locales()), (Kind::Created, (1033, 1031)));
            let set = |bytes| com!(manager, IHostTaskManagerVtbl, SetStackGuarantee, bytes);
            let get = || {
                let mut bytes = u32::MAX;
                assert_eq!(
                    com!(
                        manager,
                        IHostTaskManagerVtbl,
                        GetStackGuarantee,
                        &raw mut bytes
                    ),
                    Hresult::S_OK
                );
                bytes
            };
            assert_eq!((get(), set(20_000), get()), (0, Hresult::S_OK, 20_000));
            assert_eq!(
                (set(10_000), get()),
                (Hresult::S_OK, 20_000),
                "it never shrinks"
            );
            assert_eq!(
                (set(u32::MAX), get()),
                (Hresult::E_INVALIDARG, 20_000),
                "more than there is"
            );
        });
    });
}

/// A runtime's task is told once of the end, on the task, and nobody refers to it any more.
#[test]
fn the_runtime_is_told_of_the_end_once() {
    at_workers(|bench| {
        // SAFETY: the task has ended before this returns.
        let borrowed: &'static Bench = unsafe { &*std::ptr::from_ref(bench) };
        let clr_task = ClrTask::new(Hresult::S_OK);
        let task = bench.start(move || {
            let me = me(borrowed);
            assert_eq!(
                com!(me, IHostTaskVtbl, SetCLRTask, clr_task.object().get()),
                Hresult::S_OK
            );
            // The task's, and that of who may ask it to yield.
            assert_eq!(clr_task.references(), 1 + 2);
            // It ends with transitions open: they are taken back first.
            assert_eq!(
                com!(borrowed.tasks, IHostTaskManagerVtbl, LeaveRuntime, 0),
                Hresult::S_OK
            );
            assert_eq!(
                com!(borrowed.tasks, IHostTaskManagerVtbl, ReverseEnterRuntime),
                Hresult::S_OK
            );
        });
        assert_eq!(join_for(task, INFINITE, 0), Hresult::S_OK);
        assert_eq!(clr_task.calls(), ["ExitTask"]);
        assert_eq!(clr_task.references(), 1);
        assert_eq!(bench.host.figures().frames_left, 1);
        let stranger = com!(task, IHostTaskVtbl, SetCLRTask, clr_task.object().get());
        assert_eq!(stranger, Hresult::HOST_E_INVALIDOPERATION);
        assert_eq!(clr_task.references(), 1);
        task.release();
    });
}

#[test]
fn a_task_of_the_scheduler_and_a_thread_end_as_tasks_of_the_runtime_too() {
    at_workers(|bench| {
        // SAFETY: task and thread have ended before this returns.
        let borrowed: &'static Bench = unsafe { &*std::ptr::from_ref(bench) };
        let attach = move |kind| {
            let clr_task = ClrTask::new(Hresult::S_OK);
            let me = given(|out| com!(borrowed.tasks, IHostTaskManagerVtbl, GetCurrentTask, out));
            assert_eq!(
                com!(me, IHostTaskVtbl, SetCLRTask, clr_task.object().get()),
                Hresult::S_OK
            );
            assert_eq!(borrowed.host.current_task().expect("a task").kind(), kind);
            (me, clr_task)
        };
        let entered = bench.host.scheduler().spawn(move || attach(Kind::Entered));
        let adopted = thread::spawn(move || attach(Kind::Adopted));
        for (task, clr_task) in [
            entered.join().expect("no panic"),
            adopted.join().expect("no panic"),
        ] {
            assert_eq!(join_for(task, INFINITE, 0), Hresult::S_OK);
            eventually("told", || clr_task.references() == 1);
            assert_eq!(clr_task.calls(), ["ExitTask"]);
            assert_eq!(start(task), Hresult::HOST_E_INVALIDOPERATION);
            assert_eq!(task.release(), 0);
        }
    });
}

/// A task that was there before the runtime knew of it is as urgent as before.
/// Whatever the task is: while its runtime ends it, it is the current task still, and can wait.
#[test]
fn a_task_is_there_until_the_runtime_has_ended_it() {
    at_workers(|bench| {
        // SAFETY: tasks and threads have ended before this returns.
        let borrowed: &'static Bench = unsafe { &*std::ptr::from_ref(bench) };
        let attach = move || {
            let clr_task = ClrTask::new(Hresult::S_OK);
            let mine = given(|out| com!(borrowed.tasks, IHostTaskManagerVtbl, GetCurrentTask, out));
            clr_task.at_exit(move || {
                assert_eq!(me(borrowed), mine, "the same task");
                let task = borrowed.host.current_task().expect("a task");
                assert_eq!(task.transition(), (fiberhost::State::Base, 0));
                assert!(!task.has_ended());
                assert_eq!(
                    com!(borrowed.tasks, IHostTaskManagerVtbl, Sleep, 1, 0),
                    Hresult::S_OK
                );
                for slot in [
                    com!(borrowed.tasks, IHostTaskManagerVtbl, BeginThreadAffinity),
                    com!(borrowed.tasks, IHostTaskManagerVtbl, EndThreadAffinity),
                    com!(borrowed.tasks, IHostTaskManagerVtbl, LeaveRuntime, 1),
                    com!(borrowed.tasks, IHostTaskManagerVtbl, EnterRuntime),
                ] {
                    assert_eq!(slot, Hresult::S_OK);
                }
            });
            assert_eq!(
                com!(mine, IHostTaskVtbl, SetCLRTask, clr_task.object().get()),
                Hresult::S_OK
            );
            (mine, clr_task)
        };
        let (tell, told) = channel();
        let queued = tell.clone();
        let (function, context) = routine(move || queued.send(attach()).expect("the test waits"));
        let work = com!(
            bench.pool,
            IHostThreadpoolManagerVtbl,
            QueueUserWorkItem,
            Some(function),
            context,
            0
        );
        assert_eq!(work, Hresult::S_OK);
        let created = tell.clone();
        let task = bench.start(move || created.send(attach()).expect("the test waits"));
        let entered = bench
            .host
            .scheduler()
            .spawn(attach)
            .join()
            .expect("no panic");
        let adopted = thread::spawn(attach).join().expect("no panic");
        join(task);
        let others = [told.recv().expect("one"), told.recv().expect("the other")];
        bench.host.shutdown(LONG).expect("the worker ends");
        for (task, clr_task) in [entered, adopted].into_iter().chain(others) {
            eventually("it has ended", || clr_task.references() == 1);
            let calls: Vec<_> = clr_task.calls();
            assert_eq!(calls.iter().filter(|call| **call == "ExitTask").count(), 1);
            task.release();
        }
    });
}

#[test]
fn an_entered_task_keeps_its_priority() {
    at(1, TaskMode::Fiber, |bench| {
        // SAFETY: the tasks have ended before this returns.
        let borrowed: &'static Bench = unsafe { &*std::ptr::from_ref(bench) };
        for (urgency, number) in [
            (Priority::Low, -1),
            (Priority::Normal, 0),
            (Priority::High, 1),
        ] {
            let task = bench
                .host
                .scheduler()
                .task()
                .priority(urgency)
                .spawn(move || {
                    let mut read = i32::MIN;
                    assert_eq!(
                        com!(me(borrowed), IHostTaskVtbl, GetPriority, &raw mut read),
                        Hresult::S_OK
                    );
                    (read, fiberhost::scheduler::current().priority())
                });
            let seen = task.expect("memory for a task").join().expect("no panic");
            assert_eq!(seen, (number, urgency));
        }
    });
}

#[test]
fn a_thread_that_is_released_is_no_task_and_may_become_one_again() {
    at(1, TaskMode::Fiber, |bench| {
        let first = given(|out| com!(bench.tasks, IHostTaskManagerVtbl, GetCurrentTask, out));
        bench.host.release_thread();
        assert!(bench.host.current_task().is_none());
        assert_eq!(join_for(first, 0, 0), Hresult::S_OK);
        let second = me(bench);
        assert_ne!(first, second);
        first.release();
    });
}

#[test]
fn waits_are_bracketed_by_switches() {
    with(builder(2).tasks(TaskMode::Fiber), |bench| {
        // SAFETY: the task has ended before this returns.
        let borrowed: &'static Bench = unsafe { &*std::ptr::from_ref(bench) };
        let clr_task = ClrTask::new(Hresult::S_OK);
        let task = bench.start(move || {
            let me = me(borrowed);
            assert_eq!(
                com!(me, IHostTaskVtbl, SetCLRTask, clr_task.object().get()),
                Hresult::S_OK
            );
            let sleep = || com!(borrowed.tasks, IHostTaskManagerVtbl, Sleep, 1, 0);
            assert_eq!(sleep(), Hresult::S_OK);
            assert_eq!(
                com!(borrowed.tasks, IHostTaskManagerVtbl, BeginThreadAffinity),
                Hresult::S_OK
            );
            assert_eq!(sleep(), Hresult::S_OK);
            assert_eq!(
                com!(borrowed.tasks, IHostTaskManagerVtbl, EndThreadAffinity),
                Hresult::S_OK
            );
            assert_eq!(sleep(), Hresult::S_OK);
        });
        join(task);
        // Its thread was its own during the second sleep, so that it was not switched out.
        let calls = ["SwitchOut", "SwitchIn", "SwitchOut", "SwitchIn", "ExitTask"];
        assert_eq!(clr_task.calls(), calls);
        assert_eq!(bench.host.figures().switches, 2);
    });
}

#[test]
fn a_runtime_that_cannot_be_switched_gets_threads() {
    for (answer, mode) in [
        (Hresult::E_NOTIMPL, TaskMode::Thread),
        (Hresult::S_OK, TaskMode::Fiber),
    ] {
        with(builder(2), |bench| {
            assert_eq!(bench.host.task_mode(), TaskMode::Probe);
            // SAFETY: the tasks have ended before this returns.
            let borrowed: &'static Bench = unsafe { &*std::ptr::from_ref(bench) };
            let clr_tasks = [ClrTask::new(answer), ClrTask::new(answer)];
            for clr_task in clr_tasks {
                bench.run(move || {
                    let me = me(borrowed);
                    assert_eq!(
                        com!(me, IHostTaskVtbl, SetCLRTask, clr_task.object().get()),
                        Hresult::S_OK
                    );
                    let (thread, mut moved) = (os_thread(), false);
                    for _ in 0..50 {
                        assert_eq!(
                            com!(borrowed.tasks, IHostTaskManagerVtbl, Sleep, 1, 0),
                            Hresult::S_OK
                        );
                        moved |= os_thread() != thread;
                        let stays = borrowed.host.task_mode() == TaskMode::Thread;
                        assert!(!(stays && moved), "its stack is never switched");
                    }
                });
            }
            assert_eq!(bench.host.task_mode(), mode);
            let probed = clr_tasks[0]
                .calls()
                .iter()
                .filter(|call| **call == "SwitchOut")
                .count();
            assert_eq!(
                probed, 1,
                "the first of them, on a thread of its own, is asked once"
            );
            let asked = clr_tasks[1].calls().len() > 1;
            assert_eq!(asked, mode == TaskMode::Fiber);
        });
    }
}

#[test]
fn an_abort_is_delivered_when_it_is_not_delayed() {
    at_workers(|bench| {
        // SAFETY: the task has ended before this returns.
        let borrowed: &'static Bench = unsafe { &*std::ptr::from_ref(bench) };
        let clr_task = ClrTask::new(Hresult::S_OK);
        bench.run(move || {
            let begin = || com!(borrowed.tasks, IHostTaskManagerVtbl, BeginDelayAbort);
            let end = || com!(borrowed.tasks, IHostTaskManagerVtbl, EndDelayAbort);
            let task = borrowed.host.current_task().expect("a task");
            assert_eq!(
                task.abort(Abort::Orderly),
                Err(Hresult::HOST_E_INVALIDOPERATION)
            );
            let me = me(borrowed);
            assert_eq!(
                com!(me, IHostTaskVtbl, SetCLRTask, clr_task.object().get()),
                Hresult::S_OK
            );
            assert_eq!(end(), Hresult::E_UNEXPECTED);
            assert_eq!(begin(), Hresult::S_OK);
            assert_eq!(begin(), Hresult::E_UNEXPECTED, "it does not nest");
            for abort in [Abort::Orderly, Abort::Rude, Abort::Orderly] {
                assert_eq!(task.abort(abort), Ok(()));
            }
            assert_eq!(clr_task.calls(), [""; 0]);
            assert_eq!(end(), Hresult::S_OK);
            assert_eq!(clr_task.calls(), ["RudeAbort"], "the strongest, once");
            assert_eq!(end(), Hresult::E_UNEXPECTED);
            assert_eq!(task.abort(Abort::Orderly), Ok(()));
            assert_eq!(clr_task.calls(), ["RudeAbort", "Abort"]);
        });
    });
}

#[test]
fn a_runtimes_task_is_used_again() {
    at(2, TaskMode::Fiber, |bench| {
        // SAFETY: the tasks have ended before this returns.
        let borrowed: &'static Bench = unsafe { &*std::ptr::from_ref(bench) };
        let clr_task = ClrTask::new(Hresult::S_OK);
        let recycled = bench.run(move || {
            let host = &borrowed.host;
            let wrong = Err(Hresult::HOST_E_INVALIDOPERATION);
            assert_eq!(host.recycle(false).map(drop), wrong, "it has none");
            let me = me(borrowed);
            assert_eq!(
                com!(me, IHostTaskVtbl, SetCLRTask, clr_task.object().get()),
                Hresult::S_OK
            );
            assert_eq!(
                host.callback(|| host.recycle(true).map(drop)),
                Ok(wrong),
                "not at its base"
            );
            assert_eq!(com!(me, IHostTaskVtbl, Alert), Hresult::S_OK);
            let recycled = host.recycle(true).expect("it can be used again");
            let sleep = com!(borrowed.tasks, IHostTaskManagerVtbl, Sleep, 1, ALERTABLE);
            assert_eq!(sleep, Hresult::S_OK, "the alert was for its former use");
            recycled
        });
        assert_eq!(clr_task.calls(), ["Reset full"], "and no end");
        bench.run(move || {
            let host = &borrowed.host;
            assert!(host.resume(recycled).is_ok());
            assert!(host.current_task().expect("a task").clr_task().is_some());
        });
        assert_eq!(clr_task.calls(), ["Reset full", "SwitchIn", "ExitTask"]);
        assert_eq!(clr_task.references(), 1);
    });
}

#[test]
fn which_calls_are_announced_is_a_setting() {
    for (hooks, answers) in [
        (Hooks::Always, [1, 1]),
        (Hooks::Never, [0, 0]),
        (Hooks::Ask(Arc::new(|target| target == 0x10)), [1, 0]),
    ] {
        with(builder(1).hooks(hooks), |bench| {
            let asked = [0x10, 0x20].map(|target| {
                let mut needs = -1;
                let answer = com!(
                    bench.tasks,
                    IHostTaskManagerVtbl,
                    CallNeedsHostHook,
                    target,
                    &raw mut needs
                );
                assert_eq!(answer, Hresult::S_OK);
                needs
            });
            assert_eq!(asked, answers);
        });
    }
}

#[test]
fn two_hosts_do_not_see_each_other() {
    with(builder(2), |one| {
        with(builder(1).strangers(Strangers::Deny), |other| {
            let mine = me(one);
            assert!(one.host.current_task().is_some());
            assert!(other.host.current_task().is_none());
            assert_eq!(
                com!(one.tasks, IHostTaskManagerVtbl, BeginThreadAffinity),
                Hresult::S_OK
            );
            assert_eq!(
                com!(other.tasks, IHostTaskManagerVtbl, EndThreadAffinity),
                Hresult::E_UNEXPECTED
            );
            assert_eq!(
                com!(one.tasks, IHostTaskManagerVtbl, EndThreadAffinity),
                Hresult::S_OK
            );
            assert_eq!(me(one), mine);
        });
    });
}

#[test]
fn what_is_read_of_a_runtimes_task_arrives() {
    use fiberhost::com::clr::{ClrInterface, ICLRTask, ICLRTask2};
    let task = ClrTask::new(Hresult::E_NOTIMPL);
    let pointer = std::ptr::NonNull::new(task.object().get()).expect("an object");
    // SAFETY: it is an `ICLRTask`, and its first reference is given away.
    let handle = unsafe { ICLRTask::from_owned(pointer) };
    let clone = handle.clone();
    assert_eq!(task.references(), 2);
    drop(clone);
    assert_eq!(
        handle.memory_stats().map(|stats| stats.PerThreadAllocation),
        Ok(123)
    );
    assert_eq!(handle.needs_priority_scheduling(), Ok(false));
    task.urgent.store(true, Ordering::SeqCst);
    assert_eq!(handle.needs_priority_scheduling(), Ok(true));
    assert_eq!(handle.yield_task(), Ok(Hresult::S_FALSE));
    assert_eq!(handle.locks_held(), Ok(7));
    assert_eq!(handle.set_task_identifier(9 << 32 | 1), Ok(Hresult::S_OK));
    assert_eq!(handle.reset(true), Ok(Hresult::S_OK));
    assert_eq!(handle.switch_out(), Err(Hresult::E_NOTIMPL));
    assert_eq!(
        handle.query::<ICLRTask2>().map(drop),
        Err(Hresult::E_NOINTERFACE)
    );
    assert!(handle.query::<ICLRTask>().is_ok());
    drop(handle);
    assert_eq!(task.references(), 0);
}
