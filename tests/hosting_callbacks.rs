//! Code that is called back from unmanaged code while all slots are kept by tasks that do not settle: it goes on without one.

mod common;
#[macro_use]
mod hosting;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::eventually;
use fiberhost::com::{Hresult, INFINITE};
use fiberhost::{State, TaskMode};
use hosting::{Bench, Object, builder, given, join, with};

const ALERTABLE: u32 = 2;

fn hook(tasks: Object, hook: &str) {
    let result = match hook {
        "leave" => com!(tasks, IHostTaskManagerVtbl, LeaveRuntime, 0x1000),
        "enter" => com!(tasks, IHostTaskManagerVtbl, EnterRuntime),
        "reverse enter" => com!(tasks, IHostTaskManagerVtbl, ReverseEnterRuntime),
        "reverse leave" => com!(tasks, IHostTaskManagerVtbl, ReverseLeaveRuntime),
        other => unreachable!("{other}"),
    };
    assert_eq!(result, Hresult::S_OK, "{hook}");
}

/// Tasks that keep all slots from now on, until `stop`.
struct Hogs {
    tasks: Vec<Object>,
    stop: Arc<AtomicBool>,
}

impl Hogs {
    /// As many as run at once.
    fn begin(bench: &Bench, workers: usize) -> Hogs {
        let stop = Arc::new(AtomicBool::new(false));
        let hog = |_| {
            let (runs, told) = (Arc::new(AtomicBool::new(false)), Arc::clone(&stop));
            let says = Arc::clone(&runs);
            let task = bench.start(move || {
                says.store(true, Ordering::SeqCst);
                while !told.load(Ordering::SeqCst) {
                    std::hint::spin_loop();
                }
            });
            eventually("it runs", || runs.load(Ordering::SeqCst));
            task
        };
        let tasks = (0..workers).map(hog).collect();
        Hogs { tasks, stop }
    }

    fn end(self) {
        self.stop.store(true, Ordering::SeqCst);
        self.tasks.into_iter().for_each(join);
    }
}

fn each(test: impl Fn(&'static Bench, usize)) {
    for workers in [1, 2] {
        for mode in [TaskMode::Fiber, TaskMode::Thread] {
            let patience = Duration::from_millis(20);
            with(
                builder(workers).tasks(mode).callback_patience(patience),
                |bench| {
                    // SAFETY: what gets the reference has ended before this returns.
                    test(unsafe { &*std::ptr::from_ref(bench) }, workers);
                },
            );
        }
    }
}

/// The transitions are as with a slot, nested ones too; and what waits blocks the thread and is woken.
#[test]
fn a_callback_goes_on_beside_tasks_that_do_not_settle() {
    each(|bench, workers| {
        let event = given(|out| com!(bench.sync, IHostSyncManagerVtbl, CreateAutoEvent, out));
        let section = given(|out| com!(bench.sync, IHostSyncManagerVtbl, CreateCrst, out));
        let flags: [Arc<AtomicBool>; 4] = Default::default();
        let [left, kept, in_callback, waits] = flags.clone();
        let tasks = bench.tasks;
        let task = bench.start(move || {
            let state = || bench.host.current_task().expect("a task").transition();
            hook(tasks, "leave");
            left.store(true, Ordering::SeqCst);
            while !kept.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            for _ in 0..3 {
                hook(tasks, "reverse enter");
                assert_eq!(state(), (State::Managed, 2));
                hook(tasks, "leave");
                hook(tasks, "reverse enter");
                assert_eq!(state(), (State::Managed, 4));
                hook(tasks, "reverse leave");
                hook(tasks, "enter");
                assert_eq!(state(), (State::Managed, 2));
                assert_eq!(com!(section, IHostCrstVtbl, Enter, 0), Hresult::S_OK);
                assert_eq!(com!(section, IHostCrstVtbl, Leave), Hresult::S_OK);
                hook(tasks, "reverse leave");
                assert_eq!(state(), (State::Native, 1));
            }
            hook(tasks, "reverse enter");
            in_callback.store(true, Ordering::SeqCst);
            let signalled = com!(event, IHostAutoEventVtbl, Wait, INFINITE, 0);
            assert_eq!(signalled, Hresult::S_OK);
            let over = com!(event, IHostAutoEventVtbl, Wait, 1, 0);
            assert_eq!(over, Hresult::HOST_E_TIMEOUT);
            waits.store(true, Ordering::SeqCst);
            let alerted = com!(event, IHostAutoEventVtbl, Wait, INFINITE, ALERTABLE);
            assert_eq!(alerted, Hresult::HOST_E_INTERRUPTED);
            hook(tasks, "reverse leave");
            hook(tasks, "enter");
            assert_eq!(state(), (State::Base, 0));
        });
        let [left, kept, in_callback, waits] = &flags;
        eventually("it has left", || left.load(Ordering::SeqCst));
        let hogs = Hogs::begin(bench, workers);
        kept.store(true, Ordering::SeqCst);
        eventually("it goes on", || in_callback.load(Ordering::SeqCst));
        assert_eq!(com!(event, IHostAutoEventVtbl, Set), Hresult::S_OK);
        eventually("it waits again", || waits.load(Ordering::SeqCst));
        assert_eq!(com!(task, IHostTaskVtbl, Alert), Hresult::S_OK);
        assert_eq!(bench.host.figures().callbacks_without_slot, 7);
        hogs.end();
        join(task);
        event.release();
        section.release();
    });
}

/// When a slot comes free in time, it is taken: everything is as if there had been one.
#[test]
fn a_callback_takes_a_slot_that_comes_free() {
    let patient = builder(1)
        .tasks(TaskMode::Fiber)
        .callback_patience(common::LONG);
    with(patient, |bench| {
        let event = given(|out| com!(bench.sync, IHostSyncManagerVtbl, CreateAutoEvent, out));
        let flags: [Arc<AtomicBool>; 3] = Default::default();
        let [left, kept, in_callback] = flags.clone();
        let tasks = bench.tasks;
        let task = bench.start(move || {
            hook(tasks, "leave");
            left.store(true, Ordering::SeqCst);
            while !kept.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            hook(tasks, "reverse enter");
            in_callback.store(true, Ordering::SeqCst);
            // It gives the slot away, so that the other one can run and wake it.
            let signalled = com!(event, IHostAutoEventVtbl, Wait, INFINITE, 0);
            assert_eq!(signalled, Hresult::S_OK);
            hook(tasks, "reverse leave");
            hook(tasks, "enter");
        });
        let [left, kept, in_callback] = &flags;
        eventually("it has left", || left.load(Ordering::SeqCst));
        let hogs = Hogs::begin(bench, 1);
        kept.store(true, Ordering::SeqCst);
        std::thread::sleep(common::SHORT);
        assert!(!in_callback.load(Ordering::SeqCst), "it waits for a slot");
        hogs.end();
        eventually("it goes on", || in_callback.load(Ordering::SeqCst));
        bench.run(move || assert_eq!(com!(event, IHostAutoEventVtbl, Set), Hresult::S_OK));
        join(task);
        assert_eq!(bench.host.figures().callbacks_without_slot, 0);
        event.release();
    });
}
