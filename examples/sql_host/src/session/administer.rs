//! What the operator orders, carried out in a session.
#![forbid(unsafe_code)]

use super::{Session, Transport};
use crate::error::SqlError;
use crate::executor::{Executor, Native};
use crate::order::Order;

impl<E: Executor, T: Transport> Session<E, T> {
    /// The answer is the tag; what is to be said besides is a notice.
    pub(super) fn administer(&mut self, order: &Order) -> Result<&'static str, SqlError> {
        let none = |id: &i32| SqlError::new("22023", format!("there is no session {id}"));
        match order {
            Order::Kill(id) if *id == self.entry.id => {
                return Err(SqlError::new("22023", "a session cannot kill itself"));
            }
            Order::Kill(id) => {
                let told = self.shared.registry.kill(*id).ok_or_else(|| none(id))?;
                self.shared.engine.turn.poke();
                self.notice(&told);
            }
            Order::KillStatus(id) => {
                let told = self.shared.registry.status(*id);
                let told = told.ok_or_else(|| {
                    let message = format!("there is no session {id} that was killed and goes on");
                    SqlError::new("22023", message)
                })?;
                self.notice(&told);
            }
            Order::ExportTrace(file) => {
                let operator = &self.shared.engine.operator;
                let trace = operator.trace()?;
                let executor = &self.shared.executor;
                executor.native(Native::Write, || trace.write_to(file))??;
                let (events, lost) = (trace.events, trace.lost);
                self.notice(&format!(
                    "{events} events are in {file}, for ui.perfetto.dev; {lost} were written over before they were read"
                ));
                return Ok("EXPORT TRACE");
            }
            Order::Alter(name, value) => {
                let operator = &self.shared.engine.operator;
                operator.configure(name, value.as_deref())?;
                return Ok("ALTER SYSTEM");
            }
            Order::AlterNothing => {
                self.shared.engine.operator.configure_nothing()?;
                return Ok("ALTER SYSTEM");
            }
        }
        Ok("KILL")
    }
}
