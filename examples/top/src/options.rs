//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) const HELP: &str = "\
usage: fiberhost-top [OPTIONS] SOCKET

Shows what a scheduler is at, from the socket that `observe` of its builder made.

  --table NAME     begin with this table
  --sort COLUMN    sorted by this column; the largest first
  --detail         with the details of the first row
  --interval MS    milliseconds between two looks (1000)
  --once           print one screen as text, and end
  --width N        columns of that screen (120)
  --height N       lines of that screen (40)

Keys: Tab and Shift-Tab or 1 to 9 change the table, arrows and page keys the row; < and > change the column by which
is sorted, r turns the order around, s gives the table's own order back; Enter opens the details of a row, which the
page keys scroll then; d counts from now on, t from the start; p pauses; q ends. The third line tells what does not go
on.
";

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Parsed {
    Run(Options),
    Help,
}

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) socket: PathBuf,
    pub(crate) table: Option<String>,
    pub(crate) sort: Option<String>,
    pub(crate) detail: bool,
    pub(crate) interval: Duration,
    pub(crate) once: bool,
    pub(crate) width: u16,
    pub(crate) height: u16,
}

pub(crate) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Parsed, String> {
    let mut arguments = arguments;
    let mut socket = None;
    let mut options = Options {
        socket: PathBuf::new(),
        table: None,
        sort: None,
        detail: false,
        interval: Duration::from_secs(1),
        once: false,
        width: 120,
        height: 40,
    };
    while let Some(argument) = arguments.next() {
        let Some(option) = argument.to_str().filter(|text| text.starts_with('-')) else {
            if socket.replace(PathBuf::from(&argument)).is_some() {
                return Err(format!("{}: one socket is enough", argument.display()));
            }
            continue;
        };
        let mut value = || {
            let value = arguments.next().and_then(|value| value.into_string().ok());
            value.ok_or_else(|| format!("{option}: a value is missing"))
        };
        match option {
            "--help" | "-h" => return Ok(Parsed::Help),
            "--once" => options.once = true,
            "--detail" => options.detail = true,
            "--table" => options.table = Some(value()?),
            "--sort" => options.sort = Some(value()?),
            "--interval" => {
                let ms = number(option, &value()?, 10, 60_000)?;
                options.interval = Duration::from_millis(ms);
            }
            "--width" => options.width = number(option, &value()?, 20, 1000)? as u16,
            "--height" => options.height = number(option, &value()?, 8, 1000)? as u16,
            _ => return Err(format!("{option}: no such option")),
        }
    }
    options.socket = socket.ok_or("a socket is missing")?;
    Ok(Parsed::Run(options))
}

fn number(option: &str, text: &str, least: u64, most: u64) -> Result<u64, String> {
    let number = text.parse().ok();
    let number = number.filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("{option}: {text} is no number from {least} to {most}"))
}
