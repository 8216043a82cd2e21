//! Interruptions and time limits against waits that begin and end.

use std::sync::Arc;
use std::time::Duration;

use fiberhost_scheduler::model::{Allow, Timers, Waiter, advance, let_time_pass};
use fiberhost_scheduler::sync::AutoResetEvent;
use fiberhost_scheduler::{Wake, current};

use super::explore::{Bounds, explore, thread};

/// An alert comes before, during or after the wait is armed: it ends this wait, which nothing else would end.
#[test]
fn an_alert_is_not_missed() {
    explore(Bounds::protocol(5), || {
        an_alert_for_the_only_wait();
    });
}

/// The same where the flags always send the settle the long way.
#[test]
fn an_alert_is_not_missed_without_membarrier() {
    explore(Bounds::protocol(5).without_membarrier(), || {
        an_alert_for_the_only_wait();
    });
}

fn an_alert_for_the_only_wait() {
    let me = current();
    let alerter = thread::spawn(move || me.alert());
    assert_eq!(AutoResetEvent::new(false).wait(), Wake::Alerted);
    alerter.join().unwrap();
}

/// An alert and a signal for one wait: one ends it, the other is there for the next.
#[test]
fn an_alert_and_a_signal_end_one_wait_each() {
    explore(Bounds::protocol(100), || {
        let event = Arc::new(AutoResetEvent::new(false));
        let me = current();
        let alerter = thread::spawn(move || me.alert());
        let setter = {
            let event = event.clone();
            thread::spawn(move || event.set())
        };
        let (first, second) = (event.wait(), event.wait());
        assert!(matches!(
            (first, second),
            (Wake::Signalled, Wake::Alerted) | (Wake::Alerted, Wake::Signalled)
        ));
        alerter.join().unwrap();
        setter.join().unwrap();
        assert!(!event.reset(), "nothing is left over");
    });
}

/// A cancellation stays: it ends this wait and every later one.
#[test]
fn a_cancellation_ends_every_later_wait() {
    explore(Bounds::protocol(5), || {
        let event = AutoResetEvent::new(false);
        let me = current();
        let canceller = thread::spawn(move || me.cancel());
        assert_eq!(event.wait(), Wake::Aborted);
        assert_eq!(event.wait(), Wake::Aborted);
        canceller.join().unwrap();
    });
}

/// A timer, a signal and an abort race for one wait; the timer, if it is late, leaves the next wait alone.
#[test]
fn a_timer_a_signal_and_an_abort_end_one_wait() {
    explore(Bounds::protocol(500), || {
        let timers = Timers::new();
        let me = Waiter::here();
        let first = me.arm(Allow::Unwind);
        timers.arm(me, first, 1);
        let signaller = thread::spawn(move || me.wake(first, Wake::Signalled));
        let handle = me.handle();
        let aborter = thread::spawn(move || handle.abort());
        // The worker's turn: the settle's last step, then the timers, then sleep until somebody has ended the wait.
        let mine = me.missed_interrupt(first);
        if !mine {
            timers.fire(1);
            me.sleep();
        }
        let ended = me.ended();
        assert!(!me.is_armed(), "who calls has ended the wait");
        let second = me.arm(Allow::Never);
        timers.fire(1);
        let signalled = signaller.join().unwrap();
        aborter.join().unwrap();
        assert_eq!(signalled, ended == Wake::Signalled);
        assert!(
            me.is_armed(),
            "the second wait is not the timer's, nor the abort's"
        );
        assert!(!me.is_called(), "nobody calls twice");
        assert!(me.wake(second, Wake::Signalled));
    });
}

/// Time passes while a thread goes to sleep until then, and somebody sets the event: the wait ends, once.
#[test]
fn a_sleep_ends_with_its_limit_or_with_the_signal() {
    explore(Bounds::protocol(100), || {
        let_time_pass();
        let event = Arc::new(AutoResetEvent::new(false));
        let setter = {
            let event = event.clone();
            thread::spawn(move || event.set())
        };
        let clock = thread::spawn(|| advance(Duration::from_secs(2)));
        let limit = Duration::from_secs(1);
        let first = event.wait_for(limit);
        setter.join().unwrap();
        clock.join().unwrap();
        match first {
            Wake::Signalled => assert!(!event.reset(), "the set was used"),
            Wake::TimedOut => assert!(event.reset(), "the set is still there"),
            other => panic!("{other:?}"),
        }
    });
}
