//! The scheduler inside a C library: entry points of its own for tests that load it.
//!
//! In a shared library the compiler addresses thread-locals otherwise than in an executable, and keeps such addresses
//! across calls. A task that goes on on another thread must all the same be told which thread that is.

mod host;

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use fiberhost_scheduler::{Scheduler, TaskBuilder, current_worker, yield_now};

pub use host::{
    Plan, Work, fiberhost_cdylib_adopt, fiberhost_cdylib_callback, fiberhost_cdylib_enter,
    fiberhost_cdylib_event, fiberhost_cdylib_free_event, fiberhost_cdylib_leave,
    fiberhost_cdylib_let_go, fiberhost_cdylib_set, fiberhost_cdylib_spawn,
    fiberhost_cdylib_spawn_panic, fiberhost_cdylib_start, fiberhost_cdylib_stop,
    fiberhost_cdylib_until_exit, fiberhost_cdylib_wait, fiberhost_cdylib_wait_event,
    fiberhost_cdylib_worker, fiberhost_cdylib_yield,
};

const WORKERS: usize = 4;
/// No thread has this number.
const NOBODY: usize = 0;

thread_local! {
    /// What a library would keep by thread: for the twin, which reads it as one should not.
    static NAIVE: Cell<usize> = const { Cell::new(NOBODY) };
}

/// What came of a run.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Migrations {
    /// How often a task found itself on another thread after a yield.
    pub moves: u64,
    /// How often the scheduler named the wrong worker. Must be 0.
    pub wrong: u64,
    /// How often a thread-local that was read in line, before and after, was another thread's: the twin.
    pub naive_wrong: u64,
}

#[derive(Default)]
struct Books {
    /// The thread of each worker, as its tasks have found it.
    threads: [AtomicUsize; WORKERS],
    moves: AtomicU64,
    wrong: AtomicU64,
    naive_wrong: AtomicU64,
}

fn thread_number() -> usize {
    // SAFETY: the call has no arguments and always succeeds. It is asked of the kernel, so nothing can be cached.
    let number = unsafe { libc::syscall(libc::SYS_gettid) };
    usize::try_from(number).expect("a thread has a number")
}

impl Books {
    /// Worker and thread belong together for ever.
    #[inline(always)]
    fn check(&self, thread: usize) {
        let worker = current_worker().expect("called from a task");
        let known = &self.threads[worker];
        let first = known.compare_exchange(NOBODY, thread, Ordering::Relaxed, Ordering::Relaxed);
        if first.is_err_and(|other| other != thread) {
            self.wrong.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// One task: everything in one function, so that the compiler may keep what it can.
    fn wander(&self, yields: u64) {
        let mut before = thread_number();
        for _ in 0..yields {
            self.check(before);
            NAIVE.with(|naive| naive.set(before));
            yield_now();
            let after = thread_number();
            self.check(after);
            if after != before {
                self.moves.fetch_add(1, Ordering::Relaxed);
                // On the new thread nobody has set it to the old thread's number: if it reads so, the address is stale.
                if NAIVE.with(Cell::get) == before {
                    self.naive_wrong.fetch_add(1, Ordering::Relaxed);
                }
            }
            before = after;
        }
    }
}

/// Lets mobile tasks wander over four workers and checks after each yield who runs them.
pub fn migrations(tasks: u64, yields: u64) -> Migrations {
    let scheduler = Scheduler::builder()
        .workers(WORKERS)
        .force_migration(true)
        .build()
        .expect("the system has threads");
    let books = Arc::new(Books::default());
    let spawner = Arc::clone(&books);
    scheduler.run(move || {
        let tasks = (0..tasks).map(|_| {
            let books = Arc::clone(&spawner);
            // SAFETY: what lies on the stack at a yield is a number, a counter and an `Arc`. The thread-local is read in
            // line before and after on purpose: it is plain data, and what it shows is counted, not relied on.
            let spawned = unsafe { TaskBuilder::new().spawn_mobile(move || books.wander(yields)) };
            spawned.expect("memory for a task")
        });
        let tasks: Vec<_> = tasks.collect();
        for task in tasks {
            task.join().expect("wandering does not fail");
        }
    });
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    Migrations {
        moves: read(&books.moves),
        wrong: read(&books.wrong),
        naive_wrong: read(&books.naive_wrong),
    }
}

/// Runs [`migrations`]; one run at a time.
#[unsafe(no_mangle)]
pub extern "C" fn fiberhost_cdylib_migrations(tasks: u64, yields: u64) -> Migrations {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock();
    migrations(tasks, yields)
}
