//! Native sections: what the thread is meanwhile, and who has the slot.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use common::{
    Drops, LONG, SHORT, at, at_on_fibers, at_workers, checked, eventually, expect_panics,
    os_thread, until_waits, with, with_on_fibers,
};
use fiberhost::scheduler::native::{self, Target};
use fiberhost::scheduler::sync::{AutoResetEvent, ManualResetEvent, Mutex, channel};
use fiberhost::scheduler::{
    JoinHandle, Scheduler, WaitReason, Wake, blocking, current, park, park_for, sleep, spawn,
    task_local, timeout, try_current, yield_now, yield_to_others,
};

static BLOCKS: Target = Target::new("a call that blocks");
static SHORT_CALL: Target = Target::new("a call that does not");

/// Spawns a mobile task.
fn mobile<T: Send + 'static>(
    scheduler: &Scheduler,
    work: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    // SAFETY: these tests keep nothing of the thread across a wait, but in sections and callbacks, which keep the thread.
    unsafe { scheduler.task().spawn_mobile(work) }.expect("memory for a task")
}

/// Blocks the OS thread until told; the sender's side is a plain thread's or a task's.
fn blocked_until(receiver: &mpsc::Receiver<()>) {
    native::section(&BLOCKS, || receiver.recv().expect("somebody tells it"));
}

#[test]
fn a_section_that_lasts_gives_its_slot_away() {
    at_workers(|scheduler| {
        let workers = scheduler.workers();
        let (entered, are_inside) = mpsc::channel();
        let (senders, blocked): (Vec<_>, Vec<_>) = (0..workers)
            .map(|_| {
                let (sender, receiver) = mpsc::channel();
                let entered = entered.clone();
                let inside = move || {
                    entered.send(()).unwrap();
                    receiver.recv().expect("somebody tells it");
                };
                let task = mobile(scheduler, || native::section(&BLOCKS, inside));
                (sender, task)
            })
            .unzip();
        for _ in 0..workers {
            are_inside.recv().unwrap();
        }
        // All slots are behind sections that last; what may move goes on.
        let passed = mobile(scheduler, || {
            for _ in 0..100 {
                yield_now();
            }
            spawn(|| 1).join().unwrap()
        });
        assert_eq!(passed.join().unwrap(), 1);
        for sender in senders {
            sender.send(()).unwrap();
        }
        for task in blocked {
            task.join().unwrap();
        }
        assert!(scheduler.stats().handovers >= 1);
    });
}

#[test]
fn blocking_code_gives_the_slot_away_at_once() {
    // A monitor that never comes.
    let never = checked(1)
        .handover_after(Duration::from_secs(3600))
        .quantum(Duration::from_secs(3600));
    with(never, |scheduler| {
        let (sender, receiver) = mpsc::channel();
        let other = AtomicUsize::new(0);
        let other = Arc::new(other);
        let counts = Arc::clone(&other);
        let outer = scheduler.spawn(move || {
            let counts = Arc::clone(&counts);
            // Has not started, so it may start anywhere.
            let fresh = spawn(move || {
                counts.fetch_add(1, Ordering::SeqCst);
                sender.send(()).unwrap();
            });
            blocking(|| receiver.recv().unwrap());
            fresh.join().unwrap();
        });
        outer.join().unwrap();
        assert_eq!(other.load(Ordering::SeqCst), 1);
    });
}

/// The section is open when the limit changes, and the only slot is behind it.
#[test]
fn a_changed_limit_counts_for_sections_that_are_open() {
    let never = checked(1)
        .handover_after(Duration::from_secs(3600))
        .quantum(Duration::from_secs(3600));
    with(never, |scheduler| {
        let (sender, receiver) = mpsc::channel();
        let (said_in, is_in) = mpsc::channel();
        let blocked = mobile(scheduler, move || {
            native::section(&BLOCKS, || {
                said_in.send(()).expect("somebody waits");
                receiver.recv().expect("somebody tells it");
            });
        });
        is_in.recv().expect("it gets there");
        let other = scheduler.spawn(|| 1);
        scheduler.set_handover_after(SHORT);
        assert_eq!(scheduler.handover_after(), SHORT);
        assert_eq!(other.join().expect("it runs meanwhile"), 1);
        sender.send(()).expect("it waits");
        blocked.join().expect("no panic");
    });
}

#[test]
fn short_sections_keep_their_slot() {
    at(1, |scheduler| {
        scheduler.run(|| {
            for _ in 0..10_000 {
                native::section(&SHORT_CALL, || ());
            }
        });
    });
}

#[test]
fn sections_nest_and_are_left_by_a_panic() {
    expect_panics();
    at_workers(|scheduler| {
        scheduler.run(|| {
            let id = current().id();
            let caught = std::panic::catch_unwind(|| {
                native::section(&BLOCKS, || {
                    native::section(&SHORT_CALL, || assert_eq!(current().id(), id));
                    assert_eq!(try_current().map(|task| task.id()), Some(id));
                    native::section(&SHORT_CALL, || panic!("expected"));
                });
            });
            assert!(caught.is_err());
            // From inside a callback, through both.
            let caught = std::panic::catch_unwind(|| {
                native::section(&BLOCKS, || {
                    native::callback(|| {
                        native::section(&SHORT_CALL, || ());
                        yield_now();
                        panic!("expected");
                    });
                });
            });
            assert!(caught.is_err());
            // It is a task again, which may wait and yield.
            assert_eq!(park_for(Duration::from_millis(1)), Wake::TimedOut);
            yield_now();
            spawn(|| ()).join().unwrap();
        });
    });
}

#[test]
fn a_plain_thread_may_do_all_of_it() {
    assert_eq!(
        native::section(&BLOCKS, || native::callback(|| blocking(|| 3))),
        3
    );
    // SAFETY: a pair.
    unsafe {
        native::leave(&BLOCKS);
        native::enter();
    }
}

/// From inside a section everything goes the way of plain threads, and the thread blocks.
#[test]
fn the_thread_is_a_stranger_in_a_section() {
    at_workers(|scheduler| {
        let outer = mobile(scheduler, || {
            let event = Arc::new(AutoResetEvent::new(false));
            let answer = Arc::new(AutoResetEvent::new(false));
            let (mine, theirs) = (Arc::clone(&event), Arc::clone(&answer));
            let scheduler = Scheduler::current().unwrap();
            let partner = mobile(&scheduler, move || {
                assert_eq!(mine.wait(), Wake::Signalled);
                theirs.set();
                park()
            });
            let drops = Drops::new();
            let dropped = drops.one();
            let thread = os_thread();
            native::section(&BLOCKS, || {
                // Signals, waits, spawns, joins, unparks, drops a task, arms a timer.
                event.set();
                assert_eq!(answer.wait(), Wake::Signalled);
                let spawned = Scheduler::current().unwrap().spawn(move || drop(dropped));
                spawned.join().unwrap();
                partner.task().unpark();
                drop(spawn(|| ()));
                assert_eq!(park_for(Duration::from_millis(1)), Wake::TimedOut);
                sleep(Duration::from_millis(1));
                yield_now();
                let lock = Mutex::new(1);
                *lock.lock() += 1;
                let (sender, receiver) = channel::bounded(1);
                spawn(move || sender.send(5).unwrap());
                assert_eq!(receiver.recv().unwrap(), 5);
                assert_eq!(os_thread(), thread);
            });
            assert_eq!(drops.count(), 1);
            assert_eq!(partner.join().unwrap(), Wake::Signalled);
        });
        outer.join().unwrap();
    });
}

#[test]
fn the_permit_of_park_is_the_tasks_in_a_section() {
    at_workers(|scheduler| {
        let parked = mobile(scheduler, || native::section(&BLOCKS, park));
        std::thread::sleep(SHORT);
        parked.task().unpark();
        assert_eq!(parked.join().unwrap(), Wake::Signalled);
    });
}

/// A callback may wait: its thread sleeps with it, nobody else runs there, and the slot goes elsewhere.
#[test]
fn a_callback_waits_with_its_thread() {
    at_workers(|scheduler| {
        let event = Arc::new(ManualResetEvent::new(false));
        let waiting = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (event, waiting) = (Arc::clone(&event), Arc::clone(&waiting));
                mobile(scheduler, move || {
                    native::section(&BLOCKS, || {
                        let thread = os_thread();
                        native::callback(|| {
                            waiting.fetch_add(1, Ordering::SeqCst);
                            assert_eq!(event.wait(), Wake::Signalled);
                            yield_now();
                            assert_eq!(sleep(Duration::from_millis(1)), Wake::TimedOut);
                            native::section(&SHORT_CALL, || {
                                native::callback(|| {
                                    assert_eq!(park_for(Duration::from_millis(1)), Wake::TimedOut)
                                });
                            });
                            assert_eq!(os_thread(), thread);
                        });
                        assert_eq!(os_thread(), thread);
                    });
                })
            })
            .collect();
        eventually("all are in their callbacks", || {
            waiting.load(Ordering::SeqCst) == 8
        });
        // All their threads sleep, and there is a slot for the others.
        scheduler.run(|| spawn(yield_now).join().unwrap());
        event.set();
        for task in tasks {
            task.join().unwrap();
        }
    });
}

#[test]
fn an_abort_does_not_unwind_a_callback() {
    at_workers(|scheduler| {
        let passed = Arc::new(AtomicBool::new(false));
        let mine = Arc::clone(&passed);
        let task = mobile(scheduler, move || {
            native::section(&BLOCKS, || {
                native::callback(|| {
                    // Each wait that can say so says it; one that cannot goes on.
                    assert_eq!(park(), Wake::Aborted);
                    assert_eq!(sleep(LONG), Wake::Aborted);
                    let lock = Mutex::new(0);
                    *lock.lock() += 1;
                    mine.store(true, Ordering::SeqCst);
                });
            });
            // The first wait outside unwinds.
            park();
            unreachable!("it was aborted");
        });
        until_waits(task.task(), WaitReason::Park);
        task.abort();
        assert!(task.join().unwrap_err().is_cancelled());
        assert!(passed.load(Ordering::SeqCst));
    });
}

#[test]
fn an_alert_ends_a_wait_in_a_callback() {
    at_workers(|scheduler| {
        let task = mobile(scheduler, || {
            native::section(&BLOCKS, || native::callback(park))
        });
        until_waits(task.task(), WaitReason::Park);
        task.task().alert();
        assert_eq!(task.join().unwrap(), Wake::Alerted);
    });
}

#[test]
fn a_time_limit_from_outside_does_not_count_in_a_callback() {
    at_workers(|scheduler| {
        let task = mobile(scheduler, || {
            timeout(Duration::from_millis(1), || {
                native::section(&BLOCKS, || {
                    native::callback(|| {
                        assert_eq!(sleep(Duration::from_millis(5)), Wake::TimedOut);
                        let inner = timeout(Duration::from_millis(2), || sleep(LONG));
                        assert!(inner.is_err(), "one from inside does");
                    });
                });
                sleep(LONG);
            })
        });
        assert!(task.join().unwrap().is_err());
    });
}

/// One worker, and a native call of a second: others that may move, and were there before, are not late. So it is when a call
/// begins, by the median of many: at their 99th percentile the kernel of a busy machine has a part, which `leave_taken` of the
/// bench `versus` shows beside that without a call.
#[test]
fn a_long_call_delays_nobody_who_may_move() {
    const CALL: Duration = Duration::from_secs(1);
    const FEW: Duration = Duration::from_millis(5);
    with(checked(1), |scheduler| {
        let over = Arc::new(AtomicBool::new(false));
        let wakes: Arc<[AtomicUsize; 8]> = Arc::default();
        let others: Vec<_> = (0..wakes.len())
            .map(|number| {
                let (over, wakes) = (Arc::clone(&over), Arc::clone(&wakes));
                mobile(scheduler, move || sleeps_until(&over, &wakes[number]))
            })
            .collect();
        for task in &others {
            until_waits(task.task(), WaitReason::Sleep);
        }
        let stuck = mobile(scheduler, move || {
            let counts = || wakes.each_ref().map(|wakes| wakes.load(Ordering::Relaxed));
            let mut all_woke: Vec<_> = (0..20)
                .map(|_| {
                    native::section(&BLOCKS, || {
                        let (begun, before) = (Instant::now(), counts());
                        eventually("all woke", || {
                            counts().iter().zip(before).all(|(now, then)| *now > then)
                        });
                        begun.elapsed()
                    })
                })
                .collect();
            native::section(&BLOCKS, || std::thread::sleep(CALL));
            all_woke.sort_unstable();
            all_woke[all_woke.len() / 2]
        });
        let all_woke = stuck.join().unwrap();
        over.store(true, Ordering::Relaxed);
        let late = others.into_iter().map(|task| task.join().unwrap());
        let mut late: Vec<_> = late.flatten().collect();
        late.sort_unstable();
        let (median, worst) = (late[late.len() / 2], late[late.len() - 1]);
        let said = format!("all woke in {all_woke:?}; {median:?} late, at worst {worst:?}");
        assert!(all_woke < PERIOD + FEW, "{said}");
        assert!(median < FEW, "{said}");
        // Some come late, whoever has the slot; but none that waits for the call.
        assert!(worst < CALL / 2, "{said}");
    });
}

const PERIOD: Duration = Duration::from_millis(2);

/// Sleeps again and again until it is over, and counts that. How late it woke each time.
fn sleeps_until(over: &AtomicBool, wakes: &AtomicUsize) -> Vec<Duration> {
    let mut late = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let due = Instant::now() + PERIOD;
        assert_eq!(sleep(PERIOD), Wake::TimedOut);
        wakes.fetch_add(1, Ordering::Relaxed);
        late.push(Instant::now().saturating_duration_since(due));
    }
    late
}

#[test]
fn returning_tasks_and_running_ones_take_turns() {
    with(
        checked(1).handover_after(Duration::from_micros(200)),
        |scheduler| {
            let stop = Arc::new(AtomicBool::new(false));
            let turns: Arc<[AtomicUsize; 4]> = Arc::default();
            let yielders = [0, 1, 2, 3].map(|place| {
                let (stop, turns) = (Arc::clone(&stop), Arc::clone(&turns));
                scheduler.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        yield_now();
                        turns[place].fetch_add(1, Ordering::Relaxed);
                    }
                })
            });
            let had = || {
                let turns = turns.iter().map(|turns| turns.load(Ordering::Relaxed));
                turns.collect::<Vec<usize>>()
            };
            // A thread of one's own takes its time to start.
            eventually("all run", || had().iter().all(|&turns| turns > 0));
            let before = had();
            let returners: Vec<_> = (0..6)
                .map(|_| {
                    mobile(scheduler, || {
                        for _ in 0..20 {
                            native::section(&BLOCKS, || {
                                std::thread::sleep(Duration::from_micros(500))
                            });
                        }
                    })
                })
                .collect();
            for task in returners {
                task.join().unwrap();
            }
            let after = had();
            stop.store(true, Ordering::Relaxed);
            for task in yielders {
                task.join().unwrap();
            }
            assert!(
                before
                    .iter()
                    .zip(&after)
                    .all(|(before, after)| before < after),
                "somebody had no turn: {before:?}, {after:?}"
            );
        },
    );
}

/// A task that yields in a callback has had its turn. Whoever has the next one keeps the slot through all of its sections.
#[test]
fn a_yield_takes_no_slot_from_a_short_section() {
    // A monitor that never comes.
    let never = checked(1)
        .handover_after(Duration::from_secs(3600))
        .quantum(Duration::from_secs(3600));
    with(never, |scheduler| {
        let inside = Arc::new(AtomicBool::new(false));
        let (called_back, is_called_back) = mpsc::channel();
        let over = Arc::new(AtomicBool::new(false));
        let yielder = {
            let (inside, over) = (Arc::clone(&inside), Arc::clone(&over));
            mobile(scheduler, move || {
                native::section(&SHORT_CALL, || {
                    native::callback(|| {
                        called_back.send(()).unwrap();
                        let mut met = 0;
                        while !over.load(Ordering::SeqCst) {
                            yield_now();
                            met += usize::from(inside.load(Ordering::SeqCst));
                        }
                        met
                    })
                })
            })
        };
        is_called_back.recv().unwrap();
        let neighbour = mobile(scheduler, move || {
            for _ in 0..200 {
                for _ in 0..5 {
                    native::section(&SHORT_CALL, || {
                        inside.store(true, Ordering::SeqCst);
                        // Time for the other one to come and take the slot.
                        let until = Instant::now() + Duration::from_micros(100);
                        while Instant::now() < until {
                            std::hint::spin_loop();
                        }
                        inside.store(false, Ordering::SeqCst);
                    });
                }
                yield_now();
            }
            over.store(true, Ordering::SeqCst);
        });
        neighbour.join().unwrap();
        assert_eq!(yielder.join().unwrap(), 0, "it ran beside a section");
    });
}

#[test]
fn a_shutdown_waits_for_sections_and_grants_their_return() {
    for workers in [1, 2, 4] {
        let scheduler = checked(workers).build().unwrap();
        let (sender, receiver) = mpsc::channel();
        let returned = Arc::new(AtomicBool::new(false));
        let mine = Arc::clone(&returned);
        let (entered, inside_now) = mpsc::channel();
        let inside = mobile(&scheduler, move || {
            entered.send(()).unwrap();
            blocked_until(&receiver);
            mine.store(true, Ordering::SeqCst);
            park();
        });
        let in_callback = mobile(&scheduler, || {
            native::section(&BLOCKS, || native::callback(park));
        });
        until_waits(in_callback.task(), WaitReason::Park);
        inside_now.recv().unwrap();
        let error = scheduler.shutdown(SHORT).expect_err("one is in a section");
        let survives = |task: &fiberhost::scheduler::TaskRef| task.id() == inside.task().id();
        assert!(error.survivors().iter().any(survives));
        sender.send(()).unwrap();
        scheduler.shutdown(LONG).unwrap();
        assert!(returned.load(Ordering::SeqCst));
        assert!(inside.join().unwrap_err().is_cancelled());
        in_callback.join().unwrap();
    }
}

// On fibers only: a task on a thread of its own counts as one more thread.
#[test]
fn without_more_threads_a_section_keeps_its_slot() {
    with_on_fibers(checked(1).max_threads(1), |scheduler| {
        let (sender, receiver) = mpsc::channel();
        let stuck = mobile(scheduler, move || blocked_until(&receiver));
        let other = mobile(scheduler, || ());
        std::thread::sleep(SHORT);
        assert!(!other.is_finished());
        sender.send(()).unwrap();
        stuck.join().unwrap();
        other.join().unwrap();
        assert_eq!(scheduler.stats().handovers, 0);
        assert_eq!(scheduler.stats().threads, 1);
    });
}

task_local! {
    static KEPT: AtomicUsize = AtomicUsize::new(7);
    static OTHER: AtomicUsize = AtomicUsize::new(8);
}

/// Each refusal leaves the thread what it was: a worker's, or one in a section.
#[test]
fn leaving_and_entering_on_a_condition_is_all_or_nothing() {
    fn leave_if(agree: impl FnOnce(&AtomicUsize) -> bool) -> bool {
        // SAFETY: the test pairs those that say so, on this thread.
        unsafe { native::leave_if(&KEPT, |kept| agree(kept).then_some(&BLOCKS)) }
    }
    fn enter_if(agree: impl FnOnce(&AtomicUsize) -> bool) -> bool {
        // SAFETY: as above.
        unsafe { native::enter_if(&KEPT, |kept| agree(kept)) }
    }
    let seven = |kept: &AtomicUsize| kept.load(Ordering::Relaxed) == 7;
    let never = |_: &AtomicUsize| panic!("it is not asked");
    // Out of its scheduler's sight a task gives nothing to the others.
    let is_out = || !yield_to_others();
    // On fibers: whether a task on a thread of its own finds somebody to give way to is for the system to say, which
    // lets the other one's thread come to the slot sooner or later; and that is how this tells where the task is.
    at_on_fibers(1, move |scheduler| {
        let over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&over);
        let beside = scheduler.spawn(move || {
            while !until.load(Ordering::Relaxed) {
                yield_now();
            }
        });
        let task = scheduler.spawn(move || {
            assert!(!leave_if(never), "it has no value");
            KEPT.with(|_| ());
            OTHER.with(|_| ());
            assert!(!leave_if(never), "it is not the last");
            KEPT.with(|_| ());
            assert!(!leave_if(|_| false) && !is_out());
            assert!(!enter_if(never) && !is_out());
            yield_now();
            for _ in 0..3 {
                assert!(leave_if(seven) && is_out());
                assert!(!leave_if(never) && is_out(), "only the outermost");
                assert!(!enter_if(|_| false) && is_out());
                native::section(&SHORT_CALL, || assert!(!enter_if(never) && is_out()));
                assert!(is_out());
                assert!(enter_if(seven) && !is_out());
                yield_now();
            }
            // One that lasts gives the slot away, and comes back.
            assert!(leave_if(seven));
            std::thread::sleep(SHORT);
            assert!(enter_if(seven) && !is_out());
            over.store(true, Ordering::Relaxed);
        });
        task.join().unwrap();
        beside.join().unwrap();
    });
    assert!(!leave_if(never) && !enter_if(never), "a plain thread");
}
