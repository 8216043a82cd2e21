//! TCP: what is sent arrives, whoever sends and reads, and ends are seen.
#![cfg(feature = "net")]

mod common;

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::sides::{Side, between, in_a_world_of};
use common::{LONG, SHORT, at, at_workers, checked, until_waits, with};
use fiberhost::scheduler::net::{TcpListener, TcpStream};
use fiberhost::scheduler::sync::ManualResetEvent;
use fiberhost::scheduler::{Scheduler, WaitReason, spawn};

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Two ends of a connection.
fn connected() -> (TcpStream, TcpStream) {
    let (listener, address) = listen();
    let near = TcpStream::connect(address).unwrap();
    let (far, from) = listener.accept().unwrap();
    assert_eq!(near.local_addr().unwrap(), from);
    assert_eq!(near.peer_addr().unwrap(), far.local_addr().unwrap());
    (near, far)
}

/// Sends back what comes until the other side ends.
fn echo(mut stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let mut buffer = [0; 1000];
    loop {
        match stream.read(&mut buffer).unwrap() {
            0 => return,
            count => stream.write_all(&buffer[..count]).unwrap(),
        }
    }
}

#[test]
fn what_is_sent_comes_back() {
    between(|world, [server, client]| {
        let (listener, address) = listen();
        let server = world.start(server, move || echo(listener.accept().unwrap().0));
        let client = world.start(client, move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_nodelay(true).unwrap();
            for size in [1, 10, 999, 1000, 1001, 3000] {
                let sent: Vec<u8> = (0..size).map(|at| at as u8).collect();
                for _ in 0..20 {
                    stream.write_all(&sent).unwrap();
                    let mut back = vec![0; size];
                    stream.read_exact(&mut back).unwrap();
                    assert_eq!(back, sent);
                }
            }
        });
        client.join();
        server.join();
    });
}

#[test]
fn many_connections_at_once() {
    const CONNECTIONS: usize = 200;
    at_workers(|scheduler| {
        let (listener, address) = listen();
        scheduler.run(move || {
            let server = spawn(move || {
                let tasks: Vec<_> = listener
                    .incoming()
                    .take(CONNECTIONS)
                    .map(|stream| spawn(move || echo(stream.unwrap())))
                    .collect();
                tasks.into_iter().for_each(|task| task.join().unwrap());
            });
            let client = |client: usize| {
                spawn(move || {
                    let mut stream = TcpStream::connect(address).unwrap();
                    stream.set_nodelay(true).unwrap();
                    for trip in 0..20 {
                        let sent = [client as u8, trip, 3, 4, 5];
                        stream.write_all(&sent).unwrap();
                        let mut back = [0; 5];
                        stream.read_exact(&mut back).unwrap();
                        assert_eq!(back, sent);
                    }
                })
            };
            let clients: Vec<_> = (0..CONNECTIONS).map(client).collect();
            clients.into_iter().for_each(|task| task.join().unwrap());
            server.join().unwrap();
        });
    });
}

#[test]
fn a_peer_that_does_not_read_makes_the_writer_wait() {
    const SIZE: usize = 8 << 20;
    at_workers(|scheduler| {
        let (mut near, mut far) = connected();
        let writer = scheduler.spawn(move || {
            let sent: Vec<u8> = (0..SIZE).map(|at| (at % 251) as u8).collect();
            near.write_all(&sent).unwrap();
        });
        until_waits(writer.task(), WaitReason::Writable);
        std::thread::sleep(SHORT);
        assert!(!writer.is_finished());
        let reader = scheduler.spawn(move || {
            let mut back = Vec::new();
            far.read_to_end(&mut back).unwrap();
            assert_eq!(back.len(), SIZE);
            assert!(
                back.iter()
                    .enumerate()
                    .all(|(at, byte)| *byte == (at % 251) as u8)
            );
        });
        writer.join().unwrap();
        reader.join().unwrap();
    });
}

#[test]
fn one_task_reads_while_another_writes() {
    at_workers(|scheduler| {
        let (near, far) = connected();
        let mut reader = near.try_clone().unwrap();
        let reader = scheduler.spawn(move || {
            let mut byte = [0];
            reader.read_exact(&mut byte).unwrap();
            byte[0]
        });
        until_waits(reader.task(), WaitReason::Readable);
        let filled = Arc::new(AtomicUsize::new(0));
        let writer = {
            let filled = Arc::clone(&filled);
            let mut near = near;
            scheduler.spawn(move || {
                let all = vec![7; 8 << 20];
                near.write_all(&all).unwrap();
                filled.store(1, Ordering::SeqCst);
            })
        };
        // Both wait for the same descriptor.
        until_waits(writer.task(), WaitReason::Writable);
        until_waits(reader.task(), WaitReason::Readable);
        let far = scheduler.spawn(move || {
            let mut far = far;
            far.write_all(&[9]).unwrap();
            let mut all = vec![0; 8 << 20];
            far.read_exact(&mut all).unwrap();
            assert!(all.iter().all(|byte| *byte == 7));
        });
        assert_eq!(reader.join().unwrap(), 9);
        writer.join().unwrap();
        far.join().unwrap();
        assert_eq!(filled.load(Ordering::SeqCst), 1);
    });
}

/// A read that fills less than its buffer lets the next one wait at once: the end must not have come with the data unseen.
#[test]
fn data_and_end_that_come_together_are_both_seen() {
    at_workers(|scheduler| {
        for _ in 0..200 {
            let (mut near, mut far) = connected();
            let reader = scheduler.spawn(move || {
                let mut buffer = [0; 64];
                let mut seen = 0;
                loop {
                    match far.read(&mut buffer).unwrap() {
                        0 => return seen,
                        count => seen += count,
                    }
                }
            });
            near.write_all(b"the end").unwrap();
            drop(near);
            assert_eq!(reader.join().unwrap(), 7);
        }
    });
}

#[test]
fn data_that_comes_in_pieces_is_all_seen() {
    at_workers(|scheduler| {
        let (mut near, mut far) = connected();
        near.set_nodelay(true).unwrap();
        let reader = scheduler.spawn(move || {
            let mut buffer = [0; 64];
            let mut seen = Vec::new();
            while seen.len() < 2000 {
                let count = far.read(&mut buffer).unwrap();
                assert!(count > 0);
                seen.extend_from_slice(&buffer[..count]);
            }
            seen
        });
        for piece in 0..1000_u32 {
            let piece = (piece as u16).to_be_bytes();
            near.write_all(&piece).unwrap();
            if piece[1].is_multiple_of(16) {
                std::thread::yield_now();
            }
        }
        let seen = reader.join().unwrap();
        let expected: Vec<u8> = (0..1000_u16).flat_map(u16::to_be_bytes).collect();
        assert_eq!(seen, expected);
    });
}

/// A read stops at the mark of urgent data, though more has come, and all of it has been announced.
#[test]
fn what_stands_behind_urgent_data_is_seen() {
    at_workers(|scheduler| {
        let (mut near, mut far) = connected();
        near.set_nodelay(true).unwrap();
        let all_came = Arc::new(ManualResetEvent::new(false));
        let reader = {
            let all_came = Arc::clone(&all_came);
            scheduler.spawn(move || {
                // Once, so that the socket is watched.
                far.read_exact(&mut [0]).unwrap();
                all_came.wait();
                let mut buffer = [0; 64];
                let mut seen = Vec::new();
                while seen.len() < 12 {
                    let count = far.read(&mut buffer).unwrap();
                    seen.extend_from_slice(&buffer[..count]);
                }
                seen
            })
        };
        until_waits(reader.task(), WaitReason::Readable);
        near.write_all(b"x").unwrap();
        until_waits(reader.task(), WaitReason::Event);
        near.write_all(b"before").unwrap();
        // SAFETY: the byte lives until the call returns.
        let sent = unsafe { libc::send(near.as_raw_fd(), b"!".as_ptr().cast(), 1, libc::MSG_OOB) };
        assert_eq!(sent, 1);
        near.write_all(b"behind").unwrap();
        std::thread::sleep(SHORT);
        all_came.set();
        assert_eq!(reader.join().unwrap(), b"beforebehind");
    });
}

#[test]
fn an_end_in_one_direction_leaves_the_other() {
    at_workers(|scheduler| {
        let (mut near, mut far) = connected();
        let far = scheduler.spawn(move || {
            let mut question = String::new();
            far.read_to_string(&mut question).unwrap();
            far.write_all(question.to_uppercase().as_bytes()).unwrap();
        });
        let near = scheduler.spawn(move || {
            near.write_all(b"is anybody there").unwrap();
            near.shutdown(Shutdown::Write).unwrap();
            let mut answer = String::new();
            near.read_to_string(&mut answer).unwrap();
            answer
        });
        assert_eq!(near.join().unwrap(), "IS ANYBODY THERE");
        far.join().unwrap();
    });
}

#[test]
fn a_shutdown_from_another_task_ends_a_read() {
    at_workers(|scheduler| {
        let (near, _far) = connected();
        let mut reader = near.try_clone().unwrap();
        let reader = scheduler.spawn(move || reader.read(&mut [0; 8]).unwrap());
        until_waits(reader.task(), WaitReason::Readable);
        scheduler.run(move || near.shutdown(Shutdown::Both).unwrap());
        assert_eq!(reader.join().unwrap(), 0);
    });
}

/// Closes with a reset instead of an end.
fn reset(stream: TcpStream) {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    // SAFETY: the option's value lives until the call returns.
    let set = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            size_of_val(&linger) as libc::socklen_t,
        )
    };
    assert_eq!(set, 0);
    drop(stream);
}

#[test]
fn a_reset_ends_a_read_and_a_write() {
    at_workers(|scheduler| {
        let (mut near, far) = connected();
        let reader = scheduler.spawn(move || near.read(&mut [0; 8]).unwrap_err().kind());
        until_waits(reader.task(), WaitReason::Readable);
        reset(far);
        assert_eq!(reader.join().unwrap(), io::ErrorKind::ConnectionReset);

        let (mut near, far) = connected();
        let writer =
            scheduler.spawn(move || near.write_all(&vec![0; 64 << 20]).unwrap_err().kind());
        until_waits(writer.task(), WaitReason::Writable);
        reset(far);
        let kind = writer.join().unwrap();
        let expected = [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
        assert!(expected.contains(&kind), "{kind:?}");
    });
}

#[test]
fn nobody_there_is_an_error() {
    at_workers(|scheduler| {
        let (listener, address) = listen();
        drop(listener);
        scheduler.run(move || {
            let error = TcpStream::connect(address).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
            let error = TcpStream::connect_timeout(&address, LONG).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
            // The next address is tried.
            let (there, address_there) = listen();
            let stream = TcpStream::connect(&[address, address_there][..]).unwrap();
            assert_eq!(stream.peer_addr().unwrap(), address_there);
            there.accept().unwrap();
        });
    });
}

#[test]
fn several_tasks_accept_at_one_listener() {
    at_workers(|scheduler| {
        let (listener, address) = listen();
        let listener = Arc::new(listener);
        let accept = |_| {
            let listener = Arc::clone(&listener);
            let task = scheduler.spawn(move || listener.accept().unwrap().1);
            until_waits(task.task(), WaitReason::Readable);
            task
        };
        let tasks: Vec<_> = (0..8).map(accept).collect();
        let clients: Vec<_> = (0..8)
            .map(|_| TcpStream::connect(address).unwrap())
            .collect();
        let mut met: Vec<_> = tasks.into_iter().map(|task| task.join().unwrap()).collect();
        let mut came: Vec<_> = clients
            .iter()
            .map(|client| client.local_addr().unwrap())
            .collect();
        met.sort();
        came.sort();
        assert_eq!(met, came);
    });
}

#[test]
fn a_socket_goes_from_std_and_back() {
    at_workers(|scheduler| {
        scheduler.run(|| {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let listener = TcpListener::from_std(listener).unwrap();
            let task = spawn(move || {
                let stream = listener.accept().unwrap().0;
                (listener.into_std().unwrap(), stream.into_std().unwrap())
            });
            let mut stream = TcpStream::connect(address).unwrap();
            let clone = stream.try_clone().unwrap();
            let (listener, mut far) = task.join().unwrap();
            assert_eq!(listener.local_addr().unwrap(), address);
            stream.write_all(b"x").unwrap();
            let mut byte = [0];
            // It blocks, so it does not say that it would.
            far.read_exact(&mut byte).unwrap();
            assert_eq!(&byte, b"x");
            // A clone that stays goes on as before.
            drop(stream.into_std().unwrap());
            far.write_all(b"y").unwrap();
            (&clone).read_exact(&mut byte).unwrap();
            assert_eq!(&byte, b"y");
        });
    });
}

#[test]
fn options_and_addresses_are_those_of_the_socket() {
    let (near, mut far) = connected();
    near.set_nodelay(true).unwrap();
    assert!(near.nodelay().unwrap());
    near.set_ttl(42).unwrap();
    assert_eq!(near.ttl().unwrap(), 42);
    assert!(near.take_error().unwrap().is_none());
    far.write_all(b"abc").unwrap();
    let mut buffer = [0; 8];
    at(1, |scheduler| {
        let clone = near.try_clone().unwrap();
        scheduler.run(move || {
            for _ in 0..3 {
                assert_eq!(clone.peek(&mut [0; 8]).unwrap(), 3);
            }
        });
    });
    assert_eq!((&near).read(&mut buffer).unwrap(), 3);
    near.set_read_timeout(Some(SHORT)).unwrap();
    assert_eq!(
        near.try_clone().unwrap().read_timeout().unwrap(),
        Some(SHORT)
    );
    let error = near.set_write_timeout(Some(Duration::ZERO)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

/// The same socket, in the tasks of one scheduler after the other, while the first is there and when it is gone.
#[test]
fn a_socket_outlives_its_first_scheduler() {
    let (near, far) = connected();
    let near = Arc::new(near);
    let read = |scheduler: &Scheduler, far: &TcpStream, byte: u8| {
        let near = Arc::clone(&near);
        let task = scheduler.spawn(move || {
            let mut byte = [0];
            (&*near).read_exact(&mut byte).unwrap();
            byte[0]
        });
        until_waits(task.task(), WaitReason::Readable);
        (&mut &*far).write_all(&[byte]).unwrap();
        assert_eq!(task.join().unwrap(), byte);
    };
    with(checked(2), |first| {
        read(first, &far, 1);
        with(checked(1), |second| {
            read(second, &far, 2);
            read(first, &far, 3);
        });
        read(first, &far, 4);
    });
    with(checked(1), |third| read(third, &far, 5));
}

/// A task that has always something to read does not keep the others of its worker from running.
#[test]
fn a_busy_socket_does_not_starve_others() {
    at(1, |scheduler| {
        let (near, far) = connected();
        let stop = Arc::new(AtomicUsize::new(0));
        let source = {
            let (mut near, stop) = (near, Arc::clone(&stop));
            std::thread::spawn(move || {
                while stop.load(Ordering::SeqCst) == 0 && near.write_all(&[1; 65536]).is_ok() {}
            })
        };
        let reader = {
            let (mut far, stop) = (far, Arc::clone(&stop));
            scheduler.spawn(move || {
                while stop.load(Ordering::SeqCst) == 0 {
                    // One byte after the other: there is always more.
                    let _count = far.read(&mut [0]).unwrap();
                }
            })
        };
        for _ in 0..20 {
            scheduler.run(|| ());
        }
        stop.store(1, Ordering::SeqCst);
        reader.join().unwrap();
        source.join().unwrap();
    });
}

#[test]
fn mobile_tasks_read_where_they_are() {
    in_a_world_of(4, |world| {
        let (listener, address) = listen();
        let server = world.start(Side::Mobile, move || {
            let tasks: Vec<_> = listener
                .incoming()
                .take(50)
                .map(|stream| spawn(move || echo(stream.unwrap())))
                .collect();
            tasks.into_iter().for_each(|task| task.join().unwrap());
        });
        let clients: Vec<_> = (0..50_u8)
            .map(|client| {
                world.start(Side::Mobile, move || {
                    let mut stream = TcpStream::connect(address).unwrap();
                    for trip in 0..20 {
                        let sent = [client, trip];
                        stream.write_all(&sent).unwrap();
                        let mut back = [0; 2];
                        stream.read_exact(&mut back).unwrap();
                        assert_eq!(back, sent);
                    }
                })
            })
            .collect();
        clients.into_iter().for_each(|client| client.join());
        server.join();
    });
}
