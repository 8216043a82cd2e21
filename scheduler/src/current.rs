//! The one thread-local: which worker this thread is, and so which task runs here.
//!
//! A task may go on on another thread after a switch, and compilers keep the address of a thread-local across calls;
//! two calls of an accessor that returned such an address were seen to be merged across a switch.
//! So the accessors here are never inlined, return a *value*, and pass it through an empty `asm!` that the compiler
//! must assume to compute something new each time. Nobody keeps their answer across a suspend.
//!
//! In a native section the thread is a stranger to its scheduler: [`thread`] and [`running`] answer nothing, so that every
//! wake, spawn, timer and cache goes the way of plain threads. [`within`] still knows the task.
//!
//! Room for unsafe code: turning the value into a reference; where the thread-local is.

use std::cell::Cell;

use crate::claim::Standing;
use crate::fiber::{self, stack::Cache};
use crate::lease::Lease;
use crate::primitive::leaning::STRANGER;
use crate::primitive::simulated;
use crate::primitive::sleeper::Sleeper;
use crate::primitive::{
    AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering, Plain, Shown, thread_local,
};
use crate::queue::{Bound, Inbox};
use crate::scheduler::Core;
use crate::slot::Slot;
use crate::stall::Watch;
use crate::stats::coarse::Coarse;
use crate::stats::sections::SeenSection;
use crate::stats::waits::Waits;
use crate::task::pool::{self, Magazine};
use crate::task::{Backing, Kind, Priority, Task, unusual};
use crate::trace::Ring;
use crate::watch::Times;

/// An OS thread that runs tasks, with the queue of those that are bound to it.
#[repr(align(128))]
pub(crate) struct Thread {
    /// The worker's saved stack pointer while a task runs. Owner: this thread.
    pub(crate) sp: Plain<usize>,
    /// Who runs. Owner: this thread; the monitor glances at it.
    pub(crate) task: Shown<Task>,
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
    /// Yields of a task that was alone. Written by this thread.
    pub(crate) lone_yields: AtomicI32,
    /// How often in a row it has spun for work in vain. Owner: this thread.
    pub(crate) spins_in_vain: Plain<u32>,
    /// Set by the monitor when a task's quantum is over: to the number of the resume that lasts so long;
    /// `u64::MAX` is none. On the thread of a task that has its own, which nobody resumes, that number is 0.
    pub(crate) slice_over: AtomicU64,
    /// Where this thread sleeps and is called.
    pub(crate) sleeper: Sleeper,
    /// Bound tasks that others woke.
    pub(crate) inbox: Inbox,

    pub(crate) index: usize,
    core: *const Core,
    /// The slot this thread has. Owner: this thread while it drives; otherwise the lock of the lists in `idle`, or the taker
    /// of its lease.
    pub(crate) slot: Plain<Option<&'static Slot>>,
    /// Whether the slot can be taken away: in native sections, and while it sleeps with its task.
    pub(crate) lease: Lease,
    /// What the native section that is open calls. Written by this thread.
    pub(crate) target: AtomicUsize,
    /// It was entered in the list of those who sleep with a slot, by itself or by who placed the slot with it, and has not
    /// been robbed since. Owner: the lock of the lists.
    pub(crate) listed: Plain<bool>,
    /// It wanted to give its slot up, and nobody was there to have it. Owner: that lock, too.
    pub(crate) blocks: Plain<bool>,
    /// The address of the task with which this thread sleeps, or 0. Written by this thread.
    pinned: AtomicUsize,
    /// Where it stands when it has no slot. Owner: that lock, too.
    pub(crate) standing: Plain<Standing>,
    /// How many turns it lets pass before it takes a slot, since its task has yielded. Owner: that lock, too.
    pub(crate) lets_pass: Plain<u32>,
    /// The last wait of its one task was over at once. Owner: this thread.
    pub(crate) went_on: Plain<bool>,
    /// It passed others when it last stood among those that come back. Owner: that lock, too.
    pub(crate) passes: Plain<bool>,
    /// The monitor finds that it has had its slot for a quantum while other threads wait for one.
    pub(crate) overdue: AtomicBool,
    /// Tasks spawned and ended here. Written by this thread, summed by others.
    pub(crate) spawned: AtomicU64,
    pub(crate) ended: AtomicU64,
    pub(crate) steals: AtomicU64,
    /// Started tasks that cannot go on on another thread. Owner: this thread.
    pub(crate) bound_live: Plain<u32>,
    pub(crate) magazine: Magazine,
    pub(crate) stacks: Cache,
    next_id: Plain<u64>,
    last_id: Plain<u64>,
    pub(crate) random: Plain<u64>,
    /// The worker's loop as a frame record, for profilers.
    pub(crate) frame: Plain<[usize; 2]>,
    /// How often its task settled a wait or a yield without leaving its stack (`pinned.rs`). Written by this thread.
    pub(crate) settled_here: AtomicU64,
    /// The OS thread's number, 0 while there is none, and its stack. Written by this thread.
    pub(crate) os_id: AtomicI32,
    pub(crate) stack_low: AtomicUsize,
    pub(crate) stack_top: AtomicUsize,
    /// The time, roughly, for who cannot read a clock each time (`stats/coarse.rs`). Written by this thread and the monitor.
    pub(crate) coarse: Coarse,
    /// How often tasks waited here, and for what (`stats/waits.rs`). Written by this thread.
    pub(crate) waits: Waits,
    /// The native section in which the monitor saw this thread (`stats/sections.rs`). Written by the monitor.
    pub(crate) section: SeenSection,
    /// Times that were measured here (`watch.rs`).
    pub(crate) times: Times,
    /// What happened here (`trace.rs`). Written by this thread.
    pub(crate) ring: Ring,
    /// What the monitor remembers of it (`stall.rs`). Owner: the monitor.
    pub(crate) watch: Plain<Watch>,
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
            task: Shown::new(),
            bound: Bound::new(),
            woken: Plain::new(None),
            woken_uses: Plain::new(0),
            left: AtomicI32::new(FAIR_EVERY),
            resumes_and_left: AtomicU64::new(FAIR_EVERY as u64),
            fair_at: Plain::new(FAIR_EVERY as u64),
            fair_class: Plain::new(0),
            lone_yields: AtomicI32::new(0),
            spins_in_vain: Plain::new(0),
            slice_over: AtomicU64::new(u64::MAX),
            sleeper: Sleeper::new(),
            inbox: Inbox::new(),
            index,
            core,
            slot: Plain::new(None),
            lease: Lease::new(),
            target: AtomicUsize::new(0),
            listed: Plain::new(false),
            blocks: Plain::new(false),
            lets_pass: Plain::new(0),
            went_on: Plain::new(false),
            pinned: AtomicUsize::new(0),
            standing: Plain::new(Standing::None),
            passes: Plain::new(false),
            overdue: AtomicBool::new(false),
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
            settled_here: AtomicU64::new(0),
            os_id: AtomicI32::new(0),
            stack_low: AtomicUsize::new(0),
            stack_top: AtomicUsize::new(0),
            coarse: Coarse::new(),
            waits: Waits::new(),
            section: SeenSection::new(),
            times: Times::new(),
            ring: Ring::new(),
            watch: Plain::new(Watch::new()),
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

    /// The slot this thread drives. Not to be kept across a resume or a native section.
    #[inline(always)]
    pub(crate) fn slot(&self) -> &'static Slot {
        let slot = self.slot.get();
        debug_assert!(slot.is_some(), "only a thread with a slot drives it");
        // SAFETY: whoever calls this runs as a worker, and a thread runs as a worker only while it has a slot: it waits
        // in `claim` until it has one, before it runs anything and after each time it lost one.
        unsafe { slot.unwrap_unchecked() }
    }

    /// Says with which task this thread sleeps from now on, or that it sleeps with none.
    pub(crate) fn set_sleeps_with(&self, task: Option<&'static Task>) {
        let address = task.map_or(0, Task::address);
        // Release: pairs with the acquire of who asks.
        self.pinned.store(address, Ordering::Release);
    }

    /// The task with which this thread sleeps.
    pub(crate) fn sleeps_with(&self) -> Option<&'static Task> {
        let address = self.pinned.load(Ordering::Acquire);
        // SAFETY: only addresses of records are stored here, and 0.
        (address != 0).then(|| unsafe { Task::at(address) })
    }

    /// How many times a task was resumed here.
    pub(crate) fn switches(&self) -> u64 {
        let left = i64::from(self.left.load(Ordering::Relaxed));
        self.resumes_and_left
            .load(Ordering::Relaxed)
            .wrapping_add_signed(-left)
    }

    /// Another number after each time a task that runs here has settled, on its stack or off it. For others to read.
    pub(crate) fn settled(&self) -> u64 {
        const _: () = assert!(
            FAIR_EVERY < 63,
            "so often a task yields alone before it switches"
        );
        let settled = self.switches() + self.settled_here.load(Ordering::Relaxed);
        // It begins anew with a switch.
        (settled << 6) | self.lone_yields.load(Ordering::Relaxed) as u64
    }

    /// The first and the last thing a thread does: it says which thread of the system it is, and no longer.
    pub(crate) fn show_os_thread(&self, is_there: bool) {
        // The threads of a model or a simulation are none of the system's.
        if cfg!(any(loom, shuttle)) || simulated::here().is_some() {
            return;
        }
        let (low, bytes) = is_there.then(fiber::own_pages).flatten().unwrap_or((0, 0));
        // Relaxed: the monitor reads them for reports; the stack is read by this thread's own handler.
        self.stack_low.store(low, Ordering::Relaxed);
        self.stack_top.store(low + bytes, Ordering::Relaxed);
        // SAFETY: the call takes nothing and always succeeds.
        let id = if is_there {
            unsafe { libc::gettid() }
        } else {
            0
        };
        self.os_id.store(id, Ordering::Relaxed);
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

/// What the thread-local holds.
struct Here {
    /// The worker that this thread is, unless it is in a native section.
    thread: Cell<*const Thread>,
    /// The worker that this thread is, while it is in a native section.
    left: Cell<*const Thread>,
    /// Sections opened inside that one; and `MARKED`, if its end is to be noted.
    depth: Cell<u32>,
    /// The record of a simulated thread, for when it is no worker: those have none of their own from the system.
    #[cfg(fiberhost_simulate)]
    plain: Cell<Option<&'static Task>>,
}

/// In `Here::depth`: whoever ends the outer section has something to do before.
const MARKED: u32 = 1 << 31;
/// Instead of that: the outer section ends now, and that has not been done yet.
const ENDING: u32 = 1 << 30;

impl Here {
    #[cfg_attr(
        not(any(loom, shuttle)),
        allow(
            dead_code,
            reason = "where the place is written out it begins as zeros"
        )
    )]
    const fn new() -> Here {
        Here {
            thread: Cell::new(std::ptr::null()),
            left: Cell::new(std::ptr::null()),
            depth: Cell::new(0),
            #[cfg(fiberhost_simulate)]
            plain: Cell::new(None),
        }
    }
}

impl Here {
    /// One of the inner sections ends; or an outer one that is marked, which ends in the second step, after `take_mark`.
    ///
    /// Apart, since the compiler would make one longer comparison of both on the way of the outer ones.
    #[cold]
    #[inline(never)]
    extern "C" fn end_inner(&self) {
        self.depth.set(match self.depth.get() {
            MARKED => ENDING,
            depth => depth - 1,
        });
    }

    #[cold]
    #[inline(never)]
    extern "C" fn end_inner_and(&self, then: extern "C" fn()) {
        self.end_inner();
        then();
    }

    #[inline(always)]
    fn step_in(&self) -> *const Thread {
        let thread = self.left.replace(std::ptr::null());
        self.thread.set(thread);
        thread
    }
}

/// What the thread-local holds for a simulated thread while another one has its turn.
#[cfg(fiberhost_simulate)]
#[derive(Clone, Copy)]
pub(crate) struct Saved {
    thread: *const Thread,
    left: *const Thread,
    depth: u32,
    plain: Option<&'static Task>,
}

#[cfg(fiberhost_simulate)]
impl Saved {
    /// That of a thread which has not begun.
    pub(crate) const NEW: Saved = Saved {
        thread: std::ptr::null(),
        left: std::ptr::null(),
        depth: 0,
        plain: None,
    };
}

/// The turn of another simulated thread: this is what it is to find, and the answer what the one before is to find again.
#[cfg(fiberhost_simulate)]
#[inline(never)]
pub(crate) fn exchange(saved: Saved) -> Saved {
    place::with(|here| Saved {
        thread: here.thread.replace(saved.thread),
        left: here.left.replace(saved.left),
        depth: here.depth.replace(saved.depth),
        plain: here.plain.replace(saved.plain),
    })
}

/// The end of a simulated thread.
#[cfg(fiberhost_simulate)]
pub(crate) fn end_plain() {
    if let Some(plain) = place::with(|here| here.plain.take()) {
        crate::join::complete(plain);
    }
}

/// Where the thread-local is written out, so that it is reached in two instructions in a shared library too: the compiler
/// would call the loader for each access there (`__tls_get_addr`), since it cannot know that nobody loads it late. All of
/// this is zeros at the start of a thread, as in [`Here::new`], and nothing is dropped at its end.
///
/// It lies in the part of a thread's memory that is laid out when the program starts, where the loader keeps some room for
/// libraries which are opened later: these few words fit into it.
#[cfg(all(
    target_arch = "x86_64",
    target_os = "linux",
    target_env = "gnu",
    not(any(loom, shuttle))
))]
mod place {
    use std::arch::{asm, global_asm};

    use super::Here;

    global_asm!(
        ".pushsection .tbss.fiberhost_here, \"awT\", @nobits",
        ".globl fiberhost_here_0_1",
        ".hidden fiberhost_here_0_1",
        ".type fiberhost_here_0_1, @tls_object",
        ".size fiberhost_here_0_1, {size}",
        ".p2align 4",
        "fiberhost_here_0_1:",
        ".zero {size}",
        ".popsection",
        size = const size_of::<Here>(),
    );
    const _: () = assert!(align_of::<Here>() <= 16);

    /// What is read from the place is new to the compiler, as the place is.
    pub(super) const IS_NEW_EACH_TIME: bool = true;

    /// Does something with the calling thread's. The address is computed anew each time: the block is neither `pure` nor
    /// `nomem`, so no two are merged.
    #[inline(always)]
    pub(super) fn with<R>(work: impl FnOnce(&Here) -> R) -> R {
        let here: *const Here;
        // SAFETY: reads the thread's own address, and the distance to the place from there, and adds them.
        unsafe {
            asm!(
                "mov {0}, qword ptr fs:[0]",
                "add {0}, qword ptr [rip + fiberhost_here_0_1@GOTTPOFF]",
                out(reg) here,
                options(nostack),
            );
        }
        // SAFETY: the calling thread's own place, which is there as long as the thread and begins as zeros.
        work(unsafe { &*here })
    }
}

#[cfg(not(all(
    target_arch = "x86_64",
    target_os = "linux",
    target_env = "gnu",
    not(any(loom, shuttle))
)))]
mod place {
    use super::Here;
    use crate::primitive::thread_local;

    pub(super) const IS_NEW_EACH_TIME: bool = false;

    #[cfg(not(loom))]
    thread_local! {
        static HERE: Here = const { Here::new() };
    }
    #[cfg(loom)]
    thread_local! {
        static HERE: Here = Here::new();
    }

    #[inline(always)]
    pub(super) fn with<R>(work: impl FnOnce(&Here) -> R) -> R {
        HERE.with(work)
    }
}

/// Makes a value new to the compiler, wherever it came from (see the module docs).
#[inline(always)]
fn launder(value: *const Thread) -> *const Thread {
    if place::IS_NEW_EACH_TIME {
        return value;
    }
    let mut value = value;
    // SAFETY: no instruction. Neither `pure` nor `nomem`: two of these are never merged.
    unsafe { std::arch::asm!("/* {0} */", inout(reg) value, options(nostack, preserves_flags)) };
    value
}

#[inline(never)]
fn read() -> *const Thread {
    launder(place::with(|here| here.thread.get()))
}

#[inline(never)]
fn read_within() -> *const Thread {
    launder(place::with(|here| {
        if here.thread.get().is_null() {
            here.left.get()
        } else {
            here.thread.get()
        }
    }))
}

/// The worker that this thread is, if it is one. Not to be kept across a suspend.
#[inline(always)]
pub(crate) fn thread() -> Option<&'static Thread> {
    // SAFETY: set by the worker itself for the time it runs, and the core that owns the record lives that long.
    // `'static` says too much: the module docs say for how long the answer may be used.
    unsafe { read().as_ref() }
}

/// Who this thread is to a lock that leans: see `primitive/leaning.rs`.
#[inline(always)]
pub(crate) fn leans_as() -> usize {
    leans_as_of(thread())
}

/// The same, for a caller who knows which worker this thread is.
#[inline(always)]
pub(crate) fn leans_as_of(thread: Option<&Thread>) -> usize {
    thread.map_or(STRANGER, |thread| std::ptr::from_ref(thread).addr())
}

/// Says which worker this thread is.
#[inline(never)]
pub(crate) fn set_thread(thread: *const Thread) {
    place::with(|here| here.thread.set(thread));
}

/// From now on this thread is a stranger to its scheduler. Answers who it was, if it was no stranger already.
#[inline(never)]
pub(crate) fn step_out() -> Option<&'static Thread> {
    step_out_here()
}

/// The same, for a function that is never inlined itself and looks at no thread-local besides.
#[inline(always)]
pub(crate) fn step_out_here() -> Option<&'static Thread> {
    let thread = place::with(|here| {
        let thread = here.thread.get();
        if !thread.is_null() {
            here.thread.set(std::ptr::null());
            here.left.set(thread);
        } else if !here.left.get().is_null() {
            here.depth.set(here.depth.get() + 1);
        }
        thread
    });
    // SAFETY: as in `thread`.
    unsafe { launder(thread).as_ref() }
}

/// Takes the last [`step_out`] back. Answers who this thread is again, if that was not one of the inner ones.
#[inline(never)]
pub(crate) fn step_in() -> Option<&'static Thread> {
    let thread = place::with(|here| {
        if here.depth.get() > 0 {
            here.end_inner();
            return std::ptr::null();
        }
        here.step_in()
    });
    // SAFETY: as in `thread`.
    unsafe { launder(thread).as_ref() }
}

/// The same for a function as [`step_out_here`] is for. Of one of the inner ones `inner` is told afterwards, and the answer is
/// `None`: so there is nothing more to be done.
#[inline(always)]
pub(crate) fn step_in_here(inner: extern "C" fn()) -> Option<Option<&'static Thread>> {
    let thread = place::with(|here| {
        if here.depth.get() > 0 {
            here.end_inner_and(inner);
            return None;
        }
        Some(here.step_in())
    })?;
    // SAFETY: as in `thread`.
    Some(unsafe { launder(thread).as_ref() })
}

/// As [`step_out`], but only from outside of any section; otherwise nothing changes.
#[inline(never)]
pub(crate) fn step_out_first() -> Option<&'static Thread> {
    let thread = place::with(|here| {
        let thread = here.thread.get();
        if !thread.is_null() {
            here.thread.set(std::ptr::null());
            here.left.set(thread);
        }
        thread
    });
    // SAFETY: as in `thread`.
    unsafe { launder(thread).as_ref() }
}

/// As [`step_in`], but only to the outside of all sections; otherwise nothing changes.
#[inline(never)]
pub(crate) fn step_in_last() -> Option<&'static Thread> {
    let thread = place::with(|here| {
        let left = here.left.get();
        if left.is_null() || here.depth.get() > 0 {
            return std::ptr::null();
        }
        here.left.set(std::ptr::null());
        here.thread.set(left);
        left
    });
    // SAFETY: as in `thread`.
    unsafe { launder(thread).as_ref() }
}

/// The end of the section that has just been opened is to be noted: its [`step_in`] answers nothing, [`take_mark`] does then,
/// and the next `step_in` is the one that ends it.
#[inline(never)]
pub(crate) fn mark() {
    place::with(|here| here.depth.set(here.depth.get() | MARKED));
}

/// After a [`step_in`] that answered nothing: whether it was for an outer section that is marked. It is not any more. Answers
/// whose thread it is.
pub(crate) fn take_mark() -> Option<&'static Thread> {
    take_mark_as(ENDING)
}

/// The same before a step: whether an outer section is open that is marked, with none in it.
pub(crate) fn take_mark_of_last() -> Option<&'static Thread> {
    take_mark_as(MARKED)
}

#[inline(never)]
fn take_mark_as(mark: u32) -> Option<&'static Thread> {
    let thread = place::with(|here| {
        if here.depth.get() != mark {
            return std::ptr::null();
        }
        here.depth.set(0);
        here.left.get()
    });
    // SAFETY: as in `thread`.
    unsafe { launder(thread).as_ref() }
}

/// How many sections are open inside the outer one, if one is.
#[inline(never)]
pub(crate) fn depth() -> Option<u32> {
    place::with(|here| (!here.left.get().is_null()).then(|| here.depth.get() & !MARKED))
}

/// Sets that, for code that is called back from inside sections and for the return from it.
#[inline(never)]
pub(crate) fn set_depth(depth: u32) {
    place::with(|here| here.depth.set((here.depth.get() & MARKED) | depth));
}

/// In the answer of [`around`]: no section is open.
const OUTSIDE: u32 = u32::MAX;

/// For a callback that begins: the worker that this thread is, its task, and how many sections are open inside the outer one, if
/// one is. What a mark adds to that is left in it.
#[inline(always)]
pub(crate) fn around() -> Option<(&'static Thread, &'static Task, Option<Around>)> {
    let (thread, depth) = read_around();
    // SAFETY: as in `thread`.
    let thread = unsafe { launder(thread).as_ref() }?;
    let around = (depth != OUTSIDE).then_some(Around(depth));
    Some((thread, thread.task.get()?, around))
}

#[inline(never)]
fn read_around() -> (*const Thread, u32) {
    place::with(|here| {
        let left = here.left.get();
        if left.is_null() {
            (here.thread.get(), OUTSIDE)
        } else {
            (left, here.depth.get())
        }
    })
}

/// The sections that are open around a callback.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Around(u32);

impl Around {
    /// How many there are inside the outer one.
    pub(crate) fn depth(self) -> u32 {
        self.0 & !MARKED
    }

    /// Whether the outer one is marked: then it has to be ended as such.
    pub(crate) fn is_marked(self) -> bool {
        self.0 & MARKED != 0
    }
}

/// As [`step_in`], from all sections at once, of which none is marked.
#[inline(never)]
pub(crate) fn step_in_from_all() {
    place::with(|here| {
        here.depth.set(0);
        here.step_in();
    });
}

/// As [`step_out`] from outside of any section, into so many inside an outer one: takes that back.
#[inline(never)]
pub(crate) fn step_out_into(depth: u32) {
    place::with(|here| {
        let thread = here.thread.replace(std::ptr::null());
        here.left.set(thread);
        here.depth.set(depth);
    });
}

/// A thread that comes to a scheduler from outside: a worker in a native section from now on; nothing at the end.
#[inline(never)]
pub(crate) fn set_left(thread: *const Thread) {
    place::with(|here| {
        here.left.set(thread);
        here.depth.set(0);
    });
}

/// The worker that this thread is, in a native section too. Not to be kept across a suspend.
#[inline(always)]
pub(crate) fn within() -> Option<(&'static Thread, &'static Task)> {
    // SAFETY: as in `thread`.
    let thread = unsafe { read_within().as_ref() }?;
    Some((thread, thread.task.get()?))
}

/// The task that calls this, if it is one that may wait as one.
#[inline(always)]
pub(crate) fn running() -> Option<(&'static Thread, &'static Task)> {
    let thread = thread()?;
    Some((thread, thread.task.get()?))
}

/// The record of a plain thread. It ends with the thread as a task does: others look at all records there are and keep what
/// has not ended (`Life::try_keep`), so one that went back to the pool without an end would be kept there, or once it was
/// somebody else's, and that one's reference be given back for it.
struct Plainly(&'static Task);

impl Drop for Plainly {
    fn drop(&mut self) {
        // A model's pool may be gone by now, and the record with it.
        if !cfg!(any(loom, shuttle)) {
            crate::join::complete(self.0);
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
    task.permit.store(0, Ordering::Relaxed);
    task.id.set(pool::next_id_block(1));
    task.life.begin(1);
    task
}

/// The caller's record: the task, in a native section too, or the plain thread's own.
#[inline(always)]
pub(crate) fn any() -> &'static Task {
    match within() {
        Some((_, task)) => task,
        None => plain(),
    }
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
