//! The cases: which program, on how many workers, and what its `ns` counts.
//!
//! A new case is a variant of [`Program`], a line in [`CASES`], and an answer in each contender's `prepare`.

use super::contender::{Flavour, Who};

/// Tasks in the fan-out and in the chain.
pub(crate) const MANY: usize = 1_000;
/// Children of a skynet node.
pub(crate) const SKYNET_WIDTH: u64 = 10;
/// Levels of skynet below the root.
pub(crate) const SKYNET_DEPTH: u64 = 6;
/// Tasks in the ring, the number of the Benchmarks Game.
pub(crate) const RING: usize = 503;
/// Items the channel holds.
pub(crate) const CHANNEL_BOUND: usize = 64;
/// Tasks that share the mutex.
pub(crate) const MUTEX_TASKS: usize = 8;
/// Sleeps whose lateness is measured.
pub(crate) const SLEEPS: usize = 10_000;
/// The longest of them.
pub(crate) const SLEEP_MICROS_MAX: u64 = 200_000;
/// Tasks that are parked at once.
pub(crate) const PARKED: u64 = 1_000_000;
/// Levels of calls from managed to unmanaged code and back.
pub(crate) const CHAIN_DEPTH: u64 = 100;
/// Deadlines of the timers that are cancelled: far enough that none is ever reached.
pub(crate) const DEADLINE_SECONDS: std::ops::Range<u64> = 60..3_600;

/// How far below the loop the yield stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Depth {
    Flat,
    BelowFourCalls,
}

/// Where the two threads of a wake are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Placement {
    /// Where the kernel puts them.
    Anywhere,
    /// On different processors.
    Apart,
}

/// A program that every contender writes in its own way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Program {
    Yield { tasks: usize, depth: Depth },
    PingPong,
    PingPongCross,
    SpawnJoin,
    SpawnJoinPark,
    Fanout,
    Skynet,
    Chain,
    Ring,
    Channel,
    Mutex,
    LeaveEnter,
    HookPair,
    HookChain,
    CurrentTask,
    Crst,
    HostEvent,
    LeaveTaken,
    Hog,
    HogBound,
    WakeSleeping { placement: Placement },
    Timers,
    Parked,
    Idle,
    Echo,
}

/// How much of the program is one round.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Size {
    /// As many repetitions as fill the round; each contender finds its own number while it warms up.
    Filling,
    /// This many of the program's own unit (levels, wakes, timers, seconds).
    Fixed { full: u64, quick: u64 },
}

/// Whether the contenders may run a round at the same time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Turns {
    /// One after the other: each has the machine for itself.
    Alone,
    /// All at once, for a round in which nobody does anything.
    Together,
}

/// One line of the benchmark.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) program: Program,
    pub(crate) workers: &'static [usize],
    /// What `ns` counts, in words.
    pub(crate) counts: &'static str,
    pub(crate) size: Size,
    pub(crate) turns: Turns,
    /// The figure that was set as a goal for the first of these numbers of workers, where there is one.
    pub(crate) goal_ns: Option<f64>,
}

const fn yields(name: &'static str, tasks: usize, depth: Depth, goal_ns: Option<f64>) -> Case {
    Case {
        goal_ns,
        ..filling(name, Program::Yield { tasks, depth }, &[1], "one yield")
    }
}

const fn wakes(name: &'static str, placement: Placement) -> Case {
    let program = Program::WakeSleeping { placement };
    Case {
        size: Size::Fixed {
            full: 200,
            quick: 50,
        },
        ..filling(name, program, &[1], "wake to first instruction")
    }
}

const fn hogs(name: &'static str, program: Program, goal_ns: Option<f64>) -> Case {
    Case {
        size: Size::Fixed { full: 10, quick: 4 },
        goal_ns,
        ..filling(name, program, &[2], "p99 lateness of a tick behind it")
    }
}

const fn filling(
    name: &'static str,
    program: Program,
    workers: &'static [usize],
    counts: &'static str,
) -> Case {
    Case {
        name,
        program,
        workers,
        counts,
        size: Size::Filling,
        turns: Turns::Alone,
        goal_ns: None,
    }
}

/// Everything that can be run, in the order in which it is.
pub(crate) const CASES: &[Case] = &[
    yields("yield_1", 1, Depth::Flat, None),
    yields("yield_2", 2, Depth::Flat, Some(8.0)),
    yields("yield_10", 10, Depth::Flat, Some(8.0)),
    yields("yield_1000", 1_000, Depth::Flat, Some(8.0)),
    yields("yield_10000", 10_000, Depth::Flat, None),
    yields("yield_deep_2", 2, Depth::BelowFourCalls, None),
    yields("yield_deep_1000", 1_000, Depth::BelowFourCalls, None),
    Case {
        goal_ns: Some(40.0),
        ..filling("pingpong", Program::PingPong, &[1, 2], "one round trip")
    },
    filling(
        "pingpong_cross",
        Program::PingPongCross,
        &[2],
        "one round trip",
    ),
    Case {
        goal_ns: Some(60.0),
        ..filling("spawn_join", Program::SpawnJoin, &[1], "one task")
    },
    filling("spawn_join_park", Program::SpawnJoinPark, &[1], "one task"),
    filling("fanout_1000", Program::Fanout, &[1, 2], "one task"),
    Case {
        size: Size::Fixed {
            full: SKYNET_DEPTH,
            quick: SKYNET_DEPTH,
        },
        goal_ns: Some(90.0),
        ..filling("skynet", Program::Skynet, &[1], "whole run / tasks")
    },
    filling("chain", Program::Chain, &[1], "one task"),
    filling("ring", Program::Ring, &[1], "one hop"),
    filling("channel", Program::Channel, &[1, 2], "one item"),
    filling("mutex", Program::Mutex, &[2], "one acquisition"),
    filling(
        "leave_enter",
        Program::LeaveEnter,
        &[1],
        "one pair; corosensei: one resume and suspend",
    ),
    filling(
        "hook_pair",
        Program::HookPair,
        &[1],
        "one pair through the tables; corosensei: one resume and suspend",
    ),
    filling(
        "hook_chain",
        Program::HookChain,
        &[1],
        "one level: out, back in, and both returns; scheduler: a section with a callback in it",
    ),
    filling(
        "current_task",
        Program::CurrentTask,
        &[1],
        "one answer through the tables, and its release; scheduler: `current`",
    ),
    filling(
        "crst",
        Program::Crst,
        &[1],
        "one enter and leave without contention; the others: lock and unlock",
    ),
    filling(
        "host_event",
        Program::HostEvent,
        &[1],
        "one round trip through the tables; scheduler: its own events",
    ),
    Case {
        size: Size::Fixed {
            full: 100,
            quick: 20,
        },
        goal_ns: Some(2_000_000.0),
        ..filling(
            "leave_taken",
            Program::LeaveTaken,
            &[1],
            "added p99 delay of the others",
        )
    },
    hogs("hog", Program::Hog, Some(5_000_000.0)),
    hogs("hog_bound", Program::HogBound, None),
    Case {
        goal_ns: Some(2_000.0),
        ..wakes("wake_sleeping", Placement::Anywhere)
    },
    wakes("wake_sleeping_apart", Placement::Apart),
    Case {
        size: Size::Fixed {
            full: 100_000,
            quick: 100_000,
        },
        ..filling("timers", Program::Timers, &[1], "one arm + cancel")
    },
    Case {
        size: Size::Fixed {
            full: PARKED,
            quick: PARKED,
        },
        ..filling("parked_1m", Program::Parked, &[1], "wake to end, a task")
    },
    Case {
        size: Size::Fixed { full: 10, quick: 2 },
        turns: Turns::Together,
        ..filling("idle", Program::Idle, &[2], "CPU time a second")
    },
    filling("echo", Program::Echo, &[1, 2], "one round trip"),
];

impl Case {
    pub(crate) fn named(name: &str) -> Option<&'static Case> {
        CASES.iter().find(|case| case.name == name)
    }

    /// The fewest workers on which the program means what its name says.
    pub(crate) fn workers_min(&self) -> usize {
        match self.program {
            Program::PingPongCross | Program::Hog | Program::HogBound => 2,
            _ => 1,
        }
    }

    /// Who takes part. Tokio comes in both its flavours where both are sensible; the better one counts.
    pub(crate) fn contenders(&self, workers: usize) -> Vec<Who> {
        let mut who = vec![Who::Fiberhost];
        // Nobody else has these interfaces.
        match self.program {
            Program::HookPair => {
                who.extend([Who::Scheduler, Who::Corosensei]);
                return who;
            }
            Program::HookChain | Program::CurrentTask | Program::HostEvent => {
                who.push(Who::Scheduler);
                return who;
            }
            Program::Crst => {
                who.extend([Who::Scheduler, Who::ParkingLot]);
                return who;
            }
            _ => {}
        }
        // A multi-threaded tokio runtime cannot hold a task on a thread; two single-threaded ones can.
        let held = self.program == Program::PingPongCross;
        // Nor can one thread leave its tasks to another.
        let leaves = self.program == Program::LeaveEnter;
        if (workers == 1 && !leaves) || held {
            who.push(Who::Tokio(Flavour::CurrentThread));
        }
        if !held {
            who.push(Who::Tokio(Flavour::MultiThread));
        }
        who.extend([Who::May, Who::Threads]);
        match self.program {
            Program::Yield { .. } | Program::LeaveEnter if workers == 1 => {
                who.push(Who::Corosensei)
            }
            Program::WakeSleeping { .. } => who.push(Who::Futex),
            _ => {}
        }
        who
    }
}
