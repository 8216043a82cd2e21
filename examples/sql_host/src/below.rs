//! A function's view of the statement that calls it: whose it is, and the connection that it runs on.
//!
//! SQLite calls functions from inside `sqlite3_step`, with all that it has locked for the statement. A function may run another
//! statement on the same connection, on this thread and before it returns.
//!
//! Room for unsafe code: a connection by its handle.

use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::Value;
use rusqlite::{Connection, ffi};

use crate::control::Control;
use crate::engine;
use crate::error::SqlError;
use crate::executor::Native;
use crate::managed::STACK_SIZE;
use crate::runtime::{FunctionDef, Runtime};

/// Bytes of stack that there have to be for a call: for a guest, for what it calls, and for a statement of SQLite's with all
/// its recursion.
const STACK_MIN: usize = 384 * 1024;

/// Who has a connection at this time, and what its functions have failed with.
#[derive(Debug, Default)]
pub struct Lent(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    control: Option<Arc<Control>>,
    failed: Option<SqlError>,
}

impl Lent {
    /// It goes to this session, or comes back.
    pub fn set(&self, control: Option<&Arc<Control>>) {
        *self.0.lock() = State {
            control: control.cloned(),
            failed: None,
        };
    }

    fn control(&self) -> Option<Arc<Control>> {
        self.0.lock().control.clone()
    }

    fn note(&self, error: &SqlError) {
        self.0.lock().failed = Some(error.clone());
    }

    /// A statement's error: SQLite hands on no more of a function's than its text, so the function's own takes its place.
    pub fn of_function(&self, error: SqlError) -> SqlError {
        let failed = self.0.lock().failed.take();
        failed
            .filter(|failed| failed.to_string() == error.message)
            .unwrap_or(error)
    }
}

/// A handle of a connection.
#[derive(Clone, Copy, Debug)]
struct Handle(*mut ffi::sqlite3);

// SAFETY: SQLite's connections may be used by one thread after the other, and its mutexes see to it.
unsafe impl Send for Handle {}

/// See the module docs. It is for the time of the call alone: who keeps it longer has a connection that may be gone, so the
/// one who is called is trusted with that (see [`query`](Below::query)).
#[derive(Debug)]
pub struct Below {
    /// What reaches into the session from outside.
    pub control: Arc<Control>,
    handle: Handle,
    lent: Arc<Lent>,
}

impl Below {
    /// Runs a statement on the connection of the one that calls, which may only read: the turn to write is not asked for here.
    ///
    /// Native code: the caller has said so to the host.
    ///
    /// # Safety
    /// Within the call that this was given to, on its thread.
    ///
    /// # Errors
    /// As the statement ends; 38002 if it would write.
    pub unsafe fn query(
        &self,
        sql: &str,
        parameters: &[Value],
    ) -> Result<Vec<Vec<Value>>, SqlError> {
        // SAFETY: the connection is there, since one of its statements calls. What is made here does not close it.
        let connection = unsafe { Connection::from_handle(self.handle.0) }?;
        let result = engine::read(&connection, sql, parameters);
        result.map_err(|error| self.lent.of_function(error))
    }
}

/// Makes a function known to a connection.
///
/// # Errors
/// If SQLite does not take it.
pub fn register(
    connection: &Connection,
    function: &FunctionDef,
    runtime: &Arc<dyn Runtime>,
    lent: &Arc<Lent>,
) -> rusqlite::Result<()> {
    let count = i32::try_from(function.arguments.len()).unwrap_or(i32::MAX);
    let (runtime, name) = (Arc::clone(runtime), function.name.clone());
    let lent = Arc::clone(lent);
    // SAFETY: the handle is used in calls of the function alone, which come from this connection.
    let handle = Handle(unsafe { connection.handle() });
    connection.create_scalar_function(
        function.name.as_str(),
        count,
        FunctionFlags::SQLITE_UTF8,
        move |context| {
            let arguments = (0..context.len())
                .map(|index| context.get::<Value>(index))
                .collect::<Result<Vec<_>, _>>()?;
            // The whole of it is captured: its parts are not for other threads.
            let handle = &handle;
            let called = below(&lent, *handle)
                .and_then(|below| runtime.call_function(&name, &arguments, below));
            called.map_err(|error| {
                lent.note(&error);
                rusqlite::Error::UserFunctionError(Box::new(error))
            })
        },
    )
}

fn below(lent: &Arc<Lent>, handle: Handle) -> Result<Below, SqlError> {
    let control = lent
        .control()
        .ok_or_else(|| SqlError::new("55000", "a function is called for no session's statement"))?;
    let left = (STACK_SIZE as usize).saturating_sub(control.stack_used());
    if left < STACK_MIN {
        return Err(SqlError::new("54001", "stack depth limit exceeded"));
    }
    Ok(Below {
        control,
        handle,
        lent: Arc::clone(lent),
    })
}

/// The target of what a function runs on its connection.
pub fn target() -> usize {
    Native::Step.address()
}
