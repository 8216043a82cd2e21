//! The command line.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

pub(crate) const USAGE: &str = "\
A TCP echo server with a task for each connection, and a load on it.

usage: echo_load [OPTIONS]

  --connections N    how many connections at once; 100 if not given
  --seconds S        how long to ask, a fraction will do; 5 if not given
  --bytes N          how long a message is; 64 if not given
  --workers N        workers of the server; as many as there are processors if not given
  --load-workers N   workers of the load generator; 1 if not given
  --help             this text

Each connection sends a message, waits for all of it to come back, and sends the next one.
It takes two descriptors for each connection: see `ulimit -n`.
Exit code: 0 done, 1 something went wrong, 2 wrong arguments.
";

const BYTES_MAX: usize = 1 << 20;
const SECONDS_MAX: f64 = 86_400.0;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Options {
    pub(crate) connections: usize,
    pub(crate) time: Duration,
    pub(crate) bytes: usize,
    /// None: the scheduler's default.
    pub(crate) workers: Option<usize>,
    pub(crate) load_workers: usize,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Run(Options),
    Help,
}

/// The error is a sentence for the user.
pub(crate) fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Command, String> {
    let mut options = Options {
        connections: 100,
        time: Duration::from_secs(5),
        bytes: 64,
        workers: None,
        load_workers: 1,
    };
    while let Some(argument) = arguments.next() {
        let Some(text) = argument.to_str().filter(|text| text.starts_with("--")) else {
            return Err(format!(
                "{}: nothing but options is expected",
                argument.display()
            ));
        };
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(OsString::from(value))),
            None => (text, None),
        };
        if name == "--help" {
            return Ok(Command::Help);
        }
        let mut value = || value.clone().or_else(|| arguments.next());
        match name {
            "--connections" => options.connections = count(name, value())?,
            "--bytes" => options.bytes = count(name, value())?,
            "--workers" => options.workers = Some(count(name, value())?),
            "--load-workers" => options.load_workers = count(name, value())?,
            "--seconds" => options.time = seconds(name, value())?,
            _ => return Err(format!("{name}: no such option")),
        }
    }
    if options.bytes > BYTES_MAX {
        return Err(format!("--bytes: at most {BYTES_MAX}"));
    }
    Ok(Command::Run(options))
}

fn count(name: &str, value: Option<OsString>) -> Result<usize, String> {
    match number(name, value)? {
        0 => Err(format!("{name}: must be at least 1")),
        count => Ok(count),
    }
}

fn seconds(name: &str, value: Option<OsString>) -> Result<Duration, String> {
    let seconds: f64 = number(name, value)?;
    if seconds > 0.0 && seconds <= SECONDS_MAX {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(format!("{name}: must be above 0 and at most a day"))
    }
}

fn number<N: FromStr<Err: Display>>(name: &str, value: Option<OsString>) -> Result<N, String> {
    let value = value.ok_or_else(|| format!("{name}: a number is missing"))?;
    match value.to_str().map(str::parse) {
        Some(Ok(number)) => Ok(number),
        _ => Err(format!("{name}: {} is not a number", value.display())),
    }
}
