//! All distributions that a scheduler keeps, merged from its threads.
#![forbid(unsafe_code)]

use crate::native::Target;
use crate::scheduler::Core;
use crate::stats::histogram::Histogram;
use crate::wait::WaitReason;
use crate::watch::Accounting;

/// What [`Scheduler::histograms`](crate::Scheduler::histograms) answers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Histograms {
    /// How exact they are: of all waits and turns, or of one in about 60.
    pub accounting: Accounting,
    /// From the moment in which a wait was ended until its task went on.
    pub dispatch_delay: Histogram,
    /// How long a task had its thread until it gave it back. In samples, only turns that ended in a wait.
    pub turns: Histogram,
    /// From the beginning of a wait until its task went on, by reason. Reasons without a timed wait are left out.
    pub waits: Vec<(WaitReason, Histogram)>,
    /// Native sections that lasted until their slot was given to another thread, by what they call, from the moment in which
    /// the monitor first saw them, which is up to a tick too late. All of them, whatever the accounting.
    pub sections: Vec<(&'static Target, Histogram)>,
    /// Native sections from their beginning to their end, by what they call: all of tasks whose [time is booked](Accounting),
    /// and of others a sample, if waits are sampled.
    pub calls: Vec<(&'static Target, Histogram)>,
}

impl Histograms {
    pub(crate) fn of(core: &Core) -> Histograms {
        let rate = core.origin.rate();
        let [sections, calls] = core.lasting.histograms(rate);
        let mut histograms = Histograms {
            accounting: core.watching.accounting(),
            dispatch_delay: Histogram::new(rate),
            turns: Histogram::new(rate),
            waits: Vec::new(),
            sections,
            calls,
        };
        for thread in core.threads.iter() {
            thread.times.add_dispatch(&mut histograms.dispatch_delay);
            thread.times.add_turns(&mut histograms.turns);
        }
        for reason in WaitReason::all() {
            let mut waits = Histogram::new(rate);
            for thread in core.threads.iter() {
                thread.times.add_waits(reason, &mut waits);
            }
            if waits.count() > 0 {
                histograms.waits.push((reason, waits));
            }
        }
        histograms
    }
}
