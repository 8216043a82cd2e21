//! Cancel tokens: a cancellation ends the waits inside its scope, and none outside.

use std::sync::Arc;
use std::time::Duration;

use fiberhost_scheduler::model::{Plain, run_until_cancelled};
use fiberhost_scheduler::sync::AutoResetEvent;
use fiberhost_scheduler::{CancelToken, Wake};

use super::explore::{Bounds, explore, thread};

fn canceller(token: &CancelToken) -> thread::JoinHandle<()> {
    let token = token.clone();
    thread::spawn(move || token.cancel())
}

fn setter(event: &Arc<AutoResetEvent>) -> thread::JoinHandle<()> {
    let event = event.clone();
    thread::spawn(move || event.set())
}

/// A token is cancelled before, while or after a task enters its scope and waits: the wait ends, and what the canceller did
/// before is visible.
#[test]
fn a_cancellation_is_not_lost() {
    explore(Bounds::protocol(20), || {
        let token = CancelToken::new();
        let done = Arc::new(Plain::new(false));
        let canceller = {
            let (token, done) = (token.clone(), done.clone());
            thread::spawn(move || {
                done.set(true);
                token.cancel();
            })
        };
        let event = AutoResetEvent::new(false);
        assert_eq!(run_until_cancelled(&token, || event.wait()), Wake::Aborted);
        assert!(done.get() && token.is_cancelled());
        canceller.join().unwrap();
    });
}

/// Whoever sees that a token is cancelled, without waiting, sees what the canceller did before.
#[test]
fn who_looks_sees_what_was_done_before() {
    explore(Bounds::protocol(5), || {
        let token = CancelToken::new();
        let done = Arc::new(Plain::new(false));
        let canceller = {
            let (token, done) = (token.clone(), done.clone());
            thread::spawn(move || {
                done.set(true);
                token.cancel();
            })
        };
        assert!(!token.is_cancelled() || done.get());
        canceller.join().unwrap();
        assert!(token.is_cancelled());
    });
}

/// A token is cancelled while a task leaves its scope: no later wait hears of it, neither outside nor in another scope.
#[test]
fn a_cancellation_does_not_leak_into_the_next_scope() {
    explore(Bounds::protocol(500), || {
        let (token, other) = (CancelToken::new(), CancelToken::new());
        let canceller = canceller(&token);
        let event = Arc::new(AutoResetEvent::new(false));
        let setter = setter(&event);
        let inside = run_until_cancelled(&token, || event.wait_for(Duration::ZERO));
        if inside != Wake::Signalled {
            let next = run_until_cancelled(&other, || event.wait());
            assert_eq!(next, Wake::Signalled, "the next scope is another token's");
        }
        canceller.join().unwrap();
        setter.join().unwrap();
        assert_eq!(event.wait_for(Duration::ZERO), Wake::TimedOut, "outside");
    });
}

/// The token of the outer scope is cancelled while the inner scope ends: the outer scope's waits still end.
#[test]
fn a_cancellation_of_the_outer_scope_outlasts_the_inner_one() {
    explore(Bounds::protocol(20), || {
        let (outer, inner) = (CancelToken::new(), CancelToken::new());
        let canceller = canceller(&outer);
        let event = AutoResetEvent::new(false);
        let waited = run_until_cancelled(&outer, || {
            run_until_cancelled(&inner, || ());
            event.wait()
        });
        assert_eq!(waited, Wake::Aborted);
        canceller.join().unwrap();
        assert_eq!(event.wait_for(Duration::ZERO), Wake::TimedOut, "outside");
    });
}

/// Both tokens of nested scopes are cancelled: the outer scope's wait ends, and afterwards none does.
#[test]
fn two_cancellations_end_with_their_scopes() {
    explore(Bounds::protocol(100).preemptions(2), || {
        let (outer, inner) = (CancelToken::new(), CancelToken::new());
        let cancellers = [canceller(&outer), canceller(&inner)];
        let event = AutoResetEvent::new(false);
        run_until_cancelled(&outer, || {
            assert_eq!(run_until_cancelled(&inner, || event.wait()), Wake::Aborted);
            assert_eq!(event.wait(), Wake::Aborted);
        });
        assert_eq!(event.wait_for(Duration::ZERO), Wake::TimedOut, "outside");
        for canceller in cancellers {
            canceller.join().unwrap();
        }
        assert_eq!(event.wait_for(Duration::ZERO), Wake::TimedOut, "outside");
    });
}

/// A child is made while its parent is cancelled: it is cancelled too, and whoever waits for it is told.
#[test]
fn a_child_that_is_made_meanwhile_is_cancelled_too() {
    explore(Bounds::protocol(20), || {
        let token = CancelToken::new();
        let canceller = canceller(&token);
        let child = token.child();
        let event = AutoResetEvent::new(false);
        assert_eq!(run_until_cancelled(&child, || event.wait()), Wake::Aborted);
        canceller.join().unwrap();
    });
}

/// One waits for a token and another one gives up waiting for it, while it is cancelled.
#[test]
fn who_waits_for_a_token_is_told() {
    explore(Bounds::protocol(100), || {
        let token = CancelToken::new();
        let canceller = canceller(&token);
        let hasty = {
            let token = token.clone();
            thread::spawn(move || token.wait_for(Duration::ZERO))
        };
        assert_eq!(token.wait(), Wake::Signalled);
        assert!(matches!(
            hasty.join().unwrap(),
            Wake::Signalled | Wake::TimedOut
        ));
        canceller.join().unwrap();
    });
}
