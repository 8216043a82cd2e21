//! The mutex of the field: what a critical section of the hosting interfaces is measured against.

use std::hint::black_box;
use std::time::Instant;

use parking_lot::Mutex;

use super::case::Program;
use super::contender::{Measured, Prepared, Unavailable};

pub(crate) fn prepare(program: Program) -> Result<Prepared, Unavailable> {
    match program {
        Program::Crst => Ok(Prepared::new(pairs).about("Mutex, not recursive")),
        _ => Unavailable::because("it is only a mutex"),
    }
}

fn pairs(pairs: u64) -> Measured {
    let mutex = Mutex::new(0_u64);
    let start = Instant::now();
    for _ in 0..pairs {
        *black_box(&mutex).lock() += 1;
    }
    Measured::each(start.elapsed(), pairs)
}
