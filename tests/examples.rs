//! Each example as a test: it runs, and what it prints is right.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

mod common;

#[path = "../examples/pipeline.rs"]
mod pipeline;

#[path = "../examples/echo_load.rs"]
mod echo_load;

#[path = "../examples/trace.rs"]
mod trace;

use common::child;

/// The command is this function: `run` over the process's own arguments, which here are the test harness's.
const _: [fn() -> ExitCode; 3] = [pipeline::main, echo_load::main, trace::main];

/// What a run of the example left.
struct Ran {
    code: ExitCode,
    out: String,
    err: String,
}

impl Ran {
    fn new(run: impl FnOnce(&mut Vec<u8>, &mut Vec<u8>) -> ExitCode) -> Ran {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = run(&mut out, &mut err);
        Ran {
            code,
            out: String::from_utf8(out).expect("the report is text"),
            err: String::from_utf8(err).expect("messages are text"),
        }
    }
}

fn run(arguments: &[&str]) -> Ran {
    Ran::new(|out, err| {
        let arguments = arguments.iter().map(OsString::from);
        pipeline::run(arguments, out, err, pipeline::Drawing::Off)
    })
}

fn run_echo_load(arguments: &[&str]) -> Ran {
    Ran::new(|out, err| echo_load::run(arguments.iter().map(OsString::from), out, err))
}

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        // Left by a run that was killed.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder for the test");
        Folder(path)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("a name in the folder")).expect("a subfolder");
        fs::write(path, content).expect("a file for the test");
    }

    fn as_str(&self) -> &str {
        self.0.to_str().expect("the target folder's name is text")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Bytes without a pattern.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let step = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(step).take(len).collect()
}

/// The line that begins with this word, without it.
fn line<'a>(ran: &'a Ran, word: &str) -> &'a str {
    ran.out
        .lines()
        .find_map(|line| line.trim().strip_prefix(word))
        .unwrap_or_else(|| panic!("no line `{word}` in\n{}", ran.out))
        .trim()
}

#[test]
fn pipeline_finds_copies_and_counts_words_with_any_number_of_workers() {
    let folder = Folder::new("pipeline_finds_copies");
    let big = noise(1, 700_000);
    let mut nearly = big.clone();
    *nearly.last_mut().expect("it is not empty") ^= 1;
    // Longer than one piece: a word that was cut in two would show up as other words.
    let long_text = "Boundary ".repeat(40_000);
    folder.write("one.txt", "hello world, hello\n");
    folder.write("a/b/copy.txt", "hello world, hello\n");
    folder.write("big", &big);
    folder.write("a/copy of big", &big);
    folder.write("nearly big", &nearly);
    folder.write("long.txt", &long_text);
    folder.write("empty", "");
    folder.write("a/empty too", "");
    folder.write("no text", b"hello\0hello");
    let path = |name: &str| folder.0.join(name);
    fs::hard_link(path("long.txt"), path("a/second name")).expect("a hard link");
    std::os::unix::fs::symlink(path("a"), path("link to a folder")).expect("a link");
    std::os::unix::fs::symlink(path("big"), path("link to a file")).expect("a link");
    let bytes = 2 * 19 + 3 * 700_000 + 2 * long_text.len() + 11;

    for arguments in [
        ["--workers=1", "--queue=1"],
        ["--workers=2", "--queue=1"],
        ["--workers=2", "--queue=32"],
        ["--workers=4", "--queue=3"],
    ] {
        let ran = run(&[arguments[0], arguments[1], folder.as_str()]);
        assert_eq!(ran.code, ExitCode::SUCCESS, "{arguments:?}: {}", ran.err);
        assert_eq!(ran.err, "");
        assert_eq!(line(&ran, "files"), "10");
        assert_eq!(line(&ran, "not read"), "0");
        assert_eq!(line(&ran, "bytes"), bytes.to_string());
        assert_eq!(
            line(&ran, "duplicates"),
            "2 copies of 2 files, 700.0 kB in all; 1 hard links not counted"
        );
        assert!(
            line(&ran, "2 x 700.0 kB:").ends_with("big"),
            "both names are shown:\n{}",
            ran.out
        );
        let words: Vec<_> = ran
            .out
            .lines()
            .skip_while(|line| !line.starts_with("words"))
            .skip(1)
            .take_while(|line| line.starts_with(' '))
            .map(str::trim)
            .collect();
        assert!(words.contains(&"80000 boundary"), "{words:?}");
        assert!(words.contains(&"4 hello"), "{words:?}");
        assert!(words.contains(&"2 world"), "{words:?}");
    }
}

/// A line on the terminal shows how far the job is, from its beginning, and is gone at its end.
#[test]
fn pipeline_draws_how_far_it_is() {
    const NAME: &str = "pipeline_draws_how_far_it_is";
    if let Some(folder) = child::part() {
        let ran = Ran::new(|out, err| {
            let arguments = std::iter::once(OsString::from(folder));
            pipeline::run(arguments, out, err, pipeline::Drawing::OnStderr)
        });
        assert_eq!((ran.code, ran.err.as_str()), (ExitCode::SUCCESS, ""));
        return;
    }
    let folder = Folder::new(NAME);
    (0..3).for_each(|number| folder.write(&format!("{number}"), "some words\n"));
    // The line goes past what the test harness keeps of a test's words.
    let output = child::run(NAME, folder.as_str(), |_| ());
    let drawn = String::from_utf8(output.stderr).expect("the line is text");
    assert!(output.status.success(), "{drawn}");
    let lines: Vec<_> = drawn.split("\r\x1b[K").collect();
    let [before, shown @ .., after] = &lines[..] else {
        panic!("nothing was drawn: {drawn}");
    };
    assert_eq!((*before, *after), ("", ""));
    assert!(!shown.is_empty());
    for line in shown {
        let (bar, files) = line.split_once("] ").expect("a bar");
        assert!(bar.starts_with('[') && bar.len() == 31, "{line}");
        assert!(files.contains(" of ") && files.ends_with(" MB/s"), "{line}");
    }
}

/// What cannot be read is named and counted; the rest is done.
#[test]
fn pipeline_goes_on_after_a_file_that_it_may_not_read() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("pipeline_goes_on");
    folder.write("secret", "nobody");
    folder.write("open", "everybody");
    let secret = folder.0.join("secret");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).expect("it is ours");
    // The superuser may read it all the same.
    let readable = File::open(&secret).is_ok();

    let ran = run(&[folder.as_str()]);
    assert_eq!(ran.code, ExitCode::SUCCESS, "{}", ran.err);
    assert_eq!(line(&ran, "not read"), if readable { "0" } else { "1" });
    assert_eq!(line(&ran, "files"), if readable { "2" } else { "1" });
    assert_eq!(ran.err.contains("secret"), !readable, "{}", ran.err);
}

#[test]
fn pipeline_says_what_is_wrong_with_its_arguments() {
    let folder = Folder::new("pipeline_says_what_is_wrong");
    folder.write("file", "");
    let file = folder.0.join("file");
    let file = file.to_str().expect("the target folder's name is text");
    let wrong: [(&[&str], &str); 10] = [
        (&["/no/such/folder"], "/no/such/folder"),
        (&[file], "Not a directory"),
        (&["--workers", "0"], "--workers: must be at least 1"),
        (&["--workers", "5000"], "5000 workers"),
        (&["--workers", "many"], "many is not a number"),
        (&["--workers"], "a number is missing"),
        (&["--queue=0"], "--queue: must be at least 1"),
        (&["--fast"], "--fast: no such option"),
        (&["a", "b"], "b: one folder is enough"),
        (&["--", "--help"], "--help: No such file"),
    ];
    for (arguments, message) in wrong {
        let ran = run(arguments);
        assert_eq!(ran.code, ExitCode::from(2), "{arguments:?}: {}", ran.err);
        assert_eq!(ran.out, "", "{arguments:?}");
        assert!(ran.err.contains(message), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn pipeline_explains_itself() {
    let ran = run(&["--help"]);
    assert_eq!(ran.code, ExitCode::SUCCESS);
    assert!(ran.out.contains("usage: pipeline"), "{}", ran.out);
    assert_eq!(ran.err, "");
}

#[test]
fn trace_draws_what_its_tasks_did() {
    let folder = Folder::new("trace");
    let mut out = Vec::new();
    trace::run([OsString::from(folder.as_str())], &mut out).expect("it writes");
    let out = String::from_utf8(out).expect("text");
    assert!(
        out.contains("trace.svg") && out.contains(" events, 0 lost"),
        "{out}"
    );
    let read = |name: &str| fs::read_to_string(folder.0.join(name)).expect("it was written");
    let svg = read("trace.svg");
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    for name in ["clock", "clerk 1", "clerk 2", "clerk 3", "producer"] {
        assert!(
            svg.contains(&format!("<title>{name}: ")),
            "{name} has turns"
        );
    }
    // How often somebody waits depends on who runs when; but the channel has room for two of 24 orders. Three are sealed.
    assert!(svg.matches("<path d=\"M").count() >= 1);
    assert_eq!(svg.matches("<title>native</title>").count(), 3);
    let json: serde_json::Value = serde_json::from_str(&read("trace.json")).expect("it is JSON");
    // Five tasks have a turn each at least, a worker has a name, and a flow two ends.
    let events = json["traceEvents"].as_array().expect("a list");
    assert!(events.len() >= 7, "{}", events.len());
    let nowhere = folder.0.join("nowhere");
    assert!(trace::run([nowhere.into_os_string()], &mut Vec::new()).is_err());
}

#[test]
fn echo_load_reports_what_it_did() {
    for (workers, connections, bytes) in [(1, 1, 1), (1, 20, 64), (2, 50, 5_000)] {
        let arguments = [
            "--seconds=0.2",
            &format!("--workers={workers}"),
            &format!("--connections={connections}"),
            &format!("--bytes={bytes}"),
        ];
        let ran = run_echo_load(&arguments);
        assert_eq!(ran.code, ExitCode::SUCCESS, "{}", ran.err);
        assert_eq!(ran.err, "");
        assert_eq!(line(&ran, "workers"), workers.to_string());
        assert_eq!(line(&ran, "connections"), connections.to_string());
        assert_eq!(line(&ran, "message"), format!("{bytes} bytes"));
        let requests: usize = line(&ran, "requests").parse().expect("a number");
        assert!(requests >= connections, "each was answered:\n{}", ran.out);
        let micros = |word| -> f64 {
            let text = line(&ran, word).trim_start_matches("within ");
            text.trim_end_matches(" µs").parse().expect("a number")
        };
        let times = ["half", "90 %", "99 %", "99.9 %", "longest"].map(micros);
        assert!(times.is_sorted() && times[0] > 0.0, "{times:?}");
        assert!(times[4] < 30e6, "{times:?}");
    }
}

#[test]
fn echo_load_says_what_is_wrong_with_its_arguments() {
    let wrong: [(&[&str], &str); 9] = [
        (&["--connections", "0"], "--connections: must be at least 1"),
        (&["--connections", "many"], "many is not a number"),
        (&["--connections"], "a number is missing"),
        (&["--seconds=-1"], "--seconds: must be above 0"),
        (&["--seconds=nan"], "--seconds: must be above 0"),
        (&["--bytes=10000000"], "--bytes: at most"),
        (&["--workers=5000"], "5000 workers"),
        (&["--fast"], "--fast: no such option"),
        (&["localhost"], "localhost: nothing but options"),
    ];
    for (arguments, message) in wrong {
        let ran = run_echo_load(arguments);
        assert_eq!(ran.code, ExitCode::from(2), "{arguments:?}: {}", ran.err);
        assert_eq!(ran.out, "", "{arguments:?}");
        assert!(ran.err.contains(message), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn echo_load_explains_itself() {
    let ran = run_echo_load(&["--help"]);
    assert_eq!(ran.code, ExitCode::SUCCESS);
    assert!(ran.out.contains("usage: echo_load"), "{}", ran.out);
    assert_eq!(ran.err, "");
}
