//! Waits for code that must not be unwound: what they heed, and that they say how they ended.

mod common;

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use common::{LONG, SHORT, at, at_workers, eventually, until_waits};
use fiberhost::scheduler::sync::{AutoResetEvent, ManualResetEvent, RawMutex, Semaphore};
use fiberhost::scheduler::{
    Heed, Scheduler, TaskRef, WaitReason, Wake, current, native, sleep_heeding, spawn,
    thread_alerts, yield_now, yield_to_others,
};

/// One of each, none of which ends by itself, with its reason.
fn waits() -> Vec<(
    WaitReason,
    Box<dyn Fn(Option<Duration>, Heed) -> Wake + Send>,
)> {
    let (auto, manual) = (AutoResetEvent::new(false), ManualResetEvent::new(false));
    let permits = Semaphore::new(0);
    vec![
        (
            WaitReason::Event,
            Box::new(move |limit, heed| auto.wait_heeding(limit, heed)),
        ),
        (
            WaitReason::Event,
            Box::new(move |limit, heed| manual.wait_heeding(limit, heed)),
        ),
        (
            WaitReason::Semaphore,
            Box::new(move |limit, heed| permits.wait_heeding(limit, heed)),
        ),
        (WaitReason::Sleep, Box::new(sleep_heeding)),
    ]
}

const TICK: Option<Duration> = Some(Duration::from_millis(1));

#[test]
fn an_abort_ends_the_wait_without_unwinding() {
    at_workers(|scheduler| {
        for heed in [Heed::Cancel, Heed::Alert] {
            for (reason, wait) in waits() {
                let task = scheduler.spawn(move || {
                    let during = wait(None, heed);
                    // Those that follow end at once, and this code goes on to its end.
                    let after = wait(None, heed);
                    (during, after, wait(TICK, Heed::Nothing))
                });
                until_waits(task.task(), reason);
                task.abort();
                let ended = task.join().expect("it was not unwound");
                assert_eq!(ended, (Wake::Aborted, Wake::Aborted, Wake::TimedOut));
            }
        }
    });
}

#[test]
fn an_alert_is_left_for_the_wait_that_heeds_it() {
    at_workers(|scheduler| {
        for (_, wait) in waits() {
            let ended = scheduler.run(move || {
                current().alert();
                current().alert();
                [Heed::Nothing, Heed::Cancel, Heed::Alert, Heed::Alert].map(|heed| wait(TICK, heed))
            });
            assert_eq!(
                ended,
                [
                    Wake::TimedOut,
                    Wake::TimedOut,
                    Wake::Alerted,
                    Wake::TimedOut
                ]
            );
        }
    });
}

#[test]
fn an_alert_passes_by_a_wait_that_does_not_heed_it() {
    at_workers(|scheduler| {
        let event = Arc::new(AutoResetEvent::new(false));
        for heed in [Heed::Nothing, Heed::Cancel] {
            let waiter = {
                let event = Arc::clone(&event);
                scheduler.spawn(move || {
                    let first = event.wait_heeding(None, heed);
                    (first, event.wait_heeding(None, Heed::Alert))
                })
            };
            until_waits(waiter.task(), WaitReason::Event);
            waiter.task().alert();
            event.set();
            assert_eq!(waiter.join().unwrap(), (Wake::Signalled, Wake::Alerted));
        }
    });
}

#[test]
fn a_wait_that_heeds_nothing_survives_its_scheduler() {
    let _watchdog = common::Watchdog::new("a survivor".into());
    let scheduler = Scheduler::builder().workers(1).build().expect("a thread");
    let event = Arc::new(ManualResetEvent::new(false));
    let task = {
        let event = Arc::clone(&event);
        scheduler.spawn(move || event.wait_heeding(None, Heed::Nothing))
    };
    until_waits(task.task(), WaitReason::Event);
    let error = scheduler.shutdown(SHORT).expect_err("it is left");
    assert_eq!(error.survivors(), std::slice::from_ref(task.task()));
    event.set();
    assert_eq!(task.join().expect("it was not unwound"), Wake::Signalled);
    scheduler.shutdown(LONG).expect("nothing is left now");
}

/// A plain thread ignores alerts until it asks for them.
#[test]
fn a_plain_thread_can_ask_to_be_alerted() {
    for (_, wait) in waits() {
        let (tell, told) = channel::<TaskRef>();
        let thread = thread::spawn(move || {
            current().alert();
            let deaf = wait(TICK, Heed::Alert);
            let alerts = thread_alerts();
            let remembered = wait(None, Heed::Alert);
            let inner = thread_alerts();
            assert_eq!(*inner.thread(), current());
            drop(inner);
            tell.send(alerts.thread().clone())
                .expect("the test waits for it");
            (
                deaf,
                remembered,
                wait(None, Heed::Alert),
                wait(TICK, Heed::Alert),
            )
        });
        let record = told.recv().expect("it has told");
        thread::sleep(Duration::from_millis(1));
        record.alert();
        let ended = thread.join().expect("no panic");
        assert_eq!(
            ended,
            (Wake::TimedOut, Wake::Alerted, Wake::Alerted, Wake::TimedOut)
        );
    }
}

/// A task that owns its thread sleeps with it, and waits like any other.
#[test]
fn a_task_that_owns_its_thread_is_alerted_and_aborted_like_others() {
    at_workers(|scheduler| {
        for (reason, wait) in waits() {
            let (tell, told) = channel::<()>();
            let task = scheduler.spawn(move || {
                let _own = native::own();
                let first = wait(None, Heed::Alert);
                tell.send(()).expect("the test waits for it");
                (first, wait(None, Heed::Cancel))
            });
            until_waits(task.task(), reason);
            task.task().alert();
            told.recv().expect("the alert has ended the first one");
            until_waits(task.task(), reason);
            task.abort();
            let ended = task.join().expect("it was not unwound");
            assert_eq!(ended, (Wake::Alerted, Wake::Aborted));
        }
    });
}

/// In a native section a task blocks its thread: whoever wants to alert it alerts the thread, for as long as it says so.
#[test]
fn the_thread_of_a_task_in_a_section_can_be_alerted() {
    static SECTION: native::Target = native::Target::new("a wait in a section");
    at_workers(|scheduler| {
        for (_, wait) in waits() {
            let (tell, told) = channel::<TaskRef>();
            let section = move || {
                let deaf = wait(TICK, Heed::Alert);
                let alerts = thread_alerts();
                tell.send(alerts.thread().clone())
                    .expect("the test waits for it");
                let during = wait(None, Heed::Alert);
                alerts.thread().alert();
                let remembered = wait(None, Heed::Alert);
                alerts.thread().alert();
                drop(alerts);
                (deaf, during, remembered, wait(TICK, Heed::Alert))
            };
            let task = scheduler.spawn(move || native::section(&SECTION, section));
            let thread = told.recv().expect("it has told");
            thread::sleep(Duration::from_millis(1));
            thread.alert();
            let ended = task.join().expect("no panic");
            assert_eq!(
                ended,
                (Wake::TimedOut, Wake::Alerted, Wake::Alerted, Wake::TimedOut)
            );
        }
    });
}

/// The record of a thread goes to others when it ends: what it asked for does not go with it.
#[test]
fn a_new_thread_has_asked_for_nothing() {
    for _ in 0..50 {
        let asked = thread::spawn(|| {
            std::mem::forget(thread_alerts());
        });
        asked.join().expect("no panic");
        let other = thread::spawn(|| {
            current().alert();
            AutoResetEvent::new(false).wait_heeding(TICK, Heed::Alert)
        });
        assert_eq!(other.join().expect("no panic"), Wake::TimedOut);
    }
}

#[test]
fn a_lock_is_waited_for_whatever_happens() {
    at_workers(|scheduler| {
        let lock = Arc::new(RawMutex::new());
        lock.lock();
        let waiter = {
            let lock = Arc::clone(&lock);
            scheduler.spawn(move || {
                lock.lock_through();
                assert!(lock.is_mine());
                lock.unlock().expect("it is mine");
                current().id()
            })
        };
        until_waits(waiter.task(), WaitReason::Mutex);
        waiter.task().alert();
        waiter.abort();
        thread::sleep(Duration::from_millis(2));
        assert!(!waiter.is_finished());
        lock.unlock().expect("it is mine");
        waiter.join().expect("it was not unwound");
        assert!(!lock.is_locked());
    });
}

#[test]
fn permits_come_up_to_the_most_and_go_to_who_waits() {
    at_workers(|scheduler| {
        let permits = Arc::new(Semaphore::new(1));
        assert_eq!(
            (permits.add_within(2, 3), permits.add_within(1, 3)),
            (Ok(1), Err(3))
        );
        assert_eq!(permits.add_within(usize::MAX, usize::MAX), Err(3));
        for _ in 0..3 {
            assert_eq!(
                permits.wait_heeding(Some(Duration::ZERO), Heed::Nothing),
                Wake::Signalled
            );
        }
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let permits = Arc::clone(&permits);
                scheduler.spawn(move || permits.wait_heeding(None, Heed::Nothing))
            })
            .collect();
        eventually("all of them wait", || permits.waiters() == 3);
        assert_eq!(permits.add_within(3, 3), Ok(0));
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), Wake::Signalled);
        }
        assert_eq!(permits.available(), 0);
    });
}

#[test]
fn who_yields_to_others_knows_whether_there_were_any() {
    assert!(!yield_to_others(), "a plain thread yields to nobody");
    at(1, |scheduler| {
        let (alone, others) = scheduler.run(|| {
            eventually("nobody else is there", || !yield_to_others());
            let alone = yield_to_others();
            let other = spawn(|| {
                for _ in 0..100 {
                    yield_now();
                }
            });
            let others = yield_to_others();
            other.join().unwrap();
            (alone, others)
        });
        assert_eq!((alone, others), (false, true));
        // An abort does not unwind here.
        let aborted = scheduler.spawn(|| {
            current().abort();
            yield_to_others()
        });
        assert!(!aborted.join().expect("it was not unwound"));
    });
}
