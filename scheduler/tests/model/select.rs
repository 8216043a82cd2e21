//! Select: it ends for one channel only, and what the others have stays there.

use std::time::Duration;

use fiberhost_scheduler::sync::AutoResetEvent;
use fiberhost_scheduler::sync::channel::{Receiver, Select, SelectTimeoutError, Sender, bounded};
use fiberhost_scheduler::{Wake, current};

use super::channel::{Item, item, rest, sends};
use super::explore::{Bounds, explore, thread};

/// Receives from one of the two.
fn receive_one(receivers: &[Receiver<Item>; 2]) -> Option<u32> {
    let mut select = Select::new();
    for receiver in receivers {
        select.recv(receiver);
    }
    let chosen = select.select();
    let index = chosen.index();
    chosen.recv(&receivers[index]).ok().map(|item| item.get())
}

/// Two channels get an item each while one selects: it has one of them, the other comes afterwards.
fn one_of_two(capacity: usize) {
    let ((first, from_first), (second, from_second)) = (bounded(capacity), bounded(capacity));
    let senders = [sends(&first, 1), sends(&second, 2)];
    drop((first, second));
    let receivers = [from_first, from_second];
    let mut came =
        vec![receive_one(&receivers).expect("no sender goes before its item was received")];
    came.extend(receivers.iter().flat_map(rest));
    came.sort_unstable();
    assert_eq!(came, [1, 2]);
    for sender in senders {
        sender.join().unwrap();
    }
}

#[test]
fn a_select_takes_one_of_two_items() {
    explore(Bounds::protocol(500), || one_of_two(1));
}

#[test]
fn a_select_meets_one_of_two_senders() {
    explore(Bounds::protocol(500), || one_of_two(0));
}

/// A select that gives up, and one that is alerted, have received nothing: the item comes afterwards.
#[test]
fn a_select_that_ends_otherwise_has_nothing() {
    explore(Bounds::protocol(200), || {
        let ((first, from_first), (_second, from_second)) = (bounded(0), bounded::<Item>(0));
        let sender = sends(&first, 1);
        drop(first);
        let me = current();
        let alerter = thread::spawn(move || me.alert());
        let mut came = Vec::new();
        let mut alerted = 0;
        for limit in [Duration::ZERO, Duration::MAX, Duration::MAX] {
            if came.len() + alerted == 2 {
                break;
            }
            let mut select = Select::new();
            let index = select.recv(&from_first);
            select.recv(&from_second);
            match select.select_for(limit) {
                Ok(chosen) => {
                    assert_eq!(chosen.index(), index, "the other channel has nothing");
                    came.extend(chosen.recv(&from_first).map(|item| item.get()));
                    break;
                }
                Err(SelectTimeoutError::Timeout) => assert!(limit.is_zero()),
                Err(SelectTimeoutError::Interrupted(wake)) => {
                    assert_eq!(wake, Wake::Alerted);
                    alerted += 1;
                }
            }
        }
        assert!(alerted <= 1, "one alert ends one wait");
        came.extend(rest(&from_first));
        assert_eq!(came, [1]);
        alerter.join().unwrap();
        sender.join().unwrap();
    });
}

/// Sends to the channel, or gives the chance away.
fn select_send(sender: &Sender<Item>, number: Option<u32>) {
    let mut select = Select::new();
    select.send(sender);
    let chosen = select.select();
    if let Some(number) = number {
        assert!(chosen.send(sender, item(number)).is_ok());
    }
}

/// One selects to send and one selects to receive, in a channel without room.
#[test]
fn two_selects_meet() {
    explore(Bounds::protocol(100), || {
        let ((sender, receiver), (_other, from_other)) = (bounded(0), bounded(0));
        let selects = thread::spawn(move || select_send(&sender, Some(1)));
        assert_eq!(receive_one(&[receiver, from_other]), Some(1));
        selects.join().unwrap();
    });
}

/// One that was chosen to send gives its chance away: the receiver that it had in its hand looks again.
#[test]
fn a_receiver_whose_sender_changed_its_mind_looks_again() {
    explore(Bounds::protocol(500), || {
        let (sender, receiver) = bounded(0);
        let fickle = {
            let sender = sender.clone();
            thread::spawn(move || {
                let mut select = Select::new();
                select.send(&sender);
                // Chosen or not, nothing is sent.
                drop(select.select_for(Duration::ZERO));
            })
        };
        let patient = sends(&sender, 1);
        drop(sender);
        assert_eq!(rest(&receiver), [1]);
        fickle.join().unwrap();
        patient.join().unwrap();
    });
}

/// Room that was reserved for one that gave its chance away is there for the next one.
#[test]
fn reserved_room_that_is_not_used_goes_to_the_next_sender() {
    explore(Bounds::protocol(10), || {
        let (sender, receiver) = bounded(1);
        let patient = sends(&sender, 1);
        select_send_once(&sender);
        patient.join().unwrap();
        drop(sender);
        assert_eq!(rest(&receiver), [1]);
    });
}

/// Takes a chance to send, if there is one, and gives it away.
fn select_send_once(sender: &Sender<Item>) {
    let mut select = Select::new();
    select.send(sender);
    drop(select.try_select());
}

/// One selects to send into little room while others do: each item comes once.
#[test]
fn an_item_that_a_select_sends_comes_once() {
    explore(Bounds::protocol(500), || {
        let (sender, receiver) = bounded(1);
        let plain = sends(&sender, 1);
        let selects = thread::spawn(move || select_send(&sender, Some(2)));
        assert_eq!(rest(&receiver), [1, 2]);
        plain.join().unwrap();
        selects.join().unwrap();
    });
}

/// A channel loses its last sender while a select waits for it and for another, which gets an item: one of both ends the
/// select, and the next wait is not ended by what is left.
#[test]
fn a_select_ends_once_for_an_item_and_a_channel_that_ends() {
    explore(Bounds::protocol(200), || {
        let ((gone, from_gone), (sender, receiver)) = (bounded::<Item>(1), bounded(1));
        let goes = thread::spawn(move || drop(gone));
        let event = AutoResetEvent::new(false);
        let sends = sends(&sender, 1);
        drop(sender);
        let came = receive_one(&[from_gone, receiver.clone()]);
        assert_eq!(
            event.wait_for(Duration::ZERO),
            Wake::TimedOut,
            "this wait is another one"
        );
        goes.join().unwrap();
        sends.join().unwrap();
        let mut all = rest(&receiver);
        all.extend(came);
        assert_eq!(all, [1]);
    });
}

/// What only Shuttle can sample.
#[cfg(shuttle)]
mod sampled {
    use fiberhost_scheduler::model::waiting;

    use super::super::whole::{end, moving_scheduler};
    use super::*;

    /// A worker publishes a select, and the task goes on elsewhere before all channels are joined: it waits for that, so that
    /// it stands in no list afterwards.
    #[test]
    fn a_mobile_task_goes_on_after_all_channels_are_joined() {
        explore(Bounds::whole(0), || {
            let scheduler = moving_scheduler(2);
            let (senders, receivers): (Vec<_>, Vec<_>) = (0..4).map(|_| bounded::<Item>(1)).unzip();
            let selects = move || {
                let mut select = Select::new();
                for receiver in &receivers {
                    select.recv(receiver);
                }
                let chosen = select.select();
                let index = chosen.index();
                let first = chosen.recv(&receivers[index]).expect("it has an item");
                // The thread's way: the worker that began the wait comes to its end, if it did not wait to be waited for.
                thread::yield_now();
                let left: usize = receivers.iter().map(waiting).sum();
                assert_eq!(left, 0, "a select that is over waits nowhere");
                first.get()
            };
            // SAFETY: nothing of a thread is on the closure's stack when it suspends.
            let selects = unsafe { scheduler.task().spawn_mobile(selects) };
            let sender = senders[0].clone();
            let sends = scheduler.spawn(move || assert!(sender.send(item(1)).is_ok()));
            let came = selects.expect("a model has memory").join().unwrap();
            assert_eq!(came, 1);
            sends.join().unwrap();
            end(scheduler);
        });
    }
}
