//! Stacks: slabs, guards, colours, and where a stack is between two tasks.
//!
//! ```text
//! slab = one mapping of many slots
//!
//! slot:  low                                                             high
//!        | guard, 96 KiB | stack, grows down ........ <- base | head | colour |
//! ```
//!
//! *Guard*: `MADV_GUARD_INSTALL` where the kernel has it, which costs no mapping; `mprotect` elsewhere, which costs two,
//! so that the number of stacks is limited by `vm.max_map_count`, and says so. 96 KiB because C functions do not touch their
//! frames in order, and one with 75 KB was seen to jump a smaller guard into the next stack.
//! *Locks*: under `mlockall` every page of a mapping would be resident, so slabs are unlocked: when they are mapped, and
//! when the kernel refuses something because they were locked since then.
//! *Colour*: tops are shifted by up to 31 cache lines, so that the hot lines of many stacks do not fight for one set.
//! *Distance*: an odd number of pages from one stack to the next, by a page more in the guard where it would be even. A page's
//! number chooses its set in the processor's table of translations: with the 56 pages of the default size 1,000 stacks have an
//! eighth of the sets to share.
//! *Warm*: a stack goes from a finished task to the next one through its worker's cache, then through the depot;
//! what lies in the depot beyond its limit gives its pages back to the kernel, all but the top.
//!
//! Room for unsafe code: mapping memory.

use std::io;
use std::ptr::NonNull;

use crate::builder::Settings;
use crate::primitive::{Mutex, Plain};
use crate::stats::StackClass;

use super::overflow::{
    self,
    ranges::{Range, Registered, Whose},
};
use super::{Fiber, sanitizer};

/// Smallest stack: a panic that prints its backtrace needs 24 KiB.
pub(crate) const SIZE_MIN: usize = 32 * 1024;
/// Largest stack.
pub(crate) const SIZE_MAX: usize = 1 << 30;
pub(super) const PAGE: usize = 4096;
/// More than the largest frame that is likely to be entered without its pages being touched in order: below a smaller
/// guard it would reach the next stack.
pub(super) const GUARD: usize = 96 * 1024;
const SLAB_MAX: usize = 1 << 30;
const SLOTS_FIRST: usize = 16;
const COLOURS: usize = 32;
const LINE: usize = 64;
/// Stacks a worker keeps for itself, and how many it trades with the depot at once.
const CACHE_MAX: usize = 64;
const TRADE: usize = 32;

const MADV_GUARD_INSTALL: libc::c_int = 102;
const MADV_GUARD_REMOVE: libc::c_int = 103;

/// How the guard below each stack is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Guards {
    /// `MADV_GUARD_INSTALL` where the kernel has it, `mprotect` elsewhere.
    #[default]
    Best,
    /// `mprotect`, which costs two mappings a stack.
    Mprotect,
}

/// A stack's memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// Lowest usable address, just above the guard.
    pub(crate) limit: usize,
    /// One past the highest address, after colouring.
    pub(crate) top: usize,
    /// Bytes for the porch.
    pub(crate) porch: usize,
    /// Whether each task's use of it is measured.
    pub(crate) measured: bool,
}

/// All stacks of one scheduler.
pub(crate) struct StackPool {
    state: Mutex<State>,
    guards: Guards,
    warm_max: usize,
    porch: usize,
    measured: bool,
}

struct State {
    classes: Vec<Class>,
    guarded_by_mprotect: usize,
    guard_install_refused: bool,
    contexts: sanitizer::Contexts,
}

struct Class {
    size: usize,
    guard: usize,
    depot: List,
    depot_len: usize,
    slabs: Vec<Slab>,
    slots_next: usize,
    created: usize,
    /// The most that a task used of one, as far as that was measured.
    used_max: Option<usize>,
}

struct Slab {
    /// Goes before the mapping does.
    _registered: Registered,
    mapping: Mapping,
    slots: usize,
    used: usize,
    /// Stacks of this class in earlier slabs: where the colours go on.
    first: usize,
}

struct Mapping {
    base: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the addresses are handed out one slot at a time; the fibers in the depot belong to nobody else.
unsafe impl Send for State {}

/// Fibers linked through their `next`. Owner: whoever has the list.
pub(crate) struct List {
    first: Plain<*const Fiber>,
}

impl List {
    pub(crate) fn new() -> Self {
        List {
            first: Plain::new(std::ptr::null()),
        }
    }

    #[inline(always)]
    pub(crate) fn push(&self, fiber: *const Fiber) {
        // SAFETY: a fiber's memory lives as long as its pool, and nobody else has this one.
        unsafe { (*fiber).next.set(self.first.get()) };
        self.first.set(fiber);
    }

    #[inline(always)]
    pub(crate) fn pop(&self) -> Option<*const Fiber> {
        let fiber = self.first.get();
        if fiber.is_null() {
            return None;
        }
        // SAFETY: as in `push`.
        self.first.set(unsafe { (*fiber).next.get() });
        Some(fiber)
    }
}

/// A worker's warm stacks of the default size. Owner: the worker.
pub(crate) struct Cache {
    list: List,
    len: Plain<usize>,
}

impl Cache {
    pub(crate) fn new() -> Self {
        Cache {
            list: List::new(),
            len: Plain::new(0),
        }
    }

    /// A warm stack of the default size.
    #[inline(always)]
    pub(crate) fn get_warm(&self) -> Option<*const Fiber> {
        let fiber = self.list.pop()?;
        self.len.set(self.len.get() - 1);
        // SAFETY: it was in our list, so it is ours.
        sanitizer::take(unsafe { (*fiber).memory() });
        Some(fiber)
    }

    /// A stack of this class, warm if there is one.
    ///
    /// # Errors
    /// The kernel refused memory, or the number of mappings would pass its limit.
    pub(crate) fn get(&self, pool: &StackPool, class: u8) -> io::Result<*const Fiber> {
        let warm = if class == 0 { self.get_warm() } else { None };
        match warm {
            Some(fiber) => Ok(fiber),
            None => self.get_slow(pool, class),
        }
    }

    #[cold]
    fn get_slow(&self, pool: &StackPool, class: u8) -> io::Result<*const Fiber> {
        let wanted = if class == 0 { TRADE } else { 1 };
        let mut found = None;
        for _ in 0..wanted {
            let Some(fiber) = pool.pop(class) else { break };
            match found {
                None => found = Some(fiber),
                Some(_) => self.keep(fiber),
            }
        }
        let fiber = match found {
            Some(fiber) => fiber,
            None => pool.create(class)?,
        };
        // SAFETY: it is the caller's.
        sanitizer::take(unsafe { (*fiber).memory() });
        Ok(fiber)
    }

    fn keep(&self, fiber: *const Fiber) {
        self.list.push(fiber);
        self.len.set(self.len.get() + 1);
    }

    #[inline(always)]
    pub(crate) fn put(&self, pool: &StackPool, fiber: *const Fiber, class: u8) {
        // SAFETY: it is the caller's.
        sanitizer::put_away(unsafe { (*fiber).memory() });
        if class == 0 && self.len.get() < CACHE_MAX {
            self.keep(fiber);
        } else {
            self.put_slow(pool, fiber, class);
        }
    }

    #[cold]
    fn put_slow(&self, pool: &StackPool, fiber: *const Fiber, class: u8) {
        pool.push(class, fiber);
        if class == 0 {
            self.give_back(pool, TRADE);
        }
    }

    fn give_back(&self, pool: &StackPool, how_many: usize) {
        for _ in 0..how_many {
            let Some(fiber) = self.list.pop() else { return };
            self.len.set(self.len.get() - 1);
            pool.push(0, fiber);
        }
    }

    /// Gives everything back, when the worker ends.
    pub(crate) fn empty(&self, pool: &StackPool) {
        self.give_back(pool, usize::MAX);
    }
}

impl StackPool {
    pub(crate) fn new(settings: &Settings) -> Self {
        overflow::install();
        let state = State {
            classes: vec![Class::new(settings.stack_size)],
            guarded_by_mprotect: 0,
            guard_install_refused: false,
            contexts: sanitizer::Contexts::new(),
        };
        StackPool {
            state: Mutex::new(state),
            guards: settings.guards,
            warm_max: settings.warm_stacks,
            porch: super::PORCH
                + if settings.handlers_on_task_stacks {
                    PAGE
                } else {
                    0
                },
            measured: settings.measure_stacks,
        }
    }

    /// Whether the use of stacks is measured.
    pub(super) fn measures(&self) -> bool {
        self.measured
    }

    /// A task has used so much of a stack of this class.
    pub(super) fn note_use(&self, class: u8, used: usize) {
        let mut state = self.state.lock();
        let class = &mut state.classes[class as usize];
        class.used_max = class.used_max.max(Some(used));
    }

    /// What there is of each size.
    pub(crate) fn classes(&self) -> Vec<StackClass> {
        let state = self.state.lock();
        let classes = state.classes.iter().map(|class| StackClass {
            size: class.size,
            stacks: class.created,
            used_max: class.used_max,
        });
        classes.collect()
    }

    /// The class for stacks of at least this size.
    ///
    /// # Errors
    /// `InvalidInput` if the size is 0 or larger than [`SIZE_MAX`].
    pub(crate) fn class_for(&self, size: usize) -> io::Result<u8> {
        let size = check_size(size)?;
        let mut state = self.state.lock();
        if let Some(index) = state.classes.iter().position(|class| class.size == size) {
            return Ok(index as u8);
        }
        // Few sizes, so that stacks are reused, and fewer than 255: powers of two beside the default.
        let size = size.next_power_of_two();
        if let Some(index) = state.classes.iter().position(|class| class.size == size) {
            return Ok(index as u8);
        }
        state.classes.push(Class::new(size));
        Ok((state.classes.len() - 1) as u8)
    }

    /// The usable size of a class.
    pub(crate) fn class_size(&self, class: u8) -> usize {
        self.state.lock().classes[class as usize].size
    }

    /// How many stacks were ever made, and how many bytes are mapped for them.
    pub(crate) fn totals(&self) -> (usize, usize) {
        let state = self.state.lock();
        let created = state.classes.iter().map(|class| class.created).sum();
        let mapped = state
            .classes
            .iter()
            .flat_map(|class| &class.slabs)
            .map(|slab| slab.mapping.bytes)
            .sum();
        (created, mapped)
    }

    /// How many stacks are not in the depot.
    #[cfg(any(loom, shuttle))]
    pub(crate) fn out(&self) -> usize {
        let state = self.state.lock();
        state
            .classes
            .iter()
            .map(|class| class.created - class.depot_len)
            .sum()
    }

    fn pop(&self, class: u8) -> Option<*const Fiber> {
        let mut state = self.state.lock();
        let class = &mut state.classes[class as usize];
        let fiber = class.depot.pop()?;
        class.depot_len -= 1;
        Some(fiber)
    }

    fn push(&self, class: u8, fiber: *const Fiber) {
        let mut state = self.state.lock();
        if state.classes[class as usize].depot_len >= self.warm_max {
            // Without the lock: while a million tasks end, this is most of the work.
            drop(state);
            self.cool(fiber);
            state = self.state.lock();
        }
        let class = &mut state.classes[class as usize];
        class.depot.push(fiber);
        class.depot_len += 1;
    }

    /// Gives the pages of a stack back that nobody uses and that is not in the depot.
    fn cool(&self, fiber: *const Fiber) {
        // SAFETY: the caller has the fiber, on which no task runs, and it lives as long as the pool.
        unsafe {
            if !cool(&*fiber) {
                self.state.lock().unlock();
                cool(&*fiber);
            }
        }
    }

    #[cold]
    fn create(&self, class: u8) -> io::Result<*const Fiber> {
        let mut state = self.state.lock();
        let use_mprotect = self.guards == Guards::Mprotect || state.guard_install_refused;
        if use_mprotect {
            check_map_count(state.guarded_by_mprotect)?;
        }
        let (low, colour) = state.classes[class as usize].slot()?;
        let Class { size, guard, .. } = state.classes[class as usize];
        if use_mprotect || !state.install_guard(low, guard) {
            state.guard_install_refused = true;
            if let Err(error) = protect_guard(low, guard) {
                state.classes[class as usize].unslot();
                return Err(error);
            }
            state.guarded_by_mprotect += 1;
        }
        let class_state = &mut state.classes[class as usize];
        class_state.created += 1;
        let memory = Memory {
            limit: low + guard,
            top: coloured(low + guard + size, colour),
            porch: self.porch,
            measured: self.measured,
        };
        // SAFETY: the slot is fresh memory of ours, readable and writable from `limit` to `top`.
        Ok(unsafe { Fiber::create(memory, state.contexts.add()) })
    }
}

impl State {
    /// `false`: the kernel has no such guards.
    fn install_guard(&self, low: usize, bytes: usize) -> bool {
        if install_guard(low, bytes) {
            return true;
        }
        self.unlock();
        install_guard(low, bytes)
    }

    /// For an engine that called `mlockall` after the slabs were mapped.
    #[cold]
    fn unlock(&self) {
        for slab in self.classes.iter().flat_map(|class| &class.slabs) {
            slab.mapping.unlock();
        }
    }
}

pub(crate) fn check_size(size: usize) -> io::Result<usize> {
    if size == 0 || size > SIZE_MAX {
        let text = format!("a stack of {size} bytes: must be between 1 and {SIZE_MAX}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(size.max(SIZE_MIN).next_multiple_of(PAGE))
}

impl Class {
    fn new(size: usize) -> Self {
        let size = size.max(SIZE_MIN).next_multiple_of(PAGE);
        // An odd number of pages in all.
        let stride = (size + GUARD) | PAGE;
        Class {
            size,
            guard: stride - size,
            depot: List::new(),
            depot_len: 0,
            slabs: Vec::new(),
            slots_next: SLOTS_FIRST.min((SLAB_MAX / stride).max(1)),
            created: 0,
            used_max: None,
        }
    }

    /// The low address of a slot never used before, and its colour.
    fn slot(&mut self) -> io::Result<(usize, usize)> {
        let stride = self.size + self.guard;
        if self.slabs.last().is_none_or(|slab| slab.used == slab.slots) {
            self.slabs
                .try_reserve(1)
                .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
            let slots = self.slots_next;
            let first = self.slabs.last().map_or(0, |slab| slab.first + slab.used);
            let slab = |slots| Slab::new(slots, stride, self.guard, first);
            let slab = slab(slots).or_else(|_| slab(1))?;
            self.slabs.push(slab);
            // Twice as many each time, up to what a slab may have.
            self.slots_next = (slots * 2).min((SLAB_MAX / stride).max(1));
        }
        let slab = self.slabs.last_mut().expect("there is one with room now");
        let low = slab.mapping.base.addr().get() + slab.used * stride;
        let colour = slab.first + slab.used;
        slab.used += 1;
        Ok((low, colour))
    }

    /// Takes the last `slot` back.
    fn unslot(&mut self) {
        self.slabs.last_mut().expect("a slot came from it").used -= 1;
    }
}

/// The top of a stack, shifted by its colour.
pub(super) fn coloured(top: usize, colour: usize) -> usize {
    top - colour % COLOURS * LINE
}

impl Slab {
    fn new(slots: usize, stride: usize, guard: usize, first: usize) -> io::Result<Slab> {
        let mapping = Mapping::new(slots, stride)?;
        let registered = Registered::new(&Range {
            low: mapping.base.addr().get(),
            bytes: mapping.bytes,
            stride,
            guard,
            whose: Whose::Fibers { first },
        })?;
        Ok(Slab {
            _registered: registered,
            mapping,
            slots,
            used: 0,
            first,
        })
    }
}

impl Mapping {
    fn new(slots: usize, stride: usize) -> io::Result<Mapping> {
        let bytes = slots * stride;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new mapping anywhere.
        let base =
            unsafe { libc::mmap(std::ptr::null_mut(), bytes, libc::PROT_NONE, flags, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(refused(slots, stride));
        }
        let mapping = Mapping {
            base: NonNull::new(base.cast()).expect("a mapping is not at 0"),
            bytes,
        };
        // Before it is accessible: what is locked and accessible is resident at once, all of it.
        mapping.unlock();
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: our own mapping, which nobody uses yet.
        if unsafe { libc::mprotect(base, bytes, access) } != 0 {
            return Err(refused(slots, stride));
        }
        // SAFETY: as above. A huge page would make one parked task cost 2 MiB; refusal only costs memory.
        unsafe { libc::madvise(base, bytes, libc::MADV_NOHUGEPAGE) };
        Ok(mapping)
    }

    /// Takes back what `mlockall` did to it: in a locked mapping the kernel installs no guard, and takes no page back.
    fn unlock(&self) {
        // SAFETY: our own mapping; only whether its pages may be swapped out changes.
        unsafe { libc::munlock(self.base.as_ptr().cast(), self.bytes) };
    }
}

/// What the kernel said just now.
fn refused(slots: usize, stride: usize) -> io::Error {
    let error = io::Error::last_os_error();
    let text = format!("no memory for {slots} stacks of {stride} bytes: {error}");
    io::Error::new(error.kind(), text)
}

impl Drop for Mapping {
    fn drop(&mut self) {
        sanitizer::unmap(self.base.as_ptr(), self.bytes);
        // SAFETY: our own mapping; the pool goes only after every task and every worker (see `scheduler/shutdown.rs`).
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.bytes) };
    }
}

fn install_guard(low: usize, bytes: usize) -> bool {
    // SAFETY: memory of our own slab that nobody uses.
    unsafe { libc::madvise(low as *mut libc::c_void, bytes, MADV_GUARD_INSTALL) == 0 }
}

fn protect_guard(low: usize, bytes: usize) -> io::Result<()> {
    // SAFETY: memory of our own slab that nobody uses.
    if unsafe { libc::mprotect(low as *mut libc::c_void, bytes, libc::PROT_NONE) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    Err(io::Error::new(
        error.kind(),
        format!("no guard for a stack: {error}; see the sysctl vm.max_map_count"),
    ))
}

/// Puts a guard at the low end of a thread's stack. `false`: the kernel refused.
pub(super) fn guard(low: usize) -> bool {
    install_guard(low, GUARD) || protect_guard(low, GUARD).is_ok()
}

/// Takes such a guard away, whichever kind it is.
///
/// # Safety
/// The guard is there, and the memory is the caller's.
pub(super) unsafe fn unguard(low: usize) {
    let low = low as *mut libc::c_void;
    // SAFETY: the caller's promise; where there is no guard of the one kind nothing changes.
    unsafe {
        libc::madvise(low, GUARD, MADV_GUARD_REMOVE);
        libc::mprotect(low, GUARD, libc::PROT_READ | libc::PROT_WRITE);
    }
}

/// Refuses long before the kernel would refuse a mapping to somebody else in the process.
fn check_map_count(guards: usize) -> io::Result<()> {
    let limit = std::fs::read_to_string("/proc/sys/vm/max_map_count")
        .ok()
        .and_then(|text| text.trim().parse::<usize>().ok())
        .unwrap_or(65_530);
    if guards * 2 < limit / 4 * 3 {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::OutOfMemory,
        format!(
            "{guards} stacks with mprotect guards use most of the {limit} mappings allowed: \
             raise the sysctl vm.max_map_count, or use a kernel with MADV_GUARD_INSTALL (6.13)"
        ),
    ))
}

/// Gives a stack's pages back to the kernel, all but the one or two on which its own frames lie. `false`: it refused.
///
/// # Safety
/// The fiber runs no task.
unsafe fn cool(fiber: &Fiber) -> bool {
    let memory = fiber.memory();
    let keep_from = (memory.top - memory.porch - super::HEAD_MAX) & !(PAGE - 1);
    if keep_from <= memory.limit {
        return true;
    }
    let low = memory.limit as *mut libc::c_void;
    // SAFETY: below everything that lives on this stack between two tasks (`HEAD_MAX`), in our own slab.
    unsafe { libc::madvise(low, keep_from - memory.limit, libc::MADV_DONTNEED) == 0 }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    /// Twice as large each time, and never beyond the limit, however many there are.
    #[test]
    fn slabs_grow_up_to_their_limit() {
        let size = 64 << 20;
        let mut class = Class::new(size);
        let most = SLAB_MAX / (size + class.guard);
        // Addresses only: nothing is touched.
        for slot in 0..80 * most {
            let (low, colour) = class.slot().expect("there are addresses");
            assert_eq!(colour, slot);
            assert_eq!(low % PAGE, 0);
        }
        assert_eq!(class.slabs.len(), 80);
        for slab in &class.slabs {
            assert!(slab.mapping.bytes <= SLAB_MAX);
            assert_eq!(slab.used, most);
        }
    }

    /// Neither even for a size of the user's nor less guard than there must be.
    #[test]
    fn stacks_are_an_odd_number_of_pages_apart() {
        for size in [SIZE_MIN, SIZE_MIN + 1, 128 * 1024, 132 * 1024, 1 << 20] {
            let mut class = Class::new(size);
            let [first, second] = [(); 2].map(|()| class.slot().expect("there are addresses").0);
            assert_eq!((second - first) / PAGE % 2, 1, "{size} bytes");
            assert!(class.guard >= GUARD && class.guard <= GUARD + PAGE);
            assert_eq!(second - first, class.guard + class.size);
        }
    }

    #[test]
    fn the_first_slabs_are_small() {
        let mut class = Class::new(SIZE_MIN);
        for _ in 0..SLOTS_FIRST * 7 {
            class.slot().expect("there are addresses");
        }
        let slots: Vec<_> = class.slabs.iter().map(|slab| slab.slots).collect();
        assert_eq!(slots, [SLOTS_FIRST, SLOTS_FIRST * 2, SLOTS_FIRST * 4]);
    }

    #[test]
    fn a_stack_larger_than_a_slab_has_one_of_its_own() {
        let mut class = Class::new(SIZE_MAX);
        for _ in 0..3 {
            class.slot().expect("there are addresses");
        }
        assert!(class.slabs.iter().all(|slab| slab.slots == 1));
        assert_eq!(class.slabs.len(), 3);
    }
}
