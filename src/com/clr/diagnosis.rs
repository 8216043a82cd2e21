//! What a runtime does for debuggers and reports of errors, what it tells of its domains, and what it keeps code from.
//!
//! Room for unsafe code: calls through the tables of others.

use std::ffi::c_void;

use super::super::constants::{
    EApiCategories, ECustomDumpFlavor, EInitializeNewDomainFlags, ESymbolReadingPolicy,
};
use super::super::hresult::Hresult;
use super::super::interface::clr_interface;
use super::super::table::{self, BucketParameters, CustomDumpItem};
use super::{ClrInterface, ICLRTask, Wide, addresses};

clr_interface! {
    /// What code that is trusted in part is kept from. To be said before the runtime is started.
    ICLRHostProtectionManager ICLRHostProtectionManagerVtbl IID_ICLRHostProtectionManager;

    /// It is kept from these.
    fn set_protected_categories = SetProtectedCategories(categories: EApiCategories);

    /// Grants of rights are written down when they are made, not when they are first asked for.
    fn set_eager_serialize_grant_sets = SetEagerSerializeGrantSets();
}

clr_interface! {
    /// Tasks as a debugger sees them: in groups, which are called connections.
    ICLRDebugManager ICLRDebugManagerVtbl IID_ICLRDebugManager;

    /// A connection is gone.
    fn end_connection = EndConnection(connection: u32);

    /// Whether a debugger is attached.
    fn is_debugger_attached = IsDebuggerAttached() -> bool;

    /// For which code symbols are read.
    fn set_symbol_reading_policy = SetSymbolReadingPolicy(policy: ESymbolReadingPolicy);
}

clr_interface! {
    /// Reports of errors.
    ICLRErrorReportingManager ICLRErrorReportingManagerVtbl IID_ICLRErrorReportingManager;

    /// Dumps are as usual again.
    fn end_custom_dump = EndCustomDump();
}

clr_interface! {
    /// What domains are made with, in later runtimes. To be said before the runtime is started.
    ICLRDomainManager ICLRDomainManagerVtbl IID_ICLRDomainManager;

    /// The type of the object that manages each domain.
    fn set_app_domain_manager_type =
        SetAppDomainManagerType(assembly: &Wide, class: &Wide, flags: EInitializeNewDomainFlags);
}

clr_interface! {
    /// What a domain has used, in later runtimes that were told to count it. `COR_E_APPDOMAINUNLOADED` when the domain is gone.
    ICLRAppDomainResourceMonitor ICLRAppDomainResourceMonitorVtbl IID_ICLRAppDomainResourceMonitor;

    /// Bytes that it has allocated so far.
    fn allocated = GetCurrentAllocated(domain: u32) -> u64;

    /// Milliseconds of processor time so far.
    fn cpu_time = GetCurrentCpuTime(domain: u32) -> u64;
}

impl ICLRDebugManager {
    /// A connection of this number, which is not 0, and name.
    ///
    /// # Errors
    /// `E_INVALIDARG` for a number that is taken; or what else the runtime answers.
    pub fn begin_connection(&self, connection: u32, name: &Wide) -> Result<(), Hresult> {
        let table = self.0.table::<table::ICLRDebugManagerVtbl>();
        let name = name.0.as_ptr().cast_mut();
        // SAFETY: the handle keeps the object; the text, which it only reads, is there for the length of the call.
        unsafe { (table.BeginConnection)(self.0.as_ptr(), connection, name) }.ok()
    }

    /// The tasks of a connection, instead of those before.
    ///
    /// # Errors
    /// `E_INVALIDARG` for an unknown connection; or what else the runtime answers.
    pub fn set_connection_tasks(&self, connection: u32, tasks: &[ICLRTask]) -> Result<(), Hresult> {
        let table = self.0.table::<table::ICLRDebugManagerVtbl>();
        let count = u32::try_from(tasks.len()).map_err(|_| Hresult::E_INVALIDARG)?;
        let mut tasks: Vec<*mut c_void> = tasks.iter().map(ClrInterface::as_ptr).collect();
        let (this, tasks) = (self.0.as_ptr(), tasks.as_mut_ptr());
        // SAFETY: the handles keep the objects, and their list is there for the length of the call.
        unsafe { (table.SetConnectionTasks)(this, connection, count, tasks) }.ok()
    }

    /// Who may attach a debugger, as a list of the system's.
    ///
    /// # Errors
    /// `E_NOTIMPL` from all runtimes that are known.
    ///
    /// # Safety
    /// The pointer is null or leads to such a list.
    pub unsafe fn set_dacl(&self, list: *mut c_void) -> Result<(), Hresult> {
        let table = self.0.table::<table::ICLRDebugManagerVtbl>();
        // SAFETY: the handle keeps the object; the list is the caller's promise.
        unsafe { (table.SetDacl)(self.0.as_ptr(), list) }.ok()
    }

    /// That list. It belongs to the runtime.
    ///
    /// # Errors
    /// `E_NOTIMPL` from all runtimes that are known.
    pub fn dacl(&self) -> Result<*mut c_void, Hresult> {
        let table = self.0.table::<table::ICLRDebugManagerVtbl>();
        let mut list = std::ptr::null_mut();
        // SAFETY: the handle keeps the object, and the result has a place for the length of the call.
        unsafe { (table.GetDacl)(self.0.as_ptr(), &raw mut list) }.ok()?;
        Ok(list)
    }
}

impl ICLRErrorReportingManager {
    /// By what reports of the calling thread's exception are put together.
    ///
    /// # Errors
    /// What the runtime answers.
    pub fn bucket_parameters(&self) -> Result<Box<BucketParameters>, Hresult> {
        let table = self.0.table::<table::ICLRErrorReportingManagerVtbl>();
        let mut parameters = Box::new(BucketParameters {
            fInited: 0,
            pszEventTypeName: [0; 255],
            pszParams: [[0; 255]; 10],
        });
        let place = &raw mut *parameters;
        // SAFETY: the handle keeps the object, and the structure is there for the length of the call.
        unsafe { (table.GetBucketParametersForCurrentException)(self.0.as_ptr(), place) }.ok()?;
        Ok(parameters)
    }

    /// What dumps have from now on.
    ///
    /// # Errors
    /// What the runtime answers.
    pub fn begin_custom_dump(
        &self,
        flavor: ECustomDumpFlavor,
        items: &[CustomDumpItem],
    ) -> Result<(), Hresult> {
        let table = self.0.table::<table::ICLRErrorReportingManagerVtbl>();
        let count = u32::try_from(items.len()).map_err(|_| Hresult::E_INVALIDARG)?;
        let items = items.as_ptr().cast_mut();
        // SAFETY: the handle keeps the object; the items, which it only reads, are there for the length of the call.
        unsafe { (table.BeginCustomDump)(self.0.as_ptr(), flavor.0, count, items, 0) }.ok()
    }
}

impl ICLRDomainManager {
    /// Properties of the default domain, by their names.
    ///
    /// # Errors
    /// What the runtime answers.
    pub fn set_properties(&self, properties: &[(Wide, Wide)]) -> Result<(), Hresult> {
        let table = self.0.table::<table::ICLRDomainManagerVtbl>();
        let (names, values): (Vec<Wide>, Vec<Wide>) = properties.iter().cloned().unzip();
        let ((count, mut names_at), (_, mut values_at)) = (addresses(&names)?, addresses(&values)?);
        let (names_at, values_at) = (names_at.as_mut_ptr(), values_at.as_mut_ptr());
        let this = self.0.as_ptr();
        // SAFETY: the handle keeps the object; texts and lists are there for the length of the call.
        unsafe { (table.SetPropertiesForDefaultAppDomain)(this, count, names_at, values_at) }.ok()
    }
}

impl ICLRAppDomainResourceMonitor {
    /// Bytes that have survived the last collection: of this domain, and of all of them together.
    ///
    /// # Errors
    /// What the runtime answers.
    pub fn survived(&self, domain: u32) -> Result<(u64, u64), Hresult> {
        let table = self.0.table::<table::ICLRAppDomainResourceMonitorVtbl>();
        let (mut own, mut all) = (0, 0);
        let this = self.0.as_ptr();
        // SAFETY: the handle keeps the object, and the results have places for the length of the call.
        unsafe { (table.GetCurrentSurvived)(this, domain, &raw mut own, &raw mut all) }.ok()?;
        Ok((own, all))
    }
}
