//! Memory that a runtime has from the host: heaps, pages, limits, pressure, and what wrong calls get.

mod common;
#[macro_use]
mod hosting;

use std::cell::RefCell;
use std::ffi::c_void;

use common::{LONG, Watchdog, eventually};
use fiberhost::com::table::IID_IHostMemoryManager;
use fiberhost::com::{
    Hresult, MEM_COMMIT, MEM_DECOMMIT, MEM_RELEASE, MEM_RESERVE, PAGE_EXECUTE_READ, PAGE_NOACCESS,
    PAGE_READONLY, PAGE_READWRITE, RegionInfo,
};
use fiberhost::views::Views;
use fiberhost::{MemoryFigures, MemoryLimits};
use hosting::fake::Recorder;
use hosting::{Bench, OWN_OBJECTS, Object, builder, given};

const TASK: u32 = 0;
const APP_DOMAIN: u32 = 1;
const PROCESS: u32 = 2;
const PAGE: usize = 4096;
const GRANULE: usize = 64 * 1024;
const MEM_FREE: u32 = 0x1_0000;

/// A host that has memory for its runtime.
struct Room {
    bench: Bench,
    manager: Object,
    malloc: Object,
}

/// Runs a test on such a host, at the end of which all memory was given back.
#[track_caller]
fn with_memory(limits: MemoryLimits, test: impl FnOnce(&'static Room)) {
    let _watchdog = Watchdog::new(std::panic::Location::caller().to_string());
    let bench = Bench::new(builder(2).memory(limits));
    let iid = IID_IHostMemoryManager;
    let manager = given(|out| {
        let iid = &raw const iid;
        com!(bench.control, IHostControlVtbl, GetHostManager, iid, out)
    });
    let malloc = given(|out| com!(manager, IHostMemoryManagerVtbl, CreateMalloc, 1, out));
    let room = Room {
        bench,
        manager,
        malloc,
    };
    // SAFETY: whoever gets it has ended when the test returns.
    test(unsafe { &*std::ptr::from_ref(&room) });
    let figures = room.figures();
    assert_eq!(
        (figures.heaps, figures.committed, figures.reserved),
        ([0; 3], 0, 0)
    );
    assert_eq!(room.malloc.release(), 0);
    room.manager.release();
    let host = &room.bench.host;
    host.shutdown(LONG).expect("nothing is left to wait for");
    eventually("only the host's own objects are left", || {
        host.figures().objects == OWN_OBJECTS + 1
    });
    assert_eq!(room.manager.references(), 1, "the host's own");
}

impl Room {
    fn figures(&self) -> MemoryFigures {
        let figures = self.bench.host.memory_figures();
        figures.expect("the runtime has memory of the host's")
    }

    fn alloc(&self, size: usize, level: u32) -> Result<*mut u8, Hresult> {
        let mut memory = std::ptr::dangling_mut();
        let answer = com!(
            self.malloc,
            IHostMallocVtbl,
            Alloc,
            size,
            level,
            &raw mut memory
        );
        assert_eq!(answer != Hresult::S_OK, memory.is_null());
        answer.ok().map(|()| memory.cast())
    }

    fn free(&self, memory: *mut u8) -> Hresult {
        com!(self.malloc, IHostMallocVtbl, Free, memory.cast())
    }

    fn pages(&self, at: usize, size: usize, how: u32, protection: u32) -> Result<usize, Hresult> {
        let mut memory = std::ptr::dangling_mut();
        let start = std::ptr::with_exposed_provenance_mut(at);
        let answer = com!(
            self.manager,
            IHostMemoryManagerVtbl,
            VirtualAlloc,
            start,
            size,
            how,
            protection,
            TASK,
            &raw mut memory
        );
        assert_eq!(answer != Hresult::S_OK, memory.is_null());
        answer.ok().map(|()| memory.expose_provenance())
    }

    fn free_pages(&self, at: usize, size: usize, how: u32) -> Hresult {
        let start = std::ptr::with_exposed_provenance_mut(at);
        com!(
            self.manager,
            IHostMemoryManagerVtbl,
            VirtualFree,
            start,
            size,
            how
        )
    }

    fn protect(&self, at: usize, size: usize, protection: u32) -> Result<u32, Hresult> {
        let start = std::ptr::with_exposed_provenance_mut(at);
        let mut before = u32::MAX;
        let answer = com!(
            self.manager,
            IHostMemoryManagerVtbl,
            VirtualProtect,
            start,
            size,
            protection,
            &raw mut before
        );
        answer.ok().map(|()| before)
    }

    fn query(&self, at: usize) -> RegionInfo {
        let start = std::ptr::with_exposed_provenance_mut(at);
        let (mut info, mut written) = (RegionInfo::default(), 0);
        let (place, length) = ((&raw mut info).cast(), size_of::<RegionInfo>());
        let answer = com!(
            self.manager,
            IHostMemoryManagerVtbl,
            VirtualQuery,
            start,
            place,
            length,
            &raw mut written
        );
        assert_eq!((answer, written), (Hresult::S_OK, length));
        info
    }

    fn load(&self) -> (u32, usize) {
        let (mut load, mut available) = (u32::MAX, 0);
        let (first, second) = (&raw mut load, &raw mut available);
        let answer = com!(
            self.manager,
            IHostMemoryManagerVtbl,
            GetMemoryLoad,
            first,
            second
        );
        assert_eq!(answer, Hresult::S_OK);
        (load, available)
    }
}

/// No limits.
fn unlimited() -> MemoryLimits {
    MemoryLimits::default()
}

#[test]
fn blocks_are_counted_by_level_until_they_are_given_back() {
    with_memory(unlimited(), |room| {
        let mut blocks = Vec::new();
        for (level, size) in [
            (TASK, 100),
            (APP_DOMAIN, 2000),
            (PROCESS, 30_000),
            (TASK, 0),
        ] {
            let block = room.alloc(size, level).expect("memory");
            assert_eq!(block.addr() % 16, 0);
            // SAFETY: so many bytes are ours.
            unsafe { block.write_bytes(0x5a, size) };
            blocks.push(block);
        }
        assert_eq!(room.figures().heaps, [100, 2000, 30_000]);
        let mut with_place = std::ptr::null_mut();
        let name = c"place.c".as_ptr().cast_mut();
        let answer = com!(
            room.malloc,
            IHostMallocVtbl,
            DebugAlloc,
            11,
            TASK,
            name,
            7,
            &raw mut with_place
        );
        assert_eq!(answer, Hresult::S_OK);
        blocks.push(with_place.cast());
        assert_eq!(room.figures().heaps, [111, 2000, 30_000]);
        for block in blocks {
            assert_eq!(room.free(block), Hresult::S_OK);
        }
        assert_eq!(room.free(std::ptr::null_mut()), Hresult::S_OK);
    });
}

#[test]
fn many_threads_and_tasks_share_a_heap() {
    with_memory(unlimited(), |room| {
        let work = move |seed: usize| {
            let mut blocks = Vec::new();
            for number in 0..20_000_usize {
                let size = number.wrapping_mul(seed * 2 + 77) % 700;
                let block = room.alloc(size, (number % 3) as u32).expect("memory");
                // SAFETY: so many bytes are ours.
                unsafe { block.write_bytes(seed as u8, size) };
                blocks.push((block, size));
                if number % 3 != 0 {
                    let (block, size) = blocks.swap_remove(number % blocks.len());
                    let bytes = (0..size).map(|at| {
                        // SAFETY: as above.
                        unsafe { block.add(at).read() }
                    });
                    assert!(bytes.into_iter().all(|byte| byte == seed as u8));
                    assert_eq!(room.free(block), Hresult::S_OK);
                }
            }
            for (block, _) in blocks {
                assert_eq!(room.free(block), Hresult::S_OK);
            }
        };
        let tasks = [1, 2, 3].map(|seed| room.bench.start(move || work(seed)));
        std::thread::scope(|scope| {
            for seed in [4, 5] {
                scope.spawn(move || work(seed));
            }
        });
        for task in tasks {
            hosting::join(task);
        }
    });
}

#[test]
fn what_is_not_ours_is_refused_and_nothing_changes() {
    with_memory(unlimited(), |room| {
        let block = room.alloc(64, TASK).expect("memory");
        let refused = Hresult::HOST_E_INVALIDOPERATION;
        for offset in [1, 8, 16, 32] {
            assert_eq!(room.free(block.wrapping_add(offset)), refused);
        }
        let mut foreign = vec![0_u128; 1024];
        for word in foreign.iter_mut().skip(1) {
            assert_eq!(room.free(std::ptr::from_mut(word).cast()), refused);
        }
        let another = Bench::new(builder(1).memory(unlimited()));
        let iid = IID_IHostMemoryManager;
        let manager = given(|out| {
            let iid = &raw const iid;
            com!(another.control, IHostControlVtbl, GetHostManager, iid, out)
        });
        let malloc = given(|out| com!(manager, IHostMemoryManagerVtbl, CreateMalloc, 0, out));
        let its = com!(malloc, IHostMallocVtbl, Free, block.cast());
        assert_eq!(its, refused, "a block of another host");
        hosting::release_all([malloc, manager]);
        another.host.shutdown(LONG).expect("nothing is left");
        assert_eq!(room.figures().heaps, [64, 0, 0]);
        assert_eq!(room.free(block), Hresult::S_OK);

        for size in [1 << 47, 1 << 48, usize::MAX - 15, usize::MAX] {
            assert_eq!(room.alloc(size, TASK), Err(Hresult::E_OUTOFMEMORY));
        }
        for level in [3, 4, 0x8000_0000, u32::MAX] {
            assert_eq!(room.alloc(8, level), Err(Hresult::E_INVALIDARG));
        }
        for flags in [4, 8, 0x8000_0000, u32::MAX] {
            let mut out = std::ptr::dangling_mut();
            let place = &raw mut out;
            let made = com!(
                room.manager,
                IHostMemoryManagerVtbl,
                CreateMalloc,
                flags,
                place
            );
            assert_eq!((made, out.is_null()), (Hresult::E_INVALIDARG, true));
        }
        let nowhere = std::ptr::null_mut();
        for answer in [
            com!(room.malloc, IHostMallocVtbl, Alloc, 8, TASK, nowhere),
            com!(
                room.malloc,
                IHostMallocVtbl,
                DebugAlloc,
                8,
                TASK,
                std::ptr::null_mut(),
                1,
                nowhere
            ),
            com!(
                room.manager,
                IHostMemoryManagerVtbl,
                CreateMalloc,
                0,
                nowhere
            ),
            com!(
                room.manager,
                IHostMemoryManagerVtbl,
                GetMemoryLoad,
                std::ptr::null_mut(),
                nowhere.cast()
            ),
            com!(
                room.manager,
                IHostMemoryManagerVtbl,
                RegisterMemoryNotificationCallback,
                std::ptr::null_mut()
            ),
        ] {
            assert_eq!(answer, Hresult::E_POINTER);
        }
    });
}

#[test]
fn code_may_run_in_an_executable_heap() {
    with_memory(unlimited(), |room| {
        let malloc = given(|out| com!(room.manager, IHostMemoryManagerVtbl, CreateMalloc, 3, out));
        let mut memory = std::ptr::null_mut::<c_void>();
        let answer = com!(malloc, IHostMallocVtbl, Alloc, 16, TASK, &raw mut memory);
        assert_eq!(answer, Hresult::S_OK);
        #[cfg(target_arch = "x86_64")]
        {
            // mov eax, 42; ret
            let code = [0xb8_u8, 42, 0, 0, 0, 0xc3];
            // SAFETY: the block has room, and is a function now.
            let function: extern "C" fn() -> i32 = unsafe {
                memory.cast::<u8>().copy_from(code.as_ptr(), code.len());
                std::mem::transmute(memory)
            };
            assert_eq!(function(), 42);
        }
        assert_eq!(com!(malloc, IHostMallocVtbl, Free, memory), Hresult::S_OK);
        assert_eq!(malloc.release(), 0);
    });
}

#[test]
fn each_level_has_its_limit() {
    let limits = MemoryLimits {
        task: 1000,
        app_domain: 2000,
        process: 3000,
        ..unlimited()
    };
    with_memory(limits, |room| {
        let refused = Err(Hresult::E_OUTOFMEMORY);
        let mut blocks = vec![room.alloc(1000, TASK).expect("exactly the limit")];
        assert_eq!(room.alloc(1, TASK), refused);
        blocks.push(room.alloc(1000, APP_DOMAIN).expect("exactly the limit"));
        assert_eq!(room.alloc(1, TASK), refused);
        assert_eq!(room.alloc(1, APP_DOMAIN), refused);
        blocks.push(room.alloc(1000, PROCESS).expect("exactly the limit"));
        assert_eq!(room.alloc(1, PROCESS), refused);
        assert_eq!(
            room.pages(0, PAGE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE),
            Err(Hresult::E_OUTOFMEMORY)
        );
        assert_eq!(room.figures().refused, [3, 1, 1]);
        assert_eq!(room.figures().heaps, [1000; 3]);
        // The operator's table says the same.
        let views = Views::take(room.bench.host.scheduler(), &[&room.bench.host]);
        let rows = views.memory();
        let rows: Vec<_> = rows
            .iter()
            .map(|row| {
                let limit = row.limit_in_bytes.expect("it has one");
                let refused = row.refused_requests_count;
                (row.critical_level, row.heaps_in_bytes, limit, refused)
            })
            .collect();
        assert_eq!(
            rows,
            [
                ("TASK", 1000, 1000, 3),
                ("APP DOMAIN", 1000, 2000, 1),
                ("PROCESS", 1000, 3000, 1)
            ]
        );

        // Below what is in use: nothing is lost, and nothing granted until there is room.
        room.bench.host.set_memory_limits(MemoryLimits {
            task: 10,
            app_domain: 10,
            process: 10,
            ..unlimited()
        });
        for level in [TASK, APP_DOMAIN, PROCESS] {
            assert_eq!(room.alloc(1, level), refused);
        }
        for block in blocks {
            assert_eq!(room.free(block), Hresult::S_OK);
        }
        let last = room.alloc(10, TASK).expect("there is room again");
        assert_eq!(room.free(last), Hresult::S_OK);
    });
}

#[test]
fn many_together_never_pass_a_limit() {
    const LIMIT: usize = 64 * 100;
    let limits = MemoryLimits {
        task: LIMIT,
        ..unlimited()
    };
    with_memory(limits, |room| {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2_000 {
                        let blocks: Vec<_> =
                            (0..60).map_while(|_| room.alloc(64, TASK).ok()).collect();
                        assert!(blocks.len() * 64 <= LIMIT);
                        for block in blocks {
                            assert_eq!(room.free(block), Hresult::S_OK);
                        }
                    }
                });
            }
        });
        // All of it is there again.
        let blocks: Vec<_> = (0..100)
            .map(|_| room.alloc(64, TASK).expect("room"))
            .collect();
        assert_eq!(room.alloc(1, TASK), Err(Hresult::E_OUTOFMEMORY));
        for block in blocks {
            assert_eq!(room.free(block), Hresult::S_OK);
        }
    });
}

#[test]
fn pages_are_reserved_committed_protected_and_given_back() {
    with_memory(unlimited(), |room| {
        let size = 16 * PAGE;
        let base = room
            .pages(0, size, MEM_RESERVE, PAGE_READWRITE)
            .expect("addresses");
        assert_eq!(base % GRANULE, 0);
        assert_eq!(
            (room.figures().reserved, room.figures().committed),
            (size, 0)
        );
        let info = room.query(base + 5);
        assert_eq!((info.base, info.region, info.size), (base, base, size));
        assert_eq!((info.state, info.protection), (MEM_RESERVE, 0));

        // A byte of the third page and one of the fourth are two pages.
        let middle = base + 3 * PAGE - 1;
        let committed = room.pages(middle, 2, MEM_COMMIT, PAGE_READWRITE);
        assert_eq!(committed, Ok(base + 2 * PAGE));
        assert_eq!(room.figures().committed, 2 * PAGE);
        let memory: *mut u8 = std::ptr::with_exposed_provenance_mut(middle);
        // SAFETY: it is committed.
        unsafe {
            assert_eq!(memory.read(), 0);
            memory.write(9);
        }
        // Again, and more: what is there stays and is counted once.
        assert_eq!(
            room.pages(base + PAGE, 3 * PAGE, MEM_COMMIT, PAGE_READWRITE),
            Ok(base + PAGE)
        );
        assert_eq!(room.figures().committed, 3 * PAGE);
        // SAFETY: as above.
        assert_eq!(unsafe { memory.read() }, 9);
        let info = room.query(base);
        assert_eq!((info.state, info.size), (MEM_RESERVE, PAGE));
        let info = room.query(base + PAGE);
        assert_eq!(
            (info.state, info.size, info.protection),
            (MEM_COMMIT, 3 * PAGE, PAGE_READWRITE)
        );

        assert_eq!(room.protect(middle, 1, PAGE_READONLY), Ok(PAGE_READWRITE));
        assert_eq!(room.query(middle).size, PAGE);
        assert_eq!(room.query(middle).protection, PAGE_READONLY);
        assert_eq!(room.protect(middle, 1, PAGE_READWRITE), Ok(PAGE_READONLY));
        assert_eq!(room.query(base + PAGE).size, 3 * PAGE, "one run again");

        assert_eq!(
            room.free_pages(base + 2 * PAGE, PAGE, MEM_DECOMMIT),
            Hresult::S_OK
        );
        assert_eq!(room.figures().committed, 2 * PAGE);
        assert_eq!(room.query(middle).state, MEM_RESERVE);
        assert_eq!(
            room.pages(middle, 1, MEM_COMMIT, PAGE_READWRITE),
            Ok(base + 2 * PAGE)
        );
        // SAFETY: as above; it is new.
        assert_eq!(unsafe { memory.read() }, 0);

        assert_eq!(room.free_pages(base, 0, MEM_DECOMMIT), Hresult::S_OK);
        assert_eq!(
            (room.figures().reserved, room.figures().committed),
            (size, 0)
        );
        assert_eq!(room.free_pages(base, 0, MEM_RELEASE), Hresult::S_OK);
        assert_eq!(room.query(base).state, MEM_FREE);

        // At once, and at a place that is known to be free.
        let both = MEM_RESERVE | MEM_COMMIT;
        let there = room
            .pages(base + 77, 1, both, PAGE_EXECUTE_READ)
            .expect("it is free");
        assert_eq!(there, base);
        assert_eq!(room.query(base).protection, PAGE_EXECUTE_READ);
        assert_eq!(
            room.pages(base, 1, both, PAGE_READWRITE),
            Err(Hresult::E_OUTOFMEMORY),
            "it is taken"
        );
        assert_eq!(room.free_pages(base, 0, MEM_RELEASE), Hresult::S_OK);
    });
}

#[test]
fn wrong_pages_are_refused_and_nothing_changes() {
    with_memory(unlimited(), |room| {
        let foreign = Hresult::HOST_E_INVALIDOPERATION;
        let invalid = Hresult::E_INVALIDARG;
        let base = room
            .pages(0, 4 * PAGE, MEM_RESERVE, PAGE_READWRITE)
            .expect("addresses");
        let own = (&raw const base).expose_provenance();
        for (answer, expected) in [
            (room.free_pages(own, 0, MEM_RELEASE), foreign),
            (room.free_pages(own, PAGE, MEM_DECOMMIT), foreign),
            (room.free_pages(0, 0, MEM_RELEASE), foreign),
            (room.free_pages(base + PAGE, 0, MEM_RELEASE), foreign),
            (room.free_pages(base, PAGE, MEM_RELEASE), invalid),
            (
                room.free_pages(base, 0, MEM_RELEASE | MEM_DECOMMIT),
                invalid,
            ),
            (room.free_pages(base, 0, 0), invalid),
            (room.free_pages(base, 0, u32::MAX), invalid),
            (room.free_pages(base + PAGE, 0, MEM_DECOMMIT), invalid),
            (room.free_pages(base, 5 * PAGE, MEM_DECOMMIT), foreign),
            (room.free_pages(base, usize::MAX, MEM_DECOMMIT), invalid),
        ] {
            assert_eq!(answer, expected);
        }
        for (answer, expected) in [
            (room.pages(0, 0, MEM_RESERVE, PAGE_READWRITE), invalid),
            (room.pages(0, PAGE, 0, PAGE_READWRITE), invalid),
            (
                room.pages(0, PAGE, MEM_RESERVE | MEM_RELEASE, PAGE_READWRITE),
                invalid,
            ),
            (room.pages(0, PAGE, MEM_RESERVE, 0), invalid),
            (room.pages(0, PAGE, MEM_RESERVE, 3), invalid),
            (
                room.pages(0, usize::MAX, MEM_RESERVE, PAGE_NOACCESS),
                Hresult::E_OUTOFMEMORY,
            ),
            (
                room.pages(usize::MAX, PAGE, MEM_RESERVE, PAGE_NOACCESS),
                Hresult::E_OUTOFMEMORY,
            ),
            (room.pages(own, PAGE, MEM_COMMIT, PAGE_READWRITE), foreign),
            (
                room.pages(base + 3 * PAGE, 2 * PAGE, MEM_COMMIT, PAGE_READWRITE),
                foreign,
            ),
        ] {
            assert_eq!(answer, Err(expected));
        }
        assert_eq!(
            room.protect(base, PAGE, PAGE_READONLY),
            Err(foreign),
            "it is not committed"
        );
        assert_eq!(room.protect(own, 1, PAGE_READONLY), Err(foreign));
        assert_eq!(room.protect(base, 0, PAGE_READONLY), Err(invalid));
        assert_eq!(room.protect(base, PAGE, 5), Err(invalid));

        let (mut info, mut written) = ([0_u64; 7], 7);
        let start = std::ptr::with_exposed_provenance_mut(base);
        let place: *mut c_void = info.as_mut_ptr().cast();
        for (place, length, expected) in [
            (std::ptr::null_mut(), 48, Hresult::E_POINTER),
            (place.wrapping_byte_add(4), 48, invalid),
            (place, 47, invalid),
            (place, 0, invalid),
        ] {
            let out = &raw mut written;
            let answer = com!(
                room.manager,
                IHostMemoryManagerVtbl,
                VirtualQuery,
                start,
                place,
                length,
                out
            );
            assert_eq!((answer, written), (expected, 0));
        }
        assert_eq!(info, [0; 7]);
        assert_eq!(
            (room.figures().reserved, room.figures().committed),
            (4 * PAGE, 0)
        );
        assert_eq!(room.free_pages(base, 0, MEM_RELEASE), Hresult::S_OK);
    });
}

#[test]
fn addresses_have_a_limit_that_the_runtimes_own_count_against() {
    let limits = MemoryLimits {
        addresses: 8 * GRANULE,
        ..unlimited()
    };
    with_memory(limits, |room| {
        let refused = Hresult::E_OUTOFMEMORY;
        let call = |size: usize| {
            com!(
                room.manager,
                IHostMemoryManagerVtbl,
                NeedsVirtualAddressSpace,
                std::ptr::null_mut(),
                size
            )
        };
        let base = room
            .pages(0, 4 * GRANULE, MEM_RESERVE, PAGE_NOACCESS)
            .expect("addresses");
        assert_eq!(call(4 * GRANULE), Hresult::S_OK);
        assert_eq!(call(4 * GRANULE + 1), refused);
        assert_eq!(call(usize::MAX), refused);
        let there = std::ptr::with_exposed_provenance_mut(0x1234_0000);
        let acquired = com!(
            room.manager,
            IHostMemoryManagerVtbl,
            AcquiredVirtualAddressSpace,
            there,
            3 * GRANULE
        );
        assert_eq!(
            (acquired, room.figures().acquired),
            (Hresult::S_OK, 3 * GRANULE)
        );
        assert_eq!(
            room.pages(0, 2 * GRANULE, MEM_RESERVE, PAGE_NOACCESS),
            Err(refused)
        );
        let released = || {
            com!(
                room.manager,
                IHostMemoryManagerVtbl,
                ReleasedVirtualAddressSpace,
                there
            )
        };
        assert_eq!(released(), Hresult::S_OK);
        assert_eq!(released(), Hresult::HOST_E_INVALIDOPERATION);
        assert_eq!(
            (call(4 * GRANULE), room.figures().acquired),
            (Hresult::S_OK, 0)
        );
        assert_eq!(room.free_pages(base, 0, MEM_RELEASE), Hresult::S_OK);
    });
}

fn register(room: &Room, callback: &'static Recorder) -> Hresult {
    let this = callback.object().get();
    com!(
        room.manager,
        IHostMemoryManagerVtbl,
        RegisterMemoryNotificationCallback,
        this
    )
}

#[test]
fn the_runtime_is_told_of_each_edge_once() {
    const LOW: u32 = 1;
    const NEUTRAL: u32 = 2;
    const HIGH: u32 = 3;
    let limits = MemoryLimits {
        task: 1000,
        ..unlimited()
    };
    let callback = Recorder::new(|_, _| Hresult::S_OK);
    with_memory(limits, |room| {
        assert_eq!(register(room, callback), Hresult::S_OK);
        assert_eq!(
            register(room, Recorder::new(|_, _| Hresult::S_OK)),
            Hresult::E_UNEXPECTED,
            "there is one"
        );
        let mut blocks = Vec::new();
        let (mut expected, told) = (Vec::new(), RefCell::new(Vec::new()));
        let mut step = |take: usize, edge: Option<u32>| {
            if take > 0 {
                blocks.push(room.alloc(take, TASK).expect("below the limit"));
            } else {
                assert_eq!(room.free(blocks.pop().expect("a block")), Hresult::S_OK);
            }
            expected.extend(edge.map(|edge| (3, edge)));
            // What is not to be told would come before what is.
            eventually("it is told", || {
                let more = callback.take_calls();
                let mut told = told.borrow_mut();
                told.extend(more.iter().map(|(slot, words)| (*slot, words[0] as u32)));
                told.len() >= expected.len()
            });
            assert_eq!(*told.borrow(), expected);
        };
        step(600, None);
        step(100, Some(NEUTRAL));
        step(0, None);
        step(100, None);
        step(200, Some(LOW));
        step(50, None);
        step(0, None);
        step(0, Some(NEUTRAL));
        step(200, Some(LOW));
        step(0, Some(NEUTRAL));
        step(0, None);
        step(0, Some(HIGH));
        assert_eq!(room.figures().notifications, 6);
        let (load, available) = room.load();
        assert_eq!((load, available), (0, 1000));
        let half = room.alloc(500, PROCESS).expect("below the limit");
        assert_eq!(room.load(), (50, 500));
        assert_eq!(room.free(half), Hresult::S_OK);
    });
    eventually("the callback is given back", || callback.references() == 1);
    assert_eq!(callback.take_calls(), [], "nothing more was told");
}

#[test]
fn after_a_shutdown_memory_can_be_given_back_and_nothing_else() {
    let bench = Bench::new(builder(1).memory(unlimited()));
    let iid = IID_IHostMemoryManager;
    let manager = given(|out| {
        let iid = &raw const iid;
        com!(bench.control, IHostControlVtbl, GetHostManager, iid, out)
    });
    let malloc = given(|out| com!(manager, IHostMemoryManagerVtbl, CreateMalloc, 1, out));
    let room = Room {
        bench,
        manager,
        malloc,
    };
    let block = room.alloc(10, TASK).expect("memory");
    let base = room
        .pages(0, PAGE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE)
        .expect("memory");
    room.bench.host.shutdown(LONG).expect("nothing is left");
    let shut = Hresult::HOST_E_CLRNOTAVAILABLE;
    assert_eq!(room.alloc(10, TASK), Err(shut));
    assert_eq!(room.pages(0, PAGE, MEM_RESERVE, PAGE_READWRITE), Err(shut));
    assert_eq!(register(&room, Recorder::new(|_, _| Hresult::S_OK)), shut);
    assert_eq!(room.free(block), Hresult::S_OK);
    assert_eq!(room.free_pages(base, 0, MEM_RELEASE), Hresult::S_OK);
    assert_eq!(room.figures(), MemoryFigures::default());
    hosting::release_all([room.malloc, room.manager]);
}

#[test]
fn a_runtime_has_memory_of_its_own_unless_the_host_has_some_for_it() {
    let bench = Bench::new(builder(1));
    let (iid, mut out) = (IID_IHostMemoryManager, std::ptr::dangling_mut());
    let (iid, place) = (&raw const iid, &raw mut out);
    let answer = com!(bench.control, IHostControlVtbl, GetHostManager, iid, place);
    assert_eq!((answer, out.is_null()), (Hresult::E_NOINTERFACE, true));
    assert_eq!(bench.host.memory_figures(), None);
    bench.host.shutdown(LONG).expect("nothing is left");
}

/// Threads keep small blocks that they got back. Those are in use by nobody, and no limit is the smaller for them.
#[test]
fn what_threads_keep_counts_against_no_limit() {
    with_memory(unlimited(), |room| {
        const THREADS: usize = 4;
        let kept = std::sync::Barrier::new(THREADS + 1);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for _ in 0..3 {
                        let blocks: Vec<*mut u8> = (0..100)
                            .map(|_| room.alloc(200, TASK).expect("memory"))
                            .collect();
                        for block in blocks {
                            assert_eq!(room.free(block), Hresult::S_OK);
                            assert_eq!(room.free(block), Hresult::HOST_E_INVALIDOPERATION);
                        }
                    }
                    kept.wait();
                    kept.wait();
                });
            }
            kept.wait();
            assert_eq!(room.figures().heaps, [0; 3]);
            let limits = MemoryLimits {
                task: 1000,
                ..unlimited()
            };
            room.bench.host.set_memory_limits(limits);
            assert_eq!(room.alloc(1001, TASK), Err(Hresult::E_OUTOFMEMORY));
            let block = room.alloc(1000, TASK).expect("nothing else is in use");
            assert_eq!(room.alloc(1, TASK), Err(Hresult::E_OUTOFMEMORY));
            assert_eq!(room.figures().heaps, [1000, 0, 0]);
            assert_eq!(room.free(block), Hresult::S_OK);
            kept.wait();
        });
        assert_eq!(room.figures().heaps, [0; 3]);
    });
}
