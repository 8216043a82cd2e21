//! The spans of `tracing` around a task: entered when it runs, exited when it does not.
//!
//! Subscribers keep the spans that are entered by *thread*. A task that waits leaves its thread to others, which must not be
//! taken to run inside its spans; and it may go on on another thread. So the worker, on its own stack, around each resume of
//! a task that has a span:
//!
//! 1. before: enters what the task had entered, outermost first; the first time that is the task's span;
//! 2. after: exits all that is entered beyond what was so before step 1, and keeps it for the next time.
//!
//! So what the task's code has entered itself, with a guard that it holds across a wait, is carried with it. It is
//! found by asking the subscriber for the current span again and again, which all do that keep spans by thread. Of one that
//! does not say, only the task's own span is exited and entered.
//!
//! The subscriber is that of the task's span. A panic of it ends here.
//!
//! A task without a span has none of this, and costs nothing: it is one of the bits that make a task unusual.
//! A task with a thread of its own, and one that owns its thread for the time of a wait, stay in their spans while they wait.
#![forbid(unsafe_code)]

use tracing::span::Id;
use tracing::{Dispatch, Span};

use crate::task::Task;
use crate::task::payload::contain;

/// No thread enters so many in one another: a subscriber that goes on naming some does not keep them by thread.
const DEPTH_MAX: usize = 1024;

/// A task's span, and what was entered when it last gave its thread back. Owner: whoever runs the task.
pub(crate) struct Carried {
    span: Span,
    /// Outermost first. One reference to each is kept.
    entered: Vec<Id>,
    /// What was current on the worker's stack, while the task runs.
    outside: Option<Id>,
}

impl Carried {
    pub(crate) fn new(span: Span) -> Carried {
        Carried {
            span,
            entered: Vec::new(),
            outside: None,
        }
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        let entered = std::mem::take(&mut self.entered);
        self.span.with_subscriber(|(_, subscriber)| {
            for id in entered {
                subscriber.try_close(id);
            }
        });
    }
}

/// Step 1.
pub(crate) fn enter(task: &Task) {
    let Some(Carried {
        span,
        entered,
        outside,
    }) = &mut task.extra_mut().span
    else {
        return;
    };
    contain(|| {
        span.with_subscriber(|(own, subscriber)| {
            *outside = subscriber.current_span().id().cloned();
            if entered.is_empty() {
                return subscriber.enter(own);
            }
            for id in entered.drain(..) {
                subscriber.enter(&id);
                // The reference that was kept; entered it has another one.
                subscriber.try_close(id);
            }
        });
    });
}

/// Step 2.
pub(crate) fn exit(task: &Task) {
    let Some(Carried {
        span,
        entered,
        outside,
    }) = &mut task.extra_mut().span
    else {
        return;
    };
    contain(|| {
        span.with_subscriber(|(own, subscriber)| {
            if subscriber.current_span().is_known() {
                exit_all(subscriber, outside.as_ref(), entered);
            } else {
                subscriber.exit(own);
            }
        });
    });
}

fn exit_all(subscriber: &Dispatch, outside: Option<&Id>, entered: &mut Vec<Id>) {
    while entered.len() < DEPTH_MAX
        && let Some(id) = subscriber.current_span().id()
        && Some(id) != outside
    {
        entered.push(subscriber.clone_span(id));
        subscriber.exit(id);
    }
    entered.reverse();
}

/// The task has ended, and its last exit was done: so does its span, before anybody who joins it knows.
pub(crate) fn end(task: &Task) {
    let Some(carried) = task.extra_mut().span.take() else {
        return;
    };
    contain(|| {
        tracing::trace!(parent: &carried.span, task = task.id.get(), "task ended");
        drop(carried);
    });
}
