//! `cargo run --release -p sql_host`: starts the server, puts a load on it, and reports. See `--help`.
#![forbid(unsafe_code)]

#[path = "../../echo_load/histogram.rs"]
mod histogram;
mod load;
mod report;

use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use fiberhost::scheduler::Scheduler;
use fiberhost::scheduler::trace::Recording;
use sql_host::client;
use sql_host::emergency;
use sql_host::operator::Recorded;
use sql_host::server::{Server, Setup};
use sql_host::wasm::Wasm;

/// How much of a load's end the trace holds.
const RECORDED: Duration = Duration::from_millis(100);

/// A small SQL server on fiberhost: PostgreSQL's protocol in front, SQLite behind it.
///
/// It starts with an embedded database, prints the line by which psql connects, runs a load of its own, and reports.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// Where to listen. The server asks for no password: whoever reaches the address may do everything. So it is the loopback
    /// address, which only this machine reaches, unless you say otherwise.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// How many clients the load has.
    #[arg(long, default_value_t = 200)]
    clients: usize,
    /// How long the load runs.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Threads that run sessions [default: as many as there are processors]
    #[arg(long)]
    workers: Option<usize>,
    /// Give each session an OS thread of its own instead of a fiber.
    #[arg(long)]
    thread_mode: bool,
    /// Run no load and keep serving.
    #[arg(long)]
    serve: bool,
    /// The database's file [default: a fresh one, which is removed at the end]
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
    /// Serve the operator's tables on a Unix socket at this path, for the live screen:
    /// `cargo run --release -p fiberhost-top -- PATH`.
    #[arg(long, value_name = "PATH")]
    observe: Option<PathBuf>,
    /// Listen for the operator on a Unix socket at this path too, on a lane of its own that answers when all workers are stuck.
    /// In a folder the socket has the name by which psql finds it.
    #[arg(long, value_name = "PATH")]
    emergency_socket: Option<PathBuf>,
    /// Check the scheduler's invariants at every switch, and end at the first that does not hold. It takes time.
    #[arg(long)]
    check_invariants: bool,
    /// Run the load once with sessions on fibers and once with sessions on threads, and print both results side by side.
    #[arg(long, conflicts_with_all = ["serve", "thread_mode", "database", "observe", "emergency_socket"])]
    both_modes: bool,
}

fn main() -> ExitCode {
    match work(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("sql_host: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all is well.
fn work(options: &Options) -> io::Result<bool> {
    if options.both_modes {
        return both_modes(options);
    }
    let fresh = fresh_database("");
    let setup = Setup {
        address: options.listen,
        database: options.database.clone().unwrap_or_else(|| fresh.clone()),
        workers: options.workers,
        thread_mode: options.thread_mode,
        observe: options.observe.clone(),
        emergency: options.emergency_socket.as_deref().map(emergency::place),
        check_invariants: options.check_invariants,
    };
    let wasm = Arc::new(Wasm::new()?);
    let server = Server::start(&setup, wasm.clone())?;
    let address = server.address();
    println!("psql -h {} -p {} -U sql sql", address.ip(), address.port());
    if !address.ip().is_loopback() {
        println!(
            "{} can be reached from other machines, and asks for no password",
            address.ip()
        );
    }
    if let Some(place) = &setup.emergency {
        let otherwise = || format!("the emergency socket is {}", place.display());
        println!("{}", emergency::hint(place).unwrap_or_else(otherwise));
    }
    if options.serve {
        loop {
            std::thread::park();
        }
    }
    let result = with_load(options, &server).and_then(|outcome| {
        let file = std::env::temp_dir().join(format!("sql_host-{}.trace.json", std::process::id()));
        let trace = Recorded::of(server.host());
        // One that an earlier process of this number has left.
        let _ = std::fs::remove_file(&file);
        trace.write_to(&file).map_err(io::Error::other)?;
        report::write(
            &mut io::stdout(),
            &outcome,
            &server,
            &wasm.crossings(),
            &file,
        )?;
        Ok(outcome.is_whole)
    });
    let stopped = server.stop();
    remove(&fresh);
    stopped.and(result)
}

fn fresh_database(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("sql_host-{}{name}.db", std::process::id()))
}

/// The load on two servers, one after the other, each with a fresh database.
fn both_modes(options: &Options) -> io::Result<bool> {
    let mut columns = Vec::new();
    for thread_mode in [false, true] {
        let name = if thread_mode { "threads" } else { "fibers" };
        let database = fresh_database(&format!("-{name}"));
        let setup = Setup {
            address: options.listen,
            database: database.clone(),
            workers: options.workers,
            thread_mode,
            observe: None,
            emergency: None,
            check_invariants: options.check_invariants,
        };
        let server = Server::start(&setup, Arc::new(Wasm::new()?))?;
        let column =
            with_load(options, &server).map(|outcome| report::Column::of(name, &outcome, &server));
        let stopped = server.stop();
        remove(&database);
        columns.push(column?);
        stopped?;
    }
    report::write_columns(&mut io::stdout(), &columns)?;
    Ok(columns.iter().all(report::Column::is_whole))
}

fn with_load(options: &Options, server: &Server) -> io::Result<load::Outcome> {
    let address = server.address();
    load::prepare(address)?;
    let time = Duration::from_secs(options.seconds);
    let scheduler = Scheduler::builder().name("load").workers(1).build()?;
    let done = load::Counter::default();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| progress(time, &done, &over));
        scope.spawn(|| record_the_end(time, server, &over));
        let outcome = load::run(&scheduler, address, options.clients, time, &done);
        over.store(true, Ordering::Relaxed);
        outcome
    })
}

/// The rings of events keep some thousands, so only what comes last is worth its price.
fn record_the_end(time: Duration, server: &Server, over: &AtomicBool) {
    let from = Instant::now() + time.saturating_sub(RECORDED);
    while Instant::now() < from {
        if over.load(Ordering::Relaxed) {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    server.host().scheduler().set_trace(Recording::Switches);
}

/// A bar on a terminal; nothing elsewhere.
fn progress(time: Duration, done: &load::Counter, over: &AtomicBool) {
    const WIDTH: usize = 40;
    let mut screen = io::stderr();
    if !screen.is_terminal() {
        return;
    }
    let began = Instant::now();
    while !over.load(Ordering::Relaxed) {
        let part = (began.elapsed().as_secs_f64() / time.as_secs_f64().max(0.001)).min(1.0);
        let full = (part * WIDTH as f64) as usize;
        let count = done.load(Ordering::Relaxed);
        // A screen that takes nothing any more has nobody before it.
        let _ = write!(
            screen,
            "\r[{:=<full$}{:WIDTH$}] {count} statements",
            "",
            "",
            WIDTH = WIDTH - full
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    let _ = write!(screen, "\r\x1b[K");
}

/// Removes a database with what SQLite keeps beside it.
fn remove(database: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let mut file = database.as_os_str().to_owned();
        file.push(suffix);
        // What is not there need not go.
        let _ = std::fs::remove_file(file);
    }
}
