//! Many tasks that do everything at random: wait, wake, join, alert, abort, move; with the invariants checked at every switch.
//!
//! The seed is printed, and taken from `FIBERHOST_SEED` if that is set; it decides what each task does, not how the threads
//! interleave. `FIBERHOST_STRESS_SECONDS` says for how long (5 by default).

mod common;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex as StdMutex};
use std::time::{Duration, Instant};

use common::delays::Delays;
use common::{
    LONG, OnDrop, Watchdog, checked, eventually, expect_panics, os_thread, unexpected_panics,
};
use fiberhost::scheduler::sync::{
    AutoResetEvent, ManualResetEvent, Mutex, RwLock, Semaphore, channel,
};
use fiberhost::scheduler::{
    Backing, CancelToken, JoinHandle, JoinSet, Priority, Scheduler, TaskBuilder, TaskRef,
    check_quantum, current, park_for, scope, sleep, task_local, timeout, try_current, yield_now,
};

task_local! {
    static STEPS: std::cell::Cell<u64> = std::cell::Cell::new(0);
}

/// A sequence of numbers that depends on nothing but its seed.
#[derive(Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        // SplitMix: a counter, mixed.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    fn time(&mut self) -> Duration {
        Duration::from_micros(self.below(200))
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }
}

/// What the tasks share.
struct World {
    others: Vec<StdMutex<Option<TaskRef>>>,
    events: Vec<AutoResetEvent>,
    gates: Vec<ManualResetEvent>,
    /// Two numbers that are equal whenever nobody has the lock.
    pairs: Vec<Mutex<(u64, u64)>>,
    read: RwLock<(u64, u64)>,
    room: Semaphore,
    inside: AtomicUsize,
    sender: channel::Sender<u64>,
    receiver: channel::Receiver<u64>,
    token: StdMutex<CancelToken>,
    begun: AtomicUsize,
    ended: AtomicUsize,
    live: AtomicUsize,
    stop: AtomicBool,
}

const ROOM: usize = 3;

impl World {
    fn new() -> World {
        let (sender, receiver) = channel::bounded(8);
        World {
            others: (0..64).map(|_| StdMutex::new(None)).collect(),
            events: (0..4).map(|_| AutoResetEvent::new(false)).collect(),
            gates: (0..2).map(|_| ManualResetEvent::new(false)).collect(),
            pairs: (0..3).map(|_| Mutex::new((0, 0))).collect(),
            read: RwLock::new((0, 0)),
            room: Semaphore::new(ROOM),
            inside: AtomicUsize::new(0),
            sender,
            receiver,
            token: StdMutex::new(CancelToken::new()),
            begun: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
            live: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        }
    }

    fn other(&self, random: &mut Random) -> Option<TaskRef> {
        random.pick(&self.others).lock().unwrap().clone()
    }

    fn token(&self) -> CancelToken {
        self.token.lock().unwrap().clone()
    }
}

/// Whether a started task may change its thread.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Bound,
    Mobile,
    OwnThread,
}

/// Spawns a task that lives at random.
fn spawn(
    scheduler: Option<&Scheduler>,
    world: &Arc<World>,
    mut random: Random,
    depth: u32,
) -> JoinHandle<u64> {
    let task = scheduler.map_or_else(TaskBuilder::new, Scheduler::task);
    let priority = match random.below(6) {
        0 => Priority::Low,
        1 => Priority::High,
        _ => Priority::Normal,
    };
    let task = task.priority(priority);
    let kind = match random.below(20) {
        0 => Kind::OwnThread,
        number if number % 2 == 0 => Kind::Mobile,
        _ => Kind::Bound,
    };
    let world = Arc::clone(world);
    let body = move || live(&world, random, kind, depth);
    match kind {
        Kind::Bound => task.spawn(body),
        Kind::OwnThread => task.backing(Backing::Thread).spawn(body),
        // SAFETY: what `live` and its steps keep across a suspension is `Send`, no lock of a thread is held there, and the
        // thread's number is read by a function that is not inlined.
        Kind::Mobile => unsafe { task.spawn_mobile(body) },
    }
    .unwrap()
}

fn live(world: &Arc<World>, mut random: Random, kind: Kind, depth: u32) -> u64 {
    world.begun.fetch_add(1, Ordering::Relaxed);
    world.live.fetch_add(1, Ordering::Relaxed);
    let _end = OnDrop(|| {
        world.ended.fetch_add(1, Ordering::Relaxed);
        world.live.fetch_sub(1, Ordering::Relaxed);
    });
    let (me, home) = (current(), os_thread());
    *random.pick(&world.others).lock().unwrap() = Some(me.clone());
    let steps = 1 + random.below(30);
    for number in 0..steps {
        if world.stop.load(Ordering::Relaxed) {
            break;
        }
        step(world, &mut random, depth);
        assert_eq!(try_current().as_ref(), Some(&me));
        assert!(
            kind == Kind::Mobile || os_thread() == home,
            "it must not move"
        );
        STEPS.with(|steps| steps.set(steps.get() + 1));
        assert_eq!(STEPS.with(std::cell::Cell::get), number + 1);
    }
    steps
}

fn step(world: &Arc<World>, random: &mut Random, depth: u32) {
    match random.below(24) {
        0..4 => yield_now(),
        4 => drop(sleep(random.time())),
        5 => drop(park_for(random.time())),
        6 => drop(random.pick(&world.events).wait_for(random.time())),
        7 => random.pick(&world.events).set(),
        8 => gates(world, random),
        9 | 10 => interrupt(world, random),
        11..14 => children(world, random, depth),
        14 => scoped(random),
        15 => locks(world, random),
        16 => reads(world, random),
        17 => room(world, random),
        18 => items(world, random),
        19 => limits(world, random),
        20 => tokens(world, random),
        21 => {
            std::hint::black_box((0..random.below(5000)).sum::<u64>());
            check_quantum();
        }
        22 => joins(world, random),
        _ => {
            if random.one_in(20) {
                panic!("expected, at random");
            }
        }
    }
}

fn gates(world: &World, random: &mut Random) {
    let gate = random.pick(&world.gates);
    match random.below(3) {
        0 => gate.set(),
        1 => drop(gate.reset()),
        _ => drop(gate.wait_for(random.time())),
    }
}

fn interrupt(world: &World, random: &mut Random) {
    let Some(other) = world.other(random) else {
        return;
    };
    match random.below(10) {
        0..4 => other.unpark(),
        4..8 => other.alert(),
        8 => other.abort(),
        _ => other.cancel(),
    }
}

fn children(world: &Arc<World>, random: &mut Random, depth: u32) {
    if depth == 0 || world.live.load(Ordering::Relaxed) > 300 {
        return;
    }
    let spawn = |random: &mut Random| spawn(None, world, Random(random.next()), depth - 1);
    match random.below(4) {
        0 => drop(spawn(random)),
        1 => {
            // Its own end may be anything; the join may be interrupted.
            drop(spawn(random).join());
        }
        2 => {
            if let Err(task) = spawn(random).join_for(random.time()) {
                task.abort();
                drop(task.join());
            }
        }
        _ => {
            let mut set = JoinSet::new();
            for _ in 0..random.below(4) {
                let (mut random, world) = (Random(random.next()), Arc::clone(world));
                set.spawn(move || {
                    interrupt(&world, &mut random);
                    park_for(random.time());
                });
            }
            let _ = set.join_next_for(random.time());
            if random.one_in(2) {
                set.shutdown();
                assert!(set.is_empty());
            }
        }
    }
}

fn joins(world: &World, random: &mut Random) {
    if let Some(other) = world.other(random) {
        match other.wait_for(random.time()) {
            Ok(ended) => assert!(!ended || other.is_finished()),
            Err(error) => assert!(error.is_interrupted() || error.is_deadlock(), "{error}"),
        }
    }
}

fn scoped(random: &mut Random) {
    let count = AtomicUsize::new(0);
    let tasks = random.below(4) as usize;
    let times: Vec<_> = (0..tasks).map(|_| random.time()).collect();
    scope(|scope| {
        for time in &times {
            let count = &count;
            // Counted however it ends, also if it never starts.
            let ended = OnDrop(move || _ = count.fetch_add(1, Ordering::Relaxed));
            scope.spawn(move || {
                let _ended = ended;
                park_for(*time);
            });
        }
    });
    assert_eq!(count.into_inner(), tasks, "a scope waits for all its tasks");
}

fn locks(world: &World, random: &mut Random) {
    let pair = random.pick(&world.pairs);
    let guard = if random.one_in(2) {
        Some(pair.lock())
    } else {
        pair.try_lock_for(random.time())
    };
    let Some(mut guard) = guard else { return };
    assert_eq!(guard.0, guard.1, "somebody else is inside");
    guard.0 += 1;
    // Whatever unwinds here finishes the pair first.
    let mut guard = Finish(&mut guard);
    if random.one_in(2) {
        yield_now();
    } else if random.one_in(4) {
        sleep(random.time() / 4);
    }
    assert_eq!(guard.pair().0, guard.pair().1 + 1);
}

/// Makes the two numbers equal again, in an unwinding too.
struct Finish<'a>(&'a mut (u64, u64));

impl Finish<'_> {
    fn pair(&mut self) -> (u64, u64) {
        *self.0
    }
}

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        self.0.1 += 1;
    }
}

fn reads(world: &World, random: &mut Random) {
    if random.one_in(4) {
        if let Some(mut both) = world.read.try_write_for(random.time()) {
            both.0 += 1;
            yield_in(random, &mut both);
        }
    } else if let Some(both) = world.read.try_read_for(random.time()) {
        assert_eq!(both.0, both.1, "nobody writes now");
        yield_now();
        assert_eq!(both.0, both.1, "nobody writes now");
    }
}

fn yield_in(random: &mut Random, both: &mut (u64, u64)) {
    let _finish = Finish(both);
    if random.one_in(2) {
        yield_now();
    }
}

fn room(world: &World, random: &mut Random) {
    let Some(_place) = world.room.acquire_for(random.time()) else {
        return;
    };
    let inside = world.inside.fetch_add(1, Ordering::SeqCst) + 1;
    let _out = OnDrop(|| _ = world.inside.fetch_sub(1, Ordering::SeqCst));
    assert!(inside <= ROOM, "{inside} have a permit");
    yield_now();
}

fn items(world: &World, random: &mut Random) {
    if random.one_in(2) {
        let _ = world.sender.try_send(random.next());
    } else {
        let _ = world.receiver.recv_for(random.time());
    }
}

fn limits(world: &Arc<World>, random: &mut Random) {
    let (outer, inner) = (random.time(), random.time());
    let _ = timeout(outer, || {
        let _ = timeout(inner, || {
            random.pick(&world.events).wait();
        });
        locks(world, random);
        park_for(random.time());
    });
}

fn tokens(world: &World, random: &mut Random) {
    let token = world.token();
    match random.below(8) {
        0 => {
            token.cancel();
            *world.token.lock().unwrap() = CancelToken::new();
        }
        1 => drop(token.wait_for(random.time())),
        _ => {
            let child = token.child();
            child.run_until_cancelled(|| {
                park_for(random.time());
                if random.one_in(3) {
                    child.cancel();
                }
                random.pick(&world.events).wait_for(random.time());
            });
        }
    }
}

/// A plain thread takes part: it wakes, alerts and aborts, and spawns from outside.
fn meddle(world: &Arc<World>, scheduler: &Scheduler, mut random: Random) {
    while !world.stop.load(Ordering::Relaxed) {
        if world.live.load(Ordering::Relaxed) < 100 {
            drop(spawn(Some(scheduler), world, Random(random.next()), 3));
        }
        match random.below(6) {
            0 => random.pick(&world.events).set(),
            1 => room(world, &mut random),
            2 => items(world, &mut random),
            3 => joins(world, &mut random),
            4 => locks(world, &mut random),
            _ => interrupt(world, &mut random),
        }
    }
}

/// One scheduler for a while, with these settings.
fn one_run(workers: usize, migrate: bool, delays: bool, seed: u64, time: Duration) {
    let builder = checked(workers).force_migration(migrate);
    let scheduler = builder.quantum(Duration::from_micros(500)).build().unwrap();
    let world = Arc::new(World::new());
    let _delays = delays.then(|| Delays::of_threads_named("fiberhost"));
    std::thread::scope(|threads| {
        for number in 0..2 {
            let (world, scheduler) = (&world, &scheduler);
            let random = Random(seed.wrapping_mul(31).wrapping_add(number));
            threads.spawn(move || meddle(world, scheduler, random));
        }
        std::thread::sleep(time);
        world.stop.store(true, Ordering::SeqCst);
    });
    // Half of the runs end by themselves, the others are cut off.
    if seed.is_multiple_of(2) {
        eventually("all tasks have ended", || scheduler.stats().live() == 0);
    }
    scheduler.shutdown(LONG).unwrap_or_else(|error| {
        panic!("{error}: {:?}", error.survivors());
    });
    let stats = scheduler.stats();
    assert_eq!(stats.spawned, stats.ended);
    let (begun, ended) = (&world.begun, &world.ended);
    assert_eq!(begun.load(Ordering::SeqCst), ended.load(Ordering::SeqCst));
    assert!(begun.load(Ordering::SeqCst) > 0);
    assert_eq!(unexpected_panics(), 0, "what a task asserts must hold");
    assert_eq!(world.inside.load(Ordering::SeqCst), 0);
    assert_eq!(world.room.available(), ROOM, "every permit came back");
    for pair in &world.pairs {
        let pair = *pair.try_lock().expect("every lock was given back");
        assert_eq!(pair.0, pair.1);
    }
}

#[test]
fn tasks_that_do_everything_at_random() {
    expect_panics();
    let number = |name| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().expect("a number"))
    };
    let seconds = number("FIBERHOST_STRESS_SECONDS").unwrap_or(5);
    let seed = number("FIBERHOST_SEED").unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.unwrap().as_nanos() as u64
    });
    println!("FIBERHOST_SEED={seed}");
    let limit = Duration::from_secs(seconds) + 4 * LONG;
    let _watchdog = Watchdog::with_limit(format!("seed {seed}"), limit);
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut random = Random(seed);
    let settings = [
        (1, false),
        (2, true),
        (4, false),
        (4, true),
        (2, false),
        (1, true),
    ];
    for (workers, migrate) in settings.into_iter().cycle() {
        if Instant::now() >= until {
            break;
        }
        let time = Duration::from_millis(200 + random.below(400));
        one_run(workers, migrate, random.one_in(2), random.next(), time);
    }
}
