//! The wrong calls: a wrong `this`, wrong arguments, unknown identifiers, and what only the method itself can tell to be wrong.

use std::ffi::c_void;

use fiberhost::com::describe::Interface;
use fiberhost::com::host::IMPLEMENTED;
use fiberhost::com::table::{self, INTERFACES};
use fiberhost::com::{Guid, Hresult};

use super::parameters::{Kind, Place, WORDS, kind, places};
use super::world::{Case, World};
use crate::hosting::Object;

pub(crate) unsafe extern "system" fn never(_: *mut c_void) -> u32 {
    unreachable!("nothing that is refused is called");
}

/// Calls a slot of the object's table with any `this`. On x86-64 each argument here is one word.
pub(crate) fn call(
    object: Object,
    slot: usize,
    this: *mut c_void,
    words: [usize; WORDS],
) -> Hresult {
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
pub(crate) fn wrong_this(world: &World<'_>) {
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
pub(crate) fn wrong_values(
    world: &World<'_>,
    kind: Kind,
    place: &Place,
) -> Vec<(String, usize, Hresult)> {
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

pub(crate) fn wrong_arguments(world: &World<'_>) {
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
pub(crate) fn unknown_identifiers(world: &World<'_>) {
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
pub(crate) fn wrong_numbers(world: &World<'_>) {
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

pub(crate) fn all_wrong(world: &World<'_>) {
    wrong_this(world);
    wrong_arguments(world);
    unknown_identifiers(world);
    wrong_numbers(world);
}
