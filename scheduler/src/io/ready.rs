//! The public door for descriptors that are no sockets.
#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use super::readiness::Side;
use super::source::{Drained, Source, block_thread};
use super::{Limit, kernel};
use crate::current;

/// A descriptor that tasks wait for, watched as long as this value lives.
///
/// The descriptor is to be in non-blocking mode: a call that would block must say so. [`new`](Ready::new) sets that.
/// Several tasks may wait at once, for reading and for writing.
pub struct Ready<F: AsFd> {
    source: Source<F>,
}

impl<F: AsFd> Ready<F> {
    /// Takes the descriptor, and puts it into non-blocking mode: for all who share its open file.
    ///
    /// # Errors
    /// What the system says when it refuses that.
    pub fn new(fd: F) -> io::Result<Ready<F>> {
        kernel::set_nonblocking(fd.as_fd(), true)?;
        Ok(Ready {
            source: Source::new(fd),
        })
    }

    /// The descriptor.
    pub fn get_ref(&self) -> &F {
        self.source.get()
    }

    /// Gives the descriptor back, still in non-blocking mode.
    pub fn into_inner(self) -> F {
        self.source.into_inner()
    }

    /// Calls `call`, which reads, until it does not answer `WouldBlock`; in between the task parks until there is something
    /// to read.
    ///
    /// # Errors
    /// What `call` answers, and how the wait ended if it did so early: see [`Interrupted`](super::Interrupted).
    pub fn read_with<R>(&self, call: impl FnMut(&F) -> io::Result<R>) -> io::Result<R> {
        self.source
            .call_within(Side::Read, Limit::Never, call, |_| Drained::Unknown)
    }

    /// The same for a call that writes.
    ///
    /// # Errors
    /// As for [`read_with`](Ready::read_with).
    pub fn write_with<R>(&self, call: impl FnMut(&F) -> io::Result<R>) -> io::Result<R> {
        self.source
            .call_within(Side::Write, Limit::Never, call, |_| Drained::Unknown)
    }

    /// As [`read_with`](Ready::read_with), with a time limit on the whole.
    ///
    /// # Errors
    /// As there, and `TimedOut`.
    pub fn read_with_for<R>(
        &self,
        limit: Duration,
        call: impl FnMut(&F) -> io::Result<R>,
    ) -> io::Result<R> {
        self.source
            .call_within(Side::Read, Limit::After(limit), call, |_| Drained::Unknown)
    }

    /// As [`write_with`](Ready::write_with), with a time limit on the whole.
    ///
    /// # Errors
    /// As there, and `TimedOut`.
    pub fn write_with_for<R>(
        &self,
        limit: Duration,
        call: impl FnMut(&F) -> io::Result<R>,
    ) -> io::Result<R> {
        self.source
            .call_within(Side::Write, Limit::After(limit), call, |_| Drained::Unknown)
    }
}

impl<F: AsFd> AsFd for Ready<F> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }
}

impl<F: AsFd + fmt::Debug> fmt::Debug for Ready<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ready").field(&self.source).finish()
    }
}

/// Waits until there is something to read from the descriptor, or its end; with a time limit, if one is given.
///
/// It need not be in non-blocking mode. Each call costs a registration: for one that is waited for often there is [`Ready`].
/// What the kernel cannot watch (a regular file) is always ready.
///
/// # Errors
/// How the wait ended if it did so early ([`Interrupted`](super::Interrupted)), and what the system says when it refuses.
pub fn wait_readable(fd: &impl AsFd, limit: Option<Duration>) -> io::Result<()> {
    wait_once(fd.as_fd(), Side::Read, limit)
}

/// The same for room to write.
///
/// # Errors
/// As for [`wait_readable`].
pub fn wait_writable(fd: &impl AsFd, limit: Option<Duration>) -> io::Result<()> {
    wait_once(fd.as_fd(), Side::Write, limit)
}

fn wait_once(fd: BorrowedFd<'_>, side: Side, limit: Option<Duration>) -> io::Result<()> {
    let limit = Limit::from(limit);
    if current::running().is_none() || std::thread::panicking() {
        return block_thread(fd, side, limit);
    }
    // A look is cheaper than a registration. What the kernel cannot watch is ready, too.
    if kernel::wait_for(&fd, side, Some(Duration::ZERO))? {
        return Ok(());
    }
    match Source::new(fd).wait_for_change(side, limit) {
        // It is registered already, for somebody else: under another number it can be once more.
        Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {
            Source::new(fd.try_clone_to_owned()?).wait_for_change(side, limit)
        }
        ended => ended,
    }
}
