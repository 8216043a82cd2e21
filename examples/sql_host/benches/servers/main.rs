//! The SQL server beside the same server on one OS thread a connection, and on tokio with `spawn_blocking` around SQLite.
//!
//! `cargo bench -p sql_host` prints how much each can do, how long answers take at half and at four fifths of what the slowest
//! one can, and what idle connections cost; and which of the aims are reached. Protocol, statements, SQLite and its settings,
//! and the functions and procedures are the same code in all of them; they differ in who runs a session, and where there is no
//! host wasmtime tells nobody of a guest's crossings. The load is open, and in a process of its own; it shares
//! the machine's processors with the server, as it does with each of them. Rounds go through the servers in turn, each server
//! fresh with a fresh database, and a figure is the median over the rounds.
#![forbid(unsafe_code)]

mod blocking_pool;
#[path = "../../../echo_load/histogram.rs"]
mod histogram;
mod hosted;
mod load;
mod process;
mod report;
mod script;
mod threads;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use sql_host::client::Client;
use sql_host::runtime::Runtime;
use sql_host::wasm::Wasm;

use load::{Said, Wanted};
use process::{Holds, Process};
use report::{Idle, Results};

const ANYWHERE: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));
/// Parts of the slowest one's maximum at which the open load runs.
const PARTS: [f64; 2] = [0.5, 0.8];

/// The servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// On the host, sessions on fibers.
    Fibers,
    /// On the host, sessions on threads of their own.
    HostThreads,
    /// An OS thread for each connection.
    Threads,
    /// Tokio, with `spawn_blocking` around SQLite.
    Tokio,
}

impl Kind {
    const ALL: [Kind; 4] = [Kind::Fibers, Kind::HostThreads, Kind::Threads, Kind::Tokio];

    fn name(self) -> &'static str {
        match self {
            Kind::Fibers => "fibers",
            Kind::HostThreads => "host-threads",
            Kind::Threads => "threads",
            Kind::Tokio => "tokio",
        }
    }
}

/// Measures SQL servers beside each other.
#[derive(Debug, Parser)]
struct Options {
    /// Rounds of the loads. With none only idle connections are measured.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of each load.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Connections of the loads.
    #[arg(long, default_value_t = 128)]
    clients: usize,
    /// Connections that are idle.
    #[arg(long, default_value_t = 5000)]
    idle: usize,
    /// What cargo adds.
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

/// What a process of the bench does.
#[derive(Debug, Subcommand)]
enum Role {
    #[command(hide = true)]
    Serve { kind: Kind, database: PathBuf },
    #[command(hide = true)]
    Load {
        address: SocketAddr,
        clients: usize,
        seconds: f64,
        seed: u64,
        rate: Option<f64>,
    },
    #[command(hide = true)]
    Idle { address: SocketAddr, count: usize },
}

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match &options.role {
        None => measure(&options),
        Some(Role::Serve { kind, database }) => serve(*kind, database),
        Some(Role::Idle { address, count }) => load::idle(*address, *count),
        Some(Role::Load {
            address,
            clients,
            seconds,
            seed,
            rate,
        }) => {
            let wanted = Wanted {
                clients: *clients,
                time: Duration::from_secs_f64(*seconds),
                rate: *rate,
                seed: *seed,
            };
            load::run(*address, wanted)
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("servers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(kind: Kind, database: &Path) -> io::Result<()> {
    let runtime: Arc<dyn Runtime> = Arc::new(Wasm::new()?);
    match kind {
        Kind::Fibers => hosted::serve(database, runtime, false),
        Kind::HostThreads => hosted::serve(database, runtime, true),
        Kind::Threads => threads::serve(database, runtime),
        Kind::Tokio => blocking_pool::serve(database, runtime),
    }
}

/// A server with its database, which goes with it.
struct Served {
    process: Process,
    address: String,
    database: PathBuf,
}

impl Served {
    fn start(kind: Kind) -> io::Result<Served> {
        let name = format!("sql_host-bench-{}-{}.db", std::process::id(), kind.name());
        let database = std::env::temp_dir().join(name);
        let text = database
            .to_str()
            .ok_or_else(|| io::Error::other("a folder without a name in UTF-8"))?;
        let mut process = Process::start(&["serve", kind.name(), text])?;
        let address = process.line()?;
        let to: SocketAddr = address.parse().map_err(io::Error::other)?;
        let mut client = Client::greet(std::net::TcpStream::connect(to)?)?;
        script::prepare(&mut client)?;
        Ok(Served {
            process,
            address,
            database,
        })
    }

    fn load(&self, options: &Options, seed: usize, rate: Option<f64>) -> io::Result<Said> {
        let (clients, seconds) = (options.clients.to_string(), options.seconds.to_string());
        let seed = seed.to_string();
        let mut arguments = vec!["load", &self.address, &clients, &seconds, &seed];
        let rate = rate.map(|rate| rate.to_string());
        arguments.extend(rate.as_deref());
        Said::read(&Process::start(&arguments)?.rest()?)
    }

    fn end(self) -> io::Result<()> {
        let result = self.process.close();
        for suffix in ["", "-wal", "-shm"] {
            let mut file = self.database.as_os_str().to_owned();
            file.push(suffix);
            // What is not there need not go.
            let _ = std::fs::remove_file(file);
        }
        result
    }
}

/// Runs a step against a fresh server.
fn against<R>(kind: Kind, step: impl FnOnce(&Served) -> io::Result<R>) -> io::Result<R> {
    let served = Served::start(kind)?;
    let result = step(&served);
    served.end().and(result)
}

fn measure(options: &Options) -> io::Result<()> {
    let mut results = Results::new(options.rounds);
    for round in 0..options.rounds {
        for kind in Kind::ALL {
            let said = against(kind, |served| served.load(options, round, None))?;
            eprintln!("round {round}, {}: {:.0} a second", kind.name(), said.rate);
            results.closed(kind, said);
        }
    }
    let slowest = results.slowest();
    for (place, part) in PARTS.into_iter().enumerate() {
        for round in 0..options.rounds {
            for kind in Kind::ALL {
                let rate = Some(slowest * part);
                let said = against(kind, |served| served.load(options, round, rate))?;
                eprintln!(
                    "round {round}, {} at {:.0} a second",
                    kind.name(),
                    slowest * part
                );
                results.open(place, kind, said);
            }
        }
    }
    for kind in Kind::ALL {
        results.idle(kind, idle(kind, options)?);
    }
    results.print();
    Ok(())
}

/// What idle connections cost a server that has served others before.
fn idle(kind: Kind, options: &Options) -> io::Result<Idle> {
    against(kind, |served| {
        let warm = Options {
            rounds: 1,
            seconds: 0.5,
            clients: 16,
            idle: 0,
            bench: false,
            role: None,
        };
        served.load(&warm, 0, None)?;
        let before = served.process.holds()?;
        let count = options.idle.to_string();
        let mut clients = Process::start(&["idle", &served.address, &count])?;
        clients.line()?;
        let after = served.process.holds()?;
        clients.close()?;
        let per = |of: fn(&Holds) -> f64| (of(&after) - of(&before)) / options.idle.max(1) as f64;
        Ok(Idle {
            kib: per(|holds| holds.memory_kib as f64),
            descriptors: per(|holds| holds.descriptors as f64),
        })
    })
}
