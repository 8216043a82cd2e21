//! The two counts that keep a task on its thread: *stay* and *own*.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ThreadId};
use std::time::Duration;

use fiberhost::scheduler::sync::{AutoResetEvent, ManualResetEvent};
use fiberhost::scheduler::{
    Scheduler, TaskBuilder, Wake, native, park_for, sleep, spawn, yield_now,
};

/// Asked of std on a stack frame of its own, so that nothing is kept across a switch.
#[inline(never)]
fn here() -> ThreadId {
    thread::current().id()
}

fn migrating() -> Scheduler {
    Scheduler::builder()
        .workers(4)
        .check_invariants(true)
        .force_migration(true)
        .build()
        .expect("the system has threads")
}

/// Yields until the task has changed its thread.
fn until_moved() {
    let before = here();
    while here() == before {
        yield_now();
    }
}

#[test]
fn a_mobile_task_does_not_move_while_it_stays() {
    let scheduler = migrating();
    scheduler.run(|| {
        let stayers: Vec<_> = (0..8)
            .map(|_| {
                // SAFETY: nothing of the thread lies on the stack at a suspension but the guard, which keeps the thread.
                let spawned = unsafe {
                    TaskBuilder::new().spawn_mobile(|| {
                        for _ in 0..20 {
                            until_moved();
                            let outer = native::stay();
                            let inner = native::stay();
                            let home = here();
                            for _ in 0..20 {
                                yield_now();
                                assert_eq!(here(), home, "it moved while it stayed");
                            }
                            drop(inner);
                            assert_eq!(park_for(Duration::from_micros(50)), Wake::TimedOut);
                            assert_eq!(here(), home, "guards nest");
                            drop(outer);
                        }
                    })
                };
                spawned.expect("memory for a task")
            })
            .collect();
        for stayer in stayers {
            stayer
                .join()
                .expect("nobody moved who stayed, and everybody else could");
        }
    });
}

#[test]
fn nobody_else_runs_on_the_thread_of_a_task_that_owns_it() {
    let scheduler = Scheduler::builder()
        .workers(1)
        .check_invariants(true)
        .build()
        .expect("one thread");
    let blocked = Arc::new(ManualResetEvent::new(false));
    let release = Arc::new(AutoResetEvent::new(false));
    let neighbour_ran = Arc::new(AtomicUsize::new(0));
    let owner = {
        let (blocked, release, neighbour_ran) = (
            Arc::clone(&blocked),
            Arc::clone(&release),
            Arc::clone(&neighbour_ran),
        );
        scheduler.spawn(move || {
            let ran = Arc::clone(&neighbour_ran);
            // Started and bound to this thread, the only one.
            let neighbour = spawn(move || {
                loop {
                    if ran.fetch_add(1, Ordering::Relaxed) > 1_000_000_000
                        || sleep(Duration::ZERO) == Wake::Aborted
                    {
                        return;
                    }
                }
            });
            while neighbour_ran.load(Ordering::Relaxed) < 10 {
                yield_now();
            }
            let own = native::own();
            let before = neighbour_ran.load(Ordering::Relaxed);
            for _ in 0..100 {
                yield_now();
            }
            assert_eq!(sleep(Duration::from_millis(1)), Wake::TimedOut);
            blocked.set();
            assert_eq!(release.wait(), Wake::Signalled);
            assert_eq!(
                neighbour_ran.load(Ordering::Relaxed),
                before,
                "somebody ran on an owned thread"
            );
            drop(own);
            while neighbour_ran.load(Ordering::Relaxed) < before + 10 {
                yield_now();
            }
            neighbour.abort();
            assert!(neighbour.join().expect_err("it was aborted").is_cancelled());
        })
    };
    // From a plain thread: the wait of an owner can be ended like any other.
    assert_eq!(blocked.wait(), Wake::Signalled);
    release.set();
    owner.join().expect("the owner saw nobody else");
}

#[test]
fn on_a_plain_thread_the_guards_do_nothing() {
    let _stay = native::stay();
    let _own = native::own();
    assert_eq!(AutoResetEvent::new(true).wait(), Wake::Signalled);
}
