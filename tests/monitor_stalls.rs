//! Tasks that do not settle are reported: once, with who it is, what the thread does, and where it stands.

mod common;

use std::ffi::c_void;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::{Duration, Instant};

use common::{
    BACKINGS, LONG, Watchdog, checked, eventually, expect_panics, hog_until, os_thread, with,
    with_as, with_on_fibers,
};
use fiberhost::scheduler::native::{self, Target};
use fiberhost::scheduler::{
    Backing, Builder, Scheduler, Stall, StallKind, StallTimes, current, park_for, sleep, yield_now,
};

const fn is_shared<T: Send + Sync>() {}
const _: () = is_shared::<Stall>();

/// Long against what a busy machine takes from a thread, short against a test.
const LIMIT: Duration = Duration::from_millis(100);

// Two functions whose ends are known: a loop until the byte at an address is not 0, and a call with one argument.
std::arch::global_asm!(
    ".pushsection .text.stalls, \"ax\", @progbits",
    ".globl stalls_spin",
    "stalls_spin:",
    "2: pause",
    "cmp byte ptr [rdi], 0",
    "je 2b",
    "ret",
    ".globl stalls_spin_end",
    "stalls_spin_end:",
    ".globl stalls_call",
    "stalls_call:",
    "push rbp",
    "mov rbp, rsp",
    "call rsi",
    "pop rbp",
    "ret",
    ".globl stalls_call_end",
    "stalls_call_end:",
    ".popsection",
);

unsafe extern "C" {
    fn stalls_spin(until: *const AtomicBool);
    fn stalls_call(argument: *const c_void, function: extern "C" fn(*const c_void));
    static stalls_spin_end: u8;
    static stalls_call_end: u8;
}

fn code_of_spin() -> Range<usize> {
    stalls_spin as *const () as usize..(&raw const stalls_spin_end).addr()
}

fn code_of_call() -> Range<usize> {
    // A return address may be the one behind the last instruction.
    stalls_call as *const () as usize..(&raw const stalls_call_end).addr()
}

/// Keeps the worker in code of the program.
fn spin(until: &AtomicBool) {
    // SAFETY: the function reads the byte, which lives until it returns.
    unsafe { stalls_spin(until) };
}

/// Calls a closure through the function with known bounds.
fn call<F: FnMut()>(work: F) {
    extern "C" fn enter<F: FnMut()>(work: *const c_void) {
        // SAFETY: the closure of the call below, which nobody else has.
        unsafe { (*work.cast::<F>().cast_mut())() };
    }
    let mut work = work;
    // SAFETY: the function calls the other one with its argument, once.
    unsafe { stalls_call((&raw mut work).cast(), enter::<F>) };
}

/// What a report said.
#[derive(Clone, Debug)]
struct Seen {
    kind: StallKind,
    id: u64,
    name: Option<String>,
    worker: usize,
    thread: i32,
    lasted: Duration,
    target: Option<&'static str>,
    call: Option<u64>,
    frames: Vec<usize>,
    times: Option<StallTimes>,
    text: String,
}

impl Seen {
    /// Whether it is told to run in the program. The kernel counts that in ticks of 10 ms: where those are few and the thread
    /// gave no answer, what it is called is chance.
    fn is_of_the_program(&self) -> bool {
        let ticks = self.times.map_or(0, |times| times.ran.as_millis() / 10);
        let is_clear = !self.frames.is_empty() || ticks > 3;
        self.kind == StallKind::User || (!is_clear && self.kind.is_running())
    }
}

#[derive(Clone, Default)]
struct Reports(Arc<(Mutex<Vec<Seen>>, Condvar)>);

impl Reports {
    fn on(&self, builder: Builder) -> Builder {
        let reports = self.clone();
        builder.on_stall(move |stall| reports.note(stall))
    }

    fn note(&self, stall: &Stall) {
        self.0.0.lock().unwrap().push(Seen {
            kind: stall.kind(),
            id: stall.task_id(),
            name: stall.task_name().map(str::to_owned),
            worker: stall.worker().expect("it keeps a thread"),
            thread: stall.os_thread().expect("it keeps a thread"),
            lasted: stall.lasted(),
            target: stall.target(),
            call: stall.system_call(),
            frames: stall.frames().to_vec(),
            times: stall.times(),
            text: format!("{stall} {stall:?}"),
        });
        self.0.1.notify_all();
    }

    fn count(&self) -> usize {
        self.0.0.lock().unwrap().len()
    }

    fn all(&self) -> Vec<Seen> {
        self.0.0.lock().unwrap().clone()
    }

    /// Blocks the thread, also that of a worker, which stalls: the report with this number, when it is there.
    #[track_caller]
    fn wait_for(&self, number: usize) -> Seen {
        let (reports, changed) = &*self.0;
        let fewer = |reports: &mut Vec<Seen>| reports.len() < number;
        let waited = changed.wait_timeout_while(reports.lock().unwrap(), LONG, fewer);
        let (reports, limit) = waited.unwrap();
        assert!(!limit.timed_out(), "report {number} never came");
        reports[number - 1].clone()
    }
}

/// Runs a test with tasks of each kind, each time with reports of its own, which it answers.
#[track_caller]
fn with_reports(
    builder: Builder,
    test: impl Fn(&Scheduler, &Reports),
) -> [Vec<Seen>; BACKINGS.len()] {
    BACKINGS.map(|backing| {
        let reports = Reports::default();
        let builder = reports.on(builder.clone().default_backing(backing));
        with_as(builder, backing, |scheduler| test(scheduler, &reports));
        reports.all()
    })
}

/// For how long the calling thread had a processor so far.
fn ran() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("the kernel counts");
    let ran = text.split_ascii_whitespace().next();
    Duration::from_nanos(ran.expect("a field").parse().expect("a number"))
}

#[test]
fn a_task_that_computes_for_too_long_is_reported() {
    for workers in [1, 2] {
        let all = with_reports(checked(workers).stall_after(LIMIT), |scheduler, reports| {
            let stop = Arc::new(AtomicBool::new(false));
            let seen = Arc::clone(&stop);
            let task = scheduler.task().name("computes").spawn(move || {
                let (began, before) = (Instant::now(), ran());
                spin(&seen);
                let lacked = began.elapsed().saturating_sub(ran() - before);
                let worker = std::thread::current().name().map(str::to_owned);
                (os_thread(), worker, lacked)
            });
            let task = task.unwrap();
            let seen = reports.wait_for(1);
            stop.store(true, Ordering::SeqCst);
            let id = task.task().id();
            let (thread, worker, lacked) = task.join().unwrap();
            assert_eq!(seen.id, id, "{seen:?}");
            assert_eq!(seen.name.as_deref(), Some("computes"));
            assert_eq!(seen.thread, thread);
            assert_eq!(worker, Some(format!("fiberhost-{}", seen.worker)));
            assert!(seen.lasted >= LIMIT, "{seen:?}");
            // On a machine that is too busy it starves. The report is about the end of the stall, and the kernel tells the
            // task only about the whole of it: so it may be called that if it lacked a processor for a quarter of it.
            if !seen.is_of_the_program() {
                assert_eq!(seen.kind, StallKind::Starving, "{seen:?}");
                let over = seen.times.expect("the kernel counts").over;
                assert!(lacked >= over / 4, "{lacked:?}: {seen:?}");
            }
            if seen.kind == StallKind::User {
                let innermost = seen.frames.first().expect("it answered");
                assert!(code_of_spin().contains(innermost), "{seen:?}");
            }
            assert!(seen.text.contains("computes"), "{}", seen.text);
        });
        for reports in all {
            assert_eq!(reports.len(), 1, "one report for one stall");
        }
    }
}

#[test]
fn a_task_that_blocks_its_thread_is_reported_with_the_call() {
    for backing in [Backing::Fiber, Backing::Thread] {
        let reports = Reports::default();
        with_on_fibers(reports.on(checked(1).stall_after(LIMIT)), |scheduler| {
            let (receive, send) = std::io::pipe().expect("a pipe");
            let task = scheduler.task().name("reads").backing(backing);
            let task = task.spawn(move || {
                let mut byte = 0_u8;
                let mut read = 0;
                call(|| {
                    // SAFETY: one byte that outlives the call.
                    read = unsafe { libc::read(receive.as_raw_fd(), (&raw mut byte).cast(), 1) };
                });
                (os_thread(), read, byte)
            });
            let task = task.unwrap();
            let seen = reports.wait_for(1);
            std::io::Write::write_all(&mut &send, &[7]).expect("somebody reads");
            let id = task.task().id();
            let (thread, read, byte) = task.join().unwrap();
            // The signal has not ended the call.
            assert_eq!((read, byte), (1, 7));
            assert_eq!((seen.id, seen.thread), (id, thread));
            assert_eq!(seen.kind, StallKind::Sleeping, "{seen:?}");
            assert!(
                seen.call.is_none_or(|call| call == libc::SYS_read as u64),
                "{seen:?}"
            );
            let code = code_of_call();
            assert!(
                seen.frames.iter().any(|frame| code.contains(frame)),
                "{code:x?} {}",
                seen.text
            );
        });
        assert_eq!(reports.count(), 1, "one report for one stall");
    }
}

// On fibers only: a task on a thread of its own has no worker's frames below its own.
#[test]
fn frames_go_on_to_the_workers() {
    // The chain, or what looks like calls, of a task some calls deep ends in the worker's loop: in code that a task of
    // another stack is resumed from too.
    let reports = Reports::default();
    with_on_fibers(reports.on(checked(1).stall_after(LIMIT)), |scheduler| {
        if scheduler.stats().switch != "jump" {
            return;
        }
        for number in 1..=2 {
            let reports = reports.clone();
            scheduler.run(move || call(|| drop(reports.wait_for(number))));
        }
        let [first, second] = [0, 1].map(|number| reports.all()[number].frames.clone());
        println!("{}", reports.all()[0].text);
        let outermost = first.last().expect("there are frames");
        assert_eq!(second.last(), Some(outermost), "{first:x?} {second:x?}");
        assert!(first.len() > 4, "{first:x?}");
    });
}

#[test]
fn each_stall_is_reported_once() {
    let all = with_reports(checked(1).stall_after(LIMIT), |scheduler, reports| {
        let in_task = reports.clone();
        scheduler.run(move || {
            for number in 1..=3 {
                in_task.wait_for(number);
                // The same stall goes on.
                std::thread::sleep(3 * LIMIT);
                assert_eq!(in_task.count(), number);
                yield_now();
            }
        });
    });
    for reports in all {
        assert_eq!(reports.len(), 3);
        for seen in reports {
            assert_eq!(seen.kind, StallKind::Sleeping, "{seen:?}");
        }
    }
}

#[test]
fn tasks_that_settle_are_not_reported() {
    // Longer than a busy machine keeps a thread from running.
    let limit = Duration::from_secs(1);
    let until = Instant::now() + limit * 5 / 2;
    let reports = Reports::default();
    with_on_fibers(reports.on(checked(2).stall_after(limit)), |scheduler| {
        let goes_on = move || Instant::now() < until;
        let yields = move || {
            while goes_on() {
                yield_now();
            }
        };
        let sleeps = move || {
            while goes_on() {
                sleep(Duration::from_millis(3));
            }
        };
        let mut tasks = Vec::new();
        for backing in [Backing::Fiber, Backing::Thread] {
            tasks.push(scheduler.task().backing(backing).spawn(yields).unwrap());
            tasks.push(scheduler.task().backing(backing).spawn(sleeps).unwrap());
            // A wait that is longer than the limit is no stall.
            let waits = move || {
                park_for(limit * 2);
            };
            tasks.push(scheduler.task().backing(backing).spawn(waits).unwrap());
        }
        tasks.push(scheduler.spawn(move || {
            let _own = native::own();
            yields();
        }));
        tasks.push(scheduler.spawn(move || {
            let _own = native::own();
            park_for(limit * 2);
        }));
        for task in tasks {
            task.join().unwrap();
        }
    });
    assert_eq!(reports.count(), 0, "{:?}", reports.all());
}

static SLOW: Target = Target::new("a slow call");

/// A section that lasts, and its one report.
fn a_section_that_lasts(scheduler: &Scheduler, reports: &Reports) {
    let (sender, receiver) = mpsc::channel::<()>();
    let task = scheduler.task().name("calls").spawn(move || {
        native::section(&SLOW, || receiver.recv().unwrap());
        os_thread()
    });
    let task = task.unwrap();
    let seen = reports.wait_for(1);
    std::thread::sleep(3 * LIMIT);
    sender.send(()).unwrap();
    let id = task.task().id();
    assert_eq!((seen.id, seen.thread), (id, task.join().unwrap()));
    assert_eq!(seen.kind, StallKind::NativeSection, "{seen:?}");
    assert_eq!(seen.target, Some("a slow call"));
    assert!(seen.lasted >= LIMIT);
    assert!(seen.frames.is_empty(), "native code is not disturbed");
}

/// The limit is changed while the task runs, which was never to be reported.
#[test]
fn a_changed_limit_counts_for_who_is_stalled_already() {
    let reports = Reports::default();
    let builder = reports.on(checked(1)).stall_after(Duration::MAX);
    with_on_fibers(builder, |scheduler| {
        assert_eq!(scheduler.stall_after(), Duration::MAX);
        let release = Arc::new(AtomicBool::new(false));
        let hog = {
            let release = Arc::clone(&release);
            scheduler.spawn(move || hog_until(|| release.load(Ordering::SeqCst)))
        };
        scheduler.set_stall_after(LIMIT);
        assert_eq!(scheduler.stall_after(), LIMIT);
        let seen = reports.wait_for(1);
        assert_eq!(seen.id, hog.task().id());
        release.store(true, Ordering::SeqCst);
        hog.join().expect("no panic");
    });
}

#[test]
fn a_section_that_lasts_is_reported_with_its_target() {
    let all = with_reports(checked(1).stall_after(LIMIT), a_section_that_lasts);
    for reports in all {
        assert_eq!(reports.len(), 1, "{reports:?}");
    }
}

/// The same without a thread to take the slot over. On fibers only: a task on a thread of its own needs one more.
#[test]
fn a_section_that_keeps_its_slot_is_reported_too() {
    let reports = Reports::default();
    let builder = reports.on(checked(1).stall_after(LIMIT).max_threads(1));
    with_on_fibers(builder, |scheduler| {
        a_section_that_lasts(scheduler, &reports)
    });
    assert_eq!(reports.count(), 1, "{:?}", reports.all());
}

#[test]
fn a_section_is_reported_though_all_workers_sleep() {
    // The monitor itself sleeps a second after the last worker.
    let builder = checked(1).stall_after(Duration::from_millis(2500));
    let all = with_reports(builder, |scheduler, reports| {
        let in_task = reports.clone();
        scheduler.run(move || native::section(&SLOW, || drop(in_task.wait_for(1))));
    });
    for reports in all {
        assert_eq!(reports[0].target, Some("a slow call"));
    }
}

#[test]
fn sections_in_a_row_are_no_excuse_for_the_task() {
    let all = with_reports(checked(1).stall_after(LIMIT), |scheduler, reports| {
        let in_task = reports.clone();
        scheduler.run(move || {
            hog_until(|| {
                native::section(&SLOW, || ());
                in_task.count() > 0
            });
        });
    });
    for kind in all.map(|reports| reports[0].kind) {
        assert!(
            kind != StallKind::NativeSection && kind != StallKind::Sleeping,
            "{kind}"
        );
    }
}

#[test]
fn a_callback_that_panics_is_caught() {
    expect_panics();
    let calls = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&calls);
    let builder = checked(1).stall_after(LIMIT).on_stall(move |_| {
        seen.fetch_add(1, Ordering::SeqCst);
        panic!("expected");
    });
    with(builder, |scheduler| {
        for _ in 0..2 {
            let (calls, before) = (Arc::clone(&calls), calls.load(Ordering::SeqCst));
            scheduler.run(move || hog_until(|| calls.load(Ordering::SeqCst) > before));
        }
    });
}

#[test]
fn a_scheduler_can_be_dropped_by_who_is_told() {
    let _watchdog = Watchdog::new("a_scheduler_can_be_dropped_by_who_is_told".into());
    let held = Arc::new(Mutex::new(None::<Scheduler>));
    let ended = Arc::new(AtomicBool::new(false));
    let (in_callback, stop) = (Arc::clone(&held), Arc::new(AtomicBool::new(false)));
    let (stops, ends) = (Arc::clone(&stop), Arc::clone(&ended));
    let scheduler = checked(1)
        .stall_after(LIMIT)
        .on_stall(move |_| {
            stops.store(true, Ordering::SeqCst);
            drop(in_callback.lock().unwrap().take());
            ends.store(true, Ordering::SeqCst);
        })
        .build()
        .unwrap();
    let task = scheduler.spawn(move || spin(&stop));
    *held.lock().unwrap() = Some(scheduler);
    task.join().unwrap();
    eventually("the callback returns", || ended.load(Ordering::SeqCst));
}

/// How often the handler below was called.
static OTHERS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(_signal: libc::c_int) {
    OTHERS.fetch_add(1, Ordering::SeqCst);
}

/// One that the other tests do not use.
fn own_signal() -> i32 {
    libc::SIGRTMIN() + 7
}

fn block(how: libc::c_int) {
    // SAFETY: a set that is made here, and the calling thread's own mask.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, own_signal());
        libc::pthread_sigmask(how, &raw const set, std::ptr::null_mut());
    }
}

#[test]
fn the_signal_is_shared_with_the_program() {
    // SAFETY: all zeroes is a value of this plain structure, and the handler only counts.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = count as *const () as usize;
        action.sa_flags = libc::SA_ONSTACK;
        assert_eq!(
            libc::sigaction(own_signal(), &raw const action, std::ptr::null_mut()),
            0
        );
    }
    let builder = checked(1)
        .stall_after(LIMIT)
        .stall_signal(Some(own_signal()));
    let all = with_reports(builder, |scheduler, reports| {
        let in_task = reports.clone();
        scheduler.run(move || {
            let before = OTHERS.load(Ordering::SeqCst);
            let theirs = || OTHERS.load(Ordering::SeqCst) - before;
            in_task.wait_for(1);
            assert_eq!(theirs(), 0, "it was not theirs");
            // SAFETY: there is a handler.
            unsafe { libc::raise(own_signal()) };
            assert_eq!(theirs(), 1, "it was not ours");
            yield_now();
            // A thread that cannot answer now, and answers when nobody wants to know.
            block(libc::SIG_BLOCK);
            in_task.wait_for(2);
            block(libc::SIG_UNBLOCK);
            assert_eq!(theirs(), 1, "it was not theirs");
            yield_now();
            in_task.wait_for(3);
        });
    });
    for reports in all {
        let frames: Vec<usize> = reports.iter().map(|seen| seen.frames.len()).collect();
        assert!(frames[0] > 0 && frames[2] > 0, "{frames:?}");
        assert_eq!(frames[1], 0);
    }
}

#[test]
fn without_a_signal_there_are_no_frames() {
    let builder = checked(1).stall_after(LIMIT).stall_signal(None);
    let all = with_reports(builder, |scheduler, reports| {
        let in_task = reports.clone();
        scheduler.run(move || drop(in_task.wait_for(1)));
    });
    for seen in all.map(|reports| reports[0].clone()) {
        assert_eq!((seen.kind, seen.frames.len()), (StallKind::Sleeping, 0));
    }
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let refused = [
        Scheduler::builder().stall_after(Duration::ZERO),
        Scheduler::builder().stall_signal(Some(libc::SIGKILL)),
        Scheduler::builder().stall_signal(Some(1000)),
    ];
    for builder in refused {
        let error = builder.build().expect_err("it makes no sense");
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    }
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

fn some_processor() -> usize {
    // SAFETY: the call takes nothing.
    usize::try_from(unsafe { libc::sched_getcpu() }).expect("the kernel knows")
}

#[test]
fn a_thread_that_gets_no_processor_starves() {
    let processor = some_processor();
    let stop = Arc::new(AtomicBool::new(false));
    let neighbours: Vec<_> = (0..2)
        .map(|_| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                assert!(last_on(processor, false));
                spin(&stop);
            })
        })
        .collect();
    let reports = Reports::default();
    let builder = checked(1).stall_after(Duration::from_millis(400));
    with_on_fibers(reports.on(builder), |scheduler| {
        let seen = Arc::clone(&stop);
        // A thread of its own, which ends with it.
        let task = scheduler.task().backing(Backing::Thread).name("starves");
        let task = task.spawn(move || {
            let is_last = last_on(processor, true);
            if is_last {
                spin(&seen);
            }
            (is_last, current().id())
        });
        let task = task.unwrap();
        eventually("it is reported, or cannot be", || {
            reports.count() > 0 || task.task().is_finished()
        });
        stop.store(true, Ordering::SeqCst);
        let (is_last, id) = task.join().unwrap();
        if !is_last {
            println!("nothing tried: the system does not let a thread be the last");
            return;
        }
        let seen = reports.wait_for(1);
        assert_eq!((seen.kind, seen.id), (StallKind::Starving, id), "{seen:?}");
    });
    for neighbour in neighbours {
        neighbour.join().unwrap();
    }
}
