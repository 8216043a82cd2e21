//! A checker of the invariants, for tests: switched on by [`Builder::check_invariants`](crate::Builder::check_invariants).
//!
//! It keeps its own books under one lock and aborts the process at the first contradiction, with both sides named.
//!
//! - Tasks that run never exceed the slots; one in a native section whose slot was taken does not count.
//! - No thread runs a task without a slot.
//! - A task runs in one place at a time, and only if it was started and has not ended.
//! - A task that may not move runs on its home thread.
//! - A task that owns its thread does not give it to another.
//! - No task gives its thread back while that thread is panicking.
//! - Nobody holds a lock of ours across a suspend or a resume, or while it waits with its thread. Only models count them.
#![forbid(unsafe_code)]

use std::collections::{HashMap, HashSet};

use crate::primitive::{Mutex, held, simulated};
use crate::task::{Kind, Task};
use crate::thread::Thread;

pub(crate) struct Checker {
    slots: usize,
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    /// Which task runs on which thread.
    running: HashMap<usize, usize>,
    /// Threads that have lost their slots: what runs there counts as off.
    off: HashSet<usize>,
}

impl Books {
    fn count(&self) -> usize {
        let on = |thread: &&usize| !self.off.contains(thread);
        self.running.values().filter(on).count()
    }
}

impl Checker {
    pub(crate) fn new(slots: usize) -> Self {
        Checker {
            slots,
            books: Mutex::new(Books::default()),
        }
    }

    #[cold]
    pub(crate) fn begin_run(&self, thread: &Thread, task: &'static Task) {
        check_locks(task, "is resumed");
        let mut books = self.books.lock();
        if let Some(other) = books.running.insert(task.address(), thread.index) {
            broken(&format!(
                "task {} runs on worker {} and on {other}",
                task.id.get(),
                thread.index
            ));
        }
        if books.off.contains(&thread.index) {
            broken(&format!(
                "worker {} runs a task without a slot",
                thread.index
            ));
        }
        self.check_count(&books);
        if task.kind() != Kind::Started || task.life.is_done() {
            broken(&format!(
                "task {} is resumed in state {:?}",
                task.id.get(),
                task.kind()
            ));
        }
        let at_home = task
            .home
            .get()
            .is_some_and(|home| std::ptr::eq(home, thread));
        if !at_home {
            broken(&format!(
                "task {} runs on worker {}, which is not its home",
                task.id.get(),
                thread.index
            ));
        }
        if task.wait.is_armed() {
            broken(&format!(
                "task {} is resumed while its wait is on",
                task.id.get()
            ));
        }
    }

    /// A thread from outside has become a task, and has no slot yet.
    #[cold]
    pub(crate) fn adopt(&self, thread: &Thread, task: &'static Task) {
        let mut books = self.books.lock();
        books.off.insert(thread.index);
        books.running.insert(task.address(), thread.index);
    }

    /// A thread has a slot again.
    #[cold]
    pub(crate) fn on(&self, thread: &Thread) {
        let mut books = self.books.lock();
        books.off.remove(&thread.index);
        self.check_count(&books);
    }

    /// A thread has lost its slot, perhaps under a task that is in native code.
    #[cold]
    pub(crate) fn off(&self, thread: &Thread) {
        self.books.lock().off.insert(thread.index);
    }

    fn check_count(&self, books: &Books) {
        let count = books.count();
        if count > self.slots {
            broken(&format!("{count} tasks run on {} slots", self.slots));
        }
    }

    /// A task gives its thread back, `ended` or not.
    #[cold]
    pub(crate) fn end_run(&self, thread: &Thread, task: &'static Task, ended: bool) {
        check_locks(task, "gave its thread back");
        if self.books.lock().running.remove(&task.address()) != Some(thread.index) {
            broken(&format!(
                "task {} left worker {} where it did not run",
                task.id.get(),
                thread.index
            ));
        }
        // A guard that was leaked holds nobody any more.
        if !ended && task.owns_its_thread() {
            broken(&format!(
                "task {} gave away worker {}, which it owns",
                task.id.get(),
                thread.index
            ));
        }
        if simulated::panicking() {
            broken(&format!(
                "task {} was suspended while panicking",
                task.id.get()
            ));
        }
    }
}

/// Nobody who waits for a lock of ours waits for a task. In a build this is nothing.
#[inline(always)]
pub(crate) fn check_locks(task: &Task, what: &str) {
    let locks = held::count();
    if locks != 0 {
        broken(&format!(
            "task {} {what} while its thread holds {locks} of our locks",
            task.id.get()
        ));
    }
}

fn broken(what: &str) -> ! {
    // A model reports a panic, with the execution in which it came.
    #[cfg(any(loom, shuttle, test))]
    panic!("invariant broken: {what}");
    #[cfg(not(any(loom, shuttle, test)))]
    {
        eprintln!("fiberhost: invariant broken: {what}");
        std::process::abort()
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::OnceLock;

    use super::*;
    use crate::scheduler::Scheduler;
    use crate::task::{Backing, Hold, Priority, pool};
    use crate::wait::Interrupt;

    /// Two threads of a scheduler, which runs nothing itself, and a checker of their books.
    struct World {
        checker: Checker,
        threads: [&'static Thread; 2],
    }

    impl World {
        fn new(slots: usize) -> World {
            // As its threads, it lasts as long as the process; no world changes it.
            static SCHEDULER: OnceLock<Scheduler> = OnceLock::new();
            let build = || Scheduler::builder().workers(2).build().expect("threads");
            let scheduler = SCHEDULER.get_or_init(build);
            World {
                checker: Checker::new(slots),
                threads: [0, 1].map(|index| scheduler.core().threads.get(index)),
            }
        }

        /// A started task that lives on this thread.
        fn task(&self, home: usize) -> &'static Task {
            let task = pool::get().expect("memory for a record");
            task.set_up(Priority::Normal, false, Backing::Fiber);
            task.release_holds();
            task.life.begin(2);
            task.set_kind(Kind::Started);
            task.home.set(Some(self.threads[home]));
            task
        }

        fn begin(&self, thread: usize, task: &'static Task) {
            self.checker.begin_run(self.threads[thread], task);
        }

        fn end(&self, thread: usize, task: &'static Task, ended: bool) {
            self.checker.end_run(self.threads[thread], task, ended);
        }
    }

    /// What the checker says of it.
    #[track_caller]
    fn broken_by(contradiction: impl FnOnce()) -> String {
        let panic = catch_unwind(AssertUnwindSafe(contradiction)).expect_err("it is found");
        *panic.downcast::<String>().expect("the checker's words")
    }

    /// Calls something in the middle of an unwinding.
    fn while_panicking(work: impl FnOnce()) {
        struct Later<F: FnOnce()>(Option<F>);
        impl<F: FnOnce()> Drop for Later<F> {
            fn drop(&mut self) {
                (self.0.take().expect("dropped once"))();
            }
        }
        let later = Later(Some(work));
        let unwound = catch_unwind(AssertUnwindSafe(move || {
            let _later = later;
            std::panic::resume_unwind(Box::new(()));
        }));
        assert!(unwound.is_err());
    }

    #[test]
    fn what_is_right_is_no_contradiction() {
        let world = World::new(2);
        let (first, second) = (world.task(0), world.task(1));
        for _ in 0..2 {
            world.begin(0, first);
            world.begin(1, second);
            world.end(1, second, false);
            world.end(0, first, false);
        }
        // With a thread that has lost its slot, one more may run.
        world.begin(0, first);
        world.checker.off(world.threads[0]);
        world.begin(1, second);
        world.checker.on(world.threads[0]);
        first.raise_hold(Hold::Own);
        world.end(0, first, true);
    }

    #[test]
    fn each_contradiction_is_found() {
        let one_place = broken_by(|| {
            let world = World::new(2);
            let task = world.task(0);
            world.begin(0, task);
            world.begin(1, task);
        });
        assert!(one_place.contains("runs on worker 1 and on 0"));
        let slotless = broken_by(|| {
            let world = World::new(2);
            world.checker.off(world.threads[0]);
            world.begin(0, world.task(0));
        });
        assert!(slotless.contains("without a slot"), "{slotless}");
        let too_many = broken_by(|| {
            let world = World::new(1);
            world.begin(0, world.task(0));
            world.begin(1, world.task(1));
        });
        assert!(too_many.contains("2 tasks run on 1 slots"), "{too_many}");
        let came_back = broken_by(|| {
            let world = World::new(1);
            world.begin(0, world.task(0));
            world.checker.off(world.threads[0]);
            world.begin(1, world.task(1));
            world.checker.on(world.threads[0]);
        });
        assert!(came_back.contains("2 tasks run on 1 slots"), "{came_back}");
        let not_started = broken_by(|| {
            let world = World::new(2);
            let task = world.task(0);
            task.set_kind(Kind::Fresh);
            world.begin(0, task);
        });
        assert!(not_started.contains("in state Fresh"), "{not_started}");
        let elsewhere = broken_by(|| {
            let world = World::new(2);
            world.begin(1, world.task(0));
        });
        assert!(elsewhere.contains("not its home"), "{elsewhere}");
        let waiting = broken_by(|| {
            let world = World::new(2);
            let task = world.task(0);
            task.wait.arm(Interrupt::Alert);
            world.begin(0, task);
        });
        assert!(waiting.contains("while its wait is on"), "{waiting}");
        let left = broken_by(|| {
            let world = World::new(2);
            let task = world.task(0);
            world.begin(0, task);
            world.end(1, task, false);
        });
        assert!(left.contains("left worker 1 where it did not"), "{left}");
        let owner = broken_by(|| {
            let world = World::new(2);
            let task = world.task(0);
            world.begin(0, task);
            task.raise_hold(Hold::Own);
            world.end(0, task, false);
        });
        assert!(owner.contains("which it owns"), "{owner}");
        let world = World::new(2);
        let task = world.task(0);
        world.begin(0, task);
        while_panicking(|| {
            let panicking = broken_by(|| world.end(0, task, false));
            assert!(panicking.contains("while panicking"), "{panicking}");
        });
    }
}
