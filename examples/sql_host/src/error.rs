//! What a statement can end with: a SQLSTATE, and a sentence for whoever typed it.
#![forbid(unsafe_code)]

use std::fmt;

use rusqlite::ffi;

/// What is said of a statement that SQLite was told not to carry out (`sharing.rs`).
const NOT_SHARED: &str = "sessions share connections: there are no temporary tables, attached databases or settings of a connection";

/// An error as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlError {
    /// Five characters of PostgreSQL's list.
    pub code: &'static str,
    /// What went wrong.
    pub message: String,
    /// Where in the statement, in characters from 1.
    pub position: Option<usize>,
}

impl SqlError {
    /// An error of this SQLSTATE.
    pub fn new(code: &'static str, message: impl Into<String>) -> SqlError {
        SqlError {
            code,
            message: message.into(),
            position: None,
        }
    }

    /// A message that does not say what its kind says it does.
    pub fn protocol(message: impl Into<String>) -> SqlError {
        SqlError::new("08P01", message)
    }

    /// A statement that cannot be read.
    pub fn syntax(message: impl Into<String>) -> SqlError {
        SqlError::new("42601", message)
    }

    /// Something that PostgreSQL has and this server has not.
    pub fn unsupported(message: impl Into<String>) -> SqlError {
        SqlError::new("0A000", message)
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl std::error::Error for SqlError {}

impl From<rusqlite::Error> for SqlError {
    fn from(error: rusqlite::Error) -> SqlError {
        match error {
            rusqlite::Error::SqliteFailure(failure, _)
            | rusqlite::Error::SqlInputError { error: failure, .. }
                if failure.extended_code & 0xff == ffi::SQLITE_AUTH =>
            {
                SqlError::unsupported(NOT_SHARED)
            }
            rusqlite::Error::SqliteFailure(failure, message) => {
                let message = message.unwrap_or_else(|| failure.to_string());
                SqlError::new(code_of(failure.extended_code, &message), message)
            }
            rusqlite::Error::SqlInputError {
                error,
                msg,
                sql,
                offset,
            } => {
                let before = usize::try_from(offset).ok().and_then(|at| sql.get(..at));
                SqlError {
                    code: code_of(error.extended_code, &msg),
                    message: msg,
                    position: before.map(|before| before.chars().count() + 1),
                }
            }
            rusqlite::Error::UserFunctionError(inner) => match inner.downcast::<SqlError>() {
                Ok(ours) => *ours,
                Err(other) => SqlError::new("38000", other.to_string()),
            },
            rusqlite::Error::MultipleStatement => {
                SqlError::syntax("cannot insert multiple commands into a prepared statement")
            }
            other => SqlError::new("XX000", other.to_string()),
        }
    }
}

/// SQLite's result as a SQLSTATE.
fn code_of(extended: i32, message: &str) -> &'static str {
    match extended {
        ffi::SQLITE_CONSTRAINT_UNIQUE
        | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
        | ffi::SQLITE_CONSTRAINT_ROWID => return "23505",
        ffi::SQLITE_CONSTRAINT_NOTNULL => return "23502",
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => return "23503",
        ffi::SQLITE_CONSTRAINT_CHECK => return "23514",
        ffi::SQLITE_CONSTRAINT_DATATYPE => return "22000",
        ffi::SQLITE_BUSY_SNAPSHOT => return "40001",
        _ => {}
    }
    match extended & 0xff {
        ffi::SQLITE_CONSTRAINT => "23000",
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => "55P03",
        ffi::SQLITE_INTERRUPT => "57014",
        ffi::SQLITE_FULL => "53100",
        ffi::SQLITE_NOMEM => "53200",
        ffi::SQLITE_TOOBIG => "54000",
        ffi::SQLITE_READONLY => "25006",
        ffi::SQLITE_PERM => "42501",
        ffi::SQLITE_MISMATCH => "22000",
        ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB => "XX001",
        ffi::SQLITE_CANTOPEN | ffi::SQLITE_IOERR => "58030",
        _ => code_of_text(message),
    }
}

/// For all that is wrong with a statement SQLite has one result, and only its text tells them apart.
fn code_of_text(message: &str) -> &'static str {
    const BEGINNINGS: &[(&str, &str)] = &[
        ("no such table", "42P01"),
        ("no such view", "42P01"),
        ("no such index", "42704"),
        ("no such column", "42703"),
        ("no such function", "42883"),
        ("wrong number of arguments", "42883"),
        ("ambiguous column", "42702"),
        ("duplicate column", "42701"),
        ("incomplete input", "42601"),
        ("unrecognized token", "42601"),
        ("misuse of aggregate", "42803"),
        ("integer overflow", "22003"),
        ("cannot start a transaction", "25001"),
        ("cannot commit", "25P01"),
        ("cannot rollback", "25P01"),
        ("no such savepoint", "3B001"),
        ("string or blob too big", "54000"),
        ("Expression tree is too large", "54001"),
        ("Recursion limit", "54001"),
        ("parser stack overflow", "54001"),
        ("too many levels of trigger recursion", "54001"),
        ("LIKE or GLOB pattern too complex", "54001"),
        ("too many columns", "54011"),
        ("too many arguments", "54023"),
        ("too many", "54000"),
    ];
    const PARTS: &[(&str, &str)] = &[
        ("syntax error", "42601"),
        ("already exists", "42P07"),
        ("has no column named", "42703"),
        ("may not be modified", "42809"),
        ("values for", "42601"),
        ("values were supplied", "42601"),
        ("same number of result columns", "42601"),
        ("malformed JSON", "22P02"),
    ];
    let beginning = BEGINNINGS
        .iter()
        .find(|(text, _)| message.starts_with(text));
    let part = || PARTS.iter().find(|(text, _)| message.contains(text));
    beginning.or_else(part).map_or("42000", |(_, code)| code)
}
