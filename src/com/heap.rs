//! Blocks of memory that are given to a runtime, each with a header that says whose it is.
//!
//! What comes back is known by its seal: a number made of the address, of what the header says and of a key of the heap's
//! own. So a block of somebody else, and one that was given back already as long as its header is there, are refused. To
//! look for a header where there may be none, no block begins with a page: what lies before one that does not begin a page
//! is in the same page.
//!
//! Room for unsafe code: the system's allocator, and the headers.

use std::ffi::c_void;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::EMemoryCriticalLevel;
use super::argument::{Argument, Output};
use super::hresult::Hresult;
use super::shelf::{self, Account, Shelves};

const ALIGNMENT: usize = 16;
const HEADER: usize = size_of::<Header>();
const PAGE: usize = 4096;
/// No block is as big as this; the bits from here on say what kind it is.
pub(crate) const SIZE_LIMIT: usize = 1 << 48;
const LEVEL_SHIFT: u32 = 60;
/// There are sixteen bytes more before the header.
const SHIFTED: usize = 1 << 62;
/// It has pages of its own, in which code may run.
const EXECUTABLE: usize = 1 << 63;

/// A block that was given to a runtime, or what a runtime says is one. It is the runtime's to write to, not ours.
#[derive(Debug)]
#[must_use = "whoever has it has to give it back"]
pub struct Block(*mut c_void);

// SAFETY: a block may be given back on any thread.
unsafe impl Send for Block {}

impl Block {
    #[inline(always)]
    pub(super) fn pointer(&self) -> *mut c_void {
        self.0
    }

    /// Whether there is none.
    pub fn is_null(&self) -> bool {
        self.0.is_null()
    }
}

impl Argument for Block {
    type Words = (*mut c_void,);

    #[inline(always)]
    unsafe fn check((pointer,): Self::Words) -> Result<Self, Hresult> {
        Ok(Block(pointer))
    }
}

impl Output for Block {
    type Word = *mut c_void;
    const NOTHING: *mut c_void = std::ptr::null_mut();

    #[inline(always)]
    fn word(self) -> *mut c_void {
        self.0
    }
}

#[repr(C, align(16))]
struct Header {
    /// Its size, its level and its kind.
    says: usize,
    seal: usize,
}

/// What the usual block, a small one of the lowest level, has to do with: it comes from a shelf of the calling thread and goes
/// back there. In one place, for the functions of the heaps' tables (`quick`).
#[derive(Debug)]
pub struct Quick {
    key: usize,
    /// What the account counts as in use.
    pub(crate) used: AtomicUsize,
    /// The limit for the lowest level.
    pub(crate) limit: AtomicUsize,
    /// Below this use, threads keep what they get back.
    pub(crate) shelves_below: AtomicUsize,
}

/// What the blocks of one host have in common.
#[derive(Debug)]
pub(crate) struct Heap {
    quick: Arc<Quick>,
    shelves: Shelves,
}

impl Quick {
    /// The seal of a block at this address whose header says this.
    #[inline(always)]
    fn seal(&self, address: usize, says: usize) -> usize {
        (address ^ says.rotate_left(17)).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.key
    }

    /// # Safety
    /// There is room for a header before the block, and nobody else knows of it.
    #[inline(always)]
    unsafe fn write(&self, block: *mut c_void, says: usize) -> Block {
        let seal = self.seal(block.addr(), says);
        // SAFETY: as the caller promises; the block is aligned to sixteen, as is what the allocator gives.
        unsafe { block.cast::<Header>().sub(1).write(Header { says, seal }) };
        Block(block)
    }

    /// What the header of this block says, if it is one of the heap's.
    ///
    /// # Safety
    /// It leads to memory, unless it is misaligned.
    #[inline(always)]
    unsafe fn look(&self, block: *mut c_void) -> Option<usize> {
        let address = block.addr();
        if !address.is_multiple_of(ALIGNMENT) || address.is_multiple_of(PAGE) {
            return None;
        }
        let header = block.cast::<Header>().wrapping_sub(1);
        // SAFETY: the caller says that the pointer leads to memory, which does not begin with the page, so that what lies
        // before it is there too.
        let (says, seal) = unsafe { ((*header).says, (*header).seal) };
        (seal == self.seal(address, says)).then_some(says)
    }

    /// A block from the calling thread's shelf, which the account counts as in use already.
    #[inline(always)]
    pub(super) fn take(&self, size: usize) -> Option<Block> {
        // What is counted is no less than what is in use with this block: so no limit is passed.
        // Relaxed, here and below: each number stands for itself.
        if size > shelf::SIZE_MOST
            || self.used.load(Ordering::Relaxed) > self.limit.load(Ordering::Relaxed)
        {
            return None;
        }
        let memory = shelf::take(self.key, size)?;
        const _: () = assert!(EMemoryCriticalLevel::eTaskCritical.0 == 0);
        // SAFETY: it has room for as many bytes behind the header, and is nobody's.
        Some(unsafe { self.write(memory.wrapping_byte_add(HEADER), size) })
    }

    /// The calling thread keeps a block. `false`: nothing was done.
    ///
    /// # Safety
    /// As for [`look`](Quick::look).
    #[inline(always)]
    pub(super) unsafe fn put(&self, block: *mut c_void) -> bool {
        if self.used.load(Ordering::Relaxed) >= self.shelves_below.load(Ordering::Relaxed) {
            return false;
        }
        // SAFETY: as the caller promises.
        match unsafe { self.look(block) } {
            // Small, of the lowest level, and with nothing before its header: then it is the size alone that is said.
            Some(size) if size <= shelf::SIZE_MOST => {
                let header = block.wrapping_byte_sub(HEADER);
                // SAFETY: a block of ours that begins with its header, has room for its size, rounded, and is given back by
                // its owner.
                unsafe { shelf::put(self.key, header, size) }
            }
            _ => false,
        }
    }
}

/// What a block was, for whoever keeps account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Freed {
    pub(crate) size: usize,
    pub(crate) level: EMemoryCriticalLevel,
}

impl Heap {
    pub(crate) fn new(key: u64) -> Heap {
        let quick = Quick {
            key: key as usize,
            used: AtomicUsize::new(0),
            limit: AtomicUsize::new(usize::MAX),
            shelves_below: AtomicUsize::new(usize::MAX),
        };
        Heap {
            quick: Arc::new(quick),
            shelves: Shelves::default(),
        }
    }

    pub(crate) fn quick(&self) -> &Arc<Quick> {
        &self.quick
    }

    /// Bytes that an account counts as in use although they lie on shelves.
    pub(crate) fn shelved(&self) -> usize {
        self.shelves.bytes()
    }

    /// The calling thread keeps small blocks from now on.
    pub(crate) fn make_shelf(&self, account: impl FnOnce() -> Arc<dyn Account>) {
        if !shelf::is_there(self.quick.key) {
            shelf::make(self.quick.key, account(), &self.shelves);
        }
    }

    /// A block of so many bytes, aligned to sixteen.
    #[inline]
    pub(crate) fn allocate(
        &self,
        size: usize,
        level: EMemoryCriticalLevel,
        executable: bool,
    ) -> Option<Block> {
        if size >= SIZE_LIMIT {
            return None;
        }
        let says = size | (level.0 as usize) << LEVEL_SHIFT;
        if executable {
            return self.on_pages(size, says | EXECUTABLE);
        }
        // SAFETY: any size may be asked for.
        let memory = unsafe { libc::malloc(shelf::rounded(size) + HEADER) };
        let block = memory.wrapping_byte_add(HEADER);
        if memory.is_null() || block.addr().is_multiple_of(PAGE) {
            return self.shifted(memory, size, says);
        }
        // SAFETY: the memory has room for the header before the block.
        Some(unsafe { self.quick.write(block, says) })
    }

    /// For a block that would begin with a page: further back in more memory. The first memory is given back.
    #[cold]
    fn shifted(&self, first: *mut c_void, size: usize, says: usize) -> Option<Block> {
        if first.is_null() {
            return None;
        }
        // SAFETY: any size may be asked for.
        let memory = unsafe { libc::malloc(size + HEADER + ALIGNMENT) };
        // SAFETY: it came from there, and nobody has seen it.
        unsafe { libc::free(first) };
        if memory.is_null() {
            return None;
        }
        let block = memory.wrapping_byte_add(HEADER);
        let (block, says) = if block.addr().is_multiple_of(PAGE) {
            (block.wrapping_byte_add(ALIGNMENT), says | SHIFTED)
        } else {
            (block, says)
        };
        // SAFETY: the memory has room for the header before the block, also further back.
        Some(unsafe { self.quick.write(block, says) })
    }

    #[cold]
    fn on_pages(&self, size: usize, says: usize) -> Option<Block> {
        let (length, access) = (
            size + HEADER,
            libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC,
        );
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: new memory, wherever there is room.
        let memory = unsafe { libc::mmap(std::ptr::null_mut(), length, access, flags, -1, 0) };
        if memory == libc::MAP_FAILED {
            return None;
        }
        // SAFETY: the memory has room for the header before the block.
        Some(unsafe { self.quick.write(memory.wrapping_byte_add(HEADER), says) })
    }

    /// Gives a block back that its thread does not keep.
    ///
    /// # Errors
    /// Nothing was done: it is none of this heap's.
    pub(crate) fn free(&self, block: Block) -> Result<Freed, ()> {
        let block = block.0;
        // SAFETY: whoever gave the pointer says that it leads to memory.
        let says = unsafe { self.quick.look(block) }.ok_or(())?;
        let header = block.cast::<Header>().wrapping_sub(1);
        // SAFETY: a block of ours, which its owner gives back; it is not known to be one any more.
        unsafe { (*header).seal = 0 };
        let size = says & (SIZE_LIMIT - 1);
        if says & (EXECUTABLE | SHIFTED) == 0 {
            // SAFETY: the memory begins with the header.
            unsafe { libc::free(header.cast()) };
        } else if says & EXECUTABLE != 0 {
            // SAFETY: the pages begin with the header, and are the block's alone.
            unsafe { libc::munmap(header.cast(), size + HEADER) };
        } else {
            // SAFETY: the memory begins sixteen bytes before the header.
            unsafe { libc::free(header.wrapping_byte_sub(ALIGNMENT).cast()) };
        }
        let level = EMemoryCriticalLevel((says >> LEVEL_SHIFT & 3) as u32);
        Ok(Freed { size, level })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: EMemoryCriticalLevel = EMemoryCriticalLevel::eTaskCritical;

    /// Whether a pointer, to memory of somebody's, is taken for no block in either way.
    fn is_refused(heap: &Heap, pointer: *mut c_void) -> bool {
        // SAFETY: the tests have what it leads to.
        let kept = unsafe { heap.quick.put(pointer) };
        !kept && heap.free(Block(pointer)).is_err()
    }

    #[test]
    fn blocks_of_all_sizes_come_back_as_they_went() {
        let heap = Heap::new(0x1234_5678_9abc_def1);
        let sizes = (0..3000).chain([4064, 4080, 4096, 100_000, 1 << 20]);
        for executable in [false, true] {
            for size in sizes.clone() {
                let level = EMemoryCriticalLevel(size as u32 % 3);
                let block = heap.allocate(size, level, executable).expect("memory");
                assert_eq!(block.0.addr() % ALIGNMENT, 0);
                assert_ne!(block.0.addr() % PAGE, 0);
                // SAFETY: so many bytes are ours.
                unsafe { block.0.cast::<u8>().write_bytes(0xa5, size) };
                assert_eq!(heap.free(block), Ok(Freed { size, level }));
            }
        }
    }

    #[test]
    fn blocks_that_would_begin_with_a_page_are_shifted() {
        let heap = Heap::new(7);
        // As many as several pages have room for: some of them would begin one.
        let blocks: Vec<Block> = (0..4096)
            .map(|_| heap.allocate(16, TASK, false).expect("memory"))
            .collect();
        for block in blocks {
            assert_ne!(block.0.addr() % PAGE, 0);
            assert!(heap.free(block).is_ok());
        }
    }

    #[test]
    fn what_is_not_the_heaps_is_refused() {
        let (heap, other) = (Heap::new(1), Heap::new(2));
        let block = heap.allocate(100, TASK, false).expect("memory");
        let pointer = block.0;
        assert!(is_refused(&other, pointer));
        for offset in [1, 8, 16, 32] {
            assert!(is_refused(&heap, pointer.wrapping_byte_add(offset)));
        }
        let plain = [0_u128; 8];
        let foreign = (&raw const plain[4]).cast_mut().cast();
        assert!(is_refused(&heap, foreign));
        assert!(heap.free(block).is_ok());
        assert!(heap.allocate(SIZE_LIMIT, TASK, false).is_none());
        assert!(heap.allocate(usize::MAX, TASK, true).is_none());
    }

    struct Counted(std::sync::atomic::AtomicUsize);

    impl Account for Counted {
        fn discharge(&self, bytes: usize) {
            self.0
                .fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
        }
    }

    /// Blocks of a shelf are as good as others, and none is given twice; the account is told when they go.
    #[test]
    fn a_shelf_gives_back_what_was_put_on_it() {
        let heap = Heap::new(0x55);
        let account = Arc::new(Counted(0.into()));
        let told = || account.0.load(std::sync::atomic::Ordering::Relaxed);
        assert!(heap.quick.take(10).is_none(), "there is none");
        heap.make_shelf(|| account.clone());
        for round in 0..3 {
            let mut blocks = Vec::new();
            for size in (0..600).rev() {
                let block = heap
                    .quick
                    .take(size)
                    .or_else(|| heap.allocate(size, TASK, false))
                    .expect("memory");
                // SAFETY: so many bytes are ours.
                unsafe { block.0.cast::<u8>().write_bytes(0x5a, size) };
                blocks.push(block.0);
            }
            blocks.sort_unstable();
            blocks.dedup();
            assert_eq!(blocks.len(), 600, "none is given twice, round {round}");
            for block in blocks {
                // One on the shelf is the heap's memory still. Of one that has gone nothing may be read.
                // SAFETY: a block that is ours until then.
                if unsafe { heap.quick.put(block) } {
                    assert!(is_refused(&heap, block), "not twice");
                } else {
                    assert!(heap.free(Block(block)).is_ok());
                }
            }
            assert!((1..=64 * 1024).contains(&heap.shelved()));
        }
        let (shelved, before) = (heap.shelved(), told());
        // Another heap on this thread, and the end of a thread.
        let other = Heap::new(0x66);
        other.make_shelf(|| account.clone());
        assert_eq!((told() - before, heap.shelved()), (shelved, 0));
        let before = told();
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                heap.make_shelf(|| account.clone());
                let block = heap.allocate(50, TASK, false).expect("memory");
                // SAFETY: a block that is ours until then.
                assert!(unsafe { heap.quick.put(block.0) });
                assert_eq!(heap.shelved(), 50);
            });
            // The scope alone would not wait for what the thread drops at its end.
            thread.join().expect("no panic");
        });
        assert_eq!((told() - before, heap.shelved()), (50, 0));
    }
}
