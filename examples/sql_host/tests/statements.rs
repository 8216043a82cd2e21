//! What statements do, and what is said of those that fail: through the simple protocol, on fibers and on threads.
#![forbid(unsafe_code)]

mod common;

use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use common::{code, in_both_modes, lines, rows};
use sql_host::client::Client;

/// Never ends by itself.
const ENDLESS: &str =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

#[test]
fn errors_have_their_codes_and_the_session_goes_on() {
    in_both_modes(|served| {
        let mut client = served.client();
        rows(
            &mut client,
            "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL CHECK (name <> ''))",
        );
        rows(&mut client, "INSERT INTO t VALUES (1, 'a;b')");
        for (sql, expected) in [
            ("SELECT * FROM absent", "42P01"),
            ("SELECT absent FROM t", "42703"),
            ("SELECT absent(1)", "42883"),
            ("SELECT * FRO t", "42601"),
            ("SELECT 'open", "42601"),
            ("CREATE TABLE t (x)", "42P07"),
            ("INSERT INTO t VALUES (1, 'b')", "23505"),
            ("INSERT INTO t VALUES (2, NULL)", "23502"),
            ("INSERT INTO t VALUES (2, '')", "23514"),
            ("KILL 4711", "22023"),
            ("SHOW absent", "42704"),
            ("SET statement_timeout = soon", "22023"),
            ("CALL absent()", "42883"),
            ("DROP FUNCTION absent", "42883"),
            (
                "CREATE FUNCTION f(a int) RETURNS int LANGUAGE plpgsql AS $$ ; $$",
                "42704",
            ),
            ("CREATE FUNCTION f(a int) LANGUAGE wasm AS ''", "42P13"),
            ("SELECT $1", "42P02"),
            ("SELECT abs(1, 2)", "42883"),
            ("SELECT 1 UNION SELECT 1, 2", "42601"),
            ("SELECT sum(sum(id)) FROM t", "42803"),
            ("INSERT INTO t (absent) VALUES (1)", "42703"),
            ("INSERT INTO t VALUES (1, 'b', 3)", "42601"),
            ("CREATE INDEX i ON absent (x)", "42P01"),
            ("DROP TABLE absent", "42P01"),
            ("ALTER TABLE absent ADD x", "42P01"),
            ("COMMIT; SELECT absent", "42703"),
        ] {
            assert_eq!(code(&mut client, sql), expected, "{sql}");
            assert_eq!(rows(&mut client, "SELECT id, name FROM t"), ["1|a;b"]);
        }
    });
}

#[test]
fn a_failed_transaction_refuses_everything_but_its_end() {
    in_both_modes(|served| {
        let mut client = served.client();
        rows(&mut client, "CREATE TABLE t (id INTEGER)");
        rows(&mut client, "BEGIN; INSERT INTO t VALUES (1)");
        assert_eq!(code(&mut client, "SELECT absent"), "42703");
        assert_eq!(code(&mut client, "SELECT 1"), "25P02");
        let answer = client.query("COMMIT").expect("an answer");
        assert_eq!(answer.tags, ["ROLLBACK"]);
        assert_eq!(rows(&mut client, "SELECT count(*) FROM t"), ["0"]);
    });
}

#[test]
fn a_text_of_statements_ends_at_the_first_that_fails() {
    in_both_modes(|served| {
        let mut client = served.client();
        let answer = client
            .query("SELECT 1; SELECT absent; SELECT 2")
            .expect("an answer");
        assert_eq!(lines(&answer), ["1"]);
        assert!(answer.error.is_some());
        let trigger = "CREATE TABLE t (i); CREATE TRIGGER g AFTER INSERT ON t BEGIN \
                       UPDATE t SET i = i + 1; UPDATE t SET i = i * 2; END; INSERT INTO t VALUES (1)";
        rows(&mut client, trigger);
        assert_eq!(rows(&mut client, "SELECT i FROM t"), ["4"]);
    });
}

/// Rows are sent while the statement runs: far more of them than a session keeps in memory.
#[test]
fn long_results_arrive_whole() {
    in_both_modes(|served| {
        let mut client = served.client();
        let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) \
                   SELECT i FROM n";
        let answer = rows(&mut client, sql);
        assert_eq!(answer.len(), 100_000);
        assert!(
            answer
                .iter()
                .enumerate()
                .all(|(index, row)| *row == (index + 1).to_string())
        );
    });
}

#[test]
fn an_endless_statement_ends_by_its_time_limit() {
    in_both_modes(|served| {
        let mut client = served.client();
        rows(&mut client, "SET statement_timeout = '50ms'");
        assert_eq!(code(&mut client, ENDLESS), "57014");
        rows(&mut client, "RESET statement_timeout");
        assert_eq!(rows(&mut client, "SELECT 1"), ["1"]);
    });
}

/// Who waits for another writer waits in no native code, and its time limit counts.
#[test]
fn a_writer_waits_for_its_turn_and_not_for_ever() {
    in_both_modes(|served| {
        let (mut first, mut second) = (served.client(), served.client());
        rows(&mut first, "CREATE TABLE t (id INTEGER)");
        rows(&mut first, "BEGIN; INSERT INTO t VALUES (1)");
        rows(&mut second, "SET statement_timeout = 50");
        assert_eq!(code(&mut second, "INSERT INTO t VALUES (2)"), "57014");
        rows(&mut second, "SET statement_timeout = 0");
        let waiting = thread::spawn(move || rows(&mut second, "INSERT INTO t VALUES (3)"));
        rows(&mut first, "COMMIT");
        waiting.join().expect("it gets its turn");
        assert_eq!(rows(&mut first, "SELECT id FROM t ORDER BY id"), ["1", "3"]);
    });
}

/// `KILL` says what its victim is at, and the victim's client is told why it ends.
#[test]
fn killed_sessions_end_running_or_idle() {
    in_both_modes(|served| {
        let (mut idle, mut running, mut killer) =
            (served.client(), served.client(), served.client());
        let ids: Vec<i32> = {
            let server = served.server.as_ref().expect("it runs");
            server
                .shared
                .registry
                .sessions()
                .iter()
                .map(|entry| entry.id)
                .collect()
        };
        let runner = thread::spawn(move || running.query(ENDLESS));
        served.wait_for_native_code(1);
        for id in &ids[..2] {
            rows(&mut killer, &format!("KILL {id}"));
        }
        let answer = runner.join().expect("it ends").expect("it is told");
        assert_eq!(answer.error.expect("an error").0, "57P01");
        let answer = idle.answer().expect("it is told");
        assert_eq!(answer.error.expect("an error").0, "57P01");
        served.wait_for_sessions(1);
    });
}

/// A client that vanishes in a transaction leaves neither rows nor the turn to write.
#[test]
fn clients_that_vanish_leave_nothing() {
    in_both_modes(|served| {
        let mut client = served.client();
        rows(&mut client, "CREATE TABLE t (id INTEGER)");
        for _ in 0..20 {
            let mut gone = served.client();
            rows(&mut gone, "BEGIN; INSERT INTO t VALUES (1)");
            drop(gone);
        }
        rows(&mut client, "INSERT INTO t VALUES (2)");
        assert_eq!(rows(&mut client, "SELECT id FROM t"), ["2"]);
        served.wait_for_sessions(1);
    });
}

/// Deep statements are refused, or fit on a session's stack: one that did not would end the process.
#[test]
fn deep_statements_are_refused_or_carried_out() {
    let chain =
        |term: &str, by: &str, count: usize| format!("SELECT {}", vec![term; count].join(by));
    let nested = |open: &str, inner: &str, close: &str, count: usize| {
        format!(
            "SELECT {}{inner}{}",
            open.repeat(count),
            close.repeat(count)
        )
    };
    let brackets = format!("SELECT json('{}{}')", "[".repeat(1000), "]".repeat(1000));
    let chained_tables: Vec<String> = (1..400)
        .map(|n| format!("a{n} AS (SELECT * FROM a{})", n - 1))
        .collect();
    let statements = [
        chain("random() = 1", " OR ", 490),
        chain("random()", " + ", 490),
        chain("'a'", " || ", 490),
        chain("random() = 1", " OR ", 5000),
        chain("1", " UNION ALL SELECT ", 499),
        chain("1", " UNION SELECT ", 5000),
        nested("NOT ", "random()", "", 480),
        nested("-", "random()", "", 480),
        nested("abs(", "1", ")", 90),
        nested("abs(", "1", ")", 5000),
        nested("(SELECT ", "1", ")", 90),
        nested("(SELECT ", "1", ")", 5000),
        nested("CASE WHEN random() THEN ", "1", " END", 80),
        nested("1 IN (SELECT ", "1", ")", 80),
        nested("(", "1", ")", 5000),
        brackets,
        format!("SELECT '{}' LIKE '{}b'", "a".repeat(400), "%a".repeat(300)),
        format!(
            "SELECT '{}' LIKE '{}b'",
            "a".repeat(5000),
            "%a".repeat(2000)
        ),
        format!(
            "SELECT relname FROM pg_catalog.pg_class WHERE {}1{}",
            "(".repeat(2000),
            ")".repeat(2000)
        ),
        format!(
            "WITH a0 AS (SELECT 1), {} SELECT * FROM a399",
            chained_tables.join(", ")
        ),
    ];
    in_both_modes(|served| {
        let mut client = served.client();
        rows(&mut client, "SET statement_timeout = 2000");
        for sql in &statements {
            let answer = client.query(sql).expect("an answer");
            let code = answer.error.map(|(code, _)| code);
            let expected = [
                None,
                Some("54000"),
                Some("54001"),
                Some("57014"),
                Some("42601"),
                Some("22P02"),
            ];
            assert!(
                expected.contains(&code.as_deref()),
                "{code:?} for {}",
                &sql[..60]
            );
        }
    });
}

/// Sessions have the same connections one after the other, and see nothing of that.
#[test]
fn statements_leave_nothing_in_a_connection() {
    in_both_modes(|served| {
        let mut client = served.client();
        rows(&mut client, "CREATE TABLE t (i INTEGER)");
        for sql in [
            "CREATE TEMP TABLE u (i)",
            "CREATE TABLE temp.u (i)",
            "CREATE TEMP VIEW u AS SELECT 1",
            "DROP VIEW pg_class",
            "ATTACH 'other.db' AS other",
            "ATTACH 'other' || '.db' AS other",
            "DETACH temp",
            "VACUUM INTO 'other.db'",
            "PRAGMA query_only = on",
            "PRAGMA foreign_keys = off",
            "PRAGMA journal_mode = delete",
        ] {
            assert_eq!(code(&mut client, sql), "0A000", "{sql}");
        }
        for sql in [
            "PRAGMA table_info(t)",
            "PRAGMA foreign_keys",
            "VACUUM",
            "INSERT INTO t VALUES (1)",
        ] {
            rows(&mut client, sql);
        }
    });
}

/// What is asked without a Sync is answered as it grows, so that it is not all kept.
#[test]
fn answers_that_nobody_asks_for_are_not_kept() {
    in_both_modes(|served| {
        let mut client = served.client();
        let mut ask = b"P\0\0\0\x27\0SELECT 'a text of thirty bytes'\0\0\0".to_vec();
        assert_eq!(ask.len(), 40, "its length is true");
        ask.extend_from_slice(b"B\0\0\0\x0c\0\0\0\0\0\0\0\0E\0\0\0\x09\0\0\0\0\0");
        let many = ask.repeat(2000);
        client.stream().write_all(&many).expect("sent");
        // Far more than is kept has come before anybody asked for it.
        let mut seen = vec![0; 60_000];
        client.stream().read_exact(&mut seen).expect("it is sent");
    });
}

/// A statement that never ends by itself ends when its client is gone, also one that said goodbye behind it.
#[test]
fn a_statement_ends_when_its_client_is_gone() {
    in_both_modes(|served| {
        for goodbye in [&b""[..], b"X\0\0\0\x04"] {
            let mut client = served.client();
            let query = pgwire::messages::simplequery::Query::new(ENDLESS.to_owned());
            client.say(&query).expect("sent");
            client.stream().write_all(goodbye).expect("sent");
            served.wait_for_native_code(0);
            drop(client);
            served.wait_for_sessions(0);
        }
    });
}

fn read_error(stream: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("the end");
    bytes
}

fn contains(bytes: &[u8], part: &str) -> bool {
    bytes
        .windows(part.len())
        .any(|window| window == part.as_bytes())
}

#[test]
fn what_is_no_greeting_is_refused() {
    in_both_modes(|served| {
        for (bytes, expected) in [
            (&b"GET / HTTP/1.1\r\n\r\n"[..], "08P01"),
            (&[0, 0, 0, 4], "08P01"),
            (&[0, 0, 0, 8, 0, 2, 0, 0], "0A000"),
            (&[0, 0, 0, 9, 0, 3, 0, 0, 0], "28000"),
            (&[0, 0, 0, 8, 0, 3, 0, 0], "08P01"),
            (&[0, 0, 0, 12, 0, 3, 0, 0, 65, 66, 67, 68], "08P01"),
        ] {
            let mut stream = served.stream();
            stream.write_all(bytes).expect("it takes them");
            stream.shutdown(std::net::Shutdown::Write).expect("the end");
            let answer = read_error(&mut stream);
            assert!(
                contains(&answer, expected),
                "{bytes:?}: {}",
                String::from_utf8_lossy(&answer)
            );
        }
        assert_eq!(rows(&mut served.client(), "SELECT 1"), ["1"]);
    });
}

/// A message that is wrong inside, or too long, costs an error; one whose length cannot be true costs the session.
#[test]
fn malformed_messages_cost_no_more_than_they_must() {
    in_both_modes(|served| {
        let mut client = served.client();
        // A query without its zero.
        client.stream().write_all(b"Q\0\0\0\x05a").expect("sent");
        assert_eq!(
            client
                .answer()
                .expect("an answer")
                .error
                .expect("an error")
                .0,
            "08P01"
        );
        // Every kind of message, empty inside; those that may be are answered by a Sync.
        for kind in b"QPBDCEdcfp" {
            client
                .stream()
                .write_all(&[*kind, 0, 0, 0, 4])
                .expect("sent");
            client.stream().write_all(b"S\0\0\0\x04").expect("sent");
            while client.answer().expect("an answer").error.is_some() && *kind == b'Q' {}
        }
        assert_eq!(rows(&mut client, "SELECT 3"), ["3"]);
        // A bind that promises more parameters than it has; then a Sync.
        client
            .stream()
            .write_all(b"B\0\0\0\x0a\0\0\0\0\xff\xffS\0\0\0\x04")
            .expect("sent");
        assert_eq!(
            client
                .answer()
                .expect("an answer")
                .error
                .expect("an error")
                .0,
            "08P01"
        );
        assert_eq!(rows(&mut client, "SELECT 1"), ["1"]);
        long_message(&mut client);
        assert_eq!(rows(&mut client, "SELECT 2"), ["2"]);
        for bytes in [&b"Q\0\0\0\x03"[..], b"Q\xff\xff\xff\xff", b"\0\0\0\0\x04"] {
            let mut client = served.client();
            client.stream().write_all(bytes).expect("sent");
            let answer = client.answer().expect("it is told");
            assert_eq!(answer.error.expect("an error").0, "08P01", "{bytes:?}");
        }
    });
}

fn long_message(client: &mut Client<std::net::TcpStream>) {
    let length: u32 = 20 << 20;
    let stream = client.stream();
    stream.write_all(b"Q").expect("sent");
    stream.write_all(&length.to_be_bytes()).expect("sent");
    let chunk = vec![b' '; 1 << 20];
    let mut left = length as usize - 4;
    while left > 0 {
        let part = left.min(chunk.len());
        stream.write_all(&chunk[..part]).expect("sent");
        left -= part;
    }
    assert_eq!(
        client
            .answer()
            .expect("an answer")
            .error
            .expect("an error")
            .0,
        "54000"
    );
}

/// A native call that blocks its thread delays nobody but its own session for longer than the hand-over takes.
#[test]
fn native_code_that_blocks_holds_nobody_up() {
    in_both_modes(|served| {
        let sleepers: Vec<_> = (0..4)
            .map(|_| {
                let mut client = served.client();
                thread::spawn(move || rows(&mut client, "SELECT pg_sleep(2)"))
            })
            .collect();
        for place in 0..sleepers.len() {
            served.wait_for_native_code(place);
        }
        // A new session too: whoever listens must not depend on a thread that a sleeper holds.
        for _ in 0..5 {
            let begun = Instant::now();
            assert_eq!(rows(&mut served.client(), "SELECT 1"), ["1"]);
            let took = begun.elapsed();
            assert!(took < Duration::from_millis(500), "it waited for {took:?}");
        }
        for sleeper in sleepers {
            sleeper.join().expect("it wakes");
        }
    });
}

#[test]
fn the_operator_sees_sessions_and_tasks() {
    in_both_modes(|served| {
        let mut client = served.client();
        assert_eq!(
            rows(&mut client, "SELECT count(*) FROM sys.dm_exec_sessions"),
            ["1"]
        );
        let mut other = served.client();
        rows(&mut other, "SELECT 1");
        // The one that asks runs, in SQLite; the other one waits for its client.
        assert_eq!(
            rows(
                &mut client,
                "SELECT status, native FROM sys.dm_exec_sessions ORDER BY session_id"
            ),
            ["running|sqlite3_step", "sleeping|null"]
        );
        let tasks = "SELECT count(*) FROM sys.dm_os_tasks t \
             JOIN sys.dm_os_waiting_tasks w ON w.waiting_task_id = t.task_id WHERE w.wait_type = 'Readable'";
        assert!(rows(&mut client, tasks)[0].parse::<u32>().expect("a count") >= 1);
        // The one that asks is in native code, where its thread is.
        let sections = "SELECT count(*) FROM sys.dm_os_native_sections";
        assert!(rows(&mut client, sections)[0].parse::<u32>().is_ok());
        // By its number, another one can be ended.
        let id = "SELECT session_id FROM sys.dm_exec_sessions WHERE status = 'sleeping'";
        let id = rows(&mut client, id)[0].clone();
        rows(&mut client, &format!("KILL {id}"));
        let gone = format!("SELECT count(*) FROM sys.dm_exec_sessions WHERE session_id = {id}");
        let until = Instant::now() + Duration::from_secs(20);
        while rows(&mut client, &gone) != ["0"] {
            assert!(Instant::now() < until, "it is still there");
            thread::sleep(Duration::from_millis(5));
        }
        for (table, at_least) in [
            ("dm_os_schedulers", 2),
            ("dm_os_workers", 1),
            ("dm_os_tasks", 2),
            ("dm_os_threads", 3),
            ("dm_os_waiting_tasks", 1),
            ("dm_os_wait_stats", 1),
            ("dm_os_sys_info", 1),
            ("dm_exec_sessions", 1),
            ("dm_exec_requests", 1),
            ("configurations", 1),
        ] {
            let count = &rows(&mut client, &format!("SELECT count(*) FROM sys.{table}"))[0];
            let count: u32 = count.parse().expect("a count");
            assert!(count >= at_least, "{count} rows in {table}");
        }
        assert_eq!(code(&mut client, "SELECT * FROM sys.absent"), "42P01");
    });
}
