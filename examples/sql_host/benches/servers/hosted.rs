//! The server as it is: sessions are tasks of the hosting layer.
#![forbid(unsafe_code)]

use std::io;
use std::path::Path;
use std::sync::Arc;

use sql_host::runtime::Runtime;
use sql_host::server::{Server, Setup};

/// Serves until the end of the process that asked for it.
pub(crate) fn serve(
    database: &Path,
    runtime: Arc<dyn Runtime>,
    thread_mode: bool,
) -> io::Result<()> {
    let setup = Setup {
        address: super::ANYWHERE,
        database: database.to_owned(),
        workers: None,
        thread_mode,
        observe: None,
        emergency: None,
        check_invariants: false,
    };
    let server = Server::start(&setup, runtime)?;
    super::process::announce(server.address())?;
    super::process::until_closed()?;
    server.stop()
}
