//! What the process must be like for tasks to run on stacks of their own; looked at when a scheduler starts.
//!
//! - A user shadow stack would see every switch as an attack: refused.
//! - A signal handler without `SA_ONSTACK` runs on whatever stack the interrupted task has, and the porch of a fiber is
//!   smaller than a signal frame: warned about, unless the builder made the porches large enough.
//!
//! Room for unsafe code: asking the kernel.

use std::io;

/// Refuses what cannot work.
///
/// # Errors
/// `Unsupported` if the calling thread runs with a user shadow stack.
pub(crate) fn check() -> io::Result<()> {
    if has_shadow_stack() {
        let text = "this thread has a user shadow stack, under which tasks cannot switch stacks; \
                    start the process without it (GLIBC_TUNABLES=glibc.cpu.x86_shstk=off)";
        return Err(io::Error::new(io::ErrorKind::Unsupported, text));
    }
    Ok(())
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn has_shadow_stack() -> bool {
    const ARCH_SHSTK_STATUS: libc::c_int = 0x5005;
    const ARCH_SHSTK_SHSTK: u64 = 1;
    let mut features = 0_u64;
    // SAFETY: the kernel writes one word to `features`, or refuses the request.
    let asked =
        unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_SHSTK_STATUS, &raw mut features) };
    asked == 0 && features & ARCH_SHSTK_SHSTK != 0
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
fn has_shadow_stack() -> bool {
    false
}

/// The signals whose handlers would run on the stack of whatever task they interrupt.
pub(crate) fn handlers_without_stack() -> Vec<i32> {
    const SIGNAL_MAX: libc::c_int = 64;
    (1..=SIGNAL_MAX)
        .filter(|&signal| runs_on_the_interrupted_stack(signal))
        .collect()
}

fn runs_on_the_interrupted_stack(signal: libc::c_int) -> bool {
    // SAFETY: all zeroes is a value of this plain structure.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: only asks; the structure outlives the call. A number that is no signal is refused.
    let asked = unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut action) };
    let handled = action.sa_sigaction != libc::SIG_DFL && action.sa_sigaction != libc::SIG_IGN;
    asked == 0 && handled && action.sa_flags & libc::SA_ONSTACK == 0
}

/// Warns about such handlers.
pub(crate) fn warn_of_handlers() {
    let signals = handlers_without_stack();
    if !signals.is_empty() {
        tracing::warn!(
            ?signals,
            "signal handlers without SA_ONSTACK can overrun the entry of a task's stack: \
             install them with SA_ONSTACK, or build the scheduler with handlers_on_task_stacks(true)"
        );
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    extern "C" fn ignore(_signal: libc::c_int) {}

    fn install(flags: libc::c_int) {
        // SAFETY: all zeroes is a value of this plain structure, and the handler does nothing.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = ignore as *const () as usize;
            action.sa_flags = flags;
            assert_eq!(
                libc::sigaction(libc::SIGUSR2, &raw const action, std::ptr::null_mut()),
                0
            );
        }
    }

    #[test]
    fn a_handler_is_found_unless_it_has_a_stack_of_its_own() {
        install(0);
        assert!(handlers_without_stack().contains(&libc::SIGUSR2));
        install(libc::SA_ONSTACK);
        assert!(!handlers_without_stack().contains(&libc::SIGUSR2));
    }

    #[test]
    fn this_process_may_switch_stacks() {
        check().expect("test machines run without user shadow stacks");
    }
}
