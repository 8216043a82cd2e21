//! The monitor: a thread of its own that drives the slice tick.
//!
//! Every quarter of a quantum it compares how often each worker has switched. A worker that has not switched for four
//! ticks has one task running for longer than a quantum: the worker's `slice_over` is set, which `check_quantum` reads.
//! No worker reads a clock for this.
//!
//! It ticks while a worker is awake and for a second longer, and sleeps otherwise; a worker that wakes up wakes it too.
//! Before: the worker counts as awake before it looks whether the monitor sleeps; the monitor says that it sleeps before it
//! counts the workers. Both are sequentially consistent, so one of them sees the other.
//!
//! It holds no lock that a task can hold.
#![forbid(unsafe_code)]

use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::primitive::sleeper::Sleeper;
use crate::primitive::{AtomicBool, AtomicU64, Instant, Mutex, Ordering, fence, thread};
use crate::scheduler::Core;

const TICKS: u32 = 4;
const TICK_MIN: Duration = Duration::from_micros(100);
/// How long it goes on ticking when all workers sleep.
const GRACE: Duration = Duration::from_secs(1);
const IDLE_TICK: Duration = Duration::from_millis(20);

pub(crate) struct Monitor {
    shared: Arc<Shared>,
    quantum_ns: AtomicU64,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

/// What outlives the core while the monitor's thread ends.
struct Shared {
    sleeper: Sleeper,
    asleep: AtomicBool,
    stop: AtomicBool,
}

impl Monitor {
    pub(crate) fn new(quantum: Duration) -> Self {
        let shared = Shared {
            sleeper: Sleeper::new(),
            asleep: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        };
        Monitor {
            shared: Arc::new(shared),
            quantum_ns: AtomicU64::new(nanos(quantum)),
            thread: Mutex::new(None),
        }
    }

    pub(crate) fn set_quantum(&self, quantum: Duration) {
        // Relaxed: read at the next tick.
        self.quantum_ns.store(nanos(quantum), Ordering::Relaxed);
        self.shared.sleeper.call();
    }

    /// A worker has woken up: slices are to be measured again.
    #[inline]
    pub(crate) fn wake_if_asleep(&self) {
        fence(Ordering::SeqCst);
        if self.shared.asleep.load(Ordering::Relaxed) {
            self.shared.sleeper.call();
        }
    }

    /// Starts the thread. It holds the core only while it looks, so that it does not keep a forgotten scheduler alive.
    pub(crate) fn start(core: &Arc<Core>) -> std::io::Result<()> {
        if cfg!(any(loom, shuttle)) {
            // Its tick is time, of which a model has none.
            return Ok(());
        }
        let weak = Arc::downgrade(core);
        let shared = Arc::clone(&core.monitor.shared);
        let handle = thread::Builder::new()
            .name("fiberhost-monitor".into())
            .spawn(move || watch(&weak, &shared))?;
        *core.monitor.thread.lock() = Some(handle);
        Ok(())
    }

    pub(crate) fn stop(&self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.shared.sleeper.call();
        let handle = self.thread.lock().take();
        if let Some(handle) = handle {
            handle.join().expect("the monitor does not panic");
        }
    }
}

fn nanos(quantum: Duration) -> u64 {
    u64::try_from(quantum.as_nanos()).unwrap_or(u64::MAX).max(1)
}

/// What the monitor remembers of one worker.
#[derive(Clone, Copy, Default)]
struct Seen {
    switches: u64,
    ticks: u32,
}

fn watch(core: &Weak<Core>, shared: &Shared) {
    let mut seen = Vec::new();
    let mut idle_since = None;
    while !shared.stop.load(Ordering::SeqCst) {
        let Some(alive) = core.upgrade() else { return };
        seen.resize(alive.threads.len(), Seen::default());
        tick(&alive, &mut seen);
        let quantum = Duration::from_nanos(alive.monitor.quantum_ns.load(Ordering::Relaxed));
        let all_asleep = alive.idle.sleeping() == alive.threads.len();
        drop(alive);
        let now = Instant::now();
        idle_since = all_asleep.then(|| idle_since.unwrap_or(now));
        match idle_since {
            None => sleep(shared, (quantum / TICKS).max(TICK_MIN)),
            Some(since) if now - since < GRACE => sleep(shared, IDLE_TICK),
            Some(_) => {
                sleep_until_needed(core, shared);
                idle_since = None;
            }
        }
    }
}

fn tick(core: &Core, seen: &mut [Seen]) {
    for (thread, seen) in core.threads.iter().zip(seen) {
        let switches = thread.switches();
        if switches != seen.switches {
            *seen = Seen { switches, ticks: 0 };
            continue;
        }
        seen.ticks += 1;
        if seen.ticks == TICKS {
            // It names the resume, so it means nothing to the next one.
            thread.slice_over.store(switches, Ordering::Relaxed);
            seen.ticks = 0;
        }
    }
    if core.io.is_left_alone() {
        core.call_one();
    }
}

fn sleep(shared: &Shared, time: Duration) {
    shared.sleeper.sleep(Instant::now().checked_add(time));
}

fn sleep_until_needed(core: &Weak<Core>, shared: &Shared) {
    shared.asleep.store(true, Ordering::SeqCst);
    fence(Ordering::SeqCst);
    let needed = core
        .upgrade()
        .is_none_or(|core| core.idle.sleeping() != core.threads.len());
    if !needed && !shared.stop.load(Ordering::SeqCst) {
        shared.sleeper.sleep(None);
    }
    shared.asleep.store(false, Ordering::SeqCst);
}
