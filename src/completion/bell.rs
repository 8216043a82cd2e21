//! The bell of the ring's collector: the kernel rings it for what is over, while the collector listens, and anybody by hand.
//!
//! It is a set of two descriptors (`epoll`): a counter, for those who ring by hand, and the ring itself, while the collector
//! means to sleep. One that looks at the ring by itself ignores the ring, so that the kernel does not ring in vain: that
//! would cost a twentieth of a transfer. To change one's mind is a call of the kernel.
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
//!
//! Room for unsafe code: the calls for such a set.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
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
        // SAFETY: the call takes no memory.
        let set = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if set < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a new descriptor that nobody else has.
        let set = unsafe { OwnedFd::from_raw_fd(set) };
        change(set.as_fd(), libc::EPOLL_CTL_ADD, counter.as_raw_fd())?;
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
        let how = match listens {
            true => libc::EPOLL_CTL_ADD,
            false => libc::EPOLL_CTL_DEL,
        };
        let changed = change(self.set.as_fd(), how, self.ring).is_ok();
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
        let hear = |set: &OwnedFd| hear(set.as_fd());
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
            let _ = hear(set);
        }
    }
}

fn change(set: BorrowedFd<'_>, how: libc::c_int, fd: RawFd) -> io::Result<()> {
    let mut event = libc::epoll_event {
        events: (libc::EPOLLIN | libc::EPOLLET).cast_unsigned(),
        u64: 0,
    };
    // SAFETY: the event is ours; wrong descriptors are errors.
    match unsafe { libc::epoll_ctl(set.as_raw_fd(), how, fd, &raw mut event) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Takes what has rung up to now.
fn hear(set: BorrowedFd<'_>) -> io::Result<()> {
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; 2];
    // SAFETY: there is room for two events; it does not wait.
    match unsafe { libc::epoll_wait(set.as_raw_fd(), events.as_mut_ptr(), 2, 0) } {
        0 => Err(io::ErrorKind::WouldBlock.into()),
        count if count > 0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
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
        hear(bell.set.as_fd()).is_ok()
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
