//! The server's own tables, beside those of the scheduler: sessions, requests, settings.
#![forbid(unsafe_code)]

use std::fmt::Write;
use std::time::{Duration, Instant};

use fiberhost::Host;

use crate::configuration::{Configuration, SETTINGS};
use crate::control::Activity;
use crate::registry::{Entry, Registry};

/// A table: the view's name, by what its rows are asked for, and its columns.
pub(super) struct Table {
    pub(super) view: &'static str,
    pub(super) name: &'static str,
    pub(super) columns: &'static [&'static str],
}

/// `native` and `native_age_ms` are of the native code that a session is in, `wait_type` and `wait_ms` of what it waits for
/// while a statement runs or its answer is sent, `statement` is the one that runs or ran last.
pub(super) const SESSIONS: Table = Table {
    view: "dm_exec_sessions",
    name: "exec_sessions",
    columns: &[
        "session_id",
        "status",
        "session_age_ms",
        "running_ms",
        "native",
        "native_age_ms",
        "wait_type",
        "wait_ms",
        "task_id",
        "is_killed",
        "statement",
    ],
};

/// A row for each statement that runs. `sqlite_asked_ms` is how long ago SQLite asked whether to go on: a request that is
/// cancelled or killed ends when it asks next.
pub(super) const REQUESTS: Table = Table {
    view: "dm_exec_requests",
    name: "exec_requests",
    columns: &[
        "session_id",
        "task_id",
        "status",
        "command",
        "statement",
        "total_elapsed_ms",
        "wait_type",
        "wait_ms",
        "native",
        "native_age_ms",
        "sqlite_asked_ms",
        "time_left_ms",
        "is_killed",
    ],
};

/// `value` is what a setting is, `initial_value` what it was at the start.
pub(super) const CONFIGURATIONS: Table = Table {
    view: "configurations",
    name: "configurations",
    columns: &[
        "name",
        "value",
        "initial_value",
        "is_dynamic",
        "description",
    ],
};

/// All of them.
pub(super) const TABLES: [Table; 3] = [SESSIONS, REQUESTS, CONFIGURATIONS];

/// What stands in a row.
enum Cell {
    Nothing,
    Number(f64),
    Text(String),
}

impl From<f64> for Cell {
    fn from(number: f64) -> Cell {
        Cell::Number(number)
    }
}

impl From<bool> for Cell {
    fn from(flag: bool) -> Cell {
        Cell::Number(f64::from(u8::from(flag)))
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell::Text(text)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }
}

impl From<Duration> for Cell {
    fn from(time: Duration) -> Cell {
        Cell::Number(time.as_secs_f64() * 1e3)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Cell {
        value.map_or(Cell::Nothing, Into::into)
    }
}

fn row<const N: usize>(table: &Table, cells: [Cell; N], out: &mut String) {
    assert_eq!(table.columns.len(), N, "a cell for each column");
    for (index, (column, cell)) in table.columns.iter().zip(cells).enumerate() {
        out.push_str(if index == 0 { "{" } else { "," });
        let _ = write!(out, "\"{column}\":");
        match cell {
            Cell::Nothing => out.push_str("null"),
            Cell::Number(number) => drop(write!(out, "{number}")),
            Cell::Text(text) => quote(&text, out),
        }
    }
    out.push_str("}\n");
}

/// A text as JSON.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for each in text.chars() {
        match each {
            '"' | '\\' => out.extend(['\\', each]),
            control if control < ' ' => drop(write!(out, "\\u{:04x}", u32::from(control))),
            plain => out.push(plain),
        }
    }
    out.push('"');
}

/// What both tables of sessions say of one.
struct Seen {
    activity: Activity,
    native: Option<&'static str>,
    native_age: Option<Duration>,
    wait: Option<&'static str>,
    wait_age: Option<Duration>,
    running: Option<Duration>,
}

impl Seen {
    fn of(entry: &Entry) -> Seen {
        let activity = entry.control.activity();
        let native = activity
            .native
            .map(|(it, since)| (it.name(), since.elapsed()));
        let wait = activity
            .waits
            .map(|(it, since)| (it.name(), since.elapsed()));
        Seen {
            native: native.map(|(name, _)| name),
            native_age: native.map(|(_, age)| age),
            wait: wait.map(|(name, _)| name),
            wait_age: wait.map(|(_, age)| age),
            running: activity.running_since.map(|since: Instant| since.elapsed()),
            activity,
        }
    }
}

fn task(entry: &Entry) -> Option<f64> {
    // Numbers of tasks stay far below those that a double cannot tell apart.
    entry.task_id.map(|task| task as f64)
}

pub(super) fn sessions(registry: &Registry) -> String {
    let mut out = String::new();
    for entry in registry.sessions() {
        let seen = Seen::of(&entry);
        let status = match seen.running {
            Some(_) => "running",
            None => "sleeping",
        };
        let cells = [
            f64::from(entry.id).into(),
            status.into(),
            entry.since.elapsed().into(),
            seen.running.into(),
            seen.native.into(),
            seen.native_age.into(),
            seen.wait.into(),
            seen.wait_age.into(),
            task(&entry).into(),
            entry.control.is_killed().into(),
            seen.activity.statement.into(),
        ];
        row(&SESSIONS, cells, &mut out);
    }
    out
}

pub(super) fn requests(registry: &Registry) -> String {
    let mut out = String::new();
    for entry in registry.sessions() {
        let seen = Seen::of(&entry);
        let Some(running) = seen.running else {
            continue;
        };
        let status = match seen.wait {
            Some(_) => "suspended",
            None => "running",
        };
        let statement = seen.activity.statement;
        let command = statement.split_whitespace().next().map(str::to_uppercase);
        let in_native = seen.native.is_some();
        let cells = [
            f64::from(entry.id).into(),
            task(&entry).into(),
            status.into(),
            command.into(),
            statement.into(),
            running.into(),
            seen.wait.into(),
            seen.wait_age.into(),
            seen.native.into(),
            seen.native_age.into(),
            in_native.then(|| entry.control.asked_ago()).into(),
            entry.control.left().into(),
            entry.control.is_killed().into(),
        ];
        row(&REQUESTS, cells, &mut out);
    }
    out
}

pub(super) fn configurations(host: &Host, configuration: &Configuration) -> String {
    let mut out = String::new();
    for (setting, initial) in SETTINGS.iter().zip(configuration.initial()) {
        let cells = [
            setting.name.into(),
            (setting.value)(host).into(),
            initial.as_str().into(),
            setting.is_dynamic().into(),
            setting.meaning.into(),
        ];
        row(&CONFIGURATIONS, cells, &mut out);
    }
    out
}
