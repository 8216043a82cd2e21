//! A trace in the format of Chrome's `about:tracing` and of Perfetto: workers as tracks, turns of tasks as slices, and who
//! woke or spawned whom as flows.
//!
//! A flow is written only if both its ends are there: the rings forget, and a task that was woken may not have run yet.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::fmt::Write;
use std::time::Duration;

use super::{Event, Recording, Stop, Trace, What};

/// The track of what happened on no thread of the scheduler.
const OUTSIDE: usize = 1_000_000;
/// How long a slice is that stands for a moment.
const MOMENT: Duration = Duration::from_nanos(100);

impl Trace {
    /// The trace as JSON, for `ui.perfetto.dev` or `chrome://tracing`.
    ///
    /// Slices are as exact as what was recorded: without the [switches](super::Recording::Switches) a yield is not seen, and the
    /// slice of a task that yielded ends where the next one begins. Without those of the [tasks](super::Recording::Tasks) there
    /// are no turns, only the moments of those waits that were recorded.
    pub fn chrome(&self) -> String {
        let mut writer = Writer::new(self.recording < Recording::Tasks);
        writer.tracks(&self.events);
        for event in &self.events {
            writer.event(event);
        }
        writer.finish(self.lost)
    }
}

fn track(event: &Event) -> usize {
    event.thread.unwrap_or(OUTSIDE)
}

fn us(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1e3
}

/// A turn of a task that has begun on a track.
#[derive(Clone, Copy)]
struct Turn {
    task: u64,
    began: Duration,
}

/// Where a flow begins.
#[derive(Clone, Copy)]
struct Begun {
    at: Duration,
    track: usize,
    name: &'static str,
    /// On a turn of a task, so on a slice.
    on_turn: bool,
}

struct Writer {
    out: String,
    /// Waits are samples: when a turn began, or ended, is not known.
    sampled: bool,
    turns: HashMap<usize, Turn>,
    /// Flows to tasks that have not gone on yet.
    flows: HashMap<u64, Begun>,
    flow: u64,
    last: Duration,
}

impl Writer {
    fn new(sampled: bool) -> Writer {
        Writer {
            sampled,
            out: String::from("{\"displayTimeUnit\":\"ns\",\"traceEvents\":["),
            turns: HashMap::new(),
            flows: HashMap::new(),
            flow: 0,
            last: Duration::ZERO,
        }
    }

    /// One object, with the process's number and a comma where there is one before it.
    fn object(&mut self, fields: std::fmt::Arguments<'_>) {
        if !self.out.ends_with('[') {
            self.out.push(',');
        }
        let _ = write!(self.out, "\n{{\"pid\":1,{fields}}}");
    }

    fn tracks(&mut self, events: &[Event]) {
        let mut tracks: Vec<usize> = events.iter().map(track).collect();
        tracks.sort_unstable();
        tracks.dedup();
        for track in tracks {
            let name = if track == OUTSIDE {
                "outside".to_owned()
            } else {
                format!("worker {track}")
            };
            self.object(format_args!(
                "\"tid\":{track},\"ph\":\"M\",\"name\":\"thread_name\",\"args\":{{\"name\":\"{name}\"}}"
            ));
        }
    }

    fn event(&mut self, event: &Event) {
        let (track, at) = (track(event), event.at);
        self.last = self.last.max(at);
        match event.what {
            What::Resume { wake } if self.sampled => {
                self.moment(track, at, &format!("goes on: {wake:?}"), event.task);
                self.end_flow(event.task, track, at);
            }
            What::Park { reason } if self.sampled => {
                self.instant(track, at, &format!("waits: {reason}"), event.task);
            }
            What::Start | What::Resume { .. } | What::Run => {
                if self
                    .turns
                    .get(&track)
                    .is_none_or(|turn| turn.task != event.task)
                {
                    self.end_turn(track, at, "");
                    let turn = Turn {
                        task: event.task,
                        began: at,
                    };
                    self.turns.insert(track, turn);
                }
                self.end_flow(event.task, track, at);
            }
            What::Park { reason } => self.note(track, at, &format!("waits: {reason}")),
            What::Stop { why: Stop::Yield } => self.end_turn(track, at, "yields"),
            What::Stop { why: Stop::Wait } => self.end_turn(track, at, "waits"),
            What::Stop { why: Stop::Done } | What::Exit => self.end_turn(track, at, "ends"),
            What::Spawn { .. } => self.begin_flow(event, "spawn"),
            What::Wake { .. } => self.begin_flow(event, "wake"),
            What::Timer => self.begin_flow(event, "timer"),
            What::Steal => self.instant(track, at, "steal", event.task),
            What::HandOver { target } => {
                let target = target.map_or("", |target| target.name());
                self.instant(
                    track,
                    at,
                    &format!("hand-over {}", escaped(target)),
                    event.task,
                );
            }
            What::Return => self.instant(track, at, "return", event.task),
            What::Leave { target } => {
                let target = target.map_or("", |target| target.name());
                self.instant(track, at, &format!("leave {}", escaped(target)), event.task);
            }
            What::Enter => self.instant(track, at, "enter", event.task),
            What::Stall => self.instant(track, at, "stall", event.task),
        }
    }

    /// Without recorded switches a wait ends the turn; with them the switch, which comes a moment later, does.
    fn note(&mut self, track: usize, at: Duration, why: &str) {
        self.end_turn(track, at, why);
    }

    fn end_turn(&mut self, track: usize, at: Duration, how: &str) {
        let Some(turn) = self.turns.remove(&track) else {
            return;
        };
        let (began, lasted) = (us(turn.began), us(at.saturating_sub(turn.began)));
        let task = turn.task;
        self.object(format_args!(
            "\"tid\":{track},\"ph\":\"X\",\"cat\":\"turn\",\"name\":\"task {task}\",\"ts\":{began:.3},\"dur\":{lasted:.3},\"args\":{{\"task\":{task},\"end\":\"{how}\"}}"
        ));
    }

    fn instant(&mut self, track: usize, at: Duration, name: &str, task: u64) {
        let at = us(at);
        self.object(format_args!(
            "\"tid\":{track},\"ph\":\"i\",\"s\":\"t\",\"cat\":\"event\",\"name\":\"{name}\",\"ts\":{at:.3},\"args\":{{\"task\":{task}}}"
        ));
    }

    /// A slice that stands for a moment.
    fn moment(&mut self, track: usize, at: Duration, name: &str, task: u64) {
        let (began, lasted) = (us(at), us(MOMENT));
        self.object(format_args!(
            "\"tid\":{track},\"ph\":\"X\",\"cat\":\"event\",\"name\":\"{name} task {task}\",\"ts\":{began:.3},\"dur\":{lasted:.3}"
        ));
    }

    fn begin_flow(&mut self, event: &Event, name: &'static str) {
        let begun = Begun {
            at: event.at,
            track: track(event),
            name,
            on_turn: self.turns.contains_key(&track(event)),
        };
        self.flows.insert(event.task, begun);
    }

    /// Both ends of a flow at once, now that the second is known. Viewers bind an end to the slice around it, so what lies on
    /// no turn gets a slice of its own.
    fn end_flow(&mut self, task: u64, track: usize, at: Duration) {
        let Some(begun) = self.flows.remove(&task) else {
            return;
        };
        self.flow += 1;
        let (id, name) = (self.flow, begun.name);
        if !begun.on_turn {
            self.moment(begun.track, begun.at, name, task);
        }
        for (phase, track, at) in [("s", begun.track, begun.at), ("f", track, at)] {
            let at = us(at);
            self.object(format_args!(
                "\"tid\":{track},\"ph\":\"{phase}\",\"bp\":\"e\",\"cat\":\"flow\",\"name\":\"{name}\",\"id\":{id},\"ts\":{at:.3}"
            ));
        }
    }

    fn finish(mut self, lost: u64) -> String {
        let tracks: Vec<usize> = self.turns.keys().copied().collect();
        for track in tracks {
            self.end_turn(track, self.last, "goes on");
        }
        let _ = write!(self.out, "\n],\"otherData\":{{\"lost\":{lost}}}}}");
        self.out
    }
}

/// The name of a target inside a string of JSON.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\0'..='\x1f' => out.push(' '),
            _ => out.push(character),
        }
    }
    out
}
