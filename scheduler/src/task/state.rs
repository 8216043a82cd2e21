//! The two words of a task that several threads change: the *wait word* and the *life word*.
//!
//! # The wait word
//!
//! Who changes it from *armed* to *ended* decides how the wait ends, alone; that one also makes the task runnable.
//!
//! | state | where the task is | who may change it | to |
//! |---|---|---|---|
//! | idle | runs, or is queued | the task's own settle | armed, next epoch |
//! | armed | gives its stack back or is parked; in a wait list, a slot's timers, or nowhere | anyone, by [`WaitWord::claim`] | ended |
//! | ended | queued by the claimer, then runs | the task's own next settle | armed, next epoch |
//!
//! ```text
//! 63            32 31        16 15       6 5    4 3   2 1   0
//! |    epoch      |   token    | - |excl. |allow |wake |phase|
//! ```
//!
//! # Contended and exclusive waits
//!
//! A *contended* wait is claimed by compare-and-swap: signal, timer and interruption race, and one wins.
//! An *exclusive* wait has no time limit, and stands where signals exclude each other anyway: by the lock of its list, or by
//! the exchange with which a task that ends takes its joiner. So a signal ends it with a plain store, which saves a locked
//! instruction for each wake; interruptions take another way (`freeze.rs`).
//!
//! *epoch* counts the waits: a claimer names the wait it means, so a late timer or a stale list entry does nothing.
//! *token* says which of several things waited for has happened. *allow* says which interruptions may claim.
//! While nobody can claim (idle, ended) only the task writes, so arming is a plain store.
//!
//! # The life word
//!
//! ```text
//! 63                          24 23          3 2    1      0
//! |  joiner's address >> 7      |  references | -  | many | done |
//! ```
//!
//! One word, so that the end of a task is one exchange: it sets *done*, takes the one waiting joiner (if there are
//! several, *many* is set and they stand in a list) and gives back the scheduler's reference. The record of a plain thread
//! has its thread's reference in that place, and the thread's end is its end.
//!
//! Two ways lead to a reference: from one that is held (`keep`), and from a look at the pool (`try_keep`), which succeeds
//! until the word says *done*. So *done* comes before the last reference goes. Then:
//!
//! 1. who sees, done, that his is the only one has the record to himself, and need not take it from the word;
//! 2. a word in the pool is done, whatever count was left in it, so nobody keeps a record that lies there;
//! 3. nobody keeps a record in one life and gives that back in the next.
//!
//! Without *done* none of them holds: two that give theirs back at once leave a word of no references, which a look at the pool
//! raises to one and gives back as the last, and the record stands in the pool twice.
#![forbid(unsafe_code)]

use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use crate::primitive::{AtomicU64, barrier};
use crate::wait::{Interrupt, Wake};

const PHASE: u64 = 0b11;
const IDLE: u64 = 0;
const ARMED: u64 = 1;
const ENDED: u64 = 2;
const WAKE_SHIFT: u32 = 2;
const ALLOW_SHIFT: u32 = 4;
const EXCLUSIVE: u64 = 1 << 6;
const TOKEN_SHIFT: u32 = 16;
const EPOCH_SHIFT: u32 = 32;

/// Which of a task's waits is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Epoch(u32);

#[cfg(test)]
impl Epoch {
    pub(crate) fn test(value: u32) -> Epoch {
        Epoch(value)
    }
}

/// How a wait ended, and with which of the things waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) wake: Wake,
    pub(crate) token: u16,
}

/// See the module docs.
pub(crate) struct WaitWord(AtomicU64);

const fn allow_bits(allow: Interrupt) -> u64 {
    match allow {
        Interrupt::Never => 0,
        Interrupt::Unwind => 1,
        Interrupt::Abort => 2,
        Interrupt::Alert => 3,
    }
}

impl WaitWord {
    pub(crate) fn new() -> Self {
        WaitWord(AtomicU64::new(IDLE))
    }

    /// The epoch that the next [`arm`](WaitWord::arm) will have. Owner only.
    #[inline(always)]
    pub(crate) fn next_epoch(&self) -> Epoch {
        Epoch(((self.0.load(Relaxed) >> EPOCH_SHIFT) as u32).wrapping_add(1))
    }

    /// The epoch of the wait that is on or was the last. Owner only.
    #[inline(always)]
    pub(crate) fn last_epoch(&self) -> Epoch {
        Epoch((self.0.load(Relaxed) >> EPOCH_SHIFT) as u32)
    }

    /// The epoch of the wait that is on, for others.
    pub(crate) fn armed_epoch(&self) -> Option<Epoch> {
        let word = self.0.load(Acquire);
        (word & PHASE == ARMED).then_some(Epoch((word >> EPOCH_SHIFT) as u32))
    }

    /// Idle or ended → armed, contended. Owner only: the settle of this task.
    #[inline(always)]
    pub(crate) fn arm(&self, allow: Interrupt) -> Epoch {
        self.arm_as(allow, 0)
    }

    /// Idle or ended → armed, exclusive. Owner only: the settle of this task.
    #[inline(always)]
    pub(crate) fn arm_exclusive(&self, allow: Interrupt) -> Epoch {
        self.arm_as(allow, EXCLUSIVE)
    }

    #[inline(always)]
    fn arm_as(&self, allow: Interrupt, how: u64) -> Epoch {
        let epoch = self.next_epoch();
        // Release: a claimer that acquires the word sees what the settle wrote before (the wait's target).
        self.0.store(
            (u64::from(epoch.0) << EPOCH_SHIFT) | (allow_bits(allow) << ALLOW_SHIFT) | how | ARMED,
            Release,
        );
        epoch
    }

    /// Armed → ended, if this wait is still the one meant. `true` obliges the caller to make the task runnable.
    #[must_use]
    #[inline(always)]
    pub(crate) fn claim(&self, epoch: Epoch, wake: Wake, token: u16) -> bool {
        let word = self.0.load(Relaxed);
        word & PHASE == ARMED
            && ((word >> EPOCH_SHIFT) as u32 == epoch.0 || cfg!(feature = "bug_wait_epoch"))
            && self.end(word, wake, token)
    }

    /// Armed → ended by a signal that found this wait where it was linked, under the lock of that list.
    #[must_use]
    #[inline(always)]
    pub(crate) fn claim_listed(&self, epoch: Epoch, token: u16) -> bool {
        let word = self.0.load(Relaxed);
        if word & EXCLUSIVE == 0 {
            return self.claim(epoch, Wake::Signalled, token);
        }
        debug_assert!(
            word & PHASE == ARMED && (word >> EPOCH_SHIFT) as u32 == epoch.0,
            "a wait that is linked is on"
        );
        // Release: what the signaller did is visible to the task. Nobody else changes the word (module docs).
        self.0
            .store(ended_word(word, Wake::Signalled, token), Release);
        true
    }

    /// Armed → ended for the joiner that the end of a task took: always an exclusive wait.
    #[inline(always)]
    pub(crate) fn end_joined(&self) {
        let word = self.0.load(Relaxed);
        debug_assert!(
            word & (PHASE | EXCLUSIVE) == ARMED | EXCLUSIVE,
            "who stands in a life word waits exclusively"
        );
        // Release: as in `claim_listed`.
        self.0.store(ended_word(word, Wake::Signalled, 0), Release);
    }

    /// The wait that is on (`only` this one), if it is exclusive and an interruption of the strength that `by` names, once
    /// the word was read, may break it.
    pub(crate) fn exclusive(
        &self,
        only: Option<Epoch>,
        by: impl Fn() -> Interrupt,
    ) -> Option<Exclusive> {
        let word = self.0.load(Acquire);
        let on = word & (PHASE | EXCLUSIVE) == ARMED | EXCLUSIVE
            && only.is_none_or(|only| (word >> EPOCH_SHIFT) as u32 == only.0)
            && permits(word, by());
        on.then_some(Exclusive(word))
    }

    /// Whether that same wait is still on.
    pub(crate) fn is_still(&self, wait: Exclusive) -> bool {
        self.0.load(Acquire) == wait.0
    }

    /// Ends an exclusive wait that the caller has taken back from where signals would find it.
    pub(crate) fn end_exclusive(&self, wait: Exclusive, wake: Wake) {
        // Release: what the interrupter did is visible to the task.
        self.0.store(ended_word(wait.0, wake, 0), Release);
    }

    /// Armed → ended for whatever contended wait is on, if `wanted` says so once the word was read.
    #[must_use]
    pub(crate) fn claim_if(&self, wake: Wake, wanted: impl Fn() -> bool) -> bool {
        let word = self.0.load(Acquire);
        word & (PHASE | EXCLUSIVE) == ARMED && wanted() && self.end(word, wake, 0)
    }

    /// Armed → ended by an interruption of the strength that `by` names once the word was read: so a task that has taken
    /// the interruption back before it armed this wait is left alone. The caller has published its flag and passed a barrier.
    #[must_use]
    pub(crate) fn interrupt(&self, wake: Wake, by: impl Fn() -> Interrupt) -> bool {
        loop {
            // Acquire: pairs with `arm`; what the task did to its flags before is visible to `by`.
            let word = self.0.load(Acquire);
            if word & (PHASE | EXCLUSIVE) != ARMED || !permits(word, by()) {
                return false;
            }
            if self.end(word, wake, 0) {
                return true;
            }
        }
    }

    /// The settle's own look for a flag raised before the wait was armed; names the wait, since it may be over by now.
    #[must_use]
    pub(crate) fn interrupt_epoch(&self, epoch: Epoch, by: Interrupt, wake: Wake) -> bool {
        let word = self.0.load(Acquire);
        word & (PHASE | EXCLUSIVE) == ARMED
            && (word >> EPOCH_SHIFT) as u32 == epoch.0
            && permits(word, by)
            && self.end(word, wake, 0)
    }

    #[inline(always)]
    fn end(&self, word: u64, wake: Wake, token: u16) -> bool {
        if cfg!(feature = "bug_wait_store") {
            self.0.store(ended_word(word, wake, token), Release);
            return true;
        }
        // AcqRel: acquire what the settle wrote; release what the claimer did, to the task when it runs again.
        self.0
            .compare_exchange(word, ended_word(word, wake, token), AcqRel, Relaxed)
            .is_ok()
    }

    /// Armed → ended by the task itself, before anybody else: the wait turned out to be over while it was being published.
    /// `false`: somebody claimed it and will make the task runnable.
    #[must_use]
    pub(crate) fn disarm(&self, epoch: Epoch) -> bool {
        // An exclusive wait that was never linked is nobody's but the task's.
        self.claim_listed(epoch, 0)
    }

    /// How the last wait ended. Owner only, after it was made runnable.
    #[inline(always)]
    pub(crate) fn ended(&self) -> Ended {
        let word = self.0.load(Acquire);
        Ended {
            wake: Wake::from_bits(word >> WAKE_SHIFT),
            token: (word >> TOKEN_SHIFT) as u16,
        }
    }

    /// Whether a wait is on. For statistics and for threads that wait in the kernel.
    #[inline(always)]
    pub(crate) fn is_armed(&self) -> bool {
        self.0.load(Acquire) & PHASE == ARMED
    }

    /// Whether an interruption of the strongest kind may break this wait, if it is still on.
    pub(crate) fn is_breakable(&self, epoch: Epoch) -> bool {
        let word = self.0.load(Acquire);
        word & PHASE == ARMED
            && (word >> EPOCH_SHIFT) as u32 == epoch.0
            && permits(word, Interrupt::Unwind)
    }

    /// Whether this very wait is still on (the timers ask before they keep an entry).
    #[inline(always)]
    pub(crate) fn is_armed_for(&self, epoch: Epoch) -> bool {
        let word = self.0.load(Relaxed);
        word & PHASE == ARMED && (word >> EPOCH_SHIFT) as u32 == epoch.0
    }
}

/// An exclusive wait, as an interrupter has seen it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exclusive(u64);

const fn ended_word(word: u64, wake: Wake, token: u16) -> u64 {
    let kept = word & !((0xffff << TOKEN_SHIFT) | EXCLUSIVE | (0b11 << WAKE_SHIFT) | PHASE);
    kept | ((token as u64) << TOKEN_SHIFT) | (wake.bits() << WAKE_SHIFT) | ENDED
}

fn permits(word: u64, by: Interrupt) -> bool {
    let allow = (word >> ALLOW_SHIFT) & 0b11;
    match by {
        Interrupt::Never => false,
        Interrupt::Alert => allow == allow_bits(Interrupt::Alert),
        Interrupt::Abort => allow >= allow_bits(Interrupt::Abort),
        Interrupt::Unwind => allow >= allow_bits(Interrupt::Unwind),
    }
}

/// What the interrupter does between its flag and its claim; what the settle does between arming and reading the flags.
#[inline(always)]
pub(crate) fn settle_barrier() {
    barrier::assumed();
}

const DONE: u64 = 1;
const MANY: u64 = 2;
const REF_SHIFT: u32 = 3;
const REF: u64 = 1 << REF_SHIFT;
const REFS: u64 = ((1 << 21) - 1) << REF_SHIFT;
const JOINER_SHIFT: u32 = 24;
/// Tasks are aligned to this, so that an address fits above the references.
pub(crate) const TASK_ALIGN_SHIFT: u32 = 7;

/// See the module docs.
pub(crate) struct Life(AtomicU64);

/// What a joiner found when it tried to stand in the word.
#[must_use]
pub(crate) enum Stand {
    /// It stands there; the end of the task will find it.
    There,
    /// The task is done.
    Done,
    /// Another one stands there already: use the list.
    Taken,
}

/// What the end of a task found.
#[must_use]
pub(crate) struct End {
    /// The address of the one joiner, or 0.
    pub(crate) joiner: usize,
    /// Several stand in the list; the scheduler's reference was not given back yet.
    pub(crate) many: bool,
    /// Nobody else has a reference.
    pub(crate) last: bool,
}

impl Life {
    pub(crate) fn new() -> Self {
        Life(AtomicU64::new(DONE))
    }

    /// A new life with so many references. Only while nobody else has any.
    #[inline(always)]
    pub(crate) fn begin(&self, references: u64) {
        debug_assert!(
            {
                let before = self.0.load(Relaxed);
                before & DONE != 0 && before & REFS <= REF
            },
            "a life begins after the end of the one before, with which nobody has a reference any more"
        );
        // Release: pairs with the acquire in `try_keep`. Who finds the record in the pool sees whose task it is.
        let order = if cfg!(feature = "bug_life_begin") {
            Relaxed
        } else {
            Release
        };
        self.0.store(references << REF_SHIFT, order);
    }

    /// Whether the task has ended; what it did is visible then.
    #[inline(always)]
    pub(crate) fn is_done(&self) -> bool {
        // Acquire: pairs with the release in `end`.
        self.0.load(Acquire) & DONE != 0
    }

    /// Whether nobody has a reference but the scheduler, for a task that has not ended: nobody can get one any more.
    #[inline(always)]
    pub(crate) fn is_forgotten(&self) -> bool {
        // Acquire: what the others did before they gave theirs back is visible.
        self.0.load(Acquire) & REFS == REF
    }

    /// Takes one more reference.
    ///
    /// # Panics
    /// At two million references: the counter would run into the joiner's address.
    pub(crate) fn keep(&self) {
        let word = self.0.fetch_add(REF, Relaxed);
        assert!(word & REFS < REFS / 2, "too many references to one task");
    }

    /// Takes a reference on behalf of somebody who has none and found the task in the pool. `false`: it has ended.
    #[must_use]
    pub(crate) fn try_keep(&self) -> bool {
        let mut word = self.0.load(Acquire);
        while word & DONE == 0 || cfg!(feature = "bug_life_look") {
            match self.0.compare_exchange(word, word + REF, AcqRel, Acquire) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// Gives a reference back. `true`: it was the last one, the record is the caller's to recycle.
    #[inline(always)]
    #[must_use]
    pub(crate) fn release(&self) -> bool {
        // Acquire: all that the others did before they gave theirs back is visible.
        let word = self.0.load(Acquire);
        debug_assert!(word & REFS != 0, "a reference is given back once");
        if word & REFS == REF {
            // Nobody else is left who could take or give one: after the end `try_keep` gives none.
            debug_assert!(word & DONE != 0, "the last reference goes after the end");
            return true;
        }
        // AcqRel: as above, and what we did is visible to the last one.
        let order = if cfg!(feature = "bug_life_release") {
            Relaxed
        } else {
            AcqRel
        };
        self.0.fetch_sub(REF, order) & REFS == REF
    }

    /// A joiner whose wait is armed puts itself where the end of the task will find it.
    pub(crate) fn stand(&self, joiner: usize) -> Stand {
        let mut word = self.0.load(Acquire);
        loop {
            if word & DONE != 0 {
                return Stand::Done;
            }
            if word >> JOINER_SHIFT != 0 || word & MANY != 0 {
                return Stand::Taken;
            }
            let new = word | ((joiner as u64 >> TASK_ALIGN_SHIFT) << JOINER_SHIFT);
            // AcqRel: our armed wait is visible to the end; if it is done, its work is visible to us.
            match self.0.compare_exchange(word, new, AcqRel, Acquire) {
                Ok(_) => return Stand::There,
                Err(now) => word = now,
            }
        }
    }

    /// A joiner whose wait ended otherwise leaves the word, if it is still there.
    /// Returns whether it was.
    pub(crate) fn step_back(&self, joiner: usize) -> bool {
        let mine = (joiner as u64 >> TASK_ALIGN_SHIFT) << JOINER_SHIFT;
        let mut word = self.0.load(Relaxed);
        while word & DONE == 0 && word >> JOINER_SHIFT == mine >> JOINER_SHIFT {
            let new = word & !(u64::MAX << JOINER_SHIFT);
            match self.0.compare_exchange(word, new, Release, Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// The address of the joiner that stands in the word, or 0; and whether there are some in the list. For the task itself,
    /// which has started.
    ///
    /// A joiner that comes to stand here later knows that the task has started: see `sync/lock_waits/notes.rs`.
    pub(crate) fn joiners(&self) -> (usize, bool) {
        let word = if cfg!(feature = "bug_note_look") {
            self.0.load(Acquire)
        } else {
            // AcqRel: what changes nothing comes in turn with what the joiners change all the same. Acquire: the armed wait
            // of those before. Release: those after it see that the task has started.
            self.0.fetch_add(0, AcqRel)
        };
        let joiner = (word >> JOINER_SHIFT << TASK_ALIGN_SHIFT) as usize;
        (joiner, word & MANY != 0)
    }

    /// Says that joiners stand in the list. Under the list's lock. `false`: the task is done already.
    #[must_use]
    pub(crate) fn announce_list(&self) -> bool {
        self.0.fetch_or(MANY, AcqRel) & DONE == 0
    }

    /// The end of the task: done, joiner taken and, unless there is a list to serve first, the reference given back.
    #[inline(always)]
    pub(crate) fn end(&self) -> End {
        let mut word = self.0.load(Relaxed);
        loop {
            let many = word & MANY != 0;
            let rest = word & !(u64::MAX << JOINER_SHIFT) | DONE;
            let new = if many { rest } else { rest - REF };
            // Release: the result is visible to who sees `done`. Acquire: the joiner's armed wait.
            match self.0.compare_exchange(word, new, AcqRel, Relaxed) {
                Ok(_) => {
                    return End {
                        joiner: (word >> JOINER_SHIFT << TASK_ALIGN_SHIFT) as usize,
                        many,
                        last: !many && new & REFS == 0,
                    };
                }
                Err(now) => word = now,
            }
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_once_and_only_for_its_epoch() {
        let word = WaitWord::new();
        let first = word.arm(Interrupt::Alert);
        assert!(word.claim(first, Wake::TimedOut, 7));
        assert!(!word.claim(first, Wake::Signalled, 0));
        assert_eq!(
            word.ended(),
            Ended {
                wake: Wake::TimedOut,
                token: 7
            }
        );
        let second = word.arm(Interrupt::Alert);
        assert!(
            !word.claim(first, Wake::Signalled, 0),
            "a stale claimer must not end the next wait"
        );
        assert!(word.claim(second, Wake::Signalled, 1));
    }

    #[test]
    fn interruptions_obey_what_the_wait_allows() {
        let table = [
            (Interrupt::Never, [false, false, false]),
            (Interrupt::Unwind, [true, false, false]),
            (Interrupt::Abort, [true, true, false]),
            (Interrupt::Alert, [true, true, true]),
        ];
        for (allow, expected) in table {
            for (by, expected) in [Interrupt::Unwind, Interrupt::Abort, Interrupt::Alert]
                .into_iter()
                .zip(expected)
            {
                let word = WaitWord::new();
                word.arm(allow);
                assert_eq!(
                    word.interrupt(Wake::Aborted, || by),
                    expected,
                    "{allow:?} against {by:?}"
                );
            }
        }
    }

    #[test]
    fn the_end_finds_the_joiner_and_the_last_reference() {
        let life = Life::new();
        life.begin(2);
        assert!(matches!(life.stand(0x1234_5600 << 4), Stand::There));
        assert!(matches!(life.stand(0x80), Stand::Taken));
        let end = life.end();
        assert_eq!(end.joiner, 0x1234_5600 << 4);
        assert!(!end.last && !end.many && life.is_done());
        assert!(life.release());
    }
}
