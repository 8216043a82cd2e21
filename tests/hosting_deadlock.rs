//! Tasks of a runtime that wait for each other: each circle is found when its last wait begins, one wait of it is broken, and
//! no other one is.

mod common;
#[macro_use]
mod hosting;

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{LONG, eventually};
use fiberhost::com::{Hresult, INFINITE};
use fiberhost::{State, TaskMode};
use hosting::fake::Recorder;
use hosting::{Bench, Object, at, at_workers, builder, given, join, release_all, with};

const ALERTABLE: u32 = 2;
const NOT_IN_DEADLOCK: u32 = 4;
/// How long nothing happens before a test takes it that nothing will: the seeker rests for 5 ms.
const NOTHING: Duration = Duration::from_millis(40);

/// The runtime's knowledge of who owns what, and its `ICLRSyncManager`.
struct Locks {
    owners: Arc<Mutex<BTreeMap<usize, Vec<Object>>>>,
    /// Iterators that were begun and not given back.
    iterators: Arc<Mutex<BTreeMap<usize, Vec<Object>>>>,
    /// While it is set the runtime does not answer.
    silent: Arc<AtomicBool>,
    asked: Arc<AtomicU32>,
}

fn answer(owner: Option<Object>, out: usize) -> Hresult {
    let pointer = owner.map_or(std::ptr::null_mut(), |owner| {
        com!(owner, IUnknownVtbl, AddRef);
        owner.get()
    });
    // SAFETY: the last argument of these slots is a place for a pointer.
    unsafe { *(out as *mut *mut c_void) = pointer };
    Hresult::S_OK
}

impl Locks {
    fn new(bench: &Bench) -> Locks {
        let owners = Arc::new(Mutex::new(BTreeMap::<usize, Vec<Object>>::new()));
        let iterators = Arc::new(Mutex::new(BTreeMap::<usize, Vec<Object>>::new()));
        let silent = Arc::new(AtomicBool::new(false));
        let asked = Arc::new(AtomicU32::new(0));
        let (theirs, open, mute, count) = (
            Arc::clone(&owners),
            Arc::clone(&iterators),
            Arc::clone(&silent),
            Arc::clone(&asked),
        );
        let manager = Recorder::new(move |slot, words| {
            let [first, second, ..] = *words;
            count.fetch_add(1, Ordering::SeqCst);
            while mute.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(1));
            }
            match slot {
                3 => {
                    let owners = theirs.lock().unwrap();
                    answer(owners.get(&first).map(|all| all[0]), second)
                }
                4 => {
                    let owners = theirs.lock().unwrap().get(&first).cloned();
                    let mut open = open.lock().unwrap();
                    let name = open.last_key_value().map_or(1, |(last, _)| last + 1);
                    open.insert(name, owners.unwrap_or_default());
                    // SAFETY: the interface says that it is a place for a number.
                    unsafe { *(second as *mut usize) = name };
                    Hresult::S_OK
                }
                5 => {
                    let mut open = open.lock().unwrap();
                    answer(open.get_mut(&first).and_then(Vec::pop), second)
                }
                6 => {
                    let gone = open.lock().unwrap().remove(&first);
                    assert!(gone.is_some(), "it was begun");
                    Hresult::S_OK
                }
                other => unreachable!("slot {other}"),
            }
        });
        let set = com!(
            bench.sync,
            IHostSyncManagerVtbl,
            SetCLRSyncManager,
            manager.object().get()
        );
        assert_eq!(set, Hresult::S_OK);
        Locks {
            owners,
            iterators,
            silent,
            asked,
        }
    }

    fn own(&self, cookie: usize, owner: Object) {
        let mut owners = self.owners.lock().unwrap();
        owners.entry(cookie).or_default().push(owner);
    }

    fn disown(&self, cookie: usize) {
        self.owners.lock().unwrap().remove(&cookie);
    }

    fn check(&self) {
        assert!(self.iterators.lock().unwrap().is_empty(), "given back");
    }
}

type Order = Box<dyn FnOnce() -> Hresult + Send>;

/// A task, or an adopted thread, that does what it is told, and says what came of it.
struct Actor {
    orders: Option<Sender<Order>>,
    wake: Object,
    results: Receiver<Hresult>,
    task: Object,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Actor {
    fn parts(bench: &Bench) -> (Actor, impl FnOnce() + Send + 'static) {
        let (orders, told) = channel::<Order>();
        let (tell, results) = channel();
        let wake = given(|out| com!(bench.sync, IHostSyncManagerVtbl, CreateAutoEvent, out));
        let play = move || {
            loop {
                let woken = com!(wake, IHostAutoEventVtbl, Wait, INFINITE, 0);
                assert_eq!(woken, Hresult::S_OK, "a plain event's wait is never broken");
                let Ok(order) = told.recv() else { return };
                tell.send(order()).expect("the test is there");
            }
        };
        let actor = Actor {
            orders: Some(orders),
            wake,
            results,
            task: wake,
            thread: None,
        };
        (actor, play)
    }

    fn task(bench: &Bench) -> Actor {
        let (mut actor, play) = Actor::parts(bench);
        actor.task = bench.start(play);
        actor
    }

    /// A thread that becomes a task by asking who it is.
    fn thread(bench: &Bench) -> Actor {
        let (mut actor, play) = Actor::parts(bench);
        let tasks = bench.tasks;
        let (tell, told) = channel();
        actor.thread = Some(std::thread::spawn(move || {
            let me = given(|out| com!(tasks, IHostTaskManagerVtbl, GetCurrentTask, out));
            tell.send(me).expect("the test waits for it");
            play();
        }));
        actor.task = told.recv().expect("it says who it is");
        actor
    }

    fn begin(&self, order: impl FnOnce() -> Hresult + Send + 'static) {
        let orders = self.orders.as_ref().expect("it has not ended");
        orders.send(Box::new(order)).expect("it is there");
        assert_eq!(com!(self.wake, IHostAutoEventVtbl, Set), Hresult::S_OK);
    }

    #[track_caller]
    fn ends(&self) -> Hresult {
        self.results.recv_timeout(LONG).expect("it ends")
    }

    #[track_caller]
    fn call(&self, order: impl FnOnce() -> Hresult + Send + 'static) {
        self.begin(order);
        assert_eq!(self.ends(), Hresult::S_OK);
    }

    #[track_caller]
    fn still_waits(&self) {
        assert!(self.results.recv_timeout(NOTHING).is_err(), "it waits");
    }

    fn set_priority(&self, priority: i32) {
        let set = com!(self.task, IHostTaskVtbl, SetPriority, priority);
        assert_eq!(set, Hresult::S_OK);
    }

    fn end(mut self) {
        self.orders = None;
        assert_eq!(com!(self.wake, IHostAutoEventVtbl, Set), Hresult::S_OK);
        match self.thread.take() {
            Some(thread) => {
                thread.join().expect("no panic");
                self.task.release();
            }
            None => join(self.task),
        }
        self.wake.release();
    }
}

fn monitor(bench: &Bench, cookie: usize) -> Object {
    given(|out| {
        com!(
            bench.sync,
            IHostSyncManagerVtbl,
            CreateMonitorEvent,
            cookie,
            out
        )
    })
}

fn section(bench: &Bench) -> Object {
    given(|out| com!(bench.sync, IHostSyncManagerVtbl, CreateCrst, out))
}

fn wait(event: Object, option: u32) -> impl FnOnce() -> Hresult + Send + 'static {
    move || com!(event, IHostAutoEventVtbl, Wait, INFINITE, option)
}

fn set(event: Object) {
    assert_eq!(com!(event, IHostAutoEventVtbl, Set), Hresult::S_OK);
}

fn enter(section: Object, option: u32) -> impl FnOnce() -> Hresult + Send + 'static {
    move || com!(section, IHostCrstVtbl, Enter, option)
}

fn leave(section: Object) -> impl FnOnce() -> Hresult + Send + 'static {
    move || com!(section, IHostCrstVtbl, Leave)
}

fn join_it(task: Object, option: u32) -> impl FnOnce() -> Hresult + Send + 'static {
    move || com!(task, IHostTaskVtbl, Join, INFINITE, option)
}

fn broken(bench: &Bench) -> u64 {
    bench.host.figures().deadlocks_broken
}

/// Until the first wait stands, so that another one's is the last.
fn until_asked(locks: &Locks) {
    eventually("the seeker has looked", || {
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
