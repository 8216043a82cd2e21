//! Threads that answer an operator: one that accepts, and one for each connection. None of them is the scheduler's, and
//! nothing of the scheduler waits for them but its end.
//!
//! The end, by whoever shuts the scheduler down:
//!
//! 1. The name goes, so nobody comes any more.
//! 2. `ending` is set, and the listening socket is shut down: the accepting thread returns from its call, or finds it shut
//!    when it makes the next.
//! 3. That thread alone adds connections. So now it knows them all, shuts them down, and waits for their threads: those
//!    find their call ended in the same way.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle, Scope};
use std::time::{Duration, Instant};

use fiberhost_scheduler::Observed;
use parking_lot::Mutex;

use super::looks::Looks;
use super::request::Request;
use super::socket::{self, SocketFile};
use crate::views::{ColumnKind, Mark, TABLES, Table, UnknownTable, json_text};

/// Connections at once.
const CLIENTS: usize = 8;
/// Bytes of a request.
const REQUEST: usize = 4096;
/// How long a reader may take for one answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a connection may ask for nothing.
const IDLE: Duration = Duration::from_secs(60);
/// Bytes that are written between two looks at the time.
const PIECE: usize = 64 * 1024;
/// A look makes vectors, and little on the stack.
const STACK: usize = 256 * 1024;

/// Answers at a socket until it is dropped.
pub(super) struct Server {
    shared: Arc<Shared>,
    /// The listening socket: what shuts it down is a method of streams.
    listening: UnixStream,
    file: Option<SocketFile>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(super) fn start(path: &Path, observed: Observed) -> io::Result<Server> {
        let (listener, file) = socket::bind(path)?;
        let listening = UnixStream::from(OwnedFd::from(listener.try_clone()?));
        let name = format!("{}-observe", observed.name());
        let shared = Arc::new(Shared {
            looks: Looks::new(observed),
            ending: AtomicBool::new(false),
            clients: Mutex::new(HashMap::new()),
            lost: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        });
        let its = Arc::clone(&shared);
        let thread = thread::Builder::new().name(name).stack_size(STACK);
        let thread = thread.spawn(move || its.accept(&listener))?;
        Ok(Server {
            shared,
            listening,
            file: Some(file),
            thread: Some(thread),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.file = None;
        // Release: pairs with the Acquire after each accept.
        self.shared.ending.store(true, Ordering::Release);
        let _ = self.listening.shutdown(Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            // It catches what panics on its own threads.
            let _ = thread.join();
        }
    }
}

struct Shared {
    looks: Looks,
    ending: AtomicBool,
    /// The connections, by their numbers.
    clients: Mutex<HashMap<u64, UnixStream>>,
    /// Answers that did not reach their reader whole.
    lost: AtomicU64,
    /// Connections for which there was no room.
    refused: AtomicU64,
}

impl Shared {
    fn accept(&self, listener: &UnixListener) {
        thread::scope(|scope| {
            for number in 0.. {
                let accepted = listener.accept();
                if self.ending.load(Ordering::Acquire) {
                    break;
                }
                match accepted {
                    Ok((stream, _)) => self.admit(scope, number, stream),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => {
                        // No descriptor is left, most likely: it may be better soon.
                        tracing::warn!(%error, "an observer cannot connect");
                        thread::sleep(Duration::from_millis(100));
                    }
                }
            }
            for client in self.clients.lock().values() {
                let _ = client.shutdown(Shutdown::Both);
            }
        });
    }

    fn admit<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        number: u64,
        stream: UnixStream,
    ) {
        let second = stream.try_clone();
        let has_room = self.clients.lock().len() < CLIENTS;
        let result = second.and_then(|second| {
            if !has_room {
                let text = format!("there are {CLIENTS} connections already");
                return Err(io::Error::other(text));
            }
            let its = stream.try_clone()?;
            self.clients.lock().insert(number, second);
            let talk = move || {
                let talked = catch_unwind(AssertUnwindSafe(|| self.talk(&its)));
                self.clients.lock().remove(&number);
                if talked.is_err() {
                    self.lost.fetch_add(1, Ordering::Relaxed);
                }
                let _ = its.shutdown(Shutdown::Both);
            };
            let name = format!("{}-observe-{number}", self.looks.name());
            let thread = thread::Builder::new().name(name).stack_size(STACK);
            let spawned = thread.spawn_scoped(scope, talk);
            spawned.map(drop).inspect_err(|_| {
                self.clients.lock().remove(&number);
            })
        });
        if let Err(error) = result {
            self.refused.fetch_add(1, Ordering::Relaxed);
            // It is new, so there is room for a line without waiting.
            let _ = stream.set_nonblocking(true);
            let _ = (&stream).write_all(error_line(&error.to_string()).as_bytes());
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Answers until the other side has enough; an error means that it is not there, or too slow.
    fn talk(&self, stream: &UnixStream) -> io::Result<()> {
        stream.set_read_timeout(Some(IDLE))?;
        let mut reader = BufReader::with_capacity(REQUEST, stream);
        let mut line = Vec::new();
        let mut mark = None;
        loop {
            line.clear();
            let mut limited = (&mut reader).take(REQUEST as u64 + 1);
            match limited.read_until(b'\n', &mut line) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let text = format!("nothing was asked for {} s", IDLE.as_secs());
                    return self.send(stream, &error_line(&text));
                }
                Err(error) => return Err(error),
            }
            if line.len() > REQUEST {
                let text = format!("a request has at most {REQUEST} bytes");
                return self.send(stream, &error_line(&text));
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            let request = Request::read(&line);
            let answer = request.and_then(|request| self.answer(&request, &mut mark));
            self.send(stream, &answer.unwrap_or_else(|error| error_line(&error)))?;
        }
    }

    /// `mark`: what the connection counts from, if it was asked to.
    fn answer(&self, request: &Request, mark: &mut Option<Mark>) -> Result<String, String> {
        let began = Instant::now();
        let mut counted_for = None;
        let mut text = match request {
            Request::Tables => TABLES.iter().map(described).collect(),
            Request::Mark => {
                *mark = Some(self.looks.take().mark());
                String::new()
            }
            Request::Rows {
                table,
                columns,
                since_mark,
            } => {
                let (table, picked) = find(table, columns.as_deref())?;
                let mark = mark.as_ref().filter(|_| *since_mark);
                if *since_mark && mark.is_none() {
                    return Err("nothing was marked on this connection".to_owned());
                }
                let mut views = self.looks.take();
                if let Some(mark) = mark {
                    views = Arc::new(views.since(mark));
                }
                counted_for = Some(views.counted_for());
                views
                    .json_picked(table.name, &picked)
                    .map_err(|error| error.to_string())?
            }
        };
        // A newline inside a text is escaped, so each line is a row.
        let rows = text.lines().count();
        let took = began.elapsed().as_secs_f64() * 1e3;
        let lost = self.lost.load(Ordering::Relaxed);
        let refused = self.refused.load(Ordering::Relaxed);
        let _ = write!(
            text,
            "{{\"end\":true,\"rows\":{rows},\"took_ms\":{took:.3},\"answers_lost\":{lost},\"refused\":{refused}"
        );
        if let Some(time) = counted_for {
            let _ = write!(text, ",\"counted_for_ms\":{:.3}", time.as_secs_f64() * 1e3);
        }
        text.push_str("}\n");
        Ok(text)
    }

    fn send(&self, stream: &UnixStream, text: &str) -> io::Result<()> {
        let sent = write_within(stream, text.as_bytes(), PATIENCE);
        if let Err(error) = &sent {
            self.lost.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(%error, "an observer has not taken its answer");
        }
        sent
    }
}

/// Writes all of it, unless that takes too long.
fn write_within(mut stream: &UnixStream, text: &[u8], limit: Duration) -> io::Result<()> {
    let until = Instant::now() + limit;
    let mut rest = text;
    while !rest.is_empty() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        stream.set_write_timeout(Some(left.max(Duration::from_millis(1))))?;
        match stream.write(&rest[..rest.len().min(PIECE)]) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => rest = &rest[count..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A table by its name, and where the columns stand that are asked for.
fn find(name: &str, columns: Option<&[String]>) -> Result<(&'static Table, Vec<usize>), String> {
    let table = TABLES.iter().find(|table| table.name == name);
    let table = table.ok_or_else(|| UnknownTable::new(name).to_string())?;
    let place = |name: &String| {
        let mut all = table.columns.iter();
        all.position(|column| column.name == name).ok_or_else(|| {
            let names: Vec<_> = table.columns.iter().map(|column| column.name).collect();
            let names = names.join(", ");
            format!(
                "no column {name:?} in the table {:?}; there are {names}",
                table.name
            )
        })
    };
    let picked = match columns {
        Some(names) => {
            if let Some(twice) = (1..names.len()).find(|&at| names[..at].contains(&names[at])) {
                return Err(format!("the column {:?} comes twice", names[twice]));
            }
            names.iter().map(place).collect::<Result<_, _>>()?
        }
        None => (0..table.columns.len()).collect(),
    };
    Ok((table, picked))
}

fn described(table: &Table) -> String {
    let mut text = String::from("{\"table\":");
    json_text(table.name, &mut text);
    text.push_str(",\"meaning\":");
    json_text(table.meaning, &mut text);
    text.push_str(",\"columns\":[");
    for (index, column) in table.columns.iter().enumerate() {
        text.push_str(if index == 0 { "" } else { "," });
        text.push_str("{\"name\":");
        json_text(column.name, &mut text);
        text.push_str(",\"kind\":");
        let kind = match column.kind {
            ColumnKind::Key => "key",
            ColumnKind::Gauge => "gauge",
            ColumnKind::Counter => "counter",
            ColumnKind::Fact => "fact",
        };
        json_text(kind, &mut text);
        text.push_str(",\"meaning\":");
        json_text(column.meaning, &mut text);
        text.push('}');
    }
    text.push_str("]}\n");
    text
}

fn error_line(message: &str) -> String {
    let mut text = String::from("{\"error\":");
    json_text(message, &mut text);
    text.push_str("}\n");
    text
}
