//! The worker's loop: next, run, settle.
//!
//! 1. *next* (`next.rs`): calls first (the inbox, a shutdown), then every 61st pick the fairness pick, then the task just
//!    woken, the thread's bound tasks and the slot's own, by priority; then what is shared, injected or stolen; then sleep
//!    (`search.rs`).
//! 2. *run*: a task that never ran gets its stack (`start.rs`); the thread becomes the task's until it gives it back with a
//!    word.
//! 3. *settle*: by that word the task is queued again, parked, or done. This is the one place where a task stops running.
//!
//! Room for unsafe code: the loop believes the word of a task that gave its thread back.

use crate::current;
use crate::fiber::{self, DONE, YIELD};
use crate::join;
use crate::primitive::{Ordering, barrier, simulated};
use crate::simulation;
use crate::span;
use crate::suspend::{Settled, settle_word};
use crate::task::Task;
use crate::task::payload::contain;
use crate::thread::Thread;
use crate::watch;

mod next;
mod search;
mod start;

/// A panic on a worker's own stack is a bug of ours that nobody could recover from.
struct AbortIfPanic;

impl Drop for AbortIfPanic {
    fn drop(&mut self) {
        if simulated::panicking() {
            eprintln!("fiberhost: a worker panicked outside a task; aborting");
            std::process::abort();
        }
    }
}

/// A worker's life: it waits for a slot and drives it, until there is nothing left for it to do.
pub(crate) fn run(thread: &'static Thread) {
    let guard = AbortIfPanic;
    contain(|| tracing::trace!(thread = thread.index, "thread started"));
    let _signals = fiber::overflow::prepare_thread();
    thread.show_os_thread(true);
    current::set_thread(thread);
    #[cfg(fiberhost_jump)]
    thread.frame.set(fiber::switch::here());
    if thread.slot.get().is_some() || thread.stand_by() {
        if thread.core().checks {
            thread.work::<true>()
        } else {
            thread.work::<false>()
        }
    }
    thread.put_away();
    simulation::after_resume();
    drop(guard);
}

impl Thread {
    /// The last thing a thread does: what it keeps for itself goes to the others, and so does its record.
    pub(crate) fn put_away(&self) {
        self.show_os_thread(false);
        self.magazine.empty();
        self.stacks.empty(&self.core().stacks);
        current::set_thread(std::ptr::null());
        contain(|| tracing::trace!(thread = self.index, "thread ended"));
        self.core().note_thread_end(self.index);
    }
}

impl Thread {
    fn work<const CHECKED: bool>(&'static self) {
        let mut next = self.next();
        while let Some(mut task) = next {
            if CHECKED && simulation::puts_off() {
                self.put_off(task);
                next = self.next();
                continue;
            }
            if task.sp.get() == 0 && !self.start(task) {
                next = self.next();
                continue;
            }
            let mut word = self.run_task::<CHECKED>(task);
            if word == YIELD && task.in_ring.get() {
                (task, word) = if self.bound.is_long() {
                    self.run_ring::<CHECKED, true>(task, word)
                } else {
                    self.run_ring::<CHECKED, false>(task, word)
                };
            }
            self.task.set(None);
            next = match self.settle(task, word) {
                // What it waited for was there already: it goes on, unless the fairness pick is due.
                Settled::Again if !self.is_fair_due() => Some(task),
                Settled::Again => {
                    self.requeue(task);
                    self.next()
                }
                Settled::Parked => self.next(),
            };
        }
    }

    /// The short way: a task of the ring yields, and as far as this thread knows only the ring wants it.
    ///
    /// Returns who left it, and with which word. A long ring's tasks are not all near, a short one's are.
    #[inline(always)]
    fn run_ring<const CHECKED: bool, const LONG: bool>(
        &'static self,
        mut task: &'static Task,
        mut word: fiber::Word,
    ) -> (&'static Task, fiber::Word) {
        while word == YIELD && task.in_ring.get() && !self.must_look() {
            task = self.bound.step_from(task);
            if LONG {
                task.fetch_next();
            }
            word = self.resume::<CHECKED>(task);
        }
        (task, word)
    }

    /// Instead of step 2, in a simulation: the task goes to the end of its queue.
    #[cold]
    fn put_off(&self, task: &'static Task) {
        if task.sp.get() == 0 {
            self.slot().push_fresh(task);
        } else {
            self.requeue(task);
        }
        // The fairness pick looks elsewhere than the usual order, at timers too.
        self.set_fair_at(0);
    }

    /// Step 2. Returns the task's word. The caller clears `task` before it calls anything that asks who runs.
    #[inline(always)]
    fn run_task<const CHECKED: bool>(&'static self, task: &'static Task) -> fiber::Word {
        if !task.is_usual() {
            if task.is_mobile() {
                self.adopt(task);
            }
            if task.has_span() || task.is_watched() {
                return self.resume_seen::<CHECKED>(task);
            }
        }
        self.resume::<CHECKED>(task)
    }

    #[cold]
    #[inline(never)]
    fn resume_seen<const CHECKED: bool>(&'static self, task: &'static Task) -> fiber::Word {
        let is_watched = task.is_watched();
        if is_watched {
            watch::run(self, task);
        }
        let word = if task.has_span() {
            self.resume_in_span::<CHECKED>(task)
        } else {
            self.resume::<CHECKED>(task)
        };
        if is_watched {
            watch::ran(self, task, word);
        }
        word
    }

    #[cold]
    fn resume_in_span<const CHECKED: bool>(&'static self, task: &'static Task) -> fiber::Word {
        span::enter(task);
        let word = self.resume::<CHECKED>(task);
        // As for whoever settles it, nobody runs here any more.
        self.task.set(None);
        span::exit(task);
        if word == DONE {
            span::end(task);
        }
        word
    }

    /// Lends the thread to a task.
    #[inline(always)]
    fn resume<const CHECKED: bool>(&'static self, task: &'static Task) -> fiber::Word {
        #[cfg(feature = "bug_lock_lent")]
        let _kept = self.core().lasting.keep();
        if CHECKED {
            simulation::before_resume(task);
            self.core().checker.begin_run(self, task);
        }
        self.task.set(Some(task));
        // Relaxed, and no read-modify-write: one writer.
        self.left
            .store(self.left.load(Ordering::Relaxed) - 1, Ordering::Relaxed);
        if CHECKED && self.core().simulation.is_some() {
            self.ask_for_slice();
        }
        let word = fiber::resume(self, task);
        if CHECKED {
            simulation::after_resume();
            self.core().checker.end_run(self, task, word == DONE);
        }
        word
    }

    /// Step 3.
    #[inline(always)]
    fn settle(&'static self, task: &'static Task, word: fiber::Word) -> Settled {
        match word {
            YIELD => {
                self.requeue(task);
                Settled::Parked
            }
            DONE => {
                self.retire(task);
                Settled::Parked
            }
            wait => {
                self.bound.leave(task);
                // SAFETY: any other word is the address of a wait on the task's stack.
                unsafe { settle_word(wait, self, task) }
            }
        }
    }

    /// A task that yielded goes to the end of its queue.
    #[inline(always)]
    fn requeue(&self, task: &'static Task) {
        if !task.is_usual() {
            self.requeue_unusual(task);
        } else if !task.in_ring.get() {
            self.bound.push(task, None);
        }
    }

    fn requeue_unusual(&self, task: &'static Task) {
        // Its priority may have been changed while it stood in the ring.
        self.bound.leave(task);
        if task.may_move() {
            self.requeue_mobile(task)
        } else {
            self.bound.push(task, None)
        }
    }

    /// Whether anything outside the ring may want this thread: a call, or what `look_soon` stands for.
    #[inline(always)]
    fn must_look(&self) -> bool {
        self.sleeper.is_called() || self.left.load(Ordering::Relaxed) <= 0
    }

    fn requeue_mobile(&self, task: &'static Task) {
        let core = self.core();
        if core.force_migration {
            core.injector.push(task);
            barrier::heavy();
        } else {
            self.slot().push_ready(task);
        }
        self.offer();
    }

    /// A task whose closure has ended: its stack goes to the next one, its joiner is told.
    #[inline(always)]
    fn retire(&'static self, task: &'static Task) {
        self.bound.leave(task);
        let fiber = fiber::unbind(task);
        self.stacks
            .put(&self.core().stacks, fiber, task.stack_class.get());
        if !task.is_mobile() {
            self.bound_live.set(self.bound_live.get() - 1);
        }
        self.end(task);
    }

    /// The end of a task, run or not: it is counted and its place is free before a joiner knows.
    #[inline(always)]
    pub(crate) fn end(&'static self, task: &'static Task) {
        let core = self.core();
        Thread::count(&self.ended);
        if core.watching.is_special() {
            core.end_special(self, task);
        }
        join::complete_from(Some(self), task);
        // The count, then the look: a shutdown sets its phase, then reads the counts. One of the two sees the other.
        if !core.still_runs() {
            core.note_end();
        }
    }
}
