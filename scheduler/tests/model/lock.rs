//! The owner-biased lock.

use std::sync::Arc;

use fiberhost_scheduler::model::{Biased, Plain};

use super::explore::{Bounds, explore, thread};

type Counter = Biased<Plain<u32>>;

fn add(counter: &mut Plain<u32>) {
    counter.set(counter.get() + 1);
}

/// The owner and a taker never have the value at the same time, and see what the other did to it.
/// (loom reports accesses that are not ordered.)
#[test]
fn the_owner_and_a_taker_take_turns() {
    explore(Bounds::protocol(100), || takes(1, 1));
}

/// The same where the owner is asked always.
#[test]
fn the_owner_and_a_taker_take_turns_without_membarrier() {
    explore(Bounds::protocol(100).without_membarrier(), || takes(1, 1));
}

/// The same with two takers.
#[test]
fn the_owner_and_two_takers_take_turns() {
    explore(Bounds::protocol(500).preemptions(2), || takes(2, 1));
}

/// The same with a taker that comes twice: what it asked for the first time is taken back in between.
#[test]
fn a_taker_comes_again() {
    explore(Bounds::protocol(100), || takes(1, 2));
}

fn takes(takers: usize, times: usize) {
    let counter = Arc::new(Counter::new(Plain::new(0)));
    let takers: Vec<_> = (0..takers)
        .map(|_| {
            let counter = counter.clone();
            thread::spawn(move || (0..times).filter(|_| counter.take(add).is_some()).count())
        })
        .collect();
    for _ in 0..2 {
        counter.own(add);
    }
    let taken: usize = takers.into_iter().map(|taker| taker.join().unwrap()).sum();
    assert_eq!(counter.own(|counter| counter.get()) as usize, 2 + taken);
}
