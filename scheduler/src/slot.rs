//! A slot: the right to run tasks, with the queues of what may move and their timers.
//!
//! Its private part is under an owner-biased lock: the worker that drives the slot pays no locked instruction,
//! a taker pays a process-wide barrier. What others are to have cheaply goes to the shared deque,
//! in batches, when somebody is idle or the private part grows long.
#![forbid(unsafe_code)]

use crate::primitive::biased::Biased;
use crate::primitive::{AtomicBool, AtomicU64, AtomicUsize, Ordering, Plain};
use crate::queue::{Deque, Ready};
use crate::steal;
use crate::task::{Priority, Task};
use crate::timer::{Timer, Timers};

/// How many tasks go to the shared deque at once, and the most that is put there.
const SHARE_MAX: usize = 32;
const SHARED_MAX: usize = 64;
/// The level of most tasks.
const USUAL: usize = Priority::Normal as usize;
/// How often in a row the task just woken goes before the others.
pub(crate) const WOKEN_MAX: u32 = 3;
/// How many a taker takes at once.
const TAKE_MAX: usize = 32;

/// In this order, so that whoever looks on takes one line from the owner, and none of the private part's.
#[repr(C, align(64))]
pub(crate) struct Slot {
    pub(crate) index: usize,
    /// The thread that has it, or had it last, by index. Written under the lock of the lists in `idle`.
    pub(crate) driver: AtomicUsize,
    /// How often in a row it went to a thread that returned to one task. Owner: that lock.
    pub(crate) returns: Plain<u32>,
    shared: steal::Stealer,
    /// Tasks in the private part, for others to read.
    waiting: AtomicUsize,
    /// The earliest deadline, for the monitor to read: a hint.
    due: AtomicU64,
    /// It rests (`rest.rs`). Written under the lock of the lists.
    rests: AtomicBool,
    private: Biased<Private>,
}

/// What only the owner or a taker touches.
struct Private {
    /// The mobile task just woken.
    wake: Option<&'static Task>,
    /// How often in a row that place was used.
    wake_uses: u32,
    ready: Ready,
    fresh: [Deque; 3],
    len: usize,
    /// How many of `len` are fresh and of normal priority, like most.
    usual: usize,
    /// The priority that the next fairness pick asks first.
    fair_level: usize,
    shared: steal::Worker,
    timers: Timers,
}

impl Private {
    fn highest(&self) -> Option<Priority> {
        let fresh = (0..3_u8)
            .rev()
            .find(|&level| !self.fresh[level as usize].is_empty())
            .map(Priority::from_bits);
        let wake = self.wake.map(Task::priority);
        self.ready.highest().max(fresh).max(wake)
    }

    #[inline(always)]
    fn push_fresh(&mut self, task: &'static Task) {
        let level = task.priority() as usize;
        self.fresh[level].push(task);
        self.len += 1;
        self.usual += usize::from(level == USUAL);
    }

    /// The same for a task of normal priority. With the priority as an argument a spawn would be 14 instructions longer.
    #[inline(always)]
    fn push_usual(&mut self, task: &'static Task) {
        self.fresh[USUAL].push(task);
        self.len += 1;
        self.usual += 1;
    }

    fn push_ready(&mut self, task: &'static Task) {
        self.ready.push(task);
        self.len += 1;
    }

    /// The task just woken goes to its queue.
    fn demote_woken(&mut self) {
        self.wake_uses = 0;
        if let Some(task) = self.wake.take() {
            self.ready.push(task);
        }
    }

    #[inline(always)]
    fn pop(&mut self) -> Option<&'static Task> {
        if self.len == self.usual {
            self.pop_fresh(USUAL, Deque::pop_newest)
        } else {
            self.pop_by_priority()
        }
    }

    fn pop_by_priority(&mut self) -> Option<&'static Task> {
        if let Some(task) = self.wake {
            if self.wake_uses < WOKEN_MAX && !self.ready.has_above(task.priority()) {
                self.wake_uses += 1;
                self.wake = None;
                self.len -= 1;
                return Some(task);
            }
            self.demote_woken();
        }
        let highest = self.highest()?;
        if self.ready.highest() == Some(highest) {
            self.pop_ready()
        } else {
            self.pop_fresh(highest as usize, Deque::pop_newest)
        }
    }

    #[inline(always)]
    fn pop_fresh(
        &mut self,
        level: usize,
        end: fn(&mut Deque) -> Option<&'static Task>,
    ) -> Option<&'static Task> {
        let task = end(&mut self.fresh[level])?;
        self.len -= 1;
        self.usual -= usize::from(level == USUAL);
        Some(task)
    }

    fn pop_ready(&mut self) -> Option<&'static Task> {
        let task = self.ready.pop()?;
        self.len -= 1;
        Some(task)
    }

    /// What has waited longest, the more urgent first: for thieves.
    fn pop_oldest(&mut self) -> Option<&'static Task> {
        for level in (0..3).rev() {
            if let Some(task) = self.pop_fresh(level, Deque::pop_oldest) {
                return Some(task);
            }
        }
        self.demote_woken();
        self.pop_ready()
    }
}

impl Slot {
    pub(crate) fn new(index: usize) -> Self {
        let (worker, stealer) = steal::pair(SHARED_MAX);
        let private = Private {
            wake: None,
            wake_uses: 0,
            ready: Ready::new(),
            fresh: [const { Deque::new() }; 3],
            len: 0,
            usual: 0,
            fair_level: 0,
            shared: worker,
            timers: Timers::new(),
        };
        Slot {
            index,
            driver: AtomicUsize::new(index),
            returns: Plain::new(0),
            private: Biased::new(private),
            waiting: AtomicUsize::new(0),
            due: AtomicU64::new(u64::MAX),
            shared: stealer,
            rests: AtomicBool::new(false),
        }
    }

    /// Whether it rests. Exact under the lock of the lists.
    pub(crate) fn rests(&self) -> bool {
        self.rests.load(Ordering::Relaxed)
    }

    /// Under that lock.
    pub(crate) fn set_rests(&self, rests: bool) {
        self.rests.store(rests, Ordering::Relaxed);
    }

    /// Whether the private part holds a task. Exact for the owner, a hint for others.
    #[inline(always)]
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    #[inline(always)]
    fn own<R>(&self, work: impl FnOnce(&mut Private) -> R) -> R {
        self.private.own(|private| {
            let result = work(private);
            // Relaxed: a hint for thieves; before a worker sleeps it looks again behind the heavy barrier.
            self.waiting.store(private.len, Ordering::Relaxed);
            result
        })
    }

    /// Queues a task that has not started. Owner only, like all that follows up to `take_half`.
    #[inline(always)]
    pub(crate) fn push_fresh(&self, task: &'static Task) {
        self.own(|private| private.push_fresh(task));
    }

    /// The same for one of normal priority.
    #[inline(always)]
    pub(crate) fn push_usual(&self, task: &'static Task) {
        self.own(|private| private.push_usual(task));
    }

    /// Queues a started mobile task at the end of its level.
    pub(crate) fn push_ready(&self, task: &'static Task) {
        self.own(|private| private.push_ready(task));
    }

    /// Queues the mobile task just woken, to run next.
    pub(crate) fn push_woken(&self, task: &'static Task) {
        self.own(|private| {
            if let Some(before) = private.wake.replace(task) {
                private.ready.push(before);
            }
            private.len += 1;
        });
    }

    /// The next task.
    #[inline(always)]
    pub(crate) fn pop(&self) -> Option<&'static Task> {
        self.own(Private::pop)
    }

    /// The next task, unless something at least as urgent stands in the thread's own queue; on a tie `mine_first` decides.
    pub(crate) fn pop_unless(
        &self,
        bound: Option<Priority>,
        mine_first: bool,
    ) -> Option<&'static Task> {
        self.own(|private| {
            let highest = private.highest()?;
            // Where only tasks that have not started are as urgent as the thread's own, those that have go first.
            let started = private.wake.is_some() || private.ready.highest() == Some(highest);
            let yields_to_bound = bound.is_some_and(|bound| {
                bound > highest || (bound == highest && !(started && mine_first))
            });
            if yields_to_bound { None } else { private.pop() }
        })
    }

    /// What was shared and nobody took.
    pub(crate) fn pop_shared(&self) -> Option<&'static Task> {
        self.own(|private| private.shared.pop())
    }

    /// The oldest that has not started, of each priority in turn: for the fairness pick.
    pub(crate) fn pop_fresh_fair(&self) -> Option<&'static Task> {
        self.own(|private| {
            let first = private.fair_level;
            private.fair_level = (first + 1) % 3;
            (0..3).find_map(|step| private.pop_fresh((first + step) % 3, Deque::pop_oldest))
        })
    }

    /// The oldest mobile task that higher priorities keep waiting: for the fairness pick.
    pub(crate) fn pop_ready_fair(&self) -> Option<&'static Task> {
        self.own(|private| {
            let task = private.ready.pop_kept_waiting()?;
            private.len -= 1;
            Some(task)
        })
    }

    /// Moves up to half of the private part, oldest first, to where thieves can have it. Returns whether anything moved.
    pub(crate) fn share(&self) -> bool {
        self.own(|private| {
            let room = SHARED_MAX - private.shared.len().min(SHARED_MAX);
            let count = private.len.div_ceil(2).min(SHARE_MAX).min(room);
            for _ in 0..count {
                let Some(task) = private.pop_oldest() else {
                    break;
                };
                private.shared.push(task);
            }
            count > 0
        })
    }

    /// Gives all tasks away, those that were shared too, the more urgent first. Timers stay.
    pub(crate) fn empty(&self, mut each: impl FnMut(&'static Task)) {
        while let Some(task) = self.own(Private::pop_oldest).or_else(|| self.pop_shared()) {
            each(task);
        }
    }

    /// Takes a batch from what another slot has shared, and returns its first task.
    pub(crate) fn steal_from(&self, other: &Slot) -> Option<&'static Task> {
        if other.shared.is_empty() {
            return None;
        }
        self.own(|private| other.shared.steal_into(&mut private.shared))
    }

    /// For any thread: one of the tasks that were shared.
    pub(crate) fn take_shared(&self) -> Option<&'static Task> {
        self.shared.steal_one()
    }

    /// Whether others could have something here without asking the owner.
    pub(crate) fn has_shared(&self) -> bool {
        !self.shared.is_empty()
    }

    /// How many others could have so. For statistics.
    pub(crate) fn shared(&self) -> usize {
        self.shared.len()
    }

    pub(crate) fn arm(&self, timer: Timer) {
        self.own(|private| {
            // A hint may come early, never late.
            if timer.at < self.due() {
                self.due.store(timer.at, Ordering::Relaxed);
            }
            private.timers.arm(timer);
        });
    }

    pub(crate) fn cancel_timer(&self, task: &Task) {
        self.own(|private| private.timers.cancel(task));
    }

    fn hint(&self, private: &Private) {
        self.due
            .store(private.timers.next().unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// The earliest deadline, for others: a hint.
    pub(crate) fn due(&self) -> u64 {
        self.due.load(Ordering::Relaxed)
    }

    pub(crate) fn next_timer(&self) -> Option<u64> {
        self.own(|private| private.timers.next())
    }

    pub(crate) fn pop_timer(&self, now: u64) -> Option<Timer> {
        self.own(|private| {
            let timer = private.timers.pop_due(now);
            self.hint(private);
            timer
        })
    }

    /// For the monitor: takes the timers that are due past an owner that does not come to fire them.
    /// `None`: the owner was in the middle of its work.
    pub(crate) fn take_due(&self, now: u64, mut each: impl FnMut(Timer)) -> Option<()> {
        // Nothing is called with the private part in hand, so one at a time.
        loop {
            let due = self.private.take(|private| {
                let timer = private.timers.pop_due(now);
                self.hint(private);
                timer
            })?;
            match due {
                Some(timer) => each(timer),
                None => return Some(()),
            }
        }
    }

    /// For another thread: takes half of the private part, oldest first, past an owner that does not come to share it.
    /// `None`: the owner was in the middle of its work.
    pub(crate) fn take_half(&self, mut each: impl FnMut(&'static Task)) -> Option<usize> {
        // Nothing is called with the private part in hand: the tasks are linked into a list first.
        let taken = self.private.take(|private| {
            let mut taken = Deque::new();
            let count = private.len.div_ceil(2).min(TAKE_MAX);
            for _ in 0..count {
                let Some(task) = private.pop_oldest() else {
                    break;
                };
                taken.push(task);
            }
            self.waiting.store(private.len, Ordering::Relaxed);
            taken
        });
        let mut taken = taken?;
        let mut count = 0;
        while let Some(task) = taken.pop_oldest() {
            each(task);
            count += 1;
        }
        Some(count)
    }
}
