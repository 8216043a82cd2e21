//! A scheduler with threads that are kept for bound tasks: what both parts have together.
//!
//! Inside, a reservation is a scheduler, and its protocols are those of the other models. Here are the seams: one shutdown,
//! one limit on live tasks, and spawns from one part to the other.

use std::sync::Arc;
use std::time::Duration;

use fiberhost_scheduler::sync::AutoResetEvent;
use fiberhost_scheduler::{Admission, Builder, JoinError, Scheduler, Wake, spawn};

use super::explore::{Bounds, explore, thread, unexplored};
use super::whole::end;

/// One worker and one reserved thread.
fn builder() -> Builder {
    Scheduler::builder()
        .workers(1)
        .bound_workers(1)
        .max_threads(1)
        .idle_spin(Duration::ZERO)
        .shutdown_limit(Duration::MAX)
        .check_invariants(cfg!(shuttle))
}

/// The same, asleep.
fn sleeping(builder: Builder) -> Scheduler {
    unexplored(|| {
        let scheduler = builder.build().expect("a model has memory and threads");
        while scheduler.stats().idle_workers < 2 {
            thread::yield_now();
        }
        scheduler
    })
}

fn ran_or_cancelled(result: Result<(), JoinError>) {
    if let Err(error) = result {
        assert!(error.is_cancelled(), "{error}");
    }
}

/// The last task is a reserved one, and its end wakes whoever waits in the shutdown.
#[test]
fn a_reserved_task_is_the_last_in_a_shutdown() {
    explore(Bounds::whole(100).schedules(1_000), || {
        let scheduler = sleeping(builder());
        let event = Arc::new(AutoResetEvent::new(false));
        let task = scheduler.task().reserved();
        let task = task.spawn(move || event.wait()).unwrap();
        scheduler.shutdown(Duration::MAX).expect("nothing survives");
        assert!(task.join().unwrap_err().is_cancelled());
        end(scheduler);
    });
}

/// A thread spawns a reserved task while the scheduler shuts down.
#[test]
fn a_reserved_spawn_meets_the_shutdown() {
    explore(Bounds::whole(100).schedules(1_000), || {
        let scheduler = sleeping(builder());
        let spawner = {
            let scheduler = scheduler.clone();
            thread::spawn(move || {
                let task = scheduler.task().reserved();
                ran_or_cancelled(task.spawn(|| ()).unwrap().join());
            })
        };
        scheduler.shutdown(Duration::MAX).expect("nothing survives");
        spawner.join().unwrap();
        end(scheduler);
    });
}

/// A reserved task waits for one that it spawns, which is none.
#[test]
fn a_reserved_task_joins_one_of_the_workers() {
    explore(Bounds::whole(500).schedules(1_000), || {
        let scheduler = sleeping(builder());
        let task = unexplored(|| {
            let task = scheduler.task().reserved();
            task.spawn(|| spawn(|| 1).join().unwrap() + 1).unwrap()
        });
        assert_eq!(task.join().unwrap(), 2);
        unexplored(|| end(scheduler));
    });
}

/// A spawn waits for room that a reserved task makes.
#[test]
fn a_reserved_task_makes_room_for_another() {
    explore(Bounds::whole(100).schedules(1_000), || {
        let limit = builder().max_tasks(1).admission(Admission::Wait);
        let scheduler = sleeping(limit);
        let event = Arc::new(AutoResetEvent::new(false));
        let first = unexplored(|| {
            let event = event.clone();
            let task = scheduler.task().reserved();
            task.spawn(move || assert_eq!(event.wait(), Wake::Signalled))
                .unwrap()
        });
        event.set();
        assert_eq!(scheduler.spawn(|| 1).join().unwrap(), 1);
        first.join().unwrap();
        unexplored(|| end(scheduler));
    });
}
