//! What bad input gets: cases made from the description of the interfaces, each with its documented result, its results
//! cleared, and nothing changed.

mod common;
#[macro_use]
mod hosting;

use std::cell::Cell;
use std::ffi::c_void;
use std::sync::Arc;

use common::LONG;
use fiberhost::com::describe::{Interface, Method, Parameter};
use fiberhost::com::host::{IActionOnCLREvent, IHostGCManager, IMPLEMENTED};
use fiberhost::com::table::{self, AssemblyBindInfo, INTERFACES, ModuleBindInfo, STATSTG};
use fiberhost::com::{ClrEvent, ComRef, Guid, Hresult, Origin, RegionInfo};
use fiberhost::{
    Assemblies, Builder, Figures, IoEngine, MemoryFigures, MemoryLimits, Security, State,
    Strangers, TaskMode, TransferFigures,
};
use hosting::fake::{ClrTask, Plain};
use hosting::{Bench, Object, builder, given, routine, with};

/// What a result's place holds before a call: no call gives this.
const POISON: u64 = 0x5a5a_5a5a_5a5a_5a5a;
/// More words than any method has.
const WORDS: usize = 6;

/// A place for a result, with room to be misaligned in.
#[repr(C, align(16))]
struct Place([Cell<u64>; 2]);

impl Place {
    fn new() -> Place {
        Place([const { Cell::new(POISON) }; 2])
    }

    fn word(&self) -> usize {
        self.0.as_ptr() as usize
    }

    /// Whether a result as wide as this was cleared, and nothing beside it was touched.
    fn is_cleared(&self, width: usize) -> bool {
        let kept = if width == 8 { 0 } else { POISON >> 32 << 32 };
        self.0[0].get() == kept && self.0[1].get() == POISON
    }

    fn is_untouched(&self) -> bool {
        self.0[0].get() == POISON && self.0[1].get() == POISON
    }
}

fn places() -> [Place; WORDS] {
    std::array::from_fn(|_| Place::new())
}

/// What a parameter is, as far as bad input goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A pointer to a result of so many bytes.
    Result(usize),
    /// The same, where null means that nobody wants it.
    OptionalResult(usize),
    /// A place for a structure that is an argument to the boundary.
    Structure,
    /// A structure, or a place for one of the runtime's.
    Given,
    /// Bytes, anywhere.
    Bytes,
    /// A pointer to an object that the runtime gives.
    Object,
    /// A pointer to a security context of the host's.
    Context,
    Identifier,
    Function,
    /// Flags of `WAIT_OPTION`.
    Option,
    /// Flags of `QueueUserWorkItem`.
    Flags,
    /// Flags of `MALLOC_TYPE`.
    HeapFlags,
    /// A number of an enumeration that has so many.
    OneOf(u32),
    /// Anything is right, as far as the boundary can tell.
    Any,
}

fn kind(method: &Method, parameter: &Parameter) -> Kind {
    let pointee = parameter.ctype.strip_suffix('*');
    if matches!(parameter.name, "lpBuffer" | "pstatstg") {
        return Kind::Structure;
    }
    if parameter.direction != "in" {
        let width = match pointee.expect("a result has a place") {
            "DWORD" | "ULONG" | "LONG" | "int" | "BOOL" => 4,
            _ => 8,
        };
        return match parameter.name {
            "lpPreviousCount" | "pcbRead" | "pcbWritten" | "plibNewPosition" => {
                Kind::OptionalResult(width)
            }
            _ => Kind::Result(width),
        };
    }
    match (parameter.ctype, parameter.name) {
        ("REFIID", _) => Kind::Identifier,
        ("LPTHREAD_START_ROUTINE", _) => Kind::Function,
        ("EClrOperation" | "EClrFailure", _) => Kind::OneOf(7),
        ("EClrEvent", _) => Kind::OneOf(4),
        ("EPolicyAction", _) => Kind::OneOf(10),
        ("EMemoryCriticalLevel", _) => Kind::OneOf(3),
        ("EContextType", _) => Kind::OneOf(2),
        ("DWORD", "option") => Kind::Option,
        ("DWORD", "dwMallocType") => Kind::HeapFlags,
        ("ULONG", _) if method.name == "QueueUserWorkItem" => Kind::Flags,
        (_, "pBindInfo" | "pvOverlapped") => Kind::Given,
        (_, "pv") => Kind::Bytes,
        ("IHostSecurityContext*", _) => Kind::Context,
        // Numbers to the boundary: they are followed by nobody, or by their owner.
        (_, "pAddress" | "lpAddress" | "pMem" | "pszFileName") => Kind::Any,
        _ if pointee.is_some() => Kind::Object,
        _ => Kind::Any,
    }
}

/// One of each object of the host's, beside those that it has by itself.
struct World<'a> {
    bench: &'a Bench,
    objects: Vec<(&'static Interface, Object)>,
    foreign: &'static ClrTask,
    unknown: &'static Plain,
    structures: Structures,
    cases: Cell<usize>,
}

/// What pointers to structures lead to.
#[repr(C, align(16))]
struct Structures {
    /// Room for every structure that is written, and what lies behind an `OVERLAPPED`.
    room: [Cell<u64>; 32],
    assembly: AssemblyBindInfo,
    module: ModuleBindInfo,
}

/// "None", which is the name of no assembly.
static NAME: [u16; 5] = [78, 111, 110, 101, 0];

impl Structures {
    fn new() -> Structures {
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
    fn word(&self, method: &Method) -> usize {
        match method.name {
            "ProvideAssembly" => &raw const self.assembly as usize,
            "ProvideModule" => &raw const self.module as usize,
            _ => self.room.as_ptr() as usize,
        }
    }

    fn is_untouched(&self) -> bool {
        self.room.iter().all(|word| word.get() == POISON)
    }
}

/// A host that has all managers.
fn whole(workers: usize) -> Builder {
    let assemblies = Assemblies::new().add("a", vec![1; 100], None);
    builder(workers)
        .tasks(TaskMode::Fiber)
        .memory(MemoryLimits::default())
        .io_completion(IoEngine::Detect)
        .security(Security::new())
        .assemblies(assemblies.expect("an identity"))
}

/// Who is told of events: of none here.
struct Listener;

impl IActionOnCLREvent for Listener {
    fn on_event(&self, event: ClrEvent) -> Result<(), Hresult> {
        unreachable!("{event:?}")
    }
}

/// A manager of the host's, which counts nothing here.
fn manager(bench: &Bench, iid: Guid) -> Object {
    let found = given(|out| {
        let iid = &raw const iid;
        com!(bench.control, IHostControlVtbl, GetHostManager, iid, out)
    });
    found.release();
    found
}

/// The stream of the one assembly that there is.
fn stream(store: Object) -> Object {
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
    fn new(bench: &'a Bench) -> World<'a> {
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

    fn object(&self, name: &str) -> Object {
        let found = self
            .objects
            .iter()
            .find(|(interface, _)| interface.name == name);
        found.expect("one of each").1
    }

    fn release(&self) {
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
    fn state(
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
    fn right_words(&self, method: &Method, places: &[Place; WORDS]) -> [usize; WORDS] {
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
    fn case(
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
    fn each(&self, mut work: impl FnMut(&'static Interface, Object, usize, &'static Method)) {
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
struct Others {
    memory: MemoryFigures,
    transfers: TransferFigures,
    token: Option<usize>,
    position: u64,
    is_room_untouched: bool,
}

struct Case<'a> {
    interface: &'static Interface,
    method: &'static Method,
    object: Object,
    slot: usize,
    expected: Hresult,
    wrong: &'a str,
}

unsafe extern "system" fn never(_: *mut c_void) -> u32 {
    unreachable!("nothing that is refused is called");
}

/// Calls a slot of the object's table with any `this`. On x86-64 each argument here is one word.
fn call(object: Object, slot: usize, this: *mut c_void, words: [usize; WORDS]) -> Hresult {
    type Slot =
        unsafe extern "system" fn(*mut c_void, usize, usize, usize, usize, usize, usize) -> Hresult;
    let [a, b, c, d, e, f] = words;
    // SAFETY: the object begins with the address of its table, which has this slot; all words are integers or pointers that
    // the interface expects, or such as it must refuse without following them.
    unsafe {
        let table = *object.get().cast::<*const Slot>();
        (*table.add(slot))(this, a, b, c, d, e, f)
    }
}

/// `this` that is none.
fn wrong_this(world: &World<'_>) {
    world.each(|interface, object, slot, method| {
        let mut wrong = vec![("null this", std::ptr::null_mut(), Hresult::E_POINTER)];
        for offset in 1..8 {
            let this = object.get().wrapping_byte_add(offset);
            wrong.push(("misaligned this", this, Hresult::E_INVALIDARG));
        }
        for (other, this) in &world.objects {
            if other.name != interface.name {
                wrong.push(("another object", this.get(), Hresult::E_INVALIDARG));
            }
        }
        let foreign = [world.foreign.object(), world.unknown.object()];
        for this in foreign {
            wrong.push(("a foreign object", this.get(), Hresult::E_INVALIDARG));
        }
        for (wrong, this, expected) in wrong {
            let places = places();
            let words = world.right_words(method, &places);
            let case = Case {
                interface,
                method,
                object,
                slot,
                expected,
                wrong,
            };
            world.case(&case, this, words, &places);
        }
    });
    // Neither do the two that answer with a count.
    for (_, object) in &world.objects {
        for this in [
            std::ptr::null_mut(),
            object.get().wrapping_byte_add(4),
            world.foreign.object().get(),
        ] {
            for slot in [1, 2] {
                assert_eq!(call(*object, slot, this, [0; WORDS]).bits(), 0);
                world.cases.set(world.cases.get() + 1);
            }
        }
    }
}

/// The wrong values of a parameter, with what each gets.
fn wrong_values(world: &World<'_>, kind: Kind, place: &Place) -> Vec<(String, usize, Hresult)> {
    let invalid = |values: Vec<usize>, what: &str| {
        values
            .into_iter()
            .map(|value| (format!("{what} {value:#x}"), value, Hresult::E_INVALIDARG))
            .collect::<Vec<_>>()
    };
    let null = ("null".to_owned(), 0, Hresult::E_POINTER);
    let enumeration = |count: u32| {
        let mut values: Vec<usize> = (count..count + 8).map(|value| value as usize).collect();
        values.extend([0x7f, 0xff, 0x100, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]);
        values
    };
    match kind {
        Kind::Result(width) => {
            let misaligned = (1..width).map(|offset| place.word() + offset).collect();
            let mut wrong = invalid(misaligned, "misaligned");
            wrong.push(null);
            wrong
        }
        Kind::OptionalResult(width) => invalid(
            (1..width).map(|offset| place.word() + offset).collect(),
            "misaligned",
        ),
        Kind::Structure | Kind::Given => {
            let right = world.structures.room.as_ptr() as usize;
            let mut wrong = invalid((1..8).map(|offset| right + offset).collect(), "misaligned");
            wrong.push(null);
            wrong
        }
        Kind::Bytes => vec![null],
        Kind::Context => {
            let right = world.object("IHostSecurityContext").get() as usize;
            let mut values: Vec<usize> = (1..8).map(|offset| right + offset).collect();
            let others = world
                .objects
                .iter()
                .map(|(_, object)| object.get() as usize);
            values.extend(others.filter(|other| *other != right));
            values.push(world.unknown.object().get() as usize);
            values.push(world.foreign.object().get() as usize);
            let mut wrong = invalid(values, "no context of the host's");
            wrong.push(null);
            wrong
        }
        Kind::Object => {
            let right = world.unknown.object().get() as usize;
            let mut values: Vec<usize> = (1..8).map(|offset| right + offset).collect();
            values.extend(
                world
                    .objects
                    .iter()
                    .map(|(_, object)| object.get() as usize),
            );
            let mut wrong = invalid(values, "not the runtime's");
            wrong.push(null);
            wrong
        }
        Kind::Identifier => {
            let right = &raw const table::INTERFACES[0].iid as usize;
            invalid(vec![0, right + 1, right + 2, right + 3], "no identifier at")
        }
        Kind::Function => vec![null],
        Kind::Option => {
            let mut values: Vec<usize> = (3..32).map(|bit| 1 << bit).collect();
            values.extend([0xf, 0xff, 0xffff_ffff, 0x8000_0001]);
            invalid(values, "unknown flags")
        }
        Kind::Flags => {
            let mut values: Vec<usize> = (1..32).map(|bit| 1 << bit).collect();
            values.extend([3, 0xffff_ffff]);
            invalid(values, "unknown flags")
        }
        Kind::HeapFlags => {
            let mut values: Vec<usize> = (2..32).map(|bit| 1 << bit).collect();
            values.extend([7, 0xffff_ffff]);
            invalid(values, "unknown flags")
        }
        Kind::OneOf(count) => invalid(enumeration(count), "no member"),
        Kind::Any => Vec::new(),
    }
}

fn wrong_arguments(world: &World<'_>) {
    world.each(|interface, object, slot, method| {
        for (at, parameter) in method.parameters.iter().enumerate() {
            let kind = kind(method, parameter);
            let spare = Place::new();
            for (wrong, value, expected) in wrong_values(world, kind, &spare) {
                let places = places();
                let mut words = world.right_words(method, &places);
                words[at] = value;
                let wrong = format!("{} {wrong}", parameter.name);
                let case = Case {
                    interface,
                    method,
                    object,
                    slot,
                    expected,
                    wrong: &wrong,
                };
                world.case(&case, object.get(), words, &places);
                assert!(spare.is_untouched(), "{wrong}: written through");
            }
        }
    });
}

/// Identifiers of what an object is not, and of what a host does not offer.
fn unknown_identifiers(world: &World<'_>) {
    let extra = [
        Guid::default(),
        Guid::from_u128(u128::MAX),
        Guid::from_u128(0xdead_beef),
    ];
    let all: Vec<Guid> = INTERFACES
        .iter()
        .map(|interface| interface.iid)
        .chain(extra)
        .collect();
    world.each(|interface, object, slot, method| {
        if !matches!(method.name, "QueryInterface" | "GetHostManager") {
            return;
        }
        for iid in &all {
            let known = match method.name {
                "QueryInterface" => *iid == interface.iid || *iid == table::IID_IUnknown,
                _ => IMPLEMENTED.iter().any(|name| {
                    let manager = name.ends_with("Manager");
                    manager && Interface::named(name).is_some_and(|manager| manager.iid == *iid)
                }),
            };
            if known {
                continue;
            }
            let places = places();
            let mut words = world.right_words(method, &places);
            words[0] = std::ptr::from_ref(iid) as usize;
            let wrong = format!("asked for {iid}");
            let expected = Hresult::E_NOINTERFACE;
            let case = Case {
                interface,
                method,
                object,
                slot,
                expected,
                wrong: &wrong,
            };
            world.case(&case, object.get(), words, &places);
        }
    });
}

/// What only the method itself can tell to be wrong: an interface, a method, its first words, and what each gets.
fn wrong_numbers(world: &World<'_>) {
    const INVALID: Hresult = Hresult::E_INVALIDARG;
    const STRANGE: Hresult = Hresult::HOST_E_INVALIDOPERATION;
    let foreign = &raw const world.structures.room[16] as usize;
    let rows: [(&str, &str, Hresult, &[&[usize]]); 34] = [
        (
            "IHostSyncManager",
            "CreateSemaphore",
            INVALID,
            &[
                &[0, 0],
                &[1, 0],
                &[4, 3],
                &[0, 0x8000_0000],
                &[0xffff_ffff, 0xffff_ffff],
            ],
        ),
        (
            "IHostSemaphore",
            "ReleaseSemaphore",
            INVALID,
            &[&[0], &[0xffff_ffff], &[0x8000_0000], &[2], &[0x7fff_ffff]],
        ),
        ("IHostThreadpoolManager", "SetMaxThreads", INVALID, &[&[0]]),
        (
            "IHostThreadpoolManager",
            "SetMinThreads",
            INVALID,
            &[&[513], &[0xffff_ffff]],
        ),
        (
            "IHostMalloc",
            "Alloc",
            Hresult::E_OUTOFMEMORY,
            &[&[usize::MAX], &[1 << 48]],
        ),
        (
            "IHostMalloc",
            "DebugAlloc",
            Hresult::E_OUTOFMEMORY,
            &[&[usize::MAX], &[1 << 63]],
        ),
        (
            "IHostMalloc",
            "Free",
            STRANGE,
            &[&[foreign], &[foreign + 1], &[foreign + 8], &[8], &[4096]],
        ),
        (
            "IHostMemoryManager",
            "VirtualAlloc",
            INVALID,
            &[
                &[0, 0, 0x3000, 4, 0],
                &[0, 4096, 0, 4, 0],
                &[0, 4096, 0x1_0000_0000 - 1, 4, 0],
                &[0, 4096, 0x3000, 0, 0],
                &[0, 4096, 0x3000, 0x1000, 0],
            ],
        ),
        (
            "IHostMemoryManager",
            "VirtualAlloc",
            Hresult::E_OUTOFMEMORY,
            &[&[0, usize::MAX, 0x2000, 4, 0], &[0, 1 << 47, 0x3000, 4, 2]],
        ),
        (
            "IHostMemoryManager",
            "VirtualFree",
            INVALID,
            &[&[foreign, 0, 0], &[foreign, 0, 0xc000], &[foreign, 0, 7]],
        ),
        (
            "IHostMemoryManager",
            "VirtualFree",
            STRANGE,
            &[
                &[0, 0, 0x8000],
                &[foreign, 0, 0x8000],
                &[foreign, 4096, 0x4000],
            ],
        ),
        (
            "IHostMemoryManager",
            "ReleasedVirtualAddressSpace",
            STRANGE,
            &[&[0], &[foreign], &[usize::MAX]],
        ),
        (
            "IHostIoCompletionManager",
            "CloseIoCompletionPort",
            INVALID,
            &[&[0], &[1], &[1 << 40], &[(1 << 40) + 1], &[usize::MAX]],
        ),
        (
            "IHostIoCompletionManager",
            "Bind",
            INVALID,
            &[
                &[0, usize::MAX],
                &[0, 0x7fff_ffff],
                &[0, 0x8000_0000],
                &[0, 1 << 40],
                &[1, 0],
                &[1 << 40, 0],
            ],
        ),
        (
            "IHostIoCompletionManager",
            "SetMaxThreads",
            INVALID,
            &[&[0]],
        ),
        (
            "IHostIoCompletionManager",
            "SetMinThreads",
            INVALID,
            &[&[513], &[0xffff_ffff]],
        ),
        (
            "IHostSecurityManager",
            "ImpersonateLoggedOnUser",
            Hresult::E_HANDLE,
            &[&[0]],
        ),
        (
            "IHostSecurityManager",
            "OpenThreadToken",
            Hresult::HRESULT_FROM_WIN32_ERROR_NO_TOKEN,
            &[&[0, 0], &[0xffff_ffff, 1]],
        ),
        (
            "IHostAssemblyStore",
            "ProvideAssembly",
            Hresult::COR_E_FILENOTFOUND,
            &[&[]],
        ),
        (
            "IHostAssemblyStore",
            "ProvideModule",
            Hresult::COR_E_FILENOTFOUND,
            &[&[]],
        ),
        (
            "IStream",
            "Write",
            Hresult::STG_E_ACCESSDENIED,
            &[&[foreign, 1], &[foreign, 0]],
        ),
        (
            "IStream",
            "Seek",
            Hresult::STG_E_SEEKERROR,
            &[&[usize::MAX, 0], &[usize::MAX, 1], &[1 << 63, 2]],
        ),
        (
            "IStream",
            "Seek",
            Hresult::STG_E_INVALIDFUNCTION,
            &[&[0, 3], &[0, 0xffff_ffff]],
        ),
        (
            "IStream",
            "SetSize",
            Hresult::STG_E_ACCESSDENIED,
            &[&[0], &[usize::MAX]],
        ),
        (
            "IStream",
            "LockRegion",
            Hresult::STG_E_INVALIDFUNCTION,
            &[&[0, 1, 0]],
        ),
        (
            "IStream",
            "UnlockRegion",
            Hresult::STG_E_INVALIDFUNCTION,
            &[&[0, 1, 0]],
        ),
        // What an event says of itself, where it has to.
        (
            "IActionOnCLREvent",
            "OnEvent",
            Hresult::E_POINTER,
            &[&[2, 0], &[3, 0]],
        ),
        (
            "IActionOnCLREvent",
            "OnEvent",
            INVALID,
            &[&[2, foreign + 1], &[2, foreign + 4], &[3, foreign + 1]],
        ),
        // Nothing is wrong with these, and nothing changes.
        ("IHostMalloc", "Free", Hresult::S_OK, &[&[0]]),
        ("IStream", "Commit", Hresult::S_OK, &[&[0], &[0xffff_ffff]]),
        ("IStream", "Revert", Hresult::S_OK, &[&[]]),
        (
            "IHostSecurityManager",
            "RevertToSelf",
            Hresult::S_OK,
            &[&[]],
        ),
        (
            "IHostSecurityManager",
            "SetThreadToken",
            Hresult::S_OK,
            &[&[0]],
        ),
        ("IStream", "CopyTo", Hresult::E_POINTER, &[&[0, 0]]),
    ];
    for (name, method, expected, numbers) in rows {
        let interface = Interface::named(name).expect("an interface");
        let slot = interface
            .methods
            .iter()
            .position(|other| other.name == method)
            .expect("a method");
        let method = &interface.methods[slot];
        for number in numbers {
            let places = places();
            let mut words = world.right_words(method, &places);
            for (at, number) in number.iter().enumerate() {
                words[at] = *number;
            }
            let wrong = format!("{number:?}");
            let object = world.object(name);
            let case = Case {
                interface,
                method,
                object,
                slot,
                expected,
                wrong: &wrong,
            };
            world.case(&case, object.get(), words, &places);
        }
    }
}

fn all_wrong(world: &World<'_>) {
    wrong_this(world);
    wrong_arguments(world);
    unknown_identifiers(world);
    wrong_numbers(world);
}

/// From a thread that is no task, from a task, and from a task in each state of its transitions.
#[test]
fn bad_input_gets_its_documented_result_and_changes_nothing() {
    let cases = Cell::new(0);
    with(whole(2), |bench| {
        let world = World::new(bench);
        all_wrong(&world);
        assert!(
            bench.host.current_task().is_none(),
            "nobody has become a task"
        );
        world.release();
        cases.set(cases.get() + world.cases.get());
    });
    for hooks in [0, 1, 2] {
        with(whole(2), |bench| {
            // SAFETY: the task has ended before this returns.
            let bench: &'static Bench = unsafe { &*std::ptr::from_ref(bench) };
            let more = bench.run(move || {
                let world = World::new(bench);
                if hooks > 0 {
                    assert_eq!(
                        com!(bench.tasks, IHostTaskManagerVtbl, LeaveRuntime, 1),
                        Hresult::S_OK
                    );
                }
                if hooks > 1 {
                    assert_eq!(
                        com!(bench.tasks, IHostTaskManagerVtbl, ReverseEnterRuntime),
                        Hresult::S_OK
                    );
                }
                all_wrong(&world);
                let state = [State::Base, State::Native, State::Managed][hooks];
                let task = bench.host.current_task().expect("a task");
                assert_eq!(task.transition(), (state, hooks as u64));
                if hooks > 1 {
                    assert_eq!(
                        com!(bench.tasks, IHostTaskManagerVtbl, ReverseLeaveRuntime),
                        Hresult::S_OK
                    );
                }
                if hooks > 0 {
                    assert_eq!(
                        com!(bench.tasks, IHostTaskManagerVtbl, EnterRuntime),
                        Hresult::S_OK
                    );
                }
                world.release();
                world.cases.get()
            });
            cases.set(cases.get() + more);
        });
    }
    let cases = cases.get();
    println!("{cases} cases of bad input");
    assert!(
        cases >= 4 * 2000,
        "{cases} cases: the table of interfaces was not gone through"
    );
}

/// Slots that end what others began, or must not be refused: a host that is shut lets them in.
const ALWAYS: [&str; 14] = [
    "QueryInterface",
    "CallNeedsHostHook",
    "LeaveRuntime",
    "EnterRuntime",
    "ReverseLeaveRuntime",
    "EndDelayAbort",
    "BeginThreadAffinity",
    "EndThreadAffinity",
    "Leave",
    "VirtualFree",
    "ReleasedVirtualAddressSpace",
    "Free",
    "CloseIoCompletionPort",
    "RevertToSelf",
];

#[test]
fn a_host_that_was_shut_down_refuses_all_but_ends() {
    let _watchdog = common::Watchdog::new("after a shutdown".into());
    let bench = Bench::new(whole(1));
    let world = World::new(&bench);
    bench.host.shutdown(LONG).expect("nothing is left");
    assert!(!bench.host.gate().has_failed());
    all_but_ends_are_refused(&bench, &world);
}

/// An embedder's manager in which something goes wrong that nobody can repair.
struct Catastrophe;

impl IHostGCManager for Catastrophe {
    fn thread_is_blocking_for_suspension(&self) -> Result<(), Hresult> {
        panic!("expected: a catastrophe")
    }

    fn suspension_starting(&self) -> Result<(), Hresult> {
        unreachable!("it is refused")
    }

    fn suspension_ending(&self, _: u32) -> Result<(), Hresult> {
        unreachable!("it is refused")
    }
}

#[test]
fn the_latch_falls_for_every_slot() {
    common::expect_panics();
    let _watchdog = common::Watchdog::new("after a catastrophe".into());
    let bench = Bench::new(whole(1).gc_manager(Arc::new(Catastrophe)));
    let world = World::new(&bench);
    let failed = com!(bench.gc, IHostGCManagerVtbl, ThreadIsBlockingForSuspension);
    assert_eq!(failed, Hresult::E_FAIL);
    assert!(bench.host.gate().has_failed());
    all_but_ends_are_refused(&bench, &world);
    bench.host.shutdown(LONG).expect("nothing is left");
    assert!(bench.host.gate().has_failed(), "for good");
}

fn all_but_ends_are_refused(bench: &Bench, world: &World<'_>) {
    let mut refused = 0;
    world.each(|interface, object, slot, method| {
        if ALWAYS.contains(&method.name) {
            return;
        }
        // Also with what would be wrong otherwise: the gate comes before the arguments.
        for wrong in [false, true] {
            let places = places();
            let mut words = world.right_words(method, &places);
            for (at, parameter) in method.parameters.iter().enumerate() {
                let kind = kind(method, parameter);
                if wrong && !matches!(kind, Kind::Result(_) | Kind::OptionalResult(_)) {
                    words[at] = 0xffff_fff1;
                }
            }
            let answer = call(object, slot, object.get(), words);
            let name = format!("{}::{}", interface.name, method.name);
            assert_eq!(answer, Hresult::HOST_E_CLRNOTAVAILABLE, "{name}");
            for (at, parameter) in method.parameters.iter().enumerate() {
                match kind(method, parameter) {
                    Kind::Result(width) => assert!(places[at].is_cleared(width), "{name}"),
                    Kind::OptionalResult(width) => assert!(places[at].is_cleared(width), "{name}"),
                    _ => assert!(places[at].is_untouched(), "{name}"),
                }
            }
            refused += 1;
        }
    });
    assert_eq!(
        refused,
        2 * (IMPLEMENTED.iter().copied().map(methods).sum::<usize>() - (ALWAYS.len() - 1))
    );
    let manager = bench.tasks;
    assert_eq!(
        com!(manager, IHostTaskManagerVtbl, LeaveRuntime, 1),
        Hresult::HOST_E_CLRNOTAVAILABLE
    );
    assert_eq!(
        com!(manager, IHostTaskManagerVtbl, EnterRuntime),
        Hresult::HOST_E_INVALIDOPERATION
    );
    assert_eq!(
        com!(manager, IHostTaskManagerVtbl, ReverseLeaveRuntime),
        Hresult::HOST_E_INVALIDOPERATION
    );
    assert_eq!(
        com!(manager, IHostTaskManagerVtbl, EndThreadAffinity),
        Hresult::E_UNEXPECTED
    );
    assert_eq!(
        com!(manager, IHostTaskManagerVtbl, BeginThreadAffinity),
        Hresult::S_OK
    );
    assert_eq!(
        com!(manager, IHostTaskManagerVtbl, EndThreadAffinity),
        Hresult::S_OK
    );
    assert_eq!(
        com!(world.object("IHostCrst"), IHostCrstVtbl, Leave),
        Hresult::HOST_E_NOT_OWNER
    );
    let mut needs = -1;
    assert_eq!(
        com!(
            manager,
            IHostTaskManagerVtbl,
            CallNeedsHostHook,
            1,
            &raw mut needs
        ),
        Hresult::S_OK
    );
    assert_eq!(needs, 1);
    world.release();
    assert_eq!(bench.host.figures().objects, bench.own);
}

/// How many methods an interface has of its own.
fn methods(name: &str) -> usize {
    Interface::named(name).expect("an interface").methods.len() - 3
}

/// What needs a task, on a thread that is kept out.
#[test]
fn a_thread_without_a_task_is_told_so() {
    with(whole(1).strangers(Strangers::Deny), |bench| {
        let world = World::new(bench);
        let before = world.state();
        let manager = bench.tasks;
        let task = world.object("IHostTask");
        let foreign = world.foreign.object().get();
        let mut out = std::ptr::dangling_mut();
        let mut bytes = 7;
        for (what, answer, expected) in [
            (
                "GetCurrentTask",
                com!(manager, IHostTaskManagerVtbl, GetCurrentTask, &raw mut out),
                Hresult::HOST_E_INVALIDOPERATION,
            ),
            (
                "SetLocale",
                com!(manager, IHostTaskManagerVtbl, SetLocale, 1),
                Hresult::E_NOTIMPL,
            ),
            (
                "SetUILocale",
                com!(manager, IHostTaskManagerVtbl, SetUILocale, 1),
                Hresult::E_NOTIMPL,
            ),
            (
                "SetStackGuarantee",
                com!(manager, IHostTaskManagerVtbl, SetStackGuarantee, 1),
                Hresult::E_NOTIMPL,
            ),
            (
                "GetStackGuarantee",
                com!(
                    manager,
                    IHostTaskManagerVtbl,
                    GetStackGuarantee,
                    &raw mut bytes
                ),
                Hresult::E_NOTIMPL,
            ),
            (
                "BeginDelayAbort",
                com!(manager, IHostTaskManagerVtbl, BeginDelayAbort),
                Hresult::HOST_E_INVALIDOPERATION,
            ),
            (
                "EndDelayAbort",
                com!(manager, IHostTaskManagerVtbl, EndDelayAbort),
                Hresult::HOST_E_INVALIDOPERATION,
            ),
            (
                "EndThreadAffinity",
                com!(manager, IHostTaskManagerVtbl, EndThreadAffinity),
                Hresult::E_UNEXPECTED,
            ),
            (
                "SwitchToTask",
                com!(manager, IHostTaskManagerVtbl, SwitchToTask, 0),
                Hresult::S_FALSE,
            ),
            (
                "SetCLRTask",
                com!(task, IHostTaskVtbl, SetCLRTask, foreign),
                Hresult::HOST_E_INVALIDOPERATION,
            ),
        ] {
            assert_eq!(answer, expected, "{what}");
        }
        assert!(out.is_null());
        assert_eq!(bytes, 0);
        assert_eq!(world.state(), before);
        for answer in [
            com!(manager, IHostTaskManagerVtbl, LeaveRuntime, 1),
            com!(manager, IHostTaskManagerVtbl, EnterRuntime),
            com!(manager, IHostTaskManagerVtbl, ReverseEnterRuntime),
            com!(manager, IHostTaskManagerVtbl, ReverseLeaveRuntime),
        ] {
            assert_eq!(answer, Hresult::HOST_E_INVALIDOPERATION);
        }
        assert_eq!(bench.host.figures().stray_hooks, 4);
        world.release();
    });
}

/// Calls in the wrong state: what began is not begun twice, what ended does not end twice.
#[test]
fn calls_out_of_order_change_nothing() {
    with(builder(2).tasks(TaskMode::Fiber), |bench| {
        let ended = bench.start(|| {});
        assert_eq!(com!(ended, IHostTaskVtbl, Join, u32::MAX, 0), Hresult::S_OK);
        let foreign = ClrTask::new(Hresult::E_NOTIMPL);
        for _ in 0..3 {
            assert_eq!(
                com!(ended, IHostTaskVtbl, Start),
                Hresult::HOST_E_INVALIDOPERATION
            );
            let set = com!(ended, IHostTaskVtbl, SetCLRTask, foreign.object().get());
            assert_eq!(set, Hresult::HOST_E_INVALIDOPERATION);
            assert_eq!(com!(ended, IHostTaskVtbl, Alert), Hresult::S_OK);
            assert_eq!(com!(ended, IHostTaskVtbl, SetPriority, 2), Hresult::S_OK);
            assert_eq!(com!(ended, IHostTaskVtbl, Join, 0, 0), Hresult::S_OK);
        }
        assert_eq!((foreign.references(), ended.release()), (1, 0));
        // Sizes that no stack can have.
        let (function, context) = routine(|| unreachable!());
        let mut out = std::ptr::dangling_mut();
        let created = com!(
            bench.tasks,
            IHostTaskManagerVtbl,
            CreateTask,
            u32::MAX,
            Some(function),
            context,
            &raw mut out
        );
        assert_eq!((created, out.is_null()), (Hresult::E_OUTOFMEMORY, true));
    });
}
