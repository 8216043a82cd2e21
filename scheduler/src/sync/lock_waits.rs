//! Who waits for which mutex, for as long as it takes: a circle of such waits is found when the last of them begins.
//!
//! # The protocol
//!
//! Only a task that found a mutex taken, and whose wait has no time limit, comes here; an uncontended lock does not.
//! Entries lie on the stacks of those who wait; the table only links them, by the number of the task.
//! Its lock is one for a few loads and stores: it grows seldom, and a way is long only where many wait for each other.
//!
//! 1. Under the table's lock the task enters *I wait for this mutex*.
//! 2. Under the same hold of that lock it goes from the mutex to its owner, from an owner that stands in the table to
//!    the mutex that one waits for, and so on, until it comes to itself or to one that does not stand there.
//! 3. It waits, in as many waits as it takes, and leaves the table, whichever way the waits end, before it does anything else.
//!
//! *No circle is missed.* A task that becomes a mutex's owner runs afterwards, or stood in the table for that very mutex and
//! leaves before it goes on; so the last step that closes a circle is always the entry of one of its members. Entries come one
//! after the other, and what a task locked before its entry is seen by each later one: two that close a circle at the same
//! moment cannot both miss it, and only the later one sees it.
//!
//! *No alarm is false.* Whoever stands in the table unlocks nothing until it has left, which the table's lock forbids while we
//! look. So what such a task owns stays its own, and all edges of the way exist at one moment. A mutex that was just
//! handed to one who still stands there for it has that one as its owner: a way that ends there is none.
//!
//! A member that somebody aborts or alerts stands there until it has run again: a circle that is just being broken from outside
//! is still found.
//!
//! Waits with a limit end by themselves, and plain threads are no tasks: neither stands in the table.
//! The models leave the table out, as it orders what they are there to find unordered.
//!
//! Room for unsafe code: reaching the entry, and the mutex, of somebody else who waits.

use std::ptr;

use crate::current;
use crate::deadlock::{Blocker, Deadlock};
use crate::join::TaskRef;
use crate::park::Limit;
use crate::primitive::{Plain, SpinLock};
use crate::suspend::FOREVER;
use crate::sync::raw_mutex::RawMutex;
use crate::task::Task;

/// One entry: who waits, and for what. It lies in [`standing`]'s frame.
struct Entry {
    task: &'static Task,
    mutex: *const RawMutex,
    /// The next one in its chain. Owner: the table's lock.
    next: Plain<*const Entry>,
}

/// Chains of entries, by the number of the task.
struct Table {
    /// As many as a power of two; none before the first entry.
    chains: Vec<*const Entry>,
    entries: usize,
}

// SAFETY: the entries that a table names may be looked at from any thread that holds its lock.
unsafe impl Send for Table {}

/// How many chains there are at first.
const CHAINS_FIRST: usize = 256;

impl Table {
    /// The place in `chains` of this task's entry. Numbers come one after the other, so that neighbours get apart by
    /// multiplication with the golden ratio.
    #[inline]
    fn chain(&self, task: u64) -> usize {
        let hash = task.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (hash >> 32) as usize & (self.chains.len() - 1)
    }

    #[inline]
    fn enter(&mut self, entry: &Entry) {
        if self.entries == self.chains.len() {
            self.grow();
        }
        self.entries += 1;
        self.link(entry);
    }

    #[inline]
    fn link(&mut self, entry: &Entry) {
        let chain = self.chain(entry.task.id.get());
        entry.next.set(self.chains[chain]);
        self.chains[chain] = entry;
    }

    #[cold]
    fn grow(&mut self) {
        let chains = (self.chains.len() * 2).max(CHAINS_FIRST);
        let old = std::mem::replace(&mut self.chains, vec![ptr::null(); chains]);
        for mut at in old {
            // SAFETY: an entry that is linked has not left, which needs the lock that the caller holds.
            while let Some(entry) = unsafe { at.as_ref() } {
                at = entry.next.get();
                self.link(entry);
            }
        }
    }

    #[inline]
    fn leave(&mut self, entry: &Entry) {
        self.entries -= 1;
        let chain = self.chain(entry.task.id.get());
        let mut before: Option<&Entry> = None;
        let mut at = self.chains[chain];
        // SAFETY: as in `grow`.
        while let Some(here) = unsafe { at.as_ref() } {
            if ptr::eq(here, entry) {
                match before {
                    Some(before) => before.next.set(entry.next.get()),
                    None => self.chains[chain] = entry.next.get(),
                }
                return;
            }
            at = here.next.get();
            before = Some(here);
        }
        unreachable!("who leaves has entered");
    }

    #[inline]
    fn find(&self, task: u64) -> Option<&Entry> {
        let mut at = self.chains[self.chain(task)];
        // SAFETY: as in `grow`.
        while let Some(entry) = unsafe { at.as_ref() } {
            if entry.task.id.get() == task {
                return Some(entry);
            }
            at = entry.next.get();
        }
        None
    }

    /// The circle through the one who has just entered, if there is one.
    #[inline]
    fn circle(&self, mine: &Entry) -> Option<Deadlock> {
        let mut at = mine;
        // Each has one way on, so a longer one goes round in a circle without us.
        for length in 1..=self.entries {
            at = self.find(at.owner()?)?;
            if ptr::eq(at, mine) {
                return self.members(mine, length);
            }
        }
        None
    }

    #[cold]
    fn members(&self, mine: &Entry, length: usize) -> Option<Deadlock> {
        let mut tasks = Vec::with_capacity(length);
        let mut at = mine;
        for _ in 0..length {
            // Who stands in the table has not ended.
            tasks.push((TaskRef::find(at.task)?, Blocker::Lock));
            at = self.find(at.owner()?)?;
        }
        Some(Deadlock::new(tasks))
    }
}

impl Entry {
    /// Who has the mutex that this one waits for. Under the table's lock.
    #[inline]
    fn owner(&self) -> Option<u64> {
        // SAFETY: `standing` borrows the mutex until the entry has left, which needs the lock that the caller holds.
        let mutex = unsafe { &*self.mutex };
        mutex.owner().filter(|&owner| owner != self.task.id.get())
    }
}

#[cfg(not(any(loom, shuttle)))]
#[inline]
fn table<R>(with: impl FnOnce(&mut Table) -> R) -> Option<R> {
    static TABLE: SpinLock<Table> = SpinLock::new(Table {
        chains: Vec::new(),
        entries: 0,
    });
    Some(with(&mut TABLE.lock()))
}

#[cfg(any(loom, shuttle))]
fn table<R>(_: impl FnOnce(&mut Table) -> R) -> Option<R> {
    None
}

/// Lets the caller wait for the mutex while its entry stands; `wait` is told the circle that this closes, if any.
/// Nothing is entered for a wait that ends by itself, or whose caller is no task.
#[inline]
pub(crate) fn standing<R>(
    mutex: &RawMutex,
    me: u64,
    limit: Limit,
    wait: impl FnOnce(Option<Deadlock>) -> R,
) -> R {
    let Some((_, task)) = current::running() else {
        return wait(None);
    };
    let ends = !matches!(limit, Limit::Never) || task.deadline.get() != FOREVER;
    // In a native section it is the thread that waits.
    if ends || task.id.get() != me {
        return wait(None);
    }
    let entry = Entry {
        task,
        mutex,
        next: Plain::new(ptr::null()),
    };
    let found = table(|table| {
        table.enter(&entry);
        table.circle(&entry)
    });
    // Also if the wait is unwound.
    let _leave = found.is_some().then(|| Leave(&entry));
    wait(found.flatten())
}

struct Leave<'a>(&'a Entry);

impl Drop for Leave<'_> {
    #[inline]
    fn drop(&mut self) {
        table(|table| table.leave(self.0));
    }
}
