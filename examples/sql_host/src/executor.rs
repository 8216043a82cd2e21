//! Where sessions run: the one thing in which servers differ that share the protocol, the statements and the engine.
//!
//! A session is code that waits, for its client and for its turn to write, and that calls SQLite. An executor says what a call
//! of native code is. On the host it is a hook: the scheduler may give the slot to others while it lasts, and neither switches
//! nor moves the task meanwhile.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fiberhost::Host;
use rusqlite::ffi;

use crate::error::SqlError;
use crate::managed::Tasks;
use crate::registry::Entry;

/// The function of SQLite that a stretch of native code is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Native {
    /// `sqlite3_open_v2`, with what a fresh connection is told.
    Open,
    /// `sqlite3_progress_handler`: a connection is given to a session.
    Lend,
    /// `sqlite3_prepare_v3`.
    Prepare,
    /// `sqlite3_bind_value` and its like.
    Bind,
    /// `sqlite3_step`, with the reading of rows after it.
    Step,
    /// `sqlite3_reset`: a statement is given back.
    Reset,
    /// `sqlite3_close`.
    Close,
    /// `write`: a file of the server's own.
    Write,
}

impl Native {
    /// All of them.
    pub const ALL: [Native; 8] = [
        Native::Open,
        Native::Lend,
        Native::Prepare,
        Native::Bind,
        Native::Step,
        Native::Reset,
        Native::Close,
        Native::Write,
    ];

    /// The function's name.
    pub fn name(self) -> &'static str {
        match self {
            Native::Open => "sqlite3_open_v2",
            Native::Lend => "sqlite3_progress_handler",
            Native::Prepare => "sqlite3_prepare_v3",
            Native::Bind => "sqlite3_bind_value",
            Native::Step => "sqlite3_step",
            Native::Reset => "sqlite3_reset",
            Native::Close => "sqlite3_close",
            Native::Write => "write",
        }
    }

    /// Its address, which is what the hook carries.
    pub fn address(self) -> usize {
        let address = match self {
            Native::Open => ffi::sqlite3_open_v2 as *const (),
            Native::Lend => ffi::sqlite3_progress_handler as *const (),
            Native::Prepare => ffi::sqlite3_prepare_v3 as *const (),
            Native::Bind => ffi::sqlite3_bind_value as *const (),
            Native::Step => ffi::sqlite3_step as *const (),
            Native::Reset => ffi::sqlite3_reset as *const (),
            Native::Close => ffi::sqlite3_close as *const (),
            Native::Write => libc::write as *const (),
        };
        address.addr()
    }
}

/// See the module docs.
pub trait Executor: Send + Sync + 'static {
    /// Runs native code that may block or hold locks of the thread.
    ///
    /// # Errors
    /// If the session may make no such call; the closure was not called.
    fn native<R>(&self, target: Native, call: impl FnOnce() -> R) -> Result<R, SqlError>;

    /// The number of the task that the caller runs in, by which the operator's tables know it. None where there are no tasks.
    fn task(&self) -> Option<u64> {
        None
    }

    /// The caller is this session from now on.
    ///
    /// # Errors
    /// If it cannot be.
    fn begin(&self, _session: &Arc<Entry>) -> Result<(), SqlError> {
        Ok(())
    }
}

/// Sessions are tasks of the hosting layer.
#[derive(Debug)]
pub struct Hosted {
    host: Arc<Host>,
    tasks: Arc<Tasks>,
    calls: [AtomicU64; Native::ALL.len()],
}

impl Hosted {
    /// On this host.
    pub fn new(host: Arc<Host>, tasks: Arc<Tasks>) -> Hosted {
        Hosted {
            host,
            tasks,
            calls: Default::default(),
        }
    }

    /// The host.
    pub fn host(&self) -> &Arc<Host> {
        &self.host
    }

    /// How often each function was announced.
    pub fn calls(&self) -> [(Native, u64); Native::ALL.len()] {
        // Relaxed: figures.
        Native::ALL.map(|native| (native, self.calls[native as usize].load(Ordering::Relaxed)))
    }
}

impl Executor for Hosted {
    fn native<R>(&self, target: Native, call: impl FnOnce() -> R) -> Result<R, SqlError> {
        let result = self.host.leave(target.address(), call);
        self.calls[target as usize].fetch_add(1, Ordering::Relaxed);
        result.map_err(|refused| {
            let message = format!("the host refuses a call of native code: {refused:?}");
            SqlError::new("53000", message)
        })
    }

    fn task(&self) -> Option<u64> {
        fiberhost::scheduler::try_current().map(|task| task.id())
    }

    /// The session's task has a runtime's side, so an abort by the host ends it.
    fn begin(&self, session: &Arc<Entry>) -> Result<(), SqlError> {
        let ended = Arc::downgrade(session);
        let tied = self.tasks.tie(move |how| {
            if let Some(session) = ended.upgrade() {
                session.ended(how);
            }
        });
        tied.map_err(|refused| {
            let message = format!("the host refuses a session: {refused:?}");
            SqlError::new("53000", message)
        })?;
        if let Some(task) = self.host.current_task() {
            session.runs_as(task);
        }
        Ok(())
    }
}
