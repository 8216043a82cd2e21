//! A thread's lease on its slot: left and taken up again without a locked instruction, ended by whoever needs the slot.
//!
//! Code that the scheduler cannot see into may block the thread, and mostly does not. So leaving is only a mark, and the
//! slot stays with the thread; when the section lasts, somebody takes the slot away.
//!
//! # Protocol
//!
//! Two words of the *thread*, never of the slot: a late store would otherwise meet the slot's next holder, and two threads
//! come to drive one slot. *mark* counts leaves and enters, so it is odd while the thread is out. *request* is *free*,
//! *asked* or *taken*.
//!
//! | | who | does |
//! |---|---|---|
//! | L | owner, leave | mark := odd (release) |
//! | E1 | owner, enter | mark := even; light barrier; read request (acquire). Free: it has its slot still |
//! | E2 | owner, enter | otherwise asked → free by compare-and-swap. Done: it has its slot still. Failed: the slot is gone, or the taker has just given up: the lists say which |
//! | T1 | taker | free → asked by compare-and-swap |
//! | T2 | taker | heavy barrier, one for all that were asked; mark still odd? |
//! | T3 | taker | asked → taken by compare-and-swap; otherwise asked → free. Only after *taken* may it touch the slot |
//! | R | owner | request := free, once it has its next slot |
//!
//! There is one taker at a time: whoever has the lock of the lists in `idle`.
//!
//! # Why the slot has one driver
//!
//! The owner stores *mark* and reads *request*, the taker the other way round: store buffering, which the barrier pair
//! excludes. If T2 sees the mark odd, the owner's E1 comes later and sees *asked* or *taken*. On *asked* both try to
//! change it and one wins. If the owner's E1 missed the request, T2 sees the mark even and the taker gives up.
//! A mark that is odd again after an enter and a leave is another number; T2 may accept it too, since the owner's *next* E1
//! is then later than the barrier.
//!
//! What the owner did before L is visible to the taker by the acquire of T2.
#![forbid(unsafe_code)]

use crate::primitive::{AtomicU32, AtomicU64, Ordering, barrier};

const FREE: u32 = 0;
const ASKED: u32 = 1;
const TAKEN: u32 = 2;

pub(crate) struct Lease {
    mark: AtomicU64,
    request: AtomicU32,
}

impl Lease {
    pub(crate) fn new() -> Self {
        Lease {
            mark: AtomicU64::new(0),
            request: AtomicU32::new(FREE),
        }
    }

    /// L. Owner only.
    #[inline(always)]
    pub(crate) fn leave(&self) {
        let order = if cfg!(feature = "bug_lease_release") {
            Ordering::Relaxed
        } else {
            Ordering::Release
        };
        self.mark
            .store(self.mark.load(Ordering::Relaxed) + 1, order);
    }

    /// E1 and E2. `false`: the slot is gone, unless the lists say that it is not. Owner only.
    #[must_use]
    #[inline(always)]
    pub(crate) fn enter(&self) -> bool {
        self.enter_unasked() || self.refuse()
    }

    /// E1. `false`: somebody asks for the slot or has taken it, and E2 is to follow. Owner only.
    #[must_use]
    #[inline(always)]
    pub(crate) fn enter_unasked(&self) -> bool {
        // Relaxed: the barrier orders it before the read of the request.
        self.mark
            .store(self.mark.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        if !cfg!(feature = "bug_lease_barrier") {
            barrier::light();
        }
        // Acquire: what a taker did that gave up is of no interest, but what it took must be seen as gone.
        self.request.load(Ordering::Acquire) == FREE
    }

    /// E2.
    #[must_use]
    #[cold]
    pub(crate) fn refuse(&self) -> bool {
        if cfg!(feature = "bug_lease_refuse") && self.request.load(Ordering::Acquire) == ASKED {
            self.request.store(FREE, Ordering::Release);
            return true;
        }
        self.request
            .compare_exchange(ASKED, FREE, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// R. Owner only, with its next slot.
    pub(crate) fn renew(&self) {
        self.request.store(FREE, Ordering::Release);
    }

    /// The mark, if the thread is out.
    #[inline]
    pub(crate) fn out(&self) -> Option<u64> {
        let mark = self.mark.load(Ordering::Relaxed);
        (mark % 2 == 1).then_some(mark)
    }

    /// The mark that the thread had when it was out last. For the thread itself, which is not out.
    pub(crate) fn last_out(&self) -> u64 {
        self.mark.load(Ordering::Relaxed).wrapping_sub(1)
    }

    /// How often the thread has left.
    pub(crate) fn left(&self) -> u64 {
        self.mark.load(Ordering::Relaxed).div_ceil(2)
    }

    /// T1. Under the lock of the lists, like the rest.
    pub(crate) fn ask(&self) -> bool {
        self.request
            .compare_exchange(FREE, ASKED, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    /// T2 after the barrier, and T3. `true`: the slot is the caller's.
    #[must_use]
    pub(crate) fn take_asked(&self) -> bool {
        // Acquire: pairs with L.
        let out = self.mark.load(Ordering::Acquire) % 2 == 1 || cfg!(feature = "bug_lease_look");
        let to = if out { TAKEN } else { FREE };
        let changed = self
            .request
            .compare_exchange(ASKED, to, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok();
        out && changed
    }

    /// Whether T1 was done and nothing has come of it yet.
    pub(crate) fn is_asked(&self) -> bool {
        self.request.load(Ordering::Relaxed) == ASKED
    }

    /// The taker does without: asked → free, unless the owner was faster.
    pub(crate) fn withdraw(&self) {
        if cfg!(feature = "bug_lease_withdraw") {
            return;
        }
        let _ = self
            .request
            .compare_exchange(ASKED, FREE, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// The owner itself gives its slot away. Under the lock of the lists, so that there is no taker.
    pub(crate) fn give(&self) {
        // Relaxed: the owner reads it, and takers are excluded by the lock.
        self.request.store(TAKEN, Ordering::Relaxed);
    }
}
