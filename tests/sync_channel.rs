//! Channels: what is sent is received once and in order, with room, without, and without limit.

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::sides::{Party, Random, SIDES, Side, World, between, in_a_world, in_a_world_of};
use common::{Drops, LONG, OnDrop, SHORT, at_workers, eventually, expect_panics};
use fiberhost::scheduler::sync::channel::{
    Receiver, RecvTimeoutError, SendTimeoutError, Sender, TryRecvError, TrySendError, bounded,
    unbounded,
};
use fiberhost::scheduler::{TaskRef, WaitReason, Wake, spawn, timeout, yield_now};

/// Channels without room, with little, with some, and without limit.
fn make<T>(capacity: Option<usize>) -> (Sender<T>, Receiver<T>) {
    capacity.map_or_else(unbounded, bounded)
}

const CAPACITIES: [Option<usize>; 5] = [Some(0), Some(1), Some(2), Some(64), None];
const BOUNDED: [Option<usize>; 3] = [Some(0), Some(1), Some(3)];

/// One that is full.
fn full(capacity: Option<usize>) -> (Sender<u64>, Receiver<u64>) {
    let (sender, receiver) = make(capacity);
    while sender.try_send(0).is_ok() {}
    (sender, receiver)
}

#[test]
fn what_one_sends_another_receives_in_order() {
    between(|world, [from, to]| {
        for capacity in CAPACITIES {
            let (sender, receiver) = make(capacity);
            let from = world.start(from, move || {
                (0..300).for_each(|item| sender.send(item).expect("somebody receives"));
            });
            let to = world.start(to, move || receiver.iter().collect::<Vec<u64>>());
            from.join();
            assert_eq!(to.join(), (0..300).collect::<Vec<_>>(), "{capacity:?}");
        }
    });
}

#[test]
fn many_send_and_many_receive_and_each_item_comes_once() {
    in_a_world(|world| {
        for capacity in CAPACITIES {
            let (sender, receiver) = make(capacity);
            let senders: Vec<_> = (0..8_u64)
                .map(|number| {
                    let sender = sender.clone();
                    world.start(SIDES[number as usize % 4], move || {
                        for item in 0..100 {
                            sender.send(number * 100 + item).expect("somebody receives");
                        }
                    })
                })
                .collect();
            drop(sender);
            let receivers: Vec<_> = (0..8)
                .map(|number| {
                    let receiver = receiver.clone();
                    world.start(SIDES[number % 4], move || {
                        receiver.into_iter().collect::<Vec<_>>()
                    })
                })
                .collect();
            drop(receiver);
            senders.into_iter().for_each(Party::join);
            let mut all = BTreeSet::new();
            for items in receivers.into_iter().map(Party::join) {
                for sender in 0..8 {
                    let its = items.iter().filter(|item| **item / 100 == sender);
                    assert!(its.is_sorted(), "one sender's items keep their order");
                }
                assert!(items.into_iter().all(|item| all.insert(item)), "once");
            }
            assert_eq!(all.len(), 800);
        }
    });
}

#[test]
fn a_rendezvous_ends_the_send_when_the_item_was_received() {
    between(|world, [from, to]| {
        let (sender, receiver) = bounded(0);
        assert_eq!(sender.try_send(0), Err(TrySendError::Full(0)));
        let from = world.start_waiting(from, WaitReason::ChannelSend, move || sender.send(1));
        from.assert_waits();
        let to = world.start(to, move || receiver.recv());
        assert_eq!(to.join(), Ok(1));
        assert_eq!(from.join(), Ok(()));
    });
}

#[test]
fn trying_meets_who_waits_in_a_rendezvous() {
    between(|world, [waits, tries]| {
        let (sender, receiver) = bounded(0);
        let to = world.start(waits, move || receiver.recv());
        let from = world.start(tries, move || {
            eventually("a receiver waits", || sender.try_send(5).is_ok());
        });
        from.join();
        assert_eq!(to.join(), Ok(5));
        let (sender, receiver) = bounded(0);
        let from = world.start(waits, move || sender.send(6));
        let to = world.start(tries, move || {
            eventually("a sender waits", || receiver.try_recv() == Ok(6));
        });
        assert_eq!(from.join(), Ok(()));
        to.join();
    });
}

#[test]
fn a_sender_waits_for_room_and_a_receiver_for_an_item() {
    between(|world, [one, other]| {
        for capacity in [Some(1), Some(3)] {
            let (sender, receiver) = full(capacity);
            let sends = sender.clone();
            let from = world.start_waiting(one, WaitReason::ChannelSend, move || sends.send(9));
            assert_eq!((sender.len(), sender.is_full()), (capacity.unwrap(), true));
            let takes = receiver.clone();
            assert_eq!(world.start(other, move || takes.recv()).join(), Ok(0));
            assert_eq!(from.join(), Ok(()));
            assert!(sender.is_full(), "the room was used at once");
            while receiver.try_recv() != Ok(9) {}
            assert!(receiver.is_empty());
            let takes = receiver.clone();
            let to = world.start_waiting(one, WaitReason::ChannelReceive, move || takes.recv());
            world
                .start(other, move || sender.send(4))
                .join()
                .expect("sent");
            assert_eq!(to.join(), Ok(4));
        }
    });
}

#[test]
fn it_says_how_much_it_holds() {
    let (sender, receiver) = bounded(2);
    assert_eq!((sender.capacity(), receiver.capacity()), (Some(2), Some(2)));
    assert!(sender.is_empty() && !sender.is_full());
    sender.send('a').expect("room");
    assert_eq!((sender.len(), receiver.len()), (1, 1));
    sender.send('b').expect("room");
    assert!(sender.is_full() && receiver.is_full());
    assert_eq!(sender.try_send('c'), Err(TrySendError::Full('c')));
    assert_eq!(receiver.try_iter().collect::<String>(), "ab");
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    let (sender, receiver) = unbounded();
    assert_eq!(sender.capacity(), None);
    (0..10_000).for_each(|item| sender.send(item).expect("no limit"));
    assert_eq!((sender.len(), sender.is_full()), (10_000, false));
    assert!(receiver.try_iter().eq(0..10_000));
    let (sender, receiver) = bounded::<u8>(0);
    assert!(sender.is_empty() && sender.is_full() && receiver.is_empty() && receiver.is_full());
    let (other, _) = bounded::<u8>(0);
    assert!(sender.same_channel(&sender.clone()) && !sender.same_channel(&other));
    assert!(receiver.same_channel(&receiver.clone()));
}

#[test]
fn receivers_get_what_was_sent_before_the_last_sender_went() {
    between(|world, [from, to]| {
        for capacity in [Some(3), None] {
            let (sender, receiver) = make(capacity);
            world
                .start(from, move || {
                    (0..3).for_each(|item| sender.send(item).expect("room"));
                })
                .join();
            let to = world.start(to, move || {
                let items: Vec<_> = receiver.iter().collect();
                let error = receiver.recv().expect_err("nobody sends any more");
                assert!(error.is_disconnected() && !error.is_cancelled());
                assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
                assert_eq!(receiver.recv_for(LONG), Err(RecvTimeoutError::Disconnected));
                items
            });
            assert_eq!(to.join(), [0, 1, 2]);
        }
    });
}

#[test]
fn a_receiver_that_waits_is_told_that_the_last_sender_went() {
    between(|world, [from, to]| {
        for capacity in CAPACITIES {
            let (sender, receiver) = make::<u64>(capacity);
            let other = sender.clone();
            let to = world.start_waiting(to, WaitReason::ChannelReceive, move || receiver.recv());
            drop(other);
            assert!(!to.is_finished(), "one is left");
            world.start(from, move || drop(sender)).join();
            assert!(to.join().expect_err("nobody sends").is_disconnected());
        }
    });
}

#[test]
fn a_sender_that_waits_is_told_that_the_last_receiver_went_and_gets_its_item_back() {
    between(|world, [from, to]| {
        for capacity in BOUNDED {
            let (sender, receiver) = full(capacity);
            let sends = sender.clone();
            let from = world.start_waiting(from, WaitReason::ChannelSend, move || sends.send(77));
            world.start(to, move || drop(receiver)).join();
            let error = from.join().expect_err("nobody receives");
            assert!(error.is_disconnected());
            assert_eq!(error.into_inner(), 77);
            assert_eq!(sender.try_send(1), Err(TrySendError::Disconnected(1)));
            assert_eq!(
                sender.send_for(2, LONG),
                Err(SendTimeoutError::Disconnected(2))
            );
            assert_eq!(sender.send(3).map_err(|error| error.into_inner()), Err(3));
        }
    });
}

#[test]
fn items_that_nobody_will_receive_are_dropped_with_the_last_receiver() {
    for capacity in [Some(4), None] {
        let drops = Drops::new();
        let (sender, receiver) = make(capacity);
        for _ in 0..4 {
            assert!(sender.send(drops.one()).is_ok());
        }
        drop(receiver.recv());
        assert_eq!(drops.count(), 1);
        drop(receiver);
        assert_eq!(drops.count(), 4);
        drop(sender.send(drops.one()));
        assert_eq!(drops.count(), 5);
    }
    let drops = Drops::new();
    let (sender, receiver) = unbounded();
    (0..1000).for_each(|_| drop(sender.send(drops.one())));
    drop(sender);
    assert_eq!(drops.count(), 0);
    drop(receiver);
    assert_eq!(drops.count(), 1000);
}

#[test]
fn an_items_destructor_may_use_the_channel() {
    type Item = Box<dyn Send>;
    let (sender, receiver) = unbounded::<Item>();
    let uses = sender.clone();
    let item = OnDrop(move || assert!(uses.send(Box::new(())).is_err()));
    assert!(sender.send(Box::new(item)).is_ok());
    drop(receiver);
}

#[test]
fn limits_end_the_waits() {
    between(|world, [one, other]| {
        for capacity in BOUNDED {
            let (sender, receiver) = full(capacity);
            let (sends, began) = (sender.clone(), Instant::now());
            let from = world.start(one, move || {
                (sends.send_for(8, Duration::ZERO), sends.send_for(9, SHORT))
            });
            let late = (
                Err(SendTimeoutError::Timeout(8)),
                Err(SendTimeoutError::Timeout(9)),
            );
            assert_eq!(from.join(), late);
            receiver.try_iter().for_each(drop);
            let takes = receiver.clone();
            let to = world.start(other, move || {
                (takes.recv_for(Duration::ZERO), takes.recv_for(SHORT))
            });
            let late = (
                Err(RecvTimeoutError::Timeout),
                Err(RecvTimeoutError::Timeout),
            );
            assert_eq!(to.join(), late);
            assert!(began.elapsed() >= 2 * SHORT);
            // Nobody is left in its lists.
            if capacity == Some(0) {
                assert_eq!(sender.try_send(1), Err(TrySendError::Full(1)));
            } else {
                assert_eq!(sender.try_send(1), Ok(()));
                assert_eq!(receiver.try_recv(), Ok(1));
            }
            assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        }
    });
}

#[test]
fn what_comes_in_time_is_had() {
    between(|world, [one, other]| {
        for capacity in BOUNDED {
            let (sender, receiver) = full(capacity);
            let sends = sender.clone();
            let from = world.start_waiting(one, WaitReason::ChannelSend, move || {
                sends.send_for(9, LONG)
            });
            let takes = receiver.clone();
            let to = world.start(other, move || {
                std::iter::repeat_with(|| takes.recv_for(LONG)).find(|got| *got == Ok(9))
            });
            assert_eq!(from.join(), Ok(()));
            assert_eq!(to.join(), Some(Ok(9)));
        }
    });
}

#[test]
fn interruptions_end_the_waits_that_can_say_so() {
    in_a_world(|world| {
        type Ended = Result<(), Option<Wake>>;
        let receives: [(fn(&Receiver<u64>) -> Ended, [bool; 2]); 2] = [
            (
                |receiver| match receiver.recv() {
                    Ok(_) => Ok(()),
                    Err(error) => Err(error.is_cancelled().then_some(Wake::Aborted)),
                },
                [false, true],
            ),
            (
                |receiver| match receiver.recv_for(LONG) {
                    Ok(_) => Ok(()),
                    Err(RecvTimeoutError::Interrupted(wake)) => Err(Some(wake)),
                    Err(_) => Err(None),
                },
                [true, true],
            ),
        ];
        let sends: [(fn(&Sender<u64>) -> Ended, [bool; 2]); 2] = [
            (
                |sender| match sender.send(4) {
                    Ok(()) => Ok(()),
                    Err(error) => Err(error.is_cancelled().then_some(Wake::Aborted)),
                },
                [false, true],
            ),
            (
                |sender| match sender.send_for(4, LONG) {
                    Ok(()) => Ok(()),
                    Err(SendTimeoutError::Interrupted(item, wake)) => {
                        assert_eq!(item, 4);
                        Err(Some(wake))
                    }
                    Err(_) => Err(None),
                },
                [true, true],
            ),
        ];
        let interrupts: [(fn(&TaskRef), Wake); 2] = [
            (TaskRef::alert, Wake::Alerted),
            (TaskRef::cancel, Wake::Aborted),
        ];
        for side in [Side::Task, Side::Mobile] {
            for capacity in BOUNDED {
                for (receive, ends) in receives {
                    for ((interrupt, wake), ends) in interrupts.into_iter().zip(ends) {
                        let (sender, receiver) = make(capacity);
                        let takes = receiver.clone();
                        let to = world.start_waiting(side, WaitReason::ChannelReceive, move || {
                            receive(&takes)
                        });
                        interrupted(to, interrupt, wake, ends, || sender.send(1).expect("taken"));
                    }
                }
                for (send, ends) in sends {
                    for ((interrupt, wake), ends) in interrupts.into_iter().zip(ends) {
                        let (sender, receiver) = full(capacity);
                        let from = world
                            .start_waiting(side, WaitReason::ChannelSend, move || send(&sender));
                        interrupted(from, interrupt, wake, ends, || {
                            assert!(receiver.recv().is_ok());
                        });
                    }
                }
            }
        }
    });

    fn interrupted(
        waiter: Party<Result<(), Option<Wake>>>,
        interrupt: fn(&TaskRef),
        wake: Wake,
        ends: bool,
        let_go_on: impl FnOnce(),
    ) {
        interrupt(waiter.task());
        if ends {
            assert_eq!(waiter.join(), Err(Some(wake)));
        } else {
            waiter.assert_waits();
            let_go_on();
            assert_eq!(waiter.join(), Ok(()));
        }
    }
}

#[test]
fn an_abort_unwinds_and_drops_the_item_that_was_not_sent() {
    in_a_world(|world| {
        for side in [Side::Task, Side::Mobile] {
            let drops = Drops::new();
            let (sender, receiver) = bounded(0);
            let (sends, item) = (sender.clone(), drops.one());
            let from = world.start_waiting(side, WaitReason::ChannelSend, move || {
                sends.send(item).is_ok()
            });
            from.task().abort();
            from.join_cancelled();
            assert_eq!(drops.count(), 1);
            assert!(receiver.try_recv().is_err(), "it is not in the channel");
            let takes = receiver.clone();
            let to = world.start_waiting(side, WaitReason::ChannelReceive, move || {
                takes.recv().is_ok()
            });
            to.task().abort();
            to.join_cancelled();
            assert!(sender.try_send(drops.one()).is_err(), "no receiver waits");
        }
    });
}

#[test]
fn an_enclosing_timeout_unwinds_the_waits() {
    in_a_world(|world| {
        let party = world.start(Side::Task, || {
            let (sender, receiver) = bounded(1);
            let receive = timeout(SHORT, || receiver.recv()).is_err();
            sender.send(1).expect("room");
            (
                receive,
                timeout(SHORT, || sender.send(2)).is_err(),
                receiver.try_iter().count(),
            )
        });
        assert_eq!(party.join(), (true, true, 1));
    });
}

#[test]
fn an_item_goes_to_the_next_receiver_if_the_first_gives_up() {
    between(|world, pair| {
        for capacity in CAPACITIES {
            let (sender, receiver) = make(capacity);
            let takes = receiver.clone();
            let gives_up = world.start_limited(
                pair[0],
                |task| task.wait_reason() == WaitReason::ChannelReceive,
                move |limit| takes.recv_for(limit),
            );
            let takes = receiver.clone();
            let stays =
                world.start_waiting(pair[1], WaitReason::ChannelReceive, move || takes.recv());
            assert_eq!(gives_up.join(), Err(RecvTimeoutError::Timeout));
            sender.send(5).expect("somebody receives");
            assert_eq!(stays.join(), Ok(5));
        }
    });
}

#[test]
fn a_hand_over_costs_one_switch_for_the_receiver() {
    // The receiver waits once for each item and finds it in its hand: a second look would be a second switch.
    at_workers(|scheduler| {
        if scheduler.workers() > 1 {
            return;
        }
        const ITEMS: u64 = 1000;
        let switches = scheduler.run(|| {
            let (sender, receiver) = bounded(0);
            let to = spawn(move || receiver.iter().count());
            yield_now();
            let before = fiberhost::scheduler::Scheduler::current()
                .unwrap()
                .stats()
                .switches;
            for item in 0..ITEMS {
                sender.send(item).expect("somebody receives");
                // The receiver takes it and waits again.
                yield_now();
            }
            let after = fiberhost::scheduler::Scheduler::current()
                .unwrap()
                .stats()
                .switches;
            drop(sender);
            assert_eq!(to.join().unwrap() as u64, ITEMS);
            after - before
        });
        assert!(
            switches <= 2 * ITEMS + 100,
            "{switches} switches for {ITEMS} items"
        );
    });
}

#[test]
fn a_destructor_may_send_and_receive_in_an_unwinding() {
    expect_panics();
    in_a_world_of(2, |world| {
        let (sender, inner) = bounded(0);
        let (outer, receiver) = bounded(0);
        let party = world.start(Side::Task, move || {
            let _on_drop = OnDrop(|| {
                let item: u64 = inner.recv().expect("somebody sends");
                outer.send(item + 1).expect("somebody receives");
            });
            panic!("expected: a panic with a destructor that uses channels");
        });
        sender.send(1).expect("somebody receives");
        assert_eq!(receiver.recv(), Ok(2));
        party.join_panic();
    });
}

#[test]
fn items_of_any_size() {
    let (sender, receiver) = unbounded();
    (0..1000).for_each(|_| sender.send(()).expect("no limit"));
    assert_eq!(receiver.try_iter().count(), 1000);
    let (sender, receiver) = bounded(2);
    let large = |number| [number; 1000];
    for number in 0..10_u64 {
        sender.send(large(number)).expect("room");
        assert_eq!(receiver.recv(), Ok(large(number)));
    }
}

#[test]
fn errors_are_told_in_words() {
    let (sender, receiver) = bounded::<u8>(0);
    assert_eq!(
        sender.try_send(1).unwrap_err().to_string(),
        "the channel is full"
    );
    assert_eq!(
        receiver.try_recv().unwrap_err().to_string(),
        "the channel is empty"
    );
    drop(receiver);
    assert_eq!(
        format!("{:?}", sender.send(1).unwrap_err()),
        "SendError(no receiver is left)"
    );
    let (sender, receiver) = bounded::<u8>(0);
    drop(sender);
    assert_eq!(
        receiver.recv().unwrap_err().to_string(),
        "no sender and no item is left"
    );
}

/// Senders and receivers that give up, are alerted, cancelled and aborted: what was sent is received once, what was not
/// sent is not.
#[test]
fn stress() {
    for workers in [1, 2, 4] {
        for capacity in [Some(0), Some(1), Some(5), None] {
            in_a_world_of(workers, |world| stressed(world, capacity));
        }
    }
}

fn stressed(world: &World<'_>, capacity: Option<usize>) {
    let mut random = Random::seeded("channel");
    let (sender, receiver) = make(capacity);
    // Sum and count of what was sent, and of what was received.
    let sent = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
    let received = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
    let live = Arc::new(AtomicUsize::new(0));
    let senders: Vec<_> = (0..12_u64)
        .map(|number| {
            let (sender, sent, live) = (sender.clone(), Arc::clone(&sent), Arc::clone(&live));
            let mut random = random.fork();
            live.fetch_add(1, Ordering::SeqCst);
            world.start(SIDES[number as usize % 4], move || {
                for item in 0..80 {
                    let item = number * 1000 + item;
                    if send_somehow(&sender, item, &mut random) {
                        note(&sent, item);
                    }
                }
                live.fetch_sub(1, Ordering::SeqCst);
            })
        })
        .collect();
    drop(sender);
    let receivers: Vec<_> = (0..12)
        .map(|number| {
            let (receiver, received) = (receiver.clone(), Arc::clone(&received));
            let mut random = random.fork();
            world.start(SIDES[number % 4], move || {
                while let Some(item) = receive_somehow(&receiver, &mut random) {
                    note(&received, item);
                }
            })
        })
        .collect();
    for round in 0..40 {
        let party = match random.below(2) {
            0 => senders[random.below(12) as usize].task(),
            _ => receivers[random.below(12) as usize].task(),
        };
        match round % 4 {
            0..3 => party.alert(),
            _ => party.cancel(),
        }
        std::thread::sleep(Duration::from_micros(random.below(200)));
    }
    senders.into_iter().for_each(Party::join);
    receivers.into_iter().for_each(Party::join);
    let sums = |pair: &[AtomicU64; 2]| pair.each_ref().map(|sum| sum.load(Ordering::SeqCst));
    assert_eq!(sums(&sent), sums(&received));
    assert!(receiver.is_empty());
}

fn note(sums: &[AtomicU64; 2], item: u64) {
    sums[0].fetch_add(item, Ordering::SeqCst);
    sums[1].fetch_add(1, Ordering::SeqCst);
}

fn send_somehow(sender: &Sender<u64>, item: u64, random: &mut Random) -> bool {
    match random.below(4) {
        0 => sender.try_send(item).is_ok(),
        1 => {
            let limit = Duration::from_micros(random.below(300));
            sender.send_for(item, limit).is_ok()
        }
        2 => {
            yield_now();
            sender.send(item).is_ok()
        }
        _ => sender.send(item).is_ok(),
    }
}

/// `None`: nobody sends any more.
fn receive_somehow(receiver: &Receiver<u64>, random: &mut Random) -> Option<u64> {
    loop {
        let limit = Duration::from_micros(random.below(300));
        let (item, over) = match random.below(3) {
            0 => {
                let got = receiver.try_recv();
                (got.ok(), got == Err(TryRecvError::Disconnected))
            }
            1 => {
                let got = receiver.recv_for(limit);
                (got.ok(), got == Err(RecvTimeoutError::Disconnected))
            }
            _ => {
                let got = receiver.recv();
                (got.ok(), got.is_err_and(|error| error.is_disconnected()))
            }
        };
        if item.is_some() || over {
            return item;
        }
        yield_now();
    }
}

/// Tasks on both sides are aborted in their waits: what they did not send is dropped, what they received is theirs.
#[test]
fn stress_of_aborts() {
    for workers in [1, 2, 4] {
        for capacity in BOUNDED {
            in_a_world_of(workers, |world| {
                let mut random = Random::seeded("channel, aborts");
                let (drops, made) = (Drops::new(), Arc::new(AtomicUsize::new(0)));
                let (sender, receiver) = make(capacity);
                let parties: Vec<_> = (0..40)
                    .map(|number| {
                        let (sender, receiver) = (sender.clone(), receiver.clone());
                        let (drops, made) = (drops.clone(), Arc::clone(&made));
                        world.start([Side::Task, Side::Mobile][number / 2 % 2], move || {
                            for _ in 0..20 {
                                if number % 2 == 0 {
                                    made.fetch_add(1, Ordering::SeqCst);
                                    drop(sender.send_for(drops.one(), 5 * SHORT));
                                } else {
                                    drop(receiver.recv_for(5 * SHORT));
                                }
                            }
                        })
                    })
                    .collect();
                for _ in 0..20 {
                    parties[random.below(40) as usize].task().abort();
                    std::thread::sleep(Duration::from_micros(random.below(100)));
                }
                // Those who are left over wait for nobody: their limits end them.
                parties.iter().for_each(|party| party.task().cancel());
                parties.iter().for_each(Party::until_finished);
                drop((sender, receiver));
                assert_eq!(drops.count(), made.load(Ordering::SeqCst));
            });
        }
    }
}
