//! Deadlines of one slot: a heap of (time, wait). It never reads a clock.
//!
//! An entry names a wait by its epoch; an entry whose wait is over is dead and does nothing when its time comes.
//! Dead ones are swept when they are more than half, so that arming and giving up costs amortised constant time.
#![forbid(unsafe_code)]

use crate::task::Task;
use crate::task::state::Epoch;

/// Children of a node: four fit in two cache lines, and the heap is half as deep.
const ARITY: usize = 4;
const SWEEP_MIN: usize = 64;

#[derive(Clone, Copy)]
pub(crate) struct Timer {
    /// In nanoseconds of the scheduler's clock.
    pub(crate) at: u64,
    pub(crate) task: &'static Task,
    pub(crate) epoch: Epoch,
}

impl Timer {
    fn is_dead(&self) -> bool {
        !self.task.wait.is_armed_for(self.epoch)
    }
}

/// See the module docs.
#[derive(Default)]
pub(crate) struct Timers {
    heap: Vec<Timer>,
    dead: usize,
}

impl Timers {
    pub(crate) const fn new() -> Self {
        Timers {
            heap: Vec::new(),
            dead: 0,
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.heap.len()
    }

    /// The earliest time.
    pub(crate) fn next(&self) -> Option<u64> {
        self.heap.first().map(|timer| timer.at)
    }

    pub(crate) fn arm(&mut self, timer: Timer) {
        self.heap.push(timer);
        self.sift_up(self.heap.len() - 1);
    }

    /// One of the waits in this heap, or in some other one, ended before its time.
    pub(crate) fn note_dead(&mut self) {
        self.dead += 1;
        if self.dead > SWEEP_MIN && self.dead > self.heap.len() / 2 {
            self.sweep();
        }
    }

    #[cold]
    fn sweep(&mut self) {
        self.heap.retain(|timer| !timer.is_dead());
        self.dead = 0;
        for index in (0..self.heap.len().div_ceil(ARITY)).rev() {
            self.sift_down(index);
        }
    }

    /// Takes the earliest one if its time has come.
    pub(crate) fn pop_due(&mut self, now: u64) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        let timer = self.heap.swap_remove(0);
        if !self.heap.is_empty() {
            self.sift_down(0);
        }
        Some(timer)
    }

    fn sift_up(&mut self, mut index: usize) {
        let timer = self.heap[index];
        while index > 0 {
            let parent = (index - 1) / ARITY;
            if self.heap[parent].at <= timer.at {
                break;
            }
            self.heap[index] = self.heap[parent];
            index = parent;
        }
        self.heap[index] = timer;
    }

    fn sift_down(&mut self, mut index: usize) {
        let timer = self.heap[index];
        loop {
            let first = index * ARITY + 1;
            let last = (first + ARITY).min(self.heap.len());
            let Some(child) = (first..last).min_by_key(|&child| self.heap[child].at) else {
                break;
            };
            if self.heap[child].at >= timer.at {
                break;
            }
            self.heap[index] = self.heap[child];
            index = child;
        }
        self.heap[index] = timer;
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use crate::wait::Interrupt;

    fn task() -> &'static Task {
        crate::task::pool::get().expect("memory for a record")
    }

    #[test]
    fn they_come_out_in_order_and_not_before_their_time() {
        let task = task();
        let mut timers = Timers::new();
        let mut at = 7_u64;
        for _ in 0..1000 {
            at = at
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            timers.arm(Timer {
                at: at >> 40,
                task,
                epoch: Epoch::test(1),
            });
        }
        let mut last = 0;
        while let Some(next) = timers.next() {
            if next > 0 {
                assert!(timers.pop_due(next - 1).is_none());
            }
            let timer = timers.pop_due(next).expect("its time has come");
            assert!(timer.at >= last);
            last = timer.at;
        }
        assert_eq!(timers.len(), 0);
    }

    #[test]
    fn dead_ones_are_swept_and_live_ones_stay() {
        let mut timers = Timers::new();
        let live = task();
        let live_epoch = live.wait.arm(Interrupt::Alert);
        timers.arm(Timer {
            at: 5,
            task: live,
            epoch: live_epoch,
        });
        let dead = task();
        for at in 0..1000 {
            timers.arm(Timer {
                at,
                task: dead,
                epoch: Epoch::test(9999),
            });
            timers.note_dead();
        }
        assert!(timers.len() < 200, "{} entries left", timers.len());
        let mut found = false;
        while let Some(timer) = timers.pop_due(u64::MAX) {
            found |= timer.epoch == live_epoch && std::ptr::eq(timer.task, live);
        }
        assert!(found);
    }
}
