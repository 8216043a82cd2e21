//! Sequences of calls that a fuzzer chooses, against the model of `tests/hosting_model.rs`.
//!
//! The first byte says on which host and as whom; each further one is a choice. A difference panics, which ends the process.
//! When the fuzzer ends by itself it says how many calls there were, by result and by edge.
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;
#[macro_use]
#[path = "../../tests/hosting/mod.rs"]
mod hosting;
#[path = "../../tests/hosting/model.rs"]
mod model;

use std::sync::{LazyLock, Mutex};

use fiberhost::TaskMode;
use hosting::{Bench, builder};
use libfuzzer_sys::fuzz_target;
use model::{Tally, play};

struct Hosts {
    fibers: Bench,
    threads: Bench,
}

/// They stay for all inputs: what one leaves behind another one finds.
static HOSTS: LazyLock<Hosts> = LazyLock::new(|| {
    // SAFETY: the function takes nothing and does not unwind.
    assert_eq!(unsafe { libc::atexit(report) }, 0);
    let host = |mode| Bench::new(builder(2).tasks(mode));
    Hosts {
        fibers: host(TaskMode::Fiber),
        threads: host(TaskMode::Thread),
    }
});
static TALLIES: Mutex<[Option<Tally>; 2]> = Mutex::new([None, None]);

extern "C" fn report() {
    // As the end of a process it must not unwind, and a poisoned lock has had its say.
    if let Ok(tallies) = TALLIES.lock() {
        for tally in tallies.iter().flatten() {
            tally.report();
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((first, choices)) = data.split_first() else {
        return;
    };
    let bench = if first & 1 == 0 {
        &HOSTS.fibers
    } else {
        &HOSTS.threads
    };
    let is_task = first & 2 == 0;
    let choices = choices.to_vec();
    let game = move || {
        let mut choices = choices.into_iter();
        // A name is for whoever plays by seed; here the fuzzer keeps the input.
        play(bench, is_task, u64::MAX, "input", &mut |limit| {
            Some(usize::from(choices.next()?) % limit)
        })
    };
    let tally = if is_task { bench.run(game) } else { game() };
    let mut tallies = TALLIES.lock().expect("a panic ends the process");
    let place = &mut tallies[usize::from(!is_task)];
    place.get_or_insert_default().add(tally);
});
