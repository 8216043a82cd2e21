//! The worker's loop: next, run, settle; and the one door into the queues.
//!
//! # The loop
//!
//! 1. *next*: calls first (the inbox, a shutdown), then every 61st pick the fairness pick, then the task just woken,
//!    the thread's bound tasks and the slot's own, by priority; then what is shared, injected or stolen; then sleep.
//! 2. *run*: a task that never ran gets its stack; the thread becomes the task's until it gives it back with a word.
//! 3. *settle*: by that word the task is queued again, parked, or done. This is the one place where a task stops running.
//!
//! # Waking
//!
//! Whoever ended a wait makes its task runnable: at home if that is here, in the home thread's inbox if it is bound
//! elsewhere, in the injector if it may move and the waker is no worker of its scheduler.

use std::sync::Arc;
use std::time::Duration;

use crate::current::{self, FAIR_EVERY, Thread};
use crate::fiber::{self, DONE, YIELD};
use crate::idle::{Role, patience};
use crate::join;
use crate::primitive::{Ordering, barrier, clock, simulated};
use crate::scheduler::{Core, Phase};
use crate::simulation;
use crate::slot::{Slot, WOKEN_MAX};
use crate::span;
use crate::suspend::{Settled, settle_word};
use crate::task::payload::contain;
use crate::task::{Kind, Task};
use crate::timer::Timer;
use crate::trace::{self, What};
use crate::watch;

/// A panic on a worker's own stack is a bug of ours that nobody could recover from.
struct AbortIfPanic;

impl Drop for AbortIfPanic {
    fn drop(&mut self) {
        if simulated::panicking() {
            eprintln!("fiberhost: a worker panicked outside a task; aborting");
            std::process::abort();
        }
    }
}

/// A worker's life: it waits for a slot and drives it, until there is nothing left for it to do.
pub(crate) fn run(thread: &'static Thread) {
    let guard = AbortIfPanic;
    contain(|| tracing::trace!(thread = thread.index, "thread started"));
    let _signals = fiber::overflow::prepare_thread();
    thread.show_os_thread(true);
    current::set_thread(thread);
    #[cfg(fiberhost_jump)]
    thread.frame.set(fiber::switch::here());
    if thread.slot.get().is_some() || thread.stand_by() {
        if thread.core().checks {
            thread.work::<true>()
        } else {
            thread.work::<false>()
        }
    }
    thread.put_away();
    simulation::after_resume();
    drop(guard);
}

impl Thread {
    /// The last thing a thread does: what it keeps for itself goes to the others, and so does its record.
    pub(crate) fn put_away(&self) {
        self.show_os_thread(false);
        self.magazine.empty();
        self.stacks.empty(&self.core().stacks);
        current::set_thread(std::ptr::null());
        contain(|| tracing::trace!(thread = self.index, "thread ended"));
        self.core().note_thread_end(self.index);
    }
}

impl Thread {
    fn work<const CHECKED: bool>(&'static self) {
        let mut next = self.next();
        while let Some(mut task) = next {
            if CHECKED && simulation::puts_off() {
                self.put_off(task);
                next = self.next();
                continue;
            }
            if task.sp.get() == 0 && !self.start(task) {
                next = self.next();
                continue;
            }
            let mut word = self.run_task::<CHECKED>(task);
            if word == YIELD && task.in_ring.get() {
                (task, word) = if self.bound.is_long() {
                    self.run_ring::<CHECKED, true>(task, word)
                } else {
                    self.run_ring::<CHECKED, false>(task, word)
                };
            }
            self.task.set(None);
            next = match self.settle(task, word) {
                // What it waited for was there already: it goes on, unless the fairness pick is due.
                Settled::Again if self.switches() < self.fair_at.get() => Some(task),
                Settled::Again => {
                    self.requeue(task);
                    self.next()
                }
                Settled::Parked => self.next(),
            };
        }
    }

    /// The short way: a task of the ring yields, and as far as this thread knows only the ring wants it.
    ///
    /// Returns who left it, and with which word. A long ring's tasks are not all near, a short one's are.
    #[inline(always)]
    fn run_ring<const CHECKED: bool, const LONG: bool>(
        &'static self,
        mut task: &'static Task,
        mut word: fiber::Word,
    ) -> (&'static Task, fiber::Word) {
        while word == YIELD && task.in_ring.get() && !self.must_look() {
            task = self.bound.step_from(task);
            if LONG {
                task.fetch_next();
            }
            word = self.resume::<CHECKED>(task);
        }
        (task, word)
    }

    /// Instead of step 2, in a simulation: the task goes to the end of its queue.
    #[cold]
    fn put_off(&self, task: &'static Task) {
        if task.sp.get() == 0 {
            self.slot().push_fresh(task);
        } else {
            self.requeue(task);
        }
        // The fairness pick looks elsewhere than the usual order, at timers too.
        self.fair_at.set(0);
    }

    /// Step 2. Returns the task's word. The caller clears `task` before it calls anything that asks who runs.
    #[inline(always)]
    fn run_task<const CHECKED: bool>(&'static self, task: &'static Task) -> fiber::Word {
        if !task.is_usual() {
            if task.is_mobile() {
                self.adopt(task);
            }
            if task.has_span() || task.is_watched() {
                return self.resume_seen::<CHECKED>(task);
            }
        }
        self.resume::<CHECKED>(task)
    }

    #[cold]
    #[inline(never)]
    fn resume_seen<const CHECKED: bool>(&'static self, task: &'static Task) -> fiber::Word {
        let is_watched = task.is_watched();
        if is_watched {
            watch::run(self, task);
        }
        let word = if task.has_span() {
            self.resume_in_span::<CHECKED>(task)
        } else {
            self.resume::<CHECKED>(task)
        };
        if is_watched {
            watch::ran(self, task, word);
        }
        word
    }

    #[cold]
    fn resume_in_span<const CHECKED: bool>(&'static self, task: &'static Task) -> fiber::Word {
        span::enter(task);
        let word = self.resume::<CHECKED>(task);
        // As for whoever settles it, nobody runs here any more.
        self.task.set(None);
        span::exit(task);
        if word == DONE {
            span::end(task);
        }
        word
    }

    /// Lends the thread to a task.
    #[inline(always)]
    fn resume<const CHECKED: bool>(&'static self, task: &'static Task) -> fiber::Word {
        if CHECKED {
            simulation::before_resume(task);
            self.core().checker.begin_run(self, task);
        }
        self.task.set(Some(task));
        // Relaxed, and no read-modify-write: one writer.
        self.left
            .store(self.left.load(Ordering::Relaxed) - 1, Ordering::Relaxed);
        if CHECKED && self.core().simulation.is_some() {
            self.ask_for_slice();
        }
        let word = fiber::resume(self, task);
        if CHECKED {
            simulation::after_resume();
            self.core().checker.end_run(self, task);
        }
        word
    }

    /// A mobile task's home is where it runs.
    #[inline(always)]
    fn adopt(&'static self, task: &'static Task) {
        let is_home = cfg!(feature = "bug_adopt") && task.home.get().is_some();
        if !is_home && !task.home.get().is_some_and(|home| std::ptr::eq(home, self)) {
            self.make_home(task);
        }
    }

    /// The first part of step 2 for a task that never ran: its stack. `false`: it ended without running.
    #[inline(always)]
    fn start(&'static self, task: &'static Task) -> bool {
        // Started, then the look: a shutdown sets its phase, then looks who has started. One of the two sees the other.
        task.set_kind(Kind::Started);
        barrier::light();
        let usual = task.is_usual() && task.stack_class.get() == 0;
        if self.core().phase() == Phase::Running
            && usual
            && let Some(fiber) = self.stacks.get_warm()
        {
            fiber::bind(task, fiber);
            self.bound_live.set(self.bound_live.get() + 1);
            self.make_home(task);
            return true;
        }
        self.start_unusual(task)
    }

    #[cold]
    fn start_unusual(&'static self, task: &'static Task) -> bool {
        let core = self.core();
        if core.phase() != Phase::Running && !cfg!(feature = "bug_start_look") {
            task.set_kind(Kind::Fresh);
            core.cancel_fresh(task);
            return false;
        }
        if task.is_on_thread() {
            // It starts there, as soon as that thread has a slot.
            if let Err(error) = core.start_on_thread(task) {
                self.refuse(task, error);
            }
            return false;
        }
        match self.stacks.get(&core.stacks, task.stack_class.get()) {
            Ok(fiber) => fiber::bind(task, fiber),
            Err(error) => {
                self.refuse(task, error);
                return false;
            }
        }
        if !task.is_mobile() {
            self.bound_live.set(self.bound_live.get() + 1);
        }
        self.make_home(task);
        watch::started(self, task);
        true
    }

    #[cold]
    fn refuse(&'static self, task: &'static Task, error: std::io::Error) {
        task.payload.fail(join::JoinError::refused(error));
        self.end(task);
    }

    /// From now on the task lives on this thread, and its frames lead to this worker's.
    #[inline(always)]
    fn make_home(&'static self, task: &'static Task) {
        task.home.set(Some(self));
        if !task.is_mobile() {
            // Release: who finds the thread here finds it as it was when the task started.
            task.bound_to
                .store(std::ptr::from_ref(self).addr(), Ordering::Release);
        }
        fiber::link(self, task);
    }

    /// Step 3.
    #[inline(always)]
    fn settle(&'static self, task: &'static Task, word: fiber::Word) -> Settled {
        match word {
            YIELD => {
                self.requeue(task);
                Settled::Parked
            }
            DONE => {
                self.retire(task);
                Settled::Parked
            }
            wait => {
                self.bound.leave(task);
                // SAFETY: any other word is the address of a wait on the task's stack.
                unsafe { settle_word(wait, self, task) }
            }
        }
    }

    /// A task that yielded goes to the end of its queue.
    #[inline(always)]
    fn requeue(&self, task: &'static Task) {
        if !task.is_usual() {
            self.requeue_unusual(task);
        } else if !task.in_ring.get() {
            self.bound.push(task, None);
        }
    }

    fn requeue_unusual(&self, task: &'static Task) {
        // Its priority may have been changed while it stood in the ring.
        self.bound.leave(task);
        if task.may_move() {
            self.requeue_mobile(task)
        } else {
            self.bound.push(task, None)
        }
    }

    /// Whether anything outside the ring may want this thread: a call, or what `look_soon` stands for.
    #[inline(always)]
    fn must_look(&self) -> bool {
        self.sleeper.is_called() || self.left.load(Ordering::Relaxed) <= 0
    }

    fn requeue_mobile(&self, task: &'static Task) {
        let core = self.core();
        if core.force_migration {
            core.injector.push(task);
            barrier::heavy();
        } else {
            self.slot().push_ready(task);
        }
        self.offer();
    }

    /// A task whose closure has ended: its stack goes to the next one, its joiner is told.
    #[inline(always)]
    fn retire(&'static self, task: &'static Task) {
        self.bound.leave(task);
        let fiber = fiber::unbind(task);
        self.stacks
            .put(&self.core().stacks, fiber, task.stack_class.get());
        if !task.is_mobile() {
            self.bound_live.set(self.bound_live.get() - 1);
        }
        self.end(task);
    }

    /// The end of a task, run or not: it is counted and its place is free before a joiner knows.
    #[inline(always)]
    pub(crate) fn end(&'static self, task: &'static Task) {
        let core = self.core();
        Thread::count(&self.ended);
        if core.watching.is_special() {
            core.end_special(self, task);
        }
        join::complete_from(Some(self), task);
        // The count, then the look: a shutdown sets its phase, then reads the counts. One of the two sees the other.
        barrier::light();
        if core.phase() != Phase::Running {
            core.note_end();
        }
    }

    /// Step 1.
    #[inline(always)]
    fn next(&'static self) -> Option<&'static Task> {
        if self.sleeper.is_called() && self.attend() {
            return None;
        }
        if self.switches() >= self.fair_at.get()
            && let Some(task) = self.fair_pick()
        {
            return Some(task);
        }
        if let Some(task) = self.woken.get()
            && let Some(task) = self.pick_woken(task)
        {
            return Some(task);
        }
        let waiting = self.slot().waiting();
        if waiting == 0
            && let Some(task) = self.bound.pop()
        {
            self.woken_uses.set(0);
            if self.bound.only_usual() {
                // Nothing but the ring: no need to come here before the next fairness pick.
                self.set_left(FAIR_EVERY);
            }
            return Some(task);
        }
        if waiting != 0
            && self.bound.is_empty()
            && let Some(task) = self.pop_slot()
        {
            return Some(task);
        }
        self.next_of_both()
    }

    #[inline(always)]
    fn pop_slot(&self) -> Option<&'static Task> {
        self.woken_uses.set(0);
        let task = self.slot().pop()?;
        if self.core().idle.wants_work() {
            self.offer();
        }
        Some(task)
    }

    /// The bound task just woken, unless it had its turns or something more urgent waits.
    #[inline(always)]
    fn pick_woken(&self, task: &'static Task) -> Option<&'static Task> {
        self.woken.set(None);
        let uses = self.woken_uses.get();
        if uses < WOKEN_MAX && !self.bound.has_above(task.priority()) {
            self.woken_uses.set(uses + 1);
            return Some(task);
        }
        self.woken_uses.set(0);
        if self.bound.is_empty() && self.slot().waiting() == 0 {
            // Nobody else is there whose turn it could be.
            return Some(task);
        }
        self.bound.push(task, None);
        None
    }

    /// By priority between the thread's queue and the slot's; started ones first; taking turns where they are equal.
    #[cold]
    fn next_of_both(&'static self) -> Option<&'static Task> {
        if let Some(task) = self.next_local() {
            return Some(task);
        }
        self.find_work()
    }

    fn next_local(&self) -> Option<&'static Task> {
        let slot = self.slot();
        if slot.waiting() > 0 {
            let turn = self.left.load(Ordering::Relaxed) % 2 == 0;
            if let Some(task) = slot.pop_unless(self.bound.highest(), turn) {
                if self.core().idle.wants_work() {
                    self.offer();
                }
                return Some(task);
            }
        }
        self.bound.pop()
    }

    /// What the usual order would let wait: due timers, then in turn the injector, the oldest fresh task, low priorities.
    #[cold]
    fn fair_pick(&'static self) -> Option<&'static Task> {
        self.fair_at.set(self.switches() + FAIR_EVERY as u64);
        watch::sample(self);
        self.fire_timers();
        self.core().io.ask_now_and_then();
        if self.core().idle.wants_work() {
            self.offer();
        }
        let first = self.fair_class.get();
        for turn in 0..5 {
            let class = (first + turn) % 5;
            let task = match class {
                0 => self.core().injector.pop_fair(),
                1 => self.slot().pop_fresh_fair(),
                2 => self.bound.pop_kept_waiting(),
                3 => self.slot().pop_ready_fair(),
                _ => self.slot().pop_shared(),
            };
            if let Some(found) = task {
                self.fair_class.set(class + 1);
                watch::sample_found(self, found);
                return task;
            }
        }
        None
    }

    /// Takes a call: the inbox, whether somebody claims the slot, and whether to stop. `true`: stop.
    #[cold]
    fn attend(&'static self) -> bool {
        self.sleeper.take();
        self.inbox.drain(|task| self.bound.push(task, None));
        if let Some(task) = self.core().injector.pop_high() {
            self.slot().push_woken(task);
        }
        self.core().io.ask_if_wished();
        if self.core().idle.claimants() > 0 && !self.give_way() {
            return true;
        }
        self.should_stop()
    }

    pub(crate) fn should_stop(&self) -> bool {
        self.core().phase() == Phase::Stopping && self.core().live() == 0
    }

    pub(crate) fn fire_timers(&self) {
        let core = self.core();
        self.fire_timers_by(|timer| watch::fire(core, Some(self), &timer));
    }

    pub(crate) fn fire_timers_by(&self, mut fire: impl FnMut(Timer)) {
        let slot = self.slot();
        if slot.next_timer().is_none() {
            return;
        }
        let now = self.core().now();
        while let Some(timer) = slot.pop_timer(now) {
            fire(timer);
        }
    }

    /// Whether the running task is the only one that wants this thread: then a yield need not leave its stack.
    #[cold]
    pub(crate) fn nothing_else(&self, task: &'static Task) -> bool {
        let alone = self.is_alone(task) && !self.looks_now();
        if alone && let Some(world) = simulated::here() {
            world.give_way();
        }
        alone
    }

    /// Whether nobody else stands in the queues of this thread and its slot, or where those go that are made to migrate: if
    /// their queue counted for nothing here, each switch of a lone task would be a fairness pick, and that one's every time.
    pub(crate) fn is_alone(&self, task: &'static Task) -> bool {
        let core = self.core();
        self.bound.is_empty_but_for(task)
            && self.woken.get().is_none()
            && self.slot().waiting() == 0
            && (!core.force_migration || core.injector.is_empty())
    }

    /// A yield of the only task must still let calls, timers and the injector in now and then.
    pub(crate) fn looks_now(&self) -> bool {
        // Relaxed: one writer.
        let yields = self.lone_yields.load(Ordering::Relaxed) + 1;
        self.lone_yields.store(yields, Ordering::Relaxed);
        if yields < FAIR_EVERY && !self.sleeper.is_called() {
            return false;
        }
        self.lone_yields.store(0, Ordering::Relaxed);
        self.fair_at.set(0);
        self.look_soon();
        true
    }

    /// Makes the private part's tasks available if somebody is idle (step P of the idle protocol).
    pub(crate) fn offer(&self) {
        let core = self.core();
        barrier::light();
        if !core.idle.wants_work() {
            return;
        }
        if self.slot().waiting() > 0 {
            self.slot().share();
            // The shared deque was written since the barrier.
            barrier::light();
        }
        if self.slot().has_shared() || !core.injector.is_empty() {
            core.call_one();
        }
    }
}

/// Looking elsewhere, and sleeping.
impl Thread {
    #[cold]
    fn find_work(&'static self) -> Option<&'static Task> {
        loop {
            if let Some(found) = self.look_around() {
                return found;
            }
            if self.core().io.ask() {
                continue;
            }
            if let Some(found) = self.search() {
                return found;
            }
        }
    }

    /// What came in meanwhile. `Some(None)`: stop.
    fn look_around(&'static self) -> Option<Option<&'static Task>> {
        if self.sleeper.is_called() && self.attend() {
            return Some(None);
        }
        self.fire_timers();
        if let Some(task) = self.woken.get() {
            self.woken.set(None);
            return Some(Some(task));
        }
        if let Some(task) = self.next_local() {
            return Some(Some(task));
        }
        if let Some(task) = self.slot().pop_shared() {
            return Some(Some(task));
        }
        self.core().injector.pop().map(Some)
    }

    /// Searches for a while, then sleeps. `None`: something came to this thread, look around again.
    fn search(&'static self) -> Option<Option<&'static Task>> {
        let core = self.core();
        let time = self.spin_time();
        let mut searching = core.slots.len() > 1 && core.idle.start_search();
        if searching {
            if let Some(task) = self.search_for(time) {
                return Some(Some(self.found(task)));
            }
        } else {
            self.spin_for_calls(time);
        }
        loop {
            // Read before S1: after that the slot may go to somebody else at any time.
            let until = self.slot().next_timer();
            if self.sleeper.is_called()
                || self.is_due(until)
                || !core.idle.enter(self.index, searching, &self.listed)
            {
                if searching && core.idle.end_search() {
                    core.call_one();
                }
                return self.yields_slot().then_some(None);
            }
            barrier::heavy();
            if !self.sees_work(until) {
                self.sleep(until);
            }
            let Some(role) = core.monitor.leave(&core.idle, self.index, &self.listed) else {
                return self.is_robbed().then_some(None);
            };
            if role == Role::Plain && (self.sleeper.is_called() || self.timer_is_due()) {
                return None;
            }
            searching = role == Role::Searcher || core.idle.start_search();
            if !searching {
                // It is for those who search.
                pause();
                return None;
            }
            if let Some(task) = self.steal_once(true) {
                return Some(Some(self.found(task)));
            }
            if self.sees_local() {
                if core.idle.end_search() {
                    core.call_one();
                }
                return None;
            }
            // What was seen is gone, or in the hands of somebody who is in the middle of its work.
            pause();
        }
    }

    /// With nothing to do: the slot goes to who claims one. `true`: this thread is to end.
    fn yields_slot(&'static self) -> bool {
        self.core().idle.claimants() > 0 && !self.give_way()
    }

    /// The slot went to somebody else in the sleep. `true`: this thread is to end.
    #[cold]
    fn is_robbed(&'static self) -> bool {
        // What it was called for, or has seen, others are to see; and if it was the one that asked for descriptors, one
        // of the others is to do so.
        self.core().call_one();
        !self.stand_by()
    }

    /// How long to look for work before sleeping: only a worker that is awake, or about to be, could make some soon.
    ///
    /// With nobody else awake the next call comes from a plain thread, and a thread that has just spun is scheduled later
    /// by the kernel than one that has slept: measured, a wake took four times as long.
    /// And one that has spun in vain again and again loses patience (`idle::patience`).
    fn spin_time(&self) -> Duration {
        let core = self.core();
        let is_awake = |other: &Thread| !std::ptr::eq(other, self) && !other.sleeper.is_asleep();
        let mut drivers = core.slots.iter().map(|slot| core.driver(slot));
        if !drivers.any(is_awake) {
            return Duration::ZERO;
        }
        // In vain, until `spun_well`.
        let in_vain = self.spins_in_vain.get();
        self.spins_in_vain.set(in_vain.wrapping_add(1));
        core.idle_spin.saturating_mul(patience(in_vain))
    }

    /// Something came while it spun.
    fn spun_well(&self) {
        self.spins_in_vain.set(0);
    }

    /// The end of a successful search: the last searcher passes the baton.
    fn found(&self, task: &'static Task) -> &'static Task {
        Thread::count(&self.steals);
        trace::record(self.core(), Some(self), task.id.get(), What::Steal);
        let core = self.core();
        if core.idle.end_search() {
            core.call_one();
        }
        task
    }

    fn search_for(&'static self, time: Duration) -> Option<&'static Task> {
        let began = clock::now();
        loop {
            if let Some(task) = self.steal_once(false) {
                self.spun_well();
                return Some(task);
            }
            if self.sleeper.is_called() {
                self.spun_well();
                return self.steal_once(true);
            }
            if clock::now() - began >= time {
                return self.steal_once(true);
            }
            pause();
        }
    }

    fn spin_for_calls(&self, time: Duration) {
        let began = clock::now();
        loop {
            if self.sleeper.is_called() || !self.core().injector.is_empty() {
                return self.spun_well();
            }
            if clock::now() - began >= time {
                return;
            }
            pause();
        }
    }

    /// One round over the injector and the other slots, from a random one on.
    /// `by_force`: also what an owner keeps private.
    fn steal_once(&'static self, by_force: bool) -> Option<&'static Task> {
        let core = self.core();
        if let Some(task) = core.injector.pop() {
            return Some(task);
        }
        let slots = &core.slots;
        let start = self.random() as usize % slots.len();
        for step in 0..slots.len() {
            let index = (start + step) % slots.len();
            if index == self.slot().index {
                continue;
            }
            if let Some(task) = self.slot().steal_from(&slots[index]) {
                return Some(task);
            }
            if by_force && let Some(task) = self.take_from(&slots[index]) {
                return Some(task);
            }
        }
        self.slot().pop_shared()
    }

    /// Past an owner that does not come to share: half of what it keeps private.
    fn take_from(&self, other: &Slot) -> Option<&'static Task> {
        if other.waiting() == 0 || cfg!(feature = "bug_steal_force") {
            return None;
        }
        let mut first = None;
        other.take_half(|task| {
            if first.is_none() {
                first = Some(task);
            } else if task.sp.get() == 0 {
                self.slot().push_fresh(task);
            } else {
                self.slot().push_ready(task);
            }
        })?;
        first
    }

    /// S3 of the idle protocol. Does not touch what only the slot's owner may.
    fn sees_work(&self, until: Option<u64>) -> bool {
        let core = self.core();
        self.sleeper.is_called()
            || self.is_due(until)
            || !core.injector.is_empty()
            || core
                .slots
                .iter()
                .any(|slot| slot.waiting() > 0 || slot.has_shared())
    }

    fn sees_local(&self) -> bool {
        self.sleeper.is_called()
            || self.timer_is_due()
            || !self.core().injector.is_empty()
            || self.slot().waiting() > 0
    }

    fn timer_is_due(&self) -> bool {
        self.is_due(self.slot().next_timer())
    }

    fn is_due(&self, at: Option<u64>) -> bool {
        at.is_some_and(|at| at <= self.core().now())
    }

    /// S4. The slot may be gone afterwards.
    fn sleep(&self, until: Option<u64>) {
        let core = self.core();
        let until = until.map(|at| core.instant(at));
        // In the list of sleepers it may lose its slot at any time: so it wakes others as a stranger would.
        current::set_thread(std::ptr::null());
        let slept = core.io.sleep(&self.sleeper, until, || {
            !core.idle.all_asleep(core.slots.len())
        });
        current::set_thread(self);
        self.refresh_coarse();
        // The loop takes calls; this one was taken by waking up. A call to search is not kept: kept, it would end the search,
        // and the baton would go from one sleeper to the other for ever.
        let mine = !self.inbox.is_empty();
        let claimed = || core.idle.claimants() > 0 && !cfg!(feature = "bug_claim_sleep");
        if slept.called && (mine || claimed() || self.should_stop()) {
            self.sleeper.call();
        }
        if slept.woke {
            if mine || !core.injector.is_empty() {
                self.sleeper.call();
            } else {
                core.io.step_back(&self.sleeper);
            }
        }
    }
}

#[inline(always)]
fn pause() {
    if let Some(world) = simulated::here() {
        return world.give_way();
    }
    #[cfg(not(any(loom, shuttle)))]
    std::hint::spin_loop();
    #[cfg(any(loom, shuttle))]
    crate::primitive::thread::yield_now();
}

/// The door into the queues for a task whose wait the caller has ended.
#[inline(always)]
pub(crate) fn make_runnable(task: &'static Task) {
    make_runnable_from(current::thread(), task);
}

/// The same, for a caller who knows which worker this thread is.
#[inline(always)]
pub(crate) fn make_runnable_from(here: Option<&'static Thread>, task: &'static Task) {
    match here {
        Some(thread) if thread.belongs_to(task.core.get()) && task.is_woken_plainly() => {
            thread.wake_bound(task)
        }
        _ => wake_unusual(here, task),
    }
}

/// All but bound tasks of the caller's scheduler, and those whose times are taken.
#[inline(never)]
fn wake_unusual(here: Option<&'static Thread>, task: &'static Task) {
    if task.is_timed() {
        watch::woken(here, task);
    }
    match here {
        Some(thread) if thread.belongs_to(task.core.get()) && task.kind() != Kind::PlainThread => {
            if task.may_move() {
                thread.wake_mobile(task);
            } else {
                thread.wake_bound(task);
            }
        }
        _ => wake_remote(task),
    }
}

impl Thread {
    #[inline(always)]
    fn wake_bound(&self, task: &'static Task) {
        if task.home.get().is_some_and(|home| std::ptr::eq(home, self)) {
            if let Some(before) = self.woken.get() {
                self.bound.push(before, self.task.get());
            }
            self.woken.set(Some(task));
            self.look_soon();
        } else {
            wake_at_home(task);
        }
    }

    fn wake_mobile(&self, task: &'static Task) {
        let core = self.core();
        if core.force_migration {
            core.injector.push(task);
        } else {
            self.slot().push_woken(task);
            self.look_soon();
        }
        if core.slots.len() > 1 {
            self.offer();
        }
    }
}

fn wake_at_home(task: &'static Task) {
    let home = task.home.get().expect("a started task has a home");
    home.inbox.push(task);
    home.sleeper.call();
}

/// From a thread that is no worker of the task's scheduler.
#[cold]
fn wake_remote(task: &'static Task) {
    if task.kind() == Kind::PlainThread {
        return task.sleeper.call();
    }
    // The task is ours until it is queued, so its scheduler is alive; the reference keeps it so until we are done with it,
    // though the task may have run to its end and the scheduler been shut down by then.
    // SAFETY: the pointer came from an `Arc` that is alive (above).
    let core: Arc<Core> = unsafe { Core::keep(task.core.get()) };
    if task.may_move() {
        // It may run to its end as soon as it is queued; records of threads stay as long as the scheduler.
        let home = task.home.get().filter(|_| task.is_urgent());
        core.inject(task);
        if let Some(home) = home {
            home.sleeper.call();
        }
    } else {
        wake_at_home(task);
    }
}
