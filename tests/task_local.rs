//! Task-local values: whose they are, and when they go.

mod common;

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{
    LONG, OnDrop, SHORT, at, at_workers, checked, eventually, expect_panics, os_thread,
    until_waits, with_on_fibers,
};
use fiberhost::scheduler::sync::AutoResetEvent;
use fiberhost::scheduler::{
    Backing, TaskBuilder, WaitReason, Wake, current, park, sleep, spawn, task_local, yield_now,
};

type Log = Arc<Mutex<Vec<&'static str>>>;
type Last = Option<Box<dyn FnMut() + Send>>;

/// Runs a closure in its destructor, if it was given one.
#[derive(Default)]
struct AtEnd(RefCell<Last>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        if let Some(mut last) = self.0.get_mut().take() {
            last();
        }
    }
}

impl AtEnd {
    fn set(&self, last: impl FnMut() + Send + 'static) {
        *self.0.borrow_mut() = Some(Box::new(last));
    }
}

task_local! {
    static COUNT: Cell<u32> = Cell::new(0);
    static NAME: RefCell<String> = RefCell::new(String::from("nobody"));
    static FIRST: AtEnd = AtEnd::default();
    static SECOND: AtEnd = AtEnd::default();
    static THIRD: AtEnd = AtEnd::default();
    static SLOWLY_MADE: u64 = { sleep(Duration::from_millis(1)); current().id() };
    static BUILT_ON_OTHERS: String = NAME.with(|name| format!("{}, {}", name.borrow(), COUNT.with(Cell::get)));
}

#[test]
fn each_task_has_its_own() {
    at_workers(|scheduler| {
        let tasks: Vec<_> = (0..50)
            .map(|number| {
                scheduler.spawn(move || {
                    assert_eq!(COUNT.with(Cell::get), 0);
                    for step in 0..10 {
                        COUNT.with(|count| count.set(number * 100 + step));
                        NAME.with(|name| *name.borrow_mut() = format!("task {number}"));
                        yield_now();
                        assert_eq!(COUNT.with(Cell::get), number * 100 + step);
                    }
                    let child = spawn(|| NAME.with(|name| name.borrow().clone()));
                    assert_eq!(child.join().unwrap(), "nobody", "children inherit nothing");
                    NAME.with(|name| assert_eq!(*name.borrow(), format!("task {number}")));
                })
            })
            .collect();
        for task in tasks {
            task.join().unwrap();
        }
    });
}

#[test]
fn an_initialiser_may_wait_and_use_others() {
    at_workers(|scheduler| {
        scheduler.run(|| {
            let others: Vec<_> = (0..10)
                .map(|_| spawn(|| SLOWLY_MADE.with(|id| (*id, current().id()))))
                .collect();
            for other in others {
                let (id, own) = other.join().unwrap();
                assert_eq!(id, own);
            }
            COUNT.with(|count| count.set(3));
            assert_eq!(BUILT_ON_OTHERS.with(String::clone), "nobody, 3");
        });
    });
}

#[test]
fn they_go_in_the_reverse_order_at_the_end_of_the_task() {
    at_workers(|scheduler| {
        let log = Log::default();
        let mine = Arc::clone(&log);
        let task = scheduler.spawn(move || {
            let (one, two, three) = (mine.clone(), mine.clone(), mine.clone());
            FIRST.with(|end| end.set(move || one.lock().unwrap().push("first")));
            SECOND.with(|end| end.set(move || two.lock().unwrap().push("second")));
            THIRD.with(|end| end.set(move || three.lock().unwrap().push("third")));
            let _local = OnDrop(|| mine.lock().unwrap().push("the task's own"));
        });
        task.join().unwrap();
        // All before the join returns.
        let expected = ["the task's own", "third", "second", "first"];
        assert_eq!(*log.lock().unwrap(), expected);
    });
}

#[test]
fn they_go_however_the_task_ends() {
    expect_panics();
    at_workers(|scheduler| {
        let count = Arc::new(AtomicUsize::new(0));
        let noting = || {
            let count = Arc::clone(&count);
            move || {
                FIRST.with(|end| {
                    end.set(move || {
                        count.fetch_add(1, Ordering::SeqCst);
                    })
                })
            }
        };
        let note = noting();
        let panics = scheduler.spawn(move || {
            note();
            panic!("expected");
        });
        assert!(panics.join().unwrap_err().is_panic());
        assert_eq!(count.load(Ordering::SeqCst), 1);
        let note = noting();
        let aborted = scheduler.spawn(move || {
            note();
            park();
        });
        until_waits(aborted.task(), WaitReason::Park);
        aborted.abort();
        assert!(aborted.join().unwrap_err().is_cancelled());
        assert_eq!(count.load(Ordering::SeqCst), 2);
        let note = noting();
        drop(scheduler.spawn(note));
        eventually("that of the detached one", || {
            count.load(Ordering::SeqCst) == 3
        });
    });
}

#[test]
fn a_destructor_may_wait() {
    at(1, |scheduler| {
        for abort in [false, true] {
            let event = Arc::new(AutoResetEvent::new(false));
            let (waited, log) = (Arc::clone(&event), Log::default());
            let mine = Arc::clone(&log);
            let task = scheduler.spawn(move || {
                FIRST.with(|end| {
                    end.set(move || {
                        assert_eq!(sleep(Duration::from_millis(1)), Wake::TimedOut);
                        mine.lock().unwrap().push("waits");
                        let wake = waited.wait();
                        mine.lock().unwrap().push(match wake {
                            Wake::Signalled => "signalled",
                            Wake::Aborted => "aborted",
                            _ => "otherwise",
                        });
                    })
                });
                5
            });
            eventually("the destructor waits", || {
                log.lock().unwrap().as_slice() == ["waits"]
            });
            assert!(!task.is_finished());
            if abort {
                // It is told, but not unwound half-way; and the task had its result already.
                task.abort();
            } else {
                // The only worker is free meanwhile.
                let other = scheduler.spawn(move || event.set());
                other.join_for(LONG).unwrap().unwrap();
            }
            assert_eq!(task.join().unwrap(), 5);
            let end = if abort { "aborted" } else { "signalled" };
            assert_eq!(*log.lock().unwrap(), ["waits", end]);
        }
    });
}

#[test]
fn a_value_that_is_gone_is_an_error() {
    at_workers(|scheduler| {
        let log = Log::default();
        let mine = Arc::clone(&log);
        let task = scheduler.spawn(move || {
            FIRST.with(|end| {
                let log = mine.clone();
                end.set(move || {
                    // The second went before the first; the counter is made now, and goes afterwards.
                    assert!(SECOND.try_with(|_| ()).is_err());
                    assert!(FIRST.try_with(|_| ()).is_err(), "it is on its way");
                    assert_eq!(COUNT.with(Cell::get), 0);
                    THIRD.with(|end| {
                        let log = log.clone();
                        end.set(move || log.lock().unwrap().push("made late"));
                    });
                    log.lock().unwrap().push("first");
                })
            });
            SECOND.with(|end| {
                let log = mine.clone();
                end.set(move || {
                    assert!(FIRST.try_with(|_| ()).is_ok(), "it is still there");
                    log.lock().unwrap().push("second");
                })
            });
        });
        task.join().unwrap();
        assert_eq!(*log.lock().unwrap(), ["second", "first", "made late"]);
        let error = scheduler
            .spawn(|| {
                let (tell, told) = std::sync::mpsc::channel();
                spawn(move || {
                    FIRST.with(|end| {
                        end.set(move || {
                            tell.send(FIRST.try_with(|_| ()).unwrap_err()).unwrap();
                        });
                    });
                })
                .join()
                .unwrap();
                told.recv().unwrap()
            })
            .join()
            .unwrap();
        assert_eq!(
            error.to_string(),
            "a task-local value was used after it was dropped"
        );
    });
}

#[test]
fn a_destructor_that_panics_keeps_neither_the_others_nor_the_result() {
    expect_panics();
    at_workers(|scheduler| {
        let log = Log::default();
        let mine = Arc::clone(&log);
        let task = scheduler.spawn(move || {
            FIRST.with(|end| end.set(move || mine.lock().unwrap().push("first")));
            SECOND.with(|end| end.set(|| panic!("expected, in a task-local's destructor")));
            8
        });
        assert_eq!(task.join().unwrap(), 8);
        assert_eq!(*log.lock().unwrap(), ["first"]);
    });
}

#[test]
fn a_plain_thread_has_its_own_too() {
    let log = Log::default();
    let mine = Arc::clone(&log);
    COUNT.with(|count| count.set(1));
    let thread = std::thread::spawn(move || {
        assert_eq!(COUNT.with(|count| count.replace(2)), 0);
        assert_eq!(COUNT.with(Cell::get), 2);
        FIRST.with(|end| end.set(move || mine.lock().unwrap().push("first")));
    });
    thread.join().unwrap();
    assert_eq!(*log.lock().unwrap(), ["first"]);
    assert_eq!(COUNT.with(Cell::get), 1);
    // A worker's thread is not the task's: what the task keeps is not found there.
    at(1, |scheduler| {
        scheduler.run(|| COUNT.with(|count| count.set(9)));
        assert_eq!(scheduler.run(|| COUNT.with(Cell::get)), 0);
    });
}

// On fibers only: a task on a thread of its own does not move.
#[test]
fn they_move_with_a_mobile_task() {
    with_on_fibers(checked(4).force_migration(true), |scheduler| {
        scheduler.run(|| {
            let tasks: Vec<_> = (0..8)
                .map(|number: u32| {
                    let body = move || {
                        COUNT.with(|count| count.set(number));
                        let (first, mut steps) = (os_thread(), 0);
                        eventually("it has moved", || os_thread() != first);
                        while steps < 100 {
                            yield_now();
                            COUNT.with(|count| count.set(count.get() + 1));
                            steps += 1;
                        }
                        assert_eq!(COUNT.with(Cell::get), number + 100);
                    };
                    // SAFETY: no value that must stay on its thread lies on the stack at a suspension.
                    unsafe { TaskBuilder::new().spawn_mobile(body) }.unwrap()
                })
                .collect();
            for task in tasks {
                task.join().unwrap();
            }
        });
    });
}

#[test]
fn they_belong_to_a_task_on_a_thread_of_its_own() {
    at_workers(|scheduler| {
        let log = Log::default();
        let mine = Arc::clone(&log);
        let task = scheduler.task().backing(Backing::Thread);
        let task = task.spawn(move || {
            COUNT.with(|count| count.set(4));
            FIRST.with(|end| {
                end.set(move || {
                    sleep(SHORT);
                    mine.lock().unwrap().push("first");
                })
            });
            yield_now();
            COUNT.with(Cell::get)
        });
        assert_eq!(task.unwrap().join().unwrap(), 4);
        assert_eq!(*log.lock().unwrap(), ["first"]);
    });
}

/// The thread's own record, with which it waits, is there until its values have gone.
#[test]
fn the_values_of_a_plain_thread_may_wait_when_it_ends() {
    struct Waits;
    impl Drop for Waits {
        fn drop(&mut self) {
            let event = fiberhost::scheduler::sync::AutoResetEvent::new(false);
            let wake = event.wait_for(std::time::Duration::from_millis(1));
            assert_eq!(wake, fiberhost::scheduler::Wake::TimedOut);
        }
    }
    fiberhost::scheduler::task_local! {
        static WAITS: Waits = Waits;
    }
    // The thread waits for the first time after the value was made.
    let thread = std::thread::spawn(|| WAITS.with(|_| ()));
    thread.join().expect("no panic");
}
