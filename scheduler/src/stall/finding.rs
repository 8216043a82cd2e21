//! What a stalled thread does: from two looks at it, and from its own answer where those leave a doubt.
#![forbid(unsafe_code)]

use super::kernel::{Blocked, Look, judge};
use super::sample::Sample;
use super::{StallKind, StallTimes, Stretch};
use crate::primitive::Ordering;
use crate::scheduler::Core;
use crate::thread::Thread;

/// What the kernel says of this thread now.
pub(super) fn look(core: &Core, thread: &Thread) -> Option<Look> {
    Look::at(thread.os_id.load(Ordering::Relaxed), || core.now())
}

/// As far as is known.
#[derive(Clone, Copy)]
pub(super) struct Finding {
    pub(super) kind: StallKind,
    /// Which of the two kinds of running it is may be chance.
    is_unsure: bool,
    pub(super) blocked: Blocked,
    pub(super) times: Option<StallTimes>,
}

impl Finding {
    /// The second look.
    pub(super) fn of(
        core: &Core,
        thread: &Thread,
        stretch: Stretch,
        first: Option<Look>,
    ) -> Finding {
        let os_id = thread.os_id.load(Ordering::Relaxed);
        let judged = first.zip(look(core, thread));
        let judged = judged.map(|(first, second)| judge(&first, &second));
        let kind = match (stretch, judged) {
            (Stretch::Section(_), _) => StallKind::NativeSection,
            (_, Some(judged)) => judged.kind,
            // It was made, and has had no processor yet.
            _ if os_id == 0 => StallKind::Starving,
            _ => StallKind::Unknown,
        };
        let may_block = matches!(kind, StallKind::Sleeping | StallKind::NativeSection);
        Finding {
            kind,
            is_unsure: kind.is_running() && judged.is_some_and(|judged| judged.is_unsure),
            blocked: if may_block {
                Blocked::of(os_id)
            } else {
                Blocked::default()
            },
            times: judged.map(|judged| judged.times),
        }
    }

    /// What the thread has answered, if that is of the same stretch.
    pub(super) fn learn(&mut self, sample: &Sample) {
        self.blocked.call = self.blocked.call.or(sample.call);
        self.kind = match sample.in_kernel {
            Some(true) if self.is_unsure => StallKind::System,
            Some(false) if self.is_unsure => StallKind::User,
            _ => self.kind,
        };
    }
}
