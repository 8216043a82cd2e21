//! The figures of all servers as tables, and whether the aims are reached.
#![forbid(unsafe_code)]

use super::load::Said;
use super::script::Class;
use super::{Kind, PARTS};

/// The most that an idle connection may cost.
const IDLE_KIB: f64 = 20.0;
const IDLE_DESCRIPTORS: f64 = 1.1;

/// What an idle connection costs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Idle {
    pub(crate) kib: f64,
    pub(crate) descriptors: f64,
}

/// All that was measured, by the place of a server in [`Kind::ALL`].
pub(crate) struct Results {
    rounds: usize,
    closed: [Vec<Said>; Kind::ALL.len()],
    open: [[Vec<Said>; Kind::ALL.len()]; PARTS.len()],
    idle: [Option<Idle>; Kind::ALL.len()],
}

impl Results {
    pub(crate) fn new(rounds: usize) -> Results {
        Results {
            rounds,
            closed: Default::default(),
            open: Default::default(),
            idle: Default::default(),
        }
    }

    pub(crate) fn closed(&mut self, kind: Kind, said: Said) {
        self.closed[kind as usize].push(said);
    }

    pub(crate) fn open(&mut self, place: usize, kind: Kind, said: Said) {
        self.open[place][kind as usize].push(said);
    }

    pub(crate) fn idle(&mut self, kind: Kind, idle: Idle) {
        self.idle[kind as usize] = Some(idle);
    }

    fn most(&self, kind: Kind) -> f64 {
        median(self.closed[kind as usize].iter().map(|said| said.rate))
    }

    /// What the slowest server can do, of those that the aims are about.
    pub(crate) fn slowest(&self) -> f64 {
        let kinds = [Kind::Fibers, Kind::Threads, Kind::Tokio].into_iter();
        kinds
            .map(|kind| self.most(kind))
            .fold(f64::INFINITY, f64::min)
    }

    /// A quantile of a class in milliseconds, by its place in the lines of a load.
    fn time(&self, place: usize, kind: Kind, class: Class, quantile: usize) -> f64 {
        let said = self.open[place][kind as usize].iter();
        median(said.map(|said| said.classes[class as usize][quantile])) / 1e6
    }

    pub(crate) fn print(&self) {
        let names: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        println!("medians of {} rounds", self.rounds);
        println!("\n| | {} |", names.join(" | "));
        println!("|---|{}", "---:|".repeat(names.len()));
        if self.rounds > 0 {
            self.print_loads();
        }
        let idle = |kind: Kind| self.idle[kind as usize].expect("it was measured");
        row("idle connection, memory", &|kind| {
            format!("{:.1} KiB", idle(kind).kib)
        });
        row("idle connection, descriptors", &|kind| {
            format!("{:.2}", idle(kind).descriptors)
        });
        println!();
        if self.rounds > 0 {
            self.aims_of_loads();
        }
        aims_of_idle(idle(Kind::Fibers));
    }

    fn print_loads(&self) {
        row("most statements a second", &|kind| {
            format!("{:.0}", self.most(kind))
        });
        for (place, part) in PARTS.into_iter().enumerate() {
            let rate = self.slowest() * part;
            for class in Class::ALL {
                let first = &self.open[place][0][0];
                if first.classes[class as usize][0] == 0.0 {
                    continue;
                }
                for (quantile, name) in [(1, "p50"), (2, "p99"), (3, "p99.9"), (4, "longest")] {
                    let name = format!("{}, {name}, at {rate:.0} a second", class.name());
                    row(&name, &|kind| {
                        format!("{:.2} ms", self.time(place, kind, class, quantile))
                    });
                }
            }
        }
    }

    fn aims_of_loads(&self) {
        let others = [Kind::Threads, Kind::Tokio];
        let (ours, best) = (
            self.most(Kind::Fibers),
            others
                .map(|kind| self.most(kind))
                .into_iter()
                .fold(0.0, f64::max),
        );
        aim(
            ours >= best,
            format!(
                "{ours:.0} statements a second, no fewer than the better of the others, {best:.0}"
            ),
        );
        for (place, part) in PARTS.into_iter().enumerate() {
            let time = |kind| self.time(place, kind, Class::Read, 2);
            let (ours, best) = (
                time(Kind::Fibers),
                others.map(time).into_iter().fold(f64::INFINITY, f64::min),
            );
            aim(
                ours <= best / 2.0,
                format!(
                    "at {:.0} % of the slowest one's most, p99 of the reads {ours:.2} ms, at most half of the better one's {best:.2} ms",
                    part * 100.0
                ),
            );
        }
    }
}

fn aims_of_idle(idle: Idle) {
    aim(
        idle.kib <= IDLE_KIB,
        format!("{:.1} KiB an idle connection, at most {IDLE_KIB}", idle.kib),
    );
    aim(
        idle.descriptors <= IDLE_DESCRIPTORS,
        format!(
            "{:.2} descriptors an idle connection, at most {IDLE_DESCRIPTORS}",
            idle.descriptors
        ),
    );
}

fn row(name: &str, cell: &dyn Fn(Kind) -> String) {
    let cells: Vec<String> = Kind::ALL.into_iter().map(cell).collect();
    println!("| {name} | {} |", cells.join(" | "));
}

fn aim(is_reached: bool, text: String) {
    println!(
        "{} {text}",
        if is_reached { "reached:" } else { "MISSED: " }
    );
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
