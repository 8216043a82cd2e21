//! Critical sections, events and semaphores of the hosting interface: exact results, from tasks and from plain threads.

mod common;
#[macro_use]
mod hosting;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{SHORT, eventually};
use fiberhost::com::{Hresult, INFINITE};
use fiberhost::scheduler::yield_now;
use fiberhost::{Strangers, TaskMode};
use hosting::{Bench, Object, at_workers, builder, everywhere, given, join, release_all, with};

const ALERTABLE: u32 = 2;

fn auto_event(bench: &Bench) -> Object {
    given(|out| com!(bench.sync, IHostSyncManagerVtbl, CreateAutoEvent, out))
}

fn manual_event(bench: &Bench, set: bool) -> Object {
    given(|out| {
        com!(
            bench.sync,
            IHostSyncManagerVtbl,
            CreateManualEvent,
            i32::from(set),
            out
        )
    })
}

fn semaphore(bench: &Bench, initial: u32, most: u32) -> Object {
    given(|out| {
        com!(
            bench.sync,
            IHostSyncManagerVtbl,
            CreateSemaphore,
            initial,
            most,
            out
        )
    })
}

fn section(bench: &Bench) -> Object {
    given(|out| com!(bench.sync, IHostSyncManagerVtbl, CreateCrst, out))
}

fn wait_auto(event: Object, milliseconds: u32, option: u32) -> Hresult {
    com!(event, IHostAutoEventVtbl, Wait, milliseconds, option)
}

#[track_caller]
fn set_auto(event: Object) {
    assert_eq!(com!(event, IHostAutoEventVtbl, Set), Hresult::S_OK);
}

/// The calling task's object, without a reference.
fn me(bench: &Bench) -> Object {
    let me = given(|out| com!(bench.tasks, IHostTaskManagerVtbl, GetCurrentTask, out));
    me.release();
    me
}

#[test]
fn a_set_is_remembered_once_and_a_poll_does_not_wait() {
    at_workers(|bench| {
        everywhere(bench, |bench| {
            let event = auto_event(bench);
            assert_eq!(
                wait_auto(event, 0, 0),
                Hresult::HOST_E_TIMEOUT,
                "it is made unset"
            );
            set_auto(event);
            set_auto(event);
            assert_eq!(wait_auto(event, 0, 0), Hresult::S_OK);
            assert_eq!(wait_auto(event, 0, 0), Hresult::HOST_E_TIMEOUT, "once");
            set_auto(event);
            assert_eq!(wait_auto(event, INFINITE, 0), Hresult::S_OK);
            event.release();
        });
    });
}

#[test]
fn a_wait_lasts_as_long_as_it_was_asked_to() {
    at_workers(|bench| {
        everywhere(bench, |bench| {
            let (auto, manual, permits) = (
                auto_event(bench),
                manual_event(bench, false),
                semaphore(bench, 0, 1),
            );
            for wait in [
                &|| wait_auto(auto, 5, 0),
                &|| com!(manual, IHostManualEventVtbl, Wait, 5, ALERTABLE),
                &|| com!(permits, IHostSemaphoreVtbl, Wait, 5, 0),
            ] as [&dyn Fn() -> Hresult; 3]
            {
                let began = Instant::now();
                assert_eq!(wait(), Hresult::HOST_E_TIMEOUT);
                assert!(began.elapsed() >= Duration::from_millis(5));
            }
            release_all([auto, manual, permits]);
        });
    });
}

#[test]
fn as_many_sets_release_as_many_waiters() {
    const WAITERS: u32 = 8;
    at_workers(|bench| {
        let event = auto_event(bench);
        let through = Arc::new(AtomicU32::new(0));
        let waiter = |through: &Arc<AtomicU32>| {
            let through = Arc::clone(through);
            move || {
                assert_eq!(wait_auto(event, INFINITE, 0), Hresult::S_OK);
                through.fetch_add(1, Ordering::SeqCst);
            }
        };
        // Half of them are tasks, half are threads.
        let tasks: Vec<_> = (0..WAITERS / 2)
            .map(|_| bench.start(waiter(&through)))
            .collect();
        let threads: Vec<_> = (0..WAITERS / 2)
            .map(|_| thread::spawn(waiter(&through)))
            .collect();
        for sets in 1..=WAITERS {
            set_auto(event);
            eventually("one more is through", || {
                through.load(Ordering::SeqCst) == sets
            });
        }
        tasks.into_iter().for_each(join);
        threads
            .into_iter()
            .for_each(|thread| thread.join().expect("no panic"));
        assert_eq!(
            wait_auto(event, 0, 0),
            Hresult::HOST_E_TIMEOUT,
            "no set is left"
        );
        event.release();
    });
}

#[test]
fn a_manual_event_lets_all_through_until_it_is_reset() {
    at_workers(|bench| {
        let event = manual_event(bench, false);
        let wait = move || {
            assert_eq!(
                com!(event, IHostManualEventVtbl, Wait, INFINITE, 0),
                Hresult::S_OK
            )
        };
        let tasks: Vec<_> = (0..4).map(|_| bench.start(wait)).collect();
        let thread = thread::spawn(wait);
        thread::sleep(Duration::from_millis(2));
        assert_eq!(com!(event, IHostManualEventVtbl, Set), Hresult::S_OK);
        tasks.into_iter().for_each(join);
        thread.join().expect("no panic");
        wait();
        assert_eq!(com!(event, IHostManualEventVtbl, Reset), Hresult::S_OK);
        assert_eq!(
            com!(event, IHostManualEventVtbl, Wait, 0, 0),
            Hresult::HOST_E_TIMEOUT
        );
        event.release();
        let set = manual_event(bench, true);
        assert_eq!(com!(set, IHostManualEventVtbl, Wait, 0, 0), Hresult::S_OK);
        set.release();
    });
}

#[test]
fn the_events_behind_cookies_are_events() {
    at_workers(|bench| {
        let monitor = given(|out| {
            com!(
                bench.sync,
                IHostSyncManagerVtbl,
                CreateMonitorEvent,
                17,
                out
            )
        });
        let writers = given(|out| {
            com!(
                bench.sync,
                IHostSyncManagerVtbl,
                CreateRWLockWriterEvent,
                18,
                out
            )
        });
        let readers = given(|out| {
            com!(
                bench.sync,
                IHostSyncManagerVtbl,
                CreateRWLockReaderEvent,
                1,
                18,
                out
            )
        });
        for event in [monitor, writers] {
            assert_eq!(wait_auto(event, 0, 0), Hresult::HOST_E_TIMEOUT);
            set_auto(event);
            assert_eq!(wait_auto(event, 0, 0), Hresult::S_OK);
        }
        assert_eq!(
            com!(readers, IHostManualEventVtbl, Wait, 0, 0),
            Hresult::S_OK,
            "made set"
        );
        release_all([monitor, writers, readers]);
    });
}

#[test]
fn a_semaphore_counts_exactly_and_not_beyond_its_most() {
    at_workers(|bench| {
        everywhere(bench, |bench| {
            let permits = semaphore(bench, 1, 3);
            let mut before = -1;
            let release = |count, before: &mut i32| {
                com!(
                    permits,
                    IHostSemaphoreVtbl,
                    ReleaseSemaphore,
                    count,
                    &raw mut *before
                )
            };
            assert_eq!(release(2, &mut before), Hresult::S_OK);
            assert_eq!(before, 1);
            assert_eq!(
                release(1, &mut before),
                Hresult::E_INVALIDARG,
                "beyond the most"
            );
            assert_eq!(before, 0, "cleared");
            for count in [0, -1, i32::MIN, i32::MAX] {
                assert_eq!(release(count, &mut before), Hresult::E_INVALIDARG);
            }
            for _ in 0..3 {
                assert_eq!(com!(permits, IHostSemaphoreVtbl, Wait, 0, 0), Hresult::S_OK);
            }
            assert_eq!(
                com!(permits, IHostSemaphoreVtbl, Wait, 0, 0),
                Hresult::HOST_E_TIMEOUT
            );
            let nobody = std::ptr::null_mut();
            assert_eq!(
                com!(permits, IHostSemaphoreVtbl, ReleaseSemaphore, 3, nobody),
                Hresult::S_OK
            );
            assert_eq!(
                release(1, &mut before),
                Hresult::E_INVALIDARG,
                "it is full again"
            );
            permits.release();
        });
        for (initial, most) in [(0, 0), (2, 1), (0, 0x8000_0000), (u32::MAX, u32::MAX)] {
            let mut out = std::ptr::dangling_mut();
            let made = com!(
                bench.sync,
                IHostSyncManagerVtbl,
                CreateSemaphore,
                initial,
                most,
                &raw mut out
            );
            assert_eq!(made, Hresult::E_INVALIDARG, "{initial} of {most}");
            assert!(out.is_null());
        }
    });
}

#[test]
fn permits_are_neither_lost_nor_made_up_under_time_limits_and_alerts() {
    const ROUNDS: u32 = 200;
    at_workers(|bench| {
        let permits = semaphore(bench, 0, 100);
        let taken = Arc::new(AtomicU32::new(0));
        let takers: Vec<_> = (0..4)
            .map(|taker| {
                let taken = Arc::clone(&taken);
                bench.start(move || {
                    while taken.load(Ordering::SeqCst) < ROUNDS {
                        let wait = com!(permits, IHostSemaphoreVtbl, Wait, taker % 2, ALERTABLE);
                        match wait {
                            Hresult::S_OK => drop(taken.fetch_add(1, Ordering::SeqCst)),
                            Hresult::HOST_E_TIMEOUT => yield_now(),
                            other => assert_eq!(other, Hresult::HOST_E_INTERRUPTED),
                        }
                    }
                })
            })
            .collect();
        for round in 0..ROUNDS {
            let nobody = std::ptr::null_mut();
            assert_eq!(
                com!(permits, IHostSemaphoreVtbl, ReleaseSemaphore, 1, nobody),
                Hresult::S_OK
            );
            let taker = takers[round as usize % takers.len()];
            assert_eq!(com!(taker, IHostTaskVtbl, Alert), Hresult::S_OK);
            eventually("it is taken", || taken.load(Ordering::SeqCst) > round);
        }
        takers.into_iter().for_each(join);
        assert_eq!(taken.load(Ordering::SeqCst), ROUNDS);
        assert_eq!(
            com!(permits, IHostSemaphoreVtbl, Wait, 0, 0),
            Hresult::HOST_E_TIMEOUT
        );
        permits.release();
    });
}

/// The latch, on a task of its own and on an adopted thread.
fn alerts(bench: &'static Bench) {
    let (me, event) = (me(bench), auto_event(bench));
    let alert = || assert_eq!(com!(me, IHostTaskVtbl, Alert), Hresult::S_OK);
    alert();
    alert();
    assert_eq!(
        wait_auto(event, 1, 0),
        Hresult::HOST_E_TIMEOUT,
        "a wait that is not alertable passes it by"
    );
    assert_eq!(
        wait_auto(event, 0, ALERTABLE),
        Hresult::HOST_E_TIMEOUT,
        "a poll does not wait"
    );
    assert_eq!(
        wait_auto(event, INFINITE, ALERTABLE),
        Hresult::HOST_E_INTERRUPTED
    );
    assert_eq!(
        wait_auto(event, 1, ALERTABLE),
        Hresult::HOST_E_TIMEOUT,
        "two alerts are one"
    );
    alert();
    set_auto(event);
    assert_eq!(
        wait_auto(event, INFINITE, ALERTABLE),
        Hresult::S_OK,
        "the signal counts"
    );
    assert_eq!(
        com!(
            bench.tasks,
            IHostTaskManagerVtbl,
            Sleep,
            INFINITE,
            ALERTABLE
        ),
        Hresult::HOST_E_INTERRUPTED,
        "and the alert stays"
    );
    event.release();
}

#[test]
fn an_alert_is_a_latch_that_an_alertable_wait_takes() {
    at_workers(|bench| everywhere(bench, alerts));
}

/// A task that owns its thread blocks it, and is alerted all the same.
fn alerts_while_pinned(bench: &'static Bench) {
    me(bench);
    let manager = bench.tasks;
    let call = |slot: fn(Object) -> Hresult| assert_eq!(slot(manager), Hresult::S_OK);
    call(|manager| com!(manager, IHostTaskManagerVtbl, BeginThreadAffinity));
    alerts(bench);
    call(|manager| com!(manager, IHostTaskManagerVtbl, LeaveRuntime, 1));
    alerts(bench);
    call(|manager| com!(manager, IHostTaskManagerVtbl, EndThreadAffinity));
    call(|manager| com!(manager, IHostTaskManagerVtbl, ReverseEnterRuntime));
    alerts(bench);
    call(|manager| com!(manager, IHostTaskManagerVtbl, ReverseLeaveRuntime));
    call(|manager| com!(manager, IHostTaskManagerVtbl, EnterRuntime));
    alerts(bench);
}

#[test]
fn an_alert_reaches_a_task_that_owns_its_thread() {
    at_workers(|bench| everywhere(bench, alerts_while_pinned));
}

/// Many alerts meet many waits, half of them on a thread of the task's own. Each alert is taken by a wait after it, whatever
/// wakes before it were late.
#[test]
fn alerts_are_not_lost_between_waits_of_both_kinds() {
    const ROUNDS: u32 = 400;
    at_workers(|bench| {
        // SAFETY: the task has ended before this returns.
        let borrowed: &'static Bench = unsafe { &*std::ptr::from_ref(bench) };
        let event = auto_event(bench);
        let (round, taken) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let waiter = {
            let taken = Arc::clone(&taken);
            bench.start(move || {
                for wait in 0..ROUNDS {
                    let pinned = wait % 2 == 0;
                    let manager = borrowed.tasks;
                    if pinned {
                        assert_eq!(
                            com!(manager, IHostTaskManagerVtbl, LeaveRuntime, 1),
                            Hresult::S_OK
                        );
                    }
                    let result = match wait % 3 {
                        0 => wait_auto(event, INFINITE, ALERTABLE),
                        1 => com!(manager, IHostTaskManagerVtbl, Sleep, INFINITE, ALERTABLE),
                        _ => com!(me(borrowed), IHostTaskVtbl, Join, INFINITE, ALERTABLE),
                    };
                    assert_eq!(result, Hresult::HOST_E_INTERRUPTED);
                    if pinned {
                        assert_eq!(
                            com!(manager, IHostTaskManagerVtbl, EnterRuntime),
                            Hresult::S_OK
                        );
                    }
                    taken.fetch_add(1, Ordering::SeqCst);
                }
            })
        };
        while round.fetch_add(1, Ordering::SeqCst) < ROUNDS {
            let before = taken.load(Ordering::SeqCst);
            assert_eq!(com!(waiter, IHostTaskVtbl, Alert), Hresult::S_OK);
            eventually("the alert is taken", || {
                taken.load(Ordering::SeqCst) > before
            });
        }
        join(waiter);
        event.release();
    });
}

#[test]
fn an_alert_ends_the_wait_that_is_on() {
    at_workers(|bench| {
        let event = auto_event(bench);
        let waiting = bench.start(move || {
            assert_eq!(
                wait_auto(event, INFINITE, ALERTABLE),
                Hresult::HOST_E_INTERRUPTED
            );
        });
        thread::sleep(Duration::from_millis(1));
        assert_eq!(com!(waiting, IHostTaskVtbl, Alert), Hresult::S_OK);
        join(waiting);
        // An adopted thread is woken as well.
        let (tell, told) = std::sync::mpsc::channel();
        // SAFETY: the thread is joined below.
        let borrowed: &'static Bench = unsafe { &*std::ptr::from_ref(bench) };
        let adopted = thread::spawn(move || {
            let me = me(borrowed);
            tell.send(me).expect("the test waits for it");
            assert_eq!(
                wait_auto(event, INFINITE, ALERTABLE),
                Hresult::HOST_E_INTERRUPTED
            );
        });
        let task = told.recv().expect("it has told");
        thread::sleep(Duration::from_millis(1));
        assert_eq!(com!(task, IHostTaskVtbl, Alert), Hresult::S_OK);
        adopted.join().expect("no panic");
        event.release();
    });
}

#[test]
fn a_section_is_recursive_and_a_stranger_cannot_leave_it() {
    at_workers(|bench| {
        everywhere(bench, |bench| {
            let section = section(bench);
            let leave = move || com!(section, IHostCrstVtbl, Leave);
            let try_enter = move || {
                let mut entered = -1;
                assert_eq!(
                    com!(section, IHostCrstVtbl, TryEnter, 0, &raw mut entered),
                    Hresult::S_OK
                );
                entered
            };
            assert_eq!(leave(), Hresult::HOST_E_NOT_OWNER);
            for _ in 0..3 {
                assert_eq!(com!(section, IHostCrstVtbl, Enter, 4), Hresult::S_OK);
                assert_eq!(try_enter(), 1);
            }
            let stranger = bench.start(move || {
                assert_eq!(try_enter(), 0);
                assert_eq!(leave(), Hresult::HOST_E_NOT_OWNER);
            });
            join(stranger);
            thread::spawn(move || {
                assert_eq!(try_enter(), 0);
                assert_eq!(leave(), Hresult::HOST_E_NOT_OWNER);
            })
            .join()
            .expect("no panic");
            for _ in 0..6 {
                assert_eq!(leave(), Hresult::S_OK);
            }
            assert_eq!(
                leave(),
                Hresult::HOST_E_NOT_OWNER,
                "as often as it was entered"
            );
            section.release();
        });
    });
}

#[test]
fn one_at_a_time_is_in_a_section() {
    const ROUNDS: u32 = 300;
    at_workers(|bench| {
        let section = given(|out| {
            com!(
                bench.sync,
                IHostSyncManagerVtbl,
                CreateCrstWithSpinCount,
                50,
                out
            )
        });
        assert_eq!(
            com!(section, IHostCrstVtbl, SetSpinCount, 100),
            Hresult::S_OK
        );
        let (inside, done) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let work = |inside: &Arc<AtomicU32>, done: &Arc<AtomicU32>| {
            let (inside, done) = (Arc::clone(inside), Arc::clone(done));
            move || {
                for round in 0..ROUNDS {
                    assert_eq!(com!(section, IHostCrstVtbl, Enter, 0), Hresult::S_OK);
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    if round % 8 == 0 {
                        yield_now();
                    }
                    inside.fetch_sub(1, Ordering::SeqCst);
                    done.fetch_add(1, Ordering::SeqCst);
                    assert_eq!(com!(section, IHostCrstVtbl, Leave), Hresult::S_OK);
                }
            }
        };
        let tasks: Vec<_> = (0..4).map(|_| bench.start(work(&inside, &done))).collect();
        let threads: Vec<_> = (0..2)
            .map(|_| thread::spawn(work(&inside, &done)))
            .collect();
        tasks.into_iter().for_each(join);
        threads
            .into_iter()
            .for_each(|thread| thread.join().expect("no panic"));
        assert_eq!(done.load(Ordering::SeqCst), 6 * ROUNDS);
        section.release();
    });
}

#[test]
fn what_a_thread_entered_it_can_leave_when_it_has_become_a_task() {
    at_workers(|bench| {
        let section = section(bench);
        assert_eq!(com!(section, IHostCrstVtbl, Enter, 0), Hresult::S_OK);
        assert!(bench.host.current_task().is_none());
        let me = me(bench);
        assert!(bench.host.current_task().is_some() && !me.is_null());
        assert_eq!(com!(section, IHostCrstVtbl, Enter, 0), Hresult::S_OK);
        assert_eq!(com!(section, IHostCrstVtbl, Leave), Hresult::S_OK);
        assert_eq!(com!(section, IHostCrstVtbl, Leave), Hresult::S_OK);
        assert_eq!(
            com!(section, IHostCrstVtbl, Leave),
            Hresult::HOST_E_NOT_OWNER
        );
        section.release();
    });
}

#[test]
fn who_is_let_through_may_release_the_event_at_once() {
    at_workers(|bench| {
        for _ in 0..300 {
            let event = auto_event(bench);
            let waiter = bench.start(move || {
                assert_eq!(wait_auto(event, INFINITE, 0), Hresult::S_OK);
                assert_eq!(event.release(), 0, "the last one");
            });
            // The setter has no reference of its own.
            set_auto(event);
            join(waiter);
        }
    });
}

#[test]
fn a_shutdown_abandons_waits_on_events_and_only_those() {
    let _watchdog = common::Watchdog::new("shutdown".into());
    let bench = Bench::new(builder(2).tasks(TaskMode::Fiber));
    let (event, permits) = (auto_event(&bench), semaphore(&bench, 0, 1));
    let results = Arc::new(std::sync::Mutex::new(Vec::new()));
    let begun = Arc::new(AtomicU32::new(0));
    let waits: [Box<dyn Fn() -> Hresult + Send>; 3] = [
        Box::new(move || wait_auto(event, INFINITE, 0)),
        Box::new(move || wait_auto(event, INFINITE, ALERTABLE)),
        Box::new(move || com!(permits, IHostSemaphoreVtbl, Wait, INFINITE, ALERTABLE)),
    ];
    let tasks = waits.map(|wait| {
        let (results, begun) = (Arc::clone(&results), Arc::clone(&begun));
        bench.start(move || {
            begun.fetch_add(1, Ordering::SeqCst);
            let result = wait();
            results.lock().unwrap().push(result);
        })
    });
    eventually("all of them wait", || begun.load(Ordering::SeqCst) == 3);
    thread::sleep(SHORT);
    bench.host.shutdown(common::LONG).expect("all of them end");
    let mut results = results.lock().unwrap().clone();
    results.sort_by_key(|result| result.bits());
    assert_eq!(
        results,
        [
            Hresult::HOST_E_INTERRUPTED,
            Hresult::HOST_E_ABANDONED,
            Hresult::HOST_E_ABANDONED
        ]
    );
    release_all(tasks);
    release_all([event, permits]);
}

#[test]
fn a_thread_that_is_kept_out_can_still_wait() {
    with(builder(1).strangers(Strangers::Deny), |bench| {
        let mut task = std::ptr::dangling_mut();
        let asked = com!(
            bench.tasks,
            IHostTaskManagerVtbl,
            GetCurrentTask,
            &raw mut task
        );
        assert_eq!(asked, Hresult::HOST_E_INVALIDOPERATION);
        assert!(task.is_null());
        let (event, section) = (auto_event(bench), section(bench));
        let setter = bench.start(move || set_auto(event));
        assert_eq!(wait_auto(event, INFINITE, ALERTABLE), Hresult::S_OK);
        join(setter);
        assert_eq!(wait_auto(event, 2, ALERTABLE), Hresult::HOST_E_TIMEOUT);
        assert_eq!(com!(section, IHostCrstVtbl, Enter, 4), Hresult::S_OK);
        assert_eq!(com!(section, IHostCrstVtbl, Leave), Hresult::S_OK);
        release_all([event, section]);
    });
}
