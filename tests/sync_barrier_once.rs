//! Barriers, and what is done once.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::sides::{Party, Random, SIDES, Side, between, in_a_world, in_a_world_of};
use common::{Drops, LONG, SHORT, eventually, expect_panics};
use fiberhost::scheduler::sync::{AutoResetEvent, Barrier, Once, OnceLock};
use fiberhost::scheduler::{TaskRef, WaitReason, Wake, current, timeout, yield_now};

mod barrier {
    use super::*;

    #[test]
    fn nobody_goes_on_before_all_have_come_and_one_leads() {
        in_a_world(|world| {
            const ROUNDS: usize = 20;
            let barrier = Arc::new(Barrier::new(8));
            let come = Arc::new(AtomicUsize::new(0));
            let parties: Vec<_> = (0..8)
                .map(|number| {
                    let (barrier, come) = (Arc::clone(&barrier), Arc::clone(&come));
                    world.start(SIDES[number % 4], move || {
                        let mut led = 0;
                        for round in 1..=ROUNDS {
                            come.fetch_add(1, Ordering::SeqCst);
                            led += usize::from(barrier.wait().is_leader());
                            assert!(come.load(Ordering::SeqCst) >= 8 * round);
                            // Nobody begins the next round before all have looked.
                            barrier.wait();
                            assert!(come.load(Ordering::SeqCst) <= 8 * (round + 1));
                        }
                        led
                    })
                })
                .collect();
            let led: usize = parties.into_iter().map(Party::join).sum();
            assert_eq!(led, ROUNDS);
        });
    }

    #[test]
    fn for_one_or_none_it_is_open() {
        assert!(Barrier::new(1).wait().is_leader());
        assert!(Barrier::new(0).wait().is_leader());
        assert!(Barrier::new(0).wait().is_leader());
    }

    #[test]
    fn the_last_one_leads() {
        between(|world, [first, last]| {
            let barrier = Arc::new(Barrier::new(2));
            let waits = Arc::clone(&barrier);
            let first = world.start_waiting(first, WaitReason::Barrier, move || waits.wait());
            assert_eq!(barrier.arrived(), 1);
            let waits = Arc::clone(&barrier);
            assert!(world.start(last, move || waits.wait()).join().is_leader());
            assert!(!first.join().is_leader());
            assert_eq!(barrier.arrived(), 0);
        });
    }

    #[test]
    fn who_gives_up_has_not_come() {
        between(|world, pair| {
            let barrier = Arc::new(Barrier::new(2));
            let waits = Arc::clone(&barrier);
            let late = world.start(pair[0], move || waits.wait_for(SHORT));
            assert_eq!(late.join(), Err(Wake::TimedOut));
            assert_eq!(barrier.arrived(), 0);
            let parties = pair.map(|side| {
                let barrier = Arc::clone(&barrier);
                world.start(side, move || {
                    barrier.wait_for(LONG).expect("both come").is_leader()
                })
            });
            assert_eq!(
                parties.map(Party::join).iter().filter(|led| **led).count(),
                1
            );
        });
    }

    #[test]
    fn interruptions() {
        in_a_world(|world| {
            for side in [Side::Task, Side::Mobile] {
                let barrier = Arc::new(Barrier::new(2));
                let start = |wait: fn(&Barrier) -> Result<bool, Wake>| {
                    let waits = Arc::clone(&barrier);
                    let party = world.start(side, move || wait(&waits));
                    eventually("it has come", || barrier.arrived() == 1);
                    party
                };
                let wait = |barrier: &Barrier| Ok(barrier.wait().is_leader());
                let wait_for =
                    |barrier: &Barrier| barrier.wait_for(LONG).map(|result| result.is_leader());
                let interrupts: [(fn(&TaskRef), Wake); 2] = [
                    (TaskRef::alert, Wake::Alerted),
                    (TaskRef::cancel, Wake::Aborted),
                ];
                for (interrupt, wake) in interrupts {
                    let waiter = start(wait_for);
                    interrupt(waiter.task());
                    assert_eq!(waiter.join(), Err(wake));
                    assert_eq!(barrier.arrived(), 0);
                }
                for wait in [wait, wait_for] {
                    let aborted = start(wait);
                    aborted.task().abort();
                    aborted.join_cancelled();
                    assert_eq!(barrier.arrived(), 0);
                }
                let waiter = start(wait);
                waiter.task().alert();
                waiter.task().cancel();
                waiter.assert_waits();
                assert!(barrier.wait().is_leader());
                assert_eq!(waiter.join(), Ok(false));
            }
        });
    }

    #[test]
    fn an_enclosing_timeout_unwinds_the_wait() {
        in_a_world(|world| {
            let barrier = Arc::new(Barrier::new(2));
            let waits = Arc::clone(&barrier);
            assert!(
                world
                    .start(Side::Task, move || timeout(SHORT, || waits.wait()).is_err())
                    .join()
            );
            assert_eq!(barrier.arrived(), 0);
        });
    }

    /// Some give up and come again; rounds end only when all are there.
    #[test]
    fn stress() {
        for workers in [1, 2, 4] {
            in_a_world_of(workers, |world| {
                const ROUNDS: usize = 30;
                let mut random = Random::seeded("barrier");
                let barrier = Arc::new(Barrier::new(8));
                let parties: Vec<_> = (0..8)
                    .map(|number| {
                        let barrier = Arc::clone(&barrier);
                        let mut random = random.fork();
                        world.start(SIDES[number % 4], move || {
                            (0..ROUNDS).filter(|_| pass(&barrier, &mut random)).count()
                        })
                    })
                    .collect();
                for _ in 0..40 {
                    parties[random.below(8) as usize].task().alert();
                    std::thread::sleep(std::time::Duration::from_micros(random.below(200)));
                }
                let led: usize = parties.into_iter().map(Party::join).sum();
                assert_eq!(led, ROUNDS, "each round has one leader");
            });
        }
    }

    fn pass(barrier: &Barrier, random: &mut Random) -> bool {
        loop {
            let limit = std::time::Duration::from_micros(random.below(2000));
            match barrier.wait_for(limit) {
                Ok(result) => return result.is_leader(),
                Err(_) => yield_now(),
            }
        }
    }
}

mod once {
    use super::*;

    #[test]
    fn one_runs_it_and_the_others_wait_for_its_end() {
        in_a_world(|world| {
            let once = Arc::new(Once::new());
            let runs = Arc::new(AtomicUsize::new(0));
            let parties: Vec<_> = (0..12)
                .map(|number| {
                    let (once, runs) = (Arc::clone(&once), Arc::clone(&runs));
                    world.start(SIDES[number % 4], move || {
                        once.call_once(|| {
                            for _ in 0..20 {
                                yield_now();
                            }
                            runs.fetch_add(1, Ordering::SeqCst);
                        });
                        assert!(once.is_completed());
                        runs.load(Ordering::SeqCst)
                    })
                })
                .collect();
            for party in parties {
                assert_eq!(party.join(), 1);
            }
        });
    }

    #[test]
    fn a_panic_poisons_it_until_it_is_forced() {
        expect_panics();
        between(|world, pair| {
            let once = Arc::new(Once::new());
            let panics = Arc::clone(&once);
            let party = world.start(pair[0], move || {
                panics.call_once(|| panic!("expected: an initialiser panics"))
            });
            party.join_panic();
            assert!(!once.is_completed());
            let again = Arc::clone(&once);
            let refused = world.start(pair[1], move || {
                catch_unwind(AssertUnwindSafe(|| again.call_once(|| unreachable!()))).is_err()
            });
            assert!(refused.join());
            let forces = Arc::clone(&once);
            let forced = world.start(pair[1], move || {
                let mut poisoned = None;
                forces.call_once_force(|state| poisoned = Some(state.is_poisoned()));
                poisoned
            });
            assert_eq!(forced.join(), Some(true));
            assert!(once.is_completed());
            once.call_once(|| unreachable!());
            once.call_once_force(|_| unreachable!());
        });
    }

    #[test]
    fn who_waits_for_an_initialiser_that_panics_is_told_or_runs_its_own() {
        expect_panics();
        between(|world, pair| {
            let once = Arc::new(Once::new());
            let (panics, runs) = (Arc::clone(&once), Arc::new(AutoResetEvent::new(false)));
            let go_on = Arc::new(AutoResetEvent::new(false));
            let (told, waits) = (Arc::clone(&runs), Arc::clone(&go_on));
            let first = world.start(pair[0], move || {
                panics.call_once(|| {
                    told.set();
                    waits.wait();
                    panic!("expected: an initialiser panics");
                });
            });
            runs.wait();
            let calls = Arc::clone(&once);
            let told = world.start_waiting(pair[1], WaitReason::Once, move || {
                catch_unwind(AssertUnwindSafe(|| calls.call_once(|| {}))).is_err()
            });
            let calls = Arc::clone(&once);
            let forces = world.start_waiting(pair[0], WaitReason::Once, move || {
                let mut ran = false;
                calls.call_once_force(|_| ran = true);
                ran
            });
            go_on.set();
            first.join_panic();
            assert!(forces.join());
            // It may come late enough to find that the other one has repaired it.
            let _ = told.join();
            assert!(once.is_completed());
        });
    }

    #[test]
    fn an_initialiser_that_waits_for_itself_panics() {
        expect_panics();
        in_a_world(|world| {
            for side in SIDES {
                let party = world.start(side, || {
                    let once = Once::new();
                    let mut text = None;
                    once.call_once(|| {
                        let panic =
                            catch_unwind(AssertUnwindSafe(|| once.call_once(|| {}))).unwrap_err();
                        text = panic.downcast_ref::<&str>().copied();
                    });
                    assert!(once.is_completed());
                    text
                });
                assert!(party.join().expect("a text").contains("waits for itself"));
            }
        });
    }

    #[test]
    fn the_wait_is_ended_by_an_abort_alone() {
        in_a_world(|world| {
            for side in [Side::Task, Side::Mobile] {
                let once = Arc::new(Once::new());
                let go_on = Arc::new(AutoResetEvent::new(false));
                let (runs, waits) = (Arc::clone(&once), Arc::clone(&go_on));
                let first = world.start_waiting(side, WaitReason::Event, move || {
                    runs.call_once(|| assert_eq!(waits.wait(), Wake::Signalled));
                });
                let start = || {
                    let once = Arc::clone(&once);
                    world.start_waiting(side, WaitReason::Once, move || once.call_once(|| {}))
                };
                let (stays, aborted) = (start(), start());
                stays.task().alert();
                stays.task().cancel();
                aborted.task().abort();
                aborted.join_cancelled();
                stays.assert_waits();
                go_on.set();
                first.join();
                stays.join();
            }
        });
    }

    #[test]
    fn an_initialiser_that_is_aborted_poisons() {
        in_a_world(|world| {
            let once = Arc::new(Once::new());
            let runs = Arc::clone(&once);
            let party = world.start_waiting(Side::Task, WaitReason::Park, move || {
                runs.call_once(|| panic!("it is aborted, not {:?}", fiberhost::scheduler::park()));
            });
            party.task().abort();
            party.join_cancelled();
            once.call_once_force(|state| assert!(state.is_poisoned()));
        });
    }

    #[test]
    fn it_can_be_a_static() {
        static ONCE: Once = Once::new();
        let mut calls = 0;
        for _ in 0..3 {
            ONCE.call_once(|| calls += 1);
        }
        assert_eq!(calls, 1);
    }
}

mod once_lock {
    use super::*;

    #[test]
    fn one_makes_the_value_and_all_see_it() {
        in_a_world(|world| {
            let lock = Arc::new(OnceLock::new());
            let made = Arc::new(AtomicUsize::new(0));
            let parties: Vec<_> = (0..12)
                .map(|number| {
                    let (lock, made) = (Arc::clone(&lock), Arc::clone(&made));
                    world.start(SIDES[number % 4], move || {
                        let value = *lock.get_or_init(|| {
                            yield_now();
                            made.fetch_add(1, Ordering::SeqCst);
                            current().id()
                        });
                        assert_eq!(lock.get(), Some(&value));
                        value
                    })
                })
                .collect();
            let values: Vec<_> = parties.into_iter().map(Party::join).collect();
            assert!(values.iter().all(|value| *value == values[0]));
            assert_eq!(made.load(Ordering::SeqCst), 1);
        });
    }

    #[test]
    fn a_panic_leaves_it_empty_for_the_next() {
        expect_panics();
        between(|world, pair| {
            let lock = Arc::new(OnceLock::new());
            let panics = Arc::clone(&lock);
            let party = world.start(pair[0], move || {
                panics.get_or_init(|| panic!("expected: an initialiser panics"));
            });
            party.join_panic();
            assert_eq!(lock.get(), None);
            let makes = Arc::clone(&lock);
            assert_eq!(
                world
                    .start(pair[1], move || *makes.get_or_init(|| 8))
                    .join(),
                8
            );
        });
    }

    #[test]
    fn it_is_set_once() {
        let mut lock = OnceLock::new();
        assert_eq!(lock.get_mut(), None);
        assert_eq!(lock.set(1), Ok(()));
        assert_eq!(lock.set(2), Err(2));
        *lock.get_mut().expect("set") += 10;
        assert_eq!(lock.get(), Some(&11));
        assert_eq!(lock.take(), Some(11));
        assert_eq!(lock.get(), None);
        assert_eq!(*lock.get_or_init(|| 3), 3);
        assert_eq!(lock.into_inner(), Some(3));
        assert_eq!(OnceLock::from(4).get(), Some(&4));
    }

    #[test]
    fn set_waits_for_who_makes_the_value() {
        between(|world, pair| {
            let lock = Arc::new(OnceLock::new());
            let go_on = Arc::new(AutoResetEvent::new(false));
            let makes = (Arc::clone(&lock), Arc::clone(&go_on));
            let first = world.start_waiting(pair[0], WaitReason::Event, move || {
                *makes.0.get_or_init(|| {
                    makes.1.wait();
                    1
                })
            });
            let sets = Arc::clone(&lock);
            let second = world.start_waiting(pair[1], WaitReason::Once, move || sets.set(2));
            go_on.set();
            assert_eq!((first.join(), second.join()), (1, Err(2)));
        });
    }

    #[test]
    fn the_value_is_dropped_with_it() {
        let drops = Drops::new();
        let lock = OnceLock::new();
        assert!(lock.set(drops.one()).is_ok());
        assert!(lock.set(drops.one()).is_err());
        assert_eq!(drops.count(), 1);
        drop(lock);
        assert_eq!(drops.count(), 2);
    }

    #[test]
    fn an_initialiser_that_wants_the_value_panics() {
        expect_panics();
        let lock: OnceLock<u8> = OnceLock::new();
        let panic = catch_unwind(AssertUnwindSafe(|| {
            lock.get_or_init(|| *lock.get_or_init(|| 1))
        }));
        assert!(panic.is_err());
        assert_eq!(*lock.get_or_init(|| 2), 2);
    }
}
