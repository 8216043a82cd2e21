//! The quantum of guests: a thread that advances wasmtime's epoch while guests run, and sleeps otherwise.
//!
//! A guest that begins sets its deadline to the next epoch and then says that it runs; at each epoch that it meets it says so
//! again. The thread takes that back when it advances the epoch, and sleeps when [`QUIET`] epochs have passed without anybody.
//!
//! Nobody is forgotten. A guest that finds the mark set has its deadline already: who takes the mark back advances the epoch
//! after that, so the guest meets it. A guest that sets the mark looks whether the thread sleeps; the thread says that it
//! sleeps and looks at the mark once more. Both are sequentially consistent, so at least one of them sees the other.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wasmtime::Engine;

/// How long a guest runs before it is asked whether others are to.
pub const QUANTUM: Duration = Duration::from_millis(4);
/// Epochs that pass without a guest before the thread sleeps.
const QUIET: u32 = 8;

#[derive(Debug, Default)]
struct Marks {
    /// A guest has run since the last epoch.
    runs: AtomicBool,
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

    /// A guest runs, and its deadline is set.
    pub(super) fn note_guest(&self) {
        if self.marks.runs.load(Ordering::SeqCst) {
            return;
        }
        self.marks.runs.store(true, Ordering::SeqCst);
        if self.marks.sleeps.load(Ordering::SeqCst) {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

fn advance(engine: &Engine, marks: &Marks) {
    let mut quiet = 0;
    while !marks.ends.load(Ordering::SeqCst) {
        thread::sleep(QUANTUM);
        let ran = marks.runs.swap(false, Ordering::SeqCst);
        engine.increment_epoch();
        quiet = if ran { 0 } else { quiet + 1 };
        if quiet < QUIET {
            continue;
        }
        marks.sleeps.store(true, Ordering::SeqCst);
        while !marks.runs.load(Ordering::SeqCst) && !marks.ends.load(Ordering::SeqCst) {
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
