//! The emergency socket: a door for the operator when every worker of the server is stuck.
//!
//! It is a Unix socket, for the server's own user alone, and speaks the same protocol. Its sessions run on the scheduler's
//! emergency lane, which shares no worker, no queue and no monitor with the rest. They are sessions like the others, with the
//! same tables and orders; a statement that writes waits for its turn like every other.
#![forbid(unsafe_code)]

use std::io;
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};

use fiberhost::observe::socket::{self, SocketFile};
use fiberhost::scheduler::native::{self, Target};
use fiberhost::scheduler::net::UnixListener;

use crate::error::SqlError;
use crate::executor::{Executor, Native};

/// What psql takes for the name of a socket, with this number as the port.
const PREFIX: &str = ".s.PGSQL.";
const PORT: u16 = 5432;

/// Where the socket is: in a folder it has the name that psql looks for.
pub fn place(path: &Path) -> PathBuf {
    if path.is_dir() {
        path.join(format!("{PREFIX}{PORT}"))
    } else {
        path.to_owned()
    }
}

/// How psql connects, if the socket has such a name.
pub fn hint(place: &Path) -> Option<String> {
    let port = place.file_name()?.to_str()?.strip_prefix(PREFIX)?;
    let folder = std::path::absolute(place.parent()?).ok()?;
    Some(format!("psql -h {} -p {port} -U sql sql", folder.display()))
}

/// Listens there. The file goes when the second part is dropped.
///
/// # Errors
/// If there can be no socket; the text says where.
pub(crate) fn bind(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let (listener, file): (StdListener, SocketFile) = socket::bind(&place(path))?;
    Ok((UnixListener::from_std(listener)?, file))
}

/// Sessions are tasks of the emergency lane, of which the hosting layer knows nothing: calls of native code are the
/// scheduler's own sections.
#[derive(Debug)]
pub struct Lane;

static TARGETS: [Target; Native::ALL.len()] = [
    Target::new("sqlite3_open_v2"),
    Target::new("sqlite3_progress_handler"),
    Target::new("sqlite3_prepare_v3"),
    Target::new("sqlite3_bind_value"),
    Target::new("sqlite3_step"),
    Target::new("sqlite3_reset"),
    Target::new("sqlite3_close"),
    Target::new("write"),
];

impl Executor for Lane {
    fn native<R>(&self, target: Native, call: impl FnOnce() -> R) -> Result<R, SqlError> {
        Ok(native::section(&TARGETS[target as usize], call))
    }

    fn task(&self) -> Option<u64> {
        fiberhost::scheduler::try_current().map(|task| task.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_have_the_names_of_their_functions() {
        for native in Native::ALL {
            assert_eq!(TARGETS[native as usize].name(), native.name());
        }
    }

    #[test]
    fn psql_is_told_how_to_connect() {
        let folder = std::env::temp_dir();
        let place = place(&folder);
        let said = hint(&place).expect("it has the right name");
        assert_eq!(
            said,
            format!("psql -h {} -p 5432 -U sql sql", folder.display())
        );
        assert_eq!(hint(Path::new("/run/emergency")), None);
    }
}
