//! What a task is told to be: its number, its name, its priority, its stack.

mod common;

use std::collections::HashSet;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use common::{
    Drops, SHORT, at_on_fibers, at_workers, at_workers_on_fibers, checked, eventually, hog_until,
    with_each,
};
use fiberhost::scheduler::{
    Backing, Builder, CancelToken, JoinSet, Priority, Scheduler, TaskBuilder, current, park, scope,
    spawn, timeout, try_current, yield_now,
};

#[test]
fn a_task_has_the_name_it_was_given() {
    at_workers(|scheduler| {
        let named = scheduler.task().name("checkpoint").spawn(|| {
            assert_eq!(current().name().as_deref(), Some("checkpoint"));
            let inner = TaskBuilder::new().name(String::from("inner"));
            let inner = inner.spawn(|| current().name()).unwrap();
            assert_eq!(inner.join().unwrap().as_deref(), Some("inner"));
        });
        let named = named.unwrap();
        assert_eq!(named.task().name().as_deref(), Some("checkpoint"));
        let task = named.task().clone();
        named.join().unwrap();
        assert_eq!(
            task.name().as_deref(),
            Some("checkpoint"),
            "a name stays as long as a reference"
        );
        let plain = scheduler.spawn(|| current().name());
        assert_eq!(plain.join().unwrap(), None, "a record keeps no old name");
    });
}

#[test]
fn numbers_are_never_used_twice() {
    at_workers(|scheduler| {
        let ids = Arc::new(Mutex::new(HashSet::new()));
        let add = |ids: &Mutex<HashSet<u64>>, id| {
            assert!(ids.lock().unwrap().insert(id), "{id} was used twice");
        };
        std::thread::scope(|threads| {
            for _ in 0..3 {
                threads.spawn(|| {
                    for _ in 0..200 {
                        let ids = Arc::clone(&ids);
                        let task = scheduler.spawn(move || {
                            add(&ids, current().id());
                            let inner = Arc::clone(&ids);
                            spawn(move || add(&inner, current().id())).join().unwrap();
                            current().id()
                        });
                        let id = task.task().id();
                        assert_eq!(task.join().unwrap(), id);
                    }
                });
            }
        });
        assert_eq!(ids.lock().unwrap().len(), 3 * 200 * 2);
    });
}

#[test]
fn a_plain_thread_is_no_task() {
    assert!(try_current().is_none());
    let me = current();
    assert_eq!(me, current());
    assert_eq!(me.priority(), Priority::Normal);
    assert_eq!(me.name(), None);
    let other = std::thread::spawn(|| current().id()).join().unwrap();
    assert_ne!(me.id(), other);
}

/// What only a task can do says so to a plain thread, and calls nothing.
#[test]
fn what_is_for_tasks_is_refused_elsewhere() {
    fn never() {
        unreachable!("it is not called");
    }
    let wrong: [(fn(), &str); 6] = [
        (|| drop(spawn(never)), "spawn is for tasks"),
        (|| timeout(SHORT, never).unwrap(), "timeout is for tasks"),
        (|| scope(|_| never()), "scope is for tasks"),
        (|| drop(TaskBuilder::new()), "TaskBuilder::new is for tasks"),
        (
            || drop(JoinSet::new().spawn(never)),
            "JoinSet::spawn is for tasks",
        ),
        (
            || CancelToken::new().run_until_cancelled(never),
            "run_until_cancelled is for tasks",
        ),
    ];
    let refused = |(misuse, text): (fn(), &str)| {
        let panic = std::panic::catch_unwind(misuse).unwrap_err();
        let said = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .expect("a panic with words");
        assert!(said.contains(text), "{said}");
    };
    wrong.into_iter().for_each(refused);
    // Nothing sticks to the thread: it can have tasks, and wait for them.
    at_workers(|scheduler| assert_eq!(scheduler.run(|| 5), 5));
}

const PRIORITIES: [Priority; 3] = [Priority::Low, Priority::Normal, Priority::High];

/// Keeps the slot until so many threads have come with their tasks and wait for it; tasks on fibers are queued at once.
fn keep_until_all_wait(backing: Backing, tasks: usize) {
    let scheduler = Scheduler::current().expect("it is a task");
    hog_until(|| backing == Backing::Fiber || scheduler.stats().claimants == tasks);
}

// On fibers only: the threads for such tasks are started in this order, and which of them comes first is for the system to say.
#[test]
fn the_most_urgent_starts_first() {
    at_on_fibers(1, |scheduler| {
        let order = Arc::new(Mutex::new(Vec::new()));
        let filled = Arc::clone(&order);
        // All are queued before the only worker can start one.
        let tasks = scheduler.run(move || {
            let of = |priority| {
                let order = Arc::clone(&filled);
                let task = TaskBuilder::new().priority(priority);
                task.spawn(move || order.lock().unwrap().push(current().priority()))
                    .unwrap()
            };
            (0..5).flat_map(|_| PRIORITIES.map(of)).collect::<Vec<_>>()
        });
        for task in tasks {
            task.join().unwrap();
        }
        let order = order.lock().unwrap();
        assert!(
            order.is_sorted_by(|a, b| a >= b),
            "high before normal before low: {order:?}"
        );
    });
}

#[test]
fn the_most_urgent_of_those_woken_goes_on_first() {
    // Whichever is woken last.
    for wake_order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        with_each(checked(1), |scheduler, backing| {
            let order = scheduler.run(move || {
                let order = Arc::new(Mutex::new(Vec::new()));
                let tasks = PRIORITIES.map(|priority| {
                    let order = Arc::clone(&order);
                    let task = TaskBuilder::new().priority(priority);
                    task.spawn(move || {
                        park();
                        order.lock().unwrap().push(priority);
                    })
                    .unwrap()
                });
                let waits = |task: &fiberhost::scheduler::JoinHandle<()>| {
                    task.task().wait_reason() == fiberhost::scheduler::WaitReason::Park
                };
                eventually("all are parked", || tasks.iter().all(waits));
                for index in wake_order {
                    tasks[index].task().unpark();
                }
                keep_until_all_wait(backing, tasks.len());
                for task in tasks {
                    task.join().unwrap();
                }
                order.lock().unwrap().clone()
            });
            assert_eq!(order, [Priority::High, Priority::Normal, Priority::Low]);
        });
    }
}

#[test]
fn a_changed_priority_counts_from_the_next_queueing() {
    with_each(checked(1), |scheduler, backing| {
        scheduler.run(move || {
            let order = Arc::new(Mutex::new(Vec::new()));
            let task = |name: &'static str| {
                let order = Arc::clone(&order);
                spawn(move || {
                    park();
                    order.lock().unwrap().push(name);
                })
            };
            let (first, second) = (task("first"), task("second"));
            yield_now();
            eventually("both are parked", || {
                [&first, &second]
                    .iter()
                    .all(|task| task.task().wait_reason() == fiberhost::scheduler::WaitReason::Park)
            });
            second.task().set_priority(Priority::High);
            assert_eq!(second.task().priority(), Priority::High);
            first.task().unpark();
            second.task().unpark();
            keep_until_all_wait(backing, 2);
            first.task().set_priority(Priority::Low);
            first.join().unwrap();
            second.join().unwrap();
            assert_eq!(*order.lock().unwrap(), ["second", "first"]);
        });
    });
}

/// A task of this priority, fresh or started, runs although those of `busy` never stop yielding.
fn runs_beside(scheduler: &Scheduler, busy: Priority, patient: Priority) {
    let stop = Arc::new(AtomicBool::new(false));
    let hogs: Vec<_> = (0..2)
        .map(|_| {
            let stop = Arc::clone(&stop);
            let task = scheduler.task().priority(busy);
            task.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    yield_now();
                }
            })
            .unwrap()
        })
        .collect();
    let task = scheduler.task().priority(patient).spawn(|| {
        // Started now; each of these turns is one more pick.
        for _ in 0..10 {
            yield_now();
        }
    });
    let ended = task.unwrap().join_for(common::LONG);
    stop.store(true, Ordering::Relaxed);
    for hog in hogs {
        hog.join().unwrap();
    }
    assert!(
        ended.is_ok(),
        "{busy:?} tasks that yield keep a {patient:?} one from running"
    );
}

#[test]
fn low_still_runs_while_others_yield() {
    at_workers(|scheduler| {
        runs_beside(scheduler, Priority::Normal, Priority::Low);
        runs_beside(scheduler, Priority::High, Priority::Low);
    });
}

#[test]
fn normal_still_runs_while_high_ones_yield() {
    at_workers(|scheduler| runs_beside(scheduler, Priority::High, Priority::Normal));
}

/// Uses at least so many bytes of the stack below `from`, and touches all of them. Returns how many it used.
#[inline(never)]
fn use_stack(bytes: usize, from: usize) -> usize {
    let page = std::hint::black_box([1_u8; 1024]);
    let used = from - page.as_ptr().addr();
    if used >= bytes {
        return used;
    }
    let deeper = use_stack(bytes, from);
    deeper.max(usize::from(std::hint::black_box(page)[0]))
}

fn use_stack_from_here(bytes: usize) -> usize {
    let here = 0_u8;
    use_stack(bytes, std::ptr::from_ref(&here).addr())
}

#[test]
fn stacks_of_odd_sizes_are_as_large_as_asked() {
    // On fibers: AddressSanitizer keeps a part of a thread's stack to itself.
    at_workers_on_fibers(|scheduler| {
        for size in [
            1,
            4095,
            32 * 1024,
            32 * 1024 + 1,
            100_000,
            (1 << 20) + 1,
            3_000_000,
            1 << 24,
        ] {
            let task = scheduler.task().stack_size(size);
            // A task's own frames, and the record at the top, take some.
            let used = size.max(32 * 1024) - 16 * 1024;
            let task = task.spawn(move || use_stack_from_here(used)).unwrap();
            assert!(task.join().unwrap() >= used);
        }
        let largest = scheduler.task().stack_size(1 << 30);
        largest
            .spawn(|| use_stack_from_here(1 << 24))
            .unwrap()
            .join()
            .unwrap();
    });
}

#[test]
fn impossible_stack_sizes_are_refused_and_the_closure_is_dropped() {
    at_workers(|scheduler| {
        for size in [0, (1 << 30) + 1, usize::MAX] {
            let drops = Drops::new();
            let dropped = drops.one();
            let task = scheduler.task().stack_size(size);
            let error = task.spawn(move || drop(dropped)).unwrap_err();
            assert!(error.is_invalid_stack_size());
            assert!(!error.is_limit() && !error.is_cancelled() && !error.is_out_of_memory());
            assert!(error.to_string().contains(&size.to_string()), "{error}");
            assert_eq!(drops.count(), 1);
            let built = Builder::new().stack_size(size).build();
            assert_eq!(built.unwrap_err().kind(), ErrorKind::InvalidInput);
        }
    });
}

#[test]
fn stacks_are_used_again() {
    at_workers(|scheduler| {
        for size in [None, Some(50_000), Some(1 << 20)] {
            let one = || {
                let task = scheduler.task();
                let task = match size {
                    Some(size) => task.stack_size(size),
                    None => task,
                };
                task.spawn(|| ()).unwrap().join().unwrap();
            };
            one();
            let before = scheduler.stats().stacks;
            (0..200).for_each(|_| one());
            let more = scheduler.stats().stacks - before;
            // Each worker may come to need one of its own, and one is on its way back while the next task starts.
            assert!(more <= 2 * scheduler.workers(), "{more} more stacks");
        }
    });
}

#[test]
fn impossible_settings_are_refused() {
    use std::time::Duration;
    let wrong = [
        Builder::new().workers(0),
        Builder::new().workers(1025),
        Builder::new().workers_max(1025),
        Builder::new().workers(2).max_threads(1),
        Builder::new().workers(1).workers_max(3).max_threads(2),
        Builder::new().workers(1).bound_workers(2).max_threads(1),
        Builder::new().quantum(Duration::ZERO),
        Builder::new().max_tasks(0),
    ];
    for builder in wrong {
        let refused = builder.build();
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
}

#[test]
fn a_thread_that_is_no_task_has_ended_when_it_is_gone() {
    let (thread, joined) = thread::scope(|scope| {
        let (send, receive) = mpsc::channel();
        let (go, wait) = mpsc::channel::<()>();
        let other = scope.spawn(move || {
            send.send(current()).expect("it is waited for");
            let _ = wait.recv();
        });
        let thread = receive.recv().expect("it sends");
        assert!(!thread.is_finished());
        assert!(!thread.wait_for(SHORT).expect("nobody interrupts"));
        // One stands where the end will find it.
        let joiner = thread.clone();
        let joiner = scope.spawn(move || joiner.wait().is_ok());
        drop(go);
        other.join().expect("no panic");
        (thread, joiner.join().expect("no panic"))
    });
    assert!(joined && thread.is_finished());
    // As after the end of a task these do nothing.
    thread.unpark();
    thread.alert();
    thread.wait().expect("it has ended");
}
