//! Who gets a slot: threads that come back to one, threads that gave theirs away, and threads that stand by.
//!
//! # Where a thread is
//!
//! | standing | has a slot | where | how it gets one |
//! |---|---|---|---|
//! | none, drives | yes | nowhere | |
//! | none, asleep in the list of sleepers (`idle.rs`) | yes | sleepers | |
//! | none, out: in a native section, or asleep with its task | until somebody takes it (`lease.rs`) | nowhere | it claims it when it comes back |
//! | spare: nothing to run | no | spares | somebody gives it a slot that would have no driver |
//! | returner: one task, which goes on at once | no | returners | first of all |
//! | other: bound tasks that could run | no | others | after the returners, or when the driver's quantum is over |
//!
//! Lists, slots on their way and the field `slot` of threads that do not drive are under the lock of the lists in `idle`.
//!
//! # A claim
//!
//! 1. A slot that nobody has; or that of a sleeper, who becomes a spare; or that of a thread that is out.
//! 2. Otherwise the claimant enters its list and calls all that drive a slot. A driver looks for calls at its next settle,
//!    and gives its slot to the first (`give_way`). Returners win at most three times in a row over what else waits.
//!    Among them goes first whose task is urgent or was called back by native code, since others wait for it; that, too, at
//!    most three times in a row. The rest stand by the priority of their tasks, and then as they came: who has stood there is
//!    passed by those of a higher one, but not more than 61 times in a row, as in a worker's queues.
//!
//! Who was called back by native code may have to give the claim up after some time, since others wait for it: it leaves its
//! list, under the same lock under which it would have been given a slot, and goes on as one that is out.
//!
//! When slots are to rest (`rest.rs`) the rest is a claimant too, and the first of all.
//!
//! # A claim of one that yields
//!
//! It has had its turn, and those who waited when it yielded have theirs first, as if it had gone to the end of their queue.
//! So it takes no slot from a thread in a section, which is in the middle of a turn and would wait for one of the claimant's
//! after each of its sections; if the section lasts, the monitor takes the slot for the claimant. It goes before nobody who
//! comes back. And it lets as many turns pass as tasks waited for one, but not more than 61.
//!
//! # Nobody is forgotten
//!
//! A claimant in its list is not forgotten: a driver that goes to sleep finds the list under the same lock, one that is given
//! a slot looks at the list after that, and one that drove before is called after the claimant has entered.
//!
//! # Giving a slot up
//!
//! A thread that sleeps with its task gives its slot to a claimant or to a spare at once. If nothing waits, the spare is not
//! woken: the slot is *placed* with it, as if it had gone to sleep with it (steps S1 to S3 of `idle.rs` on its behalf).
//! Coming back the thread takes it from there, so that two threads hand a slot back and forth without a third one running.
//!
//! The thread that is given a slot as the last spare starts its successor. If there can be no more threads, the slot stays
//! with the one who would have given it up.
//!
//! A thread whose only task yields gives the slot up and stands among the returners under one hold of the lock
//! (`take_turns`). In between, the kernel would take the processor away from it, most likely, for the thread that it has
//! just called; that one's yield would find a list without it, and the last of them, with nobody in the list, all turns.
#![forbid(unsafe_code)]

use crate::current::{FAIR_EVERY, Thread};
use crate::idle::{Lists, Role};
use crate::primitive::{Instant, Ordering, barrier};
use crate::scheduler::{Core, Phase};
use crate::slot::Slot;
use crate::stats::sections;
use crate::task::{Priority, Task};

/// Where a thread without a slot stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// In none of the lists of those without a slot.
    None,
    Spare,
    Returner,
    Other,
}

/// How often in a row returners go before what else waits.
const RETURNS_MAX: u32 = if cfg!(feature = "bug_claim_turns") {
    u32::MAX
} else {
    3
};
/// How often in a row some returners go before others.
const BEFORE_MAX: u32 = 3;
/// How often in a row those of a higher priority pass others.
const PASSED_MAX: u32 = FAIR_EVERY as u32;

/// Why a thread claims a slot for the one task it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// The task comes back, from a section or a wait.
    Return,
    /// It yields, and so many waited for a turn.
    Yield(u32),
}

/// What a thread without a slot finds under the lock.
enum Found {
    /// It has one now, and this role if it slept with it.
    Slot(Option<Role>),
    /// It has to wait; the drivers are to be called if it is new in its list.
    Wait { call: bool },
    /// There is nothing more for it to do.
    End,
}

/// What became of a slot without a driver.
pub(crate) enum Disposed {
    /// This thread has it, and is to be called.
    Called(usize),
    /// It lies with a thread that sleeps.
    Placed,
    /// It is on its way to rest.
    Rests(&'static Slot),
}

/// Between T1 and T2 of the lease.
fn heavy() {
    if !cfg!(feature = "bug_claim_barrier") {
        barrier::heavy();
    }
}

impl Thread {
    /// The end of a native section, or of a sleep with the task: back to a slot.
    #[inline(always)]
    pub(crate) fn come_back(&'static self) {
        if !self.lease.enter() {
            self.claim(Claim::Return);
        }
    }

    /// Waits for a slot to go on with the one task this thread has.
    #[cold]
    pub(crate) fn claim(&'static self, claim: Claim) {
        let has_it = self.claim_until(claim, None);
        debug_assert!(has_it, "nothing else ends it");
    }

    /// The same until this time. `false`: there is none, and the thread claims none any more.
    #[cold]
    pub(crate) fn claim_until(&'static self, claim: Claim, until: Option<Instant>) -> bool {
        let core = self.core();
        loop {
            match core.idle.with(|lists| self.find_to_return(lists, claim)) {
                Found::Slot(role) => {
                    self.begin_with_slot(role);
                    return true;
                }
                Found::Wait { call: true } => core.call_drivers(),
                Found::Wait { call: false } | Found::End => {}
            }
            let called = self.sleeper.sleep(until);
            if !called && until.is_some() && self.gives_up() {
                return false;
            }
        }
    }

    /// The time is over: out of the lists, unless somebody has just given it a slot.
    fn gives_up(&self) -> bool {
        self.core().idle.with(|lists| {
            let gives_up = self.slot.get().is_none();
            if gives_up {
                self.leave_lists(lists);
            }
            gives_up
        })
    }

    fn find_to_return(&'static self, lists: &mut Lists, claim: Claim) -> Found {
        if self.slot.get().is_some() || self.core().find_slot(lists, self, claim) {
            return Found::Slot(self.role(lists));
        }
        let call = self.standing.get() == Standing::None;
        if call {
            self.become_returner(lists, claim);
        }
        Found::Wait { call }
    }

    fn become_returner(&self, lists: &mut Lists, claim: Claim) {
        let returns = claim == Claim::Return;
        if returns && self.goes_first() && lists.went_before < BEFORE_MAX {
            lists.went_before += 1;
            lists.returners.push_front(self.index);
        } else {
            self.stand_by_priority(lists);
        }
        self.lets_pass.set(match claim {
            Claim::Return => 0,
            Claim::Yield(waited) => waited.min(PASSED_MAX),
        });
        self.standing.set(Standing::Returner);
    }

    /// Behind those of its priority, and of higher ones.
    fn stand_by_priority(&self, lists: &mut Lists) {
        let threads = &self.core().threads;
        let is_passed = |&&index: &&usize| threads.get(index).rank() < self.rank();
        let passed = lists.returners.iter().rev().take_while(is_passed).count();
        let passes = passed > 0 && lists.passed < PASSED_MAX;
        let place = lists.returners.len() - if passes { passed } else { 0 };
        lists.passed += u32::from(passes);
        self.passes.set(passes);
        lists.returners.insert(place, self.index);
    }

    /// One of the turns has come that it lets pass.
    fn let_pass(&self) {
        self.lets_pass.set(self.lets_pass.get() - 1);
    }

    /// Whose task comes before whose, as far as priorities say.
    fn rank(&self) -> Option<Priority> {
        self.task.get().map(Task::own_priority)
    }

    /// Whether others wait for its task.
    fn goes_first(&self) -> bool {
        let task = self.task.get();
        task.is_some_and(|task| task.is_urgent() || task.has_native_frames())
    }

    /// Waits for a slot, with or without tasks of its own. `false`: this thread is to end.
    #[must_use]
    pub(crate) fn stand_by(&'static self) -> bool {
        loop {
            self.inbox.drain(|task| self.bound.push(task, None));
            match self.core().idle.with(|lists| self.find_to_stand_by(lists)) {
                Found::Slot(role) => {
                    self.begin_with_slot(role);
                    self.core().ensure_spare();
                    return true;
                }
                Found::End => return false,
                Found::Wait { call: true } => self.core().call_drivers(),
                Found::Wait { call: false } => {}
            }
            self.sleeper.sleep(None);
        }
    }

    fn find_to_stand_by(&'static self, lists: &mut Lists) -> Found {
        if self.slot.get().is_some() {
            return Found::Slot(self.role(lists));
        }
        if self.should_stop() {
            self.leave_lists(lists);
            return Found::End;
        }
        let wants = self.woken.get().is_some() || !self.bound.is_empty();
        match self.standing.get() {
            Standing::Spare | Standing::None if wants => self.claim_for_bound(lists),
            Standing::None => self.become_spare(lists),
            Standing::Spare | Standing::Other | Standing::Returner => Found::Wait { call: false },
        }
    }

    fn claim_for_bound(&'static self, lists: &mut Lists) -> Found {
        if self.core().find_slot(lists, self, Claim::Return) {
            return Found::Slot(None);
        }
        self.leave_lists(lists);
        lists.others.push_back(self.index);
        self.standing.set(Standing::Other);
        Found::Wait { call: true }
    }

    fn become_spare(&'static self, lists: &mut Lists) -> Found {
        let core = self.core();
        if self.bound_live.get() == 0 && lists.spares.len() >= core.spares_max() {
            return Found::End;
        }
        lists.spares.push(self.index);
        self.standing.set(Standing::Spare);
        if cfg!(feature = "bug_spare_look") {
            return Found::Wait { call: false };
        }
        // What could not be given up before there was this thread.
        let free = lists.free.pop().map(|index| &core.slots[index]);
        if let Some(slot) = free.or_else(|| core.take_left(|driver| driver.blocks.get())) {
            self.leave_lists(lists);
            core.give(slot, self);
            return Found::Slot(None);
        }
        Found::Wait { call: false }
    }

    /// Out of the lists of those without a slot.
    fn leave_lists(&self, lists: &mut Lists) {
        let me = |&index: &usize| index == self.index;
        match self.standing.replace(Standing::None) {
            Standing::None => {}
            Standing::Spare => lists.spares.retain(|index| !me(index)),
            Standing::Returner => lists.returners.retain(|index| !me(index)),
            Standing::Other => lists.others.retain(|index| !me(index)),
        }
    }

    /// What it is if it slept in the list with the slot it has.
    fn role(&self, lists: &mut Lists) -> Option<Role> {
        self.core()
            .idle
            .leave_locked(lists, self.index, &self.listed)
    }

    fn begin_with_slot(&'static self, role: Option<Role>) {
        let core = self.core();
        self.lease.renew();
        self.refresh_coarse();
        core.monitor.wake_if_asleep();
        if role == Some(Role::Searcher) && core.idle.end_search() {
            core.call_one();
        }
        // Calls were taken in its sleep; and who claims a slot now has called the driver before this one.
        let stopping = core.phase() == Phase::Stopping && !cfg!(feature = "bug_claim_stop");
        if stopping || !self.inbox.is_empty() || core.idle.claimants() > 0 {
            self.sleeper.call();
        }
    }

    /// A driver finds claimants at its settle, or when it has nothing to do, or that its slot is to rest.
    /// `false`: this thread is to end.
    #[cold]
    #[must_use]
    pub(crate) fn give_way(&'static self) -> bool {
        let core = self.core();
        let busy = self.woken.get().is_some()
            || !self.bound.is_empty()
            || self.slot().waiting() > 0
            || !core.injector.is_empty();
        let given = core.idle.with(|lists| {
            let slot = self.slot();
            if lists.surplus() > 0 {
                self.slot.set(None);
                return core.dispose_or_rest(lists, slot, false);
            }
            let turns_over = slot.returns.get() >= RETURNS_MAX;
            if busy && !self.has_to_go(lists) && core.lets_pass(lists) {
                // A turn of those that wait; then one looks again.
                self.sleeper.call();
                return None;
            }
            if busy && !self.has_to_give_way(lists, turns_over) {
                if !lists.returners.is_empty() {
                    // One of the others first; then the returners again.
                    slot.returns.set(0);
                    self.sleeper.call();
                }
                return None;
            }
            let next = core.next_claimant(lists, slot)?;
            self.slot.set(None);
            core.give(slot, next);
            Some(Disposed::Called(next.index))
        });
        let Some(how) = given else { return true };
        core.follow(how);
        self.stand_by()
    }

    fn has_to_give_way(&self, lists: &Lists, turns_over: bool) -> bool {
        (!lists.returners.is_empty() && !turns_over) || self.has_to_go(lists)
    }

    /// Others claim its slot, and it has had that for a quantum.
    fn has_to_go(&self, lists: &Lists) -> bool {
        let overdue = cfg!(any(loom, shuttle)) || self.overdue.load(Ordering::Relaxed);
        !lists.others.is_empty() && overdue
    }

    /// Gives the slot up while it is out. `false`: there is nobody to have it, and it stays with this thread until
    /// somebody takes it. `needed` says that somebody ought to drive it at once.
    pub(crate) fn give_up(&'static self, needed: bool) -> bool {
        let core = self.core();
        let disposed = core.idle.with(|lists| {
            let Some(slot) = self.slot.get() else {
                // The monitor was faster.
                return Some(Disposed::Placed);
            };
            if !lists.has_takers() && lists.surplus() == 0 {
                self.blocks.set(true);
                return None;
            }
            self.lease.give();
            self.slot.set(None);
            core.note_off(self);
            core.dispose_or_rest(lists, slot, needed)
        });
        let given = disposed.is_some();
        disposed.into_iter().for_each(|how| core.follow(how));
        given
    }

    /// A yield of the one task that this thread has, while so many waited for a turn: the slot goes to who is next, and the
    /// thread waits for its own. `false`: there is nobody to have the slot.
    pub(crate) fn take_turns(&'static self, waited: u32) -> bool {
        let core = self.core();
        let claim = Claim::Yield(waited);
        let disposed = core.idle.with(|lists| {
            if !lists.has_takers() && lists.surplus() == 0 {
                return None;
            }
            let slot = self.slot();
            self.slot.set(None);
            core.note_off(self);
            let disposed = core.dispose_or_rest(lists, slot, true);
            if !cfg!(feature = "bug_claim_window") {
                self.become_returner(lists, claim);
            }
            Some(disposed.expect("there are takers"))
        });
        let Some(disposed) = disposed else {
            return false;
        };
        core.follow(disposed);
        if core.slots.len() > 1 {
            // The one that has the slot now looks for claimants by itself.
            core.call_drivers();
        }
        self.claim(claim);
        true
    }

    /// The end of a thread that drives its slot for one task only: somebody else has the slot from now on, if there is one.
    pub(crate) fn give_back(&'static self) {
        let core = self.core();
        let slot = self.slot();
        let needed = core.is_needed(slot);
        let disposed = core.idle.with(|lists| {
            self.slot.set(None);
            let disposed = core.dispose_or_rest(lists, slot, needed);
            if disposed.is_none() {
                lists.free.push(slot.index);
            }
            disposed
        });
        match disposed {
            Some(how) => core.follow(how),
            None => core.ensure_spare(),
        }
    }
}

impl Core {
    /// Gives a slot to a thread that has none. Under the lock.
    fn give(&self, slot: &'static Slot, to: &'static Thread) {
        slot.driver.store(to.index, Ordering::Relaxed);
        to.overdue.store(false, Ordering::Relaxed);
        to.standing.set(Standing::None);
        to.slot.set(Some(slot));
        self.note_on(to);
    }

    /// Step 1 of a claim. Under the lock.
    fn find_slot(&'static self, lists: &mut Lists, to: &'static Thread, claim: Claim) -> bool {
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
    fn take_left(&'static self, of: impl Fn(&Thread) -> bool) -> Option<&'static Slot> {
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
            let mut takers = lists.takers();
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
        if let Some(Disposed::Called(index)) = self.dispose(lists, slot, true) {
            self.threads.get(index).sleeper.call();
        }
    }

    /// Whether somebody ought to drive this slot at once. For who has the slot.
    pub(crate) fn is_needed(&self, slot: &Slot) -> bool {
        self.has_work(slot) || slot.next_timer().is_some()
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
    fn dispose_or_rest(
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

    fn next_claimant(&'static self, lists: &mut Lists, slot: &Slot) -> Option<&'static Thread> {
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
    fn lets_pass(&'static self, lists: &Lists) -> bool {
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

    fn note_off(&self, thread: &Thread) {
        if self.checks {
            self.checker.off(thread);
        }
    }
}
