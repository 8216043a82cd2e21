//! Reads every file below a folder: finds duplicates and counts words, as stages that are joined by bounded channels.
//!
//! ```sh
//! cargo run --release --example pipeline                      # the current folder
//! cargo run --release --example pipeline -- --workers 4 DIR
//! ```
//!
//! ```text
//! walk -> read -+-> hash ---+-> collect -> report
//!               +-> index --+
//! ```
//!
//! Each stage gives every item to a fresh task of its own. Fresh tasks spread over the workers by themselves, while a
//! started one stays where it is: that is why there is a task for each file and for each piece of a file,
//! and not a handful of tasks that live as long as the program.
//!
//! Nothing runs ahead: the channels and the number of tasks in a stage are bounded, so the memory in use is too,
//! and a stage that is slow holds up the ones before it. The report says which one waited for which.
//! The channels form no circle, so the stages cannot block each other for ever.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use fiberhost::scheduler::Scheduler;

#[path = "pipeline/collect.rs"]
mod collect;
#[path = "pipeline/files.rs"]
mod files;
#[path = "pipeline/job.rs"]
mod job;
#[path = "pipeline/options.rs"]
mod options;
#[path = "pipeline/progress.rs"]
mod progress;
#[path = "pipeline/report.rs"]
mod report;
#[path = "pipeline/stage.rs"]
mod stage;
#[path = "pipeline/words.rs"]
mod words;

use options::{Command, Options};
pub(crate) use progress::Drawing;
use report::Report;

/// The arguments are wrong: a missing folder, an impossible number.
const WRONG_ARGUMENTS: u8 = 2;
/// How long the end of the scheduler may take; all its tasks are over by then.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(10);

pub(crate) fn main() -> ExitCode {
    let drawing = if io::stderr().is_terminal() {
        Drawing::OnStderr
    } else {
        Drawing::Off
    };
    run(
        std::env::args_os().skip(1),
        &mut io::stdout(),
        &mut io::stderr(),
        drawing,
    )
}

/// The program, with everything it touches as a parameter.
pub(crate) fn run(
    arguments: impl Iterator<Item = OsString>,
    out: &mut dyn Write,
    err: &mut dyn Write,
    drawing: Drawing,
) -> ExitCode {
    let outcome = match options::parse(arguments) {
        Ok(Command::Help) => out
            .write_all(options::USAGE.as_bytes())
            .map_err(Failure::output),
        Ok(Command::Run(options)) => work(&options, out, err, drawing),
        Err(wrong) => Err(Failure::arguments(format!("{wrong}; see --help"))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody is left to be told if this fails.
            let _ = writeln!(err, "pipeline: {}", failure.text);
            ExitCode::from(failure.code)
        }
    }
}

struct Failure {
    code: u8,
    text: String,
}

impl Failure {
    fn arguments(text: String) -> Self {
        Failure {
            code: WRONG_ARGUMENTS,
            text,
        }
    }

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
            text: format!("cannot start the scheduler: {error}"),
        }
    }
}

fn work(
    options: &Options,
    out: &mut dyn Write,
    err: &mut dyn Write,
    drawing: Drawing,
) -> Result<(), Failure> {
    // Before any thread is started: the walk would only say that it found nothing.
    fs::read_dir(&options.folder)
        .map_err(|error| Failure::arguments(format!("{}: {error}", options.folder.display())))?;
    let mut builder = Scheduler::builder().name("pipeline");
    if let Some(workers) = options.workers {
        builder = builder.workers(workers);
    }
    let scheduler = builder.build().map_err(Failure::start)?;

    let began = Instant::now();
    let job = options.clone();
    let result = scheduler.run(move || job::run(&job, drawing));
    let report = Report {
        folder: &options.folder,
        took: began.elapsed(),
        workers: scheduler.workers(),
        stats: scheduler.stats(),
        result,
    };
    scheduler
        .shutdown(SHUTDOWN_LIMIT)
        .expect("every task of the job has ended");
    report.warn(err).map_err(Failure::output)?;
    report.print(out).map_err(Failure::output)
}
