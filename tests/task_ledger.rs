//! Where a task's time goes: each part is booked where it belongs, all of them add up, and they outlive the task.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{checked, eventually, hog_until, until_waits, with, with_on_fibers};
use fiberhost::scheduler::native::{self, Target};
use fiberhost::scheduler::stats::{LedgerFacts, TaskState};
use fiberhost::scheduler::sync::Mutex;
use fiberhost::scheduler::trace::Recording;
use fiberhost::scheduler::{
    Accounting, Builder, JoinHandle, Scheduler, WaitReason, current, park, sleep, spawn, yield_now,
};
use fiberhost::views::Views;

static CALL: Target = Target::new("a call");

fn exact(workers: usize) -> Builder {
    checked(workers).accounting(Accounting::Exact)
}

const fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

/// The ledger of this task, which has ended.
#[track_caller]
fn ended(scheduler: &Scheduler, id: u64) -> LedgerFacts {
    let facts = scheduler.ledgers().into_iter().find(|it| it.task == id);
    let facts = facts.expect("it is kept");
    assert!(facts.is_ended);
    assert_eq!(facts.total(), facts.elapsed, "{facts:?}");
    facts
}

fn of(facts: &LedgerFacts, reason: WaitReason) -> Duration {
    let mut waits = facts.suspended.iter();
    waits
        .find(|(of, _)| *of == reason)
        .map_or(Duration::ZERO, |it| it.1)
}

/// For how long the calling thread has had a processor.
fn used() -> Duration {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: a place that outlives the call.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut now) };
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Uses a processor for so long, whatever others take of it meanwhile.
fn compute(time: Duration) {
    let until = used() + time;
    while used() < until {
        std::hint::spin_loop();
    }
}

/// `found` is at least what was computed, and at most what the thread used in all from the task's first line to its last, with
/// the scheduler's own part of that: unoptimised and under a sanitizer that is a millisecond or more. But for a little: the
/// kernel counts processor time of the turn's edges to the neighbours.
#[track_caller]
fn is_about(found: Duration, computed: Duration, used: Duration, facts: &LedgerFacts) {
    let off = ms(1).max(computed / 20);
    assert!(
        found + off >= computed && found <= used + off,
        "{found:?} of {computed:?} to {used:?}: {facts:#?}"
    );
}

/// A task that does a known amount of everything, on fibers and on threads.
#[test]
fn each_part_is_booked_where_it_belongs() {
    with(exact(1), |scheduler| {
        let task = scheduler.task().name("does everything").spawn(|| {
            let before = used();
            compute(ms(30));
            let mut slept = Instant::now();
            sleep(ms(40));
            let sleeps = slept.elapsed();
            let native = native::section(&CALL, || {
                let before = used();
                compute(ms(20));
                used() - before
            });
            slept = Instant::now();
            native::section(&CALL, || std::thread::sleep(ms(25)));
            let blocks_natively = slept.elapsed();
            slept = Instant::now();
            // Not said to the scheduler.
            std::thread::sleep(ms(15));
            let blocks = slept.elapsed();
            let mine = used() - before - native;
            (sleeps, blocks_natively, blocks, mine, native)
        });
        let task = task.expect("a task");
        let id = task.task().id();
        let (sleeps, blocks_natively, blocks, mine, native) = task.join().expect("no panic");
        let facts = ended(scheduler, id);
        assert_eq!(facts.name.as_deref(), Some("does everything"));
        is_about(facts.on_processor, ms(30), mine, &facts);
        is_about(facts.native_on_processor, ms(20), native, &facts);
        // The rest a busy machine makes longer, in parts that others show.
        let suspended = of(&facts, WaitReason::Sleep);
        assert!(suspended >= ms(39) && suspended <= sleeps, "{facts:#?}");
        assert!(facts.native_blocked >= ms(24), "{facts:#?}");
        assert!(
            facts.native_blocked <= blocks_natively + ms(1),
            "{facts:#?}"
        );
        assert!(
            facts.blocked >= ms(14) && facts.blocked <= blocks + ms(2),
            "{facts:#?}"
        );
        assert!(facts.native_short <= ms(1), "{facts:#?}");
    });
}

/// The life of a task as it sees it itself is the elapsed time, but for its ends.
#[test]
fn what_has_elapsed_is_what_the_clock_says() {
    with(exact(2), |scheduler| {
        for _ in 0..20 {
            let began = Instant::now();
            let task = scheduler.spawn(|| {
                let began = Instant::now();
                for _ in 0..10 {
                    sleep(ms(1));
                    native::section(&CALL, || ());
                    yield_now();
                }
                began.elapsed()
            });
            let id = task.task().id();
            let inside = task.join().expect("no panic");
            let outside = began.elapsed();
            let facts = ended(scheduler, id);
            assert!(
                facts.elapsed >= inside && facts.elapsed <= outside,
                "{facts:#?}"
            );
        }
    });
}

/// A task that keeps the one worker, from now on and until it is told.
fn keeper(scheduler: &Scheduler) -> (JoinHandle<()>, Arc<AtomicBool>) {
    let stop = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&stop);
    let keeper = scheduler.spawn(move || hog_until(|| seen.load(Ordering::Acquire)));
    eventually("it keeps the worker", || {
        let tasks = scheduler.snapshot().tasks;
        tasks[0].state == TaskState::Running
    });
    (keeper, stop)
}

/// Behind a task that keeps the worker a task is runnable, before it starts and after it was woken.
#[test]
fn waiting_for_a_worker_is_runnable() {
    with_on_fibers(exact(1), |scheduler| {
        let (keeper, stop) = keeper(scheduler);
        let late = scheduler.spawn(park);
        std::thread::sleep(ms(30));
        stop.store(true, Ordering::Release);
        until_waits(late.task(), WaitReason::Park);
        keeper.join().expect("no panic");
        let target = late.task().clone();
        let waker = scheduler.spawn(move || {
            target.unpark();
            let until = Instant::now() + ms(20);
            hog_until(|| Instant::now() >= until);
        });
        waker.join().expect("no panic");
        let id = late.task().id();
        late.join().expect("no panic");
        let facts = ended(scheduler, id);
        assert!(facts.runnable >= ms(49), "{facts:#?}");
    });
}

/// Two that yield to each other share the time between running and being runnable.
#[test]
fn a_yield_is_runnable_until_its_turn_comes() {
    with_on_fibers(exact(1), |scheduler| {
        let tasks = [(); 2].map(|()| {
            scheduler.spawn(|| {
                // Both have started before one goes on.
                park();
                let before = used();
                for _ in 0..20 {
                    compute(ms(1));
                    yield_now();
                }
                (before, used())
            })
        });
        for task in &tasks {
            until_waits(task.task(), WaitReason::Park);
        }
        let [one, two] = [0, 1].map(|place: usize| tasks[place].task().clone());
        let starter = scheduler.spawn(move || {
            one.unpark();
            two.unpark();
        });
        starter.join().expect("no panic");
        let ids = [0, 1].map(|place: usize| tasks[place].task().id());
        // They have one thread, so what it used from the beginning of the first to the end of the last is both's.
        let [one, two] = tasks.map(|task| task.join().expect("no panic"));
        let used = one.1.max(two.1) - one.0.min(two.0);
        let facts = ids.map(|id| ended(scheduler, id));
        for (mine, other) in [(0, 1), (1, 0)] {
            let (mine, other) = (&facts[mine], &facts[other]);
            let used = used.saturating_sub(other.on_processor);
            is_about(mine.on_processor, ms(20), used, mine);
            assert!(mine.runnable >= ms(15), "{mine:#?}");
        }
    });
}

/// Waits are told apart by reason, and short sections are booked unsplit.
#[test]
fn waits_are_booked_by_reason_and_short_sections_unsplit() {
    with_on_fibers(exact(2), |scheduler| {
        let lock = Arc::new(Mutex::new(()));
        let guard = lock.lock();
        let task = {
            let lock = Arc::clone(&lock);
            scheduler.spawn(move || {
                drop(lock.lock());
                let me = current();
                let sleeper = spawn(move || {
                    // However late the processor comes back to who joins.
                    while me.wait_reason() != WaitReason::Join {
                        yield_now();
                    }
                    sleep(ms(10));
                });
                sleeper.join().expect("no panic");
                for _ in 0..1000 {
                    native::section(&CALL, || std::hint::black_box(()));
                }
            })
        };
        until_waits(task.task(), WaitReason::Mutex);
        std::thread::sleep(ms(20));
        // While it lives its ledger goes on.
        let live = task.task().ledger().expect("it has one");
        assert!(!live.is_ended);
        assert!(of(&live, WaitReason::Mutex) >= ms(19));
        assert_eq!(live.total(), live.elapsed);
        drop(guard);
        let id = task.task().id();
        task.join().expect("no panic");
        let facts = ended(scheduler, id);
        assert!(of(&facts, WaitReason::Mutex) >= ms(19), "{facts:#?}");
        assert!(of(&facts, WaitReason::Join) >= ms(9), "{facts:#?}");
        assert!(!facts.native_short.is_zero(), "{facts:#?}");
    });
}

/// Sections that call back, and threads that were adopted.
#[test]
fn callbacks_are_booked_as_the_task_again() {
    with_on_fibers(exact(1), |scheduler| {
        let run = || {
            let before = used();
            native::section(&CALL, || {
                std::thread::sleep(ms(10));
                native::callback(|| {
                    sleep(ms(10));
                    compute(ms(10));
                });
                native::section(&CALL, || std::thread::sleep(ms(10)));
            });
            used() - before
        };
        let task = scheduler.spawn(run);
        let id = task.task().id();
        let spawned = (id, task.join().expect("no panic"));
        let adopted = std::thread::scope(|scope| {
            let adopt = || {
                let adopted = scheduler.adopt().expect("it is nobody's");
                let used = run();
                (adopted.task().id(), used)
            };
            scope.spawn(adopt).join().expect("no panic")
        });
        for (id, used) in [spawned, adopted] {
            let facts = ended(scheduler, id);
            assert!(facts.native_blocked >= ms(19), "{facts:#?}");
            assert!(of(&facts, WaitReason::Sleep) >= ms(9), "{facts:#?}");
            is_about(facts.on_processor, ms(10), used, &facts);
        }
    });
}

/// What sections lose that are too short to be split is not taken from the turns behind them.
#[test]
fn short_sections_take_nothing_from_what_comes_after() {
    with(exact(1), |scheduler| {
        let task = scheduler.spawn(|| {
            let before = used();
            for _ in 0..20 {
                native::section(&CALL, || std::thread::sleep(Duration::from_micros(400)));
                compute(ms(1));
            }
            used() - before
        });
        let id = task.task().id();
        let used = task.join().expect("no panic");
        let facts = ended(scheduler, id);
        is_about(facts.on_processor, ms(20), used, &facts);
    });
}

/// An adopted thread that ends needs a slot for that, and is runnable until it has one.
#[test]
fn an_adopted_thread_waits_for_its_end() {
    with_on_fibers(exact(1), |scheduler| {
        let (keeper, stop) = keeper(scheduler);
        let (id, used) = std::thread::scope(|scope| {
            let adopted = scope.spawn(|| {
                let before = used();
                let adopted = scheduler.adopt().expect("it is nobody's");
                let id = adopted.task().id();
                drop(adopted);
                (id, used() - before)
            });
            eventually("it waits for a slot", || scheduler.stats().claimants == 1);
            std::thread::sleep(ms(20));
            stop.store(true, Ordering::Release);
            adopted.join().expect("no panic")
        });
        keeper.join().expect("no panic");
        let facts = ended(scheduler, id);
        assert!(facts.runnable >= ms(19), "{facts:#?}");
        is_about(facts.on_processor, Duration::ZERO, used, &facts);
    });
}

/// One task asks for itself, and the others have none.
#[test]
fn a_task_can_ask_for_a_ledger_of_its_own() {
    with(checked(1), |scheduler| {
        let before = scheduler.spawn(|| ());
        let known = before.task().clone();
        before.join().expect("no panic");
        assert!(known.ledger().is_none());
        let asks = scheduler.task().accounting(Accounting::Exact);
        let asks = asks.spawn(|| sleep(ms(5))).expect("a task");
        let other = scheduler.spawn(|| sleep(ms(1)));
        assert!(other.task().ledger().is_none());
        // What is recorded, and no longer, is another question.
        scheduler.set_trace(Recording::Tasks);
        scheduler.set_trace(Recording::Rare);
        let known = asks.task().clone();
        asks.join().expect("no panic");
        other.join().expect("no panic");
        let facts = known.ledger().expect("it asked");
        assert!(facts.is_ended && of(&facts, WaitReason::Sleep) >= ms(4));
        assert_eq!(scheduler.ledgers().len(), 1);
        let rows = Views::take(scheduler, &[]).task_ledgers();
        assert_eq!(rows.len(), 1);
        let parts = rows[0].processor_ms
            + rows[0].runnable_ms
            + rows[0].suspended_ms
            + rows[0].blocked_ms
            + rows[0].native_processor_ms
            + rows[0].native_blocked_ms
            + rows[0].native_short_ms
            + rows[0].stolen_ms;
        assert!((parts - rows[0].elapsed_ms).abs() < 1e-3, "{:?}", rows[0]);
    });
    with(exact(1), |scheduler| {
        let task = scheduler.task().accounting(Accounting::Sampled);
        let task = task.spawn(|| sleep(ms(1))).expect("a task");
        task.join().expect("no panic");
        assert!(scheduler.ledgers().is_empty(), "it wanted none");
    });
}

/// The history has an end, and the newest are in it.
#[test]
fn so_many_ledgers_are_kept() {
    with_on_fibers(exact(1).ledgers_kept(10), |scheduler| {
        let mut ids = Vec::new();
        for _ in 0..25 {
            let task = scheduler.spawn(|| ());
            ids.push(task.task().id());
            task.join().expect("no panic");
        }
        let kept: Vec<u64> = scheduler.ledgers().iter().map(|it| it.task).collect();
        assert_eq!(kept, ids[15..]);
    });
    with_on_fibers(exact(1).ledgers_kept(0), |scheduler| {
        scheduler.spawn(|| ()).join().expect("no panic");
        assert!(scheduler.ledgers().is_empty());
    });
}

/// Many tasks that do all of it, moved and aborted, while a reader looks: the parts of each add up.
#[test]
fn the_parts_add_up_under_load() {
    with(
        exact(2).force_migration(true).ledgers_kept(10_000),
        |scheduler| {
            let done = Arc::new(AtomicBool::new(false));
            std::thread::scope(|scope| {
                let seen = Arc::clone(&done);
                let reader = scope.spawn(move || {
                    let mut looks = 0;
                    while !seen.load(Ordering::Acquire) {
                        for row in Views::take(scheduler, &[]).task_ledgers() {
                            assert!(row.elapsed_ms >= 0.0);
                        }
                        looks += 1;
                        std::thread::sleep(ms(1));
                    }
                    looks
                });
                let tasks: Vec<_> = (0..60)
                    .map(|number| {
                        // SAFETY: nothing on its stack belongs to a thread.
                        let task = unsafe {
                            scheduler.task().spawn_mobile(move || {
                                for _ in 0..20 {
                                    sleep(Duration::from_micros(number * 7));
                                    yield_now();
                                    native::section(&CALL, || {
                                        std::thread::sleep(Duration::from_micros(200));
                                    });
                                }
                                if number % 5 == 0 {
                                    park();
                                }
                            })
                        };
                        task.expect("a task")
                    })
                    .collect();
                for (number, task) in tasks.into_iter().enumerate() {
                    if number % 5 == 0 {
                        until_waits(task.task(), WaitReason::Park);
                        task.abort();
                    }
                    let _ = task.join();
                }
                done.store(true, Ordering::Release);
                assert!(reader.join().expect("the reader found nothing wrong") > 0);
            });
            eventually("all are kept", || scheduler.ledgers().len() == 60);
            for facts in scheduler.ledgers() {
                assert_eq!(facts.total(), facts.elapsed, "{facts:#?}");
            }
        },
    );
}
