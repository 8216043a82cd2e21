//! Schedulers come and go a thousand times, and the process is as before: no thread, mapping, descriptor or memory is left.

mod common;

use std::io::{Read, Write};
use std::time::Duration;

use common::{LONG, Watchdog, eventually, expect_panics};
use fiberhost::scheduler::net::UnixStream;
use fiberhost::scheduler::sync::{AutoResetEvent, channel};
use fiberhost::scheduler::{
    Backing, CancelToken, Guards, JoinSet, Scheduler, block_on, park, scope, sleep, spawn,
    task_local, timeout, yield_now,
};

task_local! {
    static LOCAL: String = String::from("on the heap");
}

/// What the process has at this moment.
#[derive(Clone, Copy, Debug)]
struct Has {
    threads: usize,
    mappings: usize,
    descriptors: usize,
    resident_kib: usize,
}

impl Has {
    fn now() -> Has {
        let entries = |path| std::fs::read_dir(path).unwrap().count();
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let resident = status.lines().find(|line| line.starts_with("VmRSS"));
        let resident = resident.unwrap().split_whitespace().nth(1).unwrap();
        Has {
            threads: entries("/proc/self/task"),
            mappings: std::fs::read_to_string("/proc/self/maps")
                .unwrap()
                .lines()
                .count(),
            descriptors: entries("/proc/self/fd"),
            resident_kib: resident.parse().unwrap(),
        }
    }
}

/// A little of everything.
fn use_it(scheduler: &Scheduler, round: usize) {
    let parked: Vec<_> = (0..5).map(|_| scheduler.spawn(park)).collect();
    scheduler.run(move || {
        LOCAL.with(|local| assert_eq!(local.len(), 11));
        let (sender, receiver) = channel::unbounded();
        scope(|scope| {
            for number in 0..4 {
                let sender = sender.clone();
                scope.spawn(move || {
                    yield_now();
                    sender.send(vec![number; 10]).unwrap();
                });
            }
        });
        assert_eq!(receiver.recv().unwrap().len(), 10);
        let mut set = JoinSet::new();
        set.spawn(|| sleep(Duration::from_micros(50)));
        set.spawn(park);
        set.join_next().unwrap().unwrap();
        let token = CancelToken::new();
        let child = token.child();
        let waits = spawn(move || child.run_until_cancelled(|| AutoResetEvent::new(false).wait()));
        token.cancel();
        waits.join().unwrap();
        assert!(timeout(Duration::from_micros(100), park).is_err());
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let reads = spawn(move || far.read_exact(&mut [0]));
        yield_now();
        near.write_all(b"x").unwrap();
        block_on(reads).unwrap().unwrap();
    });
    let reads = scheduler.spawn(|| {
        let (mut near, _far) = UnixStream::pair().unwrap();
        near.read_exact(&mut [0])
    });
    if round.is_multiple_of(10) {
        let panics = scheduler.task().name("panics").stack_size(200_000);
        assert!(panics.spawn(|| panic!("expected")).unwrap().join().is_err());
        let own = scheduler.task().backing(Backing::Thread);
        own.spawn(yield_now).unwrap().join().unwrap();
    }
    // Some are still parked, and some queued, when it ends.
    for _ in 0..5 {
        drop(scheduler.spawn(|| {
            park();
        }));
    }
    drop((parked, reads));
}

fn round(round: usize) {
    let guards = if round.is_multiple_of(4) {
        Guards::Mprotect
    } else {
        Guards::Best
    };
    let builder = Scheduler::builder().workers(1 + round % 3).guards(guards);
    let scheduler = builder.build().unwrap();
    use_it(&scheduler, round);
    if round.is_multiple_of(2) {
        scheduler.shutdown(LONG).unwrap();
    }
}

#[test]
fn a_thousand_schedulers_leave_nothing() {
    let _watchdog = Watchdog::new("a_thousand_schedulers_leave_nothing".into());
    expect_panics();
    // Caches fill, here and in the C library.
    (0..100).for_each(round);
    let quiet = Has::now().threads;
    let before = Has::now();
    (0..1000).for_each(round);
    // A task's own thread ends just after the task has.
    eventually("the threads are gone", || Has::now().threads <= quiet);
    let after = Has::now();
    println!("{before:?}\n{after:?}");
    assert_eq!(after.descriptors, before.descriptors);
    assert!(
        after.mappings <= before.mappings + 20,
        "{} mappings, before {}",
        after.mappings,
        before.mappings
    );
    assert!(
        after.resident_kib <= before.resident_kib + 4096,
        "{} KiB resident, before {}",
        after.resident_kib,
        before.resident_kib
    );
}
