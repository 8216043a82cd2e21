//! A task: the unit of work, with its identity, priority, mobility and the words by which others reach it.
//!
//! Records live as long as the process ([`pool`]): a late timer, a stale list entry or a wake that lost its race
//! may look at a record whose task is long over, and finds a wait word with another epoch.
//! So every part of the scheduler passes `&'static Task` around, and who may *act* on it is decided by the words.

#[cfg(not(any(loom, shuttle)))]
mod debugger;
pub(crate) mod payload;
pub(crate) mod pool;
pub(crate) mod reads;
pub(crate) mod state;

use std::alloc::{Layout, handle_alloc_error};
use std::fmt;
use std::sync::Arc;

use crate::fiber::Fiber;
use crate::freeze::break_exclusive;
use crate::primitive::sleeper::Sleeper;
use crate::primitive::{
    AtomicU8, AtomicU32, AtomicU64, AtomicUsize, For, Ordering, Plain, ShownAddress, ShownWord,
    SpinLock, barrier,
};
use crate::scheduler::Core;
use crate::stats::ledger::Ledger;
use crate::sync::wait_list::{WaitList, WaitNode};
use crate::thread::Thread;
use crate::wait::{Interrupt, WaitReason, Wake};
use payload::{Payload, try_box};
use reads::Reads;
use state::{Ended, Epoch, Life, WaitWord, settle_barrier};

/// How urgently a task wants to run. A low one still runs: the fairness pick takes it in turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Priority {
    /// When nothing else is runnable, and at the fairness pick.
    Low = 0,
    /// The default.
    #[default]
    Normal = 1,
    /// Before the others.
    High = 2,
}

impl Priority {
    pub(crate) fn from_bits(bits: u8) -> Priority {
        match bits {
            0 => Priority::Low,
            1 => Priority::Normal,
            _ => Priority::High,
        }
    }
}

/// What a task runs on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backing {
    /// A stack of its own on the worker's thread: a switch costs nanoseconds.
    #[default]
    Fiber,
    /// An OS thread of its own, which takes part in the same slots, queues and waits and runs only while it has a slot: for
    /// code whose stack cannot be switched.
    Thread,
}

/// Raised for the task; it or the settle looks at them.
pub(crate) mod flag {
    /// `alert` was called and no wait has taken it yet.
    pub(crate) const ALERT: u32 = 1;
    /// `cancel`: waits that can say so return [`Wake::Aborted`](crate::Wake::Aborted).
    pub(crate) const CANCEL: u32 = 2;
    /// `abort`: every wait unwinds.
    pub(crate) const ABORT: u32 = 4;
    /// The unwinding is under way; destructors may wait, and are not unwound a second time.
    pub(crate) const UNWINDING: u32 = 8;
    /// A token was cancelled inside whose `run_until_cancelled` the task is: as `CANCEL`, until it leaves.
    pub(crate) const TOKEN: u32 = 16;
    /// Its next waits are timed: `watch.rs`.
    pub(crate) const SAMPLED: u32 = 64;
    /// All its waits are.
    pub(crate) const WATCHED: u32 = 128;
    /// An interrupter works on the task's wait: `freeze.rs`.
    pub(crate) const FROZEN: u32 = 32;
    /// Its wait is the one to be broken of a circle: `sync/lock_waits.rs`. Only while it stands in that table.
    pub(crate) const BREAK: u32 = 256;
    /// It runs in a simulation: another thread may have its turn before each of its waits.
    #[cfg(fiberhost_simulate)]
    pub(crate) const SIMULATED: u32 = 512;
    /// Always, where who looks at the flags behind something has to pass a fence first (`barrier::assumed`).
    pub(crate) const FENCED: u32 = 1024;
    /// On the record of a plain thread: its waits heed alerts, as a task's do. One of those who want that; a count.
    pub(crate) const HEEDS: u32 = 1 << 16;
    pub(crate) const HEEDS_ALL: u32 = 0xffff << 16;
    /// All that make waits return [`Wake::Aborted`](crate::Wake::Aborted) where they can say so.
    pub(crate) const CANCELS: u32 = CANCEL | ABORT | TOKEN;
}

/// Bits of `Task::unusual`. Written before the task is queued, and by `set_priority`.
pub(crate) mod unusual {
    /// Its creator vouched that it may change threads.
    pub(crate) const MOBILE: u8 = 1;
    /// It runs on an OS thread of its own.
    pub(crate) const ON_THREAD: u8 = 2;
    /// Its priority is not, or was not always, normal, or it was urgent.
    pub(crate) const PRIORITY: u8 = 4;
    /// It has a span of `tracing`.
    pub(crate) const SPAN: u8 = 8;
    /// The record is a plain thread's.
    pub(crate) const PLAIN_THREAD: u8 = 16;
    /// It is watched: `watch.rs`.
    pub(crate) const WATCHED: u8 = 32;
    /// The wait that is on is timed, or the next one will be. It makes no difference but to the waker.
    pub(crate) const TIMED: u8 = 64;
    /// It has what few tasks have (`Extra`). It makes no difference but at its end.
    pub(crate) const EXTRA: u8 = 128;
}

/// In `Task::priority`: the task's own, below a count of marks that make it urgent. With a mark it reads as the highest.
const OWN_PRIORITY: u8 = 3;
const URGENT: u8 = 4;
const URGENT_MAX: u8 = 60 * URGENT;

/// The counts that keep a started task on its OS thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// It must not move; others may run on its thread.
    Stay,
    /// The thread belongs to it alone.
    Own,
    /// The same, since native frames lie on its stack: nothing may unwind it either.
    Callback,
}

/// In `Task::target`, of a join: it has a limit. Records are aligned to more.
const ENDS_BY_ITSELF: usize = 1;

/// In `Task::reason`: the wait is over.
const PAST: u8 = 0x80;

const HOLD_MAX: u64 = 0xffff;

impl Hold {
    const fn shift(self) -> u32 {
        match self {
            Hold::Stay => 0,
            Hold::Own => 16,
            Hold::Callback => 32,
        }
    }
}

/// What the record's memory is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Nothing: it lies in the pool.
    Free,
    /// A task whose closure has not been called.
    Fresh,
    /// A started task.
    Started,
    /// A plain thread that waits for something of ours.
    PlainThread,
}

/// The record. Each field says who may touch it.
///
/// The order is that of use: what a switch touches, what a short life touches, what only waits touch.
/// A task that is spawned, runs and is joined without waiting stays in the first two lines of its record, if its closure and
/// its result are three words: where many are spawned before the first one runs, each line more is one more miss for each of
/// those steps.
#[repr(C, align(128))]
pub(crate) struct Task {
    // A switch.
    /// Saved stack pointer while it does not run; 0 before it first runs. Owner: whoever runs or claimed it.
    pub(crate) sp: Plain<usize>,
    /// Queue links. Owner: the queue it stands in.
    pub(crate) next: Plain<Option<&'static Task>>,
    pub(crate) prev: Plain<Option<&'static Task>>,
    /// Its stack. Owner: the worker that runs it.
    pub(crate) fiber: Plain<*const Fiber>,
    /// The thread it started on, or moved to. Owner: the worker that runs it.
    pub(crate) home: Plain<Option<&'static Thread>>,
    /// What keeps it on its thread: three counts of 16 bits (`Hold`). Owner: the task.
    held: Plain<u64>,
    pub(crate) life: Life,
    pub(crate) flags: AtomicU32,
    /// What makes it unlike most tasks, one bit each (`unusual`): none set is the short way through the loop.
    unusual: AtomicU8,
    priority: AtomicU8,
    kind: AtomicU8,
    /// Whether it stands in its thread's ring. Owner: that thread.
    pub(crate) in_ring: Plain<bool>,

    // A life.
    /// The scheduler it belongs to; valid while the task is not done.
    pub(crate) core: ShownAddress<Core>,
    /// Unique in the process. Written before the life begins, so that it also says whose life that is.
    pub(crate) id: ShownWord,
    /// The address of its home's record, for others, if it cannot move: they look it up before they use it.
    pub(crate) bound_to: AtomicUsize,
    /// When it was spawned, by the coarse clock. Written before it is queued.
    pub(crate) spawned: AtomicU32,
    /// Which size its stack has.
    pub(crate) stack_class: Plain<u8>,
    /// The permit of `park`: see `park/permit.rs`.
    pub(crate) permit: AtomicU8,
    /// What it waits for, or waited for last.
    reason: AtomicU8,
    /// How many of its waits are still to be timed, of a sample (`watch.rs`). Owner: the task; its worker before it goes on.
    pub(crate) samples: Plain<u8>,
    pub(crate) payload: Payload,

    // Waits.
    pub(crate) wait: WaitWord,
    /// The address of what it waits for, stored before the wait is armed (the arming releases it).
    pub(crate) target: AtomicUsize,
    /// When its last wait began, by the coarse clock (`stats/coarse.rs`). Owner: the task; others glance.
    pub(crate) since: AtomicU32,
    /// Where the timer of its last wait with a limit stands: a hint, see `timer.rs`.
    pub(crate) timer: AtomicU32,
    /// Time limit of the innermost `timeout`, in nanoseconds of the scheduler's clock; `u64::MAX` for none, as between two
    /// lives. Owner: the task.
    pub(crate) deadline: Plain<u64>,
    /// Its place in the wait list of what it waits for. Owner: that list's lock.
    pub(crate) node: WaitNode,
    /// The address of an exclusive wait, stored before it is armed: see `suspend::withdraw`.
    pub(crate) wait_at: AtomicUsize,
    /// When the wait was ended, if it is timed (`watch.rs`). Owner: who ended it, then the task.
    pub(crate) woken_at: AtomicU64,
    /// Name and task-locals: rare, so on the heap, and `unusual` says whether there are any. Owner: the task; the name is only
    /// written before it is queued.
    pub(crate) extra: Plain<*mut Extra>,
    /// The key of the task-local value that was used last, and where that is; 0 for none, as between two lives (`local.rs`).
    /// Owner: the task.
    pub(crate) last_key: Plain<usize>,
    pub(crate) last_value: Plain<*const ()>,
    /// Where a plain thread sleeps; tasks do not use it.
    pub(crate) sleeper: Sleeper,
    /// Held by whoever freezes the task.
    pub(crate) freezer: SpinLock<()>,
    /// Joiners beyond the first.
    pub(crate) joiners: SpinLock<WaitList>,
    /// The locks under which it reads.
    pub(crate) reads: Reads,
    /// The number of the task that has noted who joins it (`sync/lock_waits/notes.rs`). Owner: the task.
    pub(crate) noted: Plain<u64>,
    /// The waker of a join handle that is polled: see `future.rs`.
    #[cfg(feature = "futures")]
    pub(crate) waker: SpinLock<Option<std::task::Waker>>,
}

#[cfg(not(any(loom, shuttle)))]
const _: () = assert!(
    std::mem::offset_of!(Task, payload) + payload::HEAD <= 128,
    "a short life stays in two lines",
);

/// A hint: that this address will be read or written soon. Any address may be given.
#[inline(always)]
fn prefetch(address: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint accesses nothing, and does not fault.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address as *const i8) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// Brings nearer what a short life touches of a record that is likely the next to be used.
#[inline(always)]
fn fetch_life(record: Option<&'static Task>) {
    const LINE: usize = 64;
    // Where there is none: a hint in vain, cheaper than a look each time.
    let address = record.map_or(0, Task::address);
    prefetch(address);
    prefetch(address + LINE);
}

/// What few tasks have.
#[derive(Default)]
pub(crate) struct Extra {
    pub(crate) name: Option<Arc<str>>,
    pub(crate) locals: crate::local::Locals,
    /// The tokens inside whose `run_until_cancelled` the task is, outermost first.
    pub(crate) tokens: Vec<Arc<crate::cancel::Node>>,
    /// Its span, and what it has entered.
    pub(crate) span: Option<crate::span::Carried>,
    /// Where its time goes, if that is booked.
    pub(crate) ledger: Option<Box<Ledger>>,
    /// Bytes of its stack that it used, written at its end if that is measured.
    pub(crate) stack_used: Option<usize>,
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("kind", &self.kind())
            .finish_non_exhaustive()
    }
}

impl Task {
    pub(crate) fn new() -> Task {
        Task {
            sp: Plain::new(0),
            next: Plain::new(None),
            prev: Plain::new(None),
            fiber: Plain::new(std::ptr::null()),
            wait: WaitWord::new(),
            flags: AtomicU32::new(0),
            unusual: AtomicU8::new(0),
            priority: AtomicU8::new(Priority::Normal as u8),
            kind: AtomicU8::new(Kind::Free as u8),
            in_ring: Plain::new(false),
            held: Plain::new(0_u64),
            home: Plain::new(None),
            bound_to: AtomicUsize::new(0),
            life: Life::new(),
            permit: AtomicU8::new(0),
            sleeper: Sleeper::new(),
            reason: AtomicU8::new(0),
            samples: Plain::new(0),
            since: AtomicU32::new(0),
            spawned: AtomicU32::new(0),
            target: AtomicUsize::new(0),
            deadline: Plain::new(u64::MAX),
            timer: AtomicU32::new(0),
            node: WaitNode::new(),
            wait_at: AtomicUsize::new(0),
            woken_at: AtomicU64::new(0),
            freezer: SpinLock::new(For::Task, ()),
            joiners: SpinLock::new(For::Task, WaitList::new()),
            reads: Reads::new(),
            noted: Plain::new(0),
            #[cfg(feature = "futures")]
            waker: SpinLock::new(For::Task, None),
            core: ShownAddress::new(),
            id: ShownWord::new(0),
            stack_class: Plain::new(0),
            extra: Plain::new(std::ptr::null_mut()),
            last_key: Plain::new(0),
            last_value: Plain::new(std::ptr::null()),
            payload: Payload::new(),
        }
    }

    /// Says whose end it is about to wait for. Only the task itself, before the wait is armed.
    #[inline(always)]
    pub(crate) fn set_joins(&self, other: &'static Task) {
        // Relaxed: arming the wait releases it.
        self.target.store(other.address(), Ordering::Relaxed);
    }

    /// The same of a wait with a time limit.
    pub(crate) fn set_joins_for_a_time(&self, other: &'static Task) {
        // Relaxed: as above.
        self.target
            .store(other.address() | ENDS_BY_ITSELF, Ordering::Relaxed);
    }

    /// Says that the wait which is about to begin is for nobody's end, whatever its reason.
    pub(crate) fn joins_nobody(&self) {
        // Relaxed: as above.
        self.target.store(0, Ordering::Relaxed);
    }

    /// Whose end it waits for, for as long as it takes, if it does so in the wait that is on; and which wait that is.
    pub(crate) fn joins_now(&self) -> Option<(&'static Task, Epoch)> {
        let epoch = self.wait.armed_epoch()?;
        if self.reason() != WaitReason::Join {
            return None;
        }
        // Stored before the wait was armed. The epoch, once more, says that it is this wait's.
        let endless = self.target.load(Ordering::Relaxed) & ENDS_BY_ITSELF == 0;
        let other = self.joins().filter(|_| endless)?;
        (self.wait.armed_epoch() == Some(epoch)).then_some((other, epoch))
    }

    /// Whose end it waits for, if it waits for one.
    pub(crate) fn joins(&self) -> Option<&'static Task> {
        let target = self.target.load(Ordering::Relaxed) & !ENDS_BY_ITSELF;
        // SAFETY: what a join stores is the address of a record; the permit of `park`, the other thing that is stored here,
        // lies inside a record, not at its beginning, and is left out by its alignment.
        (target != 0 && target.is_multiple_of(align_of::<Task>()))
            .then(|| unsafe { Task::at(target) })
    }

    /// Who sleeps with the thread on which this task has started and must go on, if somebody does and the
    /// thread is one of this scheduler's, or of the other part of it.
    pub(crate) fn waits_for_thread(&self, core: &Core) -> Option<&'static Task> {
        let home = self.bound_to.load(Ordering::Acquire);
        let owner = core.sleeps_at(home)?;
        (!std::ptr::eq(owner, self)).then_some(owner)
    }

    /// Whether it has started on this thread, and can go on nowhere else.
    pub(crate) fn has_started_on(&self, thread: &Thread) -> bool {
        let home = self.bound_to.load(Ordering::Acquire);
        self.kind() == Kind::Started && std::ptr::eq(home as *const Thread, thread)
    }

    /// Its scheduler, for who has the task and so knows that it is there.
    pub(crate) fn scheduler(&self) -> Option<&'static Core> {
        // SAFETY: the pointer came from an `Arc` that is alive as long as a task of it is.
        unsafe { self.core.get().as_ref() }
    }

    /// Whether it is a task of this scheduler, if it is one at all.
    pub(crate) fn belongs_to(&self, core: &Core) -> bool {
        std::ptr::eq(self.core.get(), core)
    }

    /// The record at this address.
    ///
    /// # Safety
    /// The address came from [`address`](Task::address) of any record, live or not.
    #[inline(always)]
    pub(crate) unsafe fn at(address: usize) -> &'static Task {
        // SAFETY: records are never freed; the address is one of theirs.
        unsafe { &*(address as *const Task) }
    }

    #[inline(always)]
    pub(crate) fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Brings what a resume touches nearer to the processor: the record, and the stack around where it was left; and of the
    /// task behind this one in the ring the line that says where that is, for when its own turn to be fetched comes.
    ///
    /// For a task that runs soon and was parked among so many that nothing of it is in a cache any more: its misses then
    /// come all at once and beside another task's work, not one after the other. Measured at 100,000 tasks that wait with a
    /// time limit: 180 ns for each to go on to its wait, instead of 390. Only for the owner of the ring.
    ///
    /// Rejected: two to six tasks ahead, several at once, by addresses that the ring keeps apart, with the entry of the timer,
    /// or with records whose lines are in the order of use. At 100,000 tasks none of these changed the whole by more than
    /// differs between two runs: a stack is a page of its own, whose entry in the page table is in no cache either, and a fetch
    /// does not retire before the address is translated.
    #[inline(always)]
    pub(crate) fn fetch_ahead(&self) {
        const LINE: usize = 64;
        for line in 1..size_of::<Task>() / LINE {
            prefetch(self.address() + line * LINE);
        }
        if let Some(behind) = self.next.get() {
            prefetch(behind.address());
        }
        // Above it what the task returns through, below it what it calls next.
        let left_at = self.sp.get();
        for line in 0..10 {
            prefetch(left_at.wrapping_sub(4 * LINE).wrapping_add(line * LINE));
        }
    }

    /// Brings what the next resumes in a ring touch nearer: the stack of the task behind this one, and the record behind that.
    ///
    /// Records are followed link by link, so a miss there is waited for at each step; this makes it two steps ahead.
    /// Owner of the ring only.
    #[inline(always)]
    pub(crate) fn fetch_next(&self) {
        const LINE: usize = 64;
        let Some(next) = self.next.get() else {
            return;
        };
        let left_at = next.sp.get();
        // What the task returns through; the line of `left_at` itself is the first that the switch reads.
        prefetch(left_at.wrapping_add(LINE));
        if let Some(after) = next.next.get() {
            prefetch(after.address());
        }
    }

    #[inline(always)]
    pub(crate) fn priority(&self) -> Priority {
        // Relaxed: a hint for the next queueing.
        Priority::from_bits(self.priority.load(Ordering::Relaxed))
    }

    pub(crate) fn set_priority(&self, priority: Priority) {
        self.change_priority(|bits| Some(bits & !OWN_PRIORITY | priority as u8));
        // It stays set: a task that has changed its priority is looked up for ever, which is only slower.
        self.unusual.fetch_or(unusual::PRIORITY, Ordering::Relaxed);
    }

    fn change_priority(&self, change: impl FnMut(u8) -> Option<u8>) -> bool {
        // Relaxed: as for `priority`.
        self.priority
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, change)
            .is_ok()
    }

    /// Without the marks.
    pub(crate) fn own_priority(&self) -> Priority {
        Priority::from_bits(self.priority.load(Ordering::Relaxed) & OWN_PRIORITY)
    }

    /// One mark more. `false`: there are too many already.
    pub(crate) fn urge(&self) -> bool {
        self.unusual.fetch_or(unusual::PRIORITY, Ordering::Relaxed);
        self.change_priority(|bits| (bits < URGENT_MAX).then_some(bits + URGENT))
    }

    /// One less.
    pub(crate) fn calm(&self) {
        let calmed = self.change_priority(|bits| bits.checked_sub(URGENT));
        debug_assert!(calmed, "a mark is taken back once");
    }

    #[inline(always)]
    pub(crate) fn is_urgent(&self) -> bool {
        self.priority.load(Ordering::Relaxed) >= URGENT
    }

    /// What a new task is. Only before it is queued.
    #[inline(always)]
    pub(crate) fn set_up(&self, priority: Priority, mobile: bool, backing: Backing) {
        self.priority.store(priority as u8, Ordering::Relaxed);
        let mut bits = 0;
        if priority != Priority::Normal {
            bits |= unusual::PRIORITY;
        }
        if mobile {
            bits |= unusual::MOBILE;
        }
        if backing == Backing::Thread {
            bits |= unusual::ON_THREAD;
        }
        self.unusual.store(bits, Ordering::Relaxed);
    }

    /// Whether it is a bound task of normal priority on a fiber, like most.
    #[inline(always)]
    pub(crate) fn is_usual(&self) -> bool {
        self.unusual.load(Ordering::Relaxed) & !(unusual::TIMED | unusual::EXTRA) == 0
    }

    #[inline(always)]
    pub(crate) fn is_mobile(&self) -> bool {
        self.unusual.load(Ordering::Relaxed) & unusual::MOBILE != 0
    }

    #[inline(always)]
    pub(crate) fn is_on_thread(&self) -> bool {
        self.unusual.load(Ordering::Relaxed) & unusual::ON_THREAD != 0
    }

    /// Whether whoever ends its wait only has to queue it at home.
    #[inline(always)]
    pub(crate) fn is_woken_plainly(&self) -> bool {
        const OTHER: u8 =
            unusual::MOBILE | unusual::PLAIN_THREAD | unusual::WATCHED | unusual::TIMED;
        self.unusual.load(Ordering::Relaxed) & OTHER == 0
    }

    /// Whether the wait that was ended is timed.
    pub(crate) fn is_timed(&self) -> bool {
        self.unusual.load(Ordering::Relaxed) & unusual::TIMED != 0
    }

    pub(crate) fn is_watched(&self) -> bool {
        self.unusual.load(Ordering::Relaxed) & unusual::WATCHED != 0
    }

    /// Sets one of its unusual bits. From any thread.
    pub(crate) fn set_unusual(&self, bit: u8) {
        self.unusual.fetch_or(bit, Ordering::Relaxed);
    }

    pub(crate) fn clear_unusual(&self, bit: u8) {
        self.unusual.fetch_and(!bit, Ordering::Relaxed);
    }

    #[inline(always)]
    pub(crate) fn has_span(&self) -> bool {
        self.unusual.load(Ordering::Relaxed) & unusual::SPAN != 0
    }

    /// Gives it a span. Only before it is queued.
    pub(crate) fn set_span(&self, span: tracing::Span) {
        self.extra_mut().span = Some(crate::span::Carried::new(span));
        self.unusual.fetch_or(unusual::SPAN, Ordering::Relaxed);
    }

    #[inline(always)]
    pub(crate) fn kind(&self) -> Kind {
        match self.kind.load(Ordering::Relaxed) {
            0 => Kind::Free,
            1 => Kind::Fresh,
            2 => Kind::Started,
            _ => Kind::PlainThread,
        }
    }

    #[inline(always)]
    pub(crate) fn set_kind(&self, kind: Kind) {
        // Relaxed: read for statistics, and by the record's owner.
        self.kind.store(kind as u8, Ordering::Relaxed);
    }

    /// What it waits for, from before its wait is on until it goes on.
    pub(crate) fn reason(&self) -> WaitReason {
        // No reason has the bit.
        WaitReason::from_bits(self.reason.load(Ordering::Relaxed))
    }

    /// What it waits for, or waited for last.
    pub(crate) fn last_reason(&self) -> WaitReason {
        WaitReason::from_bits(self.reason.load(Ordering::Relaxed) & !PAST)
    }

    /// It waits for that no longer.
    #[inline(always)]
    pub(crate) fn set_past_reason(&self, reason: WaitReason) {
        self.reason.store(reason as u8 | PAST, Ordering::Relaxed);
    }

    #[inline(always)]
    pub(crate) fn set_reason(&self, reason: WaitReason) {
        // Relaxed: read for statistics only.
        self.reason.store(reason as u8, Ordering::Relaxed);
    }

    /// Whether its queue link leads back to it: so it is in a ring of one. Owner only, like the link.
    #[inline(always)]
    pub(crate) fn is_next_to_itself(&self) -> bool {
        self.next.get().is_some_and(|next| std::ptr::eq(next, self))
    }

    /// No count holds a new task. Only before it is queued.
    #[inline(always)]
    pub(crate) fn release_holds(&self) {
        self.held.set(0);
    }

    /// Raises one of the two counts. Only the task itself.
    ///
    /// # Panics
    /// At 65,535 of one kind.
    pub(crate) fn raise_hold(&self, hold: Hold) {
        let held = self.held.get();
        let count = (held >> hold.shift()) & HOLD_MAX;
        assert!(count < HOLD_MAX, "too many {hold:?} guards in one task");
        self.held.set(held + (1 << hold.shift()));
    }

    /// Lowers it again. Only the task itself.
    pub(crate) fn lower_hold(&self, hold: Hold) {
        let held = self.held.get();
        debug_assert!(
            (held >> hold.shift()) & HOLD_MAX > 0,
            "a count is lowered once for each time it was raised"
        );
        self.held.set(held - (1 << hold.shift()));
    }

    /// Whether nobody else may run on its thread.
    #[inline(always)]
    pub(crate) fn owns_its_thread(&self) -> bool {
        self.held.get() > HOLD_MAX
    }

    /// Whether it keeps others, which may have started there, from its thread while it waits. On a thread of its own nobody has.
    #[inline(always)]
    pub(crate) fn keeps_its_thread(&self) -> bool {
        self.owns_its_thread() && !self.is_on_thread()
    }

    /// Whether native frames lie on its stack.
    #[inline(always)]
    pub(crate) fn has_native_frames(&self) -> bool {
        self.held.get() >> Hold::Callback.shift() != 0
    }

    /// Whether anything holds it. Only the task itself.
    pub(crate) fn is_held(&self) -> bool {
        self.held.get() != 0
    }

    /// Whether the next resume may be on another thread.
    #[inline(always)]
    pub(crate) fn may_move(&self) -> bool {
        self.is_mobile() && (self.held.get() == 0 || cfg!(feature = "bug_stay_move"))
    }

    pub(crate) fn name(&self) -> Option<Arc<str>> {
        // SAFETY: the name is written before the task is queued and dropped with the last reference, which the caller has.
        let extra = unsafe { self.extra.get().as_ref() };
        extra.and_then(|extra| extra.name.clone())
    }

    /// Where its time goes, if that is booked.
    pub(crate) fn ledger(&self) -> Option<&'static Ledger> {
        // SAFETY: written before the task is queued and dropped with the last reference, which the caller has, or the task
        // itself.
        let extra = unsafe { self.extra.get().as_ref() };
        extra.and_then(|extra| extra.ledger.as_deref())
    }

    /// Gives it a ledger. Only before it is queued. `false`: memory was refused.
    pub(crate) fn set_ledger(&self, ledger: Ledger) -> bool {
        if !self.make_extra() {
            return false;
        }
        let room = try_box();
        self.extra_mut().ledger = room.map(|room| Box::write(room, ledger));
        self.extra_mut().ledger.is_some()
    }

    /// How much of its stack it used. Only once it is done: then nobody writes it any more.
    pub(crate) fn stack_used(&self) -> Option<usize> {
        // SAFETY: written before the task's end and dropped with the last reference, which the caller has.
        let extra = unsafe { self.extra.get().as_ref() };
        extra.and_then(|extra| extra.stack_used)
    }

    /// The rare parts, made on first use. Only the task itself calls this once it was queued.
    #[allow(
        clippy::mut_from_ref,
        reason = "the record's owner is alone here; see the field's doc"
    )]
    pub(crate) fn extra_mut(&self) -> &mut Extra {
        if !self.make_extra() {
            handle_alloc_error(Layout::new::<Extra>());
        }
        // SAFETY: just made or made earlier, freed only when the record is recycled; the caller is the owner.
        unsafe { &mut *self.extra.get() }
    }

    /// The same for a spawn, which can say so: `false`, memory was refused.
    pub(crate) fn make_extra(&self) -> bool {
        if self.extra.get().is_null() {
            let Some(room) = try_box() else { return false };
            let extra = Box::write(room, Extra::default());
            self.extra.set(Box::into_raw(extra));
            self.set_unusual(unusual::EXTRA);
        }
        true
    }

    #[inline(always)]
    pub(crate) fn has_extra(&self) -> bool {
        self.unusual.load(Ordering::Relaxed) & unusual::EXTRA != 0
    }

    pub(crate) fn drop_extra(&self) {
        let extra = self.extra.replace(std::ptr::null_mut());
        if !extra.is_null() {
            self.clear_unusual(unusual::EXTRA);
            self.last_key.set(0);
            // SAFETY: it came from `Box::into_raw` and the cell no longer has it.
            drop(unsafe { Box::from_raw(extra) });
        }
    }

    /// Ends this very wait, if it is still on, and makes the task runnable.
    pub(crate) fn wake(&'static self, epoch: Epoch, wake: Wake, token: u16) -> bool {
        let claimed = self.wait.claim(epoch, wake, token);
        if claimed {
            crate::runnable::make_runnable(self);
        }
        claimed
    }

    /// How the wait that just ended did so.
    #[inline(always)]
    pub(crate) fn ended(&self) -> Ended {
        self.wait.ended()
    }

    /// Raises a flag and breaks the wait that is on, if it allows that.
    ///
    /// Before the wait: its settle reads the flag after arming. During: the claim here. The barrier pair excludes that
    /// both miss. After: the flag stays for the next wait.
    pub(crate) fn interrupt(&'static self, flag: u32, by: Interrupt, wake: Wake) {
        self.raise(flag);
        barrier::heavy();
        self.break_wait(flag, by, wake);
    }

    /// The first part of [`interrupt`](Task::interrupt).
    pub(crate) fn raise(&self, flag: u32) {
        // AcqRel: what the interrupter did before is visible to the task when it sees the flag.
        self.flags.fetch_or(flag, Ordering::AcqRel);
    }

    /// Says so where those who look at the flags need a fence. When a life begins; tasks that are spawned the short way do not.
    pub(crate) fn raise_fenced(&self) {
        if barrier::needs_fence() {
            self.raise(flag::FENCED);
        }
    }

    /// Whether waits that block this thread are ended by interruptions.
    pub(crate) fn heeds(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & flag::HEEDS_ALL != 0
    }

    /// Takes a flag back. Only the task itself.
    pub(crate) fn lower(&self, flag: u32) {
        self.flags.fetch_and(!flag, Ordering::AcqRel);
    }

    /// The last part of [`interrupt`](Task::interrupt), behind the barrier. A task that has taken the flag already, and
    /// waits for something else now, is left alone.
    pub(crate) fn break_wait(&'static self, flag: u32, by: Interrupt, wake: Wake) {
        let strength = || {
            let flags = self.flags.load(Ordering::Acquire);
            match by {
                _ if flags & flag == 0 && !cfg!(feature = "bug_break_late") => Interrupt::Never,
                // It would not be unwound, so a wait that cannot say how it ended goes on.
                Interrupt::Unwind if flags & flag::UNWINDING != 0 => Interrupt::Abort,
                by => by,
            }
        };
        // A wait that begins only now finds the flag itself.
        if self.wait.interrupt(wake, strength) || break_exclusive(self, wake, None, strength) {
            crate::runnable::make_runnable(self);
        }
    }

    /// Breaks the wait of a task that was told by its flag that it is the one to be broken of a circle. From outside the
    /// table's lock: the task may have left it, and taken the flag back.
    pub(crate) fn break_circle(&'static self) {
        barrier::heavy();
        let strength = || match self.flags.load(Ordering::Acquire) & flag::BREAK {
            0 => Interrupt::Never,
            _ => Interrupt::Unwind,
        };
        let wake = Wake::Aborted;
        if self.wait.interrupt(wake, strength) || break_exclusive(self, wake, None, strength) {
            crate::runnable::make_runnable(self);
        }
    }

    /// Breaks this very wait, which is a join, for a circle that it is in. `false`: it has ended otherwise.
    pub(crate) fn break_join(&'static self, epoch: Epoch) -> bool {
        let (by, wake) = (Interrupt::Unwind, Wake::Aborted);
        let ended = self.wait.interrupt_epoch(epoch, by, wake)
            || break_exclusive(self, wake, Some(epoch), || by);
        if ended {
            crate::runnable::make_runnable(self);
        }
        ended
    }

    /// The settle's last step: a flag raised before the wait was armed found no wait to break.
    /// Returns whether it claimed the wait; then the settle's caller owns the task again.
    #[inline(always)]
    pub(crate) fn missed_interrupt(&'static self, epoch: Epoch) -> bool {
        settle_barrier();
        !cfg!(feature = "bug_interrupt_look")
            && self.flags.load(Ordering::Acquire) != 0
            && self.take_missed_interrupt(epoch)
    }

    #[cold]
    fn take_missed_interrupt(&'static self, epoch: Epoch) -> bool {
        barrier::light();
        let flags = self.flags.load(Ordering::Acquire);
        let unwind = flags & flag::ABORT != 0 && flags & flag::UNWINDING == 0;
        let take = |by, wake| {
            self.wait.interrupt_epoch(epoch, by, wake)
                || break_exclusive(self, wake, Some(epoch), || by)
        };
        // A wait that may be broken of a circle says so by what it allows.
        let broken = flags & flag::BREAK != 0 && !cfg!(feature = "bug_waits_break");
        ((unwind || broken) && take(Interrupt::Unwind, Wake::Aborted))
            || (flags & flag::CANCELS != 0 && take(Interrupt::Abort, Wake::Aborted))
            || (flags & flag::ALERT != 0 && take(Interrupt::Alert, Wake::Alerted))
    }
}

const _: () = assert!(std::mem::align_of::<Task>() == 1 << state::TASK_ALIGN_SHIFT);

/// Gives a reference back; with the last one the record goes to the pool.
#[inline(always)]
pub(crate) fn release(task: &'static Task) {
    if task.life.release() {
        task.recycle();
    }
}

/// The same by who has taken the task's result.
#[inline(always)]
pub(crate) fn release_empty(task: &'static Task) {
    if task.life.release() {
        task.recycle_empty();
    }
}

impl Task {
    /// The end of the record's use: what is left of the payload is dropped. The caller had the last reference.
    #[inline(always)]
    pub(crate) fn recycle(&'static self) {
        self.payload.discard();
        self.recycle_empty();
    }

    #[inline(always)]
    fn recycle_empty(&'static self) {
        debug_assert!(
            self.kind() != Kind::Free,
            "a record goes back to the pool once for each time it was taken out"
        );
        debug_assert!(self.payload.is_empty(), "nothing is left of a life");
        if self.has_extra() {
            self.drop_extra();
        }
        self.set_kind(Kind::Free);
        match crate::current::thread() {
            Some(thread) => thread.magazine.put(self),
            None => pool::put(self),
        }
    }
}
