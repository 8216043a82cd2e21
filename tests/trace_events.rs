//! The trace: what happened is recorded in order and once, and what is exported can be read by others.

mod common;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use common::{checked, eventually, until_waits, with_on_fibers};
use fiberhost::scheduler::native::{self, Target};
use fiberhost::scheduler::sync::AutoResetEvent;
use fiberhost::scheduler::trace::{Event, Recording, Stop, What};
use fiberhost::scheduler::{Scheduler, WaitReason, Wake, park, park_for, spawn, yield_now};

fn of_task(scheduler: &Scheduler, task: u64) -> Vec<Event> {
    let events = scheduler.trace().events.into_iter();
    // Whether somebody else finds it depends on who looks first.
    let is_its = |event: &Event| event.task == task && !matches!(event.what, What::Steal);
    events.filter(is_its).collect()
}

/// What one task does is all there, in the order in which it did it.
#[test]
fn the_life_of_a_task_is_recorded() {
    with_on_fibers(checked(1).trace(Recording::Switches), |scheduler| {
        let task = scheduler.spawn(|| {
            yield_now();
            park();
            park_for(Duration::from_millis(1));
        });
        until_waits(task.task(), WaitReason::Park);
        let waker = {
            let target = task.task().clone();
            scheduler.spawn(move || target.unpark())
        };
        let waker_id = waker.task().id();
        waker.join().expect("no panic");
        let id = task.task().id();
        task.join().expect("no panic");
        let texts: Vec<String> = of_task(scheduler, id)
            .iter()
            .map(|event| format!("{:?}", event.what))
            .collect();
        let by = format!("Wake {{ by: {waker_id} }}");
        let expected = [
            "Spawn { by: 0 }",
            "Start",
            "Run",
            "Stop { why: Yield }",
            "Run",
            "Park { reason: Park }",
            "Stop { why: Wait }",
            &by,
            "Run",
            "Resume { wake: Signalled }",
            "Park { reason: Park }",
            "Stop { why: Wait }",
            "Timer",
            "Run",
            "Resume { wake: TimedOut }",
            "Stop { why: Done }",
            "Exit",
        ];
        // Alone on its worker a task may yield without a switch.
        let without_yield: Vec<&str> = [&expected[..3], &expected[5..]].concat();
        assert!(texts == expected || texts == without_yield, "{texts:#?}");
        let at: Vec<_> = of_task(scheduler, id)
            .iter()
            .map(|event| event.at)
            .collect();
        assert!(at.is_sorted());
    });
}

#[test]
fn without_a_request_only_what_is_rare_is_recorded() {
    static LASTS: Target = Target::new("a call that lasts");
    with_on_fibers(checked(2), |scheduler| {
        let task = scheduler.spawn(|| {
            spawn(yield_now).join().expect("no panic");
            // Not over before it is armed, however busy the machine.
            park_for(Duration::from_millis(40));
            native::section(&LASTS, || std::thread::sleep(Duration::from_millis(30)));
        });
        task.join().expect("no panic");
        let events = scheduler.trace().events;
        let is_rare = |event: &Event| {
            matches!(
                event.what,
                What::Steal
                    | What::HandOver { .. }
                    | What::Return
                    | What::Stall
                    | What::Timer
                    // Of the waits whose times are taken.
                    | What::Park { .. }
                    | What::Wake { .. }
                    | What::Resume { .. }
                    // Of the sections that are noted.
                    | What::Leave { .. }
                    | What::Enter
            )
        };
        assert!(events.iter().all(is_rare), "{events:?}");
        let timers = events
            .iter()
            .filter(|event| matches!(event.what, What::Timer));
        assert_eq!(timers.count(), 1);
        let handover = events.iter().find_map(|event| match event.what {
            What::HandOver { target } => target,
            _ => None,
        });
        assert_eq!(handover.map(Target::name), Some("a call that lasts"));
        assert!(
            events
                .iter()
                .any(|event| matches!(event.what, What::Return))
        );
    });
}

/// It can be asked for when something is wrong, and then also shows the tasks that are there.
#[test]
fn recording_begins_and_ends_while_tasks_run() {
    with_on_fibers(checked(2), |scheduler| {
        let events = Arc::new([AutoResetEvent::new(false), AutoResetEvent::new(false)]);
        let tasks = [0, 1].map(|side| {
            let events = Arc::clone(&events);
            scheduler.spawn(move || {
                while events[side].wait_for(Duration::from_secs(20)) == Wake::Signalled {
                    if Arc::strong_count(&events) <= 2 {
                        break;
                    }
                    events[1 - side].set();
                }
                events[1 - side].set();
            })
        });
        events[0].set();
        let of_switches = |event: &Event| {
            let what = event.what;
            matches!(
                what,
                What::Run | What::Stop { .. } | What::Spawn { .. } | What::Exit
            )
        };
        assert!(!scheduler.trace().events.iter().any(of_switches));
        scheduler.set_trace(Recording::Tasks);
        let seen = |id: u64| {
            let events = of_task(scheduler, id);
            let has = |wanted: fn(&What) -> bool| events.iter().any(|event| wanted(&event.what));
            has(|what| matches!(what, What::Park { .. }))
                && has(|what| matches!(what, What::Resume { .. }))
                && has(|what| matches!(what, What::Wake { .. }))
                && !has(|what| matches!(what, What::Run))
        };
        for task in &tasks {
            eventually("what it does is recorded", || seen(task.task().id()));
        }
        scheduler.set_trace(Recording::Rare);
        // A wait that is on was begun under the earlier order.
        std::thread::sleep(Duration::from_millis(5));
        let now = scheduler.trace().events.last().map(|event| event.at);
        std::thread::sleep(Duration::from_millis(20));
        let recorded = scheduler.trace().events;
        let late = recorded.iter().filter(|event| Some(event.at) > now);
        let pairs = late.filter(|event| matches!(event.what, What::Park { .. }));
        let waits = scheduler.snapshot().waits;
        let waits = waits.iter().map(|facts| facts.count).sum::<u64>();
        // Samples go on: one in about 60, of a good part of a million waits.
        assert!((pairs.count() as u64) < waits / 20, "of {waits}");
        drop(events);
        for task in tasks {
            task.join().expect("no panic");
        }
    });
}

/// Work of several tasks on several workers.
fn work(scheduler: &Scheduler, rounds: u64) {
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            scheduler.spawn(move || {
                for round in 0..rounds {
                    let task = spawn(move || {
                        yield_now();
                        round
                    });
                    assert_eq!(task.join().expect("no panic"), round);
                    park_for(Duration::from_micros(20));
                }
            })
        })
        .collect();
    for task in tasks {
        task.join().expect("no panic");
    }
}

/// What a viewer takes for granted: tracks have names, slices of a track do not overlap, and each flow has one beginning and
/// one end, in that order, both on a slice.
fn check_export(text: &str) -> (usize, usize) {
    let json: serde_json::Value = serde_json::from_str(text).expect("it is JSON");
    let events = json["traceEvents"].as_array().expect("a list");
    let mut slices: HashMap<u64, Vec<(f64, f64)>> = HashMap::new();
    let mut named = HashSet::new();
    let mut begun = HashMap::new();
    let mut ended = HashMap::new();
    let number = |event: &serde_json::Value, field: &str| event[field].as_f64().expect("a number");
    for event in events {
        let track = event["tid"].as_u64().expect("a track");
        match event["ph"].as_str().expect("a phase") {
            "M" => assert!(named.insert(track), "track {track} has two names"),
            "X" => {
                let (at, lasts) = (number(event, "ts"), number(event, "dur"));
                assert!(lasts >= 0.0);
                slices.entry(track).or_default().push((at, at + lasts));
            }
            "s" => {
                let id = event["id"].as_u64().expect("a number");
                assert!(begun.insert(id, (track, number(event, "ts"))).is_none());
            }
            "f" => {
                let id = event["id"].as_u64().expect("a number");
                assert!(ended.insert(id, (track, number(event, "ts"))).is_none());
            }
            "i" => {}
            other => panic!("an event of phase {other}"),
        }
    }
    for (track, slices) in &mut slices {
        assert!(named.contains(track));
        slices.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
        if *track == 1_000_000 {
            continue;
        }
        for pair in slices.windows(2) {
            // Times are rounded to nanoseconds, and a moment is drawn as a slice of 100.
            assert!(pair[1].0 >= pair[0].1 - 0.102, "{pair:?} on track {track}");
        }
    }
    assert_eq!(begun.len(), ended.len());
    for (id, (track, at)) in &begun {
        let (end_track, end) = ended[id];
        assert!(end >= *at, "flow {id} ends before it begins");
        for (track, at) in [(*track, *at), (end_track, end)] {
            let on = |&(from, to): &(f64, f64)| from - 0.002 <= at && at <= to + 0.002;
            assert!(
                slices[&track].iter().any(on),
                "an end of flow {id} is nowhere"
            );
        }
    }
    (slices.values().map(Vec::len).sum(), begun.len())
}

#[test]
fn the_export_has_turns_on_tracks_and_flows_with_two_ends() {
    for recording in [Recording::Tasks, Recording::Switches] {
        for workers in [1, 2, 4] {
            with_on_fibers(checked(workers).trace(recording), |scheduler| {
                work(scheduler, 10);
                let trace = scheduler.trace();
                assert_eq!(trace.lost, 0);
                let (slices, flows) = check_export(&trace.chrome());
                // Each of the 80 inner tasks is spawned and ends, and wakes the one that waits for it if that waits already.
                assert!(slices >= 80, "{slices} slices");
                assert!(flows >= 80, "{flows} flows");
            });
        }
    }
}

/// Sections are recorded with their targets, beside what the monitor sees of them.
#[test]
fn sections_are_recorded_on_request() {
    static CALL: Target = Target::new("a short call");
    with_on_fibers(checked(1).trace(Recording::Tasks), |scheduler| {
        let task = scheduler.spawn(|| {
            native::section(&CALL, || native::section(&CALL, || ()));
            native::section(&CALL, || native::callback(yield_now));
        });
        let id = task.task().id();
        task.join().expect("no panic");
        let events = of_task(scheduler, id);
        let texts = events.iter().filter_map(|event| match event.what {
            What::Leave { target } => Some(target.map_or("?", Target::name)),
            What::Enter => Some("enter"),
            _ => None,
        });
        let once = ["a short call", "enter"];
        let texts: Vec<&str> = texts.collect();
        assert_eq!(texts, [once, once, once].concat());
    });
}

/// By default a few of the waits are there, and what is exported of them can be read as well.
#[test]
fn by_default_some_waits_are_recorded_and_exported() {
    with_on_fibers(checked(2), |scheduler| {
        work(scheduler, 500);
        let trace = scheduler.trace();
        assert_eq!(trace.recording, Recording::Rare);
        let has = |wanted: fn(&What) -> bool| trace.events.iter().any(|event| wanted(&event.what));
        assert!(has(|what| matches!(what, What::Park { .. })));
        assert!(has(|what| matches!(what, What::Resume { .. })));
        assert!(has(|what| matches!(what, What::Timer)));
        check_export(&trace.chrome());
    });
}

/// Read while it is written over: what is lost is counted, and what is left is whole.
#[test]
fn a_ring_that_wraps_under_the_reader_loses_only_what_is_old() {
    with_on_fibers(checked(2).trace(Recording::Switches), |scheduler| {
        std::thread::scope(|scope| {
            let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
            let worker = {
                let done = Arc::clone(&done);
                scope.spawn(move || {
                    work(scheduler, 2_000);
                    done.store(true, std::sync::atomic::Ordering::Release);
                })
            };
            while !done.load(std::sync::atomic::Ordering::Acquire) {
                let trace = scheduler.trace();
                check_export(&trace.chrome());
            }
            worker.join().expect("no panic");
        });
        let trace = scheduler.trace();
        assert!(trace.lost > 0, "the rings have wrapped");
        // Turns begin and end in turn on each worker.
        let mut running: HashMap<Option<usize>, u64> = HashMap::new();
        for event in &trace.events {
            match event.what {
                What::Run => {
                    let before = running.insert(event.thread, event.task);
                    assert_eq!(before, None, "{event:?}");
                }
                What::Stop { why } => {
                    let before = running.remove(&event.thread);
                    assert!(before.is_none_or(|task| task == event.task), "{event:?}");
                    assert!(matches!(why, Stop::Yield | Stop::Wait | Stop::Done));
                }
                _ => {}
            }
        }
    });
}
