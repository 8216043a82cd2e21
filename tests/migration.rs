//! A task that has changed threads is told the right one: in an executable and in a shared library, with LTO.
//!
//! The twin reads a thread-local in line, as one should not; what it gets wrong shows that the tasks really moved
//! and that the compiler really keeps such addresses.

mod common;

use std::ffi::{CString, c_void};
use std::path::Path;
use std::process::Command;

use common::cargo::build_library;

/// As in the library.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Migrations {
    moves: u64,
    wrong: u64,
    naive_wrong: u64,
}

fn check(what: &str, found: Migrations) {
    println!("{what}: {found:?}");
    assert!(
        found.moves > 500,
        "{what}: the tasks hardly moved: {found:?}"
    );
    assert_eq!(
        found.wrong, 0,
        "{what}: the scheduler named the wrong worker: {found:?}"
    );
}

#[test]
fn a_moved_task_is_told_its_new_thread() {
    // An executable beside the library.
    let built = build_library("lto-tests", &["--profile", "lto"]).join("lto");

    let output = Command::new(built.join("fiberhost-migration"))
        .output()
        .expect("the executable runs");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("numbers");
    let numbers: Vec<u64> = text
        .split_whitespace()
        .map(|number| number.parse().expect("a number"))
        .collect();
    let [moves, wrong, naive_wrong] = numbers[..] else {
        panic!("three numbers, not {text:?}")
    };
    check(
        "executable",
        Migrations {
            moves,
            wrong,
            naive_wrong,
        },
    );

    let found = call_library(&built.join("libfiberhost_cdylib.so"));
    check("shared library", found);
    assert!(
        found.naive_wrong > 0,
        "the twin must be caught, or this test could not fail"
    );
}

fn call_library(path: &Path) -> Migrations {
    let path = CString::new(path.to_str().expect("a path of ours is text")).expect("no zero byte");
    // SAFETY: loads our own library, whose initialisers do nothing; it is never unloaded.
    let library: *mut c_void = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
    assert!(!library.is_null(), "the library loads");
    // SAFETY: the library is loaded and the name ends with a zero.
    let entry = unsafe { libc::dlsym(library, c"fiberhost_cdylib_migrations".as_ptr()) };
    assert!(!entry.is_null(), "the library has its entry point");
    // SAFETY: the entry point has this signature.
    let entry: extern "C" fn(u64, u64) -> Migrations = unsafe { std::mem::transmute(entry) };
    entry(50, 5_000)
}
