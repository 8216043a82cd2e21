//! From a closure to a task that stands in a queue.
//!
//! 1. admission, if there is a limit on live tasks;
//! 2. a record from the worker's magazine, or from the depot for a plain thread, and whatever else the task needs memory for;
//! 3. the closure goes into the record, the record into the slot's fresh queue, or the injector;
//! 4. if somebody is idle, the task is offered.
#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::sync::Arc;

use super::{Core, Phase};
use crate::current;
use crate::join;
use crate::primitive::{Ordering, fence};
use crate::simulation;
use crate::stats::coarse;
use crate::task::payload::Room;
use crate::task::{Backing, Kind, Priority, Task, pool, release};
use crate::thread::Thread;
use crate::wait::WaitReason;
use crate::watch::{self, Accounting};

/// Why a task could not be spawned.
#[derive(Debug)]
pub struct SpawnError(pub(super) Refusal);

#[derive(Debug)]
pub(super) enum Refusal {
    Limit(usize),
    Cancelled,
    Memory,
    NoReservation,
    Elsewhere,
    Stack(io::Error),
}

impl SpawnError {
    pub(crate) fn no_memory() -> SpawnError {
        SpawnError(Refusal::Memory)
    }

    /// The limit on live tasks is reached.
    pub fn is_limit(&self) -> bool {
        matches!(self.0, Refusal::Limit(_))
    }

    /// The spawning task was cancelled while it waited for room.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.0, Refusal::Cancelled)
    }

    /// Memory was refused.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self.0, Refusal::Memory)
    }

    /// The scheduler keeps no threads for bound tasks: see [`Builder::bound_workers`](crate::Builder::bound_workers).
    pub fn is_no_reservation(&self) -> bool {
        matches!(self.0, Refusal::NoReservation)
    }

    /// The scheduler is simulated (feature `simulate`), and the caller is not in its simulation.
    pub fn is_elsewhere(&self) -> bool {
        matches!(self.0, Refusal::Elsewhere)
    }

    /// The stack size asked for is impossible.
    pub fn is_invalid_stack_size(&self) -> bool {
        matches!(self.0, Refusal::Stack(_))
    }
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Refusal::Limit(max) => write!(f, "the limit of {max} live tasks is reached"),
            Refusal::Cancelled => {
                f.write_str("cancelled while waiting for room below the limit on live tasks")
            }
            Refusal::Memory => f.write_str("no memory for a task"),
            Refusal::NoReservation => f.write_str("the scheduler keeps no threads for bound tasks"),
            Refusal::Elsewhere => {
                f.write_str("a simulated scheduler is for the thread that built it")
            }
            Refusal::Stack(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for SpawnError {}

/// What a task is to be, apart from its closure.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) name: Option<Arc<str>>,
    pub(crate) priority: Priority,
    pub(crate) stack_size: Option<usize>,
    /// `None`: the scheduler's default.
    pub(crate) backing: Option<Backing>,
    pub(crate) mobile: bool,
    pub(crate) reserved: bool,
    pub(crate) span: Option<tracing::Span>,
    /// `None`: as the scheduler does.
    pub(crate) accounting: Option<Accounting>,
}

impl Plan {
    pub(crate) const fn new() -> Self {
        Plan {
            name: None,
            priority: Priority::Normal,
            stack_size: None,
            backing: None,
            mobile: false,
            reserved: false,
            span: None,
            accounting: None,
        }
    }
}

impl Core {
    /// Spawns a task like most: bound, of normal priority, on a stack of the default size.
    /// The caller vouches for what the closure borrows.
    #[inline(always)]
    pub(crate) fn spawn_usual<F, T>(&self, closure: F) -> Result<&'static Task, SpawnError>
    where
        F: FnOnce() -> T,
    {
        match current::thread() {
            Some(thread) if thread.belongs_to(self) => self.spawn_from(thread, closure),
            _ => self.spawn_unusual(closure),
        }
    }

    /// The same, on a worker of this scheduler.
    #[inline(always)]
    pub(crate) fn spawn_from<F, T>(
        &self,
        thread: &'static Thread,
        closure: F,
    ) -> Result<&'static Task, SpawnError>
    where
        F: FnOnce() -> T,
    {
        if self.watching.is_special() {
            return self.spawn_unusual(closure);
        }
        let Some(room) = Room::new() else {
            return Err(SpawnError(Refusal::Memory));
        };
        let Some(task) = thread.magazine.get() else {
            return self.spawn_unusual(closure);
        };
        task.set_up(Priority::Normal, false, Backing::Fiber);
        self.fill(
            task,
            0,
            thread.next_id(),
            thread.coarse.now(),
            room,
            closure,
        );
        self.queue_here(thread, task, true);
        Ok(task)
    }

    /// From a plain thread, a native section, another scheduler, or where something is special.
    #[cold]
    pub(crate) fn spawn_unusual<F, T>(&self, closure: F) -> Result<&'static Task, SpawnError>
    where
        F: FnOnce() -> T,
    {
        // Only a task whose builder says so is reserved. Without its principal this is being shut down, and will say so.
        match self.principal() {
            Some(principal) => principal.spawn(&Plan::new(), closure),
            None => self.spawn_here(&Plan::new(), closure),
        }
    }

    /// Spawns, where the task is to go. The caller vouches for what the closure borrows and, if `plan.mobile`, for what lies on its stack.
    pub(crate) fn spawn<F, T>(&self, plan: &Plan, closure: F) -> Result<&'static Task, SpawnError>
    where
        F: FnOnce() -> T,
    {
        if !plan.reserved {
            return self.spawn_here(plan, closure);
        }
        match self.reservation() {
            Some(reservation) => reservation.spawn_here(plan, closure),
            None => Err(SpawnError(Refusal::NoReservation)),
        }
    }

    fn spawn_here<F, T>(&self, plan: &Plan, closure: F) -> Result<&'static Task, SpawnError>
    where
        F: FnOnce() -> T,
    {
        if simulation::is_elsewhere(self) {
            return Err(SpawnError(Refusal::Elsewhere));
        }
        if simulation::refuses_spawn(self) {
            return Err(SpawnError(Refusal::Memory));
        }
        let class = self.class(plan)?;
        let Some(room) = Room::new() else {
            return Err(SpawnError(Refusal::Memory));
        };
        if self.has_limit() {
            self.admit()?;
        }
        let here = current::thread().filter(|thread| thread.belongs_to(self));
        let Some(task) = self.record(here, plan) else {
            if self.has_limit() {
                self.leave_admission();
            }
            return Err(SpawnError(Refusal::Memory));
        };
        if let Some(name) = &plan.name {
            task.extra_mut().name = Some(Arc::clone(name));
        }
        if let Some(span) = &plan.span {
            task.set_span(span.clone());
        }
        let (id, now) = match here {
            Some(thread) => (thread.next_id(), thread.coarse.now()),
            None => (pool::next_id_block(1), coarse::ticks(self.now())),
        };
        self.fill(task, class, id, now, room, closure);
        task.raise_fenced();
        if plan.accounting == Some(Accounting::Exact) {
            self.watching.ask();
        }
        if self.watching.is_special() {
            watch::spawned(self, here, task);
            simulation::note_spawn(self, task);
        }
        if let Some(span) = &plan.span {
            tracing::trace!(parent: span, "task spawned");
        }
        match here {
            Some(thread) => self.queue_here(thread, task, false),
            None => self.queue_outside(task),
        }
        Ok(task)
    }

    /// A free record, set up, with all that the plan wants memory for. `None`: it was refused, and nothing is kept.
    fn record(&self, here: Option<&'static Thread>, plan: &Plan) -> Option<&'static Task> {
        let task = match here {
            Some(thread) => thread.magazine.get(),
            None => pool::get(),
        }?;
        let backing = plan.backing.unwrap_or(self.settings.default_backing);
        // No reserved task leaves the thread on which it has started.
        task.set_up(plan.priority, plan.mobile && !plan.reserved, backing);
        let has_extra = plan.name.is_none() && plan.span.is_none() || task.make_extra();
        if has_extra && watch::book(self, task, plan.accounting) {
            return Some(task);
        }
        task.drop_extra();
        match here {
            Some(thread) => thread.magazine.put(task),
            None => pool::put(task),
        }
        None
    }

    /// Makes a task of a record that is the caller's alone.
    #[inline(always)]
    fn fill<F, T>(
        &self,
        task: &'static Task,
        stack_class: u8,
        id: u64,
        now: u32,
        room: Room<F, T>,
        closure: F,
    ) where
        F: FnOnce() -> T,
    {
        task.sp.set(0);
        task.flags.store(0, Ordering::Relaxed);
        task.permit.store(0, Ordering::Relaxed);
        task.release_holds();
        task.bound_to.store(0, Ordering::Relaxed);
        task.core.set(self);
        task.id.set(id);
        coarse::stamp(&task.spawned, now);
        task.set_reason(WaitReason::None);
        task.stack_class.set(stack_class);
        task.payload.fill(room, closure);
        task.life.begin(2);
        task.set_kind(Kind::Fresh);
    }

    #[cold]
    fn class(&self, plan: &Plan) -> Result<u8, SpawnError> {
        match plan.stack_size {
            None => Ok(0),
            Some(size) => self
                .stacks
                .class_for(size)
                .map_err(|error| SpawnError(Refusal::Stack(error))),
        }
    }

    /// `usual`: it is known to be of normal priority.
    #[inline(always)]
    fn queue_here(&self, thread: &Thread, task: &'static Task, usual: bool) {
        Thread::count(&thread.spawned);
        // Step 1 of the shutdown: the count, then the look.
        if !self.still_runs() {
            return self.refuse(task);
        }
        match usual {
            true => thread.slot().push_usual(task),
            false => thread.slot().push_fresh(task),
        }
        thread.look_soon();
        if self.idle.wants_work() {
            thread.offer();
        }
    }

    #[cold]
    fn queue_outside(&self, task: &'static Task) {
        if !cfg!(feature = "bug_spawn_count") {
            self.spawned_outside.fetch_add(1, Ordering::SeqCst);
        }
        fence(Ordering::SeqCst);
        if self.phase() != Phase::Running {
            return self.refuse(task);
        }
        if cfg!(feature = "bug_spawn_count") {
            self.spawned_outside.fetch_add(1, Ordering::SeqCst);
        }
        self.inject(task);
    }

    /// A task for a thread that exists already. It counts as started.
    pub(crate) fn admit_thread(&self, name: Option<Arc<str>>) -> io::Result<&'static Task> {
        let refused = |kind, why: &str| io::Error::new(kind, why.to_owned());
        if simulation::is_elsewhere(self) {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                SpawnError(Refusal::Elsewhere),
            ));
        }
        if self.has_limit() {
            self.admit()
                .map_err(|error| io::Error::new(io::ErrorKind::QuotaExceeded, error))?;
        }
        let Some(task) = self.record(None, &Plan::new()) else {
            if self.has_limit() {
                self.leave_admission();
            }
            return Err(refused(io::ErrorKind::OutOfMemory, "no memory for a task"));
        };
        task.set_up(Priority::Normal, false, Backing::Thread);
        if name.is_some() {
            task.extra_mut().name = name;
        }
        let id = pool::next_id_block(1);
        let room = Room::new().expect("a closure of nothing needs no memory");
        self.fill(task, 0, id, coarse::ticks(self.now()), room, || ());
        task.raise_fenced();
        if self.watching.is_special() {
            watch::spawned(self, None, task);
            simulation::note_spawn(self, task);
        }
        task.set_kind(Kind::Started);
        // As in `queue_outside`.
        self.spawned_outside.fetch_add(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if self.phase() != Phase::Running {
            self.refuse_thread(task);
            return Err(refused(
                io::ErrorKind::Other,
                "the scheduler is being shut down",
            ));
        }
        Ok(task)
    }

    /// Takes that back.
    pub(crate) fn refuse_thread(&self, task: &'static Task) {
        self.refuse(task);
        release(task);
    }

    /// The shutdown has begun: the closure is dropped here, on the caller, and join says cancelled.
    #[cold]
    fn refuse(&self, task: &'static Task) {
        task.payload.fail(join::JoinError::cancelled());
        self.end_outside(task);
        self.note_end();
    }

    /// The end of a task where something is special: there is a limit, or tasks are watched.
    #[cold]
    pub(crate) fn end_special(&self, here: &'static Thread, task: &'static Task) {
        if task.is_watched() {
            watch::ended(self, Some(here), task);
        }
        simulation::note_end(self, task);
        if self.has_limit() {
            self.leave_admission();
        }
    }

    /// Counted, and its place free, before a joiner knows.
    pub(super) fn end_outside(&self, task: &'static Task) {
        self.ended_outside.fetch_add(1, Ordering::AcqRel);
        if task.is_watched() {
            watch::ended(self, None, task);
        }
        simulation::note_end(self, task);
        if self.has_limit() {
            self.leave_admission();
        }
        join::complete(task);
    }
}
