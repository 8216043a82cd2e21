//! What was counted between two looks.
#![forbid(unsafe_code)]

use std::time::Duration;

use fiberhost_scheduler::native::Target;
use fiberhost_scheduler::stats::{Histogram, Histograms, Snapshot};

use super::Views;
use super::hosts::HostFacts;
use super::os_threads::{self, OsThread};

/// What a look has counted, to be taken off a later one: see [`Views::since`]. It keeps nothing of the tasks.
#[derive(Clone, Debug)]
pub struct Mark {
    snapshot: Snapshot,
    histograms: Histograms,
    hosts: Vec<HostFacts>,
    threads: Vec<OsThread>,
}

/// Since when a look counts, if not since the start.
#[derive(Clone, Debug)]
pub(super) struct Window {
    lasted: Duration,
    threads: Vec<OsThread>,
}

impl Views {
    /// What was counted until this look. It asks the kernel for the threads of the process, as [`threads`](Views::threads) does.
    pub fn mark(&self) -> Mark {
        Mark {
            snapshot: self.snapshot.without_tasks(),
            histograms: self.histograms.clone(),
            hosts: self.hosts.clone(),
            threads: os_threads::all(),
        }
    }

    /// This look, with what was counted since an earlier one of the same scheduler: the
    /// [counters](super::ColumnKind::Counter) of all tables are of the time between, and so are maxima, means and
    /// parts of distributions made of them. What there is now (tasks, stalls, ledgers, slots) stays.
    /// `max_time_ms` of `native_functions` is the longest ever nevertheless, and one of the time between that is not the longest
    /// ever is known up to a sixteenth too long.
    ///
    /// ```
    /// use fiberhost::scheduler::{Scheduler, yield_now};
    /// use fiberhost::views::Views;
    ///
    /// let scheduler = Scheduler::builder().workers(1).build()?;
    /// scheduler.run(yield_now);
    /// let mark = Views::take(&scheduler, &[]).mark();
    /// scheduler.run(|| ());
    /// let since = Views::take(&scheduler, &[]).since(&mark);
    /// assert_eq!(since.sys_info()[0].tasks_spawned_count, 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn since(&self, mark: &Mark) -> Views {
        let mut between = self.clone();
        between.snapshot = self.snapshot.since(&mark.snapshot);
        between.histograms = self.histograms.since(&mark.histograms);
        for host in &mut between.hosts {
            let before = mark.hosts.iter().find(|it| it.id() == host.id());
            before.inspect(|before| host.less(before));
        }
        between.shorten_maxima();
        between.window = Some(Window {
            lasted: self.snapshot.at.saturating_sub(mark.snapshot.at),
            threads: mark.threads.clone(),
        });
        between
    }

    /// For how long was counted what the counters of this look say.
    pub fn counted_for(&self) -> Duration {
        self.window
            .as_ref()
            .map_or(self.snapshot.at, |window| window.lasted)
    }

    /// The longest wait and section of the time between stand in the distributions.
    fn shorten_maxima(&mut self) {
        let Histograms {
            waits,
            sections,
            calls,
            ..
        } = &self.histograms;
        for wait in &mut self.snapshot.waits {
            let mut all = waits.iter();
            let of = all.find(|(reason, _)| *reason == wait.reason);
            wait.max = of.map_or(Duration::ZERO, |(_, times)| times.max());
        }
        for target in &mut self.snapshot.targets {
            let longest = |all: &[(&'static Target, Histogram)]| {
                let of = all.iter().find(|(it, _)| std::ptr::eq(*it, target.target));
                of.map_or(Duration::ZERO, |(_, times)| times.max())
            };
            (target.max, target.noted_max) = (longest(sections), longest(calls));
        }
    }

    /// What the kernel says of the threads, with what it counted since the mark.
    pub(super) fn os_threads(&self) -> Vec<OsThread> {
        let mut threads = os_threads::all();
        for thread in &mut threads {
            let mut before = self.window.iter().flat_map(|window| &window.threads);
            let before = before.find(|it| it.id == thread.id);
            before.inspect(|before| thread.less(before));
        }
        threads
    }
}
