//! Timers that are armed and cancelled, and how late those are that are not.

use std::future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::task::unconstrained;
use tokio::time::{Sleep, sleep, timeout};

use super::super::case::SLEEPS;
use super::super::contender::Measured;
use super::super::{random, tally};

pub(super) async fn timers(count: u64) -> Measured {
    let deadlines = random::deadlines(count as usize);
    let order = random::order(count as usize);
    // Without the budget: a poll that the budget refuses would not arm its timer.
    let took = unconstrained(future::poll_fn(|context| {
        Poll::Ready(arm_and_cancel(&deadlines, &order, context))
    }))
    .await;
    let tasks = arm_and_cancel_in_tasks(deadlines, &order).await;
    let late = tally::late_p99(sleeps().await);
    Measured::each(took, count)
        .with("tasks_ns", tasks.as_nanos() as f64 / count as f64)
        .with("late_p99", late)
}

fn arm_and_cancel(deadlines: &[Duration], order: &[usize], context: &mut Context<'_>) -> Duration {
    let mut armed: Vec<Option<Pin<Box<Sleep>>>> = Vec::with_capacity(deadlines.len());
    let start = Instant::now();
    for &deadline in deadlines {
        let mut timer = Box::pin(sleep(deadline));
        assert!(timer.as_mut().poll(context).is_pending());
        armed.push(Some(timer));
    }
    for &place in order {
        armed[place] = None;
    }
    start.elapsed()
}

/// The same where each timer is that of a task, which waits with a limit: what the programs of the others do. It is shown, and
/// not counted.
async fn arm_and_cancel_in_tasks(deadlines: Vec<Duration>, order: &[usize]) -> Duration {
    let count = deadlines.len();
    let gates = Arc::new(Gates {
        start_arming: watch::channel(false).0,
        end: watch::channel(false).0,
        ready: Muster::of(count),
        armed: Muster::of(count),
        cancelled: Muster::of(count),
    });
    let events: Vec<_> = deadlines.iter().map(|_| Arc::new(Notify::new())).collect();
    let waiter = |(deadline, event): (Duration, &Arc<Notify>)| {
        let (gates, event) = (Arc::clone(&gates), Arc::clone(event));
        tokio::spawn(async move {
            let (mut start, mut end) = (gates.start_arming.subscribe(), gates.end.subscribe());
            gates.ready.here();
            start.wait_for(|open| *open).await.expect("it is kept");
            gates.armed.here();
            let in_time = timeout(deadline, event.notified()).await.is_ok();
            gates.cancelled.here();
            end.wait_for(|open| *open).await.expect("it is kept");
            in_time
        })
    };
    let handles: Vec<_> = deadlines.into_iter().zip(&events).map(waiter).collect();
    gates.ready.all.notified().await;
    let start = Instant::now();
    gates.start_arming.send_replace(true);
    gates.armed.all.notified().await;
    order.iter().for_each(|&place| events[place].notify_one());
    gates.cancelled.all.notified().await;
    let took = start.elapsed();
    gates.end.send_replace(true);
    for handle in handles {
        let in_time = handle.await.expect("the waiter does not panic");
        assert!(in_time, "no deadline is reached");
    }
    took
}

/// What the tasks wait for together.
struct Gates {
    start_arming: watch::Sender<bool>,
    end: watch::Sender<bool>,
    ready: Muster,
    armed: Muster,
    cancelled: Muster,
}

/// Lets one task know that all the others have come to a point.
struct Muster {
    missing: AtomicUsize,
    all: Notify,
}

impl Muster {
    fn of(count: usize) -> Muster {
        Muster {
            missing: AtomicUsize::new(count),
            all: Notify::new(),
        }
    }

    fn here(&self) {
        if self.missing.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.all.notify_one();
        }
    }
}

async fn sleeps() -> Vec<f64> {
    let spawn = |length| {
        tokio::spawn(async move {
            let due = Instant::now() + length;
            sleep(length).await;
            tally::lateness(due)
        })
    };
    let handles: Vec<_> = random::sleeps(SLEEPS).into_iter().map(spawn).collect();
    let mut late = Vec::with_capacity(SLEEPS);
    for handle in handles {
        late.push(handle.await.expect("the sleeper does not panic"));
    }
    late
}
