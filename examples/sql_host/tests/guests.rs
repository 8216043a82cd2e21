//! Functions and procedures: what goes in and comes out, how they call each other, and what becomes of those that go wrong.
#![forbid(unsafe_code)]

mod common;

use std::sync::Arc;

use common::{Database, code, create, in_both_modes, rows, serve_as};
use sql_host::engine::Engine;
use sql_host::wasm::Wasm;

const FEE: &str = include_str!("../guests/fee.wat");
const MEDIAN: &str = include_str!("../guests/median.wat");
const TRANSFER: &str = include_str!("../guests/transfer.wat");

#[test]
fn the_three_guests_do_what_they_say() {
    in_both_modes(|served| {
        let mut client = served.client();
        create(
            &mut client,
            "FUNCTION fee(amount bigint, per_mille integer) RETURNS bigint",
            FEE,
        );
        create(
            &mut client,
            "FUNCTION median(list text) RETURNS bigint",
            MEDIAN,
        );
        create(
            &mut client,
            "PROCEDURE transfer(source bigint, target bigint, amount bigint)",
            TRANSFER,
        );
        assert_eq!(
            rows(&mut client, "SELECT fee(1000, 5), fee(1, 5), fee(NULL, 5)"),
            ["5|1|null"]
        );
        assert_eq!(
            rows(
                &mut client,
                "SELECT median('30,10,20'), median('7'), median('')"
            ),
            ["20|7|0"]
        );
        rows(
            &mut client,
            "CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);
             INSERT INTO accounts VALUES (1, 0), (2, 1000), (3, 0)",
        );
        let balances = "SELECT balance FROM accounts ORDER BY id";
        rows(&mut client, "CALL transfer(2, 3, 400)");
        assert_eq!(rows(&mut client, balances), ["2", "598", "400"]);
        // By then the source has paid.
        rows(
            &mut client,
            "CREATE TRIGGER none AFTER UPDATE ON accounts WHEN new.id = 3 AND new.balance > 500 \
                           BEGIN SELECT raise(ABORT, 'too rich'); END",
        );
        assert_eq!(code(&mut client, "CALL transfer(2, 3, 200)"), "23000");
        assert_eq!(code(&mut client, "CALL transfer(2, 3, 600)"), "38000");
        assert_eq!(rows(&mut client, balances), ["2", "598", "400"]);
        // In a transaction of the client's it is the client's.
        rows(&mut client, "BEGIN; CALL transfer(2, 3, 10)");
        rows(&mut client, "ROLLBACK");
        assert_eq!(rows(&mut client, balances), ["2", "598", "400"]);
    });
}

#[test]
fn values_of_every_type_come_through() {
    in_both_modes(|served| {
        let mut client = served.client();
        for (ty, wasm, value, shown) in [
            ("boolean", "i32", "1", "1"),
            ("smallint", "i32", "-3", "-3"),
            ("integer", "i32", "2147483647", "2147483647"),
            (
                "bigint",
                "i64",
                "-9223372036854775808",
                "-9223372036854775808",
            ),
            ("real", "f32", "1.5", "1.5"),
            ("double precision", "f64", "0.1", "0.1"),
        ] {
            let body = format!(
                r#"(module (func (export "same") (param {wasm}) (result {wasm}) (local.get 0)))"#
            );
            create(
                &mut client,
                &format!("OR REPLACE FUNCTION same({ty}) RETURNS {ty}"),
                &body,
            );
            assert_eq!(
                rows(&mut client, &format!("SELECT same({value})")),
                [shown],
                "{ty}"
            );
            assert_eq!(rows(&mut client, "SELECT same(NULL)"), ["null"], "{ty}");
        }
        for (ty, value, shown) in [
            ("text", "'a; \u{e4}'", "a; \u{e4}"),
            ("bytea", "x'00ff'", "\\x00ff"),
        ] {
            let body = r#"(module (memory (export "memory") 1)
                (func (export "alloc") (param i32) (result i32) (i32.const 8))
                (func (export "same") (param i32 i32) (result i32 i32) (local.get 0) (local.get 1)))"#;
            create(
                &mut client,
                &format!("OR REPLACE FUNCTION same({ty}) RETURNS {ty}"),
                body,
            );
            assert_eq!(
                rows(&mut client, &format!("SELECT same({value})")),
                [shown],
                "{ty}"
            );
            assert_eq!(rows(&mut client, "SELECT length(same(''))"), ["0"], "{ty}");
        }
        // What was prepared before goes by the new definition.
        assert_eq!(rows(&mut client, "DROP FUNCTION same"), [""; 0]);
        assert_eq!(code(&mut client, "SELECT same('')"), "42883");
    });
}

#[test]
fn what_is_no_guest_is_refused() {
    in_both_modes(|served| {
        let mut client = served.client();
        let one = r#"(module (func (export "f") (param i64) (result i64) (local.get 0)))"#;
        for (head, body, expected) in [
            ("FUNCTION f(bigint) RETURNS bigint", "nonsense", "42P13"),
            ("FUNCTION f(bigint) RETURNS bigint", "(module", "42P13"),
            ("FUNCTION f(bigint) RETURNS bigint", "(module)", "42P13"),
            ("FUNCTION f(integer) RETURNS bigint", one, "42P13"),
            ("FUNCTION f(bigint) RETURNS text", one, "42P13"),
            ("FUNCTION f(bigint, bigint) RETURNS bigint", one, "42P13"),
            ("PROCEDURE f(bigint)", one, "42P13"),
            (
                "FUNCTION f() RETURNS bigint",
                r#"(module (func (export "f") (result i64) (i32.add)))"#,
                "42P13",
            ),
            (
                "FUNCTION f() RETURNS bigint",
                r#"(module (import "no" "such" (func)) (func (export "f") (result i64) (i64.const 0)))"#,
                "42P13",
            ),
            // Text without a place for it.
            (
                "FUNCTION f(text) RETURNS bigint",
                r#"(module (func (export "f") (param i32 i32) (result i64) (i64.const 0)))"#,
                "42P13",
            ),
        ] {
            let sql = format!("CREATE {head} LANGUAGE wasm AS $guest${body}$guest$");
            assert_eq!(code(&mut client, &sql), expected, "{sql}");
        }
        let long = format!("{one} ;;{}", "x".repeat(1 << 20));
        let sql = format!(
            "CREATE FUNCTION f(bigint) RETURNS bigint LANGUAGE wasm AS $guest${long}$guest$"
        );
        assert_eq!(code(&mut client, &sql), "54000");
        assert_eq!(code(&mut client, "SELECT f(1)"), "42883");
        create(&mut client, "FUNCTION f(bigint) RETURNS bigint", one);
        let sql = format!(
            "CREATE FUNCTION f(bigint) RETURNS bigint LANGUAGE wasm AS $guest${one}$guest$"
        );
        assert_eq!(code(&mut client, &sql), "42723");
        assert_eq!(code(&mut client, "SELECT f()"), "42883");
        assert_eq!(code(&mut client, "CALL f(1)"), "42883");
        assert_eq!(rows(&mut client, "SELECT f(7)"), ["7"]);
    });
}

/// Each is an error of that statement, and the next one, in this session and in another, goes on with the same function.
#[test]
fn guests_that_go_wrong_end_their_statement_alone() {
    in_both_modes(|served| {
        let (mut client, mut other) = (served.client(), served.client());
        rows(&mut client, "CREATE TABLE t (id INTEGER)");
        let body = r#"(module
            (import "sql" "run" (func $run (param i32 i32) (result i32)))
            (import "sql" "int" (func $int (param i32 i32) (result i64)))
            (import "native" "sort" (func $sort (param i32 i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "INSERT INTO t VALUES (1)")
            (data (i32.const 32) "COMMIT")
            (data (i32.const 48) "SELECT absent")
            (data (i32.const 64) "\ff\fe")
            (data (i32.const 80) "SELECT 'x'")
            (func (export "compare") (param i64 i64) (result i32) (unreachable))
            (func $deep (param i64) (result i64) (i64.add (call $deep (local.get 0)) (i64.const 1)))
            (func $case (export "f") (param $case i64) (result i64)
                (if (i64.eq (local.get $case) (i64.const 1)) (then (unreachable)))
                (if (i64.eq (local.get $case) (i64.const 2))
                    (then (return (i64.div_s (i64.const 1) (i64.const 0)))))
                (if (i64.eq (local.get $case) (i64.const 3)) (then (return (call $deep (i64.const 0)))))
                (if (i64.eq (local.get $case) (i64.const 4)) (then (drop (memory.grow (i32.const 1000)))))
                (if (i64.eq (local.get $case) (i64.const 5))
                    (then (return (i64.load (i32.const 70000)))))
                (if (i64.eq (local.get $case) (i64.const 6))
                    (then (drop (call $run (i32.const 0) (i32.const 24)))))
                (if (i64.eq (local.get $case) (i64.const 7))
                    (then (drop (call $run (i32.const 32) (i32.const 6)))))
                (if (i64.eq (local.get $case) (i64.const 8))
                    (then (drop (call $run (i32.const 48) (i32.const 13)))))
                (if (i64.eq (local.get $case) (i64.const 9))
                    (then (drop (call $run (i32.const 64) (i32.const 2)))))
                (if (i64.eq (local.get $case) (i64.const 10))
                    (then (drop (call $run (i32.const 65530) (i32.const 100)))))
                (if (i64.eq (local.get $case) (i64.const 11))
                    (then (return (call $int (i32.const 0) (i32.const 0)))))
                (if (i64.eq (local.get $case) (i64.const 12)) (then (call $sort (i32.const 1024) (i32.const 3))))
                (if (i64.eq (local.get $case) (i64.const 13)) (then (call $sort (i32.const 0) (i32.const -1))))
                (if (i64.eq (local.get $case) (i64.const 14))
                    (then (drop (call $run (i32.const 0) (i32.const -1)))))
                (if (i64.eq (local.get $case) (i64.const 15)) (then
                    (drop (call $run (i32.const 80) (i32.const 10)))
                    (return (call $int (i32.const 0) (i32.const 0)))))
                (i64.const 42))
            (func (export "p") (param $case i64) (drop (call $case (local.get $case)))))"#;
        create(&mut client, "FUNCTION f(bigint) RETURNS bigint", body);
        create(&mut client, "PROCEDURE p(bigint)", body);
        for (case, function, procedure) in [
            (1, "38000", Some("38000")),
            (2, "22012", Some("22012")),
            (3, "54001", Some("54001")),
            (4, "53200", Some("53200")),
            (5, "38000", Some("38000")),
            // A function only reads.
            (6, "38002", None),
            (7, "2D000", Some("2D000")),
            (8, "42703", Some("42703")),
            (9, "22021", Some("22021")),
            (10, "38000", Some("38000")),
            (11, "38000", Some("38000")),
            (12, "38000", Some("38000")),
            (13, "54000", Some("54000")),
            (14, "54000", Some("54000")),
            (15, "22000", Some("22000")),
        ] {
            assert_eq!(
                code(&mut client, &format!("SELECT f({case})")),
                function,
                "function {case}"
            );
            assert_eq!(rows(&mut client, "SELECT f(0)"), ["42"]);
            assert_eq!(rows(&mut other, "SELECT f(0)"), ["42"]);
            let call = format!("CALL p({case})");
            match procedure {
                Some(expected) => {
                    assert_eq!(code(&mut client, &call), expected, "procedure {case}")
                }
                None => drop(rows(&mut client, &call)),
            }
            rows(&mut other, "CALL p(0)");
        }
        assert_eq!(rows(&mut client, "SELECT count(*) FROM t"), ["1"]);
        // So large from the start.
        let large =
            r#"(module (memory 1000) (func (export "f") (param i64) (result i64) (i64.const 0)))"#;
        create(
            &mut client,
            "OR REPLACE FUNCTION f(bigint) RETURNS bigint",
            large,
        );
        assert_eq!(code(&mut client, "SELECT f(0)"), "53200");
        assert_eq!(rows(&mut client, "SELECT 1"), ["1"]);
    });
}

/// Managed code, SQLite, managed code, and so on: down until the stack is used up, which is an error of the statement.
#[test]
fn functions_and_statements_call_each_other_to_any_depth() {
    in_both_modes(|served| {
        let mut client = served.client();
        let body = r#"(module
            (import "sql" "bind_int" (func $bind (param i64)))
            (import "sql" "run" (func $run (param i32 i32) (result i32)))
            (import "sql" "int" (func $int (param i32 i32) (result i64)))
            (memory (export "memory") 1)
            (data (i32.const 0) "SELECT down($1)")
            (func $down (export "down") (param $levels i64) (result i64)
                (if (i64.eqz (local.get $levels)) (then (return (i64.const 0))))
                (call $bind (i64.sub (local.get $levels) (i64.const 1)))
                (drop (call $run (i32.const 0) (i32.const 15)))
                (i64.add (i64.const 1) (call $int (i32.const 0) (i32.const 0))))
            (func (export "go_down") (param $levels i64)
                (if (i64.ne (call $down (local.get $levels)) (local.get $levels)) (then (unreachable)))))"#;
        create(&mut client, "FUNCTION down(bigint) RETURNS bigint", body);
        create(&mut client, "PROCEDURE go_down(bigint)", body);
        for levels in [0, 1, 8] {
            assert_eq!(
                rows(&mut client, &format!("SELECT down({levels})")),
                [levels.to_string()]
            );
            rows(&mut client, &format!("CALL go_down({levels})"));
        }
        assert_eq!(code(&mut client, "SELECT down(1000)"), "54001");
        assert_eq!(code(&mut client, "CALL go_down(1000)"), "54001");
        assert_eq!(rows(&mut client, "SELECT down(3)"), ["3"]);
    });
}

/// A session that keeps its connection, since it is in a transaction, sees what is defined meanwhile.
#[test]
fn definitions_are_seen_in_a_transaction() {
    in_both_modes(|served| {
        let mut client = served.client();
        rows(&mut client, "BEGIN");
        create(
            &mut client,
            "FUNCTION fee(bigint, integer) RETURNS bigint",
            FEE,
        );
        assert_eq!(rows(&mut client, "SELECT fee(1000, 5)"), ["5"]);
        rows(&mut client, "COMMIT");
    });
}

/// They are rows of the database: a server that starts on it has them, as the last transactions have left them.
#[test]
fn definitions_outlive_the_server() {
    for thread_mode in [false, true] {
        let database = Database::new();
        let serve = || {
            serve_as(thread_mode, |setup| {
                setup.database = database.path().to_owned()
            })
        };
        let fee = "FUNCTION fee(bigint, integer) RETURNS bigint";
        let none = "(module (func (export \"fee\") (param i64 i32) (result i64) (i64.const 0)))";
        let nothing = "(module (func (export \"nothing\")))";

        let served = serve();
        let mut client = served.client();
        create(&mut client, fee, FEE);
        create(&mut client, "PROCEDURE nothing()", nothing);
        rows(&mut client, "BEGIN");
        create(
            &mut client,
            "OR REPLACE FUNCTION fee(bigint, integer) RETURNS bigint",
            none,
        );
        assert_eq!(rows(&mut client, "SELECT fee(1000, 5)"), ["0"]);
        rows(&mut client, "DROP PROCEDURE nothing; ROLLBACK");
        assert_eq!(rows(&mut client, "SELECT fee(1000, 5)"), ["5"], "as before");
        rows(&mut client, "CALL nothing()");
        // One whose client goes in its transaction.
        let mut gone = served.client();
        rows(&mut gone, "BEGIN");
        create(
            &mut gone,
            "FUNCTION gone() RETURNS bigint",
            "(module (func (export \"gone\") (result i64) (i64.const 0)))",
        );
        drop(gone);
        served.wait_for_sessions(1);
        assert_eq!(code(&mut client, "SELECT gone()"), "42883");
        drop(client);
        served.stop();

        let served = serve();
        let mut client = served.client();
        assert_eq!(rows(&mut client, "SELECT fee(1000, 5)"), ["5"]);
        rows(&mut client, "CALL nothing(); DROP PROCEDURE nothing");
        assert_eq!(code(&mut client, "SELECT gone()"), "42883");
        drop(client);
        served.stop();

        let served = serve();
        let mut client = served.client();
        assert_eq!(rows(&mut client, "SELECT fee(1000, 5)"), ["5"]);
        assert_eq!(code(&mut client, "CALL nothing()"), "42883");
        // Of what is no definition the next start says where it is.
        rows(
            &mut client,
            "UPDATE sql_host_functions SET definition = 'SELECT 1'",
        );
        drop(client);
        served.stop();
        let error = Engine::new(
            database.path().to_owned(),
            Arc::new(Wasm::new().expect("a runtime")),
        )
        .prepare();
        let error = error.expect_err("it is none");
        assert_eq!(error.code, "42601");
        assert!(error.message.contains("fee"), "{error}");
    }
}
