//! Slots that rest: how many tasks run at once can be changed while the scheduler runs.
//!
//! All slots are made at the start. As many as are wanted are *active*; the others *rest*: no thread has them, and no claim
//! finds them. What a slot holds for others goes elsewhere before it rests, so that nobody has to look for it there. And a
//! thread that has no slot any more is one as any other (`claim.rs`): its bound tasks, and the one that it sleeps with,
//! have their turns on the slots that are left, as they have when others come back from native code.
//!
//! # Protocol
//!
//! *Fewer* ([`Core::set_workers`]):
//!
//! 1. R1 The number that is wanted is set, under the lock of the lists, and all that drive a slot are called. What is active
//!    beyond it counts among the claimants. Whoever has a slot and gives way to a claimant, gives its slot up or yields it
//!    finds that under the lock, before all other claimants: one less is active, and its slot is on the way to rest. From
//!    here to R3 nobody else has the slot.
//! 2. R2 Its tasks go to the common queue. Its timers stay in it.
//! 3. R3 Under the lock: it rests. Or more are wanted again meanwhile: it is given to who claims one, as one that is given up.
//!    A worker that sleeps is called, if there is one, and the monitor.
//!
//! A slot that no thread has, since there could be none, begins at R1 with whoever changes the number.
//!
//! *More*: under the lock a slot that rests is active again, and is given to who claims one or stands by. If there can be no
//! thread it lies free, for the next one that claims.
//!
//! # Nobody is forgotten
//!
//! - *The number.* As a claimant in its list (`claim.rs`): a driver that goes to sleep finds it under the lock, one that is
//!   given a slot looks after that, and one that drove before is called after the number was set. It takes effect when they
//!   settle: a task that keeps its thread keeps the slot as well.
//! - *Tasks.* Nothing is put into a slot but by who has it, so after R2 there is nothing in it.
//! - *Timers.* The monitor fires those of a slot that rests at its ticks, and does not sleep for longer than until the next of
//!   them. A slot on its way to rest counts as driven; one that rests counts as one whose worker sleeps. So if the monitor
//!   goes to sleep with this slot at rest, R3 came before; and if it has looked for the next timer before R3, the call of R3
//!   ends its sleep at once. Such a timer is late by a tick at most.
//! - *Descriptors.* Others may have left them to this worker, since it was awake (`io/poller.rs`); it need not go to sleep
//!   with a slot now, so it calls one that does, or will. S1 and R3 change one word: whoever asks after S1 whether another
//!   is awake finds this slot at rest, or R3 comes later and finds the sleeper.
//! - *The monitor's own sleep.* A slot that is active again counts as driven before its new driver is called, and that one
//!   looks whether the monitor sleeps, as whoever is given a slot.
#![forbid(unsafe_code)]

use crate::claim::Disposed;
use crate::idle::Lists;
use crate::primitive::Instant;
use crate::scheduler::Core;
use crate::slot::Slot;

/// What is left to do for a number that was changed, without the lock.
enum Step {
    Follow(Disposed),
    /// A slot lies free.
    LacksThread,
    Done,
}

impl Core {
    /// How many slots are to be active: at least one, and at most all.
    pub(crate) fn set_workers(&'static self, wanted: usize) {
        self.idle.with(|lists| self.idle.want(lists, wanted));
        loop {
            match self.idle.with(|lists| self.step_to_wanted(lists)) {
                Step::Follow(how) => self.follow(how),
                Step::LacksThread => self.ensure_spare(),
                Step::Done => break,
            }
        }
        if !cfg!(feature = "bug_rest_call") {
            self.call_drivers();
        }
    }

    /// How many are to be active.
    pub(crate) fn workers(&self) -> usize {
        self.idle.wanted()
    }

    fn step_to_wanted(&'static self, lists: &mut Lists) -> Step {
        if lists.surplus() > 0
            && let Some(free) = lists.free.pop()
        {
            lists.active -= 1;
            return Step::Follow(Disposed::Rests(&self.slots[free]));
        }
        if lists.lacks_some()
            && let Some(resting) = self.idle.end_rest(lists)
        {
            let slot = &self.slots[resting];
            slot.set_rests(false);
            return match self.activate(lists, slot) {
                Some(how) => Step::Follow(how),
                None => Step::LacksThread,
            };
        }
        Step::Done
    }

    /// A slot that nobody has is active again. `None`: there is no thread for it, and it lies free.
    fn activate(&'static self, lists: &mut Lists, slot: &'static Slot) -> Option<Disposed> {
        lists.active += 1;
        // Its timers want a driver, and work may wait.
        let disposed = self.dispose(lists, slot, true);
        if disposed.is_none() {
            lists.free.push(slot.index);
        }
        disposed
    }

    /// R2 and R3, for whoever did R1.
    #[cold]
    pub(crate) fn lay_down(&'static self, slot: &'static Slot) {
        slot.empty(|task| self.inject(task));
        let wanted = self.idle.with(|lists| {
            if lists.lacks_some() && !cfg!(feature = "bug_rest_again") {
                return Some(self.activate(lists, slot));
            }
            slot.set_rests(true);
            self.idle.note_rest(lists, slot.index);
            None
        });
        match wanted {
            None => {
                self.monitor.call();
                self.call_one();
            }
            Some(None) => self.ensure_spare(),
            Some(Some(how)) => self.follow(how),
        }
    }

    /// When the next timer of a slot that rests is due: for the monitor.
    pub(crate) fn next_at_rest(&self) -> Option<Instant> {
        let resting = self.slots.iter().filter(|slot| slot.rests());
        let due = resting.map(Slot::due).min()?;
        (due != u64::MAX).then(|| self.instant(due))
    }
}
