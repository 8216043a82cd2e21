//! One client's endless guest, and what the others see of it: at most two quanta more at their 99th percentile, on the one
//! worker that all of them share.
//!
//! With and without the guest by turns, and by the median of many short rounds. On a busy machine all our threads are late, and
//! with the guest a read waits for more of them: how late a plain thread is at worst beside it is not the guest's doing.
#![forbid(unsafe_code)]

mod common;

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{Served, create_endless, rows, serve_on};
use sql_host::client::Client;
use sql_host::wasm::QUANTUM;

/// Clients that read.
const READERS: usize = 4;
/// Threads that a read waits for with the guest, one after the other: the one that asks for sockets, the clock of quanta, the
/// guest's, and the one that gets its slot.
const THREADS: u32 = 4;
const ROUND: Duration = Duration::from_millis(200);
const ROUNDS: usize = 9;

/// Point reads one after the other for a while. How long each took.
fn read(client: &mut Client<TcpStream>) -> Vec<Duration> {
    let until = Instant::now() + ROUND;
    let mut times = Vec::new();
    while Instant::now() < until {
        let begun = Instant::now();
        assert_eq!(
            rows(client, "SELECT name FROM things WHERE id = 7"),
            ["seven"]
        );
        times.push(begun.elapsed());
        // As clients do that have something else to do: the worker is not full of reads.
        thread::sleep(Duration::from_millis(1));
    }
    times
}

/// How late a thread is at worst that sleeps and wakes beside them.
fn late(over: &AtomicBool) -> Duration {
    const SLEEP: Duration = Duration::from_millis(1);
    let mut late = Duration::ZERO;
    while !over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        thread::sleep(SLEEP);
        late = late.max(begun.elapsed().saturating_sub(SLEEP));
    }
    late
}

/// The percentile of all readers together, and how late a plain thread was.
fn round(readers: &mut [Client<TcpStream>]) -> (Duration, Duration) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let plain = scope.spawn(|| late(&over));
        let each: Vec<_> = readers
            .iter_mut()
            .map(|reader| scope.spawn(|| read(reader)))
            .collect();
        let each = each
            .into_iter()
            .map(|reader| reader.join().expect("no panic"));
        let times = each.flatten().collect();
        over.store(true, Ordering::Relaxed);
        (p99(times), plain.join().expect("no panic"))
    })
}

fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() * 99 / 100]
}

fn median(mut times: [Duration; ROUNDS]) -> Duration {
    times.sort();
    times[ROUNDS / 2]
}

/// The percentile without the guest and with it, and how late a plain thread was beside that.
fn compare(served: &Served, sql: &'static str) -> [Duration; 3] {
    let mut readers: Vec<_> = (0..READERS).map(|_| served.client()).collect();
    let [mut without, mut with, mut late] = [[Duration::ZERO; ROUNDS]; 3];
    for number in 0..ROUNDS {
        (without[number], _) = round(&mut readers);
        let mut endless = served.client();
        let runner = thread::spawn(move || endless.query(sql));
        let running = || {
            let server = served.server.as_ref().expect("it runs");
            let sessions = server.shared.registry.sessions();
            sessions.into_iter().find(|entry| {
                let activity = entry.control.activity();
                activity.running_since.is_some() && activity.statement == sql
            })
        };
        served.wait_until("it runs", |_| running().is_some());
        (with[number], late[number]) = round(&mut readers);
        running().expect("it never ends").control.cancel();
        runner.join().expect("no panic").expect("it is told");
    }
    [without, with, late].map(median)
}

#[test]
fn an_endless_guest_costs_the_others_two_quanta_at_most() {
    for thread_mode in [false, true] {
        let served = serve_on(1, thread_mode);
        let mut client = served.client();
        create_endless(&mut client);
        rows(
            &mut client,
            "CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO things VALUES (7, 'seven')",
        );
        for sql in ["SELECT spin()", "CALL p_spin()", "SELECT spin_in_native()"] {
            let [without, with, late] = compare(&served, sql);
            let said = format!(
                "{sql}, thread mode {thread_mode}: p99 {without:?} without, {with:?} with it; \
                 a plain thread is {late:?} late"
            );
            println!("{said}");
            assert!(with <= without + 2 * QUANTUM + THREADS * late, "{said}");
        }
        drop(client);
        served.stop();
    }
}
