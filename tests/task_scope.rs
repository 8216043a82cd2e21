//! Scopes: tasks that borrow, and an owner that waits for them whatever is asked of it.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{
    Drops, LONG, OnDrop, SHORT, at, at_workers, checked, eventually, expect_panics, hog_until,
    until_waits, with,
};
use fiberhost::scheduler::sync::ManualResetEvent;
use fiberhost::scheduler::{WaitReason, Wake, park, park_for, scope, sleep, timeout, yield_now};

/// Runs a test as a task on each scheduler.
fn in_a_task(test: impl Fn() + Copy + Send + 'static) {
    at_workers(|scheduler| scheduler.run(test));
}

#[test]
fn tasks_borrow_from_their_owner() {
    in_a_task(|| {
        let mut numbers: Vec<u64> = (0..1000).collect();
        let calls = AtomicUsize::new(0);
        let sum: u64 = scope(|scope| {
            let parts: Vec<_> = numbers
                .chunks_mut(100)
                .map(|part| {
                    let calls = &calls;
                    scope.spawn(move || {
                        part.iter_mut().for_each(|number| *number *= 2);
                        yield_now();
                        calls.fetch_add(1, Ordering::Relaxed);
                        part.iter().sum::<u64>()
                    })
                })
                .collect();
            parts.into_iter().map(|part| part.join().unwrap()).sum()
        });
        assert_eq!(sum, 999 * 1000);
        assert_eq!(numbers[999], 1998);
        assert_eq!(calls.into_inner(), 10);
    });
}

#[test]
fn the_owner_waits_for_those_it_does_not_join() {
    in_a_task(|| {
        let ended = AtomicUsize::new(0);
        scope(|scope| {
            for number in 0..20 {
                let ended = &ended;
                scope.spawn(move || {
                    for _ in 0..number {
                        yield_now();
                    }
                    sleep(Duration::from_micros(number * 50));
                    ended.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        assert_eq!(ended.load(Ordering::SeqCst), 20);
        assert_eq!(scope(|_| 5), 5, "a scope without tasks");
    });
}

#[test]
fn scopes_nest_and_tasks_spawn_into_theirs() {
    in_a_task(|| {
        let count = AtomicUsize::new(0);
        scope(|outer| {
            for _ in 0..4 {
                outer.spawn(|| {
                    let local = AtomicUsize::new(0);
                    scope(|inner| {
                        for _ in 0..4 {
                            inner.spawn(|| {
                                local.fetch_add(1, Ordering::SeqCst);
                                yield_now();
                                // The outer scope, from a task of the inner one.
                                outer.spawn(|| count.fetch_add(1, Ordering::SeqCst));
                            });
                        }
                    });
                    assert_eq!(local.load(Ordering::SeqCst), 4);
                });
            }
        });
        assert_eq!(count.load(Ordering::SeqCst), 16);
    });
}

#[test]
fn a_panic_in_a_task_comes_out_of_the_scope_unless_it_is_joined() {
    expect_panics();
    in_a_task(|| {
        let ended = AtomicBool::new(false);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            scope(|scope| {
                scope.spawn(|| panic!("expected"));
                scope.spawn(|| {
                    sleep(Duration::from_millis(2));
                    ended.store(true, Ordering::SeqCst);
                });
            });
        }));
        assert_eq!(
            *caught.unwrap_err().downcast::<&str>().unwrap(),
            "a scoped task panicked"
        );
        assert!(ended.load(Ordering::SeqCst), "the others are waited for");

        scope(|scope| {
            let task = scope.spawn(|| -> u32 { panic!("expected") });
            let error = task.join().unwrap_err();
            assert_eq!(*error.into_panic().downcast::<&str>().unwrap(), "expected");
        });
    });
}

#[test]
fn a_panic_in_the_body_comes_out_after_the_tasks_have_ended() {
    expect_panics();
    in_a_task(|| {
        let ended = AtomicBool::new(false);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            scope(|scope| {
                scope.spawn(|| {
                    sleep(Duration::from_millis(2));
                    ended.store(true, Ordering::SeqCst);
                });
                scope.spawn(|| panic!("expected, in a task"));
                panic!("expected, in the body");
            });
        }));
        assert!(ended.load(Ordering::SeqCst));
        assert_eq!(
            *caught.unwrap_err().downcast::<&str>().unwrap(),
            "expected, in the body"
        );
    });
}

#[test]
fn results_are_dropped_inside_the_scope() {
    expect_panics();
    in_a_task(|| {
        let drops = Drops::new();
        let valid = AtomicBool::new(true);
        let event = ManualResetEvent::new(false);
        scope(|scope| {
            for number in 0..10 {
                let (dropped, valid) = (drops.one(), &valid);
                let result = move || {
                    yield_now();
                    // What the result borrows must be there when it goes.
                    let checked = OnDrop(move || assert!(valid.load(Ordering::SeqCst)));
                    (dropped, checked)
                };
                let handle = scope.spawn(result);
                match number % 3 {
                    0 => drop(handle),
                    1 => {
                        eventually("it has ended", || handle.is_finished());
                        drop(handle);
                    }
                    _ => drop(handle.join().unwrap()),
                }
            }
            // One whose result panics on the way out, after its handle is gone: it harms nobody.
            let handle = scope.spawn(|| {
                event.wait();
                OnDrop(|| panic!("expected, in a result's destructor"))
            });
            drop(handle);
            event.set();
        });
        valid.store(false, Ordering::SeqCst);
        assert_eq!(drops.count(), 10);
    });
}

#[test]
fn an_aborted_task_is_cancelled_and_the_scope_ends_well() {
    in_a_task(|| {
        let drops = Drops::new();
        scope(|scope| {
            let (dropped, other) = (drops.one(), drops.one());
            let joined = scope.spawn(move || {
                let _dropped = dropped;
                park();
            });
            until_waits(joined.task(), WaitReason::Park);
            joined.task().abort();
            assert!(joined.join().unwrap_err().is_cancelled());
            let left = scope.spawn(move || {
                let _dropped = other;
                park();
            });
            left.task().abort();
        });
        assert_eq!(drops.count(), 2);
    });
}

#[test]
fn nothing_cuts_the_wait_for_the_tasks_short() {
    at_workers(|scheduler| {
        for interrupt in ["alert", "cancel", "abort", "unpark"] {
            let open = Arc::new(ManualResetEvent::new(false));
            let (event, passed) = (Arc::clone(&open), Arc::new(AtomicBool::new(false)));
            let tell = Arc::clone(&passed);
            let owner = scheduler.spawn(move || {
                let borrowed = AtomicBool::new(false);
                scope(|scope| {
                    scope.spawn(|| {
                        event.wait();
                        borrowed.store(true, Ordering::SeqCst);
                    });
                });
                assert!(borrowed.load(Ordering::SeqCst));
                tell.store(true, Ordering::SeqCst);
                park_for(Duration::ZERO)
            });
            until_waits(owner.task(), WaitReason::Scope);
            match interrupt {
                "alert" => owner.task().alert(),
                "cancel" => owner.task().cancel(),
                "abort" => owner.task().abort(),
                _ => owner.task().unpark(),
            }
            std::thread::sleep(Duration::from_millis(5));
            assert_eq!(owner.task().wait_reason(), WaitReason::Scope);
            assert!(!passed.load(Ordering::SeqCst));
            open.set();
            // What was asked counts from the next wait on.
            match (interrupt, owner.join()) {
                ("alert", Ok(Wake::Alerted)) | ("cancel", Ok(Wake::Aborted)) => {}
                ("unpark", Ok(Wake::Signalled)) => {}
                ("abort", Err(error)) if error.is_cancelled() => {}
                (_, other) => panic!("after {interrupt}: {other:?}"),
            }
            assert!(passed.load(Ordering::SeqCst));
        }
    });
}

#[test]
fn a_timeout_does_not_cut_the_wait_for_the_tasks_short() {
    in_a_task(|| {
        let ended = AtomicBool::new(false);
        let result = timeout(SHORT, || {
            let borrowed = AtomicBool::new(true);
            scope(|scope| {
                scope.spawn(|| {
                    // It is the owner that has the limit, not its tasks.
                    sleep(3 * SHORT);
                    assert!(borrowed.load(Ordering::SeqCst));
                    ended.store(true, Ordering::SeqCst);
                });
            });
            borrowed.store(false, Ordering::SeqCst);
            assert!(ended.load(Ordering::SeqCst));
            sleep(SHORT)
        });
        assert!(result.is_err(), "the limit counts from the next wait on");
    });
}

#[test]
fn a_shutdown_waits_for_a_scope() {
    // The tasks are aborted like any other; what they borrow is there until they are gone.
    for workers in [1, 2, 4] {
        let scheduler = checked(workers).build().unwrap();
        let drops = Drops::new();
        let states = Arc::new(Mutex::new(Vec::new()));
        let (noted, counted) = (Arc::clone(&states), drops.clone());
        let running = Arc::new(AtomicUsize::new(0));
        let started = Arc::clone(&running);
        let owner = scheduler.spawn(move || {
            let alive = AtomicBool::new(true);
            let _last = OnDrop(|| noted.lock().unwrap().push("owner unwound"));
            scope(|scope| {
                for number in 0..8 {
                    let (dropped, alive, started) = (counted.one(), &alive, &started);
                    scope.spawn(move || {
                        let _check = OnDrop(|| assert!(alive.load(Ordering::SeqCst)));
                        let _dropped = dropped;
                        started.fetch_add(1, Ordering::SeqCst);
                        if number == 0 {
                            // Not aborted while it does not wait.
                            let until = std::time::Instant::now() + SHORT;
                            hog_until(|| std::time::Instant::now() > until);
                        }
                        park();
                    });
                }
            });
            alive.store(false, Ordering::SeqCst);
            noted.lock().unwrap().push("scope ended");
            park();
        });
        eventually("they run", || running.load(Ordering::SeqCst) == 8);
        scheduler.shutdown(LONG).unwrap();
        assert_eq!(drops.count(), 8);
        assert_eq!(*states.lock().unwrap(), ["scope ended", "owner unwound"]);
        assert!(owner.join().unwrap_err().is_cancelled());
    }
}

#[test]
fn tasks_that_never_started_leave_their_scope_at_a_shutdown() {
    let scheduler = checked(1).build().unwrap();
    let drops = Drops::new();
    let counted = drops.clone();
    let (tell, told) = std::sync::mpsc::channel();
    let closing = Arc::new(AtomicBool::new(false));
    let go = Arc::clone(&closing);
    let owner = scheduler.spawn(move || {
        let borrowed = AtomicUsize::new(0);
        scope(|scope| {
            for _ in 0..10 {
                let (dropped, borrowed) = (counted.one(), &borrowed);
                scope.spawn(move || {
                    borrowed.fetch_add(1, Ordering::SeqCst);
                    drop(dropped);
                });
            }
            tell.send(()).unwrap();
            // The only worker stays here until the shutdown has taken them out of the queue.
            hog_until(|| go.load(Ordering::SeqCst));
        });
        assert_eq!(borrowed.into_inner(), 0, "none of them has run");
    });
    told.recv().unwrap();
    std::thread::scope(|threads| {
        let shutdown = threads.spawn(|| scheduler.shutdown(LONG));
        eventually("their closures are dropped", || drops.count() == 10);
        closing.store(true, Ordering::SeqCst);
        shutdown.join().unwrap().unwrap();
    });
    owner.join().unwrap();
}

#[test]
fn a_refused_spawn_leaves_the_scope_whole() {
    with(checked(2).max_tasks(3), |scheduler| {
        scheduler.run(|| {
            let drops = Drops::new();
            let event = ManualResetEvent::new(false);
            scope(|scope| {
                let waits = || {
                    event.wait();
                };
                let (first, second) = (scope.spawn(waits), scope.spawn(waits));
                let dropped = drops.one();
                let refused = scope.try_spawn(move || drop(dropped)).unwrap_err();
                assert!(refused.is_limit());
                assert_eq!(drops.count(), 1);
                event.set();
                first.join().unwrap();
                second.join().unwrap();
            });
        });
    });
}

#[test]
fn a_scope_is_for_tasks() {
    expect_panics();
    let caught = catch_unwind(|| scope(|_| ()));
    assert!(caught.is_err());
}

#[test]
fn many_scopes_at_once() {
    at(4, |scheduler| {
        let tasks: Vec<_> = (0..50)
            .map(|seed| {
                scheduler.spawn(move || {
                    for round in 0..20 {
                        let sum = AtomicUsize::new(0);
                        scope(|scope| {
                            for number in 0..(seed + round) % 5 {
                                let sum = &sum;
                                scope.spawn(move || {
                                    if number % 2 == 0 {
                                        yield_now();
                                    }
                                    sum.fetch_add(number, Ordering::Relaxed);
                                });
                            }
                        });
                        let expected = (0..(seed + round) % 5).sum::<usize>();
                        assert_eq!(sum.into_inner(), expected);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.join().unwrap();
        }
    });
}
