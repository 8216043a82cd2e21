//! Unix sockets.
#![cfg(feature = "net")]

mod common;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::sides::between;
use common::{SHORT, at_workers, until_waits};
use fiberhost::scheduler::net::{UnixListener, UnixStream};
use fiberhost::scheduler::sync::ManualResetEvent;
use fiberhost::scheduler::{WaitReason, spawn};

/// A path that is free again after the test.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_file(&path);
        Place(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn what_is_sent_comes_back() {
    between(|world, [server, client]| {
        let place = Place::new("net_unix_echo");
        let listener = UnixListener::bind(&place.0).unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(address.as_pathname(), Some(&*place.0));
        let server = world.start(server, move || {
            let mut stream = listener.incoming().next().unwrap().unwrap();
            let mut all = Vec::new();
            stream.read_to_end(&mut all).unwrap();
            stream.write_all(&all).unwrap();
        });
        let path = place.0.clone();
        let client = world.start(client, move || {
            let mut stream = UnixStream::connect(&path).unwrap();
            assert_eq!(stream.peer_addr().unwrap().as_pathname(), Some(&*path));
            let sent: Vec<u8> = (0..100_000).map(|at| at as u8).collect();
            stream.write_all(&sent).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let mut back = Vec::new();
            stream.read_to_end(&mut back).unwrap();
            assert_eq!(back, sent);
        });
        client.join();
        server.join();
    });
}

#[test]
fn a_pair_talks_both_ways() {
    at_workers(|scheduler| {
        scheduler.run(|| {
            let (mut one, mut other) = UnixStream::pair().unwrap();
            let far = spawn(move || {
                for _ in 0..1000 {
                    let mut number = [0; 4];
                    other.read_exact(&mut number).unwrap();
                    let next = u32::from_be_bytes(number) + 1;
                    other.write_all(&next.to_be_bytes()).unwrap();
                }
            });
            let mut number = 0_u32;
            for _ in 0..1000 {
                one.write_all(&number.to_be_bytes()).unwrap();
                let mut next = [0; 4];
                one.read_exact(&mut next).unwrap();
                number = u32::from_be_bytes(next);
            }
            assert_eq!(number, 1000);
            far.join().unwrap();
        });
    });
}

/// The kernel does not say when a full listener has room.
#[test]
fn a_connect_waits_for_room_at_the_listener() {
    at_workers(|scheduler| {
        let place = Place::new("net_unix_full");
        let listener = UnixListener::bind(&place.0).unwrap();
        // SAFETY: the call takes no memory.
        assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
        let path = place.0.clone();
        let connect = |_| {
            let path = path.clone();
            scheduler.spawn(move || UnixStream::connect(path).unwrap())
        };
        let clients: Vec<_> = (0..5).map(connect).collect();
        let waits = |client: &fiberhost::scheduler::JoinHandle<_>| {
            client.task().wait_reason() == WaitReason::Sleep
        };
        common::eventually("clients wait for room", || clients.iter().any(waits));
        let server = scheduler.spawn(move || {
            let accepted: Vec<_> = listener.incoming().take(5).map(Result::unwrap).collect();
            accepted.len()
        });
        assert_eq!(server.join().unwrap(), 5);
        for client in clients {
            client.join().unwrap();
        }
    });
}

/// A read stops at a message with descriptors, though more has come, and all of it has been announced.
#[test]
fn what_stands_behind_a_descriptor_is_seen() {
    at_workers(|scheduler| {
        let (mut one, mut other) = UnixStream::pair().unwrap();
        let all_came = Arc::new(ManualResetEvent::new(false));
        let reader = {
            let all_came = Arc::clone(&all_came);
            scheduler.spawn(move || {
                // Once, so that the socket is watched.
                other.read_exact(&mut [0]).unwrap();
                all_came.wait();
                let mut seen = Vec::new();
                let mut buffer = [0; 64];
                while seen.len() < 16 {
                    let count = other.read(&mut buffer).unwrap();
                    seen.extend_from_slice(&buffer[..count]);
                }
                seen
            })
        };
        until_waits(reader.task(), WaitReason::Readable);
        one.write_all(b"x").unwrap();
        until_waits(reader.task(), WaitReason::Event);
        one.write_all(b"before").unwrap();
        send_with_descriptor(&one, b"with");
        one.write_all(b"behind").unwrap();
        std::thread::sleep(SHORT);
        all_came.set();
        assert_eq!(reader.join().unwrap(), b"beforewithbehind");
    });
}

fn send_with_descriptor(stream: &UnixStream, data: &[u8]) {
    let mut part = libc::iovec {
        iov_base: data.as_ptr().cast_mut().cast(),
        iov_len: data.len(),
    };
    #[repr(C, align(8))]
    struct Control([u8; 64]);
    let mut control = Control([0; 64]);
    // SAFETY: the header points to what lives until the call returns, and the control message is laid out by the macros.
    let sent = unsafe {
        let mut header: libc::msghdr = std::mem::zeroed();
        header.msg_iov = &raw mut part;
        header.msg_iovlen = 1;
        header.msg_control = control.0.as_mut_ptr().cast();
        header.msg_controllen = libc::CMSG_SPACE(4) as _;
        let message = libc::CMSG_FIRSTHDR(&raw const header);
        (*message).cmsg_level = libc::SOL_SOCKET;
        (*message).cmsg_type = libc::SCM_RIGHTS;
        (*message).cmsg_len = libc::CMSG_LEN(4) as _;
        libc::CMSG_DATA(message)
            .cast::<libc::c_int>()
            .write_unaligned(stream.as_fd().as_raw_fd());
        libc::sendmsg(stream.as_raw_fd(), &raw const header, 0)
    };
    assert_eq!(sent, data.len() as isize);
}

#[test]
fn a_peer_that_is_gone_ends_read_and_write() {
    at_workers(|scheduler| {
        let (mut one, other) = UnixStream::pair().unwrap();
        let reader = scheduler.spawn(move || (one.read(&mut [0; 8]).unwrap(), one));
        until_waits(reader.task(), WaitReason::Readable);
        drop(other);
        let (count, mut one) = reader.join().unwrap();
        assert_eq!(count, 0);
        let error = scheduler.run(move || one.write_all(b"x").unwrap_err());
        assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    });
}
