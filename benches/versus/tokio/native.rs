//! Code that blocks, and tasks that do not look up.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::sync::Notify;
use tokio::task::{block_in_place, spawn_blocking, yield_now};
use tokio::time::sleep;

use super::super::contender::{Flavour, Measured};
use super::super::gaps::{self, BESIDE, Gaps, Over, SECTIONS, Sections};
use super::super::hog::{ATTEMPTS, Hog, TICK, Ticks};

pub(super) async fn leave_enter(pairs: u64) -> Measured {
    let start = Instant::now();
    for pair in 0..pairs {
        block_in_place(|| black_box(pair));
    }
    Measured::each(start.elapsed(), pairs)
}

pub(super) async fn leave_taken(turns: u64, flavour: Flavour) -> Measured {
    let start = Instant::now();
    let short = beside(turns, Sections::Short, flavour).await;
    let sleeping = beside(turns, Sections::OneSleeps, flavour).await;
    gaps::measured(start.elapsed(), short, sleeping)
}

async fn beside(turns: u64, sections: Sections, flavour: Flavour) -> Vec<Gaps> {
    let over = Arc::new(Over::default());
    let here = Arc::new(AtomicU64::new(0));
    let spawn = |_| {
        let (over, here) = (Arc::clone(&over), Arc::clone(&here));
        tokio::spawn(async move {
            here.fetch_add(1, Ordering::Relaxed);
            let mut gaps = Gaps::new();
            loop {
                yield_now().await;
                gaps.turn();
                if over.is_set() {
                    break gaps;
                }
            }
        })
    };
    let handles: Vec<_> = (0..BESIDE).map(spawn).collect();
    while here.load(Ordering::Relaxed) < BESIDE as u64 {
        yield_now().await;
    }
    let leaving = tokio::spawn(async move {
        for _ in 0..turns {
            for number in 0..SECTIONS {
                match flavour {
                    Flavour::MultiThread => block_in_place(|| sections.inside(number)),
                    Flavour::CurrentThread => spawn_blocking(move || sections.inside(number))
                        .await
                        .expect("it does not panic"),
                }
            }
            yield_now().await;
        }
        over.set();
    });
    leaving.await.expect("the task does not panic");
    let mut gaps = Vec::new();
    for handle in handles {
        gaps.push(handle.await.expect("the task does not panic"));
    }
    gaps
}

/// The ticker is itself a task: it wakes the hog from its worker.
pub(super) async fn hog(cycles: u64) -> Measured {
    let mut ticks = Ticks::new();
    for _ in 0..cycles * ATTEMPTS {
        if ticks.counted() == cycles {
            break;
        }
        stand_behind(&mut ticks).await;
    }
    ticks.measured(cycles)
}

async fn stand_behind(ticks: &mut Ticks) {
    let hog = Arc::new(Hog::default());
    let [ready, go] = [(); 2].map(|()| Arc::new(Notify::new()));
    let handle = {
        let (hog, ready, go) = (Arc::clone(&hog), Arc::clone(&ready), Arc::clone(&go));
        tokio::spawn(async move {
            ready.notify_one();
            go.notified().await;
            hog.compute();
        })
    };
    ready.notified().await;
    sleep(2 * TICK).await;
    ticks.begin();
    go.notify_one();
    sleep(TICK).await;
    ticks.end_first(&hog, handle.is_finished());
    while hog.computes() {
        ticks.begin_another();
        sleep(TICK).await;
        ticks.end_another();
    }
    handle.await.expect("the hog does not panic");
}
