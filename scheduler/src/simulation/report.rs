//! The text of a deadlock.
#![forbid(unsafe_code)]

use std::fmt::Write;

use super::world::World;
use crate::primitive::simulated::Turns;
use crate::scheduler::Core;
use crate::stats::{Snapshot, TaskFacts};

/// What waits for what, when nothing will ever happen any more.
pub(super) fn deadlock(world: &World) -> String {
    let what = world.describe();
    with_tasks(
        format!("deadlock: {what}, nothing can happen any more"),
        world,
    )
}

/// What everybody is at, when it goes on for ever.
pub(super) fn no_end(world: &World) -> String {
    let what = world.describe();
    with_tasks(format!("no end: {what}, it still goes on"), world)
}

fn with_tasks(mut text: String, world: &World) -> String {
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
            describe(&mut text, world, &core, task);
        }
    }
    text
}

fn describe(text: &mut String, world: &World, core: &Core, task: &TaskFacts) {
    let number = |id| world.task_number(id).unwrap_or(0);
    match task.wait {
        Some((reason, _)) => _ = write!(text, " waits: {reason:?}"),
        None => _ = write!(text, " is {:?}", task.state),
    }
    if let Some((other, why)) = task.blocked_by {
        let _ = write!(text, ", for task {} ({why:?})", number(other));
    } else if task.wait.is_none()
        && let Some(owner) = owner_of_thread(world, core, task)
    {
        let _ = write!(text, ", but its thread sleeps with task {}", number(owner));
    }
}

/// Who has the thread for itself on which the task would have to go on.
fn owner_of_thread(world: &World, core: &Core, task: &TaskFacts) -> Option<u64> {
    let mut tasks = world.tasks().into_iter();
    let record = tasks.find(|record| record.id.get() == task.id)?;
    Some(record.waits_for_thread(core)?.id.get())
}
