//! The hosting interfaces, called through their tables as a runtime calls them.

#[path = "../../../examples/probe/tables.rs"]
mod tables;

use std::sync::Arc;
use std::time::Instant;

use fiberhost_scheduler::{Scheduler, spawn};

use super::super::case::CHAIN_DEPTH;
use super::super::contender::Measured;
use super::super::witness;
use super::join;
use tables::Tables;

/// A host's tables.
#[derive(Clone)]
pub(super) struct Hosted(Tables);

impl Hosted {
    pub(super) fn on(scheduler: &Scheduler) -> Hosted {
        Hosted(Tables::on(scheduler))
    }

    pub(super) fn hook_pairs(&self, pairs: u64) -> Measured {
        timed(pairs, || {
            for pair in 0..pairs {
                self.0.leave(0x1000 + pair as usize % 8 * 16);
                self.0.enter();
            }
        })
    }

    /// Managed code calls unmanaged code that calls back, and so on; then all of them return. One operation is one level:
    /// four hooks.
    pub(super) fn hook_chains(&self, chains: u64) -> Measured {
        timed(chains * CHAIN_DEPTH, || {
            for _ in 0..chains {
                for level in 0..CHAIN_DEPTH {
                    self.0.leave(0x1000 + level as usize * 16);
                    self.0.call();
                }
                for _ in 0..CHAIN_DEPTH {
                    self.0.end_call();
                    self.0.enter();
                }
            }
        })
    }

    pub(super) fn current_tasks(&self, answers: u64) -> Measured {
        timed(answers, || {
            for _ in 0..answers {
                self.0.current_task();
            }
        })
    }

    pub(super) fn sections(&self, pairs: u64) -> Measured {
        let section = self.0.section();
        timed(pairs, || {
            for _ in 0..pairs {
                section.enter();
                section.leave();
            }
        })
    }

    /// The ping-pong, with events of the host and tasks that the runtime knows.
    pub(super) fn events(&self, trips: u64) -> Measured {
        let (ping, pong) = (Arc::new(self.0.event()), Arc::new(self.0.event()));
        let partner = {
            let (ping, pong, tables) = (Arc::clone(&ping), Arc::clone(&pong), self.0.clone());
            spawn(move || {
                let _noted = witness::task();
                tables.current_task();
                for _ in 0..=trips {
                    ping.wait();
                    pong.set();
                }
            })
        };
        let _noted = witness::task();
        self.0.current_task();
        // One trip before the clock starts: the partner is then known to be there.
        ping.set();
        pong.wait();
        let start = Instant::now();
        for _ in 0..trips {
            ping.set();
            pong.wait();
        }
        let took = start.elapsed();
        join(partner);
        Measured::each(took, trips)
    }
}

fn timed(operations: u64, work: impl FnOnce()) -> Measured {
    let _noted = witness::task();
    let start = Instant::now();
    work();
    Measured::each(start.elapsed(), operations)
}
