//! The counts of a thread's calls (`stats/calls.rs`), for the models.
#![forbid(unsafe_code)]

use crate::stats::calls::Counts;

/// What a thread has called, of two targets: 1 and 2.
pub struct Called(Counts);

impl std::fmt::Debug for Called {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Called")
    }
}

impl Default for Called {
    fn default() -> Self {
        Called::new()
    }
}

impl Called {
    /// Nothing so far.
    pub fn new() -> Self {
        let counts = Counts::new();
        counts.make_room();
        Called(counts)
    }

    /// A call of another target than the last one. One writer.
    pub fn turn_to(&self, target: usize) {
        assert!(self.0.turn_to(target, 1), "there is room");
    }

    /// Another call of the same.
    pub fn again(&self) {
        self.0.again();
    }

    /// How often both were called.
    pub fn look(&self) -> [u64; 2] {
        let mut sums = [0; 3];
        self.0.add_to(&mut sums);
        [sums[1], sums[2]]
    }
}
