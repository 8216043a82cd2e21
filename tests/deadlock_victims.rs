//! Which wait of a circle is broken, and who is told of it.

mod common;

use std::sync::Arc;

use common::{at_workers, checked, eventually, expect_panics, until_waits, with};
use fiberhost::scheduler::sync::{AutoResetEvent, Barrier, Mutex, Once, RwLock};
use fiberhost::scheduler::{
    Blocker, Builder, Deadlock, JoinHandle, Priority, Scheduler, TaskRef, WaitReason, current,
};

/// What two tasks lock.
struct Pair {
    first: Mutex<()>,
    second: Mutex<()>,
    rw: RwLock<()>,
    ready: AutoResetEvent,
    go: AutoResetEvent,
}

impl Pair {
    fn new() -> Arc<Pair> {
        Arc::new(Pair {
            first: Mutex::new(()),
            second: Mutex::new(()),
            rw: RwLock::new(()),
            ready: AutoResetEvent::new(false),
            go: AutoResetEvent::new(false),
        })
    }
}

/// A task that has `first` and waits for what it then locks; `true` if that wait was broken for it.
fn waiter(
    scheduler: &Scheduler,
    pair: &Arc<Pair>,
    priority: Priority,
    lock: impl FnOnce(&Pair) -> Result<(), Deadlock> + Send + 'static,
) -> JoinHandle<bool> {
    let pair = Arc::clone(pair);
    let task = scheduler.task().priority(priority).name("waiter");
    let waits = move || {
        let _mine = pair.first.lock();
        pair.ready.set();
        pair.go.wait();
        match lock(&pair) {
            Ok(()) => false,
            Err(circle) => {
                let victim = circle.victim().expect("one was broken");
                assert_eq!(victim.id(), current().id(), "{circle}");
                true
            }
        }
    };
    task.spawn(waits).expect("a task")
}

/// A task that has `second` (or writes) and closes the circle when the other one waits.
fn closer<T: Send + 'static>(
    scheduler: &Scheduler,
    pair: &Arc<Pair>,
    (other, reason): (&TaskRef, WaitReason),
    close: impl FnOnce(&Pair) -> T + Send + 'static,
) -> T {
    let (pair, other) = (Arc::clone(pair), other.clone());
    scheduler.run(move || {
        pair.ready.wait();
        let _second = pair.second.lock();
        let _write = pair.rw.write();
        pair.go.set();
        until_waits(&other, reason);
        close(&pair)
    })
}

#[test]
fn a_wait_that_cannot_be_refused_breaks_one_that_can() {
    at_workers(|scheduler| {
        let pair = Pair::new();
        let lock = |pair: &Pair| pair.second.lock_or_deadlock().map(drop);
        let waiter = waiter(scheduler, &pair, Priority::Normal, lock);
        let other = (waiter.task(), WaitReason::Mutex);
        closer(scheduler, &pair, other, |pair| drop(pair.first.lock()));
        assert!(waiter.join().unwrap());
    });
}

#[test]
fn waits_for_read_write_locks_are_broken_too() {
    at_workers(|scheduler| {
        for reads in [true, false] {
            let pair = Pair::new();
            let lock = move |pair: &Pair| match reads {
                true => pair.rw.read_or_deadlock().map(drop),
                false => pair.rw.write_or_deadlock().map(drop),
            };
            let waiter = waiter(scheduler, &pair, Priority::Normal, lock);
            let reason = match reads {
                true => WaitReason::RwLockRead,
                false => WaitReason::RwLockWrite,
            };
            closer(scheduler, &pair, (waiter.task(), reason), |pair| {
                // Its reason is a moment early: once it stands in the queue it stands in the table.
                eventually("it waits", || pair.rw.waiters() == 1);
                drop(pair.first.lock());
            });
            assert!(waiter.join().unwrap());
        }
    });
}

/// Both can be refused: the one of the lower priority is, whoever came later; of equals the one who came later.
#[test]
fn the_lowest_priority_is_the_victim() {
    use Priority::{High, Low, Normal};
    at_workers(|scheduler| {
        for (early, late) in [
            (Low, Normal),
            (Normal, High),
            (Normal, Low),
            (Normal, Normal),
        ] {
            let pair = Pair::new();
            let lock = |pair: &Pair| pair.second.lock_or_deadlock().map(drop);
            let waiter = waiter(scheduler, &pair, early, lock);
            let other = (waiter.task(), WaitReason::Mutex);
            let refused = closer(scheduler, &pair, other, move |pair| {
                current().set_priority(late);
                pair.first.lock_or_deadlock().is_err()
            });
            assert_eq!(refused, late <= early, "{early:?} and {late:?}");
            assert_eq!(waiter.join().unwrap(), !refused, "{early:?} and {late:?}");
        }
    });
}

/// A join is broken; the task that was to be joined goes on.
#[test]
fn a_join_is_broken() {
    at_workers(|scheduler| {
        let pair = Pair::new();
        let its = Arc::clone(&pair);
        let target = scheduler.spawn(move || {
            its.ready.set();
            its.go.wait();
            drop(its.first.lock());
        });
        let (its, wanted) = (Arc::clone(&pair), target.task().clone());
        let joiner = scheduler.spawn(move || {
            let _mine = its.first.lock();
            its.ready.wait();
            wanted.wait().map_err(|error| {
                assert!(error.is_deadlock(), "{error}");
                error.deadlock().and_then(Deadlock::victim).map(TaskRef::id)
            })
        });
        until_waits(joiner.task(), WaitReason::Join);
        pair.go.set();
        let id = joiner.task().id();
        assert_eq!(joiner.join().unwrap(), Err(Some(id)));
        target.join().expect("it got the mutex");
    });
}

type Told = Arc<std::sync::Mutex<Vec<(Vec<(String, Blocker)>, Option<String>)>>>;

fn name(task: &TaskRef) -> String {
    task.name()
        .map_or_else(String::new, |name| name.to_string())
}

/// A builder that keeps what is told of circles.
fn told_to(told: &Told, workers: usize) -> Builder {
    let told = Arc::clone(told);
    checked(workers).on_deadlock(move |circle| {
        let tasks = circle.tasks().iter();
        let tasks = tasks.map(|(task, why)| (name(task), *why)).collect();
        let victim = circle.victim().map(name);
        told.lock().unwrap().push((tasks, victim));
    })
}

/// Three that can only wait, each in its own way: the circle is told with names and reasons, and an abort ends it.
#[test]
fn a_circle_that_nobody_can_break_is_told_with_names_and_reasons() {
    for workers in [1, 2, 4] {
        let told = Told::default();
        with(told_to(&told, workers), |scheduler| {
            told.lock().unwrap().clear();
            let shared = Arc::new((
                Mutex::new(()),
                RwLock::new(()),
                Once::new(),
                Barrier::new(3),
            ));
            let spawn = |name: &str, run: fn(&(Mutex<()>, RwLock<()>, Once, Barrier))| {
                let shared = Arc::clone(&shared);
                let task = scheduler.task().name(name);
                task.spawn(move || run(&shared)).expect("a task")
            };
            let locks = spawn("locks", |(mutex, rw, _, all)| {
                let _mine = mutex.lock();
                all.wait();
                drop(rw.write());
            });
            let reads = spawn("reads", |(_, rw, once, all)| {
                let _mine = rw.read();
                all.wait();
                once.call_once(|| ());
            });
            let runs = spawn("runs", |(mutex, _, once, all)| {
                once.call_once_force(|_| {
                    all.wait();
                    drop(mutex.lock());
                });
            });
            eventually("it is told", || !told.lock().unwrap().is_empty());
            let (mut tasks, victim) = told.lock().unwrap().remove(0);
            // Whoever came last begins.
            let first = tasks.iter().position(|(name, _)| name == "locks");
            tasks.rotate_left(first.expect("it is one of them"));
            let expected = [
                ("locks".to_owned(), Blocker::RwLock),
                ("reads".to_owned(), Blocker::Once),
                ("runs".to_owned(), Blocker::Lock),
            ];
            assert_eq!((tasks.as_slice(), victim), (expected.as_slice(), None));
            for task in [&locks, &reads, &runs] {
                assert!(!task.is_finished(), "they wait on");
            }
            locks.abort();
            assert!(locks.join().unwrap_err().is_cancelled());
            runs.join().expect("it got the mutex");
            reads.join().expect("the initialiser has ended");
            assert!(told.lock().unwrap().is_empty(), "it was told once");
        });
    }
}

/// Whoever is told may lock, and may panic.
#[test]
fn who_is_told_may_lock_and_panic() {
    expect_panics();
    let lock = Arc::new(Mutex::new(0));
    let its = Arc::clone(&lock);
    let builder = checked(2).on_deadlock(move |_| {
        *its.lock() += 1;
        panic!("expected: whoever is told panics");
    });
    with(builder, |scheduler| {
        *lock.lock() = 0;
        let pair = Pair::new();
        let second = |pair: &Pair| pair.second.lock_or_deadlock().map(drop);
        let waiter = waiter(scheduler, &pair, Priority::Normal, second);
        let other = (waiter.task(), WaitReason::Mutex);
        closer(scheduler, &pair, other, |pair| drop(pair.first.lock()));
        assert!(waiter.join().unwrap());
        assert_eq!(*lock.lock(), 1);
    });
}
