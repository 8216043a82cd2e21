//! What does not go on is kept in a table with its cause, and the cause is the right one each time.

mod common;

use std::cell::Cell;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use common::{checked, eventually, hog_until, until_waits, with_on_fibers};
use fiberhost::scheduler::native::{self, Target};
use fiberhost::scheduler::stats::TaskState;
use fiberhost::scheduler::sync::{ManualResetEvent, Mutex, RawMutex};
use fiberhost::scheduler::{
    Backing, Builder, JoinHandle, Scheduler, Stall, StallKind, WaitReason, Wake, park, yield_now,
};
use fiberhost::views::{StallRow, Views};

/// The shortest that is promised, and what user and kernel are promised to be told apart in: the kernel counts that by ticks of
/// 10 ms.
const SHORT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_millis(100);
const RUNS: usize = 20;

/// One test at a time: what one does to the processors would be a cause in the reports of another.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn within(after: Duration) -> Builder {
    checked(1).stall_after(after)
}

/// The report with this number, counted from 1, when it is there.
#[track_caller]
fn report(scheduler: &Scheduler, number: usize) -> Arc<Stall> {
    eventually("it is reported", || scheduler.stalls().len() >= number);
    Arc::clone(&scheduler.stalls()[number - 1])
}

fn row(scheduler: &Scheduler, number: usize) -> StallRow {
    Views::take(scheduler, &[]).stalls()[number - 1].clone()
}

/// For how long the calling thread had a processor so far.
fn ran() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("the kernel counts");
    let ran = text.split_ascii_whitespace().next();
    Duration::from_nanos(ran.expect("a field").parse().expect("a number"))
}

/// Runs a task that keeps its worker by `work` until it is reported, some times, and looks at what the reports say.
///
/// On a machine that is too busy the thread starves whatever it does, and then that is the cause which is right. The report is
/// about the end of the stall, and the kernel tells the task only about the whole of it; so it may be called starving if it
/// lacked a processor for a quarter of what the report is about, and must not be if it did not.
fn keep(
    after: Duration,
    work: impl Fn(&AtomicBool) + Clone + Send + 'static,
    is_right: impl Fn(&Stall) -> bool,
    look: impl Fn(&Stall, &StallRow),
) {
    let clear = Cell::new(0);
    with_on_fibers(within(after), |scheduler| {
        for run in 1..=RUNS {
            let stop = Arc::new(AtomicBool::new(false));
            let (seen, work) = (Arc::clone(&stop), work.clone());
            let task = scheduler.task().name("keeps").spawn(move || {
                let (began, before) = (Instant::now(), ran());
                work(&seen);
                began.elapsed().saturating_sub(ran() - before)
            });
            let task = task.expect("a task");
            let stall = report(scheduler, run);
            assert_eq!(scheduler.goes_on(&stall), Some(true), "{stall:?}");
            stop.store(true, Ordering::SeqCst);
            let id = task.task().id();
            let lacked = task.join().expect("no panic");
            eventually("it is over", || scheduler.goes_on(&stall) == Some(false));
            assert_eq!(stall.task_id(), id);
            let times = stall.times().expect("the kernel counts");
            assert!(times.ran + times.starved <= times.over, "{times:?}");
            if is_right(&stall) {
                clear.set(clear.get() + 1);
                look(&stall, &row(scheduler, run));
            } else {
                let kind = stall.kind();
                assert_eq!(kind, StallKind::Starving, "run {run}: {stall:?}");
                assert!(lacked >= times.over / 4, "{lacked:?}: {stall:?}");
            }
        }
        assert_eq!(scheduler.stats().stalls, RUNS as u64);
    });
    println!("{} of {RUNS} had a processor", clear.get());
}

#[inline(never)]
fn a_loop_of_the_program(stop: &AtomicBool) {
    while !stop.load(Ordering::SeqCst) {
        std::hint::black_box(());
    }
}

#[inline(never)]
fn a_loop_in_the_kernel(stop: &AtomicBool) {
    let mut bytes = vec![0_u8; 1 << 20];
    while !stop.load(Ordering::SeqCst) {
        // SAFETY: room that outlives the call.
        let read = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
        assert!(read > 0);
    }
}

/// The kernel counts in ticks of 10 ms whether a thread runs in the program. So what a shorter stall is called hangs on where
/// the thread stands when it is asked; a thread that is not scheduled then gives no answer in time.
fn is_told_apart(stall: &Stall, kind: StallKind) -> bool {
    let ticks = stall.times().map_or(0, |times| times.ran.as_millis() / 10);
    let is_clear = !stall.frames().is_empty() || ticks > 3;
    stall.kind() == kind || (!is_clear && stall.kind().is_running())
}

#[test]
fn a_loop_is_told_with_its_function() {
    let _alone = alone();
    keep(
        SHORT,
        a_loop_of_the_program,
        |stall| is_told_apart(stall, StallKind::User),
        |stall, row| {
            if !stall.frames().is_empty() {
                assert_eq!(row.cause, "USER LOOP", "{row:?}");
                let stack = row.stack.as_deref().expect("there are frames");
                assert!(stack.contains("a_loop_of_the_program"), "{row:?}");
                let function = row.function.as_deref().expect("the loop has a name");
                assert!(function.contains("a_loop_of_the_program"), "{row:?}");
            }
        },
    );
}

#[test]
fn a_loop_of_the_program_and_one_in_the_kernel_are_told_apart() {
    let _alone = alone();
    let is_user = |stall: &Stall| is_told_apart(stall, StallKind::User);
    keep(LONG, a_loop_of_the_program, is_user, |_, row| {
        assert!(row.system_call.is_none(), "{row:?}");
    });
    for after in [SHORT, LONG] {
        let is_system = |stall: &Stall| is_told_apart(stall, StallKind::System);
        keep(after, a_loop_in_the_kernel, is_system, |stall, row| {
            assert!(
                matches!(row.system_call, None | Some("getrandom")),
                "{row:?}"
            );
            if !stall.frames().is_empty() {
                assert_eq!(row.cause, "KERNEL", "{row:?}");
                let stack = row.stack.as_deref().expect("there are frames");
                assert!(stack.contains("a_loop_in_the_kernel"), "{row:?}");
            }
        });
    }
}

#[test]
fn a_thread_that_is_blocked_in_the_kernel_is_told_with_the_call() {
    let _alone = alone();
    with_on_fibers(within(SHORT), |scheduler| {
        for run in 1..=RUNS {
            let (receive, send) = std::io::pipe().expect("a pipe");
            let task = scheduler.spawn(move || {
                let mut byte = 0_u8;
                // SAFETY: one byte that outlives the call.
                unsafe { libc::read(receive.as_raw_fd(), (&raw mut byte).cast(), 1) }
            });
            let stall = report(scheduler, run);
            (&send).write_all(&[7]).expect("somebody reads");
            assert_eq!(task.join().expect("no panic"), 1);
            assert_eq!(stall.kind(), StallKind::Sleeping, "run {run}: {stall:?}");
            let row = row(scheduler, run);
            assert_eq!(row.cause, "BLOCKED IN KERNEL");
            // Some systems do not let a process see that of itself.
            assert!(matches!(row.system_call, None | Some("read")), "{row:?}");
        }
    });
}

static SLOW: Target = Target::new("a slow call");

#[test]
fn a_section_that_lasts_is_told_with_its_target() {
    let _alone = alone();
    with_on_fibers(within(SHORT), |scheduler| {
        for run in 1..=RUNS {
            let (sender, receiver) = mpsc::channel::<()>();
            let task = scheduler.spawn(move || {
                native::section(&SLOW, || receiver.recv().expect("it comes"));
            });
            let stall = report(scheduler, run);
            assert_eq!(scheduler.goes_on(&stall), Some(true));
            sender.send(()).expect("it waits");
            task.join().expect("no panic");
            assert_eq!(stall.kind(), StallKind::NativeSection, "run {run}");
            let row = row(scheduler, run);
            assert_eq!(row.goes_on, Some(false));
            assert_eq!(row.cause, "NATIVE SECTION");
            assert_eq!(row.native_target, Some("a slow call"));
        }
    });
}

/// Puts the calling thread on one processor, and behind everybody else there. `false`: the system refuses.
fn last_on(processor: usize, last: bool) -> bool {
    // SAFETY: plain structures that outlive the calls, which are about the calling thread.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(processor, &mut set);
        let parameters: libc::sched_param = std::mem::zeroed();
        libc::sched_setaffinity(0, size_of_val(&set), &raw const set) == 0
            && (!last || libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const parameters) == 0)
    }
}

#[test]
fn a_thread_that_gets_no_processor_is_told_to_starve() {
    let _alone = alone();
    // SAFETY: the call takes nothing.
    let processor = usize::try_from(unsafe { libc::sched_getcpu() }).expect("the kernel knows");
    with_on_fibers(within(SHORT), |scheduler| {
        for run in 1..=RUNS {
            let over = Arc::new(AtomicBool::new(false));
            let neighbours = [(); 2].map(|()| {
                let over = Arc::clone(&over);
                std::thread::spawn(move || {
                    assert!(last_on(processor, false));
                    a_loop_of_the_program(&over);
                })
            });
            let stop = Arc::new(AtomicBool::new(false));
            let seen = Arc::clone(&stop);
            // A thread of its own, which ends with it.
            let task = scheduler.task().backing(Backing::Thread).spawn(move || {
                let is_last = last_on(processor, true);
                if is_last {
                    // What came before was not the last: it begins anew.
                    yield_now();
                    a_loop_of_the_program(&seen);
                }
                is_last
            });
            let task = task.expect("a task");
            eventually("it is reported, or cannot be", || {
                scheduler.stalls().len() >= run || task.task().is_finished()
            });
            stop.store(true, Ordering::SeqCst);
            over.store(true, Ordering::SeqCst);
            for neighbour in neighbours {
                neighbour.join().expect("no panic");
            }
            if !task.join().expect("no panic") {
                println!("nothing tried: the system does not let a thread be the last");
                return;
            }
            let stall = report(scheduler, run);
            assert_eq!(stall.kind(), StallKind::Starving, "run {run}: {stall:?}");
            assert_eq!(row(scheduler, run).cause, "STARVED");
        }
    });
}

/// The report of all workers, if there is one.
fn all_workers(scheduler: &Scheduler) -> Option<Arc<Stall>> {
    let mut stalls = scheduler.stalls().into_iter();
    stalls.find(|stall| stall.kind() == StallKind::AllWorkers)
}

/// Two tasks that keep both workers by a lock of the thread's until the gate is opened.
struct Keepers {
    gate: Arc<(std::sync::Mutex<bool>, Condvar)>,
    tasks: [JoinHandle<()>; 2],
}

impl Keepers {
    fn new(scheduler: &Scheduler) -> Keepers {
        let gate = Arc::new((std::sync::Mutex::new(false), Condvar::new()));
        let tasks = [(); 2].map(|()| {
            let gate = Arc::clone(&gate);
            scheduler.spawn(move || {
                let open = gate.0.lock().expect("no panic");
                drop(gate.1.wait_while(open, |open| !*open).expect("no panic"));
            })
        });
        eventually("both have a worker", || {
            let tasks = scheduler.snapshot().tasks;
            tasks.len() == 2 && tasks.iter().all(|task| task.state == TaskState::Running)
        });
        Keepers { gate, tasks }
    }

    fn end(self) {
        *self.gate.0.lock().expect("no panic") = true;
        self.gate.1.notify_all();
        for task in self.tasks {
            task.join().expect("no panic");
        }
    }
}

/// That they are kept, and by what.
#[track_caller]
fn told_of_all(scheduler: &Scheduler) -> Arc<Stall> {
    eventually("it is told", || all_workers(scheduler).is_some());
    let stall = all_workers(scheduler).expect("it is there");
    assert_eq!((stall.task_id(), stall.worker()), (0, None));
    assert!(stall.lasted() >= SHORT);
    let detail = stall.detail().expect("it says by what");
    let expected = [
        "2 of 2: system call futex",
        "2 of 2: a task sleeps in the kernel",
    ];
    assert!(expected.contains(&detail), "{detail}");
    stall
}

#[test]
fn workers_that_are_all_kept_by_the_same_are_told_once_with_that() {
    let _alone = alone();
    with_on_fibers(checked(2).stall_after(SHORT), |scheduler| {
        let keepers = Keepers::new(scheduler);
        eventually("both workers are kept", || scheduler.stalls().len() == 2);
        // Nothing waits for them, so that is nobody's trouble.
        std::thread::sleep(3 * SHORT);
        assert!(all_workers(scheduler).is_none());
        let waits = scheduler.spawn(|| ());
        let _ = told_of_all(scheduler);
        std::thread::sleep(5 * SHORT);
        assert_eq!(scheduler.stalls().len(), 3, "once");
        keepers.end();
        waits.join().expect("no panic");
    });
}

#[test]
fn workers_that_are_all_kept_are_told_each_time() {
    let _alone = alone();
    for _ in 0..RUNS {
        with_on_fibers(checked(2).stall_after(SHORT), |scheduler| {
            let keepers = Keepers::new(scheduler);
            let waits = scheduler.spawn(|| ());
            let stall = told_of_all(scheduler);
            let rows = Views::take(scheduler, &[]).stalls();
            let row = rows.iter().find(|row| row.stall_id == stall.number());
            assert_eq!(row.expect("it is shown").cause, "ALL WORKERS");
            keepers.end();
            waits.join().expect("no panic");
        });
    }
}

#[test]
fn tasks_that_wait_with_all_the_threads_there_may_be_are_told_with_the_wait() {
    let _alone = alone();
    // Each has its thread for itself, and no other thread can take the slots over.
    let builder = checked(2).stall_after(SHORT).max_threads(2);
    for _ in 0..RUNS {
        with_on_fibers(builder.clone(), |scheduler| {
            let lock = Arc::new(RawMutex::new());
            assert!(lock.try_lock());
            let tasks = [(); 2].map(|()| {
                let lock = Arc::clone(&lock);
                scheduler.spawn(move || {
                    let _own = native::own();
                    assert_eq!(lock.lock(), Wake::Signalled);
                    lock.unlock().expect("it has locked it");
                })
            });
            for task in &tasks {
                until_waits(task.task(), WaitReason::Mutex);
            }
            let waits = scheduler.spawn(|| ());
            eventually("it is told", || all_workers(scheduler).is_some());
            let stall = all_workers(scheduler).expect("it is there");
            assert_eq!(stall.detail(), Some("2 of 2: wait for Mutex"));
            lock.unlock().expect("this thread has locked it");
            for task in tasks {
                task.join().expect("no panic");
            }
            waits.join().expect("no panic");
        });
    }
}

#[test]
fn workers_that_are_busy_and_go_on_are_not_told() {
    let _alone = alone();
    with_on_fibers(checked(2).stall_after(4 * LONG), |scheduler| {
        let tasks: Vec<_> = (0..6)
            .map(|_| {
                scheduler.spawn(|| {
                    for _ in 0..20 {
                        let until = Instant::now() + Duration::from_millis(5);
                        hog_until(|| Instant::now() >= until);
                        yield_now();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.join().expect("no panic");
        }
        assert!(all_workers(scheduler).is_none(), "{:?}", scheduler.stalls());
    });
}

#[test]
fn a_wait_that_lasts_is_told_once_each_time_with_who_has_the_lock() {
    let _alone = alone();
    let builder = checked(2).report_waits([WaitReason::Mutex], SHORT);
    with_on_fibers(builder, |scheduler| {
        for run in 1..=RUNS {
            let lock = Arc::new(Mutex::new(0));
            let holder = {
                let lock = Arc::clone(&lock);
                scheduler.task().name("holder").spawn(move || {
                    let _guard = lock.lock();
                    park();
                })
            };
            let holder = holder.expect("a task");
            until_waits(holder.task(), WaitReason::Park);
            let waiter = {
                let lock = Arc::clone(&lock);
                scheduler
                    .task()
                    .name("waiter")
                    .spawn(move || *lock.lock() += 1)
            };
            let waiter = waiter.expect("a task");
            // All workers sleep, and the monitor would as well.
            let stall = report(scheduler, run);
            std::thread::sleep(3 * SHORT);
            let told = scheduler.stalls().len();
            assert_eq!(told, run, "once, and not that the holder parks");
            is_told_of(&stall, &waiter, &holder);
            is_shown_to_wait(scheduler, &waiter, &holder);
            assert_eq!(row(scheduler, run).goes_on, Some(true));
            holder.task().unpark();
            holder.join().expect("no panic");
            waiter.join().expect("no panic");
            assert_eq!(row(scheduler, run).goes_on, Some(false));
        }
        std::thread::sleep(3 * SHORT);
        assert_eq!(scheduler.stalls().len(), RUNS);
    });
}

/// The report says who waits, for what, how long, and who has it.
#[track_caller]
fn is_told_of(stall: &Stall, waiter: &JoinHandle<()>, holder: &JoinHandle<()>) {
    assert_eq!(stall.kind(), StallKind::LongWait);
    assert_eq!(stall.task_id(), waiter.task().id());
    assert_eq!(stall.task_name(), Some("waiter"));
    assert_eq!(stall.wait_reason(), Some(WaitReason::Mutex));
    assert_eq!(stall.blocking_task(), Some(holder.task().id()));
    // But for what the coarse clock is late at either end.
    assert!(
        stall.lasted() >= SHORT - Duration::from_millis(2),
        "{stall}"
    );
}

/// The same stands in the table of waits.
#[track_caller]
fn is_shown_to_wait(scheduler: &Scheduler, waiter: &JoinHandle<()>, holder: &JoinHandle<()>) {
    let waits = Views::take(scheduler, &[]).waiting_tasks();
    let wait = waits
        .iter()
        .find(|row| row.waiting_task_id == waiter.task().id());
    let wait = wait.expect("it waits");
    assert_eq!(wait.blocking_task_id, Some(holder.task().id()));
    assert_eq!(
        wait.blocking_reason,
        Some("it waits for a mutex that it has")
    );
}

#[test]
fn of_many_waits_that_last_some_are_told_and_the_others_counted() {
    let _alone = alone();
    let builder = checked(1).report_waits([WaitReason::Event], Duration::from_millis(30));
    with_on_fibers(builder, |scheduler| {
        let event = Arc::new(ManualResetEvent::new(false));
        let tasks: Vec<_> = (0..100)
            .map(|_| {
                let event = Arc::clone(&event);
                scheduler.spawn(move || event.wait())
            })
            .collect();
        eventually("they are told", || !scheduler.stalls().is_empty());
        std::thread::sleep(Duration::from_millis(100));
        let stalls = scheduler.stalls();
        let more = stalls.iter().filter_map(|stall| stall.detail());
        let more = more.map(|text| text.split(' ').nth(1).expect("a number"));
        let more: usize = more
            .map(|text| text.parse::<usize>().expect("a number"))
            .sum();
        assert_eq!(stalls.len() + more, 100);
        event.set();
        for task in tasks {
            assert_eq!(task.join().expect("no panic"), Wake::Signalled);
        }
    });
}

#[test]
fn a_deadlock_is_kept_each_time_with_who_waits_for_whom() {
    let _alone = alone();
    with_on_fibers(checked(1), |scheduler| {
        for run in 1..=RUNS {
            let [one, other] = [Arc::new(Mutex::new(())), Arc::new(Mutex::new(()))];
            let first = {
                let (one, other) = (Arc::clone(&one), Arc::clone(&other));
                scheduler.spawn(move || {
                    let _one = one.lock();
                    park();
                    other.lock_or_deadlock().is_err()
                })
            };
            until_waits(first.task(), WaitReason::Park);
            let second = scheduler.spawn(move || {
                let _other = other.lock();
                let _one = one.lock();
            });
            until_waits(second.task(), WaitReason::Mutex);
            first.task().unpark();
            let (first_id, second_id) = (first.task().id(), second.task().id());
            assert!(first.join().expect("no panic"), "it is refused");
            second.join().expect("no panic");
            assert_eq!(scheduler.stalls().len(), run, "once");
            let row = row(scheduler, run);
            assert_eq!((row.cause, row.task_id), ("DEADLOCK", Some(first_id)));
            assert_eq!(row.goes_on, Some(false), "it was refused");
            let detail = row.detail.expect("who waits for whom");
            for id in [first_id, second_id] {
                assert!(detail.contains(&format!("task {id} ")), "{detail}");
            }
        }
    });
}

#[test]
fn the_table_is_bounded_and_its_count_goes_on() {
    let _alone = alone();
    let builder = checked(1).report_waits([WaitReason::Park], Duration::from_millis(2));
    with_on_fibers(builder, |scheduler| {
        let mut tasks = Vec::new();
        while scheduler.stats().stalls < 300 {
            tasks.extend((0..20).map(|_| scheduler.spawn(park)));
            std::thread::sleep(Duration::from_millis(10));
        }
        let stalls = scheduler.stalls();
        assert_eq!(stalls.len(), 256);
        assert!(stalls.is_sorted_by_key(|stall| stall.number()));
        for task in tasks {
            task.task().unpark();
            task.join().expect("no panic");
        }
    });
}

#[test]
fn a_limit_of_nothing_is_refused() {
    let _alone = alone();
    let builder = Scheduler::builder().report_waits([WaitReason::Mutex], Duration::ZERO);
    let error = builder.build().expect_err("it makes no sense");
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}
