//! A task's ledger, read while it changes.
//!
//! The writer is the model's first thread: it reads each word before it writes it, and behind that loom looks for no race with
//! what others have read before. Behind a read it does look for those who have written.

use std::sync::Arc;

use fiberhost_scheduler::model::{Booking, Ledger};

use super::explore::{Bounds, explore, thread};

/// When a look takes place: later than all that is booked.
const NOW: u64 = 1_000;

/// A look whose version was the same before and after has parts that add up to the time that the task has lived: it has taken
/// nothing of a change, or all of it. And one that meets nobody is such a look.
#[test]
fn a_look_takes_each_change_whole() {
    explore(Bounds::protocol(10_000).preemptions(2), || {
        let ledger = Arc::new(Ledger::new());
        let reader = {
            let ledger = Arc::clone(&ledger);
            thread::spawn(move || {
                if let Some(look) = ledger.look(NOW) {
                    assert_eq!(look.total, look.elapsed, "half of a change");
                    assert_eq!(look.elapsed, NOW, "it lives");
                }
            })
        };
        ledger.turn_to(Booking::Running, 10);
        ledger.turn_to(Booking::Waiting, 300);
        reader.join().unwrap();
        let look = ledger.look(NOW).expect("nothing changes");
        assert_eq!((look.total, look.elapsed), (NOW, NOW));
    });
}

/// The same around the end of the task, which hands its ledger on before.
#[test]
fn a_look_at_one_that_ends_is_of_its_life_or_of_its_end() {
    explore(Bounds::protocol(2_000).preemptions(2), || {
        let ledger = Arc::new(Ledger::new());
        ledger.turn_to(Booking::Running, 10);
        let reader = {
            let ledger = Arc::clone(&ledger);
            thread::spawn(move || {
                if let Some(look) = ledger.look(NOW) {
                    assert_eq!(look.total, look.elapsed, "half of a change");
                    let elapsed = if look.is_ended { 300 } else { NOW };
                    assert_eq!(look.elapsed, elapsed);
                }
            })
        };
        ledger.turn_to(Booking::Running, 300);
        ledger.close();
        reader.join().unwrap();
        let look = ledger.look(NOW).expect("nothing changes");
        assert!(look.is_ended);
        assert_eq!((look.total, look.elapsed), (300, 300));
    });
}
