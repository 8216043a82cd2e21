//! Everything at once, by a seed: bound and mobile tasks that set, wait, park, lock, sleep, spawn, alert and abort.
//!
//! The seed is printed; `FIBERHOST_SEED` runs it again, `FIBERHOST_STRESS_SECONDS` runs longer than the usual five seconds.
//! Nothing here is woken twice "to be sure": a task that is not back after a minute is a wake that was lost.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fiberhost::scheduler::sync::{AutoResetEvent, ManualResetEvent, Mutex, Semaphore};
use fiberhost::scheduler::{
    JoinHandle, Scheduler, TaskBuilder, TaskRef, park_for, sleep, spawn, yield_now,
};

const TASKS: u64 = 64;
const STEPS: u64 = 60;
const STUCK: Duration = Duration::from_secs(60);

/// A sequence that depends on nothing but its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }

    fn micros(&mut self, bound: u64) -> Duration {
        Duration::from_micros(self.below(bound))
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }
}

struct World {
    one_shot: [AutoResetEvent; 4],
    gates: [ManualResetEvent; 2],
    counters: [Mutex<u64>; 4],
    permits: Semaphore,
    tasks: Mutex<Vec<TaskRef>>,
}

impl World {
    fn new() -> Self {
        World {
            one_shot: std::array::from_fn(|_| AutoResetEvent::new(false)),
            gates: std::array::from_fn(|_| ManualResetEvent::new(false)),
            counters: std::array::from_fn(|_| Mutex::new(0)),
            permits: Semaphore::new(2),
            tasks: Mutex::new(Vec::new()),
        }
    }

    fn somebody(&self, random: &mut Random) -> Option<TaskRef> {
        let tasks = self.tasks.lock();
        tasks.get(random.below(TASKS) as usize).cloned()
    }
}

/// What one task does.
fn live(world: &Arc<World>, seed: u64, steps: u64) {
    let mut random = Random(seed | 1);
    for _ in 0..steps {
        match random.below(14) {
            0 => random.pick(&world.one_shot).set(),
            1 => _ = random.pick(&world.one_shot).wait_for(random.micros(300)),
            2 => yield_now(),
            3 => _ = sleep(random.micros(200)),
            4 => *random.pick(&world.counters).lock() += 1,
            5 => {
                let mut counter = random.pick(&world.counters).lock();
                yield_now();
                *counter += 1;
            }
            6 => disturb(world, &mut random),
            7 => _ = park_for(random.micros(200)),
            8 => {
                let (world, seed) = (Arc::clone(world), random.below(u64::MAX >> 12));
                _ = spawn(move || live(&world, seed, 3)).join();
            }
            9 => _ = random.pick(&world.gates).wait_for(random.micros(300)),
            10 => random.pick(&world.gates).set(),
            11 => _ = random.pick(&world.gates).reset(),
            12 => {
                let permit = world.permits.acquire();
                yield_now();
                drop(permit);
            }
            _ => wait_without_limit(),
        }
    }
}

fn disturb(world: &World, random: &mut Random) {
    let Some(task) = world.somebody(random) else {
        return;
    };
    match random.below(8) {
        0 => task.abort(),
        1 | 2 => task.alert(),
        3 => _ = task.wait_for(random.micros(500)),
        _ => task.unpark(),
    }
}

/// A wait that only its signal, an alert or an abort can end.
fn wait_without_limit() {
    let event = Arc::new(AutoResetEvent::new(false));
    let setter = {
        let event = Arc::clone(&event);
        spawn(move || event.set())
    };
    _ = event.wait();
    _ = setter.join();
}

fn spawn_all(world: &Arc<World>, seed: u64) -> Vec<JoinHandle<()>> {
    let tasks = (0..TASKS).map(|number| {
        let mine = Arc::clone(world);
        let seed = seed.wrapping_mul(1_000_003).wrapping_add(number * 7919);
        let body = move || live(&mine, seed, STEPS);
        let task = if number % 3 == 0 {
            spawn(body)
        } else {
            // SAFETY: `live` keeps numbers, `Arc`s and guards of the scheduler's own locks across its waits.
            unsafe { TaskBuilder::new().spawn_mobile(body) }.expect("memory for a task")
        };
        world.tasks.lock().push(task.task().clone());
        task
    });
    tasks.collect()
}

fn round(seed: u64) {
    let workers = [1, 2, 4][(seed % 3) as usize];
    let scheduler = Scheduler::builder()
        .workers(workers)
        .check_invariants(seed.is_multiple_of(2))
        .force_migration(seed % 4 < 2)
        .build()
        .expect("the system has threads");
    scheduler.run(move || {
        let world = Arc::new(World::new());
        for task in spawn_all(&world, seed) {
            let about = format!(
                "{:?}, which waits for {:?}",
                task.task(),
                task.task().wait_reason()
            );
            assert!(
                task.join_for(STUCK).is_ok(),
                "seed {seed}: {about}, was forgotten"
            );
        }
        world.tasks.lock().clear();
    });
    scheduler.shutdown(STUCK).expect("nothing is left");
    assert_eq!(scheduler.stats().live(), 0, "seed {seed}");
}

#[test]
fn nobody_is_forgotten() {
    let asked = |name| {
        std::env::var(name)
            .ok()
            .and_then(|value| value.parse::<u64>().ok())
    };
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_nanos() as u64;
    let seed = asked("FIBERHOST_SEED").unwrap_or(now);
    println!("FIBERHOST_SEED={seed}");
    let until =
        Instant::now() + Duration::from_secs(asked("FIBERHOST_STRESS_SECONDS").unwrap_or(5));
    let mut rounds = 0;
    while rounds == 0 || Instant::now() < until {
        round(seed.wrapping_add(rounds));
        rounds += 1;
    }
    println!("{rounds} rounds of {TASKS} tasks");
}
