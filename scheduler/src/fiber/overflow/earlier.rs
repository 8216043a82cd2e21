//! A signal handler that was there before ours, and what it is called for.
//!
//! Room for unsafe code: installing handlers, and calling those of others.

// In a signal handler nothing but std's own will do, and no model has one.
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

/// A handler as the kernel calls it under `SA_SIGINFO`.
pub(crate) type Handler =
    unsafe extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);

/// What was there before ours.
pub(crate) struct Earlier {
    handler: AtomicUsize,
    flags: AtomicI32,
}

impl Earlier {
    pub(crate) const fn new() -> Self {
        Earlier {
            handler: AtomicUsize::new(libc::SIG_DFL),
            flags: AtomicI32::new(0),
        }
    }

    fn remember(&self, action: &libc::sigaction) {
        self.flags.store(action.sa_flags, Ordering::Relaxed);
        // Release: pairs with the Acquire in `hand_on`.
        self.handler.store(action.sa_sigaction, Ordering::Release);
    }

    /// Installs ours, with these flags beside `SA_SIGINFO` and `SA_ONSTACK`. `false`: the system refused.
    pub(crate) fn install(&self, signal: libc::c_int, ours: Handler, flags: libc::c_int) -> bool {
        let Some(mut old) = action(signal) else {
            return false;
        };
        // Before ours is there, so that it always finds whom to call.
        self.remember(&old);
        let mut new = old;
        new.sa_sigaction = ours as *const () as usize;
        // What the earlier handler wants blocked or restarted is so while ours calls it.
        new.sa_flags = libc::SA_SIGINFO
            | libc::SA_ONSTACK
            | flags
            | (old.sa_flags & (libc::SA_NODEFER | libc::SA_RESTART));
        // SAFETY: the handler is one for this signal and flags, and does only what a handler may.
        let done = unsafe { libc::sigaction(signal, &raw const new, &raw mut old) } == 0;
        if done {
            // Somebody else may have been quicker since the question.
            self.remember(&old);
        }
        done
    }

    /// Calls the handler that was there, if there was one: for a signal that somebody has given a meaning with ours, so that
    /// the default, which may be to end the process, is not wanted any more.
    ///
    /// # Safety
    /// The arguments are those of a handler.
    pub(crate) unsafe fn hand_on_to_handler(
        &self,
        signal: libc::c_int,
        info: *mut libc::siginfo_t,
        context: *mut libc::c_void,
    ) {
        let handler = self.handler.load(Ordering::Acquire);
        if !matches!(handler, libc::SIG_DFL | libc::SIG_IGN) {
            // SAFETY: the caller's promise.
            unsafe { self.hand_on(signal, info, context, false) };
        }
    }

    /// Does what would have happened without us.
    ///
    /// # Safety
    /// The arguments are those of a handler.
    pub(crate) unsafe fn hand_on(
        &self,
        signal: libc::c_int,
        info: *mut libc::siginfo_t,
        context: *mut libc::c_void,
        repeats: bool,
    ) {
        type Simple = extern "C" fn(libc::c_int);
        // Acquire: its flags are there with it.
        let mut handler = self.handler.load(Ordering::Acquire);
        let flags = self.flags.load(Ordering::Relaxed);
        if flags & libc::SA_RESETHAND != 0 {
            // It is called once; the default comes after it.
            handler = self.handler.swap(libc::SIG_DFL, Ordering::AcqRel);
        }
        match handler {
            // One that does not repeat was meant to be ignored. One that does the kernel does not let anybody ignore.
            libc::SIG_IGN if !repeats => {}
            libc::SIG_DFL | libc::SIG_IGN => {
                give_up(signal);
                if !repeats {
                    // SAFETY: sends the signal again, which is blocked until the handler returns.
                    unsafe { libc::raise(signal) };
                }
            }
            handler if flags & libc::SA_SIGINFO != 0 => {
                // SAFETY: it was installed as a handler of this kind, and the arguments are the caller's promise.
                unsafe {
                    let handler: Handler = std::mem::transmute(handler);
                    handler(signal, info, context);
                }
            }
            handler => {
                // SAFETY: as above.
                let handler: Simple = unsafe { std::mem::transmute(handler) };
                handler(signal);
            }
        }
    }
}

/// What the process does at this signal now.
fn action(signal: libc::c_int) -> Option<libc::sigaction> {
    // SAFETY: all zeroes is a value of this plain structure.
    let mut now: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: only asks; the structure outlives the call.
    let asked = unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut now) };
    (asked == 0).then_some(now)
}

/// Whether this handler is the one that is called.
pub(crate) fn is_installed(signal: libc::c_int, handler: Handler) -> bool {
    action(signal).is_some_and(|now| now.sa_sigaction == handler as *const () as usize)
}

/// Puts the default action back.
pub(crate) fn give_up(signal: libc::c_int) {
    // SAFETY: all zeroes is a value of this plain structure, and means the default action.
    let default: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: the structure outlives the call, which a handler may make.
    unsafe { libc::sigaction(signal, &raw const default, std::ptr::null_mut()) };
}
