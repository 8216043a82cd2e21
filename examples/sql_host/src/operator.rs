//! The operator's tables as SQL: `SELECT … FROM sys.dm_os_tasks` and its like, and `sys.dm_exec_sessions`.
//!
//! Each connection has a view for each table, on the rows that [`fiberhost::views`] makes when the view is read. A query that
//! names several of them reads each at its own moment.
#![forbid(unsafe_code)]

use std::sync::{Arc, OnceLock, Weak};
use std::time::Instant;

use fiberhost::Host;
use fiberhost::views::{TABLES, Views};
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;

use crate::error::SqlError;
use crate::registry::Registry;

/// The schema under which they are known.
pub const SCHEMA: &str = "sys";

/// What can be looked at. Empty until a server has started.
#[derive(Debug, Default)]
pub struct Operator {
    sources: OnceLock<(Weak<Host>, Arc<Registry>)>,
}

impl Operator {
    /// Once: what the tables are about. The host is not kept.
    pub fn look_at(&self, host: &Arc<Host>, registry: &Arc<Registry>) {
        let _ = self
            .sources
            .set((Arc::downgrade(host), Arc::clone(registry)));
    }

    /// The rows of a table, as a JSON array.
    fn rows(&self, table: &str) -> Result<String, SqlError> {
        let gone = || SqlError::new("57P03", "there is nothing to look at");
        let (host, registry) = self.sources.get().ok_or_else(gone)?;
        if table == SESSIONS {
            return Ok(array(&sessions(registry)));
        }
        let host = host.upgrade().ok_or_else(gone)?;
        let views = Views::take(host.scheduler(), &[&host]);
        let lines = views.json(table);
        let lines = lines.map_err(|error| SqlError::new("42P01", error.to_string()))?;
        Ok(array(&lines))
    }
}

/// From JSON lines to an array.
fn array(lines: &str) -> String {
    format!("[{}]", lines.trim_end().replace('\n', ","))
}

const SESSIONS: &str = "sessions";
/// Of `sys.dm_exec_sessions`. `native` and `native_age_ms` are of the native code that a session is in.
const SESSION_COLUMNS: [&str; 6] = [
    "session_id",
    "status",
    "session_age_ms",
    "running_ms",
    "native",
    "native_age_ms",
];

fn sessions(registry: &Registry) -> String {
    let age = |since: Instant| since.elapsed().as_secs_f64() * 1000.0;
    let lines = registry.sessions().into_iter().map(|entry| {
        let activity = entry.control.activity();
        let running = activity.running_since.map(age);
        let (native, native_age) = activity
            .native
            .map(|(native, since)| (native.name(), age(since)))
            .unzip();
        let status = match running {
            Some(_) => "running",
            None => "sleeping",
        };
        let number = |value: Option<f64>| value.map_or("null".to_owned(), |value| value.to_string());
        let native = native.map_or("null".to_owned(), |name| format!("\"{name}\""));
        format!(
            "{{\"session_id\":{},\"status\":\"{status}\",\"session_age_ms\":{},\"running_ms\":{},\"native\":{native},\"native_age_ms\":{}}}",
            entry.id,
            age(entry.since),
            number(running),
            number(native_age),
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Makes the views known to a connection.
///
/// # Errors
/// If SQLite does not take one.
pub fn register(connection: &Connection, operator: &Arc<Operator>) -> rusqlite::Result<()> {
    let operator = Arc::clone(operator);
    connection.create_scalar_function(
        "operator_rows",
        1,
        FunctionFlags::SQLITE_UTF8,
        move |context| {
            let rows = operator.rows(&context.get::<String>(0)?);
            rows.map_err(|error| rusqlite::Error::UserFunctionError(Box::new(error)))
        },
    )?;
    for table in TABLES {
        let columns = table.columns.iter().map(|column| column.name);
        connection.execute_batch(&view(&format!("dm_os_{}", table.name), table.name, columns))?;
    }
    let sessions = view("dm_exec_sessions", SESSIONS, SESSION_COLUMNS.into_iter());
    connection.execute_batch(&sessions)
}

fn view<'a>(name: &str, table: &str, columns: impl Iterator<Item = &'a str>) -> String {
    let columns: Vec<String> = columns
        .map(|column| format!("value ->> '{column}' AS \"{column}\""))
        .collect();
    format!(
        "CREATE TEMP VIEW {name} AS SELECT {} FROM json_each(operator_rows('{table}'));",
        columns.join(", ")
    )
}
