//! Who waits for which lock or for whose end, for as long as it takes: a circle of such waits is found when the last of them
//! begins, and one of them is broken if one can be. What else keeps a task is in `deadlock.rs`.
//!
//! # Who waits for whom
//!
//! - for a *mutex*: for the task that has it;
//! - for a *read-write lock*: for the task that writes; who waits to write, for those that read; who waits to read while
//!   others read, for one that came earlier and waits to write;
//! - for a *once*: for the task that runs it;
//! - for the *end* of a task: for that.
//!
//! # The protocol
//!
//! Only who has to wait, without a time limit, comes here; an uncontended lock does not.
//! A plain thread, and a task that blocks its thread, stand here like a task that gives its thread away.
//! Waits of layers above the scheduler stand here too (`outer.rs`).
//! Entries lie on the stacks of those who wait; the table only links them, by the number of the task.
//! Its lock is one for a few loads and stores: it grows seldom, and a way is long only where many wait for each other.
//!
//! 1. Under the table's lock the task enters *I wait for this*. For a read-write lock that happens in the wait's publish:
//!    the wait is on and about to be linked, under the lock of the queue, so that who came earlier stands earlier there.
//! 2. Under the same hold of the table's lock it goes from what it waits for to those who have it, from those of them that
//!    stand in the table to what they wait for, and so on, until it comes to itself or has seen all.
//! 3. Without a circle it waits, in as many waits as it takes, and leaves the table, whichever way the waits end, before it
//!    does anything else.
//! 4. With one it leaves at once. Of the waits that can be broken the one of the lowest priority is, if it is another's: its
//!    entry is told the circle, its task gets a flag that breaks its wait as an abort would (`Task::break_circle`), and it
//!    takes the flag back when it leaves. Then the circle is told to whoever wants to know; and the task goes on at 1,
//!    unless it was its own wait that had to be broken. A circle that nobody can break is told once, and waited in.
//!
//! *No circle is missed.* A task that comes to have something runs afterwards, or stood in the table for that very thing and
//! leaves before it goes on; so the last step that closes a circle is always the entry of one of its members. Entries come
//! one after the other, and what a task took before its entry is seen by each later one: two that close a circle at the same
//! moment cannot both miss it, and only the later one sees it.
//!
//! *No alarm is false.* Whoever stands in the table gives back nothing until it has left, which the table's lock forbids
//! while we look. So what such a task has stays its own, and all edges of the way exist at one moment. What was just handed
//! to one who still stands there for it has that one as its owner: a way that ends there is none. Who waits to read behind
//! one who waits to write does so as long as both waits are on.
//!
//! Joins of a task that has not started do not come here; once it waits itself they do, as notes (`notes.rs`).
//!
//! One who keeps a thread while it waits, with native frames on its stack or in native code, brings with it the list of those
//! who have started on that thread. They may have what others wait for, and need not stand here themselves. None of them runs
//! before it has left, so the list stays true, and what they have stays theirs. Its joins stand here in any case, and joins of
//! those in the list are noted.
//!
//! A member whose wait somebody has aborted or alerted stands there until it has run again, and waits for nobody meanwhile: a
//! circle that is just being broken from outside is none.
//!
//! Waits with a limit end by themselves, and do not stand in the table.
//! What a task reads it notes itself (`task/reads.rs`).
//! The models of other protocols leave the table out, as it orders what they are there to find unordered.

pub(crate) mod inquirer;
mod notes;
pub(crate) mod outer;
mod table;

use std::cell::{Cell, RefCell};
use std::ops::DerefMut;
use std::sync::Arc;

use crate::current;
use crate::deadlock::{self, Blocker, Deadlock};
use crate::park::Limit;
use crate::pinned;
use crate::primitive::{For, SpinLock, simulated};
use crate::scheduler::Core;
use crate::suspend::FOREVER;
use crate::task::state::Epoch;
use crate::task::{Task, flag, pool};
use crate::thread::Thread;
use crate::wait::Interrupt;
use outer::{Quiet, Standing};
use table::{Entry, Kept, Question, Seen, Ticket, Victim, Who};
pub(crate) use table::{Look, Table, What};

/// The table and its lock.
pub(crate) struct Waits(SpinLock<Table>);

impl Waits {
    #[cfg(not(any(loom, shuttle)))]
    const fn new() -> Waits {
        Waits(SpinLock::new(For::LockTable, Table::new()))
    }

    #[cfg(any(loom, shuttle))]
    pub(crate) fn new() -> Waits {
        Waits(SpinLock::new(For::LockTable, Table::new()))
    }

    /// How many have come to stand in the table, if this one still does.
    fn turns_if_stands(&self, ticket: Ticket) -> Option<u64> {
        let table = self.0.lock();
        table.stands(ticket).is_some().then(|| table.turns())
    }

    /// Notes something under the table's lock.
    fn note<R>(&self, note: impl FnOnce() -> R) -> R {
        let _table = self.0.lock();
        note()
    }
}

#[cfg(not(any(loom, shuttle)))]
#[inline]
fn waits() -> Option<&'static Waits> {
    static WAITS: Waits = Waits::new();
    Some(&WAITS)
}

/// Of the models only that of this protocol has a table: it makes one, in which plain threads stand for tasks.
#[cfg(any(loom, shuttle))]
fn waits() -> Option<&'static Waits> {
    crate::model::waits()
}

/// The caller as one that waits: a task, or a thread that blocks, for its task if it is in a native section or panics.
/// `allow`: what may end the wait.
#[inline]
fn who_waits(allow: Interrupt) -> (Option<&'static Thread>, Who) {
    match current::running() {
        Some((thread, task)) if !simulated::panicking() => {
            (Some(thread), as_task(thread, task, allow))
        }
        _ => as_thread(allow),
    }
}

#[inline]
fn as_task(thread: &'static Thread, task: &'static Task, allow: Interrupt) -> Who {
    let owns = task.owns_its_thread();
    Who {
        task,
        wakes: task,
        keeps: if task.keeps_its_thread() {
            std::ptr::from_ref(thread).addr()
        } else {
            0
        },
        allow: if owns {
            pinned::allowed(task, allow)
        } else {
            allow
        },
    }
}

/// It heeds nothing unless the thread has asked for that.
#[cold]
fn as_thread(allow: Interrupt) -> (Option<&'static Thread>, Who) {
    let thread = current::within().map(|(thread, _)| thread);
    let wakes = current::plain();
    let heeds = cfg!(any(loom, shuttle)) || wakes.heeds();
    let who = Who {
        task: current::any(),
        wakes,
        keeps: thread.map_or(0, |thread| std::ptr::from_ref(thread).addr()),
        allow: if heeds { allow } else { Interrupt::Never },
    };
    (thread, who)
}

/// The caller, if it is a task, in a native section too: whose reads are noted.
#[cfg(not(any(loom, shuttle)))]
#[inline]
pub(crate) fn who_reads() -> Option<&'static Task> {
    current::within().map(|(_, task)| task)
}

#[cfg(any(loom, shuttle))]
pub(crate) fn who_reads() -> Option<&'static Task> {
    waits().map(|_| current::any())
}

/// A circle, and the task whose wait is to be broken for it, if it is another one's.
struct Found {
    circle: Deadlock,
    victim: Option<Victim>,
    /// Who is told.
    core: Option<Arc<Core>>,
}

impl Found {
    /// The end of step 4.
    fn break_it(&self) {
        match self.victim {
            None => {}
            Some(Victim::Standing(task)) => task.break_circle(),
            Some(Victim::Noted(task, number, epoch)) => {
                let is_broken = task.break_join(epoch);
                // If it was over, nobody will ask for the circle.
                drop((!is_broken).then(|| broken_note(number, epoch)));
            }
        }
    }
}

/// The place of one wait in the table: made before it, entered when it begins, left when it has ended.
pub(crate) struct Place<'a> {
    /// None for a wait that ends by itself.
    stands: Option<(Option<&'static Thread>, Entry)>,
    table: Option<&'a Waits>,
    /// The circle that was told already.
    told: &'a [u64],
    state: Cell<State>,
    found: RefCell<Option<Found>>,
}

/// Where a wait's entry is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Out,
    In,
    /// Out, and the wait does not begin: it would close a circle.
    Refused,
}

impl<'a> Place<'a> {
    /// `allow`: what may end the wait. `refusable`: whether the caller can be told that it was broken.
    #[inline(always)]
    fn new(
        what: What,
        limit: Limit,
        allow: Interrupt,
        refusable: bool,
        told: &'a [u64],
    ) -> Place<'a> {
        let table = waits();
        // Made in its place: it is too long to be moved at each wait.
        Place {
            stands: if table.is_none() && current::running().is_none() {
                None
            } else {
                let (thread, who) = who_waits(allow);
                if matches!(limit, Limit::Never) && who.task.deadline.get() == FOREVER {
                    let ends = (refusable, refusable && who.allow != Interrupt::Never);
                    Some((thread, Entry::new(who, what, ends)))
                } else {
                    None
                }
            },
            table,
            told,
            state: Cell::new(State::Out),
            found: RefCell::new(None),
        }
    }

    /// The place of a wait of a layer above.
    fn outside(wait: &Arc<Standing>, told: &'a [u64]) -> Place<'a> {
        // What else it is woken for is that layer's business.
        let (thread, who) = who_waits(Interrupt::Never);
        let breakable = wait.is_breakable();
        let entry = Entry::new(who, What::Outer(wait), (breakable, breakable));
        Place {
            stands: Some((thread, entry)),
            table: waits(),
            told,
            state: Cell::new(State::Out),
            found: RefCell::new(None),
        }
    }

    /// Steps 1 and 2, before the wait. `true`: it must not begin.
    #[inline]
    pub(crate) fn enter(&self) -> bool {
        match &self.stands {
            Some((thread, entry)) => self.enter_as(*thread, entry, None),
            None => false,
        }
    }

    /// The same in the publish of the wait, which is on.
    pub(crate) fn enter_armed(&self, task: &'static Task, epoch: Epoch) -> bool {
        match &self.stands {
            Some((thread, entry)) if std::ptr::eq(entry.wakes, task) => {
                self.enter_as(*thread, entry, Some(epoch))
            }
            _ => false,
        }
    }

    /// Somebody has ended the wait before it could be refused.
    pub(crate) fn is_ended(&self) {
        self.state.set(State::Out);
    }

    #[inline]
    fn enter_as(
        &self,
        thread: Option<&'static Thread>,
        entry: &Entry,
        epoch: Option<Epoch>,
    ) -> bool {
        let Some(waits) = self.table else {
            return self.look_without(thread, entry);
        };
        // Found before: it takes long.
        let kept = match thread {
            Some(thread) if entry.keeps_others_from(thread) => kept_from(waits, thread, entry),
            _ => Vec::new(),
        };
        if !entry.has_noted() {
            note_joins(waits, entry.task);
        }
        let mut table = waits.0.lock();
        // The twin that a model must catch looks before it enters.
        let early = cfg!(feature = "bug_waits_look");
        let mine = Look::since(table.turns() + 1);
        let before = early.then(|| look(&table, thread, entry, &mine));
        table.enter(entry, epoch);
        if !kept.is_empty() {
            table.keep(kept);
        }
        let circle = before.unwrap_or_else(|| look(&table, thread, entry, &mine));
        let Some(circle) = circle else {
            self.state.set(State::In);
            let open = mine.open.into_inner();
            if !open.is_empty() {
                drop(table);
                call_for(entry, open);
            }
            return false;
        };
        self.found(table, entry, circle)
    }

    /// Step 4.
    #[cold]
    fn found(
        &self,
        mut table: impl DerefMut<Target = Table>,
        entry: &Entry,
        mut circle: Deadlock,
    ) -> bool {
        let core = table.core_of(&circle);
        let victim = table.choose(Some(entry), &mut circle);
        let waits = circle.victim().is_none() && circle.numbers() == self.told;
        if !waits {
            table.leave(entry);
        }
        drop(table);
        let state = if waits { State::In } else { State::Refused };
        self.state.set(state);
        // Dropped with the place: a task's end runs code of the user's, which must not be under a lock of ours.
        self.found.replace(Some(Found {
            circle,
            victim,
            core,
        }));
        !waits
    }

    /// In a model, where joins alone are looked at.
    #[cold]
    fn look_without(&self, thread: Option<&'static Thread>, entry: &Entry) -> bool {
        let (Some(thread), What::End(target)) = (thread, entry.what) else {
            return false;
        };
        let firsts = [(target, Blocker::Join)];
        let closed = deadlock::closed(Some(thread), entry.task, None, &firsts);
        let Some(mut circle) = closed else {
            return false;
        };
        circle.set_victim(0);
        self.state.set(State::Refused);
        self.found.replace(Some(Found {
            circle,
            victim: None,
            core: None,
        }));
        true
    }

    /// The end of step 3. The circle for which the wait was broken, if it was.
    #[inline]
    fn leave(&self) -> Option<Deadlock> {
        let (State::In, Some((_, entry)), Some(waits)) =
            (self.state.get(), &self.stands, self.table)
        else {
            return None;
        };
        self.state.set(State::Out);
        let mut table = waits.0.lock();
        table.leave(entry);
        drop(table);
        // Nobody else knows the entry any more.
        let broken = entry.broken.take();
        if broken.is_some() {
            entry.wakes.lower(flag::BREAK);
        }
        broken
    }
}

impl Drop for Place<'_> {
    /// Also if the wait is unwound.
    #[inline]
    fn drop(&mut self) {
        drop(self.leave());
        if let Some(found) = self.found.get_mut() {
            found.break_it();
        }
    }
}

/// Step 2.
#[inline]
fn look(
    table: &Table,
    thread: Option<&'static Thread>,
    mine: &Entry,
    look: &Look,
) -> Option<Deadlock> {
    let nobody = match table.circle(mine, look) {
        Seen::Circle(circle) => return Some(circle),
        Seen::Others => false,
        // Whoever ends need not stand here.
        Seen::Nobody => !matches!(mine.what, What::End(_) | What::Outer(_)),
    };
    if nobody {
        return None;
    }
    look_further(table, thread, mine, look)
}

#[cold]
fn look_further(
    table: &Table,
    thread: Option<&'static Thread>,
    mine: &Entry,
    look: &Look,
) -> Option<Deadlock> {
    let firsts = table.next_of(mine, look);
    deadlock::closed(thread, mine.task, Some((table, look)), &firsts)
}

/// N1 and N2 of `notes.rs`.
#[cold]
fn note_joins(waits: &Waits, task: &'static Task) {
    let notes = notes::joins_of(task);
    let mut table = waits.0.lock();
    let left: Vec<_> = notes
        .into_iter()
        .filter_map(|note| table.note(note))
        .collect();
    drop(table);
    drop(left);
}

/// Who is to look again, when the open questions are answered. One inquirer is enough, whoever's the questions are.
#[cold]
fn call_for(entry: &Entry, open: Vec<Question>) {
    let ticket = entry.ticket();
    open[0].wait.calls().call(ticket);
}

/// What an inquirer sees that looks from where somebody has begun to wait.
enum Again {
    /// That one waits no more, or nothing leads back to it.
    Nothing,
    Open(Vec<Question>),
    Circle(Found),
}

/// On an inquirer's thread: looks from where this wait began until no question is open, and breaks what can be broken of the
/// circles that it finds.
pub(crate) fn resolve(ticket: Ticket) {
    let Some(waits) = waits() else { return };
    loop {
        let found = match look_again(waits, ticket) {
            Again::Nothing => return,
            Again::Open(questions) => {
                questions.iter().for_each(|question| question.ask(waits));
                continue;
            }
            Again::Circle(found) => found,
        };
        found.break_it();
        deadlock::tell(&found.circle, found.core.as_deref());
        // Its own wait is broken, or nothing can be.
        if found.victim.is_none() || found.circle.is_first_victim() {
            return;
        }
    }
}

fn look_again(waits: &Waits, ticket: Ticket) -> Again {
    let table = waits.0.lock();
    let Some(entry) = table.stands(ticket).filter(|entry| !entry.is_over()) else {
        return Again::Nothing;
    };
    let look = Look::since(ticket.turn);
    let circle = match table.circle(entry, &look) {
        Seen::Circle(circle) => Some(circle),
        Seen::Nobody | Seen::Others => look_further(&table, None, entry, &look),
    };
    match circle {
        Some(mut circle) => {
            let core = table.core_of(&circle);
            let victim = table.choose(None, &mut circle);
            Again::Circle(Found {
                circle,
                victim,
                core,
            })
        }
        None if look.open.borrow().is_empty() => Again::Nothing,
        None => Again::Open(look.open.into_inner()),
    }
}

/// In how many records at most those are looked for who are kept from a thread.
const RECORDS_MAX: usize = 4096;

/// The tasks that cannot run while this one waits, since they have started on its thread: by a look at all there are. Who
/// joins them is noted.
#[cold]
fn kept_from(waits: &Waits, thread: &Thread, entry: &Entry) -> Vec<Kept> {
    let mut kept = Vec::new();
    if pool::records() > RECORDS_MAX {
        return kept;
    }
    thread.core().mine(|task| {
        if task.has_started_on(thread) && !std::ptr::eq(task, entry.task) {
            kept.push(Kept::new(task, entry));
        }
    });
    for kept in &kept {
        if !kept.has_noted() {
            note_joins(waits, kept.task);
        }
    }
    kept
}

/// To be called before an alert is taken back that has ended a wait of who stands in the table as this task. A look finds the
/// flag or the note.
#[cold]
pub(crate) fn ends_by_alert(task: &Task) {
    if let Some(waits) = waits() {
        waits.0.lock().ends_by_alert(task.id.get());
    }
}

/// The circle for which the last join of this task was broken, if it was for one, and did not stand in the table.
pub(crate) fn broken_join(task: &Task) -> Option<Deadlock> {
    broken_note(task.id.get(), task.wait.last_epoch())
}

fn broken_note(number: u64, epoch: Epoch) -> Option<Deadlock> {
    waits()?.0.lock().broken_note(number, epoch)
}

/// Who has what the task with this number waits for, if it stands in the table: a number, and why.
pub(crate) fn holder(task: u64) -> Option<(u64, Blocker)> {
    waits()?.0.lock().holder(task)
}

/// Waits in the table. `wait` enters its place when its steps say so, and does not wait if it is told so then; `has_it` says
/// whether it brought what was waited for.
///
/// # Errors
/// The circle, if this wait is the one that was broken. Never without `refusable`.
#[inline]
pub(crate) fn wait<R>(
    (what, refusable): (What, bool),
    limit: Limit,
    allow: Interrupt,
    mut wait: impl FnMut(&Place<'_>) -> R,
    has_it: impl Fn(&R) -> bool,
) -> Result<R, Deadlock> {
    let mut told = Vec::new();
    loop {
        let place = Place::new(what, limit, allow, refusable, &told);
        let waited = wait(&place);
        if let Some(broken) = place.leave()
            && !has_it(&waited)
        {
            return Err(broken);
        }
        if place.found.borrow().is_none() {
            return Ok(waited);
        }
        match tell(place) {
            None => return Ok(waited),
            Some(circle) if circle.is_first_victim() => return Err(circle),
            Some(circle) => told = circle.numbers(),
        }
    }
}

/// The same for a wait of a layer above, which the table does not know. It may be broken if it says so.
///
/// # Errors
/// As for [`wait`].
pub(crate) fn wait_outside<R>(
    standing: &Arc<Standing>,
    mut wait: impl FnMut() -> R,
    has_it: impl Fn(&R) -> bool,
) -> Result<R, Deadlock> {
    let _quiet = Quiet(standing);
    let mut told = Vec::new();
    loop {
        let place = Place::outside(standing, &told);
        if place.enter() {
            match tell(place).expect("it was refused for a circle") {
                circle if circle.is_first_victim() => return Err(circle),
                circle => told = circle.numbers(),
            }
            continue;
        }
        let waited = wait();
        return match place.leave() {
            Some(broken) if !has_it(&waited) => Err(broken),
            _ => Ok(waited),
        };
    }
}

/// The end of step 4. The circle, if it was found instead of waiting.
#[cold]
fn tell(place: Place<'_>) -> Option<Deadlock> {
    let is_refused = place.state.get() == State::Refused;
    let found = place.found.take()?;
    drop(place);
    found.break_it();
    if !is_refused && found.victim.is_none() {
        // It was told before.
        return None;
    }
    // Whoever is told may lock, and unlock: that one does not stand in the table.
    deadlock::tell(&found.circle, found.core.as_deref());
    is_refused.then_some(found.circle)
}
