//! The turn to write: SQLite has one writer at a time, and who waits for it parks here instead of sleeping in SQLite.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use fiberhost::scheduler::Wake;
use fiberhost::scheduler::sync::{Condvar, Mutex};

use crate::control::{Control, Waits, killed};
use crate::error::SqlError;

/// How long a statement without a limit of its own waits for other writers.
const PATIENCE: Duration = Duration::from_secs(30);

/// See the module docs.
#[derive(Debug, Default)]
pub struct Turn {
    taken: Mutex<bool>,
    free: Condvar,
}

impl Turn {
    /// Waits for the turn. It stays the caller's until [`give_back`](Turn::give_back).
    ///
    /// # Errors
    /// If the statement is to end before that, or others write for too long.
    pub fn take(&self, control: &Control) -> Result<(), SqlError> {
        {
            let mut taken = self.taken.lock();
            if !*taken {
                *taken = true;
                return Ok(());
            }
        }
        control.waiting(Waits::Turn, || self.wait(control))?
    }

    fn wait(&self, control: &Control) -> Result<(), SqlError> {
        let begun = Instant::now();
        let mut taken = self.taken.lock();
        while *taken {
            if let Some(verdict) = control.verdict() {
                drop(taken);
                // The wake that came with the verdict may have been meant for the next in line.
                self.free.notify_one();
                return Err(verdict);
            }
            let patience = PATIENCE.saturating_sub(begun.elapsed());
            if patience.is_zero() {
                return Err(SqlError::new("55P03", "other sessions write for too long"));
            }
            let left = control.left().map_or(patience, |left| left.min(patience));
            if self.free.wait_for(&mut taken, left).wake() == Wake::Aborted {
                // The scheduler ends.
                return Err(killed());
            }
        }
        *taken = true;
        Ok(())
    }

    /// The next one may write.
    pub fn give_back(&self) {
        *self.taken.lock() = false;
        self.free.notify_one();
    }

    /// Those who wait look at their verdicts.
    pub fn poke(&self) {
        // Who has looked and not slept yet holds the lock.
        drop(self.taken.lock());
        self.free.notify_all();
    }
}
