//! What a hook leaves of its thread as it was: the last error, the floating-point modes of both units, the mask of signals.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::sync::mpsc::{TryRecvError, channel};

use fiberhost::TaskMode;
use fiberhost::com::Hresult;
use fiberhost::scheduler::yield_now;

use super::common::{SHORT, eventually, hog_until, os_thread, sleeps};
use super::hosting::{at, builder, join, with};
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
    assert_eq!(after, ThreadState::UNUSUAL, "after a hook");
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

/// The way back has to wait for the one slot, whose task keeps it: until the wait was interrupted, twice, or, if it is one for
/// a callback, until it has gone on without a slot.
#[test]
fn a_hook_that_waits_for_a_slot_leaves_its_thread_as_it_is() {
    install_interrupt();
    let builder = builder(1).tasks(TaskMode::Fiber).callback_patience(SHORT);
    with(builder, |bench| {
        let bench = borrowed(bench);
        let (send, asked) = channel::<fn(&Meeting)>();
        let meeting = Arc::new(Meeting::default());
        let met = Arc::clone(&meeting);
        let other = bench.start(move || {
            loop {
                match asked.try_recv() {
                    Ok(keep) => keep(&met),
                    Err(TryRecvError::Empty) => yield_now(),
                    Err(TryRecvError::Disconnected) => break,
                }
            }
        });
        bench.run(move || {
            let way_back = |hook: Hook, keep: fn(&Meeting)| {
                assert_eq!(call(bench, Leave), Hresult::S_OK);
                send.send(keep).expect("the other one runs");
                eventually("it keeps the slot", || meeting.keeps.load(Ordering::SeqCst));
                let thread = os_thread();
                let answer = leaves_it_alone(|| {
                    meeting.returns.store(thread, Ordering::SeqCst);
                    call(bench, hook)
                });
                meeting.returned.store(true, Ordering::SeqCst);
                assert_eq!(answer, Hresult::S_OK);
            };
            way_back(Enter, |meeting| {
                meeting.begin();
                let thread = meeting.returns.load(Ordering::SeqCst);
                interrupt_sleep(thread);
                interrupt_sleep(thread);
                meeting.end();
            });
            way_back(ReverseEnter, |meeting| {
                meeting.begin();
                hog_until(|| meeting.returned.load(Ordering::SeqCst));
                meeting.end();
            });
            assert_eq!(call(bench, ReverseLeave), Hresult::S_OK);
            assert_eq!(call(bench, Enter), Hresult::S_OK);
        });
        join(other);
    });
}

/// Between the task that comes back and the one that keeps the slot.
#[derive(Default)]
struct Meeting {
    keeps: AtomicBool,
    /// The thread of the one that is on its way back.
    returns: AtomicI32,
    returned: AtomicBool,
}

impl Meeting {
    /// Keeps the slot from here, and lets the other one come.
    fn begin(&self) {
        self.returned.store(false, Ordering::SeqCst);
        self.keeps.store(true, Ordering::SeqCst);
        hog_until(|| self.returns.load(Ordering::SeqCst) != 0);
    }

    fn end(&self) {
        self.keeps.store(false, Ordering::SeqCst);
        self.returns.store(0, Ordering::SeqCst);
    }
}
