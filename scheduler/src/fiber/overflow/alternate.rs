//! The stack on which a thread handles signals when it has no other left.
//!
//! Room for unsafe code: mapping memory, and telling the kernel of it.

use std::marker::PhantomData;

use crate::primitive::simulated;

const PAGE: usize = 4096;
/// Room for handlers that ours hands a fault on to; only touched pages cost memory.
const SIZE: usize = 64 * 1024;

/// The alternate stack that this thread was given. It goes with this value, on the same thread.
#[must_use]
pub(crate) struct AlternateStack {
    /// The mapping, a guard page first; null if the thread had a stack already or memory was refused.
    base: *mut libc::c_void,
    not_send: PhantomData<*const ()>,
}

/// Gives the calling thread a stack for signal handlers, unless it has one. Every thread that runs tasks needs one.
///
/// Where memory is refused it goes without: an overflow then ends the process as before, only without a report.
pub(crate) fn prepare_thread() -> AlternateStack {
    // Simulated threads have what their thread of the system has.
    let base = if has_one() || simulated::here().is_some() {
        std::ptr::null_mut()
    } else {
        map().unwrap_or(std::ptr::null_mut())
    };
    AlternateStack {
        base,
        not_send: PhantomData,
    }
}

fn current() -> libc::stack_t {
    // SAFETY: all zeroes is a value of this plain structure.
    let mut stack: libc::stack_t = unsafe { std::mem::zeroed() };
    // SAFETY: only asks; the structure outlives the call.
    unsafe { libc::sigaltstack(std::ptr::null(), &raw mut stack) };
    stack
}

fn has_one() -> bool {
    current().ss_flags & libc::SS_DISABLE == 0
}

/// Enough for the largest signal frame of this processor, and [`SIZE`] beyond it.
fn size() -> usize {
    const AT_MINSIGSTKSZ: libc::c_ulong = 51;
    // SAFETY: reads a value of the process; 0 if there is none.
    let frame = unsafe { libc::getauxval(AT_MINSIGSTKSZ) } as usize;
    (SIZE + frame).next_multiple_of(PAGE)
}

fn map() -> Option<*mut libc::c_void> {
    let size = size();
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK;
    // SAFETY: a new mapping anywhere.
    let base = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            PAGE + size,
            libc::PROT_NONE,
            flags,
            -1,
            0,
        )
    };
    if base == libc::MAP_FAILED {
        return None;
    }
    // SAFETY: the mapping has a page more than `size`.
    let low = unsafe { base.byte_add(PAGE) };
    let stack = libc::stack_t {
        ss_sp: low,
        ss_flags: 0,
        ss_size: size,
    };
    // SAFETY: memory of our own mapping, which stays until the kernel is told otherwise.
    let ready = unsafe {
        libc::mprotect(low, size, libc::PROT_READ | libc::PROT_WRITE) == 0
            && libc::sigaltstack(&raw const stack, std::ptr::null_mut()) == 0
    };
    if ready {
        return Some(base);
    }
    // SAFETY: our own mapping, which nobody uses.
    unsafe { libc::munmap(base, PAGE + size) };
    None
}

impl Drop for AlternateStack {
    fn drop(&mut self) {
        if self.base.is_null() {
            return;
        }
        // SAFETY: within our own mapping.
        if current().ss_sp == unsafe { self.base.byte_add(PAGE) } {
            let none = libc::stack_t {
                ss_sp: std::ptr::null_mut(),
                ss_flags: libc::SS_DISABLE,
                ss_size: 0,
            };
            // SAFETY: takes away what `map` gave; no handler runs on it, since this code does not.
            unsafe { libc::sigaltstack(&raw const none, std::ptr::null_mut()) };
        }
        // SAFETY: our own mapping, which the kernel no longer knows as a stack.
        unsafe { libc::munmap(self.base, PAGE + size()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_without_a_stack_for_signals_gets_one_and_gives_it_back() {
        std::thread::spawn(|| {
            let none = libc::stack_t {
                ss_sp: std::ptr::null_mut(),
                ss_flags: libc::SS_DISABLE,
                ss_size: 0,
            };
            // SAFETY: std's own alternate stack is only put out of use; std unmaps it by its own address.
            unsafe { libc::sigaltstack(&raw const none, std::ptr::null_mut()) };
            assert!(!has_one());
            let mine = prepare_thread();
            assert!(has_one());
            let first = current().ss_sp;
            let inner = prepare_thread();
            assert_eq!(current().ss_sp, first, "the one that is there is kept");
            drop(inner);
            assert_eq!(current().ss_sp, first, "and stays when a second use ends");
            drop(mine);
            assert!(!has_one());
        })
        .join()
        .expect("no assertion fails");
    }
}
