//! What a guest can import.
//!
//! | import | what it does |
//! |---|---|
//! | `sql.bind_int (i64)`, `sql.bind_text (i32 i32)` | one more parameter for the next statement |
//! | `sql.run (i32 i32) (result i32)` | runs a statement, and returns how many rows it has; one that fails ends the guest |
//! | `sql.int (i32 i32) (result i64)` | of a row and a column, from 0: a whole number, 0 for `NULL` |
//! | `sql.text (i32 i32 i32 i32) (result i32)` | of a row and a column: a text, copied to an address as far as there is room; its length |
//! | `native.sort (i32 i32)` | sorts so many `i64` from an address, by the export `compare (i64 i64) (result i32)` |
//! | `host.sleep (i32)` | waits for milliseconds |
//!
//! `native.sort` stands for code that knows nothing of the host: the host is told when it is called, and when it calls back.
//! Everything else is the host's own, which needs no hooks, and for a procedure it waits as tasks do. A function has native
//! code below it already, so its statements run on its caller's connection, as native code.
//!
//! Room for unsafe code: a function's statement.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::types::Value;
use wasmtime::{Caller, Engine, Extern, Linker, TypedFunc};

use super::exchange::Question;
use super::guest::Guest;
use super::sorting::{SORTED_MAX, Sorting};
use super::values;
use crate::below;
use crate::command;
use crate::error::SqlError;

/// What functions import.
pub(super) fn for_functions(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    of_both(&mut linker)?;
    linker.func_wrap("sql", "run", run)?;
    linker.func_wrap("host", "sleep", sleep)?;
    linker.func_wrap("native", "sort", sort)?;
    Ok(linker)
}

/// What procedures import.
pub(super) fn for_procedures(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    of_both(&mut linker)?;
    linker.func_wrap_async("sql", "run", ask_to_run)?;
    linker.func_wrap_async("host", "sleep", ask_to_sleep)?;
    linker.func_wrap_async("native", "sort", sort_and_wait)?;
    Ok(linker)
}

fn of_both(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker.func_wrap("sql", "bind_int", bind_int)?;
    linker.func_wrap("sql", "bind_text", bind_text)?;
    linker.func_wrap("sql", "int", int)?;
    linker.func_wrap("sql", "text", copy_text)?;
    Ok(())
}

/// A function's `sql.run`: on its caller's connection.
fn run(mut guest: Caller<'_, Guest>, address: i32, length: i32) -> wasmtime::Result<i32> {
    let sql = command::plain(&text(&mut guest, address, length)?)?;
    let data = guest.data_mut();
    data.boundary.leave(below::target())?;
    let parameters = std::mem::take(&mut data.parameters);
    let below = data.below.as_ref().ok_or_else(no_session)?;
    // SAFETY: the guest has it from the beginning to the end of the call that it was given to, and runs on that call's thread.
    let rows = unsafe { below.query(&sql, &parameters) }?;
    Ok(keep(&mut guest, rows))
}

/// What a procedure waits for.
type Waits<'g, R> = Box<dyn Future<Output = wasmtime::Result<R>> + Send + 'g>;

/// A procedure's `sql.run`: by its session.
fn ask_to_run(mut guest: Caller<'_, Guest>, (address, length): (i32, i32)) -> Waits<'_, i32> {
    Box::new(async move {
        let sql = text(&mut guest, address, length)?;
        let data = guest.data_mut();
        data.boundary.serve();
        let parameters = std::mem::take(&mut data.parameters);
        let exchange = Arc::clone(&data.exchange);
        let rows = exchange.ask(Question::Run(sql, parameters)).await?;
        Ok(keep(&mut guest, rows))
    })
}

/// A function's `host.sleep`: with its thread, since there are native frames below.
fn sleep(mut guest: Caller<'_, Guest>, time: i32) -> wasmtime::Result<()> {
    guest.data_mut().boundary.serve();
    let control = guest.data().control.clone();
    Ok(control.ok_or_else(no_session)?.sleep(milliseconds(time))?)
}

/// A procedure's `host.sleep`: without it.
fn ask_to_sleep(mut guest: Caller<'_, Guest>, (time,): (i32,)) -> Waits<'_, ()> {
    Box::new(async move {
        let data = guest.data_mut();
        data.boundary.serve();
        let exchange = Arc::clone(&data.exchange);
        exchange.ask(Question::Sleep(milliseconds(time))).await?;
        Ok(())
    })
}

/// A function's `native.sort`.
fn sort(mut guest: Caller<'_, Guest>, at: i32, count: i32) -> wasmtime::Result<()> {
    guest.data_mut().boundary.leave(sort_address())?;
    let (mut sorting, compare) = begin_sort(&mut guest, at, count)?;
    while let Some(pair) = sorting.question() {
        let after = compare.call(&mut guest, pair)? > 0;
        sorting.answer(after);
    }
    end_sort(&mut guest, at, &sorting)
}

/// A procedure's: `compare` may ask its session for something, and wait.
fn sort_and_wait(mut guest: Caller<'_, Guest>, (at, count): (i32, i32)) -> Waits<'_, ()> {
    Box::new(async move {
        guest.data_mut().boundary.leave(sort_address())?;
        let (mut sorting, compare) = begin_sort(&mut guest, at, count)?;
        while let Some(pair) = sorting.question() {
            let after = compare.call_async(&mut guest, pair).await? > 0;
            sorting.answer(after);
        }
        end_sort(&mut guest, at, &sorting)
    })
}

fn bind_int(mut guest: Caller<'_, Guest>, number: i64) -> wasmtime::Result<()> {
    guest.data_mut().boundary.serve();
    bind(&mut guest, Value::Integer(number))
}

fn bind_text(mut guest: Caller<'_, Guest>, address: i32, length: i32) -> wasmtime::Result<()> {
    guest.data_mut().boundary.serve();
    let text = text(&mut guest, address, length)?;
    bind(&mut guest, Value::Text(text))
}

fn int(mut guest: Caller<'_, Guest>, row: i32, column: i32) -> wasmtime::Result<i64> {
    guest.data_mut().boundary.serve();
    match value(guest.data(), row, column)? {
        Value::Integer(number) => Ok(*number),
        Value::Null => Ok(0),
        // A cast that saturates.
        Value::Real(number) => Ok(*number as i64),
        Value::Text(_) | Value::Blob(_) => {
            Err(SqlError::new("22000", "the value is no number").into())
        }
    }
}

fn milliseconds(time: i32) -> Duration {
    Duration::from_millis(u64::try_from(time).unwrap_or(0))
}

fn no_session() -> SqlError {
    SqlError::new("55000", "the guest runs for no session")
}

fn memory<'g>(guest: &'g mut Caller<'_, Guest>) -> Option<&'g mut [u8]> {
    match guest.get_export("memory") {
        Some(Extern::Memory(memory)) => Some(memory.data_mut(guest)),
        _ => None,
    }
}

fn text(guest: &mut Caller<'_, Guest>, address: i32, length: i32) -> Result<String, SqlError> {
    let bytes = values::part(memory(guest).map(|memory| &*memory), address, length)?;
    let text = std::str::from_utf8(bytes);
    let text = text.map_err(|_| SqlError::new("22021", "a text of the guest is no UTF-8"))?;
    Ok(text.to_owned())
}

fn bind(guest: &mut Caller<'_, Guest>, value: Value) -> wasmtime::Result<()> {
    const MOST: usize = 100;
    let parameters = &mut guest.data_mut().parameters;
    if parameters.len() >= MOST {
        let message = format!("a guest's statement has at most {MOST} parameters");
        return Err(SqlError::new("54000", message).into());
    }
    parameters.push(value);
    Ok(())
}

/// The rows of the last statement from now on. Their number.
fn keep(guest: &mut Caller<'_, Guest>, rows: Vec<Vec<Value>>) -> i32 {
    let count = i32::try_from(rows.len()).unwrap_or(i32::MAX);
    guest.data_mut().rows = rows;
    count
}

fn value(guest: &Guest, row: i32, column: i32) -> Result<&Value, SqlError> {
    let of = |list: i32| usize::try_from(list).ok();
    let found = of(row).and_then(|row| guest.rows.get(row)?.get(of(column)?));
    found.ok_or_else(|| {
        let message = format!("the statement has no column {column} in a row {row}");
        SqlError::new("38000", message)
    })
}

fn copy_text(
    mut guest: Caller<'_, Guest>,
    row: i32,
    column: i32,
    address: i32,
    room: i32,
) -> wasmtime::Result<i32> {
    guest.data_mut().boundary.serve();
    let text = match value(guest.data(), row, column)? {
        Value::Text(text) => text.clone().into_bytes(),
        Value::Blob(bytes) => bytes.clone(),
        Value::Integer(number) => number.to_string().into_bytes(),
        Value::Real(number) => number.to_string().into_bytes(),
        Value::Null => Vec::new(),
    };
    let copied = text.len().min(room as u32 as usize);
    let start = address as u32 as usize;
    let place = memory(&mut guest).and_then(|memory| memory.get_mut(start..start + copied));
    let place = place
        .ok_or_else(|| SqlError::new("38000", "the guest names an address outside its memory"))?;
    place.copy_from_slice(&text[..copied]);
    Ok(i32::try_from(text.len()).unwrap_or(i32::MAX))
}

/// What the hook carries for `native.sort`.
fn sort_address() -> usize {
    (Sorting::question as *const ()).addr()
}

type Compare = TypedFunc<(i64, i64), i32>;

fn begin_sort(
    guest: &mut Caller<'_, Guest>,
    at: i32,
    count: i32,
) -> wasmtime::Result<(Sorting, Compare)> {
    let count = count as u32 as usize;
    if count > SORTED_MAX {
        let message = format!("at most {SORTED_MAX} numbers are sorted at once");
        return Err(SqlError::new("54000", message).into());
    }
    let bytes = values::part(
        memory(guest).map(|memory| &*memory),
        at,
        i32::try_from(count * 8).unwrap_or(i32::MAX),
    )?;
    let number = |bytes: &[u8]| i64::from_le_bytes(bytes.try_into().expect("eight bytes"));
    let numbers = bytes.chunks_exact(8).map(number).collect();
    let Some(Extern::Func(compare)) = guest.get_export("compare") else {
        return Err(SqlError::new("38000", "the guest exports no function \"compare\"").into());
    };
    let compare = compare.typed(&*guest).map_err(|error| {
        let message = format!("the guest's export \"compare\" has another type: {error}");
        SqlError::new("38000", message)
    })?;
    Ok((Sorting::new(numbers), compare))
}

fn end_sort(guest: &mut Caller<'_, Guest>, at: i32, sorting: &Sorting) -> wasmtime::Result<()> {
    let at = at as u32 as usize;
    let numbers = sorting.numbers().iter();
    let bytes: Vec<u8> = numbers.flat_map(|number| number.to_le_bytes()).collect();
    // It was there at the beginning, and memory does not shrink.
    let memory = memory(guest).and_then(|memory| memory.get_mut(at..at + bytes.len()));
    memory.expect("it is there").copy_from_slice(&bytes);
    Ok(())
}
