//! A checker of the invariants, for tests: switched on by [`Builder::check_invariants`](crate::Builder::check_invariants).
//!
//! It keeps its own books under one lock and aborts the process at the first contradiction, with both sides named.
//!
//! - Tasks that run never exceed the slots; one in a native section whose slot was taken does not count.
//! - No thread runs a task without a slot.
//! - A task runs in one place at a time, and only if it was started and has not ended.
//! - A task that may not move runs on its home thread.
//! - No task gives its thread back while that thread is panicking.
#![forbid(unsafe_code)]

use std::collections::{HashMap, HashSet};

use crate::primitive::{Mutex, simulated};
use crate::task::{Kind, Task};
use crate::thread::Thread;

pub(crate) struct Checker {
    slots: usize,
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    /// Which task runs on which thread.
    running: HashMap<usize, usize>,
    /// Threads that have lost their slots: what runs there counts as off.
    off: HashSet<usize>,
}

impl Books {
    fn count(&self) -> usize {
        let on = |thread: &&usize| !self.off.contains(thread);
        self.running.values().filter(on).count()
    }
}

impl Checker {
    pub(crate) fn new(slots: usize) -> Self {
        Checker {
            slots,
            books: Mutex::new(Books::default()),
        }
    }

    #[cold]
    pub(crate) fn begin_run(&self, thread: &Thread, task: &'static Task) {
        let mut books = self.books.lock();
        if let Some(other) = books.running.insert(task.address(), thread.index) {
            broken(&format!(
                "task {} runs on worker {} and on {other}",
                task.id.get(),
                thread.index
            ));
        }
        if books.off.contains(&thread.index) {
            broken(&format!(
                "worker {} runs a task without a slot",
                thread.index
            ));
        }
        self.check_count(&books);
        if task.kind() != Kind::Started || task.life.is_done() {
            broken(&format!(
                "task {} is resumed in state {:?}",
                task.id.get(),
                task.kind()
            ));
        }
        let at_home = task
            .home
            .get()
            .is_some_and(|home| std::ptr::eq(home, thread));
        if !at_home {
            broken(&format!(
                "task {} runs on worker {}, which is not its home",
                task.id.get(),
                thread.index
            ));
        }
        if task.wait.is_armed() {
            broken(&format!(
                "task {} is resumed while its wait is on",
                task.id.get()
            ));
        }
    }

    /// A thread from outside has become a task, and has no slot yet.
    #[cold]
    pub(crate) fn adopt(&self, thread: &Thread, task: &'static Task) {
        let mut books = self.books.lock();
        books.off.insert(thread.index);
        books.running.insert(task.address(), thread.index);
    }

    /// A thread has a slot again.
    #[cold]
    pub(crate) fn on(&self, thread: &Thread) {
        let mut books = self.books.lock();
        books.off.remove(&thread.index);
        self.check_count(&books);
    }

    /// A thread has lost its slot, perhaps under a task that is in native code.
    #[cold]
    pub(crate) fn off(&self, thread: &Thread) {
        self.books.lock().off.insert(thread.index);
    }

    fn check_count(&self, books: &Books) {
        let count = books.count();
        if count > self.slots {
            broken(&format!("{count} tasks run on {} slots", self.slots));
        }
    }

    #[cold]
    pub(crate) fn end_run(&self, thread: &Thread, task: &'static Task) {
        if self.books.lock().running.remove(&task.address()) != Some(thread.index) {
            broken(&format!(
                "task {} left worker {} where it did not run",
                task.id.get(),
                thread.index
            ));
        }
        if simulated::panicking() {
            broken(&format!(
                "task {} was suspended while panicking",
                task.id.get()
            ));
        }
    }
}

fn broken(what: &str) -> ! {
    // A model reports a panic, with the execution in which it came.
    #[cfg(any(loom, shuttle))]
    panic!("invariant broken: {what}");
    #[cfg(not(any(loom, shuttle)))]
    {
        eprintln!("fiberhost: invariant broken: {what}");
        std::process::abort()
    }
}
