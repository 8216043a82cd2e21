//! The lock of a critical section, which its owner may enter again: in one place, for the functions of the sections' table
//! (`quick`) and for the section itself.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};

use fiberhost_scheduler::sync::RawMutex;

use super::hresult::Hresult;

/// A fair lock that its owner may enter again.
#[derive(Debug)]
pub struct Recursive {
    lock: RawMutex,
    /// How often the owner has entered once more. Only the owner touches it.
    again: AtomicU64,
}

impl Recursive {
    pub(crate) fn new() -> Recursive {
        Recursive {
            lock: RawMutex::new_fair(),
            again: AtomicU64::new(0),
        }
    }

    /// What is below, for who waits.
    pub(crate) fn raw(&self) -> &RawMutex {
        &self.lock
    }

    /// Enters if it is free and nobody waits for it.
    #[inline(always)]
    pub(crate) fn enter_idle(&self) -> bool {
        self.lock.try_lock_idle()
    }

    /// Leaves if it is the caller's, entered once, and nobody waits for it.
    #[inline(always)]
    pub(crate) fn leave_idle(&self) -> bool {
        // Relaxed: only the owner has written it. Who is not the owner is refused, whatever it reads.
        self.again.load(Ordering::Relaxed) == 0 && self.lock.try_unlock_idle()
    }

    /// Enters if it is free or the caller's.
    pub(crate) fn try_enter(&self) -> bool {
        if self.lock.try_lock() {
            return true;
        }
        if !self.lock.is_mine() {
            return false;
        }
        // Relaxed: only the owner is here.
        self.again.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// Gives back what one enter took.
    ///
    /// # Errors
    /// `HOST_E_NOT_OWNER`, and nothing was changed.
    #[cold]
    #[inline(never)]
    pub(crate) fn leave(&self) -> Result<(), Hresult> {
        if !self.lock.is_mine() {
            return Err(Hresult::HOST_E_NOT_OWNER);
        }
        // Relaxed: as above.
        match self.again.load(Ordering::Relaxed) {
            0 => self.lock.unlock().map_err(|_| Hresult::HOST_E_NOT_OWNER),
            again => {
                self.again.store(again - 1, Ordering::Relaxed);
                Ok(())
            }
        }
    }
}
