//! A host: a scheduler, the managers on it, and the door by which a runtime finds them (`IHostControl`).
#![forbid(unsafe_code)]

mod build;
mod builder;
mod door;
mod shared;
mod task;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fiberhost_scheduler::{Scheduler, ShutdownError, TaskRef};

use crate::clock;
use crate::com::clr::{ICLRRuntimeHost, ICLRSyncManager, ICLRTaskManager, IUnknown};
use crate::com::host::IHostControl;
use crate::com::{ComRef, Gate, Handle, Hresult};
#[cfg(feature = "net")]
use crate::completion::{Completions, Transfers};
use crate::current;
use crate::gc::{Gc, GcFigures};
use crate::memory::{Memory, MemoryFigures, MemoryLimits};
use crate::policy::{PolicyEvent, PolicyLog};
use crate::security::Identity;
use crate::switching::TaskMode;
use crate::task::Kind;
use crate::threadpool::Pool;
use crate::views;

pub use builder::Builder;
pub(crate) use shared::Shared;
pub use shared::{Figures, Strangers};
pub use task::HostTask;

const SHUTDOWN_LIMIT: Duration = Duration::from_secs(10);

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
        Some(HostTask::new(current.record()))
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

impl Drop for Host {
    fn drop(&mut self) {
        views::hosts::forget(&self.shared);
        // Those who are left keep what they need; there is nobody to tell.
        let _ = self.shutdown(SHUTDOWN_LIMIT);
    }
}
