//! How many locks of ours a thread holds, for the checker of the invariants.
//!
//! Only a model counts. In a build a guard costs nothing more for it, and the number is always 0.
#![forbid(unsafe_code)]

/// A part of every guard.
#[must_use = "it counts as long as it is there"]
#[derive(Debug)]
pub(crate) struct Held(());

#[cfg(any(loom, shuttle))]
mod imp {
    use std::cell::Cell;

    use super::Held;
    use crate::primitive::thread_local;

    thread_local! {
        static COUNT: Cell<usize> = Cell::new(0);
    }

    /// While a thread ends it switches to nobody, and is not counted.
    fn change(by: isize) {
        let _ = COUNT.try_with(|count| {
            let changed = count.get().checked_add_signed(by);
            count.set(changed.expect("a guard goes where it came"));
        });
    }

    impl Held {
        /// The calling thread has taken a lock.
        pub(crate) fn new() -> Held {
            change(1);
            Held(())
        }
    }

    impl Drop for Held {
        fn drop(&mut self) {
            change(-1);
        }
    }

    /// How many the calling thread holds.
    pub(crate) fn count() -> usize {
        COUNT.try_with(Cell::get).unwrap_or(0)
    }
}

#[cfg(not(any(loom, shuttle)))]
mod imp {
    use super::Held;

    impl Held {
        #[inline(always)]
        pub(crate) const fn new() -> Held {
            Held(())
        }
    }

    pub(crate) fn count() -> usize {
        0
    }
}

pub(crate) use imp::count;
