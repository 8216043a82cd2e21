//! What a seed decides, and the mark that a run leaves.
#![forbid(unsafe_code)]

use std::cell::Cell;

/// A sequence of numbers that a seed determines (SplitMix64, by Sebastiano Vigna, public domain algorithm).
pub(super) struct Choices(Cell<u64>);

impl Choices {
    pub(super) fn new(seed: u64) -> Choices {
        Choices(Cell::new(seed ^ 0x5349_4d55_4c41_5445))
    }

    pub(super) fn next(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        mix(state)
    }

    /// One of so many.
    pub(super) fn one_of(&self, count: usize) -> usize {
        // The bias of a remainder is below one in 2^50 here.
        (self.next() % count.max(1) as u64) as usize
    }

    /// Once in so many times; never for 0.
    pub(super) fn once_in(&self, times: u32) -> bool {
        times != 0 && self.next().is_multiple_of(u64::from(times))
    }

    /// At most so much, short lengths as often as long ones.
    pub(super) fn length(&self, most: u64) -> u64 {
        let bits = u64::BITS - most.leading_zeros();
        let scale = self.one_of(bits as usize + 1) as u32;
        let below = 1_u64.checked_shl(scale).unwrap_or(u64::MAX);
        (self.next() % below).min(most)
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number into which everything goes that happens, in order.
pub(super) struct Mark(Cell<u64>);

impl Mark {
    pub(super) fn new() -> Mark {
        Mark(Cell::new(0))
    }

    pub(super) fn add(&self, what: u64) {
        self.0.set(mix(self.0.get().rotate_left(5) ^ what));
    }

    pub(super) fn get(&self) -> u64 {
        self.0.get()
    }
}
