//! What the load came to, as a page of text.
#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::time::Duration;

use crate::load::{KINDS, Outcome};
use sql_host::server::Server;
use sql_host::wasm::boundary::{Count, Crossings};

/// Writes it.
pub(crate) fn write(
    out: &mut dyn Write,
    outcome: &Outcome,
    server: &Server,
    crossings: &Crossings,
) -> io::Result<()> {
    let total: u64 = outcome
        .times
        .iter()
        .map(crate::histogram::Histogram::total)
        .sum();
    let rate = total as f64 / outcome.took.as_secs_f64();
    writeln!(
        out,
        "{total} statements in {:.1} s: {rate:.0} a second",
        outcome.took.as_secs_f64()
    )?;
    writeln!(out)?;
    writeln!(
        out,
        "{:<28}{:>10}{:>12}{:>12}{:>12}{:>12}",
        "", "count", "p50", "p99", "p99.9", "longest"
    )?;
    for (kind, times) in KINDS.iter().zip(&outcome.times) {
        writeln!(
            out,
            "{kind:<28}{:>10}{:>12}{:>12}{:>12}{:>12}",
            times.total(),
            milliseconds(times.quantile(0.5)),
            milliseconds(times.quantile(0.99)),
            milliseconds(times.quantile(0.999)),
            milliseconds(times.longest()),
        )?;
    }
    writeln!(out)?;
    for (native, count) in server.shared.executor.calls() {
        writeln!(
            out,
            "{:<28}{count:>10} calls announced by a pair of hooks",
            native.name()
        )?;
    }
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
    let stats = server.host().scheduler().stats();
    writeln!(out)?;
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
    writeln!(out)?;
    let verdict = if outcome.is_whole {
        "every change that was answered is in the database"
    } else {
        "CHANGES ARE MISSING: the sum of the balances is not the number of changes"
    };
    writeln!(out, "{verdict}")
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}
