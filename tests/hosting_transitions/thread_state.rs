//! What a hook leaves of its thread as it was: the last error, the floating-point modes of both units, the mask of signals.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};

use fiberhost::TaskMode;
use fiberhost::com::Hresult;
use fiberhost::scheduler::yield_now;

use super::common::{eventually, hog_until, os_thread, sleeps};
use super::hosting::{at, join};
use super::{Enter, Hook, Leave, ReverseEnter, ReverseLeave, borrowed, call};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ThreadState {
    errno: i32,
    /// MXCSR.
    sse: u32,
    /// The control word of the x87.
    x87: u16,
    /// Bit n - 1: signal n is blocked.
    mask: u64,
}

impl ThreadState {
    /// Other than usual in everything, and so that it is seen if it is replaced: both units round towards zero.
    const UNUSUAL: ThreadState = ThreadState {
        errno: 4711,
        sse: 0x1f80 | 3 << 13,
        x87: 0x37f | 3 << 10,
        mask: 1 << (libc::SIGWINCH - 1),
    };

    /// Never inlined: the place of `errno` is the thread's.
    #[inline(never)]
    fn now() -> ThreadState {
        let (mut sse, mut x87, mut mask) = (0_u32, 0_u16, 0_u64);
        // SAFETY: the address is the calling thread's.
        let errno = unsafe { *libc::__errno_location() };
        // SAFETY: it stores 32 bits there.
        unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut sse) };
        // SAFETY: it stores 16 bits there.
        unsafe { std::arch::asm!("fnstcw [{}]", in(reg) &raw mut x87) };
        mask_call(std::ptr::null(), &raw mut mask);
        ThreadState {
            errno,
            sse,
            x87,
            mask,
        }
    }

    #[inline(never)]
    fn set(&self) {
        mask_call(&raw const self.mask, std::ptr::null_mut());
        // SAFETY: it loads 16 bits from there, which are valid modes; they are set back before anything is computed.
        unsafe { std::arch::asm!("fldcw [{}]", in(reg) &raw const self.x87) };
        // SAFETY: it loads 32 bits from there; as above.
        unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &raw const self.sse) };
        // SAFETY: the address is the calling thread's.
        unsafe { *libc::__errno_location() = self.errno };
    }
}

/// The kernel's own call: its sets are words.
fn mask_call(set: *const u64, before: *mut u64) {
    // SAFETY: both are null or lead to a set of eight bytes.
    let done =
        unsafe { libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, set, before, 8) };
    assert_eq!(done, 0);
}

/// Makes a call in an unusual state, which it must leave as it is.
#[track_caller]
fn leaves_it_alone<R>(hook: impl FnOnce() -> R) -> R {
    let normal = ThreadState::now();
    ThreadState::UNUSUAL.set();
    let result = hook();
    let after = ThreadState::now();
    normal.set();
    assert_eq!(after, ThreadState::UNUSUAL);
    result
}

#[test]
fn a_hook_that_does_not_wait_leaves_its_thread_as_it_is() {
    at(1, TaskMode::Fiber, |bench| {
        let bench = borrowed(bench);
        bench.run(move || {
            for hook in [
                Leave,
                ReverseEnter,
                Leave,
                Leave,
                Enter,
                Enter,
                ReverseLeave,
                Enter,
                // Refused: nothing is left to end.
                Enter,
                ReverseLeave,
            ] {
                let _ = leaves_it_alone(|| call(bench, hook));
            }
        });
    });
}

static INTERRUPTED: AtomicUsize = AtomicUsize::new(0);

/// Ends the system call in which a thread sleeps, for which it then finds another error.
extern "C" fn interrupt(_: libc::c_int) {
    INTERRUPTED.fetch_add(1, Ordering::SeqCst);
}

fn install_interrupt() {
    // SAFETY: a structure of numbers, all zeros of which are its default.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = interrupt as extern "C" fn(libc::c_int) as usize;
    // Without SA_RESTART.
    action.sa_flags = libc::SA_ONSTACK;
    // SAFETY: the handler only counts.
    let done = unsafe { libc::sigaction(libc::SIGUSR2, &raw const action, std::ptr::null_mut()) };
    assert_eq!(done, 0);
}

/// Interrupts the sleep of a thread, and keeps the processor until that has happened.
fn interrupt_sleep(thread: libc::pid_t) {
    let before = INTERRUPTED.load(Ordering::SeqCst);
    hog_until(|| sleeps(thread));
    // SAFETY: a signal that has a handler.
    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, libc::SIGUSR2) };
    hog_until(|| INTERRUPTED.load(Ordering::SeqCst) > before);
}

/// The way back has to wait for the one slot, whose task keeps it until that wait was interrupted, twice.
#[test]
fn a_hook_that_waits_for_a_slot_leaves_its_thread_as_it_is() {
    const NOBODY: libc::pid_t = 0;
    install_interrupt();
    at(1, TaskMode::Fiber, |bench| {
        let bench = borrowed(bench);
        let stop = Arc::new(AtomicBool::new(false));
        let turns = Arc::new(AtomicUsize::new(0));
        let returns = Arc::new(AtomicI32::new(NOBODY));
        let (ends, counts, comes) = (stop.clone(), turns.clone(), returns.clone());
        let other = bench.start(move || {
            while !ends.load(Ordering::SeqCst) {
                counts.fetch_add(1, Ordering::SeqCst);
                let thread = comes.swap(NOBODY, Ordering::SeqCst);
                if thread != NOBODY {
                    interrupt_sleep(thread);
                    interrupt_sleep(thread);
                }
                yield_now();
            }
        });
        let way_back = move |hook: Hook| {
            assert_eq!(call(bench, Leave), Hresult::S_OK);
            // The one slot is somebody else's by now.
            let before = turns.load(Ordering::SeqCst);
            eventually("the other one runs", || {
                turns.load(Ordering::SeqCst) > before
            });
            let answer = leaves_it_alone(|| {
                returns.store(os_thread(), Ordering::SeqCst);
                call(bench, hook)
            });
            assert_eq!(answer, Hresult::S_OK);
        };
        bench.run(move || {
            way_back(Enter);
            way_back(ReverseEnter);
            assert_eq!(call(bench, ReverseLeave), Hresult::S_OK);
            assert_eq!(call(bench, Enter), Hresult::S_OK);
        });
        stop.store(true, Ordering::SeqCst);
        join(other);
    });
}
