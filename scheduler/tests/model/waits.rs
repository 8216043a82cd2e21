//! The table of waits: a circle is found when it closes, by one of those who close it, and one wait is broken.
//!
//! Plain threads stand for tasks.

use std::sync::Arc;

use fiberhost_scheduler::model::WaitTable;
use fiberhost_scheduler::sync::{RawMutex, RwLock};
use fiberhost_scheduler::{Priority, Wake, current};

use super::explore::{Bounds, explore, thread};

/// Two that each have a mutex and want the other's: never both are refused, and if nobody was they would wait for ever.
#[test]
fn of_two_that_close_a_circle_one_is_refused() {
    /// Whether it was refused.
    fn takes(mine: &RawMutex, other: &RawMutex) -> bool {
        mine.lock_through();
        let refused = other.lock_or_deadlock().is_err();
        if !refused {
            other.unlock().unwrap();
        }
        mine.unlock().unwrap();
        refused
    }
    explore(Bounds::protocol(500).preemptions(2), || {
        let _table = WaitTable::new();
        let locks = Arc::new([RawMutex::new(), RawMutex::new()]);
        let its = locks.clone();
        let other = thread::spawn(move || takes(&its[1], &its[0]));
        let refused = takes(&locks[0], &locks[1]);
        let other = other.join().unwrap();
        assert!(!(refused && other), "one is enough");
    });
}

/// A wait that cannot be refused closes a circle: the other one's is broken, whether it is on already or just begins.
#[test]
fn the_wait_of_another_is_broken() {
    explore(Bounds::protocol(300).preemptions(2), || {
        let _table = WaitTable::new();
        let locks = Arc::new([RawMutex::new(), RawMutex::new()]);
        let its = locks.clone();
        let other = thread::spawn(move || {
            current().set_priority(Priority::Low);
            its[1].lock_through();
            match its[0].lock_or_deadlock() {
                Ok(wake) => {
                    assert_eq!(wake, Wake::Signalled);
                    its[0].unlock().unwrap();
                }
                Err(circle) => assert_eq!(circle.victim(), Some(&current())),
            }
            its[1].unlock().unwrap();
        });
        locks[0].lock_through();
        assert_eq!(locks[1].lock(), Wake::Signalled);
        for lock in &*locks {
            lock.unlock().unwrap();
        }
        other.join().unwrap();
    });
}

/// Who reads wants to read once more while another one comes to write: it gets in before that one, or is refused.
#[test]
fn reading_again_meets_a_writer() {
    explore(Bounds::protocol(200), || {
        let _table = WaitTable::new();
        let lock = Arc::new(RwLock::new(0));
        let its = lock.clone();
        let writer = thread::spawn(move || *its.write() += 1);
        let first = lock.read();
        if let Ok(second) = lock.read_or_deadlock() {
            assert_eq!(*first, *second);
        }
        drop(first);
        writer.join().unwrap();
        assert_eq!(*lock.read(), 1);
    });
}
