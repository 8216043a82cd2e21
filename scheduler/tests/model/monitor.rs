//! The monitor's sleep: no worker runs while nobody ticks.

use std::sync::Arc;

use fiberhost_scheduler::model::{Idle, MonitorSleep, Sleeper, heavy};

use super::explore::{Bounds, explore, thread};

struct Pool {
    idle: Idle,
    monitor: MonitorSleep,
    /// Where the only worker sleeps.
    worker: Sleeper,
    /// Called by a monitor that sees the worker awake.
    ticked: Sleeper,
}

impl Pool {
    /// With the only worker in the list of those who sleep.
    fn new() -> Arc<Pool> {
        let idle = Idle::new(1);
        idle.enter(0, false);
        Arc::new(Pool {
            idle,
            monitor: MonitorSleep::new(),
            worker: Sleeper::new(),
            ticked: Sleeper::new(),
        })
    }

    /// What is left of a worker's sleep, and a task that runs until the monitor has ticked.
    fn wake_and_run(&self) {
        self.monitor.leave(&self.idle, 0);
        // Nobody who ticks is a deadlock here.
        self.ticked.sleep();
    }

    /// The monitor's life from the moment at which its grace is over: it sleeps, and ticks once.
    fn watch(&self) {
        while self.idle.sleeping() == 1 {
            self.monitor.sleep_until_needed(&self.idle, 1);
        }
        self.ticked.call();
    }

    fn with_monitor(self: &Arc<Pool>, work: impl FnOnce(&Pool)) {
        let monitor = {
            let pool = self.clone();
            thread::spawn(move || pool.watch())
        };
        work(self);
        monitor.join().unwrap();
    }
}

/// The worker is called for something of its own, or its timer is due, while the monitor goes to sleep.
#[test]
fn a_worker_that_wakes_up_is_ticked() {
    explore(Bounds::protocol(10), || {
        let pool = Pool::new();
        pool.with_monitor(|pool| {
            pool.worker.call();
            pool.worker.sleep();
            pool.wake_and_run();
        });
    });
}

/// The worker is called to search: whoever calls it takes it off the list.
#[test]
fn a_worker_that_is_called_to_search_is_ticked() {
    explore(Bounds::protocol(100), || {
        let pool = Pool::new();
        let caller = {
            let pool = pool.clone();
            thread::spawn(move || {
                if pool.idle.choose().is_some() {
                    pool.worker.call();
                }
            })
        };
        pool.with_monitor(|pool| {
            pool.worker.sleep();
            pool.wake_and_run();
        });
        caller.join().unwrap();
    });
}

/// The worker enters the list, finds work, and leaves again without having slept; the monitor has counted it in between.
#[test]
fn a_worker_that_does_not_sleep_after_all_is_ticked() {
    explore(Bounds::protocol(10), || {
        let pool = Pool::new();
        pool.idle.leave(0);
        pool.with_monitor(|pool| {
            pool.idle.enter(0, false);
            heavy();
            pool.wake_and_run();
        });
    });
}
