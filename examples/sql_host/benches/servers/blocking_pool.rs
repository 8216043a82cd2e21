//! The same server on tokio: sockets are asynchronous, and everything that reaches SQLite goes to `spawn_blocking`.
#![forbid(unsafe_code)]

use std::io;
use std::path::Path;
use std::sync::Arc;

use sql_host::engine::Engine;
use sql_host::error::SqlError;
use sql_host::executor::{Executor, Native};
use sql_host::registry::{HangUp, Registry};
use sql_host::runtime::Runtime;
use sql_host::session::{Connection, Shared, Step, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, Notify};
use tokio::task::spawn_blocking;

/// A session runs where it may block.
struct Pool;

impl Executor for Pool {
    fn native<R>(&self, _target: Native, call: impl FnOnce() -> R) -> Result<R, SqlError> {
        Ok(call())
    }
}

/// The client's side, for a session on a thread of the pool.
struct Peer {
    out: Mutex<OwnedWriteHalf>,
    gone: Notify,
    runtime: Handle,
}

impl Peer {
    async fn write(&self, bytes: &[u8]) -> io::Result<()> {
        self.out.lock().await.write_all(bytes).await
    }
}

impl Transport for Peer {
    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        self.runtime.block_on(self.write(bytes))
    }

    fn hang_up(&self, what: HangUp) {
        if what != HangUp::Soon {
            self.gone.notify_one();
        }
    }
}

/// Serves until the end of the process that asked for it.
pub(crate) fn serve(database: &Path, runtime: Arc<dyn Runtime>) -> io::Result<()> {
    // Guests have no host to speak to.
    runtime.attach(None);
    let shared = Arc::new(Shared {
        executor: Arc::new(Pool),
        engine: Arc::new(Engine::new(database.to_owned(), runtime)),
        registry: Arc::new(Registry::default()),
    });
    shared.engine.prepare().map_err(io::Error::other)?;
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let listener = tokio.block_on(TcpListener::bind(super::ANYWHERE))?;
    super::process::announce(listener.local_addr()?)?;
    tokio.spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            tokio::spawn(converse(stream, Arc::clone(&shared)));
        }
    });
    super::process::until_closed()?;
    tokio.shutdown_background();
    Ok(())
}

async fn converse(stream: TcpStream, shared: Arc<Shared<Pool>>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut input, output) = stream.into_split();
    let peer = Arc::new(Peer {
        out: Mutex::new(output),
        gone: Notify::new(),
        runtime: Handle::current(),
    });
    let mut connection = Connection::new(shared, Arc::clone(&peer));
    loop {
        if connection.arrived().is_empty() && !receive(&mut connection, &mut input, &peer).await? {
            break;
        }
        let (back, step) = spawn_blocking(move || {
            let step = connection.advance();
            (connection, step)
        })
        .await?;
        connection = back;
        if step == Step::Receive {
            if receive(&mut connection, &mut input, &peer).await? {
                continue;
            }
            break;
        }
        peer.write(connection.said()).await?;
        connection.sent();
        if step == Step::End {
            break;
        }
    }
    // Its end reaches SQLite too.
    spawn_blocking(move || drop(connection)).await?;
    Ok(())
}

/// Whether something has arrived.
async fn receive(
    connection: &mut Connection<Pool, Peer>,
    input: &mut OwnedReadHalf,
    peer: &Peer,
) -> io::Result<bool> {
    let read = tokio::select! {
        read = input.read_buf(connection.arrived()) => read?,
        () = peer.gone.notified() => 0,
    };
    if read == 0 {
        connection.hung_up();
        peer.write(connection.said()).await?;
    }
    Ok(read > 0)
}
