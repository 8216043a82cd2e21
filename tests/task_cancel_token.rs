//! Cancel tokens: who is told, when, and for how long.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{LONG, SHORT, at, at_workers, eventually, expect_panics, hog_until, until_waits};
use fiberhost::scheduler::sync::{AutoResetEvent, ManualResetEvent};
use fiberhost::scheduler::{
    Backing, CancelToken, TaskBuilder, WaitReason, Wake, current, park, park_for, sleep, spawn,
    timeout, yield_now,
};

#[test]
fn a_token_is_cancelled_once_and_for_good() {
    let token = CancelToken::new();
    let clone = token.clone();
    assert!(!token.is_cancelled());
    assert_eq!(format!("{token:?}"), "CancelToken { cancelled: false }");
    assert_eq!(token.wait_for(Duration::from_millis(1)), Wake::TimedOut);
    clone.cancel();
    clone.cancel();
    assert!(token.is_cancelled());
    assert_eq!(token.wait(), Wake::Signalled);
    assert_eq!(token.wait_for(Duration::ZERO), Wake::Signalled);
    assert!(!CancelToken::default().is_cancelled());
}

#[test]
fn children_are_cancelled_with_their_parents_and_not_the_other_way() {
    let root = CancelToken::new();
    let (left, right) = (root.child(), root.child());
    let below = left.child();
    right.cancel();
    assert!(right.is_cancelled() && !root.is_cancelled() && !left.is_cancelled());
    // The link in the middle may be gone.
    drop(left);
    root.cancel();
    assert!(below.is_cancelled());
    assert!(root.child().is_cancelled(), "a child that comes late");
    assert!(below.child().child().is_cancelled());
}

#[test]
fn a_deep_tree_and_a_wide_one_are_no_trouble() {
    at(1, |scheduler| {
        // On a small stack.
        let task = scheduler.task().stack_size(32 * 1024).spawn(|| {
            let root = CancelToken::new();
            let mut deepest = root.child();
            for _ in 0..3000 {
                deepest = deepest.child();
            }
            root.cancel();
            assert!(deepest.is_cancelled());
            drop(root);
            drop(deepest);
            let wide = CancelToken::new();
            let kept: Vec<_> = (0..1000).map(|_| wide.child()).collect();
            (0..100_000).for_each(|_| drop(wide.child()));
            wide.cancel();
            assert!(kept.iter().all(CancelToken::is_cancelled));
        });
        task.unwrap().join().unwrap();
    });
}

#[test]
fn all_who_wait_are_told() {
    at_workers(|scheduler| {
        let token = CancelToken::new();
        let child = token.child();
        let tasks: Vec<_> = (0..20)
            .map(|number| {
                let token = if number % 2 == 0 { &token } else { &child };
                let token = token.clone();
                scheduler.spawn(move || {
                    if number % 3 == 0 {
                        token.wait_for(LONG)
                    } else {
                        token.wait()
                    }
                })
            })
            .collect();
        std::thread::scope(|threads| {
            let plain = threads.spawn(|| child.wait());
            for task in &tasks {
                until_waits(task.task(), WaitReason::Cancel);
            }
            std::thread::sleep(Duration::from_millis(2));
            token.cancel();
            assert_eq!(plain.join().unwrap(), Wake::Signalled);
        });
        for task in tasks {
            assert_eq!(task.join().unwrap(), Wake::Signalled);
        }
    });
}

#[test]
fn a_wait_for_a_token_can_be_alerted_and_cancelled() {
    at_workers(|scheduler| {
        let token = CancelToken::new();
        let mine = token.clone();
        let task = scheduler.spawn(move || (mine.wait(), mine.wait(), mine.wait()));
        until_waits(task.task(), WaitReason::Cancel);
        task.task().alert();
        std::thread::sleep(Duration::from_millis(1));
        task.task().cancel();
        let (first, second, third) = task.join().unwrap();
        assert_eq!(first, Wake::Alerted);
        assert_eq!((second, third), (Wake::Aborted, Wake::Aborted));
        token.cancel();
    });
}

#[test]
fn waits_inside_end_when_the_token_is_cancelled() {
    at_workers(|scheduler| {
        for backing in [Backing::Fiber, Backing::Thread] {
            let token = CancelToken::new();
            let mine = token.child();
            let task = scheduler.task().backing(backing).spawn(move || {
                let inside = mine.run_until_cancelled(|| {
                    let event = AutoResetEvent::new(false);
                    let first = park();
                    // It stays so until the closure returns.
                    let rest = [
                        park_for(LONG),
                        sleep(LONG),
                        event.wait(),
                        ManualResetEvent::new(true).wait(),
                    ];
                    let other = spawn(park);
                    assert!(other.task().wait().unwrap_err().is_interrupted());
                    other.task().unpark();
                    assert_eq!(mine.wait(), Wake::Signalled, "this is what it waits for");
                    yield_now();
                    (first, rest)
                });
                // And no longer.
                assert_eq!(park_for(Duration::from_millis(1)), Wake::TimedOut);
                assert_eq!(sleep(Duration::from_micros(10)), Wake::TimedOut);
                inside
            });
            let task = task.unwrap();
            until_waits(task.task(), WaitReason::Park);
            token.cancel();
            let (first, rest) = task.join().unwrap();
            assert_eq!(first, Wake::Aborted);
            assert_eq!(rest, [Wake::Aborted; 4]);
        }
    });
}

#[test]
fn one_that_was_cancelled_before_counts_at_once() {
    at_workers(|scheduler| {
        scheduler.run(|| {
            let token = CancelToken::new();
            token.cancel();
            let inside = token.run_until_cancelled(|| (park(), 5));
            assert_eq!(inside, (Wake::Aborted, 5), "the work runs all the same");
            assert_eq!(park_for(Duration::ZERO), Wake::TimedOut);
            let unused = CancelToken::new();
            assert_eq!(unused.run_until_cancelled(|| 6), 6);
            unused.cancel();
            assert_eq!(park_for(Duration::ZERO), Wake::TimedOut);
        });
    });
}

#[test]
fn scopes_of_several_tokens_nest() {
    at_workers(|scheduler| {
        scheduler.run(|| {
            let (outer, inner) = (CancelToken::new(), CancelToken::new());
            let ended = || park_for(Duration::ZERO) == Wake::Aborted;
            outer.run_until_cancelled(|| {
                assert!(!ended());
                inner.run_until_cancelled(|| {
                    assert!(!ended());
                    inner.cancel();
                    assert!(ended());
                    // The same token once more inside itself.
                    inner.run_until_cancelled(|| assert!(ended()));
                    assert!(ended());
                });
                assert!(!ended(), "only the inner one is cancelled");
                let other = CancelToken::new();
                other.run_until_cancelled(|| {
                    outer.cancel();
                    assert!(ended(), "the outer one counts inside too");
                });
                assert!(ended(), "and goes on after the inner scope");
            });
            assert!(!ended());
            // The same token twice, cancelled in between.
            let twice = CancelToken::new();
            twice.run_until_cancelled(|| {
                twice.run_until_cancelled(|| ());
                assert!(!ended());
                twice.cancel();
                assert!(ended());
            });
            assert!(!ended());
        });
    });
}

#[test]
fn a_panic_and_a_timeout_leave_the_scope() {
    expect_panics();
    at_workers(|scheduler| {
        scheduler.run(|| {
            let token = CancelToken::new();
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                token.run_until_cancelled(|| {
                    token.cancel();
                    panic!("expected");
                })
            }));
            assert!(caught.is_err());
            assert_eq!(park_for(Duration::ZERO), Wake::TimedOut);
            let token = CancelToken::new();
            assert!(timeout(SHORT, || token.run_until_cancelled(park)).is_err());
            token.cancel();
            assert_eq!(park_for(Duration::ZERO), Wake::TimedOut);
        });
        let token = CancelToken::new();
        let mine = token.clone();
        let aborted = scheduler.spawn(move || mine.run_until_cancelled(park));
        until_waits(aborted.task(), WaitReason::Park);
        aborted.abort();
        assert!(aborted.join().unwrap_err().is_cancelled());
        token.cancel();
    });
}

#[test]
fn a_cancelled_task_is_so_outside_too() {
    at_workers(|scheduler| {
        scheduler.run(|| {
            let token = CancelToken::new();
            token.run_until_cancelled(|| {
                current().cancel();
                token.cancel();
                assert_eq!(park(), Wake::Aborted);
            });
            assert_eq!(park(), Wake::Aborted, "the task itself was cancelled");
        });
    });
}

#[test]
fn a_cancel_at_any_moment_is_neither_lost_nor_late() {
    // It falls before the entry, into it, into the wait, into the leave, and after it.
    at_workers(|scheduler| {
        for round in 0..600_u32 {
            let token = CancelToken::new();
            let mine = token.clone();
            let go = Arc::new(AtomicBool::new(false));
            let start = Arc::clone(&go);
            let task = scheduler.spawn(move || {
                start.store(true, Ordering::SeqCst);
                let inside = mine.run_until_cancelled(|| park_for(Duration::from_micros(40)));
                // A late canceller must not reach this wait.
                let outside = park_for(Duration::from_micros(40));
                (inside, outside)
            });
            eventually("it runs", || go.load(Ordering::SeqCst));
            for _ in 0..round % 60 * 50 {
                std::hint::spin_loop();
            }
            token.cancel();
            let (inside, outside) = task.join().unwrap();
            assert!(matches!(inside, Wake::Aborted | Wake::TimedOut));
            assert_eq!(outside, Wake::TimedOut);
        }
        // Never lost: without a limit of its own.
        for round in 0..600_u32 {
            let token = CancelToken::new();
            let mine = token.child();
            let task = scheduler.spawn(move || mine.run_until_cancelled(park));
            for _ in 0..round % 40 * 50 {
                std::hint::spin_loop();
            }
            token.cancel();
            assert_eq!(task.join_for(LONG).unwrap().unwrap(), Wake::Aborted);
        }
    });
}

#[test]
fn tasks_enter_and_leave_while_it_is_cancelled() {
    at(4, |scheduler| {
        for _ in 0..20 {
            let token = CancelToken::new();
            let (told, missed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let tasks: Vec<_> = (0..16)
                .map(|_| {
                    let (token, told, missed) =
                        (token.clone(), Arc::clone(&told), Arc::clone(&missed));
                    scheduler.spawn(move || {
                        while !token.is_cancelled() {
                            token.child().run_until_cancelled(|| {
                                if sleep(Duration::from_micros(20)) == Wake::Aborted {
                                    told.fetch_add(1, Ordering::Relaxed);
                                }
                            });
                            // Outside nobody is told.
                            if sleep(Duration::from_micros(10)) != Wake::TimedOut {
                                missed.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                    })
                })
                .collect();
            std::thread::sleep(Duration::from_millis(1));
            token.cancel();
            for task in tasks {
                task.join().unwrap();
            }
            assert_eq!(missed.load(Ordering::Relaxed), 0);
        }
    });
}

#[test]
fn code_that_does_not_wait_asks() {
    at_workers(|scheduler| {
        let token = CancelToken::new();
        let mine = token.clone();
        let task = scheduler.spawn(move || {
            mine.run_until_cancelled(|| hog_until(|| mine.is_cancelled()));
        });
        std::thread::sleep(Duration::from_millis(1));
        token.cancel();
        task.join().unwrap();
    });
}

#[test]
fn cancelling_many_is_quick() {
    at(2, |scheduler| {
        scheduler.run(|| {
            let token = CancelToken::new();
            let tasks: Vec<_> = (0..2000)
                .map(|_| {
                    let token = token.child();
                    TaskBuilder::new()
                        .spawn(move || token.run_until_cancelled(park))
                        .unwrap()
                })
                .collect();
            eventually("all are parked", || {
                tasks
                    .iter()
                    .all(|task| task.task().wait_reason() == WaitReason::Park)
            });
            let began = Instant::now();
            token.cancel();
            for task in tasks {
                assert_eq!(task.join().unwrap(), Wake::Aborted);
            }
            assert!(began.elapsed() < LONG);
        });
    });
}

#[test]
#[should_panic(expected = "run_until_cancelled is for tasks")]
fn running_until_cancelled_is_for_tasks() {
    CancelToken::new().run_until_cancelled(|| ());
}
