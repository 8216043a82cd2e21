//! The bare pair of system calls below every wake of a sleeping thread: no wake can be quicker.

use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use super::case::{Placement, Program};
use super::contender::{Measured, Prepared, Unavailable};
use super::sleeper::Sleeper;

pub(crate) fn prepare(program: Program) -> Result<Prepared, Unavailable> {
    match program {
        Program::WakeSleeping { placement } => {
            Ok(Prepared::new(move |wakes| wake_sleeping(wakes, placement)))
        }
        Program::Yield { .. }
        | Program::PingPong
        | Program::PingPongCross
        | Program::SpawnJoin
        | Program::SpawnJoinPark
        | Program::Fanout
        | Program::Skynet
        | Program::Chain
        | Program::Ring
        | Program::Channel
        | Program::Mutex
        | Program::LeaveEnter
        | Program::HookPair
        | Program::HookChain
        | Program::CurrentTask
        | Program::Crst
        | Program::HostEvent
        | Program::LeaveTaken
        | Program::Hog
        | Program::HogBound
        | Program::Timers
        | Program::Parked
        | Program::Idle
        | Program::Echo => Unavailable::because("only a wake is measured against it"),
    }
}

fn wake_sleeping(wakes: u64, placement: Placement) -> Measured {
    let sleeper = Arc::new(Sleeper::new(placement));
    // How often it was woken; what the sleeper has already seen, it sleeps on.
    let word = Arc::new(AtomicU32::new(0));
    let waiting = {
        let (sleeper, word) = (Arc::clone(&sleeper), Arc::clone(&word));
        thread::spawn(move || {
            for seen in 0..wakes as u32 {
                sleeper.about_to_wait();
                while word.load(Ordering::Acquire) == seen {
                    wait(&word, seen);
                }
                sleeper.awake();
            }
        })
    };
    sleeper.wake_asleep(wakes, || {
        word.fetch_add(1, Ordering::Release);
        wake_one(&word);
    });
    waiting.join().expect("the sleeper does not panic");
    sleeper.measured(wakes)
}

/// Sleeps if the word still holds `expected`; may return early.
fn wait(word: &AtomicU32, expected: u32) {
    const FOREVER: *const libc::timespec = ptr::null();
    let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the word outlives the call, and no time limit is given.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, expected, FOREVER) };
}

fn wake_one(word: &AtomicU32) {
    let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the kernel only uses the address, which is that of a live word.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, 1) };
}
