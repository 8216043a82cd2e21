//! From `src/com/hosting-abi.json` and `src/com/ole-abi.json` to `src/com/constants.rs` and `src/com/table.rs`.

use std::fmt::Write;

use serde_json::{Map, Value};

const HEAD: &str = "// Made from `hosting-abi.json` and `ole-abi.json` by `tests/hosting_abi.rs`, which also says how to make it anew.\n\
                    // Not to be changed by hand.\n\n";

/// One interface with all its methods in the order of their slots.
pub(crate) struct Interface {
    pub(crate) name: String,
    pub(crate) iid: String,
    pub(crate) base: Option<String>,
    pub(crate) by_host: bool,
    pub(crate) methods: Vec<Method>,
}

pub(crate) struct Method {
    pub(crate) name: String,
    pub(crate) returns: String,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) documented: Vec<String>,
}

pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) ctype: String,
    pub(crate) direction: String,
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

pub(crate) fn entries(value: &Value) -> &Map<String, Value> {
    value.as_object().expect("an object")
}

pub(crate) fn items(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

/// A hexadecimal number as the JSON writes it.
pub(crate) fn hex(value: &Value) -> u32 {
    let digits = text(value)
        .strip_prefix("0x")
        .expect("a hexadecimal number");
    u32::from_str_radix(digits, 16).expect("32 bits")
}

fn method(value: &Value) -> Method {
    let parameters = items(&value["params"]).iter().map(|parameter| Parameter {
        name: text(&parameter["name"]).to_owned(),
        ctype: text(&parameter["ctype"]).to_owned(),
        direction: text(&parameter["dir"]).to_owned(),
    });
    let documented = value
        .get("hresults_documented")
        .map_or(&[][..], |list| items(list));
    Method {
        name: text(&value["name"]).to_owned(),
        returns: text(&value["returns"]).to_owned(),
        parameters: parameters.collect(),
        documented: documented
            .iter()
            .map(|name| text(name).to_owned())
            .collect(),
    }
}

/// All interfaces; the methods of `IUnknown` come first in each. The slots of the JSON are checked on the way.
pub(crate) fn interfaces(abi: &Value) -> Vec<Interface> {
    let list = items(&abi["interfaces"]);
    let unknown = items(&list[0]["methods"]);
    assert_eq!(text(&list[0]["name"]), "IUnknown");
    list.iter()
        .map(|interface| {
            let inherited = if interface["base"].is_null() {
                &[]
            } else {
                unknown
            };
            let all: Vec<&Value> = inherited
                .iter()
                .chain(items(&interface["methods"]))
                .collect();
            for (slot, method) in all.iter().enumerate() {
                assert_eq!(
                    method["slot"], slot,
                    "{} {}",
                    interface["name"], method["name"]
                );
            }
            let by = text(&interface["implemented_by"]);
            Interface {
                name: text(&interface["name"]).to_owned(),
                iid: text(&interface["iid"]).to_owned(),
                base: interface["base"].as_str().map(str::to_owned),
                by_host: by == "host",
                methods: all.into_iter().map(method).collect(),
            }
        })
        .collect()
}

/// What a C type of the JSON is in Rust.
fn rust_type(abi: &Value, ctype: &str) -> String {
    let enums = entries(&abi["enums"]);
    let structs = entries(&abi["structs"]);
    let known = match ctype {
        "DWORD" | "ULONG" | "LCID" | "CONNID" => "u32",
        "LONG" | "int" | "BOOL" => "i32",
        "LONGLONG" => "i64",
        "GUID" => "Guid",
        "HRESULT" => "Hresult",
        "SIZE_T" | "UINT_PTR" => "usize",
        "INT_PTR" => "isize",
        "UINT64" | "ULONGLONG" | "TASKID" => "u64",
        "BYTE" => "u8",
        "char" => "c_char",
        "WCHAR" | "wchar_t" => "u16",
        "void" => "c_void",
        "HANDLE"
        | "LPVOID"
        | "PVOID"
        | "HDOMAINENUM"
        | "HMODULE"
        | "PACL"
        | "LPOVERLAPPED_COMPLETION_ROUTINE" => "*mut c_void",
        "LPCWSTR" => "*const u16",
        "LPWSTR" => "*mut u16",
        "REFIID" => "*const Guid",
        "LPTHREAD_START_ROUTINE" => "Option<ThreadStartRoutine>",
        "WAITORTIMERCALLBACK" => "Option<WaitOrTimerCallback>",
        "FExecuteInAppDomainCallback" => "Option<ExecuteInAppDomainCallback>",
        // Behind a pointer only.
        "EXCEPTION_POINTERS" | "IActivationFactory" => "c_void",
        _ => "",
    };
    if !known.is_empty() {
        return known.to_owned();
    }
    if let Some(pointee) = ctype.strip_suffix('*') {
        return format!("*mut {}", rust_type(abi, pointee));
    }
    if let Some((element, length)) = ctype.split_once('[') {
        let (length, rest) = length.split_once(']').expect("a closed bracket");
        let length = match length {
            "BucketParamLength" => "255",
            "BucketParamsCount" => "10",
            length => length,
        };
        let element = rust_type(abi, &format!("{element}{rest}"));
        return format!("[{element}; {length}]");
    }
    if enums.contains_key(ctype) {
        return "u32".to_owned();
    }
    if structs.contains_key(ctype) {
        return ctype.to_owned();
    }
    if items(&abi["interfaces"])
        .iter()
        .any(|interface| interface["name"] == ctype)
    {
        return "c_void".to_owned();
    }
    panic!("unknown type {ctype}");
}

/// Rust has a word that C has not.
fn field_name(name: &str) -> &str {
    match name {
        "type" => "r#type",
        name => name,
    }
}

/// HRESULTs, enumerations and the other numbers.
pub(crate) fn constants(abi: &Value) -> String {
    let mut out = HEAD.to_owned();
    out += "use super::enumeration;\nuse super::guid::Guid;\nuse super::hresult::Hresult;\n\n";
    out += "impl Hresult {\n";
    for (name, value) in entries(&abi["hresults"]) {
        writeln!(
            out,
            "    pub const {name}: Hresult = Hresult::from_bits({:#010x});",
            hex(value)
        )
        .unwrap();
    }
    out += "}\n\npub(crate) static HRESULTS: &[(&str, Hresult)] = &[\n";
    // Where two names stand for one number, the general one comes first.
    let (special, general): (Vec<_>, Vec<_>) = entries(&abi["hresults"])
        .keys()
        .partition(|name| name.starts_with("COR_"));
    for name in general.iter().chain(&special) {
        writeln!(out, "    (\"{name}\", Hresult::{name}),").unwrap();
    }
    out += "];\n\n";
    for (name, members) in entries(&abi["enums"]) {
        let mut members: Vec<(&String, &Value)> = entries(members).iter().collect();
        members.sort_by_key(|(_, value)| value.as_u64());
        let list: Vec<String> = members
            .iter()
            .map(|(name, value)| format!("{name} = {value}"))
            .collect();
        writeln!(out, "enumeration! {{ {name} {{ {} }} }}", list.join(", ")).unwrap();
    }
    out += "\npub static ENUMERATIONS: &[(&str, &[(&str, u32)])] = &[\n";
    for name in entries(&abi["enums"]).keys() {
        writeln!(out, "    (\"{name}\", {name}::MEMBERS),").unwrap();
    }
    out += "];\n\n";
    for (name, value) in entries(&abi["constants"]) {
        constant(&mut out, name, value);
    }
    out
}

fn constant(out: &mut String, name: &str, value: &Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let of = if value.as_i64().is_some_and(|value| value < 0)
                    || name.starts_with("THREAD_PRIORITY")
                {
                    "i32"
                } else {
                    "u32"
                };
                writeln!(out, "pub const {name}: {of} = {value};").unwrap();
            }
        }
        Value::String(text) if text.starts_with("0x") => {
            writeln!(out, "pub const {name}: u32 = {:#x};", hex(value)).unwrap();
        }
        Value::String(text) => {
            writeln!(
                out,
                "pub const {name}: Guid = Guid::from_u128({});",
                digits(text)
            )
            .unwrap();
        }
        // The two values that leave a limit as it is: words, not numbers.
        Value::Array(_) => {
            writeln!(out, "pub const {name}: [u32; 2] = [0, u32::MAX];").unwrap();
        }
        other => panic!("constant {name}: {other}"),
    }
}

fn digits(iid: &str) -> String {
    format!("0x{}", iid.replace('-', "_").to_lowercase())
}

/// Structures, tables of functions, and the description of both.
pub(crate) fn table(abi: &Value) -> String {
    let mut out = HEAD.to_owned();
    out += "use std::ffi::{c_char, c_void};\nuse std::mem::{offset_of, size_of};\n\n";
    out += "use super::guid::Guid;\nuse super::hresult::Hresult;\n";
    out += "use super::describe::{Field, Interface, Method, Parameter, Structure};\n\n";
    out += "pub type ThreadStartRoutine = unsafe extern \"system\" fn(*mut c_void) -> u32;\n";
    out += "pub type WaitOrTimerCallback = unsafe extern \"system\" fn(*mut c_void, i32);\n";
    out += "pub type ExecuteInAppDomainCallback = unsafe extern \"system\" fn(*mut c_void) -> Hresult;\n\n";
    for (name, structure) in entries(&abi["structs"]) {
        writeln!(
            out,
            "#[derive(Clone, Copy)]\n#[repr(C)]\npub struct {name} {{"
        )
        .unwrap();
        for field in items(&structure["fields"]) {
            let (name, ctype) = (text(&field["name"]), text(&field["ctype"]));
            let name = field_name(name);
            writeln!(out, "    pub {name}: {},", rust_type(abi, ctype)).unwrap();
        }
        out += "}\n\n";
    }
    for interface in interfaces(abi) {
        vtable(&mut out, abi, &interface);
    }
    describe_structures(&mut out, abi);
    describe_interfaces(&mut out, abi);
    out
}

fn vtable(out: &mut String, abi: &Value, interface: &Interface) {
    let name = &interface.name;
    writeln!(
        out,
        "pub const IID_{name}: Guid = Guid::from_u128({});\n",
        digits(&interface.iid)
    )
    .unwrap();
    writeln!(
        out,
        "#[derive(Clone, Copy)]\n#[repr(C)]\npub struct {name}Vtbl {{"
    )
    .unwrap();
    for method in &interface.methods {
        let parameters: String = method
            .parameters
            .iter()
            .map(|parameter| format!(", {}: {}", parameter.name, rust_type(abi, &parameter.ctype)))
            .collect();
        let returns = rust_type(abi, &method.returns);
        let method = &method.name;
        writeln!(out, "    pub {method}: unsafe extern \"system\" fn(this: *mut c_void{parameters}) -> {returns},").unwrap();
    }
    out.push_str("}\n\n");
}

fn describe_structures(out: &mut String, abi: &Value) {
    out.push_str("pub static STRUCTURES: &[Structure] = &[\n");
    for (name, structure) in entries(&abi["structs"]) {
        writeln!(
            out,
            "    Structure {{ name: \"{name}\", size: size_of::<{name}>(), fields: &["
        )
        .unwrap();
        for field in items(&structure["fields"]) {
            let field = text(&field["name"]);
            writeln!(
                out,
                "        Field {{ name: \"{field}\", offset: offset_of!({name}, {}) }},",
                field_name(field)
            )
            .unwrap();
        }
        out.push_str("    ] },\n");
    }
    out.push_str("];\n\n");
}

fn describe_interfaces(out: &mut String, abi: &Value) {
    out.push_str("pub static INTERFACES: &[Interface] = &[\n");
    for Interface {
        name,
        base,
        by_host,
        methods,
        ..
    } in interfaces(abi)
    {
        let base = base.map_or("None".to_owned(), |base| format!("Some(\"{base}\")"));
        writeln!(
            out,
            "    Interface {{ name: \"{name}\", iid: IID_{name}, base: {base}, by_host: {by_host}, size: size_of::<{name}Vtbl>(), methods: &["
        )
        .unwrap();
        for method in &methods {
            let parameters: Vec<String> = method
                .parameters
                .iter()
                .map(|Parameter { name, ctype, direction }| {
                    format!("Parameter {{ name: \"{name}\", ctype: \"{ctype}\", direction: \"{direction}\" }}")
                })
                .collect();
            let method = &method.name;
            writeln!(
                out,
                "        Method {{ name: \"{method}\", offset: offset_of!({name}Vtbl, {method}), parameters: &[{}] }},",
                parameters.join(", ")
            )
            .unwrap();
        }
        out.push_str("    ] },\n");
    }
    out.push_str("];\n");
}
