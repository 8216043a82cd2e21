//! The built-in load: so many clients, each of which asks, waits, and asks again.
//!
//! Of a thousand statements of a client about 799 read one row, 100 change one, 50 call a function of the managed runtime for
//! each of 100 rows, 50 call a procedure that moves an amount between two rows by SQL, in which SQLite calls a function again,
//! and one sleeps in native code for 50 ms, as an extension might. Every change adds one to a balance and a procedure adds
//! nothing to the sum, so the sum at the end tells whether a change was lost.
#![forbid(unsafe_code)]

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fiberhost::scheduler::Scheduler;
use fiberhost::scheduler::net::TcpStream;

use crate::client::Client;
use crate::histogram::Histogram;

const FEE: &str = include_str!("../guests/fee.wat");
const TRANSFER: &str = include_str!("../guests/transfer.wat");

/// Rows of the table.
const ACCOUNTS: u64 = 10_000;
/// What each begins with: procedures do not run out of it.
const BALANCE: u64 = 1_000_000;

/// The kinds of statements, by their place in [`Outcome::times`].
pub(crate) const KINDS: [&str; 5] = [
    "read one row",
    "change one row",
    "a function over 100 rows",
    "a procedure with SQL",
    "sleep 50 ms in native code",
];
const READ: usize = 0;
const CHANGE: usize = 1;
const FUNCTION: usize = 2;
const PROCEDURE: usize = 3;
const SLEEP: usize = 4;

/// What a load came to.
pub(crate) struct Outcome {
    /// How long it ran.
    pub(crate) took: Duration,
    /// How long statements took, by their kinds.
    pub(crate) times: [Histogram; KINDS.len()],
    /// The sum of all balances has grown by as many as changes were answered.
    pub(crate) is_whole: bool,
}

/// Counts statements while they run.
pub(crate) type Counter = Arc<AtomicU64>;

/// Makes the table anew.
///
/// # Errors
/// If a statement fails.
pub(crate) fn prepare(address: SocketAddr) -> io::Result<()> {
    let mut client = Client::greet(std::net::TcpStream::connect(address)?)?;
    let statements = format!(
        "DROP TABLE IF EXISTS accounts;
         CREATE TABLE accounts (id INTEGER PRIMARY KEY, owner TEXT NOT NULL, balance INTEGER NOT NULL);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ACCOUNTS})
         INSERT INTO accounts SELECT i, 'owner ' || i, {BALANCE} FROM n;
         CREATE OR REPLACE FUNCTION fee(amount bigint, per_mille integer) RETURNS bigint LANGUAGE wasm AS $guest${FEE}$guest$;
         CREATE OR REPLACE PROCEDURE transfer(source bigint, target bigint, amount bigint) LANGUAGE wasm AS $guest${TRANSFER}$guest$;"
    );
    check(client.query(&statements)?.error)
}

/// Runs it on a scheduler of its own.
///
/// # Errors
/// If a client is refused, or a statement fails.
pub(crate) fn run(
    scheduler: &Scheduler,
    address: SocketAddr,
    clients: usize,
    time: Duration,
    done: &Counter,
) -> io::Result<Outcome> {
    // All of them first, so that none is measured while others are still on the way.
    let connected = scheduler.run(move || {
        let connect = |_| Client::greet(TcpStream::connect(address)?);
        (0..clients).map(connect).collect::<io::Result<Vec<_>>>()
    })?;
    let began = Instant::now();
    let tasks: Vec<_> = connected
        .into_iter()
        .enumerate()
        .map(|(number, client)| {
            let done = Arc::clone(done);
            scheduler.spawn(move || ask(client, number as u64, began + time, &done))
        })
        .collect();
    let mut times = std::array::from_fn(|_| Histogram::new());
    for task in tasks {
        let result = task.join().expect("it does not panic")?;
        for (all, one) in times.iter_mut().zip(&result) {
            all.add(one);
        }
    }
    let took = began.elapsed();
    let changes = times[CHANGE].total();
    let sum = sum(address)?;
    Ok(Outcome {
        took,
        times,
        is_whole: sum == ACCOUNTS * BALANCE + changes,
    })
}

fn ask(
    mut client: Client<TcpStream>,
    number: u64,
    until: Instant,
    done: &AtomicU64,
) -> io::Result<[Histogram; KINDS.len()]> {
    let mut times = std::array::from_fn(|_| Histogram::new());
    let mut dice = Dice(number * 2 + 1);
    let mut asked = Instant::now();
    while asked < until {
        let (throw, id) = (dice.throw() % 1000, dice.throw() % ACCOUNTS + 1);
        let (kind, sql) = match throw {
            0 => (SLEEP, "SELECT pg_sleep(0.05)".to_owned()),
            1..=100 => {
                let sql = format!("UPDATE accounts SET balance = balance + 1 WHERE id = {id}");
                (CHANGE, sql)
            }
            101..=150 => {
                let last = id + 99;
                let rows = format!("FROM accounts WHERE id BETWEEN {id} AND {last}");
                (FUNCTION, format!("SELECT sum(fee(balance, 5)) {rows}"))
            }
            151..=200 => {
                let other = dice.throw() % ACCOUNTS + 1;
                (PROCEDURE, format!("CALL transfer({id}, {other}, 1)"))
            }
            _ => {
                let sql = format!("SELECT owner, balance FROM accounts WHERE id = {id}");
                (READ, sql)
            }
        };
        check(client.query(&sql)?.error)?;
        done.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        times[kind].note(now - asked);
        asked = now;
    }
    Ok(times)
}

fn sum(address: SocketAddr) -> io::Result<u64> {
    let mut client = Client::greet(std::net::TcpStream::connect(address)?)?;
    let answer = client.query("SELECT sum(balance) FROM accounts")?;
    check(answer.error)?;
    let value = answer
        .rows
        .first()
        .and_then(|row| row.first()?.as_ref()?.parse().ok());
    value.ok_or_else(|| io::Error::other("there is no sum"))
}

fn check(error: Option<(String, String)>) -> io::Result<()> {
    match error {
        None => Ok(()),
        Some((code, message)) => Err(io::Error::other(format!("{message} ({code})"))),
    }
}

/// Pseudo-random numbers (SplitMix64).
struct Dice(u64);

impl Dice {
    fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
