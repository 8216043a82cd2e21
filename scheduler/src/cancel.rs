//! Tokens by which many waits are cancelled at once.
//!
//! A token is a node of a tree; cancelling it cancels all below it. Children hold their parents, parents know their
//! children weakly, and a node is cancelled if it or one above it says so.
//!
//! # A task inside [`run_until_cancelled`](CancelToken::run_until_cancelled)
//!
//! 1. *enter*: under the token's lock the task looks whether the token is cancelled. If so it raises its own flag,
//!    otherwise it stands in the token's list.
//! 2. *cancel*: under the lock the token is marked and the flag of every task in the list is raised; then, without the lock
//!    and behind a barrier, their waits are broken, each only if its flag is still up when the wait is claimed.
//! 3. *leave*: under the lock the task goes from the list. It lowers its flag, and raises it again if an enclosing scope's
//!    token is cancelled.
//!
//! Cancel before the enter: the task raises its flag itself. During: the lock decides. After: it finds the task in the list;
//! the flag stays up for the next wait if none is on (`Task::interrupt` has that argument).
//! Cancel during the leave: the lock decides whether the flag is raised at all, and a canceller that comes late with the
//! breaking finds the flag lowered, because the task lowers it before it arms another wait.
//! The token of an enclosing scope is marked before the flag is raised for it, so a leave that lowers the flag under that
//! canceller's hand sees the mark.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::current;
use crate::join::TaskRef;
use crate::park::{self, Limit};
use crate::primitive::{AtomicBool, Mutex, Ordering, barrier};
use crate::runnable::make_runnable;
use crate::sync::wait_list::WaitList;
use crate::task::{Task, flag};
use crate::wait::{Interrupt, WaitReason, Wake};

/// Tells many at once to stop. Cloning it is cheap; all clones mean the same one.
///
/// ```
/// use fiberhost_scheduler::{CancelToken, Wake, park, run, spawn};
/// run(|| {
///     let token = CancelToken::new();
///     let child = token.child();
///     let task = spawn(move || child.run_until_cancelled(park));
///     token.cancel();
///     assert_eq!(task.join().unwrap(), Wake::Aborted);
/// });
/// ```
#[derive(Clone)]
pub struct CancelToken {
    node: Arc<Node>,
}

/// See the module docs.
pub(crate) struct Node {
    /// Set under the lock, once; read without it.
    cancelled: AtomicBool,
    state: Mutex<State>,
    parent: Option<Arc<Node>>,
}

struct State {
    waiters: WaitList,
    /// The tasks inside `run_until_cancelled`, by the number of their entry.
    inside: BTreeMap<u64, TaskRef>,
    next_entry: u64,
    children: Vec<Weak<Node>>,
    /// Children that are gone are swept out at this number.
    sweep_at: usize,
}

/// With fewer children than this nothing is swept.
const SWEEP_MIN: usize = 16;

impl CancelToken {
    /// A token of its own.
    pub fn new() -> Self {
        CancelToken {
            node: Arc::new(Node::new(None, false)),
        }
    }

    /// A token that is cancelled with this one, or alone.
    pub fn child(&self) -> CancelToken {
        let mut state = self.node.state.lock();
        let cancelled = self.node.is_cancelled();
        let child = Arc::new(Node::new(Some(Arc::clone(&self.node)), cancelled));
        if !cancelled {
            state.add_child(Arc::downgrade(&child));
        }
        CancelToken { node: child }
    }

    /// Cancels the token and all its children, for good. Called again it does nothing.
    ///
    /// Whoever [waits](CancelToken::wait) for it goes on, and tasks inside
    /// [`run_until_cancelled`](CancelToken::run_until_cancelled) are told.
    pub fn cancel(&self) {
        // A list instead of recursion: a deep tree must not need a deep stack.
        let mut nodes = vec![Arc::clone(&self.node)];
        while let Some(node) = nodes.pop() {
            node.cancel(&mut nodes);
        }
    }

    /// Whether it was cancelled, or a token above it.
    pub fn is_cancelled(&self) -> bool {
        self.node.is_cancelled()
    }

    /// Waits until the token is cancelled. Ends early if the task is alerted or itself cancelled, and says so.
    pub fn wait(&self) -> Wake {
        self.wait_limited(Limit::Never)
    }

    /// The same with a time limit.
    pub fn wait_for(&self, limit: Duration) -> Wake {
        self.wait_limited(Limit::After(limit))
    }

    fn wait_limited(&self, limit: Limit) -> Wake {
        let waited = park::wait(
            WaitReason::Cancel,
            limit,
            Interrupt::Alert,
            |task, allow| {
                let mut state = self.node.state.lock();
                if self.node.is_cancelled() {
                    return None;
                }
                let epoch = task.wait.arm(allow);
                state.waiters.push(&task.node, task, epoch, 0);
                Some(epoch)
            },
        );
        if waited.wake != Wake::Signalled {
            self.node.state.lock().waiters.remove(&waited.who.node);
        }
        match park::check(waited.wake) {
            // Inside `run_until_cancelled` of the same token both things happen at once: what was waited for counts.
            Wake::Aborted if self.is_cancelled() => Wake::Signalled,
            wake => wake,
        }
    }

    /// Runs `work` in the calling task; from the moment the token is cancelled until `work` returns, the waits in it end
    /// with [`Wake::Aborted`] where they can say so, as after [`TaskRef::cancel`](crate::TaskRef::cancel).
    ///
    /// Waits that cannot say so (`Mutex::lock`) go on, and code that does not wait is not interrupted: ask
    /// [`is_cancelled`](CancelToken::is_cancelled). A token that is cancelled already does not keep `work` from running.
    /// Scopes of several tokens nest, and each ends with its own `work`: afterwards the task waits as before.
    ///
    /// # Panics
    /// If `work` panics, and outside a task.
    pub fn run_until_cancelled<T>(&self, work: impl FnOnce() -> T) -> T {
        let (_, task) = current::within().expect("run_until_cancelled is for tasks");
        self.run_inside(task, work)
    }

    /// The same for this task, which is the caller's own.
    pub(crate) fn run_inside<T>(&self, task: &'static Task, work: impl FnOnce() -> T) -> T {
        let _inside = self.enter(task);
        work()
    }

    fn enter(&self, task: &'static Task) -> Inside {
        task.extra_mut().tokens.push(Arc::clone(&self.node));
        let seen_early = cfg!(feature = "bug_cancel_enter").then(|| self.node.is_cancelled());
        let mut state = self.node.state.lock();
        let entry = if seen_early.unwrap_or_else(|| self.node.is_cancelled()) {
            task.raise(flag::TOKEN);
            None
        } else {
            let entry = state.next_entry;
            state.next_entry += 1;
            state.inside.insert(entry, TaskRef::keep(task));
            Some(entry)
        };
        Inside { task, entry }
    }
}

/// The calling task is inside `run_until_cancelled` of the last of its tokens.
struct Inside {
    task: &'static Task,
    entry: Option<u64>,
}

impl Drop for Inside {
    /// The leave.
    fn drop(&mut self) {
        let tokens = &mut self.task.extra_mut().tokens;
        let token = tokens.pop().expect("scopes end in the order of a stack");
        let is_cancelled = || tokens.iter().any(|token| token.is_cancelled());
        let seen_early = cfg!(feature = "bug_cancel_outer").then(is_cancelled);
        if cfg!(feature = "bug_cancel_leave") {
            self.task.lower(flag::TOKEN);
        }
        if let Some(entry) = self.entry {
            let left = token.state.lock().inside.remove(&entry);
            assert!(left.is_some(), "a task inside stands in the list");
        }
        if !cfg!(feature = "bug_cancel_leave") {
            self.task.lower(flag::TOKEN);
        }
        if seen_early.unwrap_or_else(is_cancelled) {
            self.task.raise(flag::TOKEN);
        }
    }
}

impl Node {
    fn new(parent: Option<Arc<Node>>, cancelled: bool) -> Node {
        let state = State {
            waiters: WaitList::new(),
            inside: BTreeMap::new(),
            next_entry: 0,
            children: Vec::new(),
            sweep_at: SWEEP_MIN,
        };
        Node {
            cancelled: AtomicBool::new(cancelled),
            state: Mutex::new(state),
            parent,
        }
    }

    fn is_cancelled(&self) -> bool {
        let mut node = Some(self);
        while let Some(at) = node {
            // Acquire: what the canceller did before is visible.
            let order = if cfg!(feature = "bug_cancel_look") {
                Ordering::Relaxed
            } else {
                Ordering::Acquire
            };
            if at.cancelled.load(order) {
                return true;
            }
            node = at.parent.as_deref();
        }
        false
    }

    /// Cancels this node; what is below it is added to `nodes`.
    fn cancel(&self, nodes: &mut Vec<Arc<Node>>) {
        if cfg!(feature = "bug_cancel_child") {
            // The twin that a model must catch: a child that comes in between is not told.
            nodes.extend(self.state.lock().take_children());
        }
        let mut state = self.state.lock();
        // AcqRel: pairs with `is_cancelled`.
        if self.cancelled.swap(true, Ordering::AcqRel) {
            return;
        }
        // The waiters first: one that is inside as well is told what it waits for.
        let woken = state.waiters.claim_all();
        let inside: Vec<TaskRef> = state.inside.values().cloned().collect();
        for task in &inside {
            task.record().raise(flag::TOKEN);
        }
        if !cfg!(feature = "bug_cancel_child") {
            nodes.extend(state.take_children());
        }
        drop(state);
        woken.for_each(make_runnable);
        if !inside.is_empty() {
            barrier::heavy();
        }
        for task in &inside {
            task.record()
                .break_wait(flag::TOKEN, Interrupt::Abort, Wake::Aborted);
        }
    }
}

impl State {
    fn add_child(&mut self, child: Weak<Node>) {
        if self.children.len() >= self.sweep_at {
            self.children.retain(|child| child.strong_count() > 0);
            self.sweep_at = (2 * self.children.len()).max(SWEEP_MIN);
        }
        self.children.push(child);
    }

    fn take_children(&mut self) -> impl Iterator<Item = Arc<Node>> {
        self.children.drain(..).filter_map(|child| child.upgrade())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // One after the other instead of one inside the other: a long chain must not need a deep stack.
        let mut parent = self.parent.take();
        while let Some(node) = parent {
            parent = Arc::into_inner(node).and_then(|mut node| node.parent.take());
        }
    }
}

impl Default for CancelToken {
    fn default() -> Self {
        CancelToken::new()
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelToken")
            .field("cancelled", &self.is_cancelled())
            .finish()
    }
}
