//! The operator's socket: what each request gets, also when all workers are stuck and when the reader is slow or dead.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{LONG, Watchdog, checked, child, eventually, until_waits, with_on_fibers};
use fiberhost::Host;
use fiberhost::observe::Observe;
use fiberhost::scheduler::{JoinHandle, Scheduler, WaitReason, Wake, park};
use fiberhost::views::TABLES;
use serde_json::{Value, json};

/// A place for a socket, which must be empty at the end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let name = format!("fiberhost-observe-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a folder");
        Place(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("socket")
    }

    fn is_empty(&self) -> bool {
        let mut entries = fs::read_dir(&self.0).expect("it is there");
        entries.next().is_none()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Somebody who asks.
struct Client(BufReader<UnixStream>);

impl Client {
    fn new(path: &Path) -> Client {
        let stream = UnixStream::connect(path).expect("somebody answers");
        stream.set_read_timeout(Some(LONG)).expect("a time limit");
        Client(BufReader::new(stream))
    }

    fn say(&mut self, text: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(text.as_ref()).expect("it reads");
    }

    /// The next line; nothing at the end.
    fn line(&mut self) -> Option<Value> {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(0) => None,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => None,
            Ok(_) => Some(serde_json::from_str(&line).expect("each line is JSON")),
            Err(error) => panic!("no line: {error}"),
        }
    }

    /// The rows, and the line after the last of them.
    fn ask(&mut self, request: Value) -> (Vec<Value>, Value) {
        self.say(format!("{request}\n"));
        let mut rows = Vec::new();
        loop {
            let line = self.line().expect("it answers");
            if line.get("end").is_some() || line.get("error").is_some() {
                return (rows, line);
            }
            rows.push(line);
        }
    }

    fn rows(&mut self, request: Value) -> Vec<Value> {
        let (rows, end) = self.ask(request);
        assert_eq!(end["end"], true, "{end}");
        assert_eq!(end["rows"], rows.len(), "{end}");
        rows
    }

    fn error(&mut self, request: Value) -> String {
        let (rows, end) = self.ask(request);
        assert_eq!(rows, [] as [Value; 0]);
        end["error"].as_str().expect("an error").to_owned()
    }
}

fn parked(scheduler: &Scheduler, count: usize) -> Vec<JoinHandle<Wake>> {
    let tasks: Vec<_> = (0..count)
        .map(|number| {
            let task = scheduler.task().name(format!("parked {number}"));
            task.spawn(park).expect("a task")
        })
        .collect();
    for task in &tasks {
        until_waits(task.task(), WaitReason::Park);
    }
    tasks
}

fn wake(tasks: Vec<JoinHandle<Wake>>) {
    for task in tasks {
        task.task().unpark();
        task.join().expect("it is woken");
    }
}

/// What was counted between a mark and a question, on each connection for itself; what there is now is not taken off.
#[test]
fn what_is_counted_since_a_mark_can_be_asked_for() {
    let place = Place::new("mark");
    with_on_fibers(checked(1).observe(place.socket()), |scheduler| {
        let [mut one, mut other] = [(); 2].map(|()| Client::new(&place.socket()));
        let tasks = parked(scheduler, 3);
        assert_eq!(
            one.error(json!({"table": "wait_stats", "since_mark": true})),
            "nothing was marked on this connection"
        );
        assert_eq!(one.rows(json!({"mark": true})), [] as [Value; 0]);
        let more = parked(scheduler, 2);
        other.rows(json!({"mark": true}));
        let columns = [
            "wait_type",
            "waiting_tasks_count",
            "current_waiting_tasks_count",
        ];
        let counted = |client: &mut Client, since: bool| {
            let mut request = json!({"table": "wait_stats", "columns": columns});
            if since {
                request["since_mark"] = true.into();
            }
            let (rows, end) = client.ask(request);
            let park = rows.iter().find(|row| row["wait_type"] == "Park");
            let park = park.expect("such waits").clone();
            let counts = columns[1..]
                .iter()
                .map(|&column| park[column].as_u64().expect("a count"));
            (counts.collect::<Vec<_>>(), end)
        };
        assert_eq!(counted(&mut one, false).0, [5, 5]);
        let (counts, end) = counted(&mut one, true);
        assert_eq!(counts, [2, 5]);
        let uptime = one.rows(json!({"table": "sys_info"}))[0]["uptime_ms"].clone();
        assert!(end["counted_for_ms"].as_f64().expect("a time") < uptime.as_f64().expect("a time"));
        assert_eq!(counted(&mut other, true).0, [0, 5]);
        // A later mark takes the place of the first.
        one.rows(json!({"mark": true}));
        assert_eq!(counted(&mut one, true).0, [0, 5]);
        wake(tasks);
        wake(more);
    });
}

#[test]
fn every_table_is_described_and_served() {
    let place = Place::new("tables");
    with_on_fibers(checked(2).observe(place.socket()), |scheduler| {
        let tasks = parked(scheduler, 3);
        let mode = fs::metadata(place.socket()).expect("it is there");
        assert_eq!(mode.permissions().mode() & 0o777, 0o600);

        let mut client = Client::new(&place.socket());
        let described = client.rows(json!({"tables": true}));
        let names: Vec<_> = described.iter().map(|table| &table["table"]).collect();
        let all: Vec<_> = TABLES.iter().map(|table| table.name).collect();
        assert_eq!(names, all);
        for table in &described {
            assert!(table["meaning"].as_str().is_some_and(|text| text.len() > 5));
            let rows = client.rows(json!({"table": table["table"]}));
            for row in rows {
                let row = row.as_object().expect("an object");
                let columns = table["columns"].as_array().expect("a list");
                assert_eq!(row.len(), columns.len());
                for column in columns {
                    assert!(row.contains_key(column["name"].as_str().expect("text")));
                }
            }
        }
        let mut rows = client.rows(json!({
            "table": "waiting_tasks", "columns": ["wait_type", "task_name"]
        }));
        rows.sort_by_key(Value::to_string);
        let row = |number| json!({"wait_type": "Park", "task_name": format!("parked {number}")});
        assert_eq!(rows, [row(0), row(1), row(2)]);
        let none = client.rows(json!({"table": "waiting_tasks", "columns": []}));
        assert_eq!(none, [json!({}), json!({}), json!({})]);
        wake(tasks);
    });
    assert!(place.is_empty(), "the socket went with the scheduler");
}

/// Also while one of them is made or ends, and only those on the scheduler whose socket it is.
#[test]
fn hosts_are_shown_from_their_beginning_to_their_end() {
    let place = Place::new("hosts");
    with_on_fibers(checked(1).observe(place.socket()), |scheduler| {
        let mut client = Client::new(&place.socket());
        let ids = |client: &mut Client| -> Vec<u64> {
            let rows = client.rows(json!({"table": "hosts", "columns": ["host_id"]}));
            let ids = rows.iter().map(|row| row["host_id"].as_u64());
            ids.map(|id| id.expect("a number")).collect()
        };
        assert_eq!(ids(&mut client), [] as [u64; 0]);
        let elsewhere = Host::builder().build().expect("a host");
        let one = Host::builder().scheduler(scheduler.clone()).build();
        let one = one.expect("a host");
        let two = Host::builder().scheduler(scheduler.clone()).build();
        let two = two.expect("a host");
        assert_eq!(ids(&mut client), [one.id(), two.id()]);
        drop(one);
        assert_eq!(ids(&mut client), [two.id()]);
        drop((two, elsewhere));
        std::thread::scope(|scope| {
            let maker = scope.spawn(|| {
                for _ in 0..50 {
                    let host = Host::builder().scheduler(scheduler.clone()).build();
                    drop(host.expect("a host"));
                }
            });
            while !maker.is_finished() {
                assert!(ids(&mut client).len() <= 1);
            }
        });
        assert_eq!(ids(&mut client), [] as [u64; 0]);
    });
    // A host whose scheduler ends with it, and has the socket.
    let builder = Scheduler::builder().workers(1).observe(place.socket());
    let host = Host::builder().scheduler_settings(builder).build();
    let host = host.expect("a host");
    let mut client = Client::new(&place.socket());
    let rows = client.rows(json!({"table": "hosts"}));
    assert_eq!(rows[0]["host_id"], host.id());
    drop(host);
    assert!(place.is_empty(), "the socket went with the scheduler");
}

#[test]
fn a_wrong_request_gets_a_sentence_and_the_next_one_its_answer() {
    let place = Place::new("wrong");
    with_on_fibers(checked(1).observe(place.socket()), |_| {
        let mut client = Client::new(&place.socket());
        let error = client.error(json!({"table": "nothing"}));
        assert!(error.contains("no table \"nothing\"") && error.contains("wait_stats"));
        let error = client.error(json!({"table": "tasks", "columns": ["task_id", "colour"]}));
        assert!(error.contains("no column \"colour\"") && error.contains("task_state"));
        let error = client.error(json!({"table": "tasks", "columns": ["task_id", "task_id"]}));
        assert!(error.contains("comes twice"), "{error}");
        let error = client.error(json!(["tasks"]));
        assert!(error.contains("{ is missing"), "{error}");
        // Blank lines are none; two requests in one packet, and one without its newline, are answered all the same.
        client.say("\n \r\n{\"table\":\"sys_info\"}\n{\"table\":\"schedulers\"}");
        let stream = client.0.get_ref();
        stream
            .shutdown(std::net::Shutdown::Write)
            .expect("it is open");
        assert_eq!(client.line().expect("a row")["scheduler_count"], 1);
        assert_eq!(client.line().expect("the end")["end"], true);
        assert_eq!(client.line().expect("a row")["scheduler_id"], 0);
        assert_eq!(client.line().expect("the end")["rows"], 1);
        assert_eq!(client.line(), None);

        let mut client = Client::new(&place.socket());
        client.say(vec![b'x'; 4097]);
        let error = client.line().expect("an answer");
        assert_eq!(error["error"], "a request has at most 4096 bytes");
        assert_eq!(client.line(), None, "what follows could not be told apart");
    });
}

/// What the socket is for.
#[test]
fn it_answers_when_all_workers_are_stuck() {
    let place = Place::new("stuck");
    for workers in [1, 2, 4] {
        with_on_fibers(checked(workers).observe(place.socket()), |scheduler| {
            let go = Arc::new(AtomicBool::new(false));
            let stuck: Vec<_> = (0..workers)
                .map(|_| {
                    let told = Arc::clone(&go);
                    scheduler.spawn(move || {
                        while !told.load(Ordering::Acquire) {
                            std::hint::spin_loop();
                        }
                    })
                })
                .collect();
            let behind = scheduler.spawn(|| ());
            let mut client = Client::new(&place.socket());
            let states = |client: &mut Client| {
                let rows = client.rows(json!({"table": "tasks", "columns": ["task_state"]}));
                let is = |state: &str| rows.iter().filter(|row| row["task_state"] == state).count();
                [is("RUNNING"), is("PENDING"), rows.len()]
            };
            let watchdog = Instant::now();
            while states(&mut client) != [workers, 1, workers + 1] {
                assert!(watchdog.elapsed() < LONG, "{:?}", states(&mut client));
            }
            go.store(true, Ordering::Release);
            for task in stuck {
                task.join().expect("it was told");
            }
            behind.join().expect("it can run");
        });
    }
}

#[test]
fn the_ninth_connection_is_refused_until_there_is_room() {
    let place = Place::new("ninth");
    with_on_fibers(checked(1).observe(place.socket()), |_| {
        let mut clients: Vec<_> = (0..8).map(|_| Client::new(&place.socket())).collect();
        for client in &mut clients {
            assert_eq!(client.rows(json!({"table": "schedulers"})).len(), 1);
        }
        let mut ninth = Client::new(&place.socket());
        let error = ninth.line().expect("an answer");
        assert_eq!(error["error"], "there are 8 connections already");
        assert_eq!(ninth.line(), None);
        let (_, end) = clients[3].ask(json!({"table": "schedulers"}));
        assert_eq!(end["refused"], 1);
        clients.pop();
        eventually("there is room", || {
            let mut client = Client::new(&place.socket());
            // Refused, it may be gone before we have asked.
            let _ = client
                .0
                .get_mut()
                .write_all(b"{\"table\":\"schedulers\"}\n");
            client.line().is_some_and(|line| line["scheduler_id"] == 0)
        });
    });
}

/// Its answer is cut off and counted; the scheduler and other readers go on meanwhile.
#[test]
fn a_reader_that_does_not_read_is_let_go() {
    let place = Place::new("slow");
    with_on_fibers(checked(2).observe(place.socket()), |scheduler| {
        // More than the socket takes.
        let tasks = parked(scheduler, 3_000);
        let mut slow = Client::new(&place.socket());
        slow.say("{\"table\":\"tasks\"}\n");
        let mut other = Client::new(&place.socket());
        let began = Instant::now();
        loop {
            assert_eq!(scheduler.run(|| 1), 1);
            let (_, end) = other.ask(json!({"table": "schedulers"}));
            if end["answers_lost"] == 1 {
                break;
            }
            assert!(began.elapsed() < LONG, "{end}");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(began.elapsed() > Duration::from_secs(4), "it had its time");
        let mut rest = Vec::new();
        slow.0.read_to_end(&mut rest).expect("what was sent before");
        let rest = String::from_utf8(rest).expect("it is text");
        assert!(!rest.contains("\"end\":true"), "it was cut off");
        wake(tasks);
    });
}

/// In a process that has not asked for signals to be ignored, as a C program that embeds the scheduler.
#[test]
fn a_reader_that_dies_ends_nothing_but_its_connection() {
    const TEST: &str = "a_reader_that_dies_ends_nothing_but_its_connection";
    if child::part().is_none() {
        return child::succeeds(TEST, "dies", |_| ());
    }
    // SAFETY: no handler of ours is concerned: the signal does again what it does by default.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let place = Place::new("dies");
    with_on_fibers(checked(1).observe(place.socket()), |scheduler| {
        let tasks = parked(scheduler, 3_000);
        for count in 1..=3 {
            let mut client = Client::new(&place.socket());
            client.say("{\"table\":\"tasks\"}\n");
            client.line().expect("the first row is on its way");
            drop(client);
            eventually("the loss is counted", || {
                let mut other = Client::new(&place.socket());
                other.ask(json!({"table": "schedulers"})).1["answers_lost"] == count
            });
        }
        wake(tasks);
    });
}

/// Nobody is waited for: neither a reader in the middle of an answer, nor one that asks for nothing.
#[test]
fn the_end_of_the_scheduler_ends_all_connections_at_once() {
    let place = Place::new("end");
    for workers in [1, 2] {
        let _watchdog = Watchdog::new("the end of a scheduler with readers".to_owned());
        let builder = checked(workers).observe(place.socket());
        let scheduler = builder.build().expect("a scheduler");
        drop(parked(&scheduler, 3_000));
        let mut slow = Client::new(&place.socket());
        slow.say("{\"table\":\"tasks\"}\n");
        slow.line().expect("the first row");
        let mut idle = Client::new(&place.socket());
        assert_eq!(idle.rows(json!({"table": "schedulers"})).len(), workers);
        let began = Instant::now();
        drop(scheduler);
        assert!(
            began.elapsed() < Duration::from_secs(4),
            "within its patience"
        );
        assert_eq!(idle.line(), None);
        assert!(place.is_empty());
        assert!(UnixStream::connect(place.socket()).is_err());
    }
}

#[test]
fn a_socket_that_somebody_serves_fails_the_start_and_a_dead_one_does_not() {
    let place = Place::new("stale");
    drop(UnixListener::bind(place.socket()).expect("a socket"));
    with_on_fibers(checked(1).observe(place.socket()), |_| {
        let error = checked(1).observe(place.socket()).build();
        let error = error.expect_err("one serves there already");
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        let mut client = Client::new(&place.socket());
        assert_eq!(client.rows(json!({"table": "schedulers"})).len(), 1);
    });
    assert!(place.is_empty());
}

/// When a shutdown gives up, the operator can see whom it waited for.
#[test]
fn tasks_that_survive_a_shutdown_can_still_be_seen() {
    let place = Place::new("survivors");
    let _watchdog = Watchdog::new("a shutdown with a survivor".to_owned());
    let scheduler = checked(1)
        .observe(place.socket())
        .build()
        .expect("a scheduler");
    let go = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&go);
    let survivor = scheduler.task().name("survivor").spawn(move || {
        while !told.load(Ordering::Acquire) {
            std::hint::spin_loop();
        }
    });
    let survivor = survivor.expect("a task");
    let mut client = Client::new(&place.socket());
    let columns = json!({"table": "tasks", "columns": ["task_name", "task_state"]});
    let running = [json!({"task_name": "survivor", "task_state": "RUNNING"})];
    let began = Instant::now();
    while client.rows(columns.clone()) != running {
        assert!(began.elapsed() < LONG);
    }
    let error = scheduler.shutdown(Duration::from_millis(20));
    error.expect_err("one is left");
    assert_eq!(client.rows(columns), running);
    go.store(true, Ordering::Release);
    survivor.join().expect("it was told");
    scheduler.shutdown(LONG).expect("nothing is left");
    assert_eq!(client.line(), None);
    assert!(place.is_empty());
}

#[test]
fn looks_beside_a_busy_scheduler_do_not_disturb_it() {
    let place = Place::new("busy");
    for workers in [1, 2, 4] {
        with_on_fibers(checked(workers).observe(place.socket()), |scheduler| {
            let busy = Arc::new(AtomicBool::new(true));
            let told = Arc::clone(&busy);
            let path = place.socket();
            let reader = std::thread::spawn(move || {
                let mut client = Client::new(&path);
                for _ in 0..50 {
                    for table in ["tasks", "sys_info", "waiting_tasks", "workers"] {
                        client.rows(json!({"table": table}));
                    }
                }
                told.store(false, Ordering::Release);
            });
            while busy.load(Ordering::Acquire) {
                let sum = scheduler.run(|| {
                    let tasks: Vec<_> = (0..50)
                        .map(|number| fiberhost::scheduler::spawn(move || number))
                        .collect();
                    tasks
                        .into_iter()
                        .map(|task| task.join().expect("no panic"))
                        .sum::<u32>()
                });
                assert_eq!(sum, 1225);
            }
            reader.join().expect("each answer was whole");
        });
    }
}
