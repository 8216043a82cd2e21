//! Step 1 of the loop: which task is next, as far as this thread and its slot have some.
#![forbid(unsafe_code)]

use crate::primitive::{Ordering, barrier, simulated};
use crate::scheduler::Phase;
use crate::slot::WOKEN_MAX;
use crate::task::Task;
use crate::thread::{FAIR_EVERY, Thread};
use crate::timer::Timer;
use crate::watch;

impl Thread {
    /// Step 1.
    #[inline(always)]
    pub(super) fn next(&'static self) -> Option<&'static Task> {
        if self.sleeper.is_called() && self.attend() {
            return None;
        }
        if self.is_fair_due()
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

    pub(super) fn next_local(&self) -> Option<&'static Task> {
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
        // Where only woken tasks run nobody else sets what is left, and the count would run over.
        if self.left.load(Ordering::Relaxed) < 0 {
            self.set_left(0);
        }
        self.set_fair_at(self.switches() + FAIR_EVERY as u64);
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
    pub(super) fn attend(&'static self) -> bool {
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
        let core = self.core();
        let early = cfg!(feature = "bug_stop_early") && core.phase() == Phase::Closing;
        early || core.phase() == Phase::Stopping && core.live() == 0
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
        self.set_fair_at(0);
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

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::sync::Arc;

    use crate::primitive::Ordering;
    use crate::sync::AutoResetEvent;
    use crate::{Scheduler, current, spawn};

    /// Half a minute of tasks that wake each other, and nothing else, is as many resumes as the count of what is left has numbers.
    #[test]
    fn what_is_left_does_not_run_over_where_only_woken_tasks_run() {
        const ROUNDS: u64 = 1_000;
        let scheduler = Scheduler::builder().workers(1).build().expect("one thread");
        let (switches, left) = scheduler.run(|| {
            let [ping, pong] = [(); 2].map(|()| Arc::new(AutoResetEvent::new(false)));
            let partner = {
                let (ping, pong) = (Arc::clone(&ping), Arc::clone(&pong));
                spawn(move || {
                    for _ in 0..ROUNDS {
                        ping.wait();
                        pong.set();
                    }
                })
            };
            let thread = current::thread().expect("a worker");
            thread.set_left(i32::MIN + 500);
            let before = thread.switches();
            for _ in 0..ROUNDS {
                ping.set();
                pong.wait();
            }
            let switches = thread.switches() - before;
            let left = thread.left.load(Ordering::Relaxed);
            partner.join().expect("it only answers");
            (switches, left)
        });
        assert!(
            (ROUNDS..4 * ROUNDS).contains(&switches),
            "{switches} switches"
        );
        assert!(left > -1_000, "{left} are left");
    }
}
