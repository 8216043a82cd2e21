//! What happened, and when: a ring of events for each thread, written by it alone, and read at any time.
//!
//! What is recorded is for the scheduler to say, at its start ([`Builder::trace`](crate::Builder::trace)) and later
//! ([`Scheduler::set_trace`](crate::Scheduler::set_trace)). Recorded always is what is rare, or costs much more than its record:
//! steals, slots handed over, stalls, waits that end by their time limit; and those waits and wakes, one in about 60, of
//! which the times are taken anyhow, and a native section now and then. The rest costs a time-stamp and some stores each, which is more than a switch may cost
//! unasked: it is recorded on request, and where it is not requested it costs nothing (`watch.rs`).
//!
//! [`Trace::chrome`] writes it in the format of Chrome and Perfetto.
#![forbid(unsafe_code)]

mod chrome;
mod ring;

use std::time::Duration;

use crate::native::Target;
use crate::primitive::{Mutex, ticks};
use crate::scheduler::Core;
use crate::thread::Thread;
use crate::wait::{WaitReason, Wake};
pub(crate) use ring::Ring;

/// What is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Recording {
    /// Steals, hand-overs, stalls and timers, and some of the waits, wakes and native sections: those of
    /// which the [times](crate::Accounting) are taken.
    #[default]
    Rare,
    /// That, and of each task its spawn, start, waits, wakes, native sections and end.
    Tasks,
    /// That, and each switch to a task and back from it.
    Switches,
}

/// Something that happened.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Event {
    /// When, counted from the scheduler's start.
    pub at: Duration,
    /// The thread of the scheduler where it happened, by its number; nothing for the monitor and for threads from outside.
    pub thread: Option<usize>,
    /// The task to which it happened, by its number; 0 if to none.
    pub task: u64,
    /// What.
    pub what: What,
}

/// What happened to a task.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum What {
    /// It was spawned, by the task of this number; 0: not by a task.
    Spawn {
        /// The spawner.
        by: u64,
    },
    /// It began to run.
    Start,
    /// It begins to wait.
    Park {
        /// For what.
        reason: WaitReason,
    },
    /// It goes on after a wait.
    Resume {
        /// What ended the wait.
        wake: Wake,
    },
    /// Its wait was ended, by the task of this number; 0: not by a task.
    Wake {
        /// Who did it.
        by: u64,
    },
    /// Its wait was ended by its time limit.
    Timer,
    /// The thread switched to it.
    Run,
    /// It gave the thread back.
    Stop {
        /// Why.
        why: Stop,
    },
    /// It ended.
    Exit,
    /// An idle worker found it elsewhere than in its own queues.
    Steal,
    /// The slot of its thread was taken, since it was in a native section.
    HandOver {
        /// What it calls.
        target: Option<&'static Target>,
    },
    /// It came back from such a section, and has a slot again.
    Return,
    /// It goes into a native section.
    Leave {
        /// What it calls.
        target: Option<&'static Target>,
    },
    /// It comes back from one.
    Enter,
    /// It did not settle for long.
    Stall,
}

/// Why a task gave its thread back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It yielded.
    Yield,
    /// It waits.
    Wait,
    /// It is done.
    Done,
}

/// What was recorded.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Trace {
    /// What happened, in order of time.
    pub events: Vec<Event>,
    /// What was recorded when it was read. Less than [`Tasks`](Recording::Tasks): of the waits some are there and others are not.
    pub recording: Recording,
    /// How many events were written over before they could be read: a ring keeps some thousands.
    pub lost: u64,
}

/// How an event is coded: the content's upper byte, with the task's number below it.
const SPAWN: u8 = 1;
const START: u8 = 2;
const PARK: u8 = 3;
const RESUME: u8 = 4;
const WAKE: u8 = 5;
const TIMER: u8 = 6;
const RUN: u8 = 7;
const STOP_YIELD: u8 = 8;
const STOP_WAIT: u8 = 9;
const STOP_DONE: u8 = 10;
const EXIT: u8 = 11;
const STEAL: u8 = 12;
const HAND_OVER: u8 = 13;
const RETURN: u8 = 14;
const STALL: u8 = 15;
const LEAVE: u8 = 17;
const ENTER: u8 = 18;
/// The second unit of an event, whose first word is a value instead of a stamp.
const MORE: u8 = 16;

const KIND_SHIFT: u32 = 56;
const TASK: u64 = (1 << KIND_SHIFT) - 1;

impl What {
    /// The kind, and what else there is to say.
    #[inline(always)]
    fn code(self) -> (u8, Option<u64>) {
        match self {
            What::Spawn { by } => (SPAWN, Some(by)),
            What::Start => (START, None),
            What::Park { reason } => (PARK, Some(reason as u64)),
            What::Resume { wake } => (RESUME, Some(wake.bits())),
            What::Wake { by } => (WAKE, Some(by)),
            What::Timer => (TIMER, None),
            What::Run => (RUN, None),
            What::Stop { why: Stop::Yield } => (STOP_YIELD, None),
            What::Stop { why: Stop::Wait } => (STOP_WAIT, None),
            What::Stop { why: Stop::Done } => (STOP_DONE, None),
            What::Exit => (EXIT, None),
            What::Steal => (STEAL, None),
            What::HandOver { target } => (HAND_OVER, Some(Target::address_of(target) as u64)),
            What::Return => (RETURN, None),
            What::Stall => (STALL, None),
            What::Leave { target } => (LEAVE, Some(Target::address_of(target) as u64)),
            What::Enter => (ENTER, None),
        }
    }

    fn decode(kind: u8, more: u64) -> Option<What> {
        Some(match kind {
            SPAWN => What::Spawn { by: more },
            START => What::Start,
            PARK => What::Park {
                reason: WaitReason::from_bits(more as u8),
            },
            RESUME => What::Resume {
                wake: Wake::from_bits(more),
            },
            WAKE => What::Wake { by: more },
            TIMER => What::Timer,
            RUN => What::Run,
            STOP_YIELD => What::Stop { why: Stop::Yield },
            STOP_WAIT => What::Stop { why: Stop::Wait },
            STOP_DONE => What::Stop { why: Stop::Done },
            EXIT => What::Exit,
            STEAL => What::Steal,
            HAND_OVER => What::HandOver {
                target: Target::stored(more as usize),
            },
            RETURN => What::Return,
            STALL => What::Stall,
            LEAVE => What::Leave {
                target: Target::stored(more as usize),
            },
            ENTER => What::Enter,
            _ => return None,
        })
    }
}

impl Ring {
    /// Records an event that happened at this time. One writer.
    #[inline(always)]
    pub(crate) fn record(&self, stamp: u64, task: u64, what: What) {
        let (kind, more) = what.code();
        let first = [stamp, (u64::from(kind) << KIND_SHIFT) | (task & TASK)];
        match more {
            Some(more) => self.push([first, [more, u64::from(MORE) << KIND_SHIFT]]),
            None => self.push([first]),
        }
    }
}

/// The rings, but for those of the threads.
pub(crate) struct Outside {
    /// The monitor, and threads that are none of the scheduler's: one writer at a time.
    ring: Mutex<Ring>,
}

impl Outside {
    pub(crate) fn new() -> Outside {
        Outside {
            ring: Mutex::new(Ring::new()),
        }
    }
}

/// Records something that happens now. `here` is the caller, if it is a worker of this scheduler.
pub(crate) fn record(core: &Core, here: Option<&Thread>, task: u64, what: What) {
    if cfg!(any(loom, shuttle)) {
        return;
    }
    match here {
        Some(thread) => thread.ring.record(ticks::now(), task, what),
        None => {
            // Stamped under the lock, so that a ring is in order of time.
            let ring = core.outside_ring.ring.lock();
            ring.record(ticks::now(), task, what);
        }
    }
}

/// The same of something that happened before, at this time.
pub(crate) fn record_at(core: &Core, here: Option<&Thread>, at: u64, task: u64, what: What) {
    if cfg!(any(loom, shuttle)) {
        return;
    }
    match here {
        Some(thread) => thread.ring.record(at, task, what),
        // Who reads puts them in order.
        None => core.outside_ring.ring.lock().record(at, task, what),
    }
}

impl Trace {
    /// What is in the rings now.
    pub(crate) fn read(core: &Core) -> Trace {
        let rate = core.origin.rate();
        let mut trace = Trace {
            events: Vec::new(),
            recording: core.watching.recording(),
            lost: 0,
        };
        for thread in core.threads.iter() {
            trace.add(&thread.ring, Some(thread.index), &rate);
        }
        trace.add(&core.outside_ring.ring.lock(), None, &rate);
        // Stable: what one thread recorded stays in its order.
        trace.events.sort_by_key(|event| event.at);
        trace
    }

    fn add(&mut self, ring: &Ring, thread: Option<usize>, rate: &ticks::Rate) {
        let found = ring.read();
        self.lost += found.lost;
        let mut units = found.units.iter().peekable();
        while let Some([stamp, content]) = units.next() {
            let kind = (content >> KIND_SHIFT) as u8;
            let is_more = |unit: &&[u64; 2]| (unit[1] >> KIND_SHIFT) as u8 == MORE;
            let more = units.next_if(is_more).map(|unit| unit[0]);
            // A second unit alone is what is left of an event that was written over; one that is still being written comes later.
            let is_whole = more.is_some() || !Self::has_more(kind);
            if let Some(what) = What::decode(kind, more.unwrap_or(0)).filter(|_| is_whole) {
                self.events.push(Event {
                    at: Duration::from_nanos(rate.since_origin(*stamp)),
                    thread,
                    task: content & TASK,
                    what,
                });
            }
        }
    }

    fn has_more(kind: u8) -> bool {
        What::decode(kind, 0).is_some_and(|what| what.code().1.is_some())
    }
}
