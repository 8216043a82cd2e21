//! What the load came to, as a page of text.
#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use fiberhost::scheduler::stats::Histogram as Times;

use crate::histogram::Histogram;
use crate::load::{KINDS, Outcome};
use sql_host::server::Server;
use sql_host::wasm::boundary::{Count, Crossings};

/// Writes it; the trace lies in this file.
pub(crate) fn write(
    out: &mut dyn Write,
    outcome: &Outcome,
    server: &Server,
    crossings: &Crossings,
    trace: &Path,
) -> io::Result<()> {
    writeln!(
        out,
        "{} statements in {:.1} s: {:.0} a second",
        total(outcome),
        outcome.took.as_secs_f64(),
        rate(outcome)
    )?;
    writeln!(out)?;
    writeln!(
        out,
        "{:<28}{:>10}{:>12}{:>12}{:>12}{:>12}",
        "", "count", "p50", "p99", "p99.9", "longest"
    )?;
    for (kind, times) in KINDS.iter().zip(&outcome.times) {
        let quantile = |part| times.quantile(part);
        line(out, kind, times.total(), quantile, times.longest())?;
    }
    let histograms = server.host().scheduler().histograms();
    let delay: &Times = &histograms.dispatch_delay;
    let quantile = |part| delay.quantile(part);
    line(
        out,
        "dispatch delay, sampled",
        delay.count(),
        quantile,
        delay.max(),
    )?;
    writeln!(out)?;
    for (native, count) in server.shared.executor.calls() {
        writeln!(
            out,
            "{:<28}{count:>10} calls announced by a pair of hooks",
            native.name()
        )?;
    }
    guests(out, crossings)?;
    writeln!(out)?;
    figures(out, server)?;
    writeln!(
        out,
        "{:<28}{} (the last moments: for ui.perfetto.dev)",
        "trace",
        trace.display()
    )?;
    writeln!(out)?;
    let verdict = if outcome.is_whole {
        "every change that was answered is in the database"
    } else {
        "CHANGES ARE MISSING: the sum of the balances is not the number of changes"
    };
    writeln!(out, "{verdict}")
}

fn line(
    out: &mut dyn Write,
    name: &str,
    count: u64,
    quantile: impl Fn(f64) -> Duration,
    longest: Duration,
) -> io::Result<()> {
    writeln!(
        out,
        "{name:<28}{count:>10}{:>12}{:>12}{:>12}{:>12}",
        milliseconds(quantile(0.5)),
        milliseconds(quantile(0.99)),
        milliseconds(quantile(0.999)),
        milliseconds(longest),
    )
}

fn guests(out: &mut dyn Write, crossings: &Crossings) -> io::Result<()> {
    let guests = crossings.get(Count::CallingGuest);
    let lines = [
        (
            "guests called from below",
            guests - crossings.get(Count::AtBase),
            "times unmanaged code called managed code, with a pair of hooks",
        ),
        (
            "guests called at the base",
            crossings.get(Count::AtBase),
            "times a task of the runtime's began managed code: procedures",
        ),
        (
            "services for guests",
            crossings.get(Count::Services),
            "calls of the host's own imports, which need no hooks",
        ),
        (
            "ends of quanta",
            crossings.get(Count::Ticks),
            "times a guest had run for long enough",
        ),
    ];
    for (name, figure, meaning) in lines {
        writeln!(out, "{name:<28}{figure:>10} {meaning}")?;
    }
    Ok(())
}

fn figures(out: &mut dyn Write, server: &Server) -> io::Result<()> {
    let stats = server.host().scheduler().stats();
    let lines = [
        (
            "hand-overs",
            stats.handovers,
            "times a slot was given on while native code lasted",
        ),
        ("switches", stats.switches, "times a worker resumed a task"),
        (
            "steals",
            stats.steals,
            "tasks that an idle worker found elsewhere",
        ),
        (
            "threads",
            stats.threads as u64,
            "OS threads of the scheduler",
        ),
    ];
    for (name, figure, meaning) in lines {
        writeln!(out, "{name:<28}{figure:>10} {meaning}")?;
    }
    Ok(())
}

/// What one mode came to, for a table of several.
pub(crate) struct Column {
    name: &'static str,
    /// In the order of [`Column::rows`].
    cells: Vec<String>,
    is_whole: bool,
}

impl Column {
    pub(crate) fn of(name: &'static str, outcome: &Outcome, server: &Server) -> Column {
        let host = server.host();
        let stats = host.scheduler().stats();
        let delay = host.scheduler().histograms().dispatch_delay;
        let mut cells = vec![format!("{:.0}", rate(outcome))];
        for times in &outcome.times {
            cells.extend([0.5, 0.99, 0.999].map(|part| milliseconds(times.quantile(part))));
        }
        cells.extend([0.5, 0.99].map(|part| milliseconds(delay.quantile(part))));
        cells.push(stats.handovers.to_string());
        Column {
            name,
            cells,
            is_whole: outcome.is_whole,
        }
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.is_whole
    }

    fn rows() -> Vec<String> {
        let mut rows = vec!["statements a second".to_owned()];
        for kind in KINDS {
            rows.extend(["p50", "p99", "p99.9"].map(|part| format!("{kind}, {part}")));
        }
        rows.extend(["p50", "p99"].map(|part| format!("dispatch delay, {part}")));
        rows.push("hand-overs".to_owned());
        rows
    }
}

/// The columns side by side, as a table in Markdown.
pub(crate) fn write_columns(out: &mut dyn Write, columns: &[Column]) -> io::Result<()> {
    let head: Vec<&str> = columns.iter().map(|column| column.name).collect();
    writeln!(out, "| | {} |", head.join(" | "))?;
    writeln!(out, "|---|{}", "---:|".repeat(columns.len()))?;
    for (index, row) in Column::rows().iter().enumerate() {
        let cells: Vec<&str> = columns
            .iter()
            .map(|column| column.cells[index].as_str())
            .collect();
        writeln!(out, "| {row} | {} |", cells.join(" | "))?;
    }
    let missing = columns.iter().filter(|column| !column.is_whole);
    for column in missing {
        writeln!(out, "CHANGES ARE MISSING with sessions on {}", column.name)?;
    }
    Ok(())
}

fn total(outcome: &Outcome) -> u64 {
    outcome.times.iter().map(Histogram::total).sum()
}

fn rate(outcome: &Outcome) -> f64 {
    total(outcome) as f64 / outcome.took.as_secs_f64()
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}
