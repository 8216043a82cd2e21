//! The process that runs one contender's program for one case, and answers requests for rounds.

use std::io::{self, Write};
use std::panic;
use std::process;
use std::time::Duration;

use super::case::{Case, Size};
use super::contender::{Prepared, Unavailable, Who};
use super::cpus;
use super::wire::{Message, ROUND};

/// What a child is started for.
#[derive(Debug)]
pub(crate) struct Post {
    pub(crate) case: &'static Case,
    pub(crate) workers: usize,
    pub(crate) who: Who,
    pub(crate) effort: Effort,
}

/// How thoroughly to measure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Effort {
    Full,
    Quick,
}

impl Effort {
    pub(crate) fn rounds(self) -> usize {
        match self {
            Effort::Full => 15,
            Effort::Quick => 5,
        }
    }

    /// How long the measured part of a round should take.
    fn round(self) -> Duration {
        match self {
            Effort::Full => Duration::from_millis(50),
            Effort::Quick => Duration::from_millis(10),
        }
    }
}

/// Sets the program up, warms it, and then runs a round for each line on standard input.
pub(crate) fn serve(post: &Post) {
    report_panics();
    cpus::remember_allowed();
    let mut prepared = match post.who.prepare(post.case.program, post.workers) {
        Ok(prepared) => prepared,
        Err(Unavailable(why)) => return say(&Message::Unavailable(why)),
    };
    let size = warm_up(&mut prepared, post);
    say(&Message::Ready {
        size,
        about: prepared.about.clone(),
    });
    for line in io::stdin().lines() {
        match line.as_deref() {
            Ok(ROUND) => say(&Message::Round((prepared.round)(size))),
            Ok(other) => panic!("the parent said {other:?}"),
            Err(_) => break,
        }
    }
    // The parent has what it wanted. Whatever still runs here has no result to give, so nothing is waited for.
    process::exit(0);
}

/// Runs rounds of growing size until two in a row fill their time, and answers the size that does.
fn warm_up(prepared: &mut Prepared, post: &Post) -> u64 {
    let fill = match (post.case.size, post.effort) {
        // The interleaved round that nobody counts is warm-up enough for what costs seconds.
        (Size::Fixed { full, .. }, Effort::Full) => return full,
        (Size::Fixed { quick, .. }, Effort::Quick) => return quick,
        (Size::Filling, effort) => effort.round(),
    };
    let mut size = 1;
    let mut filled = false;
    loop {
        let took = (prepared.round)(size).took.max(Duration::from_nanos(1));
        let factor = fill.as_secs_f64() / took.as_secs_f64();
        if factor >= 2.0 {
            // Early rounds are cold and short: what they promise is believed only in part.
            size = (size as f64 * factor.min(16.0)) as u64;
            filled = false;
        } else if filled {
            return ((size as f64 * factor) as u64).max(1);
        } else {
            // Perhaps it was only interrupted.
            filled = true;
        }
    }
}

fn say(message: &Message) {
    let mut out = io::stdout().lock();
    // A parent that is gone needs no answer.
    let _ = writeln!(out, "{message}").and_then(|()| out.flush());
}

/// A panic on any thread, on any stack, ends the process with a message: a round that lost a task must not hang.
fn report_panics() {
    panic::set_hook(Box::new(|info| {
        let text = info.payload_as_str().unwrap_or("a panic without a text");
        // For whoever runs the child by hand; the parent does not read it.
        eprintln!("{info}");
        say(&Message::Failed(text.to_owned()));
        process::exit(1);
    }));
}
