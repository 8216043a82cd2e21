//! TCP: listener and stream.
#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;
#[cfg(feature = "futures")]
use std::task::{Context, Poll};
use std::time::Duration;

use super::stream::{into_blocking, socket, stream};
use crate::io::Limit;
use crate::io::readiness::Side;
use crate::io::source::{Drained, Source};

/// A TCP socket that waits for connections: [`std::net::TcpListener`] for tasks.
pub struct TcpListener {
    source: Arc<Source<mio::net::TcpListener>>,
}

socket!(TcpListener, mio::net::TcpListener, std::net::TcpListener);

impl TcpListener {
    /// Listens at the first of these addresses that is free.
    ///
    /// # Errors
    /// As in std.
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
        TcpListener::from_std(std::net::TcpListener::bind(address)?)
    }

    /// Waits for a connection and takes it.
    ///
    /// # Errors
    /// As in std, and how the wait ended if it did so early: see [`io`](crate::io).
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.accept_within(Limit::Never)
    }

    /// The same with a time limit.
    ///
    /// # Errors
    /// As for [`accept`](TcpListener::accept), and `TimedOut`.
    pub fn accept_for(&self, limit: Duration) -> io::Result<(TcpStream, SocketAddr)> {
        self.accept_within(Limit::After(limit))
    }

    fn accept_within(&self, limit: Limit) -> io::Result<(TcpStream, SocketAddr)> {
        let accept = |listener: &mio::net::TcpListener| listener.accept();
        let (stream, address) = self
            .source
            .call_within(Side::Read, limit, accept, |_| Drained::Unknown)?;
        Ok((TcpStream::new(OwnedFd::from(stream).into()), address))
    }

    /// The connections that come, one after the other, without an end.
    pub fn incoming(&self) -> TcpIncoming<'_> {
        TcpIncoming { listener: self }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// As in std.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.source.get().local_addr()
    }

    /// The time to live of packets.
    ///
    /// # Errors
    /// As in std.
    pub fn ttl(&self) -> io::Result<u32> {
        self.source.get().ttl()
    }

    /// Sets the time to live of packets.
    ///
    /// # Errors
    /// As in std.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.source.get().set_ttl(ttl)
    }
}

/// See [`TcpListener::incoming`].
#[derive(Debug)]
pub struct TcpIncoming<'a> {
    listener: &'a TcpListener,
}

impl Iterator for TcpIncoming<'_> {
    type Item = io::Result<TcpStream>;
    fn next(&mut self) -> Option<io::Result<TcpStream>> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }
}

/// A TCP connection: [`std::net::TcpStream`] for tasks.
pub struct TcpStream {
    source: Arc<Source<std::net::TcpStream>>,
}

socket!(TcpStream, std::net::TcpStream, std::net::TcpStream);
stream!(TcpStream, drained);

/// TCP hands out all that is there. (Where it does not, at urgent data, the readiness says so.)
fn drained(count: usize, room: usize) -> Drained {
    if 0 < count && count < room {
        Drained::Yes
    } else {
        Drained::Unknown
    }
}

impl TcpStream {
    /// Connects to the first of these addresses that answers.
    ///
    /// # Errors
    /// As in std, and how the wait ended if it did so early: see [`io`](crate::io).
    pub fn connect(address: impl ToSocketAddrs) -> io::Result<TcpStream> {
        let mut last = None;
        for address in address.to_socket_addrs()? {
            match TcpStream::connect_within(address, Limit::Never) {
                // One that was told to stop does not try the next one.
                Err(error) if crate::io::Interrupted::of(&error).is_none() => last = Some(error),
                ended => return ended,
            }
        }
        Err(last.unwrap_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "no address to connect to")
        }))
    }

    /// Connects to this address, with a time limit.
    ///
    /// # Errors
    /// As for [`connect`](TcpStream::connect), `TimedOut`, and `InvalidInput` for a limit of 0.
    pub fn connect_timeout(address: &SocketAddr, limit: Duration) -> io::Result<TcpStream> {
        if limit.is_zero() {
            let text = "a time limit of 0";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        TcpStream::connect_within(*address, Limit::After(limit))
    }

    fn connect_within(address: SocketAddr, limit: Limit) -> io::Result<TcpStream> {
        let begun = mio::net::TcpStream::connect(address)?;
        let stream = TcpStream::new(OwnedFd::from(begun).into());
        // Writable means that it is decided.
        stream
            .source
            .call_within(Side::Write, limit, is_connected, |()| Drained::Unknown)?;
        Ok(stream)
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

    /// Waits for something to read, and leaves it there.
    ///
    /// # Errors
    /// As for a read.
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let peek = |stream: &std::net::TcpStream| stream.peek(buffer);
        self.source.call(Side::Read, peek, |_| Drained::Unknown)
    }

    /// Whether small writes are sent at once (TCP_NODELAY).
    ///
    /// # Errors
    /// As in std.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.source.get().nodelay()
    }

    /// Sets whether small writes are sent at once, and not collected (TCP_NODELAY).
    ///
    /// # Errors
    /// As in std.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.source.get().set_nodelay(nodelay)
    }

    /// The time to live of packets.
    ///
    /// # Errors
    /// As in std.
    pub fn ttl(&self) -> io::Result<u32> {
        self.source.get().ttl()
    }

    /// Sets the time to live of packets.
    ///
    /// # Errors
    /// As in std.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.source.get().set_ttl(ttl)
    }
}

/// What came of a connect that was begun; `WouldBlock` if nothing yet.
fn is_connected(stream: &std::net::TcpStream) -> io::Result<()> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => {
            Err(io::ErrorKind::WouldBlock.into())
        }
        Err(error) => Err(error),
    }
}
