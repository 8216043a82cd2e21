//! Waits that stand in a list (`freeze.rs`), without the switch: the calling thread is its own worker.

use super::Waiter;
use crate::primitive::SpinLock;
use crate::suspend::{Arm, Listed, Settled};
use crate::sync::wait_list::WaitList;
use crate::task::Task;
use crate::wait::{Interrupt, Wake};
use crate::{freeze, worker};

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
        List(SpinLock::new((false, WaitList::new())))
    }

    /// Ends the wait of whoever stands here first, or the next one to come.
    pub fn signal(&self) {
        let mut state = self.0.lock();
        let woken = state.1.claim_first();
        state.0 = woken.is_none();
        drop(state);
        if let Some(task) = woken {
            worker::make_runnable(task);
        }
    }

    /// Takes back a signal that nobody has used.
    pub fn reset(&self) -> bool {
        std::mem::replace(&mut self.0.lock().0, false)
    }
}

impl Waiter {
    /// As `park::wait_listed` does it. `touch` is called by whoever takes the wait back, and stands for what that one
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
        let wait = Listed::new(&publish, &take_back, Interrupt::Alert);
        match wait.settle_here(self.0) {
            Settled::Again if wait.immediate.get() => return Wake::Signalled,
            Settled::Again => {}
            Settled::Parked => self.sleep(),
        }
        freeze::pass(self.0);
        let ended = self.ended();
        if ended == Wake::Alerted {
            self.0.lower(crate::task::flag::ALERT);
        }
        ended
    }
}
