//! The part of a slot that thieves reach without asking: crossbeam's deque, or a locked queue under loom.
//!
//! crossbeam-deque has no loom mode; its own proofs are its own, ours begin at this interface.
#![forbid(unsafe_code)]

use crate::task::Task;

#[cfg(not(loom))]
mod imp {
    use super::Task;
    use crossbeam_deque as deque;

    pub(crate) struct Worker(deque::Worker<&'static Task>);
    pub(crate) struct Stealer(deque::Stealer<&'static Task>);

    pub(crate) fn pair(_capacity: usize) -> (Worker, Stealer) {
        let worker = deque::Worker::new_fifo();
        let stealer = worker.stealer();
        (Worker(worker), Stealer(stealer))
    }

    impl Worker {
        pub(crate) fn push(&mut self, task: &'static Task) {
            self.0.push(task);
        }
        pub(crate) fn pop(&mut self) -> Option<&'static Task> {
            self.0.pop()
        }
        pub(crate) fn len(&self) -> usize {
            self.0.len()
        }
    }

    impl Stealer {
        pub(crate) fn is_empty(&self) -> bool {
            self.0.is_empty()
        }
        pub(crate) fn len(&self) -> usize {
            self.0.len()
        }
        pub(crate) fn steal_one(&self) -> Option<&'static Task> {
            loop {
                match self.0.steal() {
                    deque::Steal::Success(task) => return Some(task),
                    deque::Steal::Empty => return None,
                    deque::Steal::Retry => std::hint::spin_loop(),
                }
            }
        }
        /// Takes about half, up to what `into` has room for, and returns the first.
        pub(crate) fn steal_into(&self, into: &mut Worker) -> Option<&'static Task> {
            loop {
                match self.0.steal_batch_and_pop(&into.0) {
                    deque::Steal::Success(task) => return Some(task),
                    deque::Steal::Empty => return None,
                    // Somebody else took something: that is progress, and there may be more.
                    deque::Steal::Retry => std::hint::spin_loop(),
                }
            }
        }
    }
}

#[cfg(loom)]
mod imp {
    use std::collections::VecDeque;

    use super::Task;
    use crate::primitive::Mutex;
    use loom::sync::Arc;

    pub(crate) struct Worker(Arc<Mutex<VecDeque<&'static Task>>>);
    pub(crate) struct Stealer(Arc<Mutex<VecDeque<&'static Task>>>);

    pub(crate) fn pair(_capacity: usize) -> (Worker, Stealer) {
        let queue = Arc::new(Mutex::new(VecDeque::new()));
        (Worker(queue.clone()), Stealer(queue))
    }

    impl Worker {
        pub(crate) fn push(&mut self, task: &'static Task) {
            self.0.lock().push_back(task);
        }
        pub(crate) fn pop(&mut self) -> Option<&'static Task> {
            self.0.lock().pop_front()
        }
        pub(crate) fn len(&self) -> usize {
            self.0.lock().len()
        }
    }

    impl Stealer {
        pub(crate) fn is_empty(&self) -> bool {
            self.0.lock().is_empty()
        }
        pub(crate) fn len(&self) -> usize {
            self.0.lock().len()
        }
        pub(crate) fn steal_one(&self) -> Option<&'static Task> {
            self.0.lock().pop_front()
        }
        pub(crate) fn steal_into(&self, _into: &mut Worker) -> Option<&'static Task> {
            self.0.lock().pop_front()
        }
    }
}

pub(crate) use imp::{Stealer, Worker, pair};
