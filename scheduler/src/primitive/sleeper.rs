//! Where one thread sleeps and others wake it: a token and a futex in one word.
//!
//! | word | meaning | who may change it |
//! |---|---|---|
//! | `AWAKE` | runs, nobody has called | owner to `ASLEEP`, anyone to `CALLED` |
//! | `CALLED` | somebody wants its attention | owner to `AWAKE` |
//! | `ASLEEP` | in the kernel or on the way there | anyone to `CALLED`; owner, on a time limit, to `AWAKE` |
//! | `SIMULATED` | the same in a simulation, where others have their turn | the same |
//! | a [`Place`] | asleep elsewhere, where its bell wakes it, or on the way there | anyone to `CALLED`; owner to `AWAKE` |
//!
//! Call before the sleep: the owner finds `CALLED` instead of `AWAKE` and does not sleep.
//! Call during: the exchange finds `ASLEEP`, and the caller wakes it.
//! Call after: it stays until the owner looks. All changes are read-modify-writes of one word, so none is lost.
//!
//! In a model the word is the same, and the kernel's part is a [`Bell`](crate::primitive::clock::Bell).

use std::time::Duration;

use crate::primitive::clock::{self, Instant};
use crate::primitive::simulated::{self, Unblocked};
use crate::primitive::{AtomicU32, Ordering};

const AWAKE: u32 = 0;
const CALLED: u32 = 1;
const ASLEEP: u32 = 2;
/// No place has such a number.
const SIMULATED: u32 = u32::MAX;

pub(crate) struct Sleeper {
    word: AtomicU32,
    #[cfg(any(loom, shuttle))]
    bell: std::sync::Arc<crate::primitive::clock::Bell>,
    /// Written by the owner before the word says that it sleeps there.
    #[cfg(any(loom, shuttle))]
    place: std::sync::Mutex<Option<Place>>,
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
            place: std::sync::Mutex::new(None),
        }
    }

    /// Asks for the owner's attention and wakes it if it sleeps.
    #[inline]
    pub(crate) fn call(&self) {
        // AcqRel: what we did before is visible to the owner when it takes the call.
        let before = self.word.swap(CALLED, Ordering::AcqRel);
        if before >= ASLEEP {
            self.wake_up(before);
        }
    }

    #[inline]
    fn wake_up(&self, before: u32) {
        match before {
            ASLEEP => self.unblock(),
            // Whoever gives out the turns sees the word.
            SIMULATED => {}
            place => self.ring(place),
        }
    }

    /// Whether a call waits. One plain load, for the worker's loop.
    #[inline(always)]
    pub(crate) fn is_called(&self) -> bool {
        self.word.load(Ordering::Relaxed) == CALLED
    }

    /// The same, wherever it sleeps.
    pub(crate) fn is_away(&self) -> bool {
        self.word.load(Ordering::Relaxed) >= ASLEEP
    }

    /// Whether the owner sleeps and nobody has called it yet.
    pub(crate) fn is_asleep(&self) -> bool {
        let word = self.word.load(Ordering::Relaxed);
        word == ASLEEP || word == SIMULATED
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
        let world = simulated::here();
        let asleep = if world.is_some() { SIMULATED } else { ASLEEP };
        if cfg!(feature = "bug_sleeper_store") {
            self.word.store(asleep, Ordering::Release);
        } else if self
            .word
            .compare_exchange(AWAKE, asleep, Ordering::AcqRel, Ordering::Acquire)
            .is_err()
        {
            self.word.swap(AWAKE, Ordering::AcqRel);
            return true;
        }
        loop {
            let left = until.map(|at| at.saturating_duration_since(clock::now()));
            let mut over = left.is_some_and(|left| left.is_zero());
            if let Some(world) = world {
                over |= world.block(&self.word, SIMULATED, until) == Unblocked::GiveUp;
            } else if !over {
                self.block(until, left);
            }
            if over || self.word.load(Ordering::Acquire) != asleep {
                return self.word.swap(AWAKE, Ordering::AcqRel) == CALLED;
            }
        }
    }
}

#[cfg(feature = "net")]
impl Sleeper {
    /// Sleeps elsewhere than on the word until called, or until `block` says that something else has come up; takes the
    /// call. Owner only. Returns whether it was called.
    ///
    /// `block` waits at the place, and returns at the latest when the place's bell was rung since the call to this function.
    pub(crate) fn sleep_at(&self, place: &Place, mut block: impl FnMut() -> bool) -> bool {
        let asleep = self.go_to(place);
        // The word names the place before `block` begins, so that whoever calls from now on rings there.
        let went = self
            .word
            .compare_exchange(AWAKE, asleep, Ordering::AcqRel, Ordering::Acquire)
            .is_ok();
        while went && !block() && self.word.load(Ordering::Acquire) == asleep {}
        self.word.swap(AWAKE, Ordering::AcqRel) == CALLED
    }
}

/// A place where somebody sleeps who waits for more than a call: the descriptor to write to.
#[cfg(all(feature = "net", not(any(loom, shuttle))))]
pub(crate) struct Place(u32);

#[cfg(all(feature = "net", not(any(loom, shuttle))))]
impl Place {
    /// An eventfd that stays open as long as anybody can reach a sleeper that sleeps here.
    pub(crate) fn new(bell: std::os::fd::BorrowedFd<'_>) -> Place {
        let bell = std::os::fd::AsRawFd::as_raw_fd(&bell);
        Place(u32::try_from(bell).expect("a descriptor is no negative number"))
    }
}

/// The other values of the word lie below it.
#[cfg(not(any(loom, shuttle)))]
const PLACES: u32 = ASLEEP + 1;

#[cfg(not(any(loom, shuttle)))]
impl Sleeper {
    #[cfg(feature = "net")]
    fn go_to(&self, place: &Place) -> u32 {
        place.0 + PLACES
    }

    #[cold]
    fn ring(&self, word: u32) {
        let bell = (word - PLACES) as libc::c_int;
        let one = 1_u64.to_ne_bytes();
        // SAFETY: the buffer is ours, and the descriptor is open (`Place::new`). The only error is a counter that is full,
        // and then the bell has been rung often enough.
        unsafe { libc::write(bell, one.as_ptr().cast(), one.len()) };
    }

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

/// In a model: what is to be done to ring there.
#[cfg(any(loom, shuttle))]
#[derive(Clone)]
pub(crate) struct Place(pub(crate) std::sync::Arc<dyn Fn() + Send + Sync>);

#[cfg(any(loom, shuttle))]
impl Sleeper {
    fn go_to(&self, place: &Place) -> u32 {
        *self.place.lock().expect("nobody panics with it") = Some(place.clone());
        ASLEEP + 1
    }

    fn ring(&self, _word: u32) {
        let place = self.place.lock().expect("nobody panics with it").clone();
        let Place(ring) = place.expect("a word that says so was preceded by a place");
        ring();
    }

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
