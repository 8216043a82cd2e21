//! What is known of native sections without a cost to them: what the monitor sees at its ticks, and those that lose their slot.
//!
//! Leaving and entering are two stores, and no clock is read but for samples and for those of tasks that are watched
//! (`watch.rs`); how often each target is called is counted apart (`stats/calls.rs`). The monitor looks
//! at every driver at each tick anyhow; a section that it sees is stamped with that time, so its age is known to a tick, and
//! one that comes and goes between two ticks is too young to be of interest.
//! A section that has lost its slot waits for another one when it ends: there is time to count and to measure it. So
//! hand-overs are counted and timed each.
#![forbid(unsafe_code)]

use std::time::Duration;

use crate::claim::Claim;
use crate::native::Target;
use crate::primitive::ticks::{self, Rate};
use crate::primitive::{AtomicU32, AtomicU64, Instant, Mutex, Ordering};
use crate::scheduler::Core;
use crate::stats::histogram::{Histogram, Recorder};
use crate::stats::{calls, coarse, ledger};
use crate::thread::Thread;
use crate::trace::{self, What};

/// The section in which a thread was seen last, by the mark of its lease, and when it was first seen there.
///
/// Written by the monitor, and by who takes the slot away. If both do at once, the later mark may be lost for a tick.
pub(crate) struct SeenSection {
    mark: AtomicU64,
    since: AtomicU32,
    stamp: AtomicU64,
    /// The section that last lost the slot, and from when that is counted. Written under the lock of [`Lasting`], and by the
    /// thread when its slot is gone.
    taken: AtomicU64,
    taken_stamp: AtomicU64,
}

impl SeenSection {
    pub(crate) fn new() -> SeenSection {
        SeenSection {
            mark: AtomicU64::new(0),
            since: AtomicU32::new(0),
            stamp: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            taken_stamp: AtomicU64::new(0),
        }
    }

    /// The section with this mark has lost the slot. `false`: that is known already.
    fn take(&self, mark: u64) -> bool {
        if self.taken.load(Ordering::Relaxed) == mark {
            return false;
        }
        let stamp = self.stamp(mark).unwrap_or_else(ticks::now);
        self.taken_stamp.store(stamp, Ordering::Relaxed);
        self.taken.store(mark, Ordering::Relaxed);
        true
    }

    /// From when the section with this mark is counted, if it has lost the slot. For the thread, when it has had the lock
    /// under which slots are taken: so it sees what whoever took it has written.
    fn taken(&self, mark: u64) -> Option<u64> {
        let is_it = self.taken.load(Ordering::Relaxed) == mark;
        is_it.then(|| self.taken_stamp.load(Ordering::Relaxed))
    }

    /// The section with the first of these marks, which has lost the slot, goes on with the other one.
    fn rename(&self, mark: u64, now: u64) {
        if self.taken(mark).is_some() {
            self.taken.store(now, Ordering::Relaxed);
        }
    }

    /// The thread is found out with this mark, which is odd.
    pub(crate) fn see(&self, mark: u64, now: u64) {
        if !cfg!(any(loom, shuttle)) && self.mark.load(Ordering::Relaxed) != mark {
            self.since.store(coarse::ticks(now), Ordering::Relaxed);
            self.stamp.store(ticks::now(), Ordering::Relaxed);
            // Release: who finds this mark finds its times, or newer ones.
            self.mark.store(mark, Ordering::Release);
        }
    }

    /// How long the section with this mark has been seen; nothing if it is younger than a tick.
    fn age(&self, mark: u64, now: u64) -> Duration {
        // Acquire: pairs with the release above.
        if self.mark.load(Ordering::Acquire) == mark {
            coarse::age(now, self.since.load(Ordering::Relaxed))
        } else {
            Duration::ZERO
        }
    }

    /// The stamp from which the section with this mark was seen.
    fn stamp(&self, mark: u64) -> Option<u64> {
        (self.mark.load(Ordering::Acquire) == mark).then(|| self.stamp.load(Ordering::Relaxed))
    }
}

/// The section that is open on a thread: what it calls, and its age.
pub(crate) fn open(thread: &Thread, now: u64) -> Option<(&'static Target, Duration)> {
    let (mark, target) = target(thread)?;
    let age = thread.section.age(mark, now);
    // What was read is of one section.
    (thread.lease.out() == Some(mark)).then_some((target, age))
}

fn target(thread: &Thread) -> Option<(u64, &'static Target)> {
    let mark = thread.lease.out()?;
    // A thread that sleeps with its task is out as well, and so is one that was adopted and is in no section yet.
    if thread.sleeps_with().is_some() {
        return None;
    }
    Some((mark, Target::stored(thread.target.load(Ordering::Relaxed))?))
}

/// How many sections were opened on a thread so far, a sleep with its task counted as one.
pub(crate) fn opened(thread: &Thread) -> u64 {
    thread.lease.left()
}

/// Those that lost their slot or were noted, by what they call. Few, and found by going through them.
pub(crate) struct Lasting(Mutex<Vec<Kept>>);

struct Kept {
    target: &'static Target,
    handovers: u64,
    /// Of those that lost their slot.
    times: Recorder,
    /// Of those that were noted.
    noted: Recorder,
}

/// Native sections to one target.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TargetFacts {
    /// What they call.
    pub target: &'static Target,
    /// How many were opened: all of them, but for those inside others, which only nest.
    pub calls: u64,
    /// How many lost their slot.
    pub handovers: u64,
    /// How many of them have ended.
    pub ended: u64,
    /// How long those that lost it lasted together, from when the monitor first saw them.
    pub time: Duration,
    /// The longest.
    pub max: Duration,
    /// How many were noted, whether they lost their slot or not: all of tasks whose [time is booked](crate::Accounting), and of
    /// others one now and then, where waits are sampled. One that is called back from counts once for each part of it.
    pub noted: u64,
    /// How long those lasted together.
    pub noted_time: Duration,
    /// The longest of those.
    pub noted_max: Duration,
}

impl Lasting {
    pub(crate) fn new() -> Lasting {
        Lasting(Mutex::new(Vec::new()))
    }

    /// As a seeded fault: who looks at them keeps their lock.
    #[cfg(any(feature = "bug_lock_lent", feature = "bug_lock_slept"))]
    pub(crate) fn keep(&self) -> impl Sized + '_ {
        self.0.lock()
    }

    fn with<R>(&self, target: &'static Target, work: impl FnOnce(&mut Kept) -> R) -> R {
        let mut all = self.0.lock();
        let place = all
            .iter()
            .position(|kept| std::ptr::eq(kept.target, target));
        let place = place.unwrap_or_else(|| {
            all.push(Kept {
                target,
                handovers: 0,
                times: Recorder::default(),
                noted: Recorder::default(),
            });
            all.len() - 1
        });
        work(&mut all[place])
    }

    /// How long sections lasted: those that lost their slot, and those that were noted. Targets without any are left out.
    pub(crate) fn histograms(&self, rate: Rate) -> [Vec<(&'static Target, Histogram)>; 2] {
        let all = self.0.lock();
        let of: [fn(&Kept) -> &Recorder; 2] = [|kept| &kept.times, |kept| &kept.noted];
        of.map(|recorder| {
            let one = |kept: &Kept| {
                let mut histogram = Histogram::new(rate);
                recorder(kept).add_to(&mut histogram);
                (kept.target, histogram)
            };
            let all = all.iter().map(one);
            all.filter(|(_, histogram)| histogram.count() > 0).collect()
        })
    }

    /// Of those that lost their slot or were noted; their calls are not known here.
    fn facts(&self, rate: Rate) -> Vec<TargetFacts> {
        let all = self.0.lock();
        let one = |kept: &Kept| {
            let mut histogram = Histogram::new(rate);
            kept.times.add_to(&mut histogram);
            let mut noted = Histogram::new(rate);
            kept.noted.add_to(&mut noted);
            TargetFacts {
                target: kept.target,
                calls: 0,
                handovers: kept.handovers,
                ended: histogram.count(),
                time: histogram.total(),
                max: histogram.max(),
                noted: noted.count(),
                noted_time: noted.total(),
                noted_max: noted.max(),
            }
        };
        all.iter().map(one).collect()
    }
}

impl TargetFacts {
    /// Of each target that this scheduler's threads have called.
    pub(crate) fn all(core: &Core) -> Vec<TargetFacts> {
        let mut all = core.lasting.facts(core.origin.rate());
        // The calls last: then they are no fewer than what else is counted of them.
        for (target, calls) in calls::all(core) {
            match all
                .iter_mut()
                .find(|facts| std::ptr::eq(facts.target, target))
            {
                Some(facts) => facts.calls = calls,
                None => all.push(TargetFacts {
                    target,
                    calls,
                    handovers: 0,
                    ended: 0,
                    time: Duration::ZERO,
                    max: Duration::ZERO,
                    noted: 0,
                    noted_time: Duration::ZERO,
                    noted_max: Duration::ZERO,
                }),
            }
        }
        all
    }
}

/// The thread comes back from a section that was noted, and that has lasted for so many ticks.
pub(crate) fn note(thread: &Thread, lasted: u64) {
    let target = Target::stored(thread.target.load(Ordering::Relaxed));
    if let Some(target) = target {
        let lasting = &thread.core().lasting;
        lasting.with(target, |kept| kept.noted.record(lasted));
    }
}

/// The slot of a thread that is out goes to another one.
pub(crate) fn note_handover(core: &Core, thread: &Thread) {
    if cfg!(any(loom, shuttle)) {
        return;
    }
    let Some((mark, target)) = target(thread) else {
        return;
    };
    thread.section.see(mark, core.now());
    let is_new = core.lasting.with(target, |kept| {
        let is_new = thread.section.take(mark);
        kept.handovers += u64::from(is_new);
        is_new
    });
    if !is_new {
        return;
    }
    let task = thread.task.get().map_or(0, |task| task.id.get());
    let what = What::HandOver {
        target: Some(target),
    };
    trace::record(core, None, task, what);
}

/// The end of a section that has lost its slot: the thread gets another one, or none until that time. The mark is even
/// already.
#[cold]
pub(crate) fn come_back(thread: &'static Thread, until: Option<Instant>) -> bool {
    if cfg!(any(loom, shuttle)) {
        return thread.claim_until(Claim::Return, until);
    }
    let core = thread.core();
    let (mark, came) = (thread.lease.last_out(), ticks::now());
    let has_it = ledger::around_claim(thread, || thread.claim_until(Claim::Return, until));
    if has_it {
        let target = Target::stored(thread.target.load(Ordering::Relaxed));
        if let (Some(stamp), Some(target)) = (thread.section.taken(mark), target) {
            let lasted = came.saturating_sub(stamp);
            core.lasting.with(target, |kept| kept.times.record(lasted));
        }
        let task = thread.task.get().map_or(0, |task| task.id.get());
        trace::record(core, Some(thread), task, What::Return);
    }
    has_it
}

/// A section that has lost its slot and wanted to end goes on, since there was no slot in time.
pub(crate) fn goes_on(thread: &Thread, before: u64) {
    if !cfg!(any(loom, shuttle)) {
        thread
            .section
            .rename(before, thread.lease.out().unwrap_or(before));
    }
}
