//! Models: protocols and the whole scheduler under a checker that explores interleavings.
//!
//! ```sh
//! RUSTFLAGS="--cfg loom"    CARGO_TARGET_DIR=target/loom    cargo test --release -p fiberhost-scheduler --test model -- --nocapture
//! RUSTFLAGS="--cfg shuttle" CARGO_TARGET_DIR=target/shuttle cargo test --release -p fiberhost-scheduler --test model -- --nocapture
//! ```
//!
//! loom goes through every interleaving up to a number of preemptions and knows weak memory; Shuttle samples schedules of
//! larger programs. Each model prints how many executions it explored, and fails if they are fewer than it ought to have.
//! Each protocol has seeded faults, cargo features named `bug_*`, that a model must find; `.ci/models` runs the clean
//! models and then every fault.
//!
//! In a build without a checker there is nothing here.
#![cfg(any(loom, shuttle))]

mod model {
    mod calls;
    mod cancel;
    mod channel;
    mod explore;
    mod freeze;
    mod idle;
    mod interrupt;
    mod join;
    #[cfg(shuttle)]
    mod keeps;
    mod lane;
    mod leaning;
    mod lease;
    mod ledger;
    mod lock;
    mod monitor;
    mod native;
    mod park;
    mod poller;
    mod queue;
    mod reservation;
    mod rest;
    mod rwlock;
    mod select;
    mod shutdown;
    mod sync;
    mod wait;
    mod waits;
    mod whole;
}
