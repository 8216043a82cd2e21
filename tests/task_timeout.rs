//! `timeout`: one limit on all waits of a piece of work.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{Drops, LONG, SHORT, at_workers, expect_panics, hog_until};
use fiberhost::scheduler::sync::{AutoResetEvent, ManualResetEvent};
use fiberhost::scheduler::{
    CancelToken, Elapsed, JoinSet, Wake, current, park, park_for, sleep, spawn, timeout, yield_now,
};

/// Runs a test as a task on each scheduler.
fn in_a_task(test: impl Fn() + Copy + Send + 'static) {
    at_workers(|scheduler| scheduler.run(test));
}

#[test]
fn it_ends_every_kind_of_wait() {
    in_a_task(|| {
        let waits: [(&str, fn()); 7] = [
            ("park", || {
                park();
            }),
            ("a longer limit", || _ = park_for(LONG)),
            ("sleep", || _ = sleep(LONG)),
            ("event", || _ = AutoResetEvent::new(false).wait()),
            ("manual event", || _ = ManualResetEvent::new(false).wait()),
            ("join set", || {
                let mut set = JoinSet::new();
                set.spawn(park);
                drop(set.join_next());
            }),
            ("token", || _ = CancelToken::new().wait()),
        ];
        for (name, wait) in waits {
            let drops = Drops::new();
            let dropped = drops.one();
            let began = Instant::now();
            let result = timeout(SHORT, || {
                let _dropped = dropped;
                wait();
            });
            assert!(result.is_err(), "{name}");
            assert!(began.elapsed() >= SHORT && began.elapsed() < LONG, "{name}");
            assert_eq!(drops.count(), 1, "{name}");
        }
        let other = spawn(park);
        let task = other.task().clone();
        let joined: Result<_, Elapsed> = timeout(SHORT, || other.join());
        assert_eq!(joined.unwrap_err().to_string(), "the time limit passed");
        assert!(!task.is_finished(), "only the waiter has a limit");
        task.unpark();
        task.wait().unwrap();
        // Nothing of it is left.
        assert_eq!(park_for(Duration::from_millis(1)), Wake::TimedOut);
    });
}

#[test]
fn work_in_time_is_as_without_it() {
    expect_panics();
    in_a_task(|| {
        let value = timeout(LONG, || {
            yield_now();
            sleep(Duration::from_micros(100));
            assert_eq!(park_for(Duration::from_millis(1)), Wake::TimedOut);
            7
        });
        assert_eq!(value, Ok(7));
        let caught = catch_unwind(AssertUnwindSafe(|| timeout(LONG, || panic!("expected"))));
        assert_eq!(*caught.unwrap_err().downcast::<&str>().unwrap(), "expected");
        assert_eq!(timeout(Duration::MAX, || 8), Ok(8));
        // Late, but it never waited.
        let late = timeout(Duration::from_millis(1), || {
            let until = Instant::now() + Duration::from_millis(3);
            hog_until(|| Instant::now() > until);
            9
        });
        assert_eq!(late, Ok(9));
    });
}

#[test]
fn a_limit_of_nothing_ends_the_first_wait() {
    in_a_task(|| {
        assert_eq!(timeout(Duration::ZERO, || 1), Ok(1));
        assert!(timeout(Duration::ZERO, park).is_err());
        current().unpark();
        assert_eq!(
            timeout(Duration::ZERO, park),
            Ok(Wake::Signalled),
            "it does not have to wait"
        );
    });
}

#[test]
fn a_shorter_limit_of_a_wait_of_its_own_only_ends_that_wait() {
    in_a_task(|| {
        let result = timeout(LONG, || {
            let event = AutoResetEvent::new(false);
            let first = event.wait_for(Duration::from_millis(1));
            event.set();
            (first, event.wait_for(LONG))
        });
        assert_eq!(result, Ok((Wake::TimedOut, Wake::Signalled)));
    });
}

#[test]
fn the_earliest_of_nested_limits_counts() {
    in_a_task(|| {
        // The inner one passes first: the outer work goes on.
        let outer = timeout(LONG, || {
            let inner = timeout(SHORT, park);
            assert!(inner.is_err());
            park_for(Duration::from_millis(1))
        });
        assert_eq!(outer, Ok(Wake::TimedOut));
        // The outer one passes first: the unwinding goes through the inner one.
        let began = Instant::now();
        let outer = timeout(SHORT, || {
            let inner = timeout(LONG, park);
            unreachable!("the inner limit has not passed: {inner:?}")
        });
        let outer: Result<(), Elapsed> = outer;
        assert!(outer.is_err() && began.elapsed() < LONG);
        // Both have passed.
        let both: Result<(), Elapsed> = timeout(SHORT, || {
            let inner = timeout(SHORT, || {
                let until = Instant::now() + 2 * SHORT;
                hog_until(|| Instant::now() > until);
                park()
            });
            unreachable!("the outer limit has passed as well: {inner:?}")
        });
        assert!(both.is_err());
        // A limit is lifted where its work ends.
        assert_eq!(timeout(SHORT, || 1), Ok(1));
        assert_eq!(sleep(2 * SHORT), Wake::TimedOut);
    });
}

#[test]
fn one_that_catches_the_unwinding_meets_it_again() {
    in_a_task(|| {
        let result: Result<(), Elapsed> = timeout(SHORT, || {
            for _ in 0..3 {
                assert!(catch_unwind(park).is_err());
            }
            park();
            unreachable!("the limit has passed");
        });
        assert!(result.is_err());
        let result = timeout(SHORT, || catch_unwind(park).is_err());
        assert_eq!(result, Ok(true), "it need not wait again");
    });
}

#[test]
fn an_abort_and_an_alert_go_through_it() {
    at_workers(|scheduler| {
        let (alerted, ran_on) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicBool::new(false)),
        );
        let (tell, ran) = (Arc::clone(&alerted), Arc::clone(&ran_on));
        let task = scheduler.spawn(move || {
            let result = timeout(LONG, || {
                assert_eq!(park(), Wake::Alerted);
                tell.store(true, Ordering::SeqCst);
                park();
            });
            ran.store(true, Ordering::SeqCst);
            result
        });
        task.task().alert();
        common::eventually("it was alerted", || alerted.load(Ordering::SeqCst));
        task.abort();
        assert!(task.join().unwrap_err().is_cancelled());
        assert!(!ran_on.load(Ordering::SeqCst), "an abort is no time limit");
    });
}

#[test]
fn signal_and_limit_at_the_same_moment_lose_neither() {
    // The event is set about when the limit passes: either the work has it, or it is still there.
    at_workers(|scheduler| {
        let event = Arc::new(AutoResetEvent::new(false));
        for round in 0..300_u64 {
            let (set, wait) = (Arc::clone(&event), Arc::clone(&event));
            let limit = Duration::from_micros(50 + round % 7 * 10);
            let waiter = scheduler.spawn(move || timeout(limit, || wait.wait()));
            let setter = scheduler.spawn(move || {
                sleep(Duration::from_micros(50 + round % 5 * 10));
                set.set();
            });
            setter.join().unwrap();
            match waiter.join().unwrap() {
                Ok(wake) => {
                    assert_eq!(wake, Wake::Signalled);
                    assert!(!event.reset(), "one set lets one through");
                }
                Err(_) => assert!(event.reset(), "nobody took the set"),
            }
        }
    });
}

#[test]
fn many_limits_at_once() {
    at_workers(|scheduler| {
        let tasks: Vec<_> = (0..500_u64)
            .map(|number| {
                scheduler.spawn(move || {
                    let limit = Duration::from_micros(number * 37 % 5000);
                    let began = Instant::now();
                    assert!(timeout(limit, park).is_err());
                    assert!(began.elapsed() >= limit);
                })
            })
            .collect();
        for task in tasks {
            task.join().unwrap();
        }
    });
}
