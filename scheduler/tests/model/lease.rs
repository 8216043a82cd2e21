//! A thread's lease on its slot: its owner leaves and enters, a taker takes the slot and grants it to somebody else.

use std::sync::Arc;

use fiberhost_scheduler::model::{Lease, Plain, Sleeper, heavy};

use super::explore::{Bounds, explore, thread};

#[cfg(loom)]
use loom::sync::Mutex;
#[cfg(shuttle)]
use shuttle::sync::Mutex;

/// Who has the slot, for those who do not drive it. Under the lock of the lists.
#[derive(Default)]
struct Lists {
    /// Nobody has it.
    free: bool,
    /// The owner of the lease waits for it.
    claimed: bool,
    /// The other thread has been given it, or is told that it will not be.
    told: Option<bool>,
}

/// One slot, the thread that begins with it, and another one.
struct Table {
    lease: Lease,
    lists: Mutex<Lists>,
    /// The owner's field: whether it has the slot.
    has: Plain<bool>,
    /// What only the slot's driver touches: loom reports a second one.
    slot: Plain<u32>,
    owner: Sleeper,
    other: Sleeper,
}

impl Table {
    fn new() -> Arc<Table> {
        Arc::new(Table {
            lease: Lease::new(),
            lists: Mutex::default(),
            has: Plain::new(true),
            slot: Plain::new(0),
            owner: Sleeper::new(),
            other: Sleeper::new(),
        })
    }

    fn with<R>(&self, work: impl FnOnce(&mut Lists) -> R) -> R {
        work(&mut self.lists.lock().expect("nobody panics with it"))
    }

    fn drive(&self) {
        self.slot.set(self.slot.get() + 1);
    }

    /// The owner's way back.
    fn come_back(&self) {
        if self.lease.enter() {
            return;
        }
        while !self.with(|lists| self.find(lists)) {
            self.owner.sleep();
        }
        self.lease.renew();
    }

    fn find(&self, lists: &mut Lists) -> bool {
        if lists.free {
            lists.free = false;
            self.has.set(true);
        }
        lists.claimed = !self.has.get();
        self.has.get()
    }

    /// The owner, out, gives the slot away itself, if it has it still.
    fn give(&self) {
        let given = self.with(|lists| {
            let has = self.has.get();
            if has {
                self.lease.give();
                self.has.set(false);
                lists.told = Some(true);
            }
            has
        });
        if given {
            self.other.call();
        }
    }

    /// A taker's steps. Whether it has granted the slot to the other thread.
    fn take(&self) -> bool {
        let taken = self.with(|lists| {
            if !self.lease.ask() {
                return false;
            }
            heavy();
            let taken = self.lease.take_asked();
            if taken {
                self.has.set(false);
                lists.told = Some(true);
            }
            taken
        });
        if taken {
            self.other.call();
        }
        taken
    }

    /// The other thread is to end if it has not been given the slot.
    fn tell(&self) {
        self.with(|lists| lists.told = lists.told.or(Some(false)));
        self.other.call();
    }

    /// The life of the other thread: drives if it is given the slot, and gives it back. How often it drove.
    fn stand_by(&self) -> u32 {
        let told = loop {
            if let Some(told) = self.with(|lists| lists.told) {
                break told;
            }
            self.other.sleep();
        };
        if told {
            self.drive();
            self.give_back();
        }
        u32::from(told)
    }

    /// A slot that its driver does not need any more.
    fn give_back(&self) {
        let claimed = self.with(|lists| {
            lists.told = None;
            lists.free = !lists.claimed;
            if lists.claimed {
                lists.claimed = false;
                self.has.set(true);
            }
            !lists.free
        });
        if claimed {
            self.owner.call();
        }
    }

    /// Everybody has ended: what was driven is there, and the owner has the slot.
    fn check(&self, driven: u32) {
        assert!(self.has.get(), "the owner has its slot");
        assert_eq!(self.slot.get(), driven);
    }
}

/// The owner leaves, enters, leaves and enters, and drives in between, while somebody takes the slot and grants it to a
/// third thread. Never do two drive it, and each sees what the others did.
#[test]
fn a_take_meets_leaves_and_enters() {
    explore(Bounds::protocol(500), || {
        let table = Table::new();
        let other = {
            let table = table.clone();
            thread::spawn(move || table.stand_by())
        };
        let taker = {
            let table = table.clone();
            thread::spawn(move || {
                table.take();
                table.tell();
            })
        };
        for _ in 0..2 {
            table.drive();
            table.lease.leave();
            table.come_back();
        }
        table.drive();
        taker.join().unwrap();
        table.check(3 + other.join().unwrap());
    });
}

/// A taker that drives the slot itself, and comes twice: a lease that was ended is as good as new with its next slot.
#[test]
fn a_slot_is_taken_again() {
    explore(Bounds::protocol(500), || {
        let table = Table::new();
        let taker = {
            let table = table.clone();
            thread::spawn(move || {
                let mut driven = 0;
                for _ in 0..2 {
                    if table.take() {
                        driven += table.stand_by();
                    }
                }
                driven
            })
        };
        for _ in 0..2 {
            table.lease.leave();
            table.come_back();
            table.drive();
        }
        table.check(2 + taker.join().unwrap());
    });
}

/// A slot that was taken, or asked for in vain, comes back with a lease that holds: the next leave and enter find it there.
#[test]
fn a_lease_is_renewed_with_the_slot() {
    explore(Bounds::protocol(5), || {
        let table = Table::new();
        let taker = {
            let table = table.clone();
            thread::spawn(move || if table.take() { table.stand_by() } else { 0 })
        };
        table.lease.leave();
        table.come_back();
        let driven = taker.join().unwrap();
        table.lease.leave();
        assert!(table.lease.is_out());
        assert!(table.lease.enter(), "nobody has asked since");
        assert!(!table.lease.is_out());
        table.check(driven);
    });
}

/// The owner, out, gives its slot away while somebody takes it: one of the two does.
#[test]
fn a_slot_is_given_or_taken() {
    explore(Bounds::protocol(100), || {
        let table = Table::new();
        let other = {
            let table = table.clone();
            thread::spawn(move || table.stand_by())
        };
        let taker = {
            let table = table.clone();
            thread::spawn(move || {
                table.take();
            })
        };
        table.drive();
        table.lease.leave();
        table.give();
        table.come_back();
        table.drive();
        taker.join().unwrap();
        table.check(2 + other.join().unwrap());
    });
}

/// A taker that asks and does without leaves the slot with its owner, for the next one to ask.
#[test]
fn a_request_is_withdrawn() {
    explore(Bounds::protocol(10), || {
        let table = Table::new();
        let taker = {
            let table = table.clone();
            thread::spawn(move || {
                table.with(|_| {
                    if table.lease.ask() {
                        heavy();
                        table.lease.withdraw();
                    }
                });
            })
        };
        for _ in 0..2 {
            table.lease.leave();
            table.come_back();
            table.drive();
        }
        taker.join().unwrap();
        table.lease.leave();
        assert!(table.lease.ask(), "nothing is left of the first request");
        table.lease.withdraw();
        table.come_back();
        table.check(2);
    });
}
