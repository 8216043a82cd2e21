//! The table of waits: a circle is found when it closes, by one of those who close it, and one wait is broken.
//!
//! Plain threads stand for tasks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fiberhost_scheduler::model::WaitTable;
use fiberhost_scheduler::sync::{AutoResetEvent, RawMutex, RwLock};
use fiberhost_scheduler::{
    Deadlock, Heed, Inquirer, OuterWait, Owners, Priority, TaskRef, Wake, current,
};

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

/// Something of a layer above that somebody has, and waits for it: who has it, has to be asked for.
///
/// Both facts are locks: the checker lets others in only where they touch the same thing.
struct Owned {
    owner: TaskRef,
    /// As long as the owner has it.
    has: RawMutex,
    /// As long as somebody waits, and may be asked about.
    waits: RawMutex,
    event: AutoResetEvent,
}

impl Owned {
    /// The caller has it.
    fn new() -> Arc<Owned> {
        let owned = Owned {
            owner: current(),
            has: RawMutex::new(),
            waits: RawMutex::new(),
            event: AutoResetEvent::new(false),
        };
        owned.has.lock_through();
        Arc::new(owned)
    }

    fn wait(self: &Arc<Owned>, inquirer: &Inquirer) -> Result<Wake, Deadlock> {
        let it = Arc::clone(self);
        let owners = move || {
            assert!(it.waits.is_locked(), "it waits no more");
            let has = it.has.is_locked();
            has.then(|| it.owner.clone()).into_iter().collect()
        };
        let outer = OuterWait {
            owners: Owners::Asked(Box::new(owners)),
            text: "waits for something of",
            rank: 0,
            breakable: true,
        };
        self.waits.lock_through();
        let wait = || self.event.wait_heeding(None, Heed::Alert);
        let waited = inquirer.wait(outer, wait, |wake| *wake == Wake::Signalled);
        self.waits.unlock().unwrap();
        waited
    }

    fn give_up(&self) {
        self.has.unlock().unwrap();
        self.event.set();
    }
}

/// An inquirer's thread, and its end.
fn with_inquirer(work: impl FnOnce(&Arc<Inquirer>)) {
    let inquirer = Arc::new(Inquirer::new());
    let its = Arc::clone(&inquirer);
    let serves = thread::spawn(move || its.serve());
    work(&inquirer);
    inquirer.close();
    serves.join().unwrap();
}

/// Who waits for what the other has, and has a lock that the other comes to want: its wait is broken, as the other one's cannot
/// be; and it is not if the other was faster.
#[test]
fn a_circle_through_what_has_to_be_asked_for_is_broken() {
    explore(Bounds::protocol(500).preemptions(2), || {
        let _table = WaitTable::new();
        with_inquirer(|inquirer| {
            let owned = Owned::new();
            let lock = Arc::new(RawMutex::new());
            let done = Arc::new(AtomicBool::new(false));
            let (its, its_lock) = (Arc::clone(&owned), Arc::clone(&lock));
            let (asks, its_done) = (Arc::clone(inquirer), Arc::clone(&done));
            let other = thread::spawn(move || {
                its_lock.lock_through();
                if let Err(circle) = its.wait(&asks) {
                    assert_eq!(circle.victim(), Some(&current()));
                    assert!(!its_done.load(Ordering::SeqCst), "nobody waits for it");
                }
                its_lock.unlock().unwrap();
            });
            lock.lock_through();
            done.store(true, Ordering::SeqCst);
            lock.unlock().unwrap();
            owned.give_up();
            other.join().unwrap();
        });
    });
}

/// What was said of an owner does not count once he may have given it up.
#[test]
fn who_has_given_it_up_is_in_no_circle() {
    explore(Bounds::protocol(500).preemptions(2), || {
        let _table = WaitTable::new();
        with_inquirer(|inquirer| {
            let owned = Owned::new();
            let lock = Arc::new(RawMutex::new());
            let (its, its_lock) = (Arc::clone(&owned), Arc::clone(&lock));
            let asks = Arc::clone(inquirer);
            let other = thread::spawn(move || {
                its_lock.lock_through();
                assert!(its.wait(&asks).is_ok(), "nobody waits for it");
                its_lock.unlock().unwrap();
            });
            owned.give_up();
            assert!(lock.lock_or_deadlock().is_ok(), "nobody waits for us");
            lock.unlock().unwrap();
            other.join().unwrap();
        });
    });
}

/// As long as somebody is asked about a wait, the one who waited does not go on.
#[test]
fn a_wait_does_not_end_while_somebody_is_asked_about_it() {
    explore(Bounds::protocol(500), || {
        let _table = WaitTable::new();
        with_inquirer(|inquirer| {
            let owned = Owned::new();
            let (its, asks) = (Arc::clone(&owned), Arc::clone(inquirer));
            let other = thread::spawn(move || assert!(its.wait(&asks).is_ok()));
            owned.give_up();
            other.join().unwrap();
        });
    });
}
