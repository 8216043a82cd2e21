//! The first part of step 2, for a task that never ran: it gets its stack, and from now on it lives somewhere.
#![forbid(unsafe_code)]

use crate::fiber;
use crate::join;
use crate::primitive::Ordering;
use crate::scheduler::Phase;
use crate::task::{Kind, Task};
use crate::thread::Thread;
use crate::watch;

impl Thread {
    /// A mobile task's home is where it runs.
    #[inline(always)]
    pub(super) fn adopt(&'static self, task: &'static Task) {
        let is_home = cfg!(feature = "bug_adopt") && task.home.get().is_some();
        if !is_home && !task.home.get().is_some_and(|home| std::ptr::eq(home, self)) {
            self.make_home(task);
        }
    }

    /// The first part of step 2 for a task that never ran: its stack. `false`: it ended without running.
    #[inline(always)]
    pub(super) fn start(&'static self, task: &'static Task) -> bool {
        // Started, then the look: a shutdown sets its phase, then looks who has started. One of the two sees the other.
        task.set_kind(Kind::Started);
        if self.core().still_runs()
            && task.is_usual()
            && task.stack_class.get() == 0
            && let Some(fiber) = self.stacks.get_warm()
        {
            fiber::bind(task, fiber);
            self.bound_live.set(self.bound_live.get() + 1);
            self.make_home(task);
            return true;
        }
        self.start_unusual(task)
    }

    #[cold]
    fn start_unusual(&'static self, task: &'static Task) -> bool {
        let core = self.core();
        if core.phase() != Phase::Running && !cfg!(feature = "bug_start_look") {
            task.set_kind(Kind::Fresh);
            core.cancel_fresh(task);
            return false;
        }
        if task.is_on_thread() {
            // It starts there, as soon as that thread has a slot.
            if let Err(error) = core.start_on_thread(task) {
                self.refuse(task, error);
            }
            return false;
        }
        match self.stacks.get(&core.stacks, task.stack_class.get()) {
            Ok(fiber) => fiber::bind(task, fiber),
            Err(error) => {
                self.refuse(task, error);
                return false;
            }
        }
        if !task.is_mobile() {
            self.bound_live.set(self.bound_live.get() + 1);
        }
        self.make_home(task);
        watch::started(self, task);
        true
    }

    #[cold]
    fn refuse(&'static self, task: &'static Task, error: std::io::Error) {
        task.payload.fail(join::JoinError::refused(error));
        self.end(task);
    }

    /// From now on the task lives on this thread, and its frames lead to this worker's.
    #[inline(always)]
    fn make_home(&'static self, task: &'static Task) {
        task.home.set(Some(self));
        if !task.is_mobile() {
            // Release: who finds the thread here finds it as it was when the task started.
            task.bound_to
                .store(std::ptr::from_ref(self).addr(), Ordering::Release);
        }
        fiber::link(self, task);
    }
}
