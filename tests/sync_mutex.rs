//! Mutexes: one at a time, in which order, and who may unlock.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::sides::{Party, Random, SIDES, Side, World, between, in_a_world, in_a_world_of};
use common::{LONG, SHORT, eventually, expect_panics};
use fiberhost::scheduler::sync::{AutoResetEvent, Mutex, MutexGuard, RawMutex};
use fiberhost::scheduler::{WaitReason, Wake, current, sleep, timeout, yield_now};

fn both_kinds(test: impl Fn(fn(u64) -> Mutex<u64>)) {
    test(Mutex::new);
    test(Mutex::new_fair);
}

#[test]
fn the_value_is_one_holders_at_a_time() {
    between(|world, pair| {
        both_kinds(|new| {
            let mutex = Arc::new(new(0));
            let parties = pair.map(|side| {
                let mutex = Arc::clone(&mutex);
                world.start(side, move || {
                    for _ in 0..200 {
                        let mut value = mutex.lock();
                        let before = *value;
                        yield_now();
                        *value = before + 1;
                    }
                })
            });
            parties.into_iter().for_each(Party::join);
            assert_eq!(*mutex.lock(), 400);
        });
    });
}

#[test]
fn who_comes_while_it_is_locked_waits_until_it_is_unlocked() {
    between(|world, [holder, waiter]| {
        both_kinds(|new| {
            let mutex = Arc::new(new(1));
            let go_on = Arc::new(AutoResetEvent::new(false));
            let locked = Arc::new(AutoResetEvent::new(false));
            let holder = {
                let (mutex, go_on, locked) = (mutex.clone(), go_on.clone(), locked.clone());
                world.start(holder, move || {
                    let mut value = mutex.lock();
                    locked.set();
                    go_on.wait();
                    *value = 2;
                })
            };
            locked.wait();
            let waiter = {
                let mutex = Arc::clone(&mutex);
                world.start_waiting(waiter, WaitReason::Mutex, move || *mutex.lock())
            };
            go_on.set();
            assert_eq!(waiter.join(), 2);
            holder.join();
        });
    });
}

#[test]
fn try_lock_takes_a_free_one_only() {
    between(|world, [holder, other]| {
        let mutex = Arc::new(Mutex::new(()));
        let (go_on, locked) = (
            Arc::new(AutoResetEvent::new(false)),
            Arc::new(AutoResetEvent::new(false)),
        );
        let holder = {
            let (mutex, go_on, locked) = (mutex.clone(), go_on.clone(), locked.clone());
            world.start(holder, move || {
                let guard = mutex.try_lock();
                assert!(guard.is_some());
                assert!(mutex.try_lock().is_none(), "not even for the holder itself");
                locked.set();
                go_on.wait();
            })
        };
        locked.wait();
        let asked = Arc::clone(&mutex);
        assert!(
            world
                .start(other, move || asked.try_lock().is_none())
                .join()
        );
        go_on.set();
        holder.join();
        assert!(
            world
                .start(other, move || mutex.try_lock().is_some())
                .join()
        );
    });
}

#[test]
fn it_knows_its_owner() {
    in_a_world(|world| {
        for side in SIDES {
            let mutex = Arc::new(Mutex::new(()));
            assert_eq!((mutex.owner(), mutex.is_locked()), (None, false));
            let asked = Arc::clone(&mutex);
            let party = world.start(side, move || {
                let guard = asked.lock();
                let owner = asked.owner();
                assert!(asked.is_locked());
                drop(guard);
                owner
            });
            let id = party.task().id();
            assert_eq!(party.join(), Some(id));
            assert_eq!((mutex.owner(), mutex.is_locked()), (None, false));
        }
    });
}

#[test]
fn locking_again_panics_and_the_lock_stays_as_it_was() {
    expect_panics();
    in_a_world(|world| {
        for side in SIDES {
            let party = world.start(side, || {
                let mutex = Mutex::new(5);
                let guard = mutex.lock();
                for again in [&|| drop(mutex.lock()) as _, &|| {
                    drop(mutex.try_lock_for(LONG)) as _
                }] as [&dyn Fn(); 2]
                {
                    let panic = catch_unwind(AssertUnwindSafe(again)).expect_err("it panics");
                    let text = panic.downcast_ref::<&str>().expect("a text");
                    assert!(text.contains("locked again"), "{text}");
                    assert_eq!(mutex.owner(), Some(current().id()));
                }
                drop(guard);
                *mutex.lock()
            });
            assert_eq!(party.join(), 5);
        }
    });
}

#[test]
fn a_panic_unlocks_and_does_not_poison() {
    expect_panics();
    between(|world, [holder, other]| {
        let mutex = Arc::new(Mutex::new(1));
        let panics = Arc::clone(&mutex);
        let holder = world.start(holder, move || {
            let mut value = panics.lock();
            *value = 2;
            panic!("expected: the holder of a mutex panics");
        });
        holder.join_panic();
        assert_eq!(world.start(other, move || *mutex.lock()).join(), 2);
    });
}

#[test]
fn a_fair_one_goes_to_those_who_wait_in_their_order() {
    in_a_world(|world| {
        let mutex = Arc::new(Mutex::new_fair(Vec::new()));
        let guard = mutex.lock();
        let parties: Vec<_> = (0..12)
            .map(|number| {
                let locks = Arc::clone(&mutex);
                let party = world.start_waiting(SIDES[number % 4], WaitReason::Mutex, move || {
                    locks.lock().push(number)
                });
                // Saying that one waits and standing in the queue are not the same moment.
                eventually("it stands in the queue", || mutex.waiters() == number + 1);
                party
            })
            .collect();
        drop(guard);
        parties.into_iter().for_each(|party| party.join());
        assert_eq!(*mutex.lock(), (0..12).collect::<Vec<_>>());
    });
}

#[test]
fn who_unlocks_a_fair_one_cannot_have_it_before_those_who_wait() {
    in_a_world(|world| {
        let mutex = Arc::new(Mutex::new_fair(0));
        let guard = mutex.lock();
        let waiter = {
            let mutex = Arc::clone(&mutex);
            world.start_waiting(Side::Task, WaitReason::Mutex, move || *mutex.lock() = 1)
        };
        eventually("it stands in the queue", || mutex.waiters() == 1);
        drop(guard);
        assert_eq!(*mutex.lock(), 1, "the waiter came first");
        waiter.join();
    });
}

#[test]
fn an_unfair_one_can_be_unlocked_fairly() {
    in_a_world(|world| {
        let mutex = Arc::new(Mutex::new(0));
        let guard = mutex.lock();
        let waiter = {
            let mutex = Arc::clone(&mutex);
            world.start_waiting(Side::Mobile, WaitReason::Mutex, move || *mutex.lock() = 1)
        };
        eventually("it stands in the queue", || mutex.waiters() == 1);
        MutexGuard::unlock_fair(guard);
        assert_eq!(*mutex.lock(), 1, "the waiter came first");
        waiter.join();
    });
}

#[test]
fn nobody_is_passed_over_for_ever() {
    // One task takes the lock again and again, and waits only while it holds it.
    in_a_world_of(1, |world| {
        let mutex = Arc::new(Mutex::new(false));
        let greedy = Arc::clone(&mutex);
        let greedy = world.start(Side::Task, move || {
            let mut turns = 0_u64;
            while !*greedy.lock() {
                let guard = greedy.lock();
                yield_now();
                drop(guard);
                turns += 1;
            }
            turns
        });
        let modest = world.start(Side::Task, move || *mutex.lock() = true);
        modest.join();
        greedy.join();
    });
}

#[test]
fn try_lock_for_gives_up_when_the_limit_has_passed() {
    between(|world, [holder, waiter]| {
        let mutex = Arc::new(Mutex::new(()));
        let (go_on, locked) = (
            Arc::new(AutoResetEvent::new(false)),
            Arc::new(AutoResetEvent::new(false)),
        );
        let holder = {
            let (mutex, go_on, locked) = (mutex.clone(), go_on.clone(), locked.clone());
            world.start(holder, move || {
                let _guard = mutex.lock();
                locked.set();
                go_on.wait();
            })
        };
        locked.wait();
        let asked = Arc::clone(&mutex);
        let waiter = world.start(waiter, move || {
            let began = Instant::now();
            assert!(asked.try_lock_for(Duration::ZERO).is_none());
            assert!(asked.try_lock_for(SHORT).is_none());
            began.elapsed()
        });
        assert!(waiter.join() >= SHORT);
        go_on.set();
        holder.join();
        assert!(
            mutex.try_lock_for(Duration::ZERO).is_some(),
            "nobody is left in its queue"
        );
    });
}

#[test]
fn try_lock_for_gets_what_is_unlocked_in_time() {
    between(|world, [holder, waiter]| {
        both_kinds(|new| {
            let mutex = Arc::new(new(7));
            let (go_on, locked) = (
                Arc::new(AutoResetEvent::new(false)),
                Arc::new(AutoResetEvent::new(false)),
            );
            let holder = {
                let (mutex, go_on, locked) = (mutex.clone(), go_on.clone(), locked.clone());
                world.start(holder, move || {
                    let _guard = mutex.lock();
                    locked.set();
                    go_on.wait();
                })
            };
            locked.wait();
            let waiter = world.start_waiting(waiter, WaitReason::Mutex, move || {
                mutex.try_lock_for(LONG).map(|value| *value)
            });
            go_on.set();
            assert_eq!(waiter.join(), Some(7));
            holder.join();
        });
    });
}

/// Starts one that waits for a mutex that the test holds, does something to it, and unlocks.
fn interrupted<T: Send + std::fmt::Debug + 'static>(
    world: &World<'_>,
    side: Side,
    lock: fn(&Mutex<u64>) -> T,
    interrupt: impl Fn(&Party<T>),
    check: impl Fn(Party<T>, MutexGuard<'_, u64>),
) {
    both_kinds(|new| {
        let mutex = Arc::new(new(3));
        let guard = mutex.lock();
        let waiter = {
            let mutex = Arc::clone(&mutex);
            world.start_waiting(side, WaitReason::Mutex, move || lock(&mutex))
        };
        interrupt(&waiter);
        check(waiter, guard);
        assert!(mutex.try_lock().is_some(), "the mutex is whole");
    });
}

#[test]
fn lock_is_ended_by_an_abort_alone() {
    in_a_world(|world| {
        for side in [Side::Task, Side::Mobile] {
            interrupted(
                world,
                side,
                |mutex| *mutex.lock(),
                |waiter| {
                    waiter.task().alert();
                    waiter.task().cancel();
                },
                |waiter, guard| {
                    waiter.assert_waits();
                    drop(guard);
                    assert_eq!(waiter.join(), 3);
                },
            );
            interrupted(
                world,
                side,
                |mutex| *mutex.lock(),
                |waiter| waiter.task().abort(),
                |waiter, _guard| waiter.join_cancelled(),
            );
        }
    });
}

#[test]
fn try_lock_for_is_ended_by_a_cancel_and_not_by_an_alert() {
    in_a_world(|world| {
        for side in [Side::Task, Side::Mobile] {
            let lock = |mutex: &Mutex<u64>| mutex.try_lock_for(LONG).map(|value| *value);
            interrupted(
                world,
                side,
                lock,
                |waiter| waiter.task().alert(),
                |waiter, guard| {
                    waiter.assert_waits();
                    drop(guard);
                    assert_eq!(waiter.join(), Some(3));
                },
            );
            interrupted(
                world,
                side,
                lock,
                |waiter| waiter.task().cancel(),
                |waiter, _guard| assert_eq!(waiter.join(), None),
            );
            interrupted(
                world,
                side,
                lock,
                |waiter| waiter.task().abort(),
                |waiter, _guard| waiter.join_cancelled(),
            );
        }
    });
}

#[test]
fn an_enclosing_timeout_unwinds_the_wait() {
    in_a_world(|world| {
        let mutex = Arc::new(Mutex::new(()));
        let guard = mutex.lock();
        let asked = Arc::clone(&mutex);
        let waiter = world.start(Side::Task, move || {
            timeout(SHORT, || drop(asked.lock())).is_err()
        });
        assert!(waiter.join());
        drop(guard);
        assert!(mutex.try_lock().is_some());
    });
}

#[test]
fn a_lock_is_handed_on_when_the_next_in_the_queue_gives_up() {
    between(|world, pair| {
        both_kinds(|new| {
            let mutex = Arc::new(new(0));
            let guard = mutex.lock();
            let (gives_up, stays) = (Arc::clone(&mutex), Arc::clone(&mutex));
            let gives_up = world.start_limited(
                pair[0],
                |task| task.wait_reason() == WaitReason::Mutex,
                move |limit| gives_up.try_lock_for(limit).is_none(),
            );
            let stays = world.start(pair[1], move || *stays.lock() += 1);
            eventually("both stand in the queue", || {
                mutex.waiters() == 2 || gives_up.is_finished()
            });
            assert!(gives_up.join());
            drop(guard);
            stays.join();
            assert_eq!(*mutex.lock(), 1);
        });
    });
}

#[test]
fn a_destructor_may_lock_in_an_unwinding() {
    expect_panics();
    struct LockOnDrop(Arc<Mutex<u64>>);
    impl Drop for LockOnDrop {
        fn drop(&mut self) {
            let mut value = self.0.lock();
            assert_eq!(
                self.0.owner(),
                Some(current().id()),
                "the owner is the task, blocked or parked"
            );
            *value += 1;
        }
    }
    // Two workers: the one that panics blocks its thread.
    in_a_world_of(2, |world| {
        both_kinds(|new| {
            let mutex = Arc::new(new(0));
            let guard = mutex.lock();
            let locks = LockOnDrop(Arc::clone(&mutex));
            let party = world.start(Side::Task, move || {
                let _locks = locks;
                panic!("expected: a panic with a destructor that waits");
            });
            eventually("it stands in the queue", || mutex.waiters() == 1);
            drop(guard);
            party.join_panic();
            assert_eq!(*mutex.lock(), 1);
        });
    });
}

#[test]
fn the_value_can_be_reached_without_locking_by_who_owns_the_mutex() {
    let mut mutex = Mutex::new(String::from("a"));
    mutex.get_mut().push('b');
    assert_eq!(mutex.into_inner(), "ab");
    let without_size: &Mutex<[u8]> = &Mutex::new([1, 2, 3]);
    without_size.lock()[0] = 9;
    assert_eq!(without_size.lock().iter().sum::<u8>(), 14);
    assert_eq!(*Mutex::<u8>::default().lock() + *Mutex::from(1).lock(), 1);
}

#[test]
fn debug_shows_the_owner_and_does_not_lock() {
    let mutex = Mutex::new(1);
    assert_eq!(format!("{mutex:?}"), "Mutex { owner: None, .. }");
    let guard = mutex.lock();
    let id = current().id();
    assert_eq!(
        format!("{mutex:?}"),
        format!("Mutex {{ owner: Some({id}), .. }}")
    );
    assert_eq!(format!("{guard:?} {guard}"), "1 1");
}

#[test]
fn a_mutex_can_be_a_static() {
    static COUNT: Mutex<u32> = Mutex::new(0);
    static FAIR: Mutex<u32> = Mutex::new_fair(0);
    *COUNT.lock() += 1;
    *FAIR.lock() += 1;
    assert_eq!(*COUNT.lock() + *FAIR.lock(), 2);
}

mod raw {
    use super::*;

    #[test]
    fn a_stranger_cannot_unlock() {
        between(|world, [owner, stranger]| {
            for new in [RawMutex::new, RawMutex::new_fair] {
                let lock = Arc::new(new());
                let (go_on, locked) = (
                    Arc::new(AutoResetEvent::new(false)),
                    Arc::new(AutoResetEvent::new(false)),
                );
                let owner = {
                    let (lock, go_on, locked) = (lock.clone(), go_on.clone(), locked.clone());
                    world.start(owner, move || {
                        assert_eq!(lock.lock(), Wake::Signalled);
                        locked.set();
                        go_on.wait();
                        lock.unlock()
                    })
                };
                locked.wait();
                let tried = Arc::clone(&lock);
                let stranger = world.start(stranger, move || {
                    assert!(!tried.is_mine());
                    (tried.unlock().is_err(), tried.unlock_fair().is_err())
                });
                assert_eq!(stranger.join(), (true, true));
                assert_eq!(lock.owner(), Some(owner.task().id()), "nothing was changed");
                go_on.set();
                assert_eq!(owner.join(), Ok(()));
                assert!(lock.unlock().is_err(), "a free one is nobody's");
            }
        });
    }

    #[test]
    fn its_waits_say_what_ended_them() {
        in_a_world(|world| {
            for side in [Side::Task, Side::Mobile] {
                for (interrupt, expected) in [
                    (
                        fiberhost::scheduler::TaskRef::alert as fn(&_),
                        Wake::Alerted,
                    ),
                    (fiberhost::scheduler::TaskRef::cancel, Wake::Aborted),
                ] {
                    for limit in [None, Some(LONG)] {
                        let lock = Arc::new(RawMutex::new());
                        assert!(lock.try_lock());
                        let waits = Arc::clone(&lock);
                        let waiter =
                            world.start_waiting(side, WaitReason::Mutex, move || match limit {
                                None => waits.lock(),
                                Some(limit) => waits.lock_for(limit),
                            });
                        interrupt(waiter.task());
                        assert_eq!(waiter.join(), expected);
                        lock.unlock().expect("ours");
                        assert!(lock.try_lock());
                    }
                }
                let lock = Arc::new(RawMutex::new());
                assert!(lock.try_lock());
                let waits = Arc::clone(&lock);
                assert_eq!(
                    world.start(side, move || waits.lock_for(SHORT)).join(),
                    Wake::TimedOut
                );
            }
        });
    }
}

/// Many that lock, hold for a while, wait inside and outside, give up, are alerted and cancelled.
#[test]
fn stress() {
    for workers in [1, 2, 4] {
        stressed(workers, false);
        stressed(workers, true);
    }
}

fn stressed(workers: usize, fair: bool) {
    in_a_world_of(workers, |world| {
        let mut random = Random::seeded("mutex");
        let mutex = Arc::new(if fair {
            Mutex::new_fair(0_u64)
        } else {
            Mutex::new(0)
        });
        let inside = Arc::new(AtomicUsize::new(0));
        let counted = Arc::new(AtomicUsize::new(0));
        let parties: Vec<_> = (0..16)
            .map(|number| {
                let mut random = random.fork();
                let (mutex, inside, counted) = (mutex.clone(), inside.clone(), counted.clone());
                world.start(SIDES[number % 4], move || {
                    for _ in 0..60 {
                        let guard = match random.below(4) {
                            0 => mutex.try_lock(),
                            1 => mutex.try_lock_for(Duration::from_micros(random.below(300))),
                            _ => Some(mutex.lock()),
                        };
                        if let Some(mut guard) = guard {
                            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                            let value = *guard;
                            match random.below(8) {
                                0 => yield_now(),
                                1 => drop(sleep(Duration::from_micros(random.below(100)))),
                                _ => {}
                            }
                            *guard = value + 1;
                            counted.fetch_add(1, Ordering::SeqCst);
                            inside.fetch_sub(1, Ordering::SeqCst);
                            if random.below(8) == 0 {
                                MutexGuard::unlock_fair(guard);
                            }
                        }
                        if random.below(3) == 0 {
                            yield_now();
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
        parties.into_iter().for_each(|party| party.join());
        assert_eq!(*mutex.lock() as usize, counted.load(Ordering::SeqCst));
    });
}

/// Tasks that wait in a queue are aborted at random; the lock must not be lost with them.
#[test]
fn stress_of_aborts() {
    for workers in [1, 2, 4] {
        in_a_world_of(workers, |world| {
            let mut random = Random::seeded("mutex, aborts");
            for fair in [false, true] {
                let mutex = Arc::new(if fair {
                    Mutex::new_fair(0_u64)
                } else {
                    Mutex::new(0)
                });
                let parties: Vec<_> = (0..40)
                    .map(|number| {
                        let mutex = Arc::clone(&mutex);
                        world.start([Side::Task, Side::Mobile][number % 2], move || {
                            for _ in 0..20 {
                                let mut guard = mutex.lock();
                                yield_now();
                                *guard += 1;
                            }
                        })
                    })
                    .collect();
                for _ in 0..20 {
                    parties[random.below(40) as usize].task().abort();
                    std::thread::sleep(Duration::from_micros(random.below(100)));
                }
                for party in &parties {
                    party.until_finished();
                }
                eventually("the lock is free", || mutex.try_lock().is_some());
            }
        });
    }
}
