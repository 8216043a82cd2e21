//! The operator's tables as SQL: `SELECT … FROM sys.dm_os_tasks` and its like, `sys.dm_exec_sessions`, `sys.dm_exec_requests`,
//! `sys.configurations`; and what the operator's orders reach: the trace, and settings of the running server.
//!
//! Each connection has a view for each table, on the rows that [`fiberhost::views`] makes when the view is read. A query that
//! names several of them reads each at its own moment.
#![forbid(unsafe_code)]

mod tables;

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, OnceLock, Weak};

use fiberhost::Host;
use fiberhost::scheduler::trace::Trace;
use fiberhost::views::{TABLES, Views};
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;

use crate::configuration::{self, Configuration};
use crate::error::SqlError;
use crate::registry::Registry;

/// The schema under which they are known.
pub const SCHEMA: &str = "sys";

/// What can be looked at. Empty until a server has started.
#[derive(Debug, Default)]
pub struct Operator {
    sources: OnceLock<Sources>,
}

#[derive(Debug)]
struct Sources {
    host: Weak<Host>,
    registry: Arc<Registry>,
    configuration: Configuration,
}

impl Operator {
    /// Once: what the tables are about. The host is not kept.
    pub fn look_at(&self, host: &Arc<Host>, registry: &Arc<Registry>) {
        let _ = self.sources.set(Sources {
            host: Arc::downgrade(host),
            registry: Arc::clone(registry),
            configuration: Configuration::of(host),
        });
    }

    fn sources(&self) -> Result<(Arc<Host>, &Sources), SqlError> {
        let found = self.sources.get();
        let found = found.and_then(|sources| Some((sources.host.upgrade()?, sources)));
        found.ok_or_else(|| SqlError::new("57P03", "there is nothing to look at"))
    }

    /// The rows of a table, as a JSON array.
    fn rows(&self, table: &str) -> Result<String, SqlError> {
        let (host, sources) = self.sources()?;
        let lines = if table == tables::SESSIONS.name {
            tables::sessions(&sources.registry)
        } else if table == tables::REQUESTS.name {
            tables::requests(&sources.registry)
        } else if table == tables::CONFIGURATIONS.name {
            tables::configurations(&host, &sources.configuration)
        } else {
            let views = Views::take(host.scheduler(), &[&host]);
            let lines = views.json(table);
            lines.map_err(|error| SqlError::new("42P01", error.to_string()))?
        };
        Ok(format!("[{}]", lines.trim_end().replace('\n', ",")))
    }

    /// What the scheduler has recorded.
    ///
    /// # Errors
    /// There is no scheduler.
    pub fn trace(&self) -> Result<Recorded, SqlError> {
        let (host, _) = self.sources()?;
        Ok(Recorded::of(&host))
    }

    /// What a setting of the server is; none if it has none of this name.
    pub fn configuration(&self, name: &str) -> Option<Result<String, SqlError>> {
        let setting = configuration::find(name)?;
        Some(self.sources().map(|(host, _)| (setting.value)(&host)))
    }

    /// Changes one, or sets it back.
    ///
    /// # Errors
    /// As for [`Configuration::set`].
    pub fn configure(&self, name: &str, value: Option<&str>) -> Result<(), SqlError> {
        let (host, sources) = self.sources()?;
        sources.configuration.set(&host, name, value)
    }

    /// Sets all back.
    ///
    /// # Errors
    /// As for [`Configuration::set_all_back`].
    pub fn configure_nothing(&self) -> Result<(), SqlError> {
        let (host, sources) = self.sources()?;
        sources.configuration.set_all_back(&host)
    }
}

/// What was recorded, to be written for Perfetto.
#[derive(Debug)]
pub struct Recorded {
    /// How many events there are.
    pub events: usize,
    /// How many were written over before they were read.
    pub lost: u64,
    trace: Trace,
}

impl Recorded {
    /// What a host's scheduler has recorded until now.
    pub fn of(host: &Host) -> Recorded {
        let trace = host.scheduler().trace();
        Recorded {
            events: trace.events.len(),
            lost: trace.lost,
            trace,
        }
    }

    /// Writes it to a file that must not be there: whoever may connect may order this, and is not to replace anything.
    ///
    /// # Errors
    /// 58P02 if there is such a file, 58P01 if there is no such folder, 42501 if the server may not write there, 58030 for the
    /// rest.
    pub fn write_to(&self, file: impl AsRef<Path>) -> Result<(), SqlError> {
        let file = file.as_ref();
        let write = || {
            let mut out = OpenOptions::new().write(true).create_new(true).open(file)?;
            out.write_all(self.trace.chrome().as_bytes())
        };
        write().map_err(|error: io::Error| {
            let code = match error.kind() {
                io::ErrorKind::AlreadyExists => "58P02",
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "58P01",
                io::ErrorKind::PermissionDenied => "42501",
                io::ErrorKind::InvalidInput => "22023",
                _ => "58030",
            };
            let message = format!("could not write file \"{}\": {error}", file.display());
            SqlError::new(code, message)
        })
    }
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
    for table in tables::TABLES {
        let columns = table.columns.iter().copied();
        connection.execute_batch(&view(table.view, table.name, columns))?;
    }
    Ok(())
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
