//! Blocks that a thread has got back, to be given out again by it: without the system's allocator, and without telling the
//! account, which counts them as in use.
//!
//! Each OS thread has one *shelf*, of the heap that it used last. Only the thread itself touches it; others read how many
//! bytes the account has too many because of it. It is cleared when the thread uses another heap, and when it ends. It holds few
//! bytes and few blocks, and small ones.
//!
//! A task may be on another thread after each wait, and nothing here waits: each function finds the shelf of its thread anew,
//! and none is inlined but into the functions of a table, which are called by their addresses alone (`quick`), so that no place
//! of a thread's is kept across a wait.
//!
//! Room for unsafe code: the headers of the blocks, which make the lists.

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// Blocks are told apart by their size, in steps of so many bytes.
const STEP: usize = 16;
/// No larger block is kept.
pub(super) const SIZE_MOST: usize = 512;
/// A power of two, so that no list is looked for beyond them.
const LISTS: usize = 64;
const _: () = assert!(LISTS > SIZE_MOST / STEP);
/// A shelf is full with so many bytes, or blocks: powers of two, which a sum has reached when it has their bit.
const BYTES: u64 = 64 * 1024;
const BLOCKS: u64 = 512;
/// What is on a shelf is one number: its bytes, and its blocks from here on.
const BLOCK: u64 = 1 << 32;
const FULL: u64 = BYTES | (BLOCKS * BLOCK);

/// The list of blocks that are as large as this.
#[inline(always)]
fn list_of(size: usize) -> usize {
    // Sizes here are small, so nothing overflows; `div_ceil` would look for that.
    ((size + (STEP - 1)) >> STEP.ilog2()) % LISTS
}

/// The account that counts the blocks.
pub(crate) trait Account: Send + Sync {
    /// So many bytes are not in use any more.
    fn discharge(&self, bytes: usize);
}

/// How large a block is made, so that it is of use to others of its list.
pub(super) fn rounded(size: usize) -> usize {
    if size > SIZE_MOST {
        return size;
    }
    size.next_multiple_of(STEP)
}

/// What lies before a block on a shelf, in the place of its header.
#[repr(C)]
struct Linked {
    next: *mut Linked,
    /// No seal: it is nobody's block.
    nothing: usize,
}

/// The shelf of a thread. Written by that thread alone.
struct Shelf {
    /// By which its heap is known.
    key: usize,
    account: Arc<dyn Account>,
    lists: [Cell<*mut Linked>; LISTS],
    /// How many blocks are there, and how many bytes the account counts as in use because of it.
    held: Arc<AtomicU64>,
}

/// How many bytes lie on each shelf of a heap.
#[derive(Debug, Default)]
pub(crate) struct Shelves(parking_lot::Mutex<Vec<Weak<AtomicU64>>>);

impl Shelves {
    pub(crate) fn bytes(&self) -> usize {
        let mut shelves = self.0.lock();
        shelves.retain(|shelf| shelf.strong_count() > 0);
        shelves
            .iter()
            .filter_map(Weak::upgrade)
            .map(|held| (held.load(Ordering::Relaxed) % BLOCK) as usize)
            .sum()
    }
}

thread_local! {
    /// The shelf below, to be found without a check.
    static HERE: Cell<*const Shelf> = const { Cell::new(null()) };
    static KEPT: RefCell<Option<Box<Shelf>>> = const { RefCell::new(None) };
}

/// The calling thread's shelf, if it is of this heap. Not to be kept for a second call.
#[inline(always)]
fn here<'a>(key: usize) -> Option<&'a Shelf> {
    // SAFETY: it lies in `KEPT`, which clears `HERE` before it goes, on this thread.
    let shelf = unsafe { HERE.with(Cell::get).as_ref() }?;
    (shelf.key == key).then_some(shelf)
}

/// A block with room for so many bytes, which are no more than the most, with nothing in its header.
#[inline(always)]
pub(super) fn take(key: usize, size: usize) -> Option<*mut c_void> {
    let shelf = here(key)?;
    let list = &shelf.lists[list_of(size)];
    let first = list.get();
    // Relaxed: nobody else writes it.
    let held = shelf.held.load(Ordering::Relaxed);
    if first.is_null() || held % BLOCK < size as u64 {
        return None;
    }
    // SAFETY: what is in a list is there, and is the shelf's.
    list.set(unsafe { (*first).next });
    let left = held - BLOCK - size as u64;
    shelf.held.store(left, Ordering::Relaxed);
    Some(first.cast())
}

/// Keeps a block, of which this is the header, where no seal is left. `false`: there is no room for it, and it is still the
/// caller's, with its header.
///
/// # Safety
/// The memory begins with the header, came from the system's allocator, has room for [`rounded`] bytes behind the header,
/// and is the caller's to give away.
#[inline(always)]
pub(super) unsafe fn put(key: usize, header: *mut c_void, size: usize) -> bool {
    let Some(shelf) = here(key) else {
        return false;
    };
    let held = shelf.held.load(Ordering::Relaxed) + BLOCK + size as u64;
    if held & FULL != 0 {
        return false;
    }
    let (list, block) = (&shelf.lists[list_of(size)], header.cast::<Linked>());
    let linked = Linked {
        next: list.get(),
        nothing: 0,
    };
    // SAFETY: as the caller promises.
    unsafe { block.write(linked) };
    list.set(block);
    shelf.held.store(held, Ordering::Relaxed);
    true
}

/// Whether the calling thread has a shelf of this heap.
#[inline(never)]
pub(super) fn is_there(key: usize) -> bool {
    here(key).is_some()
}

/// Gives the calling thread a shelf of this heap, in the place of another one's.
#[cold]
#[inline(never)]
pub(super) fn make(key: usize, account: Arc<dyn Account>, shelves: &Shelves) {
    let held = Arc::new(AtomicU64::new(0));
    let shelf = Box::new(Shelf {
        key,
        account,
        lists: [const { Cell::new(null_mut()) }; LISTS],
        held: Arc::clone(&held),
    });
    let here: *const Shelf = &raw const *shelf;
    // A thread that ends has none any more.
    let before = KEPT.try_with(|kept| {
        let before = kept.borrow_mut().replace(shelf);
        HERE.with(|place| place.set(here));
        before
    });
    if let Ok(before) = before {
        shelves.0.lock().push(Arc::downgrade(&held));
        drop(before);
    }
}

impl Shelf {
    fn clear(&self) {
        for list in &self.lists {
            let mut block = list.replace(null_mut());
            while !block.is_null() {
                // SAFETY: what is in a list is there, and is the shelf's; it came from the allocator.
                unsafe {
                    let next = (*block).next;
                    libc::free(block.cast());
                    block = next;
                }
            }
        }
        let bytes = (self.held.swap(0, Ordering::Relaxed) % BLOCK) as usize;
        if bytes > 0 {
            self.account.discharge(bytes);
        }
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        let me: *const Shelf = self;
        HERE.with(|place| {
            if place.get() == me {
                place.set(null());
            }
        });
        self.clear();
    }
}
