//! Futures and tasks: `block_on` drives a future in a task, and a task's end is a future for any executor.
//!
//! There is no protocol here that is not elsewhere:
//!
//! - The waker of [`block_on`] sets an [`AutoResetEvent`] for which its caller waits: a wake before the wait is kept, one
//!   during it ends it, and one that comes late sets an event that nobody looks at any more. A wake is no permit of
//!   [`park`](crate::park) and takes none.
//! - A waker at a join handle is one more joiner. It lies in the task's record, under a lock, and is announced in the life
//!   word as the list of joiners is: the end of the task either sees the announcement, and then takes the waker under the
//!   lock, or it came before, and the announcement says so.
#![forbid(unsafe_code)]

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use crate::current::running;
use crate::join::{JoinError, JoinHandle};
use crate::sync::AutoResetEvent;
use crate::task::Task;
use crate::task::payload::contain;
use crate::wait::{Interrupt, WaitReason};

/// What a waker sets.
struct Notice(AutoResetEvent);

impl Wake for Notice {
    fn wake(self: Arc<Self>) {
        self.0.set();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.set();
    }
}

/// Runs a future to its end in the calling task, which parks while the future waits. A plain thread blocks.
///
/// The future stays where it is: it need be neither `Send` nor `'static`. It is polled on the task's stack, and may itself
/// wait as tasks do, though what else it would do meanwhile then waits too.
///
/// ```
/// use fiberhost_scheduler::{block_on, run, spawn};
///
/// let sum = run(|| {
///     // A join handle is a future.
///     let (one, two) = (spawn(|| 1), spawn(|| 2));
///     block_on(async { one.await.unwrap() + two.await.unwrap() })
/// });
/// assert_eq!(sum, 3);
/// ```
///
/// # Unwinding
/// A task that is aborted, or whose enclosing [`timeout`](crate::timeout) passes, while the future waits, drops the future
/// and unwinds. Alerts and cancellations do not end this wait: it has no way to report them.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let notice = Arc::new(Notice(AutoResetEvent::new(false)));
    let waker = Waker::from(Arc::clone(&notice));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        notice.0.wait_as(WaitReason::Future, Interrupt::Unwind);
    }
}

/// The end of the task, for any executor, as [`join`](JoinHandle::join) would have it.
///
/// Only the waker of the last poll is woken. Dropping the handle meanwhile lets the task go on alone; the waker stays with
/// the task until it ends.
///
/// # Panics
/// If it is polled again after it has given its result.
impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let task = self.task().record();
        if running().is_some_and(|(_, me)| std::ptr::eq(me, task)) {
            return Poll::Ready(Err(JoinError::itself()));
        }
        if leave_waker(task, context.waker()) {
            return Poll::Pending;
        }
        Poll::Ready(self.take())
    }
}

/// Stands in for a joiner. `false`: the task has ended.
pub(crate) fn leave_waker(task: &'static Task, waker: &Waker) -> bool {
    let mut place = task.waker.lock();
    let announced = task.life.announce_list() || cfg!(feature = "bug_join_announce");
    if !announced {
        return false;
    }
    let before = match &mut *place {
        Some(same) if same.will_wake(waker) => None,
        other => other.replace(waker.clone()),
    };
    drop(place);
    // A waker's drop is the user's code.
    drop(before);
    true
}

/// The end of a task with joiners beyond the first.
pub(crate) fn wake_joiner(task: &'static Task) {
    let waker = task.waker.lock().take();
    if let Some(waker) = waker {
        // The user's code, on a worker's own stack: its panic has nobody to go to.
        contain(|| waker.wake());
    }
}
