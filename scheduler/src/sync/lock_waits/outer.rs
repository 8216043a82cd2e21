//! Waits of a layer above, for what the scheduler knows nothing of: who has it, says that layer.
//!
//! Such a wait stands in the table like the scheduler's own. Some owners can be named at once, under the table's lock. Others
//! have to be *asked for*: whoever knows them may take his time, lock and wait, so nobody asks who has a lock, and nobody
//! who waits; an [`Inquirer`](super::inquirer::Inquirer) does (`inquirer.rs`).
//!
//! # What was said, and how long it counts
//!
//! 1. A look from an entry counts what was said of another one's owners only if that was asked for after its own entry came.
//! 2. If it was not, the question is open: the look is not done, and the inquirer is told where it began.
//! 3. The inquirer asks all that is open, with the wait's own *asked* locked, writes down the answer with how many had
//!    come when it began to ask, and looks again from there, until there is a circle or nothing is open.
//! 4. Whoever has left the table waits, before it goes on, until nobody asks about its wait any more: what it waited for must
//!    be there as long as somebody asks who has it. The inquirer looks for the entry after it has locked *asked*: either it
//!    finds none, or the one who leaves waits.
//!
//! *No alarm is false.* A look goes only to those who came before its own entry. They all stood when it came, and stand at
//! the end of the look, so they have not run in between and have given back nothing. What was said of owners was asked for in
//! between. So all edges existed at one moment.
//!
//! *No circle is missed.* The one that came last looks when all others stand; who has what they wait for is asked
//! for after that, and whoever has it stands as well and keeps it until it has left.
#![forbid(unsafe_code)]

use std::fmt;
use std::sync::Arc;

use crate::join::TaskRef;
use crate::primitive::{For, SpinLock};
use crate::sync::lock_waits::Waits;
use crate::sync::lock_waits::inquirer::Calls;
use crate::sync::lock_waits::table::Question;
use crate::sync::raw_mutex::RawMutex;
use crate::task::payload::contain;

/// Who has what somebody waits for in an [`OuterWait`].
pub enum Owners {
    /// One task or plain thread, by its [number](TaskRef::id), or none at the moment. Called under a lock of the scheduler's,
    /// often: it must neither lock nor wait nor allocate. While somebody that is named waits, it keeps what it has.
    Number(Box<dyn Fn() -> Option<u64> + Send + Sync>),
    /// The task itself, for whose end is waited, as long as the function says that it has not ended. That is called as above.
    Task(TaskRef, Box<dyn Fn() -> bool + Send + Sync>),
    /// Those that are named when the inquirer asks, on its thread and with no lock held. It may take its time.
    Asked(Box<dyn Fn() -> Vec<TaskRef> + Send + Sync>),
}

impl fmt::Debug for Owners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Owners::Number(_) => "Number(..)",
            Owners::Task(..) => "Task(..)",
            Owners::Asked(_) => "Asked(..)",
        })
    }
}

/// A wait without a limit for something that the scheduler knows nothing of, to be waited with
/// [`Inquirer::wait`](super::inquirer::Inquirer::wait).
#[derive(Debug)]
pub struct OuterWait {
    /// Who has it.
    pub owners: Owners,
    /// How it is told, to be followed by the one who has it: "waits for a monitor of".
    pub text: &'static str,
    /// Of the waits of a circle the one with the lowest number is broken. Waits of the scheduler have -1, 0 and 1, by the
    /// task's priority.
    pub rank: i32,
    /// Whether it may be broken. Then it must heed something, since [`Heed::Nothing`](crate::Heed::Nothing) cannot be broken,
    /// and a thread that blocks must [heed alerts](crate::thread_alerts).
    pub breakable: bool,
}

/// What was said of the owners.
pub(super) type Told = Arc<Vec<TaskRef>>;

#[derive(Default)]
struct Answer {
    /// How many had come when it was asked for; 0: it never was.
    at: u64,
    owners: Told,
}

/// A wait that stands in the table, as the inquirer knows it.
pub(crate) struct Standing {
    wait: OuterWait,
    calls: Arc<Calls>,
    /// Changed under the table's lock.
    answer: SpinLock<Answer>,
    /// Held while somebody is asked.
    asked: RawMutex,
}

impl Standing {
    pub(super) fn new(wait: OuterWait, calls: &Arc<Calls>) -> Standing {
        Standing {
            wait,
            calls: Arc::clone(calls),
            answer: SpinLock::new(For::LockTable, Answer::default()),
            asked: RawMutex::new(),
        }
    }

    pub(super) fn text(&self) -> &'static str {
        self.wait.text
    }

    pub(super) fn rank(&self) -> i32 {
        self.wait.rank
    }

    pub(super) fn is_breakable(&self) -> bool {
        self.wait.breakable
    }

    pub(super) fn calls(&self) -> &Arc<Calls> {
        &self.calls
    }

    /// Who has it, if that is known at once.
    pub(super) fn owner(&self) -> Option<u64> {
        match &self.wait.owners {
            Owners::Number(owner) => owner(),
            Owners::Task(task, waits) => waits().then(|| task.id()),
            Owners::Asked(_) => None,
        }
    }

    /// The task for whose end it is.
    pub(super) fn target(&self) -> Option<&TaskRef> {
        match &self.wait.owners {
            Owners::Task(task, _) => Some(task),
            Owners::Number(_) | Owners::Asked(_) => None,
        }
    }

    pub(super) fn is_asked_for(&self) -> bool {
        matches!(self.wait.owners, Owners::Asked(_))
    }

    /// What was said, if it was asked for after so many had come. Under the table's lock.
    pub(super) fn told_since(&self, turn: u64) -> Option<Told> {
        let answer = self.answer.lock();
        let counts = answer.at >= turn || cfg!(feature = "bug_outer_stale") && answer.at > 0;
        counts.then(|| Arc::clone(&answer.owners))
    }

    /// The one that was named last, for those who look on.
    pub(super) fn told_one(&self) -> Option<u64> {
        self.answer.lock().owners.first().map(TaskRef::id)
    }

    /// The end of step 4.
    pub(super) fn wait_for_answer(&self) {
        if self.is_asked_for() && !cfg!(feature = "bug_outer_leave") {
            self.asked.lock_through();
            let unlocked = self.asked.unlock();
            debug_assert!(unlocked.is_ok(), "it was locked just now");
        }
    }
}

impl Question {
    /// Step 3, for one of them.
    pub(super) fn ask(&self, waits: &Waits) {
        let Owners::Asked(owners) = &self.wait.wait.owners else {
            return;
        };
        self.wait.asked.lock_through();
        let at = waits.turns_if_stands(self.ticket);
        if let Some(at) = at {
            let mut said = Vec::new();
            contain(|| said = owners());
            let answer = Answer {
                at,
                owners: Arc::new(said),
            };
            let before = waits.note(|| {
                let mut place = self.wait.answer.lock();
                std::mem::replace(&mut *place, answer)
            });
            // Not under a lock: the last reference takes what it likes with it.
            drop(before);
        }
        let unlocked = self.wait.asked.unlock();
        debug_assert!(unlocked.is_ok(), "it was locked above");
    }
}

impl fmt::Debug for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Standing").field(&self.wait).finish()
    }
}

/// The wait is over: it may go on when nobody asks about it.
pub(super) struct Quiet<'a>(pub(super) &'a Standing);

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        self.0.wait_for_answer();
    }
}
