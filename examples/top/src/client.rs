//! The other end of the socket: asks for tables, and reads their rows.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

/// Longer than the other side takes for anything.
const PATIENCE: Duration = Duration::from_secs(10);

/// A table, as the other side describes it.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) meaning: String,
    pub(crate) columns: Vec<Column>,
}

#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) meaning: String,
}

impl Table {
    fn read(value: &Value) -> Option<Table> {
        let text = |value: &Value, key| value.get(key)?.as_str().map(str::to_owned);
        let column = |value: &Value| {
            Some(Column {
                name: text(value, "name")?,
                meaning: text(value, "meaning")?,
            })
        };
        Some(Table {
            name: text(value, "table")?,
            meaning: text(value, "meaning")?,
            columns: value
                .get("columns")?
                .as_array()?
                .iter()
                .map(column)
                .collect::<Option<_>>()?,
        })
    }

    /// Where a column stands.
    pub(crate) fn place(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|it| it.name == column)
    }
}

/// The values of a row, in the order of the table's columns.
pub(crate) type Row = Vec<Value>;

#[derive(Debug)]
pub(crate) struct Client {
    path: PathBuf,
    /// Nothing after an error: what comes next belongs to an older question.
    stream: Option<BufReader<UnixStream>>,
    /// There is a mark on this connection.
    is_marked: bool,
}

impl Client {
    pub(crate) fn connect(path: &Path) -> io::Result<Client> {
        Ok(Client {
            path: path.to_owned(),
            stream: Some(attach(path)?),
            is_marked: false,
        })
    }

    /// From now on the other side counts what rows since the mark are about.
    pub(crate) fn mark(&mut self) -> io::Result<()> {
        self.ask(&json!({"mark": true}))?;
        self.is_marked = true;
        Ok(())
    }

    /// Whether the other side still knows of the mark: one that is attached to anew does not.
    pub(crate) fn is_marked(&self) -> bool {
        self.is_marked && self.stream.is_some()
    }

    pub(crate) fn tables(&mut self) -> io::Result<Vec<Table>> {
        let lines = self.ask(&json!({"tables": true}))?;
        let tables: Option<_> = lines.iter().map(Table::read).collect();
        tables.ok_or_else(|| strange("a table's description"))
    }

    pub(crate) fn rows(&mut self, table: &Table) -> io::Result<Vec<Row>> {
        let columns: Vec<_> = table.columns.iter().map(|it| &*it.name).collect();
        let lines = self.ask(&json!({"table": table.name}))?;
        ordered(lines, &columns)
    }

    /// The rows with what was counted since the mark.
    pub(crate) fn rows_since(&mut self, table: &Table) -> io::Result<Vec<Row>> {
        let columns: Vec<_> = table.columns.iter().map(|it| &*it.name).collect();
        let lines = self.ask(&json!({"table": table.name, "since_mark": true}))?;
        ordered(lines, &columns)
    }

    /// The rows with these columns alone.
    pub(crate) fn picked(&mut self, table: &Table, columns: &[&str]) -> io::Result<Vec<Row>> {
        let lines = self.ask(&json!({"table": table.name, "columns": columns}))?;
        ordered(lines, columns)
    }

    /// Attaches again if that is needed.
    fn ask(&mut self, request: &Value) -> io::Result<Vec<Value>> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                self.is_marked = false;
                attach(&self.path)?
            }
        };
        let lines = exchange(&mut stream, request)?;
        self.stream = Some(stream);
        Ok(lines)
    }
}

/// The values of these columns, row by row.
fn ordered(lines: Vec<Value>, columns: &[&str]) -> io::Result<Vec<Row>> {
    let row = |mut line: Value| {
        let values = columns
            .iter()
            .map(|&name| line.get_mut(name).map(Value::take));
        values.collect::<Option<Row>>()
    };
    let rows: Option<_> = lines.into_iter().map(row).collect();
    rows.ok_or_else(|| strange("a row"))
}

fn attach(path: &Path) -> io::Result<BufReader<UnixStream>> {
    let stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(BufReader::new(stream))
}

fn exchange(stream: &mut BufReader<UnixStream>, request: &Value) -> io::Result<Vec<Value>> {
    let sent = writeln!(stream.get_mut(), "{request}");
    let mut rows = Vec::new();
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            // Who refuses a connection says why before it ends.
            sent?;
            return Err(io::Error::other("the other side has ended the connection"));
        }
        let row: Value = serde_json::from_str(&line).map_err(|_| strange("a line"))?;
        if let Some(error) = row.get("error") {
            return Err(io::Error::other(error.as_str().unwrap_or("an error")));
        }
        if row.get("end").is_some() {
            return Ok(rows);
        }
        rows.push(row);
    }
}

fn strange(what: &str) -> io::Error {
    let text = format!("{what} that is not understood: is this a scheduler's socket?");
    io::Error::new(io::ErrorKind::InvalidData, text)
}
