//! The end of a scheduler, with tasks in every state, called from everywhere, and everything used afterwards.

mod common;

use std::panic::catch_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use common::waits::{SAYING, SCOPE, SILENT, Waiting};
use common::{
    Drops, LONG, OnDrop, SHORT, Watchdog, checked, eventually, hog_until, os_thread, until_waits,
};
use fiberhost::scheduler::sync::ManualResetEvent;
use fiberhost::scheduler::{
    Backing, JoinHandle, Scheduler, WaitReason, Wake, current, park, park_for, scope, sleep, spawn,
    yield_now,
};

/// Runs a test at several sizes, on a scheduler that the test shuts down itself.
#[track_caller]
fn at_workers(test: impl Fn(Scheduler)) {
    let _watchdog = Watchdog::new(std::panic::Location::caller().to_string());
    for workers in [1, 2, 4] {
        test(checked(workers).build().unwrap());
    }
}

/// Keeps all workers busy until it is let go. Returns when they are.
fn hog_all(scheduler: &Scheduler) -> (Arc<AtomicBool>, Vec<JoinHandle<()>>) {
    let (go, running) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let hogs: Vec<_> = (0..scheduler.workers())
        .map(|_| {
            let (go, running) = (Arc::clone(&go), Arc::clone(&running));
            scheduler.spawn(move || {
                running.fetch_add(1, Ordering::SeqCst);
                hog_until(|| go.load(Ordering::SeqCst));
            })
        })
        .collect();
    eventually("all workers are busy", || {
        running.load(Ordering::SeqCst) == scheduler.workers()
    });
    (go, hogs)
}

#[test]
fn a_scheduler_that_was_never_used_ends() {
    at_workers(|scheduler| {
        let _builder = scheduler.task().name("never spawned");
        scheduler.shutdown(LONG).unwrap();
        scheduler.shutdown(Duration::ZERO).unwrap();
    });
    at_workers(drop);
}

#[test]
fn queued_tasks_are_dropped_on_the_caller_and_their_joins_say_cancelled() {
    at_workers(|scheduler| {
        let (go, hogs) = hog_all(&scheduler);
        let here = os_thread();
        let dropped_on = Arc::new(Mutex::new(Vec::new()));
        let note = || {
            let dropped_on = Arc::clone(&dropped_on);
            OnDrop(move || dropped_on.lock().unwrap().push(os_thread()))
        };
        let tasks: Vec<_> = (0..100)
            .map(|number| {
                let noted = note();
                let backing = if number % 10 == 0 {
                    Backing::Thread
                } else {
                    Backing::Fiber
                };
                let task = scheduler.task().backing(backing);
                task.spawn(move || drop(noted)).unwrap()
            })
            .collect();
        let noted = note();
        // SAFETY: it never runs.
        let mobile = unsafe { scheduler.task().spawn_mobile(move || drop(noted)) }.unwrap();
        // Dropped while the workers are busy, so that nobody else can have done it.
        let error = scheduler.shutdown(SHORT).unwrap_err();
        assert_eq!(error.survivors().len(), scheduler.workers(), "{error}");
        assert_eq!(*dropped_on.lock().unwrap(), [here; 101]);
        for task in tasks {
            assert!(task.join().unwrap_err().is_cancelled());
        }
        assert!(mobile.join().unwrap_err().is_cancelled());
        go.store(true, Ordering::SeqCst);
        scheduler.shutdown(LONG).unwrap();
        hogs.into_iter().for_each(|hog| hog.join().unwrap());
    });
}

#[test]
fn tasks_that_a_busy_one_has_queued_are_dropped_too() {
    at_workers(|scheduler| {
        // They stand in the private part of the worker that spawned them, or where it shared them.
        let (tell, told) = mpsc::channel();
        let go = Arc::new(AtomicBool::new(false));
        let drops = Drops::new();
        let hogs: Vec<_> = (0..scheduler.workers())
            .map(|_| {
                let (go, drops, tell) = (Arc::clone(&go), drops.clone(), tell.clone());
                scheduler.spawn(move || {
                    // All have started before one queues anything.
                    tell.send(()).unwrap();
                    hog_until(|| go.load(Ordering::SeqCst));
                    for _ in 0..100 {
                        let dropped = drops.one();
                        drop(spawn(move || drop(dropped)));
                    }
                    tell.send(()).unwrap();
                    go.store(true, Ordering::SeqCst);
                    hog_until(|| drops.count() == 100 * WORKERS.load(Ordering::SeqCst));
                })
            })
            .collect();
        static WORKERS: AtomicUsize = AtomicUsize::new(0);
        WORKERS.store(scheduler.workers(), Ordering::SeqCst);
        for _ in 0..scheduler.workers() {
            told.recv_timeout(LONG).unwrap();
        }
        go.store(true, Ordering::SeqCst);
        for _ in 0..scheduler.workers() {
            told.recv_timeout(LONG).unwrap();
        }
        scheduler.shutdown(LONG).unwrap();
        assert_eq!(drops.count(), 100 * scheduler.workers());
        hogs.into_iter().for_each(|hog| hog.join().unwrap());
    });
}

#[test]
fn parked_tasks_are_unwound_whatever_they_wait_for() {
    at_workers(|scheduler| {
        let drops = Drops::new();
        let waits = || SAYING.into_iter().chain(SILENT).chain([SCOPE]);
        let tasks: Vec<_> = waits()
            .flat_map(|waiting| [(waiting, Backing::Fiber), (waiting, Backing::Thread)])
            .map(|(Waiting { name, reason, wait }, backing)| {
                let dropped = drops.one();
                let task = scheduler.task().backing(backing);
                let task = task.spawn(move || {
                    let _dropped = dropped;
                    wait();
                    // Some waits say so instead of unwinding; the next one unwinds.
                    park();
                    unreachable!("{name} let it go on");
                });
                (name, reason, task.unwrap())
            })
            .collect();
        for (_, reason, task) in &tasks {
            until_waits(task.task(), *reason);
        }
        scheduler
            .shutdown(LONG)
            .unwrap_or_else(|error| panic!("{error}: {:?}", error.survivors()));
        for (name, _, task) in tasks {
            assert!(task.join().unwrap_err().is_cancelled(), "{name}");
        }
        assert_eq!(drops.count(), 2 * waits().count());
    });
}

#[test]
fn a_running_task_survives_the_limit_and_may_end_later() {
    at_workers(|scheduler| {
        let (go, hogs) = hog_all(&scheduler);
        let began = Instant::now();
        let error = scheduler.shutdown(SHORT).unwrap_err();
        assert!(began.elapsed() >= SHORT && began.elapsed() < LONG);
        assert!(!error.is_from_inside());
        let count = scheduler.workers();
        assert_eq!(
            error.to_string(),
            format!("{count} tasks are left after the time limit")
        );
        for hog in &hogs {
            assert!(error.survivors().contains(hog.task()));
        }
        assert!(scheduler.shutdown(Duration::ZERO).is_err());
        go.store(true, Ordering::SeqCst);
        for hog in hogs {
            hog.join().unwrap();
        }
        scheduler.shutdown(LONG).unwrap();
        assert_eq!(scheduler.stats().live(), 0);
    });
}

#[test]
fn survivors_of_all_kinds_may_go_on_and_wait_for_each_other() {
    at_workers(|scheduler| {
        // A bound one and a mobile one that catch every unwinding for a while, and an owner whose scope waits for a busy one.
        let (stop, steps) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let stubborn = || {
            let (stop, steps) = (Arc::clone(&stop), Arc::clone(&steps));
            move || {
                while !stop.load(Ordering::SeqCst) {
                    let _ = catch_unwind(yield_now);
                    let _ = catch_unwind(|| park_for(Duration::from_micros(100)));
                    steps.fetch_add(1, Ordering::SeqCst);
                }
            }
        };
        let bound = scheduler.spawn(stubborn());
        // SAFETY: nothing that must stay on its thread lies on the stack.
        let mobile = unsafe { scheduler.task().spawn_mobile(stubborn()) }.unwrap();
        let thread = scheduler.task().backing(Backing::Thread);
        let thread = thread.spawn(stubborn()).unwrap();
        let inner = stubborn();
        let scoped = move || {
            let inner = inner;
            scope(|scope| {
                scope.spawn(inner);
            });
        };
        // SAFETY: as above; the scope's waits keep nothing of the thread.
        let owner = unsafe { scheduler.task().spawn_mobile(scoped) }.unwrap();
        until_waits(owner.task(), WaitReason::Scope);
        eventually("they run", || steps.load(Ordering::SeqCst) > 20);
        let error = scheduler.shutdown(SHORT).unwrap_err();
        assert_eq!(error.survivors().len(), 5, "{:?}", error.survivors());
        let before = steps.load(Ordering::SeqCst);
        eventually("they go on", || steps.load(Ordering::SeqCst) > before + 100);
        stop.store(true, Ordering::SeqCst);
        // They end although nobody shuts down now.
        for task in [bound, mobile, thread, owner] {
            task.join_for(LONG).expect("it ends").unwrap();
        }
        for task in error.survivors() {
            task.wait().unwrap();
        }
        scheduler.shutdown(LONG).unwrap();
    });
}

#[test]
fn the_last_survivor_ends_the_workers() {
    // Nobody calls the shutdown again, but the threads go.
    let _watchdog = Watchdog::new("the_last_survivor_ends_the_workers".into());
    let workers = || {
        let threads = std::fs::read_dir("/proc/self/task").unwrap().flatten();
        threads
            .filter_map(|thread| std::fs::read_to_string(thread.path().join("comm")).ok())
            .filter(|name| name.starts_with("lastones"))
            .count()
    };
    let scheduler = Scheduler::builder()
        .workers(3)
        .name("lastones")
        .build()
        .unwrap();
    let (go, hogs) = hog_all(&scheduler);
    scheduler.shutdown(SHORT).unwrap_err();
    // With the one that stands by.
    assert_eq!(workers(), 4);
    go.store(true, Ordering::SeqCst);
    for hog in hogs {
        hog.join().unwrap();
    }
    eventually("the workers end", || workers() == 0);
    scheduler.shutdown(LONG).unwrap();
}

#[test]
fn from_inside_it_is_an_error() {
    at_workers(|scheduler| {
        for backing in [Backing::Fiber, Backing::Thread] {
            let mine = scheduler.clone();
            let task = scheduler.task().backing(backing).spawn(move || {
                let error = mine.shutdown(LONG).unwrap_err();
                assert!(error.is_from_inside());
                assert!(error.survivors().is_empty());
                assert!(error.to_string().contains("from inside"), "{error}");
                spawn(|| 5).join().unwrap()
            });
            assert_eq!(task.unwrap().join().unwrap(), 5, "nothing was ended");
        }
        scheduler.shutdown(LONG).unwrap();
    });
}

#[test]
fn several_may_call_it_at_once() {
    at_workers(|scheduler| {
        for _ in 0..20 {
            drop(scheduler.spawn(park));
        }
        std::thread::scope(|threads| {
            let calls: Vec<_> = (0..4)
                .map(|_| threads.spawn(|| scheduler.shutdown(LONG)))
                .collect();
            for call in calls {
                call.join().unwrap().unwrap();
            }
        });
        assert_eq!(scheduler.stats().live(), 0);
        scheduler.shutdown(LONG).unwrap();
    });
}

#[test]
fn each_caller_has_its_own_limit() {
    at_workers(|scheduler| {
        let (go, hogs) = hog_all(&scheduler);
        std::thread::scope(|threads| {
            let patient = threads.spawn(|| scheduler.shutdown(LONG));
            std::thread::sleep(Duration::from_millis(5));
            let began = Instant::now();
            let error = scheduler.shutdown(SHORT).unwrap_err();
            assert!(began.elapsed() < LONG / 2, "{:?}", began.elapsed());
            assert_eq!(error.survivors().len(), scheduler.workers());
            go.store(true, Ordering::SeqCst);
            patient.join().unwrap().unwrap();
        });
        hogs.into_iter().for_each(|hog| hog.join().unwrap());
    });
}

#[test]
fn a_task_of_another_scheduler_may_call_it() {
    at_workers(|scheduler| {
        let other = checked(1).build().unwrap();
        let task = scheduler.spawn(park);
        until_waits(task.task(), WaitReason::Park);
        let ended = scheduler.clone();
        other.run(move || ended.shutdown(LONG)).unwrap();
        assert!(task.join().unwrap_err().is_cancelled());
        other.shutdown(LONG).unwrap();
    });
}

#[test]
fn a_spawn_after_it_is_cancelled_on_the_caller() {
    at_workers(|scheduler| {
        let late = scheduler.task().name("late");
        scheduler.shutdown(LONG).unwrap();
        let drops = Drops::new();
        let dropped = drops.one();
        let task = scheduler.spawn(move || {
            drop(dropped);
            5
        });
        assert_eq!(drops.count(), 1, "the closure is dropped at once");
        assert!(task.is_finished());
        assert!(task.join().unwrap_err().is_cancelled());
        let named = late.spawn(|| 6).unwrap();
        assert_eq!(named.task().name().as_deref(), Some("late"));
        let done = named.join_for(Duration::ZERO).unwrap();
        assert!(done.unwrap_err().is_cancelled());
        let own = scheduler
            .task()
            .backing(Backing::Thread)
            .spawn(|| 7)
            .unwrap();
        assert!(own.task().wait_for(Duration::ZERO).unwrap());
        assert!(own.join().unwrap_err().is_cancelled());
        let stats = scheduler.stats();
        assert_eq!((stats.live(), stats.ended), (0, 3));
    });
}

#[test]
fn spawns_during_it_run_or_are_cancelled_but_never_lost() {
    at_workers(|scheduler| {
        for round in 0..20_u64 {
            let scheduler = checked(scheduler.workers()).build().unwrap();
            let ran = Arc::new(AtomicUsize::new(0));
            let drops = Drops::new();
            let spawn_many = |scheduler: &Scheduler| {
                let mut ends = [0, 0];
                for _ in 0..200 {
                    let (ran, dropped) = (Arc::clone(&ran), drops.one());
                    let task = scheduler.spawn(move || {
                        ran.fetch_add(1, Ordering::SeqCst);
                        drop(dropped);
                    });
                    match task.join() {
                        Ok(()) => ends[0] += 1,
                        Err(error) if error.is_cancelled() => ends[1] += 1,
                        Err(error) => panic!("{error}"),
                    }
                }
                ends
            };
            std::thread::scope(|threads| {
                let spawners: Vec<_> = (0..2)
                    .map(|_| threads.spawn(|| spawn_many(&scheduler)))
                    .collect();
                // And from inside, where the spawner itself is told to end.
                let inside = drops.clone();
                let task: JoinHandle<()> = scheduler.spawn(move || {
                    loop {
                        let dropped = inside.one();
                        drop(spawn(move || drop(dropped)));
                        yield_now();
                    }
                });
                std::thread::sleep(Duration::from_micros(round * 50));
                scheduler.shutdown(LONG).unwrap();
                assert!(task.join().unwrap_err().is_cancelled());
                let mut ends = [0, 0];
                for spawner in spawners {
                    let [ok, cancelled] = spawner.join().unwrap();
                    ends = [ends[0] + ok, ends[1] + cancelled];
                }
                assert_eq!(ends[0] + ends[1], 400);
                assert_eq!(ran.load(Ordering::SeqCst), ends[0]);
                assert!(drops.count() >= 400, "every closure is dropped");
            });
            let stats = scheduler.stats();
            assert_eq!(stats.spawned, stats.ended);
        }
        scheduler.shutdown(LONG).unwrap();
    });
}

#[test]
fn dropping_the_last_handle_outside_ends_it() {
    at_workers(|scheduler| {
        let clone = scheduler.clone();
        let drops = Drops::new();
        let dropped = drops.one();
        let task = scheduler.spawn(move || {
            let _dropped = dropped;
            park();
        });
        until_waits(task.task(), WaitReason::Park);
        drop(scheduler);
        std::thread::sleep(Duration::from_millis(2));
        assert!(!task.is_finished(), "a clone is left");
        drop(clone);
        assert_eq!(drops.count(), 1);
        assert!(task.join().unwrap_err().is_cancelled());
    });
}

#[test]
fn dropping_the_last_handle_inside_ends_it_in_the_background() {
    at_workers(|scheduler| {
        for backing in [Backing::Fiber, Backing::Thread] {
            let drops = Drops::new();
            let (dropped, other) = (drops.one(), drops.one());
            let scheduler = checked(scheduler.workers()).build().unwrap();
            let parked = scheduler.spawn(move || {
                let _dropped = dropped;
                park();
            });
            until_waits(parked.task(), WaitReason::Park);
            let last = scheduler.clone();
            let (tell, told) = mpsc::channel();
            let (gone, went) = mpsc::channel();
            let task = scheduler.task().backing(backing).spawn(move || {
                let _dropped = other;
                went.recv().unwrap();
                drop(last);
                tell.send(Scheduler::current().is_none()).unwrap();
                // It ends like the others.
                park();
            });
            drop(scheduler);
            gone.send(()).unwrap();
            assert!(told.recv_timeout(LONG).unwrap(), "nobody can get a handle");
            assert!(parked.join().unwrap_err().is_cancelled());
            assert!(task.unwrap().join().unwrap_err().is_cancelled());
            assert_eq!(drops.count(), 2);
        }
        scheduler.shutdown(LONG).unwrap();
    });
}

#[test]
fn a_result_may_be_taken_long_after() {
    at_workers(|scheduler| {
        let drops = Drops::new();
        let (taken, dropped) = (drops.one(), drops.one());
        let (first, second) = (scheduler.spawn(|| taken), scheduler.spawn(|| dropped));
        first.task().wait().unwrap();
        second.task().wait().unwrap();
        scheduler.shutdown(LONG).unwrap();
        drop(scheduler);
        assert_eq!(drops.count(), 0);
        drop(first.join().unwrap());
        assert_eq!(drops.count(), 1);
        drop(second);
        assert_eq!(drops.count(), 2);
    });
}

#[test]
fn everything_may_be_called_after_it() {
    at_workers(|scheduler| {
        let task = scheduler.spawn(park);
        let reference = task.task().clone();
        let workers = scheduler.workers();
        scheduler.shutdown(LONG).unwrap();
        assert_eq!(scheduler.workers(), workers);
        scheduler.set_quantum(Duration::from_millis(1));
        assert_eq!(scheduler.stats().live(), 0);
        assert!(format!("{scheduler:?}").contains("workers"));
        reference.unpark();
        reference.alert();
        reference.cancel();
        reference.abort();
        reference.set_priority(fiberhost::scheduler::Priority::High);
        assert!(reference.is_finished());
        reference.wait().unwrap();
        drop(scheduler);
        assert!(task.join().unwrap_err().is_cancelled());
        reference.wait().unwrap();
        assert!(reference.id() > 0);
    });
}

#[test]
fn a_wait_for_a_task_ends_with_its_scheduler() {
    at_workers(|scheduler| {
        let other = checked(1).build().unwrap();
        let task = scheduler.spawn(park);
        let (waiting, joined) = (task.task().clone(), task);
        let waiter = other.spawn(move || waiting.wait());
        until_waits(waiter.task(), WaitReason::Join);
        std::thread::scope(|threads| {
            let plain = threads.spawn(|| joined.join());
            std::thread::sleep(Duration::from_millis(2));
            scheduler.shutdown(LONG).unwrap();
            assert!(plain.join().unwrap().unwrap_err().is_cancelled());
        });
        waiter.join().unwrap().unwrap();
        other.shutdown(LONG).unwrap();
    });
}

#[test]
fn destructors_may_still_wait_and_spawn() {
    at_workers(|scheduler| {
        let event = Arc::new(ManualResetEvent::new(false));
        let log = Arc::new(Mutex::new(Vec::new()));
        let (wait, noted) = (Arc::clone(&event), Arc::clone(&log));
        let task = scheduler.spawn(move || {
            let _last = OnDrop(|| {
                let refused = spawn(|| 1).join();
                noted
                    .lock()
                    .unwrap()
                    .push(format!("{:?}", refused.is_err()));
                let wake = wait.wait();
                noted.lock().unwrap().push(format!("{wake:?}"));
            });
            park();
        });
        until_waits(task.task(), WaitReason::Park);
        std::thread::scope(|threads| {
            let shutdown = threads.spawn(|| scheduler.shutdown(LONG));
            eventually("the destructor waits", || log.lock().unwrap().len() == 1);
            std::thread::sleep(Duration::from_millis(2));
            assert!(!shutdown.is_finished());
            event.set();
            shutdown.join().unwrap().unwrap();
        });
        assert_eq!(*log.lock().unwrap(), ["true", "Signalled"]);
        assert!(task.join().unwrap_err().is_cancelled());
    });
}

#[test]
fn a_task_that_ends_just_then_is_no_trouble() {
    at_workers(|scheduler| {
        for round in 0..60_u32 {
            let scheduler = checked(scheduler.workers()).build().unwrap();
            for _ in 0..round {
                drop(scheduler.spawn(|| {
                    yield_now();
                    assert_ne!(park_for(Duration::from_micros(10)), Wake::Alerted);
                }));
            }
            scheduler.shutdown(LONG).unwrap();
            let stats = scheduler.stats();
            assert_eq!(stats.spawned, stats.ended);
        }
        scheduler.shutdown(LONG).unwrap();
    });
}

#[test]
fn an_innocent_scheduler_is_not_touched() {
    // Records pass from one scheduler to the other all the time; an abort must not follow them.
    let _watchdog = Watchdog::new("an_innocent_scheduler_is_not_touched".into());
    let innocent = checked(2).build().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let quit = Arc::clone(&stop);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !quit.load(Ordering::SeqCst) {
                let tasks: Vec<_> = (0..50)
                    .map(|_| {
                        innocent.spawn(|| {
                            let ends = [
                                park_for(Duration::from_micros(20)),
                                sleep(Duration::from_micros(20)),
                            ];
                            assert_eq!(ends, [Wake::TimedOut; 2]);
                        })
                    })
                    .collect();
                for task in tasks {
                    task.join().expect("nobody has aborted it");
                }
            }
        });
        for _ in 0..150 {
            let other = checked(2).build().unwrap();
            for _ in 0..50 {
                drop(other.spawn(|| _ = park_for(Duration::from_micros(20))));
            }
            other.shutdown(LONG).unwrap();
        }
        stop.store(true, Ordering::SeqCst);
    });
    innocent.shutdown(LONG).unwrap();
}

/// The shutdown looks at all records of the process, and keeps each while it does. Those of threads that are no tasks are
/// given back meanwhile, by the thread and by others at once, and taken again for tasks.
#[test]
fn records_of_threads_come_and_go_while_schedulers_end() {
    let _watchdog = Watchdog::new("the end of threads".into());
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let (send, receive) = mpsc::channel();
                    let threads = [(); 8].map(|()| {
                        let send = send.clone();
                        std::thread::spawn(move || {
                            send.send(current()).expect("it is waited for");
                        })
                    });
                    // Given back while the threads end.
                    receive.iter().take(threads.len()).for_each(drop);
                    for thread in threads {
                        thread.join().expect("no panic");
                    }
                }
            });
        }
        for _ in 0..300 {
            let scheduler = checked(2).build().unwrap();
            let tasks: Vec<_> = (0..100).map(|at| scheduler.spawn(move || at)).collect();
            for (at, task) in tasks.into_iter().enumerate() {
                assert_eq!(task.join().unwrap(), at);
            }
            scheduler.shutdown(LONG).unwrap();
        }
        over.store(true, Ordering::Relaxed);
    });
}
