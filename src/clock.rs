//! The time: a simulation's, where the caller is in one, and the system's elsewhere.
#![forbid(unsafe_code)]

use fiberhost_scheduler::Scheduler;

#[cfg(feature = "simulate")]
pub(crate) use fiberhost_scheduler::simulate::now;

#[cfg(not(feature = "simulate"))]
pub(crate) fn now() -> std::time::Instant {
    std::time::Instant::now()
}

/// Whether the tasks of this scheduler run in a simulation: a thread of the system's that were to look after them would not be
/// in it.
pub(crate) fn is_simulated(scheduler: &Scheduler) -> bool {
    #[cfg(feature = "simulate")]
    return scheduler.is_simulated();
    #[cfg(not(feature = "simulate"))]
    {
        let _ = scheduler;
        false
    }
}
