//! Giving a slot up: to who claims one, at a settle, or because its thread is out, takes turns, or ends.
#![forbid(unsafe_code)]

use super::{Claim, Disposed, RETURNS_MAX};
use crate::idle::Lists;
use crate::primitive::Ordering;
use crate::thread::Thread;

impl Thread {
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
            if self.has_bound() && !cfg!(feature = "bug_claim_window") {
                self.stand_with_bound(lists);
            }
            Some(Disposed::Called(next.index))
        });
        let Some(how) = given else { return true };
        core.follow(how);
        if core.slots.len() > 1 {
            // The one that has the slot now looks for claimants by itself.
            core.call_drivers();
        }
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
