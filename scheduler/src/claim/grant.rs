//! Who is given a slot, and whose is taken for it: the lists of `claim.rs` from the side of the slots. All under their lock,
//! but for what follows when it is let go.
#![forbid(unsafe_code)]

use super::{Claim, Disposed, RETURNS_MAX, Standing};
use crate::idle::Lists;
use crate::primitive::{Ordering, barrier};
use crate::scheduler::Core;
use crate::slot::Slot;
use crate::stats::sections;
use crate::thread::Thread;

/// Between T1 and T2 of the lease.
fn heavy() {
    if !cfg!(feature = "bug_claim_barrier") {
        barrier::heavy();
    }
}

impl Core {
    /// Gives a slot to a thread that has none. Under the lock.
    pub(super) fn give(&self, slot: &'static Slot, to: &'static Thread) {
        slot.driver.store(to.index, Ordering::Relaxed);
        to.overdue.store(false, Ordering::Relaxed);
        to.standing.set(Standing::None);
        to.slot.set(Some(slot));
        self.note_on(to);
    }

    /// Step 1 of a claim. Under the lock.
    pub(super) fn find_slot(
        &'static self,
        lists: &mut Lists,
        to: &'static Thread,
        claim: Claim,
    ) -> bool {
        let found = match lists.free.pop() {
            Some(index) => Some(&self.slots[index]),
            None => self.rob(lists).or_else(|| match claim {
                Claim::Return => self.take_left(|_| true),
                Claim::Yield(_) => self.take_left(|driver| driver.sleeps_with().is_some()),
            }),
        };
        if let Some(slot) = found {
            // It may have stood there since it looked before.
            if !cfg!(feature = "bug_claim_list") {
                to.leave_lists(lists);
            }
            self.give(slot, to);
        }
        found.is_some()
    }

    /// A sleeper's slot. The sleeper is a spare from now on.
    fn rob(&'static self, lists: &mut Lists) -> Option<&'static Slot> {
        let index = self.idle.rob(lists)?;
        let robbed = self.threads.get(index);
        robbed.listed.set(false);
        robbed.standing.set(Standing::Spare);
        lists.spares.push(index);
        self.note_off(robbed);
        robbed.slot.replace(None)
    }

    /// The slot of one of these threads that is out, however short a time. Under the lock.
    pub(super) fn take_left(&'static self, of: impl Fn(&Thread) -> bool) -> Option<&'static Slot> {
        let mut asked = 0;
        for slot in &self.slots {
            let driver = self.driver(slot);
            if driver.lease.out().is_some() && of(driver) && driver.lease.ask() {
                asked += 1;
            }
        }
        if asked == 0 {
            return None;
        }
        heavy();
        let mut taken = None;
        for slot in &self.slots {
            let driver = self.driver(slot);
            if !driver.lease.is_asked() {
                continue;
            }
            if taken.is_none() {
                taken = self.take_asked(driver);
            } else {
                driver.lease.withdraw();
            }
        }
        taken
    }

    /// T3 of the lease.
    fn take_asked(&self, driver: &'static Thread) -> Option<&'static Slot> {
        if !driver.lease.take_asked() {
            return None;
        }
        driver.blocks.set(false);
        self.note_off(driver);
        sections::note_handover(self, driver);
        self.handovers.fetch_add(1, Ordering::Relaxed);
        driver.slot.replace(None)
    }

    /// Who had the slot last, or has it. Exact under the lock.
    pub(crate) fn driver(&'static self, slot: &Slot) -> &'static Thread {
        self.threads.get(slot.driver.load(Ordering::Relaxed))
    }

    /// For the monitor: takes the slots of threads that are out and for which `lasts` says that they have been long enough.
    /// Returns whether some could not be taken because there is nobody to have them.
    pub(crate) fn take_lasting(&'static self, lasts: impl Fn(&Slot) -> bool) -> bool {
        self.idle.with(|lists| {
            let mut takers = if cfg!(feature = "bug_claim_takers") {
                self.slots.len()
            } else {
                lists.takers()
            };
            let mut asked = 0;
            let mut refused = false;
            for slot in self.slots.iter().filter(|slot| lasts(slot)) {
                if takers == 0 {
                    refused = true;
                } else if self.driver(slot).lease.ask() {
                    takers -= 1;
                    asked += 1;
                }
            }
            if asked > 0 {
                heavy();
                self.slots
                    .iter()
                    .for_each(|slot| self.take_lasting_one(lists, slot));
            }
            refused
        })
    }

    fn take_lasting_one(&'static self, lists: &mut Lists, slot: &'static Slot) {
        let driver = self.driver(slot);
        if !driver.lease.is_asked() {
            return;
        }
        let Some(slot) = self.take_asked(driver) else {
            return;
        };
        // The new driver is called in any case: it waits for the slot's timers from now on, and looks for its work.
        let disposed = self.dispose(lists, slot, true);
        if let Some(Disposed::Called(index)) = disposed
            && !cfg!(feature = "bug_claim_driver")
        {
            self.threads.get(index).sleeper.call();
        }
    }

    /// Whether somebody ought to drive this slot at once. For who has the slot.
    pub(crate) fn is_needed(&self, slot: &Slot) -> bool {
        self.has_work(slot) || slot.next_timer().is_some() && !cfg!(feature = "bug_claim_timer")
    }

    /// Whether anything waits for somebody who drives a slot, as far as others than these can see.
    pub(crate) fn has_waiting_work(&self) -> bool {
        self.idle.claimants() > 0
            || self.slots.iter().any(|slot| self.has_work(slot))
            || self.threads.iter().any(|thread| !thread.inbox.is_empty())
    }

    /// Whether a task waits that whoever drives this slot could run.
    fn has_work(&self, slot: &Slot) -> bool {
        slot.waiting() > 0 || slot.has_shared() || !self.injector.is_empty()
    }

    /// A slot that nobody drives goes to rest, if one is to, or as by [`dispose`](Core::dispose). Under the lock.
    pub(super) fn dispose_or_rest(
        &'static self,
        lists: &mut Lists,
        slot: &'static Slot,
        needed: bool,
    ) -> Option<Disposed> {
        if lists.surplus() > 0 {
            lists.active -= 1;
            return Some(Disposed::Rests(slot));
        }
        self.dispose(lists, slot, needed)
    }

    /// Gives a slot that nobody drives to who claims one or stands by. `None`: nobody does. Under the lock.
    pub(crate) fn dispose(
        &'static self,
        lists: &mut Lists,
        slot: &'static Slot,
        needed: bool,
    ) -> Option<Disposed> {
        // Returners that hand the slot to each other would keep what nobody has started from ever starting: after so many of
        // them somebody runs one of those. It sees that the turns are over, and counts anew (`give_way`).
        let turns_over = slot.returns.get() >= RETURNS_MAX && lists.others.is_empty();
        let others_turn = turns_over || self.lets_pass(lists);
        let for_work = others_turn && self.has_work(slot) && !lists.spares.is_empty();
        if !for_work && let Some(next) = self.next_claimant(lists, slot) {
            self.give(slot, next);
            return Some(Disposed::Called(next.index));
        }
        let index = lists.spares.pop()?;
        self.give(slot, self.threads.get(index));
        if needed || for_work || lists.spares.is_empty() {
            return Some(Disposed::Called(index));
        }
        let listed = &self.threads.get(index).listed;
        self.idle.place(lists, index, listed);
        Some(Disposed::Placed)
    }

    /// What is left to do for a slot that was given away, without the lock.
    pub(crate) fn follow(&'static self, how: Disposed) {
        match how {
            Disposed::Called(_) if cfg!(feature = "bug_claim_follow") => {}
            Disposed::Called(index) => self.threads.get(index).sleeper.call(),
            Disposed::Placed => self.look_for_placed(),
            Disposed::Rests(slot) => self.lay_down(slot),
        }
    }

    /// Steps S2 and S3 of the idle protocol on behalf of the thread with which a slot was placed.
    fn look_for_placed(&self) {
        if cfg!(feature = "bug_claim_placed") {
            return;
        }
        barrier::heavy();
        let work = |slot: &Slot| slot.waiting() > 0 || slot.has_shared();
        if !self.injector.is_empty() || self.slots.iter().any(work) || self.io.is_unwatched() {
            self.call_one();
        }
    }

    pub(super) fn next_claimant(
        &'static self,
        lists: &mut Lists,
        slot: &Slot,
    ) -> Option<&'static Thread> {
        let returner = self.next_returner(lists);
        let turns_over = slot.returns.get() >= RETURNS_MAX || returner.is_none();
        let returner = if turns_over && !lists.others.is_empty() {
            None
        } else {
            let place = returner.unwrap_or(0);
            // Those that stood there before it let it pass.
            for &index in lists.returners.iter().take(place) {
                self.threads.get(index).let_pass();
            }
            lists.returners.remove(place)
        };
        let turns = returner.map_or(0, |_| slot.returns.get() + 1);
        if let Some(returner) = returner.map(|index| self.threads.get(index)) {
            if !returner.goes_first() {
                lists.went_before = 0;
            }
            if !returner.passes.replace(false) {
                lists.passed = 0;
            }
        }
        let index = returner.or_else(|| lists.others.pop_front())?;
        slot.returns.set(turns);
        Some(self.threads.get(index))
    }

    /// The place of the first that comes back, or has let so many pass as it had to.
    fn next_returner(&'static self, lists: &Lists) -> Option<usize> {
        let mut returners = lists.returners.iter();
        returners.position(|&index| self.threads.get(index).lets_pass.get() == 0)
    }

    /// Whether there are none but such that let others pass. If so, they do once.
    pub(super) fn lets_pass(&'static self, lists: &Lists) -> bool {
        if lists.returners.is_empty() || self.next_returner(lists).is_some() {
            return false;
        }
        for &index in &lists.returners {
            self.threads.get(index).let_pass();
        }
        true
    }

    /// Step 2 of a claim.
    pub(crate) fn call_drivers(&'static self) {
        if cfg!(feature = "bug_claim_call") {
            return;
        }
        for slot in self.slots.iter().filter(|slot| !slot.rests()) {
            self.driver(slot).sleeper.call();
        }
    }

    fn note_on(&self, thread: &Thread) {
        if self.checks {
            self.checker.on(thread);
        }
    }

    pub(super) fn note_off(&self, thread: &Thread) {
        if self.checks {
            self.checker.off(thread);
        }
    }
}
