//! How many tasks run at once is changed while they run.

mod common;

use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use common::{
    LONG, at, at_on_fibers, checked, eventually, expect_panics, hog_until, until_waits, with,
};
use fiberhost::scheduler::net::TcpListener;
use fiberhost::scheduler::sync::AutoResetEvent;
use fiberhost::scheduler::{Scheduler, WaitReason, Wake, native, sleep, spawn, yield_now};
use fiberhost::views::Views;

static CALL: native::Target = native::Target::new("a call");

/// Until so many slots are in use, and no more.
fn until_active(scheduler: &Scheduler, wanted: usize) {
    eventually("so many slots are left", || {
        let slots = scheduler.snapshot().slots;
        slots.iter().filter(|slot| !slot.rests).count() == wanted
    });
}

/// Tasks that compute and yield until this is dropped, and how many were at it at once.
struct Load {
    over: Arc<AtomicBool>,
    most: Arc<AtomicUsize>,
    turns: Arc<AtomicUsize>,
    tasks: Vec<fiberhost::scheduler::JoinHandle<()>>,
}

impl Load {
    fn of(scheduler: &Scheduler, count: usize) -> Load {
        let (over, most) = <(Arc<AtomicBool>, Arc<AtomicUsize>)>::default();
        let turns = Arc::new(AtomicUsize::new(0));
        let running = Arc::new(AtomicUsize::new(0));
        let tasks = (0..count).map(|_| {
            let (over, most) = (over.clone(), most.clone());
            let (turns, running) = (turns.clone(), running.clone());
            scheduler.spawn(move || {
                while !over.load(SeqCst) {
                    most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
                    (0..200).for_each(|_| std::hint::spin_loop());
                    running.fetch_sub(1, SeqCst);
                    turns.fetch_add(1, SeqCst);
                    yield_now();
                }
            })
        });
        Load {
            tasks: tasks.collect(),
            over,
            most,
            turns,
        }
    }

    /// How many run at once from now on, while they have some thousand turns.
    fn most_of_a_while(&self) -> usize {
        self.most.store(0, SeqCst);
        let from = self.turns.load(SeqCst);
        eventually("they have turns", || self.turns.load(SeqCst) > from + 3000);
        self.most.load(SeqCst)
    }

    fn end(self) {
        self.over.store(true, SeqCst);
        for task in self.tasks {
            task.join().unwrap();
        }
    }
}

#[test]
fn no_more_tasks_run_at_once_than_are_wanted() {
    at(4, |scheduler| {
        let load = Load::of(scheduler, 12);
        for wanted in [4, 2, 1, 3, 1, 4] {
            scheduler.set_workers(wanted);
            assert_eq!(scheduler.workers(), wanted);
            assert_eq!(scheduler.workers_max(), 4);
            until_active(scheduler, wanted);
            let most = load.most_of_a_while();
            assert!((1..=wanted).contains(&most), "{most} of {wanted}");
        }
        load.end();
    });
}

/// Each of so many tasks computes until all of them do.
fn all_at_once(scheduler: &Scheduler, count: usize) {
    let running = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..count)
        .map(|_| {
            let running = Arc::clone(&running);
            scheduler.spawn(move || {
                running.fetch_add(1, SeqCst);
                hog_until(|| running.load(SeqCst) == count);
            })
        })
        .collect();
    for task in tasks {
        task.join().unwrap();
    }
}

#[test]
fn more_than_at_the_start_may_run_at_once() {
    with(checked(1).workers_max(4), |scheduler| {
        assert_eq!((scheduler.workers(), scheduler.workers_max()), (1, 4));
        until_active(scheduler, 1);
        let load = Load::of(scheduler, 8);
        assert_eq!(load.most_of_a_while(), 1);
        load.end();
        for wanted in [4, 2, 3] {
            scheduler.set_workers(wanted);
            until_active(scheduler, wanted);
            all_at_once(scheduler, wanted);
        }
    });
}

/// A thread that has lost its slot for good still has its tasks: they wait, yield and end on it.
#[test]
fn bound_tasks_of_a_thread_without_a_slot_go_on() {
    at_on_fibers(4, |scheduler| {
        let (begun, over) = <(Arc<AtomicUsize>, Arc<AtomicBool>)>::default();
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let (begun, over) = (Arc::clone(&begun), Arc::clone(&over));
                scheduler.spawn(move || {
                    let mine = common::os_thread();
                    begun.fetch_add(1, SeqCst);
                    // Nobody takes a second one meanwhile, so each is on a thread of its own.
                    hog_until(|| begun.load(SeqCst) == 4);
                    let event = Arc::new(AutoResetEvent::new(false));
                    let mut turns = 0_usize;
                    while !over.load(SeqCst) || turns < 10 {
                        let mine = Arc::clone(&event);
                        let other = spawn(move || mine.set());
                        assert_eq!(event.wait(), Wake::Signalled);
                        other.join().unwrap();
                        yield_now();
                        turns += 1;
                    }
                    assert_eq!(mine, common::os_thread());
                    mine
                })
            })
            .collect();
        eventually("all have begun", || begun.load(SeqCst) == 4);
        scheduler.set_workers(1);
        until_active(scheduler, 1);
        over.store(true, SeqCst);
        let mut threads: Vec<_> = tasks.into_iter().map(|task| task.join().unwrap()).collect();
        threads.sort_unstable();
        threads.dedup();
        assert_eq!(threads.len(), 4, "they were spread over all workers");
    });
}

/// Tasks that have not started stand in the queue of a slot that comes to rest.
#[test]
fn what_stands_in_the_queue_of_a_slot_at_rest_runs() {
    at_on_fibers(2, |scheduler| {
        let (free, ran) = <(Arc<AtomicBool>, Arc<AtomicUsize>)>::default();
        let hog = {
            let free = Arc::clone(&free);
            scheduler.spawn(move || hog_until(|| free.load(SeqCst)))
        };
        let outer = {
            let (ran, free) = (Arc::clone(&ran), Arc::clone(&free));
            let scheduler = scheduler.clone();
            scheduler.clone().spawn(move || {
                let tasks: Vec<_> = (0..200)
                    .map(|_| {
                        let ran = Arc::clone(&ran);
                        spawn(move || ran.fetch_add(1, SeqCst))
                    })
                    .collect();
                // The other one has a slot and does not settle: so it is this one that rests, at its next wait.
                scheduler.set_workers(1);
                let early = ran.load(SeqCst);
                free.store(true, SeqCst);
                for task in tasks {
                    task.join().unwrap();
                }
                early
            })
        };
        assert_eq!(outer.join().unwrap(), 0);
        hog.join().unwrap();
        assert_eq!(ran.load(SeqCst), 200);
        until_active(scheduler, 1);
    });
}

/// The timers of all workers' tasks, when all but one have none any more and nobody runs: not before their time, and they come.
#[test]
fn time_limits_pass_though_their_slot_rests() {
    // Longer than the monitor ticks when nothing happens.
    const TIME: Duration = Duration::from_millis(300);
    at(4, |scheduler| {
        let begun = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let begun = Arc::clone(&begun);
                scheduler.spawn(move || {
                    begun.fetch_add(1, SeqCst);
                    // So each worker has one of them.
                    hog_until(|| begun.load(SeqCst) == 4);
                    let began = Instant::now();
                    assert_eq!(sleep(TIME), Wake::TimedOut);
                    began.elapsed()
                })
            })
            .collect();
        for task in &tasks {
            // One whose time has passed before one looks has ended.
            eventually("each sleeps or has slept", || {
                task.is_finished() || task.task().wait_reason() == WaitReason::Sleep
            });
        }
        scheduler.set_workers(1);
        until_active(scheduler, 1);
        for task in tasks {
            let took = task.join().unwrap();
            assert!(took >= TIME, "{took:?}");
        }
        assert_eq!(scheduler.workers(), 1);
    });
}

/// A number that is set while all sleep, again and again, with connections that wait.
#[test]
fn sockets_are_watched_whatever_rests() {
    at(4, |scheduler| {
        let listener = scheduler.run(|| TcpListener::bind("127.0.0.1:0").unwrap());
        let address = listener.local_addr().unwrap();
        let server = scheduler.spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut byte = [0];
            let mut echoed = 0;
            while stream.read(&mut byte).unwrap() > 0 {
                stream.write_all(&byte).unwrap();
                echoed += 1;
            }
            echoed
        });
        let mut client = std::net::TcpStream::connect(address).unwrap();
        client.set_read_timeout(Some(LONG)).unwrap();
        for round in 0..200_usize {
            let mut answer = [0];
            scheduler.set_workers([1, 4, 2, 3][round % 4]);
            if round % 10 == 0 {
                until_waits(server.task(), WaitReason::Readable);
            }
            client.write_all(&[round as u8]).unwrap();
            client.read_exact(&mut answer).unwrap();
            assert_eq!(answer, [round as u8]);
        }
        drop(client);
        assert_eq!(server.join().unwrap(), 200);
    });
}

/// A task in a native section has the slot that is to rest, and another one sleeps with its thread.
#[test]
fn native_code_gives_up_the_slot_that_is_to_rest() {
    at(2, |scheduler| {
        let over = Arc::new(AtomicBool::new(false));
        let inside = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..2)
            .map(|number| {
                let (over, inside) = (Arc::clone(&over), Arc::clone(&inside));
                scheduler.spawn(move || {
                    native::section(&CALL, || {
                        inside.fetch_add(1, SeqCst);
                        let wait = || {
                            while !over.load(SeqCst) {
                                std::thread::sleep(Duration::from_millis(1));
                            }
                        };
                        if number == 0 {
                            return wait();
                        }
                        native::callback(|| {
                            while !over.load(SeqCst) {
                                sleep(Duration::from_millis(1));
                            }
                        });
                    });
                })
            })
            .collect();
        eventually("both are inside", || inside.load(SeqCst) == 2);
        scheduler.set_workers(1);
        until_active(scheduler, 1);
        // There is a slot for who comes now.
        assert_eq!(scheduler.run(|| spawn(|| 7).join().unwrap()), 7);
        over.store(true, SeqCst);
        for task in tasks {
            task.join().unwrap();
        }
    });
}

#[test]
fn the_number_changes_while_everything_goes_on() {
    at(4, |scheduler| {
        let over = Arc::new(AtomicBool::new(false));
        let changes = {
            let (scheduler, over) = (scheduler.clone(), Arc::clone(&over));
            std::thread::spawn(move || {
                let mut changes = 0_usize;
                while !over.load(SeqCst) {
                    scheduler.set_workers([1, 3, 2, 4, 1, 4][changes % 6]);
                    changes += 1;
                    std::thread::sleep(Duration::from_micros(50));
                }
                changes
            })
        };
        let tasks: Vec<_> = (0..16_u64)
            .map(|number| {
                scheduler.spawn(move || {
                    for round in 0..100 {
                        match (number + round) % 5 {
                            0 => yield_now(),
                            1 => assert_eq!(sleep(Duration::from_micros(300)), Wake::TimedOut),
                            2 => assert_eq!(spawn(move || round).join().unwrap(), round),
                            3 => native::section(&CALL, std::thread::yield_now),
                            _ => native::section(&CALL, || native::callback(yield_now)),
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            task.join().unwrap();
        }
        over.store(true, SeqCst);
        assert!(changes.join().unwrap() > 0);
        scheduler.set_workers(4);
        until_active(scheduler, 4);
        all_at_once(scheduler, 4);
    });
}

#[test]
fn the_tables_show_which_slots_rest() {
    at(3, |scheduler| {
        let status = || {
            let rows = Views::take(scheduler, &[]).schedulers();
            let offline = rows.iter().filter(|row| row.status == "VISIBLE OFFLINE");
            (offline.count(), rows.len())
        };
        assert_eq!(status(), (0, 3));
        scheduler.set_workers(1);
        until_active(scheduler, 1);
        assert_eq!(status(), (2, 3));
        assert_eq!(scheduler.snapshot().system.workers, 1);
    });
}

#[test]
fn a_number_that_cannot_be_changes_nothing() {
    expect_panics();
    at(2, |scheduler| {
        for wrong in [0, 3, usize::MAX] {
            let refused = catch_unwind(AssertUnwindSafe(|| scheduler.set_workers(wrong)));
            let text = *refused.unwrap_err().downcast::<String>().unwrap();
            assert_eq!(text, format!("{wrong} workers: must be between 1 and 2"));
            assert_eq!(scheduler.workers(), 2);
        }
        until_active(scheduler, 2);
    });
    let error = Scheduler::builder().workers_max(1025).build().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    // Fewer than at the start is no limit.
    let scheduler = Scheduler::builder().workers(2).workers_max(1).build();
    assert_eq!(scheduler.unwrap().workers_max(), 2);
}

/// The shutdown finds slots at rest, and tasks that wait where they were.
#[test]
fn a_shutdown_meets_slots_at_rest() {
    at(4, |scheduler| {
        let mine = checked(4).build().unwrap();
        let tasks: Vec<_> = (0..8).map(|_| mine.spawn(|| sleep(LONG))).collect();
        for task in &tasks {
            until_waits(task.task(), WaitReason::Sleep);
        }
        mine.set_workers(1);
        until_active(&mine, 1);
        mine.shutdown(LONG).unwrap();
        for task in tasks {
            assert!(task.join().unwrap_err().is_cancelled());
        }
        // One that has ended can be told, too.
        mine.set_workers(3);
        assert_eq!(scheduler.workers(), 4);
    });
}
