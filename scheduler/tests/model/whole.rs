//! The whole scheduler, fibers included: start, tasks that wait for each other, shutdown, and nothing is left.
//!
//! loom explores small programs; those that need more than it can go through are for Shuttle alone.

use std::sync::Arc;
use std::time::Duration;

use fiberhost_scheduler::model::{Watch, advance, let_time_pass, records_in_use};
use fiberhost_scheduler::sync::AutoResetEvent;
use fiberhost_scheduler::{Scheduler, Wake, spawn, yield_now};

use super::explore::{Bounds, explore, thread, unexplored};

/// A scheduler that waits as long as it takes.
pub(crate) fn scheduler(workers: usize) -> Scheduler {
    scheduler_of(workers, workers)
}

/// The same with so many threads at most: one that stands by, and those of tasks that have their own.
pub(crate) fn scheduler_of(workers: usize, threads: usize) -> Scheduler {
    Scheduler::builder()
        .workers(workers)
        .max_threads(threads)
        .idle_spin(Duration::ZERO)
        .shutdown_limit(Duration::MAX)
        .check_invariants(cfg!(shuttle))
        .build()
        .expect("a model has memory and threads")
}

/// The same, where every mobile task is made to move at each of its waits and yields.
#[cfg(shuttle)]
pub(crate) fn moving_scheduler(workers: usize) -> Scheduler {
    Scheduler::builder()
        .workers(workers)
        .idle_spin(Duration::ZERO)
        .shutdown_limit(Duration::MAX)
        .check_invariants(true)
        .force_migration(true)
        .build()
        .expect("a model has memory and threads")
}

/// As `scheduler`, with its workers asleep.
pub(crate) fn sleeping_scheduler(workers: usize) -> Scheduler {
    unexplored(|| {
        let scheduler = scheduler(workers);
        while scheduler.stats().idle_workers < workers {
            thread::yield_now();
        }
        scheduler
    })
}

/// Ends it, and looks whether a task, a stack, a reference or the scheduler itself is left.
pub(crate) fn end(scheduler: Scheduler) {
    scheduler.shutdown(Duration::MAX).expect("nothing survives");
    assert_eq!(scheduler.stats().live(), 0, "live tasks");
    let watch = Watch::new(&scheduler);
    assert_eq!(watch.stacks_out(), 0, "stacks that did not come back");
    drop(scheduler);
    assert!(watch.is_gone(), "somebody still has the scheduler");
    assert_eq!(records_in_use(), 0, "records that did not come back");
}

/// One task waits for an event that another one sets, on two workers.
#[test]
fn an_event_between_two_tasks() {
    explore(Bounds::whole(1_000), || {
        let scheduler = sleeping_scheduler(2);
        let event = Arc::new(AutoResetEvent::new(false));
        let (waiter, setter) = unexplored(|| {
            let mine = event.clone();
            let waiter = scheduler.spawn(move || mine.wait());
            (waiter, scheduler.spawn(move || event.set()))
        });
        assert_eq!(waiter.join().unwrap(), Wake::Signalled);
        unexplored(|| {
            setter.join().unwrap();
            end(scheduler);
        });
    });
}

/// A task joins another, which yields, on two workers.
#[test]
fn a_task_joins_a_task_that_yields() {
    explore(Bounds::whole(1_000), || {
        let scheduler = sleeping_scheduler(2);
        let outer = unexplored(|| {
            let inner = scheduler.spawn(|| {
                yield_now();
                1
            });
            scheduler.spawn(move || inner.join().unwrap() + 1)
        });
        assert_eq!(outer.join().unwrap(), 2);
        unexplored(|| end(scheduler));
    });
}

/// A plain thread spawns a task, which spawns another and waits for it, on two workers that sleep.
#[test]
fn a_spawn_wakes_a_sleeping_worker() {
    explore(Bounds::whole(1_000), || {
        let scheduler = sleeping_scheduler(2);
        let outer = scheduler.spawn(|| spawn(|| 1).join().unwrap() + 1);
        assert_eq!(outer.join().unwrap(), 2);
        unexplored(|| end(scheduler));
    });
}

/// A task waits for an event with a time limit, which passes while a plain thread sets the event: the set is not lost,
/// and the limit ends at most the wait that it is for.
#[test]
fn a_limit_and_a_signal_for_a_parked_task() {
    explore(Bounds::whole(1_000), || {
        let_time_pass();
        let scheduler = sleeping_scheduler(1);
        let event = Arc::new(AutoResetEvent::new(false));
        let waiter = {
            let event = event.clone();
            scheduler.spawn(move || {
                let limit = Duration::from_secs(1);
                (0..3)
                    .position(|_| event.wait_for(limit) == Wake::Signalled)
                    .expect("the time passes once")
            })
        };
        let clock = thread::spawn(|| advance(Duration::from_secs(2)));
        event.set();
        let limits = waiter.join().unwrap();
        clock.join().unwrap();
        assert!(limits <= 1, "{limits} waits ended by one limit");
        unexplored(|| end(scheduler));
    });
}

/// What only Shuttle can sample.
#[cfg(shuttle)]
mod sampled {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use fiberhost_scheduler::model::Plain;
    use fiberhost_scheduler::sync::Mutex;
    use fiberhost_scheduler::{Backing, Priority, sleep};

    use super::*;

    /// Mobile tasks change threads at every suspension, wait for each other, and find their locals as they left them.
    #[test]
    fn mobile_tasks_go_from_thread_to_thread() {
        explore(Bounds::whole(0), || {
            let scheduler = moving_scheduler(2);
            let lock = Arc::new(Mutex::new(Plain::new(0)));
            let tasks: Vec<_> = (0..3)
                .map(|number| {
                    let lock = lock.clone();
                    let task = scheduler.task();
                    // SAFETY: nothing of a thread is on the closure's stack when it suspends; the guard is a task's lock.
                    let task = unsafe {
                        task.spawn_mobile(move || {
                            let local = [number; 4];
                            for _ in 0..2 {
                                let counter = lock.lock();
                                let before = counter.get();
                                yield_now();
                                counter.set(before + 1);
                            }
                            local.iter().sum::<usize>()
                        })
                    };
                    task.expect("a model has memory")
                })
                .collect();
            for (number, task) in tasks.into_iter().enumerate() {
                assert_eq!(task.join().unwrap(), 4 * number);
            }
            assert_eq!(lock.lock().get(), 6);
            end(scheduler);
        });
    }

    /// A task that holds its worker waits for one that it has spawned: another worker takes that one from behind it.
    #[test]
    fn what_stands_behind_a_hog_is_taken() {
        explore(Bounds::whole(0), || {
            let scheduler = scheduler(2);
            let hog = scheduler.spawn(|| {
                let child = spawn(|| 1);
                while !child.is_finished() {
                    // The thread's way to give up the processor, not the task's.
                    thread::yield_now();
                }
                child.join().unwrap()
            });
            assert_eq!(hog.join().unwrap(), 1);
            end(scheduler);
        });
    }

    /// Tasks sleep, on workers that sleep until their timers are due.
    #[test]
    fn sleeping_tasks_wake_when_time_has_passed() {
        explore(Bounds::whole(0), || {
            let_time_pass();
            let scheduler = scheduler(2);
            let tasks: Vec<_> = (1..4)
                .map(|seconds| scheduler.spawn(move || sleep(Duration::from_secs(seconds))))
                .collect();
            while !tasks.iter().all(|task| task.is_finished()) {
                advance(Duration::from_secs(1));
                thread::yield_now();
            }
            for task in tasks {
                assert_eq!(task.join().unwrap(), Wake::TimedOut);
            }
            end(scheduler);
        });
    }

    /// A signal, a time limit and an abort meet at one parked task; what it has on its stack is dropped, once.
    #[test]
    fn a_signal_a_limit_and_an_abort_for_one_task() {
        explore(Bounds::whole(0), || {
            struct Drops(Arc<AtomicUsize>);
            impl Drop for Drops {
                fn drop(&mut self) {
                    self.0.fetch_add(1, Ordering::Relaxed);
                }
            }
            let_time_pass();
            let scheduler = scheduler(2);
            let drops = Arc::new(AtomicUsize::new(0));
            let event = Arc::new(AutoResetEvent::new(false));
            let on_stack = Drops(drops.clone());
            let waiter = {
                let event = event.clone();
                scheduler.spawn(move || {
                    let _on_stack = on_stack;
                    event.wait_for(Duration::from_secs(1))
                })
            };
            let clock = thread::spawn(|| advance(Duration::from_secs(2)));
            let setter = {
                let event = event.clone();
                scheduler.spawn(move || event.set())
            };
            waiter.abort();
            match waiter.join() {
                Ok(wake) => assert!(matches!(wake, Wake::Signalled | Wake::TimedOut)),
                Err(error) => assert!(error.is_cancelled(), "{error}"),
            }
            assert_eq!(drops.load(Ordering::Relaxed), 1);
            setter.join().unwrap();
            clock.join().unwrap();
            end(scheduler);
        });
    }

    /// The shutdown finds tasks in every state: not started, running, parked with and without a limit, on threads of their
    /// own, of every priority. All end, and nothing is left.
    #[test]
    fn a_shutdown_ends_tasks_in_every_state() {
        explore(Bounds::whole(0), || {
            let scheduler = scheduler_of(2, 4);
            let event = Arc::new(AutoResetEvent::new(false));
            let parked = {
                let event = event.clone();
                scheduler.spawn(move || drop(event.wait()))
            };
            let limited = {
                let event = event.clone();
                let task = scheduler.task().priority(Priority::High);
                task.spawn(move || drop(event.wait_for(Duration::from_secs(1))))
            };
            let on_thread = {
                let event = event.clone();
                let task = scheduler.task().backing(Backing::Thread);
                task.spawn(move || drop(event.wait()))
            };
            let parent = scheduler.spawn(|| spawn(yield_now).join().map(drop).unwrap_or(()));
            event.set();
            scheduler.shutdown(Duration::MAX).expect("nothing survives");
            for task in [Ok(parked), limited, on_thread, Ok(parent)] {
                let task = task.expect("a model has memory");
                assert!(task.is_finished());
                if let Err(error) = task.join() {
                    assert!(error.is_cancelled(), "{error}");
                }
            }
            end(scheduler);
        });
    }

    /// A tree of tasks, joined from the leaves up, on more workers than loom could have.
    #[test]
    fn a_tree_of_tasks_is_joined() {
        fn sum(depth: u32) -> u32 {
            if depth == 0 {
                return 1;
            }
            let children = [(); 2].map(|()| spawn(move || sum(depth - 1)));
            children.map(|child| child.join().unwrap()).iter().sum()
        }
        explore(Bounds::whole(0), || {
            let scheduler = scheduler(3);
            let root = scheduler.spawn(|| sum(2));
            assert_eq!(root.join().unwrap(), 4);
            end(scheduler);
        });
    }
}
