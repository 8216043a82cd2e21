//! Time: the system's clock, that of a simulation, or one that stands still until a model moves it.
//!
//! A checker replays a schedule, so nothing it runs may depend on how long that takes. In a model a moment is a number,
//! [`advance`] makes time pass, and a thread that sleeps with a time limit is woken when the clock has passed it.
#![forbid(unsafe_code)]

#[cfg(not(any(loom, shuttle)))]
pub(crate) use std::time::Instant;

use crate::primitive::simulated;

/// The time: in a simulation that one's own.
pub(crate) fn now() -> Instant {
    match simulated::here() {
        Some(world) => world.now(),
        None => Instant::now(),
    }
}

#[cfg(any(loom, shuttle))]
pub(crate) use imp::{Bell, Instant, advance, let_time_pass};

#[cfg(any(loom, shuttle))]
mod imp {
    use std::ops::{Add, Sub};
    use std::sync::Arc;
    // The checker runs one thread at a time; what it need not know of goes through std's.
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::time::Duration;

    #[cfg(loom)]
    use loom::lazy_static;
    #[cfg(shuttle)]
    use shuttle::lazy_static;

    use crate::primitive::{AtomicU32, AtomicU64, Mutex, Ordering, thread};

    /// A moment of the model's time, in nanoseconds since the execution began.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub(crate) struct Instant(u64);

    impl Instant {
        pub(crate) fn now() -> Instant {
            if !CLOCK.moves.load(Relaxed) {
                return Instant(0);
            }
            Instant(CLOCK.now.load(Ordering::Acquire))
        }

        /// The same, and never a moment that is past for whoever moved the clock.
        fn exactly_now() -> Instant {
            Instant(CLOCK.now.fetch_add(0, Ordering::AcqRel))
        }

        pub(crate) fn elapsed(self) -> Duration {
            Instant::now() - self
        }

        pub(crate) fn checked_add(self, time: Duration) -> Option<Instant> {
            let time = u64::try_from(time.as_nanos()).ok()?;
            self.0.checked_add(time).map(Instant)
        }

        pub(crate) fn saturating_duration_since(self, earlier: Instant) -> Duration {
            Duration::from_nanos(self.0.saturating_sub(earlier.0))
        }
    }

    impl Add<Duration> for Instant {
        type Output = Instant;
        fn add(self, time: Duration) -> Instant {
            self.checked_add(time).expect("a model's time is short")
        }
    }

    impl Sub for Instant {
        type Output = Duration;
        fn sub(self, earlier: Instant) -> Duration {
            self.saturating_duration_since(earlier)
        }
    }

    struct Clock {
        /// Whether the model moves it at all: if not, reading it is nothing that the checker has to try both ways.
        moves: AtomicBool,
        now: AtomicU64,
        /// Those who sleep until some time.
        waiting: Mutex<Vec<Arc<Bell>>>,
    }

    // One for each execution.
    lazy_static! {
        static ref CLOCK: Clock = Clock {
            moves: AtomicBool::new(false),
            now: AtomicU64::new(0),
            waiting: Mutex::new(Vec::new()),
        };
    }

    /// To be called at the start of a model that moves the clock.
    pub(crate) fn let_time_pass() {
        CLOCK.moves.store(true, Relaxed);
    }

    /// Makes time pass, and lets those look at the clock who wait for it.
    pub(crate) fn advance(time: Duration) {
        assert!(CLOCK.moves.load(Relaxed), "the model says so at its start");
        let time = u64::try_from(time.as_nanos()).expect("a model's time is short");
        CLOCK.now.fetch_add(time, Ordering::AcqRel);
        for bell in CLOCK.waiting.lock().iter() {
            bell.ring();
        }
    }

    /// Where a model's thread blocks, instead of in the kernel.
    ///
    /// Nothing that the checker could interrupt lies between the look at *rung* and the parking.
    #[derive(Default)]
    pub(crate) struct Bell {
        rung: AtomicBool,
        parked: AtomicBool,
        thread: std::sync::Mutex<Option<thread::Thread>>,
    }

    impl Bell {
        /// Blocks while the word has this value and the time has not come.
        pub(crate) fn wait(self: &Arc<Bell>, word: &AtomicU32, value: u32, until: Option<Instant>) {
            *self.thread.lock().expect("nobody panics with it") = Some(thread::current());
            if until.is_some() {
                CLOCK.waiting.lock().push(Arc::clone(self));
            }
            loop {
                self.rung.store(false, Relaxed);
                // An exchange, as in the kernel: it does not find a value that somebody has changed already.
                let is_same = word
                    .compare_exchange(value, value, Ordering::Relaxed, Ordering::Relaxed)
                    .is_ok();
                if !is_same || until.is_some_and(|at| Instant::exactly_now() >= at) {
                    break;
                }
                if !self.rung.load(Relaxed) {
                    self.parked.store(true, Relaxed);
                    thread::park();
                    self.parked.store(false, Relaxed);
                }
            }
            if until.is_some() {
                CLOCK.waiting.lock().retain(|bell| !Arc::ptr_eq(bell, self));
            }
        }

        /// To be called after the word, or the time, was changed.
        pub(crate) fn ring(&self) {
            self.rung.store(true, Relaxed);
            // loom would take a thread that waits for something else out of that wait.
            if self.parked.load(Relaxed) || cfg!(shuttle) {
                let thread = self.thread.lock().expect("nobody panics with it").clone();
                if let Some(thread) = thread {
                    thread.unpark();
                }
            }
        }
    }
}
