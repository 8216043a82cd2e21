//! The soak: clients that work, are killed, cancelled, cut off and timed out at random moments, whose guests trap, and who
//! vanish, while the number of workers changes; on fibers and on threads. The scheduler checks its invariants meanwhile. After
//! each round the committed data is what the model says, what wasmtime counted is balanced, and nothing is left of anybody.
//!
//! It takes 24 s. `SOAK_SECONDS=3600 cargo test --release -p sql_host --test soak -- --nocapture` takes an hour, and
//! `SOAK_SEED` repeats the dice of a run that failed.
#![forbid(unsafe_code)]

mod bank;
#[path = "../common/mod.rs"]
mod common;

use std::collections::HashSet;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bank::{ACCOUNTS, FIRST, Known, Transfer};
use common::dice::Dice;
use common::{ENDLESS_CALLS, LONG, Served, create, create_endless, eventually, rows, serve_as};
use pgwire::messages::simplequery::Query;
use sql_host::client::{self, Client};
use sql_host::wasm::boundary::Count;

const CLIENTS: usize = 12;
/// Of both modes together.
const SECONDS: u64 = 24;
const ROUND: Duration = Duration::from_secs(2);
/// What the process may grow by after its first rounds: allocators keep what they had.
const GROWTH_MAX_KIB: u64 = 24 * 1024;
/// Never ends by itself.
const ENDLESS: &str =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
const TRAP: &str = "(module (func (export \"trap\") (result i64) (unreachable)))";
const LONG_RESULT: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) SELECT i FROM n";

/// What all who take part in a round know.
struct Round<'s> {
    served: &'s Served,
    over: AtomicBool,
    /// The key of each client's session.
    keys: Mutex<Vec<(i32, i32)>>,
    /// Sessions that were killed, and those that were cancelled: said before it is done.
    killed: Mutex<HashSet<i32>>,
    cancelled: Mutex<HashSet<i32>>,
    counts: Counts,
}

/// How often what happened.
#[derive(Debug, Default)]
struct Counts {
    committed: AtomicU64,
    kills: AtomicU64,
    cancels: AtomicU64,
    timeouts: AtomicU64,
    vanished: AtomicU64,
    sessions: AtomicU64,
    changes: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn committed_data_equals_the_model_whatever_happens() {
    let seconds = std::env::var("SOAK_SECONDS").ok();
    let seconds = seconds.map_or(SECONDS, |text| text.parse().expect("a number of seconds"));
    let mut dice = Dice::of_environment("SOAK_SEED");
    for thread_mode in [false, true] {
        let until = Instant::now() + Duration::from_secs(seconds) / 2;
        let served = serve_as(thread_mode, |setup| setup.check_invariants = true);
        soak(&served, until, &mut dice);
        served.stop();
    }
}

fn soak(served: &Served, until: Instant, dice: &mut Dice) {
    let scheduler = served.server().host().scheduler();
    // The one who listens.
    let base = scheduler.stats().live();
    let mut client = served.client();
    bank::prepare(&mut client);
    create_endless(&mut client);
    create(&mut client, "FUNCTION trap() RETURNS bigint", TRAP);
    drop(client);
    let mut balances = [FIRST; ACCOUNTS];
    let counts = Counts::default();
    let mut memory = Vec::new();
    while Instant::now() < until {
        let round = Round {
            served,
            over: AtomicBool::new(false),
            keys: Mutex::new(vec![(0, 0); CLIENTS]),
            killed: Mutex::default(),
            cancelled: Mutex::default(),
            counts: Counts::default(),
        };
        let known = one_round(&round, dice);
        // A commit may be on its way when its client goes.
        served.wait_for_sessions(0);
        let mut checker = served.client();
        bank::compare(&mut checker, &known, &mut balances);
        assert_eq!(rows(&mut checker, "PRAGMA integrity_check"), ["ok"]);
        drop(checker);
        served.wait_for_sessions(0);
        // Tasks end after their sessions.
        eventually("no task is left", || scheduler.stats().live() == base);
        balanced(served);
        memory.push(memory_kib());
        counts.add(&round.counts);
    }
    println!("{counts:?}, KiB after each round: {memory:?}");
    counts.all_happened();
    // The more rounds there are, the longer everything may take to come up once.
    let warm = memory.len().div_ceil(4).max(2).min(memory.len());
    let first = memory[..warm].iter().max().expect("there were rounds");
    let last = memory[memory.len() - 1];
    assert!(
        last <= first + GROWTH_MAX_KIB,
        "it grew from {first} to {last} KiB"
    );
}

/// Nobody is in a guest, or below one.
fn balanced(served: &Served) {
    let said = served.wasm().crossings();
    for (called, returned) in [
        (Count::CallingGuest, Count::ReturningFromGuest),
        (Count::CallingHost, Count::ReturningFromHost),
    ] {
        assert!(said.get(called) > 0, "{said:?}");
        assert_eq!(said.get(called), said.get(returned), "{said:?}");
    }
    let figures = served.server().host().figures();
    assert_eq!((figures.stray_hooks, figures.frames_left), (0, 0));
}

/// Memory that belongs to the process alone.
fn memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("the kernel says");
    let found = status.lines().find_map(|line| {
        let kib = line.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB")?;
        kib.parse().ok()
    });
    found.expect("it is in there")
}

fn one_round(round: &Round<'_>, dice: &mut Dice) -> Vec<Known> {
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let dice = dice.fork();
                scope.spawn(move || Worker::new(round, number, dice).work())
            })
            .collect();
        let dice = dice.fork();
        scope.spawn(move || disturb(round, dice));
        thread::sleep(ROUND);
        round.over.store(true, Ordering::Relaxed);
        let ends = clients.into_iter().map(|client| client.join());
        ends.map(|end| end.expect("a client found something wrong"))
            .collect()
    })
}

/// Kills and cancels whoever the dice say.
fn disturb(round: &Round<'_>, mut dice: Dice) {
    let mut killer = round.served.client();
    while !round.over.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_micros(dice.throw() % 20_000));
        if dice.below(10) == 0 {
            let workers = 1 + dice.below(2);
            rows(
                &mut killer,
                &format!("ALTER SYSTEM SET workers = {workers}"),
            );
            count(&round.counts.changes);
            continue;
        }
        let key = *dice.pick(&round.keys.lock().expect("nobody panicked"));
        if dice.below(2) == 0 {
            round
                .cancelled
                .lock()
                .expect("nobody panicked")
                .insert(key.0);
            let stream = round.served.stream();
            client::cancel(stream, key).expect("it listens");
            count(&round.counts.cancels);
        } else {
            round.killed.lock().expect("nobody panicked").insert(key.0);
            let answer = killer.query(&format!("KILL {}", key.0)).expect("an answer");
            match answer.error {
                None => count(&round.counts.kills),
                // It went by itself.
                Some((code, message)) => assert_eq!(code, "22023", "{message}"),
            }
        }
    }
}

/// One client, with the sessions that it has one after the other.
struct Worker<'r, 's> {
    round: &'r Round<'s>,
    number: usize,
    dice: Dice,
    client: Option<Client<TcpStream>>,
    transfers: u64,
    known: Known,
}

/// A session has ended, as it was to be expected: the worker goes on with another one.
struct Ended;

impl<'r, 's> Worker<'r, 's> {
    fn new(round: &'r Round<'s>, number: usize, dice: Dice) -> Self {
        Worker {
            round,
            number,
            dice,
            client: None,
            transfers: 0,
            known: Known::default(),
        }
    }

    fn work(mut self) -> Known {
        while !self.round.over.load(Ordering::Relaxed) {
            if self.client.is_none() {
                let client = self.round.served.client();
                self.round.keys.lock().expect("nobody panicked")[self.number] = client.key();
                self.client = Some(client);
                count(&self.round.counts.sessions);
            }
            let done = match self.dice.below(20) {
                0..=6 => self.transfer_at_once(),
                7..=11 => self.transfer_step_by_step(),
                12..=14 => self.look_at_the_total(),
                15 => self.wait_in_native_code(),
                16 => self.be_too_slow(),
                17 => self.be_wrong(),
                18 => {
                    let sql = *self.dice.pick(&[ENDLESS, "SELECT spin()", "CALL p_spin()"]);
                    self.vanish(sql)
                }
                _ => self.vanish(LONG_RESULT),
            };
            if done.is_err() {
                self.client = None;
            }
        }
        self.known
    }

    fn id(&self) -> i32 {
        self.client.as_ref().expect("it is connected").key().0
    }

    /// The tags and rows of a statement, or the error's code, which must have a reason.
    fn ask(&mut self, sql: &str) -> Result<Result<client::Answer, String>, Ended> {
        let id = self.id();
        let client = self.client.as_mut().expect("it is connected");
        let was_killed = || {
            self.round
                .killed
                .lock()
                .expect("nobody panicked")
                .contains(&id)
        };
        let answer = match client.query(sql) {
            Ok(answer) => answer,
            Err(error) => {
                let cut = !matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                );
                assert!(cut, "no answer to {sql} within {LONG:?}");
                assert!(
                    was_killed(),
                    "{sql}: {error}, and nobody killed session {id}"
                );
                return Err(Ended);
            }
        };
        match &answer.error {
            None => Ok(Ok(answer)),
            Some((code, message)) => match code.as_str() {
                "57P01" => {
                    assert!(was_killed(), "{sql}: {message}, and nobody did");
                    Err(Ended)
                }
                code => Ok(Err(code.to_owned())),
            },
        }
    }

    /// Whether the statement was cancelled, if that is what its error says.
    fn may_be_cancelled(&self, sql: &str, code: &str) {
        assert_eq!(code, "57014", "{sql}");
        let cancelled = self.round.cancelled.lock().expect("nobody panicked");
        assert!(cancelled.contains(&self.id()), "{sql}: nobody cancelled it");
    }

    fn next_transfer(&mut self) -> Transfer {
        self.transfers += 1;
        Transfer::by_chance((self.number, self.transfers), &mut self.dice)
    }

    fn committed(&mut self, transfer: Transfer) {
        self.known.committed.push(transfer);
        count(&self.round.counts.committed);
    }

    /// After an error a transaction has to be ended.
    fn roll_back(&mut self) -> Result<(), Ended> {
        loop {
            match self.ask("ROLLBACK")? {
                Ok(_) => return Ok(()),
                Err(code) => self.may_be_cancelled("ROLLBACK", &code),
            }
        }
    }

    fn transfer_at_once(&mut self) -> Result<(), Ended> {
        let transfer = self.next_transfer();
        let sql = transfer.statements().join("; ");
        // A client that is killed does not learn what became of it.
        self.known.open.push(transfer);
        match self.ask(&sql)? {
            Ok(answer) => {
                assert!(bank::is_committed(&answer), "{:?}", answer.tags);
                self.known.open.pop();
                self.committed(transfer);
            }
            Err(code) => {
                self.may_be_cancelled(&sql, &code);
                self.known.open.pop();
                self.roll_back()?;
            }
        }
        Ok(())
    }

    fn transfer_step_by_step(&mut self) -> Result<(), Ended> {
        let transfer = self.next_transfer();
        let vanishes_at = self.dice.below(12);
        for (place, sql) in transfer.statements().iter().enumerate() {
            let is_last = sql == "COMMIT";
            if place == vanishes_at {
                count(&self.round.counts.vanished);
                if is_last {
                    // The commit is on its way when the client goes.
                    self.known.open.push(transfer);
                    self.say(sql);
                }
                return Err(Ended);
            }
            if is_last {
                self.known.open.push(transfer);
            }
            match self.ask(sql)? {
                Ok(answer) if is_last => {
                    assert!(bank::is_committed(&answer), "{:?}", answer.tags);
                    self.known.open.pop();
                    self.committed(transfer);
                }
                Ok(_) => {}
                Err(code) => {
                    self.may_be_cancelled(sql, &code);
                    if is_last {
                        self.known.open.pop();
                    }
                    return self.roll_back();
                }
            }
        }
        Ok(())
    }

    fn look_at_the_total(&mut self) -> Result<(), Ended> {
        let sql = "SELECT sum(balance) FROM accounts";
        match self.ask(sql)? {
            Ok(answer) => assert_eq!(common::lines(&answer), [bank::total()]),
            Err(code) => self.may_be_cancelled(sql, &code),
        }
        Ok(())
    }

    fn wait_in_native_code(&mut self) -> Result<(), Ended> {
        let sql = format!("SELECT pg_sleep({})", self.dice.below(30) as f64 / 1000.0);
        if let Err(code) = self.ask(&sql)? {
            self.may_be_cancelled(&sql, &code);
        }
        Ok(())
    }

    fn be_too_slow(&mut self) -> Result<(), Ended> {
        let limit = format!("SET statement_timeout = {}", self.dice.below(20) + 1);
        let endless = match self.dice.below(2) {
            0 => ENDLESS,
            _ => self.dice.pick(&ENDLESS_CALLS),
        };
        for sql in [&limit, endless, "RESET statement_timeout"] {
            let answer = self.ask(sql)?;
            if sql == endless {
                assert_eq!(answer.err().as_deref(), Some("57014"));
                count(&self.round.counts.timeouts);
            } else if let Err(code) = answer {
                self.may_be_cancelled(sql, &code);
                // It may have a limit still.
                return Err(Ended);
            }
        }
        Ok(())
    }

    fn be_wrong(&mut self) -> Result<(), Ended> {
        let wrong = [
            ("SELECT * FROM absent", "42P01"),
            ("SELECT absent FROM accounts", "42703"),
            ("UPDATE accounts SET balance = NULL WHERE id = 1", "23502"),
            ("INSERT INTO accounts VALUES (1, 1)", "23505"),
            ("SELECT * FRO accounts", "42601"),
            ("SELECT trap()", "38000"),
        ];
        let (sql, expected) = *self.dice.pick(&wrong);
        match self.ask(sql)? {
            Err(code) if code == expected => Ok(()),
            Err(code) => {
                self.may_be_cancelled(sql, &code);
                Ok(())
            }
            Ok(answer) => panic!("{sql}: {answer:?}"),
        }
    }

    /// Asks and goes, without waiting for an answer, or in the middle of it.
    fn vanish(&mut self, sql: &str) -> Result<(), Ended> {
        count(&self.round.counts.vanished);
        self.say(sql);
        let stream = self.client.as_mut().expect("it is connected").stream();
        if self.dice.below(2) == 0 {
            thread::sleep(Duration::from_micros(self.dice.throw() % 5000));
            // It may have been cut already.
            let _ = stream.shutdown(Shutdown::Both);
        }
        Err(Ended)
    }

    /// Whether it arrives does not matter: who says it goes.
    fn say(&mut self, sql: &str) {
        let client = self.client.as_mut().expect("it is connected");
        let _ = client.say(&Query::new(sql.to_owned()));
    }
}

impl Counts {
    fn each(&self) -> [&AtomicU64; 7] {
        [
            &self.committed,
            &self.kills,
            &self.cancels,
            &self.timeouts,
            &self.vanished,
            &self.sessions,
            &self.changes,
        ]
    }

    fn add(&self, other: &Counts) {
        for (all, one) in self.each().into_iter().zip(other.each()) {
            all.fetch_add(one.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    /// A soak in which nothing went wrong has shown nothing.
    fn all_happened(&self) {
        for counter in self.each() {
            assert!(counter.load(Ordering::Relaxed) > 0, "{self:?}");
        }
    }
}
