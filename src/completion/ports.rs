//! Ports, the descriptors that are bound to them, and the books of what waits.

use std::collections::{BTreeSet, HashMap};
use std::os::fd::RawFd;
use std::sync::Arc;

use super::Completions;
use super::kernel::{self, Kind};
use super::lane::Lane;
use super::request::Request;
use crate::com::Hresult;
use crate::com::clr::ICLRIoCompletionManager;

/// A descriptor that is bound.
#[derive(Debug)]
pub(super) struct Binding {
    pub(super) port: usize,
    pub(super) kind: Kind,
    /// Which file it was.
    pub(super) file: (u64, u64),
    pub(super) lanes: [Lane<Arc<Request>>; 2],
}

/// By descriptors, and by addresses of structures: nobody chooses them to collide, which std's hash has its price for.
pub(super) type ByNumber<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

#[derive(Debug, Default)]
pub(super) struct Books {
    /// Whom to tell.
    pub(super) manager: Option<ICLRIoCompletionManager>,
    pub(super) ports: BTreeSet<usize>,
    pub(super) last_port: usize,
    pub(super) bound: ByNumber<RawFd, Arc<Binding>>,
    /// Transfers that wait, by the address of their structure.
    pub(super) on: ByNumber<usize, Arc<Request>>,
    /// Transfers that the runtime was not told of yet.
    pub(super) pending: u64,
    pub(super) closed: bool,
}

impl Completions {
    pub(super) fn bind(&self, port: usize, fd: RawFd) -> Result<(), Hresult> {
        let (kind, file) = kernel::look(fd).map_err(|_| Hresult::E_INVALIDARG)?;
        let mut books = self.books.lock();
        if books.closed {
            return Err(Hresult::HOST_E_CLRNOTAVAILABLE);
        }
        if port != 0 && !books.ports.contains(&port) {
            return Err(Hresult::E_INVALIDARG);
        }
        // The number may be that of another file by now, or of the same one opened anew: it is the last port's.
        if let Some(before) = books.bound.get(&fd)
            && (before.port, before.kind, before.file) == (port, kind, file)
        {
            return Ok(());
        }
        let binding = Arc::new(Binding {
            port,
            kind,
            file,
            lanes: Default::default(),
        });
        let before = books.bound.insert(fd, binding);
        drop((books, before));
        Ok(())
    }

    pub(super) fn unbind(self: &Arc<Self>, fd: RawFd) -> Result<(), Hresult> {
        let removed = self.books.lock().bound.remove(&fd);
        let binding = removed.ok_or(Hresult::E_HANDLE)?;
        self.cancel(|request| Arc::ptr_eq(&request.binding, &binding));
        Ok(())
    }

    pub(super) fn close_port(self: &Arc<Self>, port: usize) -> Result<(), Hresult> {
        let mut books = self.books.lock();
        if !books.ports.remove(&port) {
            return Err(Hresult::E_INVALIDARG);
        }
        let gone: Vec<Arc<Binding>> = books
            .bound
            .extract_if(|_, binding| binding.port == port)
            .map(|(_, binding)| binding)
            .collect();
        drop(books);
        self.cancel(|request| request.binding.port == port);
        drop(gone);
        Ok(())
    }
}
