//! Threads from outside that become tasks.

mod common;

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use common::{LONG, at_workers, checked, eventually, until_waits, with};
use fiberhost::scheduler::native::{self, Target};
use fiberhost::scheduler::sync::AutoResetEvent;
use fiberhost::scheduler::{
    Scheduler, WaitReason, Wake, current, park, spawn, task_local, try_current, yield_now,
};

static OUTSIDE: Target = Target::new("code of an adopted thread");

task_local! {
    static COUNT: std::cell::Cell<u32> = std::cell::Cell::new(0);
}

#[test]
fn a_thread_is_a_task_in_callbacks() {
    at_workers(|scheduler| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let scheduler = scheduler.clone();
                let outsider = thread::Builder::new().name("an outsider".into());
                let outsider = outsider.spawn(move || {
                    let adopted = scheduler.adopt().unwrap();
                    let id = adopted.task().id();
                    assert_eq!(current().id(), id);
                    assert_eq!(adopted.task().name().as_deref(), Some("an outsider"));
                    for round in 0..20 {
                        native::callback(|| {
                            assert_eq!(try_current().unwrap().id(), id);
                            yield_now();
                            assert_eq!(spawn(|| 6 * 7).join().unwrap(), 42);
                            COUNT.with(|count| count.set(count.get() + 1));
                            native::section(&OUTSIDE, || native::callback(yield_now));
                        });
                        assert_eq!(COUNT.with(std::cell::Cell::get), round + 1);
                    }
                    let task = adopted.task();
                    assert!(!task.is_finished());
                    drop(adopted);
                    assert!(task.is_finished());
                    assert!(try_current().is_none());
                });
                outsider.expect("the system has a thread")
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn others_wait_for_it_and_wake_it() {
    at_workers(|scheduler| {
        let (sender, receiver) = mpsc::channel();
        let event = Arc::new(AutoResetEvent::new(false));
        let mine = Arc::clone(&event);
        let adopted = {
            let scheduler = scheduler.clone();
            thread::spawn(move || {
                let adopted = scheduler.adopt().unwrap();
                sender.send(adopted.task()).unwrap();
                assert_eq!(native::callback(|| mine.wait()), Wake::Signalled);
                assert_eq!(native::callback(park), Wake::Signalled);
                // Outside callbacks it blocks.
                assert_eq!(park(), Wake::Signalled);
            })
        };
        let task = receiver.recv().unwrap();
        let mine = task.clone();
        let joiner = scheduler.spawn(move || mine.wait());
        until_waits(&task, WaitReason::Event);
        event.set();
        until_waits(&task, WaitReason::Park);
        task.unpark();
        eventually("it goes on", || task.wait_reason() == WaitReason::None);
        task.unpark();
        adopted.join().unwrap();
        joiner.join().unwrap().unwrap();
    });
}

#[test]
fn it_may_stay_adopted_until_it_exits() {
    at_workers(|scheduler| {
        let mine = scheduler.clone();
        let thread = thread::spawn(move || {
            let adopted = mine.adopt().unwrap();
            let task = adopted.task();
            adopted.until_exit();
            native::callback(yield_now);
            task
        });
        let task = thread.join().unwrap();
        task.wait().unwrap();
    });
}

#[test]
fn what_cannot_be_adopted() {
    with(checked(1).max_tasks(1), |scheduler| {
        let mine = scheduler.clone();
        let error = scheduler.run(move || mine.adopt().map(drop).unwrap_err());
        assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
        let adopted = scheduler.adopt().unwrap();
        assert_eq!(
            scheduler.adopt().unwrap_err().kind(),
            std::io::ErrorKind::AlreadyExists
        );
        let mine = scheduler.clone();
        let error = thread::spawn(move || mine.adopt().map(drop).unwrap_err());
        assert_eq!(
            error.join().unwrap().kind(),
            std::io::ErrorKind::QuotaExceeded
        );
        drop(adopted);
        drop(scheduler.adopt().unwrap());
    });
    let scheduler = Scheduler::builder().workers(1).build().unwrap();
    scheduler.shutdown(LONG).unwrap();
    scheduler.adopt().expect_err("it is shut down");
    assert_eq!(scheduler.stats().live(), 0);
}

#[test]
fn a_shutdown_waits_for_it() {
    let scheduler = checked(2).build().unwrap();
    let adopted = scheduler.adopt().unwrap();
    let mine = scheduler.clone();
    let shutdown = thread::spawn(move || mine.shutdown(Duration::from_millis(50)));
    let error = shutdown.join().unwrap().expect_err("this thread is a task");
    assert_eq!(error.survivors().len(), 1);
    // From inside it is refused.
    assert!(
        scheduler
            .shutdown(LONG)
            .expect_err("from inside")
            .is_from_inside()
    );
    assert_eq!(native::callback(park), Wake::Aborted);
    drop(adopted);
    scheduler.shutdown(LONG).unwrap();
}
