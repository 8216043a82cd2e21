//! Runs a test once more in a process of its own: for what changes or ends the process.

use std::process::{Command, Output};

/// The variable that makes a process a child.
pub(crate) const NAME: &str = "FIBERHOST_TEST_CHILD";

/// Which part a child is to play. `None`: this process is the parent.
pub(crate) fn part() -> Option<String> {
    std::env::var(NAME).ok()
}

/// Runs the test of this name in a child that plays this part, with more set up by `prepare`.
pub(crate) fn run(test: &str, part: &str, prepare: impl FnOnce(&mut Command)) -> Output {
    let mut command = Command::new(std::env::current_exe().expect("a test has a path"));
    command
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(NAME, part)
        .env("RUST_BACKTRACE", "0");
    prepare(&mut command);
    command.output().expect("a child process")
}

/// The same for one that must succeed. Its words are shown if it does not.
#[track_caller]
pub(crate) fn succeeds(test: &str, part: &str, prepare: impl FnOnce(&mut Command)) {
    let output = run(test, part, prepare);
    assert!(
        output.status.success(),
        "{test} ({part}): {}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
