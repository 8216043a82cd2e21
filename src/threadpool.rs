//! `IHostThreadpoolManager`: a runtime's pieces of work, each on one of the pool's [`Workers`] with the security context of
//! whoever queued it.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Duration;

use crate::com::host::IHostThreadpoolManager;
use crate::com::{Hresult, Promise, QueueFlags, Work};
use crate::host::Shared;
use crate::security::Identity;
use crate::workers::{Job, Workers};

/// A piece of work, and who it is done for.
pub(crate) struct Item {
    host: Arc<Shared>,
    work: Work,
    identity: Identity,
}

impl Job for Item {
    fn promise(&self) -> Promise {
        self.work.promise()
    }

    fn run(self) {
        let Item {
            host,
            work,
            identity,
        } = self;
        identity.during(&host, || {
            // What the function returns means nothing to anybody here.
            let _ = work.run();
        });
    }
}

/// The pool of a host.
#[derive(Debug)]
pub(crate) struct Pool {
    host: Arc<Shared>,
    workers: Arc<Workers<Item>>,
}

impl Pool {
    pub(crate) fn new(host: Arc<Shared>, least: u32, most: u32, patience: Duration) -> Arc<Pool> {
        let workers = Workers::new(Arc::clone(&host), (least, most), 0, patience);
        Arc::new(Pool { host, workers })
    }

    /// As [`Workers::close`].
    pub(crate) fn close(&self, limit: Duration) -> bool {
        self.workers.close(limit)
    }
}

impl IHostThreadpoolManager for Arc<Pool> {
    /// It is always queued, which the flag that allows to run it here allows as well.
    fn queue_user_work_item(&self, work: Work, _flags: QueueFlags) -> Result<(), Hresult> {
        let item = Item {
            host: Arc::clone(&self.host),
            work,
            identity: Identity::of_caller(&self.host),
        };
        self.workers.queue(item).map_err(|(error, _)| error)
    }

    fn set_max_threads(&self, threads: u32) -> Result<(), Hresult> {
        self.workers.set_most(threads)
    }

    fn max_threads(&self) -> Result<u32, Hresult> {
        Ok(self.workers.most())
    }

    fn available_threads(&self) -> Result<u32, Hresult> {
        Ok(self.workers.available())
    }

    fn set_min_threads(&self, threads: u32) -> Result<(), Hresult> {
        self.workers.set_least(threads)
    }

    fn min_threads(&self) -> Result<u32, Hresult> {
        Ok(self.workers.least_set())
    }
}
