//! Step 1 when there is nothing near: looking elsewhere, and sleeping. The worker's part of the idle protocol (`idle.rs`).
#![forbid(unsafe_code)]

use std::time::Duration;

use crate::current;
use crate::idle::{Role, patience};
use crate::primitive::{barrier, clock, simulated};
use crate::slot::Slot;
use crate::task::Task;
use crate::thread::Thread;
use crate::trace::{self, What};

impl Thread {
    #[cold]
    pub(super) fn find_work(&'static self) -> Option<&'static Task> {
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
