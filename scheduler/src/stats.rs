//! Figures of a scheduler, read without stopping anything.
//!
//! [`Stats`] are sums. A [`Snapshot`] has a row for each slot, thread and task.
#![forbid(unsafe_code)]

pub(crate) mod calls;
pub(crate) mod coarse;
pub(crate) mod histogram;
mod histograms;
pub(crate) mod ledger;
pub(crate) mod sections;
pub(crate) mod snapshot;
pub(crate) mod waits;
mod window;

pub use histogram::Histogram;
pub use histograms::Histograms;
pub use ledger::LedgerFacts;
pub use sections::TargetFacts;
pub use snapshot::{
    SectionFacts, SlotFacts, Snapshot, SystemFacts, TaskFacts, TaskState, ThreadFacts, ThreadState,
    WaitFacts,
};

pub use crate::primitive::collisions::SpinFacts;
use crate::primitive::{Ordering, barrier};
use crate::scheduler::Core;
use crate::thread::Thread;

/// What [`Scheduler::stats`](crate::Scheduler::stats) answers, with the threads that are
/// [reserved](crate::Builder::bound_workers). Each figure is exact for some moment during the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// How often a worker resumed a task.
    pub switches: u64,
    /// Tasks spawned.
    pub spawned: u64,
    /// Tasks ended, run or not.
    pub ended: u64,
    /// Tasks that an idle worker found elsewhere than in its own queues.
    pub steals: u64,
    /// Workers that sleep.
    pub idle_workers: usize,
    /// OS threads that run tasks, sleep with them, or stand by.
    pub threads: usize,
    /// Those of them that have a task which could go on, and wait for a slot.
    pub claimants: usize,
    /// Slots that were taken from threads which were in native sections for too long.
    pub handovers: u64,
    /// How often a task slept with a thread that others may have started on: it owned the thread, or was called back from
    /// native code. They wait meanwhile.
    pub owner_sleeps: u64,
    /// How many of them were on threads that are [reserved](crate::Builder::bound_workers).
    pub reserved_owner_sleeps: u64,
    /// Reports of stalls, long waits and deadlocks made so far. The newest are kept:
    /// [`Scheduler::stalls`](crate::Scheduler::stalls).
    pub stalls: u64,
    /// Dumps at a [signal](crate::Builder::dump_on) that could not be written, of all schedulers of the process.
    pub dumps_lost: u64,
    /// Stacks made so far; they are reused and not unmapped before the scheduler goes.
    pub stacks: usize,
    /// Bytes of address space mapped for stacks.
    pub stack_bytes_mapped: usize,
    /// How long a worker looks for work before it sleeps, while another is awake.
    pub idle_spin: std::time::Duration,
    /// Which switch is used: `jump` or `corosensei`.
    pub switch: &'static str,
    /// How the frequent side of a barrier pair is paid: `membarrier` (nothing) or `fence`.
    pub barrier: &'static str,
}

/// The stacks of one size: see [`Scheduler::stack_classes`](crate::Scheduler::stack_classes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StackClass {
    /// Usable bytes of each.
    pub size: usize,
    /// How many were made.
    pub stacks: usize,
    /// The most that a task used of one, whether on a fiber or on a thread of its own. `None` until a task has ended, and
    /// if stacks are not [measured](crate::Builder::measure_stacks).
    pub used_max: Option<usize>,
}

/// What is counted by a thread itself, read at one go: each look at what a worker writes at every switch costs that worker a
/// cache line (`stats/snapshot.rs`).
#[derive(Clone, Copy, Default)]
struct Counts {
    switches: u64,
    spawned: u64,
    ended: u64,
    steals: u64,
}

impl Counts {
    fn of(thread: &Thread) -> Counts {
        // Relaxed: each is exact for some moment.
        Counts {
            switches: thread.switches(),
            spawned: thread.spawned.load(Ordering::Relaxed),
            ended: thread.ended.load(Ordering::Relaxed),
            steals: thread.steals.load(Ordering::Relaxed),
        }
    }

    fn add(&mut self, more: Counts) {
        self.switches += more.switches;
        self.spawned += more.spawned;
        self.ended += more.ended;
        self.steals += more.steals;
    }
}

impl Stats {
    pub(crate) fn of(core: &Core) -> Stats {
        let mut counts = Counts::default();
        for thread in core.parts().flat_map(|part| part.threads.iter()) {
            counts.add(Counts::of(thread));
        }
        let (owner_sleeps, reserved_owner_sleeps) = core.owner_sleeps();
        let (mut stacks, mut stack_bytes_mapped) = (0, 0);
        let (mut spawned_outside, mut ended_outside) = (0, 0);
        for part in core.parts() {
            let (made, bytes) = part.stacks.totals();
            stacks += made;
            stack_bytes_mapped += bytes;
            let (spawned, ended) = part.outside();
            spawned_outside += spawned;
            ended_outside += ended;
        }
        Stats {
            switches: counts.switches,
            spawned: counts.spawned + spawned_outside,
            ended: counts.ended + ended_outside,
            steals: counts.steals,
            idle_workers: core.parts().map(|part| part.idle.sleeping()).sum(),
            claimants: core
                .parts()
                .map(|part| part.idle.claimants() as usize)
                .sum(),
            threads: core.parts().map(Core::thread_count).sum(),
            handovers: core
                .parts()
                .map(|part| part.handovers.load(Ordering::Relaxed))
                .sum(),
            owner_sleeps,
            reserved_owner_sleeps,
            stalls: core.parts().map(|part| part.reports.made()).sum(),
            #[cfg(not(any(loom, shuttle)))]
            dumps_lost: crate::dump::signal::lost(),
            #[cfg(any(loom, shuttle))]
            dumps_lost: 0,
            stacks,
            stack_bytes_mapped,
            idle_spin: core.idle_spin,
            switch: if cfg!(fiberhost_jump) {
                "jump"
            } else {
                "corosensei"
            },
            barrier: if barrier::is_asymmetric() {
                "membarrier"
            } else {
                "fence"
            },
        }
    }

    /// Tasks spawned and not ended.
    pub fn live(&self) -> u64 {
        self.spawned.saturating_sub(self.ended)
    }
}
