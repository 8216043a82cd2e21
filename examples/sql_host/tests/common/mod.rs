//! A server for a test, on a database that goes with it.
#![forbid(unsafe_code)]
#![allow(dead_code, reason = "each test uses a part of it")]

pub(crate) mod dice;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sql_host::client::{Answer, Client};
use sql_host::runtime::Runtime;
use sql_host::server::{Server, Setup};
use sql_host::wasm::Wasm;

/// Longer than anything takes that does not hang.
pub(crate) const LONG: Duration = Duration::from_secs(30);

pub(crate) struct Served {
    pub(crate) server: Option<Server>,
    /// Its runtime, if that is the usual one.
    wasm: Option<Arc<Wasm>>,
    database: Database,
}

/// A file for a database, with what SQLite keeps beside it. It goes with this.
pub(crate) struct Database(PathBuf);

impl Database {
    pub(crate) fn new() -> Database {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("sql_host-test-{}-{number}.db", std::process::id());
        Database(std::env::temp_dir().join(name))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

/// The same test on fibers and on threads.
pub(crate) fn in_both_modes(test: impl Fn(&Served)) {
    for thread_mode in [false, true] {
        let served = serve(thread_mode);
        test(&served);
        served.stop();
    }
}

pub(crate) fn serve(thread_mode: bool) -> Served {
    serve_as(thread_mode, |_| {})
}

/// With what is set up otherwise.
pub(crate) fn serve_as(thread_mode: bool, change: impl FnOnce(&mut Setup)) -> Served {
    let wasm = Arc::new(Wasm::new().expect("a runtime"));
    let runtime: Arc<dyn Runtime> = wasm.clone();
    let mut served = start(thread_mode, runtime, change);
    served.wasm = Some(wasm);
    served
}

pub(crate) fn serve_on(workers: usize, thread_mode: bool) -> Served {
    serve_as(thread_mode, |setup| setup.workers = Some(workers))
}

pub(crate) fn serve_with(workers: usize, thread_mode: bool, runtime: Arc<dyn Runtime>) -> Served {
    start(thread_mode, runtime, |setup| setup.workers = Some(workers))
}

fn start(thread_mode: bool, runtime: Arc<dyn Runtime>, change: impl FnOnce(&mut Setup)) -> Served {
    let database = Database::new();
    let mut setup = Setup {
        address: "127.0.0.1:0".parse().expect("an address"),
        database: database.path().to_owned(),
        workers: Some(2),
        thread_mode,
        observe: None,
        emergency: None,
        check_invariants: false,
    };
    change(&mut setup);
    let server = Server::start(&setup, runtime).expect("it starts");
    Served {
        server: Some(server),
        wasm: None,
        database,
    }
}

impl Served {
    pub(crate) fn wasm(&self) -> &Wasm {
        self.wasm.as_deref().expect("the usual runtime")
    }

    pub(crate) fn database(&self) -> &Path {
        self.database.path()
    }

    /// Waits until somebody can see this.
    pub(crate) fn wait_until(&self, what: &str, seen: impl Fn(&Server) -> bool) {
        let server = self.server.as_ref().expect("it runs");
        let until = std::time::Instant::now() + LONG;
        while !seen(server) {
            assert!(std::time::Instant::now() < until, "never: {what}");
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.server.as_ref().expect("it runs").address().port()
    }

    pub(crate) fn stream(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port())).expect("it listens");
        stream.set_read_timeout(Some(LONG)).expect("a limit");
        stream
    }

    pub(crate) fn client(&self) -> Client<TcpStream> {
        Client::greet(self.stream()).expect("it greets")
    }

    pub(crate) fn server(&self) -> &Server {
        self.server.as_ref().expect("it runs")
    }

    /// Waits until so many sessions are there.
    pub(crate) fn wait_for_sessions(&self, wanted: usize) {
        let server = self.server.as_ref().expect("it runs");
        let until = std::time::Instant::now() + LONG;
        while server.shared.registry.sessions().len() != wanted {
            assert!(
                std::time::Instant::now() < until,
                "there are not {wanted} sessions"
            );
            std::thread::yield_now();
        }
    }

    /// Waits until the session of this place in the list is in native code.
    pub(crate) fn wait_for_native_code(&self, place: usize) {
        let server = self.server.as_ref().expect("it runs");
        let until = std::time::Instant::now() + LONG;
        loop {
            let sessions = server.shared.registry.sessions();
            let there = sessions.get(place);
            if there.is_some_and(|entry| entry.control.activity().native.is_some()) {
                return;
            }
            assert!(std::time::Instant::now() < until, "it never runs");
            std::thread::yield_now();
        }
    }

    /// Ends it, and looks whether anything is left.
    pub(crate) fn stop(mut self) {
        let server = self.server.take().expect("it runs");
        let shared = Arc::clone(&server.shared);
        server.stop().expect("nothing is left");
        assert_eq!(shared.registry.sessions().len(), 0, "sessions are left");
        assert_eq!(shared.executor.host().figures().stray_hooks, 0);
        assert_eq!(shared.executor.host().figures().frames_left, 0);
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm"] {
            let mut file = self.0.as_os_str().to_owned();
            file.push(suffix);
            let _ = std::fs::remove_file(file);
        }
    }
}

/// Waits until it is so.
pub(crate) fn eventually(what: &str, so: impl Fn() -> bool) {
    let until = std::time::Instant::now() + LONG;
    while !so() {
        assert!(std::time::Instant::now() < until, "never: {what}");
        std::thread::yield_now();
    }
}

/// The rows of a statement that must succeed, values joined by a bar.
pub(crate) fn rows<S: Read + Write>(client: &mut Client<S>, sql: &str) -> Vec<String> {
    let answer = client.query(sql).expect("an answer");
    assert_eq!(answer.error, None, "{sql}");
    lines(&answer)
}

pub(crate) fn lines(answer: &Answer) -> Vec<String> {
    let line = |row: &Vec<Option<String>>| {
        let values: Vec<&str> = row
            .iter()
            .map(|value| value.as_deref().unwrap_or("null"))
            .collect();
        values.join("|")
    };
    answer.rows.iter().map(line).collect()
}

/// The SQLSTATE of a statement that must fail.
pub(crate) fn code<S: Read + Write>(client: &mut Client<S>, sql: &str) -> String {
    let answer = client.query(sql).expect("an answer");
    answer.error.unwrap_or_else(|| panic!("{sql} succeeded")).0
}

/// Takes a function or procedure by what stands before `LANGUAGE`.
pub(crate) fn create(client: &mut Client<TcpStream>, head: &str, body: &str) {
    rows(
        client,
        &format!("CREATE {head} LANGUAGE wasm AS $guest${body}$guest$"),
    );
}

/// Functions and procedures that never end, or not soon.
pub(crate) const ENDLESS: &str = r#"(module
    (import "sql" "run" (func $run (param i32 i32) (result i32)))
    (import "sql" "int" (func $int (param i32 i32) (result i64)))
    (import "native" "sort" (func $sort (param i32 i32)))
    (import "host" "sleep" (func $sleep (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "SELECT spin()")
    (data (i32.const 16) "INSERT INTO spins VALUES (1)")
    (func $spin (loop $again (br $again)))
    (func (export "compare") (param i64 i64) (result i32) (call $spin) (i32.const 0))
    (func (export "spin") (result i64) (call $spin) (i64.const 0))
    (func (export "spin_in_native") (result i64) (call $sort (i32.const 1024) (i32.const 2)) (i64.const 0))
    (func (export "wait") (result i64) (call $sleep (i32.const 60000)) (i64.const 0))
    (func (export "spin_below") (result i64) (drop (call $run (i32.const 0) (i32.const 13))) (i64.const 0))
    (func (export "p_spin") (call $spin))
    (func (export "p_spin_in_native") (call $sort (i32.const 1024) (i32.const 2)))
    (func (export "p_wait") (call $sleep (i32.const 60000)))
    (func (export "p_spin_below") (drop (call $run (i32.const 0) (i32.const 13))))
    (func (export "p_write_and_spin") (drop (call $run (i32.const 16) (i32.const 28))) (call $spin)))"#;

/// What runs them.
pub(crate) const ENDLESS_CALLS: [&str; 9] = [
    "SELECT spin()",
    "SELECT spin_in_native()",
    "SELECT wait()",
    "SELECT spin_below()",
    "CALL p_spin()",
    "CALL p_spin_in_native()",
    "CALL p_wait()",
    "CALL p_spin_below()",
    "CALL p_write_and_spin()",
];

pub(crate) fn create_endless(client: &mut Client<TcpStream>) {
    rows(client, "CREATE TABLE spins (i INTEGER)");
    for name in ["spin", "spin_in_native", "wait", "spin_below"] {
        create(
            client,
            &format!("FUNCTION {name}() RETURNS bigint"),
            ENDLESS,
        );
    }
    for name in [
        "p_spin",
        "p_spin_in_native",
        "p_wait",
        "p_spin_below",
        "p_write_and_spin",
    ] {
        create(client, &format!("PROCEDURE {name}()"), ENDLESS);
    }
}
