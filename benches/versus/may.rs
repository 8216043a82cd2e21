//! The programs as a user of may writes them, with its default configuration but for the number of workers.
//!
//! Coroutines line up at a barrier rather than by yielding: those that yield keep a worker from looking into the queue
//! where the others wait to be started.

use std::io::{Read, Write};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use may::coroutine::{self, yield_now};
use may::go;
use may::net::{TcpListener, TcpStream};
use may::sync::{Barrier, Mutex, Semphore, mpsc, spsc};

use super::case::{CHANNEL_BOUND, Depth, MANY, MUTEX_TASKS, Placement, Program, RING, SLEEPS};
use super::contender::{Measured, Prepared, Unavailable};
use super::deep::four_calls;
use super::echo::{self, CONNECTIONS, MESSAGE, Trips};
use super::hold::Hold;
use super::lap::Lap;
use super::ring::Ring;
use super::skynet::{self, Sum};
use super::sleeper::Sleeper;
use super::{idle, procfs, random, tally};

pub(crate) fn prepare(program: Program, workers: usize) -> Result<Prepared, Unavailable> {
    may::config().set_workers(workers);
    Ok(match program {
        Program::Yield {
            tasks,
            depth: Depth::Flat,
        } => rooted(move |each| yields(tasks, each, yield_now)),
        Program::Yield {
            tasks,
            depth: Depth::BelowFourCalls,
        } => rooted(move |each| yields(tasks, each, || four_calls(yield_now))),
        Program::PingPong => rooted(pingpong),
        Program::PingPongCross => {
            return Unavailable::because("a coroutine moves to the worker that wakes it");
        }
        Program::SpawnJoin => rooted(spawn_join),
        Program::SpawnJoinPark => rooted(spawn_join_park),
        Program::Fanout => rooted(fanout),
        Program::Skynet => rooted(skynet),
        Program::Chain => rooted(chain),
        Program::Ring => rooted(ring),
        Program::Channel => {
            rooted(channel).about("spsc, bounded by a Semphore: may has no bounded channel")
        }
        Program::Mutex => {
            let hold = Hold::calibrate();
            rooted(move |turns| mutex(turns, hold))
        }
        Program::HookPair
        | Program::HookChain
        | Program::CurrentTask
        | Program::Crst
        | Program::HostEvent => {
            return Unavailable::because("it has no hosting interfaces");
        }
        Program::LeaveEnter | Program::LeaveTaken => {
            return Unavailable::because("a coroutine cannot say that it blocks its worker");
        }
        Program::Hog | Program::HogBound => {
            return Unavailable::because(
                "who is woken runs on another worker: nobody stands behind it",
            );
        }
        Program::WakeSleeping { placement } => {
            Prepared::new(move |wakes| wake_sleeping(wakes, placement))
        }
        Program::Timers => rooted(timers).about("coroutines in Semphore::wait_timeout, posted"),
        Program::Parked => {
            return Unavailable::because(
                "each stack has a guard of its own: 2,000,000 mappings are not to be had",
            );
        }
        Program::Idle => {
            open_listener();
            Prepared::new(idle::watch)
        }
        Program::Echo => rooted(echo),
    })
}

/// A program whose root is a coroutine.
fn rooted(program: impl Fn(u64) -> Measured + Clone + Send + 'static) -> Prepared {
    Prepared::new(move |size| {
        let program = program.clone();
        go!(move || program(size))
            .join()
            .expect("the root does not panic")
    })
}

fn yields(tasks: usize, each: u64, step: impl Fn() + Copy + Send + 'static) -> Measured {
    let lap = Arc::new(Lap::new(tasks));
    let start = Arc::new(Barrier::new(tasks));
    let spawn = |_| {
        let (lap, start) = (Arc::clone(&lap), Arc::clone(&start));
        go!(move || {
            start.wait();
            lap.begin();
            let mut done = 0;
            for _ in 0..each {
                step();
                done += 1;
            }
            lap.leave();
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
    Measured::each(lap.took(), done)
}

fn join<T>(handle: coroutine::JoinHandle<T>) -> T {
    handle.join().expect("the coroutine does not panic")
}

fn pingpong(trips: u64) -> Measured {
    let events = Arc::new([Semphore::new(0), Semphore::new(0)]);
    let partner = Arc::clone(&events);
    let partner = go!(move || {
        let [ping, pong] = &*partner;
        let mut taken = 0;
        for _ in 0..=trips {
            ping.wait();
            taken += 1;
            pong.post();
        }
        taken
    });
    let [ping, pong] = &*events;
    // One trip before the clock starts: the partner is then known to be there.
    ping.post();
    pong.wait();
    let start = Instant::now();
    for _ in 0..trips {
        ping.post();
        pong.wait();
    }
    let took = start.elapsed();
    assert_eq!(join(partner), trips + 1);
    Measured::each(took, trips)
}

fn spawn_join(tasks: u64) -> Measured {
    let start = Instant::now();
    let sum: u64 = (0..tasks).map(|ordinal| join(go!(move || ordinal))).sum();
    let took = start.elapsed();
    assert_eq!(sum, tally::sum_below(tasks));
    Measured::each(took, tasks)
}

fn spawn_join_park(tasks: u64) -> Measured {
    let events = Arc::new([Semphore::new(0), Semphore::new(0)]);
    let start = Instant::now();
    let mut sum = 0;
    for ordinal in 0..tasks {
        let child = Arc::clone(&events);
        let handle = go!(move || {
            let [ready, go] = &*child;
            ready.post();
            go.wait();
            ordinal
        });
        let [ready, go] = &*events;
        ready.wait();
        go.post();
        sum += join(handle);
    }
    let took = start.elapsed();
    assert_eq!(sum, tally::sum_below(tasks));
    Measured::each(took, tasks)
}

fn fanout(times: u64) -> Measured {
    let start = Instant::now();
    let mut sum = 0;
    for _ in 0..times {
        let handles: Vec<_> = (0..MANY as u64)
            .map(|ordinal| go!(move || ordinal))
            .collect();
        sum += handles.into_iter().map(join).sum::<u64>();
    }
    let took = start.elapsed();
    assert_eq!(sum, times * tally::sum_below(MANY as u64));
    Measured::each(took, times * MANY as u64)
}

fn skynet(depth: u64) -> Measured {
    let (parent, root) = mpsc::channel();
    let start = Instant::now();
    skynet_node(parent, 0, skynet::leaves(depth));
    let sum: Sum = root.recv().expect("the root sends");
    let took = start.elapsed();
    Measured::each(took, sum.check(depth)).with("resident_peak", procfs::resident_peak() as f64)
}

fn skynet_node(parent: mpsc::Sender<Sum>, first: u64, leaves: u64) {
    let node = go!(move || {
        let sum = if leaves == 1 {
            Sum::leaf(first)
        } else {
            let (sender, answers) = mpsc::channel();
            for (first, leaves) in skynet::children(first, leaves) {
                skynet_node(sender.clone(), first, leaves);
            }
            drop(sender);
            let mut sum = Sum::node();
            answers.iter().for_each(|answer| sum.add(answer));
            sum
        };
        parent.send(sum).expect("the parent listens");
    });
    // Detached: the parent hears from it through the channel.
    drop(node);
}

fn chain(times: u64) -> Measured {
    let start = Instant::now();
    for _ in 0..times {
        let (sender, end) = spsc::channel();
        link(1, sender);
        assert_eq!(end.recv().expect("the last one sends"), MANY);
    }
    Measured::each(start.elapsed(), times * MANY as u64)
}

fn link(place: usize, end: spsc::Sender<usize>) {
    drop(go!(move || {
        if place < MANY {
            link(place + 1, end);
        } else {
            end.send(place).expect("the root listens");
        }
    }));
}

fn ring(hops: u64) -> Measured {
    let ring = Arc::new(Ring::new(hops));
    let links = (0..RING).map(|_| spsc::channel());
    let (mut senders, receivers): (Vec<_>, Vec<_>) = links.unzip();
    senders[0]
        .send(ring.token())
        .expect("the first one listens");
    // Each sends to the next one.
    senders.rotate_left(1);
    let hold = |(holder, (to, mine)): (usize, Link)| {
        let ring = Arc::clone(&ring);
        go!(move || {
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
    ring.measured()
}

/// Where a holder sends to, and where it receives from.
type Link = (spsc::Sender<u64>, spsc::Receiver<u64>);

fn channel(items: u64) -> Measured {
    let (sender, receiver) = spsc::channel();
    let free = Arc::new(Semphore::new(CHANNEL_BOUND));
    let start = Instant::now();
    let producer = {
        let free = Arc::clone(&free);
        go!(move || {
            for item in 0..items {
                free.wait();
                sender.send(item).expect("the consumer listens");
            }
        })
    };
    let mut sum = 0;
    for item in receiver.iter() {
        free.post();
        sum += item;
    }
    let took = start.elapsed();
    join(producer);
    assert_eq!(sum, tally::sum_below(items));
    Measured::each(took, items)
}

fn mutex(turns: u64, hold: Hold) -> Measured {
    let lap = Arc::new(Lap::new(MUTEX_TASKS));
    let start = Arc::new(Barrier::new(MUTEX_TASKS));
    let left = Arc::new(Mutex::new(turns));
    let spawn = |_| {
        let (lap, start, left) = (Arc::clone(&lap), Arc::clone(&start), Arc::clone(&left));
        go!(move || {
            start.wait();
            lap.begin();
            let mut mine = 0;
            loop {
                let mut left = left.lock().expect("no holder panicked");
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

fn wake_sleeping(wakes: u64, placement: Placement) -> Measured {
    let sleeper = Arc::new(Sleeper::new(placement));
    let event = Arc::new(Semphore::new(0));
    let waiting = {
        let (sleeper, event) = (Arc::clone(&sleeper), Arc::clone(&event));
        go!(move || {
            for _ in 0..wakes {
                sleeper.about_to_wait();
                event.wait();
                sleeper.awake();
            }
        })
    };
    sleeper.wake_asleep(wakes, || event.post());
    join(waiting);
    sleeper.measured(wakes)
}

fn timers(count: u64) -> Measured {
    let took = arm_and_cancel(
        random::deadlines(count as usize),
        &random::order(count as usize),
    );
    let late = tally::late_p99(sleeps());
    Measured::each(took, count).with("late_p99", late)
}

fn arm_and_cancel(deadlines: Vec<Duration>, order: &[usize]) -> Duration {
    let count = deadlines.len();
    let go = Arc::new(Semphore::new(0));
    let ready = Arc::new(Semphore::new(0));
    let armed = Arc::new(Semphore::new(0));
    let cancelled = Arc::new(Semphore::new(0));
    let end = Arc::new(Semphore::new(0));
    let events: Vec<_> = deadlines
        .iter()
        .map(|_| Arc::new(Semphore::new(0)))
        .collect();
    let spawn = |(deadline, event): (Duration, &Arc<Semphore>)| {
        let (go, ready, armed) = (Arc::clone(&go), Arc::clone(&ready), Arc::clone(&armed));
        let event = Arc::clone(event);
        let (cancelled, end) = (Arc::clone(&cancelled), Arc::clone(&end));
        go!(move || {
            ready.post();
            go.wait();
            armed.post();
            assert!(event.wait_timeout(deadline), "no deadline is reached");
            cancelled.post();
            end.wait();
        })
    };
    let handles: Vec<_> = deadlines.into_iter().zip(&events).map(spawn).collect();
    (0..count).for_each(|_| ready.wait());
    let start = Instant::now();
    (0..count).for_each(|_| go.post());
    (0..count).for_each(|_| armed.wait());
    order.iter().for_each(|&place| events[place].post());
    (0..count).for_each(|_| cancelled.wait());
    let took = start.elapsed();
    (0..count).for_each(|_| end.post());
    handles.into_iter().for_each(join);
    took
}

fn sleeps() -> Vec<f64> {
    let spawn = |length| {
        go!(move || {
            let due = Instant::now() + length;
            coroutine::sleep(length);
            tally::lateness(due)
        })
    };
    let handles: Vec<_> = random::sleeps(SLEEPS).into_iter().map(spawn).collect();
    handles.into_iter().map(join).collect()
}

fn open_listener() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let accepting = go!(move || {
        loop {
            let _ = listener.accept();
        }
    });
    drop(accepting);
    // The workers start with the first coroutine; give that one the time to get to its wait.
    thread::sleep(Duration::from_millis(100));
}

fn echo(trips: u64) -> Measured {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let server = go!(move || {
        let serve = |_| {
            let (stream, _) = listener.accept().expect("a client comes");
            go!(move || answer(stream))
        };
        let handles: Vec<_> = (0..CONNECTIONS).map(serve).collect();
        handles.into_iter().for_each(join);
    });
    let lap = Arc::new(Lap::new(CONNECTIONS));
    let start = Arc::new(Barrier::new(CONNECTIONS));
    let spawn = |client| {
        let (lap, start) = (Arc::clone(&lap), Arc::clone(&start));
        go!(move || {
            let mut stream = TcpStream::connect(address).expect("the server listens");
            stream.set_nodelay(true).expect("it is a TCP socket");
            // One trip before the clock starts: the answering coroutine is then known to be there.
            trip(&mut stream, &mut Trips::new(client, 1));
            start.wait();
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

fn trip(stream: &mut TcpStream, mine: &mut Trips) {
    let message = mine.begin();
    stream.write_all(&message).expect("the server is there");
    let mut back = [0; MESSAGE];
    stream.read_exact(&mut back).expect("the server answers");
    mine.end(&message, &back);
}

fn answer(mut stream: TcpStream) {
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
