//! What an embedder has of its transfers.

use std::sync::Arc;

use super::{Completions, Engine};
use crate::com::overlapped::descriptor;
use crate::com::{Address, Handle, Hresult, Transfer};

/// Who looks after transfers that wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum IoEngine {
    /// The kernel's ring where it has one, helper threads otherwise.
    #[default]
    Detect,
    /// The kernel's ring (`io_uring`).
    Uring,
    /// Helper threads.
    Helpers,
}

/// Figures of a host's transfers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransferFigures {
    /// Transfers that were accepted.
    pub submitted: u64,
    /// Those of them that were over as they were submitted.
    pub at_once: u64,
    /// Those that the runtime was told of.
    pub completed: u64,
    /// Those that were cancelled before their end.
    pub cancelled: u64,
    /// Those that the runtime was not told of yet.
    pub pending: u64,
    /// Descriptors that are bound.
    pub bound: usize,
}

/// A host's transfers. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Transfers(Arc<Completions>);

impl Transfers {
    pub(crate) fn new(completions: &Arc<Completions>) -> Transfers {
        Transfers(Arc::clone(completions))
    }

    /// Begins a transfer of a descriptor that is bound. The runtime is told of its end, once, by
    /// `ICLRIoCompletionManager::OnComplete` on a task at its base; also if it was over at once.
    ///
    /// A read of a file ends with error 38 at its end, one of a pipe with 109 when nobody writes to it any more, one of a
    /// socket with 0 bytes and no error. A write to a pipe or a socket ends when all is written. No bytes are moved at once.
    ///
    /// # Errors
    /// Nothing has changed, and the runtime is not told: `E_HANDLE` if the descriptor is not bound, `E_INVALIDARG` if the
    /// structure was not initialized by this host, `HOST_E_INVALIDOPERATION` if its transfer is on, or if a buffer goes with a
    /// task and the caller is none, `HOST_E_CLRNOTAVAILABLE` if the runtime has named nobody to tell or the host shuts down,
    /// `E_OUTOFMEMORY` if there is no task to tell it.
    pub fn submit(&self, transfer: Transfer) -> Result<(), Hresult> {
        self.0.submit(transfer)
    }

    /// Cancels the transfers of a descriptor that wait, or only the one with this structure. Each ends with error 995, unless
    /// its end comes first. Returns without waiting for that.
    ///
    /// # Errors
    /// `HRESULT_FROM_WIN32_ERROR_NOT_FOUND` if there is none.
    pub fn cancel(&self, handle: Handle, overlapped: Option<Address>) -> Result<(), Hresult> {
        let fd = descriptor(handle).ok_or(Hresult::E_HANDLE)?;
        let count = self.0.cancel(|request| {
            let meant = overlapped.is_none_or(|one| one.0 == request.address());
            request.fd == fd && meant
        });
        match count {
            0 => Err(Hresult::HRESULT_FROM_WIN32_ERROR_NOT_FOUND),
            _ => Ok(()),
        }
    }

    /// A descriptor is about to be closed: it is not bound any more, and what waits for it is cancelled.
    ///
    /// # Errors
    /// `E_HANDLE` if it is not bound.
    pub fn unbind(&self, handle: Handle) -> Result<(), Hresult> {
        let fd = descriptor(handle).ok_or(Hresult::E_HANDLE)?;
        self.0.unbind(fd)
    }

    /// Who looks after what waits.
    pub fn engine(&self) -> IoEngine {
        match self.0.engine {
            Engine::Uring(_) => IoEngine::Uring,
            Engine::Helpers(_) => IoEngine::Helpers,
        }
    }

    /// Figures, taken without stopping anything.
    pub fn figures(&self) -> TransferFigures {
        self.0.figures()
    }
}
