//! Clients that others have written: psql, pgbench, and the `postgres` crate.
//!
//! The first two are Debian's `postgresql-client` and `postgresql-contrib`. Where they are missing their tests say so and pass,
//! but not where `CI` is set.
#![forbid(unsafe_code)]

mod common;

use std::path::PathBuf;
use std::process::{Command, Output};
use std::thread;

use common::{LONG, Served, in_both_modes, rows};
use postgres::error::SqlState;
use postgres::types::Type;
use postgres::{Client, NoTls};

/// The program's path, if it is installed.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let places = std::env::split_paths(&path).chain(versions.map(|entry| entry.path().join("bin")));
    let found = places
        .map(|place| place.join(name))
        .find(|file| file.is_file());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{name} is not installed");
        eprintln!(
            "skipped: {name} is not installed (Debian: postgresql-client, postgresql-contrib)"
        );
    }
    found
}

fn run(program: &PathBuf, served: &Served, arguments: &[&str]) -> Output {
    Command::new(program)
        .args([
            "-h",
            "127.0.0.1",
            "-U",
            "sql",
            "-p",
            &served.port().to_string(),
        ])
        .args(arguments)
        .env("PGCONNECT_TIMEOUT", "10")
        .env_remove("PGOPTIONS")
        .output()
        .expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn psql_queries_and_shows_errors() {
    let Some(psql) = program("psql") else { return };
    in_both_modes(|served| {
        let psql = |commands: &[&str]| {
            let mut arguments = vec!["-X", "-A", "-t", "sql"];
            for command in commands {
                arguments.extend(["-c", command]);
            }
            run(&psql, served, &arguments)
        };
        let output = psql(&[
            "CREATE TABLE pets (id INTEGER PRIMARY KEY, name TEXT, weight REAL)",
            "INSERT INTO pets VALUES (1, 'Ada', 4.5), (2, NULL, 0.25)",
            "SELECT * FROM pets ORDER BY id",
            "\\timing",
            "SELECT 'timed'",
        ]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let shown = text(&output.stdout);
        assert!(
            shown.starts_with("CREATE TABLE\nINSERT 0 2\n1|Ada|4.5\n2||0.25\n"),
            "{shown}"
        );
        assert!(shown.contains("timed\nTime: "), "{shown}");
        let output = psql(&["SELECT absent FROM pets"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("ERROR:  no such column: absent"));
    });
}

/// The catalogue's queries are parsed and rewritten, whatever their spaces and case.
#[test]
fn psql_describes_tables() {
    let Some(psql) = program("psql") else { return };
    in_both_modes(|served| {
        let mut client = served.client();
        rows(
            &mut client,
            "CREATE TABLE pets (id INTEGER PRIMARY KEY, name TEXT DEFAULT 'x', kg REAL)",
        );
        rows(
            &mut client,
            "CREATE TABLE owners (id INTEGER); CREATE VIEW heavy AS SELECT * FROM pets",
        );
        let describe = |command: &str| {
            let output = run(&psql, served, &["-X", "-A", "-t", "sql", "-c", command]);
            assert!(
                output.status.success(),
                "{command}: {}",
                text(&output.stderr)
            );
            assert_eq!(text(&output.stderr), "");
            text(&output.stdout)
        };
        assert_eq!(
            describe("\\dt"),
            "public|owners|table|sql\npublic|pets|table|sql\n"
        );
        assert_eq!(describe("\\dt p*"), "public|pets|table|sql\n");
        assert_eq!(describe("\\dv"), "public|heavy|view|sql\n");
        let expected = "id|bigint||not null|\nname|text|||'x'\nkg|double precision|||\n";
        assert_eq!(describe("\\d pets"), expected);
        let sql = "select RELNAME from\n  pg_catalog . pg_class where relname\n operator(pg_catalog.~)'^ow'";
        assert_eq!(rows(&mut client, sql), ["owners"]);
        assert_eq!(
            rows(&mut client, "SELECT 'pg_catalog.pg_class ~'"),
            ["pg_catalog.pg_class ~"]
        );
        let none = run(&psql, served, &["-X", "sql", "-c", "\\d absent"]);
        assert!(text(&none.stderr).contains("Did not find any relation named \"absent\""));
    });
}

#[test]
fn pgbench_runs_simple_and_prepared() {
    let Some(pgbench) = program("pgbench") else {
        return;
    };
    in_both_modes(|served| {
        let mut client = served.client();
        rows(
            &mut client,
            "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)",
        );
        rows(&mut client, "INSERT INTO t VALUES (1, 0), (2, 0), (3, 0)");
        let script = std::env::temp_dir().join(format!("sql_host-{}.pgbench", served.port()));
        let lines = "\\set id random(1, 3)\n\
                     BEGIN;\n\
                     UPDATE t SET n = n + 1 WHERE id = :id;\n\
                     SELECT n FROM t WHERE id = :id;\n\
                     COMMIT;\n";
        std::fs::write(&script, lines).expect("written");
        let file = script.to_str().expect("a name in ASCII");
        for (round, mode) in ["simple", "extended", "prepared"].iter().enumerate() {
            let output = run(
                &pgbench,
                served,
                &[
                    "-n", "-f", file, "-M", mode, "-c", "8", "-j", "1", "-t", "50", "sql",
                ],
            );
            let said = text(&output.stdout) + &text(&output.stderr);
            assert!(output.status.success(), "{mode}: {said}");
            assert!(
                said.contains("number of transactions actually processed: 400/400"),
                "{said}"
            );
            let expected = (400 * (round + 1)).to_string();
            assert_eq!(rows(&mut client, "SELECT sum(n) FROM t"), [expected]);
        }
        std::fs::remove_file(&script).expect("it is there");
    });
}

fn connect(served: &Served) -> Client {
    let parameters = format!("host=127.0.0.1 port={} user=sql dbname=sql", served.port());
    Client::connect(&parameters, NoTls).expect("it greets")
}

#[test]
fn the_postgres_crate_prepares_binds_and_fetches() {
    in_both_modes(|served| {
        let mut client = connect(served);
        client
            .batch_execute("CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT, weight REAL, data BLOB, ok BOOLEAN)")
            .expect("created");
        let types = [
            Type::INT8,
            Type::TEXT,
            Type::FLOAT8,
            Type::BYTEA,
            Type::BOOL,
        ];
        let insert = client
            .prepare_typed("INSERT INTO t VALUES ($1, $2, $3, $4, $5)", &types)
            .expect("prepared");
        for id in 1..=5_i64 {
            let (name, data) = (format!("name {id}"), vec![0_u8, 255, id as u8]);
            let weight = (id != 3).then_some(id as f64 / 4.0);
            let count = client.execute(&insert, &[&id, &name, &weight, &data, &(id % 2 == 0)]);
            assert_eq!(count.expect("inserted"), 1);
        }
        let rows = client
            .query("SELECT * FROM t ORDER BY id", &[])
            .expect("rows");
        assert_eq!(rows.len(), 5);
        assert_eq!(rows[1].get::<_, i64>("id"), 2);
        assert_eq!(rows[1].get::<_, &str>("name"), "name 2");
        assert_eq!(rows[2].get::<_, Option<f64>>("weight"), None);
        assert_eq!(rows[4].get::<_, Vec<u8>>("data"), [0, 255, 5]);
        assert!(rows[1].get::<_, bool>("ok"));
        // Parameters are known by their numbers, wherever they stand.
        let row = client
            .query_one(
                "SELECT id FROM t WHERE name = $2 AND $1 = 'x'",
                &[&"x", &"name 4"],
            )
            .expect("a row");
        assert_eq!(row.get::<_, i64>(0), 4);
        fetch_in_parts(&mut client);
        let error = client.execute(&insert, &[&1_i64, &"", &0.0, &vec![0_u8], &true]);
        let error = error.expect_err("there is one of that number");
        assert_eq!(error.code(), Some(&SqlState::UNIQUE_VIOLATION));
        assert_eq!(
            client.query("SELECT id FROM t", &[]).expect("rows").len(),
            5
        );
    });
}

fn fetch_in_parts(client: &mut Client) {
    let mut transaction = client.transaction().expect("begun");
    let portal = transaction
        .bind("SELECT id FROM t ORDER BY id", &[])
        .expect("bound");
    let mut sizes = Vec::new();
    loop {
        let rows = transaction.query_portal(&portal, 2).expect("rows");
        sizes.push(rows.len());
        if rows.len() < 2 {
            break;
        }
    }
    assert_eq!(sizes, [2, 2, 1]);
    transaction.commit().expect("committed");
}

/// A cancel request comes on a connection of its own, and ends a statement in native code.
#[test]
fn a_cancel_request_ends_a_statement() {
    in_both_modes(|served| {
        let mut client = connect(served);
        let token = client.cancel_token();
        let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
        client
            .batch_execute(&format!("SET statement_timeout = {}", LONG.as_millis()))
            .expect("set");
        let error = thread::scope(|scope| {
            scope.spawn(|| {
                served.wait_for_native_code(0);
                token.cancel_query(NoTls).expect("it is taken");
            });
            client.simple_query(endless).expect_err("it is cancelled")
        });
        assert_eq!(error.code(), Some(&SqlState::QUERY_CANCELED));
        let message = error
            .as_db_error()
            .expect("the server says it")
            .message()
            .to_owned();
        assert_eq!(message, "canceling statement due to user request");
        assert_eq!(
            client.simple_query("SELECT 1").expect("it goes on").len(),
            3
        );
    });
}
