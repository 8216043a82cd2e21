//! Timers: 100,000 waits that end before their limits, and sleeps that are slept to the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fiberhost_scheduler::sync::{AutoResetEvent, ManualResetEvent};
use fiberhost_scheduler::{Wake, sleep, spawn};

use super::super::case::SLEEPS;
use super::super::contender::Measured;
use super::super::{random, tally, witness};
use super::join;

/// `without_limit` is the same for waits without a limit: what is left of it has nothing to do with timers.
pub(super) fn timers(count: u64) -> Measured {
    let _noted = witness::task();
    let order = random::order(count as usize);
    let deadlines = random::deadlines(count as usize);
    let took = arm_and_cancel(deadlines.into_iter().map(Some).collect(), &order);
    let without = arm_and_cancel(vec![None; order.len()], &order);
    let late = tally::late_p99(sleeps());
    Measured::each(took, count)
        .with("late_p99", late)
        .with("without_limit", Measured::each(without, count).ns)
}

/// Each task arms one timer by waiting with a limit, if it has one; the wake that comes instead cancels it.
fn arm_and_cancel(limits: Vec<Option<Duration>>, order: &[usize]) -> Duration {
    let count = limits.len();
    // The tasks are started before the clock starts and end when it has stopped: only waits and wakes are timed.
    let start_arming = Arc::new(ManualResetEvent::new(false));
    let ready = Arc::new(Muster::of(count));
    let armed = Arc::new(Muster::of(count));
    let cancelled = Arc::new(Muster::of(count));
    let end = Arc::new(ManualResetEvent::new(false));
    let events: Vec<_> = limits
        .iter()
        .map(|_| Arc::new(AutoResetEvent::new(false)))
        .collect();
    let waiter = |(limit, event): (Option<Duration>, &Arc<AutoResetEvent>)| {
        let start_arming = Arc::clone(&start_arming);
        let (ready, armed, event) = (Arc::clone(&ready), Arc::clone(&armed), Arc::clone(event));
        let (cancelled, end) = (Arc::clone(&cancelled), Arc::clone(&end));
        spawn(move || {
            let _noted = witness::task();
            ready.here();
            start_arming.wait();
            armed.here();
            let wake = match limit {
                Some(limit) => event.wait_for(limit),
                None => event.wait(),
            };
            cancelled.here();
            end.wait();
            wake
        })
    };
    let handles: Vec<_> = limits.into_iter().zip(&events).map(waiter).collect();
    ready.all.wait();
    let start = Instant::now();
    start_arming.set();
    armed.all.wait();
    order.iter().for_each(|&place| events[place].set());
    cancelled.all.wait();
    let took = start.elapsed();
    end.set();
    let wakes: Vec<Wake> = handles.into_iter().map(join).collect();
    assert!(
        wakes.iter().all(|&wake| wake == Wake::Signalled),
        "no deadline is reached"
    );
    took
}

/// Lets one task know that all the others have come to a point.
struct Muster {
    missing: AtomicUsize,
    all: AutoResetEvent,
}

impl Muster {
    fn of(count: usize) -> Muster {
        Muster {
            missing: AtomicUsize::new(count),
            all: AutoResetEvent::new(false),
        }
    }

    fn here(&self) {
        if self.missing.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.all.set();
        }
    }
}

fn sleeps() -> Vec<f64> {
    let sleeper = |length| {
        spawn(move || {
            let _noted = witness::task();
            let due = Instant::now() + length;
            assert_eq!(sleep(length), Wake::TimedOut);
            tally::lateness(due)
        })
    };
    let handles: Vec<_> = random::sleeps(SLEEPS).into_iter().map(sleeper).collect();
    handles.into_iter().map(join).collect()
}
