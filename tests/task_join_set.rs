//! A `JoinSet` gives results in the order in which its tasks end.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{
    Drops, LONG, OnDrop, SHORT, at, at_workers, checked, eventually, expect_panics, until_waits,
    with,
};
use fiberhost::scheduler::sync::ManualResetEvent;
use fiberhost::scheduler::{
    JoinSet, Priority, Scheduler, WaitReason, current, park, sleep, spawn, task_local, timeout,
    yield_now,
};

#[test]
fn results_come_in_the_order_of_the_ends() {
    at_workers(|scheduler| {
        scheduler.run(|| {
            let mut set = JoinSet::new();
            let tasks: Vec<_> = (0..5)
                .map(|number| {
                    set.spawn(move || {
                        park();
                        number
                    })
                })
                .collect();
            assert_eq!(set.len(), 5);
            for number in [3, 0, 4, 1, 2] {
                tasks[number].unpark();
                assert_eq!(set.join_next().unwrap().unwrap(), number);
            }
            assert!(set.is_empty());
            assert!(set.join_next().is_none());
            // Those that ended while nobody waited.
            for number in 0..5 {
                let task = set.spawn(move || number);
                task.wait().unwrap();
            }
            for number in 0..5 {
                assert_eq!(set.join_next().unwrap().unwrap(), number);
            }
        });
    });
}

#[test]
fn a_plain_thread_may_have_one() {
    at_workers(|scheduler| {
        let mut set = JoinSet::new();
        for number in 0..100_u64 {
            set.spawn_on(scheduler, move || {
                if number % 3 == 0 {
                    sleep(Duration::from_micros(number));
                }
                number
            });
        }
        let mut sum = 0;
        while let Some(result) = set.join_next() {
            sum += result.unwrap();
        }
        assert_eq!(sum, 99 * 50);
    });
}

#[test]
fn it_may_grow_while_it_is_joined() {
    at_workers(|scheduler| {
        scheduler.run(|| {
            let mut set = JoinSet::new();
            set.spawn(|| 10);
            let mut results = 0;
            while let Some(depth) = set.join_next() {
                results += 1;
                let depth = depth.unwrap();
                if depth > 0 && results < 200 {
                    set.spawn(move || depth - 1);
                    set.spawn(move || depth - 1);
                }
            }
            assert!(results >= 200);
        });
    });
}

#[test]
fn panics_and_aborts_are_results_too() {
    expect_panics();
    at_workers(|scheduler| {
        scheduler.run(|| {
            let mut set = JoinSet::<u32>::new();
            set.spawn(|| panic!("expected"));
            assert!(set.join_next().unwrap().unwrap_err().is_panic());
            let task = set.spawn(|| {
                park();
                1
            });
            task.abort();
            assert!(set.join_next().unwrap().unwrap_err().is_cancelled());
            for _ in 0..10 {
                set.spawn(|| {
                    park();
                    1
                });
            }
            set.abort_all();
            assert_eq!(set.len(), 10, "they stay in it until they are joined");
            for _ in 0..10 {
                assert!(set.join_next().unwrap().unwrap_err().is_cancelled());
            }
            assert!(set.join_next().is_none());
        });
    });
}

#[test]
fn a_limit_leaves_the_set_as_it_is() {
    at_workers(|scheduler| {
        scheduler.run(|| {
            let mut set = JoinSet::new();
            assert!(matches!(set.join_next_for(SHORT), Ok(None)), "it is empty");
            let task = set.spawn(|| {
                park();
                5
            });
            let began = Instant::now();
            assert!(set.join_next_for(SHORT).is_err());
            assert!(set.join_next_for(Duration::ZERO).is_err());
            assert!(began.elapsed() >= SHORT);
            assert_eq!(set.len(), 1);
            task.unpark();
            assert_eq!(set.join_next_for(LONG).unwrap().unwrap().unwrap(), 5);
        });
    });
}

#[test]
fn an_interruption_leaves_the_set_as_it_is() {
    at_workers(|scheduler| {
        let owner = scheduler.spawn(|| {
            let mut set = JoinSet::new();
            let task = set.spawn(|| {
                park();
                5
            });
            assert!(set.join_next().unwrap().unwrap_err().is_interrupted());
            assert!(timeout(Duration::from_millis(1), || set.join_next()).is_err());
            task.unpark();
            let five = set.join_next().unwrap().unwrap();
            current().cancel();
            set.spawn(|| {
                park();
                6
            });
            let error = set.join_next_for(LONG).unwrap().unwrap().unwrap_err();
            assert!(error.is_interrupted());
            // Its own wait goes on although the task is cancelled.
            set.shutdown();
            assert!(set.is_empty());
            five
        });
        until_waits(owner.task(), WaitReason::Join);
        owner.task().alert();
        assert_eq!(owner.join().unwrap(), 5);
    });
}

#[test]
fn a_shutdown_aborts_and_waits() {
    at_workers(|scheduler| {
        let drops = Drops::new();
        let mut set = JoinSet::new();
        let started = Arc::new(AtomicUsize::new(0));
        for number in 0..20 {
            let (dropped, started) = (drops.one(), Arc::clone(&started));
            set.spawn_on(scheduler, move || {
                started.fetch_add(1, Ordering::SeqCst);
                if number % 2 == 0 {
                    park();
                }
                dropped
            });
        }
        eventually("all have started", || started.load(Ordering::SeqCst) == 20);
        set.shutdown();
        assert_eq!(drops.count(), 20);
        assert!(set.is_empty());
        // It may be used again.
        set.spawn_on(scheduler, {
            let dropped = drops.one();
            move || dropped
        });
        drop(set.join_next().unwrap().unwrap());
        assert_eq!(drops.count(), 21);
    });
}

#[test]
fn dropping_it_aborts_what_is_left() {
    at_workers(|scheduler| {
        let drops = Drops::new();
        let mut set = JoinSet::new();
        for _ in 0..20 {
            let dropped = drops.one();
            set.spawn_on(scheduler, move || {
                let _dropped = dropped;
                park();
            });
        }
        let _joined = set.join_next_for(Duration::ZERO);
        drop(set);
        eventually("all are gone", || drops.count() == 20);
    });
}

#[test]
fn a_spawn_that_fails_leaves_no_trace() {
    with(checked(1).max_tasks(3), |scheduler| {
        let drops = Drops::new();
        let event = Arc::new(ManualResetEvent::new(false));
        let mut set = JoinSet::new();
        for number in 0..3 {
            let event = Arc::clone(&event);
            set.spawn_on(scheduler, move || {
                event.wait();
                number
            });
        }
        for _ in 0..3 {
            let dropped = drops.one();
            let refused = set.spawn_with(scheduler.task(), move || {
                drop(dropped);
                9
            });
            assert!(refused.unwrap_err().is_limit());
        }
        assert_eq!(drops.count(), 3);
        assert_eq!(set.len(), 3);
        assert!(set.join_next_for(SHORT).is_err(), "none has ended");
        event.set();
        let mut results: Vec<_> = std::iter::from_fn(|| set.join_next())
            .map(Result::unwrap)
            .collect();
        results.sort_unstable();
        assert_eq!(results, [0, 1, 2]);
    });
}

#[test]
fn settings_of_a_task_are_kept() {
    at(1, |scheduler| {
        let mut set = JoinSet::new();
        let task = scheduler.task().name("of a set").priority(Priority::Low);
        let task = set
            .spawn_with(task, || (current().name(), current().priority()))
            .unwrap();
        assert_eq!(task.name().as_deref(), Some("of a set"));
        let (name, priority) = set.join_next().unwrap().unwrap();
        assert_eq!(name.as_deref(), Some("of a set"));
        assert_eq!(priority, Priority::Low);
    });
}

task_local! {
    static AT_END: std::cell::RefCell<Option<OnDrop<Box<dyn FnMut()>>>> = std::cell::RefCell::new(None);
}

#[test]
fn a_task_has_ended_when_its_result_comes() {
    at_workers(|scheduler| {
        scheduler.run(|| {
            let ended = Arc::new(AtomicUsize::new(0));
            let mut set = JoinSet::new();
            for _ in 0..10 {
                let ended = Arc::clone(&ended);
                set.spawn(move || {
                    AT_END.with(|end| {
                        let last = move || {
                            sleep(Duration::from_millis(2));
                            ended.fetch_add(1, Ordering::SeqCst);
                        };
                        *end.borrow_mut() = Some(OnDrop(Box::new(last)));
                    });
                });
            }
            let first = spawn(|| ());
            for count in 1..=10 {
                set.join_next().unwrap().unwrap();
                assert!(ended.load(Ordering::SeqCst) >= count);
            }
            first.join().unwrap();
        });
    });
}

#[test]
fn tasks_that_a_shutdown_cancels_are_still_joined() {
    let scheduler = checked(1).build().unwrap();
    let mut set = JoinSet::new();
    let busy = Arc::new(AtomicUsize::new(0));
    let stay = Arc::clone(&busy);
    set.spawn_on(&scheduler, move || {
        stay.store(1, Ordering::SeqCst);
        common::hog_until(|| stay.load(Ordering::SeqCst) == 2);
    });
    eventually("the worker is busy", || busy.load(Ordering::SeqCst) == 1);
    (0..5).for_each(|_| drop(set.spawn_on(&scheduler, || ())));
    std::thread::scope(|threads| {
        let shutdown = threads.spawn(|| scheduler.shutdown(LONG));
        for _ in 0..5 {
            assert!(set.join_next().unwrap().unwrap_err().is_cancelled());
        }
        busy.store(2, Ordering::SeqCst);
        set.join_next().unwrap().unwrap();
        shutdown.join().unwrap().unwrap();
    });
    // And those that come too late.
    set.spawn_on(&scheduler, || ());
    assert!(set.join_next().unwrap().unwrap_err().is_cancelled());
}

#[test]
fn many_end_at_once() {
    at_workers(|scheduler| {
        scheduler.run(|| {
            let mut set = JoinSet::new();
            let event = Arc::new(ManualResetEvent::new(false));
            for number in 0..500_usize {
                let event = Arc::clone(&event);
                set.spawn(move || {
                    event.wait();
                    if number % 2 == 0 {
                        yield_now();
                    }
                    number
                });
            }
            event.set();
            let mut seen = vec![false; 500];
            while let Some(number) = set.join_next() {
                assert!(!std::mem::replace(&mut seen[number.unwrap()], true));
            }
            assert!(seen.into_iter().all(|seen| seen));
        });
    });
}

/// Never called: what must cross threads can.
#[allow(dead_code, reason = "it only has to compile")]
fn it_may_be_sent() {
    fn send<T: Send>() {}
    send::<JoinSet<u32>>();
    send::<Scheduler>();
}
