//! Events: one task or thread tells others that something has happened.
#![forbid(unsafe_code)]

use std::fmt;
use std::time::Duration;

use crate::current;
use crate::park::{self, Limit};
use crate::primitive::leaning::Leaning;
use crate::runnable::{make_runnable, make_runnable_from};
use crate::suspend::Arm;
use crate::sync::wait_list::WaitList;
use crate::task::Task;
use crate::wait::{Heed, Interrupt, WaitReason, Wake};

struct State {
    set: bool,
    waiters: WaitList,
}

/// An event that lets one waiter through for each [`set`](AutoResetEvent::set), the longest waiting first.
///
/// Sets do not add up: an event that is set stays set until one waiter takes it.
pub struct AutoResetEvent {
    state: Leaning<State>,
}

impl AutoResetEvent {
    /// A new event, set or not.
    pub fn new(set: bool) -> Self {
        AutoResetEvent {
            state: Leaning::new(State {
                set,
                waiters: WaitList::new(),
            }),
        }
    }

    /// Lets the longest waiting one through, or the next that comes.
    #[inline]
    pub fn set(&self) {
        let here = current::thread();
        let woken = self.state.with(current::leans_as_of(here), |state| {
            // The twin that a model must catch: one that stands there may have given up.
            let kept = cfg!(feature = "bug_event_set") && !state.waiters.is_empty();
            let woken = state.waiters.claim_first();
            if woken.is_none() && !kept {
                state.set = true;
            }
            woken
        });
        if let Some(task) = woken {
            make_runnable_from(here, task);
        }
    }

    /// Takes back a set that nobody has used. Returns whether there was one.
    pub fn reset(&self) -> bool {
        std::mem::replace(&mut self.state.lock(current::leans_as()).set, false)
    }

    /// Waits for a set and takes it. Ends early if the task is alerted or cancelled, and says so.
    #[inline]
    pub fn wait(&self) -> Wake {
        park::check(self.wait_with(WaitReason::Event, Limit::Never, Interrupt::Alert))
    }

    /// The same with a time limit.
    #[inline]
    pub fn wait_for(&self, limit: Duration) -> Wake {
        park::check(self.wait_with(WaitReason::Event, Limit::After(limit), Interrupt::Alert))
    }

    /// The same for code that must not be unwound: see [`Heed`]. No limit: for ever.
    pub fn wait_heeding(&self, limit: Option<Duration>, heed: Heed) -> Wake {
        self.wait_with(
            WaitReason::Event,
            limit.map_or(Limit::Never, Limit::After),
            heed.interrupt(),
        )
    }

    /// The same without a limit, but a set that is there counts before anything that is heeded, and is taken without giving
    /// the thread away.
    #[inline]
    pub fn take_or_wait(&self, heed: Heed) -> Wake {
        let set = self.state.with(current::leans_as(), |state| {
            std::mem::replace(&mut state.set, false)
        });
        if set {
            return Wake::Signalled;
        }
        self.wait_with(WaitReason::Event, Limit::Never, heed.interrupt())
    }

    /// The same for somebody else's purpose.
    #[cfg(feature = "futures")]
    pub(crate) fn wait_as(&self, reason: WaitReason, allow: Interrupt) -> Wake {
        park::check(self.wait_with(reason, Limit::Never, allow))
    }

    #[inline(always)]
    fn wait_with(&self, reason: WaitReason, limit: Limit, allow: Interrupt) -> Wake {
        let publish = |task: &'static Task, arm: Arm| {
            self.state.with(arm.leans_as, move |state| {
                if state.set {
                    state.set = false;
                    return None;
                }
                let epoch = arm.arm(task);
                state.waiters.push(&task.node, task, epoch, 0);
                Some(epoch)
            })
        };
        let take_back = |task: &'static Task| {
            self.state
                .lock(current::leans_as())
                .waiters
                .remove(&task.node)
        };
        park::wait_listed(reason, limit, allow, publish, take_back).wake
    }
}

impl fmt::Debug for AutoResetEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AutoResetEvent").finish_non_exhaustive()
    }
}

/// An event that, while it is set, lets everybody through.
pub struct ManualResetEvent {
    state: Leaning<State>,
}

impl ManualResetEvent {
    /// A new event, set or not.
    pub fn new(set: bool) -> Self {
        ManualResetEvent {
            state: Leaning::new(State {
                set,
                waiters: WaitList::new(),
            }),
        }
    }

    /// Lets everybody through, those that wait and those that come until [`reset`](ManualResetEvent::reset).
    pub fn set(&self) {
        let mut state = self.state.lock(current::leans_as());
        let woken = state.waiters.claim_all();
        // The twin that a model must catch: whoever begins to wait in between is not let through.
        if cfg!(feature = "bug_event_late") {
            drop(state);
            state = self.state.lock(current::leans_as());
        }
        state.set = true;
        drop(state);
        woken.for_each(make_runnable);
    }

    /// From now on waiters wait. Returns whether it was set.
    pub fn reset(&self) -> bool {
        std::mem::replace(&mut self.state.lock(current::leans_as()).set, false)
    }

    /// Whether it is set at this moment.
    pub fn is_set(&self) -> bool {
        self.state.lock(current::leans_as()).set
    }

    /// Waits until it is set. Ends early if the task is alerted or cancelled, and says so.
    pub fn wait(&self) -> Wake {
        park::check(self.wait_limited(Limit::Never, Interrupt::Alert))
    }

    /// The same with a time limit.
    pub fn wait_for(&self, limit: Duration) -> Wake {
        park::check(self.wait_limited(Limit::After(limit), Interrupt::Alert))
    }

    /// The same for code that must not be unwound: see [`Heed`]. No limit: for ever.
    pub fn wait_heeding(&self, limit: Option<Duration>, heed: Heed) -> Wake {
        self.wait_limited(limit.map_or(Limit::Never, Limit::After), heed.interrupt())
    }

    fn wait_limited(&self, limit: Limit, allow: Interrupt) -> Wake {
        let publish = |task: &'static Task, arm: Arm| {
            let mut state = self.state.lock(arm.leans_as);
            if state.set {
                return None;
            }
            let epoch = arm.arm(task);
            state.waiters.push(&task.node, task, epoch, 0);
            Some(epoch)
        };
        let take_back = |task: &'static Task| {
            self.state
                .lock(current::leans_as())
                .waiters
                .remove(&task.node)
        };
        park::wait_listed(WaitReason::Event, limit, allow, publish, take_back).wake
    }
}

impl fmt::Debug for ManualResetEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManualResetEvent")
            .field("set", &self.is_set())
            .finish()
    }
}
