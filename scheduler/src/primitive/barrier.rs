//! The asymmetric barrier: the side that runs often pays nothing, the rare side pays for both.
//!
//! Two threads that each store and then load what the other stored need a full barrier on both sides,
//! also on x86 (store buffering). Where one side runs on every switch and the other once in a while,
//! the frequent side uses [`light`] (no instruction) and the rare side [`heavy`], an expedited `membarrier`,
//! which makes every running thread of the process pass a full barrier.
//! Where the kernel has no such call both sides use a real fence; the models do the same.

#[cfg(not(any(loom, shuttle)))]
mod imp {
    use std::sync::Once;
    use std::sync::atomic::{AtomicBool, Ordering, compiler_fence, fence};

    use crate::primitive::simulated;

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

    /// The rare side: orders our store before our later load against every thread's [`light`].
    pub(crate) fn heavy() {
        fence(Ordering::SeqCst);
        // The threads of a simulation are one thread of the system.
        if EXPEDITED.load(Ordering::Relaxed) && simulated::here().is_none() {
            let done = membarrier(PRIVATE_EXPEDITED);
            assert!(done, "membarrier was registered and is refused");
        }
    }
}

#[cfg(any(loom, shuttle))]
mod imp {
    use crate::primitive::{Ordering, fence};

    pub(crate) fn prepare() {}
    pub(crate) fn is_asymmetric() -> bool {
        false
    }
    pub(crate) fn light() {
        // The twin that a model must catch: without the barrier the two sides can miss each other.
        if !cfg!(feature = "bug_light_barrier") {
            fence(Ordering::SeqCst);
        }
    }
    pub(crate) fn heavy() {
        fence(Ordering::SeqCst);
    }
}

pub(crate) use imp::{heavy, is_asymmetric, light, prepare};
