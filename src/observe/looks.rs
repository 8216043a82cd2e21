//! Looks at a scheduler for those who ask at its socket: not one after the other without a pause, and one for all who have
//! asked meanwhile.
//!
//! A look costs the workers a little: each line of memory that a worker writes at a switch, and a look reads, has to come
//! back before the next switch goes on. Somebody who looks all the time takes each of them thousands of times a
//! millisecond. So after a look there is a pause: a few ticks of the coarse clock, by which the times in the tables go, and
//! no shorter than the look itself was.
//!
//! What is answered is never older than the question: a look serves those who had asked before it began.
#![forbid(unsafe_code)]

use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use fiberhost_scheduler::Observed;
use parking_lot::Mutex;

use crate::views::Views;

/// Between the end of a look and the beginning of the next one, at least.
const PAUSE: Duration = Duration::from_millis(4);

pub(super) struct Looks {
    observed: Observed,
    last: Mutex<Option<Last>>,
}

struct Last {
    began: Instant,
    ended: Instant,
    /// For as long as somebody makes an answer of it.
    views: Weak<Views>,
}

impl Looks {
    pub(super) fn new(observed: Observed) -> Looks {
        Looks {
            observed,
            last: Mutex::new(None),
        }
    }

    pub(super) fn name(&self) -> &str {
        self.observed.name()
    }

    /// One that begins after this is called. It takes as long as the pause and two looks at most.
    pub(super) fn take(&self) -> Arc<Views> {
        self.take_since(Instant::now())
    }

    fn take_since(&self, asked: Instant) -> Arc<Views> {
        // Who looks keeps the lock, so the others wait for the look that may serve them.
        let mut last = self.last.lock();
        if let Some(last) = &*last {
            let is_new = last.began >= asked;
            if let Some(views) = last.views.upgrade().filter(|_| is_new) {
                return views;
            }
            let pause = PAUSE.max(last.ended - last.began);
            thread::sleep(pause.saturating_sub(last.ended.elapsed()));
        }
        let began = Instant::now();
        let views = Arc::new(Views::with_hosts(&self.observed));
        *last = Some(Last {
            began,
            ended: Instant::now(),
            views: Arc::downgrade(&views),
        });
        views
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fiberhost_scheduler::Scheduler;

    #[test]
    fn looks_are_apart_and_serve_who_asked_before() {
        let scheduler = Scheduler::builder().workers(1).build();
        let scheduler = scheduler.expect("a scheduler");
        let looks = Looks::new(scheduler.observed());
        let asked = Instant::now();
        let first = looks.take_since(asked);
        let ended = Instant::now();
        assert!(Arc::ptr_eq(&first, &looks.take_since(asked)));
        // Who asks now is not shown what was before.
        let second = looks.take();
        assert!(!Arc::ptr_eq(&first, &second));
        let last = looks.last.lock();
        let began = last.as_ref().expect("there were looks").began;
        assert!(began - asked >= PAUSE, "after {:?}", began - asked);
        assert!(began >= ended);
        drop(last);
        // Nobody has it any more.
        drop((first, second));
        let third = looks.take_since(asked);
        let last = looks.last.lock();
        let last = last.as_ref().expect("there were looks");
        assert!(last.began - began >= PAUSE);
        assert!(Weak::ptr_eq(&last.views, &Arc::downgrade(&third)));
    }
}
