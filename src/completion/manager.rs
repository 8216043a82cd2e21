//! `IHostIoCompletionManager`, as the runtime calls it.

use std::os::fd::RawFd;
use std::sync::Arc;

use super::Completions;
use crate::com::clr::ICLRIoCompletionManager;
use crate::com::host::IHostIoCompletionManager;
use crate::com::overlapped::HOST_BYTES;
use crate::com::{Handle, Hresult, NewOverlapped};

/// Ports are told from descriptors by this bit; the number below it is never used again.
const PORT: usize = 1 << 40;

/// The manager.
#[derive(Debug)]
pub(crate) struct CompletionManager(pub(crate) Arc<Completions>);

impl IHostIoCompletionManager for CompletionManager {
    fn create_io_completion_port(&self) -> Result<Handle, Hresult> {
        let mut books = self.0.books.lock();
        books.last_port += 1;
        let port = PORT | books.last_port;
        books.ports.insert(port);
        Ok(Handle(port))
    }

    fn close_io_completion_port(&self, port: Handle) -> Result<(), Hresult> {
        self.0.close_port(port.0)
    }

    fn set_max_threads(&self, threads: u32) -> Result<(), Hresult> {
        self.0.workers.set_most(threads)
    }

    fn max_threads(&self) -> Result<u32, Hresult> {
        Ok(self.0.workers.most())
    }

    fn available_threads(&self) -> Result<u32, Hresult> {
        Ok(self.0.workers.available())
    }

    fn host_overlapped_size(&self) -> Result<u32, Hresult> {
        Ok(HOST_BYTES)
    }

    fn set_clr_io_completion_manager(
        &self,
        manager: ICLRIoCompletionManager,
    ) -> Result<(), Hresult> {
        let mut books = self.0.books.lock();
        if books.manager.is_some() || books.closed {
            // What is refused goes when the lock is gone: the runtime may call back.
            drop(books);
            return Err(Hresult::E_UNEXPECTED);
        }
        books.manager = Some(manager);
        Ok(())
    }

    /// The structure may lie in the runtime's heap, and may be moved until a transfer is on.
    fn initialize_host_overlapped(&self, overlapped: NewOverlapped) -> Result<(), Hresult> {
        overlapped.initialize(self.0.seal);
        Ok(())
    }

    fn bind(&self, port: Handle, descriptor: Handle) -> Result<(), Hresult> {
        let fd = RawFd::try_from(descriptor.0).map_err(|_| Hresult::E_INVALIDARG)?;
        self.0.bind(port.0, fd)
    }

    fn set_min_threads(&self, threads: u32) -> Result<(), Hresult> {
        self.0.workers.set_least(threads)
    }

    fn min_threads(&self) -> Result<u32, Hresult> {
        Ok(self.0.workers.least_set())
    }
}
