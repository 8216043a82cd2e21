//! `IHostGCManager`: what the runtime says of its collections, kept for whoever schedules by it.
//!
//! None of the three may block or fail. They are counted, and who suspends is remembered for as long as it does.
#![forbid(unsafe_code)]

use std::sync::Arc;

use fiberhost_scheduler::{TaskRef, current};
use parking_lot::Mutex;

use crate::com::host::IHostGCManager;
use crate::com::{Hresult, SUSPENSION_ENDING_NOT_A_GC};

/// What has been said so far.
#[derive(Clone, Debug, Default)]
pub struct GcFigures {
    /// Suspensions that have begun.
    pub suspensions: u64,
    /// Those that have ended after a collection.
    pub collections: u64,
    /// Those that have ended without one: for a debugger, or for the unloading of a domain.
    pub other_ends: u64,
    /// The generation of the last collection.
    pub last_generation: Option<u32>,
    /// How often a thread was about to wait for the end of a collection.
    pub blocked: u64,
    /// Who suspends the others at this moment: a task, or a thread that is none. It is to be held up by nobody.
    pub suspender: Option<TaskRef>,
}

#[derive(Debug, Default)]
pub(crate) struct Gc {
    figures: Mutex<GcFigures>,
}

impl Gc {
    pub(crate) fn new() -> Arc<Gc> {
        Arc::default()
    }

    pub(crate) fn figures(&self) -> GcFigures {
        self.figures.lock().clone()
    }
}

impl IHostGCManager for Gc {
    fn thread_is_blocking_for_suspension(&self) -> Result<(), Hresult> {
        self.figures.lock().blocked += 1;
        Ok(())
    }

    fn suspension_starting(&self) -> Result<(), Hresult> {
        let caller = current();
        let mut figures = self.figures.lock();
        figures.suspensions += 1;
        let before = figures.suspender.replace(caller);
        drop(figures);
        drop(before);
        Ok(())
    }

    fn suspension_ending(&self, generation: u32) -> Result<(), Hresult> {
        let mut figures = self.figures.lock();
        if generation == SUSPENSION_ENDING_NOT_A_GC {
            figures.other_ends += 1;
        } else {
            figures.collections += 1;
            figures.last_generation = Some(generation);
        }
        let before = figures.suspender.take();
        drop(figures);
        drop(before);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_suspends_is_known_while_it_does() {
        let gc = Gc::new();
        gc.suspension_starting().unwrap();
        assert_eq!(gc.figures().suspender, Some(current()));
        gc.thread_is_blocking_for_suspension().unwrap();
        gc.suspension_ending(1).unwrap();
        gc.suspension_starting().unwrap();
        gc.suspension_ending(SUSPENSION_ENDING_NOT_A_GC).unwrap();
        let figures = gc.figures();
        assert_eq!(figures.suspender, None);
        assert_eq!(
            (figures.suspensions, figures.collections, figures.other_ends),
            (2, 1, 1)
        );
        assert_eq!((figures.last_generation, figures.blocked), (Some(1), 1));
    }
}
