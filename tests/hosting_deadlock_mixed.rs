//! Circles that go through waits of a runtime and through the scheduler's own: each is found when its last wait begins.

mod common;
#[macro_use]
mod hosting;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;

use common::{LONG, eventually};
use fiberhost::TaskMode;
use fiberhost::com::{Hresult, INFINITE};
use fiberhost::scheduler::sync::{AutoResetEvent, RawMutex};
use fiberhost::scheduler::{Blocker, JoinHandle, Wake, park, spawn};
use hosting::actor::Actor;
use hosting::locks::{Locks, enter, leave, monitor, section, set, wait};
use hosting::{Bench, at, at_workers, given, release_all};

const NOT_IN_DEADLOCK: u32 = 4;

fn broken(bench: &Bench) -> u64 {
    bench.host.figures().deadlocks_broken
}

fn taken(lock: &Arc<RawMutex>) -> impl FnOnce() -> Hresult + Send + 'static {
    let lock = Arc::clone(lock);
    move || {
        lock.lock_through();
        Hresult::S_OK
    }
}

fn given_back(lock: &Arc<RawMutex>) -> impl FnOnce() -> Hresult + Send + 'static {
    let lock = Arc::clone(lock);
    move || {
        lock.unlock().expect("it is ours");
        Hresult::S_OK
    }
}

/// A wait for a mutex that may be broken.
fn or_deadlock(lock: &Arc<RawMutex>) -> impl FnOnce() -> Hresult + Send + 'static {
    let lock = Arc::clone(lock);
    move || match lock.lock_or_deadlock() {
        Ok(wake) => {
            assert_eq!(wake, Wake::Signalled);
            Hresult::S_OK
        }
        Err(circle) => {
            assert_eq!(circle.tasks().len(), 2, "{circle}");
            Hresult::HOST_E_DEADLOCK
        }
    }
}

/// One waits for the monitor of another that waits for a mutex of the first; whichever wait is the last, and whichever of
/// them can be broken; as tasks, as adopted threads, and mixed.
#[test]
fn a_monitor_and_a_mutex() {
    at_workers(|bench| {
        let locks = Locks::new(bench);
        for kinds in 0..4 {
            for monitor_last in [false, true] {
                for monitor_breaks in [false, true] {
                    let actor = |thread: bool| match thread {
                        true => Actor::thread(bench),
                        false => Actor::task(bench),
                    };
                    let (a, b) = (actor(kinds & 1 != 0), actor(kinds & 2 != 0));
                    let before = broken(bench);
                    let one = monitor(bench, 1);
                    let lock = Arc::new(RawMutex::new());
                    a.call(taken(&lock));
                    locks.own(1, b.task);
                    let option = if monitor_breaks { 0 } else { NOT_IN_DEADLOCK };
                    let waits_for_monitor = wait(one, option);
                    let wants_lock = || {
                        if monitor_breaks {
                            b.begin(taken(&lock));
                        } else {
                            b.begin(or_deadlock(&lock));
                        }
                    };
                    if monitor_last {
                        wants_lock();
                        eventually("it waits", || lock.waiters() == 1);
                        a.begin(waits_for_monitor);
                    } else {
                        let asked = locks.asked.load(Ordering::SeqCst);
                        a.begin(waits_for_monitor);
                        eventually("the owner was asked for", || {
                            locks.asked.load(Ordering::SeqCst) > asked
                        });
                        wants_lock();
                    }
                    if monitor_breaks {
                        assert_eq!(a.ends(), Hresult::HOST_E_DEADLOCK);
                        b.still_waits();
                        a.call(given_back(&lock));
                        assert_eq!(b.ends(), Hresult::S_OK);
                        b.call(given_back(&lock));
                        locks.disown(1);
                        assert_eq!(broken(bench), before + 1);
                    } else {
                        assert_eq!(b.ends(), Hresult::HOST_E_DEADLOCK);
                        a.still_waits();
                        locks.disown(1);
                        set(one);
                        assert_eq!(a.ends(), Hresult::S_OK);
                        a.call(given_back(&lock));
                        assert_eq!(broken(bench), before, "the scheduler's wait was");
                    }
                    a.end();
                    b.end();
                    one.release();
                }
            }
        }
    });
}

/// The owner of a section joins, by the scheduler's handle, a task that waits for the section.
#[test]
fn a_section_and_a_join_of_the_schedulers() {
    for last_is_join in [false, true] {
        at_workers(|bench| {
            let one = section(bench);
            let a = Actor::task(bench);
            a.call(enter(one, 0));
            let go = Arc::new(AutoResetEvent::new(false));
            let (its_go, tasks) = (Arc::clone(&go), bench.tasks);
            let (tell, told) = channel();
            let (tell_handle, handles) = channel::<JoinHandle<Hresult>>();
            a.call(move || {
                let handle = spawn(move || {
                    let me = given(|out| com!(tasks, IHostTaskManagerVtbl, GetCurrentTask, out));
                    me.release();
                    tell.send(()).expect("the test waits for it");
                    assert_eq!(its_go.wait(), Wake::Signalled);
                    let entered = com!(one, IHostCrstVtbl, Enter, NOT_IN_DEADLOCK);
                    assert_eq!(com!(one, IHostCrstVtbl, Leave), Hresult::S_OK);
                    entered
                });
                tell_handle.send(handle).expect("the test waits for it");
                Hresult::S_OK
            });
            told.recv_timeout(LONG).expect("it runs");
            let handle = handles.recv_timeout(LONG).expect("it was spawned");
            let other = handle.task().clone();
            let (keep, kept) = channel();
            let joins = move || {
                // One of the two cannot be broken, so it is this one.
                let joined = handle.task().wait();
                let result = match &joined {
                    Err(error) if error.is_deadlock() => Hresult::HOST_E_DEADLOCK,
                    other => panic!("{other:?}"),
                };
                keep.send(handle).expect("the test waits for it");
                result
            };
            if last_is_join {
                go.set();
                eventually("it waits for the section", || {
                    other.wait_reason() == fiberhost::scheduler::WaitReason::Mutex
                });
                a.begin(joins);
            } else {
                a.begin(joins);
                a.still_waits();
                go.set();
            }
            assert_eq!(a.ends(), Hresult::HOST_E_DEADLOCK);
            a.call(leave(one));
            let handle = kept.recv_timeout(LONG).expect("it was joined");
            assert_eq!(handle.join().expect("no panic"), Hresult::S_OK);
            a.end();
            one.release();
        });
    }
}

/// Four of all kinds: a section, a monitor, a mutex, and a task's end.
#[test]
fn a_circle_of_four_kinds() {
    at_workers(|bench| {
        let locks = Locks::new(bench);
        let actors: Vec<Actor> = (0..4)
            .map(|at| match at {
                1 => Actor::thread(bench),
                _ => Actor::task(bench),
            })
            .collect();
        let [a, b, c, d] = &actors[..] else {
            unreachable!("there are four")
        };
        let (one, two) = (section(bench), monitor(bench, 2));
        let lock = Arc::new(RawMutex::new());
        // The first waits for the section of the second, that for the monitor of the third, that for the mutex of the fourth,
        // and that for the first's end.
        b.call(enter(one, 0));
        locks.own(2, c.task);
        d.call(taken(&lock));
        a.begin(enter(one, NOT_IN_DEADLOCK));
        b.begin(wait(two, NOT_IN_DEADLOCK));
        let end = a.task;
        d.begin(hosting::locks::join_it(end, 0));
        for actor in [a, b, d] {
            actor.still_waits();
        }
        c.begin(taken(&lock));
        assert_eq!(d.ends(), Hresult::HOST_E_DEADLOCK);
        for actor in [a, b, c] {
            actor.still_waits();
        }
        d.call(given_back(&lock));
        assert_eq!(c.ends(), Hresult::S_OK);
        c.call(given_back(&lock));
        locks.disown(2);
        set(two);
        assert_eq!(b.ends(), Hresult::S_OK);
        b.call(leave(one));
        assert_eq!(a.ends(), Hresult::S_OK);
        a.call(leave(one));
        assert_eq!(broken(bench), 1);
        actors.into_iter().for_each(Actor::end);
        release_all([one, two]);
    });
}

/// Code that was called back waits for a monitor of a task that has started on the same thread, and cannot run there
/// meanwhile. On fibers: no two tasks share a thread otherwise.
#[test]
fn a_monitor_of_a_task_that_needs_the_waiters_thread() {
    at(1, TaskMode::Fiber, |bench| {
        let locks = Locks::new(bench);
        let one = monitor(bench, 1);
        let (tasks, owners) = (bench.tasks, Arc::clone(&locks.owners));
        let me = move || given(|out| com!(tasks, IHostTaskManagerVtbl, GetCurrentTask, out));
        let scheduler = bench.host.scheduler().clone();
        scheduler.run(move || {
            let owns = Arc::new(AutoResetEvent::new(false));
            let tells = Arc::clone(&owns);
            let other = spawn(move || {
                let mine = me();
                owners.lock().unwrap().insert(1, vec![mine]);
                tells.set();
                park();
                owners.lock().unwrap().remove(&1);
                mine.release();
            });
            owns.wait();
            me().release();
            for hook in [true, false] {
                let call = |call: Hresult| assert_eq!(call, Hresult::S_OK);
                if hook {
                    call(com!(tasks, IHostTaskManagerVtbl, LeaveRuntime, 1));
                }
                call(com!(tasks, IHostTaskManagerVtbl, ReverseEnterRuntime));
                let waited = com!(one, IHostAutoEventVtbl, Wait, INFINITE, 0);
                assert_eq!(waited, Hresult::HOST_E_DEADLOCK);
                call(com!(tasks, IHostTaskManagerVtbl, ReverseLeaveRuntime));
                if hook {
                    call(com!(tasks, IHostTaskManagerVtbl, EnterRuntime));
                }
            }
            other.task().unpark();
            other.join().expect("no panic");
        });
        assert_eq!(broken(bench), 2);
        one.release();
        locks.check();
    });
}

/// Who is told of circles is told of these, with the names of what is waited for.
#[test]
fn the_circle_is_told_with_what_is_waited_for() {
    let told = Arc::new(std::sync::Mutex::new(Vec::new()));
    let tells = Arc::clone(&told);
    let settings = fiberhost::scheduler::Scheduler::builder()
        .workers(2)
        .check_invariants(true)
        .on_deadlock(move |circle| {
            let why = circle.tasks().iter().map(|(_, why)| *why);
            tells.lock().unwrap().push(why.collect::<Vec<Blocker>>());
        });
    let builder = fiberhost::Host::builder()
        .scheduler_settings(settings)
        .tasks(TaskMode::Fiber);
    hosting::with(builder, |bench| {
        let locks = Locks::new(bench);
        let (a, b) = (Actor::task(bench), Actor::task(bench));
        let (one, two) = (monitor(bench, 1), section(bench));
        locks.own(1, b.task);
        a.call(enter(two, 0));
        a.begin(wait(one, NOT_IN_DEADLOCK));
        a.still_waits();
        b.begin(enter(two, 0));
        assert_eq!(b.ends(), Hresult::HOST_E_DEADLOCK);
        set(one);
        assert_eq!(a.ends(), Hresult::S_OK);
        a.call(leave(two));
        eventually("somebody was told", || !told.lock().unwrap().is_empty());
        let section = Blocker::Outer("waits for a critical section of");
        let monitor = Blocker::Outer("waits for a monitor of");
        assert_eq!(*told.lock().unwrap(), [vec![section, monitor]]);
        a.end();
        b.end();
        release_all([one, two]);
    });
}

/// A thread that is no task of the runtime's stands in a circle as well, and its wait is not the one that is broken.
#[test]
fn a_thread_that_is_no_task_stands_there_too() {
    at_workers(|bench| {
        let a = Actor::task(bench);
        let one = section(bench);
        let lock = Arc::new(RawMutex::new());
        a.call(enter(one, 0));
        let its = Arc::clone(&lock);
        let locked = Arc::new(AtomicBool::new(false));
        let says = Arc::clone(&locked);
        let thread = std::thread::spawn(move || {
            its.lock_through();
            says.store(true, Ordering::SeqCst);
            let entered = com!(one, IHostCrstVtbl, Enter, 0);
            its.unlock().expect("it is ours");
            assert_eq!(com!(one, IHostCrstVtbl, Leave), Hresult::S_OK);
            entered
        });
        eventually("the mutex is taken", || locked.load(Ordering::SeqCst));
        a.begin(or_deadlock(&lock));
        assert_eq!(a.ends(), Hresult::HOST_E_DEADLOCK);
        a.call(leave(one));
        assert_eq!(thread.join().expect("no panic"), Hresult::S_OK);
        a.end();
        one.release();
    });
}
