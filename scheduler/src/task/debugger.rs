//! What a debugger needs to find all tasks, in a process that it has stopped or in a core file, also where the executable
//! says nothing of types: `scheduler/gdb/fiberhost.py` reads it.
//!
//! The script finds [`FOR_DEBUGGERS`] by its name and knows it by its mark. Whoever changes the order of its fields or what
//! they mean, or how a switch leaves a stack, counts the version up, and changes the script.
#![forbid(unsafe_code)]

use std::mem::{offset_of, size_of};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use crate::task::{Extra, HOLD_MAX, Task, unusual};

/// The names of the wait reasons, by their numbers.
static REASONS: [&str; 21] = [
    "None",
    "Park",
    "Sleep",
    "Join",
    "Scope",
    "Admission",
    "Mutex",
    "RwLockRead",
    "RwLockWrite",
    "Condvar",
    "Semaphore",
    "Event",
    "Barrier",
    "Once",
    "ChannelSend",
    "ChannelReceive",
    "Select",
    "Cancel",
    "Readable",
    "Writable",
    "Future",
];

/// All of them are words of eight bytes.
#[repr(C)]
struct ForDebuggers {
    mark: [u8; 16],
    version: usize,
    /// The chunks in which tasks' records are: a list of pairs of address and length.
    chunks: AtomicPtr<&'static [Task]>,
    chunk_count: AtomicUsize,
    record_size: usize,
    /// Whether a saved stack is one of the jump's.
    jumps: usize,
    reasons: &'static [&'static str; 21],
    /// Where these stand in a record.
    sp: usize,
    wait: usize,
    kind: usize,
    unusual: usize,
    held: usize,
    reason: usize,
    id: usize,
    extra: usize,
    /// Where the name stands in what few tasks have, and its text behind what it points to.
    name: usize,
    name_text: usize,
    /// A task with one of these bits in `unusual`, or with more than this in `held`, waits on its thread's own stack.
    on_thread: usize,
    held_max: usize,
}

static FOR_DEBUGGERS: ForDebuggers = ForDebuggers {
    mark: *b"fiberhost tasks\0",
    version: 1,
    chunks: AtomicPtr::new(std::ptr::null_mut()),
    chunk_count: AtomicUsize::new(0),
    record_size: size_of::<Task>(),
    jumps: cfg!(fiberhost_jump) as usize,
    reasons: &REASONS,
    sp: offset_of!(Task, sp),
    wait: offset_of!(Task, wait),
    kind: offset_of!(Task, kind),
    unusual: offset_of!(Task, unusual),
    held: offset_of!(Task, held),
    reason: offset_of!(Task, reason),
    id: offset_of!(Task, id),
    extra: offset_of!(Task, extra),
    name: offset_of!(Extra, name),
    // Two counts stand before what an `Arc` holds.
    name_text: 2 * size_of::<usize>(),
    on_thread: (unusual::ON_THREAD | unusual::PLAIN_THREAD) as usize,
    held_max: HOLD_MAX as usize,
};

/// The list of chunks has grown, and may have moved. Under the depot's lock.
pub(super) fn note_chunks(chunks: &[&'static [Task]]) {
    // Nobody in the process reads it. In this order a debugger that stops it in between sees no more than there are.
    FOR_DEBUGGERS
        .chunks
        .store(chunks.as_ptr().cast_mut(), Ordering::Release);
    FOR_DEBUGGERS
        .chunk_count
        .store(chunks.len(), Ordering::Release);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::WaitReason;

    #[test]
    fn reasons_are_called_what_they_are_called_elsewhere() {
        for (bits, name) in REASONS.iter().enumerate() {
            assert_eq!(WaitReason::from_bits(bits as u8).to_string(), *name);
        }
        assert_eq!(WaitReason::all().count() + 1, REASONS.len());
    }
}
