//! Futures in tasks, and tasks as futures.
#![cfg(feature = "futures")]

mod common;

use std::future::{Future, pending, poll_fn, ready};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake as Wakes, Waker};
use std::time::Duration;

use common::sides::{Random, SIDES, between, in_a_world};
use common::{
    Drops, LONG, SHORT, at_workers, checked, eventually, expect_panics, until_waits, with,
};
use fiberhost::scheduler::{
    WaitReason, Wake, block_on, park, park_for, sleep, spawn, timeout, yield_now,
};

/// Is ready once somebody has said so.
#[derive(Clone, Default)]
struct Flag(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    set: bool,
    waker: Option<Waker>,
    polls: usize,
}

impl Flag {
    fn set(&self) {
        let mut state = self.0.lock().unwrap();
        state.set = true;
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn polls(&self) -> usize {
        self.0.lock().unwrap().polls
    }
}

impl Future for Flag {
    type Output = usize;
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<usize> {
        let mut state = self.0.lock().unwrap();
        state.polls += 1;
        if state.set {
            return Poll::Ready(state.polls);
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

#[test]
fn a_future_that_is_ready_is_polled_once() {
    in_a_world(|world| {
        for side in SIDES {
            let party = world.start(side, || block_on(async { ready(3).await + 4 }));
            assert_eq!(party.join(), 7);
        }
    });
}

#[test]
fn a_wake_from_anywhere_ends_the_wait() {
    between(|world, [waiter, waker]| {
        let flag = Flag::default();
        let future = flag.clone();
        let waiter = world.start_waiting(waiter, WaitReason::Future, move || block_on(future));
        let set = flag.clone();
        world.start(waker, move || set.set()).join();
        assert_eq!(
            waiter.join(),
            2,
            "one poll before the wait and one after it"
        );
    });
}

#[test]
fn a_wake_during_the_poll_is_not_lost() {
    in_a_world(|world| {
        for side in SIDES {
            let party = world.start(side, || {
                let mut polls = 0;
                block_on(poll_fn(move |context| {
                    polls += 1;
                    if polls == 10 {
                        return Poll::Ready(polls);
                    }
                    context.waker().wake_by_ref();
                    Poll::Pending
                }))
            });
            assert_eq!(party.join(), 10);
        }
    });
}

#[test]
fn a_wake_that_comes_late_wakes_nobody() {
    at_workers(|scheduler| {
        let (send, wakers) = channel();
        let task = scheduler.spawn(move || {
            block_on(poll_fn(|context| {
                send.send(context.waker().clone()).unwrap();
                Poll::Ready(())
            }));
            park_for(SHORT)
        });
        let waker = wakers.recv_timeout(LONG).unwrap();
        // On a busy machine its time may be over already: that shows nothing.
        eventually("it waits, or has waited", || {
            task.task().wait_reason() == WaitReason::Park || task.is_finished()
        });
        waker.wake_by_ref();
        assert_eq!(task.join().unwrap(), Wake::TimedOut);
        waker.wake();
    });
}

#[test]
fn a_wake_is_no_permit_and_a_permit_is_no_wake() {
    at_workers(|scheduler| {
        let flag = Flag::default();
        let future = flag.clone();
        let task = scheduler.spawn(move || {
            block_on(future);
            // The permit given meanwhile is there.
            (park_for(LONG), park_for(SHORT))
        });
        until_waits(task.task(), WaitReason::Future);
        task.task().unpark();
        std::thread::sleep(SHORT);
        assert!(!task.is_finished());
        assert_eq!(flag.polls(), 1);
        flag.set();
        assert_eq!(task.join().unwrap(), (Wake::Signalled, Wake::TimedOut));
    });
}

#[test]
fn alerts_and_cancelling_leave_it_and_an_abort_unwinds_it() {
    at_workers(|scheduler| {
        let drops = Drops::new();
        let one = drops.one();
        let task = scheduler.spawn(move || {
            block_on(async move {
                let _one = one;
                pending::<()>().await;
            });
        });
        until_waits(task.task(), WaitReason::Future);
        task.task().alert();
        task.task().cancel();
        std::thread::sleep(SHORT);
        assert!(!task.is_finished());
        task.abort();
        assert!(task.join().unwrap_err().is_cancelled());
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn an_enclosing_limit_drops_the_future() {
    at_workers(|scheduler| {
        let drops = Drops::new();
        let one = drops.one();
        scheduler.run(move || {
            let late = timeout(SHORT, || {
                block_on(async move {
                    let _one = one;
                    pending::<()>().await
                })
            });
            assert!(late.is_err());
        });
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn one_may_be_driven_inside_another() {
    at_workers(|scheduler| {
        let flag = Flag::default();
        let inner = flag.clone();
        let task =
            scheduler.spawn(move || block_on(async { block_on(inner) + block_on(async { 1 }) }));
        until_waits(task.task(), WaitReason::Future);
        flag.set();
        assert_eq!(task.join().unwrap(), 3);
    });
}

#[test]
fn a_future_may_wait_as_tasks_do() {
    at_workers(|scheduler| {
        let sum = scheduler.run(|| {
            block_on(async {
                let task = spawn(|| 5);
                sleep(Duration::from_millis(1));
                yield_now();
                task.join().unwrap()
            })
        });
        assert_eq!(sum, 5);
    });
}

#[test]
fn a_join_handle_is_a_future() {
    in_a_world(|world| {
        for side in SIDES {
            let flag = Flag::default();
            let wait = flag.clone();
            let task = world.scheduler().spawn(move || {
                block_on(wait);
                "done".to_owned()
            });
            let party = world.start_waiting(side, WaitReason::Future, move || block_on(task));
            flag.set();
            assert_eq!(party.join().unwrap(), "done");
            // One that has ended.
            let task = world.scheduler().spawn(|| 3);
            task.task().wait().unwrap();
            let party = world.start(side, move || block_on(task));
            assert_eq!(party.join().unwrap(), 3);
        }
    });
}

#[test]
fn how_a_task_ended_comes_with_it() {
    expect_panics();
    at_workers(|scheduler| {
        let task = scheduler.spawn(|| panic!("expected: a panic"));
        let error = block_on(task).unwrap_err();
        assert_eq!(
            *error.into_panic().downcast::<&str>().unwrap(),
            "expected: a panic"
        );
        let task = scheduler.spawn(park);
        until_waits(task.task(), WaitReason::Park);
        task.abort();
        assert!(block_on(task).unwrap_err().is_cancelled());
    });
}

#[test]
fn a_joiner_that_blocks_and_one_that_is_polled_both_see_the_end() {
    at_workers(|scheduler| {
        let task = scheduler.spawn(park);
        until_waits(task.task(), WaitReason::Park);
        let reference = task.task().clone();
        let joiners: Vec<_> = (0..3)
            .map(|_| {
                let reference = reference.clone();
                let joiner = scheduler.spawn(move || reference.wait().unwrap());
                until_waits(joiner.task(), WaitReason::Join);
                joiner
            })
            .collect();
        let polled = scheduler.spawn(move || block_on(task).unwrap());
        until_waits(polled.task(), WaitReason::Future);
        reference.unpark();
        assert_eq!(polled.join().unwrap(), Wake::Signalled);
        for joiner in joiners {
            joiner.join().unwrap();
        }
    });
}

struct Counts(AtomicUsize);

impl Wakes for Counts {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn the_last_waker_counts_and_the_result_comes_once() {
    expect_panics();
    at_workers(|scheduler| {
        let counts = [(); 2].map(|()| Arc::new(Counts(AtomicUsize::new(0))));
        let mut task = scheduler.spawn(park);
        for count in &counts {
            let waker = Waker::from(Arc::clone(count));
            let polled = Pin::new(&mut task).poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
        }
        until_waits(task.task(), WaitReason::Park);
        task.task().unpark();
        common::eventually("it was woken", || counts[1].0.load(Ordering::SeqCst) == 1);
        assert_eq!(counts[0].0.load(Ordering::SeqCst), 0);
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(result) = Pin::new(&mut task).poll(&mut context) else {
            panic!("it has ended");
        };
        assert_eq!(result.unwrap(), Wake::Signalled);
        // Its waker is not kept.
        common::eventually("the waker is gone", || Arc::strong_count(&counts[1]) == 1);
        let again = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            Pin::new(&mut task).poll(&mut Context::from_waker(Waker::noop()))
        }));
        assert!(again.is_err(), "a result is taken once");
    });
}

#[test]
fn a_handle_that_is_dropped_while_it_is_polled_lets_the_task_go_on() {
    at_workers(|scheduler| {
        let count = Arc::new(Counts(AtomicUsize::new(0)));
        let (tell, told) = channel();
        let mut task = scheduler.spawn(move || {
            park();
            tell.send(()).unwrap();
        });
        let reference = task.task().clone();
        let waker = Waker::from(Arc::clone(&count));
        assert!(
            Pin::new(&mut task)
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        drop((task, waker));
        until_waits(&reference, WaitReason::Park);
        reference.unpark();
        told.recv_timeout(LONG).unwrap();
        common::eventually("the waker is gone", || Arc::strong_count(&count) == 1);
    });
}

#[test]
fn tokio_awaits_tasks() {
    at_workers(|scheduler| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .build()
            .unwrap();
        let tasks: Vec<_> = (0..200_u64)
            .map(|number| {
                let task = scheduler.spawn(move || {
                    if number % 3 == 0 {
                        sleep(Duration::from_micros(50));
                    }
                    number
                });
                runtime.spawn(async move { task.await.unwrap() })
            })
            .collect();
        let sum: u64 = runtime.block_on(async {
            let mut sum = 0;
            for task in tasks {
                sum += task.await.unwrap();
            }
            sum
        });
        assert_eq!(sum, 199 * 200 / 2);
    });
}

/// Tasks drive what tokio's tasks send.
#[test]
fn tokio_wakes_tasks() {
    at_workers(|scheduler| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .unwrap();
        let (send, mut receive) = tokio::sync::mpsc::channel(4);
        let sender = runtime.spawn(async move {
            for number in 0..1000_u64 {
                send.send(number).await.unwrap();
            }
        });
        let sum = scheduler.run(move || {
            block_on(async {
                let mut sum = 0;
                while let Some(number) = receive.recv().await {
                    sum += number;
                }
                sum
            })
        });
        assert_eq!(sum, 999 * 1000 / 2);
        runtime.block_on(sender).unwrap();
    });
}

/// Polls, ends and drops at random moments.
#[test]
fn ends_and_polls_meet_at_any_moment() {
    let mut random = Random::seeded("ends_and_polls_meet_at_any_moment");
    let spins: Vec<u64> = (0..2000).map(|_| random.below(300)).collect();
    with(checked(2), |scheduler| {
        with(checked(2), |other| {
            let rounds: Vec<_> = spins
                .iter()
                .map(|&spins| {
                    let task = other.spawn(move || {
                        (0..spins).for_each(|_| std::hint::spin_loop());
                        spins
                    });
                    scheduler.spawn(move || assert_eq!(block_on(task).unwrap(), spins))
                })
                .collect();
            rounds.into_iter().for_each(|round| round.join().unwrap());
        });
    });
}
