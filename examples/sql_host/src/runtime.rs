//! The managed runtime, as the rest of the server sees it: who defines functions, and who is asked to run them.
//!
//! The engine registers what [`Runtime::functions`] names as SQLite functions on each connection, so a call of one comes from
//! native code under SQLite's mutexes. A procedure is called by the session, in no native code, and reaches SQL again through
//! its [`Caller`].
#![forbid(unsafe_code)]

use std::fmt;
use std::sync::Arc;

use rusqlite::types::Value;

use crate::below::Below;
use crate::control::Control;
use crate::error::SqlError;
use crate::managed::Tasks;
use crate::value::Type;

/// An argument of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its name, if it was given one.
    pub name: Option<String>,
    /// Its type.
    pub ty: Type,
}

/// What `CREATE FUNCTION` or `CREATE PROCEDURE` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionDef {
    /// In lower case, unless it was quoted.
    pub name: String,
    /// What it takes.
    pub arguments: Vec<Argument>,
    /// What a function returns; a procedure returns nothing.
    pub returns: Option<Type>,
    /// In lower case.
    pub language: String,
    /// The text after `AS`.
    pub body: String,
    /// `OR REPLACE`. Of one that is there: always so.
    pub replace: bool,
    /// It is a procedure.
    pub procedure: bool,
}

/// What a procedure can ask of the session that called it.
pub trait Caller {
    /// What reaches into the session from outside.
    fn control(&self) -> &Arc<Control>;

    /// Runs one statement in the session's transaction, and gives the rows back.
    ///
    /// # Errors
    /// As the statement ends.
    fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Vec<Value>>, SqlError>;
}

/// A runtime that functions and procedures run in.
pub trait Runtime: fmt::Debug + Send + Sync + 'static {
    /// Once, before the first session: the host's manager of tasks, to which hooks go; none if sessions run elsewhere.
    fn attach(&self, tasks: Option<Arc<Tasks>>);

    /// Compiles and keeps a function or a procedure.
    ///
    /// # Errors
    /// If it cannot be compiled, or there is one of this name.
    fn create_function(&self, definition: &FunctionDef) -> Result<(), SqlError>;

    /// What is said of this function or procedure.
    fn definition(&self, name: &str) -> Option<FunctionDef>;

    /// Forgets one. Whether there was one.
    ///
    /// # Errors
    /// If it cannot go.
    fn drop_function(&self, name: &str) -> Result<bool, SqlError>;

    /// A number that changes with the list of functions: connections look again when it has.
    fn version(&self) -> u64;

    /// The functions, without procedures.
    fn functions(&self) -> Vec<FunctionDef>;

    /// Calls a function from SQLite, for the statement of which `below` tells.
    ///
    /// # Errors
    /// A trap, a limit, an abort: an error of the statement alone.
    fn call_function(
        &self,
        name: &str,
        arguments: &[Value],
        below: Below,
    ) -> Result<Value, SqlError>;

    /// Calls a procedure from a session.
    ///
    /// # Errors
    /// As for [`call_function`](Runtime::call_function), and what its statements end with.
    fn call_procedure(
        &self,
        name: &str,
        arguments: &[Value],
        caller: &mut dyn Caller,
    ) -> Result<(), SqlError>;
}

/// The error of a name that nobody has defined.
pub fn unknown(kind: &str, name: &str) -> SqlError {
    SqlError::new("42883", format!("{kind} {name} does not exist"))
}
