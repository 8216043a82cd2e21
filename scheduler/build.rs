//! Chooses the switch: ours where it is written and no checker must see switches, corosensei's elsewhere.
//! Simulated threads are switched by ours alone, whatever switches tasks.

use std::env;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(fiberhost_jump)");
    println!("cargo::rustc-check-cfg=cfg(fiberhost_simulate)");
    println!("cargo::rerun-if-changed=build.rs");
    let var = |name: &str| env::var(name).unwrap_or_default();
    let written = var("CARGO_CFG_TARGET_ARCH") == "x86_64" && var("CARGO_CFG_TARGET_OS") == "linux";
    let chosen_other = var("CARGO_CFG_FIBERHOST_SWITCH") == "corosensei";
    let checker = [
        "CARGO_CFG_LOOM",
        "CARGO_CFG_SHUTTLE",
        "CARGO_FEATURE_ASAN",
        "CARGO_FEATURE_TSAN",
    ]
    .iter()
    .any(|name| env::var_os(name).is_some());
    if written && !checker {
        if !chosen_other {
            println!("cargo::rustc-cfg=fiberhost_jump");
        }
        if env::var_os("CARGO_FEATURE_SIMULATE").is_some() {
            println!("cargo::rustc-cfg=fiberhost_simulate");
        }
    }
}
