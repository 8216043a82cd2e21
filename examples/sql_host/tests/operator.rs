//! What the operator can do: look at sessions and requests, end them, change settings, take the trace, and get in when all
//! workers are stuck.
#![forbid(unsafe_code)]

mod common;

use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{LONG, Served, code, in_both_modes, rows, serve_as};
use sql_host::client::Client;

/// A file or a folder for one test, that is not there yet and goes at its end.
struct Place(PathBuf);

impl Place {
    fn new(served: &Served, name: &str) -> Place {
        let name = format!("sql_host-{}-{}-{name}", std::process::id(), served.port());
        Place(std::env::temp_dir().join(name))
    }

    fn text(&self) -> &str {
        self.0.to_str().expect("a name in UTF-8")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Asks until the answer is this one.
fn until(client: &mut Client<TcpStream>, sql: &str, wanted: &str) {
    let limit = Instant::now() + LONG;
    loop {
        let answer = rows(client, sql);
        if answer == [wanted] {
            return;
        }
        assert!(Instant::now() < limit, "{sql}: {answer:?}");
        thread::yield_now();
    }
}

/// The one notice of a statement that must succeed.
fn notice(client: &mut Client<TcpStream>, sql: &str) -> String {
    let mut answer = client.query(sql).expect("an answer");
    assert_eq!(answer.error, None, "{sql}");
    assert_eq!(answer.notices.len(), 1, "{sql}: {:?}", answer.notices);
    answer.notices.remove(0)
}

#[test]
fn the_trace_is_exported_to_a_file_that_was_not_there() {
    in_both_modes(|served| {
        let mut client = served.client();
        let place = Place::new(served, "trace.json");
        rows(&mut client, "ALTER SYSTEM SET trace = switches");
        let mut other = served.client();
        rows(&mut other, "SELECT 1");
        let export = format!("EXPORT TRACE '{}'", place.text());
        let said = notice(&mut client, &export);
        let count: usize = said
            .split(' ')
            .next()
            .and_then(|it| it.parse().ok())
            .expect("a count");
        assert!(count > 0, "{said}");
        let text = std::fs::read_to_string(&place.0).expect("it was written");
        let trace: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let events = trace["traceEvents"].as_array().expect("events");
        assert!(
            events.iter().any(|event| event["ph"] == "X"),
            "no turn of a task"
        );
        // It replaces nothing.
        assert_eq!(code(&mut client, &export), "58P02");
        assert_eq!(
            std::fs::read_to_string(&place.0).expect("it is there"),
            text
        );
        assert_eq!(
            code(&mut client, "EXPORT TRACE '/absent/trace.json'"),
            "58P01"
        );
        for wrong in ["EXPORT TRACE", "EXPORT TRACE trace", "EXPORT TRACE 'a' 'b'"] {
            assert_eq!(code(&mut client, wrong), "42601", "{wrong}");
        }
    });
}

#[test]
fn settings_change_while_the_server_runs() {
    in_both_modes(|served| {
        let (mut client, mut other) = (served.client(), served.client());
        let scheduler = served.server().host().scheduler();
        let before = (
            scheduler.quantum(),
            scheduler.handover_after(),
            scheduler.stall_after(),
        );
        for (name, value, shown) in [
            ("quantum", "8", "8ms"),
            ("handover_after", "'500us'", "500us"),
            ("stall_after", "2s", "2000ms"),
            ("stall_after", "never", "never"),
            ("trace", "tasks", "tasks"),
            ("workers", "1", "1"),
        ] {
            rows(&mut client, &format!("ALTER SYSTEM SET {name} TO {value}"));
            let select = format!("SELECT value FROM sys.configurations WHERE name = '{name}'");
            assert_eq!(rows(&mut other, &select), [shown]);
            assert_eq!(rows(&mut other, &format!("SHOW {name}")), [shown]);
        }
        assert_eq!(scheduler.quantum(), Duration::from_millis(8));
        assert_eq!(scheduler.handover_after(), Duration::from_micros(500));
        assert_eq!(scheduler.stall_after(), Duration::MAX);
        assert_eq!(scheduler.workers(), 1);
        let online = "SELECT count(*) FROM sys.dm_os_schedulers WHERE status = 'VISIBLE ONLINE'";
        until(&mut other, online, "1");
        for (wrong, expected) in [
            ("SET quantum = soon", "22023"),
            ("SET quantum = 0", "22023"),
            ("SET quantum = '2h'", "22023"),
            ("SET trace = everything", "22023"),
            ("SET workers = 0", "22023"),
            ("SET workers = 2000", "22023"),
            ("SET workers = 'few'", "22023"),
            ("SET max_threads = 4", "55P02"),
            ("SET absent = 1", "42704"),
            ("SET quantum", "42601"),
            ("RESET", "42601"),
        ] {
            assert_eq!(
                code(&mut client, &format!("ALTER SYSTEM {wrong}")),
                expected,
                "{wrong}"
            );
        }
        assert_eq!(
            scheduler.quantum(),
            Duration::from_millis(8),
            "a refused change changes nothing"
        );
        rows(&mut client, "ALTER SYSTEM RESET quantum");
        assert_eq!(scheduler.quantum(), before.0);
        rows(&mut client, "ALTER SYSTEM RESET ALL");
        let after = (
            scheduler.quantum(),
            scheduler.handover_after(),
            scheduler.stall_after(),
        );
        assert_eq!(after, before);
        assert_eq!(
            rows(
                &mut client,
                "SELECT count(*) FROM sys.configurations WHERE value <> initial_value"
            ),
            ["0"]
        );
        assert_eq!(rows(&mut client, "SHOW workers"), ["2"]);
        until(&mut other, online, "2");
    });
}

#[test]
fn requests_show_what_runs_and_where() {
    in_both_modes(|served| {
        let mut client = served.client();
        let mut sleeper = served.client();
        let (id, _) = sleeper.key();
        let asleep = thread::spawn(move || sleeper.query("SELECT pg_sleep(1)"));
        let seen = format!(
            "SELECT r.command, r.status, r.native, r.statement, t.native_target IS NOT NULL \
             FROM sys.dm_exec_requests r JOIN sys.dm_os_tasks t ON t.task_id = r.task_id \
             WHERE r.session_id = {id} AND r.sqlite_asked_ms >= 20 AND r.total_elapsed_ms >= 20"
        );
        // The scheduler knows its target when the section has lasted.
        until(
            &mut client,
            &seen,
            "SELECT|running|sqlite3_step|SELECT pg_sleep(1)|1",
        );
        asleep.join().expect("it ends").expect("an answer");
        let idle = format!("SELECT count(*) FROM sys.dm_exec_requests WHERE session_id = {id}");
        assert_eq!(rows(&mut client, &idle), ["0"]);
    });
}

/// `KILL` names what its victim is at, how long, and when it will end; and so does a look afterwards.
#[test]
fn kill_tells_the_truth_of_a_victim_in_native_code() {
    in_both_modes(|served| {
        let mut killer = served.client();
        let mut victim = served.client();
        let (id, _) = victim.key();
        let asleep = thread::spawn(move || victim.query("SELECT pg_sleep(2)"));
        let deep = format!(
            "SELECT count(*) FROM sys.dm_exec_requests WHERE session_id = {id} AND sqlite_asked_ms > 150"
        );
        until(&mut killer, &deep, "1");
        let status = format!("KILL {id} WITH STATUSONLY");
        assert_eq!(code(&mut killer, &status), "22023", "it was not killed");
        let told = notice(&mut killer, &format!("KILL {id}"));
        let begins = format!("session {id} is in native code, sqlite3_step, for ");
        assert!(told.starts_with(&begins), "{told}");
        let age: u64 = told[begins.len()..]
            .split(' ')
            .next()
            .and_then(|it| it.parse().ok())
            .expect("an age");
        assert!((150..LONG.as_millis() as u64).contains(&age), "{told}");
        assert!(
            told.contains("has not asked") && told.ends_with("and not before"),
            "{told}"
        );
        assert_eq!(notice(&mut killer, &status)[..begins.len()], begins);
        let marked = format!("SELECT is_killed FROM sys.dm_exec_requests WHERE session_id = {id}");
        assert_eq!(rows(&mut killer, &marked), ["1"]);
        let answer = asleep.join().expect("it ends").expect("it is told");
        assert_eq!(answer.error.expect("an error").0, "57P01");
        served.wait_for_sessions(1);
        assert_eq!(code(&mut killer, &status), "22023", "it is gone");
    });
}

#[test]
fn kill_ends_who_waits_for_its_turn_or_for_its_client() {
    in_both_modes(|served| {
        let (mut killer, mut writer) = (served.client(), served.client());
        rows(
            &mut writer,
            "CREATE TABLE t (i INTEGER); BEGIN; INSERT INTO t VALUES (1)",
        );
        let mut waiting = served.client();
        let (id, _) = waiting.key();
        let waiter = thread::spawn(move || waiting.query("INSERT INTO t VALUES (2)"));
        let state = |id: i32| {
            format!("SELECT status, wait_type FROM sys.dm_exec_requests WHERE session_id = {id}")
        };
        until(&mut killer, &state(id), "suspended|WriteTurn");
        let told = notice(&mut killer, &format!("KILL {id}"));
        assert!(told.contains("waits for its turn to write"), "{told}");
        let answer = waiter.join().expect("it ends").expect("it is told");
        assert_eq!(answer.error.expect("an error").0, "57P01");
        rows(&mut writer, "COMMIT");
        // A client that takes nothing: its session cannot even be told.
        let mut deaf = served.client();
        let (id, _) = deaf.key();
        let endless =
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
        deaf.say(&pgwire::messages::simplequery::Query::new(
            endless.to_owned(),
        ))
        .expect("sent");
        // For a moment it waits at each send; this wait lasts.
        let lasts = format!("{} AND wait_ms > 100", state(id));
        until(&mut killer, &lasts, "suspended|ClientTakes");
        let told = notice(&mut killer, &format!("KILL {id}"));
        assert!(told.contains("its connection is cut"), "{told}");
        served.wait_for_sessions(2);
        assert_eq!(rows(&mut killer, "SELECT i FROM t"), ["1"]);
        let own = format!("KILL {}", killer.key().0);
        assert_eq!(code(&mut killer, &own), "22023");
        for wrong in [
            "KILL",
            "KILL x",
            "KILL 1 2",
            "KILL 1 WITH",
            "KILL 1 WITH STATUSONLY 2",
        ] {
            assert_eq!(code(&mut killer, wrong), "42601", "{wrong}");
        }
    });
}

/// Every worker runs a task that never gives its thread back; the operator still gets in.
#[test]
fn the_emergency_socket_answers_when_all_workers_are_stuck() {
    for thread_mode in [false, true] {
        let name = format!("sql_host-emergency-{}-{thread_mode}", std::process::id());
        let place = std::env::temp_dir().join(name);
        let served = serve_as(thread_mode, |setup| setup.emergency = Some(place.clone()));
        let mode = std::fs::metadata(&place)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "it is for its owner alone");
        let mut early = served.client();
        rows(
            &mut early,
            "CREATE TABLE t (i INTEGER); INSERT INTO t VALUES (42)",
        );
        let release = Arc::new(AtomicBool::new(false));
        let stuck = Arc::new(AtomicUsize::new(0));
        let scheduler = served.server().host().scheduler();
        let hogs: Vec<_> = (0..scheduler.workers())
            .map(|_| {
                let (release, stuck) = (Arc::clone(&release), Arc::clone(&stuck));
                scheduler.spawn(move || {
                    stuck.fetch_add(1, Ordering::SeqCst);
                    while !release.load(Ordering::SeqCst) {
                        std::hint::spin_loop();
                    }
                })
            })
            .collect();
        let limit = Instant::now() + LONG;
        while stuck.load(Ordering::SeqCst) < hogs.len() {
            assert!(Instant::now() < limit, "they never run");
            thread::yield_now();
        }
        let stream = UnixStream::connect(&place).expect("it listens");
        stream.set_read_timeout(Some(LONG)).expect("a limit");
        let mut operator = Client::greet(stream).expect("it greets");
        let running = "SELECT count(*) FROM sys.dm_os_tasks WHERE task_state = 'RUNNING'";
        assert_eq!(rows(&mut operator, running), [hogs.len().to_string()]);
        assert_eq!(
            rows(&mut operator, "SELECT count(*) FROM sys.dm_exec_sessions"),
            ["2"]
        );
        assert_eq!(rows(&mut operator, "SELECT i FROM t"), ["42"]);
        let told = operator
            .query(&format!("KILL {}", early.key().0))
            .expect("an answer");
        assert_eq!(told.notices.len(), 1, "{told:?}");
        // The others do not.
        let stream = early.stream();
        stream
            .set_read_timeout(Some(Duration::from_millis(200)))
            .expect("a limit");
        early.answer().expect_err("its worker is stuck");
        release.store(true, Ordering::SeqCst);
        for hog in hogs {
            hog.join().expect("it ends");
        }
        let stream = early.stream();
        stream.set_read_timeout(Some(LONG)).expect("a limit");
        let answer = early.answer().expect("it is told");
        assert_eq!(answer.error.expect("an error").0, "57P01");
        served.stop();
        assert!(!place.exists(), "the socket is left");
    }
}
