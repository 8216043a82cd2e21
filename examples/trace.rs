//! A trace of real tasks as a picture: `cargo run --release --example trace -- FOLDER` writes `trace.svg` there, and
//! `trace.json` for `ui.perfetto.dev`. The picture in the README is made by it.
//!
//! What is traced: a producer sends orders over a channel, three clerks take them and share a ledger behind a mutex, one of
//! them calls native code, and a clock ticks beside them.

#![allow(unreachable_pub, reason = "the example is a module of a test as well")]

#[path = "trace/picture.rs"]
mod picture;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fiberhost::scheduler::native::{self, Target};
use fiberhost::scheduler::sync::{Mutex, channel};
use fiberhost::scheduler::trace::{Recording, Trace};
use fiberhost::scheduler::{Scheduler, sleep};

use picture::Names;

static SEAL: Target = Target::new("seal");

/// Uses the processor for about so long.
fn compute(time: Duration) {
    let until = Instant::now() + time;
    while Instant::now() < until {
        std::hint::spin_loop();
    }
}

const fn us(time: u64) -> Duration {
    Duration::from_micros(time)
}

/// Where some tasks keep their workers until all have started.
///
/// A task stays where it starts: so these are on different workers.
struct Start {
    started: AtomicUsize,
    go: AtomicBool,
}

impl Start {
    const TASKS: usize = 2;

    fn arrive(&self) {
        self.started.fetch_add(1, Ordering::SeqCst);
        while !self.go.load(Ordering::SeqCst) {
            std::hint::spin_loop();
        }
        // What is recorded of a task begins with its next turn.
        sleep(us(1));
    }

    fn let_go(&self) {
        self.go.store(true, Ordering::SeqCst);
    }

    fn wait_for_all(&self) {
        while self.started.load(Ordering::SeqCst) < Start::TASKS {
            std::thread::yield_now();
        }
    }
}

/// Runs the tasks; what was recorded of them, and their names.
fn record() -> std::io::Result<(Trace, Names)> {
    let scheduler = Scheduler::builder().workers(Start::TASKS).build()?;
    let mut names = Names::new();
    let (sender, receiver) = channel::bounded::<u64>(2);
    let ledger = Arc::new(Mutex::new(0));
    let mut tasks = Vec::new();
    let mut spawn = |name: &'static str, work: Box<dyn FnOnce() + Send>| {
        let task = scheduler.task().name(name).spawn(work);
        let task = task.expect("memory for a task");
        names.insert(task.task().id(), name);
        tasks.push(task);
    };
    let start = Arc::new(Start {
        started: AtomicUsize::new(0),
        go: AtomicBool::new(false),
    });
    for (place, name) in ["clerk 1", "clerk 2", "clerk 3"].into_iter().enumerate() {
        let (receiver, ledger) = (receiver.clone(), Arc::clone(&ledger));
        let start = Arc::clone(&start);
        spawn(
            name,
            Box::new(move || {
                if place < Start::TASKS {
                    start.arrive();
                }
                for order in receiver.iter() {
                    compute(us(30));
                    let mut sum = ledger.lock();
                    compute(us(20));
                    *sum += order;
                    drop(sum);
                    if order % 8 == 0 {
                        native::section(&SEAL, || compute(us(40)));
                    }
                }
            }),
        );
    }
    drop(receiver);
    start.wait_for_all();
    scheduler.set_trace(Recording::Switches);
    let done = Arc::new(AtomicBool::new(false));
    let closes = Arc::clone(&done);
    spawn(
        "producer",
        Box::new(move || {
            for order in 1..=24 {
                compute(us(15));
                sender.send(order).expect("the clerks are there");
            }
            closes.store(true, Ordering::Relaxed);
        }),
    );
    spawn(
        "clock",
        Box::new(move || {
            while !done.load(Ordering::Relaxed) {
                sleep(us(150));
                compute(us(10));
            }
        }),
    );
    start.let_go();
    for task in tasks {
        task.join().expect("no panic");
    }
    let trace = scheduler.trace();
    Ok((trace, names))
}

/// Writes both files, and says so.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let folder = arguments.into_iter().next();
    let folder = PathBuf::from(folder.unwrap_or_else(|| ".".into()));
    let (trace, names) = record()?;
    for (name, text) in [
        ("trace.svg", picture::draw(&trace, &names)),
        ("trace.json", trace.chrome()),
    ] {
        let path = folder.join(name);
        std::fs::write(&path, text)?;
        writeln!(out, "{}", path.display())?;
    }
    writeln!(out, "{} events, {} lost", trace.events.len(), trace.lost)
}

/// The command.
pub fn main() -> ExitCode {
    match run(std::env::args_os().skip(1), &mut std::io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("trace: {error}");
            ExitCode::FAILURE
        }
    }
}
