//! A task's span, and those that its code enters, go where it goes; and what else is said to a subscriber.

mod common;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, Once};
use std::time::{Duration, Instant};

use common::{
    LONG, at, at_on_fibers, checked, eventually, expect_panics, os_thread, until_waits, with_each,
    with_on_fibers,
};
use fiberhost::scheduler::native;
use fiberhost::scheduler::{
    Backing, Builder, JoinHandle, Scheduler, WaitReason, park, sleep, yield_now,
};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Span, Subscriber, info, info_span};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// What the subscriber was told.
#[derive(Default)]
struct Told {
    events: Vec<Said>,
    /// Entered and exited, by span.
    edges: HashMap<String, (usize, usize)>,
    closed: HashSet<String>,
}

#[derive(Clone, Debug)]
struct Said {
    text: String,
    /// Spans, outermost first.
    scope: Vec<String>,
    thread: i32,
}

static TOLD: Mutex<Option<Told>> = Mutex::new(None);

fn told() -> MutexGuard<'static, Option<Told>> {
    TOLD.lock().expect("nobody panics with it")
}

struct Recorder;

/// All fields of an event in one line.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push_str(&format!("{}={value:?} ", field.name()));
    }
}

/// The name that a test has given it: a field, since the metadata's is fixed.
struct Called(String);

fn called<S: Subscriber + for<'a> LookupSpan<'a>>(id: &Id, context: &Context<'_, S>) -> String {
    let span = context.span(id).expect("it is open");
    let extensions = span.extensions();
    extensions
        .get::<Called>()
        .map_or_else(|| span.name().to_owned(), |called| called.0.clone())
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Recorder {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        struct Name(Option<String>);
        impl Visit for Name {
            fn record_str(&mut self, field: &Field, value: &str) {
                if field.name() == "called" {
                    self.0 = Some(value.to_owned());
                }
            }
            fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
        }
        let mut name = Name(None);
        attributes.record(&mut name);
        if let Some(name) = name.0 {
            let span = context.span(id).expect("it is new");
            span.extensions_mut().insert(Called(name));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        let scope = context.event_scope(event).into_iter().flat_map(|scope| {
            let spans = scope.from_root().map(|span| called(&span.id(), &context));
            spans.collect::<Vec<_>>()
        });
        let said = Said {
            text: text.0,
            scope: scope.collect(),
            thread: os_thread(),
        };
        told().get_or_insert_default().events.push(said);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        let name = called(id, &context);
        told()
            .get_or_insert_default()
            .edges
            .entry(name)
            .or_default()
            .0 += 1;
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        let name = called(id, &context);
        told()
            .get_or_insert_default()
            .edges
            .entry(name)
            .or_default()
            .1 += 1;
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let name = called(&id, &context);
        told().get_or_insert_default().closed.insert(name);
    }
}

/// One for the process: workers are threads that a test does not have in hand.
fn subscribe() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let subscriber = tracing_subscriber::registry().with(Recorder);
        tracing::subscriber::set_global_default(subscriber).expect("it is the first");
    });
}

/// A span of this name, which no other test uses.
fn named(name: &str) -> Span {
    info_span!(parent: None, "named", called = name)
}

/// A span inside whatever is current.
fn inner(name: &str) -> Span {
    info_span!("inner", called = name)
}

/// The events with this text.
fn events(text: &str) -> Vec<Said> {
    let told = told();
    let events = told.iter().flat_map(|told| &told.events);
    events
        .filter(|said| said.text.contains(text))
        .cloned()
        .collect()
}

fn edges(name: &str) -> (usize, usize) {
    let told = told();
    told.as_ref()
        .and_then(|told| told.edges.get(name).copied())
        .unwrap_or_default()
}

fn is_closed(name: &str) -> bool {
    told()
        .as_ref()
        .is_some_and(|told| told.closed.contains(name))
}

#[track_caller]
fn assert_scopes(text: &str, count: usize, scope: &[&str]) {
    let events = events(text);
    assert_eq!(events.len(), count, "{text}");
    for said in events {
        assert_eq!(said.scope, scope, "{text}");
    }
}

fn spanned(
    scheduler: &Scheduler,
    span: Span,
    work: impl FnOnce() + Send + 'static,
) -> JoinHandle<()> {
    let task = scheduler.task().span(span);
    task.spawn(work).expect("memory for a task")
}

/// Each name is of one size of the scheduler, and of one kind of tasks.
fn at_each(test: impl Fn(&Scheduler, &dyn Fn(&str) -> String)) {
    for workers in [1, 2, 4] {
        with_names(checked(workers), &test);
    }
}

/// The same with this builder.
fn with_names(builder: Builder, test: impl Fn(&Scheduler, &dyn Fn(&str) -> String)) {
    subscribe();
    with_each(builder, |scheduler, backing| {
        let workers = scheduler.workers();
        test(scheduler, &|name| {
            format!("{name} at {workers} on a {backing:?}")
        });
    });
}

#[test]
fn what_a_task_says_is_in_its_span() {
    at_each(|scheduler, name| {
        let (one, other) = (name("one says"), name("other says"));
        let tasks = [&one, &other].map(|name| {
            let text = name.clone();
            spanned(scheduler, named(name), move || {
                for round in 0..10 {
                    info!(round, text);
                    if round % 3 == 0 {
                        sleep(Duration::from_millis(1));
                    } else {
                        yield_now();
                    }
                }
            })
        });
        let plain = name("nobody says");
        let text = plain.clone();
        let without = scheduler.spawn(move || {
            for round in 0..10 {
                info!(round, text);
                yield_now();
            }
        });
        for task in tasks {
            task.join().unwrap();
        }
        without.join().unwrap();
        assert_scopes(&one, 10, &[&one]);
        assert_scopes(&other, 10, &[&other]);
        assert_scopes(&plain, 10, &[]);
        for name in [&one, &other] {
            let (entered, exited) = edges(name);
            // Others run on a worker's thread while the task waits; a thread of its own has nobody else.
            let once = name.ends_with("on a Thread");
            assert!(
                entered == exited && (entered > 1) != once,
                "{entered} {exited}"
            );
            assert!(is_closed(name), "before the join returns");
        }
    });
}

#[test]
fn spans_that_are_entered_across_waits_go_with_the_task() {
    at_each(|scheduler, name| {
        let neighbours: Vec<_> = (0..4)
            .map(|number| {
                let outer = name(&format!("outer {number}"));
                let (middle, last) = (format!("{outer} middle"), format!("{outer} last"));
                let names = [outer.clone(), middle, last];
                let task = spanned(scheduler, named(&outer), {
                    let [outer, middle, last] = names.clone();
                    move || {
                        let first = inner(&middle).entered();
                        for _ in 0..5 {
                            yield_now();
                            info!("two of {outer}.");
                            let second = inner(&last).entered();
                            yield_now();
                            sleep(Duration::from_millis(1));
                            info!("three of {outer}.");
                            drop(second);
                        }
                        yield_now();
                        drop(first);
                        info!("one of {outer}.");
                        yield_now();
                        info!("one of {outer}.");
                    }
                });
                (names, task)
            })
            .collect();
        for ([outer, middle, last], task) in neighbours {
            task.join().unwrap();
            assert_scopes(&format!("two of {outer}."), 5, &[&outer, &middle]);
            assert_scopes(&format!("three of {outer}."), 5, &[&outer, &middle, &last]);
            assert_scopes(&format!("one of {outer}."), 2, &[&outer]);
            for name in [outer, middle, last] {
                let (entered, exited) = edges(&name);
                assert_eq!(entered, exited, "{name}");
                assert!(is_closed(&name), "{name}");
            }
        }
    });
}

#[test]
fn one_span_may_be_entered_twice() {
    with_names(checked(1), |scheduler, name| {
        let (twice, between_two) = (name("twice"), name("between two"));
        let (text, middle) = (twice.clone(), between_two.clone());
        let task = spanned(scheduler, named(&twice), move || {
            let span = Span::current();
            let first = span.clone().entered();
            let between = inner(&middle).entered();
            let second = span.clone().entered();
            yield_now();
            info!("all of {text}");
            drop(second);
            yield_now();
            info!("less of {text}");
            drop(between);
            drop(first);
            yield_now();
            info!("least of {text}");
        });
        task.join().unwrap();
        assert_scopes(&format!("all of {twice}"), 1, &[&twice, &between_two]);
        assert_scopes(&format!("less of {twice}"), 1, &[&twice, &between_two]);
        assert_scopes(&format!("least of {twice}"), 1, &[&twice]);
        // Nothing is left on the worker.
        let after = name("after twice");
        let text = after.clone();
        scheduler.run(move || info!(text));
        assert_scopes(&after, 1, &[]);
    });
}

// On fibers only: a task on a thread of its own does not move.
#[test]
fn spans_go_with_a_task_from_thread_to_thread() {
    subscribe();
    const ROUNDS_MIN: usize = 50;
    with_on_fibers(checked(2).force_migration(true), |scheduler| {
        let tasks: Vec<_> = (0..3)
            .map(|number| {
                let outer = format!("moves {number}");
                let text = outer.clone();
                let work = move || {
                    let _inner = inner(&format!("{text} in")).entered();
                    let until = Instant::now() + LONG;
                    let mut threads = HashSet::new();
                    let mut rounds = 0;
                    while rounds < ROUNDS_MIN || threads.len() < 2 {
                        assert!(Instant::now() < until, "it never moves");
                        yield_now();
                        info!("{text} on.");
                        threads.insert(os_thread());
                        rounds += 1;
                    }
                    rounds
                };
                let task = scheduler.task().span(named(&outer));
                // SAFETY: nothing of the thread is kept across a wait: the guard only knows its span.
                let task = unsafe { task.spawn_mobile(work) };
                (outer, task.expect("memory for a task"))
            })
            .collect();
        for (outer, task) in tasks {
            let rounds = task.join().unwrap();
            let text = format!("{outer} on.");
            assert_scopes(&text, rounds, &[&outer, &format!("{outer} in")]);
            let threads: HashSet<i32> = events(&text).iter().map(|said| said.thread).collect();
            assert_eq!(threads.len(), 2, "it has moved");
            assert!(is_closed(&outer) && is_closed(&format!("{outer} in")));
        }
    });
}

#[test]
fn panics_and_aborts_leave_their_spans() {
    expect_panics();
    at_each(|scheduler, name| {
        let (panics, aborts) = (name("panics"), name("is aborted"));
        let within = format!("{panics} within");
        let inside = within.clone();
        let task = spanned(scheduler, named(&panics), move || {
            let _inner = inner(&inside).entered();
            yield_now();
            panic!("expected");
        });
        assert!(task.join().expect_err("it panics").is_panic());
        let text = name("unwinds");
        let said = text.clone();
        let waits = format!("{aborts} waits");
        let inside = waits.clone();
        let task = spanned(scheduler, named(&aborts), move || {
            let _says = common::OnDrop(move || info!("{said}."));
            let _inner = inner(&inside).entered();
            park();
        });
        until_waits(task.task(), WaitReason::Park);
        task.abort();
        assert!(task.join().expect_err("it is aborted").is_cancelled());
        // The destructor runs when the inner one is left, in the task's.
        assert_scopes(&format!("{text}."), 1, &[&aborts]);
        for name in [&panics, &within, &aborts, &waits] {
            let (entered, exited) = edges(name);
            assert_eq!(entered, exited, "{name}");
            assert!(is_closed(name), "{name}");
        }
        // Nothing is left on any worker.
        let after = name("after the end");
        let tasks: Vec<_> = (0..scheduler.workers() * 2)
            .map(|_| {
                let text = after.clone();
                scheduler.spawn(move || info!(text))
            })
            .collect();
        let count = tasks.len();
        for task in tasks {
            task.join().unwrap();
        }
        assert_scopes(&after, count, &[]);
    });
}

#[test]
fn a_task_that_never_runs_closes_its_span() {
    subscribe();
    let scheduler = checked(1).build().unwrap();
    let task = scheduler.spawn(|| common::hog_until(scheduler_is_closing));
    let fresh = spanned(&scheduler, named("never runs"), || {
        unreachable!("it never runs")
    });
    std::thread::scope(|threads| {
        let shutdown = threads.spawn(|| scheduler.shutdown(LONG));
        assert!(fresh.join().expect_err("it never ran").is_cancelled());
        CLOSING.store(true, std::sync::atomic::Ordering::SeqCst);
        shutdown.join().unwrap().expect("nothing is left");
    });
    drop(task);
    eventually("its span is closed", || is_closed("never runs"));
    assert_eq!(edges("never runs"), (0, 0));
}

static CLOSING: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

fn scheduler_is_closing() -> bool {
    CLOSING.load(std::sync::atomic::Ordering::SeqCst)
}

// On fibers, but for the one that says otherwise.
#[test]
fn tasks_that_keep_their_thread_stay_in_their_spans() {
    subscribe();
    at_on_fibers(2, |scheduler| {
        let work = |name: &'static str| {
            move || {
                let _own = native::own();
                let _inner = inner(name).entered();
                for _ in 0..5 {
                    sleep(Duration::from_millis(1));
                    yield_now();
                    info!("{name} on.");
                }
            }
        };
        let owns = spanned(scheduler, named("owns"), work("owns in"));
        let task = scheduler.task().backing(Backing::Thread);
        let thread = task
            .span(named("threads"))
            .spawn(work("threads in"))
            .unwrap();
        owns.join().unwrap();
        thread.join().unwrap();
        assert_scopes("owns in on.", 5, &["owns", "owns in"]);
        assert_scopes("threads in on.", 5, &["threads", "threads in"]);
        for name in ["owns", "owns in", "threads", "threads in"] {
            let (entered, exited) = edges(name);
            assert_eq!(entered, exited, "{name}");
            assert!(is_closed(name), "{name}");
        }
    });
}

#[test]
fn a_disabled_span_changes_nothing() {
    with_names(checked(1), |scheduler, name| {
        let said = name("in no span");
        let text = said.clone();
        let task = spanned(scheduler, Span::none(), move || {
            yield_now();
            info!(text);
        });
        task.join().unwrap();
        assert_scopes(&said, 1, &[]);
    });
}

#[test]
fn a_stall_is_an_event() {
    let builder = checked(1).stall_after(Duration::from_millis(50));
    with_names(builder, |scheduler, name| {
        let slow = name("is slow");
        let task = scheduler.task().name(slow.as_str());
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let task = task.spawn(move || receiver.recv().unwrap());
        let task = task.unwrap();
        let id = task.task().id();
        let quoted = format!("{slow:?}");
        eventually("it is reported", || !events(&quoted).is_empty());
        sender.send(()).unwrap();
        task.join().unwrap();
        let text = &events(&quoted)[0].text;
        assert!(text.contains(&format!("task={id} ")), "{text}");
        assert!(text.contains("kind=sleeps in the kernel"), "{text}");
        assert!(text.contains("frames=[0x"), "{text}");
    });
}

static CALL: native::Target = native::Target::new("a call");

#[test]
fn a_hand_over_is_an_event() {
    subscribe();
    at(1, |scheduler| {
        let lost = || events("native sections have lost their slots").len();
        let before = lost();
        scheduler.run(move || {
            native::section(&CALL, || {
                let until = Instant::now() + LONG;
                while lost() == before && Instant::now() < until {
                    std::thread::sleep(Duration::from_millis(1));
                }
                assert!(lost() > before);
            });
        });
    });
}

/// Once for each scheduler.
// On fibers: a task on a thread of its own is one more thread.
#[test]
fn the_limit_on_threads_is_an_event() {
    subscribe();
    let said = || events("no thread stands by: native sections keep their slots");
    let builder = checked(1).max_threads(2);
    with_on_fibers(builder, |scheduler| {
        let before = said().len();
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let inside = move || native::section(&CALL, || receiver.recv().unwrap());
        // The thread that stood by takes the slot, and there can be no third one.
        // SAFETY: nothing of the thread's lies on its stack beside the section.
        let stuck = unsafe { scheduler.task().spawn_mobile(inside) }.unwrap();
        eventually("it is said", || said().len() > before);
        assert_eq!(said().len(), before + 1);
        let text = &said()[before].text;
        assert!(text.contains("the limit of 2 threads is reached"), "{text}");
        sender.send(()).unwrap();
        stuck.join().unwrap();
    });
}
