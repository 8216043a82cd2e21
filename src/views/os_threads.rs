//! What the kernel says of the threads of this process.
#![forbid(unsafe_code)]

use std::fs;

/// A thread, as `/proc` shows it.
#[derive(Clone, Debug)]
pub(super) struct OsThread {
    pub(super) id: u64,
    pub(super) name: String,
    /// The kernel's letter.
    pub(super) state: char,
    pub(super) user_ms: f64,
    pub(super) kernel_ms: f64,
    /// How long it could have run and did not, where the kernel counts it.
    pub(super) delayed_ms: Option<f64>,
}

/// Milliseconds of the unit in which the kernel counts.
const CLOCK_TICK_MS: f64 = 10.0;

impl OsThread {
    /// Takes off what was counted of it before.
    pub(super) fn less(&mut self, earlier: &OsThread) {
        self.user_ms = (self.user_ms - earlier.user_ms).max(0.0);
        self.kernel_ms = (self.kernel_ms - earlier.kernel_ms).max(0.0);
        if let (Some(now), Some(before)) = (&mut self.delayed_ms, earlier.delayed_ms) {
            *now = (*now - before).max(0.0);
        }
    }
}

/// All of them. One that ends meanwhile is left out.
pub(super) fn all() -> Vec<OsThread> {
    let entries = fs::read_dir("/proc/self/task").into_iter().flatten();
    let names = entries.flatten().map(|entry| entry.file_name());
    names
        .filter_map(|name| one(name.to_str()?.parse().ok()?))
        .collect()
}

fn one(id: u64) -> Option<OsThread> {
    let stat = fs::read_to_string(format!("/proc/self/task/{id}/stat")).ok()?;
    // The name stands in parentheses, and may hold anything.
    let (before, rest) = stat.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let user: f64 = fields.nth(10)?.parse().ok()?;
    let kernel: f64 = fields.next()?.parse().ok()?;
    let delayed_ms = fs::read_to_string(format!("/proc/self/task/{id}/schedstat"))
        .ok()
        .and_then(|text| text.split_ascii_whitespace().nth(1)?.parse::<f64>().ok())
        .map(|delayed| delayed / 1e6);
    Some(OsThread {
        id,
        name: name.to_owned(),
        state,
        user_ms: user * CLOCK_TICK_MS,
        kernel_ms: kernel * CLOCK_TICK_MS,
        delayed_ms,
    })
}
