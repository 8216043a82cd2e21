//! Who sleeps at the poller, and what is known of a descriptor: no call is lost, and no readiness. The kernel's part is a
//! stand-in that keeps what it is told and gives each thing to one asker.

use std::sync::Arc;

use fiberhost_scheduler::model::{Descriptor, Idle, Poller, Sleeper, heavy};

use super::explore::{Bounds, explore, thread};

#[cfg(loom)]
use loom::sync::atomic::{AtomicUsize, Ordering};
#[cfg(shuttle)]
use shuttle::sync::atomic::{AtomicUsize, Ordering};

struct World {
    poller: Poller,
    socket: Descriptor,
    /// What has come in at the socket.
    data: AtomicUsize,
    sleepers: [Sleeper; 2],
}

impl World {
    fn new() -> Arc<World> {
        let poller = Poller::new();
        let socket = poller.add();
        Arc::new(World {
            poller,
            socket,
            data: AtomicUsize::new(0),
            sleepers: [Sleeper::new(), Sleeper::new()],
        })
    }

    /// A worker that has nothing to do but sleep, until it is called.
    fn worker(self: &Arc<World>, index: usize) -> thread::JoinHandle<()> {
        let world = self.clone();
        thread::spawn(move || {
            // A lost call is a deadlock here.
            while !world.poller.sleep(&world.sleepers[index]) {}
        })
    }

    /// So many pieces come in, one after the other.
    fn network(self: &Arc<World>, pieces: usize) -> thread::JoinHandle<()> {
        let world = self.clone();
        thread::spawn(move || {
            for _ in 0..pieces {
                world.data.fetch_add(1, Ordering::AcqRel);
                world.poller.tell(&world.socket);
            }
        })
    }

    /// A read that takes one piece.
    fn take(&self) -> Option<()> {
        let taken = |data: usize| data.checked_sub(1);
        self.data
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, taken)
            .ok()
            .map(drop)
    }

    /// A read that takes all.
    fn take_all(&self) -> Option<usize> {
        match self.data.swap(0, Ordering::AcqRel) {
            0 => None,
            data => Some(data),
        }
    }
}

/// Two go to sleep, one at the poller and one on its word, and both are called.
#[test]
fn who_sleeps_there_is_called() {
    explore(Bounds::protocol(200), || {
        let world = World::new();
        let workers = [world.worker(0), world.worker(1)];
        for sleeper in &world.sleepers {
            sleeper.call();
        }
        for worker in workers {
            worker.join().unwrap();
        }
        // Nothing is left of the role: it can be had again.
        world.sleepers[0].call();
        assert!(world.poller.sleep(&world.sleepers[0]));
    });
}

/// Two pieces come in for a reader that looks, finds nothing and waits, while a worker sleeps at the poller.
#[test]
fn readiness_is_not_forgotten() {
    explore(Bounds::protocol(500).preemptions(2), || {
        let world = World::new();
        let worker = world.worker(0);
        let network = world.network(2);
        for _ in 0..2 {
            world.socket.read(|| world.take());
        }
        world.sleepers[0].call();
        worker.join().unwrap();
        network.join().unwrap();
    });
}

/// The same for a reader that goes to wait at once, because its last read took all that was there.
#[test]
fn a_short_read_forgets_nothing() {
    explore(Bounds::protocol(500).preemptions(2), || {
        let world = World::new();
        let worker = world.worker(0);
        let network = world.network(2);
        let mut left = 2;
        while left > 0 {
            left -= world.socket.read_and_drain(|| world.take_all());
        }
        world.sleepers[0].call();
        worker.join().unwrap();
        network.join().unwrap();
    });
}

/// A worker that is awake asks now and then, another one goes to sleep there: what comes in is found by one of them.
#[test]
fn the_role_goes_from_one_to_the_other() {
    explore(Bounds::protocol(500).preemptions(2), || {
        let world = World::new();
        let worker = world.worker(0);
        let network = world.network(1);
        let busy = world.clone();
        let busy = thread::spawn(move || {
            busy.poller.ask();
            // Then it has nothing to do either.
            while !busy.poller.sleep(&busy.sleepers[1]) {}
        });
        world.socket.read(|| world.take());
        for sleeper in &world.sleepers {
            sleeper.call();
        }
        worker.join().unwrap();
        busy.join().unwrap();
        network.join().unwrap();
    });
}

/// Both workers find nothing for themselves, and each leaves the role to the other, if that one is awake.
#[test]
fn who_steps_back_leaves_it_to_one_that_is_awake() {
    explore(Bounds::protocol(500).preemptions(2), || {
        let world = World::new();
        let idle = Arc::new(Idle::new(2));
        let workers = [0, 1].map(|index| {
            let (world, idle) = (world.clone(), idle.clone());
            thread::spawn(move || {
                let sleeper = &world.sleepers[index];
                loop {
                    // S1, S2.
                    idle.enter(index, false);
                    heavy();
                    let called = world.poller.sleep_beside(sleeper, &idle, 2);
                    let _ = idle.leave(index);
                    if called {
                        return;
                    }
                    world.poller.step_back(sleeper);
                }
            })
        });
        let network = world.network(2);
        for _ in 0..2 {
            world.socket.read(|| world.take());
        }
        for sleeper in &world.sleepers {
            sleeper.call();
        }
        for worker in workers {
            worker.join().unwrap();
        }
        network.join().unwrap();
    });
}
