//! The stretch of a program that is timed when many tasks take part.
//!
//! 1. Each task calls [`Lap::arrive`] and yields until all are [`all_here`](Lap::all_here), so that no start is timed.
//!    (Where yielding keeps others from starting, they meet at a barrier instead.)
//! 2. The first one through starts the clock in [`Lap::begin`].
//! 3. The last one out stops it in [`Lap::leave`].
//!
//! Per task that is three atomic operations, the same for every contender.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

pub(crate) struct Lap {
    tasks: usize,
    here: AtomicUsize,
    running: AtomicUsize,
    began: OnceLock<Instant>,
    ended: OnceLock<Instant>,
}

impl Lap {
    pub(crate) fn new(tasks: usize) -> Lap {
        Lap {
            tasks,
            here: AtomicUsize::new(0),
            running: AtomicUsize::new(tasks),
            began: OnceLock::new(),
            ended: OnceLock::new(),
        }
    }

    pub(crate) fn arrive(&self) {
        // Relaxed, here and below: a count; the tasks' results come back through their joins.
        self.here.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn all_here(&self) -> bool {
        self.here.load(Ordering::Relaxed) == self.tasks
    }

    pub(crate) fn begin(&self) {
        self.begin_after(|| ());
    }

    /// `first` runs in the task that starts the clock, just before it does.
    pub(crate) fn begin_after(&self, first: impl FnOnce()) {
        self.began.get_or_init(|| {
            first();
            Instant::now()
        });
    }

    pub(crate) fn leave(&self) {
        self.leave_before(|| ());
    }

    /// `last` runs in the task that stops the clock, just after it did.
    pub(crate) fn leave_before(&self, last: impl FnOnce()) {
        if self.running.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.ended
                .set(Instant::now())
                .expect("only one task is the last");
            last();
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.running.load(Ordering::Relaxed) == 0
    }

    pub(crate) fn took(&self) -> Duration {
        let ended = self.ended.get().expect("every task has left");
        ended.duration_since(*self.began.get().expect("a task has begun"))
    }
}
