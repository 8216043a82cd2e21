//! The server: one task accepts, and one task for each connection sends back what comes.
#![forbid(unsafe_code)]

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fiberhost::scheduler::net::{TcpListener, TcpStream};
use fiberhost::scheduler::{JoinHandle, Scheduler, sleep, spawn};

const BUFFER: usize = 16 * 1024;
const LATER: Duration = Duration::from_millis(10);

pub(crate) struct Server {
    address: SocketAddr,
    accepting: JoinHandle<()>,
    served: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) fn start(scheduler: &Scheduler) -> io::Result<Server> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let served = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&served);
        let accepting = scheduler.task().name("accept").spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else {
                    // It was gone before it was taken, or there is no descriptor for it: then soon, perhaps.
                    sleep(LATER);
                    continue;
                };
                count.fetch_add(1, Ordering::Relaxed);
                spawn(move || {
                    // A client that is gone in the middle of a message needs no answer.
                    let _ = echo(stream);
                });
            }
        });
        Ok(Server {
            address,
            accepting: accepting.expect("nothing limits the tasks"),
            served,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections. Returns how many there were.
    pub(crate) fn stop(self) -> usize {
        self.accepting.abort();
        let _ = self.accepting.join();
        self.served.load(Ordering::Relaxed)
    }
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; BUFFER];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            count => stream.write_all(&buffer[..count])?,
        }
    }
}
