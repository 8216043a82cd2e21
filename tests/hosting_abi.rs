//! The binary interface as compiled is the one in `src/com/hosting-abi.json`, and in `src/com/ole-abi.json` for what that one
//! names only: every slot, identifier, size, offset and number.
//!
//! `src/com/constants.rs`, `src/com/table.rs` and `include/fiberhost.h` are made from them:
//! `FIBERHOST_MAKE=1 cargo test --test hosting_abi made` makes them anew.

#[path = "hosting_abi/generate.rs"]
mod generate;
#[path = "hosting_abi/header.rs"]
mod header;

use std::path::Path;

use fiberhost::com::describe::Interface;
use fiberhost::com::table::{INTERFACES, STRUCTURES};
use fiberhost::com::{self, ENUMERATIONS, Hresult};
use generate::{entries, hex, interfaces, items, text};
use serde_json::Value;

fn abi() -> Value {
    let read = |file: &str| -> Value {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let json = std::fs::read(path).expect("the interface's source");
        serde_json::from_slice(&json).expect("it is JSON")
    };
    let (mut all, ole) = (
        read("src/com/hosting-abi.json"),
        read("src/com/ole-abi.json"),
    );
    for group in ["hresults", "structs", "constants"] {
        let into = all[group].as_object_mut().expect("an object");
        for (name, value) in entries(&ole[group]) {
            let before = into.insert(name.clone(), value.clone());
            assert!(before.is_none(), "{name} is in both");
        }
    }
    let into = all["interfaces"].as_array_mut().expect("a list");
    into.extend(items(&ole["interfaces"]).iter().cloned());
    all
}

#[test]
fn what_is_made_from_the_source_is_up_to_date() {
    let abi = abi();
    for (file, made) in [
        ("src/com/constants.rs", generate::constants(&abi)),
        ("src/com/table.rs", generate::table(&abi)),
        ("include/fiberhost.h", header::header(&abi)),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        if std::env::var_os("FIBERHOST_MAKE").is_some() {
            std::fs::write(&path, &made).expect("the file can be written");
        }
        let there = std::fs::read_to_string(&path).expect("a file made from the source");
        assert!(there == made, "{file} is not what the source makes");
    }
}

#[test]
fn interfaces_have_their_identifiers_slots_and_parameters() {
    let abi = abi();
    let wanted = interfaces(&abi);
    assert_eq!(INTERFACES.len(), wanted.len());
    let mut slots = 0;
    for (made, wanted) in INTERFACES.iter().zip(&wanted) {
        assert_eq!(made.name, wanted.name);
        assert_eq!(made.iid.to_string(), wanted.iid, "{}", made.name);
        assert_eq!(made.base, wanted.base.as_deref(), "{}", made.name);
        assert_eq!(made.by_host, wanted.by_host, "{}", made.name);
        let pointer = size_of::<usize>();
        assert_eq!(made.size, wanted.methods.len() * pointer, "{}", made.name);
        assert_eq!(made.methods.len(), wanted.methods.len(), "{}", made.name);
        for (slot, (made_method, method)) in made.methods.iter().zip(&wanted.methods).enumerate() {
            let what = format!("{}::{}", made.name, method.name);
            assert_eq!(made_method.name, method.name, "{what}");
            assert_eq!(made_method.offset, slot * pointer, "{what}");
            let same = made_method
                .parameters
                .iter()
                .map(|parameter| (parameter.name, parameter.ctype, parameter.direction))
                .eq(method
                    .parameters
                    .iter()
                    .map(|parameter| (&*parameter.name, &*parameter.ctype, &*parameter.direction)));
            assert!(same, "{what}: {:?}", made_method.parameters);
            slots += 1;
        }
    }
    // The source's own count of slots, which leaves out `IUnknown` itself.
    let counted: u64 = items(&abi["interfaces"])
        .iter()
        .filter_map(|interface| interface["slot_count"].as_u64())
        .sum();
    assert_eq!(slots as u64, counted + 3, "all slots");
}

#[test]
fn structures_have_their_sizes_and_offsets() {
    let abi = abi();
    let (size, offset) = match size_of::<usize>() {
        8 => ("size64", "offset64"),
        _ => ("size32", "offset32"),
    };
    let wanted = entries(&abi["structs"]);
    assert_eq!(STRUCTURES.len(), wanted.len());
    for structure in STRUCTURES {
        let wanted = &wanted[structure.name];
        assert_eq!(wanted[size], structure.size, "{}", structure.name);
        let fields = items(&wanted["fields"]);
        assert_eq!(structure.fields.len(), fields.len(), "{}", structure.name);
        for (made, field) in structure.fields.iter().zip(fields) {
            assert_eq!(field["name"], made.name, "{}", structure.name);
            assert_eq!(
                field[offset], made.offset,
                "{}.{}",
                structure.name, made.name
            );
        }
    }
}

#[test]
fn enumerations_have_their_members() {
    let abi = abi();
    let wanted = entries(&abi["enums"]);
    assert_eq!(ENUMERATIONS.len(), wanted.len());
    for (name, members) in ENUMERATIONS {
        let wanted = entries(&wanted[*name]);
        assert_eq!(members.len(), wanted.len(), "{name}");
        for (member, value) in *members {
            assert_eq!(wanted[*member], *value, "{name}::{member}");
        }
    }
    // Some are asked by name as well, as programs do.
    assert_eq!(com::WAIT_OPTION::WAIT_NOTINDEADLOCK.0, 4);
    assert_eq!(com::ETaskType::TT_UNKNOWN.0, 0x8000_0000);
    assert_eq!(format!("{:?}", com::EPolicyAction(3)), "eRudeAbortThread");
}

#[test]
fn results_have_their_numbers() {
    let abi = abi();
    let wanted = entries(&abi["hresults"]);
    for (name, value) in wanted {
        let result = Hresult::from_bits(hex(value));
        let found = result.name().expect("a name");
        // Two names stand for one number; the first of them is shown.
        assert_eq!(hex(&wanted[found]), hex(value), "{name}");
    }
    assert_eq!(Hresult::HOST_E_CLRNOTAVAILABLE.bits(), 0x8013_1023);
    assert_eq!(Hresult::S_FALSE.bits(), 1);
}

#[test]
fn the_other_numbers_are_there() {
    let abi = abi();
    let constants = entries(&abi["constants"]);
    assert_eq!(com::INFINITE, hex(&constants["INFINITE"]));
    assert_eq!(
        com::SUSPENSION_ENDING_NOT_A_GC,
        hex(&constants["SUSPENSION_ENDING_NOT_A_GC"])
    );
    for (made, name) in [
        (com::CLSID_CLRRuntimeHost, "CLSID_CLRRuntimeHost"),
        (com::CLSID_CorRuntimeHost, "CLSID_CorRuntimeHost"),
    ] {
        assert_eq!(made.to_string(), text(&constants[name]));
    }
    let number = |group: &str, name: &str| constants[group][name].as_i64().expect("a number");
    for (made, group, name) in [
        (
            i64::from(com::THREAD_PRIORITY_IDLE),
            "THREAD_PRIORITY",
            "THREAD_PRIORITY_IDLE",
        ),
        (
            i64::from(com::THREAD_PRIORITY_LOWEST),
            "THREAD_PRIORITY",
            "THREAD_PRIORITY_LOWEST",
        ),
        (
            i64::from(com::THREAD_PRIORITY_BELOW_NORMAL),
            "THREAD_PRIORITY",
            "THREAD_PRIORITY_BELOW_NORMAL",
        ),
        (
            i64::from(com::THREAD_PRIORITY_NORMAL),
            "THREAD_PRIORITY",
            "THREAD_PRIORITY_NORMAL",
        ),
        (
            i64::from(com::THREAD_PRIORITY_ABOVE_NORMAL),
            "THREAD_PRIORITY",
            "THREAD_PRIORITY_ABOVE_NORMAL",
        ),
        (
            i64::from(com::THREAD_PRIORITY_HIGHEST),
            "THREAD_PRIORITY",
            "THREAD_PRIORITY_HIGHEST",
        ),
        (
            i64::from(com::THREAD_PRIORITY_TIME_CRITICAL),
            "THREAD_PRIORITY",
            "THREAD_PRIORITY_TIME_CRITICAL",
        ),
        (
            i64::from(com::THREAD_PRIORITY_ERROR_RETURN),
            "THREAD_PRIORITY",
            "THREAD_PRIORITY_ERROR_RETURN",
        ),
        (
            i64::from(com::QUEUE_ONLY),
            "QUEUE_USER_WORK_ITEM_FLAGS",
            "QUEUE_ONLY",
        ),
        (
            i64::from(com::CALL_OR_QUEUE),
            "QUEUE_USER_WORK_ITEM_FLAGS",
            "CALL_OR_QUEUE",
        ),
        (i64::from(com::MEM_COMMIT), "MEM", "MEM_COMMIT"),
        (i64::from(com::MEM_RESERVE), "MEM", "MEM_RESERVE"),
        (i64::from(com::MEM_DECOMMIT), "MEM", "MEM_DECOMMIT"),
        (i64::from(com::MEM_RELEASE), "MEM", "MEM_RELEASE"),
        (i64::from(com::PAGE_NOACCESS), "PAGE", "PAGE_NOACCESS"),
        (i64::from(com::PAGE_READONLY), "PAGE", "PAGE_READONLY"),
        (i64::from(com::PAGE_READWRITE), "PAGE", "PAGE_READWRITE"),
        (i64::from(com::PAGE_WRITECOPY), "PAGE", "PAGE_WRITECOPY"),
        (i64::from(com::PAGE_EXECUTE), "PAGE", "PAGE_EXECUTE"),
        (
            i64::from(com::PAGE_EXECUTE_READ),
            "PAGE",
            "PAGE_EXECUTE_READ",
        ),
        (
            i64::from(com::PAGE_EXECUTE_READWRITE),
            "PAGE",
            "PAGE_EXECUTE_READWRITE",
        ),
        (
            i64::from(com::PAGE_EXECUTE_WRITECOPY),
            "PAGE",
            "PAGE_EXECUTE_WRITECOPY",
        ),
        (
            i64::from(com::STARTUP_SINGLE_APPDOMAIN),
            "STARTUP_FLAGS_CORECLR_ONLY",
            "STARTUP_SINGLE_APPDOMAIN",
        ),
        (
            i64::from(com::STARTUP_APPX_APP_MODEL),
            "STARTUP_FLAGS_CORECLR_ONLY",
            "STARTUP_APPX_APP_MODEL",
        ),
        (
            i64::from(com::STARTUP_DISABLE_RANDOMIZED_STRING_HASHING),
            "STARTUP_FLAGS_CORECLR_ONLY",
            "STARTUP_DISABLE_RANDOMIZED_STRING_HASHING",
        ),
    ] {
        assert_eq!(made, number(group, name), "{name}");
    }
}

#[test]
fn documented_results_exist() {
    let abi = abi();
    let known = entries(&abi["hresults"]);
    for interface in interfaces(&abi) {
        for method in interface.methods {
            for result in method.documented {
                // The documentation names one that no header defines.
                let exists = known.contains_key(&result) || result == "E_CLR_ALREADY_STARTED";
                assert!(exists, "{}::{} {result}", interface.name, method.name);
            }
        }
    }
}

#[test]
fn an_interface_is_found_by_its_name() {
    assert!(Interface::named("IHostTask").is_some_and(|interface| interface.by_host));
    assert!(Interface::named("IHostNothing").is_none());
}
