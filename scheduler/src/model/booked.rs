//! The ledger of a task (`stats/ledger.rs`), for the models.
#![forbid(unsafe_code)]

use crate::primitive::clock;
use crate::stats::ledger::{self, State};
use crate::wait::WaitReason;

/// What time is booked to.
#[derive(Clone, Copy, Debug)]
pub enum Booking {
    /// The task runs.
    Running,
    /// It waits.
    Waiting,
}

/// A ledger that begins at 0.
pub struct Ledger(ledger::Ledger);

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ledger")
    }
}

/// What a look has found, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// All parts together.
    pub total: u64,
    /// The time that the task has lived.
    pub elapsed: u64,
    /// It has ended.
    pub is_ended: bool,
}

impl Default for Ledger {
    fn default() -> Self {
        Ledger::new()
    }
}

impl Ledger {
    /// Of a task that was just spawned.
    pub fn new() -> Self {
        Ledger(ledger::Ledger::new(clock::now(), 0))
    }

    /// Books a change. One writer.
    pub fn turn_to(&self, next: Booking, now: u64) {
        let next = match next {
            Booking::Running => State::Running,
            Booking::Waiting => State::Suspended(WaitReason::Park),
        };
        self.0.turn_to(next, now);
    }

    /// The task has ended. By the writer.
    pub fn close(&self) {
        self.0.close();
    }

    /// One look; nothing if it met a change.
    pub fn look(&self, now: u64) -> Option<Look> {
        let (is_whole, facts) = self.0.read(now);
        is_whole.then(|| Look {
            total: facts.total().as_nanos() as u64,
            elapsed: facts.elapsed.as_nanos() as u64,
            is_ended: facts.is_ended,
        })
    }
}
