//! Models of the hosting layer's protocols, as those of the scheduler are (`scheduler/tests/model.rs`).
//!
//! ```sh
//! RUSTFLAGS="--cfg loom"    CARGO_TARGET_DIR=target/loom    cargo test --release -p fiberhost-models --test model -- --nocapture
//! RUSTFLAGS="--cfg shuttle" CARGO_TARGET_DIR=target/shuttle cargo test --release -p fiberhost-models --test model -- --nocapture
//! ```
//!
//! In a build without a checker there is nothing here.
#![cfg(any(loom, shuttle))]

mod model {
    mod alerts;
    #[allow(dead_code, reason = "the scheduler's models use more of it")]
    #[path = "../../../../scheduler/tests/model/explore.rs"]
    mod explore;
    mod lent;
    mod transfers;
    mod workers;
}
