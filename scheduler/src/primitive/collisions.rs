//! How often the short locks were met by two at once: counted on the way of whoever has to wait, so that nobody else pays.
//!
//! The counts are of the process: most of these locks belong to what tasks share, and not to a scheduler.
#![forbid(unsafe_code)]

#[cfg(not(any(loom, shuttle)))]
use std::sync::atomic::{AtomicU64, Ordering};

/// What a short lock is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum For {
    /// The list of a limit on tasks.
    Admission,
    Barrier,
    /// Of channels, and of a select over them.
    Channel,
    Condvar,
    /// What is known of a descriptor.
    #[cfg_attr(
        not(feature = "net"),
        allow(dead_code, reason = "the table has the same rows")
    )]
    Descriptor,
    Event,
    /// The end of a scope's tasks, and their results.
    Scope,
    /// The table in which waits for locks stand, and what is asked for it.
    LockTable,
    Mutex,
    Once,
    RwLock,
    Semaphore,
    /// A slot's private queues, when another thread takes from them.
    Slot,
    /// A task's joiners, its waker, and whoever interrupts it.
    Task,
    #[cfg(test)]
    Test,
}

/// A kind of the scheduler's own short locks, and how often two met there: of all schedulers of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpinFacts {
    /// What they are for.
    pub name: &'static str,
    /// How often one was not free.
    pub collisions: u64,
    /// How often it was looked at while it was not.
    pub spins: u64,
    /// How often the processor was given away meanwhile, or the attempt given up.
    pub backoffs: u64,
}

const NAMES: &[&str] = &[
    "ADMISSION",
    "BARRIER",
    "CHANNEL",
    "CONDVAR",
    "DESCRIPTOR",
    "EVENT",
    "SCOPE",
    "LOCK TABLE",
    "MUTEX",
    "ONCE",
    "RWLOCK",
    "SEMAPHORE",
    "SLOT",
    "TASK",
];

#[cfg(not(any(loom, shuttle)))]
struct Counts {
    collisions: AtomicU64,
    spins: AtomicU64,
    backoffs: AtomicU64,
}

#[cfg(not(any(loom, shuttle)))]
static ALL: [Counts; NAMES.len() + 1] = [const {
    Counts {
        collisions: AtomicU64::new(0),
        spins: AtomicU64::new(0),
        backoffs: AtomicU64::new(0),
    }
}; NAMES.len() + 1];

/// A lock is not free.
#[cfg(not(any(loom, shuttle)))]
pub(super) fn begin(of: For) {
    // Relaxed, as all of these: each count stands for itself.
    ALL[of as usize].collisions.fetch_add(1, Ordering::Relaxed);
}

/// It was looked at so often until it was, or was given up.
#[cfg(not(any(loom, shuttle)))]
pub(super) fn end(of: For, spins: u64, backoffs: u64) {
    let counts = &ALL[of as usize];
    counts.spins.fetch_add(spins, Ordering::Relaxed);
    counts.backoffs.fetch_add(backoffs, Ordering::Relaxed);
}

/// A model has no use for them.
#[cfg(any(loom, shuttle))]
pub(super) fn begin(_of: For) {}

#[cfg(any(loom, shuttle))]
pub(super) fn end(_of: For, _spins: u64, _backoffs: u64) {}

/// One row for each kind.
#[cfg(not(any(loom, shuttle)))]
pub(crate) fn facts() -> Vec<SpinFacts> {
    let row = |(name, counts): (&&'static str, &Counts)| SpinFacts {
        name,
        collisions: counts.collisions.load(Ordering::Relaxed),
        spins: counts.spins.load(Ordering::Relaxed),
        backoffs: counts.backoffs.load(Ordering::Relaxed),
    };
    NAMES.iter().zip(&ALL).map(row).collect()
}

#[cfg(any(loom, shuttle))]
pub(crate) fn facts() -> Vec<SpinFacts> {
    let row = |name: &&'static str| SpinFacts {
        name,
        collisions: 0,
        spins: 0,
        backoffs: 0,
    };
    NAMES.iter().map(row).collect()
}

/// What was counted of the locks that only tests have.
#[cfg(all(test, not(any(loom, shuttle))))]
pub(super) fn of_tests() -> [u64; 3] {
    let counts = &ALL[For::Test as usize];
    [&counts.collisions, &counts.spins, &counts.backoffs].map(|count| count.load(Ordering::Relaxed))
}

const _: () = assert!(
    For::Task as usize + 1 == NAMES.len(),
    "each kind has a name"
);
