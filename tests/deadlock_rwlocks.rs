//! Circles in which somebody waits for a read-write lock or for what is done once.

mod common;

use std::sync::Arc;

use common::{SHORT, at_workers, checked, eventually, until_waits, with_on_fibers};
use fiberhost::scheduler::native::{self, Target};
use fiberhost::scheduler::sync::{AutoResetEvent, Mutex, Once, OnceLock, RwLock};
use fiberhost::scheduler::{Blocker, Deadlock, JoinHandle, WaitReason, current, park, spawn};

static BELOW: Target = Target::new("code that calls back");

fn members(circle: &Deadlock) -> Vec<(u64, Blocker)> {
    let tasks = circle.tasks().iter();
    tasks.map(|(task, why)| (task.id(), *why)).collect()
}

/// A lock of each kind, and an event by which a task says that it has what it wants first.
struct Locks {
    mutex: Mutex<()>,
    rw: RwLock<()>,
    once: Once,
    ready: AutoResetEvent,
}

impl Locks {
    fn new() -> Arc<Locks> {
        Arc::new(Locks {
            mutex: Mutex::new(()),
            rw: RwLock::new(()),
            once: Once::new(),
            ready: AutoResetEvent::new(false),
        })
    }
}

/// How a task has the read-write lock.
#[derive(Clone, Copy)]
enum Way {
    Reads,
    Writes,
}

/// A task that has the read-write lock and waits for the mutex, which the caller has.
fn waits_for_the_mutex(locks: &Arc<Locks>, way: Way) -> JoinHandle<()> {
    let its = Arc::clone(locks);
    let task = spawn(move || {
        let _read = matches!(way, Way::Reads).then(|| its.rw.read());
        let _write = matches!(way, Way::Writes).then(|| its.rw.write());
        its.ready.set();
        drop(its.mutex.lock());
    });
    locks.ready.wait();
    until_waits(task.task(), WaitReason::Mutex);
    task
}

/// The wait was refused, since the task that waits for the mutex has the read-write lock.
#[track_caller]
fn assert_refused(refused: Result<(), Deadlock>, task: &JoinHandle<()>) {
    let circle = refused.expect_err("it could never end");
    let (me, id) = (current().id(), task.task().id());
    assert_eq!(
        members(&circle),
        [(me, Blocker::RwLock), (id, Blocker::Lock)]
    );
}

#[test]
fn a_writer_waits_for_a_reader_that_waits_for_its_mutex() {
    at_workers(|scheduler| {
        let locks = Locks::new();
        scheduler.run(move || {
            let mine = locks.mutex.lock();
            let reader = waits_for_the_mutex(&locks, Way::Reads);
            assert_refused(locks.rw.write_or_deadlock().map(drop), &reader);
            // Nothing was changed: others read still, and nobody waits.
            assert!(locks.rw.try_read().is_some() && locks.rw.waiters() == 0);
            drop(mine);
            reader.join().unwrap();
            drop(locks.rw.write_or_deadlock().expect("nobody reads"));
        });
    });
}

#[test]
fn a_reader_waits_for_a_writer_that_waits_for_its_mutex() {
    at_workers(|scheduler| {
        let locks = Locks::new();
        scheduler.run(move || {
            let mine = locks.mutex.lock();
            let writer = waits_for_the_mutex(&locks, Way::Writes);
            assert_refused(locks.rw.read_or_deadlock().map(drop), &writer);
            drop(mine);
            writer.join().unwrap();
            drop(locks.rw.read_or_deadlock().expect("nobody writes"));
        });
    });
}

/// The one of many readers that waits itself is in the circle, wherever it stands among them.
#[test]
fn one_reader_of_many_is_enough() {
    at_workers(|scheduler| {
        let locks = Locks::new();
        scheduler.run(move || {
            let mine = locks.mutex.lock();
            let readers: [_; 5] = std::array::from_fn(|at| {
                let its = Arc::clone(&locks);
                let reader = spawn(move || {
                    let _read = its.rw.read();
                    its.ready.set();
                    if at == 2 {
                        drop(its.mutex.lock());
                    } else {
                        park();
                    }
                });
                locks.ready.wait();
                reader
            });
            until_waits(readers[2].task(), WaitReason::Mutex);
            assert_refused(locks.rw.write_or_deadlock().map(drop), &readers[2]);
            drop(mine);
            for reader in readers {
                reader.task().unpark();
                reader.join().unwrap();
            }
        });
    });
}

/// The lock that a task reads is known, however many others it reads as well.
#[test]
fn a_reader_of_many_locks() {
    const LOCKS: usize = 100;
    at_workers(|scheduler| {
        let locks = Locks::new();
        let many: Arc<[RwLock<()>; LOCKS]> = Arc::new(std::array::from_fn(|_| RwLock::new(())));
        let (its, its_many) = (Arc::clone(&locks), Arc::clone(&many));
        scheduler.run(move || {
            let mine = locks.mutex.lock();
            let reader = spawn(move || {
                let _read = its_many.each_ref().map(RwLock::read);
                its.ready.set();
                drop(its.mutex.lock());
            });
            locks.ready.wait();
            until_waits(reader.task(), WaitReason::Mutex);
            for lock in &*many {
                assert_refused(lock.write_or_deadlock().map(drop), &reader);
            }
            drop(mine);
            reader.join().unwrap();
            assert!(many.iter().all(|lock| lock.try_write().is_some()));
        });
    });
}

/// Who reads, and reads again behind one who waits to write, waits for that one and so for itself.
#[test]
fn reading_again_behind_a_writer() {
    at_workers(|scheduler| {
        let locks = Locks::new();
        let its = Arc::clone(&locks);
        scheduler.run(move || {
            let mine = locks.rw.read();
            let writer = spawn(move || drop(its.rw.write()));
            eventually("a writer waits", || locks.rw.waiters() == 1);
            let refused = locks.rw.read_or_deadlock().map(drop);
            let circle = refused.expect_err("it could never end");
            let (me, id) = (current().id(), writer.task().id());
            assert_eq!(
                members(&circle),
                [(me, Blocker::Turn), (id, Blocker::RwLock)]
            );
            drop(mine);
            writer.join().unwrap();
        });
    });
}

/// Who waits to read waits for the readers that keep a writer waiting which came before.
#[test]
fn reading_behind_a_writer_behind_a_reader() {
    at_workers(|scheduler| {
        let locks = Locks::new();
        scheduler.run(move || {
            let mine = locks.mutex.lock();
            let reader = waits_for_the_mutex(&locks, Way::Reads);
            let its = Arc::clone(&locks);
            let writer = spawn(move || drop(its.rw.write()));
            eventually("a writer waits", || locks.rw.waiters() == 1);
            let refused = locks.rw.read_or_deadlock().map(drop);
            let circle = refused.expect_err("it could never end");
            let ids = [&writer, &reader].map(|task| task.task().id());
            assert_eq!(
                members(&circle),
                [
                    (current().id(), Blocker::Turn),
                    (ids[0], Blocker::RwLock),
                    (ids[1], Blocker::Lock)
                ]
            );
            drop(mine);
            reader.join().unwrap();
            writer.join().unwrap();
        });
    });
}

/// The same behind a writer that gives up: that one's wait ends by itself, so there is no circle.
#[test]
fn reading_again_behind_a_writer_that_gives_up_is_no_circle() {
    at_workers(|scheduler| {
        let locks = Locks::new();
        let its = Arc::clone(&locks);
        scheduler.run(move || {
            let mine = locks.rw.read();
            let writer = spawn(move || its.rw.try_write_for(SHORT).is_some());
            eventually("a writer waits, or has given up", || {
                locks.rw.waiters() == 1 || writer.is_finished()
            });
            drop(locks.rw.read_or_deadlock().expect("the writer gives up"));
            drop(mine);
            assert!(!writer.join().unwrap());
        });
    });
}

#[test]
fn what_the_caller_has_itself_is_a_circle_of_one() {
    at_workers(|scheduler| {
        scheduler.run(|| {
            let lock = RwLock::new(());
            let alone = [(current().id(), Blocker::RwLock)];
            let read = lock.read();
            let refused = lock.write_or_deadlock().map(drop);
            assert_eq!(members(&refused.expect_err("it reads")), alone);
            drop(read);
            let write = lock.write();
            let refused = lock.write_or_deadlock().map(drop);
            assert_eq!(members(&refused.expect_err("it writes")), alone);
            let refused = lock.read_or_deadlock().map(drop);
            assert_eq!(members(&refused.expect_err("it writes")), alone);
            drop(write);
            drop(lock.write_or_deadlock().expect("nobody has it"));
        });
    });
}

/// An initialiser wants a mutex of one who waits for its end.
#[test]
fn an_initialiser_that_waits_for_one_who_waits_for_it() {
    at_workers(|scheduler| {
        let locks = Locks::new();
        let its = Arc::clone(&locks);
        scheduler.run(move || {
            let waiter = spawn(move || {
                let _mine = its.mutex.lock();
                its.ready.set();
                park();
                its.once
                    .call_once(|| unreachable!("the other one has begun"));
            });
            locks.ready.wait();
            let id = waiter.task().id();
            let mut circle = None;
            locks.once.call_once(|| {
                waiter.task().unpark();
                until_waits(waiter.task(), WaitReason::Once);
                circle = locks.mutex.lock_or_deadlock().map(drop).err();
            });
            let circle = circle.expect("it could never end");
            assert_eq!(
                members(&circle),
                [(current().id(), Blocker::Lock), (id, Blocker::Once)]
            );
            waiter.join().unwrap();
        });
    });
}

/// The same, with a caller who can be told: the initialiser goes on, and its wait was never broken.
#[test]
fn who_waits_for_an_initialiser_that_waits_for_it_is_refused() {
    at_workers(|scheduler| {
        let locks = Locks::new();
        let its = Arc::clone(&locks);
        scheduler.run(move || {
            let mine = locks.mutex.lock();
            let initialises = spawn(move || {
                its.once.call_once(|| {
                    its.ready.set();
                    drop(its.mutex.lock());
                });
            });
            locks.ready.wait();
            until_waits(initialises.task(), WaitReason::Mutex);
            let never = || unreachable!("the other one has begun");
            let circle = locks.once.call_once_or_deadlock(never);
            let id = initialises.task().id();
            assert_eq!(
                members(&circle.expect_err("it could never end")),
                [(current().id(), Blocker::Once), (id, Blocker::Lock)]
            );
            drop(mine);
            initialises.join().unwrap();
            locks
                .once
                .call_once_or_deadlock(never)
                .expect("it was done");
        });
    });
}

/// A wait for an initialiser is broken later, by who closes the circle and cannot be told: the least urgent one's is.
#[test]
fn a_wait_for_an_initialiser_is_broken_by_who_closes_the_circle() {
    at_workers(|scheduler| {
        let locks = Locks::new();
        let its = Arc::clone(&locks);
        scheduler.run(move || {
            let waiter = spawn(move || {
                let _mine = its.mutex.lock();
                its.ready.set();
                park();
                its.once
                    .call_once_or_deadlock(|| unreachable!("the other one has begun"))
            });
            locks.ready.wait();
            let (me, id) = (current().id(), waiter.task().id());
            locks.once.call_once(|| {
                waiter.task().unpark();
                until_waits(waiter.task(), WaitReason::Once);
                drop(locks.mutex.lock());
            });
            let circle = waiter.join().unwrap().expect_err("it was broken");
            assert_eq!(members(&circle), [(me, Blocker::Lock), (id, Blocker::Once)]);
            assert_eq!(circle.victim().map(|task| task.id()), Some(id));
        });
    });
}

/// A task whose initialiser waits for itself is told so, and the initialiser may go on.
#[test]
fn an_initialiser_that_waits_for_itself() {
    at_workers(|scheduler| {
        scheduler.run(|| {
            let (once, cell) = (Once::new(), OnceLock::new());
            let alone = [(current().id(), Blocker::Once)];
            once.call_once(|| {
                let circle = once.call_once_or_deadlock(|| unreachable!("one has begun"));
                assert_eq!(members(&circle.expect_err("it runs it")), alone);
            });
            let value = cell.get_or_init_or_deadlock(|| {
                let circle = cell.get_or_init_or_deadlock(|| unreachable!("one has begun"));
                assert_eq!(members(&circle.expect_err("it makes it")), alone);
                3
            });
            assert_eq!(value.expect("nobody else is there"), &3);
            assert!(once.is_completed());
        });
    });
}

/// A callback wants to write what a task reads that has started on the same thread and cannot run there meanwhile. On fibers:
/// no two tasks share a thread otherwise.
#[test]
fn a_callback_that_writes_what_a_task_of_its_own_thread_reads() {
    with_on_fibers(checked(1), |scheduler| {
        let locks = Locks::new();
        let its = Arc::clone(&locks);
        scheduler.run(move || {
            let reader = spawn(move || {
                let _read = its.rw.read();
                its.ready.set();
                park();
            });
            locks.ready.wait();
            let id = reader.task().id();
            let refused = native::section(&BELOW, || {
                native::callback(|| locks.rw.write_or_deadlock().map(drop))
            });
            assert_eq!(
                members(&refused.expect_err("it could never end")),
                [(current().id(), Blocker::RwLock), (id, Blocker::Thread)]
            );
            reader.task().unpark();
            drop(locks.rw.write_or_deadlock().expect("the reader ends soon"));
            reader.join().unwrap();
        });
    });
}
