//! A host: a scheduler, the managers on it, and the door by which a runtime finds them (`IHostControl`).
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use fiberhost_scheduler::{Scheduler, ShutdownError, TaskRef};
use parking_lot::Mutex;

use crate::assembly::{Assemblies, AssemblyManager};
use crate::blocked::Blocked;
use crate::clock;
use crate::com::clr::{ICLRRuntimeHost, ICLRSyncManager, ICLRTask, ICLRTaskManager, IUnknown};
use crate::com::host::{
    IHostAssemblyManager, IHostControl, IHostGCManager, IHostIoCompletionManager,
    IHostMemoryManager, IHostPolicyManager, IHostSecurityManager, IHostSyncManager,
    IHostTaskManager, IHostThreadpoolManager,
};
use crate::com::{
    ComRef, EClrOperation, EPolicyAction, Gate, Guid, Handle, HostInterface, Hresult, Manager,
    Origin,
};
#[cfg(feature = "net")]
use crate::completion::{CompletionManager, Completions, IoEngine, Transfers};
use crate::current;
use crate::deadlock::Deadlocks;
use crate::escalation::{self, Instead, Overseer};
use crate::gc::{Gc, GcFigures};
use crate::hooks::{Hooks, Learned};
use crate::memory::{Memory, MemoryFigures, MemoryLimits, MemoryManager};
use crate::policy::{Policy, PolicyEvent, PolicyLog};
use crate::quantum::Quanta;
use crate::security::{Identity, Security, SecurityManager};
use crate::switching::{Switching, TaskMode};
use crate::sync_manager::SyncManager;
use crate::task::{Abort, Kind, Task};
use crate::task_manager::TaskManager;
use crate::threadpool::Pool;
use crate::transition::State;
use crate::views;

/// A created task that asks for no stack size has this much.
const STACK_SIZE: usize = 256 * 1024;
const POOL_MOST: u32 = 512;
const POOL_PATIENCE: Duration = Duration::from_secs(20);
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(10);

/// What becomes of an OS thread that is none of the scheduler's when the runtime asks which task it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strangers {
    /// It becomes a task.
    #[default]
    Adopt,
    /// It is none, and the runtime keeps it out.
    Deny,
}

/// What all parts of a host have in common. It refers to no object, so that nothing refers to itself.
pub(crate) struct Shared {
    pub(crate) id: u64,
    pub(crate) gate: &'static Gate,
    pub(crate) scheduler: Scheduler,
    pub(crate) switching: Arc<Switching>,
    pub(crate) strangers: Strangers,
    pub(crate) hooks: Hooks,
    /// If it is by what was learned that hooks are asked for.
    pub(crate) learned: Option<Learned>,
    stack_size: usize,
    pub(crate) callback_patience: Duration,
    pub(crate) figures: Counts,
    pub(crate) quanta: Arc<Quanta>,
    pub(crate) blocked: Blocked,
    pub(crate) overseer: Overseer,
    /// Not kept: it is the host's.
    memory: OnceLock<Weak<Memory>>,
    /// Not kept: they refer to this.
    #[cfg(feature = "net")]
    completions: OnceLock<Weak<Completions>>,
    pub(crate) deadlocks: Deadlocks,
    runtime: Mutex<Runtime>,
}

/// What a runtime has given us.
#[derive(Default)]
struct Runtime {
    tasks: Option<ICLRTaskManager>,
    sync: Option<ICLRSyncManager>,
    domains: BTreeMap<u32, IUnknown>,
    host: Option<ICLRRuntimeHost>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// What went wrong on the other side, counted.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    stray_hooks: AtomicU64,
    frames_left: AtomicU64,
    failed_exits: AtomicU64,
    callbacks_without_slot: AtomicU64,
}

impl Counts {
    pub(crate) fn note_callback_without_slot(&self) {
        self.callbacks_without_slot.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn note_stray_hook(&self) {
        self.stray_hooks.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn note_frames_left(&self) {
        self.frames_left.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn note_failed_exit(&self) {
        self.failed_exits.fetch_add(1, Ordering::Relaxed);
    }
}

/// Figures of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figures {
    /// Objects that somebody refers to, the host included.
    pub objects: usize,
    /// Hooks that fitted nothing: an end without its begin, or on a thread that is no task.
    pub stray_hooks: u64,
    /// Tasks that ended with transitions open.
    pub frames_left: u64,
    /// Runtime's tasks that did not accept their end.
    pub failed_exits: u64,
    /// How often a runtime was told that a task is switched out.
    pub switches: u64,
    /// How often it did not take one back.
    pub failed_switches: u64,
    /// Steps of a policy that were taken since a task did not end in time.
    pub escalations: u64,
    /// How often a task was asked to yield, since its quantum was over.
    pub yields_asked: u64,
    /// Waits that were broken since tasks waited for each other in a circle.
    pub deadlocks_broken: u64,
    /// Callbacks from unmanaged code that went on without a slot, since none came free in time.
    pub callbacks_without_slot: u64,
}

/// Ten quanta: whoever has a slot and is asked for it gives it up within one, unless it does not settle.
const CALLBACK_PATIENCE: Duration = Duration::from_millis(40);

/// The most that `SetStackGuarantee` can promise.
const STACK_RESERVE: u32 = 64 * 1024;

impl Shared {
    /// How large the stack of a task is that asked for so much (0: for nothing), and how much of that can be promised for the
    /// time after an overflow. What was asked for is there besides; the default has it inside.
    pub(crate) fn stack(&self, asked: u32) -> (usize, u32) {
        if asked == 0 {
            let reserve = u32::try_from(self.stack_size / 4).unwrap_or(STACK_RESERVE);
            return (self.stack_size, reserve.min(STACK_RESERVE));
        }
        (
            (asked as usize).saturating_add(STACK_RESERVE as usize),
            STACK_RESERVE,
        )
    }

    /// Once: the runtime does not change.
    pub(crate) fn set_clr_task_manager(&self, manager: ICLRTaskManager) -> Result<(), Hresult> {
        // What is refused goes when the lock is gone: the runtime may call back.
        let refused = once(&mut self.runtime.lock().tasks, manager);
        refused.map_or(Ok(()), |_| Err(Hresult::E_UNEXPECTED))
    }

    pub(crate) fn set_clr_sync_manager(&self, manager: ICLRSyncManager) -> Result<(), Hresult> {
        let refused = once(&mut self.runtime.lock().sync, manager);
        refused.map_or(Ok(()), |_| Err(Hresult::E_UNEXPECTED))
    }

    fn add_domain(&self, domain: u32, manager: IUnknown) -> Result<(), Hresult> {
        let mut runtime = self.runtime.lock();
        if runtime.domains.contains_key(&domain) {
            drop(runtime);
            return Err(Hresult::E_UNEXPECTED);
        }
        runtime.domains.insert(domain, manager);
        Ok(())
    }

    /// A task ends: whoever has memory of it gives that back first.
    pub(crate) fn end_transfers(&self, task: &Task) {
        #[cfg(feature = "net")]
        if task.lent().is_any()
            && let Some(completions) = self.completions.get().and_then(Weak::upgrade)
        {
            completions.end_of_task(task);
        }
        task.lent().wait();
    }

    /// The runtime that the host was attached to.
    pub(crate) fn clr_runtime(&self) -> Option<ICLRRuntimeHost> {
        self.runtime.lock().host.clone()
    }

    /// The runtime's side of locks.
    pub(crate) fn clr_sync_manager(&self) -> Option<ICLRSyncManager> {
        self.runtime.lock().sync.clone()
    }

    /// Gives back what the runtime has given. Not under the lock: it may call back.
    fn let_go(&self) {
        let runtime = std::mem::take(&mut *self.runtime.lock());
        drop(runtime);
    }
}

/// Puts it there, or gives it back if there is one already.
#[must_use]
fn once<T>(place: &mut Option<T>, value: T) -> Option<T> {
    if place.is_some() {
        return Some(value);
    }
    *place = Some(value);
    None
}

/// The door: the same managers for everybody who asks.
struct Control {
    host: Arc<Shared>,
    managers: Vec<(Guid, Box<dyn Fn() -> Manager + Send + Sync>)>,
}

impl Control {
    fn offer<I: HostInterface + ?Sized>(&mut self, manager: ComRef<I>) {
        self.managers
            .push((I::IID, Box::new(move || Manager::from(manager.clone()))));
    }
}

impl IHostControl for Control {
    fn host_manager(&self, iid: Guid) -> Result<Manager, Hresult> {
        let found = self.managers.iter().find(|(known, _)| *known == iid);
        found
            .map(|(_, manager)| manager())
            .ok_or(Hresult::E_NOINTERFACE)
    }

    fn set_app_domain_manager(&self, domain: u32, manager: IUnknown) -> Result<(), Hresult> {
        self.host.add_domain(domain, manager)
    }
}

/// Settings of a [`Host`].
#[derive(Clone, Default)]
#[must_use]
pub struct Builder {
    scheduler: Option<Scheduler>,
    settings: fiberhost_scheduler::Builder,
    strangers: Strangers,
    hooks: Hooks,
    mode: TaskMode,
    stack_size: Option<usize>,
    callback_patience: Option<Duration>,
    pool: Option<(u32, u32)>,
    pool_patience: Option<Duration>,
    without_pool: bool,
    pool_manager: Option<Arc<dyn IHostThreadpoolManager>>,
    gc_manager: Option<Arc<dyn IHostGCManager>>,
    policy_manager: Option<Arc<dyn IHostPolicyManager>>,
    policy: Policy,
    instead: Option<Instead>,
    memory: Option<MemoryLimits>,
    memory_manager: Option<Arc<dyn IHostMemoryManager>>,
    #[cfg(feature = "net")]
    io: Option<IoEngine>,
    io_threads: Option<(u32, u32)>,
    io_manager: Option<Arc<dyn IHostIoCompletionManager>>,
    security: Option<Security>,
    security_manager: Option<Arc<dyn IHostSecurityManager>>,
    assemblies: Option<Assemblies>,
    assembly_manager: Option<Arc<dyn IHostAssemblyManager>>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("strangers", &self.strangers)
            .field("hooks", &self.hooks)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// A scheduler that is there already; it stays when the host is shut down. Tasks that have run for a quantum are asked to
    /// yield if its builder was given [`Host::quantum_over`]. Default: one of the host's own.
    pub fn scheduler(mut self, scheduler: Scheduler) -> Self {
        self.scheduler = Some(scheduler);
        self
    }

    /// Settings for the host's own scheduler. Whom they tell of quanta is not told: the host is. Default: all defaults.
    pub fn scheduler_settings(mut self, settings: fiberhost_scheduler::Builder) -> Self {
        self.settings = settings;
        self
    }

    /// What becomes of threads that are none of the scheduler's. Default: they are adopted.
    pub fn strangers(mut self, strangers: Strangers) -> Self {
        self.strangers = strangers;
        self
    }

    /// Which unmanaged calls are announced. Default: all.
    pub fn hooks(mut self, hooks: Hooks) -> Self {
        self.hooks = hooks;
        self
    }

    /// On what the runtime's tasks run. Default: what the runtime can do is tried.
    pub fn tasks(mut self, mode: TaskMode) -> Self {
        self.mode = mode;
        self
    }

    /// Bytes of stack for a created task that asks for no size. Default: 256 KiB.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// How long managed code that unmanaged code calls back waits for a slot (`ReverseEnterRuntime`). The runtime calls that
    /// where it may hold up a collection. When all slots are kept by tasks that do not settle for so long, it goes on without one, beside as
    /// many tasks as there are workers; what it waits for then blocks its thread. Default: 40 ms.
    pub fn callback_patience(mut self, limit: Duration) -> Self {
        self.callback_patience = Some(limit);
        self
    }

    /// The least and the most workers of the thread pool, until the runtime says otherwise. Default: as many as the scheduler
    /// has, and 512.
    pub fn pool_threads(mut self, least: u32, most: u32) -> Self {
        self.pool = Some((least, most));
        self
    }

    /// How long a worker beyond the least waits for work before it ends. Default: 20 s.
    pub fn pool_patience(mut self, patience: Duration) -> Self {
        self.pool_patience = Some(patience);
        self
    }

    /// No thread pool: the runtime uses its own.
    pub fn without_threadpool(mut self) -> Self {
        self.without_pool = true;
        self
    }

    /// A thread pool of the embedder's.
    pub fn threadpool_manager(mut self, manager: Arc<dyn IHostThreadpoolManager>) -> Self {
        self.pool_manager = Some(manager);
        self
    }

    /// Whom the runtime tells of collections. Default: they are counted.
    pub fn gc_manager(mut self, manager: Arc<dyn IHostGCManager>) -> Self {
        self.gc_manager = Some(manager);
        self
    }

    /// Whom the runtime tells of trouble. Default: it is kept.
    pub fn policy_manager(mut self, manager: Arc<dyn IHostPolicyManager>) -> Self {
        self.policy_manager = Some(manager);
        self
    }

    /// What is done about a task that was asked to end ([`HostTask::end`]) and does not in time. The runtime is given its own
    /// copy by [`Policy::apply`]. Default: a policy without time limits.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Who is asked before each step after the first that such a policy wants, on a thread of the host's, and says whether it
    /// has done something instead. By itself the host asks the runtime for what that can do, and ends the process for the
    /// steps that say so.
    pub fn on_escalation(
        mut self,
        instead: impl Fn(&HostTask, EPolicyAction) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.instead = Some(Arc::new(instead));
        self
    }

    /// The runtime's memory comes from the host, within these limits. Default: the runtime has memory of its own.
    pub fn memory(mut self, limits: MemoryLimits) -> Self {
        self.memory = Some(limits);
        self
    }

    /// A manager of memory of the embedder's.
    pub fn memory_manager(mut self, manager: Arc<dyn IHostMemoryManager>) -> Self {
        self.memory_manager = Some(manager);
        self
    }

    /// The runtime's transfers of files, pipes and sockets are the host's, which tells it of their end; this looks after those
    /// that wait. Default: the runtime has a machinery of its own.
    #[cfg(feature = "net")]
    pub fn io_completion(mut self, engine: IoEngine) -> Self {
        self.io = Some(engine);
        self
    }

    /// The least and the most tasks that tell of completions, until the runtime says otherwise. Default: 1, and 512.
    pub fn io_threads(mut self, least: u32, most: u32) -> Self {
        self.io_threads = Some((least, most));
        self
    }

    /// A manager of transfers of the embedder's.
    pub fn io_completion_manager(mut self, manager: Arc<dyn IHostIoCompletionManager>) -> Self {
        self.io_manager = Some(manager);
        self
    }

    /// The host keeps for whom a task acts. Default: the runtime acts for nobody in particular.
    pub fn security(mut self, settings: Security) -> Self {
        self.security = Some(settings);
        self
    }

    /// A manager of security contexts of the embedder's.
    pub fn security_manager(mut self, manager: Arc<dyn IHostSecurityManager>) -> Self {
        self.security_manager = Some(manager);
        self
    }

    /// The runtime finds its assemblies here. Default: it finds them itself.
    pub fn assemblies(mut self, assemblies: Assemblies) -> Self {
        self.assemblies = Some(assemblies);
        self
    }

    /// A manager of assemblies of the embedder's.
    pub fn assembly_manager(mut self, manager: Arc<dyn IHostAssemblyManager>) -> Self {
        self.assembly_manager = Some(manager);
        self
    }

    /// Makes the host.
    ///
    /// # Errors
    /// `InvalidInput` if the least is more than the most workers of the pool or for completions, or the most is 0; what the
    /// system says when it refuses what transfers need; `Unsupported` for what a simulated scheduler cannot have: transfers,
    /// and a policy with time limits for the end of a task; otherwise as for [`fiberhost_scheduler::Builder::build`].
    pub fn build(self) -> io::Result<Host> {
        let owns_scheduler = self.scheduler.is_none();
        let is_wrong = |(least, most)| most == 0 || least > most;
        if self.pool.is_some_and(is_wrong) || self.io_threads.is_some_and(is_wrong) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a thread pool whose least is more than its most, or whose most is 0",
            ));
        }
        let quanta: Arc<Quanta> = Arc::default();
        let scheduler = match self.scheduler {
            Some(scheduler) => scheduler,
            None => self.settings.on_quantum(quanta.listener()).build()?,
        };
        let is_simulated = clock::is_simulated(&scheduler);
        let ladder = self.policy.ladder(EClrOperation::OPR_ThreadAbort);
        #[cfg(feature = "net")]
        let has_transfers = self.io.is_some() && self.io_manager.is_none();
        #[cfg(not(feature = "net"))]
        let has_transfers = false;
        if is_simulated && (has_transfers || ladder.len() > 1) {
            let text = "transfers, and what follows a time limit of the policy, are not simulated";
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let shared = Arc::new_cyclic(|host| Shared {
            // Relaxed: a number, and no two are the same.
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            gate: Gate::new(),
            scheduler,
            switching: Arc::new(Switching::new(host.clone(), self.mode)),
            strangers: self.strangers,
            learned: match &self.hooks {
                Hooks::Learned(learning) => Some(Learned::new(*learning)),
                Hooks::Always | Hooks::Never | Hooks::Ask(_) => None,
            },
            hooks: self.hooks,
            stack_size: self.stack_size.unwrap_or(STACK_SIZE),
            callback_patience: self.callback_patience.unwrap_or(CALLBACK_PATIENCE),
            figures: Counts::default(),
            quanta,
            blocked: Blocked::default(),
            overseer: Overseer::new(self.policy, self.instead),
            memory: OnceLock::new(),
            #[cfg(feature = "net")]
            completions: OnceLock::new(),
            deadlocks: Deadlocks::default(),
            runtime: Mutex::default(),
        });
        let workers = u32::try_from(shared.scheduler.workers()).unwrap_or(POOL_MOST);
        let (least, most) = self.pool.unwrap_or((workers, POOL_MOST.max(workers)));
        let patience = self.pool_patience.unwrap_or(POOL_PATIENCE);
        let pool = Pool::new(Arc::clone(&shared), least, most, patience);
        let gc = Gc::new();
        let policy_log = PolicyLog::new();

        let mut control = Control {
            host: Arc::clone(&shared),
            managers: Vec::new(),
        };
        let gate = shared.gate;
        let tasks: Arc<dyn IHostTaskManager> = Arc::new(TaskManager::new(Arc::clone(&shared)));
        control.offer(ComRef::new(gate, Origin::Host, tasks));
        let sync: Arc<dyn IHostSyncManager> = Arc::new(SyncManager::new(Arc::clone(&shared)));
        control.offer(ComRef::new(gate, Origin::Host, sync));
        match self.pool_manager {
            Some(manager) => control.offer(ComRef::new(gate, Origin::User, manager)),
            None if self.without_pool => {}
            None => {
                let ours: Arc<dyn IHostThreadpoolManager> = Arc::new(Arc::clone(&pool));
                control.offer(ComRef::new(gate, Origin::Host, ours));
            }
        }
        match self.gc_manager {
            Some(manager) => control.offer(ComRef::new(gate, Origin::User, manager)),
            None => {
                let ours: Arc<dyn IHostGCManager> = gc.clone();
                control.offer(ComRef::new(gate, Origin::Host, ours));
            }
        }
        match self.policy_manager {
            Some(manager) => control.offer(ComRef::new(gate, Origin::User, manager)),
            None => {
                let ours: Arc<dyn IHostPolicyManager> = policy_log.clone();
                control.offer(ComRef::new(gate, Origin::Host, ours));
            }
        }
        let memory = self
            .memory
            .map(|limits| Memory::new(gate, limits, is_simulated));
        if let Some(memory) = &memory {
            let first = shared.memory.set(Arc::downgrade(memory));
            debug_assert!(first.is_ok(), "a host has it once");
        }
        match (self.memory_manager, &memory) {
            (Some(manager), _) => control.offer(ComRef::new(gate, Origin::User, manager)),
            (None, Some(memory)) => {
                let ours = MemoryManager(Arc::clone(memory));
                let ours: Arc<dyn IHostMemoryManager> = Arc::new(ours);
                control.offer(ComRef::new(gate, Origin::Host, ours));
            }
            (None, None) => {}
        }
        #[cfg(feature = "net")]
        let completions = match (&self.io_manager, self.io) {
            (None, Some(engine)) => {
                let threads = self.io_threads.unwrap_or((1, POOL_MOST));
                let made = Completions::new(Arc::clone(&shared), engine, threads)?;
                let first = shared.completions.set(Arc::downgrade(&made));
                debug_assert!(first.is_ok(), "a host has them once");
                let ours: Arc<dyn IHostIoCompletionManager> =
                    Arc::new(CompletionManager(Arc::clone(&made)));
                control.offer(ComRef::new(gate, Origin::Host, ours));
                Some(made)
            }
            _ => None,
        };
        if let Some(manager) = self.io_manager {
            control.offer(ComRef::new(gate, Origin::User, manager));
        }
        match (self.security_manager, self.security) {
            (Some(manager), _) => control.offer(ComRef::new(gate, Origin::User, manager)),
            (None, Some(settings)) => {
                let host = Arc::clone(&shared);
                let ours: Arc<dyn IHostSecurityManager> =
                    Arc::new(SecurityManager { host, settings });
                control.offer(ComRef::new(gate, Origin::Host, ours));
            }
            (None, None) => {}
        }
        match (self.assembly_manager, self.assemblies) {
            (Some(manager), _) => control.offer(ComRef::new(gate, Origin::User, manager)),
            (None, Some(assemblies)) => {
                let ours: Arc<dyn IHostAssemblyManager> =
                    Arc::new(AssemblyManager::new(gate, assemblies));
                control.offer(ComRef::new(gate, Origin::Host, ours));
            }
            (None, None) => {}
        }
        let control: Arc<dyn IHostControl> = Arc::new(control);
        views::hosts::note(&shared);
        Ok(Host {
            #[cfg(feature = "net")]
            completions,
            control: ComRef::new(gate, Origin::Host, control),
            shared,
            pool,
            gc,
            policy_log,
            memory,
            owns_scheduler,
        })
    }
}

/// The host side of the interface, for one runtime.
///
/// ```
/// use fiberhost::Host;
///
/// let host = Host::builder().build()?;
/// // A runtime is given the host before it starts: `host.attach(&runtime)`.
/// assert!(host.current_task().is_none(), "this thread is no task yet");
/// host.shutdown(std::time::Duration::from_secs(1))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Host {
    shared: Arc<Shared>,
    control: ComRef<dyn IHostControl>,
    pool: Arc<Pool>,
    gc: Arc<Gc>,
    policy_log: Arc<PolicyLog>,
    memory: Option<Arc<Memory>>,
    #[cfg(feature = "net")]
    completions: Option<Arc<Completions>>,
    owns_scheduler: bool,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("figures", &self.figures())
            .finish_non_exhaustive()
    }
}

impl Host {
    /// Settings to make one with.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The door by which a runtime finds everything else.
    pub fn control(&self) -> &ComRef<dyn IHostControl> {
        &self.control
    }

    /// Gives a runtime that is not started yet this host. It asks for all managers meanwhile. The host keeps a reference to it
    /// until the [shutdown](Host::shutdown), by which it asks for the unloading of domains ([`HostTask::end`]).
    ///
    /// # Errors
    /// What the runtime answers: `E_ACCESSDENIED` once it was started.
    pub fn attach(&self, runtime: &ICLRRuntimeHost) -> Result<(), Hresult> {
        runtime.set_host_control(&self.control)?;
        let before = self.shared.runtime.lock().host.replace(runtime.clone());
        // Released without the lock: the runtime may call back.
        drop(before);
        Ok(())
    }

    /// The host's number, which no other host of the process has or had.
    pub fn id(&self) -> u64 {
        self.shared.id
    }

    /// The scheduler that the runtime's tasks run on.
    pub fn scheduler(&self) -> &Scheduler {
        &self.shared.scheduler
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Whether calls are still let in, for all objects of this host.
    pub fn gate(&self) -> &'static Gate {
        self.shared.gate
    }

    /// The calling task, as the runtime knows it: none on an OS thread that was not adopted.
    pub fn current_task(&self) -> Option<HostTask> {
        let current = current::find(&self.shared)?;
        Some(HostTask(Arc::clone(current.record())))
    }

    /// The calling thread, if it was adopted, is no task any more; the runtime's task on it ends. For a thread that goes on:
    /// one that ends does this by itself.
    pub fn release_thread(&self) {
        let adopted = current::known(&self.shared)
            .is_some_and(|current| current.task().kind() == Kind::Adopted);
        if adopted {
            current::end(&self.shared);
        }
    }

    /// The object that manages a domain, if the runtime has named one.
    pub fn app_domain_manager(&self, domain: u32) -> Option<IUnknown> {
        self.shared.runtime.lock().domains.get(&domain).cloned()
    }

    /// The runtime's side of tasks, once it has given it.
    pub fn clr_task_manager(&self) -> Option<ICLRTaskManager> {
        self.shared.runtime.lock().tasks.clone()
    }

    /// The runtime's side of locks, once it has given it.
    pub fn clr_sync_manager(&self) -> Option<ICLRSyncManager> {
        self.shared.clr_sync_manager()
    }

    /// On what the runtime's tasks run, as far as is known.
    pub fn task_mode(&self) -> TaskMode {
        self.shared.switching.mode()
    }

    /// What the runtime has said of its collections, unless somebody else is told.
    pub fn gc_figures(&self) -> GcFigures {
        self.gc.figures()
    }

    /// What the runtime has said of trouble, unless somebody else is told: the last ones, oldest first, and how many in all.
    pub fn policy_events(&self) -> (Vec<PolicyEvent>, u64) {
        self.policy_log.events()
    }

    /// This task of a scheduler that is not the host's own has run for a quantum: the runtime is asked to let it yield. For
    /// [`on_quantum`](fiberhost_scheduler::Builder::on_quantum); never on a task of the runtime.
    pub fn quantum_over(&self, task: &TaskRef) {
        self.shared.quanta.over(task);
    }

    /// The runtime's transfers, if they are the host's.
    #[cfg(feature = "net")]
    pub fn transfers(&self) -> Option<Transfers> {
        self.completions.as_ref().map(Transfers::new)
    }

    /// For whom the calling task or thread acts, if not for nobody in particular.
    pub fn token(&self) -> Option<Handle> {
        let Identity(token) = Identity::of_caller(&self.shared);
        token
    }

    /// What the runtime has of the host's memory, if it is to have any.
    pub fn memory_figures(&self) -> Option<MemoryFigures> {
        self.memory.as_ref().map(|memory| memory.figures())
    }

    /// New limits for the runtime's memory. What is in use beyond them stays; requests are refused until it is less. Nothing
    /// happens if the runtime has memory of its own.
    pub fn set_memory_limits(&self, limits: MemoryLimits) {
        if let Some(memory) = &self.memory {
            memory.set_limits(limits);
        }
    }

    /// Figures, taken without stopping anything.
    pub fn figures(&self) -> Figures {
        self.shared.figures()
    }

    /// Ends the host, in this order: work that was queued is finished; transfers that wait are cancelled, and the runtime is
    /// told of their end; from then on calls are refused, but for those that end what others began; the host's own scheduler is shut down; what the runtime gave is given back.
    ///
    /// # Errors
    /// As for [`Scheduler::shutdown`], with the tasks that are left after the time limit.
    pub fn shutdown(&self, limit: Duration) -> Result<(), ShutdownError> {
        let until = clock::now() + limit;
        self.pool.close(limit);
        #[cfg(feature = "net")]
        if let Some(completions) = &self.completions {
            completions.close(until.saturating_duration_since(clock::now()));
        }
        self.shared.gate.shut();
        self.shared.overseer.close();
        self.shared.deadlocks.close();
        let result = if self.owns_scheduler {
            // What the scheduler cannot see, since it blocks a thread.
            self.shared.blocked.end();
            let left = until.saturating_duration_since(clock::now());
            self.shared.scheduler.shutdown(left)
        } else {
            Ok(())
        };
        if let Some(memory) = &self.memory {
            memory.close();
        }
        self.shared.let_go();
        result
    }
}

impl Shared {
    /// The runtime's memory, if it is the host's.
    pub(crate) fn memory(&self) -> Option<Arc<Memory>> {
        self.memory.get()?.upgrade()
    }

    pub(crate) fn figures(&self) -> Figures {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let counts = &self.figures;
        let (switches, failed_switches) = self.switching.counts();
        Figures {
            objects: self.gate.objects(),
            stray_hooks: load(&counts.stray_hooks),
            frames_left: load(&counts.frames_left),
            failed_exits: load(&counts.failed_exits),
            switches,
            failed_switches,
            escalations: self.overseer.steps(),
            yields_asked: self.quanta.asked(),
            deadlocks_broken: self.deadlocks.broken(),
            callbacks_without_slot: load(&counts.callbacks_without_slot),
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        views::hosts::forget(&self.shared);
        // Those who are left keep what they need; there is nobody to tell.
        let _ = self.shutdown(SHUTDOWN_LIMIT);
    }
}

/// A task of the runtime, to look at and to ask for its end. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct HostTask(Arc<Task>);

impl HostTask {
    pub(crate) fn new(task: &Arc<Task>) -> HostTask {
        HostTask(Arc::clone(task))
    }

    /// How it came about.
    pub fn kind(&self) -> Kind {
        self.0.kind()
    }

    /// The scheduler's side of it.
    pub fn scheduler_task(&self) -> Option<&TaskRef> {
        self.0.scheduler_task()
    }

    /// What it runs, as far as the hooks say, and how many hooks are open.
    pub fn transition(&self) -> (State, u64) {
        self.0.transition()
    }

    /// The culture of the task and of its user interface, as the runtime said last; 0 before.
    pub fn locales(&self) -> (u32, u32) {
        self.0.locales()
    }

    /// The runtime's side of it.
    pub fn clr_task(&self) -> Option<ICLRTask> {
        self.0.clr_task()
    }

    /// Whether it was started.
    pub fn is_started(&self) -> bool {
        self.0.is_started()
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.0.has_ended()
    }

    /// Asks the runtime to end it: at once, or when the runtime no longer delays that.
    ///
    /// # Errors
    /// What the runtime answers; `HOST_E_INVALIDOPERATION` if it has no side of this task.
    pub fn abort(&self, abort: Abort) -> Result<(), Hresult> {
        self.0.abort(abort)
    }

    /// Asks for its end as the host's [policy](Builder::policy) says for the abort of a thread, and takes the policy's further
    /// steps if the task has not ended when their time has come: from the abort to the rude abort, the unloading of its
    /// domain, which the caller may name, and the end of the process. A shutdown of the host ends that.
    ///
    /// ```no_run
    /// use fiberhost::com::{EClrOperation, EPolicyAction};
    /// use fiberhost::{Host, policy::Policy};
    ///
    /// let mut policy = Policy::new();
    /// policy.set_timeout(EClrOperation::OPR_ThreadAbort, 10_000, EPolicyAction::eRudeAbortThread)?;
    /// let host = Host::builder().policy(policy).build().expect("a host");
    /// # let task = host.current_task().unwrap();
    /// task.end(None)?;
    /// # Ok::<(), fiberhost::com::Hresult>(())
    /// ```
    ///
    /// # Errors
    /// What came of the first step, as for [`abort`](HostTask::abort); the others follow all the same. `E_OUTOFMEMORY` if they
    /// could not, since there is no thread for them: then nothing was done.
    pub fn end(&self, domain: Option<u32>) -> Result<(), Hresult> {
        escalation::end(&self.0, domain)
    }
}
