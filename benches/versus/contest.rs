//! One case on one number of workers: all its contenders, round by round.

use super::case::{CASES, Case, Turns};
use super::child::{Effort, Post};
use super::cli::Options;
use super::contender::{Measured, Who};
use super::process::Running;

/// A case, and on how many workers it is run.
#[derive(Debug)]
pub(crate) struct Contest {
    pub(crate) case: &'static Case,
    pub(crate) workers: usize,
    effort: Effort,
}

/// What became of one contender.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) who: Who,
    pub(crate) about: String,
    /// One measurement a round, or why there is none.
    pub(crate) rounds: Result<Vec<Measured>, String>,
}

/// A contender while the contest goes on.
struct Seat {
    outcome: Outcome,
    running: Option<Running>,
}

impl Contest {
    pub(crate) fn all(options: &Options) -> Vec<Contest> {
        let wanted = CASES.iter().filter(|case| options.wants(case));
        wanted
            .flat_map(|case| {
                let workers = options
                    .workers
                    .map_or_else(|| case.workers.to_vec(), |n| vec![n]);
                workers
                    .into_iter()
                    .filter(|&n| n >= case.workers_min())
                    .map(move |workers| Contest {
                        case,
                        workers,
                        effort: options.effort,
                    })
            })
            .collect()
    }

    /// Runs every contender; `tell` is told each step, for the line that shows progress.
    pub(crate) fn run(&self, mut tell: impl FnMut(&str)) -> Vec<Outcome> {
        let title = format!("{} on {}", self.case.name, workers(self.workers));
        let mut seats = Vec::new();
        for who in self.case.contenders(self.workers) {
            tell(&format!("{title}: {who} warms up"));
            seats.push(self.seat(who));
        }
        let rounds = self.effort.rounds();
        // Round 0 warms the caches that the other contenders have cooled, and is thrown away.
        for round in 0..=rounds {
            tell(&format!("{title}: round {round} of {rounds}"));
            // Everybody goes first, second, ... equally often.
            let seated = seats.len();
            seats.rotate_left(round % seated);
            self.round(&mut seats);
            seats.rotate_right(round % seated);
            if round == 0 {
                seats.iter_mut().for_each(Seat::forget);
            }
        }
        seats.into_iter().map(|seat| seat.outcome).collect()
    }

    fn seat(&self, who: Who) -> Seat {
        let post = Post {
            case: self.case,
            workers: self.workers,
            who,
            effort: self.effort,
        };
        match Running::start(&post) {
            Ok((running, about)) => {
                let outcome = Outcome {
                    who,
                    about,
                    rounds: Ok(Vec::new()),
                };
                Seat {
                    outcome,
                    running: Some(running),
                }
            }
            Err(why) => {
                let outcome = Outcome {
                    who,
                    about: String::new(),
                    rounds: Err(why),
                };
                Seat {
                    outcome,
                    running: None,
                }
            }
        }
    }

    fn round(&self, seats: &mut [Seat]) {
        match self.case.turns {
            Turns::Alone => {
                for seat in seats {
                    seat.begin();
                    seat.end();
                }
            }
            Turns::Together => {
                seats.iter_mut().for_each(Seat::begin);
                seats.iter_mut().for_each(Seat::end);
            }
        }
    }
}

impl Seat {
    fn begin(&mut self) {
        if let Some(running) = &mut self.running {
            running.begin_round();
        }
    }

    fn end(&mut self) {
        let Some(running) = &mut self.running else {
            return;
        };
        match running.end_round() {
            Ok(measured) => {
                if let Ok(rounds) = &mut self.outcome.rounds {
                    rounds.push(measured);
                }
            }
            Err(why) => {
                self.outcome.rounds = Err(why);
                self.running = None;
            }
        }
    }

    fn forget(&mut self) {
        if let Ok(rounds) = &mut self.outcome.rounds {
            rounds.clear();
        }
    }
}

pub(crate) fn workers(count: usize) -> String {
    if count == 1 {
        "1 worker".to_owned()
    } else {
        format!("{count} workers")
    }
}
