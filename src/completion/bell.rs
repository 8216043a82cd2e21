//! The bell of the ring's collector: the kernel rings it for what is over, while the collector listens, and anybody by hand.
//!
//! It is a set of two descriptors (`epoll`): a counter, for those who ring by hand, and the ring itself, while the collector
//! means to sleep. One that looks at the ring by itself ignores the ring, so that the kernel does not ring in vain. To change
//! one's mind is a call of the kernel.
//!
//! # Why nothing that is over is missed
//!
//! | it is over | and |
//! |---|---|
//! | before the ring is put into the set | the kernel looks at what it puts in, finds it ready, and the next wait ends at once |
//! | meanwhile | it first enters who is to be told and then looks, so one of the two finds it |
//! | later | it is told |
//!
//! Both are in the set for changes, so nothing has to be read to make it quiet again, and what was taken out of the ring
//! before somebody heard of it rings no more.
#![cfg_attr(not(test), forbid(unsafe_code))]

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fiberhost_scheduler::io::Ready;

use super::kernel;
use crate::com::Direction;

pub(super) struct Bell {
    set: Ready<OwnedFd>,
    counter: OwnedFd,
    /// It is open as long as this is used.
    ring: RawFd,
    /// Whether the ring is in the set. For who collects, one at a time.
    listens: AtomicBool,
}

impl Bell {
    /// # Errors
    /// The system has no more descriptors.
    pub(super) fn new(ring: RawFd) -> io::Result<Bell> {
        let counter = kernel::bell()?;
        let set = kernel::set()?;
        kernel::change(set.as_fd(), counter.as_raw_fd(), true)?;
        Ok(Bell {
            set: Ready::new(set)?,
            counter,
            ring,
            listens: AtomicBool::new(false),
        })
    }

    /// By hand: who waits, or the next one that does, wakes.
    pub(super) fn ring(&self) {
        kernel::ring(self.counter.as_fd());
    }

    /// From now on what is over rings, what was over before too. `false`: the kernel has no memory for that. By who collects.
    #[must_use]
    pub(super) fn listen(&self) -> bool {
        self.change(true)
    }

    /// From now on it does not ring for what is over. By who collects.
    pub(super) fn ignore(&self) {
        // If it could not be taken out it rings in vain.
        self.change(false);
    }

    fn change(&self, listens: bool) -> bool {
        // Relaxed: one at a time collects.
        if self.listens.load(Ordering::Relaxed) == listens {
            return true;
        }
        let changed = kernel::change(self.set.as_fd(), self.ring, listens).is_ok();
        if changed {
            self.listens.store(listens, Ordering::Relaxed);
        }
        changed
    }

    /// Waits until it has rung, as a task; at most so long.
    ///
    /// # Errors
    /// How the wait ended otherwise.
    pub(super) fn wait(&self, limit: Option<Duration>) -> io::Result<()> {
        let hear = |set: &OwnedFd| kernel::hear_set(set.as_fd());
        match limit {
            Some(limit) => self.set.read_with_for(limit, hear),
            None => self.set.read_with(hear),
        }
    }

    /// The same for a thread whose scheduler has ended.
    pub(super) fn wait_here(&self, limit: Duration) {
        let set = self.set.as_fd();
        if kernel::wait_for(&[(set.as_raw_fd(), Direction::Read)], Some(limit))[0] {
            // It is rung again for what comes later.
            let _ = kernel::hear_set(set);
        }
    }
}

#[cfg(test)]
#[allow(unsafe_code, reason = "the ring's own call")]
mod tests {
    use super::*;
    use io_uring::{IoUring, opcode};

    /// Something is over.
    fn finish_one(ring: &mut IoUring) {
        // SAFETY: it leads to no memory.
        unsafe { ring.submission().push(&opcode::Nop::new().build()) }.expect("there is room");
        ring.submit().expect("it is taken");
    }

    fn has_rung(bell: &Bell) -> bool {
        kernel::hear_set(bell.set.as_fd()).is_ok()
    }

    #[test]
    fn it_rings_for_what_is_over_while_somebody_listens() {
        let Ok(mut ring) = IoUring::new(8) else {
            println!("skipped: the kernel has no ring");
            return;
        };
        let bell = Bell::new(ring.as_raw_fd()).expect("descriptors");
        finish_one(&mut ring);
        assert!(!has_rung(&bell), "nobody listens");
        // What was over before, and later.
        assert!(bell.listen());
        assert!(has_rung(&bell));
        assert!(!has_rung(&bell), "once");
        finish_one(&mut ring);
        assert!(has_rung(&bell));
        // What was taken already is no news.
        finish_one(&mut ring);
        assert_eq!(ring.completion().count(), 3);
        assert!(!has_rung(&bell));
        bell.ignore();
        finish_one(&mut ring);
        assert!(!has_rung(&bell));
        bell.ring();
        bell.ring();
        assert!(has_rung(&bell));
        assert!(!has_rung(&bell));
    }
}
