//! What `leave_taken` measures: how long the turns of the tasks beside a native section are apart.
//!
//! In each turn the task with the sections makes a hundred of them, of which one sleeps for a millisecond, and then yields
//! as the others do. The same is done once more without the sleep: the difference is what the sleeping adds.
//! So every gap of the others would have the whole sleep in it, were the thread not given to them.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::contender::Measured;
use super::statistics;

/// Tasks that yield beside the one with the sections.
pub(crate) const BESIDE: usize = 64;
/// Sections in a turn.
pub(crate) const SECTIONS: usize = 100;
const SLEEP: Duration = Duration::from_millis(1);

/// Whether one section of each turn sleeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sections {
    Short,
    OneSleeps,
}

impl Sections {
    /// What is done inside the section of this number.
    pub(crate) fn inside(self, number: usize) {
        if self == Sections::OneSleeps && number == SECTIONS / 2 {
            thread::sleep(SLEEP);
        }
        black_box(number);
    }
}

/// The gaps of one task.
#[derive(Debug)]
pub(crate) struct Gaps {
    last: Instant,
    nanos: Vec<f64>,
}

impl Gaps {
    pub(crate) fn new() -> Gaps {
        Gaps {
            last: Instant::now(),
            nanos: Vec::with_capacity(1 << 12),
        }
    }

    /// The task has come back from a yield.
    pub(crate) fn turn(&mut self) {
        let now = Instant::now();
        self.nanos.push((now - self.last).as_nanos() as f64);
        self.last = now;
    }
}

/// Tells those beside that the last turn is over.
#[derive(Debug, Default)]
pub(crate) struct Over(AtomicBool);

impl Over {
    pub(crate) fn set(&self) {
        // Relaxed: only an end to a loop.
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A round, from the gaps without and with the sleep.
pub(crate) fn measured(took: Duration, short: Vec<Gaps>, sleeping: Vec<Gaps>) -> Measured {
    let gather = |all: Vec<Gaps>| {
        assert_eq!(all.len(), BESIDE, "everybody has told its gaps");
        assert!(
            all.iter().all(|gaps| !gaps.nanos.is_empty()),
            "everybody has had turns"
        );
        statistics::sorted(all.into_iter().flat_map(|gaps| gaps.nanos))
    };
    let (short, sleeping) = (gather(short), gather(sleeping));
    let [before, after] = [&short, &sleeping].map(|gaps| statistics::quantile(gaps, 0.99));
    let longest = *sleeping.last().expect("there are gaps");
    Measured {
        // Nothing added counts as one nanosecond: the ratio stays a number.
        ns: (after - before).max(1.0),
        took,
        fields: Vec::new(),
    }
    .with("p99_before", before)
    .with("max", longest)
}
