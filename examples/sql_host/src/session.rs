//! A session: what its client's messages do, from the greeting to the farewell. It is written as if it had a thread of its own.
//!
//! After an error in the extended protocol everything up to the next `Sync` is passed over. After one in a transaction
//! everything but the end of the transaction is refused.
#![forbid(unsafe_code)]

mod administer;
mod connection;
mod define;
mod extended;
mod greeting;
mod simple;

use std::collections::HashMap;
use std::sync::Arc;

use bytes::BytesMut;
use pgwire::messages::PgWireFrontendMessage;
use pgwire::messages::data::{FieldDescription, RowDescription};
use pgwire::messages::response::{NoticeResponse, TransactionStatus};
use rusqlite::Row;
use rusqlite::types::Value;

use crate::command::{self, Command, Kind};
use crate::control::{self, Control, Waits};
use crate::engine::{self, Done, Engine, Kept, Link, Rows, Writer};
use crate::error::SqlError;
use crate::executor::Executor;
use crate::registry::{Entry, Registry};
use crate::runtime::Caller;
use crate::settings::Settings;
use crate::value::Type;
use crate::wire::{self, Cutter, Incoming};
pub use connection::{Connection, Receive, Step, Transport, serve};
use extended::{Portal, Prepared};

/// A buffer that has become larger is not kept between messages.
const BUFFER_MAX: usize = 16 * 1024;
/// What was said is sent when it is so much, though the client has not asked for that.
const SAID_MAX: usize = 64 * 1024;

/// What all sessions of a server share.
#[derive(Debug)]
pub struct Shared<E> {
    /// Where sessions run.
    pub executor: Arc<E>,
    /// The database.
    pub engine: Arc<Engine>,
    /// The sessions.
    pub registry: Arc<Registry>,
}

/// A client that was greeted.
struct Session<E: Executor, T: Transport> {
    shared: Arc<Shared<E>>,
    transport: Arc<T>,
    cutter: Cutter,
    entry: Arc<Entry>,
    settings: Settings,
    arrived: BytesMut,
    out: BytesMut,
    /// The connection, while a statement or a transaction needs it.
    link: Option<Link>,
    /// The turn to write is this session's.
    has_turn: bool,
    /// The transaction has failed.
    failed: bool,
    /// A procedure runs, in a transaction of its own if it comes to write.
    in_procedure: bool,
    /// What this transaction has defined or dropped.
    defined: Vec<String>,
    /// Up to the next `Sync`.
    passing_over: bool,
    statements: HashMap<String, Arc<Prepared>>,
    portals: HashMap<String, Portal>,
}

/// Whatever ends a session, an unwinding too: what is open is undone, and what was borrowed is given back.
impl<E: Executor, T: Transport> Drop for Session<E, T> {
    fn drop(&mut self) {
        if let Some(link) = self.link.take() {
            self.shared.engine.give_back(&*self.shared.executor, link);
        }
        self.settle();
        self.shared.registry.remove(self.entry.id);
    }
}

/// What comes after a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// The next one.
    Message,
    /// What was said is to reach the client.
    Send,
    /// Nothing.
    End,
}

impl<E: Executor, T: Transport> Session<E, T> {
    /// Does what the messages say that have arrived, until something is to be sent, or more has to arrive.
    fn advance(&mut self) -> Step {
        loop {
            let next = match self.cutter.next(&mut self.arrived) {
                Incoming::Message(message) => self.heed(message),
                Incoming::Wrong(kind, error) => self.wrong(kind, &error),
                Incoming::Fatal(error) => {
                    wire::put_error(&mut self.out, &error, true);
                    Next::End
                }
                Incoming::Nothing => return Step::Receive,
            };
            match next {
                // Who asks and asks without taking the answers waits for itself.
                Next::Message if self.out.len() > SAID_MAX => return Step::Send,
                Next::Message => {}
                Next::Send => return Step::Send,
                Next::End => return Step::End,
            }
        }
    }

    /// Nothing more will arrive.
    fn hung_up(&mut self) {
        if self.entry.control.is_killed() {
            wire::put_error(&mut self.out, &control::killed(), true);
        }
    }

    fn heed(&mut self, message: PgWireFrontendMessage) -> Next {
        use PgWireFrontendMessage as M;
        if self.passing_over && !matches!(message, M::Sync(_) | M::Terminate(_)) {
            return Next::Message;
        }
        let result = match message {
            M::Query(query) => {
                self.simple_query(&query.query);
                self.ready();
                return self.next_or_end();
            }
            M::Sync(_) => {
                self.passing_over = false;
                if !self.in_transaction() {
                    self.portals.clear();
                }
                self.ready();
                return self.next_or_end();
            }
            M::Terminate(_) => return Next::End,
            M::Flush(_) => return Next::Send,
            M::Parse(parse) => self.parse(parse),
            M::Bind(bind) => self.bind(bind),
            M::Describe(describe) => self.describe(&describe),
            M::Execute(execute) => self.execute(&execute),
            M::Close(close) => self.close(&close),
            // What is left of a copy that has failed.
            M::CopyData(_) | M::CopyDone(_) | M::CopyFail(_) => Ok(()),
            _ => Err(SqlError::protocol("a message that does not belong here")),
        };
        if let Err(error) = result {
            self.complain(&error);
            self.passing_over = true;
        }
        Next::Message
    }

    /// A message that could not be read: as if its statement had failed.
    fn wrong(&mut self, kind: u8, error: &SqlError) -> Next {
        if self.passing_over {
            return Next::Message;
        }
        self.complain(error);
        if kind == b'Q' || kind == b'S' {
            self.ready();
            return Next::Send;
        }
        self.passing_over = true;
        Next::Message
    }

    fn next_or_end(&mut self) -> Next {
        if self.entry.control.is_killed() {
            self.out.clear();
            wire::put_error(&mut self.out, &control::killed(), true);
            return Next::End;
        }
        Next::Send
    }

    /// Says that a statement has failed, and the transaction with it.
    fn complain(&mut self, error: &SqlError) {
        wire::put_error(&mut self.out, error, false);
        self.failed = self.in_transaction();
    }

    fn ready(&mut self) {
        let status = match (self.in_transaction(), self.failed) {
            (false, _) => TransactionStatus::Idle,
            (true, false) => TransactionStatus::Transaction,
            (true, true) => TransactionStatus::Error,
        };
        wire::put_ready(&mut self.out, status);
    }

    /// What was said has reached the client, or never will.
    fn sent(&mut self) {
        self.out.clear();
        for buffer in [&mut self.out, &mut self.arrived] {
            if buffer.is_empty() && buffer.capacity() > BUFFER_MAX {
                *buffer = BytesMut::new();
            }
        }
    }

    fn in_transaction(&self) -> bool {
        self.link.as_ref().is_some_and(Link::in_transaction)
    }

    /// After a statement: outside a transaction a session keeps neither connection nor turn, and what it defined counts.
    fn settle(&mut self) {
        if self.in_transaction() {
            return;
        }
        self.failed = false;
        if let Some(link) = self.link.take() {
            self.shared.engine.give_back(&*self.shared.executor, link);
        }
        self.follow_definitions();
        if std::mem::take(&mut self.has_turn) {
            self.shared.engine.turn.give_back();
        }
    }

    /// What a closure does as a statement of its own: with its limit of time, and with what it borrowed given back.
    fn as_statement<R>(
        &mut self,
        text: &str,
        work: impl FnOnce(&mut Self) -> Result<R, SqlError>,
    ) -> Result<R, SqlError> {
        let entry = Arc::clone(&self.entry);
        entry.control.begin(text, self.settings.statement_timeout);
        let result = work(self);
        entry.control.end();
        self.settle();
        result
    }

    fn borrow(&mut self) -> Result<(), SqlError> {
        let shared = &self.shared;
        if let Some(link) = &mut self.link {
            shared.engine.refresh(&*shared.executor, link)?;
        } else {
            let link = shared
                .engine
                .borrow(&*shared.executor, &self.entry.control)?;
            self.link = Some(link);
        }
        Ok(())
    }

    /// Runs SQL on the session's connection.
    fn run_sql(
        &mut self,
        sql: &str,
        parameters: &[Value],
        known: Option<&[Type]>,
        rows: &mut dyn Rows,
    ) -> Result<Done, SqlError> {
        self.borrow()?;
        let link = self.link.as_ref().expect("it was borrowed");
        let mut writer = Writer {
            control: &self.entry.control,
            turn: &self.shared.engine.turn,
            has_turn: &mut self.has_turn,
            as_a_whole: self.in_procedure,
        };
        let executor = &*self.shared.executor;
        link.run(executor, &mut writer, sql, parameters, known, rows)
    }

    /// Whether a transaction that has failed lets this through.
    fn admit(&self, kind: &Kind) -> Result<(), SqlError> {
        if self.failed && !matches!(kind, Kind::Commit | Kind::Rollback | Kind::Empty) {
            return Err(SqlError::new(
                "25P02",
                "current transaction is aborted, commands ignored until end of transaction block",
            ));
        }
        Ok(())
    }

    /// Carries out what SQLite does not. Rows go to `rows`; the answer is the tag.
    fn carry_out(
        &mut self,
        command: &Command,
        parameters: &[Value],
        rows: &mut dyn Rows,
    ) -> Result<String, SqlError> {
        let kind = &command.kind;
        let tag = match kind {
            Kind::Empty | Kind::Sql(_) | Kind::Show(_) => unreachable!("these have their own ways"),
            Kind::Begin => self.begin(rows)?,
            Kind::Commit | Kind::Rollback => self.finish(kind, rows)?,
            Kind::Set(name, value) => {
                self.settings.set(name, value.as_deref())?;
                "SET"
            }
            Kind::Create(definition) => {
                self.define(definition, &command.text)?;
                if definition.procedure {
                    "CREATE PROCEDURE"
                } else {
                    "CREATE FUNCTION"
                }
            }
            Kind::Drop {
                name,
                if_exists,
                procedure,
            } => {
                if !self.undefine(name, *procedure)? && !if_exists {
                    return Err(define::missing(name, *procedure));
                }
                if *procedure {
                    "DROP PROCEDURE"
                } else {
                    "DROP FUNCTION"
                }
            }
            Kind::Call { name, arguments } => {
                self.call(name, arguments, parameters)?;
                "CALL"
            }
            Kind::Administer(order) => self.administer(order)?,
            Kind::Ignore(tag) => tag,
        };
        Ok(tag.to_owned())
    }

    fn begin(&mut self, rows: &mut dyn Rows) -> Result<&'static str, SqlError> {
        if self.in_transaction() {
            self.notice("there is already a transaction in progress");
        } else {
            self.run_sql("BEGIN", &[], None, rows)?;
        }
        Ok("BEGIN")
    }

    fn finish(&mut self, kind: &Kind, rows: &mut dyn Rows) -> Result<&'static str, SqlError> {
        if !self.in_transaction() {
            self.notice("there is no transaction in progress");
        } else if self.failed || *kind == Kind::Rollback {
            self.run_sql("ROLLBACK", &[], None, rows)?;
            return Ok("ROLLBACK");
        } else {
            self.run_sql("COMMIT", &[], None, rows)?;
        }
        Ok(if *kind == Kind::Rollback {
            "ROLLBACK"
        } else {
            "COMMIT"
        })
    }

    fn call(&mut self, name: &str, arguments: &str, given: &[Value]) -> Result<(), SqlError> {
        let values = if arguments.trim().is_empty() {
            Vec::new()
        } else {
            let rows = self.query(&format!("SELECT {arguments}"), given)?;
            rows.into_iter().next().unwrap_or_default()
        };
        let runtime = Arc::clone(&self.shared.engine.runtime);
        if self.in_transaction() {
            return runtime.call_procedure(name, &values, self);
        }
        self.in_procedure = true;
        let called = runtime.call_procedure(name, &values, self);
        self.in_procedure = false;
        self.end_of_procedure(called)
    }

    /// What a procedure has written is kept, or undone. If nothing can be said to SQLite any more, the connection is closed in
    /// its transaction, which undoes it as well.
    fn end_of_procedure(&mut self, called: Result<(), SqlError>) -> Result<(), SqlError> {
        if !self.in_transaction() {
            return called;
        }
        let verdict = if called.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = self.run_sql(verdict, &[], None, &mut Kept::default());
        if self.in_transaction()
            && let Some(link) = self.link.take()
        {
            self.shared.engine.give_back(&*self.shared.executor, link);
        }
        called.and(ended.map(|_| ()))
    }

    fn notice(&mut self, text: &str) {
        let field = |kind: u8, text: &str| (kind, text.to_owned());
        let fields = vec![
            field(b'S', "NOTICE"),
            field(b'V', "NOTICE"),
            field(b'C', "00000"),
            field(b'M', text),
        ];
        wire::put(&mut self.out, &NoticeResponse::new(fields));
    }
}

impl<E: Executor, T: Transport> Caller for Session<E, T> {
    fn control(&self) -> &Arc<Control> {
        &self.entry.control
    }

    fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Vec<Value>>, SqlError> {
        let mut kept = Kept::default();
        self.run_sql(command::plain(sql)?.as_str(), parameters, None, &mut kept)?;
        Ok(kept.0)
    }
}

/// Rows on their way to the client.
struct ToClient<'a, T> {
    out: BytesMut,
    control: &'a Control,
    transport: Option<&'a T>,
    formats: &'a [i16],
    /// The client wants to be told the columns first.
    describe: bool,
}

impl<T: Transport> Rows for ToClient<'_, T> {
    fn columns(&mut self, columns: &[(&str, Type)]) {
        if self.describe {
            wire::put(&mut self.out, &description(columns, self.formats));
        }
    }

    fn row(&mut self, row: &Row<'_>, types: &[(&str, Type)]) -> Result<(), SqlError> {
        engine::put_row(&mut self.out, row, types, self.formats)
    }

    fn pending(&self) -> usize {
        self.out.len()
    }

    fn hand_on(&mut self) -> Result<(), SqlError> {
        let Some(transport) = self.transport else {
            return Err(SqlError::new(
                "54000",
                "the result is too long to be fetched in parts",
            ));
        };
        let sent = self
            .control
            .waiting(Waits::Client, || transport.send(&self.out));
        self.out.clear();
        sent?.map_err(|error| SqlError::new("08006", format!("the client is gone: {error}")))
    }
}

fn description(columns: &[(&str, Type)], formats: &[i16]) -> RowDescription {
    let each = columns.iter().enumerate().map(|(index, (name, ty))| {
        let format = match formats {
            [] => 0,
            [one] => *one,
            many => many.get(index).copied().unwrap_or(0),
        };
        let name = (*name).to_owned();
        FieldDescription::new(name, 0, 0, ty.0, ty.size(), -1, format)
    });
    RowDescription::new(each.collect())
}
