//! Thread mode: a task whose stack is an OS thread's own.
//!
//! The thread has a record like a worker's and drives a slot while its task runs; it runs nothing else. So it is a task that
//! owns its thread from its birth: it waits, leaves and comes back as such a task does (`pinned.rs`, `lease.rs`), and takes
//! part in the same slots, queues and waits as those on fibers.
//! For code whose stack cannot be switched, and a stand-in for fibers where a tool cannot follow a switch.
#![forbid(unsafe_code)]

use crate::claim::Claim;
use crate::current;
use crate::fiber::thread_guard::{self, ThreadGuard};
use crate::fiber::{ON_THREAD, overflow};
use crate::simulation;
use crate::span;
use crate::task::payload::contain;
use crate::task::{Hold, Task};
use crate::thread::Thread;
use crate::watch;

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
    thread.claim(Claim::Return);
    watch::started_on_thread(thread, task);
    if thread.core().simulation.is_some() {
        thread.ask_for_slice();
    }
    if thread.core().checks {
        thread.core().checker.begin_run(thread, task);
    }
    let measures = thread.core().stacks.measures();
    let guard = guard.inspect(|guard| {
        if measures {
            guard.forget_use();
        }
    });
    run_to_end(thread, task, move || {
        let measured = guard.as_ref().filter(|_| measures);
        measured.inspect(|guard| super::note_use(task, guard.use_of_stack()));
        // With what it knows of the task.
        drop(guard);
    });
    thread.put_away();
}

/// Runs the task, on its thread and with a slot, and ends it. `looks` comes before anybody may take it for ended.
pub(crate) fn run_to_end(thread: &'static Thread, task: &'static Task, looks: impl FnOnce()) {
    let core = thread.core();
    if task.has_span() {
        span::enter(task);
    }
    let left = task.payload.run();
    crate::finish::finish(task, left);
    if task.has_span() {
        span::exit(task);
        span::end(task);
    }
    looks();
    if core.checks {
        simulation::after_resume();
        core.checker.end_run(thread, task, true);
    }
    thread.task.set(None);
    // The end settles too: the next task of a thread with this record does not go on where this one was seen to stall.
    Thread::count(&thread.settled_here);
    thread.end(task);
    thread.give_back();
}
