//! What a runtime is told when its task gives its thread away and takes it again.
//!
//! `ICLRTask::SwitchOut` and `SwitchIn` bracket a wait, on the task's own stack. A runtime that cannot be switched answers
//! the first `SwitchOut` with `E_NOTIMPL`. It is not asked again: its tasks run on OS threads of their own, in the same slots
//! and queues, and tasks of the scheduler that it has attached itself to keep their threads for good.
//!
//! Before each wait, told or not, the runtime is asked whether the task is to go on soon (`NeedsPriorityScheduling`): then
//! a collection may wait for it, and it is urgent until it goes on. A task that only lets others run is not asked: it would
//! run before those it makes room for.
#![forbid(unsafe_code)]

use std::sync::Weak;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use fiberhost_scheduler::{Backing, Urgent};

use crate::com::clr::ICLRTask;
use crate::com::{Hresult, ThreadHandle};
use crate::current::{self, Current};
use crate::host::Shared;

/// On what the tasks of a runtime run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum TaskMode {
    /// On threads until the first wait has shown whether the runtime can be switched; from then on, if it can, on fibers.
    #[default]
    Probe = 0,
    /// On fibers. A runtime that cannot be switched is not told of switches.
    Fiber = 1,
    /// On OS threads of their own.
    Thread = 2,
}

impl TaskMode {
    fn from_bits(bits: u8) -> TaskMode {
        match bits {
            0 => TaskMode::Probe,
            1 => TaskMode::Fiber,
            _ => TaskMode::Thread,
        }
    }
}

/// What the runtime is asked before its task gives its thread away.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ask {
    Nothing,
    Urgency,
}

/// Until a task goes on.
#[derive(Default)]
struct Out {
    /// The runtime was told that it is out.
    told: bool,
    urgent: Option<Urgent>,
}

/// In unmanaged code a task holds nobody up, and where its thread blocks no slot is involved.
fn urgency(caller: &Current, clr_task: &ICLRTask) -> Option<Urgent> {
    if caller.blocks_thread() {
        return None;
    }
    // It may call back, and must not be asked again by that.
    caller.switched.set(true);
    let needs = clr_task.needs_priority_scheduling();
    caller.switched.set(false);
    match needs {
        Ok(true) => caller.task().scheduler_task()?.urge(),
        Ok(false) | Err(_) => None,
    }
}

/// See the module docs. One for each host.
#[derive(Debug)]
pub(crate) struct Switching {
    host: Weak<Shared>,
    mode: AtomicU8,
    switches: AtomicU64,
    failed: AtomicU64,
}

impl Switching {
    pub(crate) fn new(host: Weak<Shared>, mode: TaskMode) -> Switching {
        Switching {
            host,
            mode: AtomicU8::new(mode as u8),
            switches: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }
    }

    pub(crate) fn mode(&self) -> TaskMode {
        TaskMode::from_bits(self.mode.load(Ordering::Relaxed))
    }

    /// How often a task was switched out and in, and how often the runtime refused to take one back.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (load(&self.switches), load(&self.failed))
    }

    pub(crate) fn backing(&self) -> Backing {
        match self.mode() {
            TaskMode::Fiber => Backing::Fiber,
            TaskMode::Probe | TaskMode::Thread => Backing::Thread,
        }
    }

    /// A wait of the calling task, which may give its thread away meanwhile.
    pub(crate) fn around<R>(&self, wait: impl FnOnce() -> R) -> R {
        self.gone_for(Ask::Urgency, wait)
    }

    /// The same, to let others run.
    pub(crate) fn around_yield<R>(&self, give_way: impl FnOnce() -> R) -> R {
        self.gone_for(Ask::Nothing, give_way)
    }

    fn gone_for<R>(&self, ask: Ask, wait: impl FnOnce() -> R) -> R {
        let out = self.switch_out(ask);
        let result = wait();
        drop(out.urgent);
        if out.told {
            self.switch_in();
        }
        result
    }

    fn switch_out(&self, ask: Ask) -> Out {
        let quick = current::with_quick(self.host.as_ptr(), |caller| {
            self.switch_caller_out(caller, ask)
        });
        quick.unwrap_or_else(|| {
            let caller = self.host.upgrade().and_then(|host| current::known(&host));
            caller.map_or_else(Out::default, |caller| self.switch_caller_out(&caller, ask))
        })
    }

    fn switch_caller_out(&self, caller: &Current, ask: Ask) -> Out {
        // What the runtime waits for while it is told is its own business.
        if !caller.task().has_clr_task() || caller.switched.get() {
            return Out::default();
        }
        let Some(clr_task) = caller.task().clr_task() else {
            return Out::default();
        };
        let urgent = match ask {
            Ask::Urgency => urgency(caller, &clr_task),
            Ask::Nothing => None,
        };
        // A thread that is held is not given away.
        let told = !caller.is_pinned() && self.tell_out(caller, &clr_task);
        Out { told, urgent }
    }

    fn tell_out(&self, caller: &Current, clr_task: &ICLRTask) -> bool {
        match (self.mode(), caller.task().has_thread()) {
            (TaskMode::Thread, false) => caller.keep_thread_for_life(),
            (TaskMode::Thread | TaskMode::Fiber, true) => {}
            (TaskMode::Fiber, false) | (TaskMode::Probe, _) => {
                return self.tell(caller, clr_task);
            }
        }
        false
    }

    fn tell(&self, caller: &Current, clr_task: &ICLRTask) -> bool {
        caller.switched.set(true);
        let told = clr_task.switch_out();
        let mode = match told {
            Ok(_) => Some(TaskMode::Fiber),
            Err(Hresult::E_NOTIMPL) => Some(TaskMode::Thread),
            Err(_) => None,
        };
        // Only a probe decides, and the first one. Relaxed: the others find out by themselves.
        if let Some(mode) = mode {
            let probe = TaskMode::Probe as u8;
            let _ =
                self.mode
                    .compare_exchange(probe, mode as u8, Ordering::Relaxed, Ordering::Relaxed);
        }
        if told.is_ok() {
            self.switches.fetch_add(1, Ordering::Relaxed);
            return true;
        }
        caller.switched.set(false);
        if self.mode() == TaskMode::Thread && !caller.task().has_thread() {
            caller.keep_thread_for_life();
        }
        false
    }

    fn switch_in(&self) {
        let caller = self.host.upgrade().and_then(|host| current::known(&host));
        let Some(caller) = caller else { return };
        if let Some(clr_task) = caller.task().clr_task()
            && clr_task.switch_in(ThreadHandle::current()).is_err()
        {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        caller.switched.set(false);
    }
}
