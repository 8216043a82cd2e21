//! Sleeping and time limits: not before their time, not long after it, and in order.

mod common;

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{LONG, SHORT, at, at_workers, until_waits};
use fiberhost::scheduler::sync::{AutoResetEvent, Barrier, ManualResetEvent};
use fiberhost::scheduler::{WaitReason, Wake, park_for, sleep, spawn, yield_now};

#[test]
fn nobody_wakes_before_the_time() {
    at_workers(|scheduler| {
        let tasks: Vec<_> = (0..200)
            .map(|number| scheduler.spawn(move || late_by(number)))
            .collect();
        for task in tasks {
            task.join().unwrap();
        }
    });
}

#[test]
fn nobody_wakes_long_after_the_time() {
    // So few that none waits long for the turns of the others, which cost what the machine makes of them; and all have had
    // their first turn before.
    const SLEEPERS: u64 = 8;
    at_workers(|scheduler| {
        let begin = Arc::new(Barrier::new(SLEEPERS as usize));
        let tasks: Vec<_> = (0..SLEEPERS)
            .map(|sleeper| {
                let begin = Arc::clone(&begin);
                scheduler.spawn(move || {
                    begin.wait();
                    let turns = (0..20).map(|turn| late_by(turn * SLEEPERS + sleeper));
                    turns.collect::<Vec<_>>()
                })
            })
            .collect();
        let late = tasks.into_iter().flat_map(|task| task.join().unwrap());
        let mut late: Vec<_> = late.collect();
        late.sort_unstable();
        let usual = late[late.len() / 2];
        assert!(usual < SHORT, "half of the times {usual:?} late");
    });
}

/// Sleeps in one of three ways for some of four milliseconds, and not for less than that. How much longer?
fn late_by(number: u64) -> Duration {
    let time = Duration::from_micros(number * 53 % 4000);
    let event = AutoResetEvent::new(false);
    let began = Instant::now();
    let wake = match number % 3 {
        0 => sleep(time),
        1 => park_for(time),
        _ => event.wait_for(time),
    };
    let took = began.elapsed();
    assert_eq!(wake, Wake::TimedOut);
    assert!(took >= time, "{time:?}");
    took - time
}

#[test]
fn they_wake_in_the_order_of_their_times() {
    at(1, |scheduler| {
        let order = Arc::new(Mutex::new(Vec::new()));
        // Each time is far from the next one, and they are begun in another order.
        let tasks: Vec<_> = [5_u64, 1, 4, 2, 3]
            .into_iter()
            .map(|number| {
                let order = Arc::clone(&order);
                scheduler.spawn(move || {
                    sleep(SHORT * number as u32);
                    order.lock().unwrap().push(number);
                })
            })
            .collect();
        for task in tasks {
            task.join().unwrap();
        }
        assert_eq!(*order.lock().unwrap(), [1, 2, 3, 4, 5]);
    });
}

#[test]
fn no_time_at_all_is_a_yield_and_the_longest_time_is_for_ever() {
    at(1, |scheduler| {
        let turns = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&turns);
        scheduler.run(move || {
            let other = spawn(move || {
                count.fetch_add(1, Ordering::SeqCst);
            });
            while !other.is_finished() {
                assert_eq!(sleep(Duration::ZERO), Wake::TimedOut);
            }
            assert_eq!(turns.load(Ordering::SeqCst), 1);
        });
        let sleeper = scheduler.spawn(|| sleep(Duration::MAX));
        let parked = scheduler.spawn(|| park_for(Duration::MAX));
        until_waits(sleeper.task(), WaitReason::Sleep);
        until_waits(parked.task(), WaitReason::Park);
        std::thread::sleep(SHORT);
        assert!(!sleeper.is_finished() && !parked.is_finished());
        sleeper.task().alert();
        parked.task().unpark();
        assert_eq!(sleeper.join().unwrap(), Wake::Alerted);
        assert_eq!(parked.join().unwrap(), Wake::Signalled);
    });
}

#[test]
fn a_plain_thread_sleeps_and_waits_with_limits_too() {
    let began = Instant::now();
    assert_eq!(sleep(SHORT), Wake::TimedOut);
    assert_eq!(AutoResetEvent::new(false).wait_for(SHORT), Wake::TimedOut);
    assert!(began.elapsed() >= 2 * SHORT);
    assert_eq!(
        AutoResetEvent::new(true).wait_for(Duration::MAX),
        Wake::Signalled
    );
}

#[test]
fn a_worker_that_sleeps_until_a_timer_hears_an_earlier_one() {
    // The worker sleeps for the long one when the short one comes from outside.
    at_workers(|scheduler| {
        let long = scheduler.spawn(|| sleep(LONG));
        until_waits(long.task(), WaitReason::Sleep);
        std::thread::sleep(Duration::from_millis(2));
        let began = Instant::now();
        scheduler.spawn(|| sleep(SHORT)).join().unwrap();
        assert!(began.elapsed() < LONG / 2);
        long.abort();
        assert!(long.join().unwrap_err().is_cancelled());
    });
}

#[test]
fn time_limits_that_are_not_reached_leave_nothing() {
    // A hundred thousand waits with a limit of half a minute, all signalled: their timers must not pile up.
    at_workers(|scheduler| {
        let (ping, pong) = (
            Arc::new(AutoResetEvent::new(false)),
            Arc::new(AutoResetEvent::new(false)),
        );
        let (wait, answer) = (Arc::clone(&ping), Arc::clone(&pong));
        let rounds = 10_000;
        let other = scheduler.spawn(move || {
            for _ in 0..rounds {
                assert_eq!(wait.wait_for(LONG), Wake::Signalled);
                answer.set();
            }
        });
        let task = scheduler.spawn(move || {
            for _ in 0..rounds {
                ping.set();
                assert_eq!(pong.wait_for(LONG), Wake::Signalled);
            }
        });
        task.join().unwrap();
        other.join().unwrap();
    });
}

#[test]
fn a_set_wakes_each_one_once_among_many_limits() {
    // As many sets as successful waits, and none is lost to one who had given up.
    at_workers(|scheduler| {
        let event = Arc::new(AutoResetEvent::new(false));
        let taken = Arc::new(AtomicUsize::new(0));
        let stop = Arc::new(ManualResetEvent::new(false));
        let waiters: Vec<_> = (0..8_u64)
            .map(|number| {
                let (event, taken, stop) = (event.clone(), taken.clone(), stop.clone());
                scheduler.spawn(move || {
                    while !stop.is_set() {
                        let limit = Duration::from_micros(10 + number * 7);
                        if event.wait_for(limit) == Wake::Signalled {
                            taken.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                })
            })
            .collect();
        for count in 1..=500 {
            event.set();
            common::eventually("somebody takes the set", || {
                taken.load(Ordering::SeqCst) == count
            });
        }
        stop.set();
        for waiter in waiters {
            waiter.join().unwrap();
        }
        assert_eq!(taken.load(Ordering::SeqCst), 500);
        assert!(!event.reset());
    });
}

#[test]
fn timers_fire_while_others_only_yield() {
    at(1, |scheduler| {
        let stop = Arc::new(ManualResetEvent::new(false));
        let quit = Arc::clone(&stop);
        let busy = scheduler.spawn(move || {
            while !quit.is_set() {
                yield_now();
            }
        });
        let began = Instant::now();
        let task = scheduler.spawn(|| sleep(SHORT));
        assert_eq!(task.join_for(LONG).unwrap().unwrap(), Wake::TimedOut);
        assert!(began.elapsed() < LONG / 2);
        stop.set();
        busy.join().unwrap();
    });
}
