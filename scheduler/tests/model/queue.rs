//! A thread's inbox and its sleeper: what others put in is found, whole, and once.

use std::sync::Arc;

use fiberhost_scheduler::model::{Inbox, Record, Sleeper};

use super::explore::{Bounds, explore, thread};

#[derive(Default)]
struct Desk {
    inbox: Inbox,
    sleeper: Sleeper,
}

impl Desk {
    /// A worker's loop until it has had so many.
    fn take(&self, wanted: usize) -> Vec<Record> {
        let mut taken = Vec::new();
        while taken.len() < wanted {
            if self.sleeper.take() {
                self.inbox.drain(|record| taken.push(record));
            } else {
                // A lost call is a deadlock here.
                self.sleeper.sleep();
                self.sleeper.call();
            }
        }
        taken
    }
}

/// Two push while the thread drains and goes to sleep.
#[test]
fn what_is_pushed_is_found_once() {
    explore(Bounds::protocol(500), || {
        let desk = Arc::new(Desk::default());
        let records = [(); 3].map(|()| Record::spawned());
        let push = |records: Vec<Record>| {
            let desk = desk.clone();
            thread::spawn(move || {
                for record in records {
                    desk.inbox.push(record);
                    desk.sleeper.call();
                }
            })
        };
        let one = push(vec![records[0], records[1]]);
        let two = push(vec![records[2]]);
        let taken = desk.take(records.len());
        one.join().unwrap();
        two.join().unwrap();
        let place = |record: &Record| taken.iter().position(|taken| taken == record);
        let places = records.each_ref().map(place);
        assert!(places.iter().all(Option::is_some), "each was found");
        assert!(
            places[0] < places[1],
            "what one thread pushed came in its order"
        );
        desk.inbox.drain(|_| panic!("nothing is left"));
    });
}

/// Two calls, and a thread that sleeps until it has seen what was written before each.
#[test]
fn a_call_is_not_lost() {
    explore(Bounds::protocol(50), || {
        let sleeper = Arc::new(Sleeper::new());
        let callers = [(); 2].map(|()| {
            let sleeper = sleeper.clone();
            thread::spawn(move || sleeper.call())
        });
        sleeper.sleep();
        for caller in callers {
            caller.join().unwrap();
        }
        sleeper.take();
        assert!(!sleeper.is_called());
    });
}
