//! The limit on live tasks: a spawn is let in, refused, or waits in turn until a task ends.
#![forbid(unsafe_code)]

use super::Core;
use super::spawn::{Refusal, SpawnError};
use crate::builder::{Admission, Settings};
use crate::park::{self, Limit};
use crate::primitive::{AtomicUsize, For, Ordering, SpinLock};
use crate::sync::wait_list::WaitList;
use crate::wait::{Interrupt, WaitReason, Wake};

/// The limit, and who waits before it: one for a scheduler and its reservation.
pub(super) struct Gate {
    max: usize,
    admission: Admission,
    /// Live tasks, where there is a limit.
    live: AtomicUsize,
    waiting: SpinLock<WaitList>,
}

impl Gate {
    pub(super) fn new(settings: &Settings) -> Gate {
        Gate {
            max: settings.max_tasks,
            admission: settings.admission,
            live: AtomicUsize::new(0),
            waiting: SpinLock::new(For::Admission, WaitList::new()),
        }
    }

    fn try_admit(&self) -> bool {
        self.live
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |live| {
                (live < self.max).then_some(live + 1)
            })
            .is_ok()
    }
}

impl Core {
    pub(super) fn admit(&self) -> Result<(), SpawnError> {
        let gate = &*self.gate;
        let max = gate.max;
        if max == usize::MAX || gate.try_admit() {
            return Ok(());
        }
        if gate.admission == Admission::Refuse {
            tracing::debug!(
                max,
                "the limit of live tasks is reached: a spawn is refused"
            );
            return Err(SpawnError(Refusal::Limit(max)));
        }
        let waited = park::wait(
            WaitReason::Admission,
            Limit::Never,
            Interrupt::Abort,
            |task, allow| {
                let mut list = gate.waiting.lock();
                if !cfg!(feature = "bug_admission_look") && gate.try_admit() {
                    return None;
                }
                let epoch = task.wait.arm(allow);
                list.push(&task.node, task, epoch, 0);
                Some(epoch)
            },
        );
        if waited.wake == Wake::Signalled {
            return Ok(());
        }
        gate.waiting.lock().remove(&waited.who.node);
        park::check(waited.wake);
        Err(SpawnError(Refusal::Cancelled))
    }

    /// A task ended: its place goes to the first who waits for one, or becomes free.
    #[cold]
    pub(crate) fn leave_admission(&self) {
        let mut list = self.gate.waiting.lock();
        let next = list.claim_first();
        if next.is_none() {
            self.gate.live.fetch_sub(1, Ordering::AcqRel);
        }
        drop(list);
        if let Some(task) = next {
            crate::runnable::make_runnable(task);
        }
    }
}
