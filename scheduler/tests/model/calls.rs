//! How often a thread has called its targets, read while it calls them.

use std::sync::Arc;

use fiberhost_scheduler::model::Called;

use super::explore::{Bounds, explore, thread};

/// What is read of a target never falls, whatever is called in between, and is never more than there is.
#[test]
fn what_is_read_never_falls() {
    explore(Bounds::protocol(5_000).preemptions(3), || {
        let called = Arc::new(Called::new());
        let reader = {
            let called = Arc::clone(&called);
            thread::spawn(move || {
                let mut last = [0; 2];
                for _ in 0..2 {
                    let [one, other] = called.look();
                    assert!(one <= 3 && other <= 1, "more than there were");
                    assert!(one >= last[0] && other >= last[1], "it falls");
                    last = [one, other];
                }
            })
        };
        called.turn_to(1);
        called.again();
        called.turn_to(2);
        called.turn_to(1);
        reader.join().unwrap();
        assert_eq!(called.look(), [3, 1]);
    });
}
