//! Mobile tasks that are made to move thousands of times: whatever depends on the thread is asked anew after each wait.

mod common;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{LONG, checked, os_thread, with_on_fibers};
use fiberhost::scheduler::sync::AutoResetEvent;
use fiberhost::scheduler::{
    Scheduler, TaskBuilder, Wake, current, current_worker, park_for, sleep, spawn, task_local,
    timeout, try_current, yield_now,
};

task_local! {
    static OWN: std::cell::Cell<u64> = std::cell::Cell::new(0);
}

/// What must be true of a task wherever it is, and which thread it is on.
struct Witness {
    id: u64,
    name: String,
    workers: usize,
    /// Which OS thread each worker is, as seen by all tasks together.
    threads: Arc<Mutex<HashMap<usize, libc::pid_t>>>,
}

impl Witness {
    fn new(threads: &Arc<Mutex<HashMap<usize, libc::pid_t>>>) -> Witness {
        let me = current();
        OWN.with(|own| own.set(me.id()));
        Witness {
            id: me.id(),
            name: me.name().expect("it was named").to_string(),
            workers: Scheduler::current().expect("it is a task").workers(),
            threads: Arc::clone(threads),
        }
    }

    /// Returns the OS thread.
    fn look(&self) -> libc::pid_t {
        assert_eq!(current().id(), self.id);
        assert_eq!(
            try_current().and_then(|me| me.name()).as_deref(),
            Some(&*self.name)
        );
        assert_eq!(OWN.with(std::cell::Cell::get), self.id);
        assert_eq!(
            Scheduler::current().map(|here| here.workers()),
            Some(self.workers)
        );
        // No wait lies between these two, so they speak of the same thread.
        let (worker, thread) = (current_worker().expect("it is a task"), os_thread());
        let known = *self.threads.lock().unwrap().entry(worker).or_insert(thread);
        assert_eq!(known, thread, "worker {worker} is one thread");
        thread
    }
}

/// Gives the thread back in each way there is; returns how often it came back elsewhere.
fn wander(witness: &Witness, event: &AutoResetEvent, until: Instant) -> usize {
    let (mut moves, mut step) = (0, 0_u64);
    while Instant::now() < until {
        let before = witness.look();
        match step % 7 {
            0..3 => yield_now(),
            3 => drop(sleep(Duration::from_micros(5))),
            4 => {
                event.set();
                event.wait_for(Duration::from_micros(20));
            }
            5 => assert_eq!(spawn(|| 5).join().ok(), Some(5)),
            _ => {
                let late = timeout(Duration::from_micros(5), || {
                    park_for(Duration::from_millis(1))
                });
                assert!(late.is_err() || late == Ok(Wake::TimedOut));
            }
        }
        moves += usize::from(witness.look() != before);
        step += 1;
    }
    moves
}

// On fibers only: a task on a thread of its own never moves.
#[test]
fn what_depends_on_the_thread_is_right_after_thousands_of_moves() {
    let seconds = std::env::var("FIBERHOST_STRESS_SECONDS").ok();
    let seconds = seconds.map_or(2, |text| text.parse().expect("a number"));
    for workers in [2, 4] {
        with_on_fibers(checked(workers).force_migration(true), |scheduler| {
            let (threads, moves) = (Arc::default(), Arc::new(AtomicUsize::new(0)));
            let event = Arc::new(AutoResetEvent::new(false));
            let until = Instant::now() + Duration::from_millis(500 * seconds);
            scheduler.run({
                let (threads, moves) = (Arc::clone(&threads), Arc::clone(&moves));
                move || {
                    let tasks: Vec<_> = (0..48)
                        .map(|number| {
                            let (threads, moves) = (Arc::clone(&threads), Arc::clone(&moves));
                            let event = Arc::clone(&event);
                            let body = move || {
                                let witness = Witness::new(&threads);
                                moves.fetch_add(wander(&witness, &event, until), Ordering::SeqCst);
                            };
                            let task = TaskBuilder::new().name(format!("wanderer {number}"));
                            // SAFETY: what lies on the stack at a suspension is `Send`, and nothing of a thread is kept.
                            unsafe { task.spawn_mobile(body) }.unwrap()
                        })
                        .collect();
                    for task in tasks {
                        task.join_for(LONG + Duration::from_secs(seconds))
                            .unwrap()
                            .unwrap();
                    }
                }
            });
            let moves = moves.load(Ordering::SeqCst);
            println!("{workers} workers: {moves} moves");
            assert!(moves > 500, "only {moves} moves");
            assert!(threads.lock().unwrap().len() > 1);
        });
    }
}
