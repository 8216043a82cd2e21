//! How a task stops until it is told: the wait that every primitive uses, `park`, `yield_now`, `sleep`, and time limits.
//!
//! Room for unsafe code: the one door off a stack.

use std::any::Any;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use crate::current::{self, FAIR_EVERY, Thread};
use crate::fiber::{self, YIELD};
use crate::freeze;
use crate::join::{JoinError, TaskRef};
use crate::local;
use crate::native;
use crate::pinned;
use crate::primitive::{Ordering, clock, simulated};
use crate::scheduler::Core;
use crate::simulation;
use crate::stats::waits;
use crate::suspend::{AT_ONCE, Arm, FOREVER, Listed, Settled, Wait, settle_word};
use crate::sync::lock_waits;
use crate::task::payload::contain;
use crate::task::state::{Ended, Epoch};
use crate::task::{Task, flag};
use crate::wait::{Heed, Interrupt, WaitReason, Wake};
use crate::watch;

/// When a wait gives up.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    Never,
    After(Duration),
}

/// How a wait ended, and whose it was: the task's, or the record of the thread that had to block instead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waited {
    pub(crate) wake: Wake,
    pub(crate) who: &'static Task,
}

impl Waited {
    #[inline(always)]
    fn new(who: &'static Task, ended: Ended) -> Self {
        Waited {
            wake: ended.wake,
            who,
        }
    }

    #[inline(always)]
    fn at_once(who: &'static Task) -> Self {
        Waited {
            wake: Wake::Signalled,
            who,
        }
    }
}

/// Waits until `publish` finds that what is waited for has happened, or until the wait it armed is ended.
///
/// `publish` runs on the worker's stack (for a plain thread: on its own). It looks under its lock; `None` means that it has
/// happened, otherwise it arms the task's wait, makes it findable, and returns its epoch.
/// It must neither panic nor call anything of the user's.
#[inline(always)]
pub(crate) fn wait<P>(reason: WaitReason, limit: Limit, allow: Interrupt, publish: P) -> Waited
where
    P: Fn(&'static Task, Interrupt) -> Option<Epoch>,
{
    let Some((thread, task)) = current::running() else {
        return wait_plainly(reason, limit, allow, &publish);
    };
    if simulated::panicking() {
        return native::unseen(|| wait_plainly(reason, limit, allow, &publish));
    }
    let owns = task.owns_its_thread();
    let allow = if owns {
        pinned::allowed(task, allow)
    } else {
        allow
    };
    let limit = match limit {
        // What nothing may interrupt, no enclosing `timeout` ends: a scope's children borrow from this stack.
        Limit::Never if allow == Interrupt::Never || task.deadline.get() == FOREVER => FOREVER,
        limit => deadline(thread.core(), task, limit),
    };
    let flags = task.flags.load(Ordering::Relaxed);
    if flags != 0 {
        if let Some(ended) = stopped(task, flags, allow) {
            return Waited::new(task, ended);
        }
        if flags & WATCHES != 0 {
            return wait_watched(thread, task, reason, limit, allow, &publish);
        }
    }
    wait_until(thread, task, reason, limit, allow, &publish)
}

/// What watches a task's wait.
const WATCHES: u32 = flag::SAMPLED | flag::WATCHED;

/// A wait that does not begin. `flags` are the task's as they were just now.
#[inline(always)]
fn stopped(task: &'static Task, flags: u32, allow: Interrupt) -> Option<Ended> {
    if flags & !WATCHES == 0 {
        return None;
    }
    simulated::point();
    interrupted(task, allow)
}

/// A wait of which the times are taken.
#[cold]
fn wait_watched<P>(
    thread: &'static Thread,
    task: &'static Task,
    reason: WaitReason,
    limit: u64,
    allow: Interrupt,
    publish: &P,
) -> Waited
where
    P: Fn(&'static Task, Interrupt) -> Option<Epoch>,
{
    let begun = watch::begin(thread, task, reason);
    let waited = wait_until(thread, task, reason, limit, allow, publish);
    watch::end(task, begun, waited.wake);
    waited
}

/// The wait itself. `limit` is a time of the scheduler's clock.
#[inline(always)]
fn wait_until<P>(
    thread: &'static Thread,
    task: &'static Task,
    reason: WaitReason,
    limit: u64,
    allow: Interrupt,
    publish: &P,
) -> Waited
where
    P: Fn(&'static Task, Interrupt) -> Option<Epoch>,
{
    waits::begin(thread, task, reason);
    let wait = Wait::new(publish, limit, allow);
    if task.owns_its_thread() {
        // SAFETY: as below.
        unsafe { settle_here(thread, task, wait.word()) };
    } else {
        // SAFETY: `running` says that we are on this task's stack and this thread runs it; the wait stays until we return.
        unsafe { fiber::suspend(thread, task, wait.word()) };
    }
    task.set_past_reason(reason);
    if wait.immediate.get() {
        return Waited::at_once(task);
    }
    let ended = task.ended();
    if limit != FOREVER || ended.wake != Wake::Signalled {
        after(task, ended, limit);
    }
    Waited::new(task, ended)
}

/// A wait of a task that does not leave its thread: settled here, and slept through with the thread (`pinned.rs`).
///
/// # Safety
/// `word` is the address of a wait on this stack, which is that of `task`; `task` runs on `thread`, which is the caller's.
#[cold]
unsafe fn settle_here(thread: &'static Thread, task: &'static Task, word: fiber::Word) {
    thread.look_before_wait();
    thread.bound.leave(task);
    Thread::count(&thread.settled_here);
    // SAFETY: the caller's promise; the task runs on only when it was woken.
    match unsafe { settle_word(word, thread, task) } {
        Settled::Parked => thread.sleep_with(task),
        Settled::Again => thread.went_on.set(true),
    }
}

/// As [`wait`], for what signals find in a list: without a time limit such a wait costs a signal no locked instruction of
/// its own (`freeze.rs`).
///
/// `publish` arms by what it is given. `take_back` takes the wait out of the list again, under its lock, and says whether it
/// was there; it is called for every wait that ended otherwise than by a signal, by an interrupter or by the waiter.
#[inline(always)]
pub(crate) fn wait_listed<P, W>(
    reason: WaitReason,
    limit: Limit,
    allow: Interrupt,
    publish: P,
    take_back: W,
) -> Waited
where
    P: Fn(&'static Task, Arm) -> Option<Epoch>,
    W: Fn(&'static Task) -> bool,
{
    wait_listed_as(current::running(), reason, limit, allow, publish, take_back)
}

/// The same for a caller who has asked who runs here, with nothing in between that could suspend.
#[inline(always)]
pub(crate) fn wait_listed_as<P, W>(
    here: Option<(&'static Thread, &'static Task)>,
    reason: WaitReason,
    limit: Limit,
    allow: Interrupt,
    publish: P,
    take_back: W,
) -> Waited
where
    P: Fn(&'static Task, Arm) -> Option<Epoch>,
    W: Fn(&'static Task) -> bool,
{
    match here {
        Some((thread, task))
            if matches!(limit, Limit::Never)
                && task.deadline.get() == FOREVER
                && !must_block(task) =>
        {
            let flags = task.flags.load(Ordering::Relaxed);
            if flags != 0 {
                if let Some(ended) = stopped(task, flags, allow) {
                    return Waited::new(task, ended);
                }
                if flags & WATCHES != 0 {
                    let begun = watch::begin(thread, task, reason);
                    let waited = wait_linked(thread, task, reason, allow, &publish, &take_back);
                    watch::end(task, begun, waited.wake);
                    return waited;
                }
            }
            wait_linked(thread, task, reason, allow, &publish, &take_back)
        }
        _ => wait_contended(reason, limit, allow, publish, take_back),
    }
}

/// The wait itself, of a task that may leave its thread.
#[inline(always)]
fn wait_linked<P, W>(
    thread: &'static Thread,
    task: &'static Task,
    reason: WaitReason,
    allow: Interrupt,
    publish: &P,
    take_back: &W,
) -> Waited
where
    P: Fn(&'static Task, Arm) -> Option<Epoch>,
    W: Fn(&'static Task) -> bool,
{
    waits::begin(thread, task, reason);
    let wait = Listed::new(publish, take_back, allow);
    // SAFETY: `running` says that we are on this task's stack and this thread runs it; the wait stays until we
    // return, and `pass` keeps us here while an interrupter is at it.
    unsafe { fiber::suspend(thread, task, wait.word()) };
    task.set_past_reason(reason);
    let at_once = wait.immediate.get();
    freeze::pass(task, at_once);
    if at_once {
        return Waited::at_once(task);
    }
    let ended = task.ended();
    if ended.wake != Wake::Signalled {
        after(task, ended, FOREVER);
    }
    Waited::new(task, ended)
}

#[cold]
fn wait_contended<P, W>(
    reason: WaitReason,
    limit: Limit,
    allow: Interrupt,
    publish: P,
    take_back: W,
) -> Waited
where
    P: Fn(&'static Task, Arm) -> Option<Epoch>,
    W: Fn(&'static Task) -> bool,
{
    let waited = wait(reason, limit, allow, |task, allow| {
        publish(task, Arm::contended(allow))
    });
    if waited.wake != Wake::Signalled {
        take_back(waited.who);
    }
    waited
}

/// Whether the task must not give its thread away now.
///
/// While it is panicking: suspending would carry the thread's panic count away, so it blocks. While it owns its thread:
/// nobody else may run there.
#[inline(always)]
fn must_block(task: &Task) -> bool {
    simulated::panicking() || task.owns_its_thread()
}

/// The earlier of the wait's own limit and the enclosing `timeout`'s.
#[cold]
fn deadline(core: &Core, task: &Task, limit: Limit) -> u64 {
    let own = match limit {
        Limit::Never => FOREVER,
        Limit::After(Duration::ZERO) => return AT_ONCE,
        Limit::After(limit) => core.after(limit),
    };
    own.min(task.deadline.get())
}

/// Whether a wait of this task that allows this is about to end, or would not begin, since somebody has interrupted it.
pub(crate) fn is_interrupted(task: &Task, allow: Interrupt) -> bool {
    stop_of(task.flags.load(Ordering::Acquire), allow).is_some()
}

/// How such flags end a wait that allows this.
fn stop_of(flags: u32, allow: Interrupt) -> Option<Wake> {
    let aborts = flags & flag::ABORT != 0 && flags & flag::UNWINDING == 0;
    match allow {
        Interrupt::Never => None,
        _ if aborts => Some(Wake::Aborted),
        Interrupt::Unwind => None,
        _ if flags & flag::CANCELS != 0 => Some(Wake::Aborted),
        Interrupt::Alert if flags & flag::ALERT != 0 => Some(Wake::Alerted),
        _ => None,
    }
}

/// Flags raised before the wait began.
#[cold]
fn interrupted(task: &'static Task, allow: Interrupt) -> Option<Ended> {
    let flags = task.flags.load(Ordering::Acquire);
    let broken = flags & flag::BREAK != 0 && allow != Interrupt::Never;
    let wake = if broken {
        Wake::Aborted
    } else {
        stop_of(flags, allow)?
    };
    if wake == Wake::Alerted {
        take_back_alert(task);
    }
    Some(Ended { wake, token: 0 })
}

/// The alert that has ended a wait, of the task itself.
#[cold]
fn take_back_alert(task: &'static Task) {
    lock_waits::ends_by_alert(task);
    task.lower(flag::ALERT);
}

/// What is left to do when a wait had a limit or ended otherwise than by a signal.
#[cold]
fn after(task: &'static Task, ended: Ended, limit: u64) {
    if limit != FOREVER
        && limit != AT_ONCE
        && ended.wake != Wake::TimedOut
        && let Some(thread) = current::thread()
    {
        thread.slot().cancel_timer(task);
    }
    if ended.wake == Wake::Alerted {
        take_back_alert(task);
    }
}

/// To be called by a primitive after it has undone what it published: unwinds if the wait's end asks for it.
#[inline(always)]
pub(crate) fn check(wake: Wake) -> Wake {
    if wake != Wake::Signalled {
        raise(wake);
    }
    wake
}

/// What an unwinding task carries: no panic, so no message is printed.
struct Aborted;
struct Elapsing;

#[cold]
fn raise(wake: Wake) {
    let Some((thread, task)) = current::running() else {
        if let Some(world) = simulated::here() {
            world.raise_verdict();
        }
        return;
    };
    if simulated::panicking() {
        return;
    }
    let flags = task.flags.load(Ordering::Acquire);
    if wake == Wake::Aborted && flags & flag::ABORT != 0 && pinned::may_unwind(task, flags) {
        simulation::note_panicking(true);
        resume_unwind(Box::new(Aborted));
    }
    if wake == Wake::TimedOut && task.deadline.get() <= thread.core().now() {
        simulation::note_panicking(true);
        resume_unwind(Box::new(Elapsing));
    }
}

/// Whether an unwinding is an abort's, not a panic.
pub(crate) fn is_abort(panic: &(dyn Any + Send)) -> bool {
    panic.is::<Aborted>()
}

/// Whether what [`catch_unwind`] has caught is no panic, but the unwinding of a task that was
/// [aborted](crate::TaskRef::abort) or whose [`timeout`] has passed.
///
/// For code at a boundary that nothing may unwind across. The task is unwound again at its next wait.
pub fn is_interruption(caught: &(dyn Any + Send)) -> bool {
    caught.is::<Aborted>() || caught.is::<Elapsing>()
}

/// What a task's closure ended by when it did not return.
pub(crate) fn ended_by(panic: Box<dyn Any + Send>) -> JoinError {
    if panic.is::<Aborted>() {
        JoinError::cancelled()
    } else {
        JoinError::panic(panic)
    }
}

/// The last thing on a task's stack: a result that nobody can take any more goes, and its locals.
///
/// The destructors are the user's and may wait, which they could not do on a worker's stack.
#[inline(always)]
pub(crate) fn finish(task: &'static Task) {
    if task.payload.has_result_to_drop() && task.life.is_forgotten() {
        finish_result(task);
    }
    if task.has_extra() {
        finish_extra(task);
    }
}

#[cold]
fn finish_result(task: &'static Task) {
    // An abort does not unwind destructors half-way.
    task.raise(flag::UNWINDING);
    task.payload.discard();
}

#[cold]
fn finish_extra(task: &'static Task) {
    task.raise(flag::UNWINDING);
    // No borrow is held while a destructor runs: it may use, and make, other values.
    while let Some(value) = local::pop(task) {
        // One that panics has printed its message, and does not keep the others from going.
        contain(|| drop(value));
    }
}

/// The same wait on a thread that is no task, or that may not suspend now: the thread sleeps in the kernel.
#[cold]
fn wait_plainly<P>(reason: WaitReason, limit: Limit, allow: Interrupt, publish: &P) -> Waited
where
    P: Fn(&'static Task, Interrupt) -> Option<Epoch>,
{
    let me = current::plain();
    // In a model a plain thread stands in for a task without a stack: it settles, and can be interrupted, like one.
    // So can one that has asked for it.
    let stands_in = cfg!(any(loom, shuttle)) || me.heeds();
    let allow = if stands_in { allow } else { Interrupt::Never };
    me.set_reason(reason);
    let waited = match publish(me, allow) {
        None => Waited::at_once(me),
        Some(epoch) if stands_in && me.missed_interrupt(epoch) => Waited::new(me, me.ended()),
        Some(epoch) => Waited::new(me, sleep_plainly(me, epoch, limit)),
    };
    if stands_in && waited.wake == Wake::Alerted {
        lock_waits::ends_by_alert(current::any());
        me.lower(flag::ALERT);
    }
    me.set_past_reason(reason);
    waited
}

fn sleep_plainly(me: &'static Task, epoch: Epoch, limit: Limit) -> Ended {
    sleep_until_called(me, limit, || me.wait.claim(epoch, Wake::TimedOut, 0));
    me.ended()
}

/// Sleeps in the kernel until called, or until the limit has passed and `give_up` makes sure that nobody will call.
/// Returns whether it was called.
///
/// Whoever ends such a sleep calls exactly once, and that call is always waited for, also when the end is visible before:
/// until then the record is still in that one's hands, linked among those to be called or about to be called.
fn sleep_until_called(me: &'static Task, limit: Limit, give_up: impl Fn() -> bool) -> bool {
    let mut until = match limit {
        Limit::Never => None,
        Limit::After(limit) => clock::now().checked_add(limit),
    };
    while !me.sleeper.sleep(until) {
        if give_up() {
            return false;
        }
        until = None;
    }
    true
}

/// Gives the processor to the other runnable tasks and goes on afterwards.
///
/// Returns at once if there are none. On a thread that is no task it is [`std::thread::yield_now`].
///
/// # Unwinding
/// A task that was [aborted](crate::TaskRef::abort) is unwound here.
#[inline]
pub fn yield_now() {
    let Some((thread, task)) = current::running() else {
        return yield_thread();
    };
    // In the ring with no neighbour: probably alone.
    if task.is_next_to_itself() && thread.nothing_else(task) {
        return after_yield(task);
    }
    if must_block(task) {
        return yield_in_place(thread, task);
    }
    // SAFETY: `running` says that we are on this task's stack and this thread runs it.
    unsafe { fiber::suspend(thread, task, YIELD) };
    after_yield(task);
}

/// While it is panicking a task goes on at once; while it owns its thread, when nobody needs the slot.
#[cold]
fn yield_in_place(thread: &'static Thread, task: &Task) {
    if simulated::panicking() {
        return simulated::point();
    }
    thread.yield_pinned();
    after_yield(task);
}

/// Gives the processor to the other runnable tasks, and says whether there were any. For code that must not be unwound.
///
/// On a thread that is no task, and in a native section, the system may run something else; that does not count.
pub fn yield_to_others() -> bool {
    let Some((thread, task)) = current::running() else {
        yield_thread();
        return false;
    };
    if must_block(task) {
        return !simulated::panicking() && thread.yield_pinned();
    }
    if task.is_next_to_itself() && thread.nothing_else(task) {
        return false;
    }
    let core = thread.core();
    // Who yields seldom would leave those who wait for what is ready to the monitor.
    core.io.ask_now_and_then();
    let others = !thread.is_alone(task) || !core.injector.is_empty() || core.idle.claimants() > 0;
    let (here, turn) = (thread.index, thread.switches());
    // SAFETY: `running` says that we are on this task's stack and this thread runs it.
    unsafe { fiber::suspend(thread, task, YIELD) };
    // Somebody may have become runnable only when the worker looked: who has the next turn here has let nobody run.
    others
        || current::thread()
            .is_none_or(|thread| thread.index != here || thread.switches() != turn + 1)
}

/// So often others run before a wait in the kernel is the cheaper way.
const LINGERS: u32 = 8;

/// For who is about to wait for the kernel's word of something that comes at any moment: lets the others run, and asks after each
/// turn whether it is there; a few times, and only while there are others. `false`: it is not there, and is to be waited for.
///
/// To be woken by the kernel costs several of its calls. What the others ask it for is often there before they wait for it.
/// As [`yield_to_others`], it is for code that must not be unwound.
pub fn linger(mut is_there: impl FnMut() -> bool) -> bool {
    for _ in 0..LINGERS {
        let others = yield_to_others();
        if is_there() {
            return true;
        }
        if !others {
            break;
        }
    }
    false
}

#[cold]
fn yield_thread() {
    match simulated::here() {
        Some(world) => world.give_way(),
        None => std::thread::yield_now(),
    }
}

#[inline(always)]
fn after_yield(task: &Task) {
    if task.flags.load(Ordering::Relaxed) & flag::ABORT != 0 {
        raise(Wake::Aborted);
    }
}

/// Yields if the task's quantum is over. Costs a load and a comparison otherwise: for long computations.
/// Returns whether it yielded.
#[inline]
pub fn check_quantum() -> bool {
    let Some(thread) = current::thread() else {
        return false;
    };
    if !thread.slice_is_over() {
        return false;
    }
    match simulation::ends_quantum() {
        None => thread.end_slice(),
        Some(true) => {
            thread.end_slice();
            thread.ask_for_slice();
        }
        Some(false) => {
            simulated::point();
            return false;
        }
    }
    yield_now();
    true
}

/// For the fairness pick a slice that was used up counts as so many resumes.
const PICKS_A_SLICE: u64 = 8;

impl Thread {
    /// Whether the monitor has found the running task's quantum to be over.
    #[inline(always)]
    pub(crate) fn slice_is_over(&self) -> bool {
        self.slice_over.load(Ordering::Relaxed) == self.switches()
    }

    /// In a simulation no task outlasts its quantum, so each look is to come to whoever decides that.
    pub(crate) fn ask_for_slice(&self) {
        // Relaxed: as in the look.
        self.slice_over.store(self.switches(), Ordering::Relaxed);
    }

    /// The task gives up the rest of its slice, which it has used up: the next one counts anew, and before that the
    /// worker looks for timers, calls and injected tasks, even if nobody else stands in its queues.
    fn end_slice(&self) {
        // Relaxed: the monitor may set it again for the same resume, which only means one more yield.
        self.slice_over.store(u64::MAX, Ordering::Relaxed);
        self.lone_yields.store(FAIR_EVERY, Ordering::Relaxed);
        // Beside others that use up their slices too, the fairness pick would be so many slices away. Timers do not wait for it.
        let fair_at = self.fair_at.get().saturating_sub(PICKS_A_SLICE);
        self.fair_at.set(fair_at);
        self.fire_timers();
        self.look_soon();
    }
}

/// Parks for a time. Ends early when the task is alerted or aborted, and says so; its normal end is [`Wake::TimedOut`].
///
/// On a thread that is no task it is [`std::thread::sleep`].
pub fn sleep(time: Duration) -> Wake {
    if current::running().is_none() {
        match simulated::here() {
            Some(world) => world.pass(time),
            None => std::thread::sleep(time),
        }
        return Wake::TimedOut;
    }
    if time.is_zero() {
        yield_now();
        return Wake::TimedOut;
    }
    let ended = wait(
        WaitReason::Sleep,
        Limit::After(time),
        Interrupt::Alert,
        |task, allow| Some(task.wait.arm(allow)),
    );
    if ended.wake != Wake::TimedOut || current::any().deadline.get() != FOREVER {
        return check(ended.wake);
    }
    ended.wake
}

/// Waits for nothing but the time limit and what is heeded, without unwinding. No limit: for ever.
pub fn sleep_heeding(limit: Option<Duration>, heed: Heed) -> Wake {
    let limit = limit.map_or(Limit::Never, Limit::After);
    let publish = |task: &'static Task, allow| Some(task.wait.arm(allow));
    wait(WaitReason::Sleep, limit, heed.interrupt(), publish).wake
}

/// Until this is dropped the calling OS thread's own waits heed alerts; see [`thread_alerts`].
#[derive(Debug)]
#[must_use = "it ends when it is dropped"]
pub struct ThreadAlerts {
    thread: TaskRef,
    /// It counts for the thread that made it.
    not_send: PhantomData<*const ()>,
}

/// Makes the calling OS thread's own waits heed alerts, as a task's do: for a plain thread that stands for a task, and for a
/// task in a native section ([`native::section`](crate::native::section)), which blocks its thread when it waits.
///
/// A task must not keep it longer than the section. An alert that no wait has taken goes with the last of these.
///
/// # Panics
/// At 65,535 of them on one thread.
pub fn thread_alerts() -> ThreadAlerts {
    let thread = current::plain();
    let before = thread.flags.fetch_add(flag::HEEDS, Ordering::AcqRel);
    assert!(
        before & flag::HEEDS_ALL != flag::HEEDS_ALL,
        "too many ThreadAlerts on one thread"
    );
    ThreadAlerts {
        thread: TaskRef::keep(thread),
        not_send: PhantomData,
    }
}

impl ThreadAlerts {
    /// By which others alert the thread.
    pub fn thread(&self) -> &TaskRef {
        &self.thread
    }
}

impl Drop for ThreadAlerts {
    fn drop(&mut self) {
        let thread = self.thread.record();
        let before = thread.flags.fetch_sub(flag::HEEDS, Ordering::AcqRel);
        if before & flag::HEEDS_ALL == flag::HEEDS {
            thread.lower(flag::ALERT);
        }
    }
}

const EMPTY: u32 = 0;
const PERMIT: u32 = 1;
const WAITING: u32 = 2;
const BLOCKED: u32 = 3;

/// Parks until [`TaskRef::unpark`](crate::TaskRef::unpark) is called for this task, as in [`std::thread::park`].
///
/// A permit given before makes it return at once; permits do not add up. Also for plain threads, through their
/// [`TaskRef`](crate::TaskRef). It does not wake spuriously.
pub fn park() -> Wake {
    park_limited(Limit::Never)
}

/// The same with a time limit.
pub fn park_for(limit: Duration) -> Wake {
    park_limited(Limit::After(limit))
}

/// The permit is one word: *empty*, *permit*, *waiting* with an armed wait whose target is the word, or *blocked* with
/// the thread asleep in the kernel.
///
/// Unpark before: the exchange to *waiting* finds the permit. During: it finds *waiting* and claims the wait.
/// After: *permit* stays for the next park.
fn park_limited(limit: Limit) -> Wake {
    let me = current::any();
    if me.permit.load(Ordering::Relaxed) == PERMIT && me.flags.load(Ordering::Relaxed) == 0 {
        // Acquire: what the one who gave it did before is visible.
        me.permit.swap(EMPTY, Ordering::Acquire);
        return Wake::Signalled;
    }
    if current::running().is_none() && current::within().is_some() {
        // In a native section: its thread is a stranger's, but the permit is the task's.
        return park_blocking(me, limit);
    }
    if simulated::panicking() && current::running().is_some() {
        return native::unseen(|| park_blocking(me, limit));
    }
    loop {
        let waited = wait(WaitReason::Park, limit, Interrupt::Alert, |task, allow| {
            let permit = &task.permit;
            task.target
                .store(std::ptr::from_ref(permit).addr(), Ordering::Relaxed);
            let epoch = task.wait.arm(allow);
            let before = if cfg!(feature = "bug_park_store") {
                let before = permit.load(Ordering::Acquire);
                permit.store(WAITING, Ordering::Release);
                before
            } else {
                permit.swap(WAITING, Ordering::AcqRel)
            };
            if before == PERMIT {
                if task.wait.disarm(epoch) {
                    // Acquire: one more permit given meanwhile is used up with this one, and what was done before is seen.
                    permit.swap(EMPTY, Ordering::Acquire);
                    return None;
                }
                // Somebody else ended the wait: the permit is not used up.
                permit.store(PERMIT, Ordering::Release);
            }
            Some(epoch)
        });
        // A waker that is late must not take another wait for this one.
        me.target.store(0, Ordering::Relaxed);
        if waited.wake != Wake::Signalled {
            let _ = me
                .permit
                .compare_exchange(WAITING, EMPTY, Ordering::AcqRel, Ordering::Relaxed);
        } else if me.permit.swap(EMPTY, Ordering::Acquire) == WAITING
            && !cfg!(feature = "bug_park_late")
        {
            // No permit was given: somebody was late with one that an earlier park has used.
            continue;
        }
        return check(waited.wake);
    }
}

/// A task that is panicking blocks its thread instead. Its wait word stays out of it: nobody is to queue the task.
#[cold]
fn park_blocking(me: &'static Task, limit: Limit) -> Wake {
    let swap = |from, to| {
        let swapped = me
            .permit
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed);
        swapped.is_ok()
    };
    if swap(EMPTY, BLOCKED) && !sleep_until_called(me, limit, || swap(BLOCKED, EMPTY)) {
        return Wake::TimedOut;
    }
    // Acquire: what the one who gave it did before is visible.
    me.permit.swap(EMPTY, Ordering::Acquire);
    Wake::Signalled
}

/// Gives the permit, and wakes the one who waits for it.
pub(crate) fn unpark(task: &'static Task) {
    match task.permit.swap(PERMIT, Ordering::AcqRel) {
        WAITING => {}
        BLOCKED => return task.sleeper.call(),
        _ => return,
    }
    let target = std::ptr::from_ref(&task.permit).addr();
    if task.wait.claim_if(Wake::Signalled, || {
        task.target.load(Ordering::Relaxed) == target
    }) {
        crate::worker::make_runnable(task);
    }
}

/// The time limit of [`timeout`] passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed(());

impl Elapsed {
    pub(crate) fn new() -> Self {
        Elapsed(())
    }
}

impl std::fmt::Display for Elapsed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the time limit passed")
    }
}

impl std::error::Error for Elapsed {}

/// Runs `work` in the calling task with a time limit on all its waits together.
///
/// When the limit passes, the wait that is on, or the next one, unwinds `work` up to here; its destructors run.
/// Code that does not wait is not interrupted, and what it returns is returned even if it is late.
/// Limits nest: the earliest counts. A scope's wait for its children is not cut short.
///
/// # Errors
/// [`Elapsed`] if the limit passed and `work` was unwound.
///
/// # Panics
/// If `work` panics, and outside a task.
pub fn timeout<T>(limit: Duration, work: impl FnOnce() -> T) -> Result<T, Elapsed> {
    let (thread, task) = current::within().expect("timeout is for tasks");
    let outer = task.deadline.get();
    let mine = thread.core().after(limit).min(outer);
    task.deadline.set(mine);
    let result = catch_unwind(AssertUnwindSafe(work));
    if result.is_err() {
        simulation::note_panicking(false);
    }
    task.deadline.set(outer);
    match result {
        Ok(value) => Ok(value),
        Err(panic) if panic.is::<Elapsing>() => {
            let over = current::within().is_some_and(|(thread, _)| outer <= thread.core().now());
            if over {
                resume_unwind(panic)
            } else {
                Err(Elapsed(()))
            }
        }
        Err(panic) => resume_unwind(panic),
    }
}
