//! A transfer that is given to the engine and cancelled at once.

use std::sync::Arc;

use fiberhost::model::Cancel;

use super::explore::{Bounds, explore, thread};

#[cfg(loom)]
use loom::sync::atomic::{AtomicU32, Ordering};
#[cfg(shuttle)]
use shuttle::sync::atomic::{AtomicU32, Ordering};

/// The engine is told of the cancellation, by one of the two at least.
#[test]
fn a_cancellation_is_told_to_the_engine() {
    explore(Bounds::protocol(5), || {
        let shared = Arc::new((Cancel::default(), AtomicU32::new(0)));
        let canceller = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let (cancel, told) = &*shared;
                cancel.mark();
                if cancel.name() == Some(5) {
                    told.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        let (cancel, told) = &*shared;
        cancel.note_name(5);
        if cancel.is_marked() {
            told.fetch_add(1, Ordering::Relaxed);
        }
        canceller.join().unwrap();
        assert!(
            told.load(Ordering::Relaxed) > 0,
            "neither has seen the other"
        );
    });
}
