//! The door to a simulation: who would block, start a thread or read a clock asks here first.
//!
//! A simulation runs the threads of its schedulers in turn on one thread of the system (`simulate/world.rs`). What is
//! below it knows it as [`Turns`], which the calling thread of the system is in or not.
//!
//! Without the feature `simulate`, or where the jump is not written, nobody is ever in one, and the compiler knows it.
#![forbid(unsafe_code)]

use std::io;

use crate::primitive::clock::Instant;
use crate::primitive::{AtomicU32, thread};

/// What ended a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Unblocked {
    /// The word has changed or the time has come.
    Look,
    /// Neither, and nobody is left who could change that: the wait is to end as if its time had come.
    GiveUp,
}

/// A simulation, as seen from inside.
#[cfg_attr(not(fiberhost_simulate), allow(dead_code, reason = "nobody is in one"))]
pub(crate) trait Turns {
    /// Which one: no two in a process have the same number.
    fn number(&self) -> u64;
    /// Its time.
    fn now(&self) -> Instant;
    /// Its time in nanoseconds since it began.
    fn nanos(&self) -> u64;
    /// The calling thread blocks while the word has this value, until this time.
    fn block(&self, word: &AtomicU32, value: u32, until: Option<Instant>) -> Unblocked;
    /// Another thread may run here.
    fn point(&self);
    /// Another thread runs here, if there is one that can.
    fn give_way(&self);
    /// Whether the calling thread panics.
    fn panicking(&self) -> bool;
    /// If a wait was given up: says so by a panic.
    fn raise_verdict(&self);
    /// Whether the calling thread was there before the simulation.
    fn is_outermost(&self) -> bool;
    /// Which of its threads the calling one is.
    fn running(&self) -> usize;
    /// A thread for this life, with so much stack. The word is 1 when it has ended.
    fn start(&self, stack: usize, life: Box<dyn FnOnce()>) -> io::Result<Thread>;
    /// The calling thread is busy for so long.
    fn pass(&self, time: std::time::Duration);
    /// How many choices were made.
    fn steps(&self) -> u64;
    /// A number into which all of them have gone.
    fn mark(&self) -> u64;
    /// What can be said of it in a report.
    fn describe(&self) -> String;
}

/// A thread of a simulation, for whoever waits for its end.
pub(crate) struct Thread {
    pub(crate) ended: std::sync::Arc<AtomicU32>,
    pub(crate) index: usize,
}

/// A thread of the system or of a simulation.
pub(crate) enum JoinHandle {
    System(thread::JoinHandle<()>),
    #[cfg_attr(not(fiberhost_simulate), allow(dead_code, reason = "there is none"))]
    Simulated(Thread),
}

impl JoinHandle {
    /// Whether it is the calling thread.
    pub(crate) fn is_current(&self) -> bool {
        match self {
            JoinHandle::System(handle) => handle.thread().id() == thread::current().id(),
            JoinHandle::Simulated(thread) => {
                here().is_some_and(|world| world.running() == thread.index)
            }
        }
    }

    /// Waits for the end of the thread.
    ///
    /// # Panics
    /// With this text if it panicked.
    pub(crate) fn join(self, panicked: &str) {
        match self {
            JoinHandle::System(handle) => handle.join().expect(panicked),
            JoinHandle::Simulated(thread) => join(&thread),
        }
    }
}

#[cfg(fiberhost_simulate)]
mod imp {
    use std::cell::Cell;
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::primitive::Ordering;

    /// How many threads of the system are in a simulation: none, mostly, and then nothing else is looked at.
    static INSIDE: AtomicUsize = AtomicUsize::new(0);

    std::thread_local! {
        static HERE: Cell<Option<&'static dyn Turns>> = const { Cell::new(None) };
    }

    /// The simulation in which the caller is.
    #[inline(always)]
    pub(crate) fn here() -> Option<&'static dyn Turns> {
        // Relaxed: a thread that is inside has counted itself.
        if INSIDE.load(Ordering::Relaxed) == 0 {
            return None;
        }
        find()
    }

    #[cold]
    #[inline(never)]
    fn find() -> Option<&'static dyn Turns> {
        // While a thread ends it is in none.
        HERE.try_with(Cell::get).ok().flatten()
    }

    /// The calling thread of the system is in this simulation from now on, or in none.
    pub(crate) fn set(world: Option<&'static dyn Turns>) {
        let is_in = world.is_some();
        match (HERE.replace(world).is_some(), is_in) {
            (false, true) => _ = INSIDE.fetch_add(1, Ordering::Relaxed),
            (true, false) => _ = INSIDE.fetch_sub(1, Ordering::Relaxed),
            _ => {}
        }
    }
}

#[cfg(not(fiberhost_simulate))]
mod imp {
    use super::Turns;

    #[inline(always)]
    pub(crate) fn here() -> Option<&'static dyn Turns> {
        None
    }
}

pub(crate) use imp::*;

/// Another thread may run here. Not with a lock of ours.
#[inline(always)]
pub(crate) fn point() {
    if let Some(world) = here() {
        world.point();
    }
}

/// Whether the calling thread panics, a simulated one for itself.
#[inline(always)]
pub(crate) fn panicking() -> bool {
    std::thread::panicking() && here().is_none_or(|world| world.panicking())
}

/// The calling thread waits for this one.
fn join(thread: &Thread) {
    let world = here().expect("a simulated thread is joined in its simulation");
    while thread.ended.load(crate::primitive::Ordering::Acquire) == 0 {
        let ended = world.block(&thread.ended, 0, None);
        debug_assert!(
            ended == Unblocked::Look,
            "the threads of a scheduler that stops end"
        );
    }
}
