//! Blocks that a thread has got back, to be given out again by it: without the system's allocator, and without telling the
//! account, which counts them as in use.
//!
//! Each OS thread has one *shelf*, of the heap that it used last. Only the thread itself touches it; others read how many
//! bytes the account has too many because of it. It is cleared when the thread uses another heap, and when it ends. It holds few
//! bytes and few blocks, and small ones.
//!
//! A task may be on another thread after each wait, and nothing here waits: each function finds the shelf of its thread anew,
//! and none is inlined, so that no place of a thread's is kept across a wait.
//!
//! Room for unsafe code: the headers of the blocks, which make the lists.

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

/// Blocks are told apart by their size, in steps of so many bytes.
const STEP: usize = 16;
/// No larger block is kept.
pub(super) const SIZE_MOST: usize = 512;
const LISTS: usize = SIZE_MOST / STEP + 1;
const BYTES_MOST: usize = 64 * 1024;
const BLOCKS_MOST: usize = 512;

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
    blocks: Cell<usize>,
    /// Bytes that the account counts as in use because of it.
    bytes: Arc<AtomicUsize>,
}

/// How many bytes lie on each shelf of a heap.
#[derive(Debug, Default)]
pub(crate) struct Shelves(parking_lot::Mutex<Vec<Weak<AtomicUsize>>>);

impl Shelves {
    pub(crate) fn bytes(&self) -> usize {
        let mut shelves = self.0.lock();
        shelves.retain(|shelf| shelf.strong_count() > 0);
        shelves
            .iter()
            .filter_map(Weak::upgrade)
            .map(|bytes| bytes.load(Ordering::Relaxed))
            .sum()
    }
}

thread_local! {
    /// The shelf below, to be found without a check.
    static HERE: Cell<*const Shelf> = const { Cell::new(null()) };
    static KEPT: RefCell<Option<Box<Shelf>>> = const { RefCell::new(None) };
}

/// The calling thread's shelf, if it is of this heap.
#[inline(always)]
fn with_shelf<R>(key: usize, work: impl FnOnce(&Shelf) -> R) -> Option<R> {
    let shelf = HERE.with(Cell::get);
    if shelf.is_null() {
        return None;
    }
    // SAFETY: it lies in `KEPT`, which clears `HERE` before it goes.
    let shelf = unsafe { &*shelf };
    (shelf.key == key).then(|| work(shelf))
}

/// A block with room for so many bytes, with nothing in its header.
#[inline(never)]
pub(super) fn take(key: usize, size: usize) -> Option<*mut c_void> {
    with_shelf(key, |shelf| {
        let list = &shelf.lists[size.div_ceil(STEP)];
        let first = list.get();
        // Relaxed: nobody else writes it.
        let bytes = shelf.bytes.load(Ordering::Relaxed);
        if first.is_null() || bytes < size {
            return None;
        }
        // SAFETY: what is in a list is there, and is the shelf's.
        list.set(unsafe { (*first).next });
        shelf.blocks.set(shelf.blocks.get() - 1);
        shelf.bytes.store(bytes - size, Ordering::Relaxed);
        Some(first.cast())
    })?
}

/// Keeps a block, of which this is the header. `false`: there is no room for it, and it is still the caller's.
///
/// # Safety
/// The memory begins with the header, came from the system's allocator, has room for [`rounded`] bytes behind the header,
/// and is the caller's to give away.
#[inline(never)]
pub(super) unsafe fn put(key: usize, header: *mut c_void, size: usize) -> bool {
    let put = with_shelf(key, |shelf| {
        let bytes = shelf.bytes.load(Ordering::Relaxed) + size;
        if bytes > BYTES_MOST || shelf.blocks.get() == BLOCKS_MOST {
            return false;
        }
        let (list, block) = (&shelf.lists[size.div_ceil(STEP)], header.cast::<Linked>());
        let linked = Linked {
            next: list.get(),
            nothing: 0,
        };
        // SAFETY: as the caller promises.
        unsafe { block.write(linked) };
        list.set(block);
        shelf.blocks.set(shelf.blocks.get() + 1);
        shelf.bytes.store(bytes, Ordering::Relaxed);
        true
    });
    put == Some(true)
}

/// Whether the calling thread has a shelf of this heap.
#[inline(never)]
pub(super) fn is_there(key: usize) -> bool {
    with_shelf(key, |_| ()).is_some()
}

/// Gives the calling thread a shelf of this heap, in the place of another one's.
#[cold]
#[inline(never)]
pub(super) fn make(key: usize, account: Arc<dyn Account>, shelves: &Shelves) {
    let bytes = Arc::new(AtomicUsize::new(0));
    let shelf = Box::new(Shelf {
        key,
        account,
        lists: [const { Cell::new(null_mut()) }; LISTS],
        blocks: Cell::new(0),
        bytes: Arc::clone(&bytes),
    });
    let here: *const Shelf = &raw const *shelf;
    // A thread that ends has none any more.
    let before = KEPT.try_with(|kept| {
        let before = kept.borrow_mut().replace(shelf);
        HERE.with(|place| place.set(here));
        before
    });
    if let Ok(before) = before {
        shelves.0.lock().push(Arc::downgrade(&bytes));
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
        self.blocks.set(0);
        let bytes = self.bytes.swap(0, Ordering::Relaxed);
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
