//! Times of waits and turns: all of them on request, and a fair sample by default.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{checked, eventually, until_waits, with_on_fibers};
use fiberhost::scheduler::native::{self, Target};
use fiberhost::scheduler::stats::{Histogram, WaitFacts};
use fiberhost::scheduler::sync::{AutoResetEvent, Barrier};
use fiberhost::scheduler::trace::What;
use fiberhost::scheduler::{
    Accounting, Builder, Scheduler, WaitReason, park, sleep, spawn, yield_now,
};
use fiberhost::views::Views;

fn exact(workers: usize) -> Builder {
    checked(workers).accounting(Accounting::Exact)
}

fn waits(scheduler: &Scheduler, reason: WaitReason) -> WaitFacts {
    let waits = scheduler.snapshot().waits;
    let found = waits.into_iter().find(|facts| facts.reason == reason);
    found.expect("there were such waits")
}

fn histogram(scheduler: &Scheduler, reason: WaitReason) -> Histogram {
    let waits = scheduler.histograms().waits;
    let found = waits.into_iter().find(|(of, _)| *of == reason);
    found.expect("such waits were timed").1
}

/// A hundred waits of a known length are a hundred, and last as long as they took.
#[test]
fn exact_accounting_times_every_wait() {
    with_on_fibers(exact(1), |scheduler| {
        let task = scheduler.spawn(|| {
            let mut sleeps = [(); 100].map(|()| {
                let began = Instant::now();
                sleep(Duration::from_millis(2));
                began.elapsed()
            });
            sleeps.sort();
            sleeps
        });
        let sleeps = task.join().expect("no panic");
        let slept: Duration = sleeps.iter().sum();
        let facts = waits(scheduler, WaitReason::Sleep);
        assert_eq!((facts.count, facts.timed), (100, 100));
        // What lies between the two pairs of readings is some instructions, and now and then a lost processor: so all of them
        // last what was asked for at least, and those in the middle what they took.
        assert!(facts.time <= slept, "{:?} of {slept:?}", facts.time);
        assert!(
            facts.time >= Duration::from_millis(200).mul_f64(0.99),
            "{facts:?}"
        );
        assert!(facts.max >= Duration::from_millis(2));
        assert!(facts.runnable <= facts.time);
        let histogram = histogram(scheduler, WaitReason::Sleep);
        assert_eq!(histogram.count(), 100);
        assert_eq!(histogram.max(), facts.max);
        assert!(histogram.quantile(0.0) >= Duration::from_millis(2).mul_f64(0.99));
        assert!(histogram.quantile(0.5) <= histogram.quantile(0.99));
        assert_eq!(histogram.quantile(1.0), histogram.max());
        let (found, took) = (histogram.quantile(0.5), sleeps[49]);
        assert!(
            found >= took.mul_f64(0.98) && found <= took.mul_f64(1.07),
            "{found:?} {took:?}"
        );
        assert_eq!(
            histogram.buckets().map(|(_, count)| count).sum::<u64>(),
            100
        );
        let row = Views::take(scheduler, &[]).wait_stats();
        let row = row.iter().find(|row| row.wait_type == "Sleep");
        assert!(!row.expect("such waits").is_sampled);
    });
}

/// Woken behind a task that keeps the worker, a task is runnable for that long: that is the signal part of its wait.
#[test]
fn the_time_from_the_wake_is_the_signal_part() {
    with_on_fibers(exact(1), |scheduler| {
        const KEPT: Duration = Duration::from_millis(30);
        let task = scheduler.spawn(park);
        until_waits(task.task(), WaitReason::Park);
        let other = task.task().clone();
        let keeper = scheduler.spawn(move || {
            other.unpark();
            let began = Instant::now();
            while began.elapsed() < KEPT {
                std::hint::spin_loop();
            }
        });
        keeper.join().expect("no panic");
        task.join().expect("no panic");
        let facts = waits(scheduler, WaitReason::Park);
        assert_eq!(facts.timed, 1);
        assert!(facts.runnable >= KEPT.mul_f64(0.99), "{:?}", facts.runnable);
        assert!(facts.time >= facts.runnable);
        let dispatch = scheduler.histograms().dispatch_delay;
        assert!(dispatch.max() >= KEPT.mul_f64(0.99));
        // The keeper's turn was that long, and there is none longer by much.
        let turns = scheduler.histograms().turns;
        assert!(turns.max() >= KEPT.mul_f64(0.99), "{:?}", turns.max());
    });
}

/// By default counts are exact, and some of the waits are timed, of all tasks and at all times.
#[test]
fn by_default_one_wait_in_about_60_is_timed() {
    const ROUNDS: u64 = 60_000;
    with_on_fibers(checked(1), |scheduler| {
        let events = Arc::new([AutoResetEvent::new(false), AutoResetEvent::new(false)]);
        let tasks = [0, 1].map(|side| {
            let events = Arc::clone(&events);
            scheduler.spawn(move || {
                for _ in 0..ROUNDS {
                    if side == 0 {
                        events[1].set();
                        events[0].wait();
                    } else {
                        events[1].wait();
                        events[0].set();
                    }
                }
            })
        });
        for task in tasks {
            task.join().expect("no panic");
        }
        let facts = waits(scheduler, WaitReason::Event);
        assert!(
            (2 * ROUNDS - 2..=2 * ROUNDS).contains(&facts.count),
            "{facts:?}"
        );
        let share = facts.count as f64 / facts.timed as f64;
        assert!((50.0..80.0).contains(&share), "one in {share}");
        let histograms = scheduler.histograms();
        assert_eq!(histograms.accounting, Accounting::Sampled);
        assert!(histograms.dispatch_delay.count() > 0);
        assert!(histograms.turns.count() > 0, "turns are sampled as well");
        assert!(facts.runnable <= facts.time);
        assert!(facts.max <= facts.time);
    });
}

/// What only yields is never timed, and a task that starts to wait afterwards is.
#[test]
fn yields_are_no_waits() {
    with_on_fibers(checked(1), |scheduler| {
        let tasks = [(); 3].map(|()| {
            scheduler.spawn(|| {
                for _ in 0..10_000 {
                    yield_now();
                }
                sleep(Duration::from_micros(10));
            })
        });
        for task in tasks {
            task.join().expect("no panic");
        }
        let facts = scheduler.snapshot().waits;
        assert_eq!(facts.len(), 1, "{facts:?}");
        assert_eq!(facts[0].reason, WaitReason::Sleep);
        assert_eq!(facts[0].count, 3);
        assert!(facts[0].timed >= 1, "each was marked while it yielded");
    });
}

#[test]
fn nothing_is_timed_if_that_is_asked_for() {
    with_on_fibers(checked(2).accounting(Accounting::Off), |scheduler| {
        let tasks = [(); 10].map(|()| {
            scheduler.spawn(|| {
                for _ in 0..100 {
                    sleep(Duration::from_micros(10));
                    yield_now();
                }
            })
        });
        for task in tasks {
            task.join().expect("no panic");
        }
        let facts = waits(scheduler, WaitReason::Sleep);
        assert_eq!((facts.count, facts.timed), (1000, 0));
        assert_eq!(scheduler.histograms().turns.count(), 0);
    });
}

/// All waits, of tasks of every kind, end as they do without being timed.
#[test]
fn exact_accounting_changes_nothing_else() {
    for workers in [1, 2, 4] {
        with_on_fibers(exact(workers).force_migration(true), |scheduler| {
            let tasks: Vec<_> = (0..20)
                .map(|number| {
                    let builder = scheduler.task();
                    let body = move || {
                        let mut sum = 0;
                        for step in 0..50 {
                            let inner = spawn(move || {
                                yield_now();
                                step
                            });
                            sum += inner.join().expect("no panic");
                            sleep(Duration::from_micros(number));
                        }
                        sum
                    };
                    match number % 3 {
                        0 => builder
                            .backing(fiberhost::scheduler::Backing::Thread)
                            .spawn(body),
                        1 => builder.spawn(body),
                        // SAFETY: nothing on its stack belongs to a thread.
                        _ => unsafe { builder.spawn_mobile(body) },
                    }
                    .expect("a task")
                })
                .collect();
            for task in tasks {
                assert_eq!(task.join().expect("no panic"), (0..50).sum());
            }
            let facts = waits(scheduler, WaitReason::Sleep);
            // A sleep of nothing is a yield.
            assert_eq!(facts.count, 19 * 50);
            assert_eq!(facts.timed, facts.count);
        });
    }
}

/// A section that lasts loses its slot, and is counted and measured by what it calls.
#[test]
fn sections_that_last_are_measured_by_target() {
    static LONG: Target = Target::new("a long call");
    static SHORT: Target = Target::new("a short call");
    with_on_fibers(checked(2), |scheduler| {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let other = scheduler.spawn(move || {
            while !told.load(Ordering::Relaxed) {
                yield_now();
            }
        });
        let task = scheduler.spawn(|| {
            for _ in 0..5 {
                native::section(&LONG, || std::thread::sleep(Duration::from_millis(30)));
                native::section(&SHORT, || ());
            }
        });
        task.join().expect("no panic");
        stop.store(true, Ordering::Relaxed);
        other.join().expect("no panic");
        let rows = Views::take(scheduler, &[]).native_targets();
        let row = rows.iter().find(|row| row.target == "a long call");
        let row = row.expect("it lost its slot");
        assert!((1..=5).contains(&row.handovers_count), "{row:?}");
        assert_eq!(row.ended_count, row.handovers_count, "{row:?}");
        assert_eq!(row.open_count, 0);
        // The monitor may come late, but not so late that it saw nothing of the section.
        assert!(row.max_time_ms > 1.0, "{row:?}");
        assert!(row.time_ms <= 5.0 * 1e3, "{row:?}");
        eventually("it is in the table of histograms too", || {
            let rows = Views::take(scheduler, &[]).histograms();
            rows.iter()
                .any(|row| row.histogram == "native_section" && row.of == "a long call")
        });
    });
}

/// With exact accounting each section is counted and timed by what it calls; by default one now and then, which is in the trace
/// as well.
#[test]
fn sections_are_noted_by_target() {
    static CALL: Target = Target::new("a call that is noted");
    const ROUNDS: u64 = 20_000;
    let run = |scheduler: &Scheduler| {
        // Neither runs alone: then there are as many picks for fewer resumes.
        let both = Arc::new(Barrier::new(2));
        let tasks = [(); 2].map(|()| {
            let both = Arc::clone(&both);
            scheduler.spawn(move || {
                both.wait();
                for _ in 0..ROUNDS / 2 {
                    native::section(&CALL, || std::hint::black_box(()));
                    yield_now();
                }
            })
        });
        for task in tasks {
            task.join().expect("no panic");
        }
        let rows = Views::take(scheduler, &[]).native_targets();
        let row = rows.iter().find(|row| row.target == "a call that is noted");
        let row = row.expect("some were noted").clone();
        assert!(row.max_noted_time_ms <= row.noted_time_ms, "{row:?}");
        row.noted_calls_count
    };
    with_on_fibers(exact(1), |scheduler| assert_eq!(run(scheduler), ROUNDS));
    // Each slice that is used up is one pick more, and on a busy machine there are many: here there is none.
    let endless = checked(1).quantum(Duration::from_secs(3600));
    with_on_fibers(endless, |scheduler| {
        let noted = run(scheduler);
        // At most one for every fourth pick, each of which comes after 61 resumes.
        assert!((ROUNDS / 500..=ROUNDS / 200).contains(&noted), "{noted}");
        let events = scheduler.trace().events.into_iter();
        let left = events.filter(|event| matches!(event.what, What::Leave { .. }));
        assert_eq!(left.count() as u64, noted);
    });
}

static ONE: Target = Target::new("one call");
static OTHER: Target = Target::new("another call");

/// Each section is counted with what it calls, whatever is timed of it: on each thread, called in turn, from within a callback, and
/// when its slot is taken.
#[test]
fn calls_of_native_targets_are_counted_exactly() {
    for accounting in [Accounting::Off, Accounting::Sampled, Accounting::Exact] {
        with_on_fibers(checked(2).accounting(accounting), |scheduler| {
            const ROUNDS: u64 = 10_000;
            let tasks = [(); 4].map(|()| {
                scheduler.spawn(|| {
                    for round in 0..ROUNDS {
                        native::section(&ONE, || {
                            // Those within are no calls of their own, and one that is called back from stays one.
                            native::section(&OTHER, || ());
                            if round % 100 == 0 {
                                native::callback(|| native::section(&OTHER, || ()));
                            }
                        });
                        native::section(&ONE, || ());
                        if round % 10 == 0 {
                            native::section(&OTHER, || ());
                            yield_now();
                        }
                    }
                })
            });
            for task in tasks {
                task.join().expect("no panic");
            }
            let views = Views::take(scheduler, &[]);
            let calls = |views: &Views, target: &str| {
                let rows = views.native_targets();
                let row = rows.iter().find(|row| row.target == target);
                row.expect("it was called").calls_count
            };
            assert_eq!(calls(&views, "one call"), 4 * 2 * ROUNDS);
            assert_eq!(
                calls(&views, "another call"),
                4 * (ROUNDS / 10 + ROUNDS / 100)
            );
            let mark = views.mark();
            scheduler.run(|| native::section(&OTHER, || ()));
            let since = Views::take(scheduler, &[]).since(&mark);
            assert_eq!(calls(&since, "one call"), 0);
            assert_eq!(calls(&since, "another call"), 1);
        });
    }
}

/// Waits and distributions between two looks are those that ended in between.
#[test]
fn between_two_looks_is_what_happened_in_between() {
    with_on_fibers(exact(1), |scheduler| {
        const LONG_WAIT: Duration = Duration::from_millis(40);
        scheduler.run(|| {
            sleep(LONG_WAIT);
        });
        let mark = Views::take(scheduler, &[]).mark();
        let slept = scheduler.run(|| {
            let mut longest = Duration::ZERO;
            for _ in 0..3 {
                let began = Instant::now();
                sleep(Duration::from_millis(2));
                longest = longest.max(began.elapsed());
            }
            longest
        });
        let since = Views::take(scheduler, &[]).since(&mark);
        let rows = since.wait_stats();
        let row = rows.iter().find(|row| row.wait_type == "Sleep");
        let row = row.expect("such waits");
        assert_eq!((row.waiting_tasks_count, row.timed_tasks_count), (3, 3));
        assert!(row.wait_time_ms >= 6.0 * 0.99, "{row:?}");
        // The longest ever came before, unless the machine made one of these longer.
        assert!(
            row.max_wait_time_ms <= slept.as_secs_f64() * 1e3 * 17.0 / 16.0,
            "{row:?} {slept:?}"
        );
        let rows = since.histograms();
        let row = rows
            .iter()
            .find(|row| row.histogram == "wait" && row.of == "Sleep");
        let row = row.expect("such waits");
        assert_eq!(row.timed_count, 3);
        assert!(
            row.p50_ms <= row.max_ms && row.p50_ms >= 2.0 * 0.99,
            "{row:?}"
        );
        assert_eq!(since.sys_info()[0].tasks_spawned_count, 1);
        assert!(since.counted_for() < since.snapshot().at);
        // Nothing happened since this look.
        let all = Views::take(scheduler, &[]);
        let nothing = all.since(&all.mark());
        assert!(
            nothing
                .wait_stats()
                .iter()
                .all(|row| row.waiting_tasks_count == 0)
        );
        assert!(nothing.histograms().iter().all(|row| row.timed_count == 0));
    });
}
