//! Circles in which some wait for a mutex and others for an end or a thread.

mod common;
#[path = "deadlock_mixed/kept.rs"]
mod kept;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{at_workers, checked, until_waits, with, with_on_fibers};
use fiberhost::scheduler::native::{self, Target};
use fiberhost::scheduler::sync::{AutoResetEvent, Barrier, Mutex};
use fiberhost::scheduler::{
    Blocker, Deadlock, JoinError, TaskRef, WaitReason, current, park, spawn, yield_now,
};

static BELOW: Target = Target::new("code that calls back");

fn members(circle: &Deadlock) -> Vec<(u64, Blocker)> {
    let tasks = circle.tasks().iter();
    tasks.map(|(task, why)| (task.id(), *why)).collect()
}

/// A callback waits for the mutex of a task that has started on the same thread and cannot run there meanwhile. On
/// fibers: no two tasks share a thread otherwise.
#[test]
fn a_callback_that_locks_what_a_task_of_its_own_thread_has() {
    with_on_fibers(checked(1), |scheduler| {
        scheduler.run(|| {
            let lock = Arc::new(Mutex::new(()));
            let locked = Arc::new(AutoResetEvent::new(false));
            let (its, told) = (Arc::clone(&lock), Arc::clone(&locked));
            let other = spawn(move || {
                let guard = its.lock();
                told.set();
                park();
                drop(guard);
            });
            locked.wait();
            let id = other.task().id();
            let circle = native::section(&BELOW, || {
                native::callback(|| lock.lock_or_deadlock().map(drop))
            })
            .expect_err("it could never end");
            assert_eq!(
                members(&circle),
                [(current().id(), Blocker::Lock), (id, Blocker::Thread)]
            );
            // Outside of native frames the other one can run.
            other.task().unpark();
            drop(lock.lock_or_deadlock().expect("it is unlocked soon"));
            other.join().unwrap();
        });
    });
}

/// Of the join of task `id` by task `me`, and the wait of that one for a mutex: the one that closed the circle is refused.
fn one_is_refused(
    joined: Result<(), JoinError>,
    locked: Result<(), Vec<(u64, Blocker)>>,
    me: u64,
    id: u64,
) {
    match (joined, locked) {
        (Ok(()), Err(circle)) => {
            assert_eq!(circle, [(id, Blocker::Lock), (me, Blocker::Join)]);
        }
        (Err(error), Ok(())) => {
            let circle = error.deadlock().expect("it names the circle");
            let seen = members(circle);
            assert_eq!(seen, [(me, Blocker::Join), (id, Blocker::Lock)]);
        }
        (joined, locked) => panic!("{joined:?} and {locked:?}"),
    }
}

/// One joins a task that waits for a mutex of the first: whichever wait begins later is refused, and only that one.
#[test]
fn a_join_and_a_lock_that_close_a_circle_at_once() {
    at_workers(|scheduler| {
        scheduler.run(|| {
            for _ in 0..500 {
                let shared = Arc::new((Mutex::new(()), Barrier::new(2)));
                let its = Arc::clone(&shared);
                let (lock, both) = &*shared;
                let guard = lock.lock();
                let other = spawn(move || {
                    let (lock, both) = &*its;
                    both.wait();
                    lock.lock_or_deadlock()
                        .map(drop)
                        .map_err(|circle| members(&circle))
                });
                let (me, id) = (current().id(), other.task().id());
                both.wait();
                let joined = other.task().wait();
                drop(guard);
                let locked = other.join().unwrap();
                one_is_refused(joined, locked, me, id);
            }
        });
    });
}

/// Two joins that close a circle at the same moment: exactly one of them is refused.
#[test]
fn of_two_joins_that_close_a_circle_at_once_one_is_refused() {
    at_workers(|scheduler| {
        scheduler.run(|| {
            for _ in 0..500 {
                let shared = Arc::new((
                    [const { std::sync::Mutex::new(None::<TaskRef>) }; 2],
                    Barrier::new(3),
                    Barrier::new(2),
                    AtomicUsize::new(0),
                ));
                let tasks: [_; 2] = std::array::from_fn(|at| {
                    let shared = Arc::clone(&shared);
                    spawn(move || {
                        let (names, named, both, refused) = &*shared;
                        named.wait();
                        let other = names[1 - at].lock().unwrap().take().expect("it is named");
                        both.wait();
                        if let Err(error) = other.wait() {
                            assert!(error.is_deadlock(), "{error}");
                            refused.fetch_add(1, Ordering::Relaxed);
                        }
                    })
                });
                for (name, task) in shared.0.iter().zip(&tasks) {
                    *name.lock().unwrap() = Some(task.task().clone());
                }
                shared.1.wait();
                for task in tasks {
                    task.join().unwrap();
                }
                assert_eq!(shared.3.load(Ordering::Relaxed), 1);
            }
        });
    });
}

/// No circle: those who join hold a mutex that nobody of them wants, and a callback waits for one that is soon unlocked.
#[test]
fn locks_and_joins_that_end_are_not_refused() {
    at_workers(|scheduler| {
        scheduler.run(|| {
            let outer = Arc::new(Mutex::new(()));
            let inner = Arc::new(Mutex::new(0));
            for _ in 0..500 {
                let guard = outer.lock_or_deadlock().expect("no circle");
                let tasks: Vec<_> = (0..3)
                    .map(|_| {
                        let inner = Arc::clone(&inner);
                        spawn(move || {
                            let mut value = inner.lock_or_deadlock().expect("no circle");
                            yield_now();
                            *value += 1;
                        })
                    })
                    .collect();
                yield_now();
                for task in tasks {
                    task.join().expect("no circle");
                }
                drop(guard);
            }
            assert_eq!(*inner.lock(), 1_500);
        });
    });
}

/// A task is joined before it has started, mostly, and comes to wait for a mutex of the one who joins it: whichever wait begins
/// later is refused.
#[test]
fn a_lock_of_who_joined_before_the_start_is_refused() {
    at_workers(|scheduler| {
        scheduler.run(|| {
            for _ in 0..500 {
                let lock = Arc::new(Mutex::new(()));
                let guard = lock.lock();
                let its = Arc::clone(&lock);
                let other = spawn(move || {
                    let locked = its.lock_or_deadlock().map(drop);
                    locked.map_err(|circle| members(&circle))
                });
                let (me, id) = (current().id(), other.task().id());
                let joined = other.task().wait();
                drop(guard);
                one_is_refused(joined, other.join().unwrap(), me, id);
            }
        });
    });
}

/// The same if that wait cannot be refused: the join is broken, and the task goes on when the mutex is free.
#[test]
fn a_join_from_before_the_start_is_broken() {
    with(checked(1), |scheduler| {
        scheduler.run(|| {
            for _ in 0..200 {
                let lock = Arc::new(Mutex::new(()));
                let guard = lock.lock();
                let its = Arc::clone(&lock);
                let other = spawn(move || drop(its.lock()));
                let id = other.task().id();
                let error = other.task().wait().expect_err("it could never end");
                let circle = error.deadlock().expect("it names the circle");
                assert_eq!(
                    members(circle),
                    [(id, Blocker::Lock), (current().id(), Blocker::Join)]
                );
                assert_eq!(circle.victim().map(TaskRef::id), Some(current().id()));
                drop(guard);
                // It is no longer in a circle.
                other.join().unwrap();
            }
        });
    });
}

/// A chain of joins that all began before their tasks had started, and a lock behind another's wait for a lock.
#[test]
fn a_circle_behind_a_lock_and_joins_from_before_the_starts() {
    with(checked(1), |scheduler| {
        scheduler.run(|| {
            for _ in 0..100 {
                let locks = Arc::new((Mutex::new(()), Mutex::new(())));
                let guard = locks.0.lock();
                let has = Arc::new(Barrier::new(2));
                // It has the second and waits for the first.
                let (its, there) = (Arc::clone(&locks), Arc::clone(&has));
                let between = spawn(move || {
                    let second = its.1.lock();
                    there.wait();
                    drop(its.0.lock());
                    drop(second);
                });
                has.wait();
                until_waits(between.task(), WaitReason::Mutex);
                let its = Arc::clone(&locks);
                let joined = spawn(move || {
                    let last = spawn(move || {
                        its.1.lock_or_deadlock().map(drop).map_err(|circle| {
                            let why = circle.tasks().iter().map(|(_, why)| *why);
                            why.collect::<Vec<_>>()
                        })
                    });
                    last.join().unwrap()
                });
                let circle = joined.join().unwrap().expect_err("it could never end");
                let lock = Blocker::Lock;
                assert_eq!(circle, [lock, lock, Blocker::Join, Blocker::Join]);
                drop(guard);
                between.join().unwrap();
            }
        });
    });
}

/// No circle: who joined before the start was told to go on before the lock is wanted, and unlocks.
#[test]
fn a_join_from_before_the_start_that_has_ended_is_in_no_circle() {
    at_workers(|scheduler| {
        scheduler.run(|| {
            for _ in 0..200 {
                let lock = Arc::new(Mutex::new(()));
                let (its, me) = (Arc::clone(&lock), current());
                let guard = lock.lock();
                let other = spawn(move || {
                    me.alert();
                    yield_now();
                    its.lock_or_deadlock().map(drop).expect("no circle");
                });
                let error = other.task().wait().expect_err("it is alerted");
                assert!(error.is_interrupted(), "{error}");
                drop(guard);
                other.join().unwrap();
            }
        });
    });
}
