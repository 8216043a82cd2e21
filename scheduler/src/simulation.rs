//! A scheduler in a simulation: what the parts of a scheduler tell it, and ask it.
//!
//! Without the feature `simulate`, or where the jump is not written, `simulation/without.rs` stands here, and nothing is
//! asked. The public door is `simulate.rs`.
//!
//! Room for unsafe code: `world`, the switch.

mod choice;
mod report;
mod world;

use std::io;
use std::sync::Arc;

use crate::builder::Settings;
use crate::primitive::simulated::{JoinHandle, Turns};
use crate::scheduler::{Core, Phase};
use crate::task::{Task, flag};
use world::World;

/// Stack of a thread that does not say how much it needs: tasks have their own.
const STACK: usize = 256 * 1024;

/// A scheduler with these settings starts. Answers in which simulation.
pub(crate) fn begin(settings: &Settings) -> io::Result<Option<u64>> {
    let Some(order) = settings.simulate else {
        return Ok(None);
    };
    World::enter(order.seed, order.faults).map(|world| Some(world.number()))
}

/// It is there.
pub(crate) fn note_start(core: &Arc<Core>) {
    if let Some(world) = of(core) {
        world.add(core);
    }
}

/// Its threads have ended.
pub(crate) fn note_stop(core: &Core) {
    if let Some(world) = of(core) {
        world.leave_if_over();
    }
}

/// Gives the threads of the simulation in which the caller is time to end. Whether they have.
pub(crate) fn wait_for_end() -> bool {
    World::here().is_none_or(World::wait_for_end)
}

/// How many choices the last simulation of this thread has made, and its mark.
pub(crate) fn last() -> (u64, u64) {
    World::last()
}

fn of(core: &Core) -> Option<&'static World> {
    World::of(core.simulation?)
}

/// Whether the scheduler is simulated, and the caller is not in that simulation. Nobody is elsewhere once it has ended.
pub(crate) fn is_elsewhere(core: &Core) -> bool {
    let ended = || core.phase() == Phase::Stopping && core.live() == 0;
    core.simulation.is_some() && of(core).is_none() && !ended()
}

/// Starts a thread of the scheduler, if it is simulated.
pub(crate) fn start(
    core: &Core,
    stack: Option<usize>,
    life: Box<dyn FnOnce()>,
) -> io::Result<JoinHandle> {
    let Some(world) = of(core) else {
        let text = "a thread of a simulated scheduler is started in its simulation only";
        return Err(io::Error::new(io::ErrorKind::Unsupported, text));
    };
    let thread = world.start(stack.unwrap_or(STACK), life)?;
    Ok(JoinHandle::Simulated(thread))
}

/// A task of the scheduler was spawned.
pub(crate) fn note_spawn(core: &Core, task: &'static Task) {
    if let Some(world) = of(core) {
        world.note_spawn(task);
        task.raise(flag::SIMULATED);
    }
}

/// It has ended.
pub(crate) fn note_end(core: &Core, task: &'static Task) {
    if let Some(world) = of(core) {
        world.note_end(task);
    }
}

/// The live tasks of the scheduler in an order that the seed decides, if it is simulated.
pub(crate) fn tasks(core: &Core) -> Option<Vec<&'static Task>> {
    of(core).map(World::tasks)
}

/// As a fault: a spawn is refused.
pub(crate) fn refuses_spawn(core: &Core) -> bool {
    of(core).is_some_and(World::refuses_spawn)
}

/// A worker is about to run a task.
pub(crate) fn before_resume(task: &Task) {
    if let Some(world) = World::here() {
        world.before_resume(task);
    }
}

/// A task has given its thread back, so nobody panics here.
pub(crate) fn after_resume() {
    if let Some(world) = World::here() {
        world.note_panicking(false);
        world.note_calm();
    }
}

/// The calling thread begins to unwind, or has ended that.
pub(crate) fn note_panicking(panicking: bool) {
    if let Some(world) = World::here() {
        world.note_panicking(panicking);
    }
}

/// As a fault: the task that a worker was to run next goes to the end of its queue.
pub(crate) fn puts_off() -> bool {
    World::here().is_some_and(World::puts_off)
}

/// Whether the quantum of the running task is taken for over: `None` outside a simulation.
pub(crate) fn ends_quantum() -> Option<bool> {
    World::here().map(World::ends_quantum)
}
