//! A task as the runtime sees it: the record behind `IHostTask`.
//!
//! | made by | runs on | begins | ends |
//! |---|---|---|---|
//! | `CreateTask` | a mobile task of the scheduler | with `Start` | when its function has returned |
//! | a task of the scheduler that the runtime asks about | that task | at once | with it |
//! | adoption | an OS thread that is none of the scheduler's | at once | when the thread ends, or is released |
//!
//! Whatever ends it, the runtime's task is told so on it (`ExitTask`), once, with nothing left on its stack of transitions;
//! only then do those who joined it go on.
//!
//! The object lives as long as somebody refers to it; the task itself does from `Start` to its end. One that is released
//! without having been started gives up, and its function is never called.
#![forbid(unsafe_code)]

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use fiberhost_scheduler::sync::ManualResetEvent;
use fiberhost_scheduler::{Heed, Priority, TaskRef, Wake};
use parking_lot::Mutex;

use crate::alert::{self, Alerts};
use crate::com::clr::ICLRTask;
use crate::com::host::IHostTask;
use crate::com::{
    ComRef, Hresult, INFINITE, THREAD_PRIORITY_ABOVE_NORMAL, THREAD_PRIORITY_BELOW_NORMAL,
    THREAD_PRIORITY_IDLE, THREAD_PRIORITY_NORMAL, THREAD_PRIORITY_TIME_CRITICAL, WAIT_OPTION,
    WeakRef,
};
use crate::current;
use crate::deadlock::{Broken, Edge};
use crate::host::Shared;
use crate::lent::Lent;
use crate::sync::{heed_alerts_alone, interrupted, limit};
use crate::transition::State;

/// How a task came to be one of the runtime's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `CreateTask`.
    Created,
    /// A worker of the thread pool.
    Worker,
    /// A task of the scheduler that came to the runtime by itself.
    Entered,
    /// An OS thread that is none of the scheduler's.
    Adopted,
}

/// How a task is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Abort {
    /// As by an exception.
    Orderly = 1,
    /// Whatever code that skips.
    Rude = 2,
}

const UNSTARTED: u8 = 0;
const STARTED: u8 = 1;
const GIVEN_UP: u8 = 2;

pub(crate) struct Task {
    pub(crate) host: Arc<Shared>,
    kind: Kind,
    object: WeakRef<dyn IHostTask>,
    scheduler: OnceLock<TaskRef>,
    begun: AtomicU8,
    /// Set when it may run, or is to give up.
    gate: ManualResetEvent,
    /// Its own reference to its object, between `Start` and the moment when it begins.
    begins_with: Mutex<Option<ComRef<dyn IHostTask>>>,
    ended: ManualResetEvent,
    /// The same, for those who must not lock. Set before it.
    over: AtomicBool,
    alerts: Alerts,
    clr_task: Mutex<Option<ICLRTask>>,
    /// Whether there is one, for those who would only find none. Written under that lock.
    has_clr_task: AtomicBool,
    priority: AtomicI32,
    locale: AtomicU32,
    ui_locale: AtomicU32,
    /// Bytes of its stack that it has beyond what was asked for, and how many of them are promised.
    stack_reserve: u32,
    stack_guarantee: AtomicU32,
    /// It has an OS thread of its own, whose stack is never switched.
    has_thread: bool,
    delays_abort: AtomicBool,
    delayed: AtomicU8,
    lent: Lent,
    /// Where it is between managed and unmanaged code, for those who look on: its state in the two low bits, and how many
    /// hooks are open. Written by the task.
    transition: AtomicU64,
}

impl Task {
    /// A task that nobody runs yet, and its object.
    pub(crate) fn new(
        host: &Arc<Shared>,
        kind: Kind,
        stack_reserve: u32,
        has_thread: bool,
    ) -> (Arc<Task>, ComRef<dyn IHostTask>) {
        let begun = match kind {
            Kind::Created => UNSTARTED,
            Kind::Worker | Kind::Entered | Kind::Adopted => STARTED,
        };
        let mut made = None;
        let object = ComRef::new_cyclic(host.gate, |object| {
            let task = Arc::new(Task {
                host: Arc::clone(host),
                kind,
                object,
                scheduler: OnceLock::new(),
                begun: AtomicU8::new(begun),
                gate: ManualResetEvent::new(false),
                begins_with: Mutex::new(None),
                ended: ManualResetEvent::new(false),
                over: AtomicBool::new(false),
                alerts: Alerts::new(),
                clr_task: Mutex::new(None),
                has_clr_task: AtomicBool::new(false),
                priority: AtomicI32::new(THREAD_PRIORITY_NORMAL),
                locale: AtomicU32::new(0),
                ui_locale: AtomicU32::new(0),
                stack_reserve,
                stack_guarantee: AtomicU32::new(0),
                has_thread,
                delays_abort: AtomicBool::new(false),
                delayed: AtomicU8::new(0),
                lent: Lent::new(),
                transition: AtomicU64::new(State::Base as u64),
            });
            made = Some(Arc::clone(&task));
            Arc::new(Face(task))
        });
        (made.expect("the object was made with it"), object)
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn has_thread(&self) -> bool {
        self.has_thread
    }

    /// Says which task of the scheduler it is, and takes over how urgent that is. Once.
    pub(crate) fn runs_as(&self, task: TaskRef) {
        self.priority
            .store(number(task.priority()), Ordering::Relaxed);
        let first = self.scheduler.set(task).is_ok();
        debug_assert!(first, "a task is one task of the scheduler");
    }

    pub(crate) fn lent(&self) -> &Lent {
        &self.lent
    }

    /// How urgent it is, by the numbers of Win32.
    pub(crate) fn priority_number(&self) -> i32 {
        self.priority.load(Ordering::Relaxed)
    }

    pub(crate) fn alerts(&self) -> &Alerts {
        &self.alerts
    }

    pub(crate) fn scheduler_task(&self) -> Option<&TaskRef> {
        self.scheduler.get()
    }

    /// The first thing on a created task: waits until it is started. `None`: it is to end at once.
    pub(crate) fn wait_for_start(&self) -> Option<ComRef<dyn IHostTask>> {
        let wake = self.gate.wait_heeding(None, Heed::Cancel);
        let object = self.begins_with.lock().take();
        if wake == Wake::Signalled {
            object
        } else {
            None
        }
    }

    pub(crate) fn clr_task(&self) -> Option<ICLRTask> {
        self.clr_task.lock().clone()
    }

    /// Ties the runtime's task to it. The answer is to be dropped without a lock: the runtime may call back.
    pub(crate) fn tie(&self, task: ICLRTask) -> Option<ICLRTask> {
        if let Some(me) = self.scheduler.get() {
            self.host.quanta.insert(me, &task);
        }
        let mut tied = self.clr_task.lock();
        // Relaxed: only the task itself ties and takes.
        self.has_clr_task.store(true, Ordering::Relaxed);
        tied.replace(task)
    }

    /// Whether the runtime has a side of it. Exact for the task itself.
    pub(crate) fn has_clr_task(&self) -> bool {
        self.has_clr_task.load(Ordering::Relaxed)
    }

    pub(crate) fn take_clr_task(&self) -> Option<ICLRTask> {
        if let Some(me) = self.scheduler.get() {
            self.host.quanta.remove(me);
        }
        let mut tied = self.clr_task.lock();
        self.has_clr_task.store(false, Ordering::Relaxed);
        tied.take()
    }

    /// Nothing runs on it any more, and nothing will.
    pub(crate) fn finish(&self) {
        // Release: pairs with the acquire in `is_over`.
        self.over.store(true, Ordering::Release);
        self.ended.set();
        self.host.overseer.note_end();
        self.forget_beginning();
    }

    /// One that was started too late does not keep its own object.
    fn forget_beginning(&self) {
        let object = self.begins_with.lock().take();
        drop(object);
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.is_set()
    }

    /// Whether nobody waits for its end any more. It neither locks nor waits.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    pub(crate) fn is_started(&self) -> bool {
        self.begun.load(Ordering::Acquire) == STARTED
    }

    #[inline]
    pub(crate) fn publish(&self, state: State, depth: u64) {
        // Relaxed: for those who look on.
        self.transition
            .store(depth << 2 | state as u64, Ordering::Relaxed);
    }

    pub(crate) fn transition(&self) -> (State, u64) {
        let transition = self.transition.load(Ordering::Relaxed);
        (State::from_bits(transition as u8 & 3), transition >> 2)
    }

    pub(crate) fn set_locale(&self, locale: u32) {
        self.locale.store(locale, Ordering::Relaxed);
    }

    pub(crate) fn set_ui_locale(&self, locale: u32) {
        self.ui_locale.store(locale, Ordering::Relaxed);
    }

    /// What was said last of the culture, and of the user interface's.
    pub(crate) fn locales(&self) -> (u32, u32) {
        let load = |locale: &AtomicU32| locale.load(Ordering::Relaxed);
        (load(&self.locale), load(&self.ui_locale))
    }

    pub(crate) fn stack_guarantee(&self) -> Result<u32, Hresult> {
        if self.stack_reserve == 0 {
            return Err(Hresult::E_NOTIMPL);
        }
        Ok(self.stack_guarantee.load(Ordering::Relaxed))
    }

    /// It never shrinks. What the stack was not made for is refused.
    pub(crate) fn guarantee_stack(&self, bytes: u32) -> Result<(), Hresult> {
        match self.stack_reserve {
            0 => Err(Hresult::E_NOTIMPL),
            reserve if bytes > reserve => Err(Hresult::E_INVALIDARG),
            _ => {
                self.stack_guarantee.fetch_max(bytes, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    pub(crate) fn delay_abort(&self) -> Result<(), Hresult> {
        match self.delays_abort.swap(true, Ordering::AcqRel) {
            true => Err(Hresult::E_UNEXPECTED),
            false => Ok(()),
        }
    }

    /// An abort that was asked for meanwhile is delivered now.
    pub(crate) fn end_delay(&self) -> Result<(), Hresult> {
        if !self.delays_abort.swap(false, Ordering::AcqRel) {
            return Err(Hresult::E_UNEXPECTED);
        }
        match self.delayed.swap(0, Ordering::AcqRel) {
            0 => {}
            1 => self.deliver(Abort::Orderly)?,
            _ => self.deliver(Abort::Rude)?,
        }
        Ok(())
    }

    /// Asks the runtime to end it, now or when it does not delay that any more.
    pub(crate) fn abort(&self, abort: Abort) -> Result<(), Hresult> {
        if self.delays_abort.load(Ordering::Acquire) {
            self.delayed.fetch_max(abort as u8, Ordering::AcqRel);
            // The delay may have ended in between: whoever takes the request delivers it.
            if self.delays_abort.load(Ordering::Acquire)
                || self.delayed.swap(0, Ordering::AcqRel) == 0
            {
                return Ok(());
            }
        }
        self.deliver(abort)
    }

    fn deliver(&self, abort: Abort) -> Result<(), Hresult> {
        // Not with the lock: the runtime calls back.
        let task = self.clr_task().ok_or(Hresult::HOST_E_INVALIDOPERATION)?;
        match abort {
            Abort::Orderly => task.abort(),
            Abort::Rude => task.rude_abort(),
        }
        .map(drop)
    }

    /// Whom a wait for its end waits for, unless it is the caller's own: that ends by its limit or by an alert, or never.
    fn edge_of_join(self: &Arc<Self>) -> Option<Edge> {
        let is_own =
            current::known(&self.host).is_some_and(|caller| std::ptr::eq(caller.task(), &**self));
        let task = self.scheduler.get().filter(|_| !is_own)?;
        Some(Edge::End(Arc::clone(self), task.clone()))
    }

    fn is_caller(&self) -> bool {
        current::find(&self.host).is_some_and(|caller| std::ptr::eq(caller.task(), self))
    }
}

/// The numbers of Win32 in the three classes of the scheduler.
fn urgency(priority: i32) -> Priority {
    match priority {
        ..THREAD_PRIORITY_NORMAL => Priority::Low,
        THREAD_PRIORITY_NORMAL => Priority::Normal,
        _ => Priority::High,
    }
}

/// The other way round, for a task that was there before the runtime knew of it.
fn number(priority: Priority) -> i32 {
    match priority {
        Priority::Low => THREAD_PRIORITY_BELOW_NORMAL,
        Priority::Normal => THREAD_PRIORITY_NORMAL,
        Priority::High => THREAD_PRIORITY_ABOVE_NORMAL,
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("kind", &self.kind)
            .field("task", &self.scheduler.get())
            .finish_non_exhaustive()
    }
}

/// What the object consists of. It goes when nobody refers to the object any more, which the record itself outlives.
#[derive(Debug)]
pub(crate) struct Face(Arc<Task>);

impl Face {
    pub(crate) fn record(&self) -> &Task {
        &self.0
    }

    fn begin(&self, begun: u8) -> bool {
        self.0
            .begun
            .compare_exchange(UNSTARTED, begun, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }
}

impl Drop for Face {
    fn drop(&mut self) {
        if self.begin(GIVEN_UP) {
            self.0.gate.set();
        }
    }
}

impl IHostTask for Face {
    /// Everything that could fail was done by `CreateTask`.
    fn start(&self) -> Result<(), Hresult> {
        let task = &self.0;
        let object = task.object.upgrade().ok_or(Hresult::E_UNEXPECTED)?;
        if task.kind != Kind::Created || !self.begin(STARTED) {
            return Err(Hresult::HOST_E_INVALIDOPERATION);
        }
        *task.begins_with.lock() = Some(object);
        task.gate.set();
        // Either this is seen by the one who finished it, or that by us.
        if task.has_ended() {
            task.forget_beginning();
        }
        Ok(())
    }

    /// A latch: it stays until an alertable wait takes it.
    fn alert(&self) -> Result<(), Hresult> {
        self.0.alerts.raise(self.0.scheduler.get());
        Ok(())
    }

    /// The caller may be the task itself: then it ends by its limit or by an alert, or never.
    fn join(&self, milliseconds: u32, option: WAIT_OPTION) -> Result<(), Hresult> {
        let ended = &self.0.ended;
        if ended.is_set() {
            return Ok(());
        }
        if milliseconds == 0 {
            return Err(Hresult::HOST_E_TIMEOUT);
        }
        let heed = heed_alerts_alone(option);
        let host = &self.0.host;
        let wait = |limit, heed| ended.wait_heeding(limit, heed);
        let waited = match self.0.edge_of_join().filter(|_| milliseconds == INFINITE) {
            Some(edge) => alert::wait_for_owner(host, heed, edge, option.may_be_broken(), wait),
            None => Ok(alert::wait(host, limit(milliseconds), heed, wait)),
        };
        let result = match waited.map_err(|Broken| Hresult::HOST_E_DEADLOCK)? {
            Wake::Signalled => Ok(()),
            Wake::TimedOut => Err(Hresult::HOST_E_TIMEOUT),
            Wake::Alerted if ended.is_set() => {
                // The end counts, and the alert goes back.
                alert::put_back(host);
                Ok(())
            }
            Wake::Alerted => Err(Hresult::HOST_E_INTERRUPTED),
            // There is no result that says "your own scheduler ends", and the target may still run.
            Wake::Aborted => Err(Hresult::HOST_E_ABANDONED),
        };
        result.map_err(interrupted)
    }

    fn set_priority(&self, priority: i32) -> Result<(), Hresult> {
        let priority = priority.clamp(THREAD_PRIORITY_IDLE, THREAD_PRIORITY_TIME_CRITICAL);
        self.0.priority.store(priority, Ordering::Relaxed);
        if let Some(task) = self.0.scheduler.get() {
            task.set_priority(urgency(priority));
        }
        Ok(())
    }

    fn priority(&self) -> Result<i32, Hresult> {
        Ok(self.0.priority_number())
    }

    /// Only the task itself may say so.
    fn set_clr_task(&self, task: ICLRTask) -> Result<(), Hresult> {
        if !self.0.is_caller() || self.0.has_ended() {
            return Err(Hresult::HOST_E_INVALIDOPERATION);
        }
        let before = self.0.tie(task);
        // Released without the lock: the runtime may call back.
        drop(before);
        Ok(())
    }
}
