//! A trace as a picture: a lane for each worker, a block for each turn of a task, an arrow from each wake to the turn that
//! it brought about.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::time::Duration;

use fiberhost::scheduler::trace::{Stop, Trace, What};

/// The names of tasks by their numbers.
pub type Names = BTreeMap<u64, &'static str>;

const WIDTH: f64 = 960.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 40.0;
const LANE: f64 = 60.0;
const BLOCK: f64 = 26.0;
const COLOURS: [&str; 6] = [
    "#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#b07aa1", "#76b7b2",
];

/// A turn of a task on a worker.
struct Turn {
    task: u64,
    worker: usize,
    began: Duration,
    ended: Duration,
    why: Stop,
}

/// A wake, and the turn that followed.
struct Arrow {
    from: (usize, Duration),
    to: (usize, Duration),
}

/// A native section, or the part of it that lies in one turn.
struct Section {
    worker: usize,
    began: Duration,
    ended: Duration,
}

#[derive(Default)]
struct Found {
    turns: Vec<Turn>,
    arrows: Vec<Arrow>,
    sections: Vec<Section>,
    workers: usize,
    until: Duration,
    from: Duration,
}

fn find(trace: &Trace) -> Found {
    let mut found = Found::default();
    let mut running = HashMap::new();
    let mut woken = HashMap::new();
    let mut left = HashMap::new();
    for event in &trace.events {
        let Some(worker) = event.thread else {
            continue;
        };
        found.workers = found.workers.max(worker + 1);
        found.until = event.at;
        match event.what {
            What::Run => {
                running.insert(worker, (event.task, event.at));
                if let Some(from) = woken.remove(&event.task) {
                    let to = (worker, event.at);
                    found.arrows.push(Arrow { from, to });
                }
            }
            What::Stop { why } => {
                if let Some((task, began)) = running.remove(&worker) {
                    found.turns.push(Turn {
                        task,
                        worker,
                        began,
                        ended: event.at,
                        why,
                    });
                }
            }
            What::Wake { .. } | What::Timer => {
                woken.insert(event.task, (worker, event.at));
            }
            What::Leave { .. } => {
                left.insert(worker, event.at);
            }
            What::Enter => {
                if let Some(began) = left.remove(&worker) {
                    found.sections.push(Section {
                        worker,
                        began,
                        ended: event.at,
                    });
                }
            }
            _ => {}
        }
    }
    let began = found.turns.iter().map(|turn| turn.began);
    found.from = began.min().unwrap_or_default();
    found
}

impl Found {
    fn x(&self, at: Duration) -> f64 {
        let whole = self.until.saturating_sub(self.from).as_secs_f64().max(1e-9);
        let part = at.saturating_sub(self.from).as_secs_f64() / whole;
        LEFT + part * (WIDTH - LEFT - 10.0)
    }

    fn y(&self, worker: usize) -> f64 {
        TOP + worker as f64 * LANE
    }
}

/// The picture as SVG.
pub fn draw(trace: &Trace, names: &Names) -> String {
    let found = find(trace);
    let height = TOP + found.workers as f64 * LANE + 50.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    let colour = |task: u64| {
        let place = names.keys().position(|&id| id == task).unwrap_or(0);
        COLOURS[place % COLOURS.len()]
    };
    legend(&mut out, names, colour);
    for worker in 0..found.workers {
        let (y, end) = (found.y(worker) + BLOCK / 2.0, WIDTH - 10.0);
        let _ = writeln!(
            out,
            "<text x=\"5\" y=\"{:.1}\">worker {worker}</text>\
             <line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{end}\" y2=\"{y:.1}\" stroke=\"#ccc\"/>",
            y + 4.0
        );
    }
    for turn in &found.turns {
        let (x, y) = (found.x(turn.began), found.y(turn.worker));
        let width = (found.x(turn.ended) - x).max(0.6);
        let name = names.get(&turn.task).copied().unwrap_or("a task");
        let why = match turn.why {
            Stop::Yield => "yields",
            Stop::Wait => "waits",
            Stop::Done => "ends",
        };
        let lasted = turn.ended.saturating_sub(turn.began).as_secs_f64() * 1e6;
        let _ = writeln!(
            out,
            "<rect x=\"{x:.2}\" y=\"{y:.1}\" width=\"{width:.2}\" height=\"{BLOCK}\" fill=\"{}\">\
             <title>{name}: {lasted:.1} µs, then it {why}</title></rect>",
            colour(turn.task)
        );
    }
    for section in &found.sections {
        let (x, y) = (
            found.x(section.began),
            found.y(section.worker) + BLOCK - 5.0,
        );
        let width = (found.x(section.ended) - x).max(0.6);
        let _ = writeln!(
            out,
            "<rect x=\"{x:.2}\" y=\"{y:.1}\" width=\"{width:.2}\" height=\"5\" fill=\"#000\">\
             <title>native</title></rect>"
        );
    }
    for arrow in &found.arrows {
        arc(&mut out, &found, arrow);
    }
    scale(&mut out, &found, height);
    out.push_str("</svg>\n");
    out
}

fn legend(out: &mut String, names: &Names, colour: impl Fn(u64) -> &'static str) {
    let mut x = LEFT;
    for (&task, name) in names {
        let fill = colour(task);
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"10\" width=\"12\" height=\"12\" fill=\"{fill}\"/>\
             <text x=\"{}\" y=\"20\">{name}</text>",
            x + 16.0
        );
        x += 100.0;
    }
    let _ = writeln!(
        out,
        "<rect x=\"{x}\" y=\"15\" width=\"12\" height=\"5\"/><text x=\"{}\" y=\"20\">native</text>\
         <text x=\"{}\" y=\"20\">⌒ wake</text>",
        x + 16.0,
        x + 80.0
    );
}

/// From the wake, above its lane, to the turn that it brought.
fn arc(out: &mut String, found: &Found, arrow: &Arrow) {
    let (x1, x2) = (found.x(arrow.from.1), found.x(arrow.to.1));
    let (y1, y2) = (found.y(arrow.from.0), found.y(arrow.to.0));
    let bend = (x1 + x2) / 2.0;
    let _ = writeln!(
        out,
        "<path d=\"M{x1:.2} {y1:.1} Q{bend:.2} {:.1} {x2:.2} {y2:.1}\" \
         fill=\"none\" stroke=\"#333\" stroke-opacity=\"0.55\" stroke-width=\"0.7\"/>",
        y1.min(y2) - 14.0
    );
}

fn scale(out: &mut String, found: &Found, height: f64) {
    let whole = found.until.saturating_sub(found.from).as_secs_f64() * 1e6;
    let mut step = 100.0;
    while whole / step > 12.0 {
        step *= 2.0;
    }
    let mut at = 0.0;
    while at <= whole {
        let x = found.x(found.from + Duration::from_secs_f64(at / 1e6));
        let _ = writeln!(
            out,
            "<text x=\"{x:.1}\" y=\"{:.1}\" fill=\"#555\">{at:.0} µs</text>",
            height - 20.0
        );
        at += step;
    }
}
