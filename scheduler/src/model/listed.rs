//! Waits that stand in a list (`freeze.rs`), without the switch: the calling thread is its own worker.

use super::{Record, Waiter};
use crate::primitive::{For, SpinLock};
use crate::suspend::{Arm, Listed, Settled};
use crate::sync::wait_list::WaitList;
use crate::task::Task;
use crate::task::state::Epoch;
use crate::wait::{Interrupt, Wake};
use crate::{freeze, join, runnable};

/// An auto-reset event reduced to what the protocol is about.
pub struct List(SpinLock<(bool, WaitList)>);

impl std::fmt::Debug for List {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("List")
    }
}

impl Default for List {
    fn default() -> Self {
        List::new()
    }
}

impl List {
    /// Nobody waits, nothing has happened.
    pub fn new() -> Self {
        List(SpinLock::new(For::Condvar, (false, WaitList::new())))
    }

    /// Ends the wait of whoever stands here first, or the next one to come.
    pub fn signal(&self) {
        let mut state = self.0.lock();
        let woken = state.1.claim_first();
        state.0 = woken.is_none();
        drop(state);
        if let Some(task) = woken {
            runnable::make_runnable(task);
        }
    }

    /// Takes back a signal that nobody has used.
    pub fn reset(&self) -> bool {
        std::mem::replace(&mut self.0.lock().0, false)
    }
}

impl Waiter {
    /// Waits for a signal. `touch` is called by whoever takes the wait back, and stands for what that one
    /// touches of the waiter's stack.
    pub fn wait_listed(self, list: &List, touch: impl Fn()) -> Wake {
        let publish = |task: &'static Task, arm: Arm| {
            let mut state = list.0.lock();
            if state.0 {
                state.0 = false;
                return None;
            }
            let epoch = arm.arm(task);
            state.1.push(&task.node, task, epoch, 0);
            Some(epoch)
        };
        let take_back = |task: &'static Task| {
            touch();
            list.0.lock().1.remove(&task.node)
        };
        let ended = self.wait_as_a_task(&publish, &take_back);
        ended.unwrap_or(Wake::Signalled)
    }

    /// Waits for the end of a task, as `join::wait_for_end` does it for one joiner without a time limit.
    pub fn join_listed(self, record: Record, touch: impl Fn()) -> Wake {
        let publish = |me: &'static Task, arm: Arm| join::publish::<true>(record.0, me, arm, true);
        let take_back = |me: &'static Task| {
            touch();
            join::step_back(record.0, me)
        };
        let ended = self.wait_as_a_task(&publish, &take_back);
        ended.unwrap_or(Wake::Signalled)
    }

    /// The same for one that does not stand in the table of waits. `false`: there was nothing to wait for, or it has to stand
    /// there first.
    pub fn join_unseen(self, record: Record) -> bool {
        let publish = |me: &'static Task, arm: Arm| join::publish::<false>(record.0, me, arm, true);
        let take_back = |me: &'static Task| join::step_back(record.0, me);
        self.wait_as_a_task(&publish, &take_back).is_some()
    }

    /// As `park::wait_listed` does it. `None`: it did not begin.
    fn wait_as_a_task<P, W>(self, publish: &P, take_back: &W) -> Option<Wake>
    where
        P: Fn(&'static Task, Arm) -> Option<Epoch>,
        W: Fn(&'static Task) -> bool,
    {
        let wait = Listed::new(publish, take_back, Interrupt::Alert);
        if wait.settle_here(None, self.0) == Settled::Parked {
            self.sleep();
        }
        let at_once = wait.immediate.get();
        freeze::pass(self.0, at_once);
        if at_once {
            return None;
        }
        let ended = self.ended();
        if ended == Wake::Alerted {
            self.0.lower(crate::task::flag::ALERT);
        }
        Some(ended)
    }
}
