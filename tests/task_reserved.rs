//! Threads that are kept for bound tasks: only those run there, and they wait behind nobody else's callback.
//!
//! What is about who shares a thread with whom is on fibers only: a task on a thread of its own shares it with nobody.

mod common;

use std::collections::HashSet;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use common::{
    BACKINGS, Drops, LONG, OnDrop, SHORT, checked, eventually, expect_panics, os_thread,
    until_waits, with, with_on_fibers,
};
use fiberhost::scheduler::native::{self, Target};
use fiberhost::scheduler::sync::{AutoResetEvent, ManualResetEvent, Mutex};
use fiberhost::scheduler::{
    Admission, Backing, Blocker, JoinHandle, JoinSet, Scheduler, WaitReason, Wake, current, park,
    scope, sleep, spawn, yield_now,
};

static BELOW: Target = Target::new("code that calls back");

/// Runs a test with few and many threads of each kind.
#[track_caller]
fn at_sizes(test: impl Fn(&Scheduler)) {
    for (workers, bound) in [(1, 1), (2, 1), (1, 3), (4, 2)] {
        with_on_fibers(checked(workers).bound_workers(bound), |scheduler| {
            assert_eq!(scheduler.workers(), workers);
            assert_eq!(scheduler.bound_workers(), bound);
            test(scheduler);
        });
    }
}

fn reserved<T: Send + 'static>(
    scheduler: &Scheduler,
    work: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    scheduler.task().reserved().spawn(work).unwrap()
}

/// Waits inside a callback, where it sleeps with its thread.
fn wait_in_callback(event: &ManualResetEvent) {
    let wake = native::section(&BELOW, || native::callback(|| event.wait()));
    assert_eq!(wake, Wake::Signalled);
}

#[test]
fn they_wait_behind_nobody_elses_callback() {
    at_sizes(|scheduler| {
        let workers = scheduler.workers();
        let release = Arc::new(ManualResetEvent::new(false));
        // More threads than slots, each with a task that sleeps with it.
        let pairs: Vec<_> = (0..2 * workers)
            .map(|_| {
                let release = Arc::clone(&release);
                let (sender, receiver) = mpsc::channel();
                let owner = scheduler.spawn(move || {
                    sender.send(os_thread()).unwrap();
                    wait_in_callback(&release);
                });
                (owner, receiver.recv().unwrap())
            })
            .collect();
        eventually("all sleep with their threads", || {
            scheduler.stats().owner_sleeps >= 2 * workers as u64
        });
        let steps = Arc::new(AtomicUsize::new(0));
        let counts = Arc::clone(&steps);
        let (ping, pong) = (
            Arc::new(AutoResetEvent::new(false)),
            Arc::new(AutoResetEvent::new(false)),
        );
        let (mine, answer) = (Arc::clone(&ping), Arc::clone(&pong));
        let task = reserved(scheduler, move || {
            for _ in 0..200 {
                assert_eq!(mine.wait(), Wake::Signalled);
                yield_now();
                counts.fetch_add(1, Ordering::SeqCst);
                answer.set();
            }
            os_thread()
        });
        for step in 1..=200 {
            ping.set();
            assert_eq!(pong.wait_for(LONG), Wake::Signalled);
            assert_eq!(steps.load(Ordering::SeqCst), step);
        }
        let home = task.join().unwrap();
        assert!(pairs.iter().all(|(_, thread)| *thread != home));
        release.set();
        for (owner, _) in pairs {
            owner.join().unwrap();
        }
        assert_eq!(scheduler.stats().reserved_owner_sleeps, 0);
    });
}

/// The twin of that: a bound task that is not reserved does wait behind it.
#[test]
fn others_wait_behind_a_callback_on_their_thread() {
    with_on_fibers(checked(1).bound_workers(1), |scheduler| {
        let release = Arc::new(ManualResetEvent::new(false));
        let sleeps = Arc::clone(&release);
        let (waiter, owner) = scheduler.run(move || {
            let waiter = spawn(park);
            until_waits(waiter.task(), WaitReason::Park);
            (waiter, spawn(move || wait_in_callback(&sleeps)))
        });
        until_waits(owner.task(), WaitReason::Event);
        eventually("it sleeps with its thread", || {
            scheduler.stats().owner_sleeps == 1
        });
        waiter.task().unpark();
        std::thread::sleep(SHORT);
        assert!(!waiter.is_finished());
        release.set();
        waiter.join().unwrap();
        owner.join().unwrap();
    });
}

/// Of the reserved tasks themselves only those wait that have started on the same thread; that is counted.
#[test]
fn a_callback_of_a_reserved_task_keeps_the_others_running() {
    at_sizes(|scheduler| {
        let release = Arc::new(ManualResetEvent::new(false));
        for (round, owns) in [true, false].into_iter().enumerate() {
            let sleeps = Arc::clone(&release);
            let owner = reserved(scheduler, move || {
                if owns {
                    let _own = native::own();
                    assert_eq!(sleeps.wait(), Wake::Signalled);
                } else {
                    wait_in_callback(&sleeps);
                }
            });
            eventually("it sleeps with its thread", || {
                scheduler.stats().reserved_owner_sleeps == round as u64 + 1
            });
            for _ in 0..10 {
                reserved(scheduler, || sleep(Duration::from_micros(10)))
                    .join()
                    .unwrap();
            }
            release.set();
            owner.join().unwrap();
            release.reset();
        }
    });
}

#[test]
fn nobody_else_runs_there() {
    at_sizes(|scheduler| {
        let others = |scheduler: &Scheduler| {
            let mut tasks: Vec<_> = (0..50)
                .map(|_| {
                    scheduler.spawn(|| {
                        yield_now();
                        os_thread()
                    })
                })
                .collect();
            tasks.extend((0..50).map(|_| {
                let work = || {
                    for _ in 0..5 {
                        yield_now();
                    }
                    os_thread()
                };
                // SAFETY: nothing of the thread is kept across a wait.
                unsafe { scheduler.task().spawn_mobile(work) }.unwrap()
            }));
            tasks
        };
        let tasks: Vec<_> = (0..100)
            .map(|_| {
                let work = move || {
                    let home = os_thread();
                    // What it spawns in any way is not reserved.
                    let mut children = vec![spawn(os_thread).join().unwrap()];
                    children.push(scope(|scope| scope.spawn(os_thread).join().unwrap()));
                    let mut set = JoinSet::new();
                    set.spawn(os_thread);
                    children.push(set.join_next().unwrap().unwrap());
                    let mine = Scheduler::current().unwrap();
                    children.push(mine.run(os_thread));
                    assert_eq!(os_thread(), home, "it is bound");
                    let again = mine.task().reserved().spawn(os_thread).unwrap();
                    (vec![home, again.join().unwrap()], children)
                };
                // SAFETY: it is bound after all.
                unsafe { scheduler.task().reserved().spawn_mobile(work) }.unwrap()
            })
            .collect();
        let mut elsewhere: HashSet<_> = others(scheduler)
            .into_iter()
            .map(|task| task.join().unwrap())
            .collect();
        let mut here = HashSet::new();
        for task in tasks {
            let (mine, children) = task.join().unwrap();
            here.extend(mine);
            elsewhere.extend(children);
        }
        assert!(here.is_disjoint(&elsewhere), "{here:?} {elsewhere:?}");
    });
}

#[test]
fn results_panics_and_threads_of_their_own() {
    expect_panics();
    at_sizes(|scheduler| {
        for backing in [Backing::Fiber, Backing::Thread] {
            let task = || scheduler.task().reserved().backing(backing).name("kept");
            let named = task().spawn(|| current().name().unwrap()).unwrap();
            assert_eq!(&*named.join().unwrap(), "kept");
            let panics = task().spawn(|| panic!("expected")).unwrap();
            let error: fiberhost::scheduler::JoinError = panics.join().unwrap_err();
            assert!(error.is_panic());
            let parks = task().spawn(park).unwrap();
            until_waits(parks.task(), WaitReason::Park);
            parks.abort();
            assert!(parks.join().unwrap_err().is_cancelled());
        }
    });
}

#[test]
fn one_limit_on_live_tasks_for_all() {
    let builder = checked(1).bound_workers(1).max_tasks(2);
    with(builder, |scheduler| {
        let tasks = [scheduler.spawn(park), reserved(scheduler, park)];
        assert_eq!(scheduler.stats().live(), 2);
        assert!(scheduler.task().spawn(|| ()).unwrap_err().is_limit());
        let refused = scheduler.task().reserved().spawn(|| ());
        assert!(refused.unwrap_err().is_limit());
        for task in tasks {
            task.task().unpark();
            task.join().unwrap();
        }
    });
    let waits = checked(1).bound_workers(1).max_tasks(2);
    with(waits.admission(Admission::Wait), |scheduler| {
        let parked = reserved(scheduler, park);
        let outer = scheduler.spawn(|| {
            let task = Scheduler::current().unwrap().task().reserved();
            task.spawn(|| 3).unwrap().join().unwrap()
        });
        until_waits(outer.task(), WaitReason::Admission);
        parked.task().unpark();
        parked.join().unwrap();
        assert_eq!(outer.join().unwrap(), 3);
    });
}

#[test]
fn a_circle_through_both_kinds_of_threads_is_refused() {
    with_on_fibers(checked(1).bound_workers(1), |scheduler| {
        scheduler.run(|| {
            let bound = spawn(park);
            until_waits(bound.task(), WaitReason::Park);
            let target = bound.task().clone();
            let between = reserved(&Scheduler::current().unwrap(), move || target.wait());
            until_waits(between.task(), WaitReason::Join);
            // Its reason is a moment earlier than its wait.
            sleep(SHORT);
            let error = native::section(&BELOW, || native::callback(|| between.task().wait()))
                .expect_err("it could never end");
            let circle = error.deadlock().expect("it names the circle");
            let seen: Vec<_> = circle
                .tasks()
                .iter()
                .map(|(task, why)| (task.id(), *why))
                .collect();
            assert_eq!(
                seen,
                [
                    (current().id(), Blocker::Join),
                    (between.task().id(), Blocker::Join),
                    (bound.task().id(), Blocker::Thread),
                ]
            );
            bound.task().unpark();
            bound.join().unwrap();
            between.join().unwrap().unwrap();
        });
        // Seen from a reserved thread, on which both have started.
        let refused = reserved(scheduler, || {
            let other = reserved(&Scheduler::current().unwrap(), park);
            until_waits(other.task(), WaitReason::Park);
            let wait = || native::callback(|| other.task().wait());
            let refused = native::section(&BELOW, wait).is_err_and(|error| error.is_deadlock());
            other.task().unpark();
            other.join().unwrap();
            refused
        });
        assert!(refused.join().unwrap());
    });
}

#[test]
fn one_shutdown_for_all() {
    for (bound, backing) in [1, 2]
        .into_iter()
        .flat_map(|bound| BACKINGS.map(|it| (bound, it)))
    {
        let builder = checked(1).bound_workers(bound).default_backing(backing);
        let scheduler = builder.build().unwrap();
        let drops = Drops::new();
        let tasks: Vec<_> = (0..20)
            .map(|number| {
                let dropped = drops.one();
                let task = scheduler.task();
                let task = if number % 2 == 0 {
                    task.reserved()
                } else {
                    task
                };
                let parks = move || {
                    let _dropped = dropped;
                    park();
                };
                task.spawn(parks).unwrap()
            })
            .collect();
        // A task that cannot be aborted as long as one on the other side has the lock.
        let lock = Arc::new(Mutex::new(()));
        let held = Arc::clone(&lock);
        let holder = reserved(&scheduler, move || {
            let _held = held.lock();
            park();
        });
        until_waits(holder.task(), WaitReason::Park);
        let waits = scheduler.spawn(move || drop(lock.lock()));
        until_waits(waits.task(), WaitReason::Mutex);
        let inside = scheduler.clone();
        let error = reserved(&scheduler, move || inside.shutdown(LONG)).join();
        assert!(error.unwrap().unwrap_err().is_from_inside());
        scheduler.shutdown(LONG).unwrap();
        assert_eq!(drops.count(), 20);
        for task in tasks {
            assert!(task.join().unwrap_err().is_cancelled());
        }
        assert_eq!(scheduler.stats().live(), 0);
        assert_eq!(scheduler.stats().threads, 0);
        let late = reserved(&scheduler, || ());
        assert!(late.join().unwrap_err().is_cancelled());
    }
}

#[test]
fn survivors_of_both_kinds_are_named() {
    let scheduler = checked(1).bound_workers(1).build().unwrap();
    let (senders, stuck): (Vec<_>, Vec<_>) = [false, true]
        .into_iter()
        .map(|is_reserved| {
            let (sender, receiver) = mpsc::channel::<()>();
            let (tell, started) = mpsc::channel();
            let work = move || {
                tell.send(()).unwrap();
                receiver.recv().unwrap();
            };
            let task = scheduler.task();
            let task = if is_reserved { task.reserved() } else { task };
            let task = task.spawn(work).unwrap();
            started.recv().unwrap();
            (sender, task)
        })
        .unzip();
    let error = scheduler.shutdown(SHORT).unwrap_err();
    let ids: HashSet<_> = error.survivors().iter().map(|task| task.id()).collect();
    assert_eq!(
        ids,
        stuck.iter().map(|task| task.task().id()).collect(),
        "{error}"
    );
    for sender in senders {
        sender.send(()).unwrap();
    }
    for task in stuck {
        task.join().unwrap();
    }
    scheduler.shutdown(LONG).unwrap();
    assert_eq!(scheduler.stats().threads, 0);
}

#[test]
fn the_last_handle_may_go_in_a_reserved_task() {
    let (sender, over) = mpsc::channel();
    let scheduler = checked(1).bound_workers(1).build().unwrap();
    let last = scheduler.clone();
    let task = reserved(&scheduler, move || {
        let _over = OnDrop(move || sender.send(()).unwrap());
        let last = last;
        park();
        drop(last);
        park();
    });
    until_waits(task.task(), WaitReason::Park);
    drop(scheduler);
    task.task().unpark();
    over.recv_timeout(LONG).expect("the shutdown aborts it");
    assert!(task.join().unwrap_err().is_cancelled());
}

#[test]
fn bad_input() {
    let error = Scheduler::builder().bound_workers(1025).build();
    assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidInput);
    let none = checked(1).emergency_lane(true);
    with(none, |scheduler| {
        assert_eq!(scheduler.bound_workers(), 0);
        let lane = scheduler.emergency_lane().unwrap();
        for scheduler in [scheduler, &lane] {
            let drops = Drops::new();
            let dropped = drops.one();
            let error = scheduler.task().reserved().spawn(move || drop(dropped));
            assert!(error.unwrap_err().is_no_reservation());
            assert_eq!(drops.count(), 1);
        }
    });
    // The lane of a scheduler with such threads has none itself.
    with(checked(1).bound_workers(2).emergency_lane(true), |it| {
        assert_eq!(it.emergency_lane().unwrap().bound_workers(), 0);
    });
}
