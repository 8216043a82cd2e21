// Made from `hosting-abi.json` and `ole-abi.json` by `tests/hosting_abi.rs`, which also says how to make it anew.
// Not to be changed by hand.

use std::ffi::{c_char, c_void};
use std::mem::{offset_of, size_of};

use super::guid::Guid;
use super::hresult::Hresult;
use super::describe::{Field, Interface, Method, Parameter, Structure};

pub type ThreadStartRoutine = unsafe extern "system" fn(*mut c_void) -> u32;
pub type WaitOrTimerCallback = unsafe extern "system" fn(*mut c_void, i32);
pub type ExecuteInAppDomainCallback = unsafe extern "system" fn(*mut c_void) -> Hresult;

#[derive(Clone, Copy)]
#[repr(C)]
pub struct AssemblyBindInfo {
    pub dwAppDomainId: u32,
    pub lpReferencedIdentity: *const u16,
    pub lpPostPolicyIdentity: *const u16,
    pub ePolicyLevel: u32,
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct BucketParameters {
    pub fInited: i32,
    pub pszEventTypeName: [u16; 255],
    pub pszParams: [[u16; 255]; 10],
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct COR_GC_STATS {
    pub Flags: u32,
    pub ExplicitGCCount: usize,
    pub GenCollectionsTaken: [usize; 3],
    pub CommittedKBytes: usize,
    pub ReservedKBytes: usize,
    pub Gen0HeapSizeKBytes: usize,
    pub Gen1HeapSizeKBytes: usize,
    pub Gen2HeapSizeKBytes: usize,
    pub LargeObjectHeapSizeKBytes: usize,
    pub KBytesPromotedFromGen0: usize,
    pub KBytesPromotedFromGen1: usize,
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct COR_GC_THREAD_STATS {
    pub PerThreadAllocation: u64,
    pub Flags: u32,
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct CustomDumpItem {
    pub itemKind: u32,
    pub pReserved: usize,
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct MDAInfo {
    pub lpMDACaption: *const u16,
    pub lpMDAMessage: *const u16,
    pub lpStackTrace: *const u16,
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct ModuleBindInfo {
    pub dwAppDomainId: u32,
    pub lpAssemblyIdentity: *const u16,
    pub lpModuleName: *const u16,
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct OVERLAPPED {
    pub Internal: usize,
    pub InternalHigh: usize,
    pub Offset: u32,
    pub OffsetHigh: u32,
    pub hEvent: *mut c_void,
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct STATSTG {
    pub pwcsName: *mut u16,
    pub r#type: u32,
    pub cbSize: u64,
    pub mtime: [u32; 2],
    pub ctime: [u32; 2],
    pub atime: [u32; 2],
    pub grfMode: u32,
    pub grfLocksSupported: u32,
    pub clsid: Guid,
    pub grfStateBits: u32,
    pub reserved: u32,
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct StackOverflowInfo {
    pub soType: u32,
    pub pExceptionInfo: *mut c_void,
}

pub const IID_IUnknown: Guid = Guid::from_u128(0x00000000_0000_0000_c000_000000000046);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct IUnknownVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
}

pub const IID_IHostControl: Guid = Guid::from_u128(0x02ca073c_7079_4860_880a_c2f7a449c991);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct IHostControlVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub GetHostManager: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppObject: *mut *mut c_void) -> Hresult,
    pub SetAppDomainManager: unsafe extern "system" fn(this: *mut c_void, dwAppDomainID: u32, pUnkAppDomainManager: *mut c_void) -> Hresult,
}

pub const IID_ICLRControl: Guid = Guid::from_u128(0x9065597e_d1a1_4fb2_b6ba_7e1fce230f61);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct ICLRControlVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub GetCLRManager: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppObject: *mut *mut c_void) -> Hresult,
    pub SetAppDomainManagerType: unsafe extern "system" fn(this: *mut c_void, pwzAppDomainManagerAssembly: *const u16, pwzAppDomainManagerType: *const u16) -> Hresult,
}

pub const IID_ICLRRuntimeHost: Guid = Guid::from_u128(0x90f1a06c_7712_4762_86b5_7a5eba6bdb02);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct ICLRRuntimeHostVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Start: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub Stop: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub SetHostControl: unsafe extern "system" fn(this: *mut c_void, pHostControl: *mut c_void) -> Hresult,
    pub GetCLRControl: unsafe extern "system" fn(this: *mut c_void, pCLRControl: *mut *mut c_void) -> Hresult,
    pub UnloadAppDomain: unsafe extern "system" fn(this: *mut c_void, dwAppDomainId: u32, fWaitUntilDone: i32) -> Hresult,
    pub ExecuteInAppDomain: unsafe extern "system" fn(this: *mut c_void, dwAppDomainId: u32, pCallback: Option<ExecuteInAppDomainCallback>, cookie: *mut c_void) -> Hresult,
    pub GetCurrentAppDomainId: unsafe extern "system" fn(this: *mut c_void, pdwAppDomainId: *mut u32) -> Hresult,
    pub ExecuteApplication: unsafe extern "system" fn(this: *mut c_void, pwzAppFullName: *const u16, dwManifestPaths: u32, ppwzManifestPaths: *mut *const u16, dwActivationData: u32, ppwzActivationData: *mut *const u16, pReturnValue: *mut i32) -> Hresult,
    pub ExecuteInDefaultAppDomain: unsafe extern "system" fn(this: *mut c_void, pwzAssemblyPath: *const u16, pwzTypeName: *const u16, pwzMethodName: *const u16, pwzArgument: *const u16, pReturnValue: *mut u32) -> Hresult,
}

pub const IID_IHostTaskManager: Guid = Guid::from_u128(0x997ff24c_43b7_4352_8667_0dc04fafd354);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct IHostTaskManagerVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub GetCurrentTask: unsafe extern "system" fn(this: *mut c_void, pTask: *mut *mut c_void) -> Hresult,
    pub CreateTask: unsafe extern "system" fn(this: *mut c_void, dwStackSize: u32, pStartAddress: Option<ThreadStartRoutine>, pParameter: *mut c_void, ppTask: *mut *mut c_void) -> Hresult,
    pub Sleep: unsafe extern "system" fn(this: *mut c_void, dwMilliseconds: u32, option: u32) -> Hresult,
    pub SwitchToTask: unsafe extern "system" fn(this: *mut c_void, option: u32) -> Hresult,
    pub SetUILocale: unsafe extern "system" fn(this: *mut c_void, lcid: u32) -> Hresult,
    pub SetLocale: unsafe extern "system" fn(this: *mut c_void, lcid: u32) -> Hresult,
    pub CallNeedsHostHook: unsafe extern "system" fn(this: *mut c_void, target: usize, pbCallNeedsHostHook: *mut i32) -> Hresult,
    pub LeaveRuntime: unsafe extern "system" fn(this: *mut c_void, target: usize) -> Hresult,
    pub EnterRuntime: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub ReverseLeaveRuntime: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub ReverseEnterRuntime: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub BeginDelayAbort: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub EndDelayAbort: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub BeginThreadAffinity: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub EndThreadAffinity: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub SetStackGuarantee: unsafe extern "system" fn(this: *mut c_void, guarantee: u32) -> Hresult,
    pub GetStackGuarantee: unsafe extern "system" fn(this: *mut c_void, pGuarantee: *mut u32) -> Hresult,
    pub SetCLRTaskManager: unsafe extern "system" fn(this: *mut c_void, ppManager: *mut c_void) -> Hresult,
}

pub const IID_IHostTask: Guid = Guid::from_u128(0xc2275828_c4b1_4b55_82c9_92135f74df1a);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct IHostTaskVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Start: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub Alert: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub Join: unsafe extern "system" fn(this: *mut c_void, dwMilliseconds: u32, option: u32) -> Hresult,
    pub SetPriority: unsafe extern "system" fn(this: *mut c_void, newPriority: i32) -> Hresult,
    pub GetPriority: unsafe extern "system" fn(this: *mut c_void, pPriority: *mut i32) -> Hresult,
    pub SetCLRTask: unsafe extern "system" fn(this: *mut c_void, pCLRTask: *mut c_void) -> Hresult,
}

pub const IID_ICLRTaskManager: Guid = Guid::from_u128(0x4862efbe_3ae5_44f8_8feb_346190ee8a34);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct ICLRTaskManagerVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub CreateTask: unsafe extern "system" fn(this: *mut c_void, pTask: *mut *mut c_void) -> Hresult,
    pub GetCurrentTask: unsafe extern "system" fn(this: *mut c_void, pTask: *mut *mut c_void) -> Hresult,
    pub SetUILocale: unsafe extern "system" fn(this: *mut c_void, lcid: u32) -> Hresult,
    pub SetLocale: unsafe extern "system" fn(this: *mut c_void, lcid: u32) -> Hresult,
    pub GetCurrentTaskType: unsafe extern "system" fn(this: *mut c_void, pTaskType: *mut u32) -> Hresult,
}

pub const IID_ICLRTask: Guid = Guid::from_u128(0x28e66a4a_9906_4225_b231_9187c3eb8611);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct ICLRTaskVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub SwitchIn: unsafe extern "system" fn(this: *mut c_void, threadHandle: *mut c_void) -> Hresult,
    pub SwitchOut: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub GetMemStats: unsafe extern "system" fn(this: *mut c_void, memUsage: *mut COR_GC_THREAD_STATS) -> Hresult,
    pub Reset: unsafe extern "system" fn(this: *mut c_void, fFull: i32) -> Hresult,
    pub ExitTask: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub Abort: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub RudeAbort: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub NeedsPriorityScheduling: unsafe extern "system" fn(this: *mut c_void, pbNeedsPriorityScheduling: *mut i32) -> Hresult,
    pub YieldTask: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub LocksHeld: unsafe extern "system" fn(this: *mut c_void, pLockCount: *mut usize) -> Hresult,
    pub SetTaskIdentifier: unsafe extern "system" fn(this: *mut c_void, asked: u64) -> Hresult,
}

pub const IID_ICLRTask2: Guid = Guid::from_u128(0x28e66a4a_9906_4225_b231_9187c3eb8612);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct ICLRTask2Vtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub SwitchIn: unsafe extern "system" fn(this: *mut c_void, threadHandle: *mut c_void) -> Hresult,
    pub SwitchOut: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub GetMemStats: unsafe extern "system" fn(this: *mut c_void, memUsage: *mut COR_GC_THREAD_STATS) -> Hresult,
    pub Reset: unsafe extern "system" fn(this: *mut c_void, fFull: i32) -> Hresult,
    pub ExitTask: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub Abort: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub RudeAbort: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub NeedsPriorityScheduling: unsafe extern "system" fn(this: *mut c_void, pbNeedsPriorityScheduling: *mut i32) -> Hresult,
    pub YieldTask: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub LocksHeld: unsafe extern "system" fn(this: *mut c_void, pLockCount: *mut usize) -> Hresult,
    pub SetTaskIdentifier: unsafe extern "system" fn(this: *mut c_void, asked: u64) -> Hresult,
    pub BeginPreventAsyncAbort: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub EndPreventAsyncAbort: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
}

pub const IID_IHostSyncManager: Guid = Guid::from_u128(0x234330c7_5f10_4f20_9615_5122dab7a0ac);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct IHostSyncManagerVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub SetCLRSyncManager: unsafe extern "system" fn(this: *mut c_void, pManager: *mut c_void) -> Hresult,
    pub CreateCrst: unsafe extern "system" fn(this: *mut c_void, ppCrst: *mut *mut c_void) -> Hresult,
    pub CreateCrstWithSpinCount: unsafe extern "system" fn(this: *mut c_void, dwSpinCount: u32, ppCrst: *mut *mut c_void) -> Hresult,
    pub CreateAutoEvent: unsafe extern "system" fn(this: *mut c_void, ppEvent: *mut *mut c_void) -> Hresult,
    pub CreateManualEvent: unsafe extern "system" fn(this: *mut c_void, bInitialState: i32, ppEvent: *mut *mut c_void) -> Hresult,
    pub CreateMonitorEvent: unsafe extern "system" fn(this: *mut c_void, Cookie: usize, ppEvent: *mut *mut c_void) -> Hresult,
    pub CreateRWLockWriterEvent: unsafe extern "system" fn(this: *mut c_void, Cookie: usize, ppEvent: *mut *mut c_void) -> Hresult,
    pub CreateRWLockReaderEvent: unsafe extern "system" fn(this: *mut c_void, bInitialState: i32, Cookie: usize, ppEvent: *mut *mut c_void) -> Hresult,
    pub CreateSemaphore: unsafe extern "system" fn(this: *mut c_void, dwInitial: u32, dwMax: u32, ppSemaphore: *mut *mut c_void) -> Hresult,
}

pub const IID_IHostCrst: Guid = Guid::from_u128(0x6df710a6_26a4_4a65_8cd5_7237b8bda8dc);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct IHostCrstVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Enter: unsafe extern "system" fn(this: *mut c_void, option: u32) -> Hresult,
    pub Leave: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub TryEnter: unsafe extern "system" fn(this: *mut c_void, option: u32, pbSucceeded: *mut i32) -> Hresult,
    pub SetSpinCount: unsafe extern "system" fn(this: *mut c_void, dwSpinCount: u32) -> Hresult,
}

pub const IID_IHostAutoEvent: Guid = Guid::from_u128(0x50b0cfce_4063_4278_9673_e5cb4ed0bdb8);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct IHostAutoEventVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Wait: unsafe extern "system" fn(this: *mut c_void, dwMilliseconds: u32, option: u32) -> Hresult,
    pub Set: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
}

pub const IID_IHostManualEvent: Guid = Guid::from_u128(0x1bf4ec38_affe_4fb9_85a6_525268f15b54);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct IHostManualEventVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Wait: unsafe extern "system" fn(this: *mut c_void, dwMilliseconds: u32, option: u32) -> Hresult,
    pub Reset: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub Set: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
}

pub const IID_IHostSemaphore: Guid = Guid::from_u128(0x855efd47_cc09_463a_a97d_16acab882661);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct IHostSemaphoreVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Wait: unsafe extern "system" fn(this: *mut c_void, dwMilliseconds: u32, option: u32) -> Hresult,
    pub ReleaseSemaphore: unsafe extern "system" fn(this: *mut c_void, lReleaseCount: i32, lpPreviousCount: *mut i32) -> Hresult,
}

pub const IID_ICLRSyncManager: Guid = Guid::from_u128(0x55ff199d_ad21_48f9_a16c_f24ebbb8727d);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct ICLRSyncManagerVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub GetMonitorOwner: unsafe extern "system" fn(this: *mut c_void, Cookie: usize, ppOwnerHostTask: *mut *mut c_void) -> Hresult,
    pub CreateRWLockOwnerIterator: unsafe extern "system" fn(this: *mut c_void, Cookie: usize, pIterator: *mut usize) -> Hresult,
    pub GetRWLockOwnerNext: unsafe extern "system" fn(this: *mut c_void, Iterator: usize, ppOwnerHostTask: *mut *mut c_void) -> Hresult,
    pub DeleteRWLockOwnerIterator: unsafe extern "system" fn(this: *mut c_void, Iterator: usize) -> Hresult,
}

pub const IID_IHostThreadpoolManager: Guid = Guid::from_u128(0x983d50e2_cb15_466b_80fc_845dc6e8c5fd);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct IHostThreadpoolManagerVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub QueueUserWorkItem: unsafe extern "system" fn(this: *mut c_void, Function: Option<ThreadStartRoutine>, Context: *mut c_void, Flags: u32) -> Hresult,
    pub SetMaxThreads: unsafe extern "system" fn(this: *mut c_void, dwMaxWorkerThreads: u32) -> Hresult,
    pub GetMaxThreads: unsafe extern "system" fn(this: *mut c_void, pdwMaxWorkerThreads: *mut u32) -> Hresult,
    pub GetAvailableThreads: unsafe extern "system" fn(this: *mut c_void, pdwAvailableWorkerThreads: *mut u32) -> Hresult,
    pub SetMinThreads: unsafe extern "system" fn(this: *mut c_void, dwMinIOCompletionThreads: u32) -> Hresult,
    pub GetMinThreads: unsafe extern "system" fn(this: *mut c_void, pdwMinIOCompletionThreads: *mut u32) -> Hresult,
}

pub const IID_IHostIoCompletionManager: Guid = Guid::from_u128(0x8bde9d80_ec06_41d6_83e6_22580effcc20);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct IHostIoCompletionManagerVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub CreateIoCompletionPort: unsafe extern "system" fn(this: *mut c_void, phPort: *mut *mut c_void) -> Hresult,
    pub CloseIoCompletionPort: unsafe extern "system" fn(this: *mut c_void, hPort: *mut c_void) -> Hresult,
    pub SetMaxThreads: unsafe extern "system" fn(this: *mut c_void, dwMaxIOCompletionThreads: u32) -> Hresult,
    pub GetMaxThreads: unsafe extern "system" fn(this: *mut c_void, pdwMaxIOCompletionThreads: *mut u32) -> Hresult,
    pub GetAvailableThreads: unsafe extern "system" fn(this: *mut c_void, pdwAvailableIOCompletionThreads: *mut u32) -> Hresult,
    pub GetHostOverlappedSize: unsafe extern "system" fn(this: *mut c_void, pcbSize: *mut u32) -> Hresult,
    pub SetCLRIoCompletionManager: unsafe extern "system" fn(this: *mut c_void, pManager: *mut c_void) -> Hresult,
    pub InitializeHostOverlapped: unsafe extern "system" fn(this: *mut c_void, pvOverlapped: *mut c_void) -> Hresult,
    pub Bind: unsafe extern "system" fn(this: *mut c_void, hPort: *mut c_void, hHandle: *mut c_void) -> Hresult,
    pub SetMinThreads: unsafe extern "system" fn(this: *mut c_void, dwMinIOCompletionThreads: u32) -> Hresult,
    pub GetMinThreads: unsafe extern "system" fn(this: *mut c_void, pdwMinIOCompletionThreads: *mut u32) -> Hresult,
}

pub const IID_ICLRIoCompletionManager: Guid = Guid::from_u128(0x2d74ce86_b8d6_4c84_b3a7_9768933b3c12);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct ICLRIoCompletionManagerVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub OnComplete: unsafe extern "system" fn(this: *mut c_void, dwErrorCode: u32, NumberOfBytesTransferred: u32, pvOverlapped: *mut c_void) -> Hresult,
}

pub const IID_IHostMemoryManager: Guid = Guid::from_u128(0x7bc698d1_f9e3_4460_9cde_d04248e9fa25);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct IHostMemoryManagerVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub CreateMalloc: unsafe extern "system" fn(this: *mut c_void, dwMallocType: u32, ppMalloc: *mut *mut c_void) -> Hresult,
    pub VirtualAlloc: unsafe extern "system" fn(this: *mut c_void, pAddress: *mut c_void, dwSize: usize, flAllocationType: u32, flProtect: u32, eCriticalLevel: u32, ppMem: *mut *mut c_void) -> Hresult,
    pub VirtualFree: unsafe extern "system" fn(this: *mut c_void, lpAddress: *mut c_void, dwSize: usize, dwFreeType: u32) -> Hresult,
    pub VirtualQuery: unsafe extern "system" fn(this: *mut c_void, lpAddress: *mut c_void, lpBuffer: *mut c_void, dwLength: usize, pResult: *mut usize) -> Hresult,
    pub VirtualProtect: unsafe extern "system" fn(this: *mut c_void, lpAddress: *mut c_void, dwSize: usize, flNewProtect: u32, pflOldProtect: *mut u32) -> Hresult,
    pub GetMemoryLoad: unsafe extern "system" fn(this: *mut c_void, pMemoryLoad: *mut u32, pAvailableBytes: *mut usize) -> Hresult,
    pub RegisterMemoryNotificationCallback: unsafe extern "system" fn(this: *mut c_void, pCallback: *mut c_void) -> Hresult,
    pub NeedsVirtualAddressSpace: unsafe extern "system" fn(this: *mut c_void, startAddress: *mut c_void, size: usize) -> Hresult,
    pub AcquiredVirtualAddressSpace: unsafe extern "system" fn(this: *mut c_void, startAddress: *mut c_void, size: usize) -> Hresult,
    pub ReleasedVirtualAddressSpace: unsafe extern "system" fn(this: *mut c_void, startAddress: *mut c_void) -> Hresult,
}

pub const IID_IHostMalloc: Guid = Guid::from_u128(0x1831991c_cc53_4a31_b218_04e910446479);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct IHostMallocVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Alloc: unsafe extern "system" fn(this: *mut c_void, cbSize: usize, eCriticalLevel: u32, ppMem: *mut *mut c_void) -> Hresult,
    pub DebugAlloc: unsafe extern "system" fn(this: *mut c_void, cbSize: usize, eCriticalLevel: u32, pszFileName: *mut c_char, iLineNo: i32, ppMem: *mut *mut c_void) -> Hresult,
    pub Free: unsafe extern "system" fn(this: *mut c_void, pMem: *mut c_void) -> Hresult,
}

pub const IID_ICLRMemoryNotificationCallback: Guid = Guid::from_u128(0x47eb8e57_0846_4546_af76_6f42fcfc2649);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct ICLRMemoryNotificationCallbackVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub OnMemoryNotification: unsafe extern "system" fn(this: *mut c_void, eMemoryAvailable: u32) -> Hresult,
}

pub const IID_IHostGCManager: Guid = Guid::from_u128(0x5d4ec34e_f248_457b_b603_255faaba0d21);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct IHostGCManagerVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub ThreadIsBlockingForSuspension: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub SuspensionStarting: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub SuspensionEnding: unsafe extern "system" fn(this: *mut c_void, Generation: u32) -> Hresult,
}

pub const IID_ICLRGCManager: Guid = Guid::from_u128(0x54d9007e_a8e2_4885_b7bf_f998deee4f2a);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct ICLRGCManagerVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Collect: unsafe extern "system" fn(this: *mut c_void, Generation: i32) -> Hresult,
    pub GetStats: unsafe extern "system" fn(this: *mut c_void, pStats: *mut COR_GC_STATS) -> Hresult,
    pub SetGCStartupLimits: unsafe extern "system" fn(this: *mut c_void, SegmentSize: u32, MaxGen0Size: u32) -> Hresult,
}

pub const IID_ICLRGCManager2: Guid = Guid::from_u128(0x0603b793_a97a_4712_9cb4_0cd1c74c0f7c);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct ICLRGCManager2Vtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Collect: unsafe extern "system" fn(this: *mut c_void, Generation: i32) -> Hresult,
    pub GetStats: unsafe extern "system" fn(this: *mut c_void, pStats: *mut COR_GC_STATS) -> Hresult,
    pub SetGCStartupLimits: unsafe extern "system" fn(this: *mut c_void, SegmentSize: u32, MaxGen0Size: u32) -> Hresult,
    pub SetGCStartupLimitsEx: unsafe extern "system" fn(this: *mut c_void, SegmentSize: usize, MaxGen0Size: usize) -> Hresult,
}

pub const IID_IHostPolicyManager: Guid = Guid::from_u128(0x7ae49844_b1e3_4683_ba7c_1e8212ea3b79);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct IHostPolicyManagerVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub OnDefaultAction: unsafe extern "system" fn(this: *mut c_void, operation: u32, action: u32) -> Hresult,
    pub OnTimeout: unsafe extern "system" fn(this: *mut c_void, operation: u32, action: u32) -> Hresult,
    pub OnFailure: unsafe extern "system" fn(this: *mut c_void, failure: u32, action: u32) -> Hresult,
}

pub const IID_ICLRPolicyManager: Guid = Guid::from_u128(0x7d290010_d781_45da_a6f8_aa5d711a730e);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct ICLRPolicyManagerVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub SetDefaultAction: unsafe extern "system" fn(this: *mut c_void, operation: u32, action: u32) -> Hresult,
    pub SetTimeout: unsafe extern "system" fn(this: *mut c_void, operation: u32, dwMilliseconds: u32) -> Hresult,
    pub SetActionOnTimeout: unsafe extern "system" fn(this: *mut c_void, operation: u32, action: u32) -> Hresult,
    pub SetTimeoutAndAction: unsafe extern "system" fn(this: *mut c_void, operation: u32, dwMilliseconds: u32, action: u32) -> Hresult,
    pub SetActionOnFailure: unsafe extern "system" fn(this: *mut c_void, failure: u32, action: u32) -> Hresult,
    pub SetUnhandledExceptionPolicy: unsafe extern "system" fn(this: *mut c_void, policy: u32) -> Hresult,
}

pub const IID_ICLROnEventManager: Guid = Guid::from_u128(0x1d0e0132_e64f_493d_9260_025c0e32c175);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct ICLROnEventManagerVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub RegisterActionOnEvent: unsafe extern "system" fn(this: *mut c_void, event: u32, pAction: *mut c_void) -> Hresult,
    pub UnregisterActionOnEvent: unsafe extern "system" fn(this: *mut c_void, event: u32, pAction: *mut c_void) -> Hresult,
}

pub const IID_IActionOnCLREvent: Guid = Guid::from_u128(0x607be24b_d91b_4e28_a242_61871ce56e35);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct IActionOnCLREventVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub OnEvent: unsafe extern "system" fn(this: *mut c_void, event: u32, data: *mut c_void) -> Hresult,
}

pub const IID_IHostSecurityManager: Guid = Guid::from_u128(0x75ad2468_a349_4d02_a764_76a68aee0c4f);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct IHostSecurityManagerVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub ImpersonateLoggedOnUser: unsafe extern "system" fn(this: *mut c_void, hToken: *mut c_void) -> Hresult,
    pub RevertToSelf: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub OpenThreadToken: unsafe extern "system" fn(this: *mut c_void, dwDesiredAccess: u32, bOpenAsSelf: i32, phThreadToken: *mut *mut c_void) -> Hresult,
    pub SetThreadToken: unsafe extern "system" fn(this: *mut c_void, hToken: *mut c_void) -> Hresult,
    pub GetSecurityContext: unsafe extern "system" fn(this: *mut c_void, eContextType: u32, ppSecurityContext: *mut *mut c_void) -> Hresult,
    pub SetSecurityContext: unsafe extern "system" fn(this: *mut c_void, eContextType: u32, pSecurityContext: *mut c_void) -> Hresult,
}

pub const IID_IHostSecurityContext: Guid = Guid::from_u128(0x7e573ce4_0343_4423_98d7_6318348a1d3c);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct IHostSecurityContextVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Capture: unsafe extern "system" fn(this: *mut c_void, ppClonedContext: *mut *mut c_void) -> Hresult,
}

pub const IID_IHostAssemblyManager: Guid = Guid::from_u128(0x613dabd7_62b2_493e_9e65_c1e32a1e0c5e);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct IHostAssemblyManagerVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub GetNonHostStoreAssemblies: unsafe extern "system" fn(this: *mut c_void, ppReferenceList: *mut *mut c_void) -> Hresult,
    pub GetAssemblyStore: unsafe extern "system" fn(this: *mut c_void, ppAssemblyStore: *mut *mut c_void) -> Hresult,
}

pub const IID_IHostAssemblyStore: Guid = Guid::from_u128(0x7b102a88_3f7f_496d_8fa2_c35374e01af3);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct IHostAssemblyStoreVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub ProvideAssembly: unsafe extern "system" fn(this: *mut c_void, pBindInfo: *mut AssemblyBindInfo, pAssemblyId: *mut u64, pContext: *mut u64, ppStmAssemblyImage: *mut *mut c_void, ppStmPDB: *mut *mut c_void) -> Hresult,
    pub ProvideModule: unsafe extern "system" fn(this: *mut c_void, pBindInfo: *mut ModuleBindInfo, pdwModuleId: *mut u32, ppStmModuleImage: *mut *mut c_void, ppStmPDB: *mut *mut c_void) -> Hresult,
}

pub const IID_ICLRAssemblyReferenceList: Guid = Guid::from_u128(0x1b2c9750_2e66_4bda_8b44_0a642c5cd733);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct ICLRAssemblyReferenceListVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub IsStringAssemblyReferenceInList: unsafe extern "system" fn(this: *mut c_void, pwzAssemblyName: *const u16) -> Hresult,
    pub IsAssemblyReferenceInList: unsafe extern "system" fn(this: *mut c_void, pName: *mut c_void) -> Hresult,
}

pub const IID_ICLRReferenceAssemblyEnum: Guid = Guid::from_u128(0xd509cb5d_cf32_4876_ae61_67770cf91973);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct ICLRReferenceAssemblyEnumVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Get: unsafe extern "system" fn(this: *mut c_void, dwIndex: u32, pwzBuffer: *mut u16, pcchBufferSize: *mut u32) -> Hresult,
}

pub const IID_ICLRProbingAssemblyEnum: Guid = Guid::from_u128(0xd0c5fb1f_416b_4f97_81f4_7ac7dc24dd5d);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct ICLRProbingAssemblyEnumVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Get: unsafe extern "system" fn(this: *mut c_void, dwIndex: u32, pwzBuffer: *mut u16, pcchBufferSize: *mut u32) -> Hresult,
}

pub const IID_ICLRAssemblyIdentityManager: Guid = Guid::from_u128(0x15f0a9da_3ff6_4393_9da9_fdfd284e6972);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct ICLRAssemblyIdentityManagerVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub GetCLRAssemblyReferenceList: unsafe extern "system" fn(this: *mut c_void, ppwzAssemblyReferences: *mut *const u16, dwNumOfReferences: u32, ppReferenceList: *mut *mut c_void) -> Hresult,
    pub GetBindingIdentityFromFile: unsafe extern "system" fn(this: *mut c_void, pwzFilePath: *const u16, dwFlags: u32, pwzBuffer: *mut u16, pcchBufferSize: *mut u32) -> Hresult,
    pub GetBindingIdentityFromStream: unsafe extern "system" fn(this: *mut c_void, pStream: *mut c_void, dwFlags: u32, pwzBuffer: *mut u16, pcchBufferSize: *mut u32) -> Hresult,
    pub GetReferencedAssembliesFromFile: unsafe extern "system" fn(this: *mut c_void, pwzFilePath: *const u16, dwFlags: u32, pExcludeAssembliesList: *mut c_void, ppReferenceEnum: *mut *mut c_void) -> Hresult,
    pub GetReferencedAssembliesFromStream: unsafe extern "system" fn(this: *mut c_void, pStream: *mut c_void, dwFlags: u32, pExcludeAssembliesList: *mut c_void, ppReferenceEnum: *mut *mut c_void) -> Hresult,
    pub GetProbingAssembliesFromReference: unsafe extern "system" fn(this: *mut c_void, dwMachineType: u32, dwFlags: u32, pwzReferenceIdentity: *const u16, ppProbingAssemblyEnum: *mut *mut c_void) -> Hresult,
    pub IsStronglyNamed: unsafe extern "system" fn(this: *mut c_void, pwzAssemblyIdentity: *const u16, pbIsStronglyNamed: *mut i32) -> Hresult,
}

pub const IID_ICLRHostBindingPolicyManager: Guid = Guid::from_u128(0x4b3545e7_1856_48c9_a8ba_24b21a753c09);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct ICLRHostBindingPolicyManagerVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub ModifyApplicationPolicy: unsafe extern "system" fn(this: *mut c_void, pwzSourceAssemblyIdentity: *const u16, pwzTargetAssemblyIdentity: *const u16, pbApplicationPolicy: *mut u8, cbAppPolicySize: u32, dwPolicyModifyFlags: u32, pbNewApplicationPolicy: *mut u8, pcbNewAppPolicySize: *mut u32) -> Hresult,
    pub EvaluatePolicy: unsafe extern "system" fn(this: *mut c_void, pwzReferenceIdentity: *const u16, pbApplicationPolicy: *mut u8, cbAppPolicySize: u32, pwzPostPolicyReferenceIdentity: *mut u16, pcchPostPolicyReferenceIdentity: *mut u32, pdwPoliciesApplied: *mut u32) -> Hresult,
}

pub const IID_ICLRHostProtectionManager: Guid = Guid::from_u128(0x89f25f5c_ceef_43e1_9cfa_a68ce863aaac);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct ICLRHostProtectionManagerVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub SetProtectedCategories: unsafe extern "system" fn(this: *mut c_void, categories: u32) -> Hresult,
    pub SetEagerSerializeGrantSets: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
}

pub const IID_ICLRDomainManager: Guid = Guid::from_u128(0x270d00a2_8e15_4d0b_adeb_37bc3e47df77);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct ICLRDomainManagerVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub SetAppDomainManagerType: unsafe extern "system" fn(this: *mut c_void, wszAppDomainManagerAssembly: *const u16, wszAppDomainManagerType: *const u16, dwInitializeDomainFlags: u32) -> Hresult,
    pub SetPropertiesForDefaultAppDomain: unsafe extern "system" fn(this: *mut c_void, nProperties: u32, pwszPropertyNames: *mut *const u16, pwszPropertyValues: *mut *const u16) -> Hresult,
}

pub const IID_ICLRDebugManager: Guid = Guid::from_u128(0x00dcaec6_2ac0_43a9_acf9_1e36c139b10d);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct ICLRDebugManagerVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub BeginConnection: unsafe extern "system" fn(this: *mut c_void, dwConnectionId: u32, szConnectionName: *mut u16) -> Hresult,
    pub SetConnectionTasks: unsafe extern "system" fn(this: *mut c_void, id: u32, dwCount: u32, ppCLRTask: *mut *mut c_void) -> Hresult,
    pub EndConnection: unsafe extern "system" fn(this: *mut c_void, dwConnectionId: u32) -> Hresult,
    pub SetDacl: unsafe extern "system" fn(this: *mut c_void, pacl: *mut c_void) -> Hresult,
    pub GetDacl: unsafe extern "system" fn(this: *mut c_void, pacl: *mut *mut c_void) -> Hresult,
    pub IsDebuggerAttached: unsafe extern "system" fn(this: *mut c_void, pbAttached: *mut i32) -> Hresult,
    pub SetSymbolReadingPolicy: unsafe extern "system" fn(this: *mut c_void, policy: u32) -> Hresult,
}

pub const IID_ICLRErrorReportingManager: Guid = Guid::from_u128(0x980d2f1a_bf79_4c08_812a_bb9778928f78);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct ICLRErrorReportingManagerVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub GetBucketParametersForCurrentException: unsafe extern "system" fn(this: *mut c_void, pParams: *mut BucketParameters) -> Hresult,
    pub BeginCustomDump: unsafe extern "system" fn(this: *mut c_void, dwFlavor: u32, dwNumItems: u32, items: *mut CustomDumpItem, dwReserved: u32) -> Hresult,
    pub EndCustomDump: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
}

pub const IID_ICLRAppDomainResourceMonitor: Guid = Guid::from_u128(0xc62de18c_2e23_4aea_8423_b40c1fc59eae);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct ICLRAppDomainResourceMonitorVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub GetCurrentAllocated: unsafe extern "system" fn(this: *mut c_void, dwAppDomainId: u32, pBytesAllocated: *mut u64) -> Hresult,
    pub GetCurrentSurvived: unsafe extern "system" fn(this: *mut c_void, dwAppDomainId: u32, pAppDomainBytesSurvived: *mut u64, pTotalBytesSurvived: *mut u64) -> Hresult,
    pub GetCurrentCpuTime: unsafe extern "system" fn(this: *mut c_void, dwAppDomainId: u32, pMilliseconds: *mut u64) -> Hresult,
}

pub const IID_IGCThreadControl: Guid = Guid::from_u128(0xf31d1788_c397_4725_87a5_6af3472c2791);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct IGCThreadControlVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub ThreadIsBlockingForSuspension: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub SuspensionStarting: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub SuspensionEnding: unsafe extern "system" fn(this: *mut c_void, Generation: u32) -> Hresult,
}

pub const IID_IGCHostControl: Guid = Guid::from_u128(0x5513d564_8374_4cb9_aed9_0083f4160a1d);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct IGCHostControlVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub RequestVirtualMemLimit: unsafe extern "system" fn(this: *mut c_void, sztMaxVirtualMemMB: usize, psztNewMaxVirtualMemMB: *mut usize) -> Hresult,
}

pub const IID_IDebuggerThreadControl: Guid = Guid::from_u128(0x23d86786_0bb5_4774_8fb5_e3522add6246);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct IDebuggerThreadControlVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub ThreadIsBlockingForDebugger: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub ReleaseAllRuntimeThreads: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub StartBlockingForDebugger: unsafe extern "system" fn(this: *mut c_void, dwUnused: u32) -> Hresult,
}

pub const IID_IDebuggerInfo: Guid = Guid::from_u128(0xbf24142d_a47d_4d24_a66d_8c2141944e44);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct IDebuggerInfoVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub IsDebuggerAttached: unsafe extern "system" fn(this: *mut c_void, pbAttached: *mut i32) -> Hresult,
}

pub const IID_ICorConfiguration: Guid = Guid::from_u128(0x5c2b07a5_1e98_11d3_872f_00c04f79ed0d);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct ICorConfigurationVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub SetGCThreadControl: unsafe extern "system" fn(this: *mut c_void, pGCThreadControl: *mut c_void) -> Hresult,
    pub SetGCHostControl: unsafe extern "system" fn(this: *mut c_void, pGCHostControl: *mut c_void) -> Hresult,
    pub SetDebuggerThreadControl: unsafe extern "system" fn(this: *mut c_void, pDebuggerThreadControl: *mut c_void) -> Hresult,
    pub AddDebuggerSpecialThread: unsafe extern "system" fn(this: *mut c_void, dwSpecialThreadId: u32) -> Hresult,
}

pub const IID_ICorRuntimeHost: Guid = Guid::from_u128(0xcb2f6722_ab3a_11d2_9c40_00c04fa30a3e);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct ICorRuntimeHostVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub CreateLogicalThreadState: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub DeleteLogicalThreadState: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub SwitchInLogicalThreadState: unsafe extern "system" fn(this: *mut c_void, pFiberCookie: *mut u32) -> Hresult,
    pub SwitchOutLogicalThreadState: unsafe extern "system" fn(this: *mut c_void, pFiberCookie: *mut *mut u32) -> Hresult,
    pub LocksHeldByLogicalThread: unsafe extern "system" fn(this: *mut c_void, pCount: *mut u32) -> Hresult,
    pub MapFile: unsafe extern "system" fn(this: *mut c_void, hFile: *mut c_void, hMapAddress: *mut *mut c_void) -> Hresult,
    pub GetConfiguration: unsafe extern "system" fn(this: *mut c_void, pConfiguration: *mut *mut c_void) -> Hresult,
    pub Start: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub Stop: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub CreateDomain: unsafe extern "system" fn(this: *mut c_void, pwzFriendlyName: *const u16, pIdentityArray: *mut c_void, pAppDomain: *mut *mut c_void) -> Hresult,
    pub GetDefaultDomain: unsafe extern "system" fn(this: *mut c_void, pAppDomain: *mut *mut c_void) -> Hresult,
    pub EnumDomains: unsafe extern "system" fn(this: *mut c_void, hEnum: *mut *mut c_void) -> Hresult,
    pub NextDomain: unsafe extern "system" fn(this: *mut c_void, hEnum: *mut c_void, pAppDomain: *mut *mut c_void) -> Hresult,
    pub CloseEnum: unsafe extern "system" fn(this: *mut c_void, hEnum: *mut c_void) -> Hresult,
    pub CreateDomainEx: unsafe extern "system" fn(this: *mut c_void, pwzFriendlyName: *const u16, pSetup: *mut c_void, pEvidence: *mut c_void, pAppDomain: *mut *mut c_void) -> Hresult,
    pub CreateDomainSetup: unsafe extern "system" fn(this: *mut c_void, pAppDomainSetup: *mut *mut c_void) -> Hresult,
    pub CreateEvidence: unsafe extern "system" fn(this: *mut c_void, pEvidence: *mut *mut c_void) -> Hresult,
    pub UnloadDomain: unsafe extern "system" fn(this: *mut c_void, pAppDomain: *mut c_void) -> Hresult,
    pub CurrentDomain: unsafe extern "system" fn(this: *mut c_void, pAppDomain: *mut *mut c_void) -> Hresult,
}

pub const IID_ICorThreadpool: Guid = Guid::from_u128(0x84680d3a_b2c1_46e8_acc2_dbc0a359159a);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct ICorThreadpoolVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub CorRegisterWaitForSingleObject: unsafe extern "system" fn(this: *mut c_void, phNewWaitObject: *mut *mut c_void, hWaitObject: *mut c_void, Callback: Option<WaitOrTimerCallback>, Context: *mut c_void, timeout: u32, executeOnlyOnce: i32, result: *mut i32) -> Hresult,
    pub CorUnregisterWait: unsafe extern "system" fn(this: *mut c_void, hWaitObject: *mut c_void, CompletionEvent: *mut c_void, result: *mut i32) -> Hresult,
    pub CorQueueUserWorkItem: unsafe extern "system" fn(this: *mut c_void, Function: Option<ThreadStartRoutine>, Context: *mut c_void, executeOnlyOnce: i32, result: *mut i32) -> Hresult,
    pub CorCreateTimer: unsafe extern "system" fn(this: *mut c_void, phNewTimer: *mut *mut c_void, Callback: Option<WaitOrTimerCallback>, Parameter: *mut c_void, DueTime: u32, Period: u32, result: *mut i32) -> Hresult,
    pub CorChangeTimer: unsafe extern "system" fn(this: *mut c_void, Timer: *mut c_void, DueTime: u32, Period: u32, result: *mut i32) -> Hresult,
    pub CorDeleteTimer: unsafe extern "system" fn(this: *mut c_void, Timer: *mut c_void, CompletionEvent: *mut c_void, result: *mut i32) -> Hresult,
    pub CorBindIoCompletionCallback: unsafe extern "system" fn(this: *mut c_void, fileHandle: *mut c_void, callback: *mut c_void) -> Hresult,
    pub CorCallOrQueueUserWorkItem: unsafe extern "system" fn(this: *mut c_void, Function: Option<ThreadStartRoutine>, Context: *mut c_void, result: *mut i32) -> Hresult,
    pub CorSetMaxThreads: unsafe extern "system" fn(this: *mut c_void, MaxWorkerThreads: u32, MaxIOCompletionThreads: u32) -> Hresult,
    pub CorGetMaxThreads: unsafe extern "system" fn(this: *mut c_void, MaxWorkerThreads: *mut u32, MaxIOCompletionThreads: *mut u32) -> Hresult,
    pub CorGetAvailableThreads: unsafe extern "system" fn(this: *mut c_void, AvailableWorkerThreads: *mut u32, AvailableIOCompletionThreads: *mut u32) -> Hresult,
}

pub const IID_IAppDomainBinding: Guid = Guid::from_u128(0x5c2b07a7_1e98_11d3_872f_00c04f79ed0d);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct IAppDomainBindingVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub OnAppDomain: unsafe extern "system" fn(this: *mut c_void, pAppdomain: *mut c_void) -> Hresult,
}

pub const IID_ICLRRuntimeHost2: Guid = Guid::from_u128(0x712ab73f_2c22_4807_ad7e_f501d7b72c2d);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct ICLRRuntimeHost2Vtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Start: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub Stop: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub SetHostControl: unsafe extern "system" fn(this: *mut c_void, pHostControl: *mut c_void) -> Hresult,
    pub GetCLRControl: unsafe extern "system" fn(this: *mut c_void, pCLRControl: *mut *mut c_void) -> Hresult,
    pub UnloadAppDomain: unsafe extern "system" fn(this: *mut c_void, dwAppDomainId: u32, fWaitUntilDone: i32) -> Hresult,
    pub ExecuteInAppDomain: unsafe extern "system" fn(this: *mut c_void, dwAppDomainId: u32, pCallback: Option<ExecuteInAppDomainCallback>, cookie: *mut c_void) -> Hresult,
    pub GetCurrentAppDomainId: unsafe extern "system" fn(this: *mut c_void, pdwAppDomainId: *mut u32) -> Hresult,
    pub ExecuteApplication: unsafe extern "system" fn(this: *mut c_void, pwzAppFullName: *const u16, dwManifestPaths: u32, ppwzManifestPaths: *mut *const u16, dwActivationData: u32, ppwzActivationData: *mut *const u16, pReturnValue: *mut i32) -> Hresult,
    pub ExecuteInDefaultAppDomain: unsafe extern "system" fn(this: *mut c_void, pwzAssemblyPath: *const u16, pwzTypeName: *const u16, pwzMethodName: *const u16, pwzArgument: *const u16, pReturnValue: *mut u32) -> Hresult,
    pub CreateAppDomainWithManager: unsafe extern "system" fn(this: *mut c_void, wszFriendlyName: *const u16, dwFlags: u32, wszAppDomainManagerAssemblyName: *const u16, wszAppDomainManagerTypeName: *const u16, nProperties: i32, pPropertyNames: *mut *const u16, pPropertyValues: *mut *const u16, pAppDomainID: *mut u32) -> Hresult,
    pub CreateDelegate: unsafe extern "system" fn(this: *mut c_void, appDomainID: u32, wszAssemblyName: *const u16, wszClassName: *const u16, wszMethodName: *const u16, fnPtr: *mut isize) -> Hresult,
    pub Authenticate: unsafe extern "system" fn(this: *mut c_void, authKey: u64) -> Hresult,
    pub RegisterMacEHPort: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub SetStartupFlags: unsafe extern "system" fn(this: *mut c_void, dwFlags: u32) -> Hresult,
    pub DllGetActivationFactory: unsafe extern "system" fn(this: *mut c_void, appDomainID: u32, wszTypeName: *const u16, factory: *mut *mut c_void) -> Hresult,
    pub ExecuteAssembly: unsafe extern "system" fn(this: *mut c_void, dwAppDomainId: u32, pwzAssemblyPath: *const u16, argc: i32, argv: *mut *const u16, pReturnValue: *mut u32) -> Hresult,
}

pub const IID_ICLRExecutionManager: Guid = Guid::from_u128(0x1000a3e7_b420_4620_ae30_fb19b587ad1d);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct ICLRExecutionManagerVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Pause: unsafe extern "system" fn(this: *mut c_void, dwAppDomainId: u32, dwFlags: u32) -> Hresult,
    pub Resume: unsafe extern "system" fn(this: *mut c_void, dwAppDomainId: u32) -> Hresult,
}

pub const IID_IStream: Guid = Guid::from_u128(0x0000000c_0000_0000_c000_000000000046);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct IStreamVtbl {
    pub QueryInterface: unsafe extern "system" fn(this: *mut c_void, riid: *const Guid, ppvObject: *mut *mut c_void) -> Hresult,
    pub AddRef: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Release: unsafe extern "system" fn(this: *mut c_void) -> u32,
    pub Read: unsafe extern "system" fn(this: *mut c_void, pv: *mut c_void, cb: u32, pcbRead: *mut u32) -> Hresult,
    pub Write: unsafe extern "system" fn(this: *mut c_void, pv: *mut c_void, cb: u32, pcbWritten: *mut u32) -> Hresult,
    pub Seek: unsafe extern "system" fn(this: *mut c_void, dlibMove: i64, dwOrigin: u32, plibNewPosition: *mut u64) -> Hresult,
    pub SetSize: unsafe extern "system" fn(this: *mut c_void, libNewSize: u64) -> Hresult,
    pub CopyTo: unsafe extern "system" fn(this: *mut c_void, pstm: *mut c_void, cb: u64, pcbRead: *mut u64, pcbWritten: *mut u64) -> Hresult,
    pub Commit: unsafe extern "system" fn(this: *mut c_void, grfCommitFlags: u32) -> Hresult,
    pub Revert: unsafe extern "system" fn(this: *mut c_void) -> Hresult,
    pub LockRegion: unsafe extern "system" fn(this: *mut c_void, libOffset: u64, cb: u64, dwLockType: u32) -> Hresult,
    pub UnlockRegion: unsafe extern "system" fn(this: *mut c_void, libOffset: u64, cb: u64, dwLockType: u32) -> Hresult,
    pub Stat: unsafe extern "system" fn(this: *mut c_void, pstatstg: *mut STATSTG, grfStatFlag: u32) -> Hresult,
    pub Clone: unsafe extern "system" fn(this: *mut c_void, ppstm: *mut *mut c_void) -> Hresult,
}

pub static STRUCTURES: &[Structure] = &[
    Structure { name: "AssemblyBindInfo", size: size_of::<AssemblyBindInfo>(), fields: &[
        Field { name: "dwAppDomainId", offset: offset_of!(AssemblyBindInfo, dwAppDomainId) },
        Field { name: "lpReferencedIdentity", offset: offset_of!(AssemblyBindInfo, lpReferencedIdentity) },
        Field { name: "lpPostPolicyIdentity", offset: offset_of!(AssemblyBindInfo, lpPostPolicyIdentity) },
        Field { name: "ePolicyLevel", offset: offset_of!(AssemblyBindInfo, ePolicyLevel) },
    ] },
    Structure { name: "BucketParameters", size: size_of::<BucketParameters>(), fields: &[
        Field { name: "fInited", offset: offset_of!(BucketParameters, fInited) },
        Field { name: "pszEventTypeName", offset: offset_of!(BucketParameters, pszEventTypeName) },
        Field { name: "pszParams", offset: offset_of!(BucketParameters, pszParams) },
    ] },
    Structure { name: "COR_GC_STATS", size: size_of::<COR_GC_STATS>(), fields: &[
        Field { name: "Flags", offset: offset_of!(COR_GC_STATS, Flags) },
        Field { name: "ExplicitGCCount", offset: offset_of!(COR_GC_STATS, ExplicitGCCount) },
        Field { name: "GenCollectionsTaken", offset: offset_of!(COR_GC_STATS, GenCollectionsTaken) },
        Field { name: "CommittedKBytes", offset: offset_of!(COR_GC_STATS, CommittedKBytes) },
        Field { name: "ReservedKBytes", offset: offset_of!(COR_GC_STATS, ReservedKBytes) },
        Field { name: "Gen0HeapSizeKBytes", offset: offset_of!(COR_GC_STATS, Gen0HeapSizeKBytes) },
        Field { name: "Gen1HeapSizeKBytes", offset: offset_of!(COR_GC_STATS, Gen1HeapSizeKBytes) },
        Field { name: "Gen2HeapSizeKBytes", offset: offset_of!(COR_GC_STATS, Gen2HeapSizeKBytes) },
        Field { name: "LargeObjectHeapSizeKBytes", offset: offset_of!(COR_GC_STATS, LargeObjectHeapSizeKBytes) },
        Field { name: "KBytesPromotedFromGen0", offset: offset_of!(COR_GC_STATS, KBytesPromotedFromGen0) },
        Field { name: "KBytesPromotedFromGen1", offset: offset_of!(COR_GC_STATS, KBytesPromotedFromGen1) },
    ] },
    Structure { name: "COR_GC_THREAD_STATS", size: size_of::<COR_GC_THREAD_STATS>(), fields: &[
        Field { name: "PerThreadAllocation", offset: offset_of!(COR_GC_THREAD_STATS, PerThreadAllocation) },
        Field { name: "Flags", offset: offset_of!(COR_GC_THREAD_STATS, Flags) },
    ] },
    Structure { name: "CustomDumpItem", size: size_of::<CustomDumpItem>(), fields: &[
        Field { name: "itemKind", offset: offset_of!(CustomDumpItem, itemKind) },
        Field { name: "pReserved", offset: offset_of!(CustomDumpItem, pReserved) },
    ] },
    Structure { name: "MDAInfo", size: size_of::<MDAInfo>(), fields: &[
        Field { name: "lpMDACaption", offset: offset_of!(MDAInfo, lpMDACaption) },
        Field { name: "lpMDAMessage", offset: offset_of!(MDAInfo, lpMDAMessage) },
        Field { name: "lpStackTrace", offset: offset_of!(MDAInfo, lpStackTrace) },
    ] },
    Structure { name: "ModuleBindInfo", size: size_of::<ModuleBindInfo>(), fields: &[
        Field { name: "dwAppDomainId", offset: offset_of!(ModuleBindInfo, dwAppDomainId) },
        Field { name: "lpAssemblyIdentity", offset: offset_of!(ModuleBindInfo, lpAssemblyIdentity) },
        Field { name: "lpModuleName", offset: offset_of!(ModuleBindInfo, lpModuleName) },
    ] },
    Structure { name: "OVERLAPPED", size: size_of::<OVERLAPPED>(), fields: &[
        Field { name: "Internal", offset: offset_of!(OVERLAPPED, Internal) },
        Field { name: "InternalHigh", offset: offset_of!(OVERLAPPED, InternalHigh) },
        Field { name: "Offset", offset: offset_of!(OVERLAPPED, Offset) },
        Field { name: "OffsetHigh", offset: offset_of!(OVERLAPPED, OffsetHigh) },
        Field { name: "hEvent", offset: offset_of!(OVERLAPPED, hEvent) },
    ] },
    Structure { name: "STATSTG", size: size_of::<STATSTG>(), fields: &[
        Field { name: "pwcsName", offset: offset_of!(STATSTG, pwcsName) },
        Field { name: "type", offset: offset_of!(STATSTG, r#type) },
        Field { name: "cbSize", offset: offset_of!(STATSTG, cbSize) },
        Field { name: "mtime", offset: offset_of!(STATSTG, mtime) },
        Field { name: "ctime", offset: offset_of!(STATSTG, ctime) },
        Field { name: "atime", offset: offset_of!(STATSTG, atime) },
        Field { name: "grfMode", offset: offset_of!(STATSTG, grfMode) },
        Field { name: "grfLocksSupported", offset: offset_of!(STATSTG, grfLocksSupported) },
        Field { name: "clsid", offset: offset_of!(STATSTG, clsid) },
        Field { name: "grfStateBits", offset: offset_of!(STATSTG, grfStateBits) },
        Field { name: "reserved", offset: offset_of!(STATSTG, reserved) },
    ] },
    Structure { name: "StackOverflowInfo", size: size_of::<StackOverflowInfo>(), fields: &[
        Field { name: "soType", offset: offset_of!(StackOverflowInfo, soType) },
        Field { name: "pExceptionInfo", offset: offset_of!(StackOverflowInfo, pExceptionInfo) },
    ] },
];

pub static INTERFACES: &[Interface] = &[
    Interface { name: "IUnknown", iid: IID_IUnknown, base: None, by_host: false, size: size_of::<IUnknownVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(IUnknownVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(IUnknownVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(IUnknownVtbl, Release), parameters: &[] },
    ] },
    Interface { name: "IHostControl", iid: IID_IHostControl, base: Some("IUnknown"), by_host: true, size: size_of::<IHostControlVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(IHostControlVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(IHostControlVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(IHostControlVtbl, Release), parameters: &[] },
        Method { name: "GetHostManager", offset: offset_of!(IHostControlVtbl, GetHostManager), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppObject", ctype: "void**", direction: "out" }] },
        Method { name: "SetAppDomainManager", offset: offset_of!(IHostControlVtbl, SetAppDomainManager), parameters: &[Parameter { name: "dwAppDomainID", ctype: "DWORD", direction: "in" }, Parameter { name: "pUnkAppDomainManager", ctype: "IUnknown*", direction: "in" }] },
    ] },
    Interface { name: "ICLRControl", iid: IID_ICLRControl, base: Some("IUnknown"), by_host: false, size: size_of::<ICLRControlVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(ICLRControlVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(ICLRControlVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(ICLRControlVtbl, Release), parameters: &[] },
        Method { name: "GetCLRManager", offset: offset_of!(ICLRControlVtbl, GetCLRManager), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppObject", ctype: "void**", direction: "out" }] },
        Method { name: "SetAppDomainManagerType", offset: offset_of!(ICLRControlVtbl, SetAppDomainManagerType), parameters: &[Parameter { name: "pwzAppDomainManagerAssembly", ctype: "LPCWSTR", direction: "in" }, Parameter { name: "pwzAppDomainManagerType", ctype: "LPCWSTR", direction: "in" }] },
    ] },
    Interface { name: "ICLRRuntimeHost", iid: IID_ICLRRuntimeHost, base: Some("IUnknown"), by_host: false, size: size_of::<ICLRRuntimeHostVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(ICLRRuntimeHostVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(ICLRRuntimeHostVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(ICLRRuntimeHostVtbl, Release), parameters: &[] },
        Method { name: "Start", offset: offset_of!(ICLRRuntimeHostVtbl, Start), parameters: &[] },
        Method { name: "Stop", offset: offset_of!(ICLRRuntimeHostVtbl, Stop), parameters: &[] },
        Method { name: "SetHostControl", offset: offset_of!(ICLRRuntimeHostVtbl, SetHostControl), parameters: &[Parameter { name: "pHostControl", ctype: "IHostControl*", direction: "in" }] },
        Method { name: "GetCLRControl", offset: offset_of!(ICLRRuntimeHostVtbl, GetCLRControl), parameters: &[Parameter { name: "pCLRControl", ctype: "ICLRControl**", direction: "out" }] },
        Method { name: "UnloadAppDomain", offset: offset_of!(ICLRRuntimeHostVtbl, UnloadAppDomain), parameters: &[Parameter { name: "dwAppDomainId", ctype: "DWORD", direction: "in" }, Parameter { name: "fWaitUntilDone", ctype: "BOOL", direction: "in" }] },
        Method { name: "ExecuteInAppDomain", offset: offset_of!(ICLRRuntimeHostVtbl, ExecuteInAppDomain), parameters: &[Parameter { name: "dwAppDomainId", ctype: "DWORD", direction: "in" }, Parameter { name: "pCallback", ctype: "FExecuteInAppDomainCallback", direction: "in" }, Parameter { name: "cookie", ctype: "void*", direction: "in" }] },
        Method { name: "GetCurrentAppDomainId", offset: offset_of!(ICLRRuntimeHostVtbl, GetCurrentAppDomainId), parameters: &[Parameter { name: "pdwAppDomainId", ctype: "DWORD*", direction: "out" }] },
        Method { name: "ExecuteApplication", offset: offset_of!(ICLRRuntimeHostVtbl, ExecuteApplication), parameters: &[Parameter { name: "pwzAppFullName", ctype: "LPCWSTR", direction: "in" }, Parameter { name: "dwManifestPaths", ctype: "DWORD", direction: "in" }, Parameter { name: "ppwzManifestPaths", ctype: "LPCWSTR*", direction: "in" }, Parameter { name: "dwActivationData", ctype: "DWORD", direction: "in" }, Parameter { name: "ppwzActivationData", ctype: "LPCWSTR*", direction: "in" }, Parameter { name: "pReturnValue", ctype: "int*", direction: "out" }] },
        Method { name: "ExecuteInDefaultAppDomain", offset: offset_of!(ICLRRuntimeHostVtbl, ExecuteInDefaultAppDomain), parameters: &[Parameter { name: "pwzAssemblyPath", ctype: "LPCWSTR", direction: "in" }, Parameter { name: "pwzTypeName", ctype: "LPCWSTR", direction: "in" }, Parameter { name: "pwzMethodName", ctype: "LPCWSTR", direction: "in" }, Parameter { name: "pwzArgument", ctype: "LPCWSTR", direction: "in" }, Parameter { name: "pReturnValue", ctype: "DWORD*", direction: "out" }] },
    ] },
    Interface { name: "IHostTaskManager", iid: IID_IHostTaskManager, base: Some("IUnknown"), by_host: true, size: size_of::<IHostTaskManagerVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(IHostTaskManagerVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(IHostTaskManagerVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(IHostTaskManagerVtbl, Release), parameters: &[] },
        Method { name: "GetCurrentTask", offset: offset_of!(IHostTaskManagerVtbl, GetCurrentTask), parameters: &[Parameter { name: "pTask", ctype: "IHostTask**", direction: "out" }] },
        Method { name: "CreateTask", offset: offset_of!(IHostTaskManagerVtbl, CreateTask), parameters: &[Parameter { name: "dwStackSize", ctype: "DWORD", direction: "in" }, Parameter { name: "pStartAddress", ctype: "LPTHREAD_START_ROUTINE", direction: "in" }, Parameter { name: "pParameter", ctype: "PVOID", direction: "in" }, Parameter { name: "ppTask", ctype: "IHostTask**", direction: "out" }] },
        Method { name: "Sleep", offset: offset_of!(IHostTaskManagerVtbl, Sleep), parameters: &[Parameter { name: "dwMilliseconds", ctype: "DWORD", direction: "in" }, Parameter { name: "option", ctype: "DWORD", direction: "in" }] },
        Method { name: "SwitchToTask", offset: offset_of!(IHostTaskManagerVtbl, SwitchToTask), parameters: &[Parameter { name: "option", ctype: "DWORD", direction: "in" }] },
        Method { name: "SetUILocale", offset: offset_of!(IHostTaskManagerVtbl, SetUILocale), parameters: &[Parameter { name: "lcid", ctype: "LCID", direction: "in" }] },
        Method { name: "SetLocale", offset: offset_of!(IHostTaskManagerVtbl, SetLocale), parameters: &[Parameter { name: "lcid", ctype: "LCID", direction: "in" }] },
        Method { name: "CallNeedsHostHook", offset: offset_of!(IHostTaskManagerVtbl, CallNeedsHostHook), parameters: &[Parameter { name: "target", ctype: "SIZE_T", direction: "in" }, Parameter { name: "pbCallNeedsHostHook", ctype: "BOOL*", direction: "out" }] },
        Method { name: "LeaveRuntime", offset: offset_of!(IHostTaskManagerVtbl, LeaveRuntime), parameters: &[Parameter { name: "target", ctype: "SIZE_T", direction: "in" }] },
        Method { name: "EnterRuntime", offset: offset_of!(IHostTaskManagerVtbl, EnterRuntime), parameters: &[] },
        Method { name: "ReverseLeaveRuntime", offset: offset_of!(IHostTaskManagerVtbl, ReverseLeaveRuntime), parameters: &[] },
        Method { name: "ReverseEnterRuntime", offset: offset_of!(IHostTaskManagerVtbl, ReverseEnterRuntime), parameters: &[] },
        Method { name: "BeginDelayAbort", offset: offset_of!(IHostTaskManagerVtbl, BeginDelayAbort), parameters: &[] },
        Method { name: "EndDelayAbort", offset: offset_of!(IHostTaskManagerVtbl, EndDelayAbort), parameters: &[] },
        Method { name: "BeginThreadAffinity", offset: offset_of!(IHostTaskManagerVtbl, BeginThreadAffinity), parameters: &[] },
        Method { name: "EndThreadAffinity", offset: offset_of!(IHostTaskManagerVtbl, EndThreadAffinity), parameters: &[] },
        Method { name: "SetStackGuarantee", offset: offset_of!(IHostTaskManagerVtbl, SetStackGuarantee), parameters: &[Parameter { name: "guarantee", ctype: "ULONG", direction: "in" }] },
        Method { name: "GetStackGuarantee", offset: offset_of!(IHostTaskManagerVtbl, GetStackGuarantee), parameters: &[Parameter { name: "pGuarantee", ctype: "ULONG*", direction: "out" }] },
        Method { name: "SetCLRTaskManager", offset: offset_of!(IHostTaskManagerVtbl, SetCLRTaskManager), parameters: &[Parameter { name: "ppManager", ctype: "ICLRTaskManager*", direction: "in" }] },
    ] },
    Interface { name: "IHostTask", iid: IID_IHostTask, base: Some("IUnknown"), by_host: true, size: size_of::<IHostTaskVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(IHostTaskVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(IHostTaskVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(IHostTaskVtbl, Release), parameters: &[] },
        Method { name: "Start", offset: offset_of!(IHostTaskVtbl, Start), parameters: &[] },
        Method { name: "Alert", offset: offset_of!(IHostTaskVtbl, Alert), parameters: &[] },
        Method { name: "Join", offset: offset_of!(IHostTaskVtbl, Join), parameters: &[Parameter { name: "dwMilliseconds", ctype: "DWORD", direction: "in" }, Parameter { name: "option", ctype: "DWORD", direction: "in" }] },
        Method { name: "SetPriority", offset: offset_of!(IHostTaskVtbl, SetPriority), parameters: &[Parameter { name: "newPriority", ctype: "int", direction: "in" }] },
        Method { name: "GetPriority", offset: offset_of!(IHostTaskVtbl, GetPriority), parameters: &[Parameter { name: "pPriority", ctype: "int*", direction: "out" }] },
        Method { name: "SetCLRTask", offset: offset_of!(IHostTaskVtbl, SetCLRTask), parameters: &[Parameter { name: "pCLRTask", ctype: "ICLRTask*", direction: "in" }] },
    ] },
    Interface { name: "ICLRTaskManager", iid: IID_ICLRTaskManager, base: Some("IUnknown"), by_host: false, size: size_of::<ICLRTaskManagerVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(ICLRTaskManagerVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(ICLRTaskManagerVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(ICLRTaskManagerVtbl, Release), parameters: &[] },
        Method { name: "CreateTask", offset: offset_of!(ICLRTaskManagerVtbl, CreateTask), parameters: &[Parameter { name: "pTask", ctype: "ICLRTask**", direction: "out" }] },
        Method { name: "GetCurrentTask", offset: offset_of!(ICLRTaskManagerVtbl, GetCurrentTask), parameters: &[Parameter { name: "pTask", ctype: "ICLRTask**", direction: "out" }] },
        Method { name: "SetUILocale", offset: offset_of!(ICLRTaskManagerVtbl, SetUILocale), parameters: &[Parameter { name: "lcid", ctype: "LCID", direction: "in" }] },
        Method { name: "SetLocale", offset: offset_of!(ICLRTaskManagerVtbl, SetLocale), parameters: &[Parameter { name: "lcid", ctype: "LCID", direction: "in" }] },
        Method { name: "GetCurrentTaskType", offset: offset_of!(ICLRTaskManagerVtbl, GetCurrentTaskType), parameters: &[Parameter { name: "pTaskType", ctype: "ETaskType*", direction: "out" }] },
    ] },
    Interface { name: "ICLRTask", iid: IID_ICLRTask, base: Some("IUnknown"), by_host: false, size: size_of::<ICLRTaskVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(ICLRTaskVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(ICLRTaskVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(ICLRTaskVtbl, Release), parameters: &[] },
        Method { name: "SwitchIn", offset: offset_of!(ICLRTaskVtbl, SwitchIn), parameters: &[Parameter { name: "threadHandle", ctype: "HANDLE", direction: "in" }] },
        Method { name: "SwitchOut", offset: offset_of!(ICLRTaskVtbl, SwitchOut), parameters: &[] },
        Method { name: "GetMemStats", offset: offset_of!(ICLRTaskVtbl, GetMemStats), parameters: &[Parameter { name: "memUsage", ctype: "COR_GC_THREAD_STATS*", direction: "out" }] },
        Method { name: "Reset", offset: offset_of!(ICLRTaskVtbl, Reset), parameters: &[Parameter { name: "fFull", ctype: "BOOL", direction: "in" }] },
        Method { name: "ExitTask", offset: offset_of!(ICLRTaskVtbl, ExitTask), parameters: &[] },
        Method { name: "Abort", offset: offset_of!(ICLRTaskVtbl, Abort), parameters: &[] },
        Method { name: "RudeAbort", offset: offset_of!(ICLRTaskVtbl, RudeAbort), parameters: &[] },
        Method { name: "NeedsPriorityScheduling", offset: offset_of!(ICLRTaskVtbl, NeedsPriorityScheduling), parameters: &[Parameter { name: "pbNeedsPriorityScheduling", ctype: "BOOL*", direction: "out" }] },
        Method { name: "YieldTask", offset: offset_of!(ICLRTaskVtbl, YieldTask), parameters: &[] },
        Method { name: "LocksHeld", offset: offset_of!(ICLRTaskVtbl, LocksHeld), parameters: &[Parameter { name: "pLockCount", ctype: "SIZE_T*", direction: "out" }] },
        Method { name: "SetTaskIdentifier", offset: offset_of!(ICLRTaskVtbl, SetTaskIdentifier), parameters: &[Parameter { name: "asked", ctype: "TASKID", direction: "in" }] },
    ] },
    Interface { name: "ICLRTask2", iid: IID_ICLRTask2, base: Some("ICLRTask"), by_host: false, size: size_of::<ICLRTask2Vtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(ICLRTask2Vtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(ICLRTask2Vtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(ICLRTask2Vtbl, Release), parameters: &[] },
        Method { name: "SwitchIn", offset: offset_of!(ICLRTask2Vtbl, SwitchIn), parameters: &[Parameter { name: "threadHandle", ctype: "HANDLE", direction: "in" }] },
        Method { name: "SwitchOut", offset: offset_of!(ICLRTask2Vtbl, SwitchOut), parameters: &[] },
        Method { name: "GetMemStats", offset: offset_of!(ICLRTask2Vtbl, GetMemStats), parameters: &[Parameter { name: "memUsage", ctype: "COR_GC_THREAD_STATS*", direction: "out" }] },
        Method { name: "Reset", offset: offset_of!(ICLRTask2Vtbl, Reset), parameters: &[Parameter { name: "fFull", ctype: "BOOL", direction: "in" }] },
        Method { name: "ExitTask", offset: offset_of!(ICLRTask2Vtbl, ExitTask), parameters: &[] },
        Method { name: "Abort", offset: offset_of!(ICLRTask2Vtbl, Abort), parameters: &[] },
        Method { name: "RudeAbort", offset: offset_of!(ICLRTask2Vtbl, RudeAbort), parameters: &[] },
        Method { name: "NeedsPriorityScheduling", offset: offset_of!(ICLRTask2Vtbl, NeedsPriorityScheduling), parameters: &[Parameter { name: "pbNeedsPriorityScheduling", ctype: "BOOL*", direction: "out" }] },
        Method { name: "YieldTask", offset: offset_of!(ICLRTask2Vtbl, YieldTask), parameters: &[] },
        Method { name: "LocksHeld", offset: offset_of!(ICLRTask2Vtbl, LocksHeld), parameters: &[Parameter { name: "pLockCount", ctype: "SIZE_T*", direction: "out" }] },
        Method { name: "SetTaskIdentifier", offset: offset_of!(ICLRTask2Vtbl, SetTaskIdentifier), parameters: &[Parameter { name: "asked", ctype: "TASKID", direction: "in" }] },
        Method { name: "BeginPreventAsyncAbort", offset: offset_of!(ICLRTask2Vtbl, BeginPreventAsyncAbort), parameters: &[] },
        Method { name: "EndPreventAsyncAbort", offset: offset_of!(ICLRTask2Vtbl, EndPreventAsyncAbort), parameters: &[] },
    ] },
    Interface { name: "IHostSyncManager", iid: IID_IHostSyncManager, base: Some("IUnknown"), by_host: true, size: size_of::<IHostSyncManagerVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(IHostSyncManagerVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(IHostSyncManagerVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(IHostSyncManagerVtbl, Release), parameters: &[] },
        Method { name: "SetCLRSyncManager", offset: offset_of!(IHostSyncManagerVtbl, SetCLRSyncManager), parameters: &[Parameter { name: "pManager", ctype: "ICLRSyncManager*", direction: "in" }] },
        Method { name: "CreateCrst", offset: offset_of!(IHostSyncManagerVtbl, CreateCrst), parameters: &[Parameter { name: "ppCrst", ctype: "IHostCrst**", direction: "out" }] },
        Method { name: "CreateCrstWithSpinCount", offset: offset_of!(IHostSyncManagerVtbl, CreateCrstWithSpinCount), parameters: &[Parameter { name: "dwSpinCount", ctype: "DWORD", direction: "in" }, Parameter { name: "ppCrst", ctype: "IHostCrst**", direction: "out" }] },
        Method { name: "CreateAutoEvent", offset: offset_of!(IHostSyncManagerVtbl, CreateAutoEvent), parameters: &[Parameter { name: "ppEvent", ctype: "IHostAutoEvent**", direction: "out" }] },
        Method { name: "CreateManualEvent", offset: offset_of!(IHostSyncManagerVtbl, CreateManualEvent), parameters: &[Parameter { name: "bInitialState", ctype: "BOOL", direction: "in" }, Parameter { name: "ppEvent", ctype: "IHostManualEvent**", direction: "out" }] },
        Method { name: "CreateMonitorEvent", offset: offset_of!(IHostSyncManagerVtbl, CreateMonitorEvent), parameters: &[Parameter { name: "Cookie", ctype: "SIZE_T", direction: "in" }, Parameter { name: "ppEvent", ctype: "IHostAutoEvent**", direction: "out" }] },
        Method { name: "CreateRWLockWriterEvent", offset: offset_of!(IHostSyncManagerVtbl, CreateRWLockWriterEvent), parameters: &[Parameter { name: "Cookie", ctype: "SIZE_T", direction: "in" }, Parameter { name: "ppEvent", ctype: "IHostAutoEvent**", direction: "out" }] },
        Method { name: "CreateRWLockReaderEvent", offset: offset_of!(IHostSyncManagerVtbl, CreateRWLockReaderEvent), parameters: &[Parameter { name: "bInitialState", ctype: "BOOL", direction: "in" }, Parameter { name: "Cookie", ctype: "SIZE_T", direction: "in" }, Parameter { name: "ppEvent", ctype: "IHostManualEvent**", direction: "out" }] },
        Method { name: "CreateSemaphore", offset: offset_of!(IHostSyncManagerVtbl, CreateSemaphore), parameters: &[Parameter { name: "dwInitial", ctype: "DWORD", direction: "in" }, Parameter { name: "dwMax", ctype: "DWORD", direction: "in" }, Parameter { name: "ppSemaphore", ctype: "IHostSemaphore**", direction: "out" }] },
    ] },
    Interface { name: "IHostCrst", iid: IID_IHostCrst, base: Some("IUnknown"), by_host: true, size: size_of::<IHostCrstVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(IHostCrstVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(IHostCrstVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(IHostCrstVtbl, Release), parameters: &[] },
        Method { name: "Enter", offset: offset_of!(IHostCrstVtbl, Enter), parameters: &[Parameter { name: "option", ctype: "DWORD", direction: "in" }] },
        Method { name: "Leave", offset: offset_of!(IHostCrstVtbl, Leave), parameters: &[] },
        Method { name: "TryEnter", offset: offset_of!(IHostCrstVtbl, TryEnter), parameters: &[Parameter { name: "option", ctype: "DWORD", direction: "in" }, Parameter { name: "pbSucceeded", ctype: "BOOL*", direction: "out" }] },
        Method { name: "SetSpinCount", offset: offset_of!(IHostCrstVtbl, SetSpinCount), parameters: &[Parameter { name: "dwSpinCount", ctype: "DWORD", direction: "in" }] },
    ] },
    Interface { name: "IHostAutoEvent", iid: IID_IHostAutoEvent, base: Some("IUnknown"), by_host: true, size: size_of::<IHostAutoEventVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(IHostAutoEventVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(IHostAutoEventVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(IHostAutoEventVtbl, Release), parameters: &[] },
        Method { name: "Wait", offset: offset_of!(IHostAutoEventVtbl, Wait), parameters: &[Parameter { name: "dwMilliseconds", ctype: "DWORD", direction: "in" }, Parameter { name: "option", ctype: "DWORD", direction: "in" }] },
        Method { name: "Set", offset: offset_of!(IHostAutoEventVtbl, Set), parameters: &[] },
    ] },
    Interface { name: "IHostManualEvent", iid: IID_IHostManualEvent, base: Some("IUnknown"), by_host: true, size: size_of::<IHostManualEventVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(IHostManualEventVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(IHostManualEventVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(IHostManualEventVtbl, Release), parameters: &[] },
        Method { name: "Wait", offset: offset_of!(IHostManualEventVtbl, Wait), parameters: &[Parameter { name: "dwMilliseconds", ctype: "DWORD", direction: "in" }, Parameter { name: "option", ctype: "DWORD", direction: "in" }] },
        Method { name: "Reset", offset: offset_of!(IHostManualEventVtbl, Reset), parameters: &[] },
        Method { name: "Set", offset: offset_of!(IHostManualEventVtbl, Set), parameters: &[] },
    ] },
    Interface { name: "IHostSemaphore", iid: IID_IHostSemaphore, base: Some("IUnknown"), by_host: true, size: size_of::<IHostSemaphoreVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(IHostSemaphoreVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(IHostSemaphoreVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(IHostSemaphoreVtbl, Release), parameters: &[] },
        Method { name: "Wait", offset: offset_of!(IHostSemaphoreVtbl, Wait), parameters: &[Parameter { name: "dwMilliseconds", ctype: "DWORD", direction: "in" }, Parameter { name: "option", ctype: "DWORD", direction: "in" }] },
        Method { name: "ReleaseSemaphore", offset: offset_of!(IHostSemaphoreVtbl, ReleaseSemaphore), parameters: &[Parameter { name: "lReleaseCount", ctype: "LONG", direction: "in" }, Parameter { name: "lpPreviousCount", ctype: "LONG*", direction: "out" }] },
    ] },
    Interface { name: "ICLRSyncManager", iid: IID_ICLRSyncManager, base: Some("IUnknown"), by_host: false, size: size_of::<ICLRSyncManagerVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(ICLRSyncManagerVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(ICLRSyncManagerVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(ICLRSyncManagerVtbl, Release), parameters: &[] },
        Method { name: "GetMonitorOwner", offset: offset_of!(ICLRSyncManagerVtbl, GetMonitorOwner), parameters: &[Parameter { name: "Cookie", ctype: "SIZE_T", direction: "in" }, Parameter { name: "ppOwnerHostTask", ctype: "IHostTask**", direction: "out" }] },
        Method { name: "CreateRWLockOwnerIterator", offset: offset_of!(ICLRSyncManagerVtbl, CreateRWLockOwnerIterator), parameters: &[Parameter { name: "Cookie", ctype: "SIZE_T", direction: "in" }, Parameter { name: "pIterator", ctype: "SIZE_T*", direction: "out" }] },
        Method { name: "GetRWLockOwnerNext", offset: offset_of!(ICLRSyncManagerVtbl, GetRWLockOwnerNext), parameters: &[Parameter { name: "Iterator", ctype: "SIZE_T", direction: "in" }, Parameter { name: "ppOwnerHostTask", ctype: "IHostTask**", direction: "out" }] },
        Method { name: "DeleteRWLockOwnerIterator", offset: offset_of!(ICLRSyncManagerVtbl, DeleteRWLockOwnerIterator), parameters: &[Parameter { name: "Iterator", ctype: "SIZE_T", direction: "in" }] },
    ] },
    Interface { name: "IHostThreadpoolManager", iid: IID_IHostThreadpoolManager, base: Some("IUnknown"), by_host: true, size: size_of::<IHostThreadpoolManagerVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(IHostThreadpoolManagerVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(IHostThreadpoolManagerVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(IHostThreadpoolManagerVtbl, Release), parameters: &[] },
        Method { name: "QueueUserWorkItem", offset: offset_of!(IHostThreadpoolManagerVtbl, QueueUserWorkItem), parameters: &[Parameter { name: "Function", ctype: "LPTHREAD_START_ROUTINE", direction: "in" }, Parameter { name: "Context", ctype: "PVOID", direction: "in" }, Parameter { name: "Flags", ctype: "ULONG", direction: "in" }] },
        Method { name: "SetMaxThreads", offset: offset_of!(IHostThreadpoolManagerVtbl, SetMaxThreads), parameters: &[Parameter { name: "dwMaxWorkerThreads", ctype: "DWORD", direction: "in" }] },
        Method { name: "GetMaxThreads", offset: offset_of!(IHostThreadpoolManagerVtbl, GetMaxThreads), parameters: &[Parameter { name: "pdwMaxWorkerThreads", ctype: "DWORD*", direction: "out" }] },
        Method { name: "GetAvailableThreads", offset: offset_of!(IHostThreadpoolManagerVtbl, GetAvailableThreads), parameters: &[Parameter { name: "pdwAvailableWorkerThreads", ctype: "DWORD*", direction: "out" }] },
        Method { name: "SetMinThreads", offset: offset_of!(IHostThreadpoolManagerVtbl, SetMinThreads), parameters: &[Parameter { name: "dwMinIOCompletionThreads", ctype: "DWORD", direction: "in" }] },
        Method { name: "GetMinThreads", offset: offset_of!(IHostThreadpoolManagerVtbl, GetMinThreads), parameters: &[Parameter { name: "pdwMinIOCompletionThreads", ctype: "DWORD*", direction: "out" }] },
    ] },
    Interface { name: "IHostIoCompletionManager", iid: IID_IHostIoCompletionManager, base: Some("IUnknown"), by_host: true, size: size_of::<IHostIoCompletionManagerVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(IHostIoCompletionManagerVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(IHostIoCompletionManagerVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(IHostIoCompletionManagerVtbl, Release), parameters: &[] },
        Method { name: "CreateIoCompletionPort", offset: offset_of!(IHostIoCompletionManagerVtbl, CreateIoCompletionPort), parameters: &[Parameter { name: "phPort", ctype: "HANDLE*", direction: "out" }] },
        Method { name: "CloseIoCompletionPort", offset: offset_of!(IHostIoCompletionManagerVtbl, CloseIoCompletionPort), parameters: &[Parameter { name: "hPort", ctype: "HANDLE", direction: "in" }] },
        Method { name: "SetMaxThreads", offset: offset_of!(IHostIoCompletionManagerVtbl, SetMaxThreads), parameters: &[Parameter { name: "dwMaxIOCompletionThreads", ctype: "DWORD", direction: "in" }] },
        Method { name: "GetMaxThreads", offset: offset_of!(IHostIoCompletionManagerVtbl, GetMaxThreads), parameters: &[Parameter { name: "pdwMaxIOCompletionThreads", ctype: "DWORD*", direction: "out" }] },
        Method { name: "GetAvailableThreads", offset: offset_of!(IHostIoCompletionManagerVtbl, GetAvailableThreads), parameters: &[Parameter { name: "pdwAvailableIOCompletionThreads", ctype: "DWORD*", direction: "out" }] },
        Method { name: "GetHostOverlappedSize", offset: offset_of!(IHostIoCompletionManagerVtbl, GetHostOverlappedSize), parameters: &[Parameter { name: "pcbSize", ctype: "DWORD*", direction: "out" }] },
        Method { name: "SetCLRIoCompletionManager", offset: offset_of!(IHostIoCompletionManagerVtbl, SetCLRIoCompletionManager), parameters: &[Parameter { name: "pManager", ctype: "ICLRIoCompletionManager*", direction: "in" }] },
        Method { name: "InitializeHostOverlapped", offset: offset_of!(IHostIoCompletionManagerVtbl, InitializeHostOverlapped), parameters: &[Parameter { name: "pvOverlapped", ctype: "void*", direction: "in" }] },
        Method { name: "Bind", offset: offset_of!(IHostIoCompletionManagerVtbl, Bind), parameters: &[Parameter { name: "hPort", ctype: "HANDLE", direction: "in" }, Parameter { name: "hHandle", ctype: "HANDLE", direction: "in" }] },
        Method { name: "SetMinThreads", offset: offset_of!(IHostIoCompletionManagerVtbl, SetMinThreads), parameters: &[Parameter { name: "dwMinIOCompletionThreads", ctype: "DWORD", direction: "in" }] },
        Method { name: "GetMinThreads", offset: offset_of!(IHostIoCompletionManagerVtbl, GetMinThreads), parameters: &[Parameter { name: "pdwMinIOCompletionThreads", ctype: "DWORD*", direction: "out" }] },
    ] },
    Interface { name: "ICLRIoCompletionManager", iid: IID_ICLRIoCompletionManager, base: Some("IUnknown"), by_host: false, size: size_of::<ICLRIoCompletionManagerVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(ICLRIoCompletionManagerVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(ICLRIoCompletionManagerVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(ICLRIoCompletionManagerVtbl, Release), parameters: &[] },
        Method { name: "OnComplete", offset: offset_of!(ICLRIoCompletionManagerVtbl, OnComplete), parameters: &[Parameter { name: "dwErrorCode", ctype: "DWORD", direction: "in" }, Parameter { name: "NumberOfBytesTransferred", ctype: "DWORD", direction: "in" }, Parameter { name: "pvOverlapped", ctype: "void*", direction: "in" }] },
    ] },
    Interface { name: "IHostMemoryManager", iid: IID_IHostMemoryManager, base: Some("IUnknown"), by_host: true, size: size_of::<IHostMemoryManagerVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(IHostMemoryManagerVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(IHostMemoryManagerVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(IHostMemoryManagerVtbl, Release), parameters: &[] },
        Method { name: "CreateMalloc", offset: offset_of!(IHostMemoryManagerVtbl, CreateMalloc), parameters: &[Parameter { name: "dwMallocType", ctype: "DWORD", direction: "in" }, Parameter { name: "ppMalloc", ctype: "IHostMalloc**", direction: "out" }] },
        Method { name: "VirtualAlloc", offset: offset_of!(IHostMemoryManagerVtbl, VirtualAlloc), parameters: &[Parameter { name: "pAddress", ctype: "void*", direction: "in" }, Parameter { name: "dwSize", ctype: "SIZE_T", direction: "in" }, Parameter { name: "flAllocationType", ctype: "DWORD", direction: "in" }, Parameter { name: "flProtect", ctype: "DWORD", direction: "in" }, Parameter { name: "eCriticalLevel", ctype: "EMemoryCriticalLevel", direction: "in" }, Parameter { name: "ppMem", ctype: "void**", direction: "out" }] },
        Method { name: "VirtualFree", offset: offset_of!(IHostMemoryManagerVtbl, VirtualFree), parameters: &[Parameter { name: "lpAddress", ctype: "LPVOID", direction: "in" }, Parameter { name: "dwSize", ctype: "SIZE_T", direction: "in" }, Parameter { name: "dwFreeType", ctype: "DWORD", direction: "in" }] },
        Method { name: "VirtualQuery", offset: offset_of!(IHostMemoryManagerVtbl, VirtualQuery), parameters: &[Parameter { name: "lpAddress", ctype: "void*", direction: "in" }, Parameter { name: "lpBuffer", ctype: "void*", direction: "out" }, Parameter { name: "dwLength", ctype: "SIZE_T", direction: "in" }, Parameter { name: "pResult", ctype: "SIZE_T*", direction: "out" }] },
        Method { name: "VirtualProtect", offset: offset_of!(IHostMemoryManagerVtbl, VirtualProtect), parameters: &[Parameter { name: "lpAddress", ctype: "void*", direction: "in" }, Parameter { name: "dwSize", ctype: "SIZE_T", direction: "in" }, Parameter { name: "flNewProtect", ctype: "DWORD", direction: "in" }, Parameter { name: "pflOldProtect", ctype: "DWORD*", direction: "out" }] },
        Method { name: "GetMemoryLoad", offset: offset_of!(IHostMemoryManagerVtbl, GetMemoryLoad), parameters: &[Parameter { name: "pMemoryLoad", ctype: "DWORD*", direction: "out" }, Parameter { name: "pAvailableBytes", ctype: "SIZE_T*", direction: "out" }] },
        Method { name: "RegisterMemoryNotificationCallback", offset: offset_of!(IHostMemoryManagerVtbl, RegisterMemoryNotificationCallback), parameters: &[Parameter { name: "pCallback", ctype: "ICLRMemoryNotificationCallback*", direction: "in" }] },
        Method { name: "NeedsVirtualAddressSpace", offset: offset_of!(IHostMemoryManagerVtbl, NeedsVirtualAddressSpace), parameters: &[Parameter { name: "startAddress", ctype: "LPVOID", direction: "in" }, Parameter { name: "size", ctype: "SIZE_T", direction: "in" }] },
        Method { name: "AcquiredVirtualAddressSpace", offset: offset_of!(IHostMemoryManagerVtbl, AcquiredVirtualAddressSpace), parameters: &[Parameter { name: "startAddress", ctype: "LPVOID", direction: "in" }, Parameter { name: "size", ctype: "SIZE_T", direction: "in" }] },
        Method { name: "ReleasedVirtualAddressSpace", offset: offset_of!(IHostMemoryManagerVtbl, ReleasedVirtualAddressSpace), parameters: &[Parameter { name: "startAddress", ctype: "LPVOID", direction: "in" }] },
    ] },
    Interface { name: "IHostMalloc", iid: IID_IHostMalloc, base: Some("IUnknown"), by_host: true, size: size_of::<IHostMallocVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(IHostMallocVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(IHostMallocVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(IHostMallocVtbl, Release), parameters: &[] },
        Method { name: "Alloc", offset: offset_of!(IHostMallocVtbl, Alloc), parameters: &[Parameter { name: "cbSize", ctype: "SIZE_T", direction: "in" }, Parameter { name: "eCriticalLevel", ctype: "EMemoryCriticalLevel", direction: "in" }, Parameter { name: "ppMem", ctype: "void**", direction: "out" }] },
        Method { name: "DebugAlloc", offset: offset_of!(IHostMallocVtbl, DebugAlloc), parameters: &[Parameter { name: "cbSize", ctype: "SIZE_T", direction: "in" }, Parameter { name: "eCriticalLevel", ctype: "EMemoryCriticalLevel", direction: "in" }, Parameter { name: "pszFileName", ctype: "char*", direction: "in" }, Parameter { name: "iLineNo", ctype: "int", direction: "in" }, Parameter { name: "ppMem", ctype: "void**", direction: "out" }] },
        Method { name: "Free", offset: offset_of!(IHostMallocVtbl, Free), parameters: &[Parameter { name: "pMem", ctype: "void*", direction: "in" }] },
    ] },
    Interface { name: "ICLRMemoryNotificationCallback", iid: IID_ICLRMemoryNotificationCallback, base: Some("IUnknown"), by_host: false, size: size_of::<ICLRMemoryNotificationCallbackVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(ICLRMemoryNotificationCallbackVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(ICLRMemoryNotificationCallbackVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(ICLRMemoryNotificationCallbackVtbl, Release), parameters: &[] },
        Method { name: "OnMemoryNotification", offset: offset_of!(ICLRMemoryNotificationCallbackVtbl, OnMemoryNotification), parameters: &[Parameter { name: "eMemoryAvailable", ctype: "EMemoryAvailable", direction: "in" }] },
    ] },
    Interface { name: "IHostGCManager", iid: IID_IHostGCManager, base: Some("IUnknown"), by_host: true, size: size_of::<IHostGCManagerVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(IHostGCManagerVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(IHostGCManagerVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(IHostGCManagerVtbl, Release), parameters: &[] },
        Method { name: "ThreadIsBlockingForSuspension", offset: offset_of!(IHostGCManagerVtbl, ThreadIsBlockingForSuspension), parameters: &[] },
        Method { name: "SuspensionStarting", offset: offset_of!(IHostGCManagerVtbl, SuspensionStarting), parameters: &[] },
        Method { name: "SuspensionEnding", offset: offset_of!(IHostGCManagerVtbl, SuspensionEnding), parameters: &[Parameter { name: "Generation", ctype: "DWORD", direction: "in" }] },
    ] },
    Interface { name: "ICLRGCManager", iid: IID_ICLRGCManager, base: Some("IUnknown"), by_host: false, size: size_of::<ICLRGCManagerVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(ICLRGCManagerVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(ICLRGCManagerVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(ICLRGCManagerVtbl, Release), parameters: &[] },
        Method { name: "Collect", offset: offset_of!(ICLRGCManagerVtbl, Collect), parameters: &[Parameter { name: "Generation", ctype: "LONG", direction: "in" }] },
        Method { name: "GetStats", offset: offset_of!(ICLRGCManagerVtbl, GetStats), parameters: &[Parameter { name: "pStats", ctype: "COR_GC_STATS*", direction: "inout" }] },
        Method { name: "SetGCStartupLimits", offset: offset_of!(ICLRGCManagerVtbl, SetGCStartupLimits), parameters: &[Parameter { name: "SegmentSize", ctype: "DWORD", direction: "in" }, Parameter { name: "MaxGen0Size", ctype: "DWORD", direction: "in" }] },
    ] },
    Interface { name: "ICLRGCManager2", iid: IID_ICLRGCManager2, base: Some("ICLRGCManager"), by_host: false, size: size_of::<ICLRGCManager2Vtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(ICLRGCManager2Vtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(ICLRGCManager2Vtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(ICLRGCManager2Vtbl, Release), parameters: &[] },
        Method { name: "Collect", offset: offset_of!(ICLRGCManager2Vtbl, Collect), parameters: &[Parameter { name: "Generation", ctype: "LONG", direction: "in" }] },
        Method { name: "GetStats", offset: offset_of!(ICLRGCManager2Vtbl, GetStats), parameters: &[Parameter { name: "pStats", ctype: "COR_GC_STATS*", direction: "inout" }] },
        Method { name: "SetGCStartupLimits", offset: offset_of!(ICLRGCManager2Vtbl, SetGCStartupLimits), parameters: &[Parameter { name: "SegmentSize", ctype: "DWORD", direction: "in" }, Parameter { name: "MaxGen0Size", ctype: "DWORD", direction: "in" }] },
        Method { name: "SetGCStartupLimitsEx", offset: offset_of!(ICLRGCManager2Vtbl, SetGCStartupLimitsEx), parameters: &[Parameter { name: "SegmentSize", ctype: "SIZE_T", direction: "in" }, Parameter { name: "MaxGen0Size", ctype: "SIZE_T", direction: "in" }] },
    ] },
    Interface { name: "IHostPolicyManager", iid: IID_IHostPolicyManager, base: Some("IUnknown"), by_host: true, size: size_of::<IHostPolicyManagerVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(IHostPolicyManagerVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(IHostPolicyManagerVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(IHostPolicyManagerVtbl, Release), parameters: &[] },
        Method { name: "OnDefaultAction", offset: offset_of!(IHostPolicyManagerVtbl, OnDefaultAction), parameters: &[Parameter { name: "operation", ctype: "EClrOperation", direction: "in" }, Parameter { name: "action", ctype: "EPolicyAction", direction: "in" }] },
        Method { name: "OnTimeout", offset: offset_of!(IHostPolicyManagerVtbl, OnTimeout), parameters: &[Parameter { name: "operation", ctype: "EClrOperation", direction: "in" }, Parameter { name: "action", ctype: "EPolicyAction", direction: "in" }] },
        Method { name: "OnFailure", offset: offset_of!(IHostPolicyManagerVtbl, OnFailure), parameters: &[Parameter { name: "failure", ctype: "EClrFailure", direction: "in" }, Parameter { name: "action", ctype: "EPolicyAction", direction: "in" }] },
    ] },
    Interface { name: "ICLRPolicyManager", iid: IID_ICLRPolicyManager, base: Some("IUnknown"), by_host: false, size: size_of::<ICLRPolicyManagerVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(ICLRPolicyManagerVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(ICLRPolicyManagerVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(ICLRPolicyManagerVtbl, Release), parameters: &[] },
        Method { name: "SetDefaultAction", offset: offset_of!(ICLRPolicyManagerVtbl, SetDefaultAction), parameters: &[Parameter { name: "operation", ctype: "EClrOperation", direction: "in" }, Parameter { name: "action", ctype: "EPolicyAction", direction: "in" }] },
        Method { name: "SetTimeout", offset: offset_of!(ICLRPolicyManagerVtbl, SetTimeout), parameters: &[Parameter { name: "operation", ctype: "EClrOperation", direction: "in" }, Parameter { name: "dwMilliseconds", ctype: "DWORD", direction: "in" }] },
        Method { name: "SetActionOnTimeout", offset: offset_of!(ICLRPolicyManagerVtbl, SetActionOnTimeout), parameters: &[Parameter { name: "operation", ctype: "EClrOperation", direction: "in" }, Parameter { name: "action", ctype: "EPolicyAction", direction: "in" }] },
        Method { name: "SetTimeoutAndAction", offset: offset_of!(ICLRPolicyManagerVtbl, SetTimeoutAndAction), parameters: &[Parameter { name: "operation", ctype: "EClrOperation", direction: "in" }, Parameter { name: "dwMilliseconds", ctype: "DWORD", direction: "in" }, Parameter { name: "action", ctype: "EPolicyAction", direction: "in" }] },
        Method { name: "SetActionOnFailure", offset: offset_of!(ICLRPolicyManagerVtbl, SetActionOnFailure), parameters: &[Parameter { name: "failure", ctype: "EClrFailure", direction: "in" }, Parameter { name: "action", ctype: "EPolicyAction", direction: "in" }] },
        Method { name: "SetUnhandledExceptionPolicy", offset: offset_of!(ICLRPolicyManagerVtbl, SetUnhandledExceptionPolicy), parameters: &[Parameter { name: "policy", ctype: "EClrUnhandledException", direction: "in" }] },
    ] },
    Interface { name: "ICLROnEventManager", iid: IID_ICLROnEventManager, base: Some("IUnknown"), by_host: false, size: size_of::<ICLROnEventManagerVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(ICLROnEventManagerVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(ICLROnEventManagerVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(ICLROnEventManagerVtbl, Release), parameters: &[] },
        Method { name: "RegisterActionOnEvent", offset: offset_of!(ICLROnEventManagerVtbl, RegisterActionOnEvent), parameters: &[Parameter { name: "event", ctype: "EClrEvent", direction: "in" }, Parameter { name: "pAction", ctype: "IActionOnCLREvent*", direction: "in" }] },
        Method { name: "UnregisterActionOnEvent", offset: offset_of!(ICLROnEventManagerVtbl, UnregisterActionOnEvent), parameters: &[Parameter { name: "event", ctype: "EClrEvent", direction: "in" }, Parameter { name: "pAction", ctype: "IActionOnCLREvent*", direction: "in" }] },
    ] },
    Interface { name: "IActionOnCLREvent", iid: IID_IActionOnCLREvent, base: Some("IUnknown"), by_host: true, size: size_of::<IActionOnCLREventVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(IActionOnCLREventVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(IActionOnCLREventVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(IActionOnCLREventVtbl, Release), parameters: &[] },
        Method { name: "OnEvent", offset: offset_of!(IActionOnCLREventVtbl, OnEvent), parameters: &[Parameter { name: "event", ctype: "EClrEvent", direction: "in" }, Parameter { name: "data", ctype: "PVOID", direction: "in" }] },
    ] },
    Interface { name: "IHostSecurityManager", iid: IID_IHostSecurityManager, base: Some("IUnknown"), by_host: true, size: size_of::<IHostSecurityManagerVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(IHostSecurityManagerVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(IHostSecurityManagerVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(IHostSecurityManagerVtbl, Release), parameters: &[] },
        Method { name: "ImpersonateLoggedOnUser", offset: offset_of!(IHostSecurityManagerVtbl, ImpersonateLoggedOnUser), parameters: &[Parameter { name: "hToken", ctype: "HANDLE", direction: "in" }] },
        Method { name: "RevertToSelf", offset: offset_of!(IHostSecurityManagerVtbl, RevertToSelf), parameters: &[] },
        Method { name: "OpenThreadToken", offset: offset_of!(IHostSecurityManagerVtbl, OpenThreadToken), parameters: &[Parameter { name: "dwDesiredAccess", ctype: "DWORD", direction: "in" }, Parameter { name: "bOpenAsSelf", ctype: "BOOL", direction: "in" }, Parameter { name: "phThreadToken", ctype: "HANDLE*", direction: "out" }] },
        Method { name: "SetThreadToken", offset: offset_of!(IHostSecurityManagerVtbl, SetThreadToken), parameters: &[Parameter { name: "hToken", ctype: "HANDLE", direction: "in" }] },
        Method { name: "GetSecurityContext", offset: offset_of!(IHostSecurityManagerVtbl, GetSecurityContext), parameters: &[Parameter { name: "eContextType", ctype: "EContextType", direction: "in" }, Parameter { name: "ppSecurityContext", ctype: "IHostSecurityContext**", direction: "out" }] },
        Method { name: "SetSecurityContext", offset: offset_of!(IHostSecurityManagerVtbl, SetSecurityContext), parameters: &[Parameter { name: "eContextType", ctype: "EContextType", direction: "in" }, Parameter { name: "pSecurityContext", ctype: "IHostSecurityContext*", direction: "in" }] },
    ] },
    Interface { name: "IHostSecurityContext", iid: IID_IHostSecurityContext, base: Some("IUnknown"), by_host: true, size: size_of::<IHostSecurityContextVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(IHostSecurityContextVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(IHostSecurityContextVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(IHostSecurityContextVtbl, Release), parameters: &[] },
        Method { name: "Capture", offset: offset_of!(IHostSecurityContextVtbl, Capture), parameters: &[Parameter { name: "ppClonedContext", ctype: "IHostSecurityContext**", direction: "out" }] },
    ] },
    Interface { name: "IHostAssemblyManager", iid: IID_IHostAssemblyManager, base: Some("IUnknown"), by_host: true, size: size_of::<IHostAssemblyManagerVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(IHostAssemblyManagerVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(IHostAssemblyManagerVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(IHostAssemblyManagerVtbl, Release), parameters: &[] },
        Method { name: "GetNonHostStoreAssemblies", offset: offset_of!(IHostAssemblyManagerVtbl, GetNonHostStoreAssemblies), parameters: &[Parameter { name: "ppReferenceList", ctype: "ICLRAssemblyReferenceList**", direction: "out" }] },
        Method { name: "GetAssemblyStore", offset: offset_of!(IHostAssemblyManagerVtbl, GetAssemblyStore), parameters: &[Parameter { name: "ppAssemblyStore", ctype: "IHostAssemblyStore**", direction: "out" }] },
    ] },
    Interface { name: "IHostAssemblyStore", iid: IID_IHostAssemblyStore, base: Some("IUnknown"), by_host: true, size: size_of::<IHostAssemblyStoreVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(IHostAssemblyStoreVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(IHostAssemblyStoreVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(IHostAssemblyStoreVtbl, Release), parameters: &[] },
        Method { name: "ProvideAssembly", offset: offset_of!(IHostAssemblyStoreVtbl, ProvideAssembly), parameters: &[Parameter { name: "pBindInfo", ctype: "AssemblyBindInfo*", direction: "in" }, Parameter { name: "pAssemblyId", ctype: "UINT64*", direction: "out" }, Parameter { name: "pContext", ctype: "UINT64*", direction: "out" }, Parameter { name: "ppStmAssemblyImage", ctype: "IStream**", direction: "out" }, Parameter { name: "ppStmPDB", ctype: "IStream**", direction: "out" }] },
        Method { name: "ProvideModule", offset: offset_of!(IHostAssemblyStoreVtbl, ProvideModule), parameters: &[Parameter { name: "pBindInfo", ctype: "ModuleBindInfo*", direction: "in" }, Parameter { name: "pdwModuleId", ctype: "DWORD*", direction: "out" }, Parameter { name: "ppStmModuleImage", ctype: "IStream**", direction: "out" }, Parameter { name: "ppStmPDB", ctype: "IStream**", direction: "out" }] },
    ] },
    Interface { name: "ICLRAssemblyReferenceList", iid: IID_ICLRAssemblyReferenceList, base: Some("IUnknown"), by_host: false, size: size_of::<ICLRAssemblyReferenceListVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(ICLRAssemblyReferenceListVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(ICLRAssemblyReferenceListVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(ICLRAssemblyReferenceListVtbl, Release), parameters: &[] },
        Method { name: "IsStringAssemblyReferenceInList", offset: offset_of!(ICLRAssemblyReferenceListVtbl, IsStringAssemblyReferenceInList), parameters: &[Parameter { name: "pwzAssemblyName", ctype: "LPCWSTR", direction: "in" }] },
        Method { name: "IsAssemblyReferenceInList", offset: offset_of!(ICLRAssemblyReferenceListVtbl, IsAssemblyReferenceInList), parameters: &[Parameter { name: "pName", ctype: "IUnknown*", direction: "in" }] },
    ] },
    Interface { name: "ICLRReferenceAssemblyEnum", iid: IID_ICLRReferenceAssemblyEnum, base: Some("IUnknown"), by_host: false, size: size_of::<ICLRReferenceAssemblyEnumVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(ICLRReferenceAssemblyEnumVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(ICLRReferenceAssemblyEnumVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(ICLRReferenceAssemblyEnumVtbl, Release), parameters: &[] },
        Method { name: "Get", offset: offset_of!(ICLRReferenceAssemblyEnumVtbl, Get), parameters: &[Parameter { name: "dwIndex", ctype: "DWORD", direction: "in" }, Parameter { name: "pwzBuffer", ctype: "LPWSTR", direction: "out" }, Parameter { name: "pcchBufferSize", ctype: "DWORD*", direction: "inout" }] },
    ] },
    Interface { name: "ICLRProbingAssemblyEnum", iid: IID_ICLRProbingAssemblyEnum, base: Some("IUnknown"), by_host: false, size: size_of::<ICLRProbingAssemblyEnumVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(ICLRProbingAssemblyEnumVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(ICLRProbingAssemblyEnumVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(ICLRProbingAssemblyEnumVtbl, Release), parameters: &[] },
        Method { name: "Get", offset: offset_of!(ICLRProbingAssemblyEnumVtbl, Get), parameters: &[Parameter { name: "dwIndex", ctype: "DWORD", direction: "in" }, Parameter { name: "pwzBuffer", ctype: "LPWSTR", direction: "out" }, Parameter { name: "pcchBufferSize", ctype: "DWORD*", direction: "inout" }] },
    ] },
    Interface { name: "ICLRAssemblyIdentityManager", iid: IID_ICLRAssemblyIdentityManager, base: Some("IUnknown"), by_host: false, size: size_of::<ICLRAssemblyIdentityManagerVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(ICLRAssemblyIdentityManagerVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(ICLRAssemblyIdentityManagerVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(ICLRAssemblyIdentityManagerVtbl, Release), parameters: &[] },
        Method { name: "GetCLRAssemblyReferenceList", offset: offset_of!(ICLRAssemblyIdentityManagerVtbl, GetCLRAssemblyReferenceList), parameters: &[Parameter { name: "ppwzAssemblyReferences", ctype: "LPCWSTR*", direction: "in" }, Parameter { name: "dwNumOfReferences", ctype: "DWORD", direction: "in" }, Parameter { name: "ppReferenceList", ctype: "ICLRAssemblyReferenceList**", direction: "out" }] },
        Method { name: "GetBindingIdentityFromFile", offset: offset_of!(ICLRAssemblyIdentityManagerVtbl, GetBindingIdentityFromFile), parameters: &[Parameter { name: "pwzFilePath", ctype: "LPCWSTR", direction: "in" }, Parameter { name: "dwFlags", ctype: "DWORD", direction: "in" }, Parameter { name: "pwzBuffer", ctype: "LPWSTR", direction: "out" }, Parameter { name: "pcchBufferSize", ctype: "DWORD*", direction: "inout" }] },
        Method { name: "GetBindingIdentityFromStream", offset: offset_of!(ICLRAssemblyIdentityManagerVtbl, GetBindingIdentityFromStream), parameters: &[Parameter { name: "pStream", ctype: "IStream*", direction: "in" }, Parameter { name: "dwFlags", ctype: "DWORD", direction: "in" }, Parameter { name: "pwzBuffer", ctype: "LPWSTR", direction: "out" }, Parameter { name: "pcchBufferSize", ctype: "DWORD*", direction: "inout" }] },
        Method { name: "GetReferencedAssembliesFromFile", offset: offset_of!(ICLRAssemblyIdentityManagerVtbl, GetReferencedAssembliesFromFile), parameters: &[Parameter { name: "pwzFilePath", ctype: "LPCWSTR", direction: "in" }, Parameter { name: "dwFlags", ctype: "DWORD", direction: "in" }, Parameter { name: "pExcludeAssembliesList", ctype: "ICLRAssemblyReferenceList*", direction: "in" }, Parameter { name: "ppReferenceEnum", ctype: "ICLRReferenceAssemblyEnum**", direction: "out" }] },
        Method { name: "GetReferencedAssembliesFromStream", offset: offset_of!(ICLRAssemblyIdentityManagerVtbl, GetReferencedAssembliesFromStream), parameters: &[Parameter { name: "pStream", ctype: "IStream*", direction: "in" }, Parameter { name: "dwFlags", ctype: "DWORD", direction: "in" }, Parameter { name: "pExcludeAssembliesList", ctype: "ICLRAssemblyReferenceList*", direction: "in" }, Parameter { name: "ppReferenceEnum", ctype: "ICLRReferenceAssemblyEnum**", direction: "out" }] },
        Method { name: "GetProbingAssembliesFromReference", offset: offset_of!(ICLRAssemblyIdentityManagerVtbl, GetProbingAssembliesFromReference), parameters: &[Parameter { name: "dwMachineType", ctype: "DWORD", direction: "in" }, Parameter { name: "dwFlags", ctype: "DWORD", direction: "in" }, Parameter { name: "pwzReferenceIdentity", ctype: "LPCWSTR", direction: "in" }, Parameter { name: "ppProbingAssemblyEnum", ctype: "ICLRProbingAssemblyEnum**", direction: "out" }] },
        Method { name: "IsStronglyNamed", offset: offset_of!(ICLRAssemblyIdentityManagerVtbl, IsStronglyNamed), parameters: &[Parameter { name: "pwzAssemblyIdentity", ctype: "LPCWSTR", direction: "in" }, Parameter { name: "pbIsStronglyNamed", ctype: "BOOL*", direction: "out" }] },
    ] },
    Interface { name: "ICLRHostBindingPolicyManager", iid: IID_ICLRHostBindingPolicyManager, base: Some("IUnknown"), by_host: false, size: size_of::<ICLRHostBindingPolicyManagerVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(ICLRHostBindingPolicyManagerVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(ICLRHostBindingPolicyManagerVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(ICLRHostBindingPolicyManagerVtbl, Release), parameters: &[] },
        Method { name: "ModifyApplicationPolicy", offset: offset_of!(ICLRHostBindingPolicyManagerVtbl, ModifyApplicationPolicy), parameters: &[Parameter { name: "pwzSourceAssemblyIdentity", ctype: "LPCWSTR", direction: "in" }, Parameter { name: "pwzTargetAssemblyIdentity", ctype: "LPCWSTR", direction: "in" }, Parameter { name: "pbApplicationPolicy", ctype: "BYTE*", direction: "in" }, Parameter { name: "cbAppPolicySize", ctype: "DWORD", direction: "in" }, Parameter { name: "dwPolicyModifyFlags", ctype: "DWORD", direction: "in" }, Parameter { name: "pbNewApplicationPolicy", ctype: "BYTE*", direction: "out" }, Parameter { name: "pcbNewAppPolicySize", ctype: "DWORD*", direction: "inout" }] },
        Method { name: "EvaluatePolicy", offset: offset_of!(ICLRHostBindingPolicyManagerVtbl, EvaluatePolicy), parameters: &[Parameter { name: "pwzReferenceIdentity", ctype: "LPCWSTR", direction: "in" }, Parameter { name: "pbApplicationPolicy", ctype: "BYTE*", direction: "in" }, Parameter { name: "cbAppPolicySize", ctype: "DWORD", direction: "in" }, Parameter { name: "pwzPostPolicyReferenceIdentity", ctype: "LPWSTR", direction: "out" }, Parameter { name: "pcchPostPolicyReferenceIdentity", ctype: "DWORD*", direction: "inout" }, Parameter { name: "pdwPoliciesApplied", ctype: "DWORD*", direction: "out" }] },
    ] },
    Interface { name: "ICLRHostProtectionManager", iid: IID_ICLRHostProtectionManager, base: Some("IUnknown"), by_host: false, size: size_of::<ICLRHostProtectionManagerVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(ICLRHostProtectionManagerVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(ICLRHostProtectionManagerVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(ICLRHostProtectionManagerVtbl, Release), parameters: &[] },
        Method { name: "SetProtectedCategories", offset: offset_of!(ICLRHostProtectionManagerVtbl, SetProtectedCategories), parameters: &[Parameter { name: "categories", ctype: "EApiCategories", direction: "in" }] },
        Method { name: "SetEagerSerializeGrantSets", offset: offset_of!(ICLRHostProtectionManagerVtbl, SetEagerSerializeGrantSets), parameters: &[] },
    ] },
    Interface { name: "ICLRDomainManager", iid: IID_ICLRDomainManager, base: Some("IUnknown"), by_host: false, size: size_of::<ICLRDomainManagerVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(ICLRDomainManagerVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(ICLRDomainManagerVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(ICLRDomainManagerVtbl, Release), parameters: &[] },
        Method { name: "SetAppDomainManagerType", offset: offset_of!(ICLRDomainManagerVtbl, SetAppDomainManagerType), parameters: &[Parameter { name: "wszAppDomainManagerAssembly", ctype: "LPCWSTR", direction: "in" }, Parameter { name: "wszAppDomainManagerType", ctype: "LPCWSTR", direction: "in" }, Parameter { name: "dwInitializeDomainFlags", ctype: "EInitializeNewDomainFlags", direction: "in" }] },
        Method { name: "SetPropertiesForDefaultAppDomain", offset: offset_of!(ICLRDomainManagerVtbl, SetPropertiesForDefaultAppDomain), parameters: &[Parameter { name: "nProperties", ctype: "DWORD", direction: "in" }, Parameter { name: "pwszPropertyNames", ctype: "LPCWSTR*", direction: "in" }, Parameter { name: "pwszPropertyValues", ctype: "LPCWSTR*", direction: "in" }] },
    ] },
    Interface { name: "ICLRDebugManager", iid: IID_ICLRDebugManager, base: Some("IUnknown"), by_host: false, size: size_of::<ICLRDebugManagerVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(ICLRDebugManagerVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(ICLRDebugManagerVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(ICLRDebugManagerVtbl, Release), parameters: &[] },
        Method { name: "BeginConnection", offset: offset_of!(ICLRDebugManagerVtbl, BeginConnection), parameters: &[Parameter { name: "dwConnectionId", ctype: "CONNID", direction: "in" }, Parameter { name: "szConnectionName", ctype: "wchar_t*", direction: "in" }] },
        Method { name: "SetConnectionTasks", offset: offset_of!(ICLRDebugManagerVtbl, SetConnectionTasks), parameters: &[Parameter { name: "id", ctype: "CONNID", direction: "in" }, Parameter { name: "dwCount", ctype: "DWORD", direction: "in" }, Parameter { name: "ppCLRTask", ctype: "ICLRTask**", direction: "in" }] },
        Method { name: "EndConnection", offset: offset_of!(ICLRDebugManagerVtbl, EndConnection), parameters: &[Parameter { name: "dwConnectionId", ctype: "CONNID", direction: "in" }] },
        Method { name: "SetDacl", offset: offset_of!(ICLRDebugManagerVtbl, SetDacl), parameters: &[Parameter { name: "pacl", ctype: "PACL", direction: "in" }] },
        Method { name: "GetDacl", offset: offset_of!(ICLRDebugManagerVtbl, GetDacl), parameters: &[Parameter { name: "pacl", ctype: "PACL*", direction: "out" }] },
        Method { name: "IsDebuggerAttached", offset: offset_of!(ICLRDebugManagerVtbl, IsDebuggerAttached), parameters: &[Parameter { name: "pbAttached", ctype: "BOOL*", direction: "out" }] },
        Method { name: "SetSymbolReadingPolicy", offset: offset_of!(ICLRDebugManagerVtbl, SetSymbolReadingPolicy), parameters: &[Parameter { name: "policy", ctype: "ESymbolReadingPolicy", direction: "in" }] },
    ] },
    Interface { name: "ICLRErrorReportingManager", iid: IID_ICLRErrorReportingManager, base: Some("IUnknown"), by_host: false, size: size_of::<ICLRErrorReportingManagerVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(ICLRErrorReportingManagerVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(ICLRErrorReportingManagerVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(ICLRErrorReportingManagerVtbl, Release), parameters: &[] },
        Method { name: "GetBucketParametersForCurrentException", offset: offset_of!(ICLRErrorReportingManagerVtbl, GetBucketParametersForCurrentException), parameters: &[Parameter { name: "pParams", ctype: "BucketParameters*", direction: "out" }] },
        Method { name: "BeginCustomDump", offset: offset_of!(ICLRErrorReportingManagerVtbl, BeginCustomDump), parameters: &[Parameter { name: "dwFlavor", ctype: "ECustomDumpFlavor", direction: "in" }, Parameter { name: "dwNumItems", ctype: "DWORD", direction: "in" }, Parameter { name: "items", ctype: "CustomDumpItem*", direction: "in" }, Parameter { name: "dwReserved", ctype: "DWORD", direction: "in" }] },
        Method { name: "EndCustomDump", offset: offset_of!(ICLRErrorReportingManagerVtbl, EndCustomDump), parameters: &[] },
    ] },
    Interface { name: "ICLRAppDomainResourceMonitor", iid: IID_ICLRAppDomainResourceMonitor, base: Some("IUnknown"), by_host: false, size: size_of::<ICLRAppDomainResourceMonitorVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(ICLRAppDomainResourceMonitorVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(ICLRAppDomainResourceMonitorVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(ICLRAppDomainResourceMonitorVtbl, Release), parameters: &[] },
        Method { name: "GetCurrentAllocated", offset: offset_of!(ICLRAppDomainResourceMonitorVtbl, GetCurrentAllocated), parameters: &[Parameter { name: "dwAppDomainId", ctype: "DWORD", direction: "in" }, Parameter { name: "pBytesAllocated", ctype: "ULONGLONG*", direction: "out" }] },
        Method { name: "GetCurrentSurvived", offset: offset_of!(ICLRAppDomainResourceMonitorVtbl, GetCurrentSurvived), parameters: &[Parameter { name: "dwAppDomainId", ctype: "DWORD", direction: "in" }, Parameter { name: "pAppDomainBytesSurvived", ctype: "ULONGLONG*", direction: "out" }, Parameter { name: "pTotalBytesSurvived", ctype: "ULONGLONG*", direction: "out" }] },
        Method { name: "GetCurrentCpuTime", offset: offset_of!(ICLRAppDomainResourceMonitorVtbl, GetCurrentCpuTime), parameters: &[Parameter { name: "dwAppDomainId", ctype: "DWORD", direction: "in" }, Parameter { name: "pMilliseconds", ctype: "ULONGLONG*", direction: "out" }] },
    ] },
    Interface { name: "IGCThreadControl", iid: IID_IGCThreadControl, base: Some("IUnknown"), by_host: true, size: size_of::<IGCThreadControlVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(IGCThreadControlVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(IGCThreadControlVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(IGCThreadControlVtbl, Release), parameters: &[] },
        Method { name: "ThreadIsBlockingForSuspension", offset: offset_of!(IGCThreadControlVtbl, ThreadIsBlockingForSuspension), parameters: &[] },
        Method { name: "SuspensionStarting", offset: offset_of!(IGCThreadControlVtbl, SuspensionStarting), parameters: &[] },
        Method { name: "SuspensionEnding", offset: offset_of!(IGCThreadControlVtbl, SuspensionEnding), parameters: &[Parameter { name: "Generation", ctype: "DWORD", direction: "in" }] },
    ] },
    Interface { name: "IGCHostControl", iid: IID_IGCHostControl, base: Some("IUnknown"), by_host: true, size: size_of::<IGCHostControlVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(IGCHostControlVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(IGCHostControlVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(IGCHostControlVtbl, Release), parameters: &[] },
        Method { name: "RequestVirtualMemLimit", offset: offset_of!(IGCHostControlVtbl, RequestVirtualMemLimit), parameters: &[Parameter { name: "sztMaxVirtualMemMB", ctype: "SIZE_T", direction: "in" }, Parameter { name: "psztNewMaxVirtualMemMB", ctype: "SIZE_T*", direction: "inout" }] },
    ] },
    Interface { name: "IDebuggerThreadControl", iid: IID_IDebuggerThreadControl, base: Some("IUnknown"), by_host: true, size: size_of::<IDebuggerThreadControlVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(IDebuggerThreadControlVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(IDebuggerThreadControlVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(IDebuggerThreadControlVtbl, Release), parameters: &[] },
        Method { name: "ThreadIsBlockingForDebugger", offset: offset_of!(IDebuggerThreadControlVtbl, ThreadIsBlockingForDebugger), parameters: &[] },
        Method { name: "ReleaseAllRuntimeThreads", offset: offset_of!(IDebuggerThreadControlVtbl, ReleaseAllRuntimeThreads), parameters: &[] },
        Method { name: "StartBlockingForDebugger", offset: offset_of!(IDebuggerThreadControlVtbl, StartBlockingForDebugger), parameters: &[Parameter { name: "dwUnused", ctype: "DWORD", direction: "in" }] },
    ] },
    Interface { name: "IDebuggerInfo", iid: IID_IDebuggerInfo, base: Some("IUnknown"), by_host: false, size: size_of::<IDebuggerInfoVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(IDebuggerInfoVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(IDebuggerInfoVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(IDebuggerInfoVtbl, Release), parameters: &[] },
        Method { name: "IsDebuggerAttached", offset: offset_of!(IDebuggerInfoVtbl, IsDebuggerAttached), parameters: &[Parameter { name: "pbAttached", ctype: "BOOL*", direction: "out" }] },
    ] },
    Interface { name: "ICorConfiguration", iid: IID_ICorConfiguration, base: Some("IUnknown"), by_host: false, size: size_of::<ICorConfigurationVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(ICorConfigurationVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(ICorConfigurationVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(ICorConfigurationVtbl, Release), parameters: &[] },
        Method { name: "SetGCThreadControl", offset: offset_of!(ICorConfigurationVtbl, SetGCThreadControl), parameters: &[Parameter { name: "pGCThreadControl", ctype: "IGCThreadControl*", direction: "in" }] },
        Method { name: "SetGCHostControl", offset: offset_of!(ICorConfigurationVtbl, SetGCHostControl), parameters: &[Parameter { name: "pGCHostControl", ctype: "IGCHostControl*", direction: "in" }] },
        Method { name: "SetDebuggerThreadControl", offset: offset_of!(ICorConfigurationVtbl, SetDebuggerThreadControl), parameters: &[Parameter { name: "pDebuggerThreadControl", ctype: "IDebuggerThreadControl*", direction: "in" }] },
        Method { name: "AddDebuggerSpecialThread", offset: offset_of!(ICorConfigurationVtbl, AddDebuggerSpecialThread), parameters: &[Parameter { name: "dwSpecialThreadId", ctype: "DWORD", direction: "in" }] },
    ] },
    Interface { name: "ICorRuntimeHost", iid: IID_ICorRuntimeHost, base: Some("IUnknown"), by_host: false, size: size_of::<ICorRuntimeHostVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(ICorRuntimeHostVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(ICorRuntimeHostVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(ICorRuntimeHostVtbl, Release), parameters: &[] },
        Method { name: "CreateLogicalThreadState", offset: offset_of!(ICorRuntimeHostVtbl, CreateLogicalThreadState), parameters: &[] },
        Method { name: "DeleteLogicalThreadState", offset: offset_of!(ICorRuntimeHostVtbl, DeleteLogicalThreadState), parameters: &[] },
        Method { name: "SwitchInLogicalThreadState", offset: offset_of!(ICorRuntimeHostVtbl, SwitchInLogicalThreadState), parameters: &[Parameter { name: "pFiberCookie", ctype: "DWORD*", direction: "in" }] },
        Method { name: "SwitchOutLogicalThreadState", offset: offset_of!(ICorRuntimeHostVtbl, SwitchOutLogicalThreadState), parameters: &[Parameter { name: "pFiberCookie", ctype: "DWORD**", direction: "out" }] },
        Method { name: "LocksHeldByLogicalThread", offset: offset_of!(ICorRuntimeHostVtbl, LocksHeldByLogicalThread), parameters: &[Parameter { name: "pCount", ctype: "DWORD*", direction: "out" }] },
        Method { name: "MapFile", offset: offset_of!(ICorRuntimeHostVtbl, MapFile), parameters: &[Parameter { name: "hFile", ctype: "HANDLE", direction: "in" }, Parameter { name: "hMapAddress", ctype: "HMODULE*", direction: "out" }] },
        Method { name: "GetConfiguration", offset: offset_of!(ICorRuntimeHostVtbl, GetConfiguration), parameters: &[Parameter { name: "pConfiguration", ctype: "ICorConfiguration**", direction: "out" }] },
        Method { name: "Start", offset: offset_of!(ICorRuntimeHostVtbl, Start), parameters: &[] },
        Method { name: "Stop", offset: offset_of!(ICorRuntimeHostVtbl, Stop), parameters: &[] },
        Method { name: "CreateDomain", offset: offset_of!(ICorRuntimeHostVtbl, CreateDomain), parameters: &[Parameter { name: "pwzFriendlyName", ctype: "LPCWSTR", direction: "in" }, Parameter { name: "pIdentityArray", ctype: "IUnknown*", direction: "in" }, Parameter { name: "pAppDomain", ctype: "IUnknown**", direction: "out" }] },
        Method { name: "GetDefaultDomain", offset: offset_of!(ICorRuntimeHostVtbl, GetDefaultDomain), parameters: &[Parameter { name: "pAppDomain", ctype: "IUnknown**", direction: "out" }] },
        Method { name: "EnumDomains", offset: offset_of!(ICorRuntimeHostVtbl, EnumDomains), parameters: &[Parameter { name: "hEnum", ctype: "HDOMAINENUM*", direction: "out" }] },
        Method { name: "NextDomain", offset: offset_of!(ICorRuntimeHostVtbl, NextDomain), parameters: &[Parameter { name: "hEnum", ctype: "HDOMAINENUM", direction: "in" }, Parameter { name: "pAppDomain", ctype: "IUnknown**", direction: "out" }] },
        Method { name: "CloseEnum", offset: offset_of!(ICorRuntimeHostVtbl, CloseEnum), parameters: &[Parameter { name: "hEnum", ctype: "HDOMAINENUM", direction: "in" }] },
        Method { name: "CreateDomainEx", offset: offset_of!(ICorRuntimeHostVtbl, CreateDomainEx), parameters: &[Parameter { name: "pwzFriendlyName", ctype: "LPCWSTR", direction: "in" }, Parameter { name: "pSetup", ctype: "IUnknown*", direction: "in" }, Parameter { name: "pEvidence", ctype: "IUnknown*", direction: "in" }, Parameter { name: "pAppDomain", ctype: "IUnknown**", direction: "out" }] },
        Method { name: "CreateDomainSetup", offset: offset_of!(ICorRuntimeHostVtbl, CreateDomainSetup), parameters: &[Parameter { name: "pAppDomainSetup", ctype: "IUnknown**", direction: "out" }] },
        Method { name: "CreateEvidence", offset: offset_of!(ICorRuntimeHostVtbl, CreateEvidence), parameters: &[Parameter { name: "pEvidence", ctype: "IUnknown**", direction: "out" }] },
        Method { name: "UnloadDomain", offset: offset_of!(ICorRuntimeHostVtbl, UnloadDomain), parameters: &[Parameter { name: "pAppDomain", ctype: "IUnknown*", direction: "in" }] },
        Method { name: "CurrentDomain", offset: offset_of!(ICorRuntimeHostVtbl, CurrentDomain), parameters: &[Parameter { name: "pAppDomain", ctype: "IUnknown**", direction: "out" }] },
    ] },
    Interface { name: "ICorThreadpool", iid: IID_ICorThreadpool, base: Some("IUnknown"), by_host: false, size: size_of::<ICorThreadpoolVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(ICorThreadpoolVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(ICorThreadpoolVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(ICorThreadpoolVtbl, Release), parameters: &[] },
        Method { name: "CorRegisterWaitForSingleObject", offset: offset_of!(ICorThreadpoolVtbl, CorRegisterWaitForSingleObject), parameters: &[Parameter { name: "phNewWaitObject", ctype: "HANDLE*", direction: "in" }, Parameter { name: "hWaitObject", ctype: "HANDLE", direction: "in" }, Parameter { name: "Callback", ctype: "WAITORTIMERCALLBACK", direction: "in" }, Parameter { name: "Context", ctype: "PVOID", direction: "in" }, Parameter { name: "timeout", ctype: "ULONG", direction: "in" }, Parameter { name: "executeOnlyOnce", ctype: "BOOL", direction: "in" }, Parameter { name: "result", ctype: "BOOL*", direction: "out" }] },
        Method { name: "CorUnregisterWait", offset: offset_of!(ICorThreadpoolVtbl, CorUnregisterWait), parameters: &[Parameter { name: "hWaitObject", ctype: "HANDLE", direction: "in" }, Parameter { name: "CompletionEvent", ctype: "HANDLE", direction: "in" }, Parameter { name: "result", ctype: "BOOL*", direction: "out" }] },
        Method { name: "CorQueueUserWorkItem", offset: offset_of!(ICorThreadpoolVtbl, CorQueueUserWorkItem), parameters: &[Parameter { name: "Function", ctype: "LPTHREAD_START_ROUTINE", direction: "in" }, Parameter { name: "Context", ctype: "PVOID", direction: "in" }, Parameter { name: "executeOnlyOnce", ctype: "BOOL", direction: "in" }, Parameter { name: "result", ctype: "BOOL*", direction: "out" }] },
        Method { name: "CorCreateTimer", offset: offset_of!(ICorThreadpoolVtbl, CorCreateTimer), parameters: &[Parameter { name: "phNewTimer", ctype: "HANDLE*", direction: "in" }, Parameter { name: "Callback", ctype: "WAITORTIMERCALLBACK", direction: "in" }, Parameter { name: "Parameter", ctype: "PVOID", direction: "in" }, Parameter { name: "DueTime", ctype: "DWORD", direction: "in" }, Parameter { name: "Period", ctype: "DWORD", direction: "in" }, Parameter { name: "result", ctype: "BOOL*", direction: "out" }] },
        Method { name: "CorChangeTimer", offset: offset_of!(ICorThreadpoolVtbl, CorChangeTimer), parameters: &[Parameter { name: "Timer", ctype: "HANDLE", direction: "in" }, Parameter { name: "DueTime", ctype: "ULONG", direction: "in" }, Parameter { name: "Period", ctype: "ULONG", direction: "in" }, Parameter { name: "result", ctype: "BOOL*", direction: "out" }] },
        Method { name: "CorDeleteTimer", offset: offset_of!(ICorThreadpoolVtbl, CorDeleteTimer), parameters: &[Parameter { name: "Timer", ctype: "HANDLE", direction: "in" }, Parameter { name: "CompletionEvent", ctype: "HANDLE", direction: "in" }, Parameter { name: "result", ctype: "BOOL*", direction: "out" }] },
        Method { name: "CorBindIoCompletionCallback", offset: offset_of!(ICorThreadpoolVtbl, CorBindIoCompletionCallback), parameters: &[Parameter { name: "fileHandle", ctype: "HANDLE", direction: "in" }, Parameter { name: "callback", ctype: "LPOVERLAPPED_COMPLETION_ROUTINE", direction: "in" }] },
        Method { name: "CorCallOrQueueUserWorkItem", offset: offset_of!(ICorThreadpoolVtbl, CorCallOrQueueUserWorkItem), parameters: &[Parameter { name: "Function", ctype: "LPTHREAD_START_ROUTINE", direction: "in" }, Parameter { name: "Context", ctype: "PVOID", direction: "in" }, Parameter { name: "result", ctype: "BOOL*", direction: "out" }] },
        Method { name: "CorSetMaxThreads", offset: offset_of!(ICorThreadpoolVtbl, CorSetMaxThreads), parameters: &[Parameter { name: "MaxWorkerThreads", ctype: "DWORD", direction: "in" }, Parameter { name: "MaxIOCompletionThreads", ctype: "DWORD", direction: "in" }] },
        Method { name: "CorGetMaxThreads", offset: offset_of!(ICorThreadpoolVtbl, CorGetMaxThreads), parameters: &[Parameter { name: "MaxWorkerThreads", ctype: "DWORD*", direction: "out" }, Parameter { name: "MaxIOCompletionThreads", ctype: "DWORD*", direction: "out" }] },
        Method { name: "CorGetAvailableThreads", offset: offset_of!(ICorThreadpoolVtbl, CorGetAvailableThreads), parameters: &[Parameter { name: "AvailableWorkerThreads", ctype: "DWORD*", direction: "out" }, Parameter { name: "AvailableIOCompletionThreads", ctype: "DWORD*", direction: "out" }] },
    ] },
    Interface { name: "IAppDomainBinding", iid: IID_IAppDomainBinding, base: Some("IUnknown"), by_host: true, size: size_of::<IAppDomainBindingVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(IAppDomainBindingVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(IAppDomainBindingVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(IAppDomainBindingVtbl, Release), parameters: &[] },
        Method { name: "OnAppDomain", offset: offset_of!(IAppDomainBindingVtbl, OnAppDomain), parameters: &[Parameter { name: "pAppdomain", ctype: "IUnknown*", direction: "in" }] },
    ] },
    Interface { name: "ICLRRuntimeHost2", iid: IID_ICLRRuntimeHost2, base: Some("ICLRRuntimeHost"), by_host: false, size: size_of::<ICLRRuntimeHost2Vtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(ICLRRuntimeHost2Vtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(ICLRRuntimeHost2Vtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(ICLRRuntimeHost2Vtbl, Release), parameters: &[] },
        Method { name: "Start", offset: offset_of!(ICLRRuntimeHost2Vtbl, Start), parameters: &[] },
        Method { name: "Stop", offset: offset_of!(ICLRRuntimeHost2Vtbl, Stop), parameters: &[] },
        Method { name: "SetHostControl", offset: offset_of!(ICLRRuntimeHost2Vtbl, SetHostControl), parameters: &[Parameter { name: "pHostControl", ctype: "IHostControl*", direction: "in" }] },
        Method { name: "GetCLRControl", offset: offset_of!(ICLRRuntimeHost2Vtbl, GetCLRControl), parameters: &[Parameter { name: "pCLRControl", ctype: "ICLRControl**", direction: "out" }] },
        Method { name: "UnloadAppDomain", offset: offset_of!(ICLRRuntimeHost2Vtbl, UnloadAppDomain), parameters: &[Parameter { name: "dwAppDomainId", ctype: "DWORD", direction: "in" }, Parameter { name: "fWaitUntilDone", ctype: "BOOL", direction: "in" }] },
        Method { name: "ExecuteInAppDomain", offset: offset_of!(ICLRRuntimeHost2Vtbl, ExecuteInAppDomain), parameters: &[Parameter { name: "dwAppDomainId", ctype: "DWORD", direction: "in" }, Parameter { name: "pCallback", ctype: "FExecuteInAppDomainCallback", direction: "in" }, Parameter { name: "cookie", ctype: "void*", direction: "in" }] },
        Method { name: "GetCurrentAppDomainId", offset: offset_of!(ICLRRuntimeHost2Vtbl, GetCurrentAppDomainId), parameters: &[Parameter { name: "pdwAppDomainId", ctype: "DWORD*", direction: "out" }] },
        Method { name: "ExecuteApplication", offset: offset_of!(ICLRRuntimeHost2Vtbl, ExecuteApplication), parameters: &[Parameter { name: "pwzAppFullName", ctype: "LPCWSTR", direction: "in" }, Parameter { name: "dwManifestPaths", ctype: "DWORD", direction: "in" }, Parameter { name: "ppwzManifestPaths", ctype: "LPCWSTR*", direction: "in" }, Parameter { name: "dwActivationData", ctype: "DWORD", direction: "in" }, Parameter { name: "ppwzActivationData", ctype: "LPCWSTR*", direction: "in" }, Parameter { name: "pReturnValue", ctype: "int*", direction: "out" }] },
        Method { name: "ExecuteInDefaultAppDomain", offset: offset_of!(ICLRRuntimeHost2Vtbl, ExecuteInDefaultAppDomain), parameters: &[Parameter { name: "pwzAssemblyPath", ctype: "LPCWSTR", direction: "in" }, Parameter { name: "pwzTypeName", ctype: "LPCWSTR", direction: "in" }, Parameter { name: "pwzMethodName", ctype: "LPCWSTR", direction: "in" }, Parameter { name: "pwzArgument", ctype: "LPCWSTR", direction: "in" }, Parameter { name: "pReturnValue", ctype: "DWORD*", direction: "out" }] },
        Method { name: "CreateAppDomainWithManager", offset: offset_of!(ICLRRuntimeHost2Vtbl, CreateAppDomainWithManager), parameters: &[Parameter { name: "wszFriendlyName", ctype: "LPCWSTR", direction: "in" }, Parameter { name: "dwFlags", ctype: "DWORD", direction: "in" }, Parameter { name: "wszAppDomainManagerAssemblyName", ctype: "LPCWSTR", direction: "in" }, Parameter { name: "wszAppDomainManagerTypeName", ctype: "LPCWSTR", direction: "in" }, Parameter { name: "nProperties", ctype: "int", direction: "in" }, Parameter { name: "pPropertyNames", ctype: "LPCWSTR*", direction: "in" }, Parameter { name: "pPropertyValues", ctype: "LPCWSTR*", direction: "in" }, Parameter { name: "pAppDomainID", ctype: "DWORD*", direction: "out" }] },
        Method { name: "CreateDelegate", offset: offset_of!(ICLRRuntimeHost2Vtbl, CreateDelegate), parameters: &[Parameter { name: "appDomainID", ctype: "DWORD", direction: "in" }, Parameter { name: "wszAssemblyName", ctype: "LPCWSTR", direction: "in" }, Parameter { name: "wszClassName", ctype: "LPCWSTR", direction: "in" }, Parameter { name: "wszMethodName", ctype: "LPCWSTR", direction: "in" }, Parameter { name: "fnPtr", ctype: "INT_PTR*", direction: "out" }] },
        Method { name: "Authenticate", offset: offset_of!(ICLRRuntimeHost2Vtbl, Authenticate), parameters: &[Parameter { name: "authKey", ctype: "ULONGLONG", direction: "in" }] },
        Method { name: "RegisterMacEHPort", offset: offset_of!(ICLRRuntimeHost2Vtbl, RegisterMacEHPort), parameters: &[] },
        Method { name: "SetStartupFlags", offset: offset_of!(ICLRRuntimeHost2Vtbl, SetStartupFlags), parameters: &[Parameter { name: "dwFlags", ctype: "STARTUP_FLAGS", direction: "in" }] },
        Method { name: "DllGetActivationFactory", offset: offset_of!(ICLRRuntimeHost2Vtbl, DllGetActivationFactory), parameters: &[Parameter { name: "appDomainID", ctype: "DWORD", direction: "in" }, Parameter { name: "wszTypeName", ctype: "LPCWSTR", direction: "in" }, Parameter { name: "factory", ctype: "IActivationFactory**", direction: "out" }] },
        Method { name: "ExecuteAssembly", offset: offset_of!(ICLRRuntimeHost2Vtbl, ExecuteAssembly), parameters: &[Parameter { name: "dwAppDomainId", ctype: "DWORD", direction: "in" }, Parameter { name: "pwzAssemblyPath", ctype: "LPCWSTR", direction: "in" }, Parameter { name: "argc", ctype: "int", direction: "in" }, Parameter { name: "argv", ctype: "LPCWSTR*", direction: "in" }, Parameter { name: "pReturnValue", ctype: "DWORD*", direction: "out" }] },
    ] },
    Interface { name: "ICLRExecutionManager", iid: IID_ICLRExecutionManager, base: Some("IUnknown"), by_host: false, size: size_of::<ICLRExecutionManagerVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(ICLRExecutionManagerVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(ICLRExecutionManagerVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(ICLRExecutionManagerVtbl, Release), parameters: &[] },
        Method { name: "Pause", offset: offset_of!(ICLRExecutionManagerVtbl, Pause), parameters: &[Parameter { name: "dwAppDomainId", ctype: "DWORD", direction: "in" }, Parameter { name: "dwFlags", ctype: "DWORD", direction: "in" }] },
        Method { name: "Resume", offset: offset_of!(ICLRExecutionManagerVtbl, Resume), parameters: &[Parameter { name: "dwAppDomainId", ctype: "DWORD", direction: "in" }] },
    ] },
    Interface { name: "IStream", iid: IID_IStream, base: Some("IUnknown"), by_host: true, size: size_of::<IStreamVtbl>(), methods: &[
        Method { name: "QueryInterface", offset: offset_of!(IStreamVtbl, QueryInterface), parameters: &[Parameter { name: "riid", ctype: "REFIID", direction: "in" }, Parameter { name: "ppvObject", ctype: "void**", direction: "out" }] },
        Method { name: "AddRef", offset: offset_of!(IStreamVtbl, AddRef), parameters: &[] },
        Method { name: "Release", offset: offset_of!(IStreamVtbl, Release), parameters: &[] },
        Method { name: "Read", offset: offset_of!(IStreamVtbl, Read), parameters: &[Parameter { name: "pv", ctype: "void*", direction: "in" }, Parameter { name: "cb", ctype: "ULONG", direction: "in" }, Parameter { name: "pcbRead", ctype: "ULONG*", direction: "out" }] },
        Method { name: "Write", offset: offset_of!(IStreamVtbl, Write), parameters: &[Parameter { name: "pv", ctype: "void*", direction: "in" }, Parameter { name: "cb", ctype: "ULONG", direction: "in" }, Parameter { name: "pcbWritten", ctype: "ULONG*", direction: "out" }] },
        Method { name: "Seek", offset: offset_of!(IStreamVtbl, Seek), parameters: &[Parameter { name: "dlibMove", ctype: "LONGLONG", direction: "in" }, Parameter { name: "dwOrigin", ctype: "DWORD", direction: "in" }, Parameter { name: "plibNewPosition", ctype: "ULONGLONG*", direction: "out" }] },
        Method { name: "SetSize", offset: offset_of!(IStreamVtbl, SetSize), parameters: &[Parameter { name: "libNewSize", ctype: "ULONGLONG", direction: "in" }] },
        Method { name: "CopyTo", offset: offset_of!(IStreamVtbl, CopyTo), parameters: &[Parameter { name: "pstm", ctype: "IStream*", direction: "in" }, Parameter { name: "cb", ctype: "ULONGLONG", direction: "in" }, Parameter { name: "pcbRead", ctype: "ULONGLONG*", direction: "out" }, Parameter { name: "pcbWritten", ctype: "ULONGLONG*", direction: "out" }] },
        Method { name: "Commit", offset: offset_of!(IStreamVtbl, Commit), parameters: &[Parameter { name: "grfCommitFlags", ctype: "DWORD", direction: "in" }] },
        Method { name: "Revert", offset: offset_of!(IStreamVtbl, Revert), parameters: &[] },
        Method { name: "LockRegion", offset: offset_of!(IStreamVtbl, LockRegion), parameters: &[Parameter { name: "libOffset", ctype: "ULONGLONG", direction: "in" }, Parameter { name: "cb", ctype: "ULONGLONG", direction: "in" }, Parameter { name: "dwLockType", ctype: "DWORD", direction: "in" }] },
        Method { name: "UnlockRegion", offset: offset_of!(IStreamVtbl, UnlockRegion), parameters: &[Parameter { name: "libOffset", ctype: "ULONGLONG", direction: "in" }, Parameter { name: "cb", ctype: "ULONGLONG", direction: "in" }, Parameter { name: "dwLockType", ctype: "DWORD", direction: "in" }] },
        Method { name: "Stat", offset: offset_of!(IStreamVtbl, Stat), parameters: &[Parameter { name: "pstatstg", ctype: "STATSTG*", direction: "out" }, Parameter { name: "grfStatFlag", ctype: "DWORD", direction: "in" }] },
        Method { name: "Clone", offset: offset_of!(IStreamVtbl, Clone), parameters: &[Parameter { name: "ppstm", ctype: "IStream**", direction: "out" }] },
    ] },
];
