//! What the transition hooks do to slots and threads: unmanaged code that lasts gives its slot away, and what it calls back
//! runs on its thread, alone.

mod common;
#[macro_use]
mod hosting;

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Mutex};
use std::time::{Duration, Instant};

use common::{eventually, hog_until, os_thread, until_waits};
use fiberhost::com::Hresult;
use fiberhost::scheduler::{StallKind, TaskRef, WaitReason, current, yield_now};
use fiberhost::{State, TaskMode};
use hosting::{Bench, Object, at, at_workers, builder, given, join, with};

const ALERTABLE: u32 = 2;
const NEVER: u32 = fiberhost::com::INFINITE;

/// For what runs in a task that has ended before the caller returns.
fn borrowed(bench: &Bench) -> &'static Bench {
    // SAFETY: as above.
    unsafe { &*std::ptr::from_ref(bench) }
}

fn leave(bench: &Bench) {
    let answer = com!(bench.tasks, IHostTaskManagerVtbl, LeaveRuntime, 0x1000);
    assert_eq!(answer, Hresult::S_OK);
}

fn enter(bench: &Bench) {
    let answer = com!(bench.tasks, IHostTaskManagerVtbl, EnterRuntime);
    assert_eq!(answer, Hresult::S_OK);
}

fn reverse_enter(bench: &Bench) {
    let answer = com!(bench.tasks, IHostTaskManagerVtbl, ReverseEnterRuntime);
    assert_eq!(answer, Hresult::S_OK);
}

fn reverse_leave(bench: &Bench) {
    let answer = com!(bench.tasks, IHostTaskManagerVtbl, ReverseLeaveRuntime);
    assert_eq!(answer, Hresult::S_OK);
}

fn auto_event(bench: &Bench) -> Object {
    given(|out| com!(bench.sync, IHostSyncManagerVtbl, CreateAutoEvent, out))
}

fn wait(event: Object, limit: u32, option: u32) -> Hresult {
    com!(event, IHostAutoEventVtbl, Wait, limit, option)
}

fn set(event: Object) {
    assert_eq!(com!(event, IHostAutoEventVtbl, Set), Hresult::S_OK);
}

/// Goes from the base to where the state is this one, and back.
fn in_state<R>(bench: &Bench, state: State, work: impl FnOnce() -> R) -> R {
    if state != State::Base {
        leave(bench);
    }
    if state == State::Managed {
        reverse_enter(bench);
    }
    let result = work();
    if state == State::Managed {
        reverse_leave(bench);
    }
    if state != State::Base {
        enter(bench);
    }
    result
}

const STATES: [State; 3] = [State::Base, State::Native, State::Managed];

#[test]
fn unmanaged_code_that_lasts_gives_its_slot_away() {
    at_workers(|bench| {
        let bench = borrowed(bench);
        let (tell, told) = channel();
        let (senders, tasks): (Vec<_>, Vec<_>) = (0..bench.host.scheduler().workers())
            .map(|_| {
                let (sender, receiver) = channel::<()>();
                let tell = tell.clone();
                let task = bench.start(move || {
                    leave(bench);
                    tell.send(()).expect("the test waits for it");
                    receiver.recv().expect("the test tells it");
                    enter(bench);
                });
                (sender, task)
            })
            .unzip();
        for _ in &tasks {
            told.recv().expect("each of them is out");
        }
        // All slots were left by code that lasts.
        assert_eq!(bench.run(|| (0..100).inspect(|_| yield_now()).count()), 100);
        for sender in senders {
            sender.send(()).expect("it waits");
        }
        tasks.into_iter().for_each(join);
    });
}

/// It may hold native locks again, which are recursive by thread.
#[test]
fn nobody_else_runs_on_the_thread_after_a_callback() {
    at(4, TaskMode::Fiber, |bench| {
        let bench = borrowed(bench);
        let stop = Arc::new(AtomicBool::new(false));
        let owner = Arc::new(AtomicI32::new(0));
        let looks = Arc::new(AtomicUsize::new(0));
        let others: Vec<_> = (0..8)
            .map(|_| {
                let (stop, owner, looks) =
                    (Arc::clone(&stop), Arc::clone(&owner), Arc::clone(&looks));
                bench.start(move || {
                    while !stop.load(Ordering::SeqCst) {
                        // Both looks find the same: the task is away from here all the time in between.
                        let before = owner.load(Ordering::SeqCst);
                        assert_ne!(before, os_thread(), "somebody else's thread");
                        looks.fetch_add(usize::from(before != 0), Ordering::SeqCst);
                        yield_now();
                    }
                })
            })
            .collect();
        let mine = Arc::clone(&owner);
        let seen = Arc::clone(&looks);
        bench.run(move || {
            for _ in 0..10 {
                leave(bench);
                mine.store(os_thread(), Ordering::SeqCst);
                reverse_enter(bench);
                assert_eq!(
                    com!(bench.tasks, IHostTaskManagerVtbl, Sleep, 1, 0),
                    Hresult::S_OK
                );
                reverse_leave(bench);
                assert_eq!(mine.load(Ordering::SeqCst), os_thread());
                let looks = seen.load(Ordering::SeqCst);
                eventually("others run, elsewhere", || {
                    seen.load(Ordering::SeqCst) > looks + 20
                });
                mine.store(0, Ordering::SeqCst);
                enter(bench);
            }
        });
        stop.store(true, Ordering::SeqCst);
        others.into_iter().for_each(join);
    });
}

#[test]
fn a_wait_in_a_callback_sleeps_with_the_thread_and_its_slot_goes_elsewhere() {
    at_workers(|bench| {
        let bench = borrowed(bench);
        let event = auto_event(bench);
        let waiters: Vec<_> = (0..bench.host.scheduler().workers() + 1)
            .map(|_| {
                bench.start(move || {
                    leave(bench);
                    let thread = os_thread();
                    reverse_enter(bench);
                    assert_eq!(wait(event, NEVER, 0), Hresult::S_OK);
                    assert_eq!(os_thread(), thread);
                    reverse_leave(bench);
                    enter(bench);
                })
            })
            .collect();
        let count = waiters.len();
        bench.run(move || {
            for _ in 0..count {
                set(event);
                // The next set must not meet one that nobody has taken.
                eventually("somebody has taken it", || {
                    yield_now();
                    let taken = wait(event, 0, 0) == Hresult::HOST_E_TIMEOUT;
                    if !taken {
                        set(event);
                    }
                    taken
                });
            }
        });
        waiters.into_iter().for_each(join);
        event.release();
    });
}

#[test]
fn alerts_reach_alertable_waits_in_every_state() {
    at_workers(|bench| {
        let bench = borrowed(bench);
        for state in STATES {
            let event = auto_event(bench);
            let task = bench.start(move || {
                in_state(bench, state, || {
                    assert_eq!(wait(event, NEVER, ALERTABLE), Hresult::HOST_E_INTERRUPTED);
                    // The latch was taken; one that comes before the wait is not lost.
                    assert_eq!(wait(event, 1, ALERTABLE), Hresult::HOST_E_TIMEOUT);
                    let me =
                        given(|out| com!(bench.tasks, IHostTaskManagerVtbl, GetCurrentTask, out));
                    assert_eq!(com!(me, IHostTaskVtbl, Alert), Hresult::S_OK);
                    me.release();
                    assert_eq!(wait(event, 1, 0), Hresult::HOST_E_TIMEOUT, "{state:?}");
                    assert_eq!(wait(event, NEVER, ALERTABLE), Hresult::HOST_E_INTERRUPTED);
                });
            });
            std::thread::sleep(Duration::from_millis(2));
            assert_eq!(com!(task, IHostTaskVtbl, Alert), Hresult::S_OK);
            join(task);
            event.release();
        }
    });
}

/// The scheduler's own abort ends waits of a task's; in unmanaged code it is the thread that waits, and the abort stays for
/// the first wait after it. Nothing unwinds.
#[test]
fn an_abort_in_each_state() {
    at_workers(|bench| {
        let bench = borrowed(bench);
        for state in STATES {
            let event = auto_event(bench);
            let (tell, told) = channel::<TaskRef>();
            let task = bench.start(move || {
                let inside = in_state(bench, state, || {
                    tell.send(current()).expect("the test waits for it");
                    let limit = if state == State::Native { 20 } else { NEVER };
                    let first = wait(event, limit, 0);
                    (first, wait(event, limit, 0))
                });
                let expected = if state == State::Native {
                    Hresult::HOST_E_TIMEOUT
                } else {
                    Hresult::HOST_E_ABANDONED
                };
                assert_eq!(inside, (expected, expected), "{state:?}");
                let after = wait(event, NEVER, 0);
                assert_eq!(after, Hresult::HOST_E_ABANDONED, "{state:?}");
            });
            let record = told.recv().expect("it has told");
            if state != State::Native {
                until_waits(&record, WaitReason::Event);
            }
            record.abort();
            join(task);
            event.release();
        }
    });
}

/// A section that somebody else has, entered and left in unmanaged code.
#[test]
fn a_section_is_the_tasks_in_every_state() {
    at_workers(|bench| {
        let bench = borrowed(bench);
        let crst = given(|out| com!(bench.sync, IHostSyncManagerVtbl, CreateCrst, out));
        let inside = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..6)
            .map(|at| {
                let inside = Arc::clone(&inside);
                bench.start(move || {
                    for round in 0..50 {
                        in_state(bench, STATES[(at + round) % 3], || {
                            assert_eq!(com!(crst, IHostCrstVtbl, Enter, 0), Hresult::S_OK);
                        });
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        in_state(bench, STATES[(at + round / 3) % 3], || {
                            assert_eq!(com!(crst, IHostCrstVtbl, Enter, 0), Hresult::S_OK);
                            yield_now();
                            assert_eq!(com!(crst, IHostCrstVtbl, Leave), Hresult::S_OK);
                        });
                        assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
                        in_state(bench, STATES[(at + round / 9) % 3], || {
                            assert_eq!(com!(crst, IHostCrstVtbl, Leave), Hresult::S_OK);
                        });
                    }
                })
            })
            .collect();
        tasks.into_iter().for_each(join);
        crst.release();
    });
}

#[test]
fn a_task_that_ends_with_frames_left_leaves_its_thread_usable() {
    at_workers(|bench| {
        let bench = borrowed(bench);
        for depth in 0..6 {
            let frames = move || {
                for at in 0..depth {
                    if at % 2 == 0 {
                        leave(bench);
                    } else {
                        reverse_enter(bench);
                    }
                }
            };
            join(bench.start(frames));
            // One that came to the runtime by itself.
            bench
                .host
                .scheduler()
                .spawn(frames)
                .join()
                .expect("it does not panic");
        }
        assert_eq!(bench.host.figures().frames_left, 10);
        let done = Arc::new(Mutex::new(0));
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let done = Arc::clone(&done);
                bench.start(move || {
                    yield_now();
                    *done.lock().unwrap() += 1;
                })
            })
            .collect();
        tasks.into_iter().for_each(join);
        assert_eq!(*done.lock().unwrap(), 8);
    });
}

/// A short call does not lose its slot: nobody is woken for it.
#[test]
fn short_calls_keep_their_slot() {
    at(1, TaskMode::Fiber, |bench| {
        let bench = borrowed(bench);
        let before = bench.host.scheduler().stats().handovers;
        let took = bench.run(move || {
            let begun = Instant::now();
            for _ in 0..10_000 {
                leave(bench);
                enter(bench);
            }
            begun.elapsed()
        });
        let handovers = bench.host.scheduler().stats().handovers - before;
        // The machine may stop the thread inside a call, but not in many of them.
        assert!(handovers < 100, "{handovers} of 10000 in {took:?}");
    });
}

/// A report of unmanaged code that lasts says by its address which function that is, from the first call on.
#[test]
fn a_function_that_lasts_is_named_in_the_report() {
    const LIMIT: Duration = Duration::from_millis(50);
    let (tell, told) = channel();
    let settings = fiberhost::scheduler::Scheduler::builder()
        .workers(1)
        .stall_after(LIMIT)
        .on_stall(move |stall| {
            // A loaded machine keeps the worker for as long now and then, and that is reported too.
            if stall.kind() == StallKind::NativeSection {
                // Whoever has gone does not want it.
                let _ = tell.send(stall.target().map(str::to_owned));
            }
        });
    let builder = fiberhost::Host::builder()
        .scheduler_settings(settings)
        .tasks(TaskMode::Fiber);
    hosting::with(builder, |bench| {
        let bench = borrowed(bench);
        for target in [0x7f00_5550, 0x7f00_6660, 0x7f00_5550] {
            let (end, ended) = channel::<()>();
            let task = bench.start(move || {
                let left = com!(bench.tasks, IHostTaskManagerVtbl, LeaveRuntime, target);
                assert_eq!(left, Hresult::S_OK);
                ended.recv().unwrap();
                enter(bench);
            });
            let report = told.recv_timeout(common::LONG).expect("a report");
            assert_eq!(report, Some(format!("unmanaged code at {target:#x}")));
            end.send(()).unwrap();
            join(task);
        }
    });
}

/// Callbacks wait for a slot, all of them get one, and never do more run than there are slots.
#[test]
fn callbacks_at_once_never_run_beyond_the_slots() {
    const TASKS: usize = 6;
    for slots in [1, 2, 4] {
        for mode in [TaskMode::Fiber, TaskMode::Thread] {
            with(builder(slots).tasks(mode), |bench| {
                let running = Arc::new(AtomicUsize::new(0));
                let most = Arc::new(AtomicUsize::new(0));
                let together = Arc::new(Barrier::new(TASKS));
                let host = borrowed(bench);
                let tasks: Vec<Object> = (0..TASKS)
                    .map(|_| {
                        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
                        let together = Arc::clone(&together);
                        bench.start(move || {
                            for _ in 0..5 {
                                leave(host);
                                // All are in unmanaged code, so no slot is in use.
                                together.wait();
                                reverse_enter(host);
                                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                                most.fetch_max(now, Ordering::SeqCst);
                                let until = Instant::now() + Duration::from_micros(500);
                                hog_until(|| Instant::now() > until);
                                running.fetch_sub(1, Ordering::SeqCst);
                                reverse_leave(host);
                                enter(host);
                            }
                        })
                    })
                    .collect();
                tasks.into_iter().for_each(join);
                let most = most.load(Ordering::SeqCst);
                assert!((1..=slots).contains(&most), "{most} at {slots} slots");
            });
        }
    }
}
