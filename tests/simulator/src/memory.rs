//! Calls of a script for memory of the host's: heaps, pages, and what a runtime says of addresses.
//!
//! Blocks and ranges of pages have names; `null` is none, and `foreign` an address that is nobody's to give back.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::Mutex;

use fiberhost::com::table::ICLRMemoryNotificationCallbackVtbl;
use fiberhost::com::{
    Hresult, MEM_COMMIT, MEM_DECOMMIT, MEM_RELEASE, MEM_RESERVE, PAGE_NOACCESS, PAGE_READONLY,
    PAGE_READWRITE, RegionInfo,
};

use crate::call::{Answer, World, number};
use crate::object::{Object, com};
use crate::runtime::{Head, add_ref, query, release};
use crate::slots::told;

/// The runtime's, which is told when memory gets scarce.
pub(crate) static CALLBACK: ICLRMemoryNotificationCallbackVtbl =
    ICLRMemoryNotificationCallbackVtbl {
        QueryInterface: query,
        AddRef: add_ref,
        Release: release,
        OnMemoryNotification: on_notification,
    };

unsafe extern "system" fn on_notification(_: *mut c_void, available: u32) -> Hresult {
    told(
        "ICLRMemoryNotificationCallback",
        "OnMemoryNotification",
        &[available.into()],
    )
}

/// Addresses by name.
#[derive(Debug, Default)]
pub struct Places(Mutex<BTreeMap<String, usize>>);

impl Places {
    fn put(&self, name: &str, address: usize) {
        self.0.lock().unwrap().insert(name.to_owned(), address);
    }

    /// The address of that name.
    ///
    /// # Panics
    /// If there is none.
    fn get(&self, name: &str) -> *mut c_void {
        match name {
            "null" => null_mut(),
            // It is aligned, and nothing of the host's lies before it.
            "foreign" => (&raw const FOREIGN.0[8]).cast_mut().cast(),
            name => {
                let places = self.0.lock().unwrap();
                let address = places
                    .get(name)
                    .unwrap_or_else(|| panic!("no place: {name}"));
                std::ptr::with_exposed_provenance_mut(*address)
            }
        }
    }
}

struct Foreign([u128; 16]);

static FOREIGN: Foreign = Foreign([0; 16]);

/// `task`, `domain` or `process`: what a refusal costs.
fn level(word: &str) -> u32 {
    match word {
        "task" => 0,
        "domain" => 1,
        "process" => 2,
        other => number(Some(other)),
    }
}

fn how(word: &str) -> u32 {
    match word {
        "reserve" => MEM_RESERVE,
        "commit" => MEM_COMMIT,
        "both" => MEM_RESERVE | MEM_COMMIT,
        "decommit" => MEM_DECOMMIT,
        "release" => MEM_RELEASE,
        other => panic!("no way: {other}"),
    }
}

fn protection(word: &str) -> u32 {
    match word {
        "none" => PAGE_NOACCESS,
        "read" => PAGE_READONLY,
        "write" => PAGE_READWRITE,
        other => panic!("no protection: {other}"),
    }
}

fn with_place(world: &World, name: &str, call: impl FnOnce(*mut *mut c_void) -> Hresult) -> Answer {
    let mut found = std::ptr::without_provenance_mut(1);
    let result = call(&raw mut found);
    assert_eq!(result != Hresult::S_OK, found.is_null(), "{result:?}");
    if result == Hresult::S_OK {
        world.places.put(name, found.expose_provenance());
    }
    result.into()
}

/// What is there is ours: so many bytes can be written and read.
fn use_it(at: *mut c_void, size: usize) {
    let bytes = at.cast::<u8>();
    for offset in [0, size / 2, size.saturating_sub(1)] {
        if offset < size {
            // SAFETY: the host has just given so many bytes, and nobody else uses them.
            unsafe {
                bytes.add(offset).write_volatile(0xa5);
                assert_eq!(bytes.add(offset).read_volatile(), 0xa5);
            }
        }
    }
}

/// `IHostMalloc`.
pub(crate) fn on_heap(world: &World, heap: Object, method: &str, arguments: &[&str]) -> Answer {
    match (method, arguments) {
        ("Alloc", [name, size, critical]) => {
            let (size, critical) = (number(Some(size)), level(critical));
            let answer = with_place(world, name, |out| {
                com!(heap, IHostMallocVtbl, Alloc, size, critical, out)
            });
            used(world, name, size, answer)
        }
        ("DebugAlloc", [name, size, critical]) => {
            let (size, critical) = (number(Some(size)), level(critical));
            let file = c"script".as_ptr().cast_mut();
            let answer = with_place(world, name, |out| {
                com!(
                    heap,
                    IHostMallocVtbl,
                    DebugAlloc,
                    size,
                    critical,
                    file,
                    1,
                    out
                )
            });
            used(world, name, size, answer)
        }
        ("Free", [name]) => com!(heap, IHostMallocVtbl, Free, world.places.get(name)).into(),
        _ => panic!("a heap has no {method} like this"),
    }
}

fn used(world: &World, name: &str, size: usize, answer: Answer) -> Answer {
    if answer.result == Hresult::S_OK {
        use_it(world.places.get(name), size);
    }
    answer
}

/// `IHostMemoryManager`, but for the making of heaps, and what the host's account says.
pub(crate) fn on_manager(world: &World, call: &str, arguments: &[&str]) -> Option<Answer> {
    let figures = || {
        let figures = world.host.memory_figures();
        figures.expect("the script is given memory")
    };
    let value = |value: usize| Answer {
        result: Hresult::S_OK,
        value: i64::try_from(value).ok(),
    };
    match call {
        "HeapBytes" => return Some(value(figures().heaps.iter().sum())),
        "Committed" => return Some(value(figures().committed)),
        "Reserved" => return Some(value(figures().reserved)),
        "Acquired" => return Some(value(figures().acquired)),
        "RefusedRequests" => {
            let refused: u64 = figures().refused.iter().sum();
            return Some(value(usize::try_from(refused).expect("it fits")));
        }
        _ => {}
    }
    let memory = world.managers.memory?;
    Some(match (call, arguments) {
        ("VirtualAlloc", [name, size, way, access, critical]) => {
            let size = number(Some(size));
            let (way, access, critical) = (how(way), protection(access), level(critical));
            // What is there already is committed; otherwise it is wherever the host likes.
            let start = match way {
                MEM_COMMIT => world.places.get(name),
                _ => null_mut(),
            };
            let answer = with_place(world, name, |out| {
                com!(
                    memory,
                    IHostMemoryManagerVtbl,
                    VirtualAlloc,
                    start,
                    size,
                    way,
                    access,
                    critical,
                    out
                )
            });
            if way & MEM_COMMIT != 0 && access == PAGE_READWRITE {
                used(world, name, size, answer)
            } else {
                answer
            }
        }
        ("VirtualFree", [name, size, way]) => {
            let (at, size) = (world.places.get(name), number(Some(size)));
            com!(
                memory,
                IHostMemoryManagerVtbl,
                VirtualFree,
                at,
                size,
                how(way)
            )
            .into()
        }
        ("VirtualProtect", [name, size, access]) => {
            let (at, size) = (world.places.get(name), number(Some(size)));
            let mut before = 0;
            let place = &raw mut before;
            let access = protection(access);
            let result = com!(
                memory,
                IHostMemoryManagerVtbl,
                VirtualProtect,
                at,
                size,
                access,
                place
            );
            Answer {
                result,
                value: Some(before.into()),
            }
        }
        ("VirtualQuery", [name]) => {
            let mut info = RegionInfo::default();
            let mut written = 0;
            let (place, size) = ((&raw mut info).cast(), size_of::<RegionInfo>());
            let at = world.places.get(name);
            let out = &raw mut written;
            let result = com!(
                memory,
                IHostMemoryManagerVtbl,
                VirtualQuery,
                at,
                place,
                size,
                out
            );
            assert_eq!(written, size);
            Answer {
                result,
                value: Some(info.state.into()),
            }
        }
        // How much is available: less than the limit, if that is what there is.
        ("GetMemoryLoad", []) => {
            let (mut load, mut available) = (u32::MAX, usize::MAX);
            let (first, second) = (&raw mut load, &raw mut available);
            let result = com!(memory, IHostMemoryManagerVtbl, GetMemoryLoad, first, second);
            assert!(load <= 100, "in percent");
            Answer {
                result,
                value: i64::try_from(available).ok(),
            }
        }
        ("RegisterMemoryNotificationCallback", []) => {
            let callback = std::ptr::from_ref::<Head>(world.memory_callback);
            com!(
                memory,
                IHostMemoryManagerVtbl,
                RegisterMemoryNotificationCallback,
                callback.cast_mut().cast()
            )
            .into()
        }
        ("NeedsVirtualAddressSpace", [size]) => {
            let size = number(Some(size));
            com!(
                memory,
                IHostMemoryManagerVtbl,
                NeedsVirtualAddressSpace,
                null_mut(),
                size
            )
            .into()
        }
        ("AcquiredVirtualAddressSpace", [name, size]) => {
            let (at, size) = (world.places.get(name), number(Some(size)));
            com!(
                memory,
                IHostMemoryManagerVtbl,
                AcquiredVirtualAddressSpace,
                at,
                size
            )
            .into()
        }
        ("ReleasedVirtualAddressSpace", [name]) => {
            let at = world.places.get(name);
            com!(
                memory,
                IHostMemoryManagerVtbl,
                ReleasedVirtualAddressSpace,
                at
            )
            .into()
        }
        _ => return None,
    })
}
