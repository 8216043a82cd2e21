//! Programs with a fault that shows in few orders only.

use std::sync::Arc;
use std::time::Duration;

use fiberhost::scheduler::sync::{AutoResetEvent, Mutex};
use fiberhost::scheduler::{Builder, simulate, sleep, spawn, timeout};

use super::programs::Program;

pub(crate) const ALL: &[Program] = &[
    ("looks under one lock and acts under another", looks_before),
    ("two locks in two orders", two_orders),
    ("resets what was set meanwhile", resets),
    ("takes a time limit for an order", takes_time_for_order),
];

fn looks_before(builder: Builder) {
    let scheduler = builder.build().expect("a simulated scheduler");
    let balance = Arc::new(Mutex::new(1));
    let take = |balance: Arc<Mutex<i32>>| {
        move || {
            if *balance.lock() > 0 {
                *balance.lock() -= 1;
            }
        }
    };
    let tasks = [
        scheduler.spawn(take(Arc::clone(&balance))),
        scheduler.spawn(take(Arc::clone(&balance))),
    ];
    for task in tasks {
        task.join().expect("it returns");
    }
    assert_eq!(*balance.lock(), 0, "no more is taken than there was");
}

fn two_orders(builder: Builder) {
    let scheduler = builder.build().expect("a simulated scheduler");
    let locks = Arc::new([Mutex::new(()), Mutex::new(())]);
    let both = |locks: Arc<[Mutex<()>; 2]>, first: usize| {
        move || {
            let _one = locks[first].lock();
            let _other = locks[1 - first].lock();
        }
    };
    let build = |first| {
        let task = scheduler.task().name(format!("from {first}"));
        task.spawn(both(Arc::clone(&locks), first))
            .expect("there is memory")
    };
    for task in [build(0), build(1)] {
        task.join().expect("it returns");
    }
}

fn resets(builder: Builder) {
    let scheduler = builder.build().expect("a simulated scheduler");
    scheduler.run(|| {
        let event = Arc::new(AutoResetEvent::new(false));
        let setter = {
            let event = Arc::clone(&event);
            spawn(move || event.set())
        };
        simulate::point();
        event.reset();
        event.wait();
        setter.join().expect("it returns");
    });
}

fn takes_time_for_order(builder: Builder) {
    let scheduler = builder.build().expect("a simulated scheduler");
    scheduler.run(|| {
        let worker = spawn(|| sleep(Duration::from_millis(1)));
        let waited = timeout(Duration::from_millis(2), || worker.join());
        assert!(waited.is_ok(), "it is done before the limit");
    });
}
