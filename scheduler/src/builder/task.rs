//! Every setting of one task.
#![forbid(unsafe_code)]

use std::sync::Arc;

use crate::join::{self, JoinHandle};
use crate::scheduler::{Plan, Scheduler, SpawnError};
use crate::task::{Backing, Priority};
use crate::watch::Accounting;

/// Settings of one task.
///
/// ```
/// use fiberhost_scheduler::{Priority, Scheduler};
/// let scheduler = Scheduler::new()?;
/// let task = scheduler.task().name("checkpoint").priority(Priority::Low).spawn(|| 1 + 1)?;
/// assert_eq!(task.join()?, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct TaskBuilder {
    scheduler: Scheduler,
    plan: Plan,
}

impl TaskBuilder {
    /// For a task on the scheduler of the calling task.
    ///
    /// # Panics
    /// Outside a task.
    #[allow(clippy::new_without_default, reason = "it panics outside a task")]
    pub fn new() -> Self {
        TaskBuilder::on(
            Scheduler::current()
                .expect("TaskBuilder::new is for tasks; elsewhere use Scheduler::task"),
        )
    }

    pub(crate) fn on(scheduler: Scheduler) -> Self {
        TaskBuilder {
            scheduler,
            plan: Plan::new(),
        }
    }

    /// A name for reports. Default: none.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.plan.name = Some(name.into());
        self
    }

    /// How urgently it wants to run.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.plan.priority = priority;
        self
    }

    /// Bytes of stack; sizes other than the scheduler's default are rounded up to a power of two, at least 32 KiB.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.plan.stack_size = Some(bytes);
        self
    }

    /// What it runs on. Default: [what the scheduler says](crate::Builder::default_backing).
    pub fn backing(mut self, backing: Backing) -> Self {
        self.plan.backing = Some(backing);
        self
    }

    /// It runs on the threads that are kept for such tasks: see [`Builder::bound_workers`](crate::Builder::bound_workers). It is bound, also if it is
    /// spawned as a mobile one.
    ///
    /// What it spawns itself is not reserved, unless it says so too. It may own its thread or be called back from native
    /// code; if it waits then, those wait that have started on the same thread, and [`Stats::reserved_owner_sleeps`] counts
    /// it.
    ///
    /// ```
    /// use fiberhost_scheduler::Scheduler;
    /// let scheduler = Scheduler::builder().workers(2).bound_workers(1).build()?;
    /// let writer = scheduler.task().reserved().spawn(|| "never behind another's callback")?;
    /// writer.join()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// [`Stats::reserved_owner_sleeps`]: crate::Stats::reserved_owner_sleeps
    pub fn reserved(mut self) -> Self {
        self.plan.reserved = true;
        self
    }

    /// A span of `tracing` that the task runs in: the worker enters it around each resume, and exits it while the task waits.
    /// It ends with the task. What the task's code itself has entered, with a guard that it holds across a wait, goes with it:
    /// it is exited and entered again, also on another thread. Default: none.
    ///
    /// That holds for tasks with a span that is not disabled, and for spans of the same subscriber. Without, use
    /// [`tracing::Span::in_scope`] around code that does not wait: subscribers keep entered spans by thread, and a guard that
    /// is held across a wait would put all that runs there meanwhile into its span.
    ///
    /// ```
    /// use fiberhost_scheduler::{Scheduler, yield_now};
    ///
    /// let scheduler = Scheduler::new()?;
    /// let task = scheduler.task().span(tracing::info_span!("request", number = 7)).spawn(|| {
    ///     let _phase = tracing::info_span!("parse").entered();
    ///     yield_now();
    ///     tracing::info!("in both spans");
    /// })?;
    /// task.join()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn span(mut self, span: tracing::Span) -> Self {
        // One that nobody listens to costs no switch anything.
        self.plan.span = (!span.is_disabled()).then_some(span);
        self
    }

    /// How exact the times are that are kept of it. With [`Accounting::Exact`] it has a ledger of where its time went,
    /// [`TaskRef::ledger`](crate::TaskRef::ledger), whatever the scheduler does for the others; with any other it has none, also
    /// where the others have. Default: [what the scheduler does](crate::Builder::accounting).
    ///
    /// From the first task on that asks for it, all spawns of the scheduler take a longer way, by some tens of nanoseconds.
    ///
    /// ```
    /// use fiberhost_scheduler::{Accounting, Scheduler, sleep};
    /// use std::time::Duration;
    ///
    /// let scheduler = Scheduler::new()?;
    /// let task = scheduler.task().accounting(Accounting::Exact).spawn(|| sleep(Duration::from_millis(5)))?;
    /// let known = task.task().clone();
    /// task.join()?;
    /// let ledger = known.ledger().expect("it asked for one");
    /// assert!(ledger.suspended_total() >= Duration::from_millis(5));
    /// assert_eq!(ledger.total(), ledger.elapsed);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn accounting(mut self, accounting: Accounting) -> Self {
        self.plan.accounting = Some(accounting);
        self
    }

    /// Spawns the task. Once started it stays on its thread.
    ///
    /// After the shutdown began the closure is dropped at once and [`JoinHandle::join`] says cancelled.
    ///
    /// # Errors
    /// The limit on live tasks is reached, memory was refused, the stack size is 0 or above 1 GiB, or a reserved task finds
    /// no [reservation](crate::Builder::bound_workers).
    /// The closure is dropped. (A stack refused by the system later is an error of the join.)
    pub fn spawn<F, T>(self, closure: F) -> Result<JoinHandle<T>, SpawnError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        join::handle(self.scheduler.core().spawn(&self.plan, closure))
    }

    pub(crate) fn into_parts(self) -> (Scheduler, Plan) {
        (self.scheduler, self.plan)
    }
}
