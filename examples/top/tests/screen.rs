//! The screen as text and in a real terminal, with schedulers of this process to look at.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fiberhost::observe::Observe;
use fiberhost::scheduler::native::{self, Target};
use fiberhost::scheduler::sync::ManualResetEvent;
use fiberhost::scheduler::{JoinHandle, Scheduler, WaitReason};
use std::sync::Arc;

const TOP: &str = env!("CARGO_BIN_EXE_fiberhost-top");
/// Only a failure waits for so long.
const LONG: Duration = Duration::from_secs(30);

static SCAN: Target = Target::new("engine: scan");

/// A scheduler with tasks that wait, one of which is named and one of which is in native code.
struct World {
    folder: PathBuf,
    go: Arc<ManualResetEvent>,
    native: std::sync::mpsc::Sender<()>,
    tasks: Vec<JoinHandle<()>>,
    /// The last to go: it ends when the tasks have.
    scheduler: Option<Scheduler>,
}

impl World {
    fn new() -> World {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("fiberhost-top-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("a folder");
        let builder = Scheduler::builder().workers(2).name("engine");
        let builder = builder.stall_after(Duration::from_millis(100));
        let scheduler = builder.observe(folder.join("socket")).build();
        let scheduler = scheduler.expect("a scheduler");
        let go = Arc::new(ManualResetEvent::new(false));
        let wait = |name: &str| {
            let go = Arc::clone(&go);
            let task = scheduler.task().name(name);
            let task = task.spawn(move || {
                go.wait();
            });
            task.expect("a task")
        };
        // The name of the last is what a terminal would obey.
        let mut tasks = vec![
            wait("checkpoint"),
            wait("lazy writer"),
            wait("\x1b[2Jred\x07"),
        ];
        for task in &tasks {
            let began = Instant::now();
            while task.task().wait_reason() != WaitReason::Event {
                assert!(began.elapsed() < LONG, "it does not come to wait");
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        let (native, told) = std::sync::mpsc::channel::<()>();
        let scan = scheduler.task().name("scan").spawn(move || {
            native::section(&SCAN, || {
                let _ = told.recv();
            });
        });
        tasks.push(scan.expect("a task"));
        let began = Instant::now();
        while scheduler.stats().handovers == 0 || scheduler.stalls().is_empty() {
            assert!(
                began.elapsed() < LONG,
                "the section keeps its slot, or is no stall"
            );
            std::thread::sleep(Duration::from_millis(1));
        }
        World {
            folder,
            go,
            native,
            tasks,
            scheduler: Some(scheduler),
        }
    }

    fn socket(&self) -> String {
        let path = self.folder.join("socket");
        path.into_os_string().into_string().expect("it is text")
    }

    /// The scheduler's end.
    fn end(&mut self) {
        self.go.set();
        let _ = self.native.send(());
        for task in self.tasks.drain(..) {
            task.join().expect("it was told");
        }
        self.scheduler = None;
    }

    fn once(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(TOP);
        command.arg("--once").args(arguments).arg(self.socket());
        command.output().expect("it runs")
    }

    fn screen(&self, arguments: &[&str]) -> String {
        let output = self.once(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {error}");
        String::from_utf8(output.stdout).expect("a screen is text")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.end();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn one_screen_shows_each_table() {
    let world = World::new();
    let screen = world.screen(&[]);
    let mut lines = screen.lines();
    let head = lines.next().expect("a line");
    assert!(head.starts_with("engine  process "), "{screen}");
    assert!(head.contains("2 slots"), "{screen}");
    let tasks = lines.next().expect("a line");
    assert!(
        tasks.starts_with("tasks 4: 0 pending, 0 runnable, 1 running, 3 suspended"),
        "{screen}"
    );
    let stall = lines.next().expect("a line");
    let scan = world.tasks[3].task().id();
    assert!(
        stall.starts_with(&format!("stall: NATIVE SECTION task {scan} \"scan\" for "))
            && stall.ends_with(", in engine: scan; 1 of 1 reported goes on"),
        "{screen}"
    );
    assert!(screen.contains("schedulers: 2 rows"), "{screen}");
    assert_eq!(screen.matches("VISIBLE ONLINE").count(), 2, "{screen}");

    let screen = world.screen(&["--table", "waiting_tasks"]);
    assert!(screen.contains("waiting_tasks: 3 rows"), "{screen}");
    for text in ["checkpoint", "lazy writer", "Event"] {
        assert!(screen.contains(text), "{text}\n{screen}");
    }
    for table in ["tasks", "native_targets", "native_sections"] {
        let screen = world.screen(&["--table", table, "--width", "200"]);
        assert!(screen.contains("engine: scan"), "{table}:\n{screen}");
    }
    let screen = world.screen(&["--table", "stalls", "--width", "200"]);
    for text in ["stalls: 1 row", "NATIVE SECTION", "scan"] {
        assert!(screen.contains(text), "{text}\n{screen}");
    }
    for table in [
        "hosts",
        "task_ledgers",
        "workers",
        "wait_stats",
        "histograms",
        "threads",
        "sys_info",
        "stack_classes",
        "spinlocks",
        "memory",
        "native_functions",
    ] {
        let screen = world.screen(&["--table", table]);
        assert!(screen.contains(&format!("{table}: ")), "{table}:\n{screen}");
    }
}

/// What tasks are called is not obeyed by the terminal.
#[test]
fn names_have_no_control_characters_on_the_screen() {
    let world = World::new();
    let screen = world.screen(&["--table", "tasks"]);
    assert!(screen.contains("[2Jred"), "{screen}");
    assert!(!screen.contains(['\x1b', '\x07']), "{screen:?}");
}

#[test]
fn rows_are_sorted_and_opened() {
    let world = World::new();
    let screen = world.screen(&["--table", "tasks", "--sort", "task_name", "--height", "60"]);
    assert!(screen.contains("by task_name down"), "{screen}");
    let place = |name: &str| screen.find(name).expect("its row is there");
    // From the last name in the alphabet on.
    let places = [place(" scan "), place("lazy writer"), place("checkpoint")];
    assert!(places.is_sorted(), "{places:?}\n{screen}");

    let arguments = [
        "--table",
        "waiting_tasks",
        "--sort",
        "task_name",
        "--detail",
    ];
    let screen = world.screen(&[&arguments[..], &["--height", "80", "--width", "160"]].concat());
    assert!(screen.contains("waiting_task_id "), "{screen}");
    assert!(
        screen.contains("tasks: A task that has not ended."),
        "{screen}"
    );
    assert!(screen.contains("lazy writer          Its name"), "{screen}");
}

#[test]
fn what_cannot_be_shown_is_said() {
    let world = World::new();
    let cases: [(&[&str], &str); 2] = [
        (
            &["--table", "nothing"],
            "no table nothing; there are schedulers",
        ),
        (
            &["--sort", "colour"],
            "no column colour; there are scheduler_id",
        ),
    ];
    for (arguments, message) in cases {
        let output = world.once(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains(message), "{error}");
        assert_eq!(output.stdout, b"");
    }
    let run = |arguments: &[&str]| Command::new(TOP).args(arguments).output().expect("it runs");
    let output = run(&["/no/such/socket"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("/no/such/socket: No such file"));
    // Here the output is no terminal.
    let output = run(&[&world.socket()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("the screen needs a terminal"));
    for (arguments, message) in [
        (&[][..], "a socket is missing"),
        (&["a", "b"], "b: one socket is enough"),
        (&["--fast", "a"], "--fast: no such option"),
        (
            &["--width", "5", "a"],
            "--width: 5 is no number from 20 to 1000",
        ),
        (&["a", "--table"], "--table: a value is missing"),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains(message), "{arguments:?}: {error}");
    }
    let output = run(&["--help"]);
    assert!(output.status.success() && output.stdout.starts_with(b"usage: fiberhost-top"));
}

/// A terminal of its own, with a server of its own that ends with it.
struct Tmux {
    server: String,
}

impl Tmux {
    /// Nothing, with a word, where there is no tmux.
    fn start(name: &str, command: &str) -> Option<Tmux> {
        if Command::new("tmux").arg("-V").output().is_err() {
            println!("skipped: tmux is not installed");
            return None;
        }
        let tmux = Tmux {
            server: format!("fiberhost-top-{name}-{}", std::process::id()),
        };
        let size = ["-x", "130", "-y", "45"];
        // The shell stays, so that what is left on the terminal can be seen.
        let arguments = [
            &["-f", "/dev/null", "new-session", "-d"][..],
            &size,
            &["sh"],
        ]
        .concat();
        tmux.run(&arguments);
        tmux.run(&["send-keys", "-l", &format!("{command}; echo ended=$?")]);
        tmux.keys(&["Enter"]);
        Some(tmux)
    }

    fn run(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.args(["-L", &self.server]).args(arguments);
        let output = command.env_remove("TMUX").output().expect("tmux runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {error}");
        String::from_utf8(output.stdout).expect("a screen is text")
    }

    fn keys(&self, keys: &[&str]) {
        self.run(&[&["send-keys"], keys].concat());
    }

    /// The screen, once it is so. It may be seen half drawn, so all that matters belongs in the question.
    #[track_caller]
    fn until(&self, what: &str, so: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let screen = self.run(&["capture-pane", "-p"]);
            if so(&screen) {
                return screen;
            }
            assert!(began.elapsed() < LONG, "never: {what}\n{screen}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[track_caller]
    fn until_shows(&self, text: &str) -> String {
        self.until(text, |screen| screen.contains(text))
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let mut command = Command::new("tmux");
        let _ = command.args(["-L", &self.server, "kill-server"]).output();
    }
}

#[test]
fn in_a_terminal_keys_do_what_they_say() {
    let world = World::new();
    let command = format!("{TOP} --interval 50 {}", world.socket());
    let Some(tmux) = Tmux::start("keys", &command) else {
        return;
    };
    tmux.until_shows("schedulers: 2 rows");
    tmux.keys(&["Tab"]);
    tmux.until_shows("waiting_tasks: 3 rows");
    tmux.keys(&["3"]);
    tmux.until_shows("tasks: 4 rows");
    tmux.keys(&["BTab"]);
    tmux.until_shows("waiting_tasks: 3 rows");

    tmux.keys(&[">"]);
    tmux.until_shows("by waiting_task_id down");
    tmux.keys(&["r"]);
    tmux.until_shows("by waiting_task_id up");
    tmux.keys(&["Right"]);
    let in_order = |screen: &str, first, second| match (screen.find(first), screen.find(second)) {
        (Some(first), Some(second)) => first < second,
        _ => false,
    };
    tmux.until("it is sorted by name", |screen| {
        screen.contains("by task_name up") && in_order(screen, "checkpoint", "lazy writer")
    });
    tmux.keys(&["r"]);
    tmux.until("the order is turned around", |screen| {
        in_order(screen, "lazy writer", "checkpoint")
    });
    // The second row's details, and those of its task.
    tmux.keys(&["Down", "Enter"]);
    tmux.until("all of it is open", |screen| {
        let details = screen
            .split_once("details─")
            .map_or("", |(_, details)| details);
        let own = details.contains("waiting_tasks: A task that waits");
        own && details.contains("tasks: A task that has not ended.")
            && details.matches("checkpoint").count() == 2
            && !details.contains("lazy writer")
    });
    tmux.keys(&["PageDown"]);
    tmux.until("they are scrolled", |screen| {
        screen.contains("details─") && !screen.contains("waiting_tasks: A task that waits")
    });
    tmux.keys(&["PageUp"]);
    tmux.until_shows("waiting_tasks: A task that waits");
    tmux.keys(&["Escape"]);
    tmux.until("the details are closed", |screen| {
        !screen.contains("details─")
    });
    tmux.keys(&["s"]);
    tmux.until("the table's own order", |screen| {
        !screen.contains(", by task_name")
    });
    // Counted from now on: the waits that began before are not among them.
    tmux.keys(&["7"]);
    tmux.until_shows("wait_stats: 1 row");
    let counts = |screen: &str, count: &str| {
        let row = screen.lines().find(|line| line.contains("│Event"));
        let count_of = |row: &str| row.split_whitespace().nth(1).map(str::to_owned);
        row.and_then(count_of).is_some_and(|it| it == count)
    };
    tmux.until("three waits", |screen| counts(screen, "3"));
    tmux.keys(&["d"]);
    tmux.until("none since", |screen| {
        screen.contains(", counted for ") && counts(screen, "0")
    });
    tmux.keys(&["t"]);
    tmux.until("all of them", |screen| {
        !screen.contains(", counted for ") && counts(screen, "3")
    });
    tmux.keys(&["p"]);
    tmux.until_shows("paused; p goes on");
    tmux.keys(&["p"]);
    tmux.until_shows("Tab table");
    tmux.keys(&["q"]);
    let screen = tmux.until_shows("ended=0");
    assert!(
        !screen.contains("waiting_tasks"),
        "the terminal is as before:\n{screen}"
    );
}

/// What happens is seen without a key; the end of the process too, and the next one at the same place.
#[test]
fn in_a_terminal_the_screen_follows_what_happens() {
    let mut world = World::new();
    let command = format!("{TOP} --interval 50 --table tasks {}", world.socket());
    let Some(tmux) = Tmux::start("follows", &command) else {
        return;
    };
    tmux.until_shows("tasks: 4 rows");
    let scheduler = world.scheduler.as_ref().expect("it has not ended");
    let go = Arc::clone(&world.go);
    let task = scheduler.task().name("newcomer").spawn(move || {
        go.wait();
    });
    world.tasks.push(task.expect("a task"));
    tmux.until_shows("newcomer");
    tmux.until_shows("tasks: 5 rows");
    // A narrower window is filled, too.
    tmux.run(&["resize-window", "-x", "60", "-y", "15"]);
    tmux.until("it is drawn anew", |screen| {
        screen.contains("tasks: 5 rows")
            && screen.contains("newcomer")
            && screen.lines().count() <= 15
    });
    tmux.run(&["resize-window", "-x", "130", "-y", "45"]);
    // tmux says it to the program some time later, and a key that comes together with that is read with the next key only.
    tmux.until("it is wide again", |screen| {
        screen.lines().any(|line| line.chars().count() == 130)
    });

    let socket = world.socket();
    world.end();
    tmux.until_shows("not of now: ");
    tmux.until_shows("newcomer");
    let next = Scheduler::builder()
        .workers(1)
        .name("next")
        .observe(&socket);
    let next = next.build().expect("a scheduler");
    tmux.until_shows("next  process ");
    tmux.until_shows("tasks: 0 rows");
    tmux.keys(&["C-c"]);
    tmux.until_shows("ended=0");
    drop(next);
}
