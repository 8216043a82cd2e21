//! Waits that block an OS thread, and the shutdown that ends them.
//!
//! A task that waits gives its thread away and is woken by its scheduler when that ends. A wait in unmanaged code blocks
//! the thread instead, as does one of an adopted thread: the scheduler cannot see those, so the host wakes the threads.
//! Who waits enters its thread before it looks whether the host ends for the last time; the shutdown says that it does before
//! it looks whom to wake. Both under one lock: so either the end is seen, or the thread is.
#![forbid(unsafe_code)]

use fiberhost_scheduler::{TaskRef, ThreadAlerts};

use crate::primitive::Mutex;

#[derive(Debug)]
pub(crate) struct Blocked {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    ending: bool,
    threads: Vec<TaskRef>,
}

/// A thread that is woken when the host ends, until this is dropped.
pub(crate) struct Entered<'a> {
    blocked: &'a Blocked,
    thread: TaskRef,
}

impl Blocked {
    pub(crate) fn new() -> Blocked {
        Blocked {
            state: Mutex::new(State::default()),
        }
    }

    /// The calling thread is about to block. `None`: the host has ended.
    pub(crate) fn enter(&self, thread: &ThreadAlerts) -> Option<Entered<'_>> {
        let thread = thread.thread().clone();
        let mut state = self.state.lock();
        if state.ending {
            return None;
        }
        // The twin that a model must catch: the host ends in between, and nobody is woken.
        if cfg!(feature = "bug_blocked_enter") {
            drop(state);
            state = self.state.lock();
        }
        state.threads.push(thread.clone());
        Some(Entered {
            blocked: self,
            thread,
        })
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.state.lock().ending
    }

    /// From now on nobody blocks, and who does is woken.
    pub(crate) fn end(&self) {
        let threads = {
            let mut state = self.state.lock();
            state.ending = true;
            state.threads.clone()
        };
        for thread in threads {
            thread.alert();
        }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let mut state = self.blocked.state.lock();
        let at = state.threads.iter().position(|one| *one == self.thread);
        let thread = at.map(|at| state.threads.swap_remove(at));
        drop(state);
        drop(thread);
    }
}
