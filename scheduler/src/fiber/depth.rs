//! How deep a stack was used: the high-water mark of one task.
//!
//! Fresh memory reads as zero, and what is left of a task is zeroed when it ends. So the lowest word that is not zero is
//! the deepest that the task wrote. Nothing is painted beforehand: that would make every page of every stack resident,
//! while here a page that the task never touched is not even looked at (`mincore` says which those are), and the work at
//! the end is that of going once over what was used.
//!
//! What it does not see: a frame that was entered and not written below some depth, which cannot have overflowed
//! there either, and pages that were swapped out.
//!
//! All of this runs on the stack it is about, after the task, with [`OWN`] bytes to itself.
//!
//! Room for unsafe code: reading and clearing a stack below the frame in use.

use super::stack::PAGE;

/// What these functions and those they call may use: many times what they need. It is never cleared, nor looked at.
#[cfg(not(debug_assertions))]
const OWN: usize = 1024;
#[cfg(debug_assertions)]
const OWN: usize = 8 * 1024;
/// Pages asked for at once.
const BATCH: usize = 128;
const WORD: usize = size_of::<usize>();

/// What to do with the words that were written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Deed {
    FindLowest,
    Zero,
}

/// The bytes below `top` that were used on the calling stack since it was last clean; at least what is in use
/// now, and [`OWN`].
///
/// # Safety
/// The caller is on a stack whose lowest usable address is `limit`, on a page's boundary.
pub(super) unsafe fn measure(limit: usize, top: usize) -> usize {
    // SAFETY: the caller's promise.
    top - unsafe { walk(limit, Deed::FindLowest) }
}

/// Makes the calling stack clean, below what is in use.
///
/// # Safety
/// As for [`measure`].
pub(super) unsafe fn clean(limit: usize) {
    // SAFETY: the caller's promise.
    unsafe { walk(limit, Deed::Zero) };
}

/// Goes over the resident pages of the calling stack, upwards, until shortly below this function's own frame. Returns the
/// lowest word that is not zero, or where it stopped.
///
/// Plain loops in one function, so that it needs little of the stack that it changes.
///
/// # Safety
/// As for [`measure`].
#[inline(never)]
unsafe fn walk(limit: usize, deed: Deed) -> usize {
    let mut resident = [0_u8; BATCH];
    let end = (std::hint::black_box(&raw mut resident).addr() - OWN) & !(WORD - 1);
    let mut from = limit;
    while from < end {
        let to = (from + BATCH * PAGE).min(end);
        // SAFETY: a part of the caller's stack, and a byte of room for each of its pages.
        let refused = unsafe {
            let pages = from as *mut libc::c_void;
            libc::mincore(pages, to - from, (&raw mut resident).cast()) != 0
        };
        let mut at = from;
        while at < to {
            let page = (at - from) / PAGE;
            if !refused && resident[page] & 1 == 0 {
                at = from + (page + 1) * PAGE;
                continue;
            }
            let word = at as *mut usize;
            // SAFETY: a word of the caller's stack below everything in use.
            if unsafe { word.read_volatile() } != 0 {
                match deed {
                    Deed::FindLowest => return at,
                    // SAFETY: as above.
                    Deed::Zero => unsafe { word.write_volatile(0) },
                }
            }
            at += WORD;
        }
        from = to;
    }
    end
}
