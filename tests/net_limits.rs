//! How a wait for a descriptor ends before it is ready: limits, alerts, cancelling, aborts, the end of the scheduler.
#![cfg(feature = "net")]

mod common;

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::sides::{SIDES, Side, in_a_world};
use common::{LONG, SHORT, at_workers, checked, eventually, hog_until, until_waits, with};
use fiberhost::scheduler::io::{Interrupted, Ready, wait_readable, wait_writable};
use fiberhost::scheduler::net::{TcpListener, TcpStream, UnixStream};
use fiberhost::scheduler::{
    JoinHandle, Scheduler, WaitReason, Wake, current_worker, park_for, sleep, timeout, yield_now,
};

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A listener that answers nobody any more, and those who fill it.
struct Full {
    _listener: TcpListener,
    _clients: Vec<TcpStream>,
    address: SocketAddr,
}

impl Full {
    fn new() -> Full {
        let (listener, address) = listen();
        // SAFETY: the call takes no memory.
        assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
        let mut clients = Vec::new();
        while let Ok(client) = TcpStream::connect_timeout(&address, SHORT) {
            clients.push(client);
            assert!(clients.len() < 10, "a listener without room takes all");
        }
        Full {
            _listener: listener,
            _clients: clients,
            address,
        }
    }
}

/// A connection whose one side takes no more.
fn stuffed() -> (UnixStream, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    near.set_write_timeout(Some(Duration::from_millis(1)))
        .unwrap();
    while (&near).write(&[0; 4096]).is_ok() {}
    near.set_write_timeout(None).unwrap();
    (near, far)
}

/// Each wait for a descriptor, begun in a task of its own.
fn waiting(scheduler: &Scheduler) -> Vec<(&'static str, JoinHandle<io::Error>)> {
    let full = Full::new();
    let tasks = vec![
        ("accept", WaitReason::Readable, {
            let (listener, _) = listen();
            scheduler.spawn(move || listener.accept().unwrap_err())
        }),
        ("read", WaitReason::Readable, {
            let (mut near, far) = UnixStream::pair().unwrap();
            scheduler.spawn(move || {
                let _open = far;
                near.read(&mut [0; 8]).unwrap_err()
            })
        }),
        ("read with a limit", WaitReason::Readable, {
            let (mut near, far) = UnixStream::pair().unwrap();
            near.set_read_timeout(Some(LONG)).unwrap();
            scheduler.spawn(move || {
                let _open = far;
                near.read(&mut [0; 8]).unwrap_err()
            })
        }),
        ("read to the end", WaitReason::Readable, {
            let (mut near, far) = UnixStream::pair().unwrap();
            scheduler.spawn(move || {
                let _open = far;
                near.read_to_end(&mut Vec::new()).unwrap_err()
            })
        }),
        ("write", WaitReason::Writable, {
            let (mut near, far) = stuffed();
            scheduler.spawn(move || {
                let _open = far;
                near.write_all(&[0; 8]).unwrap_err()
            })
        }),
        ("connect", WaitReason::Writable, {
            scheduler.spawn(move || {
                let full = full;
                TcpStream::connect(full.address).unwrap_err()
            })
        }),
        ("pipe", WaitReason::Readable, {
            let (reader, writer) = io::pipe().unwrap();
            let reader = Ready::new(reader).unwrap();
            scheduler.spawn(move || {
                let _open = writer;
                reader
                    .read_with(|mut pipe| pipe.read(&mut [0; 8]))
                    .unwrap_err()
            })
        }),
        ("wait_readable", WaitReason::Readable, {
            let (reader, writer) = io::pipe().unwrap();
            scheduler.spawn(move || {
                let _open = writer;
                wait_readable(&reader, None).unwrap_err()
            })
        }),
        ("wait_writable", WaitReason::Writable, {
            let (near, far) = stuffed();
            scheduler.spawn(move || {
                let _open = far;
                wait_writable(&near, Some(LONG)).unwrap_err()
            })
        }),
    ];
    let started = |(name, reason, task): (_, _, JoinHandle<io::Error>)| {
        until_waits(task.task(), reason);
        (name, task)
    };
    tasks.into_iter().map(started).collect()
}

#[test]
fn an_alert_ends_each_wait_and_no_loop_takes_it_for_a_reason_to_try_again() {
    at_workers(|scheduler| {
        for (name, task) in waiting(scheduler) {
            task.task().alert();
            let error = task.join().unwrap();
            assert_eq!(
                Interrupted::of(&error),
                Some(Wake::Alerted),
                "{name}: {error}"
            );
        }
    });
}

#[test]
fn cancelling_ends_each_wait() {
    at_workers(|scheduler| {
        for (name, task) in waiting(scheduler) {
            task.task().cancel();
            let error = task.join().unwrap();
            assert_eq!(
                Interrupted::of(&error),
                Some(Wake::Aborted),
                "{name}: {error}"
            );
        }
    });
}

#[test]
fn an_abort_unwinds_each_wait() {
    at_workers(|scheduler| {
        for (name, task) in waiting(scheduler) {
            task.abort();
            assert!(task.join().unwrap_err().is_cancelled(), "{name}");
        }
    });
}

#[test]
fn a_shutdown_ends_each_wait() {
    for workers in [1, 2] {
        let scheduler = checked(workers).build().unwrap();
        let tasks = waiting(&scheduler);
        scheduler.shutdown(LONG).unwrap();
        for (name, task) in tasks {
            assert!(task.join().unwrap_err().is_cancelled(), "{name}");
        }
    }
}

#[test]
fn the_limit_of_a_call_ends_it() {
    in_a_world(|world| {
        for side in SIDES {
            let before = Instant::now();
            let party = world.start(side, || {
                let (mut near, _far) = UnixStream::pair().unwrap();
                near.set_read_timeout(Some(SHORT)).unwrap();
                let read = near.read(&mut [0; 8]).unwrap_err();
                let (mut near, _far) = stuffed();
                near.set_write_timeout(Some(SHORT)).unwrap();
                let write = near.write(&[0; 8]).unwrap_err();
                let (listener, _) = listen();
                let accept = listener.accept_for(SHORT).unwrap_err();
                let full = Full::new();
                let connect = TcpStream::connect_timeout(&full.address, SHORT).unwrap_err();
                let (reader, _writer) = io::pipe().unwrap();
                let pipe = wait_readable(&reader, Some(SHORT)).unwrap_err();
                [read, write, accept, connect, pipe]
            });
            for error in party.join() {
                assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{side:?}: {error}");
                assert_eq!(Interrupted::of(&error), Some(Wake::TimedOut));
            }
            assert!(before.elapsed() >= 5 * SHORT);
        }
    });
}

#[test]
fn a_call_in_time_is_not_touched_by_its_limit() {
    in_a_world(|world| {
        for side in SIDES {
            let (mut near, mut far) = UnixStream::pair().unwrap();
            near.set_read_timeout(Some(LONG)).unwrap();
            let party = world.start_waiting_if_task(side, move || {
                let mut byte = [0];
                near.read_exact(&mut byte).unwrap();
                byte[0]
            });
            far.write_all(&[5]).unwrap();
            assert_eq!(party.join(), 5);
        }
    });
}

#[test]
fn an_enclosing_limit_unwinds_the_wait() {
    at_workers(|scheduler| {
        scheduler.run(|| {
            let (mut near, mut far) = UnixStream::pair().unwrap();
            let late = timeout(SHORT, || near.read(&mut [0; 8]).unwrap());
            assert!(late.is_err());
            // The socket is as it was.
            far.write_all(b"x").unwrap();
            let read = timeout(LONG, || near.read(&mut [0; 8]).unwrap());
            assert_eq!(read, Ok(1));
        });
    });
}

/// Data that comes at the moment at which the limit passes is read by the call or is there for the next one.
#[test]
fn a_limit_that_meets_the_data_loses_nothing() {
    at_workers(|scheduler| {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        near.set_read_timeout(Some(Duration::from_micros(200)))
            .unwrap();
        let reader = scheduler.spawn(move || {
            let mut seen = 0;
            while seen < 500 {
                match near.read(&mut [0; 1]) {
                    Ok(count) => seen += count,
                    Err(error) => assert_eq!(error.kind(), io::ErrorKind::TimedOut),
                }
            }
        });
        for _ in 0..500 {
            std::thread::sleep(Duration::from_micros(150));
            far.write_all(b"x").unwrap();
        }
        reader.join().unwrap();
    });
}

#[test]
fn timers_are_exact_while_a_worker_sleeps_at_the_poller() {
    at_workers(|scheduler| {
        let (mut near, far) = UnixStream::pair().unwrap();
        let reader = scheduler.spawn(move || near.read(&mut [0; 8]).unwrap());
        until_waits(reader.task(), WaitReason::Readable);
        let late = scheduler.run(|| {
            let each = (0..20).map(|_| {
                let before = Instant::now();
                assert_eq!(sleep(Duration::from_micros(300)), Wake::TimedOut);
                before.elapsed() - Duration::from_micros(300)
            });
            // The others say how busy the machine is.
            each.min().expect("there are some")
        });
        // A poller that waits in milliseconds would be late by 700 µs always.
        assert!(late < Duration::from_micros(600), "{late:?} late");
        drop(far);
        assert_eq!(reader.join().unwrap(), 0);
    });
}

/// What wakes a worker that sleeps at the poller: its own tasks are woken from elsewhere.
#[test]
fn a_worker_that_sleeps_at_the_poller_is_called() {
    at_workers(|scheduler| {
        let (mut near, far) = UnixStream::pair().unwrap();
        let reader = scheduler.spawn(move || near.read(&mut [0; 8]).unwrap());
        until_waits(reader.task(), WaitReason::Readable);
        let woken = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let woken = Arc::clone(&woken);
                scheduler.spawn(move || {
                    for _ in 0..200 {
                        assert_eq!(park_for(LONG), Wake::Signalled);
                        woken.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        for round in 0..200 {
            tasks.iter().for_each(|task| task.task().unpark());
            eventually("each was woken", || {
                woken.load(Ordering::SeqCst) == 4 * (round + 1)
            });
            if round % 20 == 0 {
                eventually("all sleep", || {
                    let stats = scheduler.stats();
                    stats.idle_workers == scheduler.workers()
                });
            }
        }
        for task in tasks {
            task.join().unwrap();
        }
        drop(far);
        assert_eq!(reader.join().unwrap(), 0);
    });
}

/// The worker that slept at the poller runs a task that does not come back, and the others sleep.
#[test]
fn readiness_is_noticed_while_a_worker_is_kept_busy() {
    with(checked(2), |scheduler| {
        for _ in 0..30 {
            let go = Arc::new(AtomicBool::new(false));
            let seen = Arc::new(AtomicBool::new(false));
            let (hog, mut to_hog) = waiter(scheduler, {
                let seen = Arc::clone(&seen);
                move || hog_until(|| seen.load(Ordering::SeqCst))
            });
            // One on the other worker.
            let (other, mut to_other) = loop {
                let (task, end) = waiter(scheduler, {
                    let seen = Arc::clone(&seen);
                    move || seen.store(true, Ordering::SeqCst)
                });
                if task.worker != hog.worker {
                    break (task, end);
                }
                task.task.abort();
                assert!(task.task.join().unwrap_err().is_cancelled());
            };
            go.store(true, Ordering::SeqCst);
            to_hog.write_all(b"x").unwrap();
            std::thread::sleep(Duration::from_millis(1));
            to_other.write_all(b"x").unwrap();
            other.task.join().unwrap();
            hog.task.join().unwrap();
        }
    });
}

struct Waiter {
    task: JoinHandle<()>,
    worker: usize,
}

/// A task that reads, and then does this; and on which worker it is.
fn waiter(scheduler: &Scheduler, then: impl FnOnce() + Send + 'static) -> (Waiter, UnixStream) {
    let (mut near, far) = UnixStream::pair().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    // Several at once, so that both workers take one.
    let beside: Vec<_> = (0..2)
        .map(|_| scheduler.spawn(|| (0..100).for_each(|_| yield_now())))
        .collect();
    let task = scheduler.spawn(move || {
        tell.send(current_worker().unwrap()).unwrap();
        near.read_exact(&mut [0]).unwrap();
        then();
    });
    let worker = told.recv_timeout(LONG).unwrap();
    until_waits(task.task(), WaitReason::Readable);
    for task in beside {
        task.join().unwrap();
    }
    (Waiter { task, worker }, far)
}

/// Tasks that stay where they are wait for one descriptor; one change is for all.
#[test]
fn many_wait_for_one_descriptor() {
    at_workers(|scheduler| {
        let (reader, mut writer) = io::pipe().unwrap();
        let reader = Arc::new(Ready::new(reader).unwrap());
        let read = |_| {
            let reader = Arc::clone(&reader);
            let task = scheduler.spawn(move || {
                let mut byte = [0];
                let count = reader.read_with(|mut pipe| pipe.read(&mut byte)).unwrap();
                assert_eq!(count, 1);
                byte[0]
            });
            until_waits(task.task(), WaitReason::Readable);
            task
        };
        let tasks: Vec<_> = (0..20).map(read).collect();
        writer.write_all(&(0..20).collect::<Vec<u8>>()).unwrap();
        let mut seen: Vec<u8> = tasks.into_iter().map(|task| task.join().unwrap()).collect();
        seen.sort();
        assert!(seen.into_iter().eq(0..20));
    });
}

/// The same pipe, watched for two at once and by number twice.
#[test]
fn a_descriptor_that_is_watched_can_be_waited_for() {
    at_workers(|scheduler| {
        let (reader, mut writer) = io::pipe().unwrap();
        let reader = Arc::new(Ready::new(reader).unwrap());
        let wait = |_| {
            let reader = Arc::clone(&reader);
            let task = scheduler.spawn(move || wait_readable(&*reader, None).unwrap());
            until_waits(task.task(), WaitReason::Readable);
            task
        };
        let tasks: Vec<_> = (0..3).map(wait).collect();
        writer.write_all(b"x").unwrap();
        for task in tasks {
            task.join().unwrap();
        }
    });
}

#[test]
fn what_is_ready_is_not_waited_for() {
    at_workers(|scheduler| {
        scheduler.run(|| {
            let (reader, mut writer) = io::pipe().unwrap();
            wait_writable(&writer, None).unwrap();
            writer.write_all(b"x").unwrap();
            wait_readable(&reader, Some(Duration::ZERO)).unwrap();
            // The end is something to read.
            drop(writer);
            wait_readable(&reader, None).unwrap();
            // A regular file is always ready.
            let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
            wait_readable(&file, None).unwrap();
        });
    });
}

/// A task that must not give its thread away blocks it.
#[test]
fn a_task_that_owns_its_thread_blocks_it() {
    at_workers(|scheduler| {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let task = scheduler.spawn(move || {
            let _own = fiberhost::scheduler::native::own();
            let mut byte = [0];
            near.read_exact(&mut byte).unwrap();
            byte[0]
        });
        std::thread::sleep(SHORT);
        far.write_all(&[3]).unwrap();
        assert_eq!(task.join().unwrap(), 3);
    });
}

impl common::sides::World<'_> {
    /// A thread does not say that it waits.
    fn start_waiting_if_task<T: Send + 'static>(
        &self,
        side: Side,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> common::sides::Party<T> {
        if side == Side::Thread {
            self.start(side, work)
        } else {
            self.start_waiting(side, WaitReason::Readable, work)
        }
    }
}

/// A task that computes and yields seldom, and is alone but for those who wait for their sockets: they do not wait for the
/// fairness pick, which would be sixty of its yields away.
#[test]
fn readiness_is_noticed_beside_a_task_that_yields_seldom() {
    const ROUNDS: usize = 10;
    with(checked(1), |scheduler| {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let echo = scheduler.spawn(move || {
            let mut byte = [0];
            while far.read(&mut byte).unwrap() > 0 {
                far.write_all(&byte).unwrap();
            }
        });
        until_waits(echo.task(), WaitReason::Readable);
        let yields = Arc::new(AtomicUsize::new(0));
        let over = Arc::new(AtomicBool::new(false));
        let seldom = {
            let (yields, over) = (Arc::clone(&yields), Arc::clone(&over));
            let work = move || {
                while !over.load(Ordering::SeqCst) {
                    let until = Instant::now() + Duration::from_millis(2);
                    hog_until(|| Instant::now() >= until);
                    yields.fetch_add(1, Ordering::SeqCst);
                    yield_now();
                }
            };
            // SAFETY: it keeps nothing of its thread across a yield.
            unsafe { scheduler.task().spawn_mobile(work) }.unwrap()
        };
        let mut waited = 0;
        for _ in 0..ROUNDS {
            let before = yields.load(Ordering::SeqCst);
            near.write_all(&[1]).unwrap();
            near.read_exact(&mut [0]).unwrap();
            waited += yields.load(Ordering::SeqCst) - before;
        }
        over.store(true, Ordering::SeqCst);
        seldom.join().unwrap();
        drop(near);
        echo.join().unwrap();
        assert!(waited < 20 * ROUNDS, "{waited} yields for {ROUNDS} answers");
    });
}
