//! The kernel's part of waiting for descriptors: mio's poller, a bell to wake who sleeps in it, and `poll` for threads.
//!
//! A descriptor is registered once, for both sides, edge-triggered: while it is in use no system call is needed but those
//! that move data.
//!
//! mio waits in milliseconds, rounded up, and timers are to be more exact: a wait with a time limit is a `ppoll` on the
//! poller's own descriptor, and then a look.
//!
//! Room for unsafe code: `eventfd`, `ppoll` and `ioctl`.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Registry, Token};

use super::readiness::{Ready, Side};
use crate::primitive::sleeper::Place;
use crate::primitive::{Instant, Mutex, clock};

const FEW: usize = 24;
const MANY: usize = 256;
const BELL: Token = Token(usize::MAX);

/// How long to wait for an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wait {
    Not,
    Until(Option<Instant>),
}

/// How many answers are taken at once; the others stay with the kernel, in the order in which they came.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Take {
    Few,
    Many,
}

pub(crate) struct Kernel {
    registry: Registry,
    place: Place,
    /// Where `place` rings. Open as long as this.
    _bell: OwnedFd,
    /// For whoever has the poller's role: never contended.
    asking: Mutex<Asking>,
}

struct Asking {
    poll: Poll,
    few: Events,
    many: Events,
}

impl Kernel {
    pub(crate) fn new() -> io::Result<Kernel> {
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        // SAFETY: the call takes no memory.
        let bell = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if bell < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a new descriptor that nobody else has.
        let bell = unsafe { OwnedFd::from_raw_fd(bell) };
        // Edge-triggered: each write is a change, and the counter is never read.
        registry.register(&mut SourceFd(&bell.as_raw_fd()), BELL, Interest::READABLE)?;
        Ok(Kernel {
            registry,
            place: Place::new(bell.as_fd()),
            _bell: bell,
            asking: Mutex::new(Asking {
                poll,
                few: Events::with_capacity(FEW),
                many: Events::with_capacity(MANY),
            }),
        })
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    pub(crate) fn register(&self, fd: BorrowedFd<'_>, token: usize) -> io::Result<()> {
        let interest = Interest::READABLE
            .add(Interest::WRITABLE)
            .add(Interest::PRIORITY);
        self.registry
            .register(&mut SourceFd(&fd.as_raw_fd()), Token(token), interest)
    }

    pub(crate) fn deregister(&self, fd: BorrowedFd<'_>) {
        // The only error is that it is not there, and then that is as it should be.
        let _ = self.registry.deregister(&mut SourceFd(&fd.as_raw_fd()));
    }

    /// Only for whoever has the poller's role.
    pub(crate) fn ask(
        &self,
        wait: Wait,
        take: Take,
        answer: impl FnOnce(&mut dyn Iterator<Item = (usize, Ready)>),
    ) {
        let mut asking = self.asking.lock();
        let Asking { poll, few, many } = &mut *asking;
        let answers = match take {
            Take::Few => few,
            Take::Many => many,
        };
        let limit = match wait {
            Wait::Until(None) => None,
            Wait::Not => Some(Duration::ZERO),
            Wait::Until(Some(at)) => {
                let left = at.saturating_duration_since(clock::now());
                // An error is an interruption: the caller asks again.
                let _ = wait_for(poll, Side::Read, Some(left));
                Some(Duration::ZERO)
            }
        };
        match poll.poll(answers, limit) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return,
            Err(error) => panic!("the poller is refused: {error}"),
        }
        let mut told = answers
            .iter()
            .filter(|event| event.token() != BELL)
            .map(|event| (event.token().0, ready(event)));
        if let Some(first) = told.next() {
            answer(&mut std::iter::once(first).chain(told));
        }
    }
}

fn ready(event: &Event) -> Ready {
    let over = event.is_error() || event.is_read_closed();
    Ready {
        read: event.is_readable() || over,
        write: event.is_writable() || event.is_write_closed() || event.is_error(),
        marked: over || event.is_priority(),
    }
}

/// Blocks the calling thread until the descriptor is ready on that side. `false`: the limit passed.
pub(crate) fn wait_for(fd: &impl AsRawFd, side: Side, limit: Option<Duration>) -> io::Result<bool> {
    let mut entry = libc::pollfd {
        fd: fd.as_raw_fd(),
        events: match side {
            Side::Read => libc::POLLIN,
            Side::Write => libc::POLLOUT,
        },
        revents: 0,
    };
    let limit = limit.map(|limit| libc::timespec {
        tv_sec: limit.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: limit.subsec_nanos().into(),
    });
    let limit = limit.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: the entry and the limit live until the call returns; no signal mask is given.
    match unsafe { libc::ppoll(&raw mut entry, 1, limit, std::ptr::null()) } {
        ready if ready >= 0 => Ok(ready > 0),
        _ => Err(io::Error::last_os_error()),
    }
}

/// For all who share the open file.
pub(crate) fn set_nonblocking(fd: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    let mut on = libc::c_int::from(on);
    // SAFETY: the call reads the number, which is ours.
    match unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONBIO, &raw mut on) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{PipeReader, PipeWriter, Write, pipe};

    use super::*;

    fn answers(kernel: &Kernel, take: Take) -> Vec<usize> {
        let mut tokens = Vec::new();
        kernel.ask(Wait::Not, take, |all| {
            tokens.extend(all.filter(|(_, ready)| ready.read).map(|(token, _)| token));
        });
        tokens
    }

    /// What is not taken is not lost, though each change is told once, and comes before what is newer.
    #[test]
    fn what_is_left_comes_first_the_next_time() {
        let kernel = Kernel::new().unwrap();
        let mut pipes: Vec<(PipeReader, PipeWriter)> =
            (0..FEW + 3).map(|_| pipe().unwrap()).collect();
        for (token, (reader, _)) in pipes.iter().enumerate() {
            kernel.register(reader.as_fd(), token).unwrap();
        }
        let order: Vec<usize> = (0..FEW + 3).rev().collect();
        for &token in &order[..FEW + 2] {
            pipes[token].1.write_all(b"x").unwrap();
        }
        assert_eq!(answers(&kernel, Take::Few), order[..FEW]);
        pipes[order[FEW + 2]].1.write_all(b"x").unwrap();
        assert_eq!(answers(&kernel, Take::Few), order[FEW..]);
        assert_eq!(answers(&kernel, Take::Few), []);
        for &token in &order {
            pipes[token].1.write_all(b"x").unwrap();
        }
        assert_eq!(answers(&kernel, Take::Many), order);
    }
}
