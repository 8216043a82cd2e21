//! A C program with the scheduler in a shared library: built by the C compiler, with threads that are not ours.

mod common;

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use common::cargo::build_library;
use common::{Watchdog, c};

/// How a panic in the library ends.
#[derive(Clone, Copy)]
enum Panic {
    Unwind,
    Abort,
}

/// Builds the library beside this test's own build. Returns the folder.
fn library(panic: Panic) -> PathBuf {
    // Quicker to build; nothing is measured here.
    let quick = "profile.release.lto='off'";
    let mut arguments = vec!["--release", "--lib", "--config", quick];
    let folder = match panic {
        Panic::Unwind => "c-tests",
        Panic::Abort => {
            arguments.extend(["--config", "profile.release.panic='abort'"]);
            "abort-tests"
        }
    };
    build_library(folder, &arguments).join("release")
}

/// The C program on such a library. `None`: there is no C compiler.
fn program(panic: Panic) -> Option<PathBuf> {
    let library = library(panic);
    let folder = library.to_str().expect("a path of ours is text");
    let search = format!("-L{folder}");
    let find = format!("-Wl,-rpath,{folder}");
    let arguments = [&*search, &*find, "-lfiberhost_cdylib", "-lpthread"];
    let built = c::build("cdylib/host.c", &arguments)?;
    // One file however often the tests run; whoever runs the one before keeps that.
    let kept = built.with_file_name(match panic {
        Panic::Unwind => "host-unwind",
        Panic::Abort => "host-abort",
    });
    std::fs::rename(built, &kept).expect("a file of ours in a folder of ours");
    Some(kept)
}

/// Built once for all tests with it.
fn unwinding() -> Option<&'static Path> {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    PROGRAM.get_or_init(|| program(Panic::Unwind)).as_deref()
}

fn run(program: &Path, mode: &str) -> (Output, String) {
    let _watchdog = Watchdog::new(format!("host {mode}"));
    let mut command = Command::new(program);
    // Cargo's, which leads to another build of the library.
    command.env_remove("LD_LIBRARY_PATH").arg(mode);
    let output = command.output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, text)
}

#[track_caller]
fn goes_well(program: &Path, mode: &str) {
    let (output, text) = run(program, mode);
    assert!(output.status.success(), "{mode}: {} {text}", output.status);
    assert!(output.stdout.ends_with(b"well\n"), "{mode}: {text}");
    assert_eq!(text, "", "{mode}");
}

#[test]
fn foreign_threads_spawn_and_wait() {
    let Some(program) = unwinding() else { return };
    goes_well(program, "tasks");
}

#[test]
fn foreign_threads_become_tasks() {
    let Some(program) = unwinding() else { return };
    goes_well(program, "adopt");
}

#[test]
fn two_hosts_in_one_process() {
    let Some(program) = unwinding() else { return };
    goes_well(program, "two hosts");
}

#[test]
fn forked_children_exec_or_touch_nothing() {
    let Some(program) = unwinding() else { return };
    goes_well(program, "forks");
}

/// No thread of such a process has an alternate signal stack, unless the scheduler gives it one.
#[test]
fn an_overflow_is_reported() {
    let Some(program) = unwinding() else { return };
    for mode in [
        "overflow",
        "overflow on a thread",
        "overflow with a handler",
    ] {
        let (output, text) = run(program, mode);
        let reported = text.contains("fiberhost: stack overflow in task ")
            && text.contains(" \"the deep one\": its stack has 26");
        assert!(reported, "{mode}: {} {text}", output.status);
        if mode.ends_with("handler") {
            assert_eq!(output.status.code(), Some(77), "{mode}: {text}");
            assert!(text.ends_with("host: handled\n"), "{mode}: {text}");
        } else {
            assert_eq!(
                output.status.signal(),
                Some(libc::SIGSEGV),
                "{mode}: {text}"
            );
        }
    }
}

/// Its guard is the C library's, and so is the room above it.
#[test]
fn an_overflow_of_an_adopted_thread_is_reported() {
    let Some(program) = unwinding() else { return };
    let (output, text) = run(program, "overflow when adopted");
    let head = "fiberhost: stack overflow in task ";
    let rest = text.split(head).nth(1);
    let rest = rest.unwrap_or_else(|| panic!("{} {text}", output.status));
    assert!(
        rest.contains(" \"the adopted one\": its stack has "),
        "{text}"
    );
    let size = rest.split("its stack has ").nth(1).unwrap();
    let size: usize = size.split(' ').next().unwrap().parse().unwrap();
    // The C library's part is at its top.
    assert!((248 << 10..=256 << 10).contains(&size), "{text}");
    let frames = rest.split("frames, innermost first").nth(1).unwrap();
    let frames = frames.lines().filter(|line| line.starts_with("    0x"));
    assert!(frames.count() >= 4, "{text}");
    assert_eq!(output.status.signal(), Some(libc::SIGSEGV), "{text}");
}

#[test]
fn other_faults_end_as_in_any_program() {
    let Some(program) = unwinding() else { return };
    let (output, text) = run(program, "nothing");
    assert_eq!(output.status.signal(), Some(libc::SIGSEGV), "{text}");
    assert_eq!(text, "");
    let (output, text) = run(program, "nothing with a handler");
    assert_eq!(output.status.code(), Some(77), "{text}");
    assert_eq!(text, "host: handled\n");
}

/// A task that panics fails, and nobody else notices.
#[test]
fn a_panic_in_a_task_is_its_own() {
    let Some(program) = unwinding() else { return };
    let (output, text) = run(program, "panic");
    assert!(output.status.success(), "{} {text}", output.status);
    assert!(output.stdout.ends_with(b"well\n"), "{text}");
    assert!(
        text.contains("a task failed: the task panicked: inside the library"),
        "{text}"
    );
}

/// A library that is built to abort on a panic does so, runs what does not panic, and stops.
#[test]
fn a_library_that_aborts_on_a_panic() {
    let Some(program) = program(Panic::Abort) else {
        return;
    };
    goes_well(&program, "tasks");
    goes_well(&program, "adopt");
    let (output, text) = run(&program, "overflow");
    assert_eq!(output.status.signal(), Some(libc::SIGSEGV), "{text}");
    assert!(text.contains("\"the deep one\""), "{text}");
    let (output, text) = run(&program, "panic");
    assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{text}");
    assert!(text.contains("inside the library"), "{text}");
    assert!(!text.contains("a task failed"), "{text}");
}
