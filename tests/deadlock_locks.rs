//! Circles of tasks that wait for each other's mutexes: each is found once, when it closes, with its members.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use common::sides::Random;
use common::{at_workers, at_workers_on_fibers, checked, until_waits, with_on_fibers};
use fiberhost::scheduler::sync::{AutoResetEvent, Barrier, Mutex, RawMutex};
use fiberhost::scheduler::{Blocker, Deadlock, Scheduler, WaitReason, current, scope, yield_now};

/// How many random runs: a short number here, a million by this variable.
fn runs() -> u64 {
    std::env::var("FIBERHOST_LOCK_RUNS").map_or(3_000, |runs| runs.parse().expect("a number"))
}

fn numbers(circle: &Deadlock) -> Vec<u64> {
    assert!(circle.tasks().iter().all(|(_, why)| *why == Blocker::Lock));
    circle.tasks().iter().map(|(task, _)| task.id()).collect()
}

#[test]
fn a_wait_that_would_close_a_circle_is_refused() {
    at_workers(|scheduler| {
        let locks = Arc::new([Mutex::new(()), Mutex::new(())]);
        let told = Arc::new(AutoResetEvent::new(false));
        let (its, ready) = (Arc::clone(&locks), Arc::clone(&told));
        scheduler.run(move || {
            let first = locks[0].lock();
            let other = fiberhost::scheduler::spawn(move || {
                let _second = its[1].lock();
                ready.set();
                // A wait that cannot be refused.
                drop(its[0].lock());
            });
            told.wait();
            until_waits(other.task(), WaitReason::Mutex);
            // Its reason is a moment early: once it stands in the queue it stands in the table.
            while locks[0].waiters() == 0 {
                yield_now();
            }
            let circle = locks[1].lock_or_deadlock().expect_err("it could never end");
            assert_eq!(numbers(&circle), [current().id(), other.task().id()]);
            assert!(locks[1].is_locked(), "nothing was changed");
            drop(first);
            other.join().unwrap();
            drop(locks[1].lock_or_deadlock().expect("it is free"));
        });
    });
}

#[test]
fn a_lock_that_the_caller_has_is_a_circle_of_one() {
    at_workers(|scheduler| {
        scheduler.run(|| {
            let lock = RawMutex::new();
            assert!(lock.lock_or_deadlock().is_ok());
            let circle = lock.lock_or_deadlock().expect_err("it is the caller's");
            assert_eq!(numbers(&circle), [current().id()]);
            lock.unlock().expect("it kept the lock");
        });
    });
}

/// Two waits that close a circle at the same moment: exactly one of them is refused.
#[test]
fn of_two_that_close_a_circle_at_once_one_is_refused() {
    at_workers(|scheduler| {
        scheduler.run(|| {
            for _ in 0..runs().min(20_000) {
                let locks = [Mutex::new(()), Mutex::new(())];
                let both = Barrier::new(2);
                let refused = AtomicUsize::new(0);
                scope(|scope| {
                    for at in 0..2 {
                        let (locks, both, refused) = (&locks, &both, &refused);
                        scope.spawn(move || {
                            let _mine = locks[at].lock();
                            both.wait();
                            if locks[1 - at].lock_or_deadlock().is_err() {
                                refused.fetch_add(1, Ordering::Relaxed);
                            }
                        });
                    }
                });
                assert_eq!(refused.into_inner(), 1);
            }
        });
    });
}

const LOCKS: usize = 5;
const TASKS: usize = 4;

/// What a run's tasks share. `wants` says which lock each task is about to wait for, `who` its number.
struct Run {
    locks: [Mutex<()>; LOCKS],
    wants: [AtomicUsize; TASKS],
    who: [AtomicU64; TASKS],
    /// All begin together, so that they meet.
    begin: Barrier,
    refused: AtomicUsize,
    /// How often a lock was taken when somebody wanted it.
    met: AtomicUsize,
}

impl Run {
    /// Locks these, in this order, and unlocks them all; gives up where that would close a circle.
    fn take(&self, at: usize, order: &[usize]) {
        self.who[at].store(current().id(), Ordering::SeqCst);
        let mut guards = Vec::new();
        self.begin.wait();
        for &lock in order {
            self.wants[at].store(lock, Ordering::SeqCst);
            if self.locks[lock].is_locked() {
                self.met.fetch_add(1, Ordering::SeqCst);
            }
            match self.locks[lock].lock_or_deadlock() {
                Ok(guard) => guards.push(guard),
                Err(circle) => {
                    self.refused.fetch_add(1, Ordering::SeqCst);
                    self.is_real(&numbers(&circle));
                    return;
                }
            }
            yield_now();
        }
    }

    /// Each waits for a lock that the next one has. The caller still has its own, so nobody of them can have gone on.
    fn is_real(&self, circle: &[u64]) {
        assert_eq!(circle[0], current().id());
        assert!(circle.len() > 1, "nobody locks twice here");
        for (at, &task) in circle.iter().enumerate() {
            assert!(!circle[..at].contains(&task), "{circle:?}");
            let index = self
                .who
                .iter()
                .position(|who| who.load(Ordering::SeqCst) == task);
            let wants = self.wants[index.expect("one of ours")].load(Ordering::SeqCst);
            let next = circle[(at + 1) % circle.len()];
            assert_eq!(self.locks[wants].owner(), Some(next), "{circle:?}");
        }
    }
}

/// Runs in which each task takes locks in an order that `order` makes; how many waits were refused.
fn random_runs(scheduler: &Scheduler, runs: u64, seed: u64, sorted: bool) -> usize {
    scheduler.run(move || {
        let mut random = Random::of(seed);
        let (mut refused, mut met) = (0, 0);
        for _ in 0..runs {
            let run = Run {
                locks: std::array::from_fn(|_| Mutex::new(())),
                wants: Default::default(),
                who: Default::default(),
                begin: Barrier::new(TASKS),
                refused: AtomicUsize::new(0),
                met: AtomicUsize::new(0),
            };
            scope(|scope| {
                for at in 0..TASKS {
                    let mut order: Vec<usize> = (0..LOCKS).collect();
                    for end in (1..LOCKS).rev() {
                        order.swap(end, random.place(end + 1));
                    }
                    order.truncate(2 + random.place(LOCKS - 1));
                    if sorted {
                        order.sort_unstable();
                    }
                    let run = &run;
                    scope.spawn(move || run.take(at, &order));
                }
            });
            refused += run.refused.into_inner();
            met += run.met.into_inner();
        }
        assert!(met as u64 > runs, "they met {met} times in {runs} runs");
        refused
    })
}

/// All take them in one order: no circle can close, and none is reported. On fibers, which meet at each yield; tasks on
/// threads of their own run one after the other for the most part, so that such a run would say little.
#[test]
fn no_circle_is_reported_where_there_is_none() {
    for workers in [1, 2, 4] {
        // Not in one piece: the watchdog looks at each.
        let mut left = runs() / 3 + 1;
        while left > 0 {
            let now = left.min(20_000);
            with_on_fibers(checked(workers), |scheduler| {
                assert_eq!(random_runs(scheduler, now, 0x9e37_79b9 ^ left, true), 0);
            });
            left -= now;
        }
    }
}

/// In any order: every circle is refused at one place (or the run would not end), and each that is refused is one.
#[test]
fn every_circle_is_found_and_is_one() {
    at_workers_on_fibers(|scheduler| {
        let runs = runs().min(20_000);
        let refused = random_runs(scheduler, runs, 0x51f1_5eed, false);
        assert!(refused as u64 > runs, "{refused} in {runs} runs");
    });
}
