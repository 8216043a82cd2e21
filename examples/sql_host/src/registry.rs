//! The sessions that there are, by the number that a cancel request or `KILL` names.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use fiberhost::{Abort, HostTask};
use parking_lot::Mutex;

use crate::control::{Control, Waits};

/// SQLite asks every few thousand instructions, which is less than a millisecond: after this time it is in something that does
/// not come back to ask.
const ASKS_WITHIN: Duration = Duration::from_millis(100);

/// What is to end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HangUp {
    /// Nothing yet, but sends that begin from now on wait for a second at most.
    Soon,
    /// Nothing more arrives; what was said still reaches the client, if it takes it soon.
    Arriving,
    /// All of it.
    Both,
}

/// One session, as others see it.
pub struct Entry {
    /// Its number.
    pub id: i32,
    /// What a cancel request must know.
    pub secret: i32,
    /// Since when it is there.
    pub since: Instant,
    /// The scheduler's number of the task that it began in.
    pub task_id: Option<u64>,
    /// How to reach into it.
    pub control: Arc<Control>,
    /// Ends its wait for the client.
    hang_up: Box<dyn Fn(HangUp) + Send + Sync>,
    /// The host's side of its task, if it has one that can be aborted.
    task: OnceLock<HostTask>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Entry {
    /// From now on its ends are aborts of this task.
    pub fn runs_as(&self, task: HostTask) {
        // A session has one task.
        let _ = self.task.set(task);
    }

    /// Asks for the end of its statement, or of itself: by the host, if that can.
    pub fn end(&self, how: Abort) {
        let aborted = self.task.get().is_some_and(|task| task.abort(how).is_ok());
        if !aborted {
            self.ended(how);
        }
    }

    /// The abort has come.
    pub fn ended(&self, how: Abort) {
        match how {
            Abort::Orderly => self.control.cancel(),
            Abort::Rude => self.kill(),
        }
    }

    /// In this order: a send that the look does not see begins after the limit was set.
    fn kill(&self) {
        (self.hang_up)(HangUp::Soon);
        self.control.kill();
        let waits = self.control.activity().waits;
        let takes_nothing = waits.is_some_and(|(waits, _)| waits == Waits::Client);
        (self.hang_up)(if takes_nothing {
            HangUp::Both
        } else {
            HangUp::Arriving
        });
    }

    /// What it is at, and when a session that was killed ends: what `KILL` says.
    fn tells(&self) -> String {
        let activity = self.control.activity();
        let id = self.id;
        let ms = |since: Instant| since.elapsed().as_millis();
        match (activity.native, activity.waits, activity.running_since) {
            // Also below native code: a guest that SQLite calls.
            (_, Some((Waits::Time, since)), _) => {
                format!("session {id} sleeps for {} ms, and ends at once", ms(since))
            }
            (Some((native, since)), ..) => {
                let (name, age, ago) = (native.name(), ms(since), self.control.asked_ago());
                let asked = ago.as_millis();
                let begun = format!("session {id} is in native code, {name}, for {age} ms");
                if ago < ASKS_WITHIN {
                    format!(
                        "{begun}, and ends when that asks next whether to go on; it asked {asked} ms ago"
                    )
                } else {
                    format!(
                        "{begun}, and it has not asked for {asked} ms whether to go on: \
                         the session ends when what SQLite calls comes back, and not before"
                    )
                }
            }
            (None, Some((Waits::Turn, since)), _) => {
                format!(
                    "session {id} waits for its turn to write for {} ms, and ends at once",
                    ms(since)
                )
            }
            (None, Some((Waits::Client, since)), _) => format!(
                "session {id} waits for its client to take what was sent for {} ms; its connection is cut",
                ms(since)
            ),
            (None, None, Some(since)) => format!(
                "session {id} runs a statement for {} ms, and ends with its next call of SQLite, or a guest's quantum",
                ms(since)
            ),
            (None, None, None) => format!("session {id} is idle, and ends at once"),
        }
    }
}

/// See the module docs.
#[derive(Debug, Default)]
pub struct Registry {
    sessions: Mutex<Sessions>,
}

#[derive(Debug, Default)]
struct Sessions {
    last: i32,
    by_id: BTreeMap<i32, Arc<Entry>>,
}

impl Registry {
    /// A session begins, in this task.
    pub fn add(
        &self,
        secret: i32,
        task_id: Option<u64>,
        hang_up: impl Fn(HangUp) + Send + Sync + 'static,
    ) -> Arc<Entry> {
        let mut sessions = self.sessions.lock();
        let id = loop {
            sessions.last = sessions.last.checked_add(1).unwrap_or(1);
            if !sessions.by_id.contains_key(&sessions.last) {
                break sessions.last;
            }
        };
        let entry = Arc::new(Entry {
            id,
            secret,
            since: Instant::now(),
            task_id,
            control: Arc::default(),
            hang_up: Box::new(hang_up),
            task: OnceLock::new(),
        });
        sessions.by_id.insert(id, Arc::clone(&entry));
        entry
    }

    /// It has ended.
    pub fn remove(&self, id: i32) {
        self.sessions.lock().by_id.remove(&id);
    }

    /// All sessions, by their numbers.
    pub fn sessions(&self) -> Vec<Arc<Entry>> {
        self.sessions.lock().by_id.values().cloned().collect()
    }

    fn find(&self, id: i32) -> Option<Arc<Entry>> {
        self.sessions.lock().by_id.get(&id).cloned()
    }

    /// A cancel request. One that does not know the secret does nothing. Whether there is somebody to wake.
    pub fn cancel(&self, id: i32, secret: i32) -> bool {
        let found = self.find(id).filter(|entry| entry.secret == secret);
        found.inspect(|entry| entry.end(Abort::Orderly)).is_some()
    }

    /// `KILL`: who was told, and what it was at. None if there is no such session.
    pub fn kill(&self, id: i32) -> Option<String> {
        let entry = self.find(id)?;
        // What it is at before it ends, which may be at once.
        let told = entry.tells();
        entry.end(Abort::Rude);
        Some(told)
    }

    /// `KILL … WITH STATUSONLY`: what keeps a session that was killed. None if there is no such session, or it was not killed.
    pub fn status(&self, id: i32) -> Option<String> {
        let entry = self.find(id)?;
        entry.control.is_killed().then(|| entry.tells())
    }

    /// Everybody is told to go.
    pub fn end_all(&self) {
        for entry in self.sessions() {
            entry.end(Abort::Rude);
        }
    }
}
