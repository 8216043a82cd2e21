//! The programs on fiberhost, with everything at its default but the number of workers.
//!
//! Every round asserts that each counted task was entered by a switch of its own; one audited round before the timed
//! ones asserts the rest (see `witness.rs`).

mod below;
mod hosting;
mod native;
mod timers;

use std::hint;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use fiberhost_scheduler::net::{TcpListener, TcpStream};
use fiberhost_scheduler::sync::channel::{Receiver, Sender, bounded, unbounded};
use fiberhost_scheduler::sync::{AutoResetEvent, ManualResetEvent, Mutex};
use fiberhost_scheduler::{JoinHandle, Scheduler, Stats, WaitReason, Wake, spawn, yield_now};

use super::case::{CHANNEL_BOUND, Depth, MANY, MUTEX_TASKS, Placement, Program, RING};
use super::contender::{Measured, Prepared, Unavailable};
use super::deep::four_calls;
use super::echo::{self, CONNECTIONS, MESSAGE, Trips};
use super::gaps::BESIDE;
use super::hold::Hold;
use super::lap::Lap;
use super::parked::{Footprint, Live};
use super::ring::Ring;
use super::skynet::{self, Sum};
use super::sleeper::Sleeper;
use super::{idle, procfs, tally, witness};

pub(crate) fn prepare(program: Program, workers: usize) -> Result<Prepared, Unavailable> {
    let scheduler = match Scheduler::builder().workers(workers).build() {
        Ok(scheduler) => scheduler,
        Err(why) => return Err(Unavailable(format!("no scheduler: {why}"))),
    };
    let paths = paths(&scheduler);
    let prepared = match program {
        Program::Yield { tasks, depth } => {
            let audited = Audit::of(2, tasks as u64);
            match depth {
                Depth::Flat => rooted(scheduler, audited, move |each| {
                    yields(tasks, each, yield_now)
                }),
                Depth::BelowFourCalls => rooted(scheduler, audited, move |each| {
                    yields(tasks, each, || four_calls(yield_now))
                }),
            }
        }
        Program::PingPong => rooted(scheduler, Audit::of(2, 2), pingpong),
        Program::PingPongCross => rooted(scheduler, Audit::of(2, 2), pingpong_cross),
        Program::SpawnJoin => rooted(scheduler, Audit::of(100, 101), spawn_join),
        Program::SpawnJoinPark => rooted(scheduler, Audit::of(100, 101), spawn_join_park),
        Program::Fanout => rooted(scheduler, Audit::of(1, 1 + MANY as u64), fanout),
        // Four levels: parked in the audit, all tasks of the full tree would live at once.
        Program::Skynet => rooted(scheduler, Audit::of(4, 1 + 11_111), skynet)
            .about("a node's sum is its task's result, tokio's goes through a oneshot"),
        Program::Chain => rooted(scheduler, Audit::of(1, 1 + MANY as u64), chain),
        Program::Ring => rooted(scheduler, Audit::of(1, 1 + RING as u64), ring),
        Program::Channel => rooted(scheduler, Audit::of(100, 2), channel),
        Program::Mutex => {
            let hold = Hold::calibrate();
            let audited = Audit::of(100, 1 + MUTEX_TASKS as u64);
            rooted(scheduler, audited, move |turns| mutex(turns, hold))
        }
        Program::LeaveEnter => rooted(scheduler, Audit::of(100, 1), native::leave_enter),
        Program::HookPair => {
            let hosted = hosting::Hosted::on(&scheduler);
            let pairs = move |pairs| hosted.hook_pairs(pairs);
            rooted(scheduler, Audit::of(100, 1), pairs).about("LeaveRuntime, EnterRuntime")
        }
        Program::CurrentTask => {
            let hosted = hosting::Hosted::on(&scheduler);
            let answers = move |answers| hosted.current_tasks(answers);
            rooted(scheduler, Audit::of(100, 1), answers).about("GetCurrentTask, Release")
        }
        Program::HookChain => {
            let hosted = hosting::Hosted::on(&scheduler);
            rooted(scheduler, Audit::of(2, 1), move |chains| {
                hosted.hook_chains(chains)
            })
            .about("all four hooks at each of a hundred levels")
        }
        Program::Crst => {
            let hosted = hosting::Hosted::on(&scheduler);
            rooted(scheduler, Audit::of(100, 1), move |pairs| {
                hosted.sections(pairs)
            })
            .about("IHostCrst")
        }
        Program::HostEvent => {
            let hosted = hosting::Hosted::on(&scheduler);
            rooted(scheduler, Audit::of(2, 2), move |trips| {
                hosted.events(trips)
            })
            .about("IHostAutoEvent")
        }
        Program::LeaveTaken => rooted(
            scheduler,
            Audit::of(1, 2 + BESIDE as u64),
            native::leave_taken,
        )
        .about("sections, tasks that may move"),
        Program::Hog => rooted(scheduler, Audit::of(1, 3), |cycles| {
            native::hog(cycles, native::Kind::Mobile)
        }),
        Program::HogBound => rooted(scheduler, Audit::of(1, 3), |cycles| {
            native::hog(cycles, native::Kind::Bound)
        }),
        Program::WakeSleeping { placement } => wake_sleeping(scheduler, placement),
        Program::Timers => rooted(scheduler, Audit::of(100, 101), timers::timers)
            .about("tasks in AutoResetEvent::wait_for, set in random order"),
        Program::Parked => rooted(scheduler, Audit::of(100, 101), parked),
        Program::Idle => {
            open_listener(&scheduler);
            Prepared::new(move |seconds| {
                // Alive while it is watched.
                let _ = &scheduler;
                idle::watch(seconds)
            })
        }
        Program::Echo => rooted(scheduler, Audit::of(1, 2 * CONNECTIONS as u64), echo)
            .about("tasks that may move"),
    };
    let about = if prepared.about.is_empty() {
        paths
    } else {
        format!("{paths}; {}", prepared.about)
    };
    Ok(prepared.about(about))
}

/// The same programs without the hosting interfaces.
pub(crate) fn prepare_below(program: Program, workers: usize) -> Result<Prepared, Unavailable> {
    match Scheduler::builder().workers(workers).build() {
        Ok(scheduler) => below::prepare(program, scheduler),
        Err(why) => Err(Unavailable(format!("no scheduler: {why}"))),
    }
}

/// On which of the ways through the scheduler this run is.
fn paths(scheduler: &Scheduler) -> String {
    let stats = scheduler.stats();
    let fallen_back = stats.switch != "jump" || stats.barrier != "membarrier";
    let warning = if fallen_back {
        "ON A FALL-BACK PATH: "
    } else {
        ""
    };
    format!(
        "{}switch {}, barrier {}, idle spin {:?}",
        warning, stats.switch, stats.barrier, stats.idle_spin,
    )
}

/// A small round for the audit, and how many tasks it must at least have seen.
struct Audit {
    size: u64,
    tasks: u64,
}

impl Audit {
    fn of(size: u64, tasks: u64) -> Audit {
        Audit { size, tasks }
    }
}

/// A program whose root is a task, audited once.
fn rooted(
    scheduler: Scheduler,
    audit: Audit,
    program: impl Fn(u64) -> Measured + Clone + Send + 'static,
) -> Prepared {
    let round = move |size| {
        let program = program.clone();
        scheduler.run(move || program(size))
    };
    let seen = witness::audit(|| drop(round(audit.size)));
    assert!(
        seen >= audit.tasks,
        "{seen} tasks ran where {} were counted",
        audit.tasks
    );
    Prepared::new(round)
}

/// What the scheduler had counted when the clock started.
struct Counted(Stats);

impl Counted {
    fn now() -> Counted {
        Counted(scheduler().stats())
    }

    fn switches(&self) -> u64 {
        Counted::now().0.switches - self.0.switches
    }

    /// Each of the tasks was spawned as one, and entered at least `times` by a switch of its own.
    fn assert(&self, tasks: u64, times: u64) {
        let (spawned, switches) = (Counted::now().0.spawned - self.0.spawned, self.switches());
        assert!(spawned >= tasks, "{spawned} spawns for {tasks} tasks");
        assert!(
            switches >= tasks * times,
            "{switches} switches for {tasks} tasks, {times} each"
        );
    }
}

fn scheduler() -> Scheduler {
    Scheduler::current().expect("a task asks")
}

fn join<T>(handle: JoinHandle<T>) -> T {
    handle.join().expect("the task does not panic")
}

fn yields(tasks: usize, each: u64, step: impl Fn() + Copy + Send + 'static) -> Measured {
    let lap = Arc::new(Lap::new(tasks));
    let counted = Arc::new(OnceLock::new());
    let switched = Arc::new(AtomicU64::new(0));
    let spawn = |_| {
        let (lap, counted, switched) = (
            Arc::clone(&lap),
            Arc::clone(&counted),
            Arc::clone(&switched),
        );
        spawn(move || {
            let _noted = witness::task();
            lap.arrive();
            while !lap.all_here() {
                yield_now();
            }
            lap.begin_after(|| drop(counted.set(Counted::now())));
            let mut done = 0;
            for _ in 0..each {
                step();
                done += 1;
            }
            lap.leave_before(|| {
                let counted: &Counted = counted.get().expect("set when the clock started");
                // Relaxed: the joins below bring it back.
                switched.store(counted.switches(), Ordering::Relaxed);
            });
            // Yields of those who wait for the others count as long as the clock runs.
            loop {
                step();
                if lap.is_over() {
                    break done;
                }
                done += 1;
            }
        })
    };
    let handles: Vec<_> = (0..tasks).map(spawn).collect();
    let done: u64 = handles.into_iter().map(join).sum();
    assert!(done >= tasks as u64 * each, "every task has had its turns");
    let switched = switched.load(Ordering::Relaxed);
    // Only a task that has its worker for itself may come back without a switch: on one worker, one that is alone.
    // At the edge of the lap each task may miss one.
    let missing = done.saturating_sub(switched);
    let may_be_alone = tasks == 1 || scheduler().workers() > 1;
    assert!(
        may_be_alone || missing <= tasks as u64,
        "{switched} switches for {done} yields"
    );
    let per_yield = switched as f64 / done as f64;
    Measured::each(lap.took(), done).with("switches", per_yield)
}

fn pingpong(trips: u64) -> Measured {
    let _noted = witness::task();
    let events = Arc::new([AutoResetEvent::new(false), AutoResetEvent::new(false)]);
    let far = Arc::clone(&events);
    let partner = spawn(move || pong(&far, trips));
    let measured = ping(&events, trips);
    assert_eq!(join(partner), trips + 1);
    measured
}

fn ping([ping, pong]: &[AutoResetEvent; 2], trips: u64) -> Measured {
    // One trip before the clock starts: the partner is then known to be there.
    ping.set();
    assert_eq!(pong.wait(), Wake::Signalled);
    let start = Instant::now();
    for _ in 0..trips {
        ping.set();
        pong.wait();
    }
    Measured::each(start.elapsed(), trips)
}

fn pong([ping, pong]: &[AutoResetEvent; 2], trips: u64) -> u64 {
    let _noted = witness::task();
    let mut taken = 0;
    for _ in 0..=trips {
        taken += u64::from(ping.wait() == Wake::Signalled);
        pong.set();
    }
    taken
}

/// A started task stays on its thread, so it is enough that the two start on different ones: each computes until the
/// other runs too.
fn pingpong_cross(trips: u64) -> Measured {
    let events = Arc::new([AutoResetEvent::new(false), AutoResetEvent::new(false)]);
    let here = Arc::new(AtomicUsize::new(0));
    let far = {
        let (events, here) = (Arc::clone(&events), Arc::clone(&here));
        spawn(move || {
            let thread = meet(&here);
            let taken = pong(&events, trips);
            (taken, [thread, procfs::this_thread()])
        })
    };
    let near = spawn(move || {
        // Met before it is noted: in the audit the note parks, and both could then start on the same worker.
        let thread = meet(&here);
        let _noted = witness::task();
        let measured = ping(&events, trips);
        (measured, [thread, procfs::this_thread()])
    });
    let (measured, near) = join(near);
    let (taken, far) = join(far);
    assert_eq!(taken, trips + 1);
    assert_ne!(near[0], far[0], "the two run on different workers");
    assert_eq!((near[0], far[0]), (near[1], far[1]), "and stay there");
    measured
}

fn meet(here: &AtomicUsize) -> u32 {
    const PATIENCE: Duration = Duration::from_secs(5);
    let start = Instant::now();
    here.fetch_add(1, Ordering::Relaxed);
    while here.load(Ordering::Relaxed) < 2 {
        assert!(
            start.elapsed() < PATIENCE,
            "no second worker came for the other task"
        );
        hint::spin_loop();
    }
    procfs::this_thread()
}

fn spawn_join(tasks: u64) -> Measured {
    let _noted = witness::task();
    let counted = Counted::now();
    let start = Instant::now();
    let mut sum = 0;
    for ordinal in 0..tasks {
        sum += join(spawn(move || {
            let _noted = witness::task();
            ordinal
        }));
    }
    let took = start.elapsed();
    counted.assert(tasks, 1);
    assert_eq!(sum, tally::sum_below(tasks));
    Measured::each(took, tasks)
}

fn spawn_join_park(tasks: u64) -> Measured {
    let _noted = witness::task();
    let counted = Counted::now();
    let events = Arc::new([AutoResetEvent::new(false), AutoResetEvent::new(false)]);
    let start = Instant::now();
    let mut sum = 0;
    for ordinal in 0..tasks {
        let child = Arc::clone(&events);
        let handle = spawn(move || {
            let _noted = witness::task();
            let [ready, go] = &*child;
            ready.set();
            go.wait();
            ordinal
        });
        let [ready, go] = &*events;
        ready.wait();
        go.set();
        sum += join(handle);
    }
    let took = start.elapsed();
    // Once to start, once after the park.
    counted.assert(tasks, 2);
    assert_eq!(sum, tally::sum_below(tasks));
    Measured::each(took, tasks)
}

fn fanout(times: u64) -> Measured {
    let _noted = witness::task();
    let counted = Counted::now();
    let start = Instant::now();
    let mut sum = 0;
    let child = |ordinal| {
        spawn(move || {
            let _noted = witness::task();
            ordinal
        })
    };
    for _ in 0..times {
        let handles: Vec<_> = (0..MANY as u64).map(child).collect();
        sum += handles.into_iter().map(join).sum::<u64>();
    }
    let took = start.elapsed();
    counted.assert(times * MANY as u64, 1);
    assert_eq!(sum, times * tally::sum_below(MANY as u64));
    Measured::each(took, times * MANY as u64)
}

fn skynet(depth: u64) -> Measured {
    let _noted = witness::task();
    let counted = Counted::now();
    let start = Instant::now();
    let root = skynet_node(0, skynet::leaves(depth));
    let sum = root.join().expect("the root answers");
    let took = start.elapsed();
    let tasks = sum.check(depth);
    counted.assert(tasks, 1);
    Measured::each(took, tasks)
        .with("stack_bytes", procfs::resident_stacks() as f64)
        .with("resident_peak", procfs::resident_peak() as f64)
}

/// A node's result is its message to its parent: a task's join handle is our one-shot channel.
fn skynet_node(first: u64, leaves: u64) -> JoinHandle<Sum> {
    spawn(move || {
        let _noted = witness::task();
        if leaves == 1 {
            return Sum::leaf(first);
        }
        let nodes: Vec<JoinHandle<Sum>> = skynet::children(first, leaves)
            .map(|(first, leaves)| skynet_node(first, leaves))
            .collect();
        let mut sum = Sum::node();
        for node in nodes {
            sum.add(node.join().expect("a node answers"));
        }
        sum
    })
}

fn chain(times: u64) -> Measured {
    let _noted = witness::task();
    let counted = Counted::now();
    let start = Instant::now();
    for _ in 0..times {
        let (sender, end) = bounded(1);
        link(1, sender);
        assert_eq!(end.recv().expect("the last one sends"), MANY);
    }
    let took = start.elapsed();
    counted.assert(times * MANY as u64, 1);
    Measured::each(took, times * MANY as u64)
}

fn link(place: usize, end: Sender<usize>) {
    drop(spawn(move || {
        let _noted = witness::task();
        if place < MANY {
            link(place + 1, end);
        } else {
            end.send(place).expect("the root listens");
        }
    }));
}

fn ring(hops: u64) -> Measured {
    let _noted = witness::task();
    let counted = Counted::now();
    let ring = Arc::new(Ring::new(hops));
    let links = (0..RING).map(|_| unbounded());
    let (mut senders, receivers): (Vec<_>, Vec<_>) = links.unzip();
    senders[0]
        .send(ring.token())
        .expect("the first one listens");
    // Each sends to the next one.
    senders.rotate_left(1);
    let hold = |(holder, (to, mine)): (usize, Link)| {
        let ring = Arc::clone(&ring);
        spawn(move || {
            let _noted = witness::task();
            while let Ok(token) = mine.recv() {
                let Some(token) = ring.hold(token, holder) else {
                    break;
                };
                to.send(token).expect("the next one listens");
            }
        })
    };
    let handles: Vec<_> = senders
        .into_iter()
        .zip(receivers)
        .enumerate()
        .map(hold)
        .collect();
    handles.into_iter().for_each(join);
    // Each hop is a wait and a wake.
    assert!(counted.switches() >= hops, "a switch for each hop");
    ring.measured()
}

/// Where a holder sends to, and where it receives from.
type Link = (Sender<u64>, Receiver<u64>);

fn channel(items: u64) -> Measured {
    let _noted = witness::task();
    let (sender, receiver) = bounded(CHANNEL_BOUND);
    let start = Instant::now();
    let producer = spawn(move || {
        let _noted = witness::task();
        for item in 0..items {
            sender.send(item).expect("the consumer listens");
        }
    });
    let mut sum = 0;
    while let Ok(item) = receiver.recv() {
        sum += item;
    }
    let took = start.elapsed();
    join(producer);
    assert_eq!(sum, tally::sum_below(items));
    Measured::each(took, items)
}

fn mutex(turns: u64, hold: Hold) -> Measured {
    let _noted = witness::task();
    let lap = Arc::new(Lap::new(MUTEX_TASKS));
    let left = Arc::new(Mutex::new(turns));
    let spawn = |_| {
        let (lap, left) = (Arc::clone(&lap), Arc::clone(&left));
        spawn(move || {
            let _noted = witness::task();
            lap.arrive();
            while !lap.all_here() {
                yield_now();
            }
            lap.begin();
            let mut mine = 0;
            loop {
                let mut left = left.lock();
                if *left == 0 {
                    break;
                }
                *left -= 1;
                mine += 1;
                hold.work();
            }
            lap.leave();
            mine
        })
    };
    let handles: Vec<_> = (0..MUTEX_TASKS).map(spawn).collect();
    let each: Vec<u64> = handles.into_iter().map(join).collect();
    tally::turns(lap.took(), turns, &each)
}

fn wake_sleeping(scheduler: Scheduler, placement: Placement) -> Prepared {
    Prepared::new(move |wakes| {
        let sleeper = Arc::new(Sleeper::new(placement));
        let event = Arc::new(AutoResetEvent::new(false));
        let waiting = {
            let (sleeper, event) = (Arc::clone(&sleeper), Arc::clone(&event));
            scheduler.spawn(move || {
                for _ in 0..wakes {
                    sleeper.about_to_wait();
                    event.wait();
                    sleeper.awake();
                }
            })
        };
        sleeper.wake_asleep(wakes, || event.set());
        join(waiting);
        sleeper.measured(wakes)
    })
}

/// A listener of std: nobody accepts. One task has run and one waits, so that the workers and the monitor have had work.
fn parked(tasks: u64) -> Measured {
    let _noted = witness::task();
    let counted = Counted::now();
    let event = Arc::new(ManualResetEvent::new(false));
    let here = Arc::new(AtomicU64::new(0));
    let spawn = |ordinal| {
        let (event, here) = (Arc::clone(&event), Arc::clone(&here));
        spawn(move || {
            let _noted = witness::task();
            let live = hint::black_box(Live::of(ordinal));
            four_calls(|| {
                // Relaxed: a count; what the tasks say comes back through their joins.
                here.fetch_add(1, Ordering::Relaxed);
                event.wait();
            });
            hint::black_box(&live).sum()
        })
    };
    let handles: Vec<_> = (0..tasks).map(spawn).collect();
    while here.load(Ordering::Relaxed) < tasks {
        yield_now();
    }
    let footprint = Footprint::now(tasks);
    let start = Instant::now();
    event.set();
    let sum = handles.into_iter().map(join).sum();
    let took = start.elapsed();
    // Once to start, once after the park.
    counted.assert(tasks, 2);
    footprint.measured(took, sum)
}

fn open_listener(scheduler: &Scheduler) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    scheduler.run(|| {
        let task = spawn(move || drop(listener.accept()));
        while task.task().wait_reason() != WaitReason::Readable {
            yield_now();
        }
    });
}

fn echo(trips: u64) -> Measured {
    let _noted = witness::task();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let server = spawn(move || {
        let serve = |_| {
            let (stream, _) = listener.accept().expect("a client comes");
            spawn_mobile(move || answer(stream))
        };
        let handles: Vec<_> = (0..CONNECTIONS).map(serve).collect();
        handles.into_iter().for_each(join);
    });
    let lap = Arc::new(Lap::new(CONNECTIONS));
    let spawn = |client| {
        let lap = Arc::clone(&lap);
        spawn_mobile(move || {
            let _noted = witness::task();
            let mut stream = TcpStream::connect(address).expect("the server listens");
            stream.set_nodelay(true).expect("it is a TCP socket");
            // One trip before the clock starts: the answering task is then known to be there.
            trip(&mut stream, &mut Trips::new(client, 1));
            lap.arrive();
            while !lap.all_here() {
                yield_now();
            }
            lap.begin();
            let mut mine = Trips::new(client, trips);
            for _ in 0..trips {
                trip(&mut stream, &mut mine);
            }
            lap.leave();
            mine
        })
    };
    let handles: Vec<_> = (0..CONNECTIONS).map(spawn).collect();
    let clients = handles.into_iter().map(join).collect();
    join(server);
    echo::measured(lap.took(), trips, clients)
}

/// A task that goes from worker to worker, as the peers' do.
fn spawn_mobile<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    // SAFETY: what both sides of `echo` keep across their waits is a socket, bytes, instants and times; nothing of a thread's.
    unsafe { scheduler().task().spawn_mobile(work) }.expect("memory for a task")
}

fn trip(stream: &mut TcpStream, mine: &mut Trips) {
    let message = mine.begin();
    stream.write_all(&message).expect("the server is there");
    let mut back = [0; MESSAGE];
    stream.read_exact(&mut back).expect("the server answers");
    mine.end(&message, &back);
}

fn answer(mut stream: TcpStream) {
    let _noted = witness::task();
    stream.set_nodelay(true).expect("it is a TCP socket");
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer).expect("the client is there") {
            0 => return,
            count => stream
                .write_all(&buffer[..count])
                .expect("the client listens"),
        }
    }
}
