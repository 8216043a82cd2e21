//! The report of a stack that was not enough: a signal handler that names the task, and then lets the process end.
//!
//! An overflow touches the guard below the stack, and the kernel sends SIGSEGV. Nothing can run on the full stack, so
//! the handler runs on an alternate one, which every thread that runs tasks has ([`prepare_thread`]).
//!
//! 1. *Whose?* The fault's address is looked up among the [`ranges`]: memory with guards that a scheduler has mapped.
//!    The address alone leads to the stack and so to the task; no thread-local is read, which a handler may not do.
//! 2. *Ours*: the [`report`] goes to standard error, without an allocation and without a lock.
//! 3. *Then, and for any other fault*: the handler that was there before ours is called as the kernel would have called
//!    it. Where there was none the default action is put back, and the fault happens again and ends the process.
//!
//! So it does not matter who came first. A handler from before ours (std's, which knows threads' guards, or another
//! runtime's) is called by us; one that is installed later calls us, if it passes on what is not its own.
//! Ours is installed once for the process and never taken away: whoever came later may have kept its address.
//!
//! If the earlier handler returns from a reported fault, the fault repeats. It is then not reported again: the default
//! action ends the process.
//!
//! Room for unsafe code: signal handlers and alternate stacks.

mod alternate;
pub(crate) mod earlier;
pub(crate) mod frames;
pub(super) mod ranges;
pub(crate) mod report;

use std::sync::Once;
// In a signal handler nothing but std's own will do, and no model has one.
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

pub(crate) use alternate::{AlternateStack, prepare_thread};
use earlier::{Earlier, give_up};
use report::Fault;

const SIGNALS: [libc::c_int; 2] = [libc::SIGSEGV, libc::SIGBUS];

static EARLIER: [Earlier; 2] = [const { Earlier::new() }; 2];

/// Installs the handler, once for the process.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for (&signal, earlier) in SIGNALS.iter().zip(&EARLIER) {
            earlier.install(signal, on_fault, 0);
        }
    });
}

/// The handler. Also called by handlers that were installed later.
unsafe extern "C" fn on_fault(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: the interrupted code's own, which the earlier handler may want to see as it was.
    let errno = unsafe { *libc::__errno_location() };
    // SAFETY: the kernel's, or that of a handler which passes on what it got from the kernel.
    let happened = unsafe { fault(signal, info, context) };
    let ours = happened.and_then(|fault| {
        ranges::find(fault.address, |guarded| {
            let is_news = first_time(&fault);
            if is_news {
                report::write(&fault, guarded);
            }
            is_news
        })
    });
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
    match ours {
        Some(false) => give_up(signal),
        // SAFETY: the arguments are the kernel's. A fault that nobody caused by touching memory does not repeat.
        Some(true) | None => unsafe {
            let earlier = &EARLIER[usize::from(signal == SIGNALS[1])];
            earlier.hand_on(signal, info, context, happened.is_some());
        },
    }
}

/// The fault as far as memory is concerned. `None`: somebody sent the signal, or it is about a broken page.
///
/// # Safety
/// The arguments are those of a handler.
unsafe fn fault(
    signal: libc::c_int,
    info: *const libc::siginfo_t,
    context: *const libc::c_void,
) -> Option<Fault> {
    const BUS_MCEERR_AO: libc::c_int = 5;
    if info.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    let code = unsafe { (*info).si_code };
    if code <= 0 || (signal == libc::SIGBUS && code == BUS_MCEERR_AO) {
        return None;
    }
    // SAFETY: the kernel sent it for an access, so it has an address.
    let address = unsafe { (*info).si_addr() }.addr();
    // SAFETY: the caller's promise.
    let registers = unsafe { report::Registers::of(context) };
    Some(Fault {
        signal,
        address,
        registers,
    })
}

/// Whether this fault was not reported before. One that repeats was: the earlier handler did nothing about it.
/// Faults of other threads meanwhile wait for the process to end.
fn first_time(fault: &Fault) -> bool {
    const PATIENCE: u32 = 100;
    static REPORTER: AtomicI32 = AtomicI32::new(0);
    static ADDRESS: AtomicUsize = AtomicUsize::new(0);
    // SAFETY: the call takes nothing and always succeeds.
    let me = unsafe { libc::syscall(libc::SYS_gettid) } as i32;
    for _ in 0..PATIENCE {
        match REPORTER.compare_exchange(0, me, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                ADDRESS.store(fault.address, Ordering::Relaxed);
                return true;
            }
            // Somebody jumped out of a handler and went on: another fault is news.
            Err(reporter) if reporter == me => {
                return ADDRESS.swap(fault.address, Ordering::Relaxed) != fault.address;
            }
            Err(_) => {
                let moment = libc::timespec {
                    tv_sec: 0,
                    tv_nsec: 10_000_000,
                };
                // SAFETY: a time that outlives the call.
                unsafe { libc::nanosleep(&raw const moment, std::ptr::null_mut()) };
            }
        }
    }
    true
}

#[cfg(all(test, not(any(loom, shuttle)), target_arch = "x86_64"))]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::fiber::thread_guard::ThreadGuard;

    const PART: &str = "FIBERHOST_TEST_FOREIGN";

    #[expect(unconditional_recursion, reason = "it ends at the guard")]
    #[inline(never)]
    fn deeper(level: u64) -> u64 {
        let page = std::hint::black_box([level; 64]);
        deeper(level + 1) + std::hint::black_box(page)[3]
    }

    /// A thread that std does not know: it has no alternate stack unless it is given one.
    extern "C" fn foreign(prepared: *mut libc::c_void) -> *mut libc::c_void {
        let _signals = (!prepared.is_null()).then(prepare_thread);
        let _guard = ThreadGuard::new(crate::current::plain()).expect("the system has guards");
        std::hint::black_box(deeper(0));
        std::ptr::null_mut()
    }

    fn overflow(prepared: bool) {
        install();
        let mut thread = 0;
        let argument = usize::from(prepared) as *mut libc::c_void;
        // SAFETY: the function is one for a thread, and its argument is only compared.
        unsafe {
            libc::pthread_create(&raw mut thread, std::ptr::null(), foreign, argument);
            libc::pthread_join(thread, std::ptr::null_mut());
        }
    }

    #[test]
    fn a_foreign_thread_that_is_prepared_reports_its_overflow() {
        if let Ok(part) = std::env::var(PART) {
            return overflow(part == "prepared");
        }
        for prepared in [true, false] {
            let name =
                "fiber::overflow::tests::a_foreign_thread_that_is_prepared_reports_its_overflow";
            let part = if prepared { "prepared" } else { "bare" };
            let mut child = Command::new(std::env::current_exe().expect("a test has a path"));
            child.args(["--exact", name, "--nocapture"]).env(PART, part);
            let output = child.output().expect("a child process");
            let text = String::from_utf8_lossy(&output.stderr);
            let signal = std::os::unix::process::ExitStatusExt::signal(&output.status);
            assert_eq!(signal, Some(libc::SIGSEGV), "{part}: {text}");
            let reported = text.contains("fiberhost: stack overflow in task");
            // The twin cannot say anything: the kernel has no stack to run the handler on.
            assert_eq!(reported, prepared, "{part}: {text}");
        }
    }
}
