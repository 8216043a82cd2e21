//! Small programs of tasks, each with what must hold at its end in whatever order its tasks have run.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use fiberhost::scheduler::sync::channel::{Select, bounded, unbounded};
use fiberhost::scheduler::sync::{
    AutoResetEvent, Barrier, Condvar, ManualResetEvent, Mutex, RwLock, Semaphore,
};
use fiberhost::scheduler::{
    Backing, Builder, CancelToken, JoinSet, Scheduler, Wake, native, park, scope, simulate, sleep,
    spawn, timeout, yield_now,
};

use crate::hosts;

/// A program, with its name.
pub(crate) type Program = (&'static str, fn(Builder));

pub(crate) const ALL: &[Program] = &[
    ("locks", locks),
    ("conditions", conditions),
    ("channels", channels),
    ("selects", selects),
    ("cancellations", cancellations),
    ("aborts", aborts),
    ("limits", limits),
    ("joins", joins),
    ("shutdowns", shutdowns),
    ("sections", sections),
    ("threads", threads),
    ("mobiles", mobiles),
    ("workers", workers),
    ("host: sections and events", hosts::sections_and_events),
    ("host: tasks on threads", hosts::threads),
    ("host: alerts", hosts::alerts),
    ("host: deadlocks", hosts::deadlocks),
    ("host: transitions", hosts::transitions),
    ("host: pool", hosts::pool),
    ("host: strangers", hosts::strangers),
];

/// Far longer than anything here takes in a simulation's time.
const LONG: Duration = Duration::from_secs(3600);

fn build(builder: Builder) -> Scheduler {
    builder.build().expect("a simulated scheduler")
}

/// Nothing may be left.
fn end(scheduler: &Scheduler) {
    scheduler.shutdown(LONG).expect("no task is left");
    let stats = scheduler.stats();
    assert_eq!(stats.spawned, stats.ended, "every task ends once");
}

/// One writer or many readers, and nobody's work is lost.
fn locks(builder: Builder) {
    let scheduler = build(builder);
    let total = scheduler.run(|| {
        let count = Mutex::new(0_u32);
        let fair = Mutex::new_fair(0_u32);
        let pair = RwLock::new((0_u32, 0_u32));
        let inside = AtomicI64::new(0);
        scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..2 {
                        *count.lock() += 1;
                        let mut guard = fair.lock();
                        assert_eq!(inside.fetch_add(1, SeqCst), 0, "one at a time");
                        yield_now();
                        *guard += 1;
                        assert_eq!(inside.fetch_sub(1, SeqCst), 1);
                        drop(guard);
                        let mut both = pair.write();
                        both.0 += 1;
                        simulate::point();
                        both.1 += 1;
                    }
                });
            }
            scope.spawn(|| {
                for _ in 0..3 {
                    let both = pair.read();
                    yield_now();
                    assert_eq!(both.0, both.1, "nobody writes while somebody reads");
                }
            });
        });
        *count.lock() + *fair.lock() + pair.read().1
    });
    assert_eq!(total, 18);
    end(&scheduler);
}

/// What waits for a condition, a permit, a barrier or an event is not forgotten.
fn conditions(builder: Builder) {
    let scheduler = build(builder);
    scheduler.run(|| {
        let queue = Mutex::new(Vec::new());
        let filled = Condvar::new();
        let room = Semaphore::new(1);
        let meeting = Barrier::new(3);
        let (ping, pong) = (AutoResetEvent::new(false), ManualResetEvent::new(false));
        let leaders = AtomicUsize::new(0);
        scope(|scope| {
            scope.spawn(|| {
                for item in 0..3 {
                    room.acquire().forget();
                    queue.lock().push(item);
                    filled.notify_one();
                }
                ping.set();
                leaders.fetch_add(usize::from(meeting.wait().is_leader()), SeqCst);
            });
            scope.spawn(|| {
                for item in 0..3 {
                    let mut guard = queue.lock();
                    filled.wait_while(&mut guard, |queue| queue.is_empty());
                    assert_eq!(guard.pop(), Some(item));
                    drop(guard);
                    room.add(1);
                }
                leaders.fetch_add(usize::from(meeting.wait().is_leader()), SeqCst);
                pong.set();
            });
            scope.spawn(|| {
                assert_eq!(ping.wait(), Wake::Signalled);
                leaders.fetch_add(usize::from(meeting.wait().is_leader()), SeqCst);
                assert_eq!(pong.wait(), Wake::Signalled);
            });
        });
        assert_eq!(leaders.load(SeqCst), 1);
    });
    end(&scheduler);
}

/// Each item comes once, whatever the room.
fn channels(builder: Builder) {
    let scheduler = build(builder);
    let sum = scheduler.run(|| {
        let (meet, met) = bounded(0);
        let (send, receive) = bounded(1);
        let (last, results) = unbounded();
        scope(|scope| {
            for sender in 0..2_u32 {
                let meet = meet.clone();
                scope.spawn(move || {
                    (0..3).for_each(|at| meet.send(10 * sender + at).expect("it is received"))
                });
            }
            drop(meet);
            scope.spawn(move || {
                met.iter()
                    .for_each(|item| send.send(item).expect("it is received"))
            });
            for _ in 0..2 {
                let (receive, last) = (receive.clone(), last.clone());
                scope.spawn(move || {
                    receive
                        .iter()
                        .for_each(|item| last.send(item).expect("it is received"))
                });
            }
            drop((receive, last));
        });
        let mut all: Vec<u32> = results.iter().collect();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 10, 11, 12]);
        all.iter().sum::<u32>()
    });
    assert_eq!(sum, 36);
    end(&scheduler);
}

/// A select takes from one channel only.
fn selects(builder: Builder) {
    let scheduler = build(builder);
    scheduler.run(|| {
        let (to_first, first) = bounded(1);
        let (to_second, second) = bounded(0);
        scope(|scope| {
            scope.spawn(move || {
                (0..3_u32).for_each(|item| to_first.send(item).expect("it is received"))
            });
            scope.spawn(move || {
                (0..3_u32).for_each(|item| to_second.send(item).expect("it is received"))
            });
            scope.spawn(move || {
                let mut next = [0, 0];
                while next != [3, 3] {
                    let mut select = Select::new();
                    let indices = [select.recv(&first), select.recv(&second)];
                    // An end is ready too, so the ended one is left out.
                    (0..2)
                        .filter(|&side| next[side] == 3)
                        .for_each(|side| select.remove(indices[side]));
                    let chosen = select.select();
                    let side = usize::from(chosen.index() == indices[1]);
                    let item = match side {
                        0 => chosen.recv(&first),
                        _ => chosen.recv(&second),
                    };
                    assert_eq!(item, Ok(next[side]), "in order, and each once");
                    next[side] += 1;
                }
            });
        });
    });
    end(&scheduler);
}

/// A cancellation ends the waits inside its scope, and none after it.
fn cancellations(builder: Builder) {
    let scheduler = build(builder);
    scheduler.run(|| {
        let token = CancelToken::new();
        let child = token.child();
        let never = ManualResetEvent::new(false);
        let after = AutoResetEvent::new(false);
        scope(|scope| {
            scope.spawn(|| {
                assert_eq!(child.run_until_cancelled(|| never.wait()), Wake::Aborted);
                // Outside of it nothing is cancelled.
                assert_eq!(after.wait(), Wake::Signalled);
            });
            scope.spawn(|| {
                assert_eq!(child.wait(), Wake::Signalled);
                after.set();
            });
            scope.spawn(|| token.cancel());
        });
    });
    end(&scheduler);
}

/// An aborted task is unwound, wherever it stands, and takes what it has with it.
fn aborts(builder: Builder) {
    let scheduler = build(builder);
    let held = Arc::new(());
    let mutex = Arc::new(Mutex::new(0));
    let tasks: Vec<_> = (0..4)
        .map(|number| {
            let (held, mutex) = (Arc::clone(&held), Arc::clone(&mutex));
            scheduler.spawn(move || {
                let _held = held;
                loop {
                    *mutex.lock() += 1;
                    match number {
                        0 => _ = park(),
                        1 => _ = sleep(LONG),
                        2 => yield_now(),
                        _ => _ = AutoResetEvent::new(false).wait(),
                    }
                }
            })
        })
        .collect();
    for task in &tasks {
        task.abort();
    }
    for task in tasks {
        assert!(task.join().expect_err("it never returns").is_cancelled());
    }
    assert_eq!(Arc::strong_count(&held), 1, "what the tasks had is gone");
    assert!(!mutex.is_locked());
    end(&scheduler);
}

/// A time limit and what is waited for come in any order; whichever it is, only one of them.
fn limits(builder: Builder) {
    let scheduler = build(builder);
    scheduler.run(|| {
        let event = AutoResetEvent::new(false);
        scope(|scope| {
            let waiter = scope.spawn(|| event.wait_for(Duration::from_millis(2)));
            let setter = scope.spawn(|| {
                let before = simulate::now();
                sleep(Duration::from_millis(2));
                assert!(
                    simulate::now() - before >= Duration::from_millis(2),
                    "never early"
                );
                event.set();
            });
            let worker = scope.spawn(|| {
                let work = || {
                    for _ in 0..4 {
                        sleep(Duration::from_millis(1));
                    }
                };
                timeout(Duration::from_millis(3), work).is_err()
            });
            let waited = waiter.join().expect("it returns");
            setter.join().expect("it returns");
            match waited {
                Wake::Signalled => assert_eq!(event.wait_for(Duration::ZERO), Wake::TimedOut),
                Wake::TimedOut => assert_eq!(event.wait_for(Duration::ZERO), Wake::Signalled),
                other => panic!("{other:?}"),
            }
            assert!(
                worker.join().expect("it returns"),
                "four of three milliseconds"
            );
        });
    });
    end(&scheduler);
}

/// Every joiner has the result, and a set gives each once.
fn joins(builder: Builder) {
    let scheduler = build(builder);
    let total = scheduler.run(|| {
        let task = spawn(|| {
            yield_now();
            7
        });
        let by_ref = task.task().clone();
        let others: Vec<_> = (0..2)
            .map(|_| {
                let task = by_ref.clone();
                spawn(move || task.wait().expect("nobody interrupts it"))
            })
            .collect();
        let mut set = JoinSet::new();
        for number in 0..3 {
            set.spawn(move || {
                sleep(Duration::from_micros(10 * (3 - number)));
                number
            });
        }
        let mut sum = task.join().expect("it returns");
        while let Some(number) = set.join_next() {
            sum += number.expect("it returns");
        }
        for other in others {
            other.join().expect("it returns");
        }
        sum
    });
    assert_eq!(total, 10);
    end(&scheduler);
}

/// A shutdown at any moment ends tasks in every state, and their closures go.
fn shutdowns(builder: Builder) {
    let scheduler = build(builder);
    let held = Arc::new(());
    let (_sender, receiver) = bounded::<()>(1);
    for number in 0..5 {
        let (held, receiver) = (Arc::clone(&held), receiver.clone());
        drop(scheduler.spawn(move || {
            let _held = held;
            match number {
                0 => _ = sleep(LONG),
                1 => _ = receiver.recv(),
                2 => loop {
                    yield_now();
                },
                3 => _ = spawn(|| sleep(LONG)).join(),
                _ => {}
            }
        }));
        simulate::point();
    }
    end(&scheduler);
    assert_eq!(Arc::strong_count(&held), 1, "no closure is left");
    let late = scheduler.spawn(|| ());
    assert!(late.join().expect_err("it never starts").is_cancelled());
}

/// Native sections that take their time lose their slot, and come back; callbacks wait as tasks.
fn sections(builder: Builder) {
    static CODE: native::Target = native::Target::new("native code");
    let scheduler = build(builder.workers(1));
    let event = Arc::new(AutoResetEvent::new(false));
    let mine = Arc::clone(&event);
    let caller = scheduler.spawn(move || {
        native::section(&CODE, || {
            simulate::pass(Duration::from_millis(20));
            native::callback(|| assert_eq!(mine.wait(), Wake::Signalled));
            simulate::point();
        });
    });
    let beside = scheduler.spawn(|| {
        for _ in 0..3 {
            yield_now();
            sleep(Duration::from_micros(100));
        }
    });
    // On a thread of its own: one that had started on the caller's thread would wait behind the callback that waits for it.
    let setter = scheduler.task().backing(Backing::Thread).spawn(move || {
        native::blocking(|| simulate::pass(Duration::from_millis(5)));
        sleep(Duration::from_millis(1));
        event.set();
    });
    for task in [caller, beside, setter.expect("there is memory")] {
        task.join().expect("it returns");
    }
    end(&scheduler);
}

/// Tasks on threads of their own take part in everything.
fn threads(builder: Builder) {
    let scheduler = build(builder.default_backing(Backing::Thread));
    let count = scheduler.run(|| {
        let count = Mutex::new(0);
        let (sender, receiver) = bounded(1);
        scope(|scope| {
            for _ in 0..2 {
                let (sender, count) = (sender.clone(), &count);
                scope.spawn(move || {
                    *count.lock() += 1;
                    sleep(Duration::from_millis(1));
                    sender.send(1).expect("it is received");
                });
            }
            drop(sender);
            receiver.iter().sum::<i32>() + *count.lock()
        })
    });
    assert_eq!(count, 4);
    end(&scheduler);
}

/// Mobile tasks change threads at each wait, and adopted threads are tasks among them.
fn mobiles(builder: Builder) {
    let scheduler = build(builder.force_migration(true));
    let counted = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..3)
        .map(|_| {
            let counted = Arc::clone(&counted);
            let task = move || {
                for _ in 0..3 {
                    yield_now();
                    sleep(Duration::from_micros(50));
                    counted.fetch_add(1, SeqCst);
                }
            };
            // SAFETY: nothing on the task's stack belongs to a thread.
            unsafe { scheduler.task().spawn_mobile(task) }.expect("there is memory")
        })
        .collect();
    let adopted = scheduler.adopt().expect("this thread is no task yet");
    native::callback(|| {
        for task in tasks {
            task.join().expect("it returns");
        }
    });
    drop(adopted);
    assert_eq!(counted.load(SeqCst), 9);
    end(&scheduler);
}

/// How many run at once is changed by tasks of each kind, while others wait, sleep, yield and are in native code.
fn workers(builder: Builder) {
    static CALL: native::Target = native::Target::new("a call");
    let scheduler = build(builder.workers_max(3));
    let max = scheduler.workers_max();
    let done = Arc::new(AtomicUsize::new(0));
    let spawn_as = |number: usize| {
        let (here, done) = (scheduler.clone(), Arc::clone(&done));
        let work = move || {
            for round in 0..3 {
                here.set_workers(1 + (number + round) % max);
                match (number + round) % 4 {
                    0 => yield_now(),
                    1 => assert_eq!(sleep(Duration::from_millis(1)), Wake::TimedOut),
                    2 => native::section(&CALL, || native::callback(yield_now)),
                    _ => assert_eq!(spawn(move || round).join().expect("it returns"), round),
                }
            }
            done.fetch_add(1, SeqCst);
        };
        let task = scheduler.task();
        match number % 3 {
            0 => task.spawn(work),
            // SAFETY: nothing on its stack is the thread's when it waits.
            1 => unsafe { task.spawn_mobile(work) },
            _ => task.backing(Backing::Thread).spawn(work),
        }
        .expect("there is memory")
    };
    let tasks: Vec<_> = (0..6).map(spawn_as).collect();
    for task in tasks {
        task.join().expect("it returns");
    }
    assert_eq!(done.load(SeqCst), 6);
    scheduler.set_workers(max);
    // As many at once as are wanted: each waits for the others without giving its thread back.
    let here = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..max)
        .map(|_| {
            let here = Arc::clone(&here);
            scheduler.spawn(move || {
                here.fetch_add(1, SeqCst);
                while here.load(SeqCst) < max {
                    simulate::point();
                }
            })
        })
        .collect();
    for task in tasks {
        task.join().expect("it returns");
    }
    end(&scheduler);
}
