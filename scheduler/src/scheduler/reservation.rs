//! Threads that are kept for bound tasks: a reservation.
//!
//! A bound task waits while another task sleeps with its thread: in a callback, or since it owns the thread. Which thread a
//! task starts on is chance, so among threads for everybody no bound task is safe from that. On threads that only certain
//! tasks ever start on, it is.
//!
//! A reservation is a scheduler of its own beside its *principal*: slots, threads, queues, lists of sleepers and claimants,
//! a monitor. So nothing has to tell two kinds of threads apart where slots are looked for, stolen from, given up and
//! claimed, and each protocol holds in it as it is. What makes both of them one for whoever uses them:
//!
//! - *spawn*: a task goes to the reservation if its builder says so, and only then. What a reserved task spawns without
//!   saying so is an ordinary task of the principal; so the usual spawn finds that it is not usual there (`spawn.rs`).
//! - *admission*: one limit on live tasks, with one queue before it (`admission.rs`).
//! - *shutdown*: each of its steps is done for both before the next one begins, and whoever waits in it is called by
//!   either's last task (`shutdown.rs`).
//! - *deadlocks*: the thread on which a task has started is looked for in both.
//! - *figures*: they are sums.
//!
//! The principal owns the reservation; the other way there is a weak reference only, so that the end of the last handle is
//! the end of both.
//!
//! A reserved task may itself be called back, or own its thread, and then sleep with it. The slot goes to another thread of
//! the reservation as usual, so of all reserved tasks only those wait that have started on that very thread. It is counted.
#![forbid(unsafe_code)]

use std::io;
use std::sync::Arc;

use super::Core;
use crate::primitive::Ordering;
use crate::simulation;
use crate::stall::Stall;
use crate::stats::{LedgerFacts, StackClass};
use crate::task::Task;
use crate::thread::Thread;

impl Core {
    /// Starts the reservation of this scheduler. It is known before its threads run: an error leaves it to the shutdown.
    pub(super) fn start_reservation(self: &Arc<Core>) -> io::Result<()> {
        let reservation = Core::create(self.settings.of_reservation(), self.simulation, Some(self));
        simulation::note_start(&reservation);
        if let Some(handle) = self.handle.get() {
            let _ = reservation.handle.set(handle.clone());
        }
        let _ = self.reservation.set(Arc::clone(&reservation));
        reservation.start_threads()
    }

    /// The threads that are kept for bound tasks, if there are some.
    pub(super) fn reservation(&self) -> Option<&Core> {
        self.reservation.get().map(|reservation| &**reservation)
    }

    /// Whose reservation this is.
    pub(super) fn principal(&self) -> Option<Arc<Core>> {
        self.principal.upgrade()
    }

    /// This scheduler, and its reservation.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &Core> + Clone {
        std::iter::once(self).chain(self.reservation())
    }

    /// Who sleeps with the thread at this address, if it is one of this scheduler's, its reservation's or its principal's.
    pub(crate) fn sleeps_at(&self, thread: usize) -> Option<&'static Task> {
        let principal = self.principal();
        let whole = principal.as_deref().unwrap_or(self);
        let mut parts = whole.parts();
        parts
            .find_map(|part| part.thread_at(thread))
            .and_then(Thread::sleeps_with)
    }

    /// A task that owns its thread sleeps with it. Counted where others may have started on it.
    pub(crate) fn note_sleep_with(&self, task: &Task) {
        if !task.is_on_thread() {
            self.owner_sleeps.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How often that happened, for all threads and for those of the reservation.
    pub(crate) fn owner_sleeps(&self) -> (u64, u64) {
        let of = |part: &Core| part.owner_sleeps.load(Ordering::Relaxed);
        let reserved = self.reservation().map_or(0, of);
        (of(self) + reserved, reserved)
    }

    /// The newest reports of both, the oldest first.
    pub(crate) fn stalls(&self) -> Vec<Arc<Stall>> {
        let parts = self.parts();
        let mut stalls: Vec<_> = parts.flat_map(|part| part.reports.read()).collect();
        stalls.sort_by_key(|stall| stall.number());
        stalls
    }

    /// Whether what a report of either is about goes on.
    pub(crate) fn goes_on(&self, stall: &Stall) -> Option<bool> {
        self.parts().find_map(|part| stall.goes_on(part))
    }

    /// The ledgers of tasks of both that have ended.
    pub(crate) fn ledgers(&self) -> Vec<LedgerFacts> {
        let mut ledgers: Vec<_> = self.parts().flat_map(|part| part.history.read()).collect();
        ledgers.sort_by_key(|facts| facts.spawned + facts.elapsed);
        ledgers
    }

    /// The stacks of both by size.
    pub(super) fn stack_classes(&self) -> Vec<StackClass> {
        let mut classes = self.stacks.classes();
        let more = self
            .reservation()
            .map(|reservation| reservation.stacks.classes());
        for class in more.into_iter().flatten() {
            match classes.iter_mut().find(|known| known.size == class.size) {
                Some(known) => {
                    known.stacks += class.stacks;
                    known.used_max = known.used_max.max(class.used_max);
                }
                None => classes.push(class),
            }
        }
        classes
    }
}
