//! The switch paths cost no more instructions than the committed counts say, within 1 %.
//!
//! Counts do not depend on how busy the machine is, so they show what a change costs where times cannot.
//! `host_event` is what a ping-pong through the hosting interfaces costs above `pingpong`.
//! They are valgrind's, of the example `probe` with 2,000 and with 42,000 operations, so that what is not the operation cancels.
//! `cargo test` builds that example; `cargo test --test instructions` does not: then `cargo build --release --example probe` first.
//! They hold for one compiler, one build profile and one switch: elsewhere the test says so and compares nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

const CASES: [&str; 14] = [
    "yield",
    "yield_deep",
    "pingpong",
    "spawn_join",
    "leave_enter",
    "c_pair",
    "heap",
    "mutex_wait",
    "read_lock",
    "hook_pair",
    "hook_chain",
    "current_task",
    "crst",
    "host_event",
];
const FEW: u64 = 2_000;
const MANY: u64 = 42_000;
const TOLERANCE: f64 = 0.01;

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/instructions.txt")
}

fn compiler() -> String {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let output = Command::new(rustc)
        .arg("--version")
        .output()
        .expect("rustc is on the path");
    String::from_utf8(output.stdout)
        .expect("a version is text")
        .trim()
        .to_owned()
}

/// The example that `cargo test` has built beside this test.
fn probe() -> PathBuf {
    let test = std::env::current_exe().expect("a running program has a path");
    let profile = test
        .parent()
        .and_then(Path::parent)
        .expect("deps lies in the profile's folder");
    profile.join("examples/probe")
}

/// Why there is nothing to compare with, if so.
fn incomparable() -> Option<String> {
    if cfg!(debug_assertions) {
        return Some("the counts are of a release build".to_owned());
    }
    let scheduler = fiberhost::scheduler::Scheduler::builder()
        .workers(1)
        .build()
        .expect("one thread");
    let stats = scheduler.stats();
    if stats.switch != "jump" || stats.barrier != "membarrier" {
        return Some(format!(
            "the counts are of jump and membarrier, not {} and {}",
            stats.switch, stats.barrier
        ));
    }
    let valgrind = Command::new("valgrind").arg("--version").output();
    if !valgrind.is_ok_and(|output| output.status.success()) {
        return Some("valgrind is not installed".to_owned());
    }
    None
}

fn count(case: &str) -> f64 {
    let many = collected(case, MANY);
    let few = collected(case, FEW);
    (many - few) as f64 / (MANY - FEW) as f64
}

fn collected(case: &str, operations: u64) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        // Whether a large block of the start is new or has to be cleared would depend on which thread asks first, and callgrind
        // counts each byte that `rep stosb` clears: 131,000 instructions, in one of the two runs. The kernel clears large ones.
        .env(
            "GLIBC_TUNABLES",
            "glibc.malloc.arena_max=1:glibc.malloc.mmap_threshold=32768",
        )
        .arg(probe())
        .args([case, &operations.to_string()])
        .output()
        .expect("valgrind runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{case}: {text}");
    let line = text
        .lines()
        .find_map(|line| line.split("Collected : ").nth(1))
        .expect("a count is printed");
    line.trim().parse().expect("a count is a number")
}

#[test]
fn the_switch_paths_cost_what_they_did() {
    if let Some(why) = incomparable() {
        println!("nothing compared: {why}");
        return;
    }
    let mut counted: BTreeMap<&str, f64> =
        CASES.into_iter().map(|case| (case, count(case))).collect();
    // What the hosting layer adds to the scheduler's own event, whatever that costs.
    let below = counted["pingpong"];
    counted.entry("host_event").and_modify(|all| *all -= below);
    let compiler = compiler();
    let committed = std::fs::read_to_string(file()).expect("the counts are committed");
    if std::env::var_os("FIBERHOST_COUNT").is_some_and(|value| value == "write") {
        return write(&committed, &compiler, &counted);
    }
    if !committed.lines().any(|line| line == compiler) {
        println!("nothing compared: the counts are not of {compiler}; now: {counted:.2?}");
        return;
    }
    for (case, now) in counted {
        let line = committed
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{case} ")));
        let before: f64 = line
            .expect("each case has a count")
            .parse()
            .expect("a count is a number");
        println!("{case}: {now:.2} instructions, committed {before:.2}");
        assert!(
            now <= before * (1.0 + TOLERANCE),
            "{case} costs {now:.2} instructions, committed are {before:.2}"
        );
        assert!(
            now >= before * (1.0 - TOLERANCE),
            "{case} costs only {now:.2} instructions instead of {before:.2}: commit the new count"
        );
    }
}

/// A task with a span that nobody listens to switches at the price of one without: to the instruction, but for what the start
/// of the program varies by.
#[test]
fn spans_cost_nothing_while_nobody_listens() {
    if let Some(why) = incomparable() {
        println!("nothing compared: {why}");
        return;
    }
    let (without, with) = (count("yield"), count("yield_span"));
    println!("a yield: {without:.2} instructions, in a span {with:.2}");
    assert!(
        (with - without).abs() < 0.5,
        "a yield costs {without:.2} instructions, and {with:.2} in a span"
    );
}

/// What is timed and counted by default costs a yield at most one instruction: turns are not timed one by one, and the count of
/// switches is one that fairness needs.
#[test]
fn statistics_cost_a_yield_an_instruction_at_most() {
    if let Some(why) = incomparable() {
        println!("nothing compared: {why}");
        return;
    }
    let (with, without) = (count("yield"), count("yield_untimed"));
    println!("a yield: {with:.2} instructions, without statistics {without:.2}");
    assert!(
        with - without <= 1.0,
        "a yield costs {with:.2} instructions, and {without:.2} without statistics"
    );
}

fn write(committed: &str, compiler: &str, counted: &BTreeMap<&str, f64>) {
    let comments: Vec<&str> = committed
        .lines()
        .filter(|line| line.starts_with('#'))
        .collect();
    let mut text = comments.join("\n");
    text.push_str(&format!("\n{compiler}\n"));
    for (case, count) in counted {
        text.push_str(&format!("{case} {count:.2}\n"));
    }
    std::fs::write(file(), text).expect("the counts can be written");
}
