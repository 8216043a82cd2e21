//! A profiler's signals at a high rate, over everything that switches stacks.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{LONG, Watchdog, child, expect_panics, unexpected_panics};
use fiberhost::scheduler::sync::{Mutex, channel};
use fiberhost::scheduler::{Backing, Scheduler, current, park_for, scope, spawn, yield_now};

static SIGNALS: AtomicUsize = AtomicUsize::new(0);
/// How often the handler found itself on an alternate stack.
static ON_ALTERNATE: AtomicUsize = AtomicUsize::new(0);
/// How often it found itself elsewhere though the thread has one. A thread that only begins has none yet.
static BESIDE: AtomicUsize = AtomicUsize::new(0);

extern "C" fn handler(
    _signal: libc::c_int,
    _info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: this thread's own, kept for whom the signal interrupts.
    let errno = unsafe { *libc::__errno_location() };
    SIGNALS.fetch_add(1, Ordering::Relaxed);
    // SAFETY: a plain structure of zeroes; the call only asks.
    let stack = unsafe {
        let mut stack: libc::stack_t = std::mem::zeroed();
        libc::sigaltstack(std::ptr::null(), &raw mut stack);
        stack
    };
    if stack.ss_flags & libc::SS_ONSTACK != 0 {
        ON_ALTERNATE.fetch_add(1, Ordering::Relaxed);
    } else if stack.ss_flags & libc::SS_DISABLE == 0 {
        BESIDE.fetch_add(1, Ordering::Relaxed);
    }
    // As profilers do: walk the interrupted frames, as far as the frame pointers lead.
    // SAFETY: the third argument of a handler.
    let registers = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    std::hint::black_box(registers[libc::REG_RIP as usize]);
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}

fn install(flags: libc::c_int) {
    // SAFETY: plain structures that outlive the calls; the handler does only what one may.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = flags | libc::SA_SIGINFO | libc::SA_RESTART;
        assert_eq!(
            libc::sigaction(libc::SIGPROF, &raw const action, std::ptr::null_mut()),
            0
        );
        // As often as the kernel's clock ticks.
        let interval = libc::timeval {
            tv_sec: 0,
            tv_usec: 100,
        };
        let timer = libc::itimerval {
            it_interval: interval,
            it_value: interval,
        };
        assert_eq!(
            libc::setitimer(libc::ITIMER_PROF, &raw const timer, std::ptr::null_mut()),
            0
        );
    }
}

/// Sends the signal to every thread of the process but its own, oftener than any timer does, until told to stop.
fn send_until(stop: &AtomicBool) {
    let me = common::os_thread();
    while !stop.load(Ordering::Relaxed) {
        for thread in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
            let thread: libc::pid_t = thread.file_name().to_str().unwrap().parse().unwrap();
            if thread != me {
                for _ in 0..5 {
                    // SAFETY: sends a signal that has a handler; a thread that is gone gets none.
                    unsafe {
                        libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, libc::SIGPROF)
                    };
                    std::thread::yield_now();
                }
            }
        }
    }
}

/// Goes down and comes back, so that signals meet every depth of a stack.
#[inline(never)]
fn dive(level: usize) -> usize {
    let here = std::hint::black_box([level; 100]);
    if level == 0 {
        yield_now();
        return here[7];
    }
    dive(level - 1) + here[3] - level + 1
}

/// One of each kind of switch; returns how many tasks ended well.
fn everything(scheduler: &Scheduler, round: usize) -> usize {
    let total = Arc::new(Mutex::new(0_usize));
    let (sender, receiver) = channel::bounded(2);
    let task = |number: usize| {
        let (total, sender) = (Arc::clone(&total), sender.clone());
        let work = move || {
            assert_eq!(dive(number % 12), number % 12);
            let child = spawn(move || number * 2);
            *total.lock() += child.join().unwrap();
            park_for(Duration::from_micros(10));
            sender.send(number).unwrap();
            match number % 10 {
                3 => panic!("expected"),
                7 => {
                    current().abort();
                    yield_now();
                    unreachable!("it is unwound");
                }
                _ => {}
            }
        };
        let task = scheduler.task().stack_size((32 << 10) << (number % 3));
        match number % 4 {
            // SAFETY: it keeps nothing of a thread over its waits.
            0 => unsafe { task.spawn_mobile(work) },
            1 if number % 20 == 1 => task.backing(Backing::Thread).spawn(work),
            _ => task.spawn(work),
        }
        .unwrap()
    };
    let tasks: Vec<_> = (round..round + 60).map(task).collect();
    drop(sender);
    let sum: usize = receiver.iter().sum();
    assert_eq!(sum, (round..round + 60).sum());
    let ended = tasks
        .into_iter()
        .map(|task| usize::from(task.join().is_ok()));
    let ended = ended.sum();
    assert_eq!(*total.lock(), 2 * sum);
    scheduler.run(|| {
        let mut words = ["a"; 16];
        scope(|scope| {
            for word in &mut words {
                scope.spawn(move || *word = "b");
            }
        });
        assert_eq!(words, ["b"; 16]);
    });
    ended
}

/// So many signals at least are a storm.
const MANY: usize = 2_000;

fn storm(part: &str) {
    let _watchdog = Watchdog::new(part.to_owned());
    expect_panics();
    let on_task_stacks = part == "on task stacks";
    install(if on_task_stacks { 0 } else { libc::SA_ONSTACK });
    let stop = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| send_until(&stop));
        let until = Instant::now() + Duration::from_secs(2);
        let mut round = 0;
        // Fresh stacks again and again, and warm ones. On a busy machine it takes longer until it was a storm.
        while Instant::now() < until || SIGNALS.load(Ordering::Relaxed) < MANY {
            let scheduler = Scheduler::builder()
                .workers(1 + round % 3)
                .warm_stacks(round % 2 * 100)
                .handlers_on_task_stacks(on_task_stacks)
                .check_invariants(round % 2 == 0)
                .build()
                .unwrap();
            for _ in 0..5 {
                // Of each ten, one panics and one is aborted.
                assert_eq!(everything(&scheduler, round), 48);
                round += 1;
            }
            scheduler.shutdown(LONG).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        let signals = SIGNALS.load(Ordering::Relaxed);
        let alternate = ON_ALTERNATE.load(Ordering::Relaxed);
        println!("{part}: {signals} signals, {alternate} on alternate stacks, {round} rounds");
        if on_task_stacks {
            assert_eq!(alternate, 0);
        } else {
            assert_eq!(BESIDE.load(Ordering::Relaxed), 0);
            assert!(alternate > signals / 2, "{alternate} of {signals}");
        }
    });
    assert_eq!(unexpected_panics(), 0);
}

#[test]
fn handlers_on_alternate_stacks() {
    const NAME: &str = "handlers_on_alternate_stacks";
    match child::part() {
        Some(part) => storm(&part),
        None => child::succeeds(NAME, "on alternate stacks", |_| ()),
    }
}

/// With the builder's switch for handlers that were installed without SA_ONSTACK.
#[test]
fn handlers_on_the_stacks_of_tasks() {
    const NAME: &str = "handlers_on_the_stacks_of_tasks";
    match child::part() {
        Some(part) => storm(&part),
        None => child::succeeds(NAME, "on task stacks", |_| ()),
    }
}
