//! Thread mode: a task whose stack is an OS thread's own.
//!
//! Worker and task pass one baton. The task's thread runs only while it has it, as the worker that lent it: it takes part
//! in the same slots, queues and waits, and `current` answers the lending worker's record.
//! For code whose stack cannot be switched, and a stand-in for fibers where a tool cannot follow a switch.
#![forbid(unsafe_code)]

use std::sync::Arc;

use crate::current::{self, Thread};
use crate::fiber::thread_guard::{self, ThreadGuard};
use crate::fiber::{DONE, ON_THREAD, Word, overflow};
use crate::primitive::sleeper::Sleeper;
use crate::primitive::{Plain, thread};
use crate::task::Task;

/// What the two threads share. Each call of a sleeper passes the ownership of the plain fields.
pub(crate) struct Baton {
    to_task: Sleeper,
    to_worker: Sleeper,
    lender: Plain<*const Thread>,
    word: Plain<Word>,
}

/// Gives a task that never ran its OS thread.
///
/// # Errors
/// The system refused a thread.
pub(crate) fn bind(task: &'static Task, stack_size: usize) -> std::io::Result<()> {
    let baton = Arc::new(Baton {
        to_task: Sleeper::new(),
        to_worker: Sleeper::new(),
        lender: Plain::new(std::ptr::null()),
        word: Plain::new(0),
    });
    let mine = Arc::clone(&baton);
    thread::Builder::new()
        .name("fiberhost-task".into())
        .stack_size(stack_size + thread_guard::EXTRA)
        .spawn(move || serve(task, &mine))?;
    task.extra_mut().thread = Some(baton);
    task.sp.set(ON_THREAD);
    Ok(())
}

fn serve(task: &'static Task, baton: &Baton) {
    let _signals = overflow::prepare_thread();
    let guard = ThreadGuard::new(task);
    baton.receive();
    let measured = guard.as_ref().filter(|_| is_measured());
    measured.inspect(|guard| guard.forget_use());
    task.payload.run();
    crate::park::finish(task);
    measured.inspect(|guard| super::note_use(task, guard.use_of_stack()));
    current::set_thread(std::ptr::null());
    // Before anybody may take the task for ended.
    drop(guard);
    baton.word.set(DONE);
    baton.to_worker.call();
}

fn is_measured() -> bool {
    let worker = current::thread().expect("a worker has lent its slot");
    worker.core().stacks.measures()
}

impl Baton {
    /// Waits for a worker, and runs as that worker from then on.
    fn receive(&self) {
        while !self.to_task.sleep(None) {}
        current::set_thread(self.lender.get());
    }
}

fn baton(task: &'static Task) -> Arc<Baton> {
    task.extra_mut()
        .thread
        .clone()
        .expect("bound before it runs")
}

#[cold]
pub(super) fn resume(thread: &Thread, task: &'static Task) -> Word {
    let baton = baton(task);
    baton.lender.set(std::ptr::from_ref(thread));
    baton.to_task.call();
    while !baton.to_worker.sleep(None) {}
    baton.word.get()
}

#[cold]
pub(super) fn suspend(task: &'static Task, word: Word) {
    let baton = baton(task);
    current::set_thread(std::ptr::null());
    baton.word.set(word);
    baton.to_worker.call();
    baton.receive();
}
