//! Tasks of a runtime that wait for each other: each circle is found when its last wait begins, one wait of it is broken, and
//! no other one is.

mod common;
#[macro_use]
mod hosting;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use common::{LONG, eventually};
use fiberhost::com::{Hresult, INFINITE};
use fiberhost::{State, TaskMode};
use hosting::actor::{Actor, NOTHING};
use hosting::fake::Recorder;
use hosting::locks::{Locks, enter, join_it, leave, monitor, section, set, wait};
use hosting::{Bench, Object, at, at_workers, builder, given, join, release_all, with};

const ALERTABLE: u32 = 2;
const NOT_IN_DEADLOCK: u32 = 4;

fn broken(bench: &Bench) -> u64 {
    bench.host.figures().deadlocks_broken
}

/// Until the first wait stands, so that another one's is the last.
fn until_asked(locks: &Locks) {
    eventually("somebody was asked", || {
        locks.asked.load(Ordering::SeqCst) > 0
    });
}

#[test]
fn of_two_monitors_the_last_wait_is_broken_or_the_least_urgent() {
    // The priorities of the first and of the last, and whether the last is the victim.
    for (first, last, last_breaks) in [(0, 0, true), (2, 0, true), (-2, 0, false), (1, 2, false)] {
        at_workers(|bench| {
            let locks = Locks::new(bench);
            let (a, b) = (Actor::task(bench), Actor::task(bench));
            a.set_priority(first);
            b.set_priority(last);
            let (one, two) = (monitor(bench, 1), monitor(bench, 2));
            locks.own(1, a.task);
            locks.own(2, b.task);
            a.begin(wait(two, 0));
            until_asked(&locks);
            b.begin(wait(one, ALERTABLE));
            let (victim, other, its, others) = if last_breaks {
                (&b, &a, 2, two)
            } else {
                (&a, &b, 1, one)
            };
            assert_eq!(victim.ends(), Hresult::HOST_E_DEADLOCK);
            other.still_waits();
            assert_eq!(broken(bench), 1);
            // The victim gives up what the other waits for.
            locks.disown(its);
            set(others);
            assert_eq!(other.ends(), Hresult::S_OK);
            a.end();
            b.end();
            release_all([one, two]);
            locks.check();
        });
    }
}

#[test]
fn a_wait_that_must_not_be_broken_is_not_and_another_one_is() {
    at_workers(|bench| {
        let locks = Locks::new(bench);
        let (a, b) = (Actor::task(bench), Actor::task(bench));
        let (one, two) = (monitor(bench, 1), monitor(bench, 2));
        locks.own(1, a.task);
        locks.own(2, b.task);
        a.begin(wait(two, 0));
        until_asked(&locks);
        b.begin(wait(one, NOT_IN_DEADLOCK));
        assert_eq!(a.ends(), Hresult::HOST_E_DEADLOCK);
        b.still_waits();
        // Both refuse it: nothing is broken.
        a.begin(wait(two, NOT_IN_DEADLOCK));
        a.still_waits();
        b.still_waits();
        assert_eq!(broken(bench), 1);
        set(one);
        set(two);
        assert_eq!((a.ends(), b.ends()), (Hresult::S_OK, Hresult::S_OK));
        a.end();
        b.end();
        release_all([one, two]);
    });
}

#[test]
fn plain_events_semaphores_and_waits_with_a_limit_are_never_broken() {
    at_workers(|bench| {
        let locks = Locks::new(bench);
        let (a, b) = (Actor::task(bench), Actor::task(bench));
        let one = monitor(bench, 1);
        let plain = given(|out| com!(bench.sync, IHostSyncManagerVtbl, CreateAutoEvent, out));
        let permits =
            given(|out| com!(bench.sync, IHostSyncManagerVtbl, CreateSemaphore, 0, 1, out));
        locks.own(1, a.task);
        // What `a` waits for nobody knows, but the one who waits for `a`.
        for what in [0, 1, 2] {
            a.begin(move || match what {
                0 => com!(plain, IHostAutoEventVtbl, Wait, INFINITE, 0),
                1 => com!(permits, IHostSemaphoreVtbl, Wait, INFINITE, 0),
                // A limit ends it.
                _ => com!(one, IHostAutoEventVtbl, Wait, 50, 0),
            });
            b.begin(wait(one, 0));
            b.still_waits();
            match what {
                0 => set(plain),
                1 => {
                    let previous = std::ptr::null_mut();
                    com!(permits, IHostSemaphoreVtbl, ReleaseSemaphore, 1, previous);
                }
                _ => {}
            }
            let expected = [Hresult::S_OK, Hresult::S_OK, Hresult::HOST_E_TIMEOUT][what];
            assert_eq!(a.ends(), expected);
            set(one);
            assert_eq!(b.ends(), Hresult::S_OK);
        }
        assert_eq!(broken(bench), 0);
        a.end();
        b.end();
        release_all([one, plain, permits]);
    });
}

#[test]
fn sections_that_are_entered_crosswise() {
    at_workers(|bench| {
        let (a, b) = (Actor::task(bench), Actor::task(bench));
        let (one, two) = (section(bench), section(bench));
        a.call(enter(one, 0));
        b.call(enter(two, 0));
        // The first does not agree to be broken, so it is the other one whichever comes last.
        a.begin(enter(two, NOT_IN_DEADLOCK));
        b.begin(enter(one, 0));
        assert_eq!(b.ends(), Hresult::HOST_E_DEADLOCK);
        a.still_waits();
        b.call(leave(two));
        assert_eq!(a.ends(), Hresult::S_OK);
        a.call(leave(two));
        a.call(leave(one));
        assert_eq!(broken(bench), 1);
        a.end();
        b.end();
        release_all([one, two]);
    });
}

#[test]
fn joins_in_a_circle() {
    at_workers(|bench| {
        let (a, b) = (Actor::task(bench), Actor::task(bench));
        let (first, second) = (a.task, b.task);
        a.begin(join_it(second, NOT_IN_DEADLOCK));
        b.begin(join_it(first, 0));
        assert_eq!(b.ends(), Hresult::HOST_E_DEADLOCK);
        a.still_waits();
        b.end();
        assert_eq!(a.ends(), Hresult::S_OK, "the other one has ended");
        // Its own end is no circle: nobody has said that it waits for anybody.
        a.begin(move || com!(first, IHostTaskVtbl, Join, INFINITE, ALERTABLE));
        a.still_waits();
        assert_eq!(com!(first, IHostTaskVtbl, Alert), Hresult::S_OK);
        assert_eq!(a.ends(), Hresult::HOST_E_INTERRUPTED);
        assert_eq!(broken(bench), 1);
        a.end();
    });
}

#[test]
fn each_owner_of_a_reader_writer_lock_counts() {
    at_workers(|bench| {
        let locks = Locks::new(bench);
        let (reader, other, writer) = (Actor::task(bench), Actor::task(bench), Actor::task(bench));
        let writers = given(|out| {
            com!(
                bench.sync,
                IHostSyncManagerVtbl,
                CreateRWLockWriterEvent,
                5,
                out
            )
        });
        let readers = given(|out| {
            com!(
                bench.sync,
                IHostSyncManagerVtbl,
                CreateRWLockReaderEvent,
                0,
                6,
                out
            )
        });
        // Two read the first lock, which the writer wants; the writer has the second one, which one of the readers wants.
        locks.own(5, reader.task);
        locks.own(5, other.task);
        locks.own(6, writer.task);
        writer.begin(wait(writers, 0));
        writer.still_waits();
        let read = move || com!(readers, IHostManualEventVtbl, Wait, INFINITE, 0);
        reader.begin(read);
        assert_eq!(reader.ends(), Hresult::HOST_E_DEADLOCK);
        // The other reader closes one as well.
        other.begin(read);
        assert_eq!(other.ends(), Hresult::HOST_E_DEADLOCK);
        writer.still_waits();
        locks.disown(5);
        set(writers);
        assert_eq!(writer.ends(), Hresult::S_OK);
        assert_eq!(broken(bench), 2);
        [reader, other, writer].into_iter().for_each(Actor::end);
        release_all([writers, readers]);
        locks.check();
    });
}

/// Three that wait for a section, a monitor and an end, each at its base, in unmanaged code, and in a callback; as tasks and as
/// adopted threads.
#[test]
fn a_circle_of_everything_in_every_state() {
    for hooks in [0, 1, 2] {
        for adopted in [false, true] {
            at_workers(|bench| {
                let locks = Locks::new(bench);
                let actor = || {
                    if adopted {
                        Actor::thread(bench)
                    } else {
                        Actor::task(bench)
                    }
                };
                let (a, b, c) = (actor(), actor(), actor());
                let tasks = bench.tasks;
                for actor in [&a, &b, &c] {
                    actor.call(move || {
                        if hooks > 0 {
                            com!(tasks, IHostTaskManagerVtbl, LeaveRuntime, 1);
                        }
                        if hooks > 1 {
                            com!(tasks, IHostTaskManagerVtbl, ReverseEnterRuntime);
                        }
                        Hresult::S_OK
                    });
                }
                // The first waits for the section of the second, that for the monitor of the third, that for the first's end.
                let (one, two) = (section(bench), monitor(bench, 9));
                b.call(enter(one, 0));
                locks.own(9, c.task);
                a.begin(enter(one, NOT_IN_DEADLOCK));
                b.begin(wait(two, NOT_IN_DEADLOCK));
                let end = a.task;
                c.begin(join_it(end, 0));
                assert_eq!(c.ends(), Hresult::HOST_E_DEADLOCK);
                a.still_waits();
                set(two);
                assert_eq!(b.ends(), Hresult::S_OK);
                b.call(leave(one));
                assert_eq!(a.ends(), Hresult::S_OK);
                a.call(leave(one));
                assert_eq!(broken(bench), 1);
                let state = [State::Base, State::Native, State::Managed][hooks];
                for actor in [&a, &b, &c] {
                    // SAFETY: the actors end before this returns.
                    let host: &'static fiberhost::Host =
                        unsafe { &*std::ptr::from_ref(&bench.host) };
                    actor.call(move || {
                        let now = host.current_task().expect("a task").transition();
                        assert_eq!(now, (state, hooks as u64), "as before the wait");
                        if hooks > 1 {
                            com!(tasks, IHostTaskManagerVtbl, ReverseLeaveRuntime);
                        }
                        if hooks > 0 {
                            com!(tasks, IHostTaskManagerVtbl, EnterRuntime);
                        }
                        Hresult::S_OK
                    });
                }
                [a, b, c].into_iter().for_each(Actor::end);
                release_all([one, two]);
            });
        }
    }
}

/// While the runtime is told that its task is out, what it does for that is no part of the wait: a section that it has for a
/// moment is owned by one who runs.
#[test]
fn what_a_runtime_does_while_it_is_told_of_a_wait_is_no_part_of_it() {
    with(builder(2).tasks(TaskMode::Fiber), |bench| {
        let locks = Locks::new(bench);
        let (a, b) = (Actor::task(bench), Actor::task(bench));
        let (one, section) = (monitor(bench, 1), section(bench));
        locks.own(1, b.task);
        let tells = Arc::new(AtomicBool::new(false));
        let has_it = Arc::new(AtomicBool::new(false));
        let (told, has) = (Arc::clone(&tells), Arc::clone(&has_it));
        let side = Recorder::new(move |slot, words| {
            const SWITCH_OUT: usize = 4;
            const NEEDS_PRIORITY: usize = 10;
            if slot == NEEDS_PRIORITY {
                // SAFETY: the interface says that it is a place for a number.
                unsafe { *(words[0] as *mut i32) = 0 };
            }
            if slot == SWITCH_OUT && told.swap(false, Ordering::SeqCst) {
                assert_eq!(com!(section, IHostCrstVtbl, Enter, 0), Hresult::S_OK);
                has.store(true, Ordering::SeqCst);
                // The other one comes to wait for it, and whoever looks has time to.
                std::thread::sleep(NOTHING);
                assert_eq!(com!(section, IHostCrstVtbl, Leave), Hresult::S_OK);
            }
            Hresult::S_OK
        });
        let me = a.task;
        a.call(move || com!(me, IHostTaskVtbl, SetCLRTask, side.object().get()));
        a.begin(move || {
            tells.store(true, Ordering::SeqCst);
            wait(one, 0)()
        });
        eventually("the section is taken", || has_it.load(Ordering::SeqCst));
        b.begin(enter(section, 0));
        assert_eq!(b.ends(), Hresult::S_OK, "no alarm");
        b.call(leave(section));
        assert_eq!(broken(bench), 0);
        locks.disown(1);
        set(one);
        assert_eq!(a.ends(), Hresult::S_OK);
        a.end();
        b.end();
        release_all([one, section]);
        assert_eq!(side.references(), 1);
    });
}

/// What is asked about is there as long as it is asked about: the wait does not return before the answer.
#[test]
fn a_wait_does_not_return_while_the_runtime_is_asked_about_it() {
    at_workers(|bench| {
        let locks = Locks::new(bench);
        let a = Actor::task(bench);
        let one = monitor(bench, 1);
        locks.silent.store(true, Ordering::SeqCst);
        a.begin(wait(one, 0));
        eventually("the runtime is asked", || {
            locks.asked.load(Ordering::SeqCst) == 1
        });
        set(one);
        a.still_waits();
        locks.silent.store(false, Ordering::SeqCst);
        assert_eq!(a.ends(), Hresult::S_OK);
        a.end();
        one.release();
    });
}

/// A host does not wait for a runtime that is asked and does not answer; the wait that is asked about is told of the end when
/// the answer is there.
#[test]
fn a_host_ends_while_its_runtime_is_asked() {
    let _watchdog = common::Watchdog::new("a silent runtime".into());
    let bench = Bench::new(builder(2).tasks(TaskMode::Fiber));
    let locks = Locks::new(&bench);
    let one = monitor(&bench, 1);
    locks.silent.store(true, Ordering::SeqCst);
    let (tell, told) = channel();
    let task = bench.start(move || {
        let result = com!(one, IHostAutoEventVtbl, Wait, INFINITE, 0);
        tell.send(result).expect("the test waits for it");
    });
    eventually("the runtime is asked", || {
        locks.asked.load(Ordering::SeqCst) == 1
    });
    let shut = bench.host.shutdown(Duration::from_millis(50));
    assert!(shut.is_err(), "the wait is held back");
    locks.silent.store(false, Ordering::SeqCst);
    let result = told.recv_timeout(LONG).expect("it ends");
    assert_eq!(result, Hresult::HOST_E_ABANDONED);
    task.release();
    one.release();
}

fn random(seed: &AtomicU64, below: u64) -> usize {
    // SplitMix64.
    let mut z = seed.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((z ^ (z >> 31)) % below).expect("it is small")
}

/// Sections taken in one order: no circle, and no alarm.
#[test]
fn sections_in_order_are_never_broken() {
    const TASKS: u64 = 8;
    const ROUNDS: usize = 400;
    for workers in [1, 2, 4] {
        at(workers, TaskMode::Fiber, |bench| {
            let sections: Arc<Vec<Object>> = Arc::new((0..5).map(|_| section(bench)).collect());
            let tasks: Vec<Object> = (0..TASKS)
                .map(|task| {
                    let (sections, manager) = (Arc::clone(&sections), bench.tasks);
                    bench.start(move || {
                        let seed = AtomicU64::new(task);
                        for _ in 0..ROUNDS {
                            let first = random(&seed, 4);
                            let mine = &sections[first..=first + 1];
                            for one in mine {
                                assert_eq!(com!(*one, IHostCrstVtbl, Enter, 0), Hresult::S_OK);
                                com!(manager, IHostTaskManagerVtbl, SwitchToTask, 0);
                            }
                            for one in mine {
                                assert_eq!(com!(*one, IHostCrstVtbl, Leave), Hresult::S_OK);
                            }
                        }
                    })
                })
                .collect();
            tasks.into_iter().for_each(join);
            assert_eq!(broken(bench), 0);
            for section in sections.iter() {
                section.release();
            }
        });
    }
}

/// Sections taken in any order: who is broken gives up what it has and tries again, and all come to their end.
#[test]
fn sections_in_any_order_come_to_an_end() {
    const TASKS: u64 = 6;
    const ROUNDS: usize = 30;
    let all = AtomicU64::new(0);
    for workers in [1, 2, 4] {
        with(builder(workers).tasks(TaskMode::Fiber), |bench| {
            let sections: Arc<Vec<Object>> = Arc::new((0..4).map(|_| section(bench)).collect());
            let victims = Arc::new(AtomicU64::new(0));
            let tasks: Vec<Object> = (0..TASKS)
                .map(|task| {
                    let (sections, manager) = (Arc::clone(&sections), bench.tasks);
                    let victims = Arc::clone(&victims);
                    bench.start(move || {
                        let seed = AtomicU64::new(task);
                        let mut done = 0;
                        while done < ROUNDS {
                            let one = sections[random(&seed, 4)];
                            let two = sections[random(&seed, 4)];
                            let entered = com!(one, IHostCrstVtbl, Enter, 0);
                            assert_eq!(entered, Hresult::S_OK, "who has nothing is in no circle");
                            com!(manager, IHostTaskManagerVtbl, SwitchToTask, 0);
                            match com!(two, IHostCrstVtbl, Enter, 0) {
                                Hresult::S_OK => {
                                    assert_eq!(com!(two, IHostCrstVtbl, Leave), Hresult::S_OK);
                                    done += 1;
                                }
                                Hresult::HOST_E_DEADLOCK => {
                                    victims.fetch_add(1, Ordering::SeqCst);
                                }
                                other => panic!("{other:?}"),
                            }
                            assert_eq!(com!(one, IHostCrstVtbl, Leave), Hresult::S_OK);
                        }
                    })
                })
                .collect();
            tasks.into_iter().for_each(join);
            let victims = victims.load(Ordering::SeqCst);
            assert!(
                broken(bench) >= victims,
                "whoever is told was broken: {victims}"
            );
            all.fetch_add(victims, Ordering::SeqCst);
            for section in sections.iter() {
                section.release();
            }
        });
    }
    assert!(all.load(Ordering::SeqCst) > 0, "there were circles");
}
