//! Joins that could never end are refused when they begin.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::{at_workers, checked, until_waits, with_on_fibers};
use fiberhost::scheduler::native::{self, Target};
use fiberhost::scheduler::sync::{AutoResetEvent, Mutex};
use fiberhost::scheduler::{
    Blocker, Deadlock, JoinError, JoinHandle, JoinSet, WaitReason, Wake, current, park, spawn,
    yield_now,
};

static BELOW: Target = Target::new("code that calls back");

/// Two plain tasks on one thread: one waits inside a callback for the other, which cannot run there meanwhile.
// On fibers only: tasks on threads of their own share none.
#[test]
fn a_callback_that_joins_a_task_of_its_own_thread() {
    with_on_fibers(checked(1), |scheduler| {
        scheduler.run(|| {
            let other = parked_here();
            let id = other.task().id();
            let error = native::section(&BELOW, || native::callback(|| other.task().wait()))
                .expect_err("it could never end");
            assert!(error.is_deadlock(), "{error}");
            assert_eq!(
                circle_of(&error),
                [(current().id(), Blocker::Join), (id, Blocker::Thread)]
            );
            // Nothing was changed.
            other.task().unpark();
            other.join().unwrap();
        });
    });
}

/// The members of the circle for which a join was refused.
fn circle_of(error: &JoinError) -> Vec<(u64, Blocker)> {
    members(error.deadlock().expect("it names the circle"))
}

fn members(circle: &Deadlock) -> Vec<(u64, Blocker)> {
    let tasks = circle.tasks().iter();
    tasks.map(|(task, why)| (task.id(), *why)).collect()
}

/// A task that has started on the caller's thread, and parks.
fn parked_here() -> JoinHandle<Wake> {
    let started = Arc::new(AutoResetEvent::new(false));
    let mine = Arc::clone(&started);
    let other = spawn(move || {
        mine.set();
        park()
    });
    started.wait();
    other
}

/// The same in native code that calls nobody back: it blocks its thread, with nobody else on it.
// On fibers only: tasks on threads of their own share none.
#[test]
fn native_code_that_joins_a_task_of_its_own_thread() {
    with_on_fibers(checked(1), |scheduler| {
        scheduler.run(|| {
            let other = parked_here();
            let id = other.task().id();
            let error =
                native::section(&BELOW, || other.task().wait()).expect_err("it could never end");
            assert_eq!(
                circle_of(&error),
                [(current().id(), Blocker::Join), (id, Blocker::Thread)]
            );
            other.task().unpark();
            other.join().unwrap();
        });
    });
}

/// Native code blocks its thread in a join of one who joins a task that has started on that thread. Whichever join begins
/// later is refused, and only that one.
// On fibers only: as above.
#[test]
fn a_circle_through_a_thread_that_native_code_blocks() {
    // One worker: who is to be on the caller's thread is there.
    with_on_fibers(checked(1), |scheduler| {
        scheduler.run(|| {
            for round in 0..30 {
                let other = parked_here();
                let (me, id) = (current().id(), other.task().id());
                let target = other.task().clone();
                let begins = Arc::new(AtomicBool::new(false));
                let begun = Arc::clone(&begins);
                // Starts on the thread that gets the slot meanwhile.
                let joins = spawn(move || {
                    begins.store(true, Ordering::Release);
                    target.wait().map_err(|error| circle_of(&error))
                });
                let its = joins.task().id();
                let joined = native::section(&BELOW, || {
                    // First, at the same time, and last.
                    while round % 3 > 0 && !begun.load(Ordering::Acquire) {
                        std::thread::yield_now();
                    }
                    while round % 3 == 2 && joins.task().wait_reason() != WaitReason::Join {
                        std::thread::yield_now();
                    }
                    joins.task().wait()
                });
                other.task().unpark();
                other.join().unwrap();
                match (joined, joins.join().unwrap()) {
                    (Ok(()), Err(circle)) => assert_eq!(
                        circle,
                        [
                            (its, Blocker::Join),
                            (id, Blocker::Thread),
                            (me, Blocker::Join)
                        ]
                    ),
                    (Err(error), Ok(())) => assert_eq!(
                        circle_of(&error),
                        [
                            (me, Blocker::Join),
                            (its, Blocker::Join),
                            (id, Blocker::Thread)
                        ]
                    ),
                    (joined, joins) => panic!("{joined:?} and {joins:?}"),
                }
            }
        });
    });
}

/// What native code joins had not started then: it is known all the same whom that one waits for later, and for what.
#[test]
fn native_code_that_joins_who_starts_later() {
    at_workers(|scheduler| {
        scheduler.run(|| {
            let lock = Arc::new(Mutex::new(()));
            let its = Arc::clone(&lock);
            let guard = lock.lock();
            let me = current().id();
            let other = spawn(move || {
                let locked = its.lock_or_deadlock().map(drop);
                locked.map_err(|circle| members(&circle))
            });
            let id = other.task().id();
            let joined = native::section(&BELOW, || other.task().wait());
            drop(guard);
            match (joined, other.join().unwrap()) {
                (Ok(()), Err(circle)) => {
                    assert_eq!(circle, [(id, Blocker::Lock), (me, Blocker::Join)]);
                }
                // It was there first.
                (Err(error), Ok(())) => {
                    let circle = circle_of(&error);
                    assert_eq!(circle, [(me, Blocker::Join), (id, Blocker::Lock)]);
                }
                (joined, locked) => panic!("{joined:?} and {locked:?}"),
            }
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
