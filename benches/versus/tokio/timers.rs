//! Its timers: those of one task that polls them all, and those of a task each.

use std::future::{self, Future};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, Semaphore};
use tokio::task::unconstrained;
use tokio::time::{Sleep, sleep, timeout};

use super::super::case::SLEEPS;
use super::super::contender::Measured;
use super::super::{random, tally};

/// `a_task_each` is the program of those contenders whose waits are those of tasks.
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
        .with("late_p99", late)
        .with("a_task_each", Measured::each(tasks, count).ns)
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

/// Each timer is that of a task, which a notification wakes; as the others do it, only waits and wakes are timed.
async fn arm_and_cancel_in_tasks(deadlines: Vec<Duration>, order: &[usize]) -> Duration {
    let count = deadlines.len();
    let [ready, armed, cancelled] = [(); 3].map(|()| Arc::new(Muster::of(count)));
    let [start_arming, end] = [(); 2].map(|()| Arc::new(Semaphore::new(0)));
    let events: Vec<_> = order.iter().map(|_| Arc::new(Notify::new())).collect();
    let waiter = |(deadline, event): (Duration, &Arc<Notify>)| {
        let (ready, armed, cancelled) = (ready.clone(), armed.clone(), cancelled.clone());
        let (start_arming, end, event) = (start_arming.clone(), end.clone(), event.clone());
        tokio::spawn(async move {
            ready.here();
            pass(&start_arming).await;
            armed.here();
            let notified = timeout(deadline, event.notified()).await;
            cancelled.here();
            pass(&end).await;
            notified.is_ok()
        })
    };
    let handles: Vec<_> = deadlines.into_iter().zip(&events).map(waiter).collect();
    ready.all.notified().await;
    let start = Instant::now();
    start_arming.add_permits(count);
    armed.all.notified().await;
    order.iter().for_each(|&place| events[place].notify_one());
    cancelled.all.notified().await;
    let took = start.elapsed();
    end.add_permits(count);
    for handle in handles {
        let notified = handle.await.expect("the waiter does not panic");
        assert!(notified, "no deadline is reached");
    }
    took
}

async fn pass(gate: &Semaphore) {
    gate.acquire().await.expect("nobody closes it").forget();
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
