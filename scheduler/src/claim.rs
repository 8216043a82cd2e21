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
//! (`take_turns`); so does one with bound tasks that gives way to a claimant. In between, the kernel would take the processor away from it, most likely, for the thread that it has
//! just called; that one's yield would find a list without it, and the last of them, with nobody in the list, all turns.
#![forbid(unsafe_code)]

use crate::idle::{Lists, Role};
use crate::primitive::Instant;
use crate::scheduler::Phase;
use crate::slot::Slot;
use crate::task::{Priority, Task};
use crate::thread::{FAIR_EVERY, Thread};

mod give;
mod grant;

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
                Found::Wait { call: true } => {
                    core.call_drivers();
                    // The twin that a model must catch: who was called has looked, and sleeps by now.
                    if cfg!(feature = "bug_claim_late") {
                        core.idle.with(|lists| self.become_returner(lists, claim));
                    }
                }
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
        if call && !cfg!(feature = "bug_claim_late") {
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
            Claim::Yield(_) if cfg!(feature = "bug_claim_order") => 0,
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
        if !cfg!(feature = "bug_claim_pass") {
            self.lets_pass.set(self.lets_pass.get() - 1);
        }
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
        let wants = self.has_bound();
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
        self.stand_with_bound(lists);
        Found::Wait { call: true }
    }

    /// Whether it has bound tasks that could run, as far as it has looked.
    fn has_bound(&self) -> bool {
        self.woken.get().is_some() || !self.bound.is_empty()
    }

    /// Among those that have bound tasks to run.
    fn stand_with_bound(&self, lists: &mut Lists) {
        lists.others.push_back(self.index);
        self.standing.set(Standing::Other);
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
}
