//! A scheduler with an emergency lane: the lane's tasks run though the only worker is stuck, and one shutdown ends both.

use std::sync::Arc;
use std::time::Duration;

use fiberhost_scheduler::model::Sleeper;
use fiberhost_scheduler::sync::AutoResetEvent;
use fiberhost_scheduler::{Scheduler, Wake};

use super::explore::{Bounds, explore, thread, unexplored};
use super::whole::end;

/// One worker and the lane's, both asleep.
fn sleeping() -> (Scheduler, Scheduler) {
    unexplored(|| {
        let builder = Scheduler::builder().workers(1).max_threads(1);
        let scheduler = builder
            .idle_spin(Duration::ZERO)
            .shutdown_limit(Duration::MAX)
            .check_invariants(cfg!(shuttle))
            .emergency_lane(true)
            .build()
            .expect("a model has memory and threads");
        let lane = scheduler.emergency_lane().expect("it was asked for");
        while scheduler.stats().idle_workers < 1 || lane.stats().idle_workers < 1 {
            thread::yield_now();
        }
        (scheduler, lane)
    })
}

/// The worker's thread is blocked; a task of the lane ends that, and joins the task that was stuck.
#[test]
fn a_task_of_the_lane_frees_the_worker() {
    explore(Bounds::whole(200).schedules(1_000), || {
        let (scheduler, lane) = sleeping();
        let blocks = Arc::new(Sleeper::new());
        let frees = blocks.clone();
        let stuck = unexplored(|| scheduler.spawn(move || blocks.sleep()));
        let task = lane.spawn(move || {
            frees.call();
            stuck.join().unwrap();
        });
        task.join().unwrap();
        unexplored(|| {
            drop(lane);
            end(scheduler);
        });
    });
}

/// The lane's task waits for one of the worker's, which waits for ever: the shutdown ends the one, and then the other.
#[test]
fn one_shutdown_ends_both() {
    explore(Bounds::whole(200).schedules(1_000), || {
        let (scheduler, lane) = sleeping();
        let event = Arc::new(AutoResetEvent::new(false));
        let its = event.clone();
        let waits = unexplored(|| scheduler.spawn(move || its.wait()));
        let task = lane.spawn(move || (waits.join().is_err(), event.wait()));
        scheduler.shutdown(Duration::MAX).expect("nothing survives");
        if let Ok((_, wake)) = task.join() {
            assert_eq!(wake, Wake::Aborted);
        }
        drop(lane);
        end(scheduler);
    });
}
