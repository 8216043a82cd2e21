//! The programs on threads of the operating system, with what std offers.
//!
//! A worker is a processor here: the threads of a case share as many processors as it has workers.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Barrier, Mutex, OnceLock};
use std::thread::{self, JoinHandle, Thread, yield_now};
use std::time::Instant;

use super::case::{CHANNEL_BOUND, Depth, MANY, MUTEX_TASKS, Placement, Program, RING};
use super::contender::{Measured, Prepared, Unavailable};
use super::cpus;
use super::deep::four_calls;
use super::echo::{self, CONNECTIONS, MESSAGE, Trips};
use super::gaps::{self, BESIDE, Gaps, Over, SECTIONS, Sections};
use super::hold::Hold;
use super::lap::Lap;
use super::ring::Ring;
use super::sleeper::Sleeper;
use super::{idle, tally};

pub(crate) fn prepare(program: Program, workers: usize) -> Result<Prepared, Unavailable> {
    // The waker of `wake_sleeping` is a stranger and needs a processor of its own.
    let strangers = usize::from(matches!(program, Program::WakeSleeping { .. }));
    if let Err(why) = cpus::keep_to(..workers + strangers) {
        return Err(Unavailable(why.to_string()));
    }
    Ok(match program {
        Program::Yield {
            tasks,
            depth: Depth::Flat,
        } => Prepared::new(move |each| yields(tasks, each, yield_now)),
        Program::Yield {
            tasks,
            depth: Depth::BelowFourCalls,
        } => Prepared::new(move |each| yields(tasks, each, || four_calls(yield_now))),
        Program::PingPong | Program::PingPongCross => Prepared::new(pingpong),
        Program::SpawnJoin => Prepared::new(spawn_join),
        Program::SpawnJoinPark => Prepared::new(spawn_join_park),
        Program::Fanout => Prepared::new(fanout),
        Program::Skynet => return Unavailable::because("1,111,111 threads are not to be had"),
        Program::Chain => Prepared::new(chain),
        Program::Ring => Prepared::new(ring),
        Program::Channel => Prepared::new(channel),
        Program::Mutex => {
            let hold = Hold::calibrate();
            Prepared::new(move |turns| mutex(turns, hold))
        }
        Program::HookPair
        | Program::HookChain
        | Program::CurrentTask
        | Program::Crst
        | Program::HostEvent => {
            return Unavailable::because("it has no hosting interfaces");
        }
        Program::LeaveEnter => {
            return Unavailable::because("a thread has nothing to leave");
        }
        Program::LeaveTaken => Prepared::new(leave_taken),
        Program::Hog | Program::HogBound => {
            return Unavailable::because("the kernel preempts a thread: nobody stands behind it");
        }
        Program::WakeSleeping { placement } => {
            Prepared::new(move |wakes| wake_sleeping(wakes, placement)).about("park and unpark")
        }
        Program::Timers => {
            return Unavailable::because("a thread has one timer, and 100,000 are not to be had");
        }
        Program::Parked => {
            return Unavailable::because("1,000,000 threads are not to be had");
        }
        Program::Idle => {
            open_listener();
            Prepared::new(idle::watch)
        }
        Program::Echo => Prepared::new(echo),
    })
}

fn join<T>(handle: JoinHandle<T>) -> T {
    handle.join().expect("the thread does not panic")
}

/// A binary event for the one thread that waits on it: std's own recipe around `park`.
#[derive(Default)]
struct Event {
    set: AtomicBool,
    waiter: OnceLock<Thread>,
}

impl Event {
    /// The waiting thread says who it is, before anybody may set the event.
    fn is_mine(&self) {
        assert!(
            self.waiter.set(thread::current()).is_ok(),
            "one thread waits"
        );
    }

    fn wait(&self) {
        while !self.set.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }

    fn set(&self) {
        self.set.store(true, Ordering::Release);
        self.waiter.get().expect("the waiter is known").unpark();
    }
}

fn yields(tasks: usize, each: u64, step: impl Fn() + Copy + Send + 'static) -> Measured {
    let lap = Arc::new(Lap::new(tasks));
    let spawn = |_| {
        let lap = Arc::clone(&lap);
        thread::spawn(move || {
            lap.arrive();
            while !lap.all_here() {
                yield_now();
            }
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

fn pingpong(trips: u64) -> Measured {
    let events = Arc::new([Event::default(), Event::default()]);
    let [ping, pong] = &*events;
    pong.is_mine();
    let far = Arc::clone(&events);
    let partner = thread::spawn(move || {
        let [ping, pong] = &*far;
        ping.is_mine();
        // The first word comes from here: the other side may not set `ping` before it has a waiter.
        pong.set();
        let mut taken = 0;
        for _ in 0..trips {
            ping.wait();
            taken += 1;
            pong.set();
        }
        taken
    });
    pong.wait();
    let start = Instant::now();
    for _ in 0..trips {
        ping.set();
        pong.wait();
    }
    let took = start.elapsed();
    assert_eq!(join(partner), trips);
    Measured::each(took, trips)
}

fn spawn_join(tasks: u64) -> Measured {
    let start = Instant::now();
    let sum: u64 = (0..tasks)
        .map(|ordinal| join(thread::spawn(move || ordinal)))
        .sum();
    let took = start.elapsed();
    assert_eq!(sum, tally::sum_below(tasks));
    Measured::each(took, tasks)
}

fn spawn_join_park(tasks: u64) -> Measured {
    let start = Instant::now();
    let mut sum = 0;
    for ordinal in 0..tasks {
        let events = Arc::new([Event::default(), Event::default()]);
        let [ready, go] = &*events;
        ready.is_mine();
        let child = Arc::clone(&events);
        let handle = thread::spawn(move || {
            let [ready, go] = &*child;
            go.is_mine();
            ready.set();
            go.wait();
            ordinal
        });
        ready.wait();
        go.set();
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
            .map(|ordinal| thread::spawn(move || ordinal))
            .collect();
        sum += handles.into_iter().map(join).sum::<u64>();
    }
    let took = start.elapsed();
    assert_eq!(sum, times * tally::sum_below(MANY as u64));
    Measured::each(took, times * MANY as u64)
}

fn chain(times: u64) -> Measured {
    let start = Instant::now();
    for _ in 0..times {
        let (sender, end) = mpsc::channel();
        link(1, sender);
        assert_eq!(end.recv().expect("the last one sends"), MANY);
    }
    Measured::each(start.elapsed(), times * MANY as u64)
}

fn link(place: usize, end: mpsc::Sender<usize>) {
    thread::spawn(move || {
        if place < MANY {
            link(place + 1, end);
        } else {
            end.send(place).expect("the root listens");
        }
    });
}

fn ring(hops: u64) -> Measured {
    let ring = Arc::new(Ring::new(hops));
    let links = (0..RING).map(|_| mpsc::channel());
    let (mut senders, receivers): (Vec<_>, Vec<_>) = links.unzip();
    senders[0]
        .send(ring.token())
        .expect("the first one listens");
    // Each sends to the next one.
    senders.rotate_left(1);
    let hold = |(holder, (to, mine)): (usize, Link)| {
        let ring = Arc::clone(&ring);
        thread::spawn(move || {
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
type Link = (mpsc::Sender<u64>, mpsc::Receiver<u64>);

fn channel(items: u64) -> Measured {
    let (sender, receiver) = mpsc::sync_channel(CHANNEL_BOUND);
    let start = Instant::now();
    let producer = thread::spawn(move || {
        for item in 0..items {
            sender.send(item).expect("the consumer listens");
        }
    });
    let sum: u64 = receiver.iter().sum();
    let took = start.elapsed();
    join(producer);
    assert_eq!(sum, tally::sum_below(items));
    Measured::each(took, items)
}

fn mutex(turns: u64, hold: Hold) -> Measured {
    let lap = Arc::new(Lap::new(MUTEX_TASKS));
    let left = Arc::new(Mutex::new(turns));
    let spawn = |_| {
        let (lap, left) = (Arc::clone(&lap), Arc::clone(&left));
        thread::spawn(move || {
            lap.arrive();
            while !lap.all_here() {
                yield_now();
            }
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

fn leave_taken(turns: u64) -> Measured {
    let start = Instant::now();
    let short = beside(turns, Sections::Short);
    let sleeping = beside(turns, Sections::OneSleeps);
    gaps::measured(start.elapsed(), short, sleeping)
}

fn beside(turns: u64, sections: Sections) -> Vec<Gaps> {
    let over = Arc::new(Over::default());
    let here = Arc::new(Barrier::new(BESIDE + 1));
    let spawn = |_| {
        let (over, here) = (Arc::clone(&over), Arc::clone(&here));
        thread::spawn(move || {
            here.wait();
            let mut gaps = Gaps::new();
            loop {
                yield_now();
                gaps.turn();
                if over.is_set() {
                    break gaps;
                }
            }
        })
    };
    let handles: Vec<_> = (0..BESIDE).map(spawn).collect();
    here.wait();
    for _ in 0..turns {
        (0..SECTIONS).for_each(|number| sections.inside(number));
        yield_now();
    }
    over.set();
    handles.into_iter().map(join).collect()
}

fn wake_sleeping(wakes: u64, placement: Placement) -> Measured {
    let sleeper = Arc::new(Sleeper::new(placement));
    let event = Arc::new(Event::default());
    let waiting = {
        let (sleeper, event) = (Arc::clone(&sleeper), Arc::clone(&event));
        thread::spawn(move || {
            event.is_mine();
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
}

fn open_listener() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    thread::spawn(move || {
        loop {
            let _ = listener.accept();
        }
    });
}

fn echo(trips: u64) -> Measured {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let server = thread::spawn(move || {
        let serve = |_| {
            let (stream, _) = listener.accept().expect("a client comes");
            thread::spawn(move || answer(stream))
        };
        let handles: Vec<_> = (0..CONNECTIONS).map(serve).collect();
        handles.into_iter().for_each(join);
    });
    let lap = Arc::new(Lap::new(CONNECTIONS));
    let start = Arc::new(Barrier::new(CONNECTIONS));
    let spawn = |client| {
        let (lap, start) = (Arc::clone(&lap), Arc::clone(&start));
        thread::spawn(move || {
            let mut stream = TcpStream::connect(address).expect("the server listens");
            stream.set_nodelay(true).expect("it is a TCP socket");
            // One trip before the clock starts: the answering thread is then known to be there.
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
