//! The asymmetric barrier: the side that runs often pays nothing, the rare side pays for both.
//!
//! Two threads that each store and then load what the other stored need a full barrier on both sides,
//! also on x86 (store buffering). Where one side runs on every switch and the other once in a while,
//! the frequent side uses [`light`] (no instruction) and the rare side [`heavy`], an expedited `membarrier`,
//! which makes every running thread of the process pass a full barrier.
//! Where the kernel has no such call both sides use a real fence.
//!
//! To look up which of the two it is costs [`light`] three instructions. On the ways that are short [`assumed`] saves them: what
//! its caller loads next is a word that says something rare, and says so always where the barrier is not asymmetric.
//!
//! A checker has no asymmetric barrier either. Its models take it for a fence on both sides, in [`assumed`] too; those without
//! the call take the way of the words that say so, and [`assumed`] is nothing.

#[cfg(not(any(loom, shuttle)))]
mod imp {
    use std::sync::Once;
    use std::sync::atomic::{AtomicBool, Ordering, compiler_fence, fence};

    static REGISTER: Once = Once::new();
    /// Whether `heavy` is a `membarrier`. Written once, before the first scheduler's threads exist.
    static EXPEDITED: AtomicBool = AtomicBool::new(false);

    const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;
    const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;

    /// Registers the process; called before the first thread of a scheduler starts.
    pub(crate) fn prepare() {
        REGISTER.call_once(|| {
            let refused = std::env::var_os("FIBERHOST_NO_MEMBARRIER").is_some();
            EXPEDITED.store(
                !refused && membarrier(REGISTER_PRIVATE_EXPEDITED),
                Ordering::SeqCst,
            );
        });
    }

    fn membarrier(command: libc::c_int) -> bool {
        // SAFETY: the call takes three integers and touches no memory of ours.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    }

    /// Whether the frequent side is free, for reports and benchmarks.
    pub(crate) fn is_asymmetric() -> bool {
        EXPEDITED.load(Ordering::Relaxed)
    }

    /// The frequent side: orders our store before our later load, as seen by a thread that calls [`heavy`].
    #[inline(always)]
    pub(crate) fn light() {
        // Relaxed: written before any thread that calls this existed.
        if EXPEDITED.load(Ordering::Relaxed) {
            compiler_fence(Ordering::SeqCst);
        } else {
            fence(Ordering::SeqCst);
        }
    }

    /// [`light`] for a caller whose next load, of what the rare side would have changed, sees also that the barrier is not
    /// asymmetric, as [`is_asymmetric`] says it. Then that load counts for nothing: the caller passes `light` and loads again.
    #[inline(always)]
    pub(crate) fn assumed() {
        compiler_fence(Ordering::SeqCst);
    }

    /// The rare side: orders our store before our later load against every thread's [`light`].
    pub(crate) fn heavy() {
        fence(Ordering::SeqCst);
        if EXPEDITED.load(Ordering::Relaxed) {
            let done = membarrier(PRIVATE_EXPEDITED);
            assert!(done, "membarrier was registered and is refused");
        }
    }
}

#[cfg(any(loom, shuttle))]
mod imp {
    // The model says so before it begins, so the checker need not know of it.
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    use crate::primitive::{Ordering, fence};

    static REFUSED: AtomicBool = AtomicBool::new(false);

    /// The kernel of the models of this process has no `membarrier`.
    pub(crate) fn refuse() {
        REFUSED.store(true, Relaxed);
    }

    pub(crate) fn prepare() {}

    pub(crate) fn is_asymmetric() -> bool {
        !REFUSED.load(Relaxed)
    }

    pub(crate) fn light() {
        // The twin that a model must catch: without the barrier the two sides can miss each other.
        if !cfg!(feature = "bug_light_barrier") {
            fence(Ordering::SeqCst);
        }
    }

    pub(crate) fn assumed() {
        if is_asymmetric() {
            light();
        }
    }

    pub(crate) fn heavy() {
        fence(Ordering::SeqCst);
    }
}

#[cfg(any(loom, shuttle))]
pub(crate) use imp::refuse;
pub(crate) use imp::{assumed, heavy, is_asymmetric, light, prepare};

/// Whether the words of which [`assumed`] speaks are to say it: the frequent side needs a fence that is not in it.
pub(crate) fn needs_fence() -> bool {
    // The twin that models must catch: no word says it, and the fence is left out.
    !is_asymmetric() && !cfg!(feature = "bug_needs_fence")
}
