//! Connections that talk back and forth at random, while threads lose the processor at random moments. Each message is sent
//! once: one that is not noticed is a hang.
#![cfg(feature = "net")]

mod common;

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use common::delays::Delays;
use common::sides::Random;
use common::{checked, with};
use fiberhost::scheduler::net::{TcpListener, TcpStream, UnixStream};
use fiberhost::scheduler::{Scheduler, sleep, yield_now};

const PAIRS: usize = 30;
const MESSAGES: usize = 150;

trait Stream: Read + Write + Send + 'static {
    fn limit_reads(&self, limit: Duration);
}

impl Stream for TcpStream {
    fn limit_reads(&self, limit: Duration) {
        self.set_read_timeout(Some(limit)).unwrap();
    }
}

impl Stream for UnixStream {
    fn limit_reads(&self, limit: Duration) {
        self.set_read_timeout(Some(limit)).unwrap();
    }
}

/// Reads so many bytes, in pieces, and again when a limit passes.
fn receive(stream: &mut impl Stream, buffer: &mut [u8], random: &mut Random) {
    let mut filled = 0;
    while filled < buffer.len() {
        let room = (filled + 1 + random.below(40) as usize).min(buffer.len());
        match stream.read(&mut buffer[filled..room]) {
            Ok(0) => panic!("the other side is there"),
            Ok(count) => filled += count,
            Err(error) => assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}"),
        }
    }
}

fn pause(random: &mut Random) {
    match random.below(8) {
        0 => drop(sleep(Duration::from_micros(random.below(300)))),
        1 => yield_now(),
        _ => {}
    }
}

fn ask(mut stream: impl Stream, mut random: Random) {
    if random.below(2) == 0 {
        stream.limit_reads(Duration::from_micros(50 + random.below(500)));
    }
    for message in 0..MESSAGES {
        let length = 1 + random.below(60) as u8;
        let mut question = vec![message as u8; usize::from(length) + 1];
        question[0] = length;
        stream.write_all(&question).unwrap();
        pause(&mut random);
        let mut answer = vec![0; usize::from(length)];
        receive(&mut stream, &mut answer, &mut random);
        assert!(answer.iter().all(|byte| *byte == message as u8));
    }
}

fn answer(mut stream: impl Stream, mut random: Random) {
    if random.below(2) == 0 {
        stream.limit_reads(Duration::from_micros(50 + random.below(500)));
    }
    for _ in 0..MESSAGES {
        let mut length = [0];
        receive(&mut stream, &mut length, &mut random);
        let mut body = vec![0; usize::from(length[0])];
        receive(&mut stream, &mut body, &mut random);
        pause(&mut random);
        stream.write_all(&body).unwrap();
    }
}

fn talk(scheduler: &Scheduler, random: &mut Random) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut tasks = Vec::new();
    for pair in 0..PAIRS {
        let (one, other) = (random.fork(), random.fork());
        if pair % 2 == 0 {
            let (near, far) = UnixStream::pair().unwrap();
            tasks.push(scheduler.spawn(move || ask(near, one)));
            tasks.push(scheduler.spawn(move || answer(far, other)));
        } else {
            let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let far = listener.accept().unwrap().0;
            near.set_nodelay(true).unwrap();
            far.set_nodelay(true).unwrap();
            tasks.push(scheduler.spawn(move || ask(near, one)));
            tasks.push(scheduler.spawn(move || answer(far, other)));
        }
    }
    for task in tasks {
        task.join().unwrap();
    }
}

#[test]
fn no_message_is_overlooked() {
    let mut random = Random::seeded("no_message_is_overlooked");
    for workers in [1, 2, 4] {
        let rounds: Vec<Random> = (0..3).map(|_| random.fork()).collect();
        let rounds = std::sync::Mutex::new(rounds);
        with(checked(workers).name("delayed"), |scheduler| {
            let _delays = Delays::of_threads_named("delayed");
            for random in rounds.lock().unwrap().iter_mut() {
                talk(scheduler, random);
            }
        });
    }
}
