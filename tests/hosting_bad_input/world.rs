//! A host with one of each of its objects, and what a refused call must leave as it was.

use std::cell::Cell;
use std::ffi::c_void;
use std::sync::Arc;

use fiberhost::com::describe::{Interface, Method};
use fiberhost::com::host::{IActionOnCLREvent, IMPLEMENTED};
use fiberhost::com::table::{self, AssemblyBindInfo, ModuleBindInfo, STATSTG};
use fiberhost::com::{ClrEvent, ComRef, Guid, Hresult, Origin, RegionInfo};
use fiberhost::{
    Assemblies, Builder, Figures, IoEngine, MemoryFigures, MemoryLimits, Security, State, TaskMode,
    TransferFigures,
};

use super::parameters::{Kind, POISON, Place, WORDS, kind};
use super::wrong::{call, never};
use crate::hosting::fake::{ClrTask, Plain};
use crate::hosting::{Bench, Object, builder, given};

/// One of each object of the host's, beside those that it has by itself.
pub(crate) struct World<'a> {
    pub(crate) bench: &'a Bench,
    pub(crate) objects: Vec<(&'static Interface, Object)>,
    pub(crate) foreign: &'static ClrTask,
    pub(crate) unknown: &'static Plain,
    pub(crate) structures: Structures,
    pub(crate) cases: Cell<usize>,
}

/// What pointers to structures lead to.
#[repr(C, align(16))]
pub(crate) struct Structures {
    /// Room for every structure that is written, and what lies behind an `OVERLAPPED`.
    pub(crate) room: [Cell<u64>; 32],
    pub(crate) assembly: AssemblyBindInfo,
    pub(crate) module: ModuleBindInfo,
}

/// "None", which is the name of no assembly.
pub(crate) static NAME: [u16; 5] = [78, 111, 110, 101, 0];

impl Structures {
    pub(crate) fn new() -> Structures {
        assert!(size_of::<STATSTG>().max(size_of::<RegionInfo>()) <= 32 * 8);
        Structures {
            room: [const { Cell::new(POISON) }; 32],
            assembly: AssemblyBindInfo {
                dwAppDomainId: 1,
                lpReferencedIdentity: NAME.as_ptr(),
                lpPostPolicyIdentity: std::ptr::null(),
                ePolicyLevel: 0,
            },
            module: ModuleBindInfo {
                dwAppDomainId: 1,
                lpAssemblyIdentity: NAME.as_ptr(),
                lpModuleName: NAME.as_ptr(),
            },
        }
    }

    /// The right pointer for a parameter.
    pub(crate) fn word(&self, method: &Method) -> usize {
        match method.name {
            "ProvideAssembly" => &raw const self.assembly as usize,
            "ProvideModule" => &raw const self.module as usize,
            _ => self.room.as_ptr() as usize,
        }
    }

    pub(crate) fn is_untouched(&self) -> bool {
        self.room.iter().all(|word| word.get() == POISON)
    }
}

/// A host that has all managers.
pub(crate) fn whole(workers: usize) -> Builder {
    let assemblies = Assemblies::new().add("a", vec![1; 100], None);
    builder(workers)
        .tasks(TaskMode::Fiber)
        .memory(MemoryLimits::default())
        .io_completion(IoEngine::Detect)
        .security(Security::new())
        .assemblies(assemblies.expect("an identity"))
}

/// Who is told of events: of none here.
pub(crate) struct Listener;

impl IActionOnCLREvent for Listener {
    fn on_event(&self, event: ClrEvent) -> Result<(), Hresult> {
        unreachable!("{event:?}")
    }
}

/// A manager of the host's, which counts nothing here.
pub(crate) fn manager(bench: &Bench, iid: Guid) -> Object {
    let found = given(|out| {
        let iid = &raw const iid;
        com!(bench.control, IHostControlVtbl, GetHostManager, iid, out)
    });
    found.release();
    found
}

/// The stream of the one assembly that there is.
pub(crate) fn stream(store: Object) -> Object {
    let name = [u16::from(b'a'), 0];
    let mut info = AssemblyBindInfo {
        dwAppDomainId: 1,
        lpReferencedIdentity: name.as_ptr(),
        lpPostPolicyIdentity: std::ptr::null(),
        ePolicyLevel: 0,
    };
    let (mut id, mut context, mut symbols) = (0, 0, std::ptr::null_mut());
    given(|out| {
        com!(
            store,
            IHostAssemblyStoreVtbl,
            ProvideAssembly,
            &raw mut info,
            &raw mut id,
            &raw mut context,
            out,
            &raw mut symbols
        )
    })
}

impl<'a> World<'a> {
    pub(crate) fn new(bench: &'a Bench) -> World<'a> {
        let sync = bench.sync;
        let memory = manager(bench, table::IID_IHostMemoryManager);
        let io = manager(bench, table::IID_IHostIoCompletionManager);
        let security = manager(bench, table::IID_IHostSecurityManager);
        let assembly = manager(bench, table::IID_IHostAssemblyManager);
        let store = given(|out| com!(assembly, IHostAssemblyManagerVtbl, GetAssemblyStore, out));
        let listener: Arc<dyn IActionOnCLREvent> = Arc::new(Listener);
        let objects = [
            bench.control,
            bench.tasks,
            bench.create(|| unreachable!("it is never started")),
            sync,
            given(|out| com!(sync, IHostSyncManagerVtbl, CreateCrst, out)),
            given(|out| com!(sync, IHostSyncManagerVtbl, CreateAutoEvent, out)),
            given(|out| com!(sync, IHostSyncManagerVtbl, CreateManualEvent, 0, out)),
            given(|out| com!(sync, IHostSyncManagerVtbl, CreateSemaphore, 2, 3, out)),
            bench.pool,
            bench.gc,
            bench.policy,
            memory,
            given(|out| com!(memory, IHostMemoryManagerVtbl, CreateMalloc, 1, out)),
            io,
            security,
            given(|out| {
                com!(
                    security,
                    IHostSecurityManagerVtbl,
                    GetSecurityContext,
                    0,
                    out
                )
            }),
            assembly,
            store,
            stream(store),
            Object::new(ComRef::new(bench.host.gate(), Origin::User, listener).into_raw()),
        ];
        assert_eq!(objects.len(), IMPLEMENTED.len(), "one of each");
        let named = IMPLEMENTED
            .iter()
            .map(|name| Interface::named(name).expect("an interface"));
        World {
            bench,
            objects: named.zip(objects).collect(),
            foreign: ClrTask::new(Hresult::E_NOTIMPL),
            unknown: Plain::new(),
            structures: Structures::new(),
            cases: Cell::new(0),
        }
    }

    pub(crate) fn object(&self, name: &str) -> Object {
        let found = self
            .objects
            .iter()
            .find(|(interface, _)| interface.name == name);
        found.expect("one of each").1
    }

    pub(crate) fn release(&self) {
        for name in [
            "IHostTask",
            "IHostCrst",
            "IHostAutoEvent",
            "IHostManualEvent",
            "IHostSemaphore",
            "IHostMalloc",
            "IHostSecurityContext",
            "IHostAssemblyStore",
            "IStream",
            "IActionOnCLREvent",
        ] {
            assert_eq!(
                self.object(name).release(),
                0,
                "{name}: nobody else refers to it"
            );
        }
        assert_eq!(
            (self.foreign.references(), self.unknown.references()),
            (1, 1)
        );
        assert_eq!(self.foreign.calls(), [""; 0]);
    }

    /// All that a call could have changed.
    pub(crate) fn state(
        &self,
    ) -> (
        Figures,
        Vec<u32>,
        Vec<(Hresult, u32)>,
        Option<(State, u64)>,
        [u32; 2],
        Others,
    ) {
        let references = self
            .objects
            .iter()
            .map(|(_, object)| object.references())
            .collect();
        let number = |get: &dyn Fn(*mut u32) -> Hresult| {
            let mut number = 0;
            let answer = get(&raw mut number);
            (answer, number)
        };
        let (pool, task) = (self.bench.pool, self.object("IHostTask"));
        let numbers = vec![
            number(&|out| com!(pool, IHostThreadpoolManagerVtbl, GetMaxThreads, out)),
            number(&|out| com!(pool, IHostThreadpoolManagerVtbl, GetMinThreads, out)),
            number(&|out| com!(pool, IHostThreadpoolManagerVtbl, GetAvailableThreads, out)),
            number(&|out| com!(task, IHostTaskVtbl, GetPriority, out.cast())),
            number(&|out| {
                let io = self.object("IHostIoCompletionManager");
                com!(io, IHostIoCompletionManagerVtbl, GetMaxThreads, out)
            }),
            number(&|out| {
                let io = self.object("IHostIoCompletionManager");
                com!(io, IHostIoCompletionManagerVtbl, GetMinThreads, out)
            }),
            (com!(task, IHostTaskVtbl, Join, 0, 0), 0),
            (
                com!(
                    self.object("IHostManualEvent"),
                    IHostManualEventVtbl,
                    Wait,
                    0,
                    0
                ),
                0,
            ),
            (
                com!(
                    self.object("IHostAutoEvent"),
                    IHostAutoEventVtbl,
                    Wait,
                    0,
                    0
                ),
                0,
            ),
            number(&|out| {
                // One permit back and forth says how many there are.
                let semaphore = self.object("IHostSemaphore");
                let answer = com!(
                    semaphore,
                    IHostSemaphoreVtbl,
                    ReleaseSemaphore,
                    1,
                    out.cast()
                );
                let _ = com!(semaphore, IHostSemaphoreVtbl, Wait, 0, 0);
                answer
            }),
        ];
        let transition = self.bench.host.current_task().map(|task| task.transition());
        let gc = self.bench.host.gc_figures();
        let (_, trouble) = self.bench.host.policy_events();
        let told = [gc.suspensions as u32 + gc.blocked as u32, trouble as u32];
        let host = &self.bench.host;
        let mut position = 0;
        let stream = self.object("IStream");
        com!(stream, IStreamVtbl, Seek, 0, 1, &raw mut position);
        let others = Others {
            memory: host.memory_figures().expect("it is the host's"),
            transfers: host.transfers().expect("they are the host's").figures(),
            token: host.token().map(|token| token.0),
            position,
            is_room_untouched: self.structures.is_untouched(),
        };
        (
            self.bench.host.figures(),
            references,
            numbers,
            transition,
            told,
            others,
        )
    }

    /// Words that are right for all parameters of a method, with places for its results.
    pub(crate) fn right_words(&self, method: &Method, places: &[Place; WORDS]) -> [usize; WORDS] {
        static IID: Guid = table::IID_IHostTaskManager;
        let mut words = [0; WORDS];
        for (at, parameter) in method.parameters.iter().enumerate() {
            words[at] = match kind(method, parameter) {
                Kind::Result(_) | Kind::OptionalResult(_) => places[at].word(),
                Kind::Structure | Kind::Given | Kind::Bytes => self.structures.word(method),
                Kind::Context => self.object("IHostSecurityContext").get() as usize,
                Kind::Object => self.unknown.object().get() as usize,
                Kind::Identifier => &raw const IID as usize,
                Kind::Function => never as *const () as usize,
                Kind::Any if parameter.name == "dwLength" => size_of::<RegionInfo>(),
                Kind::Option | Kind::Flags | Kind::HeapFlags | Kind::OneOf(_) | Kind::Any => 0,
            };
        }
        words
    }

    /// Calls a slot with these words, of which those at the places were made wrong, and looks at everything.
    #[track_caller]
    pub(crate) fn case(
        &self,
        what: &Case<'_>,
        this: *mut c_void,
        words: [usize; WORDS],
        places: &[Place; WORDS],
    ) {
        let before = self.state();
        let answer = call(what.object, what.slot, this, words);
        let name = format!(
            "{}::{} {}",
            what.interface.name, what.method.name, what.wrong
        );
        assert_eq!(answer, what.expected, "{name}");
        for (at, parameter) in what.method.parameters.iter().enumerate() {
            let width = match kind(what.method, parameter) {
                Kind::Result(width) => width,
                Kind::OptionalResult(width) => width,
                _ => continue,
            };
            if words[at] == places[at].word() {
                assert!(
                    places[at].is_cleared(width),
                    "{name}: {} is not cleared",
                    parameter.name
                );
            } else {
                assert!(
                    places[at].is_untouched(),
                    "{name}: {} was touched",
                    parameter.name
                );
            }
        }
        assert_eq!(self.state(), before, "{name}: something has changed");
        self.cases.set(self.cases.get() + 1);
    }

    /// Every method of every object.
    pub(crate) fn each(
        &self,
        mut work: impl FnMut(&'static Interface, Object, usize, &'static Method),
    ) {
        for (interface, object) in &self.objects {
            for (slot, method) in interface.methods.iter().enumerate() {
                // The counts of references have no result to be wrong.
                if slot != 1 && slot != 2 {
                    work(interface, *object, slot, method);
                }
            }
        }
    }
}

/// What belongs to the managers of memory, transfers, contexts and assemblies.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Others {
    pub(crate) memory: MemoryFigures,
    pub(crate) transfers: TransferFigures,
    pub(crate) token: Option<usize>,
    pub(crate) position: u64,
    pub(crate) is_room_untouched: bool,
}

pub(crate) struct Case<'a> {
    pub(crate) interface: &'static Interface,
    pub(crate) method: &'static Method,
    pub(crate) object: Object,
    pub(crate) slot: usize,
    pub(crate) expected: Hresult,
    pub(crate) wrong: &'a str,
}
