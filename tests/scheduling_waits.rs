//! A task whose waits always end at once does not keep the others from running.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::at_workers;
use fiberhost::scheduler::sync::AutoResetEvent;
use fiberhost::scheduler::{Wake, spawn, yield_now};

#[test]
fn waits_that_end_at_once_let_others_run() {
    at_workers(|scheduler| {
        scheduler.run(|| {
            let over = Arc::new(AtomicBool::new(false));
            let busy = {
                let over = Arc::clone(&over);
                spawn(move || {
                    let event = AutoResetEvent::new(false);
                    while !over.load(Ordering::Relaxed) {
                        event.set();
                        assert_eq!(event.wait(), Wake::Signalled);
                    }
                })
            };
            // The other one has started, on this thread or another, and this task runs all the same.
            for _ in 0..1_000 {
                yield_now();
            }
            over.store(true, Ordering::Relaxed);
            busy.join().expect("it only waits");
        });
    });
}
