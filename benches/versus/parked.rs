//! What a parked task holds, and what all of them together cost.

use std::time::Duration;

use super::contender::Measured;
use super::procfs;

const WORDS: usize = 64;

/// The 512 bytes that a task has on its stack, or in its future, while it is parked.
#[derive(Clone, Copy)]
pub(crate) struct Live([u64; WORDS]);

impl Live {
    pub(crate) fn of(ordinal: u64) -> Live {
        Live(std::array::from_fn(|word| ordinal + word as u64))
    }

    pub(crate) fn sum(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// The sum over all tasks.
fn checksum(tasks: u64) -> u64 {
    let words = WORDS as u64;
    words * (tasks * (tasks - 1) / 2) + tasks * (words * (words - 1) / 2)
}

/// The process while all of them are parked.
pub(crate) struct Footprint {
    tasks: u64,
    bytes: u64,
    mappings: usize,
}

impl Footprint {
    pub(crate) fn now(tasks: u64) -> Footprint {
        Footprint {
            tasks,
            bytes: procfs::memory("VmRSS:") + procfs::memory("VmPTE:"),
            mappings: procfs::mappings(),
        }
    }

    /// `sum` is what the tasks had, after they were woken.
    pub(crate) fn measured(self, took: Duration, sum: u64) -> Measured {
        assert_eq!(sum, checksum(self.tasks), "every task kept what it had");
        Measured::each(took, self.tasks)
            .with("bytes", self.bytes as f64 / self.tasks as f64)
            .with("mappings", self.mappings as f64)
            .with("checksum", sum as f64)
    }
}
