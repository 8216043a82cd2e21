//! A scheduler for somebody who looks on for as long as it lives, without keeping it alive: what a server of the operator's
//! tables, or an exporter of figures, is given by [`Builder::observed_by`](crate::Builder::observed_by).
//!
//! What such an observer makes is made last at the start and dropped last at the end, so a shutdown that does not come to an
//! end can still be looked at.
#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::dump::Dump;
use crate::primitive::Mutex;
use crate::scheduler::Core;
use crate::stall::Stall;
use crate::stats::{Histograms, LedgerFacts, Snapshot, StackClass, Stats};

/// What can be read of a scheduler without stopping anything. It does not keep the scheduler from shutting down, and may
/// be read on any thread, also when all workers are stuck. Cloning it is cheap.
#[derive(Clone)]
pub struct Observed {
    core: Arc<Core>,
}

impl Observed {
    pub(crate) fn new(core: &Arc<Core>) -> Observed {
        Observed {
            core: Arc::clone(core),
        }
    }

    /// Whether this is that scheduler.
    pub fn is_of(&self, scheduler: &crate::Scheduler) -> bool {
        std::ptr::eq(&*self.core, scheduler.core())
    }

    /// As [`Scheduler::name`](crate::Scheduler::name).
    pub fn name(&self) -> &str {
        self.core.name()
    }

    /// As [`Scheduler::stats`](crate::Scheduler::stats).
    pub fn stats(&self) -> Stats {
        Stats::of(&self.core)
    }

    /// As [`Scheduler::snapshot`](crate::Scheduler::snapshot).
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.core)
    }

    /// As [`Scheduler::histograms`](crate::Scheduler::histograms).
    pub fn histograms(&self) -> Histograms {
        Histograms::of(&self.core)
    }

    /// As [`Scheduler::stalls`](crate::Scheduler::stalls).
    pub fn stalls(&self) -> Vec<Arc<Stall>> {
        self.core.stalls()
    }

    /// As [`Scheduler::goes_on`](crate::Scheduler::goes_on).
    pub fn goes_on(&self, stall: &Stall) -> Option<bool> {
        self.core.goes_on(stall)
    }

    /// As [`Scheduler::dump`](crate::Scheduler::dump).
    pub fn dump(&self) -> Dump {
        Dump::of(&self.core)
    }

    /// As [`Scheduler::ledgers`](crate::Scheduler::ledgers).
    pub fn ledgers(&self) -> Vec<LedgerFacts> {
        self.core.ledgers()
    }

    /// As [`Scheduler::stack_classes`](crate::Scheduler::stack_classes).
    pub fn stack_classes(&self) -> Vec<StackClass> {
        self.core.stacks.classes()
    }
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

/// What an observer has made; it is told of the end by being dropped.
type Made = Box<dyn Send + Sync>;

/// Makes an observer at the start.
#[derive(Clone)]
pub(crate) struct Make(pub(crate) Arc<dyn Fn(Observed) -> io::Result<Made> + Send + Sync>);

impl fmt::Debug for Make {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Make(..)")
    }
}

/// The observers of a scheduler, from its start to its end.
pub(crate) struct Observers {
    made: Mutex<Vec<Made>>,
}

impl Observers {
    pub(crate) fn new() -> Observers {
        Observers {
            made: Mutex::new(Vec::new()),
        }
    }

    /// The first error ends it; those made before stay until [`end`](Observers::end).
    pub(crate) fn start(&self, core: &Arc<Core>, makers: &[Make]) -> io::Result<()> {
        for Make(make) in makers {
            let made = make(Observed::new(core))?;
            self.made.lock().push(made);
        }
        Ok(())
    }

    /// The last come first. Under the lock, so that whoever calls this has them gone when it returns.
    pub(crate) fn end(&self) {
        let mut made = self.made.lock();
        while let Some(last) = made.pop() {
            drop(last);
        }
    }
}
