//! Builds a small C program or library for a test.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles `source`, a path below `tests/`, to a file of its own. `None`, with a word about it: there is no C compiler.
pub(crate) fn build(source: &str, arguments: &[&str]) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(source);
    let stem = path.file_stem().expect("a file's name").to_string_lossy();
    // One for each process and thread: several tests may build it at once.
    let name = format!("{stem}-{}-{}", std::process::id(), super::os_thread());
    let built = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let output = Command::new("cc")
        .args(["-O1", "-Wall", "-Werror", "-o"])
        .arg(&built)
        .arg(path)
        .args(arguments)
        .output();
    match output {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{text}");
            Some(built)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("skipped: there is no C compiler (cc) to build {source}");
            None
        }
        Err(error) => panic!("cc: {error}"),
    }
}
