//! The token that goes round the ring, and the clock it starts and stops.
//!
//! The token counts the hops that are left. Its first round wakes everybody for the first time and is not timed.
//! Who holds it at the end says so and leaves; the ring then closes link by link.

use std::sync::OnceLock;
use std::time::Instant;

use super::case::RING;
use super::contender::Measured;

pub(crate) struct Ring {
    hops: u64,
    began: OnceLock<Instant>,
    ended: OnceLock<(Instant, usize)>,
}

impl Ring {
    pub(crate) fn new(hops: u64) -> Ring {
        Ring {
            hops,
            began: OnceLock::new(),
            ended: OnceLock::new(),
        }
    }

    /// What the first holder is given.
    pub(crate) fn token(&self) -> u64 {
        self.hops + RING as u64
    }

    /// A holder's turn: the token to pass on, or the end.
    pub(crate) fn hold(&self, token: u64, holder: usize) -> Option<u64> {
        if token == self.hops {
            self.began
                .set(Instant::now())
                .expect("the token passes each count once");
        }
        if token == 0 {
            self.ended
                .set((Instant::now(), holder))
                .expect("the token ends once");
            return None;
        }
        Some(token - 1)
    }

    pub(crate) fn measured(&self) -> Measured {
        let &(ended, holder) = self.ended.get().expect("the token has come to its end");
        assert_eq!(
            holder as u64,
            self.hops % RING as u64,
            "the token passed every task in turn"
        );
        let began = *self.began.get().expect("the token has been round once");
        Measured::each(ended - began, self.hops)
    }
}
