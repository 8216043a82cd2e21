//! Waits that signals end without a locked instruction, against interruptions.

use std::sync::Arc;

use fiberhost_scheduler::Wake;
use fiberhost_scheduler::model::{List, Plain, Record, Waiter};

use super::explore::{Bounds, explore, thread};

/// Somebody alerts the waiter.
fn alert(me: &Waiter) -> thread::JoinHandle<()> {
    let handle = me.handle();
    thread::spawn(move || handle.alert())
}

/// Somebody signals.
fn signal(list: &Arc<List>) -> thread::JoinHandle<()> {
    let list = list.clone();
    thread::spawn(move || list.signal())
}

/// A signal and an alert come before, during or after the wait: one ends it, the other the next one, and whoever takes the
/// wait back is done with the waiter's stack when the waiter goes on.
#[test]
fn a_signal_and_an_alert_end_one_wait_each() {
    explore(Bounds::protocol(500), || {
        a_signal_and_an_alert();
    });
}

/// The same where the flags always send both the long way.
#[test]
fn a_signal_and_an_alert_end_one_wait_each_without_membarrier() {
    explore(
        Bounds::protocol(500).preemptions(2).without_membarrier(),
        || {
            a_signal_and_an_alert();
        },
    );
}

fn a_signal_and_an_alert() {
    let me = Waiter::here();
    let list = Arc::new(List::new());
    let others = [alert(&me), signal(&list)];
    // What lies on the waiter's stack: it is used again, for something else, as soon as the wait is over.
    let stack = Arc::new(Plain::new(0));
    let wait = || {
        let touched = stack.clone();
        let ended = me.wait_listed(&list, move || assert_eq!(touched.get(), 0));
        stack.set(1);
        stack.set(0);
        ended
    };
    let (first, second) = (wait(), wait());
    assert!(
        matches!(
            (first, second),
            (Wake::Signalled, Wake::Alerted) | (Wake::Alerted, Wake::Signalled)
        ),
        "{first:?}, {second:?}"
    );
    for other in others {
        other.join().unwrap();
    }
    assert!(!list.reset(), "nothing is left over");
}

/// Two signals and two waiters, one of which is alerted: no signal is lost.
#[test]
fn a_signal_passes_by_a_waiter_that_was_alerted() {
    explore(Bounds::protocol(500).preemptions(2), || {
        let list = Arc::new(List::new());
        let other = {
            let list = list.clone();
            thread::spawn(move || Waiter::here().wait_listed(&list, || {}))
        };
        let me = Waiter::here();
        let others = [alert(&me), signal(&list)];
        let mine = me.wait_listed(&list, || {});
        if mine == Wake::Signalled {
            // The other one still waits.
            list.signal();
        }
        assert_eq!(other.join().unwrap(), Wake::Signalled);
        for other in others {
            other.join().unwrap();
        }
    });
}

/// A task ends while its joiner begins to wait, so that the joiner takes its wait back; an alert has seen that wait: whoever
/// is at it is done with the joiner's stack when the joiner goes on, and the alert is there for the next wait.
#[test]
fn a_joiner_that_goes_on_at_once_is_let_go_first() {
    explore(Bounds::protocol(200), || {
        let (task, me) = (Record::spawned(), Waiter::here());
        let (keep, list) = (task.handle(), List::new());
        let alerter = alert(&me);
        let worker = thread::spawn(move || task.complete());
        // What lies on the joiner's stack: it is used again, for something else, as soon as the wait is over.
        let stack = Arc::new(Plain::new(0));
        let touched = stack.clone();
        let ended = me.join_listed(task, move || assert_eq!(touched.get(), 0));
        stack.set(1);
        if ended == Wake::Signalled {
            assert!(keep.is_finished());
            assert_eq!(me.wait_listed(&list, || {}), Wake::Alerted);
        }
        assert!(
            matches!(ended, Wake::Signalled | Wake::Alerted),
            "{ended:?}"
        );
        alerter.join().unwrap();
        worker.join().unwrap();
    });
}
