//! What clients ask: mostly one row, now and then a function over rows or a procedure that calls SQL, and in one of a hundred
//! statements native code that blocks for 50 ms.
#![forbid(unsafe_code)]

use std::io::{self, Read, Write};

use sql_host::client::Client;

/// Rows of the table.
const ITEMS: u64 = 10_000;

/// The kinds of statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Read,
    Function,
    Procedure,
    Sleep,
}

impl Class {
    pub(crate) const ALL: [Class; 4] =
        [Class::Read, Class::Function, Class::Procedure, Class::Sleep];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Class::Read => "read one row",
            Class::Function => "function over 100 rows",
            Class::Procedure => "procedure that calls SQL",
            Class::Sleep => "sleep 50 ms in native code",
        }
    }

    /// By chance, as often as the script has it.
    pub(crate) fn draw(dice: &mut Dice) -> Class {
        match dice.throw() % 100 {
            0 => Class::Sleep,
            1..=10 => Class::Function,
            11..=15 => Class::Procedure,
            _ => Class::Read,
        }
    }

    pub(crate) fn statement(self, dice: &mut Dice) -> String {
        let id = dice.throw() % ITEMS + 1;
        match self {
            Class::Read => format!("SELECT name, price FROM items WHERE id = {id}"),
            Class::Function => {
                let last = id + 99;
                format!("SELECT sum(bench_mix(price)) FROM items WHERE id BETWEEN {id} AND {last}")
            }
            Class::Procedure => format!("CALL bench_touch({id})"),
            Class::Sleep => "SELECT pg_sleep(0.05)".to_owned(),
        }
    }
}

/// A function of one number, and a procedure that reads a row and the next one.
const MANAGED: &str = r#"
CREATE FUNCTION bench_mix(price bigint) RETURNS bigint LANGUAGE wasm AS $$
(module
  (func (export "bench_mix") (param $price i64) (result i64)
    (i64.xor (i64.mul (local.get $price) (i64.const 31)) (i64.const 17))))
$$;
CREATE PROCEDURE bench_touch(id bigint) LANGUAGE wasm AS $$
(module
  (import "sql" "bind_int" (func $bind (param i64)))
  (import "sql" "run" (func $run (param i32) (param i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "SELECT price FROM items WHERE id = $1")
  (func $read (param $id i64)
    (call $bind (local.get $id))
    (drop (call $run (i32.const 0) (i32.const 37))))
  (func (export "bench_touch") (param $id i64)
    (call $read (local.get $id))
    (call $read (i64.add (local.get $id) (i64.const 1)))))
$$"#;

/// Makes the table, the function and the procedure.
pub(crate) fn prepare<S: Read + Write>(client: &mut Client<S>) -> io::Result<()> {
    let table = format!(
        "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price INTEGER NOT NULL);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ITEMS})
         INSERT INTO items SELECT i, 'item ' || i, i * 7 % 1000 FROM n;"
    );
    ask(client, &table)?;
    ask(client, MANAGED)
}

/// Asks; an error is one of the bench.
pub(crate) fn ask<S: Read + Write>(client: &mut Client<S>, sql: &str) -> io::Result<()> {
    match client.query(sql)?.error {
        None => Ok(()),
        Some((code, message)) => Err(io::Error::other(format!("{sql}: {message} ({code})"))),
    }
}

/// Pseudo-random numbers (SplitMix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0, exclusive, to 1.
    pub(crate) fn part(&mut self) -> f64 {
        ((self.throw() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }
}
