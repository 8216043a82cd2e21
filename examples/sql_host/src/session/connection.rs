//! A connection, for whoever has its socket: what has arrived goes in, what is to be sent comes out, and no call in between
//! waits for the client to speak. So the same session is driven by a task, by a thread, or from a future.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use bytes::BytesMut;

use super::greeting::{self, Greeted};
use super::{Session, Shared};
use crate::control::Waits;
use crate::executor::Executor;
use crate::registry::HangUp;
use crate::settings::Settings;
use crate::wire::{self, Cutter};

/// What a session can do to its connection.
pub trait Transport: Send + Sync + 'static {
    /// Sends it all, and waits for that. Only for long results: the end of each is left to whoever drives the connection.
    ///
    /// # Errors
    /// If the connection is broken.
    fn send(&self, bytes: &[u8]) -> io::Result<()>;

    /// Ends this much of it: waits for that end.
    fn hang_up(&self, what: HangUp);

    /// Whether the client has gone, as far as that can be known without waiting.
    fn is_gone(&self) -> bool {
        false
    }
}

/// Where bytes come from, for [`serve`].
pub trait Receive: Transport {
    /// Waits until something has arrived and appends it. 0 is the end.
    ///
    /// # Errors
    /// If the connection is broken.
    fn receive(&self, arrived: &mut BytesMut) -> io::Result<usize>;
}

/// What a connection needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// More bytes: they are appended to [`arrived`](Connection::arrived).
    Receive,
    /// [`said`](Connection::said) is to reach the client.
    Send,
    /// That, and then it is over.
    End,
}

/// See the module docs. Dropping it ends its session: what is open is undone by native code.
pub struct Connection<E: Executor, T: Transport>(Stage<E, T>);

enum Stage<E: Executor, T: Transport> {
    Greeting(Greeting<E, T>),
    Session(Box<Session<E, T>>),
}

pub(super) struct Greeting<E, T> {
    pub(super) shared: Arc<Shared<E>>,
    pub(super) transport: Arc<T>,
    pub(super) arrived: BytesMut,
    pub(super) out: BytesMut,
}

impl<E: Executor, T: Transport> Connection<E, T> {
    /// One on which nothing was said yet.
    pub fn new(shared: Arc<Shared<E>>, transport: Arc<T>) -> Connection<E, T> {
        Connection(Stage::Greeting(Greeting {
            shared,
            transport,
            arrived: BytesMut::new(),
            out: BytesMut::new(),
        }))
    }

    /// Where bytes from the client go.
    pub fn arrived(&mut self) -> &mut BytesMut {
        match &mut self.0 {
            Stage::Greeting(greeting) => &mut greeting.arrived,
            Stage::Session(session) => &mut session.arrived,
        }
    }

    /// What is to be sent.
    pub fn said(&self) -> &[u8] {
        match &self.0 {
            Stage::Greeting(greeting) => &greeting.out,
            Stage::Session(session) => &session.out,
        }
    }

    /// It was sent.
    pub fn sent(&mut self) {
        match &mut self.0 {
            Stage::Greeting(greeting) => greeting.out.clear(),
            Stage::Session(session) => session.sent(),
        }
    }

    /// Does what was asked, with all that has arrived. Statements run here, in native code.
    pub fn advance(&mut self) -> Step {
        let greeting = match &mut self.0 {
            Stage::Session(session) => {
                // Whoever drives it may have another stack each time.
                session.entry.control.note_stack();
                return session.advance();
            }
            Stage::Greeting(greeting) => greeting,
        };
        match greeting::greet(greeting) {
            Greeted::Unfinished => Step::Receive,
            Greeted::Answered => Step::Send,
            Greeted::Refused => Step::End,
            Greeted::Welcome(hello) => {
                let mut session = Session {
                    shared: Arc::clone(&greeting.shared),
                    transport: Arc::clone(&greeting.transport),
                    cutter: Cutter::new(hello.version),
                    entry: hello.entry,
                    settings: Settings::default(),
                    arrived: std::mem::take(&mut greeting.arrived),
                    out: std::mem::take(&mut greeting.out),
                    link: None,
                    has_turn: false,
                    failed: false,
                    in_procedure: false,
                    defined: Vec::new(),
                    passing_over: false,
                    statements: HashMap::new(),
                    portals: HashMap::new(),
                };
                let begun = session.shared.executor.begin(&session.entry);
                if let Err(error) = &begun {
                    wire::put_error(&mut session.out, error, true);
                }
                self.0 = Stage::Session(Box::new(session));
                if begun.is_ok() { Step::Send } else { Step::End }
            }
        }
    }

    /// Nothing more will arrive. What it says to that is in [`said`](Connection::said).
    pub fn hung_up(&mut self) {
        if let Stage::Session(session) = &mut self.0 {
            session.hung_up();
        }
    }

    /// Sends what was said, so that others see that the session waits for its client.
    ///
    /// # Errors
    /// What the sending ends with.
    fn sending(&mut self, send: impl Fn(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let sent = match &self.0 {
            Stage::Greeting(greeting) => send(&greeting.out),
            Stage::Session(session) => {
                let control = &session.entry.control;
                let sent = control.waiting(Waits::Client, || send(&session.out));
                // It was killed before: the client is still told, if it takes that soon.
                sent.unwrap_or_else(|_| send(&session.out))
            }
        };
        self.sent();
        sent
    }
}

/// Drives a connection to its end, as code that may wait.
///
/// # Errors
/// If the connection breaks.
pub fn serve<E: Executor, T: Receive>(shared: Arc<Shared<E>>, transport: Arc<T>) -> io::Result<()> {
    let mut connection = Connection::new(shared, Arc::clone(&transport));
    loop {
        let step = connection.advance();
        if step == Step::Receive {
            if transport.receive(connection.arrived())? > 0 {
                continue;
            }
            connection.hung_up();
        }
        connection.sending(|bytes| transport.send(bytes))?;
        if step != Step::Send {
            return Ok(());
        }
    }
}
