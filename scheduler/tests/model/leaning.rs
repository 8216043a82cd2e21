//! The lock that leans. In a model it does so for whoever comes twice in a row.

use std::sync::Arc;

use fiberhost_scheduler::model::{Leaning, Plain};

use super::explore::{Bounds, explore, thread};

type Counter = Leaning<Plain<u32>>;

fn add(counter: &mut Plain<u32>) {
    counter.set(counter.get() + 1);
}

/// A worker that it leans towards and a stranger never have the value at the same time, and see what the other did to it.
/// (loom reports accesses that are not ordered.)
#[test]
fn a_worker_and_a_stranger_take_turns() {
    explore(Bounds::protocol(100), || turns(3, &[(None, 1)]));
}

/// The same where the lock must never lean.
#[test]
fn a_worker_and_a_stranger_take_turns_without_membarrier() {
    explore(Bounds::protocol(10).without_membarrier(), || {
        turns(3, &[(None, 1)]);
    });
}

/// The same with a stranger that comes twice.
#[test]
fn a_stranger_comes_again() {
    explore(Bounds::protocol(100), || turns(3, &[(None, 2)]));
}

/// The same with two workers, towards each of which it may lean.
#[test]
fn two_workers_take_turns() {
    explore(Bounds::protocol(500), || {
        turns(4, &[(Some(1), 4)]);
    });
}

/// The same with two that come to a worker's lock at once.
#[test]
fn a_worker_and_two_others_take_turns() {
    explore(Bounds::protocol(500), || {
        turns(2, &[(None, 1), (Some(1), 1)]);
    });
}

/// The first worker comes twice, so that it leans; then so many times beside the others.
fn turns(times: u32, others: &[(Option<usize>, u32)]) {
    let counter = Arc::new(Counter::new(Plain::new(0)));
    for _ in 0..2 {
        counter.with(Some(0), add);
    }
    let threads: Vec<_> = others
        .iter()
        .map(|&(who, times)| {
            let counter = counter.clone();
            thread::spawn(move || {
                for _ in 0..times {
                    counter.with(who, add);
                }
            })
        })
        .collect();
    for _ in 0..times {
        counter.with(Some(0), add);
    }
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    let all: u32 = others.iter().map(|&(_, times)| times).sum();
    assert_eq!(counter.with(None, |counter| counter.get()), 2 + times + all);
}
