//! Several schedulers in one process: their tasks wake, join and wait for each other.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use common::{LONG, Watchdog, checked, eventually, expect_panics, until_waits};
use fiberhost::scheduler::sync::{AutoResetEvent, Barrier, ManualResetEvent, Mutex, channel};
use fiberhost::scheduler::{
    Backing, CancelToken, JoinSet, Scheduler, WaitReason, Wake, current, park, scope, sleep, spawn,
    yield_now,
};

/// Runs a test with two schedulers of different sizes, which are empty afterwards.
#[track_caller]
fn with_two(test: impl Fn(&Scheduler, &Scheduler)) {
    let _watchdog = Watchdog::new(std::panic::Location::caller().to_string());
    for (one, two) in [(1, 1), (1, 4), (2, 2)] {
        let [one, two] = [one, two].map(|workers| checked(workers).build().unwrap());
        test(&one, &two);
        for scheduler in [one, two] {
            eventually("all tasks have ended", || scheduler.stats().live() == 0);
            scheduler.shutdown(LONG).unwrap();
        }
    }
}

#[test]
fn tasks_of_two_schedulers_wake_each_other() {
    with_two(|one, two| {
        let events = [(); 2].map(|()| Arc::new(AutoResetEvent::new(false)));
        let side = |scheduler: &Scheduler, mine: usize| {
            let events = events.clone();
            scheduler.spawn(move || {
                // Strictly in turn, beginning with the first: sets do not add up.
                for _ in 0..2000 {
                    if mine == 0 {
                        events[1].set();
                    }
                    assert_eq!(events[mine].wait(), Wake::Signalled);
                    if mine == 1 {
                        events[0].set();
                    }
                }
            })
        };
        let (first, second) = (side(one, 0), side(two, 1));
        first.join().unwrap();
        second.join().unwrap();
    });
}

#[test]
fn a_task_joins_one_of_another_scheduler() {
    expect_panics();
    with_two(|one, two| {
        let other = two.clone();
        one.run(move || {
            let results: Vec<_> = (0..50)
                .map(|number| {
                    other.spawn(move || {
                        sleep(Duration::from_micros(number));
                        number
                    })
                })
                .collect();
            let sum: u64 = results.into_iter().map(|task| task.join().unwrap()).sum();
            assert_eq!(sum, 49 * 25);
            let panics = other.spawn(|| panic!("expected"));
            assert!(panics.join().unwrap_err().is_panic());
            // A run inside a run, on another scheduler.
            let back = Scheduler::current().unwrap();
            let there = other.clone();
            let value =
                there.run(move || back.spawn(|| 3).join().unwrap() + spawn(|| 4).join().unwrap());
            assert_eq!(value, 7);
            let late = other.spawn(park);
            let late = late.join_for(Duration::from_millis(1)).unwrap_err();
            late.abort();
            assert!(late.join().unwrap_err().is_cancelled());
        });
    });
}

#[test]
fn each_task_knows_its_scheduler() {
    with_two(|one, two| {
        for scheduler in [one, two] {
            let workers = scheduler.workers();
            scheduler.run(move || {
                assert_eq!(Scheduler::current().unwrap().workers(), workers);
                let child = spawn(|| Scheduler::current().unwrap().workers());
                assert_eq!(child.join().unwrap(), workers);
            });
        }
        assert!(Scheduler::current().is_none());
    });
}

#[test]
fn they_share_locks_channels_and_barriers() {
    with_two(|one, two| {
        let total = Arc::new(Mutex::new(0_u64));
        let (sender, receiver) = channel::bounded(3);
        let barrier = Arc::new(Barrier::new(9));
        let mut tasks = Vec::new();
        for number in 0..8 {
            let (total, sender) = (Arc::clone(&total), sender.clone());
            let barrier = Arc::clone(&barrier);
            let scheduler = if number % 2 == 0 { one } else { two };
            let backing = if number < 6 {
                Backing::Fiber
            } else {
                Backing::Thread
            };
            let task = scheduler.task().backing(backing);
            let task = task.spawn(move || {
                barrier.wait();
                for item in 0..100_u64 {
                    *total.lock() += item;
                    sender.send(item).unwrap();
                }
            });
            tasks.push(task.unwrap());
        }
        drop(sender);
        // And a plain thread takes part.
        barrier.wait();
        let mut received = 0;
        while let Ok(item) = receiver.recv() {
            received += item;
        }
        for task in tasks {
            task.join().unwrap();
        }
        assert_eq!(received, 8 * 4950);
        assert_eq!(*total.lock(), 8 * 4950);
    });
}

#[test]
fn unpark_alert_cancel_and_abort_cross_over() {
    with_two(|one, two| {
        let task = one.spawn(|| (park(), park(), park()));
        let reference = task.task().clone();
        let step = Arc::new(AtomicUsize::new(0));
        let told = Arc::clone(&step);
        let watched = one.spawn(move || {
            let (first, second) = (park(), park());
            told.store(1, Ordering::SeqCst);
            (first, second)
        });
        let second = watched.task().clone();
        two.run(move || {
            until_waits(&reference, WaitReason::Park);
            reference.unpark();
            until_waits(&second, WaitReason::Park);
            second.alert();
            sleep(Duration::from_millis(1));
            second.unpark();
            sleep(Duration::from_millis(1));
            reference.cancel();
        });
        assert_eq!(
            task.join().unwrap(),
            (Wake::Signalled, Wake::Aborted, Wake::Aborted)
        );
        assert_eq!(watched.join().unwrap(), (Wake::Alerted, Wake::Signalled));
        let aborted = two.spawn(park);
        let reference = aborted.task().clone();
        one.run(move || reference.abort());
        assert!(aborted.join().unwrap_err().is_cancelled());
    });
}

#[test]
fn sets_and_tokens_span_both() {
    with_two(|one, two| {
        let (other, token) = (two.clone(), CancelToken::new());
        let mine = token.clone();
        one.run(move || {
            let mut set = JoinSet::new();
            for number in 0..20_u32 {
                let token = mine.child();
                let scheduler = if number % 2 == 0 {
                    Scheduler::current().unwrap()
                } else {
                    other.clone()
                };
                set.spawn_on(&scheduler, move || token.run_until_cancelled(park));
            }
            let canceller = other.spawn(move || mine.cancel());
            while let Some(wake) = set.join_next() {
                assert_eq!(wake.unwrap(), Wake::Aborted);
            }
            canceller.join().unwrap();
        });
        assert!(token.is_cancelled());
    });
}

#[test]
fn a_scope_waits_while_its_tasks_wait_for_the_other_scheduler() {
    with_two(|one, two| {
        let other = two.clone();
        one.run(move || {
            let numbers = [1, 2, 3, 4];
            let sum = AtomicUsize::new(0);
            scope(|scope| {
                for number in &numbers {
                    let (other, sum) = (&other, &sum);
                    scope.spawn(move || {
                        let number = *number;
                        let there = other.spawn(move || {
                            yield_now();
                            number * 10
                        });
                        sum.fetch_add(there.join().unwrap(), Ordering::SeqCst);
                    });
                }
            });
            assert_eq!(sum.into_inner(), 100);
        });
    });
}

#[test]
fn one_ends_while_the_other_goes_on() {
    let _watchdog = Watchdog::new("one_ends_while_the_other_goes_on".into());
    let lasting = checked(2).build().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let ticks = Arc::new(AtomicUsize::new(0));
    let (quit, tick) = (Arc::clone(&stop), Arc::clone(&ticks));
    let event = Arc::new(AutoResetEvent::new(false));
    let wait = Arc::clone(&event);
    let ticking = lasting.spawn(move || {
        while !quit.load(Ordering::SeqCst) {
            wait.wait_for(Duration::from_millis(1));
            tick.fetch_add(1, Ordering::SeqCst);
        }
    });
    for _ in 0..100 {
        let passing = checked(2).build().unwrap();
        let before = ticks.load(Ordering::SeqCst);
        for _ in 0..10 {
            // Wakes a task of the other one at the very end of its own.
            let event = Arc::clone(&event);
            drop(passing.spawn(move || event.set()));
        }
        passing.shutdown(LONG).unwrap();
        eventually("the other one goes on", || {
            ticks.load(Ordering::SeqCst) > before
        });
    }
    stop.store(true, Ordering::SeqCst);
    ticking.join().unwrap();
    lasting.shutdown(LONG).unwrap();
}

#[test]
fn a_wake_may_come_while_the_sleeper_s_scheduler_ends() {
    let _watchdog = Watchdog::new("a_wake_may_come_while_the_sleeper_s_scheduler_ends".into());
    let waker = checked(1).build().unwrap();
    for round in 0..200_u64 {
        let passing = checked(1).build().unwrap();
        let event = Arc::new(ManualResetEvent::new(false));
        for _ in 0..3 {
            let event = Arc::clone(&event);
            // SAFETY: nothing that must stay on its thread lies on the stack.
            drop(
                unsafe {
                    passing.task().spawn_mobile(move || {
                        event.wait();
                    })
                }
                .unwrap(),
            );
        }
        let bound = Arc::clone(&event);
        let parked = passing.spawn(move || {
            bound.wait();
        });
        until_waits(parked.task(), WaitReason::Event);
        let set = waker.spawn(move || {
            for _ in 0..round % 20 {
                std::hint::spin_loop();
            }
            event.set();
        });
        // The last handle goes while the wakes are under way.
        passing.shutdown(LONG).unwrap();
        drop(passing);
        set.join().unwrap();
    }
    waker.shutdown(LONG).unwrap();
}

#[test]
fn a_plain_thread_may_wait_for_several() {
    with_two(|one, two| {
        let me = current();
        let count = Arc::new(AtomicUsize::new(0));
        for scheduler in [one, two, one, two] {
            let (me, count) = (me.clone(), Arc::clone(&count));
            drop(scheduler.spawn(move || {
                count.fetch_add(1, Ordering::SeqCst);
                me.unpark();
            }));
        }
        while count.load(Ordering::SeqCst) < 4 {
            park();
        }
        eventually("all have ended", || {
            one.stats().live() + two.stats().live() == 0
        });
    });
}
