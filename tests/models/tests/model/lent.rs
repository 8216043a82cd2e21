//! Memory that is lent: the task goes on when all of it is back, and sees what was written to it.

use std::sync::Arc;

use fiberhost::model::Lent;
use fiberhost_scheduler::model::Plain;

use super::explore::{Bounds, explore, thread};

/// What the kernel has written is there when the wait is over.
#[test]
fn what_was_written_is_there_at_the_end_of_the_wait() {
    explore(Bounds::protocol(20), || {
        let memory = Arc::new((Lent::default(), Plain::new(0)));
        memory.0.lend();
        let kernel = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || {
                memory.1.set(7);
                memory.0.give_back();
            })
        };
        memory.0.wait();
        assert_eq!(memory.1.get(), 7);
        kernel.join().unwrap();
    });
}

/// Of two who give back, the last one ends the wait.
#[test]
fn the_last_one_back_ends_the_wait() {
    explore(Bounds::protocol(200), || {
        let memory = Arc::new((Lent::default(), [Plain::new(0), Plain::new(0)]));
        let kernels = [0, 1].map(|at: usize| {
            memory.0.lend();
            let memory = Arc::clone(&memory);
            thread::spawn(move || {
                memory.1[at].set(1);
                memory.0.give_back();
            })
        });
        memory.0.wait();
        assert_eq!(memory.1[0].get() + memory.1[1].get(), 2);
        for kernel in kernels {
            kernel.join().unwrap();
        }
    });
}
