//! What the tasks of a program hand back, and the checks on it.

use std::time::{Duration, Instant};

use super::contender::Measured;
use super::statistics;

/// The ordinals of the tasks 0..count, added up: what they return must come to this.
pub(crate) fn sum_below(count: u64) -> u64 {
    count * count.saturating_sub(1) / 2
}

/// How often each task had the mutex: all turns were taken, and how unevenly they fell.
pub(crate) fn turns(took: Duration, total: u64, each: &[u64]) -> Measured {
    assert_eq!(
        each.iter().sum::<u64>(),
        total,
        "every turn at the mutex was somebody's"
    );
    let most = *each.iter().max().expect("there are tasks");
    let least = *each.iter().min().expect("there are tasks");
    // A task that never had a turn counts as one that had one: the ratio stays a number.
    Measured::each(took, total).with("fairness", most as f64 / least.max(1) as f64)
}

/// How long after its time a sleeper woke, in nanoseconds.
pub(crate) fn lateness(due: Instant) -> f64 {
    let now = Instant::now();
    assert!(now >= due, "a sleep does not end early");
    (now - due).as_nanos() as f64
}

pub(crate) fn late_p99(late: Vec<f64>) -> f64 {
    statistics::quantile(&statistics::sorted(late), 0.99)
}
