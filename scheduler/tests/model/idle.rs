//! The idle protocol, with its steps spelled out around the real word, list and barriers.

use std::sync::Arc;

use fiberhost_scheduler::model::{Idle, Sleeper, heavy, light};

use super::explore::{Bounds, explore, thread};

#[cfg(loom)]
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
#[cfg(shuttle)]
use shuttle::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const WORKERS: usize = 2;

struct Pool {
    idle: Idle,
    sleepers: [Sleeper; WORKERS],
    /// Work that any worker could do.
    work: AtomicUsize,
    done: AtomicUsize,
    stop: AtomicBool,
    /// Where the first piece of work waits for the second, if there is one.
    first: Sleeper,
    /// Called when all is done.
    owner: Sleeper,
    wanted: usize,
}

impl Pool {
    fn new(wanted: usize) -> Arc<Pool> {
        Arc::new(Pool {
            idle: Idle::new(WORKERS),
            sleepers: [Sleeper::new(), Sleeper::new()],
            work: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            first: Sleeper::new(),
            owner: Sleeper::new(),
            wanted,
        })
    }

    /// Steps P1 to P3 of the owner of a private part.
    fn publish(&self) {
        // P1. Relaxed: the barrier orders it.
        self.work.fetch_add(1, Ordering::Relaxed);
        // P2.
        light();
        self.call_one();
    }

    /// P3.
    fn call_one(&self) {
        if let Some(index) = self.idle.choose() {
            self.sleepers[index].call();
        }
    }

    fn sees_work(&self) -> bool {
        self.work.load(Ordering::Relaxed) > 0
    }

    fn take(&self) -> bool {
        let taken = |work: usize| work.checked_sub(1);
        self.work
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, taken)
            .is_ok()
    }

    /// A piece of work; all of them have to be under way at the same time.
    fn work(&self) {
        if self.done.fetch_add(1, Ordering::AcqRel) + 1 < self.wanted {
            return self.first.sleep();
        }
        self.first.call();
        self.stop.store(true, Ordering::Release);
        for sleeper in &self.sleepers {
            sleeper.call();
        }
        self.owner.call();
    }

    /// A worker's life, as `Thread::search` has it.
    fn run(&self, index: usize) {
        let mut searching = self.idle.start_search();
        loop {
            if self.sleepers[index].take() && self.stop.load(Ordering::Acquire) {
                if searching {
                    // What is over passes no baton: there is nothing left.
                    let _ = self.idle.end_search();
                }
                return;
            }
            if self.take() {
                if searching && self.idle.end_search() {
                    self.call_one();
                }
                self.work();
                searching = self.idle.start_search();
                continue;
            }
            // S1, S2.
            self.idle.enter(index, searching);
            heavy();
            // S3.
            if !self.sees_work() {
                // S4.
                self.sleepers[index].sleep();
                self.sleepers[index].call();
            }
            searching = self.idle.leave(index) || self.idle.start_search();
        }
    }
}

fn finds_all(wanted: usize) {
    let pool = Pool::new(wanted);
    let workers: [_; WORKERS] = std::array::from_fn(|index| {
        let pool = pool.clone();
        thread::spawn(move || pool.run(index))
    });
    for _ in 0..wanted {
        pool.publish();
    }
    // A lost piece of work is a deadlock here.
    pool.owner.sleep();
    for worker in workers {
        worker.join().unwrap();
    }
    assert_eq!(pool.done.load(Ordering::Acquire), wanted);
    assert_eq!(pool.idle.sleeping(), 0, "nobody is left in the list");
}

/// Work that is published while the workers go to sleep is found.
#[test]
fn work_is_not_forgotten() {
    explore(Bounds::protocol(1_000).preemptions(2), || finds_all(1));
}

/// The second piece of work comes while somebody searches, so nobody is called for it: the searcher passes the baton.
/// The first piece waits for the second, so it is not enough that one worker takes both.
#[test]
fn the_last_searcher_passes_the_baton() {
    explore(Bounds::protocol(1_000).preemptions(2), || finds_all(2));
}
