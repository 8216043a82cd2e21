//! Who asks the kernel which descriptors are ready, and when.
//!
//! A scheduler has one poller, made with its first descriptor. Asking it is a *role* that one thread has at a time.
//!
//! # When it is asked
//!
//! - at the switch: a worker asks, without waiting, at its fairness pick (not more often than every 20 µs), and when it has
//!   nothing else to run, before it searches;
//! - when idle: a worker that goes to sleep takes the role, if it is free, and sleeps in the kernel's poller instead of on
//!   its own word. The others sleep on theirs;
//! - at the monitor's wish: if nobody has the role and nobody has asked for a tick, it calls a sleeper, or if there is none
//!   all workers: one asks when it takes the call, so one whose task is alone switches at its next yield; and one whose task
//!   owns its thread asks there.
//!
//! Only workers have the role.
//!
//! # How much is taken
//!
//! What is taken goes to the end of the asker's queue; what is left stays with the kernel, in the order in which it came, for
//! whoever asks next. So a worker takes a few answers, works them off, and asks again. If it took all there are, another one
//! that runs dry would go on with newer ones, while the older ones wait behind each other: with 100 connections on two workers
//! p99 of a round trip was 1.2 times that of tokio then, and is 0.9 times it now (`cargo bench --bench versus -- --only echo
//! --workers 2`).
//!
//! Where no worker runs dry, asking is rare: from one fairness pick to the next each turn may take a quantum. So if nobody has
//! asked for a while (`FEW_FOR`), a fairness pick takes many, or those who wait for descriptors would have few turns beside
//! the others.
//!
//! # Protocol
//!
//! A worker that goes to sleep (step S4 of `idle.rs`):
//!
//! 1. Z1 takes the role by an exchange. Somebody has it, or nothing is registered, or it *steps back* (below): it sleeps on
//!    its word, as ever;
//! 2. Z2 changes its word from *awake* to *asleep at the poller*. If it was called already: on to Z4;
//! 3. Z3 waits in the kernel, again and again, until its word has changed, somebody was found to wake (D1 of
//!    `readiness.rs`), or its next timer is due;
//! 4. Z4 changes its word back to *awake*, which takes the call;
//! 5. Z5 gives the role back;
//! 6. Z6 makes those runnable whom it found (D2).
//!
//! Whoever calls it exchanges its word for *called*, as for every sleeper, and finds in the old one where it sleeps: if at
//! the poller, it rings the poller's bell, a descriptor among the others. So a call costs what it did, and one write to
//! the bell instead of one futex call.
//!
//! # Why no call is lost
//!
//! Before Z2 the call is found by Z2. After Z4 it stays in the word. In between the caller rings the bell, after it has
//! changed the word. Only who has the role asks the kernel, and from before Z2 until after Z4 that is this worker: so
//! nobody else can use up the ring, and Z3 returns and finds the changed word. A ring that comes after Z4 makes the next
//! one at Z3 look at its word once, and go on waiting.
//!
//! # Why no readiness is lost
//!
//! What nobody has asked for stays with the kernel, and is there at the next asking: there need only be one.
//! If somebody is at Z3, it is at once.
//! Otherwise the role is free, or somebody asks at this moment, and then a worker is awake that will be at Z1 before it
//! sleeps. For whoever gives the role back is awake, and whoever finds it taken at Z1, and sleeps on its word, leaves it to
//! a worker that is at Z3 or awake. And whoever sleeps because nothing was registered slept before the first descriptor
//! was, and the one that registered it was awake after that, and has seen it at its next Z1.
//!
//! A worker that sleeps may lose its slot (`claim.rs`). It goes on asking, if it has the role, and makes others runnable
//! as a stranger would, since it has no queues then. When it stops asking it is no worker any more, and need not come to Z1
//! again: so it calls one that sleeps with a slot, which does. So does whoever leaves a slot with a thread that sleeps
//! already. If no slot has a sleeper, one is driven or lazily left, and the monitor ticks.
//!
//! One that is awake need not come to Z1 soon: it may run a task that does not yield, while others sleep on their words.
//! The monitor ticks as long as a worker is awake, notices that nobody asks, and calls one of the sleepers, which finds
//! nothing to do and goes to sleep at the poller. So readiness is noticed two ticks late at most, and once.
//!
//! # Stepping back
//!
//! The role is to be where the work is. A worker whose own tasks were not among those it found in Z6 would be woken for
//! the others' tasks again and again, while they are awake and would ask by themselves. So at its next sleep it leaves the
//! role to them, once, if another worker is awake.
//!
//! It asks for that after it counts as sleeping (S1 of `idle.rs`), which is later than its Z5. S1 is a read-modify-write of
//! one word. The other one has not done its S1 yet, so that comes later, sees what happened before the first S1, and
//! finds the role free at its Z1. So what was said above holds: while the role is free, one is awake that will be at Z1.
//!
//! Whoever is at Z3 when the last descriptor goes stays there until it is called: it sleeps as well there as on its word, and
//! to fetch it would be two calls of the kernel for every connection of a program that has one at a time.
//!
//! Rejected: to wake a sleeper whenever the role becomes free, so that somebody is at Z3 always. It would be two system
//! calls and a switch of the kernel's for every request that finds the scheduler idle, and the worker that the request
//! belongs to would be asleep when the next one comes.
//!
//! The role is for one, since the kernel gives each change, and each ring of the bell, to one asker only: with two of them
//! in the kernel the ring for the one may be used up by the other.
#![forbid(unsafe_code)]

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::kernel::{Kernel, Take, Wait};
use super::readiness::{Readiness, Woken};
use crate::primitive::sleeper::Sleeper;
use crate::primitive::{AtomicBool, AtomicU64, AtomicUsize, Instant, Mutex, Ordering, clock};

/// The least time between two askings at the fairness pick: a yield takes nanoseconds, asking a good part of a microsecond.
const GAP: Duration = Duration::from_micros(20);
/// For so long after an asking a few answers are enough: it is several times what a worker takes to work them off.
const FEW_FOR: Duration = Duration::from_micros(200);

/// How a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slept {
    pub(crate) called: bool,
    /// Tasks were made runnable, here or elsewhere.
    pub(crate) woke: bool,
}

/// See the module docs.
pub(crate) struct Poller {
    kernel: Kernel,
    role: AtomicBool,
    /// The address of the sleeper of a worker that had nothing of the last answers, or 0.
    stepping_back: AtomicUsize,
    /// How many descriptors are in `sources`.
    registered: AtomicUsize,
    /// How often it was asked, what the monitor saw of that, and when the last time was. Hints.
    asked: AtomicU64,
    asked_seen: AtomicU64,
    asked_at: AtomicU64,
    /// The monitor has found that nobody asks. A hint.
    wished: AtomicBool,
    began: Instant,
    /// Its scheduler is gone.
    closed: AtomicBool,
    /// By token. Its lock is taken by whoever registers or goes, and by whoever has the role, for each batch of answers.
    sources: Mutex<Sources>,
}

#[derive(Default)]
struct Sources {
    all: Vec<Option<Arc<Readiness>>>,
    free: Vec<usize>,
}

impl Poller {
    pub(crate) fn new() -> io::Result<Poller> {
        Ok(Poller {
            kernel: Kernel::new()?,
            role: AtomicBool::new(false),
            stepping_back: AtomicUsize::new(0),
            registered: AtomicUsize::new(0),
            asked: AtomicU64::new(0),
            asked_seen: AtomicU64::new(0),
            asked_at: AtomicU64::new(0),
            wished: AtomicBool::new(false),
            began: clock::now(),
            closed: AtomicBool::new(false),
            sources: Mutex::new(Sources::default()),
        })
    }

    /// A descriptor that is to be watched until [`remove`](Poller::remove); `register` tells the kernel.
    pub(crate) fn add(
        &self,
        readiness: &Arc<Readiness>,
        register: impl FnOnce(&Kernel, usize) -> io::Result<()>,
    ) -> io::Result<usize> {
        let token = {
            let mut sources = self.sources.lock();
            match sources.free.pop() {
                Some(token) => {
                    sources.all[token] = Some(Arc::clone(readiness));
                    token
                }
                None => {
                    sources.all.push(Some(Arc::clone(readiness)));
                    sources.all.len() - 1
                }
            }
        };
        // Relaxed: who registers goes to sleep later than this, and that is what counts (module docs).
        self.registered.fetch_add(1, Ordering::Relaxed);
        match register(&self.kernel, token) {
            Ok(()) => Ok(token),
            Err(error) => {
                self.remove(token, |_| ());
                Err(error)
            }
        }
    }

    /// `deregister` tells the kernel. An answer that is under way may still reach whoever gets the token next: it then
    /// tries a call in vain.
    pub(crate) fn remove(&self, token: usize, deregister: impl FnOnce(&Kernel)) {
        deregister(&self.kernel);
        self.registered.fetch_sub(1, Ordering::Relaxed);
        let mut sources = self.sources.lock();
        let gone = sources.all[token].take();
        sources.free.push(token);
        drop(sources);
        drop(gone);
    }

    /// Asks without waiting, and makes those runnable who wait for what it learns. Returns whether there were any.
    pub(crate) fn ask(&self) -> bool {
        self.has_sources() && self.ask_at(self.now(), Take::Few)
    }

    /// The same at a fairness pick, if that was not done just now.
    pub(crate) fn ask_now_and_then(&self) {
        if !self.has_sources() || self.role.load(Ordering::Relaxed) {
            return;
        }
        let now = self.now();
        // Relaxed: two that ask at the same time do no harm.
        let since = now.saturating_sub(self.asked_at.load(Ordering::Relaxed));
        if since >= GAP.as_nanos() as u64 {
            let is_rare = since >= FEW_FOR.as_nanos() as u64;
            self.ask_at(now, if is_rare { Take::Many } else { Take::Few });
        }
    }

    /// The same, if the monitor wishes it.
    pub(crate) fn ask_if_wished(&self) {
        if self.wished.load(Ordering::Relaxed) {
            self.ask_at(self.now(), Take::Many);
        }
    }

    fn ask_at(&self, now: u64, take: Take) -> bool {
        if !self.has_sources() || !self.take_role() {
            return false;
        }
        self.asked_at.store(now, Ordering::Relaxed);
        let mut woken = Woken::new();
        self.collect(Wait::Not, take, &mut woken);
        self.give_role();
        woken.wake()
    }

    /// In nanoseconds since it was made.
    fn now(&self) -> u64 {
        u64::try_from((clock::now() - self.began).as_nanos()).unwrap_or(u64::MAX)
    }

    /// Whether there is something to ask for, and nobody has done so since the last call to this function or does it now:
    /// for the monitor, which wishes it then.
    pub(crate) fn is_left_alone(&self) -> bool {
        let asked = self.asked.load(Ordering::Relaxed);
        let is_left_alone = self.asked_seen.swap(asked, Ordering::Relaxed) == asked
            && self.has_sources()
            && !self.role.load(Ordering::Relaxed);
        // Relaxed: who takes the call that follows sees it.
        self.wished.store(is_left_alone, Ordering::Relaxed);
        is_left_alone
    }

    /// Whether there is something to ask for, and nobody does so at this moment.
    pub(crate) fn is_unwatched(&self) -> bool {
        self.has_sources() && !self.role.load(Ordering::Relaxed)
    }

    /// Z1 to Z6. Owner of the sleeper only.
    pub(crate) fn sleep(
        &self,
        sleeper: &Sleeper,
        until: Option<Instant>,
        others_awake: impl FnOnce() -> bool,
    ) -> Slept {
        // Z1.
        if !self.has_sources() || self.steps_back(sleeper, others_awake) || !self.take_role() {
            return Slept {
                called: sleeper.sleep(until),
                woke: false,
            };
        }
        let mut woken = Woken::new();
        // Z2 to Z4.
        let called = sleeper.sleep_at(self.kernel.place(), || {
            self.collect(Wait::Until(until), Take::Few, &mut woken);
            !woken.is_empty() || until.is_some_and(|at| clock::now() >= at)
        });
        // Z5.
        self.give_role();
        // Z6.
        let woke = woken.wake();
        Slept { called, woke }
    }

    /// The scheduler goes: from now on nobody asks.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    #[cfg(not(any(loom, shuttle)))]
    pub(crate) fn is_closed(&self) -> bool {
        // Relaxed: one that is found open for a moment longer is found closed the next time.
        self.closed.load(Ordering::Relaxed)
    }

    /// The worker that slept there last had nothing for itself.
    pub(crate) fn step_back(&self, sleeper: &Sleeper) {
        let sleeper = std::ptr::from_ref(sleeper).addr();
        self.stepping_back.store(sleeper, Ordering::Relaxed);
    }

    fn steps_back(&self, sleeper: &Sleeper, others_awake: impl FnOnce() -> bool) -> bool {
        let sleeper = std::ptr::from_ref(sleeper).addr();
        // Relaxed: only this worker writes this value, and whoever overwrites it makes it take the role again.
        if self.stepping_back.load(Ordering::Relaxed) != sleeper {
            return false;
        }
        self.stepping_back.store(0, Ordering::Relaxed);
        // The twin that a model must catch: it leaves the role to nobody.
        others_awake() || cfg!(feature = "bug_poller_back")
    }

    fn has_sources(&self) -> bool {
        // Relaxed: see `add`.
        self.registered.load(Ordering::Relaxed) != 0
    }

    fn take_role(&self) -> bool {
        if self.role.load(Ordering::Relaxed) {
            return false;
        }
        // The twin that a model must catch: two may find it free.
        if cfg!(feature = "bug_poller_role") {
            self.role.store(true, Ordering::Relaxed);
            return true;
        }
        // Acquire: pairs with `give_role`; what the last one learned is kept where it belongs.
        self.role
            .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    fn give_role(&self) {
        self.role.store(false, Ordering::Release);
    }

    /// D1 for all that the kernel says. Only with the role.
    fn collect(&self, wait: Wait, take: Take, woken: &mut Woken) {
        // Relaxed, and no read-modify-write: one writer at a time.
        let asked = self.asked.load(Ordering::Relaxed);
        self.asked.store(asked.wrapping_add(1), Ordering::Relaxed);
        self.wished.store(false, Ordering::Relaxed);
        self.kernel.ask(wait, take, |answers| {
            let sources = self.sources.lock();
            for (token, ready) in answers {
                if let Some(Some(readiness)) = sources.all.get(token) {
                    readiness.change(ready, woken);
                }
            }
        });
    }

    #[cfg(any(loom, shuttle))]
    pub(crate) fn kernel(&self) -> &Kernel {
        &self.kernel
    }
}
