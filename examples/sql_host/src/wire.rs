//! The protocol's bytes: messages cut out of what arrives, and appended to what is sent. It neither reads nor writes sockets.
//!
//! A message whose length is right and whose inside is not costs an error, and the session goes on behind it. So does one that
//! is longer than [`MESSAGE_MAX`]: its bytes are thrown away as they come. Only a length that cannot be true ends the session,
//! because nobody knows where the next message begins.
#![forbid(unsafe_code)]

use bytes::{Buf, BufMut, BytesMut};
use pgwire::messages::response::{ErrorResponse, ReadyForQuery};
use pgwire::messages::{DecodeContext, Message, PgWireFrontendMessage, ProtocolVersion};

use crate::error::SqlError;
use crate::layout;

/// The longest message that is taken.
pub const MESSAGE_MAX: usize = 16 * 1024 * 1024;
/// The longest text of an error.
const TEXT_MAX: usize = 8 * 1024;

/// What was cut out of the bytes that have arrived.
#[derive(Debug)]
pub enum Incoming {
    /// A message.
    Message(PgWireFrontendMessage),
    /// A message that is wrong; the next one follows.
    Wrong(u8, SqlError),
    /// What follows cannot be understood.
    Fatal(SqlError),
    /// Nothing whole yet.
    Nothing,
}

/// Cuts messages, after the start of a session.
#[derive(Debug)]
pub struct Cutter {
    context: DecodeContext,
    /// Bytes of an over-long message that are still to come.
    skip: usize,
}

impl Cutter {
    /// For this version of the protocol.
    pub fn new(version: ProtocolVersion) -> Cutter {
        let mut context = DecodeContext::new(version);
        context.awaiting_frontend_ssl = false;
        context.awaiting_frontend_startup = false;
        Cutter { context, skip: 0 }
    }

    /// The next message.
    pub fn next(&mut self, arrived: &mut BytesMut) -> Incoming {
        let skipped = self.skip.min(arrived.len());
        arrived.advance(skipped);
        self.skip -= skipped;
        if self.skip > 0 || arrived.len() < 5 {
            return Incoming::Nothing;
        }
        let kind = arrived[0];
        let length = i32::from_be_bytes([arrived[1], arrived[2], arrived[3], arrived[4]]);
        let Some(length) = usize::try_from(length).ok().filter(|length| *length >= 4) else {
            return Incoming::Fatal(SqlError::protocol("invalid message length"));
        };
        if length > MESSAGE_MAX {
            self.skip = length + 1;
            let message = format!("a message of {length} bytes is too long");
            return Incoming::Wrong(kind, SqlError::new("54000", message));
        }
        if arrived.len() < length + 1 {
            arrived.reserve(length + 1 - arrived.len());
            return Incoming::Nothing;
        }
        let mut message = arrived.split_to(length + 1);
        if !layout::fits(kind, &message[5..]) {
            return Incoming::Wrong(kind, SqlError::protocol("invalid message format"));
        }
        match PgWireFrontendMessage::decode(&mut message, &self.context) {
            Ok(Some(decoded)) if message.is_empty() => Incoming::Message(decoded),
            Ok(_) => Incoming::Wrong(kind, SqlError::protocol("invalid message format")),
            Err(pgwire::error::PgWireError::InvalidMessageType(kind)) => Incoming::Fatal(
                SqlError::protocol(format!("invalid frontend message type {kind}")),
            ),
            Err(error) => Incoming::Wrong(kind, SqlError::protocol(error.to_string())),
        }
    }
}

/// Appends a message.
pub fn put(out: &mut BytesMut, message: &impl Message) {
    // Only a message that is too long is refused, and those that can be long are cut or made elsewhere.
    message
        .encode(out)
        .expect("the server's messages have their size");
}

/// Appends an error; `FATAL` if the session ends with it.
pub fn put_error(out: &mut BytesMut, error: &SqlError, fatal: bool) {
    let severity = if fatal { "FATAL" } else { "ERROR" };
    let mut message = error.message.replace('\0', "");
    if message.len() > TEXT_MAX {
        let end = (0..=TEXT_MAX)
            .rev()
            .find(|at| message.is_char_boundary(*at));
        message.truncate(end.unwrap_or(0));
    }
    let mut fields = vec![
        (b'S', severity.to_owned()),
        (b'V', severity.to_owned()),
        (b'C', error.code.to_owned()),
        (b'M', message),
    ];
    if let Some(position) = error.position {
        fields.push((b'P', position.to_string()));
    }
    put(out, &ErrorResponse::new(fields));
}

/// Appends the mark that the next statement may come.
pub fn put_ready(out: &mut BytesMut, status: pgwire::messages::response::TransactionStatus) {
    put(out, &ReadyForQuery::new(status));
}

/// Appends a row whose values `fill` appends.
pub fn put_row<R>(out: &mut BytesMut, columns: usize, fill: impl FnOnce(&mut BytesMut) -> R) -> R {
    let start = out.len();
    out.put_u8(b'D');
    out.put_i32(0);
    out.put_u16(u16::try_from(columns).expect("SQLite has at most 32767 columns"));
    let result = fill(out);
    let length = u32::try_from(out.len() - start - 1).expect("a row is below 4 GB");
    out[start + 1..start + 5].copy_from_slice(&length.to_be_bytes());
    result
}
