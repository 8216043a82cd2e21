//! Unix sockets: listener and stream.
#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;
use std::sync::Arc;
#[cfg(feature = "futures")]
use std::task::{Context, Poll};
use std::time::Duration;

use super::stream::{into_blocking, socket, stream};
use crate::io::readiness::Side;
use crate::io::source::{Drained, Source};
use crate::io::{Interrupted, Limit};
use crate::wait::Wake;
use crate::{current, park};

/// How long a connect waits before it tries again at a full listener.
const FULL: Duration = Duration::from_millis(1);

/// A Unix socket that waits for connections: [`std::os::unix::net::UnixListener`] for tasks.
pub struct UnixListener {
    source: Arc<Source<mio::net::UnixListener>>,
}

socket!(UnixListener, mio::net::UnixListener, net::UnixListener);

impl UnixListener {
    /// Listens at this path, which must not be there.
    ///
    /// # Errors
    /// As in std.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<UnixListener> {
        UnixListener::from_std(net::UnixListener::bind(path)?)
    }

    /// Listens at this address.
    ///
    /// # Errors
    /// As in std.
    pub fn bind_addr(address: &SocketAddr) -> io::Result<UnixListener> {
        UnixListener::from_std(net::UnixListener::bind_addr(address)?)
    }

    /// Waits for a connection and takes it.
    ///
    /// # Errors
    /// As in std, and how the wait ended if it did so early: see [`io`](crate::io).
    pub fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        self.accept_within(Limit::Never)
    }

    /// The same with a time limit.
    ///
    /// # Errors
    /// As for [`accept`](UnixListener::accept), and `TimedOut`.
    pub fn accept_for(&self, limit: Duration) -> io::Result<(UnixStream, SocketAddr)> {
        self.accept_within(Limit::After(limit))
    }

    fn accept_within(&self, limit: Limit) -> io::Result<(UnixStream, SocketAddr)> {
        let accept = |listener: &mio::net::UnixListener| listener.accept();
        let (stream, address) = self
            .source
            .call_within(Side::Read, limit, accept, |_| Drained::Unknown)?;
        Ok((UnixStream::new(OwnedFd::from(stream).into()), address))
    }

    /// The connections that come, one after the other, without an end.
    pub fn incoming(&self) -> UnixIncoming<'_> {
        UnixIncoming { listener: self }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// As in std.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.source.get().local_addr()
    }
}

/// See [`UnixListener::incoming`].
#[derive(Debug)]
pub struct UnixIncoming<'a> {
    listener: &'a UnixListener,
}

impl Iterator for UnixIncoming<'_> {
    type Item = io::Result<UnixStream>;
    fn next(&mut self) -> Option<io::Result<UnixStream>> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }
}

/// A Unix connection: [`std::os::unix::net::UnixStream`] for tasks.
pub struct UnixStream {
    source: Arc<Source<net::UnixStream>>,
}

socket!(UnixStream, net::UnixStream, net::UnixStream);
stream!(UnixStream, drained);

/// A read stops where a message with descriptors or credentials begins, so a short one says nothing.
fn drained(_: usize, _: usize) -> Drained {
    Drained::Unknown
}

impl UnixStream {
    /// Connects to the listener at this path. A task waits for room at a full listener by trying again every millisecond:
    /// the kernel does not tell.
    ///
    /// # Errors
    /// As in std, and how the wait ended if it did so early: see [`io`](crate::io).
    pub fn connect(path: impl AsRef<Path>) -> io::Result<UnixStream> {
        UnixStream::connect_addr(&SocketAddr::from_pathname(path)?)
    }

    /// The same with an address.
    ///
    /// # Errors
    /// As for [`connect`](UnixStream::connect).
    pub fn connect_addr(address: &SocketAddr) -> io::Result<UnixStream> {
        if current::running().is_none() || std::thread::panicking() {
            return UnixStream::from_std(net::UnixStream::connect_addr(address)?);
        }
        loop {
            match mio::net::UnixStream::connect_addr(address) {
                Ok(stream) => return Ok(UnixStream::new(OwnedFd::from(stream).into())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            match park::sleep(FULL) {
                Wake::TimedOut => {}
                wake => return Err(Interrupted::error(wake)),
            }
        }
    }

    /// Two sockets that are connected to each other.
    ///
    /// # Errors
    /// As in std.
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (one, other) = net::UnixStream::pair()?;
        Ok((UnixStream::from_std(one)?, UnixStream::from_std(other)?))
    }

    /// The address of the other side.
    ///
    /// # Errors
    /// As in std.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.source.get().peer_addr()
    }

    /// The address of this side.
    ///
    /// # Errors
    /// As in std.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.source.get().local_addr()
    }
}
