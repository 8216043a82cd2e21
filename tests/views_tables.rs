//! The operator's tables: each row says what is so, and what belongs together agrees, also while everything changes.

mod common;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{at_workers_on_fibers, checked, eventually, until_waits, with_on_fibers};
use fiberhost::scheduler::native::{self, Target};
use fiberhost::scheduler::stats::{Snapshot, TaskState};
use fiberhost::scheduler::sync::{AutoResetEvent, ManualResetEvent, Mutex};
use fiberhost::scheduler::{
    Backing, Priority, Scheduler, TaskRef, WaitReason, park, park_for, sleep, spawn, yield_now,
};
use fiberhost::views::{ColumnKind, TABLES, TaskRow, Views};
use fiberhost::{Host, MemoryLimits};

fn rows(scheduler: &Scheduler) -> HashMap<u64, TaskRow> {
    let views = Views::take(scheduler, &[]);
    let rows = views.tasks().into_iter();
    rows.map(|row| (row.task_id, row)).collect()
}

/// Keeps the only worker until told.
fn keep(scheduler: &Scheduler) -> (Arc<AtomicBool>, TaskRef) {
    let go = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&go);
    let task = scheduler.spawn(move || {
        while !told.load(Ordering::Acquire) {
            std::hint::spin_loop();
        }
    });
    let task = task.task().clone();
    eventually("it runs", || {
        rows(scheduler)[&task.id()].task_state == "RUNNING"
    });
    (go, task)
}

#[test]
fn a_task_is_shown_in_each_state_of_its_life() {
    with_on_fibers(checked(1), |scheduler| {
        let parked = scheduler
            .task()
            .name("parked")
            .priority(Priority::High)
            .spawn(park)
            .expect("a task");
        until_waits(parked.task(), WaitReason::Park);
        let (go, keeper) = keep(scheduler);
        let pending = scheduler.spawn(|| ());

        let now = rows(scheduler);
        assert_eq!(now.len(), 3);
        let row = &now[&parked.task().id()];
        assert_eq!(row.task_state, "SUSPENDED");
        assert_eq!(row.task_name.as_deref(), Some("parked"));
        assert_eq!(row.priority, "HIGH");
        assert_eq!(row.wait_type, Some("Park"));
        assert!(row.is_fiber && !row.is_mobile && !row.is_cancelled);
        assert_eq!((row.scheduler_id, row.worker_id), (Some(0), Some(0)));
        let row = &now[&keeper.id()];
        assert_eq!((row.task_state, row.worker_id), ("RUNNING", Some(0)));
        assert_eq!(row.wait_type, None);
        let row = &now[&pending.task().id()];
        assert_eq!((row.task_state, row.worker_id), ("PENDING", None));

        parked.task().unpark();
        let row = &rows(scheduler)[&parked.task().id()];
        assert_eq!(row.task_state, "RUNNABLE");
        assert_eq!(row.wait_type, None);
        assert_eq!(row.last_wait_type, Some("Park"));

        let views = Views::take(scheduler, &[]);
        let system = &views.sys_info()[0];
        assert_eq!(system.tasks_count, 3);
        assert_eq!(system.pending_tasks_count, 1);
        assert_eq!(system.runnable_tasks_count, 1);
        assert_eq!(system.running_tasks_count, 1);
        assert_eq!(system.suspended_tasks_count, 0);
        let slot = &views.schedulers()[0];
        assert_eq!(slot.current_tasks_count, 2, "the pending one is nobody's");
        assert_eq!(slot.runnable_tasks_count, 1);
        assert_eq!(slot.active_workers_count, 1);
        assert!(!slot.is_idle);

        go.store(true, Ordering::Release);
        pending.join().expect("no panic");
        parked.join().expect("no panic");
        eventually("they are gone", || rows(scheduler).is_empty());
        eventually("the worker sleeps", || {
            Views::take(scheduler, &[]).schedulers()[0].is_idle
        });
    });
}

/// The coarse clock's unit in milliseconds.
const UNIT: f64 = 1.048_576;

/// An aged wait shows its age, also though nobody reads a clock when it begins.
#[test]
fn waits_and_tasks_have_an_age() {
    with_on_fibers(checked(1), |scheduler| {
        let task = scheduler.spawn(park);
        until_waits(task.task(), WaitReason::Park);
        std::thread::sleep(Duration::from_millis(60));
        let row = &rows(scheduler)[&task.task().id()];
        let waited = row.wait_duration_ms.expect("it waits");
        // The clock's unit is a millisecond, and it may be late, which makes a wait longer.
        assert!(waited >= 60.0 - 2.0 * UNIT, "{waited} ms");
        assert!(row.age_ms >= waited, "it was spawned before it waited");
        // One that begins to wait after the worker, and the monitor with it, have slept is not as old as their sleep.
        let began = Instant::now();
        let late = scheduler.spawn(park);
        until_waits(late.task(), WaitReason::Park);
        let row = &rows(scheduler)[&late.task().id()];
        let waited = row.wait_duration_ms.expect("it waits");
        let most = began.elapsed().as_secs_f64() * 1e3 + UNIT;
        assert!(
            waited <= most,
            "{waited} ms, and it is {most} ms old at most"
        );
        for task in [task, late] {
            task.task().unpark();
            task.join().expect("no panic");
        }
    });
}

/// Tasks that join each other stand in a chain, and its head is who keeps them all.
#[test]
fn a_chain_of_five_blockers_is_shown() {
    at_workers_on_fibers(|scheduler| {
        let head = scheduler.spawn(park);
        until_waits(head.task(), WaitReason::Park);
        let mut chain = vec![head.task().id()];
        let mut last = head.task().clone();
        let mut tasks = Vec::new();
        for _ in 0..4 {
            let target = last.clone();
            let task = scheduler.spawn(move || target.wait().expect("it ends"));
            until_waits(task.task(), WaitReason::Join);
            last = task.task().clone();
            chain.push(last.id());
            tasks.push(task);
        }
        let views = Views::take(scheduler, &[]);
        let waiting = views.waiting_tasks();
        let row = waiting
            .iter()
            .find(|row| row.waiting_task_id == last.id())
            .expect("it waits");
        chain.pop();
        let texts: Vec<String> = chain.iter().rev().map(u64::to_string).collect();
        assert_eq!(row.blocking_chain, Some(texts.join(" > ")));
        assert_eq!(row.blocking_chain_length, 4);
        assert_eq!(row.head_blocker_task_id, Some(head.task().id()));
        assert_eq!(row.blocking_task_id, chain.last().copied());
        assert!(!row.is_deadlocked);
        head.task().unpark();
        head.join().expect("no panic");
        for task in tasks {
            task.join().expect("no panic");
        }
    });
}

/// Who needs a thread with which somebody else sleeps is blocked by that one, though it is runnable.
#[test]
fn a_task_whose_thread_another_owns_is_shown_as_blocked() {
    with_on_fibers(checked(1), |scheduler| {
        let event = Arc::new(ManualResetEvent::new(false));
        let other = {
            let event = Arc::clone(&event);
            scheduler.spawn(move || event.wait())
        };
        until_waits(other.task(), WaitReason::Event);
        let owner = scheduler.spawn(|| {
            let _own = native::own();
            park();
        });
        until_waits(owner.task(), WaitReason::Park);
        event.set();
        eventually("the owner sleeps with the thread", || {
            let views = Views::take(scheduler, &[]);
            views.waiting_tasks().iter().any(|row| {
                row.waiting_task_id == other.task().id()
                    && row.wait_type.is_none()
                    && row.blocking_task_id == Some(owner.task().id())
            })
        });
        assert_eq!(rows(scheduler)[&other.task().id()].task_state, "RUNNABLE");
        owner.task().unpark();
        owner.join().expect("no panic");
        other.join().expect("no panic");
    });
}

#[test]
fn waits_are_counted_by_reason() {
    at_workers_on_fibers(|scheduler| {
        let count = |reason: WaitReason| {
            let rows = Views::take(scheduler, &[]).wait_stats();
            let row = rows.iter().find(|row| row.wait_type == reason.name());
            row.map_or(0, |row| row.waiting_tasks_count)
        };
        let tasks: Vec<_> = (0..10)
            .map(|_| {
                scheduler.spawn(|| {
                    for _ in 0..10 {
                        sleep(Duration::from_micros(50));
                    }
                    park_for(Duration::from_micros(50));
                })
            })
            .collect();
        for task in tasks {
            task.join().expect("no panic");
        }
        assert_eq!(count(WaitReason::Sleep), 100);
        assert_eq!(count(WaitReason::Park), 10);
        assert_eq!(count(WaitReason::Mutex), 0);
    });
}

#[test]
fn an_open_native_section_is_shown_with_its_target_and_age() {
    static CALL: Target = Target::new("a call that lasts");
    with_on_fibers(checked(1), |scheduler| {
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let task = scheduler.spawn(move || {
            native::section(&CALL, || wait.recv().unwrap_or_default());
        });
        eventually("it is seen there for 20 ms", || {
            let views = Views::take(scheduler, &[]);
            let sections = views.native_sections();
            sections.iter().any(|row| {
                row.target == "a call that lasts"
                    && row.task_id == Some(task.task().id())
                    && row.age_ms >= 20.0
                    && row.is_handed_over
            })
        });
        let row = &rows(scheduler)[&task.task().id()];
        assert_eq!(row.task_state, "RUNNING");
        assert_eq!(row.native_target, Some("a call that lasts"));
        let views = Views::take(scheduler, &[]);
        let worker = views.workers().into_iter().find(|row| row.is_preemptive);
        let worker = worker.expect("its thread is there");
        assert_eq!(worker.state, "PREEMPTIVE");
        let threads = views.threads();
        let thread = threads
            .iter()
            .find(|row| row.os_thread_id == worker.os_thread_id)
            .expect("the system knows it");
        assert_eq!(thread.worker_id, Some(worker.worker_id));
        assert_eq!(thread.status, "S");
        assert!(threads.iter().any(|row| !row.started_by_scheduler));
        go.send(()).expect("it waits");
        task.join().expect("no panic");
        eventually("it is closed", || {
            Views::take(scheduler, &[]).native_sections().is_empty()
        });
    });
}

/// What every snapshot has to agree in, whatever happens meanwhile.
fn check(views: &Views, known: &[u64]) {
    let snapshot: &Snapshot = views.snapshot();
    let mut by_state = BTreeMap::<&str, usize>::new();
    let mut ids = HashSet::new();
    let mut busy = HashSet::new();
    for task in views.tasks() {
        *by_state.entry(task.task_state).or_default() += 1;
        assert!(ids.insert(task.task_id), "task {} twice", task.task_id);
        if task.task_state == "RUNNING" {
            let worker = task.worker_id.expect("it runs somewhere");
            assert!(busy.insert(worker), "two tasks run on {worker}");
        }
        assert_eq!(task.task_state == "SUSPENDED", task.wait_type.is_some());
        if task.task_state == "SUSPENDED" {
            assert_ne!(task.wait_type, Some("None"), "{task:?}");
        }
    }
    for id in known {
        assert!(ids.contains(id), "task {id} is missing");
    }
    let system = &views.sys_info()[0];
    assert_eq!(system.tasks_count, ids.len());
    let counts = [
        ("PENDING", system.pending_tasks_count),
        ("RUNNABLE", system.runnable_tasks_count),
        ("RUNNING", system.running_tasks_count),
        ("SUSPENDED", system.suspended_tasks_count),
    ];
    for (state, count) in counts {
        assert_eq!(by_state.get(state).copied().unwrap_or(0), count, "{state}");
    }
    let states = counts.iter().map(|(_, count)| count).sum::<usize>();
    assert_eq!(states, system.tasks_count);
    let placed = views
        .tasks()
        .iter()
        .filter(|task| task.scheduler_id.is_some())
        .count();
    let current: usize = views
        .schedulers()
        .iter()
        .map(|row| row.current_tasks_count)
        .sum();
    assert_eq!(current, placed);
    for thread in &snapshot.threads {
        if let Some(task) = thread.task {
            assert!(
                ids.contains(&task),
                "a thread runs a task that is not there"
            );
        }
    }
}

/// Tasks that do all that tasks do, and are there from the first snapshot to the last.
fn load(
    scheduler: &Scheduler,
    stop: &Arc<AtomicBool>,
) -> Vec<fiberhost::scheduler::JoinHandle<()>> {
    static WORK: Target = Target::new("work");
    let lock = Arc::new(Mutex::new(0_u64));
    let events: Arc<[AutoResetEvent; 2]> =
        Arc::new([AutoResetEvent::new(true), AutoResetEvent::new(false)]);
    let mut tasks = Vec::new();
    let mut add = |backing, name: &str, step: Box<dyn Fn() + Send>| {
        let stop = Arc::clone(stop);
        let task = scheduler.task().name(name).backing(backing);
        let task = task.spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                step();
            }
        });
        tasks.push(task.expect("a task"));
    };
    for side in 0..2 {
        let events = Arc::clone(&events);
        add(
            Backing::Fiber,
            "ping-pong",
            Box::new(move || {
                events[side].wait_for(Duration::from_millis(5));
                events[1 - side].set();
            }),
        );
    }
    for backing in [Backing::Fiber, Backing::Thread] {
        add(backing, "yields", Box::new(yield_now));
        add(
            backing,
            "sleeps",
            Box::new(|| {
                sleep(Duration::from_micros(100));
            }),
        );
        let lock = Arc::clone(&lock);
        add(
            backing,
            "locks",
            Box::new(move || {
                let mut count = lock.lock();
                *count += 1;
                yield_now();
            }),
        );
        add(
            backing,
            "calls",
            Box::new(|| {
                native::section(&WORK, std::thread::yield_now);
                yield_now();
            }),
        );
        add(
            backing,
            "spawns",
            Box::new(|| {
                let task = spawn(yield_now);
                task.join().expect("no panic");
            }),
        );
    }
    tasks
}

#[test]
fn ten_thousand_snapshots_under_load_agree_in_themselves() {
    at_workers_on_fibers(|scheduler| {
        let stop = Arc::new(AtomicBool::new(false));
        let tasks = load(scheduler, &stop);
        let known: Vec<u64> = tasks.iter().map(|task| task.task().id()).collect();
        let mut states = HashMap::<TaskState, usize>::new();
        // A third of them at each number of workers.
        for _ in 0..3_400 {
            let views = Views::take(scheduler, &[]);
            check(&views, &known);
            for task in &views.snapshot().tasks {
                *states.entry(task.state).or_default() += 1;
            }
        }
        for state in [
            TaskState::Runnable,
            TaskState::Running,
            TaskState::Suspended,
        ] {
            assert!(states.contains_key(&state), "{state:?} was never seen");
        }
        stop.store(true, Ordering::Relaxed);
        for task in tasks {
            task.join().expect("no panic");
        }
    });
}

#[test]
fn each_table_comes_as_json_lines_and_as_prometheus_text() {
    let host = Host::builder().memory(MemoryLimits::default());
    let host = host.build().expect("a host");
    let scheduler = host.scheduler().clone();
    let task = scheduler
        .task()
        .name("a \"name\"\n")
        .spawn(park)
        .expect("a task");
    until_waits(task.task(), WaitReason::Park);
    let views = Views::take(&scheduler, &[&host]);
    let mut seen = HashSet::new();
    for table in TABLES {
        assert!(!table.meaning.is_empty());
        let json = views.json(table.name).expect("a table");
        for line in json.lines() {
            let row: serde_json::Value = serde_json::from_str(line).expect("an object");
            let row = row.as_object().expect("an object");
            assert_eq!(row.len(), table.columns.len());
            for column in table.columns {
                assert!(row.contains_key(column.name), "{}", column.name);
                assert!(column.meaning.ends_with('.'), "{}", column.name);
            }
        }
        if !matches!(
            table.name,
            "native_functions" | "native_sections" | "native_targets" | "stalls" | "task_ledgers"
        ) {
            assert!(!json.is_empty(), "{} has no row", table.name);
        }
        let text = views.prometheus(table.name).expect("a table");
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').expect("a sample");
            assert!(seen.insert(series.to_owned()), "{series} twice");
            assert!(value.parse::<f64>().expect("a number").is_finite());
            let (name, labels) = series.split_once('{').expect("labels");
            assert!(name.starts_with("fiberhost_") && labels.ends_with('}'));
        }
        let metrics = table
            .columns
            .iter()
            .filter(|column| matches!(column.kind, ColumnKind::Gauge | ColumnKind::Counter));
        assert_eq!(text.matches("# TYPE ").count(), metrics.count());
    }
    assert!(views.json("no such").is_err());
    assert!(views.prometheus("no such").is_err());
    task.task().unpark();
    task.join().expect("no panic");
    host.shutdown(common::LONG).expect("nothing is left");
}
