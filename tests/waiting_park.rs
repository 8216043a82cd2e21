//! Park and unpark: one permit, given to a task or to a thread, before, during or after the wait.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::delays::Delays;
use common::{LONG, SHORT, at, at_on_fibers, at_workers, until_waits};
use fiberhost::scheduler::sync::{AutoResetEvent, ManualResetEvent};
use fiberhost::scheduler::{
    Backing, Scheduler, TaskRef, WaitReason, Wake, current, linger, park, park_for, sleep, spawn,
    yield_now,
};

#[test]
fn a_permit_given_before_is_used_at_once_and_permits_do_not_add_up() {
    at_workers(|scheduler| {
        let check = || {
            (0..3).for_each(|_| current().unpark());
            assert_eq!(park(), Wake::Signalled);
            assert_eq!(park_for(Duration::from_millis(2)), Wake::TimedOut);
            current().unpark();
            assert_eq!(park_for(Duration::ZERO), Wake::Signalled);
            assert_eq!(park_for(Duration::ZERO), Wake::TimedOut);
        };
        scheduler.run(check);
        check();
        let own = scheduler.task().backing(Backing::Thread);
        own.spawn(check).unwrap().join().unwrap();
    });
}

#[test]
fn a_permit_given_during_ends_the_wait() {
    at_workers(|scheduler| {
        for limit in [None, Some(LONG)] {
            let task = scheduler.spawn(move || limit.map_or_else(park, park_for));
            until_waits(task.task(), WaitReason::Park);
            // Now it may be on its way or parked already.
            task.task().unpark();
            assert_eq!(task.join().unwrap(), Wake::Signalled);
        }
    });
}

#[test]
fn a_plain_thread_parks_too() {
    at_workers(|scheduler| {
        let me = current();
        let task = scheduler.spawn(move || {
            sleep(Duration::from_millis(1));
            me.unpark();
        });
        assert_eq!(park(), Wake::Signalled);
        task.join().unwrap();
        let began = Instant::now();
        assert_eq!(park_for(SHORT), Wake::TimedOut);
        assert!(began.elapsed() >= SHORT);
        std::thread::scope(|threads| {
            let (tell, told) = std::sync::mpsc::channel();
            let parked = threads.spawn(move || {
                tell.send(current()).unwrap();
                park_for(LONG)
            });
            told.recv().unwrap().unpark();
            assert_eq!(parked.join().unwrap(), Wake::Signalled);
        });
    });
}

/// Two that wake each other in turn, wherever they run.
fn ping_pong(other: impl FnOnce() -> TaskRef, rounds: usize, turn: &AtomicUsize, mine: usize) {
    let other = other();
    for round in 0..rounds {
        while turn.load(Ordering::Acquire) != 2 * round + mine {
            park();
        }
        turn.store(2 * round + mine + 1, Ordering::Release);
        other.unpark();
    }
}

#[test]
fn no_permit_is_lost_between_two_who_wake_each_other() {
    fn first(scheduler: &Scheduler, second_is_task: bool) {
        let turn = Arc::new(AtomicUsize::new(0));
        let (me, his) = (current(), Arc::clone(&turn));
        let second = move || ping_pong(move || me, 2000, &his, 1);
        if second_is_task {
            let task = scheduler.spawn(second);
            let second = task.task().clone();
            ping_pong(|| second, 2000, &turn, 0);
            task.join().unwrap();
        } else {
            let (tell, told) = std::sync::mpsc::channel();
            let thread = std::thread::spawn(move || {
                tell.send(current()).unwrap();
                second();
            });
            ping_pong(|| told.recv().unwrap(), 2000, &turn, 0);
            thread.join().unwrap();
        }
    }
    at_workers(|scheduler| {
        first(scheduler, true);
        first(scheduler, false);
        let inner = scheduler.clone();
        scheduler.run(move || first(&inner, true));
        let inner = scheduler.clone();
        scheduler.run(move || first(&inner, false));
    });
}

#[test]
fn many_who_wake_one_lose_nothing() {
    // Each counts its work before it unparks; the one must come to see all of it.
    at_workers(|scheduler| {
        let done = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&done);
        let one = scheduler.spawn(move || {
            while seen.load(Ordering::Acquire) < 4 * 3000 {
                park();
            }
        });
        let wake = |task: TaskRef, done: Arc<AtomicUsize>| {
            move || {
                for round in 0..3000 {
                    done.fetch_add(1, Ordering::Release);
                    task.unpark();
                    if round % 100 == 0 {
                        yield_now();
                    }
                }
            }
        };
        let tasks: Vec<_> = (0..2)
            .map(|_| scheduler.spawn(wake(one.task().clone(), Arc::clone(&done))))
            .collect();
        std::thread::scope(|threads| {
            for _ in 0..2 {
                threads.spawn(wake(one.task().clone(), Arc::clone(&done)));
            }
        });
        for task in tasks {
            task.join().unwrap();
        }
        one.join_for(LONG).expect("a permit was lost").unwrap();
    });
}

/// Wakes a task from plain threads whenever it parks, while `work` runs. Returns how many permits were given.
///
/// The threads are delayed at random: one may lose its processor between giving the permit and waking.
fn while_unparked<T>(task: &TaskRef, work: impl FnOnce() -> T) -> (T, usize) {
    let (stop, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    let result = std::thread::scope(|threads| {
        for _ in 0..2 {
            let unparker = std::thread::Builder::new().name("unparker".into());
            let unpark = || {
                while !stop.load(Ordering::Relaxed) {
                    if task.wait_reason() == WaitReason::Park {
                        sent.fetch_add(1, Ordering::SeqCst);
                        task.unpark();
                    }
                    std::hint::spin_loop();
                }
            };
            unparker.spawn_scoped(threads, unpark).unwrap();
        }
        let result = {
            let _delays = Delays::of_threads_named("unparker");
            work()
        };
        stop.store(true, Ordering::Relaxed);
        result
    });
    (result, sent.load(Ordering::SeqCst))
}

#[test]
fn an_unpark_that_comes_late_ends_no_other_wait() {
    // By then the task waits for something else.
    at_workers(|scheduler| {
        let task = scheduler.spawn(|| {
            let event = AutoResetEvent::new(false);
            let until = Instant::now() + Duration::from_millis(500);
            let mut rounds = 0;
            while Instant::now() < until {
                park_for(Duration::from_micros(rounds % 4));
                let wake = event.wait_for(Duration::from_micros(60));
                assert_eq!(wake, Wake::TimedOut, "nobody has set the event");
                rounds += 1;
            }
            rounds
        });
        let reference = task.task().clone();
        let (rounds, _) = while_unparked(&reference, || task.join().unwrap());
        assert!(rounds > 0);
    });
}

#[test]
fn an_end_that_is_told_late_ends_no_other_wait() {
    // The same with the one who ends a task and the one who stopped waiting for it just then.
    at_workers(|scheduler| {
        let _delays = Delays::of_threads_named("fiberhost");
        let waiters: Vec<_> = (0..4_u64)
            .map(|seed| {
                scheduler.spawn(move || {
                    let event = ManualResetEvent::new(false);
                    for round in 0..400_u64 {
                        let task = spawn(move || {
                            sleep(Duration::from_micros(20 + (seed + round) % 20));
                        });
                        let joined = task.join_for(Duration::from_micros(20 + round % 30));
                        let wake = event.wait_for(Duration::from_micros(20));
                        assert_eq!(wake, Wake::TimedOut, "nobody has set the event");
                        if let Err(task) = joined {
                            task.join().unwrap();
                        }
                    }
                })
            })
            .collect();
        for waiter in waiters {
            waiter.join().unwrap();
        }
    });
}

#[test]
fn a_park_does_not_end_for_nothing() {
    at_workers(|scheduler| {
        let (parks, go) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicBool::new(true)),
        );
        let (ended, on) = (Arc::clone(&parks), Arc::clone(&go));
        let task = scheduler.spawn(move || {
            while on.load(Ordering::SeqCst) {
                // Now with a limit and now without.
                let wake = if ended.load(Ordering::SeqCst) % 2 == 0 {
                    park_for(LONG)
                } else {
                    park()
                };
                assert_eq!(wake, Wake::Signalled);
                ended.fetch_add(1, Ordering::SeqCst);
            }
        });
        let reference = task.task().clone();
        let ((), sent) = while_unparked(&reference, || {
            std::thread::sleep(Duration::from_millis(50));
        });
        // The last permit is used up; then nothing more happens.
        std::thread::sleep(SHORT);
        let count = parks.load(Ordering::SeqCst);
        assert!(count <= sent, "{count} parks ended by {sent} permits");
        std::thread::sleep(SHORT);
        assert_eq!(
            parks.load(Ordering::SeqCst),
            count,
            "nobody has unparked it"
        );
        go.store(false, Ordering::SeqCst);
        reference.unpark();
        task.join().unwrap();
    });
}

#[test]
fn a_task_that_has_ended_may_be_unparked() {
    at(1, |scheduler| {
        let task = scheduler.spawn(|| ());
        let reference = task.task().clone();
        task.join().unwrap();
        reference.unpark();
        assert!(reference.is_finished());
        assert_eq!(
            scheduler.run(|| park_for(Duration::ZERO)),
            Wake::TimedOut,
            "a permit does not go to the next task"
        );
    });
}

/// Who lingers looks once if there is nobody else, and else lets the others run; not for ever, and not when it is there.
#[test]
fn who_lingers_looks_a_few_times_at_most() {
    at_on_fibers(1, |scheduler| {
        scheduler.run(|| {
            let mut looks = 0;
            let mut never = || {
                looks += 1;
                false
            };
            assert!(!linger(&mut never));
            assert_eq!(looks, 1, "nobody else is there");
            let (turns, stop) = (
                Arc::new(AtomicUsize::new(0)),
                Arc::new(AtomicBool::new(false)),
            );
            let (its, until) = (Arc::clone(&turns), Arc::clone(&stop));
            let other = spawn(move || {
                while !until.load(Ordering::Relaxed) {
                    its.fetch_add(1, Ordering::Relaxed);
                    yield_now();
                }
            });
            // One that is new stands behind those that have begun.
            while turns.load(Ordering::Relaxed) == 0 {
                yield_now();
            }
            let before = turns.load(Ordering::Relaxed);
            let more = || turns.load(Ordering::Relaxed) - before;
            assert!(linger(|| more() > 2));
            assert_eq!(more(), 3, "it stops when it is there");
            assert!(!linger(|| false));
            let turns = more() - 3;
            assert!((2..100).contains(&turns), "{turns} turns of the other");
            stop.store(true, Ordering::Relaxed);
            other.join().unwrap();
        });
    });
    assert!(!linger(|| false), "a plain thread has nobody to let run");
    assert!(linger(|| true));
}
