// Made from `hosting-abi.json` and `ole-abi.json` by `tests/hosting_abi.rs`, which also says how to make it anew.
// Not to be changed by hand.

use super::enumeration;
use super::guid::Guid;
use super::hresult::Hresult;

impl Hresult {
    pub const COR_E_APPDOMAINUNLOADED: Hresult = Hresult::from_bits(0x80131014);
    pub const COR_E_CANNOTUNLOADAPPDOMAIN: Hresult = Hresult::from_bits(0x80131015);
    pub const COR_E_EXECUTIONENGINE: Hresult = Hresult::from_bits(0x80131506);
    pub const COR_E_FAILFAST: Hresult = Hresult::from_bits(0x80131623);
    pub const COR_E_FILENOTFOUND: Hresult = Hresult::from_bits(0x80070002);
    pub const COR_E_HOSTPROTECTION: Hresult = Hresult::from_bits(0x80131640);
    pub const COR_E_INVALIDOPERATION: Hresult = Hresult::from_bits(0x80131509);
    pub const COR_E_MISSINGMETHOD: Hresult = Hresult::from_bits(0x80131513);
    pub const COR_E_OUTOFMEMORY: Hresult = Hresult::from_bits(0x8007000e);
    pub const COR_E_SECURITY: Hresult = Hresult::from_bits(0x8013150a);
    pub const COR_E_STACKOVERFLOW: Hresult = Hresult::from_bits(0x800703e9);
    pub const COR_E_SYNCHRONIZATIONLOCK: Hresult = Hresult::from_bits(0x80131518);
    pub const COR_E_THREADABORTED: Hresult = Hresult::from_bits(0x80131530);
    pub const COR_E_THREADINTERRUPTED: Hresult = Hresult::from_bits(0x80131519);
    pub const COR_E_THREADSTART: Hresult = Hresult::from_bits(0x80131525);
    pub const COR_E_THREADSTATE: Hresult = Hresult::from_bits(0x80131520);
    pub const E_ABORT: Hresult = Hresult::from_bits(0x80004004);
    pub const E_ACCESSDENIED: Hresult = Hresult::from_bits(0x80070005);
    pub const E_FAIL: Hresult = Hresult::from_bits(0x80004005);
    pub const E_HANDLE: Hresult = Hresult::from_bits(0x80070006);
    pub const E_INVALIDARG: Hresult = Hresult::from_bits(0x80070057);
    pub const E_NOINTERFACE: Hresult = Hresult::from_bits(0x80004002);
    pub const E_NOTIMPL: Hresult = Hresult::from_bits(0x80004001);
    pub const E_NOT_SUFFICIENT_BUFFER: Hresult = Hresult::from_bits(0x8007007a);
    pub const E_OUTOFMEMORY: Hresult = Hresult::from_bits(0x8007000e);
    pub const E_POINTER: Hresult = Hresult::from_bits(0x80004003);
    pub const E_UNEXPECTED: Hresult = Hresult::from_bits(0x8000ffff);
    pub const HOST_E_ABANDONED: Hresult = Hresult::from_bits(0x80131026);
    pub const HOST_E_CLRNOTAVAILABLE: Hresult = Hresult::from_bits(0x80131023);
    pub const HOST_E_DEADLOCK: Hresult = Hresult::from_bits(0x80131020);
    pub const HOST_E_EXITPROCESS_ADUNLOAD: Hresult = Hresult::from_bits(0x80131028);
    pub const HOST_E_EXITPROCESS_OUTOFMEMORY: Hresult = Hresult::from_bits(0x8013102a);
    pub const HOST_E_EXITPROCESS_STACKOVERFLOW: Hresult = Hresult::from_bits(0x8013102b);
    pub const HOST_E_EXITPROCESS_THREADABORT: Hresult = Hresult::from_bits(0x80131027);
    pub const HOST_E_EXITPROCESS_TIMEOUT: Hresult = Hresult::from_bits(0x80131029);
    pub const HOST_E_INTERRUPTED: Hresult = Hresult::from_bits(0x80131021);
    pub const HOST_E_INVALIDOPERATION: Hresult = Hresult::from_bits(0x80131022);
    pub const HOST_E_NOT_OWNER: Hresult = Hresult::from_bits(0x80131025);
    pub const HOST_E_TIMEOUT: Hresult = Hresult::from_bits(0x80131024);
    pub const HRESULT_FROM_WIN32_ERROR_NOT_FOUND: Hresult = Hresult::from_bits(0x80070490);
    pub const HRESULT_FROM_WIN32_ERROR_NO_MORE_ITEMS: Hresult = Hresult::from_bits(0x80070103);
    pub const HRESULT_FROM_WIN32_ERROR_NO_TOKEN: Hresult = Hresult::from_bits(0x800703f0);
    pub const HRESULT_FROM_WIN32_ERROR_TIMEOUT: Hresult = Hresult::from_bits(0x800705b4);
    pub const STG_E_ACCESSDENIED: Hresult = Hresult::from_bits(0x80030005);
    pub const STG_E_INVALIDFLAG: Hresult = Hresult::from_bits(0x800300ff);
    pub const STG_E_INVALIDFUNCTION: Hresult = Hresult::from_bits(0x80030001);
    pub const STG_E_READFAULT: Hresult = Hresult::from_bits(0x8003001e);
    pub const STG_E_SEEKERROR: Hresult = Hresult::from_bits(0x80030019);
    pub const S_FALSE: Hresult = Hresult::from_bits(0x00000001);
    pub const S_OK: Hresult = Hresult::from_bits(0x00000000);
}

pub(crate) static HRESULTS: &[(&str, Hresult)] = &[
    ("E_ABORT", Hresult::E_ABORT),
    ("E_ACCESSDENIED", Hresult::E_ACCESSDENIED),
    ("E_FAIL", Hresult::E_FAIL),
    ("E_HANDLE", Hresult::E_HANDLE),
    ("E_INVALIDARG", Hresult::E_INVALIDARG),
    ("E_NOINTERFACE", Hresult::E_NOINTERFACE),
    ("E_NOTIMPL", Hresult::E_NOTIMPL),
    ("E_NOT_SUFFICIENT_BUFFER", Hresult::E_NOT_SUFFICIENT_BUFFER),
    ("E_OUTOFMEMORY", Hresult::E_OUTOFMEMORY),
    ("E_POINTER", Hresult::E_POINTER),
    ("E_UNEXPECTED", Hresult::E_UNEXPECTED),
    ("HOST_E_ABANDONED", Hresult::HOST_E_ABANDONED),
    ("HOST_E_CLRNOTAVAILABLE", Hresult::HOST_E_CLRNOTAVAILABLE),
    ("HOST_E_DEADLOCK", Hresult::HOST_E_DEADLOCK),
    ("HOST_E_EXITPROCESS_ADUNLOAD", Hresult::HOST_E_EXITPROCESS_ADUNLOAD),
    ("HOST_E_EXITPROCESS_OUTOFMEMORY", Hresult::HOST_E_EXITPROCESS_OUTOFMEMORY),
    ("HOST_E_EXITPROCESS_STACKOVERFLOW", Hresult::HOST_E_EXITPROCESS_STACKOVERFLOW),
    ("HOST_E_EXITPROCESS_THREADABORT", Hresult::HOST_E_EXITPROCESS_THREADABORT),
    ("HOST_E_EXITPROCESS_TIMEOUT", Hresult::HOST_E_EXITPROCESS_TIMEOUT),
    ("HOST_E_INTERRUPTED", Hresult::HOST_E_INTERRUPTED),
    ("HOST_E_INVALIDOPERATION", Hresult::HOST_E_INVALIDOPERATION),
    ("HOST_E_NOT_OWNER", Hresult::HOST_E_NOT_OWNER),
    ("HOST_E_TIMEOUT", Hresult::HOST_E_TIMEOUT),
    ("HRESULT_FROM_WIN32_ERROR_NOT_FOUND", Hresult::HRESULT_FROM_WIN32_ERROR_NOT_FOUND),
    ("HRESULT_FROM_WIN32_ERROR_NO_MORE_ITEMS", Hresult::HRESULT_FROM_WIN32_ERROR_NO_MORE_ITEMS),
    ("HRESULT_FROM_WIN32_ERROR_NO_TOKEN", Hresult::HRESULT_FROM_WIN32_ERROR_NO_TOKEN),
    ("HRESULT_FROM_WIN32_ERROR_TIMEOUT", Hresult::HRESULT_FROM_WIN32_ERROR_TIMEOUT),
    ("STG_E_ACCESSDENIED", Hresult::STG_E_ACCESSDENIED),
    ("STG_E_INVALIDFLAG", Hresult::STG_E_INVALIDFLAG),
    ("STG_E_INVALIDFUNCTION", Hresult::STG_E_INVALIDFUNCTION),
    ("STG_E_READFAULT", Hresult::STG_E_READFAULT),
    ("STG_E_SEEKERROR", Hresult::STG_E_SEEKERROR),
    ("S_FALSE", Hresult::S_FALSE),
    ("S_OK", Hresult::S_OK),
    ("COR_E_APPDOMAINUNLOADED", Hresult::COR_E_APPDOMAINUNLOADED),
    ("COR_E_CANNOTUNLOADAPPDOMAIN", Hresult::COR_E_CANNOTUNLOADAPPDOMAIN),
    ("COR_E_EXECUTIONENGINE", Hresult::COR_E_EXECUTIONENGINE),
    ("COR_E_FAILFAST", Hresult::COR_E_FAILFAST),
    ("COR_E_FILENOTFOUND", Hresult::COR_E_FILENOTFOUND),
    ("COR_E_HOSTPROTECTION", Hresult::COR_E_HOSTPROTECTION),
    ("COR_E_INVALIDOPERATION", Hresult::COR_E_INVALIDOPERATION),
    ("COR_E_MISSINGMETHOD", Hresult::COR_E_MISSINGMETHOD),
    ("COR_E_OUTOFMEMORY", Hresult::COR_E_OUTOFMEMORY),
    ("COR_E_SECURITY", Hresult::COR_E_SECURITY),
    ("COR_E_STACKOVERFLOW", Hresult::COR_E_STACKOVERFLOW),
    ("COR_E_SYNCHRONIZATIONLOCK", Hresult::COR_E_SYNCHRONIZATIONLOCK),
    ("COR_E_THREADABORTED", Hresult::COR_E_THREADABORTED),
    ("COR_E_THREADINTERRUPTED", Hresult::COR_E_THREADINTERRUPTED),
    ("COR_E_THREADSTART", Hresult::COR_E_THREADSTART),
    ("COR_E_THREADSTATE", Hresult::COR_E_THREADSTATE),
];

enumeration! { BucketParameterIndex { Parameter1 = 0, Parameter2 = 1, Parameter3 = 2, Parameter4 = 3, Parameter5 = 4, Parameter6 = 5, Parameter7 = 6, Parameter8 = 7, Parameter9 = 8, InvalidBucketParamIndex = 9 } }
enumeration! { COR_GC_STAT_TYPES { COR_GC_COUNTS = 1, COR_GC_MEMORYUSAGE = 2 } }
enumeration! { COR_GC_THREAD_STATS_TYPES { COR_GC_THREAD_HAS_PROMOTED_BYTES = 1 } }
enumeration! { EApiCategories { eNoChecks = 0, eSynchronization = 1, eSharedState = 2, eExternalProcessMgmt = 4, eSelfAffectingProcessMgmt = 8, eExternalThreading = 16, eSelfAffectingThreading = 32, eSecurityInfrastructure = 64, eUI = 128, eMayLeakOnAbort = 256, eAll = 511 } }
enumeration! { EBindPolicyLevels { ePolicyLevelNone = 0, ePolicyLevelRetargetable = 1, ePolicyUnifiedToCLR = 2, ePolicyLevelApp = 4, ePolicyLevelPublisher = 8, ePolicyLevelHost = 16, ePolicyLevelAdmin = 32, ePolicyPortability = 64 } }
enumeration! { ECLRAssemblyIdentityFlags { CLR_ASSEMBLY_IDENTITY_FLAGS_DEFAULT = 0 } }
enumeration! { EClrEvent { Event_DomainUnload = 0, Event_ClrDisabled = 1, Event_MDAFired = 2, Event_StackOverflow = 3, MaxClrEvent = 4 } }
enumeration! { EClrFailure { FAIL_NonCriticalResource = 0, FAIL_CriticalResource = 1, FAIL_FatalRuntime = 2, FAIL_OrphanedLock = 3, FAIL_StackOverflow = 4, FAIL_AccessViolation = 5, FAIL_CodeContract = 6, MaxClrFailure = 7 } }
enumeration! { EClrOperation { OPR_ThreadAbort = 0, OPR_ThreadRudeAbortInNonCriticalRegion = 1, OPR_ThreadRudeAbortInCriticalRegion = 2, OPR_AppDomainUnload = 3, OPR_AppDomainRudeUnload = 4, OPR_ProcessExit = 5, OPR_FinalizerRun = 6, MaxClrOperation = 7 } }
enumeration! { EClrUnhandledException { eRuntimeDeterminedPolicy = 0, eHostDeterminedPolicy = 1 } }
enumeration! { EContextType { eCurrentContext = 0, eRestrictedContext = 1 } }
enumeration! { ECustomDumpFlavor { DUMP_FLAVOR_Default = 0, DUMP_FLAVOR_Mini = 0, DUMP_FLAVOR_CriticalCLRState = 1, DUMP_FLAVOR_NonHeapCLRState = 2 } }
enumeration! { ECustomDumpItemKind { DUMP_ITEM_None = 0 } }
enumeration! { EHostApplicationPolicy { HOST_APPLICATION_BINDING_POLICY = 1 } }
enumeration! { EHostBindingPolicyModifyFlags { HOST_BINDING_POLICY_MODIFY_DEFAULT = 0, HOST_BINDING_POLICY_MODIFY_CHAIN = 1, HOST_BINDING_POLICY_MODIFY_REMOVE = 2, HOST_BINDING_POLICY_MODIFY_MAX = 3 } }
enumeration! { EInitializeNewDomainFlags { eInitializeNewDomainFlags_None = 0, eInitializeNewDomainFlags_NoSecurityChanges = 2 } }
enumeration! { EMemoryAvailable { eMemoryAvailableLow = 1, eMemoryAvailableNeutral = 2, eMemoryAvailableHigh = 3 } }
enumeration! { EMemoryCriticalLevel { eTaskCritical = 0, eAppDomainCritical = 1, eProcessCritical = 2 } }
enumeration! { EPolicyAction { eNoAction = 0, eThrowException = 1, eAbortThread = 2, eRudeAbortThread = 3, eUnloadAppDomain = 4, eRudeUnloadAppDomain = 5, eExitProcess = 6, eFastExitProcess = 7, eRudeExitProcess = 8, eDisableRuntime = 9, MaxPolicyAction = 10 } }
enumeration! { ESymbolReadingPolicy { eSymbolReadingNever = 0, eSymbolReadingAlways = 1, eSymbolReadingFullTrustOnly = 2 } }
enumeration! { ETaskType { TT_DEBUGGERHELPER = 1, TT_GC = 2, TT_FINALIZER = 4, TT_THREADPOOL_TIMER = 8, TT_THREADPOOL_GATE = 16, TT_THREADPOOL_WORKER = 32, TT_THREADPOOL_IOCOMPLETION = 64, TT_ADUNLOAD = 128, TT_USER = 256, TT_THREADPOOL_WAIT = 512, TT_UNKNOWN = 2147483648 } }
enumeration! { HOST_TYPE { HOST_TYPE_DEFAULT = 0, HOST_TYPE_APPLAUNCH = 1, HOST_TYPE_CORFLAG = 2 } }
enumeration! { MALLOC_TYPE { MALLOC_THREADSAFE = 1, MALLOC_EXECUTABLE = 2 } }
enumeration! { STARTUP_FLAGS { STARTUP_CONCURRENT_GC = 1, STARTUP_LOADER_OPTIMIZATION_SINGLE_DOMAIN = 2, STARTUP_LOADER_OPTIMIZATION_MULTI_DOMAIN = 4, STARTUP_LOADER_OPTIMIZATION_MASK = 6, STARTUP_LOADER_OPTIMIZATION_MULTI_DOMAIN_HOST = 6, STARTUP_LOADER_SAFEMODE = 16, STARTUP_LOADER_SETPREFERENCE = 256, STARTUP_SERVER_GC = 4096, STARTUP_HOARD_GC_VM = 8192, STARTUP_SINGLE_VERSION_HOSTING_INTERFACE = 16384, STARTUP_LEGACY_IMPERSONATION = 65536, STARTUP_DISABLE_COMMITTHREADSTACK = 131072, STARTUP_ALWAYSFLOW_IMPERSONATION = 262144, STARTUP_TRIM_GC_COMMIT = 524288, STARTUP_ETW = 1048576, STARTUP_ARM = 4194304 } }
enumeration! { StackOverflowType { SO_Managed = 0, SO_ClrEngine = 1, SO_Other = 2 } }
enumeration! { WAIT_OPTION { WAIT_MSGPUMP = 1, WAIT_ALERTABLE = 2, WAIT_NOTINDEADLOCK = 4 } }

pub static ENUMERATIONS: &[(&str, &[(&str, u32)])] = &[
    ("BucketParameterIndex", BucketParameterIndex::MEMBERS),
    ("COR_GC_STAT_TYPES", COR_GC_STAT_TYPES::MEMBERS),
    ("COR_GC_THREAD_STATS_TYPES", COR_GC_THREAD_STATS_TYPES::MEMBERS),
    ("EApiCategories", EApiCategories::MEMBERS),
    ("EBindPolicyLevels", EBindPolicyLevels::MEMBERS),
    ("ECLRAssemblyIdentityFlags", ECLRAssemblyIdentityFlags::MEMBERS),
    ("EClrEvent", EClrEvent::MEMBERS),
    ("EClrFailure", EClrFailure::MEMBERS),
    ("EClrOperation", EClrOperation::MEMBERS),
    ("EClrUnhandledException", EClrUnhandledException::MEMBERS),
    ("EContextType", EContextType::MEMBERS),
    ("ECustomDumpFlavor", ECustomDumpFlavor::MEMBERS),
    ("ECustomDumpItemKind", ECustomDumpItemKind::MEMBERS),
    ("EHostApplicationPolicy", EHostApplicationPolicy::MEMBERS),
    ("EHostBindingPolicyModifyFlags", EHostBindingPolicyModifyFlags::MEMBERS),
    ("EInitializeNewDomainFlags", EInitializeNewDomainFlags::MEMBERS),
    ("EMemoryAvailable", EMemoryAvailable::MEMBERS),
    ("EMemoryCriticalLevel", EMemoryCriticalLevel::MEMBERS),
    ("EPolicyAction", EPolicyAction::MEMBERS),
    ("ESymbolReadingPolicy", ESymbolReadingPolicy::MEMBERS),
    ("ETaskType", ETaskType::MEMBERS),
    ("HOST_TYPE", HOST_TYPE::MEMBERS),
    ("MALLOC_TYPE", MALLOC_TYPE::MEMBERS),
    ("STARTUP_FLAGS", STARTUP_FLAGS::MEMBERS),
    ("StackOverflowType", StackOverflowType::MEMBERS),
    ("WAIT_OPTION", WAIT_OPTION::MEMBERS),
];

pub const CLSID_CLRRuntimeHost: Guid = Guid::from_u128(0x90f1a06e_7712_4762_86b5_7a5eba6bdb02);
pub const CLSID_CorRuntimeHost: Guid = Guid::from_u128(0xcb2f6723_ab3a_11d2_9c40_00c04fa30a3e);
pub const GC_LIMIT_UNCHANGED: [u32; 2] = [0, u32::MAX];
pub const IID_ISequentialStream: Guid = Guid::from_u128(0x0c733a30_2a1c_11ce_ade5_00aa0044773d);
pub const INFINITE: u32 = 0xffffffff;
pub const MEM_COMMIT: u32 = 4096;
pub const MEM_DECOMMIT: u32 = 16384;
pub const MEM_RELEASE: u32 = 32768;
pub const MEM_RESERVE: u32 = 8192;
pub const PAGE_EXECUTE: u32 = 16;
pub const PAGE_EXECUTE_READ: u32 = 32;
pub const PAGE_EXECUTE_READWRITE: u32 = 64;
pub const PAGE_EXECUTE_WRITECOPY: u32 = 128;
pub const PAGE_NOACCESS: u32 = 1;
pub const PAGE_READONLY: u32 = 2;
pub const PAGE_READWRITE: u32 = 4;
pub const PAGE_WRITECOPY: u32 = 8;
pub const CALL_OR_QUEUE: u32 = 1;
pub const QUEUE_ONLY: u32 = 0;
pub const STARTUP_APPX_APP_MODEL: u32 = 16777216;
pub const STARTUP_DISABLE_RANDOMIZED_STRING_HASHING: u32 = 33554432;
pub const STARTUP_SINGLE_APPDOMAIN: u32 = 8388608;
pub const STATFLAG_DEFAULT: u32 = 0;
pub const STATFLAG_NONAME: u32 = 1;
pub const STGTY_STREAM: u32 = 0x2;
pub const STREAM_SEEK_CUR: u32 = 1;
pub const STREAM_SEEK_END: u32 = 2;
pub const STREAM_SEEK_SET: u32 = 0;
pub const SUSPENSION_ENDING_NOT_A_GC: u32 = 0xffffffff;
pub const THREAD_PRIORITY_ABOVE_NORMAL: i32 = 1;
pub const THREAD_PRIORITY_BELOW_NORMAL: i32 = -1;
pub const THREAD_PRIORITY_ERROR_RETURN: i32 = 2147483647;
pub const THREAD_PRIORITY_HIGHEST: i32 = 2;
pub const THREAD_PRIORITY_IDLE: i32 = -15;
pub const THREAD_PRIORITY_LOWEST: i32 = -2;
pub const THREAD_PRIORITY_NORMAL: i32 = 0;
pub const THREAD_PRIORITY_TIME_CRITICAL: i32 = 15;
