//! What the models in `tests/model.rs` need from inside. It exists only under `--cfg loom` and `--cfg shuttle`.
//!
//! Most models use the public interface: in a model a plain thread settles its waits and can be interrupted as a task can,
//! so every primitive is checked with threads of the checker and no fibers. The whole scheduler is checked as it is.
//! Here are the parts that have no public door, behind thin wrappers, and what lets a model look whether anything is left.
#![forbid(unsafe_code)]

mod booked;
mod called;
#[cfg(feature = "net")]
pub(crate) mod kernel;
mod leased;
mod listed;
#[cfg(feature = "net")]
mod poller;

use std::sync::Weak;
use std::time::Duration;

use crate::cancel::CancelToken;
use crate::idle::Role;
use crate::primitive::{barrier, biased, clock, leaning, sleeper};
use crate::scheduler::{Core, Scheduler};
use crate::slot::Slot;
use crate::sync::channel::Receiver;
use crate::sync::lock_waits;
use crate::task::{self, Kind, Task, pool, state};
use crate::timer::Timer;
use crate::wait::{Interrupt, Wake};
use crate::{join, queue};

/// The table of waits of the model that runs, if it has one.
static WAITS: std::sync::Mutex<Option<&'static lock_waits::Waits>> = std::sync::Mutex::new(None);

/// As long as it lives the model's plain threads stand in a table when they wait, as tasks do.
#[derive(Debug)]
pub struct WaitTable(());

impl WaitTable {
    /// An empty table. One at a time.
    #[allow(clippy::new_without_default, reason = "it changes what the threads do")]
    pub fn new() -> WaitTable {
        // Not used again: the checker's objects belong to one execution.
        *lock_table() = Some(Box::leak(Box::new(lock_waits::Waits::new())));
        WaitTable(())
    }
}

impl Drop for WaitTable {
    fn drop(&mut self) {
        *lock_table() = None;
    }
}

fn lock_table() -> std::sync::MutexGuard<'static, Option<&'static lock_waits::Waits>> {
    WAITS
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

pub(crate) fn waits() -> Option<&'static lock_waits::Waits> {
    *lock_table()
}

/// To be called first in a model that calls [`advance`].
pub fn let_time_pass() {
    clock::let_time_pass();
}

/// Makes the model's time pass.
pub fn advance(time: Duration) {
    clock::advance(time);
}

/// The kernel has no `membarrier`. To be called before the models of a process begin.
pub fn refuse_membarrier() {
    barrier::refuse();
}

/// The frequent side of a barrier pair.
pub fn light() {
    barrier::light();
}

/// The rare side of a barrier pair.
pub fn heavy() {
    barrier::heavy();
}

/// Records of tasks that are in use.
pub fn records_in_use() -> usize {
    pool::in_use()
}

/// A look at a scheduler that does not keep it.
#[derive(Debug)]
pub struct Watch(Weak<Core>);

impl Watch {
    /// Begins to watch.
    pub fn new(scheduler: &Scheduler) -> Watch {
        Watch(scheduler.weak_core())
    }

    /// Whether the scheduler's memory is gone.
    pub fn is_gone(&self) -> bool {
        self.0.strong_count() == 0
    }

    /// Stacks that are in nobody's hands but not in the depot either. Exact after the workers have ended.
    pub fn stacks_out(&self) -> usize {
        self.0.upgrade().map_or(0, |core| core.stacks.out())
    }
}

/// Plain data that several threads touch one after the other; under loom it is checked that they do.
#[derive(Debug)]
pub struct Plain<T>(crate::primitive::Plain<T>);

impl<T: Copy> Plain<T> {
    /// With this value.
    pub fn new(value: T) -> Self {
        Plain(crate::primitive::Plain::new(value))
    }

    /// Reads it.
    pub fn get(&self) -> T {
        self.0.get()
    }

    /// Writes it.
    pub fn set(&self, value: T) {
        self.0.set(value);
    }
}

/// Which interruptions may end a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allow {
    /// None.
    Never,
    /// An abort.
    Unwind,
    /// A cancellation or an abort.
    Abort,
    /// Everything.
    Alert,
}

impl From<Allow> for Interrupt {
    fn from(allow: Allow) -> Interrupt {
        match allow {
            Allow::Never => Interrupt::Never,
            Allow::Unwind => Interrupt::Unwind,
            Allow::Abort => Interrupt::Abort,
            Allow::Alert => Interrupt::Alert,
        }
    }
}

/// Which wait is meant.
#[derive(Clone, Copy, Debug)]
pub struct Epoch(state::Epoch);

/// The wait word alone.
pub struct WaitWord(state::WaitWord);

impl std::fmt::Debug for WaitWord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WaitWord")
    }
}

impl Default for WaitWord {
    fn default() -> Self {
        WaitWord::new()
    }
}

impl WaitWord {
    /// No wait is on.
    pub fn new() -> Self {
        WaitWord(state::WaitWord::new())
    }

    /// Begins a wait.
    pub fn arm(&self, allow: Allow) -> Epoch {
        Epoch(self.0.arm(allow.into()))
    }

    /// Ends this wait.
    #[must_use]
    pub fn claim(&self, epoch: Epoch, wake: Wake, token: u16) -> bool {
        self.0.claim(epoch.0, wake, token)
    }

    /// Ends whatever wait is on, if it allows that.
    #[must_use]
    pub fn interrupt(&self, by: Allow, wake: Wake) -> bool {
        self.0.interrupt(wake, || by.into())
    }

    /// The settle's own end of the wait.
    #[must_use]
    pub fn disarm(&self, epoch: Epoch) -> bool {
        self.0.disarm(epoch.0)
    }

    /// Whether a wait is on.
    pub fn is_armed(&self) -> bool {
        self.0.is_armed()
    }

    /// How the last wait ended.
    pub fn ended(&self) -> (Wake, u16) {
        let ended = self.0.ended();
        (ended.wake, ended.token)
    }
}

/// Where a thread sleeps.
#[derive(Debug)]
pub struct Sleeper(sleeper::Sleeper);

impl Default for Sleeper {
    fn default() -> Self {
        Sleeper::new()
    }
}

impl Sleeper {
    /// Awake.
    pub fn new() -> Self {
        Sleeper(sleeper::Sleeper::new())
    }

    /// Asks for attention.
    pub fn call(&self) {
        self.0.call();
    }

    /// Whether a call waits.
    pub fn is_called(&self) -> bool {
        self.0.is_called()
    }

    /// Takes the call.
    pub fn take(&self) -> bool {
        self.0.take()
    }

    /// Sleeps until called.
    pub fn sleep(&self) {
        while !self.0.sleep(None) {}
    }
}

/// The owner-biased lock.
pub struct Biased<T>(biased::Biased<T>);

impl<T> std::fmt::Debug for Biased<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Biased")
    }
}

impl<T> Biased<T> {
    /// With this value.
    pub fn new(value: T) -> Self {
        Biased(biased::Biased::new(value))
    }

    /// The owner's way.
    pub fn own<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        self.0.own(work)
    }

    /// A taker's way.
    pub fn take<R>(&self, work: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.0.take(work)
    }
}

/// The lock that leans.
pub struct Leaning<T>(leaning::Leaning<T>);

impl<T> std::fmt::Debug for Leaning<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Leaning")
    }
}

impl<T> Leaning<T> {
    /// With this value.
    pub fn new(value: T) -> Self {
        Leaning(leaning::Leaning::new(value))
    }

    /// Does something under the lock. `worker`: which one comes; none is a stranger.
    pub fn with<R>(&self, worker: Option<usize>, work: impl FnOnce(&mut T) -> R) -> R {
        // Addresses as records have them: neither nobody's nor a stranger's.
        let me = worker.map_or(leaning::STRANGER, |worker| (worker + 1) * 128);
        work(&mut self.0.lock(me))
    }
}

/// The idle protocol's word and list, with what each worker knows of its own place in it.
pub struct Idle {
    idle: crate::idle::Idle,
    listed: Vec<crate::primitive::Plain<bool>>,
}

impl std::fmt::Debug for Idle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Idle")
    }
}

impl Idle {
    /// For so many workers.
    pub fn new(workers: usize) -> Self {
        let listed = (0..workers).map(|_| crate::primitive::Plain::new(false));
        Idle {
            idle: crate::idle::Idle::new(workers, workers),
            listed: listed.collect(),
        }
    }

    /// Step P3: whom to call.
    pub fn choose(&self) -> Option<usize> {
        self.idle.choose()
    }

    /// Begins to search, unless enough do.
    pub fn start_search(&self) -> bool {
        self.idle.start_search()
    }

    /// Ends a search. `true`: the baton must be passed.
    #[must_use]
    pub fn end_search(&self) -> bool {
        self.idle.end_search()
    }

    /// Step S1.
    pub fn enter(&self, who: usize, searching: bool) {
        assert!(
            self.idle.enter(who, searching, &self.listed[who]),
            "nobody claims a slot in these models"
        );
    }

    /// Leaves the list. `true`: it was called to search.
    pub fn leave(&self, who: usize) -> bool {
        self.idle.leave(who, &self.listed[who]) == Some(Role::Searcher)
    }

    /// How many sleep.
    pub fn sleeping(&self) -> usize {
        self.idle.sleeping()
    }
}

/// The monitor's sleep, and the workers that end it.
pub struct MonitorSleep(crate::monitor::Shared);

impl std::fmt::Debug for MonitorSleep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MonitorSleep")
    }
}

impl Default for MonitorSleep {
    fn default() -> Self {
        MonitorSleep::new()
    }
}

impl MonitorSleep {
    /// Awake.
    pub fn new() -> Self {
        MonitorSleep(crate::monitor::Shared::new())
    }

    /// A worker leaves the list. `true`: it was called to search.
    pub fn leave(&self, idle: &Idle, who: usize) -> bool {
        self.0.leave(&idle.idle, who, &idle.listed[who]) == Some(Role::Searcher)
    }

    /// The monitor sleeps, unless one of so many workers is awake.
    pub fn sleep_until_needed(&self, idle: &Idle, workers: usize) {
        self.0
            .sleep_until_needed(None, || idle.idle.all_asleep(workers));
    }
}

/// [`CancelToken::run_until_cancelled`] for the calling thread, which stands in for a task.
pub fn run_until_cancelled<T>(token: &CancelToken, work: impl FnOnce() -> T) -> T {
    token.run_inside(crate::current::plain(), work)
}

/// How many wait for an item of this channel.
pub fn waiting<T>(receiver: &Receiver<T>) -> usize {
    receiver.waiting()
}

/// A task's record without a task in it: what others see of a task.
#[derive(Clone, Copy, Debug)]
pub struct Record(&'static Task);

impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Record {
    /// A record from the pool, as a spawn leaves it: with the scheduler's reference and the caller's.
    pub fn spawned() -> Record {
        let task = pool::get().expect("memory for a record");
        task.id.set(pool::next_id_block(1));
        task.life.begin(2);
        task.set_kind(Kind::Started);
        Record(task)
    }

    /// The same of a task that has not started.
    pub fn fresh() -> Record {
        let record = Record::spawned();
        record.0.set_kind(Kind::Fresh);
        record
    }

    /// The task starts.
    pub fn start(self) {
        self.0.set_kind(Kind::Started);
    }

    /// How many wait for its end: a look of the task itself, before it comes to the table of waits.
    pub fn joiners(self) -> usize {
        let mut joiners = 0;
        join::each_joiner(self.0, |_| joiners += 1);
        joiners
    }

    /// A record from the pool, as a thread that is no task has it: with the thread's reference, which `complete` gives back.
    pub fn of_thread() -> Record {
        let task = pool::get().expect("memory for a record");
        task.id.set(pool::next_id_block(1));
        task.life.begin(1);
        task.set_kind(Kind::Started);
        Record(task)
    }

    /// One more reference as a value; the caller has one.
    pub fn keep(self) -> crate::TaskRef {
        crate::TaskRef::keep(self.0)
    }

    /// Somebody looks at all records there are. Whether he could keep this one meanwhile.
    pub fn look(self) -> bool {
        crate::TaskRef::find(self.0).is_some()
    }

    /// The caller's reference as a value.
    pub fn handle(self) -> crate::TaskRef {
        let handle = crate::TaskRef::keep(self.0);
        task::release(self.0);
        handle
    }

    /// The end of the task: gives the scheduler's reference back.
    pub fn complete(self) {
        join::complete(self.0);
    }

    /// A join handle is polled. `false`: the task has ended.
    #[cfg(feature = "futures")]
    pub fn leave_waker(self, waker: &std::task::Waker) -> bool {
        crate::future::leave_waker(self.0, waker)
    }

    /// Whether the task has ended.
    pub fn is_done(self) -> bool {
        self.0.life.is_done()
    }
}

/// Where others put tasks for a thread.
pub struct Inbox(queue::Inbox);

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Inbox")
    }
}

impl Default for Inbox {
    fn default() -> Self {
        Inbox::new()
    }
}

impl Inbox {
    /// Empty.
    pub fn new() -> Self {
        Inbox(queue::Inbox::new())
    }

    /// Puts one in.
    pub fn push(&self, record: Record) {
        self.0.push(record.0);
    }

    /// Takes all that came.
    pub fn drain(&self, mut each: impl FnMut(Record)) {
        self.0.drain(|task| each(Record(task)));
    }
}

/// The timers of a slot, with the calling thread's waits in them.
pub struct Timers(Slot);

impl std::fmt::Debug for Timers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Timers")
    }
}

impl Default for Timers {
    fn default() -> Self {
        Timers::new()
    }
}

impl Timers {
    /// None.
    pub fn new() -> Self {
        Timers(Slot::new(0))
    }

    /// Whose wait it is and when it gives up. Owner only.
    pub fn arm(&self, who: Waiter, epoch: Epoch, at: u64) {
        self.0.arm(Timer {
            at,
            task: who.0,
            epoch: epoch.0,
        });
    }

    /// Fires those whose time has come. Owner only.
    pub fn fire(&self, now: u64) {
        while let Some(timer) = self.0.pop_timer(now) {
            timer.task.wake(timer.epoch, Wake::TimedOut, 0);
        }
    }
}

pub use booked::{Booking, Ledger, Look};
pub use called::Called;
pub use leased::{Lease, at_rest, spares, take_lasting};
pub use listed::List;
#[cfg(feature = "net")]
pub use poller::{Descriptor, Poller};

/// The calling thread as a waiter.
#[derive(Clone, Copy, Debug)]
pub struct Waiter(&'static Task);

impl Waiter {
    /// The calling thread.
    pub fn here() -> Waiter {
        Waiter(crate::current::plain())
    }

    /// Begins a wait.
    pub fn arm(self, allow: Allow) -> Epoch {
        Epoch(self.0.wait.arm(allow.into()))
    }

    /// The settle's look for a flag that was raised before the wait was armed.
    pub fn missed_interrupt(self, epoch: Epoch) -> bool {
        self.0.missed_interrupt(epoch.0)
    }

    /// Ends the wait and wakes its thread.
    pub fn wake(self, epoch: Epoch, wake: Wake) -> bool {
        self.0.wake(epoch.0, wake, 0)
    }

    /// Whether its wait is on.
    pub fn is_armed(self) -> bool {
        self.0.wait.is_armed()
    }

    /// How its wait ended.
    pub fn ended(self) -> Wake {
        self.0.ended().wake
    }

    /// Sleeps until called.
    pub fn sleep(self) {
        while !self.0.sleeper.sleep(None) {}
    }

    /// Whether a call waits for it.
    pub fn is_called(self) -> bool {
        self.0.sleeper.is_called()
    }

    /// A reference by which others interrupt it.
    pub fn handle(self) -> crate::TaskRef {
        crate::TaskRef::keep(self.0)
    }
}
