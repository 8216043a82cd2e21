//! Waits that block an OS thread, against what ends them otherwise than by a signal: an alert, and the end of the host.

use std::sync::Arc;

use fiberhost::model::Unmanaged;
use fiberhost_scheduler::sync::AutoResetEvent;
use fiberhost_scheduler::{Heed, Wake, current};

use super::explore::{Bounds, explore, thread};

/// A task in unmanaged code, what it waits for, and whether it is its thread.
struct Place {
    task: Unmanaged,
    event: AutoResetEvent,
    adopted: bool,
}

impl Place {
    fn new(adopted: bool) -> Arc<Place> {
        Arc::new(Place {
            task: Unmanaged::default(),
            event: AutoResetEvent::new(false),
            adopted,
        })
    }

    fn wait(&self, heed: Heed) -> Wake {
        self.wait_for(&self.event, heed)
    }

    fn wait_for(&self, event: &AutoResetEvent, heed: Heed) -> Wake {
        self.task
            .wait(heed, self.adopted, |heed| event.wait_heeding(None, heed))
    }

    /// An alert and a signal end one wait each.
    fn wait_for_both(&self) {
        let (first, second) = (self.wait(Heed::Alert), self.wait(Heed::Alert));
        assert!(
            matches!(
                (first, second),
                (Wake::Signalled, Wake::Alerted) | (Wake::Alerted, Wake::Signalled)
            ),
            "{first:?}, {second:?}"
        );
    }

    /// Somebody alerts the calling thread's task.
    fn alert(self: &Arc<Self>) -> thread::JoinHandle<()> {
        let place = Arc::clone(self);
        let me = self.adopted.then(current);
        thread::spawn(move || place.task.alert(me.as_ref()))
    }

    fn signal(self: &Arc<Self>) -> thread::JoinHandle<()> {
        let place = Arc::clone(self);
        thread::spawn(move || place.event.set())
    }

    fn end(self: &Arc<Self>) -> thread::JoinHandle<()> {
        let place = Arc::clone(self);
        thread::spawn(move || place.task.end())
    }
}

/// An alert comes before, while or after a task goes to wait in unmanaged code: it ends that wait, which nothing else would.
#[test]
fn an_alert_meets_a_wait_that_blocks() {
    explore(Bounds::protocol(20), || {
        let place = Place::new(false);
        let alerter = place.alert();
        assert_eq!(place.wait(Heed::Alert), Wake::Alerted);
        alerter.join().unwrap();
    });
}

/// The same of a thread that is a task.
#[test]
fn an_alert_meets_a_wait_of_an_adopted_thread() {
    explore(Bounds::protocol(20), || {
        let place = Place::new(true);
        let alerter = place.alert();
        assert_eq!(place.wait(Heed::Alert), Wake::Alerted);
        alerter.join().unwrap();
    });
}

/// An alert and a signal: one ends this wait, the other one the next.
#[test]
fn an_alert_and_a_signal_end_one_wait_each() {
    explore(Bounds::protocol(500).preemptions(2), || {
        let place = Place::new(false);
        let others = [place.alert(), place.signal()];
        place.wait_for_both();
        for other in others {
            other.join().unwrap();
        }
        assert!(!place.event.reset(), "nothing is left over");
    });
}

/// A wait has taken the alert by the time it comes to wake the thread: the one that is woken instead goes on.
#[test]
fn an_alert_that_wakes_late_ends_no_other_wait() {
    explore(Bounds::protocol(500).preemptions(2), || {
        let (place, last) = (Place::new(false), Arc::new(AutoResetEvent::new(false)));
        let alerter = place.alert();
        let signaller = {
            let (place, last) = (place.clone(), last.clone());
            thread::spawn(move || {
                place.event.set();
                last.set();
            })
        };
        place.wait_for_both();
        assert_eq!(place.wait_for(&last, Heed::Alert), Wake::Signalled);
        alerter.join().unwrap();
        signaller.join().unwrap();
    });
}

/// The host ends before, while or after a thread goes to block: that wait ends, and every later one.
#[test]
fn the_end_of_the_host_meets_a_wait_that_blocks() {
    explore(Bounds::protocol(20), || {
        let place = Place::new(false);
        let ender = place.end();
        assert_eq!(place.wait(Heed::Cancel), Wake::Aborted);
        assert_eq!(place.wait(Heed::Cancel), Wake::Aborted);
        ender.join().unwrap();
    });
}

/// The host ends while the task is alerted: each ends a wait, and after the alert only the end is left.
#[test]
fn an_alert_and_the_end_of_the_host_are_both_told() {
    explore(Bounds::protocol(500).preemptions(2), || {
        let place = Place::new(false);
        let others = [place.alert(), place.end()];
        let mut alerts = 0;
        while place.wait(Heed::Alert) == Wake::Alerted {
            alerts += 1;
        }
        for other in others {
            other.join().unwrap();
        }
        while place.wait(Heed::Alert) == Wake::Alerted {
            alerts += 1;
        }
        assert_eq!(alerts, 1);
    });
}
