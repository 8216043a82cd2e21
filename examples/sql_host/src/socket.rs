//! Sockets as connections: the scheduler's for tasks, std's for threads.
#![forbid(unsafe_code)]

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::time::Duration;

use bytes::BytesMut;
use fiberhost::scheduler::net;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::registry::HangUp;
use crate::session::{Receive, Transport};

/// How much is read at once.
const CHUNK: usize = 4096;
/// How long a session that is told to go waits for its client to take its last words.
const SOON: Duration = Duration::from_secs(1);

/// What streams have in common beside reading and writing.
pub trait Stream: AsFd + Send + Sync + 'static {
    /// As [`std::net::TcpStream::shutdown`].
    ///
    /// # Errors
    /// As in std.
    fn shutdown(&self, how: Shutdown) -> io::Result<()>;

    /// As [`std::net::TcpStream::set_write_timeout`].
    ///
    /// # Errors
    /// As in std.
    fn limit_writes(&self, limit: Duration) -> io::Result<()>;
}

macro_rules! stream {
    ($($stream:ty),*) => {
        $(impl Stream for $stream {
            fn shutdown(&self, how: Shutdown) -> io::Result<()> {
                <$stream>::shutdown(self, how)
            }

            fn limit_writes(&self, limit: Duration) -> io::Result<()> {
                self.set_write_timeout(Some(limit))
            }
        })*
    };
}

stream!(net::TcpStream, net::UnixStream, std::net::TcpStream);

/// A client's connection.
#[derive(Debug)]
pub struct Socket<S>(pub S);

impl<S: Stream> Transport for Socket<S>
where
    for<'a> &'a S: Write,
{
    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.0).write_all(bytes)
    }

    fn hang_up(&self, what: HangUp) {
        // It may be closed already, and then there is nothing to end.
        let _ = match what {
            HangUp::Soon => self.0.limit_writes(SOON),
            HangUp::Arriving => self.0.shutdown(Shutdown::Read),
            HangUp::Both => self.0.shutdown(Shutdown::Both),
        };
    }

    /// Also one that will say nothing more: PostgreSQL's clients never close half of a connection.
    fn is_gone(&self) -> bool {
        let mut asked = [PollFd::new(&self.0, PollFlags::RDHUP)];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // If the kernel does not say, it is still there.
        matches!(poll(&mut asked, Some(&now)), Ok(1))
    }
}

impl<S: Stream> Receive for Socket<S>
where
    for<'a> &'a S: Read + Write,
{
    fn receive(&self, arrived: &mut BytesMut) -> io::Result<usize> {
        let before = arrived.len();
        arrived.resize(before + CHUNK, 0);
        let read = (&self.0).read(&mut arrived[before..]);
        arrived.truncate(before + *read.as_ref().unwrap_or(&0));
        read
    }
}
