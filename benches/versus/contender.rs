//! Who takes part, and what each of them answers when it is given a case.

use std::fmt;
use std::time::Duration;

use super::case::Program;
use super::{corosensei, fiberhost, futex, may, parking_lot, threads, tokio};

/// Tokio's two runtimes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Flavour {
    CurrentThread,
    MultiThread,
}

/// A contender, as it is named on the child's command line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Who {
    Fiberhost,
    Tokio(Flavour),
    May,
    Threads,
    /// The coroutines alone, round robin: what is left when there is no scheduler.
    Corosensei,
    /// The bare system call pair.
    Futex,
    /// The layer below the hosting interfaces.
    Scheduler,
    ParkingLot,
}

const ALL: [Who; 9] = [
    Who::Fiberhost,
    Who::Tokio(Flavour::CurrentThread),
    Who::Tokio(Flavour::MultiThread),
    Who::May,
    Who::Threads,
    Who::Corosensei,
    Who::Futex,
    Who::Scheduler,
    Who::ParkingLot,
];

impl Who {
    /// The name under which results are shown; both flavours of tokio share one.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Who::Fiberhost => "fiberhost",
            Who::Tokio(_) => "tokio",
            Who::May => "may",
            Who::Threads => "threads",
            Who::Corosensei => "corosensei",
            Who::Futex => "futex",
            Who::Scheduler => "scheduler",
            Who::ParkingLot => "parking_lot",
        }
    }

    pub(crate) fn flavour(self) -> Option<&'static str> {
        match self {
            Who::Tokio(Flavour::CurrentThread) => Some("current_thread"),
            Who::Tokio(Flavour::MultiThread) => Some("multi_thread"),
            Who::Fiberhost
            | Who::May
            | Who::Threads
            | Who::Corosensei
            | Who::Futex
            | Who::Scheduler
            | Who::ParkingLot => None,
        }
    }

    /// Whether it can be the best peer. The others are shown, not counted.
    pub(crate) fn is_peer(self) -> bool {
        matches!(self, Who::Tokio(_) | Who::May | Who::Threads)
    }

    pub(crate) fn parse(text: &str) -> Option<Who> {
        ALL.into_iter().find(|who| who.to_string() == text)
    }

    /// Sets the program up, in the process that will run it.
    pub(crate) fn prepare(self, program: Program, workers: usize) -> Result<Prepared, Unavailable> {
        match self {
            Who::Fiberhost => fiberhost::prepare(program, workers),
            Who::Tokio(flavour) => tokio::prepare(program, workers, flavour),
            Who::May => may::prepare(program, workers),
            Who::Threads => threads::prepare(program, workers),
            Who::Corosensei => corosensei::prepare(program),
            Who::Futex => futex::prepare(program),
            Who::Scheduler => fiberhost::prepare_below(program, workers),
            Who::ParkingLot => parking_lot::prepare(program),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.flavour() {
            Some(flavour) => write!(f, "{}:{flavour}", self.name()),
            None => f.write_str(self.name()),
        }
    }
}

/// A program that is ready to run, and a word on how it was written.
pub(crate) struct Prepared {
    /// Runs one round of the given size and checks its own result.
    pub(crate) round: Box<dyn FnMut(u64) -> Measured>,
    pub(crate) about: String,
}

impl Prepared {
    pub(crate) fn new(round: impl FnMut(u64) -> Measured + 'static) -> Prepared {
        Prepared {
            round: Box::new(round),
            about: String::new(),
        }
    }

    pub(crate) fn about(mut self, about: impl Into<String>) -> Prepared {
        self.about = about.into();
        self
    }
}

/// Why a contender does not run a case; shown in its place.
#[derive(Debug)]
pub(crate) struct Unavailable(pub(crate) String);

impl Unavailable {
    pub(crate) fn because<T>(why: &str) -> Result<T, Unavailable> {
        Err(Unavailable(why.to_owned()))
    }
}

/// One round.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Measured {
    pub(crate) ns: f64,
    /// How long the measured part took, by which the size of a round is found.
    pub(crate) took: Duration,
    /// What a case reports besides `ns`.
    pub(crate) fields: Vec<(String, f64)>,
}

impl Measured {
    pub(crate) fn each(took: Duration, operations: u64) -> Measured {
        Measured {
            ns: took.as_nanos() as f64 / operations as f64,
            took,
            fields: Vec::new(),
        }
    }

    pub(crate) fn with(mut self, field: &str, value: f64) -> Measured {
        self.fields.push((field.to_owned(), value));
        self
    }
}
