//! What is wrong gets an error with the right SQLSTATE, and the session goes on: whatever bytes come, by chance and by design.
//!
//! The sessions here have no socket and no task: their bytes come from dice, and what they say is read as a client reads it.
//! `BAD_INPUT_SEED` repeats the dice of a run that failed.
#![forbid(unsafe_code)]

mod common;

use std::io;
use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use common::Database;
use common::dice::Dice;
use pgwire::messages::simplequery::Query;
use pgwire::messages::startup::Startup;
use pgwire::messages::{DecodeContext, Message, PgWireBackendMessage, ProtocolVersion};
use sql_host::engine::Engine;
use sql_host::error::SqlError;
use sql_host::executor::{Executor, Native};
use sql_host::registry::{HangUp, Registry};
use sql_host::runtime::Runtime;
use sql_host::session::{Connection, Shared, Step, Transport};
use sql_host::wasm::Wasm;

/// Runs everything where it is.
struct Here;

impl Executor for Here {
    fn native<R>(&self, _target: Native, call: impl FnOnce() -> R) -> Result<R, SqlError> {
        Ok(call())
    }
}

/// A client that keeps what it gets of long results.
#[derive(Default)]
struct Listener(parking_lot::Mutex<BytesMut>);

impl Transport for Listener {
    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        self.0.lock().extend_from_slice(bytes);
        Ok(())
    }

    fn hang_up(&self, _what: HangUp) {}
}

/// A server without sockets.
struct Bench {
    shared: Arc<Shared<Here>>,
    _database: Database,
}

impl Bench {
    fn new() -> Bench {
        let database = Database::new();
        let wasm = Wasm::new().expect("a runtime");
        wasm.attach(None);
        let engine = Engine::new(database.path().to_owned(), Arc::new(wasm));
        engine.prepare().expect("it opens");
        let shared = Arc::new(Shared {
            executor: Arc::new(Here),
            engine: Arc::new(engine),
            registry: Arc::new(Registry::default()),
        });
        Bench {
            shared,
            _database: database,
        }
    }

    /// A session that was greeted.
    fn session(&self) -> Spoken {
        let mut spoken = self.connection();
        let mut startup = Startup::default();
        startup.protocol_number_minor = 0;
        startup
            .parameters
            .insert("user".to_owned(), "sql".to_owned());
        let mut bytes = BytesMut::new();
        startup.encode(&mut bytes).expect("it is short");
        assert!(spoken.hear(&bytes), "it is greeted");
        spoken.answers();
        spoken
    }

    fn connection(&self) -> Spoken {
        let listener = Arc::new(Listener::default());
        Spoken {
            connection: Connection::new(Arc::clone(&self.shared), Arc::clone(&listener)),
            listener,
            writes: 0,
        }
    }
}

/// A connection, and what was said on it.
struct Spoken {
    connection: Connection<Here, Listener>,
    listener: Arc<Listener>,
    writes: usize,
}

/// What a client makes of what it gets.
#[derive(Debug, Default)]
struct Answers {
    rows: Vec<Vec<u8>>,
    /// SQLSTATEs.
    errors: Vec<String>,
    is_fatal: bool,
    /// How often it was said that the next statement may come.
    ready: usize,
}

impl Spoken {
    /// Whether the connection goes on.
    fn hear(&mut self, bytes: &[u8]) -> bool {
        self.connection.arrived().extend_from_slice(bytes);
        loop {
            let step = self.connection.advance();
            if step == Step::Receive {
                return true;
            }
            let said = self.connection.said().to_vec();
            self.writes += 1;
            self.listener.send(&said).expect("it listens");
            self.connection.sent();
            if step == Step::End {
                return false;
            }
        }
    }

    /// All that was said since the last look, which must be whole messages, with errors that have a SQLSTATE.
    fn answers(&mut self) -> Answers {
        use PgWireBackendMessage as M;
        let mut bytes = std::mem::take(&mut *self.listener.0.lock());
        let mut context = DecodeContext::new(ProtocolVersion::PROTOCOL3_0);
        context.awaiting_frontend_ssl = false;
        context.awaiting_frontend_startup = false;
        let mut answers = Answers::default();
        while !bytes.is_empty() {
            let message = PgWireBackendMessage::decode(&mut bytes, &context);
            let message = message.expect("a message").expect("a whole message");
            match message {
                M::DataRow(row) => answers.rows.push(row.data.to_vec()),
                M::ReadyForQuery(_) => answers.ready += 1,
                M::ErrorResponse(error) => {
                    let field = |wanted: u8| {
                        let found = error.fields.iter().find(|(kind, _)| *kind == wanted);
                        found
                            .map(|(_, text)| text.clone())
                            .expect("an error has it")
                    };
                    let code = field(b'C');
                    assert!(is_sqlstate(&code), "{code}: {}", field(b'M'));
                    // That one says that the server is to blame.
                    assert!(!code.starts_with("XX"), "{code}: {}", field(b'M'));
                    answers.is_fatal |= field(b'S') == "FATAL";
                    answers.errors.push(code);
                }
                _ => {}
            }
        }
        answers
    }

    /// Whether a statement is answered as if nothing had been wrong before.
    fn is_alive(&mut self) -> bool {
        for sql in ["ROLLBACK", "SELECT 'alive'"] {
            if !self.hear(&query(sql)) {
                return false;
            }
        }
        let answers = self.answers();
        answers
            .rows
            .last()
            .is_some_and(|row| row.ends_with(b"alive"))
    }
}

fn is_sqlstate(code: &str) -> bool {
    let is_one = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_uppercase();
    code.len() == 5 && code.bytes().all(is_one)
}

fn query(sql: &str) -> BytesMut {
    let mut bytes = BytesMut::new();
    Query::new(sql.to_owned())
        .encode(&mut bytes)
        .expect("it is short");
    bytes
}

/// A message whose length is true.
fn framed(kind: u8, inside: &[u8]) -> Vec<u8> {
    let length = u32::try_from(inside.len() + 4).expect("it is short");
    let mut bytes = vec![kind];
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(inside);
    bytes
}

const SYNC: &[u8] = b"S\0\0\0\x04";

/// The insides of good messages, which the dice spoil.
fn good_messages() -> Vec<(u8, Vec<u8>)> {
    let mut bind = BytesMut::new();
    bind.put_slice(b"p\0s\0");
    bind.put_u16(1);
    bind.put_u16(0);
    bind.put_u16(2);
    bind.put_i32(1);
    bind.put_slice(b"7");
    bind.put_i32(-1);
    bind.put_u16(1);
    bind.put_u16(1);
    let mut parse = BytesMut::new();
    parse.put_slice(b"s\0SELECT $1, $2, name FROM t WHERE id > 0\0");
    parse.put_u16(2);
    parse.put_u32(20);
    parse.put_u32(25);
    vec![
        (b'Q', b"SELECT id, name FROM t WHERE id = 1\0".to_vec()),
        (b'Q', b"BEGIN; INSERT INTO t VALUES (9, 'x'); SELECT * FROM t\0".to_vec()),
        (b'Q', b"SHOW statement_timeout; SET a TO 'b'; KILL 77 WITH STATUSONLY\0".to_vec()),
        (b'Q', b"CREATE FUNCTION f(a int) RETURNS int LANGUAGE wasm AS $$ (module) $$\0".to_vec()),
        (b'Q', b"SELECT relname FROM pg_catalog.pg_class WHERE relname OPERATOR(pg_catalog.~) '^(t)$'\0".to_vec()),
        (b'Q', b"ALTER SYSTEM SET quantum = '4ms'; CALL f(1, 'a'); SELECT * FROM sys.dm_exec_requests\0".to_vec()),
        (b'P', parse.to_vec()),
        (b'B', bind.to_vec()),
        (b'D', b"Ss\0".to_vec()),
        (b'D', b"Pp\0".to_vec()),
        (b'E', b"p\0\0\0\0\x01".to_vec()),
        (b'C', b"Ss\0".to_vec()),
        (b'd', b"bytes of a copy".to_vec()),
        (b'f', b"no copy\0".to_vec()),
        (b'p', b"password\0".to_vec()),
        (b'H', Vec::new()),
        (b'S', Vec::new()),
    ]
}

/// Bytes that mean something in a message or a statement.
const TELLING: &[u8] = b"\0\x01\x7f\x80\xff'\"$;()-*,.:=~\\/ SBPa1\n";

fn spoil(inside: &mut Vec<u8>, dice: &mut Dice) {
    for _ in 0..=dice.below(3) {
        let place = dice.below(inside.len() + 1);
        let byte = *dice.pick(TELLING);
        match dice.below(5) {
            0 => inside.insert(place, byte),
            1 if place < inside.len() => drop(inside.remove(place)),
            2 if place < inside.len() => inside[place] = byte,
            3 => inside.truncate(place),
            _ => {
                let again = inside[place..].to_vec();
                inside.extend_from_slice(&again);
            }
        }
    }
}

/// As long as lengths are true the session goes on, whatever is in the messages.
#[test]
fn what_is_in_messages_never_ends_a_session() {
    let bench = Bench::new();
    let mut dice = Dice::of_environment("BAD_INPUT_SEED");
    let messages = good_messages();
    let mut errors = 0;
    for _ in 0..600 {
        let mut session = bench.session();
        session.hear(&query("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, name TEXT); SET statement_timeout = 2000"));
        for _ in 0..10 {
            let mut sent = Vec::new();
            for _ in 0..=dice.below(5) {
                let (kind, mut inside) = dice.pick(&messages).clone();
                if dice.below(3) > 0 {
                    spoil(&mut inside, &mut dice);
                }
                sent.extend(framed(kind, &inside));
            }
            sent.extend_from_slice(SYNC);
            assert!(session.hear(&sent), "it ends after {:?}", text(&sent));
            let answers = session.answers();
            assert!(
                !answers.is_fatal && answers.ready > 0,
                "after {:?}",
                text(&sent)
            );
            errors += answers.errors.len();
            assert!(session.is_alive(), "it is dead after {:?}", text(&sent));
        }
    }
    assert!(errors > 1000, "only {errors} errors: nothing was tried");
    assert_eq!(bench.shared.registry.sessions().len(), 0);
}

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// Where the lengths are not true either: it ends with an error, or goes on, and nobody else is disturbed.
#[test]
fn bytes_that_mean_nothing_disturb_nobody() {
    let bench = Bench::new();
    let mut dice = Dice::of_environment("BAD_INPUT_SEED");
    let messages = good_messages();
    let mut other = bench.session();
    let (mut ended, mut went_on) = (0, 0);
    for _ in 0..2000 {
        let is_greeted = dice.below(4) > 0;
        let mut spoken = if is_greeted {
            bench.session()
        } else {
            bench.connection()
        };
        let mut bytes = Vec::new();
        for _ in 0..=dice.below(3) {
            let (kind, inside) = dice.pick(&messages).clone();
            bytes.extend(framed(kind, &inside));
        }
        spoil(&mut bytes, &mut dice);
        // In pieces, as they come from a socket.
        let mut goes_on = true;
        while goes_on && !bytes.is_empty() {
            let piece: Vec<u8> = bytes.drain(..=dice.below(bytes.len())).collect();
            goes_on = spoken.hear(&piece);
        }
        let answers = spoken.answers();
        if goes_on {
            went_on += 1;
            assert!(!answers.is_fatal);
        } else {
            ended += 1;
        }
        drop(spoken);
        assert!(other.is_alive());
    }
    assert!(
        ended > 50 && went_on > 50,
        "{ended} ended, {went_on} went on"
    );
    drop(other);
    assert_eq!(bench.shared.registry.sessions().len(), 0);
}

/// Words of SQL in any order.
#[test]
fn statements_of_any_words_have_codes() {
    const WORDS: &[&str] = &[
        "SELECT",
        "FROM",
        "t",
        "WHERE",
        "id",
        "=",
        "1",
        "(",
        ")",
        ",",
        "*",
        "INSERT",
        "INTO",
        "VALUES",
        "UPDATE",
        "SET",
        "name",
        "'text'",
        "x'00'",
        "NULL",
        "DELETE",
        "CREATE",
        "TABLE",
        "DROP",
        "INDEX",
        "ON",
        "JOIN",
        "GROUP BY",
        "ORDER BY",
        "LIMIT",
        "9223372036854775807",
        "-1",
        "1e999",
        "+",
        "||",
        "CAST(",
        "AS",
        "TEXT",
        "count(",
        "abs(",
        "sum(",
        "pg_sleep('a')",
        "version()",
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT",
        "RELEASE",
        "a",
        ";",
        "$1",
        "?",
        ":x",
        "--",
        "/*",
        "*/",
        "EXPLAIN",
        "WITH",
        "RECURSIVE",
        "UNION",
        "pg_catalog.pg_class",
        "sys.dm_os_tasks",
        "SHOW",
        "ALTER",
        "SYSTEM",
        "RESET",
        "KILL",
        "0",
        "CALL",
        "f",
        "FUNCTION",
        "RETURNS",
        "int",
        "LANGUAGE",
        "wasm",
        "$$",
        "TRIGGER",
        "END",
        "json_extract('{', '$')",
        "substr('a', 1)",
        "printf('%s')",
        "randomblob(-1)",
        "zeroblob(1e10)",
    ];
    let bench = Bench::new();
    let mut dice = Dice::of_environment("BAD_INPUT_SEED");
    let mut session = bench.session();
    session.hear(&query(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT); SET statement_timeout = 2000",
    ));
    session.answers();
    let mut codes = std::collections::BTreeSet::new();
    for _ in 0..20_000 {
        let words: Vec<&str> = (0..=dice.below(8)).map(|_| *dice.pick(WORDS)).collect();
        let sql = words.join(" ");
        assert!(session.hear(&query(&sql)), "it ends after {sql}");
        let answers = session.answers();
        assert_eq!(answers.ready, 1, "{sql}");
        codes.extend(answers.errors);
    }
    assert!(session.is_alive());
    assert!(codes.len() > 5, "nothing was tried: {codes:?}");
}

/// What clients get for the usual mistakes of the extended protocol.
#[test]
fn mistakes_of_the_extended_protocol_have_their_codes() {
    let bench = Bench::new();
    let mut session = bench.session();
    let parse = |name: &str, sql: &str, types: &[u32]| {
        let mut inside = BytesMut::new();
        inside.put_slice(format!("{name}\0{sql}\0").as_bytes());
        inside.put_u16(types.len() as u16);
        types.iter().for_each(|oid| inside.put_u32(*oid));
        framed(b'P', &inside)
    };
    let bind = |portal: &str, statement: &str, format: u16, values: &[&[u8]], results: u16| {
        let mut inside = BytesMut::new();
        inside.put_slice(format!("{portal}\0{statement}\0").as_bytes());
        inside.put_u16(1);
        inside.put_u16(format);
        inside.put_u16(values.len() as u16);
        for value in values {
            inside.put_u32(value.len() as u32);
            inside.put_slice(value);
        }
        inside.put_u16(1);
        inside.put_u16(results);
        framed(b'B', &inside)
    };
    let execute = |portal: &str| framed(b'E', format!("{portal}\0\0\0\0\0").as_bytes());
    let number = || parse("n", "SELECT $1", &[20]);
    let text = || parse("t", "SELECT $1", &[25]);
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        (
            "an unknown statement",
            bind("", "absent", 0, &[], 0),
            "26000",
        ),
        ("an unknown portal", execute("absent"), "34000"),
        (
            "a portal is described that is not there",
            framed(b'D', b"Pabsent\0"),
            "34000",
        ),
        (
            "a statement is described that is not there",
            framed(b'D', b"Sabsent\0"),
            "26000",
        ),
        ("no such target", framed(b'D', b"Xabsent\0"), "08P01"),
        (
            "a name twice",
            [parse("d", "SELECT 1", &[]), parse("d", "SELECT 2", &[])].concat(),
            "42P05",
        ),
        (
            "two statements",
            parse("", "SELECT 1; SELECT 2", &[]),
            "42601",
        ),
        (
            "an unknown table",
            parse("", "SELECT * FROM absent", &[]),
            "42P01",
        ),
        (
            "too few values",
            [number(), bind("", "n", 0, &[], 0)].concat(),
            "08P01",
        ),
        (
            "no number",
            [number(), bind("", "n", 0, &[b"one"], 0)].concat(),
            "22P02",
        ),
        (
            "a number that is too large",
            [number(), bind("", "n", 0, &[b"9223372036854775808"], 0)].concat(),
            "22003",
        ),
        (
            "a binary number of three bytes",
            [number(), bind("", "n", 1, &[b"abc"], 0)].concat(),
            "22P03",
        ),
        (
            "text that is no UTF-8",
            [text(), bind("", "t", 0, &[b"\xff"], 0)].concat(),
            "22021",
        ),
        (
            "a format that is none",
            [number(), bind("", "n", 7, &[b"1"], 0)].concat(),
            "08P01",
        ),
        (
            "a result's format that is none",
            [number(), bind("", "n", 0, &[b"1"], 9), execute("")].concat(),
            "08P01",
        ),
    ];
    for (what, mut bytes, expected) in cases {
        bytes.extend_from_slice(SYNC);
        assert!(session.hear(&bytes), "{what}: it ends");
        let answers = session.answers();
        assert_eq!(answers.errors, [expected], "{what}");
        assert_eq!(answers.ready, 1, "{what}");
        assert!(session.is_alive(), "{what}");
        // Statements are kept over an error.
        session.hear(&[framed(b'C', b"Sn\0"), framed(b'C', b"St\0"), SYNC.to_vec()].concat());
        session.answers();
    }
}

/// However much it asks for, up to what a session keeps.
#[test]
fn a_sync_is_answered_in_one_write() {
    let bench = Bench::new();
    let mut session = bench.session();
    let once = [
        framed(b'P', b"\0SELECT 'row'\0\0\0"),
        framed(b'B', b"\0\0\0\0\0\0\0\0"),
        framed(b'D', b"P\0"),
        framed(b'E', b"\0\0\0\0\0"),
    ]
    .concat();
    for times in [1, 2, 50] {
        let before = session.writes;
        assert!(session.hear(&[once.repeat(times), framed(b'S', b"")].concat()));
        assert_eq!(session.writes, before + 1, "{times}");
        let answers = session.answers();
        assert_eq!((answers.rows.len(), answers.ready), (times, 1));
    }
}

/// A message that is too long is passed over as it comes, without being kept.
#[test]
fn over_long_messages_are_not_kept() {
    let bench = Bench::new();
    let mut session = bench.session();
    for kind in [b'Q', b'P'] {
        let length = 64_u32 << 20;
        let mut head = vec![kind];
        head.extend_from_slice(&length.to_be_bytes());
        assert!(session.hear(&head));
        let piece = vec![b'x'; 1 << 20];
        let mut left = length as usize - 4;
        while left > 0 {
            let part = left.min(piece.len());
            assert!(session.hear(&piece[..part]));
            left -= part;
            assert_eq!(session.connection.arrived().len(), 0, "nothing is kept");
            assert!(
                session.connection.arrived().capacity() <= 4 << 20,
                "nor room for it"
            );
        }
        session.hear(SYNC);
        assert_eq!(session.answers().errors, ["54000"]);
        assert!(session.is_alive());
    }
}
