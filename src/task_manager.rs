//! `IHostTaskManager`: what the runtime says of the task that calls, and asks of the scheduler for it.
#![forbid(unsafe_code)]

use std::rc::Rc;
use std::sync::Arc;

use fiberhost_scheduler::{Wake, native, sleep_heeding, yield_to_others};

use crate::alert;
use crate::com::clr::ICLRTaskManager;
use crate::com::host::{IHostTask, IHostTaskManager};
use crate::com::{ComRef, Hresult, WAIT_OPTION, Work, vouch};
use crate::current::{self, Current};
use crate::hooks::Hooks;
use crate::host::{Shared, Strangers};
use crate::sync::{heed_alerts_alone, limit};
use crate::task::{Kind, Task};
use crate::transition::{Edge, Frames, State};

#[derive(Debug)]
pub(crate) struct TaskManager {
    host: Arc<Shared>,
}

impl TaskManager {
    pub(crate) fn new(host: Arc<Shared>) -> TaskManager {
        TaskManager { host }
    }

    fn current(&self) -> Option<Rc<Current>> {
        current::find(&self.host)
    }

    /// A hook of the calling task. What does not fit changes nothing, and is counted.
    fn hook(&self, hook: impl Fn(&Frames) -> Result<Edge, Hresult> + Copy) -> Result<(), Hresult> {
        if cfg!(feature = "bug_errno_touched") {
            // As anything that asks the system, and may be told no.
            let _ = std::fs::metadata("");
        }
        let quick = current::with_quick(Arc::as_ptr(&self.host), move |current| current.hook(hook));
        match quick {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(self.note_refusal(error)),
            None => self.hook_of_another(&hook),
        }
    }

    #[inline(never)]
    fn leave(&self, target: usize) -> Result<(), Hresult> {
        self.hook(move |frames| frames.leave(target))
    }

    #[inline(never)]
    fn enter(&self) -> Result<(), Hresult> {
        self.hook(Frames::enter)
    }

    /// The first one of a task, or one for another host than the one before.
    #[cold]
    #[inline(never)]
    fn hook_of_another(
        &self,
        hook: &dyn Fn(&Frames) -> Result<Edge, Hresult>,
    ) -> Result<(), Hresult> {
        let result = match self.current() {
            Some(current) => current.hook(hook),
            None => Err(Hresult::HOST_E_INVALIDOPERATION),
        };
        result.map_err(|error| self.note_refusal(error))
    }

    /// The caller's object, if that is not found quickly.
    #[cold]
    #[inline(never)]
    fn object_of_another(&self) -> Option<ComRef<dyn IHostTask>> {
        let current = match (self.current(), self.host.strangers) {
            (Some(current), _) => Some(current),
            (None, Strangers::Adopt) => current::adopt(&self.host),
            (None, Strangers::Deny) => None,
        };
        current?.object()
    }

    /// The gate refuses it with this error, unless the task is in unmanaged code.
    #[cold]
    #[inline(never)]
    fn leave_behind_gate(&self, shut: Hresult, target: usize) -> Result<(), Hresult> {
        if self.current().is_none() {
            return Err(shut);
        }
        self.hook(move |frames| match frames.state() {
            State::Native => frames.leave(target),
            State::Base | State::Managed => Err(shut),
        })
    }

    #[cold]
    #[inline(never)]
    fn note_refusal(&self, error: Hresult) -> Hresult {
        if matches!(
            error,
            Hresult::E_UNEXPECTED | Hresult::HOST_E_INVALIDOPERATION
        ) {
            self.host.figures.note_stray_hook();
        }
        error
    }
}

/// What a created task begins with.
struct Beginning {
    task: Arc<Task>,
    work: Option<Work>,
}

impl Drop for Beginning {
    fn drop(&mut self) {
        if self.work.is_some() {
            // The scheduler has ended, or the system refused the stack: it never runs, and nobody is to wait for it.
            self.task.finish();
        }
    }
}

/// A created task from its first instruction: it waits to be started, runs its function, and ends.
fn run_created(mut beginning: Beginning) {
    let task = Arc::clone(&beginning.task);
    let Some(object) = task.wait_for_start() else {
        // Released unstarted, or the scheduler ends: the function is never called.
        return;
    };
    let host = Arc::clone(&task.host);
    // The answer is only of use to those who are not called from here.
    drop(current::become_current(task, object));
    if let Some(work) = beginning.work.take() {
        // What a thread's function returns means nothing to anybody here.
        let _ = work.run();
    }
    current::end(&host);
}

impl IHostTaskManager for TaskManager {
    fn current_task(&self) -> Result<ComRef<dyn IHostTask>, Hresult> {
        current::with_quick(Arc::as_ptr(&self.host), Current::object)
            .unwrap_or_else(|| self.object_of_another())
            .ok_or(Hresult::HOST_E_INVALIDOPERATION)
    }

    /// Whatever refuses the task is out of memory to the runtime.
    fn create_task(&self, stack_size: u32, work: Work) -> Result<ComRef<dyn IHostTask>, Hresult> {
        let host = &self.host;
        let backing = host.switching.backing();
        let has_thread = backing == fiberhost_scheduler::Backing::Thread;
        let (stack_size, reserve) = host.stack(stack_size);
        let (task, object) = Task::new(host, Kind::Created, reserve, has_thread);
        let builder = host
            .scheduler
            .task()
            .backing(backing)
            .stack_size(stack_size);
        let promise = work.promise();
        let beginning = Beginning {
            task: Arc::clone(&task),
            work: Some(work),
        };
        let spawned = vouch::spawn(builder, promise, beginning, run_created)?;
        task.runs_as(spawned);
        Ok(object)
    }

    /// The time being over is no error of a sleep.
    fn sleep(&self, milliseconds: u32, option: WAIT_OPTION) -> Result<(), Hresult> {
        if milliseconds == 0 {
            self.host.switching.around_yield(yield_to_others);
            return Ok(());
        }
        let heed = heed_alerts_alone(option);
        match alert::wait(&self.host, limit(milliseconds), heed, sleep_heeding) {
            Wake::TimedOut => Ok(()),
            // A shutdown is an alert without a reason to one who can be alerted.
            Wake::Alerted | Wake::Aborted => Err(Hresult::HOST_E_INTERRUPTED),
            Wake::Signalled => Err(Hresult::E_UNEXPECTED),
        }
    }

    fn switch_to_task(&self, _option: WAIT_OPTION) -> Result<(), Hresult> {
        if self.host.switching.around_yield(yield_to_others) {
            Ok(())
        } else {
            Err(Hresult::S_FALSE)
        }
    }

    fn set_ui_locale(&self, locale: u32) -> Result<(), Hresult> {
        let current = self.current().ok_or(Hresult::E_NOTIMPL)?;
        current.task().set_ui_locale(locale);
        Ok(())
    }

    fn set_locale(&self, locale: u32) -> Result<(), Hresult> {
        let current = self.current().ok_or(Hresult::E_NOTIMPL)?;
        current.task().set_locale(locale);
        Ok(())
    }

    fn call_needs_host_hook(&self, target: usize) -> Result<bool, Hresult> {
        Ok(match &self.host.hooks {
            Hooks::Always => true,
            Hooks::Never => false,
            Hooks::Learned(_) => {
                let learned = self.host.learned.as_ref();
                learned.is_none_or(|learned| learned.needs_hook(target))
            }
            Hooks::Ask(ask) => {
                let _stay = native::stay();
                ask(target)
            }
        })
    }

    /// In unmanaged code it is never refused: see `transition`.
    fn leave_runtime(&self, target: usize) -> Result<(), Hresult> {
        match self.host.gate.check() {
            Ok(()) if current::leave_quickly(&self.host, target) => Ok(()),
            Ok(()) => self.leave(target),
            Err(shut) => self.leave_behind_gate(shut, target),
        }
    }

    fn enter_runtime(&self) -> Result<(), Hresult> {
        if current::enter_quickly(&self.host) {
            return Ok(());
        }
        self.enter()
    }

    fn reverse_leave_runtime(&self) -> Result<(), Hresult> {
        self.hook(Frames::reverse_leave)
    }

    fn reverse_enter_runtime(&self) -> Result<(), Hresult> {
        self.hook(Frames::reverse_enter)
    }

    fn begin_delay_abort(&self) -> Result<(), Hresult> {
        let current = self.current().ok_or(Hresult::HOST_E_INVALIDOPERATION)?;
        current.task().delay_abort()
    }

    fn end_delay_abort(&self) -> Result<(), Hresult> {
        let current = self.current().ok_or(Hresult::HOST_E_INVALIDOPERATION)?;
        current.task().end_delay()
    }

    fn begin_thread_affinity(&self) -> Result<(), Hresult> {
        current::begin_affinity(&self.host)
    }

    fn end_thread_affinity(&self) -> Result<(), Hresult> {
        current::end_affinity(&self.host)
    }

    fn set_stack_guarantee(&self, bytes: u32) -> Result<(), Hresult> {
        let current = self.current().ok_or(Hresult::E_NOTIMPL)?;
        current.task().guarantee_stack(bytes)
    }

    fn stack_guarantee(&self) -> Result<u32, Hresult> {
        let current = self.current().ok_or(Hresult::E_NOTIMPL)?;
        current.task().stack_guarantee()
    }

    fn set_clr_task_manager(&self, manager: ICLRTaskManager) -> Result<(), Hresult> {
        self.host.set_clr_task_manager(manager)
    }
}
