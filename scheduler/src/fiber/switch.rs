//! The jump: from the worker to a task and back without an unpaired `call` or `ret`.
//!
//! A switch saves the resume address, `rbx` and `rbp` on the stack it leaves and the stack pointer where it is told;
//! every other register is declared clobbered, so the compiler spills just what is live. It ends in an indirect `jmp`.
//! Neither side executes a `call` or `ret` that the other would have to match, so the processor's return stack goes on
//! as if nothing had happened, and a task that waits below some calls returns through them as predicted.
//!
//! ```text
//! saved stack:   sp -> resume address
//!                      rbx
//!                      rbp
//!                      (the frame of the function that switched)
//! ```
//!
//! Where tasks are switched by corosensei, simulated threads still are by this.
//!
//! Not saved: MXCSR, the x87 control word, the signal mask (see the crate's limits).
//!
//! Room for unsafe code.

use std::arch::{asm, naked_asm};

/// Leaves this stack for another; returns when somebody switches back, with the word that they pass.
///
/// # Safety
/// `save` is writable and stays so until the stack is left; `to` is the saved stack pointer of a stack that nobody runs on,
/// made by this function or by [`prepare_for`]; whatever `word` means is agreed with the other side.
#[inline(always)]
pub(super) unsafe fn switch(save: *mut usize, to: usize, word: usize) -> usize {
    let answer;
    // SAFETY: the caller's promises; all registers that the other side may change are clobbers, `rbx` and `rbp` are
    // kept on the stack, which the compiler lets the block push to (no `nostack`).
    unsafe {
        asm!(
            "lea rax, [rip + 2f]",
            "push rbp",
            "push rbx",
            "push rax",
            "mov [rdi], rsp",
            "mov rsp, rsi",
            "pop rax",
            "jmp rax",
            "2:",
            "pop rbx",
            "pop rbp",
            out("rax") _,
            inlateout("rdi") save => _,
            inlateout("rsi") to => _,
            inlateout("rdx") word => answer,
            lateout("r12") _, lateout("r13") _, lateout("r14") _, lateout("r15") _,
            clobber_abi("sysv64"),
        );
    }
    answer
}

/// What a stack begins with: the frame record that links the worker's frames, and the argument of its first function.
#[repr(C)]
pub(super) struct Root {
    /// The worker's `rbp` and an address in its loop: so that profilers walk from the worker through the task.
    pub(super) frame: [usize; 2],
    pub(super) argument: usize,
    pub(super) _pad: usize,
}

/// The first instructions on a new stack. It is jumped to, so there is no return address: unwinding ends here,
/// while the frame-pointer chain goes on through the record at the stack's root.
#[cfg(fiberhost_jump)]
#[unsafe(naked)]
unsafe extern "C" fn porch() -> ! {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_undefined rip",
        "mov rbp, rsp",
        "mov rdi, [rsp + 16]",
        "call {main}",
        "ud2",
        ".cfi_endproc",
        main = sym super::porch_main,
    )
}

/// Writes the start of a stack below `root` and returns the stack pointer to switch to.
///
/// # Safety
/// `root` is aligned to 16 and has room below it; nobody runs on this stack.
#[cfg(fiberhost_jump)]
pub(super) unsafe fn prepare(root: *mut Root) -> usize {
    // SAFETY: the caller's promise.
    unsafe { prepare_for(root, porch as *const () as usize) }
}

/// The same for a simulated thread.
///
/// # Safety
/// `root` is aligned to 16 and has room below it; nobody runs on this stack.
#[cfg(fiberhost_simulate)]
pub(super) unsafe fn prepare_thread(root: *mut Root) -> usize {
    // SAFETY: the caller's promise.
    unsafe { prepare_for(root, thread as *const () as usize) }
}

/// # Safety
/// `root` is aligned to 16 and has room below it; nobody runs on this stack; `first` is the address of a function as `porch` is one.
unsafe fn prepare_for(root: *mut Root, first: usize) -> usize {
    // SAFETY: room below `root` is the caller's promise.
    unsafe {
        let sp = root.cast::<usize>().sub(1);
        sp.write(first);
        sp as usize
    }
}

/// The first instructions on the stack of a simulated thread: as `porch`.
#[cfg(fiberhost_simulate)]
#[unsafe(naked)]
unsafe extern "C" fn thread() -> ! {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_undefined rip",
        "mov rbp, rsp",
        "mov rdi, [rsp + 16]",
        "call {main}",
        "ud2",
        ".cfi_endproc",
        main = sym super::simulated::main,
    )
}

/// This function's caller as a frame record: its frame pointer, and an address inside it.
#[cfg(fiberhost_jump)]
#[inline(always)]
pub(crate) fn here() -> [usize; 2] {
    let (frame, address);
    // SAFETY: reads two registers.
    unsafe {
        asm!("mov {0}, rbp", "lea {1}, [rip]", out(reg) frame, out(reg) address, options(nomem, nostack, preserves_flags));
    }
    [frame, address]
}
