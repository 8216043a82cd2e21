//! The process runs into a limit of its own: address space, or the number of mappings.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Drops, LONG, Watchdog, child, eventually};
use fiberhost::scheduler::sync::ManualResetEvent;
use fiberhost::scheduler::{Guards, JoinHandle, Scheduler, yield_now};

/// Spawns parked tasks until some are refused their stacks. Returns the others, what lets them go, and the text of an error.
fn park_until_refused(
    scheduler: &Scheduler,
    stack_size: usize,
) -> (Vec<JoinHandle<usize>>, Arc<ManualResetEvent>, String) {
    const AT_ONCE: usize = 50;
    let event = Arc::new(ManualResetEvent::new(false));
    let drops = Drops::new();
    let (mut parked, started) = (Vec::new(), Arc::new(AtomicUsize::new(0)));
    loop {
        let spawn = |number| {
            let (wait, start, dropped) = (Arc::clone(&event), Arc::clone(&started), drops.one());
            let task = scheduler.task().stack_size(stack_size).spawn(move || {
                let _dropped = dropped;
                start.fetch_add(1, Ordering::SeqCst);
                wait.wait();
                number
            });
            task.expect("the record is there")
        };
        let before = parked.len();
        let tasks: Vec<_> = (before..before + AT_ONCE).map(spawn).collect();
        eventually("each has started or was refused", || {
            let refused = tasks.iter().filter(|task| task.is_finished()).count();
            started.load(Ordering::SeqCst) + refused == before + AT_ONCE
        });
        let (refused, rest) = tasks
            .into_iter()
            .partition::<Vec<_>, _>(JoinHandle::is_finished);
        parked.extend(rest);
        if refused.is_empty() {
            continue;
        }
        let count = refused.len();
        let errors = refused.into_iter().map(|task| task.join().unwrap_err());
        let texts = errors.map(|error| {
            assert!(error.is_refused(), "{error}");
            error.to_string()
        });
        let text = texts.last().expect("there is one");
        assert_eq!(
            drops.count(),
            count,
            "their closures are dropped, and no others"
        );
        return (parked, event, text);
    }
}

/// Lets the parked ones go; afterwards their stacks are there for others.
fn end_and_go_on(
    scheduler: &Scheduler,
    tasks: Vec<JoinHandle<usize>>,
    event: &ManualResetEvent,
    stack_size: usize,
) {
    // Even now whatever needs no new stack goes on.
    event.set();
    let count = tasks.len();
    for task in tasks {
        assert!(task.join().is_ok());
    }
    let again: Vec<_> = (0..count)
        .map(|number| {
            let task = scheduler.task().stack_size(stack_size);
            let task = task.spawn(move || {
                yield_now();
                number
            });
            task.unwrap()
        })
        .collect();
    for (number, task) in again.into_iter().enumerate() {
        assert_eq!(task.join().unwrap(), number);
    }
}

#[test]
fn the_address_space_is_used_up() {
    const NAME: &str = "the_address_space_is_used_up";
    if child::part().is_none() {
        // The allocator sets 64 MB of addresses aside for every thread that first allocates, whenever that is: with
        // one arena for all, what is mapped at the time of the limit is all that is not for stacks.
        return child::succeeds(NAME, "limited", |command| {
            command.env("MALLOC_ARENA_MAX", "1");
        });
    }
    let _watchdog = Watchdog::new(NAME.into());
    let scheduler = Scheduler::builder().workers(2).build().unwrap();
    scheduler.run(|| ());
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mapped = status.lines().find(|line| line.starts_with("VmSize"));
    let mapped: u64 = mapped
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let limit = libc::rlimit {
        rlim_cur: mapped * 1024 + (100 << 20),
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: a limit that lives as long as the call.
    assert_eq!(
        unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) },
        0
    );
    let size = 1 << 20;
    let (tasks, event, text) = park_until_refused(&scheduler, size);
    assert!(text.contains("no memory for"), "{text}");
    // What is left at the end is less than one stack, so about a hundred fit.
    assert!((60..=100).contains(&tasks.len()), "{} stacks", tasks.len());
    end_and_go_on(&scheduler, tasks, &event, size);
    scheduler.shutdown(LONG).unwrap();
}

#[test]
fn the_mappings_are_used_up() {
    let _watchdog = Watchdog::new("the_mappings_are_used_up".into());
    let limit = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    if limit > 200_000 {
        eprintln!("skipped: with {limit} mappings allowed it would take too much memory");
        return;
    }
    let size = 32 * 1024;
    let scheduler = Scheduler::builder().workers(2).stack_size(size);
    let scheduler = scheduler.guards(Guards::Mprotect).build().unwrap();
    let (tasks, event, text) = park_until_refused(&scheduler, size);
    assert!(text.contains("vm.max_map_count"), "{text}");
    assert!(text.contains(&limit.to_string()), "{text}");
    let used = std::fs::read_to_string("/proc/self/maps")
        .unwrap()
        .lines()
        .count();
    assert!(used < limit, "it stops before the kernel refuses others");
    assert!(
        tasks.len() > limit / 4,
        "and not long before: {} stacks",
        tasks.len()
    );
    // Others in the process can still map.
    let thread = std::thread::spawn(|| vec![1_u8; 1 << 20].len());
    assert_eq!(thread.join().unwrap(), 1 << 20);
    end_and_go_on(&scheduler, tasks, &event, size);
    scheduler.shutdown(LONG).unwrap();
}
