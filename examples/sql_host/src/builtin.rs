//! The functions that PostgreSQL has, SQLite has not, and clients ask for unasked.
#![forbid(unsafe_code)]

use std::time::Duration;

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;

/// What the server says that it is: a version old enough that clients do not ask for what SQLite has not, such as policies,
/// partitions and publications.
pub const VERSION: &str = "9.4.0";

/// Makes them known to a connection.
///
/// # Errors
/// If SQLite does not take one.
pub fn register(connection: &Connection) -> rusqlite::Result<()> {
    let steady = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("version", 0, steady, |_| {
        Ok(format!(
            "PostgreSQL {VERSION} (sql_host on fiberhost, SQLite)"
        ))
    })?;
    // Native code that blocks its thread, on purpose: what an extension of SQLite might do.
    connection.create_scalar_function("pg_sleep", 1, FunctionFlags::SQLITE_UTF8, |context| {
        let seconds = context.get::<f64>(0)?;
        let time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        std::thread::sleep(time.min(Duration::from_secs(60)));
        Ok("")
    })
}
