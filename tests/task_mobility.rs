//! Which OS thread a task runs on: a started task stays on its thread unless its creator vouched for it.

mod common;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use common::{at_workers_on_fibers, checked, os_thread, until_waits, with, with_on_fibers};
use fiberhost::scheduler::sync::AutoResetEvent;
use fiberhost::scheduler::{
    JoinHandle, Priority, TaskBuilder, WaitReason, current, park_for, sleep, spawn, yield_now,
    yield_to_others,
};

/// Each way to give the thread back, in turn.
fn suspend(step: usize, event: &AutoResetEvent) {
    match step % 5 {
        0 | 1 => yield_now(),
        2 => drop(sleep(Duration::from_micros(50))),
        3 => {
            event.set();
            event.wait_for(Duration::from_micros(50));
        }
        _ => drop(park_for(Duration::from_micros(20))),
    }
}

// On fibers only: a task on a thread of its own has no other.
#[test]
fn a_bound_task_never_changes_its_thread() {
    at_workers_on_fibers(|scheduler| {
        let event = Arc::new(AutoResetEvent::new(false));
        let one = |event: Arc<AutoResetEvent>| {
            move || {
                let home = os_thread();
                for step in 0..200 {
                    suspend(step, &event);
                    assert_eq!(os_thread(), home, "after step {step}");
                }
                home
            }
        };
        let tasks: Vec<_> = (0..48)
            .map(|_| scheduler.spawn(one(Arc::clone(&event))))
            .collect();
        let homes: HashSet<_> = tasks.into_iter().map(|task| task.join().unwrap()).collect();
        assert!(homes.len() <= scheduler.workers());
    });
}

#[test]
fn tasks_that_have_not_started_are_spread_over_the_workers() {
    for workers in [2, 4] {
        with(checked(workers), |scheduler| {
            // Each blocks its thread until all run, so they run on as many threads as there are workers.
            let all = Arc::new(Barrier::new(workers));
            let tasks: Vec<_> = (0..workers)
                .map(|_| {
                    let all = Arc::clone(&all);
                    scheduler.spawn(move || {
                        all.wait();
                        os_thread()
                    })
                })
                .collect();
            let threads: HashSet<_> = tasks.into_iter().map(|task| task.join().unwrap()).collect();
            assert_eq!(threads.len(), workers);
        });
    }
}

/// A mobile task that notes every thread it runs on.
fn wanderer(steps: usize) -> JoinHandle<HashSet<libc::pid_t>> {
    let event = Arc::new(AutoResetEvent::new(false));
    let body = move || {
        let me = current();
        let mut seen = HashSet::new();
        for step in 0..steps {
            seen.insert(os_thread());
            suspend(step, &event);
            assert_eq!(current(), me);
        }
        seen
    };
    // SAFETY: what lies on the stack at a suspension is `Send`, and the thread's number is read by a function that is
    // not inlined.
    unsafe { TaskBuilder::new().spawn_mobile(body) }.unwrap()
}

// On fibers only: a task on a thread of its own has no other.
#[test]
fn a_mobile_task_changes_threads_when_it_is_made_to() {
    for workers in [1, 2, 4] {
        with_on_fibers(checked(workers).force_migration(true), |scheduler| {
            let moved = scheduler.run(|| {
                let tasks: Vec<_> = (0..16).map(|_| wanderer(200)).collect();
                let seen = tasks.into_iter().map(|task| task.join().unwrap());
                seen.map(|threads| threads.len()).max().unwrap()
            });
            if workers == 1 {
                assert_eq!(moved, 1, "there is only one thread");
            } else {
                assert!(moved > 1, "no task has changed its thread");
            }
        });
    }
}

#[test]
fn a_bound_task_stays_although_mobile_ones_are_made_to_move() {
    with(checked(4).force_migration(true), |scheduler| {
        scheduler.run(|| {
            let stop = Arc::new(AtomicBool::new(false));
            let bound: Vec<_> = (0..8)
                .map(|_| {
                    let stop = Arc::clone(&stop);
                    spawn(move || {
                        let home = os_thread();
                        while !stop.load(Ordering::Relaxed) {
                            yield_now();
                            assert_eq!(os_thread(), home);
                        }
                    })
                })
                .collect();
            let mobile: Vec<_> = (0..8).map(|_| wanderer(200)).collect();
            for task in mobile {
                task.join().unwrap();
            }
            stop.store(true, Ordering::Relaxed);
            for task in bound {
                task.join().unwrap();
            }
        });
    });
}

/// Each yield of the one goes through the common queue, where the other stands: by its priority it goes before.
#[test]
fn a_more_urgent_one_goes_first_although_all_are_made_to_move() {
    for yields in [yield_now, || _ = yield_to_others()] {
        with_on_fibers(checked(1).force_migration(true), |scheduler| {
            let (event, ran) = (
                Arc::new(AutoResetEvent::new(false)),
                Arc::new(AtomicBool::new(false)),
            );
            let urgent = scheduler.task().priority(Priority::High);
            let waits = {
                let (event, ran) = (Arc::clone(&event), Arc::clone(&ran));
                move || {
                    event.wait();
                    ran.store(true, Ordering::Relaxed);
                }
            };
            // SAFETY: what lies on the stack at the wait is `Send`.
            let urgent = unsafe { urgent.spawn_mobile(waits) }.unwrap();
            until_waits(urgent.task(), WaitReason::Event);
            let body = move || {
                event.set();
                let mut yielded = 0;
                while !ran.load(Ordering::Relaxed) && yielded < 10_000 {
                    yields();
                    yielded += 1;
                }
                yielded
            };
            // SAFETY: as above.
            let usual = unsafe { scheduler.task().spawn_mobile(body) }.unwrap();
            let yielded = usual.join().unwrap();
            // Now and then it is the turn of those that more urgent ones keep waiting.
            assert!(yielded <= 3, "after {yielded} yields");
            urgent.join().unwrap();
        });
    }
}
