//! What does not go on is told in three places alike: as an event of `tracing`, to the callback, and in the table.
//!
//! The subscriber is the process's, so this is one test in a file of its own.

mod common;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use common::{LONG, checked, eventually, until_waits, with_on_fibers};
use fiberhost::scheduler::native::{self, Target};
use fiberhost::scheduler::{Scheduler, StallKind, WaitReason, park, sync};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// Longer than a busy machine keeps a thread from running, which would be told too.
const STALL: Duration = Duration::from_millis(400);
const WAIT: Duration = Duration::from_millis(20);

/// The fields of an event, as text.
type Fields = BTreeMap<&'static str, String>;

#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<Fields>>>);

impl Events {
    fn all(&self) -> MutexGuard<'_, Vec<Fields>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Read(Fields);

impl Visit for Read {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl<S: Subscriber> Layer<S> for Events {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut read = Read(Fields::new());
        event.record(&mut read);
        if read.0.contains_key("lasted_ms") {
            self.all().push(read.0);
        }
    }
}

static SLOW: Target = Target::new("a slow call");

/// A section that lasts, and a wait that does; each is over when it was told.
fn let_two_things_last(scheduler: &Scheduler, told: &dyn Fn() -> usize) {
    let (sender, receiver) = mpsc::channel::<()>();
    let calls = scheduler.task().name("calls").spawn(move || {
        native::section(&SLOW, || receiver.recv_timeout(LONG).expect("it comes"));
    });
    let calls = calls.expect("a task");
    eventually("the section is told", || told() == 1);
    sender.send(()).expect("it waits");
    calls.join().expect("no panic");

    let lock = Arc::new(sync::Mutex::new(()));
    let holder = {
        let lock = Arc::clone(&lock);
        scheduler.spawn(move || {
            let _guard = lock.lock();
            park();
        })
    };
    until_waits(holder.task(), WaitReason::Park);
    let waits = scheduler
        .task()
        .name("waits")
        .spawn(move || drop(lock.lock()));
    let waits = waits.expect("a task");
    eventually("the wait is told", || told() == 2);
    holder.task().unpark();
    holder.join().expect("no panic");
    waits.join().expect("no panic");
}

#[test]
fn a_stall_is_an_event_a_call_and_a_row() {
    let events = Events::default();
    let subscriber = tracing_subscriber::registry().with(events.clone());
    tracing::subscriber::set_global_default(subscriber).expect("the first one");
    let called = Arc::new(Mutex::new(Vec::new()));
    let calls = Arc::clone(&called);
    let builder = checked(1)
        .stall_after(STALL)
        .report_waits([WaitReason::Mutex], WAIT)
        .on_stall(move |stall| {
            let what = (stall.kind(), stall.task_id(), stall.number());
            calls.lock().expect("no panic").push(what);
        });
    with_on_fibers(builder, |scheduler| {
        let told = || called.lock().expect("no panic").len();
        let_two_things_last(scheduler, &told);

        let called = called.lock().expect("no panic");
        let kinds = called.iter().map(|&(kind, ..)| kind);
        let expected = [StallKind::NativeSection, StallKind::LongWait];
        assert_eq!(kinds.collect::<Vec<_>>(), expected);
        let stalls = scheduler.stalls();
        let kept = stalls.iter();
        let kept = kept.map(|stall| (stall.kind(), stall.task_id(), stall.number()));
        assert_eq!(kept.collect::<Vec<_>>(), *called);

        let events = events.all();
        assert_eq!(events.len(), 2, "{events:?}");
        for (fields, stall) in events.iter().zip(&stalls) {
            assert_eq!(fields["kind"], stall.kind().to_string());
            assert_eq!(fields["task"], stall.task_id().to_string());
            let name = stall.task_name().expect("it has one");
            assert_eq!(fields["name"], format!("{name:?}"));
            assert_eq!(fields["lasted_ms"], stall.lasted().as_millis().to_string());
        }
        assert_eq!(events[0]["target_name"], "\"a slow call\"");
        assert_eq!(events[1]["wait_reason"], "Mutex");
        let holder = stalls[1].blocking_task().expect("somebody has the lock");
        assert_eq!(events[1]["blocking_task"], holder.to_string());
    });
}
