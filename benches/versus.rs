//! fiberhost beside its peers, on the programs that the field knows.
//!
//! ```sh
//! cargo bench --bench versus                                # everything, some ten minutes
//! cargo bench --bench versus -- --quick --only yield_2      # one case, roughly
//! cargo bench --bench versus -- --json --workers 1 > all.jsonl
//! ```
//!
//! Each (case, workers, contender) runs in a process of its own, this program started again with a hidden argument.
//! The processes of one case live side by side and are asked for one round each in turn, so that whatever happens
//! to the machine happens to all of them; a ratio is the median of the ratios within a round.
//!
//! What is measured stands in `versus/case.rs`, how each contender writes it in the file that bears its name.

mod versus {
    // What is measured, and what a contender answers.
    pub(crate) mod case;
    pub(crate) mod contender;

    // The contenders.
    pub(crate) mod corosensei;
    pub(crate) mod fiberhost;
    pub(crate) mod futex;
    pub(crate) mod may;
    pub(crate) mod parking_lot;
    pub(crate) mod threads;
    pub(crate) mod tokio;

    // What their programs have in common.
    pub(crate) mod cpus;
    pub(crate) mod deep;
    pub(crate) mod echo;
    pub(crate) mod gaps;
    pub(crate) mod hog;
    pub(crate) mod hold;
    pub(crate) mod idle;
    pub(crate) mod lap;
    pub(crate) mod parked;
    pub(crate) mod procfs;
    pub(crate) mod random;
    pub(crate) mod ring;
    pub(crate) mod skynet;
    pub(crate) mod sleeper;
    pub(crate) mod tally;
    pub(crate) mod witness;

    // From a command line to rounds in other processes.
    pub(crate) mod child;
    pub(crate) mod cli;
    pub(crate) mod contest;
    pub(crate) mod process;
    pub(crate) mod wire;

    // From rounds to what is shown.
    pub(crate) mod json;
    pub(crate) mod standing;
    pub(crate) mod statistics;
    pub(crate) mod svg;
    pub(crate) mod table;
}

use std::process::ExitCode;

use versus::cli::{self, Command, Options};
use versus::contest::Contest;
use versus::standing::Standings;
use versus::{child, json, svg, table};

fn main() -> ExitCode {
    match cli::parse(std::env::args().skip(1)) {
        Ok(Command::Compare(options)) => compare(&options),
        Ok(Command::Child(post)) => {
            child::serve(&post);
            ExitCode::SUCCESS
        }
        Ok(Command::Explain) => {
            println!("{}", cli::usage());
            ExitCode::SUCCESS
        }
        Err(wrong) => {
            eprintln!("versus: {wrong}\n\n{}", cli::usage());
            ExitCode::FAILURE
        }
    }
}

/// Runs what was asked for, shows each case when it is done, and draws at the end.
fn compare(options: &Options) -> ExitCode {
    let mut shown = Vec::new();
    let mut screen = table::Screen::new();
    let contests = Contest::all(options);
    for (number, contest) in contests.iter().enumerate() {
        let results = contest.run(|step| screen.progress(number + 1, contests.len(), step));
        let standings = Standings::of(contest, &results);
        screen.clear_progress();
        if options.json {
            json::print(&standings);
        } else {
            screen.print(&standings);
        }
        shown.push(standings);
    }
    if let Some(file) = &options.svg
        && let Err(why) = std::fs::write(file, svg::draw(&shown))
    {
        eprintln!("versus: {}: {why}", file.display());
        return ExitCode::FAILURE;
    }
    // A round that failed its own check is a wrong result, not a slow one.
    if shown.iter().any(Standings::fiberhost_failed) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}
