//! Urgent tasks run next, whoever woke them, and keep nobody from running; and who is told of quanta that are over.

mod common;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{
    LONG, at_on_fibers, checked, eventually, os_thread, sleeps, until_waits, with_on_fibers,
};
use fiberhost::scheduler::native::{self, Target};
use fiberhost::scheduler::sync::AutoResetEvent;
use fiberhost::scheduler::{
    Backing, JoinHandle, Priority, Scheduler, WaitReason, current, park, spawn, yield_now,
};

fn spawn_as<T: Send + 'static>(
    scheduler: &Scheduler,
    mobile: bool,
    priority: Priority,
    work: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    let builder = scheduler.task().priority(priority);
    if mobile {
        // SAFETY: nothing of the thread is kept across a wait.
        unsafe { builder.spawn_mobile(work) }.unwrap()
    } else {
        builder.spawn(work).unwrap()
    }
}

#[test]
fn marks_count_and_leave_the_priority_alone() {
    at_on_fibers(1, |scheduler| {
        let task = scheduler.spawn(|| {
            let me = current();
            me.set_priority(Priority::Low);
            let marks: Vec<_> = (0..60).map(|_| me.urge().unwrap()).collect();
            assert!(me.urge().is_none(), "too many");
            assert!(me.is_urgent() && me.priority() == Priority::Low);
            me.set_priority(Priority::High);
            assert!(me.is_urgent() && me.priority() == Priority::High);
            assert_eq!(marks[0].task(), &me);
            drop(marks);
            assert!(!me.is_urgent() && me.priority() == Priority::High);
        });
        task.join().unwrap();
    });
}

/// Twenty tasks of a class yield in turn when one that waits is woken: marked, it is the next or the one after that.
#[test]
fn an_urgent_task_is_next() {
    for mobile in [false, true] {
        for from_outside in [false, true] {
            for beside in [Priority::Normal, Priority::High] {
                at_on_fibers(1, |scheduler| {
                    woken_among_others(scheduler, mobile, from_outside, beside)
                });
            }
        }
    }
}

fn woken_among_others(scheduler: &Scheduler, mobile: bool, from_outside: bool, beside: Priority) {
    const OTHERS: u32 = 20;
    let event = Arc::new(AutoResetEvent::new(false));
    let woken = Arc::new(AtomicBool::new(false));
    let turns = Arc::new(AtomicU32::new(0));
    let waiter = {
        let (event, woken, turns) = (Arc::clone(&event), Arc::clone(&woken), Arc::clone(&turns));
        spawn_as(scheduler, mobile, Priority::Low, move || {
            let mark = current().urge();
            event.wait();
            drop(mark);
            woken.store(true, Ordering::Relaxed);
            turns.load(Ordering::Relaxed)
        })
    };
    until_waits(waiter.task(), WaitReason::Event);
    let set = Arc::new(AtomicBool::new(false));
    let others: Vec<_> = (0..OTHERS)
        .map(|_| {
            let (woken, turns, set) = (Arc::clone(&woken), Arc::clone(&turns), Arc::clone(&set));
            spawn_as(scheduler, mobile, beside, move || {
                while !woken.load(Ordering::Relaxed) {
                    if set.load(Ordering::Acquire) {
                        turns.fetch_add(1, Ordering::Relaxed);
                    }
                    yield_now();
                }
            })
        })
        .collect();
    let wake = move || {
        event.set();
        set.store(true, Ordering::Release);
    };
    if from_outside {
        // They all have begun.
        std::thread::sleep(Duration::from_millis(2));
        wake();
    } else {
        spawn_as(scheduler, false, Priority::High, wake)
            .join()
            .unwrap();
    }
    let between = waiter.join().unwrap();
    for other in others {
        other.join().unwrap();
    }
    // Whoever ran when it was woken from outside may have been about to yield.
    assert!(
        between <= 3,
        "{between} turns of others; mobile {mobile}, from outside {from_outside}, beside {beside:?}"
    );
}

/// Ten that are marked wake each other again and again; the unmarked of their class and those below still have turns.
#[test]
fn urgent_tasks_keep_nobody_from_running() {
    for mobile in [false, true] {
        for below in [Priority::High, Priority::Normal, Priority::Low] {
            at_on_fibers(1, |scheduler| {
                let over = Arc::new(AtomicBool::new(false));
                let urgent: Vec<_> = (0..10)
                    .map(|_| {
                        let over = Arc::clone(&over);
                        spawn_as(scheduler, mobile, Priority::Normal, move || {
                            let _mark = current().urge();
                            while !over.load(Ordering::Relaxed) {
                                yield_now();
                            }
                        })
                    })
                    .collect();
                let other = spawn_as(scheduler, mobile, below, || {
                    for _ in 0..20 {
                        yield_now();
                    }
                });
                other.join_for(LONG).expect("it has its turns").unwrap();
                over.store(true, Ordering::Relaxed);
                for task in urgent {
                    task.join().unwrap();
                }
            });
        }
    }
}

/// Tasks come back from native sections one after the other while the only slot is busy: they have it in this order, but for the
/// last three, for which others wait. Of more than three those that are too many wait for their turn.
#[test]
fn among_those_that_come_back_the_urgent_go_first() {
    static CALL: Target = Target::new("until told");
    const TASKS: usize = 7;
    at_on_fibers(1, |scheduler| {
        let order = Arc::new(Mutex::new(Vec::new()));
        let tasks: Vec<_> = (0..TASKS)
            .map(|number| {
                let (end, ended) = channel::<()>();
                let (tell, told) = channel();
                let order = Arc::clone(&order);
                let back = Arc::new(AtomicBool::new(false));
                let comes = Arc::clone(&back);
                let builder = scheduler.task().backing(Backing::Thread);
                let task = builder.spawn(move || {
                    let _mark = (number >= 3).then(|| current().urge());
                    native::section(&CALL, || {
                        tell.send(os_thread()).unwrap();
                        ended.recv().unwrap();
                        comes.store(true, Ordering::SeqCst);
                    });
                    order.lock().unwrap().push(number);
                });
                (task.unwrap(), end, told.recv().unwrap(), back)
            })
            .collect();
        let (over, busy) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicBool::new(false)),
        );
        let (until, here) = (Arc::clone(&over), Arc::clone(&busy));
        let hog = scheduler.spawn(move || {
            here.store(true, Ordering::SeqCst);
            while !until.load(Ordering::SeqCst) {
                std::hint::spin_loop();
            }
        });
        eventually("the slot is busy", || busy.load(Ordering::SeqCst));
        for (_, end, thread, back) in &tasks {
            end.send(()).unwrap();
            eventually("it waits for the slot", || {
                back.load(Ordering::SeqCst) && sleeps(*thread)
            });
        }
        over.store(true, Ordering::SeqCst);
        hog.join().unwrap();
        for (task, ..) in tasks {
            task.join().unwrap();
        }
        assert_eq!(*order.lock().unwrap(), [5, 4, 3, 0, 1, 2, 6]);
    });
}

#[test]
fn who_wants_to_know_is_told_of_quanta_that_are_over() {
    const QUANTUM: Duration = Duration::from_millis(5);
    let told = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&told);
    let (tell, asleep) = channel();
    let builder = checked(1).quantum(QUANTUM).on_quantum(move |task| {
        notes.lock().unwrap().push(task.id());
        panic!("expected: it does the monitor no harm");
    });
    common::expect_panics();
    with_on_fibers(builder, |scheduler| {
        let tell = tell.clone();
        let sleeper = scheduler.spawn(move || {
            tell.send(()).unwrap();
            park();
        });
        asleep.recv().unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&over);
        let busy = scheduler.spawn(move || {
            spawn(|| ()).join().unwrap();
            while !until.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
        let id = busy.task().id();
        eventually("each quantum is told", || told.lock().unwrap().len() >= 3);
        over.store(true, Ordering::Relaxed);
        busy.join().unwrap();
        assert!(told.lock().unwrap().iter().all(|who| *who == id));
        sleeper.task().unpark();
        sleeper.join().unwrap();
    });
}
