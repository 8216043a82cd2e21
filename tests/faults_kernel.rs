//! The kernel refuses memory or a thread in the middle of a start or a spawn: a clear error, nothing lost, nobody disturbed.
//!
//! A small library, built here and loaded before the C library, refuses the first such call, then the second, and so on
//! until a run needs fewer calls. Then the same with all calls from that one on.

mod common;

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use common::{Drops, LONG, Watchdog, child, eventually};
use fiberhost::scheduler::{Backing, Guards, JoinError, Scheduler, park_for, run, yield_now};

const MAPPING: i32 = 1;
const PROTECTION: i32 = 2;
const ADVICE: i32 = 4;
const THREAD: i32 = 8;
const ALL: i32 = MAPPING | PROTECTION | ADVICE | THREAD;

/// The C library makes a heap for each thread that meets another one in `malloc`, and keeps the stacks of threads that
/// ended: how many is chance, and more than a leak would show. So there is one heap, and no stack is kept.
const KEEPS_NOTHING: &str = "glibc.malloc.arena_max=1:glibc.pthread.stack_cache_size=0";

/// Builds the library. `None`: there is no C compiler.
fn library() -> Option<PathBuf> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/refuse.c");
    // One for each process: several tests may build it at once.
    let name = format!("refuse-{}-{}.so", std::process::id(), common::os_thread());
    let library = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
        .arg(&library)
        .arg(source)
        .arg("-ldl")
        .output();
    match built {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{text}");
            Some(library)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => panic!("cc: {error}"),
    }
}

/// Runs `part` of the test in a child with the library loaded.
fn with_library(test: &str, body: fn()) {
    if child::part().is_some() {
        let _watchdog = Watchdog::new(test.to_owned());
        return body();
    }
    let Some(library) = library() else {
        eprintln!("skipped: there is no C compiler (cc) to build the library that refuses calls");
        return;
    };
    child::succeeds(test, "refused", |command| {
        command.env("LD_PRELOAD", &library);
        command.env("GLIBC_TUNABLES", KEEPS_NOTHING);
    });
    std::fs::remove_file(library).unwrap();
}

/// The function of this name in the library.
fn symbol(name: &std::ffi::CStr) -> *mut libc::c_void {
    // SAFETY: a name that ends in a zero.
    let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    assert!(!symbol.is_null(), "the library is loaded");
    symbol
}

fn refuse(kinds: i32, call: i32, for_good: bool) {
    type Refuse = extern "C" fn(i32, i32, i32);
    // SAFETY: this is the function's type.
    let refuse: Refuse = unsafe { std::mem::transmute(symbol(c"fiberhost_refuse")) };
    refuse(kinds, call, for_good.into());
}

fn refused() -> i32 {
    // SAFETY: this is the function's type.
    let refused: extern "C" fn() -> i32 =
        unsafe { std::mem::transmute(symbol(c"fiberhost_refused")) };
    refused()
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps")
        .unwrap()
        .lines()
        .count()
}

/// Runs `work` with the first call refused, then the second, until one run gets all it asks for; then for good.
fn refuse_each(kinds: i32, work: impl Fn(bool)) {
    for for_good in [false, true] {
        for call in 1.. {
            assert!(call < 1000, "a run makes a bounded number of calls");
            refuse(kinds, call, for_good);
            work(for_good);
            let refused = refused();
            refuse(0, 0, false);
            if refused == 0 {
                assert!(call > 1, "nothing was ever refused");
                break;
            }
        }
    }
}

/// Everything works with this one.
fn works(scheduler: &Scheduler) {
    let tasks: Vec<_> = (0..20_usize)
        .map(|number| {
            let task = scheduler.task();
            let task = match number % 4 {
                0 => task.stack_size(300_000 << (number / 4)),
                1 => task.backing(Backing::Thread),
                _ => task,
            };
            task.spawn(move || {
                yield_now();
                number
            })
            .unwrap()
        })
        .collect();
    for (number, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.join().unwrap(), number);
    }
}

#[test]
fn a_start_that_is_refused_leaves_nothing() {
    with_library("a_start_that_is_refused_leaves_nothing", || {
        let build = || Scheduler::builder().workers(3).build();
        works(&build().unwrap());
        eventually("its threads are gone", || threads() <= 3);
        let (threads_before, mappings_before) = (threads(), mappings());
        refuse_each(ALL, |_| {
            let built = build();
            let failed = refused() > 0;
            refuse_nothing_more(failed, &built);
            if let Ok(scheduler) = built {
                scheduler.shutdown(LONG).unwrap();
            }
            eventually("no thread is left", || threads() <= threads_before);
        });
        works(&build().unwrap());
        eventually("no thread is left", || threads() <= threads_before);
        // Two for the stack of a last thread, which the next one to end would have given back.
        assert!(
            mappings() <= mappings_before + 2,
            "{} before {mappings_before}",
            mappings()
        );
    });
}

/// The same where a start has more parts: threads for bound tasks, and a lane for emergencies.
#[test]
fn a_start_of_all_parts_that_is_refused_leaves_nothing() {
    with_library(
        "a_start_of_all_parts_that_is_refused_leaves_nothing",
        || {
            let before = threads();
            refuse_each(ALL, |_| {
                let builder = Scheduler::builder().workers(3).bound_workers(1);
                let built = builder.emergency_lane(true).build();
                refuse_nothing_more(refused() > 0, &built);
                if let Ok(scheduler) = built {
                    scheduler.shutdown(LONG).unwrap();
                }
                eventually("no thread is left", || threads() <= before);
            });
            // Who has no error to return panics.
            refuse(THREAD, 1, true);
            let caught = std::panic::catch_unwind(|| run(|| 5)).unwrap_err();
            refuse(0, 0, false);
            let text = caught.downcast::<String>().expect("the reason");
            assert!(text.starts_with("no scheduler: "), "{text}");
            assert!(text.contains("unavailable"), "{text}");
            assert_eq!(run(|| 5), 5);
        },
    );
}

/// A refused thread is an error of the build; anything else it can do without.
fn refuse_nothing_more(failed: bool, built: &std::io::Result<Scheduler>) {
    match built {
        Err(error) => {
            assert!(failed, "{error}");
            assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
        }
        Ok(scheduler) => assert_eq!(scheduler.workers(), 3),
    }
}

/// Spawns tasks that need new stacks and threads while calls are refused; each either ends well or says that it was refused.
fn spawns_are_refused_one_by_one(guards: Guards, kinds: i32) {
    let scheduler = Scheduler::builder().workers(2).guards(guards);
    let scheduler = scheduler.build().unwrap();
    // One that is there all the time, and must notice nothing.
    let (stop, turns) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let (quit, count) = (Arc::clone(&stop), Arc::clone(&turns));
    let other = scheduler.spawn(move || {
        while !quit.load(Ordering::SeqCst) {
            park_for(Duration::from_micros(100));
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    // Its stack comes with its first turn, and is not to be among what is refused.
    eventually("the other one runs", || turns.load(Ordering::SeqCst) > 0);
    let ever_refused = AtomicUsize::new(0);
    refuse_each(kinds, |_| {
        // A scheduler of its own, so that its stacks are new each time.
        let fresh = Scheduler::builder().workers(1).guards(guards);
        // Its own threads are not what is tested here.
        let Ok(fresh) = fresh.build() else { return };
        let drops = Drops::new();
        let tasks: Vec<_> = (0..12_usize)
            .map(|number| {
                let dropped = drops.one();
                let task = fresh.task();
                let task = match number % 3 {
                    0 => task.stack_size((64 * 1024) << (number / 3)),
                    1 => task.backing(Backing::Thread),
                    _ => task,
                };
                let task = task.spawn(move || {
                    yield_now();
                    drop(dropped);
                    number
                });
                task.expect("the record is there; the stack comes later")
            })
            .collect();
        for (number, task) in tasks.into_iter().enumerate() {
            match task.join() {
                Ok(value) => assert_eq!(value, number),
                Err(error) => {
                    assert!(refused() > 0, "{error}");
                    ever_refused.fetch_add(1, Ordering::SeqCst);
                    is_clear(&error);
                }
            }
        }
        assert_eq!(drops.count(), 12, "every closure is dropped");
        let before = turns.load(Ordering::SeqCst);
        eventually("the other one goes on", || {
            turns.load(Ordering::SeqCst) > before
        });
        // The same scheduler works once the kernel gives again.
        refuse_pausing(|| works(&fresh));
        fresh.shutdown(LONG).unwrap();
    });
    assert!(
        ever_refused.load(Ordering::SeqCst) > 0,
        "no task was ever refused"
    );
    works(&scheduler);
    stop.store(true, Ordering::SeqCst);
    other.join().unwrap();
    scheduler.shutdown(LONG).unwrap();
}

/// Runs something with nothing refused. What was counted so far stays counted.
fn refuse_pausing(work: impl FnOnce()) {
    type Pause = extern "C" fn(i32) -> i32;
    // SAFETY: this is the function's type.
    let pause: Pause = unsafe { std::mem::transmute(symbol(c"fiberhost_refuse_only")) };
    let kinds = pause(0);
    work();
    pause(kinds);
}

fn is_clear(error: &JoinError) {
    assert!(error.is_refused(), "{error}");
    assert!(!error.is_panic() && !error.is_cancelled() && !error.is_interrupted());
    let text = error.to_string();
    assert!(text.starts_with("the task could not start: "), "{text}");
    assert!(
        text.contains("memory") || text.contains("guard") || text.contains("unavailable"),
        "{text}"
    );
}

#[test]
fn a_stack_with_the_best_guards_that_is_refused() {
    with_library("a_stack_with_the_best_guards_that_is_refused", || {
        spawns_are_refused_one_by_one(Guards::Best, MAPPING | ADVICE | THREAD);
    });
}

#[test]
fn a_stack_with_protected_guards_that_is_refused() {
    with_library("a_stack_with_protected_guards_that_is_refused", || {
        spawns_are_refused_one_by_one(Guards::Mprotect, MAPPING | PROTECTION | THREAD);
    });
}

#[test]
fn guards_are_protected_where_the_kernel_cannot_install_them() {
    with_library(
        "guards_are_protected_where_the_kernel_cannot_install_them",
        || {
            // As on a kernel before 6.13: all advice is refused.
            refuse(ADVICE, 1, true);
            let scheduler = Scheduler::builder().workers(2).build().unwrap();
            works(&scheduler);
            assert!(refused() > 0);
            scheduler.shutdown(LONG).unwrap();
            // And if that is refused too, the task does not start: no stack is without a guard.
            refuse(ADVICE | PROTECTION, 1, true);
            let scheduler = Scheduler::builder().workers(1).build().unwrap();
            let error = scheduler.spawn(|| ()).join().unwrap_err();
            is_clear(&error);
            assert!(error.to_string().contains("guard"), "{error}");
            refuse(0, 0, false);
            works(&scheduler);
            scheduler.shutdown(LONG).unwrap();
        },
    );
}
