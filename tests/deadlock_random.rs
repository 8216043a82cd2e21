//! Random orders of locks of all kinds and of joins, by seed: none that can end is told to be a circle, and of those that
//! cannot each is broken, or the run would not end.
//!
//! A million runs: `FIBERHOST_DEADLOCK_RUNS=1000000 cargo test --release --test deadlock_random`.

mod common;

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use common::sides::Random;
use common::{checked, with_on_fibers};
use fiberhost::scheduler::sync::{
    AutoResetEvent, Barrier, Mutex, MutexGuard, Once, RwLock, RwLockReadGuard, RwLockWriteGuard,
};
use fiberhost::scheduler::{Scheduler, TaskRef, scope, spawn, yield_now};

/// How many runs in all.
fn runs() -> u64 {
    std::env::var("FIBERHOST_DEADLOCK_RUNS").map_or(60_000, |runs| runs.parse().expect("a number"))
}

/// Two of each kind, in an order of their own: mutexes, read-write locks and initialisers in turn.
const LEVELS: usize = 6;
const TASKS: usize = 4;

/// What a task does with the lock of one level.
#[derive(Clone, Copy)]
enum Step {
    Mutex(usize),
    Read(usize),
    Write(usize),
    /// The rest of the plan is done inside, by who comes first.
    Once(usize),
    /// The rest of the plan is another task's, which is joined.
    Join,
}

/// Guards that are kept until the plan is done.
#[derive(Default)]
struct Held<'a> {
    mutexes: Vec<MutexGuard<'a, ()>>,
    reads: Vec<RwLockReadGuard<'a, ()>>,
    writes: Vec<RwLockWriteGuard<'a, ()>>,
}

struct Run {
    mutexes: [Mutex<()>; 2],
    rws: [RwLock<()>; 2],
    onces: [Once; 2],
    /// All begin together, so that they meet.
    begin: Barrier,
    refused: AtomicUsize,
    /// Those whose joins were refused.
    left: std::sync::Mutex<Vec<TaskRef>>,
    /// How often something was taken when somebody wanted it.
    met: AtomicUsize,
}

impl Run {
    fn new() -> Run {
        Run {
            mutexes: Default::default(),
            rws: Default::default(),
            onces: Default::default(),
            begin: Barrier::new(TASKS),
            refused: AtomicUsize::new(0),
            left: Default::default(),
            met: AtomicUsize::new(0),
        }
    }

    /// A plan that takes some of the levels, in their order if it is `sorted`.
    fn plan(random: &mut Random, sorted: bool) -> Vec<Step> {
        let mut levels: Vec<usize> = (0..LEVELS).collect();
        for end in (1..LEVELS).rev() {
            levels.swap(end, random.place(end + 1));
        }
        levels.truncate(2 + random.place(LEVELS - 1));
        if sorted {
            levels.sort_unstable();
        } else {
            in_order(&mut levels);
        }
        let step = |level: usize, way: usize| match (level % 3, way) {
            (0, _) => Step::Mutex(level / 3),
            (1, 0) => Step::Write(level / 3),
            (1, _) => Step::Read(level / 3),
            _ => Step::Once(level / 3),
        };
        let mut plan: Vec<Step> = Vec::new();
        for level in levels {
            if random.place(8) == 0 {
                plan.push(Step::Join);
            }
            plan.push(step(level, random.place(3)));
        }
        plan
    }

    /// Does what is planned, holding on to all of it until the end; gives up where a wait is refused.
    fn follow(self: &Arc<Run>, plan: &[Step]) {
        let mut held = Held::default();
        for (at, step) in plan.iter().enumerate() {
            let rest = &plan[at + 1..];
            self.meet(*step);
            let refused = match *step {
                Step::Mutex(lock) => keep(self.mutexes[lock].lock_or_deadlock(), &mut held.mutexes),
                Step::Read(lock) => keep(self.rws[lock].read_or_deadlock(), &mut held.reads),
                Step::Write(lock) => keep(self.rws[lock].write_or_deadlock(), &mut held.writes),
                Step::Once(once) => {
                    self.onces[once].call_once(|| self.follow(rest));
                    return;
                }
                Step::Join => self.join(rest),
            };
            if refused {
                self.refused.fetch_add(1, Ordering::Relaxed);
                return;
            }
            yield_now();
        }
    }

    fn meet(&self, step: Step) {
        let is_taken = match step {
            Step::Mutex(lock) => self.mutexes[lock].is_locked(),
            Step::Read(lock) | Step::Write(lock) => self.rws[lock].is_locked(),
            Step::Once(_) | Step::Join => false,
        };
        if is_taken {
            self.met.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn wait_for_all(&self) {
        let next = || self.left.lock().unwrap().pop();
        while let Some(task) = next() {
            task.wait().expect("nobody waits for the caller");
        }
    }

    /// `true`: the join was refused, and the other task goes on alone.
    fn join(self: &Arc<Run>, rest: &[Step]) -> bool {
        let (run, rest) = (Arc::clone(self), rest.to_vec());
        let begun = Arc::new(AutoResetEvent::new(false));
        let its = Arc::clone(&begun);
        let other = spawn(move || {
            its.set();
            run.follow(&rest);
        });
        // A join of a task that has not started is not looked for behind a lock.
        begun.wait();
        let task = other.task().clone();
        match other.join() {
            Ok(()) => false,
            Err(error) => {
                assert!(error.is_deadlock(), "{error}");
                self.left.lock().unwrap().push(task);
                true
            }
        }
    }
}

/// The initialisers in their order: a wait for one cannot be broken, so there must be no circle of them alone.
fn in_order(levels: &mut [usize]) {
    let place = |wanted| levels.iter().position(|level| *level == wanted);
    if let (Some(first), Some(second)) = (place(2), place(5))
        && second < first
    {
        levels.swap(first, second);
    }
}

/// `true`: it was refused.
fn keep<G, E>(taken: Result<G, E>, held: &mut Vec<G>) -> bool {
    match taken {
        Ok(guard) => {
            held.push(guard);
            false
        }
        Err(_) => true,
    }
}

/// So many runs; how many waits were refused, and how often tasks met.
fn random_runs(scheduler: &Scheduler, runs: u64, seed: u64, sorted: bool) -> (usize, usize) {
    scheduler.run(move || {
        let mut random = Random::of(seed);
        let (mut refused, mut met) = (0, 0);
        for _ in 0..runs {
            let run = Arc::new(Run::new());
            scope(|scope| {
                for _ in 0..TASKS {
                    let plan = Run::plan(&mut random, sorted);
                    let run = &run;
                    scope.spawn(move || {
                        run.begin.wait();
                        run.follow(&plan);
                    });
                }
            });
            run.wait_for_all();
            refused += run.refused.load(Ordering::Relaxed);
            met += run.met.load(Ordering::Relaxed);
        }
        (refused, met)
    })
}

/// What many runs came to.
#[derive(Default)]
struct Sum {
    runs: u64,
    refused: u64,
    met: u64,
    told: u64,
}

/// So many runs, a third at each size; not in one piece: the watchdog looks at each. On fibers, which meet at each yield; tasks
/// on threads of their own run one after the other for the most part, so that such a run would say little.
fn at_each_size(runs: u64, sorted: bool) -> Sum {
    let sum = Cell::new(Sum::default());
    for workers in [1, 2, 4] {
        let mut left = runs.div_ceil(3);
        while left > 0 {
            let now = left.min(20_000);
            let told = Arc::new(AtomicU64::new(0));
            let its = Arc::clone(&told);
            let builder = checked(workers).on_deadlock(move |_| {
                its.fetch_add(1, Ordering::Relaxed);
            });
            with_on_fibers(builder, |scheduler| {
                let seed = 0x9e37_79b9_7f4a ^ left ^ (workers as u64) << 40;
                println!("seed {seed:#x}, {now} runs on {workers} workers");
                let (refused, met) = random_runs(scheduler, now, seed, sorted);
                let before = sum.take();
                sum.set(Sum {
                    runs: before.runs + now,
                    refused: before.refused + refused as u64,
                    met: before.met + met as u64,
                    told: before.told + told.load(Ordering::Relaxed),
                });
            });
            left -= now;
        }
    }
    sum.into_inner()
}

/// All take what they want in one order, and join only who wants what comes behind: no circle can close, and none is told.
#[test]
fn nothing_that_ends_is_told_to_be_a_circle() {
    let sum = at_each_size(runs(), true);
    assert_eq!((sum.refused, sum.told), (0, 0));
    assert!(sum.met > sum.runs, "{} times in {} runs", sum.met, sum.runs);
}

/// In any order: every circle is broken, or the run would not end; each is told, and breaks one wait.
#[test]
fn every_circle_is_broken() {
    let sum = at_each_size(runs() / 5, false);
    let (refused, runs) = (sum.refused, sum.runs);
    assert!(refused > runs / 4, "{refused} in {runs} runs");
    assert_eq!(refused, sum.told);
}
