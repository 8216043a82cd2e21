//! The programs as a user of tokio writes them.
//!
//! The root of each program is itself a task, so that what it spawns goes the short way.
//! A driver (time, io) is switched on only where the program needs one: looking after an idle one costs time.

mod native;
mod timers;

use std::future::{self, Future};
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::thread;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Mutex, Notify, mpsc, oneshot};
use tokio::task::yield_now;

use super::case::{CHANNEL_BOUND, Depth, MANY, MUTEX_TASKS, Placement, Program, RING};
use super::contender::{Flavour, Measured, Prepared, Unavailable};
use super::echo::{self, CONNECTIONS, MESSAGE, Trips};
use super::hold::Hold;
use super::lap::Lap;
use super::parked::{Footprint, Live};
use super::ring::Ring;
use super::skynet::{self, Sum};
use super::sleeper::Sleeper;
use super::{idle, procfs, tally};

pub(crate) fn prepare(
    program: Program,
    workers: usize,
    flavour: Flavour,
) -> Result<Prepared, Unavailable> {
    let mut builder = match flavour {
        Flavour::CurrentThread => Builder::new_current_thread(),
        Flavour::MultiThread => Builder::new_multi_thread(),
    };
    builder.worker_threads(workers);
    let mut build = || builder.build().expect("the system grants the threads");
    Ok(match program {
        Program::Yield {
            tasks,
            depth: Depth::Flat,
        } => rooted(build(), move |each| yields(tasks, each, yield_now)),
        Program::Yield {
            tasks,
            depth: Depth::BelowFourCalls,
        } => rooted(build(), move |each| yields(tasks, each, four_calls))
            .about("four async fns, each polled by a call that is not inlined"),
        Program::PingPong => rooted(build(), pingpong),
        Program::PingPongCross => {
            cross([build(), build()]).about("a runtime of its own for each of the two")
        }
        Program::SpawnJoin => rooted(build(), spawn_join),
        Program::SpawnJoinPark => rooted(build(), spawn_join_park),
        Program::Fanout => rooted(build(), fanout),
        Program::Skynet => rooted(build(), skynet),
        Program::Chain => rooted(build(), chain),
        Program::Ring => rooted(build(), ring),
        Program::Channel => rooted(build(), channel),
        Program::Mutex => {
            let hold = Hold::calibrate();
            rooted(build(), move |turns| mutex(turns, hold)).about("tokio::sync::Mutex")
        }
        Program::HookPair
        | Program::HookChain
        | Program::CurrentTask
        | Program::Crst
        | Program::HostEvent => {
            return Unavailable::because("it has no hosting interfaces");
        }
        Program::LeaveEnter => rooted(build(), native::leave_enter).about("block_in_place"),
        Program::LeaveTaken => {
            let about = match flavour {
                Flavour::MultiThread => "block_in_place",
                Flavour::CurrentThread => "spawn_blocking",
            };
            rooted(build(), move |turns| native::leave_taken(turns, flavour)).about(about)
        }
        Program::Hog => {
            let runtime = builder
                .enable_time()
                .build()
                .expect("the system grants the threads");
            rooted(runtime, native::hog)
        }
        Program::HogBound => {
            return Unavailable::because("a task does not stay on a worker");
        }
        Program::WakeSleeping { placement } => wake_sleeping(build(), placement),
        Program::Timers => {
            let runtime = builder
                .enable_time()
                .build()
                .expect("the system grants the threads");
            rooted(runtime, timers::timers).about("Sleep futures, polled once and dropped")
        }
        Program::Parked => {
            rooted(build(), parked).about("a future that holds the same, below four async fns")
        }
        Program::Idle => {
            open_listener(
                builder
                    .enable_all()
                    .build()
                    .expect("the system grants the threads"),
            );
            Prepared::new(idle::watch)
        }
        Program::Echo => {
            let runtime = builder
                .enable_io()
                .build()
                .expect("the system grants the threads");
            rooted(runtime, echo)
        }
    })
}

/// A program whose root is a task.
fn rooted<P, F>(runtime: Runtime, program: P) -> Prepared
where
    P: Fn(u64) -> F + 'static,
    F: Future<Output = Measured> + Send + 'static,
{
    Prepared::new(move |size| run(&runtime, program(size)))
}

fn run<T: Send + 'static>(runtime: &Runtime, root: impl Future<Output = T> + Send + 'static) -> T {
    runtime.block_on(async { tokio::spawn(root).await.expect("the root does not panic") })
}

async fn yields<S, F>(tasks: usize, each: u64, step: S) -> Measured
where
    S: Fn() -> F + Copy + Send + 'static,
    F: Future<Output = ()> + Send,
{
    let lap = Arc::new(Lap::new(tasks));
    let spawn = |_| {
        let lap = Arc::clone(&lap);
        tokio::spawn(async move {
            lap.arrive();
            while !lap.all_here() {
                yield_now().await;
            }
            lap.begin();
            let mut done = 0;
            for _ in 0..each {
                step().await;
                done += 1;
            }
            lap.leave();
            // Yields of those who wait for the others count as long as the clock runs.
            loop {
                step().await;
                if lap.is_over() {
                    break done;
                }
                done += 1;
            }
        })
    };
    let handles: Vec<_> = (0..tasks).map(spawn).collect();
    let mut done = 0;
    for handle in handles {
        done += handle.await.expect("the task does not panic");
    }
    assert!(done >= tasks as u64 * each, "every task has had its turns");
    Measured::each(lap.took(), done)
}

async fn four_calls() {
    called(three_calls()).await;
}

async fn three_calls() {
    called(two_calls()).await;
}

async fn two_calls() {
    called(one_call()).await;
}

async fn one_call() {
    called(yield_now()).await;
}

/// Awaits through a real call, as the other contenders return through one.
async fn called(inner: impl Future<Output = ()>) {
    let mut inner = pin!(inner);
    future::poll_fn(|context| poll(inner.as_mut(), context)).await;
}

#[inline(never)]
fn poll(inner: Pin<&mut impl Future<Output = ()>>, context: &mut Context<'_>) -> Poll<()> {
    black_box(inner.poll(context))
}

async fn pingpong(trips: u64) -> Measured {
    let events = Arc::new([Notify::new(), Notify::new()]);
    let partner = tokio::spawn(pong(Arc::clone(&events), trips));
    let measured = ping(&events, trips).await;
    assert_eq!(
        partner.await.expect("the partner does not panic"),
        trips + 1
    );
    measured
}

async fn ping([ping, pong]: &[Notify; 2], trips: u64) -> Measured {
    // One trip before the clock starts: the partner is then known to be there.
    ping.notify_one();
    pong.notified().await;
    let start = Instant::now();
    for _ in 0..trips {
        ping.notify_one();
        pong.notified().await;
    }
    Measured::each(start.elapsed(), trips)
}

async fn pong(events: Arc<[Notify; 2]>, trips: u64) -> u64 {
    let [ping, pong] = &*events;
    let mut taken = 0;
    for _ in 0..=trips {
        ping.notified().await;
        taken += 1;
        pong.notify_one();
    }
    taken
}

/// Nothing holds a task on a thread of the multi-threaded runtime; two runtimes do.
fn cross([here, there]: [Runtime; 2]) -> Prepared {
    Prepared::new(move |trips| {
        let events = Arc::new([Notify::new(), Notify::new()]);
        thread::scope(|scope| {
            let far = scope.spawn(|| run(&there, pong(Arc::clone(&events), trips)));
            let near = Arc::clone(&events);
            let measured = run(&here, async move { ping(&near, trips).await });
            assert_eq!(far.join().expect("the partner does not panic"), trips + 1);
            measured
        })
    })
}

async fn spawn_join(tasks: u64) -> Measured {
    let start = Instant::now();
    let mut sum = 0;
    for ordinal in 0..tasks {
        sum += tokio::spawn(async move { ordinal })
            .await
            .expect("the child does not panic");
    }
    let took = start.elapsed();
    assert_eq!(sum, tally::sum_below(tasks));
    Measured::each(took, tasks)
}

async fn spawn_join_park(tasks: u64) -> Measured {
    let events = Arc::new([Notify::new(), Notify::new()]);
    let start = Instant::now();
    let mut sum = 0;
    for ordinal in 0..tasks {
        let child = Arc::clone(&events);
        let handle = tokio::spawn(async move {
            let [ready, go] = &*child;
            ready.notify_one();
            go.notified().await;
            ordinal
        });
        let [ready, go] = &*events;
        ready.notified().await;
        go.notify_one();
        sum += handle.await.expect("the child does not panic");
    }
    let took = start.elapsed();
    assert_eq!(sum, tally::sum_below(tasks));
    Measured::each(took, tasks)
}

async fn fanout(times: u64) -> Measured {
    let start = Instant::now();
    let mut sum = 0;
    for _ in 0..times {
        let handles: Vec<_> = (0..MANY as u64)
            .map(|ordinal| tokio::spawn(async move { ordinal }))
            .collect();
        for handle in handles {
            sum += handle.await.expect("the child does not panic");
        }
    }
    let took = start.elapsed();
    assert_eq!(sum, times * tally::sum_below(MANY as u64));
    Measured::each(took, times * MANY as u64)
}

async fn skynet(depth: u64) -> Measured {
    let (parent, root) = oneshot::channel();
    let start = Instant::now();
    skynet_node(parent, 0, skynet::leaves(depth));
    let sum: Sum = root.await.expect("the root sends");
    let took = start.elapsed();
    Measured::each(took, sum.check(depth)).with("resident_peak", procfs::resident_peak() as f64)
}

fn skynet_node(parent: oneshot::Sender<Sum>, first: u64, leaves: u64) {
    tokio::spawn(async move {
        let sum = if leaves == 1 {
            Sum::leaf(first)
        } else {
            let answers: Vec<_> = skynet::children(first, leaves)
                .map(|(first, leaves)| {
                    let (sender, answer) = oneshot::channel();
                    skynet_node(sender, first, leaves);
                    answer
                })
                .collect();
            let mut sum = Sum::node();
            for answer in answers {
                sum.add(answer.await.expect("a child sends"));
            }
            sum
        };
        parent.send(sum).expect("the parent listens");
    });
}

async fn chain(times: u64) -> Measured {
    let start = Instant::now();
    for _ in 0..times {
        let (sender, end) = oneshot::channel();
        link(1, sender);
        assert_eq!(end.await.expect("the last one sends"), MANY);
    }
    Measured::each(start.elapsed(), times * MANY as u64)
}

fn link(place: usize, end: oneshot::Sender<usize>) {
    tokio::spawn(async move {
        if place < MANY {
            link(place + 1, end);
        } else {
            end.send(place).expect("the root listens");
        }
    });
}

async fn ring(hops: u64) -> Measured {
    let ring = Arc::new(Ring::new(hops));
    let links = (0..RING).map(|_| mpsc::unbounded_channel());
    let (mut senders, receivers): (Vec<_>, Vec<_>) = links.unzip();
    senders[0]
        .send(ring.token())
        .expect("the first one listens");
    // Each sends to the next one.
    senders.rotate_left(1);
    let hold = |(holder, (to, mut mine)): (usize, Link)| {
        let ring = Arc::clone(&ring);
        tokio::spawn(async move {
            while let Some(token) = mine.recv().await {
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
    for handle in handles {
        handle.await.expect("the holder does not panic");
    }
    ring.measured()
}

/// Where a holder sends to, and where it receives from.
type Link = (mpsc::UnboundedSender<u64>, mpsc::UnboundedReceiver<u64>);

async fn channel(items: u64) -> Measured {
    let (sender, mut receiver) = mpsc::channel(CHANNEL_BOUND);
    let start = Instant::now();
    let producer = tokio::spawn(async move {
        for item in 0..items {
            sender.send(item).await.expect("the consumer listens");
        }
    });
    let mut sum = 0;
    while let Some(item) = receiver.recv().await {
        sum += item;
    }
    let took = start.elapsed();
    producer.await.expect("the producer does not panic");
    assert_eq!(sum, tally::sum_below(items));
    Measured::each(took, items)
}

async fn mutex(turns: u64, hold: Hold) -> Measured {
    let lap = Arc::new(Lap::new(MUTEX_TASKS));
    let left = Arc::new(Mutex::new(turns));
    let spawn = |_| {
        let (lap, left) = (Arc::clone(&lap), Arc::clone(&left));
        tokio::spawn(async move {
            lap.arrive();
            while !lap.all_here() {
                yield_now().await;
            }
            lap.begin();
            let mut mine = 0;
            loop {
                let mut left = left.lock().await;
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
    let mut each = Vec::new();
    for handle in handles {
        each.push(handle.await.expect("the task does not panic"));
    }
    tally::turns(lap.took(), turns, &each)
}

fn wake_sleeping(runtime: Runtime, placement: Placement) -> Prepared {
    Prepared::new(move |wakes| {
        let sleeper = Arc::new(Sleeper::new(placement));
        let event = Arc::new(Notify::new());
        thread::scope(|scope| {
            scope.spawn(|| sleeper.wake_asleep(wakes, || event.notify_one()));
            let (sleeper, event) = (Arc::clone(&sleeper), Arc::clone(&event));
            run(&runtime, async move {
                for _ in 0..wakes {
                    sleeper.about_to_wait();
                    event.notified().await;
                    sleeper.awake();
                }
            });
        });
        sleeper.measured(wakes)
    })
}

async fn parked(tasks: u64) -> Measured {
    let event = Arc::new(Notify::new());
    let here = Arc::new(AtomicU64::new(0));
    let spawn = |ordinal| {
        let (event, here) = (Arc::clone(&event), Arc::clone(&here));
        tokio::spawn(async move {
            let live = black_box(Live::of(ordinal));
            park_below_four(&event, &here).await;
            black_box(&live).sum()
        })
    };
    let handles: Vec<_> = (0..tasks).map(spawn).collect();
    // Relaxed: a count; what the tasks say comes back through their joins.
    while here.load(Ordering::Relaxed) < tasks {
        yield_now().await;
    }
    let footprint = Footprint::now(tasks);
    let start = Instant::now();
    event.notify_waiters();
    let mut sum = 0;
    for handle in handles {
        sum += handle.await.expect("the task does not panic");
    }
    footprint.measured(start.elapsed(), sum)
}

async fn park_below_four(event: &Notify, here: &AtomicU64) {
    park_below_three(event, here).await;
    black_box(());
}

async fn park_below_three(event: &Notify, here: &AtomicU64) {
    park_below_two(event, here).await;
    black_box(());
}

async fn park_below_two(event: &Notify, here: &AtomicU64) {
    park_below_one(event, here).await;
    black_box(());
}

async fn park_below_one(event: &Notify, here: &AtomicU64) {
    // Made before it is counted: from then on it is woken with the others.
    let notified = event.notified();
    here.fetch_add(1, Ordering::Relaxed);
    notified.await;
}

/// On a thread of its own: the one that measures is not counted.
fn open_listener(runtime: Runtime) {
    thread::spawn(move || {
        run(&runtime, async {
            let listener = TcpListener::bind("127.0.0.1:0")
                .await
                .expect("a port is free");
            loop {
                let _ = listener.accept().await;
            }
        });
    });
}

async fn echo(trips: u64) -> Measured {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let server = tokio::spawn(async move {
        let mut handles = Vec::new();
        for _ in 0..CONNECTIONS {
            let (stream, _) = listener.accept().await.expect("a client comes");
            handles.push(tokio::spawn(answer(stream)));
        }
        for handle in handles {
            handle.await.expect("the task does not panic");
        }
    });
    let lap = Arc::new(Lap::new(CONNECTIONS));
    let spawn = |client| {
        let lap = Arc::clone(&lap);
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(address)
                .await
                .expect("the server listens");
            stream.set_nodelay(true).expect("it is a TCP socket");
            // One trip before the clock starts: the answering task is then known to be there.
            trip(&mut stream, &mut Trips::new(client, 1)).await;
            lap.arrive();
            while !lap.all_here() {
                yield_now().await;
            }
            lap.begin();
            let mut mine = Trips::new(client, trips);
            for _ in 0..trips {
                trip(&mut stream, &mut mine).await;
            }
            lap.leave();
            mine
        })
    };
    let handles: Vec<_> = (0..CONNECTIONS).map(spawn).collect();
    let mut clients = Vec::new();
    for handle in handles {
        clients.push(handle.await.expect("the task does not panic"));
    }
    server.await.expect("the server does not panic");
    echo::measured(lap.took(), trips, clients)
}

async fn trip(stream: &mut TcpStream, mine: &mut Trips) {
    let message = mine.begin();
    stream
        .write_all(&message)
        .await
        .expect("the server is there");
    let mut back = [0; MESSAGE];
    stream
        .read_exact(&mut back)
        .await
        .expect("the server answers");
    mine.end(&message, &back);
}

async fn answer(mut stream: TcpStream) {
    stream.set_nodelay(true).expect("it is a TCP socket");
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer).await.expect("the client is there") {
            0 => return,
            count => stream
                .write_all(&buffer[..count])
                .await
                .expect("the client listens"),
        }
    }
}
