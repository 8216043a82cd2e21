//! Medians, quantiles, and how sure one may be of a median.

/// The value below which the given part of the sorted values lies, interpolated.
pub(crate) fn quantile(sorted: &[f64], part: f64) -> f64 {
    let place = part * (sorted.len() - 1) as f64;
    let below = sorted[place.floor() as usize];
    let above = sorted[place.ceil() as usize];
    if below == above {
        below
    } else {
        below + (above - below) * place.fract()
    }
}

pub(crate) fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    sorted
}

pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    quantile(&sorted(values), 0.5)
}

/// A median and the interval in which the true one lies.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Interval {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Interval {
    /// The interval between two of the values themselves: it assumes nothing about how they are distributed.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Interval {
        let sorted = sorted(values);
        let rank = outer_rank(sorted.len());
        Interval {
            median: quantile(&sorted, 0.5),
            low: sorted[rank],
            high: sorted[sorted.len() - 1 - rank],
        }
    }
}

/// How many values may be left off at each end so that the rest still holds the true median in 95 of 100 cases.
///
/// Each value lies below the true median as a coin falls, so the number that do is binomial.
/// With 15 values three may be left off at each end; with fewer than six none may, and 95 % is not reached.
fn outer_rank(count: usize) -> usize {
    let mut exactly = 0.5_f64.powi(count as i32);
    let mut at_most = exactly;
    let mut rank = 0;
    while at_most <= 0.025 {
        exactly *= (count - rank) as f64 / (rank + 1) as f64;
        at_most += exactly;
        rank += 1;
    }
    rank.saturating_sub(1)
}
