//! Functions and procedures, defined and dropped in a session.
#![forbid(unsafe_code)]

use std::sync::Arc;

use rusqlite::types::Value;

use super::{Session, Transport};
use crate::definitions;
use crate::engine::Kept;
use crate::error::SqlError;
use crate::executor::Executor;
use crate::runtime::{FunctionDef, unknown};

impl<E: Executor, T: Transport> Session<E, T> {
    /// Defines what this statement says. Whatever goes wrong after the runtime has it, it is gone when the transaction is.
    pub(super) fn define(&mut self, definition: &FunctionDef, text: &str) -> Result<(), SqlError> {
        self.take_turn()?;
        self.shared.engine.runtime.create_function(definition)?;
        self.defined.push(definition.name.clone());
        let row = [definition.name.as_str(), text].map(|part| Value::Text(part.to_owned()));
        self.write_definition(definitions::KEEP, &row)
    }

    /// Drops one, if it is there. Whether it was.
    pub(super) fn undefine(&mut self, name: &str, procedure: bool) -> Result<bool, SqlError> {
        let runtime = Arc::clone(&self.shared.engine.runtime);
        self.take_turn()?;
        let found = runtime.definition(name);
        if found.is_none_or(|found| found.procedure != procedure) {
            return Ok(false);
        }
        self.defined.push(name.to_owned());
        self.write_definition(definitions::FORGET, &[Value::Text(name.to_owned())])?;
        runtime.drop_function(name)
    }

    /// Those who define come one after the other, so that the runtime has what the last of them said, as the table has.
    fn take_turn(&mut self) -> Result<(), SqlError> {
        if !self.has_turn {
            self.shared.engine.turn.take(&self.entry.control)?;
            self.has_turn = true;
        }
        Ok(())
    }

    fn write_definition(&mut self, sql: &str, row: &[Value]) -> Result<(), SqlError> {
        self.run_sql(definitions::MAKE, &[], None, &mut Kept::default())?;
        self.run_sql(sql, row, None, &mut Kept::default())?;
        Ok(())
    }

    /// The transaction is over, and the connection given back.
    pub(super) fn follow_definitions(&mut self) {
        let names = std::mem::take(&mut self.defined);
        if names.is_empty() {
            return;
        }
        // If the table cannot be read, what the runtime has lasts until the server starts again.
        let _ = self.shared.engine.follow(&*self.shared.executor, &names);
    }
}

/// The error for what is not there.
pub(super) fn missing(name: &str, procedure: bool) -> SqlError {
    unknown(if procedure { "procedure" } else { "function" }, name)
}
