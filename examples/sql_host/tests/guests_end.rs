//! Guests that would not end by themselves: time limits, cancel requests and `KILL` end them wherever they are.
#![forbid(unsafe_code)]

mod common;

use std::sync::Arc;
use std::thread;

use common::{ENDLESS_CALLS, Served, code, create_endless, in_both_modes, rows, serve};
use pgwire::messages::simplequery::Query;
use sql_host::registry::Entry;

/// What the sessions say that they run.
fn running(served: &Served, sql: &str) -> Option<Arc<Entry>> {
    let server = served.server.as_ref().expect("it runs");
    let sessions = server.shared.registry.sessions();
    sessions.into_iter().find(|entry| {
        let activity = entry.control.activity();
        activity.running_since.is_some() && activity.statement == sql
    })
}

/// Ends a statement once it runs. Its SQLSTATE.
fn end(served: &Served, sql: &'static str, how: impl Fn(&Entry)) -> String {
    let mut victim = served.client();
    let runner = thread::spawn(move || victim.query(sql));
    served.wait_until(sql, |_| running(served, sql).is_some());
    how(&running(served, sql).expect("it runs until it is ended"));
    let answer = runner.join().expect("it ends").expect("it is told");
    answer.error.expect("an error").0
}

/// Nothing is left of what was ended: neither rows nor the turn to write.
fn nothing_is_left(served: &Served) {
    let mut client = served.client();
    rows(
        &mut client,
        "INSERT INTO spins VALUES (2); DELETE FROM spins WHERE i = 2",
    );
    assert_eq!(rows(&mut client, "SELECT count(*) FROM spins"), ["0"]);
}

#[test]
fn a_time_limit_ends_them() {
    in_both_modes(|served| {
        let mut client = served.client();
        create_endless(&mut client);
        rows(&mut client, "SET statement_timeout = '30ms'");
        for sql in ENDLESS_CALLS {
            assert_eq!(code(&mut client, sql), "57014", "{sql}");
            nothing_is_left(served);
        }
    });
}

#[test]
fn a_cancel_request_ends_them() {
    in_both_modes(|served| {
        create_endless(&mut served.client());
        let server = served.server.as_ref().expect("it runs");
        for sql in ENDLESS_CALLS {
            let cancel = |entry: &Entry| {
                assert!(server.shared.registry.cancel(entry.id, entry.secret));
                server.shared.engine.turn.poke();
            };
            assert_eq!(end(served, sql, cancel), "57014", "{sql}");
            nothing_is_left(served);
        }
    });
}

#[test]
fn a_kill_ends_them_and_their_session() {
    in_both_modes(|served| {
        create_endless(&mut served.client());
        for sql in ENDLESS_CALLS {
            let kill = |entry: &Entry| {
                rows(&mut served.client(), &format!("KILL {}", entry.id));
            };
            assert_eq!(end(served, sql, kill), "57P01", "{sql}");
            nothing_is_left(served);
        }
        served.wait_for_sessions(0);
    });
}

/// Nobody would take what they come to.
#[test]
fn the_end_of_their_client_ends_them() {
    in_both_modes(|served| {
        create_endless(&mut served.client());
        for sql in ENDLESS_CALLS {
            let mut gone = served.client();
            let query = Query::new(sql.to_owned());
            gone.say(&query).expect("sent");
            served.wait_until(sql, |_| running(served, sql).is_some());
            drop(gone);
            served.wait_until("its session ends", |_| running(served, sql).is_none());
            nothing_is_left(served);
        }
        served.wait_for_sessions(0);
    });
}

/// The end of the server is no different.
#[test]
fn the_end_of_the_server_ends_them() {
    for thread_mode in [false, true] {
        let served = serve(thread_mode);
        create_endless(&mut served.client());
        let mut victims = Vec::new();
        for sql in ENDLESS_CALLS {
            let mut victim = served.client();
            victims.push(thread::spawn(move || victim.query(sql)));
            // The last one waits for its turn to write, or has it.
            served.wait_until(sql, |_| running(&served, sql).is_some());
        }
        served.stop();
        for victim in victims {
            // It is told why, if there was time for that.
            if let Ok(answer) = victim.join().expect("it ends") {
                assert_eq!(answer.error.expect("an error").0, "57P01");
            }
        }
    }
}

/// On fibers: procedures that wait cost no threads.
#[test]
fn procedures_that_wait_park_their_fibers() {
    let served = serve(false);
    create_endless(&mut served.client());
    let threads = |served: &Served| {
        let server = served.server.as_ref().expect("it runs");
        server.host().scheduler().stats().threads
    };
    let before = threads(&served);
    let waiting: Vec<_> = (0..50)
        .map(|_| {
            let mut client = served.client();
            thread::spawn(move || client.query("CALL p_wait()"))
        })
        .collect();
    served.wait_until("all wait", |server| {
        let sessions = server.shared.registry.sessions();
        let running = |entry: &&Arc<Entry>| entry.control.activity().running_since.is_some();
        sessions.iter().filter(running).count() == 50
    });
    // Statements of others take turns with them.
    let mut client = served.client();
    for _ in 0..100 {
        rows(&mut client, "SELECT count(*) FROM spins");
    }
    let now = threads(&served);
    // Calls of SQLite that last may have cost one or the other.
    assert!(now < before + 10, "{before} threads, then {now}");
    drop(client);
    served.stop();
    for client in waiting {
        drop(client.join().expect("it ends"));
    }
}
