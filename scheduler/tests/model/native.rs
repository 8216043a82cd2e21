//! Native sections, callbacks and tasks that own their threads, on the whole scheduler.
//!
//! A model has no monitor: its part is done by a thread that calls [`take_lasting`].

use std::sync::Arc;
use std::time::Duration;

use fiberhost_scheduler::model::{Sleeper, spares, take_lasting};
use fiberhost_scheduler::native::{self, Target};
use fiberhost_scheduler::sync::AutoResetEvent;
use fiberhost_scheduler::{Backing, JoinError, Scheduler, Wake, blocking, spawn, yield_now};

use super::explore::{Bounds, explore, thread, unexplored};
use super::whole::end;

static CALL: Target = Target::new("a call");

/// Workers and threads that stand by, all asleep.
fn sleeping(workers: usize, threads: usize) -> Scheduler {
    unexplored(|| {
        let scheduler = build(workers, threads);
        let standing_by = usize::from(threads > workers);
        while scheduler.stats().idle_workers < workers || spares(&scheduler) < standing_by {
            thread::yield_now();
        }
        scheduler
    })
}

fn build(workers: usize, threads: usize) -> Scheduler {
    Scheduler::builder()
        .workers(workers)
        .max_threads(threads)
        .idle_spin(Duration::ZERO)
        .shutdown_limit(Duration::MAX)
        .check_invariants(true)
        .build()
        .expect("a model has memory and threads")
}

fn ran_or_cancelled(result: Result<(), JoinError>) {
    if let Err(error) = result {
        assert!(error.is_cancelled(), "{error}");
    }
}

/// A call into native code that lasts until somebody ends it.
#[derive(Clone, Default)]
struct Call(Arc<(Sleeper, Sleeper)>);

impl Call {
    /// From inside: says that it is under way, and blocks the thread.
    fn run(&self) {
        self.0.0.call();
        self.0.1.sleep();
    }

    fn wait_until_it_runs(&self) {
        self.0.0.sleep();
    }

    fn end(&self) {
        self.0.1.call();
    }
}

/// A section that lasts: its slot is taken, and the task that ends the section runs on the thread that stood by.
#[test]
fn a_section_that_lasts_loses_its_slot() {
    explore(Bounds::whole(100), || {
        let scheduler = sleeping(1, 2);
        let call = Call::default();
        let outer = {
            let call = call.clone();
            unexplored(|| {
                scheduler.spawn(move || {
                    let ends = call.clone();
                    let other = spawn(move || ends.end());
                    native::section(&CALL, || call.run());
                    other.join().unwrap();
                })
            })
        };
        call.wait_until_it_runs();
        take_lasting(&scheduler);
        assert_eq!(scheduler.stats().handovers, 1);
        outer.join().unwrap();
        unexplored(|| end(scheduler));
    });
}

/// Short sections, of which the monitor takes one, or none: the task goes on with a slot, and so does the one that waits.
#[test]
fn a_short_section_meets_the_monitor() {
    explore(Bounds::whole(100), || {
        let scheduler = sleeping(1, 2);
        let outer = unexplored(|| {
            scheduler.spawn(move || {
                let other = spawn(|| 1);
                for _ in 0..2 {
                    native::section(&CALL, || ());
                }
                other.join().unwrap() + 1
            })
        });
        take_lasting(&scheduler);
        assert_eq!(outer.join().unwrap(), 2);
        unexplored(|| end(scheduler));
    });
}

/// Code that is called back from a section waits, and is signalled from outside, while another task uses the slot.
#[test]
fn a_callback_waits_for_a_plain_thread() {
    explore(Bounds::whole(100), || {
        let scheduler = sleeping(1, 2);
        let event = Arc::new(AutoResetEvent::new(false));
        let outer = {
            let event = event.clone();
            unexplored(|| {
                scheduler.spawn(move || {
                    let other = spawn(yield_now);
                    native::section(&CALL, || {
                        assert_eq!(native::callback(|| event.wait()), Wake::Signalled);
                    });
                    other.join().unwrap();
                })
            })
        };
        event.set();
        outer.join().unwrap();
        unexplored(|| end(scheduler));
    });
}

/// A task that owns its thread waits for one that runs on its slot meanwhile: it is woken on a thread without a slot.
#[test]
fn a_pinned_task_is_woken_without_a_slot() {
    explore(Bounds::whole(100), || {
        let scheduler = sleeping(1, 2);
        let outer = unexplored(|| {
            scheduler.spawn(move || {
                let event = Arc::new(AutoResetEvent::new(false));
                let sets = event.clone();
                let other = spawn(move || {
                    sets.set();
                    yield_now();
                });
                let _own = native::own();
                assert_eq!(event.wait(), Wake::Signalled);
                other.join().unwrap();
            })
        });
        outer.join().unwrap();
        unexplored(|| end(scheduler));
    });
}

/// Blocking code with somebody to take over, which ends it from a task.
#[test]
fn blocking_code_is_ended_by_a_task() {
    explore(Bounds::whole(100), || {
        let scheduler = sleeping(1, 2);
        let outer = unexplored(|| {
            scheduler.spawn(|| {
                let call = Call::default();
                let ends = call.clone();
                let other = spawn(move || ends.end());
                blocking(|| call.run());
                other.join().unwrap();
            })
        });
        outer.join().unwrap();
        unexplored(|| end(scheduler));
    });
}

/// Blocking code with nobody to take over keeps its slot, also from the monitor.
#[test]
fn blocking_code_keeps_its_slot_without_a_spare() {
    explore(Bounds::whole(10), || {
        let scheduler = sleeping(1, 1);
        let call = Call::default();
        let outer = {
            let call = call.clone();
            unexplored(|| {
                scheduler.spawn(move || {
                    let other = spawn(|| ());
                    blocking(|| call.run());
                    other.join().unwrap();
                })
            })
        };
        call.wait_until_it_runs();
        take_lasting(&scheduler);
        call.end();
        outer.join().unwrap();
        assert_eq!(scheduler.stats().handovers, 0);
        unexplored(|| end(scheduler));
    });
}

/// Two come back at once, for one slot that a third thread sleeps with.
#[test]
fn two_come_back_for_one_slot() {
    explore(Bounds::whole(100), || {
        let scheduler = sleeping(1, 3);
        let calls = [Call::default(), Call::default()];
        let tasks = unexplored(|| {
            let tasks = calls
                .clone()
                .map(|call| scheduler.spawn(move || native::section(&CALL, || call.run())));
            for call in &calls {
                call.wait_until_it_runs();
                while spares(&scheduler) == 0 {
                    thread::yield_now();
                }
                take_lasting(&scheduler);
            }
            tasks
        });
        for call in &calls {
            call.end();
        }
        for task in tasks {
            task.join().unwrap();
        }
        unexplored(|| end(scheduler));
    });
}

/// A section ends while the thread that has its slot goes idle.
#[test]
fn a_return_meets_a_worker_that_goes_idle() {
    explore(Bounds::whole(100), || {
        let scheduler = sleeping(1, 2);
        let call = Call::default();
        let (outer, other) = unexplored(|| {
            let mine = call.clone();
            let outer = scheduler.spawn(move || native::section(&CALL, || mine.run()));
            call.wait_until_it_runs();
            take_lasting(&scheduler);
            (outer, scheduler.spawn(|| ()))
        });
        call.end();
        outer.join().unwrap();
        unexplored(|| {
            other.join().unwrap();
            end(scheduler);
        });
    });
}

/// A task on a thread of its own waits for one on a fiber.
#[test]
fn a_task_on_a_thread_waits_for_one_on_a_fiber() {
    explore(Bounds::whole(100), || {
        let scheduler = sleeping(1, 3);
        let event = Arc::new(AutoResetEvent::new(false));
        let sets = event.clone();
        let on_thread = unexplored(|| {
            let task = scheduler.task().backing(Backing::Thread);
            task.spawn(move || event.wait()).expect("memory for a task")
        });
        let on_fiber = scheduler.spawn(move || sets.set());
        assert_eq!(on_thread.join().unwrap(), Wake::Signalled);
        unexplored(|| {
            on_fiber.join().unwrap();
            end(scheduler);
        });
    });
}

/// The shutdown while a task is in a section whose slot was taken: it ends when the section does.
#[test]
fn a_shutdown_meets_a_section() {
    explore(Bounds::whole(100), || {
        let scheduler = sleeping(1, 2);
        let call = Call::default();
        let outer = unexplored(|| {
            let mine = call.clone();
            let outer = scheduler.spawn(move || {
                native::section(&CALL, || mine.run());
                yield_now();
            });
            call.wait_until_it_runs();
            take_lasting(&scheduler);
            outer
        });
        let ends = thread::spawn(move || call.end());
        scheduler.shutdown(Duration::MAX).expect("nothing survives");
        ran_or_cancelled(outer.join());
        unexplored(|| {
            ends.join().unwrap();
            end(scheduler);
        });
    });
}

/// The shutdown while code that was called back waits: the wait ends, and says so.
#[test]
fn a_shutdown_meets_a_callback_that_waits() {
    explore(Bounds::whole(100), || {
        let scheduler = sleeping(1, 2);
        let event = Arc::new(AutoResetEvent::new(false));
        let outer =
            scheduler.spawn(move || native::section(&CALL, || native::callback(|| event.wait())));
        scheduler.shutdown(Duration::MAX).expect("nothing survives");
        match outer.join() {
            Ok(wake) => assert_eq!(wake, Wake::Aborted),
            Err(error) => assert!(error.is_cancelled(), "{error}"),
        }
        unexplored(|| end(scheduler));
    });
}

/// The shutdown while a task gives its slot to the last thread that stands by, which starts its successor.
#[test]
fn a_shutdown_meets_a_thread_that_starts() {
    explore(Bounds::whole(100), || {
        let scheduler = sleeping(1, 3);
        let call = Call::default();
        let outer = unexplored(|| {
            let mine = call.clone();
            let outer = scheduler.spawn(move || native::section(&CALL, || mine.run()));
            call.wait_until_it_runs();
            outer
        });
        take_lasting(&scheduler);
        call.end();
        scheduler.shutdown(Duration::MAX).expect("nothing survives");
        ran_or_cancelled(outer.join());
        unexplored(|| end(scheduler));
    });
}
