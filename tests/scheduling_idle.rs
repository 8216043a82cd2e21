//! A scheduler without work costs nothing: no processor time and, a second after the last task, no system call.

mod common;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{LONG, Watchdog, eventually, hog_until, until_waits};
use fiberhost::scheduler::net::{TcpListener, TcpStream};
use fiberhost::scheduler::{Scheduler, WaitReason, park, sleep};

/// The figures of other tests' threads must not be among them.
static ALONE: Mutex<()> = Mutex::new(());

/// What the kernel has counted for one thread.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Counted {
    cpu_ns: u64,
    switches: u64,
}

/// The threads of the scheduler of this name, and its monitor.
fn threads(name: &str) -> BTreeMap<String, Counted> {
    let mut found = BTreeMap::new();
    for thread in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
        let read = |file| std::fs::read_to_string(thread.path().join(file)).unwrap_or_default();
        let comm = read("comm").trim().to_owned();
        if !comm.starts_with(name) && !comm.starts_with("fiberhost-monit") {
            continue;
        }
        let schedstat = read("schedstat");
        let cpu_ns = schedstat.split(' ').next().unwrap().parse().unwrap_or(0);
        let status = read("status");
        let switches = status
            .lines()
            .filter(|line| line.contains("ctxt_switches"))
            .filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok())
            .sum();
        let id = thread.file_name().to_string_lossy().into_owned();
        found.insert(format!("{comm} {id}"), Counted { cpu_ns, switches });
    }
    found
}

/// No thread of the scheduler runs for this long.
#[track_caller]
fn nothing_happens(name: &str, workers: usize, time: Duration) {
    let before = threads(name);
    // The monitor, and one thread that stands by.
    assert_eq!(before.len(), workers + 2, "{before:?}");
    std::thread::sleep(time);
    assert_eq!(threads(name), before);
}

const GRACE: Duration = Duration::from_millis(1300);

#[test]
fn an_idle_scheduler_makes_no_system_call() {
    let _alone = ALONE.lock().unwrap_or_else(|error| error.into_inner());
    let _watchdog = Watchdog::new("scheduling_idle".into());
    for workers in [1, 4] {
        let scheduler = Scheduler::builder().workers(workers).name("quiet");
        let scheduler = scheduler.build().unwrap();
        // Never used.
        std::thread::sleep(GRACE);
        nothing_happens("quiet", workers, Duration::from_millis(300));
        // After work, with tasks that stay parked, one whose time comes much later, and one that waits for connections.
        let tasks: Vec<_> = (0..100).map(|_| scheduler.spawn(park)).collect();
        let late = scheduler.spawn(|| sleep(100 * LONG));
        for task in &tasks {
            until_waits(task.task(), WaitReason::Park);
        }
        until_waits(late.task(), WaitReason::Sleep);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let open = scheduler.spawn(move || listener.accept().unwrap().1);
        until_waits(open.task(), WaitReason::Readable);
        std::thread::sleep(GRACE);
        nothing_happens("quiet", workers, Duration::from_millis(300));
        if workers > 1 {
            // One that has fewer workers for a time, also if a timer stands where nobody has the slot.
            scheduler.set_workers(1);
            std::thread::sleep(GRACE);
            nothing_happens("quiet", workers, Duration::from_millis(300));
        }
        tasks.iter().for_each(|task| task.task().unpark());
        // It is there all the same.
        let client = TcpStream::connect(address).unwrap();
        assert_eq!(open.join().unwrap(), client.local_addr().unwrap());
        late.abort();
        for task in tasks {
            task.join().unwrap();
        }
        assert!(late.join().unwrap_err().is_cancelled());
        scheduler.shutdown(LONG).unwrap();
        assert_eq!(threads("quiet").len(), 0);
    }
}

#[test]
fn idle_workers_sleep_soon() {
    let _alone = ALONE.lock().unwrap_or_else(|error| error.into_inner());
    let scheduler = Scheduler::builder()
        .workers(4)
        .name("drowsy")
        .build()
        .unwrap();
    for _ in 0..5 {
        let tasks: Vec<_> = (0..50).map(|_| scheduler.spawn(|| ())).collect();
        for task in tasks {
            task.join().unwrap();
        }
        eventually("all sleep", || scheduler.stats().idle_workers == 4);
        let time = || -> u64 { threads("drowsy").values().map(|thread| thread.cpu_ns).sum() };
        let before = time();
        std::thread::sleep(Duration::from_millis(100));
        // Only the monitor looks around, and for a moment only.
        let used = Duration::from_nanos(time() - before);
        assert!(
            used < Duration::from_millis(5),
            "{used:?} of processor time"
        );
    }
    scheduler.shutdown(LONG).unwrap();
}

/// How many threads of the scheduler, and its monitor, are in these system calls.
fn threads_in(name: &str, calls: &[libc::c_long]) -> usize {
    let is_in = |thread: &String| {
        let id = thread.rsplit(' ').next().expect("its number");
        let path = format!("/proc/self/task/{id}/syscall");
        let call = std::fs::read_to_string(path).unwrap_or_default();
        let number = call
            .split(' ')
            .next()
            .and_then(|number| number.parse().ok());
        number.is_some_and(|number| calls.contains(&number))
    };
    threads(name).keys().filter(|thread| is_in(thread)).count()
}

/// One of the workers goes to sleep at the poller, and only while there is something to watch.
#[test]
fn one_idle_worker_sleeps_at_the_poller() {
    const WORKERS: usize = 4;
    let _alone = ALONE.lock().unwrap_or_else(|error| error.into_inner());
    let _watchdog = Watchdog::new("one_idle_worker_sleeps_at_the_poller".into());
    let name = "watchful";
    let scheduler = Scheduler::builder().workers(WORKERS).name(name);
    let scheduler = scheduler.build().unwrap();
    let at_poller = || threads_in(name, &[libc::SYS_epoll_wait, libc::SYS_epoll_pwait]);
    // The workers, the monitor, and one thread that stands by.
    let sleep_as = |watching: usize| {
        threads_in(name, &[libc::SYS_futex]) == WORKERS + 2 - watching && at_poller() == watching
    };
    scheduler.run(|| ());
    eventually("all sleep on a futex", || sleep_as(0));
    for _ in 0..5 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let open = scheduler.spawn(move || listener.accept().unwrap().1);
        until_waits(open.task(), WaitReason::Readable);
        // Also after others have been awake.
        let busy: Vec<_> = (0..50).map(|_| scheduler.spawn(|| ())).collect();
        busy.into_iter().for_each(|task| task.join().unwrap());
        eventually("one watches, and the others sleep on a futex", || {
            sleep_as(1)
        });
        let client = TcpStream::connect(address).unwrap();
        assert_eq!(open.join().unwrap(), client.local_addr().unwrap());
        // The descriptor went with the task. Whoever sleeps at the poller by then may stay there until it is called.
        let awake = Arc::new(AtomicUsize::new(0));
        let workers = (0..WORKERS).map(|_| {
            let awake = Arc::clone(&awake);
            scheduler.spawn(move || {
                awake.fetch_add(1, Ordering::SeqCst);
                hog_until(|| awake.load(Ordering::SeqCst) == WORKERS);
            })
        });
        let workers: Vec<_> = workers.collect();
        workers.into_iter().for_each(|task| task.join().unwrap());
        eventually("nobody watches what is not there", || sleep_as(0));
    }
    scheduler.shutdown(LONG).unwrap();
}
