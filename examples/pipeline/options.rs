//! The command line.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::path::PathBuf;

const QUEUE: usize = 32;

pub(crate) const USAGE: &str = "\
Reads every file below a folder, finds duplicates and counts words.

usage: pipeline [OPTIONS] [FOLDER]

  FOLDER         where to begin; the current folder if none is named
  --workers N    how many tasks may run at once; as many as there are processors if not given
  --queue N      how many items may wait between two stages; 32 if not given
  --help         this text

Links are not followed and other file systems are not entered.
Exit code: 0 done, 1 the report could not be made, 2 wrong arguments.
";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) folder: PathBuf,
    /// None: the scheduler's default.
    pub(crate) workers: Option<usize>,
    pub(crate) queue: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Run(Options),
    Help,
}

/// The error is a sentence for the user.
pub(crate) fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Command, String> {
    let mut folder = None;
    let mut workers = None;
    let mut queue = None;
    let mut only_folders = false;
    while let Some(argument) = arguments.next() {
        let option = argument
            .to_str()
            .filter(|text| !only_folders && text.starts_with("--"));
        let Some(option) = option else {
            if folder.replace(PathBuf::from(&argument)).is_some() {
                return Err(format!("{}: one folder is enough", argument.display()));
            }
            continue;
        };
        let (name, value) = match option.split_once('=') {
            Some((name, value)) => (name, Some(OsString::from(value))),
            None => (option, None),
        };
        match name {
            "--help" => return Ok(Command::Help),
            "--" => only_folders = true,
            "--workers" => workers = Some(number(name, value.or_else(|| arguments.next()))?),
            "--queue" => queue = Some(number(name, value.or_else(|| arguments.next()))?),
            _ => return Err(format!("{name}: no such option")),
        }
    }
    Ok(Command::Run(Options {
        folder: folder.unwrap_or_else(|| PathBuf::from(".")),
        workers,
        queue: queue.unwrap_or(QUEUE),
    }))
}

fn number(name: &str, value: Option<OsString>) -> Result<usize, String> {
    let value = value.ok_or_else(|| format!("{name}: a number is missing"))?;
    match value.to_str().and_then(|text| text.parse().ok()) {
        Some(0) => Err(format!("{name}: must be at least 1")),
        Some(number) => Ok(number),
        None => Err(format!("{name}: {} is not a number", value.display())),
    }
}
