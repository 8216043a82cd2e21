//! A checker of the invariants, for tests: switched on by [`Builder::check_invariants`](crate::Builder::check_invariants).
//!
//! It keeps its own books under one lock and aborts the process at the first contradiction, with both sides named.
//!
//! - Tasks that run never exceed the slots.
//! - A task runs in one place at a time, and only if it was started and has not ended.
//! - A task that may not move runs on its home thread.
//! - No task gives its thread back while that thread is panicking.
#![forbid(unsafe_code)]

use std::collections::HashMap;

use crate::current::Thread;
use crate::primitive::Mutex;
use crate::task::{Kind, Task};

pub(crate) struct Checker {
    slots: usize,
    running: Mutex<HashMap<usize, usize>>,
}

impl Checker {
    pub(crate) fn new(slots: usize) -> Self {
        Checker {
            slots,
            running: Mutex::new(HashMap::new()),
        }
    }

    #[cold]
    pub(crate) fn begin_run(&self, thread: &Thread, task: &'static Task) {
        let mut running = self.running.lock();
        if let Some(other) = running.insert(task.address(), thread.index) {
            broken(&format!(
                "task {} runs on worker {} and on {other}",
                task.id.get(),
                thread.index
            ));
        }
        if running.len() > self.slots {
            broken(&format!(
                "{} tasks run on {} slots",
                running.len(),
                self.slots
            ));
        }
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

    #[cold]
    pub(crate) fn end_run(&self, thread: &Thread, task: &'static Task) {
        if self.running.lock().remove(&task.address()) != Some(thread.index) {
            broken(&format!(
                "task {} left worker {} where it did not run",
                task.id.get(),
                thread.index
            ));
        }
        if std::thread::panicking() {
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
