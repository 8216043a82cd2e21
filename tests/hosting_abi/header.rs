//! From `src/com/hosting-abi.json`, `src/com/ole-abi.json` and `src/capi` to `include/fiberhost.h`.

use std::fmt::Write;
use std::path::Path;

use serde_json::Value;

use crate::generate::{entries, hex, interfaces, items, text};

const HEAD: &str = r#"/*
 * fiberhost: a user-mode task scheduler that hosts a managed runtime.
 *
 * Made from src/capi, src/com/hosting-abi.json and src/com/ole-abi.json by tests/hosting_abi.rs; not to be changed by hand.
 *
 * First the functions of the library, then the hosting interfaces as a runtime sees them. A program that has the latter
 * from elsewhere (mscoree.h) defines FIBERHOST_NO_INTERFACES before it includes this.
 *
 * Functions answer a code: 0, or how a wait ended (above 0), or an error (below 0); fiberhost_code_text() and
 * fiberhost_last_error() have words for it. Times are in nanoseconds.
 */
#ifndef FIBERHOST_H
#define FIBERHOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct IHostControl IHostControl;

"#;

const AFTER: &str = r#"
/* The beginning of options: FIBERHOST_OPTIONS_INIT says by what header the program was compiled. */
#ifdef __cplusplus
#define FIBERHOST_OPTIONS_INIT fiberhost_options{sizeof(fiberhost_options), FIBERHOST_VERSION, 0, NULL, 0, 0, 0, 0, 0, NULL, 0, 0, 0}
#else
#define FIBERHOST_OPTIONS_INIT {.size = sizeof(fiberhost_options), .version = FIBERHOST_VERSION}
#endif

"#;

/// What the interfaces are written with. An enumeration is a number of 32 bits, as it is on the other side.
const TYPES: &str = r#"/* The hosting interfaces. */
#ifndef FIBERHOST_NO_INTERFACES

typedef struct GUID {
    uint32_t Data1;
    uint16_t Data2;
    uint16_t Data3;
    uint8_t Data4[8];
} GUID;

typedef const GUID *REFIID;
typedef uint8_t BYTE;
typedef int32_t BOOL;
typedef int32_t LONG;
typedef int64_t LONGLONG;
typedef uint32_t ULONG;
typedef uint32_t DWORD;
typedef uint64_t ULONGLONG;
typedef uint64_t UINT64;
typedef size_t SIZE_T;
typedef intptr_t INT_PTR;
typedef uintptr_t UINT_PTR;
typedef int32_t HRESULT;
typedef void *HANDLE;
typedef void *HMODULE;
typedef void *HDOMAINENUM;
typedef void *LPVOID;
typedef void *PVOID;
typedef void *PACL;
/* One unit of UTF-16. */
typedef uint16_t WCHAR;
typedef const WCHAR *LPCWSTR;
typedef WCHAR *LPWSTR;
typedef uint32_t LCID;
typedef uint64_t TASKID;
typedef uint32_t CONNID;
typedef void *LPOVERLAPPED_COMPLETION_ROUTINE;
typedef uint32_t (*LPTHREAD_START_ROUTINE)(void *argument);
typedef void (*WAITORTIMERCALLBACK)(void *argument, BOOL timed_out);
typedef HRESULT (*FExecuteInAppDomainCallback)(void *argument);
typedef struct EXCEPTION_POINTERS EXCEPTION_POINTERS;
typedef struct IActivationFactory IActivationFactory;

"#;

const TAIL: &str = r"#endif /* FIBERHOST_NO_INTERFACES */

#ifdef __cplusplus
}
#endif

#endif /* FIBERHOST_H */
";

/// The whole header.
pub(crate) fn header(abi: &Value) -> String {
    let mut out = HEAD.to_owned();
    out += &functions();
    out += AFTER;
    out += TYPES;
    numbers(&mut out, abi);
    let interfaces = interfaces(abi);
    for interface in &interfaces {
        // The first is declared above already.
        if interface.name != "IHostControl" {
            let name = &interface.name;
            writeln!(out, "typedef struct {name} {name};").unwrap();
        }
    }
    out.push('\n');
    structures(&mut out, abi);
    for interface in &interfaces {
        identifier(&mut out, &interface.name, &interface.iid);
        table(&mut out, interface);
    }
    out += TAIL;
    // What a compiler does not see and a reader trips over.
    let lines: Vec<&str> = out.lines().map(str::trim_end).collect();
    lines.join("\n") + "\n"
}

/// The library's own part, by cbindgen from the Rust functions, so that the two cannot differ.
fn functions() -> String {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut config = cbindgen::Config {
        language: cbindgen::Language::C,
        no_includes: true,
        cpp_compat: false,
        documentation_style: cbindgen::DocumentationStyle::C,
        style: cbindgen::Style::Both,
        line_length: 110,
        tab_width: 4,
        usize_is_size_t: true,
        ..cbindgen::Config::default()
    };
    config.export.exclude.push("IHostControl".to_owned());
    config
        .export
        .rename
        .insert("Code".to_owned(), "fiberhost_code".to_owned());
    let mut builder = cbindgen::Builder::new().with_config(config);
    for file in [
        "capi",
        "capi/code",
        "capi/host",
        "capi/io",
        "capi/security",
        "capi/task",
        "capi/sync",
        "capi/native",
    ] {
        builder = builder.with_src(sources.join(file).with_extension("rs"));
    }
    let bindings = builder.generate().expect("cbindgen reads our functions");
    let mut bytes = Vec::new();
    bindings.write(&mut bytes);
    let made = String::from_utf8(bytes).expect("cbindgen writes UTF-8");
    // What callers owe is a heading of Rust's documentation; in C it is a sentence.
    tidy(&made.replace(" # Safety\n", " The caller owes:\n"))
}

/// Comments of one line on one line, and the lines of longer ones with a star.
fn tidy(made: &str) -> String {
    let mut out = String::new();
    let mut lines = made.lines().peekable();
    while let Some(line) = lines.next() {
        let indent = &line[..line.len() - line.trim_start().len()];
        if line.trim() != "/*" {
            writeln!(out, "{line}").unwrap();
            continue;
        }
        let comment: Vec<&str> = lines
            .by_ref()
            .map(str::trim)
            .take_while(|line| *line != "*/")
            .collect();
        match &comment[..] {
            [only] => writeln!(out, "{indent}/* {only} */").unwrap(),
            several => {
                writeln!(out, "{indent}/*").unwrap();
                for line in several {
                    writeln!(out, "{indent} * {line}").unwrap();
                }
                writeln!(out, "{indent} */").unwrap();
            }
        }
    }
    out
}

fn numbers(out: &mut String, abi: &Value) {
    for (name, value) in entries(&abi["hresults"]) {
        writeln!(out, "#define {name} ((HRESULT){:#010x})", hex(value)).unwrap();
    }
    out.push('\n');
    for (name, members) in entries(&abi["enums"]) {
        writeln!(out, "typedef uint32_t {name};").unwrap();
        let mut members: Vec<(&String, &Value)> = entries(members).iter().collect();
        members.sort_by_key(|(_, value)| value.as_u64());
        for (member, value) in members {
            writeln!(out, "#define {member} (({name}){value}u)").unwrap();
        }
        out.push('\n');
    }
    for (name, value) in entries(&abi["constants"]) {
        constant(out, name, value);
    }
    out.push('\n');
}

fn constant(out: &mut String, name: &str, value: &Value) {
    match value {
        Value::Object(members) => {
            for (member, value) in members {
                writeln!(out, "#define {member} ({value})").unwrap();
            }
        }
        Value::String(text) if text.starts_with("0x") => {
            writeln!(out, "#define {name} {:#x}u", hex(value)).unwrap();
        }
        Value::String(text) => guid(out, name, text),
        // Two words that leave a limit as it is: 0 and all ones.
        _ => {}
    }
}

fn identifier(out: &mut String, interface: &str, iid: &str) {
    guid(out, &format!("IID_{interface}"), iid);
}

/// Static, so that no library has to have it; unused ones cost nothing.
fn guid(out: &mut String, name: &str, text: &str) {
    let parts: Vec<&str> = text.split('-').collect();
    let last: Vec<String> = format!("{}{}", parts[3], parts[4])
        .as_bytes()
        .chunks(2)
        .map(|pair| format!("0x{}", std::str::from_utf8(pair).expect("digits")))
        .collect();
    writeln!(
        out,
        "#if defined(__GNUC__)\n__attribute__((unused))\n#endif\nstatic const GUID {name} = {{0x{}, 0x{}, 0x{}, {{{}}}}};\n",
        parts[0],
        parts[1],
        parts[2],
        last.join(", ")
    )
    .unwrap();
}

/// A declaration: arrays have their lengths behind the name.
fn declare(ctype: &str, name: &str) -> String {
    let ctype = ctype
        .replace("BucketParamLength", "255")
        .replace("BucketParamsCount", "10");
    let name = safe(name);
    match ctype.split_once('[') {
        Some((element, lengths)) => format!("{} {name}[{lengths}", ctype_of(element)),
        None => {
            let (pointee, stars) = ctype.split_at(ctype.find('*').unwrap_or(ctype.len()));
            let space = " ";
            format!("{}{space}{stars}{name}", ctype_of(pointee))
        }
    }
}

/// `wchar_t` has 16 bits there, whatever it has here.
fn ctype_of(ctype: &str) -> &str {
    match ctype {
        "wchar_t" => "WCHAR",
        other => other,
    }
}

/// C++ has words of its own.
fn safe(name: &str) -> &str {
    match name {
        "this" => "self",
        "operator" => "operator_",
        "new" => "new_",
        "delete" => "delete_",
        "class" => "class_",
        "template" => "template_",
        "namespace" => "namespace_",
        "private" => "private_",
        "public" => "public_",
        "default" => "default_",
        other => other,
    }
}

fn structures(out: &mut String, abi: &Value) {
    for (name, structure) in entries(&abi["structs"]) {
        writeln!(out, "typedef struct {name} {{").unwrap();
        for field in items(&structure["fields"]) {
            let declared = declare(text(&field["ctype"]), text(&field["name"]));
            writeln!(out, "    {declared};").unwrap();
        }
        writeln!(out, "}} {name};\n").unwrap();
    }
}

/// The table, the object that begins with a pointer to it, and a function for each call.
fn table(out: &mut String, interface: &crate::generate::Interface) {
    let name = &interface.name;
    writeln!(out, "typedef struct {name}Vtbl {{").unwrap();
    for method in &interface.methods {
        let parameters: String = method
            .parameters
            .iter()
            .map(|parameter| format!(", {}", declare(&parameter.ctype, &parameter.name)))
            .collect();
        writeln!(
            out,
            "    {} (*{})({name} *self{parameters});",
            method.returns, method.name
        )
        .unwrap();
    }
    writeln!(
        out,
        "}} {name}Vtbl;\n\nstruct {name} {{\n    const {name}Vtbl *lpVtbl;\n}};\n"
    )
    .unwrap();
    for method in &interface.methods {
        let (mut parameters, mut arguments) = (String::new(), String::new());
        for parameter in &method.parameters {
            write!(
                parameters,
                ", {}",
                declare(&parameter.ctype, &parameter.name)
            )
            .unwrap();
            write!(arguments, ", {}", safe(&parameter.name)).unwrap();
        }
        let (returns, method) = (&method.returns, &method.name);
        writeln!(
            out,
            "static inline {returns} {name}_{method}({name} *self{parameters}) {{ return self->lpVtbl->{method}(self{arguments}); }}"
        )
        .unwrap();
    }
    out.push('\n');
}
