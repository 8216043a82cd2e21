//! Work is taken from behind a task that keeps its worker, and idle workers are woken for it.

mod common;

use std::collections::HashSet;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use common::{
    LONG, at, at_on_fibers, checked, eventually, hog_until, os_thread, until_waits, with,
    with_on_fibers,
};
use fiberhost::scheduler::{
    JoinHandle, Priority, Scheduler, TaskBuilder, WaitReason, Wake, park, sleep, spawn, yield_now,
};

/// Runs a test with several workers, when they are all asleep and when they have just been busy.
fn with_idle_workers(test: impl Fn(&Scheduler)) {
    for workers in [2, 4] {
        for spin in [Duration::ZERO, Duration::from_micros(50)] {
            with(checked(workers).idle_spin(spin), |scheduler| {
                for asleep in [true, false, true] {
                    if asleep {
                        eventually("all workers sleep", || {
                            scheduler.stats().idle_workers == workers
                        });
                    } else {
                        let busy: Vec<_> = (0..50).map(|_| scheduler.spawn(yield_now)).collect();
                        busy.into_iter().for_each(|task| task.join().unwrap());
                    }
                    test(scheduler);
                }
            });
        }
    }
}

/// Counts its calls and notes the threads.
fn counting(count: &Arc<AtomicUsize>, not_here: libc::pid_t) -> impl FnOnce() + Send + use<> {
    let count = Arc::clone(count);
    move || {
        assert_ne!(os_thread(), not_here, "that worker is taken");
        count.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn fresh_tasks_queued_behind_a_hog_start_elsewhere() {
    with_idle_workers(|scheduler| {
        for how_many in [1, 2, 40, 300] {
            scheduler.run(move || {
                let (count, here) = (Arc::new(AtomicUsize::new(0)), os_thread());
                let tasks: Vec<_> = (0..how_many)
                    .map(|_| spawn(counting(&count, here)))
                    .collect();
                hog_until(|| count.load(Ordering::SeqCst) == how_many);
                tasks.into_iter().for_each(|task| task.join().unwrap());
            });
        }
    });
}

#[test]
fn they_start_elsewhere_whatever_their_priority() {
    with_idle_workers(|scheduler| {
        scheduler.run(|| {
            let (count, here) = (Arc::new(AtomicUsize::new(0)), os_thread());
            let priorities = [Priority::Low, Priority::Normal, Priority::High];
            let tasks: Vec<_> = (0..9)
                .map(|number| {
                    let task = TaskBuilder::new().priority(priorities[number % 3]);
                    task.spawn(counting(&count, here)).unwrap()
                })
                .collect();
            hog_until(|| count.load(Ordering::SeqCst) == 9);
            tasks.into_iter().for_each(|task| task.join().unwrap());
        });
    });
}

#[test]
fn mobile_tasks_woken_by_a_hog_go_on_elsewhere() {
    with_idle_workers(|scheduler| {
        for how_many in [1, 2, 40] {
            scheduler.run(move || {
                let count = Arc::new(AtomicUsize::new(0));
                let tasks: Vec<JoinHandle<()>> = (0..how_many)
                    .map(|_| {
                        let count = Arc::clone(&count);
                        let body = move || {
                            park();
                            count.fetch_add(1, Ordering::SeqCst);
                        };
                        // SAFETY: nothing that must stay on its thread lies on the stack.
                        unsafe { TaskBuilder::new().spawn_mobile(body) }.unwrap()
                    })
                    .collect();
                for task in &tasks {
                    until_waits(task.task(), WaitReason::Park);
                }
                tasks.iter().for_each(|task| task.task().unpark());
                hog_until(|| count.load(Ordering::SeqCst) == how_many);
                tasks.into_iter().for_each(|task| task.join().unwrap());
            });
        }
    });
}

/// The timers stand in the slot of one that hogs its worker: the monitor fires them, and calls another worker for who is woken.
#[test]
fn sleepers_whose_timers_stand_behind_a_hog_go_on_elsewhere() {
    at(2, |scheduler| {
        // Nobody else can start the sleepers, so their timers are here.
        let (go, running) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicBool::new(false)),
        );
        let (wait, tell) = (Arc::clone(&go), Arc::clone(&running));
        let other = scheduler.spawn(move || {
            tell.store(true, Ordering::SeqCst);
            hog_until(|| wait.load(Ordering::SeqCst));
        });
        eventually("one worker is taken", || running.load(Ordering::SeqCst));
        scheduler.run(move || {
            let over = Arc::new(AtomicBool::new(false));
            let wakes: Arc<[AtomicUsize; 3]> = Arc::default();
            let counts = || wakes.each_ref().map(|wakes| wakes.load(Ordering::SeqCst));
            let woke =
                |before: [usize; 3]| counts().iter().zip(before).all(|(now, then)| *now > then);
            let tasks: Vec<JoinHandle<()>> = (0..wakes.len())
                .map(|number| {
                    let (over, wakes) = (Arc::clone(&over), Arc::clone(&wakes));
                    let body = move || {
                        while !over.load(Ordering::SeqCst) {
                            assert_eq!(sleep(Duration::from_millis(10)), Wake::TimedOut);
                            wakes[number].fetch_add(1, Ordering::SeqCst);
                        }
                    };
                    // SAFETY: nothing that must stay on its thread lies on the stack.
                    unsafe { TaskBuilder::new().spawn_mobile(body) }.unwrap()
                })
                .collect();
            eventually("each has slept here", || woke([0; 3]));
            go.store(true, Ordering::SeqCst);
            let before = counts();
            hog_until(|| woke(before));
            over.store(true, Ordering::SeqCst);
            tasks.into_iter().for_each(|task| task.join().unwrap());
        });
        other.join().unwrap();
    });
}

#[test]
fn a_mobile_task_that_yielded_behind_a_hog_goes_on_elsewhere() {
    with_idle_workers(|scheduler| {
        let (step, stop) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (count, quit) = (Arc::clone(&step), Arc::clone(&stop));
        let body = move || {
            while !quit.load(Ordering::SeqCst) {
                count.fetch_add(1, Ordering::SeqCst);
                yield_now();
            }
        };
        // SAFETY: nothing that must stay on its thread lies on the stack.
        let mobile = unsafe { scheduler.task().spawn_mobile(body) }.unwrap();
        // Each hog starts somewhere, perhaps just where the mobile one stands.
        for _ in 0..10 {
            let step = Arc::clone(&step);
            scheduler.run(move || {
                let before = step.load(Ordering::SeqCst);
                hog_until(|| step.load(Ordering::SeqCst) >= before + 10);
            });
        }
        stop.store(true, Ordering::SeqCst);
        mobile.join().unwrap();
    });
}

#[test]
fn what_is_injected_beside_a_hog_starts() {
    with_idle_workers(|scheduler| {
        let (go, running) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicBool::new(false)),
        );
        let (wait, tell) = (Arc::clone(&go), Arc::clone(&running));
        let hog = scheduler.spawn(move || {
            tell.store(true, Ordering::SeqCst);
            hog_until(|| wait.load(Ordering::SeqCst));
        });
        eventually("the hog runs", || running.load(Ordering::SeqCst));
        let tasks: Vec<_> = (0..20).map(|_| scheduler.spawn(yield_now)).collect();
        for task in tasks {
            task.join_for(LONG)
                .expect("another worker runs it")
                .unwrap();
        }
        go.store(true, Ordering::SeqCst);
        hog.join().unwrap();
    });
}

// On fibers only: it counts threads, of which the other tasks have one each.
#[test]
fn one_hog_for_each_worker_but_one_leaves_that_one_to_all() {
    at_on_fibers(4, |scheduler| {
        let (go, running) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let hogs: Vec<_> = (0..3)
            .map(|_| {
                let (go, running) = (Arc::clone(&go), Arc::clone(&running));
                scheduler.spawn(move || {
                    // Each leaves something behind.
                    let behind: Vec<_> = (0..10).map(|_| spawn(os_thread)).collect();
                    running.fetch_add(1, Ordering::SeqCst);
                    hog_until(|| go.load(Ordering::SeqCst));
                    behind
                })
            })
            .collect();
        eventually("three hogs run", || running.load(Ordering::SeqCst) == 3);
        let ended = scheduler.stats().ended;
        eventually("the fourth worker runs what they have left behind", || {
            scheduler.stats().ended >= ended.max(30)
        });
        go.store(true, Ordering::SeqCst);
        let mut threads = HashSet::new();
        for hog in hogs {
            for task in hog.join().unwrap() {
                threads.insert(task.join().unwrap());
            }
        }
        assert!(threads.len() <= 4);
    });
}

// On fibers only: it counts threads, of which the other tasks have one each.
#[test]
fn work_is_spread_over_all_workers() {
    with_on_fibers(checked(4), |scheduler| {
        let threads = scheduler.run(|| {
            // A burst from one worker: all of them come to take part before it is over.
            let stop = Arc::new(AtomicBool::new(false));
            let seen = Arc::new(std::sync::Mutex::new(HashSet::new()));
            let tasks: Vec<_> = (0..200)
                .map(|_| {
                    let (stop, seen) = (Arc::clone(&stop), Arc::clone(&seen));
                    spawn(move || {
                        seen.lock().unwrap().insert(os_thread());
                        hog_until(|| {
                            let all = seen.lock().unwrap().len() == 4;
                            if all {
                                stop.store(true, Ordering::SeqCst);
                            }
                            stop.load(Ordering::SeqCst)
                        });
                    })
                })
                .collect();
            tasks.into_iter().for_each(|task| task.join().unwrap());
            seen.lock().unwrap().len()
        });
        assert_eq!(threads, 4);
    });
}

#[test]
fn bound_tasks_stay_behind_their_hog() {
    // What we state as a limit: a started task is not taken from its thread.
    at(2, |scheduler| {
        scheduler.run(|| {
            let ran = Arc::new(AtomicBool::new(false));
            let tell = Arc::clone(&ran);
            let (started, place) = channel();
            let task = spawn(move || {
                started.send(os_thread()).unwrap();
                park();
                tell.store(true, Ordering::SeqCst);
            });
            // Until one has started here. (Others may have taken it.)
            until_waits(task.task(), WaitReason::Park);
            task.task().unpark();
            if place.try_recv().unwrap() == os_thread() {
                let until = std::time::Instant::now() + Duration::from_millis(20);
                hog_until(|| std::time::Instant::now() > until);
                assert!(!ran.load(Ordering::SeqCst), "it needs this thread");
            } else {
                // On a thread of its own it does not wait.
                hog_until(|| ran.load(Ordering::SeqCst));
            }
            task.join().unwrap();
        });
    });
}

/// The same without the kernel's barrier, where both sides pay for a fence: in a process of its own, since it is decided once.
#[test]
fn stealing_works_without_membarrier() {
    const NAME: &str = "FIBERHOST_NO_MEMBARRIER";
    if std::env::var_os(NAME).is_some() {
        let scheduler = checked(2).build().unwrap();
        assert_eq!(scheduler.stats().barrier, "fence");
        scheduler.shutdown(LONG).unwrap();
        return;
    }
    let tests = [
        "stealing_works_without_membarrier",
        "fresh_tasks_queued_behind_a_hog_start_elsewhere",
        "mobile_tasks_woken_by_a_hog_go_on_elsewhere",
        "a_mobile_task_that_yielded_behind_a_hog_goes_on_elsewhere",
        "what_is_injected_beside_a_hog_starts",
    ];
    for test in tests {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(NAME, "1")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&child.stderr);
        assert!(child.status.success(), "{test}: {}\n{text}", child.status);
    }
}
