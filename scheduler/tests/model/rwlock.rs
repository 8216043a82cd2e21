//! The read-write lock: readers and a writer are never there at once, and no waiter is forgotten.

use std::sync::Arc;
use std::time::Duration;

use fiberhost_scheduler::current;
use fiberhost_scheduler::model::{Plain, Sleeper};
use fiberhost_scheduler::sync::RwLock;

use super::explore::{Bounds, explore, thread};

type Counter = RwLock<Plain<u32>>;

fn counter() -> Arc<Counter> {
    Arc::new(RwLock::new(Plain::new(0)))
}

fn add(counter: &Plain<u32>) {
    counter.set(counter.get() + 1);
}

/// The checker reports a reader beside a writer. At the end the lock is free, and has everybody's writes.
#[test]
fn readers_and_a_writer_are_never_there_at_once() {
    explore(Bounds::protocol(1_000).preemptions(2), || {
        let lock = counter();
        let reader = {
            let lock = lock.clone();
            thread::spawn(move || lock.read().get())
        };
        let writer = {
            let lock = lock.clone();
            thread::spawn(move || add(&lock.write()))
        };
        let seen = lock.read().get();
        assert!(seen <= 1);
        add(&lock.write());
        assert!(reader.join().unwrap() <= 2);
        writer.join().unwrap();
        assert_eq!(lock.try_write().expect("it is free").get(), 2);
    });
}

/// A writer waits while two readers leave: the last one out hands over.
#[test]
fn the_last_reader_out_hands_over() {
    explore(Bounds::protocol(500), || {
        let lock = counter();
        let held = lock.read();
        let reader = {
            let lock = lock.clone();
            thread::spawn(move || lock.read().get())
        };
        let writer = {
            let lock = lock.clone();
            thread::spawn(move || add(&lock.write()))
        };
        drop(held);
        writer.join().unwrap();
        assert!(reader.join().unwrap() <= 1);
        assert_eq!(lock.try_write().expect("it is free").get(), 1);
    });
}

/// A writer hands over to one reader, and another comes in beside it: both see what was written.
#[test]
fn what_was_written_is_seen_by_whoever_reads_next() {
    explore(Bounds::protocol(500), || {
        let lock = counter();
        let held = lock.write();
        let readers = [(); 2].map(|()| {
            let lock = lock.clone();
            thread::spawn(move || lock.read().get())
        });
        add(&held);
        drop(held);
        for reader in readers {
            assert_eq!(reader.join().unwrap(), 1);
        }
        assert_eq!(lock.try_write().expect("it is free").get(), 1);
    });
}

/// A reader stands behind a writer that gives up while another one reads: it comes in although nobody unlocks.
#[test]
fn a_writer_that_gives_up_lets_in_who_stands_behind_it() {
    explore(Bounds::protocol(200), || {
        let lock = counter();
        let held = lock.read();
        let hasty = {
            let lock = lock.clone();
            thread::spawn(move || lock.try_write_for(Duration::ZERO).is_some())
        };
        let reader = {
            let lock = lock.clone();
            thread::spawn(move || lock.read().get())
        };
        // This read does not end before the other has.
        assert_eq!(reader.join().unwrap(), 0);
        assert!(!hasty.join().unwrap(), "it wrote beside a reader");
        drop(held);
        assert_eq!(lock.try_write().expect("it is free").get(), 0);
    });
}

/// The same with a writer whose wait is broken from outside.
#[test]
fn a_writer_that_is_cancelled_lets_in_who_stands_behind_it() {
    explore(Bounds::protocol(500), || {
        let lock = counter();
        let (me, read) = (current(), Arc::new(Sleeper::new()));
        let holder = {
            let (lock, read) = (lock.clone(), read.clone());
            thread::spawn(move || {
                let held = lock.read();
                me.cancel();
                read.sleep();
                drop(held);
            })
        };
        let reader = {
            let lock = lock.clone();
            thread::spawn(move || {
                let seen = lock.read().get();
                read.call();
                seen
            })
        };
        let wrote = match lock.try_write_for(Duration::MAX) {
            Some(counter) => {
                add(&counter);
                1
            }
            None => 0,
        };
        holder.join().unwrap();
        assert!(reader.join().unwrap() <= wrote);
        assert_eq!(lock.try_write().expect("it is free").get(), wrote);
    });
}

/// Of two that stand behind a writer the first gives up: the second comes in when the writer leaves.
#[test]
fn a_reader_that_gives_up_is_passed_by() {
    explore(Bounds::protocol(500), || {
        let lock = counter();
        let held = lock.write();
        let hasty = {
            let lock = lock.clone();
            thread::spawn(move || {
                lock.try_read_for(Duration::ZERO)
                    .map(|counter| counter.get())
            })
        };
        let patient = {
            let lock = lock.clone();
            thread::spawn(move || add(&lock.write()))
        };
        add(&held);
        drop(held);
        patient.join().unwrap();
        assert!(
            hasty
                .join()
                .unwrap()
                .is_none_or(|seen| (1..=2).contains(&seen))
        );
        assert_eq!(lock.try_write().expect("it is free").get(), 2);
    });
}
