//! The quantum of guests: a thread that advances wasmtime's epoch while guests run, and sleeps otherwise.
//!
//! A guest counts as running until it has returned, or gives its thread back to wait; also while it lets others run at the end
//! of a quantum, however long they take, since its next deadline is set after that. While anybody counts the thread advances
//! the epoch, so each deadline is met.
//!
//! When nobody has counted for [`QUIET`] epochs the thread sleeps. A guest that begins counts and looks whether the thread
//! sleeps; the thread says that it sleeps and looks at the count once more. All of that is sequentially consistent, so at
//! least one of them sees the other.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wasmtime::Engine;

/// How long a guest runs before it is asked whether others are to.
pub const QUANTUM: Duration = Duration::from_millis(4);
/// Epochs that pass without a guest before the thread sleeps: calls come in rows.
const QUIET: u32 = 8;

#[derive(Debug, Default)]
struct Marks {
    /// Guests that run.
    running: AtomicUsize,
    sleeps: AtomicBool,
    ends: AtomicBool,
}

/// See the module docs.
#[derive(Debug)]
pub(super) struct Clock {
    marks: Arc<Marks>,
    thread: Option<JoinHandle<()>>,
}

impl Clock {
    pub(super) fn start(engine: &Engine) -> std::io::Result<Clock> {
        let marks = Arc::<Marks>::default();
        let (engine, seen) = (engine.clone(), Arc::clone(&marks));
        let thread = thread::Builder::new()
            .name("wasm epochs".to_owned())
            .spawn(move || advance(&engine, &seen))?;
        Ok(Clock {
            marks,
            thread: Some(thread),
        })
    }

    /// A guest runs from now until this is dropped.
    pub(super) fn running(&self) -> Running<'_> {
        self.marks.running.fetch_add(1, Ordering::SeqCst);
        if self.marks.sleeps.load(Ordering::SeqCst) {
            self.wake();
        }
        Running(&self.marks)
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

/// See [`Clock::running`].
#[derive(Debug)]
#[must_use = "the guest runs as long as it is there"]
pub(super) struct Running<'c>(&'c Marks);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

fn advance(engine: &Engine, marks: &Marks) {
    let mut quiet = 0;
    while !marks.ends.load(Ordering::SeqCst) {
        thread::sleep(QUANTUM);
        engine.increment_epoch();
        let is_quiet = marks.running.load(Ordering::SeqCst) == 0;
        quiet = if is_quiet { quiet + 1 } else { 0 };
        if quiet < QUIET {
            continue;
        }
        marks.sleeps.store(true, Ordering::SeqCst);
        while marks.running.load(Ordering::SeqCst) == 0 && !marks.ends.load(Ordering::SeqCst) {
            thread::park();
        }
        marks.sleeps.store(false, Ordering::SeqCst);
        quiet = 0;
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.marks.ends.store(true, Ordering::SeqCst);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // It does not panic, and if it has there is nothing left to end.
            let _ = thread.join();
        }
    }
}
