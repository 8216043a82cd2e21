//! Events: a set is seen by one waiter, or by all until it is taken back.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::sides::{Party, Random, SIDES, Side, World, between, in_a_world, in_a_world_of};
use common::{LONG, SHORT, eventually};
use fiberhost::scheduler::sync::{AutoResetEvent, ManualResetEvent};
use fiberhost::scheduler::{TaskRef, WaitReason, Wake, timeout, yield_now};

#[test]
fn a_set_before_the_wait_is_not_lost() {
    between(|world, pair| {
        let auto = Arc::new(AutoResetEvent::new(false));
        let sets = Arc::clone(&auto);
        world.start(pair[0], move || sets.set()).join();
        let waits = Arc::clone(&auto);
        assert_eq!(
            world.start(pair[1], move || waits.wait()).join(),
            Wake::Signalled
        );
        assert!(!auto.reset(), "the wait took it");
    });
}

#[test]
fn a_set_during_the_wait_ends_it() {
    between(|world, pair| {
        let auto = Arc::new(AutoResetEvent::new(false));
        let manual = Arc::new(ManualResetEvent::new(false));
        let waits = (Arc::clone(&auto), Arc::clone(&manual));
        let waiter = world.start_waiting(pair[0], WaitReason::Event, move || {
            (waits.0.wait(), waits.1.wait())
        });
        world
            .start(pair[1], move || {
                auto.set();
                manual.set();
            })
            .join();
        assert_eq!(waiter.join(), (Wake::Signalled, Wake::Signalled));
    });
}

#[test]
fn sets_of_an_auto_reset_event_do_not_add_up() {
    let event = AutoResetEvent::new(true);
    event.set();
    event.set();
    assert_eq!(event.wait(), Wake::Signalled);
    assert_eq!(event.wait_for(Duration::ZERO), Wake::TimedOut);
    event.set();
    assert!(event.reset());
    assert!(!event.reset());
}

#[test]
fn one_set_of_an_auto_reset_event_lets_one_through() {
    in_a_world(|world| {
        let event = Arc::new(AutoResetEvent::new(false));
        let parties = SIDES.map(|side| {
            let event = Arc::clone(&event);
            world.start_waiting(side, WaitReason::Event, move || event.wait())
        });
        for done in 1..=SIDES.len() {
            event.set();
            // Whoever was still on the way takes the set that it finds.
            eventually("one more has ended", || {
                parties.iter().filter(|party| party.is_finished()).count() == done
            });
        }
        assert_eq!(parties.map(Party::join), [Wake::Signalled; 4]);
        assert!(!event.reset(), "each set was used");
    });
}

#[test]
fn a_manual_reset_event_lets_all_through_until_it_is_reset() {
    in_a_world(|world| {
        let event = Arc::new(ManualResetEvent::new(false));
        let parties = SIDES.map(|side| {
            let event = Arc::clone(&event);
            world.start_waiting(side, WaitReason::Event, move || event.wait())
        });
        event.set();
        assert_eq!(parties.map(Party::join), [Wake::Signalled; 4]);
        assert!(event.is_set());
        assert_eq!(event.wait(), Wake::Signalled);
        assert!(event.reset());
        assert!(!event.is_set() && !event.reset());
        assert_eq!(event.wait_for(Duration::ZERO), Wake::TimedOut);
    });
}

#[test]
fn a_limit_ends_the_wait_and_takes_no_set() {
    between(|world, pair| {
        let auto = Arc::new(AutoResetEvent::new(false));
        let manual = Arc::new(ManualResetEvent::new(false));
        let waits = (Arc::clone(&auto), Arc::clone(&manual));
        let party = world.start(pair[0], move || {
            let began = Instant::now();
            let wakes = (waits.0.wait_for(SHORT), waits.1.wait_for(SHORT));
            (wakes, began.elapsed())
        });
        let (wakes, took) = party.join();
        assert_eq!(wakes, (Wake::TimedOut, Wake::TimedOut));
        assert!(took >= 2 * SHORT);
        auto.set();
        assert!(auto.reset(), "nobody has taken it");
        let waits = (Arc::clone(&auto), Arc::clone(&manual));
        let in_time = world.start_waiting(pair[1], WaitReason::Event, move || {
            (waits.0.wait_for(LONG), waits.1.wait_for(LONG))
        });
        auto.set();
        manual.set();
        assert_eq!(in_time.join(), (Wake::Signalled, Wake::Signalled));
    });
}

#[test]
fn interruptions_end_the_wait_and_say_so() {
    in_a_world(|world| {
        let waits: [fn(&AutoResetEvent, &ManualResetEvent) -> Wake; 4] = [
            |auto, _| auto.wait(),
            |auto, _| auto.wait_for(LONG),
            |_, manual| manual.wait(),
            |_, manual| manual.wait_for(LONG),
        ];
        let interrupts: [(fn(&TaskRef), Wake); 2] = [
            (TaskRef::alert, Wake::Alerted),
            (TaskRef::cancel, Wake::Aborted),
        ];
        for side in [Side::Task, Side::Mobile] {
            for wait in waits {
                let events = Arc::new((AutoResetEvent::new(false), ManualResetEvent::new(false)));
                let start = || {
                    let events = Arc::clone(&events);
                    world.start_waiting(side, WaitReason::Event, move || wait(&events.0, &events.1))
                };
                for (interrupt, wake) in interrupts {
                    let waiter = start();
                    interrupt(waiter.task());
                    assert_eq!(waiter.join(), wake);
                }
                let aborted = start();
                aborted.task().abort();
                aborted.join_cancelled();
                events.0.set();
                assert!(events.0.reset(), "no waiter was left to take it");
            }
        }
    });
}

#[test]
fn an_enclosing_timeout_unwinds_the_wait() {
    in_a_world(|world| {
        let party = world.start(Side::Task, || {
            let auto = AutoResetEvent::new(false);
            let manual = ManualResetEvent::new(false);
            (
                timeout(SHORT, || auto.wait()).is_err(),
                timeout(SHORT, || manual.wait()).is_err(),
            )
        });
        assert_eq!(party.join(), (true, true));
    });
}

#[test]
fn a_set_goes_to_the_next_if_the_first_gives_up() {
    between(|world, pair| {
        // On a busy machine the first one may have given up before the second stands behind it: that shows nothing.
        let mut limit = SHORT;
        while !the_first_of_two_gives_up(world, pair, limit) {
            limit *= 2;
            assert!(limit < LONG, "the second never stands behind the first");
        }
    });
}

/// Whether the second one came to stand behind the first.
fn the_first_of_two_gives_up(world: &World<'_>, pair: [Side; 2], limit: Duration) -> bool {
    let event = Arc::new(AutoResetEvent::new(false));
    let waits = Arc::clone(&event);
    let gives_up = world.start(pair[0], move || waits.wait_for(limit));
    let waits = || gives_up.task().wait_reason() == WaitReason::Event;
    eventually("the first waits, or has waited", || {
        waits() || gives_up.is_finished()
    });
    let stays = {
        let event = Arc::clone(&event);
        world.start_waiting(pair[1], WaitReason::Event, move || event.wait())
    };
    let stood_behind = waits();
    assert_eq!(gives_up.join(), Wake::TimedOut);
    event.set();
    assert_eq!(stays.join(), Wake::Signalled);
    stood_behind
}

/// Pairs that answer each other; some waits have limits, and alerts come in between. Each set is used once.
#[test]
fn stress() {
    for workers in [1, 2, 4] {
        in_a_world_of(workers, |world| {
            let mut random = Random::seeded("event");
            let parties: Vec<_> = (0..8)
                .flat_map(|number| {
                    let events = Arc::new([AutoResetEvent::new(true), AutoResetEvent::new(false)]);
                    [0, 1].map(|me| {
                        let events = Arc::clone(&events);
                        let mut random = random.fork();
                        let side = SIDES[(number + me) % 4];
                        world.start(side, move || {
                            for _ in 0..200 {
                                take(&events[me], &mut random);
                                assert!(!events[me].reset(), "a set is used once");
                                events[1 - me].set();
                            }
                        })
                    })
                })
                .collect();
            for _ in 0..40 {
                parties[random.below(16) as usize].task().alert();
                std::thread::sleep(Duration::from_micros(random.below(200)));
            }
            parties.into_iter().for_each(Party::join);
        });
    }

    fn take(event: &AutoResetEvent, random: &mut Random) {
        loop {
            let wake = match random.below(3) {
                0 => event.wait_for(Duration::from_micros(random.below(50))),
                _ => event.wait(),
            };
            if wake == Wake::Signalled {
                return;
            }
            yield_now();
        }
    }
}

/// An event that tasks of one worker have used so long that its lock leans towards them loses no set to those who come from
/// outside at a random moment.
#[test]
fn an_event_of_one_worker_loses_no_set_from_outside() {
    const INSIDE: usize = 400;
    const OUTSIDE: usize = 20;
    in_a_world_of(1, |world| {
        let mut random = Random::seeded("an_event_of_one_worker_loses_no_set_from_outside");
        for _ in 0..100 {
            let event = Arc::new(AutoResetEvent::new(false));
            let told = Arc::new(AtomicUsize::new(0));
            let tell = {
                let (event, told) = (Arc::clone(&event), Arc::clone(&told));
                move || {
                    told.fetch_add(1, Ordering::Relaxed);
                    event.set();
                }
            };
            let listener = world.scheduler().spawn(move || {
                let mut heard = 0;
                while heard < INSIDE + OUTSIDE {
                    event.wait();
                    heard += told.swap(0, Ordering::Relaxed);
                }
                heard
            });
            let inside = {
                let tell = tell.clone();
                world.scheduler().spawn(move || {
                    for _ in 0..INSIDE {
                        tell();
                        yield_now();
                    }
                })
            };
            for _ in 0..random.below(20_000) {
                std::hint::spin_loop();
            }
            (0..OUTSIDE).for_each(|_| tell());
            inside.join().expect("it only tells");
            assert_eq!(listener.join().expect("it only listens"), INSIDE + OUTSIDE);
        }
    });
}
