//! The transition hooks and thread affinity: what they answer, and what they do to the task's thread.

mod common;
#[macro_use]
mod hosting;
#[path = "hosting_transitions/thread_state.rs"]
mod thread_state;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::os_thread;
use fiberhost::com::Hresult;
use fiberhost::scheduler::yield_now;
use fiberhost::views::Views;
use fiberhost::{DEPTH_MAX, Hooks, Learning, State, TaskMode};
use hosting::{Bench, Object, at, at_workers, builder, given, with};

#[derive(Clone, Copy, Debug)]
enum Hook {
    Leave,
    Enter,
    ReverseEnter,
    ReverseLeave,
}
use Hook::{Enter, Leave, ReverseEnter, ReverseLeave};

fn call(bench: &Bench, hook: Hook) -> Hresult {
    let manager: Object = bench.tasks;
    match hook {
        Leave => com!(manager, IHostTaskManagerVtbl, LeaveRuntime, 0x1000),
        Enter => com!(manager, IHostTaskManagerVtbl, EnterRuntime),
        ReverseEnter => com!(manager, IHostTaskManagerVtbl, ReverseEnterRuntime),
        ReverseLeave => com!(manager, IHostTaskManagerVtbl, ReverseLeaveRuntime),
    }
}

fn transition(bench: &Bench) -> (State, u64) {
    bench.host.current_task().expect("a task").transition()
}

/// For what runs in a task that has ended before the caller returns.
fn borrowed(bench: &Bench) -> &'static Bench {
    // SAFETY: as above.
    unsafe { &*std::ptr::from_ref(bench) }
}

#[test]
fn the_chain_of_six_steps() {
    at_workers(|bench| {
        let bench = borrowed(bench);
        bench.run(move || {
            use State::{Base, Managed, Native};
            assert_eq!(transition(bench), (Base, 0));
            for (hook, state, depth) in [
                (Leave, Native, 1),
                (ReverseEnter, Managed, 2),
                (Leave, Native, 3),
                (Enter, Managed, 2),
                (ReverseLeave, Native, 1),
                (Enter, Base, 0),
            ] {
                assert_eq!(call(bench, hook), Hresult::S_OK, "{hook:?}");
                assert_eq!(transition(bench), (state, depth), "{hook:?}");
            }
        });
    });
}

#[test]
fn an_end_without_its_begin_changes_nothing_and_is_counted() {
    at_workers(|bench| {
        let bench = borrowed(bench);
        bench.run(move || {
            let stray = || bench.host.figures().stray_hooks;
            let refused: [(&[Hook], &[Hook]); 3] = [
                (&[], &[Enter, ReverseLeave]),
                (&[Leave], &[ReverseLeave]),
                (&[Leave, ReverseEnter], &[Enter]),
            ];
            for (before, ends) in refused {
                for hook in before {
                    assert_eq!(call(bench, *hook), Hresult::S_OK);
                }
                for end in ends {
                    let (was, counted) = (transition(bench), stray());
                    assert_eq!(
                        call(bench, *end),
                        Hresult::E_UNEXPECTED,
                        "{before:?} {end:?}"
                    );
                    assert_eq!(transition(bench), was);
                    assert_eq!(stray(), counted + 1);
                }
                for hook in before.iter().rev() {
                    let end = if matches!(hook, Leave) {
                        Enter
                    } else {
                        ReverseLeave
                    };
                    assert_eq!(call(bench, end), Hresult::S_OK);
                }
            }
        });
    });
}

#[test]
fn a_thread_that_is_no_task_has_no_transitions() {
    at(1, TaskMode::Fiber, |bench| {
        for hook in [Leave, Enter, ReverseEnter, ReverseLeave] {
            assert_eq!(
                call(bench, hook),
                Hresult::HOST_E_INVALIDOPERATION,
                "{hook:?}"
            );
        }
        assert_eq!(bench.host.figures().stray_hooks, 4);
        assert!(bench.host.current_task().is_none());
    });
}

#[test]
fn frames_may_be_as_deep_as_the_limit_and_no_deeper() {
    at(2, TaskMode::Fiber, |bench| {
        let bench = borrowed(bench);
        const { assert!(DEPTH_MAX >= 1024) };
        bench.run(move || {
            for depth in 0..DEPTH_MAX {
                let hook = if depth % 2 == 0 { ReverseEnter } else { Leave };
                assert_eq!(call(bench, hook), Hresult::S_OK);
            }
            // In unmanaged code: a callback is refused, and leaving once more never is.
            assert_eq!(call(bench, ReverseEnter), Hresult::E_OUTOFMEMORY);
            assert_eq!(transition(bench), (State::Native, DEPTH_MAX));
            assert_eq!(call(bench, Leave), Hresult::S_OK);
            assert_eq!(call(bench, Enter), Hresult::S_OK);
            for depth in (0..DEPTH_MAX).rev() {
                let hook = if depth % 2 == 0 { ReverseLeave } else { Enter };
                assert_eq!(call(bench, hook), Hresult::S_OK);
            }
            assert_eq!(transition(bench), (State::Base, 0));
        });
    });
}

/// Unmanaged code and what it calls back see one thread, on which nobody else runs; afterwards the task moves again.
#[test]
fn unmanaged_code_keeps_its_thread_for_itself() {
    at(4, TaskMode::Fiber, |bench| {
        let bench = borrowed(bench);
        let stop = Arc::new(AtomicBool::new(false));
        let alone = Arc::new(std::sync::Mutex::new(None));
        let others: Vec<_> = (0..8)
            .map(|_| {
                let (stop, alone) = (Arc::clone(&stop), Arc::clone(&alone));
                bench.start(move || {
                    while !stop.load(Ordering::SeqCst) {
                        let owner: Option<libc::pid_t> = *alone.lock().unwrap();
                        if owner.is_some() {
                            // Whoever looks at this moment is not where the owner is.
                            assert_ne!(owner, Some(os_thread()));
                        }
                        yield_now();
                    }
                })
            })
            .collect();
        let mine = Arc::clone(&alone);
        bench.run(move || {
            for _ in 0..20 {
                assert_eq!(call(bench, Leave), Hresult::S_OK);
                let thread = os_thread();
                *mine.lock().unwrap() = Some(thread);
                for _ in 0..5 {
                    assert_eq!(call(bench, ReverseEnter), Hresult::S_OK);
                    assert_eq!(
                        com!(bench.tasks, IHostTaskManagerVtbl, Sleep, 1, 0),
                        Hresult::S_OK
                    );
                    // Whether somebody wanted the slot.
                    let others = com!(bench.tasks, IHostTaskManagerVtbl, SwitchToTask, 0);
                    assert!([Hresult::S_OK, Hresult::S_FALSE].contains(&others));
                    assert_eq!(os_thread(), thread, "what is called back");
                    assert_eq!(call(bench, ReverseLeave), Hresult::S_OK);
                    assert_eq!(os_thread(), thread, "the unmanaged code");
                }
                *mine.lock().unwrap() = None;
                assert_eq!(call(bench, Enter), Hresult::S_OK);
                while os_thread() == thread {
                    yield_now();
                }
            }
        });
        stop.store(true, Ordering::SeqCst);
        others.into_iter().for_each(hosting::join);
    });
}

/// Managed code that unannounced unmanaged code calls: what lies below is not ours.
#[test]
fn a_callback_without_an_announced_call_holds_the_task_too() {
    at(4, TaskMode::Fiber, |bench| {
        let bench = borrowed(bench);
        bench.run(move || {
            assert_eq!(call(bench, ReverseEnter), Hresult::S_OK);
            let thread = os_thread();
            for _ in 0..50 {
                yield_now();
                assert_eq!(os_thread(), thread);
            }
            assert_eq!(call(bench, ReverseLeave), Hresult::S_OK);
            while os_thread() == thread {
                yield_now();
            }
        });
    });
}

#[test]
fn an_unwinding_ends_transitions_as_returns_do() {
    common::expect_panics();
    at_workers(|bench| {
        let bench = borrowed(bench);
        bench.run(move || {
            let seen = std::cell::RefCell::new(Vec::new());
            let see = common::OnDrop(|| seen.borrow_mut().push(transition(bench)));
            let host = &bench.host;
            let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                host.leave(1, || {
                    let _outer = common::OnDrop(|| seen.borrow_mut().push(transition(bench)));
                    host.callback(|| {
                        let _middle = common::OnDrop(|| seen.borrow_mut().push(transition(bench)));
                        host.leave::<()>(2, || panic!("expected: in unmanaged code"))
                    })
                })
            }));
            assert!(panicked.is_err());
            drop(see);
            let states = [(State::Managed, 2), (State::Native, 1), (State::Base, 0)];
            assert_eq!(*seen.borrow(), states);
        });
        let closed = bench.host.leave(0, || unreachable!());
        assert_eq!(
            closed,
            Err::<(), _>(Hresult::HOST_E_INVALIDOPERATION),
            "a thread that is no task"
        );
    });
}

/// What a runtime announces is learned from: a quick function is trusted, one that calls back is not.
#[test]
fn announced_calls_are_learned_from() {
    let learning = Learning {
        slow: std::time::Duration::from_secs(5),
        quick_calls: 10,
        slow_calls: 1,
        check_every: 1000,
    };
    let builder = builder(1)
        .tasks(TaskMode::Fiber)
        .hooks(Hooks::Learned(learning));
    with(builder, |bench| {
        let bench = borrowed(bench);
        let needs = move |target: usize| {
            let mut needs = -1;
            let answer = com!(
                bench.tasks,
                IHostTaskManagerVtbl,
                CallNeedsHostHook,
                target,
                &raw mut needs
            );
            assert_eq!(answer, Hresult::S_OK);
            needs
        };
        bench.run(move || {
            let host = &bench.host;
            let (quick, calls_back) = (0x1000, 0x2000);
            // Twice each time.
            for call in 0..5 {
                assert_eq!((needs(quick), needs(calls_back)), (1, 1), "{call}");
                host.leave(quick, || ()).expect("a task");
                // The function that is called from inside is a quick one too.
                host.leave(calls_back, || host.callback(|| host.leave(quick, || ())))
                    .expect("a task")
                    .expect("a callback")
                    .expect("a call");
            }
            // The first look at a trusted one is announced.
            assert_eq!([needs(quick), needs(quick), needs(quick)], [1, 0, 0]);
            assert_eq!(needs(calls_back), 1);
        });
        assert_eq!(needs(0x1000), 0, "for all tasks");
        // What the operator sees of it.
        let rows = Views::take(bench.host.scheduler(), &[&bench.host]).native_functions();
        let row = |address: usize| {
            let mut rows = rows.iter();
            rows.find(|row| row.function_address == address)
        };
        let quick = row(0x1000).expect("it is known");
        assert_eq!((quick.policy, quick.callbacks_count), ("TRUSTED", 0));
        // Asked four times since it is trusted, and announced the first time.
        assert_eq!((quick.calls_count, quick.unannounced_calls_count), (10, 3));
        assert!(quick.max_time_ms <= quick.time_ms);
        let calls_back = row(0x2000).expect("it is known");
        assert_eq!(calls_back.policy, "CALLS BACK");
        assert_eq!((calls_back.calls_count, calls_back.callbacks_count), (0, 5));
        assert_eq!(rows.len(), 2);
    });
}

fn begin(bench: &Bench) -> Hresult {
    com!(bench.tasks, IHostTaskManagerVtbl, BeginThreadAffinity)
}

fn end(bench: &Bench) -> Hresult {
    com!(bench.tasks, IHostTaskManagerVtbl, EndThreadAffinity)
}

#[test]
fn affinity_is_counted_and_crosses_transitions() {
    at(4, TaskMode::Fiber, |bench| {
        let bench = borrowed(bench);
        bench.run(move || {
            assert_eq!(end(bench), Hresult::E_UNEXPECTED);
            // Begun before, ended inside; begun inside, ended after.
            assert_eq!(begin(bench), Hresult::S_OK);
            let thread = os_thread();
            assert_eq!(call(bench, Leave), Hresult::S_OK);
            assert_eq!(begin(bench), Hresult::S_OK);
            assert_eq!(end(bench), Hresult::S_OK);
            assert_eq!(begin(bench), Hresult::S_OK);
            assert_eq!(call(bench, Enter), Hresult::S_OK);
            assert_eq!(transition(bench), (State::Base, 0));
            for left in [1, 0] {
                for _ in 0..30 {
                    yield_now();
                    assert_eq!(os_thread(), thread, "{left} left after the next end");
                }
                assert_eq!(end(bench), Hresult::S_OK);
            }
            assert_eq!(end(bench), Hresult::E_UNEXPECTED);
            while os_thread() == thread {
                yield_now();
            }
        });
    });
}

#[test]
fn affinity_counts_without_a_task_and_moves_to_it() {
    at_workers(|bench| {
        assert_eq!(end(bench), Hresult::E_UNEXPECTED);
        assert_eq!(begin(bench), Hresult::S_OK);
        assert_eq!(begin(bench), Hresult::S_OK);
        assert_eq!(end(bench), Hresult::S_OK);
        assert!(bench.host.current_task().is_none());
        // The thread becomes a task inside the region.
        let me = given(|out| com!(bench.tasks, IHostTaskManagerVtbl, GetCurrentTask, out));
        me.release();
        assert_eq!(end(bench), Hresult::S_OK);
        assert_eq!(end(bench), Hresult::E_UNEXPECTED);
        assert_eq!(call(bench, Leave), Hresult::S_OK);
        assert_eq!(transition(bench), (State::Native, 1));
        assert_eq!(call(bench, Enter), Hresult::S_OK);
    });
}

#[test]
fn after_a_shutdown_ends_still_end() {
    at(1, TaskMode::Fiber, |bench| {
        let me = given(|out| com!(bench.tasks, IHostTaskManagerVtbl, GetCurrentTask, out));
        for hook in [Leave, ReverseEnter, Leave] {
            assert_eq!(call(bench, hook), Hresult::S_OK);
        }
        bench.host.gate().shut();
        assert_eq!(
            call(bench, Leave),
            Hresult::S_OK,
            "never refused in unmanaged code"
        );
        for hook in [Enter, Enter] {
            assert_eq!(call(bench, hook), Hresult::S_OK);
        }
        assert_eq!(call(bench, Leave), Hresult::HOST_E_CLRNOTAVAILABLE);
        assert_eq!(call(bench, ReverseEnter), Hresult::HOST_E_CLRNOTAVAILABLE);
        for hook in [ReverseLeave, Enter] {
            assert_eq!(call(bench, hook), Hresult::S_OK);
        }
        me.release();
    });
}
