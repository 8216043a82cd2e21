//! The beginning of a session: encryption is declined, a cancel request carried out, a client greeted.
#![forbid(unsafe_code)]

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use bytes::BufMut;
use pgwire::messages::cancel::CancelRequest;
use pgwire::messages::response::TransactionStatus;
use pgwire::messages::startup::{
    Authentication, BackendKeyData, GssEncRequest, NegotiateProtocolVersion, ParameterStatus,
    SecretKey, SslRequest, Startup,
};
use pgwire::messages::{DecodeContext, Message, ProtocolVersion};

use super::Transport;
use super::connection::Greeting;
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

/// What came of the bytes that have arrived.
pub(super) enum Greeted {
    /// They are not a whole message.
    Unfinished,
    /// They were answered, and another first message comes.
    Answered,
    /// There is to be no session; perhaps a reason is said.
    Refused,
    /// The client is greeted.
    Welcome(Hello),
}

pub(super) fn greet<E: Executor, T: Transport>(greeting: &mut Greeting<E, T>) -> Greeted {
    let Some(head) = greeting.arrived.first_chunk::<4>() else {
        return Greeted::Unfinished;
    };
    let length = usize::try_from(i32::from_be_bytes(*head)).unwrap_or(0);
    if !(8..=FIRST_MAX).contains(&length) {
        let error = SqlError::protocol("invalid length of startup packet");
        return refuse(greeting, &error);
    }
    if greeting.arrived.len() < length {
        return Greeted::Unfinished;
    }
    let mut message = greeting.arrived.split_to(length);
    if SslRequest::is_ssl_request_packet(&message)
        || GssEncRequest::is_gss_enc_request_packet(&message)
    {
        greeting.out.put_u8(b'N');
        return Greeted::Answered;
    }
    let context = DecodeContext::new(ProtocolVersion::PROTOCOL3_0);
    if CancelRequest::is_cancel_request_packet(&message) {
        if let Ok(Some(request)) = CancelRequest::decode(&mut message, &context)
            && let SecretKey::I32(secret) = request.secret_key
            && greeting.shared.registry.cancel(request.pid, secret)
        {
            greeting.shared.engine.turn.poke();
        }
        return Greeted::Refused;
    }
    let major = u16::from_be_bytes([message[4], message[5]]);
    if major != 3 {
        let text = format!("unsupported frontend protocol {major}: server supports 3");
        return refuse(greeting, &SqlError::unsupported(text));
    }
    let startup = if layout::fits_startup(&message[8..]) {
        Startup::decode(&mut message, &context)
    } else {
        Ok(None)
    };
    match startup {
        Ok(Some(startup)) => welcome(greeting, &startup),
        _ => refuse(greeting, &SqlError::protocol("invalid startup packet")),
    }
}

fn refuse<E, T>(greeting: &mut Greeting<E, T>, error: &SqlError) -> Greeted {
    wire::put_error(&mut greeting.out, error, true);
    Greeted::Refused
}

fn welcome<E: Executor, T: Transport>(greeting: &mut Greeting<E, T>, startup: &Startup) -> Greeted {
    if !startup.parameters.contains_key("user") {
        let error = SqlError::new(
            "28000",
            "no PostgreSQL user name specified in startup packet",
        );
        return refuse(greeting, &error);
    }
    let out = &mut greeting.out;
    let unknown: Vec<String> = startup
        .parameters
        .keys()
        .filter(|name| name.starts_with("_pq_."))
        .cloned()
        .collect();
    if startup.protocol_number_minor > 0 || !unknown.is_empty() {
        wire::put(out, &NegotiateProtocolVersion::new(0, unknown));
    }
    wire::put(out, &Authentication::Ok);
    for (name, value) in settings::TOLD {
        wire::put(
            out,
            &ParameterStatus::new(name.to_owned(), value.to_owned()),
        );
    }
    let transport = Arc::clone(&greeting.transport);
    let hang_up = move |what| transport.hang_up(what);
    let shared = &greeting.shared;
    let task = shared.executor.task();
    let entry = shared.registry.add(secret(), task, hang_up);
    let transport = Arc::clone(&greeting.transport);
    entry.control.watch(move || transport.is_gone());
    let key = BackendKeyData::new(entry.id, SecretKey::I32(entry.secret));
    wire::put(out, &key);
    wire::put_ready(out, TransactionStatus::Idle);
    let version = ProtocolVersion::PROTOCOL3_0;
    Greeted::Welcome(Hello { version, entry })
}

/// A number that others cannot guess: the keys of std's hash tables are random.
fn secret() -> i32 {
    let hash = RandomState::new().hash_one(std::time::Instant::now());
    // The lower half of it.
    hash as i32
}
