//! An engine that locks its memory: stacks stay unlocked, so that none is resident before it is used.
//!
//! Each test runs in a process of its own, which needs the right to lock memory.

mod common;

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{LONG, Watchdog, child, eventually};
use fiberhost::scheduler::sync::ManualResetEvent;
use fiberhost::scheduler::{Backing, Builder, Guards, JoinHandle, Scheduler};

const STACK: usize = 128 << 10;

/// Locks the process's memory. `false`: it has no right to.
fn lock(flags: libc::c_int) -> bool {
    // SAFETY: the call takes no address.
    if unsafe { libc::mlockall(flags) } == 0 {
        return true;
    }
    eprintln!("skipped: {}", std::io::Error::last_os_error());
    false
}

/// What the kernel says of the mappings of stacks: those that refuse huge pages, as threads' stacks do too, and that are
/// without reserve.
#[derive(Debug, Default)]
struct Slabs {
    bytes: usize,
    resident: usize,
    locked: usize,
}

fn slabs() -> Slabs {
    let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let (mut size, mut resident) = (0, 0);
    let mut slabs = Slabs::default();
    for line in smaps.lines() {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap_or_default();
        let mut kilobytes = || words.next().unwrap().parse::<usize>().unwrap() * 1024;
        match name {
            "Size:" => size = kilobytes(),
            "Rss:" => resident = kilobytes(),
            "VmFlags:" if line.contains(" nh") && line.contains(" nr") => {
                slabs.bytes += size;
                slabs.resident += resident;
                if line.contains(" lo") {
                    slabs.locked += size;
                }
            }
            _ => {}
        }
    }
    slabs
}

fn mappings() -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().count()
}

/// Parks so many tasks, each of which has used its stack so far down.
fn park(
    scheduler: &Scheduler,
    count: usize,
    kilobytes: usize,
    event: &Arc<ManualResetEvent>,
) -> Vec<JoinHandle<usize>> {
    #[inline(never)]
    fn use_stack(kilobytes: usize) {
        let page = black_box([0xa5_u8; 1024]);
        if kilobytes > 1 {
            use_stack(kilobytes - 1);
        }
        black_box(&page);
    }
    let here = Arc::new(AtomicUsize::new(0));
    let spawn = |number| {
        let (event, here) = (Arc::clone(event), Arc::clone(&here));
        scheduler.spawn(move || {
            if kilobytes > 0 {
                use_stack(kilobytes);
            }
            here.fetch_add(1, Ordering::SeqCst);
            event.wait();
            number
        })
    };
    let tasks = (0..count).map(spawn).collect();
    eventually("all are parked", || here.load(Ordering::SeqCst) == count);
    tasks
}

fn finish(tasks: Vec<JoinHandle<usize>>, event: &ManualResetEvent) {
    event.set();
    for (number, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.join().unwrap(), number);
    }
}

fn in_a_child(test: &str, body: fn()) {
    if child::part().is_none() {
        return child::succeeds(test, "locks", |_| ());
    }
    let _watchdog = Watchdog::new(test.to_owned());
    body();
}

fn builder() -> Builder {
    Scheduler::builder().workers(2).stack_size(STACK)
}

/// A few pages of each, and nothing locked.
#[track_caller]
fn are_unlocked(stacks: usize) {
    let slabs = slabs();
    println!("{stacks} stacks: {slabs:?}, {} mappings", mappings());
    assert!(slabs.bytes > stacks * STACK, "{slabs:?}");
    assert_eq!(slabs.locked, 0, "{slabs:?}");
    assert!(slabs.resident >= stacks * 4096, "{slabs:?}");
    // Those that lie ready beside the used ones are at most as many again.
    assert!(slabs.resident < stacks * 4 * 4096, "{slabs:?}");
}

#[test]
fn what_is_mapped_after_the_lock() {
    in_a_child("what_is_mapped_after_the_lock", || {
        if !lock(libc::MCL_CURRENT | libc::MCL_FUTURE) {
            return;
        }
        let scheduler = builder().build().unwrap();
        let event = Arc::new(ManualResetEvent::new(false));
        let tasks = park(&scheduler, 2_000, 0, &event);
        are_unlocked(2_000);
        // The guards cost no mappings, as without the lock.
        assert!(mappings() < 500, "{} mappings", mappings());
        finish(tasks, &event);
        scheduler.shutdown(LONG).unwrap();
    });
}

#[test]
fn what_is_mapped_after_the_lock_with_protected_guards() {
    in_a_child(
        "what_is_mapped_after_the_lock_with_protected_guards",
        || {
            if !lock(libc::MCL_CURRENT | libc::MCL_FUTURE) {
                return;
            }
            let scheduler = builder().guards(Guards::Mprotect).build().unwrap();
            let event = Arc::new(ManualResetEvent::new(false));
            let tasks = park(&scheduler, 2_000, 0, &event);
            are_unlocked(2_000);
            finish(tasks, &event);
            scheduler.shutdown(LONG).unwrap();
        },
    );
}

/// The scheduler is not told of the lock; it notices when the kernel refuses the next guard.
#[test]
fn what_was_mapped_before_the_lock() {
    in_a_child("what_was_mapped_before_the_lock", || {
        let scheduler = builder().build().unwrap();
        let event = Arc::new(ManualResetEvent::new(false));
        let first = park(&scheduler, 500, 0, &event);
        if !lock(libc::MCL_CURRENT | libc::MCL_FUTURE) {
            return finish(first, &event);
        }
        let locked = slabs();
        assert_eq!(
            locked.locked, locked.bytes,
            "the lock takes everything: {locked:?}"
        );
        assert!(
            locked.resident < 500 * 4 * 4096,
            "the guards keep the rest from becoming resident: {locked:?}"
        );
        let second = park(&scheduler, 2_000, 0, &event);
        are_unlocked(2_500);
        assert!(mappings() < 500, "{} mappings", mappings());
        finish(first, &event);
        finish(second, &event);
        scheduler.shutdown(LONG).unwrap();
    });
}

/// In a locked mapping the kernel takes no page back, so it is unlocked when stacks are put away.
#[test]
fn stacks_that_are_put_away_give_their_pages_back() {
    in_a_child("stacks_that_are_put_away_give_their_pages_back", || {
        let scheduler = builder().warm_stacks(0).build().unwrap();
        let event = Arc::new(ManualResetEvent::new(false));
        let tasks = park(&scheduler, 1_000, 30, &event);
        let used = slabs();
        assert!(used.resident > 1_000 * (30 << 10), "{used:?}");
        let locked = lock(libc::MCL_CURRENT);
        finish(tasks, &event);
        scheduler.shutdown(LONG).unwrap();
        if locked {
            let left = slabs();
            println!("{used:?}, then {left:?}");
            assert_eq!(left.locked, 0, "{left:?}");
            // Two pages each, and the workers' own stacks, which stay warm.
            assert!(left.resident < used.resident / 3, "{left:?}");
        }
    });
}

/// Threads of their own, and an overflow that is still caught.
#[test]
fn guards_hold_under_the_lock() {
    const NAME: &str = "guards_hold_under_the_lock";
    #[expect(unconditional_recursion, reason = "it ends at the guard")]
    #[inline(never)]
    fn deeper(level: u64) -> u64 {
        let page = black_box([level; 64]);
        deeper(level + 1) + black_box(page)[3]
    }
    let Some(part) = child::part() else {
        for part in ["fiber", "thread"] {
            let output = child::run(NAME, part, |_| ());
            let text = String::from_utf8_lossy(&output.stderr);
            if text.contains("skipped: ") {
                eprintln!("{text}");
                continue;
            }
            assert!(!output.status.success(), "{text}");
            assert!(text.contains("stack overflow in task"), "{part}: {text}");
            assert!(text.contains("\"the deep one\""), "{part}: {text}");
        }
        return;
    };
    if !lock(libc::MCL_CURRENT | libc::MCL_FUTURE) {
        return;
    }
    let scheduler = builder().build().unwrap();
    let backing = if part == "thread" {
        Backing::Thread
    } else {
        Backing::Fiber
    };
    let task = scheduler.task().name("the deep one").backing(backing);
    let task = task.spawn(|| black_box(deeper(0))).unwrap();
    _ = task.join();
}
