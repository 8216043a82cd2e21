//! Simulations: programs of tasks in orders that a seed decides, and what is promised of them.

mod common;
#[macro_use]
mod hosting;
#[path = "simulate/faulty.rs"]
mod faulty;
#[path = "simulate/hosts.rs"]
mod hosts;
#[path = "simulate/programs.rs"]
mod programs;

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::child;
use fiberhost::scheduler::sync::{AutoResetEvent, Mutex};
use fiberhost::scheduler::{
    Builder, Scheduler, WaitReason, Wake, check_quantum, native, park, simulate, sleep, spawn,
    timeout, yield_now,
};
use simulate::Faults;

/// How many seeds the programs are run with, all together. CI asks for more.
const SEEDS: u64 = 12_000;
/// How many of them are one thread's.
const LANES: u64 = 2;

fn seeds() -> u64 {
    match std::env::var("FIBERHOST_SIMULATIONS") {
        Ok(text) => text.parse().expect("a number of seeds"),
        Err(_) => SEEDS,
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
        .expect("a panic with a text")
}

/// What one run of a program leaves.
fn mark_of(seed: u64, program: fn(Builder)) -> (u64, u64) {
    let explored = simulate::explore(seed..seed + 1, program);
    assert_eq!(explored.runs, 1);
    (explored.steps, explored.mark)
}

#[test]
fn programs_do_what_they_should_with_every_seed() {
    let each = seeds() / programs::ALL.len() as u64 / LANES;
    let began = Instant::now();
    let lanes: Vec<_> = (0..LANES)
        .map(|lane| {
            std::thread::spawn(move || {
                let from = lane * each;
                for (name, program) in programs::ALL {
                    let began = Instant::now();
                    let explored = simulate::explore(from..from + each, program);
                    println!("{name}: {explored}, {:?}", began.elapsed());
                    assert_eq!(explored.runs, each);
                    assert!(
                        explored.orders as u64 > each / 2,
                        "{name}: seeds lead to different orders"
                    );
                }
            })
        })
        .collect();
    for lane in lanes {
        lane.join().expect("every program ends well");
    }
    println!("{} seeds in {:?}", seeds(), began.elapsed());
}

#[test]
fn a_seed_runs_in_the_same_way_again() {
    for (name, program) in programs::ALL {
        let mut marks = HashSet::new();
        for seed in 0..40 {
            let first = mark_of(seed, *program);
            // Records and stacks lie elsewhere now.
            let noise = Scheduler::builder().workers(1).build().expect("threads");
            noise.run(move || (0..seed).for_each(|_| drop(spawn(|| ()))));
            assert_eq!(first, mark_of(seed, *program), "{name}, seed {seed}");
            marks.insert(first);
        }
        assert!(marks.len() > 30, "{name}: {} orders of 40", marks.len());
    }
}

#[test]
fn what_shows_in_few_orders_is_found() {
    for (name, program) in faulty::ALL {
        let found = catch_unwind(AssertUnwindSafe(|| simulate::explore(0..500, program)));
        let panic = found.expect_err(name);
        println!("{name}: {}", message(&*panic));
        assert!(!simulate::is_on(), "{name}: the simulation has ended");
    }
}

#[test]
fn the_failing_seed_is_named_and_fails_again() {
    const NAME: &str = "the_failing_seed_is_named_and_fails_again";
    if child::part().is_some() {
        let (_, program) = faulty::ALL[0];
        simulate::explore(0..500, program);
        return;
    }
    let first = child::run(NAME, "any", |_| ());
    assert!(!first.status.success());
    let said = String::from_utf8_lossy(&first.stderr).into_owned();
    let (_, seed) = said
        .split_once(&format!("{}=", simulate::SEED_VARIABLE))
        .unwrap_or_else(|| panic!("no seed in {said}"));
    let seed = seed.split_whitespace().next().expect("a number");
    let again = child::run(NAME, "that", |command| {
        command.env(simulate::SEED_VARIABLE, seed);
    });
    assert!(!again.status.success(), "it fails with that seed alone");
    let other = child::run(NAME, "bad", |command| {
        command.env(simulate::SEED_VARIABLE, "one");
    });
    let said = String::from_utf8_lossy(&other.stderr).into_owned();
    assert!(said.contains("is no seed"), "{said}");
}

#[test]
fn a_deadlock_is_told_with_the_seed_and_the_tasks() {
    let scheduler = Scheduler::builder()
        .simulate(11)
        .build()
        .expect("a scheduler");
    let never = Arc::new(AutoResetEvent::new(false));
    let mine = Arc::clone(&never);
    let waiter = scheduler
        .task()
        .name("waiter")
        .spawn(move || mine.wait())
        .expect("there is memory");
    let parked = scheduler
        .task()
        .name("parked")
        .spawn(park)
        .expect("there is memory");
    let panic = catch_unwind(AssertUnwindSafe(|| waiter.join())).expect_err("a deadlock");
    let text = message(&*panic);
    for part in [
        "deadlock",
        "seed 11",
        "\"waiter\" waits: Event",
        "\"parked\" waits: Park",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    // It goes on as before: nothing is lost.
    parked.task().unpark();
    assert_eq!(parked.join().expect("it returns"), Wake::Signalled);
    never.set();
    scheduler
        .shutdown(Duration::from_secs(1))
        .expect("no task is left");
}

#[test]
fn a_task_whose_thread_is_anothers_is_told_so() {
    static CODE: native::Target = native::Target::new("native code");
    let scheduler = Scheduler::builder()
        .simulate(1)
        .faults(Faults::none())
        .workers(1)
        .build()
        .expect("a scheduler");
    let (go, answer) = (
        Arc::new(AutoResetEvent::new(false)),
        Arc::new(AutoResetEvent::new(false)),
    );
    let (gone, answers) = (Arc::clone(&go), Arc::clone(&answer));
    let caller = scheduler.spawn(move || {
        let bound = spawn(move || {
            gone.wait();
            answers.set();
        });
        // It starts here, on the only worker.
        while bound.task().wait_reason() == WaitReason::None {
            yield_now();
        }
        native::section(&CODE, || native::callback(|| answer.wait()));
        bound.join().expect("it returns");
    });
    // Until the callback waits.
    sleep(Duration::from_millis(1));
    go.set();
    let panic = catch_unwind(AssertUnwindSafe(|| caller.join())).expect_err("a deadlock");
    let text = message(&*panic);
    assert!(
        text.contains("task 2 of \"fiberhost\" is Runnable, but its thread sleeps with task 1"),
        "{text}"
    );
    // An abort ends the callback's wait, and so gives the thread back.
    scheduler
        .shutdown(Duration::from_secs(1))
        .expect("no task is left");
}

#[test]
fn a_program_that_never_ends_is_told_so() {
    let scheduler = Scheduler::builder()
        .simulate(9)
        .faults(Faults::default().steps_max(20_000))
        .build()
        .expect("a scheduler");
    let task = scheduler.task().name("turns").spawn(|| -> () {
        loop {
            yield_now();
        }
    });
    let task = task.expect("there is memory");
    let panic = catch_unwind(AssertUnwindSafe(|| task.join())).expect_err("it never ends");
    let text = message(&*panic);
    for part in ["no end", "seed 9", "after 20000 steps", "\"turns\" is"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    scheduler
        .shutdown(Duration::from_secs(1))
        .expect("no task is left");
}

#[test]
fn days_pass_at_once_and_in_order() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let began = Instant::now();
    simulate::explore(0..20, |builder| {
        let scheduler = builder.faults(Faults::none()).build().expect("a scheduler");
        let woken = Arc::new(Mutex::new(Vec::new()));
        let tasks: Vec<_> = [3, 1, 2]
            .map(|days| {
                let woken = Arc::clone(&woken);
                scheduler.spawn(move || {
                    assert_eq!(sleep(days * DAY), Wake::TimedOut);
                    woken.lock().push(days);
                })
            })
            .into();
        for task in tasks {
            task.join().expect("it returns");
        }
        assert_eq!(*woken.lock(), [1, 2, 3]);
    });
    assert!(began.elapsed() < DAY);
}

#[test]
fn timers_come_before_work_only_if_the_clock_jumps() {
    let is_late = |builder: Builder| {
        let scheduler = builder.build().expect("a scheduler");
        scheduler.run(|| {
            // Runnable all the time, and done after some hundred choices of a microsecond.
            let work = spawn(|| (0..20).for_each(|_| yield_now()));
            timeout(Duration::from_millis(5), || work.join()).is_err()
        })
    };
    let count = |faults: Faults| {
        let late =
            (0..300).filter(|&seed| is_late(Scheduler::builder().simulate(seed).faults(faults)));
        late.count()
    };
    assert_eq!(count(Faults::none()), 0);
    let jumps = Faults::none().jumps(4, Duration::from_millis(20));
    assert!(count(jumps) > 10);
}

#[test]
fn spawns_are_refused_where_the_seed_says_so() {
    let refused = |seed| {
        let faults = Faults::default().refuse_spawns(5);
        let scheduler = Scheduler::builder()
            .simulate(seed)
            .faults(faults)
            .build()
            .expect("a scheduler");
        let refused: Vec<_> = (0..50)
            .map(|_| match scheduler.task().spawn(|| ()) {
                Ok(_) => false,
                Err(error) => {
                    assert!(error.is_out_of_memory());
                    true
                }
            })
            .collect();
        refused
    };
    let first = refused(3);
    assert_eq!(first, refused(3));
    assert_ne!(first, refused(4));
    assert!(first.contains(&true) && first.contains(&false));
}

#[test]
fn loops_that_only_look_let_the_others_run() {
    // The other worker has nothing to do, so it takes what stands behind a loop that gives its own to nobody.
    for pause in [yield_now as fn(), check, simulate::point] {
        simulate::explore(0..200, |builder| {
            let scheduler = builder.build().expect("a scheduler");
            let done = Arc::new(Mutex::new(false));
            let looks = Arc::clone(&done);
            let looker = scheduler.spawn(move || {
                while !looks.try_lock().is_some_and(|done| *done) {
                    pause();
                }
            });
            let sets = Arc::clone(&done);
            let setter = scheduler.spawn(move || *sets.lock() = true);
            setter.join().expect("it returns");
            looker.join().expect("it returns");
        });
    }
}

#[test]
fn other_threads_are_refused() {
    let scheduler = Scheduler::builder()
        .simulate(1)
        .build()
        .expect("a scheduler");
    let theirs = scheduler.clone();
    std::thread::spawn(move || {
        let error = theirs.task().spawn(|| ()).expect_err("it is elsewhere");
        assert!(error.is_elsewhere(), "{error}");
        let error = theirs
            .shutdown(Duration::ZERO)
            .expect_err("it is elsewhere");
        assert!(error.is_elsewhere(), "{error}");
        assert!(theirs.adopt().is_err());
        // One of its own is another simulation.
        let own = Scheduler::builder()
            .simulate(2)
            .build()
            .expect("a scheduler");
        assert_eq!(own.run(|| 1), 1);
        assert!(theirs.task().spawn(|| ()).is_err());
    })
    .join()
    .expect("the other thread has seen what it should");
    assert_eq!(scheduler.run(|| 2), 2);
}

#[test]
fn one_simulation_at_a_time_and_several_schedulers_in_it() {
    let first = Scheduler::builder()
        .simulate(5)
        .build()
        .expect("a scheduler");
    let other = Scheduler::builder().simulate(6).build();
    assert_eq!(
        other.expect_err("another seed").kind(),
        std::io::ErrorKind::InvalidInput
    );
    let second = Scheduler::builder()
        .simulate(5)
        .bound_workers(1)
        .emergency_lane(true)
        .build()
        .expect("the same seed");
    let event = Arc::new(AutoResetEvent::new(false));
    let waiter = {
        let event = Arc::clone(&event);
        second
            .task()
            .reserved()
            .spawn(move || event.wait())
            .expect("it is reserved")
    };
    first.run(move || event.set());
    assert_eq!(waiter.join().expect("it returns"), Wake::Signalled);
    let lane = second.emergency_lane().expect("there is one");
    assert_eq!(lane.run(|| 3), 3);
    drop(lane);
    drop(first);
    assert!(simulate::is_on());
    drop(second);
    assert!(!simulate::is_on());
    assert!(simulate::progress().is_none());
}

#[test]
fn a_panic_of_a_task_and_of_the_caller_are_no_trouble() {
    simulate::explore(0..200, |builder| {
        let gone = Arc::new(());
        let inside = Arc::clone(&gone);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let scheduler = builder.build().expect("a scheduler");
            let mutex = Arc::new(Mutex::new(0));
            for _ in 0..3 {
                let (inside, mutex) = (Arc::clone(&inside), Arc::clone(&mutex));
                drop(scheduler.spawn(move || {
                    // Waits while it is unwound, as the others may be at the same time.
                    let _waits = OnDrop(|| drop(mutex.lock()));
                    let _inside = inside;
                    sleep(Duration::from_millis(1));
                    resume(1);
                }));
            }
            let task = scheduler.spawn(|| resume(2));
            assert!(task.join().expect_err("it panics").is_panic());
            resume(3);
        }));
        assert_eq!(
            caught.expect_err("it panics").downcast_ref::<i32>(),
            Some(&3)
        );
        drop(inside);
        assert_eq!(Arc::strong_count(&gone), 1, "everything was dropped");
    });
}

fn check() {
    let _ = check_quantum();
}

/// A panic without a message.
fn resume(number: i32) {
    std::panic::resume_unwind(Box::new(number));
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn the_last_handle_may_go_inside() {
    simulate::explore(0..100, |builder| {
        let scheduler = builder.build().expect("a scheduler");
        let last = scheduler.clone();
        let task = scheduler.spawn(move || {
            yield_now();
            drop(last);
        });
        drop(scheduler);
        // Its scheduler ends with it, and may abort it on the way.
        let _ = task.join();
    });
}

#[test]
fn what_is_not_simulated_says_so() {
    let scheduler = Scheduler::builder()
        .simulate(1)
        .build()
        .expect("a scheduler");
    let error = scheduler.run(|| {
        let (reader, _writer) = std::io::pipe().expect("a pipe");
        fiberhost::scheduler::io::wait_readable(&reader, None).expect_err("nothing is readable")
    });
    assert_eq!(error.kind(), std::io::ErrorKind::Unsupported);
    drop(scheduler);
    assert!(!simulate::is_on());
    simulate::point();
    simulate::pass(Duration::from_secs(3600));
    let before = Instant::now();
    assert!(simulate::now() >= before);
}
