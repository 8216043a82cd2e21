//! Who calls: the task of the runtime that the calling task or thread is, and what belongs to it alone.
//!
//! What is kept here is kept with the task of the scheduler (or with the OS thread that is none of its), once for each host,
//! so nothing of it is ever looked at by somebody else, and it goes along when the task moves:
//!
//! - the count of thread affinity, which there may be before there is a task, and which an adoption takes over;
//! - the stack of transitions;
//! - what holds the task on its thread because of the two.
//!
//! # What the hooks are to the scheduler
//!
//! | edge | is |
//! |---|---|
//! | leave | a native section begins: the slot can be taken from now on |
//! | enter | it ends: the task waits for a slot, if its slot was taken |
//! | call from native | a callback: the task has a slot again, and waits as a task that owns its thread |
//! | call from base or managed | the same without a section around it: only the thread is kept |
//! | end of a call | the section around it goes on, if there is one |
#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use fiberhost_scheduler::{ThreadAlerts, native, task_local, thread_alerts, try_current};

use crate::com::host::IHostTask;
use crate::com::{ComRef, Hresult, sections};
use crate::host::Shared;
use crate::task::{Kind, Task};
use crate::transition::{Edge, Edges, Frames, State};

/// One for each host that the caller has to do with.
type List = RefCell<Vec<Rc<Here>>>;

#[derive(Default)]
struct Kept(List);

task_local! {
    static KEPT: Kept = Kept::default();
    /// While `KEPT` of a task is going: the runtime is told of the end, and asks who calls.
    static GOING: List = List::default();
}

thread_local! {
    /// The same for an OS thread, whose own part of `KEPT` is out of reach by then.
    static THREAD_GOING: List = const { RefCell::new(Vec::new()) };
}

/// Calls from unmanaged code that need no memory beyond the task's own.
const CALLBACKS_AT_START: usize = 4;

/// What one host keeps with a task or thread.
struct Here {
    host: u64,
    affinity: Cell<u32>,
    affinity_hold: RefCell<Option<native::Own>>,
    current: RefCell<Option<Rc<Current>>>,
}

/// The calling task of the runtime.
pub(crate) struct Current {
    task: Arc<Task>,
    object: ComRef<dyn IHostTask>,
    frames: RefCell<Frames>,
    /// What the scheduler has said of each frame of a call.
    callbacks: RefCell<Vec<native::Begun>>,
    /// It stays on its thread for good: its runtime cannot switch it.
    for_life: RefCell<Option<native::Own>>,
    /// The runtime was told that it is switched out, or is being told.
    pub(crate) switched: Cell<bool>,
    ended: Cell<bool>,
    /// The unmanaged function that was called last and has neither returned nor called back, if that is of interest.
    away: Cell<Option<(usize, Instant)>>,
    /// Of an adopted thread, whose waits are to heed alerts.
    alerts: RefCell<Option<ThreadAlerts>>,
}

/// Looks where it is kept. `None`: the task is so near its end that nothing is kept for it any more.
#[inline]
fn look<R>(work: impl FnOnce(&List) -> R) -> Option<R> {
    let mut work = Some(work);
    let mut once = |list: &List| (work.take().expect("one of them does it"))(list);
    match KEPT.try_with(|kept| once(&kept.0)) {
        Ok(result) => Some(result),
        Err(_) => look_again(once),
    }
}

#[cold]
fn look_again<R>(mut once: impl FnMut(&List) -> R) -> Option<R> {
    if let Ok(result) = GOING.try_with(&mut once) {
        return Some(result);
    }
    if try_current().is_some() {
        return None;
    }
    THREAD_GOING.try_with(once).ok()
}

fn here(host: &Shared) -> Option<Rc<Here>> {
    look(|list| {
        let list = list.borrow();
        list.iter().find(|here| here.host == host.id).cloned()
    })?
}

fn here_or_new(host: &Shared) -> Option<Rc<Here>> {
    here(host).or_else(|| {
        let here = Rc::new(Here {
            host: host.id,
            affinity: Cell::new(0),
            affinity_hold: RefCell::new(None),
            current: RefCell::new(None),
        });
        look(|list| list.borrow_mut().push(Rc::clone(&here)))?;
        Some(here)
    })
}

fn forget(host: &Shared) {
    let forgotten = look(|list| {
        let mut list = list.borrow_mut();
        let at = list.iter().position(|here| here.host == host.id);
        at.map(|at| list.swap_remove(at))
    });
    drop(forgotten);
}

/// The caller, if it is a task of the runtime already.
#[inline]
pub(crate) fn known(host: &Shared) -> Option<Rc<Current>> {
    look(|list| {
        let list = list.borrow();
        let here = list.iter().find(|here| here.host == host.id)?;
        here.current.borrow().clone()
    })?
}

/// The caller. A task of the scheduler becomes one of the runtime's by being asked about; an OS thread does not.
#[inline]
pub(crate) fn find(host: &Arc<Shared>) -> Option<Rc<Current>> {
    known(host).or_else(|| enter(host))
}

#[cold]
fn enter(host: &Arc<Shared>) -> Option<Rc<Current>> {
    let task = try_current()?;
    let (record, object) = Task::new(host, Kind::Entered, 0, false);
    record.runs_as(task);
    become_current(record, object)
}

/// The calling OS thread becomes a task. What it counted before stays counted.
pub(crate) fn adopt(host: &Arc<Shared>) -> Option<Rc<Current>> {
    let alerts = thread_alerts();
    let (record, object) = Task::new(host, Kind::Adopted, 0, true);
    record.runs_as(alerts.thread().clone());
    let current = become_current(record, object)?;
    *current.alerts.borrow_mut() = Some(alerts);
    Some(current)
}

/// The caller is this task from now on.
pub(crate) fn become_current(
    task: Arc<Task>,
    object: ComRef<dyn IHostTask>,
) -> Option<Rc<Current>> {
    let here = here_or_new(&task.host)?;
    let current = Rc::new(Current {
        task,
        object,
        frames: RefCell::new(Frames::new()),
        callbacks: RefCell::new(Vec::with_capacity(CALLBACKS_AT_START)),
        for_life: RefCell::new(None),
        switched: Cell::new(false),
        ended: Cell::new(false),
        away: Cell::new(None),
        alerts: RefCell::new(None),
    });
    *here.current.borrow_mut() = Some(Rc::clone(&current));
    Some(current)
}

/// The caller's task ends, with all that was kept for it. Whoever joins it goes on when nothing is left.
pub(crate) fn end(host: &Shared) {
    let task = known(host).map(|current| {
        current.end();
        Arc::clone(current.record())
    });
    forget(host);
    if let Some(task) = task {
        task.finish();
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let list = std::mem::take(&mut *self.0.borrow_mut());
        if list.is_empty() {
            return;
        }
        let ending = list.clone();
        if look(|going| *going.borrow_mut() = list).is_none() {
            return;
        }
        let mut tasks = Vec::new();
        for here in ending {
            let current = here.current.borrow().clone();
            if let Some(current) = current {
                current.end();
                tasks.push(Arc::clone(current.record()));
            }
        }
        drop(look(RefCell::take));
        for task in tasks {
            task.finish();
        }
    }
}

/// Thread affinity, which also counts where there is no task.
pub(crate) fn begin_affinity(host: &Shared) -> Result<(), Hresult> {
    let here = here_or_new(host).ok_or(Hresult::E_UNEXPECTED)?;
    let count = here.affinity.get();
    here.affinity
        .set(count.checked_add(1).ok_or(Hresult::E_UNEXPECTED)?);
    if count == 0 {
        *here.affinity_hold.borrow_mut() = Some(native::own());
    }
    Ok(())
}

pub(crate) fn end_affinity(host: &Shared) -> Result<(), Hresult> {
    let here = here(host).ok_or(Hresult::E_UNEXPECTED)?;
    let left = here
        .affinity
        .get()
        .checked_sub(1)
        .ok_or(Hresult::E_UNEXPECTED)?;
    here.affinity.set(left);
    if left == 0 {
        here.affinity_hold.borrow_mut().take();
        if here.current.borrow().is_none() {
            forget(host);
        }
    }
    Ok(())
}

pub(crate) fn affinity(host: &Shared) -> u32 {
    here(host).map_or(0, |here| here.affinity.get())
}

impl Current {
    pub(crate) fn task(&self) -> &Task {
        &self.task
    }

    pub(crate) fn record(&self) -> &Arc<Task> {
        &self.task
    }

    pub(crate) fn object(&self) -> &ComRef<dyn IHostTask> {
        &self.object
    }

    pub(crate) fn state(&self) -> State {
        self.frames.borrow().state()
    }

    /// Whether its thread is its own at this moment.
    pub(crate) fn is_pinned(&self) -> bool {
        self.state() != State::Base
            || affinity(&self.task.host) > 0
            || self.for_life.borrow().is_some()
    }

    /// From now on it does not leave its thread, and nobody else runs there.
    pub(crate) fn keep_thread_for_life(&self) {
        self.for_life.borrow_mut().get_or_insert_with(native::own);
    }

    /// One hook: the stack first, then the scheduler, with nothing borrowed.
    pub(crate) fn hook(
        &self,
        hook: impl FnOnce(&mut Frames) -> Result<Edge, Hresult>,
    ) -> Result<(), Hresult> {
        let edge = {
            let mut frames = self.frames.borrow_mut();
            let edge = hook(&mut frames)?;
            if matches!(edge, Edge::Call { .. })
                && self.callbacks.borrow_mut().try_reserve(1).is_err()
            {
                // Refused as if it had never been pushed: nobody was told of it.
                let _ = frames.reverse_leave()?;
                return Err(Hresult::E_OUTOFMEMORY);
            }
            self.task.publish(frames.state(), frames.depth());
            edge
        };
        edge.tell(self);
        Ok(())
    }

    /// Nothing is left on the stack of transitions, and the runtime is told.
    fn end(&self) {
        if self.ended.replace(true) {
            return;
        }
        let mut left = 0_u32;
        loop {
            let edge = self.frames.borrow_mut().discard_one();
            let Some(edge) = edge else { break };
            edge.tell(self);
            left += 1;
        }
        self.task.publish(State::Base, 0);
        if left > 0 {
            self.task.host.figures.note_frames_left();
        }
        if let Some(clr_task) = self.task.take_clr_task()
            && clr_task.exit_task().is_err()
        {
            self.task.host.figures.note_failed_exit();
        }
    }
}

/// The edges in the scheduler's words. The frames nest, and so do what is opened and closed here.
impl Edges for Current {
    fn leave(&self, target: usize) {
        if self.task.host.learned.is_some() {
            self.away.set(Some((target, Instant::now())));
        }
        sections::leave();
    }

    fn enter(&self, _target: usize) {
        if let Some(learned) = &self.task.host.learned
            && let Some((target, since)) = self.away.take()
        {
            learned.note_return(target, since.elapsed());
        }
        sections::enter();
    }

    fn call(&self, from: State) {
        if from == State::Native
            && let Some(learned) = &self.task.host.learned
            && let Some((target, _)) = self.away.take()
        {
            learned.note_callback(target);
        }
        // Nothing is borrowed while it waits for a slot.
        let begun = sections::call();
        self.callbacks.borrow_mut().push(begun);
    }

    fn end_call(&self, _to: State) {
        let begun = self.callbacks.borrow_mut().pop();
        sections::end_call(begun.expect("a frame of a call was pushed with it"));
    }
}
