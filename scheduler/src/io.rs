//! Waiting for file descriptors: a task parks until there is something to read or room to write, a plain thread blocks.
//!
//! Sockets are in [`net`](crate::net). For other descriptors that the kernel can watch (pipes, eventfds, terminals,
//! devices) there is [`Ready`], and [`wait_readable`] and [`wait_writable`] for one that is waited for once.
//!
//! ```
//! use fiberhost_scheduler::{io::Ready, run, spawn};
//! use std::io::{Read, Write};
//!
//! let (reader, mut writer) = std::io::pipe()?;
//! let text = run(move || {
//!     let reader = Ready::new(reader)?;
//!     let task = spawn(move || {
//!         let mut buffer = [0; 16];
//!         // Parks until something comes.
//!         let count = reader.read_with(|mut pipe| pipe.read(&mut buffer))?;
//!         std::io::Result::Ok(buffer[..count].to_vec())
//!     });
//!     writer.write_all(b"hello")?;
//!     task.join().expect("it does not panic")
//! })?;
//! assert_eq!(text, b"hello");
//! # std::io::Result::Ok(())
//! ```
//!
//! # How a wait ends
//!
//! As every wait of a task: by what is waited for, by a time limit, by an alert, by being cancelled or aborted; and the
//! enclosing [`timeout`](crate::timeout) counts. An abort and an enclosing time limit unwind. The others come as an
//! [`io::Error`]: of the kind `TimedOut` for the call's own time limit, and of the kind `Other`, which no
//! loop takes for a reason to try again, for an alert and for a cancellation. [`Interrupted::of`] tells them.
//! A plain thread is not alerted or cancelled.
//!
//! Regular files are always ready, as the kernel sees it: reading them blocks the worker.
//!
//! # How it is built
//!
//! `io::readiness`: what is known of one descriptor. `io::poller`: who asks the kernel, and when; the protocol with its
//! argument. `io::kernel`: the kernel's part. `io::source`: a descriptor with all that.

#[cfg(not(any(loom, shuttle)))]
pub(crate) mod kernel;
#[cfg(any(loom, shuttle))]
pub(crate) use crate::model::kernel;
pub(crate) mod poller;
pub(crate) mod readiness;
#[cfg(not(any(loom, shuttle)))]
mod ready;
#[cfg(not(any(loom, shuttle)))]
pub(crate) mod source;

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub(crate) use crate::park::Limit;
use crate::primitive::sleeper::Sleeper;
use crate::primitive::{Instant, simulated};
use crate::wait::Wake;
use poller::Poller;
pub(crate) use poller::Slept;
#[cfg(not(any(loom, shuttle)))]
pub use ready::{Ready, wait_readable, wait_writable};

/// A scheduler's part: its poller, made with the first descriptor that one of its tasks waits for.
pub(crate) struct Io {
    poller: OnceLock<Arc<Poller>>,
}

impl Io {
    pub(crate) fn new() -> Io {
        Io {
            poller: OnceLock::new(),
        }
    }

    #[cfg_attr(any(loom, shuttle), allow(dead_code, reason = "no descriptors there"))]
    pub(crate) fn poller(&self) -> io::Result<&Arc<Poller>> {
        if let Some(poller) = self.poller.get() {
            return Ok(poller);
        }
        if simulated::here().is_some() {
            let text = "a simulation has no descriptors";
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
        // Of two that come at once one is dropped.
        let poller = Arc::new(Poller::new()?);
        Ok(self.poller.get_or_init(|| poller))
    }

    /// A worker has nothing else to do: asks for what has become ready. Returns whether a task was made runnable.
    pub(crate) fn ask(&self) -> bool {
        self.poller.get().is_some_and(|poller| poller.ask())
    }

    /// The same at the fairness pick.
    #[inline]
    pub(crate) fn ask_now_and_then(&self) {
        if let Some(poller) = self.poller.get() {
            poller.ask_now_and_then();
        }
    }

    /// The same when a call is taken, if that is what it was for.
    pub(crate) fn ask_if_wished(&self) {
        if let Some(poller) = self.poller.get() {
            poller.ask_if_wished();
        }
    }

    /// Whether the monitor ought to call a sleeper, because nobody asks.
    pub(crate) fn is_left_alone(&self) -> bool {
        self.poller
            .get()
            .is_some_and(|poller| poller.is_left_alone())
    }

    /// Whether there is something to ask for, and nobody does so at this moment.
    pub(crate) fn is_unwatched(&self) -> bool {
        let poller = self.poller.get();
        poller.is_some_and(|poller| poller.is_unwatched())
    }

    /// A worker sleeps until it is called, until the limit, or until tasks were made runnable.
    ///
    /// `others_awake`: whether another worker is awake, asked after the caller counts as sleeping.
    pub(crate) fn sleep(
        &self,
        sleeper: &Sleeper,
        until: Option<Instant>,
        others_awake: impl FnOnce() -> bool,
    ) -> Slept {
        match self.poller.get() {
            Some(poller) => poller.sleep(sleeper, until, others_awake),
            None => Slept {
                called: sleeper.sleep(until),
                woke: false,
            },
        }
    }
}

impl Io {
    /// The worker slept at the poller, and nothing that it was told there was for it.
    pub(crate) fn step_back(&self, sleeper: &Sleeper) {
        if let Some(poller) = self.poller.get() {
            poller.step_back(sleeper);
        }
    }
}

impl Drop for Io {
    fn drop(&mut self) {
        if let Some(poller) = self.poller.get() {
            poller.close();
        }
    }
}

impl From<Option<Duration>> for Limit {
    fn from(limit: Option<Duration>) -> Limit {
        limit.map_or(Limit::Never, Limit::After)
    }
}

/// The error inside an [`io::Error`] for a wait that ended before the descriptor was ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted(Wake);

impl Interrupted {
    #[cfg(not(any(loom, shuttle)))]
    pub(crate) fn error(wake: Wake) -> io::Error {
        let kind = match wake {
            Wake::TimedOut => io::ErrorKind::TimedOut,
            Wake::Signalled | Wake::Alerted | Wake::Aborted => io::ErrorKind::Other,
        };
        io::Error::new(kind, Interrupted(wake))
    }

    /// How the wait ended, if that is what the error is about.
    pub fn of(error: &io::Error) -> Option<Wake> {
        let inner = error.get_ref()?.downcast_ref::<Interrupted>()?;
        Some(inner.0)
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Wake::TimedOut => "the time limit passed",
            Wake::Alerted => "the task was alerted while it waited for a descriptor",
            Wake::Signalled | Wake::Aborted => {
                "the task was cancelled while it waited for a descriptor"
            }
        })
    }
}

impl std::error::Error for Interrupted {}
