//! The door by which a runtime finds the managers (`IHostControl`).
#![forbid(unsafe_code)]

use std::sync::Arc;

use crate::com::clr::IUnknown;
use crate::com::host::IHostControl;
use crate::com::{ComRef, Guid, HostInterface, Hresult, Manager, Origin};

use super::shared::Shared;

/// The door: the same managers for everybody who asks.
pub(super) struct Door {
    host: Arc<Shared>,
    managers: Vec<(Guid, Box<dyn Fn() -> Manager + Send + Sync>)>,
}

impl Door {
    pub(super) fn new(host: &Arc<Shared>) -> Door {
        Door {
            host: Arc::clone(host),
            managers: Vec::new(),
        }
    }

    /// One of the host's own.
    pub(super) fn offer<I: HostInterface + ?Sized>(&mut self, manager: Arc<I>) {
        self.put(ComRef::new(self.host.gate, Origin::Host, manager));
    }

    /// The embedder's, in place of the host's own.
    pub(super) fn offer_theirs<I: HostInterface + ?Sized>(&mut self, manager: Arc<I>) {
        self.put(ComRef::new(self.host.gate, Origin::User, manager));
    }

    fn put<I: HostInterface + ?Sized>(&mut self, manager: ComRef<I>) {
        self.managers
            .push((I::IID, Box::new(move || Manager::from(manager.clone()))));
    }

    /// As the runtime is given it.
    pub(super) fn open(self) -> ComRef<dyn IHostControl> {
        let gate = self.host.gate;
        let control: Arc<dyn IHostControl> = Arc::new(self);
        ComRef::new(gate, Origin::Host, control)
    }
}

impl IHostControl for Door {
    fn host_manager(&self, iid: Guid) -> Result<Manager, Hresult> {
        let found = self.managers.iter().find(|(known, _)| *known == iid);
        found
            .map(|(_, manager)| manager())
            .ok_or(Hresult::E_NOINTERFACE)
    }

    fn set_app_domain_manager(&self, domain: u32, manager: IUnknown) -> Result<(), Hresult> {
        self.host.add_domain(domain, manager)
    }
}
