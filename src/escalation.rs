//! What follows when a task that was asked to end does not: the ladder of the host's policy, climbed step by step.
//!
//! The first step is taken by whoever asks. For the others there is a thread, from the first request with a time limit until
//! all that were asked have ended. It holds no lock while it takes a step: a runtime calls back.
//!
//! | step | the host |
//! |---|---|
//! | abort, rude abort of the thread | asks the runtime, also if the task delays that: then it comes with the end of the delay |
//! | unload, rude unload of the domain | asks the runtime to unload the domain that was named, if one was |
//! | exit, fast exit of the process | exits |
//! | rude exit of the process | aborts the process |
//! | disabling the runtime | lets the latch fall: no call is let in any more |
//!
//! Whoever embeds the host is asked before each of them but the first, and may do something else instead.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use crate::com::{EClrOperation, EPolicyAction, Hresult};
use crate::host::{HostTask, Shared};
use crate::policy::{Policy, Step};
use crate::task::{Abort, Task};

/// What the process answers when a step ends it.
const EXIT_CODE: i32 = 1;

/// Whoever may do something else instead of a step. `true`: it has.
pub(crate) type Instead = Arc<dyn Fn(&HostTask, EPolicyAction) -> bool + Send + Sync>;

/// See the module docs. One for each host.
pub(crate) struct Overseer {
    policy: Policy,
    instead: Option<Instead>,
    /// Somebody is being watched.
    busy: AtomicBool,
    steps: AtomicU64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    climbs: Vec<Climb>,
    thread: Option<thread::JoinHandle<()>>,
    closed: bool,
}

/// One task on its way up.
struct Climb {
    task: Arc<Task>,
    domain: Option<u32>,
    since: Instant,
    left: VecDeque<Step>,
}

impl fmt::Debug for Overseer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overseer")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

impl Overseer {
    pub(crate) fn new(policy: Policy, instead: Option<Instead>) -> Overseer {
        Overseer {
            policy,
            instead,
            busy: AtomicBool::new(false),
            steps: AtomicU64::new(0),
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Steps taken after a time limit.
    pub(crate) fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    /// A task has ended.
    pub(crate) fn note_end(&self) {
        // Acquire: pairs with the release in `watch`. Missed, the end is seen when the next limit is over.
        if self.busy.load(Ordering::Acquire) {
            drop(self.state.lock());
            self.changed.notify_all();
        }
    }

    /// Nobody is watched any more. Not on the overseer's own thread it also waits for that.
    pub(crate) fn close(&self) {
        let thread = {
            let mut state = self.state.lock();
            state.closed = true;
            state.climbs.clear();
            state.thread.take()
        };
        self.changed.notify_all();
        if let Some(thread) = thread.filter(|one| one.thread().id() != thread::current().id()) {
            // It does not panic; if it has, there is nobody to tell.
            let _ = thread.join();
        }
    }

    fn watch(&self, host: &Arc<Shared>, climb: Climb) -> io::Result<()> {
        let mut state = self.state.lock();
        if state.closed {
            return Ok(());
        }
        if state.thread.is_none() {
            let host = Arc::clone(host);
            let thread = thread::Builder::new().name("fiberhost-overseer".to_owned());
            state.thread = Some(thread.spawn(move || host.overseer.climb())?);
        }
        state.climbs.push(climb);
        self.busy.store(true, Ordering::Release);
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// The thread.
    fn climb(&self) {
        let mut state = self.state.lock();
        loop {
            state.climbs.retain(|climb| !climb.task.has_ended());
            let Some(next) = (0..state.climbs.len()).min_by_key(|at| state.climbs[*at].due())
            else {
                self.busy.store(false, Ordering::Release);
                state.thread = None;
                return;
            };
            let due = state.climbs[next].due();
            if due > Instant::now() {
                self.changed.wait_until(&mut state, due);
                continue;
            }
            let climb = &mut state.climbs[next];
            let step = climb.left.pop_front().expect("one without steps goes");
            let (task, domain) = (Arc::clone(&climb.task), climb.domain);
            if climb.left.is_empty() {
                state.climbs.swap_remove(next);
            }
            drop(state);
            self.steps.fetch_add(1, Ordering::Relaxed);
            self.take(&task, domain, step.action);
            drop(task);
            state = self.state.lock();
        }
    }

    /// Takes a step, unless somebody else has done something instead.
    fn take(&self, task: &Arc<Task>, domain: Option<u32>, action: EPolicyAction) {
        // One that panics has done nothing, and has printed its message.
        let done = self.instead.as_ref().is_some_and(|instead| {
            let done = AssertUnwindSafe(|| instead(&HostTask::new(task), action));
            catch_unwind(done).unwrap_or(false)
        });
        if done {
            return;
        }
        // What the runtime answers changes nothing: the next step comes if this one has not helped.
        let _ = act(task, domain, action);
    }
}

impl Climb {
    fn due(&self) -> Instant {
        let after = self.left.front().map(|step| step.after);
        // A limit that is too far away to be a time was not kept.
        after.map_or(self.since, |after| self.since + after)
    }
}

/// Asks for the end of a task, and sees to it that the policy's ladder is climbed if that does not come.
pub(crate) fn end(task: &Arc<Task>, domain: Option<u32>) -> Result<(), Hresult> {
    let overseer = &task.host.overseer;
    let since = Instant::now();
    let mut left: VecDeque<Step> = overseer
        .policy
        .ladder(EClrOperation::OPR_ThreadAbort)
        .into_iter()
        .take_while(|step| since.checked_add(step.after).is_some())
        .collect();
    let first = left.pop_front().expect("a ladder has a first step");
    if !left.is_empty() {
        let climb = Climb {
            task: Arc::clone(task),
            domain,
            since,
            left,
        };
        let watched = overseer.watch(&task.host, climb);
        watched.map_err(|_| Hresult::E_OUTOFMEMORY)?;
    }
    act(task, domain, first.action)
}

fn act(task: &Task, domain: Option<u32>, action: EPolicyAction) -> Result<(), Hresult> {
    match action {
        EPolicyAction::eAbortThread => task.abort(Abort::Orderly),
        EPolicyAction::eRudeAbortThread => task.abort(Abort::Rude),
        EPolicyAction::eUnloadAppDomain | EPolicyAction::eRudeUnloadAppDomain => {
            let (runtime, domain) = task
                .host
                .clr_runtime()
                .zip(domain)
                .ok_or(Hresult::HOST_E_INVALIDOPERATION)?;
            runtime.unload_app_domain(domain, false).map(drop)
        }
        EPolicyAction::eExitProcess | EPolicyAction::eFastExitProcess => {
            std::process::exit(EXIT_CODE)
        }
        EPolicyAction::eRudeExitProcess => std::process::abort(),
        EPolicyAction::eDisableRuntime => {
            task.host.gate.fail();
            Ok(())
        }
        _ => Ok(()),
    }
}
