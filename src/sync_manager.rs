//! `IHostSyncManager`: makes what tasks wait for.
#![forbid(unsafe_code)]

use std::sync::Arc;

use crate::com::clr::ICLRSyncManager;
use crate::com::host::{
    IHostAutoEvent, IHostCrst, IHostManualEvent, IHostSemaphore, IHostSyncManager,
};
use crate::com::{ComRef, HostInterface, Hresult, Origin};
use crate::host::Shared;
use crate::sync::{AutoEvent, Breakable, Crst, HostSemaphore, ManualEvent};

#[derive(Debug)]
pub(crate) struct SyncManager {
    host: Arc<Shared>,
}

impl SyncManager {
    pub(crate) fn new(host: Arc<Shared>) -> SyncManager {
        SyncManager { host }
    }

    fn object<I: HostInterface + ?Sized>(&self, implementation: Arc<I>) -> ComRef<I> {
        ComRef::new(self.host.gate, Origin::Host, implementation)
    }

    fn section(&self, spins: u32) -> ComRef<dyn IHostCrst> {
        let section = Crst::new(Arc::clone(&self.host), spins);
        let quick = Some(section.quick());
        ComRef::new_quick(self.host.gate, Arc::new(section), quick)
    }

    fn auto_event(&self, breakable: Breakable) -> ComRef<dyn IHostAutoEvent> {
        self.object(Arc::new(AutoEvent::new(Arc::clone(&self.host), breakable)))
    }

    fn manual_event(&self, set: bool, breakable: Breakable) -> ComRef<dyn IHostManualEvent> {
        self.object(Arc::new(ManualEvent::new(
            Arc::clone(&self.host),
            set,
            breakable,
        )))
    }
}

impl IHostSyncManager for SyncManager {
    fn set_clr_sync_manager(&self, manager: ICLRSyncManager) -> Result<(), Hresult> {
        self.host.set_clr_sync_manager(manager)
    }

    fn create_crst(&self) -> Result<ComRef<dyn IHostCrst>, Hresult> {
        Ok(self.section(0))
    }

    fn create_crst_with_spin_count(&self, spins: u32) -> Result<ComRef<dyn IHostCrst>, Hresult> {
        Ok(self.section(spins))
    }

    fn create_auto_event(&self) -> Result<ComRef<dyn IHostAutoEvent>, Hresult> {
        Ok(self.auto_event(Breakable::No))
    }

    fn create_manual_event(&self, set: bool) -> Result<ComRef<dyn IHostManualEvent>, Hresult> {
        Ok(self.manual_event(set, Breakable::No))
    }

    fn create_monitor_event(&self, cookie: usize) -> Result<ComRef<dyn IHostAutoEvent>, Hresult> {
        Ok(self.auto_event(Breakable::Monitor(cookie)))
    }

    fn create_rwlock_writer_event(
        &self,
        cookie: usize,
    ) -> Result<ComRef<dyn IHostAutoEvent>, Hresult> {
        Ok(self.auto_event(Breakable::Writers(cookie)))
    }

    fn create_rwlock_reader_event(
        &self,
        set: bool,
        cookie: usize,
    ) -> Result<ComRef<dyn IHostManualEvent>, Hresult> {
        Ok(self.manual_event(set, Breakable::Readers(cookie)))
    }

    fn create_semaphore(
        &self,
        initial: u32,
        most: u32,
    ) -> Result<ComRef<dyn IHostSemaphore>, Hresult> {
        let semaphore = HostSemaphore::new(Arc::clone(&self.host), initial, most)?;
        Ok(self.object(Arc::new(semaphore)))
    }
}
