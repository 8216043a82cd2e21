//! The text of a deadlock.
#![forbid(unsafe_code)]

use std::fmt::Write;

use super::world::World;
use crate::primitive::simulated::Turns;
use crate::stats::Snapshot;

/// What waits for what, when nothing will ever happen any more.
pub(super) fn deadlock(world: &World) -> String {
    let mut text = format!(
        "deadlock: {}, nothing can happen any more",
        world.describe()
    );
    for core in world.cores() {
        let mut tasks = Snapshot::of(&core).tasks;
        tasks.sort_by_key(|task| task.id);
        for task in tasks {
            let number = world.task_number(task.id).unwrap_or(0);
            let _ = write!(text, "\n  task {number} of {:?}", core.name());
            if let Some(name) = &task.name {
                let _ = write!(text, " {name:?}");
            }
            match task.wait {
                Some((reason, _)) => _ = write!(text, " waits: {reason:?}"),
                None => _ = write!(text, " is {:?}", task.state),
            }
            if let Some((other, why)) = task.blocked_by {
                let other = world.task_number(other).unwrap_or(0);
                let _ = write!(text, ", for task {other} ({why:?})");
            }
        }
    }
    text
}
