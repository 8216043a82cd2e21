//! Chance that can be had again: pseudo-random numbers from a seed (SplitMix64).
#![forbid(unsafe_code)]

pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// From this variable of the environment, or from the time; it says which.
    pub(crate) fn of_environment(name: &str) -> Dice {
        let given = std::env::var(name).ok().and_then(|text| text.parse().ok());
        let seed = given.unwrap_or_else(|| {
            let now = std::time::UNIX_EPOCH.elapsed().expect("it is later");
            now.as_micros() as u64
        });
        println!("{name}={seed}");
        Dice(seed)
    }

    /// Another one, with numbers of its own.
    pub(crate) fn fork(&mut self) -> Dice {
        Dice(self.throw())
    }

    pub(crate) fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to below this.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.throw() % limit as u64) as usize
    }

    pub(crate) fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}
