//! A task of the runtime, as the embedder sees it.
#![forbid(unsafe_code)]

use std::sync::Arc;

use fiberhost_scheduler::TaskRef;

use crate::com::Hresult;
use crate::com::clr::ICLRTask;
use crate::escalation;
use crate::task::{Abort, Kind, Task};
use crate::transition::State;

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

    /// Asks for its end as the host's [policy](crate::Builder::policy) says for the abort of a thread, and takes the policy's further
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
