//! A thousand aborts at random moments, half of them on fibers and half on threads: nobody but the victim notices, no lock stays
//! held, and all counts return to what they were.
//!
//! `ABORTS_SEED` repeats the dice of a run that failed.
#![forbid(unsafe_code)]

mod common;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use common::dice::Dice;
use common::{Served, eventually, in_both_modes, rows};
use sql_host::client;

/// In each mode.
const ABORTS: usize = 500;
const VICTIMS: usize = 4;
const BYSTANDERS: usize = 3;

/// What victims are at when it happens.
const WORK: [&str; 6] = [
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) SELECT i FROM n",
    "BEGIN; UPDATE shared SET n = n + 1; SELECT pg_sleep(0.002); ROLLBACK",
    "UPDATE shared SET n = n + 0",
    "SELECT pg_sleep(0.003)",
    "SELECT n FROM shared",
];

struct Field<'s> {
    served: &'s Served,
    over: AtomicBool,
    /// The key of each victim's session.
    keys: Mutex<[(i32, i32); VICTIMS]>,
}

#[test]
fn nobody_but_the_victim_notices() {
    let mut dice = Dice::of_environment("ABORTS_SEED");
    let dice = Mutex::new(&mut dice);
    in_both_modes(|served| {
        let mut dice = dice.lock().expect("nobody panicked").fork();
        let scheduler = served.server().host().scheduler();
        let base = scheduler.stats().live();
        let mut checker = served.client();
        rows(
            &mut checker,
            "CREATE TABLE shared (n INTEGER); INSERT INTO shared VALUES (7);
             CREATE TABLE own (id INTEGER PRIMARY KEY, n INTEGER)",
        );
        let field = Field {
            served,
            over: AtomicBool::new(false),
            keys: Mutex::new([(0, 0); VICTIMS]),
        };
        let counted: Vec<u64> = thread::scope(|scope| {
            let bystanders: Vec<_> = (0..BYSTANDERS)
                .map(|number| {
                    let field = &field;
                    scope.spawn(move || stand_by(field, number))
                })
                .collect();
            for number in 0..VICTIMS {
                let dice = dice.fork();
                let field = &field;
                scope.spawn(move || suffer(field, number, dice));
            }
            abort(&field, &mut dice);
            field.over.store(true, Ordering::Relaxed);
            let ends = bystanders.into_iter().map(thread::ScopedJoinHandle::join);
            ends.map(|end| end.expect("a bystander noticed")).collect()
        });
        served.wait_for_sessions(1);
        // What bystanders wrote is there, and what victims wrote is not.
        let there = rows(&mut checker, "SELECT n FROM own ORDER BY id");
        assert_eq!(
            there,
            counted.iter().map(u64::to_string).collect::<Vec<_>>()
        );
        assert_eq!(rows(&mut checker, "SELECT n FROM shared"), ["7"]);
        // Who holds a lock of the database makes this busy: the first number would be 1.
        let checkpoint = rows(&mut checker, "PRAGMA wal_checkpoint(TRUNCATE)");
        assert_eq!(checkpoint, ["0|0|0"]);
        drop(checker);
        served.wait_for_sessions(0);
        eventually("no task is left", || scheduler.stats().live() == base);
    });
}

/// Reads and writes, and notices nothing. How often it wrote.
fn stand_by(field: &Field<'_>, number: usize) -> u64 {
    let mut client = field.served.client();
    rows(
        &mut client,
        &format!("INSERT INTO own VALUES ({number}, 0)"),
    );
    let mut count = 0;
    while !field.over.load(Ordering::Relaxed) {
        rows(
            &mut client,
            &format!("UPDATE own SET n = n + 1 WHERE id = {number}"),
        );
        count += 1;
        let there = rows(
            &mut client,
            &format!("SELECT n FROM own WHERE id = {number}"),
        );
        assert_eq!(there, [count.to_string()]);
    }
    count
}

/// Works until it is aborted, and begins anew.
fn suffer(field: &Field<'_>, number: usize, mut dice: Dice) {
    while !field.over.load(Ordering::Relaxed) {
        let mut client = field.served.client();
        field.keys.lock().expect("nobody panicked")[number] = client.key();
        // At the end nobody comes to end what never ends by itself.
        let limited = client.query("SET statement_timeout = 500");
        let mut goes_on = limited.is_ok_and(|answer| answer.error.is_none());
        while goes_on && !field.over.load(Ordering::Relaxed) {
            let sql = *dice.pick(&WORK);
            let Ok(answer) = client.query(sql) else { break };
            let code = answer.error.map(|(code, _)| code);
            goes_on = code.as_deref() != Some("57P01");
            assert!(
                matches!(code.as_deref(), None | Some("57P01" | "57014")),
                "{sql}: {code:?}"
            );
            if code.is_some() && goes_on {
                let undone = client.query("ROLLBACK");
                goes_on = undone.is_ok_and(|answer| answer.error.is_none());
            }
        }
    }
}

fn abort(field: &Field<'_>, dice: &mut Dice) {
    let mut killer = field.served.client();
    let mut aborts = 0;
    while aborts < ABORTS {
        thread::sleep(Duration::from_micros(dice.throw() % 4000));
        let key = *dice.pick(&*field.keys.lock().expect("nobody panicked"));
        if dice.below(2) == 0 {
            client::cancel(field.served.stream(), key).expect("it listens");
            aborts += 1;
        } else {
            let answer = killer.query(&format!("KILL {}", key.0)).expect("an answer");
            // It may have ended since.
            aborts += usize::from(answer.error.is_none());
        }
    }
}
