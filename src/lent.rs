//! Memory of a task that somebody else still uses: the task does not end before it is given back.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(feature = "net"),
    allow(dead_code, reason = "without transfers nothing needs it")
)]

use fiberhost_scheduler::Heed;
use fiberhost_scheduler::sync::ManualResetEvent;

use crate::primitive::{AtomicU32, Ordering};

/// How often it is lent. Only the task itself lends; anybody gives back.
#[derive(Debug)]
pub(crate) struct Lent {
    count: AtomicU32,
    /// Set by whoever gives back the last one; reset by the task before it looks.
    returned: ManualResetEvent,
}

impl Lent {
    pub(crate) fn new() -> Lent {
        Lent {
            count: AtomicU32::new(0),
            returned: ManualResetEvent::new(false),
        }
    }

    pub(crate) fn lend(&self) {
        // Relaxed: who gives it back has it from the task.
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn give_back(&self) {
        // Release: pairs with the acquire below. What was written to the memory is there.
        let order = if cfg!(feature = "bug_lent_release") {
            Ordering::Relaxed
        } else {
            Ordering::Release
        };
        if self.count.fetch_sub(1, order) == 1 {
            self.returned.set();
        }
    }

    pub(crate) fn is_any(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }

    /// The task waits, whatever else happens. It lends nothing any more.
    pub(crate) fn wait(&self) {
        loop {
            let late = cfg!(feature = "bug_lent_reset");
            if !late {
                self.returned.reset();
            }
            // Whoever gives back the last one after this look sets the event after the reset.
            if !self.is_any() {
                return;
            }
            if late {
                self.returned.reset();
            }
            self.returned.wait_heeding(None, Heed::Nothing);
        }
    }
}
