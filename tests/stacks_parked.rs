//! Many parked tasks: what each costs, and in which steps the memory for their stacks grows.

mod common;

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{Watchdog, child};
use fiberhost::scheduler::sync::ManualResetEvent;
use fiberhost::scheduler::{Scheduler, run, spawn, yield_now};

const SLAB_MAX: usize = 1 << 30;

/// In bytes.
fn memory(names: [&str; 2]) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let figure = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        let kilobytes: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kilobytes * 1024
    };
    names.into_iter().map(figure).sum()
}

/// Holds 512 bytes while it is parked, four calls below.
fn hold(number: u64, here: &AtomicU64, event: &ManualResetEvent) -> u64 {
    let live = black_box([number; 64]);
    four_calls(4, &|| {
        here.fetch_add(1, Ordering::Relaxed);
        event.wait();
    });
    black_box(&live).iter().sum()
}

#[inline(never)]
fn four_calls(depth: u32, wait: &dyn Fn()) {
    if depth > 1 {
        four_calls(depth - 1, wait);
    } else {
        wait();
    }
    black_box(());
}

/// Besides the others it needs a process of its own, whose memory nobody else changes.
#[test]
fn a_parked_task_costs_little() {
    const NAME: &str = "a_parked_task_costs_little";
    const TASKS: u64 = 100_000;
    if child::part().is_none() {
        return child::succeeds(NAME, "parks", |_| ());
    }
    let _watchdog = Watchdog::new(NAME.into());
    if !has_guards_without_mappings() {
        eprintln!("skipped: this kernel cannot install guards without mappings");
        return;
    }
    run(|| {
        let before = memory(["VmRSS:", "VmPTE:"]);
        let event = Arc::new(ManualResetEvent::new(false));
        let here = Arc::new(AtomicU64::new(0));
        let mut mapped = Vec::new();
        let mut tasks = Vec::new();
        for number in 0..TASKS {
            let (wait, arrive) = (Arc::clone(&event), Arc::clone(&here));
            tasks.push(spawn(move || hold(number, &arrive, &wait)));
            if number % 1000 == 0 {
                while here.load(Ordering::Relaxed) <= number {
                    yield_now();
                }
                mapped.push(Scheduler::current().unwrap().stats().stack_bytes_mapped);
            }
        }
        while here.load(Ordering::Relaxed) < TASKS {
            yield_now();
        }
        let bytes = (memory(["VmRSS:", "VmPTE:"]) - before) as u64 / TASKS;
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        println!("{bytes} bytes each, {} mappings", maps.lines().count());
        // One page of stack, its share of the page tables, and its record. Unoptimised frames need more than a page.
        let most = if cfg!(debug_assertions) { 12 } else { 6 } * 1024;
        assert!((4096..=most).contains(&bytes), "{bytes} bytes each");
        assert!(maps.lines().count() < 1000);
        for step in mapped.windows(2) {
            assert!(step[1] - step[0] <= SLAB_MAX, "a step of {step:?}");
        }
        event.set();
        let sum: u64 = tasks.into_iter().map(|task| task.join().unwrap()).sum();
        assert_eq!(sum, 64 * (TASKS * (TASKS - 1) / 2));
    });
}

/// As the kernel answers for a page of ours.
fn has_guards_without_mappings() -> bool {
    const MADV_GUARD_INSTALL: libc::c_int = 102;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping of our own, which nobody uses.
    unsafe {
        let page = libc::mmap(std::ptr::null_mut(), 4096, libc::PROT_READ, flags, -1, 0);
        assert_ne!(page, libc::MAP_FAILED);
        libc::madvise(page, 4096, MADV_GUARD_INSTALL) == 0
    }
}
