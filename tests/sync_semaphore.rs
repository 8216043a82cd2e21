//! Semaphores: so many at once, in the order in which they came.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::sides::{Party, Random, SIDES, Side, World, between, in_a_world, in_a_world_of};
use common::{LONG, SHORT, eventually, expect_panics};
use fiberhost::scheduler::sync::Semaphore;
use fiberhost::scheduler::{TaskRef, Wake, sleep, timeout, yield_now};

/// Starts one that waits for permits, and waits until it stands in the list as the last of so many.
#[track_caller]
fn start_queued<T: Send + 'static>(
    world: &World<'_>,
    side: Side,
    semaphore: &Arc<Semaphore>,
    place: usize,
    work: impl FnOnce(&Semaphore) -> T + Send + 'static,
) -> Party<T> {
    let waits = Arc::clone(semaphore);
    let party = world.start(side, move || work(&waits));
    eventually("it waits", || semaphore.waiters() == place);
    party
}

#[test]
fn no_more_have_permits_than_there_are() {
    in_a_world(|world| {
        let semaphore = Arc::new(Semaphore::new(3));
        let inside = Arc::new(AtomicUsize::new(0));
        let parties: Vec<_> = (0..12)
            .map(|number| {
                let (semaphore, inside) = (Arc::clone(&semaphore), Arc::clone(&inside));
                world.start(SIDES[number % 4], move || {
                    for _ in 0..30 {
                        let permit = semaphore.acquire();
                        assert!(inside.fetch_add(1, Ordering::SeqCst) < 3);
                        yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(permit);
                    }
                })
            })
            .collect();
        parties.into_iter().for_each(Party::join);
        assert_eq!(semaphore.available(), 3);
    });
}

#[test]
fn a_permit_that_comes_ends_a_wait() {
    between(|world, [waiter, other]| {
        let semaphore = Arc::new(Semaphore::new(0));
        let waiter = start_queued(world, waiter, &semaphore, 1, |semaphore| {
            semaphore.acquire().forget();
        });
        let adds = Arc::clone(&semaphore);
        world.start(other, move || adds.add(1)).join();
        waiter.join();
        assert_eq!(semaphore.available(), 0, "it was kept");
    });
}

#[test]
fn permits_that_were_added_before_are_there() {
    between(|world, [waiter, _]| {
        let semaphore = Arc::new(Semaphore::new(0));
        semaphore.add(2);
        let takes = Arc::clone(&semaphore);
        let party = world.start(waiter, move || {
            let permits = takes.acquire_many(2);
            assert_eq!((permits.permits(), takes.available()), (2, 0));
        });
        party.join();
        assert_eq!(semaphore.available(), 2);
    });
}

#[test]
fn they_are_given_out_in_the_order_in_which_they_were_asked_for() {
    in_a_world(|world| {
        let semaphore = Arc::new(Semaphore::new(0));
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let parties: Vec<_> = (0..8)
            .map(|number| {
                let order = Arc::clone(&order);
                start_queued(
                    world,
                    SIDES[number % 4],
                    &semaphore,
                    number + 1,
                    move |semaphore| {
                        semaphore.acquire().forget();
                        order.lock().unwrap().push(number);
                    },
                )
            })
            .collect();
        for number in 0..8 {
            semaphore.add(1);
            eventually("the next one has it", || {
                order.lock().unwrap().len() == number + 1
            });
        }
        parties.into_iter().for_each(Party::join);
        assert_eq!(*order.lock().unwrap(), (0..8).collect::<Vec<_>>());
    });
}

#[test]
fn who_wants_fewer_does_not_overtake_who_wants_more() {
    between(|world, pair| {
        let semaphore = Arc::new(Semaphore::new(2));
        let many = start_queued(world, pair[0], &semaphore, 1, |semaphore| {
            semaphore.acquire_many(3).forget();
        });
        assert!(
            semaphore.try_acquire().is_none(),
            "the two are for the one who waits"
        );
        let one = start_queued(world, pair[1], &semaphore, 2, |semaphore| {
            semaphore.acquire().forget();
        });
        assert_eq!(semaphore.available(), 2);
        semaphore.add(1);
        many.join();
        one.assert_waits();
        semaphore.add(1);
        one.join();
        assert_eq!(semaphore.available(), 0);
    });
}

#[test]
fn one_add_serves_as_many_as_it_can() {
    in_a_world(|world| {
        let semaphore = Arc::new(Semaphore::new(0));
        let parties: Vec<_> = (0..6)
            .map(|number| {
                start_queued(
                    world,
                    SIDES[number % 4],
                    &semaphore,
                    number + 1,
                    |semaphore| {
                        semaphore.acquire().forget();
                    },
                )
            })
            .collect();
        semaphore.add(4);
        eventually("four have ended", || {
            parties.iter().filter(|party| party.is_finished()).count() == 4
        });
        assert_eq!((semaphore.waiters(), semaphore.available()), (2, 0));
        semaphore.add(3);
        parties.into_iter().for_each(Party::join);
        assert_eq!(semaphore.available(), 1);
    });
}

#[test]
fn those_behind_one_that_gives_up_get_what_it_held_up() {
    between(|world, pair| {
        let semaphore = Arc::new(Semaphore::new(1));
        let many = start_queued(world, Side::Task, &semaphore, 1, |semaphore| {
            drop(semaphore.acquire_many(2));
        });
        let parties = pair.map(|side| {
            let semaphore = Arc::clone(&semaphore);
            world.start(side, move || drop(semaphore.acquire()))
        });
        eventually("all wait", || semaphore.waiters() == 3);
        many.task().abort();
        many.join_cancelled();
        parties.into_iter().for_each(Party::join);
        assert_eq!(semaphore.available(), 1);
    });
}

#[test]
fn trying_takes_what_is_there() {
    let semaphore = Semaphore::new(3);
    let two = semaphore.try_acquire_many(2).expect("three are there");
    assert!(semaphore.try_acquire_many(2).is_none());
    let one = semaphore.try_acquire().expect("one is left");
    assert!(semaphore.try_acquire().is_none());
    drop(two);
    assert_eq!(semaphore.available(), 2);
    one.forget();
    assert_eq!(semaphore.available(), 2);
    assert!(semaphore.try_acquire_many(0).is_some());
}

#[test]
fn a_limit_ends_the_wait_without_a_permit() {
    between(|world, [waiter, _]| {
        let semaphore = Arc::new(Semaphore::new(0));
        let waits = Arc::clone(&semaphore);
        let party = world.start(waiter, move || {
            let began = Instant::now();
            assert!(waits.acquire_for(Duration::ZERO).is_none());
            assert!(waits.acquire_for(SHORT).is_none());
            assert_eq!(waits.wait_for(Duration::ZERO), Wake::TimedOut);
            began.elapsed()
        });
        assert!(party.join() >= SHORT);
        assert_eq!(semaphore.waiters(), 0);
        let in_time = start_queued(world, waiter, &semaphore, 1, |semaphore| {
            // The permit goes back before the second wait.
            let acquired = semaphore.acquire_for(LONG).is_some();
            (acquired, semaphore.wait_for(LONG))
        });
        semaphore.add(1);
        assert_eq!(in_time.join(), (true, Wake::Signalled));
        assert_eq!(semaphore.available(), 0);
    });
}

#[test]
fn each_wait_is_ended_by_what_it_can_report() {
    in_a_world(|world| {
        type Case = (fn(&Semaphore) -> Wake, [Option<Wake>; 2]);
        let cases: [Case; 4] = [
            (
                |semaphore| {
                    semaphore.acquire().forget();
                    Wake::Signalled
                },
                [None, None],
            ),
            (
                |semaphore| match semaphore.acquire_for(LONG) {
                    Some(permit) => {
                        permit.forget();
                        Wake::Signalled
                    }
                    None => Wake::Aborted,
                },
                [None, Some(Wake::Aborted)],
            ),
            (Semaphore::wait, [Some(Wake::Alerted), Some(Wake::Aborted)]),
            (
                |semaphore| semaphore.wait_for(LONG),
                [Some(Wake::Alerted), Some(Wake::Aborted)],
            ),
        ];
        let interrupts: [fn(&TaskRef); 2] = [TaskRef::alert, TaskRef::cancel];
        for side in [Side::Task, Side::Mobile] {
            for (wait, answers) in cases {
                for (interrupt, answer) in interrupts.into_iter().zip(answers) {
                    let semaphore = Arc::new(Semaphore::new(0));
                    let waiter = start_queued(world, side, &semaphore, 1, wait);
                    interrupt(waiter.task());
                    match answer {
                        Some(wake) => {
                            assert_eq!(waiter.join(), wake);
                            semaphore.add(1);
                            assert_eq!(semaphore.available(), 1, "it got none");
                        }
                        None => {
                            waiter.assert_waits();
                            semaphore.add(1);
                            assert_eq!(waiter.join(), Wake::Signalled);
                        }
                    }
                }
                let semaphore = Arc::new(Semaphore::new(0));
                let aborted = start_queued(world, side, &semaphore, 1, wait);
                aborted.task().abort();
                aborted.join_cancelled();
                assert_eq!(semaphore.waiters(), 0);
            }
        }
    });
}

#[test]
fn an_enclosing_timeout_unwinds_the_wait() {
    in_a_world(|world| {
        let semaphore = Arc::new(Semaphore::new(0));
        let waits = Arc::clone(&semaphore);
        let party = world.start(Side::Task, move || {
            timeout(SHORT, || drop(waits.acquire())).is_err()
        });
        assert!(party.join());
        assert_eq!(semaphore.waiters(), 0);
    });
}

#[test]
fn a_panic_gives_the_permits_back() {
    expect_panics();
    between(|world, [holder, _]| {
        let semaphore = Arc::new(Semaphore::new(2));
        let panics = Arc::clone(&semaphore);
        let party = world.start(holder, move || {
            let _permits = panics.acquire_many(2);
            panic!("expected: the holder of permits panics");
        });
        party.join_panic();
        assert_eq!(semaphore.available(), 2);
    });
}

#[test]
fn permits_are_not_bound_to_who_acquired_them() {
    static SEMAPHORE: Semaphore = Semaphore::new(1);
    in_a_world(|world| {
        let permit = SEMAPHORE.acquire();
        world.start(Side::Task, move || drop(permit)).join();
        assert_eq!(SEMAPHORE.available(), 1);
    });
}

#[test]
#[should_panic(expected = "can be counted")]
fn more_permits_than_can_be_counted_are_refused() {
    Semaphore::new(1).add(usize::MAX);
}

/// Takers of several permits that give up, are alerted, cancelled and aborted: no permit is lost or made.
#[test]
fn stress() {
    const PERMITS: usize = 5;
    for workers in [1, 2, 4] {
        in_a_world_of(workers, |world| {
            let mut random = Random::seeded("semaphore");
            let semaphore = Arc::new(Semaphore::new(PERMITS));
            let inside = Arc::new(AtomicUsize::new(0));
            let parties: Vec<_> = (0..20)
                .map(|number| {
                    let mut random = random.fork();
                    let (semaphore, inside) = (Arc::clone(&semaphore), Arc::clone(&inside));
                    world.start(SIDES[number % 4], move || {
                        for _ in 0..60 {
                            take_some(&semaphore, &inside, &mut random);
                        }
                    })
                })
                .collect();
            for round in 0..40 {
                let party = &parties[random.below(20) as usize];
                match round % 8 {
                    0..6 => party.task().alert(),
                    6 => party.task().cancel(),
                    _ => party.task().abort(),
                }
                std::thread::sleep(Duration::from_micros(random.below(200)));
            }
            parties.iter().for_each(Party::until_finished);
            assert_eq!((semaphore.available(), semaphore.waiters()), (PERMITS, 0));
        });
    }

    fn take_some(semaphore: &Semaphore, inside: &AtomicUsize, random: &mut Random) {
        let wanted = 1 + random.below(PERMITS as u64) as usize;
        let permits = match random.below(4) {
            0 => semaphore.try_acquire_many(wanted),
            1 => semaphore.acquire_for(Duration::from_micros(random.below(300))),
            _ => Some(semaphore.acquire_many(wanted)),
        };
        let Some(permits) = permits else { return };
        let count = permits.permits();
        assert!(inside.fetch_add(count, Ordering::SeqCst) + count <= PERMITS);
        let leave = common::OnDrop(|| {
            inside.fetch_sub(count, Ordering::SeqCst);
        });
        match random.below(6) {
            0 => yield_now(),
            1 => drop(sleep(Duration::from_micros(random.below(100)))),
            _ => {}
        }
        drop(leave);
        drop(permits);
    }
}
