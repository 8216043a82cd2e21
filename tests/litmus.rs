//! Store buffering, the one reordering that x86 allows: what the asymmetric barrier claims, tried on this machine.
//!
//! Two threads each store to one word and then load the other's. Without a barrier on both sides both may miss the
//! other's store. The scheduler's frequent side has none (but for the compiler); the rare side pays for both with
//! an expedited `membarrier`. The twins without it show that the trials can find a missing barrier.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

use std::arch::asm;
use std::arch::x86_64::{_mm_clflush, _rdtsc};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

const TRIALS: u64 = 300_000;

/// What stands between the store and the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Barrier {
    /// Nothing on either side.
    None,
    /// A full fence on the rare side, nothing on the frequent one.
    RareSideOnly,
    /// Full fences on both sides: the fallback where the kernel has no `membarrier`.
    Fences,
    /// A `membarrier` on the rare side, nothing on the frequent one.
    Asymmetric,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Frequent,
    Rare,
}

impl Barrier {
    fn is_fence(self, side: Side) -> bool {
        self == Barrier::Fences || (self == Barrier::RareSideOnly && side == Side::Rare)
    }
}

const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;
const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;

fn membarrier(command: libc::c_int) -> bool {
    // SAFETY: the call takes three integers and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
}

/// A word on cache lines of its own.
#[derive(Default)]
#[repr(align(128))]
struct Word(AtomicU64);

#[derive(Default)]
struct Shared {
    x: Word,
    y: Word,
    /// The trial that may begin, the cycle at which both sides do, and the trial that is done.
    go: Word,
    at: Word,
    done: Word,
    /// What the frequent side has loaded.
    seen: Word,
    /// In no cache when a trial begins, so that the frequent side's store to it takes long.
    far: Word,
}

/// The rare side's part: stores to `mine`, passes the barrier, and answers what it loads from `theirs`.
///
/// Here as on the frequent side the instructions are spelled out, so that they follow each other in every build.
fn rare_side(barrier: Barrier, mine: &Word, theirs: &Word) -> u64 {
    let (mine, theirs) = (mine.0.as_ptr(), theirs.0.as_ptr());
    let seen: u64;
    // SAFETY: stores to and loads from words that outlive this; others change them only as whole aligned words.
    unsafe {
        if barrier.is_fence(Side::Rare) {
            asm!("mov qword ptr [{mine}], 1", "mfence", "mov {seen}, [{theirs}]",
                mine = in(reg) mine, theirs = in(reg) theirs, seen = out(reg) seen);
        } else if barrier == Barrier::Asymmetric {
            asm!("mov qword ptr [{mine}], 1", mine = in(reg) mine);
            assert!(membarrier(PRIVATE_EXPEDITED), "it was registered");
            asm!("mov {seen}, [{theirs}]", theirs = in(reg) theirs, seen = out(reg) seen);
        } else {
            asm!("mov qword ptr [{mine}], 1", "mov {seen}, [{theirs}]",
                mine = in(reg) mine, theirs = in(reg) theirs, seen = out(reg) seen);
        }
    }
    seen
}

/// The frequent side's part, the same but for a store to `far` before it: while that line comes from memory, the store
/// to `mine` waits behind it in the store buffer, and the load overtakes it. This is what is to be tried.
fn frequent_side(barrier: Barrier, far: &Word, mine: &Word, theirs: &Word) -> u64 {
    let (far, mine, theirs) = (far.0.as_ptr(), mine.0.as_ptr(), theirs.0.as_ptr());
    let seen: u64;
    // SAFETY: as above.
    unsafe {
        if barrier.is_fence(Side::Frequent) {
            asm!("mov qword ptr [{far}], 2", "mov qword ptr [{mine}], 1", "mfence", "mov {seen}, [{theirs}]",
                far = in(reg) far, mine = in(reg) mine, theirs = in(reg) theirs, seen = out(reg) seen);
        } else {
            asm!("mov qword ptr [{far}], 2", "mov qword ptr [{mine}], 1", "mov {seen}, [{theirs}]",
                far = in(reg) far, mine = in(reg) mine, theirs = in(reg) theirs, seen = out(reg) seen);
        }
    }
    seen
}

/// Puts the word's line out of every cache.
fn flush(word: &Word) {
    // SAFETY: every x86-64 processor has the instruction, and it changes no value.
    unsafe { _mm_clflush(word.0.as_ptr().cast()) }
}

fn wait_for(word: &Word, value: u64) {
    let mut looks = 0_u32;
    while word.0.load(Ordering::Acquire) != value {
        looks += 1;
        if looks.is_multiple_of(1000) {
            // The other thread may have lost its processor to somebody who would rather have ours.
            thread::yield_now();
        }
    }
}

/// The next of a sequence that only has to jump about.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state >> 16
}

fn cycles() -> u64 {
    // SAFETY: reads a counter that every x86-64 processor has.
    unsafe { _rdtsc() }
}

/// Waits until that cycle and a little longer: from nothing to about the length of a system call, mostly short,
/// so that the two sides meet in every way.
fn meet(at: u64, state: &mut u64) {
    let longest = 1 << [5, 6, 7, 9, 13][random(state) as usize % 5];
    let at = at + random(state) % longest;
    while cycles() < at {}
}

/// Keeps the calling thread on one processor: two that share one would take turns, and nothing would meet.
fn stay_on(processor: usize) {
    // SAFETY: a set of processors is plain data, and the call only reads it.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(processor, &mut set);
        assert_eq!(
            libc::sched_setaffinity(0, size_of_val(&set), &raw const set),
            0
        );
    }
}

/// Two processors that this process may use.
fn two_processors() -> Option<[usize; 2]> {
    // SAFETY: a set of processors is plain data, and the call only writes it.
    let set = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::sched_getaffinity(0, size_of_val(&set), &raw mut set);
        set
    };
    // SAFETY: the number is within the set.
    let mut ours =
        (0..libc::CPU_SETSIZE as usize).filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) });
    Some([ours.next()?, ours.next()?])
}

/// In how many trials both sides missed the other's store.
fn missed(barrier: Barrier, processors: [usize; 2]) -> u64 {
    let shared = Shared::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            stay_on(processors[0]);
            let mut state = 0x9e37_79b9_7f4a_7c15;
            for trial in 1..=TRIALS {
                wait_for(&shared.go, trial);
                // Fetches the line, so that the load that counts is quick.
                std::hint::black_box(shared.x.0.load(Ordering::Relaxed));
                meet(shared.at.0.load(Ordering::Relaxed), &mut state);
                let seen = frequent_side(barrier, &shared.far, &shared.y, &shared.x);
                shared.seen.0.store(seen, Ordering::Relaxed);
                shared.done.0.store(trial, Ordering::Release);
            }
        });
        let rare = scope.spawn(|| {
            stay_on(processors[1]);
            let mut state = 0xd1b5_4a32_d192_ed03;
            let mut missed = 0;
            for trial in 1..=TRIALS {
                flush(&shared.far);
                shared.x.0.store(0, Ordering::Relaxed);
                shared.y.0.store(0, Ordering::Relaxed);
                // Time enough for the other side to see this.
                let at = cycles() + 1_000;
                shared.at.0.store(at, Ordering::Relaxed);
                shared.go.0.store(trial, Ordering::Release);
                meet(at, &mut state);
                let seen = rare_side(barrier, &shared.x, &shared.y);
                wait_for(&shared.done, trial);
                let both = seen == 0 && shared.seen.0.load(Ordering::Relaxed) == 0;
                missed += u64::from(both);
            }
            missed
        });
        rare.join().expect("the trials do not panic")
    })
}

/// One test, so that nothing else of this file runs beside the trials.
#[test]
fn both_sides_of_a_barrier_pair_never_miss_each_other() {
    let Some(processors) = two_processors() else {
        println!("one processor: its stores are never seen late, so there is nothing to try");
        return;
    };
    let try_out = |barrier| {
        let missed = missed(barrier, processors);
        println!("{barrier:?}: {missed} of {TRIALS} trials");
        missed
    };
    assert_eq!(try_out(Barrier::Fences), 0, "fences on both sides");
    if membarrier(REGISTER_PRIVATE_EXPEDITED) {
        assert_eq!(try_out(Barrier::Asymmetric), 0, "membarrier on one side");
    } else {
        println!("no membarrier here: the scheduler uses fences on both sides");
    }
    // The proof that the trials can fail, for each half of the pair.
    assert!(try_out(Barrier::None) > 0, "without barriers");
    assert!(
        try_out(Barrier::RareSideOnly) > 0,
        "with a fence on one side only"
    );
}
