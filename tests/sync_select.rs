//! Select: one of several channel operations is done, and the others as if they had not been tried.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::sides::{Party, Random, SIDES, Side, World, between, in_a_world, in_a_world_of};
use common::{Drops, LONG, SHORT, eventually, expect_panics};
use fiberhost::scheduler::sync::AutoResetEvent;
use fiberhost::scheduler::sync::channel::{
    Receiver, RecvError, Select, SelectTimeoutError, Sender, TryRecvError, TrySendError, bounded,
    unbounded,
};
use fiberhost::scheduler::{TaskRef, WaitReason, Wake, timeout, yield_now};

const CAPACITIES: [Option<usize>; 4] = [Some(0), Some(1), Some(3), None];
const BOUNDED: [Option<usize>; 3] = [Some(0), Some(1), Some(3)];

fn make<T>(capacity: Option<usize>) -> (Sender<T>, Receiver<T>) {
    capacity.map_or_else(unbounded, bounded)
}

fn full(capacity: Option<usize>) -> (Sender<u64>, Receiver<u64>) {
    let (sender, receiver) = make(capacity);
    while sender.try_send(0).is_ok() {}
    (sender, receiver)
}

/// Waits for either of two receivers. Returns which it was, and the item.
fn receive_either(
    first: &Receiver<u64>,
    second: &Receiver<u64>,
) -> (usize, Result<u64, RecvError>) {
    let mut select = Select::new();
    assert_eq!((select.recv(first), select.recv(second)), (0, 1));
    let chosen = select.select();
    match chosen.index() {
        0 => (0, chosen.recv(first)),
        _ => (1, chosen.recv(second)),
    }
}

/// Waits for a send to either. Returns which it was.
fn send_either(first: &Sender<u64>, second: &Sender<u64>, item: u64) -> (usize, bool) {
    let mut select = Select::new();
    assert_eq!((select.send(first), select.send(second)), (0, 1));
    let chosen = select.select();
    match chosen.index() {
        0 => (0, chosen.send(first, item).is_ok()),
        _ => (1, chosen.send(second, item).is_ok()),
    }
}

#[test]
fn an_item_that_is_there_is_received() {
    between(|world, [selects, sends]| {
        for capacity in CAPACITIES {
            for which in [0, 1] {
                let channels = [make(capacity), make(capacity)];
                let receivers = channels.each_ref().map(|(_, receiver)| receiver.clone());
                let sender = channels[which].0.clone();
                let other = world.start(sends, move || sender.send(7));
                if capacity != Some(0) {
                    other.until_finished();
                }
                let selects = world.start(selects, move || {
                    let [first, second] = &receivers;
                    receive_either(first, second)
                });
                assert_eq!(selects.join(), (which, Ok(7)));
                assert_eq!(other.join(), Ok(()));
            }
        }
    });
}

#[test]
fn an_item_that_comes_during_the_wait_is_received() {
    between(|world, [selects, sends]| {
        for capacity in CAPACITIES {
            for which in [0, 1] {
                let channels = [make(capacity), make(capacity)];
                let receivers = channels.each_ref().map(|(_, receiver)| receiver.clone());
                let selects = world.start_waiting(selects, WaitReason::Select, move || {
                    let [first, second] = &receivers;
                    receive_either(first, second)
                });
                let sender = channels[which].0.clone();
                assert_eq!(world.start(sends, move || sender.send(8)).join(), Ok(()));
                assert_eq!(selects.join(), (which, Ok(8)));
                // Nothing of it is left in the other channel.
                assert_eq!(channels[1 - which].1.try_recv(), Err(TryRecvError::Empty));
                if capacity == Some(0) {
                    assert_eq!(
                        channels[1 - which].0.try_send(1),
                        Err(TrySendError::Full(1))
                    );
                }
            }
        }
    });
}

#[test]
fn room_that_comes_during_the_wait_is_used() {
    between(|world, [selects, receives]| {
        for capacity in BOUNDED {
            for which in [0, 1] {
                let channels = [full(capacity), full(capacity)];
                let senders = channels.each_ref().map(|(sender, _)| sender.clone());
                let selects = world.start_waiting(selects, WaitReason::Select, move || {
                    let [first, second] = &senders;
                    send_either(first, second, 9)
                });
                let receiver = channels[which].1.clone();
                let other = world.start(receives, move || {
                    std::iter::repeat_with(|| receiver.recv()).find(|got| *got == Ok(9))
                });
                assert_eq!(selects.join(), (which, true));
                assert_eq!(other.join(), Some(Ok(9)));
                let rest = channels[1 - which].1.try_iter().collect::<Vec<_>>();
                assert_eq!(rest, vec![0; capacity.unwrap()]);
            }
        }
    });
}

#[test]
fn a_receiver_that_waits_is_sent_to() {
    between(|world, [selects, receives]| {
        for capacity in CAPACITIES {
            let (first, _keep) = full(Some(1));
            let (second, receiver) = make(capacity);
            let other = world.start_waiting(receives, WaitReason::ChannelReceive, move || {
                receiver.recv()
            });
            let selects = world.start(selects, move || send_either(&first, &second, 3));
            assert_eq!(selects.join(), (1, true));
            assert_eq!(other.join(), Ok(3));
        }
    });
}

#[test]
fn two_selects_meet_in_a_rendezvous() {
    between(|world, [sends, receives]| {
        for order in [0, 1] {
            let channels = [bounded(0), bounded(0)];
            let senders = channels.each_ref().map(|(sender, _)| sender.clone());
            let receivers = channels.map(|(_, receiver)| receiver);
            let send = move || {
                let [first, second] = &senders;
                send_either(first, second, 4)
            };
            let receive = move || {
                let [first, second] = &receivers;
                receive_either(first, second)
            };
            let (sent, received) = if order == 0 {
                let sends = world.start_waiting(sends, WaitReason::Select, send);
                let received = world.start(receives, receive).join();
                (sends.join(), received)
            } else {
                let receives = world.start_waiting(receives, WaitReason::Select, receive);
                let sent = world.start(sends, send).join();
                (sent, receives.join())
            };
            assert!(sent.1);
            assert_eq!(received, (sent.0, Ok(4)));
        }
    });
}

#[test]
fn those_who_only_try_meet_a_select_that_waits_in_a_rendezvous() {
    between(|world, [selects, tries]| {
        let (sender, receiver) = bounded(0);
        let (other, _keep) = full(Some(1));
        let waits = world.start(selects, move || send_either(&other, &sender, 6));
        let party = world.start(tries, move || {
            eventually("a sender waits", || receiver.try_recv() == Ok(6));
        });
        party.join();
        assert_eq!(waits.join(), (1, true));

        let (sender, receiver) = bounded(0);
        let (_keep, other) = bounded(1);
        let waits = world.start(selects, move || receive_either(&other, &receiver));
        let party = world.start(tries, move || {
            eventually("a receiver waits", || sender.try_send(6) == Ok(()));
        });
        party.join();
        assert_eq!(waits.join(), (1, Ok(6)));

        let (sender, receiver) = bounded(0);
        let (other, _keep) = full(Some(1));
        let waits = world.start(selects, move || send_either(&other, &sender, 7));
        let party = world.start(tries, move || {
            eventually("a sender waits", || {
                let mut select = Select::new();
                select.recv(&receiver);
                let chosen = select.try_select();
                chosen.is_ok_and(|chosen| chosen.recv(&receiver) == Ok(7))
            });
        });
        party.join();
        assert_eq!(waits.join(), (1, true));
    });
}

#[test]
fn a_select_does_not_meet_itself() {
    between(|world, [selects, other]| {
        let (sender, receiver) = bounded(0);
        let mine = (sender.clone(), receiver.clone());
        let tried = Arc::new(AutoResetEvent::new(false));
        let tells = Arc::clone(&tried);
        let both_ways = move || {
            let (sender, receiver) = mine;
            let mut select = Select::new();
            let (sends, receives) = (select.send(&sender), select.recv(&receiver));
            assert!(select.try_select().is_err());
            assert!(select.select_for(SHORT).is_err());
            tells.set();
            let chosen = select.select();
            match chosen.index() {
                index if index == sends => chosen.send(&sender, 1).map(|()| 0),
                index if index == receives => Ok(chosen.recv(&receiver).expect("somebody sends")),
                _ => unreachable!(),
            }
        };
        let party = world.start(selects, both_ways);
        tried.wait();
        let send = sender.clone();
        assert_eq!(world.start(other, move || send.send(2)).join(), Ok(()));
        assert_eq!(party.join(), Ok(2));
        drop((sender, receiver));
    });
}

#[test]
fn a_channel_that_has_lost_its_other_side_is_ready() {
    between(|world, [selects, other]| {
        for capacity in CAPACITIES {
            let (_keep, first) = bounded(1);
            let (sender, second) = make(capacity);
            let party = world.start_waiting(selects, WaitReason::Select, move || {
                receive_either(&first, &second)
            });
            world.start(other, move || drop(sender)).join();
            let (index, result) = party.join();
            assert_eq!(index, 1);
            assert!(result.expect_err("nobody sends").is_disconnected());
        }
        for capacity in BOUNDED {
            let (first, _keep) = full(Some(1));
            let (second, receiver) = full(capacity);
            let party = world.start_waiting(selects, WaitReason::Select, move || {
                send_either(&first, &second, 5)
            });
            world.start(other, move || drop(receiver)).join();
            assert_eq!(party.join(), (1, false));
        }
        // Before the wait.
        let (_keep, first) = bounded(1);
        let (_, second) = bounded(1);
        let (index, result) = receive_either(&first, &second);
        assert!(index == 1 && result.is_err());
        let (sender, _) = bounded(1);
        let mut select = Select::new();
        select.send(&sender);
        let error = select
            .select()
            .send(&sender, 8)
            .expect_err("nobody receives");
        assert_eq!(error.into_inner(), 8);
    });
}

#[test]
fn trying_chooses_what_is_ready() {
    let (sender, receiver) = bounded(1);
    let mut receives = Select::new();
    receives.recv(&receiver);
    assert_eq!(
        receives.try_select().unwrap_err().to_string(),
        "no operation is ready"
    );
    {
        let mut sends = Select::new();
        sends.send(&sender);
        sends
            .try_select()
            .expect("there is room")
            .send(&sender, 1)
            .expect("sent");
        assert!(sends.try_select().is_err(), "it is full");
    }
    assert_eq!(
        receives
            .try_select()
            .expect("there is an item")
            .recv(&receiver),
        Ok(1)
    );
    assert!(receives.try_select().is_err());
    assert!(Select::new().try_select().is_err());
}

#[test]
fn each_of_several_that_are_ready_is_chosen_at_times() {
    in_a_world(|world| {
        for side in SIDES {
            let party = world.start(side, || {
                let channels = [(); 3].map(|()| unbounded());
                for (sender, _) in &channels {
                    (0..200).for_each(|item| sender.send(item).expect("no limit"));
                }
                let mut counts = [0; 3];
                for _ in 0..200 {
                    // A select of its own each time: fairness must not depend on keeping it.
                    let mut select = Select::new();
                    for (_, receiver) in &channels {
                        select.recv(receiver);
                    }
                    let chosen = select.select();
                    let index = chosen.index();
                    chosen.recv(&channels[index].1).expect("an item is there");
                    counts[index] += 1;
                }
                counts
            });
            let counts = party.join();
            assert!(counts.iter().all(|count| *count > 20), "{counts:?}");
        }
    });
}

#[test]
fn a_chance_to_send_that_is_given_away_goes_to_the_next() {
    between(|world, [other, _]| {
        // Room.
        let (sender, receiver) = bounded(1);
        let mut select = Select::new();
        select.send(&sender);
        let chosen = select.select();
        let sends = sender.clone();
        let waits = world.start_waiting(other, WaitReason::ChannelSend, move || sends.send(2));
        waits.assert_waits();
        assert_eq!(
            receiver.try_recv(),
            Err(TryRecvError::Empty),
            "reserved, not sent"
        );
        drop(chosen);
        assert_eq!(waits.join(), Ok(()));
        assert_eq!(receiver.recv(), Ok(2));
        // A receiver: it waits on, and is found by the next.
        let (sender, receiver) = bounded(0);
        let waits = world.start_waiting(other, WaitReason::ChannelReceive, move || receiver.recv());
        let mut select = Select::new();
        select.send(&sender);
        let chosen = select.select();
        assert_eq!(
            sender.try_send(1),
            Err(TrySendError::Full(1)),
            "it is in the select's hand"
        );
        drop(chosen);
        waits.assert_waits();
        assert_eq!(sender.send(3), Ok(()));
        assert_eq!(waits.join(), Ok(3));
        // Forgotten, it is given away with the select.
        let (sender, receiver) = bounded(1);
        let mut select = Select::new();
        select.send(&sender);
        std::mem::forget(select.select());
        assert_eq!(sender.try_send(1), Err(TrySendError::Full(1)));
        drop(select);
        assert_eq!(sender.try_send(1), Ok(()));
        assert_eq!(receiver.recv(), Ok(1));
    });
}

#[test]
fn a_receiver_in_a_selects_hand_is_not_lost_by_its_limit() {
    between(|world, [receives, _]| {
        let (sender, receiver) = bounded(0);
        let takes = receiver.clone();
        let waits = world.start_limited(
            receives,
            |task| task.wait_reason() == WaitReason::ChannelReceive,
            move |limit| takes.recv_for(limit),
        );
        let mut select = Select::new();
        select.send(&sender);
        let Ok(chosen) = select.try_select() else {
            // The limit was over sooner on a machine that is busy.
            assert!(waits.join().is_err());
            return;
        };
        std::thread::sleep(2 * SHORT);
        assert!(
            !waits.is_finished(),
            "it waits for the item that was promised"
        );
        chosen.send(&sender, 1).expect("it is there");
        assert_eq!(waits.join(), Ok(1));
        // Given away instead, the receiver's limit counts again.
        let takes = receiver.clone();
        let waits = world.start_limited(
            receives,
            |task| task.wait_reason() == WaitReason::ChannelReceive,
            move |limit| takes.recv_for(limit),
        );
        if let Ok(chosen) = select.try_select() {
            std::thread::sleep(2 * SHORT);
            drop(chosen);
        }
        assert!(waits.join().is_err());
    });
}

#[test]
fn a_receive_that_is_not_done_drops_its_item() {
    let drops = Drops::new();
    let (sender, receiver) = bounded(2);
    assert!(sender.send(drops.one()).is_ok());
    let mut select = Select::new();
    select.recv(&receiver);
    drop(select.select());
    assert_eq!(drops.count(), 1);
    assert!(sender.send(drops.one()).is_ok());
    std::mem::forget(select.select());
    assert_eq!(drops.count(), 1);
    // Chosen and forgotten: it is still the one.
    assert!(
        select
            .try_select()
            .is_ok_and(|chosen| chosen.recv(&receiver).is_ok())
    );
    assert_eq!(drops.count(), 2);
}

#[test]
fn operations_can_be_removed_and_added() {
    let (first_sender, first) = bounded(1);
    let (second_sender, second) = bounded(1);
    let mut select = Select::new();
    assert_eq!((select.recv(&first), select.recv(&second)), (0, 1));
    first_sender.send(1).expect("room");
    select.remove(0);
    assert!(select.try_select().is_err());
    second_sender.send(2).expect("room");
    let chosen = select.select();
    assert_eq!(chosen.index(), 1);
    assert_eq!(chosen.recv(&second), Ok(2));
    assert_eq!(select.recv(&first), 2);
    assert_eq!(select.select().recv(&first), Ok(1));
    assert!(format!("{select:?}").contains("operations: 2"));
}

#[test]
fn misuse_panics_and_changes_nothing() {
    expect_panics();
    let (sender, receiver) = bounded(1);
    let (_, other) = bounded::<u64>(1);
    let refused = |misuse: &dyn Fn()| {
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(misuse)).is_err());
    };
    let in_a_select = |misuse: &dyn Fn(&mut Select<'_>)| {
        refused(&|| {
            let mut select = Select::new();
            select.send(&sender);
            misuse(&mut select);
        });
    };
    in_a_select(&|select| assert!(select.select().recv(&other).is_ok()));
    in_a_select(&|select| assert!(select.select().recv(&receiver).is_ok()));
    in_a_select(&|select| select.remove(1));
    refused(&|| drop(Select::new().select()));
    assert_eq!(sender.try_send(1), Ok(()), "the room was given back");
}

#[test]
fn a_limit_ends_the_wait() {
    between(|world, [selects, _]| {
        for capacity in BOUNDED {
            let (sender, receiver) = full(capacity);
            let (_keep, empty) = bounded::<u64>(0);
            let mine = (sender.clone(), empty);
            let party = world.start(selects, move || {
                let (sender, empty) = mine;
                let mut select = Select::new();
                select.send(&sender);
                select.recv(&empty);
                let began = Instant::now();
                let at_once = select.select_for(Duration::ZERO).err();
                let later = select.select_for(SHORT).err();
                assert!(began.elapsed() >= SHORT);
                (at_once, later)
            });
            let late = Some(SelectTimeoutError::Timeout);
            assert_eq!(party.join(), (late, late));
            receiver.try_iter().for_each(drop);
            if capacity == Some(0) {
                assert_eq!(
                    receiver.try_recv(),
                    Err(TryRecvError::Empty),
                    "nobody is left in its list"
                );
            }
        }
        let party = world.start(selects, || Select::new().select_for(SHORT).err());
        assert_eq!(party.join(), Some(SelectTimeoutError::Timeout));
    });
}

#[test]
fn what_becomes_ready_in_time_is_chosen() {
    between(|world, [selects, sends]| {
        let (sender, receiver) = bounded(0);
        let party = world.start_waiting(selects, WaitReason::Select, move || {
            let mut select = Select::new();
            select.recv(&receiver);
            select.select_for(LONG).expect("in time").recv(&receiver)
        });
        assert_eq!(world.start(sends, move || sender.send(3)).join(), Ok(()));
        assert_eq!(party.join(), Ok(3));
    });
}

#[test]
fn interruptions() {
    in_a_world(|world| {
        let interrupts: [(fn(&TaskRef), Wake); 2] = [
            (TaskRef::alert, Wake::Alerted),
            (TaskRef::cancel, Wake::Aborted),
        ];
        for side in [Side::Task, Side::Mobile] {
            let channels = Arc::new([bounded::<u64>(0), bounded(0)]);
            let start = |limit: Option<Duration>| {
                let channels = Arc::clone(&channels);
                world.start_waiting(side, WaitReason::Select, move || {
                    let mut select = Select::new();
                    channels.iter().for_each(|(_, receiver)| {
                        select.recv(receiver);
                    });
                    match limit {
                        Some(limit) => select.select_for(limit).err(),
                        None => {
                            drop(select.select());
                            None
                        }
                    }
                })
            };
            for (interrupt, wake) in interrupts {
                let party = start(Some(LONG));
                interrupt(party.task());
                assert_eq!(party.join(), Some(SelectTimeoutError::Interrupted(wake)));
            }
            for limit in [None, Some(LONG)] {
                let aborted = start(limit);
                aborted.task().abort();
                aborted.join_cancelled();
            }
            assert_eq!(
                channels[0].0.try_send(1),
                Err(TrySendError::Full(1)),
                "nobody waits"
            );
            let party = start(None);
            party.task().alert();
            party.task().cancel();
            party.assert_waits();
            channels[1].0.send(1).expect("somebody selects");
            assert_eq!(party.join(), None);
        }
    });
}

#[test]
fn an_enclosing_timeout_unwinds_the_wait() {
    in_a_world(|world| {
        let party = world.start(Side::Task, || {
            let (sender, receiver) = bounded::<u64>(0);
            let ended = timeout(SHORT, || {
                let mut select = Select::new();
                select.recv(&receiver);
                drop(select.select());
            });
            (ended.is_err(), sender.try_send(1))
        });
        assert_eq!(party.join(), (true, Err(TrySendError::Full(1))));
    });
}

#[test]
fn one_can_stop_by_a_channel_of_its_own() {
    between(|world, [selects, other]| {
        let (stop, stopped) = bounded::<()>(0);
        let (sender, receiver) = unbounded();
        let ready = Arc::new(AutoResetEvent::new(false));
        let tells = Arc::clone(&ready);
        let party = world.start(selects, move || {
            let mut sum = 0;
            loop {
                let mut select = Select::new();
                let item = select.recv(&receiver);
                select.recv(&stopped);
                let chosen = select.select();
                if chosen.index() == item {
                    sum += chosen.recv(&receiver).expect("a sender is left");
                    tells.set();
                } else {
                    assert!(chosen.recv(&stopped).is_err());
                    return sum;
                }
            }
        });
        let sends = world.start(other, move || {
            (1..=20_u64).for_each(|item| sender.send(item).expect("no limit"));
            sender
        });
        let _keep = sends.join();
        eventually("all were received", || _keep.is_empty());
        ready.wait();
        drop(stop);
        assert_eq!(party.join(), 210);
    });
}

/// Selects on both sides of several channels beside plain senders and receivers, with limits and alerts: what was sent is
/// received once.
#[test]
fn stress() {
    for workers in [1, 2, 4] {
        for capacity in CAPACITIES {
            in_a_world_of(workers, |world| stressed(world, capacity));
        }
    }
}

#[derive(Default)]
struct Sums {
    sum: AtomicU64,
    count: AtomicU64,
}

impl Sums {
    fn note(&self, item: u64) {
        self.sum.fetch_add(item, Ordering::SeqCst);
        self.count.fetch_add(1, Ordering::SeqCst);
    }

    fn get(&self) -> (u64, u64) {
        (
            self.sum.load(Ordering::SeqCst),
            self.count.load(Ordering::SeqCst),
        )
    }
}

fn stressed(world: &World<'_>, capacity: Option<usize>) {
    let mut random = Random::seeded("select");
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..3).map(|_| make::<u64>(capacity)).unzip();
    let (sent, received) = (Arc::new(Sums::default()), Arc::new(Sums::default()));
    let send: Vec<_> = (0..10_u64)
        .map(|number| {
            let (senders, sent) = (senders.clone(), Arc::clone(&sent));
            let mut random = random.fork();
            world.start(SIDES[number as usize % 4], move || {
                for item in 0..60 {
                    let item = number * 1000 + item;
                    if send_somehow(&senders, item, &mut random) {
                        sent.note(item);
                    }
                }
            })
        })
        .collect();
    drop(senders);
    let receive: Vec<_> = (0..10)
        .map(|number| {
            let (receivers, received) = (receivers.clone(), Arc::clone(&received));
            let mut random = random.fork();
            world.start(SIDES[number % 4], move || {
                receive_all(&receivers, &received, &mut random);
            })
        })
        .collect();
    for _ in 0..40 {
        let parties = [&send, &receive][random.below(2) as usize];
        parties[random.below(10) as usize].task().alert();
        std::thread::sleep(Duration::from_micros(random.below(200)));
    }
    send.into_iter().for_each(Party::join);
    receive.into_iter().for_each(Party::join);
    assert_eq!(sent.get(), received.get());
}

fn send_somehow(senders: &[Sender<u64>], item: u64, random: &mut Random) -> bool {
    let one = &senders[random.below(senders.len() as u64) as usize];
    match random.below(6) {
        0 => return one.send(item).is_ok(),
        1 => return one.try_send(item).is_ok(),
        _ => {}
    }
    let mut select = Select::new();
    for sender in senders {
        select.send(sender);
    }
    let limit = Duration::from_micros(random.below(300));
    let chosen = match random.below(4) {
        0 => select.try_select().ok(),
        1 => select.select_for(limit).ok(),
        _ => Some(select.select()),
    };
    let Some(chosen) = chosen else { return false };
    match random.below(8) {
        // Its chance goes to another one.
        0 => return false,
        1 => yield_now(),
        _ => {}
    }
    let index = chosen.index();
    chosen.send(&senders[index], item).is_ok()
}

fn receive_all(receivers: &[Receiver<u64>], received: &Sums, random: &mut Random) {
    let mut open: Vec<&Receiver<u64>> = receivers.iter().collect();
    while !open.is_empty() {
        let one = open[random.below(open.len() as u64) as usize];
        match random.below(6) {
            0 => {
                let limit = Duration::from_micros(random.below(300));
                one.recv_for(limit)
                    .into_iter()
                    .for_each(|item| received.note(item));
                continue;
            }
            1 => {
                one.try_recv()
                    .into_iter()
                    .for_each(|item| received.note(item));
                continue;
            }
            _ => {}
        }
        match select_somehow(&open, random) {
            Some((_, Ok(item))) => received.note(item),
            Some((index, Err(_))) => drop(open.remove(index)),
            None => yield_now(),
        }
    }
}

fn select_somehow(
    open: &[&Receiver<u64>],
    random: &mut Random,
) -> Option<(usize, Result<u64, RecvError>)> {
    let mut select = Select::new();
    for receiver in open {
        select.recv(receiver);
    }
    let limit = Duration::from_micros(random.below(300));
    let chosen = match random.below(4) {
        0 => select.try_select().ok(),
        1 => select.select_for(limit).ok(),
        _ => Some(select.select()),
    }?;
    let index = chosen.index();
    Some((index, chosen.recv(open[index])))
}

/// Both ways on one channel, by everybody: each meets another one, never itself.
#[test]
fn stress_of_both_ways() {
    for workers in [1, 2, 4] {
        in_a_world_of(workers, |world| {
            const MEETINGS: u64 = 40;
            let (sender, receiver) = bounded::<u64>(0);
            let left = Arc::new(AtomicU64::new(8 * MEETINGS));
            let parties: Vec<_> = (0..8)
                .map(|number| {
                    let (sender, receiver) = (sender.clone(), receiver.clone());
                    let left = Arc::clone(&left);
                    world.start(SIDES[number % 4], move || {
                        let mut balance = 0_i64;
                        // A meeting is of two; whoever finds none in time asks whether it is over.
                        while left.load(Ordering::SeqCst) > 0 {
                            balance += meet(number as u64, &sender, &receiver, &left);
                        }
                        balance
                    })
                })
                .collect();
            let balance: i64 = parties.into_iter().map(Party::join).sum();
            assert_eq!(balance, 0, "as many sent as received");
        });
    }

    fn meet(me: u64, sender: &Sender<u64>, receiver: &Receiver<u64>, left: &AtomicU64) -> i64 {
        let mut select = Select::new();
        let sends = select.send(sender);
        select.recv(receiver);
        let Ok(chosen) = select.select_for(SHORT) else {
            return 0;
        };
        let _ = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            left.checked_sub(1)
        });
        if chosen.index() == sends {
            chosen.send(sender, me).expect("a receiver is left");
            1
        } else {
            assert_ne!(chosen.recv(receiver), Ok(me), "nobody meets itself");
            -1
        }
    }
}
