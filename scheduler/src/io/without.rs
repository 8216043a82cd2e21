//! The scheduler's part in a build without the feature `net`: a worker only sleeps on its own word.
#![forbid(unsafe_code)]

use crate::primitive::Instant;
use crate::primitive::sleeper::Sleeper;

pub(crate) struct Io;

/// How a sleep ended.
pub(crate) struct Slept {
    pub(crate) called: bool,
    pub(crate) woke: bool,
}

impl Io {
    pub(crate) fn new() -> Io {
        Io
    }

    pub(crate) fn step_back(&self, _: &Sleeper) {}

    pub(crate) fn ask(&self) -> bool {
        false
    }

    #[inline(always)]
    pub(crate) fn ask_now_and_then(&self) {}

    #[inline(always)]
    pub(crate) fn ask_if_wished(&self) {}

    pub(crate) fn is_left_alone(&self) -> bool {
        false
    }

    pub(crate) fn is_unwatched(&self) -> bool {
        false
    }

    pub(crate) fn sleep(
        &self,
        sleeper: &Sleeper,
        until: Option<Instant>,
        _: impl FnOnce() -> bool,
    ) -> Slept {
        Slept {
            called: sleeper.sleep(until),
            woke: false,
        }
    }
}
