//! A map by numbers that nobody chooses to collide: descriptors, and addresses of structures.
//!
//! std's own hash keeps an attacker from choosing keys that meet, and costs as much as the rest of a look-up.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

pub(super) type ByNumber<K, V> = HashMap<K, V, BuildHasherDefault<Mixed>>;

/// A multiplication, whose upper half has a part of every bit, folded: a map looks at both ends of a hash.
#[derive(Default)]
pub(super) struct Mixed(u64);

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64((*byte).into());
        }
    }

    fn write_i32(&mut self, number: i32) {
        self.write_u64(number.cast_unsigned().into());
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn write_u64(&mut self, number: u64) {
        // The golden ratio, as Knuth has it.
        let wide = u128::from(self.0 ^ number) * 0x9e37_79b9_7f4a_7c15;
        self.0 = (wide >> 64) as u64 ^ wide as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Addresses of structures lie a power of two apart, and still spread over a map's places and its marks of seven bits.
    #[test]
    fn numbers_that_are_alike_spread() {
        for step in [1_u64, 8, 64, 4096, 1 << 20] {
            let mut places = [0_u32; 256];
            let mut marks = [0_u32; 128];
            for number in 0..4096 {
                let mut hash = Mixed::default();
                hash.write_u64(0x7f00_0000_0000 + number * step);
                places[(hash.finish() & 255) as usize] += 1;
                marks[(hash.finish() >> 57) as usize] += 1;
            }
            let (most, most_marks) = (places.iter().max(), marks.iter().max());
            assert!(most < Some(&64), "{most:?} of 16 in one place, step {step}");
            assert!(most_marks < Some(&128), "{most_marks:?} of 32, step {step}");
        }
    }
}
