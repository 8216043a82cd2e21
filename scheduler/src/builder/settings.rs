//! Every limit and default in one place, and what they must be like.
#![forbid(unsafe_code)]

use std::time::Duration;

use crate::deadlock::OnDeadlock;
use crate::fiber::stack::Guards;
use crate::observed::Make;
#[cfg(feature = "simulate")]
use crate::simulate::Faults;
use crate::stall::{Orders, sample};
use crate::task::Backing;
use crate::trace::Recording;
use crate::watch::Accounting;

/// 128 KiB: a panic with its backtrace needs 24, a call into a C library often 64.
#[cfg(not(any(loom, shuttle)))]
const STACK_SIZE: usize = 128 * 1024;
/// The checkers' own code runs on the tasks' stacks.
#[cfg(any(loom, shuttle))]
const STACK_SIZE: usize = 1024 * 1024;
const QUANTUM: Duration = Duration::from_millis(4);
/// Two ticks of the monitor; a hand-over costs some microseconds, a tick's look less than one.
const HANDOVER_AFTER: Duration = Duration::from_millis(2);
/// Long enough to catch the answer of a peer on another core, short against a time slice.
#[cfg(not(any(loom, shuttle)))]
const IDLE_SPIN: Duration = Duration::from_micros(10);
#[cfg(any(loom, shuttle))]
const IDLE_SPIN: Duration = Duration::ZERO;
/// Longer than anything polite takes.
const STALL_AFTER: Duration = Duration::from_secs(10);
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(10);
const WARM_STACKS: usize = 1024;
const LEDGERS_KEPT: usize = 1024;
const WORKERS_MAX: usize = 1024;
/// As many as Go has.
#[cfg(not(any(loom, shuttle)))]
const MAX_THREADS: usize = 10_000;
/// As many as there are workers: a model asks for those that stand by.
#[cfg(any(loom, shuttle))]
const MAX_THREADS: usize = 0;

/// What happens to a spawn when the limit on live tasks is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Admission {
    /// It fails, with [`SpawnError::is_limit`](crate::SpawnError::is_limit).
    #[default]
    Refuse,
    /// It waits until a task ends.
    Wait,
}
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) name: String,
    pub(crate) workers: usize,
    pub(crate) workers_max: usize,
    pub(crate) bound_workers: usize,
    pub(crate) max_threads: usize,
    pub(crate) default_backing: Backing,
    pub(crate) stack_size: usize,
    pub(crate) guards: Guards,
    pub(crate) warm_stacks: usize,
    pub(crate) handlers_on_task_stacks: bool,
    pub(crate) measure_stacks: bool,
    pub(crate) quantum: Duration,
    pub(crate) handover_after: Duration,
    pub(crate) stalls: Orders,
    pub(crate) on_deadlock: Option<OnDeadlock>,
    pub(crate) max_tasks: usize,
    pub(crate) admission: Admission,
    pub(crate) idle_spin: Duration,
    pub(crate) shutdown_limit: Duration,
    pub(crate) emergency_lane: bool,
    pub(crate) observers: Vec<Make>,
    pub(crate) accounting: Accounting,
    pub(crate) ledgers_kept: usize,
    pub(crate) recording: Recording,
    pub(crate) check_invariants: bool,
    pub(crate) force_migration: bool,
    #[cfg(feature = "simulate")]
    pub(crate) simulate: Option<u64>,
    #[cfg(feature = "simulate")]
    pub(crate) faults: Faults,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            name: "fiberhost".into(),
            workers: default_workers(),
            workers_max: 0,
            bound_workers: 0,
            max_threads: MAX_THREADS,
            default_backing: Backing::Fiber,
            stack_size: STACK_SIZE,
            guards: Guards::Best,
            warm_stacks: WARM_STACKS,
            handlers_on_task_stacks: false,
            measure_stacks: false,
            quantum: QUANTUM,
            handover_after: HANDOVER_AFTER,
            stalls: Orders {
                after: STALL_AFTER,
                tell: None,
                signal: Some(sample::default_signal()),
                waits: Vec::new(),
                tell_quantum: None,
            },
            on_deadlock: None,
            max_tasks: usize::MAX,
            admission: Admission::Refuse,
            idle_spin: if default_workers() == 1 {
                Duration::ZERO
            } else {
                IDLE_SPIN
            },
            shutdown_limit: SHUTDOWN_LIMIT,
            emergency_lane: false,
            observers: Vec::new(),
            accounting: Accounting::Sampled,
            ledgers_kept: LEDGERS_KEPT,
            recording: Recording::Rare,
            check_invariants: false,
            force_migration: false,
            #[cfg(feature = "simulate")]
            simulate: None,
            #[cfg(feature = "simulate")]
            faults: Faults::default(),
        }
    }
}

impl Settings {
    /// Those of the emergency lane of a scheduler with these.
    pub(crate) fn of_lane(&self) -> Settings {
        Settings {
            name: format!("{}-emergency", self.name),
            workers: 1,
            workers_max: 1,
            bound_workers: 0,
            max_tasks: usize::MAX,
            emergency_lane: false,
            observers: Vec::new(),
            ..self.clone()
        }
    }

    /// Those of the threads that a scheduler with these keeps for bound tasks.
    pub(crate) fn of_reservation(&self) -> Settings {
        Settings {
            name: format!("{}-bound", self.name),
            workers: self.bound_workers,
            workers_max: self.bound_workers,
            bound_workers: 0,
            emergency_lane: false,
            ..self.clone()
        }
    }

    /// The fewest threads that will do: those that drive the slots. Reserved ones are counted on their own.
    fn threads_min(&self) -> usize {
        if cfg!(any(loom, shuttle)) {
            // A model has at least these, whatever it asks for.
            return 0;
        }
        self.workers.max(self.workers_max).max(self.bound_workers)
    }

    /// What is wrong with them, of what can be said before anything is started.
    pub(crate) fn fault(&self) -> Option<String> {
        if self.workers == 0 || self.workers > WORKERS_MAX {
            Some(format!(
                "{} workers: must be between 1 and {WORKERS_MAX}",
                self.workers
            ))
        } else if self.workers_max > WORKERS_MAX {
            Some(format!(
                "{} workers at most: must be at most {WORKERS_MAX}",
                self.workers_max
            ))
        } else if self.bound_workers > WORKERS_MAX {
            Some(format!(
                "{} bound workers: at most {WORKERS_MAX}",
                self.bound_workers
            ))
        } else if self.max_threads < self.threads_min() {
            Some(format!(
                "{} threads at most: the workers are {}",
                self.max_threads,
                self.threads_min()
            ))
        } else if self.quantum.is_zero() {
            Some("a quantum of 0".to_owned())
        } else if self.stalls.after.is_zero() {
            Some("a limit of 0 for stalls".to_owned())
        } else if self.stalls.waits.iter().any(|(_, it)| it.is_zero()) {
            Some("a limit of 0 for waits".to_owned())
        } else if let Some(signal) = self.stalls.signal.filter(|&it| !sample::is_usable(it)) {
            Some(format!("{signal} is no real-time signal"))
        } else if self.max_tasks == 0 {
            Some("a limit of 0 live tasks".to_owned())
        } else {
            None
        }
    }
}

/// What this process may use, by its affinity mask and its cgroup's quota.
fn default_workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
