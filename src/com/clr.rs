//! The interfaces that we call: handles that count references, with a safe method for each slot that a host may use.
//!
//! A handle may be used on any thread; which calls a runtime accepts where is its business, and it answers a call in the
//! wrong place with an error. None of these calls may be made while a lock of ours is held: a runtime calls back.
//!
//! Room for unsafe code: calls through the tables of others.

mod assemblies;
mod diagnosis;

use std::ffi::c_void;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

use super::argument::ThreadHandle;
use super::guid::Guid;
use super::host::{IActionOnCLREvent, IHostControl, IHostTask};
use super::hresult::Hresult;
use super::interface::clr_interface;
use super::object::{ComRef, HostInterface};
use super::overlapped::Overlapped;
use super::table::{COR_GC_STATS, COR_GC_THREAD_STATS, IUnknownVtbl};
use super::{
    EApiCategories, ECLRAssemblyIdentityFlags, EClrEvent, EClrFailure, EClrOperation,
    EClrUnhandledException, EInitializeNewDomainFlags, EMemoryAvailable, EPolicyAction,
    ESymbolReadingPolicy, ETaskType,
};

pub use assemblies::{
    ICLRAssemblyIdentityManager, ICLRAssemblyReferenceList, ICLRHostBindingPolicyManager,
    ICLRProbingAssemblyEnum, ICLRReferenceAssemblyEnum,
};
pub use diagnosis::{
    ICLRAppDomainResourceMonitor, ICLRDebugManager, ICLRDomainManager, ICLRErrorReportingManager,
    ICLRHostProtectionManager,
};

/// A counted reference to an object of a runtime, of whatever interface.
pub struct Raw(NonNull<c_void>);

// SAFETY: the interfaces may be called from any thread; so says their reference.
unsafe impl Send for Raw {}
// SAFETY: as above.
unsafe impl Sync for Raw {}

impl Raw {
    /// Takes over a reference.
    ///
    /// # Safety
    /// The pointer leads to an object of a COM interface, and the reference is the caller's to give away.
    pub unsafe fn owned(pointer: NonNull<c_void>) -> Raw {
        Raw(pointer)
    }

    /// Takes a reference of its own.
    ///
    /// # Safety
    /// The pointer leads to an object of a COM interface that lives at least until this returns.
    pub unsafe fn counted(pointer: NonNull<c_void>) -> Raw {
        let raw = Raw(pointer);
        raw.add_reference();
        raw
    }

    /// The object's pointer. It does not count.
    pub fn as_ptr(&self) -> *mut c_void {
        self.0.as_ptr()
    }

    /// The object's table, which is as long as the interface.
    pub(crate) fn table<T>(&self) -> &T {
        // SAFETY: this reference keeps the object, whose first word is the address of its table; whoever made the handle
        // promised that it is of this interface.
        unsafe { &**self.0.cast::<*const T>().as_ptr() }
    }

    fn add_reference(&self) {
        let table = self.table::<IUnknownVtbl>();
        // SAFETY: the object is there, and this is one of its slots.
        unsafe { (table.AddRef)(self.as_ptr()) };
    }
}

impl Clone for Raw {
    fn clone(&self) -> Self {
        self.add_reference();
        Raw(self.0)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let table = self.table::<IUnknownVtbl>();
        // SAFETY: the reference is this handle's.
        unsafe { (table.Release)(self.as_ptr()) };
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Raw").field(&self.0).finish()
    }
}

/// A handle's interface.
pub trait ClrInterface: Sized {
    /// What `QueryInterface` is asked for.
    const IID: Guid;

    #[doc(hidden)]
    fn from_handle(raw: Raw) -> Self;

    #[doc(hidden)]
    fn handle(&self) -> &Raw;

    /// Takes over a reference to an object of this interface.
    ///
    /// # Safety
    /// The pointer leads to an object of this interface, whose methods may be called from any thread, and the reference is
    /// the caller's to give away.
    unsafe fn from_owned(pointer: NonNull<c_void>) -> Self {
        // SAFETY: as the caller promises.
        Self::from_handle(unsafe { Raw::owned(pointer) })
    }

    /// The object's pointer. It does not count.
    fn as_ptr(&self) -> *mut c_void {
        self.handle().as_ptr()
    }

    /// The pointer with this reference, which whoever gets it has to release.
    fn into_raw(self) -> *mut c_void {
        let pointer = self.as_ptr();
        std::mem::forget(self);
        pointer
    }

    /// The same object by another of its interfaces.
    ///
    /// # Errors
    /// `E_NOINTERFACE` mostly: runtimes know few interfaces of an object.
    fn query<I: ClrInterface>(&self) -> Result<I, Hresult> {
        let (iid, mut found) = (I::IID, std::ptr::null_mut());
        let table = self.handle().table::<IUnknownVtbl>();
        // SAFETY: the handle keeps the object; identifier and result have a place for the length of the call.
        unsafe { (table.QueryInterface)(self.as_ptr(), &raw const iid, &raw mut found) }.ok()?;
        let found = NonNull::new(found).ok_or(Hresult::E_NOINTERFACE)?;
        // SAFETY: the answer is an object of the interface that was asked for, with a reference.
        Ok(I::from_handle(unsafe { Raw::owned(found) }))
    }
}

/// What we give in a call.
pub(crate) trait Given {
    type Word;

    fn word(&self) -> Self::Word;
}

macro_rules! given_as_it_is {
    ($($number:ty)*) => {$(
        impl Given for $number {
            type Word = $number;

            fn word(&self) -> $number {
                *self
            }
        }
    )*};
}
given_as_it_is!(u32 i32 u64 usize);

macro_rules! given_as_number {
    ($($enumeration:ty)*) => {$(
        impl Given for $enumeration {
            type Word = u32;

            fn word(&self) -> u32 {
                self.0
            }
        }
    )*};
}
given_as_number!(
    EApiCategories ECLRAssemblyIdentityFlags EClrEvent EClrFailure EClrOperation EClrUnhandledException
    EInitializeNewDomainFlags EMemoryAvailable EPolicyAction ESymbolReadingPolicy
);

impl Given for bool {
    type Word = i32;

    fn word(&self) -> i32 {
        i32::from(*self)
    }
}

impl Given for ThreadHandle {
    type Word = *mut c_void;

    fn word(&self) -> *mut c_void {
        self.0
    }
}

impl Given for Overlapped {
    type Word = *mut c_void;

    fn word(&self) -> *mut c_void {
        self.as_ptr()
    }
}

impl<I: HostInterface + ?Sized> Given for &ComRef<I> {
    type Word = *mut c_void;

    fn word(&self) -> *mut c_void {
        self.as_ptr()
    }
}

impl<I: ClrInterface> Given for Option<&I> {
    type Word = *mut c_void;

    fn word(&self) -> *mut c_void {
        self.map_or(std::ptr::null_mut(), ClrInterface::as_ptr)
    }
}

/// A text in UTF-16 with a zero behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wide(Vec<u16>);

impl From<&str> for Wide {
    /// A zero inside ends the text.
    fn from(text: &str) -> Wide {
        Wide(
            text.encode_utf16()
                .take_while(|unit| *unit != 0)
                .chain([0])
                .collect(),
        )
    }
}

impl Given for &Wide {
    type Word = *const u16;

    fn word(&self) -> *const u16 {
        self.0.as_ptr()
    }
}

/// The addresses of texts, as lists of them are given; and how many there are.
fn addresses(texts: &[Wide]) -> Result<(u32, Vec<*const u16>), Hresult> {
    let count = u32::try_from(texts.len()).map_err(|_| Hresult::E_INVALIDARG)?;
    Ok((count, texts.iter().map(|text| text.0.as_ptr()).collect()))
}

/// What we get from a call.
pub(crate) trait Taken: Sized {
    type Word;
    const NOTHING: Self::Word;

    /// # Safety
    /// The word is what a call of the interface gave when it succeeded.
    unsafe fn take(word: Self::Word) -> Self;
}

macro_rules! taken_as_it_is {
    ($($number:ty)*) => {$(
        impl Taken for $number {
            type Word = $number;
            const NOTHING: $number = 0;

            unsafe fn take(word: $number) -> $number {
                word
            }
        }
    )*};
}
taken_as_it_is!(u32 i32 u64 usize);

impl Taken for bool {
    type Word = i32;
    const NOTHING: i32 = 0;

    unsafe fn take(word: i32) -> bool {
        word != 0
    }
}

impl Taken for ETaskType {
    type Word = u32;
    const NOTHING: u32 = ETaskType::TT_UNKNOWN.0;

    unsafe fn take(word: u32) -> ETaskType {
        ETaskType(word)
    }
}

impl Taken for COR_GC_THREAD_STATS {
    type Word = COR_GC_THREAD_STATS;
    // A runtime leaves alone what it has nothing to say about.
    const NOTHING: Self = COR_GC_THREAD_STATS {
        PerThreadAllocation: 0,
        Flags: 0,
    };

    unsafe fn take(word: Self) -> Self {
        word
    }
}

/// An object that came without a reference of its own.
#[derive(Clone, Debug)]
pub struct Lent<I>(pub Option<I>);

impl<I: ClrInterface> Taken for Lent<I> {
    type Word = *mut c_void;
    const NOTHING: *mut c_void = std::ptr::null_mut();

    unsafe fn take(word: *mut c_void) -> Self {
        // SAFETY: null, or an object that is there for as long as the call's caller is.
        Lent(NonNull::new(word).map(|found| I::from_handle(unsafe { Raw::counted(found) })))
    }
}

/// An object that came with a reference.
#[derive(Clone, Debug)]
pub struct Handed<I>(pub Option<I>);

impl<I: ClrInterface> Taken for Handed<I> {
    type Word = *mut c_void;
    const NOTHING: *mut c_void = std::ptr::null_mut();

    unsafe fn take(word: *mut c_void) -> Self {
        // SAFETY: null, or an object with a reference for us.
        Handed(NonNull::new(word).map(|found| unsafe { I::from_owned(found) }))
    }
}

/// A task of ours that a runtime hands back, with a reference. `None` also for one that is not ours.
impl Taken for Option<ComRef<dyn IHostTask>> {
    type Word = *mut c_void;
    const NOTHING: *mut c_void = std::ptr::null_mut();

    unsafe fn take(word: *mut c_void) -> Self {
        let found = NonNull::new(word)?;
        // SAFETY: an object with a reference for us, whoever made it; a handle of any interface gives it back.
        let raw = unsafe { Raw::owned(found) };
        // SAFETY: it is there.
        let task = unsafe { ComRef::<dyn IHostTask>::from_counted(raw.as_ptr()) };
        task.ok()
    }
}

clr_interface! {
    /// Any object of a runtime.
    IUnknown IUnknownVtbl IID_IUnknown;
}

clr_interface! {
    /// A runtime's side of tasks.
    ICLRTaskManager ICLRTaskManagerVtbl IID_ICLRTaskManager;

    /// Makes the runtime's task for the calling thread and its current task.
    fn create_task = CreateTask() -> Handed<ICLRTask>;

    /// The runtime's task of the calling thread.
    fn current_task = GetCurrentTask() -> Lent<ICLRTask>;

    /// The culture of the calling task's user interface has changed.
    fn set_ui_locale = SetUILocale(locale: u32);

    /// The culture of the calling task has changed.
    fn set_locale = SetLocale(locale: u32);

    /// What the calling task is for.
    fn current_task_type = GetCurrentTaskType() -> ETaskType;
}

clr_interface! {
    /// A runtime's task: its side of one of ours.
    ICLRTask ICLRTaskVtbl IID_ICLRTask;

    /// It is about to run on this thread, the calling one.
    fn switch_in = SwitchIn(thread: ThreadHandle);

    /// It stops running on the calling thread for now.
    fn switch_out = SwitchOut();

    /// What it has allocated.
    fn memory_stats = GetMemStats() -> COR_GC_THREAD_STATS;

    /// Makes it ready for another use, on its own thread.
    fn reset = Reset(full: bool);

    /// Its work is over; on its own thread.
    fn exit_task = ExitTask();

    /// Asks for its end.
    fn abort = Abort();

    /// Asks for its end, whatever code it skips.
    fn rude_abort = RudeAbort();

    /// Whether somebody waits for it to reach a safe point.
    fn needs_priority_scheduling = NeedsPriorityScheduling() -> bool;

    /// Asks it to let others run. `S_FALSE`: it was asked already.
    fn yield_task = YieldTask();

    /// How many locks it holds.
    fn locks_held = LocksHeld() -> usize;

    /// A number for debuggers.
    fn set_task_identifier = SetTaskIdentifier(identifier: u64);
}

clr_interface! {
    /// What later runtimes add to a task; found by [`ClrInterface::query`].
    ICLRTask2 ICLRTask2Vtbl IID_ICLRTask2;

    /// Aborts from outside are put off from now on.
    fn begin_prevent_async_abort = BeginPreventAsyncAbort();

    /// They are not any more.
    fn end_prevent_async_abort = EndPreventAsyncAbort();
}

clr_interface! {
    /// Whom a runtime wants to be told about memory.
    ICLRMemoryNotificationCallback ICLRMemoryNotificationCallbackVtbl IID_ICLRMemoryNotificationCallback;

    /// So much is there now. It does not wait.
    fn on_memory_notification = OnMemoryNotification(available: EMemoryAvailable);
}

clr_interface! {
    /// Whom a runtime wants to be told of transfers that are over.
    ICLRIoCompletionManager ICLRIoCompletionManagerVtbl IID_ICLRIoCompletionManager;

    /// One is over: an error of Win32's or 0, and how many bytes it moved. On a task at its base, since it runs managed code.
    fn on_complete = OnComplete(error: u32, bytes: u32, overlapped: Overlapped);
}

clr_interface! {
    /// A stream of somebody else's, to write to.
    IStream IStreamVtbl IID_IStream;
}

clr_interface! {
    /// Who owns what is behind a cookie. Its calls may wait: none of our locks may be held.
    ICLRSyncManager ICLRSyncManagerVtbl IID_ICLRSyncManager;

    /// The owner of a monitor.
    fn monitor_owner = GetMonitorOwner(cookie: usize) -> Option<ComRef<dyn IHostTask>>;

    /// Begins to go through the owners of a reader-writer lock.
    fn create_rwlock_owner_iterator = CreateRWLockOwnerIterator(cookie: usize) -> usize;

    /// The next owner.
    fn rwlock_owner_next = GetRWLockOwnerNext(iterator: usize) -> Option<ComRef<dyn IHostTask>>;

    /// Ends that. Always to be called.
    fn delete_rwlock_owner_iterator = DeleteRWLockOwnerIterator(iterator: usize);
}

clr_interface! {
    /// Where a host asks for a runtime's managers.
    ICLRControl ICLRControlVtbl IID_ICLRControl;
}

clr_interface! {
    /// Collections.
    ICLRGCManager ICLRGCManagerVtbl IID_ICLRGCManager;

    /// Collects this generation and those below; -1: all.
    fn collect = Collect(generation: i32);

    /// Sizes for the start, in bytes; 0 or all ones leave one as it is.
    fn set_startup_limits = SetGCStartupLimits(segment: u32, generation_0: u32);
}

clr_interface! {
    /// The same with sizes as wide as a pointer, of later runtimes.
    ICLRGCManager2 ICLRGCManager2Vtbl IID_ICLRGCManager2;

    /// Sizes for the start, in bytes; 0 or all ones leave one as it is.
    fn set_startup_limits = SetGCStartupLimitsEx(segment: usize, generation_0: usize);
}

clr_interface! {
    /// Who is told of a runtime's events. Not to be called by who is being told: it waits until nobody is.
    ICLROnEventManager ICLROnEventManagerVtbl IID_ICLROnEventManager;

    /// From now on this object is told of the event.
    fn register = RegisterActionOnEvent(event: EClrEvent, action: &ComRef<dyn IActionOnCLREvent>);

    /// It is not any more.
    fn unregister = UnregisterActionOnEvent(event: EClrEvent, action: &ComRef<dyn IActionOnCLREvent>);
}

clr_interface! {
    /// What a runtime does about trouble.
    ICLRPolicyManager ICLRPolicyManagerVtbl IID_ICLRPolicyManager;

    /// What it does for an operation.
    fn set_default_action = SetDefaultAction(operation: EClrOperation, action: EPolicyAction);

    /// How long an operation may take.
    fn set_timeout = SetTimeout(operation: EClrOperation, milliseconds: u32);

    /// What it does when that time is over.
    fn set_action_on_timeout = SetActionOnTimeout(operation: EClrOperation, action: EPolicyAction);

    /// Both at once.
    fn set_timeout_and_action =
        SetTimeoutAndAction(operation: EClrOperation, milliseconds: u32, action: EPolicyAction);

    /// What it does about a failure.
    fn set_action_on_failure = SetActionOnFailure(failure: EClrFailure, action: EPolicyAction);

    /// Who decides about exceptions that nobody handles.
    fn set_unhandled_exception_policy = SetUnhandledExceptionPolicy(policy: EClrUnhandledException);
}

clr_interface! {
    /// A runtime.
    ICLRRuntimeHost ICLRRuntimeHostVtbl IID_ICLRRuntimeHost;

    /// Starts it.
    fn start = Start();

    /// Stops it. `S_FALSE` while others use it.
    fn stop = Stop();

    /// Gives it the host, before it is started. It asks for all managers meanwhile.
    fn set_host_control = SetHostControl(control: &ComRef<dyn IHostControl>);

    /// Where to ask for its managers.
    fn control = GetCLRControl() -> Lent<ICLRControl>;

    /// Unloads a domain, and waits for that if asked to.
    fn unload_app_domain = UnloadAppDomain(domain: u32, wait: bool);

    /// The domain that the calling thread is in.
    fn current_app_domain_id = GetCurrentAppDomainId() -> u32;

    /// Runs a managed method `int M(string)` in the default domain. It does not announce itself by a hook.
    fn execute_in_default_app_domain =
        ExecuteInDefaultAppDomain(assembly: &Wide, class: &Wide, method: &Wide, argument: &Wide) -> u32;
}

/// An interface that stands in the list of those that we call.
pub(crate) trait Listed {}

/// All of them: `clr_interface!` makes no handle of one that is not listed.
macro_rules! called {
    ($($interface:ident)*) => {
        /// The names of the interfaces that there is a handle for, as the headers call them.
        pub const CALLED: &[&str] = &[$(stringify!($interface)),*];

        $(impl Listed for $interface {})*
    };
}

called! {
    IUnknown
    ICLRControl
    ICLRRuntimeHost
    ICLRTaskManager
    ICLRTask
    ICLRTask2
    ICLRSyncManager
    ICLRGCManager
    ICLRGCManager2
    ICLRPolicyManager
    ICLROnEventManager
    ICLRIoCompletionManager
    ICLRMemoryNotificationCallback
    IStream
    ICLRAssemblyReferenceList
    ICLRAssemblyIdentityManager
    ICLRReferenceAssemblyEnum
    ICLRProbingAssemblyEnum
    ICLRHostBindingPolicyManager
    ICLRHostProtectionManager
    ICLRDomainManager
    ICLRDebugManager
    ICLRErrorReportingManager
    ICLRAppDomainResourceMonitor
}

impl ICLRControl {
    /// One of the runtime's managers. There is no count on them.
    ///
    /// # Errors
    /// `E_NOINTERFACE` for one that it does not have, `HOST_E_INVALIDOPERATION` for one that is not to be had any more.
    pub fn manager<I: ClrInterface>(&self) -> Result<I, Hresult> {
        let table = self.0.table::<super::table::ICLRControlVtbl>();
        let (iid, mut found) = (I::IID, std::ptr::null_mut());
        // SAFETY: the handle keeps the object; identifier and result have a place for the length of the call.
        unsafe { (table.GetCLRManager)(self.0.as_ptr(), &raw const iid, &raw mut found) }.ok()?;
        let found = NonNull::new(found).ok_or(Hresult::E_NOINTERFACE)?;
        // SAFETY: managers live as long as the runtime.
        Ok(I::from_handle(unsafe { Raw::counted(found) }))
    }

    /// The type of the object that manages each domain, before the runtime is started.
    ///
    /// # Errors
    /// `HOST_E_INVALIDOPERATION` afterwards.
    pub fn set_app_domain_manager_type(
        &self,
        assembly: &Wide,
        class: &Wide,
    ) -> Result<(), Hresult> {
        let table = self.0.table::<super::table::ICLRControlVtbl>();
        // SAFETY: the handle keeps the object, and the texts are there for the length of the call.
        unsafe { (table.SetAppDomainManagerType)(self.0.as_ptr(), assembly.word(), class.word()) }
            .ok()
    }
}

impl ICLRGCManager {
    /// Figures, of the groups in `flags` (`COR_GC_STAT_TYPES`).
    ///
    /// # Errors
    /// `E_NOTIMPL` without performance counters.
    pub fn stats(&self, flags: u32) -> Result<COR_GC_STATS, Hresult> {
        let table = self.0.table::<super::table::ICLRGCManagerVtbl>();
        let mut stats = COR_GC_STATS {
            Flags: flags,
            ExplicitGCCount: 0,
            GenCollectionsTaken: [0; 3],
            CommittedKBytes: 0,
            ReservedKBytes: 0,
            Gen0HeapSizeKBytes: 0,
            Gen1HeapSizeKBytes: 0,
            Gen2HeapSizeKBytes: 0,
            LargeObjectHeapSizeKBytes: 0,
            KBytesPromotedFromGen0: 0,
            KBytesPromotedFromGen1: 0,
        };
        // SAFETY: the handle keeps the object, and the structure is there for the length of the call.
        unsafe { (table.GetStats)(self.0.as_ptr(), &raw mut stats) }.ok()?;
        Ok(stats)
    }
}

impl ICLRRuntimeHost {
    /// Runs a closure in a domain, on the calling thread. A panic in it is `E_FAIL` to the runtime, and goes on here.
    ///
    /// # Errors
    /// What the closure or the runtime answers: `COR_E_APPDOMAINUNLOADED` when the domain is gone.
    ///
    /// # Panics
    /// With the closure's panic.
    pub fn execute_in_app_domain<F>(&self, domain: u32, work: F) -> Result<(), Hresult>
    where
        F: FnOnce() -> Hresult,
    {
        struct Call<F> {
            work: Option<F>,
            panic: Option<Box<dyn std::any::Any + Send>>,
        }
        unsafe extern "system" fn run<F: FnOnce() -> Hresult>(cookie: *mut c_void) -> Hresult {
            // SAFETY: the cookie is the call below, which waits for us and does not look meanwhile.
            let call = unsafe { &mut *cookie.cast::<Call<F>>() };
            let Some(work) = call.work.take() else {
                return Hresult::E_UNEXPECTED;
            };
            catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
                call.panic = Some(panic);
                Hresult::E_FAIL
            })
        }
        let table = self.0.table::<super::table::ICLRRuntimeHostVtbl>();
        let mut call = Call {
            work: Some(work),
            panic: None,
        };
        let cookie = (&raw mut call).cast();
        // SAFETY: the handle keeps the object; the function fits the cookie, which is there for the length of the call.
        let answer =
            unsafe { (table.ExecuteInAppDomain)(self.0.as_ptr(), domain, Some(run::<F>), cookie) };
        if let Some(panic) = call.panic {
            std::panic::resume_unwind(panic);
        }
        answer.ok()
    }

    /// Runs an application by its full name, before the runtime is started. Returns what it returned.
    ///
    /// # Errors
    /// `E_UNEXPECTED` after the start.
    pub fn execute_application(
        &self,
        name: &Wide,
        manifest_paths: &[Wide],
        activation_data: &[Wide],
    ) -> Result<i32, Hresult> {
        let (path_count, mut paths) = addresses(manifest_paths)?;
        let (data_count, mut data) = addresses(activation_data)?;
        let table = self.0.table::<super::table::ICLRRuntimeHostVtbl>();
        let mut result = 0;
        // SAFETY: the handle keeps the object; texts, lists and result are there for the length of the call.
        unsafe {
            (table.ExecuteApplication)(
                self.0.as_ptr(),
                name.word(),
                path_count,
                paths.as_mut_ptr(),
                data_count,
                data.as_mut_ptr(),
                &raw mut result,
            )
        }
        .ok()?;
        Ok(result)
    }
}

impl IStream {
    /// Writes there, and says how much was taken.
    ///
    /// # Errors
    /// What the stream answers.
    pub fn write(&self, bytes: &[u8]) -> Result<usize, Hresult> {
        let table = self.0.table::<super::table::IStreamVtbl>();
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let mut written = 0;
        // SAFETY: the handle keeps the object; the bytes, which it only reads, and the count are there for the length of the
        // call.
        unsafe {
            let bytes = bytes.as_ptr().cast_mut().cast();
            (table.Write)(self.0.as_ptr(), bytes, length, &raw mut written)
        }
        .ok()?;
        Ok(written.min(length) as usize)
    }
}
