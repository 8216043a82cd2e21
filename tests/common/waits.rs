//! One of each kind of wait, none of which ends by itself.

use std::io::Read;

use fiberhost::scheduler::io::{Interrupted, wait_readable};
use fiberhost::scheduler::net::{TcpListener, UnixStream};
use fiberhost::scheduler::sync::{
    AutoResetEvent, Barrier, Condvar, ManualResetEvent, Mutex, Once, RwLock, Semaphore, channel,
};
use fiberhost::scheduler::{
    CancelToken, JoinError, JoinHandle, JoinSet, WaitReason, Wake, block_on, park, park_for, scope,
    sleep, spawn, timeout,
};

use super::{LONG, OnDrop};

/// A wait, by name, with the reason that is seen from outside.
#[derive(Clone, Copy)]
pub(crate) struct Waiting {
    pub(crate) name: &'static str,
    pub(crate) reason: WaitReason,
    pub(crate) wait: fn() -> Ended,
}

/// What a wait says about its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ended {
    By(Wake),
    Interrupted,
    /// The other task was over first: a shutdown ends all of them.
    OtherOver,
    /// It has no way to say anything.
    Silent,
}

impl Ended {
    fn of_join<T>(result: Result<T, JoinError>) -> Ended {
        match result {
            Err(error) if error.is_interrupted() => Ended::Interrupted,
            _ => Ended::OtherOver,
        }
    }

    fn of_io<T>(result: std::io::Result<T>) -> Ended {
        let error = result.err().expect("nothing is ready");
        Ended::By(Interrupted::of(&error).expect("nothing went wrong"))
    }
}

const fn waiting(name: &'static str, reason: WaitReason, wait: fn() -> Ended) -> Waiting {
    Waiting { name, reason, wait }
}

/// Those that can say how they ended.
pub(crate) const SAYING: [Waiting; 16] = [
    waiting("park", WaitReason::Park, || Ended::By(park())),
    waiting("park_for", WaitReason::Park, || Ended::By(park_for(LONG))),
    waiting("sleep", WaitReason::Sleep, || Ended::By(sleep(LONG))),
    waiting("auto event", WaitReason::Event, || {
        Ended::By(AutoResetEvent::new(false).wait())
    }),
    waiting("manual event", WaitReason::Event, || {
        Ended::By(ManualResetEvent::new(false).wait())
    }),
    waiting("event with a limit", WaitReason::Event, || {
        Ended::By(AutoResetEvent::new(false).wait_for(LONG))
    }),
    waiting("join", WaitReason::Join, || {
        beside(|task| Ended::of_join(task.join()))
    }),
    waiting("join with a limit", WaitReason::Join, || {
        beside(|task| Ended::of_join(task.join_for(LONG).expect("not so soon")))
    }),
    waiting("wait for a task", WaitReason::Join, || {
        beside(|task| Ended::of_join(task.task().wait()))
    }),
    waiting("join set", WaitReason::Join, || {
        let mut set = JoinSet::new();
        set.spawn(park);
        Ended::of_join(set.join_next().expect("there is one"))
    }),
    waiting("token", WaitReason::Cancel, || {
        Ended::By(CancelToken::new().wait())
    }),
    waiting("timeout", WaitReason::Park, || {
        Ended::By(timeout(LONG, park).expect("not so soon"))
    }),
    waiting("semaphore that says", WaitReason::Semaphore, || {
        Ended::By(Semaphore::new(0).wait())
    }),
    waiting("accept", WaitReason::Readable, || {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        Ended::of_io(listener.accept())
    }),
    waiting("read", WaitReason::Readable, || {
        let (mut near, _far) = UnixStream::pair().expect("two descriptors");
        Ended::of_io(near.read(&mut [0; 8]))
    }),
    waiting("a pipe with a limit", WaitReason::Readable, || {
        let (reader, _writer) = std::io::pipe().expect("two descriptors");
        Ended::of_io(wait_readable(&reader, Some(LONG)))
    }),
];

/// Those that can only be unwound.
pub(crate) const SILENT: [Waiting; 11] = [
    waiting("mutex", WaitReason::Mutex, || {
        let lock = Mutex::new(());
        behind(
            |held| held.keep(lock.lock()),
            || {
                drop(lock.lock());
                Ended::Silent
            },
        )
    }),
    waiting("read lock", WaitReason::RwLockRead, || {
        let lock = RwLock::new(());
        behind(
            |held| held.keep(lock.write()),
            || {
                drop(lock.read());
                Ended::Silent
            },
        )
    }),
    waiting("write lock", WaitReason::RwLockWrite, || {
        let lock = RwLock::new(());
        behind(
            |held| held.keep(lock.read()),
            || {
                drop(lock.write());
                Ended::Silent
            },
        )
    }),
    waiting("condvar", WaitReason::Condvar, || {
        let (lock, condvar) = (Mutex::new(()), Condvar::new());
        condvar.wait(&mut lock.lock());
        Ended::Silent
    }),
    waiting("semaphore", WaitReason::Semaphore, || {
        drop(Semaphore::new(0).acquire());
        Ended::Silent
    }),
    waiting("barrier", WaitReason::Barrier, || {
        let _ = Barrier::new(2).wait();
        Ended::Silent
    }),
    waiting("once", WaitReason::Once, || {
        let once = Once::new();
        behind(
            |held| once.call_once(|| held.keep(())),
            || {
                // Forced, because the shutdown may unwind the one inside first, which poisons the cell.
                once.call_once_force(|_| ());
                Ended::Silent
            },
        )
    }),
    waiting("future", WaitReason::Future, || {
        block_on(std::future::pending::<()>());
        Ended::Silent
    }),
    waiting("send", WaitReason::ChannelSend, || {
        let (sender, _receiver) = channel::bounded(1);
        for number in 0..2 {
            let _ = sender.send(number);
        }
        Ended::Silent
    }),
    waiting("receive", WaitReason::ChannelReceive, || {
        let (_sender, receiver) = channel::unbounded::<u32>();
        let _ = receiver.recv();
        Ended::Silent
    }),
    waiting("select", WaitReason::Select, || {
        let (_sender, receiver) = channel::unbounded::<u32>();
        let mut select = channel::Select::new();
        select.recv(&receiver);
        drop(select.select());
        Ended::Silent
    }),
];

/// A scope's wait for its tasks, which only their end ends.
pub(crate) const SCOPE: Waiting = waiting("scope", WaitReason::Scope, || {
    scope(|scope| {
        scope.spawn(park);
    });
    Ended::Silent
});

/// Runs a wait for a task that parks, and lets that one go afterwards, however the wait ends.
fn beside<T>(wait: impl FnOnce(JoinHandle<Wake>) -> T) -> T {
    let other = spawn(park);
    let task = other.task().clone();
    let _release = OnDrop(|| task.unpark());
    wait(other)
}

/// Says that something is held, and keeps it until it is no longer waited for.
struct Held {
    now: ManualResetEvent,
    release: ManualResetEvent,
}

impl Held {
    fn keep<T>(&self, held: T) {
        self.now.set();
        self.release.wait();
        drop(held);
    }
}

/// Waits for something that another task holds.
fn behind(hold: impl Fn(&Held) + Sync, wait: impl Fn() -> Ended) -> Ended {
    let held = Held {
        now: ManualResetEvent::new(false),
        release: ManualResetEvent::new(false),
    };
    scope(|scope| {
        let _release = OnDrop(|| held.release.set());
        scope.spawn(|| hold(&held));
        held.now.wait();
        wait()
    })
}
