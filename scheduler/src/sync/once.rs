//! Something that is done once, by the first who comes; the others wait for it.
//!
//! # The word
//!
//! | word | meaning |
//! |---|---|
//! | 0 | nobody has begun |
//! | 1 | *poisoned*: the one who did it was unwound |
//! | 2 | *complete* |
//! | number << 2 and 3 | the task of that number does it now |
//!
//! The end is stored under the list's lock, and a waiter's publish looks at the word under that lock: an end before the
//! publish is seen by it, one after it finds the waiter in the list. Waiters look at the word again when they wake.
#![forbid(unsafe_code)]

use std::fmt;

use crate::current;
use crate::deadlock::{Blocker, Deadlock};
use crate::park::{self, Limit};
use crate::primitive::{AtomicU64, For, Ordering, SpinLock};
use crate::runnable::make_runnable;
use crate::suspend::Arm;
use crate::sync::lock_waits::{self, Place, What};
use crate::sync::raw_mutex::caller;
use crate::sync::wait_list::WaitList;
use crate::task::Task;
use crate::wait::{Interrupt, WaitReason, Wake};

const INCOMPLETE: u64 = 0;
const POISONED: u64 = 1;
const COMPLETE: u64 = 2;
const RUNNING: u64 = 3;
const RUNNER_SHIFT: u32 = 2;

fn is_running(word: u64) -> bool {
    word & RUNNING == RUNNING
}

/// Runs one initialiser, once, as [`std::sync::Once`].
///
/// If an initialiser panics, or its task is aborted in it, the `Once` is poisoned, as std's: from then on
/// [`call_once`](Once::call_once) panics, and [`call_once_force`](Once::call_once_force) tries again.
/// Who comes while the initialiser runs waits; only an [abort](crate::TaskRef::abort) ends that otherwise, by unwinding.
///
/// ```
/// use fiberhost_scheduler::sync::Once;
/// static START: Once = Once::new();
/// let mut calls = 0;
/// START.call_once(|| calls += 1);
/// START.call_once(|| calls += 1);
/// assert!(START.is_completed());
/// assert_eq!(calls, 1);
/// ```
pub struct Once {
    word: AtomicU64,
    waiters: SpinLock<WaitList>,
}

/// What the initialiser of [`Once::call_once_force`] is told.
#[derive(Debug)]
pub struct OnceState {
    poisoned: bool,
}

impl OnceState {
    /// Whether an earlier initialiser was unwound.
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }
}

impl Once {
    crate::sync::const_in_a_build! {
        /// One that nobody has run.
        pub const fn new() -> Self {
            Once {
                word: AtomicU64::new(INCOMPLETE),
                waiters: SpinLock::new(For::Once, WaitList::new()),
            }
        }
    }

    /// Runs the initialiser if none has run, or waits for the one that runs. Afterwards it has run.
    ///
    /// # Panics
    /// If an earlier initialiser was unwound, or if it is called from the initialiser itself.
    #[inline]
    pub fn call_once(&self, initialise: impl FnOnce()) {
        if !self.is_completed() {
            self.call_unrefused(false, |_| initialise());
        }
    }

    /// As [`call_once`](Once::call_once), but a wait in a circle of tasks that wait for each other may be refused, when it
    /// begins, or be broken later: see [`Mutex::lock_or_deadlock`](crate::sync::Mutex::lock_or_deadlock).
    ///
    /// # Errors
    /// The circle; the initialiser of the caller was not run. A task that calls it from the initialiser itself is a circle of
    /// one.
    ///
    /// # Panics
    /// If an earlier initialiser was unwound, or if a plain thread calls it from the initialiser itself.
    #[inline]
    pub fn call_once_or_deadlock(&self, initialise: impl FnOnce()) -> Result<(), Deadlock> {
        if self.is_completed() {
            return Ok(());
        }
        self.call(false, Refusable::Yes, |_| initialise())
    }

    /// The same, also if an earlier initialiser was unwound.
    ///
    /// # Panics
    /// If it is called from the initialiser itself.
    #[inline]
    pub fn call_once_force(&self, initialise: impl FnOnce(&OnceState)) {
        if !self.is_completed() {
            self.call_unrefused(true, initialise);
        }
    }

    /// The same for [`OnceLock`](crate::sync::OnceLock), which may tell its caller of a circle.
    #[inline]
    pub(crate) fn call_force_or_deadlock(&self, initialise: impl FnOnce()) -> Result<(), Deadlock> {
        self.call(true, Refusable::Yes, |_| initialise())
    }

    /// Whether an initialiser has run to its end; what it did is visible then.
    #[inline]
    pub fn is_completed(&self) -> bool {
        // Acquire: pairs with the release in `end`.
        self.word.load(Ordering::Acquire) == COMPLETE
    }

    fn call_unrefused(&self, force: bool, initialise: impl FnOnce(&OnceState)) {
        self.call(force, Refusable::No, initialise)
            .expect("only a wait that says so is refused");
    }

    #[cold]
    fn call(
        &self,
        force: bool,
        refusable: Refusable,
        initialise: impl FnOnce(&OnceState),
    ) -> Result<(), Deadlock> {
        let me = caller() << RUNNER_SHIFT | RUNNING;
        loop {
            let word = self.word.load(Ordering::Acquire);
            match word {
                COMPLETE => return Ok(()),
                POISONED if !force => panic!("an initialiser was unwound earlier"),
                INCOMPLETE | POISONED => {
                    // Acquire: what an unwound initialiser did is visible to the next.
                    let begun =
                        self.word
                            .compare_exchange(word, me, Ordering::Acquire, Ordering::Relaxed);
                    if begun.is_ok() {
                        let mut run = Run {
                            once: self,
                            end: POISONED,
                        };
                        initialise(&OnceState {
                            poisoned: word == POISONED,
                        });
                        run.end = COMPLETE;
                        return Ok(());
                    }
                }
                _ => {
                    if word == me {
                        return Err(waits_for_itself(refusable));
                    }
                    self.wait_standing(refusable)?;
                }
            }
        }
    }

    /// The number of the task or plain thread that runs an initialiser at this moment.
    pub(crate) fn runner(&self) -> Option<u64> {
        // Relaxed: only the runner itself can conclude anything from the answer.
        let word = self.word.load(Ordering::Relaxed);
        is_running(word).then_some(word >> RUNNER_SHIFT)
    }

    /// Waits until nobody runs an initialiser; who comes after that may find another one running.
    fn wait_standing(&self, refusable: Refusable) -> Result<(), Deadlock> {
        let wait = |place: &Place<'_>| {
            if place.enter() {
                return Wake::Aborted;
            }
            self.wait()
        };
        let what = (What::Once(self), refusable == Refusable::Yes);
        let (limit, allow) = (Limit::Never, Interrupt::Unwind);
        let has_it = |wake: &Wake| *wake == Wake::Signalled;
        lock_waits::wait(what, limit, allow, wait, has_it).map(drop)
    }

    fn wait(&self) -> Wake {
        let publish = |task: &'static Task, arm: Arm| {
            let mut waiters = self.waiters.lock();
            if !is_running(self.word.load(Ordering::Relaxed)) {
                return None;
            }
            let epoch = arm.arm(task);
            waiters.push(&task.node, task, epoch, 0);
            Some(epoch)
        };
        let (limit, allow) = (Limit::Never, Interrupt::Unwind);
        let waited = park::wait_listed(WaitReason::Once, limit, allow, publish, |task| {
            self.waiters.lock().remove(&task.node)
        });
        // What else ends a wait of this kind unwinds the task, or breaks a circle.
        park::check(waited.wake)
    }

    fn end(&self, end: u64) {
        let mut waiters = self.waiters.lock();
        // Release: pairs with the acquire of all who see the end.
        self.word.store(end, Ordering::Release);
        let woken = waiters.claim_all();
        drop(waiters);
        woken.for_each(make_runnable);
    }
}

/// Whether the caller can be told of a circle.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Refusable {
    Yes,
    No,
}

#[cold]
fn waits_for_itself(refusable: Refusable) -> Deadlock {
    match current::running() {
        Some((_, task)) if refusable == Refusable::Yes => {
            Deadlock::with_itself(task, Blocker::Once)
        }
        _ => panic!("an initialiser waits for itself"),
    }
}

/// An initialiser that runs: its end, however it comes.
struct Run<'a> {
    once: &'a Once,
    end: u64,
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.once.end(self.end);
    }
}

impl Default for Once {
    fn default() -> Self {
        Once::new()
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once")
            .field("completed", &self.is_completed())
            .finish_non_exhaustive()
    }
}
