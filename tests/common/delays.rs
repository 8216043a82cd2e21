//! Takes the processor away from threads at random moments, so that races which need a badly timed delay come about in seconds.
//!
//! A thread of its own sends a signal to one thread of the process after the other; the handler sleeps for up to a tenth of
//! a millisecond, wherever that thread was. It runs on the thread's alternate stack, as a fiber's stack demands.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Once};
use std::thread::JoinHandle;
use std::time::Duration;

const SIGNAL: libc::c_int = libc::SIGUSR2;

/// Delays threads until it is dropped.
pub(crate) struct Delays {
    stop: Arc<AtomicBool>,
    sender: Option<JoinHandle<()>>,
}

impl Delays {
    /// For all threads whose names begin so. (Threads keep the name of the one that made them unless they get their own.)
    pub(crate) fn of_threads_named(prefix: &'static str) -> Delays {
        install();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let sender = std::thread::Builder::new().name("delays".into());
        let sender = sender.spawn(move || send(prefix, &stopped)).unwrap();
        Delays {
            stop,
            sender: Some(sender),
        }
    }
}

impl Drop for Delays {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let ended = self.sender.take().map(JoinHandle::join);
        assert!(
            matches!(ended, Some(Ok(()))) || std::thread::panicking(),
            "the sender does not panic"
        );
    }
}

fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: a zeroed action is a valid one.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = delay as extern "C" fn(libc::c_int) as usize;
        action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
        // SAFETY: the handler only calls what a handler may, and keeps `errno`.
        let done = unsafe { libc::sigaction(SIGNAL, &raw const action, std::ptr::null_mut()) };
        assert_eq!(done, 0);
    });
}

extern "C" fn delay(_: libc::c_int) {
    static SEED: AtomicU64 = AtomicU64::new(1);
    let seed = SEED.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
    let time = libc::timespec {
        tv_sec: 0,
        tv_nsec: (seed >> 40) as libc::c_long % 100_000,
    };
    // SAFETY: both calls are allowed in a handler; `errno` is put back.
    unsafe {
        let errno = *libc::__errno_location();
        libc::nanosleep(&raw const time, std::ptr::null_mut());
        *libc::__errno_location() = errno;
    }
}

fn send(prefix: &str, stop: &AtomicBool) {
    let me = super::os_thread();
    let mut round = 0;
    let mut threads = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        if round % 50 == 0 {
            threads = threads_named(prefix);
        }
        if let Some(&thread) = threads.get(round % threads.len().max(1))
            && thread != me
        {
            // SAFETY: a thread that has ended meanwhile is an error, which does not matter.
            unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, SIGNAL) };
        }
        round += 1;
        std::thread::sleep(Duration::from_micros(20));
    }
}

fn threads_named(prefix: &str) -> Vec<libc::pid_t> {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else {
        return Vec::new();
    };
    let named = threads.flatten().filter(|thread| {
        std::fs::read_to_string(thread.path().join("comm"))
            .is_ok_and(|name| name.starts_with(prefix))
    });
    named
        .filter_map(|thread| thread.file_name().to_str()?.parse().ok())
        .collect()
}
