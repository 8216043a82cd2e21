//! gdb's script: which tasks there are, and where each of them waits, in a live process and from a core file.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use common::{checked, child, until_waits, with_on_fibers};
use fiberhost::scheduler::sync::ManualResetEvent;
use fiberhost::scheduler::{Guards, WaitReason, native, park};

const TEST: &str = "gdb_walks_the_stacks_of_parked_tasks";
/// The part of a process with guards that gdb's own core files do not stop at.
const MPROTECT: &str = "mprotect";

#[inline(never)]
fn outer_of_the_debugged(event: &ManualResetEvent) {
    inner_of_the_debugged(std::hint::black_box(event));
    std::hint::black_box(());
}

#[inline(never)]
fn inner_of_the_debugged(event: &ManualResetEvent) {
    event.wait();
    std::hint::black_box(());
}

#[inline(never)]
fn parker_of_the_debugged() {
    park();
    std::hint::black_box(());
}

/// The process that is looked at: it says who is there, and waits for the end of its input.
fn be_debugged(part: &str) {
    let guards = match part {
        MPROTECT => Guards::Mprotect,
        _ => Guards::Best,
    };
    with_on_fibers(checked(2).guards(guards), |scheduler| {
        let event = Arc::new(ManualResetEvent::new(false));
        let its = Arc::clone(&event);
        let waits = scheduler.task().name("waits for its event");
        let waits = waits.spawn(move || outer_of_the_debugged(&its));
        let waits = waits.expect("a task");
        let parks = scheduler.spawn(parker_of_the_debugged);
        let owns = scheduler.task().name("owns its thread").spawn(|| {
            let _own = native::own();
            park();
        });
        let owns = owns.expect("a task");
        until_waits(waits.task(), WaitReason::Event);
        until_waits(parks.task(), WaitReason::Park);
        until_waits(owns.task(), WaitReason::Park);
        let ids = [waits.task(), parks.task(), owns.task()].map(|task| task.id().to_string());
        println!("\nready {}", ids.join(" "));
        std::io::stdin()
            .read_line(&mut String::new())
            .expect("its end");
        event.set();
        parks.task().unpark();
        owns.task().unpark();
        waits.join().expect("it is set");
        parks.join().expect("it is woken");
        owns.join().expect("it is woken");
    });
}

/// What gdb prints for these commands.
fn gdb(target: &[&str], commands: &[String]) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scheduler/gdb/fiberhost.py");
    let mut command = Command::new("gdb");
    command.args(["-nx", "-batch", "-iex", "set debuginfod enabled off"]);
    command.args(target).args(["-x", script]);
    for each in commands {
        command.args(["-ex", each]);
    }
    let output = command.stdin(Stdio::null()).output().expect("gdb runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\n{}", text(&output.stdout), text(&output.stderr))
}

/// What the script must say of the tasks with these numbers, and what it must not.
#[track_caller]
fn check(printed: &str, ids: &[String]) {
    let line = |word: &str| {
        let mut lines = printed.lines();
        let found = lines.position(|line| line.contains(word));
        found.unwrap_or_else(|| panic!("no {word} in\n{printed}"))
    };
    assert!(printed.contains("3 tasks, 2 of them parked"), "{printed}");
    let head = |id: &str, state: &str, name: &str| format!("{id:>8}  {state:<30} {name}");
    line(&head(&ids[0], "waits: Event", "waits for its event"));
    line(head(&ids[1], "waits: Park", "").trim_end());
    line(&head(
        &ids[2],
        "waits: Park (with its thread)",
        "owns its thread",
    ));
    // From the inside out, and to the end.
    let frames = ["inner_of_the_debugged", "outer_of_the_debugged"].map(line);
    assert!(frames[0] < frames[1], "{printed}");
    line("parker_of_the_debugged");
    assert!(printed.contains("debugger.rs:"), "with places: {printed}");
    assert!(!printed.contains("cannot be read"), "{printed}");
    assert!(!printed.contains("Traceback"), "{printed}");
    assert!(printed.contains("there is no task 99999999"), "{printed}");
    let alone = format!(
        "task {} is not parked: waits: Park (with its thread)",
        ids[2]
    );
    assert!(printed.contains(&alone), "{printed}");
}

/// Such a process.
struct Debugged {
    child: Child,
    /// The numbers of its tasks.
    ids: Vec<String>,
    output: BufReader<ChildStdout>,
}

impl Debugged {
    /// In a folder, in which its core file would be.
    fn start(part: &str, folder: &Path) -> Debugged {
        let mut command = Command::new("sh");
        // No file for a child that fails elsewhere: the limit is this one's.
        command.args(["-c", "ulimit -c unlimited; exec \"$0\" \"$@\""]);
        command.arg(std::env::current_exe().expect("a test has a path"));
        command.args(["--exact", TEST, "--nocapture", "--test-threads=1"]);
        command.env(child::NAME, part).current_dir(folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("a child");
        let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        while !line.starts_with("ready ") {
            line.clear();
            let read = output.read_line(&mut line).expect("it is text");
            assert!(read > 0, "it ends before it is ready");
        }
        let ids = line.split_whitespace().skip(1).map(str::to_owned);
        Debugged {
            ids: ids.collect(),
            child,
            output,
        }
    }

    fn process(&self) -> String {
        self.child.id().to_string()
    }

    fn commands(&self) -> Vec<String> {
        let walk = |id| format!("fiberhost bt {id}");
        let mut commands = vec!["fiberhost tasks".to_owned(), walk("99999999")];
        commands.extend(self.ids.iter().map(|id| walk(id)));
        commands
    }

    /// It goes on as if nothing had happened.
    fn ends_well(mut self) {
        let mut input = self.child.stdin.take().expect("it is piped");
        input.write_all(b"\n").expect("it reads");
        drop(input);
        let mut rest = String::new();
        let read = self.output.read_to_string(&mut rest);
        let status = self.child.wait().expect("it ends");
        assert!(status.success() && read.is_ok(), "{rest}");
    }
}

/// A folder for core files.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn gdb_walks_the_stacks_of_parked_tasks() {
    if let Some(part) = child::part() {
        return be_debugged(&part);
    }
    if Command::new("gdb").arg("-v").output().is_err() {
        println!("skipped: gdb is not installed");
        return;
    }
    if cfg!(fiberhost_switch = "corosensei") {
        println!(
            "skipped: the script knows how the jump switch leaves a stack, not how corosensei's does"
        );
        return;
    }
    let name = format!("debugged-{}", std::process::id());
    let folder = Folder(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
    std::fs::create_dir_all(&folder.0).expect("a folder");
    let program = std::env::current_exe().expect("a test has a path");
    let program = program.to_str().expect("it is text");

    let live = Debugged::start(MPROTECT, &folder.0);
    let process = live.process();
    if gdb(&["-p", &process], &[]).contains("Operation not permitted") {
        println!("skipped in part: this system does not let gdb attach");
    } else {
        check(&gdb(&["-p", &process], &live.commands()), &live.ids);
        let core = folder.0.join("made by gdb");
        let core = core.to_str().expect("it is text");
        let made = gdb(&["-p", &process], &[format!("generate-core-file {core}")]);
        assert!(Path::new(core).exists(), "{made}");
        check(&gdb(&[program, core], &live.commands()), &live.ids);
    }
    live.ends_well();

    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern");
    if pattern.is_ok_and(|pattern| pattern.trim() != "core") {
        println!("skipped in part: this system puts core files elsewhere");
        return;
    }
    let mut dead = Debugged::start("best", &folder.0);
    let process = dead.process();
    // `wait` would close its input, and the end of that is what wakes its tasks: it may come before the signal does.
    let input = dead.child.stdin.take();
    // SAFETY: the child has not been waited for, so the number is still its own.
    unsafe { libc::kill(process.parse().expect("a number"), libc::SIGABRT) };
    let status = dead.child.wait().expect("it is killed");
    drop(input);
    assert!(status.core_dumped(), "{status}");
    let names = ["core".to_owned(), format!("core.{process}")];
    let core = names.iter().map(|name| folder.0.join(name));
    let core = core.into_iter().find(|path| path.exists());
    let core = core.expect("the kernel has written it");
    let core = core.to_str().expect("it is text");
    check(&gdb(&[program, core], &dead.commands()), &dead.ids);
}
