//! Who waits for which mutex or for whose end, for as long as it takes: a circle of such waits is found when the last of them
//! begins. What else keeps a task is in `deadlock.rs`.
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

use crate::current::{self, Thread};
use crate::deadlock::{self, Blocker, Deadlock};
use crate::join::TaskRef;
use crate::park::Limit;
use crate::primitive::Plain;
use crate::scheduler::Core;
use crate::suspend::FOREVER;
use crate::sync::raw_mutex::RawMutex;
use crate::task::{Task, pool};

/// One entry: who waits, and for what. It lies in [`standing`]'s frame.
struct Entry {
    task: &'static Task,
    what: What,
    /// The next one in its chain. Owner: the table's lock.
    next: Plain<*const Entry>,
}

/// What it waits for.
enum What {
    Lock(*const RawMutex),
    /// The end of a task, to which the one who waits has a reference.
    End(&'static Task),
}

/// Chains of entries, by the number of the task.
pub(crate) struct Table {
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

    /// The same for a record whose task may end at any time, so that its number must not be read.
    #[cold]
    fn find_record(&self, task: &Task) -> Option<&Entry> {
        for &chain in &self.chains {
            let mut at = chain;
            // SAFETY: as in `grow`.
            while let Some(entry) = unsafe { at.as_ref() } {
                if ptr::eq(entry.task, task) {
                    return Some(entry);
                }
                at = entry.next.get();
            }
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

    /// Whom this task waits for, if it stands here and that one can be told.
    pub(crate) fn next(&self, task: &Task, id: Option<u64>) -> Option<(&'static Task, Blocker)> {
        let entry = match id {
            Some(id) => self.find(id)?,
            None => self.find_record(task)?,
        };
        match entry.what {
            What::End(next) => Some((next, Blocker::Join)),
            What::Lock(_) => Some((self.find(entry.owner()?)?.task, Blocker::Lock)),
        }
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
    #[inline]
    fn new(task: &'static Task, what: What) -> Entry {
        Entry {
            task,
            what,
            next: Plain::new(ptr::null()),
        }
    }

    /// Who has the mutex that this one waits for. Under the table's lock.
    #[inline]
    fn owner(&self) -> Option<u64> {
        let What::Lock(mutex) = self.what else {
            return None;
        };
        // SAFETY: `standing` borrows the mutex until the entry has left, which needs the lock that the caller holds.
        let mutex = unsafe { &*mutex };
        mutex.owner().filter(|&owner| owner != self.task.id.get())
    }
}

#[cfg(not(any(loom, shuttle)))]
#[inline]
fn table<R>(with: impl FnOnce(&mut Table) -> R) -> Option<R> {
    static TABLE: crate::primitive::SpinLock<Table> = crate::primitive::SpinLock::new(Table {
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
    let Some((thread, task)) = current::running() else {
        return wait(None);
    };
    let ends = !matches!(limit, Limit::Never) || task.deadline.get() != FOREVER;
    // In a native section it is the thread that waits.
    if ends || task.id.get() != me {
        return wait(None);
    }
    let owner = if task.owns_its_thread() {
        owner_of(thread.core(), mutex)
    } else {
        None
    };
    let entry = Entry::new(task, What::Lock(mutex));
    let found = table(|table| {
        table.enter(&entry);
        let owner_stands = table.find(entry.owner()?);
        if owner_stands.is_some()
            && let Some(circle) = table.circle(&entry)
        {
            return Some(circle);
        }
        let first = owner_stands.map(|owner| owner.task);
        let first = first.or(owner.as_ref().map(TaskRef::record))?;
        deadlock::closed(thread, task, Some(table), (first, Blocker::Lock))
    });
    // Also if the wait is unwound.
    let _leave = found.is_some().then(|| Leave(&entry));
    drop(owner);
    wait(found.flatten())
}

/// Lets the caller wait for the end of a task while its entry stands, unless that closes a circle.
pub(crate) fn joining<R>(
    thread: &'static Thread,
    me: &'static Task,
    target: &'static Task,
    wait: impl FnOnce() -> R,
) -> Result<R, Deadlock> {
    let entry = Entry::new(me, What::End(target));
    let first = (target, Blocker::Join);
    let found = table(|table| {
        table.enter(&entry);
        deadlock::closed(thread, me, Some(table), first)
    });
    let leave = found.is_some().then(|| Leave(&entry));
    let found = found.unwrap_or_else(|| deadlock::closed(thread, me, None, first));
    match found {
        Some(deadlock) => {
            // A subscriber may lock: not while the entry stands.
            drop(leave);
            tracing::error!(%deadlock, "a join that could never end is refused");
            thread.core().reports.deadlock(thread.core(), &deadlock);
            Err(deadlock)
        }
        None => Ok(wait()),
    }
}

/// Who has the mutex that the task with this number waits for, if it stands here.
pub(crate) fn holder(task: u64) -> Option<u64> {
    table(|table| {
        let is_used = !table.chains.is_empty();
        is_used.then(|| table.find(task)?.owner()).flatten()
    })
    .flatten()
}

/// In how many records an owner is looked for.
const RECORDS_MAX: usize = 4096;

/// The task that has the mutex, by a look at all there are: for a task that would keep others from its thread.
#[cold]
fn owner_of(core: &Core, mutex: &RawMutex) -> Option<TaskRef> {
    let owner = mutex.owner()?;
    if pool::records() > RECORDS_MAX {
        return None;
    }
    let mut found = None;
    core.mine(|task| {
        if task.id.get() == owner {
            found = TaskRef::find(task);
        }
    });
    found
}

struct Leave<'a>(&'a Entry);

impl Drop for Leave<'_> {
    #[inline]
    fn drop(&mut self) {
        table(|table| table.leave(self.0));
    }
}
