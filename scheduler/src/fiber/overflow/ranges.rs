//! Memory with guards in it, as a signal handler can look it up: without a lock, at any moment.
//!
//! Ranges are entered and taken out under a lock, which the handler never touches. An entry's memory is never freed.
//!
//! # Why a reader never sees half an entry, nor memory that is gone
//!
//! 1. *Enter*: the fields are written, then `live` is set (release). A reader that sees `live` (acquire) sees the fields.
//! 2. *Read*: the reader raises `READERS`, then looks at each `live`; it lowers `READERS` when it no longer needs what it
//!    found.
//! 3. *Take out*: `live` is cleared, then `READERS` is awaited to be 0; only then may the entry be used again, and the
//!    memory be unmapped.
//!
//! Steps 2 and 3 are store buffering, so both sides are sequentially consistent: either the reader sees `live` cleared, or
//! whoever takes the entry out sees the reader and waits. A reader that comes later sees it cleared.
//! Readers are handlers of faults: there is hardly ever one, and the wait is short.
//!
//! Room for unsafe code: an entry leads to the task's record.

use std::io;
use std::ptr::null_mut;
use std::sync::{Mutex, MutexGuard, PoisonError};
// Read in a signal handler, for which nothing but std's own will do; no model has one.
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

use crate::fiber::{Fiber, stack};
use crate::task::Task;

/// Memory in which one guarded stack lies beside the other.
#[derive(Clone, Copy, Debug)]
pub(in crate::fiber) struct Range {
    pub(in crate::fiber) low: usize,
    pub(in crate::fiber) bytes: usize,
    /// From one guard to the next.
    pub(in crate::fiber) stride: usize,
    /// Bytes of guard, at the low end of each.
    pub(in crate::fiber) guard: usize,
    pub(in crate::fiber) whose: Whose,
}

/// What leads from a stack to its task.
#[derive(Clone, Copy, Debug)]
pub(in crate::fiber) enum Whose {
    /// The record at the top, which is coloured in turn beginning with this number.
    Fibers { first: usize },
    /// The only stack in the range is this task's.
    Task(&'static Task),
}

/// A guard that was touched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guarded {
    /// The lowest address of the guard.
    pub(super) low: usize,
    /// The lowest usable address of the stack.
    pub(super) limit: usize,
    /// One past the highest address.
    pub(super) top: usize,
    pub(super) task: Option<&'static Task>,
}

const CHUNK: usize = 64;

#[derive(Default)]
struct Entry {
    live: AtomicBool,
    low: AtomicUsize,
    bytes: AtomicUsize,
    stride: AtomicUsize,
    guard: AtomicUsize,
    /// The address of the task's record, or 0 for fibers.
    task: AtomicUsize,
    first: AtomicUsize,
}

struct Chunk {
    entries: [Entry; CHUNK],
    next: *const Chunk,
}

/// All chunks, the newest first. Never freed.
static CHUNKS: AtomicPtr<Chunk> = AtomicPtr::new(null_mut());
static READERS: AtomicUsize = AtomicUsize::new(0);
static UNUSED: Mutex<Vec<&'static Entry>> = Mutex::new(Vec::new());

/// A range that handlers know, for as long as this value lives.
pub(in crate::fiber) struct Registered(&'static Entry);

impl Registered {
    /// # Errors
    /// Memory was refused.
    pub(in crate::fiber) fn new(range: &Range) -> io::Result<Registered> {
        let entry = unused()?;
        let (task, first) = match range.whose {
            Whose::Fibers { first } => (0, first),
            Whose::Task(task) => (task.address(), 0),
        };
        // Relaxed: no reader looks before `live` is set.
        entry.low.store(range.low, Ordering::Relaxed);
        entry.bytes.store(range.bytes, Ordering::Relaxed);
        entry.stride.store(range.stride, Ordering::Relaxed);
        entry.guard.store(range.guard, Ordering::Relaxed);
        entry.task.store(task, Ordering::Relaxed);
        entry.first.store(first, Ordering::Relaxed);
        // Step 1.
        entry.live.store(true, Ordering::Release);
        Ok(Registered(entry))
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        // Step 3.
        self.0.live.store(false, Ordering::SeqCst);
        while READERS.load(Ordering::SeqCst) != 0 {
            std::thread::yield_now();
        }
        let mut unused = lock();
        // Where no room can be had the entry is lost, which costs nothing but its own bytes.
        if unused.try_reserve(1).is_ok() {
            unused.push(self.0);
        }
    }
}

fn lock() -> MutexGuard<'static, Vec<&'static Entry>> {
    UNUSED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unused() -> io::Result<&'static Entry> {
    let mut unused = lock();
    if let Some(entry) = unused.pop() {
        return Ok(entry);
    }
    let refused = |_| io::Error::from(io::ErrorKind::OutOfMemory);
    unused.try_reserve(CHUNK).map_err(refused)?;
    let mut room = Vec::new();
    room.try_reserve_exact(1).map_err(refused)?;
    room.push(Chunk {
        entries: std::array::from_fn(|_| Entry::default()),
        next: CHUNKS.load(Ordering::Relaxed),
    });
    let chunk: &'static mut [Chunk] = room.leak();
    let chunk = &chunk[0];
    unused.extend(&chunk.entries);
    // Release: the entries and the link are there when a reader finds the chunk. Written under the lock only.
    CHUNKS.store(std::ptr::from_ref(chunk).cast_mut(), Ordering::Release);
    Ok(unused.pop().expect("a chunk has entries"))
}

/// Calls `with` for the guard at this address, if there is one. What it is given stays mapped until it returns.
pub(super) fn find<R>(address: usize, with: impl FnOnce(&Guarded) -> R) -> Option<R> {
    // Step 2.
    READERS.fetch_add(1, Ordering::SeqCst);
    let found = look_up(address).map(|guarded| with(&guarded));
    READERS.fetch_sub(1, Ordering::SeqCst);
    found
}

fn look_up(address: usize) -> Option<Guarded> {
    let mut chunk = CHUNKS.load(Ordering::Acquire).cast_const();
    while !chunk.is_null() {
        // SAFETY: chunks are never freed.
        let this = unsafe { &*chunk };
        if let Some(guarded) = this.entries.iter().find_map(|entry| entry.find(address)) {
            return Some(guarded);
        }
        chunk = this.next;
    }
    None
}

impl Entry {
    fn find(&self, address: usize) -> Option<Guarded> {
        if !self.live.load(Ordering::SeqCst) {
            return None;
        }
        // Relaxed: published by `live`, and not changed while a reader is there.
        let offset = address.wrapping_sub(self.low.load(Ordering::Relaxed));
        if offset >= self.bytes.load(Ordering::Relaxed) {
            return None;
        }
        let stride = self.stride.load(Ordering::Relaxed);
        let guard = self.guard.load(Ordering::Relaxed);
        if offset % stride >= guard {
            return None;
        }
        let low = address - offset % stride;
        let top = low + stride;
        let task = match self.task.load(Ordering::Relaxed) {
            0 => self.task_of_fiber(offset / stride, top),
            // SAFETY: the address is that of a record.
            task => Some(unsafe { Task::at(task) }),
        };
        Some(Guarded {
            low,
            limit: low + guard,
            top,
            task,
        })
    }

    /// A slot that was never used reads as no task: its memory is all zeroes.
    fn task_of_fiber(&self, slot: usize, top: usize) -> Option<&'static Task> {
        let colour = self.first.load(Ordering::Relaxed) + slot;
        let fiber = Fiber::at(stack::coloured(top, colour));
        // SAFETY: the top of a slot is readable, and the slab is not unmapped while a reader is there. The record is this
        // thread's own if the fault is an overflow; otherwise a task that changes just now may be named.
        unsafe { (*fiber).task.get() }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    fn range(low: usize) -> Range {
        let task = crate::current::plain();
        Range {
            low,
            bytes: 0x3000,
            stride: 0x3000,
            guard: 0x1000,
            whose: Whose::Task(task),
        }
    }

    #[test]
    fn a_guard_is_found_by_its_addresses_and_no_others() {
        // Addresses that nobody can map.
        let low = 0x10;
        let registered = Registered::new(&range(low)).expect("memory for an entry");
        let found = |address| find(address, |guarded| (guarded.limit, guarded.top));
        assert_eq!(found(low - 1), None);
        assert_eq!(found(low), Some((low + 0x1000, low + 0x3000)));
        assert_eq!(found(low + 0xfff), Some((low + 0x1000, low + 0x3000)));
        assert_eq!(found(low + 0x1000), None);
        assert_eq!(found(low + 0x3000), None);
        drop(registered);
        assert_eq!(found(low), None);
    }

    #[test]
    fn ranges_come_and_go_under_a_reader() {
        use std::sync::atomic::AtomicBool;
        let stop = AtomicBool::new(false);
        let seen = AtomicUsize::new(0);
        std::thread::scope(|threads| {
            for _ in 0..2 {
                threads.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        for low in [0x10_000, 0x20_000] {
                            find(low + 8, |guarded| {
                                // Never the bounds of the other one.
                                assert_eq!((guarded.low, guarded.top), (low, low + 0x3000));
                                seen.fetch_add(1, Ordering::Relaxed);
                            });
                        }
                    }
                });
            }
            for round in 0..20_000 {
                let low = if round % 2 == 0 { 0x10_000 } else { 0x20_000 };
                drop(Registered::new(&range(low)).expect("memory for an entry"));
            }
            stop.store(true, Ordering::Relaxed);
        });
        println!("{} of the lookups found one", seen.into_inner());
    }
}
