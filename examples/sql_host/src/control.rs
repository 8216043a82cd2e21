//! What reaches into a session from outside: a cancel request, `KILL`, a limit of time.
//!
//! A statement finds out in places which between them cover all of its life: SQLite's progress handler asks every few thousand
//! instructions, a function or procedure asks at the end of each quantum, and who waits, for the turn to write (`turn.rs`) or
//! for a time ([`Control::sleep`]), is woken to ask. A session that is killed while its client takes nothing has its connection
//! cut: nobody else would wake it.
//!
//! A statement that runs, or sleeps, for long also looks now and then whether its client is still there: nobody would take its
//! rows.
//!
//! Who kills says so first and then looks at what the session waits for; a session first says that it waits and then looks
//! whether it was killed. Both under the activity's lock, so one of them sees the other.
#![forbid(unsafe_code)]

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fiberhost::scheduler::sync::AutoResetEvent;
use fiberhost::scheduler::{Heed, Wake};
use parking_lot::Mutex;

use crate::error::SqlError;
use crate::executor::Native;

/// How often a statement that runs looks for its client.
const LOOK: Duration = Duration::from_millis(100);

const NOTHING: u8 = 0;
const CANCELLED: u8 = 1;
const KILLED: u8 = 2;

/// See the module docs. One for each session.
#[derive(Debug)]
pub struct Control {
    born: Instant,
    asked: AtomicU8,
    /// When the running statement is late, in ns since `born`; 0: never.
    deadline: AtomicU64,
    /// When SQLite asked last whether to go on, in ns since `born`.
    asked_at: AtomicU64,
    /// When it was looked for the client last, in ns since `born`.
    looked_at: AtomicU64,
    client: OnceLock<Client>,
    activity: Mutex<Activity>,
    /// Set when something was asked.
    told: AutoResetEvent,
    /// Where the session's stack begins, at its upper end.
    stack: AtomicUsize,
}

/// Says whether the client has gone.
struct Client(Box<dyn Fn() -> bool + Send + Sync>);

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client(..)")
    }
}

/// What a session does, for those who look on.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    /// The statement that runs, or ran last.
    pub statement: String,
    /// Since when it runs.
    pub running_since: Option<Instant>,
    /// The native code that it is in, and since when.
    pub native: Option<(Native, Instant)>,
    /// What it waits for, and since when.
    pub waits: Option<(Waits, Instant)>,
}

/// What a session waits for while a statement runs, or its answer is on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// Its turn to write.
    Turn,
    /// Its client, which is to take rows.
    Client,
    /// A time: a guest sleeps.
    Time,
}

impl Waits {
    /// For the operator's tables.
    pub fn name(self) -> &'static str {
        match self {
            Waits::Turn => "WriteTurn",
            Waits::Client => "ClientTakes",
            Waits::Time => "Sleep",
        }
    }
}

impl Default for Control {
    fn default() -> Control {
        Control {
            born: Instant::now(),
            asked: AtomicU8::new(NOTHING),
            deadline: AtomicU64::new(0),
            asked_at: AtomicU64::new(0),
            looked_at: AtomicU64::new(0),
            client: OnceLock::new(),
            activity: Mutex::default(),
            told: AutoResetEvent::new(false),
            stack: AtomicUsize::new(0),
        }
    }
}

impl Control {
    /// Once: how to know that the client has gone.
    pub fn watch(&self, is_gone: impl Fn() -> bool + Send + Sync + 'static) {
        let _ = self.client.set(Client(Box::new(is_gone)));
    }

    /// A statement begins: a cancel request that came before it was for an earlier one.
    pub fn begin(&self, statement: &str, limit: Option<Duration>) {
        // Relaxed: the flags stand for themselves.
        let _ =
            self.asked
                .compare_exchange(CANCELLED, NOTHING, Ordering::Relaxed, Ordering::Relaxed);
        let now = self.now();
        let deadline = limit.map_or(0, |limit| now + nanoseconds(limit));
        self.deadline.store(deadline, Ordering::Relaxed);
        self.looked_at.store(now, Ordering::Relaxed);
        let mut activity = self.activity.lock();
        activity.statement.clear();
        activity.statement.push_str(statement);
        activity.running_since = Some(Instant::now());
    }

    /// It has ended.
    pub fn end(&self) {
        self.deadline.store(0, Ordering::Relaxed);
        self.activity.lock().running_since = None;
    }

    /// It goes into native code, or comes back.
    pub fn set_native(&self, native: Option<Native>) {
        let now = Instant::now();
        // Relaxed: for those who look on.
        self.asked_at
            .store(nanoseconds(now - self.born), Ordering::Relaxed);
        self.activity.lock().native = native.map(|native| (native, now));
    }

    /// SQLite asks whether the statement is to end.
    pub fn ask(&self) -> bool {
        self.verdict().is_some()
    }

    /// Somebody asks. Looks for the client, if that was not done lately.
    fn asked(&self) {
        let now = self.now();
        self.asked_at.store(now, Ordering::Relaxed);
        let looked = self.looked_at.load(Ordering::Relaxed);
        if now.saturating_sub(looked) > nanoseconds(LOOK) {
            self.looked_at.store(now, Ordering::Relaxed);
            if self.client.get().is_some_and(|client| (client.0)()) {
                self.kill();
            }
        }
    }

    /// How long ago SQLite, or a guest that it calls, asked whether to go on, or began what it is at.
    pub fn asked_ago(&self) -> Duration {
        let asked = self.asked_at.load(Ordering::Relaxed);
        Duration::from_nanos(self.now().saturating_sub(asked))
    }

    /// It waits as long as this runs.
    ///
    /// # Errors
    /// It was killed before; the closure was not called.
    pub fn waiting<R>(&self, waits: Waits, wait: impl FnOnce() -> R) -> Result<R, SqlError> {
        self.activity.lock().waits = Some((waits, Instant::now()));
        let result = if self.is_killed() {
            Err(killed())
        } else {
            Ok(wait())
        };
        self.activity.lock().waits = None;
        result
    }

    /// On the session's stack, near its beginning: from here [`stack_used`](Control::stack_used) counts.
    pub fn note_stack(&self) {
        self.stack.store(here(), Ordering::Relaxed);
    }

    /// Bytes of the session's stack that are in use, for who calls on it.
    pub fn stack_used(&self) -> usize {
        self.stack.load(Ordering::Relaxed).saturating_sub(here())
    }

    /// What it does.
    pub fn activity(&self) -> Activity {
        self.activity.lock().clone()
    }

    /// The statement that runs is to end.
    pub fn cancel(&self) {
        let _ =
            self.asked
                .compare_exchange(NOTHING, CANCELLED, Ordering::Relaxed, Ordering::Relaxed);
        self.told.set();
    }

    /// The session is to end.
    pub fn kill(&self) {
        self.asked.store(KILLED, Ordering::Relaxed);
        self.told.set();
    }

    /// Waits for so long, or until the running statement is to end.
    ///
    /// # Errors
    /// Why it is to end.
    pub fn sleep(&self, time: Duration) -> Result<(), SqlError> {
        self.waiting(Waits::Time, || self.sleep_through(time))?
    }

    fn sleep_through(&self, time: Duration) -> Result<(), SqlError> {
        let begun = Instant::now();
        loop {
            // The event may have been set for an earlier statement, and says only that it is time to look.
            if let Some(verdict) = self.verdict() {
                return Err(verdict);
            }
            let rest = time.saturating_sub(begun.elapsed());
            if rest.is_zero() {
                return Ok(());
            }
            // Nobody wakes it when its client goes: it looks.
            let rest = self.left().map_or(rest, |left| left.min(rest)).min(LOOK);
            // Who sleeps may lie above frames of SQLite's, or of a guest's, which are not unwound.
            if self.told.wait_heeding(Some(rest), Heed::Cancel) == Wake::Aborted {
                // The scheduler ends.
                return Err(killed());
            }
        }
    }

    /// Whether the session is to end.
    pub fn is_killed(&self) -> bool {
        self.asked.load(Ordering::Relaxed) == KILLED
    }

    /// Why the running statement is to end, if it is.
    pub fn verdict(&self) -> Option<SqlError> {
        self.asked();
        match self.asked.load(Ordering::Relaxed) {
            KILLED => Some(killed()),
            CANCELLED => Some(SqlError::new(
                "57014",
                "canceling statement due to user request",
            )),
            _ if self.left() == Some(Duration::ZERO) => Some(SqlError::new(
                "57014",
                "canceling statement due to statement timeout",
            )),
            _ => None,
        }
    }

    /// How long the running statement has still, if that is limited.
    pub fn left(&self) -> Option<Duration> {
        match self.deadline.load(Ordering::Relaxed) {
            0 => None,
            deadline => Some(Duration::from_nanos(deadline.saturating_sub(self.now()))),
        }
    }

    fn now(&self) -> u64 {
        nanoseconds(self.born.elapsed())
    }
}

/// What the client of a killed session is told.
pub fn killed() -> SqlError {
    SqlError::new(
        "57P01",
        "terminating connection due to administrator command",
    )
}

/// About where the caller's stack ends.
#[inline(never)]
fn here() -> usize {
    let local = 0_u8;
    std::hint::black_box(&raw const local).addr()
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX / 2)
}
