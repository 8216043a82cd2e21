//! Primitives with waiters that give up.

use std::sync::Arc;
use std::time::Duration;

use fiberhost_scheduler::Wake;
use fiberhost_scheduler::model::Plain;
use fiberhost_scheduler::sync::{AutoResetEvent, ManualResetEvent, Mutex};

use super::explore::{Bounds, explore, thread};

/// A set that meets a waiter whose time is over goes to the next one, or stays.
#[test]
fn a_set_is_not_lost_to_a_waiter_that_gave_up() {
    explore(Bounds::protocol(200), || {
        let event = Arc::new(AutoResetEvent::new(false));
        let hasty = {
            let event = event.clone();
            thread::spawn(move || {
                let wake = event.wait_for(Duration::ZERO);
                if wake == Wake::Signalled {
                    // The other one wants it too.
                    event.set();
                }
            })
        };
        let setter = {
            let event = event.clone();
            thread::spawn(move || event.set())
        };
        assert_eq!(event.wait(), Wake::Signalled);
        hasty.join().unwrap();
        setter.join().unwrap();
        assert!(!event.reset(), "one set lets one through");
    });
}

/// A manual event lets all through, those that wait and those that come.
#[test]
fn a_manual_event_lets_all_through() {
    explore(Bounds::protocol(200), || {
        let event = Arc::new(ManualResetEvent::new(false));
        let waiter = {
            let event = event.clone();
            thread::spawn(move || event.wait())
        };
        let setter = {
            let event = event.clone();
            thread::spawn(move || event.set())
        };
        assert_eq!(event.wait(), Wake::Signalled);
        assert_eq!(waiter.join().unwrap(), Wake::Signalled);
        setter.join().unwrap();
        assert!(event.is_set());
    });
}

/// Two lock a mutex and a third one gives up: nobody has it beside another, and it is free in the end.
fn mutex_is_handed_over(mutex: fn(Plain<u32>) -> Mutex<Plain<u32>>) {
    let mutex = Arc::new(mutex(Plain::new(0)));
    let add = |counter: &Plain<u32>| counter.set(counter.get() + 1);
    let other = {
        let mutex = mutex.clone();
        thread::spawn(move || add(&mutex.lock()))
    };
    let hasty = {
        let mutex = mutex.clone();
        thread::spawn(move || match mutex.try_lock_for(Duration::ZERO) {
            Some(counter) => {
                add(&counter);
                1
            }
            None => 0,
        })
    };
    add(&mutex.lock());
    other.join().unwrap();
    let hasty = hasty.join().unwrap();
    assert_eq!(mutex.try_lock().expect("it is free").get(), 2 + hasty);
}

/// A mutex that lets go.
#[test]
fn a_mutex_is_never_lost_or_had_twice() {
    explore(Bounds::protocol(500).preemptions(2), || {
        mutex_is_handed_over(Mutex::new)
    });
}

/// A mutex that hands over.
#[test]
fn a_fair_mutex_is_never_lost_or_had_twice() {
    explore(Bounds::protocol(500).preemptions(2), || {
        mutex_is_handed_over(Mutex::new_fair)
    });
}
