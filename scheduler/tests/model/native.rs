//! Native sections, callbacks and tasks that own their threads, on the whole scheduler.
//!
//! A model has no monitor: its part is done by a thread that calls [`take_lasting`].

use std::sync::Arc;
use std::time::Duration;

use fiberhost_scheduler::model::{Sleeper, spares, take_lasting};
use fiberhost_scheduler::native::{self, Target};
use fiberhost_scheduler::sync::AutoResetEvent;
use fiberhost_scheduler::{
    Backing, JoinError, JoinHandle, Scheduler, Wake, blocking, spawn, yield_now,
};

use super::explore::{Bounds, explore, thread, unexplored};
use super::whole::{end, scheduler_of};

#[cfg(loom)]
use loom::sync::atomic::{AtomicBool, Ordering};
#[cfg(shuttle)]
use shuttle::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

static CALL: Target = Target::new("a call");

/// Workers and threads that stand by, all asleep.
fn sleeping(workers: usize, threads: usize) -> Scheduler {
    unexplored(|| {
        let scheduler = scheduler_of(workers, threads);
        let standing_by = usize::from(threads > workers);
        while scheduler.stats().idle_workers < workers || spares(&scheduler) < standing_by {
            thread::yield_now();
        }
        scheduler
    })
}

/// For programs that loom goes through; Shuttle need not look at them for long.
const fn small(at_least: usize) -> Bounds {
    Bounds::whole(at_least).schedules(1_000)
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
    explore(small(2000), || {
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
    explore(small(500), || {
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
    explore(small(500), || {
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
    explore(small(2000), || {
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
    explore(small(2000), || {
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
    explore(small(500), || {
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

/// One worker, asleep, and two threads that stand by, after a section has been taken once.
fn with_two_spares() -> Scheduler {
    let scheduler = sleeping(1, 3);
    unexplored(|| {
        let call = Call::default();
        let mine = call.clone();
        let task = scheduler.spawn(move || native::section(&CALL, || mine.run()));
        call.wait_until_it_runs();
        take_lasting(&scheduler);
        call.end();
        task.join().unwrap();
        while scheduler.stats().idle_workers < 1 || spares(&scheduler) < 2 {
            thread::yield_now();
        }
    });
    scheduler
}

/// A task that owns its thread goes to sleep, and its slot, which nobody needs, is placed with a thread that sleeps, while a
/// plain thread spawns the task that wakes it.
#[test]
fn work_comes_while_a_slot_is_placed() {
    explore(small(1000), || {
        let scheduler = with_two_spares();
        let event = Arc::new(AutoResetEvent::new(false));
        let pinned = {
            let event = event.clone();
            unexplored(|| {
                scheduler.spawn(move || {
                    let _own = native::own();
                    event.wait()
                })
            })
        };
        let other = scheduler.spawn(move || event.set());
        assert_eq!(pinned.join().unwrap(), Wake::Signalled);
        unexplored(|| {
            other.join().unwrap();
            end(scheduler);
        });
    });
}

/// A task that owns its thread goes to sleep while the thread that gave it the slot is not back among those that stand by:
/// the slot stays, and that thread takes it when it comes there.
#[test]
fn a_thread_that_comes_to_stand_by_takes_what_was_left() {
    explore(small(500), || {
        let scheduler = sleeping(1, 2);
        let outer = unexplored(|| {
            scheduler.spawn(move || {
                let [first, second] = [(); 2].map(|()| Arc::new(AutoResetEvent::new(false)));
                let (wakes, ends) = (first.clone(), second.clone());
                let other = spawn(move || {
                    let last = spawn(move || ends.set());
                    wakes.set();
                    last
                });
                let _own = native::own();
                assert_eq!(first.wait(), Wake::Signalled);
                assert_eq!(second.wait(), Wake::Signalled);
                other.join().unwrap().join().unwrap();
            })
        });
        outer.join().unwrap();
        unexplored(|| end(scheduler));
    });
}

/// Two come back at once, for one slot that a third thread sleeps with.
#[test]
fn two_come_back_for_one_slot() {
    explore(small(500).preemptions(1), || {
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
    explore(small(5000), || {
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

/// A section ends while the thread that has its slot is called to work, on a task that runs until the section's task has
/// gone on. The call is for both.
#[test]
fn a_return_meets_a_worker_that_is_called() {
    explore(small(3000), || {
        let scheduler = sleeping(1, 2);
        let call = Call::default();
        let done = Arc::new(AtomicBool::new(false));
        let outer = unexplored(|| {
            let (mine, done) = (call.clone(), done.clone());
            let outer = scheduler.spawn(move || {
                native::section(&CALL, || mine.run());
                done.store(true, Ordering::Release);
            });
            call.wait_until_it_runs();
            take_lasting(&scheduler);
            while scheduler.stats().idle_workers == 0 {
                thread::yield_now();
            }
            outer
        });
        call.end();
        let other = scheduler.spawn(move || {
            while !done.load(Ordering::Acquire) {
                yield_now();
                thread::yield_now();
            }
        });
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
    explore(small(2000), || {
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

/// A task that has begun to call this in a section, and yields when it has come back.
fn in_a_section(scheduler: &Scheduler, call: &Call) -> JoinHandle<()> {
    let mine = call.clone();
    let outer = scheduler.spawn(move || {
        native::section(&CALL, || mine.run());
        yield_now();
    });
    call.wait_until_it_runs();
    outer
}

/// The shutdown while a task is in a section whose slot was taken: it ends when the section does.
#[test]
fn a_shutdown_meets_a_section() {
    explore(small(500), || {
        let scheduler = sleeping(1, 2);
        let call = Call::default();
        let outer = unexplored(|| {
            let outer = in_a_section(&scheduler, &call);
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

/// The shutdown while a task is in a section whose slot is just being taken, or is not taken at all.
#[test]
fn a_shutdown_meets_the_taking_of_a_slot() {
    explore(small(500).preemptions(1), || {
        let scheduler = sleeping(1, 2);
        let call = Call::default();
        let outer = unexplored(|| in_a_section(&scheduler, &call));
        let takes = {
            let scheduler = scheduler.clone();
            thread::spawn(move || {
                take_lasting(&scheduler);
                call.end();
            })
        };
        scheduler.shutdown(Duration::MAX).expect("nothing survives");
        ran_or_cancelled(outer.join());
        unexplored(|| {
            takes.join().unwrap();
            end(scheduler);
        });
    });
}

/// The shutdown while code that was called back waits: the wait ends, and says so.
#[test]
fn a_shutdown_meets_a_callback_that_waits() {
    explore(small(5000), || {
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
    explore(small(500).preemptions(1), || {
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

/// The shutdown while a task ends on a thread of its own, and its slot goes to a thread that stands by and starts another.
#[test]
fn a_shutdown_meets_the_end_of_a_thread() {
    explore(small(5000), || {
        let scheduler = sleeping(1, 4);
        let task = scheduler.task().backing(Backing::Thread);
        let task = task.spawn(|| ()).expect("memory for a task");
        scheduler.shutdown(Duration::MAX).expect("nothing survives");
        ran_or_cancelled(task.join());
        unexplored(|| end(scheduler));
    });
}

/// What only Shuttle can sample.
#[cfg(shuttle)]
mod sampled {
    use fiberhost_scheduler::model::{advance, let_time_pass};
    use fiberhost_scheduler::sync::{Mutex, Semaphore};

    use super::*;

    /// The kinds of tasks.
    #[derive(Clone, Copy, Debug)]
    enum Kind {
        Bound,
        Mobile,
        OnThread,
    }

    const KINDS: [Kind; 3] = [Kind::Bound, Kind::Mobile, Kind::OnThread];

    fn spawn_as<T: Send + 'static>(
        scheduler: &Scheduler,
        kind: Kind,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let task = scheduler.task();
        match kind {
            Kind::Bound => task.spawn(work),
            // SAFETY: what these tasks keep on their stacks when they suspend is not the thread's.
            Kind::Mobile => unsafe { task.spawn_mobile(work) },
            Kind::OnThread => task.backing(Backing::Thread).spawn(work),
        }
        .expect("a model has memory")
    }

    /// A thread that is the monitor for so many ticks.
    fn monitor(scheduler: &Scheduler, ticks: usize) -> thread::JoinHandle<()> {
        let scheduler = scheduler.clone();
        thread::spawn(move || {
            for _ in 0..ticks {
                take_lasting(&scheduler);
                thread::yield_now();
            }
        })
    }

    /// Sections, callbacks that wait, blocking code and waits of a task that owns its thread, one after the other.
    fn all_kinds_of_native_code(wait: impl Fn()) {
        in_sections(&wait);
        let _own = native::own();
        wait();
        blocking(thread::yield_now);
        yield_now();
    }

    fn in_sections(wait: impl Fn()) {
        native::section(&CALL, thread::yield_now);
        wait();
        native::section(&CALL, || {
            thread::yield_now();
            native::callback(|| {
                wait();
                yield_now();
            });
            thread::yield_now();
        });
        yield_now();
    }

    const WAITS: usize = 3;

    /// Bound tasks would wait for ever for a lock whose next owner is bound to the thread that one of them owns.
    const MOVE: [Kind; 3] = [Kind::Mobile, Kind::OnThread, Kind::Mobile];

    fn with_a_lock(workers: usize) {
        let scheduler = scheduler_of(workers, 10);
        let lock = Arc::new(Mutex::new(0));
        let tasks = MOVE.map(|kind| {
            let lock = lock.clone();
            spawn_as(&scheduler, kind, move || {
                all_kinds_of_native_code(|| {
                    let mut count = lock.lock();
                    yield_now();
                    *count += 1;
                });
            })
        });
        let monitor = monitor(&scheduler, 4);
        for task in tasks {
            task.join().unwrap();
        }
        monitor.join().unwrap();
        assert_eq!(*lock.lock(), WAITS * MOVE.len());
        end(scheduler);
    }

    fn for_permits(workers: usize, threads: usize, kinds: &[Kind]) {
        let scheduler = scheduler_of(workers, threads);
        let permits = Arc::new(Semaphore::new(0));
        let spawn = |&kind| {
            let permits = permits.clone();
            spawn_as(&scheduler, kind, move || {
                all_kinds_of_native_code(|| assert_eq!(permits.wait(), Wake::Signalled));
            })
        };
        let tasks: Vec<_> = kinds.iter().map(spawn).collect();
        let monitor = monitor(&scheduler, 4);
        for _ in 0..WAITS * kinds.len() {
            permits.add(1);
            thread::yield_now();
        }
        for task in tasks {
            task.join().unwrap();
        }
        monitor.join().unwrap();
        end(scheduler);
    }

    /// Tasks that move, and such on threads of their own, are in native code of each kind and share a lock, on one slot.
    #[test]
    fn a_lock_is_shared_from_native_code_on_one_slot() {
        explore(Bounds::whole(0), || with_a_lock(1));
    }

    /// The same on two slots.
    #[test]
    fn a_lock_is_shared_from_native_code_on_two_slots() {
        explore(Bounds::whole(0), || with_a_lock(2));
    }

    /// Tasks of each kind are in native code and wait for a plain thread, on one slot.
    #[test]
    fn permits_come_from_outside_on_one_slot() {
        explore(Bounds::whole(0), || for_permits(1, 10, &KINDS));
    }

    /// The same on two slots.
    #[test]
    fn permits_come_from_outside_on_two_slots() {
        explore(Bounds::whole(0), || for_permits(2, 10, &KINDS));
    }

    /// The same with one thread that stands by and never has a successor.
    #[test]
    fn permits_come_to_tasks_that_share_a_spare_thread() {
        let kinds = &[Kind::Bound, Kind::Bound, Kind::Mobile, Kind::Bound];
        explore(Bounds::whole(0), || for_permits(2, 3, kinds));
    }

    /// The same with nobody to take over.
    #[test]
    fn permits_come_to_tasks_that_keep_their_slots() {
        let kinds = &[Kind::Bound, Kind::Mobile, Kind::Bound];
        explore(Bounds::whole(0), || for_permits(2, 2, kinds));
    }

    /// The shutdown finds tasks in sections and in callbacks that wait. (Nothing that is dropped by the unwinding may switch
    /// to another thread: the checker's threads share one count of panics.)
    #[test]
    fn a_shutdown_meets_native_code_of_each_kind() {
        explore(Bounds::whole(0), || {
            let scheduler = scheduler_of(2, 10);
            let permits = Arc::new(Semaphore::new(4));
            let tasks = KINDS.map(|kind| {
                let permits = permits.clone();
                spawn_as(&scheduler, kind, move || {
                    in_sections(|| {
                        let _ = permits.wait();
                    });
                })
            });
            let monitor = monitor(&scheduler, 3);
            scheduler.shutdown(Duration::MAX).expect("nothing survives");
            for task in tasks {
                ran_or_cancelled(task.join());
            }
            monitor.join().unwrap();
            end(scheduler);
        });
    }

    /// Tasks that come back from native code again and again, four for one slot, leave room for a bound task that has to run,
    /// after at most three of them.
    #[test]
    fn returns_in_a_row_leave_room_for_others() {
        explore(Bounds::whole(0).schedules(1_000), || {
            let scheduler = scheduler_of(1, 10);
            let over = Arc::new(AtomicBool::new(false));
            let tasks = [(); 4].map(|()| {
                let over = over.clone();
                spawn_as(&scheduler, Kind::OnThread, move || {
                    while !over.load(Ordering::Acquire) {
                        native::section(&CALL, thread::yield_now);
                        yield_now();
                    }
                })
            });
            let ends = over.clone();
            let patient = spawn_as(&scheduler, Kind::Bound, move || {
                // Not only once: started, it stands among those that are bound.
                for _ in 0..3 {
                    yield_now();
                }
                ends.store(true, Ordering::Release);
            });
            patient.join().unwrap();
            for task in tasks {
                task.join().unwrap();
            }
            end(scheduler);
        });
    }

    /// Tasks on threads of their own that yield on one slot have their turns one after the other, however long one of them
    /// takes from giving the slot up to its sleep.
    #[test]
    fn yields_are_in_turn() {
        const TASKS: usize = 3;
        explore(Bounds::whole(0).schedules(1_000), || {
            let scheduler = scheduler_of(1, 10);
            let begun = Arc::new(AtomicUsize::new(0));
            // Not one of the checker's: only one task runs.
            let order = Arc::new(std::sync::Mutex::new(Vec::new()));
            let tasks = [0, 1, 2].map(|number| {
                let (begun, order) = (begun.clone(), order.clone());
                spawn_as(&scheduler, Kind::OnThread, move || {
                    begun.fetch_add(1, Ordering::AcqRel);
                    while begun.load(Ordering::Acquire) < TASKS {
                        yield_now();
                        thread::yield_now();
                    }
                    for _ in 0..3 {
                        order.lock().unwrap().push(number);
                        yield_now();
                    }
                })
            });
            for task in tasks {
                task.join().unwrap();
            }
            let order = order.lock().unwrap();
            let is_in_turn = |at: usize| order[at] == order[at - TASKS];
            assert!((TASKS..order.len()).all(is_in_turn), "{order:?}");
            end(scheduler);
        });
    }

    /// A task on a thread of its own that yields goes on after those that waited then, and before they have had many turns more.
    #[test]
    fn who_yields_lets_those_pass_that_waited() {
        explore(Bounds::whole(0).schedules(1_000), || {
            let scheduler = scheduler_of(1, 10);
            let begun = Arc::new(AtomicUsize::new(0));
            let its = begun.clone();
            let yields = spawn_as(&scheduler, Kind::OnThread, move || {
                let others = [(); 3].map(|()| {
                    let begun = its.clone();
                    spawn(move || {
                        begun.fetch_add(1, Ordering::AcqRel);
                    })
                });
                yield_now();
                assert_eq!(its.load(Ordering::Acquire), 3, "they waited");
                for other in others {
                    other.join().unwrap();
                }
            });
            yields.join().unwrap();
            end(scheduler);
        });
    }

    /// Beside a bound task that goes on yielding, one on a thread of its own has its turns, though it lets others pass.
    #[test]
    fn who_lets_others_pass_has_a_turn_again() {
        explore(Bounds::whole(0).schedules(1_000), || {
            let scheduler = scheduler_of(1, 10);
            let over = Arc::new(AtomicBool::new(false));
            let ends = over.clone();
            let passed = spawn_as(&scheduler, Kind::OnThread, move || {
                let others = [(); 2].map(|()| {
                    let over = ends.clone();
                    spawn(move || {
                        while !over.load(Ordering::Acquire) {
                            yield_now();
                            thread::yield_now();
                        }
                    })
                });
                yield_now();
                ends.store(true, Ordering::Release);
                for other in others {
                    other.join().unwrap();
                }
            });
            passed.join().unwrap();
            end(scheduler);
        });
    }

    /// Beside a task on a thread of its own that goes on yielding, a bound one has a turn after each of that one's,
    /// however long its thread takes from giving the slot up to its sleep.
    #[test]
    fn yields_leave_room_for_a_bound_task() {
        const TURNS: usize = 3;
        explore(Bounds::whole(0).schedules(1_000), || {
            let scheduler = scheduler_of(1, 10);
            let over = Arc::new(AtomicBool::new(false));
            // Not the checker's: only one task runs.
            let since = Arc::new(std::sync::Mutex::new(None));
            let (its, ends) = (since.clone(), over.clone());
            let bound = spawn_as(&scheduler, Kind::Bound, move || {
                for _ in 0..TURNS {
                    *its.lock().unwrap() = Some(0_usize);
                    yield_now();
                }
                *its.lock().unwrap() = None;
                ends.store(true, Ordering::Release);
            });
            let other = spawn_as(&scheduler, Kind::OnThread, move || {
                while !over.load(Ordering::Acquire) {
                    if let Some(turns) = &mut *since.lock().unwrap() {
                        *turns += 1;
                        // One more: its first turn may be the rest of one that had begun.
                        assert!(*turns <= 2, "{turns} turns in a row");
                    }
                    yield_now();
                    thread::yield_now();
                }
            });
            bound.join().unwrap();
            other.join().unwrap();
            end(scheduler);
        });
    }

    /// Tasks that own their threads wait with a time limit, on one slot: somebody fires their timers, whoever has the slot.
    #[test]
    fn limits_of_pinned_tasks_pass() {
        explore(Bounds::whole(0), || {
            let_time_pass();
            let scheduler = scheduler_of(1, 10);
            let tasks = KINDS.map(|kind| {
                spawn_as(&scheduler, kind, || {
                    let event = AutoResetEvent::new(false);
                    let _own = native::own();
                    let limit = Duration::from_secs(1);
                    assert_eq!(event.wait_for(limit), Wake::TimedOut);
                    native::section(&CALL, || {
                        let wake = native::callback(|| event.wait_for(limit));
                        assert_eq!(wake, Wake::TimedOut);
                    });
                })
            });
            let monitor = monitor(&scheduler, 2);
            while !tasks.iter().all(JoinHandle::is_finished) {
                advance(Duration::from_secs(1));
                thread::yield_now();
            }
            for task in tasks {
                task.join().unwrap();
            }
            monitor.join().unwrap();
            end(scheduler);
        });
    }

    /// Tasks in callbacks wait for each other in a ring, each on a thread of its own then.
    #[test]
    fn callbacks_wait_for_each_other() {
        explore(Bounds::whole(0), || {
            let scheduler = scheduler_of(1, 5);
            let events = [(); 3].map(|()| Arc::new(AutoResetEvent::new(false)));
            let tasks = [0, 1, 2].map(|place| {
                let (mine, next) = (events[place].clone(), events[(place + 1) % 3].clone());
                spawn_as(&scheduler, KINDS[1], move || {
                    native::section(&CALL, || {
                        for _ in 0..2 {
                            native::callback(|| {
                                assert_eq!(mine.wait(), Wake::Signalled);
                                next.set();
                            });
                        }
                    });
                })
            });
            let monitor = monitor(&scheduler, 2);
            events[0].set();
            for task in tasks {
                task.join().unwrap();
            }
            monitor.join().unwrap();
            end(scheduler);
        });
    }
}
