//! The record of a worker's thread, with the owner of each field.
//!
//! Room for unsafe code: such records are shared between threads.

use crate::claim::Standing;
use crate::fiber::{self, stack::Cache};
use crate::lease::Lease;
use crate::primitive::simulated;
use crate::primitive::sleeper::Sleeper;
use crate::primitive::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering, Plain, Shown};
use crate::queue::{Bound, Inbox};
use crate::scheduler::Core;
use crate::slot::Slot;
use crate::stall::Watch;
use crate::stats::calls::Calls;
use crate::stats::coarse::Coarse;
use crate::stats::sections::SeenSection;
use crate::stats::waits::Waits;
use crate::task::Task;
use crate::task::pool::{self, Magazine};
use crate::trace::Ring;
use crate::watch::Times;

/// An OS thread that runs tasks, with the queue of those that are bound to it.
///
/// The order is that of use. Whoever looks at what the thread does (the monitor, statistics) takes the line from it, and the
/// thread has it back at its next switch: so what others see of a switch is on the first line, and the ring of tasks, which
/// is nobody else's, on another; who calls the thread finds inbox and sleeper together.
#[repr(C, align(128))]
pub(crate) struct Thread {
    // A switch, for others to see.
    /// How often tasks waited here, and for what (`stats/waits.rs`). Written by this thread.
    pub(crate) waits: Waits,
    /// The worker's saved stack pointer while a task runs. Owner: this thread.
    pub(crate) sp: Plain<usize>,
    /// Who runs. Owner: this thread; the monitor glances at it.
    pub(crate) task: Shown<Task>,
    /// The bound task just woken, and how often in a row that slot was used. Owner: this thread.
    pub(crate) woken: Plain<Option<&'static Task>>,
    pub(crate) woken_uses: Plain<u32>,
    /// Resumes left until the loop must look beyond the ring; 0 as soon as the owner knows of something (`look_soon`).
    /// This thread counts down; the monitor and the statistics read it (`switches`).
    pub(crate) left: AtomicI32,
    /// The number of resumes, plus `left`. Written by this thread.
    resumes_and_left: AtomicU64,
    /// At which number of resumes the next fairness pick is due, and which class it asks first. Owner: this thread.
    fair_at: Plain<u64>,
    /// How many resumes are left then, by `left`.
    fair_left: Plain<i32>,
    pub(crate) fair_class: Plain<u32>,
    /// Yields of a task that was alone. Written by this thread.
    pub(crate) lone_yields: AtomicI32,

    // A switch, for itself.
    /// Started tasks bound to this thread. Owner: this thread.
    pub(crate) bound: Bound,
    /// How often in a row it has spun for work in vain. Owner: this thread.
    pub(crate) spins_in_vain: Plain<u32>,
    /// The time, roughly, for who cannot read a clock each time (`stats/coarse.rs`). Written by this thread and the monitor.
    pub(crate) coarse: Coarse,

    // What others write.
    /// Bound tasks that others woke.
    pub(crate) inbox: Inbox,
    /// Where this thread sleeps and is called.
    pub(crate) sleeper: Sleeper,
    /// Set by the monitor when a task's quantum is over: to the number of the resume that lasts so long;
    /// `u64::MAX` is none. On the thread of a task that has its own, which nobody resumes, that number is 0.
    pub(crate) slice_over: AtomicU64,

    // The rest.
    pub(crate) index: usize,
    core: *const Core,
    /// The slot this thread has. Owner: this thread while it drives; otherwise the lock of the lists in `idle`, or the taker
    /// of its lease.
    pub(crate) slot: Plain<Option<&'static Slot>>,
    /// Whether the slot can be taken away: in native sections, and while it sleeps with its task.
    pub(crate) lease: Lease,
    /// What the native section that is open calls. Written by this thread.
    pub(crate) target: AtomicUsize,
    /// How often each was called here (`stats/calls.rs`). Written by this thread.
    pub(crate) calls: Calls,
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
            fair_left: Plain::new(0_i32),
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
            calls: Calls::new(),
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
        // a waker through the reference it took (`runnable::wake_remote`).
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
        self.set_fair_at(self.fair_at.get());
    }

    /// Whether the fairness pick is due.
    #[inline(always)]
    pub(crate) fn is_fair_due(&self) -> bool {
        self.left.load(Ordering::Relaxed) <= self.fair_left.get()
    }

    /// It is to be due after so many switches.
    pub(crate) fn set_fair_at(&self, switches: u64) {
        self.fair_at.set(switches);
        let left = self
            .resumes_and_left
            .load(Ordering::Relaxed)
            .wrapping_sub(switches) as i64;
        self.fair_left
            .set(left.clamp(i32::MIN.into(), i32::MAX.into()) as i32);
    }

    /// It is to be due so many switches earlier.
    pub(crate) fn hurry_fair(&self, switches: u64) {
        self.set_fair_at(self.fair_at.get().saturating_sub(switches));
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
