//! What keeps a task on its thread, and others off it, on the whole scheduler: the counts *stay* and *own*, a panic, and no lock of ours.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use shuttle::sync::atomic::{AtomicBool, Ordering};

use fiberhost_scheduler::sync::{AutoResetEvent, Barrier};
use fiberhost_scheduler::{Wake, native, park_for, spawn, yield_now};

use super::explore::{Bounds, explore, thread};
use super::whole::{end, moving_scheduler, scheduler_of};

const BOUNDS: Bounds = Bounds::whole(0).schedules(500);

/// A task that may move, where all such are made to, goes on where it was while it stays.
#[test]
fn who_stays_goes_on_where_it_was() {
    explore(BOUNDS, || {
        let scheduler = moving_scheduler(2);
        let event = Arc::new(AutoResetEvent::new(false));
        let waits = event.clone();
        // SAFETY: nothing of a thread is on the closure's stack when it suspends but what keeps it there.
        let task = unsafe {
            scheduler.task().spawn_mobile(move || {
                let _stay = native::stay();
                let here = thread::current().id();
                yield_now();
                assert_eq!(thread::current().id(), here, "after a yield");
                assert_eq!(waits.wait(), Wake::Signalled);
                assert_eq!(thread::current().id(), here, "after a wait");
            })
        };
        let other = scheduler.spawn(move || event.set());
        task.expect("a model has memory").join().unwrap();
        other.join().unwrap();
        end(scheduler);
    });
}

/// A task that owns its thread waits; another one that has started there is woken meanwhile, and goes on only afterwards.
#[test]
fn who_owns_its_thread_has_it_alone() {
    explore(BOUNDS, || {
        let scheduler = scheduler_of(1, 2);
        let event = Arc::new(AutoResetEvent::new(false));
        let waits = event.clone();
        let owner = scheduler.spawn(move || {
            let [alone, started] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
            let wake = Arc::new(AutoResetEvent::new(false));
            let (is_alone, starts, woken) = (alone.clone(), started.clone(), wake.clone());
            let neighbour = spawn(move || {
                starts.store(true, Ordering::SeqCst);
                assert_eq!(woken.wait(), Wake::Signalled);
                assert!(!is_alone.load(Ordering::SeqCst), "beside the owner");
            });
            // It starts here: while nobody owns this thread, the slot stays.
            while !started.load(Ordering::SeqCst) {
                yield_now();
            }
            let own = native::own();
            alone.store(true, Ordering::SeqCst);
            wake.set();
            assert_eq!(waits.wait(), Wake::Signalled);
            alone.store(false, Ordering::SeqCst);
            drop(own);
            neighbour.join().unwrap();
        });
        event.set();
        owner.join().unwrap();
        end(scheduler);
    });
}

/// While a task waits its thread holds no lock of ours, whoever comes first. (The checker looks at every switch of all models.)
#[test]
fn who_waits_holds_no_lock_of_ours() {
    explore(BOUNDS, || {
        let scheduler = scheduler_of(2, 2);
        let barrier = Arc::new(Barrier::new(2));
        let tasks = [(); 2].map(|()| {
            let barrier = barrier.clone();
            scheduler.spawn(move || barrier.wait().is_leader())
        });
        let leaders = tasks.map(|task| task.join().unwrap());
        assert!(leaders[0] != leaders[1], "{leaders:?}");
        end(scheduler);
    });
}

/// Nor does it where the task owns it, and waits without giving it back.
#[test]
fn who_waits_with_its_thread_holds_no_lock_of_ours() {
    explore(BOUNDS, || {
        let scheduler = scheduler_of(2, 2);
        let barrier = Arc::new(Barrier::new(2));
        let tasks = [(); 2].map(|()| {
            let barrier = barrier.clone();
            scheduler.spawn(move || {
                let _own = native::own();
                barrier.wait().is_leader()
            })
        });
        let leaders = tasks.map(|task| task.join().unwrap());
        assert!(leaders[0] != leaders[1], "{leaders:?}");
        end(scheduler);
    });
}

/// What a destructor does while its task is unwinding gives the thread to nobody, though another task could have it.
/// (It does not block: the checker's threads share one count of panics.)
fn in_a_destructor_that_unwinds(work: fn()) {
    struct Does(fn());
    impl Drop for Does {
        fn drop(&mut self) {
            (self.0)();
        }
    }
    let scheduler = scheduler_of(1, 1);
    let task = scheduler.spawn(move || {
        let neighbour = spawn(yield_now);
        let panics = spawn(move || {
            let _does = Does(work);
            // As a panic, without its message.
            resume_unwind(Box::new(()));
        });
        assert!(panics.join().unwrap_err().is_panic());
        neighbour.join().unwrap();
    });
    task.join().unwrap();
    end(scheduler);
}

#[test]
fn who_panics_yields_to_nobody() {
    explore(BOUNDS, || in_a_destructor_that_unwinds(yield_now));
}

#[test]
fn who_panics_waits_with_its_thread() {
    explore(BOUNDS, || {
        in_a_destructor_that_unwinds(|| {
            let event = AutoResetEvent::new(true);
            assert_eq!(event.wait(), Wake::Signalled);
            assert_eq!(event.wait_for(Duration::ZERO), Wake::TimedOut);
        });
    });
}

#[test]
fn who_panics_parks_with_its_thread() {
    explore(BOUNDS, || {
        in_a_destructor_that_unwinds(|| assert_eq!(park_for(Duration::ZERO), Wake::TimedOut));
    });
}
