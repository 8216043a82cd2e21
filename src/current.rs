//! Who calls: the task of the runtime that the calling task or thread is, and what belongs to it alone.
//!
//! What is kept here is kept with the task of the scheduler (or with the OS thread that is none of its), once for each host,
//! so nothing of it is ever looked at by somebody else, and it goes along when the task moves:
//!
//! - the count of thread affinity, which there may be before there is a task, and which an adoption takes over;
//! - for whom it acts (`security`);
//! - the stack of transitions;
//! - what holds the task on its thread because of the two.
//!
//! The host that asks first finds its own without a search (`Quick`), since the hooks ask all the time: it takes no lock,
//! counts no reference and allocates nothing. Others, and a host whose task has ended here before, search the list.
//!
//! # What the hooks are to the scheduler
//!
//! | edge | is |
//! |---|---|
//! | leave | a native section begins: the slot can be taken from now on |
//! | enter | it ends: the task waits for a slot, if its slot was taken |
//! | call from native | a callback: the task has a slot again, and waits as a task that owns its thread; if none comes free in time, it goes on without one, and the section around it goes on too |
//! | call from base or managed | the same without a section around it: only the thread is kept |
//! | end of a call | the section around it goes on, if there is one |
#![forbid(unsafe_code)]

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use fiberhost_scheduler::{ThreadAlerts, native, task_local, thread_alerts, try_current};

use crate::clock;
use crate::com::host::IHostTask;
use crate::com::{ComRef, Hresult, sections};
use crate::functions;
use crate::host::Shared;
use crate::security::Identity;
use crate::task::{Kind, Task};
use crate::transition::{Edge, Edges, Frames, State};

/// One for each host that the caller has to do with.
type List = RefCell<Vec<Rc<Here>>>;

#[derive(Default)]
struct Kept {
    quick: Quick,
    list: List,
}

fn address(host: &Shared) -> usize {
    std::ptr::from_ref(host).addr()
}

/// What the list has of one host as well. It is filled once.
#[derive(Default)]
struct Quick {
    /// The address of what its parts share, which the task below keeps there; 0: of none.
    host: Cell<usize>,
    current: OnceCell<Rc<Current>>,
}

impl Quick {
    fn remember(&self, host: &Shared, current: &Rc<Current>) {
        if self.current.set(Rc::clone(current)).is_ok() {
            self.host.set(address(host));
        }
    }

    #[inline(always)]
    fn find(&self, host: *const Shared) -> Option<&Rc<Current>> {
        if self.host.get() == host.addr() {
            self.current.get()
        } else {
            None
        }
    }

    fn forget(&self, host: &Shared) {
        if self.host.get() == address(host) {
            self.host.set(0);
        }
    }
}

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
    identity: Cell<Identity>,
    affinity: Rc<Cell<u32>>,
    affinity_hold: RefCell<Option<native::Own>>,
    current: RefCell<Option<Rc<Current>>>,
}

/// The calling task of the runtime.
pub(crate) struct Current {
    task: Arc<Task>,
    /// Until it has ended.
    object: RefCell<Option<ComRef<dyn IHostTask>>>,
    frames: Frames,
    /// The count that is kept with it.
    affinity: Rc<Cell<u32>>,
    /// What the scheduler has said of each frame of a call.
    callbacks: RefCell<Vec<native::Begun>>,
    /// The last of these has no slot, so what waits there blocks the thread.
    without_slot: Cell<bool>,
    /// It stays on its thread for good: its runtime cannot switch it.
    for_life: RefCell<Option<native::Own>>,
    /// The runtime was told that it is switched out, or is being told.
    pub(crate) switched: Cell<bool>,
    ended: Cell<bool>,
    /// Something is learned of unmanaged functions.
    learns: bool,
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
    match KEPT.try_with(|kept| once(&kept.list)) {
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
            identity: Cell::default(),
            affinity: Rc::default(),
            affinity_hold: RefCell::new(None),
            current: RefCell::new(None),
        });
        look(|list| list.borrow_mut().push(Rc::clone(&here)))?;
        Some(here)
    })
}

fn forget(host: &Shared) {
    // While all of it goes there is nothing quick any more.
    let _ = KEPT.try_with(|kept| kept.quick.forget(host));
    let forgotten = look(|list| {
        let mut list = list.borrow_mut();
        let at = list.iter().position(|here| here.host == host.id);
        at.map(|at| list.swap_remove(at))
    });
    drop(forgotten);
}

/// Does something with the caller, if it is a task of the runtime already. It is not counted, so it is quick.
///
/// The caller is borrowed meanwhile. It may wait, but it neither ends nor becomes a task.
///
/// By the host's address alone, for those who have no more of it.
#[inline(always)]
pub(crate) fn with_quick<R>(host: *const Shared, work: impl FnOnce(&Current) -> R) -> Option<R> {
    let found = KEPT.try_with(|kept| kept.quick.find(host).map(|current| work(current)));
    found.ok()?
}

/// The usual `LeaveRuntime`, from the base or a callback of a task that was found quickly: all of it in a few dozen instructions.
/// `false`: it is another one, and nothing has happened.
#[inline(always)]
pub(crate) fn leave_quickly(host: &Shared, target: usize) -> bool {
    sections::leave_if(&KEPT, move |kept| {
        let called = functions::known(target)?;
        let current = kept.quick.find(host)?;
        current.is_usual_leave(target).then_some(called)
    })
}

/// The `EnterRuntime` that takes it back.
#[inline(always)]
pub(crate) fn enter_quickly(host: &Shared) -> bool {
    sections::enter_if(&KEPT, move |kept| {
        let current = kept.quick.find(host);
        current.is_some_and(|current| current.is_usual_enter())
    })
}

/// Whether the caller is a task that may give its thread away in a wait without anybody being told: the usual one of a runtime
/// that has no side of it yet. `false` also if that is not found at once.
#[inline]
pub(crate) fn waits_quietly(host: &Shared) -> bool {
    with_quick(host, |current| {
        let task = current.task();
        !current.blocks_thread() && task.kind() != Kind::Adopted && !task.has_clr_task()
    })
    .unwrap_or(false)
}

/// The caller, if it is a task of the runtime already.
#[inline]
pub(crate) fn known(host: &Shared) -> Option<Rc<Current>> {
    let quick = KEPT.try_with(|kept| kept.quick.find(host).cloned());
    quick.ok().flatten().or_else(|| search(host))
}

#[cold]
fn search(host: &Shared) -> Option<Rc<Current>> {
    let found = look(|list| {
        let list = list.borrow();
        let here = list.iter().find(|here| here.host == host.id)?;
        here.current.borrow().clone()
    })??;
    let _ = KEPT.try_with(|kept| kept.quick.remember(host, &found));
    Some(found)
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
        learns: task.host.learned.is_some(),
        affinity: Rc::clone(&here.affinity),
        task,
        object: RefCell::new(Some(object)),
        frames: Frames::new(),
        callbacks: RefCell::new(Vec::with_capacity(CALLBACKS_AT_START)),
        without_slot: Cell::new(false),
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
    let current = known(host);
    if let Some(current) = &current {
        current.end();
    }
    forget(host);
    if let Some(current) = current {
        current.release_object();
        current.task().finish();
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let list = std::mem::take(&mut *self.list.borrow_mut());
        if list.is_empty() {
            return;
        }
        let ending = list.clone();
        if look(|going| *going.borrow_mut() = list).is_none() {
            return;
        }
        let mut ended = Vec::new();
        for here in ending {
            let current = here.current.borrow().clone();
            if let Some(current) = current {
                current.end();
                ended.push(current);
            }
        }
        drop(look(RefCell::take));
        for current in ended {
            current.release_object();
            current.task().finish();
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
        here.forget_if_unused(host);
    }
    Ok(())
}

/// For whom the caller acts.
pub(crate) fn identity(host: &Shared) -> Identity {
    here(host).map_or(Identity::default(), |here| here.identity.get())
}

/// The caller acts for somebody else from now on, also where there is no task.
pub(crate) fn set_identity(host: &Shared, identity: Identity) -> Result<(), Hresult> {
    let found = if identity == Identity::default() {
        here(host)
    } else {
        Some(here_or_new(host).ok_or(Hresult::E_UNEXPECTED)?)
    };
    if let Some(here) = found {
        here.identity.set(identity);
        here.forget_if_unused(host);
    }
    Ok(())
}

impl Here {
    /// What is kept with a thread that is no task goes with the last thing that is kept.
    fn forget_if_unused(&self, host: &Shared) {
        let kept = self.affinity.get() > 0 || self.identity.get() != Identity::default();
        if !kept && self.current.borrow().is_none() {
            forget(host);
        }
    }
}

impl Current {
    pub(crate) fn task(&self) -> &Task {
        &self.task
    }

    pub(crate) fn record(&self) -> &Arc<Task> {
        &self.task
    }

    /// None once it has ended.
    #[inline]
    pub(crate) fn object(&self) -> Option<ComRef<dyn IHostTask>> {
        self.object.borrow().clone()
    }

    fn release_object(&self) {
        let object = self.object.borrow_mut().take();
        drop(object);
    }

    pub(crate) fn state(&self) -> State {
        self.frames.state()
    }

    /// Whether a wait blocks its thread: in unmanaged code, and in a callback from there that has no slot.
    pub(crate) fn blocks_thread(&self) -> bool {
        self.state() == State::Native || self.without_slot.get()
    }

    /// Whether its thread is its own at this moment.
    pub(crate) fn is_pinned(&self) -> bool {
        self.state() != State::Base || self.affinity.get() > 0 || self.for_life.borrow().is_some()
    }

    /// From now on it does not leave its thread, and nobody else runs there.
    pub(crate) fn keep_thread_for_life(&self) {
        self.for_life.borrow_mut().get_or_insert_with(native::own);
    }

    /// Notes a leave that needs no more than to be told to the scheduler, if this is one.
    #[inline(always)]
    fn is_usual_leave(&self, target: usize) -> bool {
        let usual = !self.learns && self.frames.leave_at_once(target);
        if usual {
            self.task.publish(State::Native, self.frames.depth());
        }
        usual
    }

    /// The same for the enter after it.
    #[inline(always)]
    fn is_usual_enter(&self) -> bool {
        let usual = !self.learns && self.frames.enter_at_once();
        if usual {
            self.task.publish(self.frames.state(), self.frames.depth());
        }
        usual
    }

    /// One hook: the stack first, then the scheduler.
    #[inline(always)]
    pub(crate) fn hook(
        &self,
        hook: impl FnOnce(&Frames) -> Result<Edge, Hresult>,
    ) -> Result<(), Hresult> {
        let frames = &self.frames;
        let edge = hook(frames)?;
        if matches!(edge, Edge::Call { .. }) {
            self.make_room()?;
        }
        self.task.publish(frames.state(), frames.depth());
        edge.tell(self);
        Ok(())
    }

    /// For what the scheduler says of a call.
    fn make_room(&self) -> Result<(), Hresult> {
        if self.callbacks.borrow_mut().try_reserve(1).is_ok() {
            return Ok(());
        }
        // Refused as if it had never been pushed: nobody was told of it.
        let _ = self.frames.reverse_leave()?;
        Err(Hresult::E_OUTOFMEMORY)
    }

    /// Nothing is left on the stack of transitions, and the runtime is told.
    fn end(&self) {
        if self.ended.replace(true) {
            return;
        }
        let mut left = 0_u32;
        loop {
            let edge = self.frames.discard_one();
            let Some(edge) = edge else { break };
            edge.tell(self);
            left += 1;
        }
        self.task.publish(State::Base, 0);
        if left > 0 {
            self.task.host.figures.note_frames_left();
        }
        // Memory that goes with the task is given back before the runtime takes it away.
        self.task.host.end_transfers(&self.task);
        if let Some(clr_task) = self.task.take_clr_task()
            && clr_task.exit_task().is_err()
        {
            self.task.host.figures.note_failed_exit();
        }
    }
}

impl Current {
    #[cold]
    #[inline(never)]
    fn note_away(&self, target: usize) {
        self.away.set(Some((target, clock::now())));
    }

    /// The call that is noted as open has returned.
    #[cold]
    #[inline(never)]
    fn note_back(&self) {
        if let Some(learned) = &self.task.host.learned
            && let Some((target, since)) = self.away.take()
        {
            learned.note_return(target, since.elapsed());
        }
    }

    #[cold]
    fn note_callback(&self) {
        if let Some(learned) = &self.task.host.learned
            && let Some((target, _)) = self.away.take()
        {
            learned.note_callback(target);
        }
    }
}

/// The edges in the scheduler's words. The frames nest, and so do what is opened and closed here.
impl Edges for Current {
    #[inline(always)]
    fn leave(&self, target: usize) {
        if self.learns {
            self.note_away(target);
        }
        sections::leave(functions::target(target));
    }

    #[inline(always)]
    fn enter(&self, _target: usize) {
        if self.learns {
            self.note_back();
        }
        sections::enter();
    }

    fn call(&self, from: State) {
        if self.learns && from == State::Native {
            self.note_callback();
        }
        // It may wait for a slot: no list is borrowed meanwhile.
        let begun = sections::call(self.task.host.callback_patience);
        if !begun.has_slot() {
            self.task.host.figures.note_callback_without_slot();
        }
        self.without_slot.set(!begun.has_slot());
        self.callbacks.borrow_mut().push(begun);
    }

    fn end_call(&self, _to: State) {
        let mut callbacks = self.callbacks.borrow_mut();
        let begun = callbacks
            .pop()
            .expect("a frame of a call was pushed with it");
        let before = callbacks.last().is_some_and(|begun| !begun.has_slot());
        drop(callbacks);
        self.without_slot.set(before);
        sections::end_call(begun);
    }
}
