//! What the programs of the hosting interfaces are without these: the scheduler alone.

use std::hint::black_box;
use std::time::Instant;

use fiberhost_scheduler::native::{self, Target};
use fiberhost_scheduler::sync::RawMutex;
use fiberhost_scheduler::{Scheduler, current};

use super::super::case::{CHAIN_DEPTH, Program};
use super::super::contender::{Measured, Prepared, Unavailable};
use super::super::witness;
use super::{Audit, pingpong, rooted};

static CALL: Target = Target::new("nothing in particular");

pub(super) fn prepare(program: Program, scheduler: Scheduler) -> Result<Prepared, Unavailable> {
    let one = Audit::of(2, 1);
    let prepared = match program {
        Program::HookPair => rooted(scheduler, one, super::native::leave_enter),
        Program::HookChain => rooted(scheduler, one, |chains| {
            each(chains, CHAIN_DEPTH, || level(CHAIN_DEPTH))
        }),
        Program::CurrentTask => rooted(scheduler, one, |answers| {
            each(answers, 1, || drop(black_box(current())))
        }),
        Program::Crst => {
            let lock = RawMutex::new_fair();
            let pair = move || {
                lock.lock_through();
                lock.unlock().expect("it was locked just now");
            };
            let pair = std::sync::Arc::new(pair);
            rooted(scheduler, one, move |pairs| each(pairs, 1, &*pair))
        }
        Program::HostEvent => rooted(scheduler, Audit::of(2, 2), pingpong),
        _ => return Unavailable::because("it is what fiberhost runs"),
    };
    Ok(prepared.about("without the interfaces"))
}

fn each(times: u64, operations: u64, work: impl Fn()) -> Measured {
    let _noted = witness::task();
    let start = Instant::now();
    for _ in 0..times {
        work();
    }
    Measured::each(start.elapsed(), times * operations)
}

fn level(left: u64) {
    if left > 0 {
        native::section(&CALL, || native::callback(|| level(left - 1)));
    }
}
