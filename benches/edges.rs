//! The edges of the scheduler one by one, each beside its twin on plain threads or std's channels.
//!
//! ```sh
//! cargo bench --bench edges                     # all
//! cargo bench --bench edges -- mutex            # those whose name holds the word
//! ```
//!
//! What the figures are good for: to see, before and after a change, which edge became slower, and how far each is
//! from what the operating system offers for the same thing. Every edge is measured alone and warm, so they do not add
//! up to the cost of a program, and two machines are not compared by them. How other libraries fare is `versus`.
//!
//! Work on one worker is compared with threads on one processor, work on two with threads on all of them.

use std::hint;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex as StdMutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use fiberhost_scheduler::sync::channel;
use fiberhost_scheduler::sync::{AutoResetEvent, Mutex};
use fiberhost_scheduler::{Scheduler, TaskBuilder, current, park, spawn, yield_now};

#[path = "versus/cpus.rs"]
mod cpus;
#[path = "versus/deep.rs"]
mod deep;

use deep::four_calls;

criterion_group!(
    edges,
    yield_flat,
    yield_deep,
    yield_mixed,
    park_unpark,
    spawn_join,
    event,
    mutex,
    channel_send_receive,
    steal,
    migrate
);
criterion_main!(edges);

/// One edge: what a task pays for it, and what a thread pays. Each answers the time of `iterations` of it.
fn edge(
    criterion: &mut Criterion,
    name: &str,
    workers: usize,
    task: impl Fn(u64) -> Duration + Copy + Send + 'static,
    twin: impl Fn(u64) -> Duration + Copy + Send + 'static,
) {
    cpus::remember_allowed();
    let mut group: BenchmarkGroup<'_, WallTime> = criterion.benchmark_group(name);
    group
        .sample_size(30)
        .warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(1));
    let built = Scheduler::builder().workers(workers).build();
    let scheduler = built.expect("the system grants the threads");
    group.bench_function("task", |bencher| {
        bencher.iter_custom(|iterations| scheduler.run(move || task(iterations)));
    });
    scheduler
        .shutdown(Duration::from_secs(5))
        .expect("every task has ended");
    group.bench_function("thread", |bencher| {
        bencher.iter_custom(|iterations| on_processors(workers, move || twin(iterations)));
    });
    group.finish();
}

/// Runs the twin, and the threads it starts, on as many processors as the task had workers.
fn on_processors(count: usize, twin: impl FnOnce() -> Duration + Send + 'static) -> Duration {
    let limited = move || {
        cpus::keep_to(..count).expect("the machine has a processor for each worker");
        twin()
    };
    thread::spawn(limited)
        .join()
        .expect("the twin does not panic")
}

fn time(iterations: u64, mut operation: impl FnMut()) -> Duration {
    let start = Instant::now();
    for _ in 0..iterations {
        operation();
    }
    start.elapsed()
}

/// One yield of two tasks that do nothing else, from the same place in the code.
fn yield_flat(criterion: &mut Criterion) {
    edge(
        criterion,
        "yield",
        1,
        |iterations| tasks_yield(iterations, yields(yield_now), yields(yield_now)),
        |iterations| threads_yield(iterations, yields(thread::yield_now)),
    );
}

/// The same from below four calls, through which the tasks return in turn.
fn yield_deep(criterion: &mut Criterion) {
    edge(
        criterion,
        "yield_deep",
        1,
        |iterations| {
            let deep = || four_calls(yield_now);
            tasks_yield(iterations, yields(deep), yields(deep))
        },
        |iterations| threads_yield(iterations, yields(|| four_calls(thread::yield_now))),
    );
}

/// The same from two places, so that the processor, which remembers where the last one went on, is wrong each time.
fn yield_mixed(criterion: &mut Criterion) {
    edge(
        criterion,
        "yield_mixed",
        1,
        |iterations| {
            let deep = || four_calls(yield_now);
            tasks_yield(iterations, yields(yield_now), yields(deep))
        },
        |iterations| threads_yield(iterations, yields(thread::yield_now)),
    );
}

/// A loop of yields, of which there is one in the code for each kind of yield.
fn yields(
    step: impl Fn() + Copy + Send + Sync + 'static,
) -> impl Fn(u64) -> Duration + Send + Sync + 'static {
    #[inline(never)]
    fn repeat(iterations: u64, step: impl Fn()) -> Duration {
        time(iterations, step)
    }
    move |iterations| repeat(iterations, step)
}

/// Both yield equally often, so the time of one holds the yields of both.
fn tasks_yield(
    iterations: u64,
    mine: impl Fn(u64) -> Duration,
    others: impl Fn(u64) -> Duration + Send + 'static,
) -> Duration {
    let other = spawn(move || others(iterations));
    let both = mine(iterations);
    other.join().expect("the other task does not panic");
    both / 2
}

fn threads_yield(
    iterations: u64,
    loops: impl Fn(u64) -> Duration + Send + Sync + 'static,
) -> Duration {
    thread::scope(|scope| {
        scope.spawn(|| loops(iterations));
        loops(iterations) / 2
    })
}

/// A round trip of two that unpark each other: two wakes and two parks.
fn park_unpark(criterion: &mut Criterion) {
    edge(
        criterion,
        "park_unpark",
        1,
        |iterations| {
            let me = current();
            let other = spawn(move || {
                for _ in 0..iterations {
                    // A wake is news, not a promise; here only one side ever unparks the other.
                    let _ = park();
                    me.unpark();
                }
            });
            let took = time(iterations, || {
                other.task().unpark();
                let _ = park();
            });
            other.join().expect("the other task does not panic");
            took
        },
        |iterations| {
            let me = thread::current();
            let other = thread::spawn(move || {
                for _ in 0..iterations {
                    thread::park();
                    me.unpark();
                }
            });
            let took = time(iterations, || {
                other.thread().unpark();
                thread::park();
            });
            // A spurious return of `park` may have let one side run ahead; it does not matter to the other's end.
            other.thread().unpark();
            other.join().expect("the other thread does not panic");
            took
        },
    );
}

/// One child that does nothing, from spawn to joined.
fn spawn_join(criterion: &mut Criterion) {
    edge(
        criterion,
        "spawn_join",
        1,
        |iterations| {
            time(iterations, || {
                spawn(|| ()).join().expect("the child does not panic")
            })
        },
        |iterations| {
            time(iterations, || {
                thread::spawn(|| ())
                    .join()
                    .expect("the child does not panic")
            })
        },
    );
}

/// A round trip over two events that reset themselves.
fn event(criterion: &mut Criterion) {
    edge(
        criterion,
        "event",
        1,
        |iterations| {
            let events = Arc::new([AutoResetEvent::new(false), AutoResetEvent::new(false)]);
            let far = Arc::clone(&events);
            let other = spawn(move || {
                for _ in 0..iterations {
                    far[0].wait();
                    far[1].set();
                }
            });
            let took = time(iterations, || {
                events[0].set();
                events[1].wait();
            });
            other.join().expect("the other task does not panic");
            took
        },
        |iterations| {
            let events = Arc::new([StdEvent::default(), StdEvent::default()]);
            let far = Arc::clone(&events);
            let other = thread::spawn(move || {
                for _ in 0..iterations {
                    far[0].wait();
                    far[1].set();
                }
            });
            let took = time(iterations, || {
                events[0].set();
                events[1].wait();
            });
            other.join().expect("the other thread does not panic");
            took
        },
    );
}

/// The event that std's users write.
#[derive(Default)]
struct StdEvent {
    is_set: StdMutex<bool>,
    changed: Condvar,
}

impl StdEvent {
    fn set(&self) {
        *self.is_set.lock().expect("nobody panics inside") = true;
        self.changed.notify_one();
    }

    fn wait(&self) {
        let is_set = self.is_set.lock().expect("nobody panics inside");
        let mut is_set = self
            .changed
            .wait_while(is_set, |is_set| !*is_set)
            .expect("nobody panics inside");
        *is_set = false;
    }
}

/// Lock and unlock with nobody else there.
fn mutex(criterion: &mut Criterion) {
    edge(
        criterion,
        "mutex",
        1,
        |iterations| {
            let count = Mutex::new(0_u64);
            time(iterations, || *hint::black_box(&count).lock() += 1)
        },
        |iterations| {
            let count = StdMutex::new(0_u64);
            time(iterations, || {
                *hint::black_box(&count)
                    .lock()
                    .expect("nobody panics inside") += 1
            })
        },
    );
}

/// One item through a channel of 64, sender and receiver in turn.
fn channel_send_receive(criterion: &mut Criterion) {
    const BOUND: usize = 64;
    edge(
        criterion,
        "channel",
        1,
        |iterations| {
            let (sender, receiver) = channel::bounded(BOUND);
            let other = spawn(move || {
                (0..iterations).for_each(|item| sender.send(item).expect("the receiver is there"));
            });
            let took = time(iterations, || {
                receiver.recv().expect("the sender is there");
            });
            other.join().expect("the sender does not panic");
            took
        },
        |iterations| {
            let (sender, receiver) = mpsc::sync_channel(BOUND);
            let other = thread::spawn(move || {
                (0..iterations).for_each(|item| sender.send(item).expect("the receiver is there"));
            });
            let took = time(iterations, || {
                receiver.recv().expect("the sender is there");
            });
            other.join().expect("the sender does not panic");
            took
        },
    );
}

/// From the spawn of a task to its run on another worker, while the one that spawned it computes.
fn steal(criterion: &mut Criterion) {
    edge(
        criterion,
        "steal",
        2,
        |iterations| {
            let ran = Arc::new(AtomicU64::new(0));
            time_handed_over(iterations, &ran, |ran| drop(spawn(move || announce(&ran))))
        },
        |iterations| {
            let ran = Arc::new(AtomicU64::new(0));
            let (sender, receiver) = mpsc::channel::<Arc<AtomicU64>>();
            let other = thread::spawn(move || receiver.iter().for_each(|ran| announce(&ran)));
            let took = time_handed_over(iterations, &ran, |ran| {
                sender.send(ran).expect("the other thread listens");
            });
            drop(sender);
            other.join().expect("the other thread does not panic");
            took
        },
    );
}

/// From the wake of a started mobile task to its run on another worker, while the one that woke it computes.
fn migrate(criterion: &mut Criterion) {
    edge(
        criterion,
        "migrate",
        2,
        |iterations| {
            let ran = Arc::new(AtomicU64::new(0));
            let event = Arc::new(AutoResetEvent::new(false));
            let (far_ran, far_event) = (Arc::clone(&ran), Arc::clone(&event));
            let body = move || {
                for _ in 0..iterations {
                    far_event.wait();
                    announce(&far_ran);
                }
            };
            // SAFETY: across its waits the closure keeps two `Arc`s and a counter, none of which knows its thread.
            let spawned = unsafe { TaskBuilder::new().spawn_mobile(body) };
            let other = spawned.expect("there is room for one task");
            let took = time_handed_over(iterations, &ran, |_| event.set());
            other.join().expect("the other task does not panic");
            took
        },
        |iterations| {
            let ran = Arc::new(AtomicU64::new(0));
            let event = Arc::new(StdEvent::default());
            let (far_ran, far_event) = (Arc::clone(&ran), Arc::clone(&event));
            let other = thread::spawn(move || {
                for _ in 0..iterations {
                    far_event.wait();
                    announce(&far_ran);
                }
            });
            let took = time_handed_over(iterations, &ran, |_| event.set());
            other.join().expect("the other thread does not panic");
            took
        },
    );
}

fn announce(ran: &AtomicU64) {
    ran.fetch_add(1, Ordering::Release);
}

/// Hands something over and computes, without giving the processor away, until it has run.
fn time_handed_over(
    iterations: u64,
    ran: &Arc<AtomicU64>,
    mut hand_over: impl FnMut(Arc<AtomicU64>),
) -> Duration {
    let mut handed = 0;
    time(iterations, || {
        handed += 1;
        hand_over(Arc::clone(ran));
        while ran.load(Ordering::Acquire) < handed {
            hint::spin_loop();
        }
    })
}
