//! Random sequences of calls, each compared with a plain model that knows nothing of the code: results, and all that can be
//! seen from outside. A failure names its seed: `FIBERHOST_SEED=… cargo test --test hosting_model` plays it again.
//! `FIBERHOST_CALLS` says how many calls there are in all. The long run is
//!
//! ```text
//! FIBERHOST_CALLS=10000000 cargo test --release --test hosting_model -- --nocapture
//! ```
//!
//! proptest plays the same, and makes a sequence that fails shorter; `PROPTEST_CASES` says how many sequences. `fuzz/` plays it with
//! choices that a fuzzer makes.

mod common;
#[macro_use]
mod hosting;
#[path = "hosting/model.rs"]
mod model;

use std::time::{SystemTime, UNIX_EPOCH};

use fiberhost::TaskMode;
use hosting::{Bench, builder, with};
use model::{Tally, play};
use proptest::collection::vec;
use proptest::prelude::{any, proptest};

/// In all, for two modes with a caller that is a task and one that is none.
const CALLS: u64 = 400_000;
/// After so many a host makes room for the next, so that none runs into the watchdog.
const CALLS_OF_A_HOST: u64 = 250_000;

/// xorshift: any sequence does that is the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

fn play_by_seed(bench: &Bench, is_task: bool, calls: u64, seed: u64) -> Tally {
    let mut random = Random(seed);
    let name = format!("seed {seed}");
    play(bench, is_task, calls, &name, &mut |limit| {
        Some(random.below(limit))
    })
}

/// The number in this variable, or another one.
fn number(variable: &str, otherwise: impl FnOnce() -> u64) -> u64 {
    std::env::var(variable).map_or_else(|_| otherwise(), |number| number.parse().expect("a number"))
}

#[test]
fn random_calls_do_what_the_model_says() {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = number("FIBERHOST_SEED", || now().as_nanos() as u64 | 1);
    let calls = number("FIBERHOST_CALLS", || CALLS) / 4;
    println!("seed {seed}");
    let (mut of_task, mut of_thread) = (Tally::default(), Tally::default());
    for mode in [TaskMode::Fiber, TaskMode::Thread] {
        let mut seeds = Random(seed);
        let mut left = calls;
        while left > 0 {
            let (part, seed) = (left.min(CALLS_OF_A_HOST), seeds.0);
            let tallies = std::cell::RefCell::new((&mut of_task, &mut of_thread));
            with(builder(2).tasks(mode), |bench| {
                // SAFETY: the task has ended before this returns.
                let borrowed: &'static Bench = unsafe { &*std::ptr::from_ref(bench) };
                let (of_task, of_thread) = &mut *tallies.borrow_mut();
                of_task.add(bench.run(move || play_by_seed(borrowed, true, part, seed)));
                of_thread.add(play_by_seed(bench, false, part, seed));
            });
            seeds.below(2);
            left -= part;
        }
    }
    for (tally, is_task) in [(&of_task, true), (&of_thread, false)] {
        println!("{}", if is_task { "a task" } else { "a thread" });
        tally.report();
        assert!(
            tally.total() >= 2 * calls,
            "as many calls as were asked for"
        );
        tally.check(is_task);
    }
}

proptest! {
    /// Each sequence on a host of its own, so that a shorter one finds what the longer one found.
    #[test]
    fn any_sequence_does_what_the_model_says(
        choices in vec(any::<u8>(), 0..800),
        is_fiber: bool,
        is_task: bool,
    ) {
        let mode = if is_fiber { TaskMode::Fiber } else { TaskMode::Thread };
        with(builder(2).tasks(mode), |bench| {
            // SAFETY: the task has ended before this returns.
            let borrowed: &'static Bench = unsafe { &*std::ptr::from_ref(bench) };
            let mut choices = choices.clone().into_iter();
            let mut game = move || {
                play(borrowed, is_task, u64::MAX, "sequence", &mut |limit| {
                    Some(usize::from(choices.next()?) % limit)
                })
            };
            if is_task { bench.run(game) } else { game() };
        });
    }
}
