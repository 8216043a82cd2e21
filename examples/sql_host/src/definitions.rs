//! Definitions of functions and procedures as rows of the database, so that they outlive the server.
//!
//! Their table is made with the first of them, and is written as every other: what is defined in a transaction is kept or undone
//! with it. The runtime has a definition at once, for all sessions. When the transaction has ended, however that came about,
//! the runtime [follows](follow) what the table says.
#![forbid(unsafe_code)]

use rusqlite::{Connection, OptionalExtension};

use crate::command::{self, Kind};
use crate::error::SqlError;
use crate::runtime::{FunctionDef, Runtime};

/// Makes the table, if there is none.
pub const MAKE: &str = "CREATE TABLE IF NOT EXISTS sql_host_functions \
     (name TEXT PRIMARY KEY, definition TEXT NOT NULL) WITHOUT ROWID";
/// Keeps a definition: its name, and the statement that made it.
pub const KEEP: &str = "INSERT OR REPLACE INTO sql_host_functions VALUES ($1, $2)";
/// Forgets one.
pub const FORGET: &str = "DELETE FROM sql_host_functions WHERE name = $1";

const IS_THERE: &str = "SELECT count(*) FROM main.sqlite_schema WHERE name = 'sql_host_functions'";
const ALL: &str = "SELECT name, definition FROM main.sql_host_functions ORDER BY name";
const ONE: &str = "SELECT definition FROM main.sql_host_functions WHERE name = $1";

/// Before the first session: the runtime has what the table says.
///
/// # Errors
/// If the table cannot be read, or has a row that is no definition.
pub fn load(connection: &Connection, runtime: &dyn Runtime) -> Result<(), SqlError> {
    if !is_there(connection)? {
        return Ok(());
    }
    let mut statement = connection.prepare(ALL)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (name, text) = (row.get::<_, String>(0)?, row.get::<_, String>(1)?);
        let defined = read(&text).and_then(|definition| runtime.create_function(&definition));
        defined.map_err(|error| {
            let message = format!("the database's definition of {name}: {}", error.message);
            SqlError::new(error.code, message)
        })?;
    }
    Ok(())
}

/// After a transaction that defined or dropped these: the runtime has what the table says of them.
///
/// # Errors
/// As for [`load`].
pub fn follow(
    connection: &Connection,
    runtime: &dyn Runtime,
    names: &[String],
) -> Result<(), SqlError> {
    let is_there = is_there(connection)?;
    for name in names {
        let text: Option<String> = if is_there {
            let found = connection.query_row(ONE, [name], |row| row.get(0));
            found.optional()?
        } else {
            None
        };
        let wanted = text.as_deref().map(read).transpose()?;
        match wanted {
            None => {
                runtime.drop_function(name)?;
            }
            Some(wanted) if runtime.definition(name).as_ref() != Some(&wanted) => {
                runtime.create_function(&wanted)?;
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn is_there(connection: &Connection) -> Result<bool, SqlError> {
    Ok(connection.query_row(IS_THERE, [], |row| row.get::<_, i64>(0))? > 0)
}

/// What a statement defines, in the place of what there is.
fn read(text: &str) -> Result<FunctionDef, SqlError> {
    let mut commands = command::split(text)?;
    match commands.pop().map(|command| command.kind) {
        Some(Kind::Create(definition)) if commands.is_empty() => Ok(FunctionDef {
            replace: true,
            ..*definition
        }),
        _ => Err(SqlError::syntax("it defines no function or procedure")),
    }
}
