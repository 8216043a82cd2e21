//! Scopes: tasks that borrow from their spawner's stack.
//!
//! Room for unsafe code: the claim that what is borrowed outlives the tasks.

mod packet;

use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::builder::Builder;
use crate::current;
use crate::join::{self, JoinError, JoinHandle, TaskRef};
use crate::park::{self, Limit};
use crate::primitive::{AtomicUsize, For, Ordering, SpinLock};
use crate::scheduler::{Core, SpawnError};
use crate::suspend::Arm;
use crate::sync::wait_list::WaitList;
use crate::task::Task;
use crate::task::payload::contain;
use crate::wait::{Interrupt, WaitReason};
use packet::Packet;

/// Spawns tasks that may borrow from the caller; see [`scope`].
pub struct Scope<'scope, 'env: 'scope> {
    shared: &'scope Shared,
    core: *const Core,
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

/// On the stack of the scope's owner, which waits until nobody uses it any more.
struct Shared {
    /// Tasks that have not ended, and one for the owner.
    left: AtomicUsize,
    /// Panics that nobody has taken with a join.
    panicked: AtomicUsize,
    owner: SpinLock<WaitList>,
}

// SAFETY: the core is alive while the scope's owner, one of its tasks, is inside `scope`; the rest is shared by design.
unsafe impl Sync for Scope<'_, '_> {}
// SAFETY: as above.
unsafe impl Send for Scope<'_, '_> {}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}

/// Runs `work`, which may spawn tasks that borrow from the caller, and waits for all of them, as [`std::thread::scope`].
///
/// That wait is not cancellable, not alertable, has no limit, and goes on during a shutdown: what the tasks borrow must stay.
///
/// ```
/// let sum = fiberhost_scheduler::run(|| {
///     let numbers = vec![1, 2, 3, 4];
///     let (low, high) = numbers.split_at(2);
///     fiberhost_scheduler::scope(|scope| {
///         let low = scope.spawn(|| low.iter().sum::<i32>());
///         let high = scope.spawn(|| high.iter().sum::<i32>());
///         low.join().unwrap() + high.join().unwrap()
///     })
/// });
/// assert_eq!(sum, 10);
/// ```
///
/// # Panics
/// With `work`'s own panic; if a task panicked whose handle was not joined; and outside a task.
pub fn scope<'env, F, T>(work: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    let (thread, _) = current::within().expect("scope is for tasks");
    let shared = Shared {
        left: AtomicUsize::new(1),
        panicked: AtomicUsize::new(0),
        owner: SpinLock::new(For::Scope, WaitList::new()),
    };
    let scope = Scope {
        shared: &shared,
        core: thread.core(),
        scope: PhantomData,
        env: PhantomData,
    };
    let result = catch_unwind(AssertUnwindSafe(|| work(&scope)));
    shared.wait();
    match result {
        Err(panic) => resume_unwind(panic),
        Ok(_) if shared.panicked.load(Ordering::Relaxed) > 0 => panic!("a scoped task panicked"),
        Ok(value) => value,
    }
}

impl Shared {
    /// One task less. The last one wakes the owner, under the lock: after it is released nothing here is touched.
    fn leave(&self) {
        let mut owner = self.owner.lock();
        // AcqRel: what each task did is visible to the owner.
        let last = self.left.fetch_sub(1, Ordering::AcqRel) == 1;
        let woken = if last { owner.claim_first() } else { None };
        drop(owner);
        if let Some(task) = woken {
            crate::runnable::make_runnable(task);
        }
    }

    fn wait(&self) {
        {
            let _owner = self.owner.lock();
            self.left.fetch_sub(1, Ordering::AcqRel);
        }
        let publish = |task: &'static Task, arm: Arm| {
            let mut owner = self.owner.lock();
            if self.left.load(Ordering::Acquire) == 0 {
                return None;
            }
            let epoch = arm.arm(task);
            owner.push(&task.node, task, epoch, 0);
            Some(epoch)
        };
        park::wait_listed(
            WaitReason::Scope,
            Limit::Never,
            Interrupt::Never,
            publish,
            |task| self.owner.lock().remove(&task.node),
        );
        // The last task may still hold the lock with which it woke us.
        drop(self.owner.lock());
    }
}

/// Counts its task out, however it ends: run, panicked, aborted, or dropped without having run.
struct Leave<'scope>(&'scope Shared);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl<'scope> Scope<'scope, '_> {
    /// Spawns a task that may borrow what lives longer than the scope.
    ///
    /// # Panics
    /// If memory is refused or the limit on live tasks is reached.
    pub fn spawn<F, T>(&'scope self, closure: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        self.try_spawn(closure)
            .unwrap_or_else(|error| panic!("spawn: {error}"))
    }

    /// The same, with an error instead of a panic.
    ///
    /// # Errors
    /// As for [`TaskBuilder::spawn`](crate::TaskBuilder::spawn).
    pub fn try_spawn<F, T>(
        &'scope self,
        closure: F,
    ) -> Result<ScopedJoinHandle<'scope, T>, SpawnError>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let (packet, own) = Packet::pair().ok_or_else(SpawnError::no_memory)?;
        self.shared.left.fetch_add(1, Ordering::Relaxed);
        let body = Body {
            closure,
            packet: own,
            leave: Leave(self.shared),
        };
        // SAFETY: the scope's owner is inside `scope`, so its scheduler is alive.
        let core = unsafe { &*self.core };
        let handle = join::handle(core.spawn_usual(move || body.run()))?;
        Ok(ScopedJoinHandle {
            handle,
            packet,
            shared: self.shared,
        })
    }
}

/// What a scoped task is made of. If it never runs, the fields go in this order: the count last.
struct Body<'scope, F, T> {
    closure: F,
    packet: Packet<T>,
    leave: Leave<'scope>,
}

impl<F: FnOnce() -> T, T> Body<'_, F, T> {
    fn run(self) {
        let Body {
            closure,
            packet,
            leave,
        } = self;
        // The closure, and all that it borrows, is gone when this returns.
        let result = catch_unwind(AssertUnwindSafe(closure));
        let aborted = matches!(&result, Err(panic) if park::is_abort(&**panic));
        if result.is_err() && !aborted {
            leave.0.panicked.fetch_add(1, Ordering::Relaxed);
        }
        packet.put(result);
        // If the handle is gone, the result goes here, before the count. Its destructor may panic.
        contain(|| drop(packet));
        drop(leave);
    }
}

/// The right to a scoped task's result.
pub struct ScopedJoinHandle<'scope, T> {
    handle: JoinHandle<()>,
    packet: Packet<T>,
    shared: &'scope Shared,
}

impl<T> ScopedJoinHandle<'_, T> {
    /// Waits for the task and takes its result. A panic that is taken this way does not make the scope panic.
    ///
    /// # Errors
    /// As for [`JoinHandle::join`].
    pub fn join(self) -> Result<T, JoinError> {
        self.handle.join()?;
        let result = self
            .packet
            .take()
            .expect("a scoped task that ended well has put its result there");
        result.map_err(|panic| {
            if !park::is_abort(&*panic) {
                self.shared.panicked.fetch_sub(1, Ordering::Relaxed);
            }
            park::ended_by(panic)
        })
    }

    /// The task.
    pub fn task(&self) -> &TaskRef {
        self.handle.task()
    }

    /// Whether the task has ended.
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }
}

impl<T> fmt::Debug for ScopedJoinHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle.fmt(f)
    }
}

/// Runs a closure as the first task of a scheduler with all defaults, and shuts that down afterwards.
///
/// ```
/// let answer = fiberhost_scheduler::run(|| {
///     let task = fiberhost_scheduler::spawn(|| 6 * 7);
///     task.join().unwrap()
/// });
/// assert_eq!(answer, 42);
/// ```
///
/// # Panics
/// With the closure's panic, and if the system refuses threads.
pub fn run<F, T>(closure: F) -> T
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let scheduler = Builder::new()
        .build()
        .unwrap_or_else(|error| panic!("no scheduler: {error}"));
    scheduler.run(closure)
}

/// Spawns a task on the scheduler of the calling task; see [`Scheduler::spawn`](crate::Scheduler::spawn).
///
/// # Panics
/// Outside a task, if memory is refused, or if the limit on live tasks is reached.
#[inline]
pub fn spawn<F, T>(closure: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let spawned = match current::running() {
        Some((thread, _)) => thread.core().spawn_from(thread, closure),
        None => {
            let within = current::within();
            let (thread, _) = within.expect("spawn is for tasks; elsewhere use Scheduler::spawn");
            thread.core().spawn_unusual(closure)
        }
    };
    join::handle(spawned).unwrap_or_else(|error| panic!("spawn: {error}"))
}
