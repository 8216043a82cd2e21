//! Every script, in fibers and in threads, at one, two and four slots; and the table of what they cover.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use fiberhost_simulator::coverage;
use fiberhost_simulator::run::{WAYS, run};
use fiberhost_simulator::script::Script;
use fiberhost_simulator::slots;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../scripts")
}

fn scripts() -> Vec<Script> {
    let entries = fs::read_dir(folder()).expect("the scripts' folder");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|ext| ext == "hosting"));
    paths.sort();
    assert!(!paths.is_empty());
    let read = |path: &PathBuf| {
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let text = fs::read_to_string(path).expect("a readable script");
        Script::parse(&name, &text).unwrap_or_else(|error| panic!("{error}"))
    };
    paths.iter().map(read).collect()
}

/// `FIBERHOST_SCRIPT` is the beginning of the names of those that are run, if not all are.
#[test]
fn every_script_in_every_way() {
    let mut scripts = scripts();
    if let Ok(name) = std::env::var("FIBERHOST_SCRIPT") {
        scripts.retain(|script| script.name.starts_with(&name));
    }
    for script in scripts {
        if let Some((code, words)) = script.process_ends() {
            ends_its_process(&script, code, words);
            continue;
        }
        let mut called = BTreeSet::new();
        for way in WAYS {
            println!("{} {way:?}", script.name);
            let made = run(&script, way);
            called.extend(made.iter().cloned());
            // Who says that it covers a row of the table of states has made that call in that state.
            for (rule, _) in script.covers() {
                let row = rule.strip_prefix("8.3/");
                let row = row.filter(|row| !row.ends_with("return") && !row.starts_with("any/"));
                if let Some(row) = row {
                    assert!(made.contains(row), "{}: {row} was not called", script.name);
                }
            }
        }
        // Not in each way: a task that has a thread is not switched.
        for slot in script.observes() {
            assert!(
                called.contains(slot),
                "{}: {slot} was not called",
                script.name
            );
        }
    }
}

/// The script and the way that a child of `ends_its_process` is to run.
const CHILD: &str = "FIBERHOST_SCRIPT_CHILD";

/// One that ends its process runs in one of its own, in every way.
fn ends_its_process(script: &Script, code: i32, words: &str) {
    for (at, way) in WAYS.iter().enumerate() {
        println!("{} {way:?}", script.name);
        let output = Command::new(std::env::current_exe().expect("a test has a path"))
            .args(["--exact", "a_script_in_a_process_of_its_own", "--nocapture"])
            .env(CHILD, format!("{} {at}", script.name))
            .output()
            .expect("a child process");
        let said = String::from_utf8_lossy(&output.stdout);
        let all = format!("{said}{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{}: {all}", script.name);
        let found = said.lines().any(|line| line == words);
        assert!(found, "{}: nobody says {words}: {all}", script.name);
    }
}

/// The child's part of `ends_its_process`. By itself it has nothing to do.
#[test]
fn a_script_in_a_process_of_its_own() {
    let Ok(child) = std::env::var(CHILD) else {
        return;
    };
    let (name, way) = child.split_once(' ').expect("a script and a way");
    let script = scripts().into_iter().find(|script| script.name == name);
    let way = WAYS[way.parse::<usize>().expect("a number")];
    run(&script.expect("it is there"), way);
}

#[test]
fn every_slot_has_a_script() {
    assert_eq!(slots::without_script(&scripts()), Vec::<String>::new());
}

/// To make the table anew, call this with `FIBERHOST_WRITE` set.
#[test]
fn the_table_of_rules_is_that_of_the_scripts() {
    let path = folder().join("COVERAGE.md");
    let table = coverage::table(&scripts()) + &slots::table(&scripts());
    if std::env::var_os("FIBERHOST_WRITE").is_some() {
        fs::write(&path, &table).expect("it can be written");
    }
    let stored = fs::read_to_string(&path).expect("the table");
    assert_eq!(stored, table, "made anew, the table is another one");
}

#[test]
fn what_is_no_script_is_refused() {
    for (text, error) in [
        ("a: LeaveRuntime 1", "neither a call nor its end"),
        ("a: LeaveRuntime 1 ->", "no result"),
        ("a: LeaveRuntime 1 -> S_OK X 1", "no state"),
        ("a: LeaveRuntime 1 -> S_OK N", "no state"),
        ("what", "no such line"),
        ("refused x", "no number"),
    ] {
        let found = Script::parse("test", text).expect_err(text);
        assert_eq!(found, format!("test:1: {error}: {text}"));
    }
}

/// A script that says something else than what happens fails.
#[test]
fn a_wrong_script_fails() {
    for text in [
        "task a\na: LeaveRuntime 1 -> S_OK B 1",
        "task a\na: EnterRuntime -> S_OK",
        "task a\na: LeaveRuntime 1 -> S_OK",
        "task a\na: CreateAutoEvent e -> S_OK\na: begin e.Wait 0\na: waits",
        "refused 1",
    ] {
        let script = Script::parse("test", text).expect(text);
        let failed = std::panic::catch_unwind(|| run(&script, WAYS[0]));
        assert!(failed.is_err(), "{text}");
    }
}
