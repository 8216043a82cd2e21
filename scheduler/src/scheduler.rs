//! Starting a scheduler, spawning on it, shutting it down.
//!
//! # Spawn
//!
//! 1. admission, if there is a limit on live tasks;
//! 2. a record from the worker's magazine, or from the depot for a plain thread;
//! 3. the closure goes into the record, the record into the slot's fresh queue, or the injector;
//! 4. if somebody is idle, the task is offered.
//!
//! # Shutdown
//!
//! 1. *closing*: from now on a spawn drops its closure on the caller and answers with a cancelled task.
//!    A spawn counts its task before it looks for *closing*, and the shutdown sets *closing* before it reads the counts,
//!    with the barrier pair in between: so no task slips through uncounted.
//! 2. Every live task is aborted: a parked one wakes aborted on its own thread, a running one unwinds at its next wait.
//!    Tasks that have not started are taken out of the queues; their closures are dropped by the caller of the shutdown.
//! 3. The caller waits until no task is left, or until the time limit.
//! 4. *stopping*: when no task is left the workers end; the caller joins their threads.
//!
//! Survivors of step 3 keep the workers, their stacks and the scheduler's memory; nothing of theirs is freed under them.
//! The workers stay because a survivor may still need any of them: a mobile one to go on, a bound one for what it waits for.
//!
//! Room for unsafe code: the workers' records point back to the scheduler that owns them.

mod roster;

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use crate::builder::{Admission, Builder, Settings};
use crate::check::Checker;
use crate::current::{self, Thread};
use crate::environment;
use crate::fiber::stack::StackPool;
use crate::idle::Idle;
use crate::io::Io;
use crate::join::{self, JoinHandle, TaskRef};
use crate::monitor::Monitor;
use crate::park::{self, Limit};
use crate::primitive::sleeper::Sleeper;
use crate::primitive::{
    AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Instant, Mutex, Ordering, SpinLock, barrier,
    fence, thread,
};
use crate::queue::{Fifo, Injector};
use crate::slot::Slot;
use crate::stats::{StackClass, Stats};
use crate::sync::wait_list::WaitList;
use crate::task::{Backing, Kind, Priority, Task, flag, pool, release};
use crate::threads::Table;
use crate::wait::{Interrupt, WaitReason, Wake};
use roster::Roster;

/// Where a scheduler is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    Running = 0,
    Closing = 1,
    Stopping = 2,
}

/// The whole: workers, queues, limits. Owned by the handles and by every worker.
pub(crate) struct Core {
    pub(crate) threads: Table<Thread>,
    pub(crate) slots: Box<[Slot]>,
    pub(crate) injector: Injector,
    pub(crate) idle: Idle,
    pub(crate) stacks: StackPool,
    pub(crate) monitor: Monitor,
    pub(crate) io: Io,
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
    /// Live tasks, where there is a limit.
    live: AtomicUsize,
    admission: SpinLock<WaitList>,
    /// Tasks that had not started when the shutdown began: their closures are dropped by its caller.
    cancelled: Mutex<Fifo>,
    /// Where the caller of the shutdown waits.
    shutdown: Sleeper,
    roster: Mutex<Roster>,
    /// Slots taken from threads that were out.
    pub(crate) handovers: AtomicU64,
    /// Somebody has been told that there can be no more threads.
    limit_noted: AtomicBool,
    this: *const Core,
    shutting: Mutex<()>,
    handle: OnceLock<Weak<Handle>>,
    /// A scheduler of one worker, for when all of ours are stuck.
    emergency: OnceLock<Scheduler>,
}

// SAFETY: all fields are shared structures, and `this` points back here; the lists of tasks inside are under their locks.
unsafe impl Sync for Core {}
// SAFETY: as above.
unsafe impl Send for Core {}

impl Core {
    /// Nanoseconds since the scheduler began.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX - 1)
    }

    /// That time so much later; far enough away means never.
    pub(crate) fn after(&self, limit: Duration) -> u64 {
        let limit = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        self.now().saturating_add(limit).max(1)
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
            0 => Phase::Running,
            1 => Phase::Closing,
            _ => Phase::Stopping,
        }
    }

    #[inline(always)]
    pub(crate) fn has_limit(&self) -> bool {
        self.settings.max_tasks != usize::MAX
    }

    /// Step P3 of the idle protocol.
    pub(crate) fn call_one(&self) {
        if let Some(index) = self.idle.choose() {
            self.threads.get(index).sleeper.call();
        }
    }

    /// Queues what may run anywhere, from any thread.
    pub(crate) fn inject(&self, task: &'static Task) {
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

    /// A task ended while the scheduler shuts down.
    #[cold]
    pub(crate) fn note_end(&self) {
        fence(Ordering::SeqCst);
        if self.live() == 0 {
            self.shutdown.call();
            if self.phase() == Phase::Stopping {
                // A survivor has ended after all, and it was the last one: the workers have nothing left to wait for.
                self.call_all();
            }
        }
    }

    /// A worker found a task that has not started after the shutdown began.
    #[cold]
    pub(crate) fn cancel_fresh(&self, task: &'static Task) {
        self.cancelled.lock().push(task);
        self.shutdown.call();
        if self.phase() == Phase::Stopping {
            // The caller of the shutdown has given up waiting, perhaps before it could see this one.
            self.drop_cancelled();
            self.note_end();
        }
    }
}

/// Admission.
impl Core {
    fn admit(&self) -> Result<(), SpawnError> {
        let max = self.settings.max_tasks;
        if max == usize::MAX || self.try_admit(max) {
            return Ok(());
        }
        if self.settings.admission == Admission::Refuse {
            tracing::debug!(
                max,
                "the limit of live tasks is reached: a spawn is refused"
            );
            return Err(SpawnError(Refusal::Limit(max)));
        }
        let waited = park::wait(
            WaitReason::Admission,
            Limit::Never,
            Interrupt::Abort,
            |task, allow| {
                let mut list = self.admission.lock();
                if self.try_admit(max) {
                    return None;
                }
                let epoch = task.wait.arm(allow);
                list.push(&task.node, task, epoch, 0);
                Some(epoch)
            },
        );
        if waited.wake == Wake::Signalled {
            return Ok(());
        }
        self.admission.lock().remove(&waited.who.node);
        park::check(waited.wake);
        Err(SpawnError(Refusal::Cancelled))
    }

    fn try_admit(&self, max: usize) -> bool {
        self.live
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |live| {
                (live < max).then_some(live + 1)
            })
            .is_ok()
    }

    /// A task ended: its place goes to the first who waits for one, or becomes free.
    #[cold]
    pub(crate) fn leave_admission(&self) {
        let mut list = self.admission.lock();
        let next = list.claim_first();
        if next.is_none() {
            self.live.fetch_sub(1, Ordering::AcqRel);
        }
        drop(list);
        if let Some(task) = next {
            crate::worker::make_runnable(task);
        }
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

/// Why a task could not be spawned.
#[derive(Debug)]
pub struct SpawnError(Refusal);

#[derive(Debug)]
enum Refusal {
    Limit(usize),
    Cancelled,
    Memory,
    Stack(io::Error),
}

impl SpawnError {
    /// The limit on live tasks is reached.
    pub fn is_limit(&self) -> bool {
        matches!(self.0, Refusal::Limit(_))
    }

    /// The spawning task was cancelled while it waited for room.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.0, Refusal::Cancelled)
    }

    /// Memory was refused.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self.0, Refusal::Memory)
    }

    /// The stack size asked for is impossible.
    pub fn is_invalid_stack_size(&self) -> bool {
        matches!(self.0, Refusal::Stack(_))
    }
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Refusal::Limit(max) => write!(f, "the limit of {max} live tasks is reached"),
            Refusal::Cancelled => {
                f.write_str("cancelled while waiting for room below the limit on live tasks")
            }
            Refusal::Memory => f.write_str("no memory for a task"),
            Refusal::Stack(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for SpawnError {}

/// What a task is to be, apart from its closure.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) name: Option<Arc<str>>,
    pub(crate) priority: Priority,
    pub(crate) stack_size: Option<usize>,
    pub(crate) backing: Backing,
    pub(crate) mobile: bool,
    pub(crate) span: Option<tracing::Span>,
}

impl Plan {
    pub(crate) const fn new() -> Self {
        Plan {
            name: None,
            priority: Priority::Normal,
            stack_size: None,
            backing: Backing::Fiber,
            mobile: false,
            span: None,
        }
    }
}

impl Core {
    /// Spawns a task like most: bound, of normal priority, on a stack of the default size.
    /// The caller vouches for what the closure borrows.
    #[inline(always)]
    pub(crate) fn spawn_usual<F, T>(&self, closure: F) -> Result<&'static Task, SpawnError>
    where
        F: FnOnce() -> T,
    {
        let here = current::thread().filter(|thread| thread.belongs_to(self) && !self.has_limit());
        let Some((thread, task)) = here.and_then(|thread| Some((thread, thread.magazine.get()?)))
        else {
            return self.spawn_unusual(closure);
        };
        task.set_up(Priority::Normal, false, Backing::Fiber);
        self.fill(task, 0, closure);
        self.queue_here(thread, task);
        Ok(task)
    }

    #[cold]
    fn spawn_unusual<F, T>(&self, closure: F) -> Result<&'static Task, SpawnError>
    where
        F: FnOnce() -> T,
    {
        self.spawn(&Plan::new(), closure)
    }

    /// Spawns. The caller vouches for what the closure borrows and, if `plan.mobile`, for what lies on its stack.
    pub(crate) fn spawn<F, T>(&self, plan: &Plan, closure: F) -> Result<&'static Task, SpawnError>
    where
        F: FnOnce() -> T,
    {
        let class = self.class(plan)?;
        if self.has_limit() {
            self.admit()?;
        }
        let here = current::thread().filter(|thread| thread.belongs_to(self));
        let record = match here {
            Some(thread) => thread.magazine.get(),
            None => pool::get(),
        };
        let Some(task) = record else {
            if self.has_limit() {
                self.leave_admission();
            }
            return Err(SpawnError(Refusal::Memory));
        };
        task.set_up(plan.priority, plan.mobile, plan.backing);
        if let Some(name) = &plan.name {
            task.extra_mut().name = Some(Arc::clone(name));
        }
        if let Some(span) = &plan.span {
            task.set_span(span.clone());
        }
        self.fill(task, class, closure);
        if let Some(span) = &plan.span {
            tracing::trace!(parent: span, "task spawned");
        }
        match here {
            Some(thread) => self.queue_here(thread, task),
            None => self.queue_outside(task),
        }
        Ok(task)
    }

    /// Makes a task of a record that is the caller's alone.
    #[inline(always)]
    fn fill<F, T>(&self, task: &'static Task, stack_class: u32, closure: F)
    where
        F: FnOnce() -> T,
    {
        task.sp.set(0);
        task.flags.store(0, Ordering::Relaxed);
        task.permit.store(0, Ordering::Relaxed);
        task.release_holds();
        task.bound_to.store(0, Ordering::Relaxed);
        task.core.set(self);
        task.stack_class.set(stack_class);
        task.payload.fill(closure);
        task.life.begin(2);
        task.set_kind(Kind::Fresh);
    }

    #[cold]
    fn class(&self, plan: &Plan) -> Result<u32, SpawnError> {
        match plan.stack_size {
            None => Ok(0),
            Some(size) => self
                .stacks
                .class_for(size)
                .map_err(|error| SpawnError(Refusal::Stack(error))),
        }
    }

    #[inline(always)]
    fn queue_here(&self, thread: &Thread, task: &'static Task) {
        task.id.set(thread.next_id());
        Thread::count(&thread.spawned);
        // Step 1 of the shutdown: the count, then the look.
        barrier::light();
        if self.phase() != Phase::Running {
            return self.refuse(task);
        }
        thread.slot().push_fresh(task);
        thread.look_soon();
        if self.idle.wants_work() {
            thread.offer();
        }
    }

    #[cold]
    fn queue_outside(&self, task: &'static Task) {
        task.id.set(pool::next_id_block(1));
        if !cfg!(feature = "bug_spawn_count") {
            self.spawned_outside.fetch_add(1, Ordering::SeqCst);
        }
        fence(Ordering::SeqCst);
        if self.phase() != Phase::Running {
            return self.refuse(task);
        }
        if cfg!(feature = "bug_spawn_count") {
            self.spawned_outside.fetch_add(1, Ordering::SeqCst);
        }
        self.inject(task);
    }

    /// A task for a thread that exists already. It counts as started.
    pub(crate) fn admit_thread(&self) -> io::Result<&'static Task> {
        let refused = |kind, why: &str| io::Error::new(kind, why.to_owned());
        if self.has_limit() {
            self.admit()
                .map_err(|error| io::Error::new(io::ErrorKind::QuotaExceeded, error))?;
        }
        let Some(task) = pool::get() else {
            if self.has_limit() {
                self.leave_admission();
            }
            return Err(refused(io::ErrorKind::OutOfMemory, "no memory for a task"));
        };
        task.set_up(Priority::Normal, false, Backing::Thread);
        self.fill(task, 0, || ());
        task.id.set(pool::next_id_block(1));
        task.set_kind(Kind::Started);
        // As in `queue_outside`.
        self.spawned_outside.fetch_add(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if self.phase() != Phase::Running {
            self.refuse_thread(task);
            return Err(refused(
                io::ErrorKind::Other,
                "the scheduler is being shut down",
            ));
        }
        Ok(task)
    }

    /// Takes that back.
    pub(crate) fn refuse_thread(&self, task: &'static Task) {
        self.refuse(task);
        release(task);
    }

    /// The shutdown has begun: the closure is dropped here, on the caller, and join says cancelled.
    #[cold]
    fn refuse(&self, task: &'static Task) {
        task.payload.fail(join::JoinError::cancelled());
        self.end_outside(task);
        self.note_end();
    }

    /// Counted, and its place free, before a joiner knows.
    fn end_outside(&self, task: &'static Task) {
        self.ended_outside.fetch_add(1, Ordering::AcqRel);
        if self.has_limit() {
            self.leave_admission();
        }
        join::complete(task);
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
        let count = settings.workers;
        let core = Arc::new_cyclic(|weak| Core::new(settings, weak.as_ptr()));
        let scheduler = Scheduler {
            handle: Arc::new(Handle {
                core: Arc::clone(&core),
            }),
        };
        let _ = core.handle.set(Arc::downgrade(&scheduler.handle));
        for index in 0..count {
            // An error drops the handle, which stops the workers that run already.
            core.add_thread(None, crate::worker::run, |thread| {
                thread.slot.set(Some(&thread.core().slots[index]));
            })?;
        }
        if core.settings.max_threads > count {
            core.add_thread(None, crate::worker::run, |_| {})?;
        }
        Monitor::start(&core)?;
        if core.settings.emergency_lane {
            let lane = Scheduler::start(core.settings.of_lane())?;
            let _ = core.emergency.set(lane);
        }
        tracing::debug!(workers = count, "scheduler started");
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

    /// How many tasks may run at once.
    pub fn workers(&self) -> usize {
        self.core().slots.len()
    }

    /// Changes the time after which [`check_quantum`](crate::check_quantum) yields. It counts from the next tick.
    pub fn set_quantum(&self, quantum: Duration) {
        self.core().monitor.set_quantum(quantum);
    }

    /// Figures, taken without stopping anything.
    pub fn stats(&self) -> Stats {
        Stats::of(self.core())
    }

    /// The stacks by size, those of the default size first.
    pub fn stack_classes(&self) -> Vec<StackClass> {
        self.core().stacks.classes()
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

/// Why a shutdown did not finish.
#[derive(Debug)]
pub struct ShutdownError {
    inside: bool,
    survivors: Vec<TaskRef>,
}

impl ShutdownError {
    /// The tasks that are left; none if the shutdown was called from inside the scheduler.
    pub fn survivors(&self) -> &[TaskRef] {
        &self.survivors
    }

    /// Whether it was called from one of the scheduler's own tasks.
    pub fn is_from_inside(&self) -> bool {
        self.inside
    }
}

impl fmt::Display for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.survivors.len() {
            _ if self.inside => {
                f.write_str("a scheduler cannot be shut down from inside one of its tasks")
            }
            0 => f.write_str("somebody else's shutdown has not finished within the time limit"),
            count => write!(f, "{count} tasks are left after the time limit"),
        }
    }
}

impl std::error::Error for ShutdownError {}

impl Core {
    fn new(settings: Settings, this: *const Core) -> Core {
        let count = settings.workers;
        Core {
            threads: Table::new(count + 1),
            slots: (0..count).map(Slot::new).collect(),
            injector: Injector::new(),
            idle: Idle::new(count),
            stacks: StackPool::new(&settings),
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
            phase: AtomicU8::new(Phase::Running as u8),
            began: Instant::now(),
            settings,
            spawned_outside: AtomicU64::new(0),
            ended_outside: AtomicU64::new(0),
            live: AtomicUsize::new(0),
            admission: SpinLock::new(WaitList::new()),
            cancelled: Mutex::new(Fifo::new()),
            shutdown: Sleeper::new(),
            roster: Mutex::new(Roster::default()),
            handovers: AtomicU64::new(0),
            limit_noted: AtomicBool::new(false),
            this,
            shutting: Mutex::new(()),
            handle: OnceLock::new(),
            emergency: OnceLock::new(),
        }
    }

    fn is_here(&self) -> bool {
        let here = current::within().map(|(thread, _)| thread);
        here.or_else(current::thread)
            .is_some_and(|thread| thread.belongs_to(self))
    }

    fn shut_down(&self, limit: Duration) -> Result<(), ShutdownError> {
        let began = Instant::now();
        self.shut_workers_down(limit)?;
        match self.emergency.get() {
            Some(lane) => lane.shutdown(limit.saturating_sub(began.elapsed())),
            None => Ok(()),
        }
    }

    fn shut_workers_down(&self, limit: Duration) -> Result<(), ShutdownError> {
        if self.is_here() {
            return Err(ShutdownError {
                inside: true,
                survivors: Vec::new(),
            });
        }
        let until = Instant::now().checked_add(limit);
        let Some(_one_at_a_time) = self.begin_shutdown(limit) else {
            return Err(ShutdownError {
                inside: false,
                survivors: self.survivors(),
            });
        };
        tracing::debug!("the scheduler shuts down");
        // Step 1.
        self.phase.fetch_max(Phase::Closing as u8, Ordering::SeqCst);
        barrier::heavy();
        // Step 2.
        self.abort_all();
        self.call_all();
        // Step 3.
        let survivors = loop {
            self.drop_cancelled();
            // What ended here is counted, then the others' counts are read; they do the same in `note_end`.
            fence(Ordering::SeqCst);
            if self.live() == 0 {
                // A spawn that is being refused at this moment has a record, but no survivor will come of it.
                break Vec::new();
            }
            if until.is_some_and(|until| Instant::now() >= until) {
                break self.survivors();
            }
            self.shutdown.sleep(until);
        };
        // Step 4.
        self.phase.store(Phase::Stopping as u8, Ordering::SeqCst);
        // The phase, then the counts, which the workers read when they are called; an end counts, then looks at the phase.
        fence(Ordering::SeqCst);
        // One that came after step 3: either it is seen here, or its worker sees the phase.
        self.drop_cancelled();
        self.call_all();
        self.monitor.stop();
        if survivors.is_empty() {
            self.join_threads();
            tracing::debug!("the scheduler has ended");
            return Ok(());
        }
        tracing::warn!(
            survivors = survivors.len(),
            "tasks are left after the shutdown's time limit"
        );
        Err(ShutdownError {
            inside: false,
            survivors,
        })
    }

    /// One caller at a time; `None` if the other one took too long.
    #[cfg(not(any(loom, shuttle)))]
    fn begin_shutdown(&self, limit: Duration) -> Option<impl Drop + '_> {
        self.shutting.try_lock_for(limit)
    }

    /// Time does not pass in a model.
    #[cfg(any(loom, shuttle))]
    fn begin_shutdown(&self, _limit: Duration) -> Option<impl Drop + '_> {
        Some(self.shutting.lock())
    }

    fn call_all(&self) {
        for thread in self.threads.iter() {
            thread.sleeper.call();
        }
    }

    /// Calls `each` for every live task of this scheduler. A reference is held meanwhile: otherwise the record could become
    /// somebody else's task between the look and the deed.
    pub(crate) fn mine(&self, mut each: impl FnMut(&'static Task)) {
        pool::for_each(|task| {
            if !task.life.try_keep() {
                return;
            }
            let live = matches!(task.kind(), Kind::Fresh | Kind::Started);
            if live && std::ptr::eq(task.core.get(), self) {
                each(task);
            }
            release(task);
        });
    }

    /// Parked tasks wake aborted, running ones find the flag at their next wait.
    fn abort_all(&self) {
        self.mine(|task| {
            if task.kind() == Kind::Started {
                task.interrupt(flag::ABORT, Interrupt::Unwind, Wake::Aborted);
            }
        });
        // What stands in the queues behind tasks that do not come back to the loop.
        for _ in 0..self.injector.len() {
            let Some(task) = self.injector.pop() else {
                break;
            };
            self.take_out(task);
        }
        for slot in &self.slots {
            while let Some(task) = slot.take_shared() {
                self.take_out(task);
            }
            while slot.waiting() > 0 {
                let taken = slot.take_half(|task| self.take_out(task));
                if taken.is_none_or(|count| count == 0) {
                    break;
                }
            }
        }
    }

    /// A task taken from a queue by the shutdown: one that has not started is given up, another one goes where it may run.
    fn take_out(&self, task: &'static Task) {
        if task.sp.get() == 0 {
            self.cancelled.lock().push(task);
        } else {
            self.injector.push(task);
        }
    }

    fn drop_cancelled(&self) {
        loop {
            let Some(task) = self.cancelled.lock().pop() else {
                return;
            };
            task.payload.fail(join::JoinError::cancelled());
            self.end_outside(task);
        }
    }

    fn survivors(&self) -> Vec<TaskRef> {
        let mut survivors = Vec::new();
        self.mine(|task| survivors.push(TaskRef::keep(task)));
        survivors
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let core = Arc::clone(&self.core);
        let limit = core.settings.shutdown_limit;
        if core.is_here() {
            // A worker cannot wait for itself.
            let spawned = thread::Builder::new()
                .name("fiberhost-end".into())
                .spawn(move || drop(core.shut_down(limit)));
            if let Err(error) = spawned {
                tracing::error!(%error, "no thread to shut the scheduler down: it stays");
            }
        } else if let Err(error) = core.shut_down(limit) {
            tracing::warn!(%error, "scheduler dropped");
        }
    }
}
