//! Reader-writer locks: many readers or one writer, and neither starves.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::sides::{Party, Random, SIDES, Side, World, between, in_a_world, in_a_world_of};
use common::{LONG, SHORT, eventually, expect_panics};
use fiberhost::scheduler::sync::{AutoResetEvent, Barrier, RwLock};
use fiberhost::scheduler::{WaitReason, current, sleep, timeout, yield_now};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Read,
    Write,
}

use Way::{Read, Write};

impl Way {
    fn reason(self) -> WaitReason {
        match self {
            Read => WaitReason::RwLockRead,
            Write => WaitReason::RwLockWrite,
        }
    }

    /// Takes the lock, and gives it back.
    fn take(self, lock: &RwLock<u64>) -> u64 {
        match self {
            Read => *lock.read(),
            Write => *lock.write(),
        }
    }

    fn take_for(self, lock: &RwLock<u64>, limit: Duration) -> Option<u64> {
        match self {
            Read => lock.try_read_for(limit).map(|value| *value),
            Write => lock.try_write_for(limit).map(|value| *value),
        }
    }

    fn try_take(self, lock: &RwLock<u64>) -> bool {
        match self {
            Read => lock.try_read().is_some(),
            Write => lock.try_write().is_some(),
        }
    }
}

/// Has the lock in some way until it is told to go on.
struct Holder {
    party: Party<()>,
    go_on: Arc<AutoResetEvent>,
}

impl Holder {
    fn start(world: &World<'_>, side: Side, lock: &Arc<RwLock<u64>>, way: Way) -> Holder {
        let lock = Arc::clone(lock);
        let go_on = Arc::new(AutoResetEvent::new(false));
        let has_it = Arc::new(AutoResetEvent::new(false));
        let party = {
            let (go_on, has_it) = (Arc::clone(&go_on), Arc::clone(&has_it));
            world.start(side, move || {
                let hold = || {
                    has_it.set();
                    go_on.wait();
                };
                match way {
                    Read => {
                        let _guard = lock.read();
                        hold();
                    }
                    Write => {
                        let _guard = lock.write();
                        hold();
                    }
                }
            })
        };
        has_it.wait();
        Holder { party, go_on }
    }

    fn end(self) {
        self.go_on.set();
        self.party.join();
    }
}

/// Starts one that waits for the lock, and waits until it stands in the queue as the last of so many.
#[track_caller]
fn start_queued<T: Send + 'static>(
    world: &World<'_>,
    side: Side,
    lock: &Arc<RwLock<u64>>,
    place: usize,
    work: impl FnOnce(&RwLock<u64>) -> T + Send + 'static,
) -> Party<T> {
    let waits = Arc::clone(lock);
    let party = world.start(side, move || work(&waits));
    eventually("it stands in the queue", || lock.waiters() == place);
    party
}

#[test]
fn readers_read_together() {
    in_a_world(|world| {
        let lock = Arc::new(RwLock::new(7));
        let together = Arc::new(Barrier::new(SIDES.len()));
        let parties = SIDES.map(|side| {
            let (lock, together) = (Arc::clone(&lock), Arc::clone(&together));
            world.start(side, move || {
                let value = lock.read();
                // All of them are inside at once.
                together.wait();
                *value
            })
        });
        assert_eq!(parties.map(Party::join), [7; 4]);
    });
}

#[test]
fn a_writer_is_alone() {
    between(|world, pair| {
        let lock = Arc::new(RwLock::new(0));
        let parties = pair.map(|side| {
            let lock = Arc::clone(&lock);
            world.start(side, move || {
                for _ in 0..100 {
                    let mut value = lock.write();
                    let before = *value;
                    yield_now();
                    *value = before + 1;
                    drop(value);
                    let read = lock.read();
                    let before = *read;
                    yield_now();
                    assert_eq!(*read, before, "nobody writes while somebody reads");
                }
            })
        });
        parties.into_iter().for_each(Party::join);
        assert_eq!(lock.writer(), None);
        assert_eq!(*lock.read(), 200);
    });
}

#[test]
fn who_cannot_have_it_waits() {
    between(|world, [holder, waiter]| {
        for (held, wanted) in [(Read, Write), (Write, Read), (Write, Write)] {
            let lock = Arc::new(RwLock::new(5));
            let holder = Holder::start(world, holder, &lock, held);
            let waits = Arc::clone(&lock);
            let waiter = world.start_waiting(waiter, wanted.reason(), move || wanted.take(&waits));
            assert!(!waiter.is_finished());
            holder.end();
            assert_eq!(waiter.join(), 5, "{held:?}, {wanted:?}");
        }
    });
}

#[test]
fn trying_takes_what_can_be_had_at_once() {
    between(|world, [holder, other]| {
        for held in [Read, Write] {
            let lock = Arc::new(RwLock::new(0));
            let holder = Holder::start(world, holder, &lock, held);
            for wanted in [Read, Write] {
                let tries = Arc::clone(&lock);
                let got = world.start(other, move || wanted.try_take(&tries)).join();
                assert_eq!(got, (held, wanted) == (Read, Read), "{held:?}, {wanted:?}");
            }
            assert!(lock.is_locked());
            holder.end();
            assert!(!lock.is_locked());
            assert!(Read.try_take(&lock) && Write.try_take(&lock));
        }
    });
}

#[test]
fn readers_that_come_while_a_writer_waits_come_after_it() {
    between(|world, pair| {
        let lock = Arc::new(RwLock::new(0));
        let reader = Holder::start(world, pair[0], &lock, Read);
        let writer = start_queued(world, pair[1], &lock, 1, |lock| *lock.write() += 1);
        assert!(!Read.try_take(&lock), "the writer waits already");
        let late = start_queued(world, pair[0], &lock, 2, |lock| *lock.read());
        reader.end();
        writer.join();
        assert_eq!(late.join(), 1, "the writer came first");
    });
}

#[test]
fn a_writer_gets_in_among_readers_that_never_leave_the_lock_alone() {
    in_a_world(|world| {
        let lock = Arc::new(RwLock::new(0));
        let readers = [Side::Task, Side::Mobile, Side::Thread].map(|side| {
            let lock = Arc::clone(&lock);
            world.start(side, move || {
                let mut reads = 0_u64;
                loop {
                    let value = lock.read();
                    yield_now();
                    if *value != 0 {
                        return reads;
                    }
                    reads += 1;
                }
            })
        });
        let writes = Arc::clone(&lock);
        world.start(Side::Task, move || *writes.write() = 1).join();
        readers.into_iter().for_each(|reader| {
            reader.join();
        });
    });
}

#[test]
fn readers_get_in_among_writers_that_never_leave_the_lock_alone() {
    in_a_world(|world| {
        let lock = Arc::new(RwLock::new(0_u64));
        let done = Arc::new(AtomicUsize::new(0));
        let writers = [Side::Task, Side::Mobile, Side::Thread].map(|side| {
            let (lock, done) = (Arc::clone(&lock), Arc::clone(&done));
            world.start(side, move || {
                while done.load(Ordering::SeqCst) == 0 {
                    let mut value = lock.write();
                    yield_now();
                    *value += 1;
                }
            })
        });
        let reads = Arc::clone(&lock);
        world.start(Side::Task, move || *reads.read()).join();
        done.store(1, Ordering::SeqCst);
        writers.into_iter().for_each(Party::join);
    });
}

#[test]
fn it_is_handed_over_in_turn_and_readers_side_by_side_together() {
    in_a_world(|world| {
        let lock = Arc::new(RwLock::new(0));
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let together = Arc::new(Barrier::new(2));
        let first = Holder::start(world, Side::Task, &lock, Write);
        let wishes = [Read, Read, Write, Write, Read, Read];
        let parties: Vec<_> = (0..wishes.len())
            .map(|place| {
                let (order, together) = (Arc::clone(&order), Arc::clone(&together));
                start_queued(
                    world,
                    SIDES[place % 4],
                    &lock,
                    place + 1,
                    move |lock| match wishes[place] {
                        Read => {
                            let _value = lock.read();
                            together.wait();
                            order.lock().unwrap().push(place / 2);
                            together.wait();
                        }
                        Write => {
                            let _value = lock.write();
                            order.lock().unwrap().push(place / 2);
                        }
                    },
                )
            })
            .collect();
        first.end();
        parties.into_iter().for_each(Party::join);
        assert_eq!(*order.lock().unwrap(), [0, 0, 1, 1, 2, 2]);
    });
}

#[test]
fn it_knows_its_writer() {
    in_a_world(|world| {
        for side in SIDES {
            let lock = Arc::new(RwLock::new(0));
            let asked = Arc::clone(&lock);
            let party = world.start(side, move || {
                let guard = asked.write();
                let writer = asked.writer();
                drop(guard);
                writer
            });
            let id = party.task().id();
            assert_eq!(party.join(), Some(id));
            let reader = lock.read();
            assert_eq!(lock.writer(), None, "readers are not known");
            drop(reader);
        }
    });
}

#[test]
fn taking_it_again_while_writing_panics_and_the_lock_stays_as_it_was() {
    expect_panics();
    in_a_world(|world| {
        for side in SIDES {
            let party = world.start(side, || {
                let lock = RwLock::new(5);
                let guard = lock.write();
                let again: [&dyn Fn(); 4] = [
                    &|| drop(lock.read()),
                    &|| drop(lock.write()),
                    &|| drop(lock.try_read_for(LONG)),
                    &|| drop(lock.try_write_for(LONG)),
                ];
                for again in again {
                    let panic = catch_unwind(AssertUnwindSafe(again)).expect_err("it panics");
                    let text = panic.downcast_ref::<&str>().expect("a text");
                    assert!(text.contains("taken again"), "{text}");
                    assert_eq!(lock.writer(), Some(current().id()));
                }
                assert!(lock.try_read().is_none() && lock.try_write().is_none());
                drop(guard);
                lock.into_inner()
            });
            assert_eq!(party.join(), 5);
        }
    });
}

#[test]
fn a_panic_unlocks_and_does_not_poison() {
    expect_panics();
    between(|world, [holder, other]| {
        for way in [Read, Write] {
            let lock = Arc::new(RwLock::new(1));
            let panics = Arc::clone(&lock);
            let party = world.start(holder, move || {
                let _guards = match way {
                    Read => (Some(panics.read()), None),
                    Write => (None, Some(panics.write())),
                };
                panic!("expected: the holder of a lock panics");
            });
            party.join_panic();
            let takes = Arc::clone(&lock);
            assert_eq!(world.start(other, move || Write.take(&takes)).join(), 1);
        }
    });
}

#[test]
fn a_limit_ends_the_wait() {
    between(|world, [holder, waiter]| {
        for (held, wanted) in [(Read, Write), (Write, Read), (Write, Write)] {
            let lock = Arc::new(RwLock::new(0));
            let holder = Holder::start(world, holder, &lock, held);
            let waits = Arc::clone(&lock);
            let waiter = world.start(waiter, move || {
                let began = Instant::now();
                assert!(wanted.take_for(&waits, Duration::ZERO).is_none());
                assert!(wanted.take_for(&waits, SHORT).is_none());
                began.elapsed()
            });
            assert!(waiter.join() >= SHORT);
            holder.end();
            assert_eq!(
                Write.take_for(&lock, Duration::ZERO),
                Some(0),
                "nobody is left in its queue"
            );
        }
    });
}

#[test]
fn what_is_unlocked_in_time_is_had() {
    between(|world, [holder, waiter]| {
        for (held, wanted) in [(Read, Write), (Write, Read), (Write, Write)] {
            let lock = Arc::new(RwLock::new(3));
            let holder = Holder::start(world, holder, &lock, held);
            let waiter = start_queued(world, waiter, &lock, 1, move |lock| {
                wanted.take_for(lock, LONG)
            });
            holder.end();
            assert_eq!(waiter.join(), Some(3));
        }
    });
}

/// One that stands first in the queue for a while. Its result is whether it gave up.
fn start_writer_that_gives_up(
    world: &World<'_>,
    side: Side,
    lock: &Arc<RwLock<u64>>,
) -> Party<bool> {
    let waits = Arc::clone(lock);
    world.start_limited(
        side,
        |_| lock.waiters() == 1,
        move |limit| waits.try_write_for(limit).is_none(),
    )
}

#[test]
fn readers_behind_a_writer_that_gives_up_are_let_in() {
    between(|world, pair| {
        let lock = Arc::new(RwLock::new(0));
        let reader = Holder::start(world, pair[0], &lock, Read);
        let writer = start_writer_that_gives_up(world, pair[1], &lock);
        let behind = {
            let lock = Arc::clone(&lock);
            world.start(pair[0], move || *lock.read())
        };
        assert!(writer.join());
        // The first reader still reads.
        behind.join();
        reader.end();
    });
}

#[test]
fn a_writer_behind_one_that_gives_up_gets_its_turn() {
    between(|world, pair| {
        for held in [Read, Write] {
            let lock = Arc::new(RwLock::new(0));
            let holder = Holder::start(world, pair[0], &lock, held);
            let gives_up = start_writer_that_gives_up(world, pair[1], &lock);
            let stays = {
                let lock = Arc::clone(&lock);
                world.start(pair[0], move || *lock.write() += 1)
            };
            assert!(gives_up.join());
            holder.end();
            stays.join();
            assert_eq!(*lock.read(), 1);
        }
    });
}

#[test]
fn waits_without_a_limit_are_ended_by_an_abort_alone() {
    in_a_world(|world| {
        for side in [Side::Task, Side::Mobile] {
            for (held, wanted) in [(Read, Write), (Write, Read), (Write, Write)] {
                let lock = Arc::new(RwLock::new(3));
                let holder = Holder::start(world, side, &lock, held);
                let waiter = start_queued(world, side, &lock, 1, move |lock| wanted.take(lock));
                waiter.task().alert();
                waiter.task().cancel();
                waiter.assert_waits();
                let aborted = start_queued(world, side, &lock, 2, move |lock| wanted.take(lock));
                aborted.task().abort();
                aborted.join_cancelled();
                holder.end();
                assert_eq!(waiter.join(), 3);
            }
        }
    });
}

#[test]
fn waits_with_a_limit_are_ended_by_a_cancel_and_not_by_an_alert() {
    in_a_world(|world| {
        for side in [Side::Task, Side::Mobile] {
            for (held, wanted) in [(Read, Write), (Write, Read), (Write, Write)] {
                let lock = Arc::new(RwLock::new(3));
                let holder = Holder::start(world, side, &lock, held);
                let waiter = start_queued(world, side, &lock, 1, move |lock| {
                    wanted.take_for(lock, LONG)
                });
                waiter.task().alert();
                waiter.assert_waits();
                waiter.task().cancel();
                assert_eq!(waiter.join(), None);
                let aborted = start_queued(world, side, &lock, 1, move |lock| {
                    wanted.take_for(lock, LONG)
                });
                aborted.task().abort();
                aborted.join_cancelled();
                holder.end();
            }
        }
    });
}

#[test]
fn an_enclosing_timeout_unwinds_the_wait() {
    in_a_world(|world| {
        let lock = Arc::new(RwLock::new(0));
        let holder = Holder::start(world, Side::Task, &lock, Write);
        let waits = Arc::clone(&lock);
        let waiter = world.start(Side::Task, move || {
            timeout(SHORT, || Read.take(&waits)).is_err()
        });
        assert!(waiter.join());
        holder.end();
        assert!(Write.try_take(&lock));
    });
}

#[test]
fn the_value_can_be_reached_without_locking_by_who_owns_the_lock() {
    let mut lock = RwLock::new(1);
    *lock.get_mut() += 1;
    assert_eq!(lock.into_inner(), 2);
    let without_size: &RwLock<[u8]> = &RwLock::new([1, 2]);
    without_size.write()[0] = 5;
    assert_eq!(without_size.read().len(), 2);
    assert_eq!(*RwLock::<u8>::default().read() + *RwLock::from(1).read(), 1);
    static LOCK: RwLock<u8> = RwLock::new(3);
    assert_eq!(*LOCK.read(), 3);
}

/// Readers and writers that wait inside and outside, give up, are alerted and cancelled.
#[test]
fn stress() {
    for workers in [1, 2, 4] {
        in_a_world_of(workers, stressed);
    }
}

fn stressed(world: &World<'_>) {
    const WRITING: usize = 1 << 16;
    let mut random = Random::seeded("rwlock");
    let lock = Arc::new(RwLock::new(0_u64));
    let inside = Arc::new(AtomicUsize::new(0));
    let written = Arc::new(AtomicUsize::new(0));
    let parties: Vec<_> = (0..16)
        .map(|number| {
            let mut random = random.fork();
            let (lock, inside, written) = (lock.clone(), inside.clone(), written.clone());
            world.start(SIDES[number % 4], move || {
                for _ in 0..60 {
                    let limit = Duration::from_micros(random.below(300));
                    let how = random.below(4);
                    if random.below(3) == 0 {
                        let guard = match how {
                            0 => lock.try_write(),
                            1 => lock.try_write_for(limit),
                            _ => Some(lock.write()),
                        };
                        let Some(mut guard) = guard else { continue };
                        assert_eq!(inside.fetch_add(WRITING, Ordering::SeqCst), 0);
                        stay(&mut random);
                        *guard += 1;
                        written.fetch_add(1, Ordering::SeqCst);
                        inside.fetch_sub(WRITING, Ordering::SeqCst);
                    } else {
                        let guard = match how {
                            0 => lock.try_read(),
                            1 => lock.try_read_for(limit),
                            _ => Some(lock.read()),
                        };
                        let Some(guard) = guard else { continue };
                        assert!(inside.fetch_add(1, Ordering::SeqCst) < WRITING);
                        let before = *guard;
                        stay(&mut random);
                        assert_eq!(*guard, before);
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                }
            })
        })
        .collect();
    for round in 0..40 {
        let party = &parties[random.below(16) as usize];
        match round % 4 {
            0..3 => party.task().alert(),
            _ => party.task().cancel(),
        }
        std::thread::sleep(Duration::from_micros(random.below(200)));
    }
    parties.into_iter().for_each(Party::join);
    assert_eq!(*lock.read() as usize, written.load(Ordering::SeqCst));
}

fn stay(random: &mut Random) {
    match random.below(8) {
        0 | 1 => yield_now(),
        2 => drop(sleep(Duration::from_micros(random.below(100)))),
        _ => {}
    }
}

/// Tasks that wait in the queue are aborted at random; the lock must not be lost with them.
#[test]
fn stress_of_aborts() {
    for workers in [1, 2, 4] {
        in_a_world_of(workers, |world| {
            let mut random = Random::seeded("rwlock, aborts");
            let lock = Arc::new(RwLock::new(0));
            let parties: Vec<_> = (0..40)
                .map(|number| {
                    let lock = Arc::clone(&lock);
                    let mut random = random.fork();
                    world.start([Side::Task, Side::Mobile][number % 2], move || {
                        for _ in 0..20 {
                            if random.below(3) == 0 {
                                let mut value = lock.write();
                                yield_now();
                                *value += 1;
                            } else {
                                let _value = lock.read();
                                yield_now();
                            }
                        }
                    })
                })
                .collect();
            for _ in 0..20 {
                parties[random.below(40) as usize].task().abort();
                std::thread::sleep(Duration::from_micros(random.below(100)));
            }
            parties.iter().for_each(Party::until_finished);
            assert!(lock.try_write().is_some(), "the lock is free");
        });
    }
}
