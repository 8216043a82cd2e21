//! A cancellation that meets the giving of a transfer to the engine: one of the two sees the other.
//!
//! | | who | does |
//! |---|---|---|
//! | C1 | whoever cancels | marks the transfer |
//! | C2 | | looks by what name the engine knows it; with one, tells the engine |
//! | G1 | whoever gives it to the engine | notes the name, and gives it |
//! | G2 | | looks at the mark; if it is there, tells the engine too |
//!
//! Each writes before it reads what the other one writes: store buffering, which a full fence on both sides excludes. So if C2
//! finds no name, G2 comes later and finds the mark. An engine that is told twice, or of a transfer that it does not have yet
//! under an older name, takes that for nothing; then it is told again (`uring`).
#![forbid(unsafe_code)]

use crate::primitive::{AtomicBool, AtomicU64, Ordering, fence};

/// Whether a transfer was cancelled, and by what name the engine knows it.
#[derive(Debug)]
pub(crate) struct Cancel {
    marked: AtomicBool,
    /// 0: by none yet.
    name: AtomicU64,
}

impl Cancel {
    pub(crate) fn new() -> Cancel {
        Cancel {
            marked: AtomicBool::new(false),
            name: AtomicU64::new(0),
        }
    }

    /// C1.
    pub(crate) fn mark(&self) {
        // Relaxed: the fence orders it before the look of C2.
        self.marked.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// C2.
    pub(crate) fn name(&self) -> Option<u64> {
        let name = self.name.load(Ordering::Relaxed);
        (name != 0).then_some(name)
    }

    /// G1, its first half.
    pub(crate) fn note_name(&self, name: u64) {
        self.name.store(name, Ordering::Relaxed);
        if !cfg!(feature = "bug_transfer_fence") {
            fence(Ordering::SeqCst);
        }
    }

    /// G2, and whoever else has to know.
    pub(crate) fn is_marked(&self) -> bool {
        self.marked.load(Ordering::Relaxed)
    }
}
