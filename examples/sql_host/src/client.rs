//! A small client of the simple protocol, for the load and for tests.
#![forbid(unsafe_code)]

use std::io::{self, Read, Write};

use bytes::BytesMut;
use pgwire::messages::cancel::CancelRequest;
use pgwire::messages::simplequery::Query;
use pgwire::messages::startup::{SecretKey, Startup};
use pgwire::messages::{DecodeContext, Message, PgWireBackendMessage, ProtocolVersion};

const CHUNK: usize = 4096;

/// A connection that was greeted.
#[derive(Debug)]
pub struct Client<S> {
    stream: S,
    arrived: BytesMut,
    context: DecodeContext,
    key: (i32, i32),
}

/// What a text of statements was answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The values of all rows, as text.
    pub rows: Vec<Vec<Option<String>>>,
    /// A tag for each statement that succeeded.
    pub tags: Vec<String>,
    /// The SQLSTATE and the message of the one that failed.
    pub error: Option<(String, String)>,
    /// What was said besides.
    pub notices: Vec<String>,
}

impl<S: Read + Write> Client<S> {
    /// Says hello.
    ///
    /// # Errors
    /// If the server does not greet.
    pub fn greet(stream: S) -> io::Result<Client<S>> {
        let mut context = DecodeContext::new(ProtocolVersion::PROTOCOL3_0);
        context.awaiting_frontend_ssl = false;
        context.awaiting_frontend_startup = false;
        let mut client = Client {
            stream,
            arrived: BytesMut::new(),
            context,
            key: (0, 0),
        };
        let mut startup = Startup::default();
        startup.protocol_number_minor = 0;
        startup
            .parameters
            .insert("user".to_owned(), "sql".to_owned());
        client.say(&startup)?;
        match client.answer()?.error {
            None => Ok(client),
            Some((code, message)) => Err(io::Error::other(format!("{message} ({code})"))),
        }
    }

    /// Asks, and waits for the whole answer.
    ///
    /// # Errors
    /// If the connection breaks, or the answer makes no sense.
    pub fn query(&mut self, sql: &str) -> io::Result<Answer> {
        self.say(&Query::new(sql.to_owned()))?;
        self.answer()
    }

    /// Sends a message.
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn say(&mut self, message: &impl Message) -> io::Result<()> {
        let mut bytes = BytesMut::new();
        message.encode(&mut bytes)?;
        self.stream.write_all(&bytes)
    }

    /// The number of its session, and the secret that a cancel request must know.
    pub fn key(&self) -> (i32, i32) {
        self.key
    }

    /// The connection.
    pub fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Everything up to the mark that the server waits for the next statement.
    ///
    /// # Errors
    /// If the connection breaks, or the answer makes no sense.
    pub fn answer(&mut self) -> io::Result<Answer> {
        use PgWireBackendMessage as M;
        let mut answer = Answer::default();
        loop {
            match self.message()? {
                M::DataRow(row) => answer.rows.push(values(&row.data)?),
                M::CommandComplete(done) => answer.tags.push(done.tag),
                M::NoticeResponse(notice) => answer.notices.push(field(&notice.fields, b'M')),
                M::BackendKeyData(key) => {
                    if let SecretKey::I32(secret) = key.secret_key {
                        self.key = (key.pid, secret);
                    }
                }
                M::ErrorResponse(error) => {
                    let field = |wanted: u8| field(&error.fields, wanted);
                    answer.error = Some((field(b'C'), field(b'M')));
                    if field(b'S') == "FATAL" {
                        return Ok(answer);
                    }
                }
                M::ReadyForQuery(_) => return Ok(answer),
                _ => {}
            }
        }
    }

    fn message(&mut self) -> io::Result<PgWireBackendMessage> {
        loop {
            if let Some(message) = PgWireBackendMessage::decode(&mut self.arrived, &self.context)? {
                return Ok(message);
            }
            let before = self.arrived.len();
            self.arrived.resize(before + CHUNK, 0);
            let read = self.stream.read(&mut self.arrived[before..]);
            self.arrived.truncate(before + *read.as_ref().unwrap_or(&0));
            if read? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// Asks, on a connection of its own, that the statement of the session of this key is cancelled.
///
/// # Errors
/// If the connection breaks.
pub fn cancel(mut stream: impl Write, (id, secret): (i32, i32)) -> io::Result<()> {
    let mut bytes = BytesMut::new();
    CancelRequest::new(id, SecretKey::I32(secret)).encode(&mut bytes)?;
    stream.write_all(&bytes)
}

fn field(fields: &[(u8, String)], wanted: u8) -> String {
    let found = fields.iter().find(|(kind, _)| *kind == wanted);
    found.map(|(_, text)| text.clone()).unwrap_or_default()
}

fn values(mut row: &[u8]) -> io::Result<Vec<Option<String>>> {
    let mut values = Vec::new();
    while let Some((length, rest)) = row.split_first_chunk::<4>() {
        // -1 is null.
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
            values.push(None);
            row = rest;
            continue;
        };
        let (value, rest) = rest
            .split_at_checked(length)
            .ok_or_else(|| io::Error::other("a row that is too short"))?;
        values.push(Some(String::from_utf8_lossy(value).into_owned()));
        row = rest;
    }
    Ok(values)
}
