//! Where one thread sleeps and others wake it: a token and a futex in one word.
//!
//! | word | meaning | who may change it |
//! |---|---|---|
//! | `AWAKE` | runs, nobody has called | owner to `ASLEEP`, anyone to `CALLED` |
//! | `CALLED` | somebody wants its attention | owner to `AWAKE` |
//! | `ASLEEP` | in the kernel or on the way there | anyone to `CALLED`; owner, on a time limit, to `AWAKE` |
//!
//! Call before the sleep: the owner finds `CALLED` instead of `AWAKE` and does not sleep.
//! Call during: the exchange finds `ASLEEP`, and the caller wakes it.
//! Call after: it stays until the owner looks. All changes are read-modify-writes of one word, so none is lost.
//!
//! In a model the word is the same, and the kernel's part is a [`Bell`](crate::primitive::clock::Bell).

use std::time::Duration;

use crate::primitive::clock::Instant;
use crate::primitive::{AtomicU32, Ordering};

const AWAKE: u32 = 0;
const CALLED: u32 = 1;
const ASLEEP: u32 = 2;

pub(crate) struct Sleeper {
    word: AtomicU32,
    #[cfg(any(loom, shuttle))]
    bell: std::sync::Arc<crate::primitive::clock::Bell>,
}

impl Sleeper {
    #[cfg(not(any(loom, shuttle)))]
    pub(crate) const fn new() -> Self {
        Sleeper {
            word: AtomicU32::new(AWAKE),
        }
    }

    #[cfg(any(loom, shuttle))]
    pub(crate) fn new() -> Self {
        Sleeper {
            word: AtomicU32::new(AWAKE),
            bell: std::sync::Arc::default(),
        }
    }

    /// Asks for the owner's attention and wakes it if it sleeps.
    #[inline]
    pub(crate) fn call(&self) {
        // AcqRel: what we did before is visible to the owner when it takes the call.
        if self.word.swap(CALLED, Ordering::AcqRel) == ASLEEP {
            self.unblock();
        }
    }

    /// Whether a call waits. One plain load, for the worker's loop.
    #[inline(always)]
    pub(crate) fn is_called(&self) -> bool {
        self.word.load(Ordering::Relaxed) == CALLED
    }

    /// Whether the owner sleeps and nobody has called it yet.
    pub(crate) fn is_asleep(&self) -> bool {
        self.word.load(Ordering::Relaxed) == ASLEEP
    }

    /// Takes the call, if there is one. Owner only.
    #[inline]
    pub(crate) fn take(&self) -> bool {
        // Acquire: pairs with the release in `call`.
        self.is_called() && self.word.swap(AWAKE, Ordering::AcqRel) == CALLED
    }

    /// Sleeps until called or until the time limit; takes the call. Owner only.
    /// Returns whether it was called.
    pub(crate) fn sleep(&self, until: Option<Instant>) -> bool {
        if cfg!(feature = "bug_sleeper_store") {
            self.word.store(ASLEEP, Ordering::Release);
        } else if self
            .word
            .compare_exchange(AWAKE, ASLEEP, Ordering::AcqRel, Ordering::Acquire)
            .is_err()
        {
            self.word.swap(AWAKE, Ordering::AcqRel);
            return true;
        }
        loop {
            let left = until.map(|at| at.saturating_duration_since(Instant::now()));
            let over = left.is_some_and(|left| left.is_zero());
            if !over {
                self.block(until, left);
            }
            if over || self.word.load(Ordering::Acquire) != ASLEEP {
                return self.word.swap(AWAKE, Ordering::AcqRel) == CALLED;
            }
        }
    }
}

#[cfg(not(any(loom, shuttle)))]
impl Sleeper {
    fn unblock(&self) {
        futex(&self.word, libc::FUTEX_WAKE, 1, None);
    }

    fn block(&self, _until: Option<Instant>, left: Option<Duration>) {
        futex(&self.word, libc::FUTEX_WAIT, ASLEEP, left);
    }
}

#[cfg(not(any(loom, shuttle)))]
fn futex(word: &AtomicU32, op: libc::c_int, value: u32, limit: Option<Duration>) {
    let limit = limit.map(|left| libc::timespec {
        tv_sec: left.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: left.subsec_nanos().into(),
    });
    let limit = limit.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: the word and the time limit live until the call returns. Errors (a changed word, a signal,
    // the limit) all mean "look again", which the caller does.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            op | libc::FUTEX_PRIVATE_FLAG,
            value,
            limit,
        );
    }
}

#[cfg(any(loom, shuttle))]
impl Sleeper {
    fn unblock(&self) {
        self.bell.ring();
    }

    fn block(&self, until: Option<Instant>, _left: Option<Duration>) {
        self.bell.wait(&self.word, ASLEEP, until);
    }
}

impl std::fmt::Debug for Sleeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sleeper")
    }
}
