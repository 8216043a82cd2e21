//! Whether calls are still let in, and how many objects are out.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::Hresult;

const OPEN: u8 = 0;
const SHUT: u8 = 1;
const FAILED: u8 = 2;

/// The gate of one host, shared by all its objects.
///
/// Gates live as long as the process: a call may return after the last release of its object, and still look here.
#[derive(Debug, Default)]
pub struct Gate {
    state: AtomicU8,
    objects: AtomicUsize,
}

impl Gate {
    /// A gate that is open.
    #[allow(
        clippy::new_without_default,
        reason = "it is never freed, which a default would hide"
    )]
    pub fn new() -> &'static Gate {
        static GATES: Mutex<Vec<&Gate>> = Mutex::new(Vec::new());
        let gate: &'static Gate = Box::leak(Box::default());
        // Still referred to, for those who look for memory that was forgotten.
        GATES.lock().push(gate);
        gate
    }

    /// Whether calls are let in.
    ///
    /// # Errors
    /// `HOST_E_CLRNOTAVAILABLE` after a shutdown or a failure.
    #[inline]
    pub fn check(&self) -> Result<(), Hresult> {
        // Acquire: pairs with the releases below. What was torn down before is seen to be.
        match self.state.load(Ordering::Acquire) {
            OPEN => Ok(()),
            _ => Err(Hresult::HOST_E_CLRNOTAVAILABLE),
        }
    }

    /// The host was shut down.
    pub fn shut(&self) {
        let _ = self
            .state
            .compare_exchange(OPEN, SHUT, Ordering::Release, Ordering::Relaxed);
    }

    /// Something went wrong that nobody can repair: the latch falls, for good.
    pub fn fail(&self) {
        self.state.store(FAILED, Ordering::Release);
    }

    /// Whether the latch has fallen.
    pub fn has_failed(&self) -> bool {
        self.state.load(Ordering::Acquire) == FAILED
    }

    /// How many objects behind this gate somebody still refers to.
    pub fn objects(&self) -> usize {
        self.objects.load(Ordering::Acquire)
    }

    pub(super) fn add_object(&self) {
        // Relaxed: a number for tests and reports.
        self.objects.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn remove_object(&self) {
        // Release: pairs with the Acquire in `objects`, whose reader may conclude that the object is gone.
        self.objects.fetch_sub(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_not_hidden_by_a_shutdown() {
        let gate = Gate::new();
        assert_eq!(gate.check(), Ok(()));
        gate.shut();
        assert_eq!(gate.check(), Err(Hresult::HOST_E_CLRNOTAVAILABLE));
        assert!(!gate.has_failed());
        gate.fail();
        gate.shut();
        assert!(gate.has_failed());
        assert_eq!(gate.check(), Err(Hresult::HOST_E_CLRNOTAVAILABLE));
    }
}
