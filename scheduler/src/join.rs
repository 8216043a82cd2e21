//! The end of a task: its result, who waits for it, and the handles by which others reach it.
//!
//! Room for unsafe code: taking a result by its type, and the joiner's address in the life word.

mod error;

use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::time::Duration;

use crate::current::{any, running, within};
use crate::park::{self, Limit};
use crate::runnable::{make_runnable, make_runnable_from};
use crate::scheduler::SpawnError;
use crate::stats::LedgerFacts;
use crate::suspend::{Arm, FOREVER};
use crate::sync::lock_waits::{self, Place, What};
use crate::task::state::{Epoch, Stand};
use crate::task::{Kind, Priority, Task, flag, release, release_empty};
use crate::thread::Thread;
use crate::wait::{Interrupt, WaitReason, Wake};

pub use error::JoinError;

/// The end of a task that never ran, wherever it was given up, or of a plain thread.
pub(crate) fn complete(task: &'static Task) {
    complete_from(crate::current::thread(), task);
}

/// The end of a task, on a worker's stack.
#[inline(always)]
pub(crate) fn complete_from(here: Option<&'static Thread>, task: &'static Task) {
    let end = task.life.end();
    if end.joiner != 0 {
        wake_joiner(here, end.joiner);
    }
    if end.many {
        return complete_many(task);
    }
    if end.last {
        task.recycle();
    }
}

#[inline(always)]
fn wake_joiner(here: Option<&'static Thread>, joiner: usize) {
    // SAFETY: only addresses of records stand in the life word.
    let joiner = unsafe { Task::at(joiner) };
    joiner.wait.end_joined();
    make_runnable_from(here, joiner);
}

#[cold]
fn complete_many(task: &'static Task) {
    // The twin that a model must catch: the record may be another task's while its list is served.
    let early = cfg!(feature = "bug_join_release");
    if early {
        release(task);
    }
    loop {
        let joiner = task.joiners.lock().claim_first();
        let Some(joiner) = joiner else { break };
        make_runnable(joiner);
    }
    #[cfg(feature = "futures")]
    crate::future::wake_joiner(task);
    if !early {
        release(task);
    }
}

/// Waits for the end of a task, and tells nobody that it does.
pub(crate) fn wait_for_end(task: &'static Task, limit: Limit, allow: Interrupt) -> Wake {
    if task.life.is_done() {
        return Wake::Signalled;
    }
    let waited = wait_for_end_as::<true>(running(), task, limit, allow);
    waited.expect("it need not stand in the table")
}

/// The same for a caller who has asked who runs here.
///
/// One joiner without a time limit stands in the life word itself; others, and those with a limit, in the list.
/// `None`: it has no limit and does not stand in the table of waits, and ought to, since the task has started.
#[inline(always)]
fn wait_for_end_as<const STANDS: bool>(
    here: Option<(&'static Thread, &'static Task)>,
    task: &'static Task,
    limit: Limit,
    allow: Interrupt,
) -> Option<Wake> {
    let endless = matches!(limit, Limit::Never);
    let publish = |me, arm| publish::<STANDS>(task, me, arm, endless);
    let take_back = |me| step_back(task, me);
    let waited = park::wait_listed_as(here, WaitReason::Join, limit, allow, publish, take_back);
    if task.life.is_done() {
        return Some(Wake::Signalled);
    }
    debug_assert!(
        !STANDS || waited.wake != Wake::Signalled,
        "only the end of the task signals"
    );
    (waited.wake != Wake::Signalled).then_some(waited.wake)
}

/// Puts the joiner where the end of the task will find it. `None`: the task has ended, or the joiner has to stand in the table
/// of waits first (`STANDS`: it does, or need not). `endless`: it has no limit of its own.
#[inline(always)]
pub(crate) fn publish<const STANDS: bool>(
    task: &'static Task,
    me: &'static Task,
    arm: Arm,
    endless: bool,
) -> Option<Epoch> {
    if !arm.is_exclusive() {
        return stand_in_list(task, me, arm, endless, STANDS);
    }
    // Whom a deadlock would go through.
    me.set_joins(task);
    let epoch = arm.arm(me);
    match task.life.stand(me.address()) {
        // The look comes after the stand: see `sync/lock_waits/notes.rs`.
        Stand::There if !STANDS && task.kind() == Kind::Started => step_away(task, me, epoch),
        Stand::There => Some(epoch),
        Stand::Done => give_up(me, epoch),
        Stand::Taken => stand_armed_in_list(task, me, epoch, STANDS),
    }
}

#[cold]
fn stand_in_list(
    task: &'static Task,
    me: &'static Task,
    arm: Arm,
    endless: bool,
    stands: bool,
) -> Option<Epoch> {
    let endless = endless && me.deadline.get() == FOREVER;
    match endless {
        true => me.set_joins(task),
        false => me.set_joins_for_a_time(task),
    }
    let mut list = task.joiners.lock();
    if !task.life.announce_list() && !cfg!(feature = "bug_join_announce") {
        return None;
    }
    // A note says nothing of a thread that its joiner keeps.
    if endless && !stands && (task.kind() == Kind::Started || me.keeps_its_thread()) {
        return None;
    }
    let epoch = arm.arm(me);
    list.push(&me.node, me, epoch, 0);
    Some(epoch)
}

#[cold]
fn stand_armed_in_list(
    task: &'static Task,
    me: &'static Task,
    epoch: Epoch,
    stands: bool,
) -> Option<Epoch> {
    let mut list = task.joiners.lock();
    if !task.life.announce_list() || !stands && task.kind() == Kind::Started {
        return give_up(me, epoch);
    }
    list.push(&me.node, me, epoch, 0);
    Some(epoch)
}

/// It stands where it must not: out of there, unless somebody has its wait already.
#[cold]
fn step_away(task: &'static Task, me: &'static Task, epoch: Epoch) -> Option<Epoch> {
    if task.life.step_back(me.address()) {
        give_up(me, epoch)
    } else {
        Some(epoch)
    }
}

/// Those who wait for the end of this task, which has started: all that stand there when it looks. Some may go meanwhile.
pub(crate) fn each_joiner(task: &'static Task, mut each: impl FnMut(&'static Task)) {
    let (joiner, many) = task.life.joiners();
    if joiner != 0 {
        // SAFETY: only addresses of records stand in the life word.
        each(unsafe { Task::at(joiner) });
    }
    if many {
        task.joiners.lock().for_each(each);
    }
}

/// The task is done, or the joiner has stepped away: the wait that was armed and stands nowhere is taken back.
#[cold]
fn give_up(me: &'static Task, epoch: Epoch) -> Option<Epoch> {
    let mine = me.wait.disarm(epoch);
    assert!(
        mine,
        "an exclusive wait that stands nowhere is its task's alone"
    );
    None
}

#[cold]
pub(crate) fn step_back(task: &'static Task, me: &'static Task) -> bool {
    task.life.step_back(me.address()) || task.joiners.lock().remove(&me.node)
}

/// A task, by which others reach it: to look at it, wake it, stop it, wait for it. Cloning it is cheap.
///
/// It keeps the task's record, not the task: a task goes on when all its references are gone.
pub struct TaskRef {
    task: &'static Task,
}

impl TaskRef {
    /// Takes a reference of its own. The caller has one, or the task is the caller.
    pub(crate) fn keep(task: &'static Task) -> TaskRef {
        task.life.keep();
        TaskRef { task }
    }

    /// A reference to a task of which the caller has none. `None`: it has ended.
    pub(crate) fn find(task: &'static Task) -> Option<TaskRef> {
        let kept = task.life.try_keep();
        // Made only if a reference was taken: its drop gives one back.
        (kept || cfg!(feature = "bug_life_find"))
            .then(|| TaskRef { task })
            .filter(|_| kept)
    }

    /// The task's record, kept as long as this reference.
    pub(crate) fn record(&self) -> &'static Task {
        self.task
    }

    /// The task's number, unique in the process.
    pub fn id(&self) -> u64 {
        self.task.id.get()
    }

    /// The task's name, if it was given one.
    pub fn name(&self) -> Option<Arc<str>> {
        self.task.name()
    }

    /// The priority by which it is queued.
    pub fn priority(&self) -> Priority {
        self.task.own_priority()
    }

    /// Changes the priority; it counts from the next time the task is queued.
    pub fn set_priority(&self, priority: Priority) {
        self.task.set_priority(priority);
    }

    /// What it waits for, as far as can be told from outside.
    pub fn wait_reason(&self) -> WaitReason {
        self.task.reason()
    }

    /// Whether it has ended.
    pub fn is_finished(&self) -> bool {
        self.task.life.is_done()
    }

    /// How many bytes of its stack it used, from the top to the lowest byte that it wrote. `None` before its end, if it did
    /// not run, and if the scheduler does not [measure](crate::Builder::measure_stacks) stacks.
    ///
    /// Part of it is the scheduler's: 2 KiB, below which nothing is told apart, and up to 2 KiB by which the tops of stacks
    /// are shifted.
    pub fn stack_used(&self) -> Option<usize> {
        self.is_finished().then(|| self.task.stack_used()).flatten()
    }

    /// Where its time has gone, until now or until its end. `None` if nobody asked for that: see
    /// [`TaskBuilder::accounting`](crate::TaskBuilder::accounting).
    pub fn ledger(&self) -> Option<LedgerFacts> {
        let ledger = self.task.ledger()?;
        Some(ledger.of(self.id(), self.task.name()))
    }

    /// Gives it the permit of [`park`](crate::park).
    pub fn unpark(&self) {
        park::unpark(self.task);
    }

    /// Ends one wait of the task with [`Wake::Alerted`]: the one that is on, or the next one that can be alerted.
    pub fn alert(&self) {
        self.task
            .interrupt(flag::ALERT, Interrupt::Alert, Wake::Alerted);
    }

    /// Asks the task to end: its waits, from now on, return [`Wake::Aborted`] where they can say so.
    /// Waits that cannot (`Mutex::lock`) go on.
    pub fn cancel(&self) {
        self.task
            .interrupt(flag::CANCEL, Interrupt::Abort, Wake::Aborted);
    }

    /// Ends the task: its wait, or the next one, unwinds it, and [`JoinHandle::join`] says cancelled.
    ///
    /// Destructors run, on the task's own thread. Code that catches the unwinding is unwound again at its next wait.
    /// A task that does not wait is not interrupted; one that has not started ends at its first wait.
    /// A scope's wait for its children is not cut short.
    pub fn abort(&self) {
        self.task
            .interrupt(flag::ABORT, Interrupt::Unwind, Wake::Aborted);
    }

    /// Waits for the end of the task. Several may do so.
    ///
    /// # Errors
    /// [`JoinError::is_deadlock`] if the task is the caller; [`JoinError::is_interrupted`] if the wait was alerted or
    /// cancelled.
    pub fn wait(&self) -> Result<(), JoinError> {
        self.wait_limited(Limit::Never).map(drop)
    }

    /// The same with a time limit. `false`: the limit passed.
    ///
    /// # Errors
    /// As for [`wait`](TaskRef::wait).
    pub fn wait_for(&self, limit: Duration) -> Result<bool, JoinError> {
        self.wait_limited(Limit::After(limit))
    }

    #[inline(always)]
    fn wait_limited(&self, limit: Limit) -> Result<bool, JoinError> {
        if self.task.life.is_done() {
            return Ok(true);
        }
        let here = running();
        let Some((_, me)) = here else {
            return self.wait_blocking(limit);
        };
        if std::ptr::eq(self.task, me) {
            return Err(JoinError::itself());
        }
        // One that has not started waits for nobody; when it comes to wait itself, it notes who joins it.
        if matches!(limit, Limit::Never) && self.task.kind() == Kind::Started {
            return self.wait_standing();
        }
        self.wait_as(here, me, limit)
    }

    /// The same for a plain thread, and for a task in a native section, which blocks its thread.
    #[cold]
    #[inline(never)]
    fn wait_blocking(&self, limit: Limit) -> Result<bool, JoinError> {
        let me = any();
        if std::ptr::eq(self.task, me) {
            return Err(JoinError::itself());
        }
        // From the record of a thread is not to be seen what the task has that blocks it: it is not to be noted.
        let is_noted = self.task.kind() != Kind::Started && within().is_none();
        if matches!(limit, Limit::Never) && !is_noted {
            return self.wait_standing();
        }
        self.wait_as(None, me, limit)
    }

    #[inline(always)]
    fn wait_as(
        &self,
        here: Option<(&'static Thread, &'static Task)>,
        me: &'static Task,
        limit: Limit,
    ) -> Result<bool, JoinError> {
        match wait_for_end_as::<false>(here, self.task, limit, Interrupt::Alert) {
            Some(Wake::Signalled) => Ok(true),
            Some(wake) => unsignalled(me, wake),
            None => self.wait_standing(),
        }
    }

    #[inline(never)]
    fn wait_standing(&self) -> Result<bool, JoinError> {
        let wait = |place: &Place<'_>| {
            if place.enter() {
                return Err(JoinError::interrupted(Wake::Aborted));
            }
            let waited = wait_for_end(self.task, Limit::Never, Interrupt::Alert);
            match park::check(waited) {
                Wake::Signalled => Ok(true),
                wake => Err(JoinError::interrupted(wake)),
            }
        };
        let what = (What::End(self.task), true);
        let has_it = |ended: &Result<bool, JoinError>| ended.is_ok();
        lock_waits::wait(what, Limit::Never, Interrupt::Alert, wait, has_it)
            .unwrap_or_else(|deadlock| Err(JoinError::of_circle(deadlock)))
    }
}

/// A join that ended before the task did. `me`: whose it was.
#[cold]
fn unsignalled(me: &'static Task, wake: Wake) -> Result<bool, JoinError> {
    let broken = match wake {
        Wake::Aborted => lock_waits::broken_join(me),
        _ => None,
    };
    match (park::check(wake), broken) {
        (Wake::TimedOut, _) => Ok(false),
        (_, Some(circle)) => Err(JoinError::of_circle(circle)),
        (wake, None) => Err(JoinError::interrupted(wake)),
    }
}

impl Clone for TaskRef {
    fn clone(&self) -> Self {
        TaskRef::keep(self.task)
    }
}

impl Drop for TaskRef {
    #[inline]
    fn drop(&mut self) {
        release(self.task);
    }
}

impl PartialEq for TaskRef {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.task, other.task)
    }
}

impl Eq for TaskRef {}

impl fmt::Debug for TaskRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskRef")
            .field("id", &self.id())
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

/// The calling task. On a plain thread, a reference by which others can [unpark](TaskRef::unpark) that thread; it has ended
/// when the thread has.
pub fn current() -> TaskRef {
    TaskRef::keep(any())
}

/// The calling task, if the caller is one.
pub fn try_current() -> Option<TaskRef> {
    within().map(|(_, task)| TaskRef::keep(task))
}

/// The number of the worker that runs the calling task, from 0; those that are
/// [reserved](crate::Builder::bound_workers) have numbers of their own, from 0 too. A mobile task may get another answer after every wait.
/// `None` on a thread that is no worker.
#[inline]
pub fn current_worker() -> Option<usize> {
    within().map(|(thread, _)| thread.index)
}

/// The right to a task's result. Dropping it lets the task go on alone.
pub struct JoinHandle<T> {
    task: TaskRef,
    result: PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinHandle").field(&self.task).finish()
    }
}

/// A handle for a task that was spawned with a closure that returns `T`: it takes over the spawner's reference.
#[inline(always)]
pub(crate) fn handle<T>(
    spawned: Result<&'static Task, SpawnError>,
) -> Result<JoinHandle<T>, SpawnError> {
    spawned.map(|task| JoinHandle {
        task: TaskRef { task },
        result: PhantomData,
    })
}

impl<T> JoinHandle<T> {
    /// Waits for the task and takes its result. From a task it parks, from a plain thread it blocks.
    ///
    /// # Errors
    /// The task panicked, was aborted or could not start; the task is the caller; or the caller's wait was alerted or
    /// cancelled, and then the task goes on without a handle.
    #[inline]
    pub fn join(self) -> Result<T, JoinError> {
        match self.task.wait_limited(Limit::Never) {
            Ok(_) => {
                let result = self.take();
                release_empty(ManuallyDrop::new(self.task).task);
                result
            }
            Err(error) => Err(error),
        }
    }

    /// The same with a time limit.
    ///
    /// # Errors
    /// The handle itself, if the limit passed first. Inside, as for [`join`](JoinHandle::join).
    pub fn join_for(self, limit: Duration) -> Result<Result<T, JoinError>, JoinHandle<T>> {
        match self.task.wait_limited(Limit::After(limit)) {
            Ok(true) => Ok(self.take()),
            Ok(false) => Err(self),
            Err(error) => Ok(Err(error)),
        }
    }

    #[inline(always)]
    pub(crate) fn take(&self) -> Result<T, JoinError> {
        // SAFETY: the handle was made for a closure that returns `T`, and the task is done. It is taken once: the payload
        // looks.
        unsafe { self.task.task.payload.take::<T>() }
    }

    /// Whether the task has ended.
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    /// The task.
    pub fn task(&self) -> &TaskRef {
        &self.task
    }

    /// Ends the task: see [`TaskRef::abort`].
    pub fn abort(&self) {
        self.task.abort();
    }
}
