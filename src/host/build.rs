//! How a host is made: the scheduler, what all parts have in common, and each manager, put at the door.
#![forbid(unsafe_code)]

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fiberhost_scheduler::Scheduler;
use parking_lot::Mutex;

use crate::assembly::AssemblyManager;
use crate::blocked::Blocked;
use crate::clock;
#[cfg(feature = "net")]
use crate::com::host::IHostIoCompletionManager;
use crate::com::host::{
    IHostAssemblyManager, IHostGCManager, IHostMemoryManager, IHostPolicyManager,
    IHostSecurityManager, IHostSyncManager, IHostTaskManager, IHostThreadpoolManager,
};
use crate::com::{EClrOperation, Gate};
#[cfg(feature = "net")]
use crate::completion::{CompletionManager, Completions};
use crate::deadlock::Deadlocks;
use crate::escalation::Overseer;
use crate::gc::Gc;
use crate::hooks::{Hooks, Learned};
use crate::memory::{Memory, MemoryManager};
use crate::policy::PolicyLog;
use crate::quantum::Quanta;
use crate::security::SecurityManager;
use crate::switching::Switching;
use crate::sync_manager::SyncManager;
use crate::task_manager::TaskManager;
use crate::threadpool::Pool;
use crate::views;

use super::Host;
use super::builder::Builder;
use super::door::Door;
use super::shared::{Counts, Shared};

/// A created task that asks for no stack size has this much.
const STACK_SIZE: usize = 256 * 1024;
const POOL_MOST: u32 = 512;
const POOL_PATIENCE: Duration = Duration::from_secs(20);
/// Ten quanta: whoever has a slot and is asked for it gives it up within one, unless it does not settle.
const CALLBACK_PATIENCE: Duration = Duration::from_millis(40);

impl Builder {
    /// Makes the host.
    ///
    /// # Errors
    /// `InvalidInput` if the least is more than the most workers of the pool or for completions, or the most is 0; what the
    /// system says when it refuses what transfers need; `Unsupported` for what a simulated scheduler cannot have: transfers,
    /// and a policy with time limits for the end of a task; otherwise as for [`fiberhost_scheduler::Builder::build`].
    pub fn build(mut self) -> io::Result<Host> {
        self.check_pools()?;
        let quanta: Arc<Quanta> = Arc::default();
        let theirs = self.scheduler.take();
        let owns_scheduler = theirs.is_none();
        let scheduler = match theirs {
            Some(scheduler) => scheduler,
            None => {
                let settings = std::mem::take(&mut self.settings);
                settings.on_quantum(quanta.listener()).build()?
            }
        };
        self.check_simulated(&scheduler)?;
        let shared = self.share(scheduler, quanta);

        let mut door = Door::new(&shared);
        door.offer::<dyn IHostTaskManager>(Arc::new(TaskManager::new(Arc::clone(&shared))));
        door.offer::<dyn IHostSyncManager>(Arc::new(SyncManager::new(Arc::clone(&shared))));
        let pool = self.pool(&shared, &mut door);
        let gc = self.gc(&mut door);
        let policy_log = self.policy_log(&mut door);
        let memory = self.memory_of(&shared, &mut door);
        #[cfg(feature = "net")]
        let completions = self.completions(&shared, &mut door)?;
        #[cfg(not(feature = "net"))]
        if let Some(manager) = self.io_manager.take() {
            door.offer_theirs(manager);
        }
        self.security_of(&shared, &mut door);
        self.assemblies_of(&shared, &mut door);
        views::hosts::note(&shared);
        Ok(Host {
            #[cfg(feature = "net")]
            completions,
            control: door.open(),
            shared,
            pool,
            gc,
            policy_log,
            memory,
            owns_scheduler,
        })
    }

    fn check_pools(&self) -> io::Result<()> {
        let is_wrong = |(least, most)| most == 0 || least > most;
        if self.pool.is_some_and(is_wrong) || self.io_threads.is_some_and(is_wrong) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a thread pool whose least is more than its most, or whose most is 0",
            ));
        }
        Ok(())
    }

    fn check_simulated(&self, scheduler: &Scheduler) -> io::Result<()> {
        #[cfg(feature = "net")]
        let has_transfers = self.io.is_some() && self.io_manager.is_none();
        #[cfg(not(feature = "net"))]
        let has_transfers = false;
        let ladder = self.policy.ladder(EClrOperation::OPR_ThreadAbort);
        if clock::is_simulated(scheduler) && (has_transfers || ladder.len() > 1) {
            let text = "transfers, and what follows a time limit of the policy, are not simulated";
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
        Ok(())
    }

    fn share(&mut self, scheduler: Scheduler, quanta: Arc<Quanta>) -> Arc<Shared> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let hooks = std::mem::take(&mut self.hooks);
        Arc::new_cyclic(|host| Shared {
            // Relaxed: a number, and no two are the same.
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            gate: Gate::new(),
            scheduler,
            switching: Arc::new(Switching::new(host.clone(), self.mode)),
            strangers: self.strangers,
            learned: match &hooks {
                Hooks::Learned(learning) => Some(Learned::new(*learning)),
                Hooks::Always | Hooks::Never | Hooks::Ask(_) => None,
            },
            hooks,
            stack_size: self.stack_size.unwrap_or(STACK_SIZE),
            callback_patience: self.callback_patience.unwrap_or(CALLBACK_PATIENCE),
            figures: Counts::default(),
            quanta,
            blocked: Blocked::new(),
            overseer: Overseer::new(std::mem::take(&mut self.policy), self.instead.take()),
            memory: OnceLock::new(),
            #[cfg(feature = "net")]
            completions: OnceLock::new(),
            deadlocks: Deadlocks::default(),
            runtime: Mutex::default(),
        })
    }

    fn pool(&mut self, shared: &Arc<Shared>, door: &mut Door) -> Arc<Pool> {
        let workers = u32::try_from(shared.scheduler.workers()).unwrap_or(POOL_MOST);
        let (least, most) = self.pool.unwrap_or((workers, POOL_MOST.max(workers)));
        let patience = self.pool_patience.unwrap_or(POOL_PATIENCE);
        let pool = Pool::new(Arc::clone(shared), least, most, patience);
        match self.pool_manager.take() {
            Some(manager) => door.offer_theirs(manager),
            None if self.without_pool => {}
            None => door.offer::<dyn IHostThreadpoolManager>(Arc::new(Arc::clone(&pool))),
        }
        pool
    }

    fn gc(&mut self, door: &mut Door) -> Arc<Gc> {
        let gc = Gc::new();
        match self.gc_manager.take() {
            Some(manager) => door.offer_theirs(manager),
            None => door.offer::<dyn IHostGCManager>(gc.clone()),
        }
        gc
    }

    fn policy_log(&mut self, door: &mut Door) -> Arc<PolicyLog> {
        let log = PolicyLog::new();
        match self.policy_manager.take() {
            Some(manager) => door.offer_theirs(manager),
            None => door.offer::<dyn IHostPolicyManager>(log.clone()),
        }
        log
    }

    fn memory_of(&mut self, shared: &Arc<Shared>, door: &mut Door) -> Option<Arc<Memory>> {
        let is_simulated = clock::is_simulated(&shared.scheduler);
        let limits = self.memory.take();
        let memory = limits.map(|limits| Memory::new(shared.gate, limits, is_simulated));
        if let Some(memory) = &memory {
            let first = shared.memory.set(Arc::downgrade(memory));
            debug_assert!(first.is_ok(), "a host has it once");
        }
        match (self.memory_manager.take(), &memory) {
            (Some(manager), _) => door.offer_theirs(manager),
            (None, Some(memory)) => {
                door.offer::<dyn IHostMemoryManager>(Arc::new(MemoryManager(Arc::clone(memory))));
            }
            (None, None) => {}
        }
        memory
    }

    #[cfg(feature = "net")]
    fn completions(
        &mut self,
        shared: &Arc<Shared>,
        door: &mut Door,
    ) -> io::Result<Option<Arc<Completions>>> {
        if let Some(manager) = self.io_manager.take() {
            door.offer_theirs(manager);
            return Ok(None);
        }
        let Some(engine) = self.io else {
            return Ok(None);
        };
        let threads = self.io_threads.unwrap_or((1, POOL_MOST));
        let made = Completions::new(Arc::clone(shared), engine, threads)?;
        let first = shared.completions.set(Arc::downgrade(&made));
        debug_assert!(first.is_ok(), "a host has them once");
        door.offer::<dyn IHostIoCompletionManager>(Arc::new(CompletionManager(Arc::clone(&made))));
        Ok(Some(made))
    }

    fn security_of(&mut self, shared: &Arc<Shared>, door: &mut Door) {
        match (self.security_manager.take(), self.security.take()) {
            (Some(manager), _) => door.offer_theirs(manager),
            (None, Some(settings)) => {
                let host = Arc::clone(shared);
                door.offer::<dyn IHostSecurityManager>(Arc::new(SecurityManager {
                    host,
                    settings,
                }));
            }
            (None, None) => {}
        }
    }

    fn assemblies_of(&mut self, shared: &Arc<Shared>, door: &mut Door) {
        match (self.assembly_manager.take(), self.assemblies.take()) {
            (Some(manager), _) => door.offer_theirs(manager),
            (None, Some(assemblies)) => {
                let ours = AssemblyManager::new(shared.gate, assemblies);
                door.offer::<dyn IHostAssemblyManager>(Arc::new(ours));
            }
            (None, None) => {}
        }
    }
}
