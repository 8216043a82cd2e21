//! A circle of waits that cannot be refused is told once, and its tasks wait until one of them is aborted.
//!
//! The subscriber is the process's, so this is one test in a file of its own.

mod common;

use std::fmt;
use std::sync::Arc;

use common::{SHORT, at_workers, eventually};
use fiberhost::scheduler::sync::{Barrier, Mutex};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

type Told = Arc<std::sync::Mutex<Vec<String>>>;

/// Keeps what is said of circles.
struct Recorder(Told);

#[derive(Default)]
struct Circle(Option<String>);

impl Visit for Circle {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "deadlock" {
            self.0 = Some(format!("{value:?}"));
        }
    }
}

impl<S: Subscriber> Layer<S> for Recorder {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut circle = Circle::default();
        event.record(&mut circle);
        self.0.lock().unwrap().extend(circle.0);
    }
}

#[test]
fn a_circle_of_plain_locks_is_told_once_and_an_abort_ends_it() {
    let told = Told::default();
    let subscriber = tracing_subscriber::registry().with(Recorder(Arc::clone(&told)));
    tracing::subscriber::set_global_default(subscriber).expect("the first one");
    at_workers(|scheduler| {
        const TASKS: usize = 3;
        told.lock().unwrap().clear();
        let shared = Arc::new((
            std::array::from_fn::<_, TASKS, _>(|_| Mutex::new(())),
            Barrier::new(TASKS),
        ));
        let tasks: [_; TASKS] = std::array::from_fn(|at| {
            let shared = Arc::clone(&shared);
            scheduler.spawn(move || {
                let (locks, all) = &*shared;
                let _mine = locks[at].lock();
                all.wait();
                drop(locks[(at + 1) % TASKS].lock());
            })
        });
        eventually("it is told", || !told.lock().unwrap().is_empty());
        std::thread::sleep(SHORT);
        {
            let told = told.lock().unwrap();
            assert_eq!(told.len(), 1, "{told:?}");
            for task in &tasks {
                let number = format!("task {} ", task.task().id());
                assert_eq!(told[0].matches(&number).count(), 1, "{told:?}");
                assert!(!task.task().is_finished(), "they wait on");
            }
        }
        let [first, others @ ..] = tasks;
        first.task().abort();
        assert!(first.join().unwrap_err().is_cancelled());
        for other in others {
            other.join().expect("it got what it waited for");
        }
        assert_eq!(told.lock().unwrap().len(), 1, "nothing new was told");
    });
}
