//! The end of a task: its result, its panic, and who waits for it.

mod common;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{
    Drops, LONG, OnDrop, SHORT, at, at_workers, eventually, expect_panics, os_thread, until_waits,
};
use fiberhost::scheduler::sync::{AutoResetEvent, ManualResetEvent};
use fiberhost::scheduler::{
    JoinHandle, Scheduler, WaitReason, current, park, sleep, spawn, yield_now,
};

/// Runs a test of joining both from a plain thread and from a task.
fn from_both(test: impl Fn(&Scheduler) + Clone + Send + 'static) {
    at_workers(|scheduler| {
        test(scheduler);
        let test = test.clone();
        scheduler.run(move || test(&Scheduler::current().unwrap()));
    });
}

#[test]
fn a_result_comes_back() {
    from_both(|scheduler| {
        assert_eq!(scheduler.spawn(|| 6 * 7).join().unwrap(), 42);
        let text = scheduler.spawn(|| String::from("text"));
        assert_eq!(text.join().unwrap(), "text");
        scheduler.spawn(|| ()).join().unwrap();
        let slow = scheduler.spawn(|| {
            sleep(SHORT);
            7
        });
        assert_eq!(slow.join().unwrap(), 7);
    });
}

#[test]
fn results_and_closures_of_any_size_and_alignment_come_through() {
    #[repr(align(256))]
    #[derive(Clone, Debug, PartialEq)]
    struct Wide([u8; 256]);

    from_both(|scheduler| {
        let large = [7_u64; 200];
        let task = scheduler.spawn(move || large.map(|word| word + 1));
        assert_eq!(task.join().unwrap(), [8; 200]);
        let wide = Wide([3; 256]);
        let same = wide.clone();
        let task = scheduler.spawn(move || {
            assert!(std::ptr::from_ref(&wide).addr().is_multiple_of(256));
            wide
        });
        assert_eq!(task.join().unwrap(), same);
        // Just at the edge of what lies in the record.
        for _ in 0..3 {
            let (a, b, c) = ([1_u64; 11], [2_u64; 12], [3_u64; 13]);
            assert_eq!(scheduler.spawn(move || a).join().unwrap(), a);
            assert_eq!(scheduler.spawn(move || b).join().unwrap(), b);
            assert_eq!(scheduler.spawn(move || c).join().unwrap(), c);
        }
    });
}

#[test]
fn a_join_with_a_limit_gives_the_handle_back() {
    from_both(|scheduler| {
        let event = Arc::new(ManualResetEvent::new(false));
        let open = Arc::clone(&event);
        let task = scheduler.spawn(move || {
            open.wait();
            5
        });
        let began = Instant::now();
        let task = task.join_for(SHORT).unwrap_err();
        assert!(began.elapsed() >= SHORT);
        let task = task.join_for(Duration::ZERO).unwrap_err();
        assert!(!task.is_finished());
        event.set();
        assert_eq!(task.join_for(LONG).unwrap().unwrap(), 5);
        let quick = scheduler.spawn(|| 6);
        eventually("it ends", || quick.is_finished());
        assert_eq!(quick.join_for(Duration::ZERO).unwrap().unwrap(), 6);
    });
}

#[test]
fn a_joined_task_is_no_longer_live() {
    let scheduler = Scheduler::builder()
        .workers(2)
        .max_tasks(1)
        .build()
        .unwrap();
    for number in 0..2_000 {
        let task = scheduler.task().spawn(move || number);
        let task = task.expect("the place of the one before is free");
        assert_eq!(task.join().unwrap(), number);
        assert_eq!(scheduler.stats().live(), 0);
    }
}

#[test]
fn several_wait_for_one_task() {
    at_workers(|scheduler| {
        let event = Arc::new(ManualResetEvent::new(false));
        let open = Arc::clone(&event);
        let task = scheduler.spawn(move || {
            open.wait();
            1
        });
        let woken = Arc::new(AtomicUsize::new(0));
        let gave_up = Arc::new(AtomicUsize::new(0));
        let waiter = |early: bool| {
            let (task, woken) = (task.task().clone(), Arc::clone(&woken));
            let gave_up = Arc::clone(&gave_up);
            move || {
                if early {
                    assert!(!task.wait_for(SHORT).unwrap());
                    gave_up.fetch_add(1, Ordering::SeqCst);
                } else {
                    task.wait().unwrap();
                    assert!(task.is_finished());
                    assert!(task.wait_for(Duration::ZERO).unwrap());
                    woken.fetch_add(1, Ordering::SeqCst);
                }
            }
        };
        let tasks: Vec<_> = (0..12)
            .map(|number| scheduler.spawn(waiter(number % 3 == 0)))
            .collect();
        std::thread::scope(|threads| {
            for number in 0..4 {
                threads.spawn(waiter(number % 2 == 0));
            }
            eventually("those with a time limit give up", || {
                gave_up.load(Ordering::SeqCst) == 6
            });
            assert_eq!(woken.load(Ordering::SeqCst), 0);
            event.set();
        });
        for task in tasks {
            task.join().unwrap();
        }
        assert_eq!(woken.load(Ordering::SeqCst), 8 + 2);
        assert_eq!(task.join().unwrap(), 1, "the result is the handle's alone");
    });
}

#[test]
fn a_task_cannot_join_itself() {
    at_workers(|scheduler| {
        let slot = Arc::new(Mutex::new(None::<JoinHandle<()>>));
        let mine = Arc::clone(&slot);
        let (tell, told) = std::sync::mpsc::channel();
        let task = scheduler.spawn(move || {
            let mut handle = None;
            eventually("it has its handle", || {
                mine.lock().unwrap().is_some() || park_shortly()
            });
            std::mem::swap(&mut handle, &mut mine.lock().unwrap());
            let handle = handle.unwrap();
            let waited = current().wait().unwrap_err();
            let limited = handle.task().wait_for(SHORT).unwrap_err();
            let joined = handle.join_for(SHORT).unwrap().unwrap_err();
            for error in [waited, limited, joined] {
                assert!(error.is_deadlock());
                assert!(!error.is_panic() && !error.is_cancelled() && !error.is_interrupted());
                assert_eq!(error.to_string(), "a task cannot join itself");
            }
            tell.send(()).unwrap();
        });
        let reference = task.task().clone();
        *slot.lock().unwrap() = Some(task);
        told.recv_timeout(LONG).expect("all three were refused");
        reference.wait().unwrap();
    });
}

fn park_shortly() -> bool {
    sleep(Duration::from_micros(100));
    false
}

#[test]
fn a_detached_task_goes_on() {
    at_workers(|scheduler| {
        let ended = Arc::new(ManualResetEvent::new(false));
        let drops = Drops::new();
        for _ in 0..10 {
            let (ended, dropped) = (Arc::clone(&ended), drops.one());
            drop(scheduler.spawn(move || {
                yield_now();
                sleep(Duration::from_millis(1));
                ended.set();
                dropped
            }));
        }
        ended.wait();
        eventually("all results are dropped", || drops.count() == 10);
    });
}

#[test]
fn a_result_is_dropped_once_whoever_is_last() {
    from_both(|scheduler| {
        let drops = Drops::new();
        let spawn = || {
            let dropped = drops.one();
            scheduler.spawn(move || dropped)
        };
        drop(spawn().join());
        assert_eq!(drops.count(), 1);
        let ended = spawn();
        eventually("it has ended", || ended.is_finished());
        drop(ended);
        assert_eq!(drops.count(), 2);
        let kept = spawn();
        let reference = kept.task().clone();
        drop(kept);
        reference.wait().unwrap();
        drop(reference);
        eventually("the result is gone", || drops.count() == 3);
    });
}

#[test]
fn the_result_of_a_detached_task_is_dropped_where_it_may_wait() {
    at(1, |scheduler| {
        let event = Arc::new(AutoResetEvent::new(false));
        let (waited, done) = (Arc::clone(&event), Arc::new(AtomicBool::new(false)));
        let (started, tell) = (Arc::new(AutoResetEvent::new(false)), Arc::clone(&done));
        let start = Arc::clone(&started);
        drop(scheduler.spawn(move || {
            start.wait();
            // Dropped on the only worker, which must go on to the task that sets the event.
            OnDrop(move || {
                waited.wait();
                tell.store(true, Ordering::SeqCst);
            })
        }));
        started.set();
        let set = scheduler.spawn(move || {
            sleep(SHORT);
            event.set();
        });
        set.join_for(LONG)
            .expect("a destructor that waits keeps the worker")
            .unwrap();
        eventually("the destructor is through", || done.load(Ordering::SeqCst));
    });
}

#[test]
fn a_panic_comes_back_and_the_worker_is_unharmed() {
    expect_panics();
    from_both(|scheduler| {
        let text = scheduler.spawn(|| -> u32 { panic!("expected") });
        let error = text.join().unwrap_err();
        assert!(error.is_panic());
        assert!(!error.is_cancelled() && !error.is_refused() && !error.is_interrupted());
        assert_eq!(error.to_string(), "the task panicked: expected");
        assert_eq!(*error.into_panic().downcast::<&str>().unwrap(), "expected");

        let value = scheduler.spawn(|| std::panic::resume_unwind(Box::new(17_u64)));
        let error: fiberhost::scheduler::JoinError = value.join().unwrap_err();
        assert_eq!(
            format!("{error:?}"),
            "JoinError(the task panicked: (a value that is no text))"
        );
        assert_eq!(*error.into_panic().downcast::<u64>().unwrap(), 17);

        // As many as there may be stacks in caches, so that each is used again after a panic.
        let tasks: Vec<_> = (0..200)
            .map(|number| {
                scheduler.spawn(move || {
                    yield_now();
                    assert!(number % 2 == 0, "expected, by its number");
                    number
                })
            })
            .collect();
        for (number, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.join().ok(), (number % 2 == 0).then_some(number));
        }
    });
}

#[test]
#[should_panic(expected = "the task did not panic")]
fn into_panic_is_for_panics() {
    let scheduler = Scheduler::builder().workers(1).build().unwrap();
    let task = scheduler.spawn(park);
    task.abort();
    let error = task.join().unwrap_err();
    assert!(error.is_cancelled());
    let _ = error.into_panic();
}

#[test]
fn run_goes_on_with_the_panic() {
    expect_panics();
    at_workers(|scheduler| {
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            scheduler.run(|| panic!("expected, passed on"))
        }));
        let payload = caught.unwrap_err();
        assert_eq!(*payload.downcast::<&str>().unwrap(), "expected, passed on");
    });
}

#[test]
fn a_destructor_that_panics_does_not_harm_the_worker() {
    expect_panics();
    at_workers(|scheduler| {
        // The closure's captures, the result of a detached task, and the result of one whose handle goes later.
        let bomb = || OnDrop(|| panic!("expected, in a destructor"));
        let captured = bomb();
        let error = scheduler.spawn(move || drop(captured)).join().unwrap_err();
        assert!(error.is_panic());
        drop(scheduler.spawn(bomb));
        let ended = scheduler.spawn(bomb);
        eventually("it has ended", || ended.is_finished());
        drop(ended);
        for _ in 0..20 {
            scheduler.spawn(yield_now).join().unwrap();
        }
    });
}

#[test]
fn an_interrupted_join_leaves_the_task_alone() {
    at_workers(|scheduler| {
        let event = Arc::new(ManualResetEvent::new(false));
        let (open, done) = (Arc::clone(&event), Arc::new(AtomicBool::new(false)));
        let tell = Arc::clone(&done);
        let task = scheduler.spawn(move || {
            open.wait();
            tell.store(true, Ordering::SeqCst);
        });
        let reference = task.task().clone();
        let joiner = scheduler.spawn(move || {
            let error = task.task().wait().unwrap_err();
            assert!(error.is_interrupted());
            assert!(error.to_string().contains("Alerted"), "{error}");
            let error = task.join().unwrap_err();
            assert!(error.to_string().contains("Aborted"), "{error}");
        });
        until_waits(joiner.task(), WaitReason::Join);
        joiner.task().alert();
        until_waits(joiner.task(), WaitReason::Join);
        joiner.task().cancel();
        joiner.join().unwrap();
        assert!(!reference.is_finished());
        event.set();
        reference.wait().unwrap();
        assert!(done.load(Ordering::SeqCst));
    });
}

#[test]
fn a_task_waits_for_its_children_and_their_children() {
    fn tree(depth: u32) -> u64 {
        if depth == 0 {
            return 1;
        }
        let children: Vec<_> = (0..3).map(|_| spawn(move || tree(depth - 1))).collect();
        children
            .into_iter()
            .map(|child| child.join().unwrap())
            .sum()
    }
    at_workers(|scheduler| assert_eq!(scheduler.run(|| tree(6)), 729));
}

#[test]
fn a_join_from_a_plain_thread_blocks_only_that_thread() {
    at_workers(|scheduler| {
        let here = os_thread();
        let event = Arc::new(AutoResetEvent::new(false));
        let open = Arc::clone(&event);
        let task = scheduler.spawn(move || {
            open.wait();
            os_thread()
        });
        std::thread::scope(|threads| {
            let joiner = threads.spawn(|| task.join().unwrap());
            scheduler.run(move || event.set());
            assert_ne!(joiner.join().unwrap(), here);
        });
    });
}
