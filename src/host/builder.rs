//! What a host is made with.
#![forbid(unsafe_code)]

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fiberhost_scheduler::Scheduler;

use crate::assembly::Assemblies;
use crate::com::EPolicyAction;
use crate::com::host::{
    IHostAssemblyManager, IHostGCManager, IHostIoCompletionManager, IHostMemoryManager,
    IHostPolicyManager, IHostSecurityManager, IHostThreadpoolManager,
};
#[cfg(feature = "net")]
use crate::completion::IoEngine;
use crate::escalation::Instead;
use crate::hooks::Hooks;
use crate::memory::MemoryLimits;
use crate::policy::Policy;
use crate::security::Security;
use crate::switching::TaskMode;

use super::shared::Strangers;
use super::task::HostTask;
/// Settings of a [`Host`](crate::Host).
#[derive(Clone, Default)]
#[must_use]
pub struct Builder {
    pub(super) scheduler: Option<Scheduler>,
    pub(super) settings: fiberhost_scheduler::Builder,
    pub(super) strangers: Strangers,
    pub(super) hooks: Hooks,
    pub(super) mode: TaskMode,
    pub(super) stack_size: Option<usize>,
    pub(super) callback_patience: Option<Duration>,
    pub(super) pool: Option<(u32, u32)>,
    pub(super) pool_patience: Option<Duration>,
    pub(super) without_pool: bool,
    pub(super) pool_manager: Option<Arc<dyn IHostThreadpoolManager>>,
    pub(super) gc_manager: Option<Arc<dyn IHostGCManager>>,
    pub(super) policy_manager: Option<Arc<dyn IHostPolicyManager>>,
    pub(super) policy: Policy,
    pub(super) instead: Option<Instead>,
    pub(super) memory: Option<MemoryLimits>,
    pub(super) memory_manager: Option<Arc<dyn IHostMemoryManager>>,
    #[cfg(feature = "net")]
    pub(super) io: Option<IoEngine>,
    pub(super) io_threads: Option<(u32, u32)>,
    pub(super) io_manager: Option<Arc<dyn IHostIoCompletionManager>>,
    pub(super) security: Option<Security>,
    pub(super) security_manager: Option<Arc<dyn IHostSecurityManager>>,
    pub(super) assemblies: Option<Assemblies>,
    pub(super) assembly_manager: Option<Arc<dyn IHostAssemblyManager>>,
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
    /// yield if its builder was given [`Host::quantum_over`](crate::Host::quantum_over). Default: one of the host's own.
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
    /// where it may hold up a collection. When all slots are kept for so long by tasks that do not settle, it goes on without
    /// one, beside as many tasks as there are workers; what it waits for then blocks its thread. Default: 40 ms.
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
}
