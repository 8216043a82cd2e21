//! The operator's tables for somebody outside the process: a Unix socket that answers requests for them, also when all
//! workers are stuck.
//!
//! [`Observe::observe`] lets a scheduler's [`Builder`] make the socket. `examples/top` is a screen that attaches to it; any
//! program that reads lines can as well.
//!
//! ```
//! use fiberhost::observe::Observe;
//! use fiberhost::scheduler::Scheduler;
//! use std::io::{BufRead, BufReader, Write};
//! use std::os::unix::net::UnixStream;
//!
//! let path = std::env::temp_dir().join(format!("observed-{}", std::process::id()));
//! let scheduler = Scheduler::builder().workers(1).observe(&path).build()?;
//!
//! let mut stream = UnixStream::connect(&path)?;
//! stream.write_all(b"{\"table\":\"schedulers\",\"columns\":[\"scheduler_id\",\"status\"]}\n")?;
//! let mut lines = BufReader::new(stream).lines();
//! assert_eq!(lines.next().expect("a row")?, r#"{"scheduler_id":0,"status":"VISIBLE ONLINE"}"#);
//! assert!(lines.next().expect("the end")?.starts_with(r#"{"end":true,"rows":1,"#));
//! # drop(scheduler);
//! # assert!(!path.exists());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is said
//!
//! Each request is a line with a JSON object, of at most 4096 bytes; each answer is some lines with a JSON object each.
//!
//! | request | answer |
//! |---|---|
//! | `{"tables":true}` | for each table `table`, `meaning`, and `columns` with `name`, `kind` and `meaning` |
//! | `{"table":"tasks"}` | the rows of the [table](crate::views) |
//! | `{"table":"tasks","columns":["task_id","wait_type"]}` | these columns of the rows, in this order |
//! | `{"mark":true}` | no rows; from now on is counted what the next is about, on this connection |
//! | `{"table":"wait_stats","since_mark":true}`, also with columns | the rows with what was [counted since](crate::views::Views::since) the last mark |
//!
//! After the last row comes `{"end":true,...}` with `rows`, the milliseconds in which they were made as `took_ms`, and how many
//! answers were cut off (`answers_lost`) and connections refused (`refused`) since the start; behind rows also the milliseconds
//! that their counters are about as `counted_for_ms`. What is wrong with a
//! request is said in one line `{"error":"..."}`, and the connection goes on. No row has a column `end` or `error`.
//!
//! The table `hosts` has those of the process that are on this scheduler.
//!
//! What is answered is of a moment after the question. Between two looks at the scheduler are four milliseconds at least, and as long
//! as the first of them took: who asks sooner waits, and all who wait for the same look are answered from it. So somebody
//! who asks again and again, and many who do, disturb a worker no more than one who asks each four milliseconds.
//!
//! # Who is served
//!
//! The socket belongs to the user of the process, and to nobody else. Each connection has a thread, which is none of the
//! scheduler's; there are at most eight. A reader that takes longer than five seconds for an answer, or asks for nothing for
//! a minute, is let go: what it was to get is counted as lost, and nothing waits for it.
//!
//! A socket file that a dead process has left is replaced; one that somebody serves, or that is no socket, makes
//! [`Builder::build`] fail. Two processes that start at the same moment where a dead one has left its file may both replace
//! it, and the later one has it. The file goes when the scheduler has ended. If tasks are left by its shutdown, it
//! stays to show them.
#![forbid(unsafe_code)]

mod looks;
mod request;
mod server;
pub mod socket;

use std::path::PathBuf;

use fiberhost_scheduler::Builder;

use server::Server;

/// Lets a scheduler's builder make a socket for the operator. See the [module](self).
pub trait Observe {
    /// Serves the operator's tables at this path for as long as the scheduler lives. It takes a thread, and one for each
    /// connection.
    ///
    /// [`Builder::build`] fails if there can be no socket: with `AddrInUse` if somebody serves there, with `AlreadyExists` if
    /// something else stands there, otherwise with what the system said.
    #[must_use]
    fn observe(self, path: impl Into<PathBuf>) -> Self;
}

impl Observe for Builder {
    fn observe(self, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        self.observed_by(move |observed| Ok(Box::new(Server::start(&path, observed)?)))
    }
}
