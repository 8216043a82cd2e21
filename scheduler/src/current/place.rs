//! Where the thread-local is written out, so that it is reached in two instructions in a shared library too: the compiler
//! would call the loader for each access there (`__tls_get_addr`), since it cannot know that nobody loads it late. All of
//! this is zeros at the start of a thread, as in [`Here::new`], and nothing is dropped at its end.
//!
//! It lies in the part of a thread's memory that is laid out when the program starts, where the loader keeps some room for
//! libraries which are opened later: these few words fit into it.
//!
//! Room for unsafe code: the place itself, in assembly.

use std::arch::{asm, global_asm};

use super::Here;
use crate::thread::Thread;

global_asm!(
    ".pushsection .tbss.fiberhost_here, \"awT\", @nobits",
    ".globl fiberhost_here_0_1_see_feature_dylib",
    ".hidden fiberhost_here_0_1_see_feature_dylib",
    ".type fiberhost_here_0_1_see_feature_dylib, @tls_object",
    ".size fiberhost_here_0_1_see_feature_dylib, {size}",
    ".p2align 4",
    "fiberhost_here_0_1_see_feature_dylib:",
    ".zero {size}",
    ".popsection",
    size = const size_of::<Here>(),
);
const _: () = assert!(align_of::<Here>() <= 16);

/// What is read from the place is new to the compiler, as the place is.
pub(super) const IS_NEW_EACH_TIME: bool = true;

/// Does something with the calling thread's. The address is computed anew each time: the block is neither `pure` nor
/// `nomem`, so no two are merged.
#[inline(always)]
pub(super) fn with<R>(work: impl FnOnce(&Here) -> R) -> R {
    let here: *const Here;
    // SAFETY: reads the thread's own address, and the distance to the place from there, and adds them.
    unsafe {
        asm!(
            "mov {0}, qword ptr fs:[0]",
            "add {0}, qword ptr [rip + fiberhost_here_0_1_see_feature_dylib@GOTTPOFF]",
            out(reg) here,
            options(nostack),
        );
    }
    // SAFETY: the calling thread's own place, which is there as long as the thread and begins as zeros.
    work(unsafe { &*here })
}

/// The worker that it names, which is asked for at every turn. Unlike a function that asks the loader this one is inlined:
/// the compiler sees no thread-local whose address it could keep, only a block that it has to run each time.
///
/// The place is known only in the library or program that this crate is linked into. Where others inline what is in a Rust
/// `dylib`, they have to call for it.
#[cfg_attr(not(feature = "dylib"), inline(always))]
#[cfg_attr(feature = "dylib", inline(never))]
pub(super) fn thread() -> *const Thread {
    let thread;
    // SAFETY: reads the calling thread's own place, which is there as long as the thread and begins as zeros.
    unsafe {
        asm!(
            "mov {0}, qword ptr [rip + fiberhost_here_0_1_see_feature_dylib@GOTTPOFF]",
            "mov {0}, qword ptr fs:[{0} + {thread}]",
            out(reg) thread,
            thread = const std::mem::offset_of!(Here, thread),
            options(nostack, preserves_flags),
        );
    }
    thread
}
