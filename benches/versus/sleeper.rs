//! The two sides of `wake_sleeping`: a task that waits, and a foreign thread that wakes it.
//!
//! The thread wakes only when the kernel says that the thread under the task sleeps, and says so again a millisecond
//! later: otherwise a worker that still spins, or has not yet got to its wait, would be measured instead.
//!
//! Where the kernel puts the two decides much. On one processor the woken thread either displaces the one that woke it
//! or waits until that one sleeps; which of the two depends on how much time each has used lately, so a contender that
//! looks around before it sleeps waits: even the bare futex pair does if its sleeper is made to spin first.
//! Apart, a processor must be called out of its sleep, which costs more on a virtual machine than all that is measured
//! otherwise. Both are shown; the kernel's choice is the case that bears the name.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::case::Placement;
use super::contender::Measured;
use super::cpus;
use super::procfs;
use super::statistics;

const POLL: Duration = Duration::from_micros(100);
const SETTLED: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct Sleeper {
    placement: Placement,
    start: Instant,
    /// The thread the task is on while it waits.
    thread: AtomicU32,
    /// How often the task has said that it is about to wait.
    waits: AtomicU64,
    /// When the last wake was begun, in nanoseconds since `start`.
    woken_at: AtomicU64,
    delays: Mutex<Vec<f64>>,
}

impl Sleeper {
    pub(crate) fn new(placement: Placement) -> Sleeper {
        Sleeper {
            placement,
            start: Instant::now(),
            thread: AtomicU32::new(0),
            waits: AtomicU64::new(0),
            woken_at: AtomicU64::new(0),
            delays: Mutex::new(Vec::new()),
        }
    }

    fn now(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    /// The task's side: just before its wait.
    pub(crate) fn about_to_wait(&self) {
        let thread = procfs::this_thread();
        let is_new = self.thread.swap(thread, Ordering::Relaxed) != thread;
        if is_new && self.placement == Placement::Apart {
            cpus::keep_to(..1).expect("the machine has a processor");
        }
        // Release: pairs with the Acquire in `wake_asleep`, which then reads `thread`.
        self.waits.fetch_add(1, Ordering::Release);
    }

    /// The task's side: the first thing after its wait.
    pub(crate) fn awake(&self) {
        let now = self.now();
        // Relaxed: the wake itself orders this after the store.
        let delay = now - self.woken_at.load(Ordering::Relaxed);
        self.delays
            .lock()
            .expect("no round panicked")
            .push(delay as f64);
    }

    /// The foreign thread's side: `wakes` times, waits until the task's thread sleeps and then calls `wake`.
    /// It is a thread of its own that does so, whoever calls.
    pub(crate) fn wake_asleep(&self, wakes: u64, wake: impl Fn() + Sync) {
        thread::scope(|scope| {
            scope.spawn(|| {
                if self.placement == Placement::Apart {
                    cpus::keep_to(1..).expect("there is a processor for the stranger");
                }
                self.wake_each(wakes, &wake);
            });
        });
    }

    fn wake_each(&self, wakes: u64, wake: impl Fn()) {
        for turn in 1..=wakes {
            let patience = Instant::now() + PATIENCE;
            while self.waits.load(Ordering::Acquire) < turn || !self.sleeps() {
                assert!(
                    Instant::now() < patience,
                    "the worker did not go to sleep in 5 s"
                );
                thread::sleep(POLL);
            }
            self.woken_at.store(self.now(), Ordering::Relaxed);
            wake();
        }
    }

    fn sleeps(&self) -> bool {
        let thread = self.thread.load(Ordering::Relaxed);
        procfs::is_asleep(thread) && {
            thread::sleep(SETTLED);
            procfs::is_asleep(thread)
        }
    }

    /// The median of this round's delays, with their p99 beside it.
    pub(crate) fn measured(&self, wakes: u64) -> Measured {
        let mut delays = self.delays.lock().expect("no round panicked");
        assert_eq!(delays.len() as u64, wakes, "each wake was taken once");
        delays.sort_by(f64::total_cmp);
        let took = Duration::from_nanos(delays.iter().sum::<f64>() as u64);
        let p99 = statistics::quantile(&delays, 0.99);
        Measured {
            ns: statistics::quantile(&delays, 0.5),
            took,
            fields: vec![("p99".into(), p99)],
        }
    }
}
