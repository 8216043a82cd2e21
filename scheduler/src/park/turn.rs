//! How a task gives its turn away and goes on afterwards: yields, and the end of its quantum.
//!
//! Room for unsafe code: with the wait the one door off a stack.

use super::interrupt::raise;
use super::must_block;
use crate::check::check_locks;
use crate::current;
use crate::fiber::{self, YIELD};
use crate::primitive::{Ordering, simulated};
use crate::simulation;
use crate::task::{Task, flag};
use crate::thread::{FAIR_EVERY, Thread};
use crate::wait::Wake;

/// Gives the processor to the other runnable tasks and goes on afterwards.
///
/// Returns at once if there are none. On a thread that is no task it is [`std::thread::yield_now`].
///
/// # Unwinding
/// A task that was [aborted](crate::TaskRef::abort) is unwound here.
#[inline]
pub fn yield_now() {
    let Some((thread, task)) = current::running() else {
        return yield_thread();
    };
    // In the ring with no neighbour: probably alone.
    if task.is_next_to_itself() && thread.nothing_else(task) {
        return after_yield(task);
    }
    if must_block(task) {
        return yield_in_place(thread, task);
    }
    // SAFETY: `running` says that we are on this task's stack and this thread runs it.
    unsafe { fiber::suspend(thread, task, YIELD) };
    after_yield(task);
}

/// While it is panicking a task goes on at once; while it owns its thread, when nobody needs the slot.
#[cold]
fn yield_in_place(thread: &'static Thread, task: &Task) {
    if simulated::panicking() {
        return simulated::point();
    }
    check_locks(task, "yields with its thread");
    thread.yield_pinned();
    after_yield(task);
}

/// Gives the processor to the other runnable tasks, and says whether there were any. For code that must not be unwound.
///
/// On a thread that is no task, and in a native section, the system may run something else; that does not count.
pub fn yield_to_others() -> bool {
    let Some((thread, task)) = current::running() else {
        yield_thread();
        return false;
    };
    if must_block(task) {
        check_locks(task, "yields with its thread");
        return !simulated::panicking() && thread.yield_pinned();
    }
    if task.is_next_to_itself() && thread.nothing_else(task) {
        return false;
    }
    let core = thread.core();
    // Who yields seldom would leave those who wait for what is ready to the monitor.
    core.io.ask_now_and_then();
    let others = !thread.is_alone(task) || !core.injector.is_empty() || core.idle.claimants() > 0;
    let (here, turn) = (thread.index, thread.switches());
    // SAFETY: `running` says that we are on this task's stack and this thread runs it.
    unsafe { fiber::suspend(thread, task, YIELD) };
    // Somebody may have become runnable only when the worker looked: who has the next turn here has let nobody run.
    others
        || current::thread()
            .is_none_or(|thread| thread.index != here || thread.switches() != turn + 1)
}

/// So often others run before a wait in the kernel is the cheaper way.
const LINGERS: u32 = 8;

/// For who is about to wait for the kernel's word of something that comes at any moment: lets the others run, and asks after each
/// turn whether it is there; a few times, and only while there are others. `false`: it is not there, and is to be waited for.
///
/// To be woken by the kernel costs several of its calls. What the others ask it for is often there before they wait for it.
/// As [`yield_to_others`], it is for code that must not be unwound.
pub fn linger(mut is_there: impl FnMut() -> bool) -> bool {
    for _ in 0..LINGERS {
        let others = yield_to_others();
        if is_there() {
            return true;
        }
        if !others {
            break;
        }
    }
    false
}

#[cold]
fn yield_thread() {
    match simulated::here() {
        Some(world) => world.give_way(),
        None => std::thread::yield_now(),
    }
}

#[inline(always)]
fn after_yield(task: &Task) {
    if task.flags.load(Ordering::Relaxed) & flag::ABORT != 0 {
        raise(Wake::Aborted);
    }
}

/// Yields if the task's quantum is over. Costs a load and a comparison otherwise: for long computations.
/// Returns whether it yielded.
#[inline]
pub fn check_quantum() -> bool {
    let Some(thread) = current::thread() else {
        return false;
    };
    if !thread.slice_is_over() {
        return false;
    }
    match simulation::ends_quantum() {
        None => thread.end_slice(),
        Some(true) => {
            thread.end_slice();
            thread.ask_for_slice();
        }
        Some(false) => {
            simulated::point();
            return false;
        }
    }
    yield_now();
    true
}

/// For the fairness pick a slice that was used up counts as so many resumes.
const PICKS_A_SLICE: u64 = 8;

impl Thread {
    /// Whether the monitor has found the running task's quantum to be over.
    #[inline(always)]
    pub(crate) fn slice_is_over(&self) -> bool {
        self.slice_over.load(Ordering::Relaxed) == self.switches()
    }

    /// In a simulation no task outlasts its quantum, so each look is to come to whoever decides that.
    pub(crate) fn ask_for_slice(&self) {
        // Relaxed: as in the look.
        self.slice_over.store(self.switches(), Ordering::Relaxed);
    }

    /// The task gives up the rest of its slice, which it has used up: the next one counts anew, and before that the
    /// worker looks for timers, calls and injected tasks, even if nobody else stands in its queues.
    fn end_slice(&self) {
        // Relaxed: the monitor may set it again for the same resume, which only means one more yield.
        self.slice_over.store(u64::MAX, Ordering::Relaxed);
        self.lone_yields.store(FAIR_EVERY, Ordering::Relaxed);
        // Beside others that use up their slices too, the fairness pick would be so many slices away. Timers do not wait for it.
        self.hurry_fair(PICKS_A_SLICE);
        self.fire_timers();
        self.look_soon();
    }
}
