//! Slots that come to rest, and are active again, on the whole scheduler.

use fiberhost_scheduler::Scheduler;
use fiberhost_scheduler::model::at_rest;

use super::explore::{Bounds, explore, thread, unexplored};
use super::whole::{end, sleeping_scheduler};

fn until_at_rest(scheduler: &Scheduler, count: usize) {
    while at_rest(scheduler) != count {
        thread::yield_now();
    }
}

/// One more is wanted while a slot is on its way to rest, or before, and then one less, while all sleep. So many rest as are
/// to, and tasks run.
#[test]
fn a_slot_on_its_way_to_rest_is_wanted_again() {
    explore(Bounds::whole(500).preemptions(1).schedules(1_000), || {
        let scheduler = sleeping_scheduler(2);
        let more = {
            let scheduler = scheduler.clone();
            thread::spawn(move || scheduler.set_workers(2))
        };
        scheduler.set_workers(1);
        more.join().unwrap();
        unexplored(|| {
            until_at_rest(&scheduler, 2 - scheduler.workers());
            scheduler.set_workers(1);
            until_at_rest(&scheduler, 1);
            assert_eq!(scheduler.run(|| 7), 7);
            end(scheduler);
        });
    });
}

/// Work comes from outside while one of two slots comes to rest, and its driver may be the one that is called for it.
#[test]
fn work_comes_while_a_slot_comes_to_rest() {
    explore(Bounds::whole(500).preemptions(1).schedules(1_000), || {
        let scheduler = sleeping_scheduler(2);
        scheduler.set_workers(1);
        assert_eq!(scheduler.spawn(|| 7).join().unwrap(), 7);
        unexplored(|| {
            until_at_rest(&scheduler, 1);
            end(scheduler);
        });
    });
}

/// Shuttle alone: too large for loom.
#[cfg(shuttle)]
mod sampled {
    use std::sync::Arc;

    use fiberhost_scheduler::model::take_lasting;
    use fiberhost_scheduler::native::{self, Target};
    use fiberhost_scheduler::sync::AutoResetEvent;
    use fiberhost_scheduler::{Backing, Wake, spawn, yield_now};
    use shuttle::sync::atomic::{AtomicUsize, Ordering};

    use super::until_at_rest;
    use crate::model::explore::{Bounds, explore, thread};
    use crate::model::whole::{end, scheduler_of};

    static CALL: Target = Target::new("a call");

    /// Fewer and more are wanted, from outside, while tasks of each kind yield, wait for others and are in native code. At
    /// the end so many rest as are to, and as many run at once as may.
    #[test]
    fn the_number_changes_while_tasks_run() {
        explore(Bounds::whole(0).schedules(1_000), || {
            let scheduler = scheduler_of(2, 10);
            let tasks = [0, 1, 2].map(|number| {
                let work = move || {
                    for _ in 0..2 {
                        let event = Arc::new(AutoResetEvent::new(false));
                        let sets = event.clone();
                        let other = spawn(move || sets.set());
                        assert_eq!(event.wait(), Wake::Signalled);
                        native::section(&CALL, || native::callback(yield_now));
                        yield_now();
                        other.join().unwrap();
                    }
                };
                let task = scheduler.task();
                match number {
                    0 => task.spawn(work),
                    // SAFETY: what these tasks keep on their stacks when they suspend is not the thread's.
                    1 => unsafe { task.spawn_mobile(work) },
                    _ => task.backing(Backing::Thread).spawn(work),
                }
                .expect("a model has memory")
            });
            let monitor = {
                let scheduler = scheduler.clone();
                thread::spawn(move || {
                    for _ in 0..3 {
                        take_lasting(&scheduler);
                        thread::yield_now();
                    }
                })
            };
            for wanted in [1, 2, 1] {
                scheduler.set_workers(wanted);
                thread::yield_now();
            }
            until_at_rest(&scheduler, 1);
            for task in tasks {
                task.join().unwrap();
            }
            monitor.join().unwrap();
            scheduler.set_workers(2);
            until_at_rest(&scheduler, 0);
            let here = Arc::new(AtomicUsize::new(0));
            let both = [(); 2].map(|()| {
                let here = here.clone();
                scheduler.spawn(move || {
                    here.fetch_add(1, Ordering::SeqCst);
                    while here.load(Ordering::SeqCst) < 2 {
                        thread::yield_now();
                    }
                })
            });
            for task in both {
                task.join().unwrap();
            }
            end(scheduler);
        });
    }

    /// Two change the number at once, while all sleep.
    #[test]
    fn two_change_the_number_at_once() {
        explore(Bounds::whole(0).schedules(1_000), || {
            let scheduler = scheduler_of(2, 3);
            let other = {
                let scheduler = scheduler.clone();
                thread::spawn(move || {
                    scheduler.set_workers(1);
                    scheduler.set_workers(2);
                })
            };
            scheduler.set_workers(1);
            scheduler.set_workers(2);
            other.join().unwrap();
            until_at_rest(&scheduler, 0);
            scheduler.set_workers(1);
            until_at_rest(&scheduler, 1);
            assert_eq!(scheduler.run(|| 7), 7);
            end(scheduler);
        });
    }
}
