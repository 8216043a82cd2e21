//! Who sleeps, and who wakes them.
//!
//! # Protocol
//!
//! One word counts the workers that *search* for work and those that *sleep*, and the slots that rest (`rest.rs`); a locked
//! list names the sleepers.
//!
//! Somebody who makes work that any worker could do:
//!
//! 1. P1 publishes it (the count of a private part, the shared deque, the injector);
//! 2. P2 passes a barrier: the light one if it is the owner of a private part, a full fence otherwise;
//! 3. P3 reads the word. If somebody sleeps and nobody searches, it takes one sleeper off the list, counts it as
//!    searching in its place, and calls it.
//!
//! A worker that found nothing:
//!
//! 1. S1 enters the list and counts as sleeping (no longer as searching), with read-modify-writes;
//! 2. S2 passes the heavy barrier;
//! 3. S3 looks once more at all places that P1 writes. Something there: it leaves the list and searches again;
//! 4. S4 otherwise sleeps until it is called or its next timer is due.
//!
//! # Why no work is forgotten
//!
//! If P3 reads the word before S1, then by the barriers S3 sees what P1 wrote. If it reads it after S1, it sees a sleeper:
//! either it calls one, or somebody searches. A searcher ends its search in one of two ways. It finds nothing: it is then
//! the worker of S1 to S3, later than P1. It finds something: if it was the last searcher it passes the baton, that is,
//! it does P3 itself before it runs what it found.
//!
//! Nobody is called while somebody searches, so a burst of work wakes workers one after the other.
//!
//! A sleeper keeps its slot, and may lose it in its sleep to a thread that needs one (`claim.rs`); or a slot that nobody
//! drives is given to a thread that sleeps already. The lists are one lock's, so that a slot goes from one thread to the
//! other under it.
//!
//! Rejected: the heavy barrier on the pusher's side. Pushes are frequent, sleeping is rare and expensive anyway.
#![forbid(unsafe_code)]

use std::collections::VecDeque;

use crate::primitive::{AtomicU32, Mutex, Ordering, Plain};

/// There are at most 1024 slots, one of which never rests, and half of which search; a sleeper that is called searches beyond
/// that.
/// The slots that rest are the last bits: whether there is more than those is one comparison with memory, for whoever wakes.
const SEARCHING: u32 = 1 << 21;
const SLEEPING: u32 = 1 << 10;
const RESTING: u32 = 1;
const SLEEPERS: u32 = SEARCHING - SLEEPING;
const AT_REST: u32 = SLEEPING - RESTING;

/// What a worker is when it leaves its sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Role {
    /// Somebody called it because there is work; it counts as a searcher.
    Searcher,
    /// It was called for something of its own, or its timer is due.
    Plain,
}

pub(crate) struct Idle {
    word: AtomicU32,
    /// How many stand in the lists that are named so.
    claimants: AtomicU32,
    spares: AtomicU32,
    /// How many slots are to be active.
    wanted: AtomicU32,
    lists: Mutex<Lists>,
    searchers_max: u32,
}

/// Threads that do not run, by index. Who is in one of the lists is in no other.
pub(crate) struct Lists {
    /// They sleep with a slot.
    sleepers: Vec<usize>,
    /// They have no slot and need none.
    pub(crate) spares: Vec<usize>,
    /// They have no slot and a task that goes on as soon as there is one.
    pub(crate) returners: VecDeque<usize>,
    /// How many have gone before those of them that stood there.
    pub(crate) went_before: u32,
    /// How often in a row one has passed others by its priority.
    pub(crate) passed: u32,
    /// They have no slot, and bound tasks that could run.
    pub(crate) others: VecDeque<usize>,
    /// Slots that no thread has, by index: there was none.
    pub(crate) free: Vec<usize>,
    /// Slots that rest, by index.
    pub(crate) resting: Vec<usize>,
    /// How many slots are to be active, and how many are: they do not rest, and are not on the way there.
    wanted: usize,
    pub(crate) active: usize,
}

impl Lists {
    /// Threads that could have a slot.
    pub(crate) fn takers(&self) -> usize {
        self.returners.len() + self.others.len() + self.spares.len()
    }

    pub(crate) fn has_takers(&self) -> bool {
        self.takers() > 0
    }

    /// How many slots are still to rest.
    pub(crate) fn surplus(&self) -> usize {
        self.active.saturating_sub(self.wanted)
    }

    /// Whether more are wanted than are active.
    pub(crate) fn lacks_some(&self) -> bool {
        self.active < self.wanted
    }
}

impl Idle {
    /// For so many slots, of which so many are active.
    pub(crate) fn new(slots: usize, active: usize) -> Self {
        let lists = Lists {
            sleepers: Vec::with_capacity(slots),
            spares: Vec::with_capacity(slots),
            returners: VecDeque::with_capacity(slots),
            went_before: 0,
            passed: 0,
            others: VecDeque::with_capacity(slots),
            free: Vec::with_capacity(slots),
            resting: (active..slots).collect(),
            wanted: active,
            active,
        };
        Idle {
            word: AtomicU32::new(RESTING * (slots - active) as u32),
            claimants: AtomicU32::new(0),
            spares: AtomicU32::new(0),
            wanted: AtomicU32::new(active as u32),
            lists: Mutex::new(lists),
            searchers_max: (slots as u32 / 2).max(1),
        }
    }

    /// P3's read: whether somebody ought to be called.
    #[inline(always)]
    pub(crate) fn should_call(&self) -> bool {
        let word = self.word.load(Ordering::Relaxed);
        word & SLEEPERS != 0 && word < SEARCHING
    }

    /// Whether anybody would take work: a reason to share.
    #[inline(always)]
    pub(crate) fn wants_work(&self) -> bool {
        self.word.load(Ordering::Relaxed) > AT_REST
    }

    /// How many sleep now, for the monitor.
    pub(crate) fn sleeping(&self) -> usize {
        ((self.word.load(Ordering::SeqCst) & SLEEPERS) / SLEEPING) as usize
    }

    /// Whether no slot of so many is driven or lazily left: whoever has one sleeps, and the others rest.
    pub(crate) fn all_asleep(&self, slots: usize) -> bool {
        let word = self.word.load(Ordering::SeqCst);
        (word & SLEEPERS) / SLEEPING + (word & AT_REST) == slots as u32
    }

    /// A slot comes to rest. Under the lock. Its index is in the list before it counts.
    pub(crate) fn note_rest(&self, lists: &mut Lists, slot: usize) {
        lists.resting.push(slot);
        // SeqCst: as S1.
        self.word.fetch_add(RESTING, Ordering::SeqCst);
    }

    /// A slot rests no longer, if one did. Under the lock.
    pub(crate) fn end_rest(&self, lists: &mut Lists) -> Option<usize> {
        let slot = lists.resting.pop()?;
        self.word.fetch_sub(RESTING, Ordering::SeqCst);
        Some(slot)
    }

    /// Who wants a slot: threads that wait for one, and as many as are to rest. A hint; exact under the lock.
    #[inline(always)]
    pub(crate) fn claimants(&self) -> u32 {
        self.claimants.load(Ordering::Relaxed)
    }

    /// How many slots are to be active.
    pub(crate) fn wanted(&self) -> usize {
        self.wanted.load(Ordering::Relaxed) as usize
    }

    /// So many are from now on. Under the lock.
    pub(crate) fn want(&self, lists: &mut Lists, wanted: usize) {
        lists.wanted = wanted;
        self.wanted.store(wanted as u32, Ordering::Relaxed);
    }

    /// Threads that stand by. A hint, as well.
    pub(crate) fn spares(&self) -> u32 {
        self.spares.load(Ordering::Relaxed)
    }

    /// Works with the lists. Nothing is called meanwhile that could wait.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Lists) -> R) -> R {
        let mut lists = self.lists.lock();
        let result = work(&mut lists);
        // Relaxed: hints, but for those who have the lock.
        self.spares
            .store(lists.spares.len() as u32, Ordering::Relaxed);
        self.claimants.store(
            (lists.returners.len() + lists.others.len() + lists.surplus()) as u32,
            Ordering::Relaxed,
        );
        result
    }

    /// The rest of P3: the sleeper to call, if there is one and nobody searches.
    pub(crate) fn choose(&self) -> Option<usize> {
        if !self.should_call() {
            return None;
        }
        let mut lists = self.lists.lock();
        if self.word.load(Ordering::Relaxed) >= SEARCHING {
            return None;
        }
        let chosen = lists.sleepers.pop()?;
        // AcqRel, with the lists locked: it sleeps no longer and searches now.
        self.word.fetch_add(SEARCHING - SLEEPING, Ordering::AcqRel);
        Some(chosen)
    }

    /// Begins to search, unless enough others do.
    pub(crate) fn start_search(&self) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        while word / SEARCHING < self.searchers_max {
            match self.word.compare_exchange(
                word,
                word + SEARCHING,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// A searcher found something. Returns whether it must pass the baton.
    #[must_use]
    pub(crate) fn end_search(&self) -> bool {
        let before = self.word.fetch_sub(SEARCHING, Ordering::AcqRel);
        if cfg!(feature = "bug_idle_baton") {
            return false;
        }
        before / SEARCHING == 1 && before & SLEEPERS != 0
    }

    /// S1. `false`: somebody waits for a slot, and gets this one instead; or one is to rest.
    ///
    /// `listed` is the worker's own flag, which says that it is in the list or has been called from there.
    #[must_use]
    pub(crate) fn enter(&self, who: usize, searching: bool, listed: &Plain<bool>) -> bool {
        let mut lists = self.lists.lock();
        if !lists.returners.is_empty() || !lists.others.is_empty() || lists.surplus() > 0 {
            return false;
        }
        lists.sleepers.push(who);
        listed.set(true);
        let change = if searching {
            SLEEPING.wrapping_sub(SEARCHING)
        } else {
            SLEEPING
        };
        // SeqCst: S1 before S3; the heavy barrier in between belongs to the caller.
        self.word.fetch_add(change, Ordering::SeqCst);
        true
    }

    /// Leaves the list, after S3 found something or after S4. `None`: it was robbed of its slot.
    pub(crate) fn leave(&self, who: usize, listed: &Plain<bool>) -> Option<Role> {
        let mut lists = self.lists.lock();
        self.leave_locked(&mut lists, who, listed)
    }

    /// The same for who has the lists.
    pub(crate) fn leave_locked(
        &self,
        lists: &mut Lists,
        who: usize,
        listed: &Plain<bool>,
    ) -> Option<Role> {
        if !listed.replace(false) {
            return None;
        }
        let Some(at) = lists.sleepers.iter().position(|&sleeper| sleeper == who) else {
            return Some(Role::Searcher);
        };
        lists.sleepers.swap_remove(at);
        self.word.fetch_sub(SLEEPING, Ordering::AcqRel);
        Some(Role::Plain)
    }

    /// A thread that sleeps already is to wait for work with a slot (S1 on its behalf; S2 and S3 are the caller's).
    pub(crate) fn place(&self, lists: &mut Lists, who: usize, listed: &Plain<bool>) {
        lists.sleepers.push(who);
        listed.set(true);
        self.word.fetch_add(SLEEPING, Ordering::SeqCst);
    }

    /// Takes a sleeper out of the list for the sake of its slot.
    pub(crate) fn rob(&self, lists: &mut Lists) -> Option<usize> {
        // The one that has slept longest: the others are warmer.
        if lists.sleepers.is_empty() {
            return None;
        }
        let robbed = lists.sleepers.remove(0);
        self.word.fetch_sub(SLEEPING, Ordering::AcqRel);
        Some(robbed)
    }
}

/// After so many spins in vain a worker sleeps at once, and tries again more and more rarely, but at least every so often;
/// then so much longer, which is longer than the kernel takes to wake a thread.
const SPINS_IN_VAIN: u32 = 4;
const TRY_AGAIN_MAX: u32 = 1024;
const TRY_LONGER: u32 = 5;

/// How many times the usual time a worker spins before it sleeps, after it has spun, or slept at once, so often in vain.
///
/// It does not help to spin where the kernel runs the worker that is to answer on this very processor: that one then only
/// comes later. But two workers that always wake each other from sleep could go on so for ever, where they would only
/// have to stay awake a little longer to meet: so now and then one does.
pub(crate) const fn patience(in_vain: u32) -> u32 {
    if in_vain < SPINS_IN_VAIN {
        1
    } else if in_vain.is_power_of_two() || in_vain.is_multiple_of(TRY_AGAIN_MAX) {
        TRY_LONGER
    } else {
        0
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn patience_runs_out_but_never_for_good() {
        assert!((0..SPINS_IN_VAIN).all(|in_vain| patience(in_vain) == 1));
        let spun: u32 = (0..1000).map(patience).sum();
        assert!(
            spun < 50,
            "{spun} times the usual time in 1000 idle moments"
        );
        for from in [0, 10, 100, 5000, 1_000_000] {
            let tries = (from..from + TRY_AGAIN_MAX).filter(|&in_vain| patience(in_vain) > 1);
            assert!(tries.count() >= 1, "none after {from}");
        }
    }
}
