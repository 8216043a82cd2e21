//! An async crate that was not written for us: hyper's HTTP/1 client and server, over our sockets, driven by our tasks.
#![cfg(all(feature = "net", feature = "futures"))]

mod common;

use std::convert::Infallible;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use common::{at_workers, until_waits};
use fiberhost::scheduler::net::{TcpListener, TcpStream};
use fiberhost::scheduler::{JoinHandle, WaitReason, block_on, spawn};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};

/// Our socket as hyper wants it.
struct Socket(TcpStream);

impl Read for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut piece = [0; 4096];
        let room = piece.len().min(buffer.remaining());
        let count = ready!(self.0.poll_read(context, &mut piece[..room]))?;
        buffer.put_slice(&piece[..count]);
        Poll::Ready(Ok(()))
    }
}

impl Write for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write(context, buffer)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.shutdown(Shutdown::Write))
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::default());
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/hello") => *response.body_mut() = "hello".into(),
        (&Method::POST, "/reverse") => {
            let body = request.into_body().collect().await;
            let mut body = body.expect("the client sends all").to_bytes().to_vec();
            body.reverse();
            *response.body_mut() = body.into();
        }
        _ => *response.status_mut() = StatusCode::NOT_FOUND,
    }
    Ok(response)
}

/// A task for each connection.
fn serve(listener: &TcpListener, connections: usize) {
    let serve = |stream: io::Result<TcpStream>| {
        let socket = Socket(stream.unwrap());
        spawn(move || {
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(socket, service_fn(answer));
            block_on(connection).unwrap();
        })
    };
    let tasks: Vec<_> = listener.incoming().take(connections).map(serve).collect();
    tasks.into_iter().for_each(|task| task.join().unwrap());
}

/// A connection, and the task that drives it.
fn connect(address: SocketAddr) -> (SendRequest<Full<Bytes>>, JoinHandle<()>) {
    let socket = Socket(TcpStream::connect(address).unwrap());
    let (sender, connection) = block_on(hyper::client::conn::http1::handshake(socket)).unwrap();
    (sender, spawn(move || block_on(connection).unwrap()))
}

async fn ask(
    sender: &mut SendRequest<Full<Bytes>>,
    method: Method,
    path: &str,
    body: Vec<u8>,
) -> (StatusCode, Bytes) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .body(Full::from(body))
        .unwrap();
    sender.ready().await.unwrap();
    let response = sender.send_request(request).await.unwrap();
    let status = response.status();
    (
        status,
        response.into_body().collect().await.unwrap().to_bytes(),
    )
}

#[test]
fn requests_are_answered() {
    const CONNECTIONS: usize = 20;
    at_workers(|scheduler| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = scheduler.spawn(move || serve(&listener, CONNECTIONS));
        until_waits(server.task(), WaitReason::Readable);
        let client = |client: usize| {
            scheduler.spawn(move || {
                let (mut sender, driver) = connect(address);
                block_on(async {
                    for size in [0, 1, 100, 5_000, 300_000] {
                        let body: Vec<u8> = (0..size).map(|at| (at + client) as u8).collect();
                        let reversed: Vec<u8> = body.iter().rev().copied().collect();
                        let (status, back) = ask(&mut sender, Method::POST, "/reverse", body).await;
                        assert_eq!(status, StatusCode::OK);
                        assert_eq!(back, reversed);
                    }
                    let (_, hello) = ask(&mut sender, Method::GET, "/hello", Vec::new()).await;
                    assert_eq!(hello, "hello");
                    let (status, _) = ask(&mut sender, Method::GET, "/nothing", Vec::new()).await;
                    assert_eq!(status, StatusCode::NOT_FOUND);
                });
                // The connection ends with its sender.
                drop(sender);
                driver.join().unwrap();
            })
        };
        let clients: Vec<_> = (0..CONNECTIONS).map(client).collect();
        clients
            .into_iter()
            .for_each(|client| client.join().unwrap());
        server.join().unwrap();
    });
}

/// A server that is told to stop while its connections are open.
#[test]
fn an_abort_ends_a_connection() {
    at_workers(|scheduler| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = scheduler.spawn(move || {
            let socket = Socket(listener.accept().unwrap().0);
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(socket, service_fn(answer));
            block_on(connection).unwrap();
        });
        let reference = server.task().clone();
        scheduler.run(move || {
            let (mut sender, driver) = connect(address);
            block_on(async {
                let (_, hello) = ask(&mut sender, Method::GET, "/hello", Vec::new()).await;
                assert_eq!(hello, "hello");
            });
            reference.abort();
            // The driver sees the end.
            driver.join().unwrap();
            assert!(sender.is_closed());
        });
        assert!(server.join().unwrap_err().is_cancelled());
    });
}
