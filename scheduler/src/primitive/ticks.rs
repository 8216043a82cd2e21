//! A time-stamp that costs an instruction: the processor's counter, where it counts time.
//!
//! Reading the system's clock takes 25 ns, which is more than what is measured with it. The counter is read in a third of
//! that. It is translated when somebody reads what was stamped: two readings of both clocks, one from the start and one from
//! now, give the rate. For lengths of time one rate is settled for the process when it is first needed.
//!
//! Where the counter does not run at one rate, or there is none, a stamp is the system's clock in nanoseconds.
//!
//! Room for unsafe code: two instructions, and two calls.

use std::sync::OnceLock;
use std::time::Duration;

use crate::primitive::{Instant, clock, simulated};

/// A number that grows with time. In a simulation it is that one's time, in nanoseconds.
#[inline(always)]
pub(crate) fn now() -> u64 {
    if let Some(world) = simulated::here() {
        return world.nanos();
    }
    #[cfg(all(target_arch = "x86_64", not(any(loom, shuttle))))]
    if counter::counts_time() {
        return counter::read();
    }
    fallback()
}

#[cfg(all(target_arch = "x86_64", not(any(loom, shuttle))))]
mod counter {
    use std::arch::x86_64::{__cpuid, _rdtsc};
    use std::sync::atomic::{AtomicU8, Ordering};

    const UNKNOWN: u8 = 0;
    const YES: u8 = 1;
    const NO: u8 = 2;

    /// Whether the counter runs at one rate whatever the processor does ("invariant").
    #[inline(always)]
    pub(super) fn counts_time() -> bool {
        static KNOWN: AtomicU8 = AtomicU8::new(UNKNOWN);
        match KNOWN.load(Ordering::Relaxed) {
            UNKNOWN => ask(&KNOWN),
            known => known == YES,
        }
    }

    #[cold]
    fn ask(known: &AtomicU8) -> bool {
        const LEAF: u32 = 0x8000_0007;
        const INVARIANT: u32 = 1 << 8;
        let yes = __cpuid(0x8000_0000).eax >= LEAF && __cpuid(LEAF).edx & INVARIANT != 0;
        known.store(if yes { YES } else { NO }, Ordering::Relaxed);
        yes
    }

    #[inline(always)]
    pub(super) fn read() -> u64 {
        // SAFETY: every processor with this instruction set has it.
        unsafe { _rdtsc() }
    }
}

#[cold]
fn fallback() -> u64 {
    // In a model nothing is stamped.
    #[cfg(any(loom, shuttle))]
    return 0;
    #[cfg(not(any(loom, shuttle)))]
    {
        static BEGAN: OnceLock<Instant> = OnceLock::new();
        BEGAN.get_or_init(Instant::now).elapsed().as_nanos() as u64
    }
}

/// Nanoseconds for which the calling thread has run, as the kernel counts them: a system call.
pub(crate) fn thread_time() -> Option<u64> {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: a place that outlives the call.
    let done = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    (done == 0).then(|| time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

/// How often the calling thread has given its processor away to sleep, as the kernel counts that: a system call.
pub(crate) fn thread_sleeps() -> Option<u64> {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: a place that outlives the call.
    let done = unsafe { libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()) };
    // SAFETY: the call has filled it.
    (done == 0).then(|| unsafe { usage.assume_init() }.ru_nvcsw as u64)
}

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    ticks: u64,
    instant: Instant,
    /// Taken in a simulation: its stamps are nanoseconds.
    simulated: bool,
}

/// How to get from stamps to nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    origin: u64,
    /// Since the origin: for moments.
    ns_per_tick: f64,
    /// The same in every answer, so that sums of times never fall from one to the next.
    settled: f64,
}

/// How long the clocks are compared before the rate is settled.
const SETTLE: Duration = Duration::from_millis(10);
/// The thread may lose the processor between its readings of the two clocks: the closest of so many are taken.
const TRIES: u32 = 8;

impl Origin {
    pub(crate) fn now() -> Origin {
        let one = |_| {
            let (before, instant) = (now(), clock::now());
            let ticks = now();
            let origin = Origin {
                ticks,
                instant,
                simulated: simulated::here().is_some(),
            };
            (ticks.saturating_sub(before), origin)
        };
        let closest = (0..TRIES).map(one).min_by_key(|&(between, _)| between);
        closest.expect("it was tried").1
    }

    /// The rate. It is settled when it is first asked for, which takes a few milliseconds if the scheduler is younger.
    pub(crate) fn rate(&self) -> Rate {
        static SETTLED: OnceLock<f64> = OnceLock::new();
        if self.simulated {
            return Rate {
                origin: self.ticks,
                ns_per_tick: 1.0,
                settled: 1.0,
            };
        }
        let settled = *SETTLED.get_or_init(|| {
            // Time does not pass in a model.
            if !cfg!(any(loom, shuttle)) {
                std::thread::sleep(SETTLE.saturating_sub(self.instant.elapsed()));
            }
            self.ns_per_tick(&Origin::now())
        });
        let now = Origin::now();
        Rate {
            origin: self.ticks,
            ns_per_tick: if now.instant - self.instant < SETTLE {
                settled
            } else {
                self.ns_per_tick(&now)
            },
            settled,
        }
    }

    fn ns_per_tick(&self, later: &Origin) -> f64 {
        let ticks = later.ticks.saturating_sub(self.ticks);
        let ns = (later.instant - self.instant).as_nanos();
        if ticks == 0 {
            1.0
        } else {
            ns as f64 / ticks as f64
        }
    }
}

impl Rate {
    /// Nanoseconds in so many ticks.
    pub(crate) fn ns(&self, ticks: u64) -> u64 {
        (ticks as f64 * self.settled) as u64
    }

    /// Nanoseconds from the origin to a stamp.
    pub(crate) fn since_origin(&self, stamp: u64) -> u64 {
        (stamp.saturating_sub(self.origin) as f64 * self.ns_per_tick) as u64
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn stamps_come_to_the_time_that_passed() {
        const SLEPT: Duration = Duration::from_millis(50);
        let origin = Origin::now();
        let began = Instant::now();
        let before = now();
        std::thread::sleep(SLEPT);
        let after = now();
        let most = began.elapsed();
        let measured = Duration::from_nanos(origin.rate().ns(after - before));
        assert!(measured >= SLEPT.mul_f64(0.999), "{measured:?}");
        assert!(measured <= most.mul_f64(1.001), "{measured:?} of {most:?}");
    }
}
