//! Settings of the running server: what `ALTER SYSTEM` changes and `sys.configurations` shows.
//!
//! They hold for all sessions, and as long as the server runs. What the scheduler fixes at its start can be looked at, and is
//! refused with the SQLSTATE that says so.
#![forbid(unsafe_code)]

use std::time::Duration;

use fiberhost::scheduler::Scheduler;
use fiberhost::scheduler::trace::Recording;
use fiberhost::{Host, TaskMode};

use crate::error::SqlError;
use crate::settings::{span, wrong};

/// What a time may be that the monitor goes by.
const TIME_MIN: Duration = Duration::from_micros(100);
const TIME_MAX: Duration = Duration::from_secs(3600);
/// The value of a time that never comes.
const NEVER: &str = "never";

/// One setting.
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What it is now.
    pub value: fn(&Host) -> String,
    /// Changes it; none if only a start can.
    change: Option<fn(&Scheduler, &str) -> Result<(), SqlError>>,
}

impl Setting {
    /// Whether it can be changed while the server runs.
    pub fn is_dynamic(&self) -> bool {
        self.change.is_some()
    }
}

/// All of them.
pub static SETTINGS: [Setting; 7] = [
    Setting {
        name: "quantum",
        meaning: "how long a task may run before it is asked to yield",
        value: |host| text(host.scheduler().quantum()),
        change: Some(|scheduler, value| {
            scheduler.set_quantum(time("quantum", value)?);
            Ok(())
        }),
    },
    Setting {
        name: "handover_after",
        meaning: "how long native code keeps its slot before another thread gets it",
        value: |host| text(host.scheduler().handover_after()),
        change: Some(|scheduler, value| {
            scheduler.set_handover_after(time("handover_after", value)?);
            Ok(())
        }),
    },
    Setting {
        name: "stall_after",
        meaning: "how long a task may keep its thread before that is reported; never is a value",
        value: |host| text(host.scheduler().stall_after()),
        change: Some(|scheduler, value| {
            scheduler.set_stall_after(if value.eq_ignore_ascii_case(NEVER) {
                Duration::MAX
            } else {
                time("stall_after", value)?
            });
            Ok(())
        }),
    },
    Setting {
        name: "trace",
        meaning: "what is recorded for EXPORT TRACE: rare, tasks or switches",
        value: |host| name_of(host.scheduler().recording()).to_owned(),
        change: Some(|scheduler, value| {
            let all = [Recording::Rare, Recording::Tasks, Recording::Switches];
            let mut all = all.into_iter();
            let found = all.find(|recording| name_of(*recording).eq_ignore_ascii_case(value));
            scheduler.set_trace(found.ok_or_else(|| wrong("trace", value))?);
            Ok(())
        }),
    },
    Setting {
        name: "workers",
        meaning: "how many sessions run at once; at most as many as there are processors, or were said at the start",
        value: |host| host.scheduler().workers().to_string(),
        change: Some(|scheduler, value| {
            scheduler.set_workers(number("workers", value, scheduler.workers_max())?);
            Ok(())
        }),
    },
    Setting {
        name: "max_threads",
        meaning: "the most OS threads of the scheduler; fixed at the start",
        value: |host| {
            let threads = host.scheduler().snapshot().system.max_threads;
            threads.to_string()
        },
        change: None,
    },
    Setting {
        name: "session_mode",
        meaning: "whether sessions run on fibers or have threads of their own; fixed at the start",
        value: |host| match host.task_mode() {
            TaskMode::Thread => "thread".to_owned(),
            _ => "fiber".to_owned(),
        },
        change: None,
    },
];

/// The setting of this name.
pub fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// What the settings were at the start.
#[derive(Debug)]
pub struct Configuration {
    initial: Vec<String>,
}

impl Configuration {
    /// Of a host that has just started.
    pub fn of(host: &Host) -> Configuration {
        let values = SETTINGS.iter().map(|setting| (setting.value)(host));
        Configuration {
            initial: values.collect(),
        }
    }

    /// What they were, in the order of [`SETTINGS`].
    pub fn initial(&self) -> &[String] {
        &self.initial
    }

    /// Changes one, or sets it back.
    ///
    /// # Errors
    /// 42704 if nobody has heard of it, 55P02 if it is fixed, 22023 if the value cannot be; nothing was changed.
    pub fn set(&self, host: &Host, name: &str, value: Option<&str>) -> Result<(), SqlError> {
        let unknown = || {
            let message = format!("unrecognized configuration parameter \"{name}\"");
            SqlError::new("42704", message)
        };
        let mut places = SETTINGS.iter().zip(&self.initial);
        let (setting, initial) = places
            .find(|(setting, _)| setting.name == name)
            .ok_or_else(unknown)?;
        let change = setting.change.ok_or_else(|| {
            let message =
                format!("parameter \"{name}\" cannot be changed without restarting the server");
            SqlError::new("55P02", message)
        })?;
        change(host.scheduler(), value.unwrap_or(initial))
    }

    /// Sets all back that can be changed.
    ///
    /// # Errors
    /// None: what they were can be.
    pub fn set_all_back(&self, host: &Host) -> Result<(), SqlError> {
        let mut dynamic = SETTINGS.iter().filter(|setting| setting.is_dynamic());
        dynamic.try_for_each(|setting| self.set(host, setting.name, None))
    }
}

fn name_of(recording: Recording) -> &'static str {
    match recording {
        Recording::Tasks => "tasks",
        Recording::Switches => "switches",
        _ => "rare",
    }
}

fn text(time: Duration) -> String {
    if time == Duration::MAX {
        NEVER.to_owned()
    } else if time.subsec_micros().is_multiple_of(1000) {
        format!("{}ms", time.as_millis())
    } else {
        format!("{}us", time.as_micros())
    }
}

fn time(name: &str, value: &str) -> Result<Duration, SqlError> {
    let time = span(name, value)?;
    if (TIME_MIN..=TIME_MAX).contains(&time) {
        return Ok(time);
    }
    Err(outside(name, value, &text(TIME_MIN), &text(TIME_MAX)))
}

/// One of 1 to this.
fn number(name: &str, value: &str, max: usize) -> Result<usize, SqlError> {
    let number = value.trim().parse().map_err(|_| wrong(name, value))?;
    if (1..=max).contains(&number) {
        return Ok(number);
    }
    Err(outside(name, value, "1", &max.to_string()))
}

fn outside(name: &str, value: &str, least: &str, most: &str) -> SqlError {
    let message =
        format!("{value} is outside the valid range for parameter \"{name}\" ({least} .. {most})");
    SqlError::new("22023", message)
}
