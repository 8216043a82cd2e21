//! The one door into the queues for a task whose wait has ended.
//!
//! Whoever ended the wait makes the task runnable: at home if that is here, in the home thread's inbox if it is bound
//! elsewhere, in the injector if it may move and the waker is no worker of its scheduler.
//!
//! Room for unsafe code: a waker takes a reference to a scheduler that is not its own.

use std::sync::Arc;

use crate::current;
use crate::scheduler::Core;
use crate::task::{Kind, Task};
use crate::thread::Thread;
use crate::watch;

/// The door into the queues for a task whose wait the caller has ended.
#[inline(always)]
pub(crate) fn make_runnable(task: &'static Task) {
    make_runnable_from(current::thread(), task);
}

/// The same, for a caller who knows which worker this thread is.
#[inline(always)]
pub(crate) fn make_runnable_from(here: Option<&'static Thread>, task: &'static Task) {
    match here {
        // Whose home is here is of this scheduler.
        Some(thread) if thread.is_home_of(task) && task.is_woken_plainly() => {
            thread.wake_here(task);
        }
        _ => wake_unusual(here, task),
    }
}

/// All but bound tasks of the caller's scheduler, and those whose times are taken.
#[inline(never)]
fn wake_unusual(here: Option<&'static Thread>, task: &'static Task) {
    if task.is_timed() {
        watch::woken(here, task);
    }
    match here {
        Some(thread) if thread.belongs_to(task.core.get()) && task.kind() != Kind::PlainThread => {
            if task.may_move() {
                thread.wake_mobile(task);
            } else {
                thread.wake_bound(task);
            }
        }
        _ => wake_remote(task),
    }
}

impl Thread {
    #[inline(always)]
    fn is_home_of(&self, task: &'static Task) -> bool {
        task.home.get().is_some_and(|home| std::ptr::eq(home, self))
    }

    /// A bound task whose home this is: it is the next one, and who was to be next goes to the end of the queue.
    #[inline(always)]
    fn wake_here(&self, task: &'static Task) {
        if let Some(before) = self.woken.replace(Some(task)) {
            self.bound.push(before, self.task.get());
        }
        self.look_soon();
    }

    fn wake_bound(&self, task: &'static Task) {
        if self.is_home_of(task) {
            self.wake_here(task);
        } else {
            wake_at_home(task);
        }
    }

    fn wake_mobile(&self, task: &'static Task) {
        let core = self.core();
        if core.force_migration {
            core.injector.push(task);
        } else {
            self.slot().push_woken(task);
            self.look_soon();
        }
        if core.slots.len() > 1 {
            self.offer();
        }
    }
}

fn wake_at_home(task: &'static Task) {
    let home = task.home.get().expect("a started task has a home");
    // The twin that a model must catch: who was called has looked before the task is there.
    if cfg!(feature = "bug_inbox_call") {
        home.sleeper.call();
        return home.inbox.push(task);
    }
    home.inbox.push(task);
    home.sleeper.call();
}

/// From a thread that is no worker of the task's scheduler.
#[cold]
fn wake_remote(task: &'static Task) {
    if task.kind() == Kind::PlainThread {
        return task.sleeper.call();
    }
    // The task is ours until it is queued, so its scheduler is alive; the reference keeps it so until we are done with it,
    // though the task may have run to its end and the scheduler been shut down by then.
    // SAFETY: the pointer came from an `Arc` that is alive (above).
    let core: Arc<Core> = unsafe { Core::keep(task.core.get()) };
    if task.may_move() {
        // It may run to its end as soon as it is queued; records of threads stay as long as the scheduler.
        let home = task.home.get().filter(|_| task.is_urgent());
        core.inject(task);
        if let Some(home) = home {
            home.sleeper.call();
        }
    } else {
        wake_at_home(task);
    }
}
