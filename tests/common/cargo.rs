//! Builds the C library of the tests beside a test's own build, which is locked.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds the package with these arguments. Returns the target folder, which has that name.
pub(crate) fn build_library(folder: &str, arguments: &[&str]) -> PathBuf {
    let target = std::env::current_exe().expect("a running program has a path");
    let target = target
        .ancestors()
        .nth(3)
        .expect("target/profile/deps")
        .join(folder);
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "-p", "fiberhost-cdylib"])
        .args(arguments)
        .arg("--manifest-path")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .status()
        .expect("cargo runs");
    assert!(status.success(), "the library builds");
    target
}
