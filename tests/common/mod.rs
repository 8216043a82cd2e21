//! What the integration tests share: a scheduler at several sizes, a watchdog, and questions to the kernel.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod c;
pub(crate) mod cargo;
pub(crate) mod child;
pub(crate) mod delays;
pub(crate) mod sides;
pub(crate) mod waits;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use fiberhost::scheduler::{Backing, Builder, Scheduler, TaskRef, WaitReason, yield_now};

/// Longer than anything here takes on a loaded machine; only a failure waits for so long.
pub(crate) const LONG: Duration = Duration::from_secs(30);
/// Long enough to tell "it waits" from "it does not".
pub(crate) const SHORT: Duration = Duration::from_millis(20);

/// What tasks run on by default: each test runs in both ways; on the other switch only where there are switches.
#[cfg(not(fiberhost_switch = "corosensei"))]
pub(crate) const BACKINGS: [Backing; 2] = [Backing::Fiber, Backing::Thread];
#[cfg(fiberhost_switch = "corosensei")]
pub(crate) const BACKINGS: [Backing; 1] = [Backing::Fiber];

/// Runs a test at one, two and four workers, with tasks on fibers and on threads of their own, and with the invariants
/// checked at every switch; at the end nothing may be left.
#[track_caller]
pub(crate) fn at_workers(test: impl Fn(&Scheduler)) {
    for workers in [1, 2, 4] {
        at(workers, &test);
    }
}

/// The same at one size.
#[track_caller]
pub(crate) fn at(workers: usize, test: impl Fn(&Scheduler)) {
    with(checked(workers), test);
}

/// The same for what is about fibers: who shares a thread with whom, or what a thread or a stack of the scheduler's does.
#[track_caller]
pub(crate) fn at_on_fibers(workers: usize, test: impl Fn(&Scheduler)) {
    with_on_fibers(checked(workers), test);
}

/// The same at one, two and four workers.
#[track_caller]
pub(crate) fn at_workers_on_fibers(test: impl Fn(&Scheduler)) {
    for workers in [1, 2, 4] {
        at_on_fibers(workers, &test);
    }
}

/// A builder with so many workers that checks the invariants.
pub(crate) fn checked(workers: usize) -> Builder {
    Scheduler::builder().workers(workers).check_invariants(true)
}

/// Runs a test in both ways, each time on a scheduler of its own, which must be empty when the test returns, and shuts it down.
#[track_caller]
pub(crate) fn with(builder: Builder, test: impl Fn(&Scheduler)) {
    for backing in BACKINGS {
        run(builder.clone().default_backing(backing), backing, &test);
    }
}

/// The same with tasks on fibers alone.
#[track_caller]
pub(crate) fn with_on_fibers(builder: Builder, test: impl Fn(&Scheduler)) {
    run(builder, Backing::Fiber, test);
}

/// The same in both ways, for a test that asks which one it is.
#[track_caller]
pub(crate) fn with_each(builder: Builder, test: impl Fn(&Scheduler, Backing)) {
    for backing in BACKINGS {
        let builder = builder.clone().default_backing(backing);
        run(builder, backing, |scheduler| test(scheduler, backing));
    }
}

/// The same in one of the ways, by a builder that says so.
#[track_caller]
pub(crate) fn with_as(builder: Builder, backing: Backing, test: impl Fn(&Scheduler)) {
    run(builder, backing, test);
}

#[track_caller]
fn run(builder: Builder, backing: Backing, test: impl Fn(&Scheduler)) {
    let caller = std::panic::Location::caller();
    let _watchdog = Watchdog::new(format!("{caller}, {backing:?}"));
    // Shown where a test fails.
    eprintln!("{caller}: tasks on a {backing:?}");
    let scheduler = builder.build().expect("a scheduler");
    test(&scheduler);
    // A task's joiner may go on a moment before the task is counted as ended.
    eventually("all tasks have ended", || scheduler.stats().live() == 0);
    scheduler
        .shutdown(LONG)
        .expect("nothing is left to wait for");
    let stats = scheduler.stats();
    assert_eq!(stats.spawned, stats.ended, "every task ends once");
}

/// Aborts the process if it is not dropped in time: a hang is a failure with a name.
pub(crate) struct Watchdog {
    _off: Sender<()>,
}

impl Watchdog {
    pub(crate) fn new(what: String) -> Watchdog {
        Watchdog::with_limit(what, Duration::from_secs(120))
    }

    pub(crate) fn with_limit(what: String, limit: Duration) -> Watchdog {
        let (off, wait) = channel::<()>();
        std::thread::spawn(move || {
            if wait.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                eprintln!("the test at {what} hangs; aborting");
                std::process::abort();
            }
        });
        Watchdog { _off: off }
    }
}

/// Looks again and again until something that cannot be waited for is so. From a task it lets the others run.
#[track_caller]
pub(crate) fn eventually(what: &str, so: impl Fn() -> bool) {
    let until = Instant::now() + LONG;
    while !so() {
        assert!(Instant::now() < until, "it never came about that {what}");
        yield_now();
        if fiberhost::scheduler::try_current().is_none() {
            std::thread::sleep(Duration::from_micros(100));
        }
    }
}

/// Until the task says that it waits for this. It may still be on the way into the wait.
#[track_caller]
pub(crate) fn until_waits(task: &TaskRef, reason: WaitReason) {
    eventually(&format!("a task waits for {reason}"), || {
        task.wait_reason() == reason
    });
}

/// The calling OS thread, as the kernel knows it. Never inlined, and laundered: asked again after a wait it is asked anew.
#[inline(never)]
pub(crate) fn os_thread() -> libc::pid_t {
    // SAFETY: the call takes nothing and touches no memory.
    let id = unsafe { libc::syscall(libc::SYS_gettid) } as libc::pid_t;
    std::hint::black_box(id)
}

/// Whether the kernel has put this thread of ours to sleep.
pub(crate) fn sleeps(thread: libc::pid_t) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")).unwrap();
    let state = stat.rsplit(')').next().unwrap().trim_start();
    state.starts_with('S')
}

/// Counts how often it was dropped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drops(Arc<AtomicUsize>);

impl Drops {
    pub(crate) fn new() -> Drops {
        Drops::default()
    }

    /// Something whose drop is counted.
    pub(crate) fn one(&self) -> Dropped {
        Dropped(Arc::clone(&self.0))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

#[derive(Debug)]
pub(crate) struct Dropped(Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Calls a closure when it is dropped, in an unwinding too.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Computes without waiting until something is so: what keeps a worker to itself.
#[track_caller]
pub(crate) fn hog_until(so: impl Fn() -> bool) {
    let until = Instant::now() + LONG;
    while !so() {
        assert!(Instant::now() < until, "a task kept its worker in vain");
        std::hint::spin_loop();
    }
}

static UNEXPECTED: AtomicUsize = AtomicUsize::new(0);

/// Silences panics whose words begin with "expected", and counts the others.
pub(crate) fn expect_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let expected = info
                .payload()
                .downcast_ref::<&str>()
                .is_some_and(|text| text.starts_with("expected"));
            if !expected {
                UNEXPECTED.fetch_add(1, Ordering::SeqCst);
                usual(info);
            }
        }));
    });
}

/// How many there were since `expect_panics`: for panics of tasks that nobody joins.
pub(crate) fn unexpected_panics() -> usize {
    UNEXPECTED.load(Ordering::SeqCst)
}
