//! The table: who stands in it, for what, and the ways through it. Its protocol is in `lock_waits.rs`.
//!
//! Room for unsafe code: reaching the entry, and what is waited for, of somebody else who waits.

mod kept;

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::ptr;
use std::sync::Arc;

use crate::deadlock::{Blocker, Deadlock};
use crate::join::TaskRef;
use crate::park;
use crate::primitive::{Ordering, Plain, fence};
use crate::scheduler::Core;
use crate::sync::lock_waits::outer::{Standing, Told};
use crate::sync::once::Once;
use crate::sync::raw_mutex::RawMutex;
use crate::sync::raw_rwlock::RawRwLock;
use crate::task::state::Epoch;
use crate::task::{Kind, Priority, Task, flag};
use crate::thread::Thread;
use crate::wait::Interrupt;
pub(super) use kept::Kept;

/// What somebody waits for.
#[derive(Clone, Copy)]
pub(crate) enum What {
    Mutex(*const RawMutex),
    Read(*const RawRwLock),
    Write(*const RawRwLock),
    Once(*const Once),
    /// The end of a task, to which the one who waits has a reference.
    End(&'static Task),
    /// Something that a layer above knows.
    Outer(*const Arc<Standing>),
}

impl What {
    /// The number of the one who has it, if one alone can have it and has.
    ///
    /// # Safety
    /// What is waited for is still there.
    #[inline]
    unsafe fn owner(self) -> Option<u64> {
        // SAFETY: the caller's promise, for each of them.
        match self {
            What::Mutex(mutex) => unsafe { (*mutex).owner() },
            What::Read(lock) | What::Write(lock) => unsafe { (*lock).writer() },
            What::Once(once) => unsafe { (*once).runner() },
            What::End(task) => Some(task.id.get()),
            What::Outer(wait) => unsafe { (*wait).owner() },
        }
    }

    /// How a wait for it is told, if the next one has it.
    ///
    /// # Safety
    /// What is waited for is still there.
    unsafe fn blocker(self) -> Blocker {
        match self {
            What::Mutex(_) => Blocker::Lock,
            What::Read(_) | What::Write(_) => Blocker::RwLock,
            What::Once(_) => Blocker::Once,
            What::End(_) => Blocker::Join,
            // SAFETY: the caller's promise.
            What::Outer(wait) => Blocker::Outer(unsafe { (*wait).text() }),
        }
    }
}

/// Who waits.
pub(super) struct Who {
    pub(super) task: &'static Task,
    pub(super) wakes: &'static Task,
    pub(super) keeps: usize,
    /// What ends the wait from outside, whether it is broken for a circle or not.
    pub(super) allow: Interrupt,
}

/// One entry: who waits, and for what. It lies in a frame of the one who waits. Owner of the cells: the table's lock.
pub(crate) struct Entry {
    pub(super) task: &'static Task,
    /// Its number.
    number: u64,
    /// It is not the waiter's, but the table's own: `notes.rs`.
    is_note: bool,
    /// Whose wait it is: the task's, or that of the thread which it blocks.
    pub(super) wakes: &'static Task,
    /// The address of the record of the thread on which nobody else runs meanwhile; 0: there is none.
    keeps: usize,
    pub(super) what: What,
    /// Whether the wait may be refused when it begins, and whether it may be ended later.
    refusable: bool,
    breakable: bool,
    /// What else may end it.
    allow: Interrupt,
    /// Its wait has ended by an alert that was taken back. From then on the one who stands here waits for nobody.
    alerted: Plain<bool>,
    /// The circle for which it is to be ended. From then on, too.
    pub(super) broken: RefCell<Option<Deadlock>>,
    /// The wait, if it was on when the entry was made: then it counts as long as it is on.
    epoch: Plain<Option<Epoch>>,
    /// The next one in its chain.
    next: Plain<*const Entry>,
    /// Who came earlier.
    turn: Plain<u64>,
    /// Its place in `Table::rw`, if it has one.
    place: Plain<usize>,
    /// The search that was here last, whence it came, and what it has still to look at.
    round: Plain<u64>,
    from: Plain<(*const Entry, Blocker)>,
    open: Plain<*const Entry>,
}

const NOWHERE: usize = usize::MAX;

impl Entry {
    #[inline(always)]
    pub(super) fn new(who: Who, what: What, (refusable, breakable): (bool, bool)) -> Entry {
        Entry {
            task: who.task,
            number: who.task.id.get(),
            is_note: false,
            wakes: who.wakes,
            keeps: who.keeps,
            allow: who.allow,
            what,
            refusable,
            breakable,
            alerted: Plain::new(false),
            broken: RefCell::new(None),
            epoch: Plain::new(None),
            next: Plain::new(ptr::null()),
            turn: Plain::new(0),
            place: Plain::new(NOWHERE),
            round: Plain::new(0),
            from: Plain::new((ptr::null(), Blocker::Lock)),
            open: Plain::new(ptr::null()),
        }
    }

    /// One that is the table's own: this task waits, in this wait, for the end of that one.
    pub(super) fn note(
        joiner: &'static Task,
        number: u64,
        epoch: Epoch,
        target: &'static Task,
    ) -> Entry {
        let breakable = joiner.wait.is_breakable(epoch);
        let who = Who {
            task: joiner,
            wakes: joiner,
            // Who sleeps with a thread is found by that.
            keeps: 0,
            allow: if breakable {
                Interrupt::Alert
            } else {
                Interrupt::Never
            },
        };
        Entry {
            number,
            is_note: true,
            epoch: Plain::new(Some(epoch)),
            ..Entry::new(who, What::End(target), (false, breakable))
        }
    }

    #[inline]
    fn id(&self) -> u64 {
        self.number
    }

    /// Whether the task, whose entry it is, has noted who joins it.
    #[inline]
    pub(super) fn has_noted(&self) -> bool {
        self.task.noted.get() == self.number
    }

    /// A note of a wait that has ended: nobody's.
    fn is_stale(&self) -> bool {
        self.is_note && self.is_over()
    }

    /// Whether tasks have started on this thread, the caller's, that cannot run there while it waits.
    pub(super) fn keeps_others_from(&self, thread: &Thread) -> bool {
        let its = u32::from(self.task.bound_to.load(Ordering::Relaxed) != 0);
        self.keeps != 0 && thread.bound_live.get() > its
    }

    /// By which it is found again.
    pub(super) fn ticket(&self) -> Ticket {
        Ticket {
            task: self.id(),
            turn: self.turn.get(),
        }
    }

    /// How a wait for what it waits for is told.
    pub(super) fn blocker(&self) -> Blocker {
        // SAFETY: as in `owner`.
        unsafe { self.what.blocker() }
    }

    /// Who breaks sooner: the lower one.
    fn rank(&self) -> i32 {
        match (self.outer(), self.task.own_priority()) {
            (Some(wait), _) => wait.rank(),
            (None, Priority::Low) => -1,
            (None, Priority::Normal) => 0,
            (None, Priority::High) => 1,
        }
    }

    /// The wait of a layer above that it is.
    pub(super) fn outer(&self) -> Option<&Arc<Standing>> {
        match self.what {
            // SAFETY: as in `owner`.
            What::Outer(wait) => Some(unsafe { &*wait }),
            _ => None,
        }
    }

    /// Whether its wait has ended already, or will: the task has not run since.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        let ended = |epoch| !self.wakes.wait.is_armed_for(epoch);
        self.epoch.get().is_some_and(ended)
            || self.broken.borrow().is_some()
            || self.alerted.get()
            || park::is_interrupted(self.wakes, self.allow)
    }

    /// Who has what this one waits for, by the number. It is not this one itself, which may have been handed it.
    #[inline]
    fn owner(&self) -> Option<u64> {
        // SAFETY: the one who waits borrows it until its entry has left. The caller is that one, or holds the lock that this
        // needs.
        let owner = unsafe { self.what.owner() };
        owner.filter(|&owner| owner != self.id())
    }

    fn reads(&self, lock: *const RawRwLock) -> bool {
        self.task.reads.has(self.id(), lock.addr())
    }

    /// Whether this task, of this number, has what this one waits for.
    fn waits_for(&self, task: &Task, number: u64) -> bool {
        match (self.owner(), self.what) {
            (Some(owner), _) => owner == number,
            (None, What::Write(lock)) => task.reads.has(number, lock.addr()),
            (None, _) => false,
        }
    }

    /// Whether it may wait for somebody who does not stand here: for an end, for what a layer above knows, or for a task that
    /// sleeps with its thread.
    fn may_lead_out(&self) -> bool {
        // Of a plain thread the record may say whose it was in an earlier life.
        let thread = match self.task.kind() {
            Kind::Started => self.task.bound_to.load(Ordering::Acquire) as *const Thread,
            _ => ptr::null(),
        };
        // SAFETY: a task that stands here has not ended, and its scheduler keeps the records of its threads until all have.
        let sleeper = unsafe { thread.as_ref() }.and_then(Thread::sleeps_with);
        let is_kept = sleeper.is_some_and(|sleeper| !ptr::eq(sleeper, self.task));
        is_kept || matches!(self.what, What::End(_) | What::Outer(_))
    }

    /// Whether it has to do with read-write locks.
    #[inline]
    fn is_rw(&self) -> bool {
        matches!(self.what, What::Read(_) | What::Write(_)) || self.task.reads.any(self.id())
    }
}

/// Which wait, of all there ever are: it is found by this as long as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(super) task: u64,
    pub(super) turn: u64,
}

/// A question that has to be asked before a look is done: who has what the wait with this ticket is for.
pub(super) struct Question {
    pub(super) ticket: Ticket,
    pub(super) wait: Arc<Standing>,
}

/// A look from one entry: at that and at those that came before it, since each circle is found by the last that came.
/// What was said of owners counts if it was asked for after that.
pub(crate) struct Look {
    pub(super) since: u64,
    /// What has to be asked for before it is sure that there is no circle.
    pub(super) open: RefCell<Vec<Question>>,
}

impl Look {
    pub(super) fn since(turn: u64) -> Look {
        Look {
            since: turn,
            open: RefCell::new(Vec::new()),
        }
    }
}

/// What a look from an entry has seen.
pub(super) enum Seen {
    /// No way of those it waits for leads back to it, or out of the table.
    Nobody,
    /// None leads back to it here, but one may do so outside.
    Others,
    Circle(Deadlock),
}

/// Whose wait is to be broken, if it is not the caller's.
pub(super) enum Victim {
    /// That of one who stands in the table, and was told by a flag.
    Standing(&'static Task),
    /// This join of the task with this number, which is noted.
    Noted(&'static Task, u64, Epoch),
}

/// Chains of entries, by the number of the task.
pub(crate) struct Table {
    /// As many as a power of two; none before the first entry.
    chains: Vec<*const Entry>,
    entries: usize,
    /// How many of them keep others from a thread.
    keepers: usize,
    /// Whom they keep.
    kept: Vec<Kept>,
    /// Those that have to do with read-write locks: wait for one, or read while they wait.
    rw: Vec<*const Entry>,
    /// How many have come.
    turns: u64,
    rounds: Plain<u64>,
}

// SAFETY: the entries that a table names may be looked at from any thread that holds its lock.
unsafe impl Send for Table {}

/// How many chains there are at first.
#[cfg(not(any(loom, shuttle)))]
const CHAINS_FIRST: usize = 256;
#[cfg(any(loom, shuttle))]
const CHAINS_FIRST: usize = 4;

impl Table {
    #[cfg(not(loom))]
    pub(super) const fn new() -> Table {
        Table {
            chains: Vec::new(),
            entries: 0,
            keepers: 0,
            kept: Vec::new(),
            rw: Vec::new(),
            turns: 0,
            rounds: Plain::new(0),
        }
    }

    #[cfg(loom)]
    pub(super) fn new() -> Table {
        Table {
            chains: Vec::new(),
            entries: 0,
            keepers: 0,
            kept: Vec::new(),
            rw: Vec::new(),
            turns: 0,
            rounds: Plain::new(0),
        }
    }

    /// The place in `chains` of this task's entry. Numbers come one after the other, so that neighbours get apart by
    /// multiplication with the golden ratio.
    #[inline]
    fn chain(&self, task: u64) -> usize {
        let hash = task.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (hash >> 32) as usize & (self.chains.len() - 1)
    }

    /// `epoch`: the wait that is on already.
    #[inline]
    pub(super) fn enter(&mut self, entry: &Entry, epoch: Option<Epoch>) {
        if self.entries == self.chains.len() {
            self.make_room();
        }
        self.entries += 1;
        self.keepers += usize::from(entry.keeps != 0);
        self.turns += 1;
        entry.turn.set(self.turns);
        entry.epoch.set(epoch);
        self.link(entry);
        if entry.is_rw() {
            self.enter_rw(entry);
        }
    }

    #[inline]
    fn link(&mut self, entry: &Entry) {
        let chain = self.chain(entry.id());
        entry.next.set(self.chains[chain]);
        self.chains[chain] = entry;
    }

    /// N2: takes a note in, unless it counts no more, or the one whose it is stands here himself. What it does not take is
    /// to be dropped without the lock.
    #[cold]
    pub(super) fn note(&mut self, note: Box<Entry>) -> Option<Box<Entry>> {
        if note.is_over() || self.find(note.id()).is_some() {
            return Some(note);
        }
        self.enter(&note, note.epoch.get());
        // Until `forget`.
        let _ = Box::into_raw(note);
        None
    }

    /// The circle for which this wait of this task was broken, if it was noted.
    pub(super) fn broken_note(&self, number: u64, epoch: Epoch) -> Option<Deadlock> {
        if self.entries == 0 {
            return None;
        }
        let mut at = self.chains[self.chain(number)];
        // SAFETY: as in `grow`.
        while let Some(entry) = unsafe { at.as_ref() } {
            if entry.is_note && entry.id() == number && entry.epoch.get() == Some(epoch) {
                return entry.broken.take();
            }
            at = entry.next.get();
        }
        None
    }

    /// Notes that count no more go; if that is not enough there are more chains.
    #[cold]
    fn make_room(&mut self) {
        let mut stale = Vec::new();
        for &chain in &self.chains {
            let mut at = chain;
            // SAFETY: as in `grow`.
            while let Some(entry) = unsafe { at.as_ref() } {
                // The circle in one is still to be fetched, and not to be dropped here.
                if entry.is_stale() && entry.broken.borrow().is_none() {
                    stale.push(at);
                }
                at = entry.next.get();
            }
        }
        for note in stale {
            // SAFETY: a note came from a box (`note`), which is taken back here, once: it is linked no more.
            self.leave(unsafe { &*note });
            drop(unsafe { Box::from_raw(note.cast_mut()) });
        }
        if self.entries * 2 >= self.chains.len() {
            self.grow();
        }
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

    #[cold]
    fn enter_rw(&mut self, entry: &Entry) {
        entry.place.set(self.rw.len());
        self.rw.push(entry);
    }

    #[inline]
    pub(super) fn leave(&mut self, entry: &Entry) {
        self.entries -= 1;
        self.keepers -= usize::from(entry.keeps != 0);
        if !self.kept.is_empty() {
            self.kept.retain(|kept| !ptr::eq(kept.by, entry));
        }
        if entry.place.get() != NOWHERE {
            self.leave_rw(entry);
        }
        let chain = self.chain(entry.id());
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

    #[cold]
    fn leave_rw(&mut self, entry: &Entry) {
        let place = entry.place.replace(NOWHERE);
        self.rw.swap_remove(place);
        if let Some(&moved) = self.rw.get(place) {
            // SAFETY: as in `grow`.
            unsafe { &*moved }.place.set(place);
        }
    }

    /// The number of the task that has what the task with this number waits for, if there is one owner and it is known.
    pub(super) fn holder(&self, task: u64) -> Option<(u64, Blocker)> {
        let entry = self.find(task)?;
        let told = || entry.outer().and_then(|wait| wait.told_one());
        Some((entry.owner().or_else(told)?, entry.blocker()))
    }

    /// The wait of the task of this number, if it is one that heeds alerts, ends by one.
    pub(super) fn ends_by_alert(&self, task: u64) {
        let entry = self.find(task);
        if let Some(entry) = entry.filter(|entry| entry.allow == Interrupt::Alert) {
            entry.alerted.set(true);
        }
    }

    /// How many have come to stand here until now.
    pub(super) fn turns(&self) -> u64 {
        self.turns
    }

    /// The entry with this ticket, if it still stands here.
    pub(super) fn stands(&self, ticket: Ticket) -> Option<&Entry> {
        let entry = self.find(ticket.task)?;
        (entry.turn.get() == ticket.turn).then_some(entry)
    }

    #[inline]
    pub(super) fn find(&self, task: u64) -> Option<&Entry> {
        if self.entries == 0 {
            return None;
        }
        let mut at = self.chains[self.chain(task)];
        // SAFETY: as in `grow`.
        while let Some(entry) = unsafe { at.as_ref() } {
            if entry.id() == task && !entry.is_stale() {
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
                if ptr::eq(entry.task, task) && !entry.is_stale() {
                    return Some(entry);
                }
                at = entry.next.get();
            }
        }
        None
    }

    /// Those who stand here and for whom this one waits.
    #[inline]
    fn each_next<'a>(
        &'a self,
        entry: &Entry,
        look: &Look,
        mut each: impl FnMut(&'a Entry, Blocker) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if entry.is_over() {
            return ControlFlow::Continue(());
        }
        // Who came later looks itself.
        let mut each = |next: &'a Entry, why| match next.turn.get() <= look.since {
            true => each(next, why),
            false => ControlFlow::Continue(()),
        };
        if let Some(owner) = entry.owner() {
            return match self.find(owner) {
                Some(owner) => each(owner, entry.blocker()),
                None => ControlFlow::Continue(()),
            };
        }
        match entry.what {
            What::Outer(_) => {
                let told = self.told(entry, look);
                told.iter()
                    .filter_map(|owner| self.find(owner.id()))
                    .filter(|owner| !ptr::eq(*owner, entry))
                    .try_for_each(|owner| each(owner, entry.blocker()))
            }
            What::Write(lock) => self.each_reader(lock, |reader| each(reader, Blocker::RwLock)),
            What::Read(lock) => match self.writer_before(lock, entry.turn.get()) {
                Some(writer) => each(writer, Blocker::Turn),
                None => ControlFlow::Continue(()),
            },
            What::Mutex(_) | What::Once(_) | What::End(_) => ControlFlow::Continue(()),
        }
    }

    /// What the layer above has said of the owners, in this look; what it has to say again is noted in that. The answer keeps
    /// nobody, and is asked for again, or not dropped under the lock.
    fn told(&self, entry: &Entry, look: &Look) -> Told {
        let Some(wait) = entry.outer().filter(|wait| wait.is_asked_for()) else {
            return Told::default();
        };
        if let Some(told) = wait.told_since(look.since) {
            return told;
        }
        let mut open = look.open.borrow_mut();
        let ticket = entry.ticket();
        if open.iter().all(|question| question.ticket != ticket) {
            open.push(Question {
                ticket,
                wait: Arc::clone(wait),
            });
        }
        Told::default()
    }

    fn each_reader<'a>(
        &'a self,
        lock: *const RawRwLock,
        mut each: impl FnMut(&'a Entry) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        for &at in &self.rw {
            // SAFETY: as in `grow`.
            let entry = unsafe { &*at };
            if entry.reads(lock) {
                each(entry)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// One that waits to write and came earlier. One is enough: all wait for the same readers.
    fn writer_before(&self, lock: *const RawRwLock, turn: u64) -> Option<&Entry> {
        // SAFETY: as in `grow`.
        let entries = self.rw.iter().rev().map(|&at| unsafe { &*at });
        entries.into_iter().find(|entry| {
            matches!(entry.what, What::Write(other) if ptr::eq(other, lock))
                && entry.turn.get() < turn
                && !cfg!(feature = "bug_waits_turn")
                && !entry.is_over()
        })
    }

    /// Whom this task waits for, if it stands here.
    pub(crate) fn next(
        &self,
        task: &Task,
        id: Option<u64>,
        look: &Look,
    ) -> Option<Vec<(&'static Task, Blocker)>> {
        let entry = match id {
            Some(id) => self.find(id),
            None => self.find_record(task),
        }?;
        if entry.turn.get() > look.since {
            return Some(Vec::new());
        }
        Some(self.next_of(entry, look))
    }

    /// Who keeps this task, which has started, from its thread, and came before: somebody else who stands here and owns the
    /// thread, or blocks it.
    pub(crate) fn next_by_thread(&self, task: &Task, look: &Look) -> Option<&'static Task> {
        let home = task.bound_to.load(Ordering::Acquire);
        if home == 0 || self.keepers == 0 {
            return None;
        }
        let keeper = self.chains.iter().find_map(|&chain| {
            let mut at = chain;
            // SAFETY: as in `grow`.
            while let Some(entry) = unsafe { at.as_ref() } {
                if entry.keeps == home && entry.turn.get() <= look.since {
                    return Some(entry.task);
                }
                at = entry.next.get();
            }
            None
        });
        keeper.filter(|keeper| !ptr::eq(*keeper, task))
    }

    pub(super) fn next_of(&self, entry: &Entry, look: &Look) -> Vec<(&'static Task, Blocker)> {
        let mut next = Vec::new();
        // These need not stand here.
        if let What::End(task) = entry.what {
            next.extend((!entry.is_over()).then_some((task, Blocker::Join)));
            return next;
        }
        if let Some(wait) = entry.outer() {
            if entry.is_over() {
                return next;
            }
            let told = self.told(entry, look);
            let ends = wait.target().filter(|_| wait.owner().is_some());
            let owners = told.iter().chain(ends).map(TaskRef::record);
            let others = owners.filter(|owner| !ptr::eq(*owner, entry.task));
            next.extend(others.map(|owner| (owner, entry.blocker())));
            if !next.is_empty() {
                return next;
            }
        }
        let _ = self.each_next(entry, look, |entry, why| {
            next.push((entry.task, why));
            ControlFlow::Continue(())
        });
        if !entry.is_over() {
            let kept = self.kept_with(entry);
            next.extend(kept.map(|kept| (kept.task, entry.blocker())));
        }
        next
    }

    /// Looks for a circle through the one who has just entered, of those who stand here.
    #[inline]
    pub(super) fn circle(&self, mine: &Entry, look: &Look) -> Seen {
        let leads_out = !self.kept.is_empty() && self.kept_with(mine).next().is_some();
        let mut seen = match leads_out {
            true => Seen::Others,
            false => Seen::Nobody,
        };
        // Mostly the one who has it waits for nobody.
        if let Some(owner) = mine.owner()
            && self.find(owner).is_none()
        {
            return seen;
        }
        let round = self.rounds.get() + 1;
        self.rounds.set(round);
        let mut open: *const Entry = ptr::null();
        let mut at = mine;
        loop {
            let mut last = None;
            let _ = self.each_next(at, look, |next, why| {
                if ptr::eq(next, mine) {
                    last = Some(why);
                    return ControlFlow::Break(());
                }
                if next.round.replace(round) != round {
                    next.from.set((at, why));
                    next.open.set(open);
                    open = next;
                }
                ControlFlow::Continue(())
            });
            if let Some(why) = last {
                return self.members(mine, at, why);
            }
            // SAFETY: as in `grow`.
            let Some(next) = (unsafe { open.as_ref() }) else {
                return seen;
            };
            if self.keepers > 0 || next.may_lead_out() {
                seen = Seen::Others;
            }
            at = next;
            open = at.open.get();
        }
    }

    /// Those on the way from `mine` to `last`, which waits for `mine` for this reason.
    #[cold]
    fn members(&self, mine: &Entry, last: &Entry, why: Blocker) -> Seen {
        let mut tasks = Vec::new();
        let (mut at, mut why) = (last, why);
        // Pairs with the release by which a wait ends: what was read of the way was read before it is asked whether the notes
        // still count.
        fence(Ordering::Acquire);
        loop {
            let task = match TaskRef::find(at.task) {
                Some(task) if !at.is_stale() => task,
                // Nothing else that stands here can go on now.
                _ if at.is_note => return Seen::Others,
                _ => unreachable!("who stands in the table has not ended"),
            };
            tasks.push((task, why));
            if ptr::eq(at, mine) {
                break;
            }
            let (from, its) = at.from.get();
            // SAFETY: as in `grow`; it was set in this search.
            (at, why) = (unsafe { &*from }, its);
        }
        tasks.reverse();
        Seen::Circle(Deadlock::new(tasks))
    }

    /// The scheduler of the first of these that stands here and has one. To be dropped without the lock.
    #[cold]
    pub(super) fn core_of(&self, circle: &Deadlock) -> Option<Arc<Core>> {
        let members = circle.tasks().iter();
        let mut standing = members.filter_map(|(task, _)| self.find(task.id()));
        let task = standing.find(|entry| !entry.is_note && entry.task.kind() != Kind::PlainThread);
        let core = task?.task.scheduler()?;
        // SAFETY: the task stands here, so it has not ended, and its scheduler is there: that came from an `Arc`.
        Some(unsafe { Core::keep(core) })
    }

    /// Of the waits of a circle that can be broken, that of the lowest priority is; between equals the one that comes first,
    /// which is the one that closes the circle. The answer is whose wait it is, unless it is that of a caller which has
    /// not begun to wait; and what was chosen is noted in the circle.
    #[cold]
    pub(super) fn choose(&self, begins: Option<&Entry>, circle: &mut Deadlock) -> Option<Victim> {
        let is_mine = |entry: &Entry| begins.is_some_and(|mine| ptr::eq(mine, entry));
        let members = circle.tasks().iter().enumerate();
        let breakable = members.filter_map(|(place, (task, _))| {
            let entry = self.find(task.id())?;
            let can_end = is_mine(entry) && entry.refusable || entry.breakable && !entry.is_over();
            can_end.then(|| (entry.rank(), place, entry))
        });
        let (_, place, entry) = breakable.min_by_key(|(rank, place, _)| (*rank, *place))?;
        circle.set_victim(place);
        if is_mine(entry) {
            return None;
        }
        entry.broken.replace(Some(circle.clone()));
        if let (true, Some(epoch)) = (entry.is_note, entry.epoch.get()) {
            return Some(Victim::Noted(entry.task, entry.id(), epoch));
        }
        entry.wakes.raise(flag::BREAK);
        Some(Victim::Standing(entry.wakes))
    }
}
