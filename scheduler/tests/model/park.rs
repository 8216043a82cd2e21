//! The permit of `park`.

use std::sync::Arc;
use std::time::Duration;

use fiberhost_scheduler::model::Plain;
use fiberhost_scheduler::{Wake, current, park, park_for};

use super::explore::{Bounds, explore, thread};

/// The permit comes before, during or after the park begins: it is found, and what its giver did before is visible.
#[test]
fn a_permit_is_not_lost() {
    explore(Bounds::protocol(10), || {
        let me = current();
        let done = Arc::new(Plain::new(false));
        let giver = {
            let done = done.clone();
            thread::spawn(move || {
                done.set(true);
                me.unpark();
            })
        };
        assert_eq!(park(), Wake::Signalled);
        assert!(done.get());
        giver.join().unwrap();
    });
}

/// Two give a permit to one who parks: it is woken once for each that it uses, and none is left over or missing.
#[test]
fn two_permits_wake_at_least_once_and_at_most_twice() {
    explore(Bounds::protocol(100), || {
        let givers = [(); 2].map(|()| {
            let me = current();
            thread::spawn(move || me.unpark())
        });
        assert_eq!(park(), Wake::Signalled);
        let again = park_for(Duration::ZERO);
        for giver in givers {
            giver.join().unwrap();
        }
        let left = park_for(Duration::ZERO);
        assert!(
            again != Wake::Signalled || left == Wake::TimedOut,
            "two permits woke three parks"
        );
        assert_eq!(
            park_for(Duration::ZERO),
            Wake::TimedOut,
            "nothing is left over"
        );
    });
}

/// One permit against parks whose time is over at once: it ends one of them, the last one if no other.
#[test]
fn a_permit_that_meets_a_time_limit_ends_one_park() {
    explore(Bounds::protocol(50), || {
        let me = current();
        let giver = thread::spawn(move || me.unpark());
        let early = [(); 3].map(|()| park_for(Duration::ZERO));
        giver.join().unwrap();
        let late = park_for(Duration::ZERO);
        let all = early.into_iter().chain([late]);
        assert_eq!(
            all.filter(|&wake| wake == Wake::Signalled).count(),
            1,
            "{early:?} {late:?}"
        );
    });
}

/// A permit and an alert for the same park: each ends one.
#[test]
fn a_permit_and_an_alert_end_one_park_each() {
    explore(Bounds::protocol(100), || {
        a_permit_and_an_alert();
    });
}

/// The same where the flags always send the park the long way.
#[test]
fn a_permit_and_an_alert_end_one_park_each_without_membarrier() {
    explore(
        Bounds::protocol(100).preemptions(2).without_membarrier(),
        || {
            a_permit_and_an_alert();
        },
    );
}

fn a_permit_and_an_alert() {
    let me = current();
    let giver = thread::spawn(move || me.unpark());
    let me = current();
    let alerter = thread::spawn(move || me.alert());
    let first = park();
    let second = park();
    assert!(matches!(
        (first, second),
        (Wake::Signalled, Wake::Alerted) | (Wake::Alerted, Wake::Signalled)
    ));
    giver.join().unwrap();
    alerter.join().unwrap();
    assert_eq!(park_for(Duration::ZERO), Wake::TimedOut);
}
