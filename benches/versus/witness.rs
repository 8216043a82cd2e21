//! The proof that each of our tasks is one: an id of its own, a stack of its own, and it can park.
//!
//! Each program calls [`task`] first thing in every task. In timed rounds that reads one flag.
//! In the audit, a smaller round before the first timed one, the task notes its id and where its stack is, and parks;
//! while it lives, no other living task, its joiner among them, may stand on the same stack.

use std::collections::{BTreeMap, HashSet};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use fiberhost_scheduler::{Wake, current, park_for};

/// Closer than this, two tasks share a stack: the smallest stack is several times as large.
const APART: usize = 16 * 1024;

static AUDITING: AtomicBool = AtomicBool::new(false);
static LEDGER: Mutex<Option<Ledger>> = Mutex::new(None);

#[derive(Default)]
struct Ledger {
    ids: HashSet<u64>,
    /// Where the stacks of the living tasks are, and whose they are.
    stacks: BTreeMap<usize, u64>,
}

/// A task that the audit knows of, until it ends.
pub(crate) struct Noted(Option<usize>);

/// The first thing in every task.
#[inline(always)]
pub(crate) fn task() -> Noted {
    // Relaxed: set before the audited round is spawned and cleared after it was joined.
    if AUDITING.load(Ordering::Relaxed) {
        note()
    } else {
        Noted(None)
    }
}

#[cold]
#[inline(never)]
fn note() -> Noted {
    let on_my_stack = 0_u8;
    let stack = black_box(&raw const on_my_stack).addr();
    let id = current().id();
    let mut guard = ledger();
    let ledger = guard.as_mut().expect("an audit is on");
    assert!(ledger.ids.insert(id), "task {id} was seen before");
    let below = ledger.stacks.range(..=stack).next_back();
    let above = ledger.stacks.range(stack..).next();
    for (&other, whose) in below.into_iter().chain(above) {
        assert!(
            stack.abs_diff(other) >= APART,
            "task {id} runs on the stack of task {whose}"
        );
    }
    ledger.stacks.insert(stack, id);
    // Not held while the task parks.
    drop(guard);
    assert_eq!(
        park_for(Duration::from_micros(1)),
        Wake::TimedOut,
        "task {id} could not park"
    );
    Noted(Some(stack))
}

impl Drop for Noted {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(stack) = self.0 {
            forget(stack);
        }
    }
}

#[cold]
fn forget(stack: usize) {
    if let Some(ledger) = ledger().as_mut() {
        ledger.stacks.remove(&stack);
    }
}

fn ledger() -> MutexGuard<'static, Option<Ledger>> {
    LEDGER.lock().expect("no audited task panicked")
}

/// Runs a round in which every task is looked at, and answers how many there were.
pub(crate) fn audit(round: impl FnOnce()) -> u64 {
    *ledger() = Some(Ledger::default());
    AUDITING.store(true, Ordering::Relaxed);
    round();
    AUDITING.store(false, Ordering::Relaxed);
    let seen = ledger().take().expect("the ledger was laid out above");
    assert!(seen.stacks.is_empty(), "every task that began has ended");
    seen.ids.len() as u64
}
