//! A descriptor with what is known of it: calls that would block wait for it instead.
#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use super::kernel;
use super::poller::Poller;
use super::readiness::{Readiness, Side};
use super::{Interrupted, Limit};
use crate::current;
use crate::native;
use crate::park;
use crate::primitive::{AtomicU64, AtomicUsize, Mutex, Ordering, clock};
use crate::sync::until::Until;
use crate::wait::{Interrupt, Wake};

/// A descriptor in non-blocking mode that is registered with the poller of each scheduler whose tasks have waited for it.
pub(crate) struct Source<F: AsFd> {
    /// Always there, but while it is taken out.
    fd: Option<F>,
    readiness: Arc<Readiness>,
    places: Mutex<Vec<Registered>>,
    /// The address of one place's poller, or 0: almost always the one that is asked for. The place keeps it.
    first: AtomicUsize,
    limits: [AtomicU64; 2],
}

struct Registered {
    poller: Arc<Poller>,
    token: usize,
}

/// How the end of a call shows that nothing is left to be had.
pub(crate) enum Drained {
    /// It says nothing.
    Unknown,
    /// The next call of this kind would block.
    Yes,
}

impl<F: AsFd> Source<F> {
    /// The descriptor is in non-blocking mode already.
    pub(crate) fn new(fd: F) -> Self {
        Source {
            fd: Some(fd),
            readiness: Arc::new(Readiness::new()),
            places: Mutex::new(Vec::new()),
            first: AtomicUsize::new(0),
            limits: [AtomicU64::new(0), AtomicU64::new(0)],
        }
    }

    #[inline]
    pub(crate) fn get(&self) -> &F {
        self.fd.as_ref().expect("it is there until it is taken out")
    }

    /// The descriptor, which nobody watches any more.
    pub(crate) fn into_inner(mut self) -> F {
        self.deregister();
        self.fd.take().expect("it is taken out once")
    }

    /// The time limit of each call on this side; of all who share the descriptor.
    pub(crate) fn limit(&self, side: Side) -> Option<Duration> {
        // Relaxed: a value of its own.
        match self.limits[side as usize].load(Ordering::Relaxed) {
            0 => None,
            nanos => Some(Duration::from_nanos(nanos)),
        }
    }

    /// # Errors
    /// `InvalidInput` for a limit of 0, as in std.
    pub(crate) fn set_limit(&self, side: Side, limit: Option<Duration>) -> io::Result<()> {
        let nanos = match limit {
            None => 0,
            Some(Duration::ZERO) => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "a time limit of 0",
                ));
            }
            Some(limit) => u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX),
        };
        self.limits[side as usize].store(nanos, Ordering::Relaxed);
        Ok(())
    }

    /// Calls until the call does not say that it would block, and waits in between, with the side's own time limit.
    #[inline]
    pub(crate) fn call<R>(
        &self,
        side: Side,
        call: impl FnMut(&F) -> io::Result<R>,
        drained: impl Fn(&R) -> Drained,
    ) -> io::Result<R> {
        self.call_within(side, Limit::from(self.limit(side)), call, drained)
    }

    /// The same with another limit.
    pub(crate) fn call_within<R>(
        &self,
        side: Side,
        limit: Limit,
        mut call: impl FnMut(&F) -> io::Result<R>,
        drained: impl Fn(&R) -> Drained,
    ) -> io::Result<R> {
        // A descriptor that is always ready must not keep the others from running.
        park::check_quantum();
        let mut until = Until::new(limit);
        loop {
            // R1.
            let seen = self.readiness.look(side);
            if seen.ready {
                // R2.
                match call(self.get()) {
                    Ok(result) => {
                        if let Drained::Yes = drained(&result) {
                            self.readiness.note_drained(side, seen);
                        }
                        return Ok(result);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
            // R3.
            match self.wait(side, seen, until.left()) {
                Ok(()) => {}
                // What nobody has asked the kernel for yet is in time too.
                Err(late) if late.kind() == io::ErrorKind::TimedOut => {
                    return call(self.get()).map_err(|error| match error.kind() {
                        io::ErrorKind::WouldBlock => late,
                        _ => error,
                    });
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits for one change.
    pub(crate) fn wait_for_change(&self, side: Side, limit: Limit) -> io::Result<()> {
        self.wait(side, self.readiness.look(side), limit)
    }

    fn wait(&self, side: Side, seen: super::readiness::Seen, limit: Limit) -> io::Result<()> {
        match current::running() {
            Some((thread, _)) if !std::thread::panicking() => {
                self.register(thread.core().io.poller()?)?;
            }
            _ => return self.block(side, limit),
        }
        let waited = park::wait_listed(
            side.reason(),
            limit,
            Interrupt::Alert,
            |task, arm| self.readiness.publish(side, seen, task, arm),
            |task| self.readiness.take_back(side, task),
        );
        match park::check(waited.wake) {
            Wake::Signalled => Ok(()),
            wake => Err(Interrupted::error(wake)),
        }
    }

    /// A thread that is no task, or must not give itself away, asks the kernel for itself.
    #[cold]
    fn block(&self, side: Side, limit: Limit) -> io::Result<()> {
        native::unseen(|| block_thread(self.as_fd(), side, limit))?;
        // No poller says so.
        self.readiness.note_ready(side);
        Ok(())
    }

    /// Makes sure that this poller watches the descriptor.
    fn register(&self, poller: &Arc<Poller>) -> io::Result<()> {
        // Relaxed: the address of what this very descriptor is registered with means itself.
        if self.first.load(Ordering::Relaxed) == Arc::as_ptr(poller).addr() {
            return Ok(());
        }
        self.register_slow(poller)
    }

    #[cold]
    fn register_slow(&self, poller: &Arc<Poller>) -> io::Result<()> {
        // Held over the system call: two that come at once must not both register.
        let mut places = self.places.lock();
        let is_there = |place: &Registered| Arc::ptr_eq(&place.poller, poller);
        if places.iter().any(is_there) {
            return Ok(());
        }
        // Those of schedulers that are gone: nobody asks them, and they are open only for our sake.
        for gone in places.extract_if(.., |place| place.poller.is_closed()) {
            self.first.store(0, Ordering::Relaxed);
            self.leave(gone);
        }
        let token = poller.add(&self.readiness, |kernel, token| {
            kernel.register(self.as_fd(), token)
        })?;
        if self.first.load(Ordering::Relaxed) == 0 {
            let address = Arc::as_ptr(poller).addr();
            self.first.store(address, Ordering::Relaxed);
        }
        places.push(Registered {
            poller: Arc::clone(poller),
            token,
        });
        Ok(())
    }

    /// Takes the descriptor back from those who watch it.
    fn deregister(&mut self) {
        for place in std::mem::take(&mut *self.places.lock()) {
            self.leave(place);
        }
    }

    fn leave(&self, place: Registered) {
        place.poller.remove(place.token, |kernel| {
            kernel.deregister(self.as_fd());
        });
    }
}

#[cfg(feature = "futures")]
mod polled {
    use std::task::{Context, Poll};

    use super::*;

    impl<F: AsFd> Source<F> {
        /// [`call`](Source::call) for a future: leaves its waker instead of waiting. One waker for each side.
        pub(crate) fn poll_call<R>(
            &self,
            context: &mut Context<'_>,
            side: Side,
            mut call: impl FnMut(&F) -> io::Result<R>,
            drained: impl Fn(&R) -> Drained,
        ) -> Poll<io::Result<R>> {
            loop {
                let seen = self.readiness.look(side);
                if seen.ready {
                    match call(self.get()) {
                        Ok(result) => {
                            if let Drained::Yes = drained(&result) {
                                self.readiness.note_drained(side, seen);
                            }
                            return Poll::Ready(Ok(result));
                        }
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        Err(error) => return Poll::Ready(Err(error)),
                    }
                }
                self.find_poller()?;
                if self.readiness.leave_waker(side, seen, context.waker()) {
                    return Poll::Pending;
                }
            }
        }

        /// The poller of the calling task's scheduler, or else one that watches the descriptor already.
        fn find_poller(&self) -> io::Result<()> {
            if let Some((thread, _)) = current::running() {
                return self.register(thread.core().io.poller()?);
            }
            if self.places.lock().is_empty() {
                return Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    "no scheduler watches this descriptor: it is to be polled from a task first",
                ));
            }
            Ok(())
        }
    }
}

impl<F: AsFd> Drop for Source<F> {
    fn drop(&mut self) {
        if self.fd.is_some() {
            self.deregister();
        }
    }
}

impl<F: AsFd> AsFd for Source<F> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.get().as_fd()
    }
}

impl<F: AsFd + fmt::Debug> fmt::Debug for Source<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

/// Blocks the calling thread until the descriptor is ready or the limit passes.
pub(super) fn block_thread(fd: BorrowedFd<'_>, side: Side, limit: Limit) -> io::Result<()> {
    let until = match limit {
        Limit::Never => None,
        // Too far away to be a time: never.
        Limit::After(limit) => clock::now().checked_add(limit),
    };
    loop {
        let left = until.map(|at| at.saturating_duration_since(clock::now()));
        match kernel::wait_for(&fd, side, left) {
            Ok(true) => return Ok(()),
            Ok(false) if left == Some(Duration::ZERO) => {
                return Err(Interrupted::error(Wake::TimedOut));
            }
            Ok(false) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
