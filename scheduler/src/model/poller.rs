//! A poller with its descriptors, for the models.

use std::sync::Arc;

use super::{Idle, Sleeper};
use crate::io::Slept;
use crate::io::poller;
use crate::io::readiness::{Readiness, Ready, Side};
use crate::park::{self, Limit};
use crate::wait::{Interrupt, Wake};

/// Who asks the kernel, with a kernel that is told what to answer.
pub struct Poller(poller::Poller);

impl std::fmt::Debug for Poller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Poller")
    }
}

impl Default for Poller {
    fn default() -> Self {
        Poller::new()
    }
}

impl Poller {
    /// Without descriptors.
    pub fn new() -> Self {
        Poller(poller::Poller::new().expect("a model's kernel refuses nothing"))
    }

    /// Watches one.
    pub fn add(&self) -> Descriptor {
        let readiness = Arc::new(Readiness::new());
        let token = self
            .0
            .add(&readiness, |_, _| Ok(()))
            .expect("a model's kernel refuses nothing");
        Descriptor { readiness, token }
    }

    /// There is something to read.
    pub fn tell(&self, descriptor: &Descriptor) {
        let ready = Ready {
            read: true,
            ..Ready::default()
        };
        self.0.kernel().tell(descriptor.token, ready);
    }

    /// Asks without waiting. `true`: somebody was woken.
    pub fn ask(&self) -> bool {
        self.0.ask()
    }

    /// The same for one of so many workers that count who sleeps.
    pub fn sleep_beside(&self, sleeper: &Sleeper, idle: &Idle, workers: usize) -> bool {
        let others_awake = || !idle.idle.all_asleep(workers);
        self.0.sleep(&sleeper.0, None, others_awake).called
    }

    /// Nothing was for the worker that slept there.
    pub fn step_back(&self, sleeper: &Sleeper) {
        self.0.step_back(&sleeper.0);
    }

    /// A worker goes to sleep. `true`: it was called.
    pub fn sleep(&self, sleeper: &Sleeper) -> bool {
        let Slept { called, .. } = self.0.sleep(&sleeper.0, None, || false);
        called
    }
}

/// Something to read from.
pub struct Descriptor {
    readiness: Arc<Readiness>,
    token: usize,
}

impl std::fmt::Debug for Descriptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Descriptor")
    }
}

impl Descriptor {
    /// Reads until `call` finds something; `None` is the kernel's "it would block".
    pub fn read<R>(&self, mut call: impl FnMut() -> Option<R>) -> R {
        loop {
            let seen = self.readiness.look(Side::Read);
            if seen.ready
                && let Some(result) = call()
            {
                return result;
            }
            let waited = park::wait_listed(
                Side::Read.reason(),
                Limit::Never,
                Interrupt::Alert,
                |task, arm| self.readiness.publish(Side::Read, seen, task, arm),
                |task| self.readiness.take_back(Side::Read, task),
            );
            assert_eq!(waited.wake, Wake::Signalled);
        }
    }

    /// The last read took all that was there.
    pub fn read_and_drain<R>(&self, mut call: impl FnMut() -> Option<R>) -> R {
        let mut seen = self.readiness.look(Side::Read);
        let result = self.read(|| {
            seen = self.readiness.look(Side::Read);
            call()
        });
        self.readiness.note_drained(Side::Read, seen);
        result
    }
}
