//! One operation of the switch paths, N times on one worker: what the instruction counts are taken from.
//!
//! `probe CASE N` with the cases of `operations`; see `tests/instructions.rs`.

#[path = "probe/heap.rs"]
mod heap;
#[path = "probe/tables.rs"]
mod tables;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use fiberhost::capi::native::{fiberhost_enter, fiberhost_leave, fiberhost_target};
use fiberhost::scheduler::native::{self, Target};
use fiberhost::scheduler::sync::{AutoResetEvent, Mutex, RwLock};
use fiberhost::scheduler::trace::Recording;
use fiberhost::scheduler::{Accounting, Scheduler, TaskBuilder, spawn, yield_now};
use heap::Heap;
use tables::Tables;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // As an example without arguments it shows each case once.
    if arguments.is_empty() {
        for case in [
            "yield",
            "yield_deep",
            "yield_span",
            "yield_untimed",
            "pingpong",
            "pingpong_recorded",
            "spawn_join",
            "spawn_join_recorded",
            "fanout",
            "leave_enter",
            "leave_enter_recorded",
            "leave_others",
            "c_pair",
            "heap",
            "malloc",
            "mutex_wait",
            "read_lock",
            "hook_pair",
            "hook_chain",
            "current_task",
            "crst",
            "host_event",
        ] {
            run(case, 1000).expect("a known case");
            println!("{case}: 1000 operations");
        }
        return ExitCode::SUCCESS;
    }
    let count = arguments.get(1).and_then(|text| text.parse().ok());
    let (Some(case), Some(count)) = (arguments.first(), count) else {
        eprintln!("usage: probe CASE N");
        return ExitCode::from(2);
    };
    match run(case, count) {
        Some(()) => ExitCode::SUCCESS,
        None => {
            eprintln!("no case {case}");
            ExitCode::from(2)
        }
    }
}

enum Operation {
    Scheduler(fn(u64)),
    Hosting(fn(&Tables, u64)),
    Memory(fn(&Heap, u64)),
}

/// Nothing but the case's own operations runs meanwhile: one worker, and a quantum that is never over.
fn run(case: &str, count: u64) -> Option<()> {
    use Operation::{Hosting, Memory, Scheduler as Plain};
    let operation = match case {
        "yield" | "yield_untimed" => Plain(|count| yields(count, yield_now, TaskBuilder::new)),
        "yield_deep" => Plain(|count| yields(count, deep_1, TaskBuilder::new)),
        "yield_span" => Plain(|count| yields(count, yield_now, in_a_span)),
        "pingpong" | "pingpong_recorded" => Plain(pingpong),
        "spawn_join" | "spawn_join_recorded" => Plain(spawn_join),
        "fanout" => Plain(fanout),
        "leave_enter" | "leave_enter_recorded" => Plain(leave_enter),
        "leave_others" => Plain(leave_others),
        "c_pair" => Plain(c_pair),
        "heap" => Memory(blocks),
        "malloc" => Plain(malloc),
        "mutex_wait" => Plain(mutex_wait),
        "read_lock" => Plain(read_lock),
        "hook_pair" => Hosting(hook_pair),
        "hook_chain" => Hosting(hook_chain),
        "current_task" => Hosting(current_task),
        "crst" => Hosting(crst),
        "host_event" => Hosting(host_event),
        _ => return None,
    };
    let accounting = match case {
        "yield_untimed" => Accounting::Off,
        _ => Accounting::default(),
    };
    // What it would cost if all waits, wakes, spawns, ends and sections were in the trace.
    let recording = match case.ends_with("_recorded") {
        true => Recording::Tasks,
        false => Recording::default(),
    };
    let scheduler = Scheduler::builder()
        .workers(1)
        .accounting(accounting)
        .trace(recording)
        .quantum(Duration::from_secs(3600))
        .handover_after(Duration::from_secs(3600))
        .idle_spin(Duration::ZERO)
        .build()
        .expect("one thread");
    match operation {
        Operation::Scheduler(operation) => scheduler.run(move || operation(count)),
        Operation::Hosting(operation) => {
            let tables = Tables::on(&scheduler);
            scheduler.run(move || operation(&tables, count));
        }
        Operation::Memory(operation) => {
            let heap = Heap::on(&scheduler);
            scheduler.run(move || operation(&heap, count));
        }
    }
    Some(())
}

/// A span as a program has it that nobody listens to: no subscriber is there.
fn in_a_span() -> TaskBuilder {
    TaskBuilder::new().span(tracing::info_span!("probe", number = 7))
}

fn yields(count: u64, step: fn(), task: fn() -> TaskBuilder) {
    let yields = move || {
        for _ in 0..count / 2 {
            step();
        }
    };
    let tasks = [(); 2].map(|()| task().spawn(yields).expect("memory for a task"));
    for task in tasks {
        task.join().expect("it only yields");
    }
}

#[inline(never)]
fn deep_1() {
    deep_2();
    std::hint::black_box(());
}

#[inline(never)]
fn deep_2() {
    deep_3();
    std::hint::black_box(());
}

#[inline(never)]
fn deep_3() {
    deep_4();
    std::hint::black_box(());
}

#[inline(never)]
fn deep_4() {
    yield_now();
    std::hint::black_box(());
}

fn pingpong(count: u64) {
    let ping = Arc::new(AutoResetEvent::new(false));
    let pong = Arc::new(AutoResetEvent::new(false));
    let partner = {
        let (ping, pong) = (Arc::clone(&ping), Arc::clone(&pong));
        spawn(move || {
            for _ in 0..count {
                ping.wait();
                pong.set();
            }
        })
    };
    for _ in 0..count {
        ping.set();
        pong.wait();
    }
    partner.join().expect("it only answers");
}

fn leave_enter(count: u64) {
    static NOTHING: Target = Target::new("nothing");
    for _ in 0..count {
        native::section(&NOTHING, || std::hint::black_box(()));
    }
}

/// As `leave_enter`, each time for another target than the last one.
fn leave_others(count: u64) {
    static ONE: Target = Target::new("one");
    static OTHER: Target = Target::new("other");
    for number in 0..count {
        let target = if number % 2 == 0 { &ONE } else { &OTHER };
        native::section(target, || std::hint::black_box(()));
    }
}

/// As `leave_enter`, by the functions that a C program has, of which the compiler knows nothing here.
fn c_pair(count: u64) {
    static NOTHING: Target = Target::new("nothing");
    let leave: unsafe extern "C" fn(*const fiberhost_target) =
        std::hint::black_box(fiberhost_leave);
    let enter: unsafe extern "C" fn() = std::hint::black_box(fiberhost_enter);
    for _ in 0..count {
        // SAFETY: each leave has its enter.
        unsafe {
            leave((&raw const NOTHING).cast());
            enter();
        }
    }
}

const BLOCK: usize = 64;

fn blocks(heap: &Heap, count: u64) {
    for _ in 0..count {
        heap.pair(std::hint::black_box(BLOCK));
    }
}

/// What `heap` is compared with.
fn malloc(count: u64) {
    for _ in 0..count {
        // SAFETY: what it gives goes back.
        unsafe {
            libc::free(std::hint::black_box(libc::malloc(std::hint::black_box(
                BLOCK,
            ))))
        };
    }
}

/// Two tasks take turns with a lock that the other one wants each time.
fn mutex_wait(count: u64) {
    let lock = Arc::new(Mutex::new(()));
    let tasks = [(); 2].map(|()| {
        let lock = Arc::clone(&lock);
        spawn(move || {
            for _ in 0..count / 2 {
                let _held = lock.lock();
                yield_now();
            }
        })
    });
    for task in tasks {
        task.join().expect("it only locks");
    }
}

/// Nobody else is there.
fn read_lock(count: u64) {
    let lock = RwLock::new(());
    for _ in 0..count {
        drop(std::hint::black_box(&lock).read());
    }
}

fn spawn_join(count: u64) {
    for number in 0..count {
        let task = spawn(move || number);
        assert_eq!(task.join().expect("it only returns"), number);
    }
}

fn fanout(count: u64) {
    for _ in 0..count / 1000 {
        let tasks: Vec<_> = (0..1000).map(|number: u64| spawn(move || number)).collect();
        let sum: u64 = tasks
            .into_iter()
            .map(|task| task.join().expect("it only returns"))
            .sum();
        assert_eq!(sum, 499_500);
    }
}

const TARGET: usize = 0x7f00_1230;

fn hook_pair(tables: &Tables, count: u64) {
    for _ in 0..count {
        tables.leave(TARGET);
        tables.enter();
    }
}

/// Managed code calls unmanaged code, which calls back, ten times on one another; then all of them return.
fn hook_chain(tables: &Tables, count: u64) {
    const DEEP: u64 = 10;
    for _ in 0..count / DEEP {
        for _ in 0..DEEP {
            tables.leave(TARGET);
            tables.call();
        }
        for _ in 0..DEEP {
            tables.end_call();
            tables.enter();
        }
    }
}

fn current_task(tables: &Tables, count: u64) {
    for _ in 0..count {
        tables.current_task();
    }
}

fn crst(tables: &Tables, count: u64) {
    let section = tables.section();
    for _ in 0..count {
        section.enter();
        section.leave();
    }
}

/// As `pingpong`, through the tables. Both are tasks that the runtime knows.
fn host_event(tables: &Tables, count: u64) {
    tables.current_task();
    let ping = Arc::new(tables.event());
    let pong = Arc::new(tables.event());
    let partner = {
        let (ping, pong, tables) = (Arc::clone(&ping), Arc::clone(&pong), tables.clone());
        spawn(move || {
            tables.current_task();
            for _ in 0..count {
                ping.wait();
                pong.set();
            }
        })
    };
    for _ in 0..count {
        ping.set();
        pong.wait();
    }
    partner.join().expect("it only answers");
}
