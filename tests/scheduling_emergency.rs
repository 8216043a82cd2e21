//! The emergency lane: a task finds out what is wrong while every worker is stuck.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use common::{LONG, eventually, hog_until};
use fiberhost::scheduler::Scheduler;

#[test]
fn a_task_of_the_lane_runs_while_every_worker_is_stuck() {
    for workers in [1, 2] {
        let scheduler = Scheduler::builder()
            .workers(workers)
            .emergency_lane(true)
            .build()
            .unwrap();
        let release = Arc::new(AtomicBool::new(false));
        let stuck = Arc::new(AtomicUsize::new(0));
        let hogs: Vec<_> = (0..workers)
            .map(|_| {
                let (release, stuck) = (Arc::clone(&release), Arc::clone(&stuck));
                scheduler.spawn(move || {
                    stuck.fetch_add(1, Ordering::SeqCst);
                    hog_until(|| release.load(Ordering::SeqCst));
                })
            })
            .collect();
        eventually("all workers are stuck", || {
            stuck.load(Ordering::SeqCst) == workers
        });
        let lane = scheduler.emergency_lane().expect("it was asked for");
        let looked = Arc::clone(&release);
        let looks = scheduler.clone();
        let live = lane.run(move || {
            let live = looks.stats().live();
            looked.store(true, Ordering::SeqCst);
            live
        });
        assert_eq!(live, workers as u64);
        for hog in hogs {
            hog.join().unwrap();
        }
        drop(lane);
        scheduler.shutdown(LONG).unwrap();
    }
    assert!(Scheduler::new().unwrap().emergency_lane().is_none());
}
