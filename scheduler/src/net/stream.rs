//! What TCP and Unix sockets have in common: the public face of a [`Source`](crate::io::source::Source) that is shared by
//! its clones.
#![forbid(unsafe_code)]

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use crate::io::kernel::set_nonblocking;
use crate::io::source::Source;
use std::os::fd::AsFd;

/// The descriptor as std would have it: blocking, unless clones are left that need it as it is.
pub(super) fn into_blocking<F>(source: Arc<Source<F>>) -> io::Result<OwnedFd>
where
    F: AsFd + Into<OwnedFd>,
{
    match Arc::try_unwrap(source) {
        Ok(alone) => {
            let fd = alone.into_inner().into();
            set_nonblocking(fd.as_fd(), false)?;
            Ok(fd)
        }
        Err(shared) => shared.as_fd().try_clone_to_owned(),
    }
}

/// What listeners and streams have: clones, descriptors, conversions.
macro_rules! socket {
    ($name:ident, $inner:ty, $std:ty) => {
        impl $name {
            /// Another handle on the same socket, with the same time limits. It costs no descriptor.
            ///
            /// # Errors
            /// None; the answer is as in std.
            pub fn try_clone(&self) -> io::Result<$name> {
                Ok($name {
                    source: Arc::clone(&self.source),
                })
            }

            /// Takes over a socket of std's, and puts it into non-blocking mode.
            ///
            /// # Errors
            /// What the system says when it refuses that.
            pub fn from_std(socket: $std) -> io::Result<$name> {
                socket.set_nonblocking(true)?;
                Ok($name::new(OwnedFd::from(socket).into()))
            }

            /// The socket as one of std's, in blocking mode.
            ///
            /// If clones are left it is a duplicate that shares their non-blocking mode.
            ///
            /// # Errors
            /// What the system says when it refuses a descriptor.
            pub fn into_std(self) -> io::Result<$std> {
                into_blocking(self.source).map(<$std>::from)
            }

            /// Takes the error that the socket has had since the last look.
            ///
            /// # Errors
            /// As in std.
            pub fn take_error(&self) -> io::Result<Option<io::Error>> {
                self.source.get().take_error()
            }

            fn new(inner: $inner) -> $name {
                $name {
                    source: Arc::new(Source::new(inner)),
                }
            }
        }

        impl AsFd for $name {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.source.as_fd()
            }
        }

        impl AsRawFd for $name {
            fn as_raw_fd(&self) -> RawFd {
                self.source.as_fd().as_raw_fd()
            }
        }

        impl TryFrom<OwnedFd> for $name {
            type Error = io::Error;
            /// As `from_std`: what kind of descriptor it is the caller knows.
            fn try_from(fd: OwnedFd) -> io::Result<$name> {
                $name::from_std(fd.into())
            }
        }

        impl TryFrom<$std> for $name {
            type Error = io::Error;
            fn try_from(socket: $std) -> io::Result<$name> {
                $name::from_std(socket)
            }
        }

        impl TryFrom<$name> for OwnedFd {
            type Error = io::Error;
            /// As `into_std`.
            fn try_from(socket: $name) -> io::Result<OwnedFd> {
                into_blocking(socket.source)
            }
        }

        impl TryFrom<$name> for $std {
            type Error = io::Error;
            fn try_from(socket: $name) -> io::Result<$std> {
                socket.into_std()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.source.fmt(f)
            }
        }
    };
}

/// What streams have besides: reading and writing. `$drained` says, from the count and the room, whether the next read
/// would block.
macro_rules! stream {
    ($name:ident, $drained:path) => {
        impl $name {
            /// Ends one direction of the connection, or both.
            ///
            /// # Errors
            /// As in std.
            pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
                self.source.get().shutdown(how)
            }

            /// The time limit of each read; none if there is none.
            ///
            /// # Errors
            /// None; the answer is as in std.
            pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
                Ok(self.source.limit(Side::Read))
            }

            /// The time limit of each write; none if there is none.
            ///
            /// # Errors
            /// None; the answer is as in std.
            pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
                Ok(self.source.limit(Side::Write))
            }

            /// Sets the time limit of each read, for all clones. A read that it ends answers `TimedOut`.
            ///
            /// # Errors
            /// `InvalidInput` for a limit of 0.
            pub fn set_read_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
                self.source.set_limit(Side::Read, limit)
            }

            /// Sets the time limit of each write, for all clones. A write that it ends answers `TimedOut`.
            ///
            /// # Errors
            /// `InvalidInput` for a limit of 0.
            pub fn set_write_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
                self.source.set_limit(Side::Write, limit)
            }

            /// Reads, for a future: where [`Read::read`] would wait it leaves the waker instead.
            ///
            /// One waker for each direction: the last one counts. The first wait must be in a task, whose scheduler then
            /// watches the socket. Time limits are the future's own.
            #[cfg(feature = "futures")]
            pub fn poll_read(
                &self,
                context: &mut Context<'_>,
                buffer: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                let room = buffer.len();
                self.source.poll_call(
                    context,
                    Side::Read,
                    |mut socket| socket.read(buffer),
                    |&count| $drained(count, room),
                )
            }

            /// Writes, for a future: where [`Write::write`] would wait it leaves the waker instead. See
            #[doc = concat!("[`poll_read`](", stringify!($name), "::poll_read).")]
            #[cfg(feature = "futures")]
            pub fn poll_write(
                &self,
                context: &mut Context<'_>,
                buffer: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.source.poll_call(
                    context,
                    Side::Write,
                    |mut socket| socket.write(buffer),
                    |_| Drained::Unknown,
                )
            }
        }

        impl Read for &$name {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let room = buffer.len();
                self.source.call(
                    Side::Read,
                    |mut socket| socket.read(buffer),
                    |&count| $drained(count, room),
                )
            }

            fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                let room = buffers.iter().map(|buffer| buffer.len()).sum();
                self.source.call(
                    Side::Read,
                    |mut socket| socket.read_vectored(buffers),
                    |&count| $drained(count, room),
                )
            }
        }

        impl Write for &$name {
            fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
                self.source.call(
                    Side::Write,
                    |mut socket| socket.write(buffer),
                    |_| Drained::Unknown,
                )
            }

            fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
                self.source.call(
                    Side::Write,
                    |mut socket| socket.write_vectored(buffers),
                    |_| Drained::Unknown,
                )
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        impl Read for $name {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                (&*self).read(buffer)
            }

            fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                (&*self).read_vectored(buffers)
            }
        }

        impl Write for $name {
            fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
                (&*self).write(buffer)
            }

            fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
                (&*self).write_vectored(buffers)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
    };
}

pub(super) use {socket, stream};
