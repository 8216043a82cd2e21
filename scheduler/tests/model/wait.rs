//! The wait word: however many want to end a wait, one of them does, and only the wait that it means.

use std::sync::Arc;

use fiberhost_scheduler::Wake;
use fiberhost_scheduler::model::{Allow, Plain, WaitWord};

use super::explore::{Bounds, explore, thread};

/// A signal, a time limit and an interruption race for one wait. One wins; what it did before is visible to the waiter.
#[test]
fn one_of_three_ends_it() {
    explore(Bounds::protocol(1_000), || {
        let word = Arc::new(WaitWord::new());
        let done = Arc::new([const { () }; 3].map(|()| Plain::new(false)));
        let claims = |token: u16, claim: Box<dyn FnOnce(&WaitWord) -> bool + Send>| {
            let (word, done) = (word.clone(), done.clone());
            thread::spawn(move || {
                done[usize::from(token)].set(true);
                claim(&word)
            })
        };
        let alerter = claims(
            0,
            Box::new(|word| word.interrupt(Allow::Alert, Wake::Alerted)),
        );
        let epoch = word.arm(Allow::Alert);
        let signaller = claims(
            1,
            Box::new(move |word| word.claim(epoch, Wake::Signalled, 1)),
        );
        let timer = claims(
            2,
            Box::new(move |word| word.claim(epoch, Wake::TimedOut, 2)),
        );
        let seen = (!word.is_armed()).then(|| word.ended());
        if let Some((_, token)) = seen {
            assert!(done[usize::from(token)].get());
        }
        let [alerted, signalled, timed_out] =
            [alerter, signaller, timer].map(|thread| thread.join().unwrap());
        let ended = word.ended();
        assert!(signalled || timed_out || alerted, "the wait ended");
        assert_eq!(
            u8::from(alerted) + u8::from(signalled) + u8::from(timed_out),
            1,
            "it ended once"
        );
        assert_eq!(
            (alerted, signalled),
            (ended.0 == Wake::Alerted, ended.0 == Wake::Signalled)
        );
        assert!(
            seen.is_none_or(|seen| seen == ended),
            "the end does not change"
        );
    });
}

/// Somebody who comes late for one wait leaves the next one alone.
#[test]
fn a_late_claim_does_not_end_the_next_wait() {
    explore(Bounds::protocol(10), || {
        let word = Arc::new(WaitWord::new());
        let first = word.arm(Allow::Alert);
        let late = [1, 2].map(|token| {
            let word = word.clone();
            thread::spawn(move || word.claim(first, Wake::Signalled, token))
        });
        let timed_out = word.claim(first, Wake::TimedOut, 0);
        let second = word.arm(Allow::Never);
        assert!(
            !word.interrupt(Allow::Unwind, Wake::Aborted),
            "nothing may interrupt it"
        );
        let claims = late.map(|thread| u8::from(thread.join().unwrap()));
        assert_eq!(
            claims[0] + claims[1] + u8::from(timed_out),
            1,
            "the first wait ended once"
        );
        assert!(
            word.claim(second, Wake::Signalled, 3),
            "the second wait is still on"
        );
        assert_eq!(word.ended(), (Wake::Signalled, 3));
    });
}

/// The settle finds that the wait is over while it publishes it: either it takes the wait back, or somebody else has it.
#[test]
fn a_settle_that_steps_back_is_not_woken() {
    explore(Bounds::protocol(5), || {
        let word = Arc::new(WaitWord::new());
        let alerter = {
            let word = word.clone();
            thread::spawn(move || word.interrupt(Allow::Alert, Wake::Alerted))
        };
        let epoch = word.arm(Allow::Alert);
        let taken_back = word.disarm(epoch);
        let alerted = alerter.join().unwrap();
        assert_ne!(taken_back, alerted, "one of the two has it");
    });
}
