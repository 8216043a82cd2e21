//! Tasks on OS threads of their own behave as those on fibers do.

mod common;

use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use common::{
    Drops, LONG, OnDrop, SHORT, at, at_workers, eventually, expect_panics, hog_until, os_thread,
    until_waits,
};
use fiberhost::scheduler::sync::AutoResetEvent;
use fiberhost::scheduler::{
    Backing, JoinHandle, Scheduler, TaskBuilder, WaitReason, Wake, check_quantum, current, park,
    park_for, scope, sleep, spawn, timeout, try_current, yield_now,
};

/// Runs a test with tasks of each kind, from a task of each kind, and from a plain thread.
fn with_both(test: impl Fn(&Scheduler, Backing) + Clone + Send + 'static) {
    at_workers(|scheduler| {
        for backing in [Backing::Fiber, Backing::Thread] {
            test(scheduler, backing);
            for from in [Backing::Fiber, Backing::Thread] {
                let test = test.clone();
                let outer = on(scheduler, from, move || {
                    test(&Scheduler::current().unwrap(), backing);
                });
                outer.join().unwrap();
            }
        }
    });
}

fn on<T: Send + 'static>(
    scheduler: &Scheduler,
    backing: Backing,
    work: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    scheduler.task().backing(backing).spawn(work).unwrap()
}

#[test]
fn results_panics_and_identity() {
    expect_panics();
    with_both(|scheduler, backing| {
        let task = scheduler.task().backing(backing).name("named");
        let task = task.spawn(|| {
            assert!(Scheduler::current().is_some());
            (current().id(), current().name().unwrap().to_string())
        });
        let task = task.unwrap();
        let id = task.task().id();
        assert_eq!(task.join().unwrap(), (id, "named".into()));
        let error = on(scheduler, backing, || panic!("expected")).join();
        let error: fiberhost::scheduler::JoinError = error.unwrap_err();
        assert_eq!(*error.into_panic().downcast::<&str>().unwrap(), "expected");
    });
}

#[test]
fn waits_of_each_kind() {
    with_both(|scheduler, backing| {
        let (event, answer) = (
            Arc::new(AutoResetEvent::new(false)),
            Arc::new(AutoResetEvent::new(false)),
        );
        let (go, reply) = (Arc::clone(&event), Arc::clone(&answer));
        let step = Arc::new(AtomicUsize::new(0));
        let told = Arc::clone(&step);
        let task = on(scheduler, backing, move || {
            yield_now();
            check_quantum();
            assert_eq!(sleep(Duration::from_micros(100)), Wake::TimedOut);
            assert_eq!(park_for(Duration::from_micros(100)), Wake::TimedOut);
            told.store(1, Ordering::SeqCst);
            assert_eq!(park(), Wake::Signalled);
            told.store(2, Ordering::SeqCst);
            assert_eq!(park(), Wake::Alerted);
            assert_eq!(go.wait(), Wake::Signalled);
            assert!(timeout(Duration::from_millis(1), park).is_err());
            let child = spawn(|| 1);
            assert_eq!(child.join().unwrap(), 1);
            reply.set();
        });
        eventually("it parks", || step.load(Ordering::SeqCst) == 1);
        task.task().unpark();
        eventually("it parks again", || step.load(Ordering::SeqCst) == 2);
        task.task().alert();
        event.set();
        assert_eq!(answer.wait_for(LONG), Wake::Signalled);
        task.join().unwrap();
    });
}

#[test]
fn aborts() {
    with_both(|scheduler, backing| {
        let drops = Drops::new();
        let dropped = drops.one();
        let task = on(scheduler, backing, move || {
            let _dropped = dropped;
            assert!(catch_unwind(park).is_err());
            park();
        });
        until_waits(task.task(), WaitReason::Park);
        task.abort();
        assert!(task.join().unwrap_err().is_cancelled());
        assert_eq!(drops.count(), 1);
        let cancelled = on(scheduler, backing, || (park(), sleep(LONG)));
        cancelled.task().cancel();
        assert_eq!(cancelled.join().unwrap(), (Wake::Aborted, Wake::Aborted));
    });
}

#[test]
fn scopes() {
    with_both(|scheduler, backing| {
        let task = on(scheduler, backing, || {
            let count = AtomicUsize::new(0);
            scope(|scope| {
                for _ in 0..5 {
                    scope.spawn(|| {
                        yield_now();
                        count.fetch_add(1, Ordering::SeqCst)
                    });
                }
            });
            count.into_inner()
        });
        assert_eq!(task.join().unwrap(), 5);
    });
}

#[test]
fn a_wait_while_panicking_blocks_the_thread() {
    expect_panics();
    at(1, |scheduler| {
        let event = Arc::new(AutoResetEvent::new(false));
        let (wait, waits) = (Arc::clone(&event), Arc::new(AtomicBool::new(false)));
        let tell = Arc::clone(&waits);
        let task = on(scheduler, Backing::Thread, move || {
            let _waits = OnDrop(|| {
                tell.store(true, Ordering::SeqCst);
                assert_eq!(wait.wait(), Wake::Signalled);
                assert_eq!(park(), Wake::Signalled);
            });
            panic!("expected");
        });
        eventually("it waits", || waits.load(Ordering::SeqCst));
        event.set();
        task.task().unpark();
        assert!(task.join().unwrap_err().is_panic());
    });
}

#[test]
fn it_stays_on_its_thread_and_needs_a_slot() {
    at_workers(|scheduler| {
        let running = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..12)
            .map(|number| {
                let (running, most) = (Arc::clone(&running), Arc::clone(&most));
                let backing = if number % 3 == 0 {
                    Backing::Fiber
                } else {
                    Backing::Thread
                };
                on(scheduler, backing, move || {
                    let home = os_thread();
                    for step in 0..100 {
                        let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(now, Ordering::SeqCst);
                        std::hint::black_box((0..200).sum::<u64>());
                        running.fetch_sub(1, Ordering::SeqCst);
                        if step % 10 == 0 {
                            sleep(Duration::from_micros(20));
                        } else {
                            yield_now();
                        }
                        assert_eq!(os_thread(), home);
                    }
                    (backing, home)
                })
            })
            .collect();
        let homes: Vec<_> = tasks.into_iter().map(|task| task.join().unwrap()).collect();
        let own: Vec<_> = homes
            .iter()
            .filter(|(backing, _)| *backing == Backing::Thread)
            .map(|(_, home)| home)
            .collect();
        for (at, home) in own.iter().enumerate() {
            assert!(!own[..at].contains(home), "each has its own thread");
        }
        let most = most.load(Ordering::SeqCst);
        assert!(most <= scheduler.workers(), "{most} ran at once");
    });
}

#[test]
fn it_is_stolen_from_behind_a_hog() {
    at(2, |scheduler| {
        scheduler.run(|| {
            // Queued behind this one, which keeps its worker until they have run.
            let count = Arc::new(AtomicUsize::new(0));
            let tasks: Vec<_> = (0..5)
                .map(|_| {
                    let count = Arc::clone(&count);
                    let task = TaskBuilder::new().backing(Backing::Thread);
                    task.spawn(move || {
                        yield_now();
                        count.fetch_add(1, Ordering::SeqCst);
                    })
                    .unwrap()
                })
                .collect();
            hog_until(|| count.load(Ordering::SeqCst) == 5);
            for task in tasks {
                task.join().unwrap();
            }
        });
    });
}

#[test]
fn its_stack_is_as_large_as_asked() {
    #[inline(never)]
    fn deep(levels: usize) -> usize {
        let page = std::hint::black_box([1_u8; 4096]);
        if levels == 0 {
            return usize::from(page[0]);
        }
        deep(levels - 1) + usize::from(std::hint::black_box(page)[7])
    }
    at(1, |scheduler| {
        let task = scheduler
            .task()
            .backing(Backing::Thread)
            .stack_size(8 << 20);
        // In a debug build a level takes about three pages.
        let task = task.spawn(|| deep(400)).unwrap();
        assert_eq!(task.join().unwrap(), 401);
    });
}

#[test]
fn a_shutdown_ends_it() {
    for workers in [1, 2, 4] {
        let scheduler = common::checked(workers).build().unwrap();
        let drops = Drops::new();
        let tasks: Vec<_> = (0..10)
            .map(|_| {
                let dropped = drops.one();
                on(&scheduler, Backing::Thread, move || {
                    let _dropped = dropped;
                    park();
                })
            })
            .collect();
        eventually("all are parked", || {
            tasks
                .iter()
                .all(|task| task.task().wait_reason() == WaitReason::Park)
        });
        scheduler.shutdown(LONG).unwrap();
        assert_eq!(drops.count(), 10);
        for task in tasks {
            assert!(task.join().unwrap_err().is_cancelled());
        }
    }
}

#[test]
fn a_plain_thread_is_not_disturbed_by_what_lends_it_nothing() {
    // The thread of a task that has ended is no worker, and no task.
    at(1, |scheduler| {
        assert!(try_current().is_none());
        let waited = on(scheduler, Backing::Thread, || {
            struct AtExit;
            impl Drop for AtExit {
                fn drop(&mut self) {
                    assert!(try_current().is_none(), "the task is over");
                }
            }
            thread_local!(static AT_EXIT: AtExit = const { AtExit });
            AT_EXIT.with(|_| ());
            sleep(SHORT)
        });
        assert_eq!(waited.join().unwrap(), Wake::TimedOut);
    });
}

/// Tasks on threads that only yield hand the slot to each other; what has not started, from inside or outside, has its turn.
#[test]
fn tasks_on_threads_that_only_yield_let_new_ones_start() {
    for workers in [1, 2] {
        at(workers, |scheduler| {
            let over = Arc::new(AtomicBool::new(false));
            let yielding: Vec<_> = (0..6)
                .map(|number| {
                    let over = Arc::clone(&over);
                    on(scheduler, Backing::Thread, move || {
                        if number == 0 {
                            for backing in [Backing::Fiber, Backing::Thread] {
                                let scheduler = Scheduler::current().unwrap();
                                on(&scheduler, backing, yield_now).join().unwrap();
                            }
                        }
                        while !over.load(Ordering::Relaxed) {
                            yield_now();
                        }
                    })
                })
                .collect();
            for backing in [Backing::Fiber, Backing::Thread] {
                for _ in 0..10 {
                    let new = on(scheduler, backing, yield_now);
                    new.join_for(LONG).expect("it has its turn").unwrap();
                }
            }
            over.store(true, Ordering::Relaxed);
            for task in yielding {
                task.join().unwrap();
            }
        });
    }
}
