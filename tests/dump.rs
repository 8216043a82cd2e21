//! Dumps: all tasks, with what they are at and where they stand, by call and by signal; and what goes wrong with them.

mod common;

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use common::{LONG, checked, eventually, hog_until, until_waits, with, with_on_fibers};
use fiberhost::scheduler::dump::{Dump, Missing};
use fiberhost::scheduler::native::{self, Target};
use fiberhost::scheduler::sync::Mutex;
use fiberhost::scheduler::{Scheduler, WaitReason, Wake, park, park_for, yield_now};

/// Waits some calls deep, in functions with names.
#[inline(never)]
fn the_outer_function(depth: u32) -> u32 {
    std::hint::black_box(if depth == 0 {
        the_inner_function()
    } else {
        the_outer_function(depth - 1) + 1
    })
}

#[inline(never)]
fn the_inner_function() -> u32 {
    let wake = park();
    std::hint::black_box(u32::from(wake == Wake::Signalled))
}

#[inline(never)]
fn the_busy_function(stop: &AtomicBool) {
    hog_until(|| stop.load(Ordering::SeqCst));
    std::hint::black_box(());
}

/// The paragraph of this task.
#[track_caller]
fn paragraph(dump: &Dump, id: u64) -> String {
    let text = dump.to_string();
    let begins = format!("task {id}");
    let mut all = text.split("\n\n");
    let found = all.find(|part| {
        let rest = part.trim_start().strip_prefix(&begins);
        rest.is_some_and(|rest| rest.starts_with([':', ' ']))
    });
    found
        .unwrap_or_else(|| panic!("task {id} is not in:\n{text}"))
        .to_owned()
}

#[track_caller]
fn missing(dump: &Dump, id: u64) -> Option<Missing> {
    let stack = dump.stacks.iter().find(|stack| stack.task == id);
    stack.expect("it is there").missing
}

#[test]
fn a_parked_task_is_shown_with_its_functions() {
    with(checked(1), |scheduler| {
        if scheduler.stats().switch != "jump" {
            return;
        }
        let task = scheduler
            .task()
            .name("deep")
            .spawn(|| the_outer_function(3));
        let task = task.expect("a task");
        until_waits(task.task(), WaitReason::Park);
        let id = task.task().id();
        // Just after it began to wait, its thread may still be on its way to sleep.
        eventually("it is found parked", || {
            missing(&scheduler.dump(), id).is_none()
        });
        let text = paragraph(&scheduler.dump(), id);
        assert!(
            text.contains("\"deep\": suspended for Park since "),
            "{text}"
        );
        let outer = text.matches("the_outer_function").count();
        assert!(outer >= 4, "{text}");
        let inner = text.find("the_inner_function").expect("it is in");
        assert!(
            inner < text.find("the_outer_function").expect("it is in"),
            "{text}"
        );
        task.task().unpark();
        assert_eq!(task.join().expect("no panic"), 4);
    });
}

#[test]
fn running_native_and_waiting_tasks_are_shown_as_what_they_are() {
    static CALL: Target = Target::new("a slow call");
    with_on_fibers(checked(2), |scheduler| {
        let stop = Arc::new(AtomicBool::new(false));
        let lock = Arc::new(Mutex::new(()));
        let busy = {
            let (stop, lock) = (Arc::clone(&stop), Arc::clone(&lock));
            scheduler.spawn(move || {
                let _guard = lock.lock();
                the_busy_function(&stop);
            })
        };
        eventually("it has the lock", || lock.try_lock().is_none());
        let blocked = {
            let lock = Arc::clone(&lock);
            scheduler.spawn(move || drop(lock.lock()))
        };
        until_waits(blocked.task(), WaitReason::Mutex);
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let calls = scheduler.spawn(move || {
            native::section(&CALL, || receiver.recv().expect("it comes"));
        });
        eventually("it is in its section", || {
            let tasks = scheduler.snapshot().tasks;
            tasks.iter().any(|task| task.section.is_some())
        });
        let dump = scheduler.dump();
        let text = paragraph(&dump, blocked.task().id());
        let by = format!(
            "suspended for Mutex since 0 ms, blocked by task {} (Lock)",
            busy.task().id()
        );
        assert!(
            text.contains(&by) || text.contains("blocked by task"),
            "{text}"
        );
        let text = paragraph(&dump, calls.task().id());
        assert!(text.contains("in native section \"a slow call\""), "{text}");
        assert_eq!(missing(&dump, calls.task().id()), Some(Missing::Native));
        let text = paragraph(&dump, busy.task().id());
        assert!(text.contains(": running, worker "), "{text}");
        // On a busy machine it may not come to its answer in time.
        match missing(&dump, busy.task().id()) {
            None => assert!(text.contains("the_busy_function"), "{text}"),
            Some(why) => assert_eq!(why, Missing::NoAnswer, "{text}"),
        }
        stop.store(true, Ordering::SeqCst);
        sender.send(()).expect("it waits");
        for task in [busy, blocked, calls] {
            task.join().expect("no panic");
        }
    });
}

/// Tasks that end, begin and go on all the time: what is not known is said, and nothing is wrong.
#[test]
fn tasks_that_end_while_they_are_dumped_do_no_harm() {
    with_on_fibers(checked(2), |scheduler| {
        let done = Arc::new(AtomicBool::new(false));
        let spawners: Vec<_> = (0..4)
            .map(|_| {
                let done = Arc::clone(&done);
                scheduler.spawn(move || {
                    while !done.load(Ordering::Relaxed) {
                        let task = fiberhost::scheduler::spawn(|| {
                            park_for(Duration::from_micros(50));
                            yield_now();
                            park_for(Duration::from_micros(50));
                        });
                        task.join().expect("no panic");
                    }
                })
            })
            .collect();
        let (mut frames, mut dumps) = (0, 0);
        let has_frames = scheduler.stats().switch == "jump";
        let began = Instant::now();
        // On a busy machine the tasks may not have come to run by then.
        while dumps < 200 || (frames == 0 && has_frames && began.elapsed() < LONG) {
            dumps += 1;
            let dump = scheduler.dump();
            assert_eq!(dump.stacks.len(), dump.snapshot.tasks.len());
            for stack in &dump.stacks {
                assert_eq!(stack.frames.is_empty(), stack.missing.is_some());
                frames += stack.frames.len();
            }
        }
        assert!(frames > 0 || !has_frames);
        done.store(true, Ordering::Relaxed);
        for task in spawners {
            task.join().expect("no panic");
        }
    });
}

/// A place that takes so many bytes, as a disk does.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let taken = bytes.len().min(self.0);
        self.0 -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_an_error_for_whoever_writes() {
    with_on_fibers(checked(1), |scheduler| {
        let dump = scheduler.dump();
        let length = dump.to_string().len();
        for room in [0, 1, length - 1] {
            let error = dump
                .write_to(&mut Full(room))
                .expect_err("there is no room");
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        }
        dump.write_to(&mut Full(length)).expect("there is room");
    });
}

fn file(name: &str) -> std::path::PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("fiberhost-dump-{name}-{number}-{}", std::process::id());
    std::env::temp_dir().join(name)
}

fn raise(signal: i32) {
    // SAFETY: the signal goes to this process, which has a handler for it.
    assert_eq!(unsafe { libc::kill(libc::getpid(), signal) }, 0);
}

/// How often the handler below was called.
static OTHERS: AtomicU64 = AtomicU64::new(0);

extern "C" fn count(_signal: libc::c_int) {
    OTHERS.fetch_add(1, Ordering::SeqCst);
}

#[test]
fn a_signal_brings_a_dump_of_each_scheduler_that_wants_it() {
    let signal = libc::SIGRTMIN() + 9;
    // SAFETY: all zeroes is a value of this plain structure, and the handler only counts.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = count as *const () as usize;
        action.sa_flags = libc::SA_ONSTACK;
        assert_eq!(
            libc::sigaction(signal, &raw const action, std::ptr::null_mut()),
            0
        );
    }
    let paths = [file("one"), file("two")];
    let builders = [0, 1].map(|place: usize| {
        let name = ["one", "two"][place];
        checked(1).name(name).dump_on(signal, &paths[place])
    });
    let [one, two] = builders.map(|builder| builder.build().expect("a scheduler"));
    let task = one.task().name("sleeps").spawn(park).expect("a task");
    until_waits(task.task(), WaitReason::Park);
    let dumps = |path: &std::path::Path| {
        let text = std::fs::read_to_string(path).expect("a file");
        text.matches("dump of the scheduler").count()
    };
    for number in 1..=3 {
        raise(signal);
        for path in &paths {
            eventually("it is dumped", || dumps(path) == number);
        }
    }
    let text = std::fs::read_to_string(&paths[0]).expect("a file");
    assert!(text.contains("\"sleeps\": suspended for Park"), "{text}");
    assert_eq!(
        OTHERS.load(Ordering::SeqCst),
        3,
        "who was there is called too"
    );
    drop(two);
    raise(signal);
    eventually("it is dumped", || dumps(&paths[0]) == 4);
    assert_eq!(dumps(&paths[1]), 3, "its scheduler is gone");
    task.task().unpark();
    task.join().expect("no panic");
    drop(one);
    raise(signal);
    for path in paths {
        std::fs::remove_file(path).expect("nobody else has it");
    }
}

/// The count of lost dumps is the process's: one test at a time loses some.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn a_dump_that_cannot_be_written_is_counted() {
    let _alone = alone();
    let signal = libc::SIGRTMIN() + 10;
    let folder = file("folder");
    std::fs::create_dir(&folder).expect("a folder");
    let path = folder.join("dump");
    let builder = checked(1).dump_on(signal, &path);
    let scheduler = builder.build().expect("a scheduler");
    let before = scheduler.stats().dumps_lost;
    std::fs::remove_dir_all(&folder).expect("anybody may");
    raise(signal);
    eventually("it is counted", || {
        scheduler.stats().dumps_lost == before + 1
    });
    assert_eq!(scheduler.run(|| 6 * 7), 42);
}

/// A disk that is full says so when it is written to, not before.
#[test]
fn a_dump_to_a_full_disk_is_counted() {
    let _alone = alone();
    let signal = libc::SIGRTMIN() + 11;
    let Ok(scheduler) = checked(1).dump_on(signal, "/dev/full").build() else {
        println!("nothing tried: the system has no full disk to try");
        return;
    };
    let before = scheduler.stats().dumps_lost;
    raise(signal);
    eventually("it is counted", || scheduler.stats().dumps_lost > before);
}

#[test]
fn what_makes_no_sense_is_refused() {
    for signal in [0, -1, libc::SIGKILL, libc::SIGSEGV, 1000] {
        let error = Scheduler::builder()
            .dump_on(signal, file("refused"))
            .build();
        let error = error.expect_err("no dumps are made at that");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
    let nowhere = file("nowhere").join("dump");
    let error = Scheduler::builder()
        .dump_on(libc::SIGUSR1, &nowhere)
        .build();
    let error = error.expect_err("nothing can be written there");
    assert!(error.to_string().contains("dumps to"), "{error}");
}
