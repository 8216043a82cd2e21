//! Times, counted in buckets that are three parts in a hundred wide: a fixed size, however many there are.
#![forbid(unsafe_code)]

use std::time::Duration;

/// Buckets for each doubling, as a power of two.
const FINE: u32 = 5;
const BUCKETS: usize = 64 << FINE;

pub(crate) struct Histogram {
    counts: Box<[u32]>,
    total: u64,
    longest: Duration,
}

/// The bucket of so many nanoseconds: the highest bits, and how many stand below them.
fn bucket(nanos: u64) -> usize {
    let shift = (63 - nanos.max(1).leading_zeros()).saturating_sub(FINE);
    ((u64::from(shift) << FINE) + (nanos >> shift)) as usize
}

/// The least that is in a bucket.
fn least(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let shift = (bucket >> FINE).saturating_sub(1);
    (bucket - (shift << FINE)) << shift
}

impl Histogram {
    pub(crate) fn new() -> Histogram {
        Histogram {
            counts: vec![0; BUCKETS].into(),
            total: 0,
            longest: Duration::ZERO,
        }
    }

    pub(crate) fn note(&mut self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(nanos)] += 1;
        self.total += 1;
        self.longest = self.longest.max(time);
    }

    pub(crate) fn add(&mut self, other: &Histogram) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
        self.longest = self.longest.max(other.longest);
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    pub(crate) fn longest(&self) -> Duration {
        self.longest
    }

    /// The time that this part of all stays below; from 0 to 1.
    pub(crate) fn quantile(&self, part: f64) -> Duration {
        let wanted = (self.total as f64 * part).ceil() as u64;
        let mut seen = 0;
        for (bucket, &count) in self.counts.iter().enumerate() {
            seen += u64::from(count);
            if seen >= wanted && count > 0 {
                return Duration::from_nanos(least(bucket + 1)).min(self.longest);
            }
        }
        self.longest
    }
}
