//! The kernel's part of `io/kernel.rs` in a model: it keeps what it is told until it is asked, and each thing it keeps goes
//! to one asker.

use std::io;
use std::sync::Arc;

#[cfg(loom)]
use loom::sync::{Condvar, Mutex};
#[cfg(shuttle)]
use shuttle::sync::{Condvar, Mutex};

use crate::io::readiness::Ready;
use crate::primitive::Instant;
use crate::primitive::sleeper::Place;

/// How long to wait for an answer. A model's poller has no time limit.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wait {
    Not,
    Until(Option<Instant>),
}

/// How many answers are taken at once: here always all.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Take {
    Few,
    Many,
}

pub(crate) struct Kernel {
    kept: Arc<Kept>,
    place: Place,
}

#[derive(Default)]
struct Kept {
    what: Mutex<What>,
    came: Condvar,
}

#[derive(Default)]
struct What {
    rung: bool,
    ready: Vec<(usize, Ready)>,
}

impl Kept {
    fn come(&self, what: impl FnOnce(&mut What)) {
        what(&mut self.what.lock().expect("nobody panics with it"));
        // All look, and the first one takes it. (loom may count among the waiters one that has left.)
        self.came.notify_all();
    }
}

impl Kernel {
    pub(crate) fn new() -> io::Result<Kernel> {
        let kept = Arc::new(Kept::default());
        let bell = Arc::clone(&kept);
        Ok(Kernel {
            kept,
            place: Place(Arc::new(move || bell.come(|what| what.rung = true))),
        })
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// A descriptor has become ready.
    pub(crate) fn tell(&self, token: usize, ready: Ready) {
        self.kept.come(|what| what.ready.push((token, ready)));
    }

    pub(crate) fn ask(
        &self,
        wait: Wait,
        _take: Take,
        answer: impl FnOnce(&mut dyn Iterator<Item = (usize, Ready)>),
    ) {
        let mut what = self.kept.what.lock().expect("nobody panics with it");
        if let Wait::Until(limit) = wait {
            assert!(limit.is_none(), "a model's poller has no time limit");
            while !what.rung && what.ready.is_empty() {
                what = self.kept.came.wait(what).expect("nobody panics with it");
            }
        }
        what.rung = false;
        let ready = std::mem::take(&mut what.ready);
        drop(what);
        if !ready.is_empty() {
            answer(&mut ready.into_iter());
        }
    }
}
