//! One transfer that was accepted, and what the runtime is told of it.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use super::Completions;
use super::cancel::Cancel;
use super::kernel::{self, Kind};
use super::lane::Lane;
use super::ports::Binding;
use crate::com::clr::ICLRIoCompletionManager;
use crate::com::{Direction, Promise, Transfer};
use crate::security::Identity;
use crate::task::Task;
use crate::workers::Job;

/// A transfer that was accepted.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) transfer: Transfer,
    pub(super) fd: RawFd,
    /// The same open file, if it may have to be used after the caller's number was closed.
    pub(super) held: OnceLock<OwnedFd>,
    pub(super) binding: Arc<Binding>,
    /// Bytes of a stream that were written already.
    pub(super) done: AtomicU32,
    pub(super) cancel: Cancel,
    /// The descriptor says that it would block, to the ring as well.
    pub(super) by_readiness: AtomicBool,
    /// Whom to tell.
    pub(super) manager: ICLRIoCompletionManager,
    /// With whom its buffer goes.
    pub(super) task: Option<Arc<Task>>,
    pub(super) identity: Identity,
}

impl Request {
    pub(super) fn transfer(&self) -> &Transfer {
        &self.transfer
    }

    pub(super) fn kind(&self) -> Kind {
        self.binding.kind
    }

    pub(super) fn address(&self) -> usize {
        self.transfer.overlapped().address()
    }

    /// The descriptor to use now.
    pub(super) fn descriptor(&self) -> RawFd {
        self.held.get().map_or(self.fd, AsRawFd::as_raw_fd)
    }

    /// From now on the descriptor is one of our own.
    pub(super) fn hold(&self) -> Result<RawFd, i32> {
        if let Some(held) = self.held.get() {
            return Ok(held.as_raw_fd());
        }
        let copy = kernel::duplicate(self.fd)
            .map_err(|error| error.raw_os_error().unwrap_or(libc::EMFILE))?;
        Ok(self.held.get_or_init(|| copy).as_raw_fd())
    }

    pub(super) fn done(&self) -> u32 {
        // Relaxed, here and below: one at a time is at it.
        self.done.load(Ordering::Relaxed)
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancel.is_marked()
    }

    pub(super) fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    pub(super) fn lane(&self) -> &Lane<Arc<Request>> {
        &self.binding.lanes[self.transfer.direction() as usize]
    }

    /// Whether the engine only says when it can go on, and it is moved here.
    pub(super) fn is_by_readiness(&self) -> bool {
        // A write to a pipe may raise a signal, and devices know no other way.
        let (kind, direction) = (self.kind(), self.transfer.direction());
        kind == Kind::Device
            || (kind == Kind::Pipe && direction == Direction::Write)
            || self.by_readiness.load(Ordering::Relaxed)
    }
}

/// What the runtime is to be told.
pub(super) struct Told {
    pub(super) completions: Arc<Completions>,
    pub(super) request: Arc<Request>,
    pub(super) error: u32,
    pub(super) bytes: u32,
}

impl Job for Told {
    fn promise(&self) -> Promise {
        Promise::of_completions(&self.request.manager)
    }

    fn run(self) {
        let Told {
            completions,
            request,
            error,
            bytes,
        } = self;
        let overlapped = request.transfer.overlapped();
        request.identity.during(&completions.host, || {
            // What the runtime makes of it is its business.
            let _ = request.manager.on_complete(error, bytes, overlapped);
        });
        completions.note_told();
    }
}
