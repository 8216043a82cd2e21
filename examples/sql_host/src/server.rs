//! The server on the host: a listener, and a task of the hosting layer for each connection; and the same on the emergency lane.
//!
//! Room for unsafe code: the promise that a session, and the listener, may change their threads.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fiberhost::observe::Observe;
use fiberhost::observe::socket::SocketFile;
use fiberhost::scheduler::io::Interrupted;
use fiberhost::scheduler::net::TcpListener;
use fiberhost::scheduler::{Builder, Scheduler, sleep};
use fiberhost::{Host, TaskMode};

use crate::emergency::{self, Lane};
use crate::engine::Engine;
use crate::executor::{Executor, Hosted};
use crate::managed::{STACK_SIZE, Tasks};
use crate::registry::Registry;
use crate::runtime::Runtime;
use crate::session::{self, Shared};
use crate::socket::{Socket, Stream};

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
    /// Where the emergency socket is, if there is one: see [`emergency`].
    pub emergency: Option<PathBuf>,
    /// The scheduler checks its invariants at every switch, and ends the process at the first that does not hold.
    pub check_invariants: bool,
}

/// A server that serves.
#[derive(Debug)]
pub struct Server {
    /// What its sessions share.
    pub shared: Arc<Shared<Hosted>>,
    address: SocketAddr,
    /// The name of the emergency socket, for as long as the server runs.
    _emergency: Option<SocketFile>,
}

impl Server {
    /// Starts it. It serves until [`stop`](Server::stop).
    ///
    /// # Errors
    /// If it cannot listen, or the system refuses threads or stacks.
    pub fn start(setup: &Setup, runtime: Arc<dyn Runtime>) -> io::Result<Server> {
        let host = Arc::new(host(setup)?);
        let tasks = Arc::new(Tasks::of(&host).map_err(refused)?);
        runtime.attach(Some(Arc::clone(&tasks)));
        let shared = Arc::new(Shared {
            executor: Arc::new(Hosted::new(Arc::clone(&host), Arc::clone(&tasks))),
            engine: Arc::new(Engine::new(setup.database.clone(), runtime)),
            registry: Arc::new(Registry::default()),
        });
        shared.engine.operator.look_at(&host, &shared.registry);
        shared.engine.prepare().map_err(io::Error::other)?;
        let asked = setup.address;
        let listener = host.scheduler().run(move || TcpListener::bind(asked))?;
        let address = listener.local_addr()?;
        let sharing = Arc::clone(&shared);
        let more = Arc::clone(&tasks);
        let accept = move || {
            let (stream, _) = listener.accept()?;
            // If it is broken already its session finds that out.
            let _ = stream.set_nodelay(true);
            Ok(stream)
        };
        // SAFETY: `listen` says what a session keeps of its thread: nothing.
        let spawn = move |session| unsafe { more.spawn(session) }.is_ok();
        let body = move || listen(accept, &sharing, spawn);
        // A bound task would wait for its thread, which a session's native code may hold for as long as that lasts.
        // SAFETY: it waits in `accept` and `sleep`, and keeps nothing of its thread meanwhile.
        let spawned = unsafe { tasks.spawn(body) };
        spawned.map_err(refused)?;
        let emergency = match (&setup.emergency, host.scheduler().emergency_lane()) {
            (Some(path), Some(lane)) => Some(open_emergency(path, lane, &shared)?),
            _ => None,
        };
        Ok(Server {
            shared,
            address,
            _emergency: emergency,
        })
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

fn host(setup: &Setup) -> io::Result<Host> {
    // What ALTER SYSTEM can go up to.
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let mut settings = Builder::new()
        .name("sql")
        .workers_max(processors)
        .check_invariants(setup.check_invariants);
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
    Host::builder()
        .scheduler_settings(settings.emergency_lane(setup.emergency.is_some()))
        .tasks(mode)
        .build()
}

/// Listens on the lane, with sessions that share everything but their executor with the others.
fn open_emergency(
    path: &std::path::Path,
    lane: Scheduler,
    shared: &Shared<Hosted>,
) -> io::Result<SocketFile> {
    let (listener, file) = emergency::bind(path)?;
    let shared = Arc::new(Shared {
        executor: Arc::new(Lane),
        engine: Arc::clone(&shared.engine),
        registry: Arc::clone(&shared.registry),
    });
    let accept = move || listener.accept().map(|(stream, _)| stream);
    let sessions = lane.clone();
    let spawn = move |session| {
        let task = sessions
            .task()
            .name("emergency")
            .stack_size(STACK_SIZE as usize);
        // SAFETY: `listen` says what a session keeps of its thread: nothing.
        unsafe { task.spawn_mobile(session) }.is_ok()
    };
    let body = move || listen(accept, &shared, spawn);
    // SAFETY: as for the other listener.
    let spawned = unsafe { lane.task().name("emergency door").spawn_mobile(body) };
    spawned.map(|_| file).map_err(io::Error::other)
}

/// Takes connections, and gives `spawn` a session for each; that says whether it took it.
///
/// A session keeps nothing of its thread across a wait. It waits in `receive`, `send` and for its turn to write, never inside
/// SQLite; and SQLite, whose connections and statements are on its stack then, ties nothing to a thread outside of its calls.
fn listen<E: Executor, S: Stream>(
    accept: impl Fn() -> io::Result<S>,
    shared: &Arc<Shared<E>>,
    spawn: impl Fn(Box<dyn FnOnce() + Send>) -> bool,
) where
    for<'a> &'a S: Read + Write,
{
    loop {
        let stream = match accept() {
            Ok(stream) => stream,
            // The scheduler ends.
            Err(error) if Interrupted::of(&error).is_some() => return,
            // Out of descriptors, or a client that went too soon.
            Err(_) => {
                sleep(PAUSE);
                continue;
            }
        };
        let shared = Arc::clone(shared);
        let session = Box::new(move || {
            // A connection that breaks ends its session, and there is nobody to tell.
            let _ = session::serve(shared, Arc::new(Socket(stream)));
        });
        if !spawn(session) {
            // The closure had the connection, which is closed.
            sleep(PAUSE);
        }
    }
}

fn refused(error: fiberhost::com::Hresult) -> io::Error {
    io::Error::other(format!("the host refuses: {error:?}"))
}
