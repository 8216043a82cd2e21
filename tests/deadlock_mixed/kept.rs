//! Circles through a task that has what another one wants, waits for nobody, and is kept from its thread by somebody who waits
//! in a callback there.
//!
//! On fibers: no two tasks share a thread otherwise. With one worker, who is to be on the caller's thread is there; what it
//! spawns while it sleeps with its thread starts on another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fiberhost::scheduler::native;
use fiberhost::scheduler::sync::{AutoResetEvent, Mutex, RwLock};
use fiberhost::scheduler::{
    Backing, Blocker, Deadlock, JoinHandle, TaskRef, WaitReason, current, park, spawn, yield_now,
};

use super::common::{checked, eventually, until_waits, with_on_fibers};
use super::{BELOW, members};

fn told<T>(locked: Result<T, Deadlock>) -> Result<(), Vec<(u64, Blocker)>> {
    locked.map(drop).map_err(|circle| members(&circle))
}

/// Called back from native code: nobody else runs on the caller's thread.
fn called_back<R>(work: impl FnOnce() -> R) -> R {
    native::section(&BELOW, || native::callback(work))
}

/// A task that has started on the caller's thread, has something, and parks.
fn parked_with(has: impl FnOnce(&dyn Fn()) + Send + 'static) -> JoinHandle<()> {
    let there = Arc::new(AutoResetEvent::new(false));
    let tells = Arc::clone(&there);
    let task = spawn(move || {
        has(&|| {
            tells.set();
            park();
        });
    });
    there.wait();
    task
}

fn parked_with_mutex(lock: &Arc<Mutex<()>>) -> JoinHandle<()> {
    let its = Arc::clone(lock);
    parked_with(move |wait| {
        let guard = its.lock();
        wait();
        drop(guard);
    })
}

fn goes_on(task: JoinHandle<()>) {
    task.task().unpark();
    task.join().unwrap();
}

/// A callback joins who then wants a mutex of a task of that thread: that wait is refused, and the circle has all three.
#[test]
fn a_mutex_of_who_is_kept_from_its_thread() {
    with_on_fibers(checked(1), |scheduler| {
        scheduler.run(|| {
            let lock = Arc::new(Mutex::new(()));
            let owner = parked_with_mutex(&lock);
            let (me, its) = (current().id(), owner.task().id());
            called_back(|| {
                let wants = spawn(move || told(lock.lock_or_deadlock()));
                let id = wants.task().id();
                let locked = wants.join().expect("its wait is broken, not this one");
                assert_eq!(
                    locked,
                    Err(vec![
                        (id, Blocker::Lock),
                        (its, Blocker::Thread),
                        (me, Blocker::Join)
                    ])
                );
            });
            goes_on(owner);
        });
    });
}

/// The same if the join began after the other one had started, and if that one's wait cannot be refused: the join is broken.
#[test]
fn a_join_in_a_callback_is_broken_for_a_mutex_of_who_is_kept() {
    with_on_fibers(checked(1), |scheduler| {
        scheduler.run(|| {
            for started in [false, true] {
                let lock = Arc::new(Mutex::new(()));
                let owner = parked_with_mutex(&lock);
                let (me, its) = (current().id(), owner.task().id());
                let wants = called_back(|| {
                    let begun = Arc::new(AtomicBool::new(false));
                    let (begins, joiner) = (Arc::clone(&begun), current());
                    let wants = spawn(move || {
                        begins.store(true, Ordering::Release);
                        until_waits(&joiner, WaitReason::Join);
                        drop(lock.lock());
                    });
                    if started {
                        // Its thread is not this one.
                        eventually("it has started", || begun.load(Ordering::Acquire));
                    }
                    let error = wants.task().wait().expect_err("it could never end");
                    let circle = error.deadlock().expect("it names the circle");
                    assert_eq!(
                        members(circle),
                        [
                            (wants.task().id(), Blocker::Lock),
                            (its, Blocker::Thread),
                            (me, Blocker::Join)
                        ]
                    );
                    assert_eq!(circle.victim().map(TaskRef::id), Some(me));
                    wants
                });
                goes_on(owner);
                wants.join().unwrap();
            }
        });
    });
}

/// Behind another one's wait for that mutex.
#[test]
fn a_mutex_of_who_waits_for_one_of_who_is_kept() {
    with_on_fibers(checked(1), |scheduler| {
        scheduler.run(|| {
            let locks = Arc::new((Mutex::new(()), Arc::new(Mutex::new(()))));
            let owner = parked_with_mutex(&locks.1);
            let its = owner.task().id();
            let between = called_back(|| {
                let both = Arc::clone(&locks);
                let between = spawn(move || {
                    let first = both.0.lock();
                    drop(both.1.lock());
                    drop(first);
                });
                until_waits(between.task(), WaitReason::Mutex);
                let first = Arc::clone(&locks);
                let wants = spawn(move || told(first.0.lock_or_deadlock()));
                let id = wants.task().id();
                assert_eq!(
                    wants.join().unwrap(),
                    Err(vec![
                        (id, Blocker::Lock),
                        (between.task().id(), Blocker::Lock),
                        (its, Blocker::Thread),
                        (current().id(), Blocker::Join)
                    ])
                );
                between
            });
            goes_on(owner);
            between.join().unwrap();
        });
    });
}

/// Who is kept reads, and the other one wants to write.
#[test]
fn a_read_write_lock_of_who_is_kept_from_its_thread() {
    with_on_fibers(checked(1), |scheduler| {
        scheduler.run(|| {
            let lock = Arc::new(RwLock::new(()));
            let its = Arc::clone(&lock);
            let reader = parked_with(move |wait| {
                let guard = its.read();
                wait();
                drop(guard);
            });
            called_back(|| {
                let wants = spawn(move || told(lock.write_or_deadlock()));
                let id = wants.task().id();
                assert_eq!(
                    wants.join().unwrap(),
                    Err(vec![
                        (id, Blocker::RwLock),
                        (reader.task().id(), Blocker::Thread),
                        (current().id(), Blocker::Join)
                    ])
                );
            });
            goes_on(reader);
        });
    });
}

/// The owner is on a thread of its own, and joined who is kept before that one had started.
#[test]
fn a_mutex_of_who_joins_one_who_is_kept() {
    with_on_fibers(checked(1), |scheduler| {
        let own = scheduler.clone();
        scheduler.run(move || {
            let lock = Arc::new(Mutex::new(()));
            let kept = Arc::new(std::sync::Mutex::new(None));
            let (its, names) = (Arc::clone(&lock), Arc::clone(&kept));
            let owner = own
                .task()
                .backing(Backing::Thread)
                .spawn(move || {
                    let guard = its.lock();
                    let task = spawn(park);
                    *names.lock().unwrap() = Some(task.task().clone());
                    task.join().unwrap();
                    drop(guard);
                })
                .expect("a thread");
            // It starts here, when it is joined.
            until_waits(owner.task(), WaitReason::Join);
            let name = || kept.lock().unwrap().clone();
            eventually("it waits on this thread", || {
                name().is_some_and(|task| task.wait_reason() == WaitReason::Park)
            });
            let kept = name().expect("it has started");
            called_back(|| {
                let wants = spawn(move || told(lock.lock_or_deadlock()));
                let id = wants.task().id();
                assert_eq!(
                    wants.join().unwrap(),
                    Err(vec![
                        (id, Blocker::Lock),
                        (owner.task().id(), Blocker::Join),
                        (kept.id(), Blocker::Thread),
                        (current().id(), Blocker::Join)
                    ])
                );
            });
            kept.unpark();
            owner.join().unwrap();
        });
    });
}

/// A plain thread has what the callback waits for, and wants what the kept one has.
#[test]
fn a_plain_thread_that_closes_such_a_circle() {
    with_on_fibers(checked(1), |scheduler| {
        scheduler.run(|| {
            let locks = Arc::new((Mutex::new(()), Arc::new(Mutex::new(()))));
            let owner = parked_with_mutex(&locks.1);
            let (its, both, me) = (owner.task().id(), Arc::clone(&locks), current());
            let (has, wait) = (Arc::new(AutoResetEvent::new(false)), current());
            let tells = Arc::clone(&has);
            let plain = std::thread::spawn(move || {
                let first = both.0.lock();
                tells.set();
                until_waits(&wait, WaitReason::Mutex);
                let told = told(both.1.lock_or_deadlock());
                drop(first);
                told
            });
            has.wait();
            called_back(|| drop(locks.0.lock()));
            let circle = plain.join().unwrap().expect_err("it could never end");
            assert_eq!(
                circle[1..],
                [(its, Blocker::Thread), (me.id(), Blocker::Lock)]
            );
            assert_eq!(circle[0].1, Blocker::Lock);
            goes_on(owner);
        });
    });
}

/// No circle: the callback waits for what comes without the other one, or not for ever, or for one who wants what no task of
/// that thread has.
#[test]
fn a_mutex_that_is_unlocked_later_is_in_no_circle() {
    with_on_fibers(checked(1), |scheduler| {
        scheduler.run(|| {
            let (lock, other) = (Arc::new(Mutex::new(())), Arc::new(Mutex::new(())));
            let owner = parked_with_mutex(&lock);
            let wants = called_back(|| {
                let its = Arc::clone(&lock);
                let wants = spawn(move || told(its.lock_or_deadlock()));
                until_waits(wants.task(), WaitReason::Mutex);
                let limit = Duration::from_millis(1);
                assert!(!wants.task().wait_for(limit).expect("no circle"));
                let apart = Arc::clone(&other);
                let ends = spawn(move || {
                    let guard = apart.lock();
                    let its = Arc::clone(&apart);
                    let last = spawn(move || told(its.lock_or_deadlock()));
                    until_waits(last.task(), WaitReason::Mutex);
                    yield_now();
                    drop(guard);
                    last.join().unwrap()
                });
                assert_eq!(ends.join().expect("no circle"), Ok(()));
                wants
            });
            goes_on(owner);
            assert_eq!(wants.join().unwrap(), Ok(()));
        });
    });
}
