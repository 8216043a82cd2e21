//! What `hog` measures: how late a tick comes that stands behind a task which computes and never looks up.
//!
//! The ticker wakes the hog, so that it is queued on the ticker's own worker, and sleeps for a millisecond there.
//! Should another worker take the hog before it begins, nobody stands behind it, and the attempt is not counted.

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::contender::Measured;
use super::procfs;
use super::tally;

pub(crate) const TICK: Duration = Duration::from_millis(1);
const COMPUTES: Duration = Duration::from_millis(100);
/// How often the hog may be taken elsewhere before the round is given up.
pub(crate) const ATTEMPTS: u64 = 20;
const NOBODY: u32 = 0;

/// The thread on which the hog computes, while it does.
#[derive(Debug, Default)]
pub(crate) struct Hog {
    thread: AtomicU32,
}

impl Hog {
    /// Computes on the calling thread, without a check.
    pub(crate) fn compute(&self) {
        let begin = Instant::now();
        self.thread.store(procfs::this_thread(), Ordering::Release);
        while begin.elapsed() < COMPUTES {
            black_box(());
        }
        self.thread.store(NOBODY, Ordering::Release);
    }

    pub(crate) fn computes(&self) -> bool {
        self.thread.load(Ordering::Acquire) != NOBODY
    }
}

/// What the ticker writes down.
#[derive(Debug)]
pub(crate) struct Ticks {
    due: Instant,
    /// Where it stood when it began to sleep.
    thread: u32,
    begun: Instant,
    behind: Vec<f64>,
    others: Vec<f64>,
}

impl Ticks {
    pub(crate) fn new() -> Ticks {
        Ticks {
            due: Instant::now(),
            thread: NOBODY,
            begun: Instant::now(),
            behind: Vec::new(),
            others: Vec::new(),
        }
    }

    /// Just before it wakes the hog and sleeps for a tick.
    pub(crate) fn begin(&mut self) {
        self.thread = procfs::this_thread();
        self.due = Instant::now() + TICK;
    }

    /// Back from the first tick.
    pub(crate) fn end_first(&mut self, hog: &Hog, ended: bool) {
        let late = tally::lateness(self.due);
        // One that has ended meanwhile was on this worker: nobody else would have been held up for so long.
        let thread = hog.thread.load(Ordering::Acquire);
        if thread == self.thread || (ended && late >= (COMPUTES / 2).as_nanos() as f64) {
            self.behind.push(late);
        }
    }

    /// Just before another tick, while the hog computes.
    pub(crate) fn begin_another(&mut self) {
        self.due = Instant::now() + TICK;
    }

    pub(crate) fn end_another(&mut self) {
        self.others.push(tally::lateness(self.due));
    }

    pub(crate) fn counted(&self) -> u64 {
        self.behind.len() as u64
    }

    /// A round.
    pub(crate) fn measured(self, wanted: u64) -> Measured {
        assert_eq!(self.behind.len() as u64, wanted, "ticks behind the hog");
        let measured = Measured {
            ns: tally::late_p99(self.behind),
            took: self.begun.elapsed(),
            fields: Vec::new(),
        };
        if self.others.is_empty() {
            measured
        } else {
            measured.with("others_p99", tally::late_p99(self.others))
        }
    }
}
