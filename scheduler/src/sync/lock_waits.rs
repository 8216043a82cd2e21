//! Who waits for which mutex, for as long as it takes: a circle of such waits is found when the last of them begins.
//!
//! # The protocol
//!
//! Only a task that found a mutex taken, and whose wait has no time limit, comes here; an uncontended lock does not.
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
//! Room for unsafe code: reaching a mutex that somebody else waits for.

use std::collections::HashMap;

use crate::current;
use crate::deadlock::{Blocker, Deadlock};
use crate::join::TaskRef;
use crate::park::Limit;
use crate::suspend::FOREVER;
use crate::sync::raw_mutex::RawMutex;
use crate::task::Task;

/// One entry: who waits, and for what.
struct Entry {
    task: &'static Task,
    mutex: usize,
}

/// By the number of the task.
type Table = HashMap<u64, Entry>;

#[cfg(not(any(loom, shuttle)))]
fn table<R>(with: impl FnOnce(&mut Table) -> R) -> Option<R> {
    static TABLE: crate::primitive::Mutex<Option<Table>> = crate::primitive::Mutex::new(None);
    Some(with(TABLE.lock().get_or_insert_default()))
}

#[cfg(any(loom, shuttle))]
fn table<R>(_: impl FnOnce(&mut Table) -> R) -> Option<R> {
    None
}

/// The entry of one wait, until it is dropped.
pub(crate) struct LockWait<'a> {
    me: u64,
    /// The mutex must outlive the entry.
    _mutex: &'a RawMutex,
}

impl<'a> LockWait<'a> {
    /// Enters the caller's wait for the mutex, and says whether it closes a circle. Nothing is entered for a wait that ends
    /// by itself, or whose caller is no task.
    pub(crate) fn begin(
        mutex: &'a RawMutex,
        me: u64,
        limit: Limit,
    ) -> (Option<LockWait<'a>>, Option<Deadlock>) {
        let Some((_, task)) = current::running() else {
            return (None, None);
        };
        let ends = !matches!(limit, Limit::Never) || task.deadline.get() != FOREVER;
        // In a native section it is the thread that waits.
        if ends || task.id.get() != me {
            return (None, None);
        }
        let found = table(|table| {
            let mutex = std::ptr::from_ref(mutex).addr();
            table.insert(me, Entry { task, mutex });
            circle(table, me)
        });
        let wait = found.is_some().then_some(LockWait { me, _mutex: mutex });
        (wait, found.flatten())
    }
}

impl Drop for LockWait<'_> {
    fn drop(&mut self) {
        table(|table| table.remove(&self.me));
    }
}

/// The circle through this task, if there is one.
fn circle(table: &Table, me: u64) -> Option<Deadlock> {
    let mut at = me;
    // Each has one way on, so a longer one goes round in a circle without us.
    for length in 1..=table.len() {
        at = owner(table.get(&at)?)?;
        if at == me {
            return members(table, me, length);
        }
    }
    None
}

fn members(table: &Table, me: u64, length: usize) -> Option<Deadlock> {
    let mut tasks = Vec::with_capacity(length);
    let mut at = me;
    for _ in 0..length {
        let entry = table.get(&at)?;
        // Who stands in the table has not ended.
        tasks.push((TaskRef::find(entry.task)?, Blocker::Lock));
        at = owner(entry)?;
    }
    Some(Deadlock::new(tasks))
}

/// Who has the mutex that this one waits for.
fn owner(entry: &Entry) -> Option<u64> {
    // SAFETY: the address is that of a mutex which `LockWait` borrows. The entry is taken out when that is dropped, under
    // the table's lock, which the caller holds; so the mutex is still borrowed.
    let mutex = unsafe { &*(entry.mutex as *const RawMutex) };
    mutex.owner().filter(|&owner| owner != entry.task.id.get())
}
