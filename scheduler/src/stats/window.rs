//! What was counted between two looks: counts of the later one less those of the earlier one.
//!
//! Only what is counted is taken off. What tasks, threads and slots are at stays that of the later look.
#![forbid(unsafe_code)]

use std::time::Duration;

use crate::native::Target;
use crate::primitive::collisions::SpinFacts;
use crate::stats::histogram::Histogram;
use crate::stats::{Histograms, Snapshot, Stats, TargetFacts, ThreadFacts, WaitFacts};

impl Snapshot {
    /// This look with what was counted since an earlier one of the same scheduler: by its threads, of waits by reason, of
    /// native sections by target, of short locks, and in [`figures`](Snapshot::figures). The longest waits and sections
    /// stay the longest ever; those of the time between stand in [`Histograms::since`].
    #[must_use]
    pub fn since(&self, earlier: &Snapshot) -> Snapshot {
        let mut between = self.clone();
        between.figures = figures(&self.figures, &earlier.figures);
        for thread in &mut between.threads {
            let before = earlier.threads.iter().find(|it| it.index == thread.index);
            before.inspect(|before| less_thread(thread, before));
        }
        for wait in &mut between.waits {
            let before = earlier.waits.iter().find(|it| it.reason == wait.reason);
            before.inspect(|before| less_wait(wait, before));
        }
        for target in &mut between.targets {
            let mut all = earlier.targets.iter();
            let before = all.find(|it| std::ptr::eq(it.target, target.target));
            before.inspect(|before| less_target(target, before));
        }
        for spin in &mut between.spins {
            let before = earlier.spins.iter().find(|it| it.name == spin.name);
            before.inspect(|before| less_spin(spin, before));
        }
        between
    }

    /// This look without its tasks: what there is to keep for [`since`](Snapshot::since).
    #[must_use]
    pub fn without_tasks(&self) -> Snapshot {
        Snapshot {
            at: self.at,
            took: self.took,
            system: self.system.clone(),
            slots: self.slots.clone(),
            threads: self.threads.clone(),
            tasks: Vec::new(),
            waits: self.waits.clone(),
            targets: self.targets.clone(),
            spins: self.spins.clone(),
            accounting: self.accounting,
            injected: self.injected,
            missed: self.missed,
            figures: self.figures,
        }
    }
}

impl Histograms {
    /// What was recorded since these were taken, of the same scheduler. What is left with nothing is left out.
    #[must_use]
    pub fn since(&self, earlier: &Histograms) -> Histograms {
        Histograms {
            accounting: self.accounting,
            dispatch_delay: self.dispatch_delay.since(&earlier.dispatch_delay),
            turns: self.turns.since(&earlier.turns),
            waits: each(&self.waits, &earlier.waits, |one, other| one == other),
            sections: each(&self.sections, &earlier.sections, is_same),
            calls: each(&self.calls, &earlier.calls, is_same),
        }
    }
}

fn is_same(one: &&'static Target, other: &&'static Target) -> bool {
    std::ptr::eq(*one, *other)
}

fn each<K: Copy>(
    now: &[(K, Histogram)],
    earlier: &[(K, Histogram)],
    is_same: impl Fn(&K, &K) -> bool,
) -> Vec<(K, Histogram)> {
    let all = now.iter().map(|(key, histogram)| {
        let before = earlier.iter().find(|(other, _)| is_same(key, other));
        let between = before.map(|(_, before)| histogram.since(before));
        (*key, between.unwrap_or_else(|| histogram.clone()))
    });
    all.filter(|(_, histogram)| histogram.count() > 0).collect()
}

/// Takes off what was counted before.
fn less(now: &mut u64, earlier: u64) {
    *now = now.saturating_sub(earlier);
}

fn less_time(now: &mut Duration, earlier: Duration) {
    *now = now.saturating_sub(earlier);
}

fn figures(now: &Stats, earlier: &Stats) -> Stats {
    let mut figures = *now;
    less(&mut figures.switches, earlier.switches);
    less(&mut figures.spawned, earlier.spawned);
    less(&mut figures.ended, earlier.ended);
    less(&mut figures.steals, earlier.steals);
    less(&mut figures.handovers, earlier.handovers);
    less(&mut figures.owner_sleeps, earlier.owner_sleeps);
    less(
        &mut figures.reserved_owner_sleeps,
        earlier.reserved_owner_sleeps,
    );
    less(&mut figures.stalls, earlier.stalls);
    less(&mut figures.dumps_lost, earlier.dumps_lost);
    figures
}

fn less_thread(thread: &mut ThreadFacts, earlier: &ThreadFacts) {
    less(&mut thread.switches, earlier.switches);
    less(&mut thread.settled_in_place, earlier.settled_in_place);
    less(&mut thread.spawned, earlier.spawned);
    less(&mut thread.ended, earlier.ended);
    less(&mut thread.steals, earlier.steals);
    less(&mut thread.sections, earlier.sections);
}

fn less_wait(wait: &mut WaitFacts, earlier: &WaitFacts) {
    less(&mut wait.count, earlier.count);
    less(&mut wait.timed, earlier.timed);
    less_time(&mut wait.time, earlier.time);
    less_time(&mut wait.runnable, earlier.runnable);
}

fn less_target(target: &mut TargetFacts, earlier: &TargetFacts) {
    less(&mut target.calls, earlier.calls);
    less(&mut target.handovers, earlier.handovers);
    less(&mut target.ended, earlier.ended);
    less_time(&mut target.time, earlier.time);
    less(&mut target.noted, earlier.noted);
    less_time(&mut target.noted_time, earlier.noted_time);
}

fn less_spin(spin: &mut SpinFacts, earlier: &SpinFacts) {
    less(&mut spin.collisions, earlier.collisions);
    less(&mut spin.spins, earlier.spins);
    less(&mut spin.backoffs, earlier.backoffs);
}
