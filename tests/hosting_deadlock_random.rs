//! Random orders of a runtime's locks, the scheduler's own, and joins of both kinds, by seed: none that can end is told to be a circle, and of those
//! that cannot each is broken, or the run would not end.
//!
//! A million runs: `FIBERHOST_DEADLOCK_RUNS=1000000 cargo test --release --test hosting_deadlock_random`.

mod common;
#[macro_use]
mod hosting;

use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use fiberhost::TaskMode;
use fiberhost::com::{Hresult, INFINITE};
use fiberhost::scheduler::sync::{Barrier, RawMutex};
use fiberhost::scheduler::{Wake, yield_now};
use hosting::locks::{Locks, monitor, section};
use hosting::{Bench, Object, at, join};

/// How many runs in all.
fn runs() -> u64 {
    std::env::var("FIBERHOST_DEADLOCK_RUNS").map_or(30_000, |runs| runs.parse().expect("a number"))
}

const TASKS: usize = 4;
/// A section, a monitor and a mutex, twice, in an order of their own.
const LEVELS: usize = 6;

/// SplitMix64.
struct Random(Cell<u64>);

impl Random {
    fn below(&self, limit: usize) -> usize {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 33) as usize % limit
    }

    /// Some of the levels, in their order if it is `sorted`.
    fn plan(&self, sorted: bool) -> Vec<usize> {
        let mut levels: Vec<usize> = (0..LEVELS).collect();
        for end in (1..LEVELS).rev() {
            levels.swap(end, self.below(end + 1));
        }
        levels.truncate(2 + self.below(LEVELS - 1));
        if sorted {
            levels.sort_unstable();
        }
        levels
    }
}

/// A monitor as a runtime has it: who wants it waits at its event, and looks again.
struct Monitor {
    cookie: usize,
    event: Object,
    locks: Arc<Locks>,
    waiting: AtomicUsize,
}

impl Monitor {
    fn try_take(&self, me: Object) -> bool {
        let mut owners = self.locks.owners.lock().unwrap();
        let owner = owners.entry(self.cookie).or_default();
        let free = owner.is_empty();
        if free {
            owner.push(me);
        }
        free
    }

    fn enter(&self, me: Object) -> Hresult {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let result = loop {
            if self.try_take(me) {
                break Hresult::S_OK;
            }
            let waited = com!(self.event, IHostAutoEventVtbl, Wait, INFINITE, 0);
            if waited != Hresult::S_OK {
                break waited;
            }
        };
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        result
    }

    fn leave(&self, me: Object) {
        let left = self.locks.owners.lock().unwrap().remove(&self.cookie);
        assert_eq!(left, Some(vec![me]));
        if self.waiting.load(Ordering::SeqCst) > 0 {
            assert_eq!(com!(self.event, IHostAutoEventVtbl, Set), Hresult::S_OK);
        }
    }
}

/// What all runs have in common.
struct Field {
    sections: [Object; 2],
    monitors: [Monitor; 2],
    mutexes: [RawMutex; 2],
    begin: Barrier,
    end: Barrier,
    refused: AtomicU64,
    met: AtomicU64,
}

impl Field {
    fn new(bench: &Bench) -> Arc<Field> {
        let locks = Arc::new(Locks::new(bench));
        let monitor = |cookie| Monitor {
            cookie,
            event: monitor(bench, cookie),
            locks: Arc::clone(&locks),
            waiting: AtomicUsize::new(0),
        };
        Arc::new(Field {
            sections: [section(bench), section(bench)],
            monitors: [monitor(1), monitor(2)],
            mutexes: [RawMutex::new(), RawMutex::new()],
            begin: Barrier::new(TASKS),
            end: Barrier::new(TASKS),
            refused: AtomicU64::new(0),
            met: AtomicU64::new(0),
        })
    }

    /// `false`: it was refused, or broken.
    fn take(&self, level: usize, me: Object) -> bool {
        let at = level / 3;
        let entered = match level % 3 {
            0 => com!(self.sections[at], IHostCrstVtbl, Enter, 0),
            1 => self.monitors[at].enter(me),
            _ => match self.mutexes[at].lock_or_deadlock() {
                Ok(wake) => {
                    assert_eq!(wake, Wake::Signalled);
                    Hresult::S_OK
                }
                Err(_) => Hresult::HOST_E_DEADLOCK,
            },
        };
        assert!(
            entered == Hresult::S_OK || entered == Hresult::HOST_E_DEADLOCK,
            "{entered:?}"
        );
        entered == Hresult::S_OK
    }

    fn give_back(&self, level: usize, me: Object) {
        let at = level / 3;
        match level % 3 {
            0 => {
                let left = com!(self.sections[at], IHostCrstVtbl, Leave);
                assert_eq!(left, Hresult::S_OK);
            }
            1 => self.monitors[at].leave(me),
            _ => self.mutexes[at].unlock().expect("it is ours"),
        }
    }

    fn note_if_taken(&self, level: usize) {
        let is_taken = match level % 3 {
            1 => {
                let monitor = &self.monitors[level / 3];
                let owners = monitor.locks.owners.lock().unwrap();
                owners.contains_key(&monitor.cookie)
            }
            2 => self.mutexes[level / 3].is_locked(),
            _ => false,
        };
        if is_taken {
            self.met.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes what is planned, holding on to all of it until the end; gives up where a wait is refused.
    fn follow(&self, plan: &[usize], me: Object) {
        let mut held = Vec::new();
        for &level in plan {
            self.note_if_taken(level);
            if !self.take(level, me) {
                self.refused.fetch_add(1, Ordering::Relaxed);
                break;
            }
            held.push(level);
            yield_now();
            // Where the others have threads of their own, and slots.
            std::thread::yield_now();
        }
        for &level in held.iter().rev() {
            self.give_back(level, me);
        }
    }
}

/// How many runs a host has, so that the watchdog of a test sees it end.
const RUNS_MAX: u64 = 5_000;

fn random_runs(workers: usize, mode: TaskMode, runs: u64, sorted: bool) {
    let mut first = 0;
    while first < runs {
        let end = (first + RUNS_MAX).min(runs);
        some_runs(workers, mode, first..end, sorted);
        first = end;
    }
}

fn some_runs(workers: usize, mode: TaskMode, all: Range<u64>, sorted: bool) {
    let runs = all.end - all.start;
    at(workers, mode, |bench| {
        let field = Field::new(bench);
        let tasks: Vec<Object> = (0..TASKS)
            .map(|task| {
                let (field, manager, all) = (Arc::clone(&field), bench.tasks, all.clone());
                bench.start(move || {
                    let me = hosting::given(|out| {
                        com!(manager, IHostTaskManagerVtbl, GetCurrentTask, out)
                    });
                    for run in all {
                        let random = Random(Cell::new(run << 8 | task as u64));
                        let plan = random.plan(sorted);
                        field.begin.wait();
                        field.follow(&plan, me);
                        field.end.wait();
                    }
                    me.release();
                })
            })
            .collect();
        tasks.into_iter().for_each(join);
        let refused = field.refused.load(Ordering::Relaxed);
        let met = field.met.load(Ordering::Relaxed);
        println!(
            "{workers} workers, {mode:?}, sorted {sorted}: {runs} runs, {met} met, {refused} refused"
        );
        if sorted {
            assert_eq!(refused, 0, "an order that has an end");
            assert_eq!(bench.host.figures().deadlocks_broken, 0);
        } else {
            let sure = mode == TaskMode::Fiber && runs >= 100;
            assert!(!sure || refused > 0, "there were circles");
        }
        // On threads that depends on the machine.
        assert!(
            mode == TaskMode::Thread || runs < 100 || met > 0,
            "they met"
        );
        for monitor in &field.monitors {
            monitor.event.release();
        }
        for section in field.sections {
            section.release();
        }
    });
}

#[test]
fn in_one_order_there_is_no_alarm() {
    for (workers, mode) in [
        (1, TaskMode::Fiber),
        (2, TaskMode::Fiber),
        (4, TaskMode::Fiber),
        (2, TaskMode::Thread),
    ] {
        random_runs(workers, mode, runs() / 4, true);
    }
}

/// Circles that go through monitors take the inquirer's rest to be found, so there are fewer of these.
#[test]
fn in_any_order_each_circle_is_broken() {
    for (workers, mode) in [
        (1, TaskMode::Fiber),
        (2, TaskMode::Fiber),
        (4, TaskMode::Fiber),
        (2, TaskMode::Thread),
    ] {
        random_runs(workers, mode, runs() / 200, false);
    }
}
