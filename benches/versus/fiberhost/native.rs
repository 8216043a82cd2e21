//! Native sections, and tasks that do not look up.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use fiberhost_scheduler::native::{self, Target};
use fiberhost_scheduler::sync::AutoResetEvent;
use fiberhost_scheduler::{JoinHandle, Wake, sleep, spawn, yield_now};

use super::super::contender::Measured;
use super::super::gaps::{self, BESIDE, Gaps, Over, SECTIONS, Sections};
use super::super::hog::{ATTEMPTS, Hog, TICK, Ticks};
use super::super::witness;
use super::{Counted, join, scheduler};

static CALL: Target = Target::new("versus");

/// Tasks that may move, or that stay where they have started.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Mobile,
    Bound,
}

impl Kind {
    fn spawn<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        match self {
            Kind::Bound => spawn(work),
            // SAFETY: what the tasks below keep across their waits is numbers, instants and `Arc`s; which thread they are
            // on they ask the kernel, each time anew.
            Kind::Mobile => {
                unsafe { scheduler().task().spawn_mobile(work) }.expect("memory for a task")
            }
        }
    }
}

pub(super) fn leave_enter(pairs: u64) -> Measured {
    let _noted = witness::task();
    let start = Instant::now();
    for pair in 0..pairs {
        native::section(&CALL, || black_box(pair));
    }
    Measured::each(start.elapsed(), pairs)
}

pub(super) fn leave_taken(turns: u64) -> Measured {
    let _noted = witness::task();
    let start = Instant::now();
    let short = beside(turns, Sections::Short);
    let sleeping = beside(turns, Sections::OneSleeps);
    gaps::measured(start.elapsed(), short, sleeping)
}

fn beside(turns: u64, sections: Sections) -> Vec<Gaps> {
    let counted = Counted::now();
    let over = Arc::new(Over::default());
    let here = Arc::new(AtomicU64::new(0));
    let spawn = |_| {
        let (over, here) = (Arc::clone(&over), Arc::clone(&here));
        Kind::Mobile.spawn(move || {
            let _noted = witness::task();
            here.fetch_add(1, Ordering::Relaxed);
            let mut gaps = Gaps::new();
            loop {
                yield_now();
                gaps.turn();
                if over.is_set() {
                    break gaps;
                }
            }
        })
    };
    let handles: Vec<_> = (0..BESIDE).map(spawn).collect();
    while here.load(Ordering::Relaxed) < BESIDE as u64 {
        yield_now();
    }
    let leaving = Kind::Mobile.spawn(move || {
        let _noted = witness::task();
        for _ in 0..turns {
            for number in 0..SECTIONS {
                native::section(&CALL, || sections.inside(number));
            }
            yield_now();
        }
        over.set();
    });
    join(leaving);
    let gaps = handles.into_iter().map(join).collect();
    counted.assert(1 + BESIDE as u64, 1);
    gaps
}

pub(super) fn hog(cycles: u64, kind: Kind) -> Measured {
    let _noted = witness::task();
    join(kind.spawn(move || ticker(cycles, kind)))
}

fn ticker(cycles: u64, kind: Kind) -> Measured {
    let _noted = witness::task();
    let mut ticks = Ticks::new();
    for _ in 0..cycles * ATTEMPTS {
        if ticks.counted() == cycles {
            break;
        }
        stand_behind(&mut ticks, kind);
    }
    ticks.measured(cycles)
}

/// One hog, started and parked before it is let go.
fn stand_behind(ticks: &mut Ticks, kind: Kind) {
    let hog = Arc::new(Hog::default());
    let [ready, go] = [(); 2].map(|()| Arc::new(AutoResetEvent::new(false)));
    let handle = {
        let (hog, ready, go) = (Arc::clone(&hog), Arc::clone(&ready), Arc::clone(&go));
        kind.spawn(move || {
            let _noted = witness::task();
            ready.set();
            go.wait();
            hog.compute();
        })
    };
    ready.wait();
    // The other worker goes to sleep meanwhile.
    sleep(2 * TICK);
    ticks.begin();
    go.set();
    assert_eq!(sleep(TICK), Wake::TimedOut);
    ticks.end_first(&hog, handle.is_finished());
    while hog.computes() {
        ticks.begin_another();
        sleep(TICK);
        ticks.end_another();
    }
    join(handle);
}
