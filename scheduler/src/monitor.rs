//! The monitor: a thread of its own that looks at each slot now and then, and does what its driver does not come to do.
//!
//! At each tick, for each slot:
//!
//! - *Slice.* A driver that has not switched for a quantum has one task running for so long: its `slice_over` is set, which
//!   `check_quantum` reads. No worker reads a clock for this.
//! - *Section.* A driver that has been out in the same native section for two ticks loses the slot (`claim.rs`).
//! - *Rescue.* Behind a task that has not switched for a tick, timers that are due are fired, and an idle worker is called for
//!   what else stands there.
//! - *Rest.* The timers of a slot that rests (`rest.rs`) are fired when they are due.
//! - *Turns.* A driver that has had its slot for a quantum while threads with bound tasks wait for one gives way.
//!
//! And now and then, for each thread: whether its task has not settled for long (`stall.rs`).
//!
//! It ticks while a slot is driven or lazily left and for a moment longer, and sleeps otherwise; a worker that wakes up wakes
//! it too. In that moment nobody wakes it, so that a worker which sleeps often and shortly does not pay for waking two
//! threads; it ticks half as often then, which is how much later it may come to a task that does not switch.
//! A tick allocates nothing, but for the report of a stall.
//!
//! # Why no worker runs while nobody ticks
//!
//! 1. A worker leaves the list of those who sleep, so that it counts as awake, and only then looks whether the monitor
//!    sleeps ([`Shared::leave`]); also if it did not sleep in the end: the monitor may have counted it meanwhile.
//! 2. The monitor says that it sleeps, and only then counts the workers ([`Shared::sleep_until_needed`]).
//!
//! Between the two steps of each there is a full fence, so one of them sees the other. A worker that somebody else takes
//! off the list, to call it, counts as awake from then on, and comes to its own look when it wakes up.
//! A call that comes before the monitor's sleep ends that sleep at once (`primitive/sleeper.rs`).
//!
//! It holds no lock that a task can hold.
#![forbid(unsafe_code)]

use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::idle::{Idle, Role};
use crate::primitive::simulated::JoinHandle;
use crate::primitive::sleeper::Sleeper;
use crate::primitive::{
    AtomicBool, AtomicU64, Instant, Mutex, Ordering, Plain, clock, fence, thread,
};
use crate::scheduler::Core;
use crate::simulation;
use crate::slot::Slot;
use crate::stall::{Orders, Stalls};
use crate::stats::coarse;
use crate::task::payload::contain;
use crate::thread::Thread;
use crate::watch;

/// Ticks in a quantum, and in the time after which a section counts as long.
const TICKS: u32 = 4;
const SECTION_TICKS: u32 = 2;
const TICK_MIN: Duration = Duration::from_micros(100);
/// How long it goes on ticking when all workers sleep.
const GRACE: Duration = Duration::from_millis(50);
const IDLE_TICKS: u32 = 2;
/// Further than any clock goes.
const FAR: Duration = Duration::from_secs(u32::MAX as u64);

pub(crate) struct Monitor {
    shared: Arc<Shared>,
    quantum_ns: AtomicU64,
    /// How long a native section keeps its slot.
    section_ns: AtomicU64,
    /// After what time a stall is reported.
    stall_ns: AtomicU64,
    pub(crate) orders: Orders,
    thread: Mutex<Option<JoinHandle>>,
}

/// What outlives the core while the monitor's thread ends.
pub(crate) struct Shared {
    sleeper: Sleeper,
    asleep: AtomicBool,
    stop: AtomicBool,
}

impl Shared {
    pub(crate) fn new() -> Self {
        Shared {
            sleeper: Sleeper::new(),
            asleep: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        }
    }

    /// A worker leaves the list of those who sleep: slices are to be measured again.
    pub(crate) fn leave(&self, idle: &Idle, who: usize, listed: &Plain<bool>) -> Option<Role> {
        if cfg!(feature = "bug_monitor_early") {
            self.wake_if_asleep();
            return idle.leave(who, listed);
        }
        let role = idle.leave(who, listed);
        self.wake_if_asleep();
        role
    }

    /// The same for a thread that has come to a slot otherwise.
    pub(crate) fn wake_if_asleep(&self) {
        if !cfg!(feature = "bug_monitor_fence") {
            fence(Ordering::SeqCst);
        }
        // Relaxed: the fence orders it.
        if self.asleep.load(Ordering::Relaxed) {
            self.sleeper.call();
        }
    }

    /// The monitor sleeps, unless a worker is awake; at most until this time.
    pub(crate) fn sleep_until_needed(
        &self,
        until: Option<Instant>,
        all_asleep: impl FnOnce() -> bool,
    ) {
        // Relaxed, as below: the fence orders it.
        self.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if all_asleep() && !self.stop.load(Ordering::SeqCst) {
            self.sleeper.sleep(until);
        }
        // Whoever reads the old value calls in vain, and the monitor looks once more.
        self.asleep.store(false, Ordering::Relaxed);
    }
}

impl Monitor {
    pub(crate) fn new(quantum: Duration, section: Duration, orders: Orders) -> Self {
        Monitor {
            section_ns: AtomicU64::new(nanos(section)),
            stall_ns: AtomicU64::new(nanos(orders.after)),
            orders,
            shared: Arc::new(Shared::new()),
            quantum_ns: AtomicU64::new(nanos(quantum)),
            thread: Mutex::new(None),
        }
    }

    /// Something has changed that it goes by.
    pub(crate) fn call(&self) {
        self.shared.sleeper.call();
    }

    pub(crate) fn set_quantum(&self, quantum: Duration) {
        // Relaxed: read at the next tick.
        self.quantum_ns.store(nanos(quantum), Ordering::Relaxed);
        self.call();
    }

    pub(crate) fn set_section(&self, time: Duration) {
        // Relaxed, as above.
        self.section_ns.store(nanos(time), Ordering::Relaxed);
        self.call();
    }

    pub(crate) fn set_stall_after(&self, time: Duration) {
        // Relaxed, as above.
        self.stall_ns.store(nanos(time), Ordering::Relaxed);
        self.call();
    }

    /// See [`Shared::leave`].
    pub(crate) fn leave(&self, idle: &Idle, who: usize, listed: &Plain<bool>) -> Option<Role> {
        self.shared.leave(idle, who, listed)
    }

    /// See [`Shared::wake_if_asleep`].
    pub(crate) fn wake_if_asleep(&self) {
        self.shared.wake_if_asleep();
    }

    /// Starts the thread. It holds the core only while it looks, so that it does not keep a forgotten scheduler alive.
    pub(crate) fn start(core: &Arc<Core>) -> std::io::Result<()> {
        if cfg!(any(loom, shuttle)) {
            // Its tick is time, of which a model has none.
            return Ok(());
        }
        let weak = Arc::downgrade(core);
        let shared = Arc::clone(&core.monitor.shared);
        let life = move || watch(&weak, &shared);
        let handle = if core.simulation.is_some() {
            simulation::start(core, None, Box::new(life))?
        } else {
            let builder = thread::Builder::new().name("fiberhost-monitor".into());
            JoinHandle::System(builder.spawn(life)?)
        };
        *core.monitor.thread.lock() = Some(handle);
        Ok(())
    }

    pub(crate) fn stop(&self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.shared.sleeper.call();
        let handle = self.thread.lock().take();
        // Told of a stall, somebody may end the scheduler from the monitor's own thread.
        if let Some(handle) = handle
            && !handle.is_current()
        {
            handle.join("the monitor does not panic");
        }
    }
}

fn nanos(quantum: Duration) -> u64 {
    u64::try_from(quantum.as_nanos()).unwrap_or(u64::MAX).max(1)
}

/// What the monitor remembers of one slot.
#[derive(Clone, Copy, Default)]
struct Seen {
    driver: usize,
    switches: u64,
    /// The mark of the driver's lease, while it is out.
    out: Option<u64>,
    /// Ticks since the driver switched, since it is out, and since it has the slot.
    still: u32,
    out_for: u32,
    had_for: u32,
}

fn watch(core: &Weak<Core>, shared: &Shared) {
    let mut seen = Vec::new();
    let mut stalls = None;
    let mut idle_since = None;
    let mut next_tick = clock::now();
    while !shared.stop.load(Ordering::SeqCst) {
        let Some(alive) = core.upgrade() else { return };
        let stalls = stalls.get_or_insert_with(|| {
            let monitor = &alive.monitor;
            Stalls::new(monitor.stall_ns(), &monitor.orders)
        });
        let time = alive.monitor.tick_time();
        coarse::refresh(alive.forever());
        let ticks = clock::now() >= next_tick;
        if ticks {
            seen.resize(alive.slots.len(), Seen::default());
            tick(alive.forever(), &mut seen, time);
        }
        stalls.tick(alive.forever());
        let next_stall = stalls.next_tick(&alive);
        let asleep = all_asleep(&alive);
        drop(alive);
        let now = clock::now();
        idle_since = asleep.then(|| idle_since.unwrap_or(now));
        let step = match idle_since {
            None => time,
            Some(since) if now - since < GRACE => time.saturating_mul(IDLE_TICKS),
            Some(_) => {
                let until = core.upgrade().and_then(|core| {
                    let look = stalls.next_look(core.forever());
                    look.into_iter().chain(core.next_at_rest()).min()
                });
                shared.sleep_until_needed(until, || {
                    core.upgrade().is_some_and(|core| all_asleep(&core))
                });
                idle_since = None;
                next_tick = clock::now();
                continue;
            }
        };
        if ticks {
            next_tick = now.checked_add(step).unwrap_or(now + FAR);
        }
        if shared.sleeper.sleep(Some(next_tick.min(next_stall))) {
            // Something has changed.
            next_tick = clock::now();
        }
    }
}

fn all_asleep(core: &Core) -> bool {
    core.idle.all_asleep(core.slots.len()) && !core.io.is_unwatched()
}

impl Monitor {
    pub(crate) fn quantum(&self) -> Duration {
        Duration::from_nanos(self.quantum_ns.load(Ordering::Relaxed))
    }

    pub(crate) fn section(&self) -> Duration {
        Duration::from_nanos(self.section_ns.load(Ordering::Relaxed))
    }

    /// `u64::MAX` is never.
    pub(crate) fn stall_ns(&self) -> u64 {
        self.stall_ns.load(Ordering::Relaxed)
    }

    pub(crate) fn tick_time(&self) -> Duration {
        (self.quantum() / TICKS)
            .min(self.section() / SECTION_TICKS)
            .max(TICK_MIN)
    }
}

fn tick(core: &'static Core, seen: &mut [Seen], time: Duration) {
    let quantum = core.monitor.quantum();
    let in_quantum = quantum
        .div_duration_f64(time)
        .ceil()
        .min(f64::from(u32::MAX)) as u32;
    let mut lasting = false;
    for (slot, seen) in core.slots.iter().zip(&mut *seen) {
        if slot.rests() {
            *seen = Seen::default();
            rescue(core, slot);
            continue;
        }
        let driver = core.driver(slot);
        seen.look(driver);
        if let Some(mark) = seen.out {
            driver.section.see(mark, core.now());
        }
        lasting |= seen.out_for >= SECTION_TICKS;
        if seen.out.is_none() {
            // More, if the quantum was made shorter meanwhile.
            if seen.still >= in_quantum {
                // It names the resume, so it means nothing to the next one.
                driver.slice_over.store(seen.switches, Ordering::Relaxed);
                seen.still = 0;
                if let Some(listener) = &core.monitor.orders.tell_quantum {
                    listener.tell(driver);
                }
            } else if seen.still > 0 {
                rescue(core, slot);
            }
        }
        if core.idle.claimants() > 0 && seen.had_for >= in_quantum {
            // Relaxed: the call orders it.
            driver.overdue.store(true, Ordering::Relaxed);
            driver.sleeper.call();
        }
    }
    if core.io.is_left_alone() && !core.call_one() {
        // All of them run. One whose task is alone and seldom yields looks around at its next yield if it is called.
        core.call_drivers();
    }
    if lasting {
        let before = core.handovers.load(Ordering::Relaxed);
        core.take_lasting(|slot| seen[slot.index].out_for >= SECTION_TICKS);
        let taken = core.handovers.load(Ordering::Relaxed) - before;
        if taken > 0 {
            contain(|| tracing::trace!(taken, "native sections have lost their slots"));
        }
    }
}

impl Seen {
    fn look(&mut self, driver: &Thread) {
        let switches = driver.switches();
        let out = driver.lease.out();
        let now = Seen {
            driver: driver.index,
            switches,
            out,
            ..Seen::default()
        };
        if self.driver != now.driver {
            *self = now;
            return;
        }
        let count = |same: bool, ticks: u32| if same { ticks.saturating_add(1) } else { 0 };
        *self = Seen {
            still: count(self.switches == switches, self.still),
            out_for: count(out.is_some() && self.out == out, self.out_for),
            had_for: self.had_for.saturating_add(1),
            ..now
        };
    }
}

/// What stands behind a task that does not come back to the loop, or in a slot that nobody has.
fn rescue(core: &'static Core, slot: &Slot) {
    if slot.due() <= core.now() {
        // Refused: the owner is at its timers this moment.
        let _ = slot.take_due(core.now(), |timer| watch::fire(core, None, &timer));
    }
    if slot.waiting() > 0 {
        core.call_one();
    }
}
