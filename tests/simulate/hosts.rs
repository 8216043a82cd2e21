//! Programs of a runtime's tasks on a simulated host, called through its tables, each with what must hold at its end in
//! whatever order its tasks have run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use fiberhost::com::table::{self, ThreadStartRoutine};
use fiberhost::com::{Hresult, INFINITE};
use fiberhost::scheduler::{Builder, simulate};
use fiberhost::{Host, TaskMode};

use crate::hosting::{Bench, Object, given, join, routine};

/// Far longer than anything here takes in a simulation's time.
const LONG: Duration = Duration::from_secs(3600);
const ALERTABLE: u32 = 2;

/// A host on a simulated scheduler, and its end: nothing may be left but what it has by itself.
fn with(builder: Builder, mode: TaskMode, test: impl Fn(&'static Bench)) {
    let settings = Host::builder().scheduler_settings(builder).tasks(mode);
    let bench = Bench::new(settings);
    {
        // SAFETY: what gets the reference has ended before this returns.
        let bench: &'static Bench = unsafe { &*std::ptr::from_ref(&bench) };
        test(bench);
    }
    bench.host.release_thread();
    bench.host.shutdown(LONG).expect("no task is left");
    assert_eq!(bench.host.figures().objects, bench.own);
    let stats = bench.host.scheduler().stats();
    assert_eq!(stats.spawned, stats.ended, "every task ends once");
}

fn on_fibers(builder: Builder, test: impl Fn(&'static Bench)) {
    with(builder, TaskMode::Fiber, test);
}

fn section(bench: &Bench) -> Object {
    given(|out| com!(bench.sync, IHostSyncManagerVtbl, CreateCrst, out))
}

fn auto_event(bench: &Bench) -> Object {
    given(|out| com!(bench.sync, IHostSyncManagerVtbl, CreateAutoEvent, out))
}

fn wait(event: Object, milliseconds: u32, option: u32) -> Hresult {
    com!(event, IHostAutoEventVtbl, Wait, milliseconds, option)
}

#[track_caller]
fn set(event: Object) {
    assert_eq!(com!(event, IHostAutoEventVtbl, Set), Hresult::S_OK);
}

fn enter(section: Object) -> Hresult {
    com!(section, IHostCrstVtbl, Enter, 0)
}

#[track_caller]
fn leave(section: Object) {
    assert_eq!(com!(section, IHostCrstVtbl, Leave), Hresult::S_OK);
}

/// One at a time is in a section, and nobody's work is lost; sets and waits of an event come in pairs.
pub(crate) fn sections_and_events(builder: Builder) {
    on_fibers(builder, sections_and_events_of);
}

/// The same with tasks on threads of their own.
pub(crate) fn threads(builder: Builder) {
    with(builder, TaskMode::Thread, sections_and_events_of);
}

fn sections_and_events_of(bench: &'static Bench) {
    let (section, event) = (section(bench), auto_event(bench));
    let (inside, done, heard) = (
        Arc::new(AtomicU32::new(0)),
        Arc::new(AtomicU32::new(0)),
        Arc::new(AtomicU32::new(0)),
    );
    let workers: Vec<Object> = (0..3)
        .map(|_| {
            let (inside, done) = (Arc::clone(&inside), Arc::clone(&done));
            bench.start(move || {
                for _ in 0..2 {
                    assert_eq!(enter(section), Hresult::S_OK);
                    assert_eq!(inside.fetch_add(1, SeqCst), 0, "one at a time");
                    simulate::point();
                    assert_eq!(inside.fetch_sub(1, SeqCst), 1);
                    leave(section);
                    done.fetch_add(1, SeqCst);
                    set(event);
                }
            })
        })
        .collect();
    let listener = {
        let (done, heard) = (Arc::clone(&done), Arc::clone(&heard));
        bench.start(move || {
            // A set that finds another one is the same one, so fewer may come than were made; the last is never lost.
            while done.load(SeqCst) < 6 {
                assert_eq!(wait(event, INFINITE, 0), Hresult::S_OK);
                heard.fetch_add(1, SeqCst);
            }
        })
    };
    for task in workers {
        join(task);
    }
    join(listener);
    assert_eq!(done.load(SeqCst), 6);
    assert!((0..=6).contains(&heard.load(SeqCst)));
    section.release();
    event.release();
}

/// An alert ends one alertable wait, now or later, and no other one; a wait with a limit ends with its limit.
pub(crate) fn alerts(builder: Builder) {
    on_fibers(builder, |bench| {
        let event = auto_event(bench);
        let count = Arc::new(AtomicU32::new(0));
        let waiter = {
            let count = Arc::clone(&count);
            bench.start(move || {
                // Not alertable: an alert that has come stays for the next one.
                assert_eq!(wait(event, 5, 0), Hresult::HOST_E_TIMEOUT);
                assert_eq!(
                    wait(event, INFINITE, ALERTABLE),
                    Hresult::HOST_E_INTERRUPTED
                );
                assert_eq!(wait(event, 5, ALERTABLE), Hresult::HOST_E_TIMEOUT);
                count.fetch_add(1, SeqCst);
            })
        };
        let alerter = {
            let count = Arc::clone(&count);
            bench.start(move || {
                simulate::point();
                assert_eq!(com!(waiter, IHostTaskVtbl, Alert), Hresult::S_OK);
                count.fetch_add(1, SeqCst);
            })
        };
        join(alerter);
        join(waiter);
        assert_eq!(count.load(SeqCst), 2);
        event.release();
    });
}

/// Two take two sections in opposite orders. If they close a circle one wait of it is broken, and never without one.
pub(crate) fn deadlocks(builder: Builder) {
    on_fibers(builder, |bench| {
        let sections = [section(bench), section(bench)];
        let (done, broken) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let tasks = [(0, 1), (1, 0)].map(|(first, second)| {
            let (done, broken) = (Arc::clone(&done), Arc::clone(&broken));
            bench.start(move || {
                assert_eq!(enter(sections[first]), Hresult::S_OK, "it closes no circle");
                simulate::point();
                match enter(sections[second]) {
                    Hresult::S_OK => {
                        done.fetch_add(1, SeqCst);
                        leave(sections[second]);
                    }
                    other => {
                        assert_eq!(other, Hresult::HOST_E_DEADLOCK);
                        broken.fetch_add(1, SeqCst);
                    }
                }
                leave(sections[first]);
            })
        });
        for task in tasks {
            join(task);
        }
        let broken = broken.load(SeqCst);
        assert!(broken <= 1, "one victim for one circle");
        assert_eq!(done.load(SeqCst) + broken, 2);
        assert_eq!(bench.host.figures().deadlocks_broken, u64::from(broken));
        for section in sections {
            section.release();
        }
    });
}

/// Tasks go through unmanaged code that takes its time, is called back and waits there.
pub(crate) fn transitions(builder: Builder) {
    on_fibers(builder, |bench| {
        let tasks_object = bench.tasks;
        let event = auto_event(bench);
        let calls = Arc::new(AtomicU32::new(0));
        let callers: Vec<Object> = (0..2)
            .map(|_| {
                let calls = Arc::clone(&calls);
                bench.start(move || {
                    let me =
                        given(|out| com!(tasks_object, IHostTaskManagerVtbl, GetCurrentTask, out));
                    me.release();
                    let hook = |answer| assert_eq!(answer, Hresult::S_OK);
                    hook(com!(
                        tasks_object,
                        IHostTaskManagerVtbl,
                        LeaveRuntime,
                        0x1230
                    ));
                    simulate::pass(Duration::from_millis(30));
                    hook(com!(
                        tasks_object,
                        IHostTaskManagerVtbl,
                        ReverseEnterRuntime
                    ));
                    assert_eq!(wait(event, INFINITE, 0), Hresult::S_OK);
                    calls.fetch_add(1, SeqCst);
                    hook(com!(
                        tasks_object,
                        IHostTaskManagerVtbl,
                        ReverseLeaveRuntime
                    ));
                    simulate::pass(Duration::from_millis(1));
                    hook(com!(tasks_object, IHostTaskManagerVtbl, EnterRuntime));
                    set(event);
                })
            })
            .collect();
        let opener = bench.start(move || set(event));
        join(opener);
        for task in callers {
            join(task);
        }
        assert_eq!(calls.load(SeqCst), 2);
        assert_eq!(bench.host.figures().stray_hooks, 0);
        event.release();
    });
}

/// What is queued is done once, also what is queued just before the end.
pub(crate) fn pool(builder: Builder) {
    let done = Arc::new(AtomicU32::new(0));
    on_fibers(builder, |bench| {
        for _ in 0..4 {
            let done = Arc::clone(&done);
            let (function, context): (ThreadStartRoutine, _) = routine(move || {
                simulate::point();
                done.fetch_add(1, SeqCst);
            });
            let queued = com!(
                bench.pool,
                IHostThreadpoolManagerVtbl,
                QueueUserWorkItem,
                Some(function),
                context,
                0
            );
            assert_eq!(queued, Hresult::S_OK);
        }
    });
    assert_eq!(
        done.load(SeqCst),
        4,
        "the shutdown finishes what was queued"
    );
}

/// The thread that built the host becomes a task of it, and meets one of its tasks.
pub(crate) fn strangers(builder: Builder) {
    on_fibers(builder, |bench| {
        let (there, back) = (auto_event(bench), auto_event(bench));
        let me = given(|out| com!(bench.tasks, IHostTaskManagerVtbl, GetCurrentTask, out));
        me.release();
        let task = bench.start(move || {
            for _ in 0..2 {
                assert_eq!(wait(there, INFINITE, 0), Hresult::S_OK);
                set(back);
            }
        });
        for _ in 0..2 {
            set(there);
            assert_eq!(wait(back, INFINITE, ALERTABLE), Hresult::S_OK);
        }
        join(task);
        there.release();
        back.release();
    });
}

/// What a simulated host cannot have is refused, and no callback is taken that nobody would call.
#[test]
fn what_is_not_simulated_is_refused() {
    let simulated = || fiberhost::scheduler::Scheduler::builder().simulate(3);
    let with_transfers = Host::builder()
        .scheduler_settings(simulated())
        .io_completion(fiberhost::IoEngine::Detect)
        .build();
    let error = with_transfers.expect_err("they are not simulated");
    assert_eq!(error.kind(), std::io::ErrorKind::Unsupported);
    assert!(!simulate::is_on(), "nothing is left of it");

    let host = Host::builder()
        .scheduler_settings(simulated())
        .memory(fiberhost::MemoryLimits::default())
        .build()
        .expect("memory without a callback is simulated");
    let control = Object::new(host.control().as_ptr());
    let iid = table::IID_IHostMemoryManager;
    let memory = given(|out| {
        com!(
            control,
            IHostControlVtbl,
            GetHostManager,
            &raw const iid,
            out
        )
    });
    let callback = crate::hosting::fake::Recorder::new(|_, _| Hresult::S_OK);
    let answer = com!(
        memory,
        IHostMemoryManagerVtbl,
        RegisterMemoryNotificationCallback,
        callback.object().get()
    );
    assert_eq!(answer, Hresult::E_NOTIMPL);
    memory.release();
    host.shutdown(LONG).expect("no task is left");
}
