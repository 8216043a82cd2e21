//! Two hosts in one process do not see each other.

mod common;
#[macro_use]
mod hosting;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{LONG, eventually};
use fiberhost::com::host::IHostGCManager;
use fiberhost::com::{Hresult, INFINITE};
use fiberhost::{Host, TaskMode};
use hosting::{Bench, Object, builder, given, join, with};

const ALERTABLE: u32 = 2;

fn auto_event(bench: &Bench) -> Object {
    given(|out| com!(bench.sync, IHostSyncManagerVtbl, CreateAutoEvent, out))
}

fn me(tasks: Object) -> Object {
    let me = given(|out| com!(tasks, IHostTaskManagerVtbl, GetCurrentTask, out));
    me.release();
    me
}

/// Two hosts, each with a scheduler of its own.
fn with_two(test: impl Fn(&Bench, &Bench)) {
    for mode in [TaskMode::Fiber, TaskMode::Thread] {
        with(builder(2).tasks(mode), |one| {
            with(builder(2).tasks(mode), |two| test(one, two));
        });
    }
}

/// What a task does at one host changes no object, figure or task of the other.
#[test]
fn what_one_does_is_not_seen_by_the_other() {
    with_two(|one, two| {
        let before = (two.host.figures(), two.host.scheduler().stats().spawned);
        let (tasks, event) = (one.tasks, auto_event(one));
        one.run(move || {
            let task = me(tasks);
            assert_eq!(me(tasks), task, "the same each time");
            for _ in 0..10 {
                assert_eq!(com!(event, IHostAutoEventVtbl, Set), Hresult::S_OK);
                let woken = com!(event, IHostAutoEventVtbl, Wait, INFINITE, 0);
                assert_eq!(woken, Hresult::S_OK);
                let left = com!(tasks, IHostTaskManagerVtbl, LeaveRuntime, 1);
                assert_eq!(left, Hresult::S_OK);
                let entered = com!(tasks, IHostTaskManagerVtbl, EnterRuntime);
                assert_eq!(entered, Hresult::S_OK);
            }
        });
        event.release();
        let after = (two.host.figures(), two.host.scheduler().stats().spawned);
        assert_eq!(before, after);
        assert_ne!(one.host.id(), two.host.id());
    });
}

/// A task of one that asks the other who it is, is another task there: transitions at one are none at the other.
#[test]
fn a_task_that_both_know_is_one_of_each() {
    with_two(|one, two| {
        let (first, second) = (one.tasks, two.tasks);
        let wrong = two.host.figures().stray_hooks;
        one.run(move || {
            let here = me(first);
            let there = me(second);
            assert_ne!(here, there);
            let hook = |answer| assert_eq!(answer, Hresult::S_OK);
            hook(com!(first, IHostTaskManagerVtbl, LeaveRuntime, 1));
            // Nothing was left there.
            let stray = com!(second, IHostTaskManagerVtbl, EnterRuntime);
            assert_eq!(stray, Hresult::E_UNEXPECTED, "it fits nothing");
            hook(com!(first, IHostTaskManagerVtbl, EnterRuntime));
            hook(com!(second, IHostTaskManagerVtbl, LeaveRuntime, 1));
            hook(com!(second, IHostTaskManagerVtbl, EnterRuntime));
            assert_eq!((me(first), me(second)), (here, there));
        });
        assert_eq!(one.host.figures().stray_hooks, 0);
        assert_eq!(two.host.figures().stray_hooks, wrong + 1);
    });
}

/// The end of one leaves the tasks of the other where they are.
#[test]
fn the_end_of_one_is_nothing_to_the_other() {
    with(builder(1).tasks(TaskMode::Fiber), |one| {
        let event = auto_event(one);
        let done = Arc::new(AtomicBool::new(false));
        let note = Arc::clone(&done);
        let waiter = one.start(move || {
            let woken = com!(event, IHostAutoEventVtbl, Wait, INFINITE, ALERTABLE);
            assert_eq!(woken, Hresult::S_OK);
            note.store(true, Ordering::SeqCst);
        });
        with(builder(1).tasks(TaskMode::Fiber), |two| {
            let its = auto_event(two);
            two.start(move || {
                let woken = com!(its, IHostAutoEventVtbl, Wait, 0, ALERTABLE);
                assert_eq!(woken, Hresult::HOST_E_TIMEOUT);
            })
            .release();
            eventually("the tasks of the second have ended", || {
                two.host.scheduler().stats().live() == 0
            });
            its.release();
        });
        assert!(!done.load(Ordering::SeqCst), "it waits still");
        assert_eq!(com!(event, IHostAutoEventVtbl, Set), Hresult::S_OK);
        join(waiter);
        assert!(done.load(Ordering::SeqCst));
        event.release();
    });
}

/// A manager that fails.
struct Fails;

impl IHostGCManager for Fails {
    fn thread_is_blocking_for_suspension(&self) -> Result<(), Hresult> {
        panic!("expected");
    }

    fn suspension_starting(&self) -> Result<(), Hresult> {
        Ok(())
    }

    fn suspension_ending(&self, _: u32) -> Result<(), Hresult> {
        Ok(())
    }
}

/// One that has failed answers no more calls; the other does.
#[test]
fn the_failure_of_one_is_its_own() {
    with(builder(1).tasks(TaskMode::Fiber), |one| {
        let failing = builder(1)
            .tasks(TaskMode::Fiber)
            .gc_manager(Arc::new(Fails));
        let two = Bench::new(failing);
        let failed = com!(two.gc, IHostGCManagerVtbl, ThreadIsBlockingForSuspension);
        assert_eq!(failed, Hresult::E_FAIL);
        let mut out = std::ptr::dangling_mut();
        let refused = com!(two.sync, IHostSyncManagerVtbl, CreateCrst, &raw mut out);
        assert_eq!(refused, Hresult::HOST_E_CLRNOTAVAILABLE);
        let section = given(|out| com!(one.sync, IHostSyncManagerVtbl, CreateCrst, out));
        section.release();
        assert!(!one.host.gate().has_failed());
        two.host.shutdown(LONG).expect("nothing is left");
    });
}

/// Both on one scheduler: what they share is that, and nothing else.
#[test]
fn two_on_one_scheduler_share_that_alone() {
    with(builder(2).tasks(TaskMode::Fiber), |one| {
        let scheduler = one.host.scheduler().clone();
        let on_it = Host::builder().scheduler(scheduler).tasks(TaskMode::Fiber);
        let two = Bench::new(on_it);
        let (tasks, its) = (one.tasks, two.tasks);
        two.run(move || assert_ne!(me(tasks), me(its)));
        two.host.shutdown(LONG).expect("nothing is left");
        let after = one.run(|| 7);
        assert_eq!(after, 7, "the scheduler goes on");
    });
}
