//! The record of a thread that is no worker, or of a worker outside its tasks.
#![forbid(unsafe_code)]

#[cfg(fiberhost_simulate)]
use super::place;
use crate::join::complete;
#[cfg(fiberhost_simulate)]
use crate::primitive::simulated;
use crate::primitive::{Ordering, thread_local};
use crate::task::pool;
use crate::task::{Backing, Kind, Priority, Task, unusual};

/// The record of a plain thread. It ends with the thread as a task does: others look at all records there are and keep what
/// has not ended (`Life::try_keep`), so one that went back to the pool without an end would be kept there, or once it was
/// somebody else's, and that one's reference be given back for it.
struct Plainly(&'static Task);

impl Drop for Plainly {
    fn drop(&mut self) {
        // A model's pool may be gone by now, and the record with it.
        if !cfg!(any(loom, shuttle)) {
            complete(self.0);
        }
    }
}

thread_local! {
    static PLAIN: Plainly = Plainly(plain_task());
}

fn plain_task() -> &'static Task {
    let task = pool::get().expect("memory for a thread's record");
    task.set_kind(Kind::PlainThread);
    // Nothing of the task that had the record before: its permit would end this thread's first park.
    task.set_up(Priority::Normal, false, Backing::Fiber);
    task.set_unusual(unusual::PLAIN_THREAD);
    task.flags.store(0, Ordering::Relaxed);
    task.raise_fenced();
    task.permit.store(0, Ordering::Relaxed);
    task.id.set(pool::next_id_block(1));
    task.life.begin(1);
    task
}

/// The plain thread's own record, also for a worker that waits outside a task.
#[cold]
pub(crate) fn plain() -> &'static Task {
    #[cfg(fiberhost_simulate)]
    if simulated::here().is_some_and(|world| !world.is_outermost()) {
        return place::with(|here| {
            let plain = here.plain.get().unwrap_or_else(plain_task);
            here.plain.set(Some(plain));
            plain
        });
    }
    PLAIN.with(|plain| plain.0)
}

/// The end of a simulated thread.
#[cfg(fiberhost_simulate)]
pub(crate) fn end_plain() {
    if let Some(plain) = place::with(|here| here.plain.take()) {
        complete(plain);
    }
}
