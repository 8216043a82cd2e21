//! The lock below [`RwLock`](crate::sync::RwLock): one word that counts the readers or names the writer, and a queue.
//!
//! # The word
//!
//! | bits | meaning |
//! |---|---|
//! | 63..2 | with *writer*: the number of the task that writes; else how many read |
//! | 1 | *writer* |
//! | 0 | *waiters*: somebody stands in the queue |
//!
//! *waiters* changes only under the queue's lock; it is set there before anybody is linked, and only while somebody has the
//! lock. While it is set nobody takes the lock from outside the queue, so neither writers nor readers starve; and the last
//! one out (the writer, or the last reader) comes to the queue and hands over: to the writer in front, or to all readers up
//! to the next writer. So a lock that nobody has has no waiters.
//!
//! # The other side just before, during, just after
//!
//! An unlock before a waiter is published: the publish finds the word free, or held by readers only, and takes it.
//! During: the queue's lock decides. After: the last one out finds the waiter and claims its wait, or goes on to the next
//! one if that wait was ended otherwise. A waiter whose wait ended otherwise was handed nothing. It leaves the queue, and if
//! it was the writer that held up readers while others read, it lets those in.
#![forbid(unsafe_code)]

use crate::current;
use crate::deadlock::{Blocker, Deadlock};
use crate::park::{self, Limit};
use crate::primitive::{AtomicU64, For, Ordering, SpinLock};
use crate::runnable::make_runnable;
use crate::suspend::Arm;
use crate::sync::lock_waits::{self, Place, What};
use crate::sync::raw_mutex::caller;
use crate::sync::wait_list::{Claimed, WaitList};
use crate::task::Task;
use crate::task::reads::Note;
use crate::wait::{Interrupt, WaitReason, Wake};

const WAITERS: u64 = 1;
const WRITER: u64 = 2;
const COUNT_SHIFT: u32 = 2;
const READER: u64 = 1 << COUNT_SHIFT;

/// In a waiter's word instead of a writer's number.
const WANTS_TO_READ: u64 = 0;

fn writing(me: u64) -> u64 {
    me << COUNT_SHIFT | WRITER
}

/// How somebody wants the lock, and what the word must be for that.
trait Way {
    const REASON: WaitReason;
    /// What a wait for it stands for in the table of waits.
    fn what(&self, lock: &RawRwLock) -> What;
    /// In the waiter's word.
    fn wish(&self) -> u64;
    /// The word with the lock taken, if it may be taken.
    fn take(&self, word: u64) -> Option<u64>;
}

struct Reading;

impl Way for Reading {
    const REASON: WaitReason = WaitReason::RwLockRead;
    fn what(&self, lock: &RawRwLock) -> What {
        What::Read(lock)
    }
    fn wish(&self) -> u64 {
        WANTS_TO_READ
    }
    #[inline(always)]
    fn take(&self, word: u64) -> Option<u64> {
        (word & (WRITER | WAITERS) == 0).then_some(word + READER)
    }
}

/// By its number.
struct Writing(u64);

impl Way for Writing {
    const REASON: WaitReason = WaitReason::RwLockWrite;
    fn what(&self, lock: &RawRwLock) -> What {
        What::Write(lock)
    }
    fn wish(&self) -> u64 {
        self.0
    }
    #[inline(always)]
    fn take(&self, word: u64) -> Option<u64> {
        (word == 0).then_some(writing(self.0))
    }
}

pub(crate) struct RawRwLock {
    word: AtomicU64,
    queue: SpinLock<WaitList>,
}

impl RawRwLock {
    crate::sync::const_in_a_build! {
        pub(super) const fn new() -> Self {
            RawRwLock {
                word: AtomicU64::new(0),
                queue: SpinLock::new(For::RwLock, WaitList::new()),
            }
        }
    }

    /// [`Wake::Signalled`]: the caller has the lock, and notes that.
    #[inline]
    pub(super) fn read(&self, limit: Limit, allow: Interrupt) -> Wake {
        if self.try_read() {
            return Wake::Signalled;
        }
        self.take_slow(&Reading, limit, allow)
    }

    /// The same without a limit.
    ///
    /// # Errors
    /// The circle, if the wait was refused or broken for one.
    #[inline]
    pub(super) fn read_or_deadlock(&self, allow: Interrupt) -> Result<Wake, Deadlock> {
        if self.try_read() {
            return Ok(Wake::Signalled);
        }
        self.take_slow_or_deadlock(&Reading, allow)
    }

    #[inline]
    pub(super) fn write(&self, limit: Limit, allow: Interrupt) -> Wake {
        let way = Writing(caller());
        if self.try_take(&way) {
            return Wake::Signalled;
        }
        self.take_slow(&way, limit, allow)
    }

    /// As [`read_or_deadlock`](RawRwLock::read_or_deadlock).
    #[inline]
    pub(super) fn write_or_deadlock(&self, allow: Interrupt) -> Result<Wake, Deadlock> {
        let way = Writing(caller());
        if self.try_take(&way) {
            return Ok(Wake::Signalled);
        }
        self.take_slow_or_deadlock(&way, allow)
    }

    #[inline]
    pub(super) fn try_read(&self) -> bool {
        self.try_take(&Reading)
    }

    #[inline]
    pub(super) fn try_write(&self) -> bool {
        self.try_take(&Writing(caller()))
    }

    /// For who has just taken the lock to read: a task knows what it reads, the word does not. The answer is for
    /// [`release_read`](RawRwLock::release_read).
    #[inline]
    pub(super) fn note_read(&self) -> Option<Note> {
        let task = lock_waits::who_reads()?;
        Some(task.reads.begin(task.id.get(), self.address()))
    }

    #[inline(always)]
    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    pub(crate) fn writer(&self) -> Option<u64> {
        // Relaxed: only the writer itself can conclude anything from the answer.
        let word = self.word.load(Ordering::Relaxed);
        (word & WRITER != 0).then_some(word >> COUNT_SHIFT)
    }

    pub(super) fn is_locked(&self) -> bool {
        self.word.load(Ordering::Relaxed) != 0
    }

    pub(super) fn waiters(&self) -> usize {
        self.queue.lock().len()
    }

    #[inline(always)]
    fn try_take(&self, way: &impl Way) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        while let Some(taken) = way.take(word) {
            // Acquire: pairs with the release of the one who unlocked.
            match self
                .word
                .compare_exchange_weak(word, taken, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    #[cold]
    fn take_slow<W: Way>(&self, way: &W, limit: Limit, allow: Interrupt) -> Wake {
        self.assert_not_mine();
        self.take_standing(way, limit, allow, false)
            .expect("only a wait that says so is refused")
    }

    #[cold]
    fn take_slow_or_deadlock<W: Way>(&self, way: &W, allow: Interrupt) -> Result<Wake, Deadlock> {
        if self.writer() == Some(caller())
            && let Some((_, task)) = current::running()
        {
            return Err(Deadlock::with_itself(task, Blocker::RwLock));
        }
        self.assert_not_mine();
        self.take_standing(way, Limit::Never, allow, true)
    }

    fn assert_not_mine(&self) {
        assert!(
            self.writer() != Some(caller()),
            "a lock was taken again by the one who writes under it"
        );
    }

    #[inline]
    fn take_standing<W: Way>(
        &self,
        way: &W,
        limit: Limit,
        allow: Interrupt,
        refusable: bool,
    ) -> Result<Wake, Deadlock> {
        let wait = |place: &Place<'_>| self.stand(way, limit, allow, place);
        let what = (way.what(self), refusable);
        lock_waits::wait(what, limit, allow, wait, |wake| *wake == Wake::Signalled)
    }

    /// One wait, unless its place says that it must not be.
    fn stand<W: Way>(&self, way: &W, limit: Limit, allow: Interrupt, place: &Place<'_>) -> Wake {
        let publish = |task: &'static Task, arm: Arm| {
            let mut queue = self.queue.lock();
            if self.take_or_announce(way) {
                return None;
            }
            let epoch = arm.arm(task);
            if place.enter_armed(task, epoch) {
                if task.wait.disarm(epoch) {
                    self.withdraw_announcement(&queue);
                    return None;
                }
                place.is_ended();
            }
            task.node.word.set(way.wish());
            queue.push(&task.node, task, epoch, 0);
            Some(epoch)
        };
        let take_back = |task| self.take_back(task);
        let waited = park::wait_listed(W::REASON, limit, allow, publish, take_back);
        park::check(waited.wake)
    }

    /// Under the queue's lock: nobody was linked for whom *waiters* would stand.
    fn withdraw_announcement(&self, queue: &WaitList) {
        if queue.is_empty() {
            self.word.fetch_and(!WAITERS, Ordering::Relaxed);
        }
    }

    /// Under the queue's lock: takes the lock, or makes the last one out come to the queue.
    fn take_or_announce(&self, way: &impl Way) -> bool {
        loop {
            if self.try_take(way) {
                return true;
            }
            let word = self.word.load(Ordering::Relaxed);
            if way.take(word).is_none() && self.announce(word) {
                return false;
            }
        }
    }

    fn announce(&self, word: u64) -> bool {
        // Relaxed: whoever finds the bit takes the queue's lock, which orders the rest.
        word & WAITERS != 0
            || self
                .word
                .compare_exchange(word, word | WAITERS, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    #[cold]
    fn take_back(&self, who: &'static Task) -> bool {
        let mut queue = self.queue.lock();
        let was_there = queue.remove(&who.node);
        let woken = self.let_readers_in(&mut queue);
        self.withdraw_announcement(&queue);
        drop(queue);
        woken.for_each(make_runnable);
        was_there
    }

    /// The readers in front of the queue, if others read: the one they stood behind has left.
    fn let_readers_in(&self, queue: &mut WaitList) -> Claimed {
        let word = self.word.load(Ordering::Relaxed);
        if word & WRITER != 0 || queue.is_empty() || cfg!(feature = "bug_rwlock_left") {
            return Claimed::new();
        }
        // There are waiters, so somebody has the lock; the last reader out would wait for the queue's lock, which is ours.
        let (woken, count) = claim_readers(queue);
        self.word.fetch_add(count * READER, Ordering::Relaxed);
        woken
    }

    #[inline]
    pub(super) fn release_read(&self, note: Option<Note>) {
        // Before others can have it, and before the caller can wait for anything.
        if let Some(note) = note {
            note.end(self.address());
        }
        if !self.try_release_read() {
            self.release_last_read();
        }
    }

    /// `false`: the caller is the last reader, and there are waiters.
    #[inline(always)]
    fn try_release_read(&self) -> bool {
        // Release: what was read was read before the next one writes.
        let order = if cfg!(feature = "bug_rwlock_read") {
            Ordering::Relaxed
        } else {
            Ordering::Release
        };
        let mut word = self.word.load(Ordering::Relaxed);
        while word != READER | WAITERS || cfg!(feature = "bug_rwlock_last") {
            match self
                .word
                .compare_exchange_weak(word, word - READER, order, Ordering::Relaxed)
            {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    #[cold]
    fn release_last_read(&self) {
        let queue = self.queue.lock();
        // The waiters may have left meanwhile, or other readers have come in.
        if self.try_release_read() {
            return;
        }
        // Acquire: what the other readers released goes to the next owner with our store.
        let word = self.word.load(Ordering::Acquire);
        debug_assert!(word == READER | WAITERS, "only the queue's lock changes it");
        self.hand_over(queue);
    }

    #[inline]
    pub(super) fn release_write(&self) {
        let word = self.word.load(Ordering::Relaxed);
        // Release: pairs with the acquire of the next owner.
        let alone = word & WAITERS == 0
            && self
                .word
                .compare_exchange(word, 0, Ordering::Release, Ordering::Relaxed)
                .is_ok();
        if !alone {
            self.release_write_slow();
        }
    }

    #[cold]
    fn release_write_slow(&self) {
        self.hand_over(self.queue.lock());
    }

    /// By the last one out. A store: with the lock and the queue's lock in our hands nobody else changes the word.
    fn hand_over(&self, mut queue: impl std::ops::DerefMut<Target = WaitList>) {
        let (woken, word) = claim_next(&mut queue);
        let waiters = if queue.is_empty() { 0 } else { WAITERS };
        // Release: pairs with the acquire of the next owner.
        let order = if cfg!(feature = "bug_rwlock_hand") {
            Ordering::Relaxed
        } else {
            Ordering::Release
        };
        self.word.store(word | waiters, order);
        drop(queue);
        woken.for_each(make_runnable);
    }
}

/// Claims the waits of the readers up to the first writer.
fn claim_readers(queue: &mut WaitList) -> (Claimed, u64) {
    let woken = Claimed::new();
    let mut count = 0;
    while let Some((reader, _)) = queue.claim_first_if(|wish| wish == WANTS_TO_READ) {
        woken.push(reader);
        count += 1;
    }
    (woken, count)
}

/// Claims the waits of those whose turn it is; with them, the word that says so.
fn claim_next(queue: &mut WaitList) -> (Claimed, u64) {
    loop {
        let (woken, count) = claim_readers(queue);
        if count > 0 || queue.is_empty() {
            return (woken, count * READER);
        }
        if let Some((writer, number)) = queue.claim_first_if(|wish| wish != WANTS_TO_READ) {
            woken.push(writer);
            return (woken, writing(number));
        }
        // Writers whose waits were over stood in front; readers may have come to the front now.
    }
}
