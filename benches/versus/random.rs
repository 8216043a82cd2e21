//! Orders and spans that look random and are the same in every run, for every contender.

use std::time::Duration;

use super::case::{DEADLINE_SECONDS, SLEEP_MICROS_MAX};

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// The numbers below `count`, shuffled.
pub(crate) fn order(count: usize) -> Vec<usize> {
    let mut random = Random(1);
    let mut order: Vec<usize> = (0..count).collect();
    for end in (1..count).rev() {
        order.swap(end, random.below(end as u64 + 1) as usize);
    }
    order
}

/// Deadlines for timers that are cancelled long before.
pub(crate) fn deadlines(count: usize) -> Vec<Duration> {
    let mut random = Random(2);
    let micros = (DEADLINE_SECONDS.end - DEADLINE_SECONDS.start) * 1_000_000;
    let first = Duration::from_secs(DEADLINE_SECONDS.start);
    (0..count)
        .map(|_| first + Duration::from_micros(random.below(micros)))
        .collect()
}

/// Lengths for sleeps that are slept to the end.
pub(crate) fn sleeps(count: usize) -> Vec<Duration> {
    let mut random = Random(3);
    (0..count)
        .map(|_| Duration::from_micros(1 + random.below(SLEEP_MICROS_MAX)))
        .collect()
}
