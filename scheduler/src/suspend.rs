//! What a task hands over with its stack: the one word in which the task's side and the worker's side meet.
//!
//! A wait is finished after the switch. The task describes it in a [`Wait`] on its own stack and gives the worker the
//! address; the worker, on its own stack, publishes the wait and only then is the task parked. So nobody can wake a task
//! whose registers are not saved yet, and no lock is held across the switch.
//!
//! Steps of a settle:
//!
//! 1. copy what is needed later: once the wait is published the task may run elsewhere and its stack is not ours;
//! 2. publish: under the lock of what is waited for, look whether it has happened; if not, arm the wait word and link;
//! 3. arm the timer, if there is a limit;
//! 4. look for an interruption raised before the wait was armed.
//!
//! What if the other side comes just before: step 2 sees that it has happened. During: the lock decides.
//! After: it finds the armed wait and claims it; the task is runnable again, perhaps before step 3, whose timer is then dead.
//!
//! Room for unsafe code: going from the word to the wait.

use std::cell::Cell;

use crate::current;
use crate::fiber::Word;
use crate::primitive::Ordering;
use crate::task::Task;
use crate::task::state::Epoch;
use crate::thread::Thread;
use crate::timer::Timer;
use crate::wait::{Interrupt, Wake};

/// No time limit.
pub(crate) const FOREVER: u64 = u64::MAX;
/// A limit that has passed already: look, but do not wait.
pub(crate) const AT_ONCE: u64 = 0;

/// What the worker does with the task after the settle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Settled {
    /// It is parked, or runs elsewhere already.
    Parked,
    /// It is the worker's still: run it on.
    Again,
}

/// A wait, on the stack of the task that begins it.
#[repr(C)]
pub(crate) struct Wait<'a, P> {
    settle: unsafe fn(*const (), &Thread, &'static Task) -> Settled,
    publish: &'a P,
    limit: u64,
    allow: Interrupt,
    /// What was waited for had happened already; no wait was armed.
    pub(crate) immediate: Cell<bool>,
}

impl<'a, P> Wait<'a, P>
where
    P: Fn(&'static Task, Interrupt) -> Option<Epoch>,
{
    #[inline(always)]
    pub(crate) fn new(publish: &'a P, limit: u64, allow: Interrupt) -> Self {
        Wait {
            settle: settle::<P>,
            publish,
            limit,
            allow,
            immediate: Cell::new(false),
        }
    }

    #[inline(always)]
    pub(crate) fn word(&self) -> Word {
        std::ptr::from_ref(self).addr()
    }
}

/// How a wait arms its task's word.
#[derive(Clone, Copy)]
pub(crate) struct Arm {
    allow: Interrupt,
    exclusive: bool,
    /// Who settles it, to a lock that leans.
    pub(crate) leans_as: usize,
}

impl Arm {
    pub(crate) fn contended(allow: Interrupt) -> Self {
        Arm {
            allow,
            exclusive: false,
            leans_as: current::leans_as(),
        }
    }

    /// Arms the wait. The caller holds the lock of the list that it links the task into.
    #[inline(always)]
    pub(crate) fn arm(self, task: &'static Task) -> Epoch {
        if self.exclusive {
            task.wait.arm_exclusive(self.allow)
        } else {
            task.wait.arm(self.allow)
        }
    }

    #[inline(always)]
    pub(crate) fn is_exclusive(self) -> bool {
        self.exclusive
    }
}

/// A wait without a time limit that signals find in a list, on the stack of the task that begins it (`freeze.rs`).
#[repr(C)]
pub(crate) struct Listed<P, W> {
    settle: unsafe fn(*const (), &Thread, &'static Task) -> Settled,
    withdraw: unsafe fn(*const (), &'static Task) -> bool,
    publish: P,
    take_back: W,
    allow: Interrupt,
    /// What was waited for had happened already; no wait was armed.
    pub(crate) immediate: Cell<bool>,
}

impl<P, W> Listed<P, W>
where
    P: Fn(&'static Task, Arm) -> Option<Epoch>,
    W: Fn(&'static Task) -> bool,
{
    #[inline(always)]
    pub(crate) fn new(publish: P, take_back: W, allow: Interrupt) -> Self {
        Listed {
            settle: settle_listed::<P, W>,
            withdraw: withdraw_listed::<P, W>,
            publish,
            take_back,
            allow,
            immediate: Cell::new(false),
        }
    }

    /// The settle. Nothing of the wait is touched once it is published.
    #[inline(always)]
    pub(crate) fn settle_here(&self, thread: Option<&Thread>, task: &'static Task) -> Settled {
        // Relaxed: arming the wait releases it.
        task.wait_at.store(self.word(), Ordering::Relaxed);
        let arm = Arm {
            allow: self.allow,
            exclusive: true,
            leans_as: current::leans_as_of(thread),
        };
        let Some(epoch) = (self.publish)(task, arm) else {
            self.immediate.set(true);
            return Settled::Again;
        };
        if task.missed_interrupt(epoch) {
            Settled::Again
        } else {
            Settled::Parked
        }
    }

    #[inline(always)]
    pub(crate) fn word(&self) -> Word {
        std::ptr::from_ref(self).addr()
    }
}

/// # Safety
/// As for [`settle_word`]; the wait's closures are a `P` and a `W`.
unsafe fn settle_listed<P, W>(wait: *const (), thread: &Thread, task: &'static Task) -> Settled
where
    P: Fn(&'static Task, Arm) -> Option<Epoch>,
    W: Fn(&'static Task) -> bool,
{
    // SAFETY: the task is suspended and not published yet, so its stack, and the wait on it, stay.
    let listed = unsafe { &*wait.cast::<Listed<P, W>>() };
    listed.settle_here(Some(thread), task)
}

/// # Safety
/// `wait` is the address of a `Listed<P, W>` that stays until this returns.
unsafe fn withdraw_listed<P, W>(wait: *const (), task: &'static Task) -> bool
where
    W: Fn(&'static Task) -> bool,
{
    // SAFETY: the caller's promise.
    let listed = unsafe { &*wait.cast::<Listed<P, W>>() };
    (listed.take_back)(task)
}

/// Takes a frozen task's exclusive wait back from where signals would find it (step I3 of `freeze.rs`, which also says why
/// the wait is still there). `false`: a signal has taken it.
pub(crate) fn withdraw(task: &'static Task) -> bool {
    type Withdraw = unsafe fn(*const (), &'static Task) -> bool;
    // Relaxed: stored before the wait was armed, which the caller has acquired.
    let wait = task.wait_at.load(Ordering::Relaxed) as *const Listed<(), ()>;
    // SAFETY: an exclusive wait is a `Listed` of some types, whose first two fields are the same for all, and it stays.
    unsafe {
        let withdraw: Withdraw = (&raw const (*wait).withdraw).read();
        withdraw(wait.cast(), task)
    }
}

/// The worker's side.
///
/// # Safety
/// `word` is the address of a [`Wait`] or a [`Listed`] on the stack of `task`, which has just given it to this worker.
#[inline(always)]
pub(crate) unsafe fn settle_word(word: Word, thread: &Thread, task: &'static Task) -> Settled {
    let wait = word as *const unsafe fn(*const (), &Thread, &'static Task) -> Settled;
    // SAFETY: a wait begins with its function, which is the one made for its type.
    unsafe { (*wait)(wait.cast(), thread, task) }
}

/// # Safety
/// As for [`settle_word`]; the wait's closure is a `P`.
unsafe fn settle<P>(wait: *const (), thread: &Thread, task: &'static Task) -> Settled
where
    P: Fn(&'static Task, Interrupt) -> Option<Epoch>,
{
    // SAFETY: the task is suspended and not published yet, so its stack, and the wait on it, stay.
    let wait = unsafe { &*wait.cast::<Wait<'_, P>>() };
    // Step 1.
    let (limit, allow) = (wait.limit, wait.allow);
    // Step 2.
    let Some(epoch) = (wait.publish)(task, allow) else {
        wait.immediate.set(true);
        return Settled::Again;
    };
    // The wait is published: from here on nothing on the task's stack is touched.
    finish_settle(thread, task, epoch, limit)
}

/// Steps 3 and 4.
#[inline(always)]
pub(crate) fn finish_settle(
    thread: &Thread,
    task: &'static Task,
    epoch: Epoch,
    limit: u64,
) -> Settled {
    if limit != FOREVER && !limit_wait(thread, task, epoch, limit) {
        return Settled::Again;
    }
    let seen = cfg!(feature = "bug_settle_again") && task.flags.load(Ordering::Acquire) != 0;
    if task.missed_interrupt(epoch) || seen {
        Settled::Again
    } else {
        Settled::Parked
    }
}

/// `false`: the limit had passed, and the wait was claimed for that.
#[cold]
fn limit_wait(thread: &Thread, task: &'static Task, epoch: Epoch, limit: u64) -> bool {
    if limit == AT_ONCE && task.wait.claim(epoch, Wake::TimedOut, 0) {
        return false;
    }
    if limit != AT_ONCE {
        thread.slot().arm(Timer {
            at: limit,
            task,
            epoch,
        });
    }
    true
}
