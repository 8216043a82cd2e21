//! Reproducible tests: a whole scheduler on one thread, with a clock of its own and an order that a seed decides.
//!
//! [`Builder::simulate`] makes a scheduler whose workers are no threads of the system: they take turns on the thread that built it.
//! A seed decides whose turn it is, wherever that can matter, and how much time passes. So a program that fails with a
//! seed fails with it again, step by step, and a program that waits for an hour is done at once.
//!
//! [`explore`] runs a program with one seed after the other, and says which one failed.
//!
//! ```
//! use fiberhost_scheduler::simulate;
//! use fiberhost_scheduler::sync::Mutex;
//! use std::sync::Arc;
//!
//! let explored = simulate::explore(0..100, |builder| {
//!     let scheduler = builder.build().expect("a simulated scheduler");
//!     let balance = Arc::new(Mutex::new(100));
//!     let tasks: Vec<_> = (0..2)
//!         .map(|_| {
//!             let balance = Arc::clone(&balance);
//!             scheduler.spawn(move || {
//!                 let mut balance = balance.lock();
//!                 if *balance >= 100 {
//!                     *balance -= 100;
//!                 }
//!             })
//!         })
//!         .collect();
//!     for task in tasks {
//!         task.join().expect("it does not panic");
//!     }
//!     assert_eq!(*balance.lock(), 0);
//! });
//! assert_eq!(explored.runs, 100);
//! assert!(explored.orders > 10);
//! ```
//!
//! Had each task looked at the balance under one lock and taken from it under another, some seed would have found both
//! looking first:
//!
//! ```should_panic
//! # use fiberhost_scheduler::simulate;
//! # use fiberhost_scheduler::sync::Mutex;
//! # use std::sync::Arc;
//! simulate::explore(0..100, |builder| {
//!     let scheduler = builder.build().expect("a simulated scheduler");
//!     let balance = Arc::new(Mutex::new(100));
//!     let tasks: Vec<_> = (0..2)
//!         .map(|_| {
//!             let balance = Arc::clone(&balance);
//!             scheduler.spawn(move || {
//!                 if *balance.lock() >= 100 {
//!                     *balance.lock() -= 100;
//!                 }
//!             })
//!         })
//!         .collect();
//!     for task in tasks {
//!         task.join().expect("it does not panic");
//!     }
//!     assert_eq!(*balance.lock(), 0);
//! });
//! ```
//!
//! # What is simulated
//!
//! - *Threads.* Workers, the monitor, threads that stand by and those of tasks with a [thread](crate::Backing::Thread) of
//!   their own take turns, each with its own stack. The code that runs in them is that of a build, with its queues, locks and
//!   protocols, and the invariants are checked at every switch.
//! - *Order.* A turn may end before a worker runs a task, where a task begins to wait or yields, where it locks, and at a
//!   [`point`]. Code between two of these is never interrupted: a program whose tasks share atomics puts points between its
//!   accesses. Where a task wakes or spawns another its turn does not end, since it may hold a lock of the thread there.
//! - *Time.* A choice takes a microsecond. When nobody can run the clock goes to the next time limit. [`now`] tells the time;
//!   `std::time::Instant` does not.
//! - *Faults*: see [`Faults`].
//! - *The calling thread.* What a plain thread can do with a scheduler, the thread that built this one can, and the others have
//!   their turns when it waits.
//! - *Native sections* are code of the thread. They take no time, unless they say so by [`pass`]; then the monitor may take their
//!   slot as it does from a thread that is blocked.
//!
//! # What is not
//!
//! - Other threads of the system: a spawn from there is refused ([`SpawnError::is_elsewhere`](crate::SpawnError::is_elsewhere)),
//!   and a shutdown from there is an error. What they wake is woken, but not reproducibly.
//! - Sockets and descriptors: a task that wants to wait for one gets an `Unsupported` error.
//! - Locks of std or parking_lot that are held across a wait: they block the only thread there is, for ever.
//! - Thread-locals: all workers have those of the one thread. While a task waits in a destructor because it panics,
//!   `std::thread::panicking` says so to all others too.
//! - A loop that waits without a wait, a yield or a point never ends.
//! - The random numbers, the hash maps' order and the clock of std: a program that depends on them does not repeat itself.
//!
//! # Deadlocks
//!
//! If no thread can run and no time limit is left, nothing can happen any more. The wait of the thread that built the
//! scheduler then panics, with the seed and what each task waits for. If that wait is one that nothing may interrupt (of
//! [`scope`](crate::scope), or in a destructor while it panics), the process aborts with the same text.
#![forbid(unsafe_code)]

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use crate::builder::Builder;
use crate::primitive::{clock, simulated};
use crate::simulation;

/// The variable that names a seed for [`explore`]: it runs the program with that one alone.
pub const SEED_VARIABLE: &str = "FIBERHOST_SEED";

/// What goes otherwise than one would like, at moments that the seed decides. None of it is wrong: a scheduler may do all of
/// this, and a program has to bear it.
///
/// ```
/// use fiberhost_scheduler::{Scheduler, simulate::Faults};
/// use std::time::Duration;
///
/// let scheduler = Scheduler::builder()
///     .simulate(7)
///     .faults(Faults::default().refuse_spawns(10).jumps(100, Duration::from_secs(1)))
///     .build()?;
/// let refused = (0..100).filter(|_| scheduler.task().spawn(|| ()).is_err()).count();
/// assert!(refused > 0);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Faults {
    pub(crate) point_once_in: Option<u32>,
    pub(crate) jump_once_in: u32,
    pub(crate) jump_max: Duration,
    pub(crate) hold_once_in: u32,
    pub(crate) put_off_once_in: u32,
    pub(crate) refuse_spawn_once_in: u32,
}

impl Default for Faults {
    /// Jumps of the clock by up to 20 ms, threads that are held up, and tasks that are put off. Spawns are not refused.
    fn default() -> Self {
        Faults {
            point_once_in: None,
            jump_once_in: 64,
            jump_max: Duration::from_millis(20),
            hold_once_in: 32,
            put_off_once_in: 8,
            refuse_spawn_once_in: 0,
        }
    }
}

impl Faults {
    /// No faults: only the order of the threads is the seed's.
    pub const fn none() -> Self {
        Faults {
            point_once_in: None,
            jump_once_in: 0,
            jump_max: Duration::ZERO,
            hold_once_in: 0,
            put_off_once_in: 0,
            refuse_spawn_once_in: 0,
        }
    }

    /// A thread may lose its turn at one in so many points. Without this the seed decides that too, between 1 and 16.
    /// 0: only where it waits.
    pub fn points(mut self, once_in: u32) -> Self {
        self.point_once_in = Some(once_in);
        self
    }

    /// At one in so many choices the clock jumps, by at most so much, though threads could run: they were slow, and timers
    /// of others come first. 0: never.
    pub fn jumps(mut self, once_in: u32, most: Duration) -> Self {
        self.jump_once_in = once_in;
        self.jump_max = most;
        self
    }

    /// At one in so many choices a thread is held up for a while, as one that has lost its processor. 0: never.
    pub fn holds(mut self, once_in: u32) -> Self {
        self.hold_once_in = once_in;
        self
    }

    /// One in so many times a task that is next goes to the end of its queue: tasks go on in another order than they were
    /// woken in. 0: never.
    pub fn put_off(mut self, once_in: u32) -> Self {
        self.put_off_once_in = once_in;
        self
    }

    /// One in so many spawns is refused, as if there were no memory. [`Scheduler::spawn`](crate::Scheduler::spawn) and
    /// [`spawn`](crate::spawn()) panic then. 0: never.
    pub fn refuse_spawns(mut self, once_in: u32) -> Self {
        self.refuse_spawn_once_in = once_in;
        self
    }
}

/// What is to be simulated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) seed: u64,
    pub(crate) faults: Faults,
}

/// What [`explore`] has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explored {
    /// How many seeds were run.
    pub runs: u64,
    /// How many choices were made in all of them.
    pub steps: u64,
    /// How many different orders of events there were.
    pub orders: usize,
    /// A number into which all choices of the last run have gone: equal for equal runs.
    pub mark: u64,
}

impl fmt::Display for Explored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} seeds, {} steps, {} different orders",
            self.runs, self.steps, self.orders
        )
    }
}

/// Runs a program with each of these seeds, one after the other, on the calling thread.
///
/// The program is given a builder of a scheduler of two workers that simulates with the seed; it may change its settings, and
/// has to shut it down or drop it. It is to depend on nothing but the seed.
/// If the environment names a seed in [`SEED_VARIABLE`], that one alone is run.
///
/// # Panics
/// With the program's panic, after saying on standard error which seed it was and how to run it again.
pub fn explore(seeds: Range<u64>, program: impl Fn(Builder)) -> Explored {
    let mut orders = HashSet::new();
    let mut explored = Explored {
        runs: 0,
        steps: 0,
        orders: 0,
        mark: 0,
    };
    let seeds = asked().map_or(seeds, |seed| seed..seed + 1);
    for seed in seeds {
        let builder = Builder::new().simulate(seed);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| program(builder))) {
            eprintln!(
                "fiberhost: the program failed with seed {seed}; to see it again: {SEED_VARIABLE}={seed}"
            );
            resume_unwind(panic);
        }
        assert!(
            simulation::wait_for_end(),
            "with seed {seed} the program has left a simulated scheduler behind"
        );
        let (steps, mark) = simulation::last();
        explored.runs += 1;
        explored.steps += steps;
        explored.mark = mark;
        orders.insert(mark);
    }
    explored.orders = orders.len();
    explored
}

fn asked() -> Option<u64> {
    let text = std::env::var(SEED_VARIABLE).ok()?;
    let seed = text.parse();
    Some(seed.unwrap_or_else(|_| panic!("{SEED_VARIABLE}={text} is no seed")))
}

/// Another thread may have its turn here. Outside a simulation it does nothing.
///
/// For programs whose tasks share more than what is in [`sync`](crate::sync): put one between two accesses that another task
/// may come between. Not with a lock of the thread in hand.
pub fn point() {
    simulated::point();
}

/// The calling thread is busy for so long, or blocked in code that is not simulated; the others have their turns. Outside a
/// simulation it does nothing.
///
/// In a [native section](crate::native) it stands for code that takes its time, and the slot may go to another thread. Elsewhere
/// the task keeps its worker.
pub fn pass(time: Duration) {
    if let Some(world) = simulated::here() {
        world.pass(time);
    }
}

/// The time: in a simulation that one's, and the system's elsewhere.
pub fn now() -> Instant {
    clock::now()
}

/// Whether the calling thread is in a simulation.
pub fn is_on() -> bool {
    simulated::here().is_some()
}

/// How many choices the simulation that the caller is in has made, and a number into which each of them and each resume of a
/// task has gone: equal for equal runs. `None` outside a simulation.
pub fn trace() -> Option<(u64, u64)> {
    simulated::here().map(|world| (world.steps(), world.mark()))
}
