//! The distributions as a picture: a strip for each contender, a dot for each round.

use std::fmt::Write;

use super::contender::Who;
use super::standing::{Standing, Standings};

const WIDTH: f64 = 900.0;
const LEFT: f64 = 110.0;
const RIGHT: f64 = 90.0;
const TITLE: f64 = 30.0;
const ROW: f64 = 18.0;

pub(crate) fn draw(all: &[Standings]) -> String {
    let mut picture = String::new();
    let mut y = 10.0;
    for standings in all {
        y = group(&mut picture, standings, y);
    }
    let height = y + 10.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n{picture}</svg>\n"
    )
}

/// One contest on a logarithmic axis of its own; answers where the next one begins.
fn group(picture: &mut String, standings: &Standings, top: f64) -> f64 {
    let axis = Axis::over(standings);
    let title = format!(
        "{}, workers {}: ns is {}",
        standings.case.name, standings.workers, standings.case.counts
    );
    text(picture, 10.0, top + 14.0, "start", &title);
    if let Some(axis) = &axis {
        text(
            picture,
            LEFT,
            top + 26.0,
            "start",
            &format!("{:.4} ns", axis.low),
        );
        text(
            picture,
            WIDTH - RIGHT,
            top + 26.0,
            "end",
            &format!("{:.4} ns", axis.high),
        );
    }
    let mut y = top + TITLE;
    for row in &standings.rows {
        strip(picture, row, axis.as_ref(), y);
        y += ROW;
    }
    y + 14.0
}

fn strip(picture: &mut String, row: &Standing, axis: Option<&Axis>, y: f64) {
    let middle = y + ROW / 2.0;
    text(picture, LEFT - 8.0, middle + 4.0, "end", row.who.name());
    let (Ok(summary), Some(axis)) = (&row.result, axis) else {
        text(picture, LEFT, middle + 4.0, "start", "no result");
        return;
    };
    let right = WIDTH - RIGHT;
    put(
        picture,
        format_args!("<path d=\"M{LEFT} {middle}H{right}\" stroke=\"#ddd\"/>"),
    );
    let colour = if row.who == Who::Fiberhost {
        "#c33"
    } else {
        "#357"
    };
    for &ns in &summary.rounds {
        let x = axis.place(ns);
        put(
            picture,
            format_args!(
                "<circle cx=\"{x:.1}\" cy=\"{middle}\" r=\"3\" fill=\"{colour}\" fill-opacity=\"0.4\"/>"
            ),
        );
    }
    let x = axis.place(summary.ns);
    let (from, to) = (y + 2.0, y + ROW - 2.0);
    put(
        picture,
        format_args!("<path d=\"M{x:.1} {from}V{to}\" stroke=\"{colour}\" stroke-width=\"2\"/>"),
    );
    text(
        picture,
        right + 8.0,
        middle + 4.0,
        "start",
        &format!("{:.1}", summary.ns),
    );
}

struct Axis {
    low: f64,
    high: f64,
}

impl Axis {
    fn over(standings: &Standings) -> Option<Axis> {
        let results = standings
            .rows
            .iter()
            .filter_map(|row| row.result.as_ref().ok());
        let values = results
            .flat_map(|summary| &summary.rounds)
            .copied()
            .filter(|&ns| ns > 0.0);
        let (low, high) = values.fold((f64::INFINITY, 0.0_f64), |(low, high), ns| {
            (low.min(ns), high.max(ns))
        });
        (low < high).then_some(Axis { low, high })
    }

    fn place(&self, ns: f64) -> f64 {
        // No time at all stands at the left end.
        let part = (ns.max(self.low) / self.low).ln() / (self.high / self.low).ln();
        LEFT + part * (WIDTH - RIGHT - LEFT)
    }
}

fn text(picture: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    put(
        picture,
        format_args!("<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{text}</text>"),
    );
}

fn put(picture: &mut String, element: std::fmt::Arguments<'_>) {
    writeln!(picture, "{element}").expect("a string takes all that is written to it");
}
