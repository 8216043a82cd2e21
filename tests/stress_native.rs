//! Native sections at random, by a seed: mobile, bound and thread-backed tasks, and threads that are adopted, leave, come
//! back, are called back, block, own and stay, at few workers, whose number changes, and with a monitor that takes slots early.
//!
//! Each task keeps books of its own beside the invariants checker: who owns which OS thread, and that it has not moved while
//! something holds it. The seed is printed; `FIBERHOST_SEED` runs it again, `FIBERHOST_STRESS_SECONDS` runs longer than the
//! usual four seconds. Nothing is woken twice "to be sure": a task that is not back after a minute was forgotten.
//!
//! # Why none of these programs can deadlock by itself
//!
//! What owns its thread keeps the bound tasks of that thread from going on. So while it does it waits with a limit only, or
//! for tasks that suspend nowhere, and for these only where a thread can be had to run them.

mod common;

use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::delays::Delays;
use common::{Watchdog, os_thread};
use fiberhost::scheduler::native::{self, Target};
use fiberhost::scheduler::sync::{AutoResetEvent, Mutex};
use fiberhost::scheduler::{
    Backing, JoinHandle, Scheduler, TaskBuilder, TaskRef, blocking, current, park_for, sleep,
    spawn, timeout, yield_now,
};

const TASKS: u64 = 24;
const STEPS: u64 = 24;
const ADOPTED: u64 = 2;
const DEPTH: u32 = 4;
const STUCK: Duration = Duration::from_secs(60);

static CALL: Target = Target::new("a native call");
static INNER: Target = Target::new("a native call in a native call");

/// A sequence that depends on nothing but its seed.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Random {
        Random(seed | 1)
    }

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

/// A panic of ours, which says nothing on the way.
struct Expected;

struct World {
    seed: u64,
    events: [AutoResetEvent; 4],
    counters: [Mutex<u64>; 2],
    tasks: Mutex<Vec<TaskRef>>,
    /// Whether there is always a thread for a slot.
    roomy: bool,
    /// The task that owns a thread, by the thread. A lock of std: nothing waits while it is held.
    owners: std::sync::Mutex<HashMap<libc::pid_t, u64>>,
    /// Tasks that began and ended, by unwinding too.
    began: AtomicU64,
    ended: AtomicU64,
}

impl World {
    fn new(seed: u64, roomy: bool) -> Self {
        World {
            seed,
            events: std::array::from_fn(|_| AutoResetEvent::new(false)),
            counters: std::array::from_fn(|_| Mutex::new(0)),
            tasks: Mutex::new(Vec::new()),
            roomy,
            owners: std::sync::Mutex::default(),
            began: AtomicU64::new(0),
            ended: AtomicU64::new(0),
        }
    }

    fn somebody(&self, random: &mut Random) -> Option<TaskRef> {
        let tasks = self.tasks.lock();
        let count = tasks.len().max(1) as u64;
        tasks.get(random.below(count) as usize).cloned()
    }

    /// Nobody but the owner runs on a thread that is owned.
    fn check_owner(&self) {
        let owner = self
            .owners
            .lock()
            .expect("no panic")
            .get(&os_thread())
            .copied();
        let me = current().id();
        assert!(
            owner.is_none_or(|owner| owner == me),
            "seed {}: task {me} runs on the thread of task {owner:?}",
            self.seed
        );
    }
}

/// The thread is the task's, until this is dropped.
struct Owns<'a> {
    world: &'a World,
    thread: libc::pid_t,
    before: Option<u64>,
}

impl Owns<'_> {
    fn new(world: &World) -> Owns<'_> {
        world.check_owner();
        let thread = os_thread();
        let mut owners = world.owners.lock().expect("no panic");
        let before = owners.insert(thread, current().id());
        drop(owners);
        Owns {
            world,
            thread,
            before,
        }
    }
}

impl Drop for Owns<'_> {
    fn drop(&mut self) {
        let moved = os_thread() != self.thread;
        let mut owners = self.world.owners.lock().expect("no panic");
        match self.before {
            Some(before) => owners.insert(self.thread, before),
            None => owners.remove(&self.thread),
        };
        drop(owners);
        if moved {
            eprintln!("seed {}: an owner has moved", self.world.seed);
            std::process::abort();
        }
    }
}

/// What the code of a task may do where it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Nothing holds the task.
    Free,
    /// The task owns its thread: other tasks may wait for it to end.
    Owning,
}

struct Counted<'a>(&'a World);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// A whole task.
fn task(world: &World, seed: u64, place: Place, steps: u64, depth: u32) {
    world.began.fetch_add(1, Ordering::Relaxed);
    let _counted = Counted(world);
    let mut random = Random::new(seed);
    run(world, &mut random, place, steps, depth);
}

/// Code of a task: it may wait.
fn run(world: &World, random: &mut Random, place: Place, steps: u64, depth: u32) {
    let thread = os_thread();
    for _ in 0..steps {
        world.check_owner();
        if depth > 0 && random.below(3) == 0 {
            nest(world, random, place, depth - 1);
        } else {
            wait(world, random, place, depth);
        }
        if place == Place::Owning {
            assert_eq!(
                os_thread(),
                thread,
                "seed {}: an owner has moved",
                world.seed
            );
        }
    }
}

fn nest(world: &World, random: &mut Random, place: Place, depth: u32) {
    let steps = random.below(4) + 1;
    match random.below(8) {
        0..3 => native::section(&CALL, || foreign(world, random, depth)),
        3 => called_back(world, random, depth),
        4 => {
            let _own = native::own();
            let _owns = Owns::new(world);
            run(world, random, Place::Owning, steps, depth);
        }
        5 => {
            let _stay = native::stay();
            let thread = os_thread();
            run(world, random, place, steps, depth);
            assert_eq!(os_thread(), thread, "seed {}: it has moved", world.seed);
        }
        6 => {
            let limit = random.micros(400);
            _ = timeout(limit, || run(world, random, place, steps, depth));
        }
        _ => {
            let result = catch_unwind(AssertUnwindSafe(|| {
                native::section(&CALL, || {
                    native::callback(|| {
                        let _owns = Owns::new(world);
                        yield_now();
                        resume_unwind(Box::new(Expected));
                    });
                });
            }));
            pass_on(result);
        }
    }
}

/// What unwinds for another reason than ours goes on.
fn pass_on(result: Result<(), Box<dyn Any + Send>>) {
    match result {
        Err(panic) if !panic.is::<Expected>() => resume_unwind(panic),
        Ok(()) | Err(_) => {}
    }
}

fn called_back(world: &World, random: &mut Random, depth: u32) {
    let steps = random.below(4) + 1;
    native::callback(|| {
        let _owns = Owns::new(world);
        run(world, random, Place::Owning, steps, depth);
    });
}

/// Code in a native section: it blocks the thread.
fn foreign(world: &World, random: &mut Random, depth: u32) {
    let thread = os_thread();
    for _ in 0..=random.below(4) {
        match random.below(12) {
            0 => std::thread::sleep(random.micros(1500)),
            1 => random.pick(&world.events).set(),
            2 => _ = random.pick(&world.events).wait_for(random.micros(300)),
            3 => yield_now(),
            4 => disturb(world, random),
            // Whoever has it may be a bound task of this thread.
            5 => {
                _ = random
                    .pick(&world.counters)
                    .try_lock_for(random.micros(300))
            }
            6 => _ = blocking(|| park_for(random.micros(200))),
            7 => drop(spawn(|| ())),
            8 if depth > 0 => native::section(&INNER, || foreign(world, random, depth - 1)),
            _ if depth > 0 => called_back(world, random, depth - 1),
            _ => {}
        }
        assert_eq!(os_thread(), thread, "seed {}: it has moved", world.seed);
    }
}

fn wait(world: &World, random: &mut Random, place: Place, depth: u32) {
    match random.below(12) {
        0 => random.pick(&world.events).set(),
        1 => _ = random.pick(&world.events).wait_for(random.micros(300)),
        2 | 3 => yield_now(),
        4 => _ = sleep(random.micros(200)),
        5 if place == Place::Free => {
            let mut counter = random.pick(&world.counters).lock();
            yield_now();
            *counter += 1;
        }
        5 => _ = random.pick(&world.counters).try_lock(),
        6 => disturb(world, random),
        7 => _ = park_for(random.micros(200)),
        8 => blocking(|| std::thread::sleep(random.micros(500))),
        9 if place == Place::Free || world.roomy => wait_without_limit(),
        10 if place == Place::Free && depth > 0 => {
            let seed = random.below(u64::MAX >> 12);
            fiberhost::scheduler::scope(|scope| {
                let child = scope.spawn(|| task(world, seed, Place::Free, 3, depth - 1));
                _ = child.join();
            });
        }
        _ => std::thread::yield_now(),
    }
}

fn disturb(world: &World, random: &mut Random) {
    let Some(task) = world.somebody(random) else {
        return;
    };
    match random.below(12) {
        0 => task.abort(),
        1 => task.cancel(),
        2..5 => task.alert(),
        5 => _ = task.wait_for(random.micros(300)),
        _ => task.unpark(),
    }
}

/// A wait that only its signal, an alert or an abort can end; who signals suspends nowhere.
fn wait_without_limit() {
    let event = Arc::new(AutoResetEvent::new(false));
    let setter = {
        let event = Arc::clone(&event);
        spawn(move || event.set())
    };
    _ = event.wait();
    _ = setter.join();
}

fn spawn_all(world: &Arc<World>, random: &mut Random) -> Vec<JoinHandle<()>> {
    let tasks = (0..TASKS).map(|number| {
        let mine = Arc::clone(world);
        let seed = random.below(u64::MAX >> 12);
        let task = match number % 6 {
            0 | 1 => Some(spawn(move || task(&mine, seed, Place::Free, STEPS, DEPTH))),
            // At the limit on threads it is refused, now or when it would start.
            2 => TaskBuilder::new()
                .backing(Backing::Thread)
                .spawn(move || {
                    let _owns = Owns::new(&mine);
                    task(&mine, seed, Place::Owning, STEPS, DEPTH);
                })
                .ok(),
            _ => {
                let body = move || task(&mine, seed, Place::Free, STEPS, DEPTH);
                // SAFETY: what lies across waits is numbers, references and guards of the scheduler's own. The number of
                // the thread is asked of the kernel, by a call that is not inlined.
                Some(unsafe { TaskBuilder::new().spawn_mobile(body) }.expect("memory for a task"))
            }
        };
        if let Some(task) = &task {
            world.tasks.lock().push(task.task().clone());
        }
        task
    });
    tasks.flatten().collect()
}

/// A thread from outside that runs callbacks.
fn adopted(scheduler: &Scheduler, world: &World, seed: u64) {
    let mut random = Random::new(seed);
    for _ in 0..3 {
        let adopted = match scheduler.adopt() {
            Ok(adopted) => adopted,
            Err(error) if error.kind() == std::io::ErrorKind::QuotaExceeded => continue,
            Err(error) => panic!("seed {}: {error}", world.seed),
        };
        world.tasks.lock().push(adopted.task());
        let owns = Owns::new(world);
        foreign(world, &mut random, DEPTH);
        foreign(world, &mut random, DEPTH);
        drop(owns);
        drop(adopted);
    }
}

/// A thread that changes how many tasks run at once, in every other round, until this is dropped.
struct Changes {
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Changes {
    fn of(scheduler: &Scheduler, seed: u64) -> Changes {
        let over = Arc::new(AtomicBool::new(seed.is_multiple_of(2)));
        let (scheduler, ends) = (scheduler.clone(), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            let mut random = Random::new(seed);
            while !ends.load(Ordering::Relaxed) {
                scheduler.set_workers(1 + random.below(scheduler.workers_max() as u64) as usize);
                std::thread::sleep(random.micros(2_000));
            }
        });
        Changes {
            over,
            thread: Some(thread),
        }
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("it is dropped once");
        thread.join().expect("it does not panic");
    }
}

fn round(seed: u64) {
    let mut random = Random::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let workers = *random.pick(&[1, 2, 4]);
    let roomy = random.below(3) > 0;
    let mut builder = Scheduler::builder()
        .workers(workers)
        .check_invariants(random.below(2) == 0)
        .force_migration(random.below(2) == 0)
        .quantum(Duration::from_micros(400 + random.below(2_000)))
        .handover_after(Duration::from_micros(100 + random.below(400)));
    if !roomy {
        builder = builder.max_threads(workers + random.below(4) as usize);
    }
    let scheduler = builder.build().expect("the system has threads");
    let world = Arc::new(World::new(seed, roomy));
    let threads: Vec<_> = (0..ADOPTED)
        .map(|_| {
            let (scheduler, world) = (scheduler.clone(), Arc::clone(&world));
            let seed = random.below(u64::MAX >> 12);
            std::thread::spawn(move || adopted(&scheduler, &world, seed))
        })
        .collect();
    let changes = Changes::of(&scheduler, seed);
    let mine = Arc::clone(&world);
    scheduler.run(move || {
        for task in spawn_all(&mine, &mut random) {
            let about = task.task().clone();
            let Ok(result) = task.join_for(STUCK) else {
                panic!(
                    "seed {seed}: {about:?} was forgotten, which waits for {:?}",
                    about.wait_reason()
                );
            };
            if let Err(error) = result {
                assert!(
                    error.is_cancelled() || error.is_refused(),
                    "seed {seed}: {about:?}: {error}"
                );
            }
        }
    });
    for thread in threads {
        thread.join().expect("an adopted thread does not panic");
    }
    world.tasks.lock().clear();
    drop(changes);
    scheduler.shutdown(STUCK).expect("nothing is left");
    let stats = scheduler.stats();
    assert_eq!(
        stats.spawned, stats.ended,
        "seed {seed}: every task ends once"
    );
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    assert_eq!(count(&world.began), count(&world.ended), "seed {seed}");
    assert!(
        world.owners.lock().expect("no panic").is_empty(),
        "seed {seed}: an owner is gone"
    );
}

#[test]
fn sections_nest_as_they_like_and_nobody_is_forgotten() {
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
    let seconds = asked("FIBERHOST_STRESS_SECONDS").unwrap_or(4);
    let until = Instant::now() + Duration::from_secs(seconds);
    let _delays = Delays::of_threads_named("fiberhost");
    let mut rounds = 0;
    while rounds == 0 || Instant::now() < until {
        let seed = seed.wrapping_add(rounds);
        let _watchdog = Watchdog::with_limit(format!("seed {seed}"), STUCK);
        round(seed);
        rounds += 1;
    }
    println!("{rounds} rounds of {TASKS} tasks");
}
