//! Workers that are kept for the next piece of work, and lose their patience.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use fiberhost::model::Roll;

use super::explore::{Bounds, explore, thread};

#[cfg(loom)]
use loom::sync::atomic::{AtomicBool, AtomicU32, Ordering};
#[cfg(shuttle)]
use shuttle::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// A roll, and what its workers have done.
struct Place {
    roll: Roll,
    done: AtomicU32,
    /// The roll was closed, and all were to be gone by then.
    over: AtomicBool,
    threads: Mutex<Vec<thread::JoinHandle<()>>>,
}

impl Place {
    fn new(least: u32, most: u32, floor: u32) -> Arc<Place> {
        Arc::new(Place {
            roll: Roll::new(least, most, floor),
            done: AtomicU32::new(0),
            over: AtomicBool::new(false),
            threads: Mutex::default(),
        })
    }

    fn queue(self: &Arc<Self>) -> bool {
        self.roll.queue(1, || {
            let place = Arc::clone(self);
            let worker = thread::spawn(move || place.work());
            self.threads.lock().unwrap().push(worker);
            Ok(())
        })
    }

    fn work(&self) {
        while let Some(jobs) = self.roll.next(Duration::ZERO) {
            assert!(
                !self.over.load(Ordering::SeqCst),
                "work is done after the end"
            );
            self.done.fetch_add(jobs, Ordering::SeqCst);
        }
        self.roll.note_end();
    }

    /// All that was taken was done, and nobody is left.
    fn close(&self) {
        self.roll.close();
        self.over.store(true, Ordering::SeqCst);
    }

    fn join(&self) {
        let threads = std::mem::take(&mut *self.threads.lock().unwrap());
        for thread in threads {
            thread.join().unwrap();
        }
    }
}

/// A worker gives up waiting just as work comes: it is done, by this one or another.
#[test]
fn work_comes_while_a_worker_gives_up() {
    explore(Bounds::protocol(70), || {
        let place = Place::new(0, 1, 0);
        assert!(place.queue());
        assert!(place.queue());
        place.close();
        assert_eq!(place.done.load(Ordering::SeqCst), 2);
        assert_eq!(place.roll.left(), 0);
        place.join();
    });
}

/// Two queue at once for workers that give up, of which there may be two.
#[test]
fn two_queue_while_workers_give_up() {
    explore(Bounds::whole(100).schedules(2_000), || {
        let place = Place::new(0, 2, 0);
        let other = {
            let place = Arc::clone(&place);
            thread::spawn(move || assert!(place.queue()))
        };
        assert!(place.queue());
        other.join().unwrap();
        place.close();
        assert_eq!(place.done.load(Ordering::SeqCst), 2);
        assert_eq!(place.roll.left(), 0);
        place.join();
    });
}

/// What is taken while the roll closes is done before its end; what comes later is refused.
#[test]
fn work_comes_while_the_roll_closes() {
    explore(Bounds::protocol(20), || {
        let place = Place::new(1, 1, 1);
        let taken = {
            let place = Arc::clone(&place);
            thread::spawn(move || u32::from(place.queue()))
        };
        place.close();
        let done = place.done.load(Ordering::SeqCst);
        let taken = taken.join().unwrap();
        assert_eq!(done, taken);
        assert_eq!(place.roll.left(), 0);
        place.join();
    });
}
