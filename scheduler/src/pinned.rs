//! How a task waits that has its thread to itself: the thread sleeps with it, and the slot goes to another thread.
//!
//! Such a task owns its thread: native frames lie on its stack, or it runs on an OS thread of its own. Nobody else may run
//! there, so there is no need to switch: the task settles its wait on its own stack, where nobody can resume it before it
//! sleeps. It is woken as every bound task is, through the inbox of its thread.
//!
//! Steps, with the thread's lease (`lease.rs`):
//!
//! 1. look into the inbox; fire what timers of the slot are due, since nobody else does before step 3;
//! 2. leave, and give the slot up, if there is somebody to have it (`claim.rs`);
//! 3. sleep until called; if the slot could not be given up, also until its next timer;
//! 4. come back to a slot when the task was woken, or when there is a timer to fire.
//!
//! Woken before step 3: the call that follows the inbox ends the sleep at once. Meanwhile other bound tasks of this thread
//! may be woken: they stand in its queue until it is theirs again.
#![forbid(unsafe_code)]

use crate::primitive::{clock, simulated};
use crate::stats::ledger;
use crate::task::{Task, flag};
use crate::thread::Thread;
use crate::wait::{Interrupt, Wake};
use crate::watch;

/// Which interruptions a wait of such a task allows: with native frames on the stack nothing may unwind it, so a wait that
/// could not say how it ended goes on.
pub(crate) fn allowed(task: &Task, allow: Interrupt) -> Interrupt {
    match allow {
        Interrupt::Unwind if task.has_native_frames() => Interrupt::Never,
        allow => allow,
    }
}

/// Whether an abort of this task may unwind it now.
pub(crate) fn may_unwind(task: &Task, flags: u32) -> bool {
    flags & flag::UNWINDING == 0 && !task.has_native_frames()
}

impl Thread {
    /// Sleeps until the task, whose wait is settled, was made runnable.
    #[cold]
    pub(crate) fn sleep_with(&'static self, task: &'static Task) {
        self.set_sleeps_with(Some(task));
        self.core().note_sleep_with(task);
        loop {
            if self.take_woken(task) || self.fire_timers_for(task) {
                break;
            }
            let woken = self.sleep_out(task);
            self.come_back();
            self.refresh_coarse();
            if woken {
                break;
            }
        }
        self.set_sleeps_with(None);
    }

    /// Steps 2 and 3. `true`: the task was woken.
    fn sleep_out(&'static self, task: &'static Task) -> bool {
        let core = self.core();
        let until = self.slot().next_timer().map(|at| core.instant(at));
        let needed = core.is_needed(self.slot());
        self.lease.leave();
        let given_up = self.give_up(needed);
        let until = if given_up { None } else { until };
        loop {
            self.sleeper.sleep(until);
            let woken = self.drain_for(task);
            if woken || until.is_some_and(|at| clock::now() >= at) {
                return woken;
            }
        }
    }

    /// Step 1: fires what is due. `true`: that ended this task's wait, which is queued nowhere then.
    fn fire_timers_for(&self, task: &'static Task) -> bool {
        let mut woken = false;
        self.fire_timers_by(|timer| {
            if std::ptr::eq(timer.task, task) {
                woken |= task.wait.claim(timer.epoch, Wake::TimedOut, 0);
            } else {
                watch::fire(self.core(), Some(self), &timer);
            }
        });
        woken
    }

    /// Step 1: whether the task was woken from elsewhere.
    fn take_woken(&self, task: &'static Task) -> bool {
        let early = cfg!(feature = "bug_pinned_look") && self.drain_for(task);
        if !self.sleeper.take() {
            return early;
        }
        let woken = early || !cfg!(feature = "bug_pinned_look") && self.drain_for(task);
        // Somebody may want the slot; that is for the loop to see, or for the sleep that comes.
        if self.core().idle.claimants() > 0 {
            self.sleeper.call();
        }
        woken
    }

    /// Takes in what was put into the inbox. `true`: this task was there, and is the caller's now.
    fn drain_for(&self, task: &'static Task) -> bool {
        let mut woken = false;
        self.inbox.drain(|other| {
            if std::ptr::eq(other, task) {
                woken = true;
            } else {
                self.bound.push(other, None);
            }
        });
        woken
    }

    /// Before a wait of such a task whose last one was over at once: now and then it looks whether somebody wants the slot, as a
    /// worker does, so that a task that never has to sleep keeps nobody from running.
    ///
    /// Not right after that one: what it published still stands where others find it, and they would give way to it in turn,
    /// each for what the one before has left there. Nor before one that sleeps after another: it gives the slot away itself.
    pub(crate) fn look_before_wait(&'static self) {
        if self.went_on.replace(false) && self.looks_now() {
            self.fire_timers();
            self.offer_slot();
        }
    }

    /// A yield of such a task: gives the slot to who wants it, and waits for its next turn. `true`: somebody did.
    #[cold]
    pub(crate) fn yield_pinned(&'static self) -> bool {
        simulated::point();
        Thread::count(&self.settled_here);
        if self.looks_now() {
            self.fire_timers();
        }
        // Where all others wait for what is ready, nobody else asks for it.
        self.core().io.ask_now_and_then();
        self.offer_slot()
    }

    fn offer_slot(&'static self) -> bool {
        let core = self.core();
        let waiting = self.slot().waiting() + self.slot().shared() + core.injector.len();
        if waiting == 0 && core.idle.claimants() == 0 {
            return false;
        }
        let waited = u32::try_from(waiting).unwrap_or(u32::MAX);
        ledger::around_claim(self, || self.take_turns(waited))
    }
}
