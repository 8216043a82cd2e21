//! The lock below [`Mutex`](crate::sync::Mutex): one word that names the owner, and a queue.
//!
//! # The word
//!
//! | bits | meaning |
//! |---|---|
//! | 63..1 | the number of the task that has the lock (of the plain thread's record); 0: nobody |
//! | 0 | *waiters*: somebody stands in the queue |
//!
//! Locking a free mutex is one exchange of the word, unlocking one without waiters another.
//! *waiters* changes only under the queue's lock, and is set there before anybody is linked; so an unlock that finds it
//! clear has nobody to wake, and one that finds it set takes the queue's lock first.
//!
//! # Handing over
//!
//! An unlock either *hands over*: it writes the longest waiter as the next owner; or it *lets go*: the word names nobody,
//! the longest waiter is woken and tries, and whoever comes in between takes the lock (*barging*).
//! A fair mutex hands over always. An unfair one lets go, but a waiter that was woken and found the lock taken goes back
//! to the front of the queue and is handed it next: nobody is passed over twice.
//!
//! # The other side just before, during, just after
//!
//! The unlock comes before a waiter is published: the publish, under the queue's lock, finds the word free and takes it.
//! During: both hold the queue's lock in turn. After: the unlock finds the waiter in the queue and claims its wait.
//! A time limit or an interruption that claims the wait first makes the unlock's claim fail: it goes on to the next one,
//! and the waiter leaves the queue itself. One that comes later finds the wait over: who was handed the lock has it, and who
//! was woken to try looks at the word at least once. If that one finds it taken and then gives up, the lock's holder has
//! *waiters* set while anybody stands in the queue, so its unlock wakes the next one: no wake is lost.
#![forbid(unsafe_code)]

use std::fmt;
use std::time::Duration;

use crate::current;
use crate::deadlock::{Blocker, Deadlock};
use crate::park::{self, Limit};
use crate::primitive::{AtomicU64, For, Ordering, SpinLock, simulated};
use crate::runnable::make_runnable;
use crate::suspend::Arm;
use crate::sync::lock_waits::{self, Place, What};
use crate::sync::until::Until;
use crate::sync::wait_list::WaitList;
use crate::task::Task;
use crate::wait::{Heed, Interrupt, WaitReason, Wake};

const WAITERS: u64 = 1;
const OWNER_SHIFT: u32 = 1;

/// In a waiter's word beside its number: it was passed over once and is to be handed the lock.
const PASSED_OVER: u64 = 1;

/// How often a waiter looks whether the lock becomes free before it stands in the queue.
const LOOKS: u32 = 40;

/// A lock without data, for embedders: it knows its owner and tells a stranger that it is none.
///
/// Its waits end early if the task is alerted or cancelled, and say so; an abort unwinds the task.
///
/// ```
/// use fiberhost_scheduler::sync::RawMutex;
/// let lock = RawMutex::new();
/// lock.lock();
/// assert!(std::thread::scope(|scope| scope.spawn(|| lock.unlock().is_err()).join().unwrap()));
/// assert!(lock.unlock().is_ok());
/// ```
pub struct RawMutex {
    word: AtomicU64,
    fair: bool,
    queue: SpinLock<WaitList>,
}

/// The caller does not have the lock that it wanted to unlock. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotOwner(());

impl fmt::Display for NotOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mutex can be unlocked only by the one who locked it")
    }
}

impl std::error::Error for NotOwner {}

/// The caller's number, by which the word names it.
#[inline(always)]
pub(crate) fn caller() -> u64 {
    current::any().id.get()
}

impl RawMutex {
    crate::sync::const_in_a_build! {
        /// A free mutex. Who comes when it is free may have it, also before those who wait; nobody is passed over twice.
        pub const fn new() -> Self {
            RawMutex::with_fairness(false)
        }
    }

    crate::sync::const_in_a_build! {
        /// A free mutex that goes to those who wait in the order in which they came.
        pub const fn new_fair() -> Self {
            RawMutex::with_fairness(true)
        }
    }

    crate::sync::const_in_a_build! {
        const fn with_fairness(fair: bool) -> Self {
            RawMutex {
                word: AtomicU64::new(0),
                fair,
                queue: SpinLock::new(For::Mutex, WaitList::new()),
            }
        }
    }

    /// Locks. Anything but [`Wake::Signalled`] means that the caller does not have the lock.
    ///
    /// # Panics
    /// If the caller has it already; it keeps it.
    #[inline]
    pub fn lock(&self) -> Wake {
        simulated::point();
        self.acquire(Limit::Never, Interrupt::Alert)
    }

    /// The same with a time limit.
    ///
    /// # Panics
    /// If the caller has it already; it keeps it.
    #[inline]
    pub fn lock_for(&self, limit: Duration) -> Wake {
        simulated::point();
        self.acquire(Limit::After(limit), Interrupt::Alert)
    }

    /// Locks, whatever happens to the task meanwhile: nothing ends the wait but the lock. For code that must not be unwound.
    ///
    /// # Panics
    /// If the caller has it already; it keeps it.
    #[inline]
    pub fn lock_through(&self) {
        let wake = self.acquire(Limit::Never, Interrupt::Never);
        debug_assert!(wake == Wake::Signalled, "nothing else ends it");
    }

    /// The same for code that must not be unwound either, and that gives up when something is heeded that ends the wait: see
    /// [`Heed`]. Anything but [`Wake::Signalled`] means that the caller does not have the lock.
    ///
    /// No deadlock is found that goes through this wait, unless the caller says elsewhere for whom it waits
    /// ([`Inquirer::wait`](crate::Inquirer::wait)).
    ///
    /// # Panics
    /// If the caller has it already; it keeps it.
    pub fn lock_heeding(&self, heed: Heed) -> Wake {
        let me = caller();
        if self.try_acquire(me) {
            return Wake::Signalled;
        }
        assert_not_mine(self, me);
        if self.look_for_a_while(me) {
            return Wake::Signalled;
        }
        self.stand(me, Limit::Never, heed.interrupt())
    }

    /// As [`lock`](RawMutex::lock), but a wait in a circle of tasks that wait for each other may be refused, when it begins,
    /// or be broken later, when another one closes the circle: [`Deadlock::victim`] says which one is.
    ///
    /// # Errors
    /// The circle; the caller does not have the lock. A task that has it already is a circle of one.
    ///
    /// # Panics
    /// If the caller is a plain thread that has it already; it keeps it.
    #[inline]
    pub fn lock_or_deadlock(&self) -> Result<Wake, Deadlock> {
        self.acquire_or_deadlock(Interrupt::Alert)
    }

    /// Locks if it is free.
    #[inline]
    pub fn try_lock(&self) -> bool {
        self.try_acquire(caller())
    }

    /// Locks if it is free and nobody waits for it: one exchange, and nothing else if that fails.
    #[inline]
    pub fn try_lock_idle(&self) -> bool {
        // Acquire: as in `acquire`.
        self.word
            .compare_exchange(
                0,
                caller() << OWNER_SHIFT,
                Ordering::Acquire,
                Ordering::Relaxed,
            )
            .is_ok()
    }

    /// Unlocks if the caller has it and nobody waits for it: the counterpart of [`try_lock_idle`](RawMutex::try_lock_idle).
    #[inline]
    pub fn try_unlock_idle(&self) -> bool {
        // Release: as in `try_release`.
        self.word
            .compare_exchange(
                caller() << OWNER_SHIFT,
                0,
                Ordering::Release,
                Ordering::Relaxed,
            )
            .is_ok()
    }

    /// Unlocks.
    ///
    /// # Errors
    /// The caller does not have the lock; nothing was changed.
    #[inline]
    pub fn unlock(&self) -> Result<(), NotOwner> {
        if !self.is_mine() {
            return Err(NotOwner(()));
        }
        self.release();
        Ok(())
    }

    /// Unlocks, and hands over to the longest waiter also if the mutex is not fair.
    ///
    /// # Errors
    /// The caller does not have the lock; nothing was changed.
    pub fn unlock_fair(&self) -> Result<(), NotOwner> {
        if !self.is_mine() {
            return Err(NotOwner(()));
        }
        self.release_fair();
        Ok(())
    }

    /// Whether somebody has it at this moment.
    #[inline]
    pub fn is_locked(&self) -> bool {
        self.owner().is_some()
    }

    /// Whether the caller has it.
    #[inline]
    pub fn is_mine(&self) -> bool {
        self.owner() == Some(caller())
    }

    /// The [number](crate::TaskRef::id) of the task or plain thread that has it at this moment.
    #[inline]
    pub fn owner(&self) -> Option<u64> {
        // Relaxed: only the owner itself can conclude anything from the answer.
        match self.word.load(Ordering::Relaxed) >> OWNER_SHIFT {
            0 => None,
            owner => Some(owner),
        }
    }

    /// How many stand in its queue at this moment.
    pub fn waiters(&self) -> usize {
        self.queue.lock().len()
    }

    /// Locks, in as many waits as it takes. [`Wake::Signalled`]: the caller has the lock.
    #[inline]
    pub(crate) fn acquire(&self, limit: Limit, allow: Interrupt) -> Wake {
        let me = caller();
        // Acquire: pairs with the release in `release`.
        if self
            .word
            .compare_exchange(0, me << OWNER_SHIFT, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
        {
            return Wake::Signalled;
        }
        self.acquire_slow(me, limit, allow)
    }

    /// The same without a limit, unless the wait would close a circle.
    #[inline]
    pub(crate) fn acquire_or_deadlock(&self, allow: Interrupt) -> Result<Wake, Deadlock> {
        let me = caller();
        if self.try_acquire(me) {
            return Ok(Wake::Signalled);
        }
        self.acquire_slow_or_deadlock(me, allow)
    }

    #[cold]
    fn acquire_slow_or_deadlock(&self, me: u64, allow: Interrupt) -> Result<Wake, Deadlock> {
        if self.owner() == Some(me)
            && let Some((_, task)) = current::running()
        {
            return Err(Deadlock::with_itself(task, Blocker::Lock));
        }
        self.acquire_standing(me, Limit::Never, allow, true)
            .map(park::check)
    }

    /// Takes the word if it names nobody; *waiters* stays as it is.
    #[inline]
    pub(crate) fn try_acquire(&self, me: u64) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        while word >> OWNER_SHIFT == 0 {
            let mine = me << OWNER_SHIFT | word;
            match self
                .word
                .compare_exchange(word, mine, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    #[cold]
    fn acquire_slow(&self, me: u64, limit: Limit, allow: Interrupt) -> Wake {
        park::check(self.acquire_unrefused(me, limit, allow))
    }

    /// A wait that cannot be refused. If it closes a circle that nobody can break, an abort is a way out.
    #[cold]
    fn acquire_unrefused(&self, me: u64, limit: Limit, allow: Interrupt) -> Wake {
        self.acquire_standing(me, limit, allow, false)
            .expect("only a wait that says so is refused")
    }

    /// Without an unwinding: the caller looks whether its task was aborted.
    #[inline]
    fn acquire_standing(
        &self,
        me: u64,
        limit: Limit,
        allow: Interrupt,
        refusable: bool,
    ) -> Result<Wake, Deadlock> {
        assert_not_mine(self, me);
        if self.look_for_a_while(me) {
            return Ok(Wake::Signalled);
        }
        let what = (What::Mutex(self), refusable);
        let wait = |place: &Place<'_>| {
            if place.enter() {
                return Wake::Aborted;
            }
            self.stand(me, limit, allow)
        };
        lock_waits::wait(what, limit, allow, wait, |wake| *wake == Wake::Signalled)
    }

    /// Waits in the queue, in as many waits as it takes.
    fn stand(&self, me: u64, limit: Limit, allow: Interrupt) -> Wake {
        let mut until = Until::new(limit);
        let mut passed_over = 0;
        loop {
            let publish = |task: &'static Task, arm: Arm| {
                let mut queue = self.queue.lock();
                if self.acquire_or_announce(me) {
                    return None;
                }
                let epoch = arm.arm(task);
                task.node.word.set(me << OWNER_SHIFT | passed_over);
                if passed_over == 0 {
                    queue.push(&task.node, task, epoch, 0);
                } else {
                    queue.push_front(&task.node, task, epoch, 0);
                }
                Some(epoch)
            };
            let take_back = |task| self.take_back(task);
            let waited =
                park::wait_listed(WaitReason::Mutex, until.left(), allow, publish, take_back);
            if waited.wake != Wake::Signalled {
                return waited.wake;
            }
            if self.owner() == Some(me) || self.try_acquire(me) {
                return Wake::Signalled;
            }
            passed_over = PASSED_OVER;
        }
    }

    /// The holder may be about to unlock, on another processor. Whoever stands in the queue already goes first.
    fn look_for_a_while(&self, me: u64) -> bool {
        if self.try_acquire(me) {
            return true;
        }
        let takes_turns = cfg!(any(loom, shuttle)) || simulated::here().is_some();
        if takes_turns || !somebody_runs_beside() {
            return false;
        }
        for _ in 0..LOOKS {
            std::hint::spin_loop();
            let word = self.word.load(Ordering::Relaxed);
            if word & WAITERS != 0 {
                return false;
            }
            if word == 0 && self.try_acquire(me) {
                return true;
            }
        }
        false
    }

    /// Under the queue's lock: takes the word, or makes its owner's unlock come to the queue.
    fn acquire_or_announce(&self, me: u64) -> bool {
        loop {
            if self.try_acquire(me) {
                return true;
            }
            let word = self.word.load(Ordering::Relaxed);
            if word >> OWNER_SHIFT != 0 && self.announce(word) {
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

    /// The wait ended otherwise, so nobody has handed over to this one and nobody will.
    #[cold]
    fn take_back(&self, who: &'static Task) -> bool {
        let mut queue = self.queue.lock();
        let was_there = queue.remove(&who.node);
        if queue.is_empty() {
            self.word.fetch_and(!WAITERS, Ordering::Relaxed);
        }
        was_there
    }

    /// Unlocks; the caller has the lock.
    #[inline]
    pub(crate) fn release(&self) {
        if !self.try_release() {
            self.release_slow(self.fair);
        }
    }

    /// Without waiters it is one exchange.
    #[inline(always)]
    fn try_release(&self) -> bool {
        let word = self.word.load(Ordering::Relaxed);
        // Release: pairs with the acquire of the next owner.
        word & WAITERS == 0
            && self
                .word
                .compare_exchange(word, 0, Ordering::Release, Ordering::Relaxed)
                .is_ok()
    }

    pub(crate) fn release_fair(&self) {
        if !self.try_release() {
            self.release_slow(true);
        }
    }

    #[cold]
    fn release_slow(&self, hand_over: bool) {
        if let Some(next) = self.release_to_next(hand_over) {
            make_runnable(next);
        }
    }

    /// Unlocks, for one who holds a lock itself: the caller makes the answer runnable later.
    #[must_use]
    pub(crate) fn release_quietly(&self) -> Option<&'static Task> {
        if self.try_release() {
            return None;
        }
        self.release_to_next(self.fair)
    }

    fn release_to_next(&self, hand_over: bool) -> Option<&'static Task> {
        let mut queue = self.queue.lock();
        let next = queue.claim_first_with(|node| node.word.get());
        let forget = cfg!(feature = "bug_mutex_forgets");
        let waiters = if queue.is_empty() || forget {
            0
        } else {
            WAITERS
        };
        let owner = match next {
            Some((_, word)) if hand_over || word & PASSED_OVER != 0 => word & !PASSED_OVER,
            _ => 0,
        };
        // Release: pairs with the acquire of the next owner. A store: with the lock and the queue's lock in our hands
        // nobody else changes the word.
        self.word.store(owner | waiters, Ordering::Release);
        drop(queue);
        next.map(|(task, _)| task)
    }
}

fn assert_not_mine(mutex: &RawMutex, me: u64) {
    assert!(
        mutex.owner() != Some(me),
        "a mutex was locked again by the one who has it"
    );
}

/// Whether a lock's holder can be running while the caller looks.
fn somebody_runs_beside() -> bool {
    current::thread().is_none_or(|thread| thread.core().workers() > 1)
}

impl Default for RawMutex {
    fn default() -> Self {
        RawMutex::new()
    }
}

impl fmt::Debug for RawMutex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawMutex")
            .field("owner", &self.owner())
            .field("fair", &self.fair)
            .finish_non_exhaustive()
    }
}
