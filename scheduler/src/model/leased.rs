//! Slots that are taken from threads which are out (`lease.rs`, `claim.rs`): the lease alone, and what the monitor does.

use crate::lease;
use crate::scheduler::Scheduler;

/// A thread's lease on its slot.
pub struct Lease(lease::Lease);

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lease")
    }
}

impl Default for Lease {
    fn default() -> Self {
        Lease::new()
    }
}

impl Lease {
    /// The thread is in, and nobody asks.
    pub fn new() -> Self {
        Lease(lease::Lease::new())
    }

    /// Step L. Owner only.
    pub fn leave(&self) {
        self.0.leave();
    }

    /// Steps E1 and E2. `false`: the slot is gone. Owner only.
    #[must_use]
    pub fn enter(&self) -> bool {
        self.0.enter()
    }

    /// Step R. Owner only.
    pub fn renew(&self) {
        self.0.renew();
    }

    /// Whether the thread is out.
    pub fn is_out(&self) -> bool {
        self.0.out().is_some()
    }

    /// Step T1. Under the takers' lock, like the rest.
    #[must_use]
    pub fn ask(&self) -> bool {
        self.0.ask()
    }

    /// Steps T2, behind the barrier, and T3.
    #[must_use]
    pub fn take_asked(&self) -> bool {
        self.0.take_asked()
    }

    /// The taker does without.
    pub fn withdraw(&self) {
        self.0.withdraw();
    }

    /// The owner gives its slot away.
    pub fn give(&self) {
        self.0.give();
    }
}

/// The monitor's tick: asks every driver for its slot, and takes those of the drivers that are out.
pub fn take_lasting(scheduler: &Scheduler) {
    scheduler.core().forever().take_lasting(|_| true);
}

/// Slots that rest.
pub fn at_rest(scheduler: &Scheduler) -> usize {
    let slots = scheduler.core().slots.iter();
    slots.filter(|slot| slot.rests()).count()
}

/// Threads that stand by.
pub fn spares(scheduler: &Scheduler) -> usize {
    scheduler.core().idle.spares() as usize
}
