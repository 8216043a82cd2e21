//! The shutdown against spawns, starts and ends.

use std::sync::Arc;
use std::time::Duration;

use fiberhost_scheduler::sync::AutoResetEvent;
use fiberhost_scheduler::{JoinError, spawn};

use super::explore::{Bounds, explore, thread};
use super::whole::{end, scheduler};

fn ran_or_cancelled(result: Result<(), JoinError>) {
    if let Err(error) = result {
        assert!(error.is_cancelled(), "{error}");
    }
}

/// A thread spawns while the scheduler shuts down: the task runs, or its closure is dropped and the join says cancelled.
#[test]
fn a_spawn_from_outside_meets_the_shutdown() {
    explore(Bounds::whole(100), || {
        let scheduler = scheduler(1);
        let spawner = {
            let scheduler = scheduler.clone();
            thread::spawn(move || ran_or_cancelled(scheduler.spawn(|| ()).join()))
        };
        scheduler.shutdown(Duration::MAX).expect("nothing survives");
        spawner.join().unwrap();
        end(scheduler);
    });
}

/// A task spawns while its scheduler shuts down.
#[test]
fn a_spawn_from_inside_meets_the_shutdown() {
    explore(Bounds::whole(100), || {
        let scheduler = scheduler(1);
        let outer = scheduler.spawn(|| {
            drop(spawn(|| ()));
        });
        scheduler.shutdown(Duration::MAX).expect("nothing survives");
        ran_or_cancelled(outer.join());
        end(scheduler);
    });
}

/// A task that would wait for ever starts while the scheduler shuts down: it is cancelled before it starts, or aborted.
#[test]
fn a_start_meets_the_shutdown() {
    explore(Bounds::whole(100), || {
        a_start();
    });
}

/// The same where the phase always sends the start the long way.
#[test]
fn a_start_meets_the_shutdown_without_membarrier() {
    explore(
        Bounds::whole(100).preemptions(1).without_membarrier(),
        || {
            a_start();
        },
    );
}

fn a_start() {
    let scheduler = scheduler(1);
    let event = Arc::new(AutoResetEvent::new(false));
    let task = scheduler.spawn(move || event.wait());
    scheduler.shutdown(Duration::MAX).expect("nothing survives");
    assert!(task.join().unwrap_err().is_cancelled());
    end(scheduler);
}
