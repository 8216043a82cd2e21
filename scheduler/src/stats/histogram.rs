//! Distributions of times: counted in buckets whose width is a sixteenth of their value or less, by one writer each, and
//! merged on reading.
#![forbid(unsafe_code)]

use std::sync::OnceLock;
use std::time::Duration;

use crate::primitive::ticks::Rate;
use crate::primitive::{AtomicU64, Ordering};
use crate::thread::Thread;

/// Buckets for each power of two.
const FINE_BITS: u32 = 4;
const FINE: usize = 1 << FINE_BITS;
const BUCKETS: usize = (64 - FINE_BITS as usize + 1) * FINE;

/// Which bucket a value belongs to.
fn bucket(value: u64) -> usize {
    if value < FINE as u64 {
        return value as usize;
    }
    let exponent = value.ilog2() - FINE_BITS;
    (exponent as usize) * FINE + (value >> exponent) as usize
}

/// The largest value in a bucket.
fn upper(bucket: usize) -> u64 {
    if bucket < FINE {
        return bucket as u64;
    }
    let exponent = (bucket / FINE - 1) as u32;
    let fine = (bucket % FINE + FINE) as u64;
    (((u128::from(fine) + 1) << exponent) - 1) as u64
}

/// What one thread has counted, in ticks. Memory for the buckets is there once something was recorded.
#[derive(Default)]
pub(crate) struct Recorder {
    buckets: OnceLock<Box<[AtomicU64; BUCKETS]>>,
    sum: AtomicU64,
    max: AtomicU64,
}

impl Recorder {
    /// One writer.
    pub(crate) fn record(&self, ticks: u64) {
        let buckets = self.buckets.get_or_init(make);
        // Relaxed: one writer, and a reader that is in between sees one of them a moment early.
        self.sum
            .store(self.sum.load(Ordering::Relaxed) + ticks, Ordering::Relaxed);
        if ticks > self.max.load(Ordering::Relaxed) {
            self.max.store(ticks, Ordering::Relaxed);
        }
        Thread::count(&buckets[bucket(ticks)]);
    }

    pub(crate) fn add_to(&self, histogram: &mut Histogram) {
        let Some(buckets) = self.buckets.get() else {
            return;
        };
        histogram.counts.resize(BUCKETS, 0);
        for (sum, count) in histogram.counts.iter_mut().zip(buckets.iter()) {
            *sum += count.load(Ordering::Relaxed);
        }
        histogram.sum += self.sum.load(Ordering::Relaxed);
        histogram.max = histogram.max.max(self.max.load(Ordering::Relaxed));
    }
}

#[cold]
fn make() -> Box<[AtomicU64; BUCKETS]> {
    let buckets: Box<[AtomicU64]> = (0..BUCKETS).map(|_| AtomicU64::new(0)).collect();
    buckets.try_into().expect("it has so many")
}

/// A distribution of times.
#[derive(Clone, Debug)]
pub struct Histogram {
    /// In ticks, like the rest; empty if nothing was recorded.
    counts: Vec<u64>,
    sum: u64,
    max: u64,
    rate: Rate,
}

impl Histogram {
    pub(crate) fn new(rate: Rate) -> Histogram {
        Histogram {
            counts: Vec::new(),
            sum: 0,
            max: 0,
            rate,
        }
    }

    fn time(&self, ticks: u64) -> Duration {
        Duration::from_nanos(self.rate.ns(ticks))
    }

    /// How many times were recorded.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All of them together.
    pub fn total(&self) -> Duration {
        self.time(self.sum)
    }

    /// The longest.
    pub fn max(&self) -> Duration {
        self.time(self.max)
    }

    /// Their mean; zero if there is none.
    pub fn mean(&self) -> Duration {
        self.time(self.sum / self.count().max(1))
    }

    /// The time that this part of them (from 0 to 1) does not exceed, up to a sixteenth too long; zero if there is none.
    pub fn quantile(&self, part: f64) -> Duration {
        let wanted = ((self.count() as f64 * part).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return self.time(upper(bucket).min(self.max));
            }
        }
        Duration::ZERO
    }

    /// What was recorded since an earlier reading of the same. The longest is up to a sixteenth too long, unless it is the
    /// longest ever.
    #[must_use]
    pub fn since(&self, earlier: &Histogram) -> Histogram {
        let mut between = self.clone();
        for (count, before) in between.counts.iter_mut().zip(&earlier.counts) {
            *count = count.saturating_sub(*before);
        }
        between.sum = self.sum.saturating_sub(earlier.sum);
        if self.max <= earlier.max {
            let last = between.counts.iter().rposition(|&count| count > 0);
            between.max = last.map_or(0, |last| upper(last).min(self.max));
        }
        between
    }

    /// The buckets in which something is: the longest time that belongs to each, and how many times it holds.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> {
        let filled = self.counts.iter().enumerate();
        let filled = filled.filter(|&(_, &count)| count > 0);
        filled.map(|(bucket, &count)| (self.time(upper(bucket)), count))
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use crate::primitive::ticks::Origin;

    #[test]
    fn what_was_recorded_between_two_readings_is_their_difference() {
        let rate = Origin::now().rate();
        let recorder = Recorder::default();
        let read = || {
            let mut histogram = Histogram::new(rate);
            recorder.add_to(&mut histogram);
            histogram
        };
        let empty = read();
        recorder.record(1_000_000);
        recorder.record(10);
        let before = read();
        assert_eq!(before.since(&empty).max(), before.max());
        assert_eq!(before.since(&before).count(), 0);
        assert_eq!(before.since(&before).max(), Duration::ZERO);
        for _ in 0..10 {
            recorder.record(1000);
        }
        let between = read().since(&before);
        assert_eq!((between.count(), between.sum), (10, 10_000));
        // The longest ever came before: this one is known by its bucket.
        assert!((1000..=1063).contains(&between.max), "{}", between.max);
        assert_eq!(between.quantile(0.5), between.max());
        recorder.record(2_000_000);
        assert_eq!(read().since(&before).max, 2_000_000);
    }

    #[test]
    fn each_value_is_in_a_bucket_that_is_no_wider_than_a_sixteenth() {
        let around = (0..64).flat_map(|bit| {
            let power = 1_u64 << bit;
            [power - 1, power, power + 1, power + power / 2]
        });
        for value in around.chain([u64::MAX, u64::MAX - 1]) {
            let bucket = bucket(value);
            assert!(bucket < BUCKETS, "{value}");
            assert!(value <= upper(bucket), "{value}");
            let below = bucket.checked_sub(1).map(upper);
            assert!(below.is_none_or(|below| below < value), "{value}");
            let width = upper(bucket) - below.unwrap_or(0);
            assert!(width <= (value / 16).max(1), "{value}: {width}");
        }
    }
}
