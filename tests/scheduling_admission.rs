//! The limit on live tasks: refused, or waited for in turn.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Drops, LONG, SHORT, checked, eventually, expect_panics, until_waits, with};
use fiberhost::scheduler::sync::ManualResetEvent;
use fiberhost::scheduler::{
    Admission, Backing, Builder, JoinHandle, Scheduler, TaskBuilder, TaskRef, WaitReason, park,
    spawn, timeout, yield_now,
};

fn limited(workers: usize, tasks: usize, admission: Admission) -> Builder {
    checked(workers).max_tasks(tasks).admission(admission)
}

/// Fills the scheduler with tasks that wait for the event.
fn fill(scheduler: &Scheduler, tasks: usize) -> (Arc<ManualResetEvent>, Vec<JoinHandle<()>>) {
    let event = Arc::new(ManualResetEvent::new(false));
    let tasks = (0..tasks)
        .map(|_| {
            let event = Arc::clone(&event);
            scheduler.spawn(move || {
                event.wait();
            })
        })
        .collect();
    (event, tasks)
}

#[test]
fn one_too_many_is_refused() {
    expect_panics();
    for workers in [1, 2, 4] {
        with(limited(workers, 5, Admission::Refuse), |scheduler| {
            let (event, tasks) = fill(scheduler, 5);
            let drops = Drops::new();
            let dropped = drops.one();
            let error = scheduler.task().spawn(move || drop(dropped)).unwrap_err();
            assert!(error.is_limit() && !error.is_cancelled());
            assert_eq!(error.to_string(), "the limit of 5 live tasks is reached");
            assert_eq!(drops.count(), 1, "the closure is dropped");
            let caught =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| scheduler.spawn(|| ())));
            let text = caught.unwrap_err().downcast::<String>().unwrap();
            assert!(text.contains("the limit of 5 live tasks"), "{text}");
            event.set();
            tasks.into_iter().for_each(|task| task.join().unwrap());
        });
    }
}

#[test]
fn each_end_makes_room() {
    expect_panics();
    for workers in [1, 2, 4] {
        with(limited(workers, 2, Admission::Refuse), |scheduler| {
            // A task counts until it is over, which is a moment after its joiner goes on.
            let spawn_when_there_is_room = |work: fn()| {
                let spawned = Mutex::new(None);
                eventually("there is room", || {
                    let task = scheduler.task().spawn(work);
                    let there = task.is_ok();
                    *spawned.lock().unwrap() = task.ok();
                    there
                });
                spawned.into_inner().unwrap().unwrap()
            };
            for _ in 0..20 {
                spawn_when_there_is_room(|| ()).join().unwrap();
                let panics = spawn_when_there_is_room(|| panic!("expected"));
                assert!(panics.join().unwrap_err().is_panic());
                let aborted = spawn_when_there_is_room(|| {
                    park();
                });
                aborted.abort();
                assert!(aborted.join().unwrap_err().is_cancelled());
                drop(spawn_when_there_is_room(yield_now));
            }
        });
    }
}

#[test]
fn who_waits_is_let_in_when_a_task_ends() {
    for workers in [1, 2, 4] {
        with(limited(workers, 3, Admission::Wait), |scheduler| {
            // From a plain thread.
            let (event, tasks) = fill(scheduler, 3);
            std::thread::scope(|threads| {
                let spawner = threads.spawn(|| scheduler.spawn(|| 5).join().unwrap());
                std::thread::sleep(SHORT);
                assert!(!spawner.is_finished());
                event.set();
                assert_eq!(spawner.join().unwrap(), 5);
            });
            tasks.into_iter().for_each(|task| task.join().unwrap());
            // From a task, which takes up a place itself.
            let (event, tasks) = fill(scheduler, 2);
            let spawner = scheduler.spawn(|| spawn(|| 6).join().unwrap());
            until_waits(spawner.task(), WaitReason::Admission);
            event.set();
            assert_eq!(spawner.join().unwrap(), 6);
            tasks.into_iter().for_each(|task| task.join().unwrap());
        });
    }
}

/// Until the task's wait for room is armed: then it stands in the queue, or has the lock of the queue to put itself there.
/// (What a task says of itself it says on its way into the wait already.)
fn until_queued(scheduler: &Scheduler, task: &TaskRef) {
    eventually("the task stands in the queue", || {
        let tasks = scheduler.snapshot().tasks;
        let facts = tasks.into_iter().find(|facts| facts.id == task.id());
        facts
            .and_then(|facts| facts.wait)
            .is_some_and(|(reason, _)| reason == WaitReason::Admission)
    });
}

#[test]
fn they_are_let_in_in_the_order_in_which_they_came() {
    with(limited(2, 10, Admission::Wait), |scheduler| {
        let events = || -> Vec<_> {
            let event = || Arc::new(ManualResetEvent::new(false));
            (0..5).map(|_| event()).collect()
        };
        let (leave, go, end) = (events(), events(), Arc::new(ManualResetEvent::new(false)));
        let blockers: Vec<_> = leave
            .iter()
            .map(|leave| {
                let leave = Arc::clone(leave);
                scheduler.spawn(move || _ = leave.wait())
            })
            .collect();
        let admitted = Arc::new(Mutex::new(Vec::new()));
        let spawners: Vec<_> = (0..5)
            .map(|number| {
                let (go, end) = (Arc::clone(&go[number]), Arc::clone(&end));
                let admitted = Arc::clone(&admitted);
                scheduler.spawn(move || {
                    go.wait();
                    let stay = Arc::clone(&end);
                    let inner = spawn(move || _ = stay.wait());
                    admitted.lock().unwrap().push(number);
                    end.wait();
                    inner.join().unwrap();
                })
            })
            .collect();
        // It is full now; they ask for a place one after the other, and places come free one after the other.
        for (spawner, go) in spawners.iter().zip(&go) {
            go.set();
            until_queued(scheduler, spawner.task());
        }
        for (number, (blocker, leave)) in blockers.into_iter().zip(leave).enumerate() {
            leave.set();
            blocker.join().unwrap();
            let all = || admitted.lock().unwrap().clone();
            eventually("the next one is let in", || all().len() == number + 1);
            assert_eq!(all(), (0..=number).collect::<Vec<_>>());
        }
        end.set();
        spawners.into_iter().for_each(|task| task.join().unwrap());
    });
}

#[test]
fn the_wait_for_room_can_be_cancelled() {
    for workers in [1, 2] {
        with(limited(workers, 4, Admission::Wait), |scheduler| {
            let (event, tasks) = fill(scheduler, 2);
            let (drops, others) = (Drops::new(), Drops::new());
            let (dropped, other) = (drops.one(), others.one());
            let gate = Arc::new(ManualResetEvent::new(false));
            let (open, way) = (Arc::clone(&gate), Arc::clone(&gate));
            let cancelled = scheduler.spawn(move || {
                open.wait();
                let refused = TaskBuilder::new().spawn(move || drop(dropped));
                refused.unwrap_err().is_cancelled()
            });
            let aborted = scheduler.spawn(move || {
                way.wait();
                drop(TaskBuilder::new().spawn(move || drop(other)));
            });
            gate.set();
            until_waits(cancelled.task(), WaitReason::Admission);
            until_waits(aborted.task(), WaitReason::Admission);
            // An alert is not for this wait: it stays.
            cancelled.task().alert();
            std::thread::sleep(Duration::from_millis(2));
            assert!(!cancelled.is_finished());
            cancelled.task().cancel();
            assert!(cancelled.join().unwrap());
            assert_eq!(drops.count(), 1, "the closure is dropped");
            aborted.abort();
            let ended = aborted.join();
            // The place of the cancelled one may have come to it first.
            assert!(ended.is_ok() || ended.unwrap_err().is_cancelled());
            event.set();
            tasks.into_iter().for_each(|task| task.join().unwrap());
            eventually("its closure is gone too", || others.count() == 1);
            // No place was lost.
            let (event, tasks) = fill(scheduler, 4);
            event.set();
            tasks.into_iter().for_each(|task| task.join().unwrap());
        });
    }
}

#[test]
fn a_time_limit_ends_the_wait_for_room() {
    with(limited(1, 2, Admission::Wait), |scheduler| {
        let (event, tasks) = fill(scheduler, 1);
        let spawner = scheduler.spawn(|| {
            let drops = Drops::new();
            let dropped = drops.one();
            let late = timeout(SHORT, || spawn(move || drop(dropped)));
            (late.is_err(), drops.count())
        });
        assert_eq!(spawner.join().unwrap(), (true, 1));
        event.set();
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
}

#[test]
fn the_limit_is_never_passed() {
    for admission in [Admission::Refuse, Admission::Wait] {
        with(limited(4, 8, admission), |scheduler| {
            let (live, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let work = || {
                let (live, most) = (Arc::clone(&live), Arc::clone(&most));
                move || {
                    let now = live.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(now, Ordering::SeqCst);
                    yield_now();
                    live.fetch_sub(1, Ordering::SeqCst);
                }
            };
            std::thread::scope(|threads| {
                for _ in 0..3 {
                    threads.spawn(|| {
                        for number in 0..300 {
                            let backing = if number % 20 == 0 {
                                Backing::Thread
                            } else {
                                Backing::Fiber
                            };
                            let task = scheduler.task().backing(backing).spawn(work());
                            assert!(task.is_ok() || admission == Admission::Refuse);
                        }
                    });
                }
            });
            eventually("all have ended", || scheduler.stats().live() == 0);
            let most = most.load(Ordering::SeqCst);
            assert!((1..=8).contains(&most), "{most} were alive at once");
        });
    }
}

#[test]
fn a_shutdown_ends_the_wait_for_room() {
    let scheduler = limited(1, 2, Admission::Wait).build().unwrap();
    let spawner = scheduler.spawn(|| {
        let inner = spawn(park);
        drop(spawn(|| ()));
        inner.join()
    });
    until_waits(spawner.task(), WaitReason::Admission);
    std::thread::scope(|threads| {
        let outside = threads.spawn(|| scheduler.spawn(|| ()).join());
        std::thread::sleep(SHORT);
        scheduler.shutdown(LONG).unwrap();
        assert!(outside.join().unwrap().unwrap_err().is_cancelled());
    });
    assert!(spawner.join().unwrap_err().is_cancelled());
}
