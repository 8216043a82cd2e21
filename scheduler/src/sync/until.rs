//! A time limit for several waits together: a waiter that was woken and found nothing waits for what is left of it.
#![forbid(unsafe_code)]

use crate::park::Limit;
use crate::primitive::{Instant, clock};

pub(crate) struct Until {
    /// For the first wait, which so needs no clock.
    whole: Option<Limit>,
    at: Option<Instant>,
}

impl Until {
    #[inline]
    pub(crate) fn new(limit: Limit) -> Self {
        let at = match limit {
            Limit::Never => None,
            // Too far away to be a time: never.
            Limit::After(limit) => clock::now().checked_add(limit),
        };
        Until {
            whole: Some(limit),
            at,
        }
    }

    /// The limit for the next wait.
    #[inline]
    pub(crate) fn left(&mut self) -> Limit {
        match (self.whole.take(), self.at) {
            (Some(whole), _) => whole,
            (None, None) => Limit::Never,
            (None, Some(at)) => Limit::After(at.saturating_duration_since(clock::now())),
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_first_wait_has_the_whole_limit_and_the_next_what_is_left() {
        let limit = Duration::from_secs(1000);
        let mut until = Until::new(Limit::After(limit));
        assert!(matches!(until.left(), Limit::After(first) if first == limit));
        assert!(matches!(until.left(), Limit::After(next) if next < limit && !next.is_zero()));
    }

    #[test]
    fn what_is_too_far_away_is_never() {
        for limit in [Limit::Never, Limit::After(Duration::MAX)] {
            let mut until = Until::new(limit);
            until.left();
            assert!(matches!(until.left(), Limit::Never));
        }
    }

    #[test]
    fn a_limit_that_has_passed_leaves_nothing() {
        let mut until = Until::new(Limit::After(Duration::ZERO));
        until.left();
        assert!(matches!(until.left(), Limit::After(Duration::ZERO)));
    }
}
