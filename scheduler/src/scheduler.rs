//! A scheduler: what it is made of, and how it starts.
//!
//! Its parts: spawning (`spawn.rs`) with the limit on live tasks (`admission.rs`), its OS threads (`roster.rs`) and what they
//! block (`mask.rs`), its end (`shutdown.rs`), and threads that are kept for bound tasks (`reservation.rs`).
//!
//! Room for unsafe code: the workers' records point back to the scheduler that owns them.

mod admission;
mod mask;
mod reservation;
mod roster;
mod shutdown;
mod spawn;

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use crate::builder::{Builder, Settings};
use crate::check::Checker;
use crate::current;
use crate::deadlock::OnDeadlock;
use crate::dump::Dump;
use crate::environment;
use crate::fiber::stack::StackPool;
use crate::idle::Idle;
use crate::io::Io;
use crate::join::{self, JoinHandle};
use crate::monitor::Monitor;
use crate::observed::{Observed, Observers};
use crate::primitive::sleeper::Sleeper;
use crate::primitive::ticks::Origin;
use crate::primitive::{
    AtomicBool, AtomicU8, AtomicU64, Instant, Mutex, Ordering, barrier, clock, fence, thread,
};
use crate::queue::{Fifo, Injector};
use crate::simulation;
use crate::slot::Slot;
use crate::stall::{Reports, Stall};
use crate::stats::ledger::{History, LedgerFacts};
use crate::stats::sections::Lasting;
use crate::stats::{Histograms, Snapshot, StackClass, Stats, SystemFacts};
use crate::task::{Backing, Task};
use crate::thread::Thread;
use crate::threads::Table;
use crate::trace::{Outside, Recording, Trace};
use crate::watch::{self, Watching};
use admission::Gate;
use mask::Mask;
use roster::Roster;
pub use shutdown::ShutdownError;
pub(crate) use spawn::Plan;
pub use spawn::SpawnError;

/// Where a scheduler is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    Running = 0,
    Closing = 2,
    Stopping = 3,
}

/// As `Phase::Running`, where who looks has to pass a fence first (`barrier::assumed`).
const RUNNING_FENCED: u8 = 1;

/// The whole: workers, queues, limits. Owned by the handles and by every worker.
pub(crate) struct Core {
    pub(crate) threads: Table<Thread>,
    pub(crate) slots: Box<[Slot]>,
    pub(crate) injector: Injector,
    pub(crate) idle: Idle,
    pub(crate) stacks: StackPool,
    pub(crate) monitor: Monitor,
    pub(crate) io: Io,
    pub(crate) watching: Watching,
    /// Events that happened on no thread of ours.
    pub(crate) outside_ring: Outside,
    /// Native sections that lost their slot.
    pub(crate) lasting: Lasting,
    /// What did not go on.
    pub(crate) reports: Reports,
    /// The ledgers of ended tasks.
    pub(crate) history: History,
    /// In which simulation its threads have their turns, if it is simulated.
    pub(crate) simulation: Option<u64>,
    /// From which stamps count.
    pub(crate) origin: Origin,
    pub(crate) idle_spin: Duration,
    pub(crate) force_migration: bool,
    pub(crate) checks: bool,
    pub(crate) checker: Checker,
    phase: AtomicU8,
    began: Instant,
    settings: Settings,
    /// Spawned by threads that are no workers of ours, and ended by the shutdown itself.
    spawned_outside: AtomicU64,
    ended_outside: AtomicU64,
    gate: Arc<Gate>,
    /// Tasks that had not started when the shutdown began: their closures are dropped by its caller.
    cancelled: Mutex<Fifo>,
    /// Where the caller of the shutdown waits.
    shutdown: Arc<Sleeper>,
    roster: Mutex<Roster>,
    /// What its threads block.
    mask: Mask,
    /// Slots taken from threads that were out.
    pub(crate) handovers: AtomicU64,
    /// Somebody has been told that there can be no more threads.
    limit_noted: AtomicBool,
    this: *const Core,
    shutting: Mutex<()>,
    handle: OnceLock<Weak<Handle>>,
    /// A scheduler of one worker, for when all of ours are stuck.
    emergency: OnceLock<Scheduler>,
    /// The threads that are kept for bound tasks.
    reservation: OnceLock<Arc<Core>>,
    /// Whose reservation this is.
    principal: Weak<Core>,
    owner_sleeps: AtomicU64,
    observers: Observers,
}

// SAFETY: all fields are shared structures, and `this` points back here; the lists of tasks inside are under their locks.
unsafe impl Sync for Core {}
// SAFETY: as above.
unsafe impl Send for Core {}

/// A length of time as the scheduler's clock counts it. `Duration::as_nanos` would multiply numbers of twice the length.
fn nanos(time: Duration) -> u64 {
    let seconds = time.as_secs().saturating_mul(1_000_000_000);
    seconds.saturating_add(time.subsec_nanos().into())
}

impl Core {
    /// Nanoseconds since the scheduler began.
    pub(crate) fn now(&self) -> u64 {
        nanos(clock::now() - self.began).min(u64::MAX - 1)
    }

    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    /// That time so much later; far enough away means never.
    pub(crate) fn after(&self, limit: Duration) -> u64 {
        self.now().saturating_add(nanos(limit)).max(1)
    }

    pub(crate) fn instant(&self, at: u64) -> Instant {
        let far = self.began + Duration::from_secs(u32::MAX.into());
        self.began
            .checked_add(Duration::from_nanos(at))
            .unwrap_or(far)
    }

    #[inline(always)]
    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 | RUNNING_FENCED => Phase::Running,
            2 => Phase::Closing,
            _ => Phase::Stopping,
        }
    }

    /// Whether it runs still, looked at behind what the caller has just stored: a shutdown that changes the phase and then looks
    /// for that is seen here, or sees it.
    #[inline(always)]
    pub(crate) fn still_runs(&self) -> bool {
        barrier::assumed();
        self.phase.load(Ordering::Relaxed) == Phase::Running as u8 || self.still_runs_fenced()
    }

    #[cold]
    fn still_runs_fenced(&self) -> bool {
        barrier::light();
        self.phase() == Phase::Running
    }

    #[inline(always)]
    pub(crate) fn has_limit(&self) -> bool {
        self.settings.max_tasks != usize::MAX
    }

    pub(crate) fn name(&self) -> &str {
        &self.settings.name
    }

    /// Who is told of circles of waits.
    pub(crate) fn on_deadlock(&self) -> Option<&OnDeadlock> {
        self.settings.on_deadlock.as_ref()
    }

    pub(crate) fn system_facts(&self) -> SystemFacts {
        let max_tasks = self.settings.max_tasks;
        SystemFacts {
            name: self.settings.name.clone(),
            workers: self.workers(),
            max_threads: self.settings.max_threads,
            max_tasks: (max_tasks != usize::MAX).then_some(max_tasks),
            quantum: self.monitor.quantum(),
            stack_size: self.settings.stack_size,
        }
    }

    /// Step P3 of the idle protocol. Whether there was somebody to call.
    pub(crate) fn call_one(&self) -> bool {
        let chosen = self.idle.choose();
        if let Some(index) = chosen {
            self.threads.get(index).sleeper.call();
        }
        chosen.is_some()
    }

    /// Queues what may run anywhere, from any thread.
    pub(crate) fn inject(&self, task: &'static Task) {
        // The twin that a model must catch: who was called has looked before the task is there.
        if cfg!(feature = "bug_inject_call") {
            self.call_one();
            return self.injector.push(task);
        }
        self.injector.push(task);
        // P2: a full fence, since this thread may be no worker.
        fence(Ordering::SeqCst);
        self.call_one();
    }

    /// Tasks spawned and ended outside the workers.
    pub(crate) fn outside(&self) -> (u64, u64) {
        (
            self.spawned_outside.load(Ordering::Relaxed),
            self.ended_outside.load(Ordering::Relaxed),
        )
    }

    /// Live tasks: spawned and not ended. Exact once no spawn is under way.
    pub(crate) fn live(&self) -> u64 {
        // Ends first: a task that is spawned and ends in between must not make the difference negative.
        let ended: u64 = self
            .threads
            .iter()
            .map(|thread| thread.ended.load(Ordering::Acquire))
            .sum::<u64>()
            + self.ended_outside.load(Ordering::Acquire);
        let spawned: u64 = self
            .threads
            .iter()
            .map(|thread| thread.spawned.load(Ordering::Acquire))
            .sum::<u64>()
            + self.spawned_outside.load(Ordering::Acquire);
        spawned.saturating_sub(ended)
    }
}

/// A scheduler. Cloning it is cheap; all clones mean the same one.
///
/// When the last clone is dropped the scheduler shuts down as by [`shutdown`](Scheduler::shutdown) with the
/// [limit](Builder::shutdown_limit) of its builder; from inside one of its own tasks that happens in the background.
#[derive(Clone)]
pub struct Scheduler {
    handle: Arc<Handle>,
}

/// Shuts down when the last handle goes; workers have the core, not this.
struct Handle {
    core: Arc<Core>,
}

impl fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheduler")
            .field("workers", &self.workers())
            .finish_non_exhaustive()
    }
}

impl Scheduler {
    /// A scheduler with all defaults.
    ///
    /// # Errors
    /// As for [`Builder::build`].
    pub fn new() -> io::Result<Scheduler> {
        Builder::new().build()
    }

    /// Settings to start one with.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// The scheduler of the calling task.
    pub fn current() -> Option<Scheduler> {
        let (thread, _) = current::within()?;
        let handle = thread.core().handle.get()?.upgrade()?;
        Some(Scheduler { handle })
    }

    pub(crate) fn start(settings: Settings) -> io::Result<Scheduler> {
        environment::check()?;
        if !settings.handlers_on_task_stacks {
            environment::warn_of_handlers();
        }
        barrier::prepare();
        let simulation = simulation::begin(&settings)?;
        let core = Core::create(settings, simulation, None);
        simulation::note_start(&core);
        let scheduler = Scheduler {
            handle: Arc::new(Handle {
                core: Arc::clone(&core),
            }),
        };
        let _ = core.handle.set(Arc::downgrade(&scheduler.handle));
        // An error drops the handle, which stops the workers that run already.
        core.start_threads()?;
        if core.settings.bound_workers > 0 {
            core.start_reservation()?;
        }
        if core.settings.emergency_lane {
            let lane = Scheduler::start(core.settings.of_lane())?;
            let _ = core.emergency.set(lane);
        }
        core.observers.start(&core, &core.settings.observers)?;
        let workers = core.workers();
        tracing::debug!(workers, "scheduler started");
        Ok(scheduler)
    }

    /// Spawns a task. It starts on any worker and then stays there; see [`TaskBuilder`](crate::TaskBuilder) for more.
    ///
    /// After the shutdown began the closure is dropped at once and [`JoinHandle::join`] says cancelled.
    ///
    /// # Panics
    /// If memory is refused or the [limit](Builder::max_tasks) on live tasks is reached.
    #[inline]
    pub fn spawn<F, T>(&self, closure: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        join::handle(self.core().spawn_usual(closure))
            .unwrap_or_else(|error| panic!("spawn: {error}"))
    }

    /// Settings for a task on this scheduler.
    pub fn task(&self) -> crate::TaskBuilder {
        crate::TaskBuilder::on(self.clone())
    }

    /// Runs a closure as a task and waits for it.
    ///
    /// # Panics
    /// With the closure's panic, or if the task was aborted.
    pub fn run<F, T>(&self, closure: F) -> T
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        match self.spawn(closure).join() {
            Ok(value) => value,
            Err(error) => error.resume(),
        }
    }

    /// The emergency lane, if the builder was asked for [one](Builder::emergency_lane): a scheduler of one worker that does not
    /// depend on this one. Its tasks wake, join and wait for those of this one as tasks of any other scheduler do.
    /// It is shut down with this one, after it.
    pub fn emergency_lane(&self) -> Option<Scheduler> {
        self.core().emergency.get().cloned()
    }

    /// By which its threads are called.
    pub fn name(&self) -> &str {
        self.core().name()
    }

    /// Whether it is [simulated](crate::simulate).
    #[cfg(feature = "simulate")]
    pub fn is_simulated(&self) -> bool {
        self.core().simulation.is_some()
    }

    /// How many tasks may run at once, beside those on threads that are [reserved](Builder::bound_workers).
    pub fn workers(&self) -> usize {
        self.core().workers()
    }

    /// The most that [`set_workers`](Scheduler::set_workers) takes: see [`Builder::workers_max`].
    pub fn workers_max(&self) -> usize {
        self.core().slots.len()
    }

    /// Changes how many tasks may run at once. It does not wait: a task that runs goes on until it waits, yields or ends, also
    /// if there are too many then, and one that is in a native section until that has lasted.
    ///
    /// No task is lost or held up by it. Those that have started stay on their threads, which take turns; so many bound tasks on
    /// few workers are switched by the kernel, and more dearly than on as many threads as there are workers. Time limits of
    /// tasks that were waiting are late by a quarter of a quantum at most.
    ///
    /// # Panics
    /// If that is none, or more than [`workers_max`](Scheduler::workers_max). Nothing is changed then.
    ///
    /// ```
    /// use fiberhost_scheduler::Scheduler;
    /// let scheduler = Scheduler::builder().workers(1).workers_max(4).build()?;
    /// scheduler.set_workers(4);
    /// assert_eq!(scheduler.workers(), 4);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_workers(&self, workers: usize) {
        let max = self.workers_max();
        assert!(
            (1..=max).contains(&workers),
            "{workers} workers: must be between 1 and {max}"
        );
        self.core().forever().set_workers(workers);
    }

    /// How many [reserved](Builder::bound_workers) tasks may run at once.
    pub fn bound_workers(&self) -> usize {
        self.core().settings.bound_workers
    }

    /// Changes the time after which [`check_quantum`](crate::check_quantum) yields. It counts from the next tick.
    ///
    /// # Panics
    /// If it is 0. Nothing is changed then.
    pub fn set_quantum(&self, quantum: Duration) {
        assert!(!quantum.is_zero(), "a quantum of 0");
        for part in self.core().parts() {
            part.monitor.set_quantum(quantum);
        }
    }

    /// The time after which [`check_quantum`](crate::check_quantum) yields.
    pub fn quantum(&self) -> Duration {
        self.core().monitor.quantum()
    }

    /// Changes how long a native section keeps its slot: see [`Builder::handover_after`](crate::Builder::handover_after). It
    /// counts from the next tick, also for sections that are open.
    pub fn set_handover_after(&self, time: Duration) {
        for part in self.core().parts() {
            part.monitor.set_section(time);
        }
    }

    /// How long a native section keeps its slot.
    pub fn handover_after(&self) -> Duration {
        self.core().monitor.section()
    }

    /// Changes the time after which a task that does not settle is reported: see
    /// [`Builder::stall_after`](crate::Builder::stall_after). [`Duration::MAX`] is never.
    ///
    /// # Panics
    /// If it is 0. Nothing is changed then.
    pub fn set_stall_after(&self, time: Duration) {
        assert!(!time.is_zero(), "a limit of 0 for stalls");
        for part in self.core().parts() {
            part.monitor.set_stall_after(time);
        }
    }

    /// The time after which a task that does not settle is reported. [`Duration::MAX`] is never.
    pub fn stall_after(&self) -> Duration {
        match self.core().monitor.stall_ns() {
            u64::MAX => Duration::MAX,
            nanos => Duration::from_nanos(nanos),
        }
    }

    /// Figures, taken without stopping anything.
    pub fn stats(&self) -> Stats {
        Stats::of(self.core())
    }

    /// What all tasks, threads and slots are at now, taken without stopping anything: see [`Snapshot`].
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(self.core())
    }

    /// How long tasks waited, and waited to go on, as distributions.
    pub fn histograms(&self) -> Histograms {
        Histograms::of(self.core())
    }

    /// What the rings of events hold, while they are written: see [`trace`](crate::trace).
    pub fn trace(&self) -> Trace {
        Trace::read(self.core())
    }

    /// What is recorded in the rings of events.
    pub fn recording(&self) -> Recording {
        self.core().watching.recording()
    }

    /// Changes what is recorded, from now on, also of the tasks that are there.
    pub fn set_trace(&self, recording: Recording) {
        let core = self.core();
        core.watching.set_recording(recording);
        // One that is spawned meanwhile is watched by itself, or not.
        let all = core.watching.all();
        core.mine(|task| {
            if all {
                watch::watch(task);
            } else {
                watch::unwatch(task);
            }
        });
    }

    /// All tasks with what they are at and where they stand, without stopping anything: see [`Dump`].
    ///
    /// A running task is asked by a [signal](Builder::stall_signal), which some system calls answer with `EINTR`; one in a
    /// native section is not.
    pub fn dump(&self) -> Dump {
        Dump::of(self.core())
    }

    /// The ledgers of tasks that have ended, the newest of them ([`Builder::ledgers_kept`]), in the order of their ends: where
    /// the time of each went. Those of live tasks are in the [snapshot](Scheduler::snapshot).
    pub fn ledgers(&self) -> Vec<LedgerFacts> {
        self.core().ledgers()
    }

    /// What did not go on: the newest 256 reports of stalls, long waits and deadlocks, the oldest first.
    pub fn stalls(&self) -> Vec<Arc<Stall>> {
        self.core().stalls()
    }

    /// Whether what a report of this scheduler is about goes on: the task still keeps its thread, or still waits. Nothing for a
    /// report about no one task or of a deadlock, and for one of another scheduler.
    pub fn goes_on(&self, stall: &Stall) -> Option<bool> {
        self.core().goes_on(stall)
    }

    /// What can be read of it, for somebody who looks on and does not keep it.
    pub fn observed(&self) -> Observed {
        Observed::new(self.arc())
    }

    /// The stacks by size, those of the default size first.
    pub fn stack_classes(&self) -> Vec<StackClass> {
        self.core().stack_classes()
    }

    /// Ends the scheduler: aborts every task, waits for them, and joins the workers. Called again, it waits again.
    ///
    /// # Errors
    /// From inside one of its own tasks, and if tasks are left after the time limit. Those keep their threads and stacks,
    /// and the scheduler's memory stays; they may still end later.
    pub fn shutdown(&self, limit: Duration) -> Result<(), ShutdownError> {
        self.handle.core.shut_down(limit)
    }

    pub(crate) fn core(&self) -> &Core {
        &self.handle.core
    }

    pub(crate) fn arc(&self) -> &Arc<Core> {
        &self.handle.core
    }

    #[cfg(any(loom, shuttle))]
    pub(crate) fn weak_core(&self) -> Weak<Core> {
        Arc::downgrade(&self.handle.core)
    }
}

impl Core {
    fn create(
        settings: Settings,
        simulation: Option<u64>,
        principal: Option<&Arc<Core>>,
    ) -> Arc<Core> {
        Arc::new_cyclic(|weak| Core::new(settings, simulation, weak.as_ptr(), principal))
    }

    /// Starts the workers, one that stands by, and the monitor.
    fn start_threads(self: &Arc<Core>) -> io::Result<()> {
        for (index, slot) in self.slots.iter().enumerate() {
            // That of a slot at rest stands by.
            let rests = slot.rests();
            self.add_thread(None, crate::worker::run, |thread| {
                let slot = &thread.core().slots[index];
                thread.slot.set((!rests).then_some(slot));
            })?;
        }
        if self.settings.max_threads > self.slots.len() {
            self.add_thread(None, crate::worker::run, |_| {})?;
        }
        Monitor::start(self)
    }

    fn new(
        settings: Settings,
        simulation: Option<u64>,
        this: *const Core,
        principal: Option<&Arc<Core>>,
    ) -> Core {
        // What both have together.
        let (gate, shutdown) = match principal {
            Some(core) if cfg!(feature = "bug_reserve_call") => {
                (Arc::clone(&core.gate), Arc::new(Sleeper::new()))
            }
            Some(core) => (Arc::clone(&core.gate), Arc::clone(&core.shutdown)),
            None => (Arc::new(Gate::new(&settings)), Arc::new(Sleeper::new())),
        };
        let count = settings.workers.max(settings.workers_max);
        let slot = |index| {
            let slot = Slot::new(index);
            slot.set_rests(index >= settings.workers);
            slot
        };
        let unusual = settings.max_tasks != usize::MAX
            || settings.default_backing != Backing::Fiber
            || principal.is_some()
            || simulation.is_some()
            || barrier::needs_fence();
        Core {
            threads: Table::new(count + 1),
            slots: (0..count).map(slot).collect(),
            injector: Injector::new(),
            idle: Idle::new(count, settings.workers),
            stacks: StackPool::new(&settings),
            watching: Watching::new(unusual, settings.accounting, settings.recording),
            outside_ring: Outside::new(),
            lasting: Lasting::new(),
            reports: Reports::new(),
            history: History::new(settings.ledgers_kept),
            simulation,
            origin: Origin::now(),
            monitor: Monitor::new(
                settings.quantum,
                settings.handover_after,
                settings.stalls.clone(),
            ),
            io: Io::new(),
            idle_spin: settings.idle_spin,
            force_migration: settings.force_migration,
            checks: settings.check_invariants,
            checker: Checker::new(count),
            phase: AtomicU8::new(match barrier::needs_fence() {
                true => RUNNING_FENCED,
                false => Phase::Running as u8,
            }),
            began: clock::now(),
            settings,
            spawned_outside: AtomicU64::new(0),
            ended_outside: AtomicU64::new(0),
            gate,
            cancelled: Mutex::new(Fifo::new()),
            shutdown,
            roster: Mutex::new(Roster::default()),
            mask: Mask::of_this_thread(),
            handovers: AtomicU64::new(0),
            limit_noted: AtomicBool::new(false),
            this,
            shutting: Mutex::new(()),
            handle: OnceLock::new(),
            emergency: OnceLock::new(),
            reservation: OnceLock::new(),
            principal: principal.map_or_else(Weak::new, Arc::downgrade),
            owner_sleeps: AtomicU64::new(0),
            observers: Observers::new(),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let core = Arc::clone(&self.core);
        let limit = core.settings.shutdown_limit;
        if core.is_here() {
            // A worker cannot wait for itself.
            let simulated = Arc::clone(&core);
            let life = move || drop(core.shut_down(limit));
            let spawned = if simulated.simulation.is_some() {
                simulation::start(&simulated, None, Box::new(life)).map(drop)
            } else {
                let builder = thread::Builder::new().name("fiberhost-end".into());
                builder.spawn(life).map(drop)
            };
            if let Err(error) = spawned {
                tracing::error!(%error, "no thread to shut the scheduler down: it stays");
            }
        } else if let Err(error) = core.shut_down(limit) {
            tracing::warn!(%error, "scheduler dropped");
        }
    }
}
