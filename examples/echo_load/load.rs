//! The load: a task for each connection that asks, waits, and asks again.
#![forbid(unsafe_code)]

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fiberhost::scheduler::net::TcpStream;
use fiberhost::scheduler::spawn;

use super::histogram::Histogram;
use super::options::Options;

pub(crate) struct Outcome {
    pub(crate) took: Duration,
    pub(crate) latencies: Histogram,
}

/// In a task of the load's scheduler. Stops at the first thing that goes wrong.
pub(crate) fn run(options: &Options, address: SocketAddr) -> io::Result<Outcome> {
    // All of them first, so that none is measured while others are still on the way.
    let streams = (1..=options.connections).map(|number| {
        connect(address).map_err(|error| {
            let text = format!("connection {number} of {}: {error}", options.connections);
            io::Error::new(error.kind(), text)
        })
    });
    let streams = streams.collect::<io::Result<Vec<TcpStream>>>()?;
    let began = Instant::now();
    let until = began + options.time;
    let ask = |(number, stream)| {
        let message = vec![number as u8; options.bytes];
        spawn(move || ask(stream, message, until))
    };
    let tasks: Vec<_> = streams.into_iter().enumerate().map(ask).collect();
    let mut latencies = Histogram::new();
    for task in tasks {
        latencies.add(&task.join().expect("it does not panic")?);
    }
    Ok(Outcome {
        took: began.elapsed(),
        latencies,
    })
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn ask(mut stream: TcpStream, mut message: Vec<u8>, until: Instant) -> io::Result<Histogram> {
    let mut latencies = Histogram::new();
    let mut answer = vec![0; message.len()];
    let mut asked = Instant::now();
    while asked < until {
        // No two messages are alike, so an answer that belongs to another one is noticed.
        message[0] = message[0].wrapping_add(1);
        stream.write_all(&message)?;
        stream.read_exact(&mut answer)?;
        if answer != message {
            return Err(io::Error::other("what came back is not what was sent"));
        }
        let now = Instant::now();
        latencies.note(now - asked);
        asked = now;
    }
    Ok(latencies)
}
