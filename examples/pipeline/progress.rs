//! How far the job is, and a line on the terminal that shows it.
#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fiberhost::scheduler::Wake;
use fiberhost::scheduler::sync::ManualResetEvent;

use super::report::Bytes;

const REDRAW: Duration = Duration::from_millis(100);
const WIDTH: u64 = 30;

/// Whether there is a terminal to draw on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drawing {
    Off,
    OnStderr,
}

/// Counted by the stages, read by who draws. Relaxed everywhere: figures to look at.
#[derive(Debug)]
pub(crate) struct Progress {
    began: Instant,
    counted: AtomicU64,
    done: AtomicU64,
    bytes: AtomicU64,
    all_counted: AtomicBool,
    finished: ManualResetEvent,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Progress {
            began: Instant::now(),
            counted: AtomicU64::new(0),
            done: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            all_counted: AtomicBool::new(false),
            finished: ManualResetEvent::new(false),
        }
    }

    /// There is one more file.
    pub(crate) fn counted(&self) {
        self.counted.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn all_counted(&self) {
        self.all_counted.store(true, Ordering::Relaxed);
    }

    /// One more was read to its end, or given up.
    pub(crate) fn done(&self, bytes: u64) {
        self.done.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Ends the drawing when the value is dropped, by a panic too.
    pub(crate) fn finish_at_end(&self) -> Finish<'_> {
        Finish(self)
    }

    /// Draws until the job is finished, and leaves an empty line.
    pub(crate) fn draw(&self) {
        loop {
            show(&self.line());
            if self.finished.wait_for(REDRAW) != Wake::TimedOut {
                break show("");
            }
        }
    }

    fn line(&self) -> String {
        let done = self.done.load(Ordering::Relaxed);
        // Files come and go while they are counted.
        let all = self.counted.load(Ordering::Relaxed).max(done);
        let bytes = self.bytes.load(Ordering::Relaxed);
        let seconds = self.began.elapsed().as_secs_f64();
        let filled = WIDTH * done / all.max(1);
        let bar: String = (0..WIDTH)
            .map(|at| if at < filled { '=' } else { ' ' })
            .collect();
        let more = if self.all_counted.load(Ordering::Relaxed) {
            ""
        } else {
            "+"
        };
        let rate = bytes as f64 / seconds / 1e6;
        format!(
            "[{bar}] {done} of {all}{more} files, {}, {rate:.0} MB/s",
            Bytes(bytes)
        )
    }
}

/// Replaces the last line of the terminal. A terminal that is gone is no reason to stop.
fn show(line: &str) {
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "\r\x1b[K{line}").and_then(|()| stderr.flush());
}

/// See [`Progress::finish_at_end`].
pub(crate) struct Finish<'a>(&'a Progress);

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        self.0.finished.set();
    }
}
