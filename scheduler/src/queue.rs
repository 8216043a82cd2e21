//! Where a runnable task stands.
//!
//! | place | whose | who touches it | order |
//! |---|---|---|---|
//! | [`Bound`] | a thread's | that thread | oldest first |
//! | [`Ready`], mobile | a slot's, in its private part | its owner, or a taker | oldest first |
//! | [`Deque`], fresh | a slot's, in its private part | its owner (newest first), or a taker (oldest first) | |
//! | [`Inbox`] | a thread's | anyone pushes, the thread drains | as they came |
//! | [`Injector`] | the scheduler's | anyone | oldest first |
//!
//! All are linked through the task's own `next` and `prev`, so that queueing never allocates:
//! a task stands in one place at a time.

use crate::primitive::{AtomicUsize, Mutex, Ordering, Plain};
use crate::task::{Priority, Task};

/// Oldest first. Owner: whoever has the queue it is part of.
///
/// A ring that is held by its newest task, whose `next` is the oldest: one word to keep, and no empty tail to mend.
pub(crate) struct Fifo {
    newest: Plain<Option<&'static Task>>,
}

impl Fifo {
    pub(crate) fn new() -> Self {
        Fifo {
            newest: Plain::new(None),
        }
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.newest.get().is_none()
    }

    /// Zero if nobody stands here: what several queues are asked by with one branch.
    #[inline(always)]
    fn bits(&self) -> usize {
        bits(self.newest.get())
    }

    #[inline(always)]
    pub(crate) fn push(&self, task: &'static Task) {
        match self.newest.get() {
            Some(newest) => {
                task.next.set(newest.next.get());
                newest.next.set(Some(task));
            }
            None => task.next.set(Some(task)),
        }
        self.newest.set(Some(task));
    }

    /// Before all others.
    fn push_front(&self, task: &'static Task) {
        match self.newest.get() {
            Some(newest) => {
                task.next.set(newest.next.get());
                newest.next.set(Some(task));
            }
            None => self.push(task),
        }
    }

    #[inline(always)]
    pub(crate) fn pop(&self) -> Option<&'static Task> {
        let newest = self.newest.get()?;
        let oldest = newest.next.get()?;
        if std::ptr::eq(oldest, newest) {
            self.newest.set(None);
        } else {
            newest.next.set(oldest.next.get());
        }
        Some(oldest)
    }
}

/// Started tasks by priority. Nearly all are of normal priority, so that level has the short way.
pub(crate) struct Ready {
    normal: Fifo,
    high: Fifo,
    low: Fifo,
    /// Which level the next `pop_kept_waiting` asks first.
    low_first: Plain<bool>,
    /// How many urgent ones went before those that stood at the high level.
    went_before: Plain<u32>,
}

/// So many in a row.
const BEFORE_MAX: u32 = 3;

impl Ready {
    pub(crate) fn new() -> Self {
        Ready {
            normal: Fifo::new(),
            high: Fifo::new(),
            low: Fifo::new(),
            low_first: Plain::new(false),
            went_before: Plain::new(0),
        }
    }

    #[inline(always)]
    fn level(&self, priority: Priority) -> &Fifo {
        match priority {
            Priority::Low => &self.low,
            Priority::Normal => &self.normal,
            Priority::High => &self.high,
        }
    }

    #[inline(always)]
    pub(crate) fn push(&self, task: &'static Task) {
        if task.is_urgent() {
            return self.push_urgent(task);
        }
        self.level(task.priority()).push(task);
    }

    /// At the high level before the others, but not again and again before the same ones.
    #[cold]
    fn push_urgent(&self, task: &'static Task) {
        let before = self.went_before.get();
        if before < BEFORE_MAX {
            self.went_before.set(before + 1);
            self.high.push_front(task);
        } else {
            self.high.push(task);
        }
    }

    #[cold]
    fn pop_high(&self) -> Option<&'static Task> {
        let task = self.high.pop();
        if task.is_none_or(|task| !task.is_urgent()) || self.high.is_empty() {
            self.went_before.set(0);
        }
        task
    }

    /// The oldest of the highest priority.
    #[inline(always)]
    pub(crate) fn pop(&self) -> Option<&'static Task> {
        if !self.high.is_empty() {
            return self.pop_high();
        }
        self.normal.pop().or_else(|| self.low.pop())
    }

    /// The oldest of a level that others keep waiting: the low one always, the normal one behind a high one, in turn.
    pub(crate) fn pop_kept_waiting(&self) -> Option<&'static Task> {
        let low = || self.low.pop();
        let normal = || (!self.high.is_empty()).then(|| self.normal.pop()).flatten();
        let low_first = !self.low_first.get();
        self.low_first.set(low_first);
        if low_first {
            low().or_else(normal)
        } else {
            normal().or_else(low)
        }
    }

    /// The highest priority that stands here.
    pub(crate) fn highest(&self) -> Option<Priority> {
        [Priority::High, Priority::Normal, Priority::Low]
            .into_iter()
            .find(|&level| !self.level(level).is_empty())
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.bits() == 0
    }

    #[inline(always)]
    fn bits(&self) -> usize {
        self.normal.bits() | self.high.bits() | self.low.bits()
    }

    /// Whether something more urgent than this stands here.
    #[inline(always)]
    pub(crate) fn has_above(&self, priority: Priority) -> bool {
        (priority < Priority::High && !self.high.is_empty())
            || (priority < Priority::Normal && !self.normal.is_empty())
    }
}

/// A ring of no more tasks than this has all that its switches touch, some eight lines a task, in a cache of 32 KiB.
const LONG_RING: usize = 32;

/// The started tasks of a thread. Owner: that thread.
///
/// Nearly all are of normal priority. They stand in a ring in which a task stays while it runs, so that a yield is a step
/// to the next one: nothing is taken out and nothing put back. A task leaves the ring when it gives the thread back
/// otherwise (`leave`, before anybody else can know of it). The others stand in queues by priority.
///
/// *cursor* is the last in the ring's order: the task that was stepped to last, or one that came after that. The one behind
/// it has waited longest. While the cursor itself runs, new ones go before it: its next turn begins only when it yields.
pub(crate) struct Bound {
    cursor: Plain<Option<&'static Task>>,
    /// How many stand in the ring.
    length: Plain<usize>,
    others: Ready,
    /// Whether the next `pop_kept_waiting` asks the ring first.
    ring_first: Plain<bool>,
}

impl Bound {
    pub(crate) fn new() -> Self {
        Bound {
            cursor: Plain::new(None),
            length: Plain::new(0),
            others: Ready::new(),
            ring_first: Plain::new(false),
        }
    }

    /// Queues a task behind all that wait; `running` is who runs on this thread now.
    #[inline(always)]
    pub(crate) fn push(&self, task: &'static Task, running: Option<&'static Task>) {
        if task.is_usual() {
            self.push_usual(task, running);
        } else {
            self.others.push(task);
        }
    }

    #[inline(always)]
    fn push_usual(&self, task: &'static Task, running: Option<&'static Task>) {
        debug_assert!(!task.in_ring.get(), "a task stands in one place");
        task.in_ring.set(true);
        self.length.set(self.length.get() + 1);
        let Some(cursor) = self.cursor.get() else {
            task.next.set(Some(task));
            task.prev.set(Some(task));
            return self.cursor.set(Some(task));
        };
        if running.is_some_and(|running| std::ptr::eq(running, cursor)) {
            // The cursor runs: its next turn comes after all that wait, the new one included.
            let prev = cursor.prev.get().expect("a ring is linked both ways");
            insert(prev, task, cursor);
        } else {
            // The cursor has had its turn: the new one comes behind it, and is the last now.
            let next = cursor.next.get().expect("a ring is linked both ways");
            insert(cursor, task, next);
            self.cursor.set(Some(task));
        }
    }

    /// The next of the highest priority. One from the ring stays there.
    #[inline(always)]
    pub(crate) fn pop(&self) -> Option<&'static Task> {
        if self.others.has_above(Priority::Normal) {
            return self.others.pop();
        }
        match self.cursor.get() {
            Some(cursor) => {
                let task = self.step_from(cursor);
                // Likely the next one: it comes nearer while this one runs.
                if let Some(after) = task.next.get()
                    && !std::ptr::eq(after, task)
                {
                    after.fetch_ahead();
                }
                Some(task)
            }
            None => self.others.pop(),
        }
    }

    /// Whether the ring's tasks may be too many for the nearest cache.
    #[inline(always)]
    pub(crate) fn is_long(&self) -> bool {
        self.length.get() > LONG_RING
    }

    /// Who is next in the ring.
    pub(crate) fn next(&self) -> Option<&'static Task> {
        self.cursor.get()?.next.get()
    }

    /// The one behind the task that was stepped to last.
    #[inline(always)]
    pub(crate) fn step_from(&self, cursor: &'static Task) -> &'static Task {
        let next = cursor.next.get().expect("a ring is linked both ways");
        self.cursor.set(Some(next));
        next
    }

    /// Takes a task out of the ring, if it stands there.
    #[inline(always)]
    pub(crate) fn leave(&self, task: &'static Task) {
        if !task.in_ring.get() {
            return;
        }
        task.in_ring.set(false);
        self.length.set(self.length.get() - 1);
        let next = task.next.get().expect("a ring is linked both ways");
        if std::ptr::eq(next, task) {
            return self.cursor.set(None);
        }
        let prev = task.prev.get().expect("a ring is linked both ways");
        prev.next.set(Some(next));
        next.prev.set(Some(prev));
        if self
            .cursor
            .get()
            .is_some_and(|cursor| std::ptr::eq(cursor, task))
        {
            self.cursor.set(Some(prev));
        }
    }

    /// As [`Ready::pop_kept_waiting`]; the ring is kept waiting by a high one.
    pub(crate) fn pop_kept_waiting(&self) -> Option<&'static Task> {
        let cursor = self
            .cursor
            .get()
            .filter(|_| self.others.has_above(Priority::Normal));
        let ring_first = !self.ring_first.get();
        self.ring_first.set(ring_first);
        match cursor {
            Some(cursor) if ring_first => Some(self.step_from(cursor)),
            _ => self
                .others
                .pop_kept_waiting()
                .or_else(|| cursor.map(|cursor| self.step_from(cursor))),
        }
    }

    pub(crate) fn highest(&self) -> Option<Priority> {
        let ring = self.cursor.get().map(|_| Priority::Normal);
        self.others.highest().max(ring)
    }

    /// Whether nothing but queues by priority could hold a task: none are there.
    #[inline(always)]
    pub(crate) fn only_usual(&self) -> bool {
        self.others.is_empty()
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        bits(self.cursor.get()) | self.others.bits() == 0
    }

    /// Whether nobody stands here but, perhaps, this task itself.
    pub(crate) fn is_empty_but_for(&self, task: &'static Task) -> bool {
        let alone = self.cursor.get().is_none_or(|cursor| {
            std::ptr::eq(cursor, task)
                && task.next.get().is_some_and(|next| std::ptr::eq(next, task))
        });
        alone && self.others.is_empty()
    }

    /// Whether something more urgent than this stands here.
    #[inline(always)]
    pub(crate) fn has_above(&self, priority: Priority) -> bool {
        self.others.has_above(priority)
            || (priority < Priority::Normal && self.cursor.get().is_some())
    }
}

#[inline(always)]
fn bits(task: Option<&'static Task>) -> usize {
    task.map_or(0, Task::address)
}

/// Links a task between two neighbours of a ring.
#[inline(always)]
fn insert(before: &'static Task, task: &'static Task, after: &'static Task) {
    task.prev.set(Some(before));
    task.next.set(Some(after));
    before.next.set(Some(task));
    after.prev.set(Some(task));
}

/// Both ends. Owner: whoever has the private part it is in.
pub(crate) struct Deque {
    oldest: Option<&'static Task>,
    newest: Option<&'static Task>,
}

impl Deque {
    pub(crate) const fn new() -> Self {
        Deque {
            oldest: None,
            newest: None,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.newest.is_none()
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, task: &'static Task) {
        task.next.set(None);
        task.prev.set(self.newest);
        match self.newest {
            Some(newest) => newest.next.set(Some(task)),
            None => self.oldest = Some(task),
        }
        self.newest = Some(task);
    }

    #[inline(always)]
    pub(crate) fn pop_newest(&mut self) -> Option<&'static Task> {
        let task = self.newest?;
        self.newest = task.prev.get();
        match self.newest {
            Some(newest) => newest.next.set(None),
            None => self.oldest = None,
        }
        Some(task)
    }

    pub(crate) fn pop_oldest(&mut self) -> Option<&'static Task> {
        let task = self.oldest?;
        self.oldest = task.next.get();
        match self.oldest {
            Some(oldest) => oldest.prev.set(None),
            None => self.newest = None,
        }
        Some(task)
    }
}

/// Started bound tasks that somebody else woke: many push, the thread takes all at once.
///
/// A stack of addresses: a push is one exchange that releases the link it wrote, and the drain acquires all of them.
pub(crate) struct Inbox(AtomicUsize);

impl Inbox {
    pub(crate) fn new() -> Self {
        Inbox(AtomicUsize::new(0))
    }

    /// The caller calls the thread afterwards.
    pub(crate) fn push(&self, task: &'static Task) {
        let mut head = self.0.load(Ordering::Relaxed);
        loop {
            // SAFETY: only addresses of records are stored here.
            task.next
                .set((head != 0).then(|| unsafe { Task::at(head) }));
            // Release: the drain sees the link, and what the waker did. (Acquire is the drain's.)
            let order = if cfg!(feature = "bug_inbox_release") {
                Ordering::Relaxed
            } else {
                Ordering::Release
            };
            match self
                .0
                .compare_exchange(head, task.address(), order, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Whether nothing came, as far as the owner has been told by a call.
    pub(crate) fn is_empty(&self) -> bool {
        // Relaxed: the call that the owner has taken makes what was pushed before it visible.
        self.0.load(Ordering::Relaxed) == 0
    }

    /// Everything that came, oldest first. Owner only.
    pub(crate) fn drain(&self, mut each: impl FnMut(&'static Task)) {
        let head = self.0.swap(0, Ordering::Acquire);
        // SAFETY: only addresses of records are stored here.
        let mut newest_first = (head != 0).then(|| unsafe { Task::at(head) });
        let mut oldest_first = None;
        while let Some(task) = newest_first {
            newest_first = task.next.get();
            task.next.set(oldest_first);
            oldest_first = Some(task);
        }
        while let Some(task) = oldest_first {
            oldest_first = task.next.get();
            each(task);
        }
    }
}

/// What may start or go on anywhere and was queued from outside the workers.
pub(crate) struct Injector {
    len: AtomicUsize,
    queue: Mutex<Ready>,
}

impl Injector {
    pub(crate) fn new() -> Self {
        Injector {
            len: AtomicUsize::new(0),
            queue: Mutex::new(Ready::new()),
        }
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        // Relaxed: a hint; a worker looks again after the barrier of the idle protocol before it sleeps.
        self.len.load(Ordering::Relaxed) == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    pub(crate) fn push(&self, task: &'static Task) {
        let queue = self.queue.lock();
        queue.push(task);
        self.len.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn pop(&self) -> Option<&'static Task> {
        self.pop_if(|_| true)
    }

    /// One of high priority, as urgent ones are, if one waits.
    pub(crate) fn pop_high(&self) -> Option<&'static Task> {
        self.pop_if(|queue| queue.highest() == Some(Priority::High))
    }

    fn pop_if(&self, wanted: impl FnOnce(&Ready) -> bool) -> Option<&'static Task> {
        if self.is_empty() {
            return None;
        }
        let queue = self.queue.lock();
        if !wanted(&queue) {
            return None;
        }
        let task = queue.pop()?;
        self.len.fetch_sub(1, Ordering::Relaxed);
        Some(task)
    }

    /// The same, but first what higher priorities keep waiting: for the fairness pick.
    pub(crate) fn pop_fair(&self) -> Option<&'static Task> {
        if self.is_empty() {
            return None;
        }
        let queue = self.queue.lock();
        let task = queue.pop_kept_waiting().or_else(|| queue.pop())?;
        self.len.fetch_sub(1, Ordering::Relaxed);
        Some(task)
    }
}
