//! Abort, alert and cancel: what they do to a task in each state.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::waits::{Ended, SAYING, SILENT, Waiting};
use common::{
    Drops, LONG, OnDrop, SHORT, at, at_workers, checked, eventually, expect_panics, hog_until,
    until_waits, with_each,
};
use fiberhost::scheduler::sync::{AutoResetEvent, ManualResetEvent};
use fiberhost::scheduler::{
    Backing, JoinHandle, Scheduler, WaitReason, Wake, current, park, park_for, sleep, spawn,
    yield_now,
};

#[test]
fn a_parked_task_is_unwound_in_whatever_it_waits_for() {
    at_workers(|scheduler| {
        for Waiting { name, reason, wait } in SAYING.into_iter().chain(SILENT) {
            let drops = Drops::new();
            let dropped = drops.one();
            let task = scheduler.spawn(move || {
                let _dropped = dropped;
                let ended = wait();
                panic!("{name} returned {ended:?}");
            });
            until_waits(task.task(), reason);
            task.abort();
            assert!(task.join().unwrap_err().is_cancelled(), "{name}");
            assert_eq!(drops.count(), 1, "{name}");
        }
    });
}

#[test]
fn an_abort_at_any_moment_is_neither_lost_nor_early() {
    // No handshake: it falls before, into and after the beginning of the wait.
    at_workers(|scheduler| {
        for Waiting { name, wait, .. } in SAYING.into_iter().chain(SILENT) {
            for round in 0..40_u32 {
                let task = scheduler.spawn(move || {
                    wait();
                });
                for _ in 0..round * 20 {
                    std::hint::spin_loop();
                }
                task.abort();
                let ended = task.join_for(LONG).expect(name);
                assert!(ended.unwrap_err().is_cancelled(), "{name}");
            }
        }
    });
}

#[test]
fn a_cancelled_task_is_told_in_whatever_it_waits_for() {
    at_workers(|scheduler| {
        for Waiting { name, reason, wait } in SAYING {
            let task = scheduler.spawn(move || {
                // It stays cancelled: the second time the wait ends before it began.
                (wait(), wait())
            });
            until_waits(task.task(), reason);
            task.task().cancel();
            let (first, second) = task.join().unwrap();
            for ended in [first, second] {
                let expected = [Ended::By(Wake::Aborted), Ended::Interrupted];
                assert!(expected.contains(&ended), "{name}: {ended:?}");
            }
        }
    });
}

#[test]
fn an_alert_ends_one_wait_whatever_it_is_for() {
    at_workers(|scheduler| {
        for Waiting { name, reason, wait } in SAYING {
            let task = scheduler.spawn(move || (wait(), park_for(Duration::from_millis(2))));
            until_waits(task.task(), reason);
            task.task().alert();
            let (ended, next) = task.join().unwrap();
            let expected = [Ended::By(Wake::Alerted), Ended::Interrupted];
            assert!(expected.contains(&ended), "{name}: {ended:?}");
            assert_eq!(next, Wake::TimedOut, "{name}: one alert, one wait");
        }
    });
}

#[test]
fn one_alert_never_ends_two_waits() {
    // It falls into the change from one wait to the next.
    at_workers(|scheduler| {
        let stop = Arc::new(AtomicBool::new(false));
        let (seen, quit) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&stop));
        let counted = Arc::clone(&seen);
        let task = scheduler.spawn(move || {
            while !quit.load(Ordering::Relaxed) {
                if park_for(Duration::from_micros(30)) == Wake::Alerted {
                    counted.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        for sent in 1..=2000 {
            task.task().alert();
            eventually("the alert arrives", || seen.load(Ordering::SeqCst) >= sent);
            assert_eq!(seen.load(Ordering::SeqCst), sent);
        }
        stop.store(true, Ordering::Relaxed);
        task.join().unwrap();
    });
}

#[test]
fn an_alert_stays_until_a_wait_takes_it() {
    at_workers(|scheduler| {
        scheduler.run(|| {
            current().alert();
            current().alert();
            yield_now();
            let event = AutoResetEvent::new(true);
            assert_eq!(event.wait(), Wake::Alerted, "before the event is looked at");
            assert_eq!(
                event.wait_for(SHORT),
                Wake::Signalled,
                "the event is untouched"
            );
            assert_eq!(park_for(Duration::from_millis(1)), Wake::TimedOut);
            current().alert();
            assert_eq!(sleep(LONG), Wake::Alerted);
            current().alert();
            current().unpark();
            assert_eq!(park(), Wake::Alerted);
            assert_eq!(park(), Wake::Signalled, "the permit is still there");
        });
    });
}

#[test]
fn a_task_that_was_aborted_before_it_started_ends_at_its_first_wait() {
    at(1, |scheduler| {
        let go = Arc::new(AtomicBool::new(false));
        let hogged = Arc::clone(&go);
        let hog = scheduler.spawn(move || hog_until(|| hogged.load(Ordering::SeqCst)));
        let started = Arc::new(AtomicBool::new(false));
        let tell = Arc::clone(&started);
        let waits = scheduler.spawn(move || {
            tell.store(true, Ordering::SeqCst);
            park();
            unreachable!("its first wait unwinds it");
        });
        let computes = scheduler.spawn(|| 5);
        waits.abort();
        computes.abort();
        go.store(true, Ordering::SeqCst);
        hog.join().unwrap();
        assert!(waits.join().unwrap_err().is_cancelled());
        assert!(started.load(Ordering::SeqCst));
        assert_eq!(computes.join().unwrap(), 5, "it never waits");
    });
}

#[test]
fn a_running_task_goes_on_to_its_next_wait() {
    at_workers(|scheduler| {
        let aborted = Arc::new(AtomicBool::new(false));
        let go = Arc::clone(&aborted);
        let (steps, running) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (count, tell) = (Arc::clone(&steps), Arc::clone(&running));
        let task = scheduler.spawn(move || {
            tell.store(true, Ordering::SeqCst);
            hog_until(|| go.load(Ordering::SeqCst));
            count.fetch_add(1, Ordering::SeqCst);
            yield_now();
            count.fetch_add(1, Ordering::SeqCst);
        });
        eventually("it runs", || running.load(Ordering::SeqCst));
        task.abort();
        std::thread::sleep(Duration::from_millis(2));
        assert!(!task.is_finished());
        aborted.store(true, Ordering::SeqCst);
        assert!(task.join().unwrap_err().is_cancelled());
        assert_eq!(steps.load(Ordering::SeqCst), 1, "a yield is where it ends");
    });
}

#[test]
fn one_that_catches_the_unwinding_is_unwound_again_at_its_next_wait() {
    at_workers(|scheduler| {
        let caught = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&caught);
        let task = scheduler.spawn(move || {
            for wait in [
                park as fn() -> Wake,
                || sleep(LONG),
                || AutoResetEvent::new(true).wait(),
            ] {
                assert!(catch_unwind(wait).is_err());
                assert!(!std::thread::panicking());
                count.fetch_add(1, Ordering::SeqCst);
            }
            park();
        });
        until_waits(task.task(), WaitReason::Park);
        task.abort();
        assert!(task.join().unwrap_err().is_cancelled());
        assert_eq!(caught.load(Ordering::SeqCst), 3);
        let stubborn = scheduler.spawn(|| catch_unwind(park).is_err());
        until_waits(stubborn.task(), WaitReason::Park);
        stubborn.abort();
        assert!(stubborn.join().unwrap(), "one that then ends has a result");
    });
}

#[test]
fn aborting_twice_or_after_the_end_does_nothing_more() {
    at_workers(|scheduler| {
        let task = scheduler.spawn(park);
        let reference = task.task().clone();
        (0..3).for_each(|_| reference.abort());
        assert!(task.join().unwrap_err().is_cancelled());
        reference.abort();
        reference.cancel();
        reference.alert();
        reference.unpark();
        drop(reference);
        // The record is used again, and nothing of the old task sticks to it.
        for _ in 0..200 {
            let next = scheduler.spawn(|| park_for(Duration::ZERO));
            assert_eq!(next.join().unwrap(), Wake::TimedOut);
        }
    });
}

#[test]
fn nothing_of_a_task_sticks_to_a_plain_thread_that_gets_its_record() {
    at_workers(|scheduler| {
        let tasks: Vec<_> = (0..300)
            .map(|_| {
                let task = scheduler.spawn(|| ());
                task.task().unpark();
                task.task().alert();
                task.task().cancel();
                task
            })
            .collect();
        for task in tasks {
            task.join().unwrap();
        }
        for _ in 0..100 {
            let thread = std::thread::spawn(|| park_for(Duration::from_micros(100)));
            assert_eq!(thread.join().unwrap(), Wake::TimedOut);
        }
    });
}

/// On fibers nobody else runs there meanwhile; a thread of the task's own is nobody else's.
#[test]
fn a_wait_in_a_destructor_while_panicking_blocks_the_thread() {
    expect_panics();
    with_each(checked(1), |scheduler, backing| {
        let turns = Arc::new(AtomicUsize::new(0));
        let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::clone(&turns));
        let quit = Arc::clone(&stop);
        let other = scheduler.spawn(move || {
            while !quit.load(Ordering::SeqCst) {
                count.fetch_add(1, Ordering::SeqCst);
                yield_now();
            }
        });
        for abort in [false, true] {
            let ends = Arc::new(Mutex::new(Vec::new()));
            let (noted, turns) = (Arc::clone(&ends), Arc::clone(&turns));
            let event = Arc::new(AutoResetEvent::new(false));
            let (signal, entered) = (Arc::clone(&event), Arc::new(AtomicBool::new(false)));
            let tell = Arc::clone(&entered);
            let task = scheduler.spawn(move || {
                let _waits = OnDrop(move || {
                    let before = turns.load(Ordering::SeqCst);
                    let mut ends = noted.lock().unwrap();
                    ends.push(event.wait_for(Duration::from_millis(3)));
                    ends.push(park_for(Duration::from_millis(3)));
                    ends.push(sleep(Duration::from_millis(3)));
                    yield_now();
                    tell.store(true, Ordering::SeqCst);
                    ends.push(event.wait());
                    ends.push(park());
                    let after = turns.load(Ordering::SeqCst);
                    assert!(
                        after == before || backing == Backing::Thread,
                        "another task ran on the only worker"
                    );
                });
                if abort {
                    park();
                }
                panic!("expected");
            });
            if abort {
                until_waits(task.task(), WaitReason::Park);
                task.abort();
            }
            eventually("it waits in the destructor", || {
                entered.load(Ordering::SeqCst)
            });
            // Neither of these ends a wait of a task that is panicking.
            task.task().alert();
            task.abort();
            std::thread::sleep(Duration::from_millis(5));
            signal.set();
            std::thread::sleep(Duration::from_millis(5));
            task.task().unpark();
            let error = task.join_for(LONG).expect("its waits end").unwrap_err();
            assert_eq!(error.is_cancelled(), abort, "{error}");
            let (late, in_time) = (Wake::TimedOut, Wake::Signalled);
            assert_eq!(*ends.lock().unwrap(), [late, late, late, in_time, in_time]);
        }
        stop.store(true, Ordering::SeqCst);
        other.join().unwrap();
    });
}

#[test]
fn a_join_in_a_destructor_while_panicking_blocks_the_thread() {
    expect_panics();
    at(2, |scheduler| {
        let event = Arc::new(ManualResetEvent::new(false));
        let (open, apart) = (Arc::clone(&event), Arc::new(AtomicUsize::new(0)));
        let first = Arc::clone(&apart);
        let other = scheduler.spawn(move || {
            // It keeps its worker until the second one has started elsewhere: nobody may wait so for a task of its own thread.
            first.fetch_add(1, Ordering::SeqCst);
            hog_until(|| first.load(Ordering::SeqCst) == 2);
            open.wait();
            9
        });
        eventually("it runs", || apart.load(Ordering::SeqCst) == 1);
        let slot = Arc::new(Mutex::new(None));
        let result = Arc::clone(&slot);
        let mut other = Some(other);
        let task = scheduler.spawn(move || {
            let _joins = OnDrop(|| {
                let joined = other.take().unwrap().join_for(LONG);
                *result.lock().unwrap() = joined.ok().and_then(Result::ok);
            });
            apart.fetch_add(1, Ordering::SeqCst);
            event.set();
            panic!("expected");
        });
        assert!(task.join().unwrap_err().is_panic());
        assert_eq!(*slot.lock().unwrap(), Some(9));
    });
}

#[test]
fn the_panic_count_of_a_thread_is_its_own() {
    expect_panics();
    at_workers(|scheduler| {
        let tasks: Vec<_> = (0..30)
            .map(|number| {
                scheduler.spawn(move || {
                    for _ in 0..5 {
                        let caught = catch_unwind(AssertUnwindSafe(|| {
                            let _yields = OnDrop(|| {
                                // No other task may run now: it would find itself panicking.
                                yield_now();
                                sleep(Duration::from_micros(10));
                            });
                            panic!("expected, of task {number}", number = "n");
                        }));
                        assert!(caught.is_err());
                        assert!(!std::thread::panicking(), "task {number}");
                        yield_now();
                        assert!(!std::thread::panicking(), "task {number}");
                    }
                })
            })
            .collect();
        for task in tasks {
            task.join().unwrap();
        }
    });
}

#[test]
fn an_aborted_task_takes_its_children_with_it_only_if_it_says_so() {
    at_workers(|scheduler| {
        let (tell, told) = std::sync::mpsc::channel();
        let task = scheduler.spawn(move || {
            let child = spawn(park);
            tell.send(child.task().clone()).unwrap();
            child.join()
        });
        let child = told.recv().unwrap();
        until_waits(task.task(), WaitReason::Join);
        task.abort();
        assert!(task.join().unwrap_err().is_cancelled());
        assert!(!child.is_finished());
        child.unpark();
        child.wait().unwrap();
    });
}

#[test]
fn an_abort_is_quick_among_many() {
    at(2, |scheduler| {
        let tasks: Vec<_> = (0..500).map(|_| scheduler.spawn(park)).collect();
        eventually("all are parked", || {
            tasks
                .iter()
                .all(|task| task.task().wait_reason() == WaitReason::Park)
        });
        let began = Instant::now();
        tasks.iter().for_each(JoinHandle::abort);
        for task in tasks {
            assert!(task.join().unwrap_err().is_cancelled());
        }
        assert!(began.elapsed() < LONG);
    });
}

#[test]
fn a_task_may_abort_itself() {
    at_workers(|scheduler| {
        let task = scheduler.spawn(|| {
            current().abort();
            let here = Scheduler::current().is_some();
            yield_now();
            here
        });
        assert!(task.join().unwrap_err().is_cancelled());
    });
}
