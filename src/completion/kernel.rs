//! The kernel's part of a transfer: what a descriptor is, and one attempt that does not wait.
//!
//! Room for unsafe code: the calls that move data, by the promise of whoever made the [`Transfer`]; and questions about
//! descriptors, and new ones that can be waited for.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use crate::com::{Direction, Transfer};

/// What a descriptor leads to, as far as that makes a difference here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It has places, and is always ready: a file, a disk.
    File,
    Pipe,
    Socket,
    /// A terminal and the like.
    Device,
}

impl Kind {
    /// Whether what is moved has an order and no place.
    pub(super) fn is_stream(self) -> bool {
        self != Kind::File
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// With a count, or an error below 0.
    Done(i32),
    /// It would have to wait. Nothing was moved.
    WouldBlock,
}

/// What a descriptor is, if it can be read or written, and which file it is.
///
/// # Errors
/// It is closed, or of another kind.
pub(super) fn look(fd: RawFd) -> io::Result<(Kind, (u64, u64))> {
    // SAFETY: all zeros are a value of it.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: the place is ours; a wrong number is an error.
    if unsafe { libc::fstat(fd, &raw mut stat) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it takes no memory.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    if flags < 0 {
        return Err(io::Error::last_os_error());
    }
    let kind = match stat.st_mode & libc::S_IFMT {
        _ if flags & libc::O_PATH != 0 => None,
        libc::S_IFREG | libc::S_IFBLK => Some(Kind::File),
        libc::S_IFIFO => Some(Kind::Pipe),
        libc::S_IFSOCK if !is_listening(fd) => Some(Kind::Socket),
        libc::S_IFCHR => Some(Kind::Device),
        _ => None,
    };
    let kind = kind.ok_or(io::ErrorKind::InvalidInput)?;
    Ok((kind, (stat.st_dev, stat.st_ino)))
}

fn is_listening(fd: RawFd) -> bool {
    let (mut listening, mut size) = (0_i32, size_of::<i32>() as libc::socklen_t);
    // SAFETY: both places are ours, and as large as is said.
    let asked = unsafe {
        libc::getsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_ACCEPTCONN,
            (&raw mut listening).cast(),
            &raw mut size,
        )
    };
    asked == 0 && listening != 0
}

/// The same open file under another number, which nobody else closes.
pub(super) fn duplicate(fd: RawFd) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: it takes no memory; a wrong number is an error.
    new(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3) })
}

/// A counter that can be waited for, and that is never waited for in a read.
pub(super) fn bell() -> io::Result<OwnedFd> {
    // SAFETY: the call takes no memory.
    new(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })
}

/// What a call that makes a descriptor has answered.
fn new(answer: libc::c_int) -> io::Result<OwnedFd> {
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else has.
    Ok(unsafe { OwnedFd::from_raw_fd(answer) })
}

pub(super) fn ring(bell: BorrowedFd<'_>) {
    let one = 1_u64;
    // SAFETY: eight bytes of ours are read. It cannot fail but by being full, and then it has been rung.
    unsafe { libc::write(bell.as_raw_fd(), (&raw const one).cast(), 8) };
}

/// Takes what was rung up to now.
pub(super) fn hear(bell: BorrowedFd<'_>) -> io::Result<()> {
    let mut count = 0_u64;
    // SAFETY: eight bytes of ours are written.
    match unsafe { libc::read(bell.as_raw_fd(), (&raw mut count).cast(), 8) } {
        8 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A set of descriptors that can be waited for as one.
pub(super) fn set() -> io::Result<OwnedFd> {
    // SAFETY: the call takes no memory.
    new(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })
}

/// Puts a descriptor into such a set, for each time that it becomes readable, or takes it out.
pub(super) fn change(set: BorrowedFd<'_>, fd: RawFd, is_in: bool) -> io::Result<()> {
    let how = match is_in {
        true => libc::EPOLL_CTL_ADD,
        false => libc::EPOLL_CTL_DEL,
    };
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

/// Takes what has rung in such a set of two up to now.
pub(super) fn hear_set(set: BorrowedFd<'_>) -> io::Result<()> {
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; 2];
    // SAFETY: there is room for two events; it does not wait.
    match unsafe { libc::epoll_wait(set.as_raw_fd(), events.as_mut_ptr(), 2, 0) } {
        0 => Err(io::ErrorKind::WouldBlock.into()),
        count if count > 0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Waits until one of these is ready, each for a direction. Says which are.
pub(super) fn wait_for(
    waited: &[(RawFd, Direction)],
    limit: Option<std::time::Duration>,
) -> Vec<bool> {
    let mut entries: Vec<libc::pollfd> = waited
        .iter()
        .map(|&(fd, direction)| libc::pollfd {
            fd,
            events: events(direction),
            revents: 0,
        })
        .collect();
    let limit = limit.map(|limit| libc::timespec {
        tv_sec: libc::time_t::try_from(limit.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: limit.subsec_nanos().into(),
    });
    let limit = limit.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let count = entries.len() as libc::nfds_t;
    // SAFETY: entries and limit live until the call returns; no signal mask is given. An interruption finds none ready.
    unsafe { libc::ppoll(entries.as_mut_ptr(), count, limit, std::ptr::null()) };
    entries.iter().map(|entry| entry.revents != 0).collect()
}

pub(super) fn events(direction: Direction) -> libc::c_short {
    match direction {
        Direction::Read => libc::POLLIN | libc::POLLRDHUP,
        Direction::Write => libc::POLLOUT,
    }
}

/// How long the whole transfer is, in words of the kernel.
fn rest(transfer: &Transfer, done: u32) -> libc::iovec {
    libc::iovec {
        iov_base: transfer.buffer().wrapping_byte_add(done as usize),
        iov_len: (transfer.length() - done) as usize,
    }
}

/// Moves what can be moved without waiting. `done` bytes were moved before.
pub(super) fn attempt(transfer: &Transfer, fd: RawFd, kind: Kind, done: u32) -> Attempt {
    loop {
        let result = match (kind, transfer.direction()) {
            (Kind::File, Direction::Read) => return attempt_file(transfer, fd),
            // What a part of it has done is not to be done again where the file grows by it.
            (Kind::File, Direction::Write) => return Attempt::WouldBlock,
            (Kind::Socket, direction) => move_socket(transfer, fd, direction, done),
            (Kind::Pipe | Kind::Device, Direction::Read) => move_stream(transfer, fd, done),
            (Kind::Pipe | Kind::Device, Direction::Write) => {
                without_sigpipe(|| move_stream(transfer, fd, done))
            }
        };
        match result {
            Ok(count) => return Attempt::Done(i32::try_from(count).unwrap_or(i32::MAX)),
            Err(libc::EINTR) => {}
            Err(libc::EAGAIN) => return Attempt::WouldBlock,
            Err(errno) => return Attempt::Done(-errno),
        }
    }
}

fn answer(count: isize) -> Result<usize, i32> {
    usize::try_from(count).map_err(|_| errno())
}

fn errno() -> i32 {
    io::Error::last_os_error()
        .raw_os_error()
        .unwrap_or(libc::EIO)
}

/// What lies in memory already. Less than was asked for may be all there is, or all that is in memory: then it is not known.
fn attempt_file(transfer: &Transfer, fd: RawFd) -> Attempt {
    let place = rest(transfer, 0);
    let Ok(offset) = libc::off_t::try_from(transfer.offset()) else {
        return Attempt::Done(-libc::EINVAL);
    };
    // SAFETY: whoever made the transfer promised that the buffer is there, and nobody else's until it is over.
    let count = unsafe { libc::preadv2(fd, &raw const place, 1, offset, libc::RWF_NOWAIT) };
    match answer(count) {
        Ok(count) if count == place.iov_len || count == 0 => {
            Attempt::Done(i32::try_from(count).unwrap_or(i32::MAX))
        }
        Ok(_) | Err(libc::EAGAIN | libc::EINTR | libc::EOPNOTSUPP | libc::ENOSYS) => {
            Attempt::WouldBlock
        }
        Err(errno) => Attempt::Done(-errno),
    }
}

fn move_socket(
    transfer: &Transfer,
    fd: RawFd,
    direction: Direction,
    done: u32,
) -> Result<usize, i32> {
    let place = rest(transfer, done);
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: as in `attempt_file`.
    answer(unsafe {
        match direction {
            Direction::Read => libc::recv(fd, place.iov_base, place.iov_len, flags),
            Direction::Write => libc::send(fd, place.iov_base, place.iov_len, flags),
        }
    })
}

fn move_stream(transfer: &Transfer, fd: RawFd, done: u32) -> Result<usize, i32> {
    let (place, direction) = (rest(transfer, done), transfer.direction());
    // SAFETY: as in `attempt_file`.
    let moved = answer(unsafe {
        match direction {
            Direction::Read => libc::preadv2(fd, &raw const place, 1, -1, libc::RWF_NOWAIT),
            Direction::Write => libc::pwritev2(fd, &raw const place, 1, -1, libc::RWF_NOWAIT),
        }
    });
    match moved {
        Err(libc::EOPNOTSUPP | libc::ENOSYS) => {}
        moved => return moved,
    }
    // This kernel cannot say so for this descriptor. What is ready now does not wait, unless somebody else was quicker; and
    // no more is written than there is room for.
    if !wait_for(&[(fd, direction)], Some(std::time::Duration::ZERO))[0] {
        return Err(libc::EAGAIN);
    }
    // SAFETY: as above.
    answer(unsafe {
        match direction {
            Direction::Read => libc::read(fd, place.iov_base, place.iov_len),
            Direction::Write => libc::write(fd, place.iov_base, place.iov_len.min(libc::PIPE_BUF)),
        }
    })
}

/// Writes to a pipe that nobody reads raise a signal, which is not for whoever has submitted the transfer.
fn without_sigpipe(write: impl FnOnce() -> Result<usize, i32>) -> Result<usize, i32> {
    // SAFETY: all zeros are a value of it, and both sets are ours.
    unsafe {
        let (mut pipe, mut before, mut pending): (libc::sigset_t, libc::sigset_t, libc::sigset_t) =
            std::mem::zeroed();
        libc::sigemptyset(&raw mut pipe);
        libc::sigaddset(&raw mut pipe, libc::SIGPIPE);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const pipe, &raw mut before);
        libc::sigpending(&raw mut pending);
        let was_pending = libc::sigismember(&raw const pending, libc::SIGPIPE) == 1;
        let written = write();
        if written == Err(libc::EPIPE) && !was_pending {
            let now = libc::timespec {
                tv_sec: 0,
                tv_nsec: 0,
            };
            libc::sigtimedwait(&raw const pipe, std::ptr::null_mut(), &raw const now);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
        written
    }
}

/// Moves all of a file's part, and waits for it: a helper thread does that.
pub(super) fn carry_out(transfer: &Transfer, fd: RawFd) -> i32 {
    let Ok(offset) = libc::off_t::try_from(transfer.offset()) else {
        return -libc::EINVAL;
    };
    let mut done = 0;
    while done < transfer.length() {
        let place = rest(transfer, done);
        let at = offset.saturating_add(done.into());
        // SAFETY: as in `attempt_file`.
        let moved = answer(unsafe {
            match transfer.direction() {
                Direction::Read => libc::pread(fd, place.iov_base, place.iov_len, at),
                Direction::Write => libc::pwrite(fd, place.iov_base, place.iov_len, at),
            }
        });
        match moved {
            Ok(0) => break,
            // No more than was asked for, which fits.
            Ok(count) => done += count as u32,
            Err(libc::EINTR) => {}
            Err(errno) if done == 0 => return -errno,
            // What was moved is told; the error comes again with the next one.
            Err(_) => break,
        }
    }
    i32::try_from(done).unwrap_or(i32::MAX)
}
