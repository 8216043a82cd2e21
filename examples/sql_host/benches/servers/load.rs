//! The load, in a process of its own: closed, to find out how much a server can do; open, to see how long its answers take.
//!
//! In the open load requests have their times before anybody is asked: a Poisson process at the rate that is wanted. Each takes
//! a connection that is free, as from an application's pool, and is late from its own time on, whoever was busy.
#![forbid(unsafe_code)]

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fiberhost::scheduler::net::TcpStream;
use fiberhost::scheduler::sync::channel;
use fiberhost::scheduler::{Scheduler, sleep};
use sql_host::client::Client;

use super::histogram::Histogram;
use super::script::{self, Class, Dice};

/// How a load is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) clients: usize,
    pub(crate) time: Duration,
    /// Requests a second; none for a closed load.
    pub(crate) rate: Option<f64>,
    pub(crate) seed: u64,
}

/// One request of an open load.
struct Request {
    /// When it is meant to be sent.
    due: Instant,
    class: Class,
    statement: String,
}

type Times = [Histogram; Class::ALL.len()];

fn no_times() -> Times {
    Class::ALL.map(|_| Histogram::new())
}

/// Runs it, and prints a line for the rate and one for each class.
pub(crate) fn run(address: SocketAddr, wanted: Wanted) -> io::Result<()> {
    let scheduler = Scheduler::builder().name("load").workers(1).build()?;
    let connected = scheduler.run(move || {
        let connect = |_| {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            Client::greet(stream)
        };
        (0..wanted.clients)
            .map(connect)
            .collect::<io::Result<Vec<_>>>()
    })?;
    let began = Instant::now();
    let until = began + wanted.time;
    let (sender, receiver) = channel::unbounded();
    let mut tasks = Vec::new();
    for (number, client) in connected.into_iter().enumerate() {
        let receiver = receiver.clone();
        let dice = Dice(wanted.seed.wrapping_add(number as u64 * 2 + 1));
        tasks.push(scheduler.spawn(move || match wanted.rate {
            None => ask_on(client, dice, until),
            Some(_) => answer(client, &receiver),
        }));
    }
    if let Some(rate) = wanted.rate {
        let all = scheduler.spawn(move || {
            let mut dice = Dice(wanted.seed);
            let mut due = began;
            loop {
                due += Duration::from_secs_f64(-dice.part().ln() / rate);
                if due >= until {
                    return;
                }
                let class = Class::draw(&mut dice);
                let statement = class.statement(&mut dice);
                sleep(due.saturating_duration_since(Instant::now()));
                let request = Request {
                    due,
                    class,
                    statement,
                };
                if sender.send(request).is_err() {
                    // All clients have failed; they say why.
                    return;
                }
            }
        });
        all.join().expect("it does not panic");
    }
    let mut times = no_times();
    for task in tasks {
        let one = task.join().expect("it does not panic")?;
        for (all, one) in times.iter_mut().zip(&one) {
            all.add(one);
        }
    }
    say(&times, began.elapsed());
    Ok(())
}

/// A client of a closed load: asks, waits, asks again.
fn ask_on(mut client: Client<TcpStream>, mut dice: Dice, until: Instant) -> io::Result<Times> {
    let mut times = no_times();
    let mut asked = Instant::now();
    while asked < until {
        let class = Class::draw(&mut dice);
        script::ask(&mut client, &class.statement(&mut dice))?;
        let now = Instant::now();
        times[class as usize].note(now - asked);
        asked = now;
    }
    Ok(times)
}

/// A connection of an open load.
fn answer(
    mut client: Client<TcpStream>,
    requests: &channel::Receiver<Request>,
) -> io::Result<Times> {
    let mut times = no_times();
    for request in requests.iter() {
        script::ask(&mut client, &request.statement)?;
        times[request.class as usize].note(request.due.elapsed());
    }
    Ok(times)
}

fn say(times: &Times, took: Duration) {
    let total: u64 = times.iter().map(Histogram::total).sum();
    println!("{}", total as f64 / took.as_secs_f64());
    for times in times {
        let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|part| times.quantile(part).as_nanos());
        let longest = times.longest().as_nanos();
        println!("{} {p50} {p99} {p999} {longest}", times.total());
    }
}

/// What a load has said.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) rate: f64,
    /// For each class how many there were, and p50, p99, p99.9 and the longest in nanoseconds.
    pub(crate) classes: Vec<[f64; 5]>,
}

impl Said {
    /// Reads it.
    pub(crate) fn read(lines: &[String]) -> io::Result<Said> {
        let wrong = || io::Error::other(format!("a load says {lines:?}"));
        let number = |text: &str| text.parse::<f64>().map_err(|_| wrong());
        let (rate, classes) = lines.split_first().ok_or_else(wrong)?;
        let classes = classes.iter().map(|line| {
            let numbers = line
                .split(' ')
                .map(number)
                .collect::<io::Result<Vec<_>>>()?;
            numbers.try_into().map_err(|_| wrong())
        });
        Ok(Said {
            rate: number(rate)?,
            classes: classes.collect::<io::Result<_>>()?,
        })
    }
}

/// Opens so many connections, each of which asks once and then nothing, until the input is closed.
pub(crate) fn idle(address: SocketAddr, count: usize) -> io::Result<()> {
    let mut clients = Vec::new();
    for _ in 0..count {
        let mut client = Client::greet(std::net::TcpStream::connect(address)?)?;
        script::ask(&mut client, "SELECT name FROM items WHERE id = 1")?;
        clients.push(client);
    }
    println!("ready");
    super::process::until_closed()
}
