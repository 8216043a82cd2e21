//! The built-in load: so many clients, each of which asks, waits, and asks again.
//!
//! Of a thousand statements of a client about 899 read one row, 100 change one, and one sleeps in native code for 50 ms, as an
//! extension might. Every change adds one to a balance, so the sum at the end tells whether one was lost.
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

/// Rows of the table.
const ACCOUNTS: u64 = 10_000;

/// The three kinds of statements, by their place in [`Outcome::times`].
pub(crate) const KINDS: [&str; 3] = [
    "read one row",
    "change one row",
    "sleep 50 ms in native code",
];

/// What a load came to.
pub(crate) struct Outcome {
    /// How long it ran.
    pub(crate) took: Duration,
    /// How long statements took, by their kinds.
    pub(crate) times: [Histogram; 3],
    /// The sum of all balances is as many as changes were answered.
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
         INSERT INTO accounts SELECT i, 'owner ' || i, 0 FROM n;"
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
    let mut times = [Histogram::new(), Histogram::new(), Histogram::new()];
    for task in tasks {
        let result = task.join().expect("it does not panic")?;
        for (all, one) in times.iter_mut().zip(&result) {
            all.add(one);
        }
    }
    let took = began.elapsed();
    let changes = times[1].total();
    let sum = sum(address)?;
    Ok(Outcome {
        took,
        times,
        is_whole: sum == changes,
    })
}

fn ask(
    mut client: Client<TcpStream>,
    number: u64,
    until: Instant,
    done: &AtomicU64,
) -> io::Result<[Histogram; 3]> {
    let mut times = [Histogram::new(), Histogram::new(), Histogram::new()];
    let mut dice = Dice(number * 2 + 1);
    let mut asked = Instant::now();
    while asked < until {
        let (throw, id) = (dice.throw() % 1000, dice.throw() % ACCOUNTS + 1);
        let (kind, sql) = match throw {
            0 => (2, "SELECT pg_sleep(0.05)".to_owned()),
            1..=100 => {
                let sql = format!("UPDATE accounts SET balance = balance + 1 WHERE id = {id}");
                (1, sql)
            }
            _ => (
                0,
                format!("SELECT owner, balance FROM accounts WHERE id = {id}"),
            ),
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
