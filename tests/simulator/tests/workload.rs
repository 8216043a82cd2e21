//! A runtime's tasks at random, in fibers and in threads, at one, two and four slots.
//!
//! `FIBERHOST_SECONDS` is how long it goes on with new seeds (four), `FIBERHOST_SEED` the first one.

use std::ptr::NonNull;
use std::time::{Duration, Instant};

use fiberhost::TaskMode;
use fiberhost::com::clr::{ClrInterface, ICLRRuntimeHost};
use fiberhost_simulator::run::{WAYS, Way, host};
use fiberhost_simulator::runtime::Runtime;
use fiberhost_simulator::workload::{Done, Work};

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

fn run(seed: u64, way: Way) -> Done {
    let runtime = Runtime::new();
    let host = host(way);
    // SAFETY: the object is of this interface and lives as long as the process; the handle's reference is counted for it.
    let handle = unsafe {
        let pointer = NonNull::new(runtime.object().get()).expect("an object");
        runtime.add_reference();
        ICLRRuntimeHost::from_owned(pointer)
    };
    host.attach(&handle).expect("the runtime takes the host");
    drop(handle);
    let work = Work::new(host, runtime.managers(), way.mode == TaskMode::Fiber);
    let done = work.run(seed, 12, 40);
    work.finish();
    assert_eq!(runtime.references_of_others(), 0, "the runtime's");
    done
}

#[test]
fn many_tasks_do_all_of_it_at_once() {
    let until = Instant::now() + Duration::from_secs(number("FIBERHOST_SECONDS", 4));
    let mut seed = number("FIBERHOST_SEED", 1);
    let mut done = Done::new();
    let mut rounds = 0_u64;
    while rounds == 0 || Instant::now() < until {
        for way in WAYS {
            println!("seed {seed} {way:?}");
            for (what, count) in run(seed, way) {
                *done.entry(what).or_default() += count;
            }
            seed += 1;
        }
        rounds += 1;
    }
    println!("{rounds} rounds of all ways: {done:#?}");
    // It has done what it is for.
    for what in [
        "call",
        "call back",
        "monitor",
        "wait",
        "time-out",
        "interrupted",
        "collection",
        "blocked",
        "child",
        "pool",
        "abort",
        "aborted",
        "yield",
        "alert",
        "affinity",
        "delay of aborts",
        "caught",
        "threw",
        "returned",
        "unloaded",
    ] {
        assert!(
            done.get(what).is_some_and(|count| *count > 0),
            "no {what}: {done:#?}"
        );
    }
}
