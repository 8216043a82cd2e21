//! The work done while the mutex is held: 100 ns that read no clock.

use std::hint::black_box;
use std::time::{Duration, Instant};

const HELD: Duration = Duration::from_nanos(100);
const SAMPLE: u64 = 100_000;

/// How many steps fill the time; found once in each process.
#[derive(Clone, Copy)]
pub(crate) struct Hold {
    steps: u64,
}

impl Hold {
    pub(crate) fn calibrate() -> Hold {
        // The shortest of many: an interrupted sample would make the section too short.
        let shortest = (0..20).map(|_| {
            let start = Instant::now();
            steps(SAMPLE);
            start.elapsed()
        });
        let sample = shortest.min().expect("there is a sample");
        let steps = HELD.as_nanos() * u128::from(SAMPLE) / sample.as_nanos().max(1);
        Hold {
            steps: (steps as u64).max(1),
        }
    }

    pub(crate) fn work(self) {
        steps(self.steps);
    }
}

/// A chain of dependent multiplications, which no processor overlaps and no compiler folds.
#[inline(never)]
fn steps(count: u64) {
    let mut value = black_box(1_u64);
    for _ in 0..count {
        value = black_box(value.wrapping_mul(0x5851_f42d_4c95_7f2d));
    }
}
