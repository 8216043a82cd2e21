//! Condition variables: no notification is lost between the mutex and the wait, and the mutex is locked afterwards.

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::sides::{Party, Random, SIDES, Side, World, between, in_a_world, in_a_world_of};
use common::{LONG, SHORT, eventually, expect_panics};
use fiberhost::scheduler::sync::{Condvar, Mutex};
use fiberhost::scheduler::{Wake, current, timeout, yield_now};

#[derive(Default)]
struct Shared {
    value: Mutex<u64>,
    changed: Condvar,
}

impl Shared {
    fn new() -> Arc<Shared> {
        Arc::default()
    }

    fn fair() -> Arc<Shared> {
        Arc::new(Shared {
            value: Mutex::new_fair(0),
            changed: Condvar::new(),
        })
    }
}

/// Starts one that waits for a notification, and waits until it stands in the list as the last of so many.
#[track_caller]
fn start_waiting<T: Send + 'static>(
    world: &World<'_>,
    side: Side,
    shared: &Arc<Shared>,
    place: usize,
    work: impl FnOnce(&Shared) -> T + Send + 'static,
) -> Party<T> {
    let waits = Arc::clone(shared);
    let party = world.start(side, move || work(&waits));
    eventually("it waits", || shared.changed.waiters() == place);
    party
}

/// Waits once, and says whether the caller has the mutex afterwards.
fn wait_once(shared: &Shared) -> bool {
    let mut guard = shared.value.lock();
    shared.changed.wait(&mut guard);
    shared.value.owner() == Some(current().id())
}

#[test]
fn a_notification_ends_one_wait_with_the_mutex_locked() {
    between(|world, pair| {
        for shared in [Shared::new(), Shared::fair()] {
            let parties = [
                start_waiting(world, pair[0], &shared, 1, wait_once),
                start_waiting(world, pair[1], &shared, 2, wait_once),
            ];
            assert!(
                shared.value.try_lock().is_some(),
                "the mutex is free in the wait"
            );
            assert!(shared.changed.notify_one());
            eventually("one has ended", || parties.iter().any(Party::is_finished));
            assert_eq!(shared.changed.waiters(), 1);
            assert!(shared.changed.notify_one());
            assert!(parties.into_iter().all(Party::join));
        }
    });
}

#[test]
fn notify_one_takes_the_one_who_has_waited_longest() {
    in_a_world(|world| {
        let shared = Shared::new();
        let order = Arc::new(Mutex::new(Vec::new()));
        let parties: Vec<_> = (0..8)
            .map(|number| {
                let order = Arc::clone(&order);
                start_waiting(
                    world,
                    SIDES[number % 4],
                    &shared,
                    number + 1,
                    move |shared| {
                        wait_once(shared);
                        order.lock().push(number);
                    },
                )
            })
            .collect();
        for number in 0..8 {
            assert!(shared.changed.notify_one());
            eventually("the next one has ended", || {
                order.lock().len() == number + 1
            });
        }
        parties.into_iter().for_each(Party::join);
        assert_eq!(*order.lock(), (0..8).collect::<Vec<_>>());
    });
}

#[test]
fn notify_all_ends_all_waits() {
    in_a_world(|world| {
        for shared in [Shared::new(), Shared::fair()] {
            let parties: Vec<_> = (0..8)
                .map(|number| {
                    start_waiting(world, SIDES[number % 4], &shared, number + 1, wait_once)
                })
                .collect();
            shared.changed.notify_all();
            assert_eq!(shared.changed.waiters(), 0);
            assert!(parties.into_iter().all(Party::join));
        }
    });
}

#[test]
fn a_notification_for_nobody_is_gone() {
    in_a_world(|world| {
        let shared = Shared::new();
        assert!(!shared.changed.notify_one());
        shared.changed.notify_all();
        let waiter = start_waiting(world, Side::Task, &shared, 1, wait_once);
        waiter.assert_waits();
        shared.changed.notify_one();
        assert!(waiter.join());
    });
}

#[test]
fn no_change_is_missed_between_the_look_and_the_wait() {
    between(|world, pair| {
        const TURNS: u64 = 300;
        for shared in [Shared::new(), Shared::fair()] {
            // Each waits for the other's turn: a lost notification is a hang.
            let parties = [0, 1].map(|parity| {
                let shared = Arc::clone(&shared);
                world.start(pair[parity as usize], move || {
                    for _ in 0..TURNS {
                        let mut turn = shared.value.lock();
                        shared
                            .changed
                            .wait_while(&mut turn, |turn| *turn % 2 != parity);
                        *turn += 1;
                        drop(turn);
                        shared.changed.notify_one();
                    }
                })
            });
            parties.into_iter().for_each(Party::join);
            assert_eq!(*shared.value.lock(), 2 * TURNS);
        }
    });
}

#[test]
fn the_mutexs_next_owner_is_woken_by_the_wait() {
    between(|world, pair| {
        for shared in [Shared::new(), Shared::fair()] {
            let locks = Arc::clone(&shared);
            let mut guard = shared.value.lock();
            let next = world.start(pair[0], move || {
                *locks.value.lock() += 1;
                locks.changed.notify_one();
            });
            eventually("it waits for the mutex", || shared.value.waiters() == 1);
            // The test's own thread waits: only its unlocking lets the other one go on.
            shared.changed.wait_while(&mut guard, |value| *value == 0);
            assert_eq!(*guard, 1);
            drop(guard);
            next.join();
        }
    });
}

#[test]
fn wait_for_says_what_ended_it() {
    between(|world, [waiter, _]| {
        let shared = Shared::new();
        let late = Arc::clone(&shared);
        let party = world.start(waiter, move || {
            let mut guard = late.value.lock();
            let began = Instant::now();
            let result = late.changed.wait_for(&mut guard, SHORT);
            assert_eq!(late.value.owner(), Some(current().id()));
            assert!(began.elapsed() >= SHORT);
            let at_once = late.changed.wait_for(&mut guard, Duration::ZERO);
            (result.timed_out(), result.wake(), at_once.timed_out())
        });
        assert_eq!(party.join(), (true, Wake::TimedOut, true));
        assert_eq!(shared.changed.waiters(), 0);
        let in_time = start_waiting(world, waiter, &shared, 1, |shared| {
            let mut guard = shared.value.lock();
            let result = shared.changed.wait_for(&mut guard, LONG);
            (result.timed_out(), result.wake())
        });
        shared.changed.notify_one();
        assert_eq!(in_time.join(), (false, Wake::Signalled));
    });
}

#[test]
fn wait_while_for_looks_at_the_condition_last() {
    between(|world, [waiter, _]| {
        let shared = Shared::new();
        let never = Arc::clone(&shared);
        let party = world.start(waiter, move || {
            let mut guard = never.value.lock();
            let wait = never
                .changed
                .wait_while_for(&mut guard, |value| *value == 0, SHORT);
            let none = never
                .changed
                .wait_while_for(&mut guard, |_| false, Duration::ZERO);
            (wait.timed_out(), none.timed_out())
        });
        assert_eq!(party.join(), (true, false));
        let party = start_waiting(world, waiter, &shared, 1, |shared| {
            let mut guard = shared.value.lock();
            let wait = shared
                .changed
                .wait_while_for(&mut guard, |value| *value == 0, LONG);
            (wait.timed_out(), *guard)
        });
        shared.changed.notify_one();
        eventually("it waits again", || shared.changed.waiters() == 1);
        *shared.value.lock() = 4;
        shared.changed.notify_all();
        assert_eq!(party.join(), (false, 4));
    });
}

#[test]
fn wait_is_ended_by_an_abort_alone_and_unwinds_with_the_mutex_locked() {
    struct Looks(Arc<Shared>, Arc<Mutex<Option<bool>>>);
    impl Drop for Looks {
        fn drop(&mut self) {
            *self.1.lock() = Some(self.0.value.owner() == Some(current().id()));
        }
    }
    in_a_world(|world| {
        for side in [Side::Task, Side::Mobile] {
            let shared = Shared::new();
            let waiter = start_waiting(world, side, &shared, 1, wait_once);
            waiter.task().alert();
            waiter.task().cancel();
            waiter.assert_waits();
            shared.changed.notify_one();
            assert!(waiter.join());

            let had_it = Arc::new(Mutex::new(None));
            let looks = Looks(Arc::clone(&shared), Arc::clone(&had_it));
            let aborted = start_waiting(world, side, &shared, 1, move |shared| {
                let mut guard = shared.value.lock();
                let _looks = looks;
                shared.changed.wait(&mut guard);
            });
            aborted.task().abort();
            aborted.join_cancelled();
            assert_eq!(
                *had_it.lock(),
                Some(true),
                "the guard was good in the unwinding"
            );
            assert!(shared.value.try_lock().is_some(), "and it has unlocked");
            assert_eq!(shared.changed.waiters(), 0);
        }
    });
}

#[test]
fn an_aborted_wait_takes_the_mutex_back_before_it_unwinds_however_long_that_takes() {
    in_a_world(|world| {
        let shared = Shared::new();
        let aborted = start_waiting(world, Side::Task, &shared, 1, wait_once);
        let guard = shared.value.lock();
        aborted.task().abort();
        eventually("it wants the mutex", || shared.value.waiters() == 1);
        aborted.task().abort();
        aborted.assert_waits();
        drop(guard);
        aborted.join_cancelled();
        assert!(shared.value.try_lock().is_some());
    });
}

#[test]
fn wait_for_is_ended_by_alert_and_cancel() {
    in_a_world(|world| {
        for side in [Side::Task, Side::Mobile] {
            let shared = Shared::new();
            let wait = |shared: &Shared| {
                let mut guard = shared.value.lock();
                let first = shared.changed.wait_for(&mut guard, LONG);
                (
                    first.wake(),
                    first.timed_out(),
                    shared.value.owner() == Some(current().id()),
                )
            };
            let alerted = start_waiting(world, side, &shared, 1, wait);
            alerted.task().alert();
            assert_eq!(alerted.join(), (Wake::Alerted, false, true));
            let cancelled = start_waiting(world, side, &shared, 1, wait);
            cancelled.task().cancel();
            assert_eq!(
                cancelled.join(),
                (Wake::Aborted, true, true),
                "it makes no sense to wait on"
            );
            let aborted = start_waiting(world, side, &shared, 1, wait);
            aborted.task().abort();
            aborted.join_cancelled();
            assert!(shared.value.try_lock().is_some());
        }
    });
}

#[test]
fn a_wait_that_is_interrupted_before_it_begins_keeps_the_mutex() {
    in_a_world(|world| {
        let party = world.start(Side::Task, || {
            let shared = Shared::new();
            let mut guard = shared.value.lock();
            current().alert();
            let alerted = shared.changed.wait_for(&mut guard, LONG).wake();
            current().cancel();
            let cancelled = shared.changed.wait_for(&mut guard, LONG).wake();
            (
                alerted,
                cancelled,
                shared.value.owner() == Some(current().id()),
            )
        });
        assert_eq!(party.join(), (Wake::Alerted, Wake::Aborted, true));
    });
}

#[test]
fn an_enclosing_timeout_unwinds_the_wait() {
    in_a_world(|world| {
        let shared = Shared::new();
        let waits = Arc::clone(&shared);
        let party = world.start(Side::Task, move || {
            timeout(SHORT, || wait_once(&waits)).is_err()
        });
        assert!(party.join());
        assert!(shared.value.try_lock().is_some());
    });
}

#[test]
fn a_notification_goes_on_to_the_next_if_the_first_gives_up() {
    between(|world, pair| {
        let shared = Shared::new();
        let waits = Arc::clone(&shared);
        let gives_up = world.start_limited(
            pair[0],
            |_| shared.changed.waiters() == 1,
            move |limit| {
                let mut guard = waits.value.lock();
                waits.changed.wait_for(&mut guard, limit).timed_out()
            },
        );
        let waits = Arc::clone(&shared);
        let stays = world.start(pair[1], move || wait_once(&waits));
        assert!(gives_up.join());
        eventually("the other one waits", || shared.changed.waiters() == 1);
        assert!(shared.changed.notify_one());
        assert!(stays.join());
    });
}

#[test]
fn a_destructor_may_wait_in_an_unwinding() {
    expect_panics();
    struct WaitOnDrop(Arc<Shared>);
    impl Drop for WaitOnDrop {
        fn drop(&mut self) {
            assert!(wait_once(&self.0));
        }
    }
    in_a_world_of(2, |world| {
        let shared = Shared::new();
        let waits = WaitOnDrop(Arc::clone(&shared));
        let party = world.start(Side::Task, move || {
            let _waits = waits;
            panic!("expected: a panic with a destructor that waits");
        });
        eventually("it waits", || shared.changed.waiters() == 1);
        shared.changed.notify_one();
        party.join_panic();
        assert!(shared.value.try_lock().is_some());
    });
}

/// A bounded buffer of one's own making: what goes in comes out, with waiters that give up, are alerted and cancelled.
#[test]
fn stress() {
    for workers in [1, 2, 4] {
        in_a_world_of(workers, |world| {
            let mut random = Random::seeded("condvar");
            let shared = Shared::new();
            let parties: Vec<_> = (0..16)
                .map(|number| {
                    let shared = Arc::clone(&shared);
                    let mut random = random.fork();
                    let adds = number % 2 == 0;
                    // Two of each side, one that adds and one that takes.
                    world.start(SIDES[number / 2 % 4], move || {
                        for _ in 0..100 {
                            exchange(&shared, adds, &mut random);
                        }
                    })
                })
                .collect();
            for _ in 0..40 {
                parties[random.below(16) as usize].task().alert();
                std::thread::sleep(Duration::from_micros(random.below(200)));
            }
            parties.into_iter().for_each(Party::join);
            assert_eq!(*shared.value.lock(), 0);
            assert_eq!(shared.changed.waiters(), 0);
        });
    }
}

fn exchange(shared: &Shared, adds: bool, random: &mut Random) {
    const ROOM: u64 = 3;
    let mut value = shared.value.lock();
    while *value == if adds { ROOM } else { 0 } {
        if random.below(2) == 0 {
            shared.changed.wait(&mut value);
        } else {
            let limit = Duration::from_micros(random.below(500));
            let _ = shared.changed.wait_for(&mut value, limit);
        }
    }
    if adds {
        *value += 1;
    } else {
        *value -= 1;
    }
    if random.below(4) == 0 {
        yield_now();
    }
    drop(value);
    shared.changed.notify_all();
}
