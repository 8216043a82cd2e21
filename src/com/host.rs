//! The interfaces that the host implements, one entry for each method.
//!
//! Each is a trait that anybody may implement without unsafe code; [`ComRef::new`](super::ComRef::new) makes an object of an
//! implementation. The documentation says what a method is asked to do; who may call it when, and what a runtime makes of
//! each answer, stands with the implementations of this crate.
//!
//! Room for unsafe code: the thunks.

use std::ffi::{c_char, c_void};

use super::argument::{FileName, Handle, Manager, Optional, QueueFlags, Work};
use super::bind::{AssemblyRequest, ModuleRequest};
use super::clr::{
    self, ICLRAssemblyReferenceList, ICLRIoCompletionManager, ICLRMemoryNotificationCallback,
    ICLRSyncManager, ICLRTask, ICLRTaskManager, IUnknown,
};
use super::event::ClrEvent;
use super::heap::Block;
use super::interface::host_interface;
use super::object::{ComRef, HostInterface, Listed};
use super::overlapped::NewOverlapped;
use super::pages::{Address, RegionPlace};
use super::stream::{ReadPlace, StatPlace, WriteBytes};
use super::table::{AssemblyBindInfo, ModuleBindInfo, STATSTG, ThreadStartRoutine};
use super::{
    EClrFailure, EClrOperation, EContextType, EMemoryCriticalLevel, EPolicyAction, Guid,
    MALLOC_TYPE, WAIT_OPTION,
};

host_interface! {
    /// Where a runtime asks for everything else.
    IHostControl IHostControlVtbl IID_IHostControl;

    /// The manager of this identifier; the answers never change.
    fn host_manager = GetHostManager(iid: Guid [riid: *const Guid]) -> (object: Manager);

    /// The object that manages a domain, once for each domain.
    fn set_app_domain_manager = SetAppDomainManager(
        domain: u32 [id: u32], manager: IUnknown [unknown: *mut c_void]
    ) -> ();
}

host_interface! {
    /// Tasks, as the runtime sees them: all but two of its methods act on the calling task.
    IHostTaskManager IHostTaskManagerVtbl IID_IHostTaskManager;

    /// The calling task.
    fn current_task = GetCurrentTask() -> (task: ComRef<dyn IHostTask>);

    /// A task that does nothing until it is started. A stack size of 0 is the default.
    fn create_task = CreateTask(
        stack_size: u32 [size: u32], work: Work [start: Option<ThreadStartRoutine>, parameter: *mut c_void]
    ) -> (task: ComRef<dyn IHostTask>);

    /// Waits for a time.
    fn sleep = Sleep(milliseconds: u32 [time: u32], option: WAIT_OPTION [flags: u32]) -> ();

    /// Lets others run. An error of `S_FALSE` says that nobody else ran.
    fn switch_to_task = SwitchToTask(option: WAIT_OPTION [flags: u32]) -> ();

    /// The culture of the calling task's user interface has changed.
    @optional
    fn set_ui_locale = SetUILocale(locale: u32 [lcid: u32]) -> ();

    /// The culture of the calling task has changed.
    @optional
    fn set_locale = SetLocale(locale: u32 [lcid: u32]) -> ();

    /// Whether a call of this unmanaged function is to be announced.
    @always
    fn call_needs_host_hook = CallNeedsHostHook(target: usize [address: usize]) -> (needs: bool);

    /// The calling task goes to unmanaged code. It is refused before anything has changed, or not at all.
    @always
    fn leave_runtime = LeaveRuntime(target: usize [address: usize]) -> ();

    /// It is back.
    @always
    fn enter_runtime = EnterRuntime() -> ();

    /// Managed code that unmanaged code had called goes back to it.
    @always
    fn reverse_leave_runtime = ReverseLeaveRuntime() -> ();

    /// Unmanaged code calls managed code.
    fn reverse_enter_runtime = ReverseEnterRuntime() -> ();

    /// From now on the host does not abort the calling task.
    fn begin_delay_abort = BeginDelayAbort() -> ();

    /// It may again.
    @always
    fn end_delay_abort = EndDelayAbort() -> ();

    /// The calling task is not to leave its OS thread. Counted.
    @always
    fn begin_thread_affinity = BeginThreadAffinity() -> ();

    /// One of them ends.
    @always
    fn end_thread_affinity = EndThreadAffinity() -> ();

    /// So many bytes are to stay usable at the end of the calling task's stack.
    @optional
    fn set_stack_guarantee = SetStackGuarantee(bytes: u32 [guarantee: u32]) -> ();

    /// How many do.
    @optional
    fn stack_guarantee = GetStackGuarantee() -> (guarantee: u32);

    /// The runtime's side of tasks, once.
    fn set_clr_task_manager = SetCLRTaskManager(manager: ICLRTaskManager [pointer: *mut c_void]) -> ();
}

host_interface! {
    /// One task, to be used by anybody at any time.
    IHostTask IHostTaskVtbl IID_IHostTask;

    /// Lets it run.
    fn start = Start() -> ();

    /// Ends the alertable wait that it is in, or the next one.
    fn alert = Alert() -> ();

    /// Waits until it has ended.
    fn join = Join(milliseconds: u32 [time: u32], option: WAIT_OPTION [flags: u32]) -> ();

    /// How urgent it is, by the numbers of Win32.
    fn set_priority = SetPriority(priority: i32 [new: i32]) -> ();

    /// What was set last.
    fn priority = GetPriority() -> (priority: i32);

    /// Ties the runtime's task to it.
    fn set_clr_task = SetCLRTask(task: ICLRTask [pointer: *mut c_void]) -> ();
}

host_interface! {
    /// Makes what tasks wait for.
    IHostSyncManager IHostSyncManagerVtbl IID_IHostSyncManager;

    /// The runtime's side, once: it knows who owns what is behind a cookie.
    fn set_clr_sync_manager = SetCLRSyncManager(manager: ICLRSyncManager [pointer: *mut c_void]) -> ();

    /// A critical section.
    fn create_crst = CreateCrst() -> (section: ComRef<dyn IHostCrst>);

    /// The same, whose `Enter` looks so often before it waits.
    fn create_crst_with_spin_count = CreateCrstWithSpinCount(spins: u32 [count: u32])
        -> (section: ComRef<dyn IHostCrst>);

    /// An event that lets one through for each set. It is not set.
    fn create_auto_event = CreateAutoEvent() -> (event: ComRef<dyn IHostAutoEvent>);

    /// An event that stays set.
    fn create_manual_event = CreateManualEvent(set: bool [initial: i32]) -> (event: ComRef<dyn IHostManualEvent>);

    /// The event behind a managed monitor.
    fn create_monitor_event = CreateMonitorEvent(cookie: usize [number: usize])
        -> (event: ComRef<dyn IHostAutoEvent>);

    /// The event on which writers of a managed reader-writer lock wait.
    fn create_rwlock_writer_event = CreateRWLockWriterEvent(cookie: usize [number: usize])
        -> (event: ComRef<dyn IHostAutoEvent>);

    /// The event on which its readers wait.
    fn create_rwlock_reader_event = CreateRWLockReaderEvent(
        set: bool [initial: i32], cookie: usize [number: usize]
    ) -> (event: ComRef<dyn IHostManualEvent>);

    /// A semaphore with so many permits now and at most.
    fn create_semaphore = CreateSemaphore(initial: u32 [now: u32], most: u32 [max: u32])
        -> (semaphore: ComRef<dyn IHostSemaphore>);
}

host_interface! {
    /// A critical section: recursive, and owned by a task, or by an OS thread without one.
    IHostCrst IHostCrstVtbl IID_IHostCrst with Option<std::sync::Arc<super::recursive::Recursive>>;

    /// Waits until the caller owns it.
    @quick
    fn enter = Enter(option: WAIT_OPTION [flags: u32]) -> ();

    /// Gives back what one enter took.
    @quick @always
    fn leave = Leave() -> ();

    /// Takes it if it is free or the caller's. Says whether it is the caller's now.
    fn try_enter = TryEnter(option: WAIT_OPTION [flags: u32]) -> (succeeded: bool);

    /// How often `Enter` looks before it waits.
    fn set_spin_count = SetSpinCount(spins: u32 [count: u32]) -> ();
}

host_interface! {
    /// An event that lets one waiter through for each set.
    IHostAutoEvent IHostAutoEventVtbl IID_IHostAutoEvent;

    /// Waits for a set and takes it.
    fn wait = Wait(milliseconds: u32 [time: u32], option: WAIT_OPTION [flags: u32]) -> ();

    /// Lets the longest waiting one through, or the next that comes.
    fn set = Set() -> ();
}

host_interface! {
    /// An event that lets everybody through while it is set.
    IHostManualEvent IHostManualEventVtbl IID_IHostManualEvent;

    /// Waits until it is set.
    fn wait = Wait(milliseconds: u32 [time: u32], option: WAIT_OPTION [flags: u32]) -> ();

    /// Whoever comes from now on waits.
    fn reset = Reset() -> ();

    /// Lets everybody through.
    fn set = Set() -> ();
}

host_interface! {
    /// A number of permits.
    IHostSemaphore IHostSemaphoreVtbl IID_IHostSemaphore;

    /// Waits for a permit and takes it.
    fn wait = Wait(milliseconds: u32 [time: u32], option: WAIT_OPTION [flags: u32]) -> ();

    /// Brings permits. Gives how many there were, to whoever wants to know.
    fn release = ReleaseSemaphore(count: i32 [permits: i32]) -> (previous: Optional<i32>);
}

host_interface! {
    /// Runs short pieces of work.
    IHostThreadpoolManager IHostThreadpoolManagerVtbl IID_IHostThreadpoolManager;

    /// Work to be run once, on a task at its base.
    fn queue_user_work_item = QueueUserWorkItem(
        work: Work [function: Option<ThreadStartRoutine>, context: *mut c_void], flags: QueueFlags [number: u32]
    ) -> ();

    /// The most that may run at once.
    @optional
    fn set_max_threads = SetMaxThreads(threads: u32 [max: u32]) -> ();

    /// That number.
    @optional
    fn max_threads = GetMaxThreads() -> (threads: u32);

    /// How many more could run now.
    @optional
    fn available_threads = GetAvailableThreads() -> (threads: u32);

    /// How many are kept for work that comes.
    @optional
    fn set_min_threads = SetMinThreads(threads: u32 [min: u32]) -> ();

    /// That number.
    @optional
    fn min_threads = GetMinThreads() -> (threads: u32);
}

host_interface! {
    /// Told of collections.
    IHostGCManager IHostGCManagerVtbl IID_IHostGCManager;

    /// The calling thread is about to wait for the end of a collection.
    fn thread_is_blocking_for_suspension = ThreadIsBlockingForSuspension() -> ();

    /// The calling thread begins to stop the others.
    fn suspension_starting = SuspensionStarting() -> ();

    /// It has let them go on. The generation is `u32::MAX` if it was not for a collection.
    fn suspension_ending = SuspensionEnding(generation: u32 [number: u32]) -> ();
}

host_interface! {
    /// Told of what the runtime is about to do about trouble.
    IHostPolicyManager IHostPolicyManagerVtbl IID_IHostPolicyManager;

    /// The default action of an operation is taken.
    fn on_default_action = OnDefaultAction(
        operation: EClrOperation [what: u32], action: EPolicyAction [how: u32]
    ) -> ();

    /// The action for an operation that took too long is taken.
    fn on_timeout = OnTimeout(operation: EClrOperation [what: u32], action: EPolicyAction [how: u32]) -> ();

    /// The action for a failure is taken.
    fn on_failure = OnFailure(failure: EClrFailure [what: u32], action: EPolicyAction [how: u32]) -> ();
}

host_interface! {
    /// Memory for the runtime. Its calls come with locks of the runtime's held, and may wait for nothing of it.
    IHostMemoryManager IHostMemoryManagerVtbl IID_IHostMemoryManager;

    /// A heap. All of them may be used by several threads at once.
    fn create_malloc = CreateMalloc(kind: MALLOC_TYPE [flags: u32]) -> (malloc: ComRef<dyn IHostMalloc>);

    /// Reserves addresses, commits pages, or both, as the function of that name.
    fn virtual_alloc = VirtualAlloc(
        start: Address [pointer: *mut c_void], size: usize [bytes: usize], how: u32 [kind: u32],
        protection: u32 [flags: u32], level: EMemoryCriticalLevel [critical: u32]
    ) -> (memory: Address);

    /// Gives them back.
    @always
    fn virtual_free = VirtualFree(
        start: Address [pointer: *mut c_void], size: usize [bytes: usize], how: u32 [kind: u32]
    ) -> ();

    /// What is at an address. Gives how many bytes the answer has.
    fn virtual_query = VirtualQuery(
        start: Address [pointer: *mut c_void], place: RegionPlace [buffer: *mut c_void, length: usize]
    ) -> (written: usize);

    /// Another protection for committed pages. Gives that of the first before.
    fn virtual_protect = VirtualProtect(
        start: Address [pointer: *mut c_void], size: usize [bytes: usize], protection: u32 [flags: u32]
    ) -> (before: u32);

    /// How much of the memory is in use, in percent, and how many bytes the runtime may still have.
    fn memory_load = GetMemoryLoad() -> (load: u32, available: usize);

    /// Whom to tell when memory gets scarce, once.
    fn register_memory_notification_callback = RegisterMemoryNotificationCallback(
        callback: ICLRMemoryNotificationCallback [pointer: *mut c_void]
    ) -> ();

    /// The runtime is about to take so many addresses from the system.
    fn needs_virtual_address_space = NeedsVirtualAddressSpace(
        start: Address [pointer: *mut c_void], size: usize [bytes: usize]
    ) -> ();

    /// It has taken them.
    fn acquired_virtual_address_space = AcquiredVirtualAddressSpace(
        start: Address [pointer: *mut c_void], size: usize [bytes: usize]
    ) -> ();

    /// It has given them back.
    @always
    fn released_virtual_address_space = ReleasedVirtualAddressSpace(start: Address [pointer: *mut c_void]) -> ();
}

host_interface! {
    /// A heap of a runtime's.
    IHostMalloc IHostMallocVtbl IID_IHostMalloc with Option<std::sync::Arc<super::heap::Quick>>;

    /// A block of so many bytes.
    @quick
    fn alloc = Alloc(size: usize [bytes: usize], level: EMemoryCriticalLevel [critical: u32]) -> (memory: Block);

    /// The same, with the place in the source that asks for it.
    fn debug_alloc = DebugAlloc(
        size: usize [bytes: usize], level: EMemoryCriticalLevel [critical: u32],
        file: FileName [name: *mut c_char], line: i32 [number: i32]
    ) -> (memory: Block);

    /// Gives a block back. None is right too.
    @quick @always
    fn free = Free(memory: Block [pointer: *mut c_void]) -> ();
}

host_interface! {
    /// Transfers that go on while nobody waits for them, and who is told of their end.
    IHostIoCompletionManager IHostIoCompletionManagerVtbl IID_IHostIoCompletionManager;

    /// A port: descriptors that are bound together.
    fn create_io_completion_port = CreateIoCompletionPort() -> (port: Handle);

    /// It goes, with what is bound to it; transfers that are on are cancelled.
    @always
    fn close_io_completion_port = CloseIoCompletionPort(port: Handle [handle: *mut c_void]) -> ();

    /// The most tasks that tell of completions at once.
    @optional
    fn set_max_threads = SetMaxThreads(threads: u32 [max: u32]) -> ();

    /// That number.
    @optional
    fn max_threads = GetMaxThreads() -> (threads: u32);

    /// How many more could run now.
    @optional
    fn available_threads = GetAvailableThreads() -> (threads: u32);

    /// How many bytes the host wants behind each `OVERLAPPED`.
    fn host_overlapped_size = GetHostOverlappedSize() -> (bytes: u32);

    /// Whom to tell of completions, once.
    fn set_clr_io_completion_manager = SetCLRIoCompletionManager(
        manager: ICLRIoCompletionManager [pointer: *mut c_void]
    ) -> ();

    /// Prepares the host's bytes behind an `OVERLAPPED`.
    fn initialize_host_overlapped = InitializeHostOverlapped(
        overlapped: NewOverlapped [pointer: *mut c_void]
    ) -> ();

    /// From now on transfers of this descriptor end in the port. No port is the default one.
    fn bind = Bind(port: Handle [handle: *mut c_void], descriptor: Handle [number: *mut c_void]) -> ();

    /// How many tasks are kept for completions that come.
    @optional
    fn set_min_threads = SetMinThreads(threads: u32 [min: u32]) -> ();

    /// That number.
    @optional
    fn min_threads = GetMinThreads() -> (threads: u32);
}

host_interface! {
    /// For whom the calling task acts.
    IHostSecurityManager IHostSecurityManagerVtbl IID_IHostSecurityManager;

    /// From now on for the user of this token.
    fn impersonate_logged_on_user = ImpersonateLoggedOnUser(token: Handle [handle: *mut c_void]) -> ();

    /// For nobody in particular any more.
    @always
    fn revert_to_self = RevertToSelf() -> ();

    /// The token by which it acts.
    fn open_thread_token = OpenThreadToken(
        access: u32 [rights: u32], as_self: bool [own: i32]
    ) -> (token: Handle);

    /// For the user of this token, or, without one, for nobody in particular.
    fn set_thread_token = SetThreadToken(token: Handle [handle: *mut c_void]) -> ();

    /// The context of the calling task, or the one for work that is to have few rights.
    fn security_context = GetSecurityContext(kind: EContextType [which: u32])
        -> (context: ComRef<dyn IHostSecurityContext>);

    /// The calling task acts in this context from now on.
    fn set_security_context = SetSecurityContext(
        kind: EContextType [which: u32], context: ComRef<dyn IHostSecurityContext> [pointer: *mut c_void]
    ) -> ();
}

host_interface! {
    /// For whom something is done, to be taken along.
    IHostSecurityContext IHostSecurityContextVtbl IID_IHostSecurityContext;

    /// An independent copy.
    fn capture = Capture() -> (copy: ComRef<dyn IHostSecurityContext>);
}

host_interface! {
    /// Where a runtime finds assemblies.
    IHostAssemblyManager IHostAssemblyManagerVtbl IID_IHostAssemblyManager;

    /// What the runtime loads without asking the host. No list: what it does not find itself.
    fn non_host_store_assemblies = GetNonHostStoreAssemblies() -> (list: Option<ICLRAssemblyReferenceList>);

    /// The host's store. `E_NOINTERFACE`: there is none.
    fn assembly_store = GetAssemblyStore() -> (store: ComRef<dyn IHostAssemblyStore>);
}

host_interface! {
    /// The images of assemblies and modules. The answers for one identity never change.
    IHostAssemblyStore IHostAssemblyStoreVtbl IID_IHostAssemblyStore;

    /// An assembly: a number that no other image of the process has, a value for managed code, the image, and its symbols if
    /// there are any.
    fn provide_assembly = ProvideAssembly(request: AssemblyRequest [info: *mut AssemblyBindInfo]) -> (
        id: u64, context: u64, image: ComRef<dyn IStream>, symbols: Option<ComRef<dyn IStream>>
    );

    /// A module of an assembly with several.
    fn provide_module = ProvideModule(request: ModuleRequest [info: *mut ModuleBindInfo]) -> (
        id: u32, image: ComRef<dyn IStream>, symbols: Option<ComRef<dyn IStream>>
    );
}

host_interface! {
    /// Bytes, to be read from a place that moves on.
    IStream IStreamVtbl IID_IStream;

    /// Reads from its place on. Gives how many bytes there were; fewer than there is room for are the last ones.
    fn read = Read(into: ReadPlace [buffer: *mut c_void, length: u32]) -> (count: Optional<u32>);

    /// Writes there.
    fn write = Write(bytes: WriteBytes [buffer: *mut c_void, length: u32]) -> (count: Optional<u32>);

    /// Moves the place: from the beginning, from where it is, or from the end. Gives where it is then.
    fn seek = Seek(distance: i64 [move_by: i64], origin: u32 [from: u32]) -> (position: Optional<u64>);

    /// Makes it longer or shorter.
    fn set_size = SetSize(size: u64 [bytes: u64]) -> ();

    /// Copies so many bytes from its place on to another stream. Gives how many were read and written.
    fn copy_to = CopyTo(target: clr::IStream [stream: *mut c_void], count: u64 [bytes: u64])
        -> (taken: Optional<u64>, given: Optional<u64>);

    /// Makes sure that what was written stays.
    fn commit = Commit(flags: u32 [how: u32]) -> ();

    /// Takes back what was written.
    fn revert = Revert() -> ();

    /// Keeps others away from a part.
    fn lock_region = LockRegion(offset: u64 [start: u64], count: u64 [bytes: u64], kind: u32 [how: u32]) -> ();

    /// And lets them in again.
    fn unlock_region = UnlockRegion(offset: u64 [start: u64], count: u64 [bytes: u64], kind: u32 [how: u32]) -> ();

    /// What is known of it.
    fn stat = Stat(place: StatPlace [known: *mut STATSTG], flags: u32 [how: u32]) -> ();

    /// The same bytes, with a place of its own, which is where this one's is.
    fn clone_stream = Clone() -> (copy: ComRef<dyn IStream>);
}

host_interface! {
    /// Told of a runtime's events, if it was given to [`ICLROnEventManager`](clr::ICLROnEventManager).
    IActionOnCLREvent IActionOnCLREventVtbl IID_IActionOnCLREvent;

    /// One has come. It may be a thread in trouble with little stack that says so, and others wait for the answer.
    fn on_event = OnEvent(event: ClrEvent [kind: u32, data: *mut c_void]) -> ();
}

/// All interfaces that we implement. The macro below says so of each, and the compiler that none is missing.
macro_rules! implemented {
    ($($interface:ident)*) => {
        /// The names of the interfaces that a host implements, as the headers call them.
        pub const IMPLEMENTED: &[&str] = &[$(stringify!($interface)),*];

        $(impl Listed for dyn $interface {})*

        /// Whether an object with this table is one of ours: then it is nothing that a runtime could give us.
        pub(super) fn is_table_of_ours(table: *const c_void) -> bool {
            [$(<dyn $interface>::table()),*].contains(&table)
        }
    };
}

implemented! {
    IHostControl
    IHostTaskManager
    IHostTask
    IHostSyncManager
    IHostCrst
    IHostAutoEvent
    IHostManualEvent
    IHostSemaphore
    IHostThreadpoolManager
    IHostGCManager
    IHostPolicyManager
    IHostMemoryManager
    IHostMalloc
    IHostIoCompletionManager
    IHostSecurityManager
    IHostSecurityContext
    IHostAssemblyManager
    IHostAssemblyStore
    IStream
    IActionOnCLREvent
}
