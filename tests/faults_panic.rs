//! What nobody could go on from ends the process, with words; what looks like it does not.

mod common;

use std::os::unix::process::ExitStatusExt;
use std::process::Output;

use common::{LONG, OnDrop, child, expect_panics};
use fiberhost::scheduler::{Backing, Scheduler, park, spawn, yield_now};

/// Runs the test's child part, which must not come back.
fn dies(test: &str, part: &str) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = child::run(test, part, |_| ());
    assert!(!status.success(), "{test} ({part}) came back");
    (
        status.signal(),
        String::from_utf8_lossy(&stderr).into_owned(),
    )
}

fn backing(part: &str) -> Backing {
    if part.starts_with("thread") {
        Backing::Thread
    } else {
        Backing::Fiber
    }
}

/// Runs something as a task, in a child; the process is not to survive it.
fn in_a_task(part: &str, work: fn()) -> ! {
    let scheduler = Scheduler::builder().workers(2).build().unwrap();
    let task = scheduler.task().backing(backing(part)).spawn(work).unwrap();
    let ended = task.join();
    eprintln!("the task ended with {ended:?}");
    std::process::exit(0);
}

#[test]
fn a_panic_while_panicking_ends_the_process_with_words() {
    const NAME: &str = "a_panic_while_panicking_ends_the_process_with_words";
    if let Some(part) = child::part() {
        in_a_task(&part, || {
            let _second = OnDrop(|| panic!("the second one"));
            panic!("the first one");
        });
    }
    for part in ["fiber", "thread"] {
        let (signal, text) = dies(NAME, part);
        assert_eq!(signal, Some(libc::SIGABRT), "{text}");
        assert!(text.contains("the first one"), "{text}");
        assert!(text.contains("the second one"), "{text}");
        assert!(text.contains("abort"), "{text}");
    }
}

#[test]
fn a_panic_while_an_abort_unwinds_ends_the_process_with_words() {
    const NAME: &str = "a_panic_while_an_abort_unwinds_ends_the_process_with_words";
    if let Some(part) = child::part() {
        in_a_task(&part, || {
            let _second = OnDrop(|| panic!("while it is unwound"));
            fiberhost::scheduler::current().abort();
            yield_now();
        });
    }
    for part in ["fiber", "thread"] {
        let (signal, text) = dies(NAME, part);
        assert_eq!(signal, Some(libc::SIGABRT), "{text}");
        assert!(text.contains("while it is unwound"), "{text}");
    }
}

#[test]
fn an_overflow_of_a_stack_hits_the_guard() {
    const NAME: &str = "an_overflow_of_a_stack_hits_the_guard";
    #[expect(unconditional_recursion, reason = "it ends at the guard")]
    #[inline(never)]
    fn deeper(level: u64) -> u64 {
        let page = std::hint::black_box([level; 256]);
        // Not the last call, so that no compiler makes a loop of it.
        deeper(level + 1) + std::hint::black_box(page)[3]
    }
    /// Its frame is larger than a page, and smaller than a guard.
    #[expect(unconditional_recursion, reason = "it ends at the guard")]
    #[inline(never)]
    fn wide(level: u64) -> u64 {
        let pages = std::hint::black_box([level; 5000]);
        wide(level + 1) + std::hint::black_box(pages)[3]
    }
    if let Some(part) = child::part() {
        if part.ends_with("wide") {
            in_a_task(&part, || _ = std::hint::black_box(wide(0)));
        }
        in_a_task(&part, || _ = std::hint::black_box(deeper(0)));
    }
    for part in ["fiber", "fiber wide", "thread", "thread wide"] {
        let (signal, text) = dies(NAME, part);
        let killed = [Some(libc::SIGSEGV), Some(libc::SIGABRT)];
        assert!(killed.contains(&signal), "{part}: {signal:?} {text}");
    }
}

/// Panics when it is dropped, with another one of its kind, so many times.
struct Bombs(u32);

impl Drop for Bombs {
    fn drop(&mut self) {
        if self.0 > 0 && !std::thread::panicking() {
            std::panic::resume_unwind(Box::new(Bombs(self.0 - 1)));
        }
    }
}

fn panic_with(value: Bombs) {
    std::panic::resume_unwind(Box::new(value))
}

#[test]
fn a_panic_s_own_value_may_panic_when_it_is_dropped() {
    expect_panics();
    for workers in [1, 2] {
        let scheduler = Scheduler::builder().workers(workers).build().unwrap();
        for backing in [Backing::Fiber, Backing::Thread] {
            // Nobody takes it: it goes at the end of the task, on whichever stack, and takes nothing with it.
            for count in [1, 2, 3, 100] {
                let task = scheduler.task().backing(backing);
                drop(task.spawn(move || panic_with(Bombs(count))).unwrap());
                let task = scheduler.task().backing(backing);
                drop(task.spawn(move || Bombs(count)).unwrap());
                let task = scheduler.task().backing(backing);
                let ended = task.spawn(move || Bombs(count)).unwrap();
                ended.task().wait().unwrap();
                drop(ended);
            }
            // Somebody does, and it is his.
            let task = scheduler.task().backing(backing);
            let task = task.spawn(|| panic_with(Bombs(1)));
            let error = task.unwrap().join().unwrap_err();
            assert!(error.is_panic());
            let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(error)));
            assert!(dropped.is_err());
        }
        scheduler.run(|| spawn(yield_now).join().unwrap());
        scheduler.shutdown(LONG).unwrap();
    }
}

#[test]
fn a_closure_that_never_runs_may_panic_when_it_is_dropped() {
    expect_panics();
    let scheduler = Scheduler::builder().workers(1).build().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let hog = scheduler.spawn(move || {
        tell.send(()).unwrap();
        wait.recv().unwrap();
    });
    told.recv().unwrap();
    let tasks: Vec<_> = (0..5)
        .map(|_| {
            let bomb = OnDrop(|| panic!("expected, in a closure that never ran"));
            scheduler.spawn(move || drop(bomb))
        })
        .collect();
    std::thread::scope(|threads| {
        let shutdown = threads.spawn(|| scheduler.shutdown(LONG));
        for task in tasks {
            assert!(task.join().unwrap_err().is_panic());
        }
        go.send(()).unwrap();
        shutdown.join().unwrap().unwrap();
    });
    hog.join().unwrap();
    // And one that is refused at once.
    let bomb = OnDrop(|| panic!("expected, in a closure that came late"));
    let late = scheduler.spawn(move || drop(bomb));
    assert!(late.join().unwrap_err().is_panic());
}

#[test]
fn a_parked_task_that_is_forgotten_does_not_keep_the_process() {
    const NAME: &str = "a_parked_task_that_is_forgotten_does_not_keep_the_process";
    if child::part().is_some() {
        let scheduler = Scheduler::builder().workers(2).build().unwrap();
        let task = scheduler.spawn(park);
        // Neither is dropped: the process just ends.
        std::mem::forget((scheduler, task));
        return;
    }
    child::succeeds(NAME, "forgets", |_| ());
}
