//! The text of a deadlock.
#![forbid(unsafe_code)]

use std::fmt::Write;

use super::world::World;
use crate::primitive::simulated::Turns;
use crate::stats::{Snapshot, TaskFacts, ThreadState};

/// What waits for what, when nothing will ever happen any more.
pub(super) fn deadlock(world: &World) -> String {
    let mut text = format!(
        "deadlock: {}, nothing can happen any more",
        world.describe()
    );
    for core in world.cores() {
        let mut snapshot = Snapshot::of(&core);
        snapshot.tasks.sort_by_key(|task| task.id);
        for task in &snapshot.tasks {
            let number = world.task_number(task.id).unwrap_or(0);
            // Writing to a string does not fail, here and below.
            let _ = write!(text, "\n  task {number} of {:?}", core.name());
            if let Some(name) = &task.name {
                let _ = write!(text, " {name:?}");
            }
            describe(&mut text, world, &snapshot, task);
        }
    }
    text
}

fn describe(text: &mut String, world: &World, snapshot: &Snapshot, task: &TaskFacts) {
    let number = |id| world.task_number(id).unwrap_or(0);
    match task.wait {
        Some((reason, _)) => _ = write!(text, " waits: {reason:?}"),
        None => _ = write!(text, " is {:?}", task.state),
    }
    if let Some((other, why)) = task.blocked_by {
        let _ = write!(text, ", for task {} ({why:?})", number(other));
    } else if task.wait.is_none()
        && let Some(owner) = owner_of_thread(snapshot, task)
    {
        let _ = write!(text, ", but its thread sleeps with task {}", number(owner));
    }
}

/// Who has the thread for itself on which the task would have to go on.
fn owner_of_thread(snapshot: &Snapshot, task: &TaskFacts) -> Option<u64> {
    let mut threads = snapshot.threads.iter();
    let home = threads.find(|thread| Some(thread.index) == task.thread)?;
    let owner = home.task.filter(|&owner| owner != task.id)?;
    (home.state == ThreadState::WithTask).then_some(owner)
}
