//! Two or more that meet at something of `sync`: tasks, mobile ones, tasks of another scheduler, plain threads.

use std::sync::mpsc::channel;
use std::time::Duration;

use fiberhost::scheduler::{JoinHandle, Scheduler, TaskRef, WaitReason, current};

use super::{LONG, checked, eventually, until_waits, with};

/// Where one of those who meet runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Task,
    Mobile,
    /// A task of another scheduler.
    Elsewhere,
    Thread,
}

pub(crate) const SIDES: [Side; 4] = [Side::Task, Side::Mobile, Side::Elsewhere, Side::Thread];

/// Where the two of a pair run.
pub(crate) const PAIRS: [[Side; 2]; 7] = [
    [Side::Task, Side::Task],
    [Side::Task, Side::Thread],
    [Side::Thread, Side::Task],
    [Side::Thread, Side::Thread],
    [Side::Mobile, Side::Task],
    [Side::Task, Side::Elsewhere],
    [Side::Elsewhere, Side::Mobile],
];

/// Two schedulers.
pub(crate) struct World<'a> {
    scheduler: &'a Scheduler,
    other: &'a Scheduler,
}

/// One that was started.
pub(crate) struct Party<T> {
    task: TaskRef,
    handle: Handle<T>,
}

enum Handle<T> {
    Task(JoinHandle<T>),
    Thread(std::thread::JoinHandle<T>),
}

/// Runs a test at one, two and four workers, from a plain thread.
#[track_caller]
pub(crate) fn in_a_world(test: impl Fn(&World<'_>)) {
    for workers in [1, 2, 4] {
        in_a_world_of(workers, &test);
    }
}

/// The same at one size. Mobile tasks move at every wait.
#[track_caller]
pub(crate) fn in_a_world_of(workers: usize, test: impl Fn(&World<'_>)) {
    with(checked(workers).force_migration(true), |scheduler| {
        with(checked(1), |other| test(&World { scheduler, other }));
    });
}

/// Runs a test at one, two and four workers with each pair.
#[track_caller]
pub(crate) fn between(test: impl Fn(&World<'_>, [Side; 2])) {
    in_a_world(|world| PAIRS.iter().for_each(|pair| test(world, *pair)));
}

impl World<'_> {
    pub(crate) fn scheduler(&self) -> &Scheduler {
        self.scheduler
    }

    /// Starts one, and waits until it runs.
    #[track_caller]
    pub(crate) fn start<T: Send + 'static>(
        &self,
        side: Side,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Party<T> {
        let (tell, told) = channel();
        let body = move || {
            tell.send(current()).expect("the test waits for it");
            work()
        };
        let handle = match side {
            Side::Task => Handle::Task(self.scheduler.spawn(body)),
            Side::Elsewhere => Handle::Task(self.other.spawn(body)),
            Side::Thread => Handle::Thread(std::thread::spawn(body)),
            Side::Mobile => {
                // SAFETY: what these tests keep over a wait belongs to the task, not to its thread.
                let spawned = unsafe { self.scheduler.task().spawn_mobile(body) };
                Handle::Task(spawned.expect("memory for a task"))
            }
        };
        let task = told.recv_timeout(LONG).expect("it runs");
        Party { task, handle }
    }

    /// Starts one that is going to wait, and waits until it says so.
    #[track_caller]
    pub(crate) fn start_waiting<T: Send + 'static>(
        &self,
        side: Side,
        reason: WaitReason,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Party<T> {
        let party = self.start(side, work);
        until_waits(&party.task, reason);
        party
    }

    /// Starts one that is going to wait with a limit, and waits until it is seen to. On a busy machine the limit may be over
    /// before anybody looks: then it starts again with twice the limit.
    #[track_caller]
    pub(crate) fn start_limited<T: Send + 'static>(
        &self,
        side: Side,
        waits: impl Fn(&TaskRef) -> bool,
        work: impl Fn(Duration) -> T + Clone + Send + 'static,
    ) -> Party<T> {
        let mut limit = super::SHORT;
        loop {
            let work = work.clone();
            let party = self.start(side, move || work(limit));
            eventually("it waits, or has waited", || {
                waits(&party.task) || party.is_finished()
            });
            if !party.is_finished() {
                return party;
            }
            party.join();
            limit *= 2;
            assert!(limit < LONG, "it is never seen to wait");
        }
    }
}

impl<T> Party<T> {
    pub(crate) fn task(&self) -> &TaskRef {
        &self.task
    }

    pub(crate) fn is_finished(&self) -> bool {
        match &self.handle {
            Handle::Task(task) => task.is_finished(),
            Handle::Thread(thread) => thread.is_finished(),
        }
    }

    /// Its result.
    #[track_caller]
    pub(crate) fn join(self) -> T {
        match self.handle {
            Handle::Task(task) => task.join().expect("a task that ends well"),
            Handle::Thread(thread) => thread.join().expect("a thread that ends well"),
        }
    }

    /// It panicked, and said this.
    #[track_caller]
    pub(crate) fn join_panic(self) -> String
    where
        T: std::fmt::Debug,
    {
        let panic = match self.handle {
            Handle::Task(task) => task.join().expect_err("a task that panics").into_panic(),
            Handle::Thread(thread) => thread.join().expect_err("a thread that panics"),
        };
        let text = panic.downcast_ref::<&str>().map(ToString::to_string);
        text.or_else(|| panic.downcast_ref::<String>().cloned())
            .expect("a panic with a text")
    }

    /// It was aborted.
    #[track_caller]
    pub(crate) fn join_cancelled(self)
    where
        T: std::fmt::Debug,
    {
        let Handle::Task(task) = self.handle else {
            panic!("threads are not aborted")
        };
        let error = task.join().expect_err("an aborted task has no result");
        assert!(error.is_cancelled(), "{error}");
    }

    /// Still waiting, a while after something that must not have ended the wait.
    #[track_caller]
    pub(crate) fn assert_waits(&self) {
        std::thread::sleep(super::SHORT);
        assert!(!self.is_finished(), "it should wait");
    }

    #[track_caller]
    pub(crate) fn until_finished(&self) {
        eventually("it has ended", || self.is_finished());
    }
}

/// A generator for stress tests; print the seed.
pub(crate) struct Random(u64);

impl Random {
    /// From `SEED`, or from the clock; the seed is printed with a test that fails.
    pub(crate) fn seeded(test: &str) -> Random {
        let seed = match std::env::var("SEED") {
            Ok(text) => text.parse().expect("SEED is a number"),
            Err(_) => std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(1, |since| since.as_nanos() as u64),
        };
        println!("{test}: SEED={seed}");
        Random(seed | 1)
    }

    /// The same orders for the same seed.
    pub(crate) fn of(seed: u64) -> Random {
        Random(seed.max(1))
    }

    /// One of its own, for another task.
    pub(crate) fn fork(&mut self) -> Random {
        Random(self.next().wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Below the limit.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit
    }

    /// The same for places in a list.
    pub(crate) fn place(&mut self, limit: usize) -> usize {
        self.below(limit as u64) as usize
    }
}
