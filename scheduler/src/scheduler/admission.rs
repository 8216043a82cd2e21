//! The limit on live tasks: a spawn is let in, refused, or waits in turn until a task ends.
#![forbid(unsafe_code)]

use super::Core;
use super::spawn::{Refusal, SpawnError};
use crate::builder::Admission;
use crate::park::{self, Limit};
use crate::primitive::Ordering;
use crate::wait::{Interrupt, WaitReason, Wake};

impl Core {
    pub(super) fn admit(&self) -> Result<(), SpawnError> {
        let max = self.settings.max_tasks;
        if max == usize::MAX || self.try_admit(max) {
            return Ok(());
        }
        if self.settings.admission == Admission::Refuse {
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
                let mut list = self.admission.lock();
                if self.try_admit(max) {
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
        self.admission.lock().remove(&waited.who.node);
        park::check(waited.wake);
        Err(SpawnError(Refusal::Cancelled))
    }

    fn try_admit(&self, max: usize) -> bool {
        self.live
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |live| {
                (live < max).then_some(live + 1)
            })
            .is_ok()
    }

    /// A task ended: its place goes to the first who waits for one, or becomes free.
    #[cold]
    pub(crate) fn leave_admission(&self) {
        let mut list = self.admission.lock();
        let next = list.claim_first();
        if next.is_none() {
            self.live.fetch_sub(1, Ordering::AcqRel);
        }
        drop(list);
        if let Some(task) = next {
            crate::worker::make_runnable(task);
        }
    }
}
