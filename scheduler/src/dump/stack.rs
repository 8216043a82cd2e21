//! A copy of the stack of a task that does not run, made while it may go on.
//!
//! # Why what is copied is of one wait
//!
//! A parked task's stack is written by nobody: its registers were saved before its wait was armed (release), and it runs
//! only after the wait has ended. So:
//!
//! 1. the epoch of the wait that is on is read (acquire);
//! 2. the saved stack pointer and the stack are copied, by the kernel, which refuses what is not there;
//! 3. behind a fence: the same wait is on, and the record still holds this task.
//!
//! A task that is queued has no epoch that says so. What is looked at instead is that its saved stack pointer is the same before
//! and after; one that ran in between and came back to the same place may have been copied half before and half after. Nothing
//! but its frames depends on that.
//!
//! The task is kept meanwhile, so that its record is not used again.
//!
//! Room for unsafe code: reading a field of a task that its owner may write.

use super::Missing;
use crate::fiber::overflow::frames::peek;
use crate::fiber::{self, ON_THREAD};
use crate::primitive::{Ordering, fence};
use crate::stall::sample::Captured;
use crate::task::payload::contain;
use crate::task::{Task, release};

/// As much of a stack as is looked at, from the innermost frame on.
const MOST: usize = 256 * 1024;

/// Where the task with this number stands, if it does not run.
pub(super) fn of(task: &'static Task, id: u64) -> Result<Captured, Missing> {
    if cfg!(not(fiberhost_jump)) {
        return Err(Missing::Unknown);
    }
    if !task.life.try_keep() {
        return Err(Missing::GoesOn);
    }
    let copied = copy(task, id);
    contain(|| release(task));
    copied
}

fn copy(task: &'static Task, id: u64) -> Result<Captured, Missing> {
    // Step 1.
    let epoch = task.wait.armed_epoch();
    if task.id.get() != id {
        return Err(Missing::GoesOn);
    }
    // Step 2.
    let sp = saved(task);
    let (limit, top) = fiber::stack_of(task).ok_or(Missing::GoesOn)?;
    if sp <= ON_THREAD || !(limit..top).contains(&sp) || !sp.is_multiple_of(8) {
        return Err(Missing::GoesOn);
    }
    let mut bytes = vec![0; (top - sp).min(MOST)];
    let is_there = peek(sp, &mut bytes);
    // Step 3.
    fence(Ordering::Acquire);
    let is_same = task.wait.armed_epoch() == epoch && saved(task) == sp && !task.life.is_done();
    if !is_there || !is_same {
        return Err(Missing::GoesOn);
    }
    let words = bytes.chunks_exact(8);
    let words: Box<[usize]> = words
        .map(|word| usize::from_ne_bytes(word.try_into().expect("eight bytes")))
        .collect();
    // As the switch has left them: where it goes on, rbx, rbp.
    let &[instruction, base, frame, ..] = &*words else {
        return Err(Missing::GoesOn);
    };
    Ok(Captured {
        instruction,
        base,
        frame,
        stack: sp + 3 * size_of::<usize>(),
        words_at: sp,
        words,
    })
}

fn saved(task: &Task) -> usize {
    // SAFETY: a word of a record, which is never freed. Its owner may write it, and then what is read is thrown away.
    unsafe { task.sp.as_ptr().read_volatile() }
}
