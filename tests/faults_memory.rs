//! Memory is refused in the middle of a spawn or a start: a clear error, nothing lost, nobody disturbed.
//!
//! The allocator of this program refuses the first request that a thread makes, then the second, and so on until the spawn
//! makes fewer. What the kernel refuses by itself is in `faults_kernel.rs`.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use common::{Dropped, Drops, LONG, Watchdog, checked, hog_until, with, with_on_fibers};
use fiberhost::scheduler::{
    Accounting, JoinHandle, JoinSet, Scheduler, SpawnError, TaskBuilder, current, scope,
};

struct Refusing;

thread_local! {
    /// Which request of this thread is refused, counted from the next one; 0 for none.
    static REFUSE: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: what is not refused is the system's.
unsafe impl GlobalAlloc for Refusing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let left = REFUSE.get();
        if left > 0 {
            REFUSE.set(left - 1);
            if left == 1 {
                return ptr::null_mut();
            }
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static REFUSING: Refusing = Refusing;

/// Records of tasks are the process's: what one test takes, another would have to ask for.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `work`, which stays on this thread, with one request of this thread refused. Whether it came to that.
fn refusing<R>(request: usize, work: impl FnOnce() -> R) -> (R, bool) {
    REFUSE.set(request);
    let result = work();
    (result, REFUSE.replace(0) == 0)
}

type Spawned = Result<JoinHandle<usize>, SpawnError>;

/// Spawns in this way with the first request refused, then the second, until nothing is. Returns how often it failed.
fn refuse_each(spawn: impl Fn(Dropped) -> Spawned) -> usize {
    refuse_each_of(spawn, |task| task.join().expect("it runs"))
}

/// The same of spawns whose tasks are joined in another way.
fn refuse_each_of<H>(
    mut spawn: impl FnMut(Dropped) -> Result<H, SpawnError>,
    mut join: impl FnMut(H) -> usize,
) -> usize {
    let mut failed = 0;
    for request in 1.. {
        assert!(request < 100, "a spawn makes few requests");
        let drops = Drops::new();
        let dropped = drops.one();
        let (spawned, refused) = refusing(request, || spawn(dropped));
        match spawned {
            // Some is asked for in advance, and can wait.
            Ok(task) => assert_eq!(join(task), 7),
            Err(error) => {
                assert!(refused, "{error}");
                is_clear(&error);
                failed += 1;
            }
        }
        assert_eq!(drops.count(), 1, "the closure is dropped");
        if !refused {
            break;
        }
    }
    failed
}

fn is_clear(error: &SpawnError) {
    assert!(error.is_out_of_memory(), "{error}");
    assert!(!error.is_limit() && !error.is_cancelled() && !error.is_invalid_stack_size());
    assert_eq!(error.to_string(), "no memory for a task");
}

/// Too large for a task's record.
fn large(dropped: Dropped) -> impl FnOnce() -> usize + Send + 'static {
    let numbers = [7_usize; 1000];
    move || {
        let _dropped = dropped;
        std::hint::black_box(&numbers)[999]
    }
}

/// Its alignment is not that of a record's room.
fn aligned(dropped: Dropped) -> impl FnOnce() -> usize + Send + 'static {
    #[repr(align(256))]
    struct Aligned(usize);
    let number = Aligned(7);
    move || {
        let _dropped = dropped;
        let number = std::hint::black_box(&number);
        assert!(ptr::from_ref(number).is_aligned());
        number.0
    }
}

fn small(dropped: Dropped) -> impl FnOnce() -> usize + Send + 'static {
    move || {
        drop(dropped);
        7
    }
}

/// All kinds of spawns, on the scheduler that `task` names.
fn spawns_fail_cleanly(task: impl Fn() -> TaskBuilder) {
    // From here on there is a free record, where these spawns take theirs.
    let first = task().spawn(|| 7).expect("nothing is refused");
    join(first);
    assert_eq!(refuse_each(|dropped| task().spawn(large(dropped))), 1);
    assert_eq!(refuse_each(|dropped| task().spawn(aligned(dropped))), 1);
    // Its name, or ledger, and where that is kept. A name itself is asked for by the caller.
    let name: Arc<str> = "named".into();
    let named = |dropped| task().name(Arc::clone(&name)).spawn(small(dropped));
    assert_eq!(refuse_each(named), 1);
    let booked = |dropped| {
        let task = task().accounting(Accounting::Exact);
        task.name(Arc::clone(&name)).spawn(large(dropped))
    };
    assert_eq!(refuse_each(booked), 3);
}

#[test]
fn a_spawn_from_outside_that_is_refused_leaves_nothing() {
    let _alone = alone();
    // The limit shows whether a place is kept; the joined task may count for a moment.
    with(checked(2).max_tasks(1), |scheduler| {
        spawns_fail_cleanly(|| scheduler.task());
        assert_eq!(scheduler.run(|| 5), 5);
    });
}

#[test]
fn a_spawn_from_a_task_that_is_refused_leaves_nothing() {
    let _alone = alone();
    with(checked(2).max_tasks(2), |scheduler| {
        scheduler.run(|| {
            spawns_fail_cleanly(TaskBuilder::new);
        });
        assert_eq!(scheduler.run(|| 5), 5);
    });
}

/// A result that is too large for a task's record has its room from the spawn on: the end of a task asks for nothing.
#[test]
fn a_large_result_is_refused_at_the_spawn() {
    let _alone = alone();
    with_on_fibers(checked(1).max_tasks(2), |scheduler| {
        scheduler.run(|| {
            let large_result = |dropped| {
                TaskBuilder::new().spawn(move || {
                    drop(dropped);
                    [7_usize; 1000]
                })
            };
            // The only worker is this thread, also while this task waits.
            let join = |task: JoinHandle<[usize; 1000]>| {
                let (ended, refused) = refusing(1, || task.join().map(|numbers| numbers[999]));
                assert!(!refused, "nothing is asked for");
                ended.expect("it runs")
            };
            assert_eq!(refuse_each_of(large_result, join), 1);
            // A task that never runs has its error there: the memory for its stack is refused.
            let task = TaskBuilder::new().stack_size(1 << 20);
            let task = task.spawn(|| [7_usize; 1000]).expect("nothing is refused");
            let (ended, refused) = refusing(1, || task.join());
            assert!(refused && ended.expect_err("it never ran").is_refused());
        });
    });
}

#[test]
fn a_scoped_spawn_that_is_refused_leaves_nothing() {
    let _alone = alone();
    with_on_fibers(checked(1).max_tasks(2), |scheduler| {
        scheduler.run(|| {
            scope(|scope| {
                let spawn = |dropped| scope.try_spawn(small(dropped));
                // The place of its result.
                let failed = refuse_each_of(spawn, |task| task.join().expect("it runs"));
                assert_eq!(failed, 1);
            });
        });
    });
}

/// Each time the set is a new one, without room for anything.
#[test]
fn a_spawn_into_a_set_that_is_refused_leaves_the_set_as_it_was() {
    let _alone = alone();
    with_on_fibers(checked(1).max_tasks(2), |scheduler| {
        scheduler.run(|| {
            let mut sets = (0..10).map(|_| JoinSet::new()).collect::<Vec<_>>();
            let spawn = |dropped| {
                let mut set = sets.pop().expect("a spawn makes few requests");
                let spawned = set.spawn_with(TaskBuilder::new(), large(dropped));
                match spawned {
                    Ok(_) => Ok(set),
                    Err(error) => {
                        assert!(set.is_empty() && set.join_next().is_none());
                        Err(error)
                    }
                }
            };
            let join = |mut set: JoinSet<usize>| {
                // The end of a task asks for nothing either.
                let (next, refused) = refusing(1, || set.join_next());
                assert!(!refused && set.is_empty());
                next.expect("one task").expect("it runs")
            };
            // The queue of those that have ended, its place, and its closure.
            assert_eq!(refuse_each_of(spawn, join), 3);
        });
    });
}

/// Spawns small tasks, which cannot start yet, until a record for one is refused. Returns the others.
fn until_a_record_is_refused(task: impl Fn() -> TaskBuilder) -> Vec<JoinHandle<usize>> {
    let mut waiting = Vec::with_capacity(100_000);
    loop {
        assert!(waiting.len() < 100_000, "records come out of memory");
        let drops = Drops::new();
        let dropped = drops.one();
        let (spawned, refused) = refusing(1, || task().spawn(small(dropped)));
        match spawned {
            Ok(task) => waiting.push(task),
            Err(error) => {
                assert!(refused, "{error}");
                is_clear(&error);
                assert_eq!(drops.count(), 1, "the closure is dropped");
                return waiting;
            }
        }
    }
}

// On fibers only: each task would start a thread, and a record is the same for both.
#[test]
fn a_record_that_is_refused_is_an_error() {
    let _alone = alone();
    with_on_fibers(checked(1), |scheduler| {
        // This thread has a record too. It takes it now, and does not stand at the lock of the free ones later: who has to wait
        // for a lock of the thread for the first time makes a request of its own.
        current();
        // The only worker is busy, so that whatever is spawned keeps its record.
        let (busy, go) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicBool::new(false)),
        );
        let (tell, wait) = (Arc::clone(&busy), Arc::clone(&go));
        let hog = scheduler.spawn(move || {
            tell.store(true, Ordering::SeqCst);
            hog_until(|| wait.load(Ordering::SeqCst));
            until_a_record_is_refused(TaskBuilder::new)
                .into_iter()
                .for_each(join);
        });
        hog_until(|| busy.load(Ordering::SeqCst));
        let outside = until_a_record_is_refused(|| scheduler.task());
        go.store(true, Ordering::SeqCst);
        hog.join().expect("it runs");
        outside.into_iter().for_each(join);
    });
}

fn join(task: JoinHandle<usize>) {
    assert_eq!(task.join().expect("it runs"), 7);
}

/// The worker's requests for a new stack: what it writes down of it.
#[test]
fn a_start_that_is_refused_is_an_error_of_the_join() {
    let _alone = alone();
    let _watchdog = Watchdog::new("a_start_that_is_refused_is_an_error_of_the_join".into());
    let mut failed = 0;
    for request in 1.. {
        assert!(request < 100, "a start makes few requests");
        // Its stacks are new each time. The checker of the invariants would make requests of its own.
        let scheduler = Scheduler::builder().workers(1).build().unwrap();
        let drops = Drops::new();
        let dropped = drops.one();
        let (ended, refused) = scheduler.run(move || {
            let task = TaskBuilder::new().stack_size(1 << 20);
            let task = task.spawn(small(dropped)).unwrap();
            // The only worker is this thread, also while this task waits.
            refusing(request, || task.join())
        });
        assert_eq!(drops.count(), 1, "the closure is dropped");
        match ended {
            Ok(number) => assert_eq!(number, 7),
            Err(error) => {
                assert!(refused && error.is_refused(), "{error}");
                assert!(!error.is_panic() && !error.is_cancelled());
                failed += 1;
            }
        }
        assert_eq!(scheduler.run(|| 5), 5);
        scheduler.shutdown(LONG).unwrap();
        if !refused {
            break;
        }
    }
    assert!(failed > 0, "a new stack needs memory");
}

#[test]
fn a_spawn_that_cannot_say_so_panics_and_goes_on() {
    let _alone = alone();
    with(checked(2), |scheduler| {
        let drops = Drops::new();
        let dropped = drops.one();
        let spawn = || {
            let spawn = || scheduler.spawn(large(dropped));
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(spawn))
        };
        let (caught, refused) = refusing(1, spawn);
        let text = caught.unwrap_err().downcast::<String>().expect("words");
        assert_eq!(*text, "spawn: no memory for a task");
        assert!(refused && drops.count() == 1);
        assert_eq!(scheduler.run(|| 5), 5);
    });
}
