//! The program as a user starts it: the load with its report, both modes side by side, serving, and the operator's sockets.
#![forbid(unsafe_code)]

mod common;

use std::io::{BufRead, BufReader, Lines, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use common::{LONG, rows};
use serde_json::Value;
use sql_host::client::Client;

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sql_host"));
    command.args(arguments);
    command
}

/// What it says until its end, which must be a good one.
fn said(arguments: &[&str]) -> String {
    let output = program(arguments).output().expect("it runs");
    let said = String::from_utf8(output.stdout).expect("text");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}{complaints}");
    said
}

/// The line of a report that begins so, without that.
fn line<'s>(said: &'s str, begins: &str) -> &'s str {
    let found = said.lines().find_map(|line| line.strip_prefix(begins));
    found.unwrap_or_else(|| panic!("no line begins with {begins}: {said}"))
}

/// The first number of such a line.
fn figure(said: &str, begins: &str) -> u64 {
    let first = line(said, begins).split_whitespace().next();
    let number = first.and_then(|first| first.parse().ok());
    number.unwrap_or_else(|| panic!("no number after {begins}: {said}"))
}

#[test]
fn the_load_runs_and_reports() {
    for mode in [&[][..], &["--thread-mode"]] {
        let load = [
            "--clients",
            "20",
            "--seconds",
            "1",
            "--workers",
            "2",
            "--check-invariants",
        ];
        let said = said(&[mode, &load].concat());
        assert!(said.starts_with("psql -h 127.0.0.1 -p "), "{said}");
        assert!(said.contains(" statements in "), "{said}");
        for kind in [
            "read one row",
            "change one row",
            "a function over 100 rows",
            "a procedure with SQL",
        ] {
            assert!(figure(&said, kind) > 0, "{said}");
            assert_eq!(line(&said, kind).matches(" ms").count(), 4, "{said}");
        }
        line(&said, "dispatch delay, sampled");
        // Each change is a step, and a call of a function is one from below it.
        let steps = figure(&said, "sqlite3_step");
        assert!(steps > figure(&said, "change one row"), "{said}");
        assert!(figure(&said, "guests called from below") >= 100, "{said}");
        assert!(figure(&said, "guests called at the base") > 0, "{said}");
        figure(&said, "hand-overs");
        assert!(
            said.contains("every change that was answered is in the database"),
            "{said}"
        );
        let trace = line(&said, "trace")
            .split_whitespace()
            .next()
            .expect("a file");
        let text = std::fs::read(trace).expect("the trace is there");
        std::fs::remove_file(trace).expect("it was there");
        let trace: Value = serde_json::from_slice(&text).expect("JSON");
        assert!(
            trace["traceEvents"]
                .as_array()
                .is_some_and(|events| !events.is_empty())
        );
    }
}

#[test]
fn both_modes_stand_side_by_side() {
    let said = said(&[
        "--both-modes",
        "--clients",
        "10",
        "--seconds",
        "1",
        "--workers",
        "2",
    ]);
    assert!(said.contains("| | fibers | threads |"), "{said}");
    let figures = line(&said, "| statements a second | ");
    let figures: Vec<u64> = figures
        .trim_end_matches(" |")
        .split(" | ")
        .map(|cell| cell.parse().expect("a number"))
        .collect();
    assert!(figures.len() == 2 && !figures.contains(&0), "{said}");
    assert!(!said.contains("MISSING"), "{said}");
}

/// A process that serves until it is dropped.
struct Serving {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Serving {
    fn start(arguments: &[&str]) -> Serving {
        let mut child = program(arguments)
            .arg("--serve")
            .stdout(Stdio::piped())
            .spawn()
            .expect("it runs");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Serving { child, lines }
    }

    fn line(&mut self) -> String {
        self.lines.next().expect("it says more").expect("text")
    }

    /// The port in the line for psql.
    fn port(&mut self) -> u16 {
        let line = self.line();
        let port = line.split(' ').skip_while(|word| *word != "-p").nth(1);
        port.and_then(|port| port.parse().ok())
            .unwrap_or_else(|| panic!("no port: {line}"))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("sql_host-{}-{name}", std::process::id()))
}

/// What was defined and written is there again, also after an end that nobody prepared. Meanwhile the live screen's socket
/// answers, and the emergency socket does.
#[test]
fn it_serves_a_database_again_and_again() {
    let (database, observed, emergency) = (scratch("a.db"), scratch("top"), scratch("door"));
    let [file, top, door] =
        [&database, &observed, &emergency].map(|path| path.to_str().expect("UTF-8"));
    let arguments = [
        "--database",
        file,
        "--observe",
        top,
        "--emergency-socket",
        door,
    ];
    for round in 0..2_u32 {
        let mut serving = Serving::start(&arguments);
        let port = serving.port();
        assert!(
            serving.line().contains(door),
            "it says where the operator gets in"
        );
        let mut client =
            Client::greet(TcpStream::connect(("127.0.0.1", port)).expect("it listens"))
                .expect("it greets");
        if round == 0 {
            let body = include_str!("../guests/fee.wat");
            let define = format!(
                "CREATE FUNCTION fee(bigint, integer) RETURNS bigint LANGUAGE wasm AS $guest${body}$guest$"
            );
            rows(&mut client, &define);
            rows(&mut client, "CREATE TABLE t (i INTEGER)");
        }
        rows(&mut client, "INSERT INTO t VALUES (1000)");
        let fees = vec!["5".to_owned(); round as usize + 1];
        assert_eq!(rows(&mut client, "SELECT fee(i, 5) FROM t"), fees);

        let mut screen = UnixStream::connect(&observed).expect("it is there");
        screen.set_read_timeout(Some(LONG)).expect("a limit");
        screen.write_all(b"{\"table\":\"tasks\"}\n").expect("sent");
        let mut tasks = 0;
        for line in BufReader::new(screen).lines() {
            let row: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
            if row["end"] == true {
                break;
            }
            assert!(row["task_id"].is_u64(), "{row}");
            tasks += 1;
        }
        // The listener's, the session's, and the door's on its lane.
        assert!(tasks >= 2, "{tasks} tasks");

        let stream = UnixStream::connect(&emergency).expect("it is there");
        let mut operator = Client::greet(stream).expect("it greets");
        let sessions = "SELECT count(*) FROM sys.dm_exec_sessions";
        assert_eq!(rows(&mut operator, sessions), ["2"]);
    }
    for (path, suffix) in [
        (&database, ""),
        (&database, "-wal"),
        (&database, "-shm"),
        (&observed, ""),
        (&emergency, ""),
    ] {
        let mut path = path.clone().into_os_string();
        path.push(suffix);
        let _ = std::fs::remove_file(path);
    }
}

/// Whoever reaches it may do everything: it says so, in its help and when others can reach it.
#[test]
fn it_says_who_can_reach_it() {
    let help = said(&["--help"]);
    for option in [
        "--serve",
        "--clients",
        "--seconds",
        "--workers",
        "--thread-mode",
        "--observe",
        "--emergency-socket",
        "--listen",
    ] {
        assert!(help.contains(option), "{option}: {help}");
    }
    assert!(help.contains("asks for no password"), "{help}");
    let mut open = Serving::start(&["--listen", "0.0.0.0:0"]);
    open.port();
    assert!(open.line().contains("can be reached from other machines"));
    let wrong = program(&["--clients", "many"]).output().expect("it runs");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("--clients"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("it has one").to_string();
    let refused = program(&["--listen", &address]).output().expect("it runs");
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).starts_with("sql_host: "));
}
