//! Where task records come from and go back to.
//!
//! Records are made in chunks that are never freed: a stale pointer to a record is always a pointer to a record.
//! The memory in use is the high-water mark of live tasks; later schedulers use it again.
//! A worker keeps a magazine of records and trades half a magazine with the depot under one lock.
//!
//! Room for unsafe code: making a chunk.

use crate::primitive::{Mutex, Ordering, Plain};
use crate::task::{Task, fetch_life};
#[cfg(not(any(loom, shuttle)))]
use std::alloc::{Layout, alloc};

#[cfg(not(any(loom, shuttle)))]
const CHUNK: usize = 64;
#[cfg(not(any(loom, shuttle)))]
const TRADE: usize = 512;
/// Few, so that a model makes few of the checker's objects and reaches the trades.
#[cfg(any(loom, shuttle))]
const CHUNK: usize = 4;
#[cfg(any(loom, shuttle))]
const TRADE: usize = 1;
const MAGAZINE_MAX: usize = 2 * TRADE;

/// A worker's own records. Owner: the worker.
pub(crate) struct Magazine {
    top: Plain<Option<&'static Task>>,
    count: Plain<usize>,
}

impl Magazine {
    pub(crate) fn new() -> Self {
        Magazine {
            top: Plain::new(None),
            count: Plain::new(0),
        }
    }

    /// A free record, or `None` if memory was refused.
    #[inline(always)]
    pub(crate) fn get(&self) -> Option<&'static Task> {
        let Some(task) = self.top.get() else {
            return self.refill();
        };
        let next = task.next.get();
        // Likely the next to be spawned: it comes nearer while this one is filled in.
        fetch_life(next);
        self.top.set(next);
        self.count.set(self.count.get() - 1);
        Some(task)
    }

    #[inline(always)]
    pub(crate) fn put(&self, task: &'static Task) {
        task.next.set(self.top.get());
        self.top.set(Some(task));
        self.count.set(self.count.get() + 1);
        if self.count.get() > MAGAZINE_MAX {
            self.spill(TRADE);
        }
    }

    #[cold]
    fn refill(&self) -> Option<&'static Task> {
        depot(|depot| {
            for _ in 0..TRADE {
                let Some(task) = depot.get() else { break };
                task.next.set(self.top.get());
                self.top.set(Some(task));
                self.count.set(self.count.get() + 1);
            }
        });
        let task = self.top.get()?;
        self.top.set(task.next.get());
        self.count.set(self.count.get() - 1);
        Some(task)
    }

    #[cold]
    fn spill(&self, how_many: usize) {
        depot(|depot| {
            for _ in 0..how_many {
                let Some(task) = self.top.get() else { return };
                self.top.set(task.next.get());
                self.count.set(self.count.get() - 1);
                depot.put(task);
            }
        });
    }

    /// Gives everything back, when the worker ends.
    pub(crate) fn empty(&self) {
        self.spill(self.count.get());
    }
}

/// A record for a thread that is no worker.
pub(crate) fn get() -> Option<&'static Task> {
    depot(Depot::get)
}

/// Back from a thread that is no worker.
pub(crate) fn put(task: &'static Task) {
    depot(|depot| depot.put(task));
}

/// Calls `each` for every record there is, in use or not.
pub(crate) fn for_each(mut each: impl FnMut(&'static Task)) {
    // The chunks are only ever added to, so the list may be read without holding its lock.
    let chunks = depot(|depot| depot.chunks.clone());
    for chunk in chunks {
        for task in chunk {
            each(task);
        }
    }
}

/// How many records there are, in use or not.
pub(crate) fn records() -> usize {
    depot(|depot| depot.chunks.iter().map(|chunk| chunk.len()).sum())
}

struct Depot {
    free: Option<&'static Task>,
    chunks: Vec<&'static [Task]>,
}

// SAFETY: records are shared by design (`Task` says per field who may touch it).
unsafe impl Send for Depot {}

impl Depot {
    const fn new() -> Self {
        Depot {
            free: None,
            chunks: Vec::new(),
        }
    }

    fn get(&mut self) -> Option<&'static Task> {
        if self.free.is_none() {
            self.grow();
        }
        let task = self.free?;
        self.free = task.next.get();
        Some(task)
    }

    fn put(&mut self, task: &'static Task) {
        task.next.set(self.free);
        self.free = Some(task);
    }

    #[cfg(not(any(loom, shuttle)))]
    fn grow(&mut self) {
        let layout = Layout::array::<Task>(CHUNK).expect("a chunk is small");
        if self.chunks.try_reserve(1).is_err() {
            return;
        }
        // SAFETY: the layout is not empty.
        let memory = unsafe { alloc(layout) }.cast::<Task>();
        if memory.is_null() {
            return;
        }
        for index in 0..CHUNK {
            // SAFETY: within the allocation, aligned by its layout, and not yet initialised.
            unsafe { memory.add(index).write(Task::new()) };
        }
        // SAFETY: all of it was initialised, and it is never freed.
        let chunk: &'static [Task] = unsafe { std::slice::from_raw_parts(memory, CHUNK) };
        self.add(chunk);
    }

    #[cfg(any(loom, shuttle))]
    fn grow(&mut self) {
        let chunk: Vec<Task> = (0..CHUNK).map(|_| Task::new()).collect();
        self.add(Box::leak(chunk.into_boxed_slice()));
    }

    fn add(&mut self, chunk: &'static [Task]) {
        self.chunks.push(chunk);
        #[cfg(not(any(loom, shuttle)))]
        super::debugger::note_chunks(&self.chunks);
        // Low addresses first.
        for task in chunk.iter().rev() {
            self.put(task);
        }
    }
}

/// The end of an execution of a model, in which all threads were joined: the records go, with the checker's objects in them.
#[cfg(any(loom, shuttle))]
impl Drop for Depot {
    fn drop(&mut self) {
        for chunk in self.chunks.drain(..) {
            // SAFETY: made by `grow` from a box; nobody is left who could have a reference to a record.
            drop(unsafe { Box::from_raw(std::ptr::from_ref(chunk).cast_mut()) });
        }
    }
}

/// How many records are in use, but for those of plain threads, which models do not give back.
#[cfg(any(loom, shuttle))]
pub(crate) fn in_use() -> usize {
    use crate::task::Kind;
    depot(|depot| {
        let mut used = 0;
        for chunk in &depot.chunks {
            used += chunk
                .iter()
                .filter(|task| task.kind() != Kind::PlainThread)
                .count();
        }
        let mut free = depot.free;
        while let Some(task) = free {
            used -= 1;
            free = task.next.get();
        }
        used
    })
}

#[cfg(not(any(loom, shuttle)))]
fn depot<R>(work: impl FnOnce(&mut Depot) -> R) -> R {
    static DEPOT: Mutex<Depot> = Mutex::new(Depot::new());
    work(&mut DEPOT.lock())
}

#[cfg(any(loom, shuttle))]
fn depot<R>(work: impl FnOnce(&mut Depot) -> R) -> R {
    // One for each execution of the model: its atomics belong to that execution.
    #[cfg(loom)]
    loom::lazy_static! { static ref DEPOT: Mutex<Depot> = Mutex::new(Depot::new()); }
    #[cfg(shuttle)]
    shuttle::lazy_static! { static ref DEPOT: Mutex<Depot> = Mutex::new(Depot::new()); }
    work(&mut DEPOT.lock())
}

/// The next task's number; numbers are never used twice in a process.
pub(crate) fn next_id_block(size: u64) -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    // Relaxed: only uniqueness is asked of it.
    NEXT.fetch_add(size, Ordering::Relaxed)
}
