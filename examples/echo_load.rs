//! A TCP echo server with a task for each connection, and a load generator that asks it for some seconds and reports.
//!
//! ```sh
//! cargo run --release --example echo_load
//! cargo run --release --example echo_load -- --connections 1000 --seconds 10 --workers 2
//! ```
//!
//! Server and load are two schedulers in one process, so that neither takes the other's workers. The code of both reads as
//! if every connection had a thread: a task that waits for its socket costs a stack and no thread.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::time::Duration;

use fiberhost::scheduler::{Builder, Scheduler};

#[path = "echo_load/histogram.rs"]
mod histogram;
#[path = "echo_load/load.rs"]
mod load;
#[path = "echo_load/options.rs"]
mod options;
#[path = "echo_load/report.rs"]
mod report;
#[path = "echo_load/server.rs"]
mod server;

use options::{Command, Options};
use report::Report;
use server::Server;

/// The arguments are wrong: an impossible number, an option that is not there.
const WRONG_ARGUMENTS: u8 = 2;
/// How long the end of a scheduler may take; all its tasks are over by then, or wait for connections.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(10);

pub(crate) fn main() -> ExitCode {
    run(
        std::env::args_os().skip(1),
        &mut io::stdout(),
        &mut io::stderr(),
    )
}

/// The program, with everything it touches as a parameter.
pub(crate) fn run(
    arguments: impl Iterator<Item = OsString>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> ExitCode {
    let outcome = match options::parse(arguments) {
        Ok(Command::Help) => out
            .write_all(options::USAGE.as_bytes())
            .map_err(Failure::output),
        Ok(Command::Run(options)) => work(&options, out),
        Err(wrong) => Err(Failure {
            code: WRONG_ARGUMENTS,
            text: format!("{wrong}; see --help"),
        }),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody is left to be told if this fails.
            let _ = writeln!(err, "echo_load: {}", failure.text);
            ExitCode::from(failure.code)
        }
    }
}

struct Failure {
    code: u8,
    text: String,
}

impl Failure {
    fn output(error: io::Error) -> Self {
        Failure {
            code: 1,
            text: format!("cannot write the report: {error}"),
        }
    }

    fn start(error: io::Error) -> Self {
        Failure {
            code: match error.kind() {
                ErrorKind::InvalidInput => WRONG_ARGUMENTS,
                _ => 1,
            },
            text: format!("cannot start a scheduler: {error}"),
        }
    }

    fn work(what: &str, error: &io::Error) -> Self {
        Failure {
            code: 1,
            text: format!("{what}: {error}"),
        }
    }
}

fn scheduler(builder: Builder, workers: Option<usize>) -> Result<Scheduler, Failure> {
    let builder = match workers {
        Some(workers) => builder.workers(workers),
        None => builder,
    };
    builder.build().map_err(Failure::start)
}

fn work(options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    let serving = scheduler(Scheduler::builder().name("echo"), options.workers)?;
    let loading = scheduler(
        Scheduler::builder().name("load"),
        Some(options.load_workers),
    )?;
    let server = Server::start(&serving).map_err(|error| Failure::work("cannot listen", &error))?;

    let (asked, address) = (options.clone(), server.address());
    let result = loading
        .run(move || load::run(&asked, address))
        .map_err(|error| Failure::work("the load failed", &error))?;

    let report = Report {
        options,
        address,
        workers: serving.workers(),
        served: server.stop(),
        switches: serving.stats().switches,
        result,
    };
    for scheduler in [loading, serving] {
        scheduler
            .shutdown(SHUTDOWN_LIMIT)
            .expect("every task has ended or waits");
    }
    report.print(out).map_err(Failure::output)
}
