//! The quantum: a task that asks gives its worker away when its time is over, and not before.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{LONG, at, checked, eventually, hog_until, with};
use fiberhost::scheduler::{JoinHandle, Scheduler, check_quantum, sleep, spawn, yield_now};

/// Two tasks of one worker that compute, ask, and count their turns.
struct Pair {
    stop: Arc<AtomicBool>,
    turns: [Arc<AtomicUsize>; 2],
    tasks: [JoinHandle<Vec<Duration>>; 2],
}

impl Pair {
    fn new(scheduler: &Scheduler) -> Pair {
        let stop = Arc::new(AtomicBool::new(false));
        let turns = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
        let tasks = turns.clone().map(|turns| {
            let stop = Arc::clone(&stop);
            scheduler.spawn(move || {
                let (mut began, mut worked_for) = (Instant::now(), Vec::new());
                while !stop.load(Ordering::Relaxed) {
                    std::hint::black_box((0..100).sum::<u64>());
                    let worked = began.elapsed();
                    if check_quantum() {
                        worked_for.push(worked);
                        turns.fetch_add(1, Ordering::Relaxed);
                        began = Instant::now();
                    }
                }
                worked_for
            })
        });
        Pair { stop, turns, tasks }
    }

    fn turns(&self) -> usize {
        let turns = self.turns.iter().map(|turns| turns.load(Ordering::Relaxed));
        turns.min().unwrap()
    }

    /// Returns the times after which they gave their worker away, the shortest first.
    fn end(self) -> Vec<Duration> {
        self.stop.store(true, Ordering::Relaxed);
        let times = self.tasks.map(|task| task.join().unwrap());
        let mut times = times.concat();
        times.sort_unstable();
        times
    }
}

#[test]
fn two_that_compute_take_turns() {
    with(checked(1).quantum(Duration::from_millis(2)), |scheduler| {
        let pair = Pair::new(scheduler);
        eventually("both have had ten turns", || pair.turns() >= 10);
        let times = pair.end();
        // The monitor looks four times in a quantum, and a task may have begun just before it looked. What the kernel takes from
        // a task between its look at the clock and its question is not in its time, so a busy machine makes some look short.
        let median = times[times.len() / 2];
        assert!(median >= Duration::from_micros(500), "{times:?}");
    });
}

#[test]
fn a_long_quantum_is_not_cut_short() {
    with(checked(1).quantum(LONG), |scheduler| {
        let pair = Pair::new(scheduler);
        std::thread::sleep(Duration::from_millis(60));
        assert_eq!(
            pair.turns
                .iter()
                .map(|turns| turns.load(Ordering::Relaxed))
                .max(),
            Some(0)
        );
        pair.end();
    });
}

#[test]
fn a_changed_quantum_counts_at_once() {
    with(checked(1).quantum(LONG), |scheduler| {
        let pair = Pair::new(scheduler);
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(pair.turns(), 0);
        scheduler.set_quantum(Duration::from_millis(1));
        eventually("both have had turns", || pair.turns() >= 5);
        scheduler.set_quantum(LONG);
        // One tick may still be under way.
        std::thread::sleep(Duration::from_millis(30));
        let before = pair.turns();
        std::thread::sleep(Duration::from_millis(30));
        assert!(pair.turns() <= before + 1, "the quantum is long again");
        pair.end();
    });
}

#[test]
fn a_quantum_of_nothing_changes_nothing() {
    let quantum = Duration::from_millis(7);
    let stall = Duration::from_secs(8);
    with(
        checked(1).quantum(quantum).stall_after(stall),
        |scheduler| {
            let wrong: [(fn(&Scheduler), &str); 2] = [
                (|it| it.set_quantum(Duration::ZERO), "a quantum of 0"),
                (
                    |it| it.set_stall_after(Duration::ZERO),
                    "a limit of 0 for stalls",
                ),
            ];
            for (set, text) in wrong {
                let caught = catch_unwind(AssertUnwindSafe(|| set(scheduler))).unwrap_err();
                assert_eq!(*caught.downcast::<&str>().unwrap(), text);
            }
            assert_eq!(scheduler.quantum(), quantum);
            assert_eq!(scheduler.stall_after(), stall);
        },
    );
}

#[test]
fn the_monitor_comes_back_from_its_sleep() {
    // After a while without work it sleeps; the first task wakes it.
    with(checked(1).quantum(Duration::from_millis(2)), |scheduler| {
        for _ in 0..2 {
            std::thread::sleep(Duration::from_millis(1300));
            let pair = Pair::new(scheduler);
            eventually("both have had turns", || pair.turns() >= 5);
            pair.end();
        }
    });
}

#[test]
fn one_that_does_not_ask_is_not_stopped() {
    with(checked(1).quantum(Duration::from_millis(1)), |scheduler| {
        let others = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&others);
        scheduler.run(move || {
            let other = spawn(move || count.fetch_add(1, Ordering::SeqCst));
            let until = Instant::now() + Duration::from_millis(20);
            while Instant::now() < until {
                std::hint::spin_loop();
            }
            assert_eq!(others.load(Ordering::SeqCst), 0);
            // Now it asks.
            hog_until(check_quantum);
            other.join().unwrap();
        });
    });
}

#[test]
fn a_fresh_turn_has_a_fresh_quantum() {
    with(checked(1).quantum(Duration::from_millis(50)), |scheduler| {
        let busy = Arc::new(AtomicBool::new(true));
        let on = Arc::clone(&busy);
        let other = scheduler.spawn(move || {
            while on.load(Ordering::Relaxed) {
                yield_now();
            }
        });
        scheduler.run(|| {
            for _ in 0..20 {
                assert!(!check_quantum(), "its turn has just begun");
                sleep(Duration::from_micros(100));
            }
        });
        busy.store(false, Ordering::Relaxed);
        other.join().unwrap();
    });
}

#[test]
fn outside_a_task_there_is_no_quantum() {
    assert!(!check_quantum());
    at(1, |_| assert!(!check_quantum()));
}
