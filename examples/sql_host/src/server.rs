//! The server on the host: a listener, and a task of the hosting layer for each connection.
//!
//! Room for unsafe code: the promise that a session, and the listener, may change their threads.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use fiberhost::observe::Observe;
use fiberhost::scheduler::io::Interrupted;
use fiberhost::scheduler::net::{TcpListener, TcpStream};
use fiberhost::scheduler::{Builder, sleep};
use fiberhost::{Host, TaskMode};

use crate::engine::Engine;
use crate::executor::Hosted;
use crate::managed::Tasks;
use crate::registry::Registry;
use crate::runtime::Runtime;
use crate::session::{self, Shared, Transport};

/// How much is read at once.
const CHUNK: usize = 4096;
/// What an accept that finds no descriptor waits before the next one.
const PAUSE: Duration = Duration::from_millis(10);
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(10);

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Where it listens.
    pub address: SocketAddr,
    /// The database's file.
    pub database: PathBuf,
    /// As many as there are processors, if not said.
    pub workers: Option<usize>,
    /// Sessions have OS threads of their own.
    pub thread_mode: bool,
    /// Where the operator's tables are served, if they are.
    pub observe: Option<PathBuf>,
}

/// A server that serves.
#[derive(Debug)]
pub struct Server {
    /// What its sessions share.
    pub shared: Arc<Shared<Hosted>>,
    address: SocketAddr,
}

impl Server {
    /// Starts it. It serves until [`stop`](Server::stop).
    ///
    /// # Errors
    /// If it cannot listen, or the system refuses threads or stacks.
    pub fn start(setup: &Setup, runtime: Arc<dyn Runtime>) -> io::Result<Server> {
        let mut settings = Builder::new().name("sql");
        if let Some(workers) = setup.workers {
            settings = settings.workers(workers);
        }
        if let Some(path) = &setup.observe {
            settings = settings.observe(path);
        }
        let mode = if setup.thread_mode {
            TaskMode::Thread
        } else {
            TaskMode::Fiber
        };
        let host = Host::builder()
            .scheduler_settings(settings)
            .tasks(mode)
            .build()?;
        let host = Arc::new(host);
        let tasks = Arc::new(Tasks::of(&host).map_err(refused)?);
        runtime.attach(Arc::clone(&tasks));
        let shared = Arc::new(Shared {
            executor: Arc::new(Hosted::new(Arc::clone(&host), Arc::clone(&tasks))),
            engine: Engine::new(setup.database.clone(), runtime),
            registry: Arc::new(Registry::default()),
        });
        shared.engine.operator.look_at(&host, &shared.registry);
        shared.engine.prepare().map_err(io::Error::other)?;
        let asked = setup.address;
        let listener = host.scheduler().run(move || TcpListener::bind(asked))?;
        let address = listener.local_addr()?;
        let sharing = Arc::clone(&shared);
        let more = Arc::clone(&tasks);
        // A bound task would wait for its thread, which a session's native code may hold for as long as that lasts.
        // SAFETY: it waits in `accept` and `sleep`, and keeps nothing of its thread meanwhile.
        let spawned = unsafe { tasks.spawn(move || listen(&listener, &more, &sharing)) };
        spawned.map_err(refused)?;
        Ok(Server { shared, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The host that it runs on.
    pub fn host(&self) -> &Host {
        self.shared.executor.host()
    }

    /// Ends all sessions and the host.
    ///
    /// # Errors
    /// If tasks are left after the time limit.
    pub fn stop(self) -> io::Result<()> {
        self.shared.registry.end_all();
        self.shared.engine.turn.poke();
        let result = self.host().shutdown(SHUTDOWN_LIMIT);
        self.shared.engine.close();
        result.map_err(io::Error::other)
    }
}

fn listen(listener: &TcpListener, tasks: &Tasks, shared: &Arc<Shared<Hosted>>) {
    loop {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            // The scheduler ends.
            Err(error) if Interrupted::of(&error).is_some() => return,
            // Out of descriptors, or a client that went too soon.
            Err(_) => {
                sleep(PAUSE);
                continue;
            }
        };
        let shared = Arc::clone(shared);
        let body = move || {
            if stream.set_nodelay(true).is_ok() {
                // A connection that breaks ends its session, and there is nobody to tell.
                let _ = session::serve(&*shared, Arc::new(Socket(stream)));
            }
        };
        // SAFETY: a session keeps nothing of its thread across a wait. It waits in `receive`, `send` and for its turn to write,
        // never inside SQLite; and SQLite, whose connections and statements are on its stack then, ties nothing to a thread
        // outside of its calls.
        let spawned = unsafe { tasks.spawn(body) };
        if spawned.is_err() {
            // The closure had the connection, which is closed.
            sleep(PAUSE);
        }
    }
}

fn refused(error: fiberhost::com::Hresult) -> io::Error {
    io::Error::other(format!("the host refuses: {error:?}"))
}

/// A socket of the scheduler: a task that waits for it costs no thread.
#[derive(Debug)]
struct Socket(TcpStream);

impl Transport for Socket {
    fn receive(&self, arrived: &mut BytesMut) -> io::Result<usize> {
        let before = arrived.len();
        arrived.resize(before + CHUNK, 0);
        let read = (&self.0).read(&mut arrived[before..]);
        arrived.truncate(before + *read.as_ref().unwrap_or(&0));
        read
    }

    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.0).write_all(bytes)
    }

    fn hang_up(&self) {
        // It may be closed already.
        let _ = self.0.shutdown(Shutdown::Read);
    }
}
