//! SQLite: connections that sessions borrow, and the running of one statement.
//!
//! A connection is opened with the first statement that finds none free, and given back as soon as its session is outside a
//! transaction, so idle sessions cost none. Every call of SQLite is native code with a target. Between two such calls a session
//! may wait: for its turn to write, and for its client to take rows, of which there are never many in memory.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use parking_lot::Mutex;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Row, Statement};

use crate::below::{self, Lent};
use crate::builtin;
use crate::catalogue;
use crate::control::Control;
use crate::definitions;
use crate::error::SqlError;
use crate::executor::{Executor, Native};
use crate::operator::{self, Operator};
use crate::runtime::Runtime;
use crate::sharing;
use crate::turn::Turn;
use crate::value::{self, Format, Type};
use crate::wire;

/// Connections that are kept while nobody uses them.
const KEPT_MAX: usize = 64;
/// Compiled statements that a connection keeps.
const STATEMENTS_MAX: usize = 128;
/// SQLite asks whether to go on after so many of its instructions.
const PROGRESS_STEP: i32 = 4000;
/// Rows are handed to the client when they are so many bytes.
const BATCH: usize = 64 * 1024;
/// Rows that are kept in memory for who wants values.
const KEPT_ROWS_MAX: usize = 100_000;
/// SQLite's own patience, for what the turn to write does not order: checkpoints, and other processes.
const BUSY_LIMIT: Duration = Duration::from_secs(5);

/// A database that sessions share.
#[derive(Debug)]
pub struct Engine {
    path: PathBuf,
    free: Mutex<Vec<Link>>,
    /// Who may write.
    pub turn: Turn,
    /// The functions.
    pub runtime: Arc<dyn Runtime>,
    /// What the operator's tables are about.
    pub operator: Arc<Operator>,
}

/// A connection to SQLite.
#[derive(Debug)]
pub struct Link {
    connection: Connection,
    /// The version of the runtime's functions that it knows.
    functions: u64,
    /// Whose it is.
    lent: Arc<Lent>,
}

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type; none if only its values can tell.
    pub ty: Option<Type>,
}

/// What is known of a statement before it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The highest number of its parameters.
    pub parameters: usize,
    /// Its columns; none if it returns no rows.
    pub columns: Vec<Column>,
}

/// Who takes the rows.
pub trait Rows {
    /// The columns, with all their types, once, before the first row.
    fn columns(&mut self, columns: &[(&str, Type)]);

    /// One row. Native code: it does not wait.
    ///
    /// # Errors
    /// If the row cannot be taken.
    fn row(&mut self, row: &Row<'_>, types: &[(&str, Type)]) -> Result<(), SqlError>;

    /// Bytes that wait to be handed on.
    fn pending(&self) -> usize;

    /// Hands them on; it may wait.
    ///
    /// # Errors
    /// If nobody takes them any more.
    fn hand_on(&mut self) -> Result<(), SqlError>;
}

/// How a statement ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Rows that it returned.
    pub rows: u64,
    /// Rows that it changed.
    pub changes: u64,
}

impl Engine {
    /// On this file, with the functions of this runtime.
    pub fn new(path: PathBuf, runtime: Arc<dyn Runtime>) -> Engine {
        Engine {
            path,
            free: Mutex::default(),
            turn: Turn::default(),
            runtime,
            operator: Arc::default(),
        }
    }

    /// Makes the database ready, and the runtime for what it defines, before the first session: two connections that change its mode at once lock each other out,
    /// and SQLite does not wait then.
    ///
    /// # Errors
    /// If it cannot be opened, or what it says of a function cannot be read.
    pub fn prepare(&self) -> Result<(), SqlError> {
        Connection::open(&self.path)?.pragma_update(None, "journal_mode", "WAL")?;
        let link = self.open()?;
        definitions::load(&link.connection, &*self.runtime)?;
        self.free.lock().push(link);
        Ok(())
    }

    /// The runtime has what the database says of these functions and procedures.
    ///
    /// # Errors
    /// If that cannot be read.
    pub fn follow(&self, executor: &impl Executor, names: &[String]) -> Result<(), SqlError> {
        let kept = self.free.lock().pop();
        let (link, followed) = executor.native(Native::Step, || {
            let mut link = kept.map_or_else(|| self.open(), Ok)?;
            // It would ask for the session that had it last.
            link.connection.progress_handler(0, None::<fn() -> bool>)?;
            let followed = definitions::follow(&link.connection, &*self.runtime, names);
            Ok::<_, SqlError>((link, followed))
        })??;
        self.give_back(executor, link);
        followed
    }

    /// Borrows a connection for a session.
    ///
    /// # Errors
    /// If none can be opened.
    pub fn borrow(
        &self,
        executor: &impl Executor,
        control: &Arc<Control>,
    ) -> Result<Link, SqlError> {
        let kept = self.free.lock().pop();
        let mut link = match kept {
            Some(link) => link,
            None => executor.native(Native::Open, || self.open())??,
        };
        link.lent.set(Some(control));
        executor.native(Native::Lend, || {
            let watched = Arc::clone(control);
            let ask = move || watched.ask();
            link.connection.progress_handler(PROGRESS_STEP, Some(ask))?;
            self.register(&mut link)
        })??;
        Ok(link)
    }

    fn open(&self) -> Result<Link, SqlError> {
        let mut connection = Connection::open(&self.path)?;
        connection.busy_timeout(BUSY_LIMIT)?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        builtin::register(&connection)?;
        catalogue::register(&connection)?;
        operator::register(&connection, &self.operator)?;
        sharing::restrict(&mut connection)?;
        Ok(Link {
            connection,
            functions: 0,
            lent: Arc::default(),
        })
    }

    /// Lets a session that keeps its connection see what was defined since.
    ///
    /// # Errors
    /// If SQLite does not take a function.
    pub fn refresh(&self, executor: &impl Executor, link: &mut Link) -> Result<(), SqlError> {
        if link.functions == self.runtime.version() {
            return Ok(());
        }
        executor.native(Native::Lend, || self.register(link))?
    }

    /// Lets a connection know the functions that were defined since it looked last.
    fn register(&self, link: &mut Link) -> Result<(), SqlError> {
        let version = self.runtime.version();
        if link.functions == version {
            return Ok(());
        }
        for function in self.runtime.functions() {
            below::register(&link.connection, &function, &self.runtime, &link.lent)?;
        }
        link.functions = version;
        Ok(())
    }

    /// Gives a connection back. One that is in a transaction is rolled back by being closed.
    pub fn give_back(&self, executor: &impl Executor, link: Link) {
        link.lent.set(None);
        let link = if link.connection.is_autocommit() {
            let mut free = self.free.lock();
            if free.len() < KEPT_MAX {
                free.push(link);
                return;
            }
            link
        } else {
            link
        };
        // If the hook is refused the closure goes, and the connection with it.
        let _ = executor.native(Native::Close, move || drop(link));
    }

    /// Closes what is kept.
    pub fn close(&self) {
        let kept = std::mem::take(&mut *self.free.lock());
        drop(kept);
    }
}

impl Link {
    /// Whether a transaction is open.
    pub fn in_transaction(&self) -> bool {
        !self.connection.is_autocommit()
    }

    /// What a statement takes and returns.
    ///
    /// # Errors
    /// If SQLite cannot compile it.
    pub fn describe(&self, executor: &impl Executor, sql: &str) -> Result<Shape, SqlError> {
        executor.native(Native::Prepare, || {
            let statement = self.connection.prepare_cached(sql)?;
            let columns = columns_of(&statement);
            Ok(Shape {
                parameters: parameters_of(&statement)?,
                columns,
            })
        })?
    }

    /// Runs one statement. `known` are the types that the client was told; without them the first row decides what no
    /// declaration does.
    ///
    /// # Errors
    /// As the statement ends.
    pub fn run(
        &self,
        executor: &impl Executor,
        session: &mut Writer<'_>,
        sql: &str,
        parameters: &[Value],
        known: Option<&[Type]>,
        rows: &mut dyn Rows,
    ) -> Result<Done, SqlError> {
        let control = session.control;
        control.set_native(Some(Native::Prepare));
        let prepared = executor.native(Native::Prepare, || self.connection.prepare_cached(sql));
        control.set_native(None);
        let mut statement = prepared??;
        let turn = if statement.readonly() {
            Ok(())
        } else {
            session
                .take_turn()
                .and_then(|()| self.begin_for(executor, session))
        };
        let result =
            turn.and_then(|()| step(executor, control, &mut statement, parameters, known, rows));
        let readonly = statement.readonly();
        executor.native(Native::Reset, move || drop(statement))?;
        let count = match result {
            Ok(count) => count,
            // SQLite says only that it was interrupted.
            Err(error) if error.code == "57014" => return Err(control.verdict().unwrap_or(error)),
            Err(error) => return Err(self.lent.of_function(error)),
        };
        Ok(Done {
            rows: count,
            changes: if readonly {
                0
            } else {
                self.connection.changes()
            },
        })
    }
}

impl Link {
    /// What a procedure writes is kept as a whole or not at all: its first write begins a transaction, which its end ends.
    fn begin_for(&self, executor: &impl Executor, session: &Writer<'_>) -> Result<(), SqlError> {
        if !session.as_a_whole || self.in_transaction() {
            return Ok(());
        }
        executor.native(Native::Step, || {
            self.connection.execute_batch("BEGIN IMMEDIATE")
        })??;
        Ok(())
    }
}

/// Runs a statement that reads, all in native code: for functions, which are in a statement already.
///
/// # Errors
/// As the statement ends; 38002 if it would write.
pub fn read(
    connection: &Connection,
    sql: &str,
    parameters: &[Value],
) -> Result<Vec<Vec<Value>>, SqlError> {
    let mut statement = connection.prepare(sql)?;
    if !statement.readonly() {
        return Err(SqlError::new("38002", "a function may not change data"));
    }
    let width = statement.column_count();
    bind(&mut statement, parameters)?;
    let mut source = statement.raw_query();
    let mut kept = Kept::default();
    while let Some(row) = source.next()? {
        kept.keep(row, width)?;
    }
    Ok(kept.0)
}

/// Steps through a statement, a batch of rows in each stretch of native code.
fn step(
    executor: &impl Executor,
    control: &Control,
    statement: &mut Statement<'_>,
    parameters: &[Value],
    known: Option<&[Type]>,
    rows: &mut dyn Rows,
) -> Result<u64, SqlError> {
    let columns = columns_of(statement);
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let mut types: Vec<(&str, Type)> = Vec::new();
    executor.native(Native::Bind, || bind(statement, parameters))??;
    let mut cursor = Some(statement.raw_query());
    let mut count = 0;
    loop {
        control.set_native(Some(Native::Step));
        let stretch = executor.native(Native::Step, || {
            let source = cursor.as_mut().expect("it goes only below");
            while rows.pending() < BATCH {
                let row = source.next()?;
                if (count == 0 && types.is_empty()) && !columns.is_empty() {
                    types = types_of(&columns, &names, known, row);
                    rows.columns(&types);
                }
                let Some(row) = row else {
                    cursor = None;
                    return Ok(true);
                };
                rows.row(row, &types)?;
                count += 1;
            }
            Ok::<_, SqlError>(false)
        });
        control.set_native(None);
        if stretch?? {
            return Ok(count);
        }
        rows.hand_on()?;
    }
}

/// The types of a result: what was told, what is declared, what the first row has.
fn types_of<'n>(
    columns: &[Column],
    names: &[&'n str],
    known: Option<&[Type]>,
    first: Option<&Row<'_>>,
) -> Vec<(&'n str, Type)> {
    let of_value = |index: usize| {
        let value = first.and_then(|row| row.get_ref(index).ok());
        value.map_or(Type::TEXT, Type::of)
    };
    let each = names.iter().enumerate().map(|(index, name)| {
        let told = known.and_then(|known| known.get(index).copied());
        let ty = told.or(columns[index].ty);
        (*name, ty.unwrap_or_else(|| of_value(index)))
    });
    each.collect()
}

fn columns_of(statement: &Statement<'_>) -> Vec<Column> {
    let columns = statement.columns();
    columns
        .map(|column| Column {
            name: column.name().to_owned(),
            ty: column.decl_type().map(Type::declared),
        })
        .collect()
}

/// `$2` is the second parameter, wherever it stands; SQLite numbers them as they come.
fn number_of(statement: &Statement<'_>, index: usize) -> Result<usize, SqlError> {
    let name = statement.parameter_name(index).unwrap_or("?");
    let number = name[1..].parse::<usize>().ok().filter(|number| *number > 0);
    match number {
        Some(number) => Ok(number),
        None if name == "?" => Ok(index),
        None => Err(SqlError::new(
            "42P02",
            format!("there is no parameter {name}"),
        )),
    }
}

fn parameters_of(statement: &Statement<'_>) -> Result<usize, SqlError> {
    (1..=statement.parameter_count())
        .try_fold(0, |most, index| Ok(most.max(number_of(statement, index)?)))
}

fn bind(statement: &mut Statement<'_>, parameters: &[Value]) -> Result<(), SqlError> {
    for index in 1..=statement.parameter_count() {
        let number = number_of(statement, index)?;
        let Some(value) = parameters.get(number - 1) else {
            return Err(SqlError::new(
                "42P02",
                format!("there is no parameter ${number}"),
            ));
        };
        statement.raw_bind_parameter(index, value)?;
    }
    Ok(())
}

/// A session as a writer: it keeps the turn from its first write to the end of its transaction.
#[derive(Debug)]
pub struct Writer<'s> {
    /// Who ends it early.
    pub control: &'s Control,
    /// The engine's turn.
    pub turn: &'s Turn,
    /// Whether it is the session's.
    pub has_turn: &'s mut bool,
    /// It writes for a procedure.
    pub as_a_whole: bool,
}

impl Writer<'_> {
    fn take_turn(&mut self) -> Result<(), SqlError> {
        if !*self.has_turn {
            self.turn.take(self.control)?;
            *self.has_turn = true;
        }
        Ok(())
    }
}

/// Rows that are kept, for those who want values.
#[derive(Debug, Default)]
pub struct Kept(pub Vec<Vec<Value>>);

impl Kept {
    fn keep(&mut self, row: &Row<'_>, width: usize) -> Result<(), SqlError> {
        if self.0.len() >= KEPT_ROWS_MAX {
            let message = format!("a result of more than {KEPT_ROWS_MAX} rows");
            return Err(SqlError::new("54000", message));
        }
        let values = (0..width).map(|index| row.get::<_, Value>(index));
        self.0.push(values.collect::<Result<_, _>>()?);
        Ok(())
    }
}

impl Rows for Kept {
    fn columns(&mut self, _columns: &[(&str, Type)]) {}

    fn row(&mut self, row: &Row<'_>, types: &[(&str, Type)]) -> Result<(), SqlError> {
        self.keep(row, types.len())
    }

    fn pending(&self) -> usize {
        0
    }

    fn hand_on(&mut self) -> Result<(), SqlError> {
        Ok(())
    }
}

/// Appends a row as the protocol has it.
pub fn put_row(
    out: &mut BytesMut,
    row: &Row<'_>,
    types: &[(&str, Type)],
    formats: &[i16],
) -> Result<(), SqlError> {
    wire::put_row(out, types.len(), |out| {
        for (index, (_, ty)) in types.iter().enumerate() {
            let value: ValueRef<'_> = row.get_ref(index)?;
            value::put(out, value, Format::pick(formats, index)?, *ty);
        }
        Ok(())
    })
}
