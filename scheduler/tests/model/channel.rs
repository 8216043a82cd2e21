//! Channels: no item is lost or comes twice, whoever gives up or goes.

use std::sync::Arc;
use std::time::Duration;

use fiberhost_scheduler::model::Plain;
use fiberhost_scheduler::sync::channel::{
    Receiver, RecvTimeoutError, SendTimeoutError, Sender, bounded, unbounded,
};
use fiberhost_scheduler::{Wake, current};

use super::explore::{Bounds, explore, thread};

/// What the sender wrote into it must be visible to whoever has it.
pub(crate) type Item = Plain<u32>;

pub(crate) fn item(number: u32) -> Item {
    let item = Plain::new(0);
    item.set(number);
    item
}

/// The numbers of all items that come until the last sender is gone, in order of size.
pub(crate) fn rest(receiver: &Receiver<Item>) -> Vec<u32> {
    let mut all: Vec<u32> = receiver.iter().map(|item| item.get()).collect();
    all.sort_unstable();
    all
}

/// Sends one item, and goes.
pub(crate) fn sends(sender: &Sender<Item>, number: u32) -> thread::JoinHandle<()> {
    let sender = sender.clone();
    thread::spawn(move || assert!(sender.send(item(number)).is_ok()))
}

/// Two send, one receives all until both are gone.
fn each_item_comes_once((sender, receiver): (Sender<Item>, Receiver<Item>)) {
    let senders = [1, 2].map(|number| sends(&sender, number));
    drop(sender);
    assert_eq!(rest(&receiver), [1, 2]);
    for sender in senders {
        sender.join().unwrap();
    }
}

#[test]
fn each_item_comes_once_through_little_room() {
    explore(Bounds::protocol(500), || {
        each_item_comes_once(bounded(1));
    });
}

#[test]
fn each_item_comes_once_from_hand_to_hand() {
    explore(Bounds::protocol(500), || {
        each_item_comes_once(bounded(0));
    });
}

#[test]
fn each_item_comes_once_without_limit() {
    explore(Bounds::protocol(500), || {
        each_item_comes_once(unbounded());
    });
}

/// Two send and one of them gives up: its item comes, or it has it back.
fn a_sender_gives_up(capacity: usize) {
    let (sender, receiver) = bounded(capacity);
    let hasty = {
        let sender = sender.clone();
        thread::spawn(move || match sender.send_for(item(1), Duration::ZERO) {
            Ok(()) => true,
            Err(SendTimeoutError::Timeout(item)) => {
                assert_eq!(item.get(), 1, "it has its own item back");
                false
            }
            Err(error) => panic!("{error:?}"),
        })
    };
    let patient = sends(&sender, 2);
    drop(sender);
    let came = rest(&receiver);
    patient.join().unwrap();
    let all: &[u32] = if hasty.join().unwrap() { &[1, 2] } else { &[2] };
    assert_eq!(came, all);
}

#[test]
fn a_sender_that_gives_up_has_its_item_back() {
    explore(Bounds::protocol(500), || {
        a_sender_gives_up(1);
    });
}

#[test]
fn a_sender_that_gives_up_a_meeting_has_its_item_back() {
    explore(Bounds::protocol(500), || {
        a_sender_gives_up(0);
    });
}

/// Two receive and one of them gives up, while one item is sent: one of the two has it.
fn a_receiver_gives_up(capacity: usize) {
    let (sender, receiver) = bounded::<Item>(capacity);
    let hasty = {
        let receiver = receiver.clone();
        thread::spawn(move || receiver.recv_for(Duration::ZERO).map(|item| item.get()))
    };
    let sends = sends(&sender, 1);
    drop(sender);
    let mut came = rest(&receiver);
    sends.join().unwrap();
    match hasty.join().unwrap() {
        Ok(number) => came.push(number),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        Err(error) => panic!("{error:?}"),
    }
    assert_eq!(came, [1]);
}

#[test]
fn an_item_passes_by_a_receiver_that_gave_up() {
    explore(Bounds::protocol(500), || {
        a_receiver_gives_up(1);
    });
}

#[test]
fn an_item_passes_by_a_receiver_that_gave_up_a_meeting() {
    explore(Bounds::protocol(500), || {
        a_receiver_gives_up(0);
    });
}

/// An alert and an item for one receiver: each ends one wait.
#[test]
fn an_alert_and_an_item_end_one_receive_each() {
    explore(Bounds::protocol(100), || {
        let (sender, receiver) = bounded(0);
        let me = current();
        let alerter = thread::spawn(move || me.alert());
        let sender = sends(&sender, 1);
        let received = [(); 2].map(|()| receiver.recv_for(Duration::MAX));
        assert!(
            matches!(
                &received,
                [Ok(item), Err(RecvTimeoutError::Interrupted(Wake::Alerted))]
                | [Err(RecvTimeoutError::Interrupted(Wake::Alerted)), Ok(item)]
                if item.get() == 1
            ),
            "{received:?}"
        );
        alerter.join().unwrap();
        sender.join().unwrap();
    });
}

/// The last two senders go while one waits for an item: it is told, and sees what both did before.
#[test]
fn a_receiver_is_told_that_all_senders_have_gone() {
    explore(Bounds::protocol(50), || {
        let (sender, receiver) = bounded::<Item>(0);
        let done = [Arc::new(Plain::new(false)), Arc::new(Plain::new(false))];
        let senders = [(sender.clone(), done[0].clone()), (sender, done[1].clone())];
        let senders = senders.map(|(sender, done)| {
            thread::spawn(move || {
                done.set(true);
                drop(sender);
            })
        });
        assert!(receiver.recv().is_err());
        assert!(done.iter().all(|done| done.get()));
        for sender in senders {
            sender.join().unwrap();
        }
    });
}

/// The receiver goes while one waits for room: that one has its item back, and the one that was in the channel is dropped.
#[test]
fn a_sender_is_told_that_the_receiver_has_gone() {
    explore(Bounds::protocol(20), || {
        let (sender, receiver) = bounded(1);
        let in_channel = Arc::new(());
        assert!(sender.try_send(in_channel.clone()).is_ok());
        let receiver = thread::spawn(move || drop(receiver));
        let sent = sender.send(in_channel.clone());
        let back = sent.expect_err("nobody receives").into_inner();
        receiver.join().unwrap();
        drop(back);
        assert_eq!(Arc::strong_count(&in_channel), 1, "all items are gone");
    });
}
