//! The table on the screen, and the line that shows progress.

use std::io::{self, IsTerminal, Write};

use super::contender::Who;
use super::standing::{Standing, Standings, Summary};

pub(crate) struct Screen {
    /// Whether a line can be written over.
    terminal: bool,
    headed: bool,
    /// What the fiberhost children said of the paths they run on; shown when it changes.
    paths: String,
}

impl Screen {
    pub(crate) fn new() -> Screen {
        Screen {
            terminal: io::stderr().is_terminal(),
            headed: false,
            paths: String::new(),
        }
    }

    pub(crate) fn progress(&self, number: usize, of: usize, step: &str) {
        // On a file each step is a line, so only the first of a contest is written.
        if self.terminal {
            eprint!("\r\x1b[K[{number}/{of}] {step}");
            let _ = io::stderr().flush();
        } else if step.ends_with("fiberhost warms up") {
            eprintln!("[{number}/{of}] {step}");
        }
    }

    pub(crate) fn clear_progress(&self) {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
    }

    pub(crate) fn print(&mut self, standings: &Standings) {
        if !self.headed {
            self.headed = true;
            head();
        }
        println!();
        let mut title = format!("{:<20}{:>3}", standings.case.name, standings.workers);
        for row in &standings.rows {
            let best = if standings.is_best_peer(row) {
                "*"
            } else {
                " "
            };
            println!("{title:<23} {best}{}", line(row));
            title.clear();
            if row.who == Who::Fiberhost && !row.about.is_empty() && row.about != self.paths {
                println!("{:24} {}", "", row.about);
                self.paths.clone_from(&row.about);
            }
        }
        for missed in standings.missed() {
            println!("{:24} fiberhost: {missed}", "");
        }
        println!("{:24} ns is {}", "", standings.case.counts);
    }
}

fn head() {
    println!(
        "{:<20}{:>3}  {:<11}{:>11}{:>11}{:>11}   times fiberhost [95 %]",
        "case", "w", "who", "ns", "p10", "p90"
    );
    println!("median over rounds; * is the best of may, tokio and threads; w: workers");
}

fn line(row: &Standing) -> String {
    let who = row.who.name();
    match &row.result {
        Ok(summary) => format!("{who:<11}{}", figures(summary, row))
            .trim_end()
            .to_owned(),
        Err(why) => format!("{who:<11}{:>11}   {why}", "-"),
    }
}

fn figures(summary: &Summary, row: &Standing) -> String {
    let is_ours = row.who == Who::Fiberhost;
    let ratio = summary
        .ratio
        .filter(|_| !is_ours)
        .map_or_else(String::new, |ratio| {
            format!(
                "x {} [{}, {}]",
                short(ratio.median),
                short(ratio.low),
                short(ratio.high)
            )
        });
    let mut words: Vec<String> = summary
        .fields
        .iter()
        .map(|(name, value)| format!("{name} {}", short(*value)))
        .collect();
    words.extend(row.who.flavour().map(str::to_owned));
    words.extend(
        row.other_flavour
            .map(|(flavour, ns)| format!("({flavour} {})", short(ns))),
    );
    // Ours has a line of its own.
    if !is_ours && !row.about.is_empty() {
        words.push(row.about.clone());
    }
    format!(
        "{:>11}{:>11}{:>11}   {ratio:<24} {}",
        short(summary.ns),
        short(summary.p10),
        short(summary.p90),
        words.join(", ")
    )
}

/// As many digits as a shared machine can mean.
fn short(value: f64) -> String {
    let places = match value.abs() {
        0.0 => 0,
        small if small < 10.0 => 2,
        middle if middle < 1_000.0 => 1,
        _ => 0,
    };
    format!("{value:.places$}")
}
