//! `IHostGCManager`: what the runtime says of its collections, kept for whoever schedules by it.
//!
//! None of the three may block or fail. They are counted, and who suspends is urgent for as long as it does: everybody waits
//! for it.
#![forbid(unsafe_code)]

use std::sync::Arc;

use fiberhost_scheduler::{TaskRef, Urgent, current};
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
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    figures: GcFigures,
    urgent: Option<Urgent>,
}

impl Gc {
    pub(crate) fn new() -> Arc<Gc> {
        Arc::default()
    }

    pub(crate) fn figures(&self) -> GcFigures {
        self.state.lock().figures.clone()
    }
}

impl IHostGCManager for Gc {
    fn thread_is_blocking_for_suspension(&self) -> Result<(), Hresult> {
        self.state.lock().figures.blocked += 1;
        Ok(())
    }

    fn suspension_starting(&self) -> Result<(), Hresult> {
        let caller = current();
        let urgent = caller.urge();
        let mut state = self.state.lock();
        state.figures.suspensions += 1;
        let before = (
            state.figures.suspender.replace(caller),
            std::mem::replace(&mut state.urgent, urgent),
        );
        drop(state);
        drop(before);
        Ok(())
    }

    fn suspension_ending(&self, generation: u32) -> Result<(), Hresult> {
        let mut state = self.state.lock();
        let figures = &mut state.figures;
        if generation == SUSPENSION_ENDING_NOT_A_GC {
            figures.other_ends += 1;
        } else {
            figures.collections += 1;
            figures.last_generation = Some(generation);
        }
        let before = (figures.suspender.take(), state.urgent.take());
        drop(state);
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
        assert!(current().is_urgent());
        gc.thread_is_blocking_for_suspension().unwrap();
        gc.suspension_ending(1).unwrap();
        gc.suspension_starting().unwrap();
        gc.suspension_ending(SUSPENSION_ENDING_NOT_A_GC).unwrap();
        let figures = gc.figures();
        assert!(!current().is_urgent());
        assert_eq!(figures.suspender, None);
        assert_eq!(
            (figures.suspensions, figures.collections, figures.other_ends),
            (2, 1, 1)
        );
        assert_eq!((figures.last_generation, figures.blocked), (Some(1), 1));
    }
}
