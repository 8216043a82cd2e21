//! The runtime's side of the host's memory: blocks and pages by name.

use std::collections::BTreeMap;
use std::ffi::c_void;

use fiberhost::MemoryLimits;
use fiberhost::com::table::ICLRMemoryNotificationCallbackVtbl;
use fiberhost::com::{Hresult, RegionInfo};

use crate::call::{Answer, World, number};
use crate::object::{com, given};
use crate::runtime::{add_ref, query, release};
use crate::slots::told;

/// Its table; the object is one of the runtime's heads.
pub static NOTIFIED: ICLRMemoryNotificationCallbackVtbl = ICLRMemoryNotificationCallbackVtbl {
    QueryInterface: query,
    AddRef: add_ref,
    Release: release,
    OnMemoryNotification: notified,
};

/// What a script has by name: addresses.
pub type Blocks = BTreeMap<String, usize>;

unsafe extern "system" fn notified(_: *mut c_void, available: u32) -> Hresult {
    told(
        "ICLRMemoryNotificationCallback",
        "OnMemoryNotification",
        &[available.into()],
    )
}

fn pointer(address: usize) -> *mut c_void {
    std::ptr::with_exposed_provenance_mut(address)
}

/// A call about memory, if it is one.
pub fn call(world: &World, call: &str, arguments: &[&str]) -> Option<Answer> {
    let (memory, malloc) = (world.managers.memory, world.managers.malloc);
    let first = arguments.first().copied();
    let at = |at: usize| arguments.get(at).copied();
    let blocks = || world.blocks.lock().unwrap();
    let address = || match first.expect("a name").parse::<usize>() {
        Ok(number) => number,
        Err(_) => blocks()[first.expect("a name")],
    };
    let keep = |made: Result<crate::object::Object, Hresult>| match made {
        Ok(block) => {
            let name = first.expect("a name").to_owned();
            blocks().insert(name, block.get().expose_provenance());
            Answer::from(Hresult::S_OK)
        }
        Err(error) => error.into(),
    };
    Some(match call {
        "CreateMalloc" => {
            let kind = number(first);
            match given(|out| com!(memory, IHostMemoryManagerVtbl, CreateMalloc, kind, out)) {
                Ok(heap) => {
                    assert_eq!(heap.release(), 0);
                    Hresult::S_OK.into()
                }
                Err(error) => error.into(),
            }
        }
        "Alloc" => {
            let (size, level) = (number(at(1)), number(at(2)));
            keep(given(|out| {
                com!(malloc, IHostMallocVtbl, Alloc, size, level, out)
            }))
        }
        "DebugAlloc" => {
            let (size, level) = (number(at(1)), number(at(2)));
            let file = c"file.c".as_ptr().cast_mut();
            keep(given(|out| {
                com!(
                    malloc,
                    IHostMallocVtbl,
                    DebugAlloc,
                    size,
                    level,
                    file,
                    3,
                    out
                )
            }))
        }
        "Free" => com!(malloc, IHostMallocVtbl, Free, pointer(address())).into(),
        "VirtualAlloc" => {
            let (size, how, level) = (number(at(1)), number(at(2)), number(at(3)));
            let anywhere = std::ptr::null_mut();
            let memory_of = |out| {
                com!(
                    memory,
                    IHostMemoryManagerVtbl,
                    VirtualAlloc,
                    anywhere,
                    size,
                    how,
                    4,
                    level,
                    out
                )
            };
            keep(given(memory_of))
        }
        "VirtualFree" => {
            let (start, size, how) = (pointer(address()), number(at(1)), number(at(2)));
            com!(
                memory,
                IHostMemoryManagerVtbl,
                VirtualFree,
                start,
                size,
                how
            )
            .into()
        }
        "VirtualProtect" => {
            let (start, size, how) = (pointer(address()), number(at(1)), number(at(2)));
            let mut before = 0_u32;
            let place = &raw mut before;
            let result = com!(
                memory,
                IHostMemoryManagerVtbl,
                VirtualProtect,
                start,
                size,
                how,
                place
            );
            Answer {
                result,
                value: Some(before.into()),
            }
        }
        "VirtualQuery" => {
            let (mut info, mut written) = (RegionInfo::default(), 0_usize);
            let (place, length) = ((&raw mut info).cast(), size_of::<RegionInfo>());
            let start = pointer(address());
            let result = com!(
                memory,
                IHostMemoryManagerVtbl,
                VirtualQuery,
                start,
                place,
                length,
                &raw mut written
            );
            Answer {
                result,
                value: Some(info.state.into()),
            }
        }
        "GetMemoryLoad" => {
            let (mut load, mut available) = (u32::MAX, 0_usize);
            let places = (&raw mut load, &raw mut available);
            let result = com!(
                memory,
                IHostMemoryManagerVtbl,
                GetMemoryLoad,
                places.0,
                places.1
            );
            // How much that is depends on the machine.
            Answer {
                result,
                value: Some(i64::from(load <= 100)),
            }
        }
        "NeedsVirtualAddressSpace" => {
            let size = number(first);
            let start = pointer(0);
            com!(
                memory,
                IHostMemoryManagerVtbl,
                NeedsVirtualAddressSpace,
                start,
                size
            )
            .into()
        }
        "AcquiredVirtualAddressSpace" => {
            let (start, size) = (pointer(number(first)), number(at(1)));
            com!(
                memory,
                IHostMemoryManagerVtbl,
                AcquiredVirtualAddressSpace,
                start,
                size
            )
            .into()
        }
        "ReleasedVirtualAddressSpace" => {
            let start = pointer(number(first));
            com!(
                memory,
                IHostMemoryManagerVtbl,
                ReleasedVirtualAddressSpace,
                start
            )
            .into()
        }
        "LimitMemory" => {
            let limits = MemoryLimits {
                task: number(at(0)),
                app_domain: number(at(1)),
                process: number(at(2)),
                addresses: number(at(3)),
            };
            world.host.set_memory_limits(limits);
            Hresult::S_OK.into()
        }
        "MemoryInUse" => {
            let figures = world.host.memory_figures().expect("it is the host's");
            let used = figures.heaps.iter().sum::<usize>() + figures.committed;
            Answer {
                result: Hresult::S_OK,
                value: i64::try_from(used).ok(),
            }
        }
        _ => return None,
    })
}
