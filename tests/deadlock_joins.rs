//! Joins that could never end are refused when they begin.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{at_workers, checked, until_waits, with_on_fibers};
use fiberhost::scheduler::native::{self, Target};
use fiberhost::scheduler::sync::AutoResetEvent;
use fiberhost::scheduler::{Blocker, JoinSet, WaitReason, current, park, spawn, yield_now};

static BELOW: Target = Target::new("code that calls back");

/// Two plain tasks on one thread: one waits inside a callback for the other, which cannot run there meanwhile.
// On fibers only: tasks on threads of their own share none.
#[test]
fn a_callback_that_joins_a_task_of_its_own_thread() {
    with_on_fibers(checked(1), |scheduler| {
        scheduler.run(|| {
            let started = Arc::new(AutoResetEvent::new(false));
            let mine = Arc::clone(&started);
            let other = spawn(move || {
                mine.set();
                park()
            });
            started.wait();
            let id = other.task().id();
            let error = native::section(&BELOW, || native::callback(|| other.task().wait()))
                .expect_err("it could never end");
            assert!(error.is_deadlock(), "{error}");
            let circle = error.deadlock().expect("it names the circle");
            let seen: Vec<_> = circle
                .tasks()
                .iter()
                .map(|(task, blocker)| (task.id(), *blocker))
                .collect();
            assert_eq!(
                seen,
                [(current().id(), Blocker::Join), (id, Blocker::Thread)]
            );
            // Nothing was changed.
            other.task().unpark();
            other.join().unwrap();
        });
    });
}

#[test]
fn two_tasks_that_join_each_other() {
    at_workers(|scheduler| {
        let hand = Arc::new(std::sync::Mutex::new(None));
        let (mine, begin) = (Arc::clone(&hand), Arc::new(AutoResetEvent::new(false)));
        let told = Arc::clone(&begin);
        let first = scheduler.spawn(move || {
            told.wait();
            let second: fiberhost::scheduler::TaskRef = mine.lock().unwrap().take().unwrap();
            second.wait().map_err(|error| error.is_deadlock())
        });
        let target = first.task().clone();
        let second = scheduler.spawn(move || target.wait().map_err(|error| error.is_deadlock()));
        until_waits(second.task(), WaitReason::Join);
        *hand.lock().unwrap() = Some(second.task().clone());
        // Whether the second one's wait is on already cannot be seen from here: its reason is a moment early.
        std::thread::sleep(Duration::from_millis(20));
        begin.set();
        assert_eq!(first.join().unwrap(), Err(true));
        assert_eq!(second.join().unwrap(), Ok(()));
    });
}

/// No circle: a chain of joins, a join of a task that yields, a join inside a callback of a task that may run elsewhere.
#[test]
fn joins_that_end_are_not_refused() {
    at_workers(|scheduler| {
        scheduler.run(|| {
            let mut last = spawn(|| 0);
            for _ in 0..50 {
                last = spawn(move || {
                    yield_now();
                    last.join().unwrap() + 1
                });
            }
            assert_eq!(last.join().unwrap(), 50);
            for _ in 0..50 {
                let fresh = spawn(|| 1);
                let joined = native::section(&BELOW, || native::callback(|| fresh.join()));
                assert_eq!(joined.unwrap(), 1);
            }
        });
    });
}

/// No circle: one of the two joins has a limit, and ends by itself.
#[test]
fn a_join_with_a_limit_is_in_no_circle() {
    at_workers(|scheduler| {
        let first = scheduler.spawn(|| {
            let me = current();
            let second = spawn(move || me.wait().map_err(|error| error.to_string()));
            // Before it has started, mostly.
            let second = second.join_for(Duration::from_millis(20));
            second.expect_err("it waits for us")
        });
        let second = first.join().unwrap();
        assert_eq!(second.join().unwrap(), Ok(()));
    });
}

/// No circle: a wait for whichever of a set ends first is not one for the end of the task that was joined before.
#[test]
fn a_wait_for_a_set_is_no_join() {
    at_workers(|scheduler| {
        let first = scheduler.spawn(|| {
            // Its record is the next one's.
            spawn(|| ()).join().unwrap();
            let (me, begin) = (current(), Arc::new(AutoResetEvent::new(false)));
            let told = Arc::clone(&begin);
            let second = spawn(move || {
                told.wait();
                me.wait().map_err(|error| error.to_string())
            });
            let mut set = JoinSet::new();
            set.spawn(move || {
                begin.set();
                std::thread::sleep(Duration::from_millis(2));
                yield_now();
            });
            set.join_next().expect("there is one").unwrap();
            second
        });
        let second = first.join().unwrap();
        assert_eq!(second.join().unwrap(), Ok(()));
    });
}
