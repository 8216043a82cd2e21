//! The thread that asks who has what the scheduler knows nothing of, and looks for circles with the answers. The protocol is in
//! `outer.rs`.
//!
//! It sleeps while nobody calls it, and rests for a moment after each look, in which calls only add up.
#![forbid(unsafe_code)]

use std::fmt;
use std::sync::Arc;

use crate::deadlock::Deadlock;
use crate::primitive::sleeper::Sleeper;
use crate::primitive::{For, SpinLock};
use crate::sync::lock_waits;
use crate::sync::lock_waits::outer::{OuterWait, Standing};
use crate::sync::lock_waits::table::Ticket;

/// How long it rests between two looks.
#[cfg(not(any(loom, shuttle)))]
const REST: std::time::Duration = std::time::Duration::from_millis(5);

/// Lets a layer above the scheduler wait for what it alone knows, so that deadlocks are found that go through such waits: it
/// says who has what, at once or when it is asked. A circle may go through the waits of several inquirers, and through the
/// mutexes, read-write locks, joins and threads of the scheduler. The layer is asked on the inquirer's own thread, which starts
/// with the first question.
///
/// ```
/// use std::sync::Arc;
/// use fiberhost_scheduler::sync::{AutoResetEvent, Mutex};
/// use fiberhost_scheduler::{Heed, Inquirer, OuterWait, Owners, Scheduler, Wake, spawn};
///
/// let inquirer = Arc::new(Inquirer::new());
/// let its = Arc::clone(&inquirer);
/// let scheduler = Scheduler::new()?;
/// let circle = scheduler.run(move || {
///     let mutex = Arc::new(Mutex::new(()));
///     let guard = mutex.lock();
///     // One that has a lock of ours wants the mutex, and we want that lock.
///     let its_mutex = Arc::clone(&mutex);
///     let other = spawn(move || drop(its_mutex.lock()));
///     let owner = other.task().clone();
///     let event = AutoResetEvent::new(false);
///     let wait = OuterWait {
///         owners: Owners::Asked(Box::new(move || vec![owner.clone()])),
///         text: "waits for a lock of",
///         rank: 0,
///         breakable: true,
///     };
///     let waited = its.wait(wait, || event.wait_heeding(None, Heed::Alert), |wake| *wake == Wake::Signalled);
///     drop(guard);
///     other.join().expect("no panic");
///     waited.expect_err("it would never have come")
/// });
/// assert_eq!(circle.tasks().len(), 2);
/// inquirer.close();
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Inquirer(Arc<Calls>);

/// What the thread and those who call it have in common.
pub(crate) struct Calls {
    state: SpinLock<State>,
    sleeper: Sleeper,
}

#[derive(Default)]
struct State {
    /// From where to look.
    tickets: Vec<Ticket>,
    /// It is at it, and may be with whoever is asked.
    looks: bool,
    closed: bool,
    #[cfg(not(any(loom, shuttle)))]
    thread: Thread,
}

#[cfg(not(any(loom, shuttle)))]
#[derive(Default)]
enum Thread {
    #[default]
    None,
    Starts,
    Runs(std::thread::JoinHandle<()>),
}

impl Default for Inquirer {
    fn default() -> Self {
        Inquirer::new()
    }
}

impl Inquirer {
    /// One that has nothing to do yet, and no thread.
    pub fn new() -> Inquirer {
        Inquirer(Arc::new(Calls {
            state: SpinLock::new(For::LockTable, State::default()),
            sleeper: Sleeper::new(),
        }))
    }

    /// Waits by calling `wait`, which stands among those in which circles are looked for as long as it runs. It is
    /// called again if another wait had to be broken first; `has_it` says whether it has brought what was waited for.
    /// If the wait is broken, what it waits in ends as for an abort, or is not begun.
    ///
    /// The caller is known by its [number](crate::TaskRef::id): a task, also in a native section, or a plain thread. It
    /// waits for one thing at a time.
    ///
    /// # Errors
    /// The circle, if this wait was broken for it and has not brought what was waited for.
    pub fn wait<R>(
        &self,
        outer: OuterWait,
        wait: impl FnMut() -> R,
        has_it: impl Fn(&R) -> bool,
    ) -> Result<R, Deadlock> {
        let standing = Arc::new(Standing::new(outer, &self.0));
        lock_waits::wait_outside(&standing, wait, has_it)
    }

    /// Nobody is asked any more. If somebody is being asked, the thread ends when the answer is there; otherwise it has
    /// ended when this returns.
    pub fn close(&self) {
        let thread = self.0.close();
        #[cfg(not(any(loom, shuttle)))]
        if let Some(thread) = thread {
            // It does not panic; if it has, there is nobody to tell.
            let _ = thread.join();
        }
        #[cfg(any(loom, shuttle))]
        let () = thread;
    }

    /// The thread's work, for a model.
    #[cfg(any(loom, shuttle))]
    pub fn serve(&self) {
        self.0.serve();
    }
}

impl Drop for Inquirer {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Inquirer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Inquirer").finish_non_exhaustive()
    }
}

impl Calls {
    /// Somebody has begun to wait, and from there is a question open.
    #[cold]
    pub(super) fn call(self: &Arc<Self>, ticket: Ticket) {
        let mut state = self.state.lock();
        if state.closed {
            return;
        }
        state.tickets.push(ticket);
        #[cfg(not(any(loom, shuttle)))]
        let starts = matches!(state.thread, Thread::None);
        #[cfg(not(any(loom, shuttle)))]
        if starts {
            state.thread = Thread::Starts;
        }
        drop(state);
        self.sleeper.call();
        #[cfg(not(any(loom, shuttle)))]
        if starts {
            self.start();
        }
    }

    #[cfg(not(any(loom, shuttle)))]
    fn start(self: &Arc<Self>) {
        let calls = Arc::clone(self);
        let thread = std::thread::Builder::new().name("fiberhost-inquirer".to_owned());
        let started = thread.spawn(move || calls.serve());
        let mut state = self.state.lock();
        match started {
            // Whoever closes it meanwhile does not wait for it.
            Ok(thread) => state.thread = Thread::Runs(thread),
            Err(error) => {
                // Nobody looks: until there is a thread again no wait is broken.
                state.thread = Thread::None;
                let tickets = std::mem::take(&mut state.tickets);
                drop(state);
                drop(tickets);
                tracing::error!(%error, "no thread to look for deadlocks");
            }
        }
    }

    #[cfg(not(any(loom, shuttle)))]
    fn close(&self) -> Option<std::thread::JoinHandle<()>> {
        let mut state = self.state.lock();
        state.closed = true;
        let thread = std::mem::take(&mut state.thread);
        let looks = state.looks;
        drop(state);
        self.sleeper.call();
        match thread {
            // What it held last may be what owns this.
            Thread::Runs(thread) if thread.thread().id() == std::thread::current().id() => None,
            Thread::Runs(thread) => (!looks).then_some(thread),
            Thread::None | Thread::Starts => None,
        }
    }

    #[cfg(any(loom, shuttle))]
    fn close(&self) {
        self.state.lock().closed = true;
        self.sleeper.call();
    }

    fn serve(&self) {
        while let Some(tickets) = self.next() {
            for ticket in tickets {
                lock_waits::resolve(ticket);
            }
            self.state.lock().looks = false;
            self.rest();
        }
    }

    /// Sleeps until there is something to do. `None`: nothing will be.
    fn next(&self) -> Option<Vec<Ticket>> {
        loop {
            let mut state = self.state.lock();
            if state.closed {
                return None;
            }
            if !state.tickets.is_empty() {
                state.looks = true;
                return Some(std::mem::take(&mut state.tickets));
            }
            drop(state);
            self.sleeper.sleep(None);
        }
    }

    /// Calls do not end it, the end does.
    #[cfg(not(any(loom, shuttle)))]
    fn rest(&self) {
        let until = std::time::Instant::now() + REST;
        while !self.state.lock().closed && std::time::Instant::now() < until {
            self.sleeper.sleep(Some(until));
        }
    }

    #[cfg(any(loom, shuttle))]
    fn rest(&self) {}
}
