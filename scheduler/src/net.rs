//! TCP and Unix sockets with the interface of [`std::net`]: a task that would block parks instead, and its thread runs
//! other tasks; a plain thread blocks.
//!
//! ```
//! use fiberhost_scheduler::net::{TcpListener, TcpStream};
//! use fiberhost_scheduler::{run, spawn};
//! use std::io::{Read, Write};
//!
//! let answer = run(|| {
//!     let listener = TcpListener::bind("127.0.0.1:0")?;
//!     let address = listener.local_addr()?;
//!     spawn(move || {
//!         // A task for each connection.
//!         for stream in listener.incoming().flatten() {
//!             spawn(move || std::io::copy(&mut &stream, &mut &stream));
//!         }
//!     });
//!     let mut stream = TcpStream::connect(address)?;
//!     stream.write_all(b"hello")?;
//!     stream.shutdown(std::net::Shutdown::Write)?;
//!     let mut answer = String::new();
//!     stream.read_to_string(&mut answer)?;
//!     std::io::Result::Ok(answer)
//! })?;
//! assert_eq!(answer, "hello");
//! # std::io::Result::Ok(())
//! ```
//!
//! # What differs from std
//!
//! - A call that a time limit ends answers `TimedOut` (std: `WouldBlock`), and waits can be alerted, cancelled and aborted:
//!   see [`io`](crate::io).
//! - Clones share the descriptor: closing it needs all of them to go.
//! - The descriptors are in non-blocking mode, and so are others that share their open file.
//! - Names are looked up by the system's resolver, which blocks the worker. Addresses cost nothing.
#![forbid(unsafe_code)]

mod stream;
mod tcp;
mod unix;

pub use tcp::{TcpIncoming, TcpListener, TcpStream};
pub use unix::{UnixIncoming, UnixListener, UnixStream};
