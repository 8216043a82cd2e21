//! A task that only yields keeps nobody from running, wherever the other one stands.

mod common;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::delays::Delays;
use common::{LONG, SHORT, at, checked, eventually, until_waits, with, with_as};
use fiberhost::scheduler::sync::AutoResetEvent;
use fiberhost::scheduler::{
    Backing, JoinHandle, Priority, Scheduler, TaskBuilder, WaitReason, Wake, check_quantum, park,
    sleep, spawn, yield_now,
};

/// How the busy ones give their worker away, if at all.
#[derive(Clone, Copy, Debug)]
enum Busy {
    /// Two bound tasks yield to each other.
    Bound,
    /// One alone yields: it need not even leave its stack.
    Alone,
    /// Two mobile ones.
    Mobile,
    /// Two that wake each other in turn, each time to run next.
    WakeEachOther,
    /// One that spawns and joins, each time a task to run next.
    Spawns,
    /// Two that compute and ask for their quantum.
    Compute,
}

const BUSY: [Busy; 6] = [
    Busy::Bound,
    Busy::Alone,
    Busy::Mobile,
    Busy::WakeEachOther,
    Busy::Spawns,
    Busy::Compute,
];

struct Crowd {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Crowd {
    fn new(scheduler: &Scheduler, busy: Busy) -> Crowd {
        let stop = Arc::new(AtomicBool::new(false));
        let until = |work: fn()| {
            let stop = Arc::clone(&stop);
            move || {
                while !stop.load(Ordering::Relaxed) {
                    work();
                }
            }
        };
        let tasks = match busy {
            Busy::Bound => vec![
                scheduler.spawn(until(yield_now)),
                scheduler.spawn(until(yield_now)),
            ],
            Busy::Alone => vec![scheduler.spawn(until(yield_now))],
            Busy::Mobile => (0..2)
                // SAFETY: nothing that must stay on its thread lies on the stack.
                .map(|_| unsafe { scheduler.task().spawn_mobile(until(yield_now)) }.unwrap())
                .collect(),
            Busy::WakeEachOther => {
                let events = [(); 2].map(|()| Arc::new(AutoResetEvent::new(false)));
                let one = |mine: usize| {
                    let (stop, events) = (Arc::clone(&stop), events.clone());
                    move || {
                        while !stop.load(Ordering::Relaxed) {
                            events[1 - mine].set();
                            events[mine].wait();
                        }
                        events[1 - mine].set();
                    }
                };
                vec![scheduler.spawn(one(0)), scheduler.spawn(one(1))]
            }
            Busy::Spawns => {
                let spawns = || {
                    if spawn(|| ()).join().is_err() {
                        // The scheduler shuts down: the join did not wait.
                        yield_now();
                    }
                };
                vec![scheduler.spawn(until(spawns))]
            }
            Busy::Compute => {
                let compute = || {
                    std::hint::black_box((0..50).sum::<u64>());
                    check_quantum();
                };
                vec![
                    scheduler.spawn(until(compute)),
                    scheduler.spawn(until(compute)),
                ]
            }
        };
        Crowd { stop, tasks }
    }

    /// The others end, and so does the crowd.
    #[track_caller]
    fn does_not_hinder(self, others: Vec<JoinHandle<()>>, what: &str, busy: Busy) {
        let ended: Vec<_> = others.into_iter().map(|task| task.join_for(LONG)).collect();
        self.stop.store(true, Ordering::SeqCst);
        for task in self.tasks {
            task.join_for(LONG).expect("the crowd ends").unwrap();
        }
        for other in ended {
            other
                .unwrap_or_else(|_| panic!("{busy:?} keeps {what} from running"))
                .unwrap();
        }
    }
}

fn beside_each_crowd(test: impl Fn(&Scheduler, Busy)) {
    // A short quantum, so that those that compute do not make the test a long one.
    let builder = checked(1).quantum(Duration::from_micros(500));
    with(builder, |scheduler| {
        for busy in BUSY {
            test(scheduler, busy);
        }
    });
}

#[test]
fn what_is_spawned_from_outside_starts() {
    beside_each_crowd(|scheduler, busy| {
        let crowd = Crowd::new(scheduler, busy);
        std::thread::sleep(Duration::from_millis(1));
        let others = (0..10).map(|_| scheduler.spawn(yield_now)).collect();
        crowd.does_not_hinder(others, "an injected task", busy);
    });
}

#[test]
fn what_was_spawned_inside_before_starts() {
    beside_each_crowd(|scheduler, busy| {
        // These stand behind whatever the crowd queues.
        let inside = scheduler.clone();
        let (others, crowd) = scheduler.run(move || {
            let others: Vec<_> = (0..10).map(|_| spawn(yield_now)).collect();
            (others, Crowd::new(&inside, busy))
        });
        crowd.does_not_hinder(others, "a fresh task", busy);
    });
}

#[test]
fn low_priorities_run() {
    beside_each_crowd(|scheduler, busy| {
        let crowd = Crowd::new(scheduler, busy);
        let low = || {
            let task = scheduler.task().priority(Priority::Low);
            task.spawn(|| (0..5).for_each(|_| yield_now())).unwrap()
        };
        let others = (0..5).map(|_| low()).collect();
        crowd.does_not_hinder(others, "a task of low priority", busy);
    });
}

#[test]
fn low_mobile_ones_run() {
    beside_each_crowd(|scheduler, busy| {
        let crowd = Crowd::new(scheduler, busy);
        let low = || {
            let task = scheduler.task().priority(Priority::Low);
            let work = || (0..5).for_each(|_| yield_now());
            // SAFETY: nothing that must stay on its thread lies on the stack.
            unsafe { task.spawn_mobile(work) }.unwrap()
        };
        let others = (0..5).map(|_| low()).collect();
        crowd.does_not_hinder(others, "a mobile task of low priority", busy);
    });
}

#[test]
fn what_a_plain_thread_wakes_goes_on() {
    beside_each_crowd(|scheduler, busy| {
        let mobile = || {
            // SAFETY: nothing that must stay on its thread lies on the stack.
            unsafe {
                scheduler.task().spawn_mobile(|| {
                    park();
                })
            }
            .unwrap()
        };
        let parked = [
            scheduler.spawn(|| {
                park();
            }),
            mobile(),
        ];
        for task in &parked {
            until_waits(task.task(), WaitReason::Park);
        }
        let crowd = Crowd::new(scheduler, busy);
        std::thread::sleep(Duration::from_millis(1));
        for task in &parked {
            task.task().unpark();
        }
        crowd.does_not_hinder(parked.into(), "a task woken from outside", busy);
    });
}

#[test]
fn timers_fire() {
    beside_each_crowd(|scheduler, busy| {
        let crowd = Crowd::new(scheduler, busy);
        let sleeper = |time: Duration| {
            scheduler.spawn(move || {
                assert_eq!(sleep(time), Wake::TimedOut);
            })
        };
        let others = vec![sleeper(Duration::from_millis(1)), sleeper(SHORT)];
        crowd.does_not_hinder(others, "a sleeping task", busy);
    });
}

#[test]
fn a_shutdown_comes_through() {
    for busy in BUSY {
        let scheduler = common::checked(1).build().unwrap();
        let crowd = Crowd::new(&scheduler, busy);
        std::thread::sleep(Duration::from_millis(1));
        // The crowd's waits unwind it; those that only compute ask for their quantum, which is a yield.
        scheduler
            .shutdown(LONG)
            .unwrap_or_else(|error| panic!("{busy:?}: {error}"));
        for task in crowd.tasks {
            assert!(task.join().unwrap_err().is_cancelled());
        }
    }
}

#[test]
fn normal_ones_start_beside_high_ones_and_a_stream_of_low_ones() {
    at(1, |scheduler| {
        let stop = Arc::new(AtomicBool::new(false));
        let (quit, more) = (Arc::clone(&stop), Arc::clone(&stop));
        let high = scheduler.task().priority(Priority::High);
        let high = high.spawn(move || {
            while !quit.load(Ordering::Relaxed) {
                // A stream of them that never ends.
                let low = TaskBuilder::new().priority(Priority::Low);
                drop(low.spawn(|| ()).unwrap());
                yield_now();
            }
        });
        let inside = scheduler.task().priority(Priority::High).spawn(move || {
            let normal = spawn(|| (0..3).for_each(|_| yield_now()));
            while !more.load(Ordering::Relaxed) && !normal.is_finished() {
                yield_now();
            }
            normal.is_finished()
        });
        let ended = inside.unwrap().join_for(LONG);
        stop.store(true, Ordering::SeqCst);
        high.unwrap().join().unwrap();
        assert!(ended.expect("the normal one runs").unwrap());
    });
}

#[test]
fn turns_are_about_even() {
    // Each of the tasks that share a worker gets its part.
    at(1, |scheduler| {
        let stop = Arc::new(AtomicBool::new(false));
        let turns: Vec<_> = (0..8).map(|_| Arc::new(AtomicUsize::new(0))).collect();
        let tasks: Vec<_> = turns
            .iter()
            .map(|turns| {
                let (stop, turns) = (Arc::clone(&stop), Arc::clone(turns));
                scheduler.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        turns.fetch_add(1, Ordering::Relaxed);
                        yield_now();
                    }
                })
            })
            .collect();
        let read = || turns.iter().map(|turns| turns.load(Ordering::Relaxed));
        eventually("all have begun", || read().all(|turns| turns > 0));
        // The first ones may have had very many by then: alone they yield to nobody.
        let before: Vec<_> = read().collect();
        eventually("all have had more turns", || {
            read()
                .zip(&before)
                .all(|(turns, before)| turns >= before + 1000)
        });
        stop.store(true, Ordering::SeqCst);
        for task in tasks {
            task.join().unwrap();
        }
        let more: Vec<_> = read()
            .zip(before)
            .map(|(after, before)| after - before)
            .collect();
        let (least, most) = (more.iter().min().unwrap(), more.iter().max().unwrap());
        // The counts were not read at one moment, so they cannot be equal.
        assert!(most / least < 10, "{more:?}");
    });
}

/// Whenever the kernel takes the processor away from one of them: it stands among those who wait for the slot before another
/// one can give it away.
#[test]
fn tasks_on_threads_that_yield_have_their_turns_in_order() {
    const TASKS: usize = 5;
    const TURNS: usize = 2_000;
    with_as(
        checked(1).default_backing(Backing::Thread),
        Backing::Thread,
        |scheduler| {
            let _delays = Delays::of_threads_named("fiberhost");
            let begun = Arc::new(AtomicUsize::new(0));
            // There is one slot, so nobody ever waits for this lock.
            let order = Arc::new(Mutex::new(Vec::with_capacity(TASKS * TURNS)));
            let tasks: Vec<_> = (0..TASKS)
                .map(|number| {
                    let (begun, order) = (Arc::clone(&begun), Arc::clone(&order));
                    scheduler.spawn(move || {
                        begun.fetch_add(1, Ordering::SeqCst);
                        while begun.load(Ordering::SeqCst) < TASKS {
                            yield_now();
                        }
                        for _ in 0..TURNS {
                            order.lock().unwrap().push(number);
                            yield_now();
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.join().unwrap();
            }
            let order = order.lock().unwrap();
            let mut first = order[..TASKS].to_vec();
            first.sort_unstable();
            assert!(first.into_iter().eq(0..TASKS), "{:?}", &order[..TASKS]);
            let out_of_turn = (TASKS..order.len()).find(|&at| order[at] != order[at - TASKS]);
            assert_eq!(out_of_turn, None, "of {} turns", order.len());
        },
    );
}

#[test]
fn many_busy_ones_on_several_workers_let_everybody_in() {
    for workers in [1, 2, 4] {
        let builder = checked(workers).quantum(Duration::from_micros(500));
        with(builder, |scheduler| {
            let crowds: Vec<_> = BUSY
                .into_iter()
                .map(|busy| (busy, Crowd::new(scheduler, busy)))
                .collect();
            let others = (0..20)
                .map(|number: u64| {
                    scheduler.spawn(move || {
                        sleep(Duration::from_micros(number * 100));
                        spawn(yield_now).join().unwrap();
                    })
                })
                .collect();
            let mut others = Some(others);
            for (busy, crowd) in crowds {
                let others = others.take().unwrap_or_default();
                crowd.does_not_hinder(others, "another task", busy);
            }
        });
    }
}
