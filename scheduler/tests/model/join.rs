//! The end of a task against those who wait for it, and the references to its record.

use std::time::Duration;

use fiberhost_scheduler::model::{Plain, Record, Sleeper, Waiter, records_in_use};
use fiberhost_scheduler::{Wake, park_for};
use std::sync::Arc;

use super::explore::{Bounds, explore, thread};

/// The end comes before, during or after the wait for it begins; what the task did is visible.
#[test]
fn a_joiner_sees_the_end() {
    explore(Bounds::protocol(20), || {
        let task = Record::spawned();
        let done = Arc::new(Plain::new(false));
        let handle = task.handle();
        let worker = {
            let done = done.clone();
            thread::spawn(move || {
                done.set(true);
                task.complete();
            })
        };
        handle.wait().unwrap();
        assert!(handle.is_finished() && done.get());
        drop(handle);
        worker.join().unwrap();
        assert_eq!(records_in_use(), 0, "the record went back once");
    });
}

/// Several wait, and all are woken.
#[test]
fn several_joiners_see_the_end() {
    explore(Bounds::protocol(500).preemptions(2), || {
        let task = Record::spawned();
        let handle = task.handle();
        let other = {
            let handle = handle.clone();
            thread::spawn(move || handle.wait().unwrap())
        };
        let worker = thread::spawn(move || task.complete());
        handle.wait().unwrap();
        drop(handle);
        other.join().unwrap();
        worker.join().unwrap();
        assert_eq!(records_in_use(), 0);
    });
}

/// A joiner gives up while the task ends: it is not woken later, and another joiner is woken.
#[test]
fn a_joiner_that_gives_up_is_left_alone() {
    explore(Bounds::protocol(200).preemptions(2), || {
        let task = Record::spawned();
        let handle = task.handle();
        let patient = {
            let handle = handle.clone();
            thread::spawn(move || handle.wait().unwrap())
        };
        let worker = thread::spawn(move || task.complete());
        let seen = handle.wait_for(Duration::ZERO).unwrap();
        assert!(!seen || handle.is_finished());
        drop(handle);
        assert_eq!(
            park_for(Duration::ZERO),
            Wake::TimedOut,
            "this wait is another one"
        );
        patient.join().unwrap();
        worker.join().unwrap();
        assert_eq!(records_in_use(), 0);
    });
}

/// The record of a task that somebody gave up waiting for becomes another task's, for which it waits: that is another wait.
#[test]
fn the_end_of_one_task_is_not_taken_for_the_next_ones() {
    explore(Bounds::protocol(200), || {
        let first = Record::spawned();
        let handle = first.handle();
        let worker = thread::spawn(move || first.complete());
        while !handle.wait_for(Duration::ZERO).unwrap() {
            if handle.is_finished() {
                break;
            }
            thread::yield_now();
        }
        drop(handle);
        let second = Record::spawned();
        let handle = second.handle();
        let other = thread::spawn(move || {
            second.complete();
        });
        handle.wait().unwrap();
        assert!(handle.is_finished(), "the second one has ended");
        drop(handle);
        worker.join().unwrap();
        other.join().unwrap();
        assert_eq!(records_in_use(), 0);
    });
}

/// References are taken and given back by several threads while the task ends; the last one recycles, alone.
#[test]
fn the_last_reference_recycles_the_record() {
    explore(Bounds::protocol(50), || {
        let task = Record::spawned();
        let handle = task.handle();
        let id = handle.id();
        let others = [(); 2].map(|()| {
            let handle = handle.clone();
            thread::spawn(move || assert_eq!(handle.clone().id(), id))
        });
        task.complete();
        drop(handle);
        // Perhaps the same record, if it was recycled: then nobody looks at it any more.
        let next = Record::spawned();
        for thread in others {
            thread.join().unwrap();
        }
        drop(next.handle());
        next.complete();
        assert_eq!(records_in_use(), 0);
    });
}

/// A thread that is no task ends, while another one gives its reference back and a third looks at all records: the record
/// goes to the pool once, and nobody keeps it there.
#[test]
fn the_record_of_a_thread_that_has_ended_is_nobodys() {
    explore(Bounds::protocol(50), || {
        let record = Record::of_thread();
        let reference = record.keep();
        let others = [
            thread::spawn(move || drop(reference)),
            thread::spawn(move || {
                record.look();
            }),
        ];
        record.complete();
        for thread in others {
            thread.join().unwrap();
        }
        assert!(!record.look(), "it is kept in the pool");
        assert_eq!(records_in_use(), 0);
    });
}

/// Who finds a record that has ended has taken nothing, and gives nothing back.
#[test]
fn a_look_at_a_task_that_ends_takes_nothing_from_others() {
    explore(Bounds::protocol(10), || {
        let task = Record::spawned();
        let handle = task.handle();
        let looker = thread::spawn(move || {
            task.look();
        });
        task.complete();
        assert!(!task.look(), "it has ended");
        looker.join().unwrap();
        assert_eq!(records_in_use(), 1, "the handle keeps it");
        drop(handle);
        assert_eq!(records_in_use(), 0);
    });
}

/// So many join a task that starts meanwhile, and that looks who they are before it waits itself: who waits unseen would be in
/// no circle.
fn joins_meet_the_start(joiners: usize) {
    let task = Record::fresh();
    let _handle = task.handle();
    let others: Vec<_> = (1..joiners)
        .map(|_| thread::spawn(move || Waiter::here().join_unseen(task)))
        .collect();
    let end = thread::spawn(move || {
        task.start();
        let seen = task.joiners();
        task.complete();
        seen
    });
    let mut waited = usize::from(Waiter::here().join_unseen(task));
    for other in others {
        waited += usize::from(other.join().unwrap());
    }
    let seen = end.join().unwrap();
    assert!(seen >= waited, "{waited} waited, {seen} were seen");
}

#[test]
fn a_join_meets_the_start_of_its_task() {
    explore(Bounds::protocol(20), || joins_meet_the_start(1));
}

#[test]
fn two_joins_meet_the_start_of_their_task() {
    explore(Bounds::protocol(100).preemptions(2), || {
        joins_meet_the_start(2);
    });
}

/// A waker that is left while the task ends is woken, or the one who leaves it is told that there is nothing to wait for.
#[test]
fn a_waker_at_a_handle_is_woken() {
    struct Rings(Sleeper);
    impl std::task::Wake for Rings {
        fn wake(self: Arc<Self>) {
            self.0.call();
        }
    }
    explore(Bounds::protocol(20), || {
        let record = Record::spawned();
        let _handle = record.handle();
        let rings = Arc::new(Rings(Sleeper::new()));
        let end = thread::spawn(move || record.complete());
        let waker = std::task::Waker::from(rings.clone());
        while record.leave_waker(&waker) {
            // A lost wake is a deadlock here.
            rings.0.sleep();
        }
        assert!(record.is_done());
        end.join().unwrap();
    });
}
