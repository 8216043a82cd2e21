//! Blocks of memory that are given to a runtime, each with a header that says whose it is.
//!
//! What comes back is known by its seal: a number made of the address, of what the header says and of a key of the heap's
//! own. So a block of somebody else, and one that was given back already as long as its header is there, are refused. To
//! look for a header where there may be none, no block begins with a page: what lies before one that does not begin a page
//! is in the same page.
//!
//! Room for unsafe code: the system's allocator, and the headers.

use std::ffi::c_void;

use super::EMemoryCriticalLevel;
use super::argument::{Argument, Output};
use super::hresult::Hresult;

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

/// What the blocks of one host have in common.
#[derive(Debug)]
pub(crate) struct Heap {
    key: usize,
}

/// What a block was, for whoever keeps account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Freed {
    pub(crate) size: usize,
    pub(crate) level: EMemoryCriticalLevel,
}

impl Heap {
    pub(crate) fn new(key: u64) -> Heap {
        Heap { key: key as usize }
    }

    /// The seal of a block at this address whose header says this.
    #[inline(always)]
    fn seal(&self, address: usize, says: usize) -> usize {
        (address ^ says.rotate_left(17)).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.key
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
        let memory = unsafe { libc::malloc(size + HEADER) };
        let block = memory.wrapping_byte_add(HEADER);
        if memory.is_null() || block.addr().is_multiple_of(PAGE) {
            return self.shifted(memory, size, says);
        }
        // SAFETY: the memory has room for the header before the block.
        Some(unsafe { self.write(block, says) })
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
        Some(unsafe { self.write(block, says) })
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
        Some(unsafe { self.write(memory.wrapping_byte_add(HEADER), says) })
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

    /// Gives a block back.
    ///
    /// # Errors
    /// Nothing was done: it is none of this heap's.
    #[inline]
    pub(crate) fn free(&self, block: Block) -> Result<Freed, ()> {
        let block = block.0;
        let address = block.addr();
        if !address.is_multiple_of(ALIGNMENT) || address.is_multiple_of(PAGE) {
            return Err(());
        }
        let header = block.cast::<Header>().wrapping_sub(1);
        // SAFETY: whoever gave the pointer says that it leads to memory, which does not begin with the page, so that what
        // lies before it is there too.
        let (says, seal) = unsafe { ((*header).says, (*header).seal) };
        if seal != self.seal(address, says) {
            return Err(());
        }
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
        assert!(other.free(Block(pointer)).is_err());
        for offset in [1, 8, 16, 32] {
            assert!(heap.free(Block(pointer.wrapping_byte_add(offset))).is_err());
        }
        let plain = [0_u128; 8];
        let foreign = (&raw const plain[4]).cast_mut().cast();
        assert!(heap.free(Block(foreign)).is_err());
        assert!(heap.free(block).is_ok());
        assert!(heap.allocate(SIZE_LIMIT, TASK, false).is_none());
        assert!(heap.allocate(usize::MAX, TASK, true).is_none());
    }
}
