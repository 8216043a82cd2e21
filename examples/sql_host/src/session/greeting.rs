//! The beginning of a session: encryption is declined, a cancel request carried out, a client greeted.
#![forbid(unsafe_code)]

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::Arc;

use bytes::{Buf, BytesMut};
use pgwire::messages::cancel::CancelRequest;
use pgwire::messages::response::TransactionStatus;
use pgwire::messages::startup::{
    Authentication, BackendKeyData, GssEncRequest, NegotiateProtocolVersion, ParameterStatus,
    SecretKey, SslRequest, Startup,
};
use pgwire::messages::{DecodeContext, Message, ProtocolVersion};

use super::{Shared, Transport};
use crate::error::SqlError;
use crate::executor::Executor;
use crate::layout;
use crate::registry::Entry;
use crate::settings;
use crate::wire;

/// The longest first message.
const FIRST_MAX: usize = 10_000;

/// A client that was greeted.
pub(super) struct Hello {
    pub(super) version: ProtocolVersion,
    pub(super) entry: Arc<Entry>,
}

/// None if there is to be no session.
pub(super) fn greet<E: Executor, T: Transport>(
    shared: &Shared<E>,
    transport: &Arc<T>,
    arrived: &mut BytesMut,
) -> io::Result<Option<Hello>> {
    loop {
        let Some(length) = first(&**transport, arrived)? else {
            return Ok(None);
        };
        if SslRequest::is_ssl_request_packet(arrived)
            || GssEncRequest::is_gss_enc_request_packet(arrived)
        {
            arrived.advance(length);
            transport.send(b"N")?;
            continue;
        }
        let mut message = arrived.split_to(length);
        let context = DecodeContext::new(ProtocolVersion::PROTOCOL3_0);
        if CancelRequest::is_cancel_request_packet(&message) {
            if let Ok(Some(request)) = CancelRequest::decode(&mut message, &context)
                && let SecretKey::I32(secret) = request.secret_key
                && shared.registry.cancel(request.pid, secret)
            {
                shared.engine.turn.poke();
            }
            return Ok(None);
        }
        let major = u16::from_be_bytes([message[4], message[5]]);
        if major != 3 {
            let text = format!("unsupported frontend protocol {major}: server supports 3");
            return refuse(&**transport, &SqlError::unsupported(text));
        }
        let startup = if layout::fits_startup(&message[8..]) {
            Startup::decode(&mut message, &context)
        } else {
            Ok(None)
        };
        return match startup {
            Ok(Some(startup)) => welcome(shared, transport, &startup),
            _ => refuse(&**transport, &SqlError::protocol("invalid startup packet")),
        };
    }
}

/// Waits for a whole first message. None if the client has gone, or sends what is none.
fn first<T: Transport>(transport: &T, arrived: &mut BytesMut) -> io::Result<Option<usize>> {
    loop {
        if let Some(head) = arrived.first_chunk::<4>() {
            let length = usize::try_from(i32::from_be_bytes(*head)).unwrap_or(0);
            if !(8..=FIRST_MAX).contains(&length) {
                let error = SqlError::protocol("invalid length of startup packet");
                refuse(transport, &error)?;
                return Ok(None);
            }
            if arrived.len() >= length {
                return Ok(Some(length));
            }
        }
        if transport.receive(arrived)? == 0 {
            return Ok(None);
        }
    }
}

fn refuse<T: Transport>(transport: &T, error: &SqlError) -> io::Result<Option<Hello>> {
    let mut out = BytesMut::new();
    wire::put_error(&mut out, error, true);
    transport.send(&out)?;
    Ok(None)
}

fn welcome<E: Executor, T: Transport>(
    shared: &Shared<E>,
    transport: &Arc<T>,
    startup: &Startup,
) -> io::Result<Option<Hello>> {
    if !startup.parameters.contains_key("user") {
        let error = SqlError::new(
            "28000",
            "no PostgreSQL user name specified in startup packet",
        );
        return refuse(&**transport, &error);
    }
    let mut out = BytesMut::new();
    let unknown: Vec<String> = startup
        .parameters
        .keys()
        .filter(|name| name.starts_with("_pq_."))
        .cloned()
        .collect();
    if startup.protocol_number_minor > 0 || !unknown.is_empty() {
        wire::put(&mut out, &NegotiateProtocolVersion::new(0, unknown));
    }
    wire::put(&mut out, &Authentication::Ok);
    for (name, value) in settings::TOLD {
        wire::put(
            &mut out,
            &ParameterStatus::new(name.to_owned(), value.to_owned()),
        );
    }
    let hang_up = Arc::clone(transport);
    let entry = shared.registry.add(secret(), move || hang_up.hang_up());
    let key = BackendKeyData::new(entry.id, SecretKey::I32(entry.secret));
    wire::put(&mut out, &key);
    wire::put_ready(&mut out, TransactionStatus::Idle);
    if let Err(error) = transport.send(&out) {
        shared.registry.remove(entry.id);
        return Err(error);
    }
    let version = ProtocolVersion::PROTOCOL3_0;
    Ok(Some(Hello { version, entry }))
}

/// A number that others cannot guess: the keys of std's hash tables are random.
fn secret() -> i32 {
    let hash = RandomState::new().hash_one(std::time::Instant::now());
    // The lower half of it.
    hash as i32
}
