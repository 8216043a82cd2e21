//! The interface for C, as C and C++ programs use it: the examples, and what bad input gets; under valgrind too.
//!
//! The installed library is built without flags, so that nothing here is of the other switch.
#![cfg(not(fiberhost_switch = "corosensei"))]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn run(command: &mut Command) -> Output {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn is_there(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        eprintln!("skipped: {program} is not installed");
    }
    found
}

/// The library below a prefix of its own, as `examples/c/install` puts it there. In a target directory of its own: the one of
/// the running tests is locked.
fn prefix() -> &'static Path {
    static PREFIX: OnceLock<PathBuf> = OnceLock::new();
    PREFIX.get_or_init(|| {
        let prefix = Path::new(env!("CARGO_TARGET_TMPDIR")).join("capi");
        run(Command::new(top().join("examples/c/install"))
            .arg(&prefix)
            .env("CARGO_TARGET_DIR", prefix.join("target"))
            .env_remove("RUSTFLAGS"));
        prefix
    })
}

/// Builds a program against the installed library, by what pkg-config would say.
fn build(compiler: &str, standard: &str, source: &str) -> PathBuf {
    let name = Path::new(source).file_stem().expect("a file's name");
    build_as(&name.to_string_lossy(), compiler, standard, source)
}

fn build_as(name: &str, compiler: &str, standard: &str, source: &str) -> PathBuf {
    let prefix = prefix();
    let program = prefix.join(name);
    run(Command::new(compiler)
        .args([standard, "-O1", "-g", "-Wall", "-Werror", "-o"])
        .arg(&program)
        .arg(top().join(source))
        .arg(format!("-I{}", prefix.join("include").display()))
        .arg(format!("-L{}", prefix.join("lib").display()))
        .arg(format!("-Wl,-rpath,{}", prefix.join("lib").display()))
        .args(["-lfiberhost", "-lpthread"]));
    program
}

fn says(program: &Path, wanted: &str) {
    let output = run(&mut Command::new(program));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains(wanted), "{}: {text}", program.display());
}

#[test]
fn a_minimal_host_in_c() {
    if is_there("gcc") {
        let program = build("gcc", "-std=c11", "examples/c/minimal.c");
        says(&program, "taken 1000, sum 125500");
    }
}

#[test]
fn a_host_in_c_plus_plus() {
    if is_there("g++") {
        says(
            &build("g++", "-std=c++17", "examples/c/raii.cpp"),
            "sum 5050\nthrown in a task\ncancelled\nwaited\n",
        );
        says(
            &build("g++", "-std=c++17", "examples/c/pool.cpp"),
            "jobs done 60",
        );
    }
}

#[test]
fn bad_input_gets_a_code_and_changes_nothing() {
    if is_there("gcc") {
        says(&build("gcc", "-std=c11", "tests/capi/bad.c"), "0 failures");
    }
}

#[test]
fn a_runtime_in_c_has_the_hosts_managers() {
    if is_there("gcc") {
        let program = build("gcc", "-std=c11", "tests/capi/transfers.c");
        says(&program, "0 failures");
    }
}

/// Runs a program under valgrind, which must find no misuse of memory and no leak.
fn under_valgrind(compiler: &str, standard: &str, source: &str) {
    if !is_there(compiler) || !is_there("valgrind") {
        return;
    }
    // A name of its own: another test may be building the same program.
    let stem = Path::new(source).file_stem().expect("a file's name");
    let name = format!("{}-under-valgrind", stem.to_string_lossy());
    let program = build_as(&name, compiler, standard, source);
    // It does not know our switch: what lies on a stack that was jumped to is "uninitialised" to it.
    run(Command::new("valgrind")
        .args([
            "-q",
            "--undef-value-errors=no",
            "--error-exitcode=9",
            "--leak-check=full",
            "--errors-for-leak-kinds=definite",
            "--show-leak-kinds=definite",
            "--fair-sched=yes",
        ])
        .arg(program));
}

#[test]
fn valgrind_finds_nothing_in_bad_input() {
    under_valgrind("gcc", "-std=c11", "tests/capi/bad.c");
}

#[test]
fn valgrind_finds_nothing_in_a_runtime() {
    under_valgrind("gcc", "-std=c11", "tests/capi/transfers.c");
}

#[test]
fn valgrind_finds_nothing_in_the_examples() {
    under_valgrind("gcc", "-std=c11", "examples/c/minimal.c");
    under_valgrind("g++", "-std=c++17", "examples/c/raii.cpp");
    under_valgrind("g++", "-std=c++17", "examples/c/pool.cpp");
}

/// What a program needs that is built by pkg-config is what is said there, and its version is the library's.
#[test]
fn pkg_config_finds_it() {
    if !is_there("gcc") || !is_there("pkg-config") {
        return;
    }
    let prefix = prefix();
    let ask = |what: &[&str]| {
        let path = prefix.join("lib/pkgconfig");
        let output = run(Command::new("pkg-config")
            .args(what)
            .arg("fiberhost")
            .env("PKG_CONFIG_PATH", path));
        String::from_utf8(output.stdout).expect("flags are text")
    };
    assert_eq!(ask(&["--modversion"]).trim(), env!("CARGO_PKG_VERSION"));
    let flags = ask(&["--cflags", "--libs"]);
    let program = prefix.join("by-pkg-config");
    run(Command::new("gcc")
        .args(["-std=c11", "-Wall", "-Werror", "-o"])
        .arg(&program)
        .arg(top().join("examples/c/minimal.c"))
        .args(flags.split_whitespace())
        .arg(format!("-Wl,-rpath,{}", prefix.join("lib").display())));
    says(&program, "taken 1000, sum 125500");
}

/// The examples by their Makefile, one of them with the static library.
#[test]
fn make_builds_and_runs_them() {
    if !is_there("gcc") || !is_there("g++") || !is_there("make") {
        return;
    }
    let prefix = prefix();
    let output = run(Command::new("make")
        .arg("-C")
        .arg(top().join("examples/c"))
        .arg("run")
        .arg(format!("OUT={}", prefix.join("by-make").display()))
        .env("CARGO_TARGET_DIR", prefix.join("target"))
        .env_remove("RUSTFLAGS")
        .env_remove("MAKEFLAGS"));
    let text = String::from_utf8_lossy(&output.stdout);
    let minimal = text.matches("taken 1000, sum 125500").count();
    assert_eq!(minimal, 2, "with the shared and the static library: {text}");
    for wanted in ["sum 5050", "jobs done 60"] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
}

#[test]
fn cmake_finds_it() {
    if is_there("cmake") && is_there("g++") {
        let prefix = prefix();
        let build = prefix.join("cmake-build");
        run(Command::new("cmake")
            .arg("-S")
            .arg(top().join("examples/c"))
            .arg("-B")
            .arg(&build)
            .arg(format!("-DCMAKE_PREFIX_PATH={}", prefix.display())));
        run(Command::new("cmake").arg("--build").arg(&build));
        says(&build.join("raii"), "sum 5050");
    }
}

/// A section of a C program costs at most 1.2 times one in Rust, through the shared library as it is installed: both are counted
/// by valgrind. What the loop and the calls' way into the library cost is in it.
#[test]
fn a_pair_through_the_shared_library_costs_little_more_than_one_in_rust() {
    const FEW: u64 = 2_000;
    const MANY: u64 = 42_000;
    if !is_there("gcc") || !is_there("valgrind") {
        return;
    }
    let program = build("gcc", "-std=c11", "tests/capi/pair.c");
    says(&program, "1 pairs");
    let collected = |pairs: u64| -> u64 {
        let output = run(Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            // As in `instructions.rs`.
            .env(
                "GLIBC_TUNABLES",
                "glibc.malloc.arena_max=1:glibc.malloc.mmap_threshold=32768",
            )
            .arg(&program)
            .arg(pairs.to_string()));
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let count = text
            .lines()
            .find_map(|line| line.split("Collected : ").nth(1));
        let count = count.expect("a count is printed").trim().parse();
        count.expect("a count is a number")
    };
    let pair = (collected(MANY) - collected(FEW)) as f64 / (MANY - FEW) as f64;
    let counts = std::fs::read_to_string(top().join("tests/instructions.txt"));
    let counts = counts.expect("the counts are committed");
    let in_rust = counts
        .lines()
        .find_map(|line| line.strip_prefix("leave_enter "));
    let in_rust: f64 = in_rust.expect("it is counted").parse().expect("a number");
    println!("{pair:.2} instructions, in Rust {in_rust:.2}");
    assert!(
        pair <= 1.2 * in_rust,
        "{pair:.2} instructions, in Rust {in_rust:.2}"
    );
}
