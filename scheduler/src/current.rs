//! The one thread-local: which worker this thread is, and so which task runs here.
//!
//! A task may go on on another thread after a switch, and compilers keep the address of a thread-local across calls;
//! two calls of an accessor that returned such an address were seen to be merged across a switch.
//! So the accessors here are never inlined, return a *value*, and pass it through an empty `asm!` that the compiler
//! must assume to compute something new each time. Nobody keeps their answer across a suspend.
//!
//! Room for unsafe code: turning the value into a reference.

use std::cell::Cell;

use crate::fiber::stack::Cache;
use crate::primitive::sleeper::Sleeper;
use crate::primitive::{AtomicI32, AtomicU64, Ordering, Plain, thread_local};
use crate::queue::{Bound, Inbox};
use crate::scheduler::Core;
use crate::slot::Slot;
use crate::task::pool::{self, Magazine};
use crate::task::{Backing, Kind, Priority, Task};

/// An OS thread that runs tasks, with the queue of those that are bound to it.
#[repr(align(128))]
pub(crate) struct Thread {
    /// The worker's saved stack pointer while a task runs. Owner: this thread.
    pub(crate) sp: Plain<usize>,
    /// Who runs. Owner: this thread.
    pub(crate) task: Plain<Option<&'static Task>>,
    /// Started tasks bound to this thread. Owner: this thread.
    pub(crate) bound: Bound,
    /// The bound task just woken, and how often in a row that slot was used. Owner: this thread.
    pub(crate) woken: Plain<Option<&'static Task>>,
    pub(crate) woken_uses: Plain<u32>,
    /// Resumes left until the loop must look beyond the ring; 0 as soon as the owner knows of something (`look_soon`).
    /// This thread counts down; the monitor and the statistics read it (`switches`).
    pub(crate) left: AtomicI32,
    /// The number of resumes, plus `left`. Written by this thread.
    resumes_and_left: AtomicU64,
    /// At which number of resumes the next fairness pick is due, and which class it asks first. Owner: this thread.
    pub(crate) fair_at: Plain<u64>,
    pub(crate) fair_class: Plain<u32>,
    /// Yields of a task that was alone. Owner: this thread.
    pub(crate) lone_yields: Plain<i32>,
    /// How often in a row it has spun for work in vain. Owner: this thread.
    pub(crate) spins_in_vain: Plain<u32>,
    /// Set by the monitor when a task's quantum is over: to the number of the resume that lasts so long.
    pub(crate) slice_over: AtomicU64,
    /// Where this thread sleeps and is called.
    pub(crate) sleeper: Sleeper,
    /// Bound tasks that others woke.
    pub(crate) inbox: Inbox,

    pub(crate) index: usize,
    core: *const Core,
    /// The slot this thread drives. Set when the core is complete.
    slot: Plain<*const Slot>,
    /// Tasks spawned and ended here. Written by this thread, summed by others.
    pub(crate) spawned: AtomicU64,
    pub(crate) ended: AtomicU64,
    pub(crate) steals: AtomicU64,
    /// Started bound tasks that live here. Owner: this thread.
    pub(crate) bound_live: Plain<u32>,
    pub(crate) magazine: Magazine,
    pub(crate) stacks: Cache,
    next_id: Plain<u64>,
    last_id: Plain<u64>,
    pub(crate) random: Plain<u64>,
    /// The worker's loop as a frame record, for profilers.
    pub(crate) frame: Plain<[usize; 2]>,
}

// SAFETY: fields that several threads touch are atomics, locks or inboxes; the others say that the thread owns them.
// `core` outlives the record: it owns it.
unsafe impl Sync for Thread {}
// SAFETY: as above.
unsafe impl Send for Thread {}

const ID_BLOCK: u64 = 1024;
/// After so many resumes the fairness pick looks where the usual order does not.
pub(crate) const FAIR_EVERY: i32 = 61;

impl Thread {
    pub(crate) fn new(index: usize, core: *const Core) -> Self {
        Thread {
            sp: Plain::new(0),
            task: Plain::new(None),
            bound: Bound::new(),
            woken: Plain::new(None),
            woken_uses: Plain::new(0),
            left: AtomicI32::new(FAIR_EVERY),
            resumes_and_left: AtomicU64::new(FAIR_EVERY as u64),
            fair_at: Plain::new(FAIR_EVERY as u64),
            fair_class: Plain::new(0),
            lone_yields: Plain::new(0),
            spins_in_vain: Plain::new(0),
            slice_over: AtomicU64::new(0),
            sleeper: Sleeper::new(),
            inbox: Inbox::new(),
            index,
            core,
            slot: Plain::new(std::ptr::null()),
            spawned: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            steals: AtomicU64::new(0),
            bound_live: Plain::new(0),
            magazine: Magazine::new(),
            stacks: Cache::new(),
            next_id: Plain::new(0),
            last_id: Plain::new(0),
            random: Plain::new(0x9e37_79b9_7f4a_7c15 ^ (index as u64 + 1)),
            frame: Plain::new([0; 2]),
        }
    }

    #[inline(always)]
    pub(crate) fn core(&self) -> &'static Core {
        // SAFETY: the core owns this record, and whoever has the record has the core: a worker until it ends,
        // a waker through the reference it took (`worker::wake_remote`).
        unsafe { &*self.core }
    }

    #[inline(always)]
    pub(crate) fn belongs_to(&self, core: *const Core) -> bool {
        std::ptr::eq(self.core, core)
    }

    /// The slot this thread drives.
    #[inline(always)]
    pub(crate) fn slot(&self) -> &'static Slot {
        // SAFETY: set in `begin`, before the thread runs anything; the core owns the slot.
        unsafe { &*self.slot.get() }
    }

    /// The first thing a worker does.
    pub(crate) fn begin(&self) {
        self.slot.set(&raw const self.core().slots[self.index]);
    }

    /// How many times a task was resumed here.
    pub(crate) fn switches(&self) -> u64 {
        let left = i64::from(self.left.load(Ordering::Relaxed));
        self.resumes_and_left
            .load(Ordering::Relaxed)
            .wrapping_add_signed(-left)
    }

    /// Something stands outside the ring: the loop is to look at it after this task.
    #[inline(always)]
    pub(crate) fn look_soon(&self) {
        if self.left.load(Ordering::Relaxed) > 0 {
            self.set_left(0);
        }
    }

    /// Sets how many resumes are left until the loop looks beyond the ring, without changing what was counted.
    pub(crate) fn set_left(&self, left: i32) {
        let change = i64::from(left) - i64::from(self.left.load(Ordering::Relaxed));
        let sum = self.resumes_and_left.load(Ordering::Relaxed);
        // Relaxed: one writer. A reader in between is off by a round.
        self.resumes_and_left
            .store(sum.wrapping_add_signed(change), Ordering::Relaxed);
        self.left.store(left, Ordering::Relaxed);
    }

    #[inline(always)]
    pub(crate) fn next_id(&self) -> u64 {
        let id = self.next_id.get();
        if id == self.last_id.get() {
            let first = pool::next_id_block(ID_BLOCK);
            self.next_id.set(first + 1);
            self.last_id.set(first + ID_BLOCK);
            return first;
        }
        self.next_id.set(id + 1);
        id
    }

    /// Adds to a counter that only this thread writes.
    #[inline(always)]
    pub(crate) fn count(counter: &AtomicU64) {
        // Relaxed, and no read-modify-write: one writer.
        counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// The next of a sequence that need only differ from thread to thread.
    pub(crate) fn random(&self) -> u64 {
        let mut x = self.random.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.random.set(x);
        x
    }
}

#[cfg(not(loom))]
thread_local! {
    static THREAD: Cell<*const Thread> = const { Cell::new(std::ptr::null()) };
}
#[cfg(loom)]
thread_local! {
    static THREAD: Cell<*const Thread> = Cell::new(std::ptr::null());
}

/// Makes a value new to the compiler, wherever it came from (see the module docs).
#[inline(always)]
fn launder(value: *const Thread) -> *const Thread {
    let mut value = value;
    // SAFETY: no instruction. Neither `pure` nor `nomem`: two of these are never merged.
    unsafe { std::arch::asm!("/* {0} */", inout(reg) value, options(nostack, preserves_flags)) };
    value
}

#[inline(never)]
fn read() -> *const Thread {
    launder(THREAD.with(Cell::get))
}

/// The worker that this thread is, if it is one. Not to be kept across a suspend.
#[inline(always)]
pub(crate) fn thread() -> Option<&'static Thread> {
    // SAFETY: set by the worker itself for the time it runs, and the core that owns the record lives that long.
    // `'static` says too much: the module docs say for how long the answer may be used.
    unsafe { read().as_ref() }
}

/// Says which worker this thread is.
#[inline(never)]
pub(crate) fn set_thread(thread: *const Thread) {
    THREAD.with(|current| current.set(thread));
}

/// The task that calls this, if it is one.
#[inline(always)]
pub(crate) fn running() -> Option<(&'static Thread, &'static Task)> {
    let thread = thread()?;
    Some((thread, thread.task.get()?))
}

/// The record of a plain thread; back to the pool when the thread ends.
struct Plainly(&'static Task);

impl Drop for Plainly {
    fn drop(&mut self) {
        // A model's pool may be gone by now, and the record with it.
        if !cfg!(any(loom, shuttle)) {
            crate::task::release(self.0);
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
    task.flags.store(0, Ordering::Relaxed);
    task.permit.store(0, Ordering::Relaxed);
    task.id.set(pool::next_id_block(1));
    task.life.begin(1);
    task
}

/// The caller's record: the task, or the plain thread's own.
#[inline(always)]
pub(crate) fn any() -> &'static Task {
    match running() {
        Some((_, task)) => task,
        None => plain(),
    }
}

/// The plain thread's own record, also for a worker that waits outside a task.
#[cold]
pub(crate) fn plain() -> &'static Task {
    PLAIN.with(|plain| plain.0)
}
