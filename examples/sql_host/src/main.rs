//! `cargo run --release -p sql_host`: see `--help`.
#![forbid(unsafe_code)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use sql_host::runtime::NoRuntime;
use sql_host::server::{Server, Setup};

/// A small SQL server on fiberhost: PostgreSQL's protocol, SQLite underneath.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// Where to listen. Without a password everybody who reaches the address may do everything, so it is the loopback
    /// address unless you say otherwise.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Worker threads; as many as there are processors, if not said.
    #[arg(long)]
    workers: Option<usize>,
    /// Give each session an OS thread of its own.
    #[arg(long)]
    thread_mode: bool,
    /// Keep serving until interrupted.
    #[arg(long)]
    serve: bool,
    /// The database's file; a fresh one, which goes at the end, if not said.
    #[arg(long)]
    database: Option<PathBuf>,
}

fn main() -> ExitCode {
    match work(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sql_host: {error}");
            ExitCode::FAILURE
        }
    }
}

fn work(options: &Options) -> std::io::Result<()> {
    let database = options.database.clone().unwrap_or_else(|| {
        std::env::temp_dir().join(format!("sql_host-{}.db", std::process::id()))
    });
    let setup = Setup {
        address: options.listen,
        database,
        workers: options.workers,
        thread_mode: options.thread_mode,
    };
    let server = Server::start(&setup, Arc::new(NoRuntime))?;
    let address = server.address();
    println!("psql -h {} -p {} -U sql sql", address.ip(), address.port());
    loop {
        std::thread::park();
    }
}
