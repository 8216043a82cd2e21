//! The simple protocol: a text of statements, each answered with rows and a tag, until one fails.
#![forbid(unsafe_code)]

use std::sync::Arc;

use bytes::BytesMut;
use pgwire::messages::response::{CommandComplete, EmptyQueryResponse};

use super::{Session, ToClient, Transport, description};
use crate::command::{self, Command, Kind};
use crate::engine::Done;
use crate::error::SqlError;
use crate::executor::Executor;
use crate::value::{Format, Type};
use crate::wire;

impl<E: Executor, T: Transport> Session<E, T> {
    pub(super) fn simple_query(&mut self, query: &str) {
        let commands = match command::split(query) {
            Ok(commands) => commands,
            Err(error) => return self.complain(&error),
        };
        for command in &commands {
            if let Err(error) = self.simple_command(command) {
                return self.complain(&error);
            }
        }
    }

    fn simple_command(&mut self, command: &Command) -> Result<(), SqlError> {
        self.admit(&command.kind)?;
        if command.kind == Kind::Empty {
            wire::put(&mut self.out, &EmptyQueryResponse::new());
            return Ok(());
        }
        let done = self.as_statement(&command.text, |session| {
            session.perform(command, &[], &Fetch::SIMPLE)
        });
        let tag = done?;
        wire::put(&mut self.out, &CommandComplete::new(tag));
        Ok(())
    }

    /// Carries out one statement and appends its rows. The answer is the tag.
    pub(super) fn perform(
        &mut self,
        command: &Command,
        parameters: &[rusqlite::types::Value],
        fetch: &Fetch<'_>,
    ) -> Result<String, SqlError> {
        if let Kind::Show(name) = &command.kind {
            return self.show(name, fetch);
        }
        let (entry, transport) = (Arc::clone(&self.entry), Arc::clone(&self.transport));
        let mut rows = ToClient {
            out: std::mem::take(&mut self.out),
            control: &entry.control,
            transport: (!fetch.whole).then_some(&*transport),
            formats: fetch.formats,
            describe: fetch.describe,
        };
        let result = match &command.kind {
            Kind::Sql(verb) => self
                .run_sql(&command.text, parameters, fetch.known, &mut rows)
                .map(|done| tag(verb, done)),
            _ => self.carry_out(command, parameters, &mut rows),
        };
        // Notices that were said meanwhile.
        let notices = std::mem::replace(&mut self.out, rows.out);
        self.out.extend_from_slice(&notices);
        result
    }

    fn show(&mut self, name: &str, fetch: &Fetch<'_>) -> Result<String, SqlError> {
        let own = self.settings.show(name);
        let value = own.or_else(|error| {
            let operator = &self.shared.engine.operator;
            operator.configuration(name).unwrap_or(Err(error))
        })?;
        if fetch.describe {
            let columns = [(name, Type::TEXT)];
            wire::put(&mut self.out, &description(&columns, fetch.formats));
        }
        let format = Format::pick(fetch.formats, 0)?;
        wire::put_row(&mut self.out, 1, |out: &mut BytesMut| {
            let text = rusqlite::types::ValueRef::Text(value.as_bytes());
            crate::value::put(out, text, format, Type::TEXT);
        });
        Ok("SHOW".to_owned())
    }
}

/// How rows are wanted.
pub(super) struct Fetch<'a> {
    pub(super) formats: &'a [i16],
    /// The types that the client was told.
    pub(super) known: Option<&'a [Type]>,
    /// The columns come first.
    pub(super) describe: bool,
    /// All rows are wanted in memory.
    pub(super) whole: bool,
}

impl Fetch<'_> {
    const SIMPLE: Fetch<'static> = Fetch {
        formats: &[],
        known: None,
        describe: true,
        whole: false,
    };
}

fn tag(verb: &str, done: Done) -> String {
    match verb {
        "INSERT" | "REPLACE" => format!("INSERT 0 {}", done.changes),
        "UPDATE" | "DELETE" => format!("{verb} {}", done.changes),
        "SELECT" | "VALUES" | "WITH" if done.changes == 0 => format!("SELECT {}", done.rows),
        // A common table expression before something that writes.
        "WITH" => format!("UPDATE {}", done.changes),
        _ => verb.to_owned(),
    }
}
