//! The sessions that there are, by the number that a cancel request or `KILL` names.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use fiberhost::{Abort, HostTask};
use parking_lot::Mutex;

use crate::control::Control;

/// One session, as others see it.
pub struct Entry {
    /// Its number.
    pub id: i32,
    /// What a cancel request must know.
    pub secret: i32,
    /// Since when it is there.
    pub since: Instant,
    /// How to reach into it.
    pub control: Arc<Control>,
    /// Ends its wait for the client.
    hang_up: Box<dyn Fn() + Send + Sync>,
    /// The host's side of its task, if it has one that can be aborted.
    task: OnceLock<HostTask>,
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
            Abort::Rude => {
                self.control.kill();
                (self.hang_up)();
            }
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("id", &self.id)
            .finish_non_exhaustive()
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
    /// A session begins.
    pub fn add(&self, secret: i32, hang_up: impl Fn() + Send + Sync + 'static) -> Arc<Entry> {
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

    /// `KILL`: who was told, and what it is at.
    pub fn kill(&self, id: i32) -> Option<String> {
        let entry = self.find(id)?;
        entry.end(Abort::Rude);
        let activity = entry.control.activity();
        Some(match (activity.native, activity.running_since) {
            (Some((native, since)), _) => format!(
                "session {id} is in {} for {:?} and ends when SQLite asks whether to go on",
                native.name(),
                since.elapsed()
            ),
            (None, Some(_)) => format!("session {id} waits and ends at once"),
            (None, None) => format!("session {id} was idle and ends at once"),
        })
    }

    /// Everybody is told to go.
    pub fn end_all(&self) {
        for entry in self.sessions() {
            entry.end(Abort::Rude);
        }
    }
}
