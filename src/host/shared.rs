//! What all parts of a host have in common: its scheduler, what the runtime has given it, and what is counted.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use fiberhost_scheduler::Scheduler;
use parking_lot::Mutex;

use crate::blocked::Blocked;
use crate::com::clr::{ICLRRuntimeHost, ICLRSyncManager, ICLRTaskManager, IUnknown};
use crate::com::{Gate, Hresult};
#[cfg(feature = "net")]
use crate::completion::Completions;
use crate::deadlock::Deadlocks;
use crate::escalation::Overseer;
use crate::hooks::{Hooks, Learned};
use crate::memory::Memory;
use crate::quantum::Quanta;
use crate::switching::Switching;
use crate::task::Task;

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
    pub(super) stack_size: usize,
    pub(crate) callback_patience: Duration,
    pub(crate) figures: Counts,
    pub(crate) quanta: Arc<Quanta>,
    pub(crate) blocked: Blocked,
    pub(crate) overseer: Overseer,
    /// Not kept: it is the host's.
    pub(super) memory: OnceLock<Weak<Memory>>,
    /// Not kept: they refer to this.
    #[cfg(feature = "net")]
    pub(super) completions: OnceLock<Weak<Completions>>,
    pub(crate) deadlocks: Deadlocks,
    pub(super) runtime: Mutex<Runtime>,
}

/// What a runtime has given us.
#[derive(Default)]
pub(super) struct Runtime {
    pub(super) tasks: Option<ICLRTaskManager>,
    pub(super) sync: Option<ICLRSyncManager>,
    pub(super) domains: BTreeMap<u32, IUnknown>,
    pub(super) host: Option<ICLRRuntimeHost>,
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

    pub(super) fn add_domain(&self, domain: u32, manager: IUnknown) -> Result<(), Hresult> {
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
    pub(super) fn let_go(&self) {
        let runtime = std::mem::take(&mut *self.runtime.lock());
        drop(runtime);
    }

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

/// Puts it there, or gives it back if there is one already.
#[must_use]
pub(super) fn once<T>(place: &mut Option<T>, value: T) -> Option<T> {
    if place.is_some() {
        return Some(value);
    }
    *place = Some(value);
    None
}
