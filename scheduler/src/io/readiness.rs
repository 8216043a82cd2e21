//! What is known of one descriptor: whether a call is worth trying, and who waits until it is.
//!
//! The kernel reports a *change* to ready once (edge-triggered), so what it said must be kept until it is used up.
//! A tick counts what it said, for each side.
//!
//! Who wants to read (writing is the same on the other side):
//!
//! 1. R1 notes the tick, and whether the side counts as ready;
//! 2. R2 if so, tries the call. It is done, or would block;
//! 3. R3 would have blocked: under the lock, if the tick is still the noted one, the side counts as not ready and the wait
//!    is armed and linked. Otherwise it begins again at R1.
//!
//! Whoever holds the poller's role and is told of a change:
//!
//! 1. D1 under the lock: one more tick, ready; and claims all who wait;
//! 2. D2 makes them runnable, outside all locks.
//!
//! # Why no readiness is forgotten
//!
//! What R2 did not find came after R2's look at the descriptor, so the kernel reports a change later, and its D1 is later
//! than R1. If D1 comes before R3, R3 finds another tick and looks again. If it comes after R3, it finds the linked wait.
//!
//! A read that filled less than its buffer has found the end of what was there: that counts as "would block" for the
//! *next* read, under the same condition on the tick ([`Readiness::note_drained`]). It saves the system call that would
//! only say so. It does not hold after an end or an error, which the kernel reports only once, nor where a read stops at a
//! mark (urgent data): from such a report on short reads say nothing.
//!
//! All who wait are woken, not one: one change may stand for two connections to accept.
#![forbid(unsafe_code)]

use crate::primitive::{For, SpinLock};
use crate::suspend::Arm;
use crate::sync::wait_list::{Claimed, WaitList};
use crate::task::Task;
use crate::task::state::Epoch;
use crate::wait::WaitReason;

/// What is waited for at a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Read,
    #[cfg_attr(any(loom, shuttle), allow(dead_code, reason = "the models read"))]
    Write,
}

impl Side {
    pub(crate) fn reason(self) -> WaitReason {
        match self {
            Side::Read => WaitReason::Readable,
            Side::Write => WaitReason::Writable,
        }
    }
}

/// What the kernel said of a descriptor.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ready {
    pub(crate) read: bool,
    pub(crate) write: bool,
    /// An end, an error, or urgent data: a short read no longer means that nothing is left.
    pub(crate) marked: bool,
}

/// What R1 notes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    tick: u32,
    pub(crate) ready: bool,
}

/// See the module docs.
pub(crate) struct Readiness {
    state: SpinLock<State>,
}

struct State {
    read: Half,
    write: Half,
    marked: bool,
}

struct Half {
    tick: u32,
    ready: bool,
    waiters: WaitList,
    #[cfg(feature = "futures")]
    waker: Option<std::task::Waker>,
}

impl Half {
    fn new() -> Self {
        Half {
            tick: 0,
            // Nothing is known: the first call is tried.
            ready: true,
            waiters: WaitList::new(),
            #[cfg(feature = "futures")]
            waker: None,
        }
    }

    /// D1.
    fn change(&mut self, woken: &mut Woken) {
        self.tick = self.tick.wrapping_add(1);
        self.ready = true;
        while let Some(task) = self.waiters.claim_first() {
            woken.tasks.push(task);
            woken.any = true;
        }
        #[cfg(feature = "futures")]
        if let Some(waker) = self.waker.take() {
            woken.wakers.push(waker);
            woken.any = true;
        }
    }

    /// R3's condition.
    fn is_unchanged(&self, seen: Seen) -> bool {
        self.tick == seen.tick || cfg!(feature = "bug_ready_tick")
    }
}

impl State {
    fn half(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Read => &mut self.read,
            Side::Write => &mut self.write,
        }
    }
}

impl Readiness {
    pub(crate) fn new() -> Self {
        Readiness {
            state: SpinLock::new(
                For::Descriptor,
                State {
                    read: Half::new(),
                    write: Half::new(),
                    marked: false,
                },
            ),
        }
    }

    /// R1.
    #[inline]
    pub(crate) fn look(&self, side: Side) -> Seen {
        let mut state = self.state.lock();
        let half = state.half(side);
        Seen {
            tick: half.tick,
            ready: half.ready,
        }
    }

    /// R3, as the settle of a wait: `None` means that something has changed.
    pub(crate) fn publish(
        &self,
        side: Side,
        seen: Seen,
        task: &'static Task,
        arm: Arm,
    ) -> Option<Epoch> {
        let mut state = self.state.lock();
        let half = state.half(side);
        if !half.is_unchanged(seen) {
            return None;
        }
        half.ready = false;
        let epoch = arm.arm(task);
        half.waiters.push(&task.node, task, epoch, 0);
        Some(epoch)
    }

    /// A wait that ended otherwise leaves. Returns whether it was there.
    pub(crate) fn take_back(&self, side: Side, task: &'static Task) -> bool {
        self.state.lock().half(side).waiters.remove(&task.node)
    }

    /// R3 for one who leaves a waker instead of waiting. `false`: something has changed.
    #[cfg(all(feature = "futures", not(any(loom, shuttle))))]
    pub(crate) fn leave_waker(&self, side: Side, seen: Seen, waker: &std::task::Waker) -> bool {
        let mut state = self.state.lock();
        let half = state.half(side);
        if !half.is_unchanged(seen) {
            return false;
        }
        half.ready = false;
        let before = match &mut half.waker {
            Some(same) if same.will_wake(waker) => None,
            other => other.replace(waker.clone()),
        };
        drop(state);
        // A waker's drop is the user's code.
        drop(before);
        true
    }

    /// A call took all that was there.
    #[inline]
    pub(crate) fn note_drained(&self, side: Side, seen: Seen) {
        let mut state = self.state.lock();
        let holds = !state.marked;
        let half = state.half(side);
        if holds && half.is_unchanged(seen) {
            half.ready = false;
        }
    }

    /// A thread has asked the kernel for itself.
    #[cfg(not(any(loom, shuttle)))]
    pub(crate) fn note_ready(&self, side: Side) {
        let mut state = self.state.lock();
        let half = state.half(side);
        half.tick = half.tick.wrapping_add(1);
        half.ready = true;
    }

    /// D1. The caller wakes whom it finds in `woken`, outside all locks.
    pub(crate) fn change(&self, ready: Ready, woken: &mut Woken) {
        let mut state = self.state.lock();
        state.marked |= ready.marked;
        if ready.read {
            state.read.change(woken);
        }
        if ready.write {
            state.write.change(woken);
        }
    }
}

/// Those who were claimed and are to be made runnable.
pub(crate) struct Woken {
    tasks: Claimed,
    #[cfg(feature = "futures")]
    wakers: Vec<std::task::Waker>,
    any: bool,
}

impl Woken {
    pub(crate) fn new() -> Self {
        Woken {
            tasks: Claimed::new(),
            #[cfg(feature = "futures")]
            wakers: Vec::new(),
            any: false,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.any
    }

    /// D2. Returns whether there was anybody.
    pub(crate) fn wake(self) -> bool {
        self.tasks.for_each(crate::runnable::make_runnable);
        #[cfg(feature = "futures")]
        for waker in self.wakers {
            // The user's code, on a worker's own stack: its panic has nobody to go to.
            crate::task::payload::contain(|| waker.wake());
        }
        self.any
    }
}
