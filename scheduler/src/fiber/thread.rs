//! Thread mode: a task whose stack is an OS thread's own.
//!
//! The thread has a record like a worker's and drives a slot while its task runs; it runs nothing else. So it is a task that
//! owns its thread from its birth: it waits, leaves and comes back as such a task does (`pinned.rs`, `lease.rs`), and takes
//! part in the same slots, queues and waits as those on fibers.
//! For code whose stack cannot be switched, and a stand-in for fibers where a tool cannot follow a switch.
#![forbid(unsafe_code)]

use crate::current::{self, Thread};
use crate::fiber::thread_guard::{self, ThreadGuard};
use crate::fiber::{ON_THREAD, overflow};
use crate::span;
use crate::task::payload::contain;
use crate::task::{Hold, Task};

/// Bytes that the thread needs beyond those that its task asks for.
pub(crate) const STACK_EXTRA: usize = thread_guard::EXTRA;

/// Makes a task that never ran the one of a thread that runs nothing yet. The caller has both.
pub(crate) fn bind(task: &'static Task, thread: &'static Thread) {
    task.sp.set(ON_THREAD);
    task.home.set(Some(thread));
    task.raise_hold(Hold::Own);
    thread.task.set(Some(task));
}

/// The life of that thread.
pub(crate) fn run(thread: &'static Thread) {
    let task = thread.task.get().expect("bound before the thread starts");
    contain(|| {
        tracing::trace!(
            thread = thread.index,
            task = task.id.get(),
            "thread started"
        )
    });
    let _signals = overflow::prepare_thread();
    thread.show_os_thread(true);
    let guard = ThreadGuard::new(task);
    current::set_thread(thread);
    thread.claim();
    let core = thread.core();
    if core.checks {
        core.checker.begin_run(thread, task);
    }
    let measured = guard.as_ref().filter(|_| core.stacks.measures());
    measured.inspect(|guard| guard.forget_use());
    if task.has_span() {
        span::enter(task);
    }
    task.payload.run();
    crate::park::finish(task);
    if task.has_span() {
        span::exit(task);
        span::end(task);
    }
    measured.inspect(|guard| super::note_use(task, guard.use_of_stack()));
    // Before anybody may take the task for ended.
    drop(guard);
    if core.checks {
        core.checker.end_run(thread, task);
    }
    end(thread, task);
    thread.put_away();
}

/// The end of its task, and of its use of the slot.
pub(crate) fn end(thread: &'static Thread, task: &'static Task) {
    thread.task.set(None);
    thread.end(task);
    thread.give_back();
}
