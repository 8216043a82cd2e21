//! The same server with an OS thread for each connection.
#![forbid(unsafe_code)]

use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use sql_host::engine::Engine;
use sql_host::error::SqlError;
use sql_host::executor::{Executor, Native};
use sql_host::registry::Registry;
use sql_host::runtime::Runtime;
use sql_host::session::{self, Shared};
use sql_host::socket::Socket;

/// A thread may block as it likes.
struct Threads;

impl Executor for Threads {
    fn native<R>(&self, _target: Native, call: impl FnOnce() -> R) -> Result<R, SqlError> {
        Ok(call())
    }
}

/// Serves until the end of the process that asked for it.
pub(crate) fn serve(database: &Path, runtime: Arc<dyn Runtime>) -> io::Result<()> {
    // Guests have no host to speak to.
    runtime.attach(None);
    let shared = Arc::new(Shared {
        executor: Arc::new(Threads),
        engine: Arc::new(Engine::new(database.to_owned(), runtime)),
        registry: Arc::new(Registry::default()),
    });
    shared.engine.prepare().map_err(io::Error::other)?;
    let listener = TcpListener::bind(super::ANYWHERE)?;
    super::process::announce(listener.local_addr()?)?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let shared = Arc::clone(&shared);
            let session = move || {
                stream.set_nodelay(true)?;
                session::serve(shared, Arc::new(Socket(stream)))
            };
            // A connection without a thread is closed.
            let _ = thread::Builder::new().spawn(session);
        }
    });
    super::process::until_closed()
}
